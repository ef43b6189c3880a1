"""Bad input of every kind, to every argument of the API and every option of the command line: one clear line each.

Hypothesis draws what is put in; ``test_errors.py`` has the messages, case by case.
"""

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import dynamics as dy
from dynamics.__main__ import COMMANDS, _own, main
from tests.said import said
from tests.settings import TWO, WIDE

ROOT = Path(__file__).parent.parent
DRAWN = (Phase.generate,)  # what fails is short as it is
HUGE = 10**400  # no float, and no size of anything

# What no argument takes, or few: where one does, the call must then simply work.
NUMBERS = st.sampled_from([float("nan"), float("inf"), -float("inf"), -1, -0.5, -(10**30), HUGE, -HUGE, -1e308, 1j])
WORDS = st.text(max_size=20) | st.sampled_from(
    ["", "localish", "é", "\u202e", "\0", "../..", "a" * 5000, "平均", "1e3"]
)
ODD = st.sampled_from(
    [b"bytes", object(), {}, {"a": 1}, [], (), [[]], [[], [1]], [None], ["1", 2], Ellipsis, print, 1 + 2j]
)
ARRAYS = st.sampled_from(
    [np.zeros((2, 0)), np.full((3, 3), np.nan), np.array(["a"]), np.array([1j]), np.empty((2, 2, 2))]
)
JUNK = NUMBERS | WORDS | ODD | ARRAYS | st.sampled_from([np.datetime64("2024-03-01"), Decimal("NaN"), np.ma.masked])

SYSTEM = dy.reduce(WIDE, "local", "mean-field", compiled=False)
FLOW = dy.integrate(SYSTEM, t_end=1.0)
MODEL = dy.FiniteTransformer(TWO)
# Calls that work, by the arguments that are put in place of theirs.
CALLS = {
    dy.Geometry.single_cluster: {"global_size": 4, "local_size": 2, "local_areas": 2},
    dy.Geometry.scaling: {"log10_patches": 30, "kappa_c": 0.98, "kappa_s": 0.3, "areas": 7},
    dy.Geometry.from_labels: {"labels": [[0, 0, 1, 1]], "grid": (2, 2)},
    dy.Geometry.from_maps: {"maps": [[0, 0], [1, 1]]},
    dy.Geometry.from_image: {"image": np.ones((8, 8)), "grid": (2, 2), "areas": 1, "seed": 0},
    dy.Setting: {"geometry": TWO.geometry, "latent": 1.0, "mask_ratio": 0.5, "cluster_weights": [0.5, 0.5]},
    dy.reduce: {"setting": TWO, "query": 1, "closure": "exact", "method": "enumeration", "rtol": 1e-9}
    | {"samples": 10, "seed": 0, "merge": True, "compiled": None},
    dy.integrate: {"system": SYSTEM, "t_end": 1.0, "until": None, "method": "DOP853", "variable": "auto", "rtol": 1e-6}
    | {"atol": 1e-8, "t_eval": [0.5], "log_t_end": None, "start": None, "time_limit": 60.0}
    | {"progress": False},
    dy.descend: {"system": SYSTEM, "step_size": 0.1, "steps": 3, "every": 1, "start": None},
    dy.endpoints: {"systems": [SYSTEM], "t_end": None, "until": None, "log_t_end": 1.0, "rtol": 1e-6, "atol": 1e-8}
    | {"threads": 1},
    dy.half_time: {"system": SYSTEM, "latent": None, "rtol": 1e-6},
    dy.log_half_time: {"system": SYSTEM, "latent": None, "rtol": 1e-6},
    dy.half_time_exponent: {"system": SYSTEM, "latent": None, "rtol": 1e-6},
    dy.plateau: {"system": SYSTEM, "latent": None, "rtol": 1e-6},
    dy.pp_exponent: {"system": SYSTEM, "latent": None, "rtol": 1e-6},
    dy.closure_error: {"setting": WIDE, "query": "local", "state": np.zeros(7), "samples": 10},
    dy.FiniteTransformer: {"setting": TWO, "seed": 0, "dimension": None, "basis": "random", "threads": 1},
    MODEL.loss: {"Q": MODEL.initial, "samples": None},
    MODEL.train: {"step_size": 0.1, "steps": 1, "samples": None, "every": 1, "start": None, "progress": False},
    MODEL.attention: {"Q": MODEL.initial, "cluster": 0, "latent": 1.0},
    dy.compare: {"first": FLOW, "second": FLOW, "tolerance": 0.0},
    dy.sweep: {"build": abs, "grid": {"x": [1]}, "measure": abs, "out": None, "executor": None, "made_by": None},
    dy.attention_map: {"system": SYSTEM, "y": SYSTEM.initial, "cluster": 0, "latent": None},
    dy.attention_distance: {"attention": np.eye(4), "grid": (2, 2), "class_token": False},
    dy.attention_diversity: {"attention": np.eye(4), "class_token": None},
    dy.Law.uniform: {"low": 0.5, "high": 1.5},
    dy.max_margin: {"setting": WIDE, "query": "local", "state": np.zeros(7)},
    dy.exponent: {"quantity": "half-time", "kappa_c": 0.98, "kappa_s": 0.3, "latent": 1.0, "ladder": (50, 60, 70, 80)}
    | {"mask_ratio": 0.5, "query": "local", "at_latent": None, "areas": None, "rtol": 1e-9},
    FLOW.save: {"path": "flow.npz"},
    dy.load: {"path": "flow.npz"},
    dy.rerun: {"made_by": FLOW},
    SYSTEM.rate: {"y": SYSTEM.initial},
    SYSTEM.jacobian: {"y": SYSTEM.initial},
    SYSTEM.attention: {"y": SYSTEM.initial, "cluster": 0, "latent": None},
    SYSTEM.terms: {"y": SYSTEM.initial},
    SYSTEM.equations: {"numbers": False},
    SYSTEM.expand: {"y": SYSTEM.initial},
}
ARGUMENTS = [(function, name) for function, working in CALLS.items() for name in working]
REFUSED = {"API": 0, "command line": 0}


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    """Nothing is written anywhere near: the folder that every relative path leads to stays as it was."""
    monkeypatch.chdir(tmp_path)
    FLOW.save("flow.npz")
    yield tmp_path
    assert [path.name for path in tmp_path.iterdir()] == ["flow.npz"]
    assert np.array_equal(dy.load("flow.npz").y, FLOW.y)


