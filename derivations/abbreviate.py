"""Names for the parts that a long formula repeats, so that a reader sees how it is made."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import sympy as sp
from sympy.core.function import AppliedUndef

from derivations.boxes import WIDTH, width
from derivations.layout import lay_out

LONG = 1.4 * WIDTH  # from here on a formula is given names
WORTH = 11  # letters of a part that is worth a name

_BINDING = (sp.Sum, sp.Product, sp.Integral, sp.Derivative)  # a part with their index in it means nothing outside


class Abbreviated(NamedTuple):
    """Formulas with names in them, and what each name stands for."""

    sides: tuple[sp.Basic, ...]
    where: tuple[tuple[sp.Symbol, sp.Expr], ...]


def abbreviate(*sides: sp.Basic) -> Abbreviated:
    """The formulas as they are where all are short; else with names for the parts that they repeat."""
    plain = [isinstance(side, sp.Expr) and not _binds(side) for side in sides]
    if not any(fit and width(lay_out(side)) > LONG for fit, side in zip(plain, sides, strict=True)):
        return Abbreviated(sides, ())
    candidates = list(dict.fromkeys(side for fit, side in zip(plain, sides, strict=True) if fit))
    found, short = sp.cse(candidates, symbols=sp.numbered_symbols("cse"), order="canonical", list=False)
    taken = set().union(*(side.free_symbols for side in sides))
    # Names that nothing is assumed of: of a positive one SymPy would drop the bars of an absolute value.
    names = (name for n in itertools.count(1) if (name := sp.Symbol(f"w_{n}")) not in taken)
    inlined: dict[sp.Symbol, sp.Expr] = {}
    where: list[tuple[sp.Symbol, sp.Expr]] = []
    for symbol, part in found:
        written = part.xreplace(inlined)
        if isinstance(part, sp.Limit) or width(lay_out(written)) < WORTH:
            inlined[symbol] = written
        else:
            inlined[symbol] = next(names)
            where.append((inlined[symbol], written))
    given = {side: brief.xreplace(inlined) for side, brief in zip(candidates, short, strict=True)}
    return Abbreviated(tuple(given.get(side, side) for side in sides), tuple(where))


def _binds(side: sp.Expr) -> bool:
    """Whether there is a sum, or a mean of our own, in it."""
    kinds = {type(part) for part in sp.preorder_traversal(side)}
    ours = (kind for kind in kinds if not issubclass(kind, AppliedUndef) and "sympy" not in kind.__module__)
    return side.has(*_BINDING) or any(ours)
