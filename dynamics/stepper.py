# ruff: noqa: F821 -- what differs between forms, and the tableau, stand in the generated module
"""Many solves at little cost: an explicit pair of order 8 along the curve's own length, compiled with the rates.

The pair, its error estimate, step control and dense output are those of SciPy's ``DOP853``, whose tableau the generated
module holds. Problems go side by side in *lanes*: all take a step together, each of its own length, and where one has
come to its end the next takes its place; no problem sees the others. Arrays are flat, what is of one kind of all lanes
together: number i of lane l is at i·lanes + l. As it stands the text is of one lane; ``source`` puts more in.

A solve ends at a log t, or where the attention on a group of patches gets to a level; and it notes where Φ of the
target began to change faster than every other Φ. Each is found on the dense output, then stepped to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dynamics.loops import Formula, jit

if TYPE_CHECKING:
    from dynamics.geometry import Array, Indices

stage: Formula  # of the tableau, written out by ``source``: the state at a stage
errors: Formula  # the two error estimates
bends: Formula  # the last four coefficients of the dense output
tangent: Formula
mean_attention: Formula
exp: Formula
log: Formula


# --- alike for every form ---

LEADS, ARRIVES, ENDS = 0, 1, 2


@jit
def interpolate(dense: Array, x: Array, part: float, out: Array) -> None:
    """The state of one lane after this part of a step, into `out`."""
    for i in range(len(x)):
        value = 0.0
        for power in range(6, -1, -1):
            value = (value + dense[power, i]) * (part if power % 2 == 0 else 1 - part)
        out[i] = x[i] + value


@jit
def came_to(event: int, here: float, there: float) -> bool:
    """Whether it happened between the ends of a step, given the misses there."""
    if event == LEADS:
        return here < 0 <= there
    if event == ENDS:
        return there >= 0
    return here <= 0 <= there or here >= 0 >= there


# --- around the rate, where all lanes have one rule ---


@jit
def tangents(x: Array, rules: Any, out: Array) -> None:
    """Of all lanes."""
    out[:] = tangent(x, rules)


@jit
def on_groups(x: Array, rules: Any, watch: Any, picks: Array, out: Array) -> None:
    """Attention on the groups picked, of all lanes."""
    on = mean_attention(x[:-1].copy().reshape((len(x) - 1, 1)), watch, 0)
    out[0] = 0.0
    for i in range(len(picks)):
        out[0] += picks[i] * on[i, 0]


@jit
def rules_of(rules: Any, lanes: int) -> Any:
    """Room for the rules of the problems in the lanes."""
    return rules


@jit
def put_rule(rules: Any, p: int, now: Any, l: int, lanes: int) -> None:
    """The rule of problem p, put in lane l."""


# --- around that, of one lane ---


@jit
def dense_of(x: Array, new: Array, h: Array, rule: Any, stages: Array) -> Array:
    """Coefficients of the dense output over a step, (7, d)."""
    d = len(x)
    out, at = np.empty((7, d)), np.empty(d)
    for s in range(13, 16):
        stage(s, x, h, stages, at)
        tangents(at, rule, stages[s * d : (s + 1) * d])
    for i in range(d):
        out[0, i] = new[i] - x[i]
        out[1, i] = h[0] * stages[i] - out[0, i]
        out[2, i] = 2 * out[0, i] - h[0] * (stages[12 * d + i] + stages[i])
        out[3, i], out[4, i], out[5, i], out[6, i] = bends(stages, i, d, h[0])
    return out


@jit
def part_where(
    event: int, below: float, above: float, dense: Array, x: Array, rule: Any, view: Any, aim: Array
) -> float:
    """The part of a step after which a miss is about zero, on the dense output, by the rule of Illinois."""
    low, high, side, slope, at, miss = 0.0, 1.0, 0, np.zeros_like(x), np.empty_like(x), np.empty(3)
    enough = 1e-7 * (abs(below) + abs(above))
    if above == below:
        return 1.0
    for _ in range(60):
        part = (low * above - high * below) / (above - below)
        interpolate(dense, x, part, at)
        if event == LEADS:
            tangents(at, rule, slope)
        misses(at, slope, rule, view, aim, miss)
        if abs(miss[event]) < enough or high - low < 1e-9:
            break
        if (miss[event] < 0) == (below < 0):
            low, below, above = part, miss[event], 0.5 * above if side < 0 else above
            side = -1
        else:
            high, above, below = part, miss[event], 0.5 * below if side > 0 else below
            side = 1
    return part


@jit
def landed(event: int, part: float, step: float, x: Array, rule: Any, stages: Array, view: Any, aim: Array) -> Array:
    """The state after about this part of a step, where a miss is zero: what is left goes by the tangent."""
    d, small, here, there = len(x), 1e-5 * step, np.empty(3), np.empty(3)
    h, new, at, slope, stages = np.full(1, part * step), np.empty(d), np.empty(d), np.empty(d), stages.copy()
    fill(x, h, rule, stages, new)
    last = stages[12 * d : 13 * d]
    for i in range(d):
        at[i] = new[i] + small * last[i]
    tangents(at, rule, slope)
    misses(new, last, rule, view, aim, here)
    misses(at, slope, rule, view, aim, there)
    gained = there[event] - here[event]
    rest = -here[event] * small / gained if gained != 0 else 0.0
    return new + (rest if abs(rest) < 0.01 * step else 0.0) * last


@jit
def settle(
    step: tuple[Array, Array, Array, Any, Array], view: Any, aim: Array, here: Array, there: Array, out: Array
) -> int:
    """Note in `out` what a step came to: where the target takes the lead, and the end; returns what ended it, or −1."""
    x, new, h, rule, stages = step
    over, last, which = dense_of(x, new, h, rule, stages), 1.0, -1
    for event in (ENDS, ARRIVES, LEADS):
        if came_to(event, here[event], there[event]):
            part = part_where(event, here[event], there[event], over, x, rule, view, aim)
            if event != LEADS and part <= last:
                last, which = part, event
            elif event == LEADS and part <= last and np.isnan(out[LEADS, 0]):
                out[LEADS] = landed(LEADS, part, h[0], x, rule, stages, view, aim)
    if which >= 0:
        out[ARRIVES] = landed(which, last, h[0], x, rule, stages, view, aim)
    return which


@jit
def enter(x: Array, rule: Any, view: Any, aim: Array, here: Array) -> Array:
    """The slope at a start; and the misses there, into `here`."""
    slope = np.empty_like(x)
    tangents(x, rule, slope)
    misses(x, slope, rule, view, aim, here)
    return slope


@jit
def record(step: tuple[Array, Array, Array, Any, Array], kept: Array, count: int) -> Array:
    """What is kept, and a step more: its length, the state at its end, the dense output over it."""
    x, new, h, rule, stages = step
    d = len(x)
    if count == kept.shape[1]:
        kept = np.concatenate((kept, np.empty_like(kept)), axis=1)
    kept[0, count] = kept[0, count - 1] + h[0]
    kept[1 : 1 + d, count] = new
    kept[1 + d :, count] = dense_of(x, new, h, rule, stages).reshape(7 * d)
    return kept


@jit
def begun(states: Array, rules: Any, latest: Array, atol: float) -> Array:
    """Every problem on its tangent at Q = 0, so early that the curve is well within tolerance of it: (y, log t)."""
    n, problems = states.shape
    out, x, slope, rule = np.zeros((n + 1, problems)), np.zeros(n + 1), np.empty(n + 1), rules_of(rules, 1)
    for p in range(problems):
        put_rule(rules, p, rule, 0, 1)
        x[:n], x[n] = states[:, p], 0.0
        tangents(x, rule, slope)
        rate, largest, bend = slope[:n] / slope[n], 1e-300, 0.0
        for i in range(n):
            largest = max(largest, abs(rate[i]))
        step = 1e-5 / largest
        x[:n], x[n] = states[:, p] + step * rate, log(step)
        tangents(x, rule, slope)
        for i in range(n):
            bend = max(bend, abs(slope[i] / slope[n] - step * rate[i]))
        moment = log(step) + 0.5 * log(1e-3 * atol / bend) if bend > 0 else 0.0
        out[n, p] = min(moment, latest[p])
        out[:n, p] = states[:, p] + exp(out[n, p]) * rate
    return out


# --- around the rate, of all lanes ---


@jit
def fill(x: Array, h: Array, rules: Any, stages: Array, new: Array) -> None:
    """The slopes of a step after the first, and the state at its end, whose slope is the last of them."""
    d, lanes = len(x), 1
    for s in range(1, 13):
        stage(s, x, h, stages, new)
        tangents(new, rules, stages[s * d * lanes : (s + 1) * d * lanes])


@jit
def misses(x: Array, slope: Array, rules: Any, view: Any, aims: Array, out: Array) -> None:
    """Lead of the target, attention above its level, log t past its last.

    The lead is how much faster Φ of the target changes than every other Φ.
    """
    d, lanes = len(x), 1
    watch, picks, kinds = view
    on_groups(x, rules, watch, picks, out[lanes : 2 * lanes])
    own, others = 0, 2 * lanes
    for l in range(lanes):
        out[own + l] = out[others + l] = 0.0
    for i in range(d - 1):
        if kinds[i] >= 0:
            into = own if kinds[i] == 1 else others
            for l in range(lanes):
                out[into + l] = max(out[into + l], abs(slope[i * lanes + l]))
    for l in range(lanes):
        out[l] -= out[others + l]
        out[lanes + l] -= aims[l]
        out[2 * lanes + l] = x[(d - 1) * lanes + l] - aims[lanes + l]


@jit
def estimate(x: Array, new: Array, h: Array, stages: Array, rtol: float, atol: float, out: Array) -> None:
    """Estimated error of the step of every lane over the tolerance; the other half of `out` is for its own use."""
    d, lanes = len(x), 1
    for l in range(2 * lanes):
        out[l] = 0.0
    for i in range(d):
        for l in range(lanes):
            scale = atol + rtol * max(abs(x[i * lanes + l]), abs(new[i * lanes + l]))
            fine, coarse = errors(stages, i * lanes + l, d * lanes)
            fine /= scale
            coarse /= scale
            out[l] += fine * fine
            out[lanes + l] += coarse * coarse
    for l in range(lanes):
        out[l] *= h[l] / np.sqrt((out[l] + 0.01 * out[lanes + l]) * d + 1e-300)  # 0 where there is no error


@jit
def changed(
    error: float, refused: bool, x: Array, l: int, kinds: Indices, longest: tuple[float, float], h: float
) -> float:
    """By what the next step of a lane is longer than the last, as SciPy has it, and as long as it may be."""
    d, lanes = len(x), 1
    if not error >= 0:
        return 0.2
    most, grown = 1.0 if refused else 10.0, 0.0
    if error > 0:
        most = min(most, max(0.2, 0.9 * error**-0.125))
    if error < 1:
        for i in range(d - 1):
            grown = max(grown, x[i * lanes + l]) if kinds[i] == 1 else grown
        if grown > 2 * longest[0]:
            most = min(most, max(longest[0], longest[1] * grown) / h)
    return most


@jit
def advance(l: int, x: Array, new: Array, stages: Array, here: Array, there: Array) -> None:
    """A lane goes to the end of its step."""
    lanes, size = len(here) // 3, len(x)
    for i in range(l, size, lanes):
        x[i], stages[i] = new[i], stages[12 * size + i]
    for i in range(l, 3 * lanes, lanes):
        here[i] = there[i]


@jit
def news(l: int, here: Array, there: Array) -> tuple[bool, bool]:
    """Whether the step of a lane came to anything, and whether to its end."""
    lanes = len(here) // 3
    ends = False
    for event in (ARRIVES, ENDS):
        ends = ends or came_to(event, here[event * lanes + l], there[event * lanes + l])
    return ends or came_to(LEADS, here[l], there[l]), ends


@jit
def march(
    starts: Array,
    rules: Any,
    view: tuple[Any, Array, Indices],
    aims: Array,
    longest: tuple[float, float],
    tolerances: tuple[float, float],
    lanes: int,
    keep: bool,
) -> tuple[Array, Array, Array]:
    """Where Φ of the target takes the lead, and the end, of every problem: (problems, 2, d), each (y, log t).

    Parameters
    ----------
    starts : (d, problems) array
    rules
        Of the problems.
    view
        The rule that attention is read off by; 1 for each group whose attention counts; 1 for each Φ of a target,
        0 for another, −1 for Υ.
    aims : (2, problems) array
        Attention and log t at which a problem ends.
    longest
        Once Φ of the target is twice longest[0] no step is longer than that, or than longest[1] times Φ of the target
        if that is more.
    tolerances
        Relative and absolute.
    keep : bool
        Record the steps of the only problem.

    Returns
    -------
    array, array, array
        NaN where a solve fails, or, of the lead, where it had it from the start. Of every problem how far attention is
        above its level at the start, the number of steps tried, and what ended it, −1 where it failed: (problems, 3).
        What is recorded, (1 + 8d, m): length, state, and the dense output since the last record.
    """
    (d, problems), (rtol, atol), size = starts.shape, tolerances, len(starts) * lanes
    out, said, following, left = np.full((problems, 2, d), np.nan), np.zeros((problems, 3)), 0, problems
    x, new, h, error = np.zeros(size), np.empty(size), np.zeros(lanes), np.empty(2 * lanes)
    stages, here, there, problem = np.zeros(16 * size), np.zeros(3 * lanes), np.zeros(3 * lanes), np.full(lanes, -1)
    now, rule, aim, refused = rules_of(rules, lanes), rules_of(rules, 1), np.zeros(2 * lanes), np.zeros(lanes, np.bool_)
    kept, count = np.zeros((1 + 8 * d, 64 if keep else 1)), 1
    kept[1 : 1 + d, 0] = starts[:, 0]
    for l in range(lanes):  # one that is never taken waits at a start
        x[l::lanes] = starts[:, 0]
        put_rule(rules, 0, now, l, lanes)
    while left > 0:
        for l in range(lanes):
            if problem[l] < 0 and following < problems:
                p, problem[l], following = following, following, following + 1
                x[l::lanes], aim[l::lanes], h[l], refused[l] = starts[:, p], aims[:, p], 0.1, False
                put_rule(rules, p, now, l, lanes)
                put_rule(rules, p, rule, 0, 1)
                one_here = np.empty(3)
                stages[l:size:lanes] = enter(starts[:, p].copy(), rule, view, aims[:, p].copy(), one_here)
                here[l::lanes], said[p, 0], said[p, 2] = one_here, one_here[ARRIVES], -1
        fill(x, h, now, stages, new)
        estimate(x, new, h, stages, rtol, atol, error)
        misses(new, stages[12 * size : 13 * size], now, view, aim, there)
        for l in range(lanes):
            p = problem[l]
            if p < 0:
                continue
            factor = changed(error[l], refused[l], new, l, view[2], longest, h[l])
            refused[l], said[p, 1] = not error[l] < 1, said[p, 1] + 1
            done = factor * h[l] < 1e-13 * (1 + abs(x[size - lanes + l])) or said[p, 1] > 1e6
            if not refused[l]:
                any_news, ended = news(l, here, there)
                done = done or ended
                if any_news or keep:
                    put_rule(rules, p, rule, 0, 1)
                    step = x[l::lanes].copy(), new[l::lanes].copy(), h[l : l + 1].copy(), rule, stages[l::lanes].copy()
                    said[p, 2] = settle(
                        step, view, aims[:, p].copy(), here[l::lanes].copy(), there[l::lanes].copy(), out[p]
                    )
                    if keep:
                        kept, count = record(step, kept, count), count + 1
                advance(l, x, new, stages, here, there)
            h[l] *= factor
            if done:
                problem[l], h[l], left = -1, 0.0, left - 1
    return out, said, kept[:, :count].copy()
