"""The figures: their numbers, what they show, the files they leave, and their command line."""

import csv
import inspect
import json
import re
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import figures
from figures import gallery, golden, style
from figures.__main__ import main
from figures.table import Table, write_csv
from tests.quick_tables import table

DPI = 60  # where tests draw


@pytest.fixture(autouse=True)
def quickly_drawn(monkeypatch):
    monkeypatch.setitem(style.RC, "savefig.dpi", DPI)


@pytest.mark.parametrize("name", figures.FIGURES)
def test_the_numbers_are_those_on_record(name):
    record = figures.read(golden.EXPECTED / f"{name}.csv")
    verdicts = golden.compare(name, table(name), record)
    assert [verdict.column for verdict in verdicts] == list(table(name))
    assert all(verdict.agrees for verdict in verdicts), "\n".join(map(str, verdicts))


@pytest.mark.parametrize("name", figures.FIGURES)
def test_a_figure_is_a_picture_and_a_table_that_say_what_made_them(name, tmp_path, capsys, known_tables):
    assert main([name, "--quick", "--out", str(tmp_path / "new" / "folder"), "--format", "png"]) == 0
    png, text = (tmp_path / "new" / "folder" / f"{name}.{suffix}" for suffix in ("png", "csv"))
    assert capsys.readouterr().out.split()[:2] == [str(png), str(text)]
    with Image.open(png) as picture:
        made_by = json.loads(picture.text["Description"])
        assert picture.size == tuple(int(DPI * inches) for inches in figures.module(name).SIZE)
    assert made_by["figure"] == name
    assert made_by["quick"] is True
    assert {"parameters", "equations", "versions"} <= set(made_by)
    (*names, last), first, *rows = csv.reader(text.read_text(encoding="utf-8-sig").splitlines())
    said = json.loads(first[-1])
    assert (last, said.pop("format")) == ("made_by", 1)
    assert said.pop("types") == {key: column.dtype.kind for key, column in table(name).items()}
    assert len(said.pop("hash")) == 16
    assert said == made_by
    assert list(made_by["columns"]) == list(table(name))
    assert names == list(table(name))
    assert len(rows) + 1 == len(table(name)[names[0]])
    assert not any(row[-1] for row in rows)


def test_a_page_says_what_made_it_too(tmp_path, capsys, known_tables):
    assert main(["crosscheck", "--quick", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / f"crosscheck.{end}") for end in ("png", "pdf", "csv")]
    page, made_by = (tmp_path / "crosscheck.pdf").read_bytes(), figures.read(tmp_path / "crosscheck.csv").made_by
    assert page.startswith(b"%PDF")
    assert made_by["equations"].encode() in page.replace(b"\0", b"")


def test_drawing_twice_writes_the_same_bytes(tmp_path, known_tables):
    for folder in ("first", "second"):
        assert main(["crosscheck", "--quick", "--out", str(tmp_path / folder)]) == 0
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


def test_a_folder_that_cannot_be_written_to_is_refused_before_any_work(tmp_path, monkeypatch, capsys):
    def refuse(**_):
        raise PermissionError  # a mode would not do: root, as whom tests may run, may write anywhere

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    monkeypatch.setattr("importlib.import_module", None)
    assert main(["--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"--out={str(tmp_path)!r}: expected a folder to write to")


@pytest.mark.parametrize(("failure", "status"), [(KeyboardInterrupt("stopped"), 130), (RuntimeError("no room"), 2)])
def test_what_stops_in_the_middle_leaves_no_file(failure, status, tmp_path, monkeypatch, capsys, known_tables):
    def stop(path, *_):
        path.write_text("half", encoding="utf-8")
        raise failure

    monkeypatch.setattr("figures.output.write_csv", stop)
    assert main(["areas", "--quick", "--out", str(tmp_path)]) == status
    assert capsys.readouterr().err == ("interrupted\n" if status == 130 else "no room\n")
    assert list(tmp_path.iterdir()) == []


def test_an_older_figure_survives_one_that_fails(tmp_path, monkeypatch, known_tables):
    (tmp_path / "areas.png").write_text("older", encoding="utf-8")
    monkeypatch.setattr("figures.output.write_csv", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["areas", "--quick", "--out", str(tmp_path)])
    assert [path.read_text(encoding="utf-8") for path in tmp_path.iterdir()] == ["older"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "NAME='nothing': expected one of areas, attention, phases, balance"),
        (["areas", "nothing", "--check"], "NAME='nothing': expected one of areas"),
        (["nothing", "--list"], "NAME='nothing': expected one of areas"),
        (["--out"], "--out: expected one argument"),
        (["--fast"], "--fast"),
        (["--format", "png,jpg"], "--format='png,jpg': expected some of png, pdf, svg"),
        (["areas", "--out", __file__], "--out='.*test_figures.py': expected a folder"),
        (["areas", "--out", f"{__file__}/out"], "--out='.*test_figures.py/out': expected a folder"),
    ],
)
def test_a_bad_command_is_one_line_before_any_work(arguments, message, capsys, monkeypatch):
    monkeypatch.setattr("importlib.import_module", None)
    try:
        status = main(arguments)
    except SystemExit as stopped:
        status = stopped.code
    said = capsys.readouterr()
    assert status == 2
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert re.search(message, said.err)


