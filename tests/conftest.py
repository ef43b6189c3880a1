"""What every test shares."""

import os
import re
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import figures

settings.register_profile("repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")

# Processes that tests start find the tests too, where Python does not look into its current folder (PYTHONSAFEPATH).
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(Path(__file__).parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
)


@pytest.fixture
def known_tables(monkeypatch):
    """Figures that take their numbers from ``quick_tables``."""
    from tests.quick_tables import table

    for name in figures.FIGURES:
        monkeypatch.setattr(figures.module(name), "data", lambda p, name=name: table(name))


def pytest_collection_modifyitems(config, items):
    """Where SLOW_PART says "2/3", only slow tests whose names fall into the second third: CI takes them in turns."""
    number, _, parts = os.environ.get("SLOW_PART", "").partition("/")
    if parts:
        kept = [
            item
            for item in items
            if not item.get_closest_marker("slow") or zlib.crc32(item.nodeid.encode()) % int(parts) + 1 == int(number)
        ]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept


def pytest_xdist_make_scheduler(config, log):
    """Tests of the integral share a process: its kernel takes longest to compile. So do those of the compiled pair.

    And those of each figure, which share its table.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            if "integral" in nodeid:
                return "integral"
            if re.search(r"stepper|sweep|solve", nodeid):
                return "compiled pair"
            figure = re.search(r"test_figure_(\w+)\.py|test_figures\.py.*\[(.+)\]", nodeid)
            return (figure[1] or figure[2]).replace("_", "-") if figure else nodeid

    return Scheduling(config, log)
