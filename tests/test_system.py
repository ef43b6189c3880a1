"""The reduced system: its start, its invariants, its symmetries, and what it says of itself."""

import itertools

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import dynamics as dy
from dynamics import occupancy, source
from dynamics.geometry import of_rows
from tests.settings import NARROW, ONE, SMALL, THREE, TWO, WIDE
from tests.strategies import settings_of_learning, systems

CLOSURES = ("exact", "mean-field")
both_closures = st.sampled_from(CLOSURES).flatmap(lambda closure: systems(closure))


def loss_derivative(system, y, direction):
    """dL_p along a direction, by a central difference with 50 digits."""
    with mpmath.workdps(50):
        rule, step = system.rule.with_numbers(mpmath.mpf), mpmath.mpf(10) ** -20
        state = np.array([mpmath.mpf(value) for value in y])
        towards = np.array([mpmath.mpf(value) for value in direction]) * step
        up, down = (source.interpret("rate_and_loss", mpmath.exp, state + s * towards, rule)[1] for s in (1, -1))
        return float((up - down) / (2 * step))


@pytest.mark.parametrize("closure", CLOSURES)
def test_attention_is_uniform_at_the_start(closure):
    system = dy.reduce(WIDE, "local", closure)
    attention = system.attention(system.initial)
    sizes = {"target": 5, "global": 40, "other": 18}
    share = (64 - 32) / 63 / 64
    for name, size in sizes.items():
        assert attention[name] == pytest.approx(size * share, rel=1e-14, abs=0)
    assert attention["self"] == pytest.approx(1 / 64, rel=1e-14, abs=0)
    assert sum(attention.values()) == pytest.approx(1, abs=1e-14)


@pytest.mark.parametrize("closure", CLOSURES)
@pytest.mark.parametrize("setting", [WIDE, NARROW])
def test_at_the_start_the_target_rises_and_the_global_area_falls(closure, setting):
    system = dy.reduce(setting, "local", closure)
    rate = dict(zip(system.names, system.rate(system.initial), strict=True))
    assert rate["fp.target"] > 0 > rate["fp.global"]


@settings(max_examples=60)
@given(both_closures)
def test_pp_correlations_sum_to_zero(drawn):
    system, y = drawn
    pp = np.array([name.startswith("pp") for name in system.names])
    weighted = system.multiplicity * system.rate(y)
    assert abs(weighted[pp].sum()) <= 1e-14 * max(1, np.abs(weighted).max())


@settings(max_examples=15)
@given(st.sampled_from(CLOSURES).flatmap(lambda c: systems(c, most_patches=5, most_clusters=2)), st.data())
def test_the_rate_is_minus_the_gradient_of_the_loss_in_the_metric(drawn, data):
    system, y = drawn
    direction = np.random.default_rng(data.draw(st.integers(0, 99))).standard_normal(len(y))
    expected = -(system.multiplicity * system.rate(y)) @ direction
    assert loss_derivative(system, y, direction) == pytest.approx(expected, rel=1e-12, abs=1e-14)


@settings(max_examples=15)
@given(st.sampled_from(CLOSURES).flatmap(lambda c: systems(c, most_patches=5, most_clusters=2)))
def test_the_loss_falls_at_the_squared_norm_of_the_gradient(drawn):
    system, y = drawn
    rate = system.rate(y)
    assert loss_derivative(system, y, rate) == pytest.approx(-system.multiplicity @ rate**2, rel=1e-12, abs=1e-20)


@settings(max_examples=60)
@given(both_closures)
def test_the_jacobian_is_symmetric_in_the_metric(drawn):
    system, y = drawn
    weighted = system.multiplicity[:, None] * system.jacobian(y)
    assert np.abs(weighted - weighted.T).max() <= 1e-13 * max(1e-3, np.abs(weighted).max())


@settings(max_examples=20)
@given(both_closures)
def test_the_jacobian_is_the_derivative_of_the_rate(drawn):
    system, y = drawn
    step = 1e-5
    for i, unit in enumerate(np.eye(len(y))):
        slope = (system.rate(y + step * unit) - system.rate(y - step * unit)) / (2 * step)
        assert np.abs(slope - system.jacobian(y)[:, i]).max() <= 1e-9


