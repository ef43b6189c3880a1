"""All results as one document in their reading order: Markdown for a repository page, LaTeX, or HTML.

The document is made once, as blocks; each form writes the blocks its own way. The same text comes out of every
process: EQUATIONS.md, which is kept beside this file, is the Markdown form.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

import sympy as sp

from derivations import boxes, pages, symbols
from derivations._shell import accept_output, write_beside
from derivations.boxes import Box
from derivations.errata import errata
from derivations.layout import lay_out
from derivations.pages import Block, Code, Contents, Formula, Heading, Link, Paragraph, Symbols
from derivations.proof import Checked
from derivations.shown import Shown
from derivations.statements import Report, Result, Step, names, results

SECTIONS = {
    "model": "The model",
    "learning": "The rates",
    "symmetry": "Symmetry",
    "masks": "Masks",
    "flow": "Flow",
    "closures": "Closures",
    "second_order": "The second-order closure",
    "integral": "The integral form",
    "conditional": "The conditional sum",
    "asymptotics": "Large P",
    "phases": "The phases",
    "late": "The late phase",
    "latents": "Laws of the latent",
}
FORMS: dict[str, Callable[[list[Block]], str]] = {
    ".md": pages.markdown,
    ".tex": pages.latex_document,
    ".html": pages.html,
}
INTRODUCTION = (
    "Every formula below is derived from the loss of a masked patch and checked by the machine: by SymPy where it "
    "decides, else at random points with 50 digits, the numbers of areas, patches and clusters being drawn too. "
    "Behind each step stands how it was checked. Written by “python -m derivations export”; do not edit."
)
REFERENCES = (
    "“Paper” is Huang, Wen, Chi and Liang, arXiv 2403.02233. “Theory §n” is the section of the notes from which this "
    "project was written, which are not part of it: §1 notation, §2 the model, §3 the exact reduction, §4 closures, "
    "§5 what the dynamics do; all that they state of a result is stated here."
)
ERRATA = (
    "The paper’s gradients (its α and β) and its information gap are the derived ones: ", "fp-rate-target", ", ",
    "fp-rate-other", ", ", "pp-rate-over-clusters", ", ", "information-gap", ". Its bound on the time of training is "
    "larger than the time that is derived, here for gradient flow and large P, with the assumptions of the results "
    "named. The bound is not false thereby: it is not what happens. Forms are given up to a constant factor, and the "
    "witness is what no factor changes: their exponents, d log(form)/d log(variable).",
)  # fmt: skip

Checks: TypeAlias = "Callable[[Iterable[Result]], Iterable[Result]]"


def write(path: Path, progress: Checks = iter) -> None:
    """Verify every result and write them all as one document.

    Parameters
    ----------
    path : Path
        Ends in .md, .tex or .html.
    progress : callable, optional
        Wraps the results as they are verified, as ``tqdm`` does.

    Raises
    ------
    ValueError
        If the name ends otherwise, is that of a folder, or cannot be written; nothing is verified then.
    DerivationError
        If a result does not hold; then nothing is written.
    """
    accept_output("FILE", path, tuple(FORMS))
    with write_beside(path) as partial:
        partial.write_text(FORMS[path.suffix](document(progress)), encoding="utf-8")


def document(progress: Checks = iter, verify: bool = True) -> list[Block]:
    """The blocks of the document; it says how each step was verified, unless `verify` is false and none was."""
    sections: dict[str, list[tuple[Result, tuple[Report, ...]]]] = {}
    module = names()
    for found in progress(results()):
        sections.setdefault(SECTIONS[module[found.name]], []).append((found, found.check() if verify else ()))
    listed = [
        (Link(title, _anchor(title)), tuple(Link(found.title, found.name) for found, _ in entries))
        for title, entries in sections.items()
    ]
    differences = tuple(Link(erratum.title, f"erratum-{number}") for number, erratum in enumerate(errata(), start=1))
    contents = Contents(((Link("Notation", "notation"), ()), *listed, (Link("Errata", "errata"), differences)))
    blocks: list[Block] = [Paragraph((INTRODUCTION,)), Paragraph((REFERENCES,)), contents]
    blocks += [Heading(2, "Notation", "notation"), notation()]
    for title, entries in sections.items():
        blocks.append(Heading(2, title, _anchor(title)))
        for found, reports in entries:
            blocks += entry(found, reports)
    return [*blocks, *corrections(module)]


def corrections(results: Collection[str]) -> Iterator[Block]:
    """Where the paper is quoted with another form than is derived."""
    yield Heading(2, "Errata", "errata")
    yield Paragraph(tuple(Link(part, part) if part in results else part for part in ERRATA))
    for number, erratum in enumerate(errata(), start=1):
        paper, derived = erratum.exponents()
        numbers = ", ".join(f"{_plainly(symbol)} = {float(value):.10g}" for symbol, value in erratum.at.items())
        links: list[str | Link] = []
        for name in erratum.results:
            links += [", " if links else "", Link(name, name)]
        yield Heading(3, erratum.title, f"erratum-{number}")
        yield Paragraph(("The paper has",))
        yield Formula(tuple(boxes.lines(lay_out(erratum.paper))))
        yield Paragraph(("and derived is (", *links, ")"))
        yield Formula(tuple(boxes.lines(lay_out(erratum.derived))))
        first, second = (f"{exponent:.4g}".replace("-", "−") for exponent in (paper, derived))
        said = f"The exponent of {_plainly(erratum.variable)} is {first} in the first and {second} in the second"
        yield Paragraph((f"{said}, at {numbers}.",))


def _plainly(symbol: sp.Symbol) -> str:
    """A symbol among words."""
    letter, *below = symbol.name.split("_")
    return "_".join((boxes.sign_of(letter), *below))


def notation() -> Symbols:
    """The symbols and what their comments in ``symbols`` say of them."""
    rows = []
    for line in inspect.getsource(symbols).splitlines():
        found = re.match(r"(?P<names>[\w, ]+) = sp\.(?:Symbol|symbols|IndexedBase)\(.*?\)  # (?P<said>.*)$", line)
        if found:
            shown = tuple(lay_out(getattr(symbols, name)) for name in found["names"].split(", "))
            rows.append((shown, found["names"], found["said"]))
    return Symbols(tuple(rows))


def how(reports: tuple[Report, ...]) -> str:
    """How a result was verified: each way once, in order; that the steps lead to the statement only if not seen."""
    telling = reports[:-1] if reports[-1].checked.how == "symbolic" else reports
    return "; ".join(dict.fromkeys(report.checked.how for report in telling))


def _said(checked: Checked) -> str:
    return f"{checked.how} at {checked.points} points" if checked.points else checked.how


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


def entry(found: Result, reports: tuple[Report, ...] = (), steps: bool = True) -> Iterator[Block]:
    """One result: what it says, on what it rests, how it comes about, and by `reports` how that was verified."""
    shown = Shown(found)
    uses: list[str | Link] = []
    for used in found.uses:
        uses += [", " if uses else "; uses ", Link(used, used)]
    yield Heading(3, found.title, found.name)
    yield Paragraph((Code(found.name), f", {found.exactness}; {found.reference}", *uses, "."))
    yield from stated(shown)
    if found.assumptions:
        yield Paragraph((f"Assumed: {'; '.join(found.assumptions)}.",))
    if steps:
        yield from _steps(found, shown, reports)
    if reports and reports[-1].checked.how != "symbolic":
        yield Paragraph((f"That this is the statement: {_said(reports[-1].checked)}.",))


def stated(shown: Shown) -> Iterator[Block]:
    """What a result states."""
    yield Formula(tuple(shown.statement()))
    yield from _with(shown.names(0, 2))


def _steps(found: Result, shown: Shown, reports: tuple[Report, ...]) -> Iterator[Block]:
    """The steps from the left side of the statement to the right; where there is one, the statement shows it."""
    statement, steps = found.statement, found.steps
    reached: sp.Basic = statement.lhs
    for number, step in enumerate(steps):
        if step.before != reached:
            yield Paragraph(("From",))
            yield Formula(tuple(shown.before(number)))
        place = f"Step {number + 1}: " if len(steps) > 1 else "Proof: "
        verified = f" ({_said(reports[number].checked)})" if reports else ""
        stated = len(steps) == 1 and (step.before, step.after) == (statement.lhs, statement.rhs)
        yield Paragraph((f"{place}{step.said}{verified}{'.' if stated else ':'}",))
        if not stated:
            yield Formula(tuple(shown.after(number, "→" if _takes_limit(step) else "=")))
            yield from _with(shown.names(2 + 2 * number, 4 + 2 * number))
        reached = step.after


def _with(names: list[list[Box]]) -> Iterator[Block]:
    """What the names in the formula above stand for."""
    if names:
        yield Paragraph(("with",))
        yield from (Formula(tuple(lines)) for lines in names)


def _takes_limit(step: Step) -> bool:
    """Whether `after` is the limit of `before`, which does not say so itself."""
    return step.proof.__qualname__.startswith("limit.") and not step.before.has(sp.Limit)
