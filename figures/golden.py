"""Tables against those on record: ``expected/NAME.json`` holds what ``data(quick=True)`` gave.

``python -m figures --check`` compares; ``python -m figures.golden NAME...`` puts new numbers on record.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from derivations._shell import run, write_beside
from figures import FIGURES, module
from figures.table import Table

EXPECTED = Path(__file__).parent / "expected"
TOLERANCE = 1e-6  # absolute for numbers below one, relative above


HEADER = f"{'figure':12}{'column':12}{'rows':>6}  {'difference':11}verdict   (tolerance {TOLERANCE:g})"


class Verdict(NamedTuple):
    """One column of a figure's table against the record; `largest` is infinite where not even the rows agree."""

    figure: str
    column: str
    rows: int
    largest: float

    @property
    def agrees(self) -> bool:
        """Whether the column is as on record."""
        return self.largest <= TOLERANCE

    def __str__(self) -> str:
        """Its line below HEADER."""
        verdict = "agrees" if self.agrees else "differs"
        return f"{self.figure:12}{self.column:12}{self.rows:6}  {self.largest:<11.1e}{verdict}"


def check(name: str) -> list[Verdict]:
    """Recompute a figure's table, quick, and compare it with the record, column by column."""
    return compare(name, module(name).data(quick=True), json.loads(_path(name).read_text(encoding="utf-8")))


def compare(name: str, table: Table, record: dict[str, list[Any]]) -> list[Verdict]:
    """A verdict for every column of the table or the record."""
    return [
        Verdict(name, column, len(table.get(column, ())), _difference(table.get(column), record.get(column)))
        for column in dict.fromkeys([*table, *record])
    ]


def record(name: str) -> Path:
    """Put the table of a figure, quick, on record."""
    table = {key: _shortened(column) for key, column in module(name).data(quick=True).items()}
    with write_beside(_path(name)) as partial:
        partial.write_text(json.dumps(table, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    return _path(name)


def _path(name: str) -> Path:
    return EXPECTED / f"{name}.json"


def _shortened(column: npt.NDArray[Any]) -> list[Any]:
    """Numbers to ten digits, NaN as None."""
    if column.dtype.kind != "f":
        return column.tolist()
    return [None if np.isnan(value) else float(f"{value:.10g}") for value in column.tolist()]


def _difference(column: npt.NDArray[Any] | None, record: list[Any] | None) -> float:
    if column is None or record is None or len(column) != len(record):
        return np.inf
    if column.dtype.kind not in "fiub":
        return 0.0 if column.tolist() == record else np.inf
    now, then = column.astype(float), np.array(record, dtype=float)
    if not np.array_equal(np.isnan(now), np.isnan(then)):
        return np.inf
    return float(np.nanmax(np.abs(now - then) / np.maximum(1, np.abs(then)), initial=0.0))


def _main() -> None:
    for name in sys.argv[1:] or FIGURES:
        print(record(name))


if __name__ == "__main__":
    sys.exit(run(_main, debug=False))
