"""The exact mean over masks and latents as an integral of one coefficient of one product over areas.

1. An inverse power of the softmax denominator D is an integral of exp(−y D) (``inverse-power``), and exp(−y D) is a
   product over classes. So are the masks, but for their fixed number of masked patches: a coefficient of a generating
   function fixes it (``generating-function``). Then areas are independent and the mean of a product is the product of
   means (``integral-form``).
2. At a node (y, x) the count of a class is binomial with the complex probability q (``binomial-at-a-node``), so that a
   polynomial of the masses needs only its factorial moments.
   The integral is a sum over nodes equidistant in log y (``quadrature``).
3. The polynomials that occur are cubic for the rates and quadratic for the loss (``cubic-rate-*``, ``quadratic-loss``).

Exact, for any number of areas and classes, any sizes and any law of a latent with finitely many values. Source: the
reduction, theory §4; the rates are those of arXiv 2403.02233.
"""

from __future__ import annotations

import random
from typing import Any

import sympy as sp

from derivations import gradients, model
from derivations.averages import (
    Coefficient,
    LatentMean,
    MaskMean,
    NodeMean,
    classes_of_patches,
    exactly,
    node_mass,
    unmasked_chance,
)
from derivations.gradients import Kind
from derivations.proof import Checked, DerivationError
from derivations.statements import Result, Step, states
from derivations.symbols import (
    A,
    D,
    J,
    N,
    P,
    R,
    S,
    X,
    a,
    area,
    attn,
    chance,
    frequency,
    h,
    hidden,
    hidden_power,
    i,
    j,
    k,
    k1,
    m,
    mark,
    masked,
    n,
    own,
    r,
    s,
    seen,
    seen_power,
    slope,
    u,
    u1,
    value,
    y,
    z,
)


def _integrates(before: sp.Basic, after: sp.Basic) -> Checked:
    """The integral by SymPy."""
    found = before.doit()
    if sp.powsimp(sp.gammasimp(found / after)) != 1:
        raise DerivationError(f"the integral is {found}, not {after}")
    return Checked("integral by SymPy")


@states
def inverse_power() -> Result:
    """An inverse power of the denominator as an integral of exponentials."""
    before = sp.Integral(y ** (k - 1) * sp.exp(-y * D), (y, 0, sp.oo)) / sp.gamma(k)
    return Result(
        name="inverse-power",
        title="An inverse power of the softmax denominator as an integral",
        statement=sp.Eq(before, D**-k),
        steps=(Step("Euler's integral, (k − 1)! = Γ(k)", before, D**-k, _integrates),),
        exactness="exact",
        reference="theory §4, integral form",
    )


@states
def generating_function() -> Result:
    """The mean over masks of a product of functions, one of each class, as a coefficient."""
    before = MaskMean(sp.Product(slope[s, u[s]], (s, 1, S)))
    each = sp.Sum(sp.binomial(n[s], u1) * slope[s, u1] * mark ** (n[s] - u1), (u1, 0, n[s]))
    claim = Coefficient(sp.Product(each, (s, 1, S)), masked - 1) / sp.binomial(P - 1, masked - 1)
    return Result(
        name="generating-function",
        title="The mean over masks of a product of functions of one class each, as a coefficient of a polynomial",
        statement=sp.Eq(before, claim),
        steps=(
            Step("x marks the masked patches, of which there are M − 1", before, claim, exactly(classes_of_patches)),
        ),
        exactness="exact",
        reference="theory §4, integral form",
        uses=("occupancy-law",),
        assumptions=("P − 1 = Σ n_s",),
    )


@states
def binomial_at_a_node() -> Result:
    """At a node the count of a class is binomial with a complex probability: its factorial moments of every order."""
    ways = sp.binomial(n[s], u1) * sp.exp(-y * seen[s, i]) ** u1 * (mark * sp.exp(-y * hidden[s])) ** (n[s] - u1)
    before = sp.Sum(sp.ff(u1, k1) * ways, (u1, 0, n[s]))
    claim = sp.ff(n[s], k1) * unmasked_chance(s, i) ** k1 * node_mass(s, i) ** n[s]
    return Result(
        name="binomial-at-a-node",
        title="At a node (y, x) the unmasked patches of a class are binomial: factorial moments (n)_k q^k",
        statement=sp.Eq(before, claim),
        steps=(
            Step(
                "(u)_k binomial(n, u) = (n)_k binomial(n − k, u − k), then the binomial theorem",
                before,
                claim,
                _at_a_node,
            ),
        ),
        exactness="exact",
        reference="theory §4, integral form",
        uses=("generating-function",),
    )


