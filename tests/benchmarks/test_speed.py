"""Where users wait, each as a ratio to a peer or a bound measured in the same run.

    pytest tests/benchmarks -n 0 --benchmark-enable

The ratios are printed with ``-s`` and kept in ``extra_info`` of ``--benchmark-json``.
"""

import subprocess
import sys
import timeit

import numpy as np
import pytest

import dynamics as dy
from dynamics import compiled
from tests.settings import WIDE

pytestmark = pytest.mark.filterwarnings("ignore")


def seconds(call, enough=0.2):
    """Shortest time of a call, repeated until it has taken `enough` in all."""
    timer = timeit.Timer(call)
    number, _ = timer.autorange()
    return min(timer.repeat(max(3, int(enough / 0.2)), number)) / number


def against(benchmark, name, peer):
    """Record the benchmark's time over that of a peer; in a plain test run, run the peer once."""
    if benchmark.stats is None:
        peer()
        return
    ratio = benchmark.stats.stats.min / seconds(peer)
    benchmark.extra_info["ratio"] = f"{ratio:.3g} × {name}"
    print(f"\n{benchmark.name}: {ratio:.3g} × {name}")


@pytest.fixture(scope="module")
def system():
    return dy.reduce(WIDE, "local", "mean-field")


def exponentials(count):
    """The least a rate can cost: its exponentials, in compiled code."""
    import numba

    @numba.njit
    def run(x):
        total = 0.0
        for i in range(len(x)):
            total += np.exp(x[i])
        return total

    x = np.linspace(-1, 1, count)
    run(x)
    return lambda: run(x)


@pytest.mark.benchmark(group="rate")
def test_steps_of_descent_in_the_unrolled_form(benchmark, system):
    steps = 100_000
    benchmark(dy.descend, system, 1e-3, steps, every=steps)
    against(benchmark, "its exponentials alone", exponentials(7 * steps))


@pytest.mark.benchmark(group="rate")
def test_steps_of_descent_in_loops(benchmark, system):
    steps = 100_000
    step = compiled.kernel(True).descend
    benchmark(step, system.initial, system.rule, 1e-3, steps, steps)
    against(benchmark, "the unrolled form", lambda: dy.descend(system, 1e-3, steps, every=steps))


@pytest.mark.benchmark(group="rate")
def test_an_exact_rate_of_2058_occupancies(benchmark):
    exact = dy.reduce(WIDE, "local")
    benchmark(exact.rate, exact.initial)
    against(benchmark, "an exponential a row", exponentials(len(exact.rule.weight)))


INTEGRALS = {
    "196": dy.Geometry.single_cluster(98, 7, 14),
    "10000": dy.Geometry.single_cluster(5000, 50, 100),
    "1000000": dy.Geometry.single_cluster(500_000, 500, 1000),
    "196, 8 values": dy.Geometry.single_cluster(98, 7, 14),
    "photograph": dy.Geometry.from_image(),
}


@pytest.mark.benchmark(group="rate")
@pytest.mark.parametrize("which", INTEGRALS)
def test_an_exact_rate_by_the_integral(benchmark, which):
    latent = (np.linspace(0.5, 1.5, 8), np.full(8, 1 / 8)) if "values" in which else 1.0
    large = dy.reduce(dy.Setting(INTEGRALS[which], latent), 0, method="integral")
    small = dy.reduce(WIDE, "local", method="integral")
    benchmark(large.rate, large.initial)
    if benchmark.stats is not None:
        benchmark.extra_info["nodes"], benchmark.extra_info["marks"] = nodes_of(large)
    against(benchmark, "the same for 64 patches", lambda: small.rate(small.initial))


def nodes_of(system):
    """Nodes y of the integral at Q = 0, and marks x on all their circles, counted as it runs."""
    loops, nodes, marks = compiled.kernel(False, "nodes"), [], []
    with pytest.MonkeyPatch.context() as patch:
        for name, counted in (
            ("add_circle", lambda *given: nodes.append(1)),
            ("add_nodes", lambda *given: marks.append(given[5])),
        ):
            patch.setattr(loops, name, and_count(getattr(loops, name), counted))
        loops.rate_and_loss_integral(system.initial, system.rule)
    return len(nodes), sum(marks)


def and_count(function, count):
    def counted(*given):
        count(*given)
        return function(*given)

    return counted


@pytest.mark.benchmark(group="rate")
def test_a_rate_of_second_order(benchmark, system):
    curved = dy.reduce(WIDE, "local", "second-order")
    benchmark(curved.rate, curved.initial)
    benchmark.extra_info["rows"] = len(
        compiled.kernel(True, "second_order").rows_at(curved.initial, curved.rule).weight
    )
    against(benchmark, "mean-field", lambda: system.rate(system.initial))


