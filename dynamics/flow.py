"""Curves of a system: the gradient flow, solved by SciPy, and gradient descent, step by step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from derivations import source_hash
from derivations._shell import nearest, versions
from dynamics.errors import (
    MOST_STEPS,
    accept,
    accept_records,
    choice,
    positive,
    real_array,
    real_number,
    true_or_false,
    whole_number,
)
from dynamics.failure import IntegrationError
from dynamics.geometry import Array
from dynamics.laws import LARGEST
from dynamics.solver import (
    LAST_LOG_T,
    METHODS,
    Problem,
    Until,
    Variable,
    aim,
    divide_flow,
    divide_records,
    last_log_t,
    pose,
    sample,
    solve,
)
from dynamics.system import System
from dynamics.trajectory import Kind, Trajectory

Start = Trajectory | npt.ArrayLike | None
AT_LEVEL = 1e-14  # difference of log odds by which an attention is at a level: rounding


@np.errstate(under="ignore")
def integrate(
    system: System,
    t_end: float | None = None,
    until: Until = None,
    method: str = "DOP853",
    variable: Variable = "auto",
    rtol: float = 1e-8,
    atol: float = 1e-10,
    t_eval: npt.ArrayLike | None = None,
    *,
    log_t_end: float | None = None,
    start: Start = None,
    time_limit: float | None = None,
    progress: bool = False,
) -> Trajectory:
    """The gradient flow dy/dt = rate(y) from Q = 0.

    Parameters
    ----------
    system : System
    t_end, log_t_end : float, optional
        Last time, or its logarithm, at most 700 (700 + 10 log P for ``Geometry.scaling``, where times are powers of
        P); one of these or `until` is needed.
    until : (group, attention) or (group, attention, latent), optional
        Stop where the attention on a group ("target", "global", ...; in cluster 0) gets to this value in (0, 1), from
        below or above: its mean over the latents, or over samples whose target area shows this latent.
        `provenance["ended"]` says whether that or the last time came first. Where the start is at this attention, the
        curve is that one record.
    method : str
        Any method of ``scipy.integrate.solve_ivp``; those that use a Jacobian get the derived one, which is there for
        P up to 10¹⁰⁰. Or "compiled": the pair of "DOP853" along the arc length, wholly compiled.
    variable : "auto" | "time" | "log-time" | "arc-length"
        What is stepped in. The curve's own length in (y, log t) makes the flow non-stiff at any size: "auto" takes it.
        "time" ends at log t = 700.
    rtol, atol : float
        Tolerances: times that are asked for come out within some ten of rtol·|y| + atol, as 1,500 random systems did.
    t_eval : (m,) array, optional
        Increasing times at which the curve is wanted, in [start, t_end]; by default where the solver steps. Where
        `until` stops the flow, the curve ends there.
    start : (n,) array or Trajectory, optional
        Another state to start from at t = 0, or a trajectory of the same problem to continue from its end.
    time_limit : float, optional
        Seconds after which no further step of the solver is taken; not for method="compiled".
    progress : bool
        Show how far the solver is.

    Returns
    -------
    Trajectory
        Continuous-time; the rates exact or large-P as the closure has it. Result ``dissipation``: the loss falls.

    Raises
    ------
    ValueError
        For a bad argument.
    IntegrationError
        If the solver fails, leaves the finite numbers whatever it says, is over `time_limit` or, where no last time is
        given, has not come to `until` at the latest one. It holds the curve so far, and what drives it there.
    """
    accept(isinstance(system, System), "system", system, "what dy.reduce returns")
    choice("method", method, (*METHODS, "compiled"))
    choice("variable", variable, get_args(Variable))
    along = method != "compiled" or variable in ("auto", "arc-length")
    accept(along, "variable", variable, "'auto' or 'arc-length': method='compiled' has no other")
    true_or_false("progress", progress)
    rtol, atol = tolerances(rtol, atol)
    if time_limit is not None:
        time_limit = positive("time_limit", time_limit)
        accept(method != "compiled", "time_limit", time_limit, "None: a solve by method='compiled' is not interrupted")
    y, t, log_start, _ = _starting_point(system, start)
    until = checked_until(system, until)
    latest = LAST_LOG_T if variable == "time" else last_log_t(system)
    t_end, log_t_end, log_last = last_moment(t, log_start, t_end, log_t_end, until, latest)
    times = None if t_eval is None else _checked_times(t_eval, t, log_last)

    made: dict[str, Any] = {"method": method, "rtol": rtol, "atol": atol, "t_end": t_end, "log_t_end": log_t_end}
    made |= {"until": list(until) if until else None, "t_eval": None if times is None else times.tolist()}
    made |= {"variable": "arc-length" if variable == "auto" else variable, "start": _described(start)}
    at_level = f"attention on {until[0]} = {' at latent '.join(map(str, until[1:]))}" if until else ""
    if until is not None and abs(float(aim(system, until)(y[:, None])[0])) < AT_LEVEL:
        made |= {"ended": at_level, "failed": False}
        return _trajectory(system, "flow", np.array([log_start]), np.array([t]), y[:, None], made, ())

    problem = pose(system, y, log_start, log_last, variable, atol)
    steps = solve(system, problem, log_last, until, made, progress, time_limit)
    stopped = steps.ended == "until"
    wanted = stopped or (steps.ended == "end" and (t_end is not None or log_t_end is not None))

    states = np.array(steps.y).T
    log_t, states = problem.log_time(np.array(steps.at), states), states[: len(y)]
    finite = np.isfinite(states).all(axis=0) & ~np.isnan(log_t)
    kept = len(log_t) if finite.all() else int(finite.argmin())
    whole = kept == len(log_t) and wanted
    ended = at_level if stopped else "t_end"
    phases = divide_flow(system, problem, steps, log_start, ended) if whole else ()
    if times is not None and whole:
        at, log_t, states = _at_times(system, problem, steps, y, t, times, log_t[-1], stopped)
    else:
        log_t, states = log_t[:kept], states[:, :kept]
        if t == 0 and variable != "time":
            log_t, states = np.append(-np.inf, log_t), np.column_stack([y, states])
        at = _times(log_t)
        at[0] = t
    if whole and not stopped and (times is None or times[-1] == t_end):
        log_t[-1] = log_last
        at[-1] = _times(log_last) if t_end is None else t_end
    if not whole:
        ended = _why(system, steps, states, until, time_limit)
    made |= {"ended": ended, "failed": not whole}
    curve = _trajectory(system, "flow", log_t, at, states, made, phases)
    if not whole:
        raise IntegrationError(f"{ended} (at log t = {log_t[-1]:.6g}, t = {at[-1]:.6g})", curve, system)
    return curve


def _why(system: System, steps: Any, states: Array, until: Until, time_limit: float | None) -> str:
    """Why a flow did not come to its end."""
    if steps.ended == "time limit":
        return f"time_limit={time_limit}: over before the end"
    if steps.ended == "failed":
        return str(steps.message)
    if until is None or not np.isfinite(steps.y).all():
        return "the solver left the finite numbers"
    seen = system.attention_along(states, until[2] if len(until) == 3 else None)[until[0]]
    return f"until={until}: not reached; the attention goes from {seen[0]:.6g} to {seen[-1]:.6g}"


@np.errstate(under="ignore")
def descend(system: System, step_size: float, steps: int, *, every: int = 1, start: Start = None) -> Trajectory:
    """Gradient descent y ← y + η·rate(y) from Q = 0, many steps wholly compiled.

    Parameters
    ----------
    system : System
    step_size : float
        η > 0.
    steps : int
        Number of steps, 0 or more.
    every : int
        Record every so many steps, and the last.
    start : (n,) array or Trajectory, optional
        Another state to start from at t = 0, or a descent to continue: n steps and then m are n + m, bit for bit.

    Returns
    -------
    Trajectory
        At t = η · iteration. Exact with the exact closure: gradient descent on Q is this, to rounding. Results
        ``descent-is-the-reduced-descent-fp``, ``descent-is-the-reduced-descent-pp``.

    Raises
    ------
    ValueError
        For a bad argument.
    IntegrationError
        If the step is so large that the state leaves the finite numbers.
    """
    accept(isinstance(system, System), "system", system, "what dy.reduce returns")
    step_size, steps = positive("step_size", step_size), whole_number("steps", steps, 0, MOST_STEPS)
    every = min(whole_number("every", every, 1), max(steps, 1))
    y, t, _, done = _starting_point(system, start)
    accept(t < math.inf, "start", t, "a curve that ends at a time that is a float")
    accept_records((2 * len(y) + len(system.rule.fp) + 5) * (-(-steps // every) + 1), every)
    with np.errstate(all="ignore"):
        states = system.loop("descend")(y, system.rule, step_size, steps, every)
    iteration = np.minimum(np.arange(states.shape[1]) * every, steps)
    finite = np.isfinite(states).all(axis=0)
    same_grid = t == done * step_size  # then n steps and m steps have the times of n + m, bit for bit
    times = (done + iteration) * step_size if same_grid else t + iteration * step_size
    made = {"step_size": step_size, "steps": steps, "every": every, "start": _described(start)}
    kept = states.shape[1] if finite.all() else int(finite.argmin())
    made |= {"iterations": done + int(iteration[kept - 1]), "failed": kept < states.shape[1]}
    with np.errstate(divide="ignore"):
        log_times = np.log(times[:kept])
    phases = divide_records(system, log_times, states[:, :kept], "the end of the descent")
    curve = _trajectory(system, "descent", log_times, times[:kept], states[:, :kept], made, phases)
    if kept < states.shape[1]:
        message = f"step_size={step_size}: the state is not finite after {iteration[kept]} steps; take a smaller step"
        raise IntegrationError(message, curve, system)
    return curve


def _times(log_t: Any) -> Any:
    """Times, infinite beyond the range of floats."""
    with np.errstate(over="ignore"):
        return np.exp(log_t)


def last_moment(
    t: float, log_start: float, t_end: float | None, log_t_end: float | None, until: Until, latest: float
) -> tuple[float | None, float | None, float]:
    """The two as floats, and the logarithm of the time at which the flow ends at the latest."""
    accept(t_end is None or log_t_end is None, "log_t_end", log_t_end, "one of t_end and log_t_end, not both")
    last = math.exp(LAST_LOG_T)
    if t_end is not None:
        t_end = real_number("t_end", t_end, lambda at: t < at <= last, f"a time after {t:g}, at most {last:.3g}")
        return t_end, None, math.log(t_end)
    if log_t_end is not None:
        expected = f"a number above {log_start:g}, at most {latest:g}"
        log_t_end = real_number("log_t_end", log_t_end, lambda at: log_start < at <= latest, expected)
        return None, log_t_end, log_t_end
    accept(until is not None, "t_end", t_end, "one of t_end, log_t_end and until")
    return None, None, latest


def checked_until(system: System, until: Until) -> Until:
    """Group, attention and perhaps a latent, in range."""
    if until is None:
        return None
    groups = tuple(dict.fromkeys(system.groups(system.watched(None))))  # needs no kernel
    expected = f"(group, attention in (0, 1)) and perhaps a latent, the group one of {', '.join(groups)}"
    known = isinstance(until, (tuple, list)) and len(until) in (2, 3) and isinstance(until[0], str)
    expected += nearest(until[0], groups) if known else ""
    accept(known and until[0] in groups and isinstance(until[1], Real) and 0 < until[1] < 1, "until", until, expected)
    if len(until) == 2:
        return until[0], float(until[1])
    latent = real_number("until's latent", until[2], lambda z: 0 < z <= LARGEST, "a number > 0")
    return until[0], float(until[1]), latent


def _checked_times(t_eval: npt.ArrayLike, t: float, log_last: float) -> Array:
    times = real_array(t_eval)
    increasing = times.ndim == 1 and len(times) > 0 and bool((np.diff(times) > 0).all())
    last = float(_times(log_last))
    inside = increasing and t <= times[0] and bool(times[-1] <= last * (1 + 1e-12))
    accept(inside, "t_eval", t_eval, f"increasing times in [{t:g}, {last:g}]")
    return times


def _at_times(
    system: System, problem: Problem, steps: Any, y: Array, t: float, times: Array, log_end: float, stopped: bool
) -> tuple[Array, Array, Array]:
    """Times, log times and states at the wanted times, and where `until` stopped the flow."""
    first = problem.log_time(steps.at[0], steps.y[0])
    with np.errstate(divide="ignore"):
        log_times = np.log(times)
    if t > 0:  # two ways to one logarithm may differ in the last digit
        log_times = np.maximum(log_times, first)
    if stopped:
        before = log_times < log_end
        times, log_times = np.append(times[before], _times(log_end)), np.append(log_times[before], log_end)
    early = log_times < first  # on the tangent at t = 0
    states = np.empty((len(y), len(times)))
    states[:, early] = y[:, None] + times[early] * system.rate(y)[:, None]
    if not early.all():
        states[:, ~early] = sample(problem, steps, np.minimum(log_times[~early], log_end))[: len(y)]
    return times, log_times, states


def _starting_point(system: System, start: Start) -> tuple[Array, float, float, int]:
    """State, time and its logarithm, and, for a descent, the steps already made."""
    if start is None:
        return system.initial, 0.0, -math.inf, 0
    accept(not isinstance(start, (str, Path)), "start", start, "a trajectory or a state: dy.load reads one from a file")
    if isinstance(start, Trajectory):
        accept(start.names == system.names, "start", start.names, f"a trajectory of {system.names}")
        _accept_alike(system, start.provenance)
        y, t, done = start.y[:, -1], float(start.t[-1]), int(start.provenance.get("iterations", 0))
        log_t = float(start.log_t[-1])
    else:
        y, t, log_t, done = system.state(start, "start"), 0.0, -math.inf, 0
    accept(bool(np.isfinite(y).all()), "start", y, "a finite state")
    return np.ascontiguousarray(y), t, log_t, done


def _accept_alike(system: System, made: Mapping[str, Any]) -> None:
    """Raise a ValueError where a curve is of another problem than the system, as far as its record says."""
    geometry, known = system.setting.geometry, system.setting.provenance
    if "closure" in made:  # a training has none
        known |= {"closure": system.closure, "merge": system.options["merge"]}
        known |= {name: system.options[name] for name in ("samples", "seed") if system.closure == "sampled"}
    del known["law"]  # what it is called: its numbers are under "latent"
    for key, value in known.items():
        accept(made.get(key, value) == value, f"start's {key}", made.get(key), f"{value}")
    place = geometry.class_of if geometry.patch_class is None else geometry.patch_of
    query = made.get("query", system.query)
    accept(place(query) == place(system.query), "start's query", query, f"{system.query!r}")


def _described(start: Start) -> str | dict[str, Any]:
    """Where a curve begins, as text holds it: enough to begin there again."""
    if start is None:
        return "Q = 0"
    if not isinstance(start, Trajectory):
        return {"state": np.asarray(start, dtype=float).tolist()}
    at = {"t": float(start.t[-1]), "log_t": float(start.log_t[-1]), "state": start.y[:, -1].tolist()}
    return {"kind": start.kind, "iterations": start.provenance.get("iterations", 0), **at}


def _trajectory(
    system: System, kind: Kind, log_t: Array, t: Array, states: Array, made: dict[str, Any], phases: Any
) -> Trajectory:
    """The curve with its loss, its attention, its phases, and what made it."""
    states = np.ascontiguousarray(states)
    provenance = {
        "kind": kind,
        "query": system.query if isinstance(system.query, str) else int(system.query),
        "closure": system.closure,
        "exactness": system.exactness if kind == "descent" else f"{system.exactness}, continuous-time",
        "method of the mean": system.method,
        **system.options,
        **({} if system.compiled is None else {"compiled": system.compiled}),
        **system.setting.provenance,
        "equations": source_hash(),
        "versions": versions().copy(),
    }
    return Trajectory(
        kind,
        system.names,
        system.multiplicity,
        t,
        states,
        system.loop("losses")(states, system.rule),
        system.attention_along(states),
        log_t,
        targets=system.coordinates.targets,
        phases=phases,
        provenance=provenance | made,
    )


def tolerances(rtol: float, atol: float) -> tuple[float, float]:
    """The two as floats, within what a solver can hold."""
    least = 100 * float(np.finfo(float).eps)
    rtol = real_number("rtol", rtol, lambda number: least <= number < 1, f"a number in [{least:.2g}, 1)")
    return rtol, real_number("atol", atol, lambda number: 0 < number < 1, "a number in (0, 1)")
