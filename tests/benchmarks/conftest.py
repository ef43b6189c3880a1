"""``python -m pytest tests/benchmarks`` times everything in one process, and ends with a table in Markdown."""

import datetime as dt
import os
import platform
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROWS = []


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """Benchmarks run where nothing else is asked for: enabled, slow ones too, one at a time."""
    asked = [Path(str(name).partition("::")[0]).resolve() for name in config.args]
    if asked and all(path == HERE or HERE in path.parents for path in asked) and not config.option.collectonly:
        config.option.benchmark_enable, config.option.numprocesses, config.option.dist = True, 0, "no"
        config.option.markexpr = ""


@pytest.fixture
def row(benchmark):
    """Note a row of the table: what is waited for, what is asked, what was measured, and the errors beside it."""

    def note(what, asked, measured, errors=""):
        benchmark.extra_info["measured"] = measured
        if benchmark.enabled:
            ROWS.append((what, asked, measured, errors))

    return note


def pytest_terminal_summary(terminalreporter):
    if not ROWS:
        return
    terminalreporter.section("table")
    terminalreporter.write_line(f"{dt.date.today()}, {machine()}, one run")
    for line in [("what", "asked", "measured", "errors"), ("---",) * 4, *ROWS]:
        terminalreporter.write_line("| " + " | ".join(line) + " |")


def machine():
    """Processor, cores, system and Python."""
    names = [line.partition(": ")[2] for line in cpu_lines() if line.startswith("model name")]
    name = names[0].strip() if names else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def cpu_lines():
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
