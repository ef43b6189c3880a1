"""The second-order closure: mean counts, and half the curvature of every rate along what varies, times its variance.

What is averaged is a function f of the counts. The curvature along a direction d, of counts ū + ε d, comes from samples
on that ray: attention is linear in τ = ε/(1 + g ε), where g ε is the part that the softmax denominator gains, so that
every rate, the loss and the Jacobian are polynomials in τ of degree at most four, and five samples have their
derivatives exactly. So this closure is one more rule of rows, whose counts and weights depend on the state.

The covariance of the counts is a variance of each class less one product: a ray for the count of one area of each kind,
and one for all counts together. The latents of target and global area are averaged exactly; those of the others are
split among the values, but for one area at a time.

Results ``second-order``, ``attention-along-a-ray``, ``curvature-from-five-samples``.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dynamics import occupancy
from dynamics.closures import MOST_BYTES, Area, Rule, laid_out, latent_rows, merged_areas
from dynamics.coordinates import Coordinates
from dynamics.errors import accept
from dynamics.geometry import Array, Indices
from dynamics.setting import Setting
from dynamics.source import interpret

if TYPE_CHECKING:
    import sympy as sp

MOST_ROUNDING = 1e-8  # of a rate
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

    def curvatures(self, y: Any, centre: Rule) -> Any:
        """What the rates of the centre, in symbols, are to be corrected by: half the variance times the curvature."""
        import sympy as sp

        (v, d), found = _ray_symbols(), np.zeros(len(y), dtype=object)
        for ray, row in enumerate(self.row.tolist()):
            counts: Any = centre.unmasked.copy()
            for column in np.flatnonzero(self.along[ray]).tolist():
                counts[0, column] = _Series(counts[0, column], d[ray, column], sp.Integer(0))
            only = {name: getattr(centre, name)[[row]] for name in ("cluster", "counts", "latents")}
            sample = centre._replace(unmasked=counts, weight=np.array([2 * v[ray]]), **only)
            rate, _ = interpret("rate_and_loss", sp.exp, y, sample)
            found = found + [part.bend if isinstance(part, _Series) else 0 for part in rate]
        return found


@dataclass(frozen=True)
class _Series:
    """value + slope ε + bend ε²: a number of the loops along a ray, of which no more is wanted."""

    value: Any
    slope: Any = 0
    bend: Any = 0

    @classmethod
    def of(cls, number: Any) -> _Series:
        return number if isinstance(number, cls) else cls(number)

    def __add__(self, other: Any) -> _Series:
        other = _Series.of(other)
        return _Series(self.value + other.value, self.slope + other.slope, self.bend + other.bend)

    def __mul__(self, other: Any) -> _Series:
        a, b = self, _Series.of(other)
        bend = a.value * b.bend + a.slope * b.slope + a.bend * b.value
        return _Series(a.value * b.value, a.value * b.slope + a.slope * b.value, bend)

    def __truediv__(self, other: Any) -> _Series:
        a, b = self, _Series.of(other)
        value = a.value / b.value
        slope = (a.slope - value * b.slope) / b.value
        return _Series(value, slope, (a.bend - value * b.bend - slope * b.slope) / b.value)

    def __rtruediv__(self, other: Any) -> _Series:
        return _Series.of(other) / self

    def __neg__(self) -> _Series:
        return self * -1

    def __sub__(self, other: Any) -> _Series:
        return self + -_Series.of(other)

    def __rsub__(self, other: Any) -> _Series:
        return -self + other

    def __pow__(self, power: int) -> _Series:
        return math.prod([self] * power, start=_Series(1))

    __radd__, __rmul__ = __add__, __mul__


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
        If there would be more rows than memory should hold, or areas than rounding allows.
    """
    fraction = occupancy.unmasked_fraction(setting.masked, setting.geometry.patches)
    columns: list[float] = []
    layouts = [
        layout for k in range(setting.geometry.clusters) for layout in _layouts(setting, coordinates, k, columns)
    ]
    combinations = [len(setting.law.values) ** len(layout.drawn) for layout in layouts]
    rows, rays = (
        sum(combinations),
        sum(count * len(layout.rays) for layout, count in zip(layouts, combinations, strict=True)),
    )
    widest = max(len(layout.areas) for layout in layouts)
    needed = 8 * (len(columns) + widest + 3) * (rows + len(SAMPLES) * rays)
    accept(needed <= MOST_BYTES, "closure", "second-order", f'"exact" here: it takes {needed / 2**30:.1f} GiB')
    latents = [latent_rows(setting.law, layout.areas, layout.drawn) for layout in layouts]
    first_row = np.cumsum([0, *combinations])
    chance = [
        setting.weights[layout.cluster] * setting.masked_fraction * layout.copies * of_latents
        for layout, (_, of_latents) in zip(layouts, latents, strict=True)
    ]
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
    step = min(fraction, 1 - fraction) / 4 or 1.0  # however much a patch weighs, no count is below 0 or too high
    reach, first, second = derivatives(step)
    rounding = np.finfo(float).eps * max(map(abs, spread), default=0.0) * np.abs(second).sum() / centre.weight.max()
    large = f'"mean-field" here: with so many areas rounding would be {rounding:.0e} of a rate'
    accept(rounding <= MOST_ROUNDING, "closure", "second-order", large)
    return SecondOrderRule(centre, np.array(starts, dtype=int), along, np.array(spread), reach, first, second)


def derivatives(step: float) -> tuple[Array, Array, Array]:
    """τ of the samples on a ray, and what each adds to the first and to the second derivative: exact to degree 4."""
    first, half_second = np.linalg.inv(np.vander(SAMPLES, increasing=True))[1:3]
    return step * SAMPLES, first / step, 2 * half_second / step**2


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
        for copies, standing_for, is_drawn in _parts(kind.copies, kind is drawn):
            cells = tuple((pp, size, len(columns) + c) for c, (pp, size, _) in enumerate(kind.cells))
            columns += [size for _, size, _ in kind.cells]
            everything |= {column: size for _, size, column in cells}
            rays += [({column: size}, standing_for * variance / (2 * size)) for _, size, column in cells]
            area = replace(kind, copies=copies, cells=cells)
            if kind.number in own or is_drawn:
                areas.append(area)
            else:
                areas += [replace(area, copies=copies * w, latent=float(z), number=-1) for z, w in values]
    rays.append((everything, -product / 2))
    kept = [ray for ray in rays if ray[1] != 0]
    chosen = {m for m in own if m is not None} | ({drawn.number} if drawn else set())
    return _Layout(k, areas, kept, chosen, drawn.copies if drawn else 1.0)


def _parts(copies: float, drawn: bool) -> list[tuple[float, float, bool]]:
    """Equal areas told apart: how many together, how many their rays stand for, whether their latent is drawn."""
    first, left = ([(1.0, 1.0, True)], copies - 1) if drawn else ([], copies)
    others = [(1.0, left, False), (left - 1, 0.0, False)] if left != 0 else []
    return [*first, *(part for part in others if part[0] != 0)]
