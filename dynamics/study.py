"""Any quantity over any grid of parameters: points are built and measured by threads, or by any executor."""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from hashlib import sha256
from numbers import Real
from pathlib import Path
from pickle import PicklingError
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from derivations import source_hash
from derivations._contents import contents, joined
from derivations._progress import progress_of
from derivations._shell import user_path, versions
from dynamics import moments
from dynamics.errors import accept, real_array
from dynamics.identity import identity
from dynamics.orphans import end_with_parent
from dynamics.system import System
from dynamics.table import Column, Row, Table, files_of, journal, write_rows

Grid = Mapping[str, npt.ArrayLike] | Sequence[Mapping[str, Any]]
Measure = Callable[[Any], Any] | Mapping[str, Callable[[Any], Any]]

TAKEN = {
    "grid",
    "points",
    "build",
    "measure",
    "equations",
    "versions",
    "files",
    "unknown",
    "apostrophes",
    "format",
    "hash",
    "kind",
}  # entries of the table
FIRST_WAITING = 32  # chunks of one point, sent before it is known how long a point takes
MOST_WAITING = 1024  # chunks that the executor holds at a time: enough for as many workers
MOST_POINTS = 100  # of a chunk
CHUNK_SECONDS = 0.25  # so long a chunk should take: far longer than it takes to send, short for who waits


def sweep(
    build: Callable[..., Any],
    grid: Grid,
    measure: Measure,
    out: str | Path | None = None,
    executor: Executor | None = None,
    *,
    made_by: Mapping[str, Any] | None = None,
) -> dict[str, Column]:
    """Measure what is built at every point of a grid.

    Parameters
    ----------
    build : callable
        ``build(**point)`` makes what is measured: a System, or anything else.
    grid : mapping of sequences, or sequence of mappings
        Parameter -> its values, numbers or words: the points are their product, the last parameter fastest. Or the
        points themselves, each parameter -> value.
    measure : callable, or mapping of callables
        Of what is built: returns a number, in a column named as the function ("value" for a lambda), or a mapping
        column -> number. A mapping column -> callable measures each.
    out : str or Path, optional
        A ``.csv`` file for the table, its last column what made it. Rows go to a journal beside it,
        ``.csv.part``, as they come; the same call after a kill measures only what is missing, and the file is the
        same to the byte. Once it is whole the same call reads it back.
    executor : concurrent.futures.Executor, optional
        What runs the points, left open: processes, ``client.get_executor()`` of ``dask.distributed``,
        ``mpi4py.futures``. By default threads, one for every core.
    made_by : mapping, optional
        More that `out` is to say of what made it, as JSON can hold it; the same study has the same.

    Returns
    -------
    dict of (n,) arrays
        Column -> values, a row for every point in the order of the grid: the parameters, what was measured, and
        "error": where building or measuring raised a ValueError or RuntimeError its message, beside NaN; else empty.

    Raises
    ------
    ValueError
        For a bad argument; for functions that the executor cannot send; or if `out` or its journal is of another study:
        other points, equations, versions, files, `build` or `measure`.
    Exception
        Any other that `build` or `measure` raises, at once. The rows that are done stay in the journal.

    Notes
    -----
    `build` and `measure` are known by their code and by all that they hold: arguments, objects, globals, functions of
    the user's modules. Words and paths in them that name files stand for what these hold; so do those in the grid, also
    with a folder, a beginning or an end that the functions hold, and those in `made_by`; these two may name folders.
    Files that were not there when the study began are no part of it. Libraries are known by their versions. Where
    something cannot be known, such as a generator, a lock or what ``eval`` finds, a UserWarning says what, and every
    point is measured anew, whatever `out` holds.
    """
    accept(callable(build), "build", build, "a function of the parameters")
    parameters, described = points_of(grid)
    table = Table(parameters, _names(measure, [*parameters, "error"]))
    named = out is None or (isinstance(out, (str, Path)) and Path(out).suffix == ".csv")
    accept(named, "out", out, "a file name ending in .csv")
    sends = executor is None or isinstance(executor, Executor)
    accept(sends, "executor", executor, "a concurrent.futures.Executor")
    known = made_by is None or (isinstance(made_by, Mapping) and not TAKEN & made_by.keys())
    accept(known, "made_by", made_by, f"a mapping that JSON can hold, without {', '.join(sorted(TAKEN))}")
    try:
        said = json.loads(json.dumps(dict(made_by or {})))
    except (TypeError, ValueError) as error:
        raise ValueError(f"made_by={made_by!r}: expected a mapping that JSON can hold ({error})") from error
    if out is None:
        _fill(table, build, measure, executor, lambda rows: None)
        return table.columns()

    out = user_path(out)
    partial = out.with_name(f"{out.name}.part")
    said |= {"grid": described, "points": len(table.done)}
    said |= _known(build, measure, (table.parameters, said), (out, partial))
    is_known = "unknown" not in said
    if out.exists():
        table.read(out, said)
        if is_known:
            return table.columns()
        table = Table(parameters, table.expected)
    if not is_known:
        what = "; ".join(said["unknown"])
        warnings.warn(f"out={str(out)!r}: every point is measured, as it is not known what {what}", stacklevel=2)
    with journal(partial, said, table, is_known) as file:
        _fill(table, build, measure, executor, lambda rows: write_rows(file, rows))
    table.write(out, said)
    partial.unlink(missing_ok=True)  # two may have written one file
    return table.columns()


