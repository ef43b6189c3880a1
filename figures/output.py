"""A figure's table to CSV, and to PNG, PDF or SVG, each with what made it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib.style
from matplotlib.figure import Figure

import derivations
from derivations._shell import versions, write_beside, write_picture
from figures import module, parameters, style
from figures.table import Table, read_csv, write_csv


def compute(name: str, quick: bool, p: Any) -> Table:
    """The table of a figure with these parameters, and what made it."""
    made_by = provenance(name, quick, p)
    with _named(name, p):
        return Table(module(name).data(p), made_by)


def ink(table: Table, users: Mapping[str, Any] | None = None) -> Figure:
    """The figure of a table, in our style and what is the user's; needs no display, and no pyplot."""
    name = table.made_by.get("figure", "")
    drawn, p = module(name), parameters(name, **table.made_by.get("parameters", {}))
    with _named(name, p), matplotlib.style.context(["default", style.RC, dict(users or {})]):
        figure = Figure(figsize=drawn.SIZE, layout="constrained")
        drawn.draw(figure, table, p)
        if users and "text.color" in users:
            style.recolour(figure)
        figure.draw_without_rendering()  # while the style holds
    return figure


def write(name: str, quick: bool, out: Path, formats: Sequence[str], **changes: Any) -> list[Path]:
    """Draw a figure, its parameters changed, into a folder, all files or none; returns their paths.

    Its numbers are those of the table that lies there, if the same parameters, equations, code and versions made it.
    """
    p = parameters(name, quick, **changes)
    table = _stored(out / f"{name}.csv", provenance(name, quick, p)) or compute(name, quick, p)
    figure = ink(table)
    paths = [out / f"{name}.{suffix}" for suffix in (*formats, "csv")]
    with ExitStack() as files, matplotlib.style.context(["default", style.RC]):
        *pictures, numbers = (files.enter_context(write_beside(path)) for path in paths)
        for path, suffix in zip(pictures, formats, strict=True):
            write_picture(figure, path, f".{suffix}", name, table.made_by)
        write_csv(numbers, table)
        if hasattr(module(name), "markdown"):
            paths.append(out / f"{name}.md")
            files.enter_context(write_beside(paths[-1])).write_text(module(name).markdown(table), encoding="utf-8")
    return paths


def provenance(name: str, quick: bool, p: Any) -> dict[str, Any]:
    """What makes a table: its parameters, seeds among them, equations, code and versions; and what its columns are."""
    made_by = {
        "figure": name,
        "quick": quick,
        "parameters": p._asdict(),
        "equations": derivations.source_hash(),
        "code": _code(),
        "versions": versions(),
        "columns": module(name).COLUMNS,
    }
    read_back: dict[str, Any] = json.loads(json.dumps(made_by))
    return read_back


@cache
def _code() -> str:
    """Hash of the text of what computes the tables."""
    here = Path(__file__).parent
    sources = sorted([*(here.parent / "dynamics").glob("*.py"), *here.glob("*.py")])
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]


def _stored(path: Path, made_by: dict[str, Any]) -> Table | None:
    """The table in a file, if this made it."""
    try:
        table = read_csv(path)
    except (OSError, ValueError):
        return None
    return table if table.made_by == made_by else None


@contextmanager
def _named(name: str, p: Any) -> Iterator[None]:
    """Errors that parameters of a figure's own making lead to name those that are not its usual ones."""
    usual = [parameters(name, quick)._asdict() for quick in (False, True)]
    changed = ", ".join(
        f"{key}={value!r}" for key, value in p._asdict().items() if value not in [u[key] for u in usual]
    )
    try:
        yield
    except (ValueError, TypeError, IndexError, KeyError, ZeroDivisionError) as error:
        if not changed:
            raise
        raise ValueError(f"{name} cannot be had with {changed}: {error}") from error
