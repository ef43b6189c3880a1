"""The second-order closure: the covariance of the counts times the curvature of every rate, and what it is worth."""

import itertools
import re
from pathlib import Path

import mpmath
import numpy as np
import pytest
import sympy as sp

import dynamics as dy
from dynamics import closures, compiled, selfcheck
from dynamics.source import interpret
from tests.settings import NARROW, ONE, SMALL, THREE, TWO, WIDE

CONSTANT = {name: dy.Setting(setting.geometry, 0.8, 0.45, setting.cluster_weights) for name, setting in SMALL.items()}
CONSTANT |= {"wide": WIDE, "narrow": NARROW}


def by_differences(setting, query, y):
    """Rate, loss and Jacobian, unmerged: mean-field plus ½ Σ Cov ∂²/∂u_r∂u_s, by differences that 50 digits hold."""
    system = dy.reduce(setting, query, "mean-field", merge=False)
    patches, masked = int(setting.geometry.patches), int(setting.masked)
    with mpmath.workdps(50):
        rule, state = system.rule.with_numbers(mpmath.mpf), np.array([mpmath.mpf(value) for value in y])
        step, size = mpmath.mpf(10) ** -12, np.empty(len(rule.unmasked[0]), dtype=object)
        size[rule.column] = rule.size
        cluster = np.searchsorted(rule.cells[rule.areas], np.argsort(rule.column), side="right") - 1

        def at(change):
            moved = rule._replace(unmasked=rule.unmasked + change)
            rate, loss = interpret("rate_and_loss", mpmath.exp, state, moved)
            return np.concatenate([rate, [loss], interpret("jacobian", mpmath.exp, state, moved).ravel()])

        found, unit = at(0), step * np.eye(len(size), dtype=object)
        chance = mpmath.mpf(patches - masked) * (masked - 1) / ((patches - 1) ** 2 * (patches - 2))
        for r, s in itertools.product(range(len(size)), repeat=2):
            if cluster[r] == cluster[s]:
                covariance = chance * size[r] * ((patches - 1) * (r == s) - size[s])
                bent = at(unit[r] + unit[s]) - at(unit[r] - unit[s]) - at(unit[s] - unit[r]) + at(-unit[r] - unit[s])
                found = found + covariance / 2 * bent / (4 * step**2)
    found, n = np.array(found, dtype=float), len(y)
    return found[:n], found[n], found[n + 1 :].reshape(n, n)


SLOW = {"three": [pytest.mark.slow]}


@pytest.mark.parametrize(
    "setting", [pytest.param(each, marks=SLOW.get(name, []), id=name) for name, each in CONSTANT.items()]
)
@pytest.mark.parametrize("lock", [0.0, 6.0])
def test_it_adds_half_the_covariance_times_the_curvature(setting, lock):
    system = dy.reduce(setting, 0, "second-order", merge=False)
    y = np.random.default_rng(0).normal(scale=0.7, size=len(system.names))
    for k, target in enumerate(system.coordinates.target):
        y[system.coordinates.fp[k][target]] += lock
    rate, loss, jacobian = by_differences(setting, 0, y)
    assert np.abs(system.rate(y) - rate).max() <= 1e-12 * np.abs(rate).max()
    assert system.loss(y) == pytest.approx(loss, rel=1e-12)
    assert np.abs(system.jacobian(y) - jacobian).max() <= 1e-12 * np.abs(jacobian).max()


@pytest.mark.parametrize("setting", [WIDE, TWO, THREE, dy.Setting(WIDE.geometry, ([0.5, 1.5], [0.3, 0.7]))])
def test_merged_coordinates_have_the_rates_of_single_ones(setting):
    merged, single = (dy.reduce(setting, 0, "second-order", merge=merge) for merge in (True, False))
    y = np.random.default_rng(1).normal(scale=0.7, size=len(merged.names))
    place = np.concatenate([*merged.coordinates.fp, merged.coordinates.pp[merged.coordinates.pp >= 0], [len(y) - 1]])
    assert len(place) == len(single.names)
    order = np.concatenate(
        [*single.coordinates.fp, single.coordinates.pp[single.coordinates.pp >= 0], [len(place) - 1]]
    )
    spread = np.empty(len(place))
    spread[order] = y[place]
    assert np.abs(single.rate(spread)[order] - merged.rate(y)[place]).max() <= 1e-14
    assert single.loss(spread) == pytest.approx(merged.loss(y), rel=1e-13)


