"""The exact mean as a conditional sum: one cluster, one latent for all areas, and equal areas beside one or two others.

The softmax denominator sees the equal *other* areas through the total of their unmasked patches alone. Given it, their
counts enter by one moment, that of the sum of their squares (``conditional-squares``): summed over all of them, the
rates need no other (``squares-suffice``). What is left is a sum over the counts of the target area, of the one area
*beside* it, and the total: ``term`` is what one term adds to the rates and to the loss, ``bends`` to their derivatives.

Nothing here is written by hand: a term is the formulas of the rates with attention as mass over D, summed over the
other areas. D and each D − X are carried as sums, masses and rests as symbols, so that the formulas stay small.

Exact. Source: the reduction, theory §4, conditional sum; the rates are those of arXiv 2403.02233.
"""

from __future__ import annotations

import itertools
import random
from functools import cache
from typing import Any, NamedTuple

import sympy as sp

from derivations import model
from derivations.averages import equal_areas, exactly
from derivations.closures import conditional_factorial_moments
from derivations.rates import formulas
from derivations.statements import Result, Step, states
from derivations.symbols import C, D, N, X, copies, j, k1, latent, m, total

_X = sp.symbols("X_target X_beside X_others", nonnegative=True)  # mass of the unmasked patches, of all others together
_Y = sp.symbols("Y_target Y_beside Y_others", nonnegative=True)  # and of the masked ones
_R = sp.symbols("R_target R_beside R_others", nonnegative=True)  # D − X
_SQUARES = sp.Symbol("squares", nonnegative=True)  # mean of Σ X_m² over the other areas, given their total
_MIXED = sp.Symbol("mixed")  # and of the sum of X_m² X_j over two different ones


def squares_given_total() -> sp.Expr:
    """The mean of Σ u_m² over all n' equal areas, given the total: of u(u − 1) + u, both factorial moments."""
    moment = conditional_factorial_moments().statement.rhs
    return copies * sum(sp.expand_func(moment.subs(k1, order)) for order in (1, 2))


@states
def conditional_squares() -> Result:
    """The mean of the sum of the squares of the counts, given their total."""
    given = conditional_factorial_moments().statement.lhs
    before = copies * sum(given.subs(k1, order) for order in (1, 2))
    claim = total * (1 + (C - 1) * (total - 1) / (copies * C - 1))
    return Result(
        name="conditional-squares",
        title="The sum of the squares of the counts in n' equal areas, given their total",
        statement=sp.Eq(before, claim),
        steps=(
            Step("u² = u(u − 1) + u, both factorial moments", before, squares_given_total(), exactly(equal_areas)),
            Step("write them out", squares_given_total(), claim),
        ),
        exactness="exact",
        reference="theory §4, conditional sum",
        uses=("conditional-factorial-moments",),
        assumptions=("the total u_other is a possible one", "n' C ≥ 2"),
    )


def _some_areas(generator: random.Random, number: int) -> dict[sp.Basic, Any]:
    return {N: generator.randint(1, 4)}


@states
def squares_suffice() -> Result:
    """The FP rates of all other areas together, times D³/z³: their mixed moments cancel."""
    mass, squares = sp.Sum(X[j], (j, 1, N)), sp.Sum(X[j] ** 2, (j, 1, N))
    of_target = _X[0] * _R[0]
    strays = _X[1] ** 2 + squares - X[m] ** 2
    before = sp.Sum(X[m] * (strays - X[m] * (_R[2] + mass - X[m]) - of_target), (m, 1, N))
    claim = mass * (_X[1] ** 2 - of_target) - _R[2] * squares
    return Result(
        name="squares-suffice",
        title="Summed over equal areas, the rates need their mass and the sum of its squares alone",
        statement=sp.Eq(before, claim),
        steps=(Step("Σ X_m² X_j and Σ X_m X_j² over j ≠ m are one", before, claim, exactly(_some_areas)),),
        exactness="exact",
        reference="theory §4, conditional sum",
        uses=("cubic-rate-other",),
        assumptions=("R_others is the mass of all but these N areas, so that D − X_m = R_others + Σ X_j − X_m",),
    )