@contextlib.contextmanager
def no_work():
    """Where any kernel that is looked for, made or compiled is an error of its own, whatever was made before."""

    def work(*_):
        raise AssertionError("a kernel was looked for before the arguments were checked")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dynamics.compiled._found_or_made", work)
        patch.setattr("dynamics.compiled._tiered", work)
        yield


def in_one_line(error):
    assert error
    assert "\n" not in error.strip("\n")
    assert "Traceback" not in error
    assert len(error) < 6000


@pytest.mark.parametrize(("function", "name"), ARGUMENTS, ids=[f"{f.__qualname__}-{n}" for f, n in ARGUMENTS])
def test_every_argument_refuses_what_it_cannot_take(function, name, empty_folder):
    @settings(max_examples=25, phases=DRAWN)
    @given(JUNK)
    def refused(junk):
        error = None
        if function == FLOW.save and str(junk).endswith((".npz", ".csv")):
            return  # a good name
        if function == dy.sweep and callable(junk):
            return  # and what it raises is for its owner to see
        try:
            function(**CALLS[function] | {name: junk})
        except (ValueError, OSError) as caught:
            error = str(caught)
        if error is not None:
            in_one_line(error)
            assert re.search(r"expected|fewer|time in common|not", error), error
            REFUSED["API"] += 1
            with no_work(), pytest.raises((ValueError, OSError)) as before_work:
                function(**CALLS[function] | {name: junk})
            assert str(before_work.value) == error

    before = REFUSED["API"]
    refused()
    assert REFUSED["API"] - before >= 10


