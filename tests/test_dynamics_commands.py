"""The command line ``python -m dynamics``: the API's arguments by the same names, and the API's numbers."""

import contextlib
import importlib
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import stats

import dynamics as dy
from derivations import _csv
from derivations._shell import user_path
from dynamics import commands
from dynamics.__main__ import COMMANDS, _own, main
from dynamics.commands import _name
from dynamics.files import columns
from dynamics.options import HELP, value_of
from tests.said import said
from tests.settings import TWO, WIDE

ROOT = Path(__file__).parent.parent
AREAS = ("--global-size", "40", "--local-size", "6", "--local-areas", "4")
LOCAL = (*AREAS, "--query", "local", "--closure", "mean-field")
LABELS = json.dumps(TWO.geometry.area_of.tolist())
LATENT = json.dumps([*TWO.latent])
OF_TWO = (
    "--labels",
    LABELS,
    "--latent",
    LATENT,
    "--mask-ratio",
    "0.45",
    "--cluster-weights",
    "0.3,0.7",
    "--query",
    "3",
)
SYSTEM = dy.reduce(WIDE, "local", "mean-field")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def ran(capsys, *arguments):
    """Exit status and the lines on standard output; nothing goes to the other."""
    try:
        status = main([str(one) for one in arguments])
    except SystemExit as stop:
        status = stop.code
    printed = capsys.readouterr()
    assert said(printed.err) == ""
    return status, printed.out.splitlines()


def same(path, curve):
    found = dy.load(path)
    assert columns(found).keys() == columns(curve).keys()
    assert all(np.array_equal(columns(found)[name], one) for name, one in columns(curve).items())
    return found


# --- options ---

# What no flag gives: the objects between the stages, scripts' own functions, and bars, which a command shows.
NOT_OPTIONS = {"setting", "geometry", "system", "self", "progress", "first", "second"}
STAGES = {
    "integrate": [dy.Geometry.single_cluster, dy.Geometry.scaling, dy.Setting, dy.reduce, dy.integrate],
    "phases": [
        dy.Geometry.from_labels,
        dy.Geometry.from_maps,
        dy.Geometry.from_image,
        dy.Setting,
        dy.reduce,
        dy.integrate,
    ],
    "descend": [dy.Setting, dy.reduce, dy.descend],
    "train": [dy.Setting, dy.FiniteTransformer, dy.FiniteTransformer.train],
    "compare": [dy.Setting, dy.reduce, dy.descend, dy.FiniteTransformer, dy.FiniteTransformer.train, dy.compare],
    "sweep": [dy.Setting, dy.reduce],
}
# A training goes on from a Training, which is in no file.
LEFT_OUT = {("train", "start"), ("compare", "start")}


@pytest.mark.parametrize("command", STAGES)
def test_every_argument_of_the_api_has_an_option_of_its_name(command):
    for function in STAGES[command]:
        for parameter in inspect.signature(function).parameters:
            if parameter not in NOT_OPTIONS and (command, parameter) not in LEFT_OUT:
                assert _name(function, parameter) in _own(COMMANDS[command]), (function, parameter)


def test_every_option_is_some_argument_of_the_api():
    known = {"workers", "measure"}
    for function in {one for stages in STAGES.values() for one in stages}:
        known |= {_name(function, parameter) for parameter in inspect.signature(function).parameters}
    assert set(HELP) <= known


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("none", None),
        ("False", False),
        ("local", "local"),
        ("target,0.5", ["target", 0.5]),
        ("[[1,2],[0.5,0.5]]", [[1, 2], [0.5, 0.5]]),
        ("0:1:3", [0.0, 0.5, 1.0]),
        ("1:100:3:log", pytest.approx([1, 10, 100])),
        ("beta(2, 3)", "beta(2, 3)"),
        ("4:8:3", [4, 6, 8]),
        ("-1:1:3", [-1, 0, 1]),
        ("-1e0:-.5:2", [-1.0, -0.5]),
        ("-1,2e-1,-inf", [-1, 0.2, -float("inf")]),
        ("uniform:0.5:1.5", "uniform:0.5:1.5"),
        ("2026-01-01T10:20:30", "2026-01-01T10:20:30"),
        ("a:b:3", "a:b:3"),
        ("beta(2, 3),uniform(loc=0.5, scale=1)", ["beta(2, 3)", "uniform(loc=0.5, scale=1)"]),
        ("rv_histogram(([1,2],[0,1,2])),1", ["rv_histogram(([1,2],[0,1,2]))", 1]),
        ("uniform:0.5:1.5,uniform:0:1", ["uniform:0.5:1.5", "uniform:0:1"]),
        ("0.5:2:many", "0.5:2:many"),
    ],
)
def test_a_text_means_what_a_person_means(text, value):
    assert value_of(text) == value
    assert repr(value_of(text)) == repr(value) or not isinstance(value, list)


