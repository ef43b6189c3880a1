"""The late law of the exact dynamics: 4t(L_p − L*_p) leaves the mean-field value 1 for the squared norm ‖θ*‖².

Mean-field has the loss of a patch at 1/(4t). The exact dynamics sit there only until masks that hide all of the target
area, rare as they are, are most of what is left of the loss; where γP is below the size of that area, for ever. Then
4t(L_p − L*_p) goes to the squared norm of the max-margin direction, in which those scores win that win at half-time.
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
from figures.moments import excess_times_4t
from figures.ranges import Count, Masked, Positive, masked_setting
from figures.table import Table, keep, rows, select, stack

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (style.PAGE, 3.1)
LAST = 300  # log10 of times that are floats
EXACT, LIMIT = "exact reduction", "limit, extrapolated"
CHOSEN, LEAST = "max-margin, winners of the half-time", "max-margin, least of all"

Array = npt.NDArray[np.float64]


SMALL = ((8, 2, 4, 8), (8, 4, 3, 10), (88, 3, 4, 50), (40, 6, 4, 32), (24, 12, 2, 12), (12, 8, 2, 7))
LARGE = ((98, 7, 14, 98), (98, 14, 7, 98))  # P = 196: by the integral


class Parameters(NamedTuple):
    """(global size, local size, local areas, masked patches), small local areas first; and how far and fine."""

    geometries: tuple[Masked, ...] = SMALL + LARGE
    last: Positive = 30.0  # log10 of the last time shown
    beyond: Positive = 2.0  # decades more, after which the loss is taken to fall as 1/t
    per_decade: Count = 20
    every: Count = 1  # show every so many
    window: Positive = 5.0  # decades between the three values of an extrapolation


COLUMNS = {
    "areas": "patches of the global area + number × patches of the local ones",
    "local_size": "patches of a local area",
    "patches": "number of patches P",
    "masked": "masked patches γP",
    "source": "exact reduction, its limit, or a squared max-margin norm",
    "t": "time, η · iteration",
    "value": "4t(L_p − L*_p), or what it tends to",
    "error": "uncertainty of the limit",
}
FLOORS = {"error": 1e-3}  # the uncertainty of a limit: a small difference of large numbers
QUICK: dict[str, Any] = {"geometries": SMALL, "per_decade": 18, "every": 3}


def data(p: Parameters) -> Table:
    """4t(L_p − L*_p) of a local query from its half-time on, its limit, and the max-margin ‖θ*‖²."""
    decades = p.last + p.beyond
    accept(decades <= LAST, "last", p.last, f"so few decades that with those beyond they are at most {LAST}")
    systems = [dy.reduce(masked_setting(sizes), "local") for sizes in p.geometries]
    parts = list[Table]()
    cases = list(zip(p.geometries, systems, strict=True))
    for (*sizes, masked), system in progress_of(cases, "late-exact: geometries"):
        setting = system.setting
        half = dy.integrate(system, until=("target", 0.5))
        log_t = np.linspace(half.log_t[-1], decades * math.log(10), round(p.per_decade * decades))
        t = np.exp(log_t)
        flow = dy.integrate(system, t_end=t[-1], t_eval=t, variable="log-time", rtol=1e-9, atol=1e-11)
        value = excess_times_4t(system, flow)
        shown = np.flatnonzero(log_t <= p.last * math.log(10))[:: p.every]
        limit, error = _limit(log_t / math.log(10), value, p)
        chosen, least = dy.max_margin(setting, "local", half.y[:, -1]), dy.max_margin(setting, "local")
        fixed: dict[str, Any] = {"areas": f"{sizes[0]} + {sizes[2]}×{sizes[1]}", "local_size": sizes[1]}
        fixed |= {"patches": setting.geometry.patches, "masked": masked}
        parts += [
            rows(**fixed, source=EXACT, t=t[shown], value=value[shown], error=np.nan),
            rows(**fixed, source=LIMIT, t=np.nan, value=limit, error=error),
            rows(**fixed, source=CHOSEN, t=np.nan, value=chosen.squared_norm, error=np.nan),
            rows(**fixed, source=LEAST, t=np.nan, value=least.squared_norm, error=np.nan),
        ]
    return stack(parts)


def _limit(log10_t: Array, value: Array, p: Parameters) -> tuple[float, float]:
    """The limit, were the rest a power of t, and its error: the limit that a window earlier would have given."""

    def at(last: float) -> float:
        a, b, c = np.interp(last - p.window * np.array([2, 1, 0]), log10_t, value)
        ratio = (c - b) / (b - a)
        return float(c + (c - b) * ratio / (1 - ratio)) if abs(c - b) > 1e-6 and 0 < ratio < 1 else float(c)

    return at(p.last), abs(at(p.last) - at(p.last - p.window))


def draw(figure: Figure, table: Table, p: Parameters) -> None:
    """Left small local areas, often wholly masked; right larger ones, where the mean-field law holds for long."""
    from matplotlib.ticker import FuncFormatter

    panels = figure.subplots(1, 2, sharey=True)
    large = table["local_size"] > 6
    for axes, chosen, title in zip(
        panels,
        (~large, large),
        ("(a) local areas of 2 to 6 patches", "(b) local areas of 7 to 14 patches"),
        strict=True,
    ):
        part = keep(table, chosen)
        axes.axhline(1, color=style.GREY, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
        each = dict.fromkeys(zip(part["areas"].tolist(), part["masked"].tolist(), strict=True))
        for (areas, masked), look in zip(each, style.LOOK.values(), strict=False):
            _curve(axes, select(part, areas=areas, masked=masked), look)
        axes.set(xscale="log", yscale="log", xlim=(10, 1e34), xlabel="time $t$")
        axes.set_title(title, loc="left")
        axes.legend(loc="upper right", handlelength=2.6)
    panels[0].set(ylabel=r"$4t\,(L_p - L_p^\ast)$", ylim=(0.7, 40), yticks=(1, 2, 5, 10, 20))
    panels[0].yaxis.set_major_formatter(FuncFormatter("{:g}".format))
    dots = [axes.plot([], [], color=style.GREY, linestyle="none", **dot)[0] for dot in (FILLED, OPEN)]
    dash = axes.plot([], [], color=style.GREY, linewidth=0.8, linestyle=(0, (4, 3)))
    names = ["mean-field", r"$\|\theta^\ast\|^2$ with the masked scores that win at $T$", "the least of all"]
    figure.legend([*dash, *dots], names, loc="outside lower center", ncols=3)


FILLED: dict[str, Any] = {"marker": "o"}
OPEN: dict[str, Any] = {"marker": "o", "markerfacecolor": "none"}


def _curve(axes: Axes, part: Table, look: dict[str, Any]) -> None:
    """One geometry: its curve, and right of it the squared norms."""
    exact, chosen, least = (select(part, source=source) for source in (EXACT, CHOSEN, LEAST))
    line = {key: look[key] for key in ("color", "linestyle")}
    axes.plot(exact["t"], exact["value"], **line, label=f"{part['areas'][0]} patches, {part['masked'][0]} masked")
    for place, found, dot in ((10, chosen, FILLED), (100, least, OPEN)):
        axes.plot(place * exact["t"][-1], found["value"][0], color=look["color"], linestyle="none", **dot)
