"""A table that fills row by row, in memory and on disk: a journal beside it, and the whole file at the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from derivations import _csv
from derivations._shell import write_beside, writing
from dynamics.errors import accept
from dynamics.geometry import Array

Column = npt.NDArray[Any]
Row = tuple[int, dict[str, float], str]  # where it belongs, what was measured, or why nothing was


@dataclass(eq=False)
class Table:
    """Parameters, and what is measured so far.

    Attributes
    ----------
    parameters : dict of (n,) arrays
    expected : tuple of str
        The measured columns, should no row say.
    measured : dict of (n,) arrays
        NaN where nothing is measured; named by the first row that holds something.
    errors : dict
        Row -> why nothing was measured there.
    done : (n,) array of bool
    """

    parameters: dict[str, Column]
    expected: tuple[str, ...]
    measured: dict[str, Array] = field(default_factory=dict)
    errors: dict[int, str] = field(default_factory=dict)
    done: npt.NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.done = np.zeros(len(next(iter(self.parameters.values()))), dtype=bool)

    def add(self, row: Row) -> None:
        """Put a row in its place.

        Raises
        ------
        TypeError
            If its columns are not those of the other rows, or not fit to be columns.
        """
        index, values, error = row
        if error:
            self.errors[index] = error
        elif not self.measured:
            taken = [name for name in values if not isinstance(name, str) or name in {*self.parameters, "error"}]
            if taken or not values:
                raise TypeError(f"measure: expected names beside {[*self.parameters, 'error']}, got {list(values)}")
            self.measured.update({name: np.full(len(self.done), np.nan) for name in values})
        elif list(values) != list(self.measured):
            raise TypeError(f"measure: expected {list(self.measured)} at every point, got {list(values)} at {index}")
        for name, value in values.items():
            self.measured[name][index] = value
        self.done[index] = True

    def columns(self) -> dict[str, Column]:
        """All of it: name -> column."""
        unknown = {} if self.measured else dict.fromkeys(self.expected, np.full(len(self.done), np.nan))
        errors = np.array([self.errors.get(i, "") for i in range(len(self.done))], dtype=object)
        return self.parameters | self.measured | unknown | {"error": errors}

    def write(self, path: Path, made_by: dict[str, Any]) -> None:
        """The whole table as CSV, with what made it; whole or not at all."""
        with write_beside(path) as partial:
            _csv.write(partial, {name: column.tolist() for name, column in self.columns().items()}, made_by)

    def read(self, path: Path, made_by: dict[str, Any]) -> None:
        """Fill the table from the file that ``write`` wrote.

        Raises
        ------
        ValueError
            If it is of another study, or not as it was written.
        """
        cells, found = _csv.read(path, "a table of this study (remove it, or write to another)", "out")
        differing = _differing(json.loads(json.dumps(made_by)), found)
        accept(differing is None, "out", str(path), _of_this_study(differing))
        names, errors = list(cells)[len(self.parameters) : -1], cells["error"]
        for index, (*values, error) in enumerate(zip(*(cells[name] for name in names), errors, strict=True)):
            numbers = (float(value or "nan") for value in values)
            self.add((index, {} if error else dict(zip(names, numbers, strict=True)), error))


@contextmanager
def journal(path: Path, made_by: dict[str, Any], table: Table, goes_on: bool = True) -> Iterator[BinaryIO]:
    """Fill the table with the rows that an earlier run left, and hand out the file for more.

    A line without an end, of a run that was killed as it wrote, is removed; all are, where it does not go on.

    Raises
    ------
    ValueError
        If it is of another study, not as it was written, or another process writes to it.
    """
    header = _header(made_by)
    with _opened(path) as file:
        accept(_locked(file), "out", str(path), "a sweep that no other process is at")
        file.seek(0)
        head = file.read(len(header))
        if head != header:
            differing = _differing(_entries(header), _entries(head))
            accept(header.startswith(head), "out", str(path), _of_this_study(differing))
            file.truncate(0)
            file.write(header)
        end = len(header)
        if not goes_on:
            file.truncate(end)
        try:
            for line in file:
                if line.endswith(b"\n"):
                    index, values, error = json.loads(line)
                    table.add((index, values, error))
                    end += len(line)
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            raise ValueError(f"out={str(path)!r}: expected the journal as it was written; remove it") from error
        file.truncate(end)
        yield file


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with writing("out", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b")
    try:
        yield file
    finally:
        with writing("out", path):  # what waits to be written is written now
            file.close()


def _locked(file: BinaryIO) -> bool:
    """Whether this process alone has the file from here on, as far as the file system can tell."""
    try:
        import fcntl

        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # which workers that are forked do not inherit
    except (BlockingIOError, PermissionError):
        return False
    except (ImportError, OSError):
        pass
    return True


def write_rows(file: BinaryIO, rows: list[Row]) -> None:
    """Add rows to a journal; a kill of the process loses none of them."""
    with writing("out", Path(file.name)):
        file.write("".join(json.dumps(row) + "\n" for row in rows).encode())
        file.flush()


def _header(made_by: dict[str, Any]) -> bytes:
    """Comment lines that say what made a journal, one an entry."""
    text = "".join(f"# {key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in made_by.items())
    return text.encode("utf-8", "surrogateescape")  # for signs of a path that the locale does not have


def _entries(header: bytes) -> dict[str, Any]:
    """What these lines say; of one that is cut off, its text."""
    found = {}
    for line in header.decode(errors="replace").split("\n"):
        key, _, value = line.removeprefix("# ").partition(": ")
        if line.startswith("# "):
            try:
                found[key] = json.loads(value)
            except ValueError:
                found[key] = value
    return found


def files_of(out: Path, partial: Path) -> set[str] | None:
    """Names of the files that an earlier run is known by; None where there was none.

    A file that was not there when a study began is no part of it: the study itself may have written it.
    """
    try:
        if out.exists():
            return {*_csv.read(out, "")[1].get("files", {})}
        with partial.open("rb") as file:
            lines = [*takewhile(lambda line: bytes(line).startswith(b"# "), file)]
        return {*_entries(b"".join(lines)).get("files", {})} if lines and lines[-1].endswith(b"\n") else None
    except (OSError, ValueError):
        return None


def _differing(ours: dict[str, Any], theirs: dict[str, Any]) -> str | None:
    """The first entry in which what made two tables differs; of files, which of them."""
    key = next((key for key in ours | theirs if json.dumps(ours.get(key)) != json.dumps(theirs.get(key))), None)
    files = [said.get("files", {}) for said in (ours, theirs)]
    return f"files.{_differing(*files)}" if key == "files" and isinstance(files[1], dict) else key


def _of_this_study(entry: str | None) -> str:
    return f"a file of this study, but its entry {entry!r} differs: remove it, or write to another"
