"""The rates, as results: derivatives of the loss by scores and by correlations, each with its proof.

The derivations are in ``gradients``; here each stands as a statement and is verified from the definitions: the loss is
written out for some numbers of areas and patches and differentiated as it stands.
"""

from __future__ import annotations

import sympy as sp

from derivations import gradients, model
from derivations.gradients import Kind
from derivations.proof import Checked, DerivationError, ell, through
from derivations.statements import Result, Step, states
from derivations.symbols import A, K, N, P, U, a, attn, fp, j, k, l, m, p, pp, q, r, score, weight, z

_PAPER = "paper, the lemmas on the gradients of the FP and PP correlations"
_TO_SCORES, _TO_CORRELATIONS = through(ell, A, attn), through(ell, A, attn, score)


def _mean_residual() -> sp.Expr:
    """Σ_j ρ_j z_j A_j."""
    return sp.Sum(model.residual(j, A[j]) * z[j] * A[j], (j, 1, N))


def _pull_on(share: sp.Expr) -> sp.Expr:
    """The pull on a patch with U[q, j] = share, as a sum over all areas."""
    return sp.Sum(gradients._pull_summand(share), (j, 1, N))


def _by(variable: sp.Expr) -> sp.Expr:
    """−∂ℓ_p by a score or a correlation."""
    return -sp.Derivative(ell(variable), variable)


@states
def softmax_rule() -> Result:
    """Derivative of an attention by a score."""
    before = sp.Derivative(model.patch_attention(q), score[r])
    return Result(
        name="softmax-rule",
        title="Derivative of the softmax by a score",
        statement=sp.Eq(before, gradients.softmax_derivative()),
        steps=(Step("differentiate, carry out the sum over δ", before, gradients.softmax_derivative(), through(attn)),),
        exactness="exact",
        reference=f"theory §3; {_PAPER}",
        uses=("attention",),
    )


@states
def area_rule() -> Result:
    """Derivative of the attention on an area by a score."""
    before = sp.Derivative(sp.Sum(U[q, m] * model.patch_attention(q), (q, 1, P)), score[r])
    after = gradients.area_derivative().subs(j, m)
    return Result(
        name="area-rule",
        title="Derivative of the attention on an area by a score",
        statement=sp.Eq(before, after),
        steps=(Step("sum the softmax rule over the unmasked patches of the area", before, after, through(A, attn)),),
        exactness="exact",
        reference=f"theory §3; {_PAPER}",
        uses=("softmax-rule",),
    )


@states
def score_gradient() -> Result:
    """Derivative of the loss by the score of any patch: the chain rule through the attention on areas."""
    before, after = _by(score[r]), attn[r] * _pull_on(U[r, j])
    return Result(
        name="score-gradient",
        title="Derivative of the loss by the score of a patch",
        statement=sp.Eq(before, after),
        steps=(Step("chain rule through the attention on areas", before, after, _TO_SCORES),),
        exactness="exact",
        reference=f"theory §3; {_PAPER}",
        uses=("query-loss-of-attention", "area-rule"),
    )


@states
def residual_identity() -> Result:
    """One identity gives every rate: g = z ρ of the patch's area minus the mean residual."""
    before = _pull_on(U[r, j])
    after = sp.Sum(U[r, j] * z[j] * model.residual(j, A[j]), (j, 1, N)) - _mean_residual()
    return Result(
        name="residual-identity",
        title="The pull on a patch is the residual of its area less the mean residual",
        statement=sp.Eq(before, after),
        steps=(Step("split U[r, j] − A_j", before, after),),
        exactness="exact",
        reference=f"theory §3; {_PAPER}",
        uses=("score-gradient",),
    )


def _pull_result(name: str, title: str, key: Kind) -> Result:
    before, after = _pull_on(gradients._share(key)), gradients.pull(key)
    return Result(
        name=name,
        title=title,
        statement=sp.Eq(before, after),
        steps=(Step("write the areas that matter apart, R = 1 − A", before, after),),
        exactness="exact",
        reference=f"theory §3; {_PAPER}",
        uses=("score-gradient",),
    )


@states
def pull_target() -> Result:
    """On an unmasked patch of the target area."""
    return _pull_result("pull-target", "The pull on an unmasked patch of the target area", a)


@states
def pull_other() -> Result:
    """On an unmasked patch of another area."""
    return _pull_result("pull-other", "The pull on an unmasked patch of another area", m)


@states
def pull_masked() -> Result:
    """On a masked patch."""
    return _pull_result("pull-masked", "The pull on a masked patch", None)


def _fp_result(name: str, title: str, key: sp.Symbol) -> Result:
    before, general = _by(fp[key]), gradients.fp_lever().subs(m, key) * _pull_on(gradients._share(key))
    after = gradients.fp_lever().subs(m, key) * gradients.pull(key)
    return Result(
        name=name,
        title=title,
        statement=sp.Eq(before, after),
        steps=(
            Step("Φ acts on the unmasked patches of its area, all of them alike", before, general, _TO_CORRELATIONS),
            Step("write the areas that matter apart, R = 1 − A", general, after),
        ),
        exactness="exact",
        reference=f"theory §3; {_PAPER} (α)",
        uses=("score-gradient", name.replace("fp-rate", "pull")),
    )


@states
def fp_rate_target() -> Result:
    """The paper's α of the target area: never negative."""
    return _fp_result("fp-rate-target", "FP rate of the target area (the paper's α)", a)


@states
def fp_rate_other() -> Result:
    """The paper's α of another area."""
    return _fp_result("fp-rate-other", "FP rate of another area (the paper's α)", m)


