"""The figure ``balance``: which term of the rates of Φ drives which phase."""

import itertools

import numpy as np
import pytest

from figures import balance
from figures.table import distinct, select
from tests.quick_tables import table

ABOVE, BELOW, FINITE = 0, 1, 2  # panels
OWN, PULL = ("fp.global", "own"), ("fp.target", "target")


def curve(panel, coordinate, term):
    found = select(table("balance"), panel=panel, coordinate=coordinate, term=term)
    return found["t_over_T"], found["value"]


def end(panel, phase):
    return select(table("balance"), panel=panel, coordinate=balance.ENDS, term=phase)["t_over_T"]


def leaders(panel, first=0.0, last=np.inf):
    t, kinds = balance.largest(select(table("balance"), panel=panel))
    return [kind for kind, _ in itertools.groupby(np.array(kinds)[(t > first) & (t < last)].tolist(), tuple)]


def test_the_terms_sum_to_the_rates():
    for panel in (ABOVE, BELOW, FINITE):
        for coordinate in balance.SYMBOL:
            found = select(table("balance"), panel=panel, coordinate=coordinate)
            terms = np.array([select(found, term=t)["value"] for t in distinct(found["term"]) if t != balance.RATE])
            off = terms.sum(axis=0) - curve(panel, coordinate, balance.RATE)[1]
            assert (np.abs(off) < 1e-12 * np.abs(terms).max(axis=0)).all()


def test_the_global_area_drives_phase_one_and_the_target_phase_two_where_the_gap_is_positive():
    for panel in (ABOVE, FINITE):
        (decoupled,) = end(panel, "decoupling")
        assert leaders(panel, last=1) == [OWN, PULL]
        t, kinds = balance.largest(select(table("balance"), panel=panel))
        turn = t[kinds.index(PULL)]
        assert decoupled == pytest.approx(turn, rel=0.25)  # to a step of the grid


def test_the_target_drives_everything_where_the_gap_is_negative():
    assert len(end(BELOW, "decoupling")) == 0
    assert leaders(BELOW) == [PULL]
    for term in ("own", "target", "other"):
        t, value = curve(BELOW, "fp.global", term)
        assert np.abs(value[t < 0.5]).max() < 2e-3


def test_phase_one_ends_at_a_third_of_the_half_time():
    assert end(ABOVE, "decoupling") == pytest.approx(1 / 3, abs=1e-3)


def test_until_lock_on_the_two_terms_are_those_of_the_path_derived():
    t, own = curve(ABOVE, "fp.global", "own")
    assert own[t < 0.99] == pytest.approx(-0.5, abs=2e-3)  # A_global = (2γt)^{−1/2}: phase-one-global
    for panel in (ABOVE, BELOW):
        t, pull = curve(panel, "fp.target", "target")
        before = t < 0.9
        assert pull[before] == pytest.approx(t[before] / (1 - t[before]), rel=3e-3)  # −log(1 − rt): phase-one-target


def test_what_is_neglected_is_small():
    for panel in (ABOVE, BELOW):
        pull = curve(panel, "fp.target", "target")[1]
        for term in ("global", "other"):
            assert (curve(panel, "fp.target", term)[1] < 1e-5 * pull).all()


def test_late_only_the_residual_of_the_target_is_left_in_mean_field():
    for panel in (ABOVE, BELOW):
        t, pull = curve(panel, "fp.target", "target")
        assert pull[-1] == pytest.approx(0.5, abs=1e-3)  # Φ_target grows as ½ log t
        fall = curve(panel, "fp.global", "target")[1][t > 1.1]
        assert fall == pytest.approx(curve(panel, "fp.global", balance.RATE)[1][t > 1.1], rel=1e-2)


def test_late_the_residual_of_the_global_area_is_largest_again_in_the_exact_dynamics():
    assert leaders(FINITE) == [OWN, PULL, OWN]
    assert leaders(ABOVE) == [OWN, PULL]
