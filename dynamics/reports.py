"""What the commands of ``python -m dynamics`` print, write and draw; each returns its exit status."""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import dynamics as dy
from derivations import _csv, source_hash
from derivations._contents import contents
from derivations._shell import versions, write_beside, write_picture
from dynamics import commands
from dynamics.commands import largest_difference
from dynamics.comparison import accepted
from dynamics.drawn import put_beside
from dynamics.errors import accept
from dynamics.expectation import ROUNDING
from dynamics.files import columns
from dynamics.laws import label_of
from dynamics.options import Values
from dynamics.shown import Sheet, number
from dynamics.swept import draw_table, is_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Columns = Mapping[str, Any]
RTOL = 1e-9  # of half-times
CONSTANT = "latent 1"  # is not told: it is the default
WIDEST = 80  # characters of an entry that info shows


def curve(given: argparse.Namespace, values: Values) -> int:
    """A flow, a descent or a training."""
    found = _solved(given, lambda: commands.curve(given.command, values))
    _finish(given, found.sheet().text(), found.save, found.plot, found.provenance)
    return 0


def _solved(given: argparse.Namespace, solve: Callable[[], dy.Trajectory]) -> dy.Trajectory:
    """A curve; of one that failed, what there is of it is kept beside where it was to be."""
    try:
        return solve()
    except dy.IntegrationError as error:
        if given.out is None:
            raise
        kept = error.trajectory.save(given.out.with_stem(f"{given.out.stem}.failed"))
        raise RuntimeError(f"{error}; the curve so far is in {str(kept)!r}") from error


def phases(given: argparse.Namespace, values: Values) -> int:
    """The phases of a flow."""
    found = commands.curve("phases", values)
    rows = [
        (phase.name, *map(number, (phase.start, phase.end, phase.log_start, phase.log_end)), phase.ended_by)
        for phase in found.phases
    ]
    law = label_of(found.provenance)
    said = Sheet(law, ("phase", "from t", "to t", "from log t", "to log t", "ended by"), tuple(rows)).text()
    table, made_by = commands.phases_of(found), {"holds": "phases", "provenance": found.provenance}

    def draw(axes: Axes) -> None:
        found.plot(axes)
        for phase in found.phases[1:-1]:  # the first has its mark
            axes.axvline(phase.end if np.isfinite(found.t).all() else phase.log_end, color="0.6", linewidth=0.8)

    _finish(given, said, lambda path: _write(path, table, made_by), draw, made_by)
    return 0


def compare(given: argparse.Namespace, values: Values) -> int:
    """Two trajectories; status 1 where they differ by more than was to be expected."""
    tolerance = accepted(values["tolerance"]) if values.get("tolerance") is not None else None
    if given.files:
        accept(len(given.files) == 2, "FILE", [str(path) for path in given.files], "two trajectories")
        first, second = (dy.load(path) for path in given.files)
    else:
        first, second = commands.descent_and_training(values)
    verdict = dy.compare(first, second, tolerance)
    held_against = {"expected": verdict.note} if tolerance is None else {"tolerance": tolerance}
    made_by = {"holds": "comparison", "first": first.provenance, "second": second.provenance, **held_against}

    def draw(axes: Axes) -> None:
        first.plot(axes)
        second.plot(axes)

    _finish(given, str(verdict), lambda path: _write(path, _verdicts(verdict), made_by), draw, made_by)
    return 0 if verdict.agrees else 1


def _verdicts(verdict: Any) -> dict[str, list[Any]]:
    names = "coordinate", "largest", "final", "tolerance", "agrees"
    return {name: [getattr(row, name) for row in verdict.rows] for name in names}


def sweep(given: argparse.Namespace, values: Values) -> int:
    """A quantity over a grid."""
    asked = commands.study(values)
    numbers = [name for name, axis in asked["over"].items() if is_number(axis)]
    accept(given.plot is None or len(numbers) > 0, "plot", str(given.plot), "a parameter of numbers to draw against")
    table = commands.table(asked, given.out, values.get("workers"))
    rows = [] if given.out else [[*table], *zip(*(column.tolist() for column in table.values()), strict=True)]
    failed = sum(bool(error) for error in table["error"])
    said = f"{len(table['error'])} points" + (f", {failed} of them failed: see the column error" if failed else "")
    law = [asked["law"]] if asked.get("law", CONSTANT) != CONSTANT else []
    over, name = list(asked["over"]), asked["measure"][0]
    told = "\n".join([*law, *(" ".join(map(str, row)) for row in rows), said])
    _finish(given, told, lambda path: None, lambda axes: draw_table(axes, table, over, name), {"study": asked})
    return 0


