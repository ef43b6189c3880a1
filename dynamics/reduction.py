"""From a setting to the reduced system of one query, the mean taken as a closure says and the cheapest way."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np

from dynamics import closures
from dynamics.closures import Closure, Method
from dynamics.conditional import conditional_rule, count_terms
from dynamics.coordinates import Coordinates
from dynamics.errors import accept, choice, real_number, true_or_false, whole_number
from dynamics.integral import integral_rule
from dynamics.logscale import MOST_LOG_PATCHES, log_rule
from dynamics.second_order import second_order_rule
from dynamics.setting import Setting
from dynamics.system import AnyRule, System

FEW_ROWS = 100  # up to this enumeration costs about as little as anything
MOST_ROWS = 5000  # beyond this the integral costs less than enumeration
MOST_SAMPLES = 10**12  # years
MOST_TERMS = 500_000  # beyond this the integral costs less than the conditional sum


@np.errstate(under="ignore")
def reduce(
    setting: Setting,
    query: int | str,
    closure: Closure = "exact",
    *,
    method: Method = "auto",
    rtol: float = 1e-12,
    samples: int = 1000,
    seed: int = 0,
    merge: bool = True,
    compiled: bool | None = None,
) -> System:
    """The reduced system of a masked query.

    Parameters
    ----------
    setting : Setting
    query : int or "local" or "global"
        A patch index; the words for one cluster with a unique largest area and, beside it, areas of one size.
    closure : "exact" | "sampled" | "mean-field" | "second-order"
        How the mean over masks and latents is taken: exactly, over samples drawn once, at the mean counts (large-P), or
        there with half the curvature in the counts times their covariance added (large-P).
    method : "auto" | "enumeration" | "conditional" | "integral"
        How the exact mean is computed: a row for every occupancy and latent value; as a sum over the counts of the
        target area and of one other, where there is one cluster, one value of the latent, and all areas but these two
        are equal; or as an integral at a cost linear in the areas, at any size. "auto" takes what costs less, and
        ``System.method`` says which that was.
    rtol : float
        Of the integral: bounds its error, relative to the mean of absolute values (where a latent may be 0, that of
        the loss to 1e-17 at best). Of the conditional sum: bounds the probability of what is left out, given the count
        of the target.
    samples, seed : int
        Of the sampled closure: how many, and what they are drawn with. ``System.standard_error`` says how far off.
    merge : bool
        Give equal correlations one coordinate; False gives every area and class its own: the same dynamics.
    compiled : bool, optional
        Run the kernel compiled by Numba, or the same text as plain Python. By default compiled where it pays: plain
        until a process has spent half a second in it (five where nothing is compiled yet), or would with the next call,
        and then compiled. Both agree bit for bit, so that no result depends on when that happens. The integral and the
        conditional sum, which agree to rounding, are always compiled then.

    Raises
    ------
    ValueError
        If the query, closure or method does not exist, the conditional sum does not apply, or it or enumeration has
        more terms than memory holds.
    """
    accept(isinstance(setting, Setting), "setting", setting, "a Setting")
    choice("closure", closure, get_args(Closure))
    choice("method", method, get_args(Method))
    accept(method == "auto" or closure == "exact", "method", method, f"'auto': closure={closure!r} has no other")
    rtol = real_number("rtol", rtol, lambda number: 1e-15 <= number < 1e-2, "a number in [1e-15, 0.01)")
    samples, seed = whole_number("samples", samples, 1, MOST_SAMPLES), whole_number("seed", seed, 0)
    merge = true_or_false("merge", merge)
    compiled = None if compiled is None else true_or_false("compiled", compiled, also="None, ")
    coordinates = Coordinates.of(setting, query, merge)
    rule: AnyRule
    options: dict[str, Any] = {"merge": merge}
    if closure == "mean-field":
        scaling = setting.geometry.patch_class is None
        rule = log_rule(setting, coordinates) if scaling else closures.mean_field(setting, coordinates)
    elif closure == "second-order":
        log_patches = setting.geometry.log_patches
        accept(log_patches <= MOST_LOG_PATCHES, "closure", closure, f'"mean-field" here: log P = {log_patches:g}')
        rule = second_order_rule(setting, coordinates)
    elif closure == "sampled":
        options |= {"samples": samples, "seed": seed}
        rule = closures.sampled(setting, coordinates, samples, seed)
    else:
        method = _cheapest(setting, coordinates, rtol) if method == "auto" else method
        options |= {} if method == "enumeration" else {"rtol of the mean": rtol}
        if method == "conditional":
            rule = conditional_rule(setting, coordinates, rtol)
        elif method == "integral":
            rule = integral_rule(setting, coordinates, rtol)
        else:
            rule = closures.exact(setting, coordinates)
    return System(setting, query, closure, coordinates, rule, options, compiled)


def _cheapest(setting: Setting, coordinates: Coordinates, rtol: float) -> Method:
    """The way to the exact mean that costs least."""
    rows = closures.count_rows(setting, coordinates)
    if rows > FEW_ROWS and 0 < count_terms(setting, coordinates, rtol) <= MOST_TERMS:
        return "conditional"
    return "enumeration" if rows <= MOST_ROWS else "integral"
