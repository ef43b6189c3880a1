"""What the information gap is on real pictures, and how it varies with patch size.

Exact counts of patches; no dynamics. The areas of a picture, found by k-means, are of many sizes: there is no one Δ, so
that each local area is given its own, Δ = (1 − κs) − 2(1 − κc), with C = P^κ for its size and that of the largest area.

On the pictures here, cut into 4 to 16 areas, Δ is small, of either sign, and never in the paper's band of two phases,
[0.5, 1]: it goes from −0.59 to 0.47 on 7 × 7 patches, from −0.25 to 0.20 on 56 × 56, where medians are within 0.1 of
zero. On the photograph the median rises with the number of patches, from below zero to 0.05, as its largest area grows
in share. Where only patches shrink, and shares of the picture stay, so does Δ log P = log(share of the global area² /
share of the local one): Δ tends to zero, and κc and κs to one, away from the paper's range. In that lie 43 % of the
local areas of 7 × 7 patches, and 4 % of those of 56 × 56.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

import dynamics as dy
from derivations._progress import progress_of
from derivations._shell import accept
from figures import maps, plane, style
from figures.ranges import Count, Several, corners
from figures.table import Table, distinct, rows, select, stack

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = npt.NDArray[np.float64]

SIZE = (style.PAGE, 3.5)
LOOK = tuple(
    zip((style.BLUE, style.ORANGE, style.GREEN, style.PURPLE), style.MARKERS[:4], ("-", "--", "-.", ":"), strict=True)
)
BELOW: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.2), "handlelength": 2.6}


class Parameters(NamedTuple):
    """A picture beside those that Matplotlib ships, how pictures are cut, and how many areas are looked for."""

    image: str = ""  # a file
    image_hash: str = ""  # of its content, from the command line
    sides: tuple[Several, ...] = (7, 8, 10, 14, 16, 20, 28, 32, 40, 56)  # patches along each side
    areas: tuple[Count, ...] = (4, 8, 16)
    shown: Count = 8  # areas, where one number is shown
    seeds: Count = 3  # of k-means


COLUMNS = {
    "picture": "what is cut into patches",
    "side": "patches along each side of the grid",
    "patches": "number of patches P",
    "areas": "areas looked for",
    "seed": "of k-means",
    "size": "patches of this local area; 0 where the picture cannot be cut like this",
    "kappa_c": "κc, log of the largest area over log P",
    "kappa_s": "κs, log of this local area over log P",
    "gap": "information gap Δ of the two",
}
QUICK: dict[str, Any] = {"sides": (7, 14, 28, 56), "areas": (4, 8), "seeds": 1}


def data(p: Parameters) -> Table:
    """Every local area of every picture, grid, number of areas and seed."""
    accept(p.shown in p.areas, "shown", p.shown, f"one of the numbers of areas, {p.areas}")
    if p.image:
        dy.patch_colours(p.image, (1, 1))  # or it says what is wrong
    cases = [
        (name, pixels, side, areas, seed)
        for name, pixels in _pictures(p.image).items()
        for side in p.sides
        for areas in p.areas
        for seed in range(p.seeds)
    ]
    parts = []
    with corners() as measure:
        for name, pixels, side, areas, seed in progress_of(cases, "gap-of-pictures: areas"):
            largest, local = measure(_sizes, pixels, side, areas, seed, missing=(np.nan, [np.nan]))
            kappa_c, kappa_s = (np.log(sizes) / np.log(side**2) for sizes in (largest, local))
            fixed: dict[str, Any] = {"picture": name, "side": side, "patches": side**2, "areas": areas, "seed": seed}
            fixed |= {"size": np.nan_to_num(local).astype(int), "kappa_c": kappa_c, "kappa_s": kappa_s}
            parts.append(rows(**fixed, gap=plane.gap(kappa_c, kappa_s)))
    return stack(parts)


def _sizes(pixels: Any, side: int, areas: int, seed: int) -> tuple[float, list[float]]:
    """Patches of the largest area, and of each of the others."""
    largest, *local = dy.Geometry.from_image(pixels, (side, side), areas, seed).area_size().tolist()
    return largest, local


def _pictures(image: str) -> dict[str, Any]:
    """Name -> pixels: a photograph, a scan and a drawing, as far as Matplotlib ships them, and `image`."""
    from matplotlib import cbook
    from matplotlib.image import imread

    found: dict[str, Any] = {"photograph": maps.pixels()}
    scan, drawing = (
        Path(str(cbook.get_sample_data(name, asfileobj=False)))
        for name in ("s1045.ima.gz", "Minduka_Present_Blue_Pack.png")
    )
    if scan.is_file():
        levels = np.frombuffer(gzip.decompress(scan.read_bytes()), np.uint16).reshape(256, 256)
        found["MRI scan"] = levels / levels.max()
    if drawing.is_file():
        found["drawing"] = imread(drawing)[..., :3]  # its colours alone: over white its edges would fade
    return found | ({f"{image} (yours)" if image in found else image: image} if image else {})


def _plain(name: str) -> str:
    """A name as Matplotlib shows it letter by letter: no formula in it, and no _ before it, which would hide it."""
    return name.lstrip("_").replace("$", r"\$")


def median_gap(table: Table, **values: Any) -> tuple[list[int], np.ndarray[Any, np.dtype[np.float64]]]:
    """Patches along a side, and least, median and largest Δ there over local areas and seeds: (3, n)."""
    found = select(table, **values)
    sides = distinct(found["side"])
    return sides, np.array([np.quantile(select(found, side=side)["gap"], (0, 0.5, 1)) for side in sides]).T


def draw(figure: Figure, table: Table, p: Parameters) -> None:
    by_picture, by_areas, kappas = figure.subplots(1, 3, width_ratios=(1, 1, 1.05))
    by_areas.sharey(by_picture)
    pictures = distinct(table["picture"])
    first = table["side"].min()
    shown = p.shown if p.shown in p.areas else p.areas[0]
    for i, (name, look) in enumerate(zip(pictures, LOOK, strict=False)):
        _curve(by_picture, table, look, i, Path(name).name, picture=name, areas=shown)
        _path(kappas, select(table, picture=name, areas=shown), look)
    for i, (areas, look) in enumerate(zip(p.areas, LOOK, strict=False)):
        _curve(by_areas, table, look, i, f"{areas} areas", picture=pictures[0], areas=areas)
    _same_shares(by_areas, select(table, picture=pictures[0], areas=shown))
    for axis in (by_picture, by_areas):
        axis.axhline(0, color=style.GREY, linewidth=0.6, zorder=0)
        axis.set(
            xscale="log", xlabel="patches along each side", xticks=(7, 14, 28, 56), xticklabels=("7", "14", "28", "56")
        )
        axis.minorticks_off()
        axis.legend(**BELOW, ncols=2, columnspacing=1)
    by_picture.set_ylabel(r"information gap $\Delta$ of local areas")
    by_picture.set_title(f"(a) {shown} areas", loc="left")
    by_areas.set_title(f"(b) {pictures[0]}", loc="left")
    plane.frame(kappas)
    kappas.set(xlim=(0.4, 1.02), ylim=(0, 1))
    kappas.legend(handles=plane.legend(), **BELOW, ncols=2, columnspacing=1)
    kappas.set_title(f"(c) {shown} areas, from {first} × {first} (small) on", loc="left")


def _curve(axis: Axes, table: Table, look: tuple[str, str, str], place: int, label: str, **values: Any) -> None:
    """Median and range of Δ, moved aside a little where there are several."""
    colour, marker, line = look
    sides, (low, middle, high) = median_gap(table, **values)
    x = np.array(sides) * (1 + 0.025 * place)
    bars: dict[str, Any] = {"elinewidth": 0.5, "capsize": 0}
    axis.errorbar(
        x,
        middle,
        _whiskers(low, middle, high),
        color=colour,
        marker=marker,
        linestyle=line,
        label=_plain(label),
        **bars,
    )


def _path(axis: Axes, table: Table, look: tuple[str, str, str]) -> None:
    """Median κc and κs from the coarsest grid to the finest, with the range of κs."""
    colour, marker, line = look
    at = [select(table, side=side) for side in distinct(table["side"])]
    kappa_c = np.array([np.median(grid["kappa_c"]) for grid in at])
    low, middle, high = np.array([np.quantile(grid["kappa_s"], (0, 0.5, 1)) for grid in at]).T
    axis.errorbar(
        kappa_c, middle, _whiskers(low, middle, high), color=colour, linestyle=line, elinewidth=0.4, capsize=0
    )
    axis.scatter(kappa_c, middle, np.linspace(4, 22, len(at)), color=colour, marker=marker, zorder=3)


def _whiskers(low: Array, middle: Array, high: Array) -> tuple[list[float], list[float]]:
    """Lengths of the error bars: lists, since of arrays of one number NumPy warns Matplotlib before 2.4."""
    return (middle - low).tolist(), (high - middle).tolist()


def _same_shares(axis: Axes, table: Table) -> None:
    """Median Δ if areas had, at every patch size, the shares of the picture that they have on the finest grid."""
    sides = np.array(distinct(table["side"]))
    finest = select(table, side=sides.max())
    log_ratio = np.median(finest["gap"]) * np.log(sides.max())  # Δ log P = log(share of global² / share of local)
    axis.plot(sides, log_ratio / np.log(sides), color=style.GREY, linewidth=0.8, label="shares fixed")
