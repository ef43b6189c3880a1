"""Half-time, plateau and phases over the plane of (κc, κs)."""

import math

import numpy as np
import pytest

from figures import plane, regimes
from tests.quick_tables import table


def column(name):
    return table("regimes")[name]


def test_the_half_time_exponent_is_that_of_the_local_areas_everywhere():
    assert np.abs(column("exponent") - (1 - column("kappa_s"))).max() < 1e-6
    assert (column("kappa_s") > column("kappa_c")).sum() > 50  # also where local areas are larger than the global one


def test_the_plateau_is_half_of_a_positive_gap_and_none_otherwise():
    off = np.abs(column("plateau") + np.maximum(column("gap"), 0) / 2)
    assert off.max() < 1e-3
    assert off[np.abs(column("gap")) > 0.02].max() < 1e-6


def border(log10_patches):
    """Δ at which A_global² = A_target at Q = 0: (1 − γ)P^Δ = 1."""
    return -math.log(1 - regimes.Parameters().mask_ratio) / (log10_patches * math.log(10))


def test_there_are_two_phases_beyond_the_border_and_one_before_it():
    clear = np.abs(column("gap") - border(30)) > 1e-3
    assert clear.mean() > 0.95
    assert np.array_equal(column("phases")[clear], np.where(column("gap")[clear] > border(30), 2, 1))


def test_the_number_of_phases_is_the_one_claimed_by_the_paper_in_its_range():
    inside, gap = plane.in_range(column("kappa_c"), column("kappa_s")), column("gap")
    two = inside & (gap >= plane.TWO_PHASES[0])
    one = inside & (gap < plane.ONE_PHASE[1]) & (gap > plane.ONE_PHASE[0])
    assert min(two.sum(), one.sum()) >= 5
    assert (column("phases")[two] == 2).all()
    assert (column("phases")[one] == 1).all()


@pytest.mark.parametrize(("name", "log10_patches"), [("lead_low", 3), ("lead_high", 6)])
def test_the_border_at_finite_patches_is_where_the_rates_at_the_start_are_said_to_be_equal(name, log10_patches):
    areas_are_large = column("kappa_s") * log10_patches > 1.2
    areas_are_many = (1 - np.maximum(column("kappa_c"), column("kappa_s"))) * log10_patches > 0.5
    known = areas_are_large & areas_are_many & (np.abs(column("gap") - border(log10_patches)) > 0.03)
    assert known.sum() > 25
    assert np.array_equal(column(name)[known] > 0, column("gap")[known] > border(log10_patches))


@pytest.mark.parametrize(
    ("kappa_c", "kappa_s", "phases"),
    [(0.52, 0.05, 2), (0.52, 0.2, 1), (0.75, 0.41, 1), (0.75, 0.39, 2), (0.95, 0.3, 2)],
)
def test_the_rates_at_the_start_tell_the_number_of_phases_also_of_local_areas_of_few_patches(kappa_c, kappa_s, phases):
    assert plane.gap(0.52, 0.05) < 0  # of the first case: 1.4 patches, of which a masked one sees 0.4
    p = regimes.Parameters(log10_patches=3.0)
    assert regimes._phases(p, kappa_c, kappa_s) == (phases,)
    assert (regimes._lead(p, kappa_c, kappa_s, at=0)[0] > 0) == (phases == 2)
