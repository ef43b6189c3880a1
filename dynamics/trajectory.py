"""The one result type: a curve of the reduced coordinates, from a flow, a descent or a trained transformer."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from derivations._shell import write_beside
from dynamics.errors import accept
from dynamics.geometry import Array
from dynamics.phases import Phase
from dynamics.shown import MOST_ROWS, SHORT, Sheet, counted, further, guarded, line, moment, number

if TYPE_CHECKING:
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

    @guarded
    def __repr__(self) -> str:
        last = f" to {moment(self.t[-1], self.log_t[-1], 4)}" if len(self.t) else ""
        on_target = self.attention.get("target", self.t[:0])
        reached = f"attention on target {number(on_target[-1], SHORT)}" if len(on_target) else ""
        times, coordinates = counted(len(self.t), "time"), counted(len(self.names), "coordinate")
        return line("Trajectory", self._said(), f"{times}{last}", coordinates, reached)

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
        said = self._said()
        title = f"{said[0].upper()}{said[1:]}, {counted(len(self.t), 'time')}"
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
            raise KeyError(f"{name!r}: expected one of {', '.join(self.names)}")
        return self.names.index(name)

    def save(self, path: str | Path) -> Path:
        """Write all of it to a NumPy ``.npz`` file, whole or not at all; returns the path."""
        accept(
            isinstance(path, (str, Path)) and Path(path).suffix == ".npz", "path", path, "a file name ending in .npz"
        )
        path = Path(path)
        arrays = {key: getattr(self, key) for key in ("multiplicity", "t", "log_t", "y", "loss")}
        arrays |= {f"attention {name}": values for name, values in self.attention.items()}
        arrays |= {} if self.spread is None else {"spread": self.spread}
        header: dict[str, Any] = {
            "kind": self.kind,
            "names": self.names,
            "targets": self.targets,
            "provenance": self.provenance,
        }
        header["phases"] = [vars(phase) | {"state": phase.state.tolist()} for phase in self.phases]
        with write_beside(path) as partial:
            np.savez_compressed(partial, header=np.array(json.dumps(header)), **arrays)
        return path

    def plot(self, axes: Axes | None = None, names: str | Sequence[str] | None = None) -> Axes:
        """Draw coordinates against time, or its logarithm where it is no float.

        Parameters
        ----------
        axes : matplotlib.axes.Axes, optional
            Where to draw; by default a new figure of ``matplotlib.pyplot``.
        names : str or sequence of str, optional
            Coordinates; by default all.

        Returns
        -------
        matplotlib.axes.Axes
            Of a flow (by a spline through its records) or a descent lines, Φ solid and Υ dashed; of a training points,
            filled and open, with the spread as error bars, at some of its records. The colour says what a coordinate is
            about. Up to 12 have a legend; in axes that have one already only those that are new there.
        """
        from dynamics.drawn import draw

        return draw(self, axes, self.names if names is None else [names] if isinstance(names, str) else list(names))


def load(path: str | Path) -> Trajectory:
    """The trajectory that ``Trajectory.save`` wrote.

    Raises
    ------
    ValueError
        If the file holds no trajectory.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            header = json.loads(str(file["header"]))
            arrays = {key: file[key] for key in file.files if key != "header"}
        named = {
            key.removeprefix("attention "): arrays.pop(key) for key in list(arrays) if key.startswith("attention ")
        }
        phases = tuple(Phase(**phase | {"state": np.array(phase["state"])}) for phase in header["phases"])
        more = {"targets": tuple(header["targets"]), "phases": phases, "provenance": header["provenance"]}
        return Trajectory(header["kind"], tuple(header["names"]), attention=named, **more, **arrays)
    except (ValueError, KeyError, TypeError, EOFError, IsADirectoryError, zipfile.BadZipFile) as error:
        raise ValueError(f"path={str(path)!r}: expected a file written by Trajectory.save") from error