@states
def pp_rate() -> Result:
    """Υ acts on the score of its patch alone."""
    before, after = _by(pp[r]), gradients.pp_lever() * _pull_on(U[r, j])
    return Result(
        name="pp-rate",
        title="PP rate of any patch (the paper's β, before the mean over masks)",
        statement=sp.Eq(before, after),
        steps=(Step("Υ is a term of the score of one patch", before, after, _TO_CORRELATIONS),),
        exactness="exact",
        reference=f"theory §3; {_PAPER} (β)",
        uses=("score-gradient",),
    )


def _pp_result(name: str, title: str, key: Kind, patch: sp.Symbol = r) -> Result:
    lever = gradients.pp_lever().subs(r, patch)
    before, after = lever * _pull_on(gradients._share(key)), lever * gradients.pull(key)
    return Result(
        name=name,
        title=title,
        statement=sp.Eq(before, after),
        steps=(Step("the pull on a patch of this kind", before, after),),
        exactness="exact",
        reference=f"theory §3; {_PAPER} (β)",
        uses=("pp-rate", {a: "pull-target", m: "pull-other", None: "pull-masked"}[key]),
    )


@states
def pp_rate_target() -> Result:
    """A patch of the target area, unmasked."""
    return _pp_result("pp-rate-target", "PP rate of an unmasked patch of the target area", a)


@states
def pp_rate_other() -> Result:
    """A patch of another area, unmasked."""
    return _pp_result("pp-rate-other", "PP rate of an unmasked patch of another area", m)


@states
def pp_rate_masked() -> Result:
    """Any masked patch."""
    return _pp_result("pp-rate-masked", "PP rate of a masked patch", None)


@states
def pp_rate_self() -> Result:
    """The query itself, which is masked."""
    return _pp_result("pp-rate-self", "PP rate of the query itself, which is masked", None, p)


@states
def pp_rate_over_clusters() -> Result:
    """Υ is shared by the clusters: its rate is the sum over them (the paper's β)."""
    before = -sp.Derivative(sp.Sum(weight[k] * ell(k, pp[r]), (k, 1, K)), pp[r])
    after = sp.Sum(-weight[k] * sp.Derivative(ell(k, pp[r]), pp[r]), (k, 1, K))
    return Result(
        name="pp-rate-over-clusters",
        title="The PP rate is a mean over clusters, which share Υ",
        statement=sp.Eq(before, after),
        steps=(Step("the derivative of a sum", before, after, _linear),),
        exactness="exact",
        reference=f"theory §3; {_PAPER} (β)",
        uses=("pp-rate",),
    )


@states
def score_curvature() -> Result:
    """Second derivative of the loss by two scores."""
    before = -sp.Derivative(ell(score[q], score[r]), score[q], score[r])
    pull_on_q = _pull_on(U[q, j])
    curved = sum(
        (sp.Sum(part, (j, 1, N)) for part in gradients._curvature_summands(U[q, j], U[r, j])), start=sp.Integer(0)
    )
    after = sp.KroneckerDelta(q, r) * attn[q] * pull_on_q + attn[q] * attn[r] * curved
    return Result(
        name="score-curvature",
        title="Second derivative of the loss by the scores of two patches",
        statement=sp.Eq(before, after),
        steps=(Step("differentiate attn_q times the pull on q once more", before, after, _TO_SCORES),),
        exactness="exact",
        reference="theory §3",
        uses=("softmax-rule", "area-rule", "score-gradient"),
    )


def _curvature_result(name: str, title: str, key: Kind, other: Kind) -> Result:
    parts = gradients._curvature_summands(gradients._share(key), gradients._share(other))
    before = sum((sp.Sum(part, (j, 1, N)) for part in parts), start=sp.Integer(0))
    return Result(
        name=name,
        title=title,
        statement=sp.Eq(before, gradients.curvature(key, other)),
        steps=(Step("write the areas that matter apart, R = 1 − A", before, gradients.curvature(key, other)),),
        exactness="exact",
        reference="theory §3",
        uses=("score-curvature",),
    )


@states
def curvature_target() -> Result:
    """Two unmasked patches of the target area."""
    return _curvature_result("curvature-target", "Curvature within the target area", a, a)


@states
def curvature_target_other() -> Result:
    """One in the target area, one in another."""
    return _curvature_result("curvature-target-other", "Curvature between the target area and another", a, m)


@states
def curvature_target_masked() -> Result:
    """One in the target area, one masked."""
    title = "Curvature between the target area and a masked patch"
    return _curvature_result("curvature-target-masked", title, a, None)


@states
def curvature_same() -> Result:
    """Two in one area that is not the target."""
    return _curvature_result("curvature-same", "Curvature within another area", m, m)


@states
def curvature_others() -> Result:
    """Two in two areas, neither the target."""
    return _curvature_result("curvature-others", "Curvature between two other areas", m, l)


@states
def curvature_other_masked() -> Result:
    """One in an area that is not the target, one masked."""
    return _curvature_result("curvature-other-masked", "Curvature between another area and a masked patch", m, None)


@states
def curvature_masked() -> Result:
    """Two masked patches."""
    return _curvature_result("curvature-masked", "Curvature between two masked patches", None, None)


def _linear(before: sp.Basic, after: sp.Basic) -> Checked:
    """The same for three clusters written out, their losses being any functions."""
    first, second = (side.subs(K, 3).doit() for side in (before, after))
    if sp.expand(first - second) != 0:
        raise DerivationError(f"{first} before, {second} after, for three clusters")
    return Checked("symbolic")
