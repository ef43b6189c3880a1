"""The README does what it says: its Python runs, and prints what stands beneath it."""

import contextlib
import io
import re
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def test_the_code_in_the_readme_prints_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```(?:\n```text\n(.*?)```)?", README.read_text(), flags=re.DOTALL)
    assert len(blocks) >= 5
    namespace: dict[str, object] = {}
    for code, expected in blocks:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, str(README), "exec"), namespace)
        assert printed.getvalue() == expected, code


def test_the_two_commands_set_everything_up():
    shell = re.findall(r"```sh\n(.*?)```", README.read_text(), flags=re.DOTALL)
    assert [command.strip().rsplit("/", 1)[1] for command in shell] == ["python -m figures", "pytest"]
    assert all("-m venv" in command and "pip install" in command for command in shell)
