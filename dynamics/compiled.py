"""SymPy to Numba: the derived formulas, written to a file with the loops around them, loaded compiled or plain.

The file lies in a cache folder under a name that hashes the text of ``derivations``, of the loops and of this module,
and the versions of what generates and compiles it: finding it needs no SymPy, and Numba caches its machine code beside
it. The folder is the user's cache directory, or what the environment variable ATTENTION_DYNAMICS_CACHE names.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import inspect
import math
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from derivations import source_hash
from derivations._shell import write_beside
from dynamics import loops

UNROLLED = (2, 3)  # numbers of areas for which a one-cluster form without loops is generated as well


@cache
def kernel(compiled: bool) -> ModuleType:
    """The generated module: ``rate_and_loss``, ``jacobian`` and the other loops, compiled or as plain Python.

    Raises
    ------
    RuntimeError
        At first build, if the kernel disagrees with the loss differentiated for one small geometry.
    """
    path = _cache_folder() / f"kernel_{_fingerprint()}.py"
    if not path.exists():
        try:
            path = _write(path)
        except OSError:  # a folder nobody may write to: build in one that goes with the process
            path = _write(Path(tempfile.mkdtemp(prefix="attention-dynamics-")) / path.name)
    module = _load(path, compiled)
    checked = path.with_suffix(".compiled" if compiled else ".plain")
    if not checked.exists():
        from dynamics.selfcheck import check_kernel

        check_kernel(module)
        _mark(checked)
    return module


def versions() -> dict[str, str]:
    """Versions of everything that takes part in a number."""
    names = ("attention-dynamics", "sympy", "scipy", "numpy", "numba")
    return {"python": platform.python_version()} | {name: _version(name) for name in names}


def interpret(loop: str, exp: Callable[[Any], Any], *arguments: Any) -> Any:
    """Run a loop on other numbers than floats, with their exponential.

    On SymPy symbols it returns the expression that it computes, on mpmath's numbers as many digits as they have.
    """
    return getattr(_interpreted(exp), loop)(*arguments)


def _cache_folder() -> Path:
    named = os.environ.get("ATTENTION_DYNAMICS_CACHE")
    if named:
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_cache_dir("attention-dynamics"))


@cache
def _fingerprint() -> str:
    """Names the generated file: the equations, the loops, and all that generates and compiles them."""
    digest = hashlib.sha256(source_hash().encode())
    for module in (loops, sys.modules[__name__]):
        digest.update(inspect.getsource(module).encode())
    for name in ("sympy", "numpy", "numba"):
        digest.update(_version(name).encode())
    digest.update(platform.python_version().encode())
    return digest.hexdigest()[:16]


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _write(path: Path) -> Path:
    """Generate the module at `path`."""
    from tqdm import tqdm

    tqdm.write(f"deriving the rates and writing {path} (once per machine)", file=sys.stderr)
    text = _formulas_and_loops() + "".join(_unrolled(areas) for areas in UNROLLED)
    with write_beside(path) as partial:
        partial.write_text(text)
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

        namespace = {"jit": numba.njit(cache=True, error_model="numpy"), "exp": math.exp}
    else:
        namespace = {"jit": _as_it_stands, "exp": _exp}
    vars(module).update(namespace)
    sys.modules[name] = module  # where Numba looks for it when it loads machine code
    spec.loader.exec_module(module)
    return module


def _as_it_stands(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


@cache
def _formulas_and_loops() -> str:
    """Source of the lambdified formulas and the loops."""
    from derivations.rates import formulas

    written = [
        "# Generated by dynamics.compiled from the derived formulas and dynamics/loops.py; do not edit.",
        "from __future__ import annotations",
        "import numpy as np",
        *(_lambdified(formula.name, formula.arguments, formula.expression) for formula in formulas()),
        inspect.getsource(loops).split("# --- loops ---\n")[1],
    ]
    return "\n\n".join(written)


def _lambdified(name: str, arguments: Any, expression: Any) -> str:
    """Source of an expression as a function of plain numbers."""
    import sympy as sp

    function = sp.lambdify(arguments, expression, modules="math", cse=True)
    return "@jit\n" + inspect.getsource(function).replace("_lambdifygenerated", name)


@cache
def _interpreted(exp: Callable[[Any], Any]) -> ModuleType:
    """The loops as plain Python, with this exponential."""
    module = ModuleType("interpreted_loops")
    vars(module).update({"jit": _as_it_stands, "exp": exp})
    exec(compile(_formulas_and_loops(), "<formulas and loops>", "exec"), vars(module))
    return module


def _unrolled(areas: int) -> str:
    """Source of the one-cluster form: the loops run on symbols for so many areas, subexpressions shared.

    One cell in each area, the target first, the last area standing for ``copies``, one row, one latent value.
    """
    import sympy as sp

    from dynamics.closures import Rule

    n = 2 * areas + 1
    y = sp.symbols(f"y:{n}", real=True)
    size, unmasked = sp.symbols(f"size:{areas}", positive=True), sp.symbols(f"unmasked:{areas}", positive=True)
    multiplicity = sp.symbols(f"multiplicity:{n}", positive=True)
    copies, z, weight = sp.symbols("copies z weight", positive=True)
    zero = np.zeros(1, dtype=int)
    rule = Rule(
        multiplicity=np.array(multiplicity),
        areas=np.array([0, areas]),
        target=zero,
        copies=np.array([1] * (areas - 1) + [copies]),
        fp=np.arange(areas),
        cells=np.arange(areas + 1),
        pp=np.arange(areas, 2 * areas),
        size=np.array(size),
        column=np.arange(areas),
        cluster=zero,
        counts=zero,
        latents=zero,
        weight=np.array([weight]),
        unmasked=np.array([unmasked]),
        latent=np.array([[z] * areas]),
    )
    rate, loss = interpret("rate_and_loss", sp.exp, np.array(y), rule)
    jacobian = interpret("jacobian", sp.exp, np.array(y), rule)
    arguments = (*y, *size, *unmasked, *multiplicity, copies, z, weight)
    passed = ", ".join(
        [f"y[{i}]" for i in range(n)]
        + [f"rule.size[{i}]" for i in range(areas)]
        + [f"rule.unmasked[0, {i}]" for i in range(areas)]
        + [f"rule.multiplicity[{i}]" for i in range(n)]
        + [f"rule.copies[{areas - 1}]", "rule.latent[0, 0]", "rule.weight[0]"]
    )
    names = ", ".join(f"r{i}" for i in range(n))
    assigned = "; ".join(f"rate[{i}] = r{i}" for i in range(n))
    return f"""

{_lambdified(f"_rate_and_loss_{areas}", arguments, (*rate, loss))}

{_lambdified(f"_jacobian_{areas}", arguments, tuple(jacobian.ravel()))}

@jit
def rate_and_loss_{areas}(y, rule):
    {names}, loss = _rate_and_loss_{areas}({passed})
    rate = np.empty({n})
    {assigned}
    return rate, loss


@jit
def jacobian_{areas}(y, rule):
    return np.array(_jacobian_{areas}({passed})).reshape(({n}, {n}))


{_renamed(areas, "descend")}

{_renamed(areas, "losses")}
"""


def _renamed(areas: int, loop: str) -> str:
    """Source of a loop around the rate, around the unrolled rate instead."""
    source = inspect.getsource(getattr(loops, loop))
    for name in (loop, "rate_and_loss"):
        source = source.replace(f"{name}(", f"{name}_{areas}(")
    return source
