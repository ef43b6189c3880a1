"""Reduction against transformer: gradient descent on the reduced coordinates is gradient descent on Q, to rounding.

Population gradients, by enumeration of every mask and latent value; the transformer has random orthonormal features
and positions and is trained by back-propagation through its matrices.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import dynamics as dy
from derivations._progress import progress_of
from figures import style
from figures.ranges import Count, Positive, Seed, Share, Whole
from figures.table import Table, distinct, keep, rows, select, stack

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE = (style.COLUMN, 2.9)
TOLERANCE = 1e-12  # what the project promises


class Parameters(NamedTuple):
    """Labels of two problems, cluster by cluster, and the latent law and training of both."""

    labels: tuple[tuple[tuple[Whole, ...], ...], ...] = (
        ((0, 0, 0, 0, 0, 1, 1, 1, 2),),
        ((0, 0, 0, 0, 1, 1, 2, 2, 2), (1, 0, 0, 1, 1, 0, 0, 0, 1)),
    )
    latent: tuple[tuple[float, ...], tuple[float, ...]] = ((0.4, 1.5), (0.6, 0.4))
    mask_ratio: Share = 0.5
    step_size: Positive = 0.5
    steps: Count = 2000
    every: Count = 40
    seed: Seed = 0


COLUMNS = {
    "clusters": "number of clusters K",
    "step": "of gradient descent",
    "difference": "largest |reduction − transformer| over every Φ and Υ of every query",
    "largest": "largest |Φ| or |Υ|",
}
QUICK: dict[str, Any] = {"steps": 100, "every": 5}


def data(p: Parameters) -> Table:
    """Largest difference over every Φ and Υ of every query, and the largest of them, at every recorded step."""
    geometries = [dy.Geometry.from_labels(labels, grid=(1, len(labels[0]))) for labels in p.labels]
    settings = [dy.Setting(geometry, p.latent, p.mask_ratio) for geometry in geometries]
    parts = []
    for setting in progress_of(settings, "crosscheck: problems"):
        training = dy.FiniteTransformer(setting, seed=p.seed).train(p.step_size, p.steps, every=p.every)
        difference, largest = np.zeros((2, len(training.t)))
        for patch in range(int(setting.geometry.patches)):
            system = dy.reduce(setting, patch)
            descent = dy.descend(system, p.step_size, p.steps, every=p.every)
            for i, state in enumerate(descent.y.T):
                expanded = system.expand(state)
                reduced = np.concatenate([*expanded["fp"], expanded["pp"]])
                trained = np.concatenate([training.fp[i, patch], training.pp[i, patch]])
                difference[i] = max(difference[i], np.abs(reduced - trained).max())
                largest[i] = max(largest[i], np.abs(reduced).max())
        step = np.rint(training.t / p.step_size).astype(int)
        parts.append(rows(clusters=setting.geometry.clusters, step=step, difference=difference, largest=largest))
    return stack(parts)


def draw(figure: Figure, table: Table, p: Parameters) -> None:
    """Differences as points; as lines, the rounding of the largest coordinate, and the tolerance."""
    axes, bits = figure.subplots(), np.finfo(float).nmant
    table = keep(table, table["step"] > 0)
    looks: tuple[dict[str, Any], ...] = (
        {"color": style.VERMILLION, "marker": "o", "linestyle": "-", "markerfacecolor": "none"},
        {"color": style.BLUE, "marker": "x", "linestyle": "--"},
    )
    for clusters, look in zip(distinct(table["clusters"]), looks, strict=True):
        part = select(table, clusters=clusters)
        axes.plot(part["step"], part["difference"], **look | {"linestyle": "none"})
        axes.plot(part["step"], 2.0**-bits * part["largest"], **look | {"marker": ""})
        axes.plot([], [], **look, label=f"$K = {clusters}$, values up to {part['largest'].max():.1f}")
    axes.plot([], [], color=style.GREY, marker="o", linestyle="none", label="reduction against transformer")
    axes.plot([], [], color=style.GREY, label=rf"rounding, $2^{{-{bits}}}\times$ largest value")
    axes.axhline(TOLERANCE, color=style.GREY, linewidth=0.8, linestyle=(0, (4, 3)))
    place: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
    exponent = round(math.log10(TOLERANCE))
    axes.annotate(f"tolerance $10^{{{exponent}}}$", (1, TOLERANCE), xytext=(-2, 3), ha="right", **place)
    axes.set(yscale="log", xlim=(0, 1.02 * table["step"].max()))
    axes.set_ylim(top=4 * TOLERANCE)
    axes.set(xlabel="step of gradient descent", ylabel=r"largest difference of any $\Phi$ or $\Upsilon$")
    axes.legend(loc="center right", bbox_to_anchor=(1, 0.7), handlelength=2.6)
