"""What the model sees: the areas of a photograph, and the distribution of the theory, both on the patch grid.

(a) A photograph cut into patches, one cluster: its areas, a masked sample, the target area of one query. (b) The data
model: in every cluster a global area and local ones elsewhere, so that the target area of the same query is another in
each; a sample draws a cluster, a latent z for each of its areas, and a mask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

import dynamics as dy
from derivations._shell import accept
from figures import maps, style
from figures.ranges import Count, Seed, Share, Whole, Window
from figures.table import Table, rows, select, stack

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

SIZE = (style.PAGE, 5.0)
CHANNELS = ("red", "green", "blue")
PHOTOGRAPH = 0  # in the place of a cluster's number


MOST_DRAWS = 1000  # of a place for a block


class Parameters(NamedTuple):
    """How the photograph is cut, and what is masked; then the clusters, and the sample of one of them."""

    grid: tuple[Count, Count] = (14, 14)
    areas: Count = 8
    seed: Seed = 0
    mask_ratio: Share = 0.5
    mask_seed: Seed = 0
    target_area: Whole = 6
    square: Count = 8  # patches across and down
    block: tuple[Count, Count] = (2, 3)  # a local area, upright or not
    local_areas: Count = 4
    clusters: Count = 3
    sampled: Count = 2  # the cluster of the sample
    latent: Window = (0.2, 1.0)  # uniform
    place_seed: Seed = 0


COLUMNS = {
    "cluster": "number k of the cluster, or 0 for the photograph",
    "quantity": "what value is: area number, masked or query (1 where it is), latent, a colour from 0 to 1",
    "row": "of the patch grid",
    "column": "of the patch grid",
    "value": "see quantity",
}
QUICK: dict[str, Any] = {"grid": (10, 10), "areas": 6, "target_area": 3}


def data(p: Parameters) -> Table:
    """Of every patch of photograph and clusters its area, and of one sample of both what it shows and its mask."""
    parts = [(PHOTOGRAPH, name, values.reshape(p.grid)) for name, values in _of_photograph(p).items()]
    parts += [(k, name, values) for k, found in enumerate(_of_clusters(p), 1) for name, values in found.items()]
    return stack(rows(cluster=k, quantity=name, **maps.patch_rows(values)) for k, name, values in parts)


def _of_photograph(p: Parameters) -> dict[str, maps.Grid]:
    """Colour and area of every patch, whether it is masked in one sample, and the first masked patch of one area."""
    setting = dy.Setting(dy.Geometry.from_image(maps.pixels(), p.grid, p.areas, p.seed), mask_ratio=p.mask_ratio)
    assert setting.geometry.area_of is not None
    area = setting.geometry.area_of[0]
    masked = _mask(setting, p)
    queries = np.flatnonzero(masked & (area == p.target_area))
    accept(len(queries) > 0, "target_area", p.target_area, f"one of the areas 0 to {area.max()} with a masked patch")
    query = queries[0]
    colours = dy.patch_colours(maps.pixels(), p.grid)
    found = {"area": area, "masked": masked, "query": np.arange(area.size) == query}
    return found | {name: colours[..., channel] for channel, name in enumerate(CHANNELS)}


def _of_clusters(p: Parameters) -> list[dict[str, maps.Grid]]:
    """Of each cluster areas and query: a masked patch, as often in a local area, and in another one, as can be."""
    accept(p.sampled <= p.clusters, "sampled", p.sampled, f"a whole number in [1, {p.clusters}]: one of the clusters")
    rng = np.random.default_rng(p.place_seed)
    areas = np.array([_scattered(p, rng) for _ in range(p.clusters)])
    geometry = dy.Geometry.from_labels(areas.reshape(p.clusters, -1), grid=(p.square, p.square))
    masked = _mask(dy.Setting(geometry, mask_ratio=p.mask_ratio), p).reshape(areas[0].shape)
    latent = rng.uniform(*p.latent, p.local_areas + 1)
    ordered = np.sort(areas, axis=0)
    score = (ordered > 0).sum(axis=0) + (np.diff(ordered, axis=0) > 0).sum(axis=0)
    query = np.arange(masked.size).reshape(masked.shape) == np.where(masked, score, 0).argmax()
    found = [{"area": area, "query": query} for area in areas]
    found[p.sampled - 1] |= {"masked": masked, "latent": latent[areas[p.sampled - 1]]}
    return found


def _mask(setting: dy.Setting, p: Parameters) -> npt.NDArray[np.bool_]:
    patches = int(setting.geometry.patches)
    masked = np.random.default_rng(p.mask_seed).choice(patches, int(setting.masked), replace=False)
    return np.isin(np.arange(patches), masked)


def _scattered(p: Parameters, rng: np.random.Generator) -> maps.Grid:
    """Area numbers: local areas in blocks at places drawn until they are free, in the global area, 0."""
    area = np.zeros((p.square, p.square), dtype=int)
    for m in range(1, p.local_areas + 1):
        for _ in range(MOST_DRAWS):
            height, width = rng.permutation(p.block)
            accept(max(p.block) <= p.square, "block", p.block, f"patches of a square of {p.square}, across and down")
            row, column = rng.integers(p.square + 1 - height), rng.integers(p.square + 1 - width)
            block = area[row : row + height, column : column + width]
            if not block.any():
                block[:] = m
                break
        else:
            raise ValueError(f"local_areas={p.local_areas}: expected so few that they fit in {p.square}×{p.square}")
    return area


def draw(figure: Figure, table: Table, p: Parameters) -> None:
    parts: Any = figure.subfigures(2, 1, height_ratios=(1.15, 1))
    _draw_photograph(parts[0], select(table, cluster=PHOTOGRAPH))
    _draw_clusters(parts[1], table, p)


def _draw_photograph(figure: SubFigure, table: Table) -> None:
    area, masked = maps.grid_of(table, quantity="area"), maps.grid_of(table, quantity="masked") == 1
    row, column = _query(table)
    colours = np.stack([maps.grid_of(table, quantity=name) for name in CHANNELS], axis=-1)
    target = area == area[row, column]
    picture, areas, sample, wanted = figure.subplots(1, 4)
    height, width = area.shape
    maps.photograph(picture, f"(a) photograph, {height} × {width}", cut=(height, width))
    maps.show(areas, maps.area_colours(area), f"its {int(area.max()) + 1} areas")
    _outline_all(areas, area)
    maps.show(sample, colours, "a sample (masked: hatched)")
    maps.hatch(sample, masked)
    maps.show(wanted, np.where(target[..., None], colours, 0.25 * colours + 0.75), "query (star), target area")
    maps.hatch(wanted, masked & target)
    maps.outline(wanted, target, style.VERMILLION)
    for axes in (sample, wanted):
        maps.mark(axes, row, column)
    _size_legend(figure, area, "patches $C_m$ of each area")


def _draw_clusters(figure: SubFigure, table: Table, p: Parameters) -> None:
    """Areas of each cluster with the target area of the query, and the sample."""
    axes: Any = figure.subplots(1, p.clusters + 1)
    for k, axis in enumerate(axes[:-1], 1):
        found = select(table, cluster=k)
        area, place = maps.grid_of(found, quantity="area"), _query(found)
        maps.show(axis, maps.area_colours(area), f"{'(b) ' if k == 1 else ''}cluster $k = {k}$", square=True)
        _outline_all(axis, area)
        _number(axis, area)
        maps.outline(axis, area == area[place])
        maps.mark(axis, *place)
    found = select(table, cluster=p.sampled)
    shade = maps.grid_of(found, quantity="latent")[..., None] / p.latent[1]
    colours = maps.area_colours(maps.grid_of(found, quantity="area"))
    maps.show(axes[-1], 1 - shade * (1 - colours), f"a sample of $k = {p.sampled}$ (shade: $z$)", square=True)
    maps.hatch(axes[-1], maps.grid_of(found, quantity="masked") == 1)
    maps.mark(axes[-1], *_query(found))
    _size_legend(
        figure,
        area,
        "outlined: target area of the query (star); patches $C_{k,m}$ of areas $m = 1$ (global), 2, 3, ...",
    )


def _query(table: Table) -> tuple[int, int]:
    query = select(table, quantity="query", value=1)
    return int(query["row"][0]), int(query["column"][0])


def _outline_all(axes: Axes, area: maps.Grid) -> None:
    """White lines between areas, whose colours are alike in grey."""
    for m in range(int(area.max()) + 1):
        maps.outline(axes, area == m, "white")


def _number(axes: Axes, area: maps.Grid) -> None:
    """The number of each area, on its first patch."""
    for m in range(int(area.max()) + 1):
        row, column = np.argwhere(area == m)[0]
        axes.text(column, row, str(m + 1), ha="center", va="center", color="white", fontsize=7)


def _size_legend(figure: SubFigure, area: maps.Grid, title: str) -> None:
    """The colour of every area with its size."""
    from matplotlib.patches import Patch

    sizes = np.bincount(area.astype(int).ravel()).tolist()
    squares = [Patch(color=style.AREAS[m % len(style.AREAS)], label=str(size)) for m, size in enumerate(sizes)]
    figure.legend(handles=squares, loc="outside lower center", ncols=len(squares), title=title, handlelength=1.0)
