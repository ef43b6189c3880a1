"""Proofs: how a step is verified. By SymPy where it decides, else with 50 digits at random points.

A proof is a function of what stands before and after a step; it returns how it verified it, or raises a
DerivationError with a witness. Numbers are put in for *everything*, the numbers of areas and patches too, so that a
check by numbers knows nothing of the symbolic manipulation that it checks.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NamedTuple

import mpmath
import sympy as sp

from derivations import symbols
from derivations.symbols import A, N, P, R, S, U, area, attn, fp, i, j, pp, q, score, z

POINTS, DIGITS, TOLERANCE = 21, 50, mpmath.mpf(10) ** -40
RUNGS = 6, 14  # of the ladder of a limit by numbers, at least and at most
STRUCTURES = 3  # different numbers of areas, patches and classes, and places of the fixed ones among them


class DerivationError(Exception):
    """A step that does not hold; the message shows where."""


class Checked(NamedTuple):
    """How something was verified, and at how many points if by numbers."""

    how: str
    points: int = 0


Proof = Callable[[sp.Basic, sp.Basic], Checked]

ell = sp.Function("ell_p", real=True)  # ell(x): the loss of the query as a function of a score or a correlation x

# What the names of the theory stand for, each in terms of those after it.
DEFINITIONS: dict[Any, Callable[..., sp.Expr]] = {
    ell: lambda *_: _query_loss(),
    R: lambda m: 1 - A[m],
    A: lambda m: sp.Sum(U[q, m] * attn[q], (q, 1, P)),
    attn: lambda r: sp.exp(score[r]) / sp.Sum(sp.exp(score[i]), (i, 1, P)),
    score: lambda r: sp.Sum(U[r, j] * z[j] * fp[j], (j, 1, N)) + pp[r],
}


def equal(before: sp.Basic, after: sp.Basic) -> Checked:
    """The same for any number of areas, patches and classes; A, U, attn and so on being free, R = 1 − A."""
    return through()(before, after)


def through(*names: Any) -> Proof:
    """The same once these names (of ell, A, attn, score) are replaced by what they stand for."""

    def proof(before: sp.Basic, after: sp.Basic) -> Checked:
        first, second = (_defined(side, (R, *names)) for side in (before, after))
        if first == second or _cancels(first - second):
            return Checked("symbolic")
        for point in _points([first, second]):
            left, right = point.values
            if not abs(left - right) <= TOLERANCE * max(1, abs(left)):
                raise DerivationError(_witness(point, f"{_short(left)} before, {_short(right)} after"))
        return Checked(f"{DIGITS} digits", POINTS)

    return proof


def nonnegative(before: sp.Basic, after: sp.Basic) -> Checked:
    """`after` equals `before` and is never negative."""
    equal(before, after)
    if after.is_nonnegative:
        return Checked("symbolic")
    for point in _points([_defined(after, (R,))]):
        if point.values[0] < -TOLERANCE:
            raise DerivationError(_witness(point, f"{_short(point.values[0])} is negative"))
    return Checked(f"{DIGITS} digits", POINTS)


def limit(variable: sp.Symbol, to: sp.Expr = sp.oo) -> Proof:
    """`after` is the limit of `before`, taken by SymPy."""

    def proof(before: sp.Basic, after: sp.Basic) -> Checked:
        found = sp.limit(before, variable, to)
        if found != after and not _cancels(found - after):
            raise DerivationError(f"the limit is {found}, not {after}")
        return Checked("limit by SymPy")

    return proof


def extrapolated(variable: sp.Symbol, remainder: sp.Expr, *conditions: sp.Rel) -> Proof:
    """`before` tends to `after` as the variable grows, with an error O(remainder), where the conditions hold.

    A limit not carried out counts as what stands inside. At each random draw of the other symbols the variable climbs
    a ladder until the remainder is below 1e-40, or as far as the ladder goes where it falls like a logarithm. There
    error / remainder may not grow: a limit wrong by any fixed amount makes it grow as 1 / remainder.
    """

    def proof(before: sp.Basic, after: sp.Basic) -> Checked:
        error = inside_limits(before) - inside_limits(after)
        others = sorted((error.free_symbols | remainder.free_symbols) - {variable}, key=str)
        arguments = [variable, *others]
        of_error, of_remainder = (sp.lambdify(arguments, side, "mpmath", cse=True) for side in (error, remainder))
        generator = random.Random(0)
        for _ in range(POINTS):
            numbers = _draw(others, conditions, generator)
            exponents, sizes, ratios = _climb(of_error, of_remainder, list(numbers.values()))
            where = ", ".join(f"{symbol} = {value}" for symbol, value in numbers.items())
            if not sizes[-1] < sizes[0] / 10:
                raise DerivationError(f"the remainder does not vanish: {_short(sizes[-1])}, at {where}")
            half = len(ratios) // 2
            if not max(ratios[half:]) <= 2 * max(ratios[:half]) + TOLERANCE:
                shown = ", ".join(f"{_short(ratios[n])} at 10^{exponents[n]}" for n in (0, half, -1))
                raise DerivationError(f"error / remainder grows with {variable}: {shown}; {where}")
        return Checked(f"limit, {DIGITS} digits", POINTS)

    return proof


def solution(unknown: sp.Expr) -> Proof:
    """`after` solves the differential equation `before` in place of `unknown`."""

    def proof(before: sp.Basic, after: sp.Basic) -> Checked:
        residual = (before.lhs - before.rhs).subs(unknown, after).doit()
        if sp.simplify(residual) != 0:
            raise DerivationError(f"put in, it leaves {sp.simplify(residual)}")
        return Checked("symbolic")

    return proof


def follows(statement: sp.Rel, steps: tuple[Any, ...]) -> Checked:
    """The statement is what the steps show: an equation from their first to their last term, or the last's sign."""
    first, last = steps[0].before, steps[-1].after
    if isinstance(statement, sp.Eq):
        if statement.lhs != first:
            raise DerivationError(f"the steps start from {first}, not from {statement.lhs}")
        return Checked("symbolic") if statement.rhs == last else steps[-1].proof(steps[-1].before, statement.rhs)
    if not isinstance(statement, sp.Ge) or statement.lhs != last:
        raise DerivationError(f"the steps end with {last}, which is no side of {statement}")
    return nonnegative(last - statement.rhs, last - statement.rhs)


