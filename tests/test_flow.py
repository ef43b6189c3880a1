"""Curves: SciPy's solvers in three variables, descent, restarts, limits, and what a failure says."""

import pickle

import numpy as np
import pytest

import dynamics as dy
from dynamics.solver import METHODS
from tests.settings import NARROW, THREE, TWO, WIDE


@pytest.fixture(scope="module")
def mean_field():
    return dy.reduce(WIDE, "local", "mean-field")


@pytest.fixture(scope="module")
def precise(mean_field):
    return dy.integrate(mean_field, t_end=80.0, rtol=1e-12, atol=1e-13, t_eval=[0.0, 1e-9, 1.0, 10.0, 50.0, 80.0])


@pytest.mark.parametrize("variable", ["time", "log-time", "arc-length"])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_in_every_variable_solves_the_same_flow(mean_field, precise, method, variable):
    flow = dy.integrate(mean_field, t_end=80.0, method=method, variable=variable, t_eval=precise.t)
    assert dy.compare(flow, precise, tolerance=3e-6).agrees
    assert flow.t.tolist() == precise.t.tolist()
    stepped = dy.integrate(mean_field, t_end=80.0, method=method, variable=variable)
    assert (stepped.t[0], stepped.t[-1], stepped.log_t[-1]) == (0, 80, np.log(80))


@pytest.mark.parametrize("variable", ["time", "arc-length"])
def test_tolerances_are_kept(mean_field, precise, variable):
    errors = []
    for rtol in (1e-4, 1e-6, 1e-8):
        tolerances = {"method": "RK45", "rtol": rtol, "atol": rtol / 100}
        flow = dy.integrate(mean_field, t_end=80.0, variable=variable, t_eval=precise.t, **tolerances)
        errors.append(np.abs(flow.y - precise.y).max())
    assert errors[0] > 10 * errors[1] > 100 * errors[2]


def test_a_logarithm_starts_where_the_tangent_is_within_tolerance(mean_field):
    from dynamics.solver import pose

    for atol in (1e-6, 1e-10):
        problem = pose(mean_field, mean_field.initial, -np.inf, 4.0, "arc-length", atol)
        moment = np.exp(problem.initial[-1])
        bend = mean_field.jacobian(mean_field.initial) @ mean_field.rate(mean_field.initial)
        assert 1e-5 * atol < np.abs(bend).max() * moment**2 / 2 < 1e-3 * atol


@pytest.mark.parametrize("variable", ["time", "log-time", "arc-length"])
def test_implicit_methods_get_the_derivative_of_what_is_stepped(mean_field, variable):
    from dynamics.solver import pose

    problem = pose(mean_field, mean_field.initial, -np.inf, 4.0, variable, 1e-10)
    state = problem.initial + np.random.default_rng(0).normal(scale=0.3, size=len(problem.initial))
    at, step = 1.3, 1e-6
    if variable == "arc-length":
        state[-1] = 1.0
    for i, unit in enumerate(np.eye(len(state))):
        slope = (problem.rate(at, state + step * unit) - problem.rate(at, state - step * unit)) / (2 * step)
        assert np.abs(slope - problem.jacobian(at, state)[:, i]).max() <= 1e-8


@pytest.mark.parametrize("method", METHODS)
def test_the_derivative_is_handed_to_the_methods_that_use_one(mean_field, monkeypatch, method):
    import scipy.integrate

    solver, seen = getattr(scipy.integrate, method), []
    monkeypatch.setattr(scipy.integrate, method, lambda *a, **k: seen.append(k) or solver(*a, **k))
    dy.integrate(mean_field, t_end=2.0, method=method)
    assert ("jac" in seen[0]) == (method in ("Radau", "BDF", "LSODA"))


@pytest.mark.parametrize("variable", ["time", "log-time", "arc-length"])
def test_the_flow_sets_out_along_its_rate(mean_field, variable):
    early = [1e-12, 1e-9, 1e-6]
    flow = dy.integrate(mean_field, t_end=2.0, variable=variable, t_eval=early)
    assert np.allclose(flow.y / early, mean_field.rate(mean_field.initial)[:, None], rtol=1e-5, atol=0)