def _node(generator: random.Random, number: int) -> dict[sp.Basic, Any]:
    """Small classes in two areas, two latent values, powers of masses up to two."""
    drawn = classes_of_patches(generator, number) | {J: 2, i: generator.randint(1, 2), k: generator.randint(1, 3)}
    # Every second time of unmasked masses alone: a small area with none masked, or none left, makes all vanish.
    powers = {seen_power[m]: generator.randint(1 - number % 2, 2) for m in (1, 2)}
    powers |= {hidden_power[m]: generator.randint(0, number % 2) for m in (1, 2)}
    sizes = {n[s]: generator.randint(1, 2) for s in range(1, drawn[S] + 1)}
    patches = 1 + sum(sizes.values())
    return drawn | sizes | powers | {P: patches, masked: generator.randint(1, patches - 1)}


def _term_by_term(form: sp.Expr) -> sp.Expr:
    """The number that the form is, its integral ∫ Σ c y^p e^{−d y} dy taken term by term."""

    def integral(whole: sp.Integral) -> sp.Expr:
        found = sp.Integer(0)
        for term in sp.Add.make_args(sp.expand(whole.function)):
            constant, moving = term.as_independent(y)
            exponent = sum(
                (part.args[0] for part in sp.Mul.make_args(moving) if isinstance(part, sp.exp)), sp.Integer(0)
            )
            power = sp.degree(moving.subs(sp.exp(exponent), 1), y) if moving != 1 else sp.Integer(0)
            found += constant * sp.factorial(power) / (-exponent.coeff(y)) ** (power + 1)
        return found

    return sp.sympify(form).replace(lambda part: isinstance(part, sp.Integral), integral)


_at_a_node = exactly(_node, sp.expand)
_integral = exactly(_node, _term_by_term, structures=7)


def _inside(m: sp.Expr, s: sp.Symbol) -> sp.Expr:
    return sp.KroneckerDelta(area[s], m)


def _powers(m: sp.Expr, latent: sp.Expr) -> sp.Expr:
    """X_m^i Y_m^j of one area, its latent taking this value."""
    unmasked = sp.Sum(_inside(m, s) * u[s] * seen[s, latent], (s, 1, S))
    return unmasked ** seen_power[m] * sp.Sum(_inside(m, s) * h[s] * hidden[s], (s, 1, S)) ** hidden_power[m]


@states
def integral_form() -> Result:
    """The mean of any product of powers of the masses over a power of the denominator."""
    masses = own + sp.Sum(u[s] * seen[s, value[area[s]]] + h[s] * hidden[s], (s, 1, S))
    powers = sp.Product(_powers(m, value[m]), (m, 1, N))
    node = sp.Product(node_mass(s, i) ** (n[s] * _inside(m, s)), (s, 1, S)) * NodeMean(_powers(m, i), m, i)
    areas = sp.Product(sp.Sum(chance[m, i] * node, (i, 1, J)), (m, 1, N))
    coefficient = Coefficient(areas, masked - 1) / sp.binomial(P - 1, masked - 1)
    euler, limits = y ** (k - 1) / sp.gamma(k), (y, 0, sp.oo)
    before = sp.Integral(euler * sp.exp(-y * own) * coefficient, limits)
    inside = sp.Integral(euler * MaskMean(LatentMean(powers * sp.exp(-y * masses))), limits)
    mean = MaskMean(LatentMean(powers / masses**k))
    return Result(
        name="integral-form",
        title="The exact mean over masks and independent latents as one integral over a product of areas",
        statement=sp.Eq(before, mean),
        steps=(
            Step("at a node areas are independent and classes binomial", before, inside, _integral),
            Step("integrate: the power of the denominator", inside, mean, _integral),
        ),
        exactness="exact",
        reference="theory §4, integral form",
        uses=("inverse-power", "generating-function", "binomial-at-a-node"),
        assumptions=("P − 1 = Σ n_s", "latents of different areas are independent, with J values each"),
    )


def _moduli(before: sp.Basic, after: sp.Basic) -> Checked:
    """What stands inside the two limits is the same, to 50 digits."""
    inside = [side.args[0] for side in (before, after)]
    for point in range(1, 22):
        numbers = {frequency: sp.Rational(7 * point, 5)}
        left, right = (side.subs(numbers).evalf(60, chop=False) for side in inside)
        if abs(left - right) > sp.Float("1e-40") * abs(left):
            raise DerivationError(f"{left.evalf(8)} before, {right.evalf(8)} after, at {numbers}")
    return Checked("50 digits", 21)


def _taken(before: sp.Basic, after: sp.Basic) -> Checked:
    """The limit by SymPy."""
    found = before.doit()
    if found != after and sp.simplify(found - after) != 0:
        raise DerivationError(f"the limit is {found}, not {after}")
    return Checked("limit by SymPy")


