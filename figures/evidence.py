"""What each claim of the paper is held against: a number measured here, and the range that the claim allows it.

Large-P evidence is an exponent down a ladder of P (mean-field, real sizes); evidence at finite P uses the exact
reduction. The paper bounds times up to a constant factor: it is taken to be one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

import dynamics as dy
from derivations._shell import accept
from figures.ranges import Band, Count, Kappas, Positive, Ratio, Rungs, Share, Sizes, corners

Array = npt.NDArray[np.float64]


class Parameters(NamedTuple):
    """Where the claims are tested, and the numbers in them that a test may put wrong."""

    kappas: Count = 7  # values of κc and of κs over the paper's range
    log10_patches: Rungs = (30.0, 60.0)  # between which rates are compared
    limits: tuple[Kappas, ...] = ((0.98, 0.3), (0.9, 0.2), (0.9, 0.45), (0.95, 0.5))  # κc, κs with Δ > 0
    latents: tuple[Ratio, ...] = (1.0, 2.0, 10.0)  # U/L
    geometries: tuple[Sizes, ...] = ((40, 6, 4), (88, 2, 4), (16, 12, 4), (98, 7, 14))
    states: Count = 200  # at which Φ_target is watched
    scale: Positive = 3.0  # of Φ and Υ there
    excesses: tuple[Share, ...] = (1e-1, 1e-2, 1e-3, 1e-4)  # ε
    mask_ratio: Share = 0.5
    slack: float = 0.01  # what an exponent may be off
    two_phases: Band = (0.5, 1.0)  # Δ, as claimed
    one_phase: Band = (-0.5, -0.01)  # |Δ| = Ω(1)
    plateau: float = -0.5  # power of P that e^Φ_global falls to, in units of Δ
    time: float = 1.0  # power of P that the half-time is, in units of the paper's


Case = tuple[float, float]  # a number measured, and its uncertainty


class Evidence(NamedTuple):
    """A number and the range [low, high] that the claim allows; `note` says how the claim was read, or why not."""

    measured: str
    tested: str
    value: float
    low: float = -math.inf
    high: float = math.inf
    uncertainty: float = 0.0
    limit: bool = False
    note: str = ""


def worst(measured: str, tested: str, cases: Sequence[Case], note: str = "", **allowed: Any) -> Evidence:
    """The case whose margin is least; a RuntimeError if one is no number."""
    found = [Evidence(measured, tested, value, uncertainty=sure, note=note, **allowed) for value, sure in cases]
    if any(math.isnan(margin(each)) for each in found):
        raise RuntimeError(f"{measured}: one of {len(found)} cases is no number ({tested})")
    return min(found, key=margin)


def margin(found: Evidence) -> float:
    """How far inside the range that the claim allows the number lies, less its uncertainty; NaN without a number."""
    return min(found.value - found.low, found.high - found.value) - found.uncertainty


def target_rises(p: Parameters) -> Evidence:
    """The rate of Φ_target at random states, over the largest rate there."""
    cases, rng, problems = list[Case](), np.random.default_rng(0), _problems(p)
    for setting, query in problems:
        system = dy.reduce(setting, query)
        own = [system.names.index(name) for name in system.coordinates.targets]
        for y in rng.normal(scale=p.scale, size=(p.states, len(system.names))):
            rate = system.rate(y)
            cases.append((float(rate[own].min() / np.abs(rate).max()), 0.0))
    tested = f"{p.states} random states of {len(problems)} problems, K = 1 and 2; exact"
    return worst("least rate of Φ_target, over the largest rate", tested, cases, low=0)


def two_phases(p: Parameters) -> Evidence:
    """That Φ_global leads at some time before T."""
    cases, tested = _leads(p, p.two_phases)
    said = "largest lead of dΦ_global/dt over dΦ_target/dt before T, as a power of P: least"
    return worst(said, tested, cases, low=0, limit=True)


def one_phase(p: Parameters) -> Evidence:
    """That Φ_global never leads before T."""
    cases, tested = _leads(p, p.one_phase)
    said = "largest lead of dΦ_global/dt over dΦ_target/dt before T, as a power of P: largest"
    return worst(said, tested, cases, high=0, limit=True)


def plateau(p: Parameters) -> Evidence:
    """Φ_global/log P at the end of phase I and at T, extrapolated."""
    moments: tuple[Literal["phase-one-global", "plateau"], ...] = ("phase-one-global", "plateau")
    cases = []
    for (kappa_c, kappa_s), moment in itertools.product(p.limits, moments):
        found = dy.exponent(moment, kappa_c, kappa_s, mask_ratio=p.mask_ratio)
        cases.append((abs(found.value - p.plateau * _gap(kappa_c, kappa_s)), found.uncertainty))
    said = f"|Φ_global/log P less {p.plateau:g}Δ| at the end of phase I and at T".replace("-", "−")
    return worst(said, _ladder(p), cases, high=p.slack, limit=True)


def others_stay(p: Parameters) -> Evidence:
    """|Φ_m|/Φ_target at T as a power of P."""

    def ratio(system: dy.System) -> float:
        flow = dy.integrate(system, until=("target", 0.5), rtol=1e-7, atol=1e-300)
        return math.log(abs(flow["fp.other"][-1]) / flow["fp.target"][-1])

    found = [dy.exponent(ratio, *kappas, mask_ratio=p.mask_ratio, ladder=FLOATS) for kappas in p.limits]
    cases = [(each.value, each.uncertainty) for each in found]
    return worst("|Φ_m|/Φ_target at T, as a power of P: largest", _ladder(p, FLOATS), cases, high=0, limit=True)


def pp_stays(p: Parameters) -> Evidence:
    """Υ_target/Φ_target at T as a power of P."""
    found = [dy.exponent("pp-over-fp", *kappas, mask_ratio=p.mask_ratio) for kappas in p.limits]
    cases = [(each.value, each.uncertainty) for each in found]
    said, note = "Υ_target/Φ_target at T, as a power of P: largest", "until T; after it Υ_target grows with log t"
    return worst(said, _ladder(p), cases, note, high=0, limit=True)


def locks(p: Parameters, query: str) -> Evidence:
    """A bound on (1 − A)²/ε at the paper's time, over the masks that leave some of the target area visible.

    In these the loss is at least z²(1 − A)²/2, in the others at least its infimum z²/2 (result ``loss-above-floor``).
    """
    cases = [
        (2 * _excess(system, curve) / (system.setting.masked_fraction * excess), 0.0)
        for excess, system, curve in _at_the_papers_times(p, query)
    ]
    said, note = "E(1 − A)²/ε at T(ε), at most: largest", "mean over the masks that leave some of the target visible"
    return worst(said, _finite(p), cases, note, high=1)


def loss_of_a_patch(p: Parameters) -> Evidence:
    """(L_p − L*_p)/ε at the paper's time."""
    curves = [found for query in ("local", "global") for found in _at_the_papers_times(p, query)]
    cases = [(_excess(system, curve) / excess, 0.0) for excess, system, curve in curves]
    note = "ε is read as that of one patch; for L, their sum, see the row below"
    return worst("(L_p − L*_p)/ε at T(ε): largest", _finite(p), cases, note, high=1)


