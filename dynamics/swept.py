"""A table of a sweep as a picture: a curve for every kind of point, or a heat map over two numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dynamics.drawn import MARKERS, PALETTE
from dynamics.geometry import Array
from dynamics.shown import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Columns = Mapping[str, npt.NDArray[Any]]

COLOURS = "viridis"  # as bright as it is large, and told apart by colour-blind readers
LINES, SHAPES = ("-", "--", "-.", ":"), MARKERS[:7]  # with six colours: 168 curves before two are alike
MOST_IN_A_COLUMN, MOST_COLUMNS = 15, 5  # of a legend
DECADES = 2  # between the least and the largest value, from which on colours go by the logarithm
LABELS = {
    "log10_patches": r"$\log_{10} P$",
    "kappa_c": r"$\kappa_c$",
    "kappa_s": r"$\kappa_s$",
    "global_size": r"patches of the global area $C_{\mathrm{global}}$",
    "local_size": r"patches of a local area $C_{\mathrm{local}}$",
    "local_areas": "local areas",
    "latent": r"latent $z$",
    "mask_ratio": r"mask ratio $\gamma$",
    "query": r"query $p$",
    "half_time": r"half-time $T$",
    "log_half_time": r"$\log T$",
    "half_time_exponent": r"$\log T\,/\,\log P$",
    "plateau": r"$\Phi_{\mathrm{global}}\,/\,\log P$ at $T$",
    "information_gap": r"information gap $\Delta$",
    "loss_floor": "$L^*$",
}


def label(name: str) -> str:
    """An option or a measure as the paper writes it, where it has a symbol."""
    return LABELS.get(name, name.replace("_", " "))


def is_number(values: Sequence[Any] | npt.NDArray[Any]) -> bool:
    """Whether an option is swept over numbers: not words, nor true and false."""
    return np.asarray(values).dtype.kind in "iuf"


def draw_table(axes: Axes, table: Columns, over: Sequence[str], measure: str) -> None:
    """A measure over the parameters of a sweep.

    Over two numbers, of several values each, it is a heat map with a colour bar. Else it is a curve against the first
    number with several values for each combination of the others, told apart by a legend.
    """
    numbers = [name for name in over if is_number(table[name])]
    several = [name for name in numbers if len(np.unique(table[name])) > 1]
    if len(over) == len(several) == 2:
        _heat_map(axes, table, several, measure)
        return
    across = (several or numbers)[0]
    _draw_curves(axes, table, across, [name for name in over if name != across], measure)


def _curves(
    table: Columns, across: str, others: Sequence[str], measure: str
) -> Iterator[tuple[tuple[Any, ...], Array, Array]]:
    """Every combination of the other parameters, with the curve that belongs to it, in the order of what it is over."""
    kinds = list(zip(*(table[one].tolist() for one in others), strict=True)) if others else [()] * len(table[across])
    for kind in dict.fromkeys(kinds):
        chosen = np.flatnonzero([other == kind for other in kinds])
        chosen = chosen[np.argsort(table[across][chosen], kind="stable")]
        yield kind, table[across][chosen], table[measure][chosen]


def _draw_curves(axes: Axes, table: Columns, across: str, others: Sequence[str], measure: str) -> None:
    """Curves that colour, line and marker tell apart, in cycles of different lengths, and a legend beside them."""
    curves = list(_curves(table, across, others, measure))
    for i, (kind, x, y) in enumerate(curves):
        words = (number(value) if isinstance(value, float) else value for value in kind)
        said = ", ".join(f"{label(one)} = {word}" for one, word in zip(others, words, strict=True))
        look: dict[str, Any] = {"color": PALETTE[i % len(PALETTE)], "marker": SHAPES[i % len(SHAPES)]}
        axes.plot(x, y, linestyle=LINES[i // len(PALETTE) % len(LINES)], markersize=3.5, label=said or None, **look)
    axes.set(xlabel=label(across), ylabel=label(measure), xscale=_scale(np.unique(table[across])))
    if not others:
        return
    columns = -(-len(curves) // MOST_IN_A_COLUMN)
    if columns > MOST_COLUMNS:
        axes.set_title(f"{len(curves)} curves: {', '.join(map(label, others))}", fontsize="small", loc="left")
        return
    axes.legend(frameon=False, fontsize="small", ncols=columns)


def _heat_map(axes: Axes, table: Columns, over: Sequence[str], measure: str) -> None:
    """A measure in colours over two numbers; hatched where it has no finite value."""
    from matplotlib.colors import LogNorm

    (x, column), (y, row) = (np.unique(table[name], return_inverse=True) for name in over)
    values = np.full((len(y), len(x)), np.nan)
    values[row, column] = table[measure]
    shown = np.ma.masked_invalid(values)
    positive = shown.count() > 0 and shown.min() > 0
    norm = LogNorm() if positive and np.log10(shown.max() / shown.min()) > DECADES else None
    axes.patch.set(hatch="////", edgecolor="0.7", facecolor="white")
    mesh = axes.pcolormesh(_edges(x), _edges(y), shown, norm=norm, cmap=COLOURS)
    axes.set(xlabel=label(over[0]), ylabel=label(over[1]), xscale=_scale(x), yscale=_scale(y))
    axes.figure.colorbar(mesh, ax=axes, label=label(measure))


def _scale(values: Array) -> str:
    """How an axis goes: by logarithms where at least three values have equal ratios, as START:STOP:N:log gives them."""
    if len(values) < 3 or values[0] <= 0:
        return "linear"
    ratios = np.diff(np.log(values.astype(float)))
    return "log" if np.allclose(ratios, ratios[0], rtol=1e-6, atol=0) else "linear"


def _edges(values: Array) -> Array:
    """Where cells end that have these values in their middles, on the scale that is drawn."""
    logs = _scale(values) == "log"
    at = np.log(values) if logs else values.astype(float)
    middle = (at[1:] + at[:-1]) / 2
    ends = np.concatenate([[2 * at[0] - middle[0]], middle, [2 * at[-1] - middle[-1]]])
    return np.exp(ends) if logs else ends
