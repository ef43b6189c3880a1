"""The position–position correlations Υ: how small they are, and where they matter all the same.

(a) At the half-time T Υ_target, of the patches of the query's own area, is a power of P, P^{−κs}, below Φ_target, and
all other Υ are far below that: exact at 10² to 10⁴ patches, mean-field (large-P) beyond. (b) So Υ matters through the
size C of the local area alone: were it held at zero, T would be nearly C/(C − 1) times as long, and long after T the
loss of small areas, which are often wholly masked, several times as large (exact). (c) After T it grows without bound,
as log t/(2C), until masked patches of the query's own area compete (mean-field). All continuous-time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import cycle
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

import dynamics as dy
from derivations._progress import progress_of
from figures import style
from figures.moments import until_half_time
from figures.ranges import Count, Digits, Kappas, Positive, Several, Share, Window, corners
from figures.table import Table, distinct, rows, select, stack

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dynamics.closures import Closure

SIZE = (style.PAGE, 3.3)
MAGNITUDE, HELD, LATER = "at T", "held at zero", "after T"
DERIVED = "derived"  # in place of a closure: the power of P that Υ_target/Φ_target is
HALF_TIME, LOSS = "half-time", "late loss"
FIRST = -12.0  # log t at which the flow with Υ at zero starts
FROM = 10.0  # half-times, from where Υ_target is held against its late growth

NOTHING = dict.fromkeys(
    ("fp.target", "fp.global", "fp.other", "pp.target", "pp.global", "pp.other", "pp.self"), math.nan
)

Array = npt.NDArray[np.float64]

BROAD: dict[str, Any] = {
    "color": style.GREY,
    "linewidth": 3.5,
    "alpha": 0.35,
}  # what is derived, under what is measured
FP_LOOK: dict[str, Any] = {"color": style.PURPLE, "linestyle": "-", "marker": "P"}
SAID = {
    "fp.target": r"$\Phi$ of target area",
    "pp.target": r"$\Upsilon$ target",
    "pp.global": r"$\Upsilon$ global",
    "pp.other": r"$\Upsilon$ other",
    "pp.self": r"$\Upsilon$ itself",
}


class Parameters(NamedTuple):
    """κc, κs and the P of (a); P, mask ratio and areas of (b) and (c), of which the local ones take a share."""

    kappas: Kappas = (0.98, 0.3)
    log10_patches: tuple[Digits, ...] = tuple(np.linspace(2, 14, 25).tolist())
    finite: tuple[Several, ...] = (100, 200, 400, 1000, 2000, 4000, 10000)
    mask_ratio: Share = 0.5
    local_sizes: tuple[Count, ...] = (2, 3, 4, 6, 8, 12, 24)
    areas: tuple[Count, Count] = (72, 24)  # patches of the global area, of all local ones
    late: Positive = 1e4  # in half-times
    wide_log10_patches: Digits = 6.0  # of (c)
    wide_sizes: tuple[Several, ...] = (2, 3, 6, 12)
    from_to: Window = (0.1, 1e6)  # in half-times
    points: Several = 100


COLUMNS = {
    "part": "at T (a), held at zero (b) or after T (c)",
    "closure": "exact, mean-field (large-P), or derived: the power of P that Υ_target/Φ_target is",
    "patches": "number of patches P",
    "local_size": "patches of a local area, C",
    "quantity": "Φ (fp) or Υ (pp) of a local query; or half-time or late loss, L_p − L*_p",
    "t_over_T": "time, in half-times T",
    "value": "of the coordinate; of half-time and loss that with Υ held at zero over that with it free",
}
TOLERANCES = {"value": 1e-5}  # ratios of two solves
QUICK: dict[str, Any] = {"log10_patches": tuple(float(x) for x in range(2, 15, 2)), "points": 25}
QUICK |= {"finite": (100, 1000, 10000), "local_sizes": (2, 3, 6, 12, 24)}


def data(p: Parameters) -> Table:
    """Φ and Υ at the half-time against P, what holding Υ at zero changes, and Υ_target after the half-time."""
    kappa_c, kappa_s = p.kappas
    parts = list[Table]()
    with corners() as measure:
        for x in p.log10_patches:
            found = measure(_at_half_time, p, "mean-field", dy.Geometry.scaling, x, *p.kappas, missing=NOTHING)
            parts += _magnitudes_at(found, "mean-field", 10.0**x, 10 ** (kappa_s * x))
        exponent = measure(_exponent, p)
        fixed: dict[str, Any] = {"part": MAGNITUDE, "closure": DERIVED, "patches": np.nan, "local_size": np.nan}
        parts.append(rows(**fixed, quantity="power of P", t_over_T=1.0, value=exponent))
    with corners() as measure:
        for patches in p.finite:
            size = round(patches**kappa_s)  # whole areas, as near to the scaling as they come
            number = round((patches - patches**kappa_c) / size)
            sizes = patches - number * size, size, number
            found = measure(_at_half_time, p, "exact", dy.Geometry.single_cluster, *sizes, missing=NOTHING)
            parts += _magnitudes_at(found, "exact", float(patches), float(size))
    with corners() as measure:
        for size in progress_of(p.local_sizes, "position: area sizes"):
            parts += _held(size, measure(_without, p, size, missing=(math.nan, math.nan)), p)
    with corners() as measure:
        for size in p.wide_sizes:
            parts.append(_later(size, measure(_afterwards, p, size), p))
    return stack(parts)


def _at_half_time(
    p: Parameters, closure: Closure, geometry: Callable[..., dy.Geometry], *sizes: float
) -> dict[str, float]:
    """Every coordinate at T."""
    system = dy.reduce(dy.Setting(geometry(*sizes), mask_ratio=p.mask_ratio), "local", closure)
    flow = until_half_time(system, rtol=1e-9, atol=1e-15)  # Υ is as small as 1/P
    return dict(zip(system.names, flow.y[:, -1].tolist(), strict=True))


def _magnitudes_at(found: dict[str, float], closure: Closure, patches: float, size: float) -> list[Table]:
    fixed: dict[str, Any] = {"part": MAGNITUDE, "closure": closure, "patches": patches, "local_size": size}
    return [rows(**fixed, quantity=name, t_over_T=1.0, value=value) for name, value in found.items()]


def _exponent(p: Parameters) -> float:
    """The derived power of P that Υ_target/Φ_target is."""
    predicted = dy.exponent("pp-over-fp", *p.kappas, mask_ratio=p.mask_ratio).predicted
    return math.nan if predicted is None else predicted


def _without(p: Parameters, size: int) -> tuple[float, float]:
    """Half-time and late loss with Υ held at zero, over those with it free."""
    from scipy.integrate import solve_ivp

    geometry = dy.Geometry.single_cluster(p.areas[0], size, p.areas[1] // size)
    setting = dy.Setting(geometry, mask_ratio=p.mask_ratio)
    system = dy.reduce(setting, "local")
    log_half = dy.log_half_time(system)
    log_end = log_half + math.log(p.late)
    free = np.array([name.startswith("fp") for name in system.names])

    def rate(log_t: float, y: Array) -> Array:  # by log t
        return free * system.rate(y) * math.exp(log_t)

    def locked(_: float, y: Array) -> float:
        return system.attention(y)["target"] - 0.5

    # starting at FIRST rather than at 0 delays it by as much
    solver: dict[str, Any] = {"method": "LSODA", "rtol": 1e-9, "atol": 1e-11, "events": locked}
    held = solve_ivp(rate, (FIRST, log_end), system.initial, **solver)
    late = dy.integrate(system, log_t_end=log_end).loss[-1], system.loss(held.y[:, -1])
    floor = setting.loss_floor_of("local")
    return math.exp(held.t_events[0][0] - log_half), (late[1] - floor) / (late[0] - floor)


def _held(size: int, found: tuple[float, float], p: Parameters) -> list[Table]:
    patches = float(p.areas[0] + p.areas[1] // size * size)
    fixed: dict[str, Any] = {"part": HELD, "closure": "exact", "patches": patches, "local_size": float(size)}
    named = zip((HALF_TIME, LOSS), (1.0, p.late), found, strict=True)
    return [rows(**fixed, quantity=name, t_over_T=t, value=value) for name, t, value in named]


def _afterwards(p: Parameters, size: int) -> Array:
    """Υ_target along the flow."""
    kappa_s = math.log10(size) / p.wide_log10_patches
    geometry = dy.Geometry.scaling(p.wide_log10_patches, p.kappas[0], kappa_s)
    system = dy.reduce(dy.Setting(geometry, mask_ratio=p.mask_ratio), "local", "mean-field")
    t = dy.half_time(system) * np.geomspace(*p.from_to, p.points)
    return dy.integrate(system, t_end=t[-1], t_eval=t)["pp.target"]


def _later(size: int, found: Any, p: Parameters) -> Table:
    patches = 10.0**p.wide_log10_patches
    fixed: dict[str, Any] = {"part": LATER, "closure": "mean-field", "patches": patches, "local_size": float(size)}
    return rows(**fixed, quantity="pp.target", t_over_T=np.geomspace(*p.from_to, p.points), value=found)


def slopes(table: Table) -> dict[str, float]:
    """The power of P by which each Υ falls below Φ_target: between the two largest P."""
    found = select(table, part=MAGNITUDE, closure="mean-field")
    scale = select(found, quantity="fp.target")
    names = [name for name in distinct(found["quantity"]) if name.startswith("pp")]
    ratios = {name: select(found, quantity=name)["value"] / scale["value"] for name in names}
    step = np.log(scale["patches"][-1] / scale["patches"][-2])
    return {name: float(np.log(ratio[-1] / ratio[-2]) / step) for name, ratio in ratios.items()}


def draw(figure: Figure, table: Table, p: Parameters) -> None:
    """Left how Υ shrinks with P, middle what holding it at zero changes, right how it grows after the half-time."""
    at_half_time, held, later = figure.subplots(1, 3)
    _magnitudes(at_half_time, select(table, part=MAGNITUDE), slopes(table))
    _changes(held, select(table, part=HELD), p)
    _growth(later, select(table, part=LATER))


def _magnitudes(axes: Axes, part: Table, slope: dict[str, float]) -> None:
    scale = select(part, quantity="fp.target", closure="mean-field")
    power = select(part, closure=DERIVED)["value"][0]
    said = rf"derived: $\Phi\,P^{{{power:.2f}}}$"
    axes.plot(scale["patches"], scale["value"] * scale["patches"] ** power, **BROAD, label=said)
    for name, label in SAID.items():
        line, points = (select(part, quantity=name, closure=closure) for closure in ("mean-field", "exact"))
        look = FP_LOOK if name == "fp.target" else style.look(name)
        axes.plot(line["patches"], np.abs(line["value"]), color=look["color"], linestyle=look["linestyle"])
        axes.plot(points["patches"], np.abs(points["value"]), **look | {"linestyle": "none"})
        measured = rf": $\Phi\,P^{{{slope[name]:.2f}}}$" if name in slope else ""
        axes.plot([], [], **look, label=label + measured)
    axes.set(xscale="log", yscale="log", ylim=(1e-21, 1e3), xlabel="number of patches $P$")
    axes.set_title(r"(a) $\Phi$ and $|\Upsilon|$ at the half-time $T$", loc="left")
    axes.legend(loc="lower left", handlelength=2.4)


def _changes(axes: Axes, part: Table, p: Parameters) -> None:
    size = np.array(distinct(part["local_size"]))
    later = rf"loss above its infimum at ${{10}}^{{{math.log10(p.late):.0f}}}\,T$"
    kinds = {LOSS: (later, style.BLUE, "s"), HALF_TIME: ("half-time $T$", style.VERMILLION, "o")}
    for name, (label, color, marker) in kinds.items():
        axes.plot(size, select(part, quantity=name)["value"], color=color, marker=marker, linestyle="none", label=label)
    line = np.geomspace(size[0], size[-1], 100)
    axes.plot(
        line, line / (line - 1), color=style.INK, label=r"$C/(C-1)$"
    )  # Υ_target = Φ_target/(C − 1): result pp-over-fp
    axes.set(xscale="log", yscale="log", xlabel="patches of a local area, $C$", ylim=(0.9, 60))
    for axis, ticks in ((axes.xaxis, size), (axes.yaxis, (1, 2, 5, 10, 20, 50))):
        axis.set_major_formatter("{x:g}")
        axis.set_ticks(ticks)
        axis.set_minor_formatter("")
    axes.set_title(r"(b) $\Upsilon$ held at 0 / $\Upsilon$ free", loc="left")
    axes.legend(loc="upper right")


def _growth(axes: Axes, part: Table) -> None:
    """Υ_target, and its growth as derived from 10 T on."""
    for size, look in zip(distinct(part["local_size"]), cycle(style.LOOK.values()), strict=False):
        curve = select(part, local_size=size)
        # Φ + Υ grows as ½ log t, and Υ as Φ/(C − 1): results late-mean-field-finite, late-pp
        line = {key: look[key] for key in ("color", "linestyle")}
        axes.plot(curve["t_over_T"], curve["value"], **line, label=f"$C={size:g}$")
        first = int((curve["t_over_T"] > FROM).argmax())
        t, value = curve["t_over_T"][first:], curve["value"][first]
        axes.plot(t, value + np.log(t / t[0]) / (2 * size), **BROAD)
    axes.plot([], [], **BROAD, label=r"growing as $\log t\,/\,2C$")
    axes.set(xscale="log", xlabel="time $t/T$", ylim=(0, 21))
    axes.set_title(r"(c) $\Upsilon_{p\to q}$, $q$ in target area", loc="left")
    axes.legend(loc="upper left")
