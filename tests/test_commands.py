"""The command line ``python -m derivations``."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest

from derivations import export
from derivations.__main__ import FORMATS, main
from derivations.statements import result, results

ROOT = Path(__file__).parent.parent


def ran(capsys, *arguments):
    """Exit status, standard output and standard error of a command."""
    try:
        status = main(arguments)
    except SystemExit as stop:
        status = stop.code
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.fixture
def false():
    """A result that does not hold."""
    good = result("reconstruction")
    step = dataclasses.replace(good.steps[0], after=2 * good.steps[0].after)
    return dataclasses.replace(good, steps=(step,))


def test_list_names_every_result_in_order(capsys):
    status, out, _ = ran(capsys, "list")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()] == [found.name for found in results()]


@pytest.mark.parametrize("form", FORMATS)
def test_show_has_every_format(capsys, form):
    status, out, err = ran(capsys, "show", "reconstruction", "--format", form)
    assert (status, err) == (0, "")
    assert out.strip()


def test_show_writes_indices_below_and_its_steps(capsys):
    _, out, _ = ran(capsys, "show", "loss-above-floor", "--steps")
    assert "zₐ²" in out
    assert "uses query-loss-of-attention, loss-floor" in out
    for step in result("loss-above-floor").steps:
        assert step.said in out
    _, out, _ = ran(capsys, "show", "loss-above-floor", "--steps", "--format", "latex")
    for step in result("loss-above-floor").steps:
        assert step.said in re.findall(r"% Step \d: (.*) \(", out)


def test_check_prints_how_each_result_was_verified(capsys):
    status, out, err = ran(capsys, "check", "attention", "reconstruction", "attention")
    assert (status, err) == (0, "")
    head, first, second, total = out.splitlines()
    assert head.split() == ["result", "exactness", "how", "checked", "points", "time"]
    assert first.split()[:2] == ["attention", "exact"]
    assert "50 digits" in second
    assert total.startswith("2 of 2 hold, in ")


def test_a_check_that_fails_names_result_and_step_and_exits_with_1(capsys, monkeypatch, false):
    monkeypatch.setattr("derivations.statements.result", lambda name: false)
    status, out, err = ran(capsys, "check", "reconstruction")
    assert status == 1
    assert "FAILED" in out
    assert "0 of 1 hold" in out
    assert len(err.splitlines()) == 1
    assert err.startswith(f"reconstruction, step “{false.steps[0].said}”: ")
    with pytest.raises(Exception, match="reconstruction, step"):
        main(["check", "reconstruction", "--debug"])


@pytest.mark.parametrize("suffix", [".md", ".tex", ".html"])
def test_export_writes_a_document(capsys, monkeypatch, tmp_path, suffix):
    monkeypatch.setattr(export, "results", lambda: results()[:3])
    path = tmp_path / f"equations{suffix}"
    status, out, _ = ran(capsys, "export", str(path))
    assert (status, out.strip()) == (0, str(path))
    assert result("attention").title in path.read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == [path]


def test_an_export_of_what_does_not_hold_fails(capsys, monkeypatch, tmp_path, false):
    monkeypatch.setattr(export, "results", lambda: (false,))
    status, _, err = ran(capsys, "export", str(tmp_path / "equations.md"))
    assert status == 1
    assert err.startswith("reconstruction, step")
    assert list(tmp_path.iterdir()) == []


BAD = [
    ((), "COMMAND"),
    (("prove",), "invalid choice: 'prove' (choose from"),
    (("show", "fp-rate"), "NAME='fp-rate': expected a result, such as pp-rate, fp-rate-other, fp-rate-target"),
    (("check", "fp-rate"), "; “python -m derivations list” lists all"),
    (("show", "attention", "--format", "word"), "--format: invalid choice: 'word' (choose from"),
    (("show", "attention", "--format", "c", "--steps"), "--format='c': expected unicode or latex with --steps"),
    (("export", "equations.pdf"), "FILE='equations.pdf': expected a file name ending in .md or .tex or .html"),
    (
        ("export", "/dev/null/equations.md"),
        "FILE='/dev/null/equations.md': expected a file that can be written: Not a directory",
    ),
]


@pytest.mark.parametrize(("arguments", "said"), BAD, ids=[" ".join(bad[0]) for bad in BAD])
def test_bad_input_is_refused_in_one_line(capsys, arguments, said):
    status, out, err = ran(capsys, *arguments)
    assert (status, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1


def test_a_folder_is_not_written_over_and_nothing_is_checked_first(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(export, "document", lambda *_: pytest.fail("checked"))
    (tmp_path / "equations.md").mkdir()
    status, _, err = ran(capsys, "export", str(tmp_path / "equations.md"))
    assert (status, len(err.splitlines())) == (2, 1)
    assert "equations.md': expected a file, found a folder" in err
    assert [path.name for path in tmp_path.iterdir()] == ["equations.md"]


@pytest.mark.parametrize("command", [(), ("list",), ("show",), ("check",), ("export",)])
def test_help_shows_an_example(capsys, command):
    status, out, _ = ran(capsys, *command, "--help")
    assert status == 0
    assert "example" in out
    assert f"python -m derivations {' '.join(command)}".strip() in out


def test_help_loads_no_sympy():
    program = "import sys; from derivations.__main__ import _parser; _parser(); print('sympy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True, cwd=ROOT)
    assert done.stdout.strip() == "False"


def test_a_reader_may_stop_reading():
    done = subprocess.run(
        f"{sys.executable} -m derivations list | head -1",
        shell=True,
        capture_output=True,
        encoding="utf-8",
        check=True,
        cwd=ROOT,
    )
    assert done.stdout.startswith("attention ")
    assert done.stderr == ""
