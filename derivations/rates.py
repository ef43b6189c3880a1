"""The expressions that run: each derived formula by name, with its arguments.

``dynamics`` turns each into a function of plain numbers and loops over areas, classes and samples around them.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import sympy as sp

from derivations import gradients, model
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


@cache
def formulas() -> tuple[Formula, ...]:
    """Every formula that runs, in the order in which the loops use them."""
    latent, fp, pp = sp.symbols("latent fp pp", real=True)
    stray = _stray_summand()
    derived = {
        "loss": gradients.over_areas(model.area_loss(j, A[j]), a),
        "fp_lever": gradients.fp_lever(),
        "pp_lever": gradients.pp_lever(),
        "pull_target": gradients.pull(a),
        "pull_other": gradients.pull(m),
        "pull_masked": gradients.pull(None),
        "curvature_target": gradients.curvature(a, a),
        "curvature_target_other": gradients.curvature(a, m),
        "curvature_target_masked": gradients.curvature(a, None),
        "curvature_same": gradients.curvature(m, m),
        "curvature_others": gradients.curvature(m, l),
        "curvature_other_masked": gradients.curvature(m, None),
        "curvature_masked": gradients.curvature(None, None),
    }
    return (
        Formula("unmasked_mass", (latent, fp, pp), model.unmasked_mass(latent, fp, pp)),
        Formula("masked_mass", (pp,), model.masked_mass(pp)),
        _plain("stray_of", stray.subs(j, m)),
        *(_plain(name, expression) for name, expression in derived.items()),
    )


def _stray_summand() -> sp.Expr:
    """z_j² A_j², read off the derived pull: what its sum over the other areas adds up."""
    (total,) = gradients.pull(None).atoms(sp.Sum)
    return total.function.subs(sp.KroneckerDelta(a, j), 0)


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
