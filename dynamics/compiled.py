"""SymPy to Numba: the derived formulas, written to a file with the loops around them, loaded compiled or plain.

The file lies in a cache folder under a name that hashes the text that the running rates come from, that of the loops
and of this module, and the versions of what generates and compiles it: finding it needs no SymPy, and Numba caches its
machine code beside it. The folder is the user's cache directory, or what the environment variable
ATTENTION_DYNAMICS_CACHE names.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import Any, Literal, overload

from derivations import source_hash
from derivations._shell import user_path, version, write_beside
from dynamics.closures import Rule
from dynamics.conditional import ConditionalRule
from dynamics.integral import IntegralRule, Workspace
from dynamics.logscale import LogRule
from dynamics.second_order import SecondOrderRule
from dynamics.source import as_it_stands, text_of
from dynamics.tiers import COMPILING, LOADING, Tiered

Part = Literal["rows", "jacobian", "steps", "second_order", "ledger", "nodes", "slopes", "terms", "logs"]

# What LLVM may do to the sums over terms: reorder them, and so take several terms at once. Nothing in them cancels.
_FAST = {"reassoc", "contract", "nsz", "arcp"}
_TEXTS = (
    *("compiled", "selfcheck", "stated", "source", "term_source", "log_source", "loops", "jacobian", "rays", "ledger"),
    *("nodes", "quadrature", "terms", "log_loops", "log_ledger", "stepper", "one_cluster"),
)
_NEEDS: dict[Part, tuple[Part, ...]] = {  # whose names it takes
    "jacobian": ("rows",),
    "steps": ("rows",),
    "second_order": ("rows", "jacobian"),
    "ledger": ("rows",),
    "nodes": ("rows",),  # attention is read off at mean counts
    "terms": ("rows",),
}
# Of the others plain Python is hopelessly slow, and differs in the last digits: complex numbers, sums in any order.
_TIERED: tuple[Part, ...] = ("rows", "jacobian", "steps", "second_order", "ledger", "logs")
_QUICK: tuple[Part, ...] = ("second_order", "ledger")  # to write, compared with what a person notices
_ONE_AT_A_TIME = RLock()  # of several threads that ask for a kernel one makes it, and the others find it
_MARKS = {True: ".compiled", False: ".plain"}  # suffixes of the files that say a check was passed
ROOM = 2**26  # bytes that the disk has to have for machine code to be kept
_NAMES = "attention_dynamics_"  # how those of loaded modules begin


@overload
def kernel(compiled: bool, part: Part = "rows") -> ModuleType: ...


@overload
def kernel(compiled: bool | None, part: Part = "rows") -> ModuleType | Tiered: ...


def kernel(compiled: bool | None, part: Part = "rows") -> ModuleType | Tiered:
    """A generated module, compiled or as plain Python.

    Parameters
    ----------
    compiled : bool or None
        None: plain at first, compiled once that pays; compiled at once where the two do not agree bit for bit.
    part : "rows" | "jacobian" | "steps" | "second_order" | "ledger" | "nodes" | "slopes" | "terms" | "logs"
        ``rate_and_loss`` and the other loops over the rows of a rule; their Jacobian; those of the second-order
        closure; those that keep terms apart; those of the integral form over its nodes, without the Jacobian; the
        Jacobian of that, which takes long to compile; those of the conditional sum; those at any P, in logarithms.

    Raises
    ------
    RuntimeError
        At first build, if the kernel disagrees with the loss differentiated for one small geometry.
    """
    if compiled is None:
        if part in _TIERED:
            return _tiered(part)
        compiled = True
    with _ONE_AT_A_TIME:
        return _found_or_made(compiled, part)


@cache
def _tiered(part: Part) -> Tiered:
    return Tiered(partial(kernel, part=part), partial(_worth, part))


def _worth(part: Part) -> float:
    """Seconds of plain code for which compiled code is worth waiting: little where it lies ready."""
    path = _cache_folder() / f"{part}_{_fingerprint()}.py"
    return LOADING if path.with_suffix(_MARKS[True]).exists() else COMPILING


@cache
def _found_or_made(compiled: bool, part: Part) -> ModuleType:
    path = _cache_folder() / f"{part}_{_fingerprint()}.py"
    try:
        if not _is_whole(path):
            _write(path, part)
    except OSError:  # a folder that nobody may enter or write to: build in one that goes with the process
        path = _write(Path(_temporary_folder().name) / path.name, part)
    module = _load(path, compiled, part)
    checked = path.with_suffix(_MARKS[compiled])
    if not checked.exists():
        from dynamics import selfcheck

        getattr(selfcheck, f"check_{part}")(module)
        _mark(checked)
    if compiled:
        _tiered(part).use_compiled()
    return module


def _cache_folder() -> Path:
    named = os.environ.get("ATTENTION_DYNAMICS_CACHE")
    if named:
        return user_path(named)
    import platformdirs

    return Path(platformdirs.user_cache_dir("attention-dynamics"))


@cache
def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder that is removed when the process ends."""
    return tempfile.TemporaryDirectory(prefix="attention-dynamics-", ignore_cleanup_errors=True)


