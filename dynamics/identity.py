"""What a function is known by: its name, and a hash of its code and of what it reads around itself."""

from __future__ import annotations

import hashlib
import inspect
from dataclasses import fields, is_dataclass
from functools import partial
from numbers import Number
from types import CodeType, FunctionType
from typing import Any

import numpy as np


def identity(function: Any) -> str:
    """Name and hash of a function, the same in every process.

    Notes
    -----
    The hash is of compiled code, defaults and bound arguments; of the data (numbers, words, arrays, dataclasses and
    collections of them) closed over or read from its module; and of the functions of that module it names, likewise.
    Comments, and where it stands in a file, are not in it. Nor is what other modules do: of any other object only the
    type is known.
    """
    named = function.func if isinstance(function, partial) else function
    named = named if hasattr(named, "__qualname__") else type(named)
    text = repr(_meaning(function, [])).encode(errors="backslashreplace")
    return f"{named.__module__}.{named.__qualname__} {hashlib.sha256(text).hexdigest()[:16]}"


def _meaning(value: Any, seen: list[CodeType]) -> Any:
    """A value as tuples and words that are the same in every process."""
    if isinstance(value, partial):
        return _meaning((value.func, value.args, value.keywords), seen)
    value = inspect.unwrap(value) if callable(value) else value
    if isinstance(value, FunctionType) and value.__code__ not in seen:
        seen.append(value.__code__)
        return _meaning((value.__code__, value.__defaults__, _around(value)), seen)
    if isinstance(value, CodeType):
        return value.co_code, value.co_names, _meaning(value.co_consts, seen)
    if isinstance(value, (tuple, list)):
        return tuple(_meaning(one, seen) for one in value)
    if isinstance(value, (set, frozenset)):  # they come in an order that is drawn anew in every process
        return tuple(sorted(repr(_meaning(one, seen)) for one in value))
    if isinstance(value, dict):
        return _meaning(tuple(value.items()), seen)
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value.dtype.str, value.shape, hashlib.sha256(value.tobytes()).hexdigest()
    if is_dataclass(value) and not isinstance(value, type):
        return _meaning((type(value).__qualname__, *(getattr(value, one.name) for one in fields(value))), seen)
    plain = isinstance(value, (Number, np.generic, str, bytes, type(None), type(...)))
    return repr(value) if plain else getattr(value, "__qualname__", type(value).__qualname__)


def _around(function: FunctionType) -> list[tuple[str, Any]]:
    """What a function closes over, and what it names of its module."""
    names, ahead = set[str](), [function.__code__]
    while ahead:
        code = ahead.pop()
        names.update(code.co_names)
        ahead += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    found = {name: value for name, value in function.__globals__.items() if name in names and _is_own(value, function)}
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    found |= {name: cell.cell_contents for name, cell in cells} | (function.__kwdefaults__ or {})
    return sorted(found.items())


def _is_own(value: Any, function: FunctionType) -> bool:
    """Whether a global is data, or a function of the same module: those of other modules have versions."""
    return not callable(value) or getattr(value, "__module__", None) == function.__module__
