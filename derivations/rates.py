"""The expressions that run: each derived formula by name, with its arguments.

``dynamics`` turns each into a function of plain numbers and loops over areas, classes and samples around them.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import sympy as sp

from derivations import gradients, learning, model
from derivations.symbols import A, R, a, attn, j, l, m, r, z


class Formula(NamedTuple):
    """One scalar expression and the order of its arguments."""

    name: str
    arguments: tuple[sp.Symbol, ...]
    expression: sp.Expr


# Σ z_j² A_j² over the areas that are neither the target nor, in the second, m: what the query wrongly reconstructs.
STRAY, STRAY_BUT_M = sp.symbols("stray stray_m", nonnegative=True)

_NAMES = {
    base[index]: sp.Symbol(f"{base.label}_{index}", nonnegative=True) for index in (a, m, l) for base in (z, A, R)
} | {attn[r]: sp.Symbol("attn", nonnegative=True)}
_ORDER = (*_NAMES.values(), STRAY, STRAY_BUT_M)

# Whose residual a term of a pull comes from: what only such a term has.
_RESIDUALS = {
    "target": {_NAMES[A[a]], _NAMES[R[a]]},
    "own": {_NAMES[A[m]], _NAMES[R[m]]},
    "stray": {STRAY, STRAY_BUT_M},
}

# The results whose right sides run as they stand.
_PULLS = (learning.pull_target, learning.pull_other, learning.pull_masked)
_CURVATURES = (
    learning.curvature_target,
    learning.curvature_target_other,
    learning.curvature_target_masked,
    learning.curvature_same,
    learning.curvature_others,
    learning.curvature_other_masked,
    learning.curvature_masked,
)


@cache
def formulas() -> tuple[Formula, ...]:
    """Every formula of loss, rates and their terms, in the order in which the loops use them."""
    latent, fp, pp = sp.symbols("latent fp pp", real=True)
    return (
        Formula("unmasked_score", (latent, fp, pp), model.unmasked_score(latent, fp, pp)),
        Formula("masked_score", (pp,), model.masked_score(pp)),
        Formula("unmasked_mass", (latent, fp, pp), model.unmasked_mass(latent, fp, pp)),
        Formula("masked_mass", (pp,), model.masked_mass(pp)),
        _plain("stray_of", _stray_summand().subs(j, m)),
        _plain("loss", gradients.over_areas(model.area_loss(j, A[j]), a)),
        _plain("fp_lever", gradients.fp_lever()),
        _plain("pp_lever", gradients.pp_lever()),
        *(_plain(make.__name__, make().statement.rhs) for make in _PULLS),
        *(term for make in _PULLS for term in _terms(_plain(make.__name__, make().statement.rhs))),
    )


@cache
def curvatures() -> tuple[Formula, ...]:
    """Every formula that only the Jacobian runs: apart, since a first answer needs none."""
    return tuple(_plain(make.__name__, make().statement.rhs) for make in _CURVATURES)


def _stray_summand() -> sp.Expr:
    """z_j² A_j², read off the derived pull: what its sum over the other areas adds up."""
    (total,) = learning.pull_masked().statement.rhs.atoms(sp.Sum)
    return total.function.subs(sp.KroneckerDelta(a, j), 0)


def _terms(pull: Formula) -> tuple[Formula, ...]:
    """The terms of a pull, each named by the residual it comes from; the stray one takes any part of the stray."""
    found = {}
    for term in sp.Add.make_args(sp.expand(pull.expression)):
        residuals = [name for name, symbols in _RESIDUALS.items() if symbols & term.free_symbols]
        linear = all(sp.diff(term, stray) * stray in (0, term) for stray in _RESIDUALS["stray"])
        if len(residuals) != 1 or residuals[0] in found or not linear:
            raise ValueError(f"{pull.name}: {term} is not the only term of one residual")
        found[residuals[0]] = _plain(f"{pull.name}_{residuals[0]}", term)
    return tuple(found.values())


def _plain(name: str, expression: sp.Expr) -> Formula:
    """The expression with a plain symbol for each quantity that the loops hand it."""
    sums = {
        total: STRAY_BUT_M if total.has(m) else STRAY
        for total in expression.atoms(sp.Sum)
        if total.function.subs({sp.KroneckerDelta(a, j): 0, sp.KroneckerDelta(j, m): 0}) == _stray_summand()
    }
    plain = expression.xreplace(sums).xreplace(_NAMES)
    unknown = plain.free_symbols - set(_ORDER)
    if unknown:
        raise ValueError(f"{name}: the loops know no {unknown}")
    return Formula(name, tuple(symbol for symbol in _ORDER if symbol in plain.free_symbols), plain)
