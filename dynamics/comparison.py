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
from dynamics.reduction import reduce
from dynamics.setting import Setting
from dynamics.trajectory import Trajectory


@dataclass(frozen=True)
class Difference:
    """One coordinate of two trajectories: absolute differences over the common times."""

    coordinate: str
    largest: float
    final: float
    tolerance: float

    @property
    def agrees(self) -> bool:
        """Whether the largest difference is within tolerance."""
        return self.largest <= self.tolerance


@dataclass(frozen=True)
class Comparison:
    """Table of differences, one row a coordinate; ``print`` shows it."""

    rows: tuple[Difference, ...]
    times: int

    @property
    def agrees(self) -> bool:
        """Whether every coordinate is within tolerance."""
        return all(row.agrees for row in self.rows)

    @property
    def largest(self) -> float:
        """The largest difference of any coordinate."""
        return max(row.largest for row in self.rows)

    def __str__(self) -> str:
        """The table as text."""
        width = max(len(row.coordinate) for row in self.rows)
        lines = [f"{'coordinate':{max(width, 10)}}  largest    final      tolerance  verdict   ({self.times} times)"]
        lines += [
            f"{row.coordinate:{max(width, 10)}}  {row.largest:.3e}  {row.final:.3e}  {row.tolerance:.1e}    "
            f"{'agrees' if row.agrees else 'differs'}"
            for row in self.rows
        ]
        return "\n".join(lines)


def compare(first: Trajectory, second: Trajectory, tolerance: float = 1e-12) -> Comparison:
    """Differences of two trajectories at the times they have in common.

    Parameters
    ----------
    first, second : Trajectory
        Of the same coordinates, with common times: pass ``t_eval=training.t`` to ``integrate``.
    tolerance : float
        Largest absolute difference that counts as agreement.

    Raises
    ------
    ValueError
        If the coordinates differ or there is no common time.
    """
    for name, curve in (("first", first), ("second", second)):
        accept(isinstance(curve, Trajectory), name, curve, "a Trajectory: a flow, a descent or training.of(query)")
    accept(first.names == second.names, "second", second.names, f"a trajectory of {first.names}")
    tolerance = real_number("tolerance", tolerance, lambda number: number >= 0, "a number >= 0")
    if np.array_equal(first.t, second.t):  # times may repeat: where attention locks on they differ by less than a float
        after = np.arange(len(first.t))
    else:
        after = np.searchsorted(second.t, first.t * (1 - 1e-12)).clip(max=len(second.t) - 1)
    common = np.isclose(second.t[after], first.t, rtol=1e-12, atol=0)
    if len(first.t) > 1 and len(second.t) > 1:  # at t = 0 any two agree
        common &= first.t > 0
    accept(bool(common.any()), "second", "no time in common", "times of the first; t_eval= sets those of a flow")
    difference = np.abs(first.y[:, common] - second.y[:, after[common]])
    rows = zip(first.names, difference.max(axis=1), difference[:, -1], strict=True)
    return Comparison(
        tuple(Difference(name, float(most), float(last), tolerance) for name, most, last in rows), int(common.sum())
    )


@dataclass(frozen=True)
class ClosureError:
    """One closure at one state, against the exact one: relative errors, in the largest rate and in the loss."""

    closure: Closure
    method: str
    rate: float
    loss: float
    seconds: float  # a rate and the loss take, on this machine
    order: str  # of the error of a rate


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

    def __str__(self) -> str:
        """The table as text."""
        lines = [f"{'closure':14}{'mean taken by':26}{'rate':11}{'loss':11}{'cost':10}order of the error"]
        lines += [
            f"{row.closure:14}{row.method:26}{row.rate:<11.2e}{row.loss:<11.2e}{row.seconds * 1e6:<7.3g} µs {row.order}"
            for row in self.rows
        ]
        return "\n".join(lines)


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
    exact = reduce(setting, query)
    y = exact.state(state, "state")
    rate, loss = exact.rate(y), exact.loss(y)
    rows = []
    for closure in get_args(Closure):
        system = exact if closure == "exact" else reduce(setting, query, closure, samples=samples)
        error = float(np.abs(system.rate(y) - rate).max() / (np.abs(rate).max() or 1.0))
        number, seconds = timeit.Timer("rate(y)", globals={"rate": system.rate, "y": y}).autorange()
        off = abs(system.loss(y) - loss) / (loss or 1.0)
        rows.append(ClosureError(closure, system.method, error, off, seconds / number, ORDER[closure]))
    return ClosureErrors(tuple(rows))
