"""Every result proves itself, and no altered statement does."""

import dataclasses
import re
from pathlib import Path

import pytest
import sympy as sp

from derivations import proof
from derivations.proof import DerivationError
from derivations.statements import result, results
from derivations.symbols import a, j, k, l, m, q, r, s

NAMES = [found.name for found in results()]
SWAPS = [(a, m), (m, a), (m, l), (q, r), (r, q), (k, sp.Integer(1)), (s, sp.Integer(1))]


def mutants(statement):
    """The statement with a sign, a coefficient or an index altered on its right side, or a side turned round."""
    if not isinstance(statement, sp.Eq):
        yield statement.func(-statement.lhs, statement.rhs)
        yield statement.func(statement.lhs, statement.rhs + sp.Rational(1, 7))
        return
    left, right = statement.lhs, statement.rhs
    yield sp.Eq(-left, right, evaluate=False)
    if right == 0:
        yield sp.Eq(left, sp.Rational(1, 7), evaluate=False)
    terms = sp.Add.make_args(right)
    for number, term in enumerate(terms):
        rest = sp.Add(*terms[:number], *terms[number + 1 :])
        for factor in (-1, sp.Rational(8, 7)):
            if term != 0:
                yield sp.Eq(left, rest + factor * term, evaluate=False)
    for old, new in SWAPS:
        swapped = right.subs(old, new)
        if swapped != right:
            yield sp.Eq(left, swapped, evaluate=False)


@pytest.mark.parametrize("name", NAMES)
def test_every_result_proves_itself(name):
    found = result(name)
    reports = found.check()
    assert len(reports) == len(found.steps) + 1
    assert all(report.checked.how for report in reports)


@pytest.mark.parametrize("name", NAMES)
def test_no_altered_statement_is_proved(name):
    found, tried = result(name), 0
    for mutant in mutants(found.statement):
        with pytest.raises(DerivationError):
            proof.follows(mutant, found.steps)
        tried += 1
    assert tried >= 2
    with pytest.raises(DerivationError, match=name):
        dataclasses.replace(found, statement=mutant).check()


@pytest.mark.parametrize("name", NAMES)
def test_no_altered_step_is_proved(name):
    found = result(name)
    for number, step in enumerate(found.steps):
        if not isinstance(step.after, sp.Expr):
            continue
        altered = dataclasses.replace(step, after=step.after * sp.Rational(8, 7) + sp.Rational(1, 7))
        steps = (*found.steps[:number], altered, *found.steps[number + 1 :])
        with pytest.raises(DerivationError, match=name):
            dataclasses.replace(found, steps=steps).check()


def test_each_result_uses_only_those_before_it():
    for number, found in enumerate(results()):
        assert set(found.uses) <= set(NAMES[:number]), found.name


def test_each_result_says_what_it_is():
    for found in results():
        assert found.name == found.name.lower()
        assert found.title[0].isupper()
        assert found.exactness in ("exact", "large-P", "continuous-time")
        assert "theory §" in found.reference
        assert all(step.said for step in found.steps)
        assert j not in found.statement.free_symbols


def test_what_dynamics_computes_and_the_results_name_each_other():
    named = set()
    for path in (Path(__file__).parent.parent / "dynamics").glob("*.py"):
        for names in re.findall(r"[Rr]esults?\s+((?:``[a-z-]+``[,\s]*)+)", path.read_text()):
            named |= {(name, f"dynamics.{path.stem}") for name in re.findall(r"``([a-z-]+)``", names)}
    assert named == {(found.name, module) for found in results() for module in found.used_in}
    assert {name for name, _ in named} <= set(NAMES)


def test_an_unknown_result_is_refused_by_name():
    with pytest.raises(ValueError, match="name='fp': expected one of attention, "):
        result("fp")
