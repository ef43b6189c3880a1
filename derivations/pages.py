"""Blocks of a document, and how Markdown, LaTeX and HTML write them.

Markdown is for a repository page, where a fence of kind ``math``, and $` … `$ in a line, keep a formula from every rule
of Markdown; LaTeX needs article and amsmath; HTML holds its formulas as MathML and fetches nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import NamedTuple, TypeAlias

from derivations import boxes
from derivations.boxes import Box

TITLE = "The training dynamics, derived"


class Link(NamedTuple):
    """Words that lead to another place in the document."""

    text: str
    anchor: str


class Heading(NamedTuple):
    """A heading that can be linked to."""

    level: int
    text: str
    anchor: str


class Code(NamedTuple):
    """A name, as it is typed."""

    text: str


class Paragraph(NamedTuple):
    """Words, names and links; a letter with a lower index is set as one: v_m."""

    parts: tuple[str | Link | Code, ...]


class Formula(NamedTuple):
    """A displayed formula, one box a line."""

    lines: tuple[Box, ...]


class Contents(NamedTuple):
    """The table of contents: each section with its results."""

    sections: tuple[tuple[Link, tuple[Link, ...]], ...]


class Symbols(NamedTuple):
    """A table of symbols: as they are written, as they are called in the code, and what they mean."""

    rows: tuple[tuple[tuple[Box, ...], str, str], ...]


Block: TypeAlias = Heading | Paragraph | Formula | Contents | Symbols

# A letter (or a word of the theory, a number, a bracket) and the index below or above it; no name of code.
_RAISED = re.compile(
    r"(?<!\\)(attn|rate|mult|(?<![A-Za-z]{2})[A-Za-zΑ-Ωα-ωℓ]\u0303?|[0-9]+(?=\^)|(?<=[)\]]))"
    r"([_^])(\{[^}]*\}|[A-Za-z0-9Α-Ωα-ω]+)"
)
_WORDS = ("attn", "rate", "mult")


def markdown(blocks: list[Block]) -> str:
    """The blocks as Markdown for a repository page."""
    written = [f"# {TITLE}", *(_markdown_block(block) for block in blocks)]
    return "\n\n".join(written) + "\n"


def _markdown_block(block: Block) -> str:
    if isinstance(block, Heading):
        return f'<a name="{block.anchor}"></a>\n\n{"#" * block.level} {_markdown_text(block.text)}'
    if isinstance(block, Formula):
        return "\n\n".join(f"```math\n{latex}\n```" for latex in _short_formulas(block.lines))
    if isinstance(block, Contents):
        items = []
        for section, links in block.sections:
            items.append(f"- {_markdown_link(section)}")
            items += [f"  - {_markdown_link(link)}" for link in links]
        return "\n".join(items)
    if isinstance(block, Symbols):
        rows = (
            f"| {', '.join(f'$`{boxes.latex(symbol)}`$' for symbol in symbols)} | `{code}` | {_markdown_text(said)} |"
            for symbols, code, said in block.rows
        )
        return "\n".join(("| symbol | in the code | |", "|---|---|---|", *rows))
    return "".join(_markdown_part(part) for part in block.parts)


def _markdown_part(part: str | Link | Code) -> str:
    if isinstance(part, Code):
        return f"`{part.text}`"
    return _markdown_link(part) if isinstance(part, Link) else _markdown_text(part)


def _markdown_link(link: Link) -> str:
    return f"[{_markdown_text(link.text)}](#{link.anchor})"


def _markdown_text(text: str) -> str:
    escaped = re.sub(r"([\\`*\[\]<>|$])", r"\\\1", text)
    return _html_raised(escaped).replace("_", r"\_")


def _html_raised(text: str) -> str:
    """Lower and upper indices as HTML has them, and Markdown through it."""
    tags = {"_": "sub", "^": "sup"}
    return _RAISED.sub(lambda at: f"{at[1]}<{tags[at[2]]}>{at[3].strip('{}')}</{tags[at[2]]}>", text)


def latex_formula(lines: Sequence[Box]) -> str:
    """The lines of a formula in LaTeX, without the signs that say it is displayed."""
    if len(lines) == 1:
        return boxes.latex(lines[0])
    first, *rest = (boxes.latex(line) for line in lines)
    rows = [f"& {first}", *(rf"& \quad {{}} {line}" for line in rest)]
    return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"


# GitLab and Gitea set no formula of more letters; GitHub sets any.
_LONGEST = 1000


def _short_formulas(lines: Sequence[Box]) -> list[str]:
    """The lines of a formula in LaTeX, a very long one as several."""
    written = latex_formula(lines)
    if len(written) <= _LONGEST or len(lines) == 1:
        return [written]
    half = len(lines) // 2
    return [*_short_formulas(lines[:half]), *_short_formulas(lines[half:])]


# A line that is still too wide is set in smaller letters, the first size in which it fits.
_PREAMBLE = r"""\documentclass{article}
\usepackage[utf8]{inputenc}
\usepackage{amsmath}
\IfFileExists{hyperref.sty}{\usepackage[hidelinks,bookmarks=false]{hyperref}}{\newcommand{\hyperref}[2][]{#2}}
\setlength{\textwidth}{6.6in}
\setlength{\oddsidemargin}{-0.05in}
\setlength{\evensidemargin}{-0.05in}
\setlength{\textheight}{9in}
\setlength{\topmargin}{-0.5in}
\setlength{\parindent}{0pt}
\setlength{\parskip}{0.5em}
\newsavebox{\wide}
\newcommand{\tryin}[2]{\ifdim\wd\wide>\linewidth\sbox{\wide}{#1$\displaystyle #2$}\fi}
\newcommand{\fitted}[1]{\sbox{\wide}{$\displaystyle #1$}%
  \tryin{\small}{#1}\tryin{\footnotesize}{#1}\tryin{\scriptsize}{#1}\tryin{\tiny}{#1}%
  \usebox{\wide}}
\allowdisplaybreaks
\emergencystretch=3em
\setcounter{secnumdepth}{0}
"""


def latex_document(blocks: list[Block]) -> str:
    """The blocks as a LaTeX document."""
    body = "\n\n".join(_latex_block(block) for block in blocks)
    title = f"\\title{{{TITLE}}}\n\\date{{}}\n\\author{{}}\n"
    return f"{_PREAMBLE}{title}\\begin{{document}}\n\\maketitle\n\n{body}\n\n\\end{{document}}\n"


def _latex_block(block: Block) -> str:
    if isinstance(block, Heading):
        kind = {2: "section", 3: "subsection"}[block.level]
        return rf"\{kind}{{{latex_text(block.text)}}}\label{{{block.anchor}}}"
    if isinstance(block, Formula):
        return f"\\[\n\\fitted{{{latex_formula(block.lines)}}}\n\\]"
    if isinstance(block, Contents):
        return r"\tableofcontents"
    if isinstance(block, Symbols):
        items = (
            rf"\item[${', '.join(map(boxes.latex, symbols))}$] \texttt{{{_latex_signs(code)}}}\quad {latex_text(said)}"
            for symbols, code, said in block.rows
        )
        return "\\begin{description}\n" + "\n".join(items) + "\n\\end{description}"
    return "".join(_latex_part(part) for part in block.parts)


def _latex_part(part: str | Link | Code) -> str:
    if isinstance(part, Code):
        return rf"\texttt{{{_latex_signs(part.text)}}}"
    return rf"\hyperref[{part.anchor}]{{{latex_text(part.text)}}}" if isinstance(part, Link) else latex_text(part)


def latex_text(text: str) -> str:
    """Words in LaTeX; a ValueError where a sign has no form there."""
    written, end = "", 0
    for found in _RAISED.finditer(text):
        base = found[1] if found[1] not in _WORDS else rf"\mathrm{{{found[1]}}}"
        base = rf"\tilde {base[0]}" if base.endswith("\u0303") else base
        index = found[3].strip("{}")
        index = rf"\mathrm{{{index}}}" if len(index) > 2 and index.isascii() and index.isalpha() else index
        raised = f"${_latex_signs(base, True)}{found[2]}{{{_latex_signs(index, True)}}}$"
        written += _latex_signs(text[end : found.start()]) + raised
        end = found.end()
    return written + _latex_signs(text[end:])


def _latex_signs(text: str, math: bool = False) -> str:
    return "".join(_latex_sign(sign, math) for sign in text)


def _latex_sign(sign: str, math: bool) -> str:
    if sign in _TEXT_SIGNS and not math:
        return _TEXT_SIGNS[sign]
    if sign.isascii():
        return sign
    if sign in _MATH_SIGNS:
        return f"{_MATH_SIGNS[sign]} " if math else rf"\ensuremath{{{_MATH_SIGNS[sign]}}}"
    name = boxes.sign_name(sign)
    if name is None:
        raise ValueError(f"no LaTeX form of {sign!r} is known to derivations.pages")
    return rf"\{name} " if math else rf"\ensuremath{{\{name}}}"


_TEXT_SIGNS = {sign: rf"\{sign}" for sign in "#$%&_{}"} | {
    "\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\ensuremath{<}",
    ">": r"\ensuremath{>}", "|": r"\ensuremath{|}", "“": "``", "”": "''", "’": "'", "–": "--", "—": "---",
    "−": r"\ensuremath{-}", "…": r"\dots{}", "é": r"\'e", "§": r"\ensuremath{\mathsection}", "ö": r"\"o",
}  # fmt: skip
_MATH_SIGNS = {
    "−": "-", "≠": r"\neq", "≥": r"\geq", "≤": r"\leq", "→": r"\to", "∂": r"\partial", "∞": r"\infty", "≈": r"\approx",
    "∑": r"\sum", "∏": r"\prod", "∫": r"\int", "·": r"\cdot", "×": r"\times", "∈": r"\in", "∇": r"\nabla",
    "√": r"\surd", "‖": r"\|", "ᵀ": r"^{\top}", "⁻": "^{-}", "½": r"\tfrac12", "′": "'", "⟹": r"\Longrightarrow",
    "∝": r"\propto", "≪": r"\ll", "≫": r"\gg", "⊥": r"\perp", "⟨": r"\langle", "⟩": r"\rangle", "~": r"\sim",
    "\u0303": r"^{\sim}", "¼": r"\tfrac14", "±": r"\pm", "⌊": r"\lfloor", "⌋": r"\rfloor",
}  # fmt: skip
_MATH_SIGNS |= {sign: f"^{{{n}}}" for n, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
_MATH_SIGNS |= {sign: f"_{{{n}}}" for n, sign in enumerate("₀₁₂₃₄₅₆₇₈₉")}

_STYLE = """\
:root { color-scheme: light dark; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 Georgia, "Times New Roman", serif; }
h2 { margin-top: 3rem; border-bottom: 1px solid #8888; }
h3 { margin-top: 2.2rem; }
math { font-size: 1.1rem; }
div.formula { overflow-x: auto; overflow-y: hidden; margin: .6rem 0 .6rem 2rem; padding: .15rem 0; }
sub { line-height: 0; }
mtd { text-align: left; padding: .2em 0; }
td { padding: .1rem .8rem .1rem 0; vertical-align: baseline; }
mtable.cases mtd { padding-right: 1em; }
nav ul { columns: 2; column-gap: 2.5rem; }
nav li { break-inside: avoid; }
a { color: #1a5fb4; text-decoration: none; }
a:hover { text-decoration: underline; }
@media (prefers-color-scheme: dark) { a { color: #8ab4f8; } }
@media (max-width: 40rem) { nav ul { columns: 1; } }
"""


def html(blocks: list[Block]) -> str:
    """The blocks as a web page of its own."""
    body = "\n".join(_html_block(block) for block in blocks)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(TITLE)}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>\n{_STYLE}</style>\n</head>\n'
        f"<body>\n<h1>{escape(TITLE)}</h1>\n{body}\n</body>\n</html>\n"
    )


def _html_block(block: Block) -> str:
    if isinstance(block, Heading):
        return f'<h{block.level} id="{block.anchor}">{_html_text(block.text)}</h{block.level}>'
    if isinstance(block, Formula):
        return f'<div class="formula">{mathml_formula(block.lines)}</div>'
    if isinstance(block, Contents):
        return f"<nav>{''.join(_html_section(*section) for section in block.sections)}</nav>"
    if isinstance(block, Symbols):
        return f"<table>{''.join(_html_symbol(*symbol) for symbol in block.rows)}</table>"
    return f"<p>{''.join(_html_part(part) for part in block.parts)}</p>"


def _html_symbol(symbols: tuple[Box, ...], code: str, said: str) -> str:
    written = ", ".join(f"<math>{boxes.mathml(symbol)}</math>" for symbol in symbols)
    return f"<tr><td>{written}</td><td><code>{escape(code)}</code></td><td>{_html_text(said)}</td></tr>"


def _html_part(part: str | Link | Code) -> str:
    if isinstance(part, Code):
        return f"<code>{escape(part.text)}</code>"
    return _html_link(part) if isinstance(part, Link) else _html_text(part)


def _html_section(section: Link, links: tuple[Link, ...]) -> str:
    listed = "".join(f"<li>{_html_link(link)}</li>" for link in links)
    return f"<p>{_html_link(section)}</p><ul>{listed}</ul>"


def _html_link(link: Link) -> str:
    return f'<a href="#{link.anchor}">{_html_text(link.text)}</a>'


def _html_text(text: str) -> str:
    return _html_raised(escape(text))


def mathml_formula(lines: Sequence[Box]) -> str:
    """The lines of a formula in MathML."""
    first, *rest = (boxes.mathml(line) for line in lines)
    if rest:
        cells = (first, *(f'<mspace width="2em"/>{line}' for line in rest))
        first = f'<mtable displaystyle="true">{"".join(f"<mtr><mtd>{cell}</mtd></mtr>" for cell in cells)}</mtable>'
    return f'<math displaystyle="true">{first}</math>'
