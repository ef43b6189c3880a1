"""Results on the page and as code: what is written means what is stated."""

import hashlib
import random
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import sympy as sp
from sympy.core.function import AppliedUndef

import derivations
from derivations import boxes, export, pages, symbols
from derivations.abbreviate import abbreviate
from derivations.layout import lay_out
from derivations.statements import result, results
from derivations.symbols import A, N, P, U, a, attn, fp, j, m, pp_self, q, score, z

ROOT = Path(__file__).parent.parent
NAMES = [found.name for found in results()]
KNOWN = r"""
\frac \binom \sqrt \sum \prod \int \lim \text \mathrm \left \right \Bigl \Bigr \quad \begin \end \partial
\infty \neq \geq \leq \to \approx \lfloor \rfloor \lceil \rceil \langle \rangle \Longrightarrow \prime
\log \exp \min \max \times
"""
MACROS = set(re.findall(r"[A-Za-z]+", KNOWN)) | set(boxes._SIGNS)


@pytest.fixture(scope="module")
def blocks():
    return export.document(verify=False)


# --- The page.


EQUATIONS = Path(derivations.__file__).parent / "EQUATIONS.md"
STALE = f"run: python -m derivations export {EQUATIONS.relative_to(ROOT)}"


def unverified(text):
    """The document without what it says of how things were verified."""
    text = re.sub(r"^((?:Proof|Step \d+): .*) \([^()]*\)([.:])$", r"\1\2", text, flags=re.M)
    return re.sub(r"^That this is the statement: .*\n\n", "", text, flags=re.M)


def test_the_committed_equations_are_those_of_the_results(blocks):
    assert unverified(EQUATIONS.read_text(encoding="utf-8")) == pages.markdown(blocks), STALE


@pytest.mark.slow
def test_the_committed_equations_say_how_each_step_is_verified():
    assert EQUATIONS.read_text(encoding="utf-8") == pages.markdown(export.document()), STALE


def test_every_step_says_how_it_was_verified():
    found = result("fp-rate-target")
    text = pages.markdown(list(export.entry(found, found.check())))
    assert unverified(text) == pages.markdown(list(export.entry(found)))
    assert len(re.findall(r"\((?:symbolic|50 digits at \d+ points)\)[.:]$", text, flags=re.M)) == len(found.steps)


def formulas(found):
    """The lines of every formula of a result that is shown."""
    return [block.lines for block in export.entry(found) if isinstance(block, pages.Formula)]


