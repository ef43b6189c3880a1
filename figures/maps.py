"""Drawing on the patch grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import dynamics as dy
from figures import style
from figures.table import Table, select

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

PIXELS = (360, 360)  # as many as print shows

Grid = npt.NDArray[Any]


def patch_rows(values: npt.ArrayLike) -> Table:
    """Row, column and value of every patch of an (H, W) array."""
    grid = np.asarray(values, dtype=float)
    row, column = np.indices(grid.shape)
    return {"row": row.ravel(), "column": column.ravel(), "value": grid.ravel()}


def grid_of(table: Table, **values: Any) -> Grid:
    """The (H, W) array whose patches are the rows with these values."""
    chosen = select(table, **values)
    grid = np.full((chosen["row"].max() + 1, chosen["column"].max() + 1), np.nan)
    grid[chosen["row"], chosen["column"]] = chosen["value"]
    return grid


def area_colours(area: Grid) -> Grid:
    """(H, W, 3) colours of (H, W) area numbers."""
    from matplotlib.colors import to_rgb

    palette = np.array([to_rgb(colour) for colour in style.AREAS])
    return palette[area.astype(int) % len(palette)]


def show(axes: Axes, values: Grid, title: str, **options: Any) -> AxesImage:
    """An (H, W) map or an (H, W, 3) picture, without ticks."""
    shown = axes.imshow(values, **options)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_title(title)
    return shown


def photograph(axes: Axes, grid: tuple[int, ...], title: str) -> None:
    """The photograph itself, stretched over the patches."""
    height, width = grid
    show(axes, dy.patch_colours(None, PIXELS), title, extent=(-0.5, width - 0.5, height - 0.5, -0.5), aspect="equal")


def hatch(axes: Axes, covered: Grid) -> None:
    """Cover patches in hatched grey: they are masked."""
    from matplotlib.patches import Rectangle

    for row, column in np.argwhere(covered):
        corner = (column - 0.5, row - 0.5)
        axes.add_patch(Rectangle(corner, 1, 1, **style.MASKED))


def outline(axes: Axes, inside: Grid, colour: str = style.INK) -> None:
    """A line around the patches that are inside."""
    from matplotlib.collections import LineCollection

    padded = np.pad(inside.astype(bool), 1)
    upright = [[(c - 0.5, r - 1.5), (c - 0.5, r - 0.5)] for r, c in np.argwhere(padded[:, 1:] != padded[:, :-1])]
    level = [[(c - 1.5, r - 0.5), (c - 0.5, r - 0.5)] for r, c in np.argwhere(padded[1:] != padded[:-1])]
    axes.add_collection(LineCollection(upright + level, colors=colour, linewidths=1.2, capstyle="projecting"))


def mark(axes: Axes, row: int, column: int) -> None:
    """A star on the query."""
    axes.plot(column, row, "*", markersize=7, color="white", markeredgecolor=style.INK, markeredgewidth=0.7)
