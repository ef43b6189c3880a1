"""What command lines and file writers share: one-line errors, exit status, files renamed when whole, versions."""

from __future__ import annotations

import argparse
import codecs
import difflib
import errno
import io
import json
import os
import platform
import re
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

PICTURES = ".png", ".pdf", ".svg"
FORMAT = 1  # of the files that are written; those of a later one are refused
# Byte order marks, by which editors, spreadsheets and PowerShell say how a text is encoded. The one of UTF-32 begins as
# that of UTF-16 does, and comes first.
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class _Once(argparse._StoreAction):
    """Takes the value of an option that may be given once: of two values nobody knows which is meant."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        if option_string is not None and self.dest in parser.given:
            parser.error(f"{option_string}: given twice; expected once")
        parser.given.add(self.dest)
        super().__call__(parser, namespace, values, option_string)


class Parser(argparse.ArgumentParser):
    """A parser of arguments that says in one line what is wrong with them, and where examples are."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.given: set[str] = set()  # names of the options that were met
        for action in (None, "store"):
            self.register("action", action, _Once)
        # Else argparse takes -1e0, -inf, -1:2:3 and -1,2 for options, and no option of ours begins as a number does.
        self._negative_number_matcher = re.compile(r"-(\.?\d|inf|nan)", re.IGNORECASE)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As the one of argparse; but what is unknown is an error here, where it is known what is near."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # Φ is no reason to fail, where the encoding does not have it
                stream.reconfigure(errors="backslashreplace")
        self.given.clear()
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            flags = [flag for flag in self._option_string_actions if flag.startswith("--")]
            self.error(f"{unknown[0]}: no such argument{nearest(unknown[0].partition('=')[0], flags)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """Exit with status 2 after one line."""
        chosen = re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message, re.DOTALL)
        near = nearest(chosen[1], [word.strip("'") for word in chosen[2].split(", ")]) if chosen else ""
        if bare := re.fullmatch(r"argument (?:\S+/)?(--\S+): expected one argument", message):
            near = f"; one that begins with - is given as {bare[1]}=-..."
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
    # Signs of a path that the locale does not have are surrogates, which stand for bytes of UTF-8.
    text = json.dumps(made_by, ensure_ascii=False).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
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


def user_path(path: str | os.PathLike[str]) -> Path:
    """A path that a user gives, where ``~`` and ``~user`` are the folders that a shell takes them for."""
    try:
        os.fsencode(path)
    except UnicodeEncodeError:  # the locale does not have these signs: names of files are UTF-8 all the same
        path = os.fsdecode(os.fspath(path).encode("utf-8", "surrogateescape"))
    try:
        return Path(os.path.expanduser(path))  # noqa: PTH111 (where ~ is no user it stays, and ./~ means what it says)
    except ValueError:  # a name that no user can have
        return Path(path)


def is_there(path: Path) -> bool:
    """Whether there is a file or a folder; False of a name that none can have."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def read_text(path: Path) -> str:
    """The text of a file that comes in: UTF-8 in every locale, or what a byte order mark at its start says.

    Raises
    ------
    OSError, ValueError
        If it cannot be read, or is no text.
    """
    content = path.read_bytes()
    return content.decode(next((_MARKS[mark] for mark in _MARKS if content.startswith(mark)), "utf-8"))


@contextmanager
def write_beside(path: Path) -> Iterator[Path]:
    """A path to write to, beside `path`; renamed to it at the end, removed if anything fails.

    Where `path` is a symbolic link it stays one, and the file that it leads to is written. A file that is replaced
    hands on its mode and, as far as this user may do that, its owner.

    Raises
    ------
    OSError
        Of the kind that came up; it says why `path` cannot be written.
    """
    with writing("path", path):
        real = _real_path(path)
        real.parent.mkdir(parents=True, exist_ok=True)
        older = real.stat() if real.exists() else None
        partial = real.with_name(f".{real.name[:50]}-{os.urandom(4).hex()}.part")
        partial.touch(0o600 if older else 0o666, exist_ok=False)  # what is private is so while it is written
        try:
            yield partial
            if older:
                _take_over(partial, older)
            partial.replace(real)
        finally:
            partial.unlink(missing_ok=True)


def _real_path(path: Path) -> Path:
    """The file that symbolic links lead to; an OSError where they lead in a circle, or to what is no file."""
    real = Path(os.path.realpath(path))
    if real.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if real.exists() and not (real.is_file() or real.is_dir()):  # to rename over a device would remove it
        raise OSError(errno.EINVAL, "it leads to a device or a pipe")
    return real


def _take_over(partial: Path, older: os.stat_result) -> None:
    """Give a file the owner, the group and the mode of another, as far as this user may."""
    for owner in (older.st_uid, -1):  # only root gives a file away, but anyone to a group that they are in
        with suppress(OSError):
            os.chown(partial, owner, older.st_gid)
            break
    mode = older.st_mode & 0o777
    if partial.stat().st_gid != older.st_gid:  # then what the group might do is for another group
        mode = mode & 0o707 | (mode & 0o007) << 3
    partial.chmod(mode)


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
        real = _real_path(path)
        with tempfile.TemporaryFile(dir=next(above for above in real.parents if above.exists())):
            folder = real.is_dir()
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
