"""How a formula stands on the page: from a SymPy expression to boxes, which LaTeX and MathML are written from.

SymPy prints what it stores. Here a formula reads as in a paper: factors before sums, z before A, a sum over the areas
that are not a as Σ_{j≠a}, no sum of negatives.
"""

from __future__ import annotations

from typing import NamedTuple

import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.printing.precedence import PRECEDENCE, precedence
from sympy.printing.printer import Printer

from derivations.boxes import Box, beside, between, brackets, minus, name, operator, row, width


def lay_out(expression: sp.Basic) -> Box:
    """The boxes of an expression."""
    return _Layout()._print(expression)


class _Factors(NamedTuple):
    """A product, apart: sign and size of its number, what stands above and below."""

    negative: bool
    number: sp.Rational
    above: list[sp.Expr]
    below: list[sp.Expr]


def _factors(expression: sp.Expr) -> _Factors:
    number = sp.Integer(1)
    above: list[sp.Expr] = []
    below: list[sp.Expr] = []
    for factor in sp.Mul.make_args(expression):
        if isinstance(factor, sp.Mul) and factor != expression:  # a product within, kept apart by whoever wrote it
            inner = _factors(factor)
            number *= -inner.number if inner.negative else inner.number
            above, below = above + inner.above, below + inner.below
        elif factor.is_Rational:
            number *= factor
        elif isinstance(factor, sp.Sum) and factor.function.as_coeff_Mul()[0] not in (0, 1):
            coefficient, rest = factor.function.as_coeff_Mul()
            number *= coefficient
            above.append(sp.Sum(rest, *factor.limits))
        elif isinstance(factor, sp.Pow) and _is_negative(factor.exp):
            below.append(sp.Pow(factor.base, -factor.exp))
        else:
            above.append(factor)
    return _Factors(bool(number < 0), abs(number), sorted(above, key=_rank), sorted(below, key=_rank))


def _is_negative(exponent: sp.Expr) -> bool:
    """Whether a power belongs below the bar; P^{κ−1} does not."""
    return bool(exponent.as_coeff_Mul()[0].is_negative) and not isinstance(exponent, sp.Add)


_FUNCTIONS = {"Min": "min", "Max": "max", "gamma": "Gamma", "re": "Re", "im": "Im"}
_RELATIONS = {"==": "=", "!=": "≠", ">=": "≥", "<=": "≤", ">": ">", "<": "<"}
_UNTIL_THE_END = (sp.Sum, sp.Product, sp.Integral, sp.Limit)  # act on all that follows


def _rank(factor: sp.Expr) -> tuple[int, int]:
    """Where a factor stands in a product: letters, exponentials, functions, brackets, derivatives, sums."""
    kind = factor.base if isinstance(factor, sp.Pow) and factor.exp.is_Integer else factor
    if isinstance(kind, (sp.Symbol, sp.Indexed, sp.KroneckerDelta)):
        latent = isinstance(kind, sp.Indexed) and kind.base.label.name == "z"
        return 0, 0 if isinstance(kind, sp.KroneckerDelta) else 1 if latent else 2
    if isinstance(kind, (sp.exp, sp.Pow)):
        return 1, 0
    if isinstance(factor, _UNTIL_THE_END):
        return 6, 0
    return (5 if isinstance(factor, sp.Derivative) else 4 if isinstance(kind, sp.Add) else 3), 0


