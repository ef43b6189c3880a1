"""A trajectory as a picture: colours that colour-blind readers tell apart, and the paper's symbols."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamics.errors import accept
from dynamics.geometry import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D

    from dynamics.trajectory import Trajectory

# Okabe and Ito's palette, but black and yellow, which a dark or a light page swallows.
VERMILLION, BLUE, GREEN, PURPLE, ORANGE, SKY = "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
PALETTE, GREY = (VERMILLION, BLUE, GREEN, PURPLE, ORANGE, SKY), "#8C8C8C"
ABOUT = {"target": VERMILLION, "global": BLUE, "other": GREEN, "self": GREY}
SYMBOLS = {"fp": r"\Phi", "pp": r"\Upsilon"}
MARKERS = "osD^vP*X"
CURVE, END = "curve ", "end of phase I"  # what the tag of a curve's lines begins with, and a label
MOST_NAMED = 12  # curves in a legend
MOST_POINTS = 25  # of a curve of a training that are drawn
FEW, BETWEEN = 500, 10  # records of a flow that are joined by a spline, and points from one to the next


@np.errstate(under="ignore")
def draw(curve: Trajectory, names: Any, axes: Any, ax: Any) -> Axes:
    """The named coordinates against time, in new axes or those that are given; see ``Trajectory.plot``."""
    chosen, given = _asked(curve, names, axes, ax)
    axes = _new_axes() if given is None else given
    floats, colours = bool(np.isfinite(curve.t).all()), _colours(curve)
    t, states = curve.t if floats else curve.log_t, curve.y
    if curve.kind == "flow":
        log_t, states = _smooth(curve)
        t = np.exp(log_t) if floats else log_t
    seen = np.isfinite(t)  # t = 0 has no logarithm
    named = axes.get_legend_handles_labels()[1]  # by what lies there already: lines of the theory below points, say
    look: dict[str, Any] = {"marker": _marker(axes, curve.spread is None)}
    look["gid"] = f"{CURVE}{len(_curves(axes)) + 1}: {_said(curve)}"
    for name in chosen:
        row, label = curve.row(name), "_" if symbol(name) in named else symbol(name)
        spread = None if curve.spread is None else curve.spread[row, seen]
        look |= {"color": colours[name], "label": label, "zorder": 3 if name in curve.targets else 2}
        _ink(axes, name, t[seen], states[row, seen], spread, dict(look))
    _mark_first_phase(axes, curve, floats)
    signs = ", ".join(f"${sign}$" for kind, sign in SYMBOLS.items() if any(name.startswith(kind) for name in chosen))
    axes.set(xlabel="time $t$" if floats else r"$\log\,t$", ylabel=f"correlations {signs}".strip())
    handles, labels = axes.get_legend_handles_labels()
    if len(chosen) > MOST_NAMED:
        told = "solid, Υ dashed, Φ of the target thick" if curve.spread is None else "filled, Υ open"
        ends = f"; dotted: {END}" if END in labels else ""
        axes.set_title(f"{len(chosen)} correlations: Φ {told}{ends}", fontsize="small", loc="left")
    elif labels != named or len(_curves(axes)) > 1:
        outside = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5), "frameon": False}
        axes.legend(handles=[*handles, *_which(axes)], **outside if given is None else {"loc": "upper left"})
    return axes


def _asked(curve: Trajectory, names: Any, axes: Any, ax: Any) -> tuple[list[str], Axes | None]:
    """The coordinates and the axes, whichever comes first; what is neither is refused before anything is drawn."""
    from matplotlib.axes import Axes

    if isinstance(names, Axes):
        names, axes = axes, names
    for argument, value in (("axes", axes), ("ax", ax)):
        accept(value is None or isinstance(value, Axes), argument, value, "Axes of Matplotlib")
    accept(None in (axes, ax) or axes is ax, "ax", ax, "the same as axes=, or one of the two")
    chosen = list(curve.names) if names is None else [names] if isinstance(names, str) else names
    listed = isinstance(chosen, Iterable) and not isinstance(chosen, (str, Mapping))
    accept(listed, "names", names, f"names of coordinates: {', '.join(curve.names)}")
    chosen = list(chosen)
    for name in chosen:
        curve.row(name)
    return chosen, axes if ax is None else ax


def _new_axes() -> Axes:
    """Axes of a new figure, as large as the user's figures are, or such that a legend fits in beside them."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    size, usual = (mpl_rc["figure.figsize"] for mpl_rc in (mpl.rcParams, mpl.rcParamsDefault))
    figsize = (5.6, 3.4) if list(size) == list(usual) else None
    axes: Axes = plt.subplots(figsize=figsize, layout="constrained")[1]
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _said(curve: Trajectory) -> str:
    """What kind of curve it is, in two words."""
    made = curve.provenance
    closure = made.get("closure", made.get("exactness", ""))
    return ", ".join(filter(None, [curve.kind, closure]))


def _curves(axes: Axes) -> dict[str, Line2D]:
    """The curves that lie in the axes already, by what they are: a line of each."""
    tagged = [(str(line.get_gid()), line) for line in axes.get_lines()]
    return {tag.removeprefix(CURVE): line for tag, line in tagged if tag.startswith(CURVE)}


