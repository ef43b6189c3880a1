"""The flow that SciPy solves against 50 digits: half-time and plateau of the scaling geometry at P = 10³⁰."""

import mpmath
import numpy as np
import pytest

import dynamics as dy
from tests.fifty_digits_flow import GLOBAL, at_half_time, scaling_rule

# log T / log P and Φ_global / log P at T, for P = 10³⁰ by κc, κs: what 8 and 10 rows at tolerance 1e-20 agree on.
FOUND = {
    (0.98, 0.3): ("0.71812576535395760585", "-0.33097145052332868951"),
    (0.7, 0.6): ("0.42006866637821651037", "-7.4396356835217998068e-9"),
}
TWO_POINT = ([0.1, 1.0], [0.5, 0.5])


def reduced(kappas, latent=1.0, log10_patches=30):
    return dy.reduce(dy.Setting(dy.Geometry.scaling(log10_patches, *kappas), latent), "local", "mean-field")


def errors(log10_patches, log_t, y, exact):
    """Of log T / log P and Φ_global / log P."""
    with mpmath.workdps(50):
        log_patches = log10_patches * mpmath.log(10)
        pairs = zip((log_t, y[GLOBAL]), exact, strict=True)
        return [float(abs(found / log_patches - mpmath.mpf(digits))) for found, digits in pairs]


@pytest.mark.parametrize("latent", [1.0, TWO_POINT])
@pytest.mark.parametrize("log10_patches", [3, 30])
def test_the_rule_written_with_fifty_digits_is_the_mean_field(latent, log10_patches):
    rule = reduced((0.85, 0.7), latent, log10_patches).as_floats.rule
    with mpmath.workdps(50):
        digits = scaling_rule(log10_patches, 0.85, 0.7, latent=latent)
    for field in ("areas", "target", "fp", "cells", "pp", "cluster", "counts", "latents"):
        assert np.array_equal(getattr(digits, field), getattr(rule, field))
    for field in ("multiplicity", "copies", "size", "weight", "latent"):
        assert getattr(digits, field).astype(float) == pytest.approx(getattr(rule, field), rel=1e-13, abs=0)
    unmasked = digits.unmasked[:, digits.column].astype(float)
    assert unmasked == pytest.approx(rule.unmasked[:, rule.column], rel=1e-13, abs=0)


@pytest.mark.parametrize("kappas", FOUND)
def test_the_half_time_and_the_plateau_are_those_of_fifty_digits(kappas):
    log_t, y, level = at_half_time(30, *kappas)
    assert level == pytest.approx(0.5, abs=1e-15)
    assert max(errors(30, log_t, y, FOUND[kappas])) <= 1e-12
    for rtol, atol, most in ((1e-8, 1e-10, 1e-9), (1e-11, 1e-12, 3e-12)):
        flow = dy.integrate(reduced(kappas), until=("target", 0.5), rtol=rtol, atol=atol)
        assert max(errors(30, flow.log_t[-1], flow.y[:, -1], FOUND[kappas])) <= most


@pytest.mark.slow
@pytest.mark.parametrize("log10_patches", [6, 30])
def test_the_half_time_of_the_dim_latent_is_that_of_fifty_digits(log10_patches):
    log_t, y, level = at_half_time(log10_patches, 0.85, 0.7, latent=TWO_POINT, seen_at=0.1)
    system = reduced((0.85, 0.7), TWO_POINT, log10_patches)
    flow = dy.integrate(system, until=("target", float(level)), rtol=1e-11, atol=1e-12)
    assert system.attention(flow.y[:, -1], latent=0.1)["target"] == pytest.approx(0.5, abs=1e-8)
    assert flow.log_t[-1] == pytest.approx(float(log_t), abs=1e-9)
    assert flow.y[:, -1] == pytest.approx(y.astype(float), abs=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kappas", "exponent", "plateau"), [((0.98, 0.3), "0.7020", "-0.33000"), ((0.7, 0.6), "0.4020", "-0.00000")]
)
def test_the_reference_takes_any_number_of_patches(kappas, exponent, plateau):
    log_t, y, _ = at_half_time(300, *kappas)
    log_patches = 300 * np.log(10)
    assert (f"{float(log_t) / log_patches:.4f}", f"{float(y[GLOBAL]) / log_patches:.5f}") == (exponent, plateau)
