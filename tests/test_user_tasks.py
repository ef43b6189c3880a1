"""Ten tasks of someone who read the paper yesterday: each as it would be typed, and what it prints."""

import contextlib
import io
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.said import said

ROOT = Path(__file__).parent.parent
PYTHON = {
    "When does a local query find its own area, and what happens first?": """
import dynamics as dy

setting = dy.Setting(dy.Geometry.single_cluster(global_size=40, local_size=6, local_areas=4), mask_ratio=0.5)
flow = dy.integrate(dy.reduce(setting, "local"), until=("target", 0.5))
for phase in flow.phases:
    print(f"{phase.name} until t = {phase.end:.1f}: {phase.ended_by}")
""",
    "What pushes Φ_global down in the first phase?": """
import dynamics as dy

system = dy.reduce(dy.Setting(dy.Geometry.single_cluster(40, 6, 4)), "local")
terms = system.terms(system.initial)["fp.global"]
print({name: round(value, 5) for name, value in terms.items()}, round(sum(terms.values()), 5))
""",
    "How wrong is the mean-field closure of my geometry, at the half-time?": """
import dynamics as dy

setting = dy.Setting(dy.Geometry.single_cluster(40, 6, 4))
at = dy.integrate(dy.reduce(setting, "local"), until=("target", 0.5)).y[:, -1]
errors = dy.closure_error(setting, "local", at)
print(f"mean-field {errors['mean-field'].rate:.3f}, second-order {errors['second-order'].rate:.3f} of the largest rate")
""",
    "Do the equations describe a transformer on my own partition, with random latents?": """
import dynamics as dy

labels = [[0, 0, 0, 1, 1, 2, 2], [0, 1, 1, 1, 2, 2, 2]]  # two clusters of pictures
setting = dy.Setting(dy.Geometry.from_labels(labels), latent=([0.5, 1.5], [0.4, 0.6]), cluster_weights=[0.3, 0.7])
training = dy.FiniteTransformer(setting, seed=1).train(step_size=0.5, steps=100)
for query in range(7):
    steps = dy.descend(dy.reduce(setting, query), step_size=0.5, steps=100)
    assert dy.compare(steps, training.of(query), tolerance=1e-12).agrees
print("every query, to 1e-12")
""",
    "Is the exponent of the half-time really 1 − κs, and is it seen at P = 10⁶?": """
import dynamics as dy

print(f"{dy.exponent('half-time', kappa_c=0.95, kappa_s=0.4).value:.6f} for P → ∞")
million = dy.Setting(dy.Geometry.scaling(log10_patches=6, kappa_c=0.95, kappa_s=0.4))
print(f"{dy.half_time_exponent(dy.reduce(million, 'local', 'mean-field')):.6f} at P = 10⁶")
""",
    "Measure it over a grid that takes all night, and go on in pandas.": """
import dynamics as dy
import pandas as pd


def masked(mask_ratio, local_size):
    areas = dy.Geometry.single_cluster(global_size=64 - 4 * local_size, local_size=local_size, local_areas=4)
    return dy.reduce(dy.Setting(areas, mask_ratio=mask_ratio), "local", "mean-field")


dy.sweep(masked, {"mask_ratio": [0.25, 0.5, 0.75], "local_size": [4, 8]}, dy.half_time, out="night.csv")
table = pd.read_csv("night.csv")
print(table[["mask_ratio", "local_size", "half_time"]].round(3).to_string(index=False))
""",
    "Keep a curve in a file and go on with it tomorrow.": """
import dynamics as dy

system = dy.reduce(dy.Setting(dy.Geometry.single_cluster(40, 6, 4)), "local")
dy.integrate(system, until=("target", 0.5)).save("flow.npz")

flow = dy.integrate(system, t_end=1000, start=dy.load("flow.npz"))
print(f"{flow.t[0]:.1f} to {flow.t[-1]:.0f}: attention {flow.attention['target'][-1]:.4f}, loss {flow.loss[-1]:.2e}")
""",
    "Draw the paper's comparison for other parameters, in my own style.": """
import figures

table = figures.data("crosscheck", quick=True, steps=50)
figure = figures.draw(table)
figure.axes[0].set_title("mine")
figure.savefig("mine.pdf")
print(table.made_by["parameters"]["steps"], table["difference"].max() < 1e-13)
""",
    "Put an equation into my paper, and into my C code.": """
import derivations as dv

rate = dv.result("fp-rate-target")
print(rate.exactness)
print(rate.code("c").splitlines()[0])
print(rate.latex()[:59].strip())
""",
}
SHELL = """
python -m dynamics integrate --config job.toml --out flow.csv --plot flow.pdf
python -m dynamics integrate --config job.toml --mask-ratio 0.75 --out other.csv
python -m dynamics info flow.csv --rerun
"""
JOB = """\
global_size = 40
local_size = 6
local_areas = 4
mask_ratio = 0.5
query = "local"
until = ["target", 0.5]
"""
PRINTED = {
    "When does a local query find its own area, and what happens first?": """
decoupling until t = 11.0: Φ of the target overtakes every other
growth until t = 52.6: attention on target = 0.5
""",
    "What pushes Φ_global down in the first phase?": """
{'target': -0.00591, 'own': -0.03442, 'other': 0.00121} -0.03912
""",
    "How wrong is the mean-field closure of my geometry, at the half-time?": """
mean-field 0.059, second-order 0.054 of the largest rate
""",
    "Do the equations describe a transformer on my own partition, with random latents?": """
every query, to 1e-12
""",
    "Is the exponent of the half-time really 1 − κs, and is it seen at P = 10⁶?": """
0.600000 for P → ∞
0.681087 at P = 10⁶
""",
    "Measure it over a grid that takes all night, and go on in pandas.": """
 mask_ratio  local_size  half_time
       0.25           4     72.676
       0.25           8     52.070
       0.50           4     64.023
       0.50           8     42.299
       0.75           4     90.953
       0.75           8     54.264
""",
    "Keep a curve in a file and go on with it tomorrow.": """
52.6 to 1000: attention 0.9758, loss 6.39e-03
""",
    "Draw the paper's comparison for other parameters, in my own style.": """
50 True
""",
    "Put an equation into my paper, and into my C code.": r"""
exact
#include <math.h>
- \frac{\partial \ell_{p}}{\partial \Phi_{a}} = z_{a} A_{a}
""",
}


