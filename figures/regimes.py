"""Half-time, plateau and number of phases over the plane of (κc, κs), in the paper's range and outside of it.

Mean-field (large-P), continuous-time. (a), (b): how log T and Φ_global at T grow with log P, as P → ∞. The half-time
depends on the local areas alone, everywhere: 1 − κs, also where they are larger than the global area. Φ_global falls
where Δ > 0, by Δ/2. (c): two phases for Δ > 0, one for Δ < 0, as the paper claims in its range for Δ in [0.5, 1] and
(−0.5, 0). At finite P the border is where neither rate leads at Q = 0, at Δ = −log(1 − γ)/log P. No claim is lost by
that, but where local areas are of a few patches there may be two phases for Δ < 0: a masked patch sees only the others
of its area.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

import dynamics as dy
from derivations._progress import progress_of
from figures import plane, style
from figures.moments import until_half_time
from figures.ranges import Log10, Rungs, Several, Share, Tolerance, corners
from figures.table import Table, distinct, rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (style.PAGE, 3.0)

Array = npt.NDArray[np.float64]


class Parameters(NamedTuple):
    """How fine the map is, and at which numbers of patches it is measured."""

    points: Several = 40  # along each side
    rungs: Rungs = (500.0, 1000.0)  # log10 P, between which slopes are taken
    log10_patches: Log10 = 30.0  # where phases are counted
    finite: tuple[Log10, Log10] = (3.0, 6.0)  # log10 P of the borders
    mask_ratio: Share = 0.5
    rtol: Tolerance = 1e-4  # of the flows whose phases are counted


COLUMNS = {
    "kappa_c": "κc, exponent of the global area",
    "kappa_s": "κs, exponent of the local areas",
    "gap": "information gap Δ",
    "exponent": "slope of log T in log P between the two rungs",
    "plateau": "slope of Φ_global at T in log P between the two rungs",
    "phases": "number of phases before T, at log10_patches",
    "lead_low": "log of the rate of Φ_global over that of Φ_target at Q = 0, at the first finite P",
    "lead_high": "the same at the second",
}
QUICK: dict[str, Any] = {"points": 12}


def data(p: Parameters) -> Table:
    """All of it, point by point; κc and κs are never equal: the global area would be a local one."""
    middles = ((np.arange(n) + 0.5) / n for n in (p.points, p.points + 1))
    kappa_c, kappa_s = (side.ravel() for side in np.meshgrid(*middles))
    pairs = list(zip(kappa_c.tolist(), kappa_s.tolist(), strict=True))
    found: dict[str, Any] = {}
    for names, measured in MEASURES.items():
        with corners() as measure:
            bar = progress_of(pairs, f"regimes: {names[0]}")
            each = [measure(measured, p, *pair, missing=(math.nan,) * len(names)) for pair in bar]
        found |= dict(zip(names, zip(*each, strict=True), strict=True))
    return rows(kappa_c=kappa_c, kappa_s=kappa_s, gap=plane.gap(kappa_c, kappa_s), **found)


def _reduced(p: Parameters, log10_patches: float, *kappas: float) -> dy.System:
    geometry = dy.Geometry.scaling(log10_patches, *kappas)
    return dy.reduce(dy.Setting(geometry, mask_ratio=p.mask_ratio), "local", "mean-field")


def _slopes(p: Parameters, *kappas: float) -> tuple[float, float]:
    """Of log T and of Φ_global at T."""
    rungs = [_reduced(p, x, *kappas) for x in p.rungs]
    log_patches = np.array([system.setting.geometry.log_patches for system in rungs])
    log_half = np.array([dy.log_half_time(system) for system in rungs])
    fp_global = np.array([dy.plateau(system) for system in rungs]) * log_patches
    exponent, plateau = (float(np.diff(values)[0] / np.diff(log_patches)[0]) for values in (log_half, fp_global))
    return exponent, plateau


def _phases(p: Parameters, *kappas: float) -> tuple[int]:
    tolerances: dict[str, Any] = {"method": "RK45", "rtol": p.rtol, "atol": p.rtol / 100}
    system = _reduced(p, p.log10_patches, *kappas)
    return (len(until_half_time(system, **tolerances).phases),)


def _lead(p: Parameters, *kappas: float, at: int) -> tuple[float]:
    system = _reduced(p, p.finite[at], *kappas)
    rate = dict(zip(system.names, np.abs(system.rate(system.initial)), strict=True))
    return (float(np.log(rate["fp.global"] / rate["fp.target"])),)


MEASURES: dict[tuple[str, ...], Callable[..., tuple[float, ...]]] = {
    ("exponent", "plateau"): _slopes,
    ("phases",): _phases,
    ("lead_low",): partial(_lead, at=0),
    ("lead_high",): partial(_lead, at=1),
}


def draw(figure: Figure, table: Table, p: Parameters) -> None:
    from matplotlib.colors import ListedColormap

    axes = figure.subplots(1, 3, sharex=True, sharey=True)
    x, y = (np.array(distinct(table[name])) for name in ("kappa_c", "kappa_s"))
    maps = {name: table[name].reshape(len(y), len(x)) for name in list(COLUMNS)[3:]}
    halves = ListedColormap(["#F7F7F7", "#B9D9EE"])
    looks: list[dict[str, Any]] = [
        {"vmin": 0, "vmax": 1},
        {"vmin": -0.5, "vmax": 0},
        {"cmap": halves, "vmin": 0.5, "vmax": 2.5},
    ]
    for axis, name, look in zip(axes, ("exponent", "plateau", "phases"), looks, strict=True):
        mesh = axis.pcolormesh(x, y, maps[name], shading="nearest", **look)
        figure.colorbar(mesh, ax=axis, location="bottom", ticks=[1, 2] if name == "phases" else None, pad=0.02)
        plane.frame(axis)
        axis.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axis.label_outer()
    contours = (
        ("exponent", "wwkk", {0.2: (0.2, 0.8), 0.4: (0.2, 0.6), 0.6: (0.2, 0.4), 0.8: (0.2, 0.2)}),
        ("plateau", "wwwk", {-0.4: (0.95, 0.1), -0.3: (0.9, 0.2), -0.2: (0.85, 0.3), -0.1: (0.8, 0.4)}),
    )  # level: place of its label
    for axis, (name, colours, places) in zip(axes, contours, strict=False):
        lines = axis.contour(x, y, maps[name], list(places), colors=list(colours), linewidths=0.5, linestyles="-")
        axis.clabel(lines, fontsize=7, manual=list(places.values()))
    axes[1].legend(handles=plane.legend(), loc="upper left", labelcolor="black")
    _borders(axes[2], x, y, [maps["lead_low"], maps["lead_high"]], p)
    axes[0].set_title(r"(a) $\log T/\log P$, $P\to\infty$", loc="left")
    axes[1].set_title(r"(b) $\Phi_{p\to v_1}(T)/\log P$, $P\to\infty$", loc="left")
    axes[2].set_title(rf"(c) phases before $T$, $P = 10^{{{p.log10_patches:g}}}$", loc="left")


def _borders(axis: Axes, x: Array, y: Array, leads: list[Array], p: Parameters) -> None:
    """Where at finite P neither rate leads at Q = 0."""
    lines = []
    for lead, colour, line in zip(leads, (style.VERMILLION, style.BLUE), ("-.", (0, (3, 1))), strict=True):
        axis.contour(x, y, lead, [0], colors=colour, linestyles=[line])
        lines += axis.plot([], [], color=colour, linestyle=line)
    labels = [rf"border at $P = 10^{{{x:g}}}$" for x in p.finite]
    axis.legend(lines, labels, loc="upper left", labelcolor="black")  # on the map, whatever the page
