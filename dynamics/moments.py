"""The half-time and what is read off there: attention on the target at ½, at the mean counts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dynamics.errors import accept, real_number
from dynamics.flow import integrate
from dynamics.geometry import Array
from dynamics.laws import LARGEST
from dynamics.many import Aim, march
from dynamics.phases import time_of
from dynamics.solver import last_log_t
from dynamics.system import System

LEAST = 1e-300  # Υ that has all its digits as a float
RTOL = 1e-9  # of the solves, and about what it is off in an exponent


def half_time(system: System, latent: float | None = None, *, rtol: float = RTOL) -> float:
    """The half-time T: when attention on the target area gets to ½ at the mean counts.

    Parameters
    ----------
    system : System
    latent : float, optional
        What the target area shows in the samples looked at; by default the smallest positive value of the law.
    rtol : float
        Tolerance of the solve.

    Returns
    -------
    float
        T, infinite beyond the range of floats: ``log_half_time`` is finite at any P. Continuous-time; the rates exact
        or large-P as the closure has it. Results ``half-time``, ``latent-spread``.

    Raises
    ------
    ValueError
        For a bad argument, or if attention on the target is at ½ or more at Q = 0.
    IntegrationError
        If attention never gets there.
    """
    return time_of(log_half_time(system, latent, rtol=rtol))


def log_half_time(system: System, latent: float | None = None, *, rtol: float = RTOL) -> float:
    """Logarithm of the half-time, log T: finite at any P.

    Parameters
    ----------
    system, latent, rtol
        As for ``half_time``.

    Returns
    -------
    float
        Off by about `rtol`, or a few times that.

    Raises
    ------
    ValueError, IntegrationError
        As ``half_time``.
    """
    return float(moments(system, latent, rtol)[1, -1])


def half_time_exponent(system: System, latent: float | None = None, *, rtol: float = RTOL) -> float:
    """The power of P that the half-time is, log T / log P; its limit is what ``exponent`` extrapolates to.

    Parameters
    ----------
    system, latent, rtol
        As for ``half_time``.
    """
    return log_half_time(system, latent, rtol=rtol) / system.setting.geometry.log_patches


def plateau(system: System, latent: float | None = None, *, rtol: float = RTOL) -> float:
    """Φ_global at the half-time over log P: one cluster with a global area. Result ``fp-global-at-half-time``.

    Parameters
    ----------
    system, latent, rtol
        As for ``half_time``.

    Raises
    ------
    ValueError
        If the system has no coordinate "fp.global".
    """
    _accept_coordinates(system, "fp.global", also=": a local query")
    at = moments(system, latent, rtol)[1]
    return float(at[system.names.index("fp.global")]) / system.setting.geometry.log_patches


def pp_exponent(system: System, latent: float | None = None, *, rtol: float = RTOL) -> float:
    """The power of P that Υ_target/Φ_target is at the half-time. Result ``pp-exponent``.

    Parameters
    ----------
    system, latent, rtol
        As for ``half_time``.

    Raises
    ------
    ValueError
        If the system has no coordinates "fp.target" and "pp.target", or Υ is too small for a float.
    """
    _accept_coordinates(system, "fp.target", "pp.target")
    at = dict(zip(system.names, moments(system, latent, rtol)[1], strict=False))
    accept(at["pp.target"] > LEAST, "pp.target", at["pp.target"], f"a number above {LEAST:g}: take a smaller P")
    return math.log(at["pp.target"] / at["fp.target"]) / system.setting.geometry.log_patches


OF_MOMENTS = half_time, log_half_time, half_time_exponent, plateau, pp_exponent  # what reads the same solve


@np.errstate(under="ignore")
def moments(system: System, latent: float | None = None, rtol: float = RTOL) -> Array:
    """State and log t where Φ of the target takes the lead, and at the half-time: (2, n + 1); NaN where it always led.

    Raises
    ------
    ValueError, IntegrationError
        As ``half_time``.
    """
    _accept_coordinates(system)
    if latent is None:
        latent = system.setting.law.least_positive
        accept(latent is not None, "latent", system.setting.law.values.tolist(), "a law with a positive value")
    latent = real_number("latent", latent, lambda z: 0 < z <= LARGEST, "a number > 0")
    rtol = real_number("rtol", rtol, lambda number: 1e-13 <= number < 1, "a number in [1e-13, 1)")
    remember([system], latent, rtol, lanes=False)
    if (latent, rtol) not in system.memory:
        system.memory[latent, rtol] = _by_scipy(system, latent, rtol)  # or it says why there is none
    return system.memory[latent, rtol]


def _accept_coordinates(system: System, *names: str, also: str = "") -> None:
    """Raise a ValueError unless it is a system with these coordinates."""
    accept(isinstance(system, System), "system", system, "what dy.reduce returns")
    known = ", ".join(system.names)
    accept({*names} <= {*system.names}, "system.names", known, f"{' and '.join(names)} among them{also}")


@np.errstate(under="ignore")
def remember(systems: Sequence[System], latent: float | None = None, rtol: float = RTOL, *, lanes: bool = True) -> None:
    """Solve those of many systems that the compiled pair is for, side by side; each keeps its ``moments``."""
    wanted: dict[int, tuple[System, Aim]] = {}
    for system in systems:
        z = system.setting.law.least_positive if latent is None else latent
        if system.closure == "mean-field" and z is not None and (z, rtol) not in system.memory:
            wanted[id(system)] = system, Aim("target", 0.5, z, last_log_t(system))
    chosen, aims = [system for system, _ in wanted.values()], [aim for _, aim in wanted.values()]
    for system, aim, end in zip(chosen, aims, march(chosen, aims, rtol, rtol / 100, lanes=lanes), strict=True):
        if end.arrived and not end.above_at_start:
            end.moments.flags.writeable = False
            system.memory[aim.latent, rtol] = end.moments


def _by_scipy(system: System, latent: float, rtol: float) -> Array:
    first = system.attention_on("target", system.initial[:, None], system.watched(latent))[0]
    accept(first < 0.5, "attention on the target at Q = 0", first, "less than 1/2: it has no half-time")
    flow = integrate(system, until=("target", 0.5, latent), rtol=rtol, atol=rtol / 100)
    out = np.full((2, len(system.names) + 1), np.nan)
    if flow.phases[0].name == "decoupling" and len(flow.phases) > 1:
        out[0] = np.append(flow.phases[0].state, flow.phases[0].log_end)
    out[1] = np.append(flow.y[:, -1], flow.log_t[-1])
    return out
