"""Peers: other solvers given the same derived equations, the flow of one query, each in its best configuration.

Each ``*_solver(flow, log_ends, ...)`` prepares and compiles, and returns ``run``, which is what is timed: it solves
every system of the flow from Q = 0 to its log t of ``log_ends`` and returns the states there, (systems, n).

    flow = derived([system, ...])
    run = heyoka_solver(flow, [dy.log_half_time(system) + math.log(100), ...])

A peer is told where to stop, also where that is the half-time, which ours has to find. What else favours peers: where a
logarithm begins (a moment later, on the tangent) is looked up before; numbers that are 1, latents and weights are put
in, and equal numbers share a symbol. Variable, method and tolerance of each are the cheapest found for an error of 1e-9
at t = 100 T, P = 10³ and 10⁶, relative where a coordinate is above 1. All over a grid, DOP853 needs tol 1e-9 in time.
"""

import copy
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import sympy as sp

from dynamics.solver import first_moment

AT, Y, NUMBERS = sp.Symbol("at", real=True), sp.IndexedBase("y"), sp.IndexedBase("c")
LONGEST = 1e4  # length of curve no flow attains


@dataclass(frozen=True)
class Flow:
    """Equations of several systems of one kind: c[i] are the numbers in which they differ."""

    systems: list
    shared: list  # (symbol, expression of y, c and those before): common subexpressions
    rates: list
    numbers: np.ndarray  # (systems, numbers)


def derived(systems):
    """The equations that are integrated, as ``system.equations()`` has them.

    SymPy makes exp(2x) of a square and writes powers of 1/D: named first, no exponential or division is done twice.
    """
    columns, distinct, known = np.array([list(system.numbers().values()) for system in systems]).T, {}, {}
    for symbol, column in zip(systems[0].numbers(), columns, strict=True):
        same = (column == 1).all() or (str(symbol.base) in "zw" and np.ptp(column) == 0)
        known[symbol] = sp.nsimplify(column[0]) if same else distinct.setdefault(tuple(column), NUMBERS[len(distinct)])
    equations = systems[0].as_floats.equations()
    known |= {sp.Symbol(name, real=True): Y[i] for i, name in enumerate(equations)}
    rates = [rate.xreplace(known) for rate in equations.values()]

    exponentials = set().union(*(rate.atoms(sp.exp) for rate in rates))
    half = {one: sp.exp(sp.expand(one.args[0] / 2)) for one in exponentials}
    once = sorted((one for one in exponentials if half[one] not in exponentials), key=str)
    named = {one: sp.Symbol(f"exp{i}", positive=True) for i, one in enumerate(once)}
    squares = {one: named[half[one]] ** 2 for one in exponentials - set(once)}
    rates = [rate.xreplace(named | squares) for rate in rates]
    powers = {one for rate in rates for one in rate.atoms(sp.Pow) if one.base.is_Add and one.exp.is_negative}
    bases = sorted({one.base for one in powers}, key=str)
    over = {one: sp.Symbol(f"over{i}", positive=True) for i, one in enumerate(bases)}
    shared, rates = sp.cse([rate.xreplace({one: over[one.base] ** -one.exp for one in powers}) for rate in rates])
    before = [(name, one) for one, name in named.items()] + [(name, 1 / one) for one, name in over.items()]
    return Flow(systems, before + shared, rates, np.array(list(distinct)).T.copy())


def in_variable(flow, variable):
    """Common subexpressions and slopes in time, log time (`at`), or the curve's length (log t is the last state)."""
    if variable == "time":
        return flow.shared, flow.rates
    n, t = len(flow.rates), sp.Symbol("t", positive=True)
    if variable == "log-time":
        return [*flow.shared, (t, sp.exp(AT))], [t * rate for rate in flow.rates]
    ahead, part = sp.symbols(f"ahead:{n}", real=True), sp.Symbol("part", positive=True)
    slopes = [(one, t * rate) for one, rate in zip(ahead, flow.rates, strict=True)]
    length = (part, 1 / sp.sqrt(1 + sum(one**2 for one in ahead)))
    return [*flow.shared, (t, sp.exp(Y[n])), *slopes, length], [*(part * one for one in ahead), part]


def starts(flow, log_ends, variable, tol):
    """Where each solve begins and ends in the variable, and the state it begins with: (m,), (m,), (m, n)."""
    ends = np.asarray(log_ends, float)
    if variable == "time":
        return np.zeros(len(ends)), np.exp(ends), np.array([system.initial for system in flow.systems])
    begin = [first_moment(one, one.initial, tol / 100, end - 7.0) for one, end in zip(flow.systems, ends, strict=True)]
    log_first, states = (np.array(part) for part in zip(*begin, strict=True))
    curve = np.zeros(len(ends)), np.full(len(ends), LONGEST), np.column_stack([states, log_first])
    return (log_first, ends, states) if variable == "log-time" else curve