def test_an_unknown_figure_is_refused_by_name():
    with pytest.raises(ValueError, match="figure='nothing': expected one of areas, attention, phases, balance"):
        figures.data("nothing")


def test_debug_shows_the_trace():
    with pytest.raises(ValueError, match="NAME='nothing'"):
        main(["nothing", "--debug"])


@pytest.mark.parametrize("option", ["--list", "--help"])
def test_help_and_list_load_nothing_heavy(option):
    program = f"""
import sys
from figures.__main__ import main
try:
    main(["{option}"])
except SystemExit:
    pass
sys.exit(bool({{"numpy", "matplotlib", "scipy", "sympy", "numba"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in (figures.FIGURES if option == "--list" else ["examples:", "--quick"]))


def test_a_check_passes_and_says_what_moved(tmp_path, monkeypatch, capsys, known_tables):
    assert main(["areas", "crosscheck", "--check"]) == 0
    assert "differs" not in capsys.readouterr().out
    record = figures.read(golden.EXPECTED / "areas.csv")
    before = record["value"][7]
    record["value"][7] += 1e-5
    write_csv(tmp_path / "areas.csv", record)
    monkeypatch.setattr(golden, "EXPECTED", tmp_path)
    assert main(["areas", "--check"]) == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "differs" in line]
    assert line.split()[1] == "value"
    assert re.search(rf"differs: row 7 \(.+\), {before + 1e-5} on record, now {before}$", line)


def test_a_record_compares_every_column_row_and_missing_number():
    def agree(**record):
        return [verdict.agrees for verdict in golden.compare("areas", columns, Table(record))]

    columns = Table({"a": np.array([1.0, np.nan]), "b": np.array(["x", "y"])})
    same = {"a": np.array([1.0 + 1e-7, np.nan]), "b": np.array(["x", "y"])}
    assert agree(**same) == [True, True]
    assert agree(**same | {"a": np.array([1.0, 2.0])}) == [False, True]
    assert agree(**same | {"a": np.array([1.0, np.nan, 3.0])}) == [False, True]
    assert agree(**same | {"a": np.array([1, 2])}) == [False, True]
    assert agree(**same | {"b": np.array(["x", "z"])}) == [True, False]
    assert agree(**same | {"c": np.array([])}) == [True, True, False]


def test_a_column_may_have_a_tolerance_of_its_own(monkeypatch):
    monkeypatch.setattr(figures.module("areas"), "TOLERANCES", {"a": 1e-3}, raising=False)
    now, then = (Table({name: np.array([value]) for name in "ab"}) for value in (1.0, 1.0005))
    assert [verdict.agrees for verdict in golden.compare("areas", now, then)] == [True, False]


def test_a_new_record_agrees_with_itself(tmp_path, monkeypatch, known_tables):
    monkeypatch.setattr(golden, "EXPECTED", tmp_path)
    assert golden.record("picture") == tmp_path / "picture.csv"
    assert all(verdict.agrees for verdict in golden.check("picture"))


def test_a_table_is_read_back_number_for_number(tmp_path):
    columns = {"i": np.array([1, -(2**40)]), "f": np.array([1 / 3, np.nan]), "x": np.array([-np.inf, 1e300])}
    columns |= {"b": np.array([True, False]), "U": np.array(["Δ, “κ”", ""])}
    write_csv(tmp_path / "table.csv", Table(columns, {"figure": "none", "parameters": {"a": [1.5]}}))
    found = figures.read(tmp_path / "table.csv")
    assert found.made_by == {"figure": "none", "parameters": {"a": [1.5]}}
    for name, column in columns.items():
        assert found[name].dtype.kind == column.dtype.kind
        assert np.array_equal(found[name], column, equal_nan=name == "f"), name


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", "a,made_by\n1,{\n", "a,made_by\n1,{}\n2,,3\n", "a,made_by\n1,{}\n", "\0"]
)
def test_a_file_that_is_no_table_is_refused(text, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"path='.*table.csv': expected a table as python -m figures wrote it"):
        figures.read(path)


def test_a_second_run_takes_the_numbers_that_lie_there_unless_something_changed(tmp_path, monkeypatch, known_tables):
    calls = []
    monkeypatch.setattr(figures.module("crosscheck"), "data", lambda p: calls.append(p) or table("crosscheck"))
    run = partial(main, ["crosscheck", "--quick", "--out", str(tmp_path), "--format", "svg"])
    assert run() == run() == 0
    assert len(calls) == 1
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(first) == ["crosscheck.csv", "crosscheck.svg"]
    (tmp_path / "crosscheck.svg").unlink()
    assert run() == 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first
    assert len(calls) == 1
    monkeypatch.setattr(figures.module("crosscheck"), "QUICK", figures.module("crosscheck").QUICK | {"seed": 7})
    assert run() == 0
    assert len(calls) == 2
    monkeypatch.setattr(figures.output, "_code", lambda: "other code")
    assert run() == 0
    assert len(calls) == 3
    (tmp_path / "crosscheck.csv").write_text("damaged", encoding="utf-8")
    assert run() == 0
    assert len(calls) == 4


def test_numbers_and_ink_are_apart():
    shown = figures.draw(table("crosscheck"))
    assert shown.get_size_inches().tolist() == list(figures.module("crosscheck").SIZE)
    other = figures.data("crosscheck", quick=True, steps=20, every=10)
    assert other["step"].max() == 20
    assert other.made_by["parameters"]["steps"] == 20
    assert figures.draw(other).axes
    with pytest.raises(ValueError, match=r"step=20: crosscheck has the parameters labels, latent, "):
        figures.data("crosscheck", step=20)
    with pytest.raises(ValueError, match="figure='': expected one of areas"):
        figures.draw(Table({}, {}))


def test_the_gallery_shows_every_figure_as_it_is_drawn_now():
    page = (gallery.GALLERY / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)", page, re.MULTILINE) == list(figures.FIGURES)
    for name in figures.FIGURES:
        with Image.open(gallery.GALLERY / f"{name}.png") as picture:
            made_by = json.loads(picture.text["Description"])
        assert made_by["parameters"] == json.loads(json.dumps(figures.parameters(name)._asdict())), name
        assert f"]({name}.png)" in page
        assert inspect.getdoc(figures.module(name)) in page
    assert len(list(gallery.GALLERY.iterdir())) == len(figures.FIGURES) + 1


def test_the_gallery_is_drawn_and_its_cost_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "FIGURES", {"areas": "the data model"})
    monkeypatch.setattr(gallery, "GALLERY", tmp_path / "gallery")
    monkeypatch.setattr(gallery, "COSTS", tmp_path / "costs.json")
    monkeypatch.setattr(gallery, "SIZES", {"quick": ["--quick"]})
    assert [path.name for path in gallery.make(tmp_path)] == ["areas.png", "README.md"]
    cost = gallery.costs(["areas"])["areas"]["quick"]
    assert 0.5 < cost["seconds"] < 600
    assert 50 < cost["megabytes"] < 10_000


@pytest.mark.parametrize("keep", [5, 12, 20, 40])
def test_a_table_that_was_cut_or_changed_is_computed_anew(keep, tmp_path, known_tables):
    assert main(["crosscheck", "--quick", "--out", str(tmp_path), "--format", "png"]) == 0
    path = tmp_path / "crosscheck.csv"
    whole = path.read_text(encoding="utf-8")
    lines = whole.splitlines(keepends=True)
    changed = whole.replace(lines[-1], lines[-1].replace(lines[-1].split(",")[-2], "5.0"))
    for text in ("".join(lines[:keep]), whole[:-3], changed):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match="whole"):
            figures.read(path)
        assert main(["crosscheck", "--quick", "--out", str(tmp_path), "--format", "png"]) == 0
        assert path.read_text(encoding="utf-8") == whole


def test_small_numbers_are_checked_relative_to_themselves():
    now, then = (Table({"value": np.array([value])}) for value in (1e-9, 1.1e-9))
    assert not golden.compare("loss", now, then)[0].agrees
    assert not golden.compare("areas", Table({"a": np.array([2e-5])}), Table({"a": np.array([2.1e-5])}))[0].agrees


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("areas", {"local_areas": 20}, "areas cannot be had with local_areas=20: local_areas=20: expected so few"),
        ("areas", {"target_area": 99}, "target_area=99: expected one of the areas 0 to 5 with a masked patch"),
        ("phases", {"mask_ratio": "half"}, "mask_ratio='half': expected a finite number"),
        ("phases", {"geometries": 3}, r"geometries=3: expected the like of \(\(88"),
        ("claims", {"kappas": 1}, r"claims cannot be had with kappas=1: kappas=1: expected so many"),
        ("gap-of-pictures", {"image": Path("x.png")}, "image=PosixPath.* expected the like of ''"),
    ],
)
def test_parameters_that_do_not_serve_are_refused_by_name(name, changes, message):
    with pytest.raises(ValueError, match=message):
        figures.data(name, quick=True, **changes)


def test_numbers_that_cannot_be_drawn_say_which_parameters_they_come_from():
    with pytest.raises(ValueError, match=r"crosscheck cannot be had with labels=\(\(\(0, 0, 1\),\),\)"):
        figures.draw(figures.data("crosscheck", quick=True, labels=(((0, 0, 1),),), steps=10))
