"""Boxes on the page: their width, where a line of them is cut, and how LaTeX and MathML write them."""

from __future__ import annotations

import itertools
from html import escape
from typing import NamedTuple

WIDTH = 74  # letters of a line of a formula


class Box(NamedTuple):
    """One piece of a formula: its kind, the boxes inside, and its text where it is a leaf."""

    kind: str
    parts: tuple[Box, ...] = ()
    text: str = ""


def row(*parts: Box) -> Box:
    """Boxes beside each other."""
    return parts[0] if len(parts) == 1 else Box("row", parts)


def operator(text: str) -> Box:
    """A sign, with the space about it that its kind has."""
    return Box("operator", text=text)


def minus(box: Box) -> Box:
    """The negative of a box: a minus sign, no subtraction."""
    return row(Box("sign", text="−"), box)


def brackets(inside: Box, around: str = "()") -> Box:
    """A box in brackets."""
    return Box("brackets", (inside,), around)


def beside(parts: list[Box]) -> Box:
    """Factors beside each other, words among them set off."""
    parts = [factor for part in parts for factor in _factors(part)]
    spaced = parts[:1]
    for before, part in itertools.pairwise(parts):
        spaced += [Box("space"), part] if _is_word(before) or _is_word(part, called=True) else [part]
    return spaced[0] if len(spaced) == 1 else Box("product", tuple(spaced))


def _is_word(box: Box, called: bool = False) -> bool:
    """Whether this is a name of several letters, its indices and, if `called`, its arguments aside."""
    while box.kind in ("index", "power", "both", *(("row",) if called else ())):
        box = box.parts[0]
    return box.kind == "name" and len(box.text) > 1 and box.text not in _SIGNS


def between(sign: str, parts: list[Box]) -> Box:
    """Boxes with a sign between them."""
    return row(*(box for n, part in enumerate(parts) for box in ((operator(sign), part) if n else (part,))))


def name(symbol: str) -> Box:
    """A symbol by its name: n', Upsilon_self, k_1."""
    base, *below = symbol.replace("{", "").replace("}", "").split("_")
    primes = len(base) - len(base.rstrip("'"))
    box = Box("name", text=base.rstrip("'"))
    if primes:
        box = Box("power", (box, operator("′" * primes)))
    if not below:
        return box
    return Box("index", (box, between(",", [Box("number" if part.isdigit() else "name", text=part) for part in below])))


def lines(*sides: Box | str) -> list[Box]:
    """A formula, given as its sides and the signs between them, cut into lines of bounded width.

    ``lines(left, "=", right)`` is one box where it fits.
    """
    pieces: list[Box] = []
    sign: Box | None = None
    for side in sides:
        if isinstance(side, str):
            sign = operator(side)
            continue
        first, *rest = _pieces(side)
        pieces += [first if sign is None else row(sign, first), *rest]
    fits = sum(map(width, pieces)) <= WIDTH
    filled: list[Box] = []
    for piece in pieces:
        starts_right_side = piece.parts and sign is not None and piece.parts[0] == sign
        alone = starts_right_side and not fits and width(filled[-1]) > WIDTH / 3 if filled else True
        if not alone and width(filled[-1]) + width(piece) <= WIDTH:
            filled[-1] = row(filled[-1], piece)
        else:
            filled.append(piece)
    return filled


def width(box: Box) -> float:
    """About how many letters wide a box is."""
    inside = [width(part) for part in box.parts]
    match box.kind:
        case "name":
            return 1.2 if len(box.text) == 1 or box.text in _SIGNS else 0.9 * len(box.text)
        case "number" | "text":
            return 0.9 * len(box.text)
        case "operator" | "sign":
            return 0.5 if box.text in (",", "!") else 2
        case "fraction" | "cases" | "binomial":
            return max(inside) + 1
        case "index" | "power":
            return inside[0] + 0.65 * inside[1]
        case "both":
            return inside[0] + 0.65 * max(inside[1:])
        case "big":
            return max(2.2, *(0.65 * part for part in inside))
    return sum(inside, start=0.0) + {"brackets": 1.4, "root": 1.5, "open": 0.8, "close": 0.8}.get(box.kind, 0)


def _factors(box: Box) -> tuple[Box, ...]:
    return tuple(part for part in box.parts if part.kind != "space") if box.kind == "product" else (box,)


