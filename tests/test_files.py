"""Files: whole or not at all, whatever happens; damaged, foreign and later ones are refused in one line."""

import copy
import csv
import itertools
import json
import os
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dynamics as dy
from derivations import _csv
from derivations._shell import accept_output, user_path, write_beside
from dynamics.__main__ import main
from dynamics.files import columns
from dynamics.trajectory import _kept
from tests.killing import build, square
from tests.settings import TWO, WIDE

ROOT = Path(__file__).parent.parent
SUFFIXES = ".npz", ".csv"


def one_of_each_kind():
    system, far = dy.reduce(WIDE, "local", "mean-field"), dy.Setting(dy.Geometry.scaling(400, 0.98, 0.3))
    training = dy.FiniteTransformer(TWO, seed=3).train(0.5, 6, every=4, samples=20)
    return {
        "flow": dy.integrate(system, until=("target", 0.3)),
        "descent": dy.descend(system, 0.5, 20, every=3),
        "training": training.of(3),
        "beyond floats": dy.integrate(dy.reduce(far, "local", "mean-field"), until=("target", 0.5)),
    }


CURVES = one_of_each_kind()


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("kind", CURVES)
def test_every_number_comes_back_to_the_bit(kind, suffix, tmp_path):
    curve = CURVES[kind]
    again = dy.load(curve.save(tmp_path / f"curve{suffix}"))
    assert (again.kind, again.names, again.targets) == (curve.kind, curve.names, curve.targets)
    assert again.provenance == json.loads(json.dumps(curve.provenance))
    assert np.array_equal(again.multiplicity, curve.multiplicity)
    assert columns(again).keys() == columns(curve).keys()
    assert all(np.array_equal(columns(again)[name], column) for name, column in columns(curve).items())
    for ours, theirs in zip(curve.phases, again.phases, strict=True):
        assert (ours.name, ours.log_start, ours.log_end) == (theirs.name, theirs.log_start, theirs.log_end)
        assert np.array_equal(ours.state, theirs.state)


@pytest.mark.parametrize("kind", CURVES)
def test_pandas_opens_the_csv_as_it_is(kind, tmp_path):
    curve = CURVES[kind]
    read = pd.read_csv(curve.save(tmp_path / "curve.csv"))
    assert list(read) == [*columns(curve), "made_by"]
    for name, column in columns(curve).items():  # pandas before 3 reads numbers to the last digit but one
        assert read[name].dtype == float
        np.testing.assert_allclose(read[name], column, rtol=1e-15)
    assert json.loads(read["made_by"][0])["provenance"]["kind"] == curve.kind
    assert read["made_by"][1:].isna().all()


def test_words_that_are_not_ascii_are_marked_for_spreadsheets(tmp_path):
    _csv.write(tmp_path / "a.csv", {"word": ["Φ, “κ”"], "number": [0.1]}, {})
    assert (tmp_path / "a.csv").read_bytes().startswith(b"\xef\xbb\xbfword,number,made_by\n")
    assert pd.read_csv(tmp_path / "a.csv")["word"].tolist() == ["Φ, “κ”"]
    assert _csv.read(tmp_path / "a.csv", "a table")[0] == {"word": ["Φ, “κ”"], "number": ["0.1"]}


def test_an_npz_holds_no_pickle(tmp_path):
    with np.load(CURVES["flow"].save(tmp_path / "flow.npz"), allow_pickle=False) as file:
        assert all(file[name].dtype != object for name in file.files)


@pytest.mark.parametrize("kind", CURVES)
def test_a_frame_and_a_dataset_hold_the_same_numbers(kind):
    curve = CURVES[kind]
    frame, dataset = curve.to_dataframe(), curve.to_xarray()
    assert frame.index.name == "t"
    assert frame.attrs["provenance"] == curve.provenance
    for i, name in enumerate(curve.names):
        assert np.array_equal(frame[name], curve.y[i])
        assert np.array_equal(dataset.y.sel(coordinate=name), curve.y[i])
    assert np.array_equal(dataset.attention.sel(group="target"), curve.attention["target"])
    assert np.array_equal(dataset.log_t, curve.log_t)
    assert ("spread" in dataset) == (curve.spread is not None) == (f"spread.{curve.names[0]}" in frame)
    assert json.loads(dataset.attrs["provenance"])["kind"] == curve.kind