class _Layout(Printer):
    """One method for each kind of expression."""

    _default_settings = {"order": None}  # noqa: RUF012, as SymPy has it

    def emptyPrinter(self, expression: sp.Basic) -> Box:
        return Box("text", text=str(expression))

    def _print_Symbol(self, symbol: sp.Symbol) -> Box:
        return name(symbol.name)

    def _print_Indexed(self, element: sp.Indexed) -> Box:
        base, indices = name(element.base.label.name), [self._print(index) for index in element.indices]
        if base.kind == "index":
            return Box("index", (base.parts[0], between(",", [base.parts[1], *indices])))
        return Box("index", (base, between(",", indices)))

    def _print_IndexedBase(self, array: sp.IndexedBase) -> Box:
        return name(array.label.name)

    def _print_KroneckerDelta(self, delta: sp.KroneckerDelta) -> Box:
        parts = [self._print(index) for index in delta.args]
        short = all(isinstance(index, sp.Symbol) for index in delta.args)
        return Box("index", (Box("name", text="delta"), row(*parts) if short else between(",", parts)))

    def _print_Integer(self, number: sp.Integer) -> Box:
        digits = Box("number", text=str(abs(number)))
        return minus(digits) if number < 0 else digits

    def _print_int(self, number: int) -> Box:
        return self._print_Integer(sp.Integer(number))

    def _print_Rational(self, number: sp.Rational) -> Box:
        fraction = Box("fraction", (self._print(abs(number.p)), self._print(number.q)))
        return minus(fraction) if number < 0 else fraction

    def _print_Float(self, number: sp.Float) -> Box:
        return Box("number", text=str(number))

    def _print_Infinity(self, _: sp.Expr) -> Box:
        return Box("number", text="∞")

    def _print_NegativeInfinity(self, _: sp.Expr) -> Box:
        return minus(Box("number", text="∞"))

    def _print_Pi(self, _: sp.Expr) -> Box:
        return Box("name", text="pi")

    def _print_Exp1(self, _: sp.Expr) -> Box:
        return Box("name", text="e")

    def _print_ImaginaryUnit(self, _: sp.Expr) -> Box:
        return Box("name", text="i")

    def _print_Add(self, total: sp.Add) -> Box:
        terms = [(_factors(term).negative, term) for term in self._as_ordered_terms(total)]
        terms.sort(key=lambda signed: signed[1].has(*_UNTIL_THE_END))
        leading = next((n for n, (negative, term) in enumerate(terms) if not negative), 0)
        if not terms[leading][1].has(*_UNTIL_THE_END):
            terms.insert(0, terms.pop(leading))
        boxes = []
        for number, (negative, term) in enumerate(terms):
            box = self._unsigned(_factors(term))
            if isinstance(term, sp.Add):
                box = brackets(self._print(term))
            first = minus(box) if negative else box
            boxes.append(row(operator("−" if negative else "+"), box) if number else first)
        return Box("sum", tuple(boxes))

    def _print_Mul(self, product: sp.Mul) -> Box:
        factors = _factors(product)
        box = self._unsigned(factors)
        return minus(box) if factors.negative else box

    def _unsigned(self, factors: _Factors) -> Box:
        number, above, below = factors.number, list(factors.above), list(factors.below)
        long = bool(above) and _rank(above[-1])[0] >= 4
        outside: list[Box] = []
        if long and number.q != 1 and not below:
            outside, number = [self._print(number)], sp.Integer(1)
        trailing = []
        if below or number.q != 1:  # what acts on all that follows, and long brackets, stand beside the fraction
            trailing = [factor for factor in above if isinstance(factor, (*_UNTIL_THE_END, sp.Derivative))]
            above = [factor for factor in above if factor not in trailing]
            top = self._juxtaposed(above, number.p, within=True)
            bottom = self._juxtaposed(below, number.q, within=True)
            outside.append(Box("fraction", (top, bottom)))
            return beside([*outside, self._juxtaposed(trailing)]) if trailing else beside(outside)
        return beside([*outside, self._juxtaposed(above, number.p)])

    def _juxtaposed(self, factors: list[sp.Expr], number: int = 1, within: bool = False) -> Box:
        """Factors beside each other; `within` a fraction, whose bar brackets a single one."""
        if within and len(factors) == 1 and number == 1:
            return self._print(factors[0])
        boxes = [self._print(number)] if number != 1 or not factors else []
        for place, factor in enumerate(factors):
            open_ended = isinstance(factor, (*_UNTIL_THE_END, sp.Derivative)) and place < len(factors) - 1
            box = self._print(factor)
            boxes.append(brackets(box) if open_ended or precedence(factor) < PRECEDENCE["Mul"] else box)
        return beside(boxes)

    def _print_Pow(self, power: sp.Pow) -> Box:
        base, exponent = power.base, power.exp
        if _is_negative(exponent):
            return Box("fraction", (self._print(1), self._print(sp.Pow(base, -exponent))))
        if exponent == sp.Rational(1, 2):
            return Box("root", (self._print(base),))
        box = self._print(base)
        if not isinstance(base, (sp.Symbol, sp.Indexed, AppliedUndef)) and not (base.is_Integer and base >= 0):
            box = brackets(box)
        raised = self._exponent(exponent)
        if box.kind == "index":
            return Box("both", (*box.parts, raised))
        return Box("power", (box, raised))

    def _exponent(self, exponent: sp.Expr) -> Box:
        if exponent.is_Rational and not exponent.is_Integer:
            return row(self._print(exponent.p), operator("/"), self._print(exponent.q))
        return self._print(exponent)

    def _print_exp(self, exponential: sp.exp) -> Box:
        exponent = self._exponent(exponential.args[0])
        if width(exponent) <= 9 and not exponential.args[0].has(*_UNTIL_THE_END):
            return Box("power", (Box("name", text="e"), exponent))
        return row(Box("name", text="exp"), brackets(exponent))

    def _print_Function(self, called: sp.Function) -> Box:
        inside = between(",", [self._print(argument) for argument in called.args])
        return row(name(_FUNCTIONS.get(called.func.__name__, called.func.__name__)), brackets(inside))

    def _print_binomial(self, coefficient: sp.binomial) -> Box:
        return Box("binomial", tuple(self._print(part) for part in coefficient.args))

    def _print_FallingFactorial(self, factorial: sp.FallingFactorial) -> Box:
        base, order = (self._print(part) for part in factorial.args)
        return Box("index", (brackets(base), order))

    def _print_factorial(self, factorial: sp.factorial) -> Box:
        (argument,) = factorial.args
        box = self._print(argument)
        return row(box if argument.is_Atom else brackets(box), operator("!"))

    def _print_Abs(self, size: sp.Abs) -> Box:
        return brackets(self._print(size.args[0]), "||")

    def _print_floor(self, whole: sp.floor) -> Box:
        return brackets(self._print(whole.args[0]), "⌊⌋")

    def _print_ceiling(self, whole: sp.ceiling) -> Box:
        return brackets(self._print(whole.args[0]), "⌈⌉")

    def _print_Sum(self, total: sp.Sum) -> Box:
        coefficient, rest = total.function.as_coeff_Mul()
        if coefficient == 0:
            return self._print(coefficient)
        if coefficient != 1:
            return self._print_Mul(total)
        index = total.limits[0][0]
        left_out, inside = [], []
        for factor in sp.Mul.make_args(rest):
            deltas = [delta for delta in factor.atoms(sp.KroneckerDelta) if factor == 1 - delta and index in delta.args]
            left_out += [next(area for area in delta.args if area != index) for delta in deltas]
            inside += [] if deltas else [factor]
        return self._over("∑", total.limits, sp.Mul(*inside, evaluate=False) if left_out else rest, left_out)

    def _print_Product(self, product: sp.Product) -> Box:
        return self._over("∏", product.limits, product.function, [])

    def _over(self, sign: str, limits: tuple[sp.Tuple, ...], inside: sp.Expr, left_out: list[sp.Expr]) -> Box:
        bigs: list[Box] = []
        for number, (index, first, last) in enumerate(limits):
            under = [self._print(index), operator("="), self._print(first)]
            for area in sorted(left_out, key=str) if number == 0 else []:
                under += [operator(","), self._print(index), operator("≠"), self._print(area)]
            bigs.insert(0, Box("big", (row(*under), self._print(last)), sign))
        return row(*bigs, self._argument(inside))

    def _argument(self, inside: sp.Expr) -> Box:
        """What an operator acts on: in brackets where its end would not be seen."""
        box = self._print(inside)
        return brackets(box) if isinstance(inside, sp.Add) or _factors(inside).negative else box

    def _print_Integral(self, integral: sp.Integral) -> Box:
        bigs: list[Box] = []
        ends: list[Box] = []
        for variable, *ends_at in integral.limits:
            bigs.insert(0, Box("big", tuple(self._print(end) for end in ends_at), "∫"))
            ends.append(row(Box("name", text="d"), self._print(variable)))
        return row(*bigs, self._argument(integral.function), Box("space"), *ends)

    def _print_Limit(self, limit: sp.Limit) -> Box:
        inside, variable, to, side = limit.args
        target = self._print(to)
        if to.is_finite and str(side) in "+-":
            target = Box("power", (target, operator(str(side).replace("-", "−"))))
        return row(Box("big", (row(self._print(variable), operator("→"), target),), "lim"), self._argument(inside))

    def _print_Derivative(self, derivative: sp.Derivative) -> Box:
        inside, by = derivative.expr, derivative.variable_count
        alone = isinstance(inside, AppliedUndef) and set(inside.args) == {variable for variable, _ in by}
        one = isinstance(inside, AppliedUndef) and len(inside.args) == 1 and isinstance(by[0][0], sp.Symbol)
        sign, order = Box("name", text="d") if one else operator("∂"), sum(count for _, count in by)
        below = []
        for variable, count in reversed(by):
            box = self._print(variable)
            below += [sign, box if count == 1 else Box("power", (box, self._print(count)))]
        top = [sign if order == 1 else Box("power", (sign, self._print(order)))]
        if alone:
            return Box("fraction", (row(*top, name(inside.func.__name__)), row(*below)))
        return row(Box("fraction", (row(*top), row(*below))), self._argument(inside))

    def _print_Subs(self, put_in: sp.Subs) -> Box:
        pairs = zip(put_in.variables, put_in.point, strict=True)
        where = between(",", [row(self._print(old), operator("="), self._print(new)) for old, new in pairs])
        return Box("index", (row(brackets(self._print(put_in.expr)), operator("|")), where))

    def _print_Piecewise(self, cases: sp.Piecewise) -> Box:
        parts: list[Box] = []
        for value, condition in cases.args:
            when = Box("text", text="otherwise") if condition == sp.true else self._print(condition)
            parts += [self._print(value), when]
        return Box("cases", tuple(parts))

    def _print_Relational(self, relation: sp.Rel) -> Box:
        return row(self._print(relation.lhs), operator(_RELATIONS[relation.rel_op]), self._print(relation.rhs))

    def _print_And(self, both: sp.And) -> Box:
        return between(",", [self._print(part) for part in sorted(both.args, key=sp.default_sort_key)])

    def _print_Max(self, greatest: sp.Max) -> Box:
        return self._print_Function(greatest)

    def _print_Min(self, least: sp.Min) -> Box:
        return self._print_Function(least)

    # Means and coefficients of our own, by the names of their classes; the first argument is what they are of.

    def _print_MaskMean(self, mean: sp.Expr) -> Box:
        return row(name("E_mask"), brackets(self._print(mean.args[0]), "[]"))

    def _print_LatentMean(self, mean: sp.Expr) -> Box:
        return row(name("E_latent"), brackets(self._print(mean.args[0]), "[]"))

    def _print_NodeMean(self, mean: sp.Expr) -> Box:
        return brackets(self._print(mean.args[0]), "⟨⟩")

    def _print_Coefficient(self, coefficient: sp.Expr) -> Box:
        polynomial, power = coefficient.args
        mark = Box("power", (name("x"), self._print(power)))
        return row(brackets(mark, "[]"), Box("space"), self._argument(polynomial))

    def _print_Tuple(self, listed: sp.Tuple) -> Box:
        return brackets(between(",", [self._print(part) for part in listed]))
