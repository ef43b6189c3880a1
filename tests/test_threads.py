"""Threads of the transformer: the same bits, however many; nothing is left behind, nothing is swallowed."""

import copy
import pickle
import threading

import numpy as np
import pytest

import dynamics as dy
from dynamics import transformer
from dynamics.samples import in_order, pool_of
from tests.settings import ONE, SMALL, TWO

BASES = ["random", "coordinates"]
MANY = 3000  # samples: several blocks in either basis


def models(setting, basis, threads=(1, 2, 5)):
    return [dy.FiniteTransformer(setting, seed=1, basis=basis, threads=n) for n in threads]


def some(model, scale=1.0):
    return model.to_basis(scale * np.random.default_rng(0).standard_normal((model.dimension,) * 2))


@pytest.mark.parametrize("samples", [None, MANY])
@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize("setting", SMALL.values(), ids=SMALL)
def test_threads_change_no_bit_of_a_gradient(setting, basis, samples):
    alone, *others = models(setting, basis)
    loss, gradient = alone.loss_and_gradient(some(alone), samples)
    for model in others:
        loss_2, gradient_2 = model.loss_and_gradient(some(model), samples)
        assert loss_2 == loss
        assert (gradient_2 == gradient).all()


@pytest.mark.parametrize("samples", [None, MANY])
@pytest.mark.parametrize("basis", BASES)
def test_threads_change_no_bit_of_a_training(basis, samples):
    alone, threaded = (model.train(0.5, 6, samples, every=2) for model in models(TWO, basis, (1, 2)))
    assert np.abs(alone.Q).max() > 0.01
    for name in ("t", "fp", "pp", "losses", "Q"):
        assert (getattr(alone, name) == getattr(threaded, name)).all()


@pytest.mark.parametrize("basis", BASES)
def test_the_samples_are_several_blocks(basis, monkeypatch):
    (model,), seen = models(TWO, basis, (1,)), []

    def one_by_one(function, blocks, pool, threads):
        for block in blocks:
            seen.append(block)
            yield function(block)

    monkeypatch.setattr(transformer, "in_order", one_by_one)
    model.gradient(model.initial, samples=MANY)
    assert len(seen) > 4


def test_a_model_leaves_no_thread_behind_and_can_be_pickled_and_copied():
    (model,) = models(ONE, "coordinates", (3,))
    before, Q = threading.active_count(), some(model)
    gradient = model.gradient(Q)
    model.train(0.1, 2)
    assert threading.active_count() == before
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert other.threads == 3
        assert (other.gradient(Q) == gradient).all()


@pytest.mark.parametrize("basis", BASES)
def test_scores_that_overflow_in_a_thread_are_refused_without_a_warning(basis):
    (model,) = models(ONE, basis, (2,))
    with pytest.raises(ValueError, match=r"max \|Q\|=1e\+308: expected so small"):
        model.loss(np.full((11, 11), 1e308))


def test_results_come_in_order_and_only_a_few_blocks_are_taken_ahead():
    taken = []
    with pool_of(2) as pool:
        results = in_order(lambda i: i**2, (taken.append(i) or i for i in range(50)), pool, 2)
        for i, result in enumerate(results):
            assert result == i**2
            assert len(taken) <= i + 6
    assert len(taken) == 50


def test_what_fails_in_a_thread_is_raised():
    with pool_of(2) as pool, pytest.raises(ZeroDivisionError):
        list(in_order(lambda i: 1 / i, [2, 1, 0, 1], pool, 2))