def loss_of_all(p: Parameters) -> Evidence:
    """(L − L*)/ε at the paper's time, as a power of P: there are P patches in the sum."""
    excess = p.excesses[0]

    def total(system: dy.System) -> float:
        geometry = system.setting.geometry
        last = papers_log_time(geometry.log_patches, _kappa_s(system.setting), excess)
        loss = dy.integrate(system, log_t_end=last, rtol=1e-11).loss[-1]  # the default moves the uncertainty by 1e-6
        return geometry.log_patches + math.log(loss / excess)

    found = [dy.exponent(total, *kappas, mask_ratio=p.mask_ratio, ladder=FLOATS) for kappas in p.limits]
    cases = [(each.value, each.uncertainty) for each in found]
    said = f"(L − L*)/ε at T(ε), as a power of P, ε = {excess:g}: largest"
    note = "local patches alone; of one problem T(ε) is long enough in the end, as ε → 0"
    return worst(said, f"{_ladder(p, FLOATS)}, where L* = 0", cases, note, high=0, limit=True)


def time_bound(p: Parameters) -> Evidence:
    """How far the half-time's power of P is above the paper's bound."""
    said = "log T/log P less the paper's exponent: largest"
    return worst(said, _laws(p, p.latents), _over_the_bound(p, p.latents), high=p.slack, limit=True)


def bound_is_tight(p: Parameters, alike: bool) -> Evidence:
    """How far the half-time's power of P is from the paper's bound: for U = L, or where that is another power."""
    latents = [ratio for ratio in p.latents if (ratio == 1 if alike else ratio > 1.5)]
    if not latents:
        return beyond("no such U/L among the parameters")
    cases = [(abs(over), uncertainty) for over, uncertainty in _over_the_bound(p, latents)]
    said = "|log T/log P less the paper's exponent|: largest"
    return worst(said, _laws(p, latents), cases, high=p.slack, limit=True)


