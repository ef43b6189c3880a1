"""The reduction against the finite transformer: one derived by SymPy, one trained by back-propagation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dynamics as dy
from tests.settings import ONE, SMALL
from tests.strategies import settings_of_learning

STEP, STEPS = 0.5, 1000


@pytest.fixture(scope="module", params=SMALL)
def trained(request):
    setting = SMALL[request.param]
    return setting, dy.FiniteTransformer(setting, basis="coordinates").train(STEP, STEPS)


def test_a_thousand_steps_of_descent_are_those_of_the_transformer(trained):
    setting, training = trained
    for query in range(setting.geometry.patches):
        steps = dy.descend(dy.reduce(setting, query), STEP, STEPS)
        curve = training.of(query)
        assert dy.compare(steps, curve, tolerance=1e-12).agrees
        assert np.abs(steps.loss - curve.loss).max() <= 1e-12
        assert np.abs(curve.spread).max() <= 1e-12
    assert np.abs(training.fp).max() > 0.5


def test_attention_read_off_is_that_of_the_transformer(trained):
    setting, training = trained
    for query in range(setting.geometry.patches):
        system, curve = dy.reduce(setting, query), training.of(query)
        expected = system.attention(curve.y[:, -1])
        assert {name: values[-1] for name, values in curve.attention.items()} == pytest.approx(expected, abs=1e-12)


SCALES = st.sampled_from([0.3, 1.0, 3.0])


@settings(max_examples=25)
@given(settings_of_learning(most_patches=6), st.integers(0, 2**32 - 1), SCALES)
def test_rates_and_losses_are_those_of_the_transformer_at_any_state_of_the_reduction(setting, seed, scale):
    rates_and_losses_agree(setting, seed, scale)


@pytest.mark.slow
@settings(max_examples=400)
@given(settings_of_learning(most_patches=8, most_areas=4), st.integers(0, 2**32 - 1), SCALES)
def test_rates_and_losses_are_those_of_the_transformer_in_hundreds_of_settings(setting, seed, scale):
    rates_and_losses_agree(setting, seed, scale)


def rates_and_losses_agree(setting, seed, scale):
    generator = np.random.default_rng(seed)
    model = dy.FiniteTransformer(setting, seed=seed % 1000)
    patches, features = setting.geometry.patches, sum(setting.geometry.areas)
    systems = [dy.reduce(setting, query) for query in range(patches)]
    states = [scale * generator.standard_normal(len(system.names)) for system in systems]
    Q = np.zeros((patches + features, patches + features))
    for query, (system, y) in enumerate(zip(systems, states, strict=True)):
        expanded = system.expand(y)
        Q[query] = np.concatenate([expanded["pp"], *expanded["fp"]])
    loss, gradient = model.loss_and_gradient(model.to_basis(Q))
    assert model.off_manifold(gradient) <= 1e-13
    fp, pp = model.correlations(gradient)
    for query, (system, y) in enumerate(zip(systems, states, strict=True)):
        rate = system.expand(system.rate(y))
        assert np.abs(np.concatenate(rate["fp"]) + fp[query]).max() <= 1e-12
        assert np.abs(rate["pp"] + pp[query]).max() <= 1e-12
    assert sum(system.loss(y) for system, y in zip(systems, states, strict=True)) == pytest.approx(loss, abs=1e-12)


def test_the_independent_witness_agrees_too():
    training = dy.FiniteTransformer(ONE, seed=3, dimension=20).train(STEP, 200)
    for query in range(ONE.geometry.patches):
        assert dy.compare(dy.descend(dy.reduce(ONE, query), STEP, 200), training.of(query), tolerance=1e-12).agrees


def test_the_flow_is_what_training_approaches_as_steps_shrink():
    system = dy.reduce(ONE, "local")
    gaps = []
    for steps in (50, 100, 200):
        training = dy.FiniteTransformer(ONE, basis="coordinates").train(100.0 / steps, steps).of("local")
        flow = dy.integrate(system, t_end=100.0, t_eval=training.t, rtol=1e-11, atol=1e-13)
        gaps.append(dy.compare(flow, training).largest)
    assert np.polyfit(np.log([2.0, 1.0, 0.5]), np.log(gaps), 1)[0] == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("step_size", [1e2, 1e5])
def test_descent_is_that_of_the_transformer_at_any_step_size(step_size):
    training = dy.FiniteTransformer(SMALL["three"], basis="coordinates").train(step_size, 20)
    assert np.abs(training.fp).max() > 5
    for query in range(6):
        steps, curve = dy.descend(dy.reduce(SMALL["three"], query), step_size, 20), training.of(query)
        assert np.abs(steps.y - curve.y).max() <= 1e-12 * np.abs(curve.y).max()
