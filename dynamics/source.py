"""The text of the kernel: derived formulas as SymPy's ``lambdify`` writes them, the loops, and the unrolled forms."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dynamics.closures import Rule

if TYPE_CHECKING:
    import sympy as sp

    from derivations.nodes import Jet
    from derivations.rates import Formula

MARKS = 16  # of one node of the integral that are taken together
ONE_LANE = "d, lanes = len(x), 1"  # in ``stepper``
AROUND_RATES = ("descend", "losses", "tangent")  # loops that every form has
UNROLLED = (2, 3)  # numbers of areas for which a one-cluster form without loops is generated as well


def rows_source() -> str:
    """The text of the generated module of rates, loss and attention over rows."""
    from dynamics import one_cluster  # which runs the loops of this module

    return "\n\n".join([_rates(), *map(one_cluster.rows_source, UNROLLED)])


def jacobian_source() -> str:
    """The text of that of their Jacobian; it takes the names of the rates from their module."""
    from dynamics import one_cluster

    return "\n\n".join([_jacobian(), *map(one_cluster.jacobian_source, UNROLLED)])


def steps_source() -> str:
    """The text of that of the compiled pair around them."""
    from dynamics import one_cluster

    head = _written_from("dynamics/stepper.py")
    return "\n\n".join([head, stepping_alike(), stepping(), *map(one_cluster.steps_source, UNROLLED)])


def second_order_source() -> str:
    """The text of that of the second-order closure, with names from those of rates and Jacobian."""
    written = _written_from("dynamics/rays.py", loops_of("rays"))
    around = (renamed("second_order", name) for name in AROUND_RATES)
    return "\n\n".join([written, *around, stepping_alike(), stepping("second_order")])


@cache
def ledger_source() -> str:
    """The text of that of the terms of rates, with names from that of the rates."""
    from derivations.rates import formulas

    head, used = _written_from("derivations/rates.py and dynamics/ledger.py"), filter(_is_term, formulas())
    return "\n\n".join([head, *_all(used), loops_of("ledger")])


def stepping_alike() -> str:
    """Source of what is the same for every form in ``stepper``, and of the tableau of SciPy's pair, written out."""
    from scipy.integrate import DOP853

    slope = "k[{} * size + at]"
    of_one = [_weighted(weights, slope) for weights in DOP853.D]
    fine, coarse = (_weighted(weights, slope) for weights in (DOP853.E5, DOP853.E3))
    estimates = f"@jit\ndef errors(k, at, size):\n    return {fine}, {coarse}"
    bends = f"@jit\ndef bends(k, at, size, h):\n    return {', '.join(f'h * ({total})' for total in of_one)}"
    return "\n\n\n".join([stage_source(), estimates, bends, blocks("stepper")[0]])


def stage_source() -> str:
    """Source of the state at each stage, of all lanes."""
    from scipy.integrate import DOP853

    written = ["@jit", "def stage(s, x, h, k, out):", f"    {ONE_LANE}", "    size = d * lanes"]
    for s, weights in enumerate([*DOP853.A[1:], DOP853.B, *DOP853.A_EXTRA], start=1):
        total = _weighted(weights, "k[{} * size + at]")
        written += [f"    {'if' if s == 1 else 'elif'} s == {s}:", "        for i in range(d):"]
        written += ["            for l in range(lanes):", "                at = i * lanes + l"]
        written += [f"                out[at] = x[at] + h[l] * ({total})"]
    return "\n".join(written)


def _weighted(weights: Any, slope: str) -> str:
    """Source of a sum of slopes."""
    return " + ".join(f"{weight!r} * {slope.format(s)}" for s, weight in enumerate(weights.tolist()) if weight)


def stepping(form: int | str = "", tangents: str = "") -> str:
    """Source of the loops of ``stepper`` around the rate of a form, or with other `tangents` than those of one rule."""
    _, of_one_rule, of_one_lane, of_all = blocks("stepper")
    text = (tangents or of_one_rule) + of_one_lane + of_all
    return suffixed(text, ["tangent", *_defined(of_one_rule + of_one_lane + of_all)], form) if form else text


def suffixed(text: str, names: Iterable[str], form: int | str) -> str:
    """Source with the form in the names of these functions."""
    for name in names:
        text = re.sub(rf"\b{name}\(", f"{name}_{form}(", text)
    return text


def _defined(text: str) -> list[str]:
    return re.findall(r"^def (\w+)", text, flags=re.MULTILINE)


