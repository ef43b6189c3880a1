"""The figures: their numbers, what they show, the files they leave, and their command line."""

import csv
import json
import math
import re
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dynamics as dy
import figures
from figures import closures, exact_196, golden, late_exact, picture
from figures.__main__ import main
from figures.table import distinct, select

DATA = {name: figures.module(name).data for name in figures.FIGURES}


@cache
def table(name):
    """The quick table of a figure, computed once for all tests."""
    return DATA[name](quick=True)


@pytest.fixture
def known_tables(monkeypatch):
    """Figures that take their numbers from the tables above."""
    for name in figures.FIGURES:
        monkeypatch.setattr(figures.module(name), "data", lambda quick, name=name: table(name))


@pytest.mark.parametrize("name", figures.FIGURES)
def test_the_numbers_are_those_on_record(name):
    record = json.loads((golden.EXPECTED / f"{name}.json").read_text(encoding="utf-8"))
    verdicts = golden.compare(name, table(name), record)
    assert [verdict.column for verdict in verdicts] == list(table(name))
    assert all(verdict.agrees for verdict in verdicts), "\n".join(map(str, verdicts))


def test_transformers_lie_on_the_exact_curves():
    points = select(table("phases"), source="transformer")
    for gap in distinct(points["gap"]):
        for name in distinct(points["coordinate"]):
            trained = select(points, gap=gap, coordinate=name)
            exact = select(table("phases"), gap=gap, coordinate=name, source="exact reduction")
            off = np.abs(trained["value"] - np.interp(trained["t"], exact["t"], exact["value"]))
            assert (off <= trained["spread"] + 0.002 * np.abs(exact["value"]).max()).all(), (gap, name)


def test_the_global_area_lets_go_first_where_the_information_gap_is_positive():
    ends = select(table("phases"), source="end of phase I")
    halves = select(table("phases"), source="half-time")
    positive = ends["gap"] > 0
    assert positive.tolist() == [True, False]
    assert 0.3 * halves["t"][0] < ends["t"][0] < 0.5 * halves["t"][0]  # to a third, for P → ∞
    assert ends["t"][1] == 0


def test_descent_of_reduction_and_transformer_differ_by_rounding():
    shown = table("crosscheck")
    assert distinct(shown["clusters"]) == [1, 2]
    assert shown["largest"].max() > 1
    assert shown["difference"].max() < 1e-12
    assert shown["difference"].max() > 0


def test_areas_of_the_photograph_lock_on_when_predicted():
    times = select(table("picture"), quantity="half-time")
    area = select(table("picture"), quantity="area")["value"].astype(int)
    predicted, measured = (select(times, source=source)["value"] for source in ("mean-field", "transformer"))
    assert np.isfinite(measured).all()
    assert np.abs(measured / predicted - 1).max() < 0.06
    mean = [[values[area == m].mean() for m in range(area.max() + 1)] for values in (predicted, measured)]
    assert np.array_equal(np.argsort(mean[0]), np.argsort(mean[1]))


def test_trained_queries_look_where_predicted():
    attention = select(table("picture"), quantity="attention")
    area = select(table("picture"), quantity="area")["value"]
    for query in distinct(attention["query"]):
        predicted, trained = (
            select(attention, query=query, source=source)["value"] for source in ("mean-field", "transformer")
        )
        assert np.abs(np.log(trained / predicted)).max() < 0.15
        patches = len(predicted)
        target = (area == area[query]) & (np.arange(patches) != query)
        unmasked = (patches - round(patches / 2)) / (patches - 1)
        assert abs(unmasked * predicted[target].sum() / patches - 0.5) < 0.01  # at its half-time


def test_transformers_of_196_patches_are_where_the_exact_reduction_is_and_the_mean_field_one_is_not():
    shown = table("exact-196")
    exact, mean_field = (exact_196.scores(shown, closure) for closure in ("exact", "mean-field"))
    assert len(exact["z"]) > 100
    assert np.sqrt(np.mean(exact["z"] ** 2)) < 1.5
    assert np.abs(exact["z"]).max() < 4
    for quantity in distinct(exact["quantity"]):
        assert np.abs(select(mean_field, quantity=quantity)["z"]).max() > 20, quantity


def test_half_times_at_196_patches():
    shown = table("exact-196")

    def moment(quantity, source):
        return select(shown, quantity=quantity, source=source)["value"][0]

    assert moment("half-time of the flow", "exact") == pytest.approx(119.87, abs=0.01)
    assert moment("half-time of the flow", "mean-field") == pytest.approx(116.97, abs=0.01)
    assert 0.25 < moment("end of phase I of the flow", "exact") / 119.87 < 0.3
    assert abs(moment("half-time", "transformer") / moment("half-time", "exact") - 1) < 0.002
    assert moment("half-time", "transformer") / moment("half-time", "mean-field") - 1 > 0.02