def _marker(axes: Axes, as_line: bool) -> str:
    """The marker of a curve: another than those of the curves of its form there, and none of the first line."""
    there = sum((line.get_linestyle() != "None") == as_line for line in _curves(axes).values())
    return "" if as_line and not there else MARKERS[there % len(MARKERS)]


def _which(axes: Axes) -> list[Line2D]:
    """What the legend has to say of which curve is which, where there are several."""
    from matplotlib.lines import Line2D

    curves = _curves(axes)
    looks = {said: (line.get_marker(), line.get_linestyle()) for said, line in curves.items()}
    grey: dict[str, Any] = {"color": GREY, "markersize": 3.5, "markerfacecolor": "none"}
    return [
        Line2D([], [], marker=marker, linestyle="none" if line == "None" else "-", label=said, **grey)
        for said, (marker, line) in (looks.items() if len(looks) > 1 else ())
    ]


def _mark_first_phase(axes: Axes, curve: Trajectory, floats: bool) -> None:
    """A dotted line where decoupling ends, if that is before the curve does."""
    first, *later = curve.phases or (None,)
    if first and later and first.name == "decoupling" and first.log_end < curve.log_t.max(initial=-np.inf):
        label = "_" if END in axes.get_legend_handles_labels()[1] else END
        look: dict[str, Any] = {"color": GREY, "linewidth": 0.9, "linestyle": ":", "zorder": 1}
        axes.axvline(first.end if floats else first.log_end, label=label, **look)


def _ink(axes: Axes, name: str, t: Array, values: Array, spread: Array | None, look: dict[str, Any]) -> None:
    """One line, or points with error bars: the last record and some before it."""
    from matplotlib import rcParams

    width, size = rcParams["lines.linewidth"] / 1.5, rcParams["lines.markersize"] / 6  # Matplotlib's own are 1.5 and 6
    look |= {"markersize": 3.5 * size}
    if spread is None:
        look |= {"linestyle": "-" if name.startswith("fp") else "--", "markerfacecolor": "none", "markevery": 0.08}
        axes.plot(t, values, **look, linewidth=width * (2.0 if look["zorder"] > 2 else 1.4))
        return
    step = max(1, -(-len(t) // MOST_POINTS))
    every = ((len(t) - 1) % step, step)
    look |= {"linestyle": "none", "elinewidth": 1.0 * width}
    look |= {} if name.startswith("fp") else {"markerfacecolor": axes.get_facecolor()}
    axes.errorbar(t, values, spread, errorevery=every, markevery=every, **look)


def put_beside(legend: Legend, figure: Figure, least: float) -> None:
    """Put a legend right of its axes, and widen the figure until these have so many inches, with their labels."""
    legend.set(bbox_to_anchor=(1.02, 0.5), loc="center left", frame_on=False)
    taken = legend.get_window_extent().width / figure.dpi
    figure.set_figwidth(max(figure.get_figwidth(), least + taken))


def symbol(name: str) -> str:
    """A coordinate as the paper writes it, in Matplotlib's mathtext: Φ by area, Υ by the areas of its patches."""
    kind, index = name[:2], name[2:]
    below = rf"\mathrm{{{index[1:]}}}" if index.startswith(".") else index.strip("[]")
    return rf"${SYMBOLS[kind]}_{{{below}}}$" if kind in SYMBOLS else name


def _colours(curve: Trajectory) -> dict[str, str]:
    """A colour for each coordinate by what it is about; Φ of a target has the first ones where areas have numbers."""
    colours: dict[str, str] = {}
    numbers = {"fp": count(), "pp": count()}
    for name in sorted(curve.names, key=lambda name: name not in curve.targets):
        area = f"fp[0,{name[3:]}"  # that of pp[m], where there is one cluster
        about = ABOUT.get(name[3:], colours.get(area) if name.startswith("pp") else None)
        colours[name] = about or PALETTE[next(numbers.get(name[:2], count())) % len(PALETTE)]
    return colours


def _smooth(curve: Trajectory) -> tuple[Array, Array]:
    """The log t and the states of a flow, its records joined by a cubic spline along its length: they may be few.

    A solver's steps are long where the curve hardly bends in (y, log t): between them the spline is some ten times as
    near to it as straight lines are.
    """
    from scipy.interpolate import CubicSpline

    first = int(np.isneginf(curve.log_t[:1]).sum())
    points = np.vstack([curve.log_t, curve.y])[:, first:]
    steps = np.sqrt((np.diff(points, axis=1) ** 2).sum(axis=0))
    points, length = points[:, np.append(True, steps > 0)[: points.shape[1]]], np.append(0.0, steps[steps > 0].cumsum())
    if not 2 < len(length) < FEW or not np.isfinite(points).all():
        return curve.log_t, curve.y
    places = np.interp(np.arange(BETWEEN * (len(length) - 1) + 1) / BETWEEN, np.arange(len(length)), length)
    smooth = CubicSpline(length, points, axis=1)(places)
    return np.append(curve.log_t[:first], smooth[0]), np.column_stack([curve.y[:, :first], smooth[1:]])
