"""A learning problem: geometry, latent law, mask ratio and cluster weights, checked once."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dynamics.errors import accept, real_array, real_number, sums_to_one
from dynamics.geometry import Array, Geometry
from dynamics.laws import Law, is_of_scipy
from dynamics.shown import MOST_ROWS, SHORT, Sheet, further, guarded, line, listed, number

MOST_FOR_FLOOR = 100_000  # patches times classes times clusters: up to there L* takes some tenths of a second


@dataclass(frozen=True, eq=False)
class Setting:
    """What is learnt: which pictures are shown, and how much of them is masked.

    Parameters
    ----------
    geometry : Geometry
    latent : float, (values, weights), Law or frozen scipy.stats law
        Law of the latent z_{k,m} ≥ 0 of every area, independent across areas.
    mask_ratio : float
        γ in (0, 1): round(γP) patches are masked (half-even), at least 1 and at most P − 1. Not rounded in
        ``Geometry.scaling``.
    cluster_weights : (K,) array, optional
        Probability π_k of each cluster; 1/K by default. They sum to 1 within the rounding of the type they come in.

    Raises
    ------
    ValueError
        If nothing or everything is masked, a latent is negative, or weights do not sum to one.
    """

    geometry: Geometry
    latent: Any = 1.0
    mask_ratio: float = 0.5
    cluster_weights: Any = None
    law: Law = field(init=False)
    weights: Array = field(init=False)
    masked: int | float = field(init=False)

    def __post_init__(self) -> None:
        geometry = self.geometry
        accept(isinstance(geometry, Geometry), "geometry", geometry, "a Geometry")
        object.__setattr__(self, "law", Law.of(self.latent))
        if is_of_scipy(self.latent):  # some of SciPy's can go to no other process
            object.__setattr__(self, "latent", self.law)
        object.__setattr__(self, "weights", _cluster_weights(self.cluster_weights, geometry.clusters))
        expected = f"a number in (0, 1) that masks at least one and not all of the {geometry.patches:g} patches"
        masked: int | float = geometry.patches * real_number(
            "mask_ratio", self.mask_ratio, lambda g: 0 < g < 1, expected
        )
        if geometry.patch_class is not None:
            masked = round(masked)
        accept(1 <= masked <= geometry.patches - 1, "mask_ratio", self.mask_ratio, expected)
        object.__setattr__(self, "masked", masked)

    @guarded
    def __repr__(self) -> str:
        few = self.weights[:MOST_ROWS]
        weights = f"cluster weights {listed([number(w, SHORT) for w in few])}" if np.ptp(self.weights) > 0 else ""
        masked = f"γ = {number(self.mask_ratio)}" if self.geometry.patch_class is None else f"{self.masked} masked"
        gap = self._shown_gap(SHORT)
        told = (f"latent {self.law.told}", masked, weights, f"Δ = {gap}" if gap else "")
        return line("Setting", self.geometry.summary, *told)

    def _repr_html_(self) -> str:
        return self.sheet().html()

    def sheet(self) -> Sheet:
        """The setting as a table; with L* where that takes little time."""
        geometry, counted, gap = self.geometry, self.geometry.patch_class is not None, self._shown_gap()
        rows = [("patches P", geometry.how_many.removeprefix("P = ").partition(" ")[0])]
        rows += [("grid", "{} × {}".format(*geometry.grid))] if geometry.grid else []
        for k, weight in zip(range(MOST_ROWS), self.weights, strict=False):
            of_cluster = f" of cluster {k} (probability {number(weight)})" if geometry.clusters > 1 else ""
            rows.append((f"areas{of_cluster}", geometry.sizes(k).removeprefix("areas of ")))
        rows += [(name, value) for name, value in geometry.kappas.items() if name != "areas"]
        rows += [("latent z", self.law.told)]
        rows += [("masked patches", number(self.masked))] if counted else []
        rows += [("mask ratio γ", number(self.masked_fraction)), ("information gap Δ", gap)]
        if counted and geometry.patches * len(geometry.class_size) * geometry.clusters <= MOST_FOR_FLOOR:
            rows.append(("infimum of the loss L*", number(self.loss_floor)))
        return Sheet("Setting", ("", ""), tuple(row for row in rows if row[1]), further(geometry.clusters, "clusters"))

    def _shown_gap(self, digits: int = 6) -> str:
        """Δ, or nothing where it has no meaning."""
        with suppress(ValueError):
            return number(self.information_gap, digits)
        return ""

    @property
    def masked_fraction(self) -> float:
        """γ as it is: round(γP)/P, the probability that a patch is masked."""
        geometry = self.geometry
        return float(self.mask_ratio) if geometry.patch_class is None else self.masked / geometry.patches

    @property
    def provenance(self) -> dict[str, Any]:
        """What makes this setting again, as text holds it."""
        area_of, powers = self.geometry.area_of, self.geometry.powers
        real = {"powers": dict(powers or {}), "masked_fraction": self.masked_fraction}
        return (real if area_of is None else {"labels": area_of.tolist(), "masked": self.masked}) | {
            "latent": [self.law.values.tolist(), self.law.weights.tolist()],
            "law": f"latent {self.law.told}",
            "cluster_weights": self.weights.tolist(),
        }

    @property
    def information_gap(self) -> float:
        """Δ = (1 − κs) − 2(1 − κc), with C_global = P^κc and C_local = P^κs. Result ``information-gap``.

        Raises
        ------
        ValueError
            If there are several clusters, no unique largest area, or local areas of different sizes.
        """
        geometry = self.geometry
        accept(geometry.clusters == 1, "clusters", geometry.clusters, "one cluster: Δ has no meaning for several")
        largest, sizes = geometry.global_area(), geometry.area_size()
        accept(largest is not None, "area_size", sizes.tolist(), "a unique largest area")
        assert largest is not None
        log_sizes = geometry.log_class_size[geometry.class_areas[:, 0].argsort()]  # one cluster: a class is an area
        local = np.delete(log_sizes, largest)
        same = len(local) > 0 and bool((local == local[0]).all())
        accept(same, "area_size", sizes.tolist(), "local areas of one size beside the global one")
        kappa_c, kappa_s = log_sizes[largest] / geometry.log_patches, local[0] / geometry.log_patches
        return float((1 - kappa_s) - 2 * (1 - kappa_c))

    @property
    def loss_floor(self) -> float:
        """L*, the infimum of the loss. Exact; results ``loss-floor``, ``loss-above-floor``, ``floor-is-approached``.

        An area that is wholly masked cannot be reconstructed, any other can.

        Raises
        ------
        ValueError
            If the geometry has real sizes.
        """
        floors = [self._floor(s) for s in range(len(self.geometry.class_size))]
        return float(self.geometry.class_size @ floors)

    def loss_floor_of(self, query: int | str) -> float:
        """L*_p, the share in L* of one query: a patch, or "local" or "global" as in ``reduce``. Exact.

        Raises
        ------
        ValueError
            If there is no such query, or the geometry has real sizes.
        """
        return self._floor(self.geometry.class_of(query))

    def _floor(self, own: int) -> float:
        """½ E[z²] times the chance that the area of a patch of this class is wholly masked."""
        geometry = self.geometry
        accept(geometry.patch_class is not None, "geometry", "scaling", "patches that can be counted")
        patches, masked, chance = int(geometry.patches), int(self.masked), 0.0
        for k, weight in enumerate(self.weights):
            size = int(geometry.area_size(k)[geometry.class_areas[own, k]])
            if size <= masked:
                chance += weight * (math.comb(patches - size, masked - size) / math.comb(patches, masked))
        return 0.5 * chance * self.law.mean_square


def _cluster_weights(given: Any, K: int) -> Array:
    """One probability a cluster, or a ValueError."""
    if given is None:
        return np.full(K, 1 / K)
    weights, expected = real_array(given), f"one number > 0 for each of {K} clusters, that sum to 1"
    accept(weights.shape == (K,) and bool((weights > 0).all()), "cluster_weights", given, expected)
    weights, total = sums_to_one(weights, given)
    accept(total == 1, "cluster_weights", given, f"{expected}, not {total}")
    return weights
