"""What files hold, of those that words name: a picture that is replaced under its name is another."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path, PurePath

from derivations._shell import user_path

MOST_FILES = 20_000  # of a folder, that are read one by one
MOST_BYTES = 2**34
LONGEST = 4096  # characters of a path
_BLANK = re.compile(r"\{[^{}/]*\}|%[-+ 0#]*\d*(?:\.\d+)?[sdifgr]")  # of str.format and of %
_CODE = ".py", ".pyc"  # a function is known by the code that runs, not by the file that it came from


def contents(
    words: Iterable[str | PurePath], folders: Iterable[str | PurePath] = (), but: Collection[Path] = ()
) -> dict[str, str | None]:
    """Word -> hash of what it holds, for every word that names a file; None where that cannot be read.

    The words of `folders` may name folders too: these hold the files in them and below, but hidden ones, code, journals
    of sweeps, and what this process prints to. `but` are files that count nowhere: those that are written.
    """
    without, may_be_folders = {os.path.realpath(path) for path in but}, {*map(str, folders)}
    found: dict[str, str | None] = {}
    for word in sorted({*map(str, words), *may_be_folders}):
        if not any(map(str.isalnum, word)):
            continue  # "/" and "." join and part other words
        path = user_path(word)
        with suppress(OSError, ValueError):  # a name that no file can have
            if path.is_file() and os.path.realpath(path) not in without:
                found[word] = _digest(path)
            elif path.is_dir() and word in may_be_folders:
                found[word] = _of_all(_below(path), path, without)
    return found


def joined(given: Iterable[object], held: Iterable[str | PurePath]) -> set[str]:
    """Names of files that a function may make of what it is given and of the words that it holds.

    A folder and the beginning of a name may stand before, and an end behind: ``pics / name``, ``f"pics/{name}.npy"``.
    """
    words = {str(word) for word in held if 0 < len(str(word)) < LONGEST}
    parts = {part for word in words for part in _BLANK.split(word)} | {""}
    bases = {Path(), *filter(_is_folder, map(user_path, words))}
    nested = {base / one for base in bases for part in parts for one in (part, os.path.split(part)[0])}
    folders = {*bases, *filter(_is_folder, nested)}
    starts = {os.path.split(part)[1] for part in parts}
    names: dict[Path, list[str]] = {}
    found = set()
    for word in {str(one) for one in given}:
        above, own = os.path.split(word)
        for folder in {folder / above for folder in folders} if own else ():
            if folder not in names:
                names[folder] = [path.name for path in folder.iterdir()] if _is_folder(folder) else []
            for name in names[folder]:
                start, same, end = name.partition(own)
                if same and start in starts and end in parts:
                    found.add(str(folder / name))
    return found


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a name that no folder can have
        return False


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
        if os.path.realpath(path) not in without:
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
