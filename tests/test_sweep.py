"""Sweeps: every executor fills one table, a kill costs nothing, and no study is taken for another."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dynamics as dy
from derivations import _csv, source_hash
from derivations._shell import versions
from dynamics.identity import identity
from dynamics.study import measured_rows
from dynamics.table import _header

ROOT = Path(__file__).parent.parent
GRID = {"local_size": [4, 6, 8], "closure": ["exact", "mean-field"]}


def local_query(local_size, closure):
    geometry = dy.Geometry.single_cluster(64 - 4 * local_size, local_size, 4)
    return dy.reduce(dy.Setting(geometry), "local", closure)


def first_rates(system):
    return {"target": system.rate(system.initial)[0], "loss": system.loss(system.initial)}


def pair(a, b):
    return a, b


def third(made):
    return made[0] / 3 + made[1]


def odd_only(made):
    if made[0] % 2 == 0:
        raise ValueError(f'even, "{made[0]}",\nnot odd')
    return third(made)


def never(*arguments):
    raise AssertionError("called")


def same(first, second):
    assert list(first) == list(second)
    for name in first:
        assert first[name].dtype == second[name].dtype
        assert repr(first[name].tolist()) == repr(second[name].tolist())  # NaN as well


class AtOnce(Executor):
    """Runs what is submitted, the last submitted first."""

    def __init__(self):
        self.later = []

    def submit(self, function, *arguments):
        self.later.append((future := Future(), function, arguments))
        if len(self.later) == 3:
            self.run()
        return future

    def run(self):
        while self.later:
            future, function, arguments = self.later.pop()
            future.set_result(function(*arguments))


@pytest.fixture(scope="module")
def looped():
    """The table of a plain loop."""
    rows = []
    for local_size in GRID["local_size"]:
        for closure in GRID["closure"]:
            rates = first_rates(local_query(local_size, closure))
            rows.append((local_size, closure, rates["target"], rates["loss"], ""))
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    columns[-1] = columns[-1].astype(object)
    return dict(zip(["local_size", "closure", "target", "loss", "error"], columns, strict=True))


def test_threads_fill_the_table_of_a_plain_loop(looped):
    same(dy.sweep(local_query, GRID, first_rates), looped)


def test_processes_fill_the_table_of_a_plain_loop(looped):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        same(dy.sweep(local_query, GRID, first_rates, executor=pool), looped)
        assert pool.submit(third, (3, 1)).result() == 2  # it is left open


def test_a_dask_cluster_of_two_workers_fills_the_table_of_a_plain_loop(looped, tmp_path):
    import distributed

    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, local_directory=tmp_path
    )
    with cluster, distributed.Client(cluster) as client:
        assert len(client.scheduler_info()["workers"]) == 2
        pool = client.get_executor()
        same(dy.sweep(local_query, GRID, first_rates, executor=pool, out=tmp_path / "a.csv"), looped)
        many = {"a": range(500), "b": [0.5, 1.5]}
        same(dy.sweep(pair, many, {"c": lambda made: third(made)}, executor=pool), dy.sweep(pair, many, {"c": third}))
    dy.sweep(local_query, GRID, first_rates, out=tmp_path / "b.csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_rows_stand_in_the_order_of_the_grid_whatever_order_they_come_in(tmp_path):
    grid = {"a": [3, 1, 2], "b": [0.1, 0.2]}
    table = dy.sweep(pair, grid, third, executor=AtOnce(), out=tmp_path / "a.csv")
    assert table["a"].tolist() == [3, 3, 1, 1, 2, 2]
    assert table["third"].tolist() == [a / 3 + b for a in grid["a"] for b in grid["b"]]
    same(dy.sweep(pair, grid, third), table)


def test_points_may_be_listed(tmp_path):
    points = [{"a": 1, "b": 0.5}, {"b": 0.25, "a": 7}]
    table = dy.sweep(pair, points, lambda made: made[0] - made[1], out=tmp_path / "a.csv")
    assert (table["a"].tolist(), table["value"].tolist()) == ([1, 7], [0.5, 6.75])


PROGRAM = """
import os, sys, time
from pathlib import Path
import dynamics as dy

def build(a, b):
    return a, b

def measure(made):
    if "hold" in os.environ and made == (5, "y"):
        Path(os.environ["hold"]).touch()
        time.sleep(600)
    if made[0] == 2:
        raise ValueError("two")
    return made[0] / 7

