"""Workers end with the process that they work for, however that ends."""

from __future__ import annotations

import multiprocessing
import os
from functools import cache
from threading import Thread
from typing import Any

SECONDS = 1.0  # from look to look


def end_with_parent() -> None:
    """Where this is a process of a pool: end it within seconds of the end of the one that began it, a kill included.

    A worker waits for more work on a pipe that it holds open itself: nothing else would end it.
    """
    _watched_in(os.getpid())


@cache
def _watched_in(process: int) -> None:
    """Once in every process: one that is forked has what its parent remembers."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        Thread(target=_watch, args=(parent, os.getppid()), daemon=True).start()


def _watch(parent: Any, begun_by: int) -> None:
    """Exit when the parent is gone.

    Its sentinel alone does not tell: workers that are forked hold those of each other open. Nor does the process that
    this one is a child of: it may be a server of forks, and on Windows it does not change.
    """
    while parent.is_alive() and os.getppid() == begun_by:
        parent.join(SECONDS)
    os._exit(1)
