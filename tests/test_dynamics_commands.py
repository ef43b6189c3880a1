"""The command line ``python -m dynamics``: the API's arguments by the same names, and the API's numbers."""

import inspect
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import stats

import dynamics as dy
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
    "phases": [dy.Geometry.from_labels, dy.Geometry.from_image, dy.Setting, dy.reduce, dy.integrate],
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
        ("uniform:0.5:1.5", "uniform:0.5:1.5"),
        ("uniform(loc=0.5, scale=1)", "uniform(loc=0.5, scale=1)"),
        ("0.5:2:many", "0.5:2:many"),
    ],
)
def test_a_text_means_what_a_person_means(text, value):
    assert value_of(text) == value


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_help_shows_an_example_that_runs(command, capsys):
    status, out = ran(capsys, *command, "--help")
    assert status == 0
    assert f"python -m dynamics {' '.join(command)}".strip() in "\n".join(out)
    assert any(line.startswith("example") for line in out)


def test_help_loads_no_numpy():
    program = "import sys; from dynamics.__main__ import _parser; _parser(); print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "False"


def test_a_file_gives_the_options_and_flags_win(capsys):
    Path("job.toml").write_text(
        'global-size = 40\nlocal_size = 6\nlocal_areas = 4\nquery = "local"\nclosure = "mean-field"\n'
        'until = ["target", 0.5]\nt_end = 3.0\nstep_size = 0.1\n[over]\nlatent = [1.0, 2.0]\n'
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
    assert ran(capsys, "compare", *OF_TWO, *steps, "--samples", "20")[0] == 1


def test_samples_are_of_the_closure_where_nothing_else_has_any(capsys):
    ran(capsys, "descend", *OF_TWO, "--closure", "sampled", "--samples", "30", "--seed", "2", *STEPS, "--out", "a.npz")
    same("a.npz", dy.descend(dy.reduce(TWO, 3, "sampled", samples=30, seed=2), 0.5, 4))


STEPS = ("--step-size", "0.5", "--steps", "4")


@pytest.mark.parametrize(
    ("flags", "geometry"),
    [
        (("--labels", "areas.txt"), dy.Geometry.from_labels([[0, 0, 1, 1], [0, 1, 1, 2]])),
        (("--image", "a.png", "--grid", "2,2", "--areas", "2", "--image-seed", "3"), None),
        (("--image", "--grid", "2,3", "--areas", "2"), dy.Geometry.from_image(grid=(2, 3), areas=2)),
    ],
)
def test_areas_come_from_files_and_pictures(capsys, flags, geometry):
    Path("areas.txt").write_text("0 0 1 1\n0, 1, 1, 2\n")
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
    Path("job.toml").write_text(f"latent = {words!r}\n")
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
    Path("job.toml").write_text('[over]\nlatent = ["beta(a=2, b=3)", "0.5"]\n')
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
    assert read["half_time"].tolist()[2] == pytest.approx(dy.half_time(system), rel=1e-14)
    status, lines = ran(capsys, *sweep)
    assert [line.split()[0] for line in lines] == ["local_size", "0", "2", "3", "3"]
    assert float(lines[2].split()[1]) == read["half_time"].tolist()[1]


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_phases_and_their_picture(capsys, suffix):
    flow = dy.integrate(SYSTEM, until=("target", 0.5))
    status, lines = ran(capsys, "phases", *LOCAL, "--until", "target,0.5", "--out", "a.csv", "--plot", f"a{suffix}")
    assert status == 0
    assert [line.split()[0] for line in lines[:2]] == [phase.name for phase in flow.phases]
    read = pd.read_csv("a.csv")
    assert read["log_end"].tolist() == [phase.log_end for phase in flow.phases]
    assert read["fp.global"].tolist() == [phase.state[1] for phase in flow.phases]
    if suffix == ".png":
        with Image.open("a.png") as picture:
            assert json.loads(picture.text["Description"])["provenance"]["kind"] == "flow"
    else:
        assert "mean-field" in Path(f"a{suffix}").read_bytes().decode("latin-1").replace("\0", "")


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
