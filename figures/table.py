"""Tidy tables: columns of equal length, a row for every value that is drawn, and what made them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from derivations import _csv

LONGEST = 120  # characters of a table's repr
# The kind of a column's dtype: how a cell is read, and what an empty one says.
TYPES: dict[str, tuple[Callable[[str], Any], str]] = {
    "i": (int, ""),
    "f": (float, "nan"),
    "b": (lambda word: word == "True", ""),
    "U": (str, ""),
}


class Table(dict[str, npt.NDArray[Any]]):
    """Columns of equal length; `made_by` says what made them: figure, parameters, versions and the like."""

    made_by: dict[str, Any]

    def __init__(self, columns: dict[str, npt.NDArray[Any]], made_by: dict[str, Any] | None = None) -> None:
        super().__init__(columns)
        self.made_by = {} if made_by is None else made_by

    def __repr__(self) -> str:
        number = len(next(iter(self.values()), ()))
        named = f"{self.made_by['figure']}: " if "figure" in self.made_by else ""
        said = f"Table({named}{number} rows of {', '.join(self)})"
        return said if len(said) <= LONGEST else f"{said[: LONGEST - 2].rstrip(', ')}…)"


def rows(**columns: npt.ArrayLike) -> Table:
    """A table of columns that broadcast against each other: a single value is repeated."""
    full = np.broadcast_arrays(*(np.asarray(column) for column in columns.values()))
    return Table({name: column.ravel() for name, column in zip(columns, full, strict=True)})


def stack(tables: Iterable[Table]) -> Table:
    """Tables of the same columns, one below the other."""
    tables = list(tables)
    return Table({name: np.concatenate([table[name] for table in tables]) for name in tables[0]})


def select(table: Table, **values: Any) -> Table:
    """The rows in which the columns have these values."""
    return keep(table, np.all([table[name] == value for name, value in values.items()], axis=0))


def keep(table: Table, chosen: npt.NDArray[np.bool_]) -> Table:
    """The rows that are chosen."""
    return Table({name: column[chosen] for name, column in table.items()})


def distinct(column: npt.NDArray[Any]) -> list[Any]:
    """The values of a column in order of appearance."""
    return list(dict.fromkeys(column.tolist()))


def write_csv(path: Path, table: Table) -> None:
    """One header row, then the rows; the last column holds what made them, and their types."""
    said = table.made_by | {"types": {name: column.dtype.kind for name, column in table.items()}}
    _csv.write(path, {name: column.tolist() for name, column in table.items()}, said)


def read_csv(path: Path) -> Table:
    """The table that ``write_csv`` wrote, number for number.

    Raises
    ------
    ValueError
        If the file holds no such table, or not all of it, or it was changed.
    """
    expected = "a table as python -m figures wrote it"
    cells, made_by = _csv.read(path, expected)
    try:
        types = made_by.pop("types")
        return Table({name: _column(types[name], column) for name, column in cells.items()}, made_by)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"path={str(path)!r}: expected {expected}, whole and unchanged") from error


def _column(kind: str, cells: Iterable[str]) -> npt.NDArray[Any]:
    read, empty = TYPES[kind]
    return np.array([read(cell or empty) for cell in cells], {"i": int, "f": float, "b": bool, "U": str}[kind])
