"""Pictures as patches: colours, areas, and what is no picture."""

import numpy as np
import pytest

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


def no_picture(tmp_path):
    path = tmp_path / "words.png"
    path.write_text("no picture")
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
    ({"image": no_picture}, rf"image='.*words\.png': {PICTURE} .* this file is none"),
    ({"image": broken_picture}, rf"image='.*broken\.png': {PICTURE} .* this file is none"),
    ({"image": 3.5}, f"image=3.5: {PICTURE}"),
    ({"image": [["a"]]}, rf"image=\[\['a'\]\]: {PICTURE}"),
    ({"image": np.zeros((0, 4))}, rf"image='float64 array of shape \(0, 4\)': {PICTURE}"),
    ({"image": np.zeros((20, 20, 2))}, rf"image='float64 array of shape \(20, 20, 2\)': {PICTURE}"),
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
