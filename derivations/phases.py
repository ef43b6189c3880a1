"""Large P: the two phases, the plateau and the half-time, as they follow from the leading terms.

The leading terms are those of ``asymptotics``. A path is verified to solve its differential equation, the time at
which two rates meet to be the root of their difference, an integral by differentiating it; what is left is a limit.

Large P and continuous time. Source: arXiv 2403.02233, the two-phase analysis of a local query.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import sympy as sp

from derivations import proof
from derivations.asymptotics import (
    DECOUPLED,
    FIRST_GLOBAL,
    FIRST_TARGET,
    FLOW,
    GAP,
    LEADING,
    LOCAL,
    PAPER,
    TWO_KINDS,
    MeanField,
    by_sympy,
    fp_rate,
    global_path,
    global_term,
    on_the_path,
    one_limit,
    progress,
    speed,
    start,
    target_path,
    target_term,
    to_infinity,
)  # fmt: skip
from derivations.proof import Checked, DerivationError, Proof, extrapolated, inside_limits
from derivations.statements import Result, Step, states
from derivations.symbols import A, P, R, a, kappa_c, kappa_s, latent, mask_ratio, t, z

AT_FIRST = sp.Symbol("A_0", positive=True)  # attention at Q = 0
FP_TARGET, FP_GLOBAL = (sp.Function(name)(t) for name in ("Phi_target", "Phi_global"))
FIRST = sp.Function("A_0")(P)  # attention on the target area at Q = 0; its value is put in where the limit is taken
MEETING = sp.Function("x_I")(P)  # r·t at which the rates of Φ_target and Φ_global meet
ATTENTION = sp.Symbol("A", positive=True)  # A_target where it is the variable
SMALL = P**-kappa_s + P ** (kappa_s - 1) * sp.log(P)  # relative error of the half-time


def put_in(unknown: sp.Expr, value: sp.Expr) -> Proof:
    """`after` is `before` with this value for the unknown, inside the limit if there is one."""
    return lambda before, after: proof.equal(*(inside_limits(side).subs(unknown, value) for side in (before, after)))


def solves(unknown: sp.Expr, rate: sp.Expr, path: sp.Expr) -> Proof:
    """`after` is `before` with the unknown put in: a path from 0 along which d(unknown)/dt is this rate."""

    def proof_(before: sp.Basic, after: sp.Basic) -> Checked:
        left = sp.simplify(sp.diff(path, t) - rate.subs(unknown, path))
        if left != 0 or path.subs(t, 0) != 0:
            raise DerivationError(f"the path starts at {path.subs(t, 0)} and leaves {left}")
        return put_in(unknown, path)(before, after)

    return proof_


def meets(unknown: sp.Expr, difference: sp.Expr, root: sp.Expr) -> Proof:
    """`after` is `before` with the unknown put in: the root of this difference."""

    def proof_(before: sp.Basic, after: sp.Basic) -> Checked:
        left = sp.simplify(difference.subs(unknown, root))
        if left != 0:
            raise DerivationError(f"put in, it leaves {left}")
        return put_in(unknown, root)(before, after)

    return proof_


def integrated(before: sp.Basic, after: sp.Basic) -> Checked:
    """`after` is `before` with its integral carried out; SymPy's primitive is differentiated to make sure."""
    (integral,) = before.atoms(sp.Integral)
    variable = integral.limits[0][0]
    left = sp.simplify(sp.diff(_primitive(integral), variable) - integral.function)
    if left != 0:
        raise DerivationError(f"the derivative of the primitive differs by {left}")
    done = inside_limits(before).xreplace({integral: carried_out(integral)})
    return proof.equal(done.subs(FIRST, AT_FIRST), inside_limits(after).subs(FIRST, AT_FIRST))


def from_the_start(query: Literal["local", "global"], remainder: sp.Expr, *conditions: sp.Rel) -> Proof:
    """``extrapolated`` to large P once A_0 has its value at Q = 0."""

    def proof_(before: sp.Basic, after: sp.Basic) -> Checked:
        known = inside_limits(before).subs(FIRST, start(query).unmasked["target"])
        return extrapolated(P, remainder, *conditions)(known, after)

    return proof_


@cache
def _primitive(integral: sp.Integral) -> sp.Expr:
    """A primitive in the variable, an attention: SymPy's log(A − 1) has an imaginary part below 1."""
    variable = integral.limits[0][0]
    primitive = sp.integrate(sp.apart(integral.function, variable), variable)
    return primitive.subs(sp.log(variable - 1), sp.log(1 - variable))


