"""The flow: descent on the matrix is descent on the correlations, the loss falls, and attention to the target rises.

1. One step of gradient descent on the query–key matrix, of any size, is one step on the correlations, each
   by its own derivative (``descent-is-the-reduced-descent-fp``, ``-pp``), positions and features being orthonormal.
   The flow dQ/dt = −∇L is the same for a step that goes to zero.
2. A reduced coordinate y_i stands for mult_i correlations and moves at the rate of one of them, so the loss falls as
   Σ mult_i rate_i² (``dissipation``).
3. The FP rate of the target area is a sum of products of non-negative terms (``target-never-falls``), in every
   sample, at any state; its mean over samples with weights, the rate of Φ_{k,a} in any cluster k, is no less so.
4. A sample whose target area is wholly masked costs z_a²/2 or more, any other 0 or more (``loss-above-floor``); the
   mean of that, summed over the patches, is L* of ``loss-floor``. Along Φ_target = y, Φ_other = −y with y → ∞ every
   sample of every query comes to just that (``floor-is-approached``): L* is the infimum.

Exact. Source: arXiv 2403.02233, the sections on the gradients and on the convergence of the loss.
"""

from __future__ import annotations

import random
from functools import cache

import sympy as sp

from derivations import model
from derivations.proof import DEFINITIONS, POINTS, Checked, DerivationError, Proof, _defined, ell, equal
from derivations.statements import Result, Step, result, states
from derivations.symbols import (
    A,
    N,
    P,
    Q,
    R,
    U,
    a,
    attn,
    b,
    c,
    column,
    coordinate,
    coordinates,
    d,
    e,
    eta,
    fp,
    i,
    j,
    loss_fp,
    loss_pp,
    m,
    mult,
    p,
    pp,
    q,
    r,
    rate,
    row,
    score,
    t,
    v,
    z,
)
from derivations.symmetry import chain_rule, regrouped, same

_PAPER_DESCENT = "paper, gradient descent from Q = 0 and the lemmas on the gradients"
_ray = sp.Symbol("y_ray", real=True)  # how far along Φ_target = y, Φ_other = −y
_others = sp.Sum((1 - sp.KroneckerDelta(a, j)) * z[j] ** 2 * A[j] ** 2, (j, 1, N))
_wholly_masked = sp.Product(1 - U[q, a], (q, 1, P))


def _correlation(query: sp.Expr, key: sp.Indexed) -> sp.Expr:
    """e_pᵀ Q times the feature or position `key`, which is written with the index `c`."""
    return sp.Sum(e[query, b] * Q[b, c] * key, (b, 1, d), (c, 1, d))


def _differentiated(before: sp.Basic, after: sp.Basic) -> Checked:
    """The same once SymPy has differentiated the correlations, which are bilinear."""

    def carry_out(correlation: sp.Expr, entry: sp.Tuple) -> sp.Expr:
        return regrouped(sp.diff(correlation, entry[0]))

    return same(*(_in_order(side.replace(sp.Derivative, carry_out)) for side in (before, after)))


def _orthonormal(before: sp.Basic, after: sp.Basic) -> Checked:
    """The same, positions and features being orthonormal."""

    def contract(summand: sp.Expr, *all_limits: sp.Tuple) -> sp.Expr:
        pair = sp.Mul.make_args(summand)
        if (
            len(all_limits) > 1
            or len(pair) != 2
            or not all(isinstance(x, sp.Indexed) and x.base in (e, v) for x in pair)
        ):
            return sp.Sum(summand, *all_limits)
        first, second = pair
        return sp.KroneckerDelta(first.indices[0], second.indices[0]) if first.base == second.base else sp.Integer(0)

    return same(*(_in_order(side).replace(sp.Sum, contract) for side in (before, after)))


def _in_order(expression: sp.Expr) -> sp.Expr:
    """The expression with its sums exchanged, those over components first, and regrouped."""

    def exchange(summand: sp.Expr, *all_limits: sp.Tuple) -> sp.Expr:
        done = sp.Integer(0)
        for term in sp.Add.make_args(sp.expand(summand)):
            inner = [x for x in sp.Mul.make_args(term) if isinstance(x, sp.Sum)][:1]  # two might share an index
            limits = [*all_limits, *(one for x in inner for one in x.limits)]
            done += sp.Sum(term.xreplace({x: x.function for x in inner}), *limits)
        return done

    return regrouped(expression.replace(sp.Sum, exchange))


def _shown_by(name: str) -> Proof:
    """The step is an earlier result."""

    def proof(before: sp.Basic, after: sp.Basic) -> Checked:
        if sp.Eq(before, after, evaluate=False) != result(name).statement:
            raise DerivationError(f"{name} says {result(name).statement}, not {before} = {after}")
        return Checked(f"result {name}")

    return proof


def _term_by_term(before: sp.Basic, after: sp.Basic) -> Checked:
    """`after` equals `before` and is a sum of products of what is never negative."""
    equal(before, after)
    if not _never_negative(after):
        raise DerivationError(f"{after} is no sum of products of non-negative terms")
    return Checked("symbolic")


