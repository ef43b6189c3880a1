"""How SymPy prints formulas in a programming language, where SymPy alone does not: indices, sums, deltas, names.

Indices count from 1 in the theory: Python and C, where entry i is ``array[i - 1]``, have one taken off.
"""

from __future__ import annotations

import re
from typing import Literal

import sympy as sp
from sympy.printing.c import C99CodePrinter
from sympy.printing.codeprinter import CodePrinter
from sympy.printing.julia import JuliaCodePrinter
from sympy.printing.mathematica import MCodePrinter
from sympy.printing.pycode import PythonCodePrinter

Language = Literal["python", "c", "julia", "mathematica"]

_RESERVED = {
    "python": {"lambda", "math", "choose", "falling", "sum", "range"},
    "c": {"int", "double", "for", "return", "const", "static", "choose", "falling"},
    "julia": {"choose", "falling", "for", "end", "function"},
    "mathematica": set("CDEIKNO") | {"Beta", "Gamma", "Zeta", "Pi"},  # Mathematica's own, which cannot be set
}


class Named(CodePrinter):
    """Names that the language allows, a Kronecker delta, and coefficients that no language has alike."""

    spoken: Language

    def name(self, name: str) -> str:
        """A name that the language allows."""
        plain = re.sub(r"\W+", "_", name.replace("'", "_prime")).strip("_")
        if self.spoken == "mathematica":  # an underscore is a pattern there
            first, *rest = plain.split("_")
            plain = first + "".join(part.capitalize() for part in rest)
            return 2 * plain if plain in _RESERVED["mathematica"] else plain
        return f"{plain}_" if plain in _RESERVED[self.spoken] else plain

    def _print_Symbol(self, symbol: sp.Symbol) -> str:
        return self.name(symbol.name)

    def _print_KroneckerDelta(self, delta: sp.KroneckerDelta) -> str:
        first, second = (self._print(index) for index in delta.args)
        return f"(({first} == {second}) ? 1.0 : 0.0)"

    def _print_binomial(self, coefficient: sp.Expr) -> str:
        return f"choose({', '.join(self._print(part) for part in coefficient.args)})"

    def _print_FallingFactorial(self, factorial: sp.Expr) -> str:
        return f"falling({', '.join(self._print(part) for part in factorial.args)})"


class PythonPrinter(Named, PythonCodePrinter):
    """Python, sums as generators."""

    spoken: Language = "python"

    def _print_KroneckerDelta(self, delta: sp.KroneckerDelta) -> str:
        first, second = (self._print(index) for index in delta.args)
        return f"(1 if {first} == {second} else 0)"

    def _print_Indexed(self, element: sp.Indexed) -> str:
        return self._print(element.base.label) + "".join(f"[{self._print(index - 1)}]" for index in element.indices)

    def _print_Sum(self, total: sp.Sum) -> str:
        return f"sum({self._generator(total)})"

    def _print_Product(self, product: sp.Product) -> str:
        return f"math.prod({self._generator(product)})"

    def _generator(self, total: sp.Sum | sp.Product) -> str:
        loops = (
            f"for {self._print(index)} in range({self._print(start)}, {self._print(end + 1)})"
            for index, start, end in reversed(total.limits)
        )
        return f"{self._print(total.function)} {' '.join(loops)}"


class CPrinter(Named, C99CodePrinter):
    """C, where two whole numbers divide to a whole one: a whole number is cast unless it counts or compares."""

    spoken: Language = "c"
    counting = False

    def scalar(self, expression: sp.Expr) -> str:
        """The expression as a number with a point."""
        return str(self._print(expression))

    def count(self, expression: sp.Expr) -> str:
        """The expression where it counts: an index, or where a loop ends."""
        before, self.counting = self.counting, True
        try:
            return str(self._print(expression))
        finally:
            self.counting = before

    def _print_Symbol(self, symbol: sp.Symbol) -> str:
        cast = "(double)" if symbol.is_integer and not self.counting else ""
        return cast + self.name(symbol.name)

    def _print_Pi(self, _: sp.Expr) -> str:
        return "acos(-1.0)"

    def _print_Exp1(self, _: sp.Expr) -> str:
        return "exp(1.0)"

    def _print_Indexed(self, element: sp.Indexed) -> str:
        cast = "(double)" if element.is_integer and not self.counting else ""
        entry = "".join(f"[{self.count(index - 1)}]" for index in element.indices)
        return cast + self.name(element.base.label.name) + entry

    def _print_KroneckerDelta(self, delta: sp.KroneckerDelta) -> str:
        first, second = (self.count(index) for index in delta.args)
        return f"(({first} == {second}) ? 1.0 : 0.0)"


