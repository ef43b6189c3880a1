"""The model: from the score of a patch to the loss of a masked query.

Exact. The loss is that of one sample (cluster, latents, mask) and one masked query; training follows its mean.
Source: arXiv 2403.02233, the section that sets up the masked reconstruction problem and the one-layer transformer.
"""

from __future__ import annotations

import sympy as sp

from derivations.proof import through
from derivations.statements import Result, Step, states
from derivations.symbols import (
    A,
    N,
    P,
    Q,
    S,
    U,
    W,
    a,
    area,
    attn,
    b,
    c,
    column,
    d,
    e,
    fp,
    h,
    i,
    j,
    m,
    p,
    pp,
    pp_self,
    q,
    r,
    row,
    s,
    score,
    u,
    v,
    x,
    z,
)


def patch_score(q: sp.Expr) -> sp.Expr:
    """Score e_pᵀ Q (X̃_q + e_q) of patch q: content where it is unmasked, position always."""
    return sp.Sum(U[q, j] * z[j] * fp[j], (j, 1, N)) + pp[q]


def patch_attention(q: sp.Expr) -> sp.Expr:
    """Softmax of the scores over all patches, masked ones included."""
    return sp.exp(score[q]) / sp.Sum(sp.exp(score[i]), (i, 1, P))


def unmasked_score(latent: sp.Expr, fp_value: sp.Expr, pp_value: sp.Expr) -> sp.Expr:
    """Score of an unmasked patch: it has content and a position."""
    return latent * fp_value + pp_value


def masked_score(pp_value: sp.Expr) -> sp.Expr:
    """Score of a masked patch: it has a position but no content."""
    return pp_value


def unmasked_mass(latent: sp.Expr, fp_value: sp.Expr, pp_value: sp.Expr) -> sp.Expr:
    """Softmax numerator of an unmasked patch."""
    return sp.exp(unmasked_score(latent, fp_value, pp_value))


def masked_mass(pp_value: sp.Expr) -> sp.Expr:
    """Softmax numerator of a masked patch."""
    return sp.exp(masked_score(pp_value))


def residual(j: sp.Expr, attention: sp.Expr) -> sp.Expr:
    """Component ρ_j of X_p − F_p along feature v_j."""
    return z[j] * (sp.KroneckerDelta(j, a) - attention)


def area_loss(j: sp.Expr, attention: sp.Expr) -> sp.Expr:
    """What feature v_j contributes to ℓ_p = ½ ‖F_p − X_p‖²."""
    return residual(j, attention) ** 2 / 2


def query_loss() -> sp.Expr:
    """ℓ_p as a function of the area attentions A[1..N]."""
    return sp.Sum(area_loss(j, A[j]), (j, 1, N))


def sample_loss() -> sp.Expr:
    """ℓ_p as a function of the correlations, counts and latents: the whole model in one expression.

    Number of classes S and of areas N symbolic; put numbers in and call ``doit`` for one geometry.
    """
    seen = u[s] * unmasked_mass(z[area[s]], fp[area[s]], pp[s])
    partition = masked_mass(pp_self) + sp.Sum(seen + h[s] * masked_mass(pp[s]), (s, 1, S))
    attention = sp.Sum(sp.KroneckerDelta(area[s], j) * seen, (s, 1, S)) / partition
    return sp.Sum(area_loss(j, attention), (j, 1, N))


@states
def attention() -> Result:
    """The attention of the query is a softmax: what it gives to all patches sums to one."""
    total = sp.Sum(attn[q], (q, 1, P))
    written_out = sp.Sum(patch_attention(q), (q, 1, P))
    return Result(
        name="attention",
        title="Attention is shared among all patches, masked ones included",
        statement=sp.Eq(total, 1),
        steps=(
            Step("attention is the softmax of the scores", total, written_out, through(attn)),
            Step("the denominator is the same for every patch", written_out, sp.Integer(1)),
        ),
        exactness="exact",
        reference="theory §2; paper, the one-layer transformer",
    )


@states
def reconstruction() -> Result:
    """The reconstruction along a feature is the latent times the attention on its area."""
    along = sp.Sum(attn[q] * U[q, m] * z[m], (q, 1, P))
    return Result(
        name="reconstruction",
        title="The reconstruction F_p along a feature v_m",
        statement=sp.Eq(along, z[m] * A[m]),
        steps=(
            Step(
                "an unmasked patch of area m shows z_m v_m, any other nothing along v_m", along, z[m] * A[m], through(A)
            ),
        ),
        exactness="exact",
        reference="theory §2; paper, the masked reconstruction",
        uses=("attention",),
    )


@states
def query_loss_of_attention() -> Result:
    """The loss of a masked query in terms of the attention on areas."""
    loss, others = query_loss(), sp.Sum((1 - sp.KroneckerDelta(a, j)) * z[j] ** 2 * A[j] ** 2, (j, 1, N))
    return Result(
        name="query-loss-of-attention",
        title="The loss of a masked query depends on the attention on areas alone",
        statement=sp.Eq(loss, (z[a] ** 2 * (1 - A[a]) ** 2 + others) / 2),
        steps=(Step("write the target area apart", loss, (z[a] ** 2 * (1 - A[a]) ** 2 + others) / 2),),
        exactness="exact",
        reference="theory §2",
        uses=("reconstruction",),
        assumptions=("the features are orthonormal",),
    )


@states
def rows_decouple() -> Result:
    """The scores of one query depend on its own row e_pᵀQ alone: the queries learn independently."""
    key = sp.Sum(W[r, b] * x[q, b], (b, 1, d))
    before, after = sp.Derivative(key, W[p, c]), sp.KroneckerDelta(p, r) * x[q, c]
    return Result(
        name="rows-decouple",
        title="The scores of query r do not depend on the row of another query p",
        statement=sp.Eq(before, after),
        steps=(Step("a score is the row of its query times the key", before, after),),
        exactness="exact",
        reference="theory §3; paper, the lemmas on the gradients",
    )


@states
def gradient_stays_in_the_span() -> Result:
    """The derivative of a score by the matrix is e_p times the key, which is features and positions."""
    key = sp.Sum(U[q, j] * z[j] * v[j, b], (j, 1, N)) + e[q, b]
    full = sp.Sum(e[p, c] * Q[c, b] * key, (c, 1, d), (b, 1, d))
    before = sp.Derivative(full, Q[row, column])
    after = e[p, row] * key.subs(b, column)
    return Result(
        name="gradient-stays-in-the-span",
        title="The gradient is a sum of e_p times features and positions: the correlations close",
        statement=sp.Eq(before, after),
        steps=(Step("the score is bilinear in e_p and the key", before, after),),
        exactness="exact",
        reference="theory §3; paper, the lemmas on the gradients",
    )
