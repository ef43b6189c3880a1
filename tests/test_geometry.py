"""Geometries: labels of clusters and labels on the grid, which look alike and are not taken for each other."""

import numpy as np
import pytest

import dynamics as dy
from dynamics.geometry import of_rows

SQUARE = np.arange(144).reshape(12, 12) // 36  # four areas of three rows each
TWELVE = [np.roll(np.repeat([0, 1, 2], 4), k) for k in range(12)]  # twelve clusters of twelve patches


@pytest.mark.parametrize("shape", [(3, 3), (4, 4), (12, 12), (14, 14), (4, 7), (7, 4), (5, 3), (10, 20), (20, 10)])
def test_rows_that_could_be_those_of_a_grid_are_asked_for(shape):
    labels = np.zeros(shape, int)
    with pytest.raises(ValueError, match=rf"^labels=.*: expected grid= .* {shape[0]} × {shape[1]} grid, from_maps"):
        dy.Geometry.from_labels(labels)
    assert dy.Geometry.from_labels(labels, grid=(1, shape[1])).clusters == shape[0]
    assert dy.Geometry.from_maps(labels).clusters == 1


@pytest.mark.parametrize("shape", [(1, 64), (2, 2), (2, 7), (3, 4), (3, 6), (3, 2), (4, 9), (9, 4), (300, 30)])
def test_rows_that_are_those_of_no_grid_are_clusters(shape):
    geometry = dy.Geometry.from_labels(np.zeros(shape, int))
    assert (geometry.clusters, geometry.patches, geometry.grid) == (*shape, None)


def test_a_map_is_one_cluster_and_keeps_its_grid():
    geometry = dy.Geometry.from_maps(SQUARE)
    assert geometry.grid == (12, 12)
    assert geometry.area_of.tolist() == [SQUARE.ravel().tolist()]
    assert geometry.area_size().tolist() == [36, 36, 36, 36]
    assert dy.Geometry.from_maps([[0, 0, 1]]).grid == (1, 3)


def test_several_maps_are_as_many_clusters():
    maps = np.stack([SQUARE, SQUARE.T, np.rot90(SQUARE)])
    geometry = dy.Geometry.from_maps(maps)
    assert (geometry.clusters, geometry.patches, geometry.grid) == (3, 144, (12, 12))
    same = dy.Geometry.from_labels(maps.reshape(3, -1), grid=(12, 12))
    for name in ("patch_class", "class_areas", "class_size", "class_copies"):
        assert np.array_equal(getattr(geometry, name), getattr(same, name))
    assert repr(geometry) == repr(same)


def test_maps_of_true_and_false_and_of_floats_are_whole_numbers_too():
    for maps in (SQUARE > 1, (SQUARE > 1).astype(np.float32), (SQUARE > 1).tolist()):
        assert dy.Geometry.from_maps(maps).area_size().tolist() == [72, 72]


@pytest.mark.parametrize(
    ("maps", "said"),
    [
        ([0, 0, 1], r"maps=\[0, 0, 1\]: expected an \(H, W\) or a \(K, H, W\) array of whole numbers"),
        ([[[[0]]]], r"maps=.*: expected an \(H, W\) or a \(K, H, W\) array"),
        ([[0, 1], [1]], r"maps=.*: expected an \(H, W\) or a \(K, H, W\) array"),
        ([[0, 0.5], [1, 1]], r"maps=\[0\.5\]: expected whole numbers, 0 or more"),
        ([[0, -1], [1, 1]], r"maps=\[-1\.0\]: expected whole numbers, 0 or more"),
        ([[0, 9], [1, 1]], r"maps=9\.0: expected labels below the number of patches, 4"),
        ([[0, 2], [2, 2]], r"maps\[0\]=\[0, 2, 2, 2\]: expected every area to have a patch, but \[1\] have none"),
        ([[[0, 1]], [[1, 1]]], r"maps\[1\]=\[1, 1\]: expected every area to have a patch, but \[0\] have none"),
    ],
)
def test_maps_that_are_none_are_refused(maps, said):
    with pytest.raises(ValueError, match=said):
        dy.Geometry.from_maps(maps)


@pytest.mark.parametrize("labels", [[[0, 0, 1, 1], [2, 2, 1, 1]], [[0, 0, 1], [5, 5, 4], [2, 2, 3], [2, 2, 3]]])
def test_a_map_that_is_given_for_rows_with_gaps_is_pointed_to_maps(labels):
    with pytest.raises(ValueError, match=r"^labels.* from_maps"):
        dy.Geometry.from_labels(labels)
    assert dy.Geometry.from_maps(labels).clusters == 1


def test_clusters_that_look_like_a_grid_are_saved_loaded_and_made_again(tmp_path):
    setting = dy.Setting(dy.Geometry.from_labels(TWELVE, grid=(3, 4)))
    flow = dy.integrate(dy.reduce(setting, 0, "mean-field"), t_end=1.0)
    loaded = dy.load(flow.save(tmp_path / "flow.npz"))
    assert np.array(loaded.provenance["labels"]).shape == (12, 12)
    assert np.array_equal(dy.rerun(loaded).y, flow.y)
    training = dy.FiniteTransformer(dy.Setting(of_rows([[0, 0, 1]] * 3))).train(0.1, 2).of(0)
    assert np.array_equal(dy.rerun(dy.load(training.save(tmp_path / "run.csv"))).y, training.y)


def test_what_makes_its_own_labels_is_not_asked():
    assert dy.Geometry.from_image(np.arange(48).reshape(4, 4, 3), grid=(4, 4), areas=2).grid == (4, 4)
    assert dy.Geometry.single_cluster(1, 1, 2).patches == 3