# --- texts that are parsed ---

LINE = ("integrate", "--query", "4", "--closure", "mean-field", "--t-end", "1", "--out", "a.npz")
EIGHT = dy.Setting(dy.Geometry.from_labels([[0, 0, 0, 0, 1, 1, 2, 2]]))
PATHS = [
    "a=b.txt",
    "0:1:3",
    "1e3",
    "-1e0",
    "[[0,1]]",
    "none",
    "Φ 平均.txt",
    "a;b, c",
    "0.5:2:4:log",
    "latent=1,2",
    "~x",
]


@pytest.mark.parametrize("name", PATHS)
def test_labels_are_a_file_of_any_name(capsys, name):
    user_path(name).write_text("0 0 0 0 1 1 2 2\n", encoding="utf-8")
    flow = dy.integrate(dy.reduce(EIGHT, 4, "mean-field"), t_end=1)
    assert ran(capsys, *LINE, f"--labels={name}")[0] == 0
    same("a.npz", flow)
    Path("job.toml").write_text(f"labels = {json.dumps(name)}\n", encoding="utf-8")
    assert ran(capsys, *LINE, "--config", "job.toml")[0] == 0
    same("a.npz", flow)
    over = ("--query", "4", "--closure", "mean-field", "--measure", "loss_floor", f"--over=labels={name}")
    _, lines = ran(capsys, "sweep", *over)
    assert (lines[0], lines[-1]) == ("labels loss_floor error", "1 points")
    assert lines[1].startswith(f"{name} {EIGHT.loss_floor}")


@pytest.mark.parametrize("name", PATHS)
def test_pictures_and_curves_are_files_of_any_name(capsys, name):
    pixels = np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(user_path(name), "png")
    areas = ("--grid", "2,2", "--areas", "2", "--query", "1")
    assert ran(capsys, "descend", f"--image={name}", *areas, *STEPS, "--out", "a.csv")[0] == 0
    same("a.csv", dy.descend(dy.reduce(dy.Setting(dy.Geometry.from_image(pixels, (2, 2), 2)), 1), 0.5, 4))
    begun = dy.integrate(SYSTEM, t_end=1).save(f"{name}.npz")
    assert ran(capsys, "integrate", *LOCAL, f"--start={begun}", "--t-end", "2", "--out", f"{name}.csv")[0] == 0
    same(f"{name}.csv", dy.integrate(SYSTEM, t_end=2, start=dy.load(begun)))


def test_a_path_with_commas_is_one_of_several_in_json(capsys):
    for name in ("a,b.txt", "c=d.txt"):
        user_path(name).write_text("0 0 0 0 1 1 2 2\n", encoding="utf-8")
    over = ("--query", "4", "--closure", "mean-field", "--measure", "loss_floor")
    for names, points in (('["a,b.txt", "c=d.txt"]', 2), ("c=d.txt,c=d.txt,c=d.txt", 3)):
        _, lines = ran(capsys, "sweep", *over, "--over", f"labels={names}")
        assert lines[-1] == f"{points} points"


@pytest.mark.parametrize("labels", ["0,0,0,0,1,1,2,2", "[0,0,0,0,1,1,2,2]", "[[0,0,0,0,1,1,2,2]]"])
def test_labels_are_numbers_where_there_is_no_such_file(capsys, labels):
    assert ran(capsys, *LINE, "--labels", labels)[0] == 0
    same("a.npz", dy.integrate(dy.reduce(EIGHT, 4, "mean-field"), t_end=1))


@pytest.mark.parametrize("number", ["-1e0", "-1E-3", "-.5", "-1.5e+0", "-0"])
def test_a_negative_number_may_have_an_exponent(capsys, number):
    assert ran(capsys, "integrate", *LOCAL, "--log-t-end", number, "--out", "a.npz")[0] == 0
    same("a.npz", dy.integrate(SYSTEM, log_t_end=float(number)))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("dynamics", "integrate", *LOCAL, "--t-end", "-inf"), "t_end=-inf: expected a time after 0"),
        (("dynamics", "integrate", *LOCAL, "--t-end", "9", "--t-eval", "-1:1:3"), r"t_eval=\[-1, 0, 1\]: expected"),
        (("dynamics", "sweep", *LOCAL, "--over", "mask_ratio=-1,2"), "mask_ratio=-1.*: expected a number in"),
        (("derivations", "show", "-1e0"), "NAME='-1e0': expected a result"),
        (("figures", "-1e0"), "NAME='-1e0': expected one of areas"),
        (("figures", "--format", "-1e0"), "--format='-1e0': expected some of png"),
        (("dynamics", "integrate", "--labels", "-a.txt"), "--labels: expected one argument; .* is given as --labels=-"),
    ],
)
def test_what_begins_as_a_negative_number_does_is_a_value(arguments, said, capsys):
    command, *words = arguments
    with contextlib.suppress(SystemExit):
        assert importlib.import_module(f"{command}.__main__").main(words) == 2
    error = capsys.readouterr().err
    assert re.search(said, error), error
    assert len(error.splitlines()) == 1


