"""Drawing on the patch grid, in the proportions of the photograph or square by square."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from derivations._shell import accept
from figures import style
from figures.table import Table, select

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

Grid = npt.NDArray[Any]


def patch_rows(values: npt.ArrayLike) -> dict[str, Grid]:
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


def blocks(grid: tuple[int, int], block: tuple[int, int], copies: tuple[int, int]) -> Grid:
    """Area of every patch, (P,): 1, 2, ... in blocks of (h, w) patches, spread over the grid in rows and columns.

    What lies between them is the global area, 0. A block is in the middle of its share of the grid.
    """
    share = [length // number for length, number in zip(grid, copies, strict=True)]
    fits = block[0] <= share[0] and block[1] <= share[1]
    accept(fits, "block", block, f"patches of which {copies} blocks fit on a {grid} grid, down and across")
    area = np.zeros(grid, dtype=int)
    for m, place in enumerate(np.ndindex(copies)):
        start = [i * s + (s - b) // 2 for i, s, b in zip(place, share, block, strict=True)]
        area[start[0] : start[0] + block[0], start[1] : start[1] + block[1]] = m + 1
    return area.ravel()


def show(axes: Axes, values: Grid, title: str, square: bool = False, **options: Any) -> AxesImage:
    """An (H, W[, 3]) map, without ticks; a patch is a square, or as tall, against its width, as in the photograph."""
    height, width, _ = pixels().shape
    rows, columns = values.shape[:2]
    shown = axes.imshow(values, aspect=1 if square else (height / rows) / (width / columns), **options)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_title(title)
    return shown


@cache
def pixels() -> Grid:
    """The photograph that Matplotlib ships, (height, width, 3)."""
    from matplotlib import cbook
    from matplotlib.image import imread

    return imread(str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)))


def photograph(axes: Axes, title: str, cut: tuple[int, int] | None = None) -> None:
    """The photograph itself; with lines where it is cut into rows and columns of patches."""
    height, width, _ = pixels().shape
    show(axes, pixels(), title, extent=(0, width, height, 0), interpolation="antialiased")
    if cut:
        lines: dict[str, Any] = {"color": "white", "linewidth": 0.3}
        axes.hlines(np.linspace(0, height, cut[0] + 1)[1:-1], 0, width, **lines)
        axes.vlines(np.linspace(0, width, cut[1] + 1)[1:-1], 0, height, **lines)


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
