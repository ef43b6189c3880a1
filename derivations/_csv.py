"""CSV that spreadsheets and pandas open as it is, and that says what made it.

The first row names the columns. The last column, ``made_by``, holds a JSON object in its first cell and nothing below:
what made the file, the format, and a hash of that and of all other cells.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path
from threading import Lock
from types import SimpleNamespace
from typing import Any

from derivations._shell import FORMAT, accept_format, read_text, reading

MADE_BY = "made_by"
# A cell that begins so a spreadsheet runs as a formula; the last four are read as the first four in some countries.
_FORMULA = "=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"
_AS_TEXT = "'"  # before a word that begins like a formula, or like this
_GUARDED = "apostrophes"  # entry of a file in which some word has one
_LARGEST = 2**31 - 1  # characters in a cell: the labels of every patch may be in one
_ONE_AT_A_TIME = Lock()  # of several threads that read one at a time sets the limit of cells, which is the process's


def write(path: Path, columns: Mapping[str, Iterable[Any]], made_by: Mapping[str, Any]) -> None:
    """Write columns of equal length, of at least one row; a NaN is an empty cell.

    Words that a spreadsheet would take for formulas have an apostrophe before them, which ``read`` takes away.
    """
    lines: list[str] = []
    rows = [[*columns], *zip(*columns.values(), strict=True)]
    _writer(lines).writerows(map(_cell, row) for row in rows)
    guarded = {_GUARDED: True} if any(_is_guarded(one) for row in rows for one in row) else {}
    record = {**made_by, **guarded, "format": FORMAT}
    said = json.dumps({**record, "hash": _hash(lines, record)}).replace('"', '""')
    mark = "" if all(map(str.isascii, lines)) else "\ufeff"  # or spreadsheets take UTF-8 for something else
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(mark)
        file.writelines(f"{line[:-1]},{end}\n" for line, end in zip(lines, _last(f'"{said}"'), strict=False))


def read(path: Path, expected: str, argument: str = "path") -> tuple[dict[str, list[str]], dict[str, Any]]:
    """Cells of every column but the last, and what made them.

    Raises
    ------
    ValueError
        If the file is another, of a later format, or not as it was written: `argument`, and that `expected` is wanted.
    """
    with reading(argument, path, expected):
        try:
            with io.StringIO(read_text(path), newline="") as file, _any_size():
                (*names, last), *rows = csv.reader(file, strict=True)
            *columns, (cell, *_) = zip(*rows, strict=True)
            said = json.loads(cell)
            known = last == MADE_BY and isinstance(said, dict) and len(columns) == len(names)
        except (ValueError, IndexError, RecursionError, csv.Error):
            known = False
    refusal = f"{argument}={str(path)!r}: expected {expected}, whole and unchanged"
    if not known:
        raise ValueError(refusal)
    lines: list[str] = []
    _writer(lines).writerows([names, *zip(*columns, strict=True)])
    known, record = said.pop("hash", None), dict(said)
    accept_format(path, said)
    if known != _hash(lines, record):
        raise ValueError(refusal)
    mark = _AS_TEXT if said.pop(_GUARDED, False) else ""
    cells = ([one.removeprefix(mark) for one in column] for column in columns)
    return dict(zip([name.removeprefix(mark) for name in names], cells, strict=True)), said


def _is_guarded(value: Any) -> bool:
    return isinstance(value, str) and value.startswith((*_FORMULA, _AS_TEXT))


def _cell(value: Any) -> Any:
    """What a cell holds."""
    return f"{_AS_TEXT}{value}" if _is_guarded(value) else "" if value != value else value


def _writer(lines: list[str]) -> Any:
    """A writer that adds each row to a list, as a line."""
    return csv.writer(SimpleNamespace(write=lines.append), lineterminator="\n")


def _last(made_by: str) -> Iterator[str]:
    """Cells of the last column."""
    yield from (MADE_BY, made_by)
    yield from repeat("")


def _hash(lines: Sequence[str], record: Mapping[str, Any]) -> str:
    return hashlib.sha256("".join([*lines, json.dumps(record)]).encode()).hexdigest()[:16]


@contextmanager
def _any_size() -> Iterator[None]:
    """While cells of any size are read."""
    with _ONE_AT_A_TIME:
        before = csv.field_size_limit(_LARGEST)
        try:
            yield
        finally:
            csv.field_size_limit(before)
