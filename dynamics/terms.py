# ruff: noqa: F821 -- the formulas are bare annotations here; `compiled.py` puts their bodies in their place
"""Loops of the conditional sum: over its terms, and around them.

``sum_rates`` and ``sum_bends`` are generated: sums over some of the terms of the formulas of ``derivations.conditional``,
in which no mass is ever subtracted. Kinds of patches are numbered: unmasked in the target area, in the one beside it, in
the others; masked in these; the query. Coordinates likewise: Φ of target, beside and others, Υ of these, of the query.

Results ``conditional-squares``, ``squares-suffice``, ``shift-invariance``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dynamics.loops import Formula, jit

if TYPE_CHECKING:
    from dynamics.conditional import ConditionalRule
    from dynamics.geometry import Array

unmasked_score: Formula
masked_score: Formula
exp: Formula
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
def occur(rule: ConditionalRule, term: int, scores: Array) -> None:
    """Set the scores of kinds of patches that a term has none of to −∞."""
    for i in range(3):
        count = rule.unmasked[i, term]
        if count == 0:
            scores[i] = -np.inf
        if count == rule.size[i]:
            scores[3 + i] = -np.inf


@jit
def masses_of(scores: Array) -> tuple[float, float, float, float, float, float, float]:
    """Mass of a patch of each kind, the highest score taken off all: it changes no attention."""
    highest = scores.max()
    for kind in range(7):
        scores[kind] = exp(scores[kind] - highest)
    return scores[0], scores[1], scores[2], scores[3], scores[4], scores[5], scores[6]


@jit
def rates_and_loss(y: Array, rule: ConditionalRule) -> Array:
    """Rate of each of the seven coordinates times its multiplicity, and the loss."""
    scores, out = scores_of(y, rule), np.zeros(RATES)
    blocks = len(rule.blocks) - 1 if is_far(scores) else 0
    if blocks == 0:
        sum_rates(out, rule, 0, rule.blocks[-1], masses_of(scores))
    for block in range(blocks):
        here = scores.copy()
        occur(rule, rule.blocks[block], here)
        sum_rates(out, rule, rule.blocks[block], rule.blocks[block + 1], masses_of(here))
    scale_rates(out, rule.latent)
    return out


@jit
def rate_and_loss_conditional(y: Array, rule: ConditionalRule) -> tuple[Array, float]:
    """Rate of each coordinate, and the loss."""
    sums, rate = rates_and_loss(y, rule), np.empty(len(y))
    for i in range(7):
        if rule.place[i] >= 0:
            rate[rule.place[i]] = sums[i] / rule.multiplicity[rule.place[i]]
    return rate, sums[7]


@jit
def jacobian_conditional(y: Array, rule: ConditionalRule) -> Array:
    """Derivative of the rate of each coordinate by each: (n, n)."""
    scores, sums = scores_of(y, rule), np.zeros(BENDS)
    blocks = len(rule.blocks) - 1 if is_far(scores) else 0
    if blocks == 0:
        sum_bends(sums, rule, 0, rule.blocks[-1], masses_of(scores))
    for block in range(blocks):
        here = scores.copy()
        occur(rule, rule.blocks[block], here)
        sum_bends(sums, rule, rule.blocks[block], rule.blocks[block + 1], masses_of(here))
    scale_bends(sums, rule.latent)
    out, number = np.empty((len(y), len(y))), 0
    for i in range(7):
        for j in range(i, 7):
            one, two = rule.place[i], rule.place[j]
            if one >= 0 and two >= 0:
                out[one, two] = sums[number] / rule.multiplicity[one]
                out[two, one] = sums[number] / rule.multiplicity[two]
            number += 1
    return out
