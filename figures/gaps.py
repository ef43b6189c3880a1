"""The three gaps between the theory and a trained transformer, and how each closes.

(a) Reduction against transformer, the same steps of gradient descent on the population loss: no gap but rounding, at
any number of patches (exact). (b) Descent against its flow at the same time t = η · iteration: an error of first order
in the step size η (continuous-time). (c) Transformers trained on n sampled masks a step, and the sampled closure, which
keeps n for ever, against the same steps on the mean over all masks: an error of order n^(−1/2).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

import dynamics as dy
from derivations._progress import progress_of
from figures import style
from figures.ranges import Count, Positive, Several, Share, Sizes, corners
from figures.table import Table, distinct, rows, select, stack

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (style.PAGE, 2.7)
REDUCTION, STEP_SIZE, SAMPLING = "reduction", "step size", "sampling"
ROUNDING = float(np.finfo(float).eps)
PLACES = {REDUCTION: "upper right", STEP_SIZE: "upper left", SAMPLING: "upper right"}  # of the legends
TRANSFORMER, CLOSURE = "transformers", "sampled closure"
LOOK: tuple[dict[str, Any], ...] = (
    {"color": style.VERMILLION, "marker": "o", "linestyle": "-"},
    {"color": style.BLUE, "marker": "s", "linestyle": "--", "markerfacecolor": "none"},
)

Array = npt.NDArray[np.float64]


class Parameters(NamedTuple):
    """Geometries are (global size, local size, local areas)."""

    patches: tuple[Several, ...] = (4, 6, 8, 10, 12, 14)  # (a): every mask is enumerated
    steps: Count = 100
    step_size: Positive = 0.5
    flows: tuple[Sizes, ...] = ((88, 3, 4), (16, 12, 4))  # (b): Δ > 0 and Δ < 0
    divisions: tuple[Count, ...] = (64, 128, 256, 512, 1024, 2048, 4096)  # η is the half-time over these
    sampled: Sizes = (8, 4, 2)  # (c)
    sampled_steps: Count = 40
    samples: tuple[Count, ...] = (16, 32, 64, 128, 256, 512, 1024)
    seeds: Count = 24
    mask_ratio: Share = 0.5


COLUMNS = {
    "gap": "reduction (a), step size (b) or sampling (c)",
    "series": "number of clusters K, information gap Δ, or what is sampled",
    "x": "number of patches P (a), step size η (b), or samples n (c)",
    "error": "largest difference of any Φ or Υ over the largest Φ or Υ; (c) the mean over trainings and local patches",
    "spread": "standard deviation over trainings and local patches",
}
QUICK: dict[str, Any] = {"patches": (4, 6, 8), "divisions": (64, 128, 256, 512, 1024)}
QUICK |= {"samples": (16, 64, 256), "seeds": 8}


def data(p: Parameters) -> Table:
    """Each gap as a relative error, against what closes it."""
    settings = [dy.Setting(dy.Geometry.single_cluster(*sizes), mask_ratio=p.mask_ratio) for sizes in p.flows]
    flows = [(setting.information_gap, dy.reduce(setting, "local")) for setting in settings]
    sampled = dy.Setting(dy.Geometry.single_cluster(*p.sampled), mask_ratio=p.mask_ratio)
    exact = dy.reduce(sampled, "local")
    return stack([*_reduction(p), *_step_size(p, flows), *_sampling(p, sampled, exact)])


def _off(values: npt.ArrayLike, exact: Array) -> float:
    return float(np.abs(np.subtract(values, exact)).max() / np.abs(exact).max())


def _reduction(p: Parameters) -> list[Table]:
    """Half of the patches in one area, a quarter in each of two more; in a second cluster half a turn further."""
    cases = [(patches, clusters) for patches in p.patches for clusters in (1, 2)]
    with corners() as measure:
        settings = [measure(_divided, p, *case, missing=None) for case in cases]
    parts = []
    for i, (patches, clusters) in enumerate(progress_of(cases, "gaps: numbers of patches")):
        error = np.nan if settings[i] is None else _difference(p, settings[i])
        parts.append(rows(gap=REDUCTION, series=f"$K = {clusters}$", x=float(patches), error=error, spread=np.nan))
    return parts


def _difference(p: Parameters, setting: dy.Setting) -> float:
    """Of every query, between training and reduction at the last step."""
    training = dy.FiniteTransformer(setting).train(p.step_size, p.steps, every=p.steps)
    reduced, trained = [], []
    for query in range(int(setting.geometry.patches)):
        system = dy.reduce(setting, query)
        last = system.expand(dy.descend(system, p.step_size, p.steps, every=p.steps).y[:, -1])
        reduced += [*last["fp"], last["pp"]]
        trained += [training.fp[-1, query], training.pp[-1, query]]
    return _off(np.concatenate(trained), np.concatenate(reduced))


def _divided(p: Parameters, patches: int, clusters: int) -> dy.Setting:
    labels = np.repeat((0, 1, 2), (patches - 2 * (patches // 4), patches // 4, patches // 4))
    geometry = dy.Geometry.from_labels([labels, np.roll(labels, patches // 2)][:clusters])
    return dy.Setting(geometry, mask_ratio=p.mask_ratio)


def _step_size(p: Parameters, flows: list[tuple[float, dy.System]]) -> list[Table]:
    """A local query at its half-time, got to in so many steps."""
    parts = []
    for gap, system in flows:
        flow = dy.integrate(system, until=("target", 0.5), rtol=1e-11, atol=1e-13)
        eta = flow.t[-1] / np.array(p.divisions)
        ends = [dy.descend(system, *step, every=step[1]).y[:, -1] for step in zip(eta, p.divisions, strict=True)]
        error = [_off(end, flow.y[:, -1]) for end in ends]
        series = rf"$\Delta = {gap:+.2f}$"
        parts.append(rows(gap=STEP_SIZE, series=series, x=eta, error=error, spread=np.nan))
    return parts


def _sampling(p: Parameters, setting: dy.Setting, exact: dy.System) -> list[Table]:
    """A local query at its half-time: every local patch of every training, and as many sampled closures."""
    queries = range(p.sampled[0], int(setting.geometry.patches))
    step_size = float(dy.integrate(exact, until=("target", 0.5)).t[-1]) / p.sampled_steps
    run: dict[str, Any] = {"step_size": step_size, "steps": p.sampled_steps, "every": p.sampled_steps}
    end = dy.descend(exact, **run).y[:, -1]

    def transformers(samples: int, seed: int) -> list[Array]:
        training = dy.FiniteTransformer(setting, seed=seed, basis="coordinates").train(**run, samples=samples)
        return [training.of(query).y[:, -1] for query in queries]

    def closures(samples: int, seed: int) -> list[Array]:
        seeds = range(seed * len(queries), (seed + 1) * len(queries))
        systems = [dy.reduce(setting, "local", "sampled", samples=samples, seed=each) for each in seeds]
        return [dy.descend(system, **run).y[:, -1] for system in systems]

    ways: dict[str, Callable[[int, int], list[Array]]] = {CLOSURE: closures, TRANSFORMER: transformers}
    parts = []
    for series, way in ways.items():
        for samples in progress_of(p.samples, f"gaps: {series}"):
            off = [_off(last, end) for seed in range(p.seeds) for last in way(samples, seed)]
            parts.append(rows(gap=SAMPLING, series=series, x=float(samples), error=np.mean(off), spread=np.std(off)))
    return parts


def slope(part: Table) -> tuple[float, float]:
    """Slope and intercept of log error against log x."""
    fitted = np.polyfit(np.log(part["x"]), np.log(part["error"]), 1)
    return float(fitted[0]), float(fitted[1])


def draw(figure: Figure, table: Table, p: Parameters) -> None:
    """Errors as points; (a) with the line of rounding, (b) and (c) with fitted lines and their slopes."""
    from matplotlib.ticker import NullLocator

    exact, step, sampled = figure.subplots(1, 3)
    for gap, axes in zip((REDUCTION, STEP_SIZE, SAMPLING), (exact, step, sampled), strict=True):
        part = select(table, gap=gap)
        for series, look in zip(distinct(part["series"]), cycle(LOOK), strict=False):
            _points(axes, select(part, series=series), look)
        axes.set(xscale="log", yscale="log")
        title = "slope" if gap != REDUCTION else "largest, in roundings"
        axes.legend(loc=PLACES[gap], handlelength=2.4, title=title, title_fontsize=7, alignment="left")
    exact.axhline(ROUNDING, color=style.GREY, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    place: dict[str, Any] = {"xytext": (0, -3), "textcoords": "offset points", "ha": "right", "va": "top"}
    exact.annotate(f"rounding, $2^{{{np.log2(ROUNDING):.0f}}}$", (max(p.patches), ROUNDING), **place)
    exact.set(xlabel="number of patches $P$", ylim=(1e-17, 1e-12), xticks=p.patches, xticklabels=p.patches)
    for axes in (exact, sampled):
        axes.xaxis.set_minor_locator(NullLocator())
    exact.set_ylabel(r"largest error of $\Phi$, $\Upsilon$, relative")
    step.set_xlabel(r"step size $\eta$")
    sampled.set_xlabel("sampled masks $n$")
    sampled.set(ylim=(None, 0.6), xticks=p.samples, xticklabels=p.samples)
    titles = "(a) transformer $-$ reduction", "(b) descent $-$ flow", "(c) $n$ sampled masks $-$ all"
    for axes, title in zip((exact, step, sampled), titles, strict=True):
        axes.set_title(title, loc="left")


def _points(axes: Axes, part: Table, look: dict[str, Any]) -> None:
    """One series, labelled with its slope, or with its largest error where that is rounding."""
    spread = None if np.isnan(part["spread"]).all() else part["spread"]
    points = {**look, "linestyle": "none"}
    axes.errorbar(part["x"], part["error"], spread, **points)
    if part["gap"][0] == REDUCTION:
        axes.plot([], [], **points, label=f"{part['series'][0]}: {part['error'].max() / ROUNDING:.1f}")
        return
    power, intercept = slope(part)
    axes.plot(part["x"], np.exp(intercept) * part["x"] ** power, color=look["color"], linestyle=look["linestyle"])
    axes.plot([], [], **look, label=f"{part['series'][0]}: ${power:.2f}$")
