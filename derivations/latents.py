"""Laws of the latent: what the half-time is when samples show different values.

The values of a law share one Φ_target, which every one of them drives, and each locks when the logit of its own
A_target has come to zero. Most of the time passes while Φ_target is still of order one: there the leading term
γA_0 E[z³ exp(zΦ)] is all of the rate. What comes after, until the smallest value locks too, is a smaller power of P: no
more than if from its own lock on no larger value drove. So T tends to one number over P^{1−κs}, whatever value is seen.

Large P and continuous time, mean-field. Source: arXiv 2403.02233, the bound on the time with latents in [L, U].
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import mpmath
import sympy as sp

from derivations import proof
from derivations.asymptotics import (
    DECOUPLED,
    FIRST_GLOBAL,
    FIRST_TARGET,
    FLOW,
    GAP,
    LEADING,
    TWO_KINDS,
    MeanField,
    Values,
    by_sympy,
    global_term,
    one_limit,
    progress,
    start,
    target_term,
    to_infinity,
)
from derivations.phases import (
    AT_FIRST,
    ATTENTION,
    FIRST,
    FP_GLOBAL,
    LOCKING,
    from_the_start,
    lock_on_velocity,
    solves,
)
from derivations.proof import Checked, DerivationError, Proof, extrapolated, inside_limits
from derivations.statements import Result, Step, states
from derivations.symbols import J, P, i, k, kappa_c, kappa_s, latent, mask_ratio, t, z

probability = sp.IndexedBase("pi", positive=True)  # probability[i]: of z[i], value i of the J values of the law
grown = sp.Symbol("phi", positive=True)  # Φ_target where it is the variable
high, low = sp.symbols("U L", positive=True)  # the largest value of a law, and a smaller or the smallest one
LAW = f"{FLOW.replace('constant latent', 'a latent of any finite law')}; a local query; 0 < κs < κc < 1"
PAPER = "theory §5; paper, the bound on the time with latents in [L, U]"


@states
def latent_rate() -> Result:
    """In a sample that shows z the rate of Φ_target is γz³A_0 exp(zΦ_target), whatever the other areas show."""
    fallen = sp.Symbol("psi", positive=True)  # Φ_global is −ψ log P
    shows: Values = {"global": sp.Symbol("z_global", positive=True), "other": sp.Symbol("z_other", positive=True)}
    state = MeanField("local", {"target": grown, "global": -fallen * sp.log(P)}, shows)
    return one_limit(
        name="latent-rate",
        title="What is left of the rate of Φ_target = φ in samples that show z: γz³A_0 exp(zφ)",
        grows=state.fp_rate("target") / target_term(start().unmasked["target"] * sp.exp(latent * grown)),
        to=sp.Integer(1),
        how=extrapolated(P, P ** (kappa_c - 1) + P ** (kappa_s - 1), TWO_KINDS),
        said="put Φ_target and Φ_global into the derived rate",
        uses=("start-attention-target", "fp-rate-target"),
        assumptions=(LAW, "φ fixed; Φ_global = −ψ log P as on a plateau; no other correlation has moved"),
        reference=PAPER,
    )


# ── The half-time. ──


def attention_of(shown: sp.Expr) -> sp.Expr:
    """A_target in samples that show this value, at Φ_target = φ: log(A/(1 − A)) moves by zΦ."""
    return 1 / (1 + sp.exp(-(sp.log(AT_FIRST / (1 - AT_FIRST)) + shown * grown)))


def until(shown: sp.Expr) -> sp.Expr:
    """Φ_target at which A_target is ½ in samples that show this value."""
    return sp.log((1 - AT_FIRST) / AT_FIRST) / shown


def half_time_at(shown: sp.Expr) -> sp.Integral:
    """T: the time of Φ_target to there, at the mean over the law of its rate."""
    in_one = (lock_on_velocity() / latent).subs(ATTENTION, attention_of(latent)).subs(latent, z[i])
    rate = sp.Sum(probability[i] * in_one, (i, 1, J))
    return sp.Integral(1 / rate, (grown, 0, until(shown)))


TIME = half_time_at(z[k])
HALF_TIME = TIME.subs(AT_FIRST, FIRST)
SLOWEST = 8 * sp.exp(-z[k] * grown) / (probability[k] * z[k] ** 3)  # with z[k] alone, where A_target < ½
# Number of values, the one whose half-time it is, and how many of the others are put at 0.
LAWS = ((1, 1, 0), (2, 1, 0), (3, 2, 0), (3, 2, 1))


def of_law(number: int, *sides: sp.Basic) -> list[sp.Basic]:
    """The expressions for a law of this many values, which become plain symbols."""
    written = [proof.carried_out(side.subs(J, number)) for side in sides]
    plain = {base[n]: _plain(base, n) for base in (z, probability) for n in range(1, number + 1)}
    return [side.xreplace(plain) for side in written]


def _plain(base: sp.IndexedBase, number: int) -> sp.Symbol:
    return sp.Symbol(f"{base}_{number}", positive=True)


def by_dominated_convergence(before: sp.Basic, after: sp.Basic) -> Checked:
    """`after` is the limit A_0 → 0 of an integral up to ``until``, taken inside; checked for every one of LAWS."""
    for number, watched, zeros in LAWS:
        sides = of_law(number, *(side.subs(k, watched) for side in (inside_limits(before), after, SLOWEST)))
        none = {_plain(z, number - n): sp.Integer(0) for n in range(zeros)}
        _dominated(*(side.xreplace(none) for side in sides))
    return Checked(f"dominated convergence, {proof.DIGITS} digits", proof.POINTS * len(LAWS))


def _dominated(before: sp.Expr, after: sp.Basic, bound: sp.Expr) -> None:
    """The upper limit grows, the integrand converges, and nowhere exceeds a bound that has an integral."""
    (integral,) = before.atoms(sp.Integral)
    ((variable, lower, upper),) = integral.limits
    if not isinstance(after, sp.Integral) or after.args[1:] != (sp.Tuple(variable, lower, sp.oo),):
        raise DerivationError(f"{after} is no integral from {lower} to infinity")
    if sp.limit(upper, AT_FIRST, 0) != sp.oo:
        raise DerivationError(f"the upper limit {upper} stays finite")
    if not sp.integrate(bound, (variable, lower, sp.oo)).is_finite:
        raise DerivationError(f"the bound {bound} has no integral")
    integrand = before.xreplace({integral: integral.function})
    large, share, size = sp.symbols("Lambda share size", positive=True)
    extrapolated(large, 1 / large)(integrand.subs(AT_FIRST, 1 / large), after.function)
    # Somewhere below the upper limit, nearly at either end too, with A_0 < ½.
    room = (bound / integrand - 1).subs(variable, upper / (1 + share**20)).subs(AT_FIRST, sp.exp(-30 * size) / 2)
    proof.nonnegative(room, room)


def by_first_attention(before: sp.Basic, after: sp.Basic) -> Checked:
    """`after` is a limit A_0 → 0, and `before` the limit P → ∞ of (1 − γ)P^{κs−1}/A_0 times the same."""
    from_the_start("local", P ** (kappa_s - 1))(FIRST, sp.Integer(0))
    checked = from_the_start("local", P**-kappa_s)(FIRST_TARGET / FIRST, sp.Integer(1))
    known = (inside_limits(before) * FIRST / FIRST_TARGET).subs(FIRST, AT_FIRST)
    by_name(proof.equal)(known, inside_limits(after))
    return checked


def by_name(how: Proof) -> Proof:
    """The proof with a symbol in place of each integral, all of which are positive."""

    def proof_(before: sp.Basic, after: sp.Basic) -> Checked:
        integrals = sorted(before.atoms(sp.Integral) | after.atoms(sp.Integral), key=str)
        names = {integral: sp.Symbol(f"I_{n}", positive=True) for n, integral in enumerate(integrals)}
        return how(before.xreplace(names), after.xreplace(names))

    return proof_


@states
def latent_half_time() -> Result:
    """T·γ(1 − γ)P^{κs−1} → ∫_0^∞ dφ/E[z³ exp(zφ)], at every positive value of the law; for one value, 1/z⁴."""
    grows = to_infinity(mask_ratio * FIRST_TARGET * HALF_TIME)
    in_first = sp.Limit(mask_ratio * AT_FIRST * TIME, AT_FIRST, 0)
    mean = sp.Sum(probability[i] * z[i] ** 3 * sp.exp(z[i] * grown), (i, 1, J))
    constant = sp.Integral(1 / mean, (grown, 0, sp.oo))
    return Result(
        name="latent-half-time",
        title="The half-time T of a local query at z_k, any positive value of any law of the latent",
        statement=sp.Eq(grows, constant, evaluate=False),
        steps=(
            Step("A_0 ~ (1 − γ)P^{κs−1}", grows, in_first, by_first_attention),
            Step(
                "under the integral, all below 8 exp(−z_k φ)/(π_k z_k³); for J ≤ 3, with mass at 0 too",
                in_first, constant, by_dominated_convergence,
            ),
        ),
        exactness="large-P",
        reference=PAPER,
        uses=("start-attention-target", "latent-rate"),
        assumptions=(LAW, LEADING, LOCKING),
    )  # fmt: skip


@states
def latent_spread() -> Result:
    """The half-time is P^{1−κs} at every positive value of every law, its 1/log P term a constant of the law."""
    constant = latent_half_time().statement.rhs
    amount = constant * P ** (1 - kappa_s) / (mask_ratio * (1 - mask_ratio))
    grows = to_infinity(sp.log(HALF_TIME) / sp.log(P))
    expansion = to_infinity(1 - kappa_s + sp.log(constant / (mask_ratio * (1 - mask_ratio))) / sp.log(P))

    def by_its_limit(before: sp.Basic, after: sp.Basic) -> Checked:
        known = inside_limits(before).xreplace({HALF_TIME: amount})
        return by_name(proof.equal)(known, inside_limits(after))

    return Result(
        name="latent-spread",
        title="The half-time exponent at any positive value of any law of the latent: 1 − κs, however wide",
        statement=sp.Eq(grows, 1 - kappa_s, evaluate=False),
        steps=(
            Step("T is P^{1−κs}/(γ(1 − γ)) times the integral of latent-half-time", grows, expansion, by_its_limit),
            Step("the constant is lost against log P", expansion, 1 - kappa_s, by_name(by_sympy(P))),
        ),
        exactness="large-P",
        reference=PAPER,
        uses=("latent-half-time",),
        assumptions=latent_half_time().assumptions,
    )


def half_time_constant(values: Sequence[float], weights: Sequence[float]) -> float:
    """∫_0^∞ dφ/E[z³ exp(zφ)]: the limit of T·γ(1 − γ)P^{κs−1}.

    Parameters
    ----------
    values : sequence of float
        Of the latent, at least 0 and one of them positive.
    weights : sequence of float
        Their probabilities.

    Returns
    -------
    float
        The right side of the result ``latent-half-time``, to 12 digits or more. Large-P.

    Raises
    ------
    ValueError
        If this is no law with a positive value.
    """
    law: dict[float, float] = {}
    for value, weight in zip(map(float, values), map(float, weights), strict=True):
        if not (0 <= value < math.inf and 0 <= weight <= 1):
            raise ValueError(f"value {value:g} of weight {weight:g}: expected a value ≥ 0 and a weight in [0, 1]")
        if value * weight > 0:  # the others add nothing to the mean
            law[value] = law.get(value, 0) + weight
    if not law or abs(math.fsum(weights) - 1) > 1e-9:
        raise ValueError(f"values={[*values]}, weights={[*weights]}: expected a law with a positive value")
    (integral,) = of_law(len(law), latent_half_time().statement.rhs)
    symbols = [_plain(base, n + 1) for base in (z, probability) for n in range(len(law))]
    integrand = sp.lambdify([grown, *symbols], integral.function, "mpmath")
    with mpmath.workdps(30):
        numbers = [*map(mpmath.mpf, law), *map(mpmath.mpf, law.values())]
        knees = _knees(law)
        ends = [0, *knees, max([0, *knees]) + 60 / mpmath.mpf(max(law))]
        return float(mpmath.quad(lambda at: integrand(at, *numbers), ends))


def _knees(law: dict[float, float]) -> list[float]:
    """Φ at which the largest term of E[z³ exp(zΦ)] becomes that of another value: there its growth bends."""
    height = {value: math.log(weight) + 3 * math.log(value) for value, weight in law.items()}
    knees = set()
    for less, more in itertools.combinations(sorted(height), 2):
        at = (height[less] - height[more]) / (more - less)
        if at > 0 and height[less] + less * at > max(term + value * at for value, term in height.items()) - 1e-9:
            knees.add(at)
    return sorted(knees)


# ── Two values: what a spread of z does beside the half-time. ──

SPREAD = f"{FLOW.replace('constant latent', 'a latent of two values, L with probability π')}; a local query"


@states
def latent_at_lock() -> Result:
    """When z = U locks, A_target with z = L is P^{−(1−κs)(1−L/U)}."""
    there = attention_of(low).subs(grown, until(high)).subs(AT_FIRST, FIRST)
    grows = to_infinity(sp.log(there) / sp.log(P))
    limit = -(1 - kappa_s) * (1 - low / high)
    return Result(
        name="latent-at-lock",
        title="A_target in a sample of small latent when samples of large latent lock",
        statement=sp.Eq(grows, limit, evaluate=False),
        steps=(
            Step(
                "one Φ_target for both; log(A/(1 − A)) moves by zΦ", grows, limit,
                from_the_start("local", 1 / sp.log(P), low < high),
            ),
        ),
        exactness="large-P",
        reference=PAPER,
        uses=("start-attention-target",),
        assumptions=(SPREAD, "Υ and the other areas stand still"),
    )  # fmt: skip


@states
def latent_plateau() -> Result:
    """Φ_global / log P → −Δ/(2L): the smallest latent lets it fall furthest."""
    weight = sp.Symbol("w", positive=True)
    rate = weight * global_term(AT_FIRST * sp.exp(low * FP_GLOBAL)).subs(latent, low)
    path = -sp.log(1 + 2 * mask_ratio * low**4 * weight * AT_FIRST**2 * t) / (2 * low)
    at = to_infinity(FP_GLOBAL / sp.log(P))
    put = {AT_FIRST: FIRST_GLOBAL, t: progress * P ** (1 - kappa_s)}
    limit = -GAP / (2 * low)

    def to_the_limit(before: sp.Basic, after: sp.Basic) -> Checked:
        return extrapolated(P, 1 / sp.log(P), DECOUPLED)(inside_limits(before).subs(put), after)

    solved = to_infinity(path / sp.log(P))
    return Result(
        name="latent-plateau",
        title="The plateau of Φ_global with two latents is −(Δ/(2L)) log P",
        statement=sp.Eq(at, limit, evaluate=False),
        steps=(
            Step("solve dΦ/dt = −γwL³A_0² exp(2LΦ), from Φ = 0", at, solved, solves(FP_GLOBAL, rate, path)),
            Step("A_0 = (1 − γ)P^{κc−1}, t = xP^{1−κs}", solved, limit, to_the_limit),
        ),
        exactness="large-P",
        reference=PAPER,
        uses=("start-attention-global", "latent-half-time"),
        assumptions=(
            SPREAD,
            "Δ > 0; the leading term of Φ_global is −γE[z³A_0² exp(2zΦ)], which lies between w = π and w = E[z³]/L³",
        ),
    )
