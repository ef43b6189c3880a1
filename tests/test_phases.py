"""Phases: which Φ moves fastest, when that changes, and what ended each."""

import math

import numpy as np
import pytest

import dynamics as dy
from dynamics.phases import Watch, divide
from tests.settings import NARROW, THREE_VALUES, TWO, WIDE

DECOUPLED = dy.Setting(dy.Geometry.single_cluster(88, 3, 4))


def names(curve):
    return [phase.name for phase in curve.phases]


def test_there_are_two_phases_before_the_half_time_above_the_gap_and_one_below():
    for closure in ("exact", "mean-field"):
        above, below = (dy.reduce(setting, "local", closure) for setting in (DECOUPLED, NARROW))
        assert names(dy.integrate(above, t_end=400.0)) == ["decoupling", "growth", "late"]
        assert names(dy.integrate(below, t_end=400.0)) == ["growth", "late"]


def test_phases_join_and_say_what_ended_them():
    flow = dy.integrate(dy.reduce(DECOUPLED, "local"), t_end=400.0)
    first, second, last = flow.phases
    assert (first.start, first.log_start) == (0, -math.inf)
    assert (first.log_end, second.log_end, last.end) == (second.log_start, last.log_start, pytest.approx(400))
    assert first.ended_by == "Φ of the target overtakes every other"
    assert second.ended_by == "attention on the target rises to 0.5"
    assert last.ended_by == "t_end"
    assert last.state == pytest.approx(flow.y[:, -1])


@pytest.mark.parametrize("closure", ["exact", "mean-field"])
def test_at_the_end_of_a_phase_the_two_rates_meet_or_half_the_attention_is_on_the_target(closure):
    system = dy.reduce(DECOUPLED, "local", closure)
    first, second, _ = dy.integrate(system, t_end=400.0, rtol=1e-11, atol=1e-13).phases
    rate = dict(zip(system.names, np.abs(system.rate(first.state)), strict=True))
    assert rate["fp.target"] == pytest.approx(rate["fp.global"], rel=1e-9)
    assert system.attention(second.state)["target"] == pytest.approx(0.5, rel=1e-9)
    assert second.log_end == pytest.approx(dy.log_half_time(system), rel=1e-9)


def test_a_phase_that_a_curve_ends_in_is_ended_by_what_ends_the_curve():
    system = dy.reduce(WIDE, "local")
    flow = dy.integrate(system, until=("target", 0.5))
    assert names(flow) == ["decoupling", "growth"]
    assert flow.phases[-1].ended_by == flow.provenance["ended"] == "attention on target = 0.5"
    assert flow.phases[-1].state == pytest.approx(flow.y[:, -1])


def test_where_records_are_wanted_does_not_move_the_phases():
    system = dy.reduce(DECOUPLED, "local")
    flow, thin = (dy.integrate(system, t_end=400.0, t_eval=at) for at in (None, [1.0, 400.0]))
    assert [phase.log_end for phase in thin.phases] == [phase.log_end for phase in flow.phases]


def test_a_descent_and_a_training_have_the_phases_of_the_flow():
    system = dy.reduce(DECOUPLED, "local")
    ends = [phase.end for phase in dy.integrate(system, t_end=400.0).phases]
    steps = dy.descend(system, 0.05, 8000, every=20)
    assert [phase.end for phase in steps.phases] == pytest.approx(ends, rel=2e-3)
    setting = dy.Setting(dy.Geometry.single_cluster(8, 2, 3))
    training = dy.FiniteTransformer(setting, basis="coordinates").train(0.25, 600)
    exact = dy.integrate(dy.reduce(setting, 9), t_end=150.0)
    curve = training.of(9)
    assert names(curve) == names(exact)
    assert [phase.end for phase in curve.phases] == pytest.approx([phase.end for phase in exact.phases], rel=0.02)


