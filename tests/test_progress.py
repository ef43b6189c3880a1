"""How far long work is: a bar on a terminal, else whole lines now and then, with when it may end."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import dynamics as dy
from derivations import _progress
from derivations._progress import progress_of

ROOT = Path(__file__).parent.parent
WIDE = dy.Setting(dy.Geometry.single_cluster(global_size=40, local_size=6, local_areas=4))


@pytest.fixture
def clock(monkeypatch):
    """Time that a test lets pass."""

    class Clock:
        now = 1000.0

        def monotonic(self):
            return self.now

    made = Clock()
    monkeypatch.setattr(_progress, "time", made)
    return made


def test_where_no_terminal_is_a_line_comes_after_half_a_minute_and_every_minute(clock, capsys):
    for _ in progress_of(range(1000), "counting", unit="sheep"):
        clock.now += 1.0
    printed = capsys.readouterr().err
    assert "\r" not in printed
    lines = printed.splitlines()
    assert len(lines) == 1 + (1000 - 30) // 60
    assert lines[0] == "counting: 30 of 1000 sheep, 0:00:30 gone, about 0:16:10 to go"
    assert lines[1].startswith("counting: 90 of 1000 sheep, 0:01:30 gone")


def test_what_was_done_before_is_no_part_of_the_estimate(clock, capsys):
    with progress_of(None, "sweep", 4000, unit=" points", initial=3000) as bar:
        clock.now += 100
        bar.update(100)
    assert capsys.readouterr().err == "sweep: 3100 of 4000 points, 0:01:40 gone, about 0:15:00 to go\n"


def test_of_work_without_an_end_in_sight_what_is_done_is_told(clock, capsys):
    with progress_of(None, "integrating", unit=" steps") as bar:
        clock.now += 3700
        bar.set_postfix_str("log t = 3", refresh=False)
        bar.update()
    assert capsys.readouterr().err == "integrating: 1 steps, 1:01:40 gone, log t = 3\n"


def test_short_work_says_nothing(capsys):
    assert list(progress_of(iter("abc"), "reading")) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""


def test_work_goes_on_where_nobody_can_be_told(clock, monkeypatch):
    class Gone(io.StringIO):
        def write(self, text):
            raise OSError(5, "Input/output error")

    closed = io.StringIO()
    closed.close()
    for stream in (Gone(), None):
        monkeypatch.setattr(sys, "stderr", stream)
        found = []
        for item in progress_of(range(3), "working"):
            clock.now += 1000
            found.append(item)
        assert found == [0, 1, 2]


LONG = {
    "sweep": lambda: dy.sweep(lambda a: a, {"a": range(9)}, float),
    "training": lambda: dy.FiniteTransformer(dy.Setting(dy.Geometry.single_cluster(3, 2, 1))).train(
        0.5, 40, progress=True
    ),
    "integrating": lambda: dy.integrate(dy.reduce(WIDE, "local", "mean-field"), t_end=20.0, progress=True),
}


@pytest.mark.parametrize("work", LONG)
def test_long_work_tells_how_far_it_is(work, monkeypatch, capsys):
    monkeypatch.setattr(_progress, "FIRST", 0.0)
    monkeypatch.setattr(_progress, "EVERY", 0.0)
    LONG[work]()
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith(work)]
    told = [re.match(rf"{work}: (\d+) of (\d+) .*gone(, about \S+ to go)?", line) for line in lines]
    counts = [int(one[1]) for one in told]
    assert counts == sorted(counts)
    assert counts[-1] >= 0.9 * int(told[-1][2])
    assert told[-1][3]


def test_how_far_a_flow_is_does_not_change_it():
    system = dy.reduce(WIDE, "local", "mean-field")
    for variable in ("time", "log-time", "arc-length"):
        flow = dy.integrate(system, t_end=20.0, variable=variable, progress=True)
        assert np.array_equal(flow.y, dy.integrate(system, t_end=20.0, variable=variable).y)


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal is made here as on Unix")
def test_on_a_terminal_it_is_a_bar():
    import pty
    import termios

    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))  # on one without a size tqdm draws nothing
    os.set_blocking(ours, False)
    program = "from derivations._progress import progress_of; import time\n"
    program += "for _ in progress_of(range(20), 'counting'): time.sleep(0.05)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, stderr=theirs, check=False)
    printed = os.read(ours, 100_000).decode()
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 0
    assert re.search(r"\rcounting: +\d+%\|", printed)
