"""A system written out: the equations that are integrated, as SymPy expressions, and the numbers in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dynamics import closures
from dynamics.closures import Rule
from dynamics.errors import accept
from dynamics.logscale import LogRule
from dynamics.second_order import SecondOrderRule
from dynamics.source import interpret

if TYPE_CHECKING:
    import sympy as sp

    from dynamics.system import System

MOST_EQUATION_ROWS = 500  # beyond this a written-out equation is no longer for reading


def equations(system: System, numbers: bool) -> dict[str, sp.Expr]:
    """The rate of each coordinate as a SymPy expression of all of them; see ``System.equations``."""
    import sympy as sp

    state = [sp.Symbol(name, real=True) for name in system.names]
    curved = isinstance(system.rule, SecondOrderRule)
    given = rows(system).with_numbers(lambda value: sp.nsimplify(value, rational=True))
    rule = given if numbers and not curved else rows(system).with_symbols()[1]
    rate, _ = interpret("rate_and_loss", sp.exp, np.array(state), rule)
    if isinstance(system.rule, SecondOrderRule):
        rate = rate + system.rule.curvatures(np.array(state), rule)
        if numbers:
            values = {symbol: sp.nsimplify(value, rational=True) for symbol, value in values_of(system).items()}
            rate = [one.xreplace(values) for one in rate]
    return dict(zip(system.names, rate, strict=True))


def values_of(system: System) -> dict[sp.Indexed, float]:
    """The value of every symbol in the equations of a system in floats that is no coordinate."""
    more = system.rule.numbers() if isinstance(system.rule, SecondOrderRule) else {}
    return rows(system).with_symbols()[0] | more


def rows(system: System, most: float = MOST_EQUATION_ROWS) -> Rule:
    """The rule of a system in floats, as rows, if these are few enough to write out."""
    assert not isinstance(system.rule, LogRule)
    given = system.rule.centre if isinstance(system.rule, SecondOrderRule) else system.rule
    exact = system.closure == "exact"
    count = closures.count_rows(system.setting, system.coordinates) if exact else len(given.weight)
    accept(count <= most, "rows", count, f"at most {most}: more are not for reading")
    return given if isinstance(given, Rule) else closures.exact(system.setting, system.coordinates)
