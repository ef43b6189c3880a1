"""How objects are shown: numbers in short, one line for ``repr``, and tables as text or as HTML for a notebook."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import wraps
from numbers import Integral
from typing import Any

LONGEST = 120  # characters of a line
SHORT = 3  # digits of a number in a line, where a table has 6
MOST_ROWS = 20  # of a table: the coordinates of many areas are counted, not listed
NUMBER = re.compile(r"(-?[\d.]+(e[+-]?\d+)?|-?inf|nan)([ ^].*)?")  # perhaps with a unit, or a power of ten


@dataclass(frozen=True)
class Sheet:
    """A table to look at, every cell a string; numbers stand to the right.

    Attributes
    ----------
    title : str
        What it is about; may be empty.
    head : tuple of str
        One for each column; all empty for none.
    rows : tuple of tuples of str
        As long as the head.
    note : str
        Lines below; may be empty.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def text(self) -> str:
        """The table in aligned columns."""
        lines = [self.head, *self.rows] if any(self.head) else list(self.rows)
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        cells = [
            (cell.rjust(width) if right else cell.ljust(width))
            for line in lines
            for cell, width, right in zip(line, widths, self._to_the_right(), strict=True)
        ]
        columns = len(self.head)
        table = ("  ".join(cells[i : i + columns]).rstrip() for i in range(0, len(cells), columns))
        return "\n".join([*filter(None, [self.title]), *table, *filter(None, [self.note])])

    def html(self) -> str:
        """The table for a notebook: the colours are those of the page, light or dark."""
        from html import escape  # the names of all its characters load only here

        sides = [f"text-align: {'right' if right else 'left'}" for right in self._to_the_right()]

        def line(cells: Sequence[str], tag: str) -> str:
            inside = [f'<{tag} style="{side}">{escape(cell)}</{tag}>' for cell, side in zip(cells, sides, strict=True)]
            return f"<tr>{''.join(inside)}</tr>"

        top = "caption-side: top; text-align: left; font-weight: bold; color: inherit"
        parts = [f'<caption style="{top}">{escape(self.title)}</caption>'] if self.title else []
        parts += [f"<thead>{line(self.head, 'th')}</thead>"] if any(self.head) else []
        parts.append(f"<tbody>{''.join(line(row, 'td') for row in self.rows)}</tbody>")
        note = "<br/>".join(map(escape, self.note.splitlines()))
        return f"<div><table>{''.join(parts)}</table>{f'<div>{note}</div>' if note else ''}</div>"

    def _to_the_right(self) -> list[bool]:
        """Of each column, whether all that stands below its head is numbers, perhaps with a unit."""
        if not any(self.head):
            return [False] * len(self.head)
        below = zip(*self.rows, strict=True) if self.rows else ((),) * len(self.head)
        return [bool(any(column)) and all(map(NUMBER.fullmatch, filter(None, column))) for column in below]


def number(value: Any, digits: int = 6) -> str:
    """A number to so many significant digits, whole ones in full below 10⁹; inf, -inf and nan by these names."""
    if isinstance(value, Integral) and abs(int(value)) >= 10**9:
        return f"{Decimal(int(value)):.{digits}g}"  # seeds may be larger than any float
    real = float(value)
    if real.is_integer() and abs(real) < 1e9:
        return str(int(real))
    rounded = f"{real:.{digits}g}"
    return f"{real:.0f}" if "e" in rounded and 1 <= abs(real) < 1e6 else rounded


def power(log: float, digits: int = 4) -> str:
    """A positive number given by its logarithm, as a power of ten from a million on."""
    return number(math.exp(log), digits) if log < math.log(1e6) else f"10^{number(log / math.log(10), digits)}"


def counted(count: Any, one: str, more: str = "") -> str:
    """So many of something: "1 patch", "2 patches"."""
    return f"{number(count)} {one if count == 1 else more or one + 's'}"


def listed(words: Sequence[str], last: str = "and") -> str:
    """The words with commas, and a word before the last."""
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def line(kind: str, lead: str, *more: str) -> str:
    """``kind(lead, more, ...)`` in one line of at most 120 characters, for which the lead is cut first."""
    rest = "".join(f", {part}" for part in more if part)
    room = LONGEST - len(f"{kind}()") - len(rest)
    return f"{kind}({cut(cut(lead, max(room, LONGEST // 3)) + rest, LONGEST - len(f'{kind}()'))})"


def guarded(describe: Callable[[Any], str]) -> Callable[[Any], str]:
    """A ``__repr__`` that never raises: of an object that was refused while it was made only the type is told."""

    @wraps(describe)
    def told(shown: Any) -> str:
        try:
            return describe(shown)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            return f"{type(shown).__name__}(not whole)"

    return told


def cut(words: Any, most: int) -> str:
    """One line of at most so many characters, with an ellipsis where it is cut."""
    flat = " ".join(str(words).split())
    return flat if len(flat) <= most else f"{flat[: most - 1].rstrip(' ,;:')}…"


def some(words: Iterable[str], room: int = 60) -> str:
    """As many of the words as there is room for, one at least, and an ellipsis for the others."""
    kept: list[str] = []
    left = room
    for word in words:
        left -= len(word) + 2
        if kept and left < 0:
            return f"{', '.join(kept)}, …"
        kept.append(word)
    return ", ".join(kept)


def moment(t: float, log_t: float, digits: int = 6) -> str:
    """A time, or its logarithm where it is no float: "t = 52.6", "log t = 1613.2"."""
    return f"t = {number(t, digits)}" if math.isfinite(t) else f"log t = {number(log_t, digits)}"


def further(count: int, what: str) -> str:
    """What is said below a table of more rows than are shown."""
    return f"and {count - MOST_ROWS} more {what}" if count > MOST_ROWS else ""
