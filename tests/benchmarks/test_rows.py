"""What a person waits for, a row each: beside its peers or its floor, interleaved in one process, errors beside times.

Errors are against solves at 1e-13. Nothing is asserted on time. Peers that are not installed are left out.
"""

import importlib.util
import json
import math
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import dynamics as dy
from dynamics import many, samples
from dynamics.compiled import kernel
from tests.benchmarks import gradients, peers
from tests.settings import WIDE

pytestmark = [pytest.mark.benchmark(group="rows"), pytest.mark.filterwarnings("ignore")]


def has(*names):
    return all(importlib.util.find_spec(name) for name in names)


def shortest(calls, seconds=1.0):
    """Shortest time of each call, taken in turns of some calls until each has had so many seconds; one where that is 0.

    Some at a time, because what comes after a large call finds its memory gone from the cache.
    """
    best = dict.fromkeys(calls, math.inf)
    for call in calls.values():
        call()
    started = time.perf_counter()
    while time.perf_counter() - started < seconds * len(calls) or math.inf in best.values():
        for name, call in calls.items():
            turn = time.perf_counter()
            while True:
                before = time.perf_counter()
                call()
                now = time.perf_counter()
                best[name] = min(best[name], now - before)
                if now - turn > seconds / 20:
                    break
    return best


def listed(best, unit=1e6, each=1, name="µs"):
    """Ours, and how many times as long every other takes."""
    ours = best.pop("ours")
    ratios = ", ".join(f"{peer} {value / ours:.3g} ×" for peer, value in best.items())
    return f"{ours * unit / each:.3g} {name}; {ratios}"


# --- a fresh process ---


SETTING = "dy.Setting(dy.Geometry.single_cluster(40, 6, 4))"
FLOW = f"import dynamics as dy; dy.integrate(dy.reduce({SETTING}, 'local', 'mean-field'), until=('target', 0.5))"
HALF_TIME = f"import dynamics as dy; dy.half_time(dy.reduce({SETTING}, 'local', 'mean-field'))"
FLOOR = "import numpy, scipy.integrate"


def in_fresh_processes(benchmark, programs, rounds=9):
    """Shortest seconds that each program takes inside a new interpreter, in turns."""
    best = dict.fromkeys(programs, math.inf)
    for _ in range(rounds if benchmark.enabled else 1):
        for program in programs:
            timed = f"import time; t = time.perf_counter(); {program}; print(time.perf_counter() - t)"
            done = subprocess.run([sys.executable, "-c", timed], capture_output=True, encoding="utf-8", check=True)
            best[program] = min(best[program], float(done.stdout))
    return best.values()


@pytest.mark.slow
def test_import(benchmark, row):
    ours, numpy = in_fresh_processes(benchmark, ["import dynamics", "import numpy"])
    benchmark(lambda: None)
    row("`import dynamics`", "≤ 1.5 × NumPy", f"{ours / numpy:.2f} × NumPy ({numpy * 1e3:.0f} ms)")


@pytest.mark.slow
def test_first_answers(benchmark, row):
    in_fresh_processes(benchmark, [FLOW, HALF_TIME], rounds=1)
    flow, half, floor, numpy = in_fresh_processes(benchmark, [FLOW, HALF_TIME, FLOOR, "import numpy"])
    benchmark(lambda: None)
    row("first answer, warm cache: one trajectory", "≤ 1.2 × floor", f"{flow / floor:.2f} × floor ({floor:.2f} s)")
    row("first answer, warm cache: `half_time`", "≤ NumPy + .15 s", f"NumPy + {half - numpy:.2f} s")


@pytest.mark.slow
def test_first_answer_on_a_machine(benchmark, row, tmp_path, monkeypatch):
    times = []
    for i in range(3 if benchmark.enabled else 1):
        monkeypatch.setenv("ATTENTION_DYNAMICS_CACHE", str(tmp_path / str(i)))
        times.append([*in_fresh_processes(benchmark, [FLOW, FLOOR], rounds=1)])
    ours, floor = np.min(times, axis=0)
    benchmark(lambda: None)
    row("first answer, empty cache: one trajectory", "≤ 5 × floor", f"{ours / floor:.2f} × floor")


# --- solves ---


def scaled(log10_patches, kappa_c=0.98, kappa_s=0.3):
    return dy.reduce(dy.Setting(dy.Geometry.scaling(log10_patches, kappa_c, kappa_s)), "local", "mean-field")


