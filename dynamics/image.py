"""A real picture as patches: their colours on a grid, and the areas that k-means finds among them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from dynamics.errors import accept, real_array, rows_and_columns, whole_number
from dynamics.geometry import Array, Indices

POSITION_WEIGHT = 0.1  # distance of opposite edges of the picture, where black and white are √3 apart
STARTS, ITERATIONS = 20, 50  # of k-means: from a single start it may stop at a poor local optimum


def label_patches(image: Any = None, grid: tuple[int, int] = (14, 14), areas: int = 8, seed: int = 0) -> Indices:
    """Area of each patch: k-means on the colour of the patch and, weakly, its place.

    Parameters
    ----------
    image, grid
        As for ``patch_colours``.
    areas : int
        Colour regions to look for, in [1, H·W]; an empty one is dropped.
    seed : int
        Seed of k-means, 0 or more.

    Returns
    -------
    (P,) array of int
        Row by row, numbered 0, 1, ... without a gap: the largest area first; of equal ones, that of the first patch.

    Raises
    ------
    ValueError
        If there is no picture, it has fewer pixels than the grid patches, or a number is out of range.
    """
    rows, columns = rows_and_columns(grid)
    whole_number("areas", areas, 1, rows * columns)
    rng = np.random.default_rng(whole_number("seed", seed, 0))
    colours = patch_colours(image, grid).reshape(rows * columns, 3)
    places = np.indices((rows, columns)).reshape(2, -1).T / max(rows, columns)
    found = _cluster(np.hstack([colours, POSITION_WEIGHT * places]), areas, rng)
    _, first, inverse, sizes = np.unique(found, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    return order.argsort()[inverse]


def patch_colours(image: Any = None, grid: tuple[int, int] = (14, 14)) -> Array:
    """Mean colour of the picture on each patch of a grid.

    Parameters
    ----------
    image : path or (height, width[, 3 or 4]) array, optional
        Whole numbers 0 to 255 or floats 0 to 1; alpha is ignored. By default the photograph that Matplotlib ships.
    grid : (H, W)
        Rows and columns of patches, at least one pixel each. Where they do not divide the picture, a pixel counts
        in each patch by the part of it that lies there.

    Returns
    -------
    (H, W, 3) array
        Red, green and blue in [0, 1].

    Raises
    ------
    ValueError
        If there is no picture or it has fewer pixels than the grid patches.
    """
    rows, columns = rows_and_columns(grid)
    pixels = _read(image)
    height, width = pixels.shape[:2]
    accept(rows <= height and columns <= width, "grid", grid, f"at most the {height} × {width} pixels of the picture")
    means = np.einsum("hi,ijc,wj->hwc", _shares(rows, height), pixels, _shares(columns, width), optimize=True)
    return means.clip(0, 1)  # 1 + 1e-16 is no colour


def _read(image: Any) -> Array:
    """The picture as (height, width, 3) numbers in [0, 1]; `image` and errors as for ``patch_colours``."""
    expected = "a picture file, or a (height, width[, 3 or 4]) array of whole numbers 0 to 255 or floats 0 to 1"
    name = f"{image.dtype} array of shape {image.shape}" if isinstance(image, np.ndarray) else image
    if image is None or isinstance(image, (str, Path)):
        image = _read_file(image, expected)
    try:
        pixels = np.asarray(image)
        scale = 255.0 if pixels.dtype.kind in "iu" else 1.0
        pixels = real_array(pixels) / scale
    except (TypeError, ValueError, OverflowError):
        pixels = np.empty(0)
    shape = pixels.shape
    accept(pixels.size > 0 and (len(shape) == 2 or (len(shape) == 3 and shape[2] in (3, 4))), "image", name, expected)
    accept(bool(((pixels >= 0) & (pixels <= 1)).all()), "image", name, expected)
    return np.repeat(pixels[..., None], 3, axis=2) if len(shape) == 2 else pixels[..., :3]


def _read_file(path: str | Path | None, expected: str) -> Any:
    """The pixels in a file, as Matplotlib reads them."""
    from matplotlib import cbook
    from matplotlib.image import imread

    if path is None:
        return imread(str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)))
    try:
        there = Path(path).is_file()
    except OSError:  # a name no file can have
        there = False
    accept(there, "image", str(path), f"{expected}; there is no such file")
    try:
        return imread(path)
    except (OSError, SyntaxError, ValueError):  # what Pillow raises for a file that is not, or not whole, a picture
        accept(False, "image", str(path), f"{expected}; this file is none")


def _shares(patches: int, pixels: int) -> Array:
    """Share of each pixel in each patch along one side, (patches, pixels): every row sums to 1."""
    edges, pixel = np.linspace(0, pixels, patches + 1), np.arange(pixels)
    overlap = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    return overlap.clip(min=0) * patches / pixels


def _cluster(points: Array, areas: int, rng: np.random.Generator) -> Indices:
    """Label of each point by the best of several starts of k-means."""
    from scipy.cluster.vq import kmeans2

    best, least = np.zeros(len(points), dtype=np.int64), np.inf
    for _ in range(STARTS):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "One of the clusters is empty")  # it is dropped
            labels = kmeans2(points, areas, iter=ITERATIONS, minit="++", rng=rng)[1]
        used = np.unique(labels)
        spread = sum(((points[labels == m] - points[labels == m].mean(axis=0)) ** 2).sum() for m in used)
        if spread < least * (1 - 1e-12):  # so that rounding does not choose between equal ones
            best, least = labels.astype(np.int64), spread
    return best
