"""The training dynamics, in numbers.

Reading order: ``geometry``, ``laws``, ``setting`` (the problem), ``coordinates`` (what is equal by symmetry),
``occupancy``, ``closures`` (the mean over masks and latents, as rows), ``loops``, ``source``, ``compiled``,
``selfcheck`` (from formula to kernel), ``system`` (a query's equations), ``ledger``, ``balance`` (the terms of their
rates), ``solver``, ``flow`` (curves), ``trajectory``, ``comparison``, ``margin`` (where curves end); and beside them,
independent of it all, ``samples``, ``transformer`` and ``training``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dynamics.comparison import closure_error as closure_error
    from dynamics.comparison import compare as compare
    from dynamics.flow import IntegrationError as IntegrationError
    from dynamics.flow import descend as descend
    from dynamics.flow import integrate as integrate
    from dynamics.geometry import Geometry as Geometry
    from dynamics.image import patch_colours as patch_colours
    from dynamics.laws import Law as Law
    from dynamics.margin import MaxMargin as MaxMargin
    from dynamics.margin import max_margin as max_margin
    from dynamics.setting import Setting as Setting
    from dynamics.system import System as System
    from dynamics.system import reduce as reduce
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
    "reduce": "system",
    "integrate": "flow",
    "descend": "flow",
    "IntegrationError": "flow",
    "Trajectory": "trajectory",
    "load": "trajectory",
    "FiniteTransformer": "transformer",
    "TrainingDiverged": "transformer",
    "compare": "comparison",
    "closure_error": "comparison",
    "MaxMargin": "margin",
    "max_margin": "margin",
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
