"""The ends of many flows, and nothing else of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamics.errors import MOST_THREADS, accept, real_array, whole_number
from dynamics.failure import IntegrationError
from dynamics.flow import AT_LEVEL, checked_until, integrate, last_moment, tolerances
from dynamics.geometry import Array
from dynamics.many import NEVER, Aim, march
from dynamics.shown import SHORT, counted, guarded, line, number
from dynamics.solver import Until, aim, last_log_t
from dynamics.system import System


@dataclass(frozen=True, eq=False)
class Endpoints:
    """Where many flows end.

    Attributes
    ----------
    log_t : (N,) array
        Logarithm of the time at the end; NaN where a solve failed.
    y : (n, N) array
        The states there.
    arrived : (N,) array of bool
        Whether `until` ended it, and not the last time.
    """

    log_t: Array
    y: Array
    arrived: npt.NDArray[np.bool_]

    @guarded
    def __repr__(self) -> str:
        solved = self.log_t[~np.isnan(self.log_t)]
        ends = {number(end, SHORT + 1): None for end in (solved.min(), solved.max())} if len(solved) else {}
        failed = len(self.log_t) - len(solved)
        flows = f"{counted(len(self.log_t), 'flow')} of {counted(len(self.y), 'coordinate')}"
        where = f"log t = {' to '.join(ends)}" if ends else ""
        return line("Endpoints", flows, where, f"{self.arrived.sum()} arrived", f"{failed} failed" if failed else "")


@np.errstate(under="ignore")
def endpoints(
    systems: Sequence[System],
    t_end: npt.ArrayLike | None = None,
    until: Until = None,
    *,
    log_t_end: npt.ArrayLike | None = None,
    rtol: float = 1e-8,
    atol: float = 1e-10,
    threads: int = 1,
) -> Endpoints:
    """Where the flows of many systems from Q = 0 end, by the compiled pair: for sweeps and fits.

    Those of one cluster with a target, a global and equal other areas, at mean field and one latent, are solved side by
    side, some tens of microseconds each; any other one after the other. Attention that may get to a level and leave it
    again, as on any group but the target, is followed by ``integrate``.

    Parameters
    ----------
    systems : sequence of System
        N systems with the same coordinates.
    t_end, log_t_end, until, rtol, atol
        As for ``integrate``, which the ends agree with to the tolerance; a last time for all or one for each.
    threads : int
        How many share what is solved side by side; the numbers are the same.

    Returns
    -------
    Endpoints
        Continuous-time; the rates exact or large-P as the closure has it.

    Raises
    ------
    ValueError
        For a bad argument.
    """
    alike = isinstance(systems, Sequence) and len(systems) > 0 and all(isinstance(one, System) for one in systems)
    alike = alike and all(one.names == systems[0].names for one in systems)
    accept(alike, "systems", type(systems).__name__, "a list of systems with the same coordinates")
    rtol, atol, threads = *tolerances(rtol, atol), whole_number("threads", threads, 1, MOST_THREADS)
    until = checked_until(systems[0], until)
    for system in systems:
        groups = system.groups(system.watched(None))
        known = until is None or until[0] in groups
        accept(known, "until", until, f"a group of every system: one has {', '.join(groups)}")
    last = [
        last_moment(0.0, -math.inf, one_t, one_log, until, last_log_t(system))[2]
        for system, one_t, one_log in zip(
            systems, _each("t_end", t_end, systems), _each("log_t_end", log_t_end, systems), strict=True
        )
    ]
    group, level, latent = ("target", NEVER, None) if until is None else (*until, None)[:3]
    found, arrived = np.empty((len(systems), len(systems[0].names) + 1)), np.empty(len(systems), bool)
    once = [until is None or _passes_once(system, until) for system in systems]
    marched = [i for i in range(len(systems)) if once[i]]
    aims = [Aim(group, level, latent, last[i]) for i in marched]
    for i, end in zip(marched, march([systems[i] for i in marched], aims, rtol, atol, threads=threads), strict=True):
        found[i], arrived[i] = end.moments[1], end.arrived
    for i, system in enumerate(systems):
        if not once[i]:
            found[i], arrived[i] = _by_scipy(system, last[i], until, rtol, atol)
    return Endpoints(found[:, -1], found[:, :-1].T.copy(), arrived)


def _passes_once(system: System, until: tuple[Any, ...]) -> bool:
    """Whether attention on the group only rises, as on the target of one cluster, and is not at the level at Q = 0."""
    rises = until[0] == "target" and system.setting.geometry.clusters == 1
    return rises and abs(float(aim(system, until)(system.initial[:, None])[0])) > AT_LEVEL


def _by_scipy(system: System, log_last: float, until: Until, rtol: float, atol: float) -> tuple[Array, bool]:
    """State and log t at the end of a flow, and whether `until` ended it; NaN where the solver failed."""
    try:
        flow = integrate(system, log_t_end=log_last, until=until, rtol=rtol, atol=atol)
    except IntegrationError:
        return np.full(len(system.names) + 1, np.nan), False
    return np.append(flow.y[:, -1], flow.log_t[-1]), flow.provenance["ended"] != "t_end"


def _each(name: str, given: npt.ArrayLike | None, systems: Sequence[System]) -> list[float | None]:
    """One value for each system."""
    if given is None:
        return [None] * len(systems)
    values = real_array(given)
    number = np.asarray(given).dtype != bool and values.shape in ((), (len(systems),))
    accept(number, name, given, f"a number, or one for each of {len(systems)} systems")
    return np.broadcast_to(values, len(systems)).tolist()
