"""What files hold, of those that words name: a picture that is replaced under its name is another."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path, PurePath

MOST_FILES = 20_000  # of a folder, that are read one by one
MOST_BYTES = 2**34
_CODE = ".py", ".pyc"  # a function is known by the code that runs, not by the file that it came from
_SUFFIX = re.compile(r"\.[A-Za-z]\w*")
_BLANK = re.compile(r"\{[^{}/]*\}|%[-+ 0#]*\d*(?:\.\d+)?[sdifgr]")  # of str.format and of %
_TABLE = b",error,made_by"  # how the first line of a sweep's table ends


def contents(words: Iterable[str | PurePath], but: Collection[Path] = ()) -> dict[str, str | None]:
    """Word -> hash of what it holds, for every word that names a file or a folder; None where that cannot be read.

    A folder holds the files in it and below, but hidden ones, code, tables of sweeps, and what this process prints to.
    A word that names none may be a part of a name that is put together: ".png", "maps/cat_" and "maps/{}.npy" hold all
    files of such names. `but` are files that count nowhere: those that are written.
    """
    without = {os.path.realpath(path) for path in but}
    found: dict[str, str | None] = {}
    for word in sorted({*words}, key=str):
        if isinstance(word, str) and not any(map(str.isalnum, word)):
            continue  # "/" and "." join and part other words
        path = Path(os.path.expanduser(word))  # noqa: PTH111 -- Path.expanduser raises where there is no such user
        with suppress(OSError, ValueError):  # a name that no file can have
            if path.is_file():
                if os.path.realpath(path) not in without:
                    found[str(word)] = _digest(path)
            elif path.is_dir():
                found[str(word)] = _of_all(_below(path), path, without)
            elif (pattern := _pattern(str(path))) and any(True for _ in _named(pattern, without)):
                found[pattern] = _of_all(_named(pattern, without), Path(), without)
    return found


def _pattern(part: str) -> str:
    """Of the names that are made with a part of a name; empty where it looks like none."""
    whole = _BLANK.sub("*", part)
    if _SUFFIX.fullmatch(part):
        return f"*{part}"
    if any(sign in whole for sign in "*?["):
        return whole
    return f"{glob.escape(part)}*" if os.sep in part else ""


def _named(pattern: str, without: Collection[str]) -> Iterator[Path]:
    """Files of such names that may be read for something."""
    for name in glob.iglob(pattern):  # noqa: PTH207 -- of a folder that is in the pattern
        if _counts(Path(name)) and os.path.realpath(name) not in without and not _is_table(Path(name)):
            yield Path(name)


def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError:
        return None


def _of_all(paths: Iterable[Path], within: Path, without: Collection[str]) -> str | None:
    """Hash of the names and contents of files; None where they are too many, or one cannot be read."""
    kept: list[Path] = []
    size = 0
    for path in paths:
        kept.append(path)
        size += path.stat().st_size
        if len(kept) > MOST_FILES or size > MOST_BYTES:
            return None
    known = hashlib.sha256()
    for path in sorted(kept):
        if os.path.realpath(path) not in without and not _is_table(path):
            digest = _digest(path)
            if digest is None:
                return None
            known.update(f"{path.relative_to(within).as_posix()!r} {digest}\n".encode())
    return known.hexdigest()[:16]


def _below(folder: Path) -> Iterator[Path]:
    """Files in a folder and below."""
    for within, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name[0] != "." and name != "__pycache__")
        yield from (path for path in (Path(within, name) for name in names) if _counts(path))


def _counts(path: Path) -> bool:
    """Whether what a file holds may be read: none that is hidden, code, a journal, or what this process prints to."""
    if path.name[0] == "." or path.suffix in _CODE or path.name.endswith(".csv.part"):
        return False
    with suppress(OSError):  # a link to nothing
        state = path.stat()
        return stat.S_ISREG(state.st_mode) and _place(state) not in _printed_to()
    return False


def _printed_to() -> set[tuple[int, int]]:
    found = set()
    for stream in (1, 2):
        with suppress(OSError):
            found.add(_place(os.fstat(stream)))
    return found


def _place(state: os.stat_result) -> tuple[int, int]:
    return state.st_dev, state.st_ino


def _is_table(path: Path) -> bool:
    """Whether a file is a table of a sweep: several may stand in the folder that the pictures are in."""
    if path.suffix != ".csv":
        return False
    try:
        with path.open("rb") as file:
            return file.readline(2**16).rstrip().endswith(_TABLE)
    except OSError:
        return False
