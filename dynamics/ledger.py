# ruff: noqa: F821 -- the formulas are bare annotations here; see `loops`
"""Loops that keep the terms of every rate apart: by the residual that each comes from. ``balance`` names them.

Results ``pull-target``, ``pull-other``, ``pull-masked``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dynamics.loops import Formula, jit

if TYPE_CHECKING:
    from dynamics.closures import Rule
    from dynamics.geometry import Array

fp_lever: Formula
pp_lever: Formula
pull_target_target: Formula
pull_target_stray: Formula
pull_other_target: Formula
pull_other_own: Formula
pull_other_stray: Formula
pull_masked_target: Formula
pull_masked_stray: Formula
workspace: Formula
is_wide: Formula
attend: Formula

# --- loops ---

TARGET, OWN, STRAY = 0, 1, 2  # places of terms: from STRAY on, one for the stray of the areas of each fp coordinate
UNMASKED, MASKED = 0, 1  # patches by which a term acts
NO_AREA = -1  # where masked patches are


@jit
def split_pull(m: int, rule: Rule, row: int, area: Array, out: Array) -> None:
    """The terms of the pull on an unmasked patch of area m, or on a masked one: m = NO_AREA."""
    k, latents = rule.cluster[row], rule.latents[row]
    first, last, a = rule.areas[k], rule.areas[k + 1], rule.target[k]
    z_a, A_a, R_a = rule.latent[latents, a - first], area[0, a], area[1, a]
    out[:] = 0
    if m == NO_AREA:
        out[TARGET] = pull_masked_target(z_a, A_a, R_a)
    elif m == a:
        out[TARGET] = pull_target_target(z_a, R_a)
    else:
        out[TARGET] = pull_other_target(z_a, A_a, R_a)
        out[OWN] = pull_other_own(rule.latent[latents, m - first], area[0, m], area[1, m])
    for j in range(first, last):
        others = rule.copies[j] - 1 if j == m else rule.copies[j]
        stray = others * area[3, j]  # none of the target
        if m == NO_AREA:
            out[STRAY + rule.fp[j]] += pull_masked_stray(stray)
        elif m == a:
            out[STRAY + rule.fp[j]] += pull_target_stray(stray)
        else:
            out[STRAY + rule.fp[j]] += pull_other_stray(stray)


@jit
def ledger(y: Array, rule: Rule) -> Array:
    """Terms of the rate of every coordinate, by its unmasked patches and by its masked ones: (2, n, terms)."""
    out = np.zeros((2, len(y), STRAY + rule.fp.max() + 1), y.dtype)
    pulled, pulled_masked = np.empty(out.shape[2], y.dtype), np.empty(out.shape[2], y.dtype)
    cell, area = workspace(y, rule)
    wide = is_wide(y, rule)
    for row in range(len(rule.weight)):
        on_self, _ = attend(y, rule, row, wide, cell, area)
        k, latents, weight = rule.cluster[row], rule.latents[row], rule.weight[row]
        first = rule.areas[k]
        split_pull(NO_AREA, rule, row, area, pulled_masked)
        for m in range(first, rule.areas[k + 1]):
            each, z_m = weight * rule.copies[m], rule.latent[latents, m - first]
            split_pull(m, rule, row, area, pulled)
            for i in range(len(pulled)):
                out[UNMASKED, rule.fp[m], i] += each * (fp_lever(z_m, area[0, m]) * pulled[i])
                for s in range(rule.cells[m], rule.cells[m + 1]):
                    out[UNMASKED, rule.pp[s], i] += each * (pp_lever(cell[0, s]) * pulled[i])
                    out[MASKED, rule.pp[s], i] += each * (pp_lever(cell[1, s]) * pulled_masked[i])
        for i in range(len(pulled)):
            out[MASKED, len(y) - 1, i] += weight * (pp_lever(on_self) * pulled_masked[i])
    for i in range(len(y)):
        out[:, i] /= rule.multiplicity[i]
    return out
