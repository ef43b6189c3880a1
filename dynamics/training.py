"""What a training of the transformer recorded, and the curves of one query in it.

NumPy only, as the transformer itself: nothing in here knows of the derived rates.
"""

from __future__ import annotations

import itertools
import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamics.coordinates import Coordinates
from dynamics.geometry import Array
from dynamics.phases import of_records
from dynamics.setting import Setting
from dynamics.shown import SHORT, counted, guarded, line, number
from dynamics.trajectory import Trajectory

if TYPE_CHECKING:
    from dynamics.transformer import FiniteTransformer


@dataclass(frozen=True, eq=False)
class Training:
    """What a training recorded at m of its steps.

    Attributes
    ----------
    t : (m,) array
        η · iteration since Q = 0, or since the Q that it started from.
    fp, pp : (m, P, Σ N_k), (m, P, P) arrays
        Φ_{p→v}, cluster after cluster, and Υ_{p→q}.
    losses : (m, P) array
        Every query's share of L as the gradient of that step saw it: exact, or of its samples.
    Q, model, step_size, steps, samples, every, start
        The last Q, (d, d), and what made it; steps include those of a training that it continued, and start is where it
        began: "Q = 0", "a training" or "a Q".
    """

    t: Array
    fp: Array
    pp: Array
    losses: Array
    Q: Array
    model: FiniteTransformer
    step_size: float
    steps: int
    samples: int | None
    every: int = 1
    start: str = "Q = 0"

    @guarded
    def __repr__(self) -> str:
        steps = f"{counted(self.steps, 'step')} of η = {number(self.step_size)}"
        gradient = "exact gradients" if self.samples is None else f"{counted(self.samples, 'sample')} a gradient"
        records = f"{counted(len(self.t), 'record')} to t = {number(self.t[-1])}"
        loss = f"loss {' → '.join(number(of_queries.sum(), SHORT) for of_queries in self.losses[[0, -1]])}"
        return line(
            "Training",
            self.model.setting.geometry.how_many,
            self.model.setting.law.label,
            steps,
            gradient,
            records,
            loss,
        )

    @np.errstate(under="ignore")
    def of(self, query: int | str) -> Trajectory:
        """Curves of one query, named as in the reduction: merged coordinates averaged, with their spread.

        `query` is a patch; or "local" or "global", as in ``reduce``, for the first such patch. A ValueError if there
        is none.
        """
        geometry = self.model.setting.geometry
        patch, coordinates = geometry.patch_of(query), Coordinates.of(self.model.setting, query)
        of_patch = np.empty(len(self.model.positions), dtype=int)
        for s, coordinate in enumerate(coordinates.pp):
            of_patch[geometry.patches_of(s)] = coordinate
        of_patch[patch] = len(coordinates.names) - 1
        stands_for = np.equal.outer(np.concatenate([*coordinates.fp, of_patch]), np.arange(len(coordinates.names)))
        single = np.hstack([self.fp[:, patch], self.pp[:, patch]])
        mean = single @ stands_for / coordinates.multiplicity
        spread = np.sqrt((single - mean @ stands_for.T) ** 2 @ stands_for / coordinates.multiplicity)
        attention = _attention(single, patch, self.model.setting, coordinates)
        curve = (coordinates.names, coordinates.multiplicity, self.t, mean.T, self.losses[:, patch], attention)
        least = self.model.setting.law.least_positive
        on_target = _attention(single, patch, self.model.setting, coordinates, least)["target"]
        with np.errstate(divide="ignore"):
            log_t = np.log(self.t)
        phases = of_records(log_t, mean.T, coordinates.names, coordinates.targets, on_target, "the end of the training")
        more = {"spread": spread.T, "targets": coordinates.targets, "phases": phases}
        return Trajectory("training", *curve, **more, provenance=self._provenance(patch))

    def _provenance(self, patch: int) -> dict[str, Any]:
        model, setting = self.model, self.model.setting
        made: dict[str, Any] = {"kind": "training", "exactness": "sampled" if self.samples else "exact", "query": patch}
        made |= setting.provenance | {"step_size": self.step_size, "steps": self.steps}
        made |= {"every": self.every, "start": self.start}
        made |= {"samples": self.samples, "seed": model.seed, "basis": model.basis, "dimension": model.dimension}
        return made | {"versions": {"python": platform.python_version(), "numpy": np.__version__}}


def _attention(
    single: Array, patch: int, setting: Setting, coordinates: Coordinates, of_target: float | None = None
) -> dict[str, Array]:
    """Attention of a query in cluster 0 on every group, each (m,), at the mean counts; `single` is (m, Σ N_k + P).

    By the rule of the mean-field closure the latents of the target and of the global area take every value, and any
    other area enters by its mean, as if a part of it showed each value. With `of_target` the target shows this value.
    """
    geometry, law = setting.geometry, setting.law
    assert geometry.area_of is not None
    patches, areas, area_of = int(geometry.patches), geometry.areas[0], geometry.area_of[0]
    fp, pp, others = single[:, :areas], single[:, -patches:], np.arange(patches) != patch
    unmasked = (patches - setting.masked) / (patches - 1)
    with np.errstate(divide="ignore"):  # log 0: the query alone in its area, or nothing else masked
        masked = np.logaddexp.reduce(pp[:, others], axis=1) + np.log1p(-unmasked)
        inside = [np.logaddexp.reduce(pp[:, others & (area_of == m)], axis=1) for m in range(areas)]
        of_value = np.log(unmasked) + np.stack(inside, axis=1) + np.multiply.outer(law.values, fp)  # (V, m, N_0)
    mean = np.logaddexp.reduce(of_value + np.log(law.weights)[:, None, None], axis=0)
    drawn = [m for m in range(areas) if m in (area_of[patch], geometry.global_area(0))]
    wanted = [of_target in (None, value) for value in law.values]
    total = np.zeros((len(single), areas + 2))
    every = itertools.product(range(len(law.values)), repeat=len(drawn))
    for values in (values for values in every if wanted[values[drawn.index(area_of[patch])]]):
        logs = np.column_stack([mean, masked, pp[:, patch]])
        logs[:, drawn] = np.stack([of_value[value, :, m] for m, value in zip(drawn, values, strict=True)], axis=1)
        mass = np.exp(logs - logs.max(axis=1, keepdims=True))
        total += law.weights[list(values)].prod() * mass / mass.sum(axis=1, keepdims=True)
    groups, order = (*coordinates.group_names(0), "masked", "self"), coordinates.fp[0].argsort(kind="stable")
    ordered = [groups[m] for m in [*order, areas, areas + 1]]
    total /= law.weights[wanted].sum()
    return {name: total[:, [other == name for other in groups]].sum(axis=1) for name in ordered}
