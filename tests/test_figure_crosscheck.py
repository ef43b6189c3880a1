"""Reduction against transformer, step by step."""

from figures.table import distinct
from tests.quick_tables import table


def test_descent_of_reduction_and_transformer_differ_by_rounding():
    shown = table("crosscheck")
    assert distinct(shown["clusters"]) == [1, 2]
    assert shown["largest"].max() > 1
    assert shown["difference"].max() < 1e-12
    assert shown["difference"].max() > 0
