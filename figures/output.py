"""A figure's table to PNG, PDF and CSV, each with what made it."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import matplotlib.style
from matplotlib.figure import Figure

import derivations
from derivations._shell import versions, write_beside
from figures import module, style
from figures.table import Table, write_csv


def ink(name: str, table: Table) -> Figure:
    """The figure of a table; needs no display, and no pyplot."""
    drawn = module(name)
    with matplotlib.style.context(["default", style.RC]):
        figure = Figure(figsize=drawn.SIZE, layout="constrained")
        drawn.draw(figure, table)
        figure.canvas.draw()  # while the style holds
    return figure


def write(name: str, quick: bool, out: Path) -> list[Path]:
    """Compute and draw a figure into a folder, all three files or none; returns their paths."""
    table = module(name).data(quick)
    figure, made_by = ink(name, table), provenance(name, quick)
    text = json.dumps(made_by, ensure_ascii=False)
    title = f"attention-dynamics: {name}"
    paths = [out / f"{name}{suffix}" for suffix in (".png", ".pdf", ".csv")]
    with ExitStack() as files, matplotlib.style.context(["default", style.RC]):
        png, pdf, csv = (files.enter_context(write_beside(path)) for path in paths)
        figure.savefig(png, metadata={"Title": title, "Description": text})
        figure.savefig(pdf, metadata={"Title": title, "Subject": text, "CreationDate": None})
        write_csv(csv, table, made_by)
    return paths


def provenance(name: str, quick: bool) -> dict[str, Any]:
    """What makes a figure: its parameters, seeds among them, versions, and the hash of the equations."""
    return {
        "figure": name,
        "quick": quick,
        "parameters": module(name).parameters(quick)._asdict(),
        "equations": derivations.source_hash(),
        "versions": versions(),
    }
