"""Laws of a latent: how bright an area shows."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass
from typing import Any

import numpy as np

from dynamics.errors import accept, real_array
from dynamics.geometry import Array


@dataclass(frozen=True, eq=False)
class Law:
    """A finite law: values z_i ≥ 0, with weights that sum to one. Exact."""

    values: Array
    weights: Array

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
        accepted = "a number >= 0 or a pair (values, weights)"
        pair = ([latent], [1.0]) if np.isscalar(latent) else latent
        accept(isinstance(pair, Sized) and len(pair) == 2, "latent", latent, accepted)
        values, weights = map(real_array, pair)
        accept(values.ndim == 1 and len(values) > 0 and values.shape == weights.shape, "latent", latent, accepted)
        accept(bool(np.isfinite(values).all() and (values >= 0).all()), "latent", latent, "values >= 0 and finite")
        accept(bool((weights > 0).all()), "latent", latent, "weights > 0")
        accept(bool(abs(weights.sum() - 1) < 1e-12), "latent", latent, f"weights that sum to 1, not {weights.sum()}")
        accept(len(np.unique(values)) == len(values), "latent", latent, "each value once")
        return cls(values, weights)

    @property
    def mean_square(self) -> float:
        """E[z²]."""
        return float(self.weights @ self.values**2)
