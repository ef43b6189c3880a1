"""What one node (y, x) of the integral form adds to the rates and to the loss: the formulas that run.

At a node areas are independent and the unmasked patches of a class binomial (``integral-form``,
``binomial-at-a-node``), so that the mean of a polynomial of the masses is one of moments of single areas. Those are
polynomials of cumulants, which add up over patches. A lever, the mass of a class beside which moments are taken, *tags*
one patch of the class: given what that patch is, the others go on as they were. Nothing here is written by hand:
cumulants come from the generating function of a patch, moments from that of the cumulants, and what an area, a class
and the rest of the sample enter by from the cubic rates and the quadratic loss, expanded.

Exact. Source: the reduction, theory §4, integral form.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import sympy as sp
from sympy.codegen.cfunctions import expm1

from derivations import model
from derivations.averages import masked_chance, node_mass, unmasked_chance
from derivations.integral import inverse_power
from derivations.rates import formulas
from derivations.symbols import D, hidden, i, k, mark, s, seen, y

Powers = tuple[int, int, int]  # of the squared latent, of the unmasked and of the masked mass of an area


class Jet(NamedTuple):
    """Formulas of one step: outputs as functions of groups of inputs that vary with the state, and of others."""

    name: str
    inputs: tuple[tuple[sp.Symbol, ...], ...]
    constants: tuple[sp.Symbol, ...]
    outputs: tuple[sp.Expr, ...]
    by_mark: tuple[sp.Symbol, ...] = ()  # constants that differ from mark to mark


FP, PP, SHIFT, LATENT, SIZE, COPIES = sp.symbols("fp pp shift z n copies", real=True)
NODE, MARK, START, GROWN = y, mark, sp.Symbol("r", positive=True), sp.Symbol("grown")  # GROWN = MARK − START
TILT = sp.symbols("a b ea eb ea1 eb1", real=True)  # masses of one patch, exp(−y mass), exp(−y mass) − 1
CHANCE = sp.symbols("growth mass q p")  # node mass over 1 + r, less 1 and whole; chances to be unmasked and masked
ORDERS = ((1, 0), (0, 1), (2, 0), (1, 1), (0, 2))
PATCH = sp.symbols([f"patch_{i}{j}" for i, j in ORDERS])  # joint cumulants of a patch's masses, unmasked and masked
AREA = sp.symbols([f"area_{i}{j}" for i, j in ORDERS])  # and of an area's: their sums
_UP, _DOWN = sp.symbols("s t")  # beside X and Y in the exponent of a generating function
REST = sp.symbols("rest rest_squared rest_stray")  # means of the mass of other areas and the query, its square, Σ z²X²
MORE = sp.symbols("more more_squared more_stray")  # the same of what is added to them
OWN = sp.Symbol("own", positive=True)  # mass of the query


@cache
def jets() -> tuple[Jet, ...]:
    """Every step, in the order in which the loops take them."""
    finals = {name: _mean(polynomial) for name, polynomial in _polynomials().items()}
    target = _named("mass", *finals.values())
    levers = {name: _named("lever", final) for name, final in finals.items()}
    groups: dict[str, tuple[Sequence[sp.Symbol], ...]] = {
        name: (lever, REST) if "target" in name else (lever, target, REST) for name, lever in levers.items()
    }
    groups |= {"masked_self": ((OWN,), target, REST), "loss": (target, REST)}
    tagged = (TILT, CHANCE, PATCH, AREA), (SIZE, LATENT)
    return (
        Jet("measure", (), (NODE,), tuple(_measure(power) for power in (3, 2))),
        Jet("own_mass", ((PP,),), (SHIFT,), (model.masked_mass(PP - SHIFT),)),
        Jet("rest_own", ((OWN,),), (), (OWN, OWN**2, sp.Integer(0))),
        Jet("tilt", ((FP, PP),), (LATENT, SHIFT, NODE), _tilt()),
        Jet("chance", (TILT,), (START,), _chance(), (MARK, GROWN)),
        Jet("of_patch", (TILT, CHANCE), (), _cumulants(_one_patch())),
        Jet("of_target", (AREA,), (LATENT,), _moments(target, AREA)),
        Jet("of_other", (AREA,), (LATENT,), _as_rest()),
        *(Jet(f"seen_{name}", *tagged, _lever(levers[name], _UP)) for name in ("target", "other")),
        *(Jet(f"hidden_{name}", *tagged, _lever(levers[f"masked_{name}"], _DOWN)) for name in ("target", "other")),
        Jet("rest_with", (REST, MORE), (COPIES,), _together(REST, _copies(MORE))),
        Jet("rest_joined", (REST, MORE), (), _together(REST, MORE)),
        *(Jet(f"node_{name}", tuple(map(tuple, groups[name])), (), (final,)) for name, final in finals.items()),
    )


def _named(kind: str, *expressions: sp.Expr) -> list[sp.Symbol]:
    """The moments of this kind that occur."""
    symbols = set().union(*(expression.free_symbols for expression in expressions))
    return sorted((symbol for symbol in symbols if symbol.name.startswith(kind)), key=str)


def _measure(power: int) -> sp.Expr:
    """What exp(−y D) is weighed with, per unit of log y, for an inverse power of D."""
    inverse = inverse_power().statement.lhs
    (integral,) = inverse.atoms(sp.Integral)
    return (inverse.xreplace({integral: integral.function}) * NODE / sp.exp(-NODE * D)).subs(k, power).doit()


def _tilt() -> tuple[sp.Expr, ...]:
    """Masses of a patch, unmasked and masked, and what y makes of them."""
    masses = model.unmasked_mass(LATENT, FP, PP - SHIFT), model.masked_mass(PP - SHIFT)
    return (*masses, *(sp.exp(-NODE * mass) for mass in masses), *(expm1(-NODE * mass) for mass in masses))


def _chance() -> tuple[sp.Expr, ...]:
    """Node mass of a patch over that at y = 0 and radius r, less 1 and whole; chances to be unmasked and masked."""
    parts = {sp.exp(-y * seen[s, i]): TILT[2], sp.exp(-y * hidden[s]): TILT[3]}
    whole, unmasked, masked = (form(s, i).subs(parts) for form in (node_mass, unmasked_chance, masked_chance))
    less = whole.subs({TILT[2]: 1 + TILT[4], TILT[3]: 1 + TILT[5]}) - (1 + START)
    growth = sp.collect(sp.expand(less), TILT[5]).subs(MARK - START, GROWN)
    return growth / (1 + START), whole / (1 + START), unmasked, masked


def _one_patch() -> sp.Expr:
    """E exp(s X + t Y) of a patch, unmasked with chance q and masked with chance p = 1 − q."""
    return CHANCE[-2] * sp.exp(TILT[0] * _UP) + CHANCE[-1] * sp.exp(TILT[1] * _DOWN)


def _cumulants(generating: sp.Expr) -> tuple[sp.Expr, ...]:
    """The joint cumulants that go with a moment generating function."""
    return tuple(sp.factor(_at_zero(sp.log(generating), order)).subs(CHANCE[-2] + CHANCE[-1], 1) for order in ORDERS)


def _at_zero(function: sp.Expr, order: Sequence[int]) -> sp.Expr:
    return sp.diff(function, _UP, order[0], _DOWN, order[1]).subs({_UP: 0, _DOWN: 0})


def _moments(names: Sequence[sp.Symbol], cumulants: Sequence[sp.Expr]) -> tuple[sp.Expr, ...]:
    """z^2e E[X^i Y^j] of an area with these cumulants."""
    series = sum(
        value * _UP**i * _DOWN**j / (sp.factorial(i) * sp.factorial(j))
        for (i, j), value in zip(ORDERS, cumulants, strict=True)
    )
    return tuple(
        LATENT ** (2 * latents) * sp.expand(_at_zero(sp.exp(series), orders))
        for latents, *orders in map(_powers, names)
    )


def _lever(names: Sequence[sp.Symbol], mass: sp.Symbol) -> tuple[sp.Expr, ...]:
    """z^2e E[λ X^i Y^j], λ the mass of a class, unmasked (s) or masked (t).

    It is the n-th power of what one patch gives that is differentiated: one patch is, the others are as before.
    """
    tagged = sp.diff(_one_patch(), mass)
    shifts = zip(AREA, PATCH, _cumulants(tagged), strict=True)
    others = tuple(sp.Symbol(f"beside_{i}{j}") for i, j in ORDERS)
    given = {name: area - patch + tag for name, (area, patch, tag) in zip(others, shifts, strict=True)}
    weight = SIZE * _at_zero(tagged, (0, 0))
    return tuple(weight * moment.xreplace(given) for moment in _moments(names, others))


def _as_rest() -> tuple[sp.Expr, ...]:
    """What one area is to the rest of a sample."""
    unmasked, masked = sp.symbols("X Y")
    means = []
    for power in (1, 2):
        terms = sp.Poly((unmasked + masked) ** power, unmasked, masked).terms()
        moments = _moments([_moment("mass", (0, *orders)) for orders, _ in terms], AREA)
        means.append(sum((factor * moment for (_, factor), moment in zip(terms, moments, strict=True)), sp.Integer(0)))
    return (*means, *_moments([_moment("mass", (1, 2, 0))], AREA))


def _copies(one: Sequence[sp.Expr]) -> tuple[sp.Expr, ...]:
    """Several independent areas like one: the square of their mass has pairs of different ones in it."""
    return COPIES * one[0], COPIES * one[1] + COPIES * (COPIES - 1) * one[0] ** 2, COPIES * one[2]


def _together(one: Sequence[sp.Expr], two: Sequence[sp.Expr]) -> tuple[sp.Expr, ...]:
    """Two independent parts of the rest as one: the square of a sum of two."""
    return one[0] + two[0], one[1] + 2 * one[0] * two[0] + two[1], one[2] + two[2]


_A = sp.symbols("lever_a z_a X_a Y_a")
_M = sp.symbols("lever_m z_m X_m Y_m")
_E, _S = sp.symbols("E S")


def _polynomials() -> dict[str, sp.Expr]:
    """D³ times the rates, and D² times the loss, as polynomials of the masses; a lever is attention times D."""
    (lever_a, _, X_a, Y_a), (lever_m, z_m, X_m, Y_m) = _A, _M
    alone = {"A_a": X_a, "R_a": Y_a + _E, "stray": _S}
    beside = {"A_a": X_a, "R_a": Y_a + X_m + Y_m + _E, "A_m": X_m, "R_m": Y_m + X_a + Y_a + _E}
    beside |= {"stray": z_m**2 * X_m**2 + _S, "stray_m": _S}
    return {
        "target": lever_a * _in_masses("pull_target", alone),
        "other": lever_m * _in_masses("pull_other", beside),
        "masked_target": lever_a * _in_masses("pull_masked", alone),
        "masked_other": lever_m * _in_masses("pull_masked", beside),
        "masked_self": OWN * _in_masses("pull_masked", alone),
        "loss": _in_masses("loss", alone),
    }


def _in_masses(name: str, masses: dict[str, sp.Expr]) -> sp.Expr:
    """A formula that is quadratic in attention, times D²: its attentions, their rests and strays given as masses."""
    (expression,) = (formula.expression for formula in formulas() if formula.name == name)
    scale, latents = sp.Symbol("D"), {"z_a": _A[1], "z_m": _M[1]}
    put_in = {}
    for symbol in expression.free_symbols:
        power = 2 if symbol.name.startswith("stray") else 1
        put_in[symbol] = latents[symbol.name] if symbol.name in latents else masses[symbol.name] / scale**power
    return sp.expand(scale**2 * expression.xreplace(put_in))


def _mean(polynomial: sp.Expr) -> sp.Expr:
    """The mean of a polynomial of the masses of independent areas, in moments of each."""
    rest = {(0, 0): sp.Integer(1), (1, 0): REST[0], (2, 0): REST[1], (0, 1): REST[2]}
    terms = sp.Poly(polynomial, *_A, *_M, _E, _S).terms()
    return sum(
        (factor * _of_group(powers[:4]) * _of_group(powers[4:8]) * rest[powers[8:]] for powers, factor in terms),
        start=sp.Integer(0),
    )


def _of_group(powers: tuple[int, ...]) -> sp.Expr:
    """The mean of what one area has in a term: its lever, latent, and masses."""
    lever, latents, unmasked, masked = powers
    if latents % 2:
        raise ValueError(f"a latent to an odd power, {latents}")
    kind = "lever" if lever else "mass"
    return _moment(kind, (latents // 2, unmasked, masked)) if any(powers) else sp.Integer(1)


def _moment(kind: str, powers: Powers) -> sp.Symbol:
    """Names z^2e X^i Y^j of an area, beside a lever or alone."""
    return sp.Symbol("{}_{}{}{}".format(kind, *powers))


def _powers(moment: sp.Symbol) -> Powers:
    latents, unmasked, masked = map(int, moment.name.rpartition("_")[2])
    return latents, unmasked, masked
