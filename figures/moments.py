"""Moments of a curve: when it gets to a level, and when the first of two phases ends."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

import dynamics as dy

Array = npt.NDArray[np.float64]


def crossing(t: Array, values: Array, level: float) -> float:
    """Time at which a curve first gets to a level, on the straight line between records; NaN where it does not."""
    after = int((values >= level).argmax())
    return float(np.interp(level, values[after - 1 : after + 1], t[after - 1 : after + 1])) if after else math.nan


def end_of_first_phase(system: dy.System, curve: dy.Trajectory) -> float:
    """When Φ to the target begins to change faster than Φ to the global area: 0 where it does from the start."""
    target, largest = (system.names.index(name) for name in ("fp.target", "fp.global"))
    rates = np.array([system.rate(y) for y in curve.y.T])
    lead = rates[:, target] - np.abs(rates[:, largest])
    return 0.0 if lead[0] >= 0 else crossing(curve.t, lead, 0.0)
