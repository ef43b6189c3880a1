"""The reduced system of one query: rates, Jacobian, loss and attention as functions of its coordinates."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dynamics import balance, closures, written
from dynamics.closures import MOST_BYTES, Closure, Rule
from dynamics.compiled import Part, kernel
from dynamics.conditional import ConditionalRule
from dynamics.coordinates import Coordinates
from dynamics.errors import accept, real_array, real_number, true_or_false, whole_number
from dynamics.geometry import Array
from dynamics.integral import IntegralRule, accept_workspace
from dynamics.laws import LARGEST
from dynamics.logscale import MOST_LOG_PATCHES, LogRule, log_rule
from dynamics.second_order import SecondOrderRule
from dynamics.setting import Setting
from dynamics.shown import LONGEST, MOST_ROWS, Sheet, further, guarded, line, number, power, some

if TYPE_CHECKING:
    import sympy as sp

PER_ROW = ("cluster", "counts", "latents", "weight")  # fields of a rule

AnyRule = Rule | LogRule | IntegralRule | ConditionalRule | SecondOrderRule


@dataclass(frozen=True, eq=False)
class System:
    """A closed system of ordinary differential equations, made by ``reduce`` of `setting`, `query` and `closure`.

    A merged coordinate i stands for mult_i single correlations; its rate is that of one of them. With L_p the query's
    share of the loss, ∂L_p/∂y_i = −mult_i rate_i, so gradient descent is y ← y + η·rate(y) as it stands.
    Results ``fp-rate-target``, ``fp-rate-other``, ``pp-rate-over-clusters``, ``equal-areas-merge``;
    arXiv 2403.02233, the lemmas on the gradients.
    """

    setting: Setting
    query: int | str
    closure: Closure
    coordinates: Coordinates
    rule: AnyRule
    options: dict[str, Any]
    compiled: bool | None = None

    def __getstate__(self) -> dict[str, Any]:
        """What a copy in another process is made from: not the kernel, which it loads itself."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @guarded
    def __repr__(self) -> str:
        said = f"{self._said()}, {len(self.names)} coordinates: "
        return line("System", said + some(self.names, LONGEST - len(f"System({said}, …)")))

    def _repr_html_(self) -> str:
        return self.sheet().html()

    def sheet(self) -> Sheet:
        """The coordinates as a table, with how many single correlations each stands for."""
        counts = [number(count) for count in self.multiplicity]
        if isinstance(self.rule, LogRule):
            with np.errstate(divide="ignore"):
                counts = [power(np.log(part) + twos * math.log(2)) for part, twos in self.rule.multiplicity]
        rows = tuple(zip(self.names[:MOST_ROWS], counts, strict=False))
        note = filter(None, (further(len(self.names), "coordinates"), repr(self.setting)))
        return Sheet(f"System of {self._said()}", ("coordinate", "single correlations"), rows, "\n".join(note))

    def _said(self) -> str:
        """Query, closure and law in a few words."""
        query = repr(self.query) if isinstance(self.query, str) else number(self.query)
        drawn = f"sampled {self.options.get('samples')} times, seed {number(self.options.get('seed', 0))}"
        mean = {"exact": f"exact by {self.method}", "sampled": drawn}.get(self.closure, f"{self.closure} (large-P)")
        said = f"query {query} of {self.setting.geometry.how_many}", mean, self.setting.law.label
        return ", ".join(filter(None, said))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the n coordinates."""
        return self.coordinates.names

    @property
    def multiplicity(self) -> Array:
        """How many single correlations each coordinate stands for: (n,), infinite beyond the range of floats."""
        return self.coordinates.multiplicity

    @property
    def initial(self) -> Array:
        """The state at Q = 0: (n,)."""
        return np.zeros(len(self.names))

    @cached_property
    def memory(self) -> dict[Any, Array]:
        """What was solved of it: several things are asked of one solve."""
        return {}

    @property
    def exactness(self) -> str:
        """Of the rates: "exact" or "large-P"; a flow is continuous-time besides."""
        return closures.EXACTNESS[self.closure]

    @property
    def method(self) -> str:
        """How the mean is taken: "enumeration", "conditional" or "integral" if exactly; or what it is taken over."""
        if self.closure == "exact" and not isinstance(self.rule, Rule):
            return "integral" if isinstance(self.rule, IntegralRule) else "conditional"
        taken = {"exact": "enumeration", "sampled": "samples", "mean-field": "mean counts"}
        return taken.get(self.closure, "curvature at mean counts")

    @cached_property
    def form(self) -> str:
        """What the names of the functions in use end in: the method, so many areas without loops, or nothing."""
        if isinstance(self.rule, LogRule):
            return ""
        if not isinstance(self.rule, Rule):
            return "_second_order" if isinstance(self.rule, SecondOrderRule) else f"_{self.method}"
        areas = closures.unrolled_form(self.rule)
        return f"_{areas}" if areas else ""

    def loop(self, name: str) -> Callable[..., Any]:
        """A function of a kernel in the form that is used."""
        function: Callable[..., Any] = getattr(kernel(self.compiled, self._part(name)), f"{name}{self.form}")
        return np.errstate(all="ignore")(function) if self.compiled is False else function  # as compiled code has it

    def _part(self, name: str) -> Part:
        """The part of the kernel that has a function."""
        if isinstance(self.rule, IntegralRule):
            return "slopes" if name == "jacobian" else "nodes"
        if isinstance(self.rule, Rule):
            return {"jacobian": "jacobian", "march": "steps"}.get(name, "rows")  # type: ignore[return-value]
        if isinstance(self.rule, ConditionalRule):
            return "terms"
        return "logs" if isinstance(self.rule, LogRule) else "second_order"

    @cached_property
    def _rate_and_loss(self) -> Callable[[Array, Any], tuple[Array, float]]:
        return self.loop("rate_and_loss")

    @cached_property
    def _jacobian(self) -> Callable[[Array, Any], Array]:
        n = len(self.names)
        accept(8 * n * n <= MOST_BYTES, "merge", False, f"True: a Jacobian takes {8 * n * n / 2**30:.1f} GiB")
        if isinstance(self.rule, LogRule):
            return lambda y, _: self.as_floats.jacobian(y)
        if isinstance(self.rule, IntegralRule):
            accept_workspace(self.rule, n + 1)
        return self.loop("jacobian")

    @cached_property
    def as_floats(self) -> System:
        """The same system, its sizes and rates in floats where they were logarithms.

        Raises
        ------
        ValueError
            If sizes, or squares of attentions after locking, leave the range of floats.
        """
        if isinstance(self.rule, LogRule):
            log_patches = self.setting.geometry.log_patches
            most = f"at most {MOST_LOG_PATCHES:g}: it is done in floats"
            accept(log_patches <= MOST_LOG_PATCHES, "log P", log_patches, most)
        return self._in_floats

    @cached_property
    def _in_floats(self) -> System:
        if not isinstance(self.rule, LogRule):
            return self
        with np.errstate(invalid="ignore"):  # sizes may be infinite where only their symbols are looked at
            return replace(self, rule=closures.mean_field(self.setting, self.coordinates))

    def rate(self, y: npt.ArrayLike) -> Array:
        """Time derivative of the flow at `y`, (n,), per single coordinate: (n,); 0 where no float is as small."""
        return self._rate_and_loss(self.state(y), self.rule)[0]

    @np.errstate(under="ignore")
    def log_rate(self, y: npt.ArrayLike) -> tuple[Array, Array]:
        """Sign and log|rate|, each (n,): finite at any P (−inf for a rate of 0)."""
        if isinstance(self.rule, LogRule):
            mantissa, power = self.loop("scaled_rates")(self.state(y), self.rule)[0].T
            power = power * math.log(2)
        else:
            mantissa, power = self.rate(y), 0.0
        with np.errstate(divide="ignore"):
            return np.sign(mantissa), np.log(np.abs(mantissa)) + power

    def tangent(self, log_t: float, y: npt.ArrayLike) -> Array:
        """d(y, log t)/dl at `log_t`, l being the curve's own length: (t·rate, 1)/√(1 + |t·rate|²), (n + 1,)."""
        return self.loop("tangent")(np.append(self.state(y), log_t), self.rule)

    def jacobian(self, y: npt.ArrayLike) -> Array:
        """Derivative of the rate of each coordinate by each: (n, n); diag(multiplicity) times it is symmetric."""
        return self._jacobian(self.state(y), self.rule)

    def loss(self, y: npt.ArrayLike) -> float:
        """The query's share of L(Q): the shares of all patches sum to it. Result ``query-loss-of-attention``."""
        return float(self._rate_and_loss(self.state(y), self.rule)[1])

    @np.errstate(under="ignore")
    def terms(self, y: npt.ArrayLike, log_t: float = 0.0) -> dict[str, dict[str, float]]:
        """The ledger of dominant balance: the terms of every rate, by the residual they come from; they sum to it.

        Parameters
        ----------
        y : (n,) array
        log_t : float
            Of t·rate, the derivative by log t: numbers of order 1 where those of the rate are 0 as floats.

        Returns
        -------
        dict
            Of each coordinate, name of term -> value:

            - "target": from the residual of the target area, R_a;
            - "own": from that of the area which the coordinate belongs to, R_m, where it is not the target;
            - "global", "other" or "area[k,m]", as ``attention`` names them: from the stray z² A² on areas of this name
              that are neither; in fp.other, "other" is that on the other areas like it.

            A pp coordinate has these by its unmasked patches, and "masked: target", "masked: global", ... by its masked
            ones; pp.self has only those. What no area or patch is there for is left out. With ``closure="mean-field"``
            and several values of the latent, an area beside target and global counts as one for each value.
            With ``closure="second-order"`` the terms are those of mean-field, and "curvature" is the rest of the rate.

        Raises
        ------
        ValueError
            If an exact mean has too many rows to go through, or there are too many terms.

        Notes
        -----
        The terms of results ``pull-target``, ``pull-other``, ``pull-masked``, as they are derived.
        """
        state, (rule, places) = self.state(y), self._ledger
        if isinstance(rule, LogRule):
            mantissa, power = np.moveaxis(self.loop("ledger")(state, rule), -1, 0)
            with np.errstate(divide="ignore", over="ignore"):  # while locking t·rate may be beyond floats
                found = np.sign(mantissa) * np.exp(np.log(np.abs(mantissa)) + power * math.log(2) + log_t)
        else:
            found = kernel(self.compiled, "ledger").ledger(state, rule) * math.exp(log_t)
        terms = balance.named(found, places)
        if self.closure == "second-order":
            for name, rate in zip(self.names, self.rate(state).tolist(), strict=True):
                terms[name]["curvature"] = rate * math.exp(log_t) - math.fsum(terms[name].values())
        return terms

    @cached_property
    def _ledger(self) -> tuple[Rule | LogRule, balance.Places]:
        rule = balance.rows(self.setting, self.coordinates, self.closure, self.rule)
        return rule, balance.places(rule, self.coordinates, self.setting.masked)

    @np.errstate(under="ignore")
    def standard_error(self, y: npt.ArrayLike) -> Array:
        """Of the rates of the sampled closure at `y`: (n,), estimated from the spread of its samples.

        Raises
        ------
        ValueError
            For another closure, or a single sample.
        """
        accept(self.closure == "sampled", "closure", self.closure, "'sampled': the others have no sampling error")
        count = self.options["samples"]
        accept(count > 1, "samples", count, "2 or more: the spread of one is not known")
        assert isinstance(self.rule, Rule)
        rates = closures.row_rates(kernel(self.compiled).rate_and_loss, self.rule, self.state(y))
        return self.setting.masked_fraction * np.std(rates, axis=0, ddof=1) / math.sqrt(count)

    def f(self, t: float, y: npt.ArrayLike) -> Array:
        """``rate(y)``, with the signature that SciPy's solvers take."""
        return self.rate(y)

    def jac(self, t: float, y: npt.ArrayLike) -> Array:
        """``jacobian(y)``, with the signature that SciPy's solvers take."""
        return self.jacobian(y)

    def attention(self, y: npt.ArrayLike, cluster: int = 0, latent: float | None = None) -> dict[str, float]:
        """Attention on each group of areas, on the masked patches and on the query itself; they sum to 1.

        Parameters
        ----------
        y : (n,) array
        cluster : int
            The cluster of the sample.
        latent : float, optional
            Fix every latent to this value; by default the mean over the latent law is taken.

        Notes
        -----
        At the mean counts given that the query is masked, whatever the closure: large-P. Result ``attention``.
        """
        cluster = whole_number("cluster", cluster, 0, self.setting.geometry.clusters - 1)
        rule = self._attention_rule
        if latent is not None:
            latent = real_number("latent", latent, lambda z: 0 <= z <= LARGEST, "a number >= 0")
            rule = self._mean_counts(replace(self.setting, latent=latent))
        return {name: float(on[0]) for name, on in self._attention(self.state(y)[:, None], cluster, rule).items()}

    def attention_along(self, states: Array, latent: float | None = None) -> dict[str, Array]:
        """``attention`` in cluster 0 at each of the states (n, m), or where the target shows a latent: (m,) arrays."""
        given, n = np.ascontiguousarray(real_array(states)), len(self.names)
        accept(given.ndim == 2 and len(given) == n, "states", states, f"an ({n}, m) array, not {given.shape}")
        return self._attention(given, 0, self.watched(latent))

    @cached_property
    def _attention_rule(self) -> Rule | LogRule:
        if self.closure == "mean-field" and isinstance(self.rule, (Rule, LogRule)):
            return self.rule
        return self._mean_counts(self.setting)

    def _mean_counts(self, setting: Setting) -> Rule | LogRule:
        make = log_rule if isinstance(self.rule, LogRule) else closures.mean_field
        return make(setting, self.coordinates)

    def watched(self, latent: float | None) -> Rule | LogRule:
        """Rows of mean counts to take attention over: all, or in cluster 0 those whose target shows this latent."""
        rule = self._attention_rule
        if latent is None:
            return rule
        table, first = rule.latent.copy(), self.setting.law.values[0]
        if isinstance(rule, LogRule):
            rows = np.flatnonzero(table[:, rule.target] == first)
            table[rows, rule.target] = latent
            return rule._replace(latent=np.ascontiguousarray(table[rows]), weight=rule.weight[rows])
        target = rule.target[0]
        rows = np.flatnonzero((rule.cluster == 0) & (table[rule.latents, target] == first))
        table[rule.latents[rows], target] = latent
        return rule._replace(latent=table, **{name: getattr(rule, name)[rows] for name in PER_ROW})

    def attention_on(self, group: str, states: Array, rule: Rule | LogRule) -> Array:
        """Attention on one group in cluster 0 at each of the states (n, m), over such rows: (m,)."""
        return self._attention(states, 0, rule)[group]

    def groups(self, rule: Rule | LogRule, cluster: int = 0) -> list[str]:
        """The group that each area of such rows is filed under, then "masked" and "self"."""
        names = dict(zip(self.coordinates.fp[cluster].tolist(), self.coordinates.group_names(cluster), strict=True))
        if isinstance(rule, LogRule):
            first, last, target = 0, len(rule.fp), rule.target
        else:
            first, last, target = rule.areas[cluster], rule.areas[cluster + 1], rule.target[cluster]
        found = ["target" if m == target else names[int(rule.fp[m])] for m in range(first, last)]
        return [*found, "masked", "self"]

    @np.errstate(under="ignore")
    def _attention(self, states: Array, cluster: int, rule: Rule | LogRule) -> dict[str, Array]:
        part: Part = "logs" if isinstance(rule, LogRule) else "rows"
        on_each = kernel(self.compiled, part).mean_attention(states, rule, cluster)
        sums: dict[str, Array] = {}
        for name, on in zip(self.groups(rule, cluster), on_each, strict=True):
            sums[name] = sums.get(name, 0.0) + on
        return sums

    def expand(self, y: npt.ArrayLike) -> dict[str, Any]:
        """The single correlations: "fp", a list of one (N_k,) array per cluster, and "pp", a (P,) array over patches.

        Raises
        ------
        ValueError
            If the geometry has real sizes.
        """
        geometry, state = self.setting.geometry, self.state(y)
        accept(geometry.patch_class is not None, "geometry", "scaling", "patches that can be counted")
        pp = state[self.coordinates.pp[geometry.patch_class]]
        pp[geometry.patch_of(self.query)] = state[-1]
        return {"fp": [state[index] for index in self.coordinates.fp], "pp": pp}

    def equations(self, numbers: bool = False) -> dict[str, sp.Expr]:
        """The rate of each coordinate as a SymPy expression of all of them: what is integrated.

        Parameters
        ----------
        numbers : bool
            Put in the numbers of this system, as exact fractions. By default they stay symbols: patches n[s] and
            unmasked ones u[i, s] of a class in an area, latents z[j, m], weight w[i] of a sample, c[m] equal areas that
            one stands for, and multiplicity mult[i]; of the second-order closure the change d[i, j] of a count along a
            ray and half the variance v[i] there. ``numbers()`` has their values, ``rule`` says where they belong.

        Raises
        ------
        ValueError
            If there are too many rows to write out.
        """
        if isinstance(self.rule, LogRule):
            return (self.as_floats if numbers else self._in_floats).equations(numbers)
        return written.equations(self, true_or_false("numbers", numbers))

    def numbers(self) -> dict[sp.Indexed, float]:
        """The value of every symbol in ``equations()`` that is no coordinate."""
        return written.values_of(self.as_floats)

    def state(self, y: npt.ArrayLike, argument: str = "y") -> Array:
        """The state as the kernel takes it: an (n,) array of float; a ValueError where `y` is no such thing."""
        given = y if type(y) is np.ndarray and y.dtype == np.float64 else real_array(y)
        if given.shape != self.multiplicity.shape:
            accept(False, argument, y, f"a state of shape ({len(self.names)},), not {given.shape}")
        return np.ascontiguousarray(given)
