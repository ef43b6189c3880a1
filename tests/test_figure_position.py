"""The figure ``position``: how small Υ is, and where it matters."""

import numpy as np
import pytest

import dynamics as dy
from figures import position
from figures.table import distinct, select
from tests.quick_tables import table


def at_half_time(closure, quantity):
    found = select(table("position"), part=position.MAGNITUDE, closure=closure, quantity=quantity)
    return found["patches"], found["local_size"], found["value"]


def held(quantity):
    found = select(table("position"), part=position.HELD, quantity=quantity)
    return found["local_size"], found["value"]


def test_the_correlations_with_the_own_area_fall_behind_as_the_power_derived():
    predicted = at_half_time(position.DERIVED, "power of P")[2]
    assert predicted == pytest.approx(-0.3, abs=1e-12)  # −κs
    assert position.slopes(table("position"))["pp.target"] == pytest.approx(predicted[0], abs=1e-3)


def test_they_are_those_with_the_area_over_the_patches_beside_the_query():
    for closure in ("exact", "mean-field"):
        patches, size, pp = at_half_time(closure, "pp.target")
        ratio = (size - 1) * pp / at_half_time(closure, "fp.target")[2]
        assert (np.diff(ratio) > 0).all()
        assert ratio[0] > 0.97
        assert ratio[-1] == pytest.approx(1, abs=1e-3)
        assert patches[-1] >= 1e4


def test_all_others_fall_as_one_over_the_number_of_patches():
    slopes = position.slopes(table("position"))
    for name in ("pp.global", "pp.other", "pp.self"):
        assert slopes[name] == pytest.approx(-1, abs=0.03)
        for closure in ("exact", "mean-field"):
            assert (np.abs(at_half_time(closure, name)[2]) < 0.05 * at_half_time(closure, "pp.target")[2]).all()


def test_mean_field_has_the_magnitudes_of_the_exact_reduction():
    for name in ("fp.target", "pp.target", "pp.global", "pp.other", "pp.self"):
        at, _, exact = at_half_time("exact", name)
        patches, _, mean_field = at_half_time("mean-field", name)
        line = np.exp(np.interp(np.log(at), np.log(patches), np.log(np.abs(mean_field))))
        assert np.abs(exact[[0, -1]]) == pytest.approx(line[[0, -1]], rel=0.1)  # P at which both were solved


def test_without_them_a_small_area_locks_later_by_the_share_that_they_have_of_its_score():
    size, delay = held(position.HALF_TIME)
    assert delay == pytest.approx(size / (size - 1), rel=0.03)
    assert delay[0] > 1.9  # C = 2
    assert delay[-1] < 1.05  # C = 24


def test_late_they_matter_more_the_smaller_the_area():
    size, worse = held(position.LOSS)
    assert (np.diff(worse) < 0).all()
    assert worse[size == 2] > 10
    assert worse[size == 3] > 3
    assert worse[size == 24] < 1.05


def test_with_them_held_the_half_time_is_that_of_a_system_whose_other_rates_alone_are_integrated():
    setting = dy.Setting(dy.Geometry.single_cluster(72, 3, 8))
    system = dy.reduce(setting, "local")
    free = np.array([name.startswith("fp") for name in system.names])
    y, t, step = system.initial, 0.0, 0.05
    while system.attention(y)["target"] < 0.5:  # Heun's method, in t
        slope = free * system.rate(y)
        y, t = y + step / 2 * (slope + free * system.rate(y + step * slope)), t + step
    size, delay = held(position.HALF_TIME)
    assert t / dy.half_time(system) == pytest.approx(delay[size == 3][0], rel=1e-3)


def test_after_the_half_time_they_grow_as_the_logarithm_of_time_over_twice_the_size():
    found = select(table("position"), part=position.LATER)
    for size in distinct(found["local_size"]):
        curve = select(found, local_size=size)
        late = curve["t_over_T"] > 30
        log_t, value = np.log(curve["t_over_T"][late]), curve["value"][late]
        slopes = 2 * size * np.diff(value) / np.diff(log_t)
        if size > 2:
            assert slopes == pytest.approx(1, abs=0.02)
        else:  # masked patches of the own area come to compete
            assert (np.diff(slopes) < 0).all()
            assert 0.75 < slopes[-1] < 0.85
