"""The README does what it says: its code and commands run, and print what stands beneath them."""

import contextlib
import importlib
import io
import re
import shlex
from pathlib import Path

import matplotlib as mpl

README = Path(__file__).parent.parent / "README.md"


def test_the_code_in_the_readme_prints_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(
        r"```python\n(.*?)```(?:\n```text\n(.*?)```)?", README.read_text(encoding="utf-8"), flags=re.DOTALL
    )
    assert len(blocks) >= 5
    namespace: dict[str, object] = {}
    for code, expected in blocks:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, str(README), "exec"), namespace)
        assert printed.getvalue() == expected, code


def test_the_commands_in_the_readme_print_what_it_says(tmp_path, monkeypatch):
    """As they stand, one after the other in one folder; where lines stand beneath one, these are what it prints."""
    monkeypatch.chdir(tmp_path)
    mpl.use("Agg")
    blocks = re.findall(r"```console\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    commands = [command for block in blocks for command in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    assert len(commands) >= 5
    for command in commands:
        line, _, expected = command.partition("\n")
        python, flag, package, *arguments = shlex.split(line)
        assert (python, flag) == ("python", "-m")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            assert importlib.import_module(f"{package}.__main__").main(arguments) == 0, line
        assert printed.getvalue() == expected if expected else printed.getvalue(), line


def test_the_two_commands_set_everything_up():
    shell = re.findall(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert [command.strip().rsplit("/", 1)[1] for command in shell] == ["python -m figures", "pytest"]
    assert all("-m venv" in command and "pip install" in command for command in shell)
