"""Many solves at a time, by the compiled pair: in lanes where systems are alike, else one after the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from dynamics.closures import Rule, unrolled_form
from dynamics.compiled import kernel
from dynamics.geometry import Array
from dynamics.logscale import LogRule, in_floats
from dynamics.one_cluster import WIDTH, column
from dynamics.solver import LAST_LOG_T, Until, first_moment, longest_step
from dynamics.stepper import ARRIVES, ENDS
from dynamics.system import System

HIGHEST = 650.0  # score of which the exponential, and what it is compared with, are floats
NEVER = 2.0  # attention no group has


class Aim(NamedTuple):
    """Where a solve ends: at an attention on a group, where the target shows a latent (None: any), or at a log t."""

    group: str
    level: float  # NEVER: only at the log t
    latent: float | None
    log_last: float


class End(NamedTuple):
    """What a solve came to."""

    moments: (
        Array  # (2, n + 1), each (y, log t): where Φ of the target takes the lead (NaN: had it always), and the end
    )
    above_at_start: bool  # attention at its level or above
    steps: int
    event: int  # ARRIVES, ENDS, or −1 where a solve failed

    @property
    def arrived(self) -> bool:
        """Whether attention got to its level."""
        return self.event == ARRIVES

    @classmethod
    def of(cls, found: Array, said: Array) -> End:
        """From what the loop says of a problem."""
        return cls(found, bool(said[0] >= 0), int(said[1]), int(said[2]))


def march(
    systems: Sequence[System], aims: Sequence[Aim], rtol: float, atol: float, *, lanes: bool = True, threads: int = 1
) -> list[End]:
    """Every solve from Q = 0, to its end; in lanes, whatever their number, or each alone: equal to the tolerance."""
    found: dict[int, End] = {}
    columns: dict[int, Array] = {}
    alike: dict[tuple[int, bool | None, str], list[int]] = {}
    for i, (system, aim) in enumerate(zip(systems, aims, strict=True)):
        form, columns[i] = _laned(system, aim.latent)
        if form:
            alike.setdefault((form, system.compiled, aim.group), []).append(i)
        else:
            found[i] = march_one(system, aim, rtol, atol)[0]
    jobs = [
        (form, compiled, members[first::threads])
        for (form, compiled, _), members in alike.items()
        for first in range(min(threads, len(members)))
    ]

    def run(job: tuple[int, bool | None, list[int]]) -> list[End]:
        form, compiled, members = job
        rules = np.stack([columns[i] for i in members], axis=1)
        view = (rules, *_view(systems[members[0]], aims[members[0]]))
        loops = _Loops(form, compiled, lanes and compiled is not False)
        return loops.march(rules, view, [aims[i] for i in members], (rtol, atol))

    with ThreadPoolExecutor(threads) as pool:
        for (*_, members), ends in zip(jobs, (pool.map if threads > 1 else map)(run, jobs), strict=True):
            found |= dict(zip(members, ends, strict=True))
    again = {i for i in columns if columns[i].size and _has_left_floats(found[i], systems[i], aims[i])}
    return [march_one(systems[i], aims[i], rtol, atol)[0] if i in again else found[i] for i in range(len(systems))]


def _has_left_floats(end: End, system: System, aim: Aim) -> bool:
    """Whether the one-cluster form came to the ends of the range of floats: in time, or in the numbers of a softmax."""
    if not isinstance(system.rule, LogRule):
        return False
    late = end.event == ENDS and aim.log_last > LAST_LOG_T
    areas = len(end.moments[1]) // 2 - 1
    fp, pp = end.moments[1, :areas], end.moments[1, areas : 2 * areas]
    highest = (system.setting.law.values[0] * fp + pp).max()
    return late or not highest <= HIGHEST


class _Loops(NamedTuple):
    """The loops of the one-cluster form, for one problem or in lanes."""

    form: int
    compiled: bool | None
    wide: bool

    def march(self, rules: Array, view: Any, aims: Sequence[Aim], tolerances: tuple[float, float]) -> list[End]:
        """Problems from Q = 0, their rules as columns."""
        module = kernel(True if self.wide else self.compiled, "steps")
        aims = [aim._replace(log_last=min(aim.log_last, LAST_LOG_T)) for aim in aims]  # a time is a float here
        goals = np.array([(aim.level, aim.log_last) for aim in aims]).T.copy()
        zero = np.zeros((2 * self.form + 1, len(aims)))
        with np.errstate(all="ignore"):  # as compiled code has it
            starts = getattr(module, f"begun_{self.form}")(zero, rules, goals[1] - 7.0, tolerances[1])
            loop = getattr(module, f"march_wide_{self.form}" if self.wide else f"march_{self.form}")
            bounds = (math.inf, math.inf), tolerances, WIDTH if self.wide else 1
            ends, said, _ = loop(starts, rules, view, goals, *bounds, False)
        return [End.of(*of_one) for of_one in zip(ends, said, strict=True)]


def march_one(
    system: System, aim: Aim, rtol: float, atol: float, start: Array | None = None, keep: bool = False
) -> tuple[End, Array]:
    """The same of one solve, from Q = 0 or a (y, log t); and what is recorded of its steps."""
    in_logarithms = isinstance(system.rule, LogRule)
    form, numbers = (0, np.empty(0)) if in_logarithms else _laned(system, aim.latent)
    rule = numbers[:, None] if form else system.rule
    if start is None:
        log_first, y = first_moment(system, system.initial, atol, aim.log_last - 7.0)
        start = np.append(y, log_first)
    watch = system.watched(aim.latent)
    view = (rule if form else watch, *_view(system, aim))
    goal = np.array([[aim.level], [aim.log_last]])
    loop = getattr(kernel(system.compiled, "steps"), f"march_{form}") if form else system.loop("march")
    with np.errstate(all="ignore"):  # as compiled code has it
        found, said, kept = loop(start[:, None], rule, view, goal, longest_step(system), (rtol, atol), 1, keep)
    return End.of(found[0], said[0]), kept


def _view(system: System, aim: Aim) -> tuple[Array, Array]:
    """Which groups count, and which coordinate is Φ of a target (1), another Φ (0) or Υ (−1)."""
    targets = system.coordinates.targets
    kinds = [1 if name in targets else 0 if name.startswith("fp") else -1 for name in system.names]
    picks = [float(name == aim.group) for name in system.groups(system.watched(aim.latent))]
    return np.array(picks), np.array(kinds)


def _laned(system: System, latent: float | None) -> tuple[int, Array]:
    """The one-cluster form that a system fits, with its numbers; or 0."""
    rule, law = system.rule, system.setting.law
    if system.closure != "mean-field" or len(law.values) > 1 or latent not in (None, law.values[0]):
        return 0, np.empty(0)
    floats = in_floats(rule) if isinstance(rule, LogRule) else rule
    if not isinstance(floats, Rule) or not unrolled_form(floats):
        return 0, np.empty(0)
    return unrolled_form(floats), column(floats)


class Recorded:
    """A solve with its dense output: what ``Steps`` is of a solver of SciPy."""

    def __init__(self, kept: Array, end: End, d: int) -> None:
        at, states, self._dense = kept[0].copy(), kept[1 : 1 + d].copy(), kept[1 + d :].reshape(7, d, -1)
        self._ends, self._starts, self._lengths = at.copy(), states[:, :-1].copy(), np.diff(at)
        self.ended, self.message = "failed", "the step became too small"
        if np.isfinite(end.moments[1]).all():
            self.ended, self.message = "until" if end.arrived else "end", ""
            states[:, -1] = end.moments[1]
            at[-1] = self._length_at(end.moments[1, -1])
        self.at, self.y = at.tolist(), list(states.T)

    def between(self, i: int) -> Callable[[Any], Array]:
        """The curve within step i."""
        return self.sol

    def sol(self, at: Any) -> Array:
        """The state at a length of the curve, or at several: (d,) or (d, k)."""
        step = (np.searchsorted(self._ends, at) - 1).clip(0, len(self._lengths) - 1)
        part = (at - self._ends[step]) / self._lengths[step]
        state = np.zeros_like(self._starts[:, step])
        for power in range(6, -1, -1):
            state = (state + self._dense[power][:, step + 1]) * (part if power % 2 == 0 else 1 - part)
        return self._starts[:, step] + state

    def _length_at(self, log_t: float) -> float:
        """Where in the last step the curve comes to a log t."""
        from scipy.optimize import brentq

        low, high = self._ends[-2:]
        return float(high if self.sol(high)[-1] <= log_t else brentq(lambda at: self.sol(at)[-1] - log_t, low, high))


def recorded(system: System, start: Array, log_last: float, until: Until, rtol: float, atol: float) -> Recorded:
    """One solve from a (y, log t), with all its steps."""
    aim = Aim("target", NEVER, None, log_last)
    if until is not None:
        group, level, *latent = until
        aim = Aim(group, level, latent[0] if latent else None, log_last)
    end, kept = march_one(system, aim, rtol, atol, start, keep=True)
    return Recorded(kept, end, len(start))
