"""Between the steps of a solver: times that are asked for, levels that are passed twice, and where a flow sets out."""

import numpy as np
import pytest

import dynamics as dy
from dynamics.solver import METHODS
from tests.settings import TWO, WIDE, first_log_t, random_system

SYSTEMS = {
    "mean-field": dy.reduce(WIDE, "local", "mean-field"),
    "second-order": dy.reduce(WIDE, "local", "second-order"),
    "global query": dy.reduce(dy.Setting(dy.Geometry.single_cluster(8, 2, 4), 1.5, 0.3), "global", "mean-field"),
    "law": dy.reduce(dy.Setting(WIDE.geometry, ([0.5, 1.5], [0.4, 0.6])), "local", "mean-field"),
    "exact": dy.reduce(dy.Setting(dy.Geometry.single_cluster(4, 2, 2)), "local", compiled=False),
    "two clusters": dy.reduce(TWO, 1),
    "P = 10^30": dy.reduce(dy.Setting(dy.Geometry.scaling(30, 0.9, 0.3)), "local", "mean-field"),
}
SYSTEM = SYSTEMS["mean-field"]


def times_are_kept(seed):
    """The times on the way and the end, against a solve of nearly all digits."""
    generator = np.random.default_rng(seed)
    system, rtol = random_system(generator), 10 ** generator.uniform(-11, -6)
    first = first_log_t(system)
    log_t_end = min(first + generator.uniform(1, 12), 690.0)
    asked = {"log_t_end": log_t_end, "t_eval": np.exp(np.linspace(first, log_t_end, 13))}
    if first > 680:
        asked = {"log_t_end": first + generator.uniform(1, 12)}
    found = dy.integrate(system, rtol=rtol, atol=rtol / 100, **asked)
    truth = dy.integrate(system, rtol=1e-13, atol=1e-15, **asked)
    asked_for = slice(-1, None) if "t_eval" not in asked else slice(None)
    size = np.abs(truth.y[:, asked_for])
    assert (np.abs(found.y[:, asked_for] - truth.y[:, asked_for]) <= 10 * (rtol * size + rtol / 100)).all(), seed


