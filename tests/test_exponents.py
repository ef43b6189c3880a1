"""Limits for large P: extrapolated to the derived ones within their uncertainty, and flagged where not in sight."""

import math

import numpy as np
import pytest

import dynamics as dy
from tests.settings import WIDE


def grid(n, m):
    return [(kc, ks) for kc in np.linspace(0.52, 0.98, n).tolist() for ks in np.linspace(0.05, 0.5, m).tolist()]


def gap(kappa_c, kappa_s):
    return (1 - kappa_s) - 2 * (1 - kappa_c)


@pytest.mark.parametrize("many", [grid(5, 4), pytest.param(grid(12, 10), marks=pytest.mark.slow)], ids=len)
def test_exponents_and_plateaus_agree_with_the_derived_ones_on_a_grid_of_both_signs_of_the_gap(many):
    signs = np.sign([gap(*kappas) for kappas in many])
    assert min((signs > 0).sum(), (signs < 0).sum()) >= len(many) / 4
    for kappas in many:
        for quantity in ("half-time", "plateau"):
            found = dy.exponent(quantity, *kappas)
            assert found.derived
            assert not found.preasymptotic
            assert found.agrees, found
            assert found.uncertainty < 2e-5


@pytest.mark.parametrize(
    ("quantity", "limit"),
    [
        ("half-time-constant", 1),
        ("pp-over-fp", -0.3),
        ("phase-one-end", 1 / 3),
        ("phase-one-target", math.log(1.5)),
        ("phase-one-global", -0.33),
    ],
)
def test_limits_of_the_theory_within_their_uncertainty(quantity, limit):
    found = dy.exponent(quantity, 0.98, 0.3)
    assert found.agrees
    assert found.predicted == pytest.approx(limit, rel=1e-12)
    assert found.value == pytest.approx(limit, abs=found.uncertainty)
    assert found.uncertainty < 1e-8


@pytest.mark.slow
@pytest.mark.parametrize(
    "quantity", ["half-time-constant", "pp-over-fp", "phase-one-end", "phase-one-target", "phase-one-global"]
)
def test_limits_of_the_theory_on_the_whole_grid(quantity):
    for kappas in grid(12, 10):
        if gap(*kappas) > 0.01 or not quantity.startswith("phase"):
            found = dy.exponent(quantity, *kappas)
            assert found.agrees, found
            assert found.uncertainty < 1e-3
            assert not found.preasymptotic


@pytest.mark.parametrize("query", ["local", "global"])
@pytest.mark.parametrize("mask_ratio", [0.2, 0.75])
def test_the_constant_of_the_half_time_has_the_mask_ratio_and_the_latent(query, mask_ratio):
    found = dy.exponent("half-time-constant", 0.8, 0.3, 1.7, mask_ratio, query=query)
    assert found.agrees
    assert found.predicted == 1
    assert dy.exponent("half-time", 0.8, 0.3, 1.7, mask_ratio, query=query).agrees


def test_the_power_of_the_position_correlations_at_finite_patches():
    # (P^κs − 1)Υ_target = Φ_target nearly: one patch against the whole area
    for log10_patches in (3, 30, 300):
        system = dy.reduce(dy.Setting(dy.Geometry.scaling(log10_patches, 0.98, 0.3)), "local", "mean-field")
        others = 10 ** (0.3 * log10_patches) - 1
        expected = -math.log(others) / (log10_patches * math.log(10))
        assert dy.pp_exponent(system) == pytest.approx(expected, abs=0.1 / log10_patches**2)


def test_a_ladder_too_short_to_see_the_limit_is_flagged():
    for kappas in ((0.8005, 0.6), (0.7995, 0.6), (0.8 + 1e-9, 0.6)):  # P^Δ has not left 1
        assert dy.exponent("plateau", *kappas).preasymptotic
    assert dy.exponent("half-time", 0.999, 0.3).preasymptotic  # P^(κc − 1) has not gone
    short = dy.exponent("half-time", 0.98, 0.3, ladder=(3, 6, 12, 24))
    assert short.preasymptotic
    assert not dy.exponent("plateau", 0.8, 0.6).preasymptotic  # Δ = 0: nothing has to go


@pytest.mark.parametrize(
    ("kappas", "ratio", "query"),
    [((0.98, 0.3), 100, "local"), ((0.85, 0.7), 100, "local"), ((0.7, 0.6), 80, "local"),
     ((0.992, 0.985), 9, "local"), ((0.979, 0.3), 48, "global")],
)  # fmt: skip
def test_a_law_so_wide_that_its_smallest_value_is_not_seen_to_lock_is_flagged(kappas, ratio, query):
    # what that needs after the largest has locked is P^{−(1−κ)L/U} of T, over πL⁴
    for quantity in ("half-time", "half-time-constant"):
        law = [1 / ratio, 1], [0.5, 0.5]
        assert dy.exponent(quantity, *kappas, law, query=query, rtol=1e-8, ladder=(60, 120, 240, 480)).preasymptotic


