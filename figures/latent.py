"""Latents between L and U: the power of P that the half-time is does not depend on U/L; the paper's bound on it does.

Mean-field (large-P), continuous-time. The latent of an area is L or U = 1, and the target area shows L, which locks
last. (a), (b): log T / log P at finite P, and extrapolated: 1 − κs at every U/L and weight. At P = 10⁶ it is far above,
the more so the larger U/L is: once areas of latent U have locked, attention where they show L is
P^(−(1 − κs)(1 − L/U)), a power that is small only for large P. The paper's bound, max(2(U/L − 1), 1)(1 − κs), holds and
is not tight; points above it, at finite P and small U/L, are there by the constant factor that it leaves open. (c):
Φ_global at T falls the further the smaller L, to −Δ/(2L) log P.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

import dynamics as dy
from derivations._progress import progress_of
from derivations._shell import accept
from figures import plane, style
from figures.ranges import Kappas, Log10, Ratio, Share, Tolerance, corners
from figures.table import Table, distinct, keep, rows, select, stack

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (style.PAGE, 3.1)
FINITE, EXTRAPOLATED, LIMIT, PAPER = "finite P", "extrapolated", "derived limit", "paper's bound"

NO_LIMITS = {EXTRAPOLATED: math.nan, LIMIT: math.nan}

Quantity = Literal["half-time", "plateau"]
QUANTITIES: tuple[Quantity, ...] = ("half-time", "plateau")


class Parameters(NamedTuple):
    """Sizes of areas (κc, κs), laws of the latent, numbers of patches."""

    kappas: tuple[Kappas, ...] = ((0.98, 0.3), (0.85, 0.7))
    ratios: tuple[Ratio, ...] = (1, 1.25, 1.5, 2, 3, 5, 7, 10)  # U/L
    weights: tuple[Share, ...] = (0.1, 0.5, 0.9)  # of L
    log10_patches: tuple[Log10, ...] = (6, 30, 100, 300)
    ladder: tuple[Log10, ...] = (50, 100, 200, 400)  # log10 P of the extrapolation
    rtol: Tolerance = 1e-8  # and of its solves


COLUMNS = {
    "quantity": "half-time: log T / log P; plateau: Φ_global at T over log P",
    "kappa_c": "κc, exponent of the global area",
    "kappa_s": "κs, exponent of the local areas",
    "gap": "information gap Δ",
    "ratio": "U/L, with U = 1",
    "weight": "probability of L",
    "source": "at finite P, extrapolated to P → ∞, the derived limit, or the paper's bound on the exponent",
    "log10_patches": "log10 P",
    "value": "see quantity",
}
QUICK: dict[str, Any] = {"ratios": (1, 2, 10), "weights": (0.5,)}
# Slopes of long solves, to rtol.
TOLERANCES = {"value": 1e-5}


def data(p: Parameters) -> Table:
    """Half-time and plateau at latent L for every law: at finite P, extrapolated, as derived, as bounded."""
    cases = [(*kappas, ratio, weight) for kappas in p.kappas for ratio in p.ratios for weight in p.weights]
    increasing = len(p.ladder) >= 4 and bool((np.diff(p.ladder) > 0).all())
    accept(increasing, "ladder", p.ladder, "four or more increasing numbers")
    parts = []
    with corners() as measure:
        for kappa_c, kappa_s, ratio, weight in progress_of(cases, "latent: laws"):
            latent: Any = 1.0 if ratio == 1 else ((1 / ratio, 1.0), (weight, 1 - weight))
            systems = [measure(_reduced, x, kappa_c, kappa_s, latent, missing=None, step=True) for x in p.log10_patches]
            for quantity, measured in zip(QUANTITIES, (dy.half_time_exponent, dy.plateau), strict=True):
                if quantity == "plateau" and (kappa_c, kappa_s) != p.kappas[0]:
                    continue  # is not drawn
                fixed: dict[str, Any] = {"quantity": quantity, "kappa_c": kappa_c, "kappa_s": kappa_s}
                fixed |= {"gap": plane.gap(kappa_c, kappa_s), "ratio": float(ratio), "weight": weight}
                finite = [measure(measured, system) if system else math.nan for system in systems]
                parts.append(rows(**fixed, source=FINITE, log10_patches=np.array(p.log10_patches, float), value=finite))
                limits = measure(_limits, p, quantity, kappa_c, kappa_s, latent, missing=NO_LIMITS)
                parts += [
                    rows(**fixed, source=source, log10_patches=math.inf, value=value)
                    for source, value in limits.items()
                    if value is not None
                ]
    return stack(parts)


def _reduced(log10_patches: float, kappa_c: float, kappa_s: float, latent: Any) -> dy.System:
    return dy.reduce(dy.Setting(dy.Geometry.scaling(log10_patches, kappa_c, kappa_s), latent), "local", "mean-field")


def _limits(p: Parameters, quantity: Quantity, *kappas_and_latent: Any) -> dict[str, float | None]:
    found = dy.exponent(quantity, *kappas_and_latent, ladder=p.ladder, rtol=p.rtol)
    return {EXTRAPOLATED: found.value, LIMIT: found.predicted, PAPER: found.paper}


def draw(figure: Figure, table: Table, p: Parameters) -> None:
    panels: list[tuple[Quantity, tuple[float, float]]] = [("half-time", kappas) for kappas in p.kappas[:2]]
    panels.append(("plateau", p.kappas[0]))
    axes = figure.subplots(1, len(panels))
    for axis, (quantity, kappas), letter in zip(axes, panels, "abc", strict=False):
        _panel(axis, select(table, quantity=quantity, kappa_c=kappas[0], kappa_s=kappas[1]))
        said = rf"({letter}) {quantity}, $\kappa_c, \kappa_s = {kappas[0]:g}, {kappas[1]:g}$"
        axis.set_title(said, loc="left")
        axis.set(xlabel=r"$U/L$", xscale="log", xticks=(1, 2, 5, 10), xticklabels=("1", "2", "5", "10"))
        if quantity == "half-time":
            ticks = 0.3, 0.5, 0.7, 1, 2, 5, 10
            axis.set(yscale="log", ylabel=r"$\log T/\log P$", yticks=ticks, yticklabels=map(str, ticks))
        else:
            axis.set(ylabel=r"$\Phi_{p\to v_1}(T)/\log P$")
        axis.minorticks_off()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)


def _panel(axis: Axes, table: Table) -> None:
    """Finite P: the middle weight as points, others as bars; limits as lines, extrapolated as rings of every weight."""
    ratios = np.array(distinct(table["ratio"]))
    finite = select(table, source=FINITE)
    looks = zip((style.ORANGE, style.SKY, style.GREEN, style.BLUE), style.MARKERS[:4], strict=True)
    for log10_patches, (colour, marker) in zip(distinct(finite["log10_patches"]), looks, strict=False):
        at = select(finite, log10_patches=log10_patches)
        low, middle, high = np.array(
            [np.quantile(select(at, ratio=r)["value"], (0, 0.5, 1)) for r in ratios.tolist()]
        ).T
        label = rf"$P = 10^{{{log10_patches:g}}}$"
        axis.errorbar(
            ratios, middle, (middle - low, high - middle), color=colour, marker=marker, linewidth=0.7, label=label
        )
    rings = select(table, source=EXTRAPOLATED)
    axis.plot(
        rings["ratio"],
        rings["value"],
        "o",
        color=style.INK,
        markerfacecolor="none",
        markersize=4.5,
        label="extrapolated",
    )
    for source, look in ((LIMIT, "-"), (PAPER, "--")):
        line = keep(table, (table["source"] == source) & (table["weight"] == table["weight"][0]))
        if len(line["ratio"]):
            axis.plot(
                line["ratio"], line["value"], look, color=style.INK if look == "-" else style.VERMILLION, label=source
            )
