"""The command line's options: the arguments of the API under their own names, from flags and from a TOML file.

Where two functions of one command share a name, that of ``reduce`` has the prefix ``reduce_``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from derivations._shell import nearest

Values = dict[str, Any]

# The leading argument of a geometry says which it is.
GEOMETRIES: dict[str, tuple[str, ...]] = {
    "single_cluster": ("global_size", "local_size", "local_areas"),
    "scaling": ("log10_patches", "kappa_c", "kappa_s", "areas"),
    "from_labels": ("labels", "grid"),
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
    "grid": ("H,W", "rows and columns of patches"),
    "image": ("FILE", "areas of a picture; without FILE, of the photograph that Matplotlib ships"),
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
    "tolerance": ("X", "largest difference that counts as agreement; 1e-12 by default"),
    "measure": (
        "NAME,...",
        "half_time (log T, by default), half_time_exponent, plateau, pp_exponent, information_gap or loss_floor",
    ),
    "workers": ("N", "processes that share the points; by default threads do"),
}
PATHS = ("image", "start")  # taken as they are
FILES = ("out", "plot")


def from_flags(given: Mapping[str, Any]) -> Values:
    """The values of flags, read from their texts."""
    texts = {
        name: "--" if isinstance(text, list) else text for name, text in given.items() if name in HELP
    }  # argparse's
    values: Values = {name: text if text is None or name in PATHS else value_of(text) for name, text in texts.items()}
    if given.get("over"):
        values["over"] = {}
        for text in given["over"]:
            name, separator, rest = text.partition("=")
            if not separator:
                raise ValueError(f"over={text!r}: expected NAME=VALUE,VALUE,... or NAME=START:STOP:N[:log]")
            value = value_of(rest)
            values["over"][name.replace("-", "_")] = value if isinstance(value, list) else [value]
    return values


def value_of(text: str) -> Any:
    """What a flag's text means: a number, JSON, START:STOP:N[:log], values with commas between, or a word."""
    for meaning in (int, float, json.loads):
        try:
            return meaning(text)
        except (ValueError, RecursionError):
            continue
    if text.lower() in ("none", "true", "false"):
        return {"none": None, "true": True, "false": False}[text.lower()]
    if text.count(":") in (2, 3) and "," not in text and _begins_with_numbers(text):
        return _range(text)
    if "," in text and "(" not in text:
        return [value_of(part.strip()) for part in text.split(",")]
    return text


def _begins_with_numbers(text: str) -> bool:
    """Whether START, STOP and N are numbers: a word such as "uniform:0.5:1.5" is none."""
    return all(isinstance(value_of(part), (int, float)) for part in text.split(":")[:3])


def _range(text: str) -> Any:
    """START:STOP:N, both ends among the N numbers; with :log their ratios are equal."""
    import numpy as np

    first, last, count, *scale = (value_of(part) for part in text.split(":"))
    numbers = all(isinstance(end, (int, float)) and math.isfinite(end) for end in (first, last))
    positive = scale == [] or (scale == ["log"] and numbers and first > 0 and last > 0)
    if not (numbers and positive and isinstance(count, int) and 1 <= count <= 10**7):
        raise ValueError(f"range={text!r}: expected START:STOP:N, or START:STOP:N:log with both ends > 0")
    return (np.geomspace if scale else np.linspace)(first, last, count).tolist()


def from_file(path: Path, known: Iterable[str]) -> Values:
    """The values in a TOML file, by the names of the flags; ones that only other commands have are left out.

    Every name means the same in every command: `samples` and `seed` are the transformer's, `rtol` and `method` the
    solver's.
    """
    import tomllib

    known = {*known, *FILES}
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise ValueError(f"config={str(path)!r}: expected a TOML file: {said}") from error
    values = {}
    for name, value in given.items():
        key = name.replace("-", "_")
        if key not in known | {*HELP, "over"}:
            raise ValueError(f"{name}={value!r}: expected a name that has a flag{nearest(key, [*HELP, 'over'])}")
        if key in known:
            values[key] = _read(key, value)
    if values.get("closure") == "sampled":
        for name in {"samples", "seed"} & given.keys():
            raise ValueError(f"{name}={given[name]!r}: expected reduce_{name} in a file, where closure='sampled'")
    return values


def _read(key: str, value: Any) -> Any:
    """A value of a file; what is text is read as that of a flag."""
    if key == "over" and isinstance(value, dict):
        return {name.replace("-", "_"): _read(name, axis) for name, axis in value.items()}
    return value_of(value) if isinstance(value, str) and key not in (*PATHS, *FILES) else value


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