def _never_negative(expression: sp.Expr) -> bool:
    if isinstance(1 - expression, sp.KroneckerDelta) or 1 - expression == _wholly_masked:
        return True  # one less a number between 0 and 1
    if isinstance(expression, sp.Add | sp.Mul):
        return all(_never_negative(part) for part in expression.args)
    return _never_negative(expression.function) if isinstance(expression, sp.Sum) else bool(expression.is_nonnegative)


def _masked_or_not(before: sp.Basic, after: sp.Basic) -> Checked:
    """`after` equals `before` where the target area is wholly masked, so has no attention, and where it is not."""
    whole = {_wholly_masked: sp.Integer(1), A[a]: sp.Integer(0), R[a]: sp.Integer(1)}
    for case in (whole, {_wholly_masked: sp.Integer(0)}):
        equal(before.xreplace(case), after.xreplace(case))
    return _term_by_term(after, after)


def _flow(before: sp.Basic, after: sp.Basic) -> Checked:
    """The same where each correlation moves at its rate, a coordinate for mult_i of them."""
    slope = sp.Derivative(ell(coordinate[i]), coordinate[i])
    return same(*(side.xreplace({slope: -mult[i] * rate[i]}) for side in (before, after)))


def _along_the_ray(before: sp.Basic, after: sp.Basic) -> Checked:
    """`after` is the limit of `before` along the ray: exactly, at random samples of rational numbers."""
    generator = random.Random(0)
    for _ in range(POINTS):
        areas, patches = generator.randint(2, 4), generator.randint(2, 6)
        target, label = generator.randint(1, areas), [generator.randint(0, areas) for _ in range(patches - 1)]
        places = {N: areas, P: patches, a: target}
        numbers: dict[sp.Expr, sp.Expr] = {
            U[x, y]: sp.Integer(place == y) for x, place in enumerate([*label, 0], 1) for y in range(1, areas + 1)
        }
        numbers |= {z[y]: sp.Integer(generator.randint(0, 3)) for y in range(1, areas + 1)}
        numbers |= {fp[y]: _ray if y == target else -_ray for y in range(1, areas + 1)}
        numbers |= {pp[x]: sp.log(sp.Rational(generator.randint(1, 9), 4)) for x in range(1, patches + 1)}
        loss, claimed = (
            _defined(side, (ell, R)).subs(places).doit().xreplace(numbers) for side in (before.args[0], after)
        )
        found = loss.xreplace(_attention_limits(areas, patches, numbers))
        if found != claimed:
            raise DerivationError(f"the limit is {found}, not {claimed}, areas shown {label}, target {target}")
    return Checked("limit by SymPy", POINTS)


def _attention_limits(areas: int, patches: int, numbers: dict[sp.Expr, sp.Expr]) -> dict[sp.Expr, sp.Expr]:
    """Where the attention on each area goes along the ray: the loss, a polynomial in it, goes where it does."""
    scores = {score[x]: _written(score, x, areas, patches).xreplace(numbers) for x in range(1, patches + 1)}
    attentions = {attn[x]: _written(attn, x, areas, patches).xreplace(scores) for x in range(1, patches + 1)}
    near, limits = sp.Symbol("w", positive=True), {}  # w = exp(−y)
    for y in range(1, areas + 1):
        attention = _written(A, y, areas, patches).xreplace(numbers).xreplace(attentions)
        limits[A[y]] = sp.cancel(attention.subs(sp.exp(_ray), 1 / near)).subs(near, 0)
    return limits


@cache
def _written(name: sp.IndexedBase, index: int, areas: int, patches: int) -> sp.Expr:
    return DEFINITIONS[name](sp.Integer(index)).subs({N: areas, P: patches}).doit()


def _descent(name: str, title: str, key: sp.Indexed, derivative: sp.Expr) -> Result:
    """The correlation with `key` after one step on the matrix."""
    entry, own = Q[row, column], key.subs(c, column)
    by_fp, by_pp = loss_fp[r, j], loss_pp[r, i]

    def step(fp_slope: sp.Expr, pp_slope: sp.Expr) -> sp.Expr:
        of_query = sp.Sum(by_fp * fp_slope, (j, 1, N)) + sp.Sum(by_pp * pp_slope, (i, 1, P))
        moved = entry - eta * sp.Sum(of_query, (r, 1, P))
        return sp.Sum(e[p, row] * moved * own, (row, 1, d), (column, 1, d))

    keys = v[j, c], e[i, c]
    before = step(*(sp.Derivative(_correlation(r, x), entry) for x in keys))
    between = step(*(e[r, row] * x.subs(c, column) for x in keys))
    after = sp.Sum(e[p, row] * entry * own, (row, 1, d), (column, 1, d)) - eta * derivative
    return Result(
        name=name,
        title=title,
        statement=sp.Eq(before, after),
        steps=(
            Step("differentiate the correlations by the matrix", before, between, _differentiated),
            Step("positions and features are orthonormal", between, after, _orthonormal),
        ),
        exactness="exact",
        reference=f"theory §3; {_PAPER_DESCENT}",
        uses=("gradient-stays-in-the-span", "rows-decouple"),
        assumptions=("N counts the features of all clusters", "L is any function of the correlations: the chain rule"),
    )


