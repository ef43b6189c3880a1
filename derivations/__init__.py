"""The training dynamics, derived: from the loss of a masked patch to the rates that run.

Reading order: ``symbols`` (every symbol once); ``proof`` and ``statements`` (what a result is, and what proves it);
``model`` (score to loss), ``gradients`` and ``learning`` (the rates, derived and stated), ``symmetry``, ``flow``,
``closures``, ``asymptotics``; ``rates`` (the expressions that run, by name); ``errata`` (where the paper has another
form). Modules load when first used, so that ``dynamics`` needs no SymPy where nothing is derived.

"Paper" is arXiv 2403.02233. "Theory §n" in a reference is a section of the notes from which this project was written,
which are not part of it: §1 notation, §2 model, §3 exact reduction, §4 closures, §5 what the dynamics do.

    for r in results(): r.check()                 in the order in which they build on each other
    result("fp-rate-target").statement            a SymPy equation
"""

from __future__ import annotations

import hashlib
import importlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from derivations.proof import DerivationError as DerivationError
    from derivations.statements import Result as Result
    from derivations.statements import result as result
    from derivations.statements import results as results

_HOME = {"Result": "statements", "result": "statements", "results": "statements", "DerivationError": "proof"}
_MODULES = ("errata", "gradients", "learning", "model", "rates", "symbols")
# What the running rates are made from: ``rates``, ``nodes``, ``conditional`` and all that these import.
_RUNNING = (
    *("averages", "closures", "conditional", "gradients", "integral", "learning", "model", "nodes", "proof", "rates"),
    *("statements", "symbols"),
)
__all__ = [
    "DerivationError",
    "Result",
    "errata",
    "gradients",
    "learning",
    "model",
    "rates",
    "result",
    "results",
    "source_hash",
    "symbols",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        globals()[name] = value = getattr(importlib.import_module(f"derivations.{_HOME[name]}"), name)
        return value
    if name in _MODULES:
        return importlib.import_module(f"derivations.{name}")
    raise AttributeError(f"module 'derivations' has no attribute {name!r}; it has {', '.join(__all__)}")


@cache
def source_hash() -> str:
    """Hash of the text that the running rates come from: names what is generated from them, without deriving it.

    How a result is shown, and the results that nothing runs, are not in it.
    """
    digest = hashlib.sha256()
    for module in _RUNNING:
        digest.update((Path(__file__).parent / f"{module}.py").read_bytes())
    return digest.hexdigest()[:16]
