"""The conditional sum of the exact closure: against enumeration, the integral and 50 digits, and where it applies."""

import math
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import dynamics as dy
from dynamics import compiled, conditional, reduction, selfcheck, source
from dynamics.coordinates import Coordinates
from tests.fifty_digits import loss_and_rate
from tests.settings import SMALL, THREE_VALUES, TWO, WIDE

SIZES = {"64": (40, 6, 4), "196": (98, 7, 14), "1024": (832, 8, 24), "10000": (8320, 16, 105)}
SETTINGS = {name: dy.Setting(dy.Geometry.single_cluster(*sizes)) for name, sizes in SIZES.items()}
BESIDE_NOTHING = dy.Setting(dy.Geometry.single_cluster(7, 7, 3))  # C_global = C_local


@st.composite
def one_cluster(draw):
    """One cluster of at most 24 patches, areas equal but for the target's and at most one more, and a query."""
    size, count = draw(st.integers(1, 5)), draw(st.integers(0, 4))
    beside, target = draw(st.integers(0, 6)), draw(st.sampled_from([1, 2, size, 4]))
    sizes = [target, *[beside][: min(beside, 1)], *[size] * count]
    assume(3 <= sum(sizes) <= 24)
    places = draw(st.permutations(range(len(sizes))))
    labels = np.repeat(np.arange(len(sizes)), [sizes[i] for i in places])
    masked, latent = draw(st.integers(1, len(labels) - 1)), draw(st.sampled_from([0.0, 0.6, 1.0, 1.7]))
    setting = dy.Setting(dy.Geometry.from_labels(labels), latent, masked / len(labels))
    return setting, int(np.flatnonzero(labels == places.index(0))[-1])


def agrees(found, expected, y, tolerance=1e-12, slopes=True):
    """Rate, loss and Jacobian of two systems, to the scale of what is averaged: a rate may be a small difference."""
    loss, rate = expected.loss(y), expected.rate(y)
    scale = max(loss, np.abs(rate).max())
    assert found.loss(y) == pytest.approx(loss, rel=tolerance, abs=1e-300)
    assert np.abs(found.rate(y) - rate).max() <= tolerance * scale
    if slopes:
        jacobian = expected.jacobian(y)
        assert np.abs(found.jacobian(y) - jacobian).max() <= tolerance * max(scale, np.abs(jacobian).max())


@settings(max_examples=200)
@given(one_cluster(), st.sampled_from([0, 0.3, 2.0]), st.sampled_from([0, 8, 30, 300]), st.integers(0, 99))
def test_it_is_the_sum_over_all_masks(drawn, scale, lock, seed):
    setting, query = drawn
    terms, rows = (dy.reduce(setting, query, method=method) for method in ("conditional", "enumeration"))
    assert (terms.method, rows.method, terms.form) == ("conditional", "enumeration", "_conditional")
    y = scale * np.random.default_rng(seed).standard_normal(len(terms.names))
    y[terms.names.index("fp.target") if "fp.target" in terms.names else terms.coordinates.fp[0][0]] += lock
    agrees(terms, rows, y)


@pytest.mark.parametrize("setting", [WIDE, BESIDE_NOTHING, SMALL["one"]], ids=["wide", "equal", "small"])
@pytest.mark.parametrize("lock", [0, 10, 20, 30, 99.0, 101.0])
@pytest.mark.parametrize("which", [0, -1])
def test_every_rate_keeps_its_digits_as_attention_locks(setting, lock, which):
    query = setting.geometry.patches - 1  # in a local area
    terms, rows = (dy.reduce(setting, query, method=method) for method in ("conditional", "enumeration"))
    y = np.linspace(0.1, -0.2, len(terms.names))
    y[which] += lock
    assert np.abs(terms.rate(y) / rows.rate(y) - 1).max() <= 1e-12  # each on its own
    assert terms.loss(y) == pytest.approx(rows.loss(y), rel=1e-12)


