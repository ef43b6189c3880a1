# ruff: noqa: F821 -- the names of the generated module are bare annotations here; see `loops`
"""Loops of the second-order closure: at a state, the samples on its rays are rows like any others.

Results ``attention-along-a-ray``, ``curvature-from-five-samples``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dynamics.loops import Formula, jit

if TYPE_CHECKING:
    from dynamics.closures import Rule
    from dynamics.geometry import Array
    from dynamics.second_order import SecondOrderRule

unmasked_mass: Formula
masked_mass: Formula
shift_of: Formula
is_wide: Formula
several: Formula
rate_and_loss: Formula
jacobian: Formula

# --- loops ---


@jit
def rows_at(y: Array, rule: SecondOrderRule) -> Rule:
    """Rows of the second-order closure at this state: the centres, and all samples on each ray but that at a centre."""
    rows, samples = len(rule.centre.weight), len(rule.reach)
    count, middle = rows + (samples - 1) * len(rule.row), samples // 2
    cluster, latents = np.empty(count, np.int64), np.empty(count, np.int64)
    weight, unmasked = np.zeros(count, y.dtype), np.zeros((count, rule.along.shape[1]), y.dtype)
    centre = rule.centre
    for row in range(rows):
        cluster[row], latents[row], weight[row] = centre.cluster[row], centre.latents[row], centre.weight[row]
        unmasked[row] = centre.unmasked[centre.counts[row]]
    end = rows
    for ray in range(len(rule.row)):
        row = rule.row[ray]
        gain = relative_gain(y, centre, row, rule.along[ray])
        for i in range(samples):
            bend = rule.spread[ray] * (rule.second[i] - 2 * gain * rule.first[i])
            if i == middle:
                weight[row] += bend
            else:
                cluster[end], latents[end], weight[end] = cluster[row], latents[row], bend
                step = rule.reach[i] / (1 - gain * rule.reach[i])
                for s in range(unmasked.shape[1]):
                    unmasked[end, s] = unmasked[row, s] + step * rule.along[ray, s]
                end += 1
    return Rule(
        centre.multiplicity,
        centre.areas,
        centre.target,
        centre.copies,
        centre.fp,
        centre.cells,
        centre.pp,
        centre.size,
        centre.column,
        cluster,
        np.arange(count),
        latents,
        weight,
        unmasked,
        centre.latent,
    )


@jit
def relative_gain(y: Array, rule: Rule, row: int, along: Array) -> float:
    """What the softmax denominator of a row gains along a change of its counts, over that denominator."""
    k, counts, latents = rule.cluster[row], rule.counts[row], rule.latents[row]
    first = rule.areas[k]
    shift = shift_of(y, rule, row) if is_wide(y, rule) else 0.0
    total = masked_mass(y[-1] - shift)
    gain = 0 * total
    for m in range(first, rule.areas[k + 1]):
        for s in range(rule.cells[m], rule.cells[m + 1]):
            column, pp = rule.column[s], y[rule.pp[s]] - shift
            seen, hidden = unmasked_mass(rule.latent[latents, m - first], y[rule.fp[m]], pp), masked_mass(pp)
            unmasked = rule.unmasked[counts, column]
            mass = several(unmasked, seen) + several(rule.size[s] - unmasked, hidden)
            total = total + rule.copies[m] * mass
            if along[column] != 0:
                gain = gain + rule.copies[m] * along[column] * (seen - hidden)
    return gain / total


@jit
def rate_and_loss_second_order(y: Array, rule: SecondOrderRule) -> tuple[Array, float]:
    """Time derivative of every coordinate, and the loss."""
    return rate_and_loss(y, rows_at(y, rule))


@jit
def jacobian_second_order(y: Array, rule: SecondOrderRule) -> Array:
    """Derivative of the rate of each coordinate by each: (n, n)."""
    return jacobian(y, rows_at(y, rule))