@settings(max_examples=60)
@given(both_closures)
def test_the_target_never_falls_in_any_cluster(drawn):
    system, y = drawn
    coordinates = system.coordinates
    for k, target in enumerate(coordinates.target):
        assert system.rate(y)[coordinates.fp[k][target]] >= 0


@settings(max_examples=40)
@given(settings_of_learning(most_patches=6, most_clusters=2), st.integers(0, 99))
def test_the_loss_never_falls_below_its_floor(setting, seed):
    generator = np.random.default_rng(seed)
    total = 0.0
    for query in range(setting.geometry.patches):
        system = dy.reduce(setting, query)
        y = 3 * generator.standard_normal(len(system.names))
        for k, target in enumerate(system.coordinates.target):
            y[system.coordinates.fp[k][target]] += 20
        total += system.loss(y)
    assert total >= setting.loss_floor - 1e-13


@settings(max_examples=30)
@given(settings_of_learning())
def test_the_loss_floor_counts_the_masks_that_hide_a_whole_area(setting):
    geometry, law, floor = setting.geometry, setting.law, 0.0
    masks = [set(mask) for mask in itertools.combinations(range(geometry.patches), setting.masked)]
    for k, weight in enumerate(setting.weights):
        for m in range(geometry.areas[k]):
            area = set(np.flatnonzero(geometry.area_of[k] == m).tolist())
            hidden = sum(area <= mask for mask in masks) / len(masks)
            floor += weight * len(area) * hidden * sum(law.weights * law.values**2) / 2
    assert setting.loss_floor == pytest.approx(floor, rel=1e-12, abs=1e-15)


def test_the_loss_floor_is_approached_where_every_query_locks():
    setting, total = SMALL["one"], 0.0
    for query in range(setting.geometry.patches):
        system = dy.reduce(setting, query)
        total += dy.integrate(system, t_end=1e9).loss[-1]
    assert setting.loss_floor < total < setting.loss_floor + 1e-6


@settings(max_examples=40)
@given(settings_of_learning(), st.sampled_from(CLOSURES), st.integers(0, 99))
def test_merged_coordinates_have_the_rates_of_single_ones(setting, closure, seed):
    merged_agrees_with_single(setting, seed % setting.geometry.patches, closure, seed)


def test_in_the_integral_equal_surroundings_merge_even_where_no_relabelling_carries_one_to_the_other():
    # Patches as edges between areas of two clusters: two cycles of 4 and one of 8. The query lies in the first; the
    # second and the third look alike from any one cluster, though no permutation of the labels swaps their patches.
    edges = [
        (first + i, first + (i + s) % n) for first, n in ((0, 2), (2, 2), (4, 4)) for i in range(n) for s in (0, 1)
    ]
    setting = dy.Setting(dy.Geometry.from_labels(np.array(edges).T), mask_ratio=7 / 16)
    assert max(dy.reduce(setting, 0).multiplicity) == 12
    merged_agrees_with_single(setting, 0, "exact", seed=1)


def merged_agrees_with_single(setting, query, closure, seed):
    merged, single = dy.reduce(setting, query, closure), dy.reduce(setting, query, closure, merge=False)
    y = np.random.default_rng(seed).standard_normal(len(merged.names))
    spread = merged.expand(y)
    unmerged = np.empty(len(single.names))
    for k, index in enumerate(single.coordinates.fp):
        unmerged[index] = spread["fp"][k]
    for s, i in enumerate(single.coordinates.pp):
        if i >= 0:
            others = [p for p in setting.geometry.patches_of(s) if p != query]
            unmerged[i] = spread["pp"][others[0]]
    unmerged[-1] = y[-1]
    found, expected = single.expand(single.rate(unmerged)), merged.expand(merged.rate(y))
    for mine, theirs in zip([*found["fp"], found["pp"]], [*expected["fp"], expected["pp"]], strict=True):
        assert np.abs(mine - theirs).max() <= 1e-13
    assert single.loss(unmerged) == pytest.approx(merged.loss(y), rel=1e-13, abs=1e-15)


