"""The ledger of dominant balance: named terms that sum to each rate."""

import itertools
import math
from collections import defaultdict

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dynamics as dy
from dynamics import balance, source
from tests.settings import NARROW, SMALL, TWO, WIDE
from tests.strategies import settings_of_learning, systems

DECOUPLING = dy.Setting(dy.Geometry.single_cluster(88, 3, 4))  # Δ = 0.70


def assert_they_sum_to_the_rate(system, y, rel=1e-13):
    terms, rate = system.terms(y), system.rate(y)
    assert list(terms) == list(system.names)
    for found, one in zip(terms.values(), rate, strict=True):
        largest = max(map(abs, found.values()))
        assert abs(math.fsum(found.values()) - one) <= rel * largest + 1e-300


@settings(max_examples=30)
@given(st.sampled_from(["exact", "sampled", "mean-field", "second-order"]).flatmap(systems))
def test_the_terms_sum_to_the_rate_in_every_closure(drawn):
    assert_they_sum_to_the_rate(*drawn)


@pytest.mark.parametrize("closure", ["exact", "sampled", "mean-field", "second-order"])
@pytest.mark.parametrize("setting", [WIDE, TWO], ids=["one cluster", "two clusters"])
@pytest.mark.parametrize("locked", [0, 1, 2])
@pytest.mark.parametrize("strength", [10.0, 30.0, 300.0])
def test_they_sum_to_it_however_far_attention_has_locked(closure, setting, locked, strength):
    # over at most some thousand rows: of more, the rounding of the rate itself is larger
    system = dy.reduce(
        setting, setting.geometry.patches - 1, closure, method="enumeration" if closure == "exact" else "auto"
    )
    y = np.random.default_rng(1).normal(scale=0.1, size=len(system.names))
    y[locked] = strength
    assert_they_sum_to_the_rate(system, y)


def test_where_sizes_are_real_numbers_they_sum_to_it_too():
    setting = dy.Setting(dy.Geometry.scaling(3, 0.98, 0.3), ([0.4, 1.3], [0.6, 0.4]))
    for query, n in (("local", 7), ("global", 5)):
        system, y = dy.reduce(setting, query, "mean-field"), np.random.default_rng(2).normal(size=n)
        assert_they_sum_to_the_rate(system, y)
        same, floats = system.terms(y, log_t=2.0), system.as_floats.terms(y, log_t=2.0)
        for name, terms in floats.items():
            assert list(same[name].items()) == [
                (term, pytest.approx(value, rel=1e-12)) for term, value in terms.items()
            ]


def test_at_any_number_of_patches_they_sum_to_the_derivative_by_log_time():
    system = dy.reduce(dy.Setting(dy.Geometry.scaling(1000, 0.98, 0.3)), "local", "mean-field")
    y, log_t = np.array([0.4, -700.0, 0, 0, 0, 0, 0]), 1612.0
    assert not system.rate(y).any()
    sign, log_rate = system.log_rate(y)
    for found, rate in zip(system.terms(y, log_t).values(), sign * np.exp(log_rate + log_t), strict=True):
        assert math.fsum(found.values()) == pytest.approx(rate, rel=1e-11)
    assert system.terms(y, log_t)["fp.target"]["target"] > 0.1


@pytest.mark.parametrize("method", ["conditional", "integral"])
def test_integral_and_conditional_sum_take_the_terms_of_enumeration(method):
    system = dy.reduce(WIDE, "local", method=method)
    assert_they_sum_to_the_rate(system, np.random.default_rng(3).normal(size=7), rel=1e-11)


def every_sample(setting, query):
    """Weight, cluster, latents and masked patches of every sample in which the query is masked."""
    geometry, law, patches = setting.geometry, setting.law, range(setting.geometry.patches)
    masks = [set(mask) for mask in itertools.combinations(patches, int(setting.masked))]
    for k, weight in enumerate(setting.weights):
        for chosen in itertools.product(range(len(law.values)), repeat=geometry.areas[k]):
            chance = weight * math.prod(law.weights[i] for i in chosen) / len(masks)
            yield from ((chance, k, law.values[list(chosen)], mask) for mask in masks if query in mask)


