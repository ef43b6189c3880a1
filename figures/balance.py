"""Dominant balance: the terms of the rates of Φ_target and Φ_global over time, and which of them drives which phase.

Every rate is a sum of terms, each from the residual of one kind of area. For Δ > 0 the largest of all is first that of
the global area's own residual, −γA_global², which pushes attention off it, at t·rate = −½; from T/3 on it is that of
the target's, γA_target, which pulls attention onto the target area, and then locks it. For Δ < 0 it is the target's
from the start. Lock-on itself goes off the top, as a power of P. After it mean-field keeps nothing but the target's
residual; in the exact dynamics masks that hide all of the target area are left, at which the global area's own residual
acts, and ends up largest again. (a) and (b) mean-field (large-P) at P = 10¹²; (c) exact, of 100 patches. All
continuous-time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

import dynamics as dy
from figures import style
from figures.ranges import Count, Kappas, Log10, Several, Share, Sizes, Window
from figures.table import Table, distinct, keep, rows, select, stack

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dynamics.closures import Closure

SIZE = (style.PAGE, 4.6)
MEAN_FIELD: Closure = "mean-field"
EXACT: Closure = "exact"
RATE = "rate"  # what the terms sum to
ENDS = "end of phase"  # under `coordinate`: then `term` is the phase, t_over_T its end

# Terms by the areas whose residual or stray they come from; "own" is that of the global area.
LOOK = {"target": style.LOOK["target"], "own": style.LOOK["global"], "global": style.LOOK["global"]}
LOOK |= {"other": style.LOOK["other"]}
SAID = {
    "target": "residual of the target area",
    "own": "residual of the global area",
    "global": "stray attention on the global area",
    "other": "stray attention on other areas",
}
SYMBOL = {"fp.target": r"$\Phi_\mathrm{target}$", "fp.global": r"$\Phi_\mathrm{global}$"}


class Parameters(NamedTuple):
    """κc, κs at a P that only mean-field takes; patches of areas and their number, exact; and the times shown."""

    kappas: tuple[Kappas, ...] = ((0.98, 0.3), (0.7, 0.6))
    log10_patches: Log10 = 12.0
    finite: tuple[Sizes, ...] = ((88, 3, 4),)
    mask_ratio: Share = 0.5
    window: Window = (1e-3, 1e3)  # in half-times
    per_decade: Count = 30
    nearest: Share = 2e-3  # to T, the half-time
    near: Several = 20  # times there on either side


COLUMNS = {
    "panel": "number of the panel",
    "closure": "mean-field (large-P) or exact",
    "patches": "number of patches P",
    "gap": "information gap Δ",
    "coordinate": "Φ (fp) of a local query; or end of phase, of which term is the name and t_over_T the end",
    "term": "residual that the term comes from; or rate, the sum of the terms",
    "t_over_T": "time, in half-times T",
    "value": "t · term: what it adds to the derivative of Φ by log t",
}
TOLERANCES = {"value": 1e-5}  # beside lock-on as far off as T is, times 1/|1 − t/T|
QUICK: dict[str, Any] = {"per_decade": 12, "near": 8}


def data(p: Parameters) -> Table:
    """Each term of both rates, times t, along the flow of a local query."""
    scaled = [dy.Geometry.scaling(p.log10_patches, *kappas) for kappas in p.kappas]
    finite = [dy.Geometry.single_cluster(*sizes) for sizes in p.finite]
    settings = [dy.Setting(geometry, mask_ratio=p.mask_ratio) for geometry in scaled + finite]
    closures = [MEAN_FIELD] * len(scaled) + [EXACT] * len(finite)
    systems = [dy.reduce(setting, "local", closure) for setting, closure in zip(settings, closures, strict=True)]
    gaps = [setting.information_gap for setting in settings]
    parts = list[Table]()
    for panel, (system, gap) in enumerate(zip(systems, gaps, strict=True)):
        patches = float(system.setting.geometry.patches)
        parts += _terms(system, {"panel": panel, "closure": system.closure, "patches": patches, "gap": gap}, p)
    return stack(parts)


def _terms(system: dy.System, fixed: dict[str, Any], p: Parameters) -> list[Table]:
    """Of one system; the times leave out lock-on itself, the narrower the larger P."""
    log_half = dy.log_half_time(system)
    decades = np.log10(p.window[1] / p.window[0])
    away = np.geomspace(p.nearest, 0.5, p.near)
    t = np.concatenate([np.geomspace(*p.window, round(p.per_decade * decades) + 1), 1 - away, 1 + away])
    t = np.unique(t[abs(t - 1) >= p.nearest * (1 - 1e-9)])
    flow = dy.integrate(system, t_end=t[-1] * np.exp(log_half), t_eval=t * np.exp(log_half), rtol=1e-9, atol=1e-11)
    ledgers = [system.terms(y, log_t) for y, log_t in zip(flow.y.T, flow.log_t, strict=True)]
    rates = np.exp(flow.log_t) * np.array([system.rate(y) for y in flow.y.T]).T
    parts = []
    for name in SYMBOL:
        for term in ledgers[0][name]:
            value = [ledger[name][term] for ledger in ledgers]
            parts.append(rows(**fixed, coordinate=name, term=term, t_over_T=t, value=value))
        value = rates[system.names.index(name)]
        parts.append(rows(**fixed, coordinate=name, term=RATE, t_over_T=t, value=value))
    for phase in flow.phases[:-1]:
        end = np.exp(phase.log_end - log_half)
        parts.append(rows(**fixed, coordinate=ENDS, term=phase.name, t_over_T=end, value=np.nan))
    return parts


def largest(panel: Table) -> tuple[npt.NDArray[np.float64], list[tuple[str, str]]]:
    """Times, and which term, of which coordinate, is the largest of all then."""
    terms = keep(panel, (panel["coordinate"] != ENDS) & (panel["term"] != RATE))
    kinds = list(dict.fromkeys(zip(terms["coordinate"].tolist(), terms["term"].tolist(), strict=True)))
    curves = [select(terms, coordinate=coordinate, term=term) for coordinate, term in kinds]
    first = np.abs([curve["value"] for curve in curves]).argmax(axis=0)
    return curves[0]["t_over_T"], [kinds[i] for i in first]


def draw(figure: Figure, table: Table, p: Parameters) -> None:
    """A column a system: terms of the rate of Φ_target, of that of Φ_global, and which is the largest of all."""
    panels = distinct(table["panel"])
    axes = figure.subplots(3, len(panels), sharex=True, sharey="row", squeeze=False, height_ratios=(10, 10, 1.3))
    for number, column in zip(panels, axes.T, strict=True):
        panel = select(table, panel=number)
        patches = panel["patches"][0]
        size = f"{patches:.0f}" if patches < 1e6 else f"10^{{{np.log10(patches):.0f}}}"
        title = rf"({'abc'[number]}) $\Delta = {panel['gap'][0]:+.2f}$, $P = {size}$, {panel['closure'][0]}"
        column[0].set_title(title, loc="left")
        _phases(column, select(panel, coordinate=ENDS), p)
        for axis, name in zip(column, SYMBOL, strict=False):
            _curves(axis, select(panel, coordinate=name))
        _strip(column[2], panel)
        column[2].set(xscale="log", xlim=p.window, xlabel="time $t / T$", ylim=(0, 1), yticks=())
    for axis, label in zip(axes[:, 0], (r"\mathrm{target}", r"\mathrm{global}"), strict=False):
        axis.set(yscale="log", ylim=(1e-7, 1e2))
        axis.set_ylabel(rf"$|t \cdot \mathrm{{term}}|$ of $d\Phi_{label}/dt$")
    axes[2, 0].set_ylabel("largest\nterm", rotation=0, ha="right", va="center")
    _legend(figure, axes[0, 0], table)


def _curves(axis: Axes, part: Table) -> None:
    rate = select(part, term=RATE)
    axis.plot(rate["t_over_T"], np.abs(rate["value"]), color=style.GREY, linewidth=3.5, alpha=0.35)
    for term in (term for term in distinct(part["term"]) if term != RATE):
        found, look = select(part, term=term), LOOK[term]
        axis.plot(found["t_over_T"], np.abs(found["value"]), color=look["color"], linestyle=look["linestyle"])


def _phases(column: Any, ends: Table, p: Parameters) -> None:
    """Decoupling and growth shaded, as deep as they are early; the names above."""
    starts = np.append(p.window[0], ends["t_over_T"])
    names = [*ends["term"].tolist(), "late"]
    for name, start, end in zip(names, starts, [*ends["t_over_T"], p.window[1]], strict=True):
        shade = {"decoupling": 0.22, "growth": 0.1, "late": 0.0}[name]
        for axis in column[:2]:
            axis.axvspan(start, end, color=style.GREY, alpha=shade, linewidth=0, zorder=0)
        said = {"decoupling": "I decoupling", "growth": "II" if len(names) > 2 else "growth"}.get(name, "late")
        place: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "va": "top", "ha": "center"}
        column[0].annotate(said, (np.sqrt(start * end), 0.985), fontsize=7, **place)


def _strip(axis: Axes, panel: Table) -> None:
    """Runs of one largest term as bars: in its colour, and of which rate it is a term."""
    t, kinds = largest(panel)
    starts = [0, *(i for i in range(1, len(t)) if kinds[i] != kinds[i - 1])]
    edges = [*np.append(t[0], np.sqrt(t[starts[1:]] * t[np.array(starts[1:], int) - 1])), t[-1]]
    for i, start, end in zip(starts, edges, edges[1:], strict=False):
        coordinate, term = kinds[i]
        axis.axvspan(start, end, facecolor=LOOK[term]["color"], linewidth=0)
        place: dict[str, Any] = {"color": "white", "fontsize": 7, "ha": "center", "va": "center"}
        axis.text(np.sqrt(start * end), 0.45, f"in {SYMBOL[coordinate]}", **place)


def _legend(figure: Figure, axis: Axes, table: Table) -> None:
    """Each term with its sign in both rates, and where it has one."""
    lines, labels = [], []
    for term, said in SAID.items():
        signs = []
        for name, symbol in SYMBOL.items():
            value = select(table, coordinate=name, term=term)["value"]
            if len(value):
                sign = "+" if (value >= 0).all() else "−" if (value <= 0).all() else "±"
                signs.append(f"{sign} in {symbol}")
        look = LOOK[term]
        lines.append(axis.plot([], [], color=look["color"], linestyle=look["linestyle"])[0])
        labels.append(f"{said} ({', '.join(signs)})")
    lines.append(axis.plot([], [], color=style.GREY, linewidth=3.5, alpha=0.35)[0])
    figure.legend(lines, [*labels, "the rate, their sum"], loc="outside lower center", ncols=2, handlelength=2.6)
