"""After attention has locked: the late laws of mean-field and of the exact dynamics.

Continuous time. Mean-field: attention on the target area tends to one, for a reason that is not there in the exact
dynamics, where the target area may be wholly masked. There the loss is separable with an exponential tail, and what
gradient flow does then is known up to its direction, which is an assumption here.

Source: arXiv 2403.02233, the convergence of the loss; for the direction, Soudry et al., "The implicit bias of gradient
descent on separable data", and Lyu and Li, "Gradient descent maximizes the margin of homogeneous neural networks".
"""

from __future__ import annotations

import sympy as sp

from derivations import model
from derivations.asymptotics import (
    by_sympy,
    fp_rate,
    pp_rate,
    to_infinity,
)  # fmt: skip
from derivations.phases import (
    AT_FIRST,
    ATTENTION,
    carried_out,
    integrated,
    lock_on_velocity,
    solves,
)  # fmt: skip
from derivations.proof import Proof
from derivations.statements import Result, Step, states
from derivations.symbols import A, C, R, S, a, attn, latent, mask_ratio, r, s, t, z

LATE = "mean-field, one cluster, constant latent, gradient flow, t → ∞ after lock-on"
INERT = "no other area shows anything: what attention is not on the target area is on masked patches"
STILL = "other Υ stand still: by ΣΥ = 0 together they move (C − 1)Υ_target, each of P − C patches next to nothing"

# Of the patches of the target area: how many are unmasked and masked. Elsewhere: the mass of all other patches.
seen_own, hidden_own, elsewhere = sp.symbols("u_a h_a W", positive=True)
phi, upsilon = sp.symbols("Phi_a Upsilon_a", real=True)
left = sp.Symbol("epsilon", positive=True)  # 1 − A_target


OWN, ELSEWHERE = hidden_own * model.masked_mass(upsilon), elsewhere
LOGIT = sp.log(seen_own * model.unmasked_mass(latent, phi, upsilon) / (OWN + ELSEWHERE))


def _late_rates() -> tuple[sp.Expr, sp.Expr]:
    """Rates of Φ_target and of Υ_target, the mean over the C − 1 patches that it stands for."""
    mass = seen_own * model.unmasked_mass(latent, phi, upsilon)
    total = mass + OWN + ELSEWHERE
    here = {A[a]: mass / total, R[a]: (OWN + ELSEWHERE) / total, z[a]: latent}

    def at(derived: sp.Expr, attention: sp.Expr) -> sp.Expr:
        inert = derived.replace(lambda part: isinstance(part, sp.Sum), lambda part: sp.Integer(0))
        return inert.subs(attn[r], attention / (C - 1)).subs(here)

    follows = at(pp_rate(a), mass / total) + at(pp_rate(None), OWN / total)
    return mask_ratio * at(fp_rate(a), sp.Integer(0)), mask_ratio * follows


@states
def late_factor() -> Result:
    """The logit of A_target moves 1 + 1/(z²(C − 1)) times as fast as zΦ_target, for Υ_target follows Φ_target."""
    leads, follows = _late_rates()
    ratio = (sp.Derivative(LOGIT, phi) * leads + sp.Derivative(LOGIT, upsilon) * follows) / (latent * leads)
    share = ELSEWHERE / (OWN + ELSEWHERE)  # of the masked mass; Υ_target raises the rest of it too
    claimed = 1 + share**2 / (latent**2 * (C - 1))
    return Result(
        name="late-factor",
        title="After lock-on the logit of A_target outruns zΦ_target, for Υ_target follows it",
        statement=sp.Eq(ratio, claimed),
        steps=(Step("chain rule through Φ and Υ, with the derived rates of both", ratio, claimed),),
        exactness="large-P",
        reference="theory §5; paper, the convergence of the loss",
        uses=("fp-rate-target", "pp-rate-target", "pp-rate-masked"),
        assumptions=(LATE, INERT, STILL),
    )


@states
def late_pp() -> Result:
    """Υ_target + (h_a/W) exp(Υ_target) grows as zΦ_target/(z²(C − 1)): linearly in log t at first, then as its log."""
    leads, follows = _late_rates()
    before = sp.Derivative(upsilon + OWN / ELSEWHERE, upsilon) * follows / (latent * leads)
    claimed = 1 / (latent**2 * (C - 1))
    return Result(
        name="late-pp",
        title="Υ_target grows as log t/(2(C − 1)), at z = 1, until the masked patches of its own area compete",
        statement=sp.Eq(before, claimed),
        steps=(Step("what of Υ grows in proportion to Φ_target", before, claimed),),
        exactness="large-P",
        reference="theory §5",
        uses=("fp-rate-target", "pp-rate-target", "pp-rate-masked"),
        assumptions=(LATE, INERT, STILL),
    )


def _late(name: str, title: str, grows: sp.Expr, to: sp.Expr, uses: tuple[str, ...], *assumed: str) -> Result:
    """A limit 1 − A_target → 0 with the time that it takes, an integral over A."""
    (time,) = grows.atoms(sp.Integral)
    before = sp.Limit(grows, left, 0)
    done = sp.Limit(grows.xreplace({time: carried_out(time)}), left, 0)
    return Result(
        name=name,
        title=title,
        statement=sp.Eq(before, to, evaluate=False),
        steps=(
            Step("separate the variables and integrate over A_target", before, done, integrated),
            Step("1/(1 − A)² outgrows all else", done, to, by_sympy(left, sp.Integer(0))),
        ),
        exactness="continuous-time",
        reference="theory §5; paper, the convergence of the loss",
        uses=uses,
        assumptions=(LATE, INERT, *assumed),
    )


