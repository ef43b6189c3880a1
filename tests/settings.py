"""Settings with names, small enough to enumerate."""

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
