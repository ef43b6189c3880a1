# ruff: noqa: F821 -- the formulas are bare annotations here; `compiled.py` puts their bodies in their place
"""Loops over the nodes of the integral form: the exact mean over masks and latents, at a cost linear in the areas.

The formulas come from ``derivations.nodes``; each takes and gives *jets*, arrays of (numbers, marks, directions):
values in direction 0, in the others their derivatives along the coordinates, if these are wanted. So one text computes
rates, loss and Jacobian. A *mark* is an x on the circle of one y; some are taken together.

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
of_patch: Formula
of_target: Formula
of_other: Formula
seen_target: Formula
hidden_target: Formula
seen_other: Formula
hidden_other: Formula
rest_with: Formula
rest_joined: Formula
node_target: Formula
node_other: Formula
node_masked_target: Formula
node_masked_other: Formula
node_masked_self: Formula
node_loss: Formula
CUMULANTS: int
MARKS: int
TARGET: int
LEVERS: int

# --- loops ---


@jit
def add_product(marks: int, out: Array, one: Array, two: Array, factor: float) -> None:
    """Add factor · one · two to `out`: jets, `one` of a single number."""
    for row in range(two.shape[0]):
        for t in range(marks):
            for d in range(1, out.shape[2]):
                out[row, t, d] += factor * (one[t, 0] * two[row, t, d] + one[t, d] * two[row, t, 0])
            out[row, t, 0] += factor * one[t, 0] * two[row, t, 0]


@jit
def divide(marks: int, out: Array, by: Array) -> None:
    """Divide `out` by `by`: jets, `by` of a single number; what has no weight is 0."""
    for t in range(marks):
        inverse = 1 / by[t, 0] if by[t, 0] != 0 else 0j
        for row in range(out.shape[0]):
            out[row, t, 0] = out[row, t, 0] * inverse
            for d in range(1, out.shape[2]):
                out[row, t, d] = (out[row, t, d] - out[row, t, 0] * by[t, d]) * inverse


@jit
def log_of_one_plus(small: complex) -> complex:
    """log(1 + small), to all digits near 0."""
    return complex(0.5 * log1p(2 * small.real + abs(small) * abs(small)), np.arctan2(small.imag, 1 + small.real))


@jit
def workspace(rule: IntegralRule, directions: int) -> Workspace:
    """Room for the jets of one node: see ``integral.Workspace``."""
    values, areas, cells, z = len(rule.latent), len(rule.fp), len(rule.pp), np.complex128
    return Workspace(
        np.zeros((2, 1, directions)),
        np.zeros((1, 1, directions)),
        np.zeros((values, cells, 6, 1, directions)),
        np.zeros(MARKS, z),
        np.zeros(MARKS, z),
        np.zeros(MARKS),
        np.zeros((values, cells, 4, MARKS, directions), z),
        np.zeros((values, cells, CUMULANTS, MARKS, directions), z),
        np.zeros((values, areas, MARKS, directions), z),
        np.zeros((CUMULANTS, MARKS, directions), z),
        np.zeros((3, MARKS, directions), z),
        np.zeros((TARGET, MARKS, directions), z),
        np.zeros((2, LEVERS, MARKS, directions), z),
        np.zeros((2, MARKS, directions), z),
        np.zeros(MARKS, z),
        np.zeros((MARKS, directions), z),
        np.zeros((areas, 3, MARKS, directions), z),
        np.zeros((TARGET, MARKS, directions), z),
        np.zeros((areas, LEVERS, MARKS, directions), z),
        np.zeros((2, cells, LEVERS, MARKS, directions), z),
        np.zeros((areas + 1, 3, MARKS, directions), z),
        np.zeros((areas + 1, 3, MARKS, directions), z),
        np.zeros((3, MARKS, directions), z),
        np.zeros((3, MARKS, directions), z),
        np.zeros((1, MARKS, directions), z),
    )


@jit
def tilts(y: Array, rule: IntegralRule, k: int, shift: float, node: float, work: Workspace) -> None:
    """Masses of a patch of each cell for each latent value, and what the node makes of them."""
    state = work.state
    for m in range(rule.areas[k], rule.areas[k + 1]):
        for s in range(rule.cells[m], rule.cells[m + 1]):
            state[0, 0, 0] = y[rule.fp[m]]
            state[1, 0, 0] = y[rule.pp[s]]
            if state.shape[2] > 1:
                state[:, 0, 1:] = 0
                state[0, 0, 1 + rule.fp[m]] = 1
                state[1, 0, 1 + rule.pp[s]] = 1
            for i in range(len(rule.latent)):
                tilt(1, work.masses[i, s], state, rule.latent[i], shift, node)


@jit
def logs_at(rule: IntegralRule, k: int, marks: int, work: Workspace) -> None:
    """Cumulants of a patch of each cell and log node mass of each area, by latent value; the log of a bound of all."""
    logs, bounds, x = work.logs, work.bounds, work.x
    bounds[:] = 0
    for m in range(rule.areas[k], rule.areas[k + 1]):
        for i in range(len(rule.latent)):
            log_mass = logs[i, m]
            log_mass[:] = 0
            for s in range(rule.cells[m], rule.cells[m + 1]):
                masses, chances = work.masses[i, s], work.chances[i, s]
                if (
                    masses[2, 0, 0] + abs(x[0]) * masses[3, 0, 0] < 1e-150
                ):  # beside other values of the latent this one is nothing
                    log_mass[:, 0] = -np.inf
                    break
                chance(marks, chances, masses, x, work.grown, rule.start)
                of_patch(marks, work.patches[i, s], masses, chances)
                size = rule.size[s]
                for t in range(marks):
                    near = abs(chances[0, t, 0]) < 0.5
                    log_mass[t, 0] += size * (log_of_one_plus(chances[0, t, 0]) if near else np.log(chances[1, t, 0]))
                    for d in range(1, chances.shape[2]):
                        log_mass[t, d] += size * chances[1, t, d] / chances[1, t, 0]
        for t in range(marks):
            highest, total = -np.inf, 0.0
            for i in range(len(rule.latent)):
                highest = max(highest, logs[i, m, t, 0].real)
            for i in range(len(rule.latent)):
                total += rule.chance[i] * exp(logs[i, m, t, 0].real - highest)
            bounds[t] += rule.copies[m] * (highest + log(total))


@jit
def sum_cumulants(rule: IntegralRule, m: int, i: int, marks: int, work: Workspace) -> None:
    """Cumulants of area m with latent value i: those of its patches together."""
    sums = work.sums
    sums[:] = 0
    for s in range(rule.cells[m], rule.cells[m + 1]):
        size, patch = rule.size[s], work.patches[i, s]
        for row in range(CUMULANTS):
            for t in range(marks):
                for d in range(sums.shape[2]):
                    sums[row, t, d] += size * patch[row, t, d]


@jit
def levers(out: Array, rule: IntegralRule, is_target: bool, s: int, i: int, marks: int, work: Workspace) -> None:
    """Moments of its area beside the masses of cell s, the unmasked one and the masked one, with latent value i."""
    masses, chances, patch, sums = work.masses[i, s], work.chances[i, s], work.patches[i, s], work.sums
    size, z = rule.size[s], rule.latent[i]
    if is_target:
        seen_target(marks, out[0], masses, chances, patch, sums, size, z)
        hidden_target(marks, out[1], masses, chances, patch, sums, size, z)
    else:
        seen_other(marks, out[0], masses, chances, patch, sums, size, z)
        hidden_other(marks, out[1], masses, chances, patch, sums, size, z)


@jit
def moments_of_one_latent(rule: IntegralRule, m: int, is_target: bool, marks: int, work: Workspace) -> None:
    """``moments_of`` where the latent has one value."""
    sum_cumulants(rule, m, 0, marks, work)
    if is_target:
        of_target(marks, work.target, work.sums, rule.latent[0])
    else:
        of_other(marks, work.area[m], work.sums, rule.latent[0])
    fp, weight, log_mass, one = work.fp[m], work.weight, work.logs[0, m], work.chosen[0]
    fp[:] = 0
    one[:, 0] = 1
    one[:, 1:] = 0
    for s in range(rule.cells[m], rule.cells[m + 1]):
        levers(work.pp[:, s], rule, is_target, s, 0, marks, work)
        add_product(marks, fp, one, work.pp[0, s], rule.latent[0])
    for t in range(marks):
        for d in range(weight.shape[1]):
            weight[t, d] += rule.copies[m] * log_mass[t, d]


@jit
def weigh(rule: IntegralRule, m: int, i: int, marks: int, work: Workspace) -> None:
    """Weight of one latent value of area m, over that of the likeliest, and added to that of all."""
    logs, weight, all_weight = work.logs[:, m], work.chosen[0], work.chosen[1]
    for t in range(marks):
        top = logs[0, t, 0]
        for other in range(1, len(rule.latent)):
            top = logs[other, t, 0] if logs[other, t, 0].real > top.real else top
        work.top[t] = top
        weight[t, 0] = rule.chance[i] * np.exp(logs[i, t, 0] - top)
        for d in range(1, weight.shape[1]):
            weight[t, d] = weight[t, 0] * logs[i, t, d]
        for d in range(weight.shape[1]):
            all_weight[t, d] += weight[t, d]


@jit
def moments_of(rule: IntegralRule, m: int, is_target: bool, marks: int, work: Workspace) -> None:
    """Mean moments of area m and its levers over the latent; adds its log mass to the weight."""
    weight, all_weight = work.chosen[0], work.chosen[1]
    area = work.target if is_target else work.area[m]
    fp, pp = work.fp[m], work.pp[:, rule.cells[m] : rule.cells[m + 1]]
    area[:], fp[:], pp[:], all_weight[:] = 0, 0, 0, 0
    for i in range(len(rule.latent)):
        if work.logs[i, m, 0, 0].real > -np.inf:
            weigh(rule, m, i, marks, work)
            sum_cumulants(rule, m, i, marks, work)
            if is_target:
                of_target(marks, work.of_target, work.sums, rule.latent[i])
                add_product(marks, area, weight, work.of_target, 1.0)
            else:
                of_other(marks, work.of_other, work.sums, rule.latent[i])
                add_product(marks, area, weight, work.of_other, 1.0)
            for s in range(pp.shape[1]):
                levers(work.levers, rule, is_target, rule.cells[m] + s, i, marks, work)
                add_product(marks, fp, weight, work.levers[0], rule.latent[i])
                for kind in range(2):
                    add_product(marks, pp[kind, s], weight, work.levers[kind], 1.0)
    for t in range(marks):
        mass = all_weight[t, 0]
        work.weight[t, 0] += rule.copies[m] * (work.top[t] + np.log(mass)) if mass != 0 else complex(-np.inf, 0.0)
        for d in range(1, weight.shape[1]):
            work.weight[t, d] += rule.copies[m] * all_weight[t, d] / mass if mass != 0 else 0j
    divide(marks, area, all_weight)
    divide(marks, fp, all_weight)
    for s in range(pp.shape[1]):
        for kind in range(2):
            divide(marks, pp[kind, s], all_weight)


@jit
def rests_of(rule: IntegralRule, k: int, marks: int, work: Workspace) -> None:
    """The query and the areas before each area, and the areas after it, the target left out."""
    first, last, a, before, after = rule.areas[k], rule.areas[k + 1], rule.target[k], work.before, work.after
    rest_own(marks, before[first], work.own)
    after[last] = 0
    for m in range(first, last):
        if m == a:
            before[m + 1] = before[m]
        else:
            rest_with(marks, before[m + 1], before[m], work.area[m], rule.copies[m])
    for m in range(last - 1, first, -1):
        if m == a:
            after[m] = after[m + 1]
        else:
            rest_with(marks, after[m], after[m + 1], work.area[m], rule.copies[m])


@jit
def add(marks: int, out: Array, weight: Array, value: Array, factor: float) -> None:
    """Add the real part of weight · value to an output, of all marks: its number, and its derivatives."""
    for t in range(marks):
        out[0] += factor * (weight[t, 0] * value[0, t, 0]).real
        for d in range(1, len(out)):
            out[d] += factor * (weight[t, 0] * value[0, t, d] + weight[t, d] * value[0, t, 0]).real


@jit
def add_nodes(
    out: Array, rule: IntegralRule, k: int, cubic: float, quadratic: float, marks: int, work: Workspace
) -> None:
    """What the marks of a node add to the rate of each coordinate, times its multiplicity, and to the loss."""
    first, last, a = rule.areas[k], rule.areas[k + 1], rule.target[k]
    weight, value, target, others, pp = work.weight, work.value, work.target, work.before[last], work.pp
    rests_of(rule, k, marks, work)
    node_loss(marks, value, target, others)
    add(marks, out[-1], weight, value, quadratic)
    node_masked_self(marks, value, work.own, target, others)
    add(marks, out[-2], weight, value, cubic)
    node_target(marks, value, work.fp[a], others)
    add(marks, out[rule.fp[a]], weight, value, cubic)
    for s in range(rule.cells[a], rule.cells[a + 1]):
        node_target(marks, value, pp[0, s], others)
        add(marks, out[rule.pp[s]], weight, value, cubic)
        node_masked_target(marks, value, pp[1, s], others)
        add(marks, out[rule.pp[s]], weight, value, cubic)
    others = work.others
    for m in range(first, last):
        if m != a:
            rest_joined(marks, work.rest, work.before[m], work.after[m + 1])
            rest_with(marks, others, work.rest, work.area[m], rule.copies[m] - 1)
            each = cubic * rule.copies[m]
            node_other(marks, value, work.fp[m], target, others)
            add(marks, out[rule.fp[m]], weight, value, each)
            for s in range(rule.cells[m], rule.cells[m + 1]):
                node_other(marks, value, pp[0, s], target, others)
                add(marks, out[rule.pp[s]], weight, value, each)
                node_masked_other(marks, value, pp[1, s], target, others)
                add(marks, out[rule.pp[s]], weight, value, each)
