"""Laws of a latent: finite ones, and those of SciPy by the Gauss nodes made for them."""

import mpmath
import numpy as np
import pytest
import scipy.stats

import dynamics as dy

SMOOTH = {
    "uniform": scipy.stats.uniform(0.5, 1.0),
    "beta": scipy.stats.beta(2, 2),
    "arcsine": scipy.stats.arcsine(),
    "normal, cut off": scipy.stats.truncnorm(-2, 2, loc=1, scale=0.3),
}


@pytest.mark.parametrize("law", SMOOTH.values(), ids=SMOOTH)
def test_the_nodes_of_a_law_have_its_moments_up_to_degree_31(law):
    found, values = dy.Law.of(law), mpmath.linspace(*law.support(), 9)
    assert len(found.values) == 16
    if law.dist.name == "truncnorm":
        moments = [_moment_of_cut_normal(power, values) for power in range(32)]
    elif law.dist.name == "uniform":
        moments = [(1.5 ** (power + 1) - 0.5 ** (power + 1)) / (power + 1) for power in range(32)]
    else:
        a, b = {"beta": (2, 2), "arcsine": (0.5, 0.5)}[law.dist.name]
        moments = [np.prod([(a + i) / (a + b + i) for i in range(power)]) for power in range(32)]
    for power, moment in enumerate(moments):
        assert found.weights @ found.values**power == pytest.approx(float(moment), rel=1e-12, abs=0)


def _moment_of_cut_normal(power, values):
    weight = lambda z: mpmath.exp(-(((z - 1) / mpmath.mpf("0.3")) ** 2) / 2)  # noqa: E731
    with mpmath.workdps(30):
        return mpmath.quad(lambda z: z**power * weight(z), values) / mpmath.quad(weight, values)


def test_a_density_with_a_kink_has_its_moments_to_eight_digits():
    found = dy.Law.of(scipy.stats.triang(0.3))
    assert found.weights @ found.values**8 == pytest.approx(scipy.stats.triang(0.3).moment(8), rel=1e-8)


def test_the_nodes_of_the_uniform_law_are_those_of_gauss_and_legendre():
    found, (nodes, weights) = dy.Law.of(scipy.stats.uniform(0.5, 1.0)), np.polynomial.legendre.leggauss(16)
    assert np.abs(found.values - (1 + nodes / 2)).max() <= 1e-14
    assert np.abs(found.weights - weights / 2).max() <= 1e-14


def test_a_discrete_law_is_itself():
    found = dy.Law.of(scipy.stats.binom(2, 0.25))
    assert found.values.tolist() == [0, 1, 2]
    assert found.weights == pytest.approx([9 / 16, 6 / 16, 1 / 16], rel=1e-14)


def test_a_density_is_averaged_by_the_integral_as_if_by_more_nodes():
    nodes, weights = np.polynomial.legendre.leggauss(40)
    geometry = dy.Geometry.single_cluster(40, 6, 4)
    y = np.array([1.5, -0.6, 0.1, 0.2, 0.0, 0.0, 0.0])
    few, many = (
        dy.reduce(dy.Setting(geometry, latent=latent), "local")
        for latent in (scipy.stats.uniform(0.5, 1.0), (1 + nodes / 2, weights / 2))
    )
    assert few.method == "integral"
    assert np.abs(few.rate(y) - many.rate(y)).max() <= 1e-11 * np.abs(many.rate(y)).max()
    assert few.loss(y) == pytest.approx(many.loss(y), rel=1e-11)


@pytest.mark.parametrize("law", [scipy.stats.norm(), scipy.stats.uniform(-1, 2), scipy.stats.expon()])
def test_a_law_without_bounds_or_below_zero_is_refused(law):
    with pytest.raises(ValueError, match=r"latent.support\(\)=.*expected a support within \[0, 1e\+06\]"):
        dy.Setting(dy.Geometry.single_cluster(4, 2, 2), latent=law)
