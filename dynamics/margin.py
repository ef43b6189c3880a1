"""Where the exact dynamics go in the end: the max-margin direction of the correlations of one query.

After attention has locked, what is left of the loss decays in the score by which, at every mask, the right patches beat
the wrong ones. The correlations then grow along the direction that wins by 1 at the least norm: ½ log t times it, and
4t(L_p − L*_p) tends to its squared norm. Results ``late-exact-tail``, ``late-exact``, which assume the direction.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dynamics.coordinates import Coordinates
from dynamics.errors import accept, real_array
from dynamics.geometry import Array
from dynamics.setting import Setting
from dynamics.shown import LONGEST, SHORT, guarded, line, number, some

SLACK = 1e-9  # by which a condition may seem to fail through rounding
MOST_KINDS = 10  # of areas that differ: a condition for every way to show some, all or none of each


@dataclass(frozen=True, eq=False)
class MaxMargin:
    """The max-margin direction θ*, with what proves it: diag(mult) θ* = constraintsᵀ·multipliers, multipliers ≥ 0.

    Attributes
    ----------
    direction : dict
        θ* by the names of the reduced coordinates.
    squared_norm : float
        ‖θ*‖² = Σ mult_i θ_i², the limit of 4t(L_p − L*_p).
    constraints : (c, n) array
        Differences of a winning and a competing score; θ* makes each at least 1.
    multipliers : (c,) array
        Of the constraints, 0 where a difference is above 1; their sum is ‖θ*‖².
    """

    direction: dict[str, float]
    squared_norm: float
    constraints: Array
    multipliers: Array

    @guarded
    def __repr__(self) -> str:
        norm = f"‖θ*‖² = {number(self.squared_norm)}, "
        parts = (f"{name} {number(value, SHORT)}" for name, value in self.direction.items())
        return line("MaxMargin", norm + some(parts, LONGEST - len(f"MaxMargin({norm}, …)")))


class Condition(NamedTuple):
    """Some winning score, (V, n) rows of its coefficients, beats every competing one, (W, n), by 1."""

    winners: Array
    competitors: Array

    def margin(self, theta: Array) -> float:
        """By how much the best of the winners beats the best of the competitors."""
        return float((self.winners @ theta).max() - (self.competitors @ theta).max())

    def decided(self, theta: Array) -> Condition:
        """The condition that the winner of this state, and no other, wins."""
        return self._replace(winners=self.winners[[(self.winners @ theta).argmax()]])


Found = tuple[Array, Array, Array] | None  # θ, the rows that it keeps at least 1, and their multipliers


@np.errstate(under="ignore")
def max_margin(setting: Setting, query: int | str, state: npt.ArrayLike | None = None) -> MaxMargin:
    """The direction of least norm along which nothing wrong is reconstructed at any mask.

    Where a patch of the target area is shown, its score beats every other by 1. Where none is, nothing can be
    reconstructed, and *some* score of a masked patch beats all of those shown: attention escapes to what is masked.

    Parameters
    ----------
    setting : Setting
        Of one cluster whose patches can be counted, with latents above 0.
    query : int or "local" or "global"
        As for ``reduce``.
    state : (n,) array, optional
        Of the merged coordinates: the same masked scores win as in this state. Given the state at the
        half-time that is where the flow went in every case that was measured, not proved: which of them wins is settled
        early, by Υ of the target area, and need not be the cheapest.

    Raises
    ------
    ValueError
        If the setting is another, or the state of another shape.

    Notes
    -----
    Exact: least norm is a convex problem, solved by an active-set method, once it is known which masked score wins;
    without a `state` that is found by branch and bound. With one, θ* is least among its neighbours, as long as the same
    scores win along it.
    """
    accept(isinstance(setting, Setting), "setting", setting, "a Setting")
    geometry, law = setting.geometry, setting.law
    accept(geometry.clusters == 1, "clusters", geometry.clusters, "one cluster")
    accept(geometry.patch_class is not None, "geometry", "scaling", "patches that can be counted")
    accept(float(law.values.min()) > 0, "latent", law.values.tolist(), "latents above 0: at 0 an area shows nothing")
    coordinates = Coordinates.of(setting, query)
    kinds = sum(name.startswith("pp") for name in coordinates.names) - 1
    accept(kinds <= MOST_KINDS, "setting", f"{kinds} kinds of areas", f"at most {MOST_KINDS}: 3^kinds masks differ")
    conditions = list(_conditions(setting, coordinates))
    if state is not None:
        at, n = real_array(state), len(coordinates.names)
        accept(at.shape == (n,) and bool(np.isfinite(at).all()), "state", state, f"a finite state of shape ({n},)")
        conditions = [condition.decided(at) for condition in conditions]
    found = _least(conditions, coordinates.multiplicity)
    assert found is not None  # own area up, all others down: then every condition can hold
    theta, constraints, multipliers = found
    direction = dict(zip(coordinates.names, theta.tolist(), strict=True))
    return MaxMargin(direction, float(coordinates.multiplicity @ theta**2), constraints, multipliers)


def _conditions(setting: Setting, coordinates: Coordinates) -> Iterator[Condition]:
    """What has to hold: one condition for every set of scores that a mask leaves, and every latent of the target."""
    score, (fp,), latents = np.eye(len(coordinates.names)), coordinates.fp, setting.law.values
    areas_of = {int(pp): int(m) for pp, m in zip(coordinates.pp, coordinates.class_areas[:, 0], strict=True) if pp >= 0}
    patches = {pp: int(coordinates.multiplicity[pp]) for pp in areas_of}
    for shown, hidden in _occupied(patches, int(setting.geometry.patches - setting.masked)):
        seen = {areas_of[pp]: score[pp] + np.outer(latents, score[fp[areas_of[pp]]]) for pp in shown}
        masked = np.vstack([score[[*hidden]], score[-1:]])
        target = seen.pop(int(coordinates.target[0]), None)
        others = np.vstack([np.empty((0, len(score))), *seen.values()])
        if target is not None:
            yield from (Condition(row[None], np.vstack([others, masked])) for row in target)
        elif len(others):
            yield Condition(masked, others)


def _occupied(patches: dict[int, int], unmasked: int) -> Iterator[tuple[list[int], list[int]]]:
    """Groups of interchangeable patches that a mask leaves some shown in, and some masked: all such pairs."""
    for fewest_and_most in itertools.product(*(((0, 0), (1, n - 1), (n, n)) for n in patches.values())):
        fewest, most = np.array(fewest_and_most).T
        if (fewest <= most).all() and fewest.sum() <= unmasked <= most.sum():
            groups = list(zip(patches, fewest, patches.values(), strict=True))
            yield [g for g, few, _ in groups if few > 0], [g for g, few, n in groups if few < n]


def _least(conditions: list[Condition], weight: Array, rows: Array | None = None, bound: float = math.inf) -> Found:
    """The least θ that meets every condition and has rows·θ ≥ 1, if its squared norm is below the bound.

    A condition that fails becomes rows, once for each winner it may have. More rows only raise the norm.
    """
    rows = np.empty((0, len(weight))) if rows is None else rows
    found = _shortest(rows, weight)
    if found is None or weight @ found[0] ** 2 >= bound:
        return None
    worst = min(conditions, key=lambda condition: condition.margin(found[0]))
    if worst.margin(found[0]) >= 1 - SLACK:
        return found
    best: Found = None
    for winner in worst.winners:
        tried = _least(conditions, weight, np.unique(np.vstack([rows, winner - worst.competitors]), axis=0), bound)
        if tried is not None:
            best, bound = tried, float(weight @ tried[0] ** 2)
    return best


def _shortest(rows: Array, weight: Array) -> Found:
    """The θ of least Σ weight θ² with rows·θ ≥ 1, and the multipliers; None where there is none.

    Lawson and Hanson, "Solving least squares problems", chapter 23: least distance, by non-negative least squares.
    """
    from scipy.optimize import nnls

    if not len(rows):
        return np.zeros(len(weight)), rows, np.empty(0)
    scaled = rows / np.sqrt(weight)
    solution = nnls(np.vstack([scaled.T, np.ones(len(rows))]), np.append(np.zeros(len(weight)), 1.0))[0]
    left = 1 - solution.sum()
    if left < SLACK:
        return None
    multipliers = solution / left
    return rows.T @ multipliers / weight, rows, multipliers
