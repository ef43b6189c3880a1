"""The second-order closure: mean counts, and half the curvature of every rate along what varies, times its variance.

What is averaged is a function f of the counts. The curvature along a direction d, of counts ū + ε d, comes from samples
on that ray: attention is linear in τ = ε/(1 + g ε), where g ε is what the softmax denominator gains, relatively
(``attention-along-a-ray``), so that every rate, the loss and the Jacobian are polynomials in τ, of degree at most four,
and five samples have their derivatives exactly (``curvature-from-five-samples``). So this closure is one more rule of
rows, whose counts and weights depend on the state.

The covariance of the counts is a variance of each class less one product (``second-order``): a ray for the count of one
area of each kind, and one for all counts together. The latents of target and global area are averaged exactly; those of
the others are split among the values, but for one area at a time.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dynamics import occupancy
from dynamics.closures import MOST_BYTES, Area, Rule, laid_out, latent_rows, merged_areas
from dynamics.coordinates import Coordinates
from dynamics.errors import accept
from dynamics.geometry import Array, Indices
from dynamics.setting import Setting

if TYPE_CHECKING:
    import sympy as sp

SAMPLES = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])  # of τ on a ray, in units of a step


class SecondOrderRule(NamedTuple):
    """Rows at the mean counts, and rays from them."""

    centre: Rule
    row: Indices  # (rays,) row of `centre` that the ray starts at
    along: Array  # (rays, columns) change of the counts
    spread: Array  # (rays,) half the variance along it, times the weight of the row
    reach: Array  # (samples,) τ of the samples on a ray, the middle one 0
    first: Array  # (samples,) what each adds to the first derivative by τ
    second: Array  # (samples,) and to the second

    @property
    def fp(self) -> Indices:
        """Coordinate of Φ of each area."""
        return self.centre.fp

    def numbers(self) -> dict[sp.Indexed, float]:
        """Symbols for the rays, and the value of each."""
        v, d = _ray_symbols()
        along = {d[ray, column]: float(self.along[ray, column]) for ray, column in np.argwhere(self.along).tolist()}
        return along | {v[ray]: float(value) for ray, value in enumerate(self.spread)}

    def curvature(self, rate: sp.Expr, centre: Rule) -> sp.Expr:
        """What a rate of the centre, in symbols, is to be corrected by: half the variance times its curvature."""
        import sympy as sp

        (v, d), step, found = _ray_symbols(), sp.Dummy(), sp.Integer(0)
        for ray, row in enumerate(self.row):
            columns = np.flatnonzero(self.along[ray])
            counts = {centre.unmasked[0, column]: step * d[ray, column] for column in columns.tolist()}
            of_row = sp.diff(rate, centre.weight[row]).xreplace({u: u + change for u, change in counts.items()})
            found += v[ray] * sp.diff(of_row, step, 2).subs(step, 0)
        return found


def _ray_symbols() -> tuple[sp.IndexedBase, sp.IndexedBase]:
    import sympy as sp

    return sp.IndexedBase("v", real=True), sp.IndexedBase("d", real=True)


class _Layout(NamedTuple):
    """The areas of a cluster, one of each kind apart from those like it."""

    cluster: int
    areas: list[Area]
    rays: list[tuple[dict[int, float], float]]  # change of each column, and half the variance along it
    drawn: set[int]  # areas whose latent is drawn, not split
    copies: float  # how often it occurs: one area of each kind has its latent drawn in turn


def second_order_rule(setting: Setting, coordinates: Coordinates) -> SecondOrderRule:
    """Rows and rays of every cluster. Large-P; results ``second-order``, ``curvature-from-five-samples``.

    Raises
    ------
    ValueError
        If there would be more rows than memory should hold.
    """
    fraction = occupancy.unmasked_fraction(setting.masked, setting.geometry.patches)
    columns: list[float] = []
    layouts = [
        layout for k in range(setting.geometry.clusters) for layout in _layouts(setting, coordinates, k, columns)
    ]
    latents = [latent_rows(setting.law, layout.areas, layout.drawn) for layout in layouts]
    rows = sum(len(z) for z, _ in latents)
    rays = sum(len(z) * len(layout.rays) for layout, (z, _) in zip(layouts, latents, strict=True))
    needed = 8 * (len(columns) + 3) * (rows + len(SAMPLES) * rays)
    accept(needed <= MOST_BYTES, "closure", "second-order", f'"exact" here: it takes {needed / 2**30:.1f} GiB')
    first_row = np.cumsum([0, *(len(z) for z, _ in latents)])
    chance = [
        setting.weights[layout.cluster] * setting.masked_fraction * layout.copies * of_latents
        for layout, (_, of_latents) in zip(layouts, latents, strict=True)
    ]
    widest = max(len(layout.areas) for layout in layouts)
    centre = Rule(
        **laid_out(coordinates, [layout.areas for layout in layouts], [layout.cluster for layout in layouts]),
        column=np.array([c for layout in layouts for area in layout.areas for _, _, c in area.cells], dtype=int),
        cluster=np.repeat(np.arange(len(layouts)), np.diff(first_row)),
        counts=np.zeros(rows, dtype=int),
        latents=np.arange(rows),
        weight=np.concatenate(chance),
        unmasked=fraction * np.array([columns]),
        latent=np.vstack([np.pad(z, ((0, 0), (0, widest - z.shape[1]))) for z, _ in latents]),
    )
    starts: list[int] = []
    along, spread = np.zeros((rays, len(columns))), []
    for number, layout in enumerate(layouts):
        for row, (change, variance) in itertools.product(range(len(chance[number])), layout.rays):
            along[len(starts), list(change)] = list(change.values())
            starts.append(first_row[number] + row)
            spread.append(variance * chance[number][row])
    reach = SAMPLES * min(fraction, 1 - fraction) / 4  # however much a patch weighs, no count is below 0 or too high
    powers = np.vander(SAMPLES, increasing=True)
    step = reach[-1] / SAMPLES[-1] or 1.0
    first, half_second = np.linalg.inv(powers)[1:3]
    return SecondOrderRule(
        centre, np.array(starts, dtype=int), along, np.array(spread), reach, first / step, 2 * half_second / step**2
    )


def _layouts(setting: Setting, coordinates: Coordinates, k: int, columns: list[float]) -> list[_Layout]:
    """Of cluster k: every other area split among the values of its latent, then one of each kind drawn in turn."""
    own = {int(coordinates.target[k]), setting.geometry.global_area(k)}
    kinds = merged_areas(coordinates, k, [])
    one_value = len(setting.law.values) == 1
    others = [] if one_value else [area for area in kinds if area.number not in own]
    split = _layout(setting, k, kinds, own, None, columns)
    drawn = [_layout(setting, k, kinds, own, area, columns) for area in others]
    return [split._replace(copies=1 - sum(layout.copies for layout in drawn)), *drawn]


def _layout(
    setting: Setting, k: int, kinds: list[Area], own: set[int | None], drawn: Area | None, columns: list[float]
) -> _Layout:
    """The areas of cluster k, the rays of their counts, and the latent of one area drawn."""
    variance, product = occupancy.covariance(setting.masked, setting.geometry.patches)
    areas, rays, everything = [], [], dict[int, float]()
    values = list(zip(setting.law.values, setting.law.weights, strict=True))
    for kind in kinds:
        for copies, single in ((1.0, True), (kind.copies - 1, False)):
            if copies == 0:
                continue
            cells = tuple((pp, size, len(columns) + c) for c, (pp, size, _) in enumerate(kind.cells))
            columns += [size for _, size, _ in kind.cells]
            everything |= {column: size for _, size, column in cells}
            if single:
                rays += [({column: size}, kind.copies * variance / (2 * size)) for _, size, column in cells]
            area = replace(kind, copies=copies, cells=cells)
            if kind.number in own or (kind is drawn and single):
                areas.append(area)
            else:
                areas += [replace(area, copies=copies * w, latent=float(z), number=-1) for z, w in values]
    rays.append((everything, -product / 2))
    kept = [ray for ray in rays if ray[1] != 0]
    chosen = {m for m in own if m is not None} | ({drawn.number} if drawn else set())
    return _Layout(k, areas, kept, chosen, drawn.copies if drawn else 1.0)
