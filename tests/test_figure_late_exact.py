"""The late law of the exact dynamics."""

import math

import numpy as np
import pytest

import dynamics as dy
from figures import late_exact
from figures.moments import excess_times_4t
from figures.table import distinct, select
from tests.quick_tables import table


def late(areas, source):
    return select(table("late-exact"), areas=areas, source=source)


def test_late_limits_are_squared_max_margin_norms():
    for areas in distinct(table("late-exact")["areas"]):
        limit, chosen, least = (late(areas, s) for s in (late_exact.LIMIT, late_exact.CHOSEN, late_exact.LEAST))
        off = abs(limit["value"] - chosen["value"])
        assert off < 3 * limit["error"] + 1e-5, areas
        assert off < 3e-3, areas
        assert least["value"] <= chosen["value"] + 1e-9
        if areas in ("40 + 4×6", "24 + 2×12"):  # not the least of all: the flow ends in another
            assert chosen["value"] - least["value"] > 10 * off


def test_before_that_the_mean_field_law_holds_where_the_target_is_seldom_wholly_masked():
    for areas, size in (("24 + 2×12", 12), ("12 + 2×8", 8)):
        value = late(areas, late_exact.EXACT)["value"]
        assert (size - 1) / size - 0.03 < value.min() < (size - 1) / size + 0.03
    assert late("12 + 2×8", late_exact.LIMIT)["value"] == pytest.approx(1, abs=3e-3)  # never: 7 of 8 are masked
    assert late("8 + 3×4", late_exact.EXACT)["value"].min() > 1.5  # often: no plateau


def test_the_excess_of_the_loss_is_the_loss_above_its_floor():
    setting = dy.Setting(dy.Geometry.single_cluster(8, 4, 3))
    system = dy.reduce(setting, "local")
    t = np.geomspace(100, 1e12, 200)
    flow = dy.integrate(system, t_end=t[-1], t_eval=t, rtol=1e-10, atol=1e-12)
    alone = math.comb(16, 6) / math.comb(20, 10) / 2  # ½ P(all four masked)
    early = t < 1e6
    expected = 4 * t * (flow.loss - alone)
    assert excess_times_4t(system, flow)[early] == pytest.approx(expected[early], rel=2e-3)