def test_attention_missed_late_is_that_of_the_law_in_mean_field_alone():
    for closure, low, high in (("mean-field", 0.84, 0.89), ("exact", 0.3, 0.5)):  # (C − 1)/C = .857
        attention = select(table("exact-196"), quantity="attention.target", source=closure)
        t, value = attention["t"][-1], attention["value"][-1]
        assert low < t * (1 - value) ** 2 < high  # 2γ = 1


def late(areas, source):
    return select(table("late-exact"), areas=areas, source=source)


def test_late_limits_are_squared_max_margin_norms():
    for areas in distinct(table("late-exact")["areas"]):
        limit, chosen, least = (late(areas, s) for s in (late_exact.LIMIT, late_exact.CHOSEN, late_exact.LEAST))
        off = abs(limit["value"] - chosen["value"])
        assert off < 3 * limit["error"] + 1e-5, areas
        assert off < 3e-3, areas
        assert least["value"] <= chosen["value"] + 1e-9
        if areas in ("40 + 4×6", "24 + 2×12"):  # not the least of all: the flow ends in another
            assert chosen["value"] - least["value"] > 10 * off


def test_before_that_the_mean_field_law_holds_where_the_target_is_seldom_wholly_masked():
    for areas, size in (("24 + 2×12", 12), ("12 + 2×8", 8)):
        value = late(areas, late_exact.EXACT)["value"]
        assert (size - 1) / size - 0.03 < value.min() < (size - 1) / size + 0.03
    assert late("12 + 2×8", late_exact.LIMIT)["value"] == pytest.approx(1, abs=3e-3)  # never: 7 of 8 are masked
    assert late("8 + 3×4", late_exact.EXACT)["value"].min() > 1.5  # often: no plateau


def test_the_excess_of_the_loss_is_the_loss_above_its_floor():
    setting = dy.Setting(dy.Geometry.single_cluster(8, 4, 3))
    system = dy.reduce(setting, "local")
    t = np.geomspace(100, 1e12, 200)
    flow = dy.integrate(system, t_end=t[-1], t_eval=t, rtol=1e-10, atol=1e-12)
    alone = math.comb(16, 6) / math.comb(20, 10) / 2  # ½ P(all four masked)
    early = t < 1e6
    expected = 4 * t * (flow.loss - alone)
    assert late_exact._excess(system, flow)[early] == pytest.approx(expected[early], rel=2e-3)


def test_errors_of_closures_fall_with_the_size_of_areas_as_their_order_says():
    shown = table("closures")
    assert len(distinct(select(shown, part=closures.SIZES)["local_size"])) >= 6
    for closure, order in (("mean-field", -1), ("second-order", -2)):
        assert closures.fit(shown, closure)[0] == pytest.approx(order, abs=0.1), closure
    assert closures.fit(shown, "sampled")[0] == pytest.approx(-0.5, abs=0.2)  # noise: 1,000 samples


def test_near_lock_on_the_second_order_closure_is_worse_than_the_mean_field_one():
    for ratio, first, last in ((0.5, 1.0013, 1.093), (0.75, 1.0006, 545)):  # from T, for a tenth of T or for hundreds
        start, end = closures.crossings(table("closures"), ratio)[0]
        assert start == pytest.approx(first, abs=5e-4)
        assert end == pytest.approx(last, rel=0.002)
    flow = select(table("closures"), part=closures.FLOW)
    mean, second = (select(flow, closure=closure) for closure in ("mean-field", "second-order"))
    worse = second["error"] > mean["error"]
    assert (mean["error"] / second["error"])[mean["t"] < 0.5].min() > 50  # before, far better
    assert (second["error"] / mean["error"])[worse].max() > 3
    assert (
        min(mean["error"][mean["t"] > 3e3].min(), second["error"][mean["t"] > 3e3].min()) > 0.9
    )  # in the end, neither


def test_attention_patch_by_patch_sums_to_that_of_the_system_on_every_group():
    labels, query = [0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3], 5
    setting = dy.Setting(dy.Geometry.from_labels([labels]), latent=1.3, mask_ratio=0.4)
    system = dy.reduce(setting, query, "mean-field")
    y = np.random.default_rng(0).normal(size=len(system.names))
    state, area = system.expand(y), np.array(labels)
    each = picture._attention(state["fp"][0][area], state["pp"], query, setting) / area.size
    others, unmasked = np.arange(area.size) != query, (area.size - setting.masked) / (area.size - 1)
    sums = {m: unmasked * each[others & (area == m)].sum() for m in range(4)}
    found = {"target": sums[1], "global": sums[0], "other": sums[2] + sums[3], "self": each[query]}
    groups = system.attention(y)
    masked = groups.pop("masked")
    assert found == pytest.approx(groups, rel=0, abs=1e-12)
    assert sum(found.values()) + masked == pytest.approx(1, abs=1e-12)


