"""The one result type: a curve of the reduced coordinates, from a flow, a descent or a trained transformer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from derivations._shell import nearest
from dynamics.files import columns, save
from dynamics.geometry import Array
from dynamics.laws import label_of
from dynamics.phases import Phase
from dynamics.shown import MOST_ROWS, SHORT, Sheet, counted, further, guarded, line, moment, number

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
        for name in ("multiplicity", "t", "loss"):  # which systems, trainings and other curves hold as well
            object.__setattr__(self, name, np.array(getattr(self, name)))
        if self.log_t is None:
            with np.errstate(divide="ignore"):
                object.__setattr__(self, "log_t", np.log(self.t))

    @guarded
    def __repr__(self) -> str:
        last = f" to {moment(self.t[-1], self.log_t[-1], 4)}" if len(self.t) else ""
        on_target = self.attention.get("target", self.t[:0])
        reached = f"attention on target {number(on_target[-1], SHORT)}" if len(on_target) else ""
        times, coordinates = counted(len(self.t), "time"), counted(len(self.names), "coordinate")
        law = label_of(self.provenance)
        return line("Trajectory", self._said(), law, f"{times}{last}", coordinates, reached)

    def _repr_html_(self) -> str:
        return self.sheet().html()

    def sheet(self) -> Sheet:
        """What it is, and every coordinate, the loss and the attention at its first and last record, as a table."""
        groups = [
            name for i, name in enumerate(self.attention) if i < MOST_ROWS or name in ("target", "masked", "self")
        ]
        values = dict(zip(self.names[:MOST_ROWS], self.y, strict=False)) | {"loss": self.loss}
        values |= {f"attention on {name}": self.attention[name] for name in groups}
        records = sorted({0, len(self.t) - 1}) if len(self.t) else []
        head = ["", *(moment(self.t[i], self.log_t[i]) for i in records)]
        rows = [[name, *(number(of[i]) for i in records)] for name, of in values.items()]
        if self.spread is not None and records:
            spread = [number(value) for value in self.spread[:MOST_ROWS, -1]]
            head.append("spread")
            rows = [[*row, last] for row, last in zip_longest(rows, spread, fillvalue="")]
        said = ", ".join(filter(None, [self._said(), label_of(self.provenance), counted(len(self.t), "time")]))
        title = f"{said[0].upper()}{said[1:]}"
        left_out = len(self.attention) - len(groups)
        note = [further(len(self.names), "coordinates"), f"and {left_out} more groups of areas" if left_out else ""]
        return Sheet(
            title, tuple(head), tuple(map(tuple, rows)), "\n".join(filter(None, [*note, *map(str, self.phases)]))
        )

    def _said(self) -> str:
        """What kind of curve it is, of which query, and how exact."""
        query, closure, exactness = (self.provenance.get(key) for key in ("query", "closure", "exactness"))
        of_query = "" if query is None else f" of query {query!r}"
        told = [exactness] if closure is None or str(exactness).startswith(closure) else [closure, exactness]
        return ", ".join([f"{self.kind}{of_query}", *(str(word) for word in told if word)])

    def __getitem__(self, name: str) -> Array:
        """One coordinate against time: an (m,) array; a KeyError names those there are."""
        return self.y[self.row(name)]

    def row(self, name: str) -> int:
        """The row of a coordinate in `y` and `spread`; a KeyError names those there are."""
        if name not in self.names:
            raise KeyError(f"{name!r}: expected one of {', '.join(self.names)}{nearest(name, self.names)}")
        return self.names.index(name)

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

        That is a copy, which ``rerun`` takes; its lists are tuples.

        Raises
        ------
        ModuleNotFoundError
            Without pandas: it is the extra ``pandas``.
        """
        with _extra("pandas"):
            import pandas as pd

        frame = pd.DataFrame(columns(self)).set_index("t")
        frame.attrs["provenance"] = _kept(self.provenance)
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
        made_by = {"kind": self.kind, "provenance": json.dumps(self.provenance)}
        return xr.Dataset(variables, places, made_by).copy(deep=True)

    def plot(
        self, names: str | Sequence[str] | Axes | None = None, axes: Axes | None = None, *, ax: Axes | None = None
    ) -> Axes:
        """Draw coordinates against time, or its logarithm where it is no float.

        Parameters
        ----------
        names : str or sequence of str, optional
            Coordinates; by default all. Axes may come first instead: ``flow.plot(axes)``.
        axes, ax : matplotlib.axes.Axes, optional
            Where to draw, by either name; by default a new figure of ``matplotlib.pyplot``.

        Returns
        -------
        matplotlib.axes.Axes
            Of a flow (by a spline through its records) or a descent lines, Φ solid and Υ dashed; of a training points,
            filled and open, with the spread as error bars, at some of its records. The colour says what a coordinate is
            about, a dotted line where phase I ends. Up to 12 have a legend. Several curves in the same axes have
            markers of their own, by which the legend tells them apart.

        Raises
        ------
        KeyError
            If there is no such coordinate.
        ValueError
            If the axes are none, or `axes` and `ax` are different ones.
        """
        from dynamics.drawn import draw

        return draw(self, names, axes, ax)


class _Listed(tuple[Any, ...]):
    """A list that nobody changes, equal to one: pandas copies what made a frame with every operation."""

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, (list, tuple)) else NotImplemented

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = tuple.__hash__

    def __deepcopy__(self, memo: Any) -> _Listed:
        return self


def _kept(value: Any) -> Any:
    """A copy of plain data, of which only the dicts can be changed."""
    if isinstance(value, dict):
        return {key: _kept(one) for key, one in value.items()}
    return _Listed(map(_kept, value)) if isinstance(value, (list, tuple)) else value


@contextmanager
def _extra(name: str) -> Iterator[None]:
    """An optional library is imported; without it the error says how to get it."""
    try:
        yield
    except ModuleNotFoundError as error:
        said = f"{name} is not installed: pip install 'attention-dynamics[{name}]'"
        raise ModuleNotFoundError(said, name=name) from error
