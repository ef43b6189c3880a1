"""A walk through all that a value holds: functions and classes by their code, objects by their state."""

from __future__ import annotations

import copyreg
import inspect
import warnings
import weakref
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, partial
from hashlib import sha256
from pathlib import PurePath
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

import numpy as np

from dynamics.modules import Named, around, is_global, library

# A value in words, and the values that it holds.
Parts = tuple[tuple[Any, ...], list[Any]]

_PLAIN = {bool, int, float, complex, bytes, type(None), type(...), type(NotImplemented)}
# Values that are what they say: two that are equal are one, wherever they lie.
_EQUAL = {*_PLAIN, str, tuple, frozenset, CodeType, MethodType}
_KEPT = "cache", "_moment_methods"  # in names of attributes of SciPy's laws, which remember what they worked out
_NOTES = {
    *("__module__", "__dict__", "__weakref__", "__doc__", "__qualname__", "__firstlineno__", "__static_attributes__"),
    *("__abstractmethods__", "_abc_impl", "__annotate__", "__annotate_func__", "__annotations_cache__"),
}
_FINDERS = {"eval", "exec", "globals", "import_module", "__import__"}  # which take names that are made in the code
_NAMELESS = ("numpy.random.mtrand", "_rand")  # the generator that laws of SciPy share: its state is of the process


class Fields(dict[str, Any]):
    """Name -> value: names of attributes and globals, which are not words that a value holds."""


class Walk:
    """Hashes of values and of all that they hold, in an order that is the same in every process.

    What was met before is told by its place in that order: objects may hold each other, and addresses say nothing.

    Attributes
    ----------
    unknown : set of str
        Types of which some object has no state that can be read.
    words : set of (str or Path)
    """

    def __init__(self, before: Walk | None = None) -> None:
        # With the value, or another would get its address.
        self.met: dict[Any, tuple[int, Any]] = dict(before.met) if before else {}
        self.unknown: set[str] = before.unknown if before else set()
        self.words: set[str | PurePath] = before.words if before else set()

    def digest(self, value: Any) -> str:
        """Hash of a value and of all that it holds."""
        known, ahead = sha256(), [value]
        while ahead:
            head, held = self.entered(ahead.pop())
            known.update(repr((*head, len(held))).encode())
            ahead += reversed(held)
        return known.hexdigest()

    def entered(self, value: Any) -> Parts:
        """The parts of a value; of one that was met before, when that was."""
        kind = type(value)
        if kind not in _EQUAL and not isinstance(value, (np.generic, PurePath)):
            place = (id(value.module), value.names) if kind is Named else id(value)
            if place in self.met:
                return ("again", self.met[place][0]), []
            self.met[place] = len(self.met), value
        read = _OF_TYPE.get(kind) or next((read for base, read in _OF_BASE if isinstance(value, base)), _of_object)
        return read(self, value)


def _of_plain(walk: Walk, value: Any) -> Parts:
    return (type(value).__name__, _number(value)), []


def _number(value: Any) -> Any:
    return hex(value) if type(value) is int else value  # decimals of long ones are refused by Python


def _of_word(walk: Walk, value: str) -> Parts:
    walk.words.add(value)
    return ("str", value), []


def _of_path(walk: Walk, value: PurePath) -> Parts:
    walk.words.add(value)
    return (type(value).__name__, str(value)), []


def _of_sequence(walk: Walk, value: Any) -> Parts:
    kinds = {type(one) for one in value}
    if len(kinds) == 1 and kinds <= _PLAIN:  # labels of every patch may be a list
        return (type(value).__name__, kinds.pop().__name__, *map(_number, value)), []
    return (type(value).__name__,), list(value)


def _of_mapping(walk: Walk, value: Mapping[Any, Any]) -> Parts:
    return (type(value).__name__,), [part for item in value.items() for part in item]


def _of_fields(walk: Walk, value: Fields) -> Parts:
    return ("fields", *value), [*value.values()]


def _of_set(walk: Walk, value: Iterable[Any]) -> Parts:
    """In an order of its own: that of a set is drawn anew in every process."""
    return (type(value).__name__, *sorted(Walk(walk).digest(one) for one in value)), []


def _of_code(walk: Walk, code: CodeType) -> Parts:
    arguments = code.co_argcount + code.co_kwonlyargcount
    takes = code.co_argcount, code.co_posonlyargcount, code.co_flags, code.co_varnames[:arguments]
    return ("code", *takes, code.co_code, code.co_names, code.co_exceptiontable), [code.co_consts]


def _of_function(walk: Walk, function: FunctionType) -> Parts:
    code, outside = function.__code__, function.__globals__
    name = str(outside.get("__name__", ""))
    version = library(name, outside.get("__file__"))
    if version is None:
        walk.unknown.update(f"what {name} finds" for name in sorted(_FINDERS & {*code.co_names}))
        if "__file__" in code.co_names:  # words are names of files in the folder that it is in
            walk.words.add(PurePath(outside.get("__file__", "")).parent)
        held = [code, function.__defaults__, Fields(function.__kwdefaults__ or {}), Fields(vars(function))]
        return ("function",), [*held, Fields(around(function))]
    # Closures of one factory, and the lambdas of a module, share a name.
    shares = "<" in code.co_qualname
    return ("library", name, code.co_qualname, version), [code, *(function.__closure__ or ())] if shares else []


def _of_method(walk: Walk, method: Any) -> Parts:
    """A method, and what it is bound to: an object, a class, a module, or nothing."""
    owner, name = method.__self__, getattr(method, "__name__", "")
    home = type(owner).__module__
    if is_global(method, home, name):  # random.random, numpy.random.normal: of an object that the process made
        return ("library", home, name), []
    if owner is None or isinstance(owner, ModuleType):
        return ("library", method.__module__, method.__qualname__, library(str(method.__module__))), []
    return ("method", name), [getattr(method, "__func__", None), owner]


