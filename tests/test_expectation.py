"""What two curves of one query may differ by, as their records say: curves of one theory do not differ by more."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dynamics as dy
from tests.settings import NARROW, ONE, SMALL, THREE, TWO, WIDE
from tests.strategies import settings_of_learning

EIGHT = dy.Setting(dy.Geometry.single_cluster(8, 4, 2))


def flow(setting, query, step, steps, closure="exact", **solver):
    system, t = dy.reduce(setting, query, closure), step * np.arange(1, steps + 1)
    return dy.integrate(system, t_end=t[-1], t_eval=t, **solver)


def descent(setting, query, step, steps, closure="exact"):
    return dy.descend(dy.reduce(setting, query, closure), step, steps)


def training(setting, query, step, steps, samples=None, seed=0):
    return dy.FiniteTransformer(setting, seed=seed, basis="coordinates").train(step, steps, samples).of(query)


def verdicts(first, second):
    """The words of the table, the same both ways round."""
    table, turned = dy.compare(first, second), dy.compare(second, first)
    assert [row.tolerance for row in table.rows] == pytest.approx([row.tolerance for row in turned.rows], rel=1e-12)
    return {row.verdict for row in table.rows}, table.note


# --- curves of one theory ---


@pytest.mark.parametrize("name", SMALL)
def test_the_same_descent_reduced_and_trained_agrees_to_rounding(name):
    words, note = verdicts(descent(SMALL[name], 1, 0.5, 100), training(SMALL[name], 1, 0.5, 100))
    assert (words, note) == ({"agrees"}, "expected: the same to rounding, 1e-12")
    off = descent(SMALL[name], 1, 0.5, 100)
    off.y[0, 50] += 1e-11
    assert not dy.compare(off, training(SMALL[name], 1, 0.5, 100)).agrees


@pytest.mark.parametrize("closure", ["exact", "mean-field", "second-order", "sampled"])
@pytest.mark.parametrize("step", [0.05, 0.5, 4.0])
def test_a_flow_is_consistent_with_its_descent_by_the_error_of_the_step(closure, step):
    words, note = verdicts(flow(WIDE, "local", step, 40, closure), descent(WIDE, "local", step, 40, closure))
    assert words == {"consistent"}
    assert note == f"expected: 2 times the O(η) error of η = {step:g} + 100 times the tolerance of the solver"


def test_what_is_expected_of_a_step_is_in_proportion_to_it():
    steps = np.array([2.0, 1.0, 0.5, 0.25])
    runs = [(ONE, "local", step, int(40 / step)) for step in steps]
    tables = [dy.compare(flow(*run), descent(*run)) for run in runs]
    within = [table.rows[0].tolerance for table in tables]
    assert np.polyfit(np.log(steps), np.log(within), 1)[0] == pytest.approx(1, abs=0.1)
    parts = [table.rows[0].largest / table.rows[0].tolerance for table in tables]
    assert parts == pytest.approx([0.5] * 4, abs=0.2)


@pytest.mark.parametrize(("setting", "query"), [(ONE, "local"), (TWO, 3), (THREE, 2), (ONE, "global")])
def test_a_flow_is_consistent_with_an_exact_training(setting, query):
    assert verdicts(flow(setting, query, 0.8, 60), training(setting, query, 0.8, 60))[0] == {"consistent"}


@pytest.mark.parametrize(
    "solver",
    [{"method": method, "rtol": 1e-4, "atol": 1e-6} for method in ("RK45", "RK23", "DOP853", "Radau", "BDF", "LSODA")]
    + [{"method": "compiled", "rtol": 1e-6}],
    ids=lambda solver: solver["method"],
)
def test_two_flows_are_consistent_by_the_tolerance_of_their_solvers(solver):
    words, note = verdicts(flow(NARROW, "local", 1.0, 120, **solver), flow(NARROW, "local", 1.0, 120))
    assert (words, note) == ({"consistent"}, "expected: 100 times the tolerance of the solver")


def test_descents_of_two_step_sizes_are_consistent():
    fine, coarse = descent(TWO, 3, 0.25, 160), descent(TWO, 3, 0.5, 80)
    words, note = verdicts(fine, coarse)
    assert words == {"consistent"}
    assert "η = 0.25 + 2 times the O(η) error of η = 0.5" in note
    assert verdicts(training(TWO, 3, 0.25, 160), coarse)[0] == {"consistent"}
    assert verdicts(training(TWO, 3, 0.25, 160), training(TWO, 3, 0.5, 80))[0] == {"consistent"}


@pytest.mark.parametrize(
    ("setting", "query", "step", "samples"),
    [
        (EIGHT, "local", 0.6, 1),
        (WIDE, "local", 0.5, 8),
        (TWO, 3, 1.0, 64),
        (THREE, 2, 0.5, 4),
        (ONE, "global", 0.5, 16),
    ],
)
def test_a_training_on_samples_is_consistent_with_all_that_it_stands_for(setting, query, step, samples):
    first, second = (training(setting, query, step, 80, samples, seed) for seed in range(2))
    for against in (flow(setting, query, step, 80), descent(setting, query, step, 80), first):
        table = dy.compare(against, second)
        assert {row.verdict for row in table.rows} == {"consistent"}
        trainings = "two trainings" if against is first else "a training"
        assert table.note.startswith(f"expected: 5 standard deviations of {trainings} on {samples} samples a step")
        assert ("O(η)" in table.note) == (against.kind == "flow")


def test_what_is_expected_of_samples_is_five_deviations_to_the_record():
    """√C_ii of (8, 4×2), 8 masked, at T = 25.386, which enumeration of a matrix transformer gave."""
    step, steps, samples = 25.3857 / 200, 200, 32
    drawn = training(EIGHT, "local", step, steps, samples)
    last = dataclasses.replace(drawn, t=drawn.t[-1:], y=drawn.y[:, -1:], log_t=drawn.log_t[-1:])
    table = dy.compare(descent(EIGHT, "local", step, steps), last)
    deviations = np.array([0.31934, 0.08063, 0.05772, 0.08740, 0.01907, 0.02248, 0.02539]) * np.sqrt(step / samples)
    assert [row.tolerance for row in table.rows] == pytest.approx(5 * deviations, rel=0.004)


@settings(max_examples=15)
@given(
    settings_of_learning(most_patches=6), st.integers(0, 99), st.sampled_from([1, 5, 50]), st.sampled_from([0.2, 1.0])
)
def test_trainings_of_any_setting_are_consistent(setting, seed, samples, step):
    query = seed % setting.geometry.patches
    drawn = training(setting, query, step, 30, samples, seed)
    assert dy.compare(flow(setting, query, step, 30), drawn).agrees
    assert dy.compare(descent(setting, query, step, 30), drawn).agrees


# --- and of no other ---


@pytest.mark.parametrize(
    "changed",
    [
        {"latent": 1.6},
        {"mask_ratio": 0.8},
        {"geometry": dy.Geometry.single_cluster(10, 2, 3)},
    ],
    ids=lambda changed: next(iter(changed)),
)
@pytest.mark.parametrize("samples", [None, 200])
def test_a_training_of_another_setting_differs_though_its_record_says_otherwise(changed, samples):
    other = dy.Setting(**{"geometry": EIGHT.geometry, "mask_ratio": 0.5, "latent": 1.0} | changed)
    record = training(EIGHT, "local", 0.5, 60, samples).provenance
    query = other.geometry.patches - 1
    claimed = dataclasses.replace(training(other, query, 0.5, 60, samples), provenance=record)
    for against in (flow(EIGHT, "local", 0.5, 60), descent(EIGHT, "local", 0.5, 60)):
        table = dy.compare(against, claimed)
        assert not table.agrees
        assert table.rows[0].verdict == "differs"


def test_a_closure_that_is_off_differs_and_the_note_says_so():
    trained = training(EIGHT, "local", 0.1, 300)
    for closure, order in (("mean-field", "1/C"), ("second-order", "1/C²"), ("sampled", "1/√samples")):
        table = dy.compare(flow(EIGHT, "local", 0.1, 300, closure), trained)
        assert not table.agrees
        assert table.note.splitlines()[1] == f"beside that the closures differ: {closure} is off by O({order})"
    few = dy.compare(flow(EIGHT, "local", 0.1, 300, "mean-field"), training(EIGHT, "local", 0.1, 300, samples=1))
    assert few.agrees  # one sample a step does not tell


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"provenance": {}}, "expected kind among them"),
        ({"provenance": {"kind": "training", "samples": 5}}, "expected start, step_size, steps, every among them"),
        ({"provenance": {**training(TWO, 3, 0.5, 2).provenance, "start": "a Q"}}, "the Q it began at is not on record"),
        ({"provenance": training(ONE, 3, 0.5, 2).provenance}, "they are of another labels"),
        ({"provenance": {**descent(TWO, 3, 0.5, 2).provenance, "start": {"state": [1.0] * 11}}}, "of another start"),
        ({"provenance": {**descent(TWO, 3, 0.25, 2).provenance, "failed": True}}, "a curve that came to its end"),
    ],
)
def test_records_that_do_not_say_enough_leave_rounding_and_say_so(changes, said):
    steps = descent(TWO, 3, 0.5, 20)
    table = dy.compare(steps, dataclasses.replace(steps, **changes))
    assert table.agrees
    assert {row.tolerance for row in table.rows} == {1e-12}
    assert table.note.startswith("tolerance 1e-12: the records say nothing to expect (")
    assert said in table.note


def test_a_tolerance_that_is_given_is_all_that_counts():
    table = dy.compare(flow(TWO, 3, 0.5, 20), descent(TWO, 3, 0.5, 20), tolerance=1e-12)
    assert (table.note, {row.tolerance for row in table.rows}, table.agrees) == ("", {1e-12}, False)
    same = dy.compare(descent(TWO, 3, 0.5, 20), descent(TWO, 3, 0.5, 20), 1.0)
    assert {row.verdict for row in same.rows} == {"agrees"}


def test_curves_from_files_are_expected_to_differ_by_as_much(tmp_path):
    curves = flow(WIDE, "local", 0.5, 30, "mean-field"), training(WIDE, "local", 0.5, 30, 4)
    read = [dy.load(curve.save(tmp_path / f"{curve.kind}.csv")) for curve in curves]
    assert str(dy.compare(*curves)) == str(dy.compare(*read))
    assert json.loads(json.dumps(read[0].provenance)) == read[0].provenance


def test_a_flow_that_was_continued_is_the_unbroken_one():
    system = dy.reduce(WIDE, "local", "mean-field")
    times = [20.0, 30.0, 40.0]
    first = dy.integrate(system, t_end=15.0)
    continued = dy.integrate(system, start=first, t_end=40.0, t_eval=times)
    found = dy.compare(continued, dy.integrate(system, t_end=40.0, t_eval=times))
    assert found.agrees
    assert {row.verdict for row in found.rows} == {"consistent"}
    moved = dy.integrate(system, start=first.y[:, -1] + 0.1, t_end=40.0, t_eval=times)
    assert not dy.compare(moved, continued).agrees