class JuliaPrinter(Named, JuliaCodePrinter):
    """Julia on plain numbers: SymPy writes its operators for arrays."""

    spoken: Language = "julia"

    def _print_Exp1(self, _: sp.Expr) -> str:
        return "exp(1.0)"

    def count(self, expression: sp.Expr) -> str:
        """The expression where it counts: an index, or where a loop ends."""
        return self.scalar(expression)

    def scalar(self, expression: sp.Expr) -> str:
        """The expression as a number with a point."""
        return re.sub(r" \.([*/^]) ", r" \1 ", str(self._print(expression)))

    def _print_Indexed(self, element: sp.Indexed) -> str:
        return f"{self._print(element.base.label)}[{', '.join(self._print(index) for index in element.indices)}]"


class MathematicaPrinter(Named, MCodePrinter):
    """Mathematica, which has sums, deltas and coefficients of its own."""

    spoken: Language = "mathematica"

    def _print_KroneckerDelta(self, delta: sp.KroneckerDelta) -> str:
        return f"KroneckerDelta[{', '.join(self._print(index) for index in delta.args)}]"

    def _print_Indexed(self, element: sp.Indexed) -> str:
        return f"{self._print(element.base.label)}[[{', '.join(self._print(index) for index in element.indices)}]]"

    def _print_binomial(self, coefficient: sp.Expr) -> str:
        return f"Binomial[{', '.join(self._print(part) for part in coefficient.args)}]"

    def _print_FallingFactorial(self, factorial: sp.Expr) -> str:
        return f"FactorialPower[{', '.join(self._print(part) for part in factorial.args)}]"

    def _print_Sum(self, total: sp.Sum) -> str:
        return f"Sum[{self._ranged(total)}]"

    def _print_Product(self, product: sp.Product) -> str:
        return f"Product[{self._ranged(product)}]"

    def _print_Piecewise(self, cases: sp.Piecewise) -> str:
        listed = ", ".join(f"{{{self._print(value)}, {self._print(condition)}}}" for value, condition in cases.args)
        return f"Piecewise[{{{listed}}}]"

    def _ranged(self, total: sp.Sum | sp.Product) -> str:
        ranges = (f"{{{', '.join(self._print(part) for part in limit)}}}" for limit in reversed(total.limits))
        return ", ".join((self._print(total.function), *ranges))


class Loops:
    """Statements that add up every sum of an expression, each in the outermost loop that it allows."""

    def __init__(self, printer: CPrinter | JuliaPrinter, loop: str, start: str, step: str, end: str) -> None:
        self.printer, self.templates = printer, (loop, start, step, end)
        self.frames: list[tuple[sp.Symbol | None, list[str], dict[sp.Expr, sp.Symbol]]] = [(None, [], {})]
        self.made = 0

    def lower(self, expression: sp.Expr) -> sp.Expr:
        """The expression with a name in place of each sum and product, whose loops are written by then."""
        if not expression.has(sp.Sum, sp.Product):
            return expression
        if isinstance(expression, (sp.Sum, sp.Product)):
            return self._accumulated(expression)
        return expression.func(*(self.lower(part) for part in expression.args))

    def lines(self) -> list[str]:
        """The statements, in order."""
        return self.frames[0][1]

    def _accumulated(self, total: sp.Sum | sp.Product) -> sp.Symbol:
        index, first, last = total.limits[-1]
        inside = total.func(total.function, *total.limits[:-1]) if len(total.limits) > 1 else total.function
        bound = [frame for frame, (loop_index, *_) in enumerate(self.frames) if loop_index in total.free_symbols]
        level = max(bound, default=0)
        _, lines, names = self.frames[level]
        if total in names:
            return names[total]
        self.made += 1
        kind = "sum" if isinstance(total, sp.Sum) else "product"
        name = names[total] = sp.Symbol(f"{kind}_{self.made}", real=True)
        deeper, self.frames = self.frames[level + 1 :], [*self.frames[: level + 1], (index, [], {})]
        term = self.term(inside)
        body = self.frames.pop()[1]
        self.frames += deeper
        loop, start, step, end = self.templates
        count = self.printer.count
        indent = "    " * (level + 1)
        lines += [
            indent + start.format(name=name, value=0 if kind == "sum" else 1),
            indent + loop.format(index=count(index), first=count(first), last=count(last)),
            *body,
            indent + "    " + step.format(name=name, sign="+" if kind == "sum" else "*", term=term),
            indent + end,
        ]
        return name

    def term(self, expression: sp.Expr) -> str:
        """The expression in the language, the loops that it needs written before it."""
        return self.printer.scalar(self.lower(expression))
