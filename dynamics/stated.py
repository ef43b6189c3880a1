"""The loss as the model states it, and its derivatives by differences: what the kernel is checked against.

An independent way to the same numbers: the loss of each sample is evaluated as the model states it, a sum over classes
within a sum over areas, every copy of an area an area of its own, and differentiated by differences that a hundred
digits hold, with no chain rule through attentions, no split sums and no loops. The geometry has all that the loops tell
apart: two clusters that share coordinates, an area that stands for two, a target that is not the first area, two cells
in an area, latents and multiplicities that all differ, and samples with and without the latents of the one before.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache, partial
from typing import Any, NamedTuple

import numpy as np

from dynamics.closures import Rule
from dynamics.geometry import Array
from dynamics.second_order import SecondOrderRule

DIGITS, STEP, COUNT_STEP = 100, "1e-25", "1e-12"  # of the differences: in a coordinate, along a change of counts
COORDINATES = 7  # fp 0, 1, 2; pp 3, 4, 5; self


class _Area(NamedTuple):
    """An area of the geometry checked: its coordinate, how many it stands for, the coordinates of its cells."""

    fp: int
    copies: int
    pp: tuple[int, ...]


CLUSTERS = ((_Area(0, 2, (3,)), _Area(1, 1, (4, 5))), (_Area(2, 1, (3,)), _Area(1, 1, (4,)), _Area(0, 1, (5,))))
TARGET = 1  # the second area of each cluster


def reference(rule: Rule, y: Array) -> dict[str, Array]:
    """Loss, rate and attention from the loss written out, one sample after the other."""
    of, weight = partial(loss, rule), np.bincount(rule.cluster, rule.weight)
    attention = [np.zeros(len(areas) + 2) for areas in CLUSTERS]
    for row, k in enumerate(rule.cluster):
        attention[k] += rule.weight[row] / weight[k] * _attention(rule, row, y)
    here, rate = value(of, y), -slopes(of, y) / rule.multiplicity
    return {
        "loss": here,
        "rate": rate,
        "first step": 0.5 * rate,
        "later steps": np.ones(len(y)),
        "losses": here[None],
        "attention": np.concatenate(attention),
    }


def _as_numbers(given: Any) -> Any:
    """The same numbers as mpmath's, in an array."""
    number = _mpmath().mpf  # before the ufunc: the import raises floating-point flags, which a ufunc would report
    return np.vectorize(number, otypes=[object])(given)


def _mpmath() -> Any:
    import mpmath

    return mpmath


def value(of: Callable[[Any], Any], y: Array) -> Array:
    """The loss at a state."""
    with _mpmath().workdps(DIGITS):
        return np.array(float(of(_as_numbers(y))))


def slopes(of: Callable[[Any], Any], y: Array) -> Array:
    """First derivatives of the loss: (n,)."""
    with _mpmath().workdps(DIGITS):
        state, steps = _as_numbers(y), _mpmath().mpf(STEP) * np.eye(len(y), dtype=int)
        return np.array([float((of(state + by) - of(state - by)) / (2 * by.max())) for by in steps])


def bends(of: Callable[[Any], Any], y: Array) -> Array:
    """Second derivatives: (n, n)."""
    with _mpmath().workdps(DIGITS):
        state, steps = _as_numbers(y), _mpmath().mpf(STEP) * np.eye(len(y), dtype=int)
        here, out = of(state), np.empty((len(y), len(y)))
        both = [of(state + by) + of(state - by) - 2 * here for by in steps]  # step² times the second derivative
        for i, j in np.ndindex(out.shape):
            if j <= i:
                by = steps[i] + steps[j]
                along = of(state + by) + of(state - by) - 2 * here
                out[i, j] = out[j, i] = float((along - both[i] - both[j]) / (2 * steps[i].max() ** 2))
        return out


def loss(rule: Rule, y: Any) -> Any:
    """Of all samples."""
    return sum(weight * _sample(rule, row, y, 0) for row, weight in enumerate(rule.weight.tolist()))