@settings(max_examples=40)
@given(settings_of_learning(), st.integers(0, 2**32 - 1))
def test_relabelling_patches_areas_and_clusters_changes_nothing(setting, seed):
    generator = np.random.default_rng(seed)
    geometry = setting.geometry
    patches, clusters = generator.permutation(geometry.patches), generator.permutation(geometry.clusters)
    areas = [generator.permutation(n) for n in geometry.areas]
    labels = np.stack([areas[k][geometry.area_of[k]] for k in clusters])[:, patches]
    renamed = dy.Setting(of_rows(labels), setting.latent, setting.mask_ratio, setting.weights[clusters])
    query = int(generator.integers(geometry.patches))
    before, after = (
        dy.reduce(setting, query, merge=False),
        dy.reduce(renamed, int(np.argsort(patches)[query]), merge=False),
    )

    fp = [generator.standard_normal(n) for n in geometry.areas]
    pp = generator.standard_normal(len(geometry.class_size))
    own = generator.standard_normal()

    def state(system, fp_of, pp_of):
        y = np.empty(len(system.names))
        for index, values in zip(system.coordinates.fp, fp_of, strict=True):
            y[index] = values
        for s, i in enumerate(system.coordinates.pp):
            if i >= 0:
                y[i] = pp_of[s]
        y[-1] = own
        return y

    fp_after = [fp[k][np.argsort(areas[k])] for k in clusters]
    class_before = [int(np.flatnonzero((geometry.class_areas == geometry.area_of[:, p]).all(1))[0]) for p in patches]
    class_of_after = renamed.geometry
    pp_after = np.empty(len(pp))
    for position, s in enumerate(class_before):
        row = class_of_after.area_of[:, position]
        pp_after[int(np.flatnonzero((class_of_after.class_areas == row).all(1))[0])] = pp[s]
    first, second = (
        before.expand(before.rate(state(before, fp, pp))),
        after.expand(after.rate(state(after, fp_after, pp_after))),
    )
    assert np.abs(second["pp"] - first["pp"][patches]).max() <= 1e-13
    for row, k in enumerate(clusters):
        assert np.abs(second["fp"][row][areas[k]] - first["fp"][k]).max() <= 1e-13


@settings(max_examples=60)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=5), st.integers(1, 12))
def test_as_many_occupancies_are_counted_as_are_enumerated(sizes, masked):
    size = np.array(sizes, dtype=float)
    if masked - 1 <= size.sum():
        assert occupancy.count_rows(size, masked) == len(occupancy.enumerate_counts(size, masked)[0])


def test_clusters_that_mirror_each_other_share_their_coordinates():
    mirrored = dy.Setting(dy.Geometry.from_labels([[0, 0, 1, 1], [0, 1, 0, 1]]))
    assert dy.reduce(mirrored, 0).names == ("fp[0,0]", "fp[0,1]", "pp[0,1]", "pp[1,1]", "pp.self")
    tilted = dy.Setting(mirrored.geometry, cluster_weights=[0.4, 0.6])
    assert len(dy.reduce(tilted, 0).names) == 8


@pytest.mark.parametrize(
    ("sizes", "query", "names"),
    [
        ((5, 2, 3), "local", "fp.target fp.global fp.other pp.target pp.global pp.other pp.self"),
        ((5, 2, 3), "global", "fp.target fp.other pp.target pp.other pp.self"),
        ((5, 1, 3), "local", "fp.target fp.global fp.other pp.global pp.other pp.self"),
        ((5, 2, 1), "local", "fp.target fp.global pp.target pp.global pp.self"),
        ((3, 3, 2), 0, "fp.target fp.other pp.target pp.other pp.self"),
        ((1, 1, 2), 0, "fp.target fp.other pp.other pp.self"),
    ],
)
def test_one_cluster_has_the_names_of_the_theory(sizes, query, names):
    assert dy.reduce(dy.Setting(dy.Geometry.single_cluster(*sizes)), query).names == tuple(names.split())


