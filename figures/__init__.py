"""The figures: numbers from ``dynamics``, then ink.

Reading order: ``table`` (columns of numbers), ``ranges`` (what parameters may be), ``style`` (how things look),
``maps`` (drawing on the patch grid), ``plane`` (on that of κc and κs), ``moments`` (of a curve); one module a figure,
in the order of FIGURES, each with its ``Parameters``, ``data(p)``, which makes the table, and
``draw(figure, table, p)``; the last, ``claims``, with the ``evidence`` for each of the paper's claims; ``output`` (a
table to PNG, PDF, SVG and CSV), ``golden`` (tables against those on record), ``gallery`` (the figures in the
repository).

``python -m figures`` draws them all. In a script or notebook numbers and ink are apart::

    table = figures.data("phases", mask_ratio=0.75)  # recompute, with another parameter
    figure = figures.draw(table)  # a Matplotlib figure, to restyle and save
    table = figures.read("out/phases.csv")  # what was computed before
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from derivations._shell import nearest, user_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from figures.table import Table

__all__ = ["FIGURES", "data", "draw", "module", "parameters", "read"]

FIGURES = {
    "areas": "the data model: a photograph cut into areas, and clusters on a grid: mask, latents, target area",
    "attention": "where a global and two local queries look: at initialisation, end of phase I, trained",
    "phases": "Φ, attention and Υ against time for Δ > 0 and Δ < 0: exact reduction and trained transformer",
    "balance": "dominant balance: which term of the rates of Φ drives which phase, for Δ > 0 and Δ < 0",
    "loss": "L − L* against t: the 1/(4t) plateau, the max-margin law, the paper's bound on the time and its slack",
    "diversity": "how diverse and how local attention becomes, by area structure and Δ, against a collapsed pattern",
    "exponents": "half-time and plateau as powers of P, down to P = 10¹⁰⁰⁰, with the derived limits",
    "regimes": "half-time, plateau and number of phases over (κc, κs), inside the paper's range and outside",
    "latent": "latents in [L, U]: exponent of the half-time against U/L, and the paper's bound; the plateau",
    "position": "how small Υ stays as P grows, and where it matters: small areas, and late",
    "closures": "errors of the closures in the size of the areas and along the flow, and what a rate costs",
    "gaps": "theory against training: reduction (none but rounding), step size (slope 1), sampling (slope −1/2)",
    "gap-of-pictures": "the information gap Δ of real pictures against patch size, and where they lie over (κc, κs)",
    "crosscheck": "reduction and transformer over 2,000 steps of gradient descent: equal to rounding",
    "exact-196": "196 patches: transformers on sampled masks follow the exact reduction, not the mean-field one",
    "late-exact": "long after lock-on: 4t(L − L*) leaves the mean-field value for a squared max-margin norm",
    "picture": "a transformer trained on the photograph: when its areas lock on, where its queries look",
    "claims": "what the paper claims, each with a number measured here, its margin and the verdict",
}


def module(name: str) -> ModuleType:
    """The module of a figure; a ValueError names the figures there are."""
    if not isinstance(name, str) or name not in FIGURES:
        raise ValueError(f"figure={name!r}: expected one of {', '.join(FIGURES)}{nearest(name, FIGURES)}")
    return importlib.import_module(f"figures.{name.replace('-', '_')}")


def parameters(name: str, quick: bool = False, **changes: Any) -> Any:
    """The parameters of a figure, a named tuple, with changes; `quick` is coarser, and makes the same claim.

    Raises
    ------
    ValueError
        If there is no such figure or parameter, or a value is not of its kind or range.
    """
    from derivations._shell import true_or_false
    from figures.ranges import accepted

    own = module(name)
    found = own.Parameters(**(own.QUICK if true_or_false("quick", quick) else {}))
    for key, value in changes.items():
        if key not in found._fields:
            known = f"{name} has the parameters {', '.join(found._fields)}{nearest(key, found._fields)}"
            raise ValueError(f"{key}={value!r}: {known}")
    return found._replace(
        **{key: accepted(own.Parameters, key, value, getattr(found, key)) for key, value in changes.items()}
    )


def data(name: str, quick: bool = False, **changes: Any) -> Table:
    """The numbers of a figure, columns of equal length, and in `made_by` what made them.

    Parameters
    ----------
    name : str
        As in ``FIGURES``.
    quick : bool
        Coarser, in seconds.
    **changes
        Parameters of the figure, of its module's ``Parameters``, to take other values.

    Raises
    ------
    ValueError
        If there is no such figure or parameter, or a value is not of its kind or range: before any work. Of a figure
        over a range of parameters, points that cannot be are NaN; the error is of the first if none can be.
    """
    from figures.output import compute

    return compute(name, bool(quick), parameters(name, quick, **changes))


def draw(table: Table) -> Figure:
    """The figure of a table from ``data`` or ``read``, as it is printed, in the style of the user's ``rcParams``.

    Fonts, colours, grids and the like are taken as they are set, smaller fonts too; all other sizes are those of
    print. ``python -m figures`` draws the same file whatever they are.
    """
    from figures import style
    from figures.output import ink

    return ink(table, style.users())


def read(path: str | Path) -> Table:
    """The table in a CSV, at `path`, that ``python -m figures`` wrote; a ValueError if it holds none."""
    from figures.table import read_csv

    return read_csv(user_path(path))
