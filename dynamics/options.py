"""The command line's options: the arguments of the API under their own names, from flags and from a TOML file.

Where two functions of one command share a name, that of ``reduce`` has the prefix ``reduce_``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from derivations._shell import is_there, nearest, read_text, user_path

Values = dict[str, Any]

# The leading argument of a geometry says which it is.
GEOMETRIES: dict[str, tuple[str, ...]] = {
    "single_cluster": ("global_size", "local_size", "local_areas"),
    "scaling": ("log10_patches", "kappa_c", "kappa_s", "areas"),
    "from_labels": ("labels", "grid"),
    "from_maps": ("maps",),
    "from_image": ("image", "grid", "areas", "image_seed"),
}
LEADING = {names[0]: kind for kind, names in GEOMETRIES.items()}
GEOMETRY = tuple(dict.fromkeys(name for names in GEOMETRIES.values() for name in names))
SETTING = ("latent", "mask_ratio", "cluster_weights")
EQUATIONS = ("query", "closure", "reduce_method", "reduce_rtol", "reduce_samples", "reduce_seed", "merge", "compiled")
FLOW = ("until", "t_end", "log_t_end", "method", "variable", "rtol", "atol", "t_eval", "start", "time_limit")
DESCENT = ("step_size", "steps", "every")
TRANSFORMER = ("samples", "seed", "dimension", "basis", "threads")
ENDS = ("t_end", "log_t_end")  # of which one is given

HELP: dict[str, tuple[str, str]] = {
    "global_size": ("N", "one cluster: patches of its global area"),
    "local_size": ("N", "patches of each of its local areas"),
    "local_areas": ("N", "how many local areas"),
    "log10_patches": ("X", "any P, by powers: log10 P"),
    "kappa_c": ("κ", "C_global = P^κ; none: there is no global area"),
    "kappa_s": ("κ", "C_local = P^κ"),
    "areas": ("N", "how many local areas of powers of P; of a picture, colour regions"),
    "labels": ("FILE", "area of every patch, a line a cluster; or the numbers themselves, as [[0,0,1],[0,1,1]]"),
    "maps": ("FILE", "area of every patch on the grid, a line a row, an empty line between clusters; or as JSON"),
    "grid": ("H,W", "rows and columns of patches"),
    "image": ("FILE", "areas of a picture as it is seen, alpha over white; without FILE, of one that Matplotlib ships"),
    "image_seed": ("N", "seed of the colour regions"),
    "latent": (
        "LAW",
        "a number, [[values],[weights]], uniform:LOW:HIGH, or a law of scipy.stats as 'beta(a=2, b=3)'; 1 by default",
    ),
    "mask_ratio": ("γ", "part of the patches that is masked; 0.5 by default"),
    "cluster_weights": ("π,...", "probability of each cluster; equal by default"),
    "query": ("p", "the masked query: local, global or a patch"),
    "closure": ("NAME", "exact, sampled, mean-field or second-order; exact by default"),
    "reduce_method": ("NAME", "how the exact mean is taken: auto, enumeration, conditional or integral"),
    "reduce_rtol": ("X", "tolerance of that mean"),
    "reduce_samples": ("N", "samples of the sampled closure"),
    "reduce_seed": ("N", "their seed"),
    "merge": ("BOOL", "whether equal correlations share a coordinate; true by default"),
    "compiled": ("BOOL", "whether to compile; by default where it pays"),
    "until": ("GROUP,X[,z]", "stop where the attention on a group gets to X, where the target shows z"),
    "t_end": ("T", "last time"),
    "log_t_end": ("X", "its logarithm instead"),
    "method": ("NAME", "RK45, RK23, DOP853, Radau, BDF, LSODA or compiled; DOP853 by default"),
    "variable": ("NAME", "what is stepped in: auto, time, log-time or arc-length"),
    "rtol": ("X", "relative tolerance of the solver"),
    "atol": ("X", "absolute tolerance of the solver"),
    "t_eval": ("t,...", "times that are recorded, or START:STOP:N; by default the solver's steps"),
    "start": ("FILE", "go on from the end of this trajectory"),
    "time_limit": ("S", "seconds after which a solve is given up"),
    "step_size": ("η", "step size"),
    "steps": ("N", "how many steps"),
    "every": ("N", "record every so many steps"),
    "samples": ("N", "samples of each gradient; by default the population is enumerated"),
    "seed": ("N", "seed of basis and samples"),
    "dimension": ("d", "dimension of the embedding"),
    "basis": ("NAME", "random or coordinates"),
    "threads": ("N", "threads that share the samples"),
    "tolerance": ("X", "largest difference that counts as agreement; by default what is to be expected by the records"),
    "measure": (
        "NAME,...",
        "log_half_time (by default), half_time, half_time_exponent, plateau, pp_exponent, information_gap, loss_floor",
    ),
    "workers": ("N", "processes that share the points; by default threads do"),
}
PATHS = ("image", "start", "labels", "maps")  # what they say is taken as it is: a path may hold any sign
FILES = ("out", "plot")
SWITCHES = ("merge", "compiled")  # the only ones that are true or false
RANGE = "start", "stop", "n", "log"  # entries of a table that stands for a range
MANY = "NAME=VALUE,VALUE,... or NAME=START:STOP:N[:log]"


def from_flags(given: Mapping[str, Any]) -> Values:
    """The values of flags, read from their texts."""
    texts = {
        name: "--" if isinstance(text, list) else text for name, text in given.items() if name in HELP
    }  # argparse's
    values: Values = {name: text if text is None else _meant(name, text) for name, text in texts.items()}
    for text in given.get("over") or ():
        over = values.setdefault("over", {})
        name, _, rest = text.partition("=")
        key = name.replace("-", "_")
        if not (key and rest):
            raise ValueError(f"over={text!r}: expected {MANY}")
        if key in over or key in texts:
            also = "to --over twice" if key in over else f"to --{name} too"
            raise ValueError(f"over={text!r}: expected {key} once, but it is given {also}")
        over[key] = _axis(key, rest)
    return values


def _meant(name: str, text: str) -> Any:
    """What the text of an option means."""
    return text if name in (*PATHS, *FILES) else value_of(text)


def _axis(name: str, given: Any) -> list[Any]:
    """Values of an option that a sweep goes over: those that a text names, or those of a file."""
    if name in PATHS and isinstance(given, str):
        given = [given] if is_there(user_path(given)) else _words(given)
    value = _meant(name, given) if isinstance(given, str) else given
    values = value if isinstance(value, list) else [value]
    if not values or "" in values:
        raise ValueError(f"over {name}={given!r}: expected some values, none of them empty")
    if name == "latent" and any(isinstance(one, str) for one in values):  # a grid has words or numbers
        return [one if isinstance(one, str) else json.dumps(one) for one in values]
    return values


def _words(text: str) -> list[Any]:
    """Names with commas between, or a list of JSON where there are commas in them."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, list) else text.split(",")


