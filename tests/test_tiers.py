"""Plain or compiled: which a call runs in, and that no one can tell by the result."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import dynamics as dy
from dynamics import compiled, moments, tiers
from tests.settings import TWO, WIDE

RULE = SimpleNamespace(weight=np.ones(1), fp=np.zeros(3))


def tiered(plain, **functions):
    """A part whose compiled functions say so, with the list of what was loaded."""
    loaded = []

    def load(which):
        loaded.append("compiled" if which else "plain")
        return SimpleNamespace(**{name: (lambda *given: "compiled") if which else plain for name in functions})

    return tiers.Tiered(load), loaded


def plain(*given):
    return "plain"


def test_little_work_is_done_by_plain_code():
    part, loaded = tiered(plain, rate_and_loss=None)
    assert {part.rate_and_loss(np.zeros(7), RULE) for _ in range(100)} == {"plain"}
    assert set(loaded) == {"plain"}


def test_once_plain_code_has_taken_as_long_as_loading_takes_the_compiled_is_loaded(monkeypatch):
    clock = iter(np.arange(0.0, 100.0, 0.2))
    monkeypatch.setattr(tiers.time, "perf_counter", lambda: next(clock))
    part, loaded = tiered(plain, rate_and_loss=None, descend=None)
    found = [part.rate_and_loss(np.zeros(7), RULE) for _ in range(6)]
    assert found == ["plain"] * 3 + ["compiled"] * 3
    assert loaded.count("compiled") == 1
    assert part.descend(np.zeros(7), RULE, 0.1, 1, 1) == "compiled"


def test_where_nothing_is_compiled_yet_more_plain_code_comes_first(monkeypatch, tmp_path):
    monkeypatch.setenv("ATTENTION_DYNAMICS_CACHE", str(tmp_path))
    assert compiled._worth("rows") == tiers.COMPILING
    (tmp_path / f"rows_{compiled._fingerprint()}.compiled").touch()
    assert compiled._worth("rows") == tiers.LOADING
    clock = iter(np.arange(0.0, 100.0, 0.2))
    monkeypatch.setattr(tiers.time, "perf_counter", lambda: next(clock))
    part = tiers.Tiered(lambda which: SimpleNamespace(rate_and_loss=lambda *_: which), lambda: 1.1)
    assert [part.rate_and_loss(np.zeros(7), RULE) for _ in range(7)] == [False] * 6 + [True]


LONG = {
    "many samples": ("rate_and_loss", np.zeros(7), SimpleNamespace(weight=np.ones(100_000), fp=np.zeros(3))),
    "many states": ("mean_attention", np.zeros((7, 100_000)), RULE, 0),
    "many steps": ("descend_3", np.zeros(7), RULE, 0.1, 100_000, 1),
    "a large Jacobian": ("jacobian", np.zeros(5000), SimpleNamespace(weight=np.ones(1), fp=np.zeros(2500))),
    "many rays": (
        "rate_and_loss_second_order",
        np.zeros(7),
        SimpleNamespace(centre=RULE, row=np.zeros(100_000), fp=np.zeros(3)),
    ),
    "steps that are bounded": ("march", np.zeros((8, 1)), RULE, None, None, (0.4, 1e-4), (1e-9, 1e-11), 1, False),
}


@pytest.mark.parametrize("which", LONG)
def test_what_would_take_long_is_compiled_at_once(which):
    name, *given = LONG[which]
    part, loaded = tiered(plain, **{name: None})
    assert getattr(part, name)(*given) == "compiled"
    assert loaded == ["compiled"]


def test_compiled_code_that_is_loaded_is_used_at_once(monkeypatch):
    part, loaded = tiered(plain, rate_and_loss=None)
    part.use_compiled()
    assert part.rate_and_loss(np.zeros(7), RULE) == "compiled"
    assert loaded == ["compiled"]
    compiled.kernel(True)
    monkeypatch.setattr(compiled.kernel(False), "rate_and_loss", lambda *_: pytest.fail("plain"))
    monkeypatch.setattr(compiled, "_load", lambda *_: pytest.fail("loaded"))
    system = dy.reduce(TWO, 0, "mean-field")
    count = len(compiled.kernel(True).rate_and_loss.signatures)
    system.rate(system.initial)
    assert len(compiled.kernel(True).rate_and_loss.signatures) >= max(count, 1)


@pytest.mark.parametrize("error", [ZeroDivisionError, OverflowError, ValueError])
def test_where_python_raises_compiled_code_answers(error):
    def refuses(*given):
        raise error

    part, _ = tiered(refuses, rate_and_loss=None)
    assert part.rate_and_loss(np.zeros(7), RULE) == "compiled"


def test_plain_code_warns_no_more_than_compiled_code():
    part, _ = tiered(lambda y, rule: y / np.zeros(7), rate_and_loss=None)
    assert np.isnan(part.rate_and_loss(np.zeros(7), RULE)).all()


@pytest.mark.parametrize("part", ["nodes", "slopes", "terms"])
def test_what_does_not_agree_to_the_bit_is_never_plain_unless_asked_for(part, monkeypatch):
    asked = []
    monkeypatch.setattr(compiled, "_found_or_made", lambda which, part: asked.append((which, part)))
    compiled.kernel(None, part)
    assert asked == [(True, part)]


@pytest.mark.parametrize("latent", [1.0, ([0.5, 1.2], [0.3, 0.7])], ids=["one value", "two values"])
def test_a_solve_has_the_same_bits_in_either_tier(latent):
    setting = dy.Setting(dy.Geometry.scaling(8, 0.9, 0.3), latent)
    plain, compiled_ = (
        moments.moments(dy.reduce(setting, "local", "mean-field", compiled=which), 0.5, 1e-6) for which in (False, True)
    )
    assert np.array_equal(plain, compiled_, equal_nan=True)


def test_a_flow_has_the_same_bits_in_either_tier():
    plain, compiled_ = (
        dy.integrate(dy.reduce(WIDE, "local", "mean-field", compiled=which), until=("target", 0.5))
        for which in (False, True)
    )
    assert np.array_equal(plain.y, compiled_.y)
    assert np.array_equal(plain.loss, compiled_.loss)
    assert np.array_equal(plain.log_t, compiled_.log_t)


def test_a_first_answer_needs_neither_numba_nor_sympy():
    compiled.kernel(False)
    compiled.kernel(False, "logs")
    compiled.kernel(False, "steps")
    program = (
        "import sys, dynamics as dy;"
        "S = dy.reduce(dy.Setting(dy.Geometry.single_cluster(40, 6, 4)), 'local', 'mean-field');"
        "dy.integrate(S, until=('target', 0.5)); dy.half_time(S);"
        "dy.half_time(dy.reduce(dy.Setting(dy.Geometry.scaling(10, 0.98, 0.3)), 'local', 'mean-field'));"
        "print(*{'numba', 'sympy'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.split() == []
    assert done.stderr == ""
