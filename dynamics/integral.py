"""The integral form of the exact closure: the areas of a query, and how finely the integral is taken."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from dynamics.closures import MOST_BYTES, laid_out, merged_areas
from dynamics.coordinates import Coordinates
from dynamics.errors import accept
from dynamics.geometry import Array, Indices
from dynamics.setting import Setting
from dynamics.source import MARKS

MARGIN = 8  # parts of the tolerance: two ends and the step of the integral in y, the ends and the aliases of that in x


class IntegralRule(NamedTuple):
    """Areas and cells as in ``closures.Rule``, with the law of the latents, and the nodes of the integral."""

    multiplicity: Array  # (n,)
    areas: Indices  # (K + 1,)
    target: Indices  # (K,)
    copies: Array  # (areas,)
    fp: Indices  # (areas,)
    cells: Indices  # (areas + 1,)
    pp: Indices  # (cells,)
    size: Array  # (cells,) patches, the query not counted
    latent: Array  # (V,) values
    chance: Array  # (V,) their probabilities
    weight: Array  # (K,) probability of the cluster and that the query is masked, over the normaliser of the masks
    masked: float  # γP − 1, the query not counted
    others: float  # P − 1
    start: float  # radius of the circle of marks at y = 0
    step: float  # of log y
    from_log: float  # log y · D where the integral may begin, for the largest D
    to_log: float  # and end, for the smallest
    tail: float  # −log of what may be left out on the circle


class Workspace(NamedTuple):
    """Room for the jets of one node y, and some marks x of it.

    Last index 0 for the numbers, the others for derivatives along the coordinates; before it the mark.
    """

    state: Array  # Φ and Υ of a cell
    own: Array  # mass of the query
    masses: Array  # of a patch: for each latent value and cell
    x: Array  # marks that are taken together, all of the same modulus
    grown: Array  # each less the radius at y = 0
    bounds: Array  # log of a bound of what each may add
    chances: Array  # of a patch to be masked or not, likewise
    patches: Array  # cumulants of a patch, likewise
    logs: Array  # of the node mass of each area, for each latent value
    sums: Array  # cumulants of an area
    of_other: Array  # what an area other than the target is to the rest, with one latent value
    of_target: Array  # moments of the target, likewise
    levers: Array  # moments of an area beside the unmasked and beside the masked mass of one class of it
    chosen: Array  # weight of one latent value, and of all
    top: Array  # log of the largest
    weight: Array  # of the node, all areas taken together
    area: Array  # what each area is to the rest, averaged over its latent
    target: Array  # moments of the target, likewise
    fp: Array  # and of the lever of Φ
    pp: Array  # and of those of Υ: of unmasked and of masked patches
    before: Array  # rest of the sample: the query and the areas before each
    after: Array  # and after it
    rest: Array
    others: Array
    value: Array


def integral_rule(setting: Setting, coordinates: Coordinates, rtol: float) -> IntegralRule:
    """Areas of every cluster, equal ones taken together, and nodes that bound the error by rtol. Exact to rtol.

    The error is relative to the mean of the absolute values of what is averaged; but where a latent may be 0 and
    attention is locked, the loss has an absolute error of up to 1e-17, one circle serving all values of the latent.
    Results ``quadrature``, ``integral-form``.

    Raises
    ------
    ValueError
        If there are too many areas for memory.
    """
    geometry = setting.geometry
    accept(geometry.patch_class is not None, "method", "integral", '"auto": sizes are real numbers here')
    layouts = [merged_areas(coordinates, k, []) for k in range(geometry.clusters)]
    masked, others = float(setting.masked - 1), float(geometry.patches - 1)
    start = masked / (others - masked)
    rule = IntegralRule(
        **laid_out(coordinates, layouts),
        latent=setting.law.values,
        chance=setting.law.weights,
        weight=setting.weights * setting.masked_fraction / _normaliser(int(masked), int(others), start),
        masked=masked,
        others=others,
        start=start,
        step=_step(rtol / MARGIN),
        from_log=math.log(rtol / MARGIN) / 3,  # before it, exp(−y D) is taken as 1: for the loss the error is of y³ D³
        to_log=_end(rtol / MARGIN),
        tail=math.log(MARGIN * (1 + math.sqrt(others)) / rtol),
    )
    accept_workspace(rule, 1)
    return rule


def accept_workspace(rule: IntegralRule, directions: int) -> None:
    """Refuse a workspace of more bytes than memory should hold."""
    values, areas, cells = len(rule.latent), len(rule.fp), len(rule.pp)
    numbers = directions * (values * (9 * cells + areas) + 15 * (areas + cells)) * MARKS
    accept(16 * numbers <= MOST_BYTES, "method", "integral", f"fewer areas: it takes {16 * numbers / 2**30:.1f} GiB")


def _normaliser(masked: int, others: int, start: float) -> float:
    """binomial(P − 1, M') r^M' / (1 + r)^(P − 1), from the circle: logarithms of factorials would lose digits."""
    tail, variance = -math.log(np.finfo(float).eps), masked * (1 - masked / others)
    turns = min(int(tail + math.sqrt(tail * tail + 2 * tail * variance)), others) + 1  # as many as keep aliases below
    angle = 2 * np.pi * np.arange(turns) / turns
    growth = others * np.log1p(start * np.expm1(1j * angle) / (1 + start)) - 1j * masked * angle
    return float(np.exp(growth).real.mean())


def _step(error: float) -> float:
    """Step of log y at which the trapezoid rule errs by so much: result ``quadrature``."""
    from scipy.optimize import brentq

    def excess(frequency: float) -> float:
        return 0.5 * math.log(2 * math.pi) + 2.5 * math.log(frequency) - math.pi * frequency / 2 - math.log(error)

    return 2 * math.pi / float(brentq(excess, 2.0, 1e3))


def _end(error: float) -> float:
    """Logarithm of the x beyond which ∫ y² exp(−y) dy / 2 holds so much."""
    from scipy.special import gammainccinv

    return math.log(float(gammainccinv(3, error)))
