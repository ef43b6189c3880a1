"""A trajectory as a picture: colours that colour-blind readers tell apart, and the paper's symbols."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamics.geometry import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from dynamics.trajectory import Trajectory

# Okabe and Ito's palette, but black and yellow, which a dark or a light page swallows.
VERMILLION, BLUE, GREEN, PURPLE, ORANGE, SKY = "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
PALETTE, GREY = (VERMILLION, BLUE, GREEN, PURPLE, ORANGE, SKY), "#8C8C8C"
ABOUT = {"target": VERMILLION, "global": BLUE, "other": GREEN, "self": GREY}
SYMBOLS = {"fp": r"\Phi", "pp": r"\Upsilon"}
MOST_NAMED = 12  # curves in a legend
MOST_POINTS = 25  # of a curve of a training that are drawn
FEW, BETWEEN = 500, 10  # records of a flow that are joined by a spline, and points from one to the next


def draw(curve: Trajectory, axes: Axes | None, names: Sequence[str]) -> Axes:
    """The named coordinates against time, in new axes or those that are given; see ``Trajectory.plot``."""
    rows = {name: curve.row(name) for name in names}  # one that is not there is refused before anything is drawn
    legend: dict[str, Any] = {"loc": "upper left"}
    if axes is None:
        import matplotlib.pyplot as plt

        axes = plt.subplots(figsize=(5.6, 3.4), layout="constrained")[1]
        axes.spines[["top", "right"]].set_visible(False)
        legend = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5), "frameon": False}
    floats, colours = bool(np.isfinite(curve.t).all()), _colours(curve)
    t, states = curve.t if floats else curve.log_t, curve.y
    if curve.kind == "flow":
        log_t, states = _smooth(curve)
        t = np.exp(log_t) if floats else log_t
    seen = np.isfinite(t)  # t = 0 has no logarithm
    named = axes.get_legend_handles_labels()[1]  # by what lies there already: lines of the theory below points, say
    for name, row in rows.items():
        label = "_" if symbol(name) in named else symbol(name)
        spread = None if curve.spread is None else curve.spread[row, seen]
        look = {"color": colours[name], "label": label, "zorder": 3 if name in curve.targets else 2}
        _ink(axes, name, t[seen], states[row, seen], spread, look)
    signs = ", ".join(f"${sign}$" for kind, sign in SYMBOLS.items() if any(name.startswith(kind) for name in rows))
    axes.set(xlabel="time $t$" if floats else r"$\log\,t$", ylabel=f"correlations {signs}".strip())
    if len(rows) > MOST_NAMED:
        told = "solid, Υ dashed, Φ of the target thick" if curve.spread is None else "filled, Υ open"
        axes.set_title(f"{len(rows)} correlations: Φ {told}", fontsize="small", loc="left")
    elif any(symbol(name) not in named for name in rows):
        axes.legend(**legend)
    return axes


def _ink(axes: Axes, name: str, t: Array, values: Array, spread: Array | None, look: dict[str, Any]) -> None:
    """One line, or points with error bars: the last record and some before it."""
    if spread is None:
        look |= {"linestyle": "-" if name.startswith("fp") else "--", "linewidth": 2.0 if look["zorder"] > 2 else 1.4}
        axes.plot(t, values, **look)
        return
    step = max(1, -(-len(t) // MOST_POINTS))
    every = ((len(t) - 1) % step, step)
    look |= {"marker": "o", "markersize": 3.5, "linestyle": "none", "elinewidth": 1.0}
    look |= {} if name.startswith("fp") else {"markerfacecolor": axes.get_facecolor()}
    axes.errorbar(t, values, spread, errorevery=every, markevery=every, **look)


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
