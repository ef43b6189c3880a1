# ruff: noqa: F821 -- tangent, mean_attention and the tableau stand in the generated module
"""Many solves at little cost: an explicit pair of order 8 along the curve's own length, compiled with the rates.

The pair, its error estimate, step control and dense output are those of SciPy's ``DOP853``, whose tableau the generated
module holds. It stops where the attention on the target gets to a level, and notes where Φ of the target began to
change faster than every other Φ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dynamics.loops import Formula, jit

if TYPE_CHECKING:
    from dynamics.geometry import Array, Indices

STAGES: (
    Array  # (15, 16) coefficients of the stages from 1 on: 12 is the end of the step, then those of the dense output
)
ERROR_3: Array  # (13,) of the two error estimates
ERROR_5: Array
DENSE: Array  # (4, 16)
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
def fill(x: Array, h: float, rule: Any, stages: Array, first: int, last: int) -> Array:
    """Slopes `first` to `last` of a step; returns the state of the last: that at its end, for 12."""
    at, change = x, np.empty_like(x)
    for s in range(first, last + 1):
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
def dense_output(x: Array, new: Array, h: float, rule: Any, stages: Array) -> Array:
    """Coefficients of the interpolant of a step: (7, n + 1)."""
    change, out = np.empty_like(x), np.empty((7, len(x)))
    fill(x, h, rule, stages, 13, 15)
    out[0] = new - x
    out[1] = h * stages[0] - out[0]
    out[2] = 2 * out[0] - h * (stages[12] + stages[0])
    for row in range(4):
        combined(DENSE[row], 16, stages, change)
        out[3 + row] = h * change
    return out


@jit
def between(x: Array, coefficients: Array, part: float) -> Array:
    """The state at a part of a step in [0, 1]."""
    out = np.zeros_like(x)
    for i in range(7):
        out += coefficients[6 - i]
        out *= part if i % 2 == 0 else 1 - part
    return x + out


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
def root(x: Array, coefficients: Array, rule: Any, watch: Any, kinds: Indices, level: float, which: int) -> Array:
    """The state within a step where attention on the target is at the level (0) or its Φ takes the lead (1)."""
    low, high, sides = 0.0, 1.0, 0
    below = above = 0.0
    for ask in range(60):
        part = low if ask == 0 else high if ask == 1 else (low * above - high * below) / (above - below)
        if ask > 1 and not low < part < high:
            break
        state = between(x, coefficients, part)
        miss = on_target(state, watch) - level if which == 0 else lead(tangent(state, rule), kinds)
        if ask < 2:
            below, above = (miss, above) if ask == 0 else (below, miss)
        elif miss < 0:
            low, below = part, miss
            above, sides = (0.5 * above, -1) if sides == -1 else (above, -1)
        else:
            high, above = part, miss
            below, sides = (0.5 * below, 1) if sides == 1 else (below, 1)
        if miss == 0 or high - low < 1e-15:
            break
    return state


@jit
def moments(
    start: Array, rule: Any, watch: Any, kinds: Indices, level: float, last: float, rtol: float, atol: float
) -> tuple[Array, int]:
    """Where Φ of the target takes the lead, and where attention on it is at the level: (2, n + 1), each (y, log t).

    NaN where that is not reached before log t = last, or, of the first, where it leads from the start; and the number
    of steps.
    """
    out, stages = np.full((2, len(start)), np.nan), np.empty((16, len(start)))
    x, h, steps = start.copy(), 0.1, 0
    stages[0] = tangent(x, rule)
    leads = lead(stages[0], kinds) >= 0
    while x[-1] < last and steps < 100_000:
        steps += 1
        new = fill(x, h, rule, stages, 1, 12)
        error = error_norm(x, new, h, stages, rtol, atol)
        if not error < 1:
            h *= max(0.2, 0.9 * error**-0.125) if error == error else 0.2
            if h < 1e-13 * (1 + abs(x[-1])):
                break
            continue
        takes_lead = not leads and np.isnan(out[0, 0]) and lead(stages[12], kinds) >= 0
        arrives = on_target(new, watch) >= level
        if takes_lead or arrives:
            coefficients = dense_output(x, new, h, rule, stages)
            if takes_lead:
                out[0] = root(x, coefficients, rule, watch, kinds, level, 1)
            if arrives:
                out[1] = root(x, coefficients, rule, watch, kinds, level, 0)
                break
        x = new
        stages[0] = stages[12]
        h *= min(10.0, 0.9 * error**-0.125) if error > 0 else 10.0
    return out, steps
