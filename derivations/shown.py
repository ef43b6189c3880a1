"""A result as it is shown: its formulas cut into lines, and with names for their parts where they are long."""

from __future__ import annotations

import sympy as sp

from derivations import boxes
from derivations.abbreviate import abbreviate
from derivations.boxes import Box
from derivations.layout import lay_out
from derivations.statements import Result


class Shown:
    """The formulas of a result as they are shown: cut into lines, and with names for parts where they are long."""

    def __init__(self, found: Result) -> None:
        sides: list[sp.Basic] = [found.statement.lhs, found.statement.rhs]
        for step in found.steps:
            sides += [step.before, step.after]
        self._sign = _RELATIONS[found.statement.rel_op]
        self._sides, self.where = abbreviate(*sides)

    def statement(self) -> list[Box]:
        """The statement."""
        return boxes.lines(lay_out(self._sides[0]), self._sign, lay_out(self._sides[1]))

    def whole_statement(self) -> list[Box]:
        """The statement, and below it what the names in it stand for: one formula."""
        whole = self.statement()
        for first, *rest in self.names(0, 2):
            whole += [boxes.row(Box("text", text="with "), first), *rest]
        return whole

    def names(self, first: int, end: int) -> list[list[Box]]:
        """What the names stand for that these sides are the first to use; the statement and each step have two."""
        new = self._used(self._sides[first:end]) - self._used(self._sides[:first])
        return [boxes.lines(lay_out(name), "=", lay_out(part)) for name, part in self.where if name in new]

    def _used(self, sides: tuple[sp.Basic, ...]) -> set[sp.Symbol]:
        """The names in some sides, and in what these stand for."""
        seen = set().union(*(side.free_symbols for side in sides))
        for name, part in reversed(self.where):
            seen |= part.free_symbols if name in seen else set()
        return {name for name, _ in self.where if name in seen}

    def before(self, number: int) -> list[Box]:
        """What stands before a step."""
        return boxes.lines(lay_out(self._sides[2 + 2 * number]))

    def after(self, number: int, sign: str = "=") -> list[Box]:
        """What stands after a step, behind a sign unless it is an equation of its own."""
        side = self._sides[3 + 2 * number]
        return boxes.lines(lay_out(side)) if isinstance(side, sp.Rel) else boxes.lines(sign, lay_out(side))


_RELATIONS = {"==": "=", ">=": "≥", "<=": "≤", ">": ">", "<": "<", "!=": "≠"}
