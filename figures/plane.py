"""The plane of the sizes of areas, P^κc the global one and P^κs local ones: the information gap, the paper's range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

KAPPA_C, KAPPA_S = (0.5005, 1.0), (0.001, 0.5)  # the paper's range
TWO_PHASES, ONE_PHASE = (0.5, 1.0), (-0.5, 0.0)  # its bands of Δ
ZERO, HALF, RANGE = (dict[str, Any](color=style.INK, linewidth=1.0, linestyle=line) for line in ("-", ":", "--"))


def gap(kappa_c: npt.ArrayLike, kappa_s: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The information gap Δ. Result ``information-gap``."""
    return np.asarray((1 - np.asarray(kappa_s)) - 2 * (1 - np.asarray(kappa_c)))


def in_range(kappa_c: npt.NDArray[Any], kappa_s: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which are in the paper's range."""
    inside = (KAPPA_C[0] <= kappa_c) & (kappa_c <= KAPPA_C[1]) & (KAPPA_S[0] <= kappa_s)
    return np.asarray(inside & (kappa_s <= KAPPA_S[1]))


def frame(axes: Axes) -> None:
    """The line Δ = 0, the paper's range, in it the lower end of its band of two phases, and the names of the axes."""
    from matplotlib.patheffects import withStroke

    halo: dict[str, Any] = {"path_effects": [withStroke(linewidth=2, foreground="white")]}
    for least, look in ((0, ZERO), (TWO_PHASES[0], HALF)):
        kappa_c = np.array([(1 + least) / 2, 1])
        axes.plot(kappa_c, gap(kappa_c, least), **look, **halo)  # κs = 2κc − 1 − Δ
    (left, right), (bottom, top) = KAPPA_C, KAPPA_S
    axes.plot([left, right, right, left, left], [bottom, bottom, top, top, bottom], **RANGE, **halo)
    axes.set(xlabel=r"$\kappa_c$ of the global area", ylabel=r"$\kappa_s$ of the local areas")


def legend() -> list[Line2D]:
    """What the lines are."""
    from matplotlib.lines import Line2D

    names = r"$\Delta = 0$", rf"$\Delta = {TWO_PHASES[0]:g}$", "paper's range"
    return [Line2D([], [], **look, label=name) for look, name in zip((ZERO, HALF, RANGE), names, strict=True)]
