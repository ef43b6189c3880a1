"""The loss above its infimum against time: the late laws, and the paper's bound on the time with its slack.

(a) L_p − L*_p of a local patch, exact reduction and transformers: after lock-on 1/(4t), the mean-field law, and the
paper's time T(ε) as the line ε(T), its constant taken as one and its ε read as that of one patch; beside it how many
times longer it is than the time taken. (b) The same times 4t, for longer: mean-field's 1 is a plateau, and the limit
the squared norm ‖θ*‖² of the max-margin direction. (c) The slack of the bound: above one for a patch. For the
loss of the paper, a sum over P patches and so about P/(4t), it is the smaller the larger P, and below one until ε is
very small. Exact, continuous-time; T(ε) is the paper's large-P form.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

import dynamics as dy
from derivations._progress import progress_of
from derivations._shell import accept
from figures import style
from figures.evidence import papers_log_time
from figures.moments import excess_times_4t
from figures.ranges import Count, Masked, Positive, Several, Share, masked_setting
from figures.table import Table, distinct, rows, select, stack

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (style.PAGE, 3.3)
EXACT, TRANSFORMER, NORM = "exact reduction", "transformer", "max-margin"
BOUND, SLACK = "paper's bound", "slack"
PATCH, ALL = "a local patch", "all patches"

SUBTRACTED = 1e-5  # L_p − L*_p down to which it is a difference, below it an integral
BEYOND = 100.0  # the last times, where the loss is taken to fall as 1/t, are not shown
LATE = 1e4  # from where curves are smooth in log t
LAST = 1e290  # times that are floats
QUERIES: tuple[Literal["local", "global"], ...] = ("local", "global")
LARGE = 1000  # patches, from where (b) would need still later times
DASHED: dict[str, Any] = {"color": style.GREY, "linewidth": 0.8, "linestyle": (0, (4, 3)), "zorder": 0}

Array = npt.NDArray[np.float64]


class Parameters(NamedTuple):
    """Geometries (global size, local size, local areas, masked patches); how they are followed, and one trained."""

    geometries: tuple[Masked, ...] = ((24, 12, 2, 12), (98, 7, 14, 98), (8320, 16, 105, 5000))
    first: Positive = 0.3
    last: Positive = 1e30
    per_decade: Count = 20
    per_decade_early: Count = 100  # where attention locks
    bound_least: Share = 1e-6  # ε down to which T(ε) is drawn
    bound_points: Several = 25
    log10_slack: tuple[int, ...] = (-1, -2, -3, -4, -5, -6, -7, -8)  # ε at which the bound is held against the time
    trained: Masked = (24, 12, 2, 12)
    step_size: Positive = 1.0
    steps: Count = 200
    samples: Count = 64  # few, so that trainings differ visibly
    seeds: Count = 8
    marks: Several = 12


COLUMNS = {
    "areas": "patches of the global area + number × patches of the local ones",
    "patches": "number of patches P",
    "local_size": "patches of a local area, C",
    "masked": "masked patches γP",
    "share": "whose loss: of a local patch, L_p, or of all patches, L",
    "source": "exact reduction, transformer, paper's bound, its slack, or max-margin",
    "t": "time, η · iteration; of the bound T(ε); of the slack the time taken",
    "value": "L − L*; of bound and slack ε; of max-margin ‖θ*‖², the limit of 4t(L_p − L*_p)",
    "spread": "of the transformer: standard deviation over trainings of the mean over local patches",
    "slack": "T(ε) over the time taken",
}
FLOORS = {"value": 1e-300}  # it falls as 1/t
TOLERANCES = {"value": 1e-5, "spread": 1e-5, "slack": 1e-4}  # the order of sums over samples; times of a solver
QUICK: dict[str, Any] = {
    "geometries": ((24, 12, 2, 12), (98, 7, 14, 98)),
    "per_decade": 16,
    "per_decade_early": 60,
    "steps": 120,
    "seeds": 3,
}


def data(p: Parameters) -> Table:
    """L − L* of a local patch and of all, exact and trained; the paper's bound and its slack; and the limits."""
    accept(p.trained in p.geometries, "trained", p.trained, "one of the geometries")
    accept(p.first < LATE, "first", p.first, f"a time before {LATE:g}")
    accept(LATE / BEYOND < p.last < LAST, "last", p.last, f"a time in ({LATE / BEYOND:g}, {LAST:g})")
    systems = [[dy.reduce(masked_setting(sizes), query) for query in QUERIES] for sizes in p.geometries]
    parts = list[Table]()
    cases = list(zip(p.geometries, systems, strict=True))
    for sizes, of_queries in progress_of(cases, "loss: geometries"):
        *areas, masked = sizes
        setting = of_queries[0].setting
        patches = int(setting.geometry.patches)
        fixed: dict[str, Any] = {"areas": f"{areas[0]} + {areas[2]}×{areas[1]}", "patches": patches}
        fixed |= {"local_size": areas[1], "masked": masked}
        parts += _exact(of_queries, areas, fixed, p)
        if sizes == p.trained:
            parts.append(_trained(setting, range(areas[0], patches), fixed, p))
    return stack(parts)


