"""Attention patterns: maps of the reduction and of the transformer, and how diverse and how local maps are."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

import dynamics as dy
from tests.settings import ONE, TWO, WIDE
from tests.strategies import settings_of_learning

STEP, STEPS, EVERY = 8.0, 40, 10
SHOWN = {0: 0.7, 1: [1.7, 0.0, 0.4]}  # of each cluster: a number, and a latent for every area, one of them hidden
REAL = dy.reduce(dy.Setting(dy.Geometry.scaling(6, 0.98, 0.3)), "local", "mean-field")
SYSTEM, SEVERAL = dy.reduce(ONE, "local"), dy.reduce(TWO, 3)
MODEL = dy.FiniteTransformer(ONE)


def test_maps_of_reduction_and_transformer_agree_along_a_training():
    model = dy.FiniteTransformer(TWO, seed=4)
    systems = [dy.reduce(TWO, query) for query in range(7)]
    curves = [dy.descend(system, STEP, STEPS, every=EVERY) for system in systems]
    Q, largest = model.initial, 0.0
    for i in range(STEPS // EVERY + 1):
        for cluster, latent in SHOWN.items():
            maps = model.attention(Q, cluster, latent)
            for query, (system, curve) in enumerate(zip(systems, curves, strict=True)):
                predicted = dy.attention_map(system, curve.y[:, i], cluster, latent)
                assert np.abs(predicted - maps[query]).max() <= 1e-12
            largest = max(largest, np.abs(maps - 1 / 7).max())
        Q = model.train(STEP, EVERY, start=Q).Q
    assert largest > 0.3


@settings(max_examples=40)
@given(settings_of_learning(), st.integers(0, 99), st.sampled_from([0.3, 3.0, 300.0]))
def test_a_map_is_the_softmax_of_the_scores_patch_by_patch(setting, seed, scale):
    generator = np.random.default_rng(seed)
    k = seed % setting.geometry.clusters
    latent = generator.uniform(0, 2, setting.geometry.areas[k])
    for query in range(setting.geometry.patches):
        system = dy.reduce(setting, query, "mean-field")
        y = scale * generator.standard_normal(len(system.names))
        state, area = system.expand(y), setting.geometry.area_of[k]
        score = [
            state["pp"][q] + (latent[area[q]] * state["fp"][k][area[q]] if q != query else 0) for q in range(len(area))
        ]
        mass = [math.exp(one - max(score)) for one in score]
        expected = np.array(mass) / math.fsum(mass)
        assert dy.attention_map(system, y, k, latent) == pytest.approx(expected, rel=1e-11, abs=1e-300)


def test_the_query_is_the_one_patch_that_shows_nothing():
    system = dy.reduce(WIDE, "local")
    first = int(np.flatnonzero(WIDE.geometry.area_of[0] == 1)[0])
    y = np.where(np.array(system.names) == "fp.target", math.log(3), 0.0)
    expected = np.where(WIDE.geometry.area_of[0] == 1, 3.0, 1.0)
    expected[first] = 1
    assert dy.attention_map(system, y) == pytest.approx(expected / expected.sum(), rel=1e-14)
    twice = dy.attention_map(system, y, latent=2)
    assert twice[first + 1] / twice[first] == pytest.approx(9, rel=1e-14)
    assert dy.attention_map(system, system.initial) == pytest.approx(np.full(64, 1 / 64), rel=1e-14)


def random_maps(shape, seed=0):
    return np.random.default_rng(seed).dirichlet(np.full(shape[-1], 0.3), shape[:-1])


def test_diversity_is_the_mean_divergence_of_scipy_over_pairs_of_queries():
    maps = random_maps((2, 3, 9, 9))
    maps[0, 0, :4] = np.eye(9)[:4]  # zeros too
    diversity = dy.attention_diversity(maps)
    assert diversity.shape == (2, 3)
    for i in np.ndindex(2, 3):
        pairs = [jensenshannon(a, b) ** 2 for a, b in itertools.combinations(maps[i], 2)]
        assert diversity[i] == pytest.approx(np.mean(pairs), rel=1e-12)
        assert dy.attention_diversity(maps[i]) == pytest.approx(diversity[i], rel=1e-14)


def test_diversity_is_zero_for_a_collapsed_pattern_and_log_2_for_a_disjoint_one():
    assert dy.attention_diversity(np.repeat(random_maps((1, 50)), 50, axis=0), class_token=False) == 0
    assert dy.attention_diversity(np.eye(50)[::-1], class_token=False) == pytest.approx(math.log(2), rel=1e-14)
    near = [[0.3, 0.7], [0.3 + 1e-5, 0.7 - 1e-5]]
    assert dy.attention_diversity(near) == pytest.approx(1e-10 / 8 * (1 / 0.3 + 1 / 0.7), rel=1e-4)  # no digits lost


@given(st.integers(0, 999), st.integers(2, 8), st.sampled_from([0.03, 1.0, 30.0]))
def test_diversity_is_between_its_bounds_and_does_not_see_the_order_of_patches_or_queries(seed, patches, spread):
    generator = np.random.default_rng(seed)
    score = spread * generator.standard_normal((patches, patches))
    maps = np.exp(score - score.max(axis=1, keepdims=True))
    maps /= maps.sum(axis=1, keepdims=True)
    diversity = dy.attention_diversity(maps, class_token=False)
    assert 0 < diversity <= math.log(2) + 1e-15
    rows, columns = generator.permutation(patches), generator.permutation(patches)
    shuffled = dy.attention_diversity(maps[rows][:, columns], class_token=False)
    assert shuffled == pytest.approx(diversity, rel=1e-12, abs=1e-16)


def test_distance_is_the_mean_over_queries_of_how_far_they_look():
    maps = random_maps((2, 12, 12))
    place = [divmod(patch, 4) for patch in range(12)]
    expected = [
        np.mean([sum(row[q] * math.dist(place[p], place[q]) for q in range(12)) for p, row in enumerate(one)])
        for one in maps
    ]
    assert dy.attention_distance(maps, (3, 4)) == pytest.approx(expected, rel=1e-14)
    assert dy.attention_distance(np.eye(12), (3, 4)) == 0
    ahead = np.roll(np.eye(12), 4, axis=1)  # to the row below; from the last one to the first
    assert dy.attention_distance(ahead, (3, 4)) == pytest.approx((8 * 1 + 4 * 2) / 12)


def test_distance_follows_a_mirror_of_the_grid():
    maps = random_maps((12, 12))
    mirror = np.arange(12).reshape(3, 4)[:, ::-1].ravel()
    distance = dy.attention_distance(maps, (3, 4))
    assert dy.attention_distance(maps[mirror][:, mirror], (3, 4)) == pytest.approx(distance, rel=1e-14)
    assert dy.attention_distance(maps, (4, 3)) != pytest.approx(distance, rel=1e-3)


def test_single_precision_and_no_maps_at_all_are_taken():
    maps = random_maps((5, 196, 196)).astype(np.float32)
    assert dy.attention_diversity(maps) == pytest.approx(dy.attention_diversity(random_maps((5, 196, 196))), rel=1e-6)
    assert dy.attention_distance(maps, (14, 14)).shape == (5,)
    assert dy.attention_diversity(np.empty((0, 3, 3))).shape == (0,)


class Tensor:
    """What a tensor of bfloat16 is to NumPy."""

    dtype = "torch.bfloat16"

    def __init__(self, numbers):
        mantissa, power = np.frexp(numbers)
        self.numbers = np.ldexp(np.round(mantissa * 2**8) / 2**8, power)

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Got unsupported ScalarType BFloat16")

    def double(self):
        return self.numbers


ROUNDED = {
    "half": (lambda maps: maps.astype(np.float16), 1e-4),
    "single": (lambda maps: maps.astype(np.float32), 1e-8),
    "single, then double": (lambda maps: maps.astype(np.float32).astype(float), 1e-8),
    "single in lists": (lambda maps: maps.astype(np.float32).tolist(), 1e-8),
    "bfloat16": (Tensor, 1e-3),
    "long double": (lambda maps: maps.astype(np.longdouble), 1e-14),
    "softmax in single precision": (lambda maps: _softmax(np.log(maps + 1e-30).astype(np.float32)), 1e-5),
}


def _softmax(score):
    mass = np.exp(score - score.max(axis=-1, keepdims=True))
    return mass / mass.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize(("of_type", "tolerance"), ROUNDED.values(), ids=ROUNDED)
def test_maps_of_any_precision_are_measured_in_double(of_type, tolerance):
    maps = random_maps((2, 16, 16))
    given = of_type(maps)
    diversity, distance = dy.attention_diversity(given), dy.attention_distance(given, (4, 4))
    assert diversity.dtype == distance.dtype == float
    assert diversity == pytest.approx(dy.attention_diversity(maps), rel=tolerance)
    assert distance == pytest.approx(dy.attention_distance(maps, (4, 4)), rel=tolerance)


@pytest.mark.parametrize("kind", [float, np.float32, np.float16])
def test_a_class_token_is_taken_out_where_that_is_said(kind):
    maps = random_maps((3, 17, 17)).astype(kind)
    patches = maps[:, 1:, 1:].astype(float)
    patches /= patches.sum(axis=-1, keepdims=True)
    assert dy.attention_diversity(maps, class_token=True) == pytest.approx(dy.attention_diversity(patches), rel=1e-12)
    found = dy.attention_distance(maps, (4, 4), class_token=True)
    assert found == pytest.approx(dy.attention_distance(patches, (4, 4)), rel=1e-12)


@pytest.mark.parametrize("side", [2, 4, 7, 8, 14])
def test_maps_of_one_token_more_than_a_square_need_a_word(side):
    maps = random_maps((side**2 + 1, side**2 + 1))
    what = f"class_token=True, which takes the first token out, or False: {side**2 + 1} may be {side}·{side} [+] 1"
    with pytest.raises(ValueError, match=what):
        dy.attention_diversity(maps)
    with pytest.raises(ValueError, match=f"P = {side**2}, or class_token=True, which takes the first token out"):
        dy.attention_distance(maps, (side, side))
    assert dy.attention_diversity(maps, class_token=False) > 0
    assert dy.attention_distance(maps, (1, side**2 + 1)) > 0  # a grid that holds them all


HALF = np.full((2, 2), 0.5)
TOKENS = random_maps((17, 17))
CALLS = [
    (lambda: dy.attention_map(ONE, SYSTEM.initial), "system=Setting.*: expected what dy.reduce returns"),
    (lambda: dy.attention_map(REAL, REAL.initial), "geometry='scaling': expected patches that can be counted"),
    (lambda: dy.attention_map(SYSTEM, [0.0]), r"y=\[0.0\]: expected a state of shape \(7,\)"),
    (lambda: dy.attention_map(SYSTEM, np.full(7, math.nan)), r"y=.*nan.*: expected finite numbers"),
    (lambda: dy.attention_map(SYSTEM, SYSTEM.initial, 1), r"cluster=1: expected a whole number in \[0, 0\]"),
    (
        lambda: dy.attention_map(SEVERAL, SEVERAL.initial),
        r"latent=None: expected a number >= 0 \(at most 10\^6\), or one for each of 3 areas: the law has 3 values",
    ),
    (lambda: dy.attention_map(SYSTEM, SYSTEM.initial, 0, [1, 2]), r"latent=\[1, 2\]: .* one for each of 3 areas$"),
    (lambda: dy.attention_map(SYSTEM, SYSTEM.initial, 0, -1), "latent=-1: expected a number >= 0"),
    (lambda: dy.attention_map(SYSTEM, SYSTEM.initial, 0, "bright"), "latent='bright': expected a number >= 0"),
    (lambda: MODEL.attention(MODEL.initial, 1), r"cluster=1: expected a whole number in \[0, 0\]"),
    (lambda: MODEL.attention(MODEL.initial, latent=[1]), r"latent=\[1\]: .* one for each of 3 areas$"),
    (lambda: MODEL.attention(np.eye(3)), r"Q.shape=\(3, 3\): expected \(11, 11\)"),
    (
        lambda: MODEL.attention(MODEL.initial + 1e308, latent=100),
        r"max \|Q\|=1e\+308: expected so small that scores are finite",
    ),
    (
        lambda: dy.attention_distance(np.full((2, 3), 1 / 3), (1, 3)),
        r"attention.shape=\(2, 3\): expected \(..., P, P\)",
    ),
    (lambda: dy.attention_diversity([[1.0]]), r"attention.shape=\(1, 1\): expected \(..., n, P\) with n ≥ 2 queries"),
    (lambda: dy.attention_diversity("maps"), r"attention.shape=\(0,\): expected \(..., n, P\)"),
    (lambda: dy.attention_diversity([[1.5, -0.5], [0.5, 0.5]]), "attention=-0.5: expected numbers ≥ 0"),
    (lambda: dy.attention_diversity([[1, math.nan], [0.5, 0.5]]), "attention=nan: expected numbers ≥ 0"),
    (lambda: dy.attention_diversity(HALF * (1 + 3e-6)), r"attention.sum\(axis=-1\)=1.000003: expected 1"),
    (lambda: dy.attention_diversity(HALF * (1 + 1e-6)), r"attention.sum\(axis=-1\)=1.000001.*: expected 1"),
    (lambda: dy.attention_diversity(np.float16(HALF) * 0.9), r"attention.sum\(axis=-1\)=0.8999.*: expected 1"),
    (lambda: dy.attention_diversity(TOKENS, class_token=1), "class_token=1: expected True, False or None"),
    (lambda: dy.attention_distance(TOKENS, (4, 4), class_token=None), "class_token=None: expected True or False"),
    (
        lambda: dy.attention_diversity(TOKENS[:9], class_token=True),
        r"attention.shape=\(9, 17\): expected \(..., P, P\), the rows and columns of all tokens",
    ),
    (
        lambda: dy.attention_diversity(np.eye(17)[np.zeros(17, int)], class_token=True),
        "attention=0.0: expected rows with some attention on patches beside the class token",
    ),
    (
        lambda: dy.attention_distance(random_maps((16, 16)), (4, 4), class_token=True),
        r"grid=\(4, 4\): expected H, W with H·W = 15 patches",
    ),
    (lambda: dy.attention_distance(HALF, (2, 2)), r"grid=\(2, 2\): expected H, W with H·W = 2 patches"),
    (lambda: dy.attention_distance(HALF, 2), r"grid=2: expected rows and columns of patches"),
    (lambda: dy.attention_distance(HALF * 2, (1, 2)), r"attention.sum\(axis=-1\)=2.0: expected 1"),
]


@pytest.mark.parametrize(("call", "message"), CALLS, ids=[message[:30] for _, message in CALLS])
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
