"""Every result proves itself, and no altered statement does."""

import dataclasses
import itertools
import re
from pathlib import Path

import pytest
import sympy as sp

from derivations import proof
from derivations.latents import high, low
from derivations.proof import DerivationError
from derivations.statements import result, results
from derivations.symbols import a, fp, j, k, kappa_c, kappa_s, l, m, q, r, s

NAMES = [found.name for found in results()]
LONG = ("integral-form", "fp-rate-other", "pp-rate", "latent-half-time", "mean-field-error", "score-curvature")
LONG += ("second-order-error", "late-mean-field-finite", "closures-keep-the-shift", "late-factor", "fp-rate-target")
EACH = [pytest.param(name, marks=[pytest.mark.slow] if name in LONG else []) for name in NAMES]
SWAPS = [(a, m), (m, a), (m, l), (q, r), (r, q), (k, sp.Integer(1)), (s, sp.Integer(1))]
SWAPS += [(kappa_c, kappa_s), (kappa_s, kappa_c), (high, low), (low, high)]  # the indices of what has no areas
WRITTEN_OUT = (sp.Sum, sp.Product, sp.Indexed)  # numbers in these are where to count from, too


def with_another_index(expression):
    """The expression with one index of one entry of an array replaced: a bound one, or one that is a number, too."""
    for entry in sorted(expression.atoms(sp.Indexed), key=str):
        for place, index in enumerate(entry.indices):
            other = sp.Integer(2) if index == 1 else sp.Integer(1)
            indices = (*entry.indices[:place], other, *entry.indices[place + 1 :])
            yield expression.xreplace({entry: entry.base[indices]})


def with_another_number(expression):
    """The expression with one of its numbers altered, in an exponent or a logarithm, too."""
    for number in sorted(expression.atoms(sp.Number), key=str):
        if number not in (0, -1) and not expression.has(*WRITTEN_OUT):
            yield expression.xreplace({number: number * sp.Rational(8, 7)})


# The first says that the rates of all of them are one; in the second f_3 cancels, whatever power of h goes with it.
FIVE = "curvature-from-five-samples"
TRUE_TOO = {
    "equal-areas-merge": -sp.Derivative(proof.ell(fp[1]), fp[1]),
    FIVE: result(FIVE).statement.rhs.xreplace({sp.Integer(3): sp.Rational(24, 7)}),
}


def mutants(statement):
    """The statement with a sign, a coefficient or an index altered on its right side, or a side turned round."""
    if not isinstance(statement, sp.Eq):
        yield statement.func(-statement.lhs, statement.rhs)
        yield statement.func(statement.lhs, statement.rhs + sp.Rational(1, 7))
        for altered in with_another_index(statement.lhs):
            yield statement.func(altered, statement.rhs)
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
    for altered in itertools.chain(with_another_index(right), with_another_number(right)):
        yield sp.Eq(left, altered, evaluate=False)


@pytest.mark.parametrize("name", EACH)
def test_every_result_proves_itself(name):
    found = result(name)
    reports = found.check()
    assert len(reports) == len(found.steps) + 1
    assert all(report.checked.how for report in reports)


@pytest.mark.parametrize("name", NAMES)
def test_a_statement_altered_once_is_not_proved(name):
    found = result(name)
    with pytest.raises(DerivationError):
        proof.follows(next(mutants(found.statement)), found.steps)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_no_altered_statement_is_proved(name):
    found = result(name)
    altered = [mutant for mutant in mutants(found.statement) if mutant.rhs != TRUE_TOO.get(name)]
    assert len(altered) >= 2
    for mutant in altered:
        with pytest.raises(DerivationError):
            proof.follows(mutant, found.steps)
    with pytest.raises(DerivationError, match=name):
        dataclasses.replace(found, statement=altered[0]).check()


def refuse_altered_steps(name, numbers):
    found = result(name)
    for number in numbers:
        step = found.steps[number]
        altered = dataclasses.replace(step, after=step.after * sp.Rational(8, 7) + sp.Rational(1, 7))
        steps = (*found.steps[:number], altered, *found.steps[number + 1 :])
        with pytest.raises(DerivationError, match=name):
            dataclasses.replace(found, steps=steps).check()


def alterable(name):
    return [number for number, step in enumerate(result(name).steps) if isinstance(step.after, sp.Expr)]


@pytest.mark.parametrize("name", [name for name in NAMES if alterable(name) and name not in LONG])
def test_an_altered_first_step_is_not_proved(name):
    refuse_altered_steps(name, alterable(name)[:1])


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if alterable(name)])
def test_no_altered_step_is_proved(name):
    refuse_altered_steps(name, alterable(name))


def test_every_statement_with_an_index_is_altered_in_an_index():
    for found in results():
        altered = any(True for _ in with_another_index(found.statement))
        assert altered == found.statement.has(sp.Indexed), found.name


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
        for names in re.findall(r"[Rr]esults?\s+((?:``[a-z-]+``[,\s]*)+)", path.read_text(encoding="utf-8")):
            named |= {(name, f"dynamics.{path.stem}") for name in re.findall(r"``([a-z-]+)``", names)}
    assert named == {(found.name, module) for found in results() for module in found.used_in}
    assert {name for name, _ in named} <= set(NAMES)


LINKS = """
attention reconstruction query-loss-of-attention rows-decouple gradient-stays-in-the-span
softmax-rule residual-identity fp-rate-target fp-rate-other pp-rate-target pp-rate-masked pp-rate-self
pp-rate-over-clusters shift-invariance pp-rates-sum-to-zero exchangeable-patches equal-areas-merge occupancy-law
loss-floor dissipation target-never-falls loss-above-floor mean-field second-order conditional-factorial-moments
integral-form start-target start-global information-gap phase-one-global phase-one-end phase-one-end-target plateau
half-time half-time-exponent pp-over-fp late-mean-field late-mean-field-finite late-exact latent-rate
latent-half-time latent-spread
"""


def test_no_link_of_the_argument_is_missing():
    assert set(LINKS.split()) <= set(NAMES)


def test_an_unknown_result_is_refused_by_name():
    with pytest.raises(ValueError, match="name='fp-rate': expected a result, such as pp-rate, fp-rate-other, "):
        result("fp-rate")
    for wrong in (3, None, ["fp-rate-target"], b"half-time", {}, 1.5):
        with pytest.raises(ValueError, match=r"^name=.*: expected a result, such as "):
            result(wrong)
