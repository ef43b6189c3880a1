"""The folder of kernels: what is said of it, and what is removed from it."""

import pytest

import dynamics as dy
from dynamics import compiled


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ATTENTION_DYNAMICS_CACHE", str(tmp_path / "kernels"))
    return tmp_path / "kernels"


def test_a_folder_that_is_not_there_holds_nothing(folder):
    assert dy.cache_info() == dy.CacheInfo(folder, (), 0, 0.0)
    assert dy.cache_clear() == 0
    assert not folder.exists()


def test_a_kernel_is_seen_and_removed_and_nothing_else_is(folder):
    path = compiled._write(folder / f"rows_{compiled._fingerprint()}.py", "rows")
    (folder / "__pycache__").mkdir()
    others = [folder / "rows_of_mine.csv", folder / "notes.txt", folder / "__pycache__" / "other.pyc"]
    older = [folder / "nodes_0123456789abcdef.compiled", folder / "__pycache__" / "rows_0123456789abcdef.f-1.nbi"]
    for each in (*others, *older):
        each.write_text("x" * 100, encoding="utf-8")
    found = dy.cache_info()
    assert (found.parts, found.files) == (("rows",), 3)
    assert found.megabytes == pytest.approx((path.stat().st_size + 200) / 2**20)
    assert dy.cache_clear() == 3
    assert all(each.exists() for each in others)
    assert not any(each.exists() for each in (path, *older))
    assert dy.cache_info().files == 0
