# ruff: noqa: F821 -- the formulas are bare annotations here; `compiled.py` puts their bodies in their place
"""Loops over samples, areas and patch classes: the structure of every rate, and not one formula.

``compiled.py`` writes a module of the formulas that ``derivations.rates`` derived, followed by this text, and loads it
compiled or as plain Python. The loops use only arithmetic that symbols also understand: run on SymPy symbols they give
the equations of a system.

An *area* here stands for ``copies`` equal ones; sums leave out one copy of an area, never subtract it.

Results ``pull-target``, ``pull-other``, ``pull-masked``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from dynamics.closures import Rule
    from dynamics.geometry import Array

Formula = Callable[..., Any]

loss: Formula
unmasked_score: Formula
masked_score: Formula
unmasked_mass: Formula
masked_mass: Formula
stray_of: Formula
fp_lever: Formula
pp_lever: Formula
pull_target: Formula
pull_other: Formula
pull_masked: Formula
exp: Formula


def jit(function: Formula) -> Formula:
    """Stands for Numba's compiler, or for nothing, where the generated module is loaded."""
    return function


# --- loops ---


@jit
def all_but_one(area: Array, value: int, out: int, copies: Array, base: float, first: int, last: int) -> float:
    """area[out, m] = base + area[value] of all areas but one copy of m; returns base + all of them."""
    before = base
    for m in range(first, last):
        area[out, m] = before + (copies[m] - 1) * area[value, m]
        before = before + copies[m] * area[value, m]
    after = 0 * base
    for m in range(last - 1, first - 1, -1):
        area[out, m] = area[out, m] + after
        after = after + copies[m] * area[value, m]
    return before


@jit
def workspace(y: Array, rule: Rule) -> tuple[Array, Array]:
    """Room for one sample: of each cell 5 numbers, of each area 4; see ``attend``."""
    return np.empty((5, len(rule.pp)), y.dtype), np.empty((4, len(rule.fp)), y.dtype)


@jit
def is_wide(y: Array, rule: Rule) -> bool:
    """Whether exponentials of scores, or products of them, may come near the ends of the range of floats."""
    largest = 1.0
    for latents in range(rule.latent.shape[0]):
        for m in range(rule.latent.shape[1]):
            largest = max(largest, rule.latent[latents, m])
    wide = False
    for i in range(len(y)):
        wide = wide or not largest * abs(y[i]) < 25.0
    return wide


@jit
def larger(a: float, b: float) -> float:
    """The larger number, or NaN if either is: of ``max`` Python and Numba then have another."""
    return b if b > a or b != b else a


@jit
def shift_of(y: Array, rule: Rule, row: int) -> float:
    """What is taken off every score of a sample of a wide state: the highest score that any of its patches has.

    It changes no attention: result ``shift-invariance``.
    """
    k, counts, latents = rule.cluster[row], rule.counts[row], rule.latents[row]
    first = rule.areas[k]
    highest = masked_score(y[-1])
    for m in range(first, rule.areas[k + 1]):
        for s in range(rule.cells[m], rule.cells[m + 1]):
            unmasked = rule.unmasked[counts, rule.column[s]]
            if unmasked > 0:
                score = unmasked_score(rule.latent[latents, m - first], y[rule.fp[m]], y[rule.pp[s]])
                highest = larger(highest, score)
            if rule.size[s] > unmasked:
                highest = larger(highest, masked_score(y[rule.pp[s]]))
    return highest


@jit
def several(count: float, mass: float) -> float:
    """Mass of so many patches: none where there is none, infinite though the mass of one might be."""
    return count * mass if count > 0 else 0.0


@jit
def attend(y: Array, rule: Rule, row: int, wide: bool, cell: Array, area: Array) -> tuple[float, float]:
    """Attention in one sample; returns that on the query itself, and stray of the target.

    Fills in `cell`: x and b, attention on the unmasked and on the masked patches of each cell of the sample's cluster,
    and the softmax numerators of one of each, which hold for the next row too where cluster, latents and shift are the
    same, and the shift; and `area`: A, attention on the unmasked patches of each area, R = 1 − A, and stray, the sum of
    z² A² over all areas but the target and this one.
    """
    k, counts, latents = rule.cluster[row], rule.counts[row], rule.latents[row]
    first, last = rule.areas[k], rule.areas[k + 1]
    x, b, mass, mass_masked, shifted = 0, 1, 2, 3, 4
    A, R = 0, 1
    shift = shift_of(y, rule, row) if wide else 0.0
    same_sample = row > 0 and k == rule.cluster[row - 1] and latents == rule.latents[row - 1]
    same_masses = same_sample and shift == cell[shifted, 0]
    cell[shifted, 0] = shift
    own = masked_mass(y[-1] - shift)
    masked = own
    for m in range(first, last):
        unmasked_here = 0 * own
        for s in range(rule.cells[m], rule.cells[m + 1]):
            if not same_masses:
                pp = y[rule.pp[s]] - shift
                cell[mass, s] = unmasked_mass(rule.latent[latents, m - first], y[rule.fp[m]], pp)
                cell[mass_masked, s] = masked_mass(pp)
            unmasked = rule.unmasked[counts, rule.column[s]]
            cell[x, s] = several(unmasked, cell[mass, s])
            cell[b, s] = several(rule.size[s] - unmasked, cell[mass_masked, s])
            unmasked_here = unmasked_here + cell[x, s]
            masked = masked + rule.copies[m] * cell[b, s]
        area[A, m] = unmasked_here
    total = all_but_one(area, A, R, rule.copies, masked, first, last)
    for m in range(first, last):
        area[A, m] = area[A, m] / total
        area[R, m] = area[R, m] / total
        for s in range(rule.cells[m], rule.cells[m + 1]):
            cell[x, s] = cell[x, s] / total
            cell[b, s] = cell[b, s] / total
    return own / total, strays(rule, row, area)


