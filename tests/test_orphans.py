"""Workers end by themselves when the process that they work for is killed, whatever pool they are of."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parent.parent
POOL = """
import multiprocessing, os, sys, time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
import dynamics as dy

def build(a, folder):
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(0.1)
    return a

if __name__ == "__main__":
    kind, folder = sys.argv[1:]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(kind)) as pool:
        dy.sweep(build, {"a": range(10_000), "folder": [folder]}, float, executor=pool)
"""
COMMAND = (
    *("-m", "dynamics", "sweep", "--global-size", "40", "--local-size", "6", "--local-areas", "4", "--query", "local"),
    *("--over", "latent=0.5:2:100000", "--workers", "2"),
)


def is_running(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE  # where nobody takes leave of it
    except psutil.NoSuchProcess:
        return False


def killed_at_work(arguments, at_work):
    """All processes below one that is killed when it is at work."""
    started = subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 120
    while not at_work(started) and time.monotonic() < until:
        assert started.poll() is None
        time.sleep(0.05)
    below = psutil.Process(started.pid).children(recursive=True)
    started.kill()
    started.wait()
    return below


def all_end(processes, seconds=10):
    until = time.monotonic() + seconds
    while any(map(is_running, processes)) and time.monotonic() < until:
        time.sleep(0.05)
    left = [process for process in processes if is_running(process)]
    for process in left:
        process.kill()
    return left == []


@pytest.mark.parametrize("kind", ["spawn", "fork", "forkserver"])
def test_workers_of_any_pool_end_with_a_killed_sweep(tmp_path, kind):
    (tmp_path / "job.py").write_text(POOL, encoding="utf-8")
    folder = tmp_path / "workers"
    folder.mkdir()

    def at_work(started):
        return len(list(folder.iterdir())) == 2

    below = killed_at_work([tmp_path / "job.py", kind, folder], at_work)
    workers = {int(path.name) for path in folder.iterdir()}
    assert len(workers) == 2
    assert workers <= {process.pid for process in below}
    assert all_end(below)


def test_workers_of_the_command_line_end_with_it_before_they_had_any_work():
    def at_work(started):
        return len(psutil.Process(started.pid).children()) >= 3  # one is Python's own

    below = killed_at_work(COMMAND, at_work)
    assert len(below) >= 3
    assert all_end(below)


THREADS = """
import multiprocessing, os, time
import dynamics as dy

def build(a):
    time.sleep(0.1)
    return a

def job(path):
    dy.sweep(build, {"a": range(40)}, float, path)

if __name__ == "__main__":
    import sys
    multiprocessing.get_context("spawn").Process(target=job, args=(sys.argv[1],)).start()
    time.sleep(600)
"""


def test_a_sweep_that_runs_in_a_child_itself_goes_on_to_its_end(tmp_path):
    (tmp_path / "job.py").write_text(THREADS, encoding="utf-8")
    out = tmp_path / "a.csv"
    below = killed_at_work([tmp_path / "job.py", out], lambda started: out.with_name("a.csv.part").exists())
    all_end(below, 30)
    assert out.exists()