@cache
def _fingerprint() -> str:
    """Names the generated file: the equations, the loops, and all that generates and compiles them."""
    digest = hashlib.sha256(source_hash().encode())
    for module in _TEXTS:
        digest.update(text_of(module).encode())
    rules = (Rule, IntegralRule, ConditionalRule, SecondOrderRule, LogRule)
    digest.update(" ".join(field for rule in rules for field in rule._fields).encode())
    for name in ("sympy", "numpy", "numba"):
        digest.update(version(name).encode())
    digest.update(platform.python_version().encode())
    return digest.hexdigest()[:16]


def _head(text: str) -> str:
    """First line of a generated file: a hash of the rest, by which it is known to be whole."""
    return f"# {hashlib.sha256(text.encode()).hexdigest()} is the hash of all that follows\n"


def _is_whole(path: Path) -> bool:
    """Whether the generated file is there, as it was written."""
    if not path.exists():
        return False
    head, _, text = path.read_text(encoding="utf-8", errors="replace").partition("\n")
    return f"{head}\n" == _head(text)


def _write(path: Path, part: Part) -> Path:
    """Generate the module at `path`."""
    from dynamics import log_source, source, term_source

    if part not in _QUICK:
        _say(f"deriving the rates and writing {path}")
    make: dict[Part, Callable[[], str]] = {
        "rows": source.rows_source,
        "jacobian": source.jacobian_source,
        "steps": source.steps_source,
        "second_order": source.second_order_source,
        "ledger": source.ledger_source,
        "nodes": partial(source.nodes_source, slopes=False),
        "slopes": partial(source.nodes_source, slopes=True),
        "terms": term_source.terms_source,
        "logs": log_source.log_source,
    }
    text = make[part]()
    for mark in _MARKS.values():
        path.with_suffix(mark).unlink(missing_ok=True)
    with write_beside(path) as beside:
        beside.write_text(_head(text) + text, encoding="utf-8")
    return path


def _mark(path: Path) -> None:
    """Note that the check passed; a folder that cannot be written to is checked again next time."""
    try:
        path.touch()
    except OSError:
        return


def _exp(value: float) -> float:
    """As compiled code has it: infinite where Python would raise."""
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def _load(path: Path, compiled: bool, part: Part = "rows") -> ModuleType:
    """The file as a module: every function compiled, or as it stands, beside the names of the modules it needs."""
    name = f"{_NAMES}{path.stem}_{'compiled' if compiled else 'plain'}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    for needed in _NEEDS.get(part, ()):
        functions = vars(_found_or_made(compiled, needed)).items()
        vars(module).update({name: value for name, value in functions if not name.startswith("__")})
    if compiled:
        import numba

        _say_what_is_compiled()
        keep = os.access(path.parent, os.W_OK) and shutil.disk_usage(path.parent).free > ROOM
        _drop_empty(path)
        common = {"cache": keep, "error_model": "numpy", "nogil": True}
        jit, fast, wide = (numba.njit(**common, fastmath=flags) for flags in (False, _FAST, {"contract"}))
        inlined = numba.njit(error_model="numpy", inline="always")
        namespace = {"jit": jit, "fast": fast, "wide": wide, "inlined": inlined, "exp": math.exp}
    else:
        namespace = dict.fromkeys(("jit", "fast", "wide", "inlined"), as_it_stands) | {"exp": _exp}
    vars(module).update(
        namespace,
        log=math.log,
        expm1=math.expm1,
        log1p=math.log1p,
        ldexp=math.ldexp,
        floor=math.floor,
        Workspace=Workspace,
        Rule=Rule,
    )
    sys.modules[name] = module  # where Numba looks for it when it loads machine code
    spec.loader.exec_module(module)
    return module


def _drop_empty(path: Path) -> None:
    """Remove machine code of which only the name survived, as after a loss of power: Numba would stumble over it."""
    for kept in (path.parent / "__pycache__").glob(f"{path.stem}.*.nb[ic]"):
        if kept.stat().st_size == 0:
            kept.unlink(missing_ok=True)


def _say(doing: str) -> None:
    """A line on stderr, for who waits."""
    from tqdm import tqdm

    tqdm.write(f"{doing} (once per machine)", file=sys.stderr)


@cache
def _say_what_is_compiled() -> None:
    """Have Numba say so, once of each module, when it compiles instead of loading what is cached."""
    from numba.core import event

    said: set[str] = set()

    class Compiling(event.Listener):
        def on_start(self, happening: Any) -> None:
            module = happening.data["dispatcher"].py_func.__module__ or ""  # none of what was made by exec
            if module.startswith(_NAMES) and module not in said:
                said.add(module)
                _say(f"compiling {module.removeprefix(_NAMES).removesuffix('_compiled')}")

        def on_end(self, happening: Any) -> None:
            pass

    event.register("numba:compile", Compiling())
