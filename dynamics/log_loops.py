# ruff: noqa: F821 -- the formulas are bare annotations here; `compiled.py` puts their bodies in their place
"""The loops of ``loops`` at any P, on *scaled numbers*: a mantissa and a power of two, x = mantissa·2^power.

Products add powers, sums are taken at the larger power, so that nothing over- or underflows; the sign stays with the
mantissa, and 1 − A is a sum here too. Exponentials are taken of logarithms of masses alone. A formula is a polynomial
in such numbers, derived like all others.

Results ``pull-target``, ``pull-other``, ``pull-masked``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from dynamics.loops import Formula, jit

if TYPE_CHECKING:
    from dynamics.geometry import Array
    from dynamics.logscale import LogRule

Number: TypeAlias = tuple[float, float]  # mantissa, power

unmasked_score: Formula
masked_score: Formula
stray_of: Formula
loss: Formula
fp_lever: Formula
pp_lever: Formula
pull_target: Formula
pull_other: Formula
pull_masked: Formula
exp: Formula
ldexp: Formula
POWERS: Array  # 2^0, 2^−1, ... down to the least float
LOG_2: float


# --- loops ---


@jit
def scaled(log: float) -> Number:
    """e^log."""
    if log == -np.inf:
        return 0.0, 0.0
    power = np.floor(log / LOG_2)
    return exp(log - power * LOG_2), power


@jit
def unscaled(a: Number) -> float:
    """The number as a float."""
    if a[0] == 0 or a[1] != a[1]:
        return a[0] * a[1]
    if a[1] > 1000:  # no rate of a state that attention allows
        return a[0] * np.inf
    return ldexp(a[0], int(max(a[1], -3000.0)))


@jit
def halved(times: float) -> float:
    """2^−times, of a whole number >= 0; NaN for NaN."""
    if times <= 1074.0:
        return POWERS[int(times)]
    return 0.0 if times > 1074.0 else times


@jit
def plus(a: Number, b: Number) -> Number:
    """Their sum, a + b."""
    if b[0] == 0:
        return a
    if a[0] == 0:
        return b
    if a[1] >= b[1]:
        return a[0] + b[0] * halved(a[1] - b[1]), a[1]
    return b[0] + a[0] * halved(b[1] - a[1]), b[1]


@jit
def times(a: Number, b: Number) -> Number:
    """Their product, a b."""
    return a[0] * b[0], a[1] + b[1]


@jit
def at(area: Array, part: int, m: int) -> Number:
    """A number of an area."""
    return area[part, m, 0], area[part, m, 1]


@jit
def put(area: Array, part: int, m: int, number: Number) -> None:
    """A number of an area, set."""
    area[part, m, 0], area[part, m, 1] = number


@jit
def all_but_one(area: Array, value: int, out: int, rule: LogRule, base: Number) -> Number:
    """area[out, m] = base + area[value] of all areas but one copy of m; returns base + all of them."""
    areas = area.shape[1]
    before = base
    for m in range(areas):
        here = at(area, value, m)
        put(area, out, m, plus(before, times((rule.but_one[m, 0], rule.but_one[m, 1]), here)))
        before = plus(before, times((rule.copies[m, 0], rule.copies[m, 1]), here))
    after = (0.0, 0.0)
    for m in range(areas - 1, -1, -1):
        put(area, out, m, plus(at(area, out, m), after))
        after = plus(after, times((rule.copies[m, 0], rule.copies[m, 1]), at(area, value, m)))
    return before


@jit
def attend(y: Array, rule: LogRule, row: int, area: Array) -> tuple[Number, Number]:
    """Attention in one row; returns that on the query itself, and stray of the target.

    Fills in `area`: A, attention on the unmasked patches of one copy of each area; B, on the masked ones; R = 1 − A;
    and stray, the sum of z² A² over all areas but the target and this one, from their squares.
    """
    A, B, R, squares, stray = 0, 1, 2, 3, 4
    areas = len(rule.fp)
    own = scaled(masked_score(y[-1]))
    masked = own
    for m in range(areas):
        pp = y[rule.pp[m]]
        score = unmasked_score(rule.latent[row, m], y[rule.fp[m]], pp)
        put(area, A, m, scaled(rule.log_unmasked[m] + score))
        hidden = scaled(rule.log_masked[m] + masked_score(pp))
        put(area, B, m, hidden)
        masked = plus(masked, times((rule.copies[m, 0], rule.copies[m, 1]), hidden))
    total = all_but_one(area, A, R, rule, masked)
    for m in range(areas):
        for part in (A, B, R):
            put(area, part, m, (area[part, m, 0] / total[0], area[part, m, 1] - total[1]))
        stray_here = stray_of((rule.latent[row, m], 0.0), at(area, A, m))
        put(area, squares, m, (0.0, 0.0) if m == rule.target else stray_here)
    return (own[0] / total[0], own[1] - total[1]), all_but_one(area, squares, stray, rule, (0.0, 0.0))


@jit
def add(out: Array, i: int, number: Number) -> None:
    """out[i] += number."""
    out[i, 0], out[i, 1] = plus((out[i, 0], out[i, 1]), number)


@jit
def scaled_rates(y: Array, rule: LogRule) -> tuple[Array, Number]:
    """Time derivative of every coordinate, (n, 2), and the query's share of the loss: scaled numbers."""
    A, B, R, stray = 0, 1, 2, 4
    rate, area = np.zeros((len(y), 2)), np.empty((5, len(rule.fp), 2))
    value, a = (0.0, 0.0), rule.target
    for row in range(len(rule.weight)):
        on_self, all_stray = attend(y, rule, row, area)
        weight = (rule.weight[row, 0], rule.weight[row, 1])
        z_a, A_a, R_a = (rule.latent[row, a], 0.0), at(area, A, a), at(area, R, a)
        value = plus(value, times(weight, loss(z_a, R_a, all_stray)))
        on_masked = pull_masked(z_a, A_a, R_a, all_stray)
        for m in range(len(rule.fp)):
            each = times(weight, (rule.copies[m, 0], rule.copies[m, 1]))
            z_m, A_m = (rule.latent[row, m], 0.0), at(area, A, m)
            if m == a:
                pull = pull_target(z_a, R_a, all_stray)
            else:
                pull = pull_other(z_a, A_a, R_a, z_m, A_m, at(area, R, m), at(area, stray, m))
            on_class = plus(times(pp_lever(A_m), pull), times(pp_lever(at(area, B, m)), on_masked))
            add(rate, rule.fp[m], times(each, times(fp_lever(z_m, A_m), pull)))
            add(rate, rule.pp[m], times(each, on_class))
        add(rate, len(y) - 1, times(weight, times(pp_lever(on_self), on_masked)))
    for i in range(len(y)):
        rate[i, 0] /= rule.multiplicity[i, 0]
        rate[i, 1] -= rule.multiplicity[i, 1]
    return rate, value


