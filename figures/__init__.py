"""The figures: numbers from ``dynamics``, then ink.

Reading order: ``table`` (columns of numbers), ``style`` (how things look), ``maps`` (drawing on the patch grid),
``moments`` (of a curve), one module a figure (``areas``, ``phases``, ``crosscheck``, ``picture``, ``exact_196``,
``late_exact``, ``closures``), each with ``data(quick)``, which makes the table, and ``draw(figure, table)``; ``output``
(a table to PNG, PDF and CSV), ``golden`` (tables against those on record).

``python -m figures`` draws them all; in a notebook, ``figures.draw("phases", figures.data("phases", quick=True))``.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from figures.table import Table

__all__ = ["FIGURES", "data", "draw", "module"]

FIGURES = {
    "areas": "a photograph as the model sees it: its areas, a masked sample, the target area of a query",
    "phases": "Φ and Υ against time for Δ > 0 and Δ < 0: exact reduction and trained transformer",
    "crosscheck": "reduction and transformer over 2,000 steps of gradient descent: equal to rounding",
    "picture": "a transformer trained on the photograph: when its areas lock on, where its queries look",
    "exact-196": "196 patches: transformers on sampled masks follow the exact reduction, not the mean-field one",
    "late-exact": "long after lock-on: 4t(L − L*) leaves the mean-field value for a squared max-margin norm",
    "closures": "how far the closures are from the exact one: in the size of the areas, and along the flow",
}


def module(name: str) -> ModuleType:
    """The module of a figure; a ValueError names the figures there are."""
    if not isinstance(name, str) or name not in FIGURES:
        raise ValueError(f"figure={name!r}: expected one of {', '.join(FIGURES)}")
    return importlib.import_module(f"figures.{name.replace('-', '_')}")


def data(name: str, quick: bool = False) -> Table:
    """The numbers of a figure, as columns of equal length; `quick` is coarser, and the same claim."""
    table: Table = module(name).data(quick)
    return table


def draw(name: str, table: Table) -> Figure:
    """The figure of a table, as it is printed."""
    from figures.output import ink

    return ink(name, table)
