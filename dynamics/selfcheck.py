"""The first-build check: every part of the kernel against the model's loss, differentiated another way.

There is a ``check_`` for each part, of what that part holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from types import ModuleType
from typing import Any, Literal

import numpy as np

from dynamics import stated
from dynamics.closures import Rule
from dynamics.geometry import Array
from dynamics.integral import IntegralRule
from dynamics.second_order import SecondOrderRule, derivatives
from dynamics.source import UNROLLED, interpret

TOLERANCE = 1e-12


def check_rows(module: ModuleType) -> None:
    """Check rates, loss, attention and descent at random states; a RuntimeError names what differs.

    The loops are held against the loss written out, the unrolled forms against the loops.
    """
    rng = np.random.default_rng(0)
    for scale in (0.5, 3.0):
        rule, y = _random_rule(rng), rng.normal(scale=scale, size=stated.COORDINATES)
        _agree("loops", _evaluated(module, "", y, rule), stated.reference(rule, y))
        for areas in UNROLLED:
            rule, y = _one_cluster(rng, areas), rng.normal(scale=scale, size=2 * areas + 1)
            found, loops = (_evaluated(module, form, y, rule) for form in (f"_{areas}", ""))
            _agree(f"form for {areas} areas", found, loops)


def check_jacobian(module: ModuleType) -> None:
    """The same of the Jacobian."""
    rng = np.random.default_rng(0)
    for scale in (0.5, 3.0):
        rule, y = _random_rule(rng), rng.normal(scale=scale, size=stated.COORDINATES)
        expected = {"jacobian": -stated.bends(partial(stated.loss, rule), y) / rule.multiplicity[:, None]}
        _agree("loops", {"jacobian": module.jacobian(y, rule)}, expected)
        for areas in UNROLLED:
            rule, y = _one_cluster(rng, areas), rng.normal(scale=scale, size=2 * areas + 1)
            found = {"jacobian": getattr(module, f"jacobian_{areas}")(y, rule)}
            _agree(f"form for {areas} areas", found, {"jacobian": module.jacobian(y, rule)})


def check_steps(module: ModuleType) -> None:
    """Hold tangents of the one-cluster form, one and in lanes, against the loops; and a step of one against theirs."""
    from dynamics.one_cluster import WIDTH, column

    rng = np.random.default_rng(0)
    for areas in UNROLLED:
        d, rule = 2 * areas + 2, _one_cluster(rng, areas)
        x, numbers = np.append(rng.normal(size=d - 1), 1.5), column(rule)
        found = {"one": np.empty(d), "lanes": np.empty(d * WIDTH)}
        getattr(module, f"tangents_{areas}")(x, numbers, found["one"])
        getattr(module, f"tangents_wide_{areas}")(np.repeat(x, WIDTH), np.repeat(numbers, WIDTH), found["lanes"])
        expected = module.tangent(x, rule)
        _agree(f"form for {areas} areas", found, {"one": expected, "lanes": np.repeat(expected, WIDTH)})
        ends = []
        for form, given in (("", rule), (f"_{areas}", numbers)):
            stages, end = np.append(expected, np.zeros(15 * d)), np.empty(d)
            getattr(module, f"fill{form}")(x, np.full(1, 0.3), given, stages, end)
            ends.append(end)
        _agree("steps", {"end": ends[0]}, {"end": ends[1]})


def check_second_order(module: ModuleType) -> None:
    """Hold the curvature of the second-order closure against differences of the loss written out."""
    rng = np.random.default_rng(0)
    for scale in (0.5, 3.0):
        curved = _random_rays(rng, _random_rule(rng))
        y, loss, multiplicity = (
            rng.normal(scale=scale, size=stated.COORDINATES),
            partial(stated.curved_loss, curved),
            curved.centre[0],
        )
        rate, value = module.rate_and_loss_second_order(y, curved)
        found = {"loss": np.array(value), "rate": rate, "jacobian": module.jacobian_second_order(y, curved)}
        expected = {"loss": stated.value(loss, y), "rate": -stated.slopes(loss, y) / multiplicity}
        expected |= {"jacobian": -stated.bends(loss, y) / multiplicity[:, None]}
        _agree("second-order closure", found, expected)


def check_ledger(module: ModuleType) -> None:
    """Hold the sum of the terms of every rate against the rate."""
    rng = np.random.default_rng(0)
    for scale in (0.5, 3.0):
        rule, y = _random_rule(rng), rng.normal(scale=scale, size=stated.COORDINATES)
        found, expected = module.ledger(y, rule).sum(axis=(0, 2)), module.rate_and_loss(y, rule)[0]
        _agree("ledger", {"rate": found}, {"rate": expected})


def check_nodes(module: ModuleType) -> None:
    """Hold rates and loss of the integral form against enumeration: two clusters, several latents, equal areas."""
    for rule, integral, y in _small_problems():
        rate, loss = module.rate_and_loss_integral(y, integral)
        expected_rate, expected_loss = _enumeration("rows").rate_and_loss(y, rule)
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
        expected = {"jacobian": _enumeration("jacobian").jacobian(y, rule)}
        _agree("integral form", {"jacobian": module.jacobian_integral(y, integral)}, expected)


def _enumeration(part: Literal["rows", "jacobian"]) -> Any:
    """What has passed its own check: as plain Python or compiled, whichever costs less."""
    from dynamics.compiled import kernel

    return kernel(None, part)


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
    areas = [area for cluster in stated.CLUSTERS for area in cluster]
    pp = np.array([coordinate for area in areas for coordinate in area.pp])
    size = rng.uniform(1, 9, len(pp))
    return Rule(
        multiplicity=rng.uniform(1, 5, stated.COORDINATES),
        areas=np.array([0, 2, 5]),
        target=np.array([stated.TARGET, 2 + stated.TARGET]),
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


def _random_rays(rng: np.random.Generator, centre: Rule) -> SecondOrderRule:
    """Rays from some rows, along one count and along all."""
    columns = centre.unmasked.shape[1]
    along = np.vstack([np.eye(columns)[[0, 3]] * centre.unmasked[0], centre.unmasked[0], centre.unmasked[1]])
    return SecondOrderRule(centre, np.array([0, 2, 3, 4]), along, rng.uniform(-0.1, 0.1, 4), *derivatives(0.1))


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
            rate, loss = _enumeration("rows").rate_and_loss(y, rule)
            expected = {"rate": rate, "loss": np.array(loss), "jacobian": _enumeration("jacobian").jacobian(y, rule)}
            _agree("conditional sum", found, expected)
