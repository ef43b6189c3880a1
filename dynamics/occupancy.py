"""How many patches of each class are unmasked, given that the query is masked: a multivariate hypergeometric law."""

from __future__ import annotations

import math

import numpy as np

from dynamics.geometry import Array


def count_rows(size: Array, masked: int) -> int:
    """Number of possible occupancies: ways to choose unmasked counts that leave `masked` − 1 others masked.

    Exact below 2⁵³; beyond, where none will enumerate them, to the digits of floats.
    """
    unmasked = int(size.sum()) - (masked - 1)
    ways, doublings = np.zeros(unmasked + 1), 0
    ways[0] = 1
    for patches in size.astype(int).tolist():
        total = np.append(0, ways.cumsum())
        ways = total[1:] - total[np.maximum(np.arange(unmasked + 1) - patches, 0)]
        excess = max(0, math.frexp(ways.max())[1] - 500)  # kept within the range of floats
        ways, doublings = np.ldexp(ways, -excess), doublings + excess
    return max(1, round(float(ways[unmasked]))) << doublings


def enumerate_counts(size: Array, masked: int) -> tuple[Array, Array]:
    """Every occupancy and its probability.

    Parameters
    ----------
    size : (S,) array of whole numbers
        Patches N_s of each class, the query not counted.
    masked : int
        Masked patches γP, the query one of them.

    Returns
    -------
    unmasked : (rows, S) array
    probability : (rows,) array, sums to 1

    Notes
    -----
    Exact. The law is hypergeometric: Π_s C(N_s, u_s) / C(P − 1, γP − 1). Result ``occupancy-law``.
    """
    sizes = size.astype(int).tolist()
    left = np.array([sum(sizes) - (masked - 1)])  # unmasked patches still to place
    rows, weight, part = np.empty((1, 0)), np.ones(1), (left[0] + 0.5) / (sum(sizes) + 1)
    for s, patches in enumerate(sizes):
        room = sum(sizes[s + 1 :])
        counts, ways = np.arange(patches + 1), chances(patches, part)
        row, count = np.nonzero((counts <= left[:, None]) & (left[:, None] - counts <= room))
        rows = np.column_stack([rows[row], counts[count]])
        weight, left = weight[row] * ways[count], left[row] - counts[count]
    return rows, weight / math.fsum(weight)


def chances(patches: int, part: float) -> Array:
    """Chance of each number of patches if each is taken with this chance, over that of a number in the middle.

    As products of ratios away from there: where it matters, they have all their digits. The product of these chances of
    some classes is hypergeometric once their sum is known, whatever `part`: that keeps them in the range of floats.
    """
    middle, odds = round(patches * part), part / (1 - part)
    more, fewer = np.arange(middle, patches), np.arange(middle, 0, -1)
    above = np.cumprod((patches - more) / (more + 1) * odds)
    below = np.cumprod(fewer / (patches - fewer + 1) / odds)
    return np.concatenate([below[::-1], [1.0], above])


def covariance(masked: float, patches: float) -> tuple[float, float]:
    """(v, w) such that the unmasked counts of classes r, s have the covariance δ_rs n_r v − n_r n_s w.

    Exact, for real P too. Result ``hypergeometric-covariance``.
    """
    if patches <= 2:
        return 0.0, 0.0
    product = (patches - masked) / (patches - 1) * (masked - 1) / (patches - 1) / (patches - 2)
    return product * (patches - 1), product


def unmasked_fraction(masked: float, patches: float) -> float:
    """Mean fraction of a class, the query not counted, that is unmasked: (P − γP)/(P − 1).

    Exact, for real P too. Result ``mean-occupancy``.
    """
    return (patches - masked) / (patches - 1)