def commanded(*arguments):
    """Exit status, and what a command says on either stream."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = main(arguments)
        except SystemExit as stop:
            status = stop.code
    return status, out.getvalue(), said(err.getvalue())


AREAS = {"global_size": "4", "local_size": "2", "local_areas": "2"}
PICTURE = {"image": None, "grid": "2,2", "areas": "2", "image_seed": "0"}
POWERS = {"log10_patches": "30", "kappa_c": "0.98", "kappa_s": "0.3", "areas": "7"}
LABELLED = {"labels": "[[0,0,1,1]]", "grid": "2,2"}
MAPPED = {"maps": "[[0,0],[1,1]]"}
GEOMETRIES = {name: kind for kind in (PICTURE, LABELLED, MAPPED, POWERS, AREAS) for name in kind}
QUERY = {"query": "0", "compiled": "false"}
ENOUGH = {
    "integrate": QUERY | {"t_end": "1"},
    "phases": QUERY | {"t_end": "1"},
    "descend": QUERY | {"step_size": "0.1", "steps": "2"},
    "train": {"query": "0", "step_size": "0.1", "steps": "2"},
    "compare": QUERY | {"step_size": "0.1", "steps": "2"},
    "sweep": QUERY | {"measure": "loss_floor"},
}
OPTIONS = [(command, name) for command in ENOUGH for name in _own(COMMANDS[command]) if name != "workers"]
TEXTS = st.text(max_size=12) | st.sampled_from(
    ["nan", "inf", "-inf", "-1", "1e999", "9" * 500, "[1,", "{}", "null", "[[[]]]", "beta(-1, 2)", "nosuch(1)", "𝟙"]
)
TEXTS |= st.sampled_from(
    [
        "beta(",
        "norm()",
        "0:1:0",
        "1:2:3:log",
        "a=b",
        "::",
        ",",
        ";",
        "$(ls)",
        "%s",
        "--",
        "\u202e",
        "x" * 3000,
        "[" * 3000,
    ]
)


@pytest.mark.parametrize(("command", "name"), OPTIONS, ids=[f"{command}-{name}" for command, name in OPTIONS])
def test_every_option_refuses_what_it_cannot_take(command, name, empty_folder):
    @settings(max_examples=12, phases=DRAWN)
    @given(TEXTS)
    def refused(text):
        asked = {**GEOMETRIES.get(name, AREAS), **ENOUGH[command], name: text}
        if name == "threads" and text.isdigit():
            return
        flags = [f"--{key.replace('_', '-')}" + ("" if value is None else f"={value}") for key, value in asked.items()]
        over = (
            ["--over", "latent=0.5,1" if name == "mask_ratio" else "mask_ratio=0.4,0.6"] if command == "sweep" else []
        )
        given = command, *flags, *over, f"--out=out{COMMANDS[command].files[-1]}"
        status, out, err = commanded(*given)
        if ": expected" in err:  # or a solver failed
            with no_work():
                assert commanded(*given) == (status, out, err)
        for path in empty_folder.glob("out*"):
            assert status != 2 or path.name == "out.failed.csv"
            path.unlink()
        if status == 2:
            in_one_line(err)
            assert out == ""
            REFUSED["command line"] += 1
        else:
            assert status in (0, 1)

    before = REFUSED["command line"]
    refused()
    assert REFUSED["command line"] - before >= 4


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_a_config_file_of_anything_is_refused(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "job.toml"
        path.write_bytes(content + b"\nmask_ratoi = 1")
        status, out, err = commanded("integrate", "--config", str(path))
    assert (status, out) == (2, "")
    in_one_line(err)
    assert "job.toml" in err or "mask_ratio" in err


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("mask_ratoi = 0.5", "mask_ratoi=0.5: expected a name that has a flag; did you mean 'mask_ratio'?"),
        ("mask_ratio = 1.5", r"mask_ratio=1\.5: expected a number in \(0, 1\)"),
        ("mask_ratio = 2024-03-01", "mask_ratio=datetime.*: expected a number"),
        ("latent = 'gama(2)'", r"latent='gama\(2\)': expected a law of scipy.stats .*; did you mean 'gamma'\?"),
        ("latent = 'beta(2, x)'", r"latent='beta\(2, x\)': expected a law of scipy.stats"),
        ("reduce_method = 'guess'", "reduce_method='guess': expected 'auto' or"),
        ("reduce_samples = 0\nclosure = 'sampled'", "reduce_samples=0: expected a whole number in"),
        ("samples = 5\nclosure = 'sampled'", "samples=5: expected reduce_samples in a file, where closure='sampled'"),
        ("out = 5", "out=5: expected the name of a file"),
        ("latent = 'beta([2, 3], 3)'", "latent='beta.*: expected a law of scipy.stats"),
        ("latent = 'uniform(loc=0, scale=1e-300)'", "latent.support.*: expected a support within"),
        (
            "latent = 'bright'",
            "latent='bright': expected a law of scipy.stats and its numbers, such as uniform:0.5:1.5",
        ),
        ("latent = 'unifrom:0.5:1.5'", "latent='unifrom:0.5:1.5': .*; did you mean 'uniform'?"),
        ("latent = 'beta:2:3'", "latent='beta:2:3': expected a law of scipy.stats"),
        ("latent = 'uniform:1.5:0.5'", "latent='uniform:1.5:0.5': high=0.5: expected a number > low=1.5"),
        ("latent = 'uniform:a:1'", "latent='uniform:a:1': low='a': expected a number >= 0"),
        (
            "latent = 'uniform(0.5, 1.5)'",
            r".* loc and scale by name; SciPy takes loc=0.5, scale=1.5: write uniform:0.5:1.5 for \[0.5, 1.5\], or "
            r"'uniform\(loc=0.5, scale=1.5\)' for \[0.5, 2\]",
        ),
        ("latent = 'uniform(0.5)'", r".*SciPy takes loc=0.5: write 'uniform\(loc=0.5\)' for \[0.5, 1.5\]"),
        ("latent = 'beta(2, 3, 1)'", r".*SciPy takes loc=1: write 'beta\(2, 3, loc=1\)' for \[1, 2\]"),
        ("latent = 'triang(0.3, 1, scale=2)'", r".*write 'triang\(0.3, scale=2, loc=1\)' for \[1, 3\]"),
        ("latent = 'randint(1, 4, 2)'", r".*write 'randint\(1, 4, loc=2\)' for \[3, 5\]"),
        ("latent = 'truncnorm(-2, 2, 1, 0.3)'", r".*write 'truncnorm\(-2, 2, loc=1, scale=0.3\)' for \[0.4, 1.6\]"),
        ("closure = 'mean-feild'", "closure='mean-feild': .*; did you mean 'mean-field'?"),
        ("start = 'none.npz'", "path='none.npz': expected a file written by Trajectory.save: No such file"),
        ("labels = [[0, 1]]", "geometry='global_size, labels': expected one of --global-size"),
        ("areas = 3", "areas=3: expected with log10_patches or image"),
        ("until = ['traget', 0.5]", "until=.*; did you mean 'target'"),
        ("t-end = 2.0", "t-end=2.0: expected t_end once, but it is there in two spellings"),
        ("latent = []", r"latent=\[\]: expected a number, a text or a list of these, found an empty list"),
        ("latent = [[1, 2], []]", r"latent=\[\]: expected .*, found an empty list"),
        ("latent = [1, 2024-03-01]", "latent=datetime.*: expected .*, found a date"),
        ("rtol = 10:20:30", "rtol=datetime.*: expected .*, found a time"),
        ("[latent]\nvalues = 1", r"latent=\{'values': 1\}: expected .*, found a table"),
        ("[[until]]\ngroup = 'target'", r"until=\{'group': 'target'\}: expected .*, found a table"),
        ("rtol = true", "rtol=True: expected .*, found true or false"),
        ("time_limit = false", "time_limit=False: expected .*, found true or false"),
        ("latent = true", "latent=True: expected .*, found true or false"),
        ("mask_ratio = true", "mask_ratio=True: expected .*, found true or false"),
        ("t_eval = [true]", "t_eval=True: expected .*, found true or false"),
        ("merge = 'yes'", "merge='yes': expected"),
    ],
)
def test_errors_name_option_value_and_what_is_accepted(line, error, tmp_path):
    path = tmp_path / "job.toml"
    path.write_text(
        f"global_size = 4\nlocal_size = 2\nlocal_areas = 2\nquery = 0\nt_end = 1.0\n{line}\n", encoding="utf-8"
    )
    status, out, err = commanded("integrate", "--config", str(path))
    assert (status, out) == (2, "")
    assert re.match(error, err), err


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((), "COMMAND"),
        (("integrat",), "invalid choice: 'integrat' .*; did you mean 'integrate'"),
        (("integrate", "--mask-ratoi", "0.5"), r"--mask-ratoi: no such argument; did you mean '--mask-ratio'\?"),
        (("integrate",), "geometry=None: expected one of --global-size, --log10-patches, --labels, --maps, --image"),
        (("integrate", "--global-size", "4"), "local_size=None: expected a whole number"),
        (("train", "--labels", "[[0,0,1,1]]"), "query=None: expected"),
        (("integrate", "--config", "none.toml"), "config='none.toml': expected a TOML file: No such file"),
        (("integrate", "--labels", "none.txt"), "labels='none.txt': expected a text file .*: No such file"),
        (("integrate", "--out", "flow.txt"), "out='flow.txt': expected a file name ending in .npz or .csv"),
        (("integrate", "--out", "/dev/null/flow.csv"), "out='/dev/null/flow.csv': expected a file that can be written"),
        (("integrate", "--plot", "flow.jpg"), "plot='flow.jpg': expected a file name ending in .png or .pdf or .svg"),
        (("sweep", "--labels", "[[0,0,1,1]]"), "over=None: expected --over NAME=VALUES"),
        (("sweep", "--over", "mask_ratio"), "over='mask_ratio': expected NAME=VALUE"),
        (("sweep", "--over", "mask_ratoi=1"), "over='mask_ratoi': .*; did you mean 'mask_ratio'"),
        (("sweep", "--over", "latent="), "over='latent=': expected NAME=VALUE"),
        (("sweep", "--over", "=1"), "over='=1': expected NAME=VALUE"),
        (("sweep", "--over", "latent=1,,2"), "over latent='1,,2': expected some values, none of them empty"),
        (
            ("sweep", "--over", "latent=1", "--over", "latent=2"),
            "over='latent=2': expected latent once, .* --over twice",
        ),
        (("sweep", "--over", "t-end=1", "--over", "t_end=2"), "over='t_end=2': expected t_end once"),
        (("sweep", "--latent", "1", "--over", "latent=2"), "over='latent=2': expected latent once, .* --latent too"),
        (("integrate", "--t-end", "1", "--t-end", "2"), "--t-end: given twice; expected once"),
        (("descend", "--closure", "sampled", "--seed", "1", "--reduce-seed", "2"), "--reduce-seed: given twice"),
        (("integrate", "--out", "a.npz", "--out", "b.npz"), "--out: given twice"),
        (("integrate", "--labels", "20260101"), "labels='20260101': expected a text file .*: No such file"),
        (("integrate", "--labels", "a:b:c/d.txt"), "labels='a:b:c/d.txt': expected a text file .*: No such file"),
        (("integrate", "--labels", "a,b/d.txt"), "labels='a,b/d.txt': expected a text file .*: No such file"),
        (("integrate", "--labels", "/"), "labels='/': expected a text file .*: Is a directory"),
        (("sweep", "--over", f"latent=1:{'9' * 400}:3"), "range='1:9.*: expected START:STOP:N"),
        (("sweep", "--over", "mask_ratio=0.5,x"), "over mask_ratio=.*: expected numbers, or words"),
        (("sweep", "--over", "latent=[]"), r"over latent='\[\]': expected some values"),
        (
            ("sweep", "--labels", "[[0,0,1,1]]", "--over", "closure=exact", "--plot", "a.png"),
            "plot='a.png': expected a parameter of numbers",
        ),
        (("sweep", "--over", "latent=1", "--measure", "halftime"), "measure='halftime': .*; did you mean 'half_time'"),
        (("compare", "a.npz"), r"FILE=\['a.npz'\]: expected two trajectories"),
        (("compare", "a.npz", "b.npz"), "path='a.npz': expected a file written by Trajectory.save: No such file"),
        (("info", "none.npz"), "path='none.npz': expected a file written by Trajectory.save: No such file"),
        (("info", "none.csv"), "path='none.csv': expected"),
        (("info", str(ROOT / "figures/expected/areas.csv"), "--rerun"), "FILE=.*; use python -m figures areas"),
    ],
)
def test_a_command_that_cannot_work_says_why(arguments, error, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err = commanded(*arguments)
    assert status == 2
    assert out == "" or arguments[0] == "info"
    in_one_line(err)
    assert re.search(error, err), err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("table", "error"),
    [
        ("latent = {start = 0.5, stop = 2}", r"over latent=\{'start': 0.5, 'stop': 2\}: expected values, or a range"),
        ("latent = {start = 0.5, stop = 2, N = 4}", "over latent=.*: expected values, or a range"),
        ("latent = {start = 0, stop = 2, n = 4, log = true}", "over latent=.*: .* both ends > 0"),
        ("latent = {start = 1, stop = 2, n = 4, log = 1}", "over latent=.*: expected START:STOP:N"),
        ("latent = '1:2:4:1'", "range='1:2:4:1': expected START:STOP:N"),
        ("latent = '1:2:4:lgo'", "range='1:2:4:lgo': expected START:STOP:N"),
        ("latent = {start = true, stop = 2, n = 4}", "over latent=.*: expected START:STOP:N"),
        ("latent = {start = 1, stop = 2, n = 2.5}", "over latent=.*: expected START:STOP:N"),
        ("latent = {}", r"over latent=\{\}: expected values, or a range"),
        ("latent = []", r"over latent=\[\]: expected .*, found an empty list"),
        ("latent = ''", "over latent='': expected some values, none of them empty"),
        ("latent = [1, {}]", r"over latent=\{\}: expected .*, found a table"),
        ("latent = 2024-03-01", "over latent=datetime.*, found a date"),
        ("latent = [1]\nLatent = [1]", "over='Latent': .*; did you mean 'latent'"),
        (
            "mask-ratio = [0.5]\nmask_ratio = [0.4]",
            r"over mask_ratio=\[0.4\]: expected mask_ratio once, .* two spellings",
        ),
    ],
)
def test_a_table_that_is_no_range_is_refused_by_its_name(table, error, tmp_path):
    path = tmp_path / "job.toml"
    path.write_text(f"global_size = 4\nlocal_size = 2\nlocal_areas = 2\nquery = 0\n[over]\n{table}\n", encoding="utf-8")
    status, out, err = commanded("sweep", "--config", str(path))
    assert (status, out) == (2, "")
    in_one_line(err)
    assert re.match(error, err), err


def test_there_are_hundreds():
    assert 10 * len(ARGUMENTS) + 4 * len(OPTIONS) >= 1000  # as each of the tests above asserts


def test_bad_input_is_one_line_in_a_process_too(tmp_path):
    """What reaches a person's terminal: no trace, exit status 2; a trace where it is asked for."""
    command = [sys.executable, "-m", "dynamics", "integrate", "--global-size=4", "--local-size=2", "--local-areas=0"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    run = {"cwd": tmp_path, "env": environment, "capture_output": True, "encoding": "utf-8"}
    done = subprocess.run(command, **run)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "local_areas=0: expected a whole number in [1, 10000000]\n"
    assert "Traceback" in subprocess.run([*command, "--debug"], **run).stderr
    assert list(tmp_path.iterdir()) == []


FLAGS = {
    "merge": lambda flag: dy.reduce(TWO, 1, merge=flag),
    "compiled": lambda flag: dy.reduce(TWO, 1, compiled=flag),
    "progress": lambda flag: dy.integrate(SYSTEM, t_end=1.0, progress=flag),
    "progress of a training": lambda flag: MODEL.train(0.1, 1, progress=flag),
    "numbers": lambda flag: SYSTEM.equations(flag),
}


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_is_true_or_false_and_nothing_that_is_like_it(flag):
    for wrong in ("no", "yes", "True", 1, 0, 1.0, [], [True], np.int64(1), np.array(True)):
        with no_work(), pytest.raises(ValueError, match=rf"^{flag.split()[0]}=.*: expected (None, )?True or False"):
            FLAGS[flag](wrong)
    if flag != "compiled":
        with no_work(), pytest.raises(ValueError, match="expected True or False"):
            FLAGS[flag](None)


def test_flags_of_numpy_are_flags():
    assert dy.reduce(TWO, 1, merge=np.False_).names == dy.reduce(TWO, 1, merge=False).names
    system = dy.reduce(TWO, 1, merge=np.True_, compiled=np.False_)
    assert (system.options["merge"], system.compiled) == (True, False)
    assert SYSTEM.equations(np.False_) == SYSTEM.equations()
    assert dy.integrate(system, t_end=0.1, progress=np.False_).provenance["merge"] is True