def test_attention_patch_by_patch_is_refused_for_a_latent_of_several_values():
    setting = dy.Setting(dy.Geometry.from_labels([[0, 0, 1, 1]]), latent=([0.5, 1.5], [0.5, 0.5]), mask_ratio=0.5)
    with pytest.raises(TypeError):
        picture._attention(np.zeros(4), np.zeros(4), 0, setting)


@pytest.mark.parametrize("name", figures.FIGURES)
def test_a_figure_is_a_picture_a_page_and_a_table_that_say_what_made_them(name, tmp_path, capsys, known_tables):
    assert main([name, "--quick", "--out", str(tmp_path / "new" / "folder")]) == 0
    png, pdf, text = (tmp_path / "new" / "folder" / f"{name}.{suffix}" for suffix in ("png", "pdf", "csv"))
    assert capsys.readouterr().out.split() == [str(png), str(pdf), str(text)]
    with Image.open(png) as picture:
        made_by = json.loads(picture.text["Description"])
        assert picture.size == tuple(int(300 * inches) for inches in figures.module(name).SIZE)
    assert made_by["figure"] == name
    assert made_by["quick"] is True
    assert {"parameters", "equations", "versions"} <= set(made_by)
    assert pdf.read_bytes().startswith(b"%PDF")
    assert made_by["equations"].encode() in pdf.read_bytes().replace(b"\0", b"")
    lines = text.read_text(encoding="utf-8").splitlines()
    header = [line for line in lines if line.startswith("#")]
    assert {key: json.loads(value) for key, value in (line[2:].split(": ", 1) for line in header)} == made_by
    names, *rows = csv.reader(lines[len(header) :])
    assert names == list(table(name))
    assert len(rows) == len(table(name)[names[0]])


def test_the_picture_in_the_readme_is_the_figure_as_it_is_drawn_now():
    shown = figures.module("phases")
    with Image.open(Path(__file__).parent.parent / ".github" / "phases.png") as picture:
        made_by = json.loads(picture.text["Description"])
        assert picture.size == tuple(int(300 * inches) for inches in shown.SIZE)
    assert made_by["quick"] is False
    assert made_by["parameters"] == json.loads(json.dumps(shown.parameters(quick=False)._asdict()))


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
        path.write_text("half")
        raise failure

    monkeypatch.setattr("figures.output.write_csv", stop)
    assert main(["areas", "--quick", "--out", str(tmp_path)]) == status
    assert capsys.readouterr().err == ("interrupted\n" if status == 130 else "no room\n")
    assert list(tmp_path.iterdir()) == []


def test_an_older_figure_survives_one_that_fails(tmp_path, monkeypatch, known_tables):
    (tmp_path / "areas.png").write_text("older")
    monkeypatch.setattr("figures.output.write_csv", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["areas", "--quick", "--out", str(tmp_path)])
    assert [path.read_text() for path in tmp_path.iterdir()] == ["older"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "NAME='nothing': expected one of areas, phases, crosscheck, picture"),
        (["areas", "nothing", "--check"], "NAME='nothing': expected one of areas"),
        (["nothing", "--list"], "NAME='nothing': expected one of areas"),
        (["--out"], "--out: expected one argument"),
        (["--fast"], "--fast"),
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
    with pytest.raises(ValueError, match="figure='nothing': expected one of areas, phases, crosscheck, picture"):
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
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in (figures.FIGURES if option == "--list" else ["examples:", "--quick"]))


def test_a_check_passes_and_notices_a_changed_number(tmp_path, monkeypatch, capsys, known_tables):
    assert main(["areas", "crosscheck", "--check"]) == 0
    assert "differs" not in capsys.readouterr().out
    record = json.loads((golden.EXPECTED / "areas.json").read_text(encoding="utf-8"))
    record["value"][7] += 1e-5
    (tmp_path / "areas.json").write_text(json.dumps(record))
    monkeypatch.setattr(golden, "EXPECTED", tmp_path)
    assert main(["areas", "--check"]) == 1
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines() if "differs" in line] == ["value"]


def test_a_record_compares_every_column_row_and_missing_number():
    columns = {"a": np.array([1.0, np.nan]), "b": np.array(["x", "y"])}
    assert all(v.agrees for v in golden.compare("f", columns, {"a": [1.0, None], "b": ["x", "y"]}))
    assert not golden.compare("f", columns, {"a": [1.0, 2.0], "b": ["x", "y"]})[0].agrees
    assert not golden.compare("f", columns, {"a": [1.0, None, 3.0], "b": ["x", "y"]})[0].agrees
    assert not golden.compare("f", columns, {"a": [1.0, None], "b": ["x", "z"]})[1].agrees
    assert not golden.compare("f", columns, {"a": [1.0, None], "b": ["x", "y"], "c": []})[2].agrees


def test_a_new_record_agrees_with_itself(tmp_path, monkeypatch, known_tables):
    monkeypatch.setattr(golden, "EXPECTED", tmp_path)
    assert golden.record("picture") == tmp_path / "picture.json"
    assert all(verdict.agrees for verdict in golden.check("picture"))