@pytest.mark.parametrize("kind", CURVES)
def test_what_made_a_frame_is_a_copy_that_makes_the_curve_again(kind):
    curve = CURVES[kind]
    before, frame = copy.deepcopy(curve.provenance), curve.to_dataframe()
    again = dy.rerun(frame.attrs["provenance"])
    assert np.array_equal(again.y, curve.y)
    assert json.loads(json.dumps(frame.attrs["provenance"])) == json.loads(json.dumps(curve.provenance))
    made = frame.attrs["provenance"]
    made["query"] = made["versions"]["numpy"] = "edited"
    made["start"] = made.get("powers") or {}
    made["start"].clear()
    with pytest.raises(TypeError):
        made["latent"][0][0] = 3.0
    assert curve.provenance == before
    assert made["latent"] == before["latent"] != [[3.0], [1.0]]


def test_what_made_a_frame_costs_pandas_nothing():
    made = _kept({"labels": [[*range(100_000)]], "start": {"state": [1.0] * 100_000}})
    copied = copy.deepcopy(made)
    assert copied["labels"] is made["labels"]
    assert copied["start"] is not made["start"]
    assert copied["start"]["state"] is made["start"]["state"]
    assert pickle.loads(pickle.dumps(made)) == made


def arrays_of(made):
    """Arrays and dicts that somebody can reach from an object, and edit."""
    found, ahead, seen = [], [made], set()
    while ahead:
        one = ahead.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, (np.ndarray, dict, list)):
            found.append(one)
        held = vars(one).values() if type(one).__module__.startswith("dynamics") and hasattr(one, "__dict__") else ()
        held = one.values() if isinstance(one, dict) else one if isinstance(one, (list, tuple)) else held
        ahead += [one for one in held if not isinstance(one, (str, int, float))]
    return found


def test_no_edit_of_one_object_reaches_another():
    big = dy.reduce(dy.Setting(dy.Geometry.scaling(30, 0.98, 0.3)), "local", "mean-field")
    times, training = np.linspace(0.5, 5, 4), dy.FiniteTransformer(TWO).train(0.5, 4)
    first, second = (dy.integrate(big, until=("target", 0.5)) for _ in range(2))
    steps = dy.descend(big, 1.0, 3)
    curve = dy.integrate(dy.reduce(TWO, 2), t_end=5.0, t_eval=times)
    onwards = dy.integrate(dy.reduce(TWO, 2), t_end=9.0, start=curve)
    dataset = {name: one.values for name, one in curve.to_xarray().variables.items()}
    pairs = [(big, first), (first, second), (steps, first), (times, curve), (curve, onwards), (curve, dataset)]
    pairs += [(training, training.of(0)), (training.of(0), training.of(1))]
    pairs += [(dy.rerun(first), first), (dy.rerun(first), big)]
    for one, other in pairs:
        for ours, theirs in itertools.product(arrays_of(one), arrays_of(other)):
            assert ours is not theirs
            both = isinstance(ours, np.ndarray) and isinstance(theirs, np.ndarray)
            assert not (both and np.shares_memory(ours, theirs))


@pytest.mark.parametrize(("library", "method"), [("pandas", "to_dataframe"), ("xarray", "to_xarray")])
def test_without_the_library_the_error_says_how_to_get_it(library, method, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ModuleNotFoundError, match=rf"{library} is not installed: pip install .*\[{library}\]"):
        getattr(CURVES["flow"], method)()