def _of_cell(walk: Walk, cell: CellType) -> Parts:
    try:
        return ("cell",), [cell.cell_contents]
    except ValueError:
        return ("empty cell",), []


def _of_named(walk: Walk, named: Named) -> Parts:
    version = library(named.module.__name__, getattr(named.module, "__file__", None))
    if version is not None:
        return ("library", named.module.__name__, version), []
    return ("module",), [Fields(named.attributes())]


def _of_module(walk: Walk, module: ModuleType) -> Parts:
    return _of_named(walk, Named(module, None))


def _of_class(walk: Walk, kind: type) -> Parts:
    """A class by its bases and attributes, but for the notes that Python adds of its own."""
    version = library(kind.__module__)
    if version is not None:
        return ("library", kind.__module__, kind.__qualname__, version), []
    own = {name: value for name, value in vars(kind).items() if name not in _NOTES}
    return ("class",), [type(kind), kind.__bases__, Fields(own)]


def _of_text(walk: Walk, value: str) -> Parts:
    walk.words.add(str(value))
    return _of_object(walk, value)


def _of_array(walk: Walk, array: Any) -> Parts:
    if array.dtype.kind in "UT":
        walk.words.update(array.ravel().tolist())
    if array.dtype.hasobject:
        return ("array", repr(array.dtype), array.shape), [array.tolist()]
    return ("array", repr(array.dtype), array.shape, sha256(array.tobytes()).hexdigest()), []


def _of_object(walk: Walk, value: Any) -> Parts:
    """An object by its class, and by its state as ``pickle`` takes it."""
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if is_global(value, *_NAMELESS):
        return ("library", *_NAMELESS), []
    wraps = callable(value) and library(kind.__module__) is not None and not isinstance(value, partial)
    if wraps and hasattr(value, "__wrapped__"):  # functools.lru_cache, numba.njit: the same function, kept or compiled
        return ("wrapper", name), [value.__wrapped__, getattr(value, "targetoptions", None)]
    reduced = _reduced(value)
    if isinstance(reduced, str) and is_global(value, getattr(value, "__module__", None) or kind.__module__, reduced):
        return ("library", name, reduced), []
    if not isinstance(reduced, tuple):
        walk.unknown.add(name)
        return ("unknown", name), []
    function, arguments, state, *more = reduced
    if isinstance(state, tuple) and len(state) == 2 and isinstance(state[1], dict):  # with slots
        state = {**(state[0] or {}), **state[1]}
    if isinstance(state, dict):
        state = Fields({key: one for key, one in state.items() if not _is_kept(kind, str(key))})
    if isinstance(value, np.ndarray) or (library(kind.__module__) is None and _reduces(kind)):
        more.append(Fields(getattr(value, "__dict__", {})))  # which what is pickled may leave out
    return ("object", name), [function, arguments, state, *more]


def _reduces(kind: type) -> bool:
    """Whether a class says itself what of its objects is pickled."""
    names = "__reduce__", "__reduce_ex__", "__getstate__"
    return any(getattr(kind, name, None) is not getattr(object, name, None) for name in names)


def _is_kept(kind: type, name: str) -> bool:
    """Whether an attribute is what an object has worked out and keeps: that does not make it another."""
    if isinstance(inspect.getattr_static(kind, name, None), cached_property):
        return True
    return kind.__module__.startswith("scipy.stats.") and any(word in name for word in _KEPT)


def _reduced(value: Any) -> Any:
    """What ``pickle`` would make an object of: function, arguments, state, items, pairs; or a name; None if nothing."""
    reduce = copyreg.dispatch_table.get(type(value))
    try:
        with warnings.catch_warnings():  # of itertools, which later versions of Python will not pickle
            warnings.simplefilter("ignore")
            found: Any = reduce(value) if reduce else value.__reduce_ex__(4)
            if isinstance(found, str):
                return found
            function, arguments, state, items, pairs = (*found, None, None, None)[:5]
            return function, arguments, state, list(items or ()), list(pairs or ())
    except Exception:  # noqa: BLE001 -- whatever a class of somebody else raises, its state is not known
        return None


def _held(*names: str) -> Callable[[Walk, Any], Parts]:
    """Reads objects by attributes that say all."""
    return lambda walk, value: ((type(value).__name__,), [getattr(value, name) for name in names])


_OF_TYPE: dict[type, Callable[[Walk, Any], Parts]] = {
    **dict.fromkeys(_PLAIN, _of_plain),
    str: _of_word,
    **dict.fromkeys((tuple, list), _of_sequence),
    **dict.fromkeys((dict, MappingProxyType), _of_mapping),
    **dict.fromkeys((set, frozenset), _of_set),
    CodeType: _of_code,
    FunctionType: _of_function,
    MethodType: _of_method,
    BuiltinFunctionType: _of_method,
    Fields: _of_fields,
    CellType: _of_cell,
    Named: _of_named,
    np.ndarray: _of_array,
    weakref.ref: lambda walk, reference: (("reference",), [reference()]),
}
_OF_BASE: tuple[tuple[Any, Callable[[Walk, Any], Parts]], ...] = (
    (type, _of_class),
    (ModuleType, _of_module),
    (PurePath, _of_path),
    (str, _of_text),
    (property, _held("fget", "fset", "fdel")),
    ((staticmethod, classmethod), _held("__func__")),
    (cached_property, _held("func")),
    (np.vectorize, _held("pyfunc", "otypes", "signature", "excluded")),
    # Caches: they lose what they hold at any time, so that no result is in them.
    ((weakref.WeakKeyDictionary, weakref.WeakValueDictionary, weakref.WeakSet), _held()),
)
