"""The training dynamics, in numbers.

Reading order: ``geometry``, ``laws``, ``setting`` (the problem), ``coordinates`` (what is equal by symmetry),
``occupancy``, ``closures`` (the mean over masks and latents, as rows), ``loops``, ``jacobian``, ``rays``, ``source``,
``compiled``, ``tiers``, ``stated``, ``selfcheck``, ``cache`` (from formula to kernel), ``logscale``, ``log_loops``,
``log_source`` (the same at any P), ``system``, ``reduction`` (a query's equations), ``written`` (these as text),
``ledger``, ``balance`` (the terms of their rates), ``solver``, ``phases``, ``flow`` (curves), ``trajectory``, ``drawn``
(as pictures), ``comparison``, ``margin`` (where curves end), ``stepper``, ``one_cluster``, ``many``, ``endpoints``,
``moments``, ``exponents`` (half-times, powers of P), ``patterns`` (of attention over the patches); ``identity``,
``table``, ``study`` (sweeps over parameters); ``shown`` (what a terminal and a notebook show of all these); and beside
them, independent of it all, ``samples``, ``backward``, ``transformer``, ``training``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dynamics.cache import CacheInfo as CacheInfo
    from dynamics.cache import cache_clear as cache_clear
    from dynamics.cache import cache_info as cache_info
    from dynamics.comparison import closure_error as closure_error
    from dynamics.comparison import compare as compare
    from dynamics.endpoints import Endpoints as Endpoints
    from dynamics.endpoints import endpoints as endpoints
    from dynamics.exponents import Exponent as Exponent
    from dynamics.exponents import exponent as exponent
    from dynamics.flow import IntegrationError as IntegrationError
    from dynamics.flow import descend as descend
    from dynamics.flow import integrate as integrate
    from dynamics.geometry import Geometry as Geometry
    from dynamics.image import patch_colours as patch_colours
    from dynamics.laws import Law as Law
    from dynamics.margin import MaxMargin as MaxMargin
    from dynamics.margin import max_margin as max_margin
    from dynamics.moments import half_time as half_time
    from dynamics.moments import half_time_exponent as half_time_exponent
    from dynamics.moments import plateau as plateau
    from dynamics.moments import pp_exponent as pp_exponent
    from dynamics.patterns import attention_distance as attention_distance
    from dynamics.patterns import attention_diversity as attention_diversity
    from dynamics.patterns import attention_map as attention_map
    from dynamics.phases import Phase as Phase
    from dynamics.reduction import reduce as reduce
    from dynamics.setting import Setting as Setting
    from dynamics.study import sweep as sweep
    from dynamics.system import System as System
    from dynamics.trajectory import Trajectory as Trajectory
    from dynamics.trajectory import load as load
    from dynamics.transformer import FiniteTransformer as FiniteTransformer
    from dynamics.transformer import TrainingDiverged as TrainingDiverged

_HOME = {
    "Geometry": "geometry",
    "patch_colours": "image",
    "Law": "laws",
    "Setting": "setting",
    "System": "system",
    "reduce": "reduction",
    "integrate": "flow",
    "descend": "flow",
    "IntegrationError": "flow",
    "endpoints": "endpoints",
    "Endpoints": "endpoints",
    "half_time": "moments",
    "half_time_exponent": "moments",
    "plateau": "moments",
    "pp_exponent": "moments",
    "Phase": "phases",
    "exponent": "exponents",
    "Exponent": "exponents",
    "Trajectory": "trajectory",
    "load": "trajectory",
    "FiniteTransformer": "transformer",
    "TrainingDiverged": "transformer",
    "compare": "comparison",
    "closure_error": "comparison",
    "MaxMargin": "margin",
    "max_margin": "margin",
    "attention_map": "patterns",
    "attention_diversity": "patterns",
    "attention_distance": "patterns",
    "sweep": "study",
    "CacheInfo": "cache",
    "cache_info": "cache",
    "cache_clear": "cache",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f"dynamics.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'dynamics' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
