"""The training dynamics, derived: from the loss of a masked patch to the rates that run.

Reading order: ``symbols`` (every symbol once), ``model`` (score to loss), ``gradients`` (first and second
derivatives of the loss), ``rates`` (the expressions that run, by name). Modules load when first used, so that
``dynamics`` needs no SymPy where nothing is derived.
"""

from __future__ import annotations

import hashlib
import importlib
from functools import cache
from pathlib import Path
from types import ModuleType

__all__ = ["gradients", "model", "rates", "source_hash", "symbols"]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return importlib.import_module(f"derivations.{name}")
    raise AttributeError(f"module 'derivations' has no attribute {name!r}; it has {', '.join(__all__)}")


@cache
def source_hash() -> str:
    """Hash of the text of the derivations: names what is generated from them, without deriving anything."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
