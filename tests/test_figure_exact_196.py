"""Transformers of 196 patches against exact and mean-field reduction."""

import numpy as np
import pytest

from figures import exact_196
from figures.table import distinct, select
from tests.quick_tables import table


def test_transformers_of_196_patches_are_where_the_exact_reduction_is_and_the_mean_field_one_is_not():
    shown = table("exact-196")
    exact, mean_field = (exact_196.scores(shown, closure) for closure in ("exact", "mean-field"))
    assert len(exact["z"]) > 100
    assert np.sqrt(np.mean(exact["z"] ** 2)) < 1.5
    assert np.abs(exact["z"]).max() < 4
    for quantity in distinct(exact["quantity"]):
        assert np.abs(select(mean_field, quantity=quantity)["z"]).max() > 20, quantity


def test_half_times_at_196_patches():
    shown = table("exact-196")

    def moment(quantity, source):
        return select(shown, quantity=quantity, source=source)["value"][0]

    assert moment("half-time of the flow", "exact") == pytest.approx(119.87, abs=0.01)
    assert moment("half-time of the flow", "mean-field") == pytest.approx(116.97, abs=0.01)
    assert 0.25 < moment("end of phase I of the flow", "exact") / 119.87 < 0.3
    assert abs(moment("half-time", "transformer") / moment("half-time", "exact") - 1) < 0.002
    assert moment("half-time", "transformer") / moment("half-time", "mean-field") - 1 > 0.02


def test_attention_missed_late_is_that_of_the_law_in_mean_field_alone():
    for closure, low, high in (("mean-field", 0.84, 0.89), ("exact", 0.3, 0.5)):  # (C − 1)/C = .857
        attention = select(table("exact-196"), quantity="attention.target", source=closure)
        t, value = attention["t"][-1], attention["value"][-1]
        assert low < t * (1 - value) ** 2 < high  # 2γ = 1
