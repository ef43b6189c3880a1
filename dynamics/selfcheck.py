"""The first-build check: the kernel against the model's loss, differentiated for one geometry.

An independent way to the same numbers: the loss of each sample is evaluated as the model states it, a sum over classes
within a sum over areas, every copy of an area an area of its own, and differentiated by differences that a hundred
digits hold, with no chain rule through attentions, no split sums and no loops. The geometry has all that the loops tell
apart: two clusters that share coordinates, an area that stands for two, a target that is not the first area, two cells
in an area, latents and multiplicities that all differ, and samples with and without the latents of the one before.

There is a ``check_`` for each part of the kernel, of what that part holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache, lru_cache, partial
from types import ModuleType
from typing import Any, Literal, NamedTuple

import numpy as np

from dynamics.closures import Rule
from dynamics.geometry import Array
from dynamics.integral import IntegralRule
from dynamics.second_order import SecondOrderRule, derivatives
from dynamics.source import UNROLLED, interpret

TOLERANCE = 1e-12
DIGITS, STEP, COUNT_STEP = 100, "1e-25", "1e-12"  # of the differences: in a coordinate, along a change of counts
COORDINATES = 7  # fp 0, 1, 2; pp 3, 4, 5; self


class _Area(NamedTuple):
    """An area of the geometry checked: its coordinate, how many it stands for, the coordinates of its cells."""

    fp: int
    copies: int
    pp: tuple[int, ...]


CLUSTERS = ((_Area(0, 2, (3,)), _Area(1, 1, (4, 5))), (_Area(2, 1, (3,)), _Area(1, 1, (4,)), _Area(0, 1, (5,))))
TARGET = 1  # the second area of each cluster


def check_rows(module: ModuleType) -> None:
    """Check rates, loss, attention and descent at random states; a RuntimeError names what differs.

    The loops are held against the loss written out, the unrolled forms against the loops.
    """
    rng = np.random.default_rng(0)
    for scale in (0.5, 3.0):
        rule, y = _random_rule(rng), rng.normal(scale=scale, size=COORDINATES)
        _agree("loops", _evaluated(module, "", y, rule), _reference(rule, y))
        for areas in UNROLLED:
            rule, y = _one_cluster(rng, areas), rng.normal(scale=scale, size=2 * areas + 1)
            found, loops = (_evaluated(module, form, y, rule) for form in (f"_{areas}", ""))
            _agree(f"form for {areas} areas", found, loops)


def check_jacobian(module: ModuleType) -> None:
    """The same of the Jacobian."""
    rng = np.random.default_rng(0)
    for scale in (0.5, 3.0):
        rule, y = _random_rule(rng), rng.normal(scale=scale, size=COORDINATES)
        expected = {"jacobian": -_bends(partial(_loss, rule), y) / rule.multiplicity[:, None]}
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
            rng.normal(scale=scale, size=COORDINATES),
            partial(_curved_loss, curved),
            curved.centre[0],
        )
        rate, value = module.rate_and_loss_second_order(y, curved)
        found = {"loss": np.array(value), "rate": rate, "jacobian": module.jacobian_second_order(y, curved)}
        expected = {"loss": _value(loss, y), "rate": -_slopes(loss, y) / multiplicity}
        expected |= {"jacobian": -_bends(loss, y) / multiplicity[:, None]}
        _agree("second-order closure", found, expected)


def check_ledger(module: ModuleType) -> None:
    """Hold the sum of the terms of every rate against the rate."""
    rng = np.random.default_rng(0)
    for scale in (0.5, 3.0):
        rule, y = _random_rule(rng), rng.normal(scale=scale, size=COORDINATES)
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


def _random_rays(rng: np.random.Generator, centre: Rule) -> SecondOrderRule:
    """Rays from some rows, along one count and along all."""
    columns = centre.unmasked.shape[1]
    along = np.vstack([np.eye(columns)[[0, 3]] * centre.unmasked[0], centre.unmasked[0], centre.unmasked[1]])
    return SecondOrderRule(centre, np.array([0, 2, 3, 4]), along, rng.uniform(-0.1, 0.1, 4), *derivatives(0.1))


def _reference(rule: Rule, y: Array) -> dict[str, Array]:
    """Loss, rate and attention from the loss written out, one sample after the other."""
    loss, weight = partial(_loss, rule), np.bincount(rule.cluster, rule.weight)
    attention = [np.zeros(len(areas) + 2) for areas in CLUSTERS]
    for row, k in enumerate(rule.cluster):
        attention[k] += rule.weight[row] / weight[k] * _attention(rule, row, y)
    value, rate = _value(loss, y), -_slopes(loss, y) / rule.multiplicity
    return {
        "loss": value,
        "rate": rate,
        "first step": 0.5 * rate,
        "later steps": np.ones(len(y)),
        "losses": value[None],
        "attention": np.concatenate(attention),
    }


_as_numbers = np.vectorize(lambda number: _mpmath().mpf(number), otypes=[object])


def _mpmath() -> Any:
    import mpmath

    return mpmath


def _value(loss: Callable[[Any], Any], y: Array) -> Array:
    with _mpmath().workdps(DIGITS):
        return np.array(float(loss(_as_numbers(y))))


def _slopes(loss: Callable[[Any], Any], y: Array) -> Array:
    """First derivatives of the loss: (n,)."""
    with _mpmath().workdps(DIGITS):
        state, steps = _as_numbers(y), _mpmath().mpf(STEP) * np.eye(len(y), dtype=int)
        return np.array([float((loss(state + by) - loss(state - by)) / (2 * by.max())) for by in steps])


def _bends(loss: Callable[[Any], Any], y: Array) -> Array:
    """Second derivatives: (n, n)."""
    with _mpmath().workdps(DIGITS):
        state, steps = _as_numbers(y), _mpmath().mpf(STEP) * np.eye(len(y), dtype=int)
        here, out = loss(state), np.empty((len(y), len(y)))
        both = [loss(state + by) + loss(state - by) - 2 * here for by in steps]  # step² times the second derivative
        for i, j in np.ndindex(out.shape):
            if j <= i:
                by = steps[i] + steps[j]
                along = loss(state + by) + loss(state - by) - 2 * here
                out[i, j] = out[j, i] = float((along - both[i] - both[j]) / (2 * steps[i].max() ** 2))
        return out


def _loss(rule: Rule, y: Any) -> Any:
    """Of all samples."""
    return sum(weight * _sample(rule, row, y, 0) for row, weight in enumerate(rule.weight.tolist()))


def _curved_loss(rule: SecondOrderRule, y: Any) -> Any:
    """The centres, and the curvature along each ray by a difference."""
    total, step = _loss(rule.centre, y), _mpmath().mpf(COUNT_STEP)
    for along, row, spread in zip(rule.along, rule.row, rule.spread.tolist(), strict=True):
        low, middle, high = (_sample(rule.centre, row, y, move * along) for move in (-step, 0 * step, step))
        total += spread * (low - 2 * middle + high) / step**2
    return total


def _sample(rule: Rule, row: int, y: Any, change: Any) -> Any:
    """Loss of a sample with its counts changed, as the model states it, with the digits that mpmath is set to.

    Every copy of an area is an area of its own. The model counts from 1.
    """
    k = int(rule.cluster[row])
    unmasked, size = _counts(rule, row, change)
    areas = [m for m, area in enumerate(CLUSTERS[k]) for _ in range(area.copies)]
    cells = [(m, pp) for m, area in enumerate(CLUSTERS[k]) for pp in area.pp]
    classes = [(i, c) for i, m in enumerate(areas, 1) for c, (home, _) in enumerate(cells) if home == m]
    return _stated()(
        [None, *(y[CLUSTERS[k][m].fp] for m in areas)],
        [None, *(y[cells[c][1]] for _, c in classes)],
        y[-1],
        [None, *(rule.latent[rule.latents[row], m] for m in areas)],
        [None, *(unmasked[c] for _, c in classes)],
        [None, *(size[c] - unmasked[c] for _, c in classes)],
        [None, *(i for i, _ in classes)],
        len(classes),
        len(areas),
        1 + areas.index(TARGET),
    )


def _counts(rule: Rule, row: int, change: Any) -> tuple[Any, Any]:
    """Unmasked patches in each cell of the sample's cluster, and all."""
    k = int(rule.cluster[row])
    cells = slice(rule.cells[rule.areas[k]], rule.cells[rule.areas[k + 1]])
    unmasked = _as_numbers(rule.unmasked[rule.counts[row]]) + change
    return unmasked[rule.column[cells]], _as_numbers(rule.size[cells])