@jit
def rate_and_loss(y: Array, rule: LogRule) -> tuple[Array, float]:
    """The same as floats: 0 where they are too small to be one."""
    rates, value = scaled_rates(y, rule)
    out = np.empty(len(y))
    for i in range(len(y)):
        out[i] = unscaled((rates[i, 0], rates[i, 1]))
    return out, unscaled(value)


@jit
def tangent(state: Array, rule: LogRule) -> Array:
    """d(y, log t)/dl along the curve's own length: (t·rate, 1)/√(1 + |t·rate|²), (n + 1,)."""
    n = len(state) - 1
    rates, _ = scaled_rates(state[:n], rule)
    time = scaled(state[n])
    most = -time[1]
    for i in range(n):
        if rates[i, 0] != 0:
            most = max(most, rates[i, 1])
    out = np.empty(n + 1)
    out[n] = halved(most + time[1]) / time[0]
    square = out[n] * out[n]
    for i in range(n):
        out[i] = rates[i, 0] * halved(most - rates[i, 1]) if rates[i, 0] != 0 else 0.0
        square += out[i] * out[i]
    return out / np.sqrt(square)


@jit
def mean_attention(states: Array, rule: LogRule, cluster: int) -> Array:
    """Attention on all copies of each area, on the masked patches, and on the query: (areas + 2, m)."""
    A, B, areas = 0, 1, len(rule.fp)
    out, area, weight = np.zeros((areas + 2, states.shape[1])), np.empty((5, areas, 2)), 0.0
    for row in range(len(rule.weight)):
        weight += unscaled((rule.weight[row, 0], rule.weight[row, 1]))
    for i in range(states.shape[1]):
        y = states[:, i].copy()
        for row in range(len(rule.weight)):
            each = (rule.weight[row, 0] / weight, rule.weight[row, 1])
            on_self, _ = attend(y, rule, row, area)
            out[-1, i] += unscaled(times(each, on_self))
            for m in range(areas):
                all_copies = times(each, (rule.copies[m, 0], rule.copies[m, 1]))
                out[m, i] += unscaled(times(all_copies, at(area, A, m)))
                out[-2, i] += unscaled(times(all_copies, at(area, B, m)))
    return out
