"""What a parameter of a figure may be: its annotation says kind and range, and is held against it before any work."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np

import dynamics as dy
from derivations._shell import accept

MOST = 10**7  # of what is counted
KINDS = {int: "a whole number", float: "a finite number"}


class Range(NamedTuple):
    """Which values of a kind are accepted, and how that is said."""

    accepts: Callable[[Any], bool]
    said: str


def _whole(least: int) -> Range:
    return Range(lambda number: least <= number <= MOST, f"a whole number in [{least}, {MOST}]")


Whole = Annotated[int, _whole(0)]
Seed = Annotated[int, Range(lambda number: number >= 0, "a whole number, 0 or more")]
Count = Annotated[int, _whole(1)]
Several = Annotated[int, _whole(2)]
Positive = Annotated[float, Range(lambda number: number > 0, "a finite number > 0")]
Share = Annotated[float, Range(lambda number: 0 < number < 1, "a number in (0, 1)")]  # mask ratios, exponents κs
KappaC = Annotated[float, Range(lambda number: 0 < number <= 1, "a number in (0, 1]")]
Log10 = Annotated[float, Range(lambda number: 0 < number <= 1e6, "a number in (0, 1e+06]")]  # of a number of patches
Digits = Annotated[float, Range(lambda number: 0 < number <= 300, "a number in (0, 300]")]  # of one that is a float
Ratio = Annotated[float, Range(lambda number: number >= 1, "a finite number, 1 or more")]
Tolerance = Annotated[float, Range(lambda number: 1e-13 <= number < 1e-2, "a number in [1e-13, 0.01)")]
Kappas = tuple[KappaC, Share]
Sizes = tuple[Count, Count, Count]  # patches of the global area, of a local area, and how many of these
Masked = tuple[Count, Count, Count, Count]  # the same, and how many patches are masked
_INCREASING = Range(lambda ends: ends[0] < ends[1], "two numbers, the second above the first")
Band = Annotated[tuple[float, float], _INCREASING]
Window = Annotated[tuple[Positive, Positive], _INCREASING]
Rungs = Annotated[tuple[Log10, Log10], _INCREASING]
Choice = Annotated[tuple[Whole, ...], Range(lambda _: True, "some, or none")]  # the one kind of tuple that may be empty


def masked_setting(sizes: Masked) -> dy.Setting:
    """One cluster of these sizes, so many of its patches masked."""
    *areas, masked = sizes
    geometry = dy.Geometry.single_cluster(*areas)
    return dy.Setting(geometry, mask_ratio=masked / geometry.patches)


def accepted(kind: type, name: str, value: Any, like: Any) -> Any:
    """A parameter of a class of them, as it is kept: tuples, ints and floats.

    Raises
    ------
    ValueError
        If it is not of the kind or not in the range that its annotation says.
    """
    return _accepted(name, value, get_type_hints(kind, include_extras=True)[name], like)


def _accepted(name: str, value: Any, hint: Any, like: Any) -> Any:
    if hint is Choice and isinstance(value, (tuple, list)) and not value:
        return ()
    if get_origin(hint) is Annotated:
        inner, within = get_args(hint)
        kept = _accepted(name, value, inner, like)
        accept(within.accepts(kept), name, value, within.said)
        return kept
    if get_origin(hint) is tuple:
        kinds = get_args(hint)
        listed = isinstance(value, (tuple, list)) or (isinstance(value, np.ndarray) and value.ndim > 0)
        kinds = kinds[:1] * len(value) if listed and kinds[-1] is Ellipsis else kinds
        accept(listed and 0 < len(value) == len(kinds), name, value, f"the like of {like!r}")
        likes = [*like, *like[:1] * len(value)]
        return tuple(_accepted(f"{name}[{i}]", *of, likes[i]) for i, of in enumerate(zip(value, kinds, strict=True)))
    if hint is str:
        accept(isinstance(value, str), name, value, f"the like of {like!r}")
        return value
    number = isinstance(value, Integral if hint is int else Real) and not isinstance(value, bool)
    accept(number and -math.inf < value < math.inf, name, value, KINDS[hint])
    return int(value) if isinstance(value, Integral) else float(value)


@contextmanager
def corners() -> Iterator[Callable[..., Any]]:
    """A function ``measure(function, *arguments, missing=NaN)``: `missing` where a ValueError says that it cannot be.

    With ``step=True`` it is no measurement, but what something is measured of.

    Raises
    ------
    ValueError
        At the end, that of the first, if nothing could be measured.
    """
    found, why = 0, list[ValueError]()

    def measure(function: Callable[..., Any], *arguments: Any, missing: Any = math.nan, step: bool = False) -> Any:
        nonlocal found
        try:
            value = function(*arguments)
        except ValueError as error:
            why.append(error)
            return missing
        found += not step
        return value

    yield measure
    if why and not found:
        raise why[0]
