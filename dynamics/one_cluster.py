"""The text of the one-cluster form: target, global area and others, in one sample, without loops.

The loops run on symbols once, and what they compute is written out. Attention is a function of the state, and rates are
polynomials in attention: powers are taken of numbers in [0, 1], whatever the size of the areas.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np

from dynamics.closures import Rule
from dynamics.geometry import Array
from dynamics.source import AROUND_RATES, ONE_LANE, interpret, interpreted, lambdified, renamed, stepping, wide_stepping

WIDTH = 16  # problems that take a step together
TERMS = 13  # of the series of an exponential


def rows_source(areas: int) -> str:
    """Source of rates and loss for so many areas, and the loops around them."""
    n, slots = 2 * areas + 1, _in_symbols(areas)[1]
    given = f"{_listed(f'y[{i}]' for i in range(n))}, {_listed(slots.values())}"
    exponentials = _listed(f"exp(s{i} - highest)" for i in range(n))
    around = f"""@jit
def attend_{areas}({_listed([*_state(areas), *slots])}):
    {_scores(areas, "y{}")}
    return attention_{areas}({exponentials}, {_listed(slots)})


@jit
def rate_and_loss_{areas}(y, rule):
    {_listed(_on(areas))} = attend_{areas}({given})
    rate = np.empty({n})
    {_listed(f"rate[{i}]" for i in range(n))}, loss = rates_{areas}({_listed(_on(areas))}, {_listed(slots.values())})
    return rate, loss"""
    return "\n\n\n".join([*_attention_and_rates(areas), around, *(renamed(areas, loop) for loop in AROUND_RATES)])


def jacobian_source(areas: int) -> str:
    """Source of the Jacobian, with names from the rates."""
    n, (rule, slots) = 2 * areas + 1, _in_symbols(areas)
    jacobian = _on_symbols("jacobian", areas, rule)
    slopes = lambdified(f"slopes_{areas}", (*_on(areas), *slots), tuple(jacobian.ravel()))
    given = f"{_listed(f'y[{i}]' for i in range(n))}, {_listed(slots.values())}"
    return f"""{slopes}


