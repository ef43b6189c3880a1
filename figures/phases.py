"""How a local query learns: Φ, attention and Υ against time, for an information gap Δ above and below zero.

The exact reduction (continuous-time) as lines, transformers trained on sampled masks as points. For Δ > 0 there are two
phases before the half-time T: Φ to the global area falls and attention leaves it (I), then Φ to the target area grows
and attention locks on (II). For Δ < 0 the target grows from the start.
"""

from __future__ import annotations

import math
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

import dynamics as dy
from derivations._progress import progress_of
from figures import style
from figures.moments import end_of_first_phase
from figures.ranges import Count, Positive, Several, Share, Sizes
from figures.table import Table, distinct, rows, select, stack

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (style.PAGE, 5.2)
REDUCTION, TRANSFORMER = "exact reduction", "transformer"
ATTENTION = {
    "attention.target": "$A_a$, target area",
    "attention.global": "$A_1$, global area",
    "attention.other": r"$\sum A_m$, other areas",
    "attention.masked": "masked patches",
}
MASKED: dict[str, Any] = {"color": style.GREY, "linestyle": (0, (1, 1)), "marker": "v"}
HALF_TIME, PHASE_END = "half-time", "end of phase I"


class Parameters(NamedTuple):
    """Geometries (global size, local size, local areas), and how finely each is trained and drawn."""

    geometries: tuple[Sizes, ...] = ((88, 3, 4), (16, 12, 4))
    mask_ratio: Share = 0.5
    half_times: Positive = 1.6  # for so long
    curve_points: Several = 200
    marks: Count = 14
    step_size: Positive = 0.4
    samples: Count = 4  # few, so that trainings differ visibly
    seeds: Count = 12


COLUMNS = {
    "gap": "information gap Δ",
    "areas": "patches of the global area + number × patches of the local ones",
    "coordinate": "Φ (fp), Υ (pp) or attention of a local query; that at the mean counts, on a group as a whole",
    "source": "exact reduction, transformer, or a moment, of which t is the time",
    "t": "time, η · iteration",
    "value": "of the Φ, Υ or attention; of the transformer the mean over trainings and local patches",
    "spread": "standard deviation over trainings and local patches",
}
QUICK: dict[str, Any] = {"curve_points": 60, "marks": 10, "seeds": 3}


def data(p: Parameters) -> Table:
    """Of a local query, everything drawn: the exact curve, and mean and spread over trainings and local patches."""
    settings = [dy.Setting(dy.Geometry.single_cluster(*sizes), mask_ratio=p.mask_ratio) for sizes in p.geometries]
    systems = [dy.reduce(setting, "local") for setting in settings]
    gaps = [setting.information_gap for setting in settings]
    parts: list[Table] = []
    for sizes, setting, system, gap in zip(p.geometries, settings, systems, gaps, strict=True):
        half = float(dy.integrate(system, until=("target", 0.5)).t[-1])
        every = math.ceil(p.half_times * half / p.step_size / p.marks)
        t = p.step_size * every * np.arange(p.marks + 1)
        flow = dy.integrate(system, t_end=t[-1], t_eval=np.linspace(0, t[-1], p.curve_points))
        trained = _train(setting, range(sizes[0], int(setting.geometry.patches)), every, p)
        fixed: dict[str, Any] = {"gap": gap, "areas": f"{sizes[0]} + {sizes[2]}×{sizes[1]}"}
        moments = {HALF_TIME: half, PHASE_END: end_of_first_phase(flow)}
        parts += [
            rows(**fixed, coordinate="", source=name, t=moment, value=np.nan, spread=np.nan)
            for name, moment in moments.items()
        ]
        for name, curve, values in zip(
            [*system.names, *ATTENTION], _drawn(flow), np.moveaxis(trained, 1, 0), strict=True
        ):
            fixed["coordinate"] = name
            parts.append(rows(**fixed, source=REDUCTION, t=flow.t, value=curve, spread=np.nan))
            parts.append(rows(**fixed, source=TRANSFORMER, t=t, value=values.mean(axis=0), spread=values.std(axis=0)))
    return stack(parts)


