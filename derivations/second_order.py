"""The second-order closure: half the curvature of the loss in the counts, times their covariance.

The loss is a function of the unmasked counts u_s, which may be any real numbers, with h_s = n_s − u_s. Differentiated
twice and contracted with the covariance it gives the correction, at a cost linear in the classes.

What runs takes each curvature from samples: along a ray of counts attention is linear in a parameter τ
(``attention-along-a-ray``), so that loss, rates and Jacobian are polynomials in τ, and five of their values have the
curvature exactly (``curvature-from-five-samples``).

Exact as derivatives; large-P as a closure (``second-order-error``). Source: the reduction, theory §4.
"""

from __future__ import annotations

import sympy as sp

from derivations import model
from derivations.averages import exactly, same_or_not
from derivations.closures import covariance
from derivations.proof import Checked
from derivations.statements import Result, Step, states
from derivations.symbols import A, D, N, P, S, X, a, area, hidden, i, j, m, masked, n, own, r, s, seen, u

_delta = sp.KroneckerDelta


def _by_count(share: sp.Expr, gain: sp.Expr) -> sp.Expr:
    """∂A_j/∂u: X_j grows by `share`, D by `gain`."""
    return (share - A[j] * gain) / D


def count_curvature(first: tuple[sp.Expr, sp.Expr], second: tuple[sp.Expr, sp.Expr]) -> sp.Expr:
    """∂²ℓ/∂u∂u' for two directions, each by what X_j and D gain along it; bilinear in the two."""
    gains = sp.symbols("share gain")  # which A_j and D do not change; SymPy would call that a sum of zeros
    loss, one, two = model.area_loss(j, A[j]), _by_count(*gains), _by_count(*second)
    bend = sp.diff(one, A[j]) * two + sp.diff(one, D) * second[1]
    curved = sp.diff(loss, A[j], 2) * one * two + sp.diff(loss, A[j]) * bend
    return sp.Sum(curved.subs(dict(zip(gains, first, strict=True))), (j, 1, N))


def _gain(s: sp.Symbol) -> tuple[sp.Expr, sp.Expr]:
    """What X_j and D gain where one patch of class s is unmasked instead of masked."""
    return _delta(area[s], j) * seen[s], seen[s] - hidden[s]


def _mass(j: sp.Expr) -> sp.Expr:
    return sp.Sum(_delta(area[i], j) * u[i] * seen[i], (i, 1, S))


def _all_mass() -> sp.Expr:
    return own + sp.Sum(u[i] * seen[i] + (n[i] - u[i]) * hidden[i], (i, 1, S))


def _in_masses(before: sp.Basic, after: sp.Basic) -> Checked:
    """The same once A_j = X_j/D and D are written as masses of the counts."""

    def masses(side: sp.Basic) -> sp.Basic:
        side = side.replace(
            lambda part: isinstance(part, sp.Indexed) and part.base == A, lambda part: _mass(*part.indices) / D
        )
        return side.subs(D, _all_mass())

    return exactly(same_or_not, structures=7)(masses(before), masses(after))


@states
def attention_by_count() -> Result:
    """Derivative of the attention on an area by the unmasked count of a class."""
    before = sp.Derivative(_mass(j) / _all_mass(), u[s])
    claim = _by_count(*_gain(s))
    return Result(
        name="attention-by-count",
        title="Derivative of the attention on area j by the number of unmasked patches of class s",
        statement=sp.Eq(before.subs(j, a), claim.subs(j, a)),
        steps=(Step("unmasked instead of masked: n_s − u_s falls", before.subs(j, a), claim.subs(j, a), _in_masses),),
        exactness="exact",
        reference="theory §4, second-order",
        uses=("attention",),
    )


@states
def loss_by_counts() -> Result:
    """Second derivative of the loss by two counts."""
    loss = sp.Sum(model.area_loss(j, _mass(j) / _all_mass()), (j, 1, N))
    before, claim = sp.Derivative(loss, u[r], u[s]), count_curvature(_gain(r), _gain(s))
    return Result(
        name="loss-by-counts",
        title="Second derivative of the loss of a masked query by two counts",
        statement=sp.Eq(before, claim),
        steps=(Step("chain rule through the attention on areas", before, claim, _in_masses),),
        exactness="exact",
        reference="theory §4, second-order",
        uses=("query-loss-of-attention", "attention-by-count"),
    )


