# ruff: noqa: F821 -- tangent, mean_attention and the tableau stand in the generated module
"""Many solves at little cost: an explicit pair of order 8 along the curve's own length, compiled with the rates.

The pair, its error estimate and its step control are those of SciPy's ``DOP853``, whose tableau the generated module
holds. It stops where the attention on the target gets to a level, and notes where Φ of the target began to change
faster than every other Φ: each is found as the length of a step that ends there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dynamics.loops import Formula, jit

if TYPE_CHECKING:
    from dynamics.geometry import Array, Indices

STAGES: Array  # (12, 12) coefficients of the stages from 1 on; the last are those of the end of the step
ERROR_3: Array  # (13,) of the two error estimates
ERROR_5: Array
tangent: Formula
mean_attention: Formula
target_of: Formula  # row of the target in mean_attention


# --- loops ---


@jit
def combined(weights: Array, count: int, stages: Array, out: Array) -> None:
    """Sum of the first so many stages, weighted, into `out`."""
    out[:] = 0.0
    for j in range(count):
        if weights[j] != 0:
            for i in range(len(out)):
                out[i] += weights[j] * stages[j, i]


@jit
def fill(x: Array, h: float, rule: Any, stages: Array, first: int) -> Array:
    """The slopes of a step from the stage `first` on; returns the state at its end, whose slope is the last."""
    at, change = x, np.empty_like(x)
    for s in range(first, 13):
        if s > 0:
            combined(STAGES[s - 1], s, stages, change)
            at = x + h * change
        stages[s] = tangent(at, rule)
    return at


@jit
def error_norm(x: Array, new: Array, h: float, stages: Array, rtol: float, atol: float) -> float:
    """Estimated error of a step over the tolerance."""
    fine, coarse = np.empty_like(x), np.empty_like(x)
    combined(ERROR_5, 13, stages, fine)
    combined(ERROR_3, 13, stages, coarse)
    of_fine, of_coarse = 0.0, 0.0
    for i in range(len(x)):
        scale = atol + rtol * max(abs(x[i]), abs(new[i]))
        of_fine += (fine[i] / scale) ** 2
        of_coarse += (coarse[i] / scale) ** 2
    if of_fine == 0 and of_coarse == 0:
        return 0.0
    return h * of_fine / np.sqrt((of_fine + 0.01 * of_coarse) * len(x))


@jit
def lead(slope: Array, kinds: Indices) -> float:
    """How much faster Φ of the target changes than every other Φ; kinds: 1 for the target's, 0 for other Φ."""
    own, others = 0.0, 0.0
    for i in range(len(kinds)):
        if kinds[i] == 1:
            own = max(own, abs(slope[i]))
        elif kinds[i] == 0:
            others = max(others, abs(slope[i]))
    return own - others


@jit
def on_target(x: Array, watch: Any) -> float:
    """Attention on the target area in the first cluster."""
    state = x[:-1].copy().reshape((len(x) - 1, 1))
    return mean_attention(state, watch, 0)[target_of(watch), 0]


@jit
def on_targets(x: Array, kinds: Indices) -> float:
    """The largest Φ of a target."""
    largest = 0.0
    for i in range(len(kinds)):
        if kinds[i] == 1:
            largest = max(largest, x[i])
    return largest


@jit
def moments(
    start: Array,
    rule: Any,
    watch: Any,
    kinds: Indices,
    level: float,
    last: float,
    longest: tuple[float, float],
    rtol: float,
    atol: float,
) -> tuple[Array, int]:
    """Where Φ of the target takes the lead, and where attention on it is at the level: (2, n + 1), each (y, log t).

    NaN where that is not reached before log t = last, or, of the first, where it leads from the start; and the number
    of steps tried. Once Φ of the target is twice longest[0] none is longer than that, or than longest[1]
    times Φ of the target if that is more.
    """
    LEADS, ARRIVES, NOTHING = 0, 1, -1
    out, stages = np.full((2, len(start)), np.nan), np.empty((13, len(start)))
    x, h, tried, sought = start, 0.0, 0, NOTHING  # a step of no length has the slope at the start
    here, there, below, above = np.empty(2), np.empty(2), 0.0, 0.0  # lead, and attention above the level
    low, high, side = 0.0, 0.0, 0  # lengths of a step between which what is sought lies, and which was changed last
    while x[-1] < last and tried < 10_000_000:
        new = fill(x, h, rule, stages, min(tried, 1))
        there[:] = lead(stages[12], kinds), on_target(new, watch) - level
        tried += 1
        if sought == NOTHING:
            error = error_norm(x, new, h, stages, rtol, atol)
            if not error < 1:
                h *= max(0.2, 0.9 * error**-0.125) if error == error else 0.2
                if h < 1e-13 * (1 + abs(x[-1])):
                    break
                continue
            for which in (ARRIVES, LEADS):
                if tried > 1 and here[which] < 0 <= there[which] and np.isnan(out[which, 0]):
                    sought, low, below, high, above, side = which, 0.0, here[which], h, there[which], 0
            if sought == NOTHING:
                x, stages[0], here[:] = new, stages[12], there
                h = 0.1 if tried == 1 else h * min(10.0, 0.9 * error**-0.125) if error > 0 else 10.0 * h
                grown = on_targets(x, kinds)
                h = min(h, max(longest[0], longest[1] * grown)) if grown > 2 * longest[0] else h
                continue
        elif there[sought] < 0:
            low, below, above = h, there[sought], 0.5 * above if side < 0 else above
            side = -1
        else:
            high, above, below = h, there[sought], 0.5 * below if side > 0 else below
            side = 1
        if high - low < 1e-15 * (high + abs(x[-1])) or abs(there[sought]) < 1e-13:
            if sought == LEADS and there[ARRIVES] > 0:  # it arrives before it leads
                sought, low, below, high, above, side = ARRIVES, 0.0, here[ARRIVES], h, there[ARRIVES], 0
                h = low - below * (high - low) / (above - below)
                continue
            out[sought] = new
            if sought == ARRIVES:
                break
            x, stages[0], here[:] = new, stages[12], there
            here[LEADS], sought, h = 0.0, NOTHING, max(high, 1e-3)
            continue
        h = (low * above - high * below) / (above - below)
    return out, tried