def info(given: argparse.Namespace, values: Values) -> int:
    """What made a file, and with --rerun its numbers again; status 1 where they differ."""
    held, made_by, again = _opened(given.file)
    for name in ("out", "plot"):
        path = getattr(given, name)
        accept(path is None or given.rerun, name, str(path), "--rerun beside it")
    is_table = given.file.suffix == ".csv" and "kind" not in made_by
    accept(given.out is None or not is_table or given.out.suffix == ".csv", "out", str(given.out), "a .csv of a table")
    accept(given.plot is None or not is_table, "plot", str(given.plot), "a trajectory to draw")
    _tell(made_by)
    if not given.rerun:
        return 0
    found, save, draw = again()
    accept(list(found) == list(held), "FILE", str(given.file), f"the columns {', '.join(found)}")
    off = [largest_difference(held[name], found[name]) for name in found]
    largest, relative = (max(each) for each in zip(*off, strict=True))
    tolerance = 100 * made_by.get("provenance", made_by).get("rtol", RTOL if is_table else 1e-14)
    if largest == 0:
        said = "the same numbers, to the bit"
    elif relative <= tolerance:  # compiled code may round otherwise where it was just made, or on another processor
        said = f"the same numbers, to {relative:.1e} of the largest"
    else:
        said = "; ".join([f"differs by up to {largest:.3g}", *_changed(made_by)])
    _finish(given, f"made again: {said}", save, draw, made_by)
    return 0 if relative <= tolerance else 1


def _tell(made_by: Mapping[str, Any], within: str = "") -> None:
    """A line for every entry, long ones cut."""
    for key, value in made_by.items():
        if isinstance(value, dict):
            _tell(value, f"{within}{key}.")
            continue
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        print(f"{within + key:30} {text if len(text) <= WIDEST else text[:WIDEST] + ' ...'}")


def _changed(made_by: Mapping[str, Any]) -> Iterator[str]:
    """What is another here than where a file was made."""
    made = made_by.get("provenance", made_by.get("first", made_by))
    now = versions() | {"equations": source_hash()}
    then = made.get("versions", {}) | ({"equations": made["equations"]} if "equations" in made else {})
    yield from (f"{name} was {then[name]}, here {now[name]}" for name in then if then[name] != now.get(name))


def _opened(path: Path) -> tuple[Columns, Mapping[str, Any], Callable[[], tuple[Columns, Any, Any]]]:
    """Columns of a file, what made it, and what makes it again: columns, a way to write and a way to draw them."""
    if path.suffix != ".csv" or "kind" in (said := _csv.read(path, "a file of this package")[1]):
        curve = dy.load(path)

        def solved() -> tuple[Columns, Any, Any]:
            found = dy.rerun(curve)
            return columns(found), found.save, found.plot

        return columns(curve), curve.provenance, solved
    cells, _ = _csv.read(path, "a file of this package")

    def again() -> tuple[Columns, Any, Any]:
        found = _tabulated(path, said)
        here: dict[str, Any] = {"versions": {name: versions().get(name) for name in said.get("versions", ())}}
        here |= {"equations": source_hash()}
        made_by = {name: here.get(name, value) for name, value in said.items()}
        return _as_read(found), lambda out: _write(out, found, made_by), None

    return _as_read(cells), said, again


def _tabulated(path: Path, said: Mapping[str, Any]) -> Columns:
    """The table of phases, of a comparison or of a sweep, made again."""
    if isinstance(said.get("study"), dict) and {"base", "over", "measure"} <= said["study"].keys():
        held = contents((), said.get("files", {}), (path,))
        for name, digest in said.get("files", {}).items():
            accept(held.get(name) == digest, "FILE", str(path), f"{name!r} as it was: it is another file here, or gone")
        return commands.table(said["study"], None, None)
    if said.get("holds") == "phases":
        return commands.phases_of(dy.rerun(said["provenance"]))
    if said.get("holds") == "comparison":
        first, second = (dy.rerun(said[name]) for name in ("first", "second"))
        held_against = None if "expected" in said else said.get("tolerance", ROUNDING)  # as it was before 0.2
        return _verdicts(dy.compare(first, second, held_against))
    how = f"python -m figures {said['figure']}" if "figure" in said else "the script that made it"
    raise ValueError(f"FILE={str(path)!r}: expected a file of python -m dynamics or of Trajectory.save; use {how}")


def _as_read(table: Columns) -> Columns:
    """Columns as they are read from a file: numbers where every cell is one, else words."""
    return {name: _column([*column]) for name, column in table.items()}


def _column(cells: list[Any]) -> Any:
    try:
        return np.array([float(str(cell) or "nan") for cell in cells])
    except ValueError:
        return np.array([str(cell) for cell in cells])


def _write(path: Path, table: Columns, made_by: Mapping[str, Any]) -> None:
    with write_beside(path) as partial:
        _csv.write(partial, table, made_by)


def _finish(given: argparse.Namespace, said: str, save: Any, draw: Any, made_by: Mapping[str, Any]) -> None:
    """Write and draw what was asked for, and then say what came out: whatever becomes of that, the file is there."""
    if given.out is not None:
        save(given.out)
    if given.plot is not None:
        from matplotlib.figure import Figure
        from matplotlib.style import context

        style = context(["default", {"svg.hashsalt": "attention-dynamics"}])  # not the user's: the same file every time
        with warnings.catch_warnings(), style, write_beside(given.plot) as partial:
            warnings.simplefilter("ignore")
            figure = Figure(figsize=(5.0, 3.4), layout="constrained")
            axes = figure.subplots()
            draw(axes)
            if legend := axes.get_legend():
                put_beside(legend, figure, least=3.2)
            write_picture(figure, partial, given.plot.suffix, given.command, made_by)
    print(*(one for one in (said, given.out, given.plot) if one is not None), sep="\n")
