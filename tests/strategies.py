"""Hypothesis draws settings with at most 7 patches, where enumeration is cheap, and states of their systems."""

import numpy as np
from hypothesis import strategies as st

import dynamics as dy
from dynamics.geometry import of_rows


def _without_gaps(row):
    return np.unique(row, return_inverse=True)[1].tolist()


@st.composite
def geometries(draw, most_patches=7, most_clusters=3, most_areas=3):
    patches = draw(st.integers(3, most_patches))
    label = st.integers(0, most_areas - 1)
    rows = draw(st.lists(st.lists(label, min_size=patches, max_size=patches), min_size=1, max_size=most_clusters))
    return of_rows([_without_gaps(row) for row in rows])


@st.composite
def geometries_of_classes(draw, most_patches=24, most_clusters=3, most_areas=3):
    """Few classes of some patches each, single ones among them: more patches than can be labelled one by one."""
    sizes = draw(st.lists(st.integers(1, 8), min_size=2, max_size=4).filter(lambda n: 3 <= sum(n) <= most_patches))
    label = st.integers(0, most_areas - 1)
    row = st.lists(label, min_size=len(sizes), max_size=len(sizes))
    rows = draw(st.lists(row, min_size=1, max_size=most_clusters))
    return of_rows([np.repeat(_without_gaps(labels), sizes) for labels in rows])


@st.composite
def laws(draw, most_values=3):
    values = draw(st.lists(st.floats(0, 2).map(lambda z: round(z, 3)), min_size=1, max_size=most_values, unique=True))
    parts = np.array(draw(st.lists(st.integers(1, 9), min_size=len(values), max_size=len(values))), dtype=float)
    return values, parts / parts.sum()


@st.composite
def settings_of_learning(draw, geometries=geometries, **limits):
    geometry = draw(geometries(**limits))
    masked = draw(st.integers(1, geometry.patches - 1))
    parts = np.array(draw(st.lists(st.integers(1, 5), min_size=geometry.clusters, max_size=geometry.clusters)))
    return dy.Setting(geometry, draw(laws()), masked / geometry.patches, parts / parts.sum())


@st.composite
def systems(draw, closure="exact", **limits):
    """A system and a state of it, from near zero to well locked."""
    setting = draw(settings_of_learning(**limits))
    query = draw(st.integers(0, setting.geometry.patches - 1))
    system = dy.reduce(setting, query, closure)
    scale = draw(st.sampled_from([0.1, 1.0, 4.0]))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return system, scale * generator.standard_normal(len(system.names))