def carried_out(integral: sp.Integral) -> sp.Expr:
    """The integral of a rational function, done."""
    variable, lower, upper = integral.limits[0]
    return _primitive(integral).subs(variable, upper) - _primitive(integral).subs(variable, lower)


@states
def phase_one_global() -> Result:
    """A_global = (2γt)^{−1/2} once what it started from is forgotten; (2γz⁴t)^{−1/2} at latent z."""
    rate, path = global_term(AT_FIRST * sp.exp(latent * FP_GLOBAL)), global_path(t, AT_FIRST)
    at = sp.sqrt(t) * AT_FIRST * sp.exp(latent * FP_GLOBAL)
    solved = to_infinity(sp.sqrt(t) * AT_FIRST * sp.exp(latent * path), t)
    late = 1 / sp.sqrt(2 * mask_ratio * latent**4)
    return Result(
        name="phase-one-global",
        title="Phase I: A_global = (2γt)^{−1/2} at z = 1",
        statement=sp.Eq(to_infinity(at, t), late, evaluate=False),
        steps=(
            Step(
                "solve dΦ/dt = −γz³A², A = A_0 exp(zΦ), from Φ = 0", to_infinity(at, t), solved,
                solves(FP_GLOBAL, rate, path),
            ),
            Step("let t grow beyond 1/(2γz⁴A_0²)", solved, late, by_sympy(t)),
        ),
        exactness="large-P",
        reference=f"theory §5; {PAPER}, phase I",
        uses=("leading-global", "leading-others"),
        assumptions=(LOCAL, LEADING),
    )  # fmt: skip


@states
def phase_one_target() -> Result:
    """Φ_target = −log(1 − rt), r = γ(1 − γ)P^{κs−1} at z = 1."""
    rate, path = target_term(FIRST_TARGET * sp.exp(latent * FP_TARGET)), target_path(t, FIRST_TARGET)
    claimed = -sp.log(1 - mask_ratio * (1 - mask_ratio) * latent**4 * P ** (kappa_s - 1) * t) / latent
    return Result(
        name="phase-one-target",
        title="Phases I and II: Φ_target until attention locks",
        statement=sp.Eq(FP_TARGET, claimed),
        steps=(
            Step(
                "solve dΦ/dt = γz³A, A = (1 − γ)P^{κs−1} exp(zΦ), from Φ = 0", FP_TARGET, claimed,
                solves(FP_TARGET, rate, path),
            ),
        ),
        exactness="large-P",
        reference=f"theory §5; {PAPER}, phases I and II",
        uses=("leading-target", "leading-others"),
        assumptions=(LOCAL, LEADING),
    )  # fmt: skip


def _meeting() -> tuple[sp.Expr, sp.Expr]:
    """Difference of the two rates at r·t = x_I, and its root."""
    time = MEETING / speed(FIRST_TARGET)
    growth = (sp.exp(latent * path(time, first)) for path, first in _PATHS)
    of_target, of_global = (first * grown for (_, first), grown in zip(_PATHS, growth, strict=True))
    return -global_term(of_global) - target_term(of_target), (1 - FIRST_TARGET / FIRST_GLOBAL**2) / 3


_PATHS = ((target_path, FIRST_TARGET), (global_path, FIRST_GLOBAL))


def _at_the_end(name: str, title: str, at: sp.Expr, to: sp.Expr, said: str, uses: tuple[str, ...]) -> Result:
    """A limit P → ∞ of a quantity at the time where the two rates meet."""
    difference, root = _meeting()
    solved = to_infinity(at.subs(MEETING, root))
    return Result(
        name=name,
        title=title,
        statement=sp.Eq(to_infinity(at), to, evaluate=False),
        steps=(
            Step("the rates meet, A_global² = A_target", to_infinity(at), solved, meets(MEETING, difference, root)),
            Step(said, solved, to, extrapolated(P, P**-GAP, DECOUPLED)),
        ),
        exactness="large-P",
        reference=f"theory §5; {PAPER}, the end of phase I",
        uses=uses,
        assumptions=(LOCAL, LEADING, "Δ > 0"),
    )


@states
def phase_one_end() -> Result:
    """Phase I ends at rt = 1/3."""
    return _at_the_end(
        name="phase-one-end",
        title="Phase I ends at a third of the half-time",
        at=MEETING,
        to=sp.Rational(1, 3),
        said="what A_global started from is forgotten as P^{−Δ}",
        uses=("phase-one-target", "phase-one-global"),
    )


