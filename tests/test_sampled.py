"""The sampled closure: exact for the samples drawn, and as far from the mean of all as their spread says."""

import numpy as np
import pytest

import dynamics as dy
from tests.settings import SMALL, TWO, WIDE


@pytest.mark.parametrize("setting", SMALL.values(), ids=SMALL)
def test_the_error_is_as_large_as_the_spread_of_the_samples_says(setting):
    exact = dy.reduce(setting, 1)
    y = np.random.default_rng(0).normal(scale=0.7, size=len(exact.names))
    scores = []
    for seed in range(40):
        drawn = dy.reduce(setting, 1, "sampled", samples=400, seed=seed)
        scores.append((drawn.rate(y) - exact.rate(y)) / np.maximum(drawn.standard_error(y), 1e-12))
    assert 0.8 <= np.std(scores) <= 1.2
    assert np.abs(np.mean(scores, axis=0)).max() <= 4.5 / np.sqrt(len(scores))


def test_the_error_falls_as_one_over_the_root_of_the_samples():
    exact, y = dy.reduce(WIDE, "local"), np.array([1.0, -0.5, 0.1, 0.2, 0.0, 0.0, 0.0])
    counts = np.array([50, 200, 800, 3200])
    errors = [
        np.sqrt(
            np.mean(
                [
                    (dy.reduce(WIDE, "local", "sampled", samples=int(n), seed=s).rate(y) - exact.rate(y)) ** 2
                    for s in range(60)
                ]
            )
        )
        for n in counts
    ]
    assert -0.55 <= np.polyfit(np.log(counts), np.log(errors), 1)[0] <= -0.45


def test_a_seed_draws_one_deterministic_system():
    first, same, other = (dy.reduce(TWO, 0, "sampled", samples=30, seed=seed) for seed in (1, 1, 2))
    y = np.random.default_rng(0).standard_normal(len(first.names))
    assert np.array_equal(first.rate(y), same.rate(y))
    assert not np.array_equal(first.rate(y), other.rate(y))
    assert (first.method, first.exactness) == ("samples", "sampled")


def test_its_invariants_are_those_of_every_closure():
    system = dy.reduce(TWO, 0, "sampled", samples=50)
    y = np.random.default_rng(3).standard_normal(len(system.names))
    weighted = system.multiplicity * system.rate(y)
    assert abs(weighted[[name.startswith("pp") for name in system.names]].sum()) <= 1e-15
    for k, target in enumerate(system.coordinates.target):
        assert system.rate(y)[system.coordinates.fp[k][target]] >= 0
    bent = system.multiplicity[:, None] * system.jacobian(y)
    assert np.abs(bent - bent.T).max() <= 1e-14


def test_every_closure_is_held_against_the_exact_one_at_a_state():
    y = np.array([1.0, -0.5, 0.1, 0.2, 0.0, 0.0, 0.0])
    table = dy.closure_error(WIDE, "local", y, samples=2000)
    exact, mean = (dy.reduce(WIDE, "local", closure) for closure in ("exact", "mean-field"))
    scale = np.abs(exact.rate(y)).max()
    assert [row.closure for row in table.rows] == ["exact", "sampled", "mean-field", "second-order"]
    assert (table["exact"].rate, table["exact"].loss, table["exact"].method) == (0, 0, "conditional")
    assert table["mean-field"].rate == pytest.approx(np.abs(mean.rate(y) - exact.rate(y)).max() / scale, rel=1e-12)
    assert table["mean-field"].loss == pytest.approx(abs(mean.loss(y) / exact.loss(y) - 1), rel=1e-9)
    assert table["second-order"].rate < 0.1 * table["mean-field"].rate
    spread = dy.reduce(WIDE, "local", "sampled", samples=2000).standard_error(y).max() / scale
    assert 0 < table["sampled"].rate < 5 * spread
    assert all(row.seconds > 0 for row in table.rows)
    assert "1/√samples" in str(table)
    with pytest.raises(KeyError, match="expected one of exact"):
        table["none"]


def test_a_vit_is_sampled_in_no_time_and_its_flow_says_how():
    setting = dy.Setting(dy.Geometry.single_cluster(98, 7, 14))
    drawn, exact = (dy.integrate(dy.reduce(setting, "local", c), until=("target", 0.5)) for c in ("sampled", "exact"))
    assert drawn.t[-1] == pytest.approx(exact.t[-1], rel=0.05)
    made = drawn.provenance
    assert (made["samples"], made["seed"], made["exactness"]) == (1000, 0, "sampled, continuous-time")
