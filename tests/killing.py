"""Kill a process that saves, or that sweeps, at random moments: ``python -m tests.killing save|sweep FOLDER``.

Each round is a fork of this process, so that no time goes into starting Python.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np

import dynamics as dy

KILLS = 50
GRID = {"a": range(200), "b": [0.25, 0.5]}


def killed(work, seconds):
    """Run some work in a fork of this process and kill it after so long; whether it was still at it."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def curve(records):
    values = np.linspace(0, 1, records)
    return dy.Trajectory("flow", ("fp.target",), np.ones(1), values, values[None] ** 2, values, {"target": values})


def saves(folder):
    """Two trajectories take turns in one file: it is always wholly the one or the other."""
    kinds = {records: curve(records) for records in (4_000, 6_000)}
    for suffix in (".npz", ".csv"):
        path, inside = folder / f"flow{suffix}", 0
        kinds[4_000].save(path)

        def work(path=path):
            while True:
                for kind in reversed(kinds.values()):
                    kind.save(path)

        for _ in range(KILLS):
            inside += killed(work, random.uniform(0.001, 0.08))
            found = dy.load(path)
            assert np.array_equal(found.y, kinds[len(found.t)].y)
        assert inside == KILLS
        assert [each.name for each in folder.glob(f"*{suffix}")] == [path.name]  # what is left of others ends in .part
        print(suffix, inside, "kills;", len(list(folder.glob(f".{path.name}*.part"))), "of them within a save")


def build(a, b):
    time.sleep(2e-4)
    return a * b


def square(value):
    return value**2 / 3


def sweeps(folder):
    """A sweep that is killed over and over goes on where it was, to the bytes of one that was not."""
    dy.sweep(build, GRID, square, folder / "whole.csv")
    whole, kills, finished = (folder / "whole.csv").read_bytes(), 0, 0
    while kills < KILLS:
        out = folder / f"table{finished}.csv"
        killed_now = killed(lambda out=out: dy.sweep(build, GRID, square, out), random.uniform(0.001, 0.06))
        kills += killed_now
        if out.exists():
            assert out.read_bytes() == whole
            finished += 1
    out = folder / f"table{finished}.csv"
    dy.sweep(build, GRID, square, out)
    assert out.read_bytes() == whole
    print(kills, "kills;", finished, "sweeps came to their end between them")


if __name__ == "__main__":
    random.seed(int(sys.argv[3]) if len(sys.argv) > 3 else 0)
    {"save": saves, "sweep": sweeps}[sys.argv[1]](Path(sys.argv[2]))