def curved_loss(rule: SecondOrderRule, y: Any) -> Any:
    """The centres, and the curvature along each ray by a difference."""
    total, step = loss(rule.centre, y), _mpmath().mpf(COUNT_STEP)
    for along, row, spread in zip(rule.along, rule.row, rule.spread.tolist(), strict=True):
        low, middle, high = (_sample(rule.centre, row, y, move * along) for move in (-step, 0 * step, step))
        total += spread * (low - 2 * middle + high) / step**2
    return total


def _sample(rule: Rule, row: int, y: Any, change: Any) -> Any:
    """Loss of a sample with its counts changed, as the model states it, with the digits that mpmath is set to.

    Every copy of an area is an area of its own. The model counts from 1.
    """
    k = int(rule.cluster[row])
    unmasked, size = _counts(rule, row, change)
    areas = [m for m, area in enumerate(CLUSTERS[k]) for _ in range(area.copies)]
    cells = [(m, pp) for m, area in enumerate(CLUSTERS[k]) for pp in area.pp]
    classes = [(i, c) for i, m in enumerate(areas, 1) for c, (home, _) in enumerate(cells) if home == m]
    return _stated()(
        [None, *(y[CLUSTERS[k][m].fp] for m in areas)],
        [None, *(y[cells[c][1]] for _, c in classes)],
        y[-1],
        [None, *(rule.latent[rule.latents[row], m] for m in areas)],
        [None, *(unmasked[c] for _, c in classes)],
        [None, *(size[c] - unmasked[c] for _, c in classes)],
        [None, *(i for i, _ in classes)],
        len(classes),
        len(areas),
        1 + areas.index(TARGET),
    )


def _counts(rule: Rule, row: int, change: Any) -> tuple[Any, Any]:
    """Unmasked patches in each cell of the sample's cluster, and all."""
    k = int(rule.cluster[row])
    cells = slice(rule.cells[rule.areas[k]], rule.cells[rule.areas[k + 1]])
    unmasked = _as_numbers(rule.unmasked[rule.counts[row]]) + change
    return unmasked[rule.column[cells]], _as_numbers(rule.size[cells])


@cache
def _stated() -> Any:
    """The loss of a sample, as ``derivations.model`` has it, for mpmath; exponentials are remembered."""
    import sympy as sp

    from derivations import model
    from derivations.symbols import N, S, a, area, fp, h, pp, pp_self, u, z

    arguments = [fp, pp, pp_self, z, u, h, area, S, N, a]
    exp = lru_cache(maxsize=1000)(_mpmath().exp)
    return sp.lambdify(arguments, model.sample_loss(), modules=[{"exp": exp}, "mpmath"])


def _attention(rule: Rule, row: int, y: Array) -> Array:
    """Of a sample: on all copies of each area, on the masked patches, and on the query."""
    k, (unmasked, size), (seen, hidden) = int(rule.cluster[row]), _counts(rule, row, 0), _masses()
    cells = [(m, pp) for m, area in enumerate(CLUSTERS[k]) for pp in area.pp]
    masses = np.array([*(0 * y[-1] for _ in CLUSTERS[k]), 0 * y[-1], hidden(y[-1])], dtype=object)
    for c, (m, pp) in enumerate(cells):
        area, z = CLUSTERS[k][m], rule.latent[rule.latents[row], m]
        masses[m] += area.copies * unmasked[c] * seen(z, y[area.fp], y[pp])
        masses[-2] += area.copies * (size[c] - unmasked[c]) * hidden(y[pp])
    return (masses / masses.sum()).astype(float)


@cache
def _masses() -> tuple[Any, Any]:
    """Softmax numerators of an unmasked and a masked patch."""
    import sympy as sp

    from derivations import model

    z, fp, pp = sp.symbols("z fp pp", real=True)
    seen, hidden = model.unmasked_mass(z, fp, pp), model.masked_mass(pp)
    return sp.lambdify([z, fp, pp], seen, modules="mpmath"), sp.lambdify([pp], hidden, modules="mpmath")
