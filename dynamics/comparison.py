"""Side by side: two trajectories of one query, and the closures at one state; where they differ, and by how much."""

from __future__ import annotations

import timeit
from dataclasses import dataclass
from typing import get_args

import numpy as np
import numpy.typing as npt

from derivations._shell import nearest
from dynamics.closures import ORDER, Closure
from dynamics.errors import accept, real_number
from dynamics.expectation import Expectation, Word, expected
from dynamics.reduction import reduce
from dynamics.setting import Setting
from dynamics.shown import SHORT, Sheet, counted, guarded, line, number
from dynamics.trajectory import Trajectory


@dataclass(frozen=True)
class Difference:
    """One coordinate of two trajectories: absolute differences over the common times."""

    coordinate: str
    largest: float
    final: float
    tolerance: float  # what was to be expected, or what was asked for
    word: Word = "agrees"  # the verdict where the largest difference is within it

    @guarded
    def __repr__(self) -> str:
        numbers = (f"{name} {number(getattr(self, name), SHORT)}" for name in ("largest", "final", "tolerance"))
        return line("Difference", f"{self.coordinate} {self.verdict}", *numbers)

    @property
    def verdict(self) -> str:
        """Whether it agrees, is consistent with what was to be expected, or differs."""
        return self.word if self.agrees else "differs"

    @property
    def agrees(self) -> bool:
        """Whether the largest difference is within tolerance."""
        return self.largest <= self.tolerance


@dataclass(frozen=True)
class Comparison:
    """Table of differences, one row a coordinate; ``print`` shows it, and with `note` what was to be expected."""

    rows: tuple[Difference, ...]
    times: int
    note: str = ""

    @property
    def agrees(self) -> bool:
        """Whether every coordinate is within tolerance."""
        return all(row.agrees for row in self.rows)

    @property
    def largest(self) -> float:
        """The largest difference of any coordinate."""
        return max(row.largest for row in self.rows)

    @guarded
    def __repr__(self) -> str:
        differing = sum(not row.agrees for row in self.rows)
        coordinates, times = counted(len(self.rows), "coordinate"), counted(self.times, "time")
        agree = "are consistent" if any(row.word == "consistent" for row in self.rows) else "agree"
        verdict = f"{differing} of {coordinates} differ" if differing else f"{coordinates} {agree}"
        within = f"tolerance {number(max(row.tolerance for row in self.rows), SHORT)}"
        return line("Comparison", f"{verdict} at {times}", f"largest difference {number(self.largest, SHORT)}", within)

    def __str__(self) -> str:
        """The table as text."""
        return self.sheet().text()

    def _repr_html_(self) -> str:
        return self.sheet().html()

    def sheet(self) -> Sheet:
        """The table, as it is shown."""
        head = ("coordinate", "largest", "final", "tolerance", f"verdict   ({self.times} times)")
        rows = [
            (row.coordinate, f"{row.largest:.3e}", f"{row.final:.3e}", f"{row.tolerance:.1e}", row.verdict)
            for row in self.rows
        ]
        return Sheet("", head, tuple(rows), self.note)


def compare(first: Trajectory, second: Trajectory, tolerance: float | None = None) -> Comparison:
    """Differences of two trajectories at the times they have in common.

    Parameters
    ----------
    first, second : Trajectory
        Of the same coordinates, with common times: pass ``t_eval=training.t`` to ``integrate``.
    tolerance : float, optional
        Largest absolute difference that counts as agreement. By default what was to be expected by the records of both:
        rounding, 1e-12, of the same steps; the O(η) error of descent against the flow, from a descent with half the
        step, twice over; five standard deviations of a training on samples, to first order in η/B; the solver's
        tolerance a hundredfold. A difference of closures is never expected. Records that do not say enough, as of a
        curve made by hand, leave 1e-12.

    Returns
    -------
    Comparison
        Its verdicts are "agrees", to rounding or within `tolerance`; "consistent", within what was to be expected; or
        "differs". Its note says what was expected, and why; ``agrees`` is whether nothing differs.

    Raises
    ------
    ValueError
        If the coordinates differ or there is no common time.
    """
    for name, curve in (("first", first), ("second", second)):
        accept(isinstance(curve, Trajectory), name, curve, "a Trajectory: a flow, a descent or training.of(query)")
    accept(first.names == second.names, "second", second.names, f"a trajectory of {first.names}")
    tolerance = None if tolerance is None else accepted(tolerance)
    if np.array_equal(first.t, second.t):  # times may repeat: where attention locks on they differ by less than a float
        after = np.arange(len(first.t))
    else:
        after = np.searchsorted(second.t, first.t * (1 - 1e-12)).clip(max=len(second.t) - 1)
    common = np.isclose(second.t[after], first.t, rtol=1e-12, atol=0)
    if len(first.t) > 1 and len(second.t) > 1:  # at t = 0 any two agree
        common &= first.t > 0
    accept(bool(common.any()), "second", "no time in common", "times of the first; t_eval= sets those of a flow")
    difference = np.abs(first.y[:, common] - second.y[:, after[common]])
    if tolerance is None:
        held_against = expected(first, second, first.t[common])
    else:
        held_against = Expectation(np.full(len(difference), tolerance), "agrees", "")
    rows = zip(first.names, difference.max(axis=1), difference[:, -1], held_against.within, strict=True)
    found = [
        Difference(name, float(most), float(last), float(within), held_against.word)
        for name, most, last, within in rows
    ]
    return Comparison(tuple(found), int(common.sum()), held_against.note)


