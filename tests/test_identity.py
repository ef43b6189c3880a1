"""What a function is known by: one that computes another thing has another name and hash, in every process."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import dynamics as dy
from dynamics.identity import identity

ROOT = Path(__file__).parent.parent
SCALES = {"a": 3.0}


def scaled(made, by=2):
    return SCALES["a"] * made / by


def defined(text, **around):
    namespace = {"__name__": "defined", "np": np} | around
    exec(text, namespace)
    return namespace["f"]


CODE = "def g(a): return a + 1\ndef f(a, b=2):\n    return [g(a) + b + N for _ in M]\n"


@pytest.mark.parametrize(
    ("text", "around"),
    [
        (CODE.replace("a + 1", "a + 2"), {"N": 1, "M": [1]}),
        (CODE.replace("b=2", "b=3"), {"N": 1, "M": [1]}),
        (CODE.replace("+ N", "- N"), {"N": 1, "M": [1]}),
        (CODE, {"N": 2, "M": [1]}),
        (CODE, {"N": 1, "M": [2]}),
        (CODE, {"N": 1, "M": np.array([1])}),
        (CODE, {"N": 1, "M": dy.Setting(dy.Geometry.single_cluster(4, 2, 2))}),
    ],
)
def test_a_function_is_known_by_its_code_and_by_what_it_reads(text, around):
    known = identity(defined(CODE, N=1, M=[1]))
    assert identity(defined("# moved\n\n" + CODE, N=1, M=[1], unread=3)) == known
    assert identity(defined(text, **around)) != known
    assert identity(partial(scaled, by=1)) != identity(partial(scaled, by=2)) != identity(scaled)


def test_a_captured_setting_is_known_by_its_values():
    def captured(size):
        setting = dy.Setting(dy.Geometry.single_cluster(4, size, 2))
        return lambda closure: dy.reduce(setting, "local", closure)

    assert identity(captured(2)) == identity(captured(2)) != identity(captured(3))


def test_a_function_is_known_alike_in_every_process():
    program = "from tests.test_identity import *;print(identity(scaled), identity(lambda a: a in {'x', 'y', 'z'}))"
    seen = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed},
            cwd=ROOT,
            check=True,
            capture_output=True,
        ).stdout
        for seed in "123"
    }
    assert len(seen) == 1
