"""A law of scipy.stats by finitely many values: its own where it is discrete, else the Gauss nodes of its density.

Both kinds that SciPy has are taken: frozen ones (``ppf``, ``var``) and those of 2025 (``icdf``, ``variance``).
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from dynamics.errors import accept, real_array
from dynamics.geometry import Array
from dynamics.laws import ACCEPTED, LARGEST, NODES, interval
from dynamics.shown import counted, cut, number

POINTS = 801, 6401  # of the rule for a density: smooth ones take the first, ones with a kink perhaps the second
AGREES, DIFFERS = 1e-8, 1e-7  # of mean and variance; SciPy integrates many laws to no more than 1.5e-8
LEAST_SQUARE = 1e-290  # of the width of a support: variances stay floats


def finite_law(given: Any) -> tuple[Array, Array, str]:
    """Values, weights, and what the law is called, which is nothing where its values tell it best.

    Raises
    ------
    ValueError
        If the law is not frozen, is several laws, or has no bounded support; or if the values do not have its mean and
        its variance: a pair (values, weights) can stand for such a law.
    """
    law = _frozen(given)
    ends = real_array(law.support())
    accept(ends.shape == (2,), "latent.support()", law.support(), "two numbers: one law, not several")
    first, last = ends.tolist()
    expected = f"a support within [0, {LARGEST:g}]"
    accept(0 <= first <= last <= LARGEST, "latent.support()", (first, last), expected)
    with np.errstate(all="ignore"):
        if _is_discrete(law):
            return _own_values(law, first, last)
        accept((last - first) ** 2 > LEAST_SQUARE, "latent.support()", (first, last), f"{expected}, and wider")
        values, weights = _nodes(law, first, last)
        return values, weights, _name(law, first, last, len(values), "node")


def _frozen(given: Any) -> Any:
    """The law as SciPy freezes it: one that has all its numbers may come unfrozen."""
    if isinstance(given, type):
        accept(False, "latent", given.__name__, f"{ACCEPTED}: {given.__name__}(...) with its numbers")
    if not hasattr(given, "freeze"):
        return given
    from scipy import stats

    if given.numargs > 0 or getattr(stats, given.name, None) is given:
        numbers = ", ".join(f"{name}=..." for name in [*_shapes(given), "loc", "scale"])
        ends = "dy.Law.uniform(low, high) or " if given.name == "uniform" else ""
        accept(False, "latent", given.name, f"{ACCEPTED}: {ends}stats.{given.name}({numbers})")
    return given.freeze()


def _shapes(dist: Any) -> list[str]:
    """Names of the numbers of a law that are neither loc nor scale."""
    return str(dist.shapes).split(", ") if dist.numargs else []


def _is_discrete(law: Any) -> bool:
    if hasattr(law, "ppf"):
        return hasattr(law, "pmf")
    return any(kind.__name__ == "DiscreteDistribution" for kind in type(law).__mro__)  # densities have a pmf too


def _own_values(law: Any, first: float, last: float) -> tuple[Array, Array, str]:
    """What a discrete law can be, with its probabilities, and its name."""
    dist, loc, unshifted = getattr(law, "dist", None), 0.0, law
    if dist is not None:  # the pmf is 0 where x − loc is not whole as floats see it
        at = dist.numargs
        loc = float(law.args[at] if len(law.args) > at else law.kwds.get("loc", 0))
        if hasattr(dist, "xk"):  # a table of values
            values, weights = real_array(dist.xk) + loc, np.asarray(dist.pk)
            return values[weights > 0], weights[weights > 0], ""
        unshifted = dist(*law.args[:at], **{name: value for name, value in law.kwds.items() if name != "loc"})
    whole = float(unshifted.support()[0]) + np.arange(round(last - first) + 1)
    weights = real_array(unshifted.pmf(whole))
    values, weights = np.add(whole, loc)[weights > 0], weights[weights > 0]
    total = float(weights.sum())
    every = f"{number(first)}, {number(first + 1)}, ..., {number(last)}"
    expected = f"probabilities that sum to 1 over {every}, or a pair (values, weights) instead"
    accept(abs(total - 1) <= AGREES, "latent.pmf", total, expected)
    weights /= total
    own = _moments(law)
    _accept_moments(law, own, _off(own, values, weights), values, weights)
    return values, weights, _name(law, first, last, len(values), "value")


def _nodes(law: Any, first: float, last: float) -> tuple[Array, Array]:
    """Gauss nodes of a density that have its mean and variance."""
    values, weights, own, off = np.empty(0), np.empty(0), None, np.inf
    for points in POINTS:
        try:
            fine, shares = _fine_law(law, points)
            total = float(shares.sum())
            if not abs(total - 1) <= DIFFERS:  # what is to be found by looking only at the density: moments take long
                continue
            values, weights = _gauss(fine, shares / total)
        except (ArithmeticError, ValueError, IndexError):  # SciPy's search for a quantile in a gap
            continue
        values = values.clip(first, last)
        own = own or _moments(law)
        off = _off(own, values, weights)
        if off <= AGREES:
            break
    smooth = "a density that is smooth inside its support, or a pair (values, weights) that stands for it"
    accept(own is not None, "latent", _called(law), smooth)
    assert own is not None
    _accept_moments(law, own, off, values, weights)
    wider = bool((np.diff(values) > 0).all())
    accept(wider, "latent.support()", (first, last), f"a support within [0, {LARGEST:g}], and wider")
    return values, weights


def _moments(law: Any) -> tuple[float, float]:
    """Mean and variance as the law itself gives them."""
    return float(law.mean()), float(law.variance() if hasattr(law, "variance") else law.var())


def _off(own: tuple[float, float], values: Array, weights: Array) -> float:
    """How far mean and variance of such values are from those of the law, in its standard deviations."""
    (mean, variance), found, least = own, float(weights @ values), np.finfo(float).tiny
    rounding = 100 * np.finfo(float).eps / AGREES * mean
    spread, square = max(np.sqrt(variance) + rounding, least), max(variance + rounding * mean, least)
    off = abs(found - mean) / spread, abs(weights @ (values - found) ** 2 - variance) / square
    return float(max(off)) if np.isfinite(off).all() else np.inf


def _accept_moments(law: Any, own: tuple[float, float], off: float, values: Array, weights: Array) -> None:
    """Refuse a law that its values do not stand for."""
    found = float(weights @ values)
    said = "mean {:.9g} and variance {:.9g}"
    made = said.format(found, weights @ (values - found) ** 2)
    expected = f"a law whose values have its {said.format(*own)}; those made for it have {made}"
    accept(off <= DIFFERS, "latent", _called(law), f"{expected}: give a pair (values, weights) instead")


def _fine_law(law: Any, points: int) -> tuple[Array, Array]:
    """A law by many values: its pieces each by itself, else the double-exponential rule, whatever it does at its ends.

    In probability, where SciPy has the quantiles; where it would look for each by bisection, in z.
    """
    if hasattr(law, "components"):  # a mixture
        parts = [_fine_law(one, points) for one in law.components]
        shares = [share * weights for share, (_, weights) in zip(law.weights, parts, strict=True)]
        return np.concatenate([values for values, _ in parts]), np.concatenate(shares)
    if hasattr(getattr(law, "dist", None), "_hbins"):
        return _pieces(law)
    t = np.linspace(-3.2, 3.2, points)
    lower = 1 / (1 + np.exp(np.pi * np.sinh(-t)))  # part of the probability, or of the support, below; and above
    upper, low = lower[::-1], t < 0
    weight = lower * upper * np.cosh(t)
    values = np.empty(points)
    if _is_bisected(law):
        first, last = real_array(law.support()).tolist()
        values[low] = first + (last - first) * lower[low]
        values[~low] = last - (last - first) * upper[~low]
        return values, np.nan_to_num(law.pdf(values), posinf=0) * weight * (last - first) * np.pi * (t[1] - t[0])
    quantile, from_above = (law.ppf, law.isf) if hasattr(law, "ppf") else (law.icdf, law.iccdf)
    values[low], values[~low] = quantile(lower[low]), from_above(upper[~low])
    return values, weight / weight.sum()


def _is_bisected(law: Any) -> bool:
    """Whether SciPy has no formula for the quantiles: it looks for each by integrals of the density, seconds in all."""
    from scipy.stats import rv_continuous

    own = getattr(type(getattr(law, "dist", None)), "_ppf", None)
    return own is not None and own is getattr(rv_continuous, "_ppf", None)


def _pieces(law: Any) -> tuple[Array, Array]:
    """A histogram: Gauss and Legendre's nodes of every bin."""
    first, last = real_array(law.support()).tolist()
    bins = real_array(law.dist._hbins)
    edges = first + (last - first) * ((bins - bins[0]) / (bins[-1] - bins[0]))
    middle, width = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    shares = np.outer(law.pdf(middle) * width, weights).ravel()
    return (middle[:, None] + width[:, None] / 2 * nodes).ravel(), shares / shares.sum()


