"""Half-time and plateau as powers of P."""

import math

import numpy as np
import pytest

import dynamics as dy
from figures import exponents, plane
from figures.table import distinct, select
from tests.quick_tables import table

# theory §5: what was measured by independent programs at these P, γ = ½
MEASURED = {
    ("half-time", 0.98, 0.3): (0.8460, 0.7667, 0.7379, 0.7181, 0.7060, 0.7020),
    ("plateau", 0.98, 0.3): (-0.38714, -0.34977, -0.33616, -0.33097, -0.33001, -0.33000),
    ("half-time", 0.7, 0.6): (0.6400, 0.5030, 0.4502, 0.4201, 0.4060, 0.4020),
    ("plateau", 0.7, 0.6): (-0.03965, -0.00534, -0.00012, 0, 0, 0),
}


def cases():
    """The rows of every quantity, (κc, κs) and γ."""
    for quantity in exponents.QUANTITIES:
        for kappas in exponents.Parameters().kappas:
            for ratio in exponents.Parameters().mask_ratios:
                fixed = {"kappa_c": kappas[0], "kappa_s": kappas[1], "mask_ratio": ratio}
                yield quantity, fixed, select(table("exponents"), quantity=quantity, **fixed)


@pytest.mark.parametrize("case", MEASURED)
def test_numbers_are_those_measured_independently(case):
    quantity, kappa_c, kappa_s = case
    curve = select(table("exponents"), quantity=quantity, kappa_c=kappa_c, kappa_s=kappa_s, mask_ratio=0.5)
    curve = select(curve, source=exponents.MEASURED)
    at = [curve["value"][curve["log10_patches"] == x].item() for x in (3, 6, 12, 30, 100, 300)]
    assert at == pytest.approx(MEASURED[case], abs=6e-5 if quantity == "half-time" else 6e-6)


def test_both_signs_of_the_gap_are_there():
    gaps = distinct(table("exponents")["gap"])
    assert sum(gap > 0.05 for gap in gaps) >= 2
    assert sum(gap < -0.05 for gap in gaps) >= 2


def test_extrapolated_exponents_are_the_derived_limits():
    for quantity, fixed, found in cases():
        limit = select(found, source=exponents.LIMIT)["value"].item()
        gap = found["gap"][0]
        assert limit == pytest.approx(1 - fixed["kappa_s"] if quantity == "half-time" else -max(gap, 0) / 2)
        extrapolated = select(found, source=exponents.EXTRAPOLATED)
        assert abs(extrapolated["value"].item() - limit) <= extrapolated["uncertainty"].item() < 1e-6


def test_what_the_leading_terms_leave_vanishes_faster_than_one_over_log_patches():
    for quantity, fixed, found in cases():
        curve = select(found, source=exponents.MEASURED)
        at = fixed["kappa_c"], fixed["kappa_s"], fixed["mask_ratio"]
        leading = [exponents._leading(quantity, x, *at) for x in curve["log10_patches"]]
        left = np.abs(curve["value"] - leading) * curve["log10_patches"] * math.log(10)
        assert left[curve["log10_patches"] == 1000].item() < 1e-8
        assert left[curve["log10_patches"] == 300].item() < 1e-4
        assert left[curve["log10_patches"] == 30].item() < 0.3
        assert left[curve["log10_patches"] == 300] < left[curve["log10_patches"] == 3] / 100


def test_the_correction_of_the_half_time_is_a_straight_line_with_the_slope_of_the_mask_ratio():
    for quantity, fixed, found in cases():
        if quantity == "half-time":
            curve = select(found, source=exponents.MEASURED)
            last = curve["log10_patches"] >= 100
            x = 1 / (curve["log10_patches"][last] * math.log(10))
            slope = np.polyfit(x, curve["value"][last], 1)[0]
            assert slope == pytest.approx(-math.log(fixed["mask_ratio"] * (1 - fixed["mask_ratio"])), rel=0.01)


def test_the_gap_of_the_plane_is_that_of_a_setting():
    for kappas in exponents.Parameters().kappas:
        geometry = dy.Geometry.scaling(30, *kappas)
        assert dy.Setting(geometry).information_gap == pytest.approx(float(plane.gap(*kappas)), abs=1e-9)
