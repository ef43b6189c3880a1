"""How diverse and how local attention becomes over training, for several area structures.

Diversity is the mean Jensen–Shannon divergence between the attention maps of two queries, distance how far from itself,
on the grid, a query looks on average; maps are those of samples in which the query alone is masked. The exact reduction
(continuous-time) as lines, transformers trained on sampled masks as points. Had attention collapsed, every query on the
global area, diversity would be 0. It grows instead, by most while local queries lock on, about the half-time T, towards
that of perfectly locked attention, whether Δ is above or below zero. Where Δ > 0 it begins before: the queries of the
global area lock on long before T.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

import dynamics as dy
from derivations._progress import progress_of
from derivations._shell import accept
from figures import maps, style
from figures.ranges import Choice, Count, Positive, Several, Share, Window
from figures.table import Table, distinct, rows, select, stack

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (style.PAGE, 3.1)
REDUCTION, TRANSFORMER = "exact reduction", "transformer"
LOCKED, COLLAPSED = "perfectly locked", "collapsed"
DIVERSITY, DISTANCE = "diversity", "distance"

Array = npt.NDArray[np.float64]


class Parameters(NamedTuple):
    """The grid; of each geometry the block of a local area, (rows, columns) of patches, and how many down, across."""

    grid: tuple[Count, Count] = (8, 8)
    areas: tuple[tuple[tuple[Count, Count], tuple[Count, Count]], ...] = (
        ((1, 2), (4, 2)),
        ((2, 3), (2, 2)),
        ((2, 3), (4, 2)),
        ((3, 4), (2, 2)),
    )
    mask_ratio: Share = 0.5
    window: Window = (0.02, 100.0)  # in half-times T of a local query
    curve_points: Several = 120
    trained: Choice = (1, 3)  # the geometries that transformers are trained in
    trained_until: Positive = 4.0
    marks: Several = 14
    step_size: Positive = 0.4
    samples: Count = 4  # few, so that trainings differ visibly
    seeds: Count = 6


COLUMNS = {
    "gap": "information gap Δ",
    "areas": "patches of the global area + number × patches of the local ones",
    "measure": "diversity of attention, in nats, or its mean distance, in widths of a patch",
    "source": "exact reduction or transformer; or what it would be for perfectly locked or collapsed attention",
    "t": "time, in half-times T of a local query",
    "value": "of the measure; of the transformer the mean over trainings",
    "spread": "standard deviation over trainings",
}
QUICK: dict[str, Any] = {"curve_points": 40, "trained": (1,), "marks": 8, "seeds": 2}


def data(p: Parameters) -> Table:
    """Both measures of each geometry: along the flow, of trainings, and of locked and of collapsed attention."""
    accept(max(p.trained, default=0) < len(p.areas), "trained", p.trained, f"numbers below {len(p.areas)}, of `areas`")
    geometries = [dy.Geometry.from_labels(maps.blocks(p.grid, *shapes), grid=p.grid) for shapes in p.areas]
    settings = [dy.Setting(geometry, mask_ratio=p.mask_ratio) for geometry in geometries]
    gaps = [setting.information_gap for setting in settings]
    parts = []
    for i, setting in enumerate(progress_of(settings, "diversity: geometries")):
        assert setting.geometry.area_of is not None
        area = setting.geometry.area_of[0]
        times = np.geomspace(*p.window, p.curve_points)
        half, size = dy.half_time(dy.reduce(setting, "local")), np.bincount(area)
        on_target = np.equal.outer(area, area) & ~np.eye(area.size, dtype=bool)  # the query shows nothing
        found: list[tuple[str, Any, Array]] = [
            (REDUCTION, times, _reduced(setting, half * times)),
            (LOCKED, np.nan, on_target / on_target.sum(axis=1, keepdims=True)),
            (COLLAPSED, np.nan, np.tile((area == 0) / size[0], (area.size, 1))),
        ]
        if i in p.trained:
            times, trained = _trained(setting, half, p)
            found.append((TRANSFORMER, times / half, trained))
        fixed: dict[str, Any] = {"gap": gaps[i], "areas": f"{size[0]} + {len(size) - 1}×{size[1]}"}
        for source, t, attention in found:
            measures = dy.attention_diversity(attention, class_token=False), dy.attention_distance(attention, p.grid)
            for fixed["measure"], value in zip((DIVERSITY, DISTANCE), measures, strict=True):
                mean, spread = (value.mean(0), value.std(0)) if source == TRANSFORMER else (value, np.nan)
                parts.append(rows(**fixed, source=source, t=t, value=mean, spread=spread))
    return stack(parts)


def _reduced(setting: dy.Setting, t: Array) -> Array:
    """The maps of all queries, (n, P, P), along the flow, which is one for all queries of areas of one size."""
    assert setting.geometry.area_of is not None
    flows = {
        query: dy.integrate(dy.reduce(setting, query), t_end=t[-1], t_eval=t, variable="log-time").y
        for query in ("global", "local")
    }
    found = []
    for query, area in enumerate(setting.geometry.area_of[0]):
        system = dy.reduce(setting, query, "mean-field")  # to say which patch a coordinate is about, in any closure
        found.append([dy.attention_map(system, y) for y in flows["local" if area else "global"].T])
    return np.array(found).swapaxes(0, 1)


def _trained(setting: dy.Setting, half: float, p: Parameters) -> tuple[Array, Array]:
    """Times, (n,), and the maps of every training, (seeds, n, P, P)."""
    at = np.geomspace(p.window[0], p.trained_until, p.marks) * half
    steps, found = np.unique(np.rint(at / p.step_size).astype(int)), []
    for seed in range(p.seeds):
        model = dy.FiniteTransformer(setting, seed=seed, basis="coordinates")
        training = model.train(p.step_size, int(steps[-1]), samples=p.samples)
        Q = np.zeros((len(steps), *training.Q.shape))
        Q[:, : training.pp.shape[1]] = np.concatenate([training.pp[steps], training.fp[steps]], axis=2)
        found.append([model.attention(one) for one in Q])
    return p.step_size * steps, np.array(found)


def draw(figure: Figure, table: Table, p: Parameters) -> None:
    """A panel each for diversity and distance; on the right where perfectly locked attention would be."""
    diversity, distance = figure.subplots(1, 2)
    for axes, measure in ((diversity, DIVERSITY), (distance, DISTANCE)):
        for areas, look in zip(distinct(table["areas"]), LOOKS, strict=False):
            _curve(axes, select(table, areas=areas, measure=measure), look, 1.5 * p.window[1])
        axes.axvline(1, color=style.GREY, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
        axes.annotate("$T$", (1, 1), xycoords=("data", "axes fraction"), va="top", xytext=(3, 0), **POINTS)
        axes.set(xscale="log", xlabel="time $t/T$", xlim=(p.window[0], 2.5 * p.window[1]))
    diversity.axhline(math.log(2), color=style.GREY, linewidth=0.8, linestyle=":", zorder=0)
    diversity.annotate(r"$\log\,2$: disjoint", (p.window[0], math.log(2)), xytext=(2, -2), va="top", **POINTS)
    diversity.set(ylabel="mean JSD of two queries (nats)", ylim=(-0.02, 0.73))
    diversity.set_title("(a) diversity of attention", loc="left")
    distance.set(ylabel="mean distance (patches)", ylim=(0, 1.1 * select(table, measure=DISTANCE)["value"].max()))
    distance.set_title("(b) mean attention distance", loc="left")
    lines, labels = diversity.get_legend_handles_labels()
    lines.append(distance.plot([], [], **END, color=style.INK)[0])
    lines.append(distance.plot([], [], **COLLAPSE)[0])
    points: Any = distance.errorbar([], [], [], color=style.INK, marker="o", linestyle="none")
    labels += ["all attention on the target area", "collapsed: all on the global area"]
    labels.append("transformers: mean ± std")
    figure.legend([*lines, points], labels, loc="outside lower center", ncols=4, columnspacing=1.5, handlelength=2.4)


LOOKS: tuple[dict[str, Any], ...] = (
    {"color": style.VERMILLION, "linestyle": "-", "marker": "o"},
    {"color": style.ORANGE, "linestyle": (0, (5, 1)), "marker": "s"},
    {"color": style.SKY, "linestyle": "-.", "marker": "^"},
    {"color": style.BLUE, "linestyle": ":", "marker": "D"},
)
COLLAPSE: dict[str, Any] = {"color": style.GREY, "linewidth": 0.6, "zorder": 0}
POINTS: dict[str, Any] = {"textcoords": "offset points", "fontsize": 7}
END: dict[str, Any] = {"marker": "<", "markersize": 5, "linestyle": "none"}


def _curve(axes: Axes, table: Table, look: dict[str, Any], right: float) -> None:
    """The reduction as a line, transformers as points with their spread; what it tends to, and a collapsed one."""
    exact, trained = select(table, source=REDUCTION), select(table, source=TRANSFORMER)
    line = {key: look[key] for key in ("color", "linestyle")}
    axes.plot(exact["t"], exact["value"], **line, label=rf"$\Delta = {table['gap'][0]:+.2f}$: {table['areas'][0]}")
    axes.errorbar(trained["t"], trained["value"], trained["spread"], **look | {"linestyle": "none"})
    axes.plot([right], select(table, source=LOCKED)["value"], **END, color=look["color"])
    axes.axhline(select(table, source=COLLAPSED)["value"][0], **COLLAPSE)
