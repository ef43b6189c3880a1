"""The one result type: a curve of the reduced coordinates, from a flow, a descent or a trained transformer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from derivations._shell import nearest
from dynamics.files import columns, save
from dynamics.geometry import Array
from dynamics.phases import Phase

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes

Kind = Literal["flow", "descent", "training"]


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Correlations of one query against time.

    Attributes
    ----------
    kind : "flow" | "descent" | "training"
        Gradient flow (continuous-time), reduced gradient descent, or a finite transformer.
    names : tuple of str
        Names of the n coordinates.
    multiplicity : (n,) array
        How many single correlations each stands for.
    t : (m,) array
        Time of the flow, η · iteration.
    y : (n, m) array
        The coordinates.
    loss : (m,) array
        The query's share of L(Q).
    attention : dict of (m,) arrays
        Attention on each group, "masked" and "self", summing to 1; at the mean counts.
    log_t : (m,) array, optional
        log t; finite where t overflows, −inf at t = 0.
    spread : (n, m) array, optional
        Training only: standard deviation, within each coordinate, of the correlations it stands for.
    phases : tuple of Phase
        By which Φ moves fastest, with what ended each: of a flow located on the solver's dense output, else by
        interpolation between records.
    targets : tuple of str
        Names of the coordinates that are Φ of the target area, in every cluster.
    provenance : dict
        What made it: parameters, closure and its exactness, seed, versions; of reduced curves, a hash of the equations.
    """

    kind: Kind
    names: tuple[str, ...]
    multiplicity: Array
    t: Array
    y: Array
    loss: Array
    attention: dict[str, Array]
    log_t: Array = None  # type: ignore[assignment]
    spread: Array | None = None
    targets: tuple[str, ...] = ("fp.target",)
    phases: tuple[Phase, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.log_t is None:
            with np.errstate(divide="ignore"):
                object.__setattr__(self, "log_t", np.log(self.t))

    def __getitem__(self, name: str) -> Array:
        """One coordinate against time: an (m,) array; a KeyError names those there are."""
        if name not in self.names:
            raise KeyError(f"{name!r}: expected one of {', '.join(self.names)}{nearest(name, self.names)}")
        return self.y[self.names.index(name)]

    def save(self, path: str | Path) -> Path:
        """Write all of it to a ``.npz`` or ``.csv`` file, whole or not at all; returns the path.

        Both are read back number for number by ``load``. The CSV has a row for every record: t, log_t, the coordinates,
        loss, "attention.GROUP", of a training "spread.COORDINATE"; and what made it in the first cell of its last
        column.

        Raises
        ------
        ValueError
            If the name ends otherwise.
        OSError
            If the file cannot be written; an older one is then as it was.
        """
        return save(self, path)

    def to_dataframe(self) -> pd.DataFrame:
        """The columns of the CSV as a pandas DataFrame, by time; ``attrs["provenance"]`` says what made it.

        Raises
        ------
        ModuleNotFoundError
            Without pandas: it is the extra ``pandas``.
        """
        with _extra("pandas"):
            import pandas as pd

        frame = pd.DataFrame(columns(self)).set_index("t")
        frame.attrs["provenance"] = self.provenance
        return frame

    def to_xarray(self) -> xr.Dataset:
        """The same as an xarray Dataset.

        ``y`` and ``spread`` over (coordinate, t), ``loss`` over t, ``attention`` over (group, t), with log_t,
        multiplicities and, as JSON, ``attrs["provenance"]``.

        Raises
        ------
        ModuleNotFoundError
            Without xarray: it is the extra ``xarray``.
        """
        with _extra("xarray"):
            import xarray as xr

        variables: dict[str, Any] = {
            "y": (("coordinate", "t"), self.y),
            "loss": ("t", self.loss),
            "attention": (("group", "t"), np.array([*self.attention.values()])),
        }
        if self.spread is not None:
            variables["spread"] = (("coordinate", "t"), self.spread)
        places = {
            "t": self.t,
            "log_t": ("t", self.log_t),
            "coordinate": list(self.names),
            "multiplicity": ("coordinate", self.multiplicity),
            "group": list(self.attention),
        }
        return xr.Dataset(variables, places, {"kind": self.kind, "provenance": json.dumps(self.provenance)})

    def plot(self, axes: Axes | None = None, names: str | Sequence[str] | None = None) -> Axes:
        """Draw coordinates against time, or its logarithm where it is no float: lines, or points with their spread."""
        import matplotlib.pyplot as plt

        axes = plt.subplots(layout="constrained")[1] if axes is None else axes
        floats = bool(np.isfinite(self.t).all())
        t, label = (self.t, "$t$") if floats else (self.log_t, r"$\log t$")
        for name in self.names if names is None else [names] if isinstance(names, str) else names:
            values = self[name]
            if self.spread is None:
                axes.plot(t, values, label=name)
            else:
                axes.errorbar(t, values, self.spread[self.names.index(name)], fmt=".", label=name)
        axes.set(xlabel=label, ylabel="correlation of the query")
        axes.legend()
        return axes


@contextmanager
def _extra(name: str) -> Iterator[None]:
    """An optional library is imported; without it the error says how to get it."""
    try:
        yield
    except ModuleNotFoundError as error:
        said = f"{name} is not installed: pip install 'attention-dynamics[{name}]'"
        raise ModuleNotFoundError(said, name=name) from error
