"""A transformer trained on the photograph: when the patches of each area lock on, and where its queries look.

Predicted by the mean-field reduction (large-P), one system an area; measured on a transformer trained on sampled masks.
A query locks on at its half-time T, when half of its attention, at the mean counts, is on its target area.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

import dynamics as dy
from derivations._shell import accept
from figures import maps, style
from figures.moments import crossing
from figures.ranges import Count, Positive, Seed, Share, Whole
from figures.table import Table, distinct, rows, select, stack

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

SIZE = (style.PAGE, 4.3)
PREDICTED, MEASURED = "mean-field", "transformer"
NO_QUERY = -1  # where a row is about no one query

Array = npt.NDArray[np.float64]


class Parameters(NamedTuple):
    """How the photograph is cut, how the transformer is trained, and the areas whose queries are shown."""

    grid: tuple[Count, Count] = (14, 14)
    areas: Count = 8
    seed: Seed = 0
    mask_ratio: Share = 0.5
    step_size: Positive = 0.25
    samples: Count = 256
    half_times: Positive = 1.2  # train for so many of the longest one predicted
    records: Count = 200
    query_areas: tuple[Whole, ...] = (0, 5, 7)


COLUMNS = {
    "quantity": "what value is",
    "query": "patch whose attention it is, or −1",
    "t": "time of the attention, η · iteration",
    "source": "mean-field reduction or transformer",
    "row": "of the patch grid",
    "column": "of the patch grid",
    "value": "area number, half-time (η · iteration), or attention as a multiple of 1/P",
}
QUICK: dict[str, Any] = {"grid": (10, 10), "areas": 6, "step_size": 0.5, "samples": 128, "records": 100}
QUICK |= {"query_areas": (0, 3, 5)}


def data(p: Parameters) -> Table:
    """Area, predicted and measured half-time of every patch; attention of some queries, each at its predicted T."""
    setting = dy.Setting(dy.Geometry.from_image(maps.pixels(), p.grid, p.areas, p.seed), mask_ratio=p.mask_ratio)
    assert setting.geometry.area_of is not None
    area = setting.geometry.area_of[0]
    members = [np.flatnonzero(area == m) for m in range(int(area.max()) + 1)]
    systems = [dy.reduce(setting, int(patches[len(patches) // 2]), "mean-field") for patches in members]
    expected = f"areas of the picture, 0 to {len(members) - 1}"
    accept(max(p.query_areas) < len(members), "query_areas", p.query_areas, expected)
    model = dy.FiniteTransformer(setting, seed=p.seed, basis="coordinates")
    half = np.array([math.exp(dy.integrate(system, until=("target", 0.5)).log_t[-1]) for system in systems])

    every = math.ceil(p.half_times * half.max() / p.step_size / p.records)
    shown = sys.stderr.isatty()
    training = model.train(p.step_size, every * p.records, samples=p.samples, every=every, progress=shown)
    measured = np.array([crossing(training.t, training.of(q).attention["target"], 0.5) for q in range(area.size)])

    found = [("area", NO_QUERY, np.nan, PREDICTED, area)]
    found += [
        ("half-time", NO_QUERY, np.nan, PREDICTED, half[area]),
        ("half-time", NO_QUERY, np.nan, MEASURED, measured),
    ]
    for m in p.query_areas:
        query, record = int(systems[m].query), int(np.abs(training.t - half[m]).argmin())
        t = float(training.t[record])
        state = systems[m].expand(dy.integrate(systems[m], t_end=t).y[:, -1])
        predicted = _attention(state["fp"][0][area], state["pp"], query, setting)
        trained = _attention(training.fp[record, query][area], training.pp[record, query], query, setting)
        found += [("attention", query, t, PREDICTED, predicted), ("attention", query, t, MEASURED, trained)]
    return stack(
        rows(quantity=quantity, query=query, t=t, source=source, **maps.patch_rows(values.reshape(p.grid)))
        for quantity, query, t, source, values in found
    )


def _attention(fp: Array, pp: Array, query: int, setting: dy.Setting) -> Array:
    """P·attention of a masked query on itself, and on each other patch while that is shown, at the mean counts."""
    latent, patches, others = float(setting.latent), len(pp), np.arange(len(pp)) != query
    unmasked = np.where(others, (patches - setting.masked) / (patches - 1), 0)
    shown, hidden = np.exp(np.where(others, latent * fp, 0) + pp), np.exp(pp)
    total = (unmasked * shown + (1 - unmasked) * hidden).sum()
    return patches * shown / total


def draw(figure: Figure, table: Table, p: Parameters) -> None:
    parts: Any = figure.subfigures(2, 1, height_ratios=(1, 1.1))
    area = maps.grid_of(table, quantity="area")
    _draw_times(parts[0], table, area)
    _draw_attention(parts[1], table, area)
    sources = f"{PREDICTED}: predicted by the reduction (large-$P$); {MEASURED}: trained on sampled masks"
    parts[1].supxlabel(f"{sources}; bars: standard deviation in an area", fontsize=7)


def _draw_times(figure: SubFigure, table: Table, area: maps.Grid) -> None:
    """The photograph, its areas, and half-times: as maps, and how far the trained ones are from those predicted."""
    parts: Any = figure.subfigures(1, 2, width_ratios=(4, 1.45))
    photo, areas, *times = parts[0].subplots(1, 4)
    maps.photograph(photo, "(a) photograph")
    maps.show(areas, maps.area_colours(area), f"its {int(area.max()) + 1} areas")
    found = {source: maps.grid_of(table, quantity="half-time", source=source) for source in (PREDICTED, MEASURED)}
    lowest, highest = (float(limit(list(found.values()))) for limit in (np.nanmin, np.nanmax))
    for letter, axes, (source, values) in zip(("(b) ", ""), times, found.items(), strict=True):
        shown = maps.show(axes, values, f"{letter}$T$, {source}", vmin=lowest, vmax=highest, cmap="viridis")
    parts[0].colorbar(shown, ax=times, location="bottom", aspect=30, label="half-time $T$ of the patch as query")
    for axes in (photo, areas, *times):
        axes.set_anchor("N")
    _draw_deviation(parts[1].subplots(), area, found[PREDICTED], found[MEASURED])


def _draw_deviation(axes: Axes, area: maps.Grid, predicted: maps.Grid, measured: maps.Grid) -> None:
    """Relative deviation of the half-times: mean and standard deviation over the patches of each area."""
    from matplotlib.ticker import PercentFormatter

    axes.axhline(0, color=style.GREY, linewidth=0.8, zorder=0)
    for m in range(int(area.max()) + 1):
        off = measured[area == m] / predicted[area == m] - 1
        look: dict[str, Any] = {"color": style.AREAS[m % len(style.AREAS)]}
        look |= {"marker": style.MARKERS[m % len(style.MARKERS)], "markersize": 4}
        look |= {"markeredgecolor": style.INK, "markeredgewidth": 0.4}  # yellow alone is faint on white
        axes.errorbar(predicted[area == m][0], np.nanmean(off), np.nanstd(off), **look)
    names = (rf"T_\text{{{source}}}" for source in (MEASURED, PREDICTED))
    axes.set(title="(c) area by area", xlabel=f"$T$, {PREDICTED}", ylabel=f"${'/'.join(names)} - 1$")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    axes.locator_params(axis="x", nbins=5)
    axes.margins(x=0.1)


def _draw_attention(figure: SubFigure, table: Table, area: maps.Grid) -> None:
    """Attention of each query, predicted beside trained, on a scale about uniform attention."""
    from matplotlib.colors import LogNorm

    attention = select(table, quantity="attention")
    queries = distinct(attention["query"])
    low, high = float(attention["value"].min()), float(attention["value"].max())
    scale = LogNorm(low, high)
    axes = figure.subplots(1, 2 * len(queries))
    for letter, query, pair in zip("defgh", queries, axes.reshape(-1, 2), strict=False):
        row, column = divmod(int(query), area.shape[1])
        t = select(attention, query=query)["t"][0]
        pair[0].set_ylabel(f"at $t = {t:.0f}$")
        for axis, source, head in zip(pair, (PREDICTED, MEASURED), (f"({letter}) ", ""), strict=True):
            values = maps.grid_of(attention, query=query, source=source)
            shown = maps.show(axis, values, head + source, norm=scale, cmap="viridis")
            maps.outline(axis, area == area[row, column])
            maps.mark(axis, row, column)
    label = r"attention of the query (star) on each patch, $P\,\mathrm{attn}_{p\to q}$: 1 where uniform"
    bar = figure.colorbar(shown, ax=axes, location="bottom", aspect=60, label=label)
    ticks = [tick for tick in (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8) if low <= tick <= high]
    bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    bar.minorticks_off()