def residual_by_residual(system, y):
    """What ρ_j z_j (δ_jm − A_j) adds to every rate, area j by area j, patch by patch."""
    setting, coordinates = system.setting, system.coordinates
    geometry, correlations = setting.geometry, system.expand(y)
    found = {name: defaultdict(float) for name in system.names}
    for weight, k, z, mask in every_sample(setting, system.query):
        area_of = geometry.class_areas[geometry.patch_class, k]
        a, groups = area_of[system.query], coordinates.group_names(k)
        seen = np.array([p not in mask for p in range(geometry.patches)])
        attention = np.exp(correlations["pp"] + seen * z[area_of] * correlations["fp"][k][area_of])
        attention /= attention.sum()
        A = np.array([attention[seen & (area_of == m)].sum() for m in range(len(z))])
        for q, j in itertools.product(range(geometry.patches), range(len(z))):
            m = area_of[q]
            pull = z[j] ** 2 * ((j == a) - A[j]) * ((j == m and seen[q]) - A[j])
            name = "target" if j == a else "own" if j == m and seen[q] else groups[j]
            i = len(y) - 1 if q == system.query else coordinates.pp[geometry.patch_class[q]]
            term = f"{'' if seen[q] else 'masked: '}{name}"
            found[system.names[i]][term] += weight * attention[q] * pull / system.multiplicity[i]
            if seen[q]:
                i = coordinates.fp[k][m]
                found[system.names[i]][term] += weight * z[m] * attention[q] * pull / system.multiplicity[i]
    return found


@settings(max_examples=20)
@given(settings_of_learning(most_patches=5, most_clusters=2), st.booleans(), st.integers(0, 2**32 - 1))
def test_each_term_is_what_one_residual_adds_on_the_mean_over_every_mask(setting, merge, seed):
    generator = np.random.default_rng(seed)
    query = int(generator.integers(setting.geometry.patches))
    system = dy.reduce(setting, query, merge=merge)
    y = generator.normal(size=len(system.names))
    terms, expected = system.terms(y), residual_by_residual(system, y)
    for name in system.names:
        nonzero = {term for term, value in expected[name].items() if value != 0}
        assert nonzero <= set(terms[name])
        for term, value in terms[name].items():
            assert value == pytest.approx(expected[name][term], rel=1e-12, abs=1e-15)


def test_the_target_drives_its_own_correlation_by_its_squared_residual():
    gamma, z = 0.25, 0.7
    system = dy.reduce(dy.Setting(WIDE.geometry, latent=z, mask_ratio=gamma), "local", "mean-field")
    assert len(system.rule.weight) == 1
    y = np.random.default_rng(5).normal(size=7)
    A = system.attention(y)["target"]
    assert system.terms(y)["fp.target"]["target"] == pytest.approx(gamma * z**3 * A * (1 - A) ** 2, rel=1e-12)


def test_the_curvature_of_the_second_order_closure_is_what_it_adds_to_the_mean_field():
    for setting in (WIDE, TWO):
        y = np.random.default_rng(6).normal(size=len(dy.reduce(setting, 0).names))
        second_order, mean_field = (dy.reduce(setting, 0, closure) for closure in ("second-order", "mean-field"))
        terms, plain = second_order.terms(y), mean_field.terms(y)
        added = second_order.rate(y) - mean_field.rate(y)
        assert [terms[name].pop("curvature") for name in terms] == pytest.approx(added, rel=1e-9, abs=1e-15)
        assert terms == plain


@pytest.mark.parametrize("closure", ["exact", "mean-field"])
def test_the_two_phases_are_two_dominant_terms(closure):
    def dominant(state):
        terms = [(abs(v), name, term) for name, found in system.terms(state).items() for term, v in found.items()]
        (largest, *which), second = sorted(terms, reverse=True)[:2]
        return which, largest / second[0]

    system = dy.reduce(DECOUPLING, "local", closure)
    flow = dy.integrate(system, until=("target", 0.5))
    first, margin = dominant(flow.y[:, 0])
    assert first == ["fp.global", "own"]
    assert margin > 10
    assert dominant(flow.y[:, -1])[0] == ["fp.target", "target"]
    order = [dominant(state)[0] for state in flow.y.T]
    assert len(list(itertools.groupby(order))) == 2


def names(setting, query, closure="exact"):
    system = dy.reduce(setting, query, closure)
    return {name: list(terms) for name, terms in system.terms(system.initial).items()}


