"""What command lines and file writers share: one-line errors, exit status, files renamed when whole, versions."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """A parser of arguments that says in one line what is wrong with them, and where examples are."""

    def error(self, message: str) -> NoReturn:
        """Exit with status 2 after one line."""
        self.exit(2, f"{message} ({self.prog} --help shows examples)\n")


@contextmanager
def write_beside(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; renamed to it at the end, removed if anything fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        partial.chmod(0o666 & ~_umask())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def run(main: Callable[[], None], debug: bool) -> int:
    """Run a command: exit status 0, or 2 after one line on stderr; a trace only where `debug`."""
    try:
        main()
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
