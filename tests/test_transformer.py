"""The finite transformer: its gradient, its two bases, its samples, its trainings, and what it refuses."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dynamics as dy
from dynamics import samples, transformer
from dynamics.transformer import TrainingDiverged
from tests.benchmarks.gradients import PEERS
from tests.settings import ONE, SMALL, THREE, TWO, WIDE
from tests.strategies import settings_of_learning

BASES = ["random", "coordinates"]


def state(model, scale=1.0, seed=0):
    """A Q that is all correlations, in the coordinate basis."""
    patches, used = len(model.positions), len(model.positions) + len(model.features)
    Q = model.initial
    Q[:patches, :used] = scale * np.random.default_rng(seed).standard_normal((patches, used))
    return Q


def largest(array):
    return float(np.abs(array).max())


def loss_by_definition(setting, Q):
    """½ E Σ_{p∈M} ‖F_p − X_p‖² in the coordinate basis: one sample, one query, one key after another."""
    patches, law, loss = setting.geometry.patches, setting.law, 0.0
    masks = list(itertools.combinations(range(patches), setting.masked))
    first = patches
    for k, areas in enumerate(setting.geometry.areas):
        for drawn in itertools.product(range(len(law.values)), repeat=areas):
            weight = setting.weights[k] * math.prod(law.weights[i] for i in drawn) / len(masks)
            X = np.zeros((patches, len(Q)))
            for p, m in enumerate(setting.geometry.area_of[k]):
                X[p, first + m] = law.values[drawn[m]]
            for mask in masks:
                seen = X.copy()
                seen[list(mask)] = 0
                for p in mask:
                    scores = [Q[p] @ (seen[q] + np.eye(len(Q))[q]) for q in range(patches)]
                    attention = np.exp(scores) / np.exp(scores).sum()
                    loss += weight / 2 * sum((attention @ seen - X[p]) ** 2)
        first += areas
    return loss


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize("setting", SMALL.values(), ids=SMALL)
def test_the_loss_is_its_definition(setting, basis):
    model = dy.FiniteTransformer(setting, basis=basis)
    for Q in (model.initial, state(model)):
        assert model.loss(model.to_basis(Q)) == pytest.approx(loss_by_definition(setting, Q), rel=1e-13, abs=0)


@pytest.mark.parametrize("basis", BASES)
def test_the_gradient_is_the_slope_of_the_loss(basis):
    assert 1 in TWO.geometry.area_size(1)
    model = dy.FiniteTransformer(TWO, dimension=15, basis=basis)
    Q, step = model.to_basis(state(model)), 2e-3
    gradient = model.gradient(Q)
    for direction in np.random.default_rng(1).standard_normal((8, 15, 15)) / 15:
        loss = {i: model.loss(Q + i * step * direction) for i in (-2, -1, 1, 2)}
        slope = (8 * (loss[1] - loss[-1]) - (loss[2] - loss[-2])) / (12 * step)
        assert slope == pytest.approx(np.sum(gradient * direction), abs=1e-12)


@given(settings_of_learning(), st.integers(0, 3), st.sampled_from([0.1, 1.0, 4.0]), st.integers(0, 99))
def test_the_two_bases_agree(setting, spare, scale, seed):
    dimension = setting.geometry.patches + sum(setting.geometry.areas) + spare
    models = [dy.FiniteTransformer(setting, seed, dimension, basis) for basis in BASES]
    Q = state(models[1], scale, seed)
    for drawn in (None, 20):
        (loss, gradient), (loss_2, gradient_2) = (m.loss_and_gradient(m.to_basis(Q), drawn) for m in models)
        assert abs(loss - loss_2) <= 1e-14
        assert largest(gradient - models[0].to_basis(gradient_2)) <= 1e-14
    for ours, theirs in zip(models[0].correlations(models[0].to_basis(Q)), models[1].correlations(Q), strict=True):
        assert largest(ours - theirs) <= 1e-14 * max(1, scale)


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize("peer", PEERS)
def test_the_gradient_is_that_of_transformers_written_otherwise(peer, basis):
    if peer.startswith("jax"):
        pytest.importorskip("jax")
    if (peer, basis) == ("coordinates", "random"):
        pytest.skip("written for unit vectors")
    setting = dy.Setting(WIDE.geometry, latent=TWO.law)
    model, same = (dy.FiniteTransformer(setting, seed=2, basis=basis) for _ in range(2))
    Q = model.to_basis(state(model))
    (drawn,) = samples.draw(setting, 256, same._generator)
    assert largest(PEERS[peer](model, drawn)(Q) - model.gradient(Q, samples=256)) <= 1e-14


@pytest.mark.parametrize("scale", [60, 1e3, 1e5])
def test_the_two_bases_agree_where_the_exponents_of_a_score_overflow_apart(scale):
    models = [dy.FiniteTransformer(TWO, basis=basis) for basis in BASES]
    Q = state(models[1], scale)
    Q[:, 7:] = -Q[:, :6]
    (loss, gradient), (loss_2, gradient_2) = (m.loss_and_gradient(m.to_basis(Q)) for m in models)
    assert loss == pytest.approx(loss_2, rel=1e-12 * scale, abs=0)
    assert largest(gradient - models[0].to_basis(gradient_2)) <= 1e-14 * scale


def test_the_loss_keeps_its_digits_as_attention_locks():
    setting = dy.Setting(dy.Geometry.single_cluster(3, 2, 1), mask_ratio=0.2)
    model = dy.FiniteTransformer(setting, basis="coordinates")
    Q = model.initial
    Q[:3, 5], Q[3:, 6] = 30, 30
    wide = 2 * math.exp(30)  # two patches of the area are seen, two of the other area, and the masked one
    missing_3, missing_2 = 3 / (3 + wide), 4 / (4 + wide / 2)
    other_3, other_2 = 2 / (3 + wide), 3 / (4 + wide / 2)
    expected = (3 * (missing_3**2 + other_3**2) + 2 * (missing_2**2 + other_2**2)) / 10
    assert expected < 1e-25
    assert model.loss(Q) == pytest.approx(expected, rel=1e-13, abs=0)


@given(settings_of_learning(), st.integers(0, 3), st.integers(0, 99))
def test_the_gradient_has_no_part_beside_the_correlations(setting, spare, seed):
    dimension = setting.geometry.patches + sum(setting.geometry.areas) + spare
    model = dy.FiniteTransformer(setting, seed, dimension)
    Q = np.random.default_rng(seed).standard_normal((dimension, dimension))
    assert model.off_manifold(Q) > 0.1
    assert model.off_manifold(model.gradient(Q)) <= 4e-15


@pytest.mark.parametrize("setting", SMALL.values(), ids=SMALL)
def test_rotating_the_basis_changes_no_correlation(setting):
    first, *others = (dy.FiniteTransformer(setting, seed, dimension=15).train(0.5, 60, every=20) for seed in (0, 1, 2))
    assert largest(first.fp[-1]) > 0.1
    for other in others:
        assert largest(first.model.positions - other.model.positions) > 0.1
        for name in ("fp", "pp", "losses"):
            assert largest(getattr(first, name) - getattr(other, name)) <= 1e-12


def test_cutting_the_population_into_chunks_changes_nothing(monkeypatch):
    whole = [dy.FiniteTransformer(THREE, basis=basis) for basis in BASES]
    Q = state(whole[1])
    expected = [model.loss_and_gradient(model.to_basis(Q)) for model in whole]
    monkeypatch.setattr(samples, "CHUNK", 7)
    monkeypatch.setattr(transformer, "MOST_STORED", 0)
    for basis, (loss, gradient) in zip(BASES, expected, strict=True):
        model = dy.FiniteTransformer(THREE, basis=basis)
        assert model.loss(model.to_basis(Q)) == pytest.approx(loss, rel=1e-14, abs=0)
        assert largest(model.gradient(model.to_basis(Q)) - gradient) <= 1e-15


@pytest.mark.parametrize("basis", BASES)
def test_the_sampled_loss_and_gradient_are_unbiased(basis):
    model = dy.FiniteTransformer(TWO, seed=1, basis=basis)
    Q = model.to_basis(state(model))
    loss, gradient = model.loss_and_gradient(Q)
    draws = [model.loss_and_gradient(Q, samples=20) for _ in range(1500)]
    for values, expected in ((np.array([one for one, _ in draws]), loss), (np.array([g for _, g in draws]), gradient)):
        error = np.abs(values.mean(axis=0) - expected)
        assert (error <= 4.5 * values.std(axis=0) / np.sqrt(len(draws)) + 1e-16).all()


def test_the_sampled_gradient_errs_by_one_over_the_root_of_the_samples():
    model = dy.FiniteTransformer(THREE, basis="coordinates")
    Q = state(model)
    gradient, samples = model.gradient(Q), np.array([16, 64, 256, 1024, 4096])
    error = [np.sqrt(np.mean([(model.gradient(Q, n) - gradient) ** 2 for _ in range(60)])) for n in samples]
    slope = np.polyfit(np.log(samples), np.log(error), 1)[0]
    assert -0.55 <= slope <= -0.45


def test_the_same_seed_draws_the_same_samples():
    one, same, other = (dy.FiniteTransformer(WIDE, seed, basis="coordinates") for seed in (3, 3, 4))
    first = one.gradient(one.initial, samples=5)
    assert (same.gradient(one.initial, samples=5) == first).all()
    assert (other.gradient(one.initial, samples=5) != first).any()
    assert (one.gradient(one.initial, samples=5) != first).any()


@pytest.mark.parametrize("samples", [None, 9])
@pytest.mark.parametrize("basis", BASES)
def test_a_training_continued_is_the_training_unbroken(basis, samples):
    whole = dy.FiniteTransformer(ONE, basis=basis).train(0.3, 17, samples, every=5)
    model = dy.FiniteTransformer(ONE, basis=basis)
    first = model.train(0.3, 10, samples, every=5)
    second = model.train(0.3, 7, samples, every=5, start=first)
    assert whole.t.tolist() == [*first.t.tolist(), *second.t.tolist()[1:]]
    for name in ("fp", "pp", "losses"):
        assert (getattr(whole, name) == np.concatenate([getattr(first, name), getattr(second, name)[1:]])).all()
    assert (whole.Q == second.Q).all()
    assert whole.steps == second.steps == 17


def test_a_training_starts_from_any_state_and_may_have_no_step():
    model = dy.FiniteTransformer(ONE)
    Q = model.to_basis(state(model))
    still = model.train(0.1, 0, start=Q)
    assert still.t.tolist() == [0.0]
    assert (still.Q == Q).all()
    once = model.train(0.1, 1, start=Q)
    assert largest(once.Q - (Q - 0.1 * model.gradient(Q))) == 0
    assert once.losses.sum(axis=1) == pytest.approx([model.loss(Q), model.loss(once.Q)], rel=1e-14, abs=0)


def test_every_says_which_steps_are_recorded_and_the_last_always_is():
    training = dy.FiniteTransformer(ONE, basis="coordinates").train(0.5, 7, every=3)
    assert training.t.tolist() == [0.0, 1.5, 3.0, 3.5]
    assert training.fp.shape == (4, 8, 3)
    assert training.pp.shape == (4, 8, 8)
    assert largest(training.fp[-1] - training.Q[:8, 8:]) == 0


@pytest.mark.parametrize("setting", SMALL.values(), ids=SMALL)
def test_merged_correlations_of_a_population_training_are_equal(setting):
    training = dy.FiniteTransformer(setting).train(0.5, 100, every=50)
    for query in range(setting.geometry.patches):
        curve = training.of(query)
        assert largest(curve.y[:, -1]) > 0.1
        assert largest(curve.spread) <= 1e-13
        assert curve.multiplicity.sum() == setting.geometry.patches + sum(setting.geometry.areas)


def test_merged_correlations_of_a_sampled_training_are_averaged():
    training = dy.FiniteTransformer(ONE, basis="coordinates").train(0.5, 20, samples=30, every=20)
    curve = training.of("local")
    assert curve.names == ("fp.target", "fp.global", "fp.other", "pp.target", "pp.global", "pp.other", "pp.self")
    last = training.pp[-1, 4]
    assert curve["pp.self"][-1] == last[4]
    assert curve["pp.target"][-1] == last[5]
    assert curve["pp.global"][-1] == pytest.approx(last[:4].mean(), rel=1e-13, abs=0)
    assert curve.spread[4, -1] == pytest.approx(last[:4].std(), rel=1e-13, abs=0)
    assert curve.spread[4, -1] > 1e-3
    assert curve["fp.other"][-1] == training.fp[-1, 4, 2]
    assert training.of("global")["pp.self"][-1] == training.pp[-1, 0, 0]
    assert (curve.loss == training.losses[:, 4]).all()


@given(settings_of_learning(), st.integers(0, 99))
def test_attention_sums_to_one(setting, seed):
    model = dy.FiniteTransformer(setting, basis="coordinates")
    training = model.train(0.5, 2, samples=5, start=state(model, 3.0, seed))
    for query in range(setting.geometry.patches):
        attention = training.of(query).attention
        assert {"target", "masked", "self"} <= attention.keys()
        assert largest(sum(attention.values()) - 1) <= 1e-14
        assert all((values >= 0).all() for values in attention.values())


def test_attention_is_the_softmax_at_the_mean_counts():
    setting = dy.Setting(dy.Geometry.single_cluster(4, 2, 2), latent=1.5, mask_ratio=0.4)
    model = dy.FiniteTransformer(setting, basis="coordinates")
    training = model.train(0.1, 0, start=state(model))
    (fp,), (pp,) = training.fp[:, 5], training.pp[:, 5]
    unmasked = 5 / 7
    mass = unmasked * np.exp(pp + 1.5 * fp[[0, 0, 0, 0, 1, 1, 2, 2]])
    own, others = np.exp(pp[5]), np.arange(8) != 5
    expected = {"target": mass[4], "global": mass[:4].sum(), "other": mass[6:].sum(), "self": own}
    expected["masked"] = (1 - unmasked) * np.exp(pp[others]).sum()
    attention = training.of(5).attention
    assert attention.keys() == expected.keys()
    for name, value in expected.items():
        assert attention[name] == pytest.approx([value / sum(expected.values())], rel=1e-13, abs=0)


def test_attention_averages_over_the_latents_of_target_and_global_and_mixes_those_of_the_others():
    values, weights = [0.5, 2.0], [0.3, 0.7]
    setting = dy.Setting(dy.Geometry.single_cluster(3, 2, 2), latent=(values, weights), mask_ratio=0.45)
    model = dy.FiniteTransformer(setting, basis="coordinates")
    training = model.train(0.1, 0, start=state(model))
    (fp,), (pp,) = training.fp[:, 3], training.pp[:, 3]
    unmasked, key, target = 4 / 6, np.exp(pp), 0.0
    other = key[5:].sum() * (0.3 * math.exp(0.5 * fp[2]) + 0.7 * math.exp(2.0 * fp[2]))
    for (z_target, p), (z_global, q) in itertools.product(zip(values, weights, strict=True), repeat=2):
        mass = [key[4] * math.exp(z_target * fp[1]), key[:3].sum() * math.exp(z_global * fp[0]), other]
        rest = (1 - unmasked) * (key.sum() - key[3]) + key[3]
        target += p * q * unmasked * mass[0] / (unmasked * sum(mass) + rest)
    assert training.of(3).attention["target"] == pytest.approx([target], rel=1e-13, abs=0)


def test_progress_is_shown_where_it_is_asked_for(capsys, monkeypatch):
    monkeypatch.setattr("derivations._progress.FIRST", 0.0)
    train()
    assert capsys.readouterr().err == ""
    train(progress=True)
    assert capsys.readouterr().err.startswith("training: 1 of ")


def test_a_long_training_in_the_random_basis_says_once_what_is_faster(capsys, monkeypatch):
    monkeypatch.setattr(transformer, "_said", [])
    dy.FiniteTransformer(WIDE).train(0.5, 2, samples=1)  # short
    monkeypatch.setattr(transformer, "LONG", 0.0)
    dy.FiniteTransformer(WIDE, basis="coordinates").train(0.5, 2, samples=1)
    dy.FiniteTransformer(ONE).train(0.5, 2, samples=1)  # at few patches the bases are about as fast
    assert capsys.readouterr().err == ""
    for _ in range(2):
        dy.FiniteTransformer(WIDE).train(0.5, 2, samples=1)
    (line,) = capsys.readouterr().err.splitlines()
    faster = 'basis="coordinates" gives the same numbers, to rounding, 10 to 40 times as fast'
    assert line == f'basis="random" will take some 0.00057 s: {faster}'


@pytest.mark.parametrize(
    ("setting", "samples", "steps", "said"),
    [
        (WIDE, 256, 1000, True),
        (dy.Setting(dy.Geometry.single_cluster(98, 7, 14)), 64, 100, True),
        (dy.Setting(dy.Geometry.single_cluster(98, 7, 14)), 16, 20, False),
        (WIDE, 16, 100, False),
        (ONE, 10_000, 100_000, False),
    ],
)
def test_what_is_long_is_estimated_before_it_is_begun(monkeypatch, setting, samples, steps, said):
    monkeypatch.setattr(transformer, "_said", [])
    dy.FiniteTransformer(setting)._say_what_is_faster(steps, samples)
    assert bool(transformer._said) == said


def test_a_training_that_leaves_the_finite_numbers_says_when_and_keeps_what_came_before():
    model = dy.FiniteTransformer(dy.Setting(dy.Geometry.single_cluster(3, 2, 1), latent=40.0))
    with pytest.raises(TrainingDiverged, match=r"not finite after 1 steps of step_size=1e\+308") as failure:
        model.train(1e308, 5)
    assert failure.value.training.t.tolist() == [0.0]
    assert np.isfinite(failure.value.training.Q).all()


def test_a_training_says_what_made_it(tmp_path):
    training = dy.FiniteTransformer(TWO, seed=7, dimension=16).train(0.25, 3, samples=np.int64(4))
    path = training.of(2).save(tmp_path / "training.npz")
    made = dy.load(path).provenance
    expected = {"kind": "training", "exactness": "sampled", "query": 2, "samples": 4, "seed": 7, "basis": "random"}
    assert made.items() >= (expected | {"step_size": 0.25, "steps": 3, "dimension": 16}).items()
    assert made["versions"]["numpy"] == np.__version__
    assert made["labels"] == TWO.geometry.area_of.tolist()
    exact = dy.FiniteTransformer(ONE).train(0.25, 0).of("local").provenance
    assert json.loads(json.dumps(exact))["exactness"] == "exact"


def train(setting=ONE, **arguments):
    return dy.FiniteTransformer(setting).train(**({"step_size": 0.1, "steps": 1} | arguments))


BAD = {
    "geometry": (lambda: dy.FiniteTransformer(dy.Setting(dy.Geometry.scaling(3, 0.9, 0.3))), "geometry='scaling'"),
    "seed": (lambda: dy.FiniteTransformer(ONE, seed=-1), "seed=-1: expected a whole number, 0 or more"),
    "dimension": (
        lambda: dy.FiniteTransformer(ONE, dimension=10),
        "dimension=10: expected a whole number in .11, 16384.",
    ),
    "basis": (
        lambda: dy.FiniteTransformer(ONE, basis="fourier"),
        "basis='fourier': expected 'random' or 'coordinates'",
    ),
    "threads": (lambda: dy.FiniteTransformer(ONE, threads=0), r"threads=0: expected a whole number in \[1, 1024\]"),
    "half a thread": (lambda: dy.FiniteTransformer(ONE, threads=1.5), r"threads=1.5: expected a whole number in"),
    "shape": (lambda: dy.FiniteTransformer(ONE).loss(np.zeros(3)), r"Q.shape=\(3,\): expected \(11, 11\)"),
    "finite": (
        lambda: dy.FiniteTransformer(ONE).gradient(np.full((11, 11), np.nan)),
        r"Q=\[nan, nan, nan\]: expected finite numbers",
    ),
    "scores": (
        lambda: dy.FiniteTransformer(ONE).loss(np.full((11, 11), 1e308)),
        r"max \|Q\|=1e\+308: expected so small",
    ),
    "population": (lambda: dy.FiniteTransformer(WIDE).loss(np.zeros((69, 69))), r"samples=None: expected .* 10\^18\.3"),
    "untrainable": (lambda: train(WIDE), r"samples=None: expected a number of samples: 10\^18\.3 masks"),
    "no samples": (lambda: train(samples=0), "samples=0: expected a whole number in .1, 10"),
    "half a sample": (lambda: train(samples=0.5), "samples=0.5: expected a whole number in .1, 10"),
    "step size": (lambda: train(step_size=0), "step_size=0: expected a finite number > 0"),
    "infinite": (lambda: train(step_size=math.inf), "step_size=inf: expected a finite number > 0"),
    "words": (lambda: train(step_size="small"), "step_size='small': expected a finite number > 0"),
    "steps": (lambda: train(steps=-1), "steps=-1: expected a whole number in .0, 10"),
    "every": (lambda: train(every=0), "every=0: expected a whole number, 1 or more"),
    "records": (lambda: train(steps=10**9), "every=1: expected more: the records would take .* GiB"),
    "start": (lambda: train(start=np.zeros((2, 2))), r"Q.shape=\(2, 2\): expected \(11, 11\)"),
    "stranger": (lambda: train(start=train()), "start='Training': expected one of this model"),
    "query": (lambda: train().of(8), "query=8: expected .*a whole number in .0, 7."),
    "word": (lambda: train().of("middle"), "query='middle': expected"),
}


@pytest.mark.parametrize(("call", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_with_one_clear_error(call, message):
    with pytest.raises(ValueError, match=message):
        call()
