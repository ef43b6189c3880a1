"""A real picture as patches: their colours on a grid, and the areas that k-means finds among them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from derivations._shell import user_path
from dynamics.errors import accept, real_array, rows_and_columns, whole_number
from dynamics.geometry import Array, Indices

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

POSITION_WEIGHT = 0.1  # distance of opposite edges of the picture, where black and white are √3 apart
EXPECTED = "a picture file, or a (height, width[, 1 to 4]) array of whole numbers 0 to 255 or floats 0 to 1"
DRAWING = "a drawing of lines, not of pixels: save it as PNG"
# How files begin that people take for pictures, and that Pillow does not read.
STRANGERS = {
    b"%PDF": DRAWING,
    b"<svg": DRAWING,
    b"ftyphei": "HEIC, which Pillow does not read: save it as JPEG or PNG",
    b"ftypmif1": "HEIF, which Pillow does not read: save it as JPEG or PNG",
    b"#?RADIANCE": "of high dynamic range: scale it to [0, 1], and give the array",
    b"v/1\x01": "of high dynamic range: scale it to [0, 1], and give the array",
}
HEAD = 1024  # bytes in which a file says what it is
# Of PNG's modes the factor of the colour that is transparent: Pillow has it as it is in the file, unlike the pixels.
KEYS = {"L;2": 85, "L;4": 17, "RGB;16B": 1 / 256}
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
    image : path, (height, width[, 1 to 4]) array or picture of Pillow, optional
        Anything that Pillow reads, as it is seen: turned as its EXIF says, and of several frames or pages the first;
        colours of 16 bits come as 8, those of a profile as they are in the file. Or an array of grey, grey and alpha,
        RGB or RGBA: floats 0 to 1, whole numbers 0 to 255, or 0 to 65535 as uint16. Where there are only 0 and 1 they
        are a mask, of a file too: 1 is white. Alpha is laid over white. By default the photograph that Matplotlib
        ships.
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
        If there is no picture, it is not known what is white in it, or it has fewer pixels than the grid patches.
    """
    rows, columns = rows_and_columns(grid)
    pixels = _read(image)
    height, width = pixels.shape[:2]
    accept(rows <= height and columns <= width, "grid", grid, f"at most the {height} × {width} pixels of the picture")
    means = np.einsum("hi,ijc,wj->hwc", _shares(rows, height), pixels, _shares(columns, width), optimize=True)
    return means.clip(0, 1)  # 1 + 1e-16 is no colour


class _NoPicture(ValueError):
    """Says why something is no picture."""


def _read(image: Any) -> Array:
    """The picture as (height, width, 3) numbers in [0, 1]; `image` and errors as for ``patch_colours``."""
    from PIL import Image

    try:
        if image is None:
            from matplotlib import cbook

            image = str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
        if isinstance(image, (str, os.PathLike)):
            return _colours(_of_file(user_path(image)))
        if isinstance(image, Image.Image):
            with _reasons():
                return _colours(_of_picture(image))
        return _colours(image)
    except _NoPicture as error:
        array = isinstance(image, np.ndarray)
        name = f"{image.dtype} array of shape {image.shape}" if array else image
        accept(False, "image", str(name) if isinstance(image, os.PathLike) else name, f"{EXPECTED}; {error}")
        raise  # which is never reached


def _of_file(path: Path) -> npt.NDArray[Any]:
    """The pixels in a file."""
    from PIL import Image, UnidentifiedImageError

    with _reasons(), path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        head = file.read(HEAD)
        file.seek(0)
        try:
            with Image.open(file) as picture:
                return _of_picture(picture)
        except UnidentifiedImageError as error:
            known = (said for mark, said in STRANGERS.items() if mark in head)
            unknown = "broken, or of a kind that Pillow does not read" if head else "empty"
            raise _NoPicture(f"this file is {next(known, unknown)}") from error


@contextmanager
def _reasons() -> Iterator[None]:
    """Errors of the system and of Pillow, which raises any kind where a picture is broken, say why there is none."""
    try:
        yield
    except _NoPicture:
        raise
    except FileNotFoundError as error:
        raise _NoPicture("there is no such file") from error
    except Exception as error:
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise _NoPicture(f"it cannot be read: {said}") from error


