"""The text of the kernel: derived formulas as SymPy's ``lambdify`` writes them, the loops, and the unrolled forms."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamics.closures import Rule

if TYPE_CHECKING:
    import sympy as sp

    from derivations.nodes import Jet
    from derivations.rates import Formula

MARKS = 16  # of one node of the integral that are taken together
UNROLLED = (2, 3)  # numbers of areas for which a one-cluster form without loops is generated as well


def rows_source() -> str:
    """The text of the generated module of rates, loss and attention over rows."""
    return "\n\n".join([_rates(), *(_unrolled(areas) for areas in UNROLLED)])


def jacobian_source() -> str:
    """The text of that of their Jacobian; it takes the names of the rates from their module."""
    return "\n\n".join([_jacobian(), *(_unrolled_jacobian(areas) for areas in UNROLLED)])


def second_order_source() -> str:
    """The text of that of the second-order closure, with names from those of rates and Jacobian."""
    written = _written_from("dynamics/rays.py", loops_of("rays"))
    return "\n\n".join([written, *(_renamed("second_order", name) for name in ("descend", "losses"))])


@cache
def ledger_source() -> str:
    """The text of that of the terms of rates, with names from that of the rates."""
    from derivations.rates import formulas

    head, used = _written_from("derivations/rates.py and dynamics/ledger.py"), filter(_is_term, formulas())
    return "\n\n".join([head, *_all(used), loops_of("ledger")])


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
        *(_renamed("integral", name) for name in ("descend", "losses")),
    ]
    return "\n\n".join(written)


def _jet(jet: Jet, with_slopes: bool) -> str:
    """Source of a step at so many marks: numbers, and by the chain rule their derivatives along the coordinates.

    What is the same for all marks comes as an array for one.
    """
    import sympy as sp

    varying = [symbol for group in jet.inputs for symbol in group]
    numbers = _lambdified(f"_{jet.name}", (*varying, *jet.by_mark, *jet.constants), jet.outputs)
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
    derivatives = _lambdified(f"_{jet.name}_slopes", (*varying, *jet.by_mark, *jet.constants), tuple(slopes.values()))
    return "\n\n".join([numbers, derivatives, "\n".join(lines)])


def interpret(loop: str, exp: Callable[[Any], Any], *arguments: Any, shift: Any = 0) -> Any:
    """Run a loop on other numbers than floats, with their exponential, and a given shift of the scores.

    On SymPy symbols it returns the expression that it computes, on mpmath's numbers as many digits as they have.
    """
    more = {"jacobian": _jacobian, "ledger": ledger_source}.get(loop)
    module = _interpreted(exp, more)
    vars(module).update(is_wide=lambda *_: True, shift_of=lambda *_: shift, several=lambda count, mass: count * mass)
    return getattr(module, loop)(*arguments)


def text_of(module: str) -> str:
    """The text of a module of this package, which need not be imported for it."""
    return Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8")


def loops_of(module: str) -> str:
    """The loops in it."""
    return text_of(module).split("# --- loops ---\n")[1]


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
    return [_lambdified(formula.name, formula.arguments, formula.expression) for formula in formulas]


def _lambdified(name: str, arguments: Any, expression: Any) -> str:
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
def _interpreted(exp: Callable[[Any], Any], more: Callable[[], str] | None) -> ModuleType:
    """The loops as plain Python, with this exponential."""
    module = ModuleType("interpreted_loops")
    vars(module).update({"jit": as_it_stands, "exp": exp, "Rule": Rule})
    for text in (_rates, more) if more else (_rates,):
        exec(compile(text(), "<formulas and loops>", "exec"), vars(module))
    return module


def _unrolled(areas: int) -> str:
    """Source of the one-cluster form: the loops run on symbols for so many areas, subexpressions shared."""
    y, rule, arguments, shift, passed = _in_symbols(areas)
    rate, loss = _on_symbols("rate_and_loss", y, rule, shift)
    names = ", ".join(f"r{i}" for i in range(len(y)))
    assigned = "; ".join(f"rate[{i}] = r{i}" for i in range(len(y)))
    return f"""

{_lambdified(f"_rate_and_loss_{areas}", arguments, (*rate, loss))}

@jit
def rate_and_loss_{areas}(y, rule):
    {names}, loss = _rate_and_loss_{areas}({passed})
    rate = np.empty({len(y)})
    {assigned}
    return rate, loss


{_renamed(areas, "descend")}

{_renamed(areas, "losses")}
"""


def _unrolled_jacobian(areas: int) -> str:
    """Source of the Jacobian of the one-cluster form."""
    y, rule, arguments, shift, passed = _in_symbols(areas)
    entries = tuple(_on_symbols("jacobian", y, rule, shift).ravel())
    return f"""

{_lambdified(f"_jacobian_{areas}", arguments, entries)}

@jit
def jacobian_{areas}(y, rule):
    return np.array(_jacobian_{areas}({passed})).reshape(({len(y)}, {len(y)}))
"""


def _on_symbols(loop: str, y: Any, rule: Rule, shift: sp.Symbol) -> Any:
    import sympy as sp

    return interpret(loop, sp.exp, np.array(y), rule, shift=shift)


def _in_symbols(areas: int) -> tuple[Any, Rule, tuple[sp.Symbol, ...], sp.Symbol, str]:
    """State and rule of the one-cluster form, all symbols in them, the shift, and where numbers for them stand."""
    import sympy as sp

    y, shift = sp.symbols(f"y:{2 * areas + 1}", real=True), sp.Symbol("shift", real=True)
    rule, slots = _one_cluster(areas)
    passed = [*(f"y[{i}]" for i in range(len(y))), *(f"rule.{slot}" for slot in slots.values())]
    passed.append("shift_of(y, rule, 0) if is_wide(y, rule) else 0.0")
    return y, rule, (*y, *slots, shift), shift, ", ".join(passed)


def _one_cluster(areas: int) -> tuple[Rule, dict[Any, str]]:
    """The rule of the one-cluster form in symbols, and where each symbol stands in a rule of numbers.

    One row and one latent value; in each area one cell, the target first; the last area stands for several.
    """
    import sympy as sp

    size, unmasked = sp.symbols(f"size:{areas}", positive=True), sp.symbols(f"unmasked:{areas}", positive=True)
    multiplicity = sp.symbols(f"multiplicity:{2 * areas + 1}", positive=True)
    copies, z, weight = sp.symbols("copies z weight", positive=True)
    slots = {symbol: f"size[{i}]" for i, symbol in enumerate(size)}
    slots |= {symbol: f"unmasked[0, {i}]" for i, symbol in enumerate(unmasked)}
    slots |= {symbol: f"multiplicity[{i}]" for i, symbol in enumerate(multiplicity)}
    slots |= {copies: f"copies[{areas - 1}]", z: "latent[0, 0]", weight: "weight[0]"}
    zero = np.zeros(1, dtype=int)
    rule = Rule(
        multiplicity=np.array(multiplicity),
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


def _renamed(form: int | str, loop: str) -> str:
    """Source of a loop around the rate, around that of another form instead."""
    from dynamics import loops

    source = inspect.getsource(getattr(loops, loop))
    for name in (loop, "rate_and_loss"):
        source = source.replace(f"{name}(", f"{name}_{form}(")
    return source


def as_it_stands(function: Callable[..., Any]) -> Callable[..., Any]:
    """In place of a compiler."""
    return function
