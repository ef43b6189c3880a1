"""Symmetries: why few numbers describe a query, and what never changes.

1. The softmax sees no common shift of the scores (``shift-invariance``), so the PP rates of a query sum to zero, its
   own among them (``pp-rates-sum-to-zero``), in every sample and hence in every mean: Σ_s N_s Υ_s + Υ_self stays 0.
2. With equal Υ within a class, a sample enters the loss through the numbers of unmasked and masked patches of each
   class alone (``exchangeable-patches``); the rate of a class is the mean of those of its patches (``class-rate``),
   which are equal in the mean over masks (``patch-given-counts``, in ``masks``).
3. Correlations that the mean loss treats alike are equal for ever. A coordinate that stands for mult_i of them has the
   rate −∂_i L / mult_i of any one (``equal-areas-merge``).

Which correlations the mean loss treats alike. Colour clusters, areas and classes: equal colours where weights and
sizes are equal (latents having one law), the class of the query apart; refine until equal colours have equally
coloured surroundings (a cluster its areas, an area its classes, a class the areas it lies in). Let correlations of one
colour be equal. The rate of Φ_{k,m} is a mean over counts in which the areas of cluster k occur and those of no other
cluster: a tree of cluster, areas and classes. For two areas of one colour, of one cluster or of two, some bijection of
the classes carries the areas of the one cluster to those of the other, the first area to the second, all with their
colours; hence it keeps sizes, the law of the counts, Υ and Φ, and the two rates are equal. It need not respect the
areas of a third cluster, as none occurs. The rate of Υ_s is a sum of such means over clusters; for two classes of one
colour the clusters match one to one, each pair by a bijection that carries the one class to the other. So equal
colours stay equal. The orbits of the relabellings, which must respect all clusters at once, are never coarser than
these colours, and may be finer.

Exact. Source: arXiv 2403.02233, the section on the gradients of the correlations.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import reduce

import sympy as sp

from derivations import model
from derivations.proof import Checked, DerivationError, Proof, ell
from derivations.statements import Result, Step, states
from derivations.symbols import (
    N,
    P,
    S,
    U,
    area,
    coordinate,
    fp,
    h,
    i,
    j,
    m,
    mult,
    n,
    pp,
    pp_self,
    q,
    s,
    score,
    shift,
    shown,
    u,
    z,
)

_PAPER = "paper, the lemmas on the gradients of the FP and PP correlations"


# Proofs that hold for any number of everything.


def regrouped(expression: sp.Basic) -> sp.Expr:
    """The expression with every sum split into its terms, and what does not depend on the index before the sum."""

    def split(summand: sp.Expr, limits: sp.Tuple) -> sp.Expr:
        (index, low, high), done = limits, sp.Integer(0)
        for term in sp.Add.make_args(sp.expand(summand)):
            factor, inside = term.as_independent(index, as_Add=False)
            deltas = [x for x in sp.Mul.make_args(inside) if isinstance(x, sp.KroneckerDelta) and index in x.args]
            if deltas:
                (fixed,) = set(deltas[0].args) - {index}
                done += factor * inside.subs(deltas[0], 1).subs(index, fixed)
            else:
                done += factor * (high - low + 1 if inside == 1 else sp.Sum(inside, (index, low, high)))
        return done

    return sp.expand(
        sp.sympify(expression).replace(sp.Sum, lambda summand, *all_limits: reduce(split, all_limits, summand))
    )


def same(first: sp.Expr, second: sp.Expr) -> Checked:
    """Refuse two expressions that differ once their sums are regrouped."""
    left, right = regrouped(first), regrouped(second)
    if left != right and sp.expand(left - right) != 0:
        raise DerivationError(f"{left} before, {right} after, and their difference is not seen to vanish")
    return Checked("symbolic")


def by_regrouping(before: sp.Basic, after: sp.Basic) -> Checked:
    """The same by the rules of finite sums."""
    return same(before, after)


def chain_rule(
    count: sp.Expr,
    base: Callable[[int], sp.Expr],
    moved: Callable[[int], sp.Expr],
    at: dict[sp.Symbol, sp.Expr],
    any_one: sp.Symbol | None = None,
) -> Proof:
    """The same for any differentiable loss of up to four correlations; with an index ``any_one``, one they enter alike.

    The loss is exp(Σ w_i x_i) with any w, of which sums approximate every loss and its gradient at once; what is
    proved is linear in the loss. ``ell(x_i)`` is the loss at x_i = base(i), any other ``ell`` at x_i = moved(i), and
    after differentiation everything is taken where ``at`` says.
    """

    def proof(before: sp.Basic, after: sp.Basic) -> Checked:
        for number in range(1, 5):
            single, path = ([place(x) for x in range(1, number + 1)] for place in (base, moved))
            weights = sp.symbols(f"w_1:{number + 1}", real=True)
            orders = tuple(itertools.permutations(weights)) if any_one else (weights,)

            def loss(x: sp.Expr, single: list = single, path: list = path, orders: tuple = orders) -> sp.Expr:
                values = single if x in single else path
                return sum(sp.exp(sum(w * v for w, v in zip(order, values, strict=True))) for order in orders)

            for one in range(1, number + 1) if any_one else (0,):
                sides = [
                    side.subs({count: number, any_one: one} if any_one else {count: number}) for side in (before, after)
                ]
                first, second = (side.doit().replace(ell, loss).doit().subs(at) for side in sides)
                difference = sp.expand(first - second)
                if difference != 0:
                    raise DerivationError(f"{number} correlations, loss {loss(single[0])}: it leaves {difference}")
        return Checked("symbolic")

    return proof


def _by_definition(*names: sp.IndexedBase) -> Proof:
    """The same once counts are sums over patches, of which each is unmasked (1) or masked (0)."""
    patch = sp.Dummy("q", integer=True, positive=True)

    def unmasked(s: sp.Expr) -> sp.Expr:
        return sp.Sum(shown[patch, s], (patch, 1, n[s]))

    counts: dict[sp.IndexedBase, Callable[[sp.Expr], sp.Expr]] = {u: unmasked, h: lambda s: n[s] - unmasked(s)}

    def written(side: sp.Basic) -> sp.Expr:
        for base in names:
            side = side.replace(lambda x, base=base: isinstance(x, sp.Indexed) and x.base == base,
                                lambda x, base=base: counts[base](*x.indices))  # fmt: skip
        side = side.replace(sp.Sum, _by_cases)
        return _renamed(regrouped(side), patch)

    def proof(before: sp.Basic, after: sp.Basic) -> Checked:
        return same(written(before), written(after))

    return proof


def _by_cases(summand: sp.Expr, *all_limits: sp.Tuple) -> sp.Expr:
    """A sum over patches, its term f(o) for o = 0 or 1 as f(0) + o (f(1) − f(0)): exact, there being no third case."""
    for which in (x for x in summand.atoms(sp.Indexed) if x.base == shown):
        summand = summand.subs(which, 0) + which * (summand.subs(which, 1) - summand.subs(which, 0))
    return sp.Sum(summand, *all_limits)


def _renamed(expression: sp.Expr, patch: sp.Symbol) -> sp.Expr:
    """Sums over patches all with one name for the index."""

    def rename(summand: sp.Expr, *all_limits: sp.Tuple) -> sp.Expr:
        patches = {o.indices[0] for o in summand.atoms(sp.Indexed) if o.base == shown}
        new = {limits[0]: patch for limits in all_limits if limits[0] in patches}
        return sp.Sum(summand, *all_limits).xreplace(new)

    return expression.replace(sp.Sum, rename)


def _shifted(before: sp.Basic, after: sp.Basic) -> Checked:
    """The same with the loss written out, one number added to every Υ: it cancels before anything is differentiated."""

    def written(side: sp.Basic) -> sp.Expr:
        return side.replace(ell, lambda added: regrouped(_loss_of_scores(added))).doit()

    return same(written(before), written(after))


def _loss_of_scores(added: sp.Expr) -> sp.Expr:
    """ℓ_p of the scores, one number added to all of them."""
    mass = sp.exp(score[q] + added)
    attention = sp.Sum(U[q, j] * mass, (q, 1, P)) / sp.Sum(mass, (q, 1, P))
    return sp.Sum(model.area_loss(j, attention), (j, 1, N))


@states
def shift_invariance() -> Result:
    """One number added to every score of a query changes no attention."""
    mass = sp.exp(score[q] + shift)
    before, after = mass / sp.Sum(mass.subs(q, i), (i, 1, P)), model.patch_attention(q)
    return Result(
        name="shift-invariance",
        title="One number added to every score of a query changes no attention",
        statement=sp.Eq(before, after),
        steps=(Step("the same factor stands above and below", before, after, by_regrouping),),
        exactness="exact",
        reference="theory §3; paper, the one-layer transformer",
        uses=("attention",),
    )


@states
def pp_rates_sum_to_zero() -> Result:
    """The PP rates of a query sum to zero, self included, in every sample."""
    before = sp.Sum(-sp.Derivative(ell(pp[q]), pp[q]), (q, 1, P))
    along = -sp.Derivative(ell(shift), shift)
    rule = chain_rule(P, lambda x: pp[x], lambda x: pp[x] + shift, {shift: sp.Integer(0)})
    return Result(
        name="pp-rates-sum-to-zero",
        title="The PP rates of a query, its own included, sum to zero: so does Υ, for ever",
        statement=sp.Eq(before, 0),
        steps=(
            Step("the sum is the derivative along a common shift of all Υ", before, along, rule),
            Step("a common shift changes no attention and no loss", along, sp.Integer(0), _shifted),
        ),
        exactness="exact",
        reference=f"theory §3; {_PAPER}",
        uses=("shift-invariance",),
    )


@states
def exchangeable_patches() -> Result:
    """With Υ equal within a class, a sample is known by how many patches of each class are unmasked."""
    mass = sp.exp(shown[q, s] * z[area[s]] * fp[area[s]] + pp[s])
    seen = shown[q, s] * model.unmasked_mass(z[area[s]], fp[area[s]], pp[s])
    by_cases = seen + (1 - shown[q, s]) * model.masked_mass(pp[s])

    def loss(mass: sp.Expr, seen: sp.Expr) -> sp.Expr:
        partition = model.masked_mass(pp_self) + sp.Sum(sp.Sum(mass, (q, 1, n[s])), (s, 1, S))
        on_area = sp.Sum(sp.KroneckerDelta(area[s], j) * sp.Sum(seen, (q, 1, n[s])), (s, 1, S))
        return sp.Sum(model.area_loss(j, on_area / partition), (j, 1, N))

    before, between, after = loss(mass, shown[q, s] * mass), loss(by_cases, seen), model.sample_loss()
    return Result(
        name="exchangeable-patches",
        title="The loss of a sample depends on its mask through the counts of each class alone",
        statement=sp.Eq(before, after),
        steps=(
            Step("a patch is unmasked or masked: its mass is one of two", before, between, _by_definition()),
            Step("count them in each class", between, after, _by_definition(u, h)),
        ),
        exactness="exact",
        reference="theory §3 (classes); paper, the FP and PP correlations by areas",
        uses=("query-loss-of-attention",),
        assumptions=("Υ is equal within a class",),
    )


@states
def class_rate() -> Result:
    """The rate of a class, per patch, is the mean of the rates of its patches."""
    before = -sp.Derivative(ell(coordinate[s]), coordinate[s]) / n[s]
    after = sp.Sum(-sp.Derivative(ell(pp[q]), pp[q]), (q, 1, n[s])) / n[s]
    rule = chain_rule(n[s], lambda x: pp[x], lambda _: coordinate[s], {pp[x]: coordinate[s] for x in range(1, 5)})
    return Result(
        name="class-rate",
        title="The PP rate of a class, per patch, is the mean of the rates of its patches",
        statement=sp.Eq(before, after),
        steps=(Step("the chain rule: one y_s stands for Υ of every patch q of the class", before, after, rule),),
        exactness="exact",
        reference=f"theory §3 (classes, metric); {_PAPER}",
        uses=("exchangeable-patches",),
    )


@states
def equal_areas_merge() -> Result:
    """A merged coordinate has the rate of each that it stands for: the derivative over their number."""
    before = -sp.Derivative(ell(coordinate[i]), coordinate[i]) / mult[i]
    between = sp.Sum(-sp.Derivative(ell(fp[j]), fp[j]), (j, 1, mult[i])) / mult[i]
    after = -sp.Derivative(ell(fp[m]), fp[m])
    at = {fp[x]: coordinate[i] for x in range(1, 5)}
    places = (mult[i], lambda x: fp[x], lambda _: coordinate[i], at)
    return Result(
        name="equal-areas-merge",
        title="A merged coordinate moves at the rate of any one of the correlations it stands for",
        statement=sp.Eq(before, after),
        steps=(
            Step("the chain rule: y_i stands for mult_i of them", before, between, chain_rule(*places)),
            Step("the loss treats them alike, so all these rates are one", between, after, chain_rule(*places, m)),
        ),
        exactness="exact",
        reference="theory §3 (merging, metric); paper, the FP correlations by areas",
        uses=("pp-rates-sum-to-zero", "exchangeable-patches"),
        assumptions=("the mean loss is symmetric in the merged correlations, which are equal",),
    )
