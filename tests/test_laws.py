"""Laws of a latent: finite ones, and those of SciPy as they are, or by the Gauss nodes made for them."""

import math
import pickle
import warnings

import mpmath
import numpy as np
import pytest
import scipy.stats

import dynamics as dy
from tests.settings import ONE, TWO

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


NEW = scipy.stats.Uniform(a=0.5, b=1.5)
NORMAL = scipy.stats.Normal(mu=1, sigma=0.3)
GAP = scipy.stats.rv_histogram(([1, 0, 3], [0.0, 1.0, 1.5, 4.0]), density=False)
COUNTS = [0, 5, 1, 0, 3], [0, 0.5, 0.5001, 1, 2, 40]


class Square(scipy.stats.rv_continuous):
    """A density of a user's own, without a formula for its quantiles."""

    def _pdf(self, x):
        return 3 * x**2


class Split(scipy.stats.rv_continuous):
    """Half of it below 1/4, half above 3/4, and quantiles that say so."""

    def _cdf(self, x):
        return np.where(x < 0.25, 2 * x, np.where(x < 0.75, 0.5, 2 * x - 1))

    def _ppf(self, q):
        return np.where(q < 0.3, q / 2, (q + 1) / 2)  # not those of the distribution function

    def _stats(self):
        return 0.5, 0.14583333333333334, 0.0, 0.0


class Holes(scipy.stats.rv_continuous):
    """A density with a gap, which SciPy inverts by bisection."""

    def _pdf(self, x):
        return np.where((x < 0.3) | (x > 0.8), 2.0, 0.0)


class Lattice(scipy.stats.rv_discrete):
    """Probabilities that do not sum to one."""

    def _pmf(self, k):
        return np.full(np.shape(k), 0.2)


AS_THEY_ARE = {
    "a table": (scipy.stats.rv_discrete(values=([1.7, 0.4, 1.0], [0.3, 0.2, 0.5])), [0.4, 1, 1.7], [0.2, 0.5, 0.3]),
    "a frozen table, shifted": (
        scipy.stats.rv_discrete(values=([0.3, 0.9], [0.25, 0.75]))(loc=0.35),
        [0.65, 1.25],
        [0.25, 0.75],
    ),
    "a table with a value that never comes": (scipy.stats.rv_discrete(values=([0.3, 0.9], [0, 1])), [0.9], [1]),
    "a lattice, shifted by a part": (scipy.stats.randint(1, 4, loc=0.1), [1.1, 2.1, 3.1], [1 / 3] * 3),
    "binomial, shifted by position": (scipy.stats.binom(2, 0.25, 0.3), [0.3, 1.3, 2.3], [9 / 16, 6 / 16, 1 / 16]),
    "one value": (scipy.stats.randint(1, 2), [1], [1]),
}


@pytest.mark.parametrize(("law", "values", "weights"), AS_THEY_ARE.values(), ids=AS_THEY_ARE)
def test_a_discrete_law_of_scipy_is_taken_as_it_is(law, values, weights):
    found = dy.Law.of(law)
    assert found.values == pytest.approx(values, rel=1e-15)
    assert found.weights == pytest.approx(weights, rel=1e-13)


def piecewise(edges, shares, power):
    """E z^power of a law that is uniform between edges."""
    low, high = np.array(edges[:-1], float), np.array(edges[1:], float)
    return float(shares @ ((high ** (power + 1) - low ** (power + 1)) / (high - low) / (power + 1)))


PIECES = {
    "a gap": (GAP, [0, 1, 1.5, 4], [0.25, 0, 0.75]),
    "frozen, moved and stretched": (GAP(loc=1, scale=2), [1, 3, 4, 9], [0.25, 0, 0.75]),
    "unequal bins, counts": (scipy.stats.rv_histogram(COUNTS, density=False), COUNTS[1], np.array(COUNTS[0]) / 9),
    "unequal bins, densities": (
        scipy.stats.rv_histogram(COUNTS, density=True),
        COUNTS[1],
        COUNTS[0] * np.diff(COUNTS[1]) / (COUNTS[0] @ np.diff(COUNTS[1])),
    ),
    "a mixture with a gap": (
        scipy.stats.Mixture([NEW, scipy.stats.Uniform(a=2, b=3)], weights=[0.3, 0.7]),
        [0.5, 1.5, 2, 3],
        [0.3, 0, 0.7],
    ),
    "uniform by its ends": (dy.Law.uniform(0.5, 1.5), [0.5, 1.5], [1]),
    "new uniform": (NEW, [0.5, 1.5], [1]),
    "new uniform, stretched": (2 * NEW + 1, [2, 4], [1]),
    "old uniform, made new": (scipy.stats.make_distribution(scipy.stats.uniform)(), [0, 1], [1]),
}


