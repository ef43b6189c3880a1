"""How far trainings on samples stray from the flow: the covariance of their correlations, to first order in the noise.

Of B samples a step of size η, each drawn anew: a coordinate's variance is (η/B)·C_ii. One sample moves a row only where
the query is masked, by its row rate r, so that per step of one sample the covariance is D = E[1{masked} r rᵀ] − f fᵀ,
f being the rate; along the flow, dC/dt = J C + C Jᵀ + D. Of merged coordinates it takes nothing but the rows that the
closures have, for each is a mean of its own correlations.
"""

from __future__ import annotations

import numpy as np

from dynamics import closures
from dynamics.closures import Rule
from dynamics.compiled import kernel
from dynamics.errors import accept
from dynamics.flow import integrate
from dynamics.geometry import Array
from dynamics.system import System

FEW_ROWS = 300  # up to this every row is taken
SAMPLES = 200  # else so many: D to some 10 %, and a standard deviation to half of that
MOST_COORDINATES = 400  # the exponential of a matrix takes a tenth of a second there


def covariance(system: System, t_end: float) -> tuple[Array, Array]:
    """C along the flow from Q = 0: the times, (m,), and the covariances at noise η/B = 1, (m, n, n).

    The times are the solver's steps, short enough for C to some thousandths; masks and latents are those of all samples
    where these are few rows, else of some that are drawn, whatever the closure of `system`, which has J.

    Raises
    ------
    ValueError
        If the geometry has real sizes, or there are too many coordinates.
    """
    from scipy.linalg import expm

    n = len(system.names)
    accept(n <= MOST_COORDINATES, "coordinates", n, f"at most {MOST_COORDINATES} whose covariance is wanted")
    flow = integrate(system, t_end, method="RK23", rtol=1e-4, atol=1e-6)
    states, rule, rate_and_loss = flow.y.T.copy(), _rows(system), kernel(system.compiled).rate_and_loss
    sources = [diffusion(closures.row_rates(rate_and_loss, rule, y), rule.weight) for y in states]
    jacobians = [system.jacobian(y) for y in states]
    found = np.zeros((len(flow.t), n, n))
    for i, step in enumerate(np.diff(flow.t)):  # exact where J is constant, and D by the trapezoidal rule
        moved = expm(step * (jacobians[i] + jacobians[i + 1]) / 2)
        found[i + 1] = moved @ (found[i] + step / 2 * sources[i]) @ moved.T + step / 2 * sources[i + 1]
    return flow.t, found


def diffusion(row_rates: Array, weight: Array) -> Array:
    """D, (n, n), of the rates of rows, (rows, n), and their probabilities, that the query is masked included."""
    rate = weight @ row_rates
    return (row_rates.T * weight) @ row_rates - np.outer(rate, rate)


def _rows(system: System) -> Rule:
    """The samples that there are, where they come down to few rows, or some of them."""
    setting, coordinates = system.setting, system.coordinates
    if closures.count_rows(setting, coordinates) <= FEW_ROWS:
        return closures.exact(setting, coordinates)
    return closures.sampled(setting, coordinates, SAMPLES, seed=0)
