"""Diversity and distance of attention over training: from uniform to perfectly locked attention, never collapsed."""

import math

import numpy as np
import pytest

from figures import diversity
from figures.diversity import COLLAPSED, DISTANCE, DIVERSITY, LOCKED, REDUCTION, TRANSFORMER
from figures.table import distinct, select
from tests.quick_tables import table

SIZES = {"48 + 8×2": (48, 8, 2), "40 + 4×6": (40, 4, 6), "16 + 8×6": (16, 8, 6), "16 + 4×12": (16, 4, 12)}
GEOMETRIES = pytest.mark.parametrize("areas", SIZES)


def one(areas, measure, source):
    return select(table("diversity"), areas=areas, measure=measure, source=source)


def value(areas, measure, source):
    (found,) = one(areas, measure, source)["value"]
    return found


def at(areas, measure, t):
    curve = one(areas, measure, REDUCTION)
    return np.interp(np.log(t), np.log(curve["t"]), curve["value"])


def test_there_are_gaps_of_both_signs_and_areas_of_every_kind():
    assert distinct(table("diversity")["areas"]) == list(SIZES)
    gaps = [one(areas, DIVERSITY, LOCKED)["gap"][0] for areas in SIZES]
    assert (np.sign(gaps) == [1, 1, -1, -1]).all()


@GEOMETRIES
def test_perfectly_locked_attention_is_as_diverse_as_its_areas_say(areas):
    """Two queries of one area share all but one of the patches that they see, those of two areas none."""
    large, number, small = SIZES[areas]
    shared = large * (large - 2) + number * small * (small - 2)
    expected = math.log(2) * (1 - shared / (64 * 63))
    assert value(areas, DIVERSITY, LOCKED) == pytest.approx(expected, rel=1e-12)


@GEOMETRIES
def test_a_collapsed_pattern_is_not_diverse(areas):
    assert value(areas, DIVERSITY, COLLAPSED) == 0


@GEOMETRIES
def test_diversity_grows_from_nothing_to_that_of_locked_attention(areas):
    curve, locked = one(areas, DIVERSITY, REDUCTION), value(areas, DIVERSITY, LOCKED)
    assert curve["value"][0] < 0.004 * locked
    assert (np.diff(curve["value"]) > 0).all()
    assert 0.98 < curve["value"][-1] / locked < 1


@GEOMETRIES
def test_it_grows_by_most_while_local_queries_lock_on(areas):
    locked = value(areas, DIVERSITY, LOCKED)
    assert at(areas, DIVERSITY, 2) - at(areas, DIVERSITY, 0.5) > 0.6 * locked


def test_it_begins_with_the_global_queries_where_the_gap_is_positive():
    started = [at(areas, DIVERSITY, 0.1) / value(areas, DIVERSITY, LOCKED) for areas in SIZES]
    assert np.all(np.diff(started) < 0)  # in the order of Δ
    assert min(started[:2]) > 4 * max(started[2:])


@GEOMETRIES
def test_attention_becomes_local_and_would_be_widest_if_collapsed(areas):
    curve, locked = one(areas, DISTANCE, REDUCTION)["value"], value(areas, DISTANCE, LOCKED)
    assert curve[0] == pytest.approx(4.134, abs=0.03)  # near uniform attention on 8 × 8 patches
    assert 1 < curve[-1] / locked < 1.005
    assert curve.min() > locked
    assert curve[0] - curve[-1] > 0.6
    assert value(areas, DISTANCE, COLLAPSED) > curve[0]


def test_transformers_lie_on_the_curves():
    trained = [areas for areas in SIZES if len(one(areas, DIVERSITY, TRANSFORMER)["t"])]
    assert trained == [list(SIZES)[i] for i in diversity.QUICK["trained"]]
    for areas in trained:
        for measure in (DIVERSITY, DISTANCE):
            points = one(areas, measure, TRANSFORMER)
            assert points["t"].max() > 3.9
            off = np.abs(points["value"] - at(areas, measure, points["t"]))[
                points["t"] > diversity.Parameters().window[0]
            ]
            whole = np.ptp(one(areas, measure, REDUCTION)["value"])
            assert 0 < off.max() < 0.015 * whole