@pytest.mark.parametrize(("law", "edges", "shares"), PIECES.values(), ids=PIECES)
def test_a_law_of_pieces_has_its_moments_up_to_degree_31(law, edges, shares):
    found = dy.Law.of(law)
    assert len(found.values) == 16
    for power in range(32):
        expected = piecewise(edges, np.array(shares), power)
        assert found.weights @ found.values**power == pytest.approx(expected, rel=1e-11)


NEW_ONES = {
    "beta": (scipy.stats.make_distribution(scipy.stats.beta)(a=2, b=3), lambda z: 12 * z * (1 - z) ** 2),
    "normal, cut off": (
        scipy.stats.truncate(NORMAL, lb=0.4, ub=1.6),
        lambda z: mpmath.exp(-(((z - 1) / mpmath.mpf(0.3)) ** 2) / 2),
    ),
    "the second of three": (
        scipy.stats.order_statistic(NEW, r=2, n=3),
        lambda z: (z - mpmath.mpf(0.5)) * (mpmath.mpf(1.5) - z),
    ),
    "exponential of uniform": (scipy.stats.exp(NEW), lambda z: 1 / z),
    "of a user, by its density": (Square(a=0, b=1, name="square"), lambda z: z**2),
    "argus, which has no quantiles": (
        scipy.stats.argus(1.0),
        lambda z: z * mpmath.sqrt(1 - z**2) * mpmath.exp(-(1 - z**2) / 2),
    ),
}


@pytest.mark.parametrize(("law", "density"), NEW_ONES.values(), ids=NEW_ONES)
def test_the_nodes_of_other_densities_have_their_moments(law, density):
    found, (low, high) = dy.Law.of(law), (float(end) for end in (law.support()))
    total = mpmath.quad(density, [low, high])
    for power in (1, 2, 3, 8, 31):
        expected = float(mpmath.quad(lambda z, power=power: z**power * density(z), [low, high]) / total)
        assert found.weights @ found.values**power == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("law", [scipy.stats.triang(c) for c in (0.1, 0.37, 0.9)] + [scipy.stats.trapezoid(0.2, 0.8)])
def test_a_kink_is_no_reason_to_refuse_a_law(law):
    found = dy.Law.of(law)
    for power in (1, 2, 8):
        assert found.weights @ found.values**power == pytest.approx(law.moment(power), rel=1e-8)


FROZEN = "latent='{}': expected .* a frozen scipy.stats law with bounded support: {}"
REFUSED = {
    "the bare name of a law": (scipy.stats.uniform, FROZEN.format("uniform", r"dy.Law.uniform\(low, high\) or stats")),
    "a law without its numbers": (scipy.stats.beta, FROZEN.format("beta", r"stats.beta\(a=..., b=..., loc=")),
    "one that needs none": (scipy.stats.arcsine, FROZEN.format("arcsine", r"stats.arcsine\(loc=")),
    "a class": (scipy.stats.Uniform, FROZEN.format("Uniform", r"Uniform\(...\) with its numbers")),
    "a class made of an old law": (scipy.stats.make_distribution(scipy.stats.beta), "latent='.*a frozen scipy.stats"),
    "a class of histograms": (scipy.stats.rv_histogram, "latent='rv_histogram': expected .* a frozen scipy.stats"),
    "several laws": (scipy.stats.uniform([0, 1], 2), "expected two numbers: one law, not several"),
    "several new laws": (scipy.stats.Uniform(a=[0, 1], b=2), "expected two numbers: one law, not several"),
    "many variables": (scipy.stats.multivariate_normal([0, 0]), "latent=.*frozen scipy.stats law"),
    "no upper end": (scipy.stats.poisson(2), r"latent.support\(\)=\(0.0, inf\): expected a support within"),
    "partly below 0": (scipy.stats.uniform(-1, 2), r"latent.support\(\)=\(-1.0, 1.0\): expected a support within"),
    "beyond the largest": (scipy.stats.Uniform(a=0, b=2e6), "expected a support within"),
    "numbers that are none of a law": (scipy.stats.beta(-1, 2), r"latent.support\(\)=\(nan, nan\)"),
    "narrower than floats": (scipy.stats.uniform(1, 1e-15), "expected a support within .*, and wider"),
    "a density with a gap": (Holes(a=0, b=1, name="holes"), "latent='holes': expected a density that is smooth"),
    "quantiles of another law": (Split(a=0, b=1), "latent='Split': expected a law whose values have its mean 0.5 and"),
    "probabilities that sum to 0.8": (Lattice(a=1, b=4), "latent.pmf=0.8: expected probabilities that sum to 1"),
    "a table that sums to 1.000001": (
        scipy.stats.rv_discrete(values=([0.5, 1.2], [0.3, 0.700001])),
        "expected weights that sum to 1, not 1.000001",
    ),
}


