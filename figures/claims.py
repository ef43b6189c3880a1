"""The paper's claims, each with a number measured here, the range the claim allows it, and the verdict that follows.

The margin is how far inside that range the number lies, its uncertainty taken off; below zero the claim does not hold.
Claims about P → ∞ are extrapolated down a ladder of P; the others are tested on the exact dynamics of finite problems.
A constant factor that the paper leaves open is taken to be one.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from derivations._progress import progress_of
from figures import evidence, style
from figures.evidence import Evidence, Parameters, margin
from figures.table import Table, rows, stack

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE = (style.PAGE, 5.9)
COLUMNS = {
    "claim": "its short name",
    "statement": "what the paper claims",
    "place": "where in the paper",
    "tested": "parameters, P and closure",
    "measured": "what value is",
    "value": "the number measured",
    "uncertainty": "of the value",
    "low": "least value that the claim allows",
    "high": "largest value that the claim allows",
    "margin": "how far inside of that the value lies, less its uncertainty",
    "verdict": "holds, holds in the limit, does not hold, or not testable here",
    "note": "how the claim was read, or why it is not testable",
}
QUICK: dict[str, Any] = {"kappas": 5, "limits": ((0.98, 0.3),), "geometries": ((40, 6, 4), (88, 2, 4))}
QUICK |= {"states": 50, "latents": (1.0, 4.0)}
HOLDS, IN_THE_LIMIT, FAILS, UNTESTABLE = "holds", "holds in the limit", "does not hold", "not testable here"
LOOK = {HOLDS: (style.BLUE, "o"), IN_THE_LIMIT: (style.SKY, "s"), FAILS: (style.VERMILLION, "X")}


class Claim(NamedTuple):
    """What the paper says, where, and how it is measured."""

    name: str
    statement: str
    place: str
    evidence: Callable[[Parameters], Evidence]


DYNAMICS, THEOREM = "the dynamics of a local query", "the theorem on convergence"
OPEN = "left open there"
CLAIMS = (
    Claim(
        "target-rises", "Φ to the target area never decreases", "the lemma on α of the target", evidence.target_rises
    ),
    Claim("two-phases", "two phases for Δ in [0.5, 1]: Φ_global falls first", DYNAMICS, evidence.two_phases),
    Claim("one-phase", "one phase for Δ in (−0.5, 0): the target leads from the start", DYNAMICS, evidence.one_phase),
    Claim(
        "plateau",
        "Φ_global falls to −(Δ/2) log P in phase I, and is there at T",
        f"{DYNAMICS}, phase I",
        evidence.plateau,
    ),
    Claim("others-small", "all other FP correlations stay small until T", DYNAMICS, evidence.others_stay),
    Claim("pp-small", "PP correlations stay small until T", "the lemmas on the PP correlations", evidence.pp_stays),
    Claim(
        "local-locks",
        "attention of a masked local query ends on its area: (1 − A)² ≤ O(ε)",
        THEOREM,
        partial(evidence.locks, query="local"),
    ),
    Claim(
        "global-locks",
        "and that of a masked query in the global area on the global area",
        THEOREM,
        partial(evidence.locks, query="global"),
    ),
    Claim(
        "patch-loss", "the loss of every patch is within ε of its infimum at T(ε)", THEOREM, evidence.loss_of_a_patch
    ),
    Claim(
        "total-loss",
        "the loss L, a sum over P patches, is within ε of L* at T(ε), for P → ∞",
        THEOREM,
        evidence.loss_of_all,
    ),
    Claim("time-bound", "attention locks within P^{max(2(U/L−1), 1)(1−κs)} log P", THEOREM, evidence.time_bound),
    Claim(
        "bound-tight-alike",
        "that bound is tight where U = L",
        OPEN,
        partial(evidence.bound_is_tight, alike=True),
    ),
    Claim(
        "bound-tight-spread",
        "that bound is tight where U > 3L/2",
        OPEN,
        partial(evidence.bound_is_tight, alike=False),
    ),
    Claim("zero-suffices", "initialisation at zero suffices", "the algorithm", evidence.zero_suffices),
    Claim("diverse", "diversity: queries of different areas have different patterns", THEOREM, evidence.diverse),
    Claim(
        "contrastive",
        "contrastive learning ends in one global pattern",
        "the section on contrastive learning",
        lambda _: evidence.beyond("this package has the masked reconstruction loss alone"),
    ),
    Claim(
        "real-vits",
        "pretrained ViTs show such local and diverse patterns",
        "the experiments",
        lambda _: evidence.beyond("no trained ViT comes along; dy.attention_diversity takes its maps"),
    ),
)


def verdict(found: Evidence) -> str:
    """What the margin says."""
    inside = margin(found)
    if math.isnan(inside):
        return UNTESTABLE
    return FAILS if inside < 0 else IN_THE_LIMIT if found.limit else HOLDS


def data(p: Parameters) -> Table:
    """One row a claim."""
    evidence.check(p)
    parts = []
    for claim in progress_of(CLAIMS, "claims"):
        found = claim.evidence(p)
        said = {"claim": claim.name, "statement": claim.statement, "place": claim.place}
        said |= {"tested": found.tested, "measured": found.measured}
        numbers = {name: float(getattr(found, name)) for name in ("value", "uncertainty", "low", "high")}
        judged = {"margin": margin(found), "verdict": verdict(found), "note": found.note}
        parts.append(rows(**said, **numbers, **judged))
    return stack(parts)


def allowed(low: float, high: float) -> str:
    """The range in words."""
    bounds = [f"≥ {low:g}"] * math.isfinite(low) + [f"≤ {high:g}"] * math.isfinite(high)
    return ", ".join(bounds)


def text(table: Table) -> str:
    """The table for a terminal."""
    lines = []
    for i, name in enumerate(table["claim"]):
        row = {column: values[i] for column, values in table.items()}
        lines.append(f"{row['verdict'].upper():20}{row['statement']}   [{name}; {row['place']}]")
        if row["verdict"] != UNTESTABLE:
            number = f"{row['value']:.4g} ± {row['uncertainty']:.1g}" if row["uncertainty"] else f"{row['value']:.4g}"
            range_ = allowed(row["low"], row["high"])
            lines.append(f"{'':20}{row['measured']}: {number} (claim: {range_}; margin {row['margin']:.3g})")
            lines.append(f"{'':20}{row['tested']}")
        if row["note"]:
            lines.append(f"{'':20}{row['note']}")
    return "\n".join(lines)


def markdown(table: Table) -> str:
    """The table for a page."""
    lines = [
        "| claim | place in the paper | tested | measured | allowed | margin | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    for i in range(len(table["claim"])):
        row = {column: values[i] for column, values in table.items()}
        number = "" if math.isnan(row["value"]) else f"{row['measured']}: {row['value']:.4g} ± {row['uncertainty']:.1g}"
        inside = "" if math.isnan(row["margin"]) else f"{row['margin']:.3g}"
        judged = f"*{row['verdict']}*" + (f" ({row['note']})" if row["note"] else "")
        cells = row["statement"], row["place"], row["tested"], number, allowed(row["low"], row["high"]), inside, judged
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def draw(figure: Figure, table: Table, p: Parameters) -> None:
    """The table as a figure: the claim, what was measured, what it may be, and the verdict."""
    axes, count = figure.subplots(), len(table["claim"])
    axes.set(xlim=(0, 1), ylim=(count - 0.4, -1.2))
    axes.axis("off")
    places = 0.02, 0.36, 0.69, 0.78, 0.88
    for x, word in zip(places, ("claim", "measured", "allowed", "margin", "verdict"), strict=True):
        axes.text(x, -0.8, word, weight="bold", fontsize=7)
    axes.axhline(-0.5, color=style.GREY, linewidth=0.8)
    for i in range(count):
        row = {column: values[i] for column, values in table.items()}
        measured = row["note"] if row["verdict"] == UNTESTABLE else f"{row['measured']}: {row['value']:.3g}"
        inside = "" if math.isnan(row["margin"]) else f"{row['margin']:.2g}"
        cells = (row["statement"], 38), (measured, 36), (allowed(row["low"], row["high"]), 12), (inside, 12)
        for x, (cell, width) in zip(places, (*cells, (row["verdict"], 14)), strict=True):
            axes.text(x, i, textwrap.fill(cell, width), va="center", fontsize=6, linespacing=1.0)
        if row["verdict"] in LOOK:
            color, marker = LOOK[row["verdict"]]
            axes.plot(0.0, i, marker=marker, color=color, markersize=5, clip_on=False)
        axes.axhline(i + 0.5, color=style.GREY, linewidth=0.3)
