"""Result and Step: a statement, the steps that lead to it, and what checks each of them."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

import sympy as sp

from derivations import proof
from derivations.proof import Checked, DerivationError, Proof

Exactness = Literal["exact", "large-P", "continuous-time"]


LONGEST = 120  # characters of a line


def _line(kind: str, *parts: str) -> str:
    """One line that names an object; its formulas are for ``pretty`` and ``latex``."""
    said = " ".join(f"{kind}({', '.join(parts)}".split())
    return f"{said})" if len(said) < LONGEST else f"{said[: LONGEST - 2].rstrip()}…)"


@dataclass(frozen=True)
class Step:
    """One step: what was done to `before` to get `after`, and the proof that it may be done."""

    said: str
    before: sp.Basic
    after: sp.Basic
    proof: Proof = proof.equal

    def __repr__(self) -> str:
        return _line("Step", self.said)

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

    def __repr__(self) -> str:
        return _line("Result", self.name, self.exactness, self.title)

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
        """The statement in LaTeX, as the exported pages have it."""
        from derivations import pages
        from derivations.shown import Shown

        return pages.latex_formula(Shown(self).whole_statement())

    def pretty(self) -> str:
        """The statement in Unicode, for a terminal."""
        from derivations import export, terminal
        from derivations.shown import Shown

        return terminal.text(export.stated(Shown(self)))

    def code(self, language: Literal["python", "c", "julia", "mathematica"]) -> str:
        """The right side of the statement as code; see ``derivations.code``."""
        from derivations.code import write

        return write(self, language)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"


# The modules that state results, in the order of the theory.
_MODULES = (
    "model",
    "learning",
    "symmetry",
    "masks",
    "flow",
    "closures",
    "second_order",
    "integral",
    "conditional",
    "asymptotics",
    "phases",
    "late",
    "latents",
)
_USED_IN = {
    **dict.fromkeys(
        ("pull-target", "pull-other", "pull-masked"),
        ("dynamics.loops", "dynamics.ledger", "dynamics.log_loops", "dynamics.log_ledger", "dynamics.system"),
    ),
    **dict.fromkeys(("curvature-target", "curvature-target-other", "curvature-target-masked"), ("dynamics.jacobian",)),
    **dict.fromkeys(("curvature-same", "curvature-others", "curvature-other-masked"), ("dynamics.jacobian",)),
    "curvature-masked": ("dynamics.jacobian",),
    **dict.fromkeys(("fp-rate-target", "fp-rate-other", "pp-rate-over-clusters"), ("dynamics.system",)),
    "query-loss-of-attention": ("dynamics.system",),
    "attention": ("dynamics.system", "dynamics.patterns"),
    "equal-areas-merge": ("dynamics.coordinates", "dynamics.system"),
    "exchangeable-patches": ("dynamics.coordinates",),
    "occupancy-law": ("dynamics.occupancy", "dynamics.closures", "dynamics.conditional"),
    "occupancy-merges": ("dynamics.conditional",),
    **dict.fromkeys(("conditional-squares", "squares-suffice"), ("dynamics.terms",)),
    "mean-occupancy": ("dynamics.occupancy", "dynamics.logscale"),
    "mean-field": ("dynamics.closures", "dynamics.logscale"),
    "hypergeometric-covariance": ("dynamics.occupancy",),
    "second-order": ("dynamics.second_order",),
    **dict.fromkeys(
        ("attention-along-a-ray", "curvature-from-five-samples"), ("dynamics.rays", "dynamics.second_order")
    ),
    **dict.fromkeys(("information-gap", "loss-floor"), ("dynamics.setting",)),
    **dict.fromkeys(("loss-above-floor", "floor-is-approached"), ("dynamics.setting",)),
    "shift-invariance": ("dynamics.loops", "dynamics.terms"),
    "integral-form": ("dynamics.integral", "dynamics.nodes", "dynamics.quadrature"),
    "quadrature": ("dynamics.integral", "dynamics.nodes", "dynamics.quadrature"),
    "inverse-power": ("dynamics.nodes", "dynamics.quadrature"),
    "binomial-at-a-node": ("dynamics.nodes",),
    "generating-function": ("dynamics.quadrature",),
    "dissipation": ("dynamics.flow",),
    **dict.fromkeys(
        ("half-time", "latent-spread", "fp-global-at-half-time"), ("dynamics.moments", "dynamics.exponents")
    ),
    **dict.fromkeys(("global-query", "phase-one-end"), ("dynamics.exponents",)),
    "pp-exponent": ("dynamics.moments", "dynamics.exponents"),
    **dict.fromkeys(
        ("phase-one-end-target", "latent-at-lock", "latent-half-time", "latent-plateau"), ("dynamics.exponents",)
    ),
    **dict.fromkeys(("late-exact", "late-exact-tail"), ("dynamics.margin",)),
    "descent-is-the-reduced-descent-fp": ("dynamics.flow",),
    "descent-is-the-reduced-descent-pp": ("dynamics.flow",),
}
_makers: dict[str, Callable[[], Result]] = {}


def states(make: Callable[[], Result]) -> Callable[[], Result]:
    """Register a function that makes a Result named like it, with dashes."""
    _makers[make.__name__.replace("_", "-")] = made = cache(make)
    return made


def names() -> dict[str, str]:
    """The name of every result, in the order in which they build on each other, and the module that states it.

    No result is made for it.
    """
    import importlib

    for module in _MODULES:
        importlib.import_module(f"derivations.{module}")
    home = {name: make.__module__.rpartition(".")[2] for name, make in _makers.items()}
    # Whoever imported one module first has registered its results first.
    return dict(sorted(home.items(), key=lambda entry: _MODULES.index(entry[1])))


def results() -> tuple[Result, ...]:
    """Every result, in the order in which they build on each other."""
    return tuple(_makers[name]() for name in names())


def result(name: str) -> Result:
    """The result of this name; a ValueError names some that there are."""
    if not isinstance(name, str) or (name not in _makers and name not in names()):
        near = difflib.get_close_matches(str(name), names(), 3, 0) or list(names())[:3]
        raise ValueError(
            f"name={name!r}: expected a result, such as {', '.join(near)}; “python -m derivations list” lists all"
        )
    return _makers[name]()
