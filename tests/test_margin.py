"""The max-margin direction: it wins at every mask, at the least norm, and the exact flow goes there."""

import itertools

import numpy as np
import pytest

import dynamics as dy
from tests.settings import TWO

LAW = ([0.8, 1.5], [0.5, 0.5])
SETTINGS = {
    "wide": dy.Setting(dy.Geometry.single_cluster(4, 3, 2), mask_ratio=0.5),
    "narrow": dy.Setting(dy.Geometry.single_cluster(3, 2, 3), mask_ratio=0.45),
    "area of one": dy.Setting(dy.Geometry.single_cluster(4, 1, 4)),
    "always seen": dy.Setting(dy.Geometry.single_cluster(4, 3, 2), mask_ratio=0.2),
    "one masked": dy.Setting(dy.Geometry.single_cluster(4, 3, 2), mask_ratio=0.1),
    "uneven": dy.Setting(dy.Geometry.from_labels([0, 0, 0, 0, 1, 1, 1, 2, 2]), mask_ratio=0.55),
    "law": dy.Setting(dy.Geometry.single_cluster(4, 2, 2), latent=LAW),
}


def theta(found):
    return np.array(list(found.direction.values()))


def margins(setting, query, direction):
    """By how much the right scores win at every mask and latent value, patch by patch."""
    (area,), patches = setting.geometry.area_of, setting.geometry.patches
    state = dy.reduce(setting, query).expand(direction)
    (fp,), pp, others = state["fp"], state["pp"], [p for p in range(patches) if p != query]
    found = []
    for rest in itertools.combinations(others, setting.masked - 1):
        masked = np.isin(np.arange(patches), [query, *rest])
        for z in itertools.product(setting.law.values, repeat=len(fp)):
            seen = np.array(z)[area] * fp[area] + pp
            right = ~masked & (area == area[query])
            if right.any():
                wrong = [seen[~masked & ~right], pp[masked]]
                found.append(seen[right].min() - np.concatenate(wrong).max())
            else:
                found.append(pp[masked].max() - seen[~masked].max())
    return np.array(found)


@pytest.mark.parametrize("query", ["first", "last"])
@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_it_wins_by_one_at_every_mask_and_no_shorter_direction_does(setting, query):
    patch = 0 if query == "first" else setting.geometry.patches - 1
    found = dy.max_margin(setting, patch)
    least, weight = theta(found), dy.reduce(setting, patch).multiplicity
    assert margins(setting, patch, least).min() == pytest.approx(1, abs=1e-9)
    assert weight @ least**2 == pytest.approx(found.squared_norm, rel=1e-14)
    generator, tried = np.random.default_rng(0), 0
    for scale in (0.03, 0.3) * 60:
        other = least + scale * generator.standard_normal(len(least))
        by = margins(setting, patch, other).min()
        if by > 0:
            tried += 1
            assert weight @ (other / by) ** 2 > found.squared_norm
    assert tried > 10


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_its_multipliers_prove_it(setting):
    patch = setting.geometry.patches - 1
    system, found = dy.reduce(setting, patch), dy.max_margin(setting, patch)
    beaten_by = found.constraints @ theta(found)
    assert beaten_by.min() >= 1 - 1e-9
    assert found.multipliers.min() >= 0
    assert np.abs(found.multipliers * (beaten_by - 1)).max() <= 1e-9
    assert np.abs(system.multiplicity * theta(found) - found.multipliers @ found.constraints).max() <= 1e-9
    assert found.multipliers.sum() == pytest.approx(found.squared_norm, rel=1e-9)
    pp = [name.startswith(("pp.", "pp[")) for name in system.names]
    assert abs(system.multiplicity[pp] @ theta(found)[pp]) <= 1e-9


def late(setting, log10_t, query="local"):
    """The system and its flow at a late time."""
    system = dy.reduce(setting, query)
    flow = dy.integrate(system, t_end=10.0**log10_t, rtol=1e-10, atol=1e-12)
    return system, flow


