"""Plain code first, compiled code once it pays: which of the two tiers of a kernel a call runs in.

Both run the same text and agree bit for bit, so that no result depends on when a process goes from one to the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

LOADING = 0.5  # seconds that it takes to import Numba and to load machine code
COMPILING = 5.0  # seconds of plain code that are worth compiling for, where there is no machine code yet
OF_A_CELL = 1e-5  # seconds that plain code takes, within a factor of two, for one area or class in one sample
STAGES = 13  # rates in a step of the compiled pair


class Tiered:
    """The functions of one part of the kernel, each of which picks its tier at every call.

    They run as plain Python until all such calls of this process have taken as long as compiled code is worth waiting
    for, or would with this one; from then on compiled, and at once where the process has that loaded already.

    Parameters
    ----------
    load : callable
        Gives the module, compiled or plain.
    worth : callable
        Seconds of plain code.
    """

    def __init__(self, load: Callable[[bool], ModuleType], worth: Callable[[], float] = lambda: LOADING) -> None:
        self._load, self._worth, self._spent, self._is_compiled = load, worth, 0.0, False

    def use_compiled(self) -> None:
        """Say that compiled code is loaded."""
        self._is_compiled = True

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):  # asked for by pickle and the like, of no kernel
            raise AttributeError(name)
        function = self._picking(name)
        vars(self)[name] = function
        return function

    def _picking(self, name: str) -> Callable[..., Any]:
        fast: Callable[..., Any] | None = None

        def call(*given: Any) -> Any:
            nonlocal fast
            if fast is None:
                total = self._spent + seconds(name, given)
                if not self._is_compiled and (total < LOADING or total < self._worth()):
                    plain, started = getattr(self._load(False), name), time.perf_counter()
                    try:
                        with np.errstate(all="ignore"):  # as compiled code does
                            return plain(*given)
                    except (ArithmeticError, ValueError):
                        pass  # Python refuses 1/0, which compiled code has as infinite
                    finally:
                        self._spent += time.perf_counter() - started
                fast = getattr(self._load(True), name)
            return fast(*given)

        return call


def seconds(name: str, given: tuple[Any, ...]) -> float:
    """About how long plain code would take: the rates asked for, times samples, times areas and classes in each."""
    states, rule = given[:2]
    rates = states.shape[1] if states.ndim == 2 else 1
    if name.startswith("descend"):
        rates = given[3]
    elif name.startswith("jacobian"):
        rates = len(states)
    elif name.startswith("march"):
        longest = given[4][1]  # part of the curve that a step may pass
        rates *= STAGES * (80 + 2 / longest)
    if isinstance(rule, np.ndarray):  # a column of a one-cluster form for each problem
        return OF_A_CELL * rates * 2 * 3
    rows = len(rule.weight) if hasattr(rule, "weight") else len(rule.centre.weight) + 4 * len(rule.row)
    return OF_A_CELL * rates * rows * 2 * len(rule.fp)
