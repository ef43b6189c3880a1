"""How patches are arranged: areas of every cluster, and classes of exchangeable patches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamics.errors import accept, real_array, real_number, rows_and_columns, whole_number

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

MOST_PATCHES = 10_000_000  # that are counted one by one


@dataclass(frozen=True, eq=False)
class Geometry:
    """Patches, the areas that partition them in every cluster, and the classes they fall into.

    Patches with the same area in every cluster are exchangeable: they form a *class*. Build one with
    ``single_cluster``, ``from_labels``, ``from_image`` or ``scaling``.

    Attributes
    ----------
    patch_class : (P,) array of int, or None
        Class of patch p; None where sizes are real numbers (``scaling``).
    class_areas : (S, K) array of int
        Area of class s in cluster k.
    class_size : (S,) array
        Patches in class s; real in ``scaling``.
    class_copies : (S,) array
        How many classes of this size the entry stands for: 1, except in ``scaling``.
    grid : (H, W) or None
        Rows and columns of patches, to draw.
    """

    patch_class: Indices | None
    class_areas: Indices
    class_size: Array
    class_copies: Array
    grid: tuple[int, int] | None = None

    @classmethod
    def from_labels(cls, labels: npt.ArrayLike, grid: tuple[int, int] | None = None) -> Geometry:
        """Geometry of given areas.

        Parameters
        ----------
        labels : (K, P) or (P,) array of whole numbers
            Area of patch p in cluster k, numbered 0, 1, ... without a gap in every cluster.
        grid : (H, W), optional
            Rows and columns of the patch grid, H·W = P.

        Raises
        ------
        ValueError
            If a label is no whole number, an area is empty, or the grid does not hold P patches.
        """
        area_of = _whole_labels(labels)
        for k, row in enumerate(area_of):
            missing = sorted(set(range(int(row.max()) + 1)) - set(row.tolist()))
            accept(not missing, f"labels[{k}]", row.tolist(), f"every area to have a patch, but {missing} have none")
        if grid is not None:
            grid = rows_and_columns(grid)
            accept(math.prod(grid) == area_of.shape[1], "grid", grid, f"H, W with H·W = {area_of.shape[1]} patches")
        areas, patch_class, sizes = np.unique(area_of, axis=1, return_inverse=True, return_counts=True)
        return cls(patch_class.ravel(), areas.T.copy(), sizes.astype(float), np.ones(len(sizes)), grid)

    @classmethod
    def single_cluster(cls, global_size: int, local_size: int, local_areas: int) -> Geometry:
        """One cluster: a global area of `global_size` patches, then `local_areas` areas of `local_size` each."""
        global_size, local_size, local_areas = (
            whole_number(name, value, 1, MOST_PATCHES)
            for name, value in (("global_size", global_size), ("local_size", local_size), ("local_areas", local_areas))
        )
        patches = global_size + local_size * local_areas
        accept(patches <= MOST_PATCHES, "patches", patches, f"at most {MOST_PATCHES:,}; Geometry.scaling takes any")
        return cls.from_labels(np.repeat(np.arange(local_areas + 1), [global_size] + [local_size] * local_areas))

    @classmethod
    def from_image(cls, image: Any = None, grid: tuple[int, int] = (14, 14), areas: int = 8, seed: int = 0) -> Geometry:
        """Areas of a real picture: k-means on the colour of each patch and, weakly, its place.

        Parameters
        ----------
        image : path or (height, width[, channels]) array, optional
            The picture; by default the photograph that Matplotlib ships.
        grid : (H, W)
            Patches per column and row; at least one pixel each.
        areas : int
            Colour regions to look for, at most H·W; an empty one is dropped.
        seed : int
            Seed of k-means.

        Raises
        ------
        ValueError
            If the picture has no pixels to average, is smaller than the grid, or `areas` exceeds the patches.
        """
        from dynamics.image import label_patches  # Matplotlib and SciPy load only where a picture is read

        return cls.from_labels(label_patches(image, grid, areas, seed)[None], grid)

    @classmethod
    def scaling(cls, log10_patches: float, kappa_c: float, kappa_s: float) -> Geometry:
        """One cluster of the paper's scaling: C_global = P^κc, C_local = P^κs, (P − C_global)/C_local local areas.

        Sizes and numbers are real. Large-P: for the mean-field closure only.

        Parameters
        ----------
        log10_patches : float
            log10 P, in (0, 100]: squares of attentions stay in the range of floats well after locking.
        kappa_c, kappa_s : float
            Exponents of the global and the local areas, in (0, 1).

        Raises
        ------
        ValueError
            If an argument is out of range or there is no more than one local area.
        """
        log10_patches = real_number("log10_patches", log10_patches, lambda log: 0 < log <= 100, "a number in (0, 100]")
        kappa_c, kappa_s = (
            real_number(name, value, lambda kappa: 0 < kappa < 1, "a number in (0, 1)")
            for name, value in (("kappa_c", kappa_c), ("kappa_s", kappa_s))
        )
        patches, global_size, local_size = (10 ** (log10_patches * kappa) for kappa in (1, kappa_c, kappa_s))
        local_areas = (patches - global_size) / local_size
        accept(local_areas > 1, "kappa_s", kappa_s, f"more than one local area, not {local_areas:.3g}")
        return cls(None, np.array([[0], [1]]), np.array([global_size, local_size]), np.array([1.0, local_areas]), None)

    @property
    def area_of(self) -> Indices | None:
        """Area of patch p in cluster k, (K, P); None where sizes are real numbers (``scaling``)."""
        return None if self.patch_class is None else self.class_areas[self.patch_class].T

    @property
    def patches(self) -> int | float:
        """Number of patches P; real in ``scaling``."""
        return float(self.class_size @ self.class_copies) if self.patch_class is None else len(self.patch_class)

    @property
    def clusters(self) -> int:
        """Number of clusters K."""
        return self.class_areas.shape[1]

    @property
    def areas(self) -> tuple[int, ...]:
        """Number of areas N_k of each cluster; in ``scaling``, of different areas."""
        return tuple(int(column.max()) + 1 for column in self.class_areas.T)

    def area_size(self, k: int = 0) -> Array:
        """Patches C_{k,m} of each area of cluster k: an (N_k,) array."""
        k = whole_number("k", k, 0, self.clusters - 1)
        return np.bincount(self.class_areas[:, k], weights=self.class_size).astype(float)

    def global_area(self, k: int = 0) -> int | None:
        """The unique largest area of cluster k (in ``scaling``, the one of size P^κc); None if there is none."""
        k = whole_number("k", k, 0, self.clusters - 1)
        if self.patch_class is None:
            return 0
        sizes = self.area_size(k)
        return int(sizes.argmax()) if (sizes == sizes.max()).sum() == 1 else None

    def class_of(self, query: int | str) -> int:
        """Class of a query: a patch index, or "global" / "local" for one cluster with a unique largest area.

        "local" is any patch outside the global area, where these areas are of one size.

        Raises
        ------
        ValueError
            If there is no such query.
        """
        if isinstance(query, str) and query in ("global", "local"):
            largest = self.global_area()
            ok = self.clusters == 1 and largest is not None
            accept(ok, "query", query, "a patch index: there is no one cluster with a unique largest area")
            (class_areas,) = self.class_areas.T
            assert largest is not None
            is_global = np.equal(class_areas, largest)
            if query == "global":
                return int(is_global.argmax())
            sizes = np.unique(self.class_size[~is_global])
            accept(len(sizes) == 1, "query", query, f"a patch index: local areas have {sizes.tolist()} patches")
            return int((~is_global).argmax())
        accept(self.patch_class is not None, "query", query, '"local" or "global": patches are not numbered here')
        assert self.patch_class is not None
        patch = whole_number("query", query, 0, len(self.patch_class) - 1, also='"local", "global" or ')
        return int(self.patch_class[patch])

    def patches_of(self, query_class: int) -> Indices:
        """The patches of a class."""
        assert self.patch_class is not None
        return np.flatnonzero(np.equal(self.patch_class, query_class))


def _whole_labels(labels: npt.ArrayLike | Sequence[Any]) -> Indices:
    """The labels as a (K, P) array of int, or a clear error."""
    given = real_array(labels)
    given = given[None] if given.ndim == 1 else given
    accept(given.ndim == 2 and given.size > 0, "labels", labels, "a (K, P) array of whole numbers")
    wrong = given[~((given >= 0) & (given == np.floor(given)) & np.isfinite(given))]
    accept(wrong.size == 0, "labels", wrong[:3].tolist(), "whole numbers, 0 or more")
    patches = given.shape[1]
    accept(
        bool((given < patches).all()), "labels", float(given.max()), f"labels below the number of patches, {patches}"
    )
    return given.astype(np.int64)