@pytest.mark.parametrize(("law", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_law_of_a_latent_is_refused_in_words(law, said):
    with pytest.raises(ValueError, match=said):
        dy.Setting(ONE.geometry, law)


def test_a_law_with_wrong_moments_is_refused_with_both_and_a_way_out():
    with pytest.raises(ValueError, match=r"made for it have mean 0\.59998.* and variance 0\.1258.*: give a pair"):
        dy.Law.of(Split(a=0, b=1)())


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (1.5, 0.5, "high=0.5: expected a number > low=1.5"),
        (-1, 1, "low=-1: expected a number >= 0"),
        (0, 2e6, "high=2000000.0: expected a number > low=0"),
        ("a", 1, "low='a': expected a number"),
        (0, math.nan, "high=nan"),
        (1, 1 + 1e-15, "high=1.000000000000001: expected a number further from low=1"),
    ],
)
def test_an_interval_that_is_none_is_refused(low, high, said):
    with pytest.raises(ValueError, match=said):
        dy.Law.uniform(low, high)


LABELS = {
    "": 1.0,
    "latent 0.7": 0.7,
    "latent 0.4, 1 or 1.7, weights 0.2, 0.5 and 0.3": AS_THEY_ARE["a table"][0],
    "latent uniform on [0.5, 1.5], 16 nodes": scipy.stats.uniform(0.5, 1),
    "latent uniform on [1, 1.000000001], 16 nodes": scipy.stats.uniform(1, 1e-9),
    "latent beta(a=2, b=3) on [0.5, 2.5], 16 nodes": scipy.stats.beta(2, b=3, loc=0.5, scale=2),
    "latent binom(n=20, p=0.25) on [0, 20], 21 values": scipy.stats.binom(20, 0.25),
    "latent histogram of 3 bins on [0, 4], 16 nodes": GAP,
    "latent mixture of 2 laws on [0.5, 3], 16 nodes": PIECES["a mixture with a gap"][0],
    "latent square on [0, 1], 16 nodes": NEW_ONES["of a user, by its density"][0],
}


@pytest.mark.parametrize(("label", "law"), LABELS.items(), ids=LABELS)
def test_whatever_is_solved_says_its_law_and_a_file_keeps_it(label, law, tmp_path):
    setting = dy.Setting(ONE.geometry, law, mask_ratio=0.4)
    system = dy.reduce(setting, "local", "mean-field")
    curve = dy.descend(system, 0.5, 3)
    assert f"latent {setting.law.told}" in repr(setting)
    assert setting.law.told in setting.sheet().text()
    for shown in (repr(system), system.sheet().title, repr(curve), curve.sheet().title):
        assert (label in shown) if label else ("latent" not in shown)
    loaded = dy.load(curve.save(tmp_path / "curve.csv"))
    assert loaded.sheet().title == curve.sheet().title
    again = dy.rerun(loaded)
    assert again.provenance["law"] == f"latent {setting.law.told}"
    assert np.array_equal(again.y, curve.y)


def test_a_training_and_an_exponent_say_their_law():
    law = [0.5, 1.5], [0.5, 0.5]
    model = dy.FiniteTransformer(dy.Setting(ONE.geometry, law))
    training = model.train(0.5, 2)
    shown = [model, training, training.of(0), dy.exponent("half-time", 0.98, 0.3, law, ladder=(50, 60, 70, 80))]
    assert all("latent 0.5 or 1.5, weights 0.5 and 0.5" in repr(one) for one in shown)