def zero_suffices(p: Parameters) -> Evidence:
    """(L_p − L*_p)/ε at the paper's time, from Q = 0, with several clusters and latents, too."""
    cases, problems = list[Case](), _problems(p)
    for setting, query in problems:
        system, curve = dy.reduce(setting, query), None
        for excess in p.excesses:
            last = papers_log_time(setting.geometry.log_patches, _kappa_s(setting), excess, setting)
            curve = dy.integrate(system, log_t_end=last, start=curve)
            cases.append((_excess(system, curve) / excess, 0.0))
    shown = ", ".join(f"{excess:g}" for excess in p.excesses)
    tested = f"{len(problems)} problems, K = 1 and 2, z = 1 and two values, Q(0) = 0, ε = {shown}; exact"
    return worst("(L_p − L*_p)/ε at T(ε), from Q = 0: largest", tested, cases, high=1)


def diverse(p: Parameters) -> Evidence:
    """Divergence of the attention of two queries in different areas, once trained."""
    cases = list[Case]()
    for setting in _settings(p):
        maps = []
        for patch in _one_of_each_area(setting):
            system = dy.reduce(setting, patch)
            last = papers_log_time(setting.geometry.log_patches, _kappa_s(setting), p.excesses[-1])
            maps.append(dy.attention_map(system, dy.integrate(system, log_t_end=last).y[:, -1]))
        for pair in itertools.combinations(maps, 2):
            cases.append((float(dy.attention_diversity(np.stack(pair))) / math.log(2), 0.0))
    said = "Jensen–Shannon divergence of queries of two areas over log 2, at T(ε): least"
    return worst(said, _finite(p, p.excesses[-1:]), cases, low=0.5)


def beyond(why: str) -> Evidence:
    """What this model has no number for."""
    return Evidence("", "", math.nan, note=why)


# --- the problems, and the paper's time ---


FLOATS = (40.0, 80.0, 160.0, 320.0)  # log10 P at which numbers as small as P^{−1} still are floats


def papers_log_time(log_patches: float, kappa_s: float, excess: float, setting: dy.Setting | None = None) -> float:
    """Logarithm of the paper's time T(ε), its constant taken as one; from ``derivations.errata``."""
    import sympy as sp

    from derivations import errata, latents
    from derivations.symbols import P
    from derivations.symbols import kappa_s as exponent

    values = np.ones(1) if setting is None else setting.law.values
    spread, _, late = (erratum.paper for erratum in errata.errata())
    law = {latents.high: float(values.max()), latents.low: float(values[values > 0].min())}
    numbers = {exponent: kappa_s, errata.excess: excess}
    lock = sp.expand_log(sp.log(spread), force=True).subs(law | numbers).subs(sp.log(P), log_patches)
    converge = sp.expand_log(late, force=True).subs(numbers).subs(sp.log(P), log_patches)
    return float(np.logaddexp(float(lock) + math.log(log_patches), math.log(float(converge))))


def _gap(kappa_c: float, kappa_s: float) -> float:
    return (1 - kappa_s) - 2 * (1 - kappa_c)


def _kappa_s(setting: dy.Setting) -> float:
    """κs of one cluster with local areas of one size; of several clusters that of the mean size of a local area."""
    geometry = setting.geometry
    sizes = np.concatenate(
        [np.delete(geometry.area_size(k), geometry.area_size(k).argmax()) for k in range(geometry.clusters)]
    )
    return math.log(sizes.mean()) / geometry.log_patches


def _settings(p: Parameters) -> list[dy.Setting]:
    return [dy.Setting(dy.Geometry.single_cluster(*sizes), mask_ratio=p.mask_ratio) for sizes in p.geometries]


def _problems(p: Parameters) -> list[tuple[dy.Setting, int | str]]:
    """A local and a global query of every geometry; and queries of two clusters that cut areas apart, with a law."""
    alike: list[tuple[dy.Setting, int | str]] = [
        (setting, query) for setting in _settings(p) for query in ("local", "global")
    ]
    labels = [[0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2], [1, 1, 0, 0, 0, 0, 0, 0, 2, 2, 2, 1]]
    two = dy.Setting(dy.Geometry.from_labels(labels), latent=([0.5, 1.0], [0.4, 0.6]), mask_ratio=p.mask_ratio)
    return alike + [(two, patch) for patch in (0, 6, 11)]


def _one_of_each_area(setting: dy.Setting) -> list[int]:
    assert setting.geometry.area_of is not None
    return [int(patch) for patch in np.unique(setting.geometry.area_of[0], return_index=True)[1]]


