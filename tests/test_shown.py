"""What a formula on the page says is what is stated: the boxes are read back as a reader would, and give its number."""

import itertools
import random

import mpmath
import pytest
import sympy as sp
from sympy.core.function import AppliedUndef

from derivations.boxes import Box, lines
from derivations.layout import lay_out
from derivations.proof import carried_out, inside_limits
from derivations.statements import names, result

UNREAD = (sp.Derivative, sp.Integral, sp.Subs, sp.Piecewise, sp.Rel, sp.factorial, sp.re, sp.im)
FUNCTIONS = {"log": mpmath.log, "exp": mpmath.exp, "min": min, "max": max, "Gamma": mpmath.gamma, "sinh": mpmath.sinh}
BRACKETS = {"||": abs, "⌊⌋": mpmath.floor, "⌈⌉": mpmath.ceil}
MEANING = {
    "fraction": mpmath.fdiv,
    "power": lambda base, exponent: base**exponent,
    "root": mpmath.sqrt,
    "binomial": mpmath.binomial,
}
SIZES = {"P": 12, "N": 3, "S": 3, "K": 2, "J": 2, "d": 2, "M": 6, "n_y": 2, "C": 3, "n'": 3, "u_other": 5}


def number(key, whole):
    """The number for a letter with its indices: the same wherever it stands."""
    generator = random.Random(key)
    return generator.randint(1, 3) if whole else mpmath.mpf(generator.uniform(0.2, 0.9))


def stated(side):
    """The value of an expression: sums written out, a number for every letter."""
    whole = {symbol for symbol in side.free_symbols if symbol.is_integer and isinstance(symbol, sp.Symbol)}
    whole -= {array.label for array in side.atoms(sp.IndexedBase)}
    side = side.subs({symbol: SIZES.get(symbol.name) or number(symbol.name, True) for symbol in whole})
    for _ in range(3):  # an index, or where a sum ends, may be an entry of an array itself
        side = carried_out(side)
        entries = [entry for entry in side.atoms(sp.Indexed) if all(index.is_Integer for index in entry.indices)]
        side = side.xreplace({entry: _number(f"{entry.base.label}_{_indices(entry)}", entry) for entry in entries})
    side = side.replace(lambda part: isinstance(part, AppliedUndef), lambda part: _number(part.func.__name__, part))
    symbols = {symbol: _number(symbol.name, symbol) for symbol in side.free_symbols}
    return mpmath.mpmathify(side.xreplace(symbols).doit().evalf(30))


def _indices(entry):
    return ",".join(map(str, entry.indices))


def _number(key, part):
    return sp.sympify(number(key, bool(part.is_integer)))


class Reader:
    """Reads boxes: a letter has the number of its name, an operator acts on all that follows it."""

    def __init__(self, side):
        labels = {entry.base.label for entry in side.atoms(sp.Indexed)}
        self.symbols = {symbol.name: bool(symbol.is_integer) for symbol in side.atoms(sp.Symbol) - labels}
        self.arrays = {entry.base.label.name: bool(entry.is_integer) for entry in side.atoms(sp.Indexed)}
        self.functions = {called.func.__name__ for called in side.atoms(AppliedUndef)}
        self.bound = {}

    def value(self, box):
        match box.kind:
            case "row" | "product":
                return self.product(flat(box))
            case "sum":
                return sum(map(self.value, box.parts))
            case "cut":
                return sum(map(self.product, terms(box.parts)))
            case "number":
                return mpmath.inf if box.text == "∞" else int(box.text)
            case "brackets":
                return BRACKETS.get(box.text, lambda inner: inner)(self.value(box.parts[0]))
            case "index" if box.parts[0].kind == "brackets":
                return mpmath.ff(*map(self.value, box.parts))
            case "both":
                return self.value(Box("index", box.parts[:2])) ** self.value(box.parts[2])
        if box.kind in ("name", "index") or (box.parts[1:] and box.parts[1].text == "′"):
            return self.letter(box)
        return MEANING[box.kind](*(mpmath.mpmathify(self.value(part)) for part in box.parts))

    def letter(self, box):
        name = spelt(box)
        if name in self.bound:
            return self.bound[name]
        if name in self.symbols:  # the array of the same name, if there is one, has an index here
            return (self.symbols[name] and SIZES.get(name)) or number(name, self.symbols[name])
        if box.kind != "index":
            return {"e": mpmath.e, "pi": mpmath.pi, "i": mpmath.j}[name]
        base, below = box.parts
        parts = [part for part in flat(below) if part.text != ","]
        if base.text == "delta":
            return int(self.value(parts[0]) == self.value(parts[1]))
        if spelt(base) not in self.arrays:  # L_{Φ, p, m}: the name of the array has an index of its own
            base, parts = Box("index", (base, parts[0])), parts[1:]
        indices = ",".join(str(int(self.value(part))) for part in parts)
        return number(f"{spelt(base)}_{indices}", self.arrays[spelt(base)])

    def product(self, parts):
        """Factors up to an operator, which acts on all that follows."""
        found = mpmath.mpf(1)
        for place, part in enumerate(parts):
            rest = parts[place + 1 :]
            if part.text == "×":
                continue
            if part.text in ("−", "+"):
                return found * (-1 if part.text == "−" else 1) * self.product(rest)
            if part.text == "/":
                return found / self.product(rest)
            if part.kind == "big":
                return found * (self.product(rest) if part.text == "lim" else self.repeated(part, rest))
            called = spelt(part) if part.kind in ("name", "index") else None
            if called in FUNCTIONS and rest:
                arguments = list(split(rest[0].parts[0]))
                return found * FUNCTIONS[called](*map(self.product, arguments)) * self.product(rest[1:])
            if called in self.functions and rest:
                return found * number(called, False) * self.product(rest[1:])
            found *= self.value(part) if part.kind != "space" else 1
        return found

    def repeated(self, big, rest):
        """A sum or a product over what stands below and above its sign."""
        (index, _, *first), *excluded = split(big.parts[0])
        name, total = spelt(index), []
        left_out = {self.product(other) for _, _, *other in excluded}
        before = self.bound.copy()
        for at in range(int(self.product(first)), int(self.value(big.parts[1])) + 1):
            if at not in left_out:
                self.bound = before | {name: at}
                total.append(self.product(rest))
        self.bound = before
        return mpmath.fsum(total) if big.text == "∑" else mpmath.fprod(total)


