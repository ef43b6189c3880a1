"""Latents between L and U."""

import numpy as np
import pytest

from figures import latent
from figures.table import distinct, select
from tests.quick_tables import table


def values(source, **more):
    return select(table("latent"), source=source, **more)


def test_the_exponent_is_that_of_the_local_areas_at_every_ratio():
    found = values(latent.EXTRAPOLATED, quantity="half-time")
    assert max(distinct(found["ratio"])) == 10
    assert found["value"] == pytest.approx(1 - found["kappa_s"], abs=1e-6)
    assert values(latent.LIMIT, quantity="half-time")["value"] == pytest.approx(1 - found["kappa_s"])


def test_the_bound_of_the_paper_holds_and_is_tight_only_for_small_ratios():
    bound = values(latent.PAPER)
    exponent = values(latent.EXTRAPOLATED, quantity="half-time")["value"]
    factor = np.maximum(2 * (bound["ratio"] - 1), 1)
    assert bound["value"] == pytest.approx(factor * (1 - bound["kappa_s"]))
    slack = bound["value"] / exponent
    assert slack.min() > 1 - 1e-6
    assert slack[bound["ratio"] == 10] == pytest.approx(18, abs=1e-4)


def test_the_limit_comes_slowly():
    # theory §5, with weights ½
    found = values(latent.FINITE, quantity="half-time", kappa_c=0.85, ratio=10, weight=0.5)
    assert found["log10_patches"].tolist() == [6, 30, 100, 300]
    assert found["value"] == pytest.approx([1.0459, 0.4145, 0.3103, 0.3030], abs=6e-5)


def test_the_plateau_deepens_with_the_smallest_latent():
    found = values(latent.EXTRAPOLATED, quantity="plateau")
    assert found["gap"] == pytest.approx(0.66)
    assert found["value"] == pytest.approx(-found["gap"] / 2 * found["ratio"], abs=1e-5)  # −Δ/(2L), U = 1
    assert values(latent.LIMIT, quantity="plateau")["value"] == pytest.approx(found["value"], abs=1e-5)
    at = select(values(latent.FINITE, quantity="plateau"), ratio=10, log10_patches=300)
    assert at["value"] == pytest.approx(-3.23, abs=0.005)
