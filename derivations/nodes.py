"""What one node (y, x) of the integral form adds to the rates and to the loss: the formulas that run.

At a node areas are independent and the unmasked patches of a class binomial (``integral-form``,
``binomial-at-a-node``), so that the mean of a polynomial of the masses is one of moments of single areas. Those are
polynomials of cumulants, which add up over classes. Nothing here is written by hand: cumulants come from the generating
function of a class, moments from that of the cumulants, and what an area, a class and the rest of the sample enter by
from the cubic rates and the quadratic loss, expanded.

Exact. Source: the reduction, theory §4, integral form.
"""

from __future__ import annotations

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
    """Formulas of one step: outputs as functions of groups of inputs that vary with the state, and of constants."""

    name: str
    inputs: tuple[tuple[sp.Symbol, ...], ...]
    constants: tuple[sp.Symbol, ...]
    outputs: tuple[sp.Expr, ...]


FP, PP, SHIFT, LATENT, SIZE, COPIES = sp.symbols("fp pp shift z n copies", real=True)
NODE, MARK, START, GROWN = y, mark, sp.Symbol("r", positive=True), sp.Symbol("grown")  # GROWN = MARK − START
TILT = sp.symbols("a b ea eb ea1 eb1", real=True)  # masses of one patch, exp(−y mass), exp(−y mass) − 1
CHANCE = sp.symbols("growth mass q p")  # node mass over 1 + r, less 1 and whole; chances to be unmasked and masked
ORDERS = tuple(sorted(((i, j) for i in range(4) for j in range(4) if 1 <= i + j <= 3), key=lambda o: (sum(o), -o[0])))
CLASS = sp.symbols([f"class_{i}{j}" for i, j in ORDERS])  # joint cumulants of a class's masses, unmasked and masked
AREA = sp.symbols([f"area_{i}{j}" for i, j in ORDERS if i + j <= 2])  # and of an area's: their sums
REST = sp.symbols("rest rest_squared rest_stray")  # means of the mass of other areas and the query, its square, Σ z²X²
OWN = sp.Symbol("own", positive=True)  # mass of the query


@cache
def jets() -> tuple[Jet, ...]:
    """Every step, in the order in which the loops take them."""
    finals = {name: _mean(polynomial) for name, polynomial in _polynomials().items()}
    every = set().union(*(final.free_symbols for final in finals.values()), *(part.free_symbols for part in _more()))
    lever, area = (
        sorted((name for name in every if name.name.startswith(kind)), key=str) for kind in ("lever", "mass")
    )
    area = [WEIGHT, *area]
    rest = REST, tuple(area)
    groups = {"target": (lever, REST), "other": (lever, area, REST), "masked_target": (lever, REST)}
    groups |= {"masked_other": (lever, area, REST), "masked_self": ((OWN,), area, REST), "loss": (area, REST)}
    more = tuple(sp.Symbol(f"more_{name}") for name in REST)
    return (
        Jet("measure", (), (NODE,), tuple(_measure(power) for power in (3, 2))),
        Jet("own_mass", ((PP,),), (SHIFT,), (model.masked_mass(PP - SHIFT),)),
        Jet("rest_own", ((OWN,),), (), (OWN, OWN**2, sp.Integer(0))),
        Jet("tilt", ((FP, PP),), (LATENT, SHIFT, NODE), _tilt()),
        Jet("chance", (TILT,), (MARK, GROWN, START), _chance()),
        Jet("of_class", (TILT, CHANCE), (SIZE,), _class_cumulants()),
        Jet("of_area", (AREA,), (LATENT,), tuple(_raw(_powers(name)) for name in area)),
        Jet("lever_seen", (CLASS, AREA), (LATENT,), tuple(_raw(_powers(name), (1, 0)) for name in lever)),
        Jet("lever_hidden", (CLASS, AREA), (LATENT,), tuple(_raw(_powers(name), (0, 1)) for name in lever)),
        Jet("rest_with", rest, (COPIES,), _together(REST, _more())),
        Jet("rest_joined", (REST, more), (), _together(REST, more)),
        *(Jet(f"node_{name}", tuple(map(tuple, groups[name])), (), (final,)) for name, final in finals.items()),
    )


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


def _class_cumulants() -> tuple[sp.Expr, ...]:
    """From log E exp(s X + t Y), n patches each unmasked with chance q and masked with chance p = 1 − q."""
    up, down = sp.symbols("s t")
    each = CHANCE[-2] * sp.exp(TILT[0] * up) + CHANCE[-1] * sp.exp(TILT[1] * down)
    found = []
    for order in ORDERS:
        cumulant = sp.diff(SIZE * sp.log(each), up, order[0], down, order[1]).subs({up: 0, down: 0})
        found.append(sp.factor(cumulant).subs(CHANCE[-2] + CHANCE[-1], 1))
    return tuple(found)


def _raw(powers: Powers, lever: tuple[int, int] | None = None) -> sp.Expr:
    """z^2e E[λ X^i Y^j] from cumulants; λ is the unmasked (1, 0) or masked (0, 1) mass of one class, or 1."""
    up, down = sp.symbols("s t")
    latents, *orders = powers
    of_lever, of_area = sp.Integer(1), _series(dict(zip(ORDERS, AREA, strict=False)), up, down)
    if lever is not None:
        lowered = {(i - lever[0], j - lever[1]): value for (i, j), value in zip(ORDERS, CLASS, strict=True)}
        of_lever = _series({order: value for order, value in lowered.items() if min(order) >= 0}, up, down)
    mean = sp.diff(of_lever * sp.exp(of_area), up, orders[0], down, orders[1])
    return LATENT ** (2 * latents) * sp.expand(mean.subs({up: 0, down: 0}))


def _series(derivatives: dict[tuple[int, int], sp.Expr], up: sp.Symbol, down: sp.Symbol) -> sp.Expr:
    """The power series in two variables with these derivatives at 0."""
    return sum(
        (value * up**i * down**j / (sp.factorial(i) * sp.factorial(j)) for (i, j), value in derivatives.items()),
        start=sp.Integer(0),
    )


def _more() -> tuple[sp.Expr, ...]:
    """What some equal areas are to the rest of a sample: the means of their mass T, of its square, and Σ z² X²."""
    (mass, squared), stray = (_of_mass(power) for power in (1, 2)), _moment("mass", (1, 2, 0))
    return COPIES * mass, COPIES * squared + COPIES * (COPIES - 1) * mass**2, COPIES * stray


def _of_mass(power: int) -> sp.Expr:
    """E[(X + Y)^power] of an area."""
    unmasked, masked = sp.symbols("X Y")
    terms = sp.Poly((unmasked + masked) ** power, unmasked, masked).terms()
    return sum((factor * _moment("mass", (0, *orders)) for orders, factor in terms), start=sp.Integer(0))


def _together(one: tuple[sp.Expr, ...], two: tuple[sp.Expr, ...]) -> tuple[sp.Expr, ...]:
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


WEIGHT = _moment("mass", (0, 0, 0))  # the probability of an area's latent value, first among its moments