def flat(box):
    """The boxes in a row, rows within it taken apart."""
    return [inner for part in box.parts for inner in flat(part)] if box.kind in ("row", "product") else [box]


def joined(lines):
    """The lines of a formula as one box, a bracket that opens in one and closes in another being one box again."""
    levels = [[]]
    for part in (part for line in lines for part in flat(line)):
        shut = part.parts[0] if part.kind == "power" else part
        if part.kind == "open":
            levels.append([part.text])
        elif shut.kind == "close":
            opened, *inside = levels.pop()
            whole = Box("brackets", (Box("cut", tuple(inside)),), opened + shut.text)
            levels[-1].append(Box("power", (whole, part.parts[1])) if part.kind == "power" else whole)
        else:
            levels[-1].append(part)
    (parts,) = levels
    return Box("cut", tuple(parts))


def terms(parts):
    """The terms of a sum, each with its sign."""
    found = [[]]
    for part in parts:
        if part.kind == "operator" and part.text in ("+", "−") and found[-1]:
            found.append([])
        found[-1].append(part)
    return found


def split(box):
    """The parts between commas."""
    groups = itertools.groupby(flat(box), lambda part: part.text == ",")
    return [list(group) for comma, group in groups if not comma]


def spelt(box):
    """The name of a symbol that is shown so."""
    if box.kind == "index":
        return "_".join(map(spelt, box.parts))
    if box.kind == "power":  # n′
        return spelt(box.parts[0]) + "'"
    return "_".join(map(spelt, box.parts)) if box.parts else box.text


def readable(side):
    kinds = {type(part) for part in sp.preorder_traversal(side)}
    ours = [kind for kind in kinds if not issubclass(kind, AppliedUndef) and "sympy" not in kind.__module__]
    return isinstance(side, sp.Expr) and not side.has(*UNREAD) and not ours


SIDES = []
for name in names():
    found = result(name)
    ends = [found.statement.lhs, found.statement.rhs]
    sides = [*ends, *(side for step in found.steps for side in (step.before, step.after))]
    SIDES += [(name, place, side) for place, side in enumerate(dict.fromkeys(sides)) if readable(side)]


@pytest.mark.parametrize(("name", "place", "side"), SIDES, ids=[f"{name}-{place}" for name, place, _ in SIDES])
def test_what_is_shown_is_what_is_stated(name, place, side):
    expected = stated(inside_limits(side))
    box = lay_out(side)
    assert mpmath.isfinite(expected)
    for shown in (box, joined(lines(box))):
        assert abs(Reader(side).value(shown) - expected) <= 1e-12 * (1 + abs(expected))


def test_most_formulas_are_read_and_many_are_cut():
    assert len(SIDES) > 150
    assert sum(len(lines(lay_out(side))) > 1 for _, _, side in SIDES) > 20


x, y = sp.symbols("x y", positive=True)
LONG = sp.Add(*(sp.Symbol(f"t_{n}") for n in range(30)))


@pytest.mark.parametrize(
    "side",
    [x / LONG, LONG / x, sp.sqrt(LONG), 1 / sp.sqrt(LONG), (x - LONG * y) ** 2 / LONG, x * LONG**2 * (1 - y - LONG)],
    ids=str,
)
def test_a_formula_that_is_cut_says_the_same(side):
    cut = lines(lay_out(side))
    assert len(cut) > 1
    assert abs(Reader(side).value(joined(cut)) - stated(side)) < 1e-12 * (1 + abs(stated(side)))


@pytest.mark.parametrize("kind", ["operator", "number", "name"])
def test_a_reader_sees_what_is_altered(kind):
    """One leaf of a formula altered: another number, wherever it stands."""
    side = result("fp-rate-other").statement.rhs
    expected, box = stated(side), lay_out(side)
    instead = {"operator": {"−": "+", "+": "−"}, "number": {"2": "3"}, "name": {"z": "A", "A": "z", "a": "m", "m": "a"}}
    altered = list(one_altered(box, kind, instead[kind]))
    assert len(altered) > 1
    for wrong in altered:
        assert abs(Reader(side).value(wrong) - expected) > 1e-6


def one_altered(box, kind, instead):
    if box.kind == kind and box.text in instead:
        yield box._replace(text=instead[box.text])
    for place, part in enumerate(box.parts):
        for other in one_altered(part, kind, instead):
            yield box._replace(parts=(*box.parts[:place], other, *box.parts[place + 1 :]))
