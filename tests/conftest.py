"""What every test shares."""

import pytest
from hypothesis import HealthCheck, settings

import figures

settings.register_profile("repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")


@pytest.fixture
def known_tables(monkeypatch):
    """Figures that take their numbers from ``quick_tables``."""
    from tests.quick_tables import table

    for name in figures.FIGURES:
        monkeypatch.setattr(figures.module(name), "data", lambda p, name=name: table(name))
