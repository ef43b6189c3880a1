"""Attention patterns on the patch grid: where one query of the global area and two local ones look as they learn.

Reduction (exact; continuous-time) and transformer (gradient descent on sampled masks) side by side, each map that of a
sample in which the query alone is masked. Uniform at first; at the end of phase I local queries have let go of the
global area; trained, the pattern of the global query is area-wide, that of a local query is local, and those of local
queries of different areas are diverse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import dynamics as dy
from derivations._progress import progress_of
from derivations._shell import accept
from figures import maps, style
from figures.moments import end_of_first_phase
from figures.ranges import Count, Positive, Seed, Share, Whole
from figures.table import Table, distinct, rows, select, stack

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (style.PAGE, 4.4)
REDUCTION, TRANSFORMER = "reduction", "transformer"
START, PHASE_END, TRAINED = "at initialisation", "end of phase I", "trained"
LEAST_SHOWN = 0.25  # of P·attention: what is less has the colour of this
NO_QUERY = -1  # where a row is about no one query


class Parameters(NamedTuple):
    """Blocks of the local areas, (rows, columns) of patches, on the grid; the queries; how they are trained."""

    grid: tuple[Count, Count] = (8, 8)
    block: tuple[Count, Count] = (2, 3)
    copies: tuple[Count, Count] = (2, 2)
    queries: tuple[tuple[Whole, Whole], ...] = ((3, 3), (1, 1), (6, 5))
    mask_ratio: Share = 0.5
    half_times: Positive = 6.0  # train for so many of a local query's
    step_size: Positive = 0.1
    samples: Count = 256
    seed: Seed = 0


COLUMNS = {
    "quantity": "what value is",
    "source": "reduction or transformer",
    "moment": "at initialisation, end of phase I (of a local query), or trained",
    "query": "patch whose attention it is, or −1",
    "t": "time, in half-times T of a local query",
    "row": "of the patch grid",
    "column": "of the patch grid",
    "value": "area number, 0 the global one, or attention as a multiple of 1/P",
}
QUICK: dict[str, Any] = {"step_size": 0.8, "samples": 64}


def data(p: Parameters) -> Table:
    """Area of every patch; attention of every query at every moment, by reduction and transformer."""
    area = maps.blocks(p.grid, p.block, p.copies)
    setting = dy.Setting(dy.Geometry.from_labels([area], grid=p.grid), mask_ratio=p.mask_ratio)
    for place in p.queries:
        accept(place[0] < p.grid[0] and place[1] < p.grid[1], "queries", place, f"rows and columns of a {p.grid} grid")
    queries = [int(np.ravel_multi_index(place, p.grid)) for place in p.queries]
    systems = [dy.reduce(setting, query) for query in queries]
    model = dy.FiniteTransformer(setting, seed=p.seed, basis="coordinates")
    flow = dy.integrate(dy.reduce(setting, "local"), until=("target", 0.5))
    half = flow.t[-1]

    fixed: dict[str, Any] = {"quantity": "area", "source": "", "moment": "", "query": NO_QUERY, "t": np.nan}
    parts = [rows(**fixed, **maps.patch_rows(area.reshape(p.grid)))]
    training = model.train(p.step_size, 0, samples=p.samples)
    times = {START: 0.0, PHASE_END: end_of_first_phase(flow), TRAINED: p.half_times * half}
    for moment, wanted in progress_of(times.items(), "attention: training"):
        steps = round(wanted / p.step_size) - training.steps
        training = model.train(p.step_size, steps, samples=p.samples, every=max(steps, 1), start=training)
        t, trained = training.t[-1], model.attention(training.Q)
        for query, system in zip(queries, systems, strict=True):
            y = dy.integrate(system, t_end=t).y[:, -1] if t else system.initial
            found = {REDUCTION: dy.attention_map(system, y), TRANSFORMER: trained[query]}
            for source, attention in found.items():
                fixed = {"quantity": "attention", "source": source, "moment": moment, "query": query, "t": t / half}
                parts.append(rows(**fixed, **maps.patch_rows(area.size * attention.reshape(p.grid))))
    return stack(parts)


def on_area(attention: maps.Grid, area: maps.Grid, query: int) -> float:
    """The attention on the target area of the query, the query itself left out: it shows nothing."""
    others = np.arange(area.size).reshape(area.shape) != query
    return float(attention[others & (area == area.flat[query])].sum() / area.size)


def draw(figure: Figure, table: Table, p: Parameters) -> None:
    """Rows: queries. Columns: moments, and in each the reduction and the transformer."""
    from matplotlib.colors import LogNorm

    area, attention = maps.grid_of(table, quantity="area"), select(table, quantity="attention")
    most = float(attention["value"].max())
    queries, moments = distinct(attention["query"]), distinct(attention["moment"])
    axes = figure.subplots(len(queries), 3 * len(moments), width_ratios=(1, 1, 0.12) * len(moments))
    for gap in axes[:, 2::3].flat:
        gap.set_axis_off()
    for letter, column, moment in zip("abc", range(0, axes.shape[1], 3), moments, strict=True):
        found = select(attention, moment=moment)
        _head(axes[0, column], f"({letter}) {moment}", found["t"][0])
        for query, line in zip(queries, axes[:, column : column + 2], strict=True):
            for axis, source in zip(line, (REDUCTION, TRANSFORMER), strict=True):
                values = maps.grid_of(found, query=query, source=source)
                title = f"\n{source}" if query == queries[0] else ""  # a line is left for the head
                shown = maps.show(axis, values, title, square=True, norm=LogNorm(LEAST_SHOWN, most), cmap="viridis")
                _mark(axis, area, query, on_area(values, area, query))
    for query, axis in zip(queries, axes[:, 0], strict=True):
        m = int(area.flat[query])
        axis.set_ylabel(f"local query,\narea {m + 1}" if m else "query in the\nglobal area")
    label = r"attention of the query (star) on each patch, $P\,\mathrm{attn}_{p\to q}$: 1 where uniform"
    bar = figure.colorbar(shown, ax=axes, location="bottom", aspect=60, pad=0.03, extend="min", label=label)
    ticks = [tick for tick in (1 / 4, 1 / 2, 1, 2, 4, 8) if LEAST_SHOWN <= tick <= most]
    bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    bar.minorticks_off()


def _head(axes: Axes, moment: str, t: float) -> None:
    """Above two maps: the moment and its time."""
    time = f"{t:.2g}\\,T" if t else "0"
    place: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "annotation_clip": False}
    axes.annotate(f"{moment}, $t = {time}$", (0, 1), xytext=(0, 14), **place).set_in_layout(False)


def _mark(axes: Axes, area: maps.Grid, query: int, share: float) -> None:
    """The target area in outline, with the attention it has, and the query as a star."""
    row, column = divmod(query, area.shape[1])
    maps.outline(axes, area == area[row, column], "white")
    maps.mark(axes, row, column)
    axes.set_xlabel(f"{100 * share:.0f} % on target", fontsize=7, labelpad=2)
