"""Closures: how the mean over the masks is taken, and what each way of taking it costs.

Given that the query is masked, the number u_s of unmasked patches of each class is multivariate hypergeometric: P − M
of the P − 1 other patches are unmasked, n_s of these P − 1 lie in class s. Everything here holds for any number of
classes and areas and any sizes. ``second_order`` has the correction to mean counts, ``integral`` the exact mean.

Source: the reduction, theory §4; the masking is that of arXiv 2403.02233.
"""

from __future__ import annotations

import itertools

import sympy as sp
from sympy.functions.combinatorial.numbers import stirling

from derivations import model
from derivations.averages import LatentMean, MaskMean, classes_of_patches, equal_areas, exactly, laws, same_or_not
from derivations.proof import Checked, DerivationError
from derivations.statements import Result, Step, states
from derivations.symbols import (
    A,
    C,
    J,
    N,
    P,
    S,
    area,
    chance,
    copies,
    fp,
    h,
    hidden,
    hidden_part,
    i,
    j,
    k1,
    k2,
    masked,
    mult,
    n,
    own,
    part,
    pp,
    pp_self,
    q,
    r,
    s,
    seen,
    slope,
    steer,
    total,
    u,
    u1,
    u2,
    value,
    z,
)

_delta = sp.KroneckerDelta


def falling_moment(first: sp.Expr, second: sp.Expr, order: sp.Expr, other: sp.Expr) -> sp.Expr:
    """E[(u)_order (u')_other] of two different classes of these sizes, (·)_k being the falling factorial."""
    ways = sp.ff(first, order) * sp.ff(second, other)
    return ways * sp.ff(P - masked, order + other) / sp.ff(P - 1, order + other)


@states
def factorial_moments() -> Result:
    """Joint factorial moments of the counts of two classes."""
    mean = MaskMean(sp.ff(u[r], k1) * sp.ff(u[s], k2))
    rest, every = P - 1 - n[r] - n[s], sp.binomial(P - 1, P - masked)

    def summed(value: sp.Expr, order: sp.Expr, other: sp.Expr) -> sp.Expr:
        ways = sp.binomial(n[r] - order, u1 - order) * sp.binomial(n[s] - other, u2 - other)
        ways *= sp.binomial(rest, P - masked - u1 - u2)
        return sp.Sum(value * ways / every, (u1, order, n[r]), (u2, other, n[s]))

    two = summed(sp.ff(u1, k1) * sp.ff(u2, k2), sp.Integer(0), sp.Integer(0))
    absorbed = sp.ff(n[r], k1) * sp.ff(n[s], k2) * summed(sp.Integer(1), k1, k2)
    claim, by_counting = falling_moment(n[r], n[s], k1, k2), exactly(classes_of_patches)
    return Result(
        name="factorial-moments",
        title="Factorial moments of the unmasked counts of two classes, given that the query is masked",
        statement=sp.Eq(mean, claim),
        steps=(
            Step("all other classes are one: Vandermonde's identity", mean, two, by_counting),
            Step(
                "choose the k patches first: (u)_k binomial(n, u) = (n)_k binomial(n − k, u − k)",
                two,
                absorbed,
                by_counting,
            ),
            Step("Vandermonde's identity once more", absorbed, claim, by_counting),
        ),
        exactness="exact",
        reference="theory §3 (classes), §4; paper, the random masking",
        uses=("occupancy-law", "occupancy-merges"),
        assumptions=("r ≠ s", "P − 1 = Σ n_s", "k_1 + k_2 ≤ P − 1"),
    )


@states
def conditional_factorial_moments() -> Result:
    """Factorial moments of the count in one of n' equal areas, given the total of all of them."""
    others, elsewhere = copies * C, P - 1 - copies * C
    beyond = sp.binomial(elsewhere, P - masked - total)
    ways = sp.binomial(C, u1) * sp.binomial(others - C, total - u1) * beyond
    given = sp.Sum(sp.ff(u1, k1) * ways, (u1, 0, C)) / (sp.binomial(others, total) * beyond)
    claim = sp.ff(C, k1) * sp.ff(total, k1) / sp.ff(others, k1)
    return Result(
        name="conditional-factorial-moments",
        title="Factorial moments of the count in one area, given the total over n' equal areas",
        statement=sp.Eq(given, claim),
        steps=(Step("given the total the counts are hypergeometric again", given, claim, exactly(equal_areas)),),
        exactness="exact",
        reference="theory §4, conditional sum",
        uses=("factorial-moments",),
        assumptions=("the total u_other is a possible one", "k_1 ≤ n' C"),
    )