def test_a_record_without_the_name_of_its_law_is_read_and_continued(tmp_path):
    system = dy.reduce(dy.Setting(ONE.geometry, dy.Law.uniform(0.5, 1.5)), "local", "mean-field")
    curve = dy.descend(system, 0.5, 3)
    del curve.provenance["law"]
    old = dy.load(curve.save(tmp_path / "old.npz"))
    assert "latent 16 values from 0.505 to 1.49" in repr(old)
    assert np.array_equal(dy.rerun(old).y, curve.y)
    assert dy.descend(system, 0.5, 1, start=old).t[-1] == 2.0
    unnamed = dy.reduce(dy.Setting(ONE.geometry, tuple(old.provenance["latent"])), "local", "mean-field")
    onwards = dy.descend(unnamed, 0.5, 1, start=dy.descend(system, 0.5, 3))  # the same numbers by another name
    assert onwards.t[-1] == 2.0


def test_a_setting_goes_to_another_process_whatever_its_law():
    setting = dy.Setting(ONE.geometry, NEW_ONES["beta"][0])
    copy = pickle.loads(pickle.dumps(setting))
    assert repr(copy) == repr(setting)
    assert np.array_equal(copy.law.values, setting.law.values)


def test_ends_in_single_precision_are_taken_as_they_are():
    ends = np.float32(0.1), np.float32(0.7)
    assert np.array_equal(dy.Law.uniform(*ends).values, dy.Law.uniform(*map(float, ends)).values)


@pytest.mark.parametrize("state", ["raise", "warn"])
def test_a_law_is_the_same_whatever_numpy_does_about_underflow(state):
    law = scipy.stats.beta(0.3, 5)
    plain = dy.Law.of(law)
    with np.errstate(all=state), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(dy.Law.of(law).values, plain.values)


ROUNDED = {
    "half": np.float16([0.1, 0.2, 0.7]),
    "single": np.float32([0.1, 0.2, 0.7]),
    "scalars of single precision": [np.float32(0.1), np.float32(0.2), np.float32(0.7)],
    "divided by their sum in single precision": np.float32([3, 5, 11]) / np.float32(19),
    "double, added up in another order": [0.1, 0.2, math.nextafter(0.7, 1)],
    "whole numbers over one another": [1 / 3, 1 / 3, 1 / 3],
}


@pytest.mark.parametrize("weights", ROUNDED.values(), ids=ROUNDED)
def test_probabilities_are_taken_within_the_rounding_of_their_type(weights):
    clusters = dy.Geometry.from_labels([[0, 0, 1, 1], [0, 1, 1, 1], [0, 1, 1, 1]])
    exact = np.array(weights, dtype=float)
    values = np.float32([0.1, 1.0, 1.7])
    for found in (
        dy.Law.of((values, weights)).weights,
        dy.Setting(clusters, cluster_weights=weights).weights,
        dy.Law.of(scipy.stats.rv_discrete(values=(values, np.asarray(weights)))).weights,
    ):
        assert abs(found.sum() - 1) <= 3e-16
        assert found == pytest.approx(exact / exact.sum(), rel=1e-15)
    assert dy.Law.of((values, weights)).values.tolist() == values.astype(float).tolist()


@pytest.mark.parametrize(
    "weights", [[0.1, 0.2, 0.700001], np.float32([0.1, 0.2, 0.7]).astype(float), np.float16([0.1, 0.2, 0.75])]
)
def test_probabilities_that_are_off_by_more_than_their_type_are_refused(weights):
    with pytest.raises(ValueError, match=r"expected weights that sum to 1, not (1\.0|0\.9999)"):
        dy.Law.of(([1, 2, 3], weights))
    with pytest.raises(ValueError, match=r"cluster_weights=.* that sum to 1, not (1\.0|0\.9999)"):
        dy.Setting(dy.Geometry.from_labels([[0, 1], [0, 1], [0, 0]]), cluster_weights=weights)


def test_many_weights_of_single_precision_are_a_law():
    weights = np.random.default_rng(0).random(4001).astype(np.float32)
    found = dy.Law.of((np.arange(4001.0), weights / weights.sum()))
    assert abs(found.weights.sum() - 1) <= 1e-14


def test_weights_that_sum_to_one_stay_as_they_are_to_the_bit():
    once = dy.Law.of((np.arange(7.0), np.float32([0.1, 0.1, 0.1, 0.1, 0.1, 0.2, 0.3])))
    assert np.array_equal(dy.Law.of((once.values, once.weights)).weights, once.weights)
    assert np.array_equal(dy.Setting(TWO.geometry, cluster_weights=[0.3, 0.7]).weights, [0.3, 0.7])