@states
def descent_is_the_reduced_descent_fp() -> Result:
    """One step on the matrix moves each FP correlation by its own derivative, at any step size."""
    title = "Descent on the matrix is descent on the FP correlations, at any step size"
    return _descent("descent-is-the-reduced-descent-fp", title, v[m, c], loss_fp[p, m])


@states
def descent_is_the_reduced_descent_pp() -> Result:
    """One step on the matrix moves each PP correlation by its own derivative, at any step size."""
    title = "Descent on the matrix is descent on the PP correlations, at any step size"
    return _descent("descent-is-the-reduced-descent-pp", title, e[q, c], loss_pp[p, q])


@states
def dissipation() -> Result:
    """The loss falls as the squared rates, each as often as its coordinate stands for a correlation."""
    before, slope = sp.Derivative(ell(t), t), sp.Derivative(ell(coordinate[i]), coordinate[i])
    between = sp.Sum(slope * rate[i], (i, 1, coordinates))
    after = -sp.Sum(mult[i] * rate[i] ** 2, (i, 1, coordinates))
    moved = (lambda x: coordinate[x], lambda x: coordinate[x] + t * rate[x], {t: sp.Integer(0)})
    return Result(
        name="dissipation",
        title="The loss of a query falls as its squared rates, each counted with its multiplicity",
        statement=sp.Eq(before, after),
        steps=(
            Step("the chain rule along the flow", before, between, chain_rule(coordinates, *moved)),
            Step("∂L/∂y_i = −mult_i rate_i", between, after, _flow),
        ),
        exactness="exact",
        reference=f"theory §3 (metric); {_PAPER_DESCENT}",
        uses=(
            "equal-areas-merge",
            "class-rate",
            "descent-is-the-reduced-descent-fp",
            "descent-is-the-reduced-descent-pp",
        ),
        assumptions=("the flow y_i' = rate_i", "L_p holds γ and π: L_p = E[1{p∈M} ℓ_p]"),
    )


@states
def target_never_falls() -> Result:
    """The FP rate of the target area is never negative, in any sample at any state."""
    rate_target = result("fp-rate-target").statement
    after = z[a] * A[a] * (z[a] ** 2 * R[a] ** 2 + _others)
    return Result(
        name="target-never-falls",
        title="Φ_target never decreases: in any cluster, at any state, for any law with z ≥ 0",
        statement=sp.Ge(after, 0),
        steps=(
            Step("the FP rate of the target area", rate_target.lhs, rate_target.rhs, _shown_by("fp-rate-target")),
            Step("a sum of products of non-negative terms", rate_target.rhs, after, _term_by_term),
        ),
        exactness="exact",
        reference="theory §3; paper, the lemma on α of the target area",
        uses=("fp-rate-target",),
        assumptions=("z ≥ 0", "one sample; the rate of Φ_{k,a} is the mean over the samples of cluster k"),
    )


@states
def loss_above_floor() -> Result:
    """A sample costs at least what is wholly masked of its target."""
    floor = z[a] ** 2 * _wholly_masked / 2
    before, apart = model.query_loss() - floor, (z[a] ** 2 * (1 - A[a]) ** 2 + _others) / 2 - floor
    after = (1 - _wholly_masked) * z[a] ** 2 * R[a] ** 2 / 2 + _others / 2
    return Result(
        name="loss-above-floor",
        title="The loss is never below L*: a sample costs z_a²/2 or more where its target is wholly masked",
        statement=sp.Ge(after, 0),
        steps=(
            Step("write the target area apart", before, apart),
            Step("wholly masked, the target has no attention: A_a = 0", apart, after, _masked_or_not),
        ),
        exactness="exact",
        reference="theory §3 (infimum of the loss); paper, the optimal loss L*",
        uses=("query-loss-of-attention", "loss-floor"),
        assumptions=("U is 0 or 1", "one sample; L ≥ L* is the mean over samples, summed over the masked patches"),
    )


@states
def floor_is_approached() -> Result:
    """Along Φ_target = y, Φ_other = −y the loss of every sample comes to its floor."""
    before, after = sp.Limit(ell(_ray), _ray, sp.oo), z[a] ** 2 * _wholly_masked / 2
    return Result(
        name="floor-is-approached",
        title="L* is the infimum: along Φ_target = y, Φ_other = −y every sample comes to its floor",
        statement=sp.Eq(before, after),
        steps=(Step("let y grow, Υ being any", before, after, _along_the_ray),),
        exactness="exact",
        reference="theory §3 (infimum of the loss); paper, the optimal loss L*",
        uses=("loss-above-floor",),
        assumptions=("the query is masked",),
    )