class Term(NamedTuple):
    """Formulas of one term, and how its numbers come from the arguments.

    Attributes
    ----------
    arguments : tuple of Symbol
        Unmasked patches and sizes of target, beside and all others together, size and number of the others, and the
        mass of a patch: unmasked, masked, and of the query.
    steps : tuple of (Symbol, Expr)
        Masses, rests and the denominator, each from those before it.
    outputs : tuple of Expr
    powers : tuple of int
        Of the latent, by which each output is yet to be multiplied.
    """

    arguments: tuple[sp.Symbol, ...]
    steps: tuple[tuple[sp.Symbol, sp.Expr], ...]
    outputs: tuple[sp.Expr, ...]
    powers: tuple[int, ...]


_SEEN = sp.symbols("u_target u_beside u_others", nonnegative=True)  # unmasked patches
_SIZE = sp.symbols("n_target n_beside n_others", nonnegative=True)  # all patches, the query not counted
_EQUAL = sp.symbols("size copies", positive=True)  # patches of one other area, and how many others
_OF_SEEN = sp.symbols("a_target a_beside a_others", nonnegative=True)  # mass of one unmasked patch
_OF_HIDDEN = sp.symbols("b_target b_beside b_others", nonnegative=True)  # and of a masked one
_OWN = sp.Symbol("b_self", nonnegative=True)  # and of the query
_INVERSE = sp.Symbol("inverse", positive=True)  # 1/D
_UNSEEN = sp.Symbol("unseen", nonnegative=True)  # mass of all masked patches
COORDINATES = 7  # Φ of target, beside and others, Υ of these and of the query


@cache
def term() -> Term:
    """Rate of each coordinate times its multiplicity, and the loss."""
    on_target, on_masked = _pull("pull_target"), _pull("pull_masked")
    beside = {"A_m": _X[1], "R_m": _R[1], "stray_m": _formula("stray_of", {"A_m": sp.sqrt(_SQUARES)})}
    pulls = (_X[0] * on_target, _X[1] * _pull("pull_other", beside), _of_others())
    lever = _formula("fp_lever", {"A_m": sp.Integer(1)})
    cubics = (
        *(lever * pull for pull in pulls),
        *(pull + mass * on_masked for pull, mass in zip(pulls, _Y, strict=True)),
        _OWN * on_masked,
    )
    return _scaled((*(cubic / D**3 for cubic in cubics), _pull("loss") / D**2))


@cache
def bends() -> Term:
    """Derivative of each output of ``term`` but the loss along its own and each later coordinate."""
    rates, moves = _unscaled(), [_moves(along) for along in range(COORDINATES)]
    pairs = itertools.combinations_with_replacement(range(COORDINATES), 2)
    along = [sum(sp.diff(rates[i], name) * moved for name, moved in moves[k].items()) for i, k in pairs]
    return _scaled(tuple(map(sp.together, along)))


def _formula(name: str, masses: dict[str, sp.Expr]) -> sp.Expr:
    """A formula with masses for attentions, and one latent for all."""
    (expression,) = (formula.expression for formula in formulas() if formula.name == name)
    values = {"z_a": latent, "z_m": latent, **masses}
    return expression.xreplace({symbol: values[symbol.name] for symbol in expression.free_symbols})


def _pull(name: str, more: dict[str, sp.Expr] | None = None) -> sp.Expr:
    """D² times a formula that is quadratic in attention: attentions, rests and strays given as masses."""
    strays = [_formula("stray_of", {"A_m": mass}) for mass in (_X[1], sp.sqrt(_SQUARES))]
    return _formula(name, {"A_a": _X[0], "R_a": _R[0], "stray": sum(strays), **(more or {})})


