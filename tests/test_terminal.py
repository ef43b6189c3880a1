"""Formulas in a terminal: what a reader sees there is what the pages show."""

import re

import pytest
import sympy as sp

from derivations import pages, terminal
from derivations.__main__ import main
from derivations.layout import lay_out
from derivations.shown import Shown
from derivations.statements import result, results
from derivations.symbols import A, N, P, j, m, q, z

x, y = sp.symbols("x y", positive=True)
DRAWN = [
    (z[m] ** 2 * A[m], "zₘ²Aₘ"),
    (
        A[q] ** 2 + 1 / x,
        """\
      1
A² + ───
 q    x""",
    ),
    (
        sp.Sum(A[j], (j, 1, N)) ** 2,
        """\
⎛  N     ⎞2
⎜  ∑   Aⱼ⎟
⎝j = 1   ⎠""",
    ),
    (
        sp.Piecewise((1, P > N), (0, True)),
        """\
⎧1  N < P
⎩0  otherwise""",
    ),
    (
        x * sp.log(x / y),
        """\
     ⎛ x ⎞
x log⎜───⎟
     ⎝ y ⎠""",
    ),
    (
        sp.exp(-A[q]),
        """\
 −A
   q
e""",
    ),
    (sp.binomial(P, N), "⎛P⎞\n⎝N⎠"),
]


@pytest.mark.parametrize(("expression", "expected"), DRAWN, ids=[str(n) for n in range(len(DRAWN))])
def test_a_formula_is_drawn(expression, expected):
    assert terminal.formula([lay_out(expression)]) == expected


def test_every_picture_is_a_rectangle_and_holds_every_letter_of_its_formula():
    for found in results():
        for line in Shown(found).whole_statement():
            drawn = terminal.picture(line)
            assert {len(row) for row in drawn.lines} == {drawn.width}
            assert 0 <= drawn.base < len(drawn.lines)
            together = "".join(drawn.lines)
            for name in re.findall(r"\\mathrm\{(\w{2,})\}", pages.latex_formula([line])):
                assert name in together, found.name


@pytest.mark.parametrize("name", ["fp-rate-target", "latent-spread", "target-never-falls"])
def test_a_result_and_the_command_show_the_same(capsys, name):
    found = result(name)
    assert main(["show", name]) == 0
    assert f"\n\n{found.pretty()}\n" in capsys.readouterr().out
    assert main(["show", name, "--format", "latex"]) == 0
    assert capsys.readouterr().out == f"{found.latex()}\n"
    assert found._repr_latex_() == f"$\\displaystyle {found.latex()}$"


def test_a_statement_says_what_the_names_in_it_stand_for():
    found = result("leading-global")
    used = set(re.findall(r"w_\{\d\}", found.latex()))
    assert used
    assert used == set(re.findall(r"\\text\{with \} (w_\{\d\}) =", found.latex()))