def _known(build: Any, measure: Measure, data: Any, written: tuple[Path, ...]) -> dict[str, Any]:
    """What a table is known by, beside its grid; under "unknown" what of it cannot be known."""
    several = measure if isinstance(measure, Mapping) else {"": measure}
    functions = {"build": identity(build)}
    functions |= {f"measure[{name!r}]" if name else "measure": identity(one) for name, one in several.items()}
    held = {word for one in functions.values() for word in one.words}
    parameters = (value for column in data[0].values() for value in column.tolist())
    files = contents({*held, *joined(parameters, held)}, identity(data).words, written)
    if (before := files_of(*written)) is not None:
        files = {name: digest for name, digest in files.items() if name in before}
    unknown = [f"{name} holds: {', '.join(one.unknown)}" for name, one in functions.items() if one.unknown]
    unknown += [f"{word!r} holds" for word, digest in files.items() if digest is None]
    first, *others = (one.text for one in functions.values())
    return {
        "build": first,
        "measure": dict(zip(several, others, strict=True)) if isinstance(measure, Mapping) else others[0],
        "equations": source_hash(),
        "versions": {name: version for name, version in versions().items() if name != "matplotlib"},
        **({"files": files} if files else {}),
        **({"unknown": unknown} if unknown else {}),
    }


def points_of(grid: Any) -> tuple[dict[str, Column], dict[str, Any]]:
    """A column for every parameter with a row for every point, and the grid as a header tells it."""
    expected = "parameter -> values, or a list of points, each parameter -> value"
    if isinstance(grid, Mapping):
        accept(len(grid) > 0, "grid", grid, expected)
        axes = {name: _column(name, values) for name, values in grid.items()}
        product = np.meshgrid(*axes.values(), indexing="ij")
        columns = {name: on.ravel() for name, on in zip(axes, product, strict=True)}
        return columns, {name: axis.tolist() for name, axis in axes.items()}
    listed = isinstance(grid, Sequence) and len(grid) > 0 and all(isinstance(point, Mapping) for point in grid)
    accept(listed and len(grid[0]) > 0, "grid", grid, expected)
    for i, point in enumerate(grid):
        accept(point.keys() == grid[0].keys(), f"grid[{i}]", point, f"values of {', '.join(map(str, grid[0]))}")
    columns = {name: _column(name, [point[name] for point in grid]) for name in grid[0]}
    digests = {name: sha256(repr(column.tolist()).encode()).hexdigest() for name, column in columns.items()}
    return columns, {name: f"sha256 {digest[:16]}" for name, digest in digests.items()}


def _column(name: Any, values: Any) -> Column:
    """The values of a parameter."""
    accept(isinstance(name, str) and name.isidentifier() and name != "error", "grid", name, "names of parameters")
    given = list(values) if isinstance(values, Iterable) and not isinstance(values, str) else []
    words = all(isinstance(value, str) and (value.isprintable() or not value) for value in given)
    numbers = all(isinstance(value, (Real, np.bool_)) for value in given)
    column = np.asarray(given) if words or numbers else np.empty(0)
    accept(len(column) > 0 and column.dtype.kind in "biufU", f"grid[{name!r}]", values, "numbers, or words of one line")
    return column


def _names(measure: Any, taken: Sequence[str]) -> tuple[str, ...]:
    """Columns that `measure` is expected to fill."""
    if not isinstance(measure, Mapping):
        accept(callable(measure), "measure", measure, "a function of what is built, or column -> function")
        return (_label(measure),)
    accept(len(measure) > 0, "measure", measure, "a function of what is built, or column -> function")
    for name, function in measure.items():
        accept(callable(function), f"measure[{name!r}]", function, "a function of what is built")
        accept(isinstance(name, str) and name not in taken, "measure", name, f"names beside {', '.join(taken)}")
    return tuple(measure)


