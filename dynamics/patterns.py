"""Attention patterns: the map of a query over the patches, and how diverse and how local such maps are.

The two measures take any maps, those of a real vision transformer among them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from dynamics.errors import accept, real_array, rows_and_columns, sums_to_one, whole_number
from dynamics.geometry import Array
from dynamics.system import System

SUM_TOLERANCE = 4 * float(np.finfo(np.float32).eps)  # of a row in double precision that once was in single
TAKE_OUT = "class_token=True, which takes the first token out"


@np.errstate(under="ignore")
def attention_map(system: System, y: npt.ArrayLike, cluster: int = 0, latent: Any = None) -> Array:
    """Attention of the query on every patch where the query alone is masked.

    Parameters
    ----------
    system : System
        Of patches that can be counted.
    y : (n,) array
    cluster : int
        The cluster of the sample.
    latent : float or (N_k,) array, optional
        What every area shows; by default the value of the law, where it has but one.

    Returns
    -------
    (P,) array
        The softmax of z_{a(q)} Φ_{p→a(q)} + Υ_{p→q}, and of Υ_{p→p} for the query itself, which shows nothing. Where
        the query is "local" or "global" it is the first such patch.

    Raises
    ------
    ValueError
        If an argument is out of range, the geometry has real sizes, or the law has several values.

    Notes
    -----
    Exact, of the given state. Result ``attention``; ``FiniteTransformer.attention`` is its counterpart.
    """
    accept(isinstance(system, System), "system", system, "what dy.reduce returns")
    geometry = system.setting.geometry
    accept(geometry.area_of is not None, "geometry", "scaling", "patches that can be counted")
    assert geometry.area_of is not None
    cluster = whole_number("cluster", cluster, 0, geometry.clusters - 1)
    shown = system.setting.law.shown(latent, geometry.areas[cluster])[geometry.area_of[cluster]]
    shown[geometry.patch_of(system.query)] = 0
    state = system.expand(y)
    accept(bool(np.isfinite(state["pp"]).all()), "y", y, "finite numbers")
    score = shown * state["fp"][cluster][geometry.area_of[cluster]] + state["pp"]
    mass: Array = np.exp(score - score.max())
    return mass / mass.sum()


@np.errstate(under="ignore")
def attention_diversity(attention: npt.ArrayLike, class_token: bool | None = None) -> Array:
    """Mean Jensen–Shannon divergence between the attention maps of two queries.

    Parameters
    ----------
    attention : (..., n, P) array
        Rows are the maps of n ≥ 2 queries, of all P patches or of some: numbers ≥ 0 that sum to 1 within the rounding
        of the type they come in. They are measured in double precision, divided by their sums.
    class_token : bool, optional
        Whether the first of P tokens is a class token: it is then taken out, its row and its column, and every row is
        divided by what is left of it. To be said of P maps of P = n·n + 1 tokens with n ≥ 2, which may have one or not;
        all others have none by default.

    Returns
    -------
    (...) array
        In nats, mean over the pairs of different queries: 0 where all maps are the same, log 2 where no two overlap.

    Raises
    ------
    ValueError
        If the rows are no distributions over P patches, or it is not known whether there is a class token.

    Notes
    -----
    Of two maps a, b with the entropy H: H((a + b)/2) − (H(a) + H(b))/2, summed patch by patch, where no term is
    negative. Takes n²P/2 logarithms, and the memory of a few times the given array.
    """
    from scipy.special import entr  # −x log x

    known = class_token is None or isinstance(class_token, (bool, np.bool_))
    accept(known, "class_token", class_token, "True, False or None")
    shape = real_array(attention).shape
    side = math.isqrt(shape[-1] - 1) if shape and shape[-1] else 0
    unknown = class_token is None and side > 1 and shape[-2:] == (side**2 + 1, side**2 + 1)
    expected = f"{TAKE_OUT}, or False: {side**2 + 1} may be {side}·{side} + 1"
    accept(not unknown, "attention.shape", shape, expected)
    maps = _maps(attention, least=2, class_token=class_token)
    entropy, queries = entr(maps), maps.shape[-2]
    total = np.zeros(maps.shape[:-2])
    for p in range(queries - 1):  # against all later queries
        middle = entr((maps[..., p : p + 1, :] + maps[..., p + 1 :, :]) / 2)
        total += (middle - (entropy[..., p : p + 1, :] + entropy[..., p + 1 :, :]) / 2).sum(axis=(-2, -1))
    return total / math.comb(queries, 2)


@np.errstate(under="ignore")
def attention_distance(attention: npt.ArrayLike, grid: tuple[int, int], class_token: bool = False) -> Array:
    """Mean attention distance: how far from itself a query looks, Σ_q attn_{p→q} ‖p − q‖, mean over queries.

    Parameters
    ----------
    attention : (..., P, P) array
        Rows are the maps of the queries, patches row after row of the grid: numbers ≥ 0 that sum to 1 within the
        rounding of the type they come in. They are measured in double precision, divided by their sums.
    grid : (H, W)
        Rows and columns of patches, H·W = P.
    class_token : bool
        Whether a class token comes before the patches, so that there are H·W + 1 tokens: it is taken out, its row and
        its column, and every row is divided by what is left of it.

    Returns
    -------
    (...) array
        In widths of a patch.

    Raises
    ------
    ValueError
        If the rows are no distributions over P patches, or the grid does not hold them.
    """
    height, width = rows_and_columns(grid)
    known = isinstance(class_token, (bool, np.bool_))
    accept(known, "class_token", class_token, "True or False")
    shape = real_array(attention).shape
    tokens = shape[-1] if len(shape) > 1 else 0
    with_token = tokens == height * width + 1 and not class_token
    accept(not with_token, "attention.shape", shape, f"(..., P, P) with P = {height * width}, or {TAKE_OUT}")
    maps = _maps(attention, least=1, class_token=class_token)
    patches = maps.shape[-1]
    accept(maps.shape[-2] == patches, "attention.shape", maps.shape, "(..., P, P)")
    accept(height * width == patches, "grid", grid, f"H, W with H·W = {patches} patches")
    place = np.indices((height, width)).reshape(2, patches)
    away = np.hypot(*(place[:, :, None] - place[:, None, :]))
    return np.asarray(np.einsum("...pq,pq->...", maps, away) / patches)


def _maps(attention: npt.ArrayLike, least: int, class_token: bool | None) -> Array:
    """The maps of patches, rows that sum to 1, or a ValueError where they are no distributions."""
    maps = real_array(attention)
    enough = maps.ndim >= 2 and maps.shape[-2] >= least and maps.shape[-1] > 0
    accept(enough, "attention.shape", maps.shape, f"(..., n, P) with n ≥ {least} queries")
    lowest = float(maps.min(initial=0))
    accept(lowest >= 0, "attention", lowest, "numbers ≥ 0")
    maps, total = sums_to_one(maps, attention, SUM_TOLERANCE)
    accept(
        total == 1,
        "attention.sum(axis=-1)",
        total,
        "1, within the rounding of its type (divide maps that were rounded before by the sums of their rows)",
    )
    return _without_token(maps, least) if class_token else maps


def _without_token(maps: Array, least: int) -> Array:
    """The maps without their first token, a row and a column, over what is left of each row."""
    square = maps.shape[-2] == maps.shape[-1] > least
    accept(square, "attention.shape", maps.shape, "(..., P, P), the rows and columns of all tokens")
    maps = maps[..., 1:, 1:]
    left = maps.sum(axis=-1, keepdims=True)
    lowest = float(left.min(initial=1))
    accept(lowest > 0, "attention", lowest, "rows with some attention on patches beside the class token")
    return maps / left