def _exact(systems: list[dy.System], areas: list[int], fixed: dict[str, Any], p: Parameters) -> list[Table]:
    """Both losses along the flow, the limit of that of a patch, the bound, and its slack for both."""
    grids = (p.first, LATE, p.per_decade_early), (LATE, p.last * BEYOND, p.per_decade)
    t = np.unique(np.concatenate([np.geomspace(a, b, round(n * math.log10(b / a)) + 1) for a, b, n in grids]))
    (patch, limit), (of_global, _) = (_follow(system, t) for system in systems)
    losses = {PATCH: patch, ALL: areas[2] * areas[1] * patch + areas[0] * of_global}
    kappa_s, log_patches = math.log(areas[1]) / math.log(fixed["patches"]), math.log(fixed["patches"])

    def allowed(excess: float) -> float:
        return math.exp(papers_log_time(log_patches, kappa_s, excess))

    empty: dict[str, Any] = {"spread": np.nan, "slack": np.nan}
    parts = [rows(**fixed, share=PATCH, source=NORM, t=np.nan, value=limit, **empty)]
    line = np.geomspace(1, p.bound_least, p.bound_points)
    parts.append(rows(**fixed, share=PATCH, source=BOUND, t=[allowed(excess) for excess in line], value=line, **empty))
    for share, value in losses.items():
        shown = t <= p.last
        parts.append(rows(**fixed, share=share, source=EXACT, t=t[shown], value=value[shown], **empty))
        for excess in 10.0 ** np.array(p.log10_slack):
            taken = math.exp(np.interp(-math.log(excess), -np.log(value), np.log(t)))
            held: dict[str, Any] = {"t": taken, "value": excess, "spread": np.nan, "slack": allowed(excess) / taken}
            parts.append(rows(**fixed, share=share, source=SLACK, **held))
    return parts


def _follow(system: dy.System, t: Array) -> tuple[Array, float]:
    """L_p − L*_p of a query, and the limit of 4t times it."""
    setting, query = system.setting, system.query
    half = dy.integrate(system, until=("target", 0.5))
    flow = dy.integrate(system, t_end=t[-1], t_eval=t, rtol=1e-9, atol=1e-11)
    limit = dy.max_margin(setting, query, half.y[:, -1]).squared_norm
    excess = flow.loss - setting.loss_floor_of(query)
    # lock-on is too short for the integral, but there the difference has its digits
    return np.where(excess > SUBTRACTED, excess, excess_times_4t(system, flow) / (4 * t)), limit


def _trained(setting: dy.Setting, patches: range, fixed: dict[str, Any], p: Parameters) -> Table:
    """Of transformers on sampled masks, the mean over these patches: its mean and spread over trainings."""
    marks = np.unique(np.rint(np.geomspace(1, p.steps, p.marks)).astype(int))
    found = []
    for seed in progress_of(range(p.seeds), "loss: training transformers"):
        training = dy.FiniteTransformer(setting, seed=seed, basis="coordinates").train(p.step_size, p.steps, p.samples)
        found.append(np.mean([training.of(patch).loss[marks] for patch in patches], axis=0))
    excess = np.array(found) - setting.loss_floor_of("local")
    more: dict[str, Any] = {"value": excess.mean(axis=0), "spread": excess.std(axis=0), "slack": np.nan}
    return rows(**fixed, share=PATCH, source=TRANSFORMER, t=p.step_size * marks, **more)


