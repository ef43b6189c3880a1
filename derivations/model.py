"""The model: from the score of a patch to the loss of a masked query.

Exact. The loss is that of one sample (cluster, latents, mask) and one masked query; training follows its mean.
Source: arXiv 2403.02233, the section that sets up the masked reconstruction problem and the one-layer transformer.
"""

from __future__ import annotations

import sympy as sp

from derivations.symbols import A, N, P, S, U, a, area, fp, h, i, j, pp, pp_self, s, score, u, z


def patch_score(q: sp.Expr) -> sp.Expr:
    """Score e_pᵀ Q (X̃_q + e_q) of patch q: content where it is unmasked, position always."""
    return sp.Sum(U[q, j] * z[j] * fp[j], (j, 1, N)) + pp[q]


def patch_attention(q: sp.Expr) -> sp.Expr:
    """Softmax of the scores over all patches, masked ones included."""
    return sp.exp(score[q]) / sp.Sum(sp.exp(score[i]), (i, 1, P))


def unmasked_mass(latent: sp.Expr, fp_value: sp.Expr, pp_value: sp.Expr) -> sp.Expr:
    """Softmax numerator of an unmasked patch: it has content and a position."""
    return sp.exp(latent * fp_value + pp_value)


def masked_mass(pp_value: sp.Expr) -> sp.Expr:
    """Softmax numerator of a masked patch: it has a position but no content."""
    return sp.exp(pp_value)


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
