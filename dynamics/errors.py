"""Refusing bad input: argument, value, and what is accepted."""

from __future__ import annotations

import math
import operator
from numbers import Real
from typing import Any


def accept(condition: bool, argument: str, value: Any, expected: str) -> None:
    """Raise a ValueError naming argument, value and what is expected, unless the condition holds."""
    if not condition:
        shown = repr(value)
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


def positive(argument: str, value: Any, below: float = math.inf, expected: str = "a finite number > 0") -> float:
    """The value as a float in (0, below), or a ValueError."""
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    accept(0 < number < below, argument, value, expected)
    return number
