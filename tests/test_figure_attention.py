"""Attention patterns: uniform at first, then off the global area, then area-wide, local and diverse."""

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from figures import attention, maps
from figures.table import distinct, select
from tests.quick_tables import table

AREA = maps.blocks((8, 8), (2, 3), (2, 2)).reshape(8, 8)
GLOBAL, FIRST, SECOND = (8 * row + column for row, column in attention.Parameters().queries)


def seen(moment, query, source=attention.REDUCTION):
    """P·attention on the grid."""
    shown = select(table("attention"), quantity="attention", moment=moment, query=query, source=source)
    return maps.grid_of(shown)


def share(moment, query, source=attention.REDUCTION):
    return attention.on_area(seen(moment, query, source), AREA, query)


def test_queries_are_one_of_the_global_area_and_two_of_different_local_ones():
    assert np.array_equal(maps.grid_of(table("attention"), quantity="area"), AREA)
    assert np.bincount(AREA.ravel()).tolist() == [40, 6, 6, 6, 6]
    assert AREA.flat[GLOBAL] == 0
    assert 0 < AREA.flat[FIRST] < AREA.flat[SECOND]


def test_attention_is_uniform_at_initialisation():
    for source in (attention.REDUCTION, attention.TRANSFORMER):
        for query in (GLOBAL, FIRST, SECOND):
            assert seen(attention.START, query, source) == pytest.approx(np.ones((8, 8)), abs=1e-14)


def test_at_the_end_of_phase_one_local_queries_have_let_go_of_the_global_area_and_are_not_locked():
    for query in (FIRST, SECOND):
        values = seen(attention.PHASE_END, query)
        target, others = AREA.flat[query] == AREA, (AREA > 0) & (AREA.flat[query] != AREA)
        target.flat[query] = False
        assert values[AREA == 0].max() < 0.85  # a quarter less than uniform, or nearly
        assert values[others].min() > 1.15
        assert values[target].min() > 1.3 * values[others].max()
        assert share(attention.PHASE_END, query) < 0.2
    assert share(attention.PHASE_END, GLOBAL) > 0.75  # while this one, at .61 at the start, is well on its way


@pytest.mark.parametrize("source", [attention.REDUCTION, attention.TRANSFORMER])
def test_trained_patterns_are_area_wide_local_and_diverse(source):
    found = {query: seen(attention.TRAINED, query, source) for query in (GLOBAL, FIRST, SECOND)}
    for query, values in found.items():
        inside = AREA.flat[query] == AREA
        assert share(attention.TRAINED, query, source) > 0.97
        inside.flat[query] = False
        assert values[inside].min() > 30 * values[~inside].max()
        assert np.ptp(values[inside]) < 0.06 * values[inside].mean()  # all of the area alike
    local = np.array([found[FIRST], found[SECOND]]).reshape(2, 64) / 64
    assert jensenshannon(*local) ** 2 > 0.95 * np.log(2)


def test_the_transformer_looks_where_the_reduction_does():
    for moment in (attention.PHASE_END, attention.TRAINED):
        for query in (GLOBAL, FIRST, SECOND):
            trained, predicted = seen(moment, query, attention.TRANSFORMER), seen(moment, query)
            assert np.abs(np.log(trained / predicted)).max() < 0.06
            assert (trained != predicted).any()


def test_times_are_those_of_the_phases():
    t = [select(table("attention"), moment=m)["t"][0] for m in distinct(table("attention")["moment"]) if m]
    assert t[0] == 0
    assert t[1] == pytest.approx(0.21, abs=0.01)  # Δ = 0.34 at P = 64; a third for P → ∞
    assert t[2] == pytest.approx(attention.Parameters().half_times, abs=0.02)


@pytest.mark.parametrize(("block", "copies"), [((2, 3), (2, 2)), ((1, 2), (4, 2)), ((3, 4), (2, 2)), ((2, 4), (4, 2))])
def test_blocks_are_rectangles_that_leave_the_rest_to_the_global_area(block, copies):
    area = maps.blocks((8, 8), block, copies).reshape(8, 8)
    assert sorted(set(area.ravel().tolist()) | {0}) == list(range(copies[0] * copies[1] + 1))
    for m in range(1, area.max() + 1):
        rows, columns = np.nonzero(area == m)
        assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == block
        assert len(rows) == block[0] * block[1]