FINGERPRINT = """\
import hashlib
from derivations import export, pages
from derivations.statements import results
text = pages.html([block for found in results() for block in export.entry(found)])
print(hashlib.sha256(text.encode()).hexdigest())
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["1", "2"])
def test_every_process_writes_the_same_text(seed):
    environment = {"PYTHONHASHSEED": seed, "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", FINGERPRINT],
        capture_output=True,
        encoding="utf-8",
        check=True,
        cwd=ROOT,
        env=environment,
    )
    text = pages.html([block for found in results() for block in export.entry(found)])
    assert done.stdout.strip() == hashlib.sha256(text.encode()).hexdigest()


def test_every_kind_of_expression_has_its_form():
    def words(box):
        yield from [box.text] if box.kind == "text" else []
        for part in box.parts:
            yield from words(part)

    for found in results():
        for lines in formulas(found):
            for line in lines:
                assert set(words(line)) <= {"otherwise"}, found.name


x, y = sp.symbols("x y", positive=True)
SHOWN = [
    (sp.Sum((1 - sp.KroneckerDelta(a, j)) * z[j] * A[j], (j, 1, N)), r"\sum_{j = 1, j \neq a}^{N} z_{j} A_{j}"),
    (sp.Sum(0, (j, 1, N)), "0"),
    (sp.Sum(-A[j], (j, 1, N)), r"- \sum_{j = 1}^{N} A_{j}"),
    (sp.Sum(x - A[j], (j, 1, N)), r"\sum_{j = 1}^{N} (x - A_{j})"),
    (y * sp.Sum(A[j], (j, 1, N)) ** 2, r"y \left( \sum_{j = 1}^{N} A_{j} \right)^{2}"),
    (sp.Sum(A[j], (j, 1, N)) * sp.Sum(z[j], (j, 1, N)), None),
    (x - (y - 1) * A[m], r"x - A_{m} (y - 1)"),
    (x - sp.Add(y, -1, evaluate=False), None),
    (-x / 2, r"- \frac{x}{2}"),
    ((x + y) / (2 * x), None),
    (1 / sp.sqrt(x), r"\frac{1}{\sqrt{x}}"),
    (x ** sp.Rational(2, 3), r"x^{2 / 3}"),
    ((x + 1) ** 2, r"(x + 1)^{2}"),
    (sp.Pow(sp.Rational(1, 2), x, evaluate=False), None),
    (x ** (-y), r"\frac{1}{x^{y}}"),
    (A[m] ** 2, r"A_{m}^{2}"),
    (U[q, m] * attn[q], r"\mathrm{attn}_{q} \, U_{q, m}"),
    (pp_self, r"\Upsilon_{\mathrm{self}}"),
    (sp.exp(-score[q]), r"e^{- \sigma_{q}}"),
    (sp.binomial(P, N), r"\binom{P}{N}"),
    (sp.FallingFactorial(P, N), r"(P)_{N}"),
    (sp.Limit(sp.exp(-P), P, sp.oo), r"\lim_{P \to \infty} e^{- P}"),
    (sp.Derivative(sp.Function("f")(x), x), r"\frac{d f}{d x}"),
    (sp.Derivative(A[m] * fp[m], fp[m]), r"\frac{\partial}{\partial \Phi_{m}} \Phi_{m} A_{m}"),
    (sp.Product(1 - A[j], (j, 1, N)), r"\prod_{j = 1}^{N} (1 - A_{j})"),
    (sp.Integral(sp.exp(-x), (x, 0, sp.oo)), r"\int_{0}^{\infty} e^{- x} \, d x"),
    (sp.Piecewise((1, P > N), (0, True)), r"\begin{cases} 1 & N < P \\ 0 & \text{otherwise} \end{cases}"),
    (sp.KroneckerDelta(a, m), r"\delta_{a m}"),
]


@pytest.mark.parametrize(("expression", "expected"), SHOWN, ids=[str(number) for number in range(len(SHOWN))])
def test_a_formula_reads_as_in_a_paper(expression, expected):
    box = lay_out(expression)
    if expected is not None:
        assert boxes.latex(box) == expected
    assert_latex(boxes.latex(box))
    assert_mathml(boxes.mathml(box))


def test_what_acts_on_all_that_follows_is_bracketed_before_a_factor():
    product = boxes.latex(lay_out(sp.Sum(A[j], (j, 1, N)) * sp.Sum(z[j], (j, 1, N))))
    assert product.count(r"\left(") == 1
    assert product.startswith(r"\left(")
    difference = boxes.latex(lay_out(sp.Add(x, sp.Mul(-1, x + y, evaluate=False), evaluate=False)))
    assert difference == "x - (x + y)"


def at_a_point(expression):
    """The value of an expression, a limit not taken, at numbers that depend on the names alone."""
    expression = expression.replace(sp.Limit, lambda inside, *_: inside)
    for kind in (AppliedUndef, sp.Indexed, sp.Symbol):
        parts = sorted(expression.atoms(kind), key=str)
        numbers = {part: sp.Float(random.Random(str(part)).uniform(1.1, 1.9), 40) for part in parts}
        expression = expression.xreplace(numbers)
    return expression.evalf(30)


LONG = {"leading-others": [pytest.mark.slow]}
NAMED = [found.name for found in results() if export.Shown(found).where]


@pytest.mark.parametrize("name", [pytest.param(name, marks=LONG.get(name, [])) for name in NAMED])
def test_names_for_parts_of_a_formula_change_nothing(name):
    found = result(name)
    shown = export.Shown(found)
    for side, brief in zip((found.statement.lhs, found.statement.rhs), shown._sides, strict=False):
        for symbol, part in reversed(shown.where):
            brief = brief.xreplace({symbol: part})
        if brief != side:  # equal in another form, then
            assert abs(at_a_point(side) - at_a_point(brief)) < 1e-20 * (1 + abs(at_a_point(side)))


def test_a_name_may_stand_for_a_negative_number():
    negative = x - 7 * y - sp.Add(*(sp.Symbol(f"t_{number}") for number in range(30)))
    brief, where = abbreviate(sp.Abs(x * negative) + sp.sqrt(negative**2) + negative)
    for symbol, part in reversed(where):
        brief = tuple(side.xreplace({symbol: part}) for side in brief)
    assert where
    assert at_a_point(brief[0]) == at_a_point(sp.Abs(x * negative) + sp.sqrt(negative**2) + negative)


def test_a_wide_formula_is_cut_and_loses_nothing():
    terms = sp.Add(*(sp.Symbol(f"t_{number}") ** 2 for number in range(1, 60)))
    for expression in (terms, x * terms, sp.Sum(terms * A[j], (j, 1, N))):
        lines = boxes.lines(lay_out(x), "=", lay_out(expression))
        assert len(lines) > 3
        assert all(boxes.width(line) <= boxes.WIDTH + 5 for line in lines)
        together = " ".join(boxes.latex(line) for line in lines)
        assert len(re.findall(r"t_\{\d+\}", together)) == 59
        assert together.count(r"\Bigl(") == together.count(r"\Bigr)")


# --- LaTeX.


def assert_latex(text):
    """Braces, environments and delimiters are balanced, and no macro is unknown."""
    depth = 0
    for sign in re.sub(r"\\[{}\\]", "", text):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth >= 0
    assert depth == 0
    assert len(re.findall(r"\\left(?![a-z])", text)) == len(re.findall(r"\\right(?![a-z])", text))
    open_ones = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if kind == "begin":
            open_ones.append(name)
        else:
            assert open_ones.pop() == name
    assert not open_ones
    assert set(re.findall(r"\\([A-Za-z]+)", text)) <= MACROS | {"aligned"}
    assert text.isascii()


def test_every_formula_is_latex_that_a_parser_accepts():
    for found in results():
        for lines in formulas(found):
            assert_latex(pages.latex_formula(lines))


def test_a_parser_rejects_what_is_no_latex():
    for text in (r"\frac{1}{2", r"\begin{aligned} x", r"\unknown{x}", r"x}{", r"\left( x"):
        with pytest.raises((AssertionError, IndexError)):
            assert_latex(text)


def test_the_latex_document_is_balanced_ascii(blocks):
    text = pages.latex_document(blocks)
    assert text.isascii()
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
    assert text.count("\\[\n") == text.count("\n\\]")
    body = text.partition(r"\begin{document}")[2]
    assert len(re.findall(r"(?<!\\)\$", body)) % 2 == 0
    assert set(re.findall(r"\\hyperref\[([^]]+)\]", body)) <= set(re.findall(r"\\label\{([^}]+)\}", body))


def test_the_latex_document_compiles_and_nothing_runs_over(blocks, tmp_path):
    compiler = shutil.which("pdflatex")
    if compiler is None:
        pytest.skip("no pdflatex here; the parser's tests hold the text")
    (tmp_path / "equations.tex").write_text(pages.latex_document(blocks), encoding="utf-8")
    for _ in range(2):
        done = subprocess.run(
            [compiler, "-interaction=nonstopmode", "-halt-on-error", "equations.tex"],
            cwd=tmp_path, capture_output=True, encoding="utf-8", errors="replace", check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:]
    widths = [float(width) for width in re.findall(r"Overfull \\hbox \(([\d.]+)pt", done.stdout)]
    assert max(widths, default=0) < 10
    assert "undefined" not in done.stdout


# --- Markdown and HTML.


def test_markdown_keeps_formulas_from_its_own_rules(blocks):
    text = pages.markdown(blocks)
    for fence in re.finditer(r"```math\n(.*?)\n```", text, flags=re.S):
        assert text[fence.start() - 2 : fence.start()] == text[fence.end() : fence.end() + 2] == "\n\n"
        assert len(fence[1]) <= pages._LONGEST
        assert_latex(fence[1])  # no macro besides: some that MathJax knows, repository pages refuse
        assert "\n\n" not in fence[1]
    assert text.count("```") == 2 * text.count("```math")
    inline = [part for line in text.splitlines() if line.startswith("| $") for part in line.split("|")[1].split(", ")]
    assert len(inline) > 60
    for part in inline:
        assert re.fullmatch(r" ?\$`[^`$|<]+`\$ ?", part)
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= set(re.findall(r'<a name="([^"]+)">', text))


def test_every_symbol_is_listed_with_its_meaning():
    listed = {name: said for _, names, said in export.notation().rows for name in names.split(", ")}
    kinds = (sp.Symbol, sp.IndexedBase)
    assert set(listed) == {name for name, symbol in vars(symbols).items() if isinstance(symbol, kinds)}
    assert all(listed.values())


ARITIES = {"mfrac": 2, "msub": 2, "msup": 2, "msubsup": 3, "munder": 2, "munderover": 3}


def assert_mathml(text):
    for element in ET.fromstring(f"<math>{text}</math>").iter():
        if element.tag in ARITIES:
            assert len(element) == ARITIES[element.tag], element.tag
        if element.tag in ("mi", "mn", "mo", "mtext"):
            assert element.text
            assert len(element) == 0


def test_every_formula_is_mathml():
    for found in results():
        for lines in formulas(found):
            assert_mathml(pages.mathml_formula(lines))


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        assert not {"src", "srcset"} & set(attributes)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += [attributes["href"]] if "href" in attributes else []
        if tag not in ("meta", "mspace"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_web_page_is_whole_linked_and_fetches_nothing(blocks):
    text = pages.html(blocks)
    page = Page(text)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert {f"#{name}" for name in NAMES} <= set(page.links)
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)
    assert "http" not in text
    assert "@import" not in text
    assert "url(" not in text


def test_words_keep_their_signs_in_every_form():
    said = "Φ acts on z_m v_m & 50% of X_{a}: 1 − γ < x*y_self²"
    paragraph = [pages.Paragraph((said,))]
    assert "v<sub>m</sub>" in pages.html(paragraph)
    assert "&amp; 50%" in pages.html(paragraph)
    assert r"\< x\*y<sub>self</sub>²" in pages.markdown(paragraph)
    written = pages.latex_document(paragraph)
    assert (
        r"$v_{m}$ \& 50\% of $X_{a}$: 1 \ensuremath{-} \ensuremath{\gamma} \ensuremath{<} x*$y_{\mathrm{self}}$"
        in written
    )
    with pytest.raises(ValueError, match="no LaTeX form of '☃'"):
        pages.latex_text("☃")


def test_a_result_that_does_not_hold_is_not_exported(monkeypatch, tmp_path):
    good = result("reconstruction")
    false = type(good)(**{**vars(good), "steps": (type(good.steps[0])("nothing", A[m], 2 * A[m]),)})
    monkeypatch.setattr(export, "results", lambda: (false,))
    with pytest.raises(derivations.DerivationError, match="reconstruction"):
        export.write(tmp_path / "equations.md")
    assert list(tmp_path.iterdir()) == []


def test_a_name_is_explained_under_the_formula_that_uses_it_first():
    explained = 0
    for name in ("mean-field-error", "leading-others", "latent-spread"):
        known, ahead = set(), set()
        for lines in formulas(result(name)):
            text = pages.latex_formula(lines)
            used = set(re.findall(r"w_\{\d+\}", text))
            defined = re.match(r"(?:\\begin\{aligned\}\n& )?(w_\{\d+\}) =", text)
            if defined:
                known.add(defined[1])
                explained += 1
                assert defined[1] in ahead | used
                assert used <= known
            else:
                ahead |= used - known
        assert ahead <= known
    assert explained > 10
