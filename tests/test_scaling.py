"""Real sizes as logarithms: any P, the table of the theory, and floats where they reach."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dynamics as dy
from dynamics import compiled, selfcheck
from tests.settings import THREE_VALUES

TWO_PHASES, ONE_PHASE = (0.98, 0.3), (0.7, 0.6)
TABLE = {  # theory §5: log T / log P and Φ_global / log P at T
    TWO_PHASES: {
        3: (".8460", "-.38714"),
        6: (".7667", "-.34977"),
        12: (".7379", "-.33616"),
        30: (".7181", "-.33097"),
        100: (".7060", "-.33001"),
        300: (".7020", "-.33000"),
    },
    ONE_PHASE: {
        3: (".6400", "-.03965"),
        6: (".5030", "-.00534"),
        12: (".4502", "-.00012"),
        30: (".4201", "-.00000"),
        100: (".4060", "-.00000"),
        300: (".4020", "-.00000"),
    },
}


def scaled(log10_patches, kappa_c, kappa_s, latent=1.0, mask_ratio=0.5, query="local", areas=None):
    geometry = dy.Geometry.scaling(log10_patches, kappa_c, kappa_s, areas)
    return dy.reduce(dy.Setting(geometry, latent, mask_ratio), query, "mean-field")


@pytest.mark.parametrize("kappas", TABLE)
def test_the_table_of_the_theory_to_every_digit(kappas):
    for log10_patches, (exponent, plateau) in TABLE[kappas].items():
        system = scaled(log10_patches, *kappas)
        assert f"{dy.half_time_exponent(system):.4f}".lstrip("0") == exponent
        assert f"{-abs(dy.plateau(system)):.5f}".replace("0.", ".") == plateau
        flow = dy.integrate(system, until=("target", 0.5), rtol=1e-10, atol=1e-12)
        assert flow.log_t[-1] == pytest.approx(dy.log_half_time(system), rel=1e-9)


def test_at_a_thousand_powers_of_ten_the_limits_are_near():
    for kappas, plateau in ((TWO_PHASES, -0.33), (ONE_PHASE, 0.0)):
        system = scaled(1000, *kappas)
        assert dy.half_time_exponent(system) == pytest.approx(1 - kappas[1], abs=1e-3)
        assert dy.plateau(system) == pytest.approx(plateau, abs=1e-3)


def test_latents_of_the_theory_down_the_ladder():
    found = [dy.half_time_exponent(scaled(x, 0.85, 0.7, ([0.1, 1], [0.5, 0.5]))) for x in (6, 30, 100, 300)]
    assert [f"{one:.4f}" for one in found] == ["1.0459", "0.4145", "0.3103", "0.3030"]
    for values, plateau in (([1, 2], "-0.328"), ([0.25, 1], "-1.304"), ([0.1, 1], "-3.23")):
        at = dy.plateau(scaled(300, *TWO_PHASES, (values, [0.5, 0.5])))
        assert f"{at:.{len(plateau.split('.')[1])}f}" == plateau


LAWS = st.sampled_from([1.0, 0.6, ([0.5, 1.2], [0.3, 0.7]), ([0, 1], [0.5, 0.5]), THREE_VALUES])


@settings(max_examples=60)
@given(
    st.floats(0.5, 6), st.sampled_from([None, 0.3, 0.7, 0.98]), st.floats(0.1, 0.9), LAWS, st.floats(0.1, 0.9),
    st.sampled_from([None, 1.3, 5.0]), st.sampled_from(["local", "global"]), st.integers(0, 10**6),
)  # fmt: skip
def test_rates_in_logarithms_are_those_in_floats(log10, kappa_c, kappa_s, law, mask_ratio, areas, query, seed):
    try:
        system = scaled(log10, kappa_c, kappa_s, law, mask_ratio, query, areas)
    except ValueError:
        return  # no such geometry
    floats, rng = system.as_floats, np.random.default_rng(seed)
    for scale in (0.3, 3.0):
        y = rng.normal(scale=scale, size=len(system.names))
        # beside what a rate is the sum of: where its terms cancel neither has more digits
        size = np.array([max(map(abs, terms.values())) for terms in floats.terms(y).values()])
        assert (np.abs(system.rate(y) - floats.rate(y)) <= 1e-12 * size).all()
        assert system.loss(y) == pytest.approx(floats.loss(y), rel=1e-12)
        assert system.attention(y) == pytest.approx(floats.attention(y), rel=1e-12)
        assert system.attention(y, latent=0.7) == pytest.approx(floats.attention(y, latent=0.7), rel=1e-12)
    assert np.array_equal(system.jacobian(y), floats.jacobian(y))


@pytest.mark.parametrize("kappas", TABLE)
@pytest.mark.parametrize("log10_patches", [2, 3, 4, 5, 6])
def test_rates_in_logarithms_along_the_whole_flow_to_ten_digits(kappas, log10_patches):
    system = scaled(log10_patches, *kappas)
    log_half = dy.log_half_time(system)
    for y in dy.integrate(system, log_t_end=log_half + 12).y.T:
        assert system.rate(y) == pytest.approx(system.as_floats.rate(y), rel=1e-10, abs=1e-300)


def test_plain_python_gives_the_same_rates_and_moments():
    geometry = dy.Geometry.scaling(40, *TWO_PHASES)
    system, plain = (
        dy.reduce(dy.Setting(geometry, ([0.5, 1], [0.4, 0.6])), "local", "mean-field", compiled=c)
        for c in (True, False)
    )
    y = np.random.default_rng(0).normal(size=7)
    assert plain.rate(y) == pytest.approx(system.rate(y), rel=1e-13)
    assert dy.log_half_time(plain, rtol=1e-6) == pytest.approx(dy.log_half_time(system, rtol=1e-6), rel=1e-12)


def test_one_minus_attention_keeps_its_digits_however_far_it_has_locked():
    # large-P, z = 1: log of (1 − A)² is −log(2γt) and a factor, at times that are no floats
    system = scaled(1000, *TWO_PHASES)
    flow = dy.integrate(system, log_t_end=6000.0, rtol=1e-11, atol=1e-12)
    sign, log_rate = system.log_rate(flow.y[:, -1])
    assert sign[0] == 1
    # dΦ/dt = γ(1 − A)²: and Φ grows as ½ log t
    assert log_rate[0] + flow.log_t[-1] == pytest.approx(math.log(0.5), abs=2e-6)
    assert flow.t[-1] == math.inf
    assert np.isfinite(flow.log_t[1:]).all()


def test_flows_past_the_range_of_floats_are_saved_continued_and_solved_in_log_time(tmp_path):
    system = scaled(400, *ONE_PHASE)
    flow = dy.integrate(system, until=("target", 0.3), rtol=1e-10, atol=1e-12)
    again = dy.load(flow.save(tmp_path / "flow.npz"))
    assert np.array_equal(again.log_t, flow.log_t)
    assert [phase.name for phase in again.phases] == ["growth"]
    on = dy.integrate(system, until=("target", 0.5), rtol=1e-10, atol=1e-12, start=again)
    assert on.log_t[-1] == pytest.approx(dy.log_half_time(system), rel=1e-10)
    early = dy.log_half_time(system) - 1.0
    by_log_time = dy.integrate(system, log_t_end=early, variable="log-time", rtol=1e-10, atol=1e-12)
    assert by_log_time.y[0, -1] == pytest.approx(dy.integrate(system, log_t_end=early).y[0, -1], rel=1e-7)
    with pytest.raises(dy.IntegrationError, match="step size"):  # log t = 370: the lock-on takes no float of time
        dy.integrate(system, until=("target", 0.5), variable="time")


def test_a_number_of_areas_may_be_given_and_sizes_stay_powers():
    geometry = dy.Geometry.scaling(3, 0.5, 0.5, areas=4)
    assert geometry.class_size == pytest.approx([10**1.5] * 2)
    assert geometry.patches == pytest.approx(5 * 10**1.5)
    assert geometry.log_patches == pytest.approx(math.log(geometry.patches))
    whole = dy.Setting(dy.Geometry.single_cluster(40, 6, 4))
    powers = dy.Geometry.scaling(math.log10(64), math.log(40) / math.log(64), math.log(6) / math.log(64))
    same = dy.reduce(dy.Setting(powers), "local", "mean-field")
    y = np.random.default_rng(1).normal(size=7)
    assert same.rate(y) == pytest.approx(dy.reduce(whole, "local", "mean-field").rate(y), rel=1e-12)
    assert dy.Setting(powers).information_gap == pytest.approx(whole.information_gap, rel=1e-12)


def test_without_a_global_area_there_are_five_coordinates():
    system = scaled(50, None, 0.4)
    assert system.names == ("fp.target", "fp.other", "pp.target", "pp.other", "pp.self")
    assert dy.half_time_exponent(system) == pytest.approx(0.6 + math.log(4) / (50 * math.log(10)), abs=1e-8)


def test_a_few_areas_fewer_than_one_more_are_legal():
    system = scaled(1, 0.9, 0.05, areas=1.2)
    assert system.rule.but_one[2, 0] < 0  # 0.2 of an area, less one
    assert dy.log_half_time(system) == pytest.approx(dy.integrate(system, until=("target", 0.5)).log_t[-1], rel=1e-6)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e308, -1e308])
def test_a_state_beyond_all_bounds_gives_numbers_or_nan_but_reads_no_other_memory(bad, compiled):
    geometry = dy.Geometry.scaling(1000, *TWO_PHASES)
    system = dy.reduce(dy.Setting(geometry), "local", "mean-field", compiled=compiled)
    with np.errstate(all="ignore"):
        for i in range(7):
            state = np.zeros(7)
            state[i] = bad
            for log_t in (-1e6, 0.0, 1e6, np.nan):
                tangent = system.tangent(log_t, state)
                assert np.isnan(tangent).any() or (np.abs(tangent) <= 1).all()
            assert not system.rate(state)[0] < 0
            assert not system.loss(state) < 0


MUTANTS = {
    "a sum": ("return a[0] + b[0] * halved(a[1] - b[1]), a[1]", "return a[0] + b[0], a[1]"),
    "a smaller first": ("return b[0] + a[0] * halved(b[1] - a[1]), b[1]", "return b[0], b[1]"),
    "copies in the sums": (
        "before = plus(before, times((rule.copies[m, 0], rule.copies[m, 1]), here))",
        "before = plus(before, here)",
    ),
    "one copy left out": ("times((rule.but_one[m, 0], rule.but_one[m, 1]), here)", "here"),
    "copies in the rate": ("each = times(weight, (rule.copies[m, 0], rule.copies[m, 1]))", "each = weight"),
    "the stray of the target": ("(0.0, 0.0) if m == rule.target else stray_here", "stray_here"),
    "masked patches": ("rule.log_masked[m] + masked_score(pp)", "rule.log_unmasked[m] + masked_score(pp)"),
    "multiplicity": ("rate[i, 1] -= rule.multiplicity[i, 1]", "rate[i, 1] -= 0"),
    "the latent": ("times(each, times(fp_lever(z_m, A_m)", "times(each, times(fp_lever(z_a, A_m)"),
    "the first row": ("score = unmasked_score(rule.latent[row, m]", "score = unmasked_score(rule.latent[0, m]"),
    "the loss": ("value = plus(value, times(weight, loss(", "value = plus(value, times(weight, pull_target("),
    "a polynomial": ("R_a, stray):\n    return plus(", "R_a, stray):\n    return times("),
}  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS)
def test_logarithms_that_differ_from_floats_are_refused(tmp_path, mutant):
    text, (before, after) = Path(compiled.kernel(False, "logs").__file__).read_text(encoding="utf-8"), MUTANTS[mutant]
    assert text.count(before) >= 1
    path = tmp_path / "logs_mutated.py"
    path.write_text(text.replace(before, after), encoding="utf-8")
    with pytest.raises(RuntimeError, match="off the derived one"):
        selfcheck.check_logs(compiled._load(path, False))