def test_the_latent_of_a_single_other_area_is_averaged_exactly():
    geometry, values, weights = dy.Geometry.single_cluster(8, 4, 2), [0.5, 1.5], [0.3, 0.7]
    system = dy.reduce(dy.Setting(geometry, (values, weights)), "local", "second-order")
    y = np.random.default_rng(2).normal(scale=0.7, size=len(system.names))
    rows = closures.exact(dy.Setting(geometry, (values, weights)), system.coordinates)
    loss = 0.0
    for latent in np.unique(rows.latent, axis=0):
        fixed = dy.reduce(dy.Setting(geometry), "local", "second-order")
        centre = fixed.rule.centre._replace(latent=latent[None])
        chance = np.prod([weights[values.index(z)] for z in latent])
        loss += chance * fixed.loop("rate_and_loss")(y, fixed.rule._replace(centre=centre))[1]
    assert system.loss(y) == pytest.approx(loss, rel=1e-13)


@pytest.mark.parametrize("setting", [WIDE, *SMALL.values()], ids=["wide", *SMALL])
def test_its_rates_are_the_slopes_of_its_loss(setting):
    system = dy.reduce(setting, 0, "second-order")
    y = np.random.default_rng(3).normal(scale=0.5, size=len(system.names))
    weighted, step = system.multiplicity * system.rate(y), 2e-3
    moved = [[system.loss(y + shift * step * one) for shift in (-2, -1, 1, 2)] for one in np.eye(len(y))]
    assert np.abs(weighted + moved @ np.array([1, -8, 8, -1]) / (12 * step)).max() <= 1e-9
    bent = system.multiplicity[:, None] * system.jacobian(y)
    assert np.abs(bent - bent.T).max() <= 1e-13
    assert abs(weighted[[name.startswith("pp") for name in system.names]].sum()) <= 3e-14


def test_nothing_varies_where_all_others_are_shown():
    setting = dy.Setting(dy.Geometry.single_cluster(4, 2, 2), mask_ratio=0.13)
    assert setting.masked == 1
    exact, mean, curved = (dy.reduce(setting, 0, closure) for closure in ("exact", "mean-field", "second-order"))
    y = np.random.default_rng(4).standard_normal(len(exact.names))
    assert np.abs(curved.rate(y) - exact.rate(y)).max() <= 1e-15
    assert np.abs(curved.rate(y) - mean.rate(y)).max() <= 1e-17


def areas_growing_alike():
    """Settings of 80 to 10,240 patches, and generic states: the same scores for all sizes."""
    rng = np.random.default_rng(5)
    sizes = 5 * 2 ** np.arange(8)
    states = [np.append(rng.uniform(-1, 1, 6), 0.3) for _ in range(4)]
    return sizes, [dy.Setting(dy.Geometry.single_cluster(8 * size, size, 8)) for size in sizes], states


def error(closure, setting, y):
    exact, approximate = dy.reduce(setting, "local"), dy.reduce(setting, "local", closure)
    return np.abs(approximate.rate(y) - exact.rate(y)).max() / np.abs(exact.rate(y)).max()


@pytest.mark.parametrize(("closure", "order"), [("mean-field", -1), ("second-order", -2)])
def test_the_error_falls_with_the_size_of_the_areas(closure, order):
    sizes, settings, states = areas_growing_alike()
    for y in states:
        errors = [error(closure, setting, y) for setting in settings[2:]]
        assert np.polyfit(np.log(sizes[2:]), np.log(errors), 1)[0] == pytest.approx(order, abs=0.1)