TABLES = [
    ("latent = {start = 0.5, stop = 2, n = 4}", "latent", [0.5, 1.0, 1.5, 2.0]),
    ("latent = {start = 0.5, stop = 2, n = 3, log = true}", "latent", [0.5, 1.0, 2.0]),
    ("latent = '0.5:2:4'", "latent", [0.5, 1.0, 1.5, 2.0]),
    ("latent = [0.5, '1', 2]", "latent", [0.5, 1.0, 2.0]),
    ("mask-ratio = 0.25", "mask_ratio", [0.25]),
    ("local-size = {start = 4, stop = 8, n = 3}", "local_size", [4, 6, 8]),
    ("closure = ['mean-field', 'second-order']", "closure", ["mean-field", "second-order"]),
    ("closure = 'mean-field'", "closure", ["mean-field"]),
]
JOB = "global_size = 40\nlocal_size = 6\nlocal_areas = 4\nquery = 'local'\nclosure = 'mean-field'\n"


@pytest.mark.parametrize(("line", "name", "values"), TABLES, ids=[line for line, *_ in TABLES])
def test_a_table_over_means_what_the_flags_mean(capsys, line, name, values):
    Path("job.toml").write_text(f"{JOB}[over]\n{line}\n", encoding="utf-8")
    assert ran(capsys, "sweep", "--config", "job.toml", "--out", "a.csv")[0] == 0
    read = pd.read_csv("a.csv")
    assert read[name].tolist() == pytest.approx(values) if name != "closure" else read[name].tolist() == values
    assert read["error"].isna().all()


