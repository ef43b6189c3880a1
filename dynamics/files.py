"""Trajectories in files: ``.npz``, number for number and without pickle, or ``.csv``, which anything opens."""

from __future__ import annotations

import json
import struct
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from derivations import _csv
from derivations._shell import FORMAT, accept_format, reading, user_path, write_beside
from dynamics.errors import accept
from dynamics.geometry import Array
from dynamics.phases import Phase

if TYPE_CHECKING:
    from dynamics.trajectory import Trajectory

EXPECTED = "a file written by Trajectory.save"
SUFFIXES = ".npz", ".csv"
# What NumPy and the standard library raise where a file is no archive of arrays, or a part of it is lost.
_NO_ARCHIVE: tuple[type[Exception], ...] = (
    *(ValueError, KeyError, TypeError, EOFError, IndexError, AttributeError, OverflowError, MemoryError),
    *(OSError, RuntimeError, NotImplementedError, SyntaxError, struct.error, zlib.error, zipfile.BadZipFile),
    tokenize.TokenError,
)


def save(curve: Trajectory, path: str | Path) -> Path:
    """Write all of a trajectory, whole or not at all."""
    named = isinstance(path, (str, Path)) and Path(path).suffix in SUFFIXES
    accept(named, "path", path, f"a file name ending in {' or '.join(SUFFIXES)}")
    path = user_path(path)
    said = {name: getattr(curve, name) for name in ("kind", "names", "targets", "provenance")}
    said["phases"] = [vars(phase) | {"state": phase.state.tolist()} for phase in curve.phases]
    arrays = {name: getattr(curve, name) for name in ("t", "log_t", "y", "loss")}
    with write_beside(path) as partial:
        if path.suffix == ".csv":
            _csv.write(partial, columns(curve), said | {"multiplicity": curve.multiplicity.tolist()})
        else:
            arrays |= {"multiplicity": curve.multiplicity}
            arrays |= {f"attention {name}": values for name, values in curve.attention.items()}
            arrays |= {} if curve.spread is None else {"spread": curve.spread}
            with partial.open("wb") as file:
                np.savez_compressed(file, header=np.array(json.dumps(said | {"format": FORMAT})), **arrays)
    return path


def columns(curve: Trajectory) -> dict[str, Array]:
    """Name -> column: a row for every record."""
    spread = () if curve.spread is None else curve.spread
    return {
        "t": curve.t,
        "log_t": curve.log_t,
        **dict(zip(curve.names, curve.y, strict=True)),
        "loss": curve.loss,
        **{f"attention.{name}": values for name, values in curve.attention.items()},
        **{f"spread.{name}": values for name, values in zip(curve.names, spread, strict=False)},
    }


def load(path: str | Path) -> Trajectory:
    """The trajectory that ``Trajectory.save`` wrote.

    Parameters
    ----------
    path : str or Path
        A ``.npz`` or ``.csv`` file; ``~`` is the home folder.

    Raises
    ------
    ValueError
        If the file holds no trajectory, is damaged, or was written by a later version.
    OSError
        If it cannot be read.
    """
    accept(isinstance(path, (str, Path)), "path", path, EXPECTED)
    path = user_path(path)
    if path.suffix == ".csv":
        return _from_csv(path)
    with reading("path", path, EXPECTED), path.open("rb") as file:
        return _from_npz(path, file)


def _from_npz(path: Path, file: BinaryIO) -> Trajectory:
    try:
        with np.load(file, allow_pickle=False) as archive:
            said = json.loads(str(archive["header"]))
            arrays = {key: archive[key] for key in archive.files if key != "header"}
    except _NO_ARCHIVE as error:
        raise ValueError(f"path={str(path)!r}: expected {EXPECTED}, whole and unchanged") from error
    attention = {key.removeprefix("attention "): arrays.pop(key) for key in [*arrays] if key.startswith("attention ")}
    return _made(path, said, arrays | {"attention": attention})


def _from_csv(path: Path) -> Trajectory:
    cells, said = _csv.read(path, EXPECTED)
    try:
        numbers = {name: np.array([float(cell or "nan") for cell in column]) for name, column in cells.items()}
        names, groups = said["names"], [name for name in numbers if name.startswith("attention.")]
        arrays: dict[str, Any] = {"t": numbers["t"], "log_t": numbers["log_t"], "loss": numbers["loss"]}
        arrays |= {"y": np.array([numbers[name] for name in names]), "multiplicity": np.array(said.pop("multiplicity"))}
        arrays["attention"] = {name.removeprefix("attention."): numbers[name] for name in groups}
        if f"spread.{names[0]}" in numbers:
            arrays["spread"] = np.array([numbers[f"spread.{name}"] for name in names])
    except _NO_ARCHIVE as error:
        raise ValueError(f"path={str(path)!r}: expected {EXPECTED}") from error
    return _made(path, said, arrays)


def _made(path: Path, said: Any, arrays: dict[str, Any]) -> Trajectory:
    """The trajectory of what a file says and holds, if it is one."""
    from dynamics.trajectory import Trajectory

    accept(isinstance(said, dict), "path", str(path), EXPECTED)
    accept_format(path, said)
    try:
        phases = tuple(Phase(**phase | {"state": np.array(phase["state"])}) for phase in said["phases"])
        more = {"targets": tuple(said["targets"]), "phases": phases, "provenance": said["provenance"]}
        curve = Trajectory(said["kind"], tuple(said["names"]), **more, **arrays)
        n, m = len(curve.names), len(curve.t)
        whole = curve.y.shape == (n, m) and curve.multiplicity.shape == (n,) and m > 0
        whole &= all(one.shape == (m,) for one in (curve.t, curve.log_t, curve.loss, *curve.attention.values()))
        whole &= curve.spread is None or curve.spread.shape == (n, m)
    except _NO_ARCHIVE:
        whole = False
    accept(whole, "path", str(path), EXPECTED)
    return curve
