"""The steps of one of SciPy's solvers: where they stop, and the curve between them, as good as at their ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from dynamics.geometry import Array

Curve = Callable[[Any], Array]  # the solver's variable -> state (d,), or (k,) of them -> (d, k)
Goal = Callable[[Array], Array]  # states (d, k) -> numbers (k,) that change sign where the flow is to stop
Ended = Literal["until", "end", "time limit", "failed"]

NODES = np.cos(np.pi * np.arange(8, -1, -1) / 8)  # places in a step at which it is looked for the goal, in [-1, 1]
DEEPEST = 6  # halvings of a step


class Step(NamedTuple):
    """One step of a solver: where it starts, the state there, where it ends, and the curve between."""

    start: float
    state: Array
    end: float
    curve: Curve


@dataclass
class Steps:
    """A flow as a solver stepped it.

    Attributes
    ----------
    again : callable
        Gives a one-step solver of SciPy from a start, the state there and an end.
    scale : callable
        What a solver tolerates at a state: (d,) -> (d,).
    at : list of float
        The solver's variable at the start and after each step.
    y : list of (d,) arrays
        The states there.
    curves : list of Curve
        The solver's own dense output over each step.
    ended, message
        Why there are no more steps; of a solver that failed, what it says.
    """

    again: Callable[[float, Array, float], Any]
    scale: Callable[[Array], Array]
    at: list[float]
    y: list[Array]
    curves: list[Curve] = field(default_factory=list)
    ended: Ended = "end"
    message: str = ""
    good: dict[int, Curve] = field(default_factory=dict)

    def between(self, i: int) -> Curve:
        """The curve within step i, to the tolerance of the solver.

        A dense output may be off by a hundred times the error of the step. Where it is off in the middle, the step is
        taken again in halves.
        """
        if i not in self.good:
            from scipy.integrate import OdeSolution

            with np.errstate(all="ignore"):  # a solver may try what is not finite, and then a smaller step
                parts = self._halved(Step(self.at[i], self.y[i], self.at[i + 1], self.curves[i]), DEEPEST)
            ends, curves = [self.at[i], *(part.end for part in parts)], [part.curve for part in parts]
            self.good[i] = OdeSolution(ends, curves) if len(curves) > 1 else curves[0]
        return self.good[i]

    def _halved(self, step: Step, depth: int) -> list[Step]:
        """The step, or the smaller ones that it takes to have the curve as good as their ends."""
        middle = (step.start + step.end) / 2
        solver, first = self._solved_again(step.start, step.state, middle)
        off = np.abs(step.curve(middle) - solver.y)
        if solver.status != "finished" or not depth or (off <= self.scale(solver.y)).all():
            return [step]
        solver, second = self._solved_again(middle, solver.y, step.end)
        if solver.status != "finished":
            return [step]
        return [part for half in (*first, *second) for part in self._halved(half, depth - 1)]

    def _solved_again(self, start: float, state: Array, end: float) -> tuple[Any, list[Step]]:
        """A solver that went from start to end, and its steps."""
        solver, steps = self.again(start, state, end), []
        while solver.status == "running":
            before = solver.y.copy()
            solver.step()
            if solver.status != "failed":
                steps.append(Step(float(solver.t_old), before, float(solver.t), solver.dense_output()))
        return solver, steps

    def add(self, solver: Any) -> None:
        """Note the step that the solver took."""
        self.at.append(float(solver.t))
        self.y.append(solver.y.copy())
        self.curves.append(solver.dense_output())

    def cut(self, goal: Goal, rises: bool) -> bool:
        """Cut the last step where the goal is first met within it; False where it is not.

        A goal that only rises needs to be looked at where the step ends.
        """
        if rises and goal(self.y[-1][:, None])[0] < 0:
            return False
        i = len(self.curves) - 1
        if first_zero(goal, self.curves[i], *self.at[i:]) is None:
            return False
        curve = self.between(i)
        found = first_zero(goal, curve, *self.at[i:])
        if found is None:
            return False
        self.at[-1], self.y[-1] = found, curve(found)
        return True


def first_zero(goal: Goal, curve: Curve, start: float, end: float) -> float | None:
    """Where in (start, end] the goal first changes its sign, also twice between the places looked at; or None."""
    from numpy.polynomial.chebyshev import Chebyshev
    from scipy.optimize import brentq

    places = start + (end - start) * (1 + NODES) / 2
    places[-1] = end
    values = goal(curve(places))
    if not np.isfinite(values).all() or np.abs(values).min() > np.ptp(values):
        return None
    turns = Chebyshev.fit(places, values, len(NODES) - 1, domain=[start, end]).deriv().roots()
    inside = (np.abs(turns.imag) < 1e-3 * (end - start)) & (turns.real > start) & (turns.real < end)
    if inside.any():
        places = np.sort([*places, *turns.real[inside]])
        values = goal(curve(places))
    changes = np.flatnonzero((values[:-1] < 0) != (values[1:] < 0))
    if not len(changes):
        return None
    low, high = places[changes[0] : changes[0] + 2]
    return float(brentq(lambda at: goal(curve(np.array([at])))[0], low, high, xtol=5e-324))


def step_through(
    solver: Any,
    again: Callable[[float, Array, float], Any],
    scale: Callable[[Array], Array],
    goals: Mapping[Ended, Goal],
    longest: Callable[[Array], float],
    seconds: float,
    tell: Callable[[float, Array], object],
) -> Steps:
    """Take the steps of a solver to its end, or to where a goal is met.

    Parameters
    ----------
    solver : scipy.integrate.OdeSolver
    again, scale
        As of ``Steps``.
    goals : mapping
        What the flow stops at, by what it is then said to be ended by; the later cut the steps that the earlier left.
    longest : callable
        State -> the longest step from there.
    seconds : float
        After so many no further step is taken.
    tell : callable
        Is given the solver's variable and the state after every step.
    """
    late = time.monotonic() + seconds
    steps = Steps(again, scale, [float(solver.t)], [solver.y.copy()])
    while solver.status == "running":
        if time.monotonic() > late:
            steps.ended = "time limit"
            return steps
        solver.max_step = longest(solver.y)
        steps.message = solver.step() or ""
        if solver.status == "failed" or not np.isfinite(solver.y).all():
            steps.ended, steps.message = "failed", steps.message or "the solver left the finite numbers"
            return steps
        steps.add(solver)
        tell(steps.at[-1], steps.y[-1])
        met = [name for name, goal in goals.items() if steps.cut(goal, rises=name == "end")]
        if met:
            steps.ended = met[-1]
            return steps
    return steps
