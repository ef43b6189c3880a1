"""Loss of a local query of one cluster with 50 digits, by a double sum of binomials, and its slopes by differences."""

import math
from functools import cache

import mpmath
import numpy as np


@cache
def comb(n, k):
    """Ways to choose k of n, with 50 digits."""
    with mpmath.workdps(50):
        return mpmath.mpf(math.comb(n, k))


def loss_of(sizes, masked, y):
    """A local query's loss: a sum over the unmasked patches of its area and of all other local ones."""
    big, small, count = sizes
    patches, others, own = big + small * count, small * (count - 1), small - 1
    fp, pp, itself = y[:3], y[3:6], mpmath.exp(y[6])
    seen, hidden = [mpmath.exp(a + b) for a, b in zip(fp, pp, strict=True)], [mpmath.exp(b) for b in pp]
    total, loss = mpmath.mpf(0), mpmath.mpf(0)
    for mine in range(own + 1):
        for theirs in range(others + 1):
            rest = patches - masked - mine - theirs
            if 0 <= rest <= big:
                ways = comb(own, mine) * comb(others, theirs) * comb(big, rest)
                pairs = mpmath.mpf(theirs) * (theirs - 1) * (small - 1) / (others - 1)  # E[Σ u(u − 1)]
                missed = (own - mine) * hidden[0] + rest * seen[1] + (big - rest) * hidden[1] + itself
                missed += theirs * seen[2] + (others - theirs) * hidden[2]
                strays = (rest * seen[1]) ** 2 + (pairs + theirs) * seen[2] ** 2
                total += ways
                loss += ways * (missed**2 + strays) / (missed + mine * seen[0]) ** 2 / 2
    return loss / total * masked / patches


def loss_and_rate(sizes, system, y):
    """Loss and rates of a system of areas (global, local, number) at a state."""
    with mpmath.workdps(50):
        state, step, masked = np.array([mpmath.mpf(value) for value in y]), mpmath.mpf(10) ** -20, system.setting.masked
        loss = loss_of(sizes, masked, state)
        slopes = [(loss_of(sizes, masked, state + step * one) - loss) / step for one in np.eye(len(y), dtype=int)]
        return float(loss), -np.array(slopes, dtype=float) / system.multiplicity
