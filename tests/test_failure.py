"""A solve that failed: how far it came, what drove it there, and how stiff it was."""

import math
import pickle
import time

import numpy as np
import pytest

import dynamics as dy
from tests.settings import WIDE

SYSTEM = dy.reduce(WIDE, "local", "mean-field")
STRONG = dy.reduce(dy.Setting(WIDE.geometry, 20.0), "local", "mean-field")
FAR = dy.reduce(dy.Setting(dy.Geometry.scaling(400, 0.98, 0.3)), "local", "mean-field")


def failed(call, said):
    with pytest.raises(dy.IntegrationError, match=said) as caught:
        call()
    return caught.value


FAILURES = {
    "collapse": (
        lambda: dy.integrate(FAR, until=("target", 0.5), variable="log-time", method="RK45"),
        "[Ss]tep size is less than spacing",
    ),
    "far": (lambda: dy.integrate(FAR, until=("target", 0.5), time_limit=1e-9), "time_limit=1e-09: over"),
    "never": (lambda: dy.integrate(SYSTEM, until=("masked", 0.9)), "until=.*: not reached; the attention goes from"),
    "time": (lambda: dy.integrate(SYSTEM, t_end=9.0, time_limit=1e-9), "time_limit=1e-09: over before the end"),
    "descent": (lambda: dy.descend(STRONG, 1e307, 5), "the state is not finite after 1 steps"),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_it_carries_the_curve_the_last_good_state_and_what_drives_it_there(kind):
    call, said = FAILURES[kind]
    error = failed(call, said)
    assert "\n" not in str(error)
    curve, system = error.trajectory, error.system
    assert np.isfinite(curve.y).all()
    assert np.array_equal(error.state, curve.y[:, -1])
    assert (error.t, error.log_t) == (curve.t[-1], curve.log_t[-1])
    rate = dict(zip(system.names, system.rate(error.state), strict=True))
    for name, terms in error.terms.items():
        assert sum(terms.values()) == pytest.approx(rate[name], rel=1e-9, abs=1e-300)
    if system is FAR:
        assert np.isnan(error.eigenvalues).all()  # P = 10⁴⁰⁰: there is no Jacobian in floats
    else:
        found = np.linalg.eigvals(system.jacobian(error.state))
        assert np.abs(found.imag).max() <= 1e-12 * np.abs(found).max()  # a gradient flow
        np.testing.assert_allclose(error.eigenvalues, np.sort(found.real), rtol=1e-10, atol=1e-16)
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert np.array_equal(again.state, error.state)


def test_a_rate_that_is_no_number_ends_the_curve_before_it(monkeypatch):
    system = dy.reduce(WIDE, "local", "mean-field")
    rate = dy.System.rate
    monkeypatch.setattr(dy.System, "rate", lambda self, y: rate(self, y) * (math.nan if y[0] > 0.2 else 1.0))
    error = failed(lambda: dy.integrate(system, t_end=50.0, variable="time"), "[Ss]tep size is less than spacing")
    assert error.state[0] == pytest.approx(0.2, abs=1e-6)
    assert np.isfinite(error.trajectory.y).all()


def test_a_time_limit_is_kept_and_the_curve_is_that_of_the_whole(monkeypatch):
    system, rate = dy.reduce(WIDE, "local", "mean-field"), dy.System.tangent

    def slow(self, log_t, y):
        time.sleep(2e-3)
        return rate(self, log_t, y)

    whole = dy.integrate(system, until=("target", 0.5))
    monkeypatch.setattr(dy.System, "tangent", slow)
    started = time.monotonic()
    error = failed(lambda: dy.integrate(system, until=("target", 0.5), time_limit=0.3), "time_limit=0.3")
    assert time.monotonic() - started < 20.0
    reached = len(error.trajectory.t)
    assert 2 < reached < len(whole.t)
    assert np.array_equal(error.trajectory.y, whole.y[:, :reached])


def test_a_time_limit_that_is_not_reached_changes_nothing():
    flow = dy.integrate(SYSTEM, until=("target", 0.5), time_limit=600.0, progress=True)
    assert np.array_equal(flow.y, dy.integrate(SYSTEM, until=("target", 0.5)).y)
