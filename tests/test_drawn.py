"""A curve as a picture: its records, colours by what a correlation is about, and the symbols of the paper."""

import dataclasses
import io
import sys
from functools import cache

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import dynamics as dy
from dynamics.drawn import MOST_NAMED, MOST_POINTS, PALETTE
from tests.curves import flow, steps
from tests.settings import TWO, WIDE


@cache
def training():
    """Of the transformer, with a spread that can be seen."""
    curve = dy.FiniteTransformer(TWO, basis="coordinates").train(0.5, 61).of(3)
    return dataclasses.replace(curve, spread=np.tile(np.linspace(0, 1, 62), (11, 1)))


@cache
def far():
    setting = dy.Setting(dy.Geometry.scaling(1000, 0.98, 0.3))
    return dy.integrate(dy.reduce(setting, "local", "mean-field"), until=("target", 0.5))


def drawn(curve, names=None):
    """A curve in axes of a figure that no one manages, with what the picture takes."""
    figure = Figure(layout="constrained")
    FigureCanvasAgg(figure)
    axes = curve.plot(figure.subplots(), names)
    figure.savefig(io.BytesIO())
    return axes


def test_a_flow_is_lines_through_its_records_and_smooth_between_them():
    axes = drawn(flow())
    for drawn_line, values in zip(axes.get_lines(), flow().y, strict=True):
        assert np.interp(flow().t, *drawn_line.get_data()) == pytest.approx(values, abs=1e-9)
    dense = dy.integrate(dy.reduce(WIDE, "local"), t_end=flow().t[-1], t_eval=np.linspace(1, flow().t[-1], 400))
    t, values = axes.get_lines()[0].get_data()
    straight = np.interp(dense.t, flow().t, flow()["fp.target"]) - dense["fp.target"]
    smooth = np.interp(dense.t, t, values) - dense["fp.target"]
    assert np.abs(smooth).max() < np.abs(straight).max() / 5


def test_colours_say_what_a_correlation_is_about_and_lines_of_what_kind_it_is():
    lines = dict(zip(flow().names, drawn(flow()).get_lines(), strict=True))
    assert all(one.get_linestyle() == ("-" if name.startswith("fp") else "--") for name, one in lines.items())
    for about in ("target", "global", "other"):
        assert lines[f"fp.{about}"].get_color() == lines[f"pp.{about}"].get_color()
    assert len({one.get_color() for one in lines.values()}) == 4
    numbered = dict(zip(steps().names, drawn(steps()).get_lines(), strict=True))
    fp = [numbered[name].get_color() for name in steps().names if name.startswith("fp")]
    assert sorted(fp) == sorted(PALETTE)
    assert [numbered[name].get_color() for name in steps().targets] == [*PALETTE[:2]]


def test_the_legend_has_the_symbols_of_the_paper():
    said = [text.get_text() for text in drawn(flow()).get_legend().get_texts()]
    assert said[0] == r"$\Phi_{\mathrm{target}}$"
    assert said[-1] == r"$\Upsilon_{\mathrm{self}}$"
    said = [text.get_text() for text in drawn(steps(), ["fp[0,1]", "pp[2,2]"]).get_legend().get_texts()]
    assert said == [r"$\Phi_{0,1}$", r"$\Upsilon_{2,2}$"]


def test_a_training_is_points_with_its_spread():
    curve, containers = training(), drawn(training()).containers
    assert len(containers) == len(curve.names)
    for values, spread, name, (points, _, (bars,)) in zip(curve.y, curve.spread, curve.names, containers, strict=True):
        assert points.get_linestyle() == "None"
        assert (points.get_markerfacecolor() == points.get_color()) == name.startswith("fp")
        assert np.array_equal(points.get_data(), [curve.t, values])
        ends = np.array([segment[:, 1] for segment in bars.get_segments()])
        every = slice(None, None, -(-len(values) // MOST_POINTS))  # back from the last
        assert ends[::-1] == pytest.approx(np.stack([values - spread, values + spread], axis=1)[::-1][every])


def test_times_that_are_no_floats_are_drawn_by_their_logarithms():
    axes = drawn(far())
    assert axes.get_xlabel() == r"$\log\,t$"
    t, values = axes.get_lines()[0].get_data()
    assert (t[-1], values[-1]) == pytest.approx((far().log_t[-1], far().y[0, -1]))
    assert np.isfinite(t).all()
    assert drawn(flow()).get_xlabel() == "time $t$"


def test_many_curves_have_a_note_and_no_legend():
    labels = [np.arange(30) // 3, np.roll(np.arange(30) // 3, 1)]
    curve = dy.descend(dy.reduce(dy.Setting(dy.Geometry.from_labels(labels)), 0, "mean-field"), 1.0, 3)
    assert len(curve.names) > MOST_NAMED
    axes = drawn(curve)
    assert axes.get_legend() is None
    assert axes.get_title("left").startswith(f"{len(curve.names)} correlations: Φ solid, Υ dashed")
    assert drawn(curve, curve.names[:MOST_NAMED]).get_legend() is not None


def test_a_descent_is_lines_through_its_records():
    for drawn_line, values in zip(drawn(steps()).get_lines(), steps().y, strict=True):
        assert np.array_equal(drawn_line.get_data(), [steps().t, values])


def test_axes_that_are_given_are_all_that_is_drawn_in(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)  # an import of it fails
    axes = drawn(flow())
    points = dataclasses.replace(flow(), kind="training", spread=np.zeros_like(flow().y))
    assert points.plot(axes) is axes
    assert len(axes.containers) == len(flow().names)
    labels = axes.get_legend_handles_labels()[1]  # points over lines of the same names: one entry each
    assert len(labels) == len(set(labels)) == len(axes.get_legend().get_texts()) == len(flow().names)
    with pytest.raises(ImportError):
        flow().plot()


def test_a_new_figure_is_opened_for_names_that_are_there():
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    with pytest.raises(KeyError, match=r"'fp\.mine': expected one of fp\.target"):
        flow().plot(names="fp.mine")
    assert plt.get_fignums() == before
    axes = flow().plot(names=["pp.self"])
    assert plt.get_fignums() == [*before, axes.figure.number]
    assert axes.get_ylabel() == r"correlations $\Upsilon$"
    plt.close(axes.figure)


@pytest.mark.parametrize("records", [0, 1, 2])
def test_few_records_are_drawn(records):
    for curve in (flow(), training()):
        parts = {name: getattr(curve, name)[..., :records] for name in ("t", "y", "log_t")}
        short = dataclasses.replace(curve, spread=None if curve.spread is None else curve.spread[:, :records], **parts)
        assert all(len(one.get_xdata()) == records for one in drawn(short).get_lines())
