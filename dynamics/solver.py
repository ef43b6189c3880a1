"""The flow handed to SciPy, in one of three variables: time, its logarithm, or the length of the curve itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from dynamics.geometry import Array
from dynamics.system import System

METHODS = ("RK45", "RK23", "DOP853", "Radau", "BDF", "LSODA")
IMPLICIT = ("Radau", "BDF", "LSODA")
Variable = Literal["auto", "time", "log-time", "arc-length"]
Until = tuple[str, float] | None

LAST_LOG_T = 700.0  # where every flow ends: beyond it floats soon hold no time
LONGEST = 1e9  # length of curve no flow attains


@dataclass(frozen=True)
class Problem:
    """The flow in one variable: what SciPy steps, and how y and log t are read off it."""

    span: tuple[float, float]
    initial: Array
    rate: Callable[[float, Array], Array]
    jacobian: Callable[[float, Array], Array]
    log_time: Callable[[Any, Array], Any]  # solver's variable and states -> log t
    variable: Callable[[Array], Array] | None  # log t -> solver's variable; None: to be found on the curve


def _in_time(system: System, y: Array, t: float, log_first: float, log_last: float) -> Problem:
    def log_time(at: Any, states: Array) -> Any:
        with np.errstate(divide="ignore"):
            return np.log(at)

    return Problem((t, math.exp(log_last)), y, system.f, system.jac, log_time, np.exp)


def _in_log_time(system: System, y: Array, t: float, log_first: float, log_last: float) -> Problem:
    def rate(log_t: float, y: Array) -> Array:
        return np.exp(log_t) * system.rate(y)

    def jacobian(log_t: float, y: Array) -> Array:
        return np.exp(log_t) * system.jacobian(y)

    return Problem((log_first, log_last), y, rate, jacobian, lambda at, states: at, lambda log_t: log_t)


def _in_arc_length(system: System, y: Array, t: float, log_first: float, log_last: float) -> Problem:
    """d(y, log t)/dl = (t·rate, 1)/√(1 + |t·rate|²)."""

    def direction(state: Array) -> Array:
        out = np.ones(len(state))
        np.multiply(np.exp(state[-1]), system.rate(state[:-1]), out=out[:-1])
        return out

    def rate(length: float, state: Array) -> Array:
        ahead = direction(state)
        return ahead / math.sqrt(ahead @ ahead)

    def jacobian(length: float, state: Array) -> Array:
        ahead, turn = direction(state), np.zeros((len(state), len(state)))
        turn[:-1, :-1] = np.exp(state[-1]) * system.jacobian(state[:-1])
        turn[:-1, -1] = ahead[:-1]
        norm = math.sqrt(ahead @ ahead)
        return turn / norm - np.outer(ahead, ahead @ turn) / norm**3

    return Problem((0.0, LONGEST), np.append(y, log_first), rate, jacobian, lambda at, states: states[-1], None)


_FORMS = {"time": _in_time, "log-time": _in_log_time, "arc-length": _in_arc_length, "auto": _in_arc_length}


def pose(system: System, y: Array, t: float, log_last: float, variable: Variable, atol: float) -> Problem:
    """The flow from y at time t to log_last. From t = 0 a logarithm starts a moment later, on the tangent."""
    if t > 0 or variable == "time":
        log_first = math.log(t) if t > 0 else -math.inf
        return _FORMS[variable](system, y, t, log_first, log_last)
    rate = system.rate(y)
    log_first = _first_moment(system, y, log_last, atol)
    return _FORMS[variable](system, y + math.exp(log_first) * rate, t, log_first, log_last)


def _first_moment(system: System, y: Array, log_last: float, atol: float) -> float:
    """A log t so early that y + t·rate(y) is well within tolerance there, by how fast the rate changes along itself."""
    rate = system.rate(y)
    step = 1e-5 / max(np.abs(rate).max(), 1e-300)
    bend = np.abs(system.rate(y + step * rate) - rate).max() / step
    moment = math.sqrt(1e-3 * atol / bend) if bend > 0 else 1.0
    return min(math.log(moment), log_last - 7.0)


def solve(system: System, problem: Problem, log_last: float, until: Until, options: dict[str, Any]) -> Any:
    """Run SciPy's solver up to log_last, or to where `until` stops it: its second event."""
    from scipy.integrate import solve_ivp

    n = len(system.names)
    stops: list[Any] = [lambda at, state: problem.log_time(at, state) - log_last]
    if until is not None:
        group, level = until
        stops.append(lambda at, state: system.attention(state[:n])[group] - level)
    for stop in stops:
        stop.terminal = True
    if options["method"] in IMPLICIT:
        options = options | {"jac": problem.jacobian}
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # what is not finite is refused by the caller
        return solve_ivp(problem.rate, problem.span, problem.initial, events=stops, dense_output=True, **options)


def sample(problem: Problem, solution: Any, log_times: Array) -> Array:
    """The solver's states at these times, between its first and its last."""
    if problem.variable is not None:
        return solution.sol(problem.variable(log_times))
    from scipy.optimize import brentq

    def miss(length: float, wanted: float) -> float:
        return solution.sol(length)[-1] - wanted

    lengths, log_t = solution.t, problem.log_time(solution.t, solution.y)
    after = np.searchsorted(log_t, log_times).clip(1, len(log_t) - 1)
    found = [
        lengths[i] if log_t[i] <= wanted else lengths[i - 1] if log_t[i - 1] >= wanted
        else brentq(miss, lengths[i - 1], lengths[i], args=(wanted,))
        for i, wanted in zip(after, log_times, strict=True)
    ]  # fmt: skip
    return solution.sol(np.array(found))
