# ruff: noqa: F821 -- the names of the generated module are bare annotations here; see `nodes`
"""Loops of the integral form: over y, and at each y over the marks x on a circle.

The circle goes through the saddle, where as many patches are masked in the mean as are in truth: no digits are lost at
any state. The nodes of log y are as far apart, and reach as far, as the tolerance asks.

Results ``integral-form``, ``generating-function``, ``inverse-power``, ``quadrature``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dynamics.loops import Formula, jit

if TYPE_CHECKING:
    from dynamics.geometry import Array
    from dynamics.integral import IntegralRule, Workspace

exp: Formula
log: Formula
expm1: Formula
measure: Formula
own_mass: Formula
workspace: Formula
tilts: Formula
logs_at: Formula
moments_of: Formula
moments_of_one_latent: Formula
add_nodes: Formula
MARKS: int

# --- loops ---


@jit
def highest_score(y: Array, rule: IntegralRule, k: int) -> float:
    """The highest score that any patch of cluster k can have; taken off all, it changes no attention."""
    highest = y[-1]
    for m in range(rule.areas[k], rule.areas[k + 1]):
        for s in range(rule.cells[m], rule.cells[m + 1]):
            highest = max(highest, y[rule.pp[s]])
            for i in range(len(rule.latent)):
                highest = max(highest, rule.latent[i] * y[rule.fp[m]] + y[rule.pp[s]])
    return highest


@jit
def range_of_denominators(rule: IntegralRule, k: int, work: Workspace, own: float) -> tuple[float, float]:
    """Bounds of the softmax denominator over all masks and latents."""
    first, last = rule.cells[rule.areas[k]], rule.cells[rule.areas[k + 1]]
    lowest, highest = np.zeros(last - first), np.zeros(last - first)
    hidden, count = np.zeros(last - first), np.zeros(last - first)
    for m in range(rule.areas[k], rule.areas[k + 1]):
        for s in range(rule.cells[m], rule.cells[m + 1]):
            count[s - first], hidden[s - first] = rule.copies[m] * rule.size[s], work.masses[0, s, 1, 0, 0]
            lowest[s - first], highest[s - first] = work.masses[0, s, 0, 0, 0], work.masses[0, s, 0, 0, 0]
            for i in range(1, len(rule.latent)):
                lowest[s - first] = min(lowest[s - first], work.masses[i, s, 0, 0, 0])
                highest[s - first] = max(highest[s - first], work.masses[i, s, 0, 0, 0])
    least = hide(rule.masked, np.argsort(hidden - lowest), count, hidden, lowest)
    return own + least, own + hide(rule.masked, np.argsort(highest - hidden), count, hidden, highest)


@jit
def hide(masked: float, order: Array, count: Array, hidden: Array, seen: Array) -> float:
    """All mass where so many patches are masked, those of the first classes in this order."""
    total = 0.0
    for s in order:
        here = min(masked, count[s])
        masked -= here
        total += here * hidden[s] + (count[s] - here) * seen[s]
    return total


@jit
def masked_at(rule: IntegralRule, k: int, work: Workspace, mark: float) -> tuple[float, float]:
    """Mean and variance of the number of masked patches at a node (y, mark)."""
    mean, variance = 0.0, 0.0
    for m in range(rule.areas[k], rule.areas[k + 1]):
        highest = -np.inf
        for i in range(len(rule.latent)):
            highest = max(highest, log_mass(rule, work, m, i, mark))
        weight, first, second = 0.0, 0.0, 0.0
        for i in range(len(rule.latent)):
            each = rule.chance[i] * exp(log_mass(rule, work, m, i, mark) - highest)
            if each > 0:
                hidden, spread = 0.0, 0.0
                for s in range(rule.cells[m], rule.cells[m + 1]):
                    share = (
                        mark
                        * work.masses[i, s, 3, 0, 0]
                        / (work.masses[i, s, 2, 0, 0] + mark * work.masses[i, s, 3, 0, 0])
                    )
                    hidden += rule.size[s] * share
                    spread += rule.size[s] * share * (1 - share)
                weight += each
                first += each * hidden
                second += each * (spread + hidden * hidden)
        mean += rule.copies[m] * first / weight
        variance += rule.copies[m] * (second / weight - first / weight * first / weight)
    return mean, max(variance, 0.0)


@jit
def log_mass(rule: IntegralRule, work: Workspace, m: int, i: int, mark: float) -> float:
    """Logarithm of the node mass of area m with latent value i, for a real mark; −inf where it underflows."""
    total = 0.0
    for s in range(rule.cells[m], rule.cells[m + 1]):
        mass = work.masses[i, s, 2, 0, 0] + mark * work.masses[i, s, 3, 0, 0]
        total += rule.size[s] * log(mass) if mass > 0 else -np.inf
    return total


@jit
def radius(rule: IntegralRule, k: int, work: Workspace, guess: float) -> tuple[float, float]:
    """Log radius of the circle of marks on which as many patches are masked, in the mean, as are; and the variance."""
    low, high, log_mark = -700.0, 700.0, guess
    for _ in range(200):
        mean, variance = masked_at(rule, k, work, exp(log_mark))
        miss = rule.masked - mean
        if abs(miss) <= 0.1 * np.sqrt(variance) + 1e-3:
            break
        if miss > 0:
            low = log_mark
        else:
            high = log_mark
        log_mark = log_mark + miss / variance if variance > 0 else high
        if not low < log_mark < high:
            log_mark = 0.5 * (low + high)
    return log_mark, variance


@jit
def add_circle(
    out: Array,
    rule: IntegralRule,
    k: int,
    node: float,
    measures: tuple[float, float],
    log_mark: float,
    turns: int,
    work: Workspace,
) -> None:
    """What the marks x = exp(log_mark + iθ) add at one y: half of the circle, the other half being its conjugate."""
    at_zero, constant, weight = 0.0, len(rule.latent) == 1, work.weight
    cubic, quadratic = measures
    drift = log_mark - log(rule.start) if rule.masked > 0 else 0.0
    for begin in range(0, turns // 2 + 1, MARKS):
        marks = min(MARKS, turns // 2 + 1 - begin)
        for t in range(marks):
            angle = 2 * np.pi * (begin + t) / turns
            if rule.masked > 0:
                work.x[t] = exp(log_mark) * complex(np.cos(angle), np.sin(angle))
                work.grown[t] = work.x[t] - rule.start
            weight[t, 0] = -node * work.own[0, 0, 0] - rule.masked * complex(drift, angle)
            for d in range(1, weight.shape[1]):
                weight[t, d] = -node * work.own[0, 0, d]
        if begin == 0:
            work.grown[0] = rule.start * expm1(drift)
        logs_at(rule, k, marks, work)
        at_zero = work.bounds[0] if begin == 0 else at_zero
        kept = 0
        while kept < marks and work.bounds[kept] >= at_zero - rule.tail:
            kept += 1
        for m in range(rule.areas[k], rule.areas[k + 1]):
            if constant:
                moments_of_one_latent(rule, m, m == rule.target[k], kept, work)
            else:
                moments_of(rule, m, m == rule.target[k], kept, work)
        for t in range(kept):
            twice = 1.0 if begin + t == 0 else 2.0
            weight[t, 0] = np.exp(weight[t, 0]) * (rule.weight[k] * rule.step * twice / turns)
            for d in range(1, weight.shape[1]):
                weight[t, d] = weight[t, d] * weight[t, 0]
        add_nodes(out, rule, k, cubic, quadratic, kept, work)
        if kept < marks:
            break


@jit
def integrate_nodes(y: Array, rule: IntegralRule, directions: int) -> Array:
    """Rates and loss, (n + 1, directions): numbers, and their derivatives along the coordinates if `directions` > 1."""
    out, work = np.zeros((len(y) + 1, directions)), workspace(rule, directions)
    for k in range(len(rule.target)):
        shift = highest_score(y, rule, k)
        work.state[:] = 0
        work.state[1, 0, 0] = y[-1]
        if directions > 1:
            work.state[1, 0, -1] = 1
        own_mass(1, work.own, work.state[1:], shift)
        tilts(y, rule, k, shift, 0.0, work)
        lowest, highest = range_of_denominators(rule, k, work, work.own[0, 0, 0])
        first, last = rule.from_log - log(highest), rule.to_log - log(lowest)
        log_mark, variance, turns = log(rule.start) if rule.masked > 0 else 0.0, 0.0, 1
        for number in range(int((last - first) / rule.step) + 2):
            node = exp(first + number * rule.step)
            cubic, quadratic = measure(node)
            if number == 0:  # the nodes before it: there exp(−y D) is 1, and they are a geometric series
                cubic, quadratic = cubic / -expm1(-3 * rule.step), quadratic / -expm1(-2 * rule.step)
            tilts(y, rule, k, shift, node, work)
            if rule.masked > 0:
                log_mark, variance = radius(rule, k, work, log_mark)
                third = rule.tail / 3
                turns = min(int(third + np.sqrt(third * third + 2 * rule.tail * variance)), int(rule.others)) + 1
                turns += 1 - turns % 2  # odd: at x = −1, masked and unmasked may cancel
            add_circle(out, rule, k, node, (cubic, quadratic), log_mark, turns, work)
    for i in range(len(y)):
        out[i] = out[i] / rule.multiplicity[i]
    return out


@jit
def rate_and_loss_integral(y: Array, rule: IntegralRule) -> tuple[Array, float]:
    """Rate of each coordinate, and the loss."""
    out = integrate_nodes(y, rule, 1)
    return out[:-1, 0].copy(), out[-1, 0]


@jit
def jacobian_integral(y: Array, rule: IntegralRule) -> Array:
    """Derivative of the rate of each coordinate by each: (n, n)."""
    return integrate_nodes(y, rule, len(y) + 1)[:-1, 1:].copy()