def test_with_several_clusters_the_target_of_each_counts():
    system = dy.reduce(TWO, 0)
    assert system.coordinates.targets == ("fp[0,0]", "fp[1,0]")
    # a start from which areas that are not the target fall first
    start = np.zeros(len(system.names))
    start[[system.names.index("fp[0,1]"), system.names.index("fp[1,1]")]] = 2.0
    first = dy.integrate(system, t_end=300.0, start=start).phases[0]
    assert (first.name, first.ended_by) == ("decoupling", "Φ of the target overtakes every other")
    size = dict(zip(system.names, np.abs(system.rate(first.state)), strict=True))
    own = max(size[name] for name in system.coordinates.targets)
    others = max(size[n] for n in system.names if n.startswith("fp") and n not in system.coordinates.targets)
    assert own == pytest.approx(others, rel=1e-6)


@pytest.mark.parametrize("log10_patches", [30, 300])
@pytest.mark.parametrize("method", ["DOP853", "RK45"])
def test_the_wobble_of_a_solver_is_no_phase(log10_patches, method):
    geometry = dy.Geometry.scaling(log10_patches, 0.98, 0.3)
    system = dy.reduce(dy.Setting(geometry, ([0, 1], [0.6, 0.4])), "local", "mean-field")
    flow = dy.integrate(system, log_t_end=5.0 * log10_patches, method=method)
    assert names(flow) == ["decoupling", "growth", "late"]
    assert flow.phases[1].log_end == pytest.approx(dy.log_half_time(system), rel=1e-6)


def test_a_lead_that_is_lost_and_won_again_makes_phases_and_a_small_one_does_not():
    lead, lock = np.array([-1.0, 1, 1, -1, 0.001, -1, 1, 1]), np.array([-1.0] * 7 + [1])
    states = np.arange(8.0)[None]

    def moment(i, which):
        return i + 0.5, states[:, i]

    found = divide(np.arange(8.0), states, Watch(lead, lock), moment, "the end")
    assert [(p.name, p.log_start, p.log_end) for p in found] == [
        ("decoupling", 0, 0.5), ("growth", 0.5, 2.5), ("decoupling", 2.5, 5.5), ("growth", 5.5, 6.5), ("late", 6.5, 7),
    ]  # fmt: skip


def test_phases_survive_a_file(tmp_path):
    for curve in (
        dy.integrate(dy.reduce(DECOUPLED, "local"), t_end=100.0),
        dy.descend(dy.reduce(TWO, 1), 0.5, 20),
        dy.FiniteTransformer(TWO).train(0.5, 10).of(3),
    ):
        again = dy.load(curve.save(tmp_path / "curve.npz"))
        assert again.targets == curve.targets
        assert [vars(p) | {"state": 0} for p in again.phases] == [vars(p) | {"state": 0} for p in curve.phases]
        assert all(np.array_equal(p.state, q.state) for p, q in zip(again.phases, curve.phases, strict=True))


def test_a_curve_of_one_record_has_no_phase():
    assert dy.descend(dy.reduce(TWO, 0), 0.5, 0).phases == ()


@pytest.mark.parametrize("closure", ["exact", "mean-field", "second-order"])
def test_until_takes_the_latent_of_the_target(closure):
    setting = dy.Setting(dy.Geometry.single_cluster(8, 3, 2), THREE_VALUES)
    system = dy.reduce(setting, "local", closure)
    times = [dy.integrate(system, until=("target", 0.5, z), rtol=1e-10, atol=1e-12).log_t[-1] for z in (1.7, 1.0, 0.4)]
    assert times == sorted(times)
    assert dy.log_half_time(system) == pytest.approx(times[-1], abs=1e-6)
    assert dy.log_half_time(system, latent=1.7) == pytest.approx(times[0], abs=1e-6)
    mean = sum(
        w * system.attention_on("target", system.initial[:, None], system.watched(z))[0]
        for z, w in zip(*THREE_VALUES, strict=True)
    )
    assert mean == pytest.approx(system.attention(system.initial)["target"], rel=1e-12)
