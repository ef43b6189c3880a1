"""A trajectory again, from what it says made it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dynamics.errors import accept
from dynamics.flow import descend, integrate
from dynamics.geometry import Geometry, of_rows
from dynamics.laws import Law
from dynamics.reduction import reduce
from dynamics.setting import Setting
from dynamics.system import System
from dynamics.trajectory import Trajectory
from dynamics.transformer import FiniteTransformer

_FLOW = ("t_end", "log_t_end", "until", "method", "variable", "rtol", "atol", "t_eval")
_DESCENT = ("step_size", "steps", "every")
_REDUCED = {"method of the mean": "method", "rtol of the mean": "rtol", "samples": "samples", "seed": "seed"}


def rerun(made_by: Trajectory | Mapping[str, Any]) -> Trajectory:
    """Make a trajectory again.

    Parameters
    ----------
    made_by : Trajectory or its ``provenance``

    Returns
    -------
    Trajectory
        With the same versions on the same kind of machine the same numbers, to the bit; to rounding where an exact mean
        is a conditional sum or an integral, which the process that compiles them may round otherwise. But of a training
        whose transformer drew other samples before.

    Raises
    ------
    ValueError
        If it does not say enough: it went on from a training or a Q, did not come to its end, or another version made
        it.
    """
    made = made_by.provenance if isinstance(made_by, Trajectory) else made_by
    accept(isinstance(made, Mapping), "made_by", made_by, "a Trajectory or its provenance")
    try:
        accept(not made.get("failed"), "ended", made.get("ended"), "a curve that came to its end")
        setting = _setting(made)
        if made["kind"] == "training":
            return _training(setting, made)
        system = _system(setting, made)
        start = _start(system, made["start"])
        if made["kind"] == "flow":
            return integrate(system, start=start, **{key: made[key] for key in _FLOW})
        return descend(system, start=start, **{key: made[key] for key in _DESCENT})
    except (KeyError, TypeError) as error:
        raise ValueError(f"made_by: expected all that makes a trajectory; {error} is missing or another") from error


def system_of(made: Mapping[str, Any]) -> System:
    """The reduced system that the record of a flow or a descent says; a ValueError where it does not say enough."""
    try:
        return _system(_setting(made), made)
    except (KeyError, TypeError) as error:
        raise ValueError(f"made_by: expected all that makes a system; {error} is missing or another") from error


def _setting(made: Mapping[str, Any]) -> Setting:
    if "labels" in made:
        geometry = of_rows(made["labels"])
        mask_ratio = made["masked"] / geometry.patches
    else:
        geometry, mask_ratio = Geometry.scaling(**made["powers"]), made["masked_fraction"]
    return Setting(geometry, Law.of_record(made), mask_ratio, made["cluster_weights"])


def _system(setting: Setting, made: Mapping[str, Any]) -> System:
    chosen = {name: made[key] for key, name in _REDUCED.items() if key in made}
    if made["closure"] != "exact":
        del chosen["method"]
    more = {"merge": made["merge"], "compiled": made.get("compiled")}
    return reduce(setting, made["query"], made["closure"], **more, **chosen)


def _start(system: System, start: Any) -> Any:
    """Where it began: nothing said, a state, or the last record of a curve."""
    if start == "Q = 0":
        return None
    state = np.array(start["state"])
    if "kind" not in start:
        return state
    at: Any = {name: np.array([start[name]]) for name in ("t", "log_t")}
    more: Any = {"loss": np.full(1, np.nan), "attention": {}, "provenance": {"iterations": start["iterations"]}}
    return Trajectory(start["kind"], system.names, system.multiplicity, y=state[:, None], **at, **more)


def _training(setting: Setting, made: Mapping[str, Any]) -> Trajectory:
    accept(made["start"] == "Q = 0", "start", made["start"], "Q = 0: the Q it began at is not on record")
    model = FiniteTransformer(setting, made["seed"], made["dimension"], made["basis"])
    training = model.train(made["step_size"], made["steps"], made["samples"], made["every"])
    return training.of(made["query"])
