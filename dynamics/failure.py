"""What is known of a solve that failed: how far it came, what drove it there, and how stiff it was."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from dynamics.geometry import Array
from dynamics.system import System
from dynamics.trajectory import Trajectory


class IntegrationError(RuntimeError):
    """A solver failed, left the finite numbers, missed its aim or ran out of time.

    Attributes
    ----------
    trajectory : Trajectory
        The curve so far. Its last record is the last good state.
    system : System
    state : (n,) array
        The last good state.
    t, log_t : float
        Its time, and the logarithm.
    terms : dict
        The terms of the rate there, as of ``System.terms``: name of coordinate -> {name of term: value}.
    eigenvalues : (n,) array
        Of the Jacobian there, ascending; they are real, as the flow is one along a gradient. NaN where the Jacobian
        leaves the range of floats (P > 10¹⁰⁰). The most negative one is the rate that bounds an explicit step in time.
    """

    def __init__(self, message: str, trajectory: Trajectory, system: System) -> None:
        super().__init__(message, trajectory, system)
        self.trajectory, self.system = trajectory, system

    def __str__(self) -> str:
        return str(self.args[0])

    @property
    def state(self) -> Array:
        """The last good state."""
        return self.trajectory.y[:, -1]

    @property
    def t(self) -> float:
        """Time of the last good state, infinite beyond the range of floats."""
        return float(self.trajectory.t[-1])

    @property
    def log_t(self) -> float:
        """Its logarithm."""
        return float(self.trajectory.log_t[-1])

    @cached_property
    def terms(self) -> dict[str, dict[str, float]]:
        """The terms of the rate at the last good state."""
        return self.system.terms(self.state)

    @cached_property
    def eigenvalues(self) -> Array:
        """Eigenvalues of the Jacobian at the last good state, ascending."""
        try:
            return np.sort(np.linalg.eigvals(self.system.jacobian(self.state)).real)
        except (ValueError, np.linalg.LinAlgError):
            return np.full(len(self.state), np.nan)
