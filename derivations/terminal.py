"""How a terminal shows blocks of a document: formulas as pictures made of Unicode signs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from derivations import boxes
from derivations.boxes import Box
from derivations.pages import Block, Formula, Heading, Paragraph, latex_formula


class Picture(NamedTuple):
    """Lines of one length, and which of them a letter beside the picture stands on."""

    lines: tuple[str, ...]
    base: int = 0

    @property
    def width(self) -> int:
        """Letters in a line."""
        return len(self.lines[0])


def text(blocks: Iterable[Block]) -> str:
    """The blocks as a terminal shows them."""
    return "\n\n".join(formula(block.lines) if isinstance(block, Formula) else _words(block) for block in blocks)


def latex(blocks: Iterable[Block]) -> str:
    """The formulas in LaTeX, the words between them as comments."""
    written = (latex_formula(block.lines) if isinstance(block, Formula) else f"% {_words(block)}" for block in blocks)
    return "\n\n".join(written)


def formula(lines: Sequence[Box]) -> str:
    """The lines of a formula, those after the first set in."""
    pictures = (picture(line) for line in lines)
    shown = (f"{'    ' if n else ''}{line}".rstrip() for n, drawn in enumerate(pictures) for line in drawn.lines)
    return "\n".join(shown)


def _words(block: Block) -> str:
    if isinstance(block, Heading):
        return block.text
    if isinstance(block, Paragraph):
        return "".join(part if isinstance(part, str) else part.text for part in block.parts)
    raise TypeError(f"{type(block).__name__} has no place in a terminal")


def picture(box: Box) -> Picture:
    """A box, drawn."""
    if not box.parts:
        return _leaf(box)
    inside = [picture(part) for part in box.parts]
    match box.kind:
        case "fraction":
            return _fraction(*inside)
        case "binomial":
            return _bracketed(_stack(inside, 1), "()")
        case "root":
            return _beside(Picture(("√",)), inside[0] if inside[0].width == 1 else _bracketed(inside[0], "()"))
        case "index":
            return _beside(inside[0], _lower(inside[1], inside[0]))
        case "power":
            return _beside(inside[0], _upper(inside[1], inside[0]))
        case "both":
            return _beside(inside[0], _both(*inside))
        case "big":
            return _big(box.text, inside)
        case "cases":
            return _cases(inside)
        case "brackets":
            return _bracketed(inside[0], box.text)
    return _beside(*inside)


def _leaf(box: Box) -> Picture:
    if box.kind == "space":
        return Picture((" ",))
    if box.kind == "operator":
        return Picture((_OPERATORS.get(box.text, f" {box.text} "),))
    return Picture((boxes.sign_of(box.text) if box.kind == "name" else box.text,))


_OPERATORS = {",": ", ", "!": "!", "∂": "∂", "/": "/", "|": "|", "′": "′"}
_BELOW = dict(zip("0123456789aehijklmnoprstuvxβγρφχ+−=()", "₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ₊₋₌₍₎", strict=True))
_ABOVE = dict(zip("0123456789abcdefghijklmnoprstuvwxyz", "⁰¹²³⁴⁵⁶⁷⁸⁹ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ", strict=True))
_ABOVE |= dict(zip("+−=()′", "⁺⁻⁼⁽⁾′", strict=True))
_TALL = {"(": "⎛⎜⎝", ")": "⎞⎟⎠", "[": "⎡⎢⎣", "]": "⎤⎥⎦", "{": "⎧⎨⎩"}  # top, middle and foot


def _beside(*pictures: Picture) -> Picture:
    """Pictures in a row, on one base line."""
    above = max(drawn.base for drawn in pictures)
    below = max(len(drawn.lines) - drawn.base for drawn in pictures)
    rows = [""] * (above + below)
    for drawn in pictures:
        for n in range(above + below):
            place = n - above + drawn.base
            rows[n] += drawn.lines[place] if 0 <= place < len(drawn.lines) else " " * drawn.width
    return Picture(tuple(rows), above)


def _stack(pictures: Sequence[Picture], base: int, align: str = "^") -> Picture:
    """Pictures above each other."""
    wide = max(drawn.width for drawn in pictures)
    return Picture(tuple(f"{line:{align}{wide}}" for drawn in pictures for line in drawn.lines), base)


def _fraction(above: Picture, below: Picture) -> Picture:
    bar = Picture(("─" * (max(above.width, below.width) + 2),))
    return _stack([above, bar, below], len(above.lines))


def _bracketed(drawn: Picture, around: str) -> Picture:
    high = len(drawn.lines)
    sides = []
    for sign in around:
        tall = _TALL.get(sign, 3 * sign)
        sides.append(Picture((sign,) if high == 1 else (tall[0], *(tall[1] * (high - 2)), tall[2]), drawn.base))
    return _beside(sides[0], drawn, *sides[1:])


def _cases(inside: list[Picture]) -> Picture:
    pairs = zip(inside[::2], inside[1::2], strict=True)
    rows = [_beside(value, Picture(("  ",)), when) for value, when in pairs]
    return _bracketed(_stack(rows, len(rows[0].lines), "<"), "{")


def _raised(drawn: Picture, signs: dict[str, str]) -> Picture | None:
    """A short index in signs of its own."""
    flat = drawn.lines[0].replace(" ", "")
    fits = len(drawn.lines) == 1 and len(flat) <= 3 and all(sign in signs for sign in flat)
    return Picture(("".join(signs[sign] for sign in flat),)) if fits else None


def _lower(index: Picture, under: Picture) -> Picture:
    flat = _raised(index, _BELOW) if len(under.lines) == 1 else None
    last = len(under.lines) - 1 - under.base  # the lowest line of what the index belongs to
    return flat or Picture(index.lines, -max(last, 1))


def _upper(index: Picture, over: Picture) -> Picture:
    flat = _raised(index, _ABOVE) if len(over.lines) == 1 else None
    return flat or Picture(index.lines, len(index.lines) - 1 + max(over.base, 1))


def _both(under: Picture, lower: Picture, upper: Picture) -> Picture:
    first, second = _lower(lower, under), _upper(upper, under)
    if first.base == second.base == 0:
        return _beside(first, second)
    blank = " " * max(first.width, second.width)
    rows = {n - drawn.base: f"{line:{len(blank)}}" for drawn in (second, first) for n, line in enumerate(drawn.lines)}
    top = min(0, *rows)
    return Picture(tuple(rows.get(n, blank) for n in range(top, max(0, *rows) + 1)), -top)


def _big(sign: str, ends: list[Picture]) -> Picture:
    """A sum, a product, an integral or a limit with its ends."""
    drawn = _stack([*reversed(ends[1:]), Picture((sign,)), *ends[:1]], sum(len(end.lines) for end in ends[1:]))
    return _beside(drawn, Picture((" ",)))
