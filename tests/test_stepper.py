"""The compiled pair: SciPy's, step for step as good; the same in lanes, one at a time, plain and compiled."""

import math

import numpy as np
import pytest

import dynamics as dy
from dynamics import many
from dynamics.compiled import kernel
from tests.settings import WIDE, first_log_t, random_system

BOTH = "compiled", "DOP853"
TWO_VALUES = [0.5, 1.5], [0.5, 0.5]
SMALL = dy.Geometry.single_cluster(8, 2, 3)


def scaled(log10_patches, kappa_c, kappa_s, latent=1.0, query="local", **more):
    setting = dy.Setting(dy.Geometry.scaling(log10_patches, kappa_c, kappa_s), latent, **more)
    return dy.reduce(setting, query, "mean-field")


def agrees_with_scipy(seed):
    """Both to one tolerance, and each as far from the curve as that lets it be."""
    generator = np.random.default_rng(seed)
    system, rtol = random_system(generator), 10 ** generator.uniform(-11, -6)
    last = {"log_t_end": first_log_t(system) + generator.uniform(1, 12)}
    tolerances = {"rtol": rtol, "atol": rtol / 100}
    ours = dy.integrate(system, method="compiled", **last, **tolerances)
    scipy = dy.integrate(system, **last, **tolerances)
    assert ours.log_t[-1] == scipy.log_t[-1]
    assert abs(len(ours.t) - len(scipy.t)) <= 0.2 * len(scipy.t) + 3
    np.testing.assert_allclose(ours.y[:, -1], scipy.y[:, -1], rtol=100 * rtol, atol=100 * rtol)