@states
def quadrature() -> Result:
    """The relative error of the trapezoid rule in log y for D⁻³: √(2π) ω^(5/2) e^(−πω/2), ω = 2π over the step."""
    scale = frequency ** sp.Rational(5, 2) * sp.exp(-sp.pi * frequency / 2)
    error = 2 * sp.Abs(sp.gamma(3 + sp.I * frequency)) / sp.gamma(3)
    squared = (1 + frequency**2) * (4 + frequency**2) * sp.pi * frequency / sp.sinh(sp.pi * frequency)
    before, written = sp.Limit(error / scale, frequency, sp.oo), sp.Limit(sp.sqrt(squared) / scale, frequency, sp.oo)
    return Result(
        name="quadrature",
        title="The error of the trapezoid rule in log y falls like exp(−π²/step), whatever the denominator",
        statement=sp.Eq(before, sp.sqrt(2 * sp.pi)),
        steps=(
            Step("Γ(z + 1) = zΓ(z) and |Γ(1 + iω)|² = πω/sinh πω", before, written, _moduli),
            Step("small steps are high frequencies", written, sp.sqrt(2 * sp.pi), _taken),
        ),
        exactness="exact",
        reference="theory §4, integral form",
        uses=("inverse-power",),
        assumptions=(
            "Poisson: the error for y³ exp(−yD) in log y is a sum over multiples of ω = 2π/step, D being a phase",
            "of these the first and its conjugate are kept: the next is smaller by e^(−πω/2)",
        ),
    )


def _in_masses(expression: sp.Expr) -> sp.Expr:
    """The expression with A_j = X_j/D, and 1 − A_j = (D − X_j)/D."""
    written = {A: lambda m: X[m] / D, R: lambda m: (D - X[m]) / D}
    for base, mass in written.items():
        expression = expression.replace(
            lambda part, base=base: isinstance(part, sp.Indexed) and part.base == base,
            lambda part, mass=mass: mass(*part.indices),
        )
    return expression


def _stray(*but: sp.Symbol) -> sp.Expr:
    """Σ z_j² X_j² over the areas but the target and these."""
    excluded = sp.prod([1 - sp.KroneckerDelta(j, area) for area in (a, *but)])
    return sp.Sum(excluded * z[j] ** 2 * X[j] ** 2, (j, 1, N))


def _mass_result(name: str, title: str, before: sp.Expr, claim: sp.Expr, use: str) -> Result:
    return Result(
        name=name,
        title=title,
        statement=sp.Eq(_in_masses(before), claim),
        steps=(Step("put A_j = X_j/D and 1 − A_j = (D − X_j)/D in", _in_masses(before), claim),),
        exactness="exact",
        reference="theory §4, integral form; paper, the lemmas on the gradients of the FP and PP correlations",
        uses=(use,),
        assumptions=("D − X_j is carried as the sum of all other mass",),
    )


def _fp_rate(key: Kind) -> sp.Expr:
    return gradients.fp_lever().subs(m, key) * gradients.pull(key)


@states
def quadratic_loss() -> Result:
    """The loss of a sample is a quadratic in the masses over D²."""
    claim = (z[a] ** 2 * (D - X[a]) ** 2 + _stray()) / (2 * D**2)
    loss = gradients.over_areas(model.area_loss(j, A[j]), a)
    return _mass_result(
        "quadratic-loss", "The loss is a quadratic in the masses over D²", loss, claim, "query-loss-of-attention"
    )


@states
def cubic_rate_target() -> Result:
    """The FP rate of the target is a cubic in the masses over D³."""
    claim = (z[a] ** 3 * X[a] * (D - X[a]) ** 2 + z[a] * X[a] * _stray()) / D**3
    title = "The FP rate of the target area is a cubic in the masses over D³"
    return _mass_result("cubic-rate-target", title, _fp_rate(a), claim, "fp-rate-target")


@states
def cubic_rate_other() -> Result:
    """The FP rate of another area is a cubic in the masses over D³."""
    own_pull = z[m] ** 2 * X[m] * (D - X[m])
    claim = z[m] * X[m] * (_stray(m) - own_pull - z[a] ** 2 * X[a] * (D - X[a])) / D**3
    title = "The FP rate of another area is a cubic in the masses over D³"
    return _mass_result("cubic-rate-other", title, _fp_rate(m), claim, "fp-rate-other")


@states
def cubic_rate_masked() -> Result:
    """The PP rate of a masked patch of class s, the query among them, is a cubic in the masses over D³."""
    claim = hidden[s] * (_stray() - z[a] ** 2 * X[a] * (D - X[a])) / D**3
    rate = (gradients.pp_lever() * gradients.pull(None)).subs(attn[r], hidden[s] / D)
    title = "The PP rate of a masked patch is a cubic in the masses over D³"
    return _mass_result("cubic-rate-masked", title, rate, claim, "pp-rate-masked")