@states
def phase_one_end_target() -> Result:
    """Φ_target = log(3/2) at the end of phase I."""
    return _at_the_end(
        name="phase-one-end-target",
        title="Φ_target at the end of phase I",
        at=target_path(MEETING / speed(FIRST_TARGET), FIRST_TARGET),
        to=sp.log(sp.Rational(3, 2)) / latent,
        said="at r·t = 1/3",
        uses=("phase-one-end",),
    )


@states
def plateau() -> Result:
    """Φ_global = −(Δ/2) log P + ½ log(3/(2(1 − γ))) at the end of phase I."""
    at = global_path(MEETING / speed(FIRST_TARGET), FIRST_GLOBAL) + GAP * sp.log(P) / (2 * latent)
    return _at_the_end(
        name="plateau",
        title="The plateau: Φ_global at the end of phase I is −(Δ/2) log P and a constant, at z = 1",
        at=at,
        to=sp.log(3 / (2 * (1 - mask_ratio))) / (2 * latent),
        said="at r·t = 1/3",
        uses=("phase-one-end",),
    )


def lock_on_velocity() -> sp.Expr:
    """d(zΦ_target)/dt where A is the attention on the target and all other attention is on what shows nothing."""
    rate = fp_rate(a).replace(lambda part: isinstance(part, sp.Sum), lambda total: sp.Integer(0))
    alone = {A[a]: ATTENTION, R[a]: 1 - ATTENTION, z[a]: latent}
    return latent * mask_ratio * rate.subs(alone)


def time_to_half() -> sp.Integral:
    """T: the time from A_target = A_0 to A_target = ½; dA = A(1 − A) d log(A/(1 − A)), and the logit moves with zΦ."""
    velocity = ATTENTION * (1 - ATTENTION) * lock_on_velocity()
    return sp.Integral(1 / velocity, (ATTENTION, FIRST, sp.Rational(1, 2)))


HALF_TIME = time_to_half()


def _locks(name: str, title: str, grows: sp.Expr, last: tuple[tuple[str, sp.Expr, Proof], ...], **more: Any) -> Result:
    """A limit of a function of the half-time: first the integral over A, then the last steps: said, after, proof."""
    done = to_infinity(grows.xreplace({HALF_TIME: carried_out(HALF_TIME)}))
    steps = [Step("separate the variables and integrate over A_target", to_infinity(grows), done, integrated)]
    for said, after, how in last:
        steps.append(Step(said, steps[-1].after, after, how))
    settings = {"reference": f"theory §5; {PAPER}, phase II", "assumptions": (LOCAL, LEADING, LOCKING), **more}
    return Result(
        name=name,
        title=title,
        statement=sp.Eq(to_infinity(grows), steps[-1].after, evaluate=False),
        steps=tuple(steps),
        exactness="large-P",
        **settings,
    )


GLOBAL_QUERY = f"{FLOW}; a query in the global area; κc, κs < 1"
LOCKING = "A_target alone moves while it rises to ½; what the others show and lose, O(P^{κc−1}) of T, is left out"


@states
def half_time() -> Result:
    """T·r → 1."""
    return _locks(
        "half-time",
        "The half-time T of a local query is 1/r",
        mask_ratio * (1 - mask_ratio) * latent**4 * P ** (kappa_s - 1) * HALF_TIME,
        (("A_0 ~ (1 − γ)P^{κs−1}; only 1/A_0 grows as P^{1−κs}", sp.Integer(1), from_the_start("local", SMALL)),),
        uses=("start-attention-target", "phase-one-target"),
    )


@states
def half_time_exponent() -> Result:
    """Exponent of the half-time: log T / log P → 1 − κs, from where its 1/log P term has been."""
    expansion = to_infinity(1 - kappa_s - sp.log(mask_ratio * (1 - mask_ratio) * latent**4) / sp.log(P))
    return _locks(
        "half-time-exponent",
        "The half-time exponent; its 1/log P term is the constant log(γ(1 − γ)) at z = 1",
        sp.log(HALF_TIME) / sp.log(P),
        (
            ("A_0 ~ (1 − γ)P^{κs−1}; only 1/A_0 grows as P^{1−κs}", expansion, from_the_start("local", SMALL)),
            ("the constant is lost against log P", 1 - kappa_s, by_sympy(P)),
        ),
        uses=("half-time",),
    )