def time_until(stretch: sp.Expr) -> sp.Integral:
    """Time from A_target = A_0 to 1 − ε, the logit moving this many times as fast as zΦ_target."""
    velocity = ATTENTION * (1 - ATTENTION) * stretch * lock_on_velocity()
    return sp.Integral(1 / velocity, (ATTENTION, AT_FIRST, 1 - left))


def _loss() -> sp.Expr:
    """Loss of a patch with attention 1 − ε on its target area."""
    return mask_ratio * model.area_loss(a, 1 - left).subs(z[a], latent)


FACTOR = 1 + 1 / (latent**2 * (C - 1))
FEW_OWN = "large P: next to none of the masked patches are of the target area, and C stays fixed"
WIDE = "C → ∞, where Υ_target stands still"


@states
def late_mean_field_attention() -> Result:
    """1 − A_target → (2γt)^{−1/2}; (2γz⁴t)^{−1/2} at latent z."""
    return _late(
        "late-mean-field-attention",
        "Late, mean-field: 1 − A_target = (2γt)^{−1/2} at z = 1",
        left * sp.sqrt(time_until(sp.Integer(1))),
        1 / sp.sqrt(2 * mask_ratio * latent**4),
        ("fp-rate-target",),
        WIDE,
    )


@states
def late_mean_field() -> Result:
    """Loss of a patch → 1/(4t); 1/(4z²t) at latent z."""
    return _late(
        "late-mean-field",
        "Late, mean-field: the loss of a patch is 1/(4t) at z = 1",
        4 * latent**2 * _loss() * time_until(sp.Integer(1)),
        sp.Integer(1),
        ("late-mean-field-attention",),
        WIDE,
    )


@states
def late_mean_field_finite() -> Result:
    """At finite C the loss of a patch sits at (C − 1)/C of 1/(4t), at z = 1."""
    return _late(
        "late-mean-field-finite",
        "Late, mean-field: the loss of a patch sits at (C − 1)/C of 1/(4t), at z = 1",
        4 * latent**2 * _loss() * time_until(FACTOR),
        latent**2 * (C - 1) / (latent**2 * (C - 1) + 1),
        ("late-factor", "late-mean-field"),
        STILL,
        FEW_OWN,
    )


# ── The exact dynamics: the direction of the correlations is assumed, the rate follows. ──

length = sp.Symbol("rho", real=True)  # the correlations are ρθ*, θ* the max-margin direction, of margin 1
scale = sp.Function("rho")(t)
beaten = sp.Symbol("w", positive=True)  # competitors that θ* beats by exactly 1, in the unit of the winners
factor = sp.Symbol("c", positive=True)  # L − L* at ρ = 0, were its tail all there is
direction, copies_of = sp.IndexedBase("theta", real=True), sp.IndexedBase("mu", nonnegative=True)
NORM = sp.Sum(copies_of[s] * direction[s] ** 2, (s, 1, S))
DIRECTION = (
    "ASSUMED, not proved: the correlations grow along the max-margin direction θ* (Soudry et al.; Lyu and Li)"
    "; where the target area is wholly masked, of those whose winners are the masked scores that won at the half-time"
)


@states
def late_exact_tail() -> Result:
    """A loss that the margin beats by ρ decays as e^{−2ρ}: it is quadratic in the attention that strays."""
    strays = beaten * sp.exp(-length) / (1 + beaten * sp.exp(-length))
    grows = to_infinity(sp.exp(2 * length) * model.area_loss(a, 1 - strays), length)
    tail = z[a] ** 2 * beaten**2 / 2
    said = "competitors ρ below the winners in score get w e^{−ρ} of their attention"
    return Result(
        name="late-exact-tail",
        title="Late, exact: with margin ρ the loss of a mask exceeds its floor by a multiple of e^{−2ρ}",
        statement=sp.Eq(grows, tail, evaluate=False),
        steps=(Step(said, grows, tail, by_sympy(length)),),
        exactness="continuous-time",
        reference="theory §5",
        uses=("query-loss-of-attention",),
        assumptions=("target area seen; wholly masked, A_m² of the areas seen decays likewise", DIRECTION),
    )


@states
def late_exact() -> Result:
    """4t(L − L*) → ‖θ*‖² = Σ mult_i θ_i²."""
    norm = sp.Symbol("Theta", positive=True)  # ‖θ*‖², a sum of squares that is not zero
    back = {norm: NORM}

    def by_name(how: Proof) -> Proof:
        return lambda before, after: how(*(side.xreplace({NORM: norm}) for side in (before, after)))

    excess = factor * sp.exp(-2 * length)
    # y = ρθ* descends: ρ' mult_i θ_i is −∂L/∂y_i, and times θ_i, summed, ρ'‖θ*‖² = −dL/dρ.
    velocity = (-sp.diff(excess, length) / norm).subs(length, scale)
    path = sp.log(1 + 4 * factor * t / norm) / 2
    grows, solved = (to_infinity(4 * t * excess.subs(length, at).subs(back), t) for at in (scale, path))
    flow = "gradient flow along θ*, ρ'‖θ*‖² = −d(L − L*)/dρ, from ρ = 0"
    return Result(
        name="late-exact",
        title="Late, exact: 4t(L − L*) tends to the squared norm of the max-margin direction, if that is the direction",
        statement=sp.Eq(grows, NORM, evaluate=False),
        steps=(
            Step(flow, grows, solved, by_name(solves(scale, velocity, path))),
            Step("let t grow", solved, NORM, by_name(by_sympy(t))),
        ),
        exactness="continuous-time",
        reference="theory §5",
        uses=("late-exact-tail",),
        assumptions=(
            "the target area can be wholly masked",
            DIRECTION,
            "L − L* is its tail c e^{−2ρ}, late-exact-tail",
        ),
    )
