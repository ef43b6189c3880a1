# ruff: noqa: F821 -- the formulas are bare annotations here; see `log_loops`
"""The loops of ``ledger`` at any P, on scaled numbers: the terms of every rate, kept apart.

Results ``pull-target``, ``pull-other``, ``pull-masked``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dynamics.log_loops import Number
from dynamics.loops import Formula, jit

if TYPE_CHECKING:
    from dynamics.geometry import Array
    from dynamics.logscale import LogRule

fp_lever: Formula
pp_lever: Formula
pull_target_target: Formula
pull_target_stray: Formula
pull_other_target: Formula
pull_other_own: Formula
pull_other_stray: Formula
pull_masked_target: Formula
pull_masked_stray: Formula
attend: Formula
at: Formula
times: Formula
add: Formula


# --- loops ---


@jit
def split_pull(m: int, rule: LogRule, row: int, area: Array, out: Array) -> None:
    """The terms of the pull on an unmasked patch of area m, or on a masked one: m = −1. Places as in ``ledger``."""
    A, R, squares, a = 0, 2, 3, rule.target
    z_a, A_a, R_a = (rule.latent[row, a], 0.0), at(area, A, a), at(area, R, a)
    out[:] = 0
    if m == -1:
        add(out, 0, pull_masked_target(z_a, A_a, R_a))
    elif m == a:
        add(out, 0, pull_target_target(z_a, R_a))
    else:
        add(out, 0, pull_other_target(z_a, A_a, R_a))
        add(out, 1, pull_other_own((rule.latent[row, m], 0.0), at(area, A, m), at(area, R, m)))
    for j in range(len(rule.fp)):
        others = (rule.but_one[j, 0], rule.but_one[j, 1]) if j == m else (rule.copies[j, 0], rule.copies[j, 1])
        stray, place = times(others, at(area, squares, j)), 2 + rule.fp[j]
        if m == -1:
            add(out, place, pull_masked_stray(stray))
        elif m == a:
            add(out, place, pull_target_stray(stray))
        else:
            add(out, place, pull_other_stray(stray))


@jit
def add_times(out: Array, factor: Number, terms: Array) -> None:
    """Each of out += factor · each of terms."""
    for i in range(len(terms)):
        add(out, i, times(factor, (terms[i, 0], terms[i, 1])))


@jit
def ledger(y: Array, rule: LogRule) -> Array:
    """Terms of the rate of every coordinate, by its unmasked patches and by its masked ones: (2, n, terms, 2)."""
    A, B = 0, 1
    out = np.zeros((2, len(y), 3 + rule.fp.max(), 2))
    pulled, pulled_masked = np.empty(out.shape[2:]), np.empty(out.shape[2:])
    area = np.empty((5, len(rule.fp), 2))
    for row in range(len(rule.weight)):
        on_self, _ = attend(y, rule, row, area)
        weight = (rule.weight[row, 0], rule.weight[row, 1])
        split_pull(-1, rule, row, area, pulled_masked)
        for m in range(len(rule.fp)):
            split_pull(m, rule, row, area, pulled)
            each = times(weight, (rule.copies[m, 0], rule.copies[m, 1]))
            add_times(out[0, rule.fp[m]], times(each, fp_lever((rule.latent[row, m], 0.0), at(area, A, m))), pulled)
            add_times(out[0, rule.pp[m]], times(each, pp_lever(at(area, A, m))), pulled)
            add_times(out[1, rule.pp[m]], times(each, pp_lever(at(area, B, m))), pulled_masked)
        add_times(out[1, len(y) - 1], times(weight, pp_lever(on_self)), pulled_masked)
    for i in range(len(y)):
        out[:, i, :, 0] /= rule.multiplicity[i, 0]
        out[:, i, :, 1] -= rule.multiplicity[i, 1]
    return out
