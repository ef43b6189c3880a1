"""The first-build check: the kernel against the model's loss, differentiated by SymPy for one geometry.

An independent way to the same numbers: the loss is written out for given counts and differentiated as it stands, with
no chain rule through attentions, no split sums and no loops, and evaluated with 50 digits.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from dynamics.closures import Rule
from dynamics.geometry import Array

TOLERANCE = 1e-12


def check_kernel(module: ModuleType) -> None:
    """Check loss, rate and Jacobian of every form at random states; a RuntimeError names what differs.

    The loops are held against the loss written out, the unrolled forms against the loops.
    """
    rng = np.random.default_rng(0)
    loops = (module.rate_and_loss, module.jacobian)
    for scale in (0.5, 3.0):
        areas = (1, 1, 2, 3)
        rule, y = _random_rule(rng, areas), rng.normal(scale=scale, size=8)
        _agree("loops", _evaluated(*loops, y, rule), reference(areas, rule, y))
        for n in (2, 3):
            rule, y = _random_rule(rng, tuple(range(1, n + 1))), rng.normal(scale=scale, size=2 * n + 1)
            unrolled = (getattr(module, f"rate_and_loss_{n}"), getattr(module, f"jacobian_{n}"))
            _agree(f"form for {n} areas", _evaluated(*unrolled, y, rule), _evaluated(*loops, y, rule))


def _evaluated(rate_and_loss: Any, jacobian: Any, y: Array, rule: Rule) -> dict[str, Array]:
    rate, loss = rate_and_loss(y, rule)
    return {"loss": np.array(loss), "rate": rate, "jacobian": jacobian(y, rule)}


def _agree(form: str, found: dict[str, Array], expected: dict[str, Array]) -> None:
    for name, exact in expected.items():
        error = np.abs(found[name] - exact).max() / np.abs(exact).max()
        if not error <= TOLERANCE:
            raise RuntimeError(f"{name} of the {form}: {error:.1e} off the derived one, relatively")


def _random_rule(rng: np.random.Generator, areas: tuple[int, ...]) -> Rule:
    """One sample of one cluster, class s in area areas[s], the target first, with random real counts."""
    S, N = len(areas), max(areas)
    zero, size = np.zeros(1, dtype=int), rng.uniform(1, 9, S)
    return Rule(
        multiplicity=np.ones(N + S + 1),
        areas=np.array([0, N]),
        target=zero,
        copies=np.ones(N),
        fp=np.arange(N),
        cells=np.searchsorted(areas, np.arange(1, N + 2)),
        pp=N + np.arange(S),
        size=size,
        column=np.arange(S),
        cluster=zero,
        counts=zero,
        latents=zero,
        weight=np.ones(1),
        unmasked=(size * rng.uniform(0.2, 0.8, S))[None],
        latent=np.full((1, N), rng.uniform(0.5, 1.5)),
    )


def reference(areas: tuple[int, ...], rule: Rule, y: Array) -> dict[str, Array]:
    """Loss, minus its gradient and minus its Hessian, with 50 digits, for a rule of one row and no copies."""
    import mpmath

    values = [*y, *rule.unmasked[0], *(rule.size - rule.unmasked[0]), *rule.latent[0]]
    with mpmath.workdps(50):
        loss, gradient, hessian = _written_out(areas)(*map(mpmath.mpf, values))
    jacobian = np.zeros((len(y), len(y)))
    jacobian[np.tril_indices(len(y))] = -np.array(hessian, dtype=float)
    jacobian += np.tril(jacobian, -1).T
    return {"loss": np.array(float(loss)), "rate": -np.array(gradient, dtype=float), "jacobian": jacobian}


@cache
def _written_out(areas: tuple[int, ...]) -> Any:
    """The loss of ``derivations.model`` with these classes put in, and its derivatives, as an mpmath function."""
    import sympy as sp

    from derivations import model, symbols

    S, N = len(areas), max(areas)
    loss = model.sample_loss().subs({symbols.S: S, symbols.N: N, symbols.a: 1}).doit()
    loss = loss.subs({symbols.area[s]: areas[s - 1] for s in range(1, S + 1)})
    fp = [symbols.fp[m] for m in range(1, N + 1)]
    classes = range(1, S + 1)
    state = [*fp, *(symbols.pp[s] for s in classes), symbols.pp_self]
    sample = [
        *(symbols.u[s] for s in classes),
        *(symbols.h[s] for s in classes),
        *(symbols.z[m] for m in range(1, N + 1)),
    ]
    plain = {symbol: sp.Symbol(f"v{i}", real=True) for i, symbol in enumerate([*state, *sample])}
    loss = loss.xreplace(plain)
    gradient = [sp.diff(loss, plain[symbol]) for symbol in state]
    lower = [sp.diff(gradient[i], plain[symbol]) for i in range(len(state)) for symbol in state[: i + 1]]
    return sp.lambdify(list(plain.values()), [loss, gradient, lower], modules="mpmath", cse=True)