def draw(figure: Figure, table: Table, p: Parameters) -> None:
    """Left the loss of one geometry, middle the late laws, right the slack of the bound."""
    early, late, slack = figure.subplots(1, 3)
    looks = dict(zip(distinct(table["areas"]), style.LOOK.values(), strict=False))
    areas = distinct(select(table, source=TRANSFORMER)["areas"])[0]
    _early(early, select(table, areas=areas), looks[areas], p)
    for name, look in looks.items():
        part = select(table, areas=name)
        if part["patches"][0] < LARGE:
            _late(late, part, look)
        for share, fill in ((PATCH, {}), (ALL, {"markerfacecolor": "white"})):
            found = select(part, source=SLACK, share=share)
            slack.plot(found["value"], found["slack"], **look, **fill)
    late.axhline(1, **DASHED)
    late.set(xscale="log", yscale="log", xlim=(30, 1e34), ylim=(0.5, 100), xlabel="time $t$")
    late.set_title(r"(b) $4t\,(L_p - L_p^\ast)$", loc="left")
    slack.axhline(1, **DASHED)
    slack.set(xscale="log", yscale="log", xlabel=r"$\varepsilon$")
    slack.invert_xaxis()
    for height, said in ((3.2, "long enough"), (0.33, "too short")):
        place: dict[str, Any] = {"transform": slack.get_yaxis_transform(), "ha": "right", "va": "center"}
        slack.text(0.99, height, said, color="#666666", fontsize=7, **place)
    slack.set_title(r"(c) bound $T(\varepsilon)$ / time taken", loc="left")
    _legend(figure, early, looks, table)


def _early(axes: Axes, part: Table, look: dict[str, Any], p: Parameters) -> None:
    """Loss, laws and bound, and the slack between loss and bound."""
    exact, trained, bound = (select(part, share=PATCH, source=s) for s in (EXACT, TRANSFORMER, BOUND))
    axes.plot(exact["t"], exact["value"], color=look["color"])
    points: dict[str, Any] = {"color": look["color"], "marker": look["marker"], "linestyle": "none"}
    axes.errorbar(trained["t"], trained["value"], trained["spread"], **points)
    axes.plot(exact["t"], 1 / (4 * exact["t"]), **DASHED)  # result late-mean-field
    axes.plot(bound["t"], bound["value"], color=style.INK, linestyle="-.")
    held = select(part, share=PATCH, source=SLACK)
    for taken, excess, slack in zip(held["t"], held["value"], held["slack"], strict=True):
        if p.bound_least * 2 < excess < 0.05:
            arrow: dict[str, Any] = {"arrowstyle": "<->", "color": style.GREY, "linewidth": 0.6, "shrinkA": 0}
            axes.annotate("", (taken, excess), (taken * slack, excess), arrowprops=arrow | {"shrinkB": 0})
            place: dict[str, Any] = {"ha": "center", "va": "top", "fontsize": 7}
            axes.text(taken * math.sqrt(slack), excess / 1.2, f"×{slack:.0f}", **place)
    axes.set(xscale="log", yscale="log", xlim=(exact["t"][0], 3e7), ylim=(1e-6, 1), xlabel="time $t$")
    axes.set_title(f"(a) $L_p - L_p^\\ast$, $P = {part['patches'][0]}$", loc="left")


def _late(axes: Axes, part: Table, look: dict[str, Any]) -> None:
    """One geometry: 4t(L_p − L*_p), and right of it its limit."""
    exact, norm = (select(part, share=PATCH, source=source) for source in (EXACT, NORM))
    axes.plot(exact["t"], 4 * exact["t"] * exact["value"], color=look["color"], linestyle=look["linestyle"])
    axes.plot(30 * exact["t"][-1], norm["value"][0], color=look["color"], marker="*", markersize=5)


def _legend(figure: Figure, axes: Axes, looks: dict[str, Any], table: Table) -> None:
    lines, labels = list[Any](), list[str]()
    for areas, look in looks.items():
        part = select(table, areas=areas)
        lines.append(axes.plot([], [], **look)[0])
        labels.append(f"{areas} patches, {part['masked'][0]:,} masked")
    lines += axes.plot([], [], color=style.INK, linestyle="-.")
    lines += axes.plot([], [], **DASHED)
    lines += axes.plot([], [], color=style.GREY, marker="*", markersize=5, linestyle="none")
    lines.append(axes.errorbar([], [], [], color=style.LOOK["target"]["color"], marker="o", linestyle="none"))
    labels += [r"paper's $\varepsilon(T)$, (a)", "mean-field $1/(4t)$; in (c) 1", r"$\|\theta^\ast\|^2$, (b)"]
    labels += ["transformers, ± s.d. of trainings"]
    for share, fill in ((r"(c) $L_p$, of a patch", {}), ("(c) $L$, of all", {"markerfacecolor": "white"})):
        dots: dict[str, Any] = {"color": style.GREY, "marker": "o", "linestyle": "none"}
        lines += axes.plot([], [], **dots | fill)
        labels.append(share)
    figure.legend(lines, labels, loc="outside lower center", ncols=3, handlelength=2.6)
