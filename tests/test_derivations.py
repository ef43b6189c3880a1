"""The derived formulas, for any number of areas, against what the theory states."""

from dataclasses import replace

import pytest
import sympy as sp

from derivations import gradients, model, rates
from derivations.statements import result
from derivations.symbols import A, N, R, a, attn, j, l, m, r, z

DELTA = sp.KroneckerDelta


def others(*areas):
    """Σ z_j² A_j² over all areas but these."""
    return sp.Sum(sp.prod([1 - DELTA(j, area) for area in areas]) * z[j] ** 2 * A[j] ** 2, (j, 1, N))


def same(derived, claimed):
    """Equal as expressions, R_m being 1 − A_m."""
    missing = {R[area]: 1 - A[area] for area in (a, m, l)}
    return sp.expand((derived - claimed).subs(missing)) == 0


def test_every_formula_holds_for_any_number_of_areas():
    for key in (a, m, None):
        assert N in gradients.pull(key).free_symbols


def test_the_derivative_of_the_softmax_by_a_score_is_derived():
    q = gradients.q
    assert gradients.softmax_derivative() == attn[q] * DELTA(q, r) - attn[q] * attn[r]


def test_the_fp_rate_of_the_target_is_the_papers_alpha():
    claimed = z[a] * A[a] * (z[a] ** 2 * (1 - A[a]) ** 2 + others(a))
    assert same(result("fp-rate-target").statement.rhs, claimed)


def test_the_fp_rate_of_another_area_is_the_papers_alpha():
    own, target = z[m] ** 2 * A[m] * (1 - A[m]), z[a] ** 2 * A[a] * (1 - A[a])
    assert same(result("fp-rate-other").statement.rhs, z[m] * A[m] * (-own - target + others(a, m)))


def test_the_pp_rate_of_a_masked_patch_is_minus_its_attention_times_the_mean_residual():
    mean = z[a] ** 2 * (1 - A[a]) * A[a] - others(a)
    assert same(result("pp-rate-masked").statement.rhs, -attn[r] * mean)


@pytest.mark.parametrize(
    ("key", "residual"), [(a, z[a] ** 2 * (1 - A[a])), (m, -(z[m] ** 2) * A[m]), (None, sp.Integer(0))]
)
def test_one_identity_gives_every_pull(key, residual):
    # g_m = z_m ρ_m − Σ_j ρ_j z_j A_j; the sum over all areas written at a and, where it matters, at m
    split = (a,) if key is None else tuple(dict.fromkeys((a, key)))
    mean = z[a] ** 2 * (1 - A[a]) * A[a] - others(*split)
    mean -= z[m] ** 2 * A[m] ** 2 if key == m else 0
    assert same(gradients.pull(key), residual - mean)


@pytest.mark.parametrize(("first", "second"), [(a, m), (a, None), (m, None), (m, l)])
def test_second_derivatives_do_not_depend_on_their_order(first, second):
    assert same(gradients.curvature(first, second), gradients.curvature(second, first))


def test_the_curvature_is_the_derivative_of_the_pull_in_an_independent_way():
    # per attention: −∂²ℓ = z_e² δ − … with c_j = z_j² (δ_ja − 2 A_j), as a low-rank form
    def c(key):
        return sp.Integer(0) if key is None else z[key] ** 2 * (int(key == a) - 2 * A[key])

    squares = z[a] ** 2 * A[a] ** 2 + others(a)
    mean = z[a] ** 2 * A[a] - squares
    for first, second in [(a, a), (a, m), (a, None), (m, l), (m, None), (None, None)]:
        own = z[a] ** 2 if first == second == a else 0
        claimed = -(c(first) + c(second) - (2 * mean - squares) + own)
        assert same(gradients.curvature(first, second), claimed)


def test_every_formula_that_runs_takes_plain_numbers():
    for formula in (*rates.formulas(), *rates.curvatures()):
        assert formula.expression.free_symbols <= set(formula.arguments)
        assert not formula.expression.has(sp.Sum, sp.Indexed, DELTA)


def test_a_sum_over_areas_may_be_split_anywhere():
    whole = sp.Sum(z[j] ** 2 * A[j] ** 2, (j, 1, N))
    split = gradients.over_areas(z[j] ** 2 * A[j] ** 2, a, m)
    numbers = {N: 4, a: 2, m: 3} | {A[i]: sp.Rational(i, 11) for i in range(1, 5)} | {z[i]: i for i in range(1, 5)}
    assert split.subs(numbers).doit().subs(numbers) == whole.subs(numbers).doit().subs(numbers)


def test_the_model_written_out_for_a_geometry_is_the_loss_of_its_attentions():
    loss = model.query_loss().subs({N: 3, a: 1}).doit()
    assert sp.expand(loss - sum((z[i] * (int(i == 1) - A[i])) ** 2 for i in (1, 2, 3)) / 2) == 0


def test_a_result_and_its_steps_are_one_line_each_without_formulas():
    found = result("query-loss-of-attention")
    said = "The loss of a masked query depends on the attention on areas alone"
    assert repr(found) == f"Result(query-loss-of-attention, exact, {said})"
    assert repr(found.steps[0]) == f"Step({found.steps[0].said})"
    long = replace(found, title="a long title " * 20)
    assert len(repr(long)) == 120
    assert repr(long).endswith("…)")
