"""Mean-field at any P: sizes, numbers of areas, counts and rates as logarithms.

Of a geometry with real sizes (``Geometry.scaling``): one cluster whose areas are classes. The same rows as
``closures.mean_field`` has.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from dynamics.closures import Area, Rule, latent_rows
from dynamics.coordinates import Coordinates
from dynamics.errors import accept
from dynamics.geometry import Array, Indices
from dynamics.setting import Setting


class LogRule(NamedTuple):
    """Rows to average over, of one cluster, and where each area finds its coordinates.

    What may leave the range of floats is a *scaled number*: a mantissa and a power of two, the last axis.
    """

    multiplicity: Array  # (n, 2) single correlations of each coordinate
    target: int  # the target area
    fp: Indices  # (areas,) coordinate
    pp: Indices  # (areas,) coordinate
    copies: Array  # (areas, 2) equal areas that each stands for
    but_one: Array  # (areas, 2) all copies but one, where there are fewer than one a negative number
    log_unmasked: Array  # (areas,) of the unmasked patches of one copy, the query not counted
    log_masked: Array  # (areas,) of the masked ones
    latent: Array  # (rows, areas)
    weight: Array  # (rows, 2) probability of the row, that the query is masked included


def log_rule(setting: Setting, coordinates: Coordinates) -> LogRule:
    """Counts at their mean given that the query is masked. Large-P; result ``mean-field``.

    Raises
    ------
    ValueError
        If there are too many latent values.
    """
    geometry, law = setting.geometry, setting.law
    layout, multiplicity = _areas(setting, coordinates), np.zeros(len(coordinates.names))
    for area in layout:
        ((pp, log_size, _),) = area.cells
        multiplicity[[area.fp, pp]] = area.copies, area.copies + log_size
    own = {int(coordinates.target[0]), geometry.global_area()}
    split = [part for area in layout for part in _by_latent(area, setting, area.number in own)]
    numbers = len(law.values) ** len(own & {area.number for area in layout}) * len(split)
    accept(numbers <= MOST_NUMBERS, "latent", setting.latent, f"fewer values: {len(law.values)} take {numbers} numbers")
    latent, chance = latent_rows(law, split, own)
    log_seen, log_hidden = _mean_fractions(geometry.log_patches, setting.mask_ratio)
    log_sizes = np.array([area.cells[0][1] for area in split])
    log_copies = np.array([area.copies for area in split])
    return LogRule(
        multiplicity=scaled(multiplicity),
        target=[area.number for area in split].index(int(coordinates.target[0])),
        fp=np.array([area.fp for area in split]),
        pp=np.array([area.cells[0][0] for area in split]),
        copies=scaled(log_copies),
        but_one=scaled(log_copies) * np.stack([-np.expm1(-log_copies), np.ones(len(split))], axis=1),
        log_unmasked=log_seen + log_sizes,
        log_masked=log_hidden + log_sizes,
        latent=np.ascontiguousarray(latent),
        weight=scaled(math.log(setting.masked_fraction) + np.log(chance)),
    )


def in_floats(rule: LogRule) -> Rule | None:
    """The same rows with sizes as floats, where they are floats, and so are their sums."""
    areas, rows = len(rule.fp), len(rule.weight)
    log_size = np.logaddexp(rule.log_unmasked, rule.log_masked)
    if np.log(2) * (rule.multiplicity[:, 1].max() + 1) > MOST_LOG_OF_FLOATS or log_size.max() > MOST_LOG_OF_FLOATS:
        return None
    zero = np.zeros(rows, dtype=int)
    return Rule(
        multiplicity=unscaled(rule.multiplicity),
        areas=np.array([0, areas]),
        target=np.array([rule.target]),
        copies=unscaled(rule.copies),
        fp=rule.fp,
        cells=np.arange(areas + 1),
        pp=rule.pp,
        size=np.exp(log_size),
        column=np.arange(areas),
        cluster=zero,
        counts=zero,
        latents=np.arange(rows),
        weight=unscaled(rule.weight),
        unmasked=np.exp(rule.log_unmasked)[None],
        latent=rule.latent,
    )


MOST_LOG_OF_FLOATS = 695.0  # of sizes: times a few they are floats still
MOST_LOG_PATCHES = 231.0  # at which squares of attentions stay in the range of floats well after locking
MOST_NUMBERS = 10_000_000  # latents of all rows: a rate takes some 0.1 µs for each


def _areas(setting: Setting, coordinates: Coordinates) -> list[Area]:
    """The areas of one coordinate taken together; copies and sizes as logarithms."""
    areas = []
    for fp in np.unique(coordinates.fp[0]):
        members = np.flatnonzero(coordinates.fp[0] == fp)
        s = int(members[0])  # a class is an area here
        log_copies = float(np.logaddexp.reduce(coordinates.log_class_copies[members]))
        cell = int(coordinates.pp[s]), float(coordinates.log_class_size[s]), s
        areas.append(Area(s, int(fp), log_copies, (cell,)))
    return areas


def _by_latent(area: Area, setting: Setting, drawn: bool) -> list[Area]:
    """The area, or its copies in proportion to the values of their latent."""
    if drawn:
        return [area]
    values = zip(setting.law.values, setting.law.weights, strict=True)
    return [replace(area, copies=area.copies + math.log(weight), latent=float(value)) for value, weight in values]


def _mean_fractions(log_patches: float, mask_ratio: float) -> tuple[float, float]:
    """Logarithms of (P − γP)/(P − 1), unmasked, and (γP − 1)/(P − 1), masked. Result ``mean-occupancy``."""
    one = math.exp(-log_patches)  # as a fraction of P
    hidden = math.log(mask_ratio - one) if mask_ratio > one else -math.inf
    return math.log1p(-mask_ratio) - math.log1p(-one), hidden - math.log1p(-one)


def unscaled(numbers: Array) -> Array:
    """Scaled numbers, (..., 2), as floats."""
    return np.ldexp(numbers[..., 0], numbers[..., 1].astype(int))


def scaled(log: Array) -> Array:
    """Numbers of which the logarithms are given, as mantissa and power of two: (..., 2)."""
    power = np.floor(log / math.log(2))
    return np.stack([np.exp(log - power * math.log(2)), power], axis=-1)
