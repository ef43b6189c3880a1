"""How far long work is, and when it may end: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from operator import length_hint
from typing import Any

FIRST, EVERY = 30.0, 60.0  # seconds to the first line, and from line to line: that of a night fills no disk


def progress_of(found: Iterable[Any] | None, doing: str, total: int | None = None, **more: Any) -> Any:
    """Items, shown as they are worked through; or, of None, what ``update(n)`` tells that n more are done.

    `doing` says what is done, `total` how many there are where the items do not say it; `more` are ``unit`` and
    ``initial`` of ``tqdm``.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        return _Lines(found, doing, total, **more)
    from tqdm import tqdm  # only where a person waits

    return tqdm(found, doing, total, leave=False, **more)


class _Lines:
    """What tqdm shows, as whole lines: for log files, mails and notebooks, which keep every picture of a bar."""

    def __init__(
        self, found: Iterable[Any] | None, doing: str, total: int | None, unit: str = "", initial: int = 0
    ) -> None:
        self.found, self.doing, self.unit, self.said = found, doing, unit, ""
        self.total = length_hint(found, 0) if total is None and found is not None else total
        self.initial = self.n = initial
        self.started = time.monotonic()
        self.next = self.started + FIRST

    def __iter__(self) -> Iterator[Any]:
        for item in self.found or ():
            yield item
            self.update()

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is left open: lines that are written stay."""

    def set_postfix_str(self, said: str = "", refresh: bool = True) -> None:
        """Words that the next line ends in."""
        self.said = said

    def update(self, n: int = 1) -> None:
        """Count n more, and write a line where it is time for one."""
        self.n += n
        now = time.monotonic()
        if now < self.next:
            return
        self.next, passed, fresh = now + EVERY, now - self.started, self.n - self.initial
        told = [f"{self.n}{f' of {self.total}' if self.total else ''} {self.unit.strip()}".strip()]
        told.append(f"{_clock(passed)} gone")
        if self.total and fresh > 0:
            told.append(f"about {_clock(passed / fresh * (self.total - self.n))} to go")
        with suppress(OSError, ValueError):  # whoever read it has gone home; the work goes on
            print(f"{self.doing}: {', '.join(filter(None, [*told, self.said]))}", file=sys.stderr, flush=True)


def _clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    minutes, rest = divmod(max(round(seconds), 0), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
