"""Curves that several tests look at, each made once."""

from functools import cache

import dynamics as dy
from tests.settings import TWO, WIDE


@cache
def flow():
    return dy.integrate(dy.reduce(WIDE, "local"), until=("target", 0.5))


@cache
def steps():
    return dy.descend(dy.reduce(TWO, 3), 0.5, 60)
