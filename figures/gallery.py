"""The gallery in the repository: ``python -m figures.gallery`` draws every figure, small, and measures what it takes.

Each figure is computed in processes of its own, quick and in full, from a warm cache of kernels; time and memory go to
``expected/costs.json``, which ``python -m figures --list`` shows.
"""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from derivations._shell import run, write_beside
from figures import FIGURES, draw, module, read

if TYPE_CHECKING:
    from figures.table import Table

GALLERY = Path(__file__).parent / "gallery"
COSTS = Path(__file__).parent / "expected" / "costs.json"
DPI = 110
SIZES: dict[str, list[str]] = {"quick": ["--quick"], "full": []}  # in this order: the last is drawn


def make(out: Path) -> list[Path]:
    """Draw the gallery, its tables in a folder; returns its files."""
    measured = {name: {size: _cost(name, out, *flags) for size, flags in SIZES.items()} for name in FIGURES}
    with write_beside(COSTS) as partial:
        partial.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    tables = {name: read(out / f"{name}.csv") for name in FIGURES}
    return [*(_picture(table) for table in tables.values()), _page(tables)]


def _cost(name: str, out: Path, *flags: str) -> dict[str, float]:
    """Wall time and largest memory of the command that draws a figure, whose table is not there yet."""
    (out / f"{name}.csv").unlink(missing_ok=True)
    start = time.perf_counter()
    command = [sys.executable, "-m", "figures", name, "--out", str(out), "--format", "png", *flags]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)  # or it would be waited for again
    if status:
        raise RuntimeError(f"{' '.join(command)}: exit status {process.returncode}")
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return {"seconds": round(time.perf_counter() - start, 1), "megabytes": round(kilobytes / 1024)}


def _picture(table: Table) -> Path:
    """A figure at screen size, 256 colours; it says what made it."""
    from PIL import Image, PngImagePlugin

    path = GALLERY / f"{table.made_by['figure']}.png"
    said = PngImagePlugin.PngInfo()
    said.add_itxt("Description", json.dumps(table.made_by, ensure_ascii=False))
    with write_beside(path) as partial:
        draw(table).savefig(partial, dpi=DPI, format="png")
        with Image.open(partial) as picture:
            small = picture.convert("RGB").quantize(256)
        small.save(partial, "png", pnginfo=said, optimize=True)
    return path


def _page(tables: dict[str, Table]) -> Path:
    """The page that shows them."""
    lines = ["# Gallery", "", "Every figure of `python -m figures`, drawn by `python -m figures.gallery`.", ""]
    for name, table in tables.items():
        said = inspect.getdoc(module(name)) or ""
        lines += [f"## {name}", "", said, "", f"![{FIGURES[name]}]({name}.png)", ""]
        lines += [module(name).markdown(table)] if hasattr(module(name), "markdown") else []
    path = GALLERY / "README.md"
    with write_beside(path) as partial:
        partial.write_text("\n".join(lines), encoding="utf-8")
    return path


def costs(names: Sequence[str]) -> dict[str, dict[str, dict[str, float]]]:
    """Seconds and megabytes that each figure took, quick and in full, where the gallery was made."""
    found = json.loads(COSTS.read_text(encoding="utf-8"))
    return {name: found[name] for name in names}


def _main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        print(*make(Path(folder)), sep="\n")


if __name__ == "__main__":
    sys.exit(run(_main, debug=False))