def value_of(text: str) -> Any:
    """What a flag's text means: a number, JSON, START:STOP:N[:log], values with commas between, or a word."""
    for meaning in (int, float, json.loads):
        try:
            return meaning(text)
        except (ValueError, RecursionError):
            continue
    if text.lower() in ("none", "true", "false"):
        return {"none": None, "true": True, "false": False}[text.lower()]
    parts = _between_commas(text)
    if len(parts) > 1:
        return [value_of(part.strip()) for part in parts]
    ends = text.split(":")
    if len(ends) in (3, 4) and all(map(_is_number, ends[:3])):
        return _range(f"range={text!r}", *map(value_of, ends[:3]), *ends[3:])
    return text


def _between_commas(text: str) -> list[str]:
    """The parts of a text; a comma within brackets, as those of a law, divides nothing."""
    parts, depth = [""], 0
    for sign in text:
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _range(said: str, start: Any, stop: Any, n: Any, log: Any = False) -> Any:
    """So many numbers from start to stop, both among them, whole ones if they can be; `log`: their ratios are equal."""
    import numpy as np

    whole = type(n) is int and 1 <= n <= 10**7
    numbers = all(type(end) in (int, float) and abs(end) <= sys.float_info.max for end in (start, stop))
    positive = log is False or ((log is True or log == "log") and numbers and start > 0 and stop > 0)
    if not (numbers and positive and whole):
        raise ValueError(f"{said}: expected START:STOP:N, or START:STOP:N:log with both ends > 0")
    found = (np.geomspace if log else np.linspace)(start, stop, n).tolist()
    between = type(start) is type(stop) is int and not log and all(map(float.is_integer, found))
    return [*map(int, found)] if between else found