def _label(function: Callable[[Any], Any]) -> str:
    name = str(getattr(function, "__name__", ""))
    return name if name.isidentifier() else "value"


def _fill(
    table: Table,
    build: Callable[..., Any],
    measure: Measure,
    executor: Executor | None,
    keep: Callable[[list[Row]], None],
) -> None:
    """Measure the points that are not done; `keep` gets their rows as they come."""
    done = int(table.done.sum())
    with ExitStack() as stack:
        bar = stack.enter_context(progress_of(None, "sweep", len(table.done), unit=" points", initial=done))
        pool = stack.enter_context(ThreadPoolExecutor(_cores()) if executor is None else nullcontext(executor))

        def take(rows: list[Row]) -> None:
            for row in rows:
                table.add(row)
            keep(rows)
            bar.update(len(rows))

        _run(pool, build, measure, table, take)


def _cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _run(
    pool: Executor, build: Callable[..., Any], measure: Measure, table: Table, take: Callable[[list[Row]], None]
) -> None:
    """Send the missing points in chunks, a bounded number at a time, and take their rows as they come."""
    missing, first, size, most = np.flatnonzero(~table.done), 0, 1, FIRST_WAITING
    waiting: set[Future[tuple[list[Row], float]]] = set()
    arrived: SimpleQueue[Future[tuple[list[Row], float]]] = SimpleQueue()
    try:
        while first < len(missing) or waiting:
            while first < len(missing) and len(waiting) < most:
                chunk = missing[first : first + size]
                points = {name: column[chunk].tolist() for name, column in table.parameters.items()}
                future = pool.submit(measured_rows, build, measure, chunk.tolist(), points, os.getpid())
                waiting.add(future)
                future.add_done_callback(arrived.put)
                first += size
            most = min(2 * most, MOST_WAITING)
            try:
                future = arrived.get(timeout=CHUNK_SECONDS)
            except Empty:  # points take long, or workers are still starting: send to more of them
                continue
            waiting.remove(future)
            rows, seconds = future.result()
            take(rows)
            size = int(min(max(CHUNK_SECONDS * len(rows) / (seconds + 1e-9), 1), MOST_POINTS))
    except (PicklingError, AttributeError, TypeError) as error:
        said = " ".join(str(error).split())
        if not any(word in said for word in ("pickle", "serialize", "get local object")):  # the last is Python 3.13's
            raise
        raise ValueError(f"build, measure: expected functions that the executor can send ({said[:200]})") from error
    finally:
        for future in [future for future in waiting if not future.cancel()]:
            if future.done() and not future.exception():
                take(future.result()[0])


def measured_rows(
    build: Callable[..., Any], measure: Measure, indices: list[int], points: dict[str, list[Any]], sender: int
) -> tuple[list[Row], float]:
    """Rows of some points, and the seconds they took: what a worker runs, in the process that sends or in another."""
    if os.getpid() != sender:
        end_with_parent()
    started = time.perf_counter()
    built = [_or_error(build, dict(zip(points, values, strict=True))) for values in zip(*points.values(), strict=True)]
    measures = measure.values() if isinstance(measure, Mapping) else [measure]
    if any(one in moments.OF_MOMENTS for one in measures):
        _or_error(moments.remember, {"systems": [system for system, _ in built if isinstance(system, System)]})
    rows = []
    for index, (made, error) in zip(indices, built, strict=True):
        values, error = (None, error) if error else _or_error(_measured, {"measure": measure, "built": made})
        rows.append((index, values or {}, error))
    return rows, time.perf_counter() - started


def _or_error(function: Callable[..., Any], given: Mapping[str, Any]) -> tuple[Any, str]:
    """What a function returns, or the error that it raises in words."""
    try:
        return function(**given), ""
    except (ValueError, RuntimeError) as error:
        return None, " ".join(str(error).split()) or type(error).__name__


def _measured(measure: Measure, built: Any) -> dict[str, float]:
    """Column -> number."""
    if isinstance(measure, Mapping):
        return {name: _number(function(built)) for name, function in measure.items()}
    value = measure(built)
    if isinstance(value, Mapping):
        return {name: _number(one) for name, one in value.items()}
    return {_label(measure): _number(value)}


def _number(value: Any) -> float:
    number = real_array(value)
    if number.shape != ():
        raise TypeError(f"measure: expected a number, or column -> number, got {value!r}")
    return float(number)
