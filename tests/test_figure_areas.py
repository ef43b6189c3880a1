"""What the model sees: a photograph, and the distribution of the theory."""

import numpy as np

import figures
from figures import areas, maps
from figures.table import select
from tests.quick_tables import table

P = areas.Parameters()


def grid(cluster, quantity):
    return maps.grid_of(table("areas"), cluster=cluster, quantity=quantity)


def test_every_cluster_has_one_global_area_and_local_ones_in_unbroken_blocks_apart():
    for k in range(1, P.clusters + 1):
        area = grid(k, "area")
        sizes = np.bincount(area.astype(int).ravel()).tolist()
        local = P.block[0] * P.block[1]
        assert sizes == [P.square**2 - P.local_areas * local, *[local] * P.local_areas], k
        for m in range(1, P.local_areas + 1):
            extent = [np.ptp(index) + 1 for index in np.nonzero(area == m)]
            assert sorted(extent) == sorted(P.block), (k, m)


def test_the_same_masked_patch_has_another_local_target_area_in_every_cluster():
    queries = [np.flatnonzero(grid(k, "query")).tolist() for k in range(1, P.clusters + 1)]
    assert len(queries[0]) == 1
    assert queries == [queries[0]] * P.clusters
    assert grid(P.sampled, "masked").flat[queries[0][0]] == 1
    targets = [frozenset(np.flatnonzero(a == a.flat[queries[0][0]])) for a in (grid(k, "area") for k in (1, 2, 3))]
    assert len(set(targets)) == P.clusters
    assert all(len(target) == P.block[0] * P.block[1] for target in targets)


def test_a_sample_masks_its_share_and_shows_one_latent_an_area():
    for cluster in (areas.PHOTOGRAPH, P.sampled):
        masked = grid(cluster, "masked")
        assert masked.sum() == round(P.mask_ratio * masked.size)
    area, latent = grid(P.sampled, "area"), grid(P.sampled, "latent")
    found = [np.unique(latent[area == m]).tolist() for m in range(P.local_areas + 1)]
    assert [len(values) for values in found] == [1] * len(found)
    assert len({values[0] for values in found}) == len(found)
    assert P.latent[0] <= latent.min() < latent.max() <= P.latent[1]


def test_the_query_of_the_photograph_is_masked_and_in_the_area_that_is_asked_for():
    query = grid(areas.PHOTOGRAPH, "query") == 1
    assert query.sum() == 1
    assert grid(areas.PHOTOGRAPH, "masked")[query] == 1
    assert grid(areas.PHOTOGRAPH, "area")[query] == figures.parameters("areas", quick=True).target_area
    assert len(select(table("areas"), cluster=areas.PHOTOGRAPH, quantity="red")["value"]) == query.size
