"""First and second derivatives of the loss of a masked query, for any number of areas and patches.

Everything here comes out of ``sympy.diff``. A key patch is of one of three *kinds*: unmasked in the target area
(``a``), unmasked in another area (``m`` or ``l``), or masked (``None``). A sum over areas is split at the areas that
matter, so that 1 − A stays a symbol R of its own, which the programs carry as a sum: 1 − A loses every digit as A → 1.

Exact. Source: arXiv 2403.02233, the lemmas on the gradients of the FP and PP correlations (its α and β).
"""

from __future__ import annotations

from functools import cache
from typing import TypeAlias

import sympy as sp

from derivations import model
from derivations.symbols import A, N, P, R, U, a, attn, fp, i, j, l, m, pp, q, r, score

Kind: TypeAlias = "sp.Symbol | None"

_Z = sp.Symbol("Z", positive=True)  # the softmax denominator, on its way to cancelling
_delta = sp.KroneckerDelta


@cache
def softmax_derivative() -> sp.Expr:
    """∂attn_q/∂score_r in terms of the attentions."""
    derivative = collapse(sp.diff(model.patch_attention(q), score[r]))
    patch = sp.Wild("patch")
    return derivative.subs(sp.Sum(sp.exp(score[i]), (i, 1, P)), _Z).replace(
        sp.exp(score[patch]), lambda patch: attn[patch] * _Z
    )


@cache
def area_derivative() -> sp.Expr:
    """∂A_j/∂score_r in terms of the attentions, where A_j = Σ_q U[q, j] attn_q."""
    return sp.factor(as_area_attention(collapse(sp.Sum(U[q, j] * softmax_derivative(), (q, 1, P)))))


@cache
def pull(key: Kind) -> sp.Expr:
    """−∂ℓ/∂score of a key patch of this kind, per unit of attention on it: g of the residual identity."""
    return over_areas(_pull_summand(_share(key)), a, key)


@cache
def curvature(key: Kind, other: Kind) -> sp.Expr:
    """−∂²ℓ/∂score_r∂score_r' of two key patches, per unit of attention on each.

    Of one and the same patch there is attn·g besides: −∂²ℓ/∂score_r² = attn_r g_r + attn_r² curvature.
    """
    split_at = (a, key) if key == other else (a,)
    return sum(
        (over_areas(part, *split_at) for part in _curvature_summands(_share(key), _share(other))), start=sp.Integer(0)
    )


@cache
def fp_lever() -> sp.Expr:
    """Σ_q attn_q ∂score_q/∂Φ_m: the attention through which Φ_m acts on the scores of its area."""
    lever = collapse(sp.diff(model.patch_score(q), fp[m]))
    return as_area_attention(sp.Sum(attn[q] * lever, (q, 1, P)))


@cache
def pp_lever() -> sp.Expr:
    """Σ_q attn_q ∂score_q/∂Υ_r: the attention through which Υ_r acts on the score of its patch."""
    lever = collapse(sp.diff(model.patch_score(q), pp[r]))
    return collapse(sp.Sum(attn[q] * lever, (q, 1, P)))


def _share(key: Kind) -> sp.Expr:
    """U[q, j] of a patch of this kind."""
    return sp.Integer(0) if key is None else _delta(j, key)


def _pull_summand(share: sp.Expr) -> sp.Expr:
    """What area j adds to the pull on a key patch with U[q, j] = share: the chain rule through A_j."""
    through_area = (area_derivative() / attn[r]).subs(U[r, j], share)
    return -sp.diff(model.area_loss(j, A[j]), A[j]) * through_area


def _curvature_summands(share: sp.Expr, other: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """What area j adds to the curvature: through the attention on the first patch, and through the pull on it."""
    apart = softmax_derivative().subs(_delta(q, r), 0) / (attn[q] * attn[r])
    through_area = (area_derivative() / attn[r]).subs(U[r, j], other)
    return _pull_summand(share) * apart, sp.diff(_pull_summand(share), A[j]) * through_area


def over_areas(summand: sp.Expr, *split_at: Kind) -> sp.Expr:
    """Σ_j of the summand, the terms j = `split_at` (different areas) written out and 1 − A_j there called R_j."""
    areas = tuple(dict.fromkeys(area for area in split_at if area is not None))
    apart = {sp.KroneckerDelta(x, y): sp.Integer(0) for x in (a, m, l) for y in areas if x != y}
    written_out = sum(
        (summand.subs(j, area).subs(apart).subs(1 - A[area], R[area]) for area in areas), start=sp.Integer(0)
    )
    elsewhere = summand.subs({sp.KroneckerDelta(j, area): 0 for area in areas})
    excluded = sp.prod([1 - sp.KroneckerDelta(j, area) for area in areas])
    rest = sp.Integer(0)
    for term in sp.Add.make_args(sp.expand(elsewhere)):
        deltas = term.atoms(sp.KroneckerDelta)
        fixed = set().union(*(delta.args for delta in deltas)) - {j}
        if len(fixed) == 1:  # one term of the sum, at an area that is none of `split_at`
            rest += term.subs(dict.fromkeys(deltas, 1)).subs(j, fixed.pop())
        elif fixed:
            continue  # j cannot be two different areas
        else:
            factor, inside = term.as_independent(j)
            rest += factor * sp.Sum(excluded * inside, (j, 1, N))
    return written_out + rest


def collapse(expression: sp.Expr) -> sp.Expr:
    """Carry out the sums over a Kronecker delta, every index being inside its range."""

    def carry_out(total: sp.Sum) -> sp.Expr:
        index = total.limits[0][0]
        done = sp.Integer(0)
        for term in sp.Add.make_args(sp.expand(total.function)):
            deltas = [delta for delta in term.atoms(sp.KroneckerDelta) if index in delta.args]
            if deltas:
                (fixed,) = set(deltas[0].args) - {index}
                done += term.subs(deltas[0], 1).subs(index, fixed)
            else:
                done += total.func(term, total.limits[0])
        return done

    return expression.replace(lambda part: isinstance(part, sp.Sum) and part.has(sp.KroneckerDelta), carry_out)


def as_area_attention(expression: sp.Expr) -> sp.Expr:
    """Call Σ_q U[q, j] attn_q by its name, A_j."""

    def name(total: sp.Sum) -> sp.Expr:
        factor, inside = total.function.as_independent(q)
        (area,) = {seen.indices[1] for seen in inside.atoms(sp.Indexed) if seen.base == U}
        if inside != U[q, area] * attn[q]:
            raise ValueError(f"{total} is no multiple of an area attention")
        return factor * A[area]

    return expression.replace(lambda part: isinstance(part, sp.Sum), name)