@states
def second_order() -> Result:
    """The correction of the second-order closure, with a cost linear in the classes."""
    before = sp.Sum(covariance(r, s) * count_curvature(_gain(r), _gain(s)), (r, 1, S), (s, 1, S)) / 2
    along = sp.Sum(n[i] * _gain(i)[0], (i, 1, S)), sp.Sum(n[i] * _gain(i)[1], (i, 1, S))
    both = (P - masked) * (masked - 1) / (2 * (P - 1) ** 2 * (P - 2))
    single = sp.Sum(n[s] * count_curvature(_gain(s), _gain(s)), (s, 1, S))
    claim = both * (P - 1) * single - both * count_curvature(along, along)
    return Result(
        name="second-order",
        title="The second-order closure adds ½ Σ Cov(u_r, u_s) ∂²ℓ/∂u_r∂u_s at the mean counts",
        statement=sp.Eq(before, claim),
        steps=(
            Step(
                "the covariance is a diagonal less one product",
                before,
                claim,
                exactly(same_or_not, structures=7),
            ),
        ),
        exactness="large-P",
        reference="theory §4, second-order",
        uses=("hypergeometric-covariance", "loss-by-counts", "mean-field-error", "second-order-error"),
        assumptions=("the rates are the derivatives of this loss, so both invariants of closures hold",),
    )


_ray, _reach = sp.symbols("epsilon h", real=True)  # along a ray; distance of two samples in τ
_share, _gain_of_D = sp.symbols("share gain", real=True)  # what X_j and D gain per ε
_SAMPLES = (-2, -1, 0, 1, 2)
DEGREE = len(_SAMPLES) - 1  # of the Jacobian in attention: that of the loss is 2, and a derivative by a score adds one


@states
def attention_along_a_ray() -> Result:
    """Attention at counts u + ε d is linear in τ = ε/(1 + g ε), where D gains the part g ε of itself."""
    tau = _ray / (1 + _ray * _gain_of_D / D)
    before = (X[m] + _ray * _share) / (D + _ray * _gain_of_D)
    claim = (A[m] + tau * _by_count(_share, _gain_of_D).subs(j, m)).subs(A[m], X[m] / D)
    return Result(
        name="attention-along-a-ray",
        title="Along a ray of counts the attention on an area is linear in a parameter τ",
        statement=sp.Eq(before, claim),
        steps=(Step("put τ in", before, claim),),
        exactness="exact",
        reference="theory §4, second-order",
        uses=("attention-by-count",),
        assumptions=("g = gain/D, τ = ε/(1 + g ε); the slope is the derivative of attention at ε = 0",),
    )


@states
def curvature_from_five_samples() -> Result:
    """The second derivative by ε of a polynomial in τ of degree four, from five of its values."""
    coefficients = sp.symbols(f"f_:{DEGREE + 1}", real=True)

    def function(tau: sp.Expr) -> sp.Expr:
        return sum((part * tau**order for order, part in enumerate(coefficients)), start=sp.Integer(0))

    relative = sp.Symbol("g", real=True)
    before = sp.diff(function(_ray / (1 + relative * _ray)), _ray, 2).subs(_ray, 0)
    first, second = (sp.finite_diff_weights(order, _SAMPLES, 0)[order][-1] for order in (1, 2))
    claim = sum(
        (two / _reach**2 - 2 * relative * one / _reach) * function(sample * _reach)
        for sample, one, two in zip(_SAMPLES, first, second, strict=True)
    )
    return Result(
        name="curvature-from-five-samples",
        title="Curvature along a ray of counts, from five samples on it",
        statement=sp.Eq(before, claim),
        steps=(Step("∂τ/∂ε = 1 and ∂²τ/∂ε² = −2g at ε = 0; differences that are exact to degree 4", before, claim),),
        exactness="exact",
        reference="theory §4, second-order",
        uses=("attention-along-a-ray",),
        assumptions=("f_k, the coefficients of the polynomial; samples at τ = −2h, −h, 0, h, 2h",),
    )
