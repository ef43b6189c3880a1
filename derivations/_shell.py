"""What command lines and file writers share: one-line errors, exit status, files renamed when whole, versions."""

from __future__ import annotations

import argparse
import difflib
import io
import json
import os
import platform
import re
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

PICTURES = ".png", ".pdf", ".svg"
FORMAT = 1  # of the files that are written; those of a later one are refused


class Parser(argparse.ArgumentParser):
    """A parser of arguments that says in one line what is wrong with them, and where examples are."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As the one of argparse; but what is unknown is an error here, where it is known what is near."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # Φ is no reason to fail, where the encoding does not have it
                stream.reconfigure(errors="backslashreplace")
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            flags = [flag for flag in self._option_string_actions if flag.startswith("--")]
            self.error(f"{unknown[0]}: no such argument{nearest(unknown[0].partition('=')[0], flags)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """Exit with status 2 after one line."""
        chosen = re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message, re.DOTALL)
        near = nearest(chosen[1], [word.strip("'") for word in chosen[2].split(", ")]) if chosen else ""
        self.exit(2, f"{' '.join(message.split())}{near} ({self.prog} --help shows examples)\n")


def nearest(word: Any, known: Collection[str]) -> str:
    """Words to add to an error: the known word that one may have been meant for, if any is near."""
    if not isinstance(word, str) or word in known:
        return ""
    spelt = {one.lower(): one for one in known}
    near = difflib.get_close_matches(word.lower(), spelt, 1)
    return f"; did you mean {spelt[near[0]]!r}?" if near else ""


def accept(condition: bool, argument: str, value: Any, expected: str) -> None:
    """Raise a ValueError naming argument, value and what is expected, unless the condition holds."""
    if not condition:
        shown, most = " ".join(repr(value).split()), 300 if isinstance(value, str) else 80  # a path is shown whole
        raise ValueError(
            f"{argument}={shown if len(shown) <= most else shown[: most - 3] + '...'}: expected {expected}"
        )


def true_or_false(argument: str, value: Any, also: str = "") -> bool:
    """The value, Python's or NumPy's, as a bool, or a ValueError; `also` names what else the caller takes."""
    accept(type(value).__name__ in ("bool", "bool_"), argument, value, f"{also}True or False")
    return bool(value)


def write_picture(figure: Any, path: Path, suffix: str, title: str, made_by: Mapping[str, Any]) -> None:
    """Write a Matplotlib figure in the form of a suffix, and in it what made it: the same file every time."""
    text = json.dumps(made_by, ensure_ascii=False)
    said: dict[str, dict[str, Any]] = {
        ".png": {"Description": text},
        ".pdf": {"Subject": text, "CreationDate": None},
        ".svg": {"Description": text, "Date": None},
    }
    figure.savefig(path, format=suffix[1:], metadata={"Title": f"attention-dynamics: {title}"} | said[suffix])


def one_thread() -> None:
    """Before NumPy loads: these matrices are too small to share; on a busy machine threads wait for each other."""
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")


@contextmanager
def write_beside(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; renamed to it at the end, removed if anything fails.

    Raises
    ------
    OSError
        Of the kind that came up; it says why `path` cannot be written.
    """
    with writing("path", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}-", suffix=".part", dir=path.parent)
        os.close(handle)
        partial = Path(name)
        try:
            yield partial
            partial.chmod(0o666 & ~_umask())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def writing(argument: str, path: Path) -> Iterator[None]:
    """Errors of the system say which file cannot be written, and why."""
    try:
        yield
    except OSError as error:
        no_folder = isinstance(error, FileExistsError) and not path.parent.is_dir()
        why = "its folder is a file" if no_folder else error.strerror or error
        raise type(error)(f"{argument}={str(path)!r}: expected a file that can be written: {why}") from error


@contextmanager
def reading(argument: str, path: Path, expected: str) -> Iterator[None]:
    """Errors of the system say which file cannot be read, and why; a folder, or a name none can have, is bad input."""
    said = f"{argument}={str(path)!r}: expected {expected}"
    try:
        if "\0" in str(path) or path.is_dir():
            raise ValueError(said)
        yield
    except OSError as error:
        raise type(error)(f"{said}: {error.strerror or error}") from error


def accept_output(argument: str, path: Path, suffixes: Collection[str]) -> None:
    """Before work whose result goes to a file: raise a ValueError unless it can be written, and is of a known kind."""
    given = f"{argument}={str(path)!r}"
    if path.suffix not in suffixes:
        raise ValueError(f"{given}: expected a file name ending in {' or '.join(suffixes)}")
    try:
        with tempfile.TemporaryFile(dir=next(above for above in path.parents if above.exists())):
            folder = path.is_dir()
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise ValueError(f"{given}: expected a file that can be written: {said}") from error
    if folder:
        raise ValueError(f"{given}: expected a file, found a folder")


def accept_format(path: Path, made_by: dict[str, Any]) -> None:
    """Take the format out of what a file says of itself; a ValueError where it is a later one."""
    form = made_by.pop("format", FORMAT)
    if not isinstance(form, int) or form > FORMAT:
        said = f"written by a later version of attention-dynamics (format {form}; this one reads {FORMAT})"
        raise ValueError(f"path={str(path)!r}: expected a file of this version, found one {said}")


def run(main: Callable[[], None], debug: bool) -> int:
    """Run a command: exit status 0, or 2 after one line on stderr; a trace only where `debug`."""
    try:
        main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _interrupted()
    except SystemError as error:
        if isinstance(error.__cause__, KeyboardInterrupt):  # how compiled code passes it on
            return _interrupted()
        raise
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, KeyError, OSError, RuntimeError) as error:
        if debug:
            raise
        print(" ".join(str(error.args[0] if isinstance(error, KeyError) else error).split()), file=sys.stderr)
        return 2
    return 0


def _interrupted() -> int:
    print("interrupted", file=sys.stderr)
    return 130


@cache
def versions() -> dict[str, str]:
    """Versions of everything that takes part in a number or a figure."""
    names = ("attention-dynamics", "sympy", "scipy", "numpy", "numba", "matplotlib")
    return {"python": platform.python_version()} | {name: version(name) for name in names}


@cache
def version(name: str) -> str:
    """The installed version of a distribution."""
    import importlib.metadata

    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _umask() -> int:
    """The file mode mask of the process (which can only be read by setting it)."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
