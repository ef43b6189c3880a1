"""Tables against those on record: ``expected/NAME.csv`` holds what ``data`` gave with the quick parameters.

``python -m figures --check`` compares; ``python -m figures.golden NAME...`` puts new numbers on record. A module may
give TOLERANCES of its own to columns, such as those that random numbers or the order of sums get into, and FLOORS.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from derivations._shell import run, write_beside
from figures import FIGURES, data, module
from figures.table import Table, read_csv, write_csv

EXPECTED = Path(__file__).parent / "expected"
TOLERANCE = 1e-6  # relative to the number on record, or to FLOOR where it is smaller
FLOOR = 1e-6


HEADER = f"{'figure':17}{'column':17}{'rows':>6}  {'difference':12}{'tolerance':11}verdict"


class Verdict(NamedTuple):
    """One column of a figure's table against the record; `largest` is infinite where not even the rows agree."""

    figure: str
    column: str
    rows: int
    largest: float
    tolerance: float = TOLERANCE
    moved: str = ""

    @property
    def agrees(self) -> bool:
        """Whether the column is as on record."""
        return self.largest <= self.tolerance

    def __str__(self) -> str:
        """Its line below HEADER."""
        verdict = "agrees" if self.agrees else f"differs: {self.moved}"
        return f"{self.figure:17}{self.column:17}{self.rows:6}  {self.largest:<12.1e}{self.tolerance:<11g}{verdict}"


def check(name: str) -> list[Verdict]:
    """Recompute a figure's table, quick, and compare it with the record, column by column."""
    return compare(name, data(name, quick=True), read_csv(_path(name)))


def compare(name: str, table: Table, record: Table) -> list[Verdict]:
    """A verdict for every column of the table or the record."""
    own, floors = (getattr(module(name), which, {}) for which in ("TOLERANCES", "FLOORS"))
    verdicts = []
    for column in dict.fromkeys([*table, *record]):
        off = _differences(table.get(column), record.get(column), floors.get(column, FLOOR))
        worst = int(off.argmax()) if len(off) else 0
        largest = float(off[worst]) if len(off) else 0.0
        moved = _moved(table, record, column, worst)
        found = name, column, len(table.get(column, ())), largest, own.get(column, TOLERANCE), moved
        verdicts.append(Verdict(*found))
    return verdicts


def record(name: str) -> Path:
    """Put the table of a figure, quick, on record: numbers to ten digits."""
    table = data(name, quick=True)
    short = Table({key: _shortened(column) for key, column in table.items()}, table.made_by)
    with write_beside(_path(name)) as partial:
        write_csv(partial, short)
    return _path(name)


def _path(name: str) -> Path:
    return EXPECTED / f"{name}.csv"


def _shortened(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.array([float(f"{value:.10g}") for value in column]) if column.dtype.kind == "f" else column


def _differences(now: npt.NDArray[Any] | None, then: npt.NDArray[Any] | None, floor: float) -> npt.NDArray[np.float64]:
    """Row by row; a single infinite one where the columns cannot be compared."""
    if now is None or then is None or len(now) != len(then) or now.dtype.kind != then.dtype.kind:
        return np.array([np.inf])
    if now.dtype.kind not in "fiub":
        return np.where(now == then, 0.0, np.inf)
    now, then = now.astype(float), then.astype(float)
    same = (now == then) | (np.isnan(now) & np.isnan(then))
    with np.errstate(invalid="ignore"):
        off = np.abs(now - then) / np.maximum(floor, np.abs(then))
    return np.where(same, 0.0, np.nan_to_num(off, nan=np.inf))


def _moved(table: Table, record: Table, column: str, row: int) -> str:
    """Where a column moved most, from what to what."""
    if column not in table or column not in record:
        return "only on record" if column in record else "not on record"
    if len(table[column]) != len(record[column]):
        return f"{len(record[column])} rows on record"
    words = (f"{name}={values[row]}" for name, values in table.items() if values.dtype.kind == "U" and name != column)
    return f"row {row} ({', '.join(words)}), {record[column][row]} on record, now {table[column][row]}"


def _main() -> None:
    for name in sys.argv[1:] or FIGURES:
        print(record(name))


if __name__ == "__main__":
    sys.exit(run(_main, debug=False))