@states
def conditional_mixed_moment() -> Result:
    """E[u₁ u₂²] of two of n' equal areas, given the total of all of them: the one mixed moment that rates need."""
    others, elsewhere = copies * C, P - 1 - copies * C
    beyond = sp.binomial(elsewhere, P - masked - total)
    ways = sp.binomial(C, u1) * sp.binomial(C, u2) * sp.binomial(others - 2 * C, total - u1 - u2) * beyond
    given = sp.Sum(u1 * u2**2 * ways, (u1, 0, C), (u2, 0, C)) / (sp.binomial(others, total) * beyond)

    def moment(first: int, second: int) -> sp.Expr:
        """E[(u₁)_first (u₂)_second] given the total: that of all masks, with this pool and this many unmasked."""
        pool = {P: others + 1, masked: others + 1 - total}
        return falling_moment(C, C, sp.Integer(first), sp.Integer(second)).subs(pool, simultaneous=True)

    claim = C**2 * (C - 1) * sp.ff(total, 3) / sp.ff(others, 3) + C**2 * sp.ff(total, 2) / sp.ff(others, 2)
    split = moment(1, 2) + moment(1, 1)
    return Result(
        name="conditional-mixed-moment",
        title="The mixed third moment of the counts in two areas, given the total over n' equal areas",
        statement=sp.Eq(given, claim),
        steps=(
            Step("u₂² = u₂(u₂ − 1) + u₂, both factorial moments", given, split, exactly(equal_areas)),
            Step("write them out", split, claim),
        ),
        exactness="exact",
        reference="theory §4, conditional sum",
        uses=("factorial-moments", "conditional-factorial-moments"),
        assumptions=("the total u_other is a possible one", "n' ≥ 2", "n' C ≥ 3"),
    )


def covariance(first: sp.Symbol, second: sp.Symbol) -> sp.Expr:
    """Cov(u_first, u_second) of two classes, or of one with itself."""
    both = (P - masked) * (masked - 1) / ((P - 1) ** 2 * (P - 2))
    return both * n[first] * (_delta(first, second) * (P - 1) - n[second])


@states
def hypergeometric_covariance() -> Result:
    """Covariance of the counts of two classes, equal ones included."""
    before = MaskMean(u[r] * u[s]) - MaskMean(u[r]) * MaskMean(u[s])
    pairs = (n[r] * n[s] - _delta(r, s) * n[r]) * sp.ff(P - masked, 2) / sp.ff(P - 1, 2)
    singles = _delta(r, s) * n[r] * (P - masked) / (P - 1)
    by_moments = pairs + singles - n[r] * n[s] * (P - masked) ** 2 / (P - 1) ** 2
    return Result(
        name="hypergeometric-covariance",
        title="Covariance of the unmasked counts of two classes, given that the query is masked",
        statement=sp.Eq(before, covariance(r, s)),
        steps=(
            Step("u² = u(u − 1) + u, then factorial moments", before, by_moments, exactly(same_or_not)),
            Step("collect", by_moments, covariance(r, s)),
        ),
        exactness="exact",
        reference="theory §4, second-order",
        uses=("factorial-moments", "mean-occupancy"),
        assumptions=("P − 1 = Σ n_s", "P ≥ 3"),
    )


def row_loss() -> sp.Expr:
    """ℓ of one row of any closure: counts u, h that may be any real numbers, areas split among latent values.

    Value i of area j has the share chance[j, i] of the area; an area with one value is not split. This is the sample
    loss where u, h are counts of a mask and no area is split, and the mean-field loss where u, h are mean counts and
    every area but the target and the global one is split as its law says.
    """

    def unmasked(s: sp.Expr, latent: sp.Expr) -> sp.Expr:
        return model.unmasked_mass(z[area[s], latent], fp[area[s]], pp[s])

    share = sp.Sum(chance[area[s], i] * unmasked(s, i), (i, 1, J))
    partition = model.masked_mass(pp_self) + sp.Sum(u[s] * share + h[s] * model.masked_mass(pp[s]), (s, 1, S))
    attention = sp.Sum(_delta(area[s], j) * u[s] * unmasked(s, i), (s, 1, S)) / partition
    each = model.area_loss(j, A[j]).subs(z[j], z[j, i]).subs(A[j], attention)
    return sp.Sum(chance[j, i] * each, (i, 1, J), (j, 1, N))


