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
    rows, weight = np.empty((1, 0)), np.ones(1)
    for s, patches in enumerate(sizes):
        room = sum(sizes[s + 1 :])
        counts = np.arange(patches + 1)
        largest = math.comb(patches, patches // 2)
        ways = np.array([math.comb(patches, u) / largest for u in range(patches + 1)])
        row, count = np.nonzero((counts <= left[:, None]) & (left[:, None] - counts <= room))
        rows = np.column_stack([rows[row], counts[count]])
        weight, left = weight[row] * ways[count], left[row] - counts[count]
    return rows, weight / math.fsum(weight)


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
