"""The half-time with a law of the latent: the derived constant, and the time itself, by quadratures of their own."""

import dataclasses

import mpmath
import numpy as np
import pytest
import sympy as sp
from scipy.integrate import quad

from derivations import latents
from derivations.proof import DerivationError
from derivations.statements import result
from derivations.symbols import J, z

LAWS = [
    ([0.1, 1.0], [0.5, 0.5]),
    ([0.4, 1.0, 1.7], [0.2, 0.5, 0.3]),
    ([0.0, 0.5, 2.0], [0.3, 0.3, 0.4]),
    ([0.01, 1.0], [0.999, 0.001]),
    (np.linspace(0.5, 1.5, 16), np.full(16, 1 / 16)),
]


@pytest.mark.parametrize("value", [0.05, 1.0, 30.0])
def test_the_constant_of_one_value_is_that_of_the_half_time(value):
    assert latents.half_time_constant([value], [1.0]) == pytest.approx(value**-4, rel=1e-14)
    assert latents.half_time_constant([value, value], [0.25, 0.75]) == pytest.approx(value**-4, rel=1e-14)


def test_the_result_for_one_value_is_the_result_for_a_constant_latent():
    (constant,) = latents.of_law(1, result("latent-half-time").statement.rhs)
    only = {sp.Symbol("pi_1", positive=True): 1, sp.Symbol("z_1", positive=True): latents.latent}
    assert sp.simplify(constant.xreplace(only).doit() * latents.latent**4) == result("half-time").statement.rhs


@pytest.mark.parametrize(("values", "weights"), LAWS)
def test_the_constant_is_the_integral_that_it_is_said_to_be(values, weights):
    z_, w = np.array(values), np.array(weights)
    # φ = −log x: over x in (0, 1) the integrand has no scale left in which it could hide
    independent = quad(
        lambda y: np.exp(y) / np.sum(w * z_**3 * np.exp(z_ * np.exp(y))), -40, np.log(700 / z_.max()),
        epsabs=0, epsrel=1e-13, limit=500,
    )[0]  # fmt: skip
    assert latents.half_time_constant(values, weights) == pytest.approx(independent, rel=1e-12)


def test_mass_at_zero_only_slows():
    with_zero = latents.half_time_constant([0.0, 0.3, 1.0], [0.5, 0.2, 0.3])
    assert with_zero == pytest.approx(2 * latents.half_time_constant([0.3, 1.0], [0.4, 0.6]), rel=1e-14)


@pytest.mark.parametrize(("values", "weights"), [([0.3, 1.0], [0.5, 0.5]), ([0.4, 0.7, 1.0], [0.5, 0.3, 0.2])])
def test_the_time_tends_to_the_constant_at_every_value_alike(values, weights):
    largest, constant = max(values), latents.half_time_constant(values, weights)
    for value in values:
        with mpmath.workdps(90):
            error = float(_time(values, weights, value, mpmath.mpf(10) ** -30) / constant - 1)
        # after the largest has locked it drives as exp(−2zΦ), until the smaller value does more
        assert abs(error) < 100 * 10 ** (-30 * 3 * value / (2 * largest + value)) + 1e-14


def test_what_is_left_after_the_lock_is_a_power_of_the_first_attention():
    with mpmath.workdps(100):
        low, half = mpmath.mpf("0.3"), mpmath.mpf(1) / 2
        mean = lambda at: half * (low**3 * mpmath.exp(low * at) + mpmath.exp(at))  # noqa: E731
        constant = mpmath.quad(lambda at: 1 / mean(at), [0, 2, 5, 10, 40, 160, 300])
        errors = [_time([low, 1], [half, half], low, mpmath.mpf(10) ** -n) / constant - 1 for n in (40, 60)]
        assert float(mpmath.log10(errors[0] / errors[1]) / 20) == pytest.approx(0.9 / 2.3, rel=1e-3)


def _time(values, weights, value, first):
    """A_0 times the time until A_target is ½ where the sample shows the value, all else standing still; γ = 1."""
    logit = mpmath.log(first / (1 - first))

    def slowness(at):
        odds = [mpmath.exp(logit + z_ * at) for z_ in values]
        return 1 / sum(w * z_**3 * o / (1 + o) ** 3 for w, z_, o in zip(weights, values, odds, strict=True))

    ends = [0, *sorted(-logit / z_ for z_ in values if z_ >= value)]
    return first * mpmath.quad(slowness, ends)


def test_the_time_that_is_stated_is_this_one():
    number = {
        sp.Symbol(name, positive=True): x
        for name, x in zip(["z_1", "z_2", "pi_1", "pi_2"], (0.3, 1, 0.5, 0.5), strict=True)
    }
    (time,) = latents.of_law(2, latents.half_time_at(z[1]))
    time = time.xreplace(number).subs({latents.mask_ratio: 1, latents.AT_FIRST: sp.Rational(1, 100)})
    assert float(time.evalf(20) / 100) == pytest.approx(float(_time([0.3, 1.0], [0.5, 0.5], 0.3, 0.01)), rel=1e-10)


def test_a_bound_that_does_not_hold_or_has_no_integral_is_refused(monkeypatch):
    stated = latents.latent_half_time()
    for wrong, said in (
        (latents.SLOWEST / 2, "is negative"),
        (latents.SLOWEST * sp.exp(z[latents.k] * latents.grown), "has no integral"),
    ):
        monkeypatch.setattr(latents, "SLOWEST", wrong)
        with pytest.raises(DerivationError, match=said):
            stated.check()


def test_a_time_to_a_fixed_correlation_is_not_the_half_time():
    stated = latents.latent_half_time()
    upper = latents.TIME.limits[0][2]
    for step in stated.steps:
        sides = {name: getattr(step, name).subs(upper, 7) for name in ("before", "after")}
        wrong = dataclasses.replace(step, **sides)
    with pytest.raises(DerivationError, match="the upper limit 7 stays finite"):
        wrong.check()


@pytest.mark.parametrize(
    ("values", "weights", "said"),
    [
        ([-1.0], [1.0], "value -1 of weight 1: expected a value ≥ 0"),
        ([1.0], [1.5], "value 1 of weight 1.5: expected a value ≥ 0 and a weight in"),
        ([0.0], [1.0], r"values=\[0.0\], weights=\[1.0\]: expected a law with a positive value"),
        ([1.0, 2.0], [0.5, 0.4], "expected a law with a positive value"),
        ([1.0, 2.0], [1.0], "shorter"),
    ],
)
def test_what_is_no_law_is_refused(values, weights, said):
    with pytest.raises(ValueError, match=said):
        latents.half_time_constant(values, weights)


def test_the_number_of_values_is_a_symbol():
    assert J in result("latent-half-time").statement.rhs.free_symbols