@states
def mean_field() -> Result:
    """The denominator of mean-field: the mean of the denominator over masks and latents."""
    every = own + sp.Sum(u[s] * seen[s, value[area[s]]] + h[s] * hidden[s], (s, 1, S))
    unmasked, left = n[s] * (P - masked) / (P - 1), n[s] * (masked - 1) / (P - 1)
    share = sp.Sum(chance[area[s], i] * seen[s, i], (i, 1, J))
    before, after = MaskMean(LatentMean(every)), own + sp.Sum(unmasked * share + left * hidden[s], (s, 1, S))
    return Result(
        name="mean-field",
        title="Mean-field puts counts at their mean and splits an area in proportion among the values of its latent",
        statement=sp.Eq(before, after),
        steps=(Step("linear in the counts, which do not depend on the latents", before, after, _laws),),
        exactness="exact",
        reference="theory §4, mean-field",
        uses=("mean-occupancy",),
        assumptions=(
            "exact as the mean of the denominator; to take attention as a ratio of means is the closure",
            "the latents of target and global area are not split: they have a row for each pair of values",
        ),
    )


_laws = exactly(laws, structures=7)
_rows = exactly(lambda generator, number: classes_of_patches(generator, number) | {J: 2}, structures=3)


@states
def closures_keep_the_shift() -> Result:
    """Σ Υ stays 0 in every closure."""
    loss = row_loss()
    before = sp.Sum(sp.Derivative(loss, pp[q]), (q, 1, S)) + sp.Derivative(loss, pp_self)
    return Result(
        name="closures-keep-the-shift",
        title="Mean-field and every other mean of the loss over rows of counts and latents keep Σ_s n_s Υ_s + Υ_self",
        statement=sp.Eq(before, 0),
        steps=(Step("all masses grow alike, whatever the counts: no attention changes", before, sp.Integer(0), _rows),),
        exactness="exact",
        reference="theory §4",
        uses=("shift-invariance", "mean-field"),
        assumptions=(
            "a closure is a sum over rows (counts, latents) with weights that do not depend on the state",
            "mean-field has one row of mean counts for each latent value of target and global area, the others split",
        ),
    )


@states
def closures_descend() -> Result:
    """dL/dt = −‖∇L‖² with the closure's own loss: rate and loss are the same sum over rows."""
    mean_rate = -sp.Sum(chance[i] * slope[i, s], (i, 1, J)) / mult[s]
    before = sp.Sum(chance[q] * sp.Sum(slope[q, s] * mean_rate, (s, 1, S)), (q, 1, J))
    after = -sp.Sum(mult[s] * mean_rate**2, (s, 1, S))
    return Result(
        name="closures-descend",
        title="In every closure dL/dt = −Σ multiplicity · rate², L being the closure's own loss",
        statement=sp.Eq(before, after),
        steps=(Step("chain rule row by row, then the sum over rows first", before, after),),
        exactness="continuous-time",
        reference="theory §3 (metric), §4",
        uses=("closures-keep-the-shift",),
        assumptions=("coordinate s stands for mult_s correlations", "the flow dy_s/dt = rate_s of the closure"),
    )


def _of_two_classes(power: int, by_counting: bool) -> sp.Expr:
    """E[δ^power], δ = (t_r (u_r − ū_r) + t_s (u_s − ū_s))/(P − 1), as a mean or through factorial moments."""
    hiding, (one_size, two_size) = hidden_part * (P - 1) + 1, (part[r] * (P - 1), part[s] * (P - 1))
    centre = (1 - hidden_part) * (steer[r] * one_size + steer[s] * two_size)
    if by_counting:
        return MaskMean((steer[r] * u[r] + steer[s] * u[s] - centre) ** power, S, hiding) / (P - 1) ** power

    def raw(first: int, second: int) -> sp.Expr:
        """E[u_r^first u_s^second]."""
        moment = sp.Integer(0)
        for one, two in itertools.product(range(first + 1), range(second + 1)):
            falling = falling_moment(one_size, two_size, sp.Integer(one), sp.Integer(two)).subs(masked, hiding)
            moment += stirling(first, one) * stirling(second, two) * sp.expand_func(falling)
        return moment

    moment = sp.Integer(0)
    for first, second in itertools.product(range(power + 1), repeat=2):
        if (rest := power - first - second) >= 0:
            ways = sp.binomial(power, rest) * sp.binomial(first + second, first) * (-centre) ** rest
            moment += ways * steer[r] ** first * steer[s] ** second * raw(first, second)
    return moment / (P - 1) ** power


