"""The first-build check: the kernel against the model's loss, differentiated by SymPy for one geometry.

An independent way to the same numbers: the loss of each sample is written out for given counts, every copy of an area
an area of its own, and differentiated as it stands, with no chain rule through attentions, no split sums and no loops,
and evaluated with 50 digits. The geometry has all that the loops tell apart: two clusters that share coordinates, an
area that stands for two, a target that is not the first area, two cells in an area, latents and multiplicities that
all differ, and samples with and without the latents of the one before.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache, partial
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from dynamics.closures import Rule
from dynamics.geometry import Array
from dynamics.integral import IntegralRule
from dynamics.second_order import SecondOrderRule, derivatives
from dynamics.source import UNROLLED, interpret

TOLERANCE = 1e-12
COORDINATES = 7  # fp 0, 1, 2; pp 3, 4, 5; self


class _Area(NamedTuple):
    """An area of the geometry checked: its coordinate, how many it stands for, the coordinates of its cells."""

    fp: int
    copies: int
    pp: tuple[int, ...]


CLUSTERS = ((_Area(0, 2, (3,)), _Area(1, 1, (4, 5))), (_Area(2, 1, (3,)), _Area(1, 1, (4,)), _Area(0, 1, (5,))))
TARGET = 1  # the second area of each cluster


def check_kernel(module: ModuleType) -> None:
    """Check every function of the kernel at random states; a RuntimeError names what differs.

    The loops are held against the loss written out, the unrolled forms against the loops, and the curvature of the
    second-order closure against differences of the loss written out.
    """
    rng = np.random.default_rng(0)
    for scale in (0.5, 3.0):
        rule, y = _random_rule(rng), rng.normal(scale=scale, size=COORDINATES)
        _agree("loops", _evaluated(module, "", y, rule), _reference(rule, y))
        for areas in UNROLLED:
            rule, y = _one_cluster(rng, areas), rng.normal(scale=scale, size=2 * areas + 1)
            found, loops = (_evaluated(module, form, y, rule) for form in (f"_{areas}", ""))
            _agree(f"form for {areas} areas", found, loops)
        curved = _random_rays(rng, _random_rule(rng))
        y = rng.normal(scale=scale, size=COORDINATES)
        rate, loss = module.rate_and_loss_second_order(y, curved)
        found = {"loss": np.array(loss), "rate": rate, "jacobian": module.jacobian_second_order(y, curved)}
        _agree("second-order closure", found, _curved_reference(curved, y))


def check_nodes(module: ModuleType) -> None:
    """Hold rates and loss of the integral form against enumeration: two clusters, several latents, equal areas."""
    for rule, integral, y in _small_problems():
        rate, loss = module.rate_and_loss_integral(y, integral)
        expected_rate, expected_loss = _enumeration().rate_and_loss(y, rule)
        found = {"rate": rate, "loss": np.array(loss)}
        _agree("integral form", found, {"rate": expected_rate, "loss": np.array(expected_loss)})


def check_logs(module: ModuleType) -> None:
    """Hold rates and loss in logarithms against mean-field in floats: two latents, fewer than two areas."""
    from dynamics import closures
    from dynamics.coordinates import Coordinates
    from dynamics.geometry import Geometry
    from dynamics.logscale import log_rule
    from dynamics.setting import Setting

    rng, rates = np.random.default_rng(0), (module.rate_and_loss, partial(interpret, "rate_and_loss", math.exp))
    for kappa_c, query in ((0.9, "local"), (0.6, "global"), (None, "local")):
        setting = Setting(Geometry.scaling(2.0, kappa_c, 0.4, areas=1.7), ([0.5, 1.2], [0.3, 0.7]), 0.4)
        coordinates = Coordinates.of(setting, query)
        rules = log_rule(setting, coordinates), closures.mean_field(setting, coordinates)
        for scale in (0.3, 4.0):
            y = rng.normal(scale=scale, size=len(coordinates.names))
            of_logs, of_floats = (function(y, rule) for function, rule in zip(rates, rules, strict=True))
            found = {"rate": of_logs[0], "loss": np.array(of_logs[1])}
            _agree("logarithms", found, {"rate": of_floats[0], "loss": np.array(of_floats[1])})


def check_slopes(module: ModuleType) -> None:
    """Hold the Jacobian of the integral form against that of enumeration."""
    for rule, integral, y in _small_problems():
        expected = {"jacobian": _enumeration().jacobian(y, rule)}
        _agree("integral form", {"jacobian": module.jacobian_integral(y, integral)}, expected)


def _enumeration() -> ModuleType:
    from dynamics.compiled import kernel

    return kernel(True)


def _small_problems() -> Iterator[tuple[Rule, IntegralRule, Array]]:
    """Small settings as enumeration and as integral, at states from near zero to locked."""
    from dynamics import closures
    from dynamics.coordinates import Coordinates
    from dynamics.geometry import Geometry
    from dynamics.integral import integral_rule
    from dynamics.setting import Setting

    labels = [[0, 0, 0, 1, 1, 2, 2, 3, 3], [0, 1, 1, 1, 0, 2, 2, 2, 1]]
    law = [0.4, 1.0, 1.7], [0.2, 0.5, 0.3]
    settings = (Setting(Geometry.from_labels(labels), law, 0.45), Setting(Geometry.from_labels(labels[:1]), 0.8, 0.7))
    rng = np.random.default_rng(0)
    for setting in settings:
        coordinates = Coordinates.of(setting, 0)
        rules = closures.exact(setting, coordinates), integral_rule(setting, coordinates, 1e-13)
        for scale, lock in ((0.3, 0.0), (1.5, 0.0), (0.3, 12.0)):
            y = rng.normal(scale=scale, size=len(coordinates.names))
            for k, target in enumerate(coordinates.target):
                y[coordinates.fp[k][target]] += lock
            yield *rules, y


def _evaluated(module: ModuleType, form: str, y: Array, rule: Rule) -> dict[str, Array]:
    """What each function of one form of the kernel returns."""
    rate, loss = getattr(module, f"rate_and_loss{form}")(y, rule)
    states, two = getattr(module, f"descend{form}")(y, rule, 0.5, 5, 2), np.stack([y / 2, y], axis=1)
    return {
        "loss": np.array(loss),
        "rate": rate,
        "jacobian": getattr(module, f"jacobian{form}")(y, rule),
        "first step": getattr(module, f"descend{form}")(y, rule, 0.5, 1, 1)[:, 1] - y,
        "later steps": states[:, -1]
        - getattr(module, f"descend{form}")(states[:, 1].copy(), rule, 0.5, 3, 3)[:, -1]
        + 1,
        "losses": getattr(module, f"losses{form}")(two, rule)[1:],
        "attention": np.concatenate([module.mean_attention(two, rule, k)[:, 1] for k in range(len(rule.target))]),
    }


def _agree(form: str, found: dict[str, Array], expected: dict[str, Array]) -> None:
    for name, exact in expected.items():
        error = np.abs(found[name] - exact).max() / np.abs(exact).max()
        if not error <= TOLERANCE:
            raise RuntimeError(f"{name} of the {form}: {error:.1e} off the derived one, relatively")


def _random_rule(rng: np.random.Generator) -> Rule:
    """Five samples of the geometry, with random real counts."""
    areas = [area for cluster in CLUSTERS for area in cluster]
    pp = np.array([coordinate for area in areas for coordinate in area.pp])
    size = rng.uniform(1, 9, len(pp))
    return Rule(
        multiplicity=rng.uniform(1, 5, COORDINATES),
        areas=np.array([0, 2, 5]),
        target=np.array([TARGET, 2 + TARGET]),
        copies=np.array([float(area.copies) for area in areas]),
        fp=np.array([area.fp for area in areas]),
        cells=np.cumsum([0, *(len(area.pp) for area in areas)]),
        pp=pp,
        size=size,
        column=np.arange(len(pp))[::-1].copy(),
        cluster=np.array([0, 0, 1, 1, 0]),
        counts=np.array([0, 1, 0, 1, 1]),
        latents=np.array([0, 0, 1, 2, 2]),
        weight=rng.uniform(0.1, 1, 5),
        unmasked=size[::-1] * rng.uniform(0.2, 0.8, (2, len(pp))),
        latent=rng.uniform(0.5, 1.5, (3, 3)),
    )


def _one_cluster(rng: np.random.Generator, areas: int) -> Rule:
    """One sample of the kind that has an unrolled form."""
    zero, size = np.zeros(1, dtype=int), rng.uniform(1, 9, areas)
    return Rule(
        multiplicity=rng.uniform(1, 5, 2 * areas + 1),
        areas=np.array([0, areas]),
        target=zero,
        copies=np.append(np.ones(areas - 1), rng.uniform(1.5, 4)),
        fp=np.arange(areas),
        cells=np.arange(areas + 1),
        pp=areas + np.arange(areas),
        size=size,
        column=np.arange(areas),
        cluster=zero,
        counts=zero,
        latents=zero,
        weight=rng.uniform(0.1, 1, 1),
        unmasked=(size * rng.uniform(0.2, 0.8, areas))[None],
        latent=np.full((1, areas), rng.uniform(0.5, 1.5)),
    )


def _reference(rule: Rule, y: Array) -> dict[str, Array]:
    """Loss, rate, Jacobian and attention from the loss written out, with 50 digits, one sample after the other."""
    import mpmath

    loss, gradient, hessian = mpmath.mpf(0), np.zeros(len(y)), np.zeros((len(y), len(y)))
    attention, weights = [np.zeros(len(areas) + 2) for areas in CLUSTERS], np.zeros(2)
    for row, weight in enumerate(rule.weight):
        k = int(rule.cluster[row])
        with mpmath.workdps(50):
            value, slopes, bends, shares = _sample(rule, row, y, 0 * rule.unmasked[0])
        loss += weight * value
        gradient += weight * np.array(slopes, dtype=float)
        hessian += weight * np.array(bends, dtype=float).reshape(hessian.shape)
        attention[k] += weight * np.array(shares, dtype=float)
        weights[k] += weight
    rate = -gradient / rule.multiplicity
    return {
        "loss": np.array(float(loss)),
        "rate": rate,
        "jacobian": -hessian / rule.multiplicity[:, None],
        "first step": 0.5 * rate,
        "later steps": np.ones(len(y)),
        "losses": np.array([float(loss)]),
        "attention": np.concatenate([on / weight for on, weight in zip(attention, weights, strict=True)]),
    }


def _sample(rule: Rule, row: int, y: Array, change: Array) -> Any:
    """Loss, derivatives and attention of a sample with its counts changed, with the digits that mpmath is set to."""
    import mpmath

    k = int(rule.cluster[row])
    cells = slice(rule.cells[rule.areas[k]], rule.cells[rule.areas[k + 1]])
    columns, as_numbers = rule.column[cells], np.vectorize(mpmath.mpf, otypes=[object])
    unmasked = as_numbers(rule.unmasked[rule.counts[row], columns]) + change[columns]
    latent = rule.latent[rule.latents[row], : len(CLUSTERS[k])]
    return _written_out(k)(*as_numbers(y), *unmasked, *(as_numbers(rule.size[cells]) - unmasked), *as_numbers(latent))


def _random_rays(rng: np.random.Generator, centre: Rule) -> SecondOrderRule:
    """Rays from some rows, along one count and along all."""
    columns = centre.unmasked.shape[1]
    along = np.vstack([np.eye(columns)[[0, 3]] * centre.unmasked[0], centre.unmasked[0], centre.unmasked[1]])
    return SecondOrderRule(centre, np.array([0, 2, 3, 4]), along, rng.uniform(-0.1, 0.1, 4), *derivatives(0.1))


def _curved_reference(rule: SecondOrderRule, y: Array) -> dict[str, Array]:
    """The centres, and the curvature along each ray by a difference that 50 digits hold."""
    import mpmath

    expected, step = _reference(rule.centre, y), mpmath.mpf(10) ** -12
    found = {"loss": expected["loss"], "rate": expected["rate"], "jacobian": expected["jacobian"]}
    scales = {"loss": np.ones(()), "rate": -rule.centre.multiplicity, "jacobian": -rule.centre.multiplicity[:, None]}
    for along, row, spread in zip(rule.along, rule.row, rule.spread, strict=True):
        with mpmath.workdps(50):
            before, here, after = (_sample(rule.centre, row, y, move * along) for move in (-step, 0 * step, step))
            for name, *parts in zip(found, before, here, after, strict=False):
                low, middle, high = (np.array(part, dtype=object) for part in parts)
                bent = np.array((low - 2 * middle + high) / step**2, dtype=float).reshape(found[name].shape)
                found[name] = found[name] + spread * bent / scales[name]
    return found


@cache
def _written_out(k: int) -> Any:
    """A sample of cluster k: its loss, from ``derivations.model``, the derivatives, and its attention, for mpmath."""
    import sympy as sp

    from derivations import model, symbols

    y = sp.symbols(f"y:{COORDINATES}", real=True)
    cells = [(m, pp) for m, area in enumerate(CLUSTERS[k]) for pp in area.pp]
    u, h = (sp.symbols(f"{name}:{len(cells)}", positive=True) for name in "uh")
    z = sp.symbols(f"z:{len(CLUSTERS[k])}", positive=True)
    single = [m for m, area in enumerate(CLUSTERS[k]) for _ in range(area.copies)]  # every copy an area of its own
    classes = [(i, c) for i, m in enumerate(single) for c, (home, _) in enumerate(cells) if home == m]
    put_in: dict[Any, Any] = {symbols.pp_self: y[-1]}
    for i, m in enumerate(single, 1):
        put_in |= {symbols.fp[i]: y[CLUSTERS[k][m].fp], symbols.z[i]: z[m]}
    for s, (_, c) in enumerate(classes, 1):
        put_in |= {symbols.u[s]: u[c], symbols.h[s]: h[c], symbols.pp[s]: y[cells[c][1]]}
    loss = model.sample_loss().subs(
        {symbols.S: len(classes), symbols.N: len(single), symbols.a: 1 + single.index(TARGET)}
    )
    loss = loss.doit().subs({symbols.area[s]: 1 + i for s, (i, _) in enumerate(classes, 1)}).xreplace(put_in)
    gradient = [sp.diff(loss, symbol) for symbol in y]
    hessian = [[sp.diff(gradient[max(i, j)], y[min(i, j)]) for j in range(len(y))] for i in range(len(y))]

    copies = [CLUSTERS[k][m].copies for m, _ in cells]
    seen = [
        n * u[c] * model.unmasked_mass(z[m], y[CLUSTERS[k][m].fp], y[pp])
        for c, (n, (m, pp)) in enumerate(zip(copies, cells, strict=True))
    ]
    hidden = [n * h[c] * model.masked_mass(y[pp]) for c, (n, (_, pp)) in enumerate(zip(copies, cells, strict=True))]
    own = model.masked_mass(y[-1])
    masses = [sum(part for part, (m, _) in zip(seen, cells, strict=True) if m == area) for area in range(len(z))]
    shares = [mass / (own + sum(seen) + sum(hidden)) for mass in (*masses, sum(hidden), own)]
    flat = [entry for line in hessian for entry in line]
    return sp.lambdify([*y, *u, *h, *z], [loss, gradient, flat, shares], modules="mpmath", cse=True)


def check_terms(module: ModuleType) -> None:
    """Hold rates, loss and Jacobian of the conditional sum against enumeration: all its shapes, and far states."""
    from dynamics import closures
    from dynamics.conditional import conditional_rule
    from dynamics.coordinates import Coordinates
    from dynamics.geometry import Geometry
    from dynamics.setting import Setting

    labels = [0] * 3 + [1] * 4 + [2, 2, 3, 3, 4, 4], [0] * 3 + [1, 1, 2, 2], [0, 1, 1, 1], [0, 0, 1]
    rng = np.random.default_rng(0)
    for row, latent, mask_ratio in zip(labels, (0.8, 1.3, 1.0, 0.5), (0.6, 0.4, 0.5, 0.4), strict=True):
        setting = Setting(Geometry.from_labels([row]), latent, mask_ratio)
        coordinates = Coordinates.of(setting, 0)
        rule, terms = closures.exact(setting, coordinates), conditional_rule(setting, coordinates, 0.0)
        for scale, lock in ((0.3, 0.0), (1.5, 0.0), (0.3, 12.0), (0.3, 300.0)):
            y = rng.normal(scale=scale, size=len(coordinates.names))
            y[coordinates.fp[0][0]] += lock
            rate, loss = module.rate_and_loss_conditional(y, terms)
            found = {"rate": rate, "loss": np.array(loss), "jacobian": module.jacobian_conditional(y, terms)}
            rate, loss = _enumeration().rate_and_loss(y, rule)
            expected = {"rate": rate, "loss": np.array(loss), "jacobian": _enumeration().jacobian(y, rule)}
            _agree("conditional sum", found, expected)
