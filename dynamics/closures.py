"""Closures: how the mean over masks and latents is taken. Each is a rule of rows for one kernel.

``exact`` has a row for every occupancy and every combination of latent values, ``sampled`` has some, drawn once.
``mean_field`` has the mean occupancy, a row for every latent value of the target and of the global area, and each other
area split, in proportion, among the values of its latent: large-P, error O(1/C_local).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from dynamics import occupancy
from dynamics.coordinates import Coordinates
from dynamics.errors import accept
from dynamics.geometry import Array, Indices
from dynamics.laws import Law
from dynamics.setting import Setting

if TYPE_CHECKING:
    import sympy as sp

Method = Literal["auto", "enumeration", "conditional", "integral"]
Closure = Literal["exact", "sampled", "mean-field", "second-order"]
EXACTNESS: dict[Closure, str] = {
    "exact": "exact",
    "sampled": "sampled",
    "mean-field": "large-P",
    "second-order": "large-P",
}
# Of the error of a rate.
ORDER: dict[Closure, str] = {"exact": "0", "sampled": "1/√samples", "mean-field": "1/C", "second-order": "1/C²"}

# The fields of a rule that hold numbers, each with its symbol.
LETTERS = {"multiplicity": "mult", "copies": "c", "size": "n", "weight": "w", "unmasked": "u", "latent": "z"}

MOST_BYTES = 2**30  # of an exact rule and of what it takes to make one


class Rule(NamedTuple):
    """Samples to average over, and where each of their parts finds its coordinate.

    The areas of all clusters are numbered through, and the *cells* (the patches of one class in one area of one
    cluster) likewise, area by area. An area may stand for several equal ones, a cell for several equal classes.
    """

    multiplicity: Array  # (n,) single correlations of each coordinate
    areas: Indices  # (K + 1,) first area of each cluster
    target: Indices  # (K,) target area of each cluster
    copies: Array  # (areas,) equal areas that each stands for
    fp: Indices  # (areas,) coordinate
    cells: Indices  # (areas + 1,) first cell of each area
    pp: Indices  # (cells,) coordinate
    size: Array  # (cells,) patches, masked and unmasked, the query not counted
    column: Indices  # (cells,) column in `unmasked`
    cluster: Indices  # (rows,)
    counts: Indices  # (rows,) row of `unmasked`
    latents: Indices  # (rows,) row of `latent`
    weight: Array  # (rows,) probability of the row, that the query is masked included
    unmasked: Array  # (count rows, columns)
    latent: Array  # (latent rows, most areas of a cluster)

    def with_symbols(self) -> tuple[dict[sp.Indexed, float], Rule]:
        """The same rule with symbols for its numbers, and the number of each; what stands for one area stays so."""
        import sympy as sp

        values, fields = {}, {}
        for field, letter in LETTERS.items():
            symbol, numbers = sp.IndexedBase(letter, nonnegative=True), getattr(self, field)
            fields[field] = np.ones(numbers.shape, dtype=object)
            for place, number in np.ndenumerate(numbers):
                if field != "copies" or number != 1:
                    fields[field][place] = symbol[place]
                    values[symbol[place]] = float(number)
        return values, self._replace(**fields)

    def with_numbers(self, number: Callable[[float], Any]) -> Rule:
        """The same rule with numbers of another kind: rational or of many digits."""
        return self._replace(**{name: np.vectorize(number, otypes=[object])(getattr(self, name)) for name in LETTERS})


@dataclass(frozen=True)
class Area:
    """An area of one cluster, or several equal ones, as rows for it are laid out."""

    number: int  # m, the area's own or that of a representative
    fp: int
    copies: float
    cells: tuple[tuple[int, float, int], ...]  # coordinate, size, column
    latent: float | None = None  # its value where it is the same in every row


def count_rows(setting: Setting, coordinates: Coordinates) -> int:
    """Rows of enumeration: occupancies times combinations of latent values, of every cluster.

    Raises
    ------
    ValueError
        If the geometry has real sizes.
    """
    geometry = setting.geometry
    accept(geometry.patch_class is not None, "closure", "exact", '"mean-field": sizes are real numbers here')
    combinations = sum(len(setting.law.values) ** count for count in geometry.areas)
    return occupancy.count_rows(coordinates.class_size, int(setting.masked)) * combinations


def exact(setting: Setting, coordinates: Coordinates) -> Rule:
    """Every occupancy and latent combination, by enumeration. Exact; result ``occupancy-law``.

    Raises
    ------
    ValueError
        If the geometry has real sizes, or there are more rows than memory should hold.
    """
    masked = int(setting.masked)
    rows, occupancies = count_rows(setting, coordinates), occupancy.count_rows(coordinates.class_size, masked)
    fits = 2 * 32 * rows + 3 * 8 * occupancies * (len(coordinates.class_size) + 2) <= MOST_BYTES
    size = (
        f"10^{math.log10(rows):.1f} rows of occupancies and latent values take more than {MOST_BYTES / 2**30:.0f} GiB"
    )
    accept(fits, "method", "enumeration", f'"integral" here: {size}')
    unmasked, probability = occupancy.enumerate_counts(coordinates.class_size, masked)
    layouts = _every_area(setting, coordinates)
    latents = [latent_rows(setting.law, layout, range(len(layout))) for layout in layouts]
    return _rule(setting, coordinates, layouts, unmasked, probability, latents)


def sampled(setting: Setting, coordinates: Coordinates, samples: int, seed: int) -> Rule:
    """So many occupancies and latent combinations, drawn once: the rates of these are exact, those of all are not.

    Raises
    ------
    ValueError
        If the geometry has real sizes, or the rows would not fit in memory.
    """
    geometry, law, rng = setting.geometry, setting.law, np.random.default_rng(seed)
    accept(geometry.patch_class is not None, "closure", "sampled", '"mean-field": sizes are real numbers here')
    layouts, sizes = _every_area(setting, coordinates), coordinates.class_size.astype(int)
    numbers = samples * (len(sizes) + max(geometry.areas) + 4)
    made = 2 * 8 * numbers  # drawn as whole numbers first
    accept(made <= MOST_BYTES, "samples", samples, f"fewer: they take {made / 2**30:.1f} GiB")
    shown = int(geometry.patches - setting.masked)
    every = np.arange(samples)
    one = np.zeros((1, max(geometry.areas))), np.ones(1)
    return _rule(setting, coordinates, layouts, np.zeros((1, len(sizes))), np.ones(1), [one] * len(layouts))._replace(
        cluster=rng.choice(len(layouts), samples, p=setting.weights),
        counts=every,
        latents=every,
        weight=np.full(samples, setting.masked_fraction / samples),
        unmasked=rng.multivariate_hypergeometric(sizes, shown, samples, method="marginals").astype(float),
        latent=rng.choice(law.values, (samples, max(geometry.areas)), p=law.weights),
    )


def row_rates(rate_and_loss: Callable[..., Any], rule: Rule, y: Array) -> Array:
    """The rate that every row would have by itself, (rows, n): what its sample does where the query is masked."""
    parts, one = [slice(i, i + 1) for i in range(len(rule.weight))], np.ones(1)
    names = "cluster", "counts", "latents"
    rows = (rule._replace(**{name: getattr(rule, name)[part] for name in names}, weight=one) for part in parts)
    return np.array([rate_and_loss(y, row)[0] for row in rows])


def _every_area(setting: Setting, coordinates: Coordinates) -> list[list[Area]]:
    """The areas of every cluster, each on its own, with a cell for every class in it."""
    layouts = []
    for k, count in enumerate(setting.geometry.areas):
        inside = [np.flatnonzero((coordinates.class_areas[:, k] == m) & (coordinates.pp >= 0)) for m in range(count)]
        layouts.append(
            [
                Area(m, int(coordinates.fp[k][m]), 1.0, tuple(_cell(coordinates, s) for s in inside[m]))
                for m in range(count)
            ]
        )
    return layouts


def mean_field(setting: Setting, coordinates: Coordinates) -> Rule:
    """Counts at their mean given that the query is masked. Large-P; result ``mean-field``.

    Raises
    ------
    ValueError
        If the combinations of latent values would not fit in memory.
    """
    geometry, values = setting.geometry, len(setting.law.values)
    numbers = geometry.clusters * values**2 * (4 + 2 + values * max(map(len, coordinates.fp)))
    accept(
        8 * numbers <= MOST_BYTES,
        "closure",
        "mean-field",
        f"fewer latent values: {values} take {8 * numbers / 2**30:.1f} GiB",
    )
    fraction = occupancy.unmasked_fraction(setting.masked, geometry.patches)
    columns: list[float] = []
    layouts, latents = [], []
    for k in range(geometry.clusters):
        own = {int(coordinates.target[k]), geometry.global_area(k)}
        layout: list[Area] = []
        for area in merged_areas(coordinates, k, columns):
            if area.number in own:
                layout.append(area)
                continue
            layout += [
                replace(area, copies=area.copies * weight, latent=float(value))
                for value, weight in zip(setting.law.values, setting.law.weights, strict=True)
            ]
        layouts.append(layout)
        latents.append(latent_rows(setting.law, layout, own))
    unmasked = fraction * np.array([columns])
    return _rule(setting, coordinates, layouts, unmasked, np.ones(1), latents)


def _cell(coordinates: Coordinates, s: np.integer) -> tuple[int, float, int]:
    return int(coordinates.pp[s]), float(coordinates.class_size[s]), int(s)


def merged_areas(coordinates: Coordinates, k: int, columns: list[float]) -> list[Area]:
    """Areas of cluster k, those of one coordinate taken together; appends the size of each cell to `columns`."""
    copies, merged = coordinates.area_copies(k), []
    for fp in np.unique(coordinates.fp[k]):
        members = np.flatnonzero(coordinates.fp[k] == fp)
        inside = np.flatnonzero(coordinates.class_areas[:, k] == members[0])
        sizes: dict[int, float] = {}
        for s in inside[coordinates.pp[inside] >= 0]:
            sizes[int(coordinates.pp[s])] = sizes.get(int(coordinates.pp[s]), 0.0) + coordinates.class_size[s]
        cells = tuple((pp, size, len(columns) + c) for c, (pp, size) in enumerate(sizes.items()))
        columns += sizes.values()
        merged.append(Area(int(members[0]), int(fp), float(copies[members].sum()), cells))
    return merged


def latent_rows(law: Law, layout: list[Area], drawn: Iterable[int | None]) -> tuple[Array, Array]:
    """Latent values of the areas of one cluster, the `drawn` ones in every combination, and their probabilities."""
    numbers = set(drawn)
    columns = [i for i, area in enumerate(layout) if area.number in numbers]
    combinations = list(itertools.product(range(len(law.values)), repeat=len(columns)))
    chosen = np.array(combinations, dtype=int).reshape(len(combinations), len(columns))
    values = np.tile([area.latent or 0.0 for area in layout], (len(chosen), 1))
    values[:, columns] = law.values[chosen]
    return values, law.weights[chosen].prod(axis=1)


def _rule(
    setting: Setting,
    coordinates: Coordinates,
    layouts: list[list[Area]],
    unmasked: Array,
    probability: Array,
    latents: list[tuple[Array, Array]],
) -> Rule:
    """Rows for every cluster, occupancy and latent combination."""
    widest = max(map(len, layouts))
    first_latent = np.cumsum([0, *(len(values) for values, _ in latents)])
    parts = []
    for k, (_, chance) in enumerate(latents):
        choice, counts = np.divmod(np.arange(len(probability) * len(chance)), len(probability))
        weight = setting.weights[k] * setting.masked_fraction * probability[counts] * chance[choice]
        parts.append((np.full(len(counts), k), counts, first_latent[k] + choice, weight))
    cluster, counts, latent_row, weight = (np.concatenate(part) for part in zip(*parts, strict=True))
    columns = [column for layout in layouts for area in layout for _, _, column in area.cells]
    return Rule(
        **laid_out(coordinates, layouts),
        column=np.array(columns, dtype=int),
        cluster=cluster,
        counts=counts,
        latents=latent_row,
        weight=weight,
        unmasked=np.ascontiguousarray(unmasked, dtype=float),
        latent=np.vstack([np.pad(values, ((0, 0), (0, widest - values.shape[1]))) for values, _ in latents]),
    )


def laid_out(
    coordinates: Coordinates, layouts: list[list[Area]], clusters: Sequence[int] | None = None
) -> dict[str, Any]:
    """The areas and cells of every cluster, numbered through: fields that every rule has.

    A cluster may be laid out in several ways: `clusters` says which each layout is of.
    """
    areas = list(itertools.chain(*layouts))
    cells = list(itertools.chain(*(area.cells for area in areas)))
    first = np.cumsum([0, *map(len, layouts)])
    targets = coordinates.target if clusters is None else coordinates.target[list(clusters)]
    own = [[area.number for area in layout].index(a) for a, layout in zip(targets, layouts, strict=True)]
    return {
        "multiplicity": coordinates.multiplicity,
        "areas": first,
        "target": first[:-1] + own,
        "copies": np.array([area.copies for area in areas]),
        "fp": np.array([area.fp for area in areas]),
        "cells": np.cumsum([0, *(len(area.cells) for area in areas)]),
        "pp": np.array([pp for pp, _, _ in cells], dtype=int),
        "size": np.array([size for _, size, _ in cells], dtype=float),
    }


def unrolled_form(rule: Rule) -> int:
    """Number of areas of the generated one-cluster form that this rule fits, or 0: it needs the loops."""
    areas = len(rule.fp)
    fits = (
        len(rule.weight) == 1
        and areas in (2, 3)
        and rule.target[0] == 0
        and np.array_equal(rule.fp, range(areas))
        and np.array_equal(rule.pp, range(areas, 2 * areas))
        and np.array_equal(rule.cells, range(areas + 1))
        and bool((rule.copies[:-1] == 1).all())
        and bool((rule.latent == rule.latent[0, 0]).all())
    )
    return areas if fits else 0