def check(p: Parameters) -> None:
    """Raise a ValueError, before anything is solved, if there is nothing to hold a claim against."""
    _problems(p)
    for band in (p.two_phases, p.one_phase):
        accept(len(_in_band(p, band)) > 0, "kappas", p.kappas, f"so many that some Δ lies in {list(band)}")
    for kappas in p.limits:
        for log10_patches in FLOATS:
            dy.Setting(dy.Geometry.scaling(log10_patches, *kappas), mask_ratio=p.mask_ratio)


def _in_band(p: Parameters, band: tuple[float, float]) -> list[tuple[float, float]]:
    """Every κc and κs in the paper's range with Δ in the band."""
    kappas_c = np.linspace(0.5005, 1, p.kappas, endpoint=False).tolist()  # at 1 there are no local areas
    pairs = itertools.product(kappas_c, np.linspace(0.001, 0.5, p.kappas).tolist())
    return [pair for pair in pairs if band[0] <= _gap(*pair) <= band[1]]


def _leads(p: Parameters, band: tuple[float, float]) -> tuple[list[Case], str]:
    """Of those of them that have local areas at these P: see ``two_phases``."""
    with corners() as measure:
        each = [[measure(_lead, *pair, x, p.mask_ratio) for x in p.log10_patches] for pair in _in_band(p, band)]
    step = np.diff(p.log10_patches)[0] * math.log(10)
    found = [((high - low) / step, 0.0) for low, high in each if not math.isnan(high - low)]
    small, large = p.log10_patches
    tested = f"{len(found)} (κc, κs) with Δ in [{band[0]:g}, {band[1]:g}], P = 10^{small:g} to 10^{large:g}; mean-field"
    return found, tested


def _lead(kappa_c: float, kappa_s: float, log10_patches: float, mask_ratio: float) -> float:
    """Logarithm of the largest ratio, before T, of the rates of Φ_global and Φ_target."""
    geometry = dy.Geometry.scaling(log10_patches, kappa_c, kappa_s)
    system = dy.reduce(dy.Setting(geometry, mask_ratio=mask_ratio), "local", "mean-field")
    flow = dy.integrate(system, until=("target", 0.5))
    rates = np.log(np.abs([system.rate(y) for y in flow.y.T]))
    return float((rates[:, system.names.index("fp.global")] - rates[:, system.names.index("fp.target")]).max())


def _at_the_papers_times(p: Parameters, query: str) -> list[tuple[float, dy.System, dy.Trajectory]]:
    """ε, and the curve of a query until T(ε), in every geometry."""
    found = []
    for setting in _settings(p):
        system, curve = dy.reduce(setting, query), None
        for excess in p.excesses:
            last = papers_log_time(setting.geometry.log_patches, _kappa_s(setting), excess)
            curve = dy.integrate(system, log_t_end=last, start=curve)
            found.append((excess, system, curve))
    return found


def _over_the_bound(p: Parameters, latents: Sequence[float]) -> list[Case]:
    """Log T/log P less the paper's exponent, and its uncertainty, for every (κc, κs) and U/L."""
    found = [_half_time(*kappas, ratio, p.mask_ratio) for kappas in p.limits for ratio in latents]
    return [(each.value - p.time * each.paper, each.uncertainty) for each in found if each.paper is not None]


def _excess(system: dy.System, curve: dy.Trajectory) -> float:
    """L_p − L*_p at the end of a curve."""
    return float(curve.loss[-1]) - system.setting.loss_floor_of(system.query)


@cache
def _half_time(kappa_c: float, kappa_s: float, ratio: float, mask_ratio: float) -> dy.Exponent:
    law: Any = 1.0 if ratio == 1 else ([1 / ratio, 1.0], [0.5, 0.5])
    return dy.exponent("half-time", kappa_c, kappa_s, law, mask_ratio)


def _ladder(p: Parameters, ladder: tuple[float, ...] | None = None) -> str:
    last = f"to P = 10^{ladder[-1]:g}" if ladder else "down the ladder to P = 10^1000"
    return f"{len(p.limits)} (κc, κs), extrapolated {last}; mean-field"


def _laws(p: Parameters, latents: Sequence[float]) -> str:
    return f"{_ladder(p)}, U/L = {', '.join(f'{ratio:g}' for ratio in latents)}"


def _finite(p: Parameters, excesses: tuple[float, ...] | None = None) -> str:
    sizes = ", ".join(str(int(setting.geometry.patches)) for setting in _settings(p))
    shown = ", ".join(f"{excess:g}" for excess in excesses or p.excesses)
    return f"P = {sizes}, ε = {shown}; exact"