@pytest.mark.parametrize("lock", [20, 40, 200])
def test_locked_on_other_areas_it_has_the_digits_that_enumeration_loses(lock):
    setting = dy.Setting(dy.Geometry.single_cluster(5, 2, 4))
    terms, rows = (dy.reduce(setting, "local", method=method) for method in ("conditional", "enumeration"))
    y = np.linspace(0.1, -0.2, 7)
    y[2] += lock
    with mpmath.workdps(200):
        state = np.array([mpmath.mpf(value) for value in y])
        exact, _ = source.interpret("rate_and_loss", mpmath.exp, state, rows.rule.with_numbers(mpmath.mpf))
    assert np.abs(terms.rate(y) / exact.astype(float) - 1).max() <= 1e-13
    assert np.abs(rows.rate(y) / exact.astype(float) - 1).max() > 1e-11


@pytest.mark.parametrize("common", [-1000.0, 60.0, 1000.0])
def test_one_number_added_to_every_score_changes_nothing(common):
    terms = dy.reduce(WIDE, "local", method="conditional")
    y = np.random.default_rng(4).normal(size=7)
    shifted = y + common * np.array([name.startswith("pp") for name in terms.names])
    assert np.abs(terms.rate(shifted) - terms.rate(y)).max() <= 1e-12 * np.abs(terms.rate(y)).max()
    assert np.abs(terms.jacobian(shifted) - terms.jacobian(y)).max() <= 1e-12 * np.abs(terms.jacobian(y)).max()


@pytest.mark.parametrize("size", ["196", "1024", "10000"])
@pytest.mark.parametrize("query", ["local", "global"])
@pytest.mark.parametrize("lock", [0, 4, 15])
@pytest.mark.parametrize("slopes", [False, pytest.param(True, marks=pytest.mark.slow)])  # these take long to compile
def test_it_is_the_integral(size, query, lock, slopes):
    terms, nodes = (dy.reduce(SETTINGS[size], query, method=method) for method in ("conditional", "integral"))
    y = np.linspace(0.05 * lock, 0, len(terms.names))
    y[0] = lock
    agrees(terms, nodes, y, 1e-11, slopes)


@pytest.mark.parametrize("lock", [0.5, 20.0])
@pytest.mark.parametrize("size", ["64", "196", pytest.param("10000", marks=pytest.mark.slow)])
def test_it_is_the_sum_with_50_digits(size, lock):
    terms = dy.reduce(SETTINGS[size], "local", method="conditional")
    y = np.array([lock, -0.2 * lock, 0.1, 0.02 * lock, -0.1, 0.05, 0.2])
    loss, rate = loss_and_rate(SIZES[size], terms, y)
    assert np.abs(terms.rate(y) / rate - 1).max() <= 1e-12
    assert terms.loss(y) == pytest.approx(loss, rel=1e-12)


@pytest.mark.parametrize(("size", "terms"), [("64", 114), ("196", 644), ("10000", 26_640)])
def test_the_number_of_terms(size, terms):
    setting, query = SETTINGS[size], "local"
    coordinates = Coordinates.of(setting, query)
    assert conditional.count_terms(setting, coordinates) == terms
    kept = len(dy.reduce(setting, query, method="conditional").rule.weight)
    assert kept == terms if size == "64" else kept < terms
    assert kept <= conditional.count_terms(setting, coordinates, 1e-12)


def all_counts(rule, setting):
    """Probability of each term by factorials, and of each count of the target that of all that is left out."""
    own, beside, others = map(int, rule.size)
    shown = int(setting.geometry.patches - setting.masked)
    ways = {
        (a, shown - a - c, c): math.comb(own, a) * math.comb(beside, shown - a - c) * math.comb(others, c)
        for a in range(own + 1)
        for c in range(max(0, shown - a - beside), min(others, shown - a) + 1)
    }
    return ways, math.comb(own + beside + others, shown)


