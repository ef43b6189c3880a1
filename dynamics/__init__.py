"""The training dynamics of a one-layer softmax transformer, in numbers: ``import dynamics as dy``.

    geometry = dy.Geometry.single_cluster(global_size=40, local_size=6, local_areas=4)
    setting = dy.Setting(geometry, latent=1.0, mask_ratio=0.5)
    system = dy.reduce(setting, query="local", closure="exact")
    flow = dy.integrate(system, until=("target", 0.5))
    flow.plot(), flow["fp.target"], flow.phases, flow.save("flow.npz")

What is learnt
    Geometry            patches in areas: single_cluster, from_labels, from_maps, from_image, or scaling for any P
    patch_colours       mean colours of a picture's patches
    Law                 of a latent
    Setting             geometry, latents, mask ratio; information_gap Δ, loss_floor L*
The equations of one masked query
    reduce -> System    rate, jacobian, loss, attention, terms, equations; by closure
    closure_error       every closure against the exact one at a state
Curves
    integrate           the gradient flow
    descend             gradient descent, step by step
    Trajectory, Phase   what comes out of either, and of a training
    load, rerun         from a file; again, from what a file says made it
    IntegrationError    how far a solve came that failed, and what drove it there
Many curves
    endpoints -> Endpoints      where many flows end
    sweep               any quantity over any grid, on disk as it comes
Limits
    half_time, log_half_time, half_time_exponent, plateau, pp_exponent
    exponent -> Exponent        extrapolated to P → ∞ beside what is derived
    max_margin -> MaxMargin     long after attention has locked
The transformer itself
    FiniteTransformer   NumPy only: loss, gradient, train (or TrainingDiverged)
    compare             a theory curve with a trained one: does it differ by more than was to be expected?
    attention_map, attention_diversity, attention_distance
Compiled code on this machine
    cache_info -> CacheInfo, cache_clear

The same from a shell: ``python -m dynamics --help``. What is exact, large-P or continuous-time every docstring says.

To read the code, in the order of the theory: ``geometry``, ``laws``, ``scipy_laws``, ``setting`` (the problem),
``coordinates`` (what is equal by symmetry), ``occupancy``, ``closures`` (the mean over masks and latents, as rows),
``loops``, ``jacobian``, ``rays``, ``source``, ``compiled``, ``tiers``, ``stated``, ``selfcheck``, ``cache`` (from
formula to kernel), ``logscale``, ``log_loops``, ``log_source`` (the same at any P), ``system``, ``reduction`` (a
query's equations), ``written`` (these as text), ``ledger``, ``balance`` (the terms of their rates), ``steps``,
``solver``, ``phases``, ``failure``, ``flow`` (curves), ``trajectory``, ``drawn``, ``shown`` (as pictures and tables),
``files``, ``margin`` (where curves end), ``stepper``, ``one_cluster``, ``many``, ``endpoints``, ``moments``,
``exponents`` (half-times, powers of P), ``patterns`` (of attention over the patches); ``modules``, ``walk``,
``identity`` (what a function is known by), ``table``, ``orphans``, ``study`` (sweeps over parameters); ``again`` (from
a record), ``noise``, ``expectation``, ``comparison`` (what two curves may differ by), ``options``, ``commands``,
``swept``, ``reports`` (the command line); and beside them, independent of it all, ``samples``, ``backward``,
``transformer``, ``training``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dynamics.again import rerun as rerun
    from dynamics.cache import CacheInfo as CacheInfo
    from dynamics.cache import cache_clear as cache_clear
    from dynamics.cache import cache_info as cache_info
    from dynamics.comparison import closure_error as closure_error
    from dynamics.comparison import compare as compare
    from dynamics.endpoints import Endpoints as Endpoints
    from dynamics.endpoints import endpoints as endpoints
    from dynamics.exponents import Exponent as Exponent
    from dynamics.exponents import exponent as exponent
    from dynamics.failure import IntegrationError as IntegrationError
    from dynamics.files import load as load
    from dynamics.flow import descend as descend
    from dynamics.flow import integrate as integrate
    from dynamics.geometry import Geometry as Geometry
    from dynamics.image import patch_colours as patch_colours
    from dynamics.laws import Law as Law
    from dynamics.margin import MaxMargin as MaxMargin
    from dynamics.margin import max_margin as max_margin
    from dynamics.moments import half_time as half_time
    from dynamics.moments import half_time_exponent as half_time_exponent
    from dynamics.moments import log_half_time as log_half_time
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
    "IntegrationError": "failure",
    "endpoints": "endpoints",
    "Endpoints": "endpoints",
    "half_time": "moments",
    "log_half_time": "moments",
    "half_time_exponent": "moments",
    "plateau": "moments",
    "pp_exponent": "moments",
    "Phase": "phases",
    "exponent": "exponents",
    "Exponent": "exponents",
    "Trajectory": "trajectory",
    "load": "files",
    "rerun": "again",
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
    from derivations._shell import nearest

    raise AttributeError(
        f"module 'dynamics' has no attribute {name!r}{nearest(name, __all__)}; it has {', '.join(__all__)}"
    )


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
