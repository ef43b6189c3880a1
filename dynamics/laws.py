"""Laws of a latent: how bright an area shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dynamics.errors import accept, real_array, real_number
from dynamics.geometry import Array
from dynamics.shown import SHORT, guarded, line, listed, number

ACCEPTED = "a number >= 0 (at most 10^6), a pair (values, weights), or a frozen scipy.stats law with bounded support"
LARGEST = 1e6  # of a latent; rates grow like its cube
NODES = 16  # of a law with a density
MOST_VALUES = 4  # of a law, that are told one by one


@dataclass(frozen=True, eq=False)
class Law:
    """A finite law: values z_i ≥ 0, with weights that sum to one. Exact.

    A law with a density is replaced by the Gauss nodes made for it, 16 of them: exact for polynomials of z up to degree
    31, to rounding where the density is smooth inside its support, to about 1e-8 where it has a kink. Every closure and
    the finite transformer take the same nodes.
    """

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

    @guarded
    def __repr__(self) -> str:
        return line("Law", f"z = {self.summary}" if len(self.values) <= MOST_VALUES else self.summary, self.chances)

    @property
    def summary(self) -> str:
        """The values in a few words: "1", "0.4, 1 or 1.7", "16 values from 0.0106 to 1.99"."""
        if len(self.values) <= MOST_VALUES:
            return listed([number(z) for z in self.values], "or")
        least, most = number(self.values.min(), SHORT), number(self.values.max(), SHORT)
        return f"{len(self.values)} values from {least} to {most}"

    @property
    def chances(self) -> str:
        """Their weights, where these are few and more than one: "weights 0.2, 0.5 and 0.3"."""
        if not 1 < len(self.weights) <= MOST_VALUES:
            return ""
        return f"weights {listed([number(weight, SHORT) for weight in self.weights])}"

    @classmethod
    def of(cls, latent: Any) -> Law:
        """The law of a `latent` argument: a number z ≥ 0, a pair (values, weights), a frozen scipy.stats law, or a Law.

        Raises
        ------
        ValueError
            If a value is negative or not finite, the weights are no probabilities of these values, or a law of SciPy
            has no bounded support.
        """
        if isinstance(latent, Law):
            return latent
        if np.isscalar(latent):
            one = real_number("latent", latent, lambda z: 0 <= z <= LARGEST, ACCEPTED)
            return cls(np.array([one]), np.ones(1))
        if callable(getattr(latent, "support", None)) and callable(getattr(latent, "ppf", None)):
            return cls(*_nodes(latent))
        accept(isinstance(latent, (tuple, list)) and len(latent) == 2, "latent", latent, ACCEPTED)
        return cls(*latent)

    @property
    def least_positive(self) -> float | None:
        """The smallest positive value, which locks last; None where there is none."""
        positive = self.values[self.values > 0]
        return float(positive.min()) if len(positive) else None

    def shown(self, latent: Any, areas: int) -> Array:
        """What each area shows, (areas,): `latent`, a number or one an area; None for the value of a law that has one.

        Raises
        ------
        ValueError
            If `latent` is something else, or None where the law has several values.
        """
        each = f"a number >= 0 (at most 10^6), or one for each of {areas} areas"
        if latent is None:
            accept(len(self.values) == 1, "latent", None, f"{each}: the law has {len(self.values)} values")
            latent = self.values[0]
        shown = real_array(latent)
        ok = shown.shape in ((), (areas,)) and bool(((shown >= 0) & (shown <= LARGEST)).all())
        accept(ok, "latent", latent, each)
        return np.full(areas, shown)

    @property
    def mean_square(self) -> float:
        """E[z²]."""
        return float(self.weights @ self.values**2)


def _nodes(law: Any) -> tuple[Array, Array]:
    """Values and weights of a frozen SciPy law: its own where it is discrete, else its Gauss nodes."""
    first, last = (float(end) for end in law.support())
    expected = f"a support within [0, {LARGEST:g}]"
    accept(0 <= first < last <= LARGEST, "latent.support()", (first, last), expected)
    if hasattr(law, "pmf"):
        values = np.arange(first, last + 1)
        weights = law.pmf(values)
        return values[weights > 0], weights[weights > 0] / weights.sum()
    return _gauss(*_fine_law(law))


def _fine_law(law: Any) -> tuple[Array, Array]:
    """A law with a density by many values: the double-exponential rule, whatever the density does at its ends."""
    t = np.linspace(-3.2, 3.2, 801)
    lower = 1 / (1 + np.exp(np.pi * np.sinh(-t)))  # probability below, and above
    upper = lower[::-1]
    weight = lower * upper * np.cosh(t)
    return np.where(t < 0, law.ppf(lower), law.isf(upper)), weight / weight.sum()


def _gauss(values: Array, weights: Array) -> tuple[Array, Array]:
    """Gauss nodes of a law of many values: eigenvalues of its Jacobi matrix, by the Stieltjes procedure."""
    from scipy.linalg import eigh_tridiagonal

    before, here = np.zeros_like(values), np.ones_like(values)
    diagonal, off = np.empty(NODES), np.empty(NODES)
    norm = 1.0
    for n in range(NODES):
        size = float(weights @ here**2)
        diagonal[n], off[n] = weights @ (values * here**2) / size, size / norm
        before, here, norm = here, (values - diagonal[n]) * here - off[n] * before * (n > 0), size
    nodes, vectors = eigh_tridiagonal(diagonal, np.sqrt(off[1:]))
    chance = vectors[0] ** 2
    return nodes, chance / chance.sum()