@pytest.mark.parametrize("mask_ratio", [0.1, 0.5, 0.9])
def test_weights_have_thirteen_digits_at_ten_thousand_patches(mask_ratio):
    setting = dy.Setting(dy.Geometry.single_cluster(8320, 16, 105), mask_ratio=mask_ratio)
    for query in ("local", "global"):
        rule = dy.reduce(setting, query, method="conditional", rtol=1e-15).rule
        own, beside, others = map(int, rule.size)
        every = math.comb(own + beside + others, int(rule.unmasked[:, 0].sum()))
        for i in range(0, len(rule.weight), 37):
            a, b, c = map(int, rule.unmasked[:, i])
            exact = mpmath.mpf(math.comb(own, a) * math.comb(beside, b) * math.comb(others, c)) / every
            assert rule.weight[i] / setting.masked_fraction == pytest.approx(float(exact), rel=1e-13, abs=1e-300)


@pytest.mark.parametrize("rtol", [1e-3, 1e-6, 1e-12])
@pytest.mark.parametrize("mask_ratio", [0.03, 0.5, 0.9])
def test_what_is_left_out_is_below_the_tolerance_for_each_count_of_the_target(rtol, mask_ratio):
    setting = dy.Setting(dy.Geometry.single_cluster(300, 5, 40), mask_ratio=mask_ratio)
    system = dy.reduce(setting, "local", method="conditional", rtol=rtol)
    assert system.options["rtol of the mean"] == rtol
    rule = system.rule
    ways, every = all_counts(rule, setting)
    kept = {tuple(map(int, counts)) for counts in rule.unmasked.T}
    assert len(kept) == len(rule.weight) < len(ways) + (mask_ratio != 0.5)
    for target in range(5):
        of_target = sum(count for (a, _, _), count in ways.items() if a == target)
        left_out = sum(count for key, count in ways.items() if key[0] == target and key not in kept)
        assert left_out <= rtol * of_target
        assert left_out > 0 or mask_ratio != 0.5
        weight = math.fsum(rule.weight[rule.unmasked[0] == target])
        assert weight == pytest.approx(setting.masked_fraction * (of_target / every), rel=1e-13)  # it stays


def test_masks_that_hide_or_show_all_of_a_kind_are_kept_however_rare():
    setting = dy.Setting(dy.Geometry.single_cluster(60, 4, 16))
    rule = dy.reduce(setting, "local", method="conditional", rtol=1e-3).rule
    assert (rule.unmasked[1] == 0).any()
    assert (rule.unmasked[1] == rule.size[1]).any()
    exact = dy.reduce(setting, "local", method="conditional", rtol=1e-15)
    y = np.array([0, 400.0, 0, 0, 0, 0, 0])  # locked on the area beside: what is left to learn are masks that hide it
    rate = dy.reduce(setting, "local", method="conditional", rtol=1e-6).rate(y)
    assert np.abs(rate / exact.rate(y) - 1).max() <= 1e-5


def two_kinds():
    return dy.Geometry.from_labels(np.repeat(np.arange(5), [6, 2, 2, 3, 3]))


def large_areas():
    return dy.Geometry.from_labels(np.repeat([0, 1, 2], [100_000, 200_000, 300_000]))


REFUSED = [
    (lambda: dy.reduce(TWO, 0, method="conditional"), "it takes one cluster, not 2"),
    (lambda: dy.reduce(dy.Setting(WIDE.geometry, THREE_VALUES), 0, method="conditional"), "value of the latent, not 3"),
    (lambda: dy.reduce(dy.Setting(two_kinds()), 0, method="conditional"), r"one other, not \[2, 2\] of a kind"),
    (lambda: dy.reduce(WIDE, 0, merge=False, method="conditional"), r"one other, not \[1, 1, 1, 1\] of a kind"),
    (
        lambda: dy.reduce(dy.Setting(dy.Geometry.scaling(3, 0.9, 0.3)), "local", method="conditional"),
        "sizes are real numbers here",
    ),
    (
        lambda: dy.reduce(dy.Setting(large_areas()), 0, method="conditional"),
        r"10\^\d.\d terms take more than 1 GiB",
    ),
]


