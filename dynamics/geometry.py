"""How patches are arranged: areas of every cluster, and classes of exchangeable patches."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamics.errors import accept, real_array, real_number, rows_and_columns, whole_number
from dynamics.shown import counted, guarded, line, listed, number, power

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

MOST_PATCHES = 10_000_000  # that are counted one by one
MOST_LOG10_PATCHES = 1e6  # of real sizes: a correlation then still has ten digits
MOST_TOLD = 10  # areas without a patch
MOST_KINDS = 4  # of sizes, and of clusters, that are told one by one in a line


@dataclass(frozen=True, eq=False)
class Geometry:
    """Patches, the areas that partition them in every cluster, and the classes they fall into.

    Patches with the same area in every cluster are exchangeable: they form a *class*. Build one with
    ``single_cluster``, ``from_labels``, ``from_maps``, ``from_image`` or ``scaling``.

    Attributes
    ----------
    patch_class : (P,) array of int, or None
        Class of patch p; None where sizes are real numbers (``scaling``).
    class_areas : (S, K) array of int
        Area of class s in cluster k.
    class_size : (S,) array
        Patches in class s; in ``scaling`` real, and infinite beyond the range of floats.
    class_copies : (S,) array
        How many classes of this size the entry stands for: 1, except in ``scaling``; may be infinite likewise.
    log_class_size, log_class_copies : (S,) array
        Their logarithms, always finite.
    grid : (H, W) or None
        Rows and columns of patches, to draw.
    powers : dict or None
        The arguments of ``scaling``, by name; None where patches are counted.
    """

    patch_class: Indices | None
    class_areas: Indices
    class_size: Array
    class_copies: Array
    grid: tuple[int, int] | None = None
    log_class_size: Array = field(default=None, kw_only=True)  # type: ignore[arg-type]
    log_class_copies: Array = field(default=None, kw_only=True)  # type: ignore[arg-type]
    powers: dict[str, float | None] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("class_size", "class_copies"):
            if getattr(self, f"log_{name}") is None:
                object.__setattr__(self, f"log_{name}", np.log(getattr(self, name)))

    @classmethod
    def from_labels(cls, labels: npt.ArrayLike, grid: tuple[int, int] | None = None) -> Geometry:
        """Geometry of given areas, a row of labels for each cluster.

        Parameters
        ----------
        labels : (K, P) or (P,) array of whole numbers
            Area of patch p in cluster k, numbered 0, 1, ... without a gap in every cluster.
        grid : (H, W), optional
            Rows and columns of the patch grid, H·W = P. It is needed where the rows could be those of a grid, and then
            says that they are clusters: where there are as many rows as patches in a row, and more than two; or more
            than three rows, where neither of these numbers is more than twice the other.

        Raises
        ------
        ValueError
            If a label is no whole number, an area is empty, or the grid does not hold P patches; without `grid` if the
            rows could be those of one: ``from_maps`` takes labels on the grid.
        """
        area_of = _whole_labels("labels", labels, (1, 2), "a (K, P) array of whole numbers")
        if grid is None:
            rows, patches = area_of.shape
            expected = (
                f"grid= beside {rows} rows of {patches}, such as grid=(1, {patches}), if they are {rows} clusters; "
                f"if they are one cluster on a {rows} × {patches} grid, from_maps takes them (from a shell --maps)"
            )
            accept(not _could_be_grid(rows, patches), "labels", labels, expected)
        return of_rows(area_of, grid)

    @classmethod
    def from_maps(cls, maps: npt.ArrayLike) -> Geometry:
        """Geometry of given areas, the labels of each cluster on the grid of patches.

        Parameters
        ----------
        maps : (H, W) or (K, H, W) array of whole numbers
            Area of the patch in each row and column of the grid, of one cluster or of each of K, numbered 0, 1, ...
            without a gap in every cluster. Patches are numbered along the rows; the grid is kept.

        Raises
        ------
        ValueError
            If a label is no whole number, or an area is empty.
        """
        given = _whole_labels("maps", maps, (2, 3), "an (H, W) or a (K, H, W) array of whole numbers")
        return of_rows(given.reshape(len(given), -1), given.shape[1:], "maps")

    @classmethod
    def single_cluster(cls, global_size: int, local_size: int, local_areas: int) -> Geometry:
        """One cluster: a global area of `global_size` patches, then `local_areas` areas of `local_size` each."""
        global_size, local_size, local_areas = (
            whole_number(name, value, 1, MOST_PATCHES)
            for name, value in (("global_size", global_size), ("local_size", local_size), ("local_areas", local_areas))
        )
        patches = global_size + local_size * local_areas
        accept(patches <= MOST_PATCHES, "patches", patches, f"at most {MOST_PATCHES:,}; Geometry.scaling takes any")
        return of_rows(np.repeat(np.arange(local_areas + 1), [global_size] + [local_size] * local_areas))

    @classmethod
    def from_image(cls, image: Any = None, grid: tuple[int, int] = (14, 14), areas: int = 8, seed: int = 0) -> Geometry:
        """Areas of a real picture: k-means on the colour of each patch and, weakly, its place.

        Parameters
        ----------
        image : path, (height, width[, 1 to 4]) array or picture of Pillow, optional
            Read as it is seen, see ``patch_colours``; by default the photograph that Matplotlib ships.
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

        return of_rows(label_patches(image, grid, areas, seed), grid)

    @classmethod
    @np.errstate(under="ignore")
    def scaling(
        cls, log10_patches: float, kappa_c: float | None, kappa_s: float, areas: float | None = None
    ) -> Geometry:
        """One cluster of the paper's scaling: C_global = P^κc, C_local = P^κs, (P − C_global)/C_local local areas.

        Sizes and numbers are real and kept as logarithms, so that P may be any number. Large-P: for the mean-field
        closure, and up to P ≈ 10¹⁸ the second-order one.

        Parameters
        ----------
        log10_patches : float
            log10 P, in (0, 10⁶].
        kappa_c : float or None
            Exponent of the global area, in (0, 1], above or below `kappa_s`; None: all areas are local ones.
        kappa_s : float
            Exponent of the local areas, in (0, 1).
        areas : float, optional
            Number of local areas, real, 1 or more. Sizes stay these powers of 10^log10_patches; P is then their sum.

        Raises
        ------
        ValueError
            If an argument is out of range or there is no more than one local area.
        """
        most = f"a number in (0, {MOST_LOG10_PATCHES:g}]"
        log10 = real_number("log10_patches", log10_patches, lambda log: 0 < log <= MOST_LOG10_PATCHES, most)
        kappa_s = real_number("kappa_s", kappa_s, lambda kappa: 0 < kappa < 1, "a number in (0, 1)")
        if kappa_c is not None:
            kappa_c = real_number("kappa_c", kappa_c, lambda kappa: 0 < kappa <= 1, "None or a number in (0, 1]")
        log_patches = log10 * math.log(10)
        if areas is None:
            left = 1.0 if kappa_c is None else -math.expm1((kappa_c - 1) * log_patches)  # of P, for local areas
            log_areas = math.log(left) + (1 - kappa_s) * log_patches if left > 0 else -math.inf
            number = math.exp(min(log_areas, 1.0))
            accept(log_areas > 0, "kappa_s", kappa_s, f"more than one local area, not {number:.3g}")
        else:
            expected = "None or a finite number, 1 or more"
            areas = real_number("areas", areas, lambda number: 1 <= number < math.inf, expected)
            log_areas = math.log(areas)
        sizes = [] if kappa_c is None else [(kappa_c * log_patches, 0.0)]
        log_size, log_copies = np.array([*sizes, (kappa_s * log_patches, log_areas)]).T
        with np.errstate(over="ignore"):
            size, copies = np.exp(log_size), np.exp(log_copies)
        if areas is not None:
            copies[-1] = areas
        numbers = np.arange(len(size))[:, None]
        powers = {"log10_patches": log10, "kappa_c": kappa_c, "kappa_s": kappa_s, "areas": areas}
        return cls(None, numbers, size, copies, log_class_size=log_size, log_class_copies=log_copies, powers=powers)

    @guarded
    def __repr__(self) -> str:
        if self.powers is None:
            return line("Geometry", self.summary)
        given = ((name, value) for name, value in self.powers.items() if value is not None or name == "kappa_c")
        return line("Geometry.scaling", ", ".join(f"{name}={_argument(value)}" for name, value in given))

    @property
    def summary(self) -> str:
        """Patches and areas in a few words: "64 patches: areas of 40 and 4 × 6"."""
        if self.patch_class is None:
            return ", ".join([self.how_many, *(f"{name} = {kappa}" for name, kappa in self.kappas.items())])
        patches = self.how_many
        if self.grid is not None:
            patches += " on a {} × {} grid".format(*self.grid)
        if self.clusters == 1:
            return f"{patches}: {self.sizes()}"
        patches += f" in {counted(len(self.class_size), 'class', 'classes')}, {self.clusters} clusters"
        if self.clusters < MOST_KINDS:
            others = (self.sizes(k).removeprefix("areas of ") for k in range(1, self.clusters))
            return "; ".join([f"{patches}: {self.sizes()}", *others])
        fewest, most = min(self.areas), max(self.areas)
        return f"{patches} of {counted(fewest, 'area') if fewest == most else f'{fewest} to {most} areas'}"

    @property
    def how_many(self) -> str:
        """The number of patches as it is shown: "64 patches", "P = 10^30"."""
        if self.patch_class is None:
            return f"P = {power(self.log_patches)}"
        return counted(self.patches, "patch", "patches")

    @property
    def kappas(self) -> dict[str, str]:
        """The powers of P that are the sizes of areas, and the number of these where it is given: as they are shown."""
        given = zip(("κc", "κs", "areas"), ("kappa_c", "kappa_s", "areas"), strict=True)
        powers = [(name, (self.powers or {}).get(argument)) for name, argument in given]
        return {name: number(value) for name, value in powers if value is not None}

    def sizes(self, k: int = 0) -> str:
        """The areas of cluster k in a few words: "areas of 40 and 4 × 6", or how many, and from what size to what."""
        if self.patch_class is None:
            pairs = zip(self.log_class_size, self.log_class_copies, strict=True)
            return f"areas of {listed([(f'{power(n)} × ' if n else '') + power(size) for size, n in pairs])}"
        kinds, counts = np.unique(self.area_size(k).astype(int), return_counts=True)
        if len(kinds) > MOST_KINDS:
            return f"{counts.sum()} areas of {kinds[0]} to {kinds[-1]}"
        pairs = zip(kinds[::-1].tolist(), counts[::-1].tolist(), strict=True)
        words = [f"{n} × {size}" if n > 1 else f"{size}" for size, n in pairs]
        return f"areas of {listed(words)}" if counts.sum() > 1 else "one area"

    @property
    def area_of(self) -> Indices | None:
        """Area of patch p in cluster k, (K, P); None where sizes are real numbers (``scaling``)."""
        return None if self.patch_class is None else self.class_areas[self.patch_class].T

    @property
    @np.errstate(under="ignore")
    def patches(self) -> int | float:
        """Number of patches P; in ``scaling`` real, and infinite beyond the range of floats."""
        with np.errstate(over="ignore"):
            return float(self.class_size @ self.class_copies) if self.patch_class is None else len(self.patch_class)

    @property
    @np.errstate(under="ignore")
    def log_patches(self) -> float:
        """Logarithm of P, always finite."""
        return float(np.logaddexp.reduce(self.log_class_size + self.log_class_copies))

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
            return 0 if len(self.class_size) > 1 else None
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
        if isinstance(query, str) and query == "local" and self.patch_class is None:
            return len(self.class_size) - 1
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

    def patch_of(self, query: int | str) -> int:
        """The patch of a query: itself, or the first that is "global" or "local"; a ValueError as of ``class_of``."""
        own = self.class_of(query)
        return int(self.patches_of(own)[0] if isinstance(query, str) else query)

    def patches_of(self, query_class: int) -> Indices:
        """The patches of a class."""
        assert self.patch_class is not None
        return np.flatnonzero(np.equal(self.patch_class, query_class))