@jit
def jacobian_{areas}(y, rule):
    {_listed(_on(areas))} = attend_{areas}({given})
    return np.array(slopes_{areas}({_listed(_on(areas))}, {_listed(slots.values())})).reshape({n}, {n})"""


def steps_source(areas: int) -> str:
    """Source of the compiled pair around the rates, for one problem at a time and for problems side by side."""
    names, slots = _listed(_on(areas)), list(map(str, _in_symbols(areas)[1]))
    one = stepping(areas, _tangents(areas, names, slots, "exp") + _rules(len(slots)))
    scores = [_formula(f"{which}_score") for which in ("masked", "unmasked")]
    inlined = [part.replace("@jit", "@inlined") for part in (*scores, *_attention_and_rates(areas))]
    several = "\n\n\n".join([_exponential(), *inlined, _tangents(areas, names, slots, "exponential")])
    for name in ("attention", "rates"):
        several = several.replace(f"{name}_{areas}(", f"{name}(")
    return f"{one}\n\n\n{wide_stepping(areas, several, (2 * areas + 2, WIDTH))}"


@cache
def _attention_and_rates(areas: int) -> tuple[str, str]:
    """Source of attention as a function of softmax numerators, and of the rates and the loss as one of attention."""
    import sympy as sp

    rule, slots = _in_symbols(areas)
    mass = sp.symbols(f"m:{2 * areas + 1}", nonnegative=True)
    rate, loss = _on_symbols("rate_and_loss", areas, rule)
    return (
        lambdified(f"attention_{areas}", (*mass, *slots), _attention(areas, rule, mass)),
        lambdified(f"rates_{areas}", (*_on(areas), *slots), (*rate, loss)),
    )


def _state(areas: int) -> Any:
    import sympy as sp

    return sp.symbols(f"y:{2 * areas + 1}", real=True)


def _on(areas: int) -> tuple[Any, ...]:
    """Attention on the unmasked patches of each area, 1 − that, attention on the masked ones, and on the query."""
    import sympy as sp

    each = [sp.symbols(f"{letter}:{areas}", nonnegative=True) for letter in "ARb"]
    return *each[0], *each[1], *each[2], sp.Symbol("on_self", nonnegative=True)


def _on_symbols(loop: str, areas: int, rule: Rule) -> Any:
    """What a loop computes of attention."""
    import sympy as sp

    on = _on(areas)
    A, R, b = (on[part * areas : (part + 1) * areas] for part in range(3))

    def attend(y: Any, rule: Rule, row: int, wide: bool, cell: Any, area: Any) -> tuple[Any, Any]:
        cell[:2], area[:2] = (A, b), (A, R)
        return on[-1], interpreted(sp.exp).strays(rule, row, area)

    return interpret(loop, sp.exp, np.array(_state(areas)), rule, attend=attend)


def _scores(areas: int, state: str) -> str:
    """Source of the scores of one patch of each kind, unmasked and masked, of the query, and of the highest."""
    n = 2 * areas + 1
    place = [state.format(i) for i in range(n)]
    scores = [f"unmasked_score(z, {place[m]}, {place[areas + m]})" for m in range(areas)]
    scores += [f"masked_score({place[i]})" for i in range(areas, n)]
    named = _listed(f"s{i}" for i in range(n))
    return f"{named} = {_listed(scores)}; highest = max({named})"


def _formula(name: str) -> str:
    """Source of a formula of ``derivations.rates``."""
    from derivations.rates import formulas

    (found,) = (formula for formula in formulas() if formula.name == name)
    return lambdified(name, found.arguments, found.expression)


def column(rule: Rule) -> Array:
    """The numbers of such a rule, as the lanes take them: in the order of the slots."""
    scalars = rule.copies[-1], rule.latent[0, 0], rule.weight[0]
    return np.concatenate([rule.size, rule.unmasked[0], 1 / rule.multiplicity, scalars])


def _attention(areas: int, rule: Rule, mass: Any) -> tuple[Any, ...]:
    """What ``_on`` names, of softmax numerators."""
    import sympy as sp

    y = _state(areas)
    cell, area = np.empty((5, areas), dtype=object), np.empty((4, areas), dtype=object)
    of = {  # those of unmasked patches come first
        "unmasked_mass": lambda latent, fp, pp: mass[y.index(fp)],
        "masked_mass": lambda pp: mass[y.index(pp)],
    }
    on_self, _ = interpret("attend", sp.exp, np.array(y), rule, 0, True, cell, area, strays=lambda *_: 0, **of)
    return (*area[0], *area[1], *cell[1], on_self)


def _in_symbols(areas: int) -> tuple[Rule, dict[Any, str]]:
    """The rule of this form in symbols, and where each symbol stands in a rule of numbers.

    One row and one latent value; in each area one cell, the target first; the last area stands for several.
    """
    import sympy as sp

    size, unmasked = sp.symbols(f"size:{areas}", positive=True), sp.symbols(f"unmasked:{areas}", positive=True)
    each = sp.symbols(f"each:{2 * areas + 1}", positive=True)  # to multiply by: 1 / multiplicity
    copies, z, weight = sp.symbols("copies z weight", positive=True)
    slots = {symbol: f"rule.size[{i}]" for i, symbol in enumerate(size)}
    slots |= {symbol: f"rule.unmasked[0, {i}]" for i, symbol in enumerate(unmasked)}
    slots |= {symbol: f"1.0 / rule.multiplicity[{i}]" for i, symbol in enumerate(each)}
    slots |= {copies: f"rule.copies[{areas - 1}]", z: "rule.latent[0, 0]", weight: "rule.weight[0]"}
    zero = np.zeros(1, dtype=int)
    rule = Rule(
        multiplicity=1 / np.array(each),
        areas=np.array([0, areas]),
        target=zero,
        copies=np.array([1] * (areas - 1) + [copies]),
        fp=np.arange(areas),
        cells=np.arange(areas + 1),
        pp=np.arange(areas, 2 * areas),
        size=np.array(size),
        column=np.arange(areas),
        cluster=zero,
        counts=zero,
        latents=zero,
        weight=np.array([weight]),
        unmasked=np.array([unmasked]),
        latent=np.array([[z] * areas]),
    )
    return rule, slots


def _tangents(areas: int, names: str, slots: list[str], exp: str) -> str:
    """Source of what ``stepper`` takes of a rate, for problems side by side: their rules are columns."""
    n = 2 * areas + 1
    rates, numbers = [f"r{i}" for i in range(n)], [f"rules[{i} * lanes + l]" for i in range(len(slots))]
    z, copies = (numbers[slots.index(name)] for name in ("z", "copies"))
    scores = _scores(areas, "x[{} * lanes + l]")
    masked = " + ".join([*(f"b{m}" for m in range(areas - 1)), f"copies * b{areas - 1}"])
    on = [*(f"A{m}" for m in range(areas - 1)), f"copies * A{areas - 1}", f"({masked})", "on_self"]
    masses = _listed(f"{exp}(s{i} - highest)" for i in range(n))
    return f"""@jit