def _query_loss() -> sp.Expr:
    from derivations import model  # which states results of its own, with the proofs of this module

    return model.query_loss()


def _defined(expression: sp.Basic, names: tuple[Any, ...]) -> sp.Basic:
    """The expression with these names replaced by what they stand for."""
    for name, definition in DEFINITIONS.items():
        if name in names and isinstance(name, sp.IndexedBase):
            expression = expression.replace(
                lambda part, base=name: isinstance(part, sp.Indexed) and part.base == base,
                lambda part, definition=definition: definition(*part.indices),
            )
        elif name in names:
            expression = expression.replace(name, definition)
    return expression


def _cancels(difference: sp.Expr) -> bool:
    """Whether SymPy sees that this is zero, at little cost."""
    if difference == 0 or sp.expand(difference) == 0:
        return True
    return not difference.has(sp.Sum, sp.Derivative) and difference.count_ops() < 60 and sp.simplify(difference) == 0


class _Point(NamedTuple):
    """A structure, numbers for its symbols, and the values of some expressions there."""

    structure: dict[sp.Symbol, int]
    numbers: dict[sp.Expr, Any]
    values: list[Any]


def _points(expressions: list[sp.Expr]) -> Any:
    """The expressions' values at random points, the structure of the problem drawn as well."""
    generator = random.Random(0)
    for number in range(STRUCTURES):
        structure = _structure(generator, number)
        written = [_written_out(expression, structure, number) for expression in expressions]
        free = sorted(set().union(*(expression.free_symbols for expression in written)), key=str)
        atoms = sorted(set().union(*(expression.atoms(sp.Indexed) for expression in written)), key=str)
        bases = {atom.base.label for atom in atoms} | {atom.base for atom in atoms} | set(atoms)
        plain = [*atoms, *(symbol for symbol in free if symbol not in bases)]
        stand_in = {symbol: sp.Dummy(f"x{n}") for n, symbol in enumerate(plain)}
        evaluate = sp.lambdify(
            list(stand_in.values()), [expression.xreplace(stand_in) for expression in written], modules="mpmath"
        )
        for _ in range(POINTS // STRUCTURES):
            numbers = {symbol: _number(symbol, generator) for symbol in plain}
            with mpmath.workdps(DIGITS):
                yield _Point(structure, numbers, [mpmath.mpmathify(v) for v in evaluate(*numbers.values())])


def _structure(generator: random.Random, number: int) -> dict[sp.Symbol, int]:
    """Numbers of areas, patches and classes, and which ones the index symbols mean: none the first, if possible.

    Patches p, q, r differ in the first structure, r is q in the second and p in the third.
    """
    areas, patches, classes = 4 - number % 2, 4, generator.randint(4, 5)
    fixed = dict(zip((symbols.a, symbols.m, symbols.l), generator.sample(range(areas - 2, areas + 1), 3), strict=True))
    fixed |= {N: areas, P: patches, S: classes, j: generator.randint(1, areas)}
    fixed |= dict(zip((symbols.p, symbols.q, symbols.r), generator.sample(range(2, patches + 1), 3), strict=True))
    if number % 3 > 0:
        fixed[symbols.r] = fixed[symbols.q if number % 3 == 1 else symbols.p]
    fixed |= {symbols.d: 3} | {symbol: generator.randint(1, 3) for symbol in (symbols.b, symbols.c)}
    fixed |= {symbol: generator.randint(1, 3) for symbol in (symbols.row, symbols.column)}
    fixed |= {symbols.K: 2, symbols.k: generator.randint(1, 2), symbols.J: 2}
    return fixed | {symbols.s: generator.randint(1, classes)}


def inside_limits(expression: sp.Expr) -> sp.Expr:
    """The expression with each limit that is not carried out replaced by what stands inside."""
    return expression.replace(lambda part: isinstance(part, sp.Limit), lambda part: part.args[0])


def _draw(symbols: list[sp.Symbol], conditions: tuple[sp.Rel, ...], generator: random.Random) -> dict[sp.Symbol, Any]:
    """Rational numbers between 0.05 and 0.95, signed where the symbol may be, that satisfy the conditions."""
    while True:
        numbers = {symbol: sp.Rational(generator.randint(50, 950), 1000) for symbol in symbols}
        numbers = {x: y if x.is_nonnegative else y * generator.choice((1, -1)) for x, y in numbers.items()}
        if all(condition.subs(numbers) for condition in conditions):
            return numbers


def _climb(error: Callable[..., Any], remainder: Callable[..., Any], numbers: list[Any]) -> tuple[list[Any], ...]:
    """Exponents of ten of the rungs; there the remainder, and |error| / |remainder| to as many digits as that takes."""
    exponents: list[int] = []
    sizes: list[Any] = []
    ratios: list[Any] = []
    while len(exponents) < RUNGS[0] or (len(exponents) < RUNGS[1] and sizes[-1] > TOLERANCE):
        exponents.append(round(20 * 1.5 ** len(exponents)))
        for work in (sizes, ratios):  # the remainder first: it says how many digits the error will lose
            lost = max(0, -int(mpmath.log10(sizes[-1]))) if work is ratios else 0
            with mpmath.workdps(DIGITS + lost):
                at = (mpmath.mpf(10) ** exponents[-1], *(mpmath.mpf(x.p) / x.q for x in numbers))
                work.append(abs(error(*at)) / sizes[-1] if work is ratios else abs(remainder(*at)))
    return exponents, sizes, ratios


def _written_out(expression: sp.Expr, structure: dict[sp.Symbol, int], number: int) -> sp.Expr:
    """The expression with these numbers put in and its sums and derivatives carried out.

    Patches show the areas in turn, or are masked: r area m in the first structure, a in the second, none in the third.
    """
    written = carried_out(sp.sympify(expression).subs(structure)).doit()
    order = sorted(written.atoms(sp.Indexed), key=str)
    areas = {atom: 1 + (int(atom.indices[0]) * 7 + structure[N]) % structure[N] for atom in order if atom.base == area}
    of_r = (structure[symbols.m], structure[symbols.a], 0)[number % 3]
    shown = [(patch - structure[symbols.r] + of_r) % (structure[N] + 1) for patch in range(structure[P] + 1)]
    inside = {atom: int(shown[int(atom.indices[0])] == atom.indices[1]) for atom in order if atom.base == U}
    return written.xreplace(areas).xreplace(inside)


def carried_out(expression: sp.Basic) -> sp.Basic:
    """The expression with sums and products between numbers written out, term by term, and then differentiated.

    SymPy's own ``doit`` first looks for closed forms and for the cases of every Kronecker delta, which takes minutes.
    """
    if isinstance(expression, (sp.Sum, sp.Product)):
        *inner, (index, low, high) = expression.limits
        if low.is_Integer and high.is_Integer:
            body = expression.func(expression.function, *inner) if inner else expression.function
            terms = [carried_out(body.subs(index, x)) for x in range(int(low), int(high) + 1)]
            return sp.Add(*terms) if isinstance(expression, sp.Sum) else sp.Mul(*terms)
    if isinstance(expression, sp.Derivative):
        return sp.diff(carried_out(expression.expr), *expression.variable_count)
    if not expression.args or isinstance(expression, (sp.Indexed, sp.Tuple)):
        return expression
    return expression.func(*map(carried_out, expression.args))


def _number(symbol: sp.Expr, generator: random.Random) -> Any:
    """A number that the assumptions of the symbol allow, between 0.1 and 1.5 in size."""
    size = mpmath.mpf(generator.randint(100, 1500)) / 1000
    return size if symbol.is_nonnegative else size * generator.choice((1, -1))


def _witness(point: _Point, found: str) -> str:
    where = ", ".join(f"{symbol} = {_short(value)}" for symbol, value in list(point.numbers.items())[:8])
    return f"{found}, at {', '.join(f'{k} = {v}' for k, v in point.structure.items() if k in (N, P, S))}, {where}"


def _short(value: Any) -> str:
    return mpmath.nstr(value, 8)