def in_batches(count, size):
    """Which systems stand in each batch; the last is filled up with the last system."""
    return np.minimum(np.arange(-(-count // size) * size), count - 1).reshape(-1, size)


def one_by_one(solve, count):
    solve(0)  # compiles
    return lambda: np.array([solve(i) for i in range(count)])


def in_threads(solve, parts):
    """The parts of a sweep, each in a thread."""
    if len(parts) == 1:
        return [solve(parts[0])]
    with ThreadPoolExecutor(len(parts)) as executor:
        return list(executor.map(solve, parts))


def python_function(flow, variable, modules):
    """The slopes as a Python function of `at`, y and c."""
    shared, slopes = in_variable(flow, variable)
    return sp.lambdify([AT, Y, NUMBERS], tuple(slopes), modules=modules, cse=lambda _: (shared, slopes))


def _for_scipy(flow, variable):
    """The slopes as an array, compiled by Numba."""
    import numba

    slopes = numba.njit(python_function(flow, variable, "math"), error_model="numpy")
    return numba.njit(lambda at, y, c: np.array(slopes(at, y, c)), error_model="numpy")


def scipy_solver(flow, log_ends, method="DOP853", variable="arc-length", tol=3e-9):
    """``solve_ivp`` with a rate compiled by Numba; the end of a curve is an event. LSODA: log time, tol 5e-10."""
    from scipy.integrate import solve_ivp

    rate, (begin, end, states), n = _for_scipy(flow, variable), starts(flow, log_ends, variable, tol), len(flow.rates)

    def solve(i):
        arrives, numbers = (lambda at, state: state[-1] - log_ends[i]), flow.numbers[i]
        arrives.terminal = True
        options = {"rtol": tol, "atol": tol / 100, "events": arrives if variable == "arc-length" else None}
        return solve_ivp(lambda at, y: rate(at, y, numbers), (begin[i], end[i]), states[i], method, **options).y[:n, -1]

    return one_by_one(solve, len(states))


def scipy_stepper(flow, log_ends, method="dop853", variable="time", tol=1e-7):
    """SciPy's older interface, its steps in compiled code: "dop853" of ``ode``, or "lsoda" (``odeint``), as fast."""
    from scipy.integrate import ode, odeint

    rate, (begin, end, states) = _for_scipy(flow, variable), starts(flow, log_ends, variable, tol)
    accuracy, more = {"rtol": tol, "atol": tol / 100}, {"tfirst": True, "mxstep": 100_000}

    def solve(i):
        if method == "lsoda":
            return odeint(rate, states[i], (begin[i], end[i]), (flow.numbers[i],), **accuracy, **more)[-1]
        solver = ode(rate).set_integrator(method, nsteps=100_000, **accuracy).set_f_params(flow.numbers[i])
        return solver.set_initial_value(states[i], begin[i]).integrate(end[i])

    return one_by_one(solve, len(states))


def cyrk_solver(flow, log_ends, method="DOP853", variable="log-time", tol=1e-7, threads=1):
    """CyRK's C++ solver, called for every system from one compiled loop, with the rate as a C function.

    From compiled code it takes no events, so no end in the length of the curve. DOP853 and VERN8, in time and its
    logarithm, are within a tenth of each other at equal error; for 1e-9 all over a grid take tol=1e-10.
    """
    import numba
    from CyRK import nbsolve2_ivp
    from CyRK.nb.numba_solver import cyjit_sig

    slopes = numba.njit(python_function(flow, variable, "math"), error_model="numpy", fastmath=True)

    def rate(ahead, at, y, c):
        for i, slope in enumerate(slopes(at, y, c)):
            ahead[i] = slope

    @numba.njit(nogil=True)
    def solve(address, begin, end, states, numbers, tol):
        out = np.full_like(states, np.nan)
        for i in range(len(states)):
            span, c = (begin[i], end[i]), numbers[i]
            found = nbsolve2_ivp(address, span, states[i], method, args=c, rtol=tol, atol=tol / 100)
            if found.success:
                out[i] = found.y[:, -1]
            found.free()
        return out

    compiled = numba.cfunc(cyjit_sig, error_model="numpy", fastmath=True)(rate)
    given = *starts(flow, log_ends, variable, tol), flow.numbers
    parts = list(zip(*(np.array_split(one, threads) for one in given), strict=True))
    solve(compiled.address, *(one[:1] for one in given), tol)
    return lambda: np.concatenate(in_threads(lambda part: solve(compiled.address, *part, tol), parts))


def _for_heyoka(flow, variable):
    """The equations as heyoka takes them, and the event that ends a curve, its place behind the numbers."""
    import heyoka as hy

    (shared, slopes), count = in_variable(flow, variable), flow.numbers.shape[1]
    states = hy.make_vars(*(f"y{i}" for i in range(len(slopes))))
    known = {Y[i]: state for i, state in enumerate(states)} | {NUMBERS[i]: hy.par[i] for i in range(count)}
    known[AT] = hy.time
    for name, expression in shared:
        known[name] = hy.from_sympy(expression, known)
    equations = [(state, hy.from_sympy(slope, known)) for state, slope in zip(states, slopes, strict=True)]
    return equations, states[-1] - hy.par[count]


def heyoka_solver(flow, log_ends, variable="arc-length", tol=1e-7):
    """Taylor's method, one solve at a time, numbers at run time. At P = 10³ time is a fifth faster, at 10⁶ slower."""
    import heyoka as hy

    equations, arrives = _for_heyoka(flow, variable)
    more = {"t_events": [hy.t_event(arrives)]} if variable == "arc-length" else {}
    numbers = np.column_stack([flow.numbers, log_ends]) if more else flow.numbers
    begin, end, states = starts(flow, log_ends, variable, tol)
    solver = hy.taylor_adaptive(equations, states[0], pars=numbers[0], tol=tol, fast_math=True, **more)

    def solve(i):
        solver.time, solver.state[:], solver.pars[:] = begin[i], states[i], numbers[i]
        if more:
            solver.reset_cooldowns()
        solver.propagate_until(end[i])
        return solver.state[: len(flow.rates)].copy()

    return one_by_one(solve, len(states))


def heyoka_batches(flow, log_ends, variable="time", tol=1e-8, lanes=None, threads=1):
    """Taylor's method, as many solves at once as a vector has lanes, batch after batch, in a solver for every thread.

    Twice ``recommended_simd_size()`` take a third less time each, with AVX-512. In time: an event that ended one lane
    would stop the batch. ``ensemble_propagate_until_batch`` would copy the solver for every batch, with one end for
    all. The tolerance is for 1e-9 in every log T of a grid.
    """
    import heyoka as hy

    lanes = lanes or 2 * hy.recommended_simd_size()
    equations, _ = _for_heyoka(flow, variable)
    begin, end, states = starts(flow, log_ends, variable, tol)
    places = in_batches(len(states), lanes)
    batches = [(begin[i], end[i], states[i].T.copy(), flow.numbers[i].T.copy()) for i in places]
    first = hy.taylor_adaptive_batch(equations, batches[0][2], pars=batches[0][3], tol=tol, fast_math=True)
    solvers = [first, *(copy.deepcopy(first) for _ in range(threads - 1))]
    out = np.empty((len(batches), states.shape[1], lanes))

    def solve(which):
        solver = solvers[which]
        for (at, last, *given), found in list(zip(batches, out, strict=True))[which::threads]:
            solver.set_time(at)
            solver.state[:], solver.pars[:] = given
            solver.propagate_until(last)
            found[:] = solver.state

    def run():
        in_threads(solve, range(threads))
        return out.transpose(0, 2, 1).reshape(-1, states.shape[1])[: len(states)]

    return run


def diffrax_solver(flow, log_ends, method="Tsit5", variable="time", tol=1e-9, at_once=None):
    """Diffrax, jitted, in doubles; `at_once`: so many systems at a time by ``jax.vmap``, 256 for a sweep.

    Tsit5 beats Dopri8, whose steps are fewer but costlier as XLA has them, by a third; Kvaerno5 takes 200 times as
    long; an event at the end of the curve's length costs more than that length saves.
    """
    import diffrax
    import jax

    jax.config.update("jax_enable_x64", True)
    slopes = python_function(flow, variable, "jax")
    terms = diffrax.ODETerm(lambda at, y, c: jax.numpy.stack(slopes(at, y, c)))
    control = diffrax.PIDController(rtol=tol, atol=tol / 100)
    options = {"saveat": diffrax.SaveAt(t1=True), "stepsize_controller": control, "max_steps": None}

    def solve(begin, end, state, numbers):
        return diffrax.diffeqsolve(terms, getattr(diffrax, method)(), begin, end, None, state, numbers, **options).ys[0]

    compiled = jax.jit(jax.vmap(solve) if at_once else solve)
    begin, end, states = starts(flow, log_ends, variable, tol)
    places = in_batches(len(states), at_once) if at_once else range(len(states))
    given = [tuple(map(jax.numpy.asarray, (begin[i], end[i], states[i], flow.numbers[i]))) for i in places]
    compiled(*given[0])
    return lambda: np.reshape([compiled(*one) for one in given], (-1, states.shape[1]))[: len(states)]