def test_areas_of_unequal_sizes_are_named_by_their_labels():
    labels = [0, 0, 0, 1, 1, 2, 3, 3]
    system = dy.reduce(dy.Setting(dy.Geometry.from_labels([labels])), 3)
    assert system.names == (
        *("fp[0,0]", "fp[0,1]", "fp[0,2]", "fp[0,3]"),
        *("pp[0]", "pp[1]", "pp[2]", "pp[3]", "pp.self"),
    )
    assert "target" in system.attention(system.initial)


def test_expanded_correlations_are_those_of_the_patches():
    system = dy.reduce(THREE, 3)
    y = np.arange(1.0, len(system.names) + 1)
    expanded = system.expand(y)
    assert expanded["pp"][3] == y[-1]
    weights = np.bincount(np.concatenate([*system.coordinates.fp]), minlength=len(y))
    assert sum(fp.sum() for fp in expanded["fp"]) == pytest.approx((weights * y).sum())
    assert len(expanded["pp"]) == 6


@pytest.mark.parametrize(
    ("setting", "query", "closure"),
    [(WIDE, "local", "mean-field"), (dy.Setting(TWO.geometry), 3, "mean-field"), (ONE, "local", "exact")],
)
def test_the_equations_are_those_that_are_integrated(setting, query, closure):
    system = dy.reduce(setting, query, closure)
    y = np.random.default_rng(3).normal(size=len(system.names))
    values = {sp.Symbol(name, real=True): value for name, value in zip(system.names, y, strict=True)}
    for equations in (system.equations(numbers=True), system.equations()):
        given = values | system.numbers()
        found = sp.lambdify(list(given), list(equations.values()), cse=True)(*given.values())
        assert np.abs(found - system.rate(y)).max() <= 1e-14


def test_equations_in_symbols_are_those_of_any_sizes():
    other = dy.Setting(dy.Geometry.single_cluster(88, 3, 7), latent=1.3, mask_ratio=0.7)
    first, second = (dy.reduce(setting, "local", "mean-field") for setting in (WIDE, other))
    assert first.equations() == second.equations()
    assert first.equations(numbers=True) != second.equations(numbers=True)
    assert not any(rate.has(sp.Indexed) for rate in first.equations(numbers=True).values())


def test_attention_with_every_latent_fixed_is_that_of_a_constant_law():
    system = dy.reduce(TWO, 4)
    y = np.random.default_rng(5).normal(size=len(system.names))
    constant = dy.reduce(dy.Setting(TWO.geometry, 1.7, TWO.mask_ratio, TWO.weights), 4)
    assert system.attention(y, cluster=1, latent=1.7) == pytest.approx(constant.attention(y, cluster=1))
    assert system.attention(y, 1) != pytest.approx(constant.attention(y, 1))


def test_mean_field_takes_real_sizes_and_agrees_with_whole_ones():
    whole = dy.reduce(dy.Setting(dy.Geometry.single_cluster(100, 10, 90)), "local", "mean-field")
    real = dy.reduce(dy.Setting(dy.Geometry.scaling(3, 2 / 3, 1 / 3)), "local", "mean-field")
    y = np.random.default_rng(7).normal(size=7)
    assert np.allclose(whole.rate(y), real.rate(y), rtol=1e-12, atol=0)


def test_the_mean_field_error_of_the_rate_falls_as_one_over_the_area_size():
    errors, sizes = [], np.array([16, 32, 64, 128])
    y = np.array([0.6, -0.4, 0.2, 0.0, 0.0, 0.0, 0.0])
    for size in sizes:
        setting = dy.Setting(dy.Geometry.single_cluster(4 * int(size), int(size), 2))
        exact, mean_field = (dy.reduce(setting, "local", closure) for closure in CLOSURES)
        errors.append(abs(mean_field.rate(y)[0] / exact.rate(y)[0] - 1))
    assert np.polyfit(np.log(sizes), np.log(errors), 1)[0] == pytest.approx(-1, abs=0.1)