@pytest.mark.parametrize("variable", ["time", "arc-length"])
def test_a_flow_continued_is_the_flow_unbroken(mean_field, precise, variable):
    first = dy.integrate(mean_field, t_end=10.0, variable=variable, rtol=1e-10, atol=1e-12)
    second = dy.integrate(mean_field, t_end=80.0, variable=variable, rtol=1e-10, atol=1e-12, start=first)
    assert second.t[0] == 10
    assert np.abs(second.y[:, -1] - precise.y[:, -1]).max() <= 1e-8


@pytest.mark.parametrize("end", [350.48939644053155, 346.31738547129817, 552.8768805242346])
def test_a_flow_continued_may_be_wanted_where_it_begins(end):
    system = dy.reduce(WIDE, "local", "mean-field")
    first = dy.integrate(system, t_end=end)
    second = dy.integrate(system, t_end=2000.0, start=first, t_eval=[end, 1500.0])
    assert np.abs(second.y[:, 0] - first.y[:, -1]).max() <= 1e-13
    assert second.t[0] == end


def test_until_stops_where_the_attention_gets_there(mean_field):
    flow = dy.integrate(mean_field, until=("target", 0.5), rtol=1e-10, atol=1e-12)
    assert flow.attention["target"][-1] == pytest.approx(0.5, abs=1e-9)
    sampled = dy.integrate(mean_field, until=("target", 0.5), t_eval=[1.0, 20.0, 70.0], rtol=1e-10, atol=1e-12)
    assert sampled.t[:-1].tolist() == [1.0, 20.0]
    assert sampled.t[-1] == pytest.approx(flow.t[-1], rel=1e-9)


@pytest.mark.parametrize(
    ("setting", "exact", "mean_field"),
    [(WIDE, "52.60", "50.17"), (dy.Setting(dy.Geometry.single_cluster(832, 8, 21)), None, "353.1")],
)
def test_half_times_of_the_theory(setting, exact, mean_field):
    for closure, expected in (("exact", exact), ("mean-field", mean_field)):
        if expected is not None:
            flow = dy.integrate(dy.reduce(setting, "local", closure), until=("target", 0.5), rtol=1e-10, atol=1e-12)
            assert f"{flow.t[-1]:.{len(expected.split('.')[1])}f}" == expected


def test_the_late_flow_follows_its_power_law():
    # large-P: the loss per masked patch approaches 1/(4t) from (C − 1)/C of it
    system = dy.reduce(dy.Setting(dy.Geometry.scaling(12, 0.98, 0.3)), "local", "mean-field")
    flow = dy.integrate(system, log_t_end=60.0, rtol=1e-10, atol=1e-12)
    late = flow.log_t > 50
    slope = np.polyfit(flow.log_t[late], np.log(flow.loss[late]), 1)[0]
    assert slope == pytest.approx(-1, abs=1e-3)
    local = 10 ** (12 * 0.3)
    assert 4 * flow.t[-1] * flow.loss[-1] == pytest.approx((local - 1) / local, rel=5e-3)


def test_flow_minus_descent_shrinks_linearly_in_the_step(mean_field):
    flow = dy.integrate(mean_field, t_end=40.0, rtol=1e-12, atol=1e-14)
    steps = np.array([40, 80, 160, 320, 640])
    gaps = [np.abs(dy.descend(mean_field, 40.0 / n, int(n)).y[:, -1] - flow.y[:, -1]).max() for n in steps]
    slope = np.polyfit(np.log(40.0 / steps), np.log(gaps), 1)[0]
    assert 0.95 <= slope <= 1.05


def test_a_descent_continued_through_a_file_is_the_descent_unbroken_bit_for_bit(tmp_path):
    system = dy.reduce(THREE, 1)
    whole = dy.descend(system, 0.7, 90)
    first = dy.load(dy.descend(system, 0.7, 40).save(tmp_path / "first.npz"))
    second = dy.descend(system, 0.7, 50, start=first)
    assert np.array_equal(second.y, whole.y[:, 40:])
    assert np.array_equal(second.t, whole.t[40:])


def test_a_descent_may_be_recorded_now_and_then():
    system = dy.reduce(TWO, 1)
    whole, thin = dy.descend(system, 0.5, 10), dy.descend(system, 0.5, 10, every=4)
    assert np.array_equal(thin.y, whole.y[:, [0, 4, 8, 10]])
    assert np.array_equal(thin.t, whole.t[[0, 4, 8, 10]])
    for i, state in enumerate(thin.y.T):
        assert thin.loss[i] == system.loss(state)
        assert {name: on[i] for name, on in thin.attention.items()} == system.attention(state)


