"""What a function is known by: its name, and a hash of its code and of whatever it holds, the same in every process."""

from __future__ import annotations

from functools import partial
from pathlib import PurePath
from typing import Any, NamedTuple

from dynamics.walk import Walk


class Identity(NamedTuple):
    """What a function is known by, and how far.

    Attributes
    ----------
    text : str
        Its name, and a hash of its code and of what it holds.
    unknown : tuple of str
        Types of what it holds that cannot be known: locks, open files, generators.
    words : tuple of (str or Path)
        Words and paths that it holds: some may name files.
    """

    text: str
    unknown: tuple[str, ...]
    words: tuple[str | PurePath, ...]


def identity(function: Any) -> Identity:
    """What a function is known by, the same in every process.

    Notes
    -----
    Of functions and classes of the user's modules: their code, defaults, bound arguments and objects, attributes, what
    they close over, the globals they name, and what they name of other modules, each likewise. Of those of the standard
    library, of installed packages and of this one: name and version. Of other objects: class, and state as ``pickle``
    takes it. Comments, and where something stands in a file, are not in it.
    """
    walk = Walk()
    digest = walk.digest(function)
    named = function.func if isinstance(function, partial) else function
    named = named if hasattr(named, "__qualname__") else type(named)
    text = f"{getattr(named, '__module__', None)}.{named.__qualname__} {digest[:16]}"
    return Identity(text, tuple(sorted(walk.unknown)), tuple(sorted(walk.words, key=repr)))