def test_where_the_moment_is_read_does_not_enter_the_prediction():
    found = dy.exponent("plateau", 0.98, 0.3, ([0.5, 1], [0.5, 0.5]), at_latent=1.0)
    assert found.predicted == pytest.approx(-0.66)
    assert found.agrees


def test_what_is_not_derived_says_so():
    of_global = dy.exponent("pp-over-fp", 0.98, 0.3, query="global")
    assert (of_global.predicted, of_global.paper) == (None, None)
    assert of_global.value == pytest.approx(-0.98, abs=2e-6)
    assert not dy.exponent(dy.log_half_time, 0.7, 0.6).derived
    assert not dy.exponent("half-time", 0.5, 0.6).derived


@pytest.mark.parametrize(("ratio", "factor"), [(1, 1), (1.2, 1), (2, 2), (5, 8)])
def test_the_bound_of_the_paper_stands_beside_the_exponent(ratio, factor):
    law = 1.0 if ratio == 1 else ([1 / ratio, 1], [0.5, 0.5])
    assert dy.exponent("half-time", 0.85, 0.7, law).paper == pytest.approx(factor * 0.3)


@pytest.mark.parametrize("log10_patches", [6, 40, pytest.param(300, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "law", [([0.1, 1], [0.5, 0.5]), ([0.27, 1.8, 2.3], [0.25, 0.05, 0.7]), ([0, 0.5, 1], [0.3, 0.3, 0.4])]
)
def test_no_lock_of_one_of_several_latents_is_stepped_over(law, log10_patches):
    for kappas in ((0.98, 0.3), (None, 0.9)):
        system = dy.reduce(dy.Setting(dy.Geometry.scaling(log10_patches, *kappas), law, 0.58), "local", "mean-field")
        assert dy.log_half_time(system) == pytest.approx(dy.log_half_time(system, rtol=1e-12), abs=1e-6)
        flow = dy.integrate(system, until=("target", 0.5, system.setting.law.least_positive), rtol=1e-9, atol=1e-11)
        assert flow.log_t[-1] == pytest.approx(dy.log_half_time(system, rtol=1e-12), abs=1e-6)


@pytest.mark.slow
def test_a_hundred_thousand_powers_of_ten_are_no_limit():
    system = dy.reduce(dy.Setting(dy.Geometry.scaling(1e6, 0.98, 0.3)), "local", "mean-field")
    assert dy.half_time_exponent(system, rtol=1e-7) == pytest.approx(0.7, abs=1e-5)


SPREAD = [((0.98, 0.3), (3,))]
FINELY = [(kappas, (1.1, 1.5, 2, 5, 10)) for kappas in ((0.98, 0.3), (0.85, 0.7), (0.7, 0.6))]


@pytest.mark.parametrize("grid", [SPREAD, pytest.param(FINELY, marks=pytest.mark.slow)], ids=["one ratio", "finely"])
def test_two_latents_have_the_exponent_of_one_whatever_their_ratio(grid):
    # theory §5: the paper's bound is max(2(U/L − 1), 1)(1 − κs)
    for kappas, ratios in grid:
        for ratio in ratios:
            law = [1 / ratio, 1], [0.5, 0.5]
            for latent in law[0]:
                found = dy.exponent("half-time", *kappas, law, at_latent=latent)
                assert found.value == pytest.approx(1 - kappas[1], abs=found.uncertainty)
                assert found.uncertainty < 1e-7
            constant = dy.exponent("half-time-constant", *kappas, law)
            assert constant.agrees
            assert constant.uncertainty < 1e-4
            plateau = dy.exponent("plateau", *kappas, law)
            assert plateau.agrees
            assert plateau.uncertainty < 1e-5
            assert plateau.predicted == pytest.approx(-max(gap(*kappas), 0) / 2 * ratio, abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("low", [0.1, 0.5])
def test_a_latent_with_a_density_has_the_exponent_of_a_constant_one(low):
    from scipy.stats import uniform

    problem = {
        "kappa_c": 0.85,
        "kappa_s": 0.7,
        "latent": uniform(low, 1 - low),
        "ladder": (60, 120, 240, 480),
        "rtol": 1e-9,
    }
    found = dy.exponent("half-time", **problem)
    assert found.agrees
    assert found.value == pytest.approx(0.3, abs=found.uncertainty)
    assert dy.exponent("half-time-constant", **problem).agrees


REGIMES = {  # beyond the paper's range: (κc, κs, areas, query), log T / log P, Φ_global / log P, phases before T
    "no gap": ((0.85, 0.7, None, "local"), 0.3, 0, ["growth"]),
    "no gap, small areas": ((0.6, 0.2, None, "local"), 0.8, 0, ["growth"]),
    "a gap just above 0": ((0.805, 0.6, None, "local"), 0.4, -0.005, ["decoupling", "growth"]),
    "a gap just below 0": ((0.795, 0.6, None, "local"), 0.4, 0, ["growth"]),
    "local areas larger than the global one": ((0.5, 0.6, None, "local"), 0.4, 0, ["growth"]),
    "much larger": ((0.1, 0.9, None, "local"), 0.1, 0, ["growth"]),
    "no global area": ((None, 0.4, None, "local"), 0.6, None, ["growth"]),
    "all but four areas global": ((1.0, 0.3, 4, "local"), 0.7, -0.35, ["decoupling", "growth"]),
    "four equal areas": ((None, 0.4, 4, "local"), 0, None, ["growth"]),
    "a global query beside larger areas": ((0.5, 0.6, None, "global"), 0.5, None, ["growth"]),
}


@pytest.mark.parametrize("regime", REGIMES)
def test_regimes_beyond_the_range_of_the_paper(regime):
    (kappa_c, kappa_s, areas, query), half_time, plateau, phases = REGIMES[regime]
    found = dy.exponent("half-time", kappa_c, kappa_s, areas=areas, query=query)
    assert found.value == pytest.approx(half_time, abs=found.uncertainty + 1e-12)
    assert found.uncertainty < 1e-6
    assert not found.preasymptotic
    if plateau is not None:
        falls = dy.exponent("plateau", kappa_c, kappa_s, areas=areas)
        assert falls.value == pytest.approx(plateau, abs=falls.uncertainty + 1e-12)
        assert falls.uncertainty < 1e-5
    geometry = dy.Geometry.scaling(300, kappa_c, kappa_s, areas)
    flow = dy.integrate(dy.reduce(dy.Setting(geometry), query, "mean-field"), until=("target", 0.5))
    assert [phase.name for phase in flow.phases] == phases


@pytest.mark.parametrize("mask_ratio", [0.25, 0.5, 0.75])
def test_two_phases_begin_where_the_number_of_patches_makes_the_first_rate_larger(mask_ratio):
    # at Q = 0 the rates are γ(1 − γ)²P^{2(κc − 1)} and γ(1 − γ)P^{κs − 1}: they are equal at P = (1 − γ)^{−1/Δ}
    kappa_c, kappa_s = 0.805, 0.6
    at = -math.log10(1 - mask_ratio) / gap(kappa_c, kappa_s)
    for log10_patches, number in ((0.95 * at, 1), (1.05 * at, 2)):
        setting = dy.Setting(dy.Geometry.scaling(log10_patches, kappa_c, kappa_s), mask_ratio=mask_ratio)
        flow = dy.integrate(dy.reduce(setting, "local", "mean-field"), until=("target", 0.5))
        assert len(flow.phases) == number


def scaled(*powers):
    return dy.reduce(dy.Setting(dy.Geometry.scaling(*powers)), "local", "mean-field")


def test_the_half_time_is_a_time_and_its_logarithm_is_one():
    for system in (dy.reduce(WIDE, "local"), dy.reduce(WIDE, "global", "mean-field"), scaled(30, 0.98, 0.3)):
        assert dy.half_time(system) == pytest.approx(math.exp(dy.log_half_time(system)), rel=1e-14)
        assert dy.half_time(system) == pytest.approx(dy.integrate(system, until=("target", 0.5)).t[-1], rel=1e-6)
    beyond = scaled(1000, 0.98, 0.3)
    assert (dy.half_time(beyond), round(dy.log_half_time(beyond), 2)) == (math.inf, 1613.2)
    two = dy.reduce(dy.Setting(dy.Geometry.scaling(6, 0.98, 0.3), ([0.5, 1.7], [0.5, 0.5])), "local", "mean-field")
    assert dy.half_time(two) > dy.half_time(two, latent=1.7) == pytest.approx(math.exp(dy.log_half_time(two, 1.7)))
    with np.errstate(all="raise"):
        assert dy.half_time(beyond) == math.inf


@pytest.mark.parametrize("quantity", [dy.half_time, lambda system: math.nan])
def test_a_quantity_that_is_no_number_down_the_ladder_is_refused(quantity):
    with pytest.raises(ValueError, match=r"quantity='(half_time|<lambda>)': expected one that is finite at log10 P = "):
        dy.exponent(quantity, 0.7, 0.6, ladder=(125, 250, 500, 1000))


def test_any_quantity_of_a_system_may_be_extrapolated():
    def twice_the_log_half_time(system):
        return 2 * dy.log_half_time(system)

    found = dy.exponent(twice_the_log_half_time, 0.7, 0.6)
    assert found.quantity == "twice_the_log_half_time"
    assert found.value == pytest.approx(0.8, abs=1e-9)
    assert found.predicted is None
    assert not found.agrees


def test_the_compiled_solve_is_that_of_scipy():
    rng = np.random.default_rng(0)
    for _ in range(30):
        log10_patches, kappa_c, kappa_s = rng.uniform(2, 200), rng.uniform(0.55, 0.95), rng.uniform(0.1, 0.5)
        system = dy.reduce(dy.Setting(dy.Geometry.scaling(log10_patches, kappa_c, kappa_s)), "local", "mean-field")
        flow = dy.integrate(system, until=("target", 0.5), rtol=1e-10, atol=1e-12)
        assert dy.log_half_time(system, rtol=1e-10) == pytest.approx(flow.log_t[-1], rel=1e-10)
        assert dy.plateau(system, rtol=1e-10) == pytest.approx(
            flow["fp.global"][-1] / system.setting.geometry.log_patches, abs=1e-9
        )
