"""The flow handed to a solver, SciPy's or the compiled pair, in time, its logarithm, or the length of the curve."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from derivations._progress import progress_of
from dynamics.geometry import Array
from dynamics.phases import Phase, Watch, divide, lead, of_records
from dynamics.steps import Curve, Ended, Goal, step_through
from dynamics.system import System

METHODS = ("RK45", "RK23", "DOP853", "Radau", "BDF", "LSODA")  # of SciPy
IMPLICIT = ("Radau", "BDF", "LSODA")
MULTISTEP = ("BDF", "LSODA")  # which begin with many small steps wherever they are started again
Variable = Literal["auto", "time", "log-time", "arc-length"]
Until = tuple[str, float] | tuple[str, float, float] | None  # group, attention, latent of the target

LAST_LOG_T = 700.0  # where a flow ends in floats: beyond it they soon hold no time
LONGEST = 1e9  # length of curve no flow attains
SAFETY = 3  # a solver bounds the error of every step: the whole curve may be off by some times that
SAFETY_OF = {"BDF": 30}  # whose errors of several steps add up
LEAST_RTOL = 100 * float(np.finfo(float).eps)  # that a solver of SciPy takes


@dataclass(frozen=True)
class Problem:
    """The flow in one variable: what SciPy steps, and how y and log t are read off it."""

    span: tuple[float, float]
    initial: Array
    rate: Callable[[float, Array], Array]
    jacobian: Callable[[float, Array], Array]
    log_time: Callable[[Any, Array], Any]  # solver's variable and states -> log t
    variable: Callable[[Array], Array] | None  # log t -> solver's variable; None: to be found on the curve


def _in_time(system: System, y: Array, log_first: float, log_last: float) -> Problem:
    def log_time(at: Any, states: Array) -> Any:
        with np.errstate(divide="ignore"):
            return np.log(at)

    return Problem((math.exp(log_first), math.exp(log_last)), y, system.f, system.jac, log_time, np.exp)


def _in_log_time(system: System, y: Array, log_first: float, log_last: float) -> Problem:
    def rate(log_t: float, y: Array) -> Array:
        sign, log_rate = system.log_rate(y)
        return sign * np.exp(log_rate + log_t)

    def jacobian(log_t: float, y: Array) -> Array:
        return np.exp(log_t) * system.jacobian(y)

    return Problem((log_first, log_last), y, rate, jacobian, lambda at, states: at, lambda log_t: log_t)


def _in_arc_length(system: System, y: Array, log_first: float, log_last: float) -> Problem:
    """d(y, log t)/dl = (t·rate, 1)/√(1 + |t·rate|²)."""

    def rate(length: float, state: Array) -> Array:
        return system.tangent(state[-1], state[:-1])

    def jacobian(length: float, state: Array) -> Array:
        ahead, turn = rate(length, state), np.zeros((len(state), len(state)))
        turn[:-1, :-1] = np.exp(state[-1]) * ahead[-1] * system.jacobian(state[:-1])
        turn[:-1, -1] = ahead[:-1]
        return turn - np.outer(ahead, ahead @ turn)

    return Problem((0.0, LONGEST), np.append(y, log_first), rate, jacobian, lambda at, states: states[-1], None)


_FORMS = {"time": _in_time, "log-time": _in_log_time, "arc-length": _in_arc_length, "auto": _in_arc_length}


def pose(system: System, y: Array, log_start: float, log_last: float, variable: Variable, atol: float) -> Problem:
    """The flow from y to log_last. From t = 0 a logarithm starts a moment later, on the tangent."""
    if log_start > -math.inf or variable == "time":
        return _FORMS[variable](system, y, log_start, log_last)
    log_first, first = first_moment(system, y, atol, log_last - 7.0)
    return _FORMS[variable](system, first, log_first, log_last)


def first_moment(system: System, y: Array, atol: float, latest: float) -> tuple[float, Array]:
    """A log t so early that the tangent, y + t·rate(y), is well within tolerance there, and the state on it."""
    sign, log_rate = system.log_rate(y)
    log_step = math.log(1e-5) - max(log_rate.max(), -1e300)
    change = sign * np.exp(log_rate + log_step)
    sign_ahead, log_ahead = system.log_rate(y + change)
    bend = np.abs(sign_ahead * np.exp(log_ahead + log_step) - change).max()
    moment = min(log_step + 0.5 * math.log(1e-3 * atol / bend) if bend > 0 else 0.0, latest)
    return moment, y + sign * np.exp(log_rate + moment)


def last_log_t(system: System) -> float:
    """Where a flow ends at the latest: times of a scaling geometry are powers of P."""
    geometry = system.setting.geometry
    return LAST_LOG_T + 10 * geometry.log_patches if geometry.patch_class is None else LAST_LOG_T


def longest_step(system: System) -> tuple[float, float]:
    """How much of the curve a step may pass once Φ_target is twice as large: so much, or this part of Φ_target if more.

    Between the locks of two values of the latent the curve is straight, and a step that is as long would pass what lies
    within: value z locks while zΦ_target is near −log A_target(0), log P/C, and Φ_target then moves by some 1/z.
    """
    values = system.setting.law.values
    if (values > 0).sum() < 2:
        return math.inf, math.inf
    geometry = system.setting.geometry
    share = geometry.log_patches - float(geometry.log_class_size[geometry.class_of(system.query)])
    return 0.5 / float(values.max()), 0.5 / max(share, 1.0)


@contextmanager
def watching(problem: Problem, shown: bool, log_last: float = math.inf) -> Iterator[Callable[[float, Array], object]]:
    """What is told of every step: with it a bar moves, to `log_last` where the flow is to end there."""
    if not shown:
        yield lambda at, state: None
        return
    first = float(problem.log_time(problem.span[0], problem.initial))

    def share(log_t: float) -> float:
        """How much of the way to `log_last` is gone: of log t, or of t from t = 0 on."""
        return (log_t - first) / (log_last - first) if math.isfinite(first) else math.exp(log_t - log_last)

    total, unit = (100, "%") if math.isfinite(log_last) else (None, " steps")
    with progress_of(None, "integrating", total, unit=unit) as bar:

        def step(at: float, state: Array) -> None:
            log_t = float(problem.log_time(at, state))
            bar.set_postfix_str(f"log t = {log_t:.4g}", refresh=False)
            bar.update(max(int(100 * share(log_t)) - bar.n, 0) if total else 1)

        yield step


def solve(
    system: System,
    problem: Problem,
    log_last: float,
    until: Until,
    options: dict[str, Any],
    shown: bool = False,
    time_limit: float | None = None,
) -> Any:
    """Run a solver up to log_last, or to where `until` stops it."""
    method, rtol, atol = options["method"], options["rtol"], options["atol"]
    if method == "compiled":
        from dynamics.many import recorded

        return recorded(system, problem.initial, log_last, until, rtol, atol)
    safety = SAFETY_OF.get(method, SAFETY)
    rtol, atol = max(rtol / safety, LEAST_RTOL), atol / safety
    goals: dict[Ended, Goal] = {}
    if problem.variable is None:
        goals["end"] = lambda states: states[-1] - log_last
    if until is not None:
        goals["until"] = aim(system, until)
    least, part = longest_step(system)
    targets = [system.names.index(name) for name in system.coordinates.targets]

    def make(name: str, start: float, state: Array, end: float) -> Any:
        import scipy.integrate

        more = {"jac": problem.jacobian} if name in IMPLICIT else {}
        return getattr(scipy.integrate, name)(problem.rate, start, state, end, rtol=rtol, atol=atol, **more)

    def scale(state: Array) -> Array:
        return atol + rtol * np.abs(state)

    def longest(state: Array) -> float:
        grown = state[targets].max(initial=0.0)
        return max(least, part * grown) if math.isfinite(least) and grown > 2 * least else math.inf

    seconds = math.inf if time_limit is None else time_limit
    with (
        watching(problem, shown, log_last if until is None else math.inf) as tell,
        np.errstate(all="ignore"),
    ):  # what is not finite is refused by the caller
        solver = make(method, problem.span[0], problem.initial, problem.span[1])
        again = partial(make, "Radau" if method in MULTISTEP else method)
        return step_through(solver, again, scale, goals, longest, seconds, tell)


def aim(system: System, until: tuple[Any, ...]) -> Goal:
    """What is zero where the attention on a group is at a level: the difference of their log odds."""
    group, level, latent = until if len(until) == 3 else (*until, None)
    rows, wanted, n = system.watched(latent), math.log(level / (1 - level)), len(system.names)

    def miss(states: Array) -> Array:
        on = system.attention_on(group, np.ascontiguousarray(states[:n]), rows).clip(1e-300, 1 - 1e-16)
        return np.log(on / (1 - on)) - wanted

    return miss


def divide_flow(system: System, problem: Problem, steps: Any, log_start: float, ended: str) -> tuple[Phase, ...]:
    """The phases of a flow from a time on, their ends located between the steps."""
    from scipy.optimize import brentq

    names, targets, n = system.names, system.coordinates.targets, len(system.names)

    def watch(states: Array) -> Watch:
        log_rates = np.array([system.log_rate(y)[1] for y in states.T]).T
        return Watch(lead(log_rates, names, targets), _last_to_lock(system, states) - 0.5)

    def moment(i: int, which: int) -> tuple[float, Array]:
        curve = steps.between(i)

        def miss(at: float) -> float:
            return float(watch(curve(at)[:n, None])[which][0])

        low, high = steps.at[i : i + 2]
        ends = (miss(low) >= 0) == (miss(high) >= 0)  # the curve may be off by a rounding there
        at = high if ends else brentq(miss, low, high)
        state = curve(at)
        return float(problem.log_time(at, state)), state[:n]

    states = np.array(steps.y).T
    log_t, states = np.array(problem.log_time(np.array(steps.at), states)), states[:n]
    log_t[0] = log_start
    return divide(log_t, states, watch(states), moment, ended)


def divide_records(system: System, log_t: Array, states: Array, ended: str) -> tuple[Phase, ...]:
    """The phases of a descent, from its records."""
    on_target = _last_to_lock(system, states)
    return of_records(log_t, states, system.names, system.coordinates.targets, on_target, ended)


def _last_to_lock(system: System, states: Array) -> Array:
    """Attention on the target where it shows the smallest positive latent: (m,)."""
    return system.attention_along(np.ascontiguousarray(states), system.setting.law.least_positive)["target"]


def sample(problem: Problem, steps: Any, log_times: Array) -> Array:
    """The states at these increasing times, between the first and the last of the solver."""
    log_t = problem.log_time(np.array(steps.at), np.array(steps.y).T)
    after = np.searchsorted(log_t, log_times).clip(1, len(log_t) - 1)
    states = np.empty((len(steps.y[0]), len(log_times)))
    for i in np.unique(after):
        here = np.flatnonzero(after == i)
        wanted = log_times[here].clip(log_t[i - 1], log_t[i])
        curve, ends = steps.between(i - 1), steps.at[i - 1 : i + 1]
        find = problem.variable or partial(_places, curve, ends)
        states[:, here] = curve(find(wanted).clip(*ends))
    return states


def _places(curve: Curve, ends: list[float], log_times: Array) -> Array:
    """Where within a step the curve, whose last coordinate is log t, comes to these times."""
    from scipy.optimize import brentq

    low, high = (float(curve(end)[-1]) for end in ends)

    def place(wanted: float) -> float:
        if not low < wanted < high:
            return ends[0] if wanted <= low else ends[1]
        return float(brentq(lambda at: curve(at)[-1] - wanted, *ends))

    return np.array([place(wanted) for wanted in log_times])
