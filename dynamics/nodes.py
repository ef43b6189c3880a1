# ruff: noqa: F821 -- the formulas are bare annotations here; `compiled.py` puts their bodies in their place
"""Loops over the nodes of the integral form: the exact mean over masks and latents, at a cost linear in the areas.

The formulas come from ``derivations.nodes``; each takes and gives *jets*: values in column 0, and in the others their
derivatives along the coordinates, if these are wanted. So one text computes rates, loss and Jacobian.

An *area* stands for ``copies`` equal ones. Every sum over other areas leaves one out and subtracts nothing.

Results ``integral-form``, ``binomial-at-a-node``, ``quadrature``, ``inverse-power``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dynamics.loops import Formula, jit

if TYPE_CHECKING:
    from dynamics.geometry import Array
    from dynamics.integral import IntegralRule, Workspace

exp: Formula
log: Formula
expm1: Formula
log1p: Formula
own_mass: Formula
rest_own: Formula
tilt: Formula
chance: Formula
of_class: Formula
of_area: Formula
lever_seen: Formula
lever_hidden: Formula
rest_with: Formula
rest_joined: Formula
node_target: Formula
node_other: Formula
node_masked_target: Formula
node_masked_other: Formula
node_masked_self: Formula
node_loss: Formula
AREA_CUMULANTS: int
MOMENTS: int
LEVERS: int

# --- loops ---


@jit
def add_product(out: Array, one: Array, two: Array, factor: float) -> None:
    """Add factor · one · two to `out`: jets, `one` of a single number."""
    for row in range(out.shape[0]):
        for d in range(1, out.shape[1]):
            out[row, d] += factor * (one[0] * two[row, d] + one[d] * two[row, 0])
        out[row, 0] += factor * one[0] * two[row, 0]


@jit
def divide(out: Array, by: Array) -> None:
    """Divide `out` by `by`: jets, `by` of a single number."""
    inverse = 1 / by[0]
    for row in range(out.shape[0]):
        out[row, 0] = out[row, 0] * inverse
        for d in range(1, out.shape[1]):
            out[row, d] = (out[row, d] - out[row, 0] * by[d]) * inverse


@jit
def log_of_one_plus(small: complex) -> complex:
    """log(1 + small), to all digits near 0."""
    return complex(0.5 * log1p(2 * small.real + abs(small) * abs(small)), np.arctan2(small.imag, 1 + small.real))


@jit
def workspace(rule: IntegralRule, directions: int) -> Workspace:
    """Room for the jets of one node: see ``integral.Workspace``."""
    values, areas, cells = len(rule.latent), len(rule.fp), len(rule.pp)
    return Workspace(
        np.zeros((2, directions)),
        np.zeros((1, directions)),
        np.zeros((values, cells, 6, directions)),
        np.zeros((4, directions), np.complex128),
        np.zeros((values, cells, 9, directions), np.complex128),
        np.zeros((values, areas, directions), np.complex128),
        np.zeros((AREA_CUMULANTS, directions), np.complex128),
        np.zeros((MOMENTS, directions), np.complex128),
        np.zeros((LEVERS, directions), np.complex128),
        np.zeros(directions, np.complex128),
        np.zeros(directions, np.complex128),
        np.zeros((areas, MOMENTS, directions), np.complex128),
        np.zeros((areas, LEVERS, directions), np.complex128),
        np.zeros((2, cells, LEVERS, directions), np.complex128),
        np.zeros((areas + 1, 3, directions), np.complex128),
        np.zeros((areas + 1, 3, directions), np.complex128),
        np.zeros((3, directions), np.complex128),
        np.zeros((3, directions), np.complex128),
        np.zeros((1, directions), np.complex128),
    )


@jit
def tilts(y: Array, rule: IntegralRule, k: int, shift: float, node: float, work: Workspace) -> None:
    """Masses of a patch of each cell for each latent value, and what the node makes of them."""
    state = work.state
    for m in range(rule.areas[k], rule.areas[k + 1]):
        for s in range(rule.cells[m], rule.cells[m + 1]):
            state[0, 0] = y[rule.fp[m]]
            state[1, 0] = y[rule.pp[s]]
            if state.shape[1] > 1:
                state[:, 1:] = 0
                state[0, 1 + rule.fp[m]] = 1
                state[1, 1 + rule.pp[s]] = 1
            for i in range(len(rule.latent)):
                tilt(work.masses[i, s], state, rule.latent[i], shift, node)


@jit
def logs_at(rule: IntegralRule, k: int, x: complex, grown: complex, work: Workspace) -> float:
    """Cumulants of each cell, log node mass of each area, for each latent value; returns the log of a bound of all."""
    chances, logs, bound = work.chances, work.logs, 0.0
    for m in range(rule.areas[k], rule.areas[k + 1]):
        highest = -np.inf
        for i in range(len(rule.latent)):
            logs[i, m] = 0
            for s in range(rule.cells[m], rule.cells[m + 1]):
                masses = work.masses[i, s]
                if (
                    masses[2, 0] + abs(x) * masses[3, 0] < 1e-150
                ):  # beside other values of the latent this one is nothing
                    logs[i, m, 0] = -np.inf
                    break
                chance(chances, masses, x, grown, rule.start)
                of_class(work.cells[i, s], masses, chances, rule.size[s])
                near = abs(chances[0, 0]) < 0.5
                logs[i, m, 0] += rule.size[s] * (log_of_one_plus(chances[0, 0]) if near else np.log(chances[1, 0]))
                for d in range(1, chances.shape[1]):
                    logs[i, m, d] += rule.size[s] * chances[1, d] / chances[1, 0]
            highest = max(highest, logs[i, m, 0].real)
        total = 0.0
        for i in range(len(rule.latent)):
            total += rule.chance[i] * exp(logs[i, m, 0].real - highest)
        bound += rule.copies[m] * (highest + log(total))
    return bound


@jit
def sum_cumulants(rule: IntegralRule, m: int, i: int, work: Workspace) -> None:
    """Cumulants of area m with latent value i: those of its cells together."""
    work.sums[:] = 0
    for s in range(rule.cells[m], rule.cells[m + 1]):
        for row in range(AREA_CUMULANTS):
            for d in range(work.sums.shape[1]):
                work.sums[row, d] += work.cells[i, s, row, d]


@jit
def moments_of_one_latent(rule: IntegralRule, m: int, work: Workspace) -> bool:
    """``moments_of`` where the latent has one value."""
    z = rule.latent[0]
    sum_cumulants(rule, m, 0, work)
    of_area(work.area[m], work.sums, z)
    work.fp[m] = 0
    for s in range(rule.cells[m], rule.cells[m + 1]):
        lever_seen(work.pp[0, s], work.cells[0, s], work.sums, z)
        lever_hidden(work.pp[1, s], work.cells[0, s], work.sums, z)
        for row in range(LEVERS):
            for d in range(work.sums.shape[1]):
                work.fp[m, row, d] += z * work.pp[0, s, row, d]
    for d in range(len(work.weight)):
        work.weight[d] += rule.copies[m] * work.logs[0, m, d]
    return work.logs[0, m, 0].real > -np.inf


@jit
def moments_of(rule: IntegralRule, m: int, work: Workspace) -> bool:
    """Mean moments of area m and its levers over the latent; adds its log mass to the weight. False if that is −∞."""
    logs, weight, highest = work.logs, work.chosen, 0
    for i in range(len(rule.latent)):
        highest = i if logs[i, m, 0].real > logs[highest, m, 0].real else highest
    top = logs[highest, m, 0]
    work.area[m] = 0
    work.fp[m] = 0
    work.pp[:, rule.cells[m] : rule.cells[m + 1]] = 0
    for i in range(len(rule.latent)):
        weight[0] = rule.chance[i] * np.exp(logs[i, m, 0] - top) if logs[i, m, 0].real > -np.inf else 0
        if weight[0] != 0:
            weight[1:] = weight[0] * logs[i, m, 1:]
            sum_cumulants(rule, m, i, work)
            of_area(work.moments, work.sums, rule.latent[i])
            add_product(work.area[m], weight, work.moments, 1.0)
            for s in range(rule.cells[m], rule.cells[m + 1]):
                lever_seen(work.levers, work.cells[i, s], work.sums, rule.latent[i])
                add_product(work.pp[0, s], weight, work.levers, 1.0)
                add_product(work.fp[m], weight, work.levers, rule.latent[i])
                lever_hidden(work.levers, work.cells[i, s], work.sums, rule.latent[i])
                add_product(work.pp[1, s], weight, work.levers, 1.0)
    weight[:] = work.area[m, 0]
    if weight[0] == 0:
        return False
    work.weight[0] += rule.copies[m] * (top + np.log(weight[0]))
    work.weight[1:] += rule.copies[m] * weight[1:] / weight[0]
    divide(work.area[m], weight)
    divide(work.fp[m], weight)
    for s in range(rule.cells[m], rule.cells[m + 1]):
        divide(work.pp[0, s], weight)
        divide(work.pp[1, s], weight)
    return True


@jit
def rests_of(rule: IntegralRule, k: int, work: Workspace) -> None:
    """The query and the areas before each area, and the areas after it, the target left out."""
    first, last, before, after = rule.areas[k], rule.areas[k + 1], work.before, work.after
    rest_own(before[first], work.own)
    after[last] = 0
    for m in range(first, last):
        rest_with(before[m + 1], before[m], work.area[m], rule.copies[m] if m != rule.target[k] else 0.0)
    for m in range(last - 1, first - 1, -1):
        rest_with(after[m], after[m + 1], work.area[m], rule.copies[m] if m != rule.target[k] else 0.0)


@jit
def add(out: Array, work: Workspace, factor: float) -> None:
    """Add the real part of weight · value to an output: its number, and its derivatives."""
    weight, value = work.weight, work.value
    out[0] += factor * (weight[0] * value[0, 0]).real
    for d in range(1, len(out)):
        out[d] += factor * (weight[0] * value[0, d] + weight[d] * value[0, 0]).real


@jit
def add_node(out: Array, rule: IntegralRule, k: int, cubic: float, quadratic: float, work: Workspace) -> None:
    """What a node adds to the rate of each coordinate, times its multiplicity, and to the loss."""
    first, last, a = rule.areas[k], rule.areas[k + 1], rule.target[k]
    value, target = work.value, work.area[a]
    rests_of(rule, k, work)
    others = work.before[last]
    node_loss(value, target, others)
    add(out[-1], work, quadratic)
    node_masked_self(value, work.own, target, others)
    add(out[-2], work, cubic)
    node_target(value, work.fp[a], others)
    add(out[rule.fp[a]], work, cubic)
    for s in range(rule.cells[a], rule.cells[a + 1]):
        node_target(value, work.pp[0, s], others)
        add(out[rule.pp[s]], work, cubic)
        node_masked_target(value, work.pp[1, s], others)
        add(out[rule.pp[s]], work, cubic)
    others = work.others
    for m in range(first, last):
        if m != a:
            rest_joined(work.rest, work.before[m], work.after[m + 1])
            rest_with(others, work.rest, work.area[m], rule.copies[m] - 1)
            each = cubic * rule.copies[m]
            node_other(value, work.fp[m], target, others)
            add(out[rule.fp[m]], work, each)
            for s in range(rule.cells[m], rule.cells[m + 1]):
                node_other(value, work.pp[0, s], target, others)
                add(out[rule.pp[s]], work, each)
                node_masked_other(value, work.pp[1, s], target, others)
                add(out[rule.pp[s]], work, each)