dy.sweep(build, {"a": range(9), "b": ["x", "y"]}, measure, out=sys.argv[1])
"""


def study(path, **environment):
    program = path.with_name("study.py")
    program.write_text(PROGRAM, encoding="utf-8")
    return subprocess.Popen([sys.executable, program, path], env=os.environ | {"PYTHONPATH": str(ROOT)} | environment)


def test_killed_in_the_middle_and_resumed_the_file_is_that_of_an_unbroken_run_byte_for_byte(tmp_path):
    assert study(tmp_path / "whole.csv").wait(60) == 0
    broken, hold = tmp_path / "broken.csv", tmp_path / "hold"
    journal = broken.with_name("broken.csv.part")
    process = study(broken, hold=str(hold))
    until = time.monotonic() + 60
    while not (hold.exists() and journal.read_bytes().count(b"\n") >= 10) and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait(60) == -signal.SIGKILL
    assert not broken.exists()
    kept = [line for line in journal.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert 4 <= len(kept) < 18
    assert study(broken).wait(60) == 0
    assert broken.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert not journal.exists()


def journal_of(out):
    return out.with_name(f"{out.name}.part")


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ZeroDivisionError])
def test_what_stops_a_sweep_comes_through_and_leaves_what_is_done(tmp_path, stop, monkeypatch):
    grid, out = {"a": range(40), "b": [1]}, tmp_path / "a.csv"

    def stopping(made):
        if made[0] == 20 and "goes_on" not in os.environ:
            raise stop
        return third(made)

    with pytest.raises(stop):
        dy.sweep(pair, grid, stopping, out)
    rows = [json.loads(line) for line in journal_of(out).read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    assert 10 <= len(rows) < 40
    monkeypatch.setenv("goes_on", "1")
    again = dy.sweep(pair, grid, stopping, out)
    assert again["stopping"].tolist() == dy.sweep(pair, grid, third)["third"].tolist()


def odd_ones(out):
    return dy.sweep(pair, {"a": [1, 2, 3, 4], "b": [0.5]}, odd_only, out)


def killed_at_the_end(out, monkeypatch, study=odd_ones):
    with monkeypatch.context() as patch:
        patch.setattr("dynamics.table.write_beside", never)
        with pytest.raises(AssertionError):
            study(out)
    return journal_of(out)


@pytest.fixture
def journal(tmp_path, monkeypatch):
    """The journal of a sweep that was killed before the last step."""
    return killed_at_the_end(tmp_path / "a.csv", monkeypatch)


@pytest.mark.parametrize("torn", [1, 30, "all rows", "header"])
def test_a_journal_with_a_torn_end_is_taken_up_where_it_is_whole(tmp_path, journal, torn, monkeypatch):
    odd_ones(tmp_path / "whole.csv")
    text = journal.read_bytes()
    rows = text.index(b"\n[") + 1
    journal.write_bytes(text[: {"all rows": rows, "header": 50}.get(torn) or -torn])
    killed_at_the_end(tmp_path / "a.csv", monkeypatch)
    assert sorted(journal.read_bytes().splitlines()) == sorted(text.splitlines())
    odd_ones(tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_what_the_journal_holds_is_not_measured_again(tmp_path, journal):
    text = journal.read_text(encoding="utf-8")
    journal.write_text(text.replace(str(1 / 3 + 0.5), "42.5"), encoding="utf-8")
    table = odd_ones(tmp_path / "a.csv")
    assert table["odd_only"].tolist()[::2] == [42.5, 1.5]


@pytest.mark.parametrize(
    "broken", ["[0, 1]\n", "[9, {}, 'x']\n", '[9, {}, "late"]\n', '[0, {"other": 1}, ""]\n', "\0\n"]
)
def test_a_journal_that_something_else_wrote_to_is_refused(tmp_path, journal, broken):
    with journal.open("a", encoding="utf-8") as file:
        file.write(broken)
    with pytest.raises(ValueError, match=r"a\.csv\.part': expected the journal as it was written; remove it"):
        odd_ones(tmp_path / "a.csv")


def test_a_point_that_fails_keeps_its_message_and_the_others_their_values(tmp_path):
    out = tmp_path / "a.csv"
    table = dy.sweep(pair, {"a": [1, 2, 3], "b": [0.5]}, odd_only, out)
    assert table["error"].tolist() == ["", 'even, "2", not odd', ""]
    assert np.isnan(table["odd_only"]).tolist() == [False, True, False]
    with out.open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["a", "b", "odd_only", "error", "made_by"]
    assert rows[2] == ["2", "0.5", "", 'even, "2", not odd', ""]


@pytest.mark.parametrize("measure", [odd_only, {"x": odd_only, "y": third}])
def test_where_every_point_fails_the_columns_are_there(measure, tmp_path):
    for _ in range(2):
        table = dy.sweep(pair, {"a": [2, 4], "b": [0.5]}, measure, tmp_path / "a.csv")
        assert list(table) == ["a", "b", *(measure if isinstance(measure, dict) else ["odd_only"]), "error"]
        assert np.isnan(list(table.values())[2]).all()


def test_a_failed_integration_is_a_row_of_its_own():
    def half_time(system):
        return dy.integrate(system, until=("target", 0.5)).t[-1]

    def single_patches(local_size):
        return dy.reduce(dy.Setting(dy.Geometry.single_cluster(4, local_size, 3)), "local")

    table = dy.sweep(single_patches, {"local_size": [1, 2]}, half_time)
    assert "not reached" in table["error"][0]
    assert np.isfinite(table["half_time"]).tolist() == [False, True]


def test_pandas_reads_the_file_as_it_is_and_every_number_is_there_to_the_bit(tmp_path):
    out = tmp_path / "a.csv"
    table = dy.sweep(pair, {"a": range(1, 30), "b": [0.1, 1e-300]}, {"x": third, "y": np.prod}, out)
    read = pd.read_csv(out)
    assert list(read) == [*table, "made_by"]
    for name in ("a", "b", "x", "y"):
        assert read[name].dtype == table[name].dtype
        np.testing.assert_allclose(read[name], table[name], rtol=1e-15)  # pandas before 3: to the last digit but one
    with out.open(encoding="utf-8", newline="") as file:
        rows = [*csv.reader(file)][1:]
    assert [float(row[2]) for row in rows] == table["x"].tolist()


def test_a_finished_table_is_read_back_without_measuring(tmp_path, monkeypatch):
    out, grid = tmp_path / "a.csv", {"a": [1, 2, 3], "b": [0.5, np.inf]}
    table = dy.sweep(pair, grid, odd_only, out)
    text = out.read_bytes()
    monkeypatch.setattr("dynamics.study.measured_rows", never)
    same(dy.sweep(pair, grid, odd_only, out), table)
    assert out.read_bytes() == text
    out.write_bytes(text[:-30])
    with pytest.raises(ValueError, match=r"a\.csv': expected a table of this study .*, whole and unchanged"):
        dy.sweep(pair, grid, odd_only, out)


GIVEN = {"a": [1, 2], "b": [0.5]}
OTHERS = {
    "grid": lambda out: dy.sweep(pair, {"a": [1, 3], "b": [0.5]}, third, out),
    "points": lambda out: dy.sweep(pair, [{"a": 1, "b": 0.5}], third, out),
    "build": lambda out: dy.sweep(lambda a, b: (a, b), GIVEN, third, out),
    "measure": lambda out: dy.sweep(pair, GIVEN, odd_only, out),
    "equations": lambda out: dy.sweep(pair, GIVEN, third, out),
    "versions": lambda out: dy.sweep(pair, GIVEN, third, out),
}


@pytest.mark.parametrize("differs", OTHERS)
@pytest.mark.parametrize("left", ["a.csv", "a.csv.part"])
def test_what_another_study_left_is_refused_and_kept(tmp_path, monkeypatch, differs, left):
    if left == "a.csv":
        dy.sweep(pair, GIVEN, third, tmp_path / left)
    else:
        killed_at_the_end(tmp_path / "a.csv", monkeypatch, lambda out: dy.sweep(pair, GIVEN, third, out))
    text = (tmp_path / left).read_bytes()
    if differs == "equations":
        monkeypatch.setattr("dynamics.study.source_hash", lambda: "others")
    elif differs == "versions":
        monkeypatch.setattr("dynamics.study.versions", lambda: {"numpy": "1"})
    entry = "grid" if differs == "points" else differs
    with pytest.raises(ValueError, match=rf"{left}': expected .*entry '{entry}' differs: remove it"):
        OTHERS[differs](tmp_path / "a.csv")
    assert [path.name for path in tmp_path.iterdir()] == [left]
    assert (tmp_path / left).read_bytes() == text


BEFORE = {"attention-dynamics": "0.1.0"}  # where half_time was the logarithm
OF_BEFORE = {
    "another version": (BEFORE, identity(dy.half_time).text),
    "another code": ({}, "dynamics.moments.half_time 0123456789abcdef"),
    "both": (BEFORE, "dynamics.moments.half_time 0123456789abcdef"),
}


@pytest.mark.parametrize("differs", OF_BEFORE)
@pytest.mark.parametrize("left", ["a.csv", "a.csv.part"])
def test_a_table_of_logarithms_called_half_time_is_never_read_on(tmp_path, monkeypatch, differs, left):
    at_hand = versions() | {"attention-dynamics": "0.2.0"}
    monkeypatch.setattr("dynamics.study.versions", lambda: at_hand)
    then, measure = OF_BEFORE[differs]
    said = {
        "grid": {"local_size": [4, 6], "closure": ["mean-field"]},
        "points": 2,
        "build": identity(local_query).text,
        "measure": measure,
        "equations": source_hash(),
        "versions": {name: one for name, one in (at_hand | then).items() if name != "matplotlib"},
    }
    path = tmp_path / left
    if left == "a.csv":
        columns = {"local_size": [4, 6], "closure": ["mean-field"] * 2, "half_time": [4.1, 3.9], "error": ["", ""]}
        _csv.write(path, columns, said)
    else:
        path.write_bytes(_header(said) + b'[0, {"half_time": 4.1}, ""]\n')
    before = path.read_bytes()
    entry = "versions" if differs == "another version" else "measure"
    with pytest.raises(ValueError, match=rf"{left}': expected .*entry '{entry}' differs: remove it, or write to an"):
        dy.sweep(local_query, said["grid"], dy.half_time, tmp_path / "a.csv")
    assert path.read_bytes() == before


@pytest.mark.parametrize("measure", [dy.half_time, dy.log_half_time, dy.plateau])
def test_what_is_read_off_the_half_time_is_solved_side_by_side(monkeypatch, measure):
    asked = []
    monkeypatch.setattr("dynamics.moments.remember", lambda systems, *_, **__: asked.append(len(systems)))
    measured_rows(local_query, measure, [0, 1], {"local_size": [4, 6], "closure": ["mean-field"] * 2}, os.getpid())
    assert asked[0] == 2  # and then one by one what is still missing


def test_a_file_of_somebody_else_is_refused_and_kept(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"out='.*a\.csv': expected a table of this study"):
        dy.sweep(pair, GIVEN, third, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == "a,b\n1,2\n"


# --- what a table is known by ---


def length(name):
    return len(Path(name).read_text(encoding="utf-8"))


def number(value):
    return float(value)


class Reader:
    def __init__(self, path):
        self.path = path

    def __call__(self, name):
        return length(self.path)


def in_the_code(name):
    return length("picture.txt")


READERS = {
    "a word of the grid": (length, ["picture.txt"], {}),
    "a word in the code": (in_the_code, ["a"], {}),
    "an attribute": (Reader("picture.txt"), ["a"], {}),
    "a path": (Reader(Path("picture.txt")), ["a"], {}),
    "an argument": (partial(lambda path, name: length(path), "picture.txt"), ["a"], {}),
    "a folder of the grid": (lambda name: length(Path(name) / "in.txt"), ["pictures"], {}),
    "a folder before it": (lambda name: length(Path("pictures") / name), ["in.txt"], {}),
    "a path before it": (lambda name: length(f"pictures/{name}"), ["in.txt"], {}),
    "an end behind it": (lambda name: length(f"{name}.txt"), ["picture"], {}),
    "all of these": (lambda name: length(f"pictures/i{name}.txt"), ["n"], {}),
    "a folder in the word": (lambda name: length(name + ".txt"), ["pictures/in"], {}),
    "a format": (lambda name: length("pictures/{}n.txt".format(name)), ["i"], {}),  # noqa: UP032
    "an older format": (lambda name: length("pictures/%s.txt" % name), ["in"], {}),  # noqa: UP031
    "a folder from here": (lambda name: length(os.path.join(os.getcwd(), "pictures", name)), ["in.txt"], {}),  # noqa: PTH109, PTH118
    "a folder of the record": (lambda name: 1, ["a"], {"made_by": {"study": {"images": "pictures"}}}),
    "the record": (lambda name: 1, ["a"], {"made_by": {"study": {"image": ["picture.txt"]}}}),
    "an array of words": (partial(lambda of, name: length(of[0]), np.array(["picture.txt"])), ["a"], {}),
}


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    paths = [tmp_path / "picture.txt", tmp_path / "pictures" / "in.txt"]
    for path in paths:
        path.write_text("before", encoding="utf-8")
    return paths


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("left", ["a.csv", "a.csv.part"])
def test_a_file_that_is_named_is_known_by_what_it_holds(pictures, reader, left, monkeypatch):
    build, names, more = READERS[reader]

    def study(out="a.csv"):
        return dy.sweep(build, {"name": names}, number, out, **more)

    if left == "a.csv":
        table = study()
    else:
        killed_at_the_end(Path("a.csv"), monkeypatch, study)
        table = study("other.csv")
    same(study(), table)  # touched or not, it is the same
    kept = Path(left).read_bytes() if Path(left).exists() else killed_at_the_end(Path("b.csv"), monkeypatch, study)
    out = "a.csv" if left == "a.csv" else "b.csv"
    for path in pictures:
        path.write_text("another", encoding="utf-8")
    with pytest.raises(ValueError, match=r"a file of this study, but its entry 'files\..*' differs: remove it"):
        study(out)
    assert left != "a.csv" or Path(left).read_bytes() == kept


def test_what_a_sweep_writes_and_what_names_no_file_is_no_part_of_its_study(pictures):
    """Nor is in a folder of the grid code, a journal or what is hidden; nor a folder that a function writes to."""

    def build(name):
        Path("results").mkdir(exist_ok=True)
        (Path("results") / "drawn.png").touch()
        return length(Path(name) / "in.txt")

    table = dy.sweep(build, {"name": ["pictures"]}, number, "pictures/a.csv")
    for name in ("job.py", ".hidden", "b.csv.part"):
        (Path("pictures") / name).write_text("new", encoding="utf-8")
    same(dy.sweep(build, {"name": ["pictures"]}, number, "pictures/a.csv"), table)
    assert "files" not in _csv.read(Path(TestWords.table()), "a table")[1]


def test_what_a_study_draws_for_each_point_is_no_part_of_it(pictures, monkeypatch):
    def build(name):
        Path(f"{name}.png").write_text("drawn", encoding="utf-8")
        return length(f"{name}.txt")

    grid = {"name": ["picture"]}
    killed_at_the_end(Path("a.csv"), monkeypatch, lambda out="a.csv": dy.sweep(build, grid, number, out))
    Path("picture.png").write_text("drawn anew", encoding="utf-8")
    table = dy.sweep(build, grid, number, "a.csv")
    Path("picture.png").unlink()
    same(dy.sweep(build, grid, number, "a.csv"), table)
    unbroken = Path("a.csv").read_bytes()
    Path("picture.png").unlink(missing_ok=True)
    dy.sweep(build, grid, number, "b.csv")
    assert Path("b.csv").read_bytes() == unbroken


class TestWords:
    @staticmethod
    def table():
        dy.sweep(lambda name: len(name), {"name": ["", ".", "/", "no such file", "x" * 5000]}, number, "words.csv")
        return "words.csv"


def test_a_folder_of_more_than_can_be_read_is_not_known(pictures, monkeypatch):
    monkeypatch.setattr("derivations._contents.MOST_FILES", 0)
    with pytest.warns(UserWarning, match="every point is measured, as it is not known what 'pictures' holds"):
        dy.sweep(lambda name: 1, {"name": ["pictures"]}, number, "a.csv")


class Locked:
    """Whose lock nobody can know."""

    def __init__(self):
        self.lock = threading.Lock()

    def build(self, a):
        return hidden() * a


def hidden():
    return float(os.environ["HIDDEN"])


def beside(held):
    return partial(lambda held, a: hidden() * a, held)


UNKNOWN = {
    "lock": lambda: Locked().build,
    "generator": lambda: beside(hidden() for _ in range(9)),
    "TextIOWrapper": lambda: beside(sys.__stdout__),
    "RLock": lambda: beside({"one": [threading.RLock()]}),
    "memoryview": lambda: beside(memoryview(b"ab")),
}


@pytest.mark.parametrize("holder", UNKNOWN)
def test_what_cannot_be_known_is_measured_anew_and_said(tmp_path, monkeypatch, holder):
    out = tmp_path / "a.csv"
    said = rf"a\.csv': every point is measured, as it is not known what build holds: .*{holder}"
    monkeypatch.setenv("HIDDEN", "1")
    with pytest.warns(UserWarning, match=said):
        killed_at_the_end(out, monkeypatch, lambda out: dy.sweep(UNKNOWN[holder](), {"a": [1, 2]}, number, out))
    for value in (2, 3):
        monkeypatch.setenv("HIDDEN", str(value))
        with pytest.warns(UserWarning, match=said):
            table = dy.sweep(UNKNOWN[holder](), {"a": [1, 2]}, number, out)
        assert table["number"].tolist() == [value, 2 * value]
    assert holder in str(_csv.read(out, "a table")[1]["unknown"])
    text = out.read_bytes()
    with pytest.raises(ValueError, match="entry 'build' differs"):
        dy.sweep(lambda a: a, {"a": [1, 2]}, number, out)
    with pytest.raises(ValueError, match="entry 'grid' differs"):  # it is kept from another study, as any is
        dy.sweep(UNKNOWN[holder](), {"a": [1, 3]}, number, out)
    assert out.read_bytes() == text


def test_a_warning_that_is_an_error_comes_before_any_point(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="build holds"):
            dy.sweep(Locked().build, {"a": [1]}, never, tmp_path / "a.csv")
    assert list(tmp_path.iterdir()) == []


WORDS = ["=1+1", "+a", "-1", "@b", "'c", "''d", "e", "＝f", "-", "g=1"]


def test_words_that_a_spreadsheet_would_run_stay_text_and_are_read_back_as_they_were(tmp_path):
    def build(word, number):
        if number < 0:
            raise ValueError(f"=HYPERLINK({word})")
        return number

    grid, out = {"word": WORDS, "number": [-1.5, 2]}, tmp_path / "a.csv"
    table = dy.sweep(build, grid, {"-x": lambda made: -made}, out)
    assert table["word"].tolist() == [word for word in WORDS for _ in range(2)]
    same(dy.sweep(build, grid, {"-x": lambda made: -made}, out), table)
    with out.open(encoding="utf-8-sig", newline="") as file:
        head, *rows = csv.reader(file)
    assert head == ["word", "number", "'-x", "error", "made_by"]
    for row, word in zip(rows[1::2], WORDS, strict=True):
        assert row[:4] == [word if word in ("e", "g=1") else f"'{word}", "2.0", "-2.0", ""]
    assert rows[0][:4] == ["'=1+1", "-1.5", "", "'=HYPERLINK(=1+1)"]
    cells, _ = _csv.read(out, "a table")
    assert (cells["word"][::2], cells["error"][0]) == (WORDS, "=HYPERLINK(=1+1)")


def test_a_file_without_such_words_is_what_it_was(tmp_path):
    """So that tables of before are read, an apostrophe in them included, and their hashes stay."""
    _csv.write(tmp_path / "a.csv", {"a": [-1, "b"]}, {})
    text = (tmp_path / "a.csv").read_text(encoding="utf-8")
    assert "apostrophes" not in text
    assert text.splitlines()[1].startswith("-1,")


def test_what_cannot_be_sent_is_an_error_of_one_line():
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        with pytest.raises(
            ValueError, match=r"build, measure: expected functions that the executor can send \("
        ) as caught:
            dy.sweep(lambda a: a, {"a": range(2000)}, third, executor=pool)
        assert pool.submit(third, (3, 1)).result() == 2
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        (lambda made: "word", "measure: expected a number, or column -> number, got 'word'"),
        (lambda made: [1.0], r"expected a number, or column -> number, got \[1.0\]"),
        (lambda made: None, "got None"),
        (lambda made: {}, r"expected names beside \['a', 'b', 'error'\], got \[\]"),
        (lambda made: {"b": 1.0}, r"expected names beside \['a', 'b', 'error'\], got \['b'\]"),
        (lambda made: {f"x{made[0]}": 1.0}, r"expected \['x\d'\] at every point, got \['x\d'\] at \d"),
    ],
)
def test_what_is_no_measurement_is_a_bug_that_comes_through(measure, message):
    with pytest.raises(TypeError, match=message):
        dy.sweep(pair, GIVEN, measure)