def accepted(tolerance: float) -> float:
    """The tolerance as a float, or a ValueError."""
    return real_number("tolerance", tolerance, lambda number: number >= 0, "a number >= 0")


@dataclass(frozen=True)
class ClosureError:
    """One closure at one state, against the exact one: relative errors, in the largest rate and in the loss."""

    closure: Closure
    method: str
    rate: float
    loss: float
    seconds: float  # a rate and the loss take, on this machine
    order: str  # of the error of a rate

    @guarded
    def __repr__(self) -> str:
        rate, loss = number(self.rate, SHORT), number(self.loss, SHORT)
        return line(
            "ClosureError", f"{self.closure} ({self.method})", f"rate off by {rate}", f"loss by {loss}", self._cost()
        )

    def _cost(self) -> str:
        return f"{number(self.seconds * 1e6, SHORT)} µs"


@dataclass(frozen=True)
class ClosureErrors:
    """Table of closures, one row each; ``print`` shows it."""

    rows: tuple[ClosureError, ...]

    def __getitem__(self, closure: str) -> ClosureError:
        """The row of a closure; a KeyError names those there are."""
        found: dict[str, ClosureError] = {row.closure: row for row in self.rows}
        if closure not in found:
            raise KeyError(f"{closure!r}: expected one of {', '.join(found)}{nearest(closure, found)}")
        return found[closure]

    @guarded
    def __repr__(self) -> str:
        errors = (f"{row.closure} {number(row.rate, SHORT)}" for row in self.rows)
        return line("ClosureErrors", f"of the rate: {', '.join(errors)}")

    def __str__(self) -> str:
        """The table as text."""
        return self.sheet().text()

    def _repr_html_(self) -> str:
        return self.sheet().html()

    def sheet(self) -> Sheet:
        """The table, as it is shown."""
        head = ("closure", "mean taken by", "rate", "loss", "cost", "order of the error")
        rows = [
            (row.closure, row.method, f"{row.rate:.2e}", f"{row.loss:.2e}", row._cost(), row.order) for row in self.rows
        ]
        return Sheet("", head, tuple(rows))


@np.errstate(under="ignore")
def closure_error(setting: Setting, query: int | str, state: npt.ArrayLike, samples: int = 1000) -> ClosureErrors:
    """Every closure against the exact one at a state: error of rate and loss, cost, and order.

    Parameters
    ----------
    setting, query
        As for ``reduce``.
    state : (n,) array
        Of the merged coordinates.
    samples : int
        Of the sampled closure.

    Raises
    ------
    ValueError
        For a bad argument, or a geometry with real sizes.
    """
    systems = {closure: reduce(setting, query, closure, samples=samples) for closure in get_args(Closure)}
    exact = systems["exact"]
    y = exact.state(state, "state")
    rate, loss = exact.rate(y), exact.loss(y)
    rows = []
    for closure, system in systems.items():
        error = float(np.abs(system.rate(y) - rate).max() / (np.abs(rate).max() or 1.0))
        number, seconds = timeit.Timer("rate(y)", globals={"rate": system.rate, "y": y}).autorange()
        off = abs(system.loss(y) - loss) / (loss or 1.0)
        rows.append(ClosureError(closure, system.method, error, off, seconds / number, ORDER[closure]))
    return ClosureErrors(tuple(rows))
