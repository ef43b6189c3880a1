# ruff: noqa: F821 -- the formulas are bare annotations here; `compiled.py` puts their bodies in their place
"""Loops of the conditional sum: over its terms, and around them.

``sum_rates`` and ``sum_bends`` are generated: sums of the formulas of ``derivations.conditional`` over some terms.
Kinds of patches are numbered: unmasked in the target area, in the one beside it, in the others; masked in these; the
query. So are coordinates: Φ of target, beside and others, Υ of these, Υ of the query.

Results ``conditional-squares``, ``squares-suffice``, ``shift-invariance``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dynamics.loops import Formula, jit

if TYPE_CHECKING:
    from dynamics.conditional import ConditionalRule
    from dynamics.geometry import Array

Masses = tuple[float, float, float, float, float, float, float]

unmasked_score: Formula
masked_score: Formula
masked_mass: Formula
sum_rates: Formula
sum_bends: Formula
scale_rates: Formula
scale_bends: Formula
RATES: int
BENDS: int

# --- loops ---


@jit
def scores_of(y: Array, rule: ConditionalRule) -> Array:
    """Score of a patch of each kind; of one that there is not, −∞."""
    scores = np.full(7, -np.inf)
    for i in range(3):
        if rule.size[i] > 0:
            pp = y[rule.place[3 + i]]
            scores[i] = unmasked_score(rule.latent, y[rule.place[i]], pp)
            scores[3 + i] = masked_score(pp)
    scores[6] = masked_score(y[rule.place[6]])
    return scores


@jit
def is_far(scores: Array) -> bool:
    """Whether scores lie so far apart that one shift for all terms might lose some of them."""
    lowest, highest = np.inf, -np.inf
    for score in scores:
        if score > -np.inf:
            lowest, highest = min(lowest, score), max(highest, score)
    return not highest - lowest < 100.0


@jit
def blocks_of(rule: ConditionalRule, far: bool) -> int:
    """Into how many parts the terms fall: those that have patches of the same kinds, where scores lie far apart."""
    return len(rule.blocks) - 1 if far else 1


@jit
def part_of(scores: Array, rule: ConditionalRule, block: int, far: bool) -> tuple[int, int, Masses]:
    """First and last term of a part, and in these the mass of a patch of each kind.

    The highest score that there is in the part is taken off all: it changes no attention.
    """
    here, first, last = scores.copy(), 0, rule.blocks[-1]
    if far:
        first, last = rule.blocks[block], rule.blocks[block + 1]
        for i in range(3):
            count = rule.unmasked[i, first]
            here[i] = here[i] if count > 0 else -np.inf
            here[3 + i] = here[3 + i] if count < rule.size[i] else -np.inf
    highest = here.max()
    for kind in range(7):
        here[kind] = masked_mass(here[kind] - highest)  # as any mass, of a score
    return first, last, (here[0], here[1], here[2], here[3], here[4], here[5], here[6])


@jit
def rate_and_loss_conditional(y: Array, rule: ConditionalRule) -> tuple[Array, float]:
    """Rate of each coordinate, and the loss."""
    scores, sums, rate = scores_of(y, rule), np.zeros(RATES), np.empty(len(y))
    far = is_far(scores)
    for block in range(blocks_of(rule, far)):
        first, last, masses = part_of(scores, rule, block, far)
        sum_rates(sums, rule, first, last, masses)
    scale_rates(sums, rule.latent)
    for i in range(7):
        if rule.place[i] >= 0:
            rate[rule.place[i]] = sums[i] / rule.multiplicity[rule.place[i]]
    return rate, sums[7]


@jit
def jacobian_conditional(y: Array, rule: ConditionalRule) -> Array:
    """Derivative of the rate of each coordinate by each: (n, n)."""
    scores, sums, out = scores_of(y, rule), np.zeros(BENDS), np.empty((len(y), len(y)))
    far = is_far(scores)
    for block in range(blocks_of(rule, far)):
        first, last, masses = part_of(scores, rule, block, far)
        sum_bends(sums, rule, first, last, masses)
    scale_bends(sums, rule.latent)
    number = 0
    for i in range(7):
        for j in range(i, 7):
            one, two = rule.place[i], rule.place[j]
            if one >= 0 and two >= 0:
                out[one, two] = sums[number] / rule.multiplicity[one]
                out[two, one] = sums[number] / rule.multiplicity[two]
            number += 1
    return out
