"""The quick tables of the figures, each computed once for all tests of a process."""

from functools import cache

import figures
from figures.output import provenance
from figures.table import Table

DATA = {name: figures.module(name).data for name in figures.FIGURES}


@cache
def table(name):
    """The quick table of a figure; not to be changed."""
    p = figures.parameters(name, quick=True)
    return Table(DATA[name](p), provenance(name, True, p))
