"""Settings with names, small enough to enumerate."""

import math

import numpy as np

import dynamics as dy

THREE_VALUES = ([0.4, 1.0, 1.7], [0.2, 0.5, 0.3])

# One cluster: a global area and equal local ones, P = 64; Δ > 0, and Δ < 0 where the global area is small.
WIDE = dy.Setting(dy.Geometry.single_cluster(40, 6, 4))
NARROW = dy.Setting(dy.Geometry.single_cluster(16, 12, 4))

# Small ones for the transformer: one, two and three clusters, odd partitions, areas of one patch, random latents.
ONE = dy.Setting(dy.Geometry.single_cluster(4, 2, 2), mask_ratio=0.4)
TWO = dy.Setting(
    dy.Geometry.from_labels([[0, 0, 0, 1, 1, 2, 2], [0, 1, 1, 1, 2, 2, 2]]),
    latent=THREE_VALUES,
    mask_ratio=0.45,
    cluster_weights=[0.3, 0.7],
)
THREE = dy.Setting(
    dy.Geometry.from_labels([[0, 0, 1, 1, 1, 2], [0, 1, 0, 1, 0, 1], [0, 1, 2, 2, 1, 0]]),
    latent=([0.5, 1.5], [0.6, 0.4]),
    cluster_weights=[0.5, 0.2, 0.3],
)
SMALL = {"one": ONE, "two": TWO, "three": THREE}


def random_system(generator):
    """Any mean-field system: finite or of real sizes, of one cluster or two, one latent or a law."""
    latent = generator.uniform(0.3, 2)
    if generator.random() < 0.3:
        latent = (np.sort(generator.uniform(0.3, 2, 2)), [0.4, 0.6])
    mask_ratio = generator.uniform(0.2, 0.8)
    if generator.random() < 0.5:
        log10_patches = math.exp(generator.uniform(math.log(2), math.log(400)))
        kappas = None if generator.random() < 0.2 else generator.uniform(0.6, 0.99), generator.uniform(0.05, 0.5)
        geometry, queries = dy.Geometry.scaling(log10_patches, *kappas), ["local", "global"]
        queries = queries[:1] if kappas[0] is None else queries
    elif generator.random() < 0.5:
        sizes = generator.integers(20, 200), generator.integers(2, 10), generator.integers(1, 6)
        geometry, queries = dy.Geometry.single_cluster(*map(int, sizes)), ["local", "global"]
    else:
        labels = generator.integers(0, 4, (2, 24))
        labels[:, :4] = range(4)
        geometry, queries = dy.Geometry.from_labels(labels), [5]
    return dy.reduce(dy.Setting(geometry, latent, mask_ratio), queries[generator.integers(len(queries))], "mean-field")


def first_log_t(system):
    """When the fastest coordinate has gone about a thousandth."""
    return -float(system.log_rate(system.initial)[1].max()) - 7.0
