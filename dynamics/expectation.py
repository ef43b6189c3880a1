"""How far apart two curves of one query may be, by the records of what made them.

What a training on samples, a step of finite size and a solver add to the equations is known, and is all that two curves
of one system may differ by: what is more wants another reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from dynamics.again import rerun, system_of
from dynamics.closures import ORDER
from dynamics.errors import accept
from dynamics.geometry import Array
from dynamics.noise import covariance
from dynamics.shown import SHORT, listed, number

if TYPE_CHECKING:
    from dynamics.trajectory import Trajectory

Record = Mapping[str, Any]
Word = Literal["agrees", "consistent"]

ROUNDING = 1e-12  # absolute: of the same steps by two ways
# Of a normal law 5 deviations are passed once in two million; the largest of some hundred times and coordinates stays
# within them even where the law to first order in η/B is a third too narrow, as it is at steps of a twentieth of T.
DEVIATIONS = 5.0
# The error of a step, from half of it, lacks terms of the second order: below half of the whole where steps are stable.
SAFETY = 2.0
SOLVER = 100.0  # what the errors that a solver allows in each step may grow to along a curve

_NEEDED = {
    "flow": ("start", "closure", "rtol", "atol"),
    "descent": ("start", "closure", "step_size", "steps", "every"),
    "training": ("start", "samples", "step_size", "steps", "every"),
}
_SETTING = "labels", "powers", "masked", "masked_fraction", "latent", "cluster_weights"
_EXACT: Record = {"closure": "exact", "merge": True}  # the system that a training is of


class Expectation(NamedTuple):
    """The largest difference to be expected of each coordinate, (n,), what being within it is called, and why."""

    within: Array
    word: Word
    note: str


def expected(first: Trajectory, second: Trajectory, times: Array) -> Expectation:
    """What two curves of the same coordinates may differ by at times that they have in common."""
    try:
        records = _comparable(first.provenance, second.provenance)
        size = np.maximum(np.abs(first.y).max(axis=1), np.abs(second.y).max(axis=1))
        return _from_records(records, times, size)
    except (ValueError, RuntimeError) as error:  # a curve made by hand, say, or a system that is too large
        within = np.full(len(first.names), ROUNDING)
        return Expectation(within, "agrees", f"tolerance {ROUNDING:g}: the records say nothing to expect ({error})")


def _comparable(*records: Record) -> Sequence[Record]:
    """The records of two curves, if they are of one setting and one start, and say enough."""
    for which, made in zip(("first", "second"), records, strict=True):
        missing = [key for key in ("kind", *_NEEDED.get(made.get("kind", ""), ())) if key not in made]
        accept(not missing, f"{which}.provenance", [*made], f"{', '.join(missing)} among them")
        known = made["kind"] != "training" or made["start"] == "Q = 0"
        accept(known, f"{which}'s start", made["start"], "Q = 0: the Q it began at is not on record")
    first, second = records
    differing = [key for key in (*_SETTING, "start") if first.get(key) != second.get(key)]
    if differing == ["start"] and all(_is_flow_from_zero(made) for made in records):
        differing = []
    for key in differing:
        raise ValueError(f"they are of another {key}")
    return records


def _is_flow_from_zero(made: Record) -> bool:
    """Whether a curve is a flow from Q = 0, or says that it continues a flow: whether it is the same is then seen."""
    start = made["start"]
    return made["kind"] == "flow" and (start == "Q = 0" or (isinstance(start, dict) and start.get("kind") == "flow"))


def _from_records(records: Sequence[Record], times: Array, size: Array) -> Expectation:
    theory = next((made for made in records if made["kind"] != "training"), _exact(records[0]))
    systems = [_descent(theory, made) if made["kind"] == "training" else made for made in records]
    flows = [made for made in records if made["kind"] == "flow"]
    descents = {made["step_size"]: made for made in systems if made["kind"] == "descent"}
    drawn = [made for made in records if made["kind"] == "training" and made["samples"]]
    within, said = np.full(len(size), ROUNDING), []
    if drawn:
        within += DEVIATIONS * _deviation(theory, drawn, times)
        trainings = "a training" if len(drawn) == 1 else "two trainings"
        samples = listed(list(dict.fromkeys(number(made["samples"]) for made in drawn)))
        said.append(f"{DEVIATIONS:g} standard deviations of {trainings} on {samples} samples a step")
    if len(flows) + len(descents) > 1:
        within += SAFETY * sum(_lag(made, times) for made in descents.values())
        said += [f"{SAFETY:g} times the O(η) error of η = {number(eta, SHORT)}" for eta in descents]
    if flows:
        within += sum(SOLVER * (made["rtol"] * size + made["atol"]) for made in flows)
        said.append(f"{SOLVER:g} times the tolerance of the solver")
    for made in systems:
        rtol = made.get("rtol of the mean", 0.0)
        within += SOLVER * rtol * size if rtol > ROUNDING else 0.0
    note = f"expected: {' + '.join(said)}" if said else f"expected: the same to rounding, {ROUNDING:g}"
    return Expectation(within, "consistent" if said else "agrees", "\n".join([note, *_closures(records)]))


def _exact(training: Record) -> Record:
    """The record of the system that a training is of; samples and seed are the training's own."""
    return {key: value for key, value in training.items() if key not in ("samples", "seed")} | dict(_EXACT)


def _descent(theory: Record, training: Record) -> Record:
    """The record of the reduced descent that a training would be, were its gradients those of a theory."""
    return {**theory, "kind": "descent"} | {key: training[key] for key in ("step_size", "steps", "every")}


def _deviation(theory: Record, trainings: Sequence[Record], times: Array) -> Array:
    """Largest standard deviation of the difference that trainings on samples make, at some times: (n,)."""
    t, found = covariance(system_of(theory), float(times.max()))
    noise = sum(made["step_size"] / made["samples"] for made in trainings)
    deviations = np.sqrt(noise * np.diagonal(found, axis1=1, axis2=2).clip(0))
    return np.array([np.interp(times, t, deviation).max() for deviation in deviations.T])


def _lag(made: Record, times: Array) -> Array:
    """Largest O(η) error of a descent at some times, (n,): twice what half the step changes."""
    halved = {"step_size": made["step_size"] / 2, "steps": 2 * made["steps"], "every": 2 * made["every"]}
    whole, half = rerun(made), rerun({**made, **halved})
    return np.array([np.interp(times, whole.t, row).max() for row in 2 * np.abs(whole.y - half.y)])


def _closures(records: Sequence[Record]) -> list[str]:
    """That the closures differ, and each but the exact one by what order, where they do."""
    reduced: list[Record] = [made if made["kind"] != "training" else _EXACT for made in records]
    first, second = ([made.get(key) for key in ("closure", "samples", "seed")] for made in reduced)
    off = dict.fromkeys(made["closure"] for made in reduced if made["closure"] != "exact")
    orders = listed([f"{closure} is off by O({ORDER[closure]})" for closure in off])
    return [] if first == second else [f"beside that the closures differ: {orders}"]
