"""Large P: the rates at Q = 0, the information gap, and the terms that lead from there on.

Mean-field, one cluster, one constant latent z (laws of the latent: ``latents``), Q(0) = 0: the counts of unmasked
patches stand at their mean given that the query is masked. A global area has P^κc patches, each of the
n = (P − P^κc)/P^κs local ones P^κs, as real numbers. Every rate comes from ``gradients`` and every attention from
``model``; a limit is taken with 50 digits or more, its remainder stated and measured (``proof.extrapolated``).

What is proved of the phases: here, that on the trajectory which the two terms γz³A_target and −γz³A_global² make,
at every fixed r·t in (0, 1), they are all that is left of the rates, and that no other correlation moves; in
``phases``, what follows from the two terms. That the true trajectory stays beside that one is not proved: it is
consistent, and the programs measure it.

Source: arXiv 2403.02233, the two-phase analysis of a local query and its one-phase counterpart.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import sympy as sp

from derivations import gradients, model, proof
from derivations.proof import Proof, extrapolated, inside_limits
from derivations.statements import Result, Step, states
from derivations.symbols import A, P, R, a, attn, j, kappa_c, kappa_s, latent, m, mask_ratio, r, z

Kind: TypeAlias = Literal["target", "global", "other"]
Values: TypeAlias = dict[Kind, sp.Expr]

GAP = (1 - kappa_s) - 2 * (1 - kappa_c)
TWO_KINDS = sp.Gt(kappa_c - kappa_s, sp.Rational(1, 20))  # local areas smaller than the global one
DECOUPLED = sp.Gt(GAP, sp.Rational(1, 20))  # at a draw nearer to 0 the ladder would have to be longer
FLOW = "gradient flow, mean-field, one cluster, constant latent, Q(0) = 0"
LOCAL = f"{FLOW}; a local query; 0 < κs < κc < 1"
LEADING = "the rates are their leading terms: consistent by leading-target, -global and -others, measured by programs"
PAPER = "paper, the dynamics of a local query"


def areas(query: Literal["local", "global"]) -> dict[Kind, tuple[sp.Expr, sp.Expr]]:
    """How many areas of each kind, and the patches of one of them, the query not counted."""
    broad, narrow = P**kappa_c, P**kappa_s
    number = (P - broad) / narrow
    if query == "global":
        return {"target": (sp.Integer(1), broad - 1), "other": (number, narrow)}
    return {"target": (sp.Integer(1), narrow - 1), "global": (sp.Integer(1), broad), "other": (number - 1, narrow)}


class MeanField:
    """Attention and rates of a query at given Φ and Υ = 0, the counts at their mean.

    Every area shows `latent`, but for the kinds that `shows` names.

    Attributes
    ----------
    unmasked, masked : dict
        Attention on the unmasked, and on the masked, patches of one area of each kind.
    """

    def __init__(self, query: Literal["local", "global"], fp: Values, shows: Values | None = None) -> None:
        self._areas = areas(query)
        self._shows: Values = dict.fromkeys(self._areas, latent) | (shows or {})
        seen, hidden = (P - mask_ratio * P) / (P - 1), (mask_ratio * P - 1) / (P - 1)  # of a patch not the query
        zero = sp.Integer(0)
        masses = {
            kind: (
                size * seen * model.unmasked_mass(self._shows[kind], fp.get(kind, zero), zero),
                size * hidden * model.masked_mass(zero),
            )
            for kind, (_, size) in self._areas.items()
        }
        total = model.masked_mass(zero) + sum(self._areas[kind][0] * sum(pair) for kind, pair in masses.items())
        self.unmasked: Values = {kind: pair[0] / total for kind, pair in masses.items()}
        self.masked: Values = {kind: pair[1] / total for kind, pair in masses.items()}
        self._self = model.masked_mass(zero) / total

    def fp_rate(self, kind: Kind) -> sp.Expr:
        """Rate of Φ of an area of this kind."""
        return mask_ratio * self._at(fp_rate(_area(kind)), kind)

    def pp_rate(self, kind: Kind) -> sp.Expr:
        """Rate of Υ of one patch of an area of this kind, unmasked or masked."""
        _, size = self._areas[kind]
        unmasked = pp_rate(_area(kind)).subs(attn[r], self.unmasked[kind] / size)
        masked = pp_rate(None).subs(attn[r], self.masked[kind] / size)
        return mask_ratio * self._at(unmasked + masked, kind)

    def pp_self_rate(self) -> sp.Expr:
        """Rate of Υ of the query itself."""
        return mask_ratio * self._at(pp_rate(None).subs(attn[r], self._self), "target")

    def _at(self, derived: sp.Expr, kind: Kind) -> sp.Expr:
        """A derived expression in A and z with these attentions, its area m being one of this kind."""

        def over_kinds(total: sp.Sum) -> sp.Expr:
            left_out = {area for delta in total.atoms(sp.KroneckerDelta) for area in delta.args} - {j}
            summand = total.function.subs(dict.fromkeys(total.atoms(sp.KroneckerDelta), 0))
            taken = {"target" if area == a else kind for area in left_out}
            return sum(
                (count - int(name in taken)) * summand.subs({A[j]: self.unmasked[name], z[j]: self._shows[name]})
                for name, (count, _) in self._areas.items()
            )

        written = derived.replace(lambda part: isinstance(part, sp.Sum), over_kinds)
        for area, name in ((a, "target"), (m, kind)):
            attention, shown = self.unmasked[name], self._shows[name]  # type: ignore[index]
            written = written.subs({A[area]: attention, R[area]: 1 - attention, z[area]: shown})
        return written


def fp_rate(area: sp.Symbol) -> sp.Expr:
    """Rate of Φ of area a, the target, or m, per masked query: result ``fp-rate-target`` or ``fp-rate-other``."""
    return gradients.fp_lever().subs(m, area) * gradients.pull(area)


def pp_rate(area: gradients.Kind) -> sp.Expr:
    """Rate of Υ of a patch r unmasked in area a or m, or masked: results ``pp-rate-*``."""
    return gradients.pp_lever() * gradients.pull(area)


def _area(kind: Kind) -> sp.Symbol:
    return a if kind == "target" else m


def start(query: Literal["local", "global"] = "local") -> MeanField:
    """The query at Q = 0."""
    return MeanField(query, {})


# ── Leading terms. Claims, proved in leading-target, leading-global and start-attention-*. ──

FIRST_TARGET = (1 - mask_ratio) * P ** (kappa_s - 1)  # A_target and A_global at Q = 0
FIRST_GLOBAL = (1 - mask_ratio) * P ** (kappa_c - 1)
progress = sp.Symbol("x", positive=True)  # r·t, in (0, 1)
at_target, at_global = sp.symbols("A_target0 A_global0", positive=True)  # the same two, kept as symbols
IN_P = {at_target: FIRST_TARGET, at_global: FIRST_GLOBAL}


def target_term(attention: sp.Expr) -> sp.Expr:
    """Rate of Φ_target while A_target is small."""
    return mask_ratio * latent**3 * attention


def global_term(attention: sp.Expr) -> sp.Expr:
    """Rate of Φ_global once A_global dwarfs A_target, as it does from the start."""
    return -mask_ratio * latent**3 * attention**2


def speed(first: sp.Expr) -> sp.Expr:
    """r: the inverse time in which Φ_target, of attention `first` at Q = 0, would reach infinity."""
    return latent * target_term(first)


def target_path(time: sp.Expr, first: sp.Expr) -> sp.Expr:
    """Φ_target(t) of its leading term."""
    return -sp.log(1 - speed(first) * time) / latent


def global_path(time: sp.Expr, first: sp.Expr) -> sp.Expr:
    """Φ_global(t) of its leading term."""
    return -sp.log(1 + 2 * mask_ratio * latent**4 * first**2 * time) / (2 * latent)


def on_the_path() -> MeanField:
    """A local query at r·t = x, Φ_target and Φ_global on their leading paths."""
    time = progress / speed(FIRST_TARGET)
    fp: Values = {"target": target_path(time, FIRST_TARGET), "global": global_path(time, FIRST_GLOBAL)}
    return MeanField("local", fp)


def to_infinity(expression: sp.Expr, variable: sp.Symbol = P) -> sp.Limit:
    """The limit, not carried out."""
    return sp.Limit(expression, variable, sp.oo, "-")


def by_sympy(variable: sp.Symbol, to: sp.Expr = sp.oo) -> Proof:
    """`after` is the limit that stands unevaluated in `before`."""
    return lambda before, after: proof.limit(variable, to)(inside_limits(before), after)


# ── The start. ──


def one_limit(name: str, title: str, grows: sp.Expr, to: sp.Expr, how: Proof, said: str, **more: object) -> Result:
    """A result that is one limit P → ∞."""
    settings = {"reference": f"theory §5; {PAPER}", "assumptions": (LOCAL,), **more}
    return Result(
        name=name,
        title=title,
        statement=sp.Eq(to_infinity(grows), to, evaluate=False),
        steps=(Step(said, to_infinity(grows), to, how),),
        exactness="large-P",
        **settings,  # type: ignore[arg-type]
    )


@states
def start_attention_target() -> Result:
    """A_target at Q = 0."""
    return one_limit(
        name="start-attention-target",
        title="Attention on the target area at Q = 0",
        grows=P ** (1 - kappa_s) * start().unmasked["target"],
        to=1 - mask_ratio,
        how=extrapolated(P, P**-kappa_s),
        said="every patch weighs the same; (1 − γ)P/(P − 1) of the P^κs − 1 others are unmasked",
        uses=("attention", "mean-occupancy"),
    )


@states
def start_attention_global() -> Result:
    """A_global at Q = 0."""
    return one_limit(
        name="start-attention-global",
        title="Attention on the global area at Q = 0",
        grows=P ** (1 - kappa_c) * start().unmasked["global"],
        to=1 - mask_ratio,
        how=extrapolated(P, 1 / P),
        said="every patch weighs the same; (1 − γ)P/(P − 1) of the P^κc are unmasked",
        uses=("attention", "mean-occupancy"),
    )


@states
def start_target() -> Result:
    """Rate of Φ_target at Q = 0: γ(1 − γ)z³P^{κs−1}."""
    return one_limit(
        name="start-target",
        title="The rate of Φ_target at Q = 0 and its power of P",
        grows=P ** (1 - kappa_s) * start().fp_rate("target"),
        to=mask_ratio * (1 - mask_ratio) * latent**3,
        how=extrapolated(P, P**-kappa_s + P ** (2 * (kappa_c - 1)) + P ** (kappa_s - 1)),
        said="put the attention at Q = 0 into the derived rate",
        uses=("start-attention-target", "fp-rate-target"),
    )


@states
def start_global() -> Result:
    """Rate of Φ_global at Q = 0: −γ(1 − γ)²z³P^{2(κc−1)}."""
    return one_limit(
        name="start-global",
        title="The rate of Φ_global at Q = 0 and its power of P",
        grows=P ** (2 * (1 - kappa_c)) * start().fp_rate("global"),
        to=-mask_ratio * (1 - mask_ratio) ** 2 * latent**3,
        how=extrapolated(P, P ** (kappa_c - 1) + P ** (kappa_s - kappa_c), TWO_KINDS),
        said="put the attention at Q = 0 into the derived rate",
        uses=("start-attention-global", "start-attention-target", "fp-rate-other"),
    )


@states
def information_gap() -> Result:
    """Δ: the exponent of |rate of Φ_global| / rate of Φ_target at Q = 0."""
    ratio = sp.log(-start().fp_rate("global") / start().fp_rate("target")) / sp.log(P)
    expansion = GAP + sp.log(1 - mask_ratio) / sp.log(P)
    remainder = P ** (kappa_c - 1) + P ** (kappa_s - kappa_c) + P**-kappa_s
    return Result(
        name="information-gap",
        title="The information gap: its sign says which correlation is faster at Q = 0",
        statement=sp.Eq(to_infinity(ratio), GAP, evaluate=False),
        steps=(
            Step(
                "take the ratio of the two rates", to_infinity(ratio), to_infinity(expansion),
                extrapolated(P, remainder, TWO_KINDS),
            ),
            Step("log(1 − γ)/log P vanishes", to_infinity(expansion), GAP, by_sympy(P)),
        ),
        exactness="large-P",
        reference="theory §1, §5; paper, the definition of the information gap",
        uses=("start-target", "start-global"),
        assumptions=(LOCAL,),
    )  # fmt: skip


# ── On the path of the leading terms. ──


@states
def leading_target() -> Result:
    """The rate of Φ_target over its leading term, up to the half-time."""
    ratio = on_the_path().fp_rate("target") / target_term(FIRST_TARGET / (1 - progress))
    return one_limit(
        name="leading-target",
        title="What is left of the rate of Φ_target at r·t = x: γz³A_target, A_target = A_target(0)/(1 − x)",
        grows=ratio,
        to=sp.Integer(1),
        how=extrapolated(P, P**-kappa_s + P ** (kappa_c - 1) + P ** (kappa_s - 1)),
        said="put Φ_target and Φ_global of the leading terms into the derived rate",
        uses=("start-attention-target", "start-attention-global", "fp-rate-target"),
        assumptions=(LOCAL, "on the path of the leading terms, x in (0, 1) fixed"),
    )


@states
def leading_global() -> Result:
    """The rate of Φ_global over its leading term, up to the half-time."""
    state = on_the_path()
    growth = sp.exp(latent * global_path(progress / speed(FIRST_TARGET), FIRST_GLOBAL))
    return one_limit(
        name="leading-global",
        title="What is left of the rate of Φ_global at r·t = x: −γz³A_global², A_global = A_global(0)·exp(zΦ_global)",
        grows=state.fp_rate("global") / global_term(FIRST_GLOBAL * growth),
        to=sp.Integer(1),
        how=extrapolated(P, P ** (kappa_c - 1) + P ** (kappa_s - kappa_c) + P ** ((kappa_s - 1) / 2), TWO_KINDS),
        said="put Φ_target and Φ_global of the leading terms into the derived rate",
        uses=("start-attention-target", "start-attention-global", "fp-rate-other"),
        assumptions=(LOCAL, "on the path of the leading terms, x in (0, 1) fixed"),
    )


@states
def leading_others() -> Result:
    """No other correlation moves by a fixed amount before the half-time."""
    state = on_the_path()
    kinds: tuple[Kind, ...] = ("target", "global", "other")
    rates = (state.fp_rate("other"), *(state.pp_rate(kind) for kind in kinds), state.pp_self_rate())
    return one_limit(
        name="leading-others",
        title="What the other correlations move in a time 1/r, all of Υ among them: nothing",
        grows=sum(sp.Abs(rate) for rate in rates) / speed(FIRST_TARGET),
        to=sp.Integer(0),
        how=extrapolated(P, P**-kappa_s + P ** (2 * (kappa_c - 1)) + P ** (kappa_s - 1)),
        said="put Φ_target and Φ_global of the leading terms into the derived rates",
        uses=("leading-target", "leading-global", "pp-rate-target", "pp-rate-other", "pp-rate-masked", "pp-rate-self"),
        assumptions=(LOCAL, "on the path of the leading terms, x in (0, 1) fixed"),
    )
