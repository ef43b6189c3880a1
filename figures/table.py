"""Tidy tables: columns of equal length, a row for every value that is drawn."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Table = dict[str, npt.NDArray[Any]]


def rows(**columns: npt.ArrayLike) -> Table:
    """A table of columns that broadcast against each other: a single value is repeated."""
    full = np.broadcast_arrays(*(np.asarray(column) for column in columns.values()))
    return {name: column.ravel() for name, column in zip(columns, full, strict=True)}


def stack(tables: Iterable[Table]) -> Table:
    """Tables of the same columns, one below the other."""
    tables = list(tables)
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def select(table: Table, **values: Any) -> Table:
    """The rows in which the columns have these values."""
    chosen = np.all([table[name] == value for name, value in values.items()], axis=0)
    return {name: column[chosen] for name, column in table.items()}


def distinct(column: npt.NDArray[Any]) -> list[Any]:
    """The values of a column in order of appearance."""
    return list(dict.fromkeys(column.tolist()))


def write_csv(path: Path, table: Table, made_by: dict[str, Any]) -> None:
    """One header row, then the rows; what made them stands above in lines that begin with #."""
    with path.open("w", newline="", encoding="utf-8") as file:
        file.writelines(f"# {key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in made_by.items())
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table)
        lists = [["" if value != value else value for value in column.tolist()] for column in table.values()]
        writer.writerows(zip(*lists, strict=True))