@states
def fp_global_at_half_time() -> Result:
    """Φ_global / log P → −Δ/2 at T for Δ > 0, and 0 for Δ ≤ 0."""
    at = to_infinity(-sp.log(1 + 2 * (1 - mask_ratio) * P**GAP) / (2 * latent * sp.log(P)))
    return _locks(
        "fp-global-at-half-time",
        "Φ_global at the half-time, over log P: −Δ/2 for Δ > 0 and 0 for Δ ≤ 0, at z = 1",
        global_path(HALF_TIME, FIRST_GLOBAL) / sp.log(P),
        (
            ("T = 1/r", at, from_the_start("local", SMALL, TWO_KINDS)),
            ("the larger term wins", -sp.Max(GAP, 0) / (2 * latent), extrapolated(P, 1 / sp.log(P), TWO_KINDS)),
        ),
        uses=("half-time", "phase-one-global"),
        assumptions=(LOCAL, LEADING, LOCKING, "the leading term of Φ_global holds up to T itself"),
    )


@states
def pp_over_fp() -> Result:
    """Υ_target / Φ_target = 1/(C_local − 1) at z = 1: one of the C_local − 1 patches against the whole area."""
    state = on_the_path()
    return one_limit(
        name="pp-over-fp",
        title="Υ_target grows 1/(C_local − 1) times as fast as Φ_target, at z = 1",
        grows=(P**kappa_s - 1) * state.pp_rate("target") / state.fp_rate("target"),
        to=1 / latent,
        how=extrapolated(P, P ** (2 * (kappa_c - 1)) + P ** (kappa_s - 1)),
        said="Φ moves the score of all unmasked patches of the area by z, Υ that of one; masked ones pull less",
        uses=("leading-target", "pp-rate-target", "pp-rate-masked"),
        assumptions=(LOCAL, "on the path of the leading terms, x in (0, 1) fixed"),
    )


@states
def pp_exponent() -> Result:
    """Υ_target / Φ_target is a power of P: P^{−κs}."""
    state = on_the_path()
    ratio = to_infinity(sp.log(state.pp_rate("target") / state.fp_rate("target")) / sp.log(P))
    expansion = to_infinity(-kappa_s - sp.log(latent) / sp.log(P))
    small = P ** (2 * (kappa_c - 1)) + P ** (kappa_s - 1) + P**-kappa_s
    return Result(
        name="pp-exponent",
        title="The power of P by which Υ_target stays below Φ_target",
        statement=sp.Eq(ratio, -kappa_s, evaluate=False),
        steps=(
            Step("one of the P^κs − 1 patches against the whole area", ratio, expansion, extrapolated(P, small)),
            Step("the constant is lost against log P", expansion, -kappa_s, by_sympy(P)),
        ),
        exactness="large-P",
        reference=f"theory §5; {PAPER}",
        uses=("pp-over-fp",),
        assumptions=(LOCAL, "on the path of the leading terms, x in (0, 1) fixed"),
    )


@states
def leading_global_query() -> Result:
    """The rate of Φ_target of a query in the global area over its leading term."""
    first = start("global").unmasked["target"]
    grown = MeanField("global", {"target": target_path(progress / speed(first), first)})
    return one_limit(
        name="leading-global-query",
        title="What is left of the rate of Φ_target of a global query at r·t = x",
        grows=grown.fp_rate("target") / target_term(first / (1 - progress)),
        to=sp.Integer(1),
        how=extrapolated(P, P ** (kappa_c - 1) + P ** (kappa_s - 1)),
        said="put Φ_target of the leading term into the derived rate",
        uses=("start-attention-global", "fp-rate-target"),
        assumptions=(GLOBAL_QUERY, "on the path of the leading term, x in (0, 1) fixed"),
        reference="theory §5; paper, the dynamics of a query in the global area",
    )


@states
def global_query() -> Result:
    """A query in the global area locks onto it: T·γ(1 − γ)P^{κc−1} → 1."""
    small = P**-kappa_c + P ** (kappa_c - 1) * sp.log(P)
    return _locks(
        "global-query",
        "A query in the global area locks onto the global area, in a time P^{1−κc}",
        mask_ratio * (1 - mask_ratio) * latent**4 * P ** (kappa_c - 1) * HALF_TIME,
        (("A_0 ~ (1 − γ)P^{κc−1}; only 1/A_0 grows as P^{1−κc}", sp.Integer(1), from_the_start("global", small)),),
        uses=("leading-global-query",),
        assumptions=(GLOBAL_QUERY, LEADING, LOCKING),
        reference="theory §5; paper, the dynamics of a query in the global area",
    )
