"""Results as code: the right side of a statement as a function of its free quantities.

Areas, patches, clusters and classes are counted from 1 in every language, as in the theory. An array is one of the
language: in Python and C, entry i of the theory is ``array[i - 1]``; in Julia and Mathematica it is entry i. Python
and Mathematica write a sum as they do; C and Julia as a loop, those that an outer loop needs many times before it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.logic.boolalg import BooleanAtom

from derivations.printers import CPrinter, JuliaPrinter, Language, Loops, MathematicaPrinter, PythonPrinter

if TYPE_CHECKING:
    from derivations.statements import Result

LANGUAGES: tuple[Language, ...] = ("python", "c", "julia", "mathematica")

_NO_CODE = (sp.Limit, sp.Derivative, sp.Integral, sp.Subs, sp.Order, AppliedUndef)


def write(result: Result, language: Language) -> str:
    """The right side of the statement of a result as a function in a programming language.

    Parameters
    ----------
    result : Result
    language : "python" | "c" | "julia" | "mathematica"

    Returns
    -------
    source : str
        One function, named like the result, of the free quantities in alphabetical order.

    Raises
    ------
    ValueError
        If the language is another, or the right side has no code form: a limit, a derivative, an inequality.
    """
    if not isinstance(language, str) or language not in LANGUAGES:
        raise ValueError(f"language={language!r}: expected one of {', '.join(LANGUAGES)}")
    expression = _right_side(result)
    arguments = _arguments(expression)
    writer = {"python": _python, "c": _c, "julia": _julia, "mathematica": _mathematica}[language]
    try:
        return writer(result, expression, arguments)
    except (NotImplementedError, TypeError) as error:  # how SymPy's printers refuse, by version
        reason = " ".join(str(error).split())
        raise ValueError(f"result {result.name!r} has no {language} form: {reason}") from error


def arguments(result: Result) -> tuple[str, ...]:
    """Names of the free quantities of the right side, in the order in which the functions take them."""
    return tuple(str(quantity) for quantity in _arguments(_right_side(result)))


def _right_side(result: Result) -> sp.Expr:
    """What there is to compute; a ValueError where there is nothing."""
    if not isinstance(result.statement, sp.Eq):
        raise ValueError(f"result {result.name!r} has no code form: it is an inequality, expected an equation")
    expression = result.statement.rhs
    if not isinstance(expression, sp.Expr) or isinstance(expression, BooleanAtom):
        raise ValueError(f"result {result.name!r} has no code form: its right side is not one number")
    parts = {type(part) for part in sp.preorder_traversal(expression)}
    found = sorted(kind.__name__ for kind in parts if issubclass(kind, _NO_CODE) or "sympy" not in kind.__module__)
    if found:
        raise ValueError(f"result {result.name!r} has no code form: its right side holds {', '.join(found)}")
    if any(limit.has(sp.oo) for part in expression.atoms(sp.Sum, sp.Product) for limit in part.limits):
        raise ValueError(f"result {result.name!r} has no code form: it sums or multiplies without end")
    return _told_apart(expression)


def _told_apart(expression: sp.Expr) -> sp.Expr:
    """The expression, an array that has the name of a number in it called otherwise."""
    arrays = {part.base for part in expression.atoms(sp.Indexed)}
    numbers = {symbol.name for symbol in expression.atoms(sp.Symbol) - {array.label for array in arrays}}
    called = {
        array: sp.IndexedBase(sp.Symbol(f"{array.label.name}_of", **array.label.assumptions0))
        for array in arrays
        if array.label.name in numbers
    }
    return expression.replace(
        lambda part: isinstance(part, sp.Indexed) and part.base in called,
        lambda part: called[part.base][part.indices],
    )


def _arguments(expression: sp.Expr) -> list[sp.Symbol | sp.IndexedBase]:
    """The free arrays and symbols, by name."""
    free = expression.free_symbols
    arrays = {part.base for part in expression.atoms(sp.Indexed)}
    labels = {array.label for array in arrays}
    symbols = {symbol for symbol in free if isinstance(symbol, sp.Symbol)} - labels
    return sorted(arrays | symbols, key=lambda quantity: (str(quantity).lower(), str(quantity)))


def _rank(expression: sp.Expr, array: sp.IndexedBase) -> int:
    return max(len(part.indices) for part in expression.atoms(sp.Indexed) if part.base == array)


_HELPERS = {
    "python": {
        "choose": """\
def choose(n, k):
    \"\"\"n over k, for a whole number k.\"\"\"
    return math.prod((n - i) / (k - i) for i in range(round(k))) if k >= 0 else 0
""",
        "falling": """\