@pytest.mark.parametrize("name", ["labels.csv", "job.toml"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_files_may_begin_with_a_byte_order_mark(capsys, name, encoding):
    texts = {"labels.csv": "0;0;0;0;1;1;2;2\r\n", "job.toml": "labels = 'labels.csv' # Φ\r\nquery = 4\r\n"}
    for each, text in texts.items():
        mark = "\ufeff" if encoding[-2:] in ("le", "be") else ""
        Path(each).write_bytes((mark + text).encode(encoding) if each == name else text.encode())
    assert ran(capsys, *LINE, "--config", "job.toml")[0] == 0
    same("a.npz", dy.integrate(dy.reduce(EIGHT, 4, "mean-field"), t_end=1))


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_help_shows_an_example_that_runs(command, capsys):
    status, out = ran(capsys, *command, "--help")
    assert status == 0
    assert f"python -m dynamics {' '.join(command)}".strip() in "\n".join(out)
    assert any(line.startswith("example") for line in out)


def test_help_loads_no_numpy():
    program = "import sys; from dynamics.__main__ import _parser; _parser(); print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True, cwd=ROOT)
    assert done.stdout.strip() == "False"


def test_a_file_gives_the_options_and_flags_win(capsys):
    Path("job.toml").write_text(
        'global-size = 40\nlocal_size = 6\nlocal_areas = 4\nquery = "local"\nclosure = "mean-field"\n'
        'until = ["target", 0.5]\nt_end = 3.0\nstep_size = 0.1\n[over]\nlatent = [1.0, 2.0]\n',
        encoding="utf-8",
    )
    assert ran(capsys, "integrate", "--config", "job.toml", "--out", "a.npz")[0] == 0
    same("a.npz", dy.integrate(SYSTEM, t_end=3.0, until=("target", 0.5)))
    ran(capsys, "integrate", "--config", "job.toml", "--log-t-end", "2", "--mask-ratio", "0.25", "--out", "a.npz")
    other = dy.reduce(dy.Setting(WIDE.geometry, mask_ratio=0.25), "local", "mean-field")
    same("a.npz", dy.integrate(other, log_t_end=2.0, until=("target", 0.5)))
    powers = ("--log10-patches", "30", "--kappa-c", "0.98", "--kappa-s", "0.3")
    ran(capsys, "integrate", "--config", "job.toml", *powers, "--out", "a.npz")
    large = dy.reduce(dy.Setting(dy.Geometry.scaling(30, 0.98, 0.3)), "local", "mean-field")
    same("a.npz", dy.integrate(large, t_end=3.0, until=("target", 0.5)))
    ran(capsys, "sweep", "--config", "job.toml", "--over", "mask_ratio=0.5", "--out", "a.csv")
    assert pd.read_csv("a.csv")[["latent", "mask_ratio"]].to_numpy().tolist() == [[1, 0.5], [2, 0.5]]


# --- commands ---


@pytest.mark.parametrize("suffix", [".npz", ".csv"])
def test_a_flow_is_that_of_the_api(capsys, suffix):
    out = f"flow{suffix}"
    status, lines = ran(capsys, "integrate", *LOCAL, "--until", "target,0.5", "--rtol", "1e-6", "--out", out)
    flow = dy.integrate(SYSTEM, until=("target", 0.5), rtol=1e-6)
    assert status == 0
    assert same(out, flow).provenance == json.loads(json.dumps(flow.provenance))
    assert lines == [*flow.sheet().text().splitlines(), out]


def test_a_flow_goes_on_from_a_file(capsys):
    ran(capsys, "integrate", *LOCAL, "--t-end", "5", "--out", "first.csv")
    ran(capsys, "integrate", *LOCAL, "--t-end", "9", "--start", "first.csv", "--t-eval", "6,9", "--out", "second.npz")
    begun = dy.integrate(SYSTEM, t_end=5)
    same("second.npz", dy.integrate(SYSTEM, t_end=9, t_eval=[6, 9], start=begun))


def test_descent_and_training_are_those_of_the_api_and_agree(capsys):
    steps = ("--step-size", "0.5", "--steps", "30", "--every", "5")
    assert ran(capsys, "descend", *OF_TWO, *steps, "--out", "steps.csv")[0] == 0
    assert ran(capsys, "train", *OF_TWO, *steps, "--seed", "4", "--out", "run.npz")[0] == 0
    same("steps.csv", dy.descend(dy.reduce(TWO, 3), 0.5, 30, every=5))
    training = dy.FiniteTransformer(TWO, seed=4).train(0.5, 30, every=5).of(3)
    same("run.npz", training)
    status, lines = ran(capsys, "compare", "steps.csv", "run.npz", "--out", "verdict.csv", "--plot", "both.svg")
    assert status == 0
    verdict = dy.compare(dy.load("steps.csv"), training)
    assert lines == [*str(verdict).splitlines(), "verdict.csv", "both.svg"]
    assert pd.read_csv("verdict.csv")["largest"].tolist() == [row.largest for row in verdict.rows]
    assert ran(capsys, "compare", *OF_TWO, *steps)[0] == 0
    assert ran(capsys, "compare", *OF_TWO, *steps, "--tolerance", "0")[0] == 1
    status, lines = ran(capsys, "compare", *OF_TWO, *steps, "--samples", "20")
    assert (status, lines[1].split()[-1]) == (0, "consistent")
    assert lines[-1] == "expected: 5 standard deviations of a training on 20 samples a step"
    assert ran(capsys, "compare", *OF_TWO, *steps, "--samples", "20", "--tolerance", "1e-12")[0] == 1


def test_the_status_of_a_comparison_is_0_where_curves_differ_by_no_more_than_was_to_be_expected(capsys):
    times = ("--t-end", "15", "--t-eval", "0.5:15:30")
    ran(capsys, "integrate", *OF_TWO, *times, "--out", "flow.npz")
    ran(capsys, "integrate", *OF_TWO, *times, "--closure", "mean-field", "--out", "mean.npz")
    ran(capsys, "descend", *OF_TWO, "--step-size", "0.5", "--steps", "30", "--out", "steps.csv")
    ran(capsys, "train", *OF_TWO, "--step-size", "0.5", "--steps", "30", "--samples", "9", "--out", "drawn.csv")
    found = {}
    for pair in (("flow.npz", "steps.csv"), ("drawn.csv", "flow.npz"), ("mean.npz", "steps.csv")):
        status, lines = ran(capsys, "compare", *pair)
        found[pair] = status, lines[1].split()[-1]
    assert [*found.values()] == [(0, "consistent"), (0, "consistent"), (1, "differs")]


def test_a_comparison_of_before_is_made_again_as_it_was(capsys):
    ran(capsys, "compare", *OF_TWO, *STEPS, "--samples", "20", "--out", "a.csv")
    assert ran(capsys, "info", "a.csv", "--rerun")[0] == 0
    held, made_by = _csv.read(Path("a.csv"), "a table")
    assert made_by.pop("expected").startswith("expected: 5 standard deviations")
    held |= {"tolerance": ["1e-12"] * 11, "agrees": ["False"] * 11}  # what a file without it was held against
    _csv.write(Path("a.csv"), held, {name: value for name, value in made_by.items() if name != "format"})
    status, lines = ran(capsys, "info", "a.csv", "--rerun")
    assert (status, lines[-1]) == (0, "made again: the same numbers, to the bit")


def test_samples_are_of_the_closure_where_nothing_else_has_any(capsys):
    ran(capsys, "descend", *OF_TWO, "--closure", "sampled", "--samples", "30", "--seed", "2", *STEPS, "--out", "a.npz")
    same("a.npz", dy.descend(dy.reduce(TWO, 3, "sampled", samples=30, seed=2), 0.5, 4))


STEPS = ("--step-size", "0.5", "--steps", "4")


@pytest.mark.parametrize(
    ("flags", "geometry"),
    [
        (("--labels", "areas.txt"), dy.Geometry.from_labels([[0, 0, 1, 1], [0, 1, 1, 2]])),
        (("--maps", "map.txt"), dy.Geometry.from_maps([[0, 0, 1], [0, 2, 1]])),
        (("--maps", "maps.txt"), dy.Geometry.from_maps([[[0, 0, 1], [0, 2, 1]], [[0, 1, 1], [0, 0, 1]]])),
        (("--maps", "maps.json"), dy.Geometry.from_maps([[[0, 0, 1], [0, 2, 1]], [[0, 1, 1], [0, 0, 1]]])),
        (("--maps", "[[0,0,1],[0,2,1]]"), dy.Geometry.from_maps([[0, 0, 1], [0, 2, 1]])),
        (("--labels", "square.txt", "--grid", "3,1"), dy.Geometry.from_labels([[0, 0, 1]] * 3, grid=(3, 1))),
        (("--image", "a.png", "--grid", "2,2", "--areas", "2", "--image-seed", "3"), None),
        (("--image", "--grid", "2,3", "--areas", "2"), dy.Geometry.from_image(grid=(2, 3), areas=2)),
    ],
)
def test_areas_come_from_files_and_pictures(capsys, flags, geometry):
    Path("areas.txt").write_text("0 0 1 1\n0, 1, 1, 2\n", encoding="utf-8")
    Path("map.txt").write_text("0 0 1\n0, 2, 1\n", encoding="utf-8")
    Path("maps.txt").write_text("\ufeff\n0 0 1\n0 2 1\n \n\n0 1 1\n0 0 1\n", encoding="utf-8")
    Path("maps.json").write_text(" [[[0,0,1],[0,2,1]], [[0,1,1],[0,0,1]]]\n", encoding="utf-8")
    Path("square.txt").write_text("0 0 1\n" * 3, encoding="utf-8")
    pixels = np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("a.png")
    geometry = geometry or dy.Geometry.from_image(pixels, (2, 2), 2, 3)
    assert ran(capsys, "descend", *flags, "--query", "1", *STEPS, "--out", "a.csv")[0] == 0
    same("a.csv", dy.descend(dy.reduce(dy.Setting(geometry), 1), 0.5, 4))


def test_a_latent_may_have_a_law_of_scipy(capsys):
    ran(capsys, "descend", *LOCAL, "--latent", "beta(2, 3, scale=1.5)", *STEPS, "--out", "a.npz")
    setting = dy.Setting(WIDE.geometry, latent=stats.beta(2, 3, scale=1.5))
    same("a.npz", dy.descend(dy.reduce(setting, "local", "mean-field"), 0.5, 4))


LAWS = {
    "uniform:0.5:1.5": dy.Law.uniform(0.5, 1.5),
    "uniform(loc=0.5, scale=1)": stats.uniform(0.5, 1),
    "beta(a=2, b=3)": stats.beta(2, 3),
    "triang(0.3, loc=1)": stats.triang(0.3, 1),
    "randint(1, 4)": stats.randint(1, 4),
    "loguniform(0.1, b=10)": stats.loguniform(0.1, 10),
}


@pytest.mark.parametrize("words", LAWS)
def test_a_law_in_words_is_that_of_scipy_and_is_said_first(words, capsys):
    law = dy.Law.of(LAWS[words])
    expected = dy.descend(dy.reduce(dy.Setting(WIDE.geometry, law), "local", "mean-field"), 0.5, 4)
    _, lines = ran(capsys, "descend", *LOCAL, "--latent", words, *STEPS, "--out", "a.npz")
    assert lines[0] == f"Descent of query 'local', mean-field, large-P, latent {law.told}, 5 times"
    same("a.npz", expected)
    assert f"latent {law.told}" in "\n".join(ran(capsys, "info", "a.npz")[1])
    assert (
        ran(capsys, "info", "a.npz", "--rerun", "--out", "b.csv")[1][-2] == "made again: the same numbers, to the bit"
    )
    assert dy.load("b.csv").provenance["law"] == f"latent {law.told}"
    Path("job.toml").write_text(f"latent = {words!r}\n", encoding="utf-8")
    ran(capsys, "descend", *LOCAL, "--config", "job.toml", *STEPS, "--out", "c.npz")
    same("c.npz", expected)


def test_every_command_says_its_law_first(capsys):
    law = "latent uniform on [0.5, 1.5], 16 nodes"
    asked = (*LOCAL, "--latent", "uniform:0.5:1.5")
    assert f", {law}, " in ran(capsys, "integrate", *asked, "--t-end", "2")[1][0]
    assert ran(capsys, "phases", *asked, "--t-end", "2")[1][0] == law
    small = ("--labels", "[[0,0,1]]", "--query", "0", "--latent", "[[0.5,1.5],[0.5,0.5]]", *STEPS)
    assert ", latent 0.5 or 1.5, weights 0.5 and 0.5, " in ran(capsys, "train", *small)[1][0]
    over = ("--over", "mask_ratio=0.25,0.5", "--measure", "information_gap")
    for more in ((), ("--out", "a.csv")):
        assert ran(capsys, "sweep", *asked, *over, *more)[1][0] == law
    said = "\n".join(ran(capsys, "info", "a.csv")[1])
    assert law in said
    assert "study.base.latent              uniform:0.5:1.5" in said
    assert "the same numbers" in ran(capsys, "info", "a.csv", "--rerun")[1][-1]


def test_a_sweep_goes_over_laws_in_words(capsys):
    over = "latent=uniform:0.5:1.5,uniform:0.9:1.1"
    ran(capsys, "sweep", *LOCAL, "--over", over, "--measure", "half_time", "--out", "a.csv")
    read = pd.read_csv("a.csv")
    assert read["latent"].tolist() == ["uniform:0.5:1.5", "uniform:0.9:1.1"]
    laws = dy.Law.uniform(0.5, 1.5), dy.Law.uniform(0.9, 1.1)
    systems = [dy.reduce(dy.Setting(WIDE.geometry, law), "local", "mean-field") for law in laws]
    assert read["half_time"].tolist() == pytest.approx([dy.half_time(system) for system in systems], rel=1e-8)
    Path("job.toml").write_text('[over]\nlatent = ["beta(a=2, b=3)", "0.5"]\n', encoding="utf-8")
    ran(capsys, "sweep", *LOCAL, "--config", "job.toml", "--measure", "half_time", "--out", "b.csv")
    assert pd.read_csv("b.csv")["error"].isna().all()


def test_a_sweep_is_that_of_the_api(capsys, monkeypatch):
    over = ("--over", "latent=0.5,1,2", "--over", "mask_ratio=0.25:0.75:3")
    status, lines = ran(
        capsys, "sweep", *LOCAL, *over, "--measure", "half_time,plateau", "--out", "a.csv", "--plot", "a.png"
    )
    assert (status, lines) == (0, ["9 points", "a.csv", "a.png"])

    def build(latent, mask_ratio):
        return dy.reduce(dy.Setting(WIDE.geometry, latent=latent, mask_ratio=mask_ratio), "local", "mean-field")

    grid = {"latent": [0.5, 1.0, 2.0], "mask_ratio": [0.25, 0.5, 0.75]}
    table = dy.sweep(build, grid, {"half_time": dy.half_time, "plateau": dy.plateau})
    read = pd.read_csv("a.csv")
    for name in ("latent", "mask_ratio", "half_time", "plateau"):
        np.testing.assert_allclose(read[name], table[name], rtol=1e-15)
    monkeypatch.setattr("dynamics.study.measured_rows", None)  # it is read back
    assert ran(capsys, "sweep", *LOCAL, *over, "--measure", "half_time,plateau", "--out", "a.csv")[0] == 0


def test_a_sweep_goes_over_processes_and_geometries_and_says_what_failed(capsys):
    sweep = ("sweep", "--global-size", "4", "--query", "local", "--local-areas", "2", "--over", "local_size=0,2,3")
    status, lines = ran(capsys, *sweep, "--workers", "2", "--out", "a.csv")
    assert (status, lines[0]) == (0, "3 points, 1 of them failed: see the column error")
    read = pd.read_csv("a.csv")
    assert read["error"].fillna("").tolist() == ["local_size=0: expected a whole number in [1, 10000000]", "", ""]
    system = dy.reduce(dy.Setting(dy.Geometry.single_cluster(4, 3, 2)), "local")
    assert read["log_half_time"].tolist()[2] == pytest.approx(dy.log_half_time(system), rel=1e-14)
    status, lines = ran(capsys, *sweep)
    assert [line.split()[0] for line in lines] == ["local_size", "0", "2", "3", "3"]
    assert float(lines[2].split()[1]) == read["log_half_time"].tolist()[1]


def drawn(path, top):
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:top] = 250
    pixels[top:, :32, 0] = 200
    Image.fromarray(pixels).save(path)


NAMING = {
    "a picture": (("--image", "a.png", "--grid", "8,8"), ("areas=2,3",)),
    "pictures": (("--grid", "8,8", "--areas", "3"), ("image=a.png,b.png",)),
    "labels": ((), ("labels=a.txt,b.txt",)),
    "a path from home": (("--image", "~/a.png", "--grid", "8,8"), ("areas=2,3",)),
}


@pytest.mark.parametrize("naming", NAMING)
def test_a_sweep_is_known_by_what_the_files_hold_that_it_names(capsys, monkeypatch, tmp_path, naming):
    monkeypatch.setenv("HOME", str(tmp_path))
    given, over = NAMING[naming]
    if "~" in str(given):
        monkeypatch.setattr("dynamics.commands.geometry_of", lambda given: WIDE.geometry)  # whoever reads the picture
    command = ("sweep", *given, "--query", "0", "--closure", "mean-field", "--over", *over, "--out", "table.csv")
    for name in "ab":
        drawn(f"{name}.png", 32)
        Path(f"{name}.txt").write_text("0 0 0 1 1 2", encoding="utf-8")
    assert ran(capsys, *command)[0] == 0
    assert ran(capsys, *command)[0] == 0
    assert ran(capsys, "info", "table.csv", "--rerun")[0] == 0
    text = Path("table.csv").read_bytes()
    drawn("a.png", 8)
    Path("a.txt").write_text("0 0 1 1 2 2", encoding="utf-8")
    told = {command: "its entry 'files.", ("info", "table.csv", "--rerun"): "it is another file here"}
    for again, said_of in told.items():
        assert main([*again]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert said_of in line
        assert "a.png" in line or "a.txt" in line
    assert Path("table.csv").read_bytes() == text
    Path("a.png").unlink()
    Path("a.txt").unlink()
    assert main(["info", "table.csv", "--rerun"]) == 2
    assert "or gone" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_phases_and_their_picture(capsys, suffix):
    flow = dy.integrate(SYSTEM, until=("target", 0.5))
    status, lines = ran(capsys, "phases", *LOCAL, "--until", "target,0.5", "--out", "a.csv", "--plot", f"a{suffix}")
    assert status == 0
    assert lines[0].split("  ")[0] == "phase"
    for line, phase in zip(lines[1:3], flow.phases, strict=True):
        said, moments = line.split(), (phase.start, phase.end, phase.log_start, phase.log_end)
        assert said[:5] == [phase.name, *(f"{moment:.6g}" for moment in moments)]
        assert line.endswith(phase.ended_by)
    read = pd.read_csv("a.csv")
    assert read["log_end"].tolist() == [phase.log_end for phase in flow.phases]
    assert read["fp.global"].tolist() == [phase.state[1] for phase in flow.phases]
    if suffix == ".png":
        with Image.open("a.png") as picture:
            assert json.loads(picture.text["Description"])["provenance"]["kind"] == "flow"
    else:
        assert "mean-field" in Path(f"a{suffix}").read_bytes().decode("latin-1").replace("\0", "")


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_a_picture_has_the_same_bytes_again_whatever_the_style_of_the_user(capsys, suffix):
    import matplotlib as mpl

    grid = ("--over", "latent=0.5,1", "--over", "mask_ratio=0.25,0.5")
    for command in (
        ("sweep", *LOCAL, *grid),
        ("integrate", *LOCAL, "--until", "target,0.5"),
        ("compare", *OF_TWO, *STEPS),
    ):
        ran(capsys, *command, "--plot", f"a{suffix}")
        mine = {"axes.facecolor": "black", "font.family": ["serif"], "lines.linewidth": 9, "svg.hashsalt": "mine"}
        with mpl.rc_context(mine):
            ran(capsys, *command, "--plot", f"b{suffix}")
        assert Path(f"a{suffix}").read_bytes() == Path(f"b{suffix}").read_bytes(), command[0]


def test_a_file_says_what_made_it_and_is_made_again_to_the_bit(capsys):
    made = {
        "flow.npz": ("integrate", *LOCAL, "--until", "target,0.3"),
        "steps.csv": ("descend", *LOCAL, *STEPS),
        "run.csv": ("train", *OF_TWO, *STEPS, "--samples", "20"),
        "phases.csv": ("phases", *LOCAL, "--until", "target,0.3"),
        "verdict.csv": ("compare", *OF_TWO, *STEPS),
        "table.csv": ("sweep", *LOCAL, "--over", "latent=0.5,1"),
    }
    for name, command in made.items():
        assert ran(capsys, *command, "--out", name)[0] == 0
        status, lines = ran(capsys, "info", name)
        assert status == 0
        assert any("numpy" in line for line in lines), name  # versions among them
        status, lines = ran(capsys, "info", name, "--rerun", "--out", f"again-{name}")
        assert (status, lines[-2:]) == (0, ["made again: the same numbers, to the bit", f"again-{name}"])
        if name.endswith(".csv"):
            read = [pd.read_csv(path).drop(columns="made_by") for path in (name, f"again-{name}")]
            pd.testing.assert_frame_equal(*read, check_exact=True)
    assert ran(capsys, "info", "flow.npz", "--rerun", "--plot", "a.pdf")[1][-1] == "a.pdf"


def test_clusters_that_look_like_a_grid_are_swept_and_made_again(capsys):
    Path("square.txt").write_text("0 0 1\n" * 3, encoding="utf-8")
    sweep = ["sweep", "--labels", "square.txt", "--query", "0", "--over", "latent=0.5,1", "--measure", "loss_floor"]
    assert main([*sweep, "--out", "a.csv"]) == 2
    assert re.match(r"labels=.*: expected grid= .* \(from a shell --maps\)", said(capsys.readouterr().err))
    assert ran(capsys, *sweep, "--grid", "1,3", "--out", "a.csv")[0] == 0
    assert _csv.read(Path("a.csv"), "a table")[1]["study"]["base"] == {"query": 0, "labels": [[0, 0, 1]] * 3}
    assert ran(capsys, "info", "a.csv", "--rerun")[1][-1] == "made again: the same numbers, to the bit"


def test_a_table_of_logarithms_called_half_time_is_told_from_one_of_today(capsys):
    sweep = ("sweep", *LOCAL, "--over", "latent=0.5,1", "--out", "a.csv")
    assert ran(capsys, *sweep)[0] == 0
    cells, made = _csv.read(Path("a.csv"), "a table")
    made["versions"]["attention-dynamics"], made["study"]["measure"] = "0.0.9", ["half_time"]
    made["measure"] = {"half_time": made["measure"]["log_half_time"]}
    cells = {name.removeprefix("log_"): column for name, column in cells.items()}
    _csv.write(Path("a.csv"), cells, made)
    before = Path("a.csv").read_bytes()
    for more in ((), ("--measure", "half_time")):
        assert main([*sweep, *more]) == 2
        assert "expected a file of this study, but its entry" in said(capsys.readouterr().err)
    assert Path("a.csv").read_bytes() == before
    status, lines = ran(capsys, "info", "a.csv", "--rerun", "--out", "b.csv")
    assert status == 1
    assert re.match(r"made again: differs by up to .*; attention-dynamics was 0\.0\.9, here ", lines[-2])
    assert _csv.read(Path("b.csv"), "a table")[1]["versions"]["attention-dynamics"] != "0.0.9"


def test_numbers_that_are_not_those_made_again_are_seen(capsys):
    flow = dy.integrate(SYSTEM, t_end=5.0)
    flow.y[1, 3] += 1e-3
    flow.save("a.npz")
    status, lines = ran(capsys, "info", "a.npz", "--rerun")
    assert (status, lines[-1]) == (1, "made again: differs by up to 0.001")
    flow.provenance["versions"]["numpy"] = "1.0"
    flow.save("a.npz")
    here = f"; numpy was 1.0, here {np.__version__}"
    assert ran(capsys, "info", "a.npz", "--rerun")[1][-1] == f"made again: differs by up to 0.001{here}"


def test_numbers_that_are_rounded_otherwise_are_the_same(capsys):
    flow = dy.integrate(SYSTEM, t_end=5.0)
    flow.y[1, 3] += 1e-10
    flow.save("a.npz")
    status, lines = ran(capsys, "info", "a.npz", "--rerun")
    assert (status, lines[-1][:35]) == (0, "made again: the same numbers, to 5.")


def test_of_a_solve_that_fails_what_there_is_is_kept(capsys):
    command = ["integrate", *LOCAL, "--t-end", "1e9", "--time-limit", "1e-9", "--out", "a.csv"]
    assert main(command) == 2
    error = said(capsys.readouterr().err)
    assert error.startswith("time_limit=1e-09: over before the end (at log t = ")
    assert error.endswith("; the curve so far is in 'a.failed.csv'\n")
    assert len(dy.load("a.failed.csv").t) == 2
    assert not Path("a.csv").exists()


def test_an_interrupt_is_one_word(capsys, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "curve", stop)
    assert main(["integrate", *LOCAL, "--t-end", "1", "--out", "a.csv"]) == 130
    assert capsys.readouterr().err == "interrupted\n"
    assert list(Path().iterdir()) == []


def test_an_older_result_stays_where_a_command_fails(capsys):
    ran(capsys, "integrate", *LOCAL, "--t-end", "1", "--out", "a.csv")
    text = Path("a.csv").read_bytes()
    assert main(["integrate", *LOCAL, "--t-end", "-1", "--out", "a.csv"]) == 2
    assert said(capsys.readouterr().err) == "t_end=-1: expected a time after 0, at most 1.01e+304\n"
    assert Path("a.csv").read_bytes() == text