# Theory, section 5; what gradient flow has measured there is 2.35 and .78.
@pytest.mark.parametrize(("sizes", "squared_norm"), [((8, 4, 3), 2.360), ((8, 2, 4), 0.784)])
def test_two_numbers_of_the_theory(sizes, squared_norm):
    setting = dy.Setting(dy.Geometry.single_cluster(*sizes))
    assert dy.max_margin(setting, "local").squared_norm == pytest.approx(squared_norm, abs=5e-4)


def test_correlations_grow_along_it_as_half_the_logarithm_of_time():
    setting = dy.Setting(dy.Geometry.single_cluster(8, 4, 3))
    wanted = theta(dy.max_margin(setting, "local"))
    off = []
    for log10_t in (10, 20, 40, 80):
        system, flow = late(setting, log10_t)
        off.append(np.abs(2 * flow.y[:, -1] / flow.log_t[-1] - wanted).max())
    assert np.array(off[1:]) / off[:-1] == pytest.approx([0.5] * 3, abs=0.06)  # 1/log t
    assert np.abs(2 * flow.t[-1] * system.rate(flow.y[:, -1]) - wanted).max() <= 1e-4


def test_correlations_grow_along_it_with_latents_of_two_values_too():
    setting = dy.Setting(dy.Geometry.single_cluster(12, 6, 2), LAW)
    system, flow = late(setting, 40)
    growth = 2 * flow.t[-1] * system.rate(flow.y[:, -1])
    assert np.abs(growth - theta(dy.max_margin(setting, "local"))).max() <= 1e-6


def test_the_winners_at_the_half_time_say_where_the_flow_ends():
    setting = dy.Setting(dy.Geometry.single_cluster(20, 8, 3))
    system, flow = late(setting, 40)
    half = int((flow.attention["target"] >= 0.5).argmax())
    chosen, least = dy.max_margin(setting, "local", flow.y[:, half]), dy.max_margin(setting, "local")
    assert np.abs(2 * flow.t[-1] * system.rate(flow.y[:, -1]) - theta(chosen)).max() <= 1e-3
    assert least.squared_norm < 0.97 * chosen.squared_norm
    assert dy.max_margin(setting, "local", theta(chosen)).squared_norm == pytest.approx(chosen.squared_norm)
    assert dy.max_margin(setting, "local", theta(least)).squared_norm == pytest.approx(least.squared_norm)
    assert least.direction["pp.self"] > 0.3  # the least escapes to the query itself, the flow to its area
    assert abs(chosen.direction["pp.self"]) < 1e-9


def test_a_setting_it_does_not_hold_for_is_refused():
    one, zero = dy.Geometry.single_cluster(4, 2, 2), ([0.0, 1.0], [0.5, 0.5])
    for setting, message in (
        (TWO, "clusters=2: expected one cluster"),
        (dy.Setting(dy.Geometry.scaling(3, 0.9, 0.3)), "geometry='scaling': expected patches"),
        (dy.Setting(one, zero), r"latent=\[0.0, 1.0\]: expected latents above 0"),
    ):
        with pytest.raises(ValueError, match=message):
            dy.max_margin(setting, 0)
    with pytest.raises(ValueError, match=r"state=\[1.0\]: expected a finite state of shape \(7,\)"):
        dy.max_margin(dy.Setting(one), "local", [1.0])
    with pytest.raises(ValueError, match="setting=None: expected a Setting"):
        dy.max_margin(None, 0)


def test_more_kinds_of_areas_than_can_be_gone_through_are_refused():
    labels = np.repeat(np.arange(13), np.arange(1, 14))
    with pytest.raises(ValueError, match=r"12 kinds of areas.*: expected at most 10"):
        dy.max_margin(dy.Setting(dy.Geometry.from_labels([labels])), 0)
