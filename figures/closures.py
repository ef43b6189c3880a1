"""How far each closure is from the exact one, in the size of the areas and along the flow, and what it costs.

At a generic state the rates of the mean-field closure are off by O(1/C) and those of the second-order one by O(1/C²),
C the size of an area. Along the flow states stop being generic at lock-on: from the half-time T on the second-order
closure is worse than the mean-field one. Where half of the patches are masked that lasts a tenth of T, while the
mean-field error passes through zero; where three quarters are, hundreds of T, and the second-order error soon is larger
than the rate. Long after T neither is of use: the largest exact rate is that of Φ to the global area, which comes from
masks that hide all of the target area, and mean counts do not see those. A rate is a sum: in the exact
closure over the counts of the target and of one other area (its conditional sum), in number like P^(3/2) once those too
unlikely to matter are left out; in the others over a number that does not depend on P.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

import dynamics as dy
from derivations._progress import progress_of
from figures import style
from figures.ranges import Count, Positive, Several, Share, Sizes, Window, corners
from figures.table import Table, distinct, rows, select, stack

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dynamics.closures import Closure

SIZE = (style.PAGE, 4.2)
SIZES, FLOW, COST = "against area size", "along the exact flow", "cost"
EXACT: Closure = "exact"
SAMPLED: Closure = "sampled"
MEAN_FIELD: Closure = "mean-field"
SECOND_ORDER: Closure = "second-order"
LOOK: dict[Closure, dict[str, Any]] = {
    EXACT: {"color": style.INK, "marker": "D"},
    SAMPLED: {"color": style.GREEN, "marker": "^"},
    MEAN_FIELD: {"color": style.VERMILLION, "marker": "o"},
    SECOND_ORDER: {"color": style.BLUE, "marker": "s"},
}


ERRING = [closure for closure in LOOK if closure != EXACT]
Array = npt.NDArray[np.float64]


class Parameters(NamedTuple):
    """Areas that grow alike, and the states there; then the geometry of the flow, and how finely it is followed."""

    sizes: tuple[Several, ...] = (6, 12, 24, 48, 96, 192, 384, 768)  # of a local area: P = 78 to 9,984
    global_ratio: Count = 8
    areas: Count = 5
    mask_ratio: Share = 0.5
    states: Count = 40
    scale: Positive = 1.0  # of Φ and Υ: attention on an area then depends on the state, hardly on P
    samples: Count = 1000
    flow: Sizes = (98, 7, 14)
    flow_ratios: tuple[Share, Share] = (0.5, 0.75)
    window: Window = (1e-2, 1e4)  # in half-times
    per_decade: Count = 40
    near: Window = (0.9, 1.3)  # lock-on, in half-times
    within: Several = 80  # times there


COLUMNS = {
    "part": "against area size, along the exact flow, or cost",
    "closure": "exact, or which is held against it",
    "mask_ratio": "γ",
    "local_size": "patches of a local area",
    "patches": "number of patches P",
    "t": "time, in half-times T",
    "error": "largest error of a rate over the largest exact rate",
    "cost": "summands of a rate: terms of the exact sum, samples, mean counts, or points on rays from these",
}
QUICK: dict[str, Any] = {"per_decade": 20, "within": 40}


def data(p: Parameters) -> Table:
    """The largest error of a rate over the largest exact rate: closure by closure, at every state, size and time."""
    areas = dy.Geometry.single_cluster(*p.flow)
    followed = [dy.reduce(dy.Setting(areas, mask_ratio=ratio), "local") for ratio in p.flow_ratios]
    return stack([*_at_generic_states(p), *_along_the_flow(p, followed)])


def _at_generic_states(p: Parameters) -> list[Table]:
    """Normal Φ and Υ, the same at every size; each state has a sample of its own."""
    parts, rng = list[Table](), np.random.default_rng(0)
    states: Array | None = None
    with corners() as measure:
        built = [measure(_exact, p, size, missing=None) for size in p.sizes]
    for size, exact in zip(progress_of(p.sizes, "closures: sizes"), built, strict=True):
        patches = (p.global_ratio + p.areas) * size
        fixed: dict[str, Any] = {"mask_ratio": p.mask_ratio, "local_size": size, "patches": patches, "t": np.nan}
        if exact is None:
            parts += [rows(part=SIZES, closure=each, **fixed, error=np.nan, cost=np.nan) for each in ERRING]
            continue
        parts.append(rows(part=COST, closure=EXACT, **fixed, error=np.nan, cost=_summands(exact)))
        if states is None:
            states = rng.normal(scale=p.scale, size=(p.states, len(exact.names)))
        for closure in ERRING:
            seeds = range(p.states) if closure == SAMPLED else [0]
            systems = [dy.reduce(exact.setting, "local", closure, samples=p.samples, seed=seed) for seed in seeds]
            error = [_error(systems[i % len(systems)], exact, y) for i, y in enumerate(states)]
            cost = _summands(systems[0])
            parts.append(rows(part=COST, closure=closure, **fixed, error=np.nan, cost=cost))
            parts.append(rows(part=SIZES, closure=closure, **fixed, error=error, cost=np.nan))
    return parts


def _exact(p: Parameters, size: int) -> dy.System:
    """The exact system where local areas have this size."""
    geometry = dy.Geometry.single_cluster(p.global_ratio * size, size, p.areas)
    return dy.reduce(dy.Setting(geometry, mask_ratio=p.mask_ratio), "local")


def _along_the_flow(p: Parameters, followed: list[dy.System]) -> list[Table]:
    """From Q = 0 on; time in half-times."""
    t = np.geomspace(*p.window, round(p.per_decade * np.log10(p.window[1] / p.window[0])) + 1)
    t = np.unique(np.append(t, np.geomspace(*p.near, p.within)))
    parts = []
    for exact in progress_of(followed, "closures: flows"):
        setting, patches = exact.setting, int(exact.setting.geometry.patches)
        half = dy.integrate(exact, until=("target", 0.5)).t[-1]
        times = half * t
        flow = dy.integrate(exact, t_end=times[-1], t_eval=times, variable="log-time", rtol=1e-9, atol=1e-11)
        for closure in (MEAN_FIELD, SECOND_ORDER):
            system = dy.reduce(setting, "local", closure)
            error = [_error(system, exact, y) for y in flow.y.T]
            fixed: dict[str, Any] = {"part": FLOW, "closure": closure, "mask_ratio": setting.mask_ratio}
            fixed |= {"local_size": p.flow[1], "patches": patches}
            parts.append(rows(**fixed, t=t, error=error, cost=np.nan))
    return parts


def _summands(system: dy.System) -> float:
    """Over how many rows or terms a rate is summed, or points on rays."""
    rule: Any = system.rule
    if system.closure == SECOND_ORDER:
        return float(len(rule.centre.weight) + len(rule.row) * len(rule.reach))
    return float(len(rule.weight))


def _error(system: dy.System, exact: dy.System, y: Array) -> float:
    rate = exact.rate(y)
    return float(np.abs(system.rate(y) - rate).max() / np.abs(rate).max())


def fit(table: Table, closure: Closure, part: str = SIZES, sizes: int = 4) -> tuple[float, float]:
    """Slope and intercept of log error, or cost, against log size: the line through medians at the largest sizes."""
    found = select(table, part=part, closure=closure)
    largest = distinct(found["local_size"])[-sizes:]
    name = "cost" if part == COST else "error"
    medians = [np.median(select(found, local_size=size)[name]) for size in largest]
    slope, intercept = np.polyfit(np.log(largest), np.log(medians), 1)
    return float(slope), float(intercept)


def crossings(table: Table, mask_ratio: float) -> Array:
    """t/T and error, (2, n), where the second-order closure gets worse than the mean-field one, or better again.

    On the straight line, in logarithms, between two times.
    """
    flow = select(table, part=FLOW, mask_ratio=mask_ratio)
    mean, second = (select(flow, closure=closure) for closure in (MEAN_FIELD, SECOND_ORDER))
    log_t, log_error = np.log(mean["t"]), np.log(mean["error"])
    lead = np.log(second["error"]) - log_error
    before = np.flatnonzero(np.diff(lead > 0))
    share = lead[before] / (lead[before] - lead[before + 1])
    at = [values[before] + share * (values[before + 1] - values[before]) for values in (log_t, log_error)]
    return np.exp(at)


def draw(figure: Figure, table: Table, p: Parameters) -> None:
    """Left medians and ranges over states, with the lines of the four largest sizes, and cost; right errors in time."""
    parts: Any = figure.subfigures(1, 2)
    left, right = parts
    sizes, cost = left.subplots(2, 1, sharex=True, height_ratios=(1.6, 1))
    for closure in LOOK:
        if closure != EXACT:
            _sizes(sizes, table, closure, p)
        _cost(cost, table, closure)
    sizes.set(xscale="log", yscale="log", ylabel="error of the rate", ylim=(4e-11, None))
    sizes.set_title("(a) generic states, areas all growing alike", loc="left")
    cost.set(xlabel=r"size of a local area, $C_\mathrm{local}$", ylabel="summands", ylim=(0.5, 2e6), yscale="log")
    cost.set_title("(b) cost of a rate", loc="left")
    sizes.legend(loc="lower left", handlelength=1.5, title="slope", title_fontsize=7, alignment="left")

    below = right.subplots()
    close = below.inset_axes((0.57, 0.08, 0.41, 0.38))
    flow = select(table, part=FLOW)
    for axes in (below, close):
        _flow(axes, table, flow)
    close.set(xlim=(p.near[0], p.near[1]), xscale="linear", ylim=(1e-3, 3), xticks=(0.9, 1, 1.1, 1.2, 1.3))
    close.tick_params(labelsize=6)
    below.set(xlabel="time $t / T$", ylabel="error of the rate", ylim=(5e-7, 5))
    below.set_title(f"(c) along the exact flow, $P = {flow['patches'][0]}$", loc="left")
    lines = {rf"$\gamma = {ratio:g}$": {"linestyle": line} for ratio, line in _lines(flow).items()}
    names = (MEAN_FIELD, SECOND_ORDER)
    drawn = [below.plot([], [], **LOOK[closure])[0] for closure in names]
    drawn += [below.plot([], [], color=style.GREY, **look)[0] for look in lines.values()]
    drawn += below.plot([], [], **EQUAL)
    right.legend(drawn, [*names, *lines, "equal"], loc="outside lower center", ncols=3, handlelength=2.4)


EQUAL: dict[str, Any] = {
    "color": style.INK,
    "marker": "o",
    "markersize": 4,
    "markerfacecolor": "none",
    "linestyle": "none",
}


def _sizes(axes: Axes, table: Table, closure: Closure, p: Parameters) -> None:
    found, look = select(table, part=SIZES, closure=closure), LOOK[closure]
    sizes = np.array(distinct(found["local_size"]))
    errors = [select(found, local_size=size)["error"] for size in sizes.tolist()]
    low, middle, high = np.array([np.quantile(error, (0, 0.5, 1)) for error in errors]).T
    slope, intercept = fit(table, closure)
    x = sizes * (1.12 if closure == SAMPLED else 1)  # its bars would hide those of mean-field
    number = f" ({p.samples:,})" if closure == SAMPLED else ""
    label = f"{closure}{number}: $-{-slope:.2f}$"
    axes.errorbar(x, middle, (middle - low, high - middle), **look, linestyle="none", elinewidth=0.6, label=label)
    axes.plot(x, np.exp(intercept) * sizes**slope, color=look["color"], linewidth=0.8)


def _cost(axes: Axes, table: Table, closure: Closure) -> None:
    found, slope = select(table, part=COST, closure=closure), fit(table, closure, COST)[0]
    axes.plot(found["local_size"], found["cost"], **LOOK[closure], linewidth=0.8)
    label = closure if abs(slope) < 1e-9 else f"{closure}: slope ${slope:.2f}$"
    place: dict[str, Any] = {"textcoords": "offset points", "ha": "right", "fontsize": 7}
    at, shift = (-2, (-8, 2)) if closure == EXACT else (-1, (0, 3))
    axes.annotate(label, (found["local_size"][at], found["cost"][at]), xytext=shift, **place)


def _lines(flow: Table) -> dict[float, Any]:
    """The line of each mask ratio."""
    return dict(zip(distinct(flow["mask_ratio"]), ("-", (0, (3, 1.5))), strict=True))


def _flow(axes: Axes, table: Table, flow: Table) -> None:
    """Errors in time, and where those of the two closures are equal."""
    for ratio, line in _lines(flow).items():
        for closure in (MEAN_FIELD, SECOND_ORDER):
            curve = select(flow, mask_ratio=ratio, closure=closure)
            axes.plot(curve["t"], curve["error"], **LOOK[closure], linestyle=line, markevery=0.13)
        axes.plot(*crossings(table, ratio), **EQUAL)
    axes.axvline(1, color=style.GREY, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    axes.set(xscale="log", yscale="log")