def refused(path, said):
    with pytest.raises(ValueError, match=said) as caught:
        dy.load(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(st.data())
def test_a_file_that_lost_or_changed_anything_is_refused(suffix, data):
    """A byte changed, a part lost or put twice: an error of one line, or the very numbers that were written."""
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"attention-dynamics-{os.getpid()}{suffix}"
    try:
        whole = CURVES["training"].save(path).read_bytes()
        first = data.draw(st.integers(0, len(whole) - 1))
        last = data.draw(st.integers(first, len(whole)))
        middle = data.draw(st.sampled_from([b"", b"\0", b"7", b"\n", b",", b"\xff", whole[first:last] * 2]))
        path.write_bytes(whole[:first] + middle + whole[last:])
        found, said = None, f"{path}"
        try:
            found = columns(dy.load(path))
        except ValueError as error:
            said = str(error)
        assert str(path) in said
        assert "\n" not in said
        if found:
            assert all(np.array_equal(found[name], one) for name, one in columns(CURVES["training"]).items())
    finally:
        path.unlink()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_foreign_files_folders_and_missing_ones_are_refused(suffix, tmp_path):
    path = tmp_path / f"x{suffix}"
    with pytest.raises(FileNotFoundError, match=r"expected a file written by Trajectory\.save: No such file"):
        dy.load(path)
    for content in (b"", b"\0\0", b"a,b\n1,2\n", "κ".encode("utf-16"), b"PK\x03\x04", b"made_by\n{}\n"):
        path.write_bytes(content)
        refused(path, r"expected a file written by Trajectory\.save")
    path.unlink()
    path.mkdir()
    refused(path, r"expected a file written by Trajectory\.save$")
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    refused(tmp_path / "other.npz", "expected a file written by Trajectory")
    np.savez(tmp_path / "pickled.npz", header=np.array([{}], dtype=object))
    refused(tmp_path / "pickled.npz", "expected a file written by Trajectory")
    table = tmp_path / "table.csv"
    dy.sweep(lambda a: a, {"a": [1, 2]}, lambda a: a, table)
    refused(table, "expected a file written by Trajectory")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_of_a_later_version_is_named_as_such(suffix, tmp_path, monkeypatch):
    for module in ("dynamics.files", "derivations._csv"):
        monkeypatch.setattr(f"{module}.FORMAT", 2)
    path = CURVES["flow"].save(tmp_path / f"flow{suffix}")
    monkeypatch.undo()
    refused(path, r"written by a later version of attention-dynamics \(format 2; this one reads 1\)")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_npz_with_arrays_that_do_not_fit_is_refused(suffix, tmp_path):
    path = CURVES["flow"].save(tmp_path / "flow.npz")
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    for wrong in (
        {"t": arrays["t"][:-1]},
        {"y": arrays["y"][1:]},
        {"loss": arrays["loss"][None]},
        {"extra": np.ones(1)},
    ):
        np.savez(path, **arrays | wrong)
        refused(path, "expected a file written by Trajectory")


FULL = """
import resource, sys
import numpy as np
import dynamics as dy
from tests.killing import curve, build, square
kind, path = sys.argv[1:]
small = curve(50).save(path) if kind == "save" else None
before = open(path, "rb").read() if small else None
if "tmpfs" not in path:
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    if kind == "save":
        curve(200_000).save(path)
    else:
        dy.sweep(build, {"a": range(2000), "b": [0.5]}, square, path)
except OSError as error:
    print(type(error).__name__, error)
else:
    sys.exit("no error")
if small:
    assert open(path, "rb").read() == before
"""


@pytest.fixture
def full_disk(request, tmp_path):
    """A folder that holds 64 kB; or one where a file may have no more than 20 kB."""
    if request.param == "limit":
        yield tmp_path
        return
    folder = tmp_path / "tmpfs"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("only who may mount has a file system of this size")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("full_disk", ["limit", "tmpfs"], indirect=True)
@pytest.mark.parametrize("kind", ["save", "sweep"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_on_a_full_disk_nothing_is_lost(kind, suffix, full_disk):
    if (kind, suffix) == ("sweep", ".npz"):
        suffix = ".csv"
    path = full_disk / f"x{suffix}"
    done = subprocess.run(
        [sys.executable, "-c", FULL, kind, str(path)], cwd=ROOT, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert str(path) in line
    assert line.startswith("OSError path=" if kind == "save" else "OSError out=")
    if kind == "save":
        assert sorted(each.name for each in full_disk.iterdir()) == [path.name]
        return
    rows = sum(
        1 for row in (full_disk / "x.csv.part").read_text(encoding="utf-8").splitlines() if not row.startswith("#")
    )
    assert rows > 100  # what was measured is there, and is taken up where there is room again
    shutil.move(full_disk / "x.csv.part", full_disk.parent / "y.csv.part")
    table = dy.sweep(build, {"a": range(2000), "b": [0.5]}, square, full_disk.parent / "y.csv")
    assert table["square"].tolist() == [(a * 0.5) ** 2 / 3 for a in range(2000)]


@pytest.mark.parametrize("work", ["save", "sweep"])
def test_fifty_kills_leave_whole_files_and_lose_nothing(work, tmp_path):
    command = [sys.executable, "-m", "tests.killing", work, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("50 kills") == {"save": 2, "sweep": 1}[work]


SECOND = """
import sys
import dynamics as dy
from tests.killing import build, square
try:
    dy.sweep(build, {"a": [1], "b": [2]}, square, sys.argv[1])
except ValueError as error:
    print(error)
"""


def test_a_second_process_at_the_same_sweep_is_turned_away(tmp_path):
    said, command = [], [sys.executable, "-c", SECOND, str(tmp_path / "a.csv")]

    def other(a):
        said.append(subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True).stdout)
        return a

    assert dy.sweep(lambda a: a, {"a": [1]}, other, tmp_path / "a.csv")["other"].tolist() == [1]
    assert "a.csv.part': expected a sweep that no other process is at" in said[0]


ORPHANS = """
import multiprocessing, os, signal, sys, threading, time
from concurrent.futures import ProcessPoolExecutor
import dynamics as dy
from tests.killing import build, square

def slow(value):
    time.sleep(0.2)
    return square(value)

if __name__ == "__main__":
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
        threading.Timer(1.5, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
        dy.sweep(build, {"a": range(100), "b": [1]}, slow, sys.argv[1], pool)
"""


def test_workers_that_outlive_a_killed_sweep_do_not_keep_it_from_going_on(tmp_path):
    (tmp_path / "job.py").write_text(ORPHANS, encoding="utf-8")
    command = [sys.executable, str(tmp_path / "job.py"), str(tmp_path / "a.csv")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    processes = []
    try:
        for _ in range(2):
            started = subprocess.Popen(
                command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
            )
            processes.append(started)
            assert started.wait(timeout=60) == -9
    finally:
        for started in processes:
            with suppress(ProcessLookupError):  # the workers end by themselves, a second later
                os.killpg(started.pid, 9)
    rows = [row for row in (tmp_path / "a.csv.part").read_text(encoding="utf-8").splitlines() if row[0] != "#"]
    assert len(rows) > 4


def test_what_cannot_be_written_says_so_and_an_older_file_stays(tmp_path):
    path = CURVES["flow"].save(tmp_path / "flow.npz")
    text = path.read_bytes()
    with pytest.raises(ZeroDivisionError), write_beside(path) as partial:
        partial.write_text(f"half{1 / 0}", encoding="utf-8")
    assert (path.read_bytes(), [each.name for each in tmp_path.iterdir()]) == (text, ["flow.npz"])
    with pytest.raises(
        FileExistsError, match=r"path='/dev/null/x.npz': expected a file that can be written: its folder"
    ):
        CURVES["flow"].save("/dev/null/x.npz")


# --- what lies where a file is written ---

CURVE = CURVES["flow"]
GRID = {"a": [1, 2], "b": [1]}
WAYS = {
    "save": lambda path: CURVE.save(path),
    "sweep": lambda path: dy.sweep(build, GRID, square, path),
    "command": lambda path: main(["sweep", *LOCAL.split(), "--over", "latent=1,2", "--out", str(path)]),
}
LOCAL = "--global-size 4 --local-size 2 --local-areas 2 --query local --measure loss_floor"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["link", "relative", "of a link", "dangling", "into no folder yet", "of a folder"])
def test_a_link_stays_and_the_file_that_it_leads_to_is_written(kind, way, tmp_path):
    real, link = tmp_path / "far" / "real.csv", tmp_path / "a.csv"
    if kind != "into no folder yet":
        real.parent.mkdir()
    if kind != "dangling":
        links = {"relative": ["far/real.csv"], "of a link": [tmp_path / "b.csv", real]}.get(kind, [real])
    else:
        links = [real]
    if kind == "of a folder":
        (tmp_path / "folder").symlink_to("far")
        link, links = tmp_path / "folder" / "real.csv", []
    for at, to in zip([link, tmp_path / "b.csv"], links, strict=False):
        at.symlink_to(to)
    WAYS[way](link)
    whole = real.read_bytes()
    if way == "save":
        WAYS[way](link)
    assert not real.is_symlink()
    assert real.read_bytes() == whole
    assert link.is_symlink() == (kind != "of a folder")
    assert {each.name for each in tmp_path.rglob("*.csv")} <= {"a.csv", "b.csv", "real.csv"}
    assert not [*tmp_path.rglob("*.part")]


def test_links_in_a_circle_and_links_to_devices_are_refused(tmp_path):
    (tmp_path / "a.csv").symlink_to("b.csv")
    (tmp_path / "b.csv").symlink_to("a.csv")
    (tmp_path / "null.csv").symlink_to(os.devnull)
    for name, said in (("a.csv", "Too many levels of symbolic links"), ("null.csv", "it leads to a device or a pipe")):
        with pytest.raises(OSError, match=rf"path='.*{name}': expected a file that can be written: {said}"):
            CURVE.save(tmp_path / name)
        with pytest.raises(ValueError, match=rf"out='.*{name}': expected a file that can be written: {said}"):
            accept_output("out", tmp_path / name, SUFFIXES)
    assert not Path(os.devnull).is_file()


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o444, 0o755])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_keeps_its_mode_when_it_is_written_anew(mode, suffix, tmp_path):
    path = CURVE.save(tmp_path / f"a{suffix}")
    path.chmod(mode)
    (tmp_path / f"link{suffix}").symlink_to(path)
    for name in ("a", "link"):
        CURVE.save(tmp_path / f"{name}{suffix}")
        assert path.stat().st_mode & 0o777 == mode


def test_what_is_private_is_so_while_it_is_written(tmp_path):
    path = CURVE.save(tmp_path / "a.csv")
    path.chmod(0o600)
    with write_beside(path) as partial:
        assert partial.stat().st_mode & 0o777 == 0o600


def test_a_file_keeps_its_owner_where_one_may_give_it_away(tmp_path):
    path = CURVE.save(tmp_path / "a.csv")
    try:
        os.chown(path, 12345, 23456)
    except PermissionError:
        pytest.skip("only root gives files away")
    path.chmod(0o640)
    CURVE.save(path)
    assert (path.stat().st_uid, path.stat().st_gid, path.stat().st_mode & 0o777) == (12345, 23456, 0o640)


def test_what_a_group_may_do_is_not_handed_on_to_another(tmp_path, monkeypatch):
    path = CURVE.save(tmp_path / "a.csv")
    try:
        os.chown(path, -1, 23456)
    except PermissionError:
        pytest.skip("only root has any group")
    path.chmod(0o664)

    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(os, "chown", refuse)
    CURVE.save(path)
    assert path.stat().st_gid != 23456
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_new_file_has_the_mode_that_the_umask_leaves_and_threads_leave_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        with ThreadPoolExecutor(8) as pool:
            paths = [*pool.map(lambda i: CURVE.save(tmp_path / f"{i}.csv"), range(64))]
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o640}


@pytest.mark.parametrize(
    "name", ["Φ" * 100, "平均" * 40, "a" * 240, "a b", "-1e0", "a:b,c=d", "[x]", "~x", "ü\N{COMBINING DIAERESIS}"]
)
def test_a_file_may_have_any_name(name, tmp_path):
    path = CURVE.save(tmp_path / f"{name}.csv")
    assert np.array_equal(dy.load(path).y, CURVE.y)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_the_home_folder_is_found_in_every_path(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert CURVE.save("~/a.npz") == tmp_path / "a.npz"
    assert CURVE.save(Path("~/new/a.csv")) == tmp_path / "new" / "a.csv"
    assert np.array_equal(dy.load("~/a.npz").y, dy.load(Path("~/new/a.csv")).y)
    dy.sweep(build, GRID, square, "~/s.csv")
    (tmp_path / "labels.txt").write_text("0 0 1 1", encoding="utf-8")
    (tmp_path / "job.toml").write_text("labels = '~/labels.txt'\nout = '~/b.npz'", encoding="utf-8")
    flags = ["--query=0", "--t-end=1", "--closure=mean-field"]
    assert main(["integrate", "--config=~/job.toml", "--plot=~/b.pdf", *flags]) == 0
    assert (
        main(["integrate", "--labels=~/labels.txt", "--start=~/b.npz", "--out=~/c.csv", *flags[::2], "--t-end=2"]) == 0
    )
    assert main(["sweep", "--over=labels=~/labels.txt", *flags[::2], "--measure=loss_floor", "--out=~/d.csv"]) == 0
    assert main(["compare", "~/b.npz", "~/b.npz", "--out=~/e.csv"]) == 0
    assert main(["info", "~/c.csv"]) == 0
    names = {"a.npz", "new", "s.csv", "labels.txt", "job.toml", "b.npz", "b.pdf", "c.csv", "d.csv", "e.csv"}
    assert {each.name for each in tmp_path.iterdir() if each.name[0] != "."} == names


def test_a_name_that_begins_with_a_tilde_is_a_name_where_there_is_no_such_user(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("~nobody of this name.csv", "~\0x", "a/~/b", "./~"):
        assert user_path(name) == Path(name)
    assert CURVE.save("~no such user.csv").exists()


# --- the state of the process, and texts from elsewhere ---


def test_the_size_of_cells_that_others_read_is_left_as_it_was(tmp_path):
    path, broken = CURVE.save(tmp_path / "a.csv"), tmp_path / "b.csv"
    broken.write_bytes(path.read_bytes()[:-9])

    def read(i):
        if i % 3:
            return np.array_equal(dy.load(path).y, CURVE.y)
        with pytest.raises(ValueError, match="whole and unchanged"):
            dy.load(broken)
        return True

    before = csv.field_size_limit(500)  # shorter than what is said of a curve
    try:
        assert len(json.dumps(CURVE.provenance)) > 500
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(read, range(200)))
        assert csv.field_size_limit() == 500
    finally:
        csv.field_size_limit(before)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_csv_that_was_written_in_another_encoding_is_the_same(encoding, end, tmp_path):
    path = CURVE.save(tmp_path / "a.csv")
    path.write_bytes(path.read_text(encoding="utf-8").replace("\n", end).encode(encoding))
    assert np.array_equal(dy.load(path).y, CURVE.y)


ASCII = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
SAVES = "import dynamics as dy; dy.load('flow.csv').save('Φ/flow.npz'); print(dy.load('Φ/flow.npz').kind)"
COMMANDS = [
    ["-m", "derivations", "show", "fp-rate-target"],
    ["-m", "dynamics", "--help"],
    ["-m", "dynamics", "info", "flow.csv", "--rerun"],
    ["-m", "dynamics", "integrate", "--config", "κ.toml", "--plot", "Φ/flow.png"],
    ["-m", "dynamics", "sweep", *LOCAL.split(), "--over", "latent=1,2", "--out", "Φ/κ.csv"],
    ["-m", "dynamics", "sweep", *LOCAL.split(), "--over", "latent=1,2", "--workers", "2"],
    ["-m", "figures", "--list"],
    ["saves.py"],
]


@pytest.mark.parametrize("environment", [ASCII, {"PYTHONSAFEPATH": "1"}], ids=["ASCII", "safe path"])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command)[:40])
def test_every_command_works_in_any_environment(command, environment, tmp_path):
    CURVE.save(tmp_path / "flow.csv")
    user_path(tmp_path / "Φ.txt").write_text("0 0 1 1", encoding="utf-8")
    (tmp_path / "saves.py").write_text(SAVES, encoding="utf-8")
    job = "labels = 'Φ.txt' # κ\nquery = 0\nt_end = 1.0\nclosure = 'mean-field'\nout = 'Φ/flow.csv'\n"
    user_path(tmp_path / "κ.toml").write_text(job, encoding="utf-8")
    said = {"cwd": tmp_path, "env": os.environ | environment, "capture_output": True, "encoding": "utf-8"}
    done = subprocess.run([sys.executable, *map(user_path, command)], **said)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    made = "Φ/flow.npz" if command == ["saves.py"] else command[-1]
    assert user_path(tmp_path / made).exists() or not made.startswith("Φ")


