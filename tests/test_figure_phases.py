"""The figure of the two phases."""

import numpy as np
import pytest

from figures.table import distinct, select
from tests.quick_tables import table


def test_transformers_lie_on_the_exact_curves():
    points = select(table("phases"), source="transformer")
    for gap in distinct(points["gap"]):
        for name in distinct(points["coordinate"]):
            trained = select(points, gap=gap, coordinate=name)
            exact = select(table("phases"), gap=gap, coordinate=name, source="exact reduction")
            off = np.abs(trained["value"] - np.interp(trained["t"], exact["t"], exact["value"]))
            assert (off <= trained["spread"] + 0.002 * np.abs(exact["value"]).max()).all(), (gap, name)


def test_the_global_area_lets_go_first_where_the_information_gap_is_positive():
    ends = select(table("phases"), source="end of phase I")
    halves = select(table("phases"), source="half-time")
    positive = ends["gap"] > 0
    assert positive.tolist() == [True, False]
    assert 0.3 * halves["t"][0] < ends["t"][0] < 0.5 * halves["t"][0]  # to a third, for P → ∞
    assert ends["t"][1] == 0


def attention(group, gap):
    return select(table("phases"), coordinate=f"attention.{group}", gap=gap, source="exact reduction")


@pytest.mark.parametrize("which", [0, 1])
def test_attention_starts_uniform_and_is_half_on_the_target_at_the_half_time(which):
    gap = distinct(table("phases")["gap"])[which]
    patches, local, areas = sum(np.array([(88, 12), (16, 48)][which])), (3, 12)[which], 4
    shown = patches - patches // 2
    expected = {"target": (local - 1) * shown, "other": (areas - 1) * local * shown, "global": (88, 16)[which] * shown}
    for group, patch_pairs in expected.items():
        assert attention(group, gap)["value"][0] == pytest.approx(patch_pairs / (patches - 1) / patches, rel=1e-9)
    half = select(table("phases"), source="half-time", gap=gap)["t"][0]
    target = attention("target", gap)
    assert np.interp(half, target["t"], target["value"]) == pytest.approx(0.5, abs=2e-3)


def test_attention_leaves_the_global_area_in_the_first_phase_and_goes_to_the_target_after():
    gap = max(distinct(table("phases")["gap"]))
    end = select(table("phases"), source="end of phase I", gap=gap)["t"][0]
    moved = {}
    for group in ("global", "target"):
        curve = attention(group, gap)
        moved[group] = np.diff(np.interp([0, end, curve["t"][-1]], curve["t"], curve["value"]))
    assert moved["global"][0] < 1.5 * moved["global"][1] < 0  # most of it by then
    assert 0 < 10 * moved["target"][0] < moved["target"][1]