@jit
def strays(rule: Rule, row: int, area: Array) -> float:
    """Fills in stray of every area of a sample, from its attention; returns that of the target."""
    A, stray, squares = 0, 2, 3
    k, latents = rule.cluster[row], rule.latents[row]
    first, last, target = rule.areas[k], rule.areas[k + 1], rule.target[k]
    for m in range(first, last):
        square = stray_of(rule.latent[latents, m - first], area[A, m])
        area[squares, m] = 0 * square if m == target else square
    return all_but_one(area, squares, stray, rule.copies, 0 * area[A, target], first, last)


@jit
def pull(
    m: int, target: int, z_a: float, A_a: float, R_a: float, z_m: float, A_m: float, R_m: float, stray_m: float
) -> float:
    """Pull on an unmasked patch of area m."""
    if m == target:
        return pull_target(z_a, R_a, stray_m)
    return pull_other(z_a, A_a, R_a, z_m, A_m, R_m, stray_m)


@jit
def rate_and_loss(y: Array, rule: Rule) -> tuple[Array, float]:
    """Time derivative of every coordinate, (n,), and the query's share of the loss."""
    rate, value = np.zeros_like(y), 0 * y[-1]
    cell, area = workspace(y, rule)
    wide = is_wide(y, rule)
    for row in range(len(rule.weight)):
        own, all_stray = attend(y, rule, row, wide, cell, area)
        k, latents, weight = rule.cluster[row], rule.latents[row], rule.weight[row]
        first, a = rule.areas[k], rule.target[k]
        z_a, A_a, R_a = rule.latent[latents, a - first], area[0, a], area[1, a]
        value = value + weight * loss(z_a, R_a, all_stray)
        pull_on_masked = pull_masked(z_a, A_a, R_a, all_stray)
        for m in range(first, rule.areas[k + 1]):
            each, z_m, A_m = weight * rule.copies[m], rule.latent[latents, m - first], area[0, m]
            g = pull(m, a, z_a, A_a, R_a, z_m, A_m, area[1, m], area[2, m])
            rate[rule.fp[m]] += each * (fp_lever(z_m, A_m) * g)
            for s in range(rule.cells[m], rule.cells[m + 1]):
                rate[rule.pp[s]] += each * (pp_lever(cell[0, s]) * g + pp_lever(cell[1, s]) * pull_on_masked)
        rate[-1] += weight * (pp_lever(own) * pull_on_masked)
    for i in range(len(y)):
        rate[i] = rate[i] / rule.multiplicity[i]
    return rate, value


@jit
def mean_attention(states: Array, rule: Rule, cluster: int) -> Array:
    """Attention on all copies of each area of a cluster, on the masked patches, and on the query: (N_k + 2, m)."""
    first, last = rule.areas[cluster], rule.areas[cluster + 1]
    out = np.zeros((last - first + 2, states.shape[1]))
    for i in range(states.shape[1]):
        y = states[:, i].copy()
        cell, area = workspace(y, rule)
        wide, weight = is_wide(y, rule), 0.0
        for row in range(len(rule.weight)):
            if rule.cluster[row] == cluster:
                each = rule.weight[row]
                weight += each
                on_self, _ = attend(y, rule, row, wide, cell, area)
                out[-1, i] += each * on_self
                for m in range(first, last):
                    out[m - first, i] += each * rule.copies[m] * area[0, m]
                    for s in range(rule.cells[m], rule.cells[m + 1]):
                        out[-2, i] += each * rule.copies[m] * cell[1, s]
        out[:, i] /= weight
    return out


@jit
def descend(y: Array, rule: Rule, step_size: float, steps: int, every: int) -> Array:
    """Gradient descent: the state after 0, every, 2·every, ... and after all steps, (n, records)."""
    out = np.empty((len(y), 1 + (steps + every - 1) // every))
    out[:, 0] = y
    y = y.copy()
    record = 1
    for step in range(1, steps + 1):
        y += step_size * rate_and_loss(y, rule)[0]
        if step % every == 0 or step == steps:
            out[:, record] = y
            record += 1
    return out


@jit
def tangent(state: Array, rule: Rule) -> Array:
    """d(y, log t)/dl along the curve's own length: (t·rate, 1)/√(1 + |t·rate|²), (n + 1,)."""
    n = len(state) - 1
    rate, _ = rate_and_loss(state[:n].copy(), rule)
    out, time, largest, square = np.ones(n + 1), exp(state[n]), 1.0, 0.0
    for i in range(n):
        out[i] = time * rate[i]
        largest = max(largest, abs(out[i]))
    for i in range(n + 1):
        out[i] /= largest  # its square may be no float
        square += out[i] * out[i]
    return out / np.sqrt(square)


@jit
def losses(states: Array, rule: Rule) -> Array:
    """The query's share of the loss in each of the states (n, m)."""
    out = np.empty(states.shape[1])
    for i in range(states.shape[1]):
        out[i] = rate_and_loss(states[:, i].copy(), rule)[1]
    return out