def _of_picture(picture: Picture) -> npt.NDArray[Any]:
    """The pixels of a picture as it is seen: (height, width[, 3 or 4]), as an array of the user's would have them."""
    from PIL import ImageOps

    if picture.format in ("EPS", "WMF"):
        raise _NoPicture(DRAWING)
    if picture.format == "FITS":
        raise _NoPicture("measurements, of which it is not known what is white: scale them to [0, 1]")
    tile, tags = getattr(picture, "tile", None), getattr(picture, "tag_v2", {})
    inverted, bits = tags.get(262) == 0, tags.get(258, (16,))[0]  # of a TIFF
    seen = ImageOps.exif_transpose(picture)
    key = seen.info.get("transparency")
    if seen.mode.startswith("I;16"):
        grey = np.asarray(seen).astype(np.uint16)
        if bits < 16:
            return grey / (2**bits - 1)
        grey = 65535 - grey if inverted else grey
        return grey if key is None else np.stack([grey, np.where(grey == key, 0, 65535).astype(np.uint16)], axis=-1)
    if seen.mode == "I":
        whole = np.asarray(seen)
        if picture.format == "PPM":  # which says what is white, and Pillow has scaled it to 65535
            return whole.astype(np.uint16)
        if whole.max() > 1:
            raise _NoPicture("its whole numbers have 32 bits, of which it is not known what is white")
        return whole
    if seen.mode == "F":
        return 1 - np.asarray(seen) if inverted else np.asarray(seen)
    if tile and key is not None and isinstance(tile[0][3], str) and tile[0][3] in KEYS:
        factor = KEYS[tile[0][3]]
        seen.info["transparency"] = tuple(int(one * factor) for one in key) if isinstance(key, tuple) else key * factor
    return np.asarray(seen.convert("RGBA" if seen.has_transparency_data else "RGB"))


def _colours(given: Any) -> Array:
    """Red, green and blue of an array of pixels, over white."""
    try:
        pixels = np.asarray(given)
    except (TypeError, ValueError, OverflowError) as error:
        raise _NoPicture("it is no array") from error
    if np.ma.is_masked(given):
        raise _NoPicture("some of its pixels are masked out")
    if pixels.size == 0:
        raise _NoPicture("it has no pixels")
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 2, 3, 4):
        raise _NoPicture(f"its shape is {pixels.shape}")
    count = 1 if pixels.shape[2] <= 2 else 3
    colours = np.broadcast_to(_lightness(pixels[..., :count]), (*pixels.shape[:2], 3))
    if pixels.shape[2] == count:
        return colours
    alpha = _lightness(pixels[..., count:])
    return colours * alpha + (1 - alpha)


def _lightness(values: npt.NDArray[Any]) -> Array:
    """Numbers as parts of what is white."""
    if values.dtype.kind == "O":
        values = real_array(values).reshape(values.shape) if real_array(values).size else values
    if values.dtype.kind not in "buif":
        raise _NoPicture("it holds what is no real number")
    least, most = values.min(), values.max()
    if values.dtype.kind == "f":
        rounding = 4 * np.finfo(values.dtype).eps
        if not (-rounding <= least and most <= 1 + rounding):
            raise _NoPicture("it holds NaN" if np.isnan(most) else f"its floats are from {least:.4g} to {most:.4g}")
        return values.astype(float).clip(0, 1)
    if least < 0:
        raise _NoPicture(f"its numbers begin at {least}")
    if most <= 1:
        return values.astype(float)
    wide = values.dtype.kind == "u" and values.dtype.itemsize == 2
    if wide and most <= 255:
        raise _NoPicture(f"its numbers are at most {most}, so that white may be 255 or 65535: divide by which it is")
    if most > 255 and not wide:
        raise _NoPicture(f"it is not known what is white where {values.dtype} go up to {most}: divide by what is")
    return values / (65535.0 if wide else 255.0)


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