def tangents(x, rules, out):
    {ONE_LANE}
    for l in range(lanes):
        z = {z}
        {scores}
        {names} = attention_{areas}({masses}, {_listed(numbers)})
        {_listed(rates)}, loss = rates_{areas}({names}, {_listed(numbers)})
        time = {exp}(x[{n} * lanes + l])
        {"; ".join(f"{rate} *= time" for rate in rates)}
        small = 1.0 / max(1.0, {_listed(f"abs({rate})" for rate in rates)})
        {"; ".join(f"{rate} *= small" for rate in rates)}
        scale = 1.0 / np.sqrt(small * small + {" + ".join(f"{rate} * {rate}" for rate in rates)})
        {"; ".join(f"out[{i} * lanes + l] = {rate} * scale" for i, rate in enumerate(rates))}
        out[{n} * lanes + l] = small * scale


@jit
def on_groups(x, rules, watch, picks, out):
    {ONE_LANE}
    {_listed(f"p{i}" for i in range(areas + 2))} = {_listed(f"picks[{i}]" for i in range(areas + 2))}
    for l in range(lanes):
        z, copies = {z}, {copies}
        {scores}
        {names} = attention_{areas}({masses}, {_listed(numbers)})
        out[l] = {" + ".join(f"p{i} * {part}" for i, part in enumerate(on))}


"""


def _rules(slots: int) -> str:
    """Source of how the columns of problems come into lanes."""
    return f"""@jit
def rules_of(rules, lanes):
    return np.zeros({slots} * lanes)


@jit
def put_rule(rules, p, now, l, lanes):
    for i in range({slots}):
        now[i * lanes + l] = rules[i, p]


"""


def _exponential() -> str:
    """Source of an exponential without branches or calls, for the compiler to take several at a time: to 1 ulp or two.

    e^x = 2^k e^r, |r| ≤ log 2 / 2, by the Taylor series: the first term left out is below 1e-17. Results below the
    least normal float come out as that.
    """
    import sympy as sp

    high = sp.floor(sp.log(2) * 2**32) / sp.Integer(2) ** 32  # times k it is a float still
    terms = [1.0 / math.factorial(order) for order in range(TERMS + 1)]
    horner = repr(terms[-1])
    for term in reversed(terms[:-1]):
        horner = f"({horner}) * r + {term!r}"
    return f"""@inlined
def exponential(x):
    x = min(max(x, -708.0), 709.0)
    k = (x * {float(1 / sp.log(2))!r} + 6755399441055744.0) - 6755399441055744.0  # the nearest whole number
    r = (x - k * {float(high)!r}) - k * {float(sp.log(2) - high)!r}
    return ({horner}) * np.int64((np.int64(k) + 1023) << 52).view(np.float64)"""


def _listed(parts: Iterable[Any]) -> str:
    return ", ".join(map(str, parts))
