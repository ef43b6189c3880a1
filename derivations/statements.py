"""Result and Step: a statement, the steps that lead to it, and what checks each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

import sympy as sp

from derivations import proof
from derivations.proof import Checked, DerivationError, Proof

Exactness = Literal["exact", "large-P", "continuous-time"]


@dataclass(frozen=True)
class Step:
    """One step: what was done to `before` to get `after`, and the proof that it may be done."""

    said: str
    before: sp.Basic
    after: sp.Basic
    proof: Proof = proof.equal

    def check(self) -> Checked:
        """How the step was verified; a DerivationError shows where it fails."""
        return self.proof(self.before, self.after)


class Report(NamedTuple):
    """How one step of a result was verified."""

    step: str
    checked: Checked


@dataclass(frozen=True)
class Result:
    """A statement of the theory that proves itself.

    Attributes
    ----------
    name, title : str
    statement : sympy.Eq or inequality
    steps : tuple of Step
        From the left side of the statement to its right side.
    exactness : "exact" | "large-P" | "continuous-time"
    reference : str
        Where it stands: theory and paper.
    uses : tuple of str
        Names of the earlier results that it rests on.
    assumptions : tuple of str
    """

    name: str
    title: str
    statement: sp.Rel
    steps: tuple[Step, ...]
    exactness: Exactness
    reference: str
    uses: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()

    @property
    def used_in(self) -> tuple[str, ...]:
        """Modules of ``dynamics`` that compute what is stated; their docstrings name the result."""
        return _USED_IN.get(self.name, ())

    def check(self) -> tuple[Report, ...]:
        """Verify every step, that they join, and that they lead to the statement.

        Raises
        ------
        DerivationError
            Naming the result and the step, with a witness.
        """
        reports, joint = [], None
        for step in self.steps:
            try:
                if joint is not None and joint != step.before:
                    proof.equal(joint, step.before)
                reports.append(Report(step.said, step.check()))
            except DerivationError as error:
                raise DerivationError(f"{self.name}, step “{step.said}”: {error}") from error
            joint = step.after
        try:
            reports.append(Report("this is the statement", proof.follows(self.statement, self.steps)))
        except DerivationError as error:
            raise DerivationError(f"{self.name}, the statement: {error}") from error
        return tuple(reports)

    def latex(self) -> str:
        """The statement in LaTeX."""
        return sp.latex(self.statement)

    def pretty(self) -> str:
        """The statement in Unicode, for a terminal."""
        return sp.pretty(self.statement, use_unicode=True)

    def code(self, language: Literal["python", "c", "julia", "mathematica"]) -> str:
        """The right side of the statement as code; see ``derivations.code``."""
        from derivations.code import write

        return write(self, language)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"


_MODULES = (
    "model",
    "learning",
    "symmetry",
    "masks",
    "flow",
    "closures",
    "second_order",
    "integral",
    "asymptotics",
    "phases",
    "late",
)
_USED_IN = {
    **dict.fromkeys(("pull-target", "pull-other", "pull-masked"), ("dynamics.loops",)),
    **dict.fromkeys(("curvature-target", "curvature-target-other", "curvature-target-masked"), ("dynamics.loops",)),
    **dict.fromkeys(("curvature-same", "curvature-others", "curvature-other-masked"), ("dynamics.loops",)),
    "curvature-masked": ("dynamics.loops",),
    **dict.fromkeys(("fp-rate-target", "fp-rate-other", "pp-rate-over-clusters"), ("dynamics.system",)),
    **dict.fromkeys(("query-loss-of-attention", "attention"), ("dynamics.system",)),
    "equal-areas-merge": ("dynamics.coordinates", "dynamics.system"),
    "exchangeable-patches": ("dynamics.coordinates",),
    **dict.fromkeys(("occupancy-law", "mean-occupancy"), ("dynamics.occupancy",)),
    **dict.fromkeys(("information-gap", "loss-floor"), ("dynamics.setting",)),
    **dict.fromkeys(("loss-above-floor", "floor-is-approached"), ("dynamics.setting",)),
    "shift-invariance": ("dynamics.loops",),
    "dissipation": ("dynamics.flow",),
    "descent-is-the-reduced-descent-fp": ("dynamics.flow",),
    "descent-is-the-reduced-descent-pp": ("dynamics.flow",),
}
_makers: dict[str, Callable[[], Result]] = {}


def states(make: Callable[[], Result]) -> Callable[[], Result]:
    """Register a function that makes a Result named like it, with dashes."""
    name, made = make.__name__.replace("_", "-"), cache(make)
    _makers[name] = made
    return made


def results() -> tuple[Result, ...]:
    """Every result, in the order in which they build on each other."""
    _load()
    return tuple(make() for make in _makers.values())


def result(name: str) -> Result:
    """The result of this name; a ValueError names those there are."""
    if name not in _makers:
        _load()
    if name not in _makers:
        raise ValueError(f"name={name!r}: expected one of {', '.join(_makers)}")
    return _makers[name]()


def _load() -> None:
    """Import the modules of the theory in its order."""
    import importlib

    for module in _MODULES:
        importlib.import_module(f"derivations.{module}")
