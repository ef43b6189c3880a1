"""The integral form of the exact closure: against enumeration, at any size, and what its error is bounded by."""

import math
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dynamics as dy
from dynamics import compiled, integral, selfcheck
from tests.fifty_digits import loss_and_rate
from tests.settings import SMALL, THREE_VALUES, WIDE
from tests.strategies import geometries_of_classes, settings_of_learning

VIT = dy.Setting(dy.Geometry.single_cluster(98, 7, 14))  # P = 196
LARGE = dy.Setting(dy.Geometry.single_cluster(5000, 50, 100))  # P = 10⁴


def agrees_with_enumeration(setting, query, y, tolerance, slopes):
    rows, nodes = (dy.reduce(setting, query, method=method) for method in ("enumeration", "integral"))
    assert (rows.method, nodes.method) == ("enumeration", "integral")
    loss, rate = rows.loss(y), rows.rate(y)
    assert nodes.loss(y) == pytest.approx(loss, rel=tolerance, abs=1e-16)
    scale = max(loss, np.abs(rate).max())  # of what is averaged: a rate, or its slope, may be a small difference of it
    assert np.abs(nodes.rate(y) - rate).max() <= tolerance * scale
    if slopes:  # a kernel of their own, which takes long to compile
        jacobian = rows.jacobian(y)
        assert np.abs(nodes.jacobian(y) - jacobian).max() <= tolerance * max(scale, np.abs(jacobian).max())


problems = given(
    settings_of_learning(geometries_of_classes),
    st.sampled_from([0, 0.3, 2.0]),
    st.sampled_from([0, 8, 20]),
    st.integers(0, 99),
)


@settings(max_examples=40)
@problems
def test_the_integral_is_the_sum_over_all_masks_and_latents(setting, scale, lock, seed):
    at_a_state(setting, scale, lock, seed, slopes=False)


@pytest.mark.slow
@settings(max_examples=400)
@problems
def test_the_integral_is_the_sum_over_all_masks_and_latents_at_more_places(setting, scale, lock, seed):
    at_a_state(setting, scale, lock, seed, slopes=True)


def at_a_state(setting, scale, lock, seed, slopes):
    query = seed % setting.geometry.patches
    system = dy.reduce(setting, query)
    y = scale * np.random.default_rng(seed).standard_normal(len(system.names))
    for k, target in enumerate(system.coordinates.target):
        y[system.coordinates.fp[k][target]] += lock
    agrees_with_enumeration(setting, query, y, 1e-11, slopes)


