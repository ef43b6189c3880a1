"""What the model sees: a photograph cut into patches, its areas, a masked sample, and what one query is after."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import dynamics as dy
from figures import maps, style
from figures.table import Table, rows, select, stack

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE = (style.PAGE, 2.5)
CHANNELS = ("red", "green", "blue")


class Parameters(NamedTuple):
    """How the photograph is cut, and what is masked."""

    grid: tuple[int, int] = (14, 14)
    areas: int = 8
    seed: int = 0
    mask_ratio: float = 0.5
    mask_seed: int = 0
    target_area: int = 6


def parameters(quick: bool) -> Parameters:
    return Parameters(grid=(10, 10), areas=6, target_area=3) if quick else Parameters()


def data(quick: bool) -> Table:
    """Colour and area of every patch, whether it is masked in one sample, and the first masked patch of one area."""
    p = parameters(quick)
    setting = dy.Setting(dy.Geometry.from_image(maps.pixels(), p.grid, p.areas, p.seed), mask_ratio=p.mask_ratio)
    assert setting.geometry.area_of is not None
    area = setting.geometry.area_of[0]
    masked = np.zeros(area.size, dtype=bool)
    masked[np.random.default_rng(p.mask_seed).choice(area.size, int(setting.masked), replace=False)] = True
    query = np.flatnonzero(masked & (area == p.target_area))[0]
    colours = dy.patch_colours(maps.pixels(), p.grid)
    values = {"area": area, "masked": masked, "query": np.arange(area.size) == query}
    values |= {name: colours[..., channel] for channel, name in enumerate(CHANNELS)}
    parts = ({"quantity": name} | maps.patch_rows(value.reshape(p.grid)) for name, value in values.items())
    return stack(rows(**part) for part in parts)


def draw(figure: Figure, table: Table) -> None:
    area, masked = maps.grid_of(table, quantity="area"), maps.grid_of(table, quantity="masked") == 1
    query = select(table, quantity="query", value=1)
    row, column = int(query["row"][0]), int(query["column"][0])
    colours = np.stack([maps.grid_of(table, quantity=name) for name in CHANNELS], axis=-1)
    target = area == area[row, column]
    picture, areas, sample, wanted = figure.subplots(1, 4)
    height, width = area.shape
    maps.photograph(picture, f"photograph, {height} × {width} patches", cut=(height, width))
    maps.show(areas, maps.area_colours(area), f"its {int(area.max()) + 1} areas")
    maps.show(sample, colours, "a sample (masked: hatched)")
    maps.hatch(sample, masked)
    maps.show(wanted, np.where(target[..., None], colours, 0.25 * colours + 0.75), "query (star), target area")
    maps.hatch(wanted, masked & target)
    maps.outline(wanted, target, style.VERMILLION)
    for axes in (sample, wanted):
        maps.mark(axes, row, column)
    _size_legend(figure, area)


def _size_legend(figure: Figure, area: maps.Grid) -> None:
    """The colour of every area with its size."""
    from matplotlib.patches import Patch

    sizes = np.bincount(area.astype(int).ravel()).tolist()
    squares = [Patch(color=style.AREAS[m % len(style.AREAS)], label=str(size)) for m, size in enumerate(sizes)]
    title = "patches $C_m$ of each area"
    figure.legend(handles=squares, loc="outside lower center", ncols=len(squares), title=title, handlelength=1.0)
