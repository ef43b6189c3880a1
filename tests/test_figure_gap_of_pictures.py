"""The information gap of real pictures, and the picture that a user gives."""

import json

import numpy as np
import pytest
from PIL import Image

import dynamics as dy
import figures
from figures import gap_of_pictures, maps, plane
from figures.__main__ import main
from figures.table import Table, distinct, select
from tests.quick_tables import table


def shown(**values):
    return select(table("gap-of-pictures"), **values)


def test_sizes_are_those_of_the_areas_beside_the_largest():
    sizes = dy.Geometry.from_image(maps.pixels(), (14, 14), 8, 0).area_size()
    found = shown(picture="photograph", side=14, areas=8, seed=0)
    assert found["size"].tolist() == sizes[1:].tolist()
    assert 196 ** found["kappa_c"] == pytest.approx(sizes[0])
    assert 196 ** found["kappa_s"] == pytest.approx(sizes[1:])


def test_the_gap_is_that_of_a_setting_whose_local_areas_are_all_of_that_size():
    found = shown(picture="photograph", side=28, areas=8)
    for kappa_c, kappa_s, gap in zip(found["kappa_c"], found["kappa_s"], found["gap"], strict=True):
        geometry = dy.Geometry.scaling(np.log10(28**2), kappa_c, kappa_s)
        assert dy.Setting(geometry).information_gap == pytest.approx(gap, abs=1e-6)


def test_no_picture_is_in_the_band_of_two_phases_and_the_gap_is_near_zero_on_many_patches():
    found = table("gap-of-pictures")
    assert len(distinct(found["picture"])) == 3
    assert found["gap"].max() < plane.TWO_PHASES[0]
    finest = shown(side=56)
    assert finest["gap"].min() < 0 < finest["gap"].max()
    for picture in distinct(finest["picture"]):
        for areas in distinct(finest["areas"]):
            assert abs(np.median(select(finest, picture=picture, areas=areas)["gap"])) < 0.11


def test_the_median_gap_of_the_photograph_rises_from_below_zero_to_above():
    for areas in (4, 8):
        sides, (_, median, _) = gap_of_pictures.median_gap(table("gap-of-pictures"), picture="photograph", areas=areas)
        assert sides == [7, 14, 28, 56]
        assert (np.diff(median) > 0).all()
        assert median[0] < -0.1
        assert median[-1] == pytest.approx(0.05, abs=0.02)


def test_areas_leave_the_range_of_the_paper_as_patches_shrink():
    inside = [plane.in_range(*(shown(side=side)[name] for name in ("kappa_c", "kappa_s"))).mean() for side in (7, 56)]
    assert inside[0] > 0.4
    assert inside[1] < 0.05


def test_a_picture_cut_finer_with_the_same_shares_has_a_gap_that_falls_as_one_over_log_patches():
    blocks = np.repeat(np.repeat(np.array([[0, 0, 0, 80], [0, 0, 0, 160], [0, 0, 0, 240]] * 2, np.uint8), 56, 0), 84, 1)
    scaled = []
    for side in (12, 24, 48):
        largest, *local = dy.Geometry.from_image(blocks, (side, side), 4, 0).area_size()
        log_patches = np.log(side**2)
        scaled.append(plane.gap(np.log(largest) / log_patches, np.log(local) / log_patches) * log_patches)
    assert scaled[1] == pytest.approx(scaled[0])
    assert scaled[2] == pytest.approx(scaled[0])
    assert scaled[0][0] == pytest.approx(np.log(0.75**2 * 12))


def small(monkeypatch):
    monkeypatch.setattr(gap_of_pictures, "QUICK", {"sides": (7, 14), "areas": (4, 8), "seeds": 1})


def test_a_picture_of_the_user_is_drawn_beside_the_others_and_drawn_anew_where_it_has_changed(tmp_path, monkeypatch):
    small(monkeypatch)
    picture, hashes = tmp_path / "mine.png", []
    for seed in (0, 1):
        noise = np.random.default_rng(seed).integers(0, 255, (60, 80, 3), dtype=np.uint8)
        Image.fromarray(noise).save(picture)
        arguments = ["gap-of-pictures", "--quick", "--format", "png", "--out", str(tmp_path), "--image", str(picture)]
        assert main(arguments) == 0
        found = figures.read(tmp_path / "gap-of-pictures.csv")
        sizes = dy.Geometry.from_image(str(picture), (14, 14), 8, 0).area_size()[1:]
        assert select(found, picture=str(picture), side=14, areas=8)["size"].tolist() == sizes.tolist()
        assert len(distinct(found["picture"])) == 4
        hashes.append(found.made_by["parameters"]["image_hash"])
    assert hashes[0] != hashes[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["areas", "--image", "x.png"], "--image='x.png': expected where gap-of-pictures is drawn"),
        (["gap-of-pictures", "--list", "--image", "x.png"], "--image='x.png': expected where gap-of-pictures is drawn"),
        (
            ["gap-of-pictures", "--check", "--image", "x.png"],
            "--image='x.png': expected where gap-of-pictures is drawn",
        ),
        (["gap-of-pictures", "--image", "no.png"], "image='no.png': expected a picture file"),
        (["--image", __file__], "test_figure_gap_of_pictures.py': expected a picture file"),
        (["gap-of-pictures", "--image", "{tiny}"], r"grid=(56, 56): expected at most the 20 × 30 pixels"),
    ],
)
def test_a_bad_picture_is_one_line_before_any_work(arguments, said, tmp_path, capsys):
    tiny = tmp_path / "tiny.png"
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(tiny)
    out = tmp_path / "out"
    assert main([word.format(tiny=tiny) for word in arguments] + ["--quick", "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert said in error
    assert not out.exists()


def test_any_number_of_pictures_and_grids_is_drawn():
    found = shown(picture="drawing", side=14)
    p = gap_of_pictures.Parameters(sides=(14,), areas=(4, 8), seeds=1)
    made_by = {"figure": "gap-of-pictures", "parameters": json.loads(json.dumps(p._asdict()))}
    assert len(figures.draw(Table(found, made_by)).axes) == 3