def ours(systems, rtol, log_ends=None, lanes=True):
    """The compiled pair, prepared as the peers are: to given times, or to the half-time, which it has to find."""
    columns = np.stack([many._laned(system, 1.0)[1] for system in systems], axis=1)
    aim = many.Aim("target", 0.5 if log_ends is None else many.NEVER, 1.0, many.LAST_LOG_T)
    picks, kinds = many._view(systems[0], aim)
    kinds = kinds if log_ends is None else np.full_like(kinds, -1)  # which Φ leads is asked for with half-times
    last = np.full(len(systems), many.LAST_LOG_T) if log_ends is None else np.array(log_ends)
    aims = np.stack([np.full(len(systems), aim.level), last])
    steps = kernel(True, "steps")
    march, width = (steps.march_wide_3, many.WIDTH) if lanes else (steps.march_3, 1)
    zero, tolerances, unbounded = np.zeros((7, len(systems))), (rtol, rtol / 100), (math.inf, math.inf)

    def run():
        starts = steps.begun_3(zero, columns, last - 7.0, rtol / 100)
        ends, said, _ = march(starts, columns, (columns, picks, kinds), aims, unbounded, tolerances, width, False)
        return ends[:, 1], said[:, 1]

    return run


def error_at(found, exact):
    return float((np.abs(found - exact) / np.maximum(1, np.abs(exact))).max())


@pytest.mark.parametrize("log10_patches", [3, 6])
def test_one_solve(benchmark, row, log10_patches):
    system = scaled(log10_patches)
    end = [dy.log_half_time(system) + math.log(100)]
    exact = dy.integrate(system, log_t_end=end[0], rtol=1e-13, atol=1e-15).y[:, -1]
    flow = peers.derived([system])
    calls = {"ours": ours([system], 1e-8, end, lanes=False)}
    calls["`solve_ivp` LSODA"] = peers.scipy_solver(flow, end, "LSODA", "log-time", 5e-10)
    if has("CyRK"):
        calls["CyRK"] = peers.cyrk_solver(flow, end)
    if has("heyoka"):
        calls["heyoka"] = peers.heyoka_solver(flow, end, variable="time" if log10_patches == 3 else "arc-length")
    if has("jax", "diffrax") and benchmark.enabled:
        calls["diffrax"] = peers.diffrax_solver(flow, end)
    errors = {name: error_at(np.ravel(call()[0])[:7], exact) for name, call in calls.items()}
    assert errors["ours"] < 2e-9
    benchmark(calls["ours"])
    row(
        f"one solve to 100 T, P = 10{'³' if log10_patches == 3 else '⁶'}",
        "LSODA ≥ 25 ×, CyRK and heyoka ≥ 1.7 ×",
        listed(shortest(calls, 1.0 if benchmark.enabled else 0)),
        ", ".join(f"{name} {error:.0e}" for name, error in errors.items()),
    )


def test_one_solve_at_any_size(benchmark, row):
    systems = {size: scaled(size) for size in (3, 30, 300)}
    calls, errors = {}, []
    for size, system in systems.items():
        end = dy.log_half_time(system) + math.log(100)
        exact = dy.integrate(system, log_t_end=end, rtol=1e-13, atol=1e-15).y[:, -1]
        calls[size] = ours([system], 1e-8, [end], lanes=False)
        errors.append(error_at(calls[size]()[0][0, :7], exact))
    assert max(errors) < 1e-8
    benchmark(calls[300])
    best = shortest(calls, 1.0 if benchmark.enabled else 0)
    measured = ", ".join(f"10^{size}: {best[size] / best[3]:.1f} ×" for size in (30, 300))
    row("the same at P = 10³⁰ and 10³⁰⁰", "≤ 4 × that at 10³", measured, ", ".join(f"{error:.0e}" for error in errors))