def test_nothing_moves_in_no_steps():
    curve = dy.descend(dy.reduce(TWO, 1), 0.5, 0)
    assert curve.y.shape[1] == 1
    assert not curve.y.any()


def test_plain_python_gives_the_same_curve(mean_field):
    plain = dy.reduce(WIDE, "local", "mean-field", compiled=False)
    same = dy.compare(dy.descend(plain, 1.0, 60), dy.descend(mean_field, 1.0, 60), tolerance=1e-13)
    assert same.agrees


def test_a_step_that_leaves_the_finite_numbers_is_an_error_with_the_curve_so_far():
    strong = dy.reduce(dy.Setting(WIDE.geometry, 20.0), "local", "mean-field")
    with pytest.raises(
        dy.IntegrationError, match=r"step_size=1e\+307: the state is not finite after 1 steps"
    ) as caught:
        dy.descend(strong, 1e307, 10)
    assert np.isfinite(caught.value.trajectory.y).all()
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.trajectory.t.tolist()) == (str(caught.value), caught.value.trajectory.t.tolist())


def test_what_is_not_finite_is_an_error_whatever_the_solver_says(mean_field, monkeypatch):
    from scipy.integrate import DOP853

    step = DOP853.step

    def broken(solver):  # as LSODA, which has returned NaN and success
        said = step(solver)
        solver.y[0] = np.nan if solver.t > 1 else solver.y[0]
        return said

    monkeypatch.setattr(DOP853, "step", broken)
    with pytest.raises(dy.IntegrationError, match="left the finite numbers") as caught:
        dy.integrate(mean_field, t_end=10.0)
    assert np.isfinite(caught.value.trajectory.y).all()
    assert len(caught.value.trajectory.t) > 3


def test_a_group_that_is_never_attended_to_is_an_error_that_says_so():
    alone = dy.Setting(dy.Geometry.single_cluster(4, 1, 3))
    with pytest.raises(dy.IntegrationError, match=r"not reached; the attention goes from 0 to 0 \(at log t = 700"):
        dy.integrate(dy.reduce(alone, "local"), until=("target", 0.5))


@pytest.mark.parametrize("variable", ["time", "log-time"])
def test_until_needs_no_last_time_in_any_variable(mean_field, variable):
    flow, usual = (dy.integrate(mean_field, until=("target", 0.5), variable=v) for v in (variable, "auto"))
    assert flow.t[-1] == pytest.approx(usual.t[-1], rel=1e-6)


def test_what_comes_first_ends_the_flow(mean_field):
    early, late = (dy.integrate(mean_field, t_end=t, until=("target", 0.5)) for t in (30.0, 300.0))
    assert (early.t[-1], early.provenance["ended"]) == (30, "t_end")
    assert late.t[-1] < 60
    assert late.provenance["ended"] == "attention on target = 0.5"


def test_the_exact_flow_of_the_other_regime_has_one_phase():
    flow = dy.integrate(dy.reduce(NARROW, "local"), until=("target", 0.5))
    wide = dy.integrate(dy.reduce(WIDE, "local"), until=("target", 0.5))
    assert flow["fp.global"].min() > 0.35 * wide["fp.global"].min()
    rises = [np.diff(curve["fp.target"]) > -np.diff(curve["fp.global"]) for curve in (flow, wide)]
    assert rises[0].all()  # from the first step on; the other falls first
    assert not rises[1][: len(rises[1]) // 3].any()


def test_a_descent_continued_at_another_step_size_goes_on_in_time(mean_field):
    first = dy.descend(mean_field, 0.7, 40)
    second = dy.descend(mean_field, 0.1, 5, start=first)
    assert second.t == pytest.approx(28 + 0.1 * np.arange(6), rel=1e-14, abs=0)
    third = dy.descend(mean_field, 0.1, 5, start=second)
    assert third.t[0] == pytest.approx(28.5, rel=1e-14, abs=0)


def test_a_descent_continues_a_flow_in_time(mean_field):
    first = dy.descend(mean_field, 0.5, 4, start=dy.integrate(mean_field, t_end=10.0))
    second = dy.descend(mean_field, 0.5, 4, start=first)
    assert (first.t[-1], second.t[-1]) == pytest.approx((12, 14), rel=1e-14, abs=0)