@pytest.mark.parametrize("slopes", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("lock", [0, 3, 10, 20, 30])
def test_it_keeps_its_digits_as_attention_locks(lock, slopes):
    system = dy.reduce(WIDE, "local", method="integral")
    y = np.zeros(7)
    y[:2] = lock, -0.2 * lock
    agrees_with_enumeration(WIDE, "local", y, 1e-12, slopes)
    expected = dy.reduce(WIDE, "local", method="enumeration").rate(y)
    assert np.abs(system.rate(y) / expected - 1).max() <= 1e-12  # every rate on its own


@pytest.mark.parametrize("setting", [VIT, LARGE], ids=["196", "10000"])
@pytest.mark.parametrize("lock", [0, 4, 15])
def test_a_finer_integral_is_the_same(setting, lock):
    coarse, fine = (dy.reduce(setting, "local", method="integral", rtol=rtol) for rtol in (1e-12, 1e-14))
    y = np.array([lock, -0.3 * lock, 0, 0.05 * lock, 0, 0, 0])
    assert np.abs(coarse.rate(y) / fine.rate(y) - 1).max() <= 2e-12
    assert coarse.loss(y) == pytest.approx(fine.loss(y), rel=1e-12, abs=0)


@pytest.mark.parametrize("rtol", [1e-3, 1e-6, 1e-9])
def test_the_error_is_below_the_tolerance(rtol):
    for setting in (WIDE, dy.Setting(WIDE.geometry, THREE_VALUES), *SMALL.values()):
        query = 0 if setting.geometry.clusters > 1 else "local"
        coarse, fine = (dy.reduce(setting, query, method="integral", rtol=tolerance) for tolerance in (rtol, 1e-13))
        for scale in (0, 1):
            y = scale * np.random.default_rng(1).standard_normal(len(fine.names))
            assert np.abs(coarse.rate(y) - fine.rate(y)).max() <= rtol * np.abs(fine.rate(y)).max()
            assert coarse.loss(y) == pytest.approx(fine.loss(y), rel=rtol, abs=0)


@pytest.mark.parametrize("error", [1e-6, 1e-9, 1e-13])
def test_the_step_is_that_of_the_derived_error(error):
    frequency = 2 * math.pi / integral._step(error)
    assert 2 * abs(mpmath.gamma(3 + 1j * frequency)) / 2 == pytest.approx(error, rel=0.05)  # result "quadrature"


def test_auto_takes_what_costs_less_and_says_so():
    two_values = dy.Setting(VIT.geometry, ([1.0, 2.0], [0.5, 0.5]))
    assert dy.reduce(SMALL["two"], 0).method == "enumeration"
    assert dy.reduce(two_values, "local").method == "integral"
    assert dy.reduce(VIT, "local", "mean-field").method == "mean counts"
    flow = dy.integrate(dy.reduce(VIT, "local", method="integral"), t_end=1.0)
    assert flow.provenance["method of the mean"] == "integral"


def test_descent_and_flow_run_on_the_integral():
    rows, nodes = (dy.reduce(WIDE, "local", method=method) for method in ("enumeration", "integral"))
    assert dy.compare(dy.descend(rows, 1.0, 50), dy.descend(nodes, 1.0, 50), tolerance=1e-12).agrees
    first, second = (dy.integrate(system, until=("target", 0.5)) for system in (rows, nodes))
    assert second.t[-1] == pytest.approx(first.t[-1], rel=1e-11)


@pytest.mark.slow
def test_an_implicit_method_runs_on_the_integral():
    rows, nodes = (dy.reduce(WIDE, "local", method=method) for method in ("enumeration", "integral"))
    exact, stiff = (
        dy.integrate(rows, until=("target", 0.5)),
        dy.integrate(nodes, until=("target", 0.5), method="BDF", rtol=1e-6),
    )
    assert stiff.t[-1] == pytest.approx(exact.t[-1], rel=1e-4)


def test_a_photograph_of_196_patches_is_exact_too():
    setting = dy.Setting(dy.Geometry.from_image())
    for query in (0, 90):
        system = dy.reduce(setting, query)
        assert system.method == "integral"
        rate = system.rate(system.initial)
        pp = np.array([name.startswith("pp") for name in system.names])
        assert abs((system.multiplicity * rate)[pp].sum()) <= 1e-15


MUTANTS = {
    "a coefficient": ("def _node_other(", "return (", "return (1.01*"),
    "copies in the rate": ("def add_nodes(", "each = cubic * rule.copies[m]", "each = cubic"),
    "the other half of the circle": ("def add_circle(", "twice = 1.0 if begin + t == 0 else 2.0", "twice = 1.0"),
    "the nodes before the first": ("def integrate_nodes(", "if number == 0:", "if number < 0:"),
    "the latent of a lever": ("def moments_of(", "work.levers[0], rule.latent[i])", "work.levers[0], 1.0)"),
}


SLOW = ("copies in the rate", "the other half of the circle")


@pytest.mark.parametrize("mutant", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in MUTANTS])
def test_an_integral_that_differs_from_enumeration_is_refused(tmp_path, mutant):
    text = Path(compiled.kernel(False, "nodes").__file__).read_text(encoding="utf-8")
    function, before, after = MUTANTS[mutant]
    head, _, tail = text.partition(function)
    assert before in tail
    path = tmp_path / "nodes_mutated.py"
    path.write_text(head + function + tail.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(RuntimeError, match=r"of the integral form: .* off the derived one"):
        selfcheck.check_nodes(compiled._load(path, False))


def test_plain_python_computes_the_same_integral():
    plain, compiled = (dy.reduce(SMALL["two"], 0, method="integral", compiled=which) for which in (False, True))
    y = np.random.default_rng(0).standard_normal(len(plain.names))
    assert np.abs(plain.rate(y) - compiled.rate(y)).max() <= 1e-14


SIZES = {"64": (40, 6, 4), "196": (98, 7, 14), "1024": (832, 8, 24), "10000": (8320, 16, 105)}


NEAR, FAR = list(SIZES.values())[:3], pytest.param(SIZES["10000"], marks=pytest.mark.slow)


@pytest.mark.parametrize("sizes", [*NEAR, FAR], ids=SIZES)
@pytest.mark.parametrize("lock", [0.5, 20.0])
def test_it_is_the_conditional_sum_with_50_digits(sizes, lock):
    system = dy.reduce(dy.Setting(dy.Geometry.single_cluster(*sizes)), "local", method="integral")
    y = np.array([lock, -0.2 * lock, 0.1, 0.02 * lock, -0.1, 0.05, 0.2])
    loss, rate = loss_and_rate(sizes, system, y)
    assert np.abs(system.rate(y) / rate - 1).max() <= 1e-11
    assert system.loss(y) == pytest.approx(loss, rel=1e-12)


@pytest.mark.parametrize(
    ("sizes", "mean_field", "exact"),
    [((40, 6, 4), "50.17", "52.60"), ((832, 8, 21), "353.1", "356.7"), ((8320, 16, 105), "1576.3", "1578.6")],
    ids=["64", "1000", "10000"],
)
def test_half_times_of_the_theory_are_those_of_mean_field_and_of_the_exact_dynamics(sizes, mean_field, exact):
    setting = dy.Setting(dy.Geometry.single_cluster(*sizes))
    for closure, expected in (("mean-field", mean_field), ("exact", exact)):
        flow = dy.integrate(dy.reduce(setting, "local", closure), until=("target", 0.5), rtol=1e-10, atol=1e-12)
        assert f"{flow.t[-1]:.{len(expected.split('.')[1])}f}" == expected


def test_the_exact_flow_comes_to_the_floor_of_the_loss():
    # A wholly masked local area cannot be reconstructed, and every other can: L* is shared by the 98 local queries.
    flow = dy.integrate(dy.reduce(VIT, "local"), log_t_end=30.0)
    assert flow.loss[-1] == pytest.approx(VIT.loss_floor / 98, rel=1e-9)
    assert (np.diff(flow.loss) < 0).all()


@pytest.mark.parametrize(("patches", "masked"), [(1120, 2), (1120, 1119), (2000, 1), (10_000, 9998)])
def test_few_rows_of_large_areas_keep_their_digits_at_the_ends_of_the_mask_ratio(patches, masked):
    size = patches // 20
    setting = dy.Setting(dy.Geometry.single_cluster(patches - 10 * size, size, 10), mask_ratio=masked / patches)
    rows, nodes = (dy.reduce(setting, "local", method=method) for method in ("enumeration", "integral"))
    y = rows.initial
    assert np.abs(rows.rate(y) - nodes.rate(y)).max() <= 1e-11 * np.abs(rows.rate(y)).max()
    assert nodes.loss(y) == pytest.approx(rows.loss(y), rel=1e-11)


def test_sizes_that_are_real_numbers_are_refused():
    setting = dy.Setting(dy.Geometry.scaling(30, 0.98, 0.3))
    with pytest.raises(ValueError, match="method='integral': expected \"auto\": sizes are real numbers here"):
        dy.reduce(setting, "local", method="integral")