@pytest.mark.parametrize(("call", "reason"), REFUSED, ids=[reason for _, reason in REFUSED])
def test_where_there_is_none_it_is_refused_by_the_reason(call, reason):
    with pytest.raises(ValueError, match=f"method='conditional': expected .*{reason}") as caught:
        call()
    assert "\n" not in str(caught.value)


def test_auto_takes_what_costs_less(monkeypatch):
    assert dy.reduce(SMALL["one"], "local").method == "enumeration"
    assert {dy.reduce(setting, "local").method for setting in SETTINGS.values()} == {"conditional"}
    assert dy.reduce(dy.Setting(SETTINGS["196"].geometry, THREE_VALUES), "local").method == "integral"
    assert dy.reduce(WIDE, 0, merge=False).method == "enumeration"
    monkeypatch.setattr(reduction, "MOST_TERMS", 500)
    assert dy.reduce(SETTINGS["196"], "local").method == "integral"


def test_flow_descent_equations_and_attention_run_on_it():
    terms, rows = (dy.reduce(WIDE, "global", method=method) for method in ("conditional", "enumeration"))
    assert dy.compare(dy.descend(terms, 1.0, 50), dy.descend(rows, 1.0, 50), tolerance=1e-13).agrees
    first, second = (dy.integrate(system, until=("target", 0.5)) for system in (rows, terms))
    assert second.t[-1] == pytest.approx(first.t[-1], rel=1e-11)
    assert second.loss == pytest.approx(first.loss, rel=1e-8)
    assert second.provenance["method of the mean"] == "conditional"
    assert dy.integrate(terms, until=("target", 0.5), method="BDF", rtol=1e-6).t[-1] == pytest.approx(
        first.t[-1], rel=1e-4
    )
    y = np.linspace(0, 1, len(terms.names))
    assert terms.attention(y) == rows.attention(y)
    few, all_few = (dy.reduce(SMALL["one"], "local", method=method) for method in ("conditional", "enumeration"))
    assert few.equations() == all_few.equations()


def test_the_exact_flow_comes_to_the_floor_of_the_loss():
    setting = SETTINGS["196"]
    flow = dy.integrate(dy.reduce(setting, "local", rtol=1e-4), log_t_end=300.0)  # far beyond one shift for all terms
    assert flow.loss[-1] == pytest.approx(setting.loss_floor / 98, rel=1e-12)  # whatever is left out
    assert (flow.loss >= setting.loss_floor / 98 * (1 - 1e-13)).all()


def test_plain_python_computes_the_same_terms():
    plain, compiled_ = (dy.reduce(WIDE, "local", method="conditional", compiled=which) for which in (False, True))
    y = np.random.default_rng(0).standard_normal(7)
    agrees(plain, compiled_, y, 1e-13)


MUTANTS = {
    "a coefficient": ("    squares = ", "    squares = 1.01*"),
    "masked patches": ("b_others*(n_others - u_others)", "b_others*n_others"),
    "a rest": ("R_others = X_beside + X_target + unseen", "R_others = X_beside + unseen"),
    "the power of a latent": ("out[0] *= z**3", "out[0] *= z**2"),
    "the multiplicity": ("= sums[i] / rule.multiplicity[rule.place[i]]", "= sums[i]"),
    "the blocks of a far state": ("return not highest - lowest < 100.0", "return False"),
    "kinds that a block has none of": ("here[i] = here[i] if count > 0 else -np.inf", "pass"),
    "the place in the Jacobian": ("out[two, one] = sums[number]", "out[two, one] = sums[i]"),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_sum_that_differs_from_enumeration_is_refused(tmp_path, mutant):
    text, (before, after) = Path(compiled.kernel(False, "terms").__file__).read_text(encoding="utf-8"), MUTANTS[mutant]
    assert before in text
    path = tmp_path / "terms_mutated.py"
    path.write_text(text.replace(before, after), encoding="utf-8")
    with (
        pytest.raises(RuntimeError, match=r"of the conditional sum: .* off the derived one"),
        np.errstate(all="ignore"),
    ):
        selfcheck.check_terms(compiled._load(path, False))
