"""Laws of a latent: finite ones, and those of SciPy by the Gauss nodes made for them."""

import numpy as np
import pytest
import scipy.integrate
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
    found = dy.Law.of(law)
    assert len(found.values) == 16
    for power in range(32):
        moment = scipy.integrate.quad(lambda z, n=power: law.ppf(z) ** n, 0, 1, epsabs=0, epsrel=1e-12)[0]
        assert found.weights @ found.values**power == pytest.approx(moment, rel=1e-9)


def test_the_nodes_of_the_uniform_law_are_those_of_gauss_and_legendre():
    found, (nodes, weights) = dy.Law.of(scipy.stats.uniform(0.5, 1.0)), np.polynomial.legendre.leggauss(16)
    assert np.abs(found.values - (1 + nodes / 2)).max() <= 1e-14
    assert np.abs(found.weights - weights / 2).max() <= 1e-14


def test_a_discrete_law_is_itself():
    found = dy.Law.of(scipy.stats.binom(2, 0.25))
    assert found.values.tolist() == [0, 1, 2]
    assert found.weights == pytest.approx([9 / 16, 6 / 16, 1 / 16], rel=1e-14)


def test_a_density_is_averaged_as_if_by_more_nodes():
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
