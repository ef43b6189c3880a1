"""Where a derived form differs from the form in which the paper is quoted, each difference with a witness in numbers.

The paper bounds the time of training up to a constant factor, so forms are compared by what no constant changes: the
exponent d log(form) / d log(variable) at a point. A bound that is larger than what is derived is not false; it is not
what happens.

Source: arXiv 2403.02233, the bound on the number of steps until the loss is within ε of its infimum.
"""

from __future__ import annotations

from typing import NamedTuple

import sympy as sp

from derivations import late, latents, phases
from derivations.proof import DerivationError, inside_limits
from derivations.symbols import P, kappa_s, t

excess = sp.Symbol("epsilon", positive=True)  # what the loss is allowed above its infimum


class Erratum(NamedTuple):
    """Two forms of one quantity.

    Attributes
    ----------
    title : str
    results : tuple of str
        Names of the results that the derived form comes from.
    paper, derived : sympy.Expr
        The two forms, up to a constant factor.
    variable : sympy.Symbol
        What the quantity grows or falls with.
    at : dict
        Numbers for the symbols: the witness.
    """

    title: str
    results: tuple[str, ...]
    paper: sp.Expr
    derived: sp.Expr
    variable: sp.Symbol
    at: dict[sp.Symbol, sp.Expr]

    def exponents(self) -> tuple[sp.Float, sp.Float]:
        """Exponent of the variable in the paper's form and in the derived one, at the witness.

        Raises
        ------
        DerivationError
            If they agree: then there is nothing to correct.
        """
        paper, derived = (
            sp.N((self.variable * sp.diff(sp.log(form), self.variable)).subs(self.at))
            for form in (self.paper, self.derived)
        )
        if abs(paper - derived) < sp.Rational(1, 100):
            raise DerivationError(f"erratum “{self.title}”: both forms have the exponent {derived}")
        return paper, derived


def errata() -> tuple[Erratum, ...]:
    """Every difference."""
    spread = sp.Max(2 * (latents.high / latents.low - 1), 1)
    return (
        Erratum(
            title="The time until attention locks, with latents between L and U",
            results=("latent-spread", "latent-half-time"),
            paper=P ** (spread * (1 - kappa_s)),
            derived=P ** latents.latent_spread().statement.rhs,
            variable=P,
            at={P: sp.Integer(10) ** 6, latents.high: sp.Integer(1), latents.low: sp.Rational(1, 10), kappa_s: _KAPPA},
        ),
        Erratum(
            title="The time until attention locks, all latents alike",
            results=("half-time",),
            paper=P ** (1 - kappa_s) * sp.log(P),
            derived=_half_time(),
            variable=P,
            at={P: sp.Integer(10) ** 6, kappa_s: _KAPPA},
        ),
        Erratum(
            title="The time until the loss is within ε of its infimum, as ε falls",
            results=("late-exact", "late-mean-field"),
            paper=sp.log(P / excess) / excess,
            derived=_late_time(),
            variable=excess,
            at={P: sp.Integer(10) ** 6, excess: sp.Rational(1, 1000)},
        ),
    )


_KAPPA = sp.Rational(7, 10)


def _half_time() -> sp.Expr:
    """T, of which the result says what its product with a rate tends to."""
    stated = phases.half_time().statement
    return stated.rhs * phases.HALF_TIME / inside_limits(stated.lhs)


def _late_time() -> sp.Expr:
    """The time at which L − L* is ε, of which the result says what it is times t."""
    stated = late.late_exact().statement
    times_excess = inside_limits(stated.lhs) / (t * late.factor * sp.exp(-2 * late.scale))
    return stated.rhs / (times_excess * excess)