def _pieces(box: Box, room: float = WIDTH) -> list[Box]:
    """The box cut at the signs of its sums, or between its factors, until each piece fits."""
    if width(box) <= room:
        return [box]
    match box.kind:
        case "sum":
            return [piece for n, part in enumerate(box.parts) for piece in _pieces(part, WIDTH if n else room)]
        case "fraction" if (factors := _beside_the_bar(*box.parts)) != box:
            return _pieces(factors, room)
        case "root":
            half = row(Box("number", text="1"), operator("/"), Box("number", text="2"))
            return _pieces(Box("power", (brackets(box.parts[0]), half)), room)
        case "product" if max(map(width, box.parts)) <= room:
            return _between_factors(_factors(box), room)
        case "row" | "product":
            return _within(box.parts, room)
        case "power" | "brackets":
            return _within((box,), room)
    return [box]


def _beside_the_bar(above: Box, below: Box) -> Box:
    """A fraction as a product, which can be cut: with what stands above beside the bar, or without a bar."""
    factors = [] if above == Box("number", text="1") else [*_factors(brackets(above) if above.kind == "sum" else above)]
    if width(below) <= WIDTH / 2:
        return beside([Box("fraction", (Box("number", text="1"), below)), *factors])
    return beside([*factors, Box("power", (brackets(below), minus(Box("number", text="1"))))])


def _between_factors(factors: tuple[Box, ...], room: float) -> list[Box]:
    """As many factors a line as fit."""
    lines: list[list[Box]] = [[]]
    for factor in factors:
        if lines[-1] and width(beside([*lines[-1], factor])) > (room if len(lines) == 1 else WIDTH):
            lines.append([])
        lines[-1].append(factor)
    first, *rest = (beside(line) for line in lines)
    return [first, *(row(operator("×"), line) for line in rest)]


def _within(parts: tuple[Box, ...], room: float) -> list[Box]:
    """Boxes in a row, the widest of them cut, within its brackets if it has any."""
    number = max(range(len(parts)), key=lambda n: width(parts[n]))
    widest, before, after = parts[number], parts[:number], parts[number + 1 :]
    power = widest.kind == "power" and widest.parts[0].kind == "brackets"
    bracketed = widest.parts[0] if power else widest
    left = max(room - sum(map(width, before)), WIDTH / 3)
    if bracketed.kind == "brackets":
        inside = _pieces(bracketed.parts[0], left)
        if len(inside) == 1 and bracketed.parts[0].kind == "sum":
            inside = list(bracketed.parts[0].parts)
        first, last = Box("open", text=bracketed.text[0]), Box("close", text=bracketed.text[1])
        before, after = (*before, first), (Box("power", (last, widest.parts[1])) if power else last, *after)
    elif len(parts) > 1:
        inside = _pieces(widest, left)
    else:
        return [widest]
    if len(inside) == 1:
        return [row(*parts)]
    return [row(*before, inside[0]), *inside[1:-1], row(inside[-1], *after)]


# Names of the symbols that are one sign, and the sign.
_SIGNS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ",
    "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ",
    "tau": "τ", "upsilon": "υ", "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ",
    "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ", "Upsilon": "Υ", "Phi": "Φ", "Psi": "Ψ",
    "Omega": "Ω", "ell": "ℓ",
}  # fmt: skip
_NAMES = {sign: name for name, sign in _SIGNS.items()}
_OPERATORS = {
    "−": "-", "≠": r"\neq ", "≥": r"\geq ", "≤": r"\leq ", "→": r"\to ", "∂": r"\partial ", "∞": r"\infty ",
    "≈": r"\approx ", "∑": r"\sum", "∏": r"\prod", "∫": r"\int", "⌊": r"\lfloor ", "⌋": r"\rfloor ",
    "⌈": r"\lceil ", "⌉": r"\rceil ", "⟨": r"\langle ", "⟩": r"\rangle ", "⟹": r"\Longrightarrow ", "′": r"\prime ",
    "×": r"\times ",
}  # fmt: skip
_TALL = frozenset({"fraction", "big", "cases", "binomial", "root"})


def sign_name(sign: str) -> str | None:
    """The name of a Greek letter, by which LaTeX knows it too."""
    return _NAMES.get(sign)


def sign_of(name: str) -> str:
    """The one sign that a name stands for, or the name."""
    return _SIGNS.get(name, name)


_LATEX = {
    "fraction": r"\frac{{{0}}}{{{1}}}",
    "binomial": r"\binom{{{0}}}{{{1}}}",
    "root": r"\sqrt{{{0}}}",
    "index": "{0}_{{{1}}}",
    "power": "{0}^{{{1}}}",
    "both": "{0}_{{{1}}}^{{{2}}}",
    "text": r"\text{{{text}}}",
    "open": r"\Bigl{text}",
    "close": r"\Bigr{text}",
    "space": r"\,",
}


