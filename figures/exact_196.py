"""A vision transformer's 196 patches: exact and mean-field reduction against transformers trained on sampled masks.

All three make the same steps of gradient descent, from Q = 0. So many masks are averaged at every step, and so many
trainings and patches after, that the sampling error tells the two closures apart: the transformers are where the exact
one is, and the mean-field one, whose error is O(1/C) in the size of a local area, is many standard errors away.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

import dynamics as dy
from derivations._progress import progress_of
from derivations._shell import accept
from figures import style
from figures.moments import crossing, end_of_first_phase
from figures.ranges import Count, Positive, Several, Share
from figures.table import Table, keep, rows, select, stack

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (style.PAGE, 4.4)
EXACT, MEAN_FIELD, TRANSFORMER = "exact", "mean-field", "transformer"  # the first two as the closures are called
GROUPS = "target", "global", "other"
FLOW = "of the flow"  # what the moments of the flow are filed under: those of descent lag by O(step size)

Array = npt.NDArray[np.float64]


class Parameters(NamedTuple):
    """Geometry, and how the transformers are trained."""

    global_size: Count = 98
    local_size: Count = 7
    local_areas: Count = 14
    mask_ratio: Share = 0.5
    step_size: Positive = 2.0
    samples: Count = 512  # with fewer the mean of many trainings lags visibly: an error of O(1/samples)
    seeds: Several = 8
    last: Positive = 500.0
    early: Positive = 160.0  # to where the first panels go
    latest: Positive = 1e5  # to where the reductions go on, as a flow
    marks: tuple[Several, Count] = (16, 8)  # before and after


COLUMNS = {
    "source": "exact or mean-field reduction, or transformer",
    "quantity": "Φ (fp), Υ (pp) or attention of a local query; or a moment, of which value is the time",
    "t": "time, η · iteration",
    "value": "of the quantity; of the transformer the mean over trainings and local patches",
    "spread": "standard deviation over trainings and local patches",
    "error": "standard error of the mean",
}
QUICK: dict[str, Any] = {"step_size": 4.0, "samples": 256, "seeds": 4, "last": 240.0, "marks": (10, 4)}


def data(p: Parameters) -> Table:
    """Φ, Υ and attention of a local query against time, and its half-time: both closures and the transformers.

    Of the transformers the mean over trainings and local patches, the spread of one of these, and the standard error of
    the mean, from how far the trainings, each a mean over patches, lie apart.
    """
    setting = dy.Setting(
        dy.Geometry.single_cluster(p.global_size, p.local_size, p.local_areas), mask_ratio=p.mask_ratio
    )
    systems = [dy.reduce(setting, "local"), dy.reduce(setting, "local", "mean-field")]
    accept(p.early < p.last, "early", p.early, f"a time before last, {p.last:g}")
    accept(p.last < p.latest, "latest", p.latest, f"a time after last, {p.last:g}")
    accept(p.step_size <= p.early, "step_size", p.step_size, f"at most early, {p.early:g}")
    steps, parts = round(p.last / p.step_size), list[Table]()
    t: Array = p.step_size * np.arange(steps + 1.0)
    for system in systems:
        curve = dy.descend(system, p.step_size, steps)
        later = np.geomspace(t[-1], p.latest, 31)[1:]
        for part in (curve, dy.integrate(system, t_end=p.latest, t_eval=later, start=curve)):
            for name, values in _quantities(part).items():
                parts.append(_theory(system, quantity=name, t=part.t, value=values))
        parts += _moments(system, crossing(t, curve.attention["target"], 0.5))

    marks = np.append(np.linspace(0, p.early, p.marks[0]), np.geomspace(p.early, p.last, p.marks[1] + 1)[1:])
    marks = np.rint(marks / p.step_size).astype(int)
    trained, halves = _train(setting, steps, marks, p)
    for name, values in trained.items():
        parts.append(rows(quantity=name, source=TRANSFORMER, t=t[marks], **_statistics(values)))
    parts.append(rows(quantity="half-time", source=TRANSFORMER, t=np.nan, **_statistics(halves)))
    return stack(parts)


def _quantities(curve: dy.Trajectory) -> dict[str, Array]:
    """What is shown of a curve: its coordinates, and attention on each group."""
    found = dict(zip(curve.names, curve.y, strict=True))
    return found | {f"attention.{group}": curve.attention[group] for group in GROUPS}


def _theory(system: dy.System, **columns: Any) -> Table:
    return rows(source=system.closure, **columns, spread=np.nan, error=np.nan)


def _moments(system: dy.System, half: float) -> list[Table]:
    """Half-time of the descent; and of the flow, with the plateau of Φ_global there and the end of the first phase."""
    flow = dy.integrate(system, until=("target", 0.5))
    found = {
        "half-time": half,
        f"half-time {FLOW}": flow.t[-1],
        f"fp.global at the half-time {FLOW}": flow["fp.global"][-1],
        f"end of phase I {FLOW}": end_of_first_phase(flow),
    }
    return [_theory(system, quantity=name, t=np.nan, value=value) for name, value in found.items()]


def _train(setting: dy.Setting, steps: int, marks: npt.NDArray[Any], p: Parameters) -> tuple[dict[str, Array], Array]:
    """Each quantity at the marks, (trainings, patches, marks), and the half-times, (trainings, patches)."""
    found: dict[str, list[Array]] = {}
    halves = []
    patches = range(p.global_size, int(setting.geometry.patches))
    for seed in progress_of(range(p.seeds), "exact-196: training transformers"):
        model = dy.FiniteTransformer(setting, seed=seed, basis="coordinates")
        training = model.train(p.step_size, steps, samples=p.samples)
        for patch in patches:
            curve = training.of(patch)
            halves.append(crossing(curve.t, curve.attention["target"], 0.5))
            for name, values in _quantities(curve).items():
                found.setdefault(name, []).append(values[marks])
    shape = p.seeds, len(patches)
    return {name: np.reshape(values, (*shape, -1)) for name, values in found.items()}, np.reshape(halves, shape)


def _statistics(values: Array) -> dict[str, Array]:
    """Mean over trainings and patches, standard deviation, and standard error of the mean."""
    of_training = values.mean(axis=1)
    error = of_training.std(axis=0, ddof=1) / math.sqrt(len(values))
    return {"value": of_training.mean(axis=0), "spread": values.std(axis=(0, 1)), "error": error}


def scores(table: Table, closure: str) -> Table:
    """Quantity, time and z: how many standard errors the transformers lie from a closure, after t = 0."""
    measured = select(table, source=TRANSFORMER)
    measured = keep(measured, measured["t"] != 0)
    z = []
    for quantity, t, value, error in zip(*(measured[c] for c in ("quantity", "t", "value", "error")), strict=True):
        predicted = select(table, source=closure, quantity=quantity)
        at = predicted["value"][0] if np.isnan(t) else np.interp(t, predicted["t"], predicted["value"])
        z.append((value - at) / error)
    return rows(quantity=measured["quantity"], t=measured["t"], z=z)


def draw(figure: Figure, table: Table, p: Parameters) -> None:
    """Above Φ and attention; below what tells the closures apart: differences in Φ, and the late law."""
    from matplotlib.ticker import FuncFormatter

    (fp, attention), (difference, late) = figure.subplots(2, 2)
    early = keep(table, ~(table["t"] > p.early))
    half = select(table, quantity="half-time", source=EXACT)["value"][0]
    for axes, prefix, label in ((fp, "fp", r"$\Phi_{p\to v}$"), (attention, "attention", "attention of the query")):
        for group in GROUPS:
            _curves(axes, select(early, quantity=f"{prefix}.{group}"), group)
        axes.set(ylabel=label, xlim=(-0.01 * p.early, 1.01 * p.early), xlabel=r"time $t = \eta\,\times$ iteration")
    for group in GROUPS:
        _differences(difference, select(early, quantity=f"fp.{group}"), group)
    difference.axhline(0, color=style.GREY, linewidth=0.5, zorder=0)
    difference.set(ylabel=r"$\Phi_{p\to v}$ $-$ exact", xlim=(-0.01 * p.early, 1.01 * p.early), xlabel=fp.get_xlabel())
    _late(late, select(table, quantity="attention.target"), half, p)
    late.yaxis.set_major_formatter(FuncFormatter("{:g}".format))
    titles = (r"(a) correlations $\Phi$", "(b) attention", r"(c) $\Phi$ less the exact one", "(d) long after lock-on")
    for axes, title in zip((fp, attention, difference, late), titles, strict=True):
        axes.set_title(title, loc="left")
    for axes in (fp, attention, difference):
        axes.axvline(half, color=style.GREY, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    place: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
    fp.annotate("$T$", (half, 1), xytext=(-3, 0), va="top", ha="right", **place)
    fp.legend(loc="upper left", title="on area", title_fontsize=7, alignment="left")
    grey: dict[str, Any] = {"color": style.GREY}
    drawn = [fp.plot([], [], **grey)[0], fp.plot([], [], **grey, linestyle="--")[0]]
    drawn.append(fp.errorbar([], [], [], **grey, marker="o", linestyle="none"))
    names = (
        "exact reduction",
        "mean-field",
        "transformers on sampled masks, ± standard deviation; in (c), (d) error of the mean",
    )
    figure.legend(drawn, names, loc="outside lower center", ncols=3)


def _curves(axes: Axes, part: Table, group: str) -> None:
    look = style.LOOK[group]
    for source, line in ((EXACT, "-"), (MEAN_FIELD, "--")):
        curve = select(part, source=source)
        axes.plot(curve["t"], curve["value"], color=look["color"], linestyle=line)
    trained = select(part, source=TRANSFORMER)
    points: dict[str, Any] = {"color": look["color"], "marker": look["marker"], "linestyle": "none"}
    axes.errorbar(trained["t"], trained["value"], trained["spread"], **points, label=group)


def _differences(axes: Axes, part: Table, group: str) -> None:
    """What mean-field and the transformers differ by from the exact reduction."""
    look, (exact, mean, trained) = style.LOOK[group], (select(part, source=s) for s in (EXACT, MEAN_FIELD, TRANSFORMER))
    line = {**look, "linestyle": "--", "markerfacecolor": "none", "markevery": 0.15}
    axes.plot(mean["t"], mean["value"] - exact["value"], **line)
    off = trained["value"] - np.interp(trained["t"], exact["t"], exact["value"])
    axes.errorbar(trained["t"], off, trained["error"], color=look["color"], marker=look["marker"], linestyle="none")


def _late(axes: Axes, part: Table, half: float, p: Parameters) -> None:
    """2γt(1 − A_target)² after lock-on, and where mean-field has it first: at (C − 1)/C."""
    color = style.LOOK["target"]["color"]
    for source, line in ((EXACT, "-"), (MEAN_FIELD, "--"), (TRANSFORMER, "")):
        curve = select(part, source=source)
        t, attention, error = (curve[name][curve["t"] > 1.05 * half] for name in ("t", "value", "error"))
        value = 2 * p.mask_ratio * t * (1 - attention) ** 2
        if source == TRANSFORMER:
            axes.errorbar(t, value, 2 * value / (1 - attention) * error, color=color, marker="o", linestyle="none")
        else:
            axes.plot(t, value, color=color, linestyle=line)
    axes.axhline(1 - 1 / p.local_size, color=style.GREY, linewidth=0.8, linestyle=":", zorder=0)
    axes.annotate(r"$(C_\mathrm{local} - 1)/C_\mathrm{local}$", (p.latest, 1), va="bottom", ha="right")
    axes.set(xscale="log", yscale="log", xlabel="time $t$", yticks=(0.1, 0.2, 0.5, 1, 2, 5, 10, 20))
    axes.set_ylabel(r"$2\gamma t\,(1 - A_\mathrm{target})^2$")