def test_a_curve_made_again_from_what_its_file_says_is_the_same_to_the_bit(tmp_path):
    system, begun = dy.reduce(TWO, 3, "sampled", samples=40, seed=2), dy.reduce(WIDE, "local", "mean-field")
    more = {
        "times": dy.integrate(system, t_end=4.0, t_eval=[1.0, 2.5, 4.0]),
        "state": dy.integrate(begun, t_end=9.0, start=np.full(7, 0.1), method="LSODA", variable="log-time"),
        "onwards": dy.integrate(begun, until=("target", 0.4), start=CURVES["flow"]),
        "steps": dy.descend(begun, 0.5, 9, start=CURVES["descent"]),
    }
    for kind, curve in {**CURVES, **more}.items():
        for suffix in SUFFIXES:
            loaded = dy.load(curve.save(tmp_path / f"curve{suffix}"))
            again = dy.rerun(loaded)
            assert all(np.array_equal(columns(again)[name], one) for name, one in columns(curve).items()), kind
            assert json.loads(json.dumps(again.provenance)) == loaded.provenance


def test_what_is_not_on_record_cannot_be_made_again():
    model = dy.FiniteTransformer(TWO)
    begun = model.train(0.5, 2, start=np.eye(model.dimension)).of(3)
    with pytest.raises(ValueError, match="start='a Q': expected Q = 0"):
        dy.rerun(begun)
    for made_by in ({}, CURVES["flow"].provenance | {"latent": 3}, 5):
        with pytest.raises(ValueError, match="made_by"):
            dy.rerun(made_by)