def test_the_names_of_one_cluster_are_those_documented():
    by_masked = ["masked: target", "masked: global", "masked: other"]
    assert names(WIDE, "local") == {
        "fp.target": ["target", "global", "other"],
        "fp.global": ["target", "own", "other"],
        "fp.other": ["target", "own", "global", "other"],
        "pp.target": ["target", "global", "other", *by_masked],
        "pp.global": ["target", "own", "other", *by_masked],
        "pp.other": ["target", "own", "global", "other", *by_masked],
        "pp.self": by_masked,
    }


def test_a_term_without_its_area_or_patch_is_left_out():
    two_areas = names(dy.Setting(dy.Geometry.single_cluster(4, 2, 1)), "local")
    assert two_areas["fp.target"] == ["target", "global"]
    assert two_areas["fp.global"] == ["target", "own"]
    assert two_areas["pp.self"] == ["masked: target", "masked: global"]
    one_other = names(dy.Setting(dy.Geometry.single_cluster(4, 2, 2)), "local")
    assert one_other["fp.other"] == ["target", "own", "global"]
    assert one_other == names(dy.Setting(dy.Geometry.single_cluster(4, 2, 2)), "local", "mean-field")
    one_masked = names(dy.Setting(dy.Geometry.single_cluster(4, 2, 2), mask_ratio=1 / 8), "local")
    assert one_masked["pp.global"] == ["target", "own", "other"]
    assert one_masked["pp.self"] == ["masked: target", "masked: global", "masked: other"]
    assert names(dy.Setting(dy.Geometry.from_labels([[0, 0, 0]])), 0)["fp.target"] == ["target"]


def test_with_several_clusters_stray_goes_by_area():
    found = names(TWO, 3)
    assert found["fp[0,1]"] == ["target", "area[0,0]", "area[0,2]"]
    assert found["fp[0,0]"] == ["target", "own", "area[0,2]"]
    assert found["pp[0,1]"][:5] == ["target", "own", "area[0,2]", "area[1,0]", "area[1,2]"]  # own in 0, target in 1
    # large-P: each value of the latent of an area beside target and global counts as an area
    assert names(TWO, 3, "mean-field")["fp[0,2]"] == ["target", "own", "area[0,0]", "area[0,2]"]


def test_all_closures_have_the_same_names_where_the_latent_is_constant():
    exact = names(NARROW, "local")
    assert names(NARROW, "local", "mean-field") == names(NARROW, "local", "sampled") == exact
    assert names(NARROW, "local", "second-order") == {name: [*terms, "curvature"] for name, terms in exact.items()}


def test_the_same_names_take_numbers_of_any_kind():
    system = dy.reduce(SMALL["three"], 2)
    y = np.random.default_rng(7).normal(size=len(system.names))
    with mpmath.workdps(50):
        rule, state = system.rule.with_numbers(mpmath.mpf), np.array([mpmath.mpf(value) for value in y])
        rate, _ = source.interpret("rate_and_loss", mpmath.exp, state, rule)
        places = balance.places(rule, system.coordinates, system.setting.masked)
        terms = balance.named(source.interpret("ledger", mpmath.exp, state, rule), places, number=lambda value: value)
        for found, one in zip(terms.values(), rate, strict=True):
            assert abs(mpmath.fsum(found.values()) - one) < mpmath.mpf(10) ** -45
    for name, found in system.terms(y).items():
        assert found == pytest.approx({term: float(value) for term, value in terms[name].items()}, rel=1e-12)


def test_compiled_equals_plain():
    y = np.random.default_rng(8).normal(size=7)
    plain = dy.reduce(WIDE, "local", "mean-field", compiled=False).terms(y)
    for name, found in dy.reduce(WIDE, "local", "mean-field").terms(y).items():
        assert found == pytest.approx(plain[name], rel=1e-13)


def test_too_many_rows_are_refused_with_the_closures_that_have_terms():
    vit = dy.reduce(dy.Setting(dy.Geometry.single_cluster(98, 7, 14)), "local")
    with pytest.raises(ValueError, match=r"closure='exact': expected \"mean-field\", \"second-order\" or \"sampled\""):
        vit.terms(vit.initial)


def test_too_many_terms_are_refused():
    setting = dy.Setting(dy.Geometry.single_cluster(3, 2, 600))
    system = dy.reduce(setting, 0, "mean-field", merge=False)
    with pytest.raises(ValueError, match=r"coordinates=1203: expected fewer: their rates have some 1,450,818 terms"):
        system.terms(system.initial)
    merged = dy.reduce(setting, 0, "mean-field")
    assert_they_sum_to_the_rate(merged, np.random.default_rng(9).normal(size=len(merged.names)))