@cache
def _stated() -> Any:
    """The loss of a sample, as ``derivations.model`` has it, for mpmath; exponentials are remembered."""
    import sympy as sp

    from derivations import model
    from derivations.symbols import N, S, a, area, fp, h, pp, pp_self, u, z

    arguments = [fp, pp, pp_self, z, u, h, area, S, N, a]
    exp = lru_cache(maxsize=1000)(_mpmath().exp)
    return sp.lambdify(arguments, model.sample_loss(), modules=[{"exp": exp}, "mpmath"])


def _attention(rule: Rule, row: int, y: Array) -> Array:
    """Of a sample: on all copies of each area, on the masked patches, and on the query."""
    k, (unmasked, size), (seen, hidden) = int(rule.cluster[row]), _counts(rule, row, 0), _masses()
    cells = [(m, pp) for m, area in enumerate(CLUSTERS[k]) for pp in area.pp]
    masses = np.array([*(0 * y[-1] for _ in CLUSTERS[k]), 0 * y[-1], hidden(y[-1])], dtype=object)
    for c, (m, pp) in enumerate(cells):
        area, z = CLUSTERS[k][m], rule.latent[rule.latents[row], m]
        masses[m] += area.copies * unmasked[c] * seen(z, y[area.fp], y[pp])
        masses[-2] += area.copies * (size[c] - unmasked[c]) * hidden(y[pp])
    return (masses / masses.sum()).astype(float)


@cache
def _masses() -> tuple[Any, Any]:
    """Softmax numerators of an unmasked and a masked patch."""
    import sympy as sp

    from derivations import model

    z, fp, pp = sp.symbols("z fp pp", real=True)
    seen, hidden = model.unmasked_mass(z, fp, pp), model.masked_mass(pp)
    return sp.lambdify([z, fp, pp], seen, modules="mpmath"), sp.lambdify([pp], hidden, modules="mpmath")


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
