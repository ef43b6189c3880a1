"""What code names of modules, and which modules are libraries: known by name and version, not by their code."""

from __future__ import annotations

import dis
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any

_STANDARD = Path(os.__file__).parent
_INSTALLED = {"site-packages", "dist-packages"}
# What Python gives every module.
_OF_MODULES = {*vars(ModuleType("")), "__builtins__", "__file__", "__cached__", "__path__", "__dict__"}
_OWN = {Path(__file__).parents[1] / name for name in ("derivations", "dynamics", "figures")}


def library(name: str, file: str | None = None) -> str | None:
    """The version of the library that a module is of, empty if it does not say; None where it is the user's."""
    return _library(name, file or getattr(sys.modules.get(name), "__file__", None))


@cache
def _library(name: str, file: str | None) -> str | None:
    top = name.partition(".")[0]
    if file is None:
        inside = top in sys.stdlib_module_names  # built in
    else:
        folders = Path(file).parents
        inside = _STANDARD in folders or bool(_INSTALLED & {*folders[0].parts}) or folders[0] in _OWN
    return str(getattr(sys.modules.get(top), "__version__", "")) if inside else None


def is_global(value: Any, module: str, name: str) -> bool:
    """Whether an object is what a library's module has under a name."""
    holder = sys.modules.get(module)
    return holder is not None and library(module) is not None and vars(holder).get(name) is value


@dataclass(frozen=True, eq=False)
class Named:
    """A module, of which some code names these attributes; all, where it is not known which."""

    module: ModuleType
    names: frozenset[str] | None

    def attributes(self) -> dict[str, Any]:
        """Name -> value, of these."""
        held = vars(self.module)
        if self.names is None:
            return {name: held[name] for name in sorted(held.keys() - _OF_MODULES)}
        there = self.names & ({*dir(self.module)} if "__getattr__" in held else held.keys())
        found = {name: getattr(self.module, name) for name in sorted(there - _OF_MODULES)}
        return {name: _named(one, self.names) for name, one in found.items()}


def _named(value: Any, names: frozenset[str]) -> Any:
    return Named(value, names) if isinstance(value, ModuleType) else value


def around(function: FunctionType) -> dict[str, Any]:
    """Name -> value, of all that a function takes from around itself.

    What it closes over, the globals that its code names, and the modules that it imports; of modules what it names.
    """
    code, outside = function.__code__, function.__globals__
    names = frozenset(name for one in _codes(code) for name in one.co_names)
    found = {name: outside[name] for name in sorted((names & outside.keys()) - _OF_MODULES)}
    cells = zip(code.co_freevars, function.__closure__ or (), strict=True)
    found |= {f"cell {name}": _content(cell) for name, cell in cells}
    found |= {f"import {name}": module for one in _codes(code) for name, module in _imported(one, outside)}
    return {name: _named(value, names) for name, value in found.items()}


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # nothing yet
        return None


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A function's code, and that of the functions in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _imported(code: CodeType, outside: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Name and module of every import in a function's code, which it would make itself when it is called."""
    steps = [step for step in dis.get_instructions(code) if step.opname != "EXTENDED_ARG"]
    for level, _, step in zip(steps, steps[1:], steps[2:], strict=False):
        if step.opname != "IMPORT_NAME":
            continue
        try:
            name = importlib.util.resolve_name("." * level.argval + step.argval, outside.get("__package__") or "")
            top = name.partition(".")[0]
            origin = getattr(sys.modules.get(top) or importlib.util.find_spec(top), "origin", None)
            known = library(top, origin if origin not in ("built-in", "frozen") else None) is not None
            yield name, name if known else importlib.import_module(name)
        except (ImportError, ValueError):  # the function will say so, or has another way
            yield name, None