def wide_stepping(form: int, tangents: str, shape: tuple[int, int]) -> str:
    """The same with the number of lanes a constant, for the compiler to take several at a time."""
    _, of_one_rule, of_one_lane, of_all = blocks("stepper")
    text = suffixed(of_all, _defined(of_one_rule + of_one_lane), form).replace(f"tangents_{form}(", "tangents(")
    text = text.replace(f"on_groups_{form}(", "on_groups(")
    text = f"{stage_source()}\n\n\n{tangents}\n\n\n{text}".replace(ONE_LANE, f"d, lanes = {shape}")
    return suffixed(text, _defined(text), f"wide_{form}").replace("@jit", "@wide")


def nodes_source(slopes: bool) -> str:
    """The text of the generated module of the integral form: steps at a node, and the loops over nodes.

    With `slopes` the steps take derivatives along, for the Jacobian alone: they take long to compile.
    """
    from derivations.nodes import jets

    by_name = {jet.name: jet for jet in jets()}
    sizes = {"CUMULANTS": len(by_name["of_patch"].outputs), "TARGET": len(by_name["of_target"].outputs)}
    sizes |= {
        "LEVERS": max(len(jet.outputs) for name, jet in by_name.items() if name.startswith(("seen", "hidden"))),
        "MARKS": MARKS,
    }
    written = [
        _written_from("derivations/nodes.py and dynamics/nodes.py"),
        *(f"{name} = {size}" for name, size in sizes.items()),
        *(_jet(jet, slopes) for jet in by_name.values()),
        *(loops_of(module) for module in ("nodes", "quadrature")),
        *(renamed("integral", name) for name in AROUND_RATES),
        *(() if slopes else (stepping_alike(), stepping("integral"))),
    ]
    return "\n\n".join(written)


def _jet(jet: Jet, with_slopes: bool) -> str:
    """Source of a step at so many marks: numbers, and by the chain rule their derivatives along the coordinates.

    What is the same for all marks comes as an array for one.
    """
    import sympy as sp

    varying = [symbol for group in jet.inputs for symbol in group]
    numbers = lambdified(f"_{jet.name}", (*varying, *jet.by_mark, *jet.constants), jet.outputs)
    if not varying:
        return numbers.replace(f"def _{jet.name}", f"def {jet.name}")
    groups = [f"g{i}" for i in range(len(jet.inputs))]
    places = [
        f"{group}[{row}, t{group}, {{}}]"
        for group, symbols in zip(groups, jet.inputs, strict=True)
        for row in range(len(symbols))
    ]
    by_mark = [f"{symbol}[t]" for symbol in jet.by_mark]
    passed = ", ".join([*(place.format(0) for place in places), *by_mark, *map(str, jet.constants)])
    outputs = [f"out[{row}, t, 0]" for row in range(len(jet.outputs))]
    taken = ", ".join(map(str, ["marks", "out", *groups, *jet.by_mark, *jet.constants]))
    head = f"@jit\ndef {jet.name}({taken}):\n    for t in range(marks):"
    head += "".join(f"\n        t{group} = min(t, {group}.shape[1] - 1)" for group in groups)
    value = f"        {', '.join(outputs)}, = _{jet.name}({passed})"
    if not with_slopes:
        return "\n\n".join([numbers, f"{head}\n{value}"])
    slopes = {
        (row, i): slope
        for row, output in enumerate(jet.outputs)
        for i, symbol in enumerate(varying)
        if (slope := sp.together(sp.diff(output, symbol))) != 0
    }
    name_of = {key: f"s{number}" for number, key in enumerate(slopes)}
    chain = ["            for d in range(1, out.shape[2]):"]
    for row in range(len(jet.outputs)):
        terms = [f"{name} * {places[i].format('d')}" for (output, i), name in name_of.items() if output == row]
        chain.append(f"                out[{row}, t, d] = {' + '.join(terms) or 0}")
    lines = [head, value, "        if out.shape[2] > 1:"]
    lines += [f"            {', '.join(name_of.values())}, = _{jet.name}_slopes({passed})", *chain]
    derivatives = lambdified(f"_{jet.name}_slopes", (*varying, *jet.by_mark, *jet.constants), tuple(slopes.values()))
    return "\n\n".join([numbers, derivatives, "\n".join(lines)])


