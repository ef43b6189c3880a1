"""The conditional sum of the exact closure: the terms of one cluster with equal areas beside one or two others."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from dynamics import closures
from dynamics.coordinates import Coordinates
from dynamics.errors import accept
from dynamics.geometry import Array, Indices
from dynamics.occupancy import chances
from dynamics.setting import Setting

BYTES_A_TERM = 200  # of the rule, and of what it takes to make it
TINY = float(np.finfo(float).tiny)  # below it a float loses its digits


class ConditionalRule(NamedTuple):
    """Terms of the sum: unmasked patches of the target area, of one *beside* it, and of all *others* together.

    Groups are numbered in this order. Terms that have patches of the same kinds lie together, in a block.
    """

    multiplicity: Array  # (n,)
    place: Indices  # (7,) coordinate of Φ of each group, of Υ of each, and of the query; −1 where there is none
    size: Array  # (3,) patches of each group, the query not counted
    equal: Array  # (2,) patches of one of the others, and how many others
    latent: float
    blocks: Indices  # (blocks + 1,) first term of each
    unmasked: Array  # (3, terms)
    weight: Array  # (terms,) probability, that the query is masked included

    @property
    def fp(self) -> Indices:
        """Coordinate of Φ of each group, (3,)."""
        return self.place[:3]


class _Counts(NamedTuple):
    """How many patches of each group there are, and how many unmasked ones in all, the query not counted."""

    size: tuple[int, int, int]
    shown: int


class _Kept(NamedTuple):
    """For each count of the target, which counts beside are kept: from first to last, and the ends of all there are."""

    target: Indices
    first: Indices
    last: Indices
    lowest: Indices
    highest: Indices

    @property
    def terms(self) -> Indices:
        """Terms of each count of the target."""
        return self.last - self.first + 1 + (self.lowest < self.first) + (self.highest > self.last)


def refusal(setting: Setting, coordinates: Coordinates) -> str:
    """Why there is no conditional sum, or nothing where there is one."""
    geometry, values = setting.geometry, len(setting.law.values)
    if geometry.patch_class is None:
        return '"auto": sizes are real numbers here'
    if geometry.clusters > 1:
        return f'"integral" here: it takes one cluster, not {geometry.clusters}'
    if values > 1:
        return f'"integral" here: it takes one value of the latent, not {values}'
    alike = sorted(np.unique(np.delete(coordinates.fp[0], coordinates.target[0]), return_counts=True)[1].tolist())
    if len(alike) > 2 or (len(alike) == 2 and alike[0] > 1):
        return f'"integral" here: beside the target it takes equal areas and one other, not {alike} of a kind'
    return ""


def count_terms(setting: Setting, coordinates: Coordinates, rtol: float = 0.0) -> int:
    """Terms that are kept at this tolerance, all that there are at 0; where there is no conditional sum, 0."""
    if refusal(setting, coordinates):
        return 0
    return int(_kept(_counts(setting, coordinates, _groups(coordinates)), rtol).terms.sum())


def conditional_rule(setting: Setting, coordinates: Coordinates, rtol: float) -> ConditionalRule:
    """Every term, but for at most rtol of the probability given the count of the target. Exact to that.

    Results ``occupancy-law``, ``occupancy-merges``.

    Raises
    ------
    ValueError
        If there is no conditional sum here, or there are more terms than memory should hold.
    """
    reason = refusal(setting, coordinates)
    accept(not reason, "method", "conditional", reason)
    groups = _groups(coordinates)
    counts = _counts(setting, coordinates, groups)
    kept = _kept(counts, rtol)
    terms = int(kept.terms.sum())
    size = f"10^{math.log10(terms):.1f} terms take more than {closures.MOST_BYTES / 2**30:.0f} GiB"
    accept(BYTES_A_TERM * terms <= closures.MOST_BYTES, "method", "conditional", f'"integral" here: {size}')
    unmasked, probability = _terms(counts, kept)
    there_and_left = np.vstack([unmasked > 0, unmasked < np.array(counts.size)[:, None]])
    kinds = np.packbits(there_and_left, axis=0)[0]
    order = np.argsort(kinds, kind="stable")
    class_of = np.argsort(coordinates.class_areas[:, 0])  # a class is an area here
    indices = coordinates.fp[0], coordinates.pp[class_of]
    place = [int(index[group[0]]) if group else -1 for index in indices for group in groups]
    return ConditionalRule(
        multiplicity=coordinates.multiplicity,
        place=np.array([*place, len(coordinates.names) - 1]),
        size=np.array(counts.size, dtype=float),
        equal=_equal(counts, groups),
        latent=float(setting.law.values[0]),
        blocks=np.array([0, *(np.flatnonzero(np.diff(kinds[order])) + 1), len(order)]),
        unmasked=np.ascontiguousarray(unmasked[:, order], dtype=float),
        weight=setting.masked_fraction * probability[order],
    )


def _groups(coordinates: Coordinates) -> list[list[int]]:
    """Areas of each group: the target; one that is alone of its kind, if there are two kinds; all others."""
    fp, target = coordinates.fp[0], int(coordinates.target[0])
    rest = np.delete(np.arange(len(fp)), target)
    kinds = sorted((rest[fp[rest] == kind].tolist() for kind in np.unique(fp[rest])), key=len)
    return [[target], *[[]] * (2 - len(kinds)), *kinds]


def _counts(setting: Setting, coordinates: Coordinates, groups: list[list[int]]) -> _Counts:
    sizes = np.bincount(coordinates.class_areas[:, 0], coordinates.class_size)
    target, beside, others = (int(sizes[group].sum()) for group in groups)
    return _Counts((target, beside, others), int(setting.geometry.patches - setting.masked))


def _equal(counts: _Counts, groups: list[list[int]]) -> Array:
    """Patches of one of the others, and how many others.

    A single patch is said to be one of two: its count is its own square, as that of any area of one patch.
    """
    others, size = len(groups[2]), counts.size[2]
    return np.array([size / others, others] if size > 1 else [1.0, 2.0])


def _kept(counts: _Counts, rtol: float) -> _Kept:
    """Counts beside, for each count of the target, such that at most rtol of the probability given it is left out.

    A hypergeometric count is a sum of independent indicators (Vatutin and Mikhailov 1982), so that Bernstein's
    inequality bounds its tails. The ends stay: there a kind of patch is missing, which may outweigh its probability.
    """
    (own, beside, others), shown = counts
    target = np.arange(max(0, shown - beside - others), min(own, shown) + 1)
    left, pool = shown - target, beside + others
    lowest, highest = np.maximum(0, left - others), np.minimum(beside, left)
    if rtol == 0 or pool < 2:
        return _Kept(target, lowest, highest, lowest, highest)
    mean, bound = left * (beside / pool), math.log(2 / rtol)
    variance = mean * (others / pool) * ((pool - left) / (pool - 1))
    reach = bound / 3 + np.sqrt(bound**2 / 9 + 2 * variance * bound)
    first = np.maximum(lowest, np.ceil(mean - reach)).astype(int)
    last = np.minimum(highest, np.floor(mean + reach)).astype(int)
    return _Kept(target, first, last, lowest, highest)


def _terms(counts: _Counts, kept: _Kept) -> tuple[Indices, Array]:
    """Counts of each term, (3, terms), and its probability.

    What is left out is spread over the terms with the same count of the target: the probability of that count, on which
    the floor of the loss depends, stays what it is.
    """
    (own, beside, others), shown = counts
    terms = kept.terms
    start, group = np.cumsum(terms) - terms, np.repeat(np.arange(len(terms)), terms)
    of_target = kept.target[group]
    of_beside = (kept.first - (kept.lowest < kept.first) - start)[group] + np.arange(len(group))
    of_beside[start], of_beside[start + terms - 1] = kept.lowest, kept.highest
    of_others = shown - of_target - of_beside
    part = (shown + 0.5) / (own + beside + others + 1)
    chance = chances(beside, part)[of_beside] * chances(others, part)[of_others]
    whole = chances(own, part)[kept.target] * chances(beside + others, part)[shown - kept.target]
    probability = (whole / math.fsum(whole) / np.maximum(np.add.reduceat(chance, start), TINY))[group] * chance
    some = probability > TINY
    return np.stack([of_target, of_beside, of_others])[:, some], probability[some]
