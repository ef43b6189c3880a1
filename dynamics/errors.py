"""Refusing bad input: argument, value, and what is accepted."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

MOST_BYTES = 2**31  # of the records of one curve or training, and of one Q


def accept(condition: bool, argument: str, value: Any, expected: str) -> None:
    """Raise a ValueError naming argument, value and what is expected, unless the condition holds."""
    if not condition:
        shown = " ".join(repr(value).split())
        raise ValueError(f"{argument}={shown if len(shown) <= 80 else shown[:77] + '...'}: expected {expected}")


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
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    accept(bool(accepted(number)), argument, value, expected)
    return number


def positive(argument: str, value: Any) -> float:
    """The value as a float in (0, ∞), or a ValueError."""
    return real_number(argument, value, lambda number: 0 < number < math.inf, "a finite number > 0")


def real_array(value: Any) -> npt.NDArray[np.float64]:
    """The value as an array of float; empty where it holds text, complex numbers or lists of unequal lengths."""
    try:
        given = np.asarray(value)
        return given.astype(float) if given.dtype.kind in "biufO" else np.empty(0)
    except (TypeError, ValueError, OverflowError):
        return np.empty(0)


def accept_records(numbers: int, every: int) -> None:
    """Raise a ValueError if so many numbers, recorded at every so many steps, are more than memory should hold."""
    size = 8 * numbers
    accept(size <= MOST_BYTES, "every", every, f"more: the records would take {size / 2**30:.1f} GiB")


def rows_and_columns(grid: Any) -> tuple[int, int]:
    """A grid of patches, (H, W), or a ValueError."""
    accept(isinstance(grid, (tuple, list)) and len(grid) == 2, "grid", grid, "rows and columns of patches, (H, W)")
    return whole_number("grid", grid[0], 1), whole_number("grid", grid[1], 1)
