"""Results as code: what runs computes what is stated."""

import ctypes
import functools
import itertools
import math
import random
import re
import shutil
import subprocess

import pytest
import sympy as sp
from sympy.parsing.mathematica import parse_mathematica

from derivations import code, printers
from derivations.statements import result, results
from derivations.symbols import A, N, P, a, j, m, pp_self, q, score

NAMES = [found.name for found in results()]
x = sp.Symbol("x", positive=True)


def has_code(found):
    try:
        code.arguments(found)
    except ValueError:
        return False
    return True


CODED = [name for name in NAMES if has_code(result(name))]


SIZE = 12  # of every array: an index is at most a few of the integers drawn


def cases(expression, count=3):
    """Numbers for the free quantities and the value there, where there is one: (k over n) / 0 is passed over."""
    tried = (numbers(expression, seed) for seed in range(40))
    found = list(itertools.islice((case for case in tried if math.isfinite(case[1].real) and case[1].imag == 0), count))
    assert len(found) == count
    return found


def drawn(generator, kind):
    """A whole number of this type, or any number."""
    return kind(generator.randint(1, 4)) if kind else generator.uniform(0.2, 1.5)


def numbers(expression, seed):
    """A number for every free quantity of an expression: (by name, and put into the expression)."""
    generator = random.Random(seed)
    given, rules = {}, {}
    counted = expression.atoms(sp.binomial, sp.FallingFactorial)
    counts = {part.base for coefficient in counted for part in coefficient.atoms(sp.Indexed)}
    for quantity in code._arguments(expression):
        name = str(quantity)
        if isinstance(quantity, sp.IndexedBase):
            whole = bool(quantity.label.is_integer)
            draw = functools.partial(
                drawn, generator, (int if whole else float) if whole or quantity in counts else None
            )
            rank = code._rank(expression, quantity)
            given[name] = [draw() if rank == 1 else [draw() for _ in range(SIZE)] for _ in range(SIZE)]
        else:
            least, most = (6, 9) if quantity == P else (0, 2) if name.startswith("k_") else (1, 4)
            whole = generator.randint(least, most)
            given[name] = whole if quantity.is_integer else generator.uniform(0.2, 1.5)
            rules[quantity] = given[name] if quantity.is_integer else sp.Float(given[name], 40)
    rules = {quantity: sp.sympify(value) for quantity, value in rules.items()}
    written = expression.xreplace(rules).doit()  # all at once: 0/0 is no number whichever 0 comes first
    for _ in range(3):  # indices that are entries of other arrays come first
        entries = {}
        for entry in written.atoms(sp.Indexed):
            if all(index.is_Integer for index in entry.indices):
                value = given[str(entry.base)]
                for index in entry.indices:
                    value = value[int(index) - 1]
                entries[entry] = sp.Integer(value) if value == int(value) else sp.Float(value, 40)
        written = written.xreplace(entries).doit()
    return given, complex(written.evalf(30))


@pytest.mark.parametrize("name", CODED)
def test_python_computes_what_is_stated(name):
    found = result(name)
    space = {}
    exec(found.code("python"), space)
    for given, expected in cases(code._right_side(found)):
        assert space[name.replace("-", "_")](*given.values()) == pytest.approx(expected.real, rel=1e-13, abs=1e-13)


def as_c(value):
    if isinstance(value, int):
        return ctypes.c_int(value)
    if isinstance(value, float):
        return ctypes.c_double(value)
    if isinstance(value[0], list):
        rows = [as_c(row) for row in value]
        kind = ctypes.POINTER(type(rows[0])._type_)
        return (kind * len(rows))(*(ctypes.cast(row, kind) for row in rows))
    return ((ctypes.c_int if isinstance(value[0], int) else ctypes.c_double) * len(value))(*value)


def test_c_computes_what_is_stated(tmp_path):
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here; the structure of the code is tested")
    for name in CODED:
        (tmp_path / f"{name}.c").write_text(result(name).code("c"), encoding="utf-8")
    library = tmp_path / "results.so"
    sources = sorted(map(str, tmp_path.glob("*.c")))
    flags = ["-std=c99", "-O1", "-Wall", "-Werror", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, *sources, "-o", str(library), "-lm"], check=True)
    loaded = ctypes.CDLL(str(library))
    for name in CODED:
        function = getattr(loaded, name.replace("-", "_"))
        function.restype = ctypes.c_double
        for given, expected in cases(code._right_side(result(name))):
            found = function(*map(as_c, given.values()))
            assert found == pytest.approx(expected.real, rel=1e-13, abs=1e-13), name