def _left_out(first: int, growth: sp.Expr, by_counting: bool) -> sp.Limit:
    """Limit of growth · Σ f^(k) E[δ^k]/k! from the first order on to the fourth, whose f^(4) stands for the rest."""
    orders = range(first, 5)
    taylor = sum(slope[order] * _of_two_classes(order, by_counting) / sp.factorial(order) for order in orders)
    return sp.Limit(growth * taylor, P, sp.oo)


def _each_size(before: sp.Basic, after: sp.Basic) -> Checked:
    """What stands inside the two limits is the same at any sizes."""
    sizes = {part[r]: n[r] / (P - 1), part[s]: n[s] / (P - 1), hidden_part: (masked - 1) / (P - 1)}
    inside = (side.args[0].subs(sizes) for side in (before, after))
    return exactly(classes_of_patches)(*inside)


def _rational_limit(before: sp.Basic, after: sp.Basic) -> Checked:
    """The limit at infinity of a rational function: the ratio of its leading terms."""
    inside, found = before.args[0].subs(P, P + 1), sp.Integer(0)
    plain = {name: sp.Dummy() for name in inside.atoms(sp.Indexed)}
    for derivative in (name for name in plain if name.base == slope):
        factor = sp.diff(inside, derivative).xreplace(plain)
        above, below = (sp.Poly(sp.expand(side), P) for side in sp.fraction(sp.together(factor)))
        if above.degree() > below.degree():
            raise DerivationError(f"what {derivative} is multiplied by grows with P")
        found += derivative * above.coeff_monomial(P ** below.degree()) / below.LC()
    found = found.xreplace({dummy: name for name, dummy in plain.items()})
    if sp.expand(sp.cancel(found) - after) != 0:
        raise DerivationError(f"the limit is {sp.factor(found)}, not {after}")
    return Checked("limit of a rational function")


def _error_result(name: str, title: str, first: int, claim: sp.Expr, uses: tuple[str, ...]) -> Result:
    growth = (P - 1) ** (first - 1)
    before, moments = (_left_out(first, growth, by_counting) for by_counting in (True, False))
    return Result(
        name=name,
        title=title,
        statement=sp.Eq(before, claim),
        steps=(
            Step("central moments from the factorial moments", before, moments, _each_size),
            Step("let all sizes grow alike", moments, claim, _rational_limit),
        ),
        exactness="large-P",
        reference="theory §4, error of the rate",
        uses=uses,
        assumptions=(
            "f is a function of the counts over P − 1, f_k its derivative k along the direction t at the mean counts",
            "the fourth derivative is bounded; Taylor's theorem: f_4, its value somewhere, stands for all that is left",
            "n_s = ν_s (P − 1) and M − 1 = μ (P − 1) as P grows; r ≠ s; mixed derivatives follow by polarisation",
            "latents are averaged exactly: what splitting the other areas among latent values costs is not in here",
        ),
    )


def _spread() -> sp.Expr:
    """Limit of the variance of δ times P − 1."""
    first, second = (sum(part[index] * steer[index] ** order for index in (r, s)) for order in (1, 2))
    return hidden_part * (1 - hidden_part) * (second - first**2)


@states
def mean_field_error() -> Result:
    """What mean counts leave out of the mean of a smooth function of the counts: half its curvature, to order 1/P."""
    title = "Mean counts leave out ½ Σ Cov(u_r, u_s) ∂²f/∂u_r∂u_s, which is O(1/C)"
    uses = ("factorial-moments", "hypergeometric-covariance")
    return _error_result("mean-field-error", title, 2, slope[2] * _spread() / 2, uses)


@states
def second_order_error() -> Result:
    """What is left out once half the curvature is put in: O(1/C²)."""
    first, second, third = (sum(part[index] * steer[index] ** order for index in (r, s)) for order in (1, 2, 3))
    skew = hidden_part * (1 - hidden_part) * (2 * hidden_part - 1) * (third - 3 * second * first + 2 * first**3)
    claim = slope[3] * skew / 6 + slope[4] * _spread() ** 2 / 8
    title = "With ½ Σ Cov(u_r, u_s) ∂²f/∂u_r∂u_s put in, what is left out is O(1/C²)"
    return _error_result("second-order-error", title, 3, claim, ("mean-field-error",))
