"""Half-time and plateau as powers of P, from a ViT's 196 patches down to P = 10¹⁰⁰⁰ (large-P, continuous-time).

log T / log P and Φ_global / log P at T of the mean-field reduction, against 1 / log₁₀ P, where what the mask ratio adds
to log T is a straight line to the limit: 1 − κs, and −Δ/2 or zero. At 196 patches both are far from there, and the
half-time mostly by that line, −log(γ(1 − γ)) / log P; what is left is a power of P. It fades as P^(κc − 1), P^(−κs) or
P^(−|Δ|), slowly where the global area is nearly the whole picture.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

import dynamics as dy
from derivations._progress import progress_of
from figures import plane, style
from figures.ranges import Kappas, Log10, Several, Share, corners
from figures.table import Table, distinct, rows, select, stack

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (style.PAGE, 3.6)
MEASURED, LEADING, EXTRAPOLATED, LIMIT = "mean-field reduction", "leading terms", "extrapolated", "derived limit"
TICKS = (3, 4, 6, 12, 30, 1000)  # log10 P, on the upper axis
LOOK = tuple(
    zip((style.BLUE, style.ORANGE, style.GREEN, style.VERMILLION, style.PURPLE), style.MARKERS[:5], strict=True)
)
EXTRAPOLATED_LOOK: dict[str, Any] = {"color": style.INK, "marker": "x", "markersize": 3, "linestyle": "none"}

NO_LIMITS = (EXTRAPOLATED, math.inf, math.nan, math.nan), (LIMIT, math.inf, math.nan, math.nan)

Quantity = Literal["half-time", "plateau"]
QUANTITIES: tuple[Quantity, ...] = ("half-time", "plateau")


class Parameters(NamedTuple):
    """Sizes of areas (κc, κs), mask ratios, numbers of patches."""

    kappas: tuple[Kappas, ...] = ((0.98, 0.3), (0.85, 0.15), (0.75, 0.4), (0.7, 0.6), (0.55, 0.5))
    mask_ratios: tuple[Share, ...] = (0.5, 0.75)
    log10_patches: tuple[Log10, ...] = (math.log10(196), 2.6, 3, 3.5, 4, 5, 6, 8, 12, 18, 30, 100, 300, 1000)
    line_points: Several = 60


COLUMNS = {
    "quantity": "half-time: log T / log P; plateau: Φ_global at T over log P",
    "kappa_c": "κc, exponent of the global area",
    "kappa_s": "κs, exponent of the local areas",
    "gap": "information gap Δ",
    "mask_ratio": "γ",
    "source": "mean-field reduction, its leading terms, extrapolated to P → ∞, or the derived limit",
    "log10_patches": "log10 P",
    "value": "see quantity",
    "uncertainty": "of what is extrapolated",
}
QUICK: dict[str, Any] = {"log10_patches": (math.log10(196), 3, 6, 12, 30, 100, 300, 1000), "line_points": 20}


def data(p: Parameters) -> Table:
    """Both quantities down the ladder of P, their leading terms, and their limits: extrapolated, and derived."""
    parts = []
    cases = [(*kappas, ratio) for kappas in p.kappas for ratio in p.mask_ratios]
    line = 1 / np.linspace(1 / max(p.log10_patches), 1 / min(p.log10_patches), p.line_points)
    with corners() as measure:
        for case in progress_of(cases, "exponents: sizes of areas"):
            systems = [measure(_reduced, x, *case, missing=None, step=True) for x in p.log10_patches]
            for quantity, measured in zip(QUANTITIES, (dy.half_time_exponent, dy.plateau), strict=True):
                values = [measure(measured, system) if system else math.nan for system in systems]
                curves: list[tuple[str, Any, Any, float]] = [
                    (MEASURED, p.log10_patches, values, math.nan),
                    (LEADING, line, [_leading(quantity, x, *case) for x in line], math.nan),
                    *measure(_limits, quantity, *case, missing=NO_LIMITS),
                ]
                parts += [_rows(quantity, case, *curve) for curve in curves]
    return stack(parts)


def _reduced(log10_patches: float, kappa_c: float, kappa_s: float, mask_ratio: float) -> dy.System:
    geometry = dy.Geometry.scaling(log10_patches, kappa_c, kappa_s)
    return dy.reduce(dy.Setting(geometry, mask_ratio=mask_ratio), "local", "mean-field")


def _limits(quantity: Quantity, kappa_c: float, kappa_s: float, mask_ratio: float) -> tuple[Any, ...]:
    """Extrapolated, and derived."""
    found = dy.exponent(quantity, kappa_c, kappa_s, mask_ratio=mask_ratio)
    predicted = math.nan if found.predicted is None else found.predicted
    return (EXTRAPOLATED, math.inf, found.value, found.uncertainty), (LIMIT, math.inf, predicted, math.nan)


def _rows(
    quantity: Quantity, case: tuple[float, ...], source: str, log10_patches: Any, value: Any, uncertainty: float
) -> Table:
    kappa_c, kappa_s, ratio = case
    fixed: dict[str, Any] = {"quantity": quantity, "kappa_c": kappa_c, "kappa_s": kappa_s}
    fixed |= {"gap": plane.gap(kappa_c, kappa_s), "mask_ratio": ratio, "source": source}
    return rows(**fixed, log10_patches=log10_patches, value=value, uncertainty=uncertainty)


def _leading(quantity: Quantity, log10_patches: float, kappa_c: float, kappa_s: float, mask_ratio: float) -> float:
    """What is left of a quantity for large P, constants among it."""
    log_patches = log10_patches * math.log(10)
    if quantity == "half-time":  # result half-time: T γ(1 − γ)P^(κs − 1) → 1
        return 1 - kappa_s - math.log(mask_ratio * (1 - mask_ratio)) / log_patches
    # result fp-global-at-half-time, with that T
    log_square = math.log(2 * (1 - mask_ratio)) + float(plane.gap(kappa_c, kappa_s)) * log_patches
    return -float(np.logaddexp(0, log_square)) / (2 * log_patches)


def draw(figure: Figure, table: Table, p: Parameters) -> None:
    axes = figure.subplots(1, 2)
    titles = r"(a) half-time, $\log T/\log P$", r"(b) $\Phi_{p\to v_1}$ at $T$, over $\log P$"
    for axis, quantity, title in zip(axes, QUANTITIES, titles, strict=True):
        for kappas, (colour, marker) in zip(p.kappas, LOOK, strict=False):
            _case(axis, select(table, quantity=quantity, kappa_c=kappas[0], kappa_s=kappas[1]), colour, marker)
        _axis(axis, p)
        axis.set_title(title, loc="left", pad=20)
    names = []
    for kappa_c, kappa_s in p.kappas:
        names.append(rf"$\kappa_c, \kappa_s = {kappa_c:g}, {kappa_s:g}$; $\Delta = {plane.gap(kappa_c, kappa_s):+.2g}$")
    drawn = [axes[0].plot([], [], color=c, marker=m, linestyle="none")[0] for c, m in LOOK[: len(names)]]
    for ratio, fill in _fills(p.mask_ratios).items():
        drawn += axes[0].plot([], [], "o", color=style.GREY, markerfacecolor=fill or style.GREY)
        names.append(rf"mean-field reduction, $\gamma = {ratio:g}$")
    drawn += axes[0].plot([], [], color=style.GREY, linewidth=0.8) + axes[0].plot([], [], **_limit(style.GREY))
    drawn += axes[0].plot([], [], **EXTRAPOLATED_LOOK)
    names += ["leading terms", "derived limit", r"extrapolated from $P = 10^{125}$ to $10^{1000}$"]
    figure.legend(drawn, names, loc="outside lower center", ncols=3)


def _fills(mask_ratios: tuple[float, ...]) -> dict[float, str]:
    """Markers are full for the first mask ratio, open for others."""
    return {ratio: "white" if i else "" for i, ratio in enumerate(mask_ratios)}


def _limit(colour: str) -> dict[str, Any]:
    return {"color": colour, "marker": "_", "markersize": 9, "markeredgewidth": 2, "linestyle": "none"}


def _case(axis: Axes, table: Table, colour: str, marker: str) -> None:
    """Points, lines and limit of one (κc, κs)."""
    for ratio, fill in _fills(tuple(distinct(table["mask_ratio"]))).items():
        line, points = (select(table, mask_ratio=ratio, source=source) for source in (LEADING, MEASURED))
        axis.plot(
            1 / line["log10_patches"], line["value"], color=colour, linewidth=0.8, linestyle="--" if fill else "-"
        )
        look: dict[str, Any] = {"color": colour, "marker": marker, "markerfacecolor": fill or colour}
        axis.plot(1 / points["log10_patches"], points["value"], **look, linestyle="none", markersize=3.2)
        axis.plot(0, select(table, mask_ratio=ratio, source=EXTRAPOLATED)["value"], **EXTRAPOLATED_LOOK, zorder=4)
    axis.plot(0, select(table, source=LIMIT)["value"][0], **_limit(colour))


def _axis(axis: Axes, p: Parameters) -> None:
    """1/log10 P below, P above."""
    axis.set(xlim=(-0.015, 1.03 / min(p.log10_patches)), xlabel=r"$1/\log_{10} P$")
    above = axis.secondary_xaxis("top")
    fewest = round(10 ** min(p.log10_patches))
    labels = [f"${fewest}$", *(f"$10^{{{x}}}$" for x in TICKS[:-1]), r"$\infty$"]
    above.set_xticks([1 / min(p.log10_patches), *(1 / x for x in TICKS[:-1]), 0], labels)
    axis.spines["top"].set_visible(True)