def by_mathematica(tree, known):
    """Value of what SymPy's parser makes of Mathematica: functions of these names, by what they mean there."""
    if isinstance(tree, sp.Symbol):
        return known[tree.name]
    head, arguments = type(tree).__name__, tree.args
    if head == "Part":
        value = known[arguments[0].name]
        for index in arguments[1:]:
            value = value[int(by_mathematica(index, known)) - 1]
        return value
    if head in ("Sum", "Product"):
        inside, *ranges = arguments
        ends = [range(int(by_mathematica(low, known)), int(by_mathematica(high, known)) + 1) for _, low, high in ranges]
        indices = [index.name for index, *_ in ranges]
        terms = (by_mathematica(inside, known | dict(zip(indices, at, strict=True))) for at in itertools.product(*ends))
        return (sum if head == "Sum" else math.prod)(terms)
    values = [by_mathematica(argument, known) for argument in arguments]
    meant = {"KroneckerDelta": sp.KroneckerDelta, "Binomial": sp.binomial, "FactorialPower": sp.ff}
    return meant.get(head, tree.func)(*values) if values else tree


@pytest.mark.parametrize("name", CODED)
def test_mathematica_means_what_is_stated(name):
    found, printer = result(name), printers.MathematicaPrinter()
    head, body = found.code("mathematica").partition("*)\n")[2].split(" :=\n")
    names = [printer.name(quantity) for quantity in code.arguments(found)]
    assert head == f"{printer.name(name.replace('-', '_'))}[{', '.join(f'{quantity}_' for quantity in names)}]"
    for number, quantity in enumerate(names):  # SymPy's parser takes some for its own: gamma, S, Q
        body = re.sub(rf"\b{quantity}\b", f"quantity{number}", body)
    tree = sp.sympify(parse_mathematica(body))
    for given, expected in cases(code._right_side(found)):
        known = {f"quantity{number}": value for number, value in enumerate(given.values())}
        assert float(by_mathematica(tree, known)) == pytest.approx(expected.real, rel=1e-12, abs=1e-12)


class FromOne:
    """An array of Julia: counted from 1, by as many indices as it has."""

    def __init__(self, entries):
        self.entries = entries

    def __getitem__(self, indices):
        value = self.entries
        for index in indices if isinstance(indices, tuple) else (indices,):
            assert index >= 1
            value = value[index - 1]
        return value


def from_julia(source):
    """The few statements of Julia that the code is made of, in Python; a block goes on until its end."""
    depth, written = 0, []
    for line in (line.strip() for line in source.splitlines()):
        if not line or line.startswith(("#", "choose(n, k) =", "falling(n, k) =")):
            continue
        if line == "end":
            depth -= 1
            continue
        started = re.sub(r"^function (.*)$", r"def \1:", line)
        started = re.sub(r"^for (\w+) in (.*):(.*)$", r"for \1 in range(\2, \3 + 1):", started)
        written.append("    " * depth + chosen(started.replace("^", "**").replace("//", "/")))
        depth += started != line
        assert depth > 0
    assert depth == 0
    return "\n".join(written)


def chosen(line):
    """`condition ? first : second` in Python, within the brackets that are around it."""
    place = line.find(" ? ")
    if place < 0:
        return line
    start, end, colon, depth = place, place, 0, 0
    while depth >= 0:
        start -= 1
        depth += {")": 1, "(": -1}.get(line[start], 0)
    depth = 0
    while depth >= 0:
        end += 1
        depth += {"(": 1, ")": -1}.get(line[end], 0)
        colon = end if depth == 0 and line[end : end + 3] == " : " and not colon else colon
    condition, first, second = line[start + 1 : place], line[place + 3 : colon], line[colon + 3 : end]
    return chosen(f"{line[: start + 1]}({first}) if ({condition}) else ({second}){line[end:]}")


@pytest.mark.parametrize("name", CODED)
def test_julia_read_as_it_is_meant_computes_what_is_stated(name):
    """Read by a dozen rules: there is not always a Julia to run it."""
    found = result(name)
    space = {function: getattr(math, function) for function in ("exp", "log", "sqrt", "pi")}
    exec(code._HELPERS["python"]["choose"] + code._HELPERS["python"]["falling"], space | {"math": math}, space)
    exec(from_julia(found.code("julia")), space)
    for given, expected in cases(code._right_side(found)):
        arguments = [FromOne(value) if isinstance(value, list) else value for value in given.values()]
        assert space[name.replace("-", "_")](*arguments) == pytest.approx(expected.real, rel=1e-12, abs=1e-12)


PAIRS = {"(": ")", "[": "]", "{": "}"}