def interpret(loop: str, exp: Callable[[Any], Any], *arguments: Any, shift: Any = 0, **instead: Any) -> Any:
    """Run a loop on other numbers than floats, with their exponential, and a given shift of the scores.

    On SymPy symbols it returns the expression that it computes, on mpmath's numbers as many digits as they have.
    What a loop calls by the names `instead` is put in its place.
    """
    module = interpreted(exp, {"jacobian": _jacobian, "ledger": ledger_source}.get(loop))
    usual = {name: getattr(module, name) for name in instead}
    instead |= {"is_wide": lambda *_: True, "shift_of": lambda *_: shift, "several": lambda count, mass: count * mass}
    vars(module).update(instead)
    try:
        return getattr(module, loop)(*arguments)
    finally:
        vars(module).update(usual)


def text_of(module: str) -> str:
    """The text of a module of this package, which need not be imported for it."""
    return Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8")


def blocks(module: str) -> list[str]:
    """What it holds beneath each of its lines of dashes: text of generated modules."""
    return re.split(r"^# --- .* ---\n", text_of(module), flags=re.MULTILINE)[1:]


def loops_of(module: str) -> str:
    """The loops in it."""
    return blocks(module)[0]


def _written_from(origin: str, *more: str) -> str:
    """The first lines of a generated module, and what else is given."""
    head = f"# Generated by dynamics.compiled from {origin}; do not edit."
    return "\n".join([head, "from __future__ import annotations", "import numpy as np", *more])


@cache
def _rates() -> str:
    """Source of the lambdified formulas of rates and loss, and the loops."""
    from derivations.rates import formulas

    used = [formula for formula in formulas() if not _is_term(formula)]
    return "\n\n".join([_written_from("derivations/rates.py and dynamics/loops.py"), *_all(used), loops_of("loops")])


@cache
def _jacobian() -> str:
    from derivations.rates import curvatures

    head = _written_from("derivations/rates.py and dynamics/jacobian.py")
    return "\n\n".join([head, *_all(curvatures()), loops_of("jacobian")])


def _is_term(formula: Formula) -> bool:
    """Whether it is one term of a pull, which only the ledger takes apart: pull_target_stray, ..."""
    return formula.name.count("_") == 2 and formula.name.startswith("pull")


def _all(formulas: Iterable[Formula]) -> list[str]:
    return [lambdified(formula.name, formula.arguments, formula.expression) for formula in formulas]


def lambdified(name: str, arguments: Any, expression: Any) -> str:
    """Source of an expression as a function of plain numbers."""
    import sympy as sp

    def shared(expressions: Any) -> Any:
        replaced, reduced = sp.cse(expressions, list=False)
        return _as_products(replaced, sp.sympify(reduced))

    function = sp.lambdify(arguments, expression, modules="math", cse=shared)
    return "@jit\n" + inspect.getsource(function).replace("_lambdifygenerated", name)


def _as_products(steps: Any, last: Any) -> tuple[Any, Any]:
    """The steps and the expressions after them, whole powers written as products, their bases as steps of their own.

    Python asks ``pow`` for a power, Numba multiplies, and of a complex number Numba takes the logarithm: the last
    digit, or more, would differ. Of products all have the same.
    """
    import sympy as sp

    written: list[tuple[sp.Symbol, sp.Expr]] = []

    def named(part: sp.Expr) -> sp.Symbol:
        written.append((sp.Symbol(f"b{len(written)}"), part))
        return written[-1][0]

    def multiplied(power: sp.Pow) -> sp.Expr:
        base = power.base if power.base.is_Symbol else named(power.base)
        product = sp.UnevaluatedExpr(sp.Mul(*[base] * abs(int(power.exp)), evaluate=False))
        return product if power.exp > 0 else 1 / named(product)

    def as_products(part: sp.Expr) -> sp.Expr:
        return part.replace(lambda one: one.is_Pow and one.exp.is_Integer and abs(one.exp) > 1, multiplied)

    for name, step in steps:
        product = as_products(step)  # after what it needs
        written.append((name, product))
    return written, as_products(last)


@cache
def interpreted(exp: Callable[[Any], Any], more: Callable[[], str] | None = None) -> ModuleType:
    """The loops as plain Python, with this exponential."""
    module = ModuleType("interpreted_loops")
    vars(module).update({"jit": as_it_stands, "exp": exp, "Rule": Rule})
    for text in (_rates, more) if more else (_rates,):
        exec(compile(text(), "<formulas and loops>", "exec"), vars(module))
    return module


def renamed(form: int | str, loop: str) -> str:
    """Source of a loop around the rate, around that of another form instead."""
    from dynamics import loops

    source = inspect.getsource(getattr(loops, loop))
    for name in (loop, "rate_and_loss"):
        source = source.replace(f"{name}(", f"{name}_{form}(")
    return source


def as_it_stands(function: Callable[..., Any]) -> Callable[..., Any]:
    """In place of a compiler."""
    return function
