"""What the commands of ``python -m dynamics`` do, from the values of their options."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

import dynamics as dy
from derivations._shell import is_there, nearest, read_text, user_path
from dynamics.errors import MOST_THREADS, accept, real_array, whole_number
from dynamics.laws import Law, interval
from dynamics.options import EQUATIONS, GEOMETRIES, GEOMETRY, LEADING, SETTING, Values, value_of
from dynamics.orphans import end_with_parent
from dynamics.study import points_of
from dynamics.system import System
from dynamics.table import Column
from dynamics.training import Training

MEASURES: dict[str, Callable[[System], float]] = {
    "log_half_time": dy.log_half_time,
    "half_time": dy.half_time,
    "half_time_exponent": dy.half_time_exponent,
    "plateau": dy.plateau,
    "pp_exponent": dy.pp_exponent,
}


def measure(function: Callable[[System], float]) -> Callable[[System], float]:
    """Register what a sweep can measure."""
    MEASURES[function.__name__] = function
    return function


@measure
def information_gap(system: System) -> float:
    """Δ of the setting."""
    return system.setting.information_gap


@measure
def loss_floor(system: System) -> float:
    """L* of the setting."""
    return system.setting.loss_floor


def curve(command: str, given: Values) -> dy.Trajectory:
    """The flow, the descent or the training that is asked for."""
    return {"integrate": flow, "phases": flow, "descend": descent, "train": training}[command](given)


def flow(given: Values) -> dy.Trajectory:
    """A gradient flow, with a bar while it is solved."""
    return _call(dy.integrate, _begun(given), "system", system_of(given), progress=True)


def descent(given: Values) -> dy.Trajectory:
    """A descent of the reduced system."""
    return _call(dy.descend, _begun(given), "system", system_of(given))


def _begun(given: Values) -> Values:
    """With the trajectory that it goes on from, where there is one."""
    return {**given, "start": dy.load(given["start"])} if "start" in given else given


def training(given: Values) -> dy.Trajectory:
    """Curves of one query in a training of the transformer."""
    return _trained(model_of(given), given)


def descent_and_training(given: Values) -> tuple[dy.Trajectory, dy.Trajectory]:
    """A descent, and the training that it stands for; whatever is wrong with one is said before the other is made."""
    system, model = system_of(given), model_of(given)
    trained = _trained(model, given)
    return _call(dy.descend, given, "system", system), trained


def model_of(given: Values) -> dy.FiniteTransformer:
    """The transformer."""
    setting = setting_of(given)
    query: Any = given.get("query")
    setting.geometry.class_of(query)  # or it says what is wrong, before anything is trained
    model: dy.FiniteTransformer = _call(dy.FiniteTransformer, given, "setting", setting)
    return model


def _trained(model: dy.FiniteTransformer, given: Values) -> dy.Trajectory:
    training: Training = _call(dy.FiniteTransformer.train, given, "self", model, progress=True)
    return training.of(given["query"])


def system_of(given: Values) -> System:
    """The system of a query."""
    return _call(dy.reduce, given, "setting", setting_of(given))


def setting_of(given: Values) -> dy.Setting:
    """The setting."""
    values = {**given, "latent": _law(given["latent"])} if "latent" in given else given
    return _call(dy.Setting, values, "geometry", geometry_of(given))


def geometry_of(given: Values) -> dy.Geometry:
    """The geometry that a leading argument says."""
    flags = ", ".join(f"--{name.replace('_', '-')}" for name in LEADING)
    leading = [name for name in LEADING if name in given]
    accept(len(leading) == 1, "geometry", ", ".join(leading) or None, f"one of {flags}")
    kind = LEADING[leading[0]]
    for name in GEOMETRY:
        leads = [names[0] for names in GEOMETRIES.values() if name in names]
        accept(name not in given or leading[0] in leads, name, given.get(name), f"with {' or '.join(leads)}")
    values = given | {option: _numbers(option, given[option]) for option in ("labels", "maps") if option in given}
    return _call(getattr(dy.Geometry, kind), values)


def _call(function: Callable[..., Any], given: Values, first: str = "", value: Any = None, **more: Any) -> Any:
    """A function of the API on the values that are its arguments; errors name them as they were given."""
    parameters = [one for one in inspect.signature(function).parameters.values() if one.name != first]
    names = {one.name: _name(function, one.name) for one in parameters}
    chosen = {one.name: given.get(names[one.name]) for one in parameters if names[one.name] in given or _needed(one)}
    with _named({name: key for name, key in names.items() if name != key}):
        return function(*([value] if first else []), **chosen | more)


def _needed(parameter: inspect.Parameter) -> bool:
    return parameter.default is inspect.Parameter.empty


def _name(function: Callable[..., Any], parameter: str) -> str:
    """What the option is called that a parameter is given by."""
    if function is dy.reduce and f"reduce_{parameter}" in EQUATIONS:
        return f"reduce_{parameter}"
    return "image_seed" if function == dy.Geometry.from_image and parameter == "seed" else parameter


@contextmanager
def _named(keys: Mapping[str, str]) -> Iterator[None]:
    """Errors that begin with the name of a parameter begin with that of its option."""
    try:
        yield
    except ValueError as error:
        name, separator, rest = str(error).partition("=")
        if separator and name in keys:
            raise ValueError(f"{keys[name]}={rest}") from error
        raise


def _law(given: Any) -> Any:
    """A latent: as it stands, or the law that words such as "uniform:0.5:1.5" or "beta(a=2, b=3)" say."""
    given = value_of(given) if isinstance(given, str) else given  # a list of words may have numbers among them
    if not isinstance(given, str):
        return given
    from scipy import stats

    laws = [name for name in dir(stats) if isinstance(getattr(stats, name), (stats.rv_continuous, stats.rv_discrete))]
    name, *ends = (part.strip() for part in re.split("[(:]", given))
    words = "a law of scipy.stats and its numbers, such as uniform:0.5:1.5 or 'beta(a=2, b=3)'"
    expected = f"{words}{nearest(name, laws)}"
    if ":" in given:
        accept(name == "uniform" and len(ends) == 2, "latent", given, expected)
        with _named({"low": f"latent={given!r}: low", "high": f"latent={given!r}: high"}):
            return dy.Law.uniform(value_of(ends[0]), value_of(ends[1]))
    accept(name in laws, "latent", given, expected)
    kind = getattr(stats, name)
    try:
        body = ast.parse(given.strip(), mode="eval").body
        assert isinstance(body, ast.Call)
        assert isinstance(body.func, ast.Name)
        numbers = [ast.literal_eval(one) for one in body.args]
        named = {str(one.arg): ast.literal_eval(one.value) for one in body.keywords}
        law = kind(*numbers, **named)
        support = real_array(law.support())
        assert support.shape == (2,)
        assert not np.isnan(support).any()
    except (ValueError, TypeError, ArithmeticError, SyntaxError, AssertionError, RecursionError, MemoryError) as error:
        raise ValueError(f"latent={given!r}: expected {expected}") from error
    if len(numbers) > kind.numargs:
        accept(False, "latent", given, _by_name(kind, numbers, named, interval(*support.tolist())))
    return law


def _by_name(kind: Any, numbers: list[Any], named: Values, support: str) -> str:
    """What to write instead of numbers that SciPy takes for loc and scale."""
    shapes, moved = numbers[: kind.numargs], dict(zip(("loc", "scale"), numbers[kind.numargs :], strict=False))
    said = [f"{name}={value}" for name, value in moved.items()]
    call = ", ".join([*map(str, shapes), *(f"{name}={value}" for name, value in named.items()), *said])
    between = ""
    if kind.name == "uniform" and len(numbers) == 2 and numbers[0] < numbers[1]:
        between = "uniform:{0}:{1} for [{0}, {1}], or ".format(*numbers)
    return f"loc and scale by name; SciPy takes {', '.join(said)}: write {between}'{kind.name}({call})' for {support}"


def _numbers(option: str, given: Any) -> Any:
    """Labels or maps: as they stand; of a text, the numbers in that file, or the list that it is."""
    if not isinstance(given, str):
        return given
    path = user_path(given)
    if not is_there(path) and (listed := _listed(given)):
        return listed
    try:
        text = read_text(path).strip()
        if text.startswith("["):
            return json.loads(text)
        maps = [[_row(line) for line in lines.splitlines() if line.strip()] for lines in re.split(r"\n\s*\n", text)]
        return maps if option == "maps" else [row for rows in maps for row in rows]
    except (OSError, ValueError, RecursionError) as error:
        said = getattr(error, "strerror", None) or error
        lines = {"labels": "cluster", "maps": "row of the grid, an empty line between clusters"}
        expected = f"a text file of whole numbers, a line for each {lines[option]}, or these as [[0,0,1],[0,1,1]]"
        raise ValueError(f"{option}={given!r}: expected {expected}: {said}") from error


def _row(line: str) -> list[float]:
    return [float(one) for one in line.replace(",", " ").replace(";", " ").split()]


def _listed(text: str) -> list[Any] | None:
    """The list that a text is in JSON, its outer brackets left out or not."""
    for form in (text, f"[{text}]"):
        try:
            found = json.loads(form)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, list) and (len(found) > 1 or form == text):
            return found
    return None


def study(given: Values) -> Values:
    """A sweep: what is the same at every point, over what, and what is measured; checked, and as JSON holds it."""
    over: Any = given.get("over")
    asked, workers = given.get("measure", "log_half_time"), given.get("workers")
    accept(isinstance(over, dict) and len(over) > 0, "over", over, "--over NAME=VALUES, or a table [over] in the file")
    swept = (*GEOMETRY, *SETTING, *EQUATIONS)
    for name in over:
        accept(name in swept, "over", name, f"an option of geometry, setting or equations{nearest(name, swept)}")
    with _named({f"grid[{name!r}]": f"over {name}" for name in over}):
        points_of(over)  # or it says what is wrong
    names = asked if isinstance(asked, list) else [asked]
    for name in names:
        expected = f"{', '.join(MEASURES)}{nearest(name, MEASURES)}"
        accept(isinstance(name, str) and name in MEASURES, "measure", name, f"some of {expected}")
    if workers is not None:
        whole_number("workers", workers, 1, MOST_THREADS)
    base = {name: value for name, value in given.items() if name in swept and name not in over}
    if not any(name in over for name in GEOMETRY) and "log10_patches" not in base:
        base = {name: value for name, value in base.items() if name not in GEOMETRY}
        base["labels"] = geometry_of(given).area_of.tolist()  # type: ignore[union-attr]
    law = {} if "latent" in over else {"law": f"latent {Law.of(_law(base.get('latent', 1.0))).told}"}
    return {"base": base, "over": over, "measure": list(dict.fromkeys(names)), **law}


def point(base: Values, **values: Any) -> System:
    """The system at a point of a sweep."""
    labels = base.get("labels")
    rows = {"grid": [1, len(labels[0])]} if isinstance(labels, list) else {}  # which ``study`` knows to be clusters
    return system_of(rows | base | values)


def table(asked: Values, out: Path | None, workers: int | None) -> dict[str, Column]:
    """The table of a study; a ValueError where there is no point of it."""
    build = partial(point, asked["base"])
    _some_point(build, asked["over"])
    measures = {name: MEASURES[name] for name in asked["measure"]}
    context = get_context("spawn")
    with nullcontext() if workers is None else ProcessPoolExecutor(workers, context, end_with_parent) as pool:
        return dy.sweep(build, asked["over"], measures, out, pool, made_by={"study": asked})


def _some_point(build: Callable[..., System], over: Values) -> None:
    """Build points until one can be built: where none can, the first says why."""
    first: ValueError | None = None
    columns = points_of(over)[0]
    for values in zip(*(column.tolist() for column in columns.values()), strict=True):
        try:
            build(**dict(zip(columns, values, strict=True)))
            return
        except ValueError as error:
            first = first or error
    if first:
        raise first


def phases_of(found: dy.Trajectory) -> dict[str, list[Any]]:
    """The phases of a curve, a row each."""
    columns: dict[str, list[Any]] = {
        name: [getattr(phase, name) for phase in found.phases]
        for name in ("name", "start", "end", "log_start", "log_end", "ended_by")
    }
    states = np.array([phase.state for phase in found.phases])
    return columns | {name: states[:, i].tolist() for i, name in enumerate(found.names)}


def largest_difference(first: Any, second: Any) -> tuple[float, float]:
    """Of two columns, as it is and relative to the largest number: 0 where they are the same to the bit."""
    a, b = np.asarray(first), np.asarray(second)
    if a.shape != b.shape:
        return np.inf, np.inf
    if a.dtype.kind in "OU" or b.dtype.kind in "OU":
        off = 0.0 if (a == b).all() else np.inf
        return off, off
    with np.errstate(invalid="ignore"):
        each = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(real_array(a) - real_array(b)))
    largest = float(np.where(np.isnan(each), np.inf, each).max(initial=0.0))
    size = float(np.abs(a[np.isfinite(a)]).max(initial=0.0))
    return largest, largest / size if size else largest