def test_near_locking_it_is_worse_than_mean_field():
    flow = dy.integrate(dy.reduce(WIDE, "local"), t_end=60.0, t_eval=[20.0, 57.0])  # the half-time is 52.6
    before, after = flow.y.T
    assert error("second-order", WIDE, before) < 0.02 * error("mean-field", WIDE, before)
    assert error("second-order", WIDE, after) > 1.5 * error("mean-field", WIDE, after)


LAW = dy.Setting(ONE.geometry, ([0.5, 1.5], [0.3, 0.7]))


@pytest.mark.parametrize(
    ("setting", "numbers"),
    [(ONE, False), (ONE, True), *(pytest.param(LAW, numbers, marks=pytest.mark.slow) for numbers in (False, True))],
)
def test_its_equations_are_those_of_mean_field_with_the_curvature(setting, numbers):
    system = dy.reduce(setting, "local", "second-order")
    y = np.random.default_rng(6).standard_normal(len(system.names))
    state = {sp.Symbol(name, real=True): value for name, value in zip(system.names, y, strict=True)}
    values = state if numbers else state | system.numbers()
    written = [float(rate.xreplace(values)) for rate in system.equations(numbers=numbers).values()]
    assert np.abs(system.rate(y) - written).max() <= 1e-13


def test_it_flows_descends_and_is_saved_like_any_other(tmp_path):
    system = dy.reduce(WIDE, "local", "second-order")
    assert (system.exactness, system.method) == ("large-P", "curvature at mean counts")
    flow = dy.integrate(system, until=("target", 0.5))
    assert flow.t[-1] == pytest.approx(52.596, rel=8e-3)  # the exact one; mean-field has 50.17
    flow.save(tmp_path / "flow.npz")
    assert dy.load(tmp_path / "flow.npz").provenance == flow.provenance
    steps, plain = dy.descend(system, 1.0, 30), dy.reduce(WIDE, "local", "second-order", compiled=False)
    assert dy.compare(steps, dy.descend(plain, 1.0, 30)).agrees
    scaling = dy.reduce(dy.Setting(dy.Geometry.scaling(12, 0.98, 0.3)), "local", "second-order")
    mean = dy.reduce(dy.Setting(dy.Geometry.scaling(12, 0.98, 0.3)), "local", "mean-field")
    assert np.abs(scaling.rate(scaling.initial) / mean.rate(mean.initial) - 1).max() <= 1e-2


def test_more_rows_than_memory_holds_are_refused():
    law = np.linspace(0.5, 1.5, 300), np.full(300, 1 / 300)
    with pytest.raises(ValueError, match=re.escape("closure='second-order': expected \"exact\" here: it takes")):
        dy.reduce(dy.Setting(WIDE.geometry, law), "local", "second-order")


def test_so_many_areas_that_rounding_would_swamp_the_curvature_are_refused():
    with pytest.raises(ValueError, match='expected "mean-field" here: with so many areas rounding would be 7e-03'):
        dy.reduce(dy.Setting(dy.Geometry.scaling(30, 0.98, 0.3)), "local", "second-order")


MUTANTS = {
    "the bend of a ray": ("second[i] - 2 * gain", "second[i] - 1.99 * gain"),
    "the weight of the centre": ("weight[row] += bend", "weight[row] += 0.99 * bend"),
    "how far a sample lies": ("/ (1 - gain * rule.reach[i])", "/ (1 + gain * rule.reach[i])"),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_curvature_that_differs_from_that_of_the_loss_is_refused(tmp_path, mutant):
    text, (before, after) = (
        Path(compiled.kernel(False, "second_order").__file__).read_text(encoding="utf-8"),
        MUTANTS[mutant],
    )
    assert before in text
    path = tmp_path / "second_order_mutated.py"
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(RuntimeError, match="of the second-order closure"):
        selfcheck.check_second_order(compiled._load(path, False, "second_order"))
