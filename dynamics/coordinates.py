"""The reduced coordinates of one query: which correlations share one value, and what each is called.

Correlations that are equal at Q = 0 stay equal for ever where their rates are: the coarsest such sharing is found by
refining a colouring of clusters, areas and classes until equal colours have equal surroundings. It is never finer than
the orbits of the relabellings that keep the geometry and the query, and still exact where it is coarser: a sample shows
one cluster, in which a rate sees nothing but areas and the classes inside them. Results ``exchangeable-patches``,
``equal-areas-merge``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dynamics.geometry import Array, Geometry, Indices
from dynamics.setting import Setting
from dynamics.shown import guarded, line, some


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Names and multiplicities of the reduced coordinates, and where each correlation finds its own.

    Attributes
    ----------
    names : tuple of str
        ``fp.target``, ... for one cluster whose areas are a target, a global and equal other ones; else ``fp[k,m]`` and
        ``pp[a0,a1,...]``, by the area of a class in every cluster.
    multiplicity : (n,) array
        How many single correlations each coordinate stands for.
    fp : K arrays (N_k,) of int
        Coordinate of Φ_{k,m}.
    pp : (S,) array of int
        Coordinate of Υ_s; −1 for a class without another patch.
    target : (K,) array of int
        Target area of the query in every cluster.
    class_areas, class_size, class_copies, log_class_size, log_class_copies
        As in Geometry, the query itself not counted.
    """

    names: tuple[str, ...]
    multiplicity: Array
    fp: tuple[Indices, ...]
    pp: Indices
    target: Indices
    class_areas: Indices
    class_size: Array
    class_copies: Array
    log_class_size: Array
    log_class_copies: Array

    @guarded
    def __repr__(self) -> str:
        return line("Coordinates", f"{len(self.names)}: {some(self.names)}")

    @classmethod
    def of(cls, setting: Setting, query: int | str, merge: bool = True) -> Coordinates:
        """Coordinates of a query (theory: classes and merged areas); ``merge=False`` gives every area its own."""
        geometry = setting.geometry
        own = geometry.class_of(query)
        areas, size, copies, log_size, log_copies = _without_query(geometry, own)
        own = own if len(areas) == len(geometry.class_areas) else len(areas) - 1
        if merge:
            fp_colour, pp_colour = _refine(areas, log_size, log_copies, own, setting.weights)
        else:
            numbers = itertools.count()
            fp_colour = [[next(numbers) for _ in range(count)] for count in _area_counts(areas)]
            pp_colour = list(range(len(areas)))
        fp_names, pp_names = _names(geometry, areas, own, fp_colour)
        fp_order = _in_order(fp_colour, fp_names)
        present = [s for s in range(len(areas)) if size[s] > 0]
        pp_order = _in_order([[pp_colour[s] for s in present]], [[pp_names[s] for s in present]])
        fp_index = {colour: i for i, colour in enumerate(fp_order)}
        pp_index = {colour: len(fp_order) + i for i, colour in enumerate(pp_order)}
        fp = tuple(np.array([fp_index[colour] for colour in row]) for row in fp_colour)
        pp = np.array([pp_index[pp_colour[s]] if size[s] > 0 else -1 for s in range(len(areas))])
        multiplicity = np.zeros(len(fp_order) + len(pp_order) + 1)
        for k, row in enumerate(fp):
            np.add.at(multiplicity, row, _area_copies(areas[:, k], copies))
        with np.errstate(over="ignore"):  # of real sizes: their logarithms are what is used
            np.add.at(multiplicity, pp[present], (size * copies)[present])
        multiplicity[-1] = 1
        names = (*(f"fp{name}" for name in fp_order.values()), *(f"pp{name}" for name in pp_order.values()), "pp.self")
        return cls(names, multiplicity, fp, pp, areas[own].copy(), areas, size, copies, log_size, log_copies)

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the coordinates that Φ of the target area has, in every cluster."""
        return tuple(self.names[fp[a]] for fp, a in zip(self.fp, self.target, strict=True))

    def area_copies(self, k: int) -> Array:
        """How many equal areas each area of cluster k stands for: (N_k,), 1 except in ``Geometry.scaling``."""
        return _area_copies(self.class_areas[:, k], self.class_copies)

    def group_names(self, k: int) -> tuple[str, ...]:
        """What the attention on each area of cluster k is filed under: equal names add up."""
        short = [self.names[i][2:] for i in self.fp[k]]
        names = [name[1:] if name.startswith(".") else f"area{name}" for name in short]
        names[self.target[k]] = "target"
        return tuple(names)


def _without_query(geometry: Geometry, own: int) -> tuple[Indices, Array, Array, Array, Array]:
    """Classes as the query sees them: itself taken out, its area split off from equal ones."""
    areas, size, copies = geometry.class_areas, geometry.class_size.copy(), geometry.class_copies.copy()
    log_size, log_copies = geometry.log_class_size.copy(), geometry.log_class_copies.copy()
    if log_copies[own] != 0:
        areas = np.vstack([areas, areas.max(axis=0, keepdims=True) + 1])
        size, copies = np.append(size, size[own]), np.append(copies, 1.0)
        log_size, log_copies = np.append(log_size, log_size[own]), np.append(log_copies, 0.0)
        copies[own] -= 1
        log_copies[own] = _log_less_one(log_copies[own])
        own = len(areas) - 1
    size[own] -= 1
    log_size[own] = _log_less_one(log_size[own])
    return areas, size, copies, log_size, log_copies


def _log_less_one(log: float) -> float:
    """log(n − 1) of log n >= 0."""
    return log + math.log1p(-math.exp(-log)) if log > 0 else -math.inf


def _area_counts(areas: Indices) -> list[int]:
    return [int(column.max()) + 1 for column in areas.T]


def _area_copies(class_areas: Indices, class_copies: Array) -> Array:
    """Copies of each area of one cluster: those of any class in it."""
    copies = np.empty(class_areas.max() + 1)
    copies[class_areas] = class_copies
    return copies


def _rank(keys: Sequence[Any]) -> list[int]:
    """The keys as numbers, equal for equal keys."""
    number = {key: rank for rank, key in enumerate(sorted(set(keys)))}
    return [number[key] for key in keys]


def _refine(areas: Indices, size: Array, copies: Array, own: int, weights: Array) -> tuple[list[list[int]], list[int]]:
    """Coarsest colouring of areas and classes in which equal colours have equally coloured surroundings."""
    S, K = areas.shape
    keys: list[Any] = [(size[s], copies[s], s == own) for s in range(S)]
    colours = 0
    while True:
        pp_colour = _rank(keys)
        inside = [
            [tuple(sorted(pp_colour[s] for s in np.flatnonzero(areas[:, k] == m))) for m in range(count)]
            for k, count in enumerate(_area_counts(areas))
        ]
        cluster = _rank([(weights[k], tuple(sorted(inside[k]))) for k in range(K)])
        flat = iter(_rank([(cluster[k], classes) for k in range(K) for classes in inside[k]]))
        fp_colour = [[next(flat) for _ in row] for row in inside]
        if len(set(pp_colour)) == colours:
            return fp_colour, pp_colour
        colours = len(set(pp_colour))
        keys = [(pp_colour[s], tuple(sorted(fp_colour[k][areas[s, k]] for k in range(K)))) for s in range(S)]


def _names(
    geometry: Geometry, areas: Indices, own: int, fp_colour: list[list[int]]
) -> tuple[list[list[str]], list[str]]:
    """Name of each area and of each class: .target, .global, .other where these say it all, else by labels."""
    plain_fp = [[f"[{k},{m}]" for m in range(len(row))] for k, row in enumerate(fp_colour)]
    plain_pp = [f"[{','.join(map(str, row))}]" for row in areas.tolist()]
    if geometry.clusters > 1:
        return plain_fp, plain_pp
    (row,) = fp_colour
    target, largest = int(areas[own, 0]), geometry.global_area()
    short = ["target" if m == target else "global" if m == largest else "other" for m in range(len(row))]
    if len(set(row)) != len(set(short)):
        return plain_fp, plain_pp
    return [[f".{name}" for name in short]], [f".{short[m]}" for m in areas[:, 0]]


def _in_order(colours: Sequence[Sequence[int]], names: Sequence[Sequence[str]]) -> dict[int, str]:
    """Colour -> name, in the order of the theory: target, global, other; else in order of appearance."""
    first: dict[int, str] = {}
    for row, row_names in zip(colours, names, strict=True):
        for colour, name in zip(row, row_names, strict=True):
            first.setdefault(colour, name)
    order = {".target": 0, ".global": 1, ".other": 2}
    return dict(sorted(first.items(), key=lambda item: order.get(item[1], 0)))