def test_there_are_ten():
    assert len(PYTHON) + 1 == 10
    assert PRINTED.keys() == PYTHON.keys()


@pytest.mark.parametrize("task", PYTHON)
def test_a_task_runs_as_it_is_printed(task, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(PYTHON[task], task, "exec"), {"__name__": "__main__"})
    assert printed.getvalue() == PRINTED[task].lstrip("\n")


def test_from_a_shell_with_a_job_in_a_file(tmp_path):
    """Run a job that a file describes, vary it by a flag, and make its numbers again from the result alone."""
    (tmp_path / "job.toml").write_text(JOB, encoding="utf-8")
    printed = []
    for line in SHELL.strip().splitlines():
        command = [sys.executable if word == "python" else word for word in shlex.split(line)]
        done = subprocess.run(
            command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, encoding="utf-8"
        )
        assert (done.returncode, said(done.stderr)) == (0, "")
        printed.append(done.stdout)
    assert "attention on target = 0.5" in printed[0]
    assert printed[2].splitlines()[-1].startswith("made again: the same numbers, to ")
    ends = [pd.read_csv(tmp_path / name)["t"].iloc[-1] for name in ("flow.csv", "other.csv")]
    assert [round(end, 1) for end in ends] == [52.6, 75.2]
    assert (tmp_path / "flow.pdf").read_bytes().startswith(b"%PDF")
