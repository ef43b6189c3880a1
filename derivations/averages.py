"""Means over masks and latents as SymPy expressions, and how statements about them are checked.

Each mean is written out by going through every case as soon as all sizes are numbers, and stands for itself until
then. So a statement for any sizes is checked at random ones, in rational arithmetic: nothing is rounded.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import sympy as sp
from sympy.concrete.expr_with_limits import ExprWithLimits
from sympy.printing.pretty.stringpict import prettyForm

from derivations.proof import Checked, DerivationError, Proof, carried_out
from derivations.symbols import (
    C,
    J,
    N,
    P,
    S,
    a,
    area,
    chance,
    copies,
    fp,
    h,
    hidden,
    k1,
    k2,
    l,
    m,
    mark,
    masked,
    n,
    pp,
    pp_self,
    q,
    r,
    s,
    seen,
    total,
    u,
    value,
    y,
    z,
)

UNFINISHED = (sp.Sum, sp.Product, area)  # a function that has these is not written out yet

Draw = Callable[[random.Random, int], dict[sp.Basic, Any]]


def sizes_of(classes: sp.Expr) -> tuple[sp.Expr, ...]:
    """The n[s], once it is known how many there are."""
    return tuple(n[s] for s in range(1, int(classes) + 1)) if classes.is_Integer else ()


class _Bracket(sp.Expr):
    """A function in brackets under a name; how it prints."""

    name, symbol = "", ""  # in Unicode, in LaTeX

    def _latex(self, printer: Any) -> str:
        return rf"{self.symbol}\left[{printer._print(self.args[0])}\right]"

    def _sympystr(self, printer: Any) -> str:
        return f"{self.name}[{printer._print(self.args[0])}]"

    def _pretty(self, printer: Any) -> prettyForm:
        inside = prettyForm(*printer._print(self.args[0]).parens("[", "]"))
        return prettyForm(*inside.left(self.name))


class MaskMean(_Bracket):
    """Mean of a function of the counts u[s], h[s] over the masks that hide the query.

    A finite sum, carried out as soon as the number of classes and their sizes n[s] are numbers.
    """

    name, symbol = "E_mask", r"\mathbb{E}_{\mathrm{mask}}"

    def __new__(cls, function: Any, classes: Any = S, hiding: Any = masked, *sizes: Any) -> sp.Expr:
        """The mean for `hiding` masked patches; `sizes` are the n[s], as many as there are classes."""
        function, classes, hiding = map(sp.sympify, (function, classes, hiding))
        sizes = sizes or sizes_of(classes)
        if not sizes or not all(known.is_Integer for known in (hiding, *sizes)) or function.has(*UNFINISHED):
            return sp.Expr.__new__(cls, function, classes, hiding, *sizes)
        left, mean = sum(map(int, sizes)) - int(hiding) + 1, sp.Integer(0)
        for counts in itertools.product(*(range(int(size) + 1) for size in sizes)):
            if sum(counts) == left:
                pairs = list(zip(sizes, map(sp.Integer, counts), strict=True))
                unmasked = {u[number]: count for number, (_, count) in enumerate(pairs, start=1)}
                hidden = {h[number]: size - count for number, (size, count) in enumerate(pairs, start=1)}
                mean += sp.prod([sp.binomial(*pair) for pair in pairs]) * function.xreplace(unmasked | hidden)
        return mean / sp.binomial(sum(sizes), left)


class Coefficient(_Bracket):
    """Coefficient of a power of `mark` in a polynomial; it is read off once the polynomial is written out."""

    def __new__(cls, polynomial: Any, power: Any) -> sp.Expr:
        """The coefficient of mark**power."""
        polynomial, power = map(sp.sympify, (polynomial, power))
        if not power.is_Integer or polynomial.has(*UNFINISHED, sp.Indexed, LatentMean, NodeMean):
            return sp.Expr.__new__(cls, polynomial, power)
        # A polynomial although it has denominators: by name they cancel, expanded they would not.
        below = {part.base for part in polynomial.atoms(sp.Pow) if part.exp.is_negative and part.has(mark)}
        names = {base: sp.Dummy() for base in sorted(below, key=str)}
        cancelled = sp.expand(polynomial.xreplace(names)).xreplace({name: base for base, name in names.items()})
        return sp.expand(cancelled).coeff(mark, int(power))

    @property
    def free_symbols(self) -> set[sp.Basic]:
        """All but `mark`, of which only the coefficient is left."""
        return super().free_symbols - {mark}

    def _latex(self, printer: Any) -> str:
        return rf"\left[{printer._print(mark ** self.args[1])}\right] {printer._print(self.args[0])}"

    def _sympystr(self, printer: Any) -> str:
        return f"[{printer._print(mark ** self.args[1])}] ({printer._print(self.args[0])})"

    def _pretty(self, printer: Any) -> prettyForm:
        power = prettyForm(*printer._print(mark ** self.args[1]).parens("[", "]"))
        return prettyForm(*power.right(" ", prettyForm(*printer._print(self.args[0]).parens())))


class LatentMean(_Bracket):
    """Mean over which value[m] of its J values the latent of each area m takes, areas independent."""

    name, symbol = "E_latent", r"\mathbb{E}_{c}"

    def __new__(cls, function: Any, areas: Any = N, values: Any = J) -> sp.Expr:
        """The mean, carried out once the numbers of areas and values are known."""
        function, areas, values = map(sp.sympify, (function, areas, values))
        if not (areas.is_Integer and values.is_Integer) or function.has(*UNFINISHED):
            return sp.Expr.__new__(cls, function, areas, values)
        mean = sp.Integer(0)
        for drawn in itertools.product(range(1, int(values) + 1), repeat=int(areas)):
            taken = {value[m]: sp.Integer(number) for m, number in enumerate(drawn, start=1)}
            mean += sp.prod([chance[m, number] for m, number in enumerate(drawn, start=1)]) * function.xreplace(taken)
        return mean


class NodeMean(_Bracket):
    """Mean of a function of the counts of area m, those of class s binomial with the probability of the node."""

    name, symbol = "E_node", r"\mathbb{E}_{y,x}"

    def __new__(cls, function: Any, which: Any, latent: Any, classes: Any = S, *sizes: Any) -> sp.Expr:
        """The mean for area `which` whose latent takes value number `latent`."""
        function, which, latent, classes = map(sp.sympify, (function, which, latent, classes))
        sizes = sizes or sizes_of(classes)
        known = (which, latent, *sizes)
        if not sizes or not all(number.is_Integer for number in known) or function.has(*UNFINISHED):
            return sp.Expr.__new__(cls, function, which, latent, classes, *sizes)
        here = [number for number in range(1, int(classes) + 1) if function.has(u[number], h[number])]
        mean = sp.Integer(0)
        for counts in itertools.product(*(range(int(sizes[number - 1]) + 1) for number in here)):
            weight, numbers = sp.Integer(1), dict[sp.Expr, sp.Expr]()
            for number, count in zip(here, counts, strict=True):
                size = sizes[number - 1]
                weight *= sp.binomial(size, count) * unmasked_chance(number, latent) ** count
                weight *= masked_chance(number, latent) ** (size - count)
                numbers |= {u[number]: sp.Integer(count), h[number]: size - count}
            mean += weight * function.xreplace(numbers)
        return mean


def node_mass(s: sp.Expr, latent: sp.Expr) -> sp.Expr:
    """What a patch of class s adds at a node: unmasked, or masked and marked."""
    return sp.exp(-y * seen[s, latent]) + mark * sp.exp(-y * hidden[s])


def unmasked_chance(s: sp.Expr, latent: sp.Expr) -> sp.Expr:
    """The probability q of the node that a patch of class s is unmasked."""
    return sp.exp(-y * seen[s, latent]) / node_mass(s, latent)


def masked_chance(s: sp.Expr, latent: sp.Expr) -> sp.Expr:
    """1 − q."""
    return mark * sp.exp(-y * hidden[s]) / node_mass(s, latent)


def classes_of_patches(generator: random.Random, number: int) -> dict[sp.Basic, Any]:
    """Two or three small classes s in two areas, P = 1 + Σ n_s patches, some masked; r ≠ s, orders up to 2."""
    classes = generator.randint(2, 3)
    sizes = {n[s]: generator.randint(2, 3) for s in range(1, classes + 1)}
    patches = 1 + sum(sizes.values())
    first, second = generator.sample(range(1, classes + 1), 2)
    places = dict(zip((area[1], area[2]), generator.sample((1, 2), 2), strict=True)) | {
        area[3]: generator.randint(1, 2)
    }
    orders = {k1: generator.randint(0, 2), k2: generator.randint(0, 2)}
    drawn = {S: classes, N: 2, P: patches, masked: generator.randint(1, patches - 1), r: first, s: second}
    drawn |= dict(zip((a, m), generator.sample((1, 2), 2), strict=True))
    drawn |= {q: second, l: drawn[a]}  # in no statement: an index altered to one of these is to be refused
    return drawn | sizes | places | orders


def laws(generator: random.Random, number: int) -> dict[sp.Basic, Any]:
    """The same, with two values of each latent, whose probabilities sum to one."""
    weights = {m: sp.Rational(generator.randint(1, 9), 10) for m in (1, 2)}
    chances = {chance[m, i]: weight if i == 1 else 1 - weight for m, weight in weights.items() for i in (1, 2)}
    return classes_of_patches(generator, number) | {J: 2} | chances


def same_or_not(generator: random.Random, number: int) -> dict[sp.Basic, Any]:
    """The same, but every second time r = s."""
    drawn = classes_of_patches(generator, number)
    return drawn | ({r: drawn[s]} if number % 2 else {})


def equal_areas(generator: random.Random, number: int) -> dict[sp.Basic, Any]:
    """Two to four other areas of C patches, and up to three patches elsewhere; a total that is possible."""
    drawn = {C: generator.randint(2, 4), copies: generator.randint(2, 4), k1: generator.randint(0, 3)}
    others, elsewhere = drawn[C] * drawn[copies], generator.randint(0, 3)
    seen_elsewhere = generator.randint(0, elsewhere)
    drawn[total] = generator.randint(0, others - 1)
    unmasked = drawn[total] + seen_elsewhere
    return drawn | {P: 1 + others + elsewhere, masked: 1 + others + elsewhere - unmasked}


def exactly(draw: Draw, finish: Callable[[sp.Expr], sp.Expr] = lambda form: form.doit(), structures: int = 21) -> Proof:
    """The same in rational arithmetic, sizes drawn by `draw` and everything else at random, at ≥ 20 points."""

    def proof(before: sp.Basic, after: sp.Basic) -> Checked:
        if before == after:
            return Checked("symbolic")
        generator, points = random.Random(0), -(-21 // structures)
        for number in range(structures):
            structure = draw(generator, number)
            forms = [_at(side, structure) for side in (before, after)]
            names = sorted(set().union(*map(_unknowns, forms)), key=str)
            undrawn = [name for name in names if isinstance(name, sp.Symbol) and name.is_integer]
            if undrawn:
                raise ValueError(f"{draw.__name__} draws no {undrawn}")
            for _ in range(points):
                numbers = {name: _number(name, generator) for name in names}
                left, right = (finish(form.xreplace(numbers)) for form in forms)
                if left != right:
                    where = ", ".join(f"{name} = {number}" for name, number in {**structure, **numbers}.items())
                    raise DerivationError(f"{left} before, {right} after, at {where}")
        return Checked("rational arithmetic", structures * points)

    return proof


def _at(expression: sp.Basic, structure: dict[sp.Basic, Any]) -> sp.Expr:
    """The expression with these sizes and indices put in and its sums carried out."""
    indexed = {name: sp.sympify(value) for name, value in structure.items() if isinstance(name, sp.Indexed)}
    plain = {name: sp.sympify(value) for name, value in structure.items() if name not in indexed}
    bound = {variable for whole in expression.atoms(ExprWithLimits) for variable in whole.variables}
    known = expression.xreplace(plain) if bound.isdisjoint(plain) else expression.subs(plain)  # xreplace is much faster
    written = carried_out(known.xreplace(indexed))
    return carried_out(written.xreplace(indexed)).xreplace(indexed)  # carrying out brings new ones up


def _unknowns(form: sp.Expr) -> set[sp.Expr]:
    """What still needs a number."""
    atoms = form.atoms(sp.Indexed)
    names = {atom.base.label for atom in atoms} | {atom.base for atom in atoms}
    return (form.free_symbols - names) | (atoms & form.free_symbols)


def _number(name: sp.Expr, generator: random.Random) -> sp.Expr:
    """A random number; a whole latent and logarithms of fractions as correlations, so that all masses are fractions."""
    fraction = sp.Rational(generator.randint(1, 20), generator.randint(1, 20))
    if getattr(name, "base", None) == z:
        return sp.Integer(generator.randint(1, 3))
    return sp.log(fraction) if name == pp_self or getattr(name, "base", None) in (fp, pp) else fraction