@pytest.mark.parametrize("seed", range(24))
def test_it_agrees_with_dop853_to_the_tolerance_asked(seed):
    agrees_with_scipy(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", np.split(np.arange(24, 1000), 8), ids=lambda seeds: str(seeds[0]))
def test_it_agrees_with_dop853_in_a_thousand_settings(seeds):
    for seed in seeds:
        agrees_with_scipy(seed)


@pytest.mark.parametrize("make", [
    lambda: dy.reduce(WIDE, "local", "second-order", compiled=False),
    lambda: dy.reduce(WIDE, "local", method="conditional", compiled=False),
    lambda: dy.reduce(dy.Setting(SMALL, mask_ratio=0.3), "local", method="enumeration", compiled=False),
    pytest.param(lambda: dy.reduce(WIDE, 0, method="integral"), marks=pytest.mark.slow, id="integral"),
])  # fmt: skip
def test_every_closure_has_it(make):
    system = make()
    ours, scipy = (dy.integrate(system, until=("target", 0.5), method=name, rtol=1e-10) for name in BOTH)
    np.testing.assert_allclose(ours.y[:, -1], scipy.y[:, -1], atol=1e-8)
    assert [phase.name for phase in ours.phases] == [phase.name for phase in scipy.phases]


def test_its_error_is_in_proportion_to_the_tolerance():
    system, tolerances = scaled(20, 0.9, 0.4), np.logspace(-6, -11, 6)
    exact = dy.integrate(system, until=("target", 0.5), rtol=1e-13, atol=1e-15).log_t[-1]
    found = [dy.log_half_time(system, rtol=rtol) for rtol in tolerances]
    slope = np.polyfit(np.log(tolerances), np.log(np.abs(np.array(found) - exact)), 1)[0]
    assert 0.8 < slope < 1.3


def test_its_dense_output_is_as_good_as_scipys(monkeypatch):
    monkeypatch.setattr("dynamics.steps.DEEPEST", 0)  # as it is, without steps in halves
    monkeypatch.setattr("dynamics.solver.SAFETY", 1)
    system = dy.reduce(WIDE, "local", "mean-field")
    times = np.geomspace(0.1, 1e4, 60)
    exact = dy.integrate(system, t_end=1e4, t_eval=times, rtol=1e-13, atol=1e-15)
    ours, scipy = (dy.integrate(system, t_end=1e4, t_eval=times, method=name) for name in BOTH)
    assert (ours.t == times).all()
    assert np.abs(ours.y - exact.y).max() < 4 * np.abs(scipy.y - exact.y).max()


@pytest.mark.parametrize(
    "until", [("target", 0.5), ("global", 0.3), ("masked", 0.4), ("target", 0.3, 0.5), ("self", 0.0155)]
)
def test_it_stops_where_scipy_does(until):
    system = dy.reduce(
        dy.Setting(dy.Geometry.single_cluster(40, 6, 4), ([0.5, 1.5], [0.5, 0.5])), "local", "mean-field"
    )
    ours, exact = (dy.integrate(system, until=until, t_end=1e4, method=name, rtol=1e-12, atol=1e-14) for name in BOTH)
    assert ours.provenance["ended"] == exact.provenance["ended"]
    np.testing.assert_allclose(ours.log_t[-1], exact.log_t[-1], atol=1e-9)
    for mine, other in zip(ours.phases, exact.phases, strict=True):
        assert mine.ended_by == other.ended_by
        np.testing.assert_allclose(mine.log_end, other.log_end, atol=1e-8)


def test_what_goes_on_is_what_goes_through():
    system = scaled(30, 0.98, 0.3)
    options = {"method": "compiled", "rtol": 1e-12, "atol": 1e-14}
    through = dy.integrate(system, log_t_end=60.0, **options)
    half = dy.integrate(system, log_t_end=45.0, **options)
    on = dy.integrate(system, log_t_end=60.0, start=half, **options)
    np.testing.assert_allclose(on.y[:, -1], through.y[:, -1], rtol=1e-10, atol=1e-12)


def test_what_never_comes_is_an_error_with_the_curve():
    system = dy.reduce(WIDE, "local", "mean-field")
    with pytest.raises(dy.IntegrationError, match="not reached") as caught:
        dy.integrate(system, until=("global", 0.99), method="compiled")
    assert caught.value.trajectory.log_t[-1] == 700


def test_a_solve_that_cannot_go_on_says_so(monkeypatch):
    system = dy.reduce(WIDE, "local", "mean-field")
    solved = many.march_one

    def broken(*given, **more):
        end, kept = solved(*given, **more)
        return end._replace(moments=np.full_like(end.moments, np.nan)), kept

    monkeypatch.setattr(many, "march_one", broken)
    with pytest.raises(dy.IntegrationError, match="step became too small") as caught:
        dy.integrate(system, t_end=10.0, method="compiled")
    assert np.isfinite(caught.value.trajectory.y).all()


# --- lanes ---


def many_systems():
    return [
        scaled(size, kappa_c, kappa_s, query=query)
        for size in (3, 6.5, 30, 150, 299)
        for kappa_c in (None, 0.7, 0.98)
        for kappa_s in (0.1, 0.45)
        for query in (["local"] if kappa_c is None else ["local", "global"])
    ]


def ends_of(systems, **how):
    aims = [many.Aim("target", 0.5, 1.0, 600.0 if i % 3 else 8.0) for i in range(len(systems))]
    return many.march(systems, aims, 1e-10, 1e-12, **how)


def test_a_problem_is_solved_alike_in_lanes_and_alone():
    systems = many_systems()
    for wide, alone in zip(ends_of(systems), ends_of(systems, lanes=False), strict=True):
        np.testing.assert_allclose(wide.moments[1], alone.moments[1], rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(wide.moments[0], alone.moments[0], rtol=1e-10, atol=1e-10)  # a flatter event
        assert (wide.arrived, wide.above_at_start) == (alone.arrived, alone.above_at_start)


def test_no_problem_sees_the_others():
    systems = many_systems()
    whole, part = ends_of(systems), ends_of(systems[6:9])
    for one, other in zip(whole[6:9], part, strict=True):
        assert one.steps == other.steps
        np.testing.assert_array_equal(one.moments, other.moments)
    for threads in (2, 3):
        for one, other in zip(whole, ends_of(systems, threads=threads), strict=True):
            np.testing.assert_array_equal(one.moments, other.moments)


@pytest.mark.parametrize("log10_patches", [10, 100, 299])
def test_sizes_as_floats_give_the_half_times_of_logarithms(log10_patches):
    system = scaled(log10_patches, 0.98, 0.3)
    exact = dy.integrate(system, until=("target", 0.5), rtol=1e-13, atol=1e-15)
    found = many.march([system], [many.Aim("target", 0.5, 1.0, 699.0)], 1e-13, 1e-15)[0]
    assert many._laned(system, 1.0)[0] == 3
    np.testing.assert_allclose(found.moments[1, :-1], exact.y[:, -1], rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(found.moments[1, -1], exact.log_t[-1], rtol=1e-12)


def test_its_own_exponential_is_good_to_two_ulp():
    exponential = kernel(False, "steps").exponential_wide_3
    for x in [*np.random.default_rng(0).uniform(-700, 700, 3000), 0.0, -0.0, 1e-300, math.log(2) / 2, -math.log(2) / 2]:
        assert abs(exponential(x) - math.exp(x)) <= 2 * math.ulp(math.exp(x))
    assert exponential(-1e4) == exponential(-708.0) < 1e-307


def test_plain_python_takes_the_same_steps():
    compiled = scaled(6, 0.98, 0.3)
    plain = dy.reduce(compiled.setting, "local", "mean-field", compiled=False)
    assert dy.log_half_time(plain) == dy.log_half_time(compiled)
    assert dy.plateau(plain) == dy.plateau(compiled)


# --- many at once ---


def test_endpoints_are_those_of_integrate():
    systems = [scaled(size, 0.9, 0.4) for size in (4, 40, 200)]
    last = np.array([first_log_t(system) + 8 for system in systems])
    ends = dy.endpoints(systems, log_t_end=last, rtol=1e-12, atol=1e-14, threads=2)
    np.testing.assert_allclose(ends.log_t, last, rtol=1e-14)
    assert not ends.arrived.any()
    for system, log_t_end, y in zip(systems, last, ends.y.T, strict=True):
        exact = dy.integrate(system, log_t_end=log_t_end, rtol=1e-13, atol=1e-15)
        np.testing.assert_allclose(y, exact.y[:, -1], rtol=1e-10, atol=1e-11)


def test_endpoints_of_systems_of_every_kind():
    exact = [dy.reduce(dy.Setting(SMALL, mask_ratio=ratio), "local", compiled=False) for ratio in (0.3, 0.6)]
    laws = [
        dy.reduce(dy.Setting(dy.Geometry.scaling(size, 0.9, 0.4), TWO_VALUES), "local", "mean-field")
        for size in (5, 20)
    ]
    for systems in (exact, laws):
        ends = dy.endpoints(systems, until=("target", 0.5), rtol=1e-11, atol=1e-13)
        assert ends.arrived.all()
        for system, log_t in zip(systems, ends.log_t, strict=True):
            curve = dy.integrate(system, until=("target", 0.5), rtol=1e-12, atol=1e-14)
            np.testing.assert_allclose(log_t, curve.log_t[-1], atol=1e-9)


@pytest.mark.parametrize(("bad", "said"), [
    ({"systems": []}, "systems='list': expected a list of systems"),
    ({"systems": [1]}, "systems='list'"),
    ({"t_end": [1.0, 2.0, 3.0]}, "t_end"),
    ({"t_end": -1.0}, "t_end=-1.0"),
    ({"t_end": 1.0, "log_t_end": 1.0}, "log_t_end"),
    ({}, "t_end=None"),
    ({"until": ("nowhere", 0.5)}, "until"),
    ({"t_end": 1.0, "rtol": 0}, "rtol"),
    ({"t_end": 1.0, "threads": 0}, "threads=0"),
])  # fmt: skip
def test_bad_arguments_of_endpoints_are_named(bad, said):
    systems = [scaled(5, 0.9, 0.4), scaled(6, 0.9, 0.4)]
    with pytest.raises(ValueError, match=said):
        dy.endpoints(**({"systems": systems} | bad))


def test_systems_with_other_coordinates_are_refused():
    with pytest.raises(ValueError, match="systems"):
        dy.endpoints([scaled(5, 0.9, 0.4), scaled(5, None, 0.4)], t_end=1.0)


FAR = [
    (200, 0.9, 0.05, 1.0, 650.0),
    (300, 0.98, 0.3, 1.0, 650.0),
    (300, None, 0.3, 1.0, 650.0),
    (300, 0.5, 0.01, 0.1, 694.38),
]


@pytest.mark.parametrize(("size", "kappa_c", "kappa_s", "latent", "last"), FAR)
def test_far_beyond_the_lock_where_softmax_leaves_the_floats_logarithms_take_over(size, kappa_c, kappa_s, latent, last):
    system = scaled(size, kappa_c, kappa_s, latent)
    exact = dy.integrate(system, log_t_end=last, rtol=1e-11, atol=1e-13).y[:, -1]
    np.testing.assert_allclose(dy.endpoints([system], log_t_end=last).y[:, 0], exact, rtol=1e-6, atol=1e-6)
    ours = dy.integrate(system, log_t_end=last, method="compiled").y[:, -1]
    np.testing.assert_allclose(ours, exact, rtol=1e-6, atol=1e-6)


def test_what_ends_a_solve_is_what_it_says():
    laws = dy.reduce(dy.Setting(WIDE.geometry, TWO_VALUES), "local", "mean-field")
    assert not dy.endpoints([laws], t_end=1.0).arrived[0]
    assert not dy.endpoints([scaled(10, 0.9, 0.3)], log_t_end=582.0).arrived[0]
    early = dy.endpoints([laws], t_end=1e-12, until=("target", 0.5))
    assert not early.arrived[0]
    np.testing.assert_allclose(early.log_t, np.log(1e-12))
    with pytest.raises(dy.IntegrationError, match="not reached"):
        dy.integrate(scaled(19.0, 0.9, 0.3), until=("global", 0.999), method="compiled")


def test_a_flow_that_goes_on_from_its_end_stops_there():
    system = dy.reduce(WIDE, "local", "mean-field")
    flow = dy.integrate(system, t_end=30.0, method="compiled")
    on = dy.integrate(system, t_end=np.nextafter(30.0, 40), start=flow, method="compiled")
    np.testing.assert_allclose(on.y[:, -1], flow.y[:, -1], rtol=1e-13)


@pytest.mark.parametrize("after", [1e-8, 1e-7, 1e-6, 1e-5])
def test_an_end_early_in_a_step_is_landed_on(after):
    system = dy.reduce(WIDE, "local", "mean-field")
    steps = dy.integrate(system, t_end=100.0, method="compiled").log_t[3:-1]
    found = [dy.endpoints([system], log_t_end=at + after).log_t[0] for at in steps]
    np.testing.assert_allclose(found, steps + after, rtol=0, atol=1e-12)


def test_groups_are_those_of_every_system():
    geometry = dy.Geometry.from_labels([[0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3]])
    systems = [dy.reduce(dy.Setting(geometry), query, "mean-field", merge=False) for query in (0, 3)]
    with pytest.raises(ValueError, match="a group of every system"):
        dy.endpoints(systems, t_end=1e3, until=("area[0,1]", 0.12))


def test_half_times_at_the_end_of_the_range_of_floats_are_found_in_lanes():
    systems = [
        scaled(size, 0.9, kappa_s, z) for size in (285, 301.5) for kappa_s in (0.05, 0.4) for z in (0.05, 1.0, 8.0)
    ]
    ends = dy.endpoints(systems, until=("target", 0.5), rtol=1e-9, atol=1e-11)
    assert ends.arrived.all()
    for system, log_t in zip(systems, ends.log_t, strict=True):
        exact = dy.integrate(system, until=("target", 0.5), rtol=1e-11, atol=1e-13).log_t[-1]
        np.testing.assert_allclose(log_t, exact, rtol=1e-8)