@pytest.mark.parametrize("seed", range(24))
def test_times_that_are_asked_for_are_within_ten_tolerances(seed):
    times_are_kept(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", np.split(np.arange(24, 1500), 12), ids=lambda seeds: str(seeds[0]))
def test_times_that_are_asked_for_are_within_ten_tolerances_in_1500_systems(seeds):
    for seed in seeds:
        times_are_kept(seed)


def extremes(system):
    """Group -> (level, log t) just below its highest maximum inside a flow, and just above its lowest minimum."""
    fine = dy.integrate(system, log_t_end=first_log_t(system) + 12, rtol=1e-11, atol=1e-13)
    log_times = np.linspace(first_log_t(system), fine.log_t[-1], 8001)
    fine = dy.integrate(system, log_t_end=log_times[-1], t_eval=np.exp(log_times), rtol=1e-11, atol=1e-13)
    for group, on in fine.attention.items():
        for sign, at in ((1, int(on.argmax())), (-1, int(on.argmin()))):
            level = on[at] * (1 - 1e-3 * sign)
            before, after = sign * (level - on[0]) > 1e-4 * level, sign * (level - on[-1]) > 1e-4 * level
            if before and after and 0 < level < 1:
                first = int((sign * (on - level) >= 0).argmax())
                yield group, float(level), fine.log_t[first]


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_level_that_is_passed_and_passed_again_within_a_step_is_seen(name):
    system = SYSTEMS[name]
    found = list(extremes(system))
    for group, level, log_t in found:
        for method in METHODS if name == "mean-field" else ("DOP853", "LSODA"):
            flow = dy.integrate(system, until=(group, level), method=method, rtol=1e-6, atol=1e-8)
            assert flow.log_t[-1] == pytest.approx(log_t, abs=0.01), (group, level, method)
        end = dy.endpoints([system], until=(group, level))
        assert end.arrived.all()
        assert end.log_t[0] == pytest.approx(log_t, abs=0.01)
    assert found or name in ("global query", "two clusters", "P = 10^30")


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_level_that_is_met_at_the_start_is_met_there(name):
    system = SYSTEMS[name]
    for group, level in system.attention(system.initial).items():
        if not 0 < level < 1:
            continue
        flow = dy.integrate(system, until=(group, level))
        assert (flow.t.tolist(), flow.provenance["ended"]) == ([0.0], f"attention on {group} = {level}")
        assert np.array_equal(flow.y[:, 0], system.initial)
        end = dy.endpoints([system], until=(group, level))
        assert (end.arrived.tolist(), end.log_t.tolist()) == ([True], [-np.inf])


def test_a_flow_that_goes_on_where_it_was_stopped_is_there():
    first = dy.integrate(SYSTEM, until=("target", 0.3))
    level = float(first.attention["target"][-1])
    again = dy.integrate(SYSTEM, until=("target", level), start=first)
    assert again.t[-1] == pytest.approx(first.t[-1], rel=1e-9)
    assert dy.integrate(SYSTEM, until=("target", 0.5), start=first).t[-1] == pytest.approx(50.167, abs=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_the_curve_within_a_step_is_as_good_as_its_ends(method):
    from scipy.integrate import DOP853

    from dynamics.solver import pose, solve

    log_last = np.log(60.0)
    problem = pose(SYSTEM, SYSTEM.initial, -np.inf, log_last, "arc-length", 1e-8)
    options = {"method": method, "rtol": 1e-6, "atol": 1e-8}
    steps = solve(SYSTEM, problem, log_last, None, options)
    for i in range(0, len(steps.curves) - 1, 1 + len(steps.curves) // 12):
        middle = (steps.at[i] + steps.at[i + 1]) / 2
        solver = DOP853(problem.rate, steps.at[i], steps.y[i], middle, rtol=1e-12, atol=1e-14)
        while solver.status == "running":
            solver.step()
        assert (np.abs(steps.between(i)(middle) - solver.y) <= 3 * steps.scale(solver.y)).all()


STARTS = {
    "query": (lambda: dy.integrate(dy.reduce(WIDE, 46, "mean-field"), t_end=1.0), "start's query=46: expected 'local'"),
    "closure": (lambda: dy.integrate(dy.reduce(WIDE, "local"), t_end=1.0), "start's closure='exact': expected"),
    "merging": (
        lambda: dy.integrate(dy.reduce(WIDE, "local", "mean-field", merge=False), t_end=1.0),
        "start=.*: expected a trajectory of",
    ),
    "mask ratio": (
        lambda: dy.integrate(dy.reduce(dy.Setting(WIDE.geometry, mask_ratio=0.25), "local", "mean-field"), t_end=1.0),
        "start's masked=16: expected 32",
    ),
    "latent": (
        lambda: dy.descend(dy.reduce(dy.Setting(WIDE.geometry, 0.5), "local", "mean-field"), 0.1, 2),
        r"start's latent=\[\[0.5\], \[1.0\]\]: expected",
    ),
    "a descent of another query": (
        lambda: dy.descend(dy.reduce(WIDE, 63, "mean-field"), 0.1, 2),
        "start's query=63: expected 'local'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", STARTS)
def test_a_start_of_another_problem_is_refused(kind):
    make, said = STARTS[kind]
    start = make()
    for go_on in (
        lambda: dy.integrate(SYSTEM, t_end=9.0, start=start),
        lambda: dy.descend(SYSTEM, 0.1, 2, start=start),
    ):
        with pytest.raises(ValueError, match=f"^{said}"):
            go_on()


def test_samples_of_another_seed_are_another_problem():
    of = {seed: dy.reduce(WIDE, "local", "sampled", samples=20, seed=seed) for seed in (0, 1)}
    start = dy.integrate(of[0], t_end=1.0)
    assert dy.integrate(of[0], t_end=2.0, start=start).t[0] == 1
    with pytest.raises(ValueError, match="start's seed=0: expected 1"):
        dy.integrate(of[1], t_end=2.0, start=start)


def test_a_start_is_no_name_of_a_file():
    with pytest.raises(ValueError, match=r"start='flow\.npz': expected a trajectory or a state: dy\.load reads one"):
        dy.integrate(SYSTEM, t_end=2.0, start="flow.npz")


@pytest.mark.parametrize("method", METHODS)
def test_every_method_keeps_the_times_that_are_asked_for(method):
    labels = [[0, 0, 0, 1, 1, 2, 2, 2], [0, 1, 1, 1, 0, 2, 2, 0], [2, 1, 0, 0, 1, 2, 2, 0]]
    system = dy.reduce(dy.Setting(dy.Geometry.from_labels(labels)), 0, "mean-field")
    asked = {"t_end": 1.5, "t_eval": [0.5, 1.0, 1.5]}
    found = dy.integrate(system, method=method, rtol=1e-8, atol=1e-8, **asked)
    truth = dy.integrate(system, rtol=1e-13, atol=1e-15, **asked)
    assert (np.abs(found.y - truth.y) <= 1e-7 * (np.abs(truth.y) + 1)).all()


def test_the_first_local_patch_is_the_local_query():
    start = dy.integrate(dy.reduce(WIDE, 40, "mean-field"), t_end=1.0)
    assert dy.integrate(SYSTEM, t_end=2.0, start=start).t[0] == 1


CALLS = {
    "integrate, plain": lambda: dy.integrate(SYSTEMS["exact"], until=("target", 0.5)),
    "descend": lambda: dy.descend(SYSTEM, 0.5, 300),
    "endpoints": lambda: dy.endpoints([SYSTEM, SYSTEM], log_t_end=300.0),
    "reduce at P = 10^1000": lambda: dy.reduce(dy.Setting(dy.Geometry.scaling(1000, 0.98, 0.3)), "local", "mean-field"),
    "log_rate": lambda: SYSTEMS["P = 10^30"].log_rate(np.full(7, 300.0)),
    "terms": lambda: SYSTEM.terms(np.linspace(-300, 300, 7)),
    "exponent": lambda: dy.exponent("half-time", 0.98, 0.3, ladder=[100, 200, 400, 800]),
    "attention_map": lambda: dy.attention_map(SYSTEM, np.linspace(-300, 300, 7)),
    "closure_error": lambda: dy.closure_error(dy.Setting(dy.Geometry.single_cluster(4, 2, 2)), "local", [60.0] * 7, 5),
    "train": lambda: dy.FiniteTransformer(TWO, basis="coordinates").train(50.0, 20).of(1),
    "max_margin": lambda: dy.max_margin(dy.Setting(dy.Geometry.single_cluster(4, 2, 2)), "local"),
    "plot at P = 10^1000": lambda: dy.integrate(
        dy.reduce(dy.Setting(dy.Geometry.scaling(1000, 0.98, 0.3)), "local", "mean-field"), until=("target", 0.5)
    ).plot(),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_underflow_is_no_error_whatever_the_state_of_numpy(name):
    with np.errstate(all="raise"):
        CALLS[name]()


def test_numbers_of_mpmath_are_made_outside_of_a_ufunc():
    from dynamics import stated

    with np.errstate(all="raise"):
        assert stated._as_numbers(np.array([0.5, 1.0])).tolist() == [0.5, 1.0]