def from_file(path: Path, known: Iterable[str]) -> Values:
    """The values in a TOML file, by the names of the flags; those that only other commands have are left out.

    Every name means the same in every command: `samples` and `seed` are the transformer's, `rtol` and `method` the
    solver's.
    """
    import tomllib

    known = {*known, *FILES}
    try:
        given = tomllib.loads(read_text(path))
    except (OSError, ValueError, RecursionError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise ValueError(f"config={str(path)!r}: expected a TOML file: {said}") from error
    values = {}
    for key, value in _by_name(given).items():
        if key not in known | {*HELP, "over"}:
            raise ValueError(f"{key}={value!r}: expected a name that has a flag{nearest(key, [*HELP, 'over'])}")
        if key in known:
            values[key] = _table(value) if key == "over" else _read(key, value)
    if values.get("closure") == "sampled":
        for name in {"samples", "seed"} & given.keys():
            raise ValueError(f"{name}={given[name]!r}: expected reduce_{name} in a file, where closure='sampled'")
    return values


def _by_name(given: Mapping[str, Any], within: str = "") -> Values:
    """The entries of a table by the names of the API, which may be spelt as flags are."""
    values: Values = {}
    for name, value in given.items():
        key = name.replace("-", "_")
        if key in values:
            raise ValueError(f"{within}{name}={value!r}: expected {key} once, but it is there in two spellings")
        values[key] = value
    return values


def _table(over: Any) -> Any:
    """What a sweep goes over: for every name values, or a range as ``{start = 0.5, stop = 2, n = 50}``."""
    if not isinstance(over, dict):
        raise ValueError(f"over={over!r}: expected a table [over], NAME = values")
    axes: Values = {}
    for key, given in _by_name(over, "over ").items():
        if isinstance(given, dict):
            if not set(RANGE[:3]) <= given.keys() <= set(RANGE):
                raise ValueError(f"over {key}={given!r}: expected values, or a range {{start = 0.5, stop = 2, n = 50}}")
            axes[key] = _range(f"over {key}={given!r}", **given)
        else:
            axes[key] = _axis(key, _read(key, given, "over "))
    return axes


def _read(key: str, value: Any, within: str = "") -> Any:
    """A value of a file, where a text means what that of a flag does; a ValueError for what no flag could give."""
    if isinstance(value, list) and value:
        return [_read(key, one, within) for one in value]
    if not isinstance(value, (str, int, float)) or (isinstance(value, bool) and key not in SWITCHES):
        kind = {dict: "a table", list: "an empty list", bool: "true or false"}.get(
            type(value), f"a {type(value).__name__}"
        )
        raise ValueError(f"{within}{key}={value!r}: expected a number, a text or a list of these, found {kind}")
    return _meant(key, value) if isinstance(value, str) else value


def merged(config: Values, flags: Values) -> Values:
    """Both, where flags win: over the geometry of the file, if they lead to another, and over its end."""
    leads = {kind for name, kind in LEADING.items() if name in flags}
    given = {name: value for name, value in config.items() if not leads or LEADING.get(name, *leads) in leads}
    if len(leads) == 1:
        own = GEOMETRIES[next(iter(leads))]
        given = {name: value for name, value in given.items() if name in own or name not in GEOMETRY}
    if any(name in flags for name in ENDS):
        given = {name: value for name, value in given.items() if name not in ENDS}
    if isinstance(given.get("over"), dict) and "over" in flags:
        flags = flags | {"over": given["over"] | flags["over"]}
    return given | flags