@pytest.mark.parametrize("log10_patches", [3, 6])
def test_a_sweep(benchmark, row, log10_patches):
    side, few = (100, 20) if benchmark.enabled else (4, 2)
    kappas = [(c, s) for c in np.linspace(0.51, 0.98, side) for s in np.linspace(0.02, 0.5, side)]
    systems = [scaled(log10_patches, *pair) for pair in kappas]
    chosen = systems[:: len(systems) // few]
    exact = np.array([dy.log_half_time(system, rtol=1e-13) for system in chosen])
    found = ours(systems, 1e-9)()[0][:, -1]
    fixed = list(found + math.log(100))
    calls = {"ours, to T": ours(systems, 1e-9), "ours, to 100 T": ours(systems, 1e-9, fixed)}
    few_times = [fixed[i] for i in range(0, len(systems), len(systems) // few)]
    loop = peers.scipy_solver(peers.derived(chosen), few_times, "LSODA", "log-time", 5e-10)
    if has("heyoka"):
        flow = peers.derived(systems)
        calls["heyoka's batches, to T"] = peers.heyoka_batches(flow, list(found))
        calls["heyoka's batches, to 100 T"] = peers.heyoka_batches(flow, fixed)
    benchmark.pedantic(calls["ours, to T"], rounds=1)
    best = shortest(calls, 2.0 if benchmark.enabled else 0)
    one = shortest({"loop": loop}, 0)["loop"] / len(chosen)
    each = {name: seconds / len(systems) for name, seconds in best.items()}
    error = np.abs(found[:: len(systems) // few] - exact).max()
    assert error < 3e-9
    measured = ", ".join(f"{name}: {seconds * 1e6:.3g} µs" for name, seconds in each.items())
    measured += f"; `solve_ivp` LSODA {one / each['ours, to 100 T']:.0f} ×"
    what = f"{len(systems):,} solves, P = 10{'³' if log10_patches == 3 else '⁶'}, one thread"
    row(what, "`solve_ivp` ≥ 150 ×, heyoka ≥ 1 ×", measured, f"log T: ours {error:.0e}")


def test_a_sweep_from_settings_to_a_table(benchmark, row):
    side = 100 if benchmark.enabled else 3
    grid = {"kappa_c": np.linspace(0.51, 0.98, side), "kappa_s": np.linspace(0.02, 0.5, side)}
    build = lambda kappa_c, kappa_s: scaled(6, kappa_c, kappa_s)  # noqa: E731
    table = benchmark.pedantic(dy.sweep, args=(build, grid, dy.half_time), rounds=1)
    assert not table["error"].any()
    best = shortest({"sweep": lambda: dy.sweep(build, grid, dy.half_time)}, 0)["sweep"]
    row("`dy.sweep` of 10,000 half-times", "", f"{best:.1f} s, most of it in `dy.reduce`")


# --- rates and gradients ---


EXACT = {"64": (40, 6, 4), "196": (98, 7, 14), "10⁴": (8320, 16, 105), "10⁶": (500_000, 500, 1000)}


@pytest.mark.parametrize("patches", EXACT)
def test_an_exact_rate_by_sum_or_integral(benchmark, row, patches):
    system = dy.reduce(dy.Setting(dy.Geometry.single_cluster(*EXACT[patches])), "local")
    states = np.zeros((len(system.names), 200 if benchmark.enabled else 1))
    losses = system.loop("losses")  # rate and loss of each state, without Python's call
    benchmark(losses, states, system.rule)
    best = shortest({"ours": lambda: losses(states, system.rule)}, 0.5 if benchmark.enabled else 0)["ours"]
    row(f"one exact rate, P = {patches}", "", f"{float(f'{best / states.shape[1] * 1e6:.3g}'):g} µs ({system.method})")


def test_a_gradient(benchmark, row):
    model = dy.FiniteTransformer(WIDE, basis="coordinates")
    Q = model.to_basis(np.random.default_rng(0).normal(scale=0.1, size=(model.dimension,) * 2))
    (drawn,) = samples.draw(model.setting, 256, np.random.default_rng(1))
    model._samples = lambda count: [drawn]
    calls = {"ours": lambda: model.gradient(Q, 256)}
    for name, prepare in gradients.PEERS.items():
        if has("jax") or "jax" not in name:
            gradient = prepare(model, drawn)
            np.testing.assert_allclose(gradient(Q), calls["ours"](), atol=1e-12)
            calls[name] = lambda gradient=gradient: gradient(Q)
    benchmark(calls["ours"])
    best = shortest(calls, 1.0 if benchmark.enabled else 0)
    measured = listed(best, 1e3, name="ms")
    row("one gradient, P = 64, 256 masks", "einsum ≥ 40 ×, JAX ≥ 5 ×", measured, "all within 1e-12")


# --- figures ---


@pytest.mark.slow
def test_the_figures(benchmark, row, tmp_path):
    import figures

    program = [
        sys.executable,
        "-m",
        "figures",
        *([] if benchmark.enabled else ["phases"]),
        "--quick",
        "--out",
        tmp_path,
    ]
    before = time.perf_counter()
    benchmark.pedantic(subprocess.run, args=(program,), kwargs={"check": True, "capture_output": True}, rounds=1)
    taken = time.perf_counter() - before
    costs = json.loads((Path(figures.__file__).parent / "expected" / "costs.json").read_text(encoding="utf-8"))
    whole = sum(cost["full"]["seconds"] if "full" in cost else cost["seconds"] for cost in costs.values())
    row(
        "`python -m figures --quick`",
        "≤ 60 s",
        f"{taken:.0f} s; all in full {whole:.0f} s (when the gallery was drawn)",
    )
