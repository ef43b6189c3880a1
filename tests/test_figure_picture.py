"""A transformer trained on the photograph."""

import numpy as np
import pytest

import dynamics as dy
from figures import picture
from figures.table import distinct, select
from tests.quick_tables import table


def test_areas_of_the_photograph_lock_on_when_predicted():
    times = select(table("picture"), quantity="half-time")
    area = select(table("picture"), quantity="area")["value"].astype(int)
    predicted, measured = (select(times, source=source)["value"] for source in ("mean-field", "transformer"))
    assert np.isfinite(measured).all()
    assert np.abs(measured / predicted - 1).max() < 0.06
    mean = [[values[area == m].mean() for m in range(area.max() + 1)] for values in (predicted, measured)]
    assert np.array_equal(np.argsort(mean[0]), np.argsort(mean[1]))


def test_trained_queries_look_where_predicted():
    attention = select(table("picture"), quantity="attention")
    area = select(table("picture"), quantity="area")["value"]
    for query in distinct(attention["query"]):
        predicted, trained = (
            select(attention, query=query, source=source)["value"] for source in ("mean-field", "transformer")
        )
        assert np.abs(np.log(trained / predicted)).max() < 0.15
        patches = len(predicted)
        target = (area == area[query]) & (np.arange(patches) != query)
        unmasked = (patches - round(patches / 2)) / (patches - 1)
        assert abs(unmasked * predicted[target].sum() / patches - 0.5) < 0.01  # at its half-time


def test_attention_patch_by_patch_sums_to_that_of_the_system_on_every_group():
    labels, query = [0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3], 5
    setting = dy.Setting(dy.Geometry.from_labels([labels]), latent=1.3, mask_ratio=0.4)
    system = dy.reduce(setting, query, "mean-field")
    y = np.random.default_rng(0).normal(size=len(system.names))
    state, area = system.expand(y), np.array(labels)
    each = picture._attention(state["fp"][0][area], state["pp"], query, setting) / area.size
    others, unmasked = np.arange(area.size) != query, (area.size - setting.masked) / (area.size - 1)
    sums = {m: unmasked * each[others & (area == m)].sum() for m in range(4)}
    found = {"target": sums[1], "global": sums[0], "other": sums[2] + sums[3], "self": each[query]}
    groups = system.attention(y)
    masked = groups.pop("masked")
    assert found == pytest.approx(groups, rel=0, abs=1e-12)
    assert sum(found.values()) + masked == pytest.approx(1, abs=1e-12)


def test_attention_patch_by_patch_is_refused_for_a_latent_of_several_values():
    setting = dy.Setting(dy.Geometry.from_labels([[0, 0, 1, 1]]), latent=([0.5, 1.5], [0.5, 0.5]), mask_ratio=0.5)
    with pytest.raises(TypeError):
        picture._attention(np.zeros(4), np.zeros(4), 0, setting)
