# ruff: noqa: F821 -- the formulas are bare annotations here; see `loops`
"""Loops of the Jacobian: derivatives of the rates, samples, areas and classes gone through as in ``loops``.

Results ``curvature-target``, ``curvature-target-other``, ``curvature-target-masked``, ``curvature-same``,
``curvature-others``, ``curvature-other-masked``, ``curvature-masked``.
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
pull_masked: Formula
curvature_target: Formula
curvature_target_other: Formula
curvature_target_masked: Formula
curvature_same: Formula
curvature_others: Formula
curvature_other_masked: Formula
curvature_masked: Formula
workspace: Formula
is_wide: Formula
attend: Formula
pull: Formula

# --- loops ---


@jit
def curvatures(rule: Rule, row: int, area: Array, all_stray: float, out: Array) -> None:
    """Curvature between the groups of a sample: its areas, all copies of each, and last the masked patches."""
    k, latents = rule.cluster[row], rule.latents[row]
    first, last, a = rule.areas[k], rule.areas[k + 1], rule.target[k]
    z_a, A_a, R_a = rule.latent[latents, a - first], area[0, a], area[1, a]
    masked = last - first
    for m in range(first, last):
        z_m, A_m, copies = rule.latent[latents, m - first], area[0, m], rule.copies[m]
        if m == a:
            out[masked, m - first] = curvature_target_masked(z_a, A_a, R_a, all_stray)
        else:
            out[masked, m - first] = copies * curvature_other_masked(z_a, A_a, R_a, z_m, A_m, all_stray)
        out[m - first, masked] = out[masked, m - first]
        for l in range(first, last):
            z_l, A_l = rule.latent[latents, l - first], area[0, l]
            if m == a and l == a:
                curvature = curvature_target(z_a, R_a, all_stray)
            elif m == a:
                curvature = rule.copies[l] * curvature_target_other(z_a, A_a, R_a, z_l, A_l, all_stray)
            elif l == a:
                curvature = copies * curvature_target_other(z_a, A_a, R_a, z_m, A_m, all_stray)
            else:
                others = curvature_others(z_a, A_a, R_a, z_m, A_m, z_l, A_l, all_stray)
                if m == l:
                    same = curvature_same(z_a, A_a, R_a, z_m, A_m, area[1, m], area[2, m])
                    curvature = copies * same + copies * (copies - 1) * others
                else:
                    curvature = rule.copies[l] * copies * others
            out[m - first, l - first] = curvature
    out[masked, masked] = curvature_masked(z_a, A_a, R_a, all_stray)


@jit
def jacobian(y: Array, rule: Rule) -> Array:
    """Derivative of the rate of each coordinate by each: (n, n)."""
    n = len(y)
    out = np.zeros((n, n), y.dtype)
    cell, area = workspace(y, rule)
    wide = is_wide(y, rule)
    for row in range(len(rule.weight)):
        own, all_stray = attend(y, rule, row, wide, cell, area)
        k, latents, weight = rule.cluster[row], rule.latents[row], rule.weight[row]
        first, last, a = rule.areas[k], rule.areas[k + 1], rule.target[k]
        z_a, A_a, R_a = rule.latent[latents, a - first], area[0, a], area[1, a]
        masked = last - first
        curvature = np.empty((masked + 1, masked + 1), y.dtype)
        curvatures(rule, row, area, all_stray, curvature)
        lever = np.zeros((masked + 1, n), y.dtype)  # how far each coordinate moves the scores of each group
        pull_on_masked = pull_masked(z_a, A_a, R_a, all_stray)
        for m in range(first, last):
            each, z_m, A_m, i = weight * rule.copies[m], rule.latent[latents, m - first], area[0, m], rule.fp[m]
            g = pull(m, a, z_a, A_a, R_a, z_m, A_m, area[1, m], area[2, m])
            lever[m - first, i] += fp_lever(z_m, A_m)
            out[i, i] += each * (fp_lever(z_m, fp_lever(z_m, A_m)) * g)
            for s in range(rule.cells[m], rule.cells[m + 1]):
                j, x, b = rule.pp[s], cell[0, s], cell[1, s]
                lever[m - first, j] += pp_lever(x)
                lever[masked, j] += rule.copies[m] * pp_lever(b)
                mixed = each * (fp_lever(z_m, pp_lever(x)) * g)
                out[i, j] += mixed
                out[j, i] += mixed
                out[j, j] += each * (pp_lever(pp_lever(x)) * g + pp_lever(pp_lever(b)) * pull_on_masked)
        lever[masked, n - 1] += pp_lever(own)
        out[n - 1, n - 1] += weight * (pp_lever(pp_lever(own)) * pull_on_masked)
        for m in range(masked + 1):
            for j in range(n):
                bent = 0 * own
                for l in range(masked + 1):
                    bent = bent + curvature[m, l] * lever[l, j]
                for i in range(n):
                    out[i, j] += weight * (lever[m, i] * bent)
    for i in range(n):
        for j in range(n):
            out[i, j] = out[i, j] / rule.multiplicity[i]
    return out