def latex(box: Box) -> str:
    """A box in LaTeX, amsmath at most."""
    inside = [latex(part) for part in box.parts]
    if box.kind in _LATEX:
        return _LATEX[box.kind].format(*inside, text=box.text.replace("_", r"\_"))
    match box.kind:
        case "name":
            return _latex_name(box.text)
        case "number" | "operator" | "sign":
            return "".join(_OPERATORS.get(sign, sign) for sign in box.text).strip()
        case "big":
            written = _OPERATORS.get(box.text, rf"\{box.text}")
            return written + "".join(f"{mark}{{{end}}}" for mark, end in zip("_^", inside, strict=False))
        case "cases":
            rows = (f"{value} & {when}" for value, when in zip(inside[::2], inside[1::2], strict=True))
            return r"\begin{cases} " + r" \\ ".join(rows) + r" \end{cases}"
        case "brackets":
            left, right = (_OPERATORS.get(sign, sign) for sign in box.text)
            return rf"\left{left} {inside[0]} \right{right}" if _tall(box.parts[0]) else f"{left}{inside[0]}{right}"
    joined = " ".join(inside).replace(" ,", ",")
    return joined.replace(r"\, \log", r"\log").replace(r"\, \exp", r"\exp")  # LaTeX sets its own functions off


def _latex_name(name: str) -> str:
    if name in _SIGNS or name in ("log", "exp", "min", "max"):
        return rf"\{name}"
    return name if len(name) == 1 else rf"\mathrm{{{name}}}"


def _tall(box: Box) -> bool:
    return box.kind in _TALL or any(_tall(part) for part in box.parts)


_MATHML = {
    "fraction": "<mfrac>{0}{1}</mfrac>",
    "binomial": '<mrow><mo>(</mo><mfrac linethickness="0">{0}{1}</mfrac><mo>)</mo></mrow>',
    "root": "<msqrt>{0}</msqrt>",
    "index": "<msub>{0}{1}</msub>",
    "power": "<msup>{0}{1}</msup>",
    "both": "<msubsup>{0}{1}{2}</msubsup>",
    "number": "<mn>{text}</mn>",
    "operator": '<mo form="infix">{text}</mo>',
    "sign": '<mo form="prefix">{text}</mo>',
    "text": "<mtext>{text}</mtext>",
    "open": '<mo form="prefix" stretchy="true" symmetric="true" minsize="2.2em" maxsize="2.2em">{text}</mo>',
    "close": '<mo form="postfix" stretchy="true" symmetric="true" minsize="2.2em" maxsize="2.2em">{text}</mo>',
    "space": '<mspace width="0.17em"/>',
}


def mathml(box: Box) -> str:
    """A box in presentation MathML."""
    inside = [mathml(part) for part in box.parts]
    if box == operator("∂"):
        return "<mi>∂</mi>"
    if box.kind in _MATHML:
        return _MATHML[box.kind].format(*inside, text=escape(box.text))
    match box.kind:
        case "name":
            return f"<mi>{escape(sign_of(box.text))}</mi>"
        case "big":
            return _mathml_big(box.text, inside)
        case "cases":
            cells = [f"<mtd>{cell}</mtd>" for cell in inside]
            rows = "".join(f"<mtr>{''.join(cells[n : n + 2])}</mtr>" for n in range(0, len(cells), 2))
            return f'<mrow><mo>{{</mo><mtable class="cases">{rows}</mtable></mrow>'
        case "brackets":
            grows = "true" if _tall(box.parts[0]) else "false"
            left, right = (f'<mo stretchy="{grows}">{sign}</mo>' for sign in box.text)
            return f"<mrow>{left}{inside[0]}{right}</mrow>"
    return f"<mrow>{''.join(inside)}</mrow>"


def _mathml_big(sign: str, ends: list[str]) -> str:
    written = f"<mo>{sign}</mo>" if len(sign) == 1 else f'<mo movablelimits="false" rspace="0.17em">{sign}</mo>'
    if not ends:
        return written
    if sign == "∫":
        return f"<msubsup>{written}{''.join(ends)}</msubsup>"
    tag = "munderover" if len(ends) == 2 else "munder"
    return f"<{tag}>{written}{''.join(ends)}</{tag}>"
