"""Limits for large P: what is measured down a ladder of P, extrapolated, beside what is derived.

A quantity X grows as a log P + b, or tends to a limit b, with corrections that are powers of P: slopes between the
rungs of a ladder, or the values themselves, come to the limit as fast as these vanish. 1/log P corrections, which no
finite transformer gets rid of, drop out of the slopes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from dynamics.errors import accept, choice, real_array, real_number
from dynamics.geometry import MOST_LOG10_PATCHES, Array, Geometry
from dynamics.laws import Law
from dynamics.moments import moments
from dynamics.reduction import reduce
from dynamics.setting import Setting
from dynamics.shown import SHORT, guarded, line, number
from dynamics.system import System

if TYPE_CHECKING:
    import sympy as sp

Quantity = Literal[
    "half-time", "half-time-constant", "plateau", "pp-over-fp", "phase-one-end", "phase-one-target", "phase-one-global"
]
# The results that state the limits.
LIMITS = {
    "half-time-constant": "half-time",
    "plateau": "fp-global-at-half-time",
    "pp-over-fp": "pp-exponent",
    "phase-one-end": "phase-one-end",
    "phase-one-target": "phase-one-end-target",
    "phase-one-global": "fp-global-at-half-time",
}
ANY_LAW = {"half-time": math.inf, "half-time-constant": math.inf, "plateau": 2}  # most values of the latent
SEES_GAP = ("plateau", "phase-one-end", "phase-one-target", "phase-one-global")  # corrections are powers of P^Δ too
SLOPES = ("half-time", "plateau", "pp-over-fp", "phase-one-global")  # the others have a limit
LADDER = (125.0, 250.0, 500.0, 1000.0)  # log10 P
LEAST_LOG = -690.0  # of Υ: smaller numbers lose digits as floats
VANISHED = 1e-3  # a correction that is as small at the last rung is seen to vanish
SURE = 0.1  # an uncertainty beyond it, of one or of the value, is none


@dataclass(frozen=True, eq=False)
class Exponent:
    """A limit P → ∞, extrapolated.

    Attributes
    ----------
    quantity : str
    value, uncertainty : float
        The limit, and how much the last rung moved it, with the error of the solver.
    predicted : float or None
        The derived limit, where there is one.
    paper : float or None
        The paper's bound on the exponent of the half-time, max(2(U/L − 1), 1)(1 − κs) for latents in [L, U].
    derived : bool
        Whether the assumptions of its derivation hold: 0 < κs < κc < 1, and one constant latent; for the half-time any
        finite law, for the plateau two values.
    preasymptotic : bool
        Whether the ladder is too short to see the limit: its last step is not half of the one before, or a correction
        that is known to vanish has not.
    log10_patches, measured, estimates : arrays
        The ladder, X at its rungs, and the limit as it is seen from each rung on (one fewer for a slope).
    law : Law or None
        Of the latent.
    """

    quantity: str
    value: float
    uncertainty: float
    predicted: float | None
    paper: float | None
    derived: bool
    preasymptotic: bool
    log10_patches: Array
    measured: Array
    estimates: Array
    law: Law | None = None

    @guarded
    def __repr__(self) -> str:
        verdict = "agrees" if self.agrees else "differs"
        limit = "" if self.predicted is None else f"derived {number(self.predicted)}: {verdict}"
        paper = "" if self.paper is None else f"the paper's bound {number(self.paper)}"
        early = "preasymptotic" if self.preasymptotic else ""
        value = f"{self.quantity} = {number(self.value)} ± {number(self.uncertainty, SHORT)}"
        return line("Exponent", value, self.law.label if self.law else "", limit, paper, early)

    @property
    def agrees(self) -> bool:
        """Whether the derived limit is within the uncertainty of the extrapolated one."""
        return self.predicted is not None and abs(self.value - self.predicted) <= self.uncertainty


@np.errstate(under="ignore")
def exponent(
    quantity: Quantity | Callable[[System], float],
    kappa_c: float | None,
    kappa_s: float,
    latent: Any = 1.0,
    mask_ratio: float = 0.5,
    *,
    query: Literal["local", "global"] = "local",
    at_latent: float | None = None,
    areas: float | None = None,
    ladder: Sequence[float] = LADDER,
    rtol: float = 1e-11,
) -> Exponent:
    """A limit P → ∞ of the mean-field system, extrapolated from a ladder of P.

    Parameters
    ----------
    quantity : str or callable
        Powers of P: "half-time", "plateau" (of Φ_global at T, over log P), "phase-one-global" (the same at the end of
        phase I), "pp-over-fp" (of Υ_target/Φ_target at T). Limits: "half-time-constant", T over what is derived for it;
        "phase-one-end", t_I/T; "phase-one-target", Φ_target at t_I. Or a function of the system that grows as
        a log P + b, such as ``log_half_time``: a is the limit.
    kappa_c, kappa_s, areas
        As for ``Geometry.scaling``.
    latent, mask_ratio
        As for ``Setting``.
    query : "local" | "global"
    at_latent : float, optional
        As for ``half_time``.
    ladder : sequence of float
        log10 P, four rungs or more; equal ratios serve best. For "pp-over-fp" it is scaled down where Υ would be no
        float.
    rtol : float
        Tolerance of the solves.

    Raises
    ------
    ValueError
        For a bad argument; where the quantity is not there at a rung: no second phase, no half-time.

    Notes
    -----
    Large-P, continuous-time. Results ``half-time``, ``global-query``, ``fp-global-at-half-time``, ``pp-exponent``,
    ``phase-one-end``, ``phase-one-end-target``, ``latent-at-lock``, ``latent-half-time``, ``latent-spread``,
    ``latent-plateau``.
    """
    named = isinstance(quantity, str)
    if named:
        choice("quantity", quantity, get_args(Quantity))
    accept(named or callable(quantity), "quantity", quantity, "a name or a function of the system")
    rungs = real_array(ladder)
    increasing = rungs.ndim == 1 and len(rungs) >= 4 and bool((np.diff(rungs) > 0).all())
    inside = increasing and rungs[0] > 0 and rungs[-1] <= MOST_LOG10_PATCHES
    accept(inside, "ladder", ladder, f"four or more increasing numbers in (0, {MOST_LOG10_PATCHES:g}]")
    rtol = real_number("rtol", rtol, lambda number: 1e-13 <= number < 1e-2, "a number in [1e-13, 0.01)")
    if quantity == "pp-over-fp":
        own = kappa_c if query == "global" and kappa_c is not None else kappa_s
        rungs = rungs * min(1.0, -LEAST_LOG / math.log(10) / rungs[-1] / max(own, 1e-3))
    study = _Study(quantity, kappa_c, kappa_s, Law.of(latent), mask_ratio, query, at_latent, areas)

    found = [study.measure(rung, rtol) for rung in rungs]
    again = study.measure(rungs[-1], 10 * rtol)[1]
    log_patches, measured = np.array(found).T
    slope = not named or quantity in SLOPES
    estimates = np.diff(measured) / np.diff(log_patches) if slope else measured
    noise = abs(measured[-1] - again) / (log_patches[-1] - log_patches[-2] if slope else 1.0)
    noise += 1e-14 * (1 + abs(estimates[-1]))
    last, before = np.abs(np.diff(estimates))[-1], np.abs(np.diff(estimates))[-2]
    settled = bool(last <= max(0.5 * before, 4 * noise)) and study.vanished(log_patches[-1])
    uncertainty = float((last if settled else max(last, before)) + noise)
    settled = settled and uncertainty <= SURE * max(abs(estimates[-1]), 1.0)
    return Exponent(
        quantity if isinstance(quantity, str) else getattr(quantity, "__name__", "quantity"),
        float(estimates[-1]),
        uncertainty,
        study.predicted(),
        study.paper(),
        study.derived,
        not settled,
        rungs,
        measured,
        estimates,
        study.law,
    )


@dataclass(frozen=True)
class _Study:
    """What is measured at a rung, and what is known of it."""

    quantity: Quantity | Callable[[System], float]
    kappa_c: float | None
    kappa_s: float
    law: Law
    mask_ratio: float
    query: str
    at_latent: float | None
    areas: float | None

    def measure(self, log10_patches: float, rtol: float) -> tuple[float, float]:
        """Logarithm of P and the quantity there."""
        geometry = Geometry.scaling(log10_patches, self.kappa_c, self.kappa_s, self.areas)
        system = reduce(Setting(geometry, self.law, self.mask_ratio), self.query, "mean-field")
        if not isinstance(self.quantity, str):
            value, named = float(self.quantity(system)), getattr(self.quantity, "__name__", "of the system")
            expected = f"one that is finite at log10 P = {log10_patches:g}, as log_half_time is, not {value:g}"
            accept(math.isfinite(value), "quantity", named, expected)
            return geometry.log_patches, value
        first, half = moments(system, self.at_latent, rtol)
        place = {name: i for i, name in enumerate(system.names)}
        if self.quantity in ("plateau", "phase-one-global"):
            accept("fp.global" in place, "quantity", self.quantity, "a local query beside a global area")
        at = first if self.quantity.startswith("phase") else half
        if self.quantity == "half-time":
            value = half[-1]
        elif self.quantity == "half-time-constant":
            value = math.exp(half[-1] + self.log_speed(geometry.log_patches))
        elif self.quantity == "phase-one-end":
            value = math.exp(first[-1] - half[-1])
        elif self.quantity == "pp-over-fp":
            value = math.log(half[place["pp.target"]] / half[place["fp.target"]])
        else:
            value = at[place["fp.target" if self.quantity == "phase-one-target" else "fp.global"]]
        accept(
            not math.isnan(value),
            "quantity",
            self.quantity,
            f"two phases, but at log10 P = {log10_patches:g} there is one",
        )
        return geometry.log_patches, float(value)

    @property
    def derived(self) -> bool:
        """Whether the assumptions of the derivations hold."""
        ordered = self.kappa_c is not None and 0 < self.kappa_s < self.kappa_c < 1 and self.areas is None
        ordered = ordered and isinstance(self.quantity, str)
        return ordered and len(self.law.values) <= ANY_LAW.get(str(self.quantity), 1)

    def vanished(self, log_patches: float) -> bool:
        """Whether at the last rung every correction that is known is small."""
        powers = [self.kappa_s, 1 - self.kappa_s]
        if self.kappa_c is not None and self.areas is None:
            powers += [1 - self.kappa_c]
            gap = abs((1 - self.kappa_s) - 2 * (1 - self.kappa_c))
            if self.quantity in SEES_GAP and gap > 1e-12:
                powers.append(gap)
        return -min(powers) * log_patches < math.log(VANISHED) > self._log_after_the_lock(log_patches)

    def _log_after_the_lock(self, log_patches: float) -> float:
        """Logarithm of a bound on what the smallest latent needs after the largest has locked, as a part of T.

        Results ``latent-at-lock``, ``latent-half-time``: P^{−(1−κ)L/U} over πL⁴ and the integral of the law.
        """
        from derivations.latents import half_time_constant

        values, weights, least = self.law.values, self.law.weights, self.law.least_positive
        if least is None or least == values.max() or self.areas is not None:
            return -math.inf
        left = float(weights[values == least][0]) * least**4 * half_time_constant(values.tolist(), weights.tolist())
        return -(1 - self._kappa) * least / values.max() * log_patches - math.log(left)

    @property
    def _kappa(self) -> float:
        """Exponent of the query's own area."""
        return self.kappa_c if self.query == "global" and self.kappa_c is not None else self.kappa_s

    def predicted(self) -> float | None:
        """The derived limit; beyond the assumptions of its derivation what it would be."""
        from derivations import result

        known = len(self.law.values) == 1 or self.quantity in ANY_LAW
        known = known and (self.query == "local" or self.quantity in ("half-time", "half-time-constant"))
        if self.areas is not None or not isinstance(self.quantity, str) or not known:
            return None
        limit = -_speed(self.query)[0] if self.quantity == "half-time" else result(LIMITS[self.quantity]).statement.rhs
        value = limit.subs(self._numbers())
        return float(value) if value.is_number else None

    def paper(self) -> float | None:
        """The paper's bound on the exponent, where that is what is measured."""
        import sympy as sp

        from derivations import latents
        from derivations.errata import errata
        from derivations.symbols import P

        least = self.law.least_positive
        if self.quantity != "half-time" or self.query != "local" or self.areas is not None or least is None:
            return None
        bound = P * sp.diff(sp.log(errata()[0].paper), P)
        law = {latents.high: float(self.law.values.max()), latents.low: least}
        return float(bound.subs(self._numbers() | law))

    def log_speed(self, log_patches: float) -> float:
        """Logarithm of what makes 1 of the half-time in the limit: γ(1 − γ)P^{κ−1} over the integral of the law."""
        from derivations.latents import half_time_constant
        from derivations.symbols import latent

        power, constant = (part.subs(self._numbers() | {latent: 1.0}) for part in _speed(self.query))
        integral = half_time_constant(self.law.values.tolist(), self.law.weights.tolist())
        return float(power) * log_patches + float(constant) - math.log(integral)

    def _numbers(self) -> dict[sp.Symbol, float]:
        """Numbers for the symbols of the derived limits: of several latents the one that locks last."""
        from derivations import symbols

        least = self.law.least_positive or math.nan
        numbers = {symbols.kappa_s: self.kappa_s, symbols.mask_ratio: self.mask_ratio, symbols.latent: least}
        return numbers | ({} if self.kappa_c is None else {symbols.kappa_c: self.kappa_c})


@cache
def _speed(query: str) -> tuple[sp.Expr, sp.Expr]:
    """Its power of P, and the logarithm of the rest."""
    import sympy as sp

    from derivations import phases, result
    from derivations.proof import inside_limits
    from derivations.symbols import P

    stated = result("global-query" if query == "global" else "half-time").statement
    logarithm = sp.expand(sp.expand_log(sp.log(inside_limits(stated.lhs) / phases.HALF_TIME), force=True))
    power = logarithm.coeff(sp.log(P))
    return power, logarithm - power * sp.log(P)
