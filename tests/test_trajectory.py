"""The one result type: files, names, comparison and plot."""

from fractions import Fraction

import numpy as np
import pytest

import dynamics as dy
from tests.settings import TWO, WIDE


def test_a_trajectory_survives_its_file(tmp_path):
    flow = dy.integrate(dy.reduce(TWO, 2), t_end=5.0)
    again = dy.load(flow.save(tmp_path / "flow.npz"))
    assert (again.kind, again.names, again.provenance) == (flow.kind, flow.names, flow.provenance)
    for field in ("t", "log_t", "y", "loss", "multiplicity"):
        assert np.array_equal(getattr(again, field), getattr(flow, field))
    assert again.attention.keys() == flow.attention.keys()
    assert all(np.array_equal(again.attention[name], flow.attention[name]) for name in flow.attention)
    assert again.spread is None


def test_numbers_of_any_kind_can_be_saved(tmp_path):
    system = dy.reduce(dy.Setting(dy.Geometry.scaling(np.int64(30), 0.55, 0.3)), "local", "mean-field")
    assert system.setting.geometry.patches == pytest.approx(1e30, rel=1e-12)
    for given in ({"t_end": np.float32(5)}, {"log_t_end": Fraction(3, 2)}, {"until": ("target", np.float32(0.4))}):
        flow = dy.integrate(system, **given)
        assert dy.load(flow.save(tmp_path / "flow.npz")).provenance == flow.provenance


def test_a_file_says_what_made_it():
    made = dy.integrate(dy.reduce(WIDE, "local", "mean-field"), t_end=5.0).provenance
    assert made["exactness"] == "large-P, continuous-time"
    assert made["method"] == "DOP853"
    assert set(made["versions"]) >= {"sympy", "numpy", "scipy", "numba"}
    assert len(made["equations"]) == 16
    assert (made["t_end"], made["variable"], made["start"]) == (5.0, "arc-length", "Q = 0")
    assert made["labels"] == WIDE.geometry.area_of.tolist()
    real = dy.Setting(dy.Geometry.scaling(3, 2 / 3, 1 / 3))
    made = dy.descend(dy.reduce(real, "local", "mean-field", merge=False), 0.1, 6, every=2).provenance
    assert (made["powers"], made["every"], made["merge"]) == (real.geometry.powers, 2, False)
    assert dy.Geometry.scaling(**made["powers"]).class_copies == pytest.approx([1, 90])
    assert dy.descend(dy.reduce(TWO, 0), 0.1, 2).provenance["exactness"] == "exact"


def test_a_failed_save_leaves_no_file(tmp_path, monkeypatch):
    flow = dy.descend(dy.reduce(TWO, 0), 0.1, 2)
    monkeypatch.setattr(np, "savez_compressed", lambda *a, **k: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        flow.save(tmp_path / "flow.npz")
    assert list(tmp_path.iterdir()) == []


def test_a_coordinate_is_found_by_its_name():
    flow = dy.integrate(dy.reduce(WIDE, "local", "mean-field"), t_end=5.0)
    assert np.array_equal(flow["pp.self"], flow.y[-1])
    with pytest.raises(KeyError, match=r"'fp\.mine'.*fp\.target"):
        flow["fp.mine"]


def test_attention_sums_to_one_along_a_curve():
    flow = dy.integrate(dy.reduce(TWO, 2), t_end=50.0)
    assert np.abs(sum(flow.attention.values()) - 1).max() <= 1e-14


def test_a_comparison_names_what_differs():
    system = dy.reduce(WIDE, "local", "mean-field")
    first, second = dy.descend(system, 1.0, 20), dy.descend(system, 1.0, 20)
    assert dy.compare(first, second, tolerance=0.0).agrees
    second.y[1, 7] += 1e-3
    table = dy.compare(first, second)
    assert [row.coordinate for row in table.rows if not row.agrees] == ["fp.global"]
    assert table.largest == pytest.approx(1e-3)
    assert "differs" in str(table)
    assert table.rows[1].final == 0.0


def test_only_common_times_and_coordinates_compare():
    system = dy.reduce(WIDE, "local", "mean-field")
    steps = dy.descend(system, 1.0, 20)
    with pytest.raises(ValueError, match="no time in common"):
        dy.compare(steps, dy.integrate(system, t_end=9.0, t_eval=[0.5, 1.5]))
    with pytest.raises(ValueError, match="second="):
        dy.compare(steps, dy.descend(dy.reduce(WIDE, "global", "mean-field"), 1.0, 20))
    assert dy.compare(steps, dy.integrate(system, t_end=9.0, t_eval=[0.5, 2.0, 3.0 + 1e-9]), 1.0).times == 1
    with pytest.raises(ValueError, match="no time in common"):  # but t = 0
        dy.compare(steps, dy.integrate(system, t_end=9.0, t_eval=[0.0, 0.5]))


def test_a_curve_draws_itself():
    import matplotlib as mpl

    mpl.use("Agg")
    axes = dy.integrate(dy.reduce(WIDE, "local", "mean-field"), t_end=5.0).plot(names=("fp.target", "fp.global"))
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        r"$\Phi_{\mathrm{target}}$",
        r"$\Phi_{\mathrm{global}}$",
    ]
    one = dy.integrate(dy.reduce(WIDE, "local", "mean-field"), t_end=5.0).plot(names="fp.other")
    assert [text.get_text() for text in one.get_legend().get_texts()] == [r"$\Phi_{\mathrm{other}}$"]


def test_a_flow_equals_itself_even_where_its_times_repeat():
    large = dy.reduce(dy.Setting(dy.Geometry.scaling(60, 0.98, 0.3)), "local", "mean-field")
    flow = dy.integrate(large, until=("target", 0.9))
    assert len(np.unique(flow.t)) < len(flow.t)
    assert dy.compare(flow, flow, tolerance=0.0).agrees
