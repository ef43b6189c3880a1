"""What is read off a curve: when it gets to a level, when the first of two phases ends, its loss above the infimum."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

import dynamics as dy
from derivations._shell import accept

Array = npt.NDArray[np.float64]


def crossing(t: Array, values: Array, level: float) -> float:
    """Time at which a curve first gets to a level, on the straight line between records; NaN where it does not."""
    after = int((values >= level).argmax())
    return float(np.interp(level, values[after - 1 : after + 1], t[after - 1 : after + 1])) if after else math.nan


def until_half_time(system: dy.System, **options: Any) -> dy.Trajectory:
    """The flow until half of the attention is on the target; a ValueError if it is there at Q = 0."""
    first = system.attention(system.initial)["target"]
    accept(first < 0.5, "attention on the target at Q = 0", first, "less than 1/2: it has no half-time")
    return dy.integrate(system, until=("target", 0.5), **options)


def end_of_first_phase(flow: dy.Trajectory) -> float:
    """When Φ to the target begins to change faster than Φ to the global area: 0 where it does from the start."""
    return flow.phases[0].end if flow.phases[0].name == "decoupling" else 0.0


def excess_times_4t(system: dy.System, flow: dy.Trajectory) -> Array:
    """4t(L_p − L*_p) = 4t ∫_t^∞ Σ mult rate² dt': the difference itself has no digits left once it is far below L*_p.

    Between two times t²·Σ mult rate², all but constant, is a straight line in log t; beyond the last, constant.
    """
    rates = np.array([system.rate(y) for y in flow.y.T])
    local = 4 * (flow.t[:, None] * rates) ** 2 @ system.multiplicity
    step = np.diff(flow.log_t)
    shrink = np.exp(-step)
    bend = (1 - shrink) / step - shrink  # ∫ of a line from 1 to 0 and from 0 to 1 with the weight e^{−s}
    inside = local[:-1] * (1 - shrink - bend) + local[1:] * bend
    value = local.copy()
    for i in range(len(step) - 1, -1, -1):
        value[i] = inside[i] + shrink[i] * value[i + 1]
    return value
