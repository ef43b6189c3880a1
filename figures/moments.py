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


def end_of_first_phase(flow: dy.Trajectory) -> float:
    """When Φ to the target begins to change faster than Φ to the global area: 0 where it does from the start."""
    return flow.phases[0].end if flow.phases[0].name == "decoupling" else 0.0