def _gauss(values: Array, weights: Array) -> tuple[Array, Array]:
    """Gauss nodes of a law of many values: eigenvalues of its Jacobi matrix, by the Stieltjes procedure."""
    from scipy.linalg import eigh_tridiagonal

    lowest, highest = float(values.min()), float(values.max())
    middle, half = (lowest + highest) / 2, (highest - lowest) / 2
    x = (values - middle) / half  # polynomials of degree 15 stay within floats
    before, here = np.zeros_like(x), np.ones_like(x)
    diagonal, off = np.empty(NODES), np.empty(NODES)
    norm = 1.0
    for n in range(NODES):
        size = float(weights @ here**2)
        diagonal[n], off[n] = weights @ (x * here**2) / size, size / norm
        before, here, norm = here, (x - diagonal[n]) * here - off[n] * before * (n > 0), size
    nodes, vectors = eigh_tridiagonal(diagonal, np.sqrt(off[1:]))
    chance = vectors[0] ** 2
    return middle + half * nodes[chance > 0], chance[chance > 0] / chance.sum()


def _called(law: Any) -> str:
    """A law in a few words: "beta(a=2, b=3)", "histogram of 5 bins"."""
    dist = getattr(law, "dist", None)
    if hasattr(law, "components"):
        return f"mixture of {counted(len(law.components), 'law')}"
    if dist is None:
        return "uniform" if re.fullmatch(r"Uniform\([^()]*\)", str(law)) else cut(law, 60)
    if hasattr(dist, "_hbins"):
        return f"histogram of {counted(len(dist._hbins) - 1, 'bin')}"
    names = _shapes(dist)
    numbers = dict(zip(names, law.args, strict=False)) | law.kwds
    shapes = ", ".join(f"{name}={number(numbers[name])}" for name in names)
    name = type(dist).__name__ if dist.name in (None, "Distribution") else str(dist.name)
    return cut(f"{name}({shapes})" if shapes else name, 60)


def _name(law: Any, first: float, last: float, count: int, what: str) -> str:
    return f"{_called(law)} on {interval(first, last)}, {counted(count, what)}"