@pytest.mark.benchmark(group="rate")
@pytest.mark.parametrize("query", ["local", "global"])
@pytest.mark.parametrize("sizes", [(40, 6, 4), (98, 7, 14), (8320, 16, 105)], ids=["64", "196", "10000"])
def test_exact_rates_by_the_conditional_sum(benchmark, sizes, query):
    conditional = dy.reduce(dy.Setting(dy.Geometry.single_cluster(*sizes)), query, method="conditional")
    terms = len(conditional.rule.weight)
    states = np.zeros((len(conditional.names), 200_000 // terms))
    benchmark(conditional.loop("losses"), states, conditional.rule)
    benchmark.extra_info["terms"], benchmark.extra_info["rates"] = terms, states.shape[1]
    against(benchmark, "an exponential a term", exponentials(terms * states.shape[1]))


@pytest.mark.benchmark(group="jacobian")
def test_a_jacobian(benchmark, system):
    benchmark(system.jacobian, system.initial)
    against(benchmark, "a rate", lambda: system.rate(system.initial))


@pytest.mark.benchmark(group="solve")
def test_one_flow_to_the_half_time(benchmark, system):
    from scipy.integrate import solve_ivp

    benchmark(dy.integrate, system, until=("target", 0.5))
    end = dy.integrate(system, until=("target", 0.5)).t[-1]
    peer = lambda: solve_ivp(system.f, (0, end), system.initial, method="DOP853", rtol=1e-8, atol=1e-10)  # noqa: E731
    against(benchmark, "solve_ivp in time, the end known", peer)


@pytest.mark.benchmark(group="solve")
def test_one_flow_at_a_size_of_a_hundred_digits(benchmark):
    large = dy.reduce(dy.Setting(dy.Geometry.scaling(100, 0.98, 0.3)), "local", "mean-field")
    small = dy.reduce(dy.Setting(dy.Geometry.scaling(3, 0.98, 0.3)), "local", "mean-field")
    benchmark(dy.integrate, large, until=("target", 0.5))
    against(benchmark, "the same at P = 10³", lambda: dy.integrate(small, until=("target", 0.5)))


def scaled(kappa_c, kappa_s, log10_patches=30):
    return dy.reduce(dy.Setting(dy.Geometry.scaling(log10_patches, kappa_c, kappa_s)), "local", "mean-field")


@pytest.mark.benchmark(group="solve")
@pytest.mark.parametrize("log10_patches", [3, 30, 300, 1000])
def test_one_compiled_half_time(benchmark, log10_patches):
    from dynamics.moments import remember

    systems = [scaled(0.98, 0.3, size) for size in (log10_patches, 3)]

    def solve(system):
        system.memory.clear()
        remember([system], lanes=False)

    benchmark(solve, systems[0])
    against(benchmark, "the same at P = 10³", lambda: solve(systems[1]))
    against(benchmark, "SciPy's DOP853", lambda: dy.integrate(systems[0], until=("target", 0.5), rtol=1e-9, atol=1e-11))


@pytest.mark.benchmark(group="sweep")
def test_a_sweep_of_half_times_at_thirty_digits(benchmark):
    points = 100 if benchmark.enabled else 3  # a side
    grid = {"kappa_c": np.linspace(0.51, 0.98, points), "kappa_s": np.linspace(0.02, 0.5, points)}
    measure = {"exponent": dy.half_time_exponent, "plateau": dy.plateau}
    table = benchmark.pedantic(dy.sweep, args=(scaled, grid, measure), rounds=1)
    assert not table["error"].any()
    benchmark.extra_info["points"] = points**2
    kappas = iter(np.linspace(0.51, 0.98, 1_000_000))
    against(benchmark, "one point in this thread", lambda: dy.half_time(scaled(next(kappas), 0.3)))


@pytest.mark.benchmark(group="transformer")
@pytest.mark.parametrize("basis", ["coordinates", "random"])
def test_a_sampled_gradient(benchmark, basis):
    model = dy.FiniteTransformer(WIDE, basis=basis)
    Q, samples = model.to_basis(np.zeros((model.dimension,) * 2)), 256
    keys = np.random.default_rng(0).standard_normal((samples, 64, model.dimension))
    benchmark(model.gradient, Q, samples=samples)
    against(benchmark, "one dense product Q·keys", lambda: keys @ Q)


@pytest.mark.benchmark(group="first answer")
@pytest.mark.slow
@pytest.mark.parametrize("compiled", [None, True, False], ids=["default", "compiled", "plain"])
def test_the_first_answer_of_a_fresh_process(benchmark, compiled):
    program = (
        "import dynamics as dy; S = dy.reduce(dy.Setting(dy.Geometry.single_cluster(40, 6, 4)), 'local', 'mean-field', "
        f"compiled={compiled}); dy.integrate(S, until=('target', 0.5))"
    )
    run = lambda code: subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)  # noqa: E731
    run(program)
    benchmark.pedantic(run, args=(program,), rounds=3)
    against(benchmark, "importing NumPy and scipy.integrate", lambda: run("import numpy, scipy.integrate"))


@pytest.mark.benchmark(group="first answer")
@pytest.mark.slow
def test_the_first_answer_on_a_machine(benchmark, tmp_path, monkeypatch):
    program = (
        "import dynamics as dy; S = dy.reduce(dy.Setting(dy.Geometry.single_cluster(40, 6, 4)), 'local', 'mean-field');"
        "dy.integrate(S, until=('target', 0.5))"
    )
    run = lambda code: subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)  # noqa: E731
    folders = iter(range(100))
    setup = lambda: monkeypatch.setenv("ATTENTION_DYNAMICS_CACHE", str(tmp_path / str(next(folders))))  # noqa: E731
    benchmark.pedantic(run, args=(program,), setup=setup, rounds=3)
    against(benchmark, "importing NumPy and scipy.integrate", lambda: run("import numpy, scipy.integrate"))


@pytest.mark.benchmark(group="rate")
@pytest.mark.parametrize("compiled", [None, True], ids=["default", "compiled"])
def test_a_rate_once_compiled_code_is_loaded(benchmark, compiled):
    system, always = (dy.reduce(WIDE, "local", "mean-field", compiled=which) for which in (compiled, True))
    always.rate(always.initial)
    benchmark(system.rate, system.initial)
    against(benchmark, "compiled=True", lambda: always.rate(always.initial))
