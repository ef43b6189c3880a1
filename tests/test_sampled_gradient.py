"""The gradient of a large transformer, by samples of its masks, at a state of the reduction: the exact rates.

Averaged over the patches of a class, and over calls, whose spread says how far off the mean is.
"""

from functools import cache

import numpy as np
import pytest

import dynamics as dy

LARGE = {196: (98, 7, 14), 400: (200, 20, 10)}
QUERIES = "local", "global"
CALLS, SAMPLES = 150, 128


@cache
def measured(patches):
    """State halfway to the half-time of each kind of query, and the rates there by the transformer, call by call."""
    setting = dy.Setting(dy.Geometry.single_cluster(*LARGE[patches]))
    (area,), areas = setting.geometry.area_of, setting.geometry.areas[0]
    model = dy.FiniteTransformer(setting, seed=patches, basis="coordinates")
    states, Q = {}, model.initial
    for query in QUERIES:
        system = dy.reduce(setting, query, "mean-field")
        half = dy.integrate(system, until=("target", 0.5)).t[-1]
        states[query] = dy.integrate(system, t_end=half / 2).y[:, -1]
    of_patch = [dy.reduce(setting, p, "mean-field") for p in range(patches)]
    for p, system in enumerate(of_patch):
        single = system.expand(states["global" if area[p] == 0 else "local"])
        Q[p, patches : patches + areas], Q[p, :patches] = single["fp"][0], single["pp"]
    rates = {query: [] for query in QUERIES}
    for _ in range(CALLS):
        descent = -model.gradient(Q, samples=SAMPLES)
        for query, chosen in zip(QUERIES, (area > 0, area == 0), strict=True):
            merged = [_merged(of_patch[p], descent[p], patches) for p in np.flatnonzero(chosen)]
            rates[query].append(np.mean(merged, axis=0))
    return setting, states, rates


def _merged(system, row, patches):
    """The mean of a row of the gradient over the correlations that each coordinate stands for."""
    labels = system.expand(np.arange(len(system.names)))
    of = np.concatenate([labels["pp"], labels["fp"][0]]).astype(int)
    return np.bincount(of, row[: len(of)]) / np.bincount(of)


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("patches", [196, pytest.param(400, marks=pytest.mark.slow)])
def test_the_exact_rates_are_the_mean_of_sampled_gradients_and_the_mean_field_ones_are_not(patches, query):
    setting, states, rates = measured(patches)
    mean, error = np.mean(rates[query], axis=0), np.std(rates[query], axis=0, ddof=1) / np.sqrt(CALLS)
    exact, mean_field = (dy.reduce(setting, query, closure).rate(states[query]) for closure in ("exact", "mean-field"))
    assert (np.abs(mean - exact) <= 3 * error).all()
    assert (error <= 0.02 * np.abs(exact)).all()
    assert np.abs((mean - mean_field) / error).max() > 5
