"""The conditional sum of the exact closure: the terms of one cluster with equal areas beside one or two others."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dynamics import closures
from dynamics.coordinates import Coordinates
from dynamics.errors import accept
from dynamics.geometry import Array, Indices
from dynamics.setting import Setting

BYTES_A_TERM = 200  # of the rule, and of what it takes to make it


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


class _Shape(NamedTuple):
    """Areas of the one cluster by group, and how many patches are seen in all."""

    areas: tuple[int | None, int | None, int | None]  # one of each group
    size: tuple[int, int, int]
    equal: tuple[int, int]
    shown: int


class _Kept(NamedTuple):
    """Counts beside each count of the target: from the first to the last kept, and the ends of what is possible."""

    target: Indices
    first: Indices
    last: Indices
    lowest: Indices
    highest: Indices

    @property
    def counts(self) -> Indices:
        """Terms of each count of the target."""
        return self.last - self.first + 1 + (self.lowest < self.first) + (self.highest > self.last)


def refusal(setting: Setting, coordinates: Coordinates) -> str:
    """Why there is no conditional sum, or nothing: it needs one cluster, one latent, and equal areas beside at most one."""
    if setting.geometry.patch_class is None:
        return '"auto": sizes are real numbers here'
    if setting.geometry.clusters > 1:
        return f'"integral" here: it takes one cluster, not {setting.geometry.clusters}'
    if len(setting.law.values) > 1:
        return f'"integral" here: it takes one value of the latent, not {len(setting.law.values)}'
    (fp,), (target,) = coordinates.fp, coordinates.target
    numbers = np.bincount(np.delete(fp, target), minlength=1)
    numbers = numbers[numbers > 0]
    if len(numbers) > 2 or (numbers > 1).sum() > 1:
        return f'"integral" here: beside the target it takes equal areas and one more, not {numbers.tolist()}'
    return ""


def count_terms(setting: Setting, coordinates: Coordinates, rtol: float = 0.0) -> int:
    """Terms that are kept at this tolerance, all that there are at 0; where there is no conditional sum, 0."""
    return 0 if refusal(setting, coordinates) else int(_kept(_shape(setting, coordinates), rtol).counts.sum())


def conditional_rule(setting: Setting, coordinates: Coordinates, rtol: float) -> ConditionalRule:
    """Every term but those that have a part below rtol of the probability, given the count of the target. Exact to rtol.

    Results ``occupancy-law``, ``occupancy-merges``.

    Raises
    ------
    ValueError
        If there is no conditional sum here, or there are more terms than memory should hold.
    """
    reason = refusal(setting, coordinates)
    accept(not reason, "method", "conditional", reason)
    shape = _shape(setting, coordinates)
    kept = _kept(shape, rtol)
    terms = int(kept.counts.sum())
    size = f"10^{math.log10(terms):.1f} terms take more than {closures.MOST_BYTES / 2**30:.0f} GiB"
    accept(BYTES_A_TERM * terms <= closures.MOST_BYTES, "method", "conditional", f'"integral" here: {size}')
    unmasked, probability = _terms(shape, kept)
    (fp,), pp = coordinates.fp, coordinates.pp
    place = [-1 if area is None else int(fp[area]) for area in shape.areas]
    classes = [-1 if area is None else int(np.flatnonzero(coordinates.class_areas[:, 0] == area)[0]) for area in shape.areas]
    place += [-1 if s < 0 else int(pp[s]) for s in classes]
    kinds = np.packbits(np.vstack([unmasked > 0, unmasked < np.array(shape.size)[:, None]]), axis=0)[0]
    order = np.argsort(kinds, kind="stable")
    blocks = np.flatnonzero(np.diff(kinds[order])) + 1
    return ConditionalRule(
        multiplicity=coordinates.multiplicity,
        place=np.array([*place, len(coordinates.names) - 1]),
        size=np.array(shape.size, dtype=float),
        equal=np.array(shape.equal, dtype=float),
        latent=float(setting.law.values[0]),
        blocks=np.array([0, *blocks, len(order)]),
        unmasked=np.ascontiguousarray(unmasked[:, order], dtype=float),
        weight=setting.masked_fraction * probability[order],
    )


def _shape(setting: Setting, coordinates: Coordinates) -> _Shape:
    """The groups: equal areas are the others, whatever the target; a single area is beside, if there are others."""
    (fp,), (target,) = coordinates.fp, coordinates.target
    sizes = coordinates.class_size[np.argsort(coordinates.class_areas[:, 0])].astype(int)  # of each area
    rest = np.delete(np.arange(len(fp)), target)
    groups = sorted((rest[fp[rest] == place].tolist() for place in np.unique(fp[rest])), key=len)
    others = groups.pop() if groups else []
    beside = groups.pop() if groups else []
    areas = int(target), *(group[0] if group else None for group in (beside, others))
    size = int(sizes[target]), *(int(sizes[group].sum()) for group in (beside, others))
    # One other patch has no pair of patches: as of two areas of one patch, the square of its count is the count.
    equal = (int(sizes[others[0]]), len(others)) if size[2] > 1 else (1, 2)
    return _Shape(areas, size, equal, int(setting.geometry.patches - setting.masked))


def _kept(shape: _Shape, rtol: float) -> _Kept:
    """Counts of the area beside, for each of the target, outside of which there is at most rtol of the probability.

    A hypergeometric count is a sum of independent indicators (Vatutin and Mikhailov 1982), so that Bernstein's
    inequality bounds its tails. The ends stay: there a kind of patch is missing, which may outweigh its probability.
    """
    own, beside, others = shape.size
    target = np.arange(max(0, shape.shown - beside - others), min(own, shape.shown) + 1)
    left, pool = shape.shown - target, beside + others
    lowest, highest = np.maximum(0, left - others), np.minimum(beside, left)
    if rtol == 0 or pool < 2:
        return _Kept(target, lowest, highest, lowest, highest)
    mean, bound = left * (beside / pool), math.log(2 / rtol)
    variance = mean * (others / pool) * ((pool - left) / (pool - 1))
    reach = bound / 3 + np.sqrt(bound**2 / 9 + 2 * variance * bound)
    first = np.maximum(lowest, np.ceil(mean - reach)).astype(int)
    last = np.minimum(highest, np.floor(mean + reach)).astype(int)
    return _Kept(target, first, last, lowest, highest)


def _terms(shape: _Shape, kept: _Kept) -> tuple[Indices, Array]:
    """Counts of each term, (3, terms), and its probability.

    The probability of each count of the target is that of all masks, so that the floor of the loss stays: what is left
    out is spread over the terms with the same count of the target.
    """
    counts = kept.counts
    start = np.cumsum(counts) - counts
    group = np.repeat(np.arange(len(counts)), counts)
    beside = (kept.first - (kept.lowest < kept.first))[group] + np.arange(len(group)) - start[group]
    beside[start] = kept.lowest
    beside[start + counts - 1] = kept.highest
    target = kept.target[group]
    others = shape.shown - target - beside
    own, one, rest = shape.size
    part = shape.shown / sum(shape.size)
    (of_one, twos_one), (of_rest, twos_rest) = (_ways(size, part) for size in (one, rest))
    ways, twos = of_one[beside] * of_rest[others], twos_one[beside] + twos_rest[others]
    chance = np.ldexp(ways, twos - np.maximum.reduceat(twos, start)[group])
    (of_own, twos_own), (of_pool, twos_pool) = (_ways(size, part) for size in (own, one + rest))
    left = shape.shown - kept.target
    ways, twos = of_own[kept.target] * of_pool[left], twos_own[kept.target] + twos_pool[left]
    of_target = np.ldexp(ways, twos - twos.max())
    probability = chance * (of_target / math.fsum(of_target) / np.add.reduceat(chance, start))[group]
    there = probability > 0
    return np.stack([target, beside, others])[:, there], probability[there]


def _ways(patches: int, part: float) -> tuple[Array, npt.NDArray[np.int64]]:
    """Ways to choose each number of the patches, over those to choose this part: as fraction and power of two.

    A product of ratios away from there: near it they have all their digits, and nowhere do they leave the range of floats.
    """
    fractions, twos = np.empty(patches + 1), np.empty(patches + 1, dtype=int)
    centre = round(patches * part)
    for step, end in ((1, patches), (-1, 0)):
        fraction, two = 0.5, 1
        for count in range(centre, end + step, step):
            fractions[count], twos[count] = fraction, two
            fewer = count if step > 0 else patches - count  # of what is chosen, or of what is not
            fraction, more = math.frexp(fraction * ((patches - fewer) / (fewer + 1)))
            two += more
    return fractions, twos