def _argument(value: float | None) -> str:
    return "None" if value is None else number(value, 12)


def of_rows(labels: npt.ArrayLike, grid: Any = None, argument: str = "labels") -> Geometry:
    """Geometry of labels with a row for each cluster, where that is known: from a record, or from what made them.

    Raises
    ------
    ValueError
        As ``Geometry.from_labels``, which asks where it could be otherwise; it names the argument.
    """
    given = _whole_labels(argument, labels, (1, 2), "a (K, P) array of whole numbers")
    patches = given.shape[1]
    maps = grid is None and len(given) > 1 and len(np.unique(given)) == given.max() + 1
    hint = "; labels of one cluster on the grid are for from_maps (from a shell --maps)" if maps else ""
    fewer = f"labels below the number of patches, {patches}{hint}"
    accept(bool((given < patches).all()), argument, float(given.max()), fewer)
    area_of = given.astype(np.int64)
    for k, row in enumerate(area_of):
        missing = sorted(set(range(int(row.max()) + 1)) - set(row.tolist()))
        more = f" and {len(missing) - MOST_TOLD} more" if len(missing) > MOST_TOLD else ""
        expected = f"every area to have a patch, but {missing[:MOST_TOLD]}{more} have none{hint}"
        accept(not missing, f"{argument}[{k}]", row.tolist(), expected)
    if grid is not None:
        grid = rows_and_columns(grid)
        accept(math.prod(grid) == patches, "grid", grid, f"H, W with H·W = {patches} patches")
    areas, patch_class, sizes = np.unique(area_of, axis=1, return_inverse=True, return_counts=True)
    return Geometry(patch_class.ravel(), areas.T.copy(), sizes.astype(float), np.ones(len(sizes)), grid)


def _could_be_grid(rows: int, columns: int) -> bool:
    """Whether so many rows of labels could be those of one cluster on a grid, which is about as high as wide."""
    return rows == columns > 2 or (rows > 3 and rows <= 2 * columns and columns <= 2 * rows)


def _whole_labels(argument: str, labels: Any, dimensions: tuple[int, int], expected: str) -> Array:
    """The labels, all whole numbers, with a first axis for the clusters, or a clear error."""
    given = real_array(labels)
    accept(given.ndim in dimensions and given.size > 0, argument, labels, expected)
    given = given if given.ndim == dimensions[1] else given[None]
    wrong = given[~((given >= 0) & (given == np.floor(given)) & np.isfinite(given))]
    accept(wrong.size == 0, argument, wrong[:3].tolist(), "whole numbers, 0 or more")
    return given
