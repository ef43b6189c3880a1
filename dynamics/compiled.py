"""SymPy to Numba: the derived formulas, written to a file with the loops around them, loaded compiled or plain.

The file lies in a cache folder under a name that hashes the text that the running rates come from, that of the loops
and of this module, and the versions of what generates and compiles it: finding it needs no SymPy, and Numba caches its
machine code beside it. The folder is the user's cache directory, or what the environment variable
ATTENTION_DYNAMICS_CACHE names.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import math
import os
import platform
import sys
import tempfile
from functools import cache
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import Literal

from derivations import source_hash
from derivations._shell import version, write_beside
from dynamics import (
    ledger,
    log_ledger,
    log_loops,
    log_source,
    loops,
    nodes,
    one_cluster,
    quadrature,
    rays,
    source,
    stepper,
    term_source,
    terms,
)
from dynamics.closures import Rule
from dynamics.conditional import ConditionalRule
from dynamics.integral import IntegralRule, Workspace
from dynamics.logscale import LogRule
from dynamics.second_order import SecondOrderRule

Part = Literal["rows", "nodes", "slopes", "terms", "logs"]

# What LLVM may do to the sums over terms: reorder them, and so take several terms at once. Nothing in them cancels.
_FAST = {"reassoc", "contract", "nsz", "arcp"}
_TEXTS = (
    loops,
    rays,
    ledger,
    nodes,
    quadrature,
    terms,
    log_loops,
    log_ledger,
    stepper,
    source,
    one_cluster,
    term_source,
    log_source,
)
_ONE_AT_A_TIME = RLock()  # of several threads that ask for a kernel one makes it, and the others find it
_MARKS = {True: ".compiled", False: ".plain"}  # suffixes of the files that say a check was passed


def kernel(compiled: bool, part: Part = "rows") -> ModuleType:
    """A generated module, compiled or as plain Python.

    Parameters
    ----------
    compiled : bool
    part : "rows" | "nodes" | "slopes" | "terms" | "logs"
        ``rate_and_loss``, ``jacobian`` and the other loops over the rows of a rule; those of the integral form over its
        nodes, without the Jacobian; the Jacobian of that, which takes long to compile; those of the conditional sum;
        those at any P, in logarithms.

    Raises
    ------
    RuntimeError
        At first build, if the kernel disagrees with the loss differentiated for one small geometry.
    """
    with _ONE_AT_A_TIME:
        return _found_or_made(compiled, part)


@cache
def _found_or_made(compiled: bool, part: Part) -> ModuleType:
    path = _cache_folder() / f"{part}_{_fingerprint()}.py"
    try:
        if not _is_whole(path):
            _write(path, part)
    except OSError:  # a folder that nobody may enter or write to: build in one that goes with the process
        path = _write(Path(_temporary_folder().name) / path.name, part)
    module = _load(path, compiled)
    if part in ("nodes", "terms"):  # attention is read off at mean counts, whatever the mean of the rates
        vars(module)["mean_attention"] = kernel(compiled).mean_attention
    checked = path.with_suffix(_MARKS[compiled])
    if not checked.exists():
        from dynamics import selfcheck

        check = {"rows": selfcheck.check_kernel, "terms": selfcheck.check_terms}
        check |= {"nodes": selfcheck.check_nodes, "slopes": selfcheck.check_slopes, "logs": selfcheck.check_logs}
        check[part](module)
        _mark(checked)
    return module


def _cache_folder() -> Path:
    named = os.environ.get("ATTENTION_DYNAMICS_CACHE")
    if named:
        return Path(named).expanduser()
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
    for module in (*_TEXTS, sys.modules[__name__]):
        digest.update(inspect.getsource(module).encode())
    digest.update(Path(__file__).with_name("selfcheck.py").read_bytes())
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
    head, _, text = path.read_text().partition("\n")
    return f"{head}\n" == _head(text)


def _write(path: Path, part: Part) -> Path:
    """Generate the module at `path`."""
    from tqdm import tqdm

    tqdm.write(f"deriving the rates and writing {path} (once per machine)", file=sys.stderr)
    if part in ("terms", "logs"):
        text = term_source.terms_source() if part == "terms" else log_source.log_source()
    else:
        text = source.kernel_source() if part == "rows" else source.nodes_source(slopes=part == "slopes")
    for mark in _MARKS.values():
        path.with_suffix(mark).unlink(missing_ok=True)
    with write_beside(path) as partial:
        partial.write_text(_head(text) + text)
    return path


def _mark(path: Path) -> None:
    """Note that the check passed; a folder that cannot be written to is checked again next time."""
    try:
        path.touch()
    except OSError:
        return


def _exp(value: float) -> float:
    """As compiled code has it: infinite where Python would raise."""
    return math.exp(value) if value < 709.78 else math.inf


def _load(path: Path, compiled: bool) -> ModuleType:
    """The file as a module: every function compiled, or as it stands."""
    name = f"attention_dynamics_{path.stem}_{'compiled' if compiled else 'plain'}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    if compiled:
        import numba

        keep = os.access(path.parent, os.W_OK)
        common = {"cache": keep, "error_model": "numpy", "nogil": True}
        jit, fast, wide = (numba.njit(**common, fastmath=flags) for flags in (False, _FAST, {"contract"}))
        inlined = numba.njit(error_model="numpy", inline="always")
        namespace = {"jit": jit, "fast": fast, "wide": wide, "inlined": inlined, "exp": math.exp}
    else:
        namespace = dict.fromkeys(("jit", "fast", "wide", "inlined"), source.as_it_stands) | {"exp": _exp}
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
