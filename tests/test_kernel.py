"""Formula to machine code: compiled, plain and 50-digit evaluations of one and the same kernel."""

import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings

import dynamics as dy
from dynamics import compiled, selfcheck, source
from dynamics.system import System
from tests.settings import SMALL, TWO, WIDE
from tests.strategies import systems


def fifty_digits(system: System, y):
    """Rate, loss and Jacobian with 50 digits."""
    with mpmath.workdps(50):
        rule, state = system.rule.with_numbers(mpmath.mpf), np.array([mpmath.mpf(value) for value in y])
        rate, loss = source.interpret("rate_and_loss", mpmath.exp, state, rule)
        jacobian = source.interpret("jacobian", mpmath.exp, state, rule)
        return rate.astype(float), float(loss), jacobian.astype(float)


def relative(found, exact):
    return np.max(np.abs(np.asarray(found) - exact)) / np.max(np.abs(exact))


@pytest.mark.parametrize("which", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_the_kernel_is_checked_against_the_loss_written_out_and_differentiated(which):
    for part in ("rows", "jacobian", "second_order", "ledger"):
        getattr(selfcheck, f"check_{part}")(compiled.kernel(which, part))


@settings(max_examples=10)
@given(systems(most_patches=5, most_clusters=2))
def test_compiled_equals_plain_equals_fifty_digits(drawn):
    system, y = drawn
    plain = dy.reduce(system.setting, system.query, compiled=False)
    rate, loss, jacobian = fifty_digits(system, y)
    for kind in (system, plain):
        scale = np.abs(rate).max() or 1.0
        assert np.abs(kind.rate(y) - rate).max() <= 1e-13 * scale
        assert kind.loss(y) == pytest.approx(loss, rel=1e-13, abs=1e-300)
        assert np.abs(kind.jacobian(y) - jacobian).max() <= 1e-12 * (np.abs(jacobian).max() or 1.0)


@cache
def both(setting, query, closure):
    """The plain and the compiled system."""
    return [dy.reduce(setting, query, closure, compiled=which) for which in (False, True)]


LAW = [0.5, 1.2], [0.3, 0.7]
SAME_BITS = {
    "three areas": (WIDE, "local", "mean-field"),
    "two areas": (dy.Setting(WIDE.geometry, 1.3, 0.4), "global", "mean-field"),
    "loops": (dy.Setting(TWO.geometry, LAW, 0.45), 0, "mean-field"),
    "second order": (WIDE, "local", "second-order"),
    "logarithms": (dy.Setting(dy.Geometry.scaling(30, 0.98, 0.3), LAW), "local", "mean-field"),
}


@pytest.mark.parametrize("scale", [0.1, 3.0, 40.0, 1e5, np.inf, np.nan])
@pytest.mark.parametrize("which", SAME_BITS)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_plain_and_compiled_have_the_same_bits(which, scale):
    plain, compiled_ = both(*SAME_BITS[which])
    states = 3 if which == "second order" else 1000 if "areas" in which else 100
    rng, n = np.random.default_rng(2), len(plain.names)
    if np.isfinite(scale):
        drawn = rng.normal(scale=scale, size=(states, n))
    else:  # in one place
        drawn = np.where(np.eye(n), rng.choice([-1, 1]) * scale, rng.normal(scale=30, size=(n, n)))
    for y in drawn:
        assert np.array_equal(plain.rate(y), compiled_.rate(y), equal_nan=True)
        assert np.array_equal(plain.loss(y), compiled_.loss(y), equal_nan=True)
        assert np.array_equal(plain.jacobian(y), compiled_.jacobian(y), equal_nan=True)
        on_groups = [np.array([*system.attention(y).values()]) for system in (plain, compiled_)]
        assert np.array_equal(*on_groups, equal_nan=True)
    descents = [system.loop("descend")(y, system.rule, 0.1, 5, 2) for system in (plain, compiled_)]
    assert np.array_equal(*descents, equal_nan=True)


@pytest.mark.parametrize("locked", ["target", "global"])
@pytest.mark.parametrize("strength", [5.0, 15.0, 25.0, 60.0, 300.0])
def test_every_digit_survives_locking(locked, strength):
    system = dy.reduce(WIDE, "local", "mean-field")
    y = np.random.default_rng(1).normal(scale=0.1, size=7)
    y[system.names.index(f"fp.{locked}")] = strength
    rate, loss, jacobian = fifty_digits(system, y)
    derivatives = compiled.kernel(True, "jacobian")
    for form in ("", "_3"):
        found, value = getattr(compiled.kernel(True), f"rate_and_loss{form}")(y, system.rule)
        assert np.abs(found / rate - 1).max() <= 1e-13
        assert value == pytest.approx(loss, rel=1e-13, abs=0)
        assert np.abs(getattr(derivatives, f"jacobian{form}")(y, system.rule) / jacobian - 1).max() <= 1e-12


@pytest.mark.parametrize("common", [-1000.0, -360.0, 60.0, 360.0, 1000.0])
@pytest.mark.parametrize("closure", ["exact", "mean-field"])
@pytest.mark.parametrize("which", [True, False])
def test_one_number_added_to_every_score_changes_nothing_at_any_size(common, closure, which):
    setting = SMALL["one"] if closure == "exact" else WIDE
    system = dy.reduce(setting, "local", closure, compiled=which)
    y = np.random.default_rng(4).normal(size=len(system.names))
    shifted = y + common * np.array([name.startswith("pp") for name in system.names])
    for found, expected in (
        (system.rate(shifted), system.rate(y)),
        (system.jacobian(shifted), system.jacobian(y)),
        (system.loss(shifted), system.loss(y)),
    ):
        assert np.abs(found - expected).max() <= 1e-12 * np.abs(expected).max()


def test_a_flow_never_freezes_however_far_attention_has_locked():
    # large-P: the loss per masked patch follows 1/(4t), to the last time that a float holds
    system = dy.reduce(dy.Setting(dy.Geometry.scaling(100, 0.98, 0.3)), "local", "mean-field")
    flow = dy.integrate(system, log_t_end=700.0, rtol=1e-10, atol=1e-12)
    late = flow.log_t > 300
    assert np.abs(np.log(4 * flow.loss[late] / system.setting.masked_fraction * 0.5) + flow.log_t[late]).max() < 0.01


def test_one_compilation_serves_every_geometry():
    for setting in SMALL.values():
        system = dy.reduce(setting, 0, compiled=True)
        system.rate(system.initial)
    assert len(compiled.kernel(True).rate_and_loss.signatures) == 1


def test_the_unrolled_form_is_used_where_it_fits_and_only_there():
    assert dy.reduce(WIDE, "local", "mean-field").form == "_3"
    assert dy.reduce(WIDE, "global", "mean-field").form == "_2"
    assert dy.reduce(WIDE, "local", method="enumeration").form == ""
    assert dy.reduce(TWO, 0, "mean-field").form == ""
    one_patch_areas = dy.Setting(dy.Geometry.single_cluster(5, 1, 4))
    assert dy.reduce(one_patch_areas, "local", "mean-field").form == ""


MUTANTS = {
    "a coefficient": (
        "pull_masked(z_a, A_a, R_a, stray):\n    return -",
        "pull_masked(z_a, A_a, R_a, stray):\n    return -1.01*",
    ),
    "masked counts": ("several(rule.size[s] - unmasked,", "several(rule.size[s],"),
    "the latent of another area": ("return pull_other(z_a, A_a, R_a, z_m,", "return pull_other(z_a, A_a, R_a, z_a,"),
    "two latents swapped in the Jacobian": ("z_m, A_m, z_l, A_l, all_stray)", "z_l, A_m, z_m, A_l, all_stray)"),
    "the lever's latent": ("fp_lever(z_m, A_m) * g", "fp_lever(z_a, A_m) * g"),
    "the first area's latent": (
        "unmasked_mass(rule.latent[latents, m - first]",
        "unmasked_mass(rule.latent[latents, 0]",
    ),
    "the first area as target": ("first, a = rule.areas[k], rule.target[k]", "first, a = rule.areas[k], rule.areas[k]"),
    "copies in the rate": ("each, z_m, A_m = weight * rule.copies[m],", "each, z_m, A_m = weight,"),
    "copies in the sums": ("before = before + copies[m] * area[value, m]", "before = before + area[value, m]"),
    "copies of the masked": ("masked = masked + rule.copies[m] * cell[b, s]", "masked = masked + cell[b, s]"),
    "a coefficient of the curvature": (
        "curvature_masked(z_a, A_a, R_a, stray):\n    x0 =",
        "curvature_masked(z_a, A_a, R_a, stray):\n    x0 = 1.01 *",
    ),
    "copies in the Jacobian": ("each, z_m, A_m, i = weight * rule.copies[m],", "each, z_m, A_m, i = weight,"),
    "multiplicity in the rate": ("rate[i] = rate[i] / rule.multiplicity[i]", "rate[i] = rate[i]"),
    "multiplicity in the Jacobian": ("out[i, j] = out[i, j] / rule.multiplicity[i]", "out[i, j] = out[i, j]"),
    "the latents before": (
        "same_sample = row > 0 and k == rule.cluster[row - 1] and latents == rule.latents[row - 1]",
        "same_sample = row > 0",
    ),
    "the cluster before": ("same_sample = row > 0 and k == rule.cluster[row - 1] and", "same_sample = row > 0 and"),
    "the step": ("y += step_size * rate_and_loss(y", "y += 1.01 * step_size * rate_and_loss(y"),
    "the steps of an unrolled form": (
        "y += step_size * rate_and_loss_3(y",
        "y += 1.01 * step_size * rate_and_loss_3(y",
    ),
    "the losses": ("out[i] = rate_and_loss(", "out[i] = 2 * rate_and_loss("),
    "attention": ("out[m - first, i] += each * rule.copies[m] *", "out[m - first, i] += each *"),
    "attention of the first state": ("y = states[:, i].copy()", "y = states[:, 0].copy()"),
    "the loss of the first state": ("rate_and_loss(states[:, i].copy()", "rate_and_loss(states[:, 0].copy()"),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_kernel_that_differs_from_the_loss_is_refused(tmp_path, mutant):
    part = "jacobian" if mutant.endswith(("Jacobian", "curvature")) else "rows"
    text, (before, after) = Path(compiled.kernel(False, part).__file__).read_text(encoding="utf-8"), MUTANTS[mutant]
    assert before in text
    path = tmp_path / "kernel_mutated.py"
    path.write_text(text.replace(before, after), encoding="utf-8")
    with pytest.raises(RuntimeError, match="off the derived one"):
        getattr(selfcheck, f"check_{part}")(compiled._load(path, False, part))


def test_the_generated_file_is_named_by_what_it_reads_and_what_made_it(monkeypatch):
    names = {compiled._fingerprint.__wrapped__()}
    with monkeypatch.context() as patch:
        patch.setattr(compiled.Rule, "_fields", compiled.Rule._fields[::-1])
        names.add(compiled._fingerprint.__wrapped__())
    with monkeypatch.context() as patch:
        patch.setattr(compiled, "version", lambda name: "0")
        names.add(compiled._fingerprint.__wrapped__())
    with monkeypatch.context() as patch:
        patch.setattr(compiled, "source_hash", lambda: "0")
        names.add(compiled._fingerprint.__wrapped__())
    with monkeypatch.context() as patch:
        patch.setattr(compiled, "text_of", lambda module: "0")
        names.add(compiled._fingerprint.__wrapped__())
    assert len(names) == 5


CODE = "S.rate(S.initial)"


def fresh(folder, code=CODE, compiled_=False):
    """Run a first answer in a process of its own, its cache in `folder`."""
    program = (
        "import dynamics as dy; S = dy.reduce(dy.Setting(dy.Geometry.single_cluster(40, 6, 4)), 'local', 'mean-field', "
        f"compiled={compiled_}); print({code}.tolist())"
    )
    environment = {"ATTENTION_DYNAMICS_CACHE": str(folder), "PATH": ""}
    return subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, encoding="utf-8", check=True
    )


@pytest.fixture
def generated(tmp_path):
    """The generated file, in a cache of its own."""
    whole = Path(compiled.kernel(False).__file__)
    for path in whole.parent.glob(f"{whole.stem}*"):
        shutil.copy(path, tmp_path)
    return tmp_path / whole.name


def test_a_second_process_finds_the_generated_file_and_needs_no_sympy(tmp_path):
    first = fresh(tmp_path)
    assert "deriving" in first.stderr
    (generated,) = tmp_path.glob("rows_*.py")
    stamp = generated.stat().st_mtime_ns
    second = fresh(
        tmp_path, "__import__('numpy').array(['sympy' in __import__('sys').modules, S.rate(S.initial)[0] > 0])"
    )
    assert second.stdout.split() == ["[False,", "True]"]
    assert second.stderr == ""
    assert generated.stat().st_mtime_ns == stamp


@pytest.mark.parametrize("damage", ["", "import numpy as np\n", "another formula", "cut short"])
def test_a_damaged_file_is_seen(generated, damage):
    whole = generated.read_text(encoding="utf-8")
    assert compiled._is_whole(generated)
    changed = {"another formula": whole.replace("A_a*R_a", "A_a*A_a"), "cut short": whole[:-100]}
    generated.write_text(changed.get(damage, damage), encoding="utf-8")
    assert not compiled._is_whole(generated)


def test_a_damaged_file_in_the_cache_is_made_anew(tmp_path, generated):
    first, whole = fresh(tmp_path), generated.read_text(encoding="utf-8")
    assert first.stderr == ""
    generated.write_text(whole.replace("A_a*R_a", "A_a*A_a"), encoding="utf-8")
    again = fresh(tmp_path)
    assert "deriving" in again.stderr
    assert again.stdout == first.stdout
    assert generated.read_text(encoding="utf-8") == whole


def test_a_folder_that_may_not_be_entered_is_done_without(tmp_path, monkeypatch):
    def closed(path):
        raise PermissionError(path)

    monkeypatch.setattr(compiled, "_is_whole", closed)
    monkeypatch.setattr(compiled, "_cache_folder", lambda: tmp_path)
    assert str(tmp_path) not in compiled._found_or_made.__wrapped__(False, "rows").__file__


def test_a_system_that_was_used_can_be_sent_to_another_process():
    system = dy.reduce(TWO, 1)
    y = np.random.default_rng(8).normal(size=len(system.names))
    rate = system.rate(y)
    assert np.array_equal(pickle.loads(pickle.dumps(system)).rate(y), rate)


@pytest.mark.slow
def test_who_waits_for_a_compiler_is_told_once(tmp_path):
    first, second = (fresh(tmp_path, compiled_=True) for _ in range(2))
    said = first.stderr.splitlines()
    assert [line.split()[0] for line in said] == ["deriving", "compiling"]
    assert all(line.endswith("(once per machine)") for line in said)
    assert second.stderr == ""
    assert second.stdout == first.stdout


@pytest.mark.slow
@pytest.mark.parametrize("compiled_", [False, True])
def test_two_processes_may_build_at_once(tmp_path, compiled_):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        both = pool.starmap(fresh, [(tmp_path, CODE, compiled_)] * 2)
    assert both[0].stdout == both[1].stdout
    assert len(list(tmp_path.glob("rows_*.py"))) == 1
    assert fresh(tmp_path, compiled_=compiled_).stderr == ""  # what the two left is whole
    kept = sorted((tmp_path / "__pycache__").glob("*.nb[ic]"))
    assert bool(kept) == compiled_
    for path in kept[::3]:
        path.write_bytes(b"")  # as after a loss of power
    assert fresh(tmp_path, compiled_=compiled_).stdout == both[0].stdout
    assert fresh(tmp_path, compiled_=compiled_).stderr == ""


@pytest.fixture
def read_only(tmp_path):
    """What makes a folder one that nobody, not even root, may write to."""
    mounted = []

    def lock(folder):
        bound = subprocess.run(["mount", "--bind", folder, folder], capture_output=True)
        if bound.returncode == 0:
            mounted.append(folder)
            subprocess.run(["mount", "-o", "remount,ro,bind", folder, folder], check=True)
        else:
            folder.chmod(0o555)
        if os.access(folder, os.W_OK):
            pytest.skip("this user may write anywhere and mount nothing")

    yield lock
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize(
    ("holds", "compiled_"),
    [("nothing", False), ("the kernel", False), pytest.param("nothing", True, marks=pytest.mark.slow)],
)
def test_a_folder_that_may_only_be_read_serves(tmp_path, generated, read_only, holds, compiled_):
    folder = tmp_path / "cache"
    folder.mkdir()
    if holds == "the kernel":
        shutil.copy(generated, folder)
    before = sorted(path.name for path in folder.rglob("*"))
    read_only(folder)
    system = dy.reduce(WIDE, "local", "mean-field")
    assert fresh(folder, compiled_=compiled_).stdout == f"{system.rate(system.initial).tolist()}\n"
    assert sorted(path.name for path in folder.rglob("*")) == before


def test_what_another_version_left_is_not_touched_and_not_in_the_way(tmp_path, generated):
    (tmp_path / "__pycache__").mkdir()
    other = "rows_0123456789abcdef"
    left = [tmp_path / f"{other}.py", tmp_path / f"{other}.plain", tmp_path / "__pycache__" / f"{other}.f-1.py311.nbi"]
    for path in left:
        path.write_text("raise RuntimeError('another version')", encoding="utf-8")
    assert fresh(tmp_path).stdout == fresh(tmp_path / "usual").stdout
    assert all(path.read_text(encoding="utf-8") == "raise RuntimeError('another version')" for path in left)


def test_on_a_disk_without_room_machine_code_is_not_kept(tmp_path, generated, monkeypatch):
    import numba

    kept = []
    monkeypatch.setattr(numba, "njit", lambda cache=False, **options: kept.append(cache) or compiled.as_it_stands)
    for room in (1, 2**62):
        monkeypatch.setattr(compiled, "ROOM", room)
        compiled._load(generated, True)
    assert (any(kept[:4]), any(kept[4:])) == (True, False)


def test_of_two_threads_one_makes_the_kernel_and_the_other_finds_it(tmp_path, monkeypatch):
    written = []

    def write(path, part):
        written.append(path)
        time.sleep(0.2)
        path.write_text(compiled._head(""), encoding="utf-8")
        return path

    monkeypatch.setattr(compiled, "_cache_folder", lambda: tmp_path)
    monkeypatch.setattr(compiled, "_write", write)
    monkeypatch.setattr("dynamics.selfcheck.check_rows", lambda module: None)
    monkeypatch.setattr(compiled, "_found_or_made", cache(compiled._found_or_made.__wrapped__))
    with ThreadPoolExecutor(2) as pool:
        assert len(list(pool.map(compiled.kernel, [False, False]))) == 2
    assert len(written) == 1


@pytest.mark.slow
def test_a_cache_folder_that_cannot_be_written_to_is_done_without(tmp_path, generated):
    blocked = tmp_path / "file"
    blocked.write_text("in the way", encoding="utf-8")
    assert fresh(blocked / "cache").stdout == fresh(tmp_path).stdout
