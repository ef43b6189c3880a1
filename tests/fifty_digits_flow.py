"""Half-time of the mean-field flow with 50 digits, at any P: the derived rates, and nothing else that is ours.

Gragg–Bulirsch–Stoer extrapolation along the curve of (y, log(1 + t)), which starts at t = 0 itself and does not turn
vertical in time where the attention locks.
"""

from functools import partial

import mpmath
import numpy as np
from mpmath import mpf

from dynamics.closures import Rule
from dynamics.source import interpret

ROWS = 8  # of the extrapolation: order 16, the change is of order 14
TARGET, GLOBAL, OTHER = 0, 1, 2  # areas, and their coordinates


def numbers(values):
    """Numbers of 50 digits that stand for what is written: 0.98 for 98/100."""
    return np.array([mpf(str(value)) for value in values])


def scaling_rule(log10_patches, kappa_c, kappa_s, mask_ratio=0.5, latent=1):
    """The rule of a local query at the mean counts: C_global = P^κc, C_local = P^κs, of P patches γP masked."""
    exponent, kappa_c, kappa_s, masked_fraction = numbers([log10_patches, kappa_c, kappa_s, mask_ratio])
    z, chance = map(numbers, latent if isinstance(latent, tuple) else ([latent], [1]))
    patches, big, small = (mpf(10) ** (exponent * kappa) for kappa in (1, kappa_c, kappa_s))
    others, count = (patches - big) / small - 1, len(z)
    unmasked = (patches - masked_fraction * patches) / (patches - 1)  # the query is masked
    size = np.array([small - 1, big] + [small] * count)
    area, row = np.arange(count + 2), np.arange(count**2)
    coordinate = np.minimum(area, OTHER)
    return Rule(
        multiplicity=np.array([1, 1, others, small - 1, big, others * small, 1]) * mpf(1),
        areas=np.array([0, count + 2]),
        target=np.array([TARGET]),
        copies=np.array([mpf(1), mpf(1), *(others * chance)]),
        fp=coordinate,
        cells=np.arange(count + 3),
        pp=3 + coordinate,
        size=size,
        column=area,
        cluster=0 * row,
        counts=0 * row,
        latents=row,
        weight=masked_fraction * np.outer(chance, chance).ravel(),
        unmasked=unmasked * size[None],
        latent=np.array([[mine, its, *z] for mine in z for its in z]),
    )


def attention(rule, y):
    """Attention on each area, all its copies, in the mean over latents: the softmax at the mean counts."""
    exp, mean = np.vectorize(mpmath.exp, otypes=[object]), 0
    hidden = rule.copies * (rule.size - rule.unmasked[0]) * exp(y[rule.pp])
    for chance, z in zip(rule.weight / rule.weight.sum(), rule.latent, strict=True):
        seen = rule.copies * rule.unmasked[0] * exp(z * y[rule.fp] + y[rule.pp])
        mean += chance * seen / (seen.sum() + hidden.sum() + mpmath.exp(y[-1]))
    return mean


def direction(rule, state):
    """d(y, log(1 + t))/dl = ((1 + t)·rate, 1) over its length."""
    rate, _ = interpret("rate_and_loss", mpmath.exp, state[:-1], rule)
    ahead = np.append(mpmath.exp(state[-1]) * rate, mpf(1))
    return ahead / mpmath.sqrt(ahead @ ahead)


def midpoint(slope, state, first, length, steps):
    """So many steps of the midpoint rule, smoothed: its error is a series in 1/steps²."""
    h = length / steps
    before, here = state, state + h * first
    for _ in range(steps - 1):
        before, here = here, before + 2 * h * slope(here)
    return (before + here + h * slope(here)) / 2


def extrapolated(slope, state, first, length):
    """The state so far ahead on the curve, and how much the last refinement of the midpoint rule changed it."""
    row = []
    for k in range(1, ROWS + 1):
        before, row = row, [midpoint(slope, state, first, length, 2 * k)]
        for j, coarser in enumerate(before, 1):
            row.append(row[-1] + (row[-1] - coarser) / (mpf(k) ** 2 / (k - j) ** 2 - 1))
    return row[-1], abs(row[-1] - before[-1]).max()


def follow(rule, stop, tolerance=1e-10):
    """From Q = 0 to where `stop(y)` changes its sign: log t and y there. The tolerance is that of a step, absolute."""
    with mpmath.workdps(50):
        slope, tolerance, length = partial(direction, rule), mpf(tolerance), mpf(1)
        state = np.array([mpf(0)] * (len(rule.multiplicity) + 1))
        sign = mpmath.sign(stop(state[:-1]))
        while True:
            first = slope(state)
            ahead, change = extrapolated(slope, state, first, length)
            if change <= tolerance:
                if mpmath.sign(stop(ahead[:-1])) != sign:
                    break
                state = ahead
            length *= min(2, max(mpf(1) / 4, (tolerance / (4 * change)) ** (mpf(1) / (2 * ROWS - 1))))

        def missed(part):
            return stop(extrapolated(slope, state, first, part)[0][:-1])

        at = mpmath.findroot(missed, (0, length), solver="anderson", tol=1e-40)
        state, _ = extrapolated(slope, state, first, at)
        return mpmath.log(mpmath.expm1(state[-1])), state[:-1]


def at_half_time(log10_patches, kappa_c, kappa_s, mask_ratio=0.5, latent=1, tolerance=1e-10, seen_at=None):
    """log T, y and the mean attention on the target at T: where that, or that with every latent at `seen_at`, is ½."""
    given = (log10_patches, kappa_c, kappa_s, mask_ratio)
    with mpmath.workdps(50):
        rule = scaling_rule(*given, latent)
        seen = rule if seen_at is None else scaling_rule(*given, seen_at)
        log_t, y = follow(rule, lambda y: attention(seen, y)[TARGET] - mpf(1) / 2, tolerance)
        return log_t, y, attention(rule, y)[TARGET]