def _drawn(curve: dy.Trajectory) -> npt.NDArray[np.float64]:
    """Every coordinate, then the attention on every group that is drawn: (n, m)."""
    return np.vstack([curve.y, *(curve.attention[name.removeprefix("attention.")] for name in ATTENTION)])


def _train(setting: dy.Setting, patches: range, every: int, p: Parameters) -> npt.NDArray[np.float64]:
    """What is drawn of these queries in every training: (trainings × patches, n, marks + 1)."""
    found = []
    for seed in progress_of(range(p.seeds), "phases: training transformers"):
        model = dy.FiniteTransformer(setting, seed=seed, basis="coordinates")
        training = model.train(p.step_size, every * p.marks, samples=p.samples, every=every)
        found += [_drawn(training.of(patch)) for patch in patches]
    return np.array(found)


def draw(figure: Figure, table: Table, p: Parameters) -> None:
    """Rows: Φ, attention, Υ."""
    gaps = distinct(table["gap"])
    axes = figure.subplots(3, len(gaps), sharex="col", sharey="row", squeeze=False, height_ratios=(3, 3, 2))
    names = [name for name in distinct(table["coordinate"]) if name]
    shown = [[name for name in names if name.startswith(kind)] for kind in ("fp", "attention", "pp")]
    for letter, column, gap in zip(ascii_lowercase, axes.T, gaps, strict=False):
        panel = select(table, gap=gap)
        column[0].set_title(
            rf"({letter}) $\Delta = {gap:+.2f}$: areas of {panel['areas'][0]} patches", loc="left", pad=14
        )
        column[-1].set_xlabel(r"time $t = \eta\,\times$ iteration")
        _mark_moments(column, panel)
        for axis, coordinates in zip(column, shown, strict=True):
            axis.axhline(0, color=style.GREY, linewidth=0.5, zorder=0)
            for name in coordinates:
                _curve(axis, select(panel, coordinate=name), name)
    labels = (r"$\Phi_{p\to v}$", "attention of the query $p$", r"$\Upsilon_{p\to q}$")
    for axis, label in zip(axes, labels, strict=True):
        axis[0].set_ylabel(label)
        axis[-1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), handlelength=2.6)
    figure.align_ylabels()
    line = axes[0, 0].plot([], [], color=style.GREY)[0]
    bar = axes[0, 0].errorbar([], [], [], color=style.GREY, marker="o", linestyle="none")
    kinds = ["exact reduction, integrated", "transformers trained on sampled masks: mean ± standard deviation"]
    figure.legend([line, bar], kinds, loc="outside lower center", ncols=2)


def _mark_moments(column: Any, panel: Table) -> None:
    """The half-time T, and the phases: I shaded, where there is one."""
    half, end = (float(select(panel, source=name)["t"][0]) for name in (HALF_TIME, PHASE_END))
    for axis in column:
        axis.axvline(half, color=style.GREY, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
        axis.axvspan(0, end, color=style.GREY, alpha=0.18, linewidth=0, zorder=0)
    place: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "va": "bottom", "ha": "center"}
    place |= {"xytext": (0, 1), "textcoords": "offset points"}
    column[0].annotate("$T$", (half, 1), **place)
    for name, middle in (
        (("phase I", end / 2), ("phase II", (end + half) / 2)) if end > 0 else [("one phase", half / 2)]
    ):
        column[0].annotate(name, (middle, 1), **place)


def _curve(axis: Axes, table: Table, name: str) -> None:
    """The exact curve, and the transformers as points with their spread."""
    look = MASKED if name == "attention.masked" else style.look(name)
    exact, trained = select(table, source=REDUCTION), select(table, source=TRANSFORMER)
    axis.plot(exact["t"], exact["value"], color=look["color"], linestyle=look["linestyle"])
    points: dict[str, Any] = {"color": look["color"], "marker": look["marker"], "linestyle": "none"}
    axis.errorbar(trained["t"], trained["value"], trained["spread"], **points)
    axis.plot([], [], **look, label=(style.SYMBOL | ATTENTION)[name])