def _of_others() -> sp.Expr:
    """The pulls on all other areas, each times its mass, in total mass and squares; the mixed moments cancel."""
    one, rest, rest_squares = sp.symbols("one rest rest_squares", nonnegative=True)
    strays = [_formula("stray_of", {"A_m": mass}) for mass in (_X[1], sp.sqrt(rest_squares))]
    pull = _pull("pull_other", {"A_m": one, "R_m": _R[2] + rest, "stray_m": sum(strays)})
    summed = {(1, 0, 0): _X[2], (2, 0, 0): _SQUARES, (2, 1, 0): _MIXED, (1, 0, 1): _MIXED}
    terms = sp.Poly(sp.expand(one * pull), one, rest, rest_squares).terms()
    found = sp.expand(sum(factor * summed[powers] for powers, factor in terms))
    if found.has(_MIXED):
        raise ValueError(f"a mixed moment is left: {found}")
    return sp.collect(found, [_X[2], _SQUARES])


@cache
def _steps() -> tuple[tuple[sp.Symbol, ...], tuple[tuple[sp.Symbol, sp.Expr], ...]]:
    """Arguments of a term, and its masses, rests and denominator."""
    squares = conditional_squares().statement.rhs.xreplace({total: _SEEN[2], C: _EQUAL[0], copies: _EQUAL[1]})
    masses = [
        *((mass, count * each) for mass, count, each in zip(_X, _SEEN, _OF_SEEN, strict=True)),
        *((mass, (size - count) * each) for mass, size, count, each in zip(_Y, _SIZE, _SEEN, _OF_HIDDEN, strict=True)),
        (_SQUARES, _OF_SEEN[2] ** 2 * squares),
    ]
    rests = [(rest, _UNSEEN + sum(mass for mass in _X if mass != own)) for rest, own in zip(_R, _X, strict=True)]
    sums = [(_UNSEEN, _OWN + sum(_Y)), *rests, (D, _R[0] + _X[0]), (_INVERSE, 1 / D)]
    return (*_SEEN, *_SIZE, *_EQUAL, *_OF_SEEN, *_OF_HIDDEN, _OWN), (*masses, *sums)


def _slopes() -> dict[sp.Symbol, tuple[sp.Expr, ...]]:
    """Derivative of the score of a patch, whose mass is this symbol, along each coordinate."""
    *fp_and_pp, itself = coordinates = sp.symbols(f"y:{COORDINATES}", real=True)
    fp, pp = fp_and_pp[:3], fp_and_pp[3:]
    scores = {mass: model.unmasked_score(latent, fp[i], pp[i]) for i, mass in enumerate(_OF_SEEN)}
    scores |= {mass: model.masked_score(pp[i]) for i, mass in enumerate(_OF_HIDDEN)}
    scores[_OWN] = model.masked_score(itself)
    return {mass: tuple(sp.diff(score, along) for along in coordinates) for mass, score in scores.items()}


def _moves(along: int) -> dict[sp.Symbol, sp.Expr]:
    """Derivative of every number of a term along a coordinate: of a mass by its score, of a sum by its parts."""
    slopes = _slopes()
    moved = {_OWN: _OWN * slopes[_OWN][along]}
    for name, value in _steps()[1]:
        patches = [mass for mass in _OF_SEEN + _OF_HIDDEN if mass in value.free_symbols]
        if patches:
            (mass,) = patches
            moved[name] = name * slopes[mass][along] * sp.cancel(mass * sp.diff(value, mass) / value)
        else:
            moved[name] = sum(sp.diff(value, part) * move for part, move in moved.items())
    return {name: move for name, move in moved.items() if move != 0}


@cache
def _unscaled() -> tuple[sp.Expr, ...]:
    """The rates of ``term``, latents included."""
    outputs, powers = term().outputs[:COORDINATES], term().powers
    return tuple((output * latent**power).subs(_INVERSE, 1 / D) for output, power in zip(outputs, powers, strict=False))


def _scaled(outputs: tuple[sp.Expr, ...]) -> Term:
    """The outputs over their power of the latent, which is the same in all that one adds up."""
    plain = [output.subs(latent, 1) for output in outputs]
    powers = [
        sp.degree(sp.cancel(output / one), latent) if one != 0 else 0
        for output, one in zip(outputs, plain, strict=True)
    ]
    arguments, steps = _steps()
    inverse = [one.xreplace({D**-order: _INVERSE**order for order in (2, 3, 4)}) for one in plain]
    return Term(arguments, steps, tuple(inverse), tuple(map(int, powers)))
