"""Pictures as patches: colours, areas, and what is no picture."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

import dynamics as dy
from dynamics.image import label_patches

RED, GREEN, BLUE = (200, 30, 30), (30, 180, 40), (20, 40, 220)


def blocks():
    """Three flat blocks: left half, upper right, lower right, of 32, 20 and 12 patches on an 8 × 8 grid."""
    picture = np.empty((48, 48, 3), dtype=np.uint8)
    picture[:, :24], picture[:30, 24:], picture[30:, 24:] = RED, GREEN, BLUE
    area = np.zeros((8, 8), dtype=int)
    area[:5, 4:], area[5:, 4:] = 1, 2
    return picture, area.ravel()


def test_the_photograph_falls_into_eight_areas_without_a_gap_the_largest_first():
    geometry = dy.Geometry.from_image()
    sizes = geometry.area_size()
    assert geometry.grid == (14, 14)
    assert geometry.patches == 196
    assert geometry.areas == (8,)
    assert (sizes > 0).all()
    assert (np.diff(sizes) <= 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_three_flat_blocks_are_found_exactly(seed):
    picture, area = blocks()
    assert np.array_equal(label_patches(picture, (8, 8), 3, seed), area)


def test_the_same_seed_gives_the_same_areas():
    assert np.array_equal(label_patches(grid=(9, 11), areas=5, seed=3), label_patches(grid=(9, 11), areas=5, seed=3))


def test_bytes_floats_alpha_lists_and_files_are_the_same_picture(tmp_path):
    from matplotlib.image import imsave

    picture, _ = blocks()
    alpha = np.dstack([picture, np.full(picture.shape[:2], 255, dtype=np.uint8)])
    imsave(tmp_path / "blocks.png", picture)
    same = [picture / 255, alpha, picture.tolist(), tmp_path / "blocks.png", str(tmp_path / "blocks.png")]
    for other in same:
        assert np.abs(dy.patch_colours(other, (8, 8)) - dy.patch_colours(picture, (8, 8))).max() < 1e-6


def test_a_grey_picture_has_three_equal_channels():
    grey = np.linspace(0, 1, 64).reshape(8, 8)
    assert np.allclose(dy.patch_colours(grey, (8, 8)), grey[..., None], atol=1e-15)


def test_a_pixel_counts_by_the_part_that_lies_in_the_patch_where_the_grid_does_not_divide_the_picture():
    picture = np.random.default_rng(0).random((23, 17, 3))
    assert np.allclose(dy.patch_colours(picture, (7, 5)).mean(axis=(0, 1)), picture.mean(axis=(0, 1)), atol=1e-14)
    thirds = dy.patch_colours(np.array([[0.0, 0.6, 0.9]]), (1, 2))[0, :, 0]
    assert np.allclose(thirds, [(0.0 + 0.6 / 2) / 1.5, (0.6 / 2 + 0.9) / 1.5], atol=1e-15)


def test_a_white_picture_has_white_patches():
    white = dy.patch_colours(np.full((23, 17, 3), 255, dtype=np.uint8), (7, 5))
    assert white.max() <= 1
    assert np.allclose(white, 1, atol=1e-14)


def test_areas_that_stay_empty_leave_no_gap():
    picture = np.zeros((6, 6))
    for areas in range(1, 37):
        labels = label_patches(picture, (6, 6), areas)
        assert set(labels.tolist()) == set(range(labels.max() + 1))


def test_of_equal_areas_the_one_with_the_first_patch_comes_first():
    picture = np.zeros((4, 4))
    picture[:, 2:] = 1
    assert label_patches(picture, (4, 4), 2).reshape(4, 4).tolist() == [[0, 0, 1, 1]] * 4


# --- pictures are read as they are seen ---

GREY = np.array([[0, 85, 170, 255], [255, 170, 85, 0], [85, 85, 0, 255], [170, 0, 255, 85]], np.uint8)  # of 2 bits
RGB = np.random.default_rng(1).integers(0, 256, (4, 6, 3), dtype=np.uint8)


def colours(picture):
    """Of every pixel of a 4 × 6 or 4 × 4 picture, 0 to 255."""
    width = 4 if isinstance(picture, np.ndarray) and picture.shape[1] == 4 else 6
    return 255 * dy.patch_colours(picture, (4, width))


def of_grey(picture):
    """The one channel of a grey 4 × 4 picture."""
    found = 255 * dy.patch_colours(picture, (4, 4))
    assert (found == found[..., :1]).all()
    return found[..., 0]


def png(bits, kind, rows, *more):
    """A PNG with any number of bits, and more chunks: Pillow does not write all that there are."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    body = b"".join(b"\0" + row for row in rows)
    head = struct.pack(">IIBBBBB", 4, 4, bits, kind, 0, 0, 0)
    chunks = [(b"IHDR", head), *more, (b"IDAT", zlib.compress(body)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in chunks)


TURNED = {  # what was done to a picture whose EXIF says that it is to be turned
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("suffix", ["png", "tiff", "webp"])
@pytest.mark.parametrize("orientation", TURNED)
def test_a_picture_is_turned_as_its_exif_says(orientation, suffix, tmp_path):
    mark = Image.Exif()
    mark[0x0112] = orientation
    more = {"lossless": True} if suffix == "webp" else {}
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(RGB).transpose(TURNED[orientation]).save(path, exif=mark, **more)
    assert np.array_equal(colours(path), colours(RGB))
    with Image.open(path) as picture:
        assert np.array_equal(colours(picture), colours(RGB))


def with_palette():
    return Image.fromarray(RGB).quantize(24)


@pytest.mark.parametrize("suffix", ["png", "gif", "tiff", "bmp"])
def test_a_picture_with_a_palette_has_the_colours_of_the_palette(suffix, tmp_path):
    with_palette().save(tmp_path / f"a.{suffix}")
    assert np.array_equal(colours(tmp_path / f"a.{suffix}"), colours(np.asarray(with_palette().convert("RGB"))))


@pytest.mark.parametrize(("mode", "suffix"), [("CMYK", "tiff"), ("CMYK", "jpg"), ("LAB", "tiff")])
def test_a_picture_in_other_colours_is_seen_in_red_green_and_blue(mode, suffix, tmp_path):
    plain = Image.fromarray(np.full((4, 6, 3), 200, np.uint8))
    picture = plain.convert(mode) if mode != "LAB" else Image.new("LAB", (6, 4), (200, 128, 128))
    picture.save(tmp_path / f"a.{suffix}")
    assert np.abs(colours(tmp_path / f"a.{suffix}") - colours(picture)).max() <= 3
    assert np.abs(colours(picture) - 200).max() <= 6


def test_a_picture_and_the_array_of_its_pixels_are_the_same(tmp_path):
    alpha = np.random.default_rng(2).integers(0, 256, (4, 6), dtype=np.uint8)
    deep = np.random.default_rng(3).integers(0, 2**16, (4, 6), dtype=np.uint16)
    arrays = {
        "png": [RGB, RGB[..., 0], np.dstack([RGB, alpha]), np.dstack([RGB[..., 0], alpha]), deep, RGB[..., 0] > 99]
    }
    arrays |= {"tiff": [*arrays["png"], (deep / 65535).astype(np.float32)], "webp": [RGB, np.dstack([RGB, alpha])]}
    for suffix, several in arrays.items():
        for pixels in several:
            more = {"lossless": True, "exact": True} if suffix == "webp" else {}
            Image.fromarray(pixels).save(tmp_path / f"a.{suffix}", **more)
            assert np.array_equal(colours(tmp_path / f"a.{suffix}"), colours(pixels)), (suffix, pixels.dtype)


def test_alpha_is_laid_over_white(tmp_path):
    alpha = np.array([[0, 51, 255, 255]] * 4, np.uint8)
    over = GREY * (alpha / 255) + 255 - alpha
    for pixels in (np.dstack([GREY, alpha]), np.dstack([GREY] * 3 + [alpha])):
        Image.fromarray(pixels).save(tmp_path / "a.png")
        for picture in (pixels, tmp_path / "a.png", pixels / 255, (pixels / np.float32(255)), pixels.tolist()):
            assert of_grey(picture) == pytest.approx(over, abs=1e-4)
    twice = [one.astype(np.uint16) * 257 for one in (GREY, alpha)]
    assert of_grey(np.dstack(twice)) == pytest.approx(over, abs=1e-12)


def test_one_colour_of_a_picture_may_be_transparent(tmp_path):
    path, over = tmp_path / "a.png", np.where(GREY == 85, 255, GREY)
    packed = {2: 85, 4: 17, 8: 1}
    for bits, one in packed.items():
        texts = ["".join(f"{value // one:0{bits}b}" for value in row) for row in GREY]
        rows = [int(text, 2).to_bytes(len(text) // 8) for text in texts]
        path.write_bytes(png(bits, 0, rows, (b"tRNS", struct.pack(">H", 85 // one))))
        assert of_grey(path) == pytest.approx(over), bits
    wide = [(row.astype(">u2") * 257).tobytes() for row in GREY]
    path.write_bytes(png(16, 0, wide, (b"tRNS", struct.pack(">H", 85 * 257))))
    assert of_grey(path) == pytest.approx(over)
    three = [np.repeat(row.astype(">u2") * 257, 3).tobytes() for row in GREY]
    path.write_bytes(png(16, 2, three, (b"tRNS", struct.pack(">HHH", *[85 * 257] * 3))))
    assert of_grey(path) == pytest.approx(over)
    indices = [(row // 85).tobytes() for row in GREY]
    palette = (b"PLTE", bytes(value for grey in (0, 85, 170, 255) for value in 3 * [grey]))
    path.write_bytes(png(8, 3, indices, palette, (b"tRNS", b"\xff\0\xff\xff")))
    assert of_grey(path) == pytest.approx(over)
    path.write_bytes(png(8, 3, indices, palette, (b"tRNS", b"\xff\x33\xff")))
    assert of_grey(path) == pytest.approx(np.where(GREY == 85, 85 * 0.2 + 204, GREY))


def test_of_several_frames_or_pages_the_first_is_seen(tmp_path):
    frames = [Image.fromarray(grey).convert("RGB") for grey in (GREY, 255 - GREY)]
    for suffix in ("gif", "png", "tiff", "webp"):
        more = {"lossless": True} if suffix == "webp" else {}
        frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:], **more)
        assert np.array_equal(of_grey(tmp_path / f"a.{suffix}"), GREY)


def tiff(bits, white_is_zero, content):
    """A grey 4 × 4 TIFF with any number of bits."""
    entries = [(256, 4), (257, 4), (258, bits), (259, 1), (262, 0 if white_is_zero else 1), (273, 134), (277, 1)]
    entries += [(278, 4), (279, len(content)), (339, 1)]
    table = b"".join(struct.pack("<HHII", tag, 4 if tag in (273, 279) else 3, 1, value) for tag, value in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + table + bytes(4) + content


def test_a_tiff_may_count_from_white_and_in_twelve_bits(tmp_path):
    path = tmp_path / "a.tiff"
    path.write_bytes(tiff(16, False, (GREY.astype("<u2") * 257).tobytes()))
    assert np.array_equal(of_grey(path), GREY)
    path.write_bytes(tiff(16, True, (GREY.astype("<u2") * 257).tobytes()))
    assert np.array_equal(of_grey(path), 255 - GREY)
    text = "".join(f"{value // 17 * 273:012b}" for value in GREY.ravel().tolist())
    path.write_bytes(tiff(12, False, int(text, 2).to_bytes(24)))
    assert of_grey(path) == pytest.approx(GREY)


def test_a_grey_map_of_any_depth_is_the_same_picture(tmp_path):
    path = tmp_path / "a.pgm"
    for most in (255, 1020, 65535):
        values = GREY.astype(int) * most // 255
        path.write_bytes(b"P5 4 4 %d\n" % most + values.astype(">u2" if most > 255 else np.uint8).tobytes())
        assert of_grey(path) == pytest.approx(GREY, abs=0.01)


def test_a_mask_of_zeros_and_ones_is_black_and_white(tmp_path):
    mask = GREY > 99
    for kind in (bool, np.uint8, np.int8, np.int64, np.uint16, np.float32):
        assert np.array_equal(of_grey(mask.astype(kind)), 255 * mask), kind
    for picture in (Image.fromarray(mask), Image.fromarray(mask.astype(np.uint8))):
        picture.save(tmp_path / "a.png")
        assert np.array_equal(of_grey(tmp_path / "a.png"), 255 * mask)


def test_floats_of_any_kind_are_parts_of_white_to_their_precision():
    for kind in (np.float16, np.float32, np.float64):
        above = np.nextafter(kind(1), kind(2)) * (GREY == 255) + (GREY / 255).astype(kind) * (GREY < 255)
        assert of_grey(above.astype(kind)) == pytest.approx(GREY, abs=255 * float(np.finfo(kind).eps))


def test_a_picture_is_found_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    Image.fromarray(RGB).save(tmp_path / "a.png")
    assert np.array_equal(colours("~/a.png"), colours(RGB))


def holding(content, name="words.png"):
    """What makes a file that begins so."""

    def made(tmp_path):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return made


def saved(pixels, name):
    """What makes a picture of these pixels."""

    def made(tmp_path):
        Image.fromarray(pixels).save(tmp_path / name)
        return tmp_path / name

    return made


def bomb(tmp_path):
    path = tmp_path / "bomb.png"
    Image.new("1", (20_000, 5_000)).save(path)
    return path


def broken_picture(tmp_path):
    from matplotlib.image import imsave

    path = tmp_path / "broken.png"
    imsave(path, np.random.default_rng(0).random((40, 40, 3)))
    path.write_bytes(path.read_bytes()[:2000])
    return path


PICTURE = "expected a picture file, or a"
BAD = [
    ({"image": "missing.jpg"}, f"image='missing.jpg': {PICTURE} .* there is no such file"),
    (
        {"image": holding(b"words")},
        rf"image='.*words\.png': {PICTURE} .* this file is broken, or of a kind that Pillow",
    ),
    ({"image": holding(b"")}, "this file is empty"),
    ({"image": holding(b"<?xml version='1.0'?><svg/>", "a.svg")}, "this file is a drawing of lines, not of pixels"),
    ({"image": holding(b"%PDF-1.5", "a.pdf")}, "this file is a drawing of lines, not of pixels"),
    (
        {"image": holding(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")},
        "a drawing of lines, not",
    ),
    ({"image": holding(b"\0\0\0\x18ftypheic\0", "a.heic")}, "this file is HEIC, which Pillow does not read"),
    ({"image": holding(b"#?RADIANCE\n", "a.hdr")}, "this file is of high dynamic range"),
    ({"image": holding(b"v/1\x01\2\0\0\0", "a.exr")}, "this file is of high dynamic range"),
    ({"image": broken_picture}, rf"image='.*broken\.png': {PICTURE} .* it cannot be read: .*trunc"),
    ({"image": bomb}, "it cannot be read: Image size .* exceeds limit"),
    ({"image": lambda folder: folder}, "it cannot be read: Is a directory"),
    ({"image": "a" * 300}, "it cannot be read: File name too long"),
    ({"image": "a\0b.png"}, "it cannot be read: embedded null byte"),
    ({"image": saved(np.full((20, 20), 70_000, np.int32), "a.tiff")}, "its whole numbers have 32 bits"),
    ({"image": np.full((20, 20), 70_000, np.int32)}, "not known what is white where int32 go up to 70000"),
    ({"image": saved(np.full((20, 20), 7.5, np.float32), "a.tiff")}, "its floats are from 7.5 to 7.5"),
    ({"image": np.full((20, 20), 200, np.uint16)}, "at most 200, so that white may be 255 or 65535"),
    ({"image": np.full((20, 20), 1j)}, "it holds what is no real number"),
    ({"image": np.ma.masked_less(np.eye(20), 0.5)}, "some of its pixels are masked out"),
    ({"image": 3.5}, f"image=3.5: {PICTURE}"),
    ({"image": [["a"]]}, rf"image=\[\['a'\]\]: {PICTURE}"),
    ({"image": np.zeros((0, 4))}, rf"image='float64 array of shape \(0, 4\)': {PICTURE}"),
    ({"image": np.zeros((20, 20, 5))}, rf"image='float64 array of shape \(20, 20, 5\)': {PICTURE}"),
    ({"image": np.full((20, 20), 1.5)}, rf"image='float64 array of shape \(20, 20\)': {PICTURE}"),
    ({"image": np.full((20, 20), np.nan)}, rf"image='float64 array of shape \(20, 20\)': {PICTURE}"),
    ({"image": np.full((20, 20), 256)}, rf"image='int64 array of shape \(20, 20\)': {PICTURE}"),
    ({"image": np.full((20, 20), -1)}, rf"image='int64 array of shape \(20, 20\)': {PICTURE}"),
    ({"image": np.zeros((20, 20)), "grid": (21, 4)}, r"grid=\(21, 4\): expected at most the 20 × 20 pixels"),
    ({"grid": 14}, "grid=14: expected rows and columns of patches"),
    ({"grid": (14, 14, 3)}, r"grid=\(14, 14, 3\): expected rows and columns of patches"),
    ({"grid": (0, 4)}, "grid=0: expected a whole number, 1 or more"),
    ({"grid": (4, 2.5)}, "grid=2.5: expected a whole number, 1 or more"),
    ({"grid": (3, 3), "areas": 10}, r"areas=10: expected a whole number in \[1, 9\]"),
    ({"areas": 0}, r"areas=0: expected a whole number in \[1, 196\]"),
    ({"areas": 2.5}, r"areas=2.5: expected a whole number in \[1, 196\]"),
    ({"seed": -1}, "seed=-1: expected a whole number, 0 or more"),
    ({"seed": "x"}, "seed='x': expected a whole number, 0 or more"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[message[:40] for _, message in BAD])
def test_what_is_no_picture_is_refused_with_its_name_and_what_is_accepted(arguments, message, tmp_path):
    image = arguments.get("image")
    given = arguments | ({"image": image(tmp_path)} if callable(image) else {})
    with pytest.raises(ValueError, match=message):
        dy.Geometry.from_image(**given)


def test_whole_numbers_of_32_bits_in_a_file_are_refused_whatever_they_are(tmp_path):
    for name, most in (("dark.tif", 200), ("wide.tif", 70000)):
        Image.fromarray(np.array([[0, most], [most, 0]], dtype=np.int32)).save(tmp_path / name)
        with pytest.raises(ValueError, match="whole numbers have 32 bits, of which it is not known what is white"):
            dy.patch_colours(tmp_path / name, (2, 2))
