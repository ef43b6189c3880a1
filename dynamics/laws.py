"""Laws of a latent: how bright an area shows."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from dynamics.errors import accept, real_array, real_number, sums_to_one
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

    Attributes
    ----------
    values, weights : (n,) arrays
        Weights that sum to 1 within the rounding of the type they come in are divided by their sum.
    name : str
        What the values stand for, "uniform on [0.5, 1.5], 16 nodes"; empty where they stand for themselves.
    """

    values: Array
    weights: Array
    name: str = ""

    def __post_init__(self) -> None:
        values, weights = real_array(self.values), real_array(self.weights)
        given = (self.values, self.weights)
        accept(values.ndim == 1 and len(values) > 0 and values.shape == weights.shape, "latent", given, ACCEPTED)
        inside = bool(((values >= 0) & (values <= LARGEST)).all())
        accept(inside, "latent", given, f"values >= 0, at most {LARGEST:g}")
        accept(bool((weights > 0).all()), "latent", given, "weights > 0")
        weights, total = sums_to_one(weights, self.weights)
        accept(total == 1, "latent", given, f"weights that sum to 1, not {total}")
        accept(len(np.unique(values)) == len(values), "latent", given, "each value once")
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "weights", weights)

    @guarded
    def __repr__(self) -> str:
        one_by_one = not self.name and len(self.values) <= MOST_VALUES
        return line("Law", f"z = {self.told}" if one_by_one else self.told)

    @property
    def told(self) -> str:
        """The law in a few words: "1", "0.4 or 1, weights 0.2 and 0.8", "uniform on [0.5, 1.5], 16 nodes"."""
        if self.name:
            return self.name
        if len(self.values) > MOST_VALUES:
            least, most = number(self.values.min(), SHORT), number(self.values.max(), SHORT)
            return f"{len(self.values)} values from {least} to {most}"
        values = listed([number(z) for z in self.values], "or")
        weights = listed([number(weight, SHORT) for weight in self.weights])
        return f"{values}, weights {weights}" if len(self.values) > 1 else values

    @property
    def label(self) -> str:
        """What a line says of it: "latent uniform on [0.5, 1.5], 16 nodes"; nothing of the constant 1."""
        return "" if self.told == "1" else f"latent {self.told}"

    @classmethod
    def of(cls, latent: Any) -> Law:
        """The law of a `latent` argument: a number z ≥ 0, a pair (values, weights), a frozen scipy.stats law, or a Law.

        Raises
        ------
        ValueError
            If a value is negative or not finite, or the weights are no probabilities of these values; if a law of SciPy
            is not frozen, has no bounded support, or has a mean and a variance that 16 nodes do not have.
        """
        if isinstance(latent, Law):
            return latent
        if np.isscalar(latent):
            one = real_number("latent", latent, lambda z: 0 <= z <= LARGEST, ACCEPTED)
            return cls(np.array([one]), np.ones(1))
        if is_of_scipy(latent):
            from dynamics.scipy_laws import finite_law

            return cls(*finite_law(latent))
        accept(isinstance(latent, (tuple, list)) and len(latent) == 2, "latent", latent, ACCEPTED)
        return cls(*latent)

    @classmethod
    def of_record(cls, made_by: Mapping[str, Any]) -> Law:
        """The law that a record holds, by its name where the record says one."""
        law = cls(*made_by["latent"])
        told = str(made_by.get("law", "")).removeprefix("latent ")
        return law if told in ("", law.told) else cls(law.values, law.weights, told)

    @classmethod
    def uniform(cls, low: float, high: float) -> Law:
        """The uniform law on the interval from `low` to `high`, by 16 Gauss nodes.

        Raises
        ------
        ValueError
            Unless 0 ≤ low < high ≤ 10⁶, or if the interval is too narrow for 16 floats.
        """
        low = real_number("low", low, lambda z: 0 <= z <= LARGEST, "a number >= 0 (at most 10^6)")
        high = real_number("high", high, lambda z: low < z <= LARGEST, f"a number > low={low:g} (at most 10^6)")
        nodes, weights = np.polynomial.legendre.leggauss(NODES)
        values = (low + high) / 2 + (high - low) / 2 * nodes
        accept(bool((np.diff(values) > 0).all()), "high", high, f"a number further from low={low:g}")
        return cls(values, weights / 2, f"uniform on {interval(low, high)}, {NODES} nodes")

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


def label_of(made_by: Mapping[str, Any]) -> str:
    """What a line says of the law of a record; nothing where the record has none."""
    with suppress(KeyError, TypeError, ValueError):
        return Law.of_record(made_by).label
    return ""


def interval(low: float, high: float) -> str:
    """An interval, its ends to as many digits as tell them apart: "[0.5, 1.5]"."""
    digits = next((digits for digits in (6, 10, 14) if number(low, digits) != number(high, digits)), 17)
    return f"[{number(low, digits)}, {number(high, digits)}]"


def is_of_scipy(given: Any) -> bool:
    """Whether this is a law of scipy.stats, of one variable, or a class of such laws."""
    quantile = getattr(given, "ppf", None) or getattr(given, "icdf", None)
    return callable(getattr(given, "support", None)) and callable(quantile)
