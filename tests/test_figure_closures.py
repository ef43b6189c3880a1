"""Errors of the closures."""

import pytest

from figures import closures
from figures.table import distinct, select
from tests.quick_tables import table


def test_errors_of_closures_fall_with_the_size_of_areas_as_their_order_says():
    shown = table("closures")
    assert len(distinct(select(shown, part=closures.SIZES)["local_size"])) >= 6
    for closure, order in (("mean-field", -1), ("second-order", -2)):
        assert closures.fit(shown, closure)[0] == pytest.approx(order, abs=0.1), closure
    assert closures.fit(shown, "sampled")[0] == pytest.approx(-0.5, abs=0.2)  # noise: 1,000 samples


def test_near_lock_on_the_second_order_closure_is_worse_than_the_mean_field_one():
    for ratio, first, last in ((0.5, 1.0013, 1.093), (0.75, 1.0006, 545)):  # from T, for a tenth of T or for hundreds
        start, end = closures.crossings(table("closures"), ratio)[0]
        assert start == pytest.approx(first, abs=5e-4)
        assert end == pytest.approx(last, rel=0.002)
    flow = select(table("closures"), part=closures.FLOW)
    mean, second = (select(flow, closure=closure) for closure in ("mean-field", "second-order"))
    worse = second["error"] > mean["error"]
    assert (mean["error"] / second["error"])[mean["t"] < 0.5].min() > 50  # before, far better
    assert (second["error"] / mean["error"])[worse].max() > 3
    assert (
        min(mean["error"][mean["t"] > 3e3].min(), second["error"][mean["t"] > 3e3].min()) > 0.9
    )  # in the end, neither


def test_the_exact_sum_grows_like_a_power_of_the_patches_and_the_other_closures_cost_the_same_at_any_size():
    shown = table("closures")
    assert closures.fit(shown, "exact", closures.COST)[0] == pytest.approx(
        1.5, abs=0.1
    )  # every count × their spread √C
    cost = select(shown, part=closures.COST)
    constant = {
        name: distinct(select(cost, closure=name)["cost"]) for name in ("sampled", "mean-field", "second-order")
    }
    assert constant["sampled"] == [closures.Parameters().samples]
    assert constant["mean-field"] == [1]
    assert len(constant["second-order"]) == 1
    assert 1 < constant["second-order"][0] < select(cost, closure="exact")["cost"].min()