def falling(n, k):
    \"\"\"n (n - 1) ... (n - k + 1).\"\"\"
    return math.prod(n - i for i in range(round(k)))
""",
    },
    "c": {
        "choose": """\
static double choose(double n, double k) /* n over k, for a whole number k */
{
    double product = k >= 0;
    for (int i = 0; i < k; i++) product *= (n - i) / (k - i);
    return product;
}
""",
        "falling": """\
static double falling(double n, double k) /* n (n - 1) ... (n - k + 1) */
{
    double product = 1;
    for (int i = 0; i < k; i++) product *= n - i;
    return product;
}
""",
    },
    "julia": {
        "choose": "choose(n, k) = k < 0 ? 0.0 : prod(((n - i) / (k - i) for i in 0:k-1); init=1.0)\n",
        "falling": "falling(n, k) = prod((n - i for i in 0:k-1); init=1.0)\n",
    },
}


def _comment(result: Result) -> str:
    """The title, with nothing in it that would end a comment: L*) does."""
    return result.title.replace("*", "⁎").replace('"', "'").replace("\\", "/")


def _with_helpers(language: Language, source: str) -> str:
    """The source, after the functions of ours that it calls."""
    needed = [text for name, text in _HELPERS[language].items() if re.search(rf"\b{name}\(", source)]
    return ("\n\n" if language == "python" else "\n").join((*needed, source))


def _python(result: Result, expression: sp.Expr, arguments: list[sp.Symbol | sp.IndexedBase]) -> str:
    printer = PythonPrinter()
    names = ", ".join(printer.name(str(argument)) for argument in arguments)
    body = printer.doprint(expression)
    source = _with_helpers(
        "python",
        f"def {result.name.replace('-', '_')}({names}):\n"
        f'    """{_comment(result)}.\n\n    {_COUNTED}; entry i of an array is array[i - 1].\n    """\n'
        f"    return {body}\n",
    )
    return f"import math\n\n\n{source}" if "math." in source else source


def _c(result: Result, expression: sp.Expr, arguments: list[sp.Symbol | sp.IndexedBase]) -> str:
    printer = CPrinter({"math_macros": {}})  # M_PI and its like are not in C99
    loops = Loops(
        printer,
        "for (int {index} = {first}; {index} <= {last}; {index}++) {{",
        "double {name} = {value};",
        "{name} {sign}= {term};",
        "}",
    )
    value = loops.term(expression)
    typed = ", ".join(_c_argument(printer, expression, argument) for argument in arguments)
    source = _with_helpers(
        "c",
        f"/* {_comment(result)}.\n   {_COUNTED}; entry i of an array is array[i - 1]. */\n"
        f"double {result.name.replace('-', '_')}({typed or 'void'})\n{{\n"
        + "".join(f"{line}\n" for line in (*loops.lines(), f"    return {value};"))
        + "}\n",
    )
    return f"#include <math.h>\n\n{source}"


def _c_argument(printer: CPrinter, expression: sp.Expr, argument: sp.Symbol | sp.IndexedBase) -> str:
    """A parameter with its type: an array of rows where there are two indices."""
    name = printer.name(str(argument))
    if isinstance(argument, sp.Symbol):
        return f"{'int' if argument.is_integer else 'double'} {name}"
    kind = "int" if argument.label.is_integer else "double"
    return f"const {kind} *" + "const *" * (_rank(expression, argument) - 1) + name


def _julia(result: Result, expression: sp.Expr, arguments: list[sp.Symbol | sp.IndexedBase]) -> str:
    printer = JuliaPrinter()
    loops = Loops(printer, "for {index} in {first}:{last}", "{name} = {value}.0", "{name} {sign}= {term}", "end")
    value = loops.term(expression)
    names = ", ".join(printer.name(str(argument)) for argument in arguments)
    return _with_helpers(
        "julia",
        f"# {_comment(result)}.\n# {_COUNTED}, and so are arrays.\n"
        f"function {result.name.replace('-', '_')}({names})\n"
        + "".join(f"{line}\n" for line in (*loops.lines(), f"    return {value}"))
        + "end\n",
    )


def _mathematica(result: Result, expression: sp.Expr, arguments: list[sp.Symbol | sp.IndexedBase]) -> str:
    printer = MathematicaPrinter()
    names = ", ".join(f"{printer.name(str(argument))}_" for argument in arguments)
    return (
        f"(* {_comment(result)}.\n   {_COUNTED}, and so are arrays. *)\n"
        f"{printer.name(result.name.replace('-', '_'))}[{names}] :=\n  {printer.doprint(expression)}\n"
    )


_COUNTED = "Areas, patches, clusters and classes are counted from 1"
