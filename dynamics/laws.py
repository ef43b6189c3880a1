"""Laws of a latent: how bright an area shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dynamics.errors import accept, real_array, real_number
from dynamics.geometry import Array

ACCEPTED = "a number >= 0 (at most 10^6) or a pair (values, weights)"
LARGEST = 1e6  # of a latent; rates grow like its cube


@dataclass(frozen=True, eq=False)
class Law:
    """A finite law: values z_i ≥ 0, with weights that sum to one. Exact."""

    values: Array
    weights: Array

    def __post_init__(self) -> None:
        values, weights = real_array(self.values), real_array(self.weights)
        given = (self.values, self.weights)
        accept(values.ndim == 1 and len(values) > 0 and values.shape == weights.shape, "latent", given, ACCEPTED)
        inside = bool(((values >= 0) & (values <= LARGEST)).all())
        accept(inside, "latent", given, f"values >= 0, at most {LARGEST:g}")
        accept(bool((weights > 0).all()), "latent", given, "weights > 0")
        accept(bool(abs(weights.sum() - 1) < 1e-12), "latent", given, f"weights that sum to 1, not {weights.sum()}")
        accept(len(np.unique(values)) == len(values), "latent", given, "each value once")
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "weights", weights)

    @classmethod
    def of(cls, latent: Any) -> Law:
        """The law of a `latent` argument: a number z ≥ 0, a pair (values, weights), or a Law.

        Raises
        ------
        ValueError
            If a value is negative or not finite, or the weights are no probabilities of these values.
        """
        if isinstance(latent, Law):
            return latent
        if np.isscalar(latent):
            one = real_number("latent", latent, lambda z: 0 <= z <= LARGEST, ACCEPTED)
            return cls(np.array([one]), np.ones(1))
        accept(isinstance(latent, (tuple, list)) and len(latent) == 2, "latent", latent, ACCEPTED)
        return cls(*latent)

    @property
    def mean_square(self) -> float:
        """E[z²]."""
        return float(self.weights @ self.values**2)
