"""The three gaps between the theory and a trained transformer."""

import numpy as np
import pytest

from figures import gaps
from figures.table import distinct, select
from tests.quick_tables import table


def series(gap):
    part = select(table("gaps"), gap=gap)
    return {name: select(part, series=name) for name in distinct(part["series"])}


def test_transformer_and_reduction_differ_by_a_few_roundings_at_any_number_of_patches():
    for name, part in series(gaps.REDUCTION).items():
        assert len(part["x"]) >= 3, name
        assert 0 < part["error"].max() < 20 * np.finfo(float).eps, name  # not 0: they are two computations


def test_descent_leaves_the_flow_in_proportion_to_the_step_size():
    for name, part in series(gaps.STEP_SIZE).items():
        assert gaps.slope(part)[0] == pytest.approx(1, abs=0.03), name
        halved = part["error"][:-1] / part["error"][1:]
        assert halved[-1] == pytest.approx(2, abs=0.03), name


def test_the_error_of_sampled_masks_falls_as_one_over_the_root_of_their_number():
    for name, part in series(gaps.SAMPLING).items():
        assert gaps.slope(part)[0] == pytest.approx(-0.5, abs=0.1), name


def test_fresh_masks_every_step_leave_less_error_than_the_same_ones_for_ever():
    found = series(gaps.SAMPLING)
    assert (found[gaps.TRANSFORMER]["error"] < 0.7 * found[gaps.CLOSURE]["error"]).all()
