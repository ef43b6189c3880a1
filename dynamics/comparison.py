"""Two trajectories of one query, side by side: where they differ, and by how much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dynamics.errors import accept, real_number
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