@pytest.mark.parametrize("name", CODED)
@pytest.mark.parametrize("language", code.LANGUAGES)
def test_code_is_balanced_and_mentions_every_quantity(name, language):
    source = result(name).code(language)
    body = re.sub(r"\(\*.*?\*\)|/\*.*?\*/|#[^\n]*|\"\"\".*?\"\"\"", "", source, flags=re.S)
    expected = []
    for sign in body:
        if sign in PAIRS:
            expected.append(PAIRS[sign])
        elif sign in PAIRS.values():
            assert expected.pop() == sign
    assert not expected
    printer = getattr(printers, f"{language.capitalize()}Printer")
    for quantity in code.arguments(result(name)):
        assert len(re.findall(rf"\b{re.escape(printer().name(quantity))}(?:\b|_)", body)) >= 2, quantity
    if language == "julia":
        assert len(re.findall(r"^\s*(?:for|function)\b", body, flags=re.M)) == len(
            re.findall(r"^\s*end$", body, flags=re.M)
        )
        assert not re.search(r"\.[*/^]", body)


class Stated:
    """A result as far as code goes."""

    def __init__(self, right, name="a-name"):
        self.name, self.title, self.statement = name, "A title", sp.Eq(sp.Symbol("left"), right, evaluate=False)


def test_a_sum_that_an_inner_one_does_not_change_is_made_once_before_it():
    inner = sp.Sum(sp.exp(score[j]), (j, 1, P))
    source = code.write(Stated(sp.Sum(sp.exp(score[q]) / inner, (q, 1, P)) + inner), "c")
    assert source.count("for (") == 2
    assert source.index("exp(sigma[j - 1])") < source.index("exp(sigma[q - 1])")


def test_a_title_does_not_end_its_comment():
    stated = Stated(x)
    stated.title = 'The loss (L − L*) is "small" */'
    for language in code.LANGUAGES:
        source = code.write(stated, language)
        assert "*)" not in source.replace("arrays. *)", "")
        assert source.count("*/") == (language == "c")
        assert source.count('"') in (0, 6)


def test_an_array_and_a_number_of_one_name_are_told_apart():
    right = sp.IndexedBase("a", positive=True)[m] * a + sp.Symbol("n'") * sp.Symbol("n")
    assert code.write(Stated(right), "python").startswith("def a_name(a, a_of, m, n, n_prime):")


def test_whole_numbers_divide_as_numbers_in_c():
    assert "(double)N/(double)P" in code.write(Stated(N / P), "c")


def test_names_that_a_language_keeps_for_itself_are_altered():
    assert (
        code.write(Stated(N * pp_self), "mathematica")
        .rstrip()
        .endswith("aName[NN_, UpsilonSelf_] :=\n  NN*UpsilonSelf")
    )
    assert "lambda_" in code.write(Stated(2 * sp.Symbol("lambda")), "python")


def test_every_coefficient_has_code_that_computes_it():
    right = sp.binomial(P, N) + sp.FallingFactorial(P, N) + sp.Product(A[j], (j, 1, N))
    space = {}
    exec(code.write(Stated(right), "python"), space)
    assert space["a_name"]([0.5, 0.5], 2, 5) == 10 + 20 + 0.25
    for language, words in (
        ("c", "static double choose"),
        ("julia", "choose(n, k) ="),
        ("mathematica", "Binomial[P, NN]"),
    ):
        assert words in code.write(Stated(right), language)


f = sp.Function("f")
REFUSED = [
    (sp.Limit(f(x), x, 0), "its right side holds Limit, f"),
    (sp.Derivative(f(x), x), "its right side holds Derivative, f"),
    (sp.Sum(A[j], (j, 1, sp.oo)), "it sums or multiplies without end"),
]


@pytest.mark.parametrize("language", code.LANGUAGES)
@pytest.mark.parametrize(("right", "reason"), REFUSED)
def test_what_has_no_code_form_is_refused(right, reason, language):
    with pytest.raises(ValueError, match=f"result 'a-name' has no code form: {reason}"):
        code.write(Stated(right), language)


def test_the_base_of_the_logarithm_has_a_name_in_every_language():
    forms = {language: code.write(Stated(sp.E * x), language) for language in code.LANGUAGES}
    assert "exp(1.0)" in forms["c"]
    assert "exp(1.0)" in forms["julia"]
    assert "math.e" in forms["python"]
    assert "E*x" in forms["mathematica"]


def test_an_inequality_has_no_code():
    stated = Stated(x)
    stated.statement = sp.Ge(sp.Symbol("left"), 0)
    with pytest.raises(ValueError, match="it is an inequality, expected an equation"):
        code.write(stated, "python")


def test_an_unknown_language_is_refused():
    with pytest.raises(ValueError, match="language='fortran': expected one of python, c, julia, mathematica"):
        code.write(Stated(x), "fortran")
    for wrong in (3, None, ["c"], b"c", {"c": 1}, 1.5):
        with pytest.raises(ValueError, match=r"^language=.*: expected one of python, c, julia, mathematica"):
            code.write(Stated(x), wrong)
