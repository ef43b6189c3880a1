"""The phases of a curve, by which correlation with an area moves fastest.

*Decoupling*: Φ of an area that is not the target moves faster than Φ of the target (theory §5: its term −γA_global²
dwarfs γA_target). *Growth*: Φ of the target moves fastest, until the half-time: half of the attention is on the target
area where that shows the smallest positive latent. *Late*: after that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from dynamics.geometry import Array
from dynamics.shown import guarded, line, moment

CLEAR = 0.02  # of a lead: less may be the wobble of a solver at the limit of its stability
Name = Literal["decoupling", "growth", "late"]


@dataclass(frozen=True, eq=False)
class Phase:
    """One phase of a curve.

    Attributes
    ----------
    name : "decoupling" | "growth" | "late"
    start, end, log_start, log_end : float
        Times and their logarithms; the times are infinite beyond the range of floats.
    ended_by : str
        What ended it.
    state : (n,) array
        The coordinates at the end.
    """

    name: Name
    log_start: float
    log_end: float
    ended_by: str
    state: Array

    @guarded
    def __repr__(self) -> str:
        return line("Phase", f"{self.name} from {moment(self.start, self.log_start, 4)} {self._ended(4)}")

    def __str__(self) -> str:
        return f"{self.name} {self._ended()}"

    def _ended(self, digits: int = 6) -> str:
        return f"until {moment(self.end, self.log_end, digits)}: {self.ended_by}"

    @property
    def start(self) -> float:
        """Time at which it starts."""
        return time_of(self.log_start)

    @property
    def end(self) -> float:
        """Time at which it ends."""
        return time_of(self.log_end)


class Watch(NamedTuple):
    """Two numbers that change sign between phases, at points of a curve."""

    lead: Array  # log of |rate of Φ_target| over that of the fastest other Φ
    lock: Array  # attention on the target less one half


Moment = Callable[[int, int], tuple[float, Array]]  # record i, which of the two -> log t and state of its sign change


def lead(log_rates: Array, names: Sequence[str], targets: Sequence[str]) -> Array:
    """log|rate of Φ of a target| less that of the fastest other Φ; log_rates is (n, ...)."""
    own = [name in targets for name in names]
    other = [name.startswith("fp") and name not in targets for name in names]
    if not any(other):
        return np.full(log_rates.shape[1:], np.inf)
    with np.errstate(invalid="ignore"):  # where nothing moves the target is said to lead
        leads = log_rates[own].max(axis=0) - log_rates[other].max(axis=0)
    return np.where(np.isnan(leads), np.inf, leads)


def divide(log_t: Array, states: Array, watch: Watch, moment: Moment, ended: str) -> tuple[Phase, ...]:
    """The phases of a curve of m records; `moment` locates a change of sign between records i and i + 1."""
    leads, locked = watch.lead >= 0, watch.lock >= 0
    changes = [
        (*moment(int(i), which), which)
        for which, at in enumerate((_turns(watch.lead), np.flatnonzero(np.diff(locked)).tolist()))
        for i in at
    ]
    changes.sort(key=lambda change: change[0])
    flags, log_start, phases = [bool(leads[0]), bool(locked[0])], float(log_t[0]), []
    for log_end, state, which in [*changes, (float(log_t[-1]), states[:, -1], -1)]:
        if which >= 0 and np.allclose(state, states[:, -1], rtol=1e-9, atol=1e-9):
            continue  # what ends the curve ends the phase, whichever side of it the last record lies on
        before = _name(*flags)
        if which >= 0:
            flags[which] = not flags[which]
        if which < 0 or _name(*flags) != before:
            phases.append(Phase(before, log_start, log_end, ended if which < 0 else _said(which, *flags), state))
            log_start = log_end
    return tuple(phases)


def _turns(lead: Array) -> list[int]:
    """Records after which the sign changes for good, or until the lead has been as large as CLEAR the other way."""
    leads, turns = bool(lead[0] >= 0), []
    for i, value in enumerate(lead):
        if (value < -CLEAR) if leads else (value > CLEAR):
            before = np.flatnonzero((lead[:i] >= 0) == leads)
            turns.append(int(before[-1]))
            leads = not leads
    return turns


def of_records(
    log_t: Array, states: Array, names: Sequence[str], targets: Sequence[str], on_target: Array, ended: str
) -> tuple[Phase, ...]:
    """The phases of a descent or a training, from what changes between its records; moments by interpolation."""
    if len(log_t) < 2:
        return ()
    with np.errstate(divide="ignore"):
        steps = lead(np.log(np.abs(np.diff(states, axis=1))), names, targets)
    watch = Watch(np.append(steps[0], steps), on_target - 0.5)
    t = np.exp(log_t)

    def moment(i: int, which: int) -> tuple[float, Array]:
        low, high = watch[which][i : i + 2]
        part = 0.5 if not math.isfinite(high - low) else low / (low - high)
        # a step is the rate at its middle
        at = t[i] + part * (t[i + 1] - t[i]) - (0.5 * (t[i + 1] - t[i]) if which == 0 else 0.0)
        at = max(at, t[0])
        state = np.array([np.interp(at, t, row) for row in states])
        return math.log(at) if at > 0 else -math.inf, state

    return divide(log_t, states, watch, moment, ended)


def _name(leads: bool, locked: bool) -> Name:
    return "late" if locked else "growth" if leads else "decoupling"


def _said(which: int, leads: bool, locked: bool) -> str:
    if which == 1:
        return f"attention on the target {'rises to' if locked else 'falls to'} 0.5"
    return "Φ of the target overtakes every other" if leads else "another Φ overtakes that of the target"


def time_of(log_t: float) -> float:
    """The time of this logarithm: infinite beyond the range of floats."""
    with np.errstate(over="ignore", under="ignore"):
        return float(np.exp(log_t))
