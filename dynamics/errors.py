"""Refusing bad input: argument, value, and what is accepted."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Collection
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from derivations._shell import accept as accept
from derivations._shell import nearest
from derivations._shell import true_or_false as true_or_false

MOST_BYTES = 2**31  # of the records of one curve or training, and of one Q
MOST_STEPS = 10**15  # of a descent: years
MOST_THREADS = 1024
HALVES = {"bfloat16": 2.0**-7}  # types that NumPy knows from others, and the distance of 1 from the next number


def whole_number(argument: str, value: Any, least: int, most: int | None = None, also: str = "") -> int:
    """The value as an int in [least, most], or a ValueError; `also` names what else the caller takes."""
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if isinstance(value, bool):
        number = least - 1
    expected = (
        f"{also}a whole number, {least} or more" if most is None else f"{also}a whole number in [{least}, {most}]"
    )
    accept(least <= number and (most is None or number <= most), argument, value, expected)
    return number


def real_number(argument: str, value: Any, accepted: Callable[[float], bool], expected: str) -> float:
    """The value as a float that is accepted, or a ValueError."""
    try:
        number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    except OverflowError:
        number = math.nan
    accept(bool(accepted(number)), argument, value, expected)
    return number


def positive(argument: str, value: Any) -> float:
    """The value as a float in (0, ∞), or a ValueError."""
    return real_number(argument, value, lambda number: 0 < number < math.inf, "a finite number > 0")


def real_array(value: Any) -> npt.NDArray[np.float64]:
    """The value as an array of float; empty where it holds text, complex numbers or lists of unequal lengths."""
    try:
        given = _as_array(value)
        numbers = (
            given.dtype.kind in "biuf" or given.dtype.name in HALVES or all(isinstance(one, Real) for one in given.flat)
        )
        return given.astype(float) if numbers else np.empty(0)
    except (TypeError, ValueError, OverflowError):
        return np.empty(0)


def _as_array(value: Any) -> npt.NDArray[Any]:
    """The value as NumPy has it; a tensor of a type that it does not have, in double precision."""
    try:
        return np.asarray(value)
    except TypeError:
        if not callable(getattr(value, "double", None)):
            raise
        return np.asarray(value.double())


def sums_to_one(numbers: npt.NDArray[np.float64], given: Any, least: float = 1e-12) -> tuple[Any, float]:
    """The numbers divided by their sums along the last axis, where these are 1 within the rounding of `given`.

    Parameters
    ----------
    numbers : (..., n) array
    given : array_like
        What they were before they became float: single and half precision leave more than double.
    least : float
        What the sums may be off by, whatever the type.

    Returns
    -------
    numbers : (..., n) array
        To the bit as they were where their sums are 1 to rounding in double precision.
    total : float
        1, or the sum that is farthest from it where that is too far.
    """
    count = math.sqrt(numbers.shape[-1]) + 8  # a sum of n rounded numbers is off by some √n, and by what divides it
    total = numbers.sum(axis=-1, keepdims=True)
    off = np.abs(total - 1)
    if off.size and not off.max() <= max(least, count * _precision(given)):
        return numbers, float(total.flat[off.argmax()])
    return np.where(off <= count * np.finfo(float).eps, numbers, numbers / total), 1.0


def _precision(given: Any) -> float:
    """Distance of 1 from the next number of the type of such numbers."""
    kind = _as_array(given).dtype
    word = f"{getattr(given, 'dtype', kind)}".rpartition(".")[2]  # of a tensor "torch.bfloat16"
    if word in HALVES:
        return HALVES[word]
    return float(max(np.finfo(kind if kind.kind == "f" else float).eps, np.finfo(float).eps))


def choice(argument: str, value: Any, options: Collection[str]) -> None:
    """Raise a ValueError unless the value is one of these words."""
    known = " or ".join(map(repr, options))
    accept(isinstance(value, str) and value in options, argument, value, f"{known}{nearest(value, options)}")


def accept_records(numbers: int, every: int) -> None:
    """Raise a ValueError if so many numbers, recorded at every so many steps, are more than memory should hold."""
    size = 8 * numbers
    accept(size <= MOST_BYTES, "every", every, f"more: the records would take {size / 2**30:.1f} GiB")


def rows_and_columns(grid: Any) -> tuple[int, int]:
    """A grid of patches, (H, W), or a ValueError."""
    pair = isinstance(grid, (tuple, list, np.ndarray)) and len(np.atleast_1d(np.asarray(grid, dtype=object))) == 2
    accept(pair, "grid", grid, "rows and columns of patches, (H, W)")
    return whole_number("grid", grid[0], 1), whole_number("grid", grid[1], 1)
