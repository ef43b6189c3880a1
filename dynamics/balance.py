"""Names of the terms of every rate, the ledger of dominant balance: which residual of which areas each comes from."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeAlias

import numpy as np

from dynamics import closures
from dynamics.closures import Closure, Rule
from dynamics.coordinates import Coordinates
from dynamics.errors import accept
from dynamics.ledger import MASKED, OWN, STRAY, TARGET, UNMASKED
from dynamics.logscale import LogRule
from dynamics.setting import Setting

MOST_TERMS = 1_000_000  # of all rates
MOST_ROWS = 1_000_000  # that terms are summed over where the exact mean is not taken by rows

# Name of coordinate, name of term -> where ``ledger`` holds it.
Places: TypeAlias = dict[str, dict[str, tuple[int, int, int]]]


def rows(setting: Setting, coordinates: Coordinates, closure: Closure, rule: Any) -> Rule | LogRule:
    """The rows that have terms: of second-order those of mean-field, of any exact mean those of enumeration.

    Raises
    ------
    ValueError
        If the exact mean is not taken by rows, and has too many; or if there are too many terms.
    """
    n = len(coordinates.names)
    terms = 2 * n * (STRAY + len(set().union(*map(set, coordinates.fp))))
    accept(terms <= MOST_TERMS, "coordinates", n, f"fewer: their rates have some {terms:,} terms")
    if closure == "second-order":
        return closures.mean_field(setting, coordinates)
    if isinstance(rule, (Rule, LogRule)):
        return rule
    count = closures.count_rows(setting, coordinates)
    others = '"mean-field", "second-order" or "sampled" for the terms of rates'
    size = f"the exact ones are sums over 10^{math.log10(count):.1f} rows, and {MOST_ROWS:,} is the most"
    accept(count <= MOST_ROWS, "closure", closure, f"{others}: {size}")
    return closures.exact(setting, coordinates)


def places(rule: Rule | LogRule, coordinates: Coordinates, masked: float) -> Places:
    """Where the ledger of a rule holds each term that there is, and what both are called.

    Parameters
    ----------
    rule : Rule or LogRule
        Only its areas, cells and copies are looked at.
    coordinates : Coordinates
    masked : float
        Masked patches γP, the query among them.
    """
    found: set[tuple[int, int, int]] = set()
    laid = _one_cluster(rule) if isinstance(rule, LogRule) else rule
    for target, first, last in zip(laid.target, laid.areas[:-1], laid.areas[1:], strict=True):
        others = [j for j in range(first, last) if j != target]
        by_masked = {TARGET} | {STRAY + rule.fp[j] for j in others}
        found |= {(MASKED, len(coordinates.names) - 1, term) for term in by_masked}
        for m in range(first, last):
            own = set() if m == target else {OWN}
            pulled = {TARGET} | own | {STRAY + rule.fp[j] for j in others if j != m or laid.copies[j] != 1}
            cells = laid.pp[laid.cells[m] : laid.cells[m + 1]]
            found |= {(UNMASKED, i, term) for i in (rule.fp[m], *cells) for term in pulled}
            found |= {(MASKED, i, term) for i in cells for term in by_masked if masked > 1}
    term_names = _term_names(coordinates)
    out: Places = {name: {} for name in coordinates.names}
    for part, i, term in sorted(found):
        prefix = "masked: " if part == MASKED else ""
        out[coordinates.names[i]][prefix + term_names[term]] = int(part), int(i), int(term)
    return out


def _one_cluster(rule: LogRule) -> Any:
    """Areas and cells as a rule of rows has them: an area has one cell here."""
    n, alone = len(rule.fp), rule.but_one[:, 0] == 0
    layout = {"target": [rule.target], "areas": [0, n], "cells": range(n + 1), "copies": np.where(alone, 1, 2)}
    return SimpleNamespace(fp=rule.fp, pp=rule.pp, **layout)


def named(ledger: Any, places: Places, number: Callable[[Any], Any] = float) -> dict[str, dict[str, Any]]:
    """The terms by name; numbers of any kind, if `number` takes them."""
    return {
        coordinate: {term: number(ledger[place]) for term, place in terms.items()}
        for coordinate, terms in places.items()
    }


def _term_names(coordinates: Coordinates) -> dict[int, str]:
    """What the term at each place of the ledger is called: stray by the group that attention on it is filed under."""
    names = {TARGET: "target", OWN: "own"}
    for k, row in enumerate(coordinates.fp):
        names |= {STRAY + int(i): name for i, name in zip(row, coordinates.group_names(k), strict=True)}
    return names
