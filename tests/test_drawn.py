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
from tests.settings import NARROW, TWO, WIDE


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


def lines(axes):
    """Those of coordinates: no marks of phases."""
    return [line for line in axes.get_lines() if str(line.get_gid()).startswith("curve")]


def marks(axes):
    return [line.get_xdata()[0] for line in axes.get_lines() if line not in lines(axes)]


def entries(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_a_flow_is_lines_through_its_records_and_smooth_between_them():
    axes = drawn(flow())
    for drawn_line, values in zip(lines(axes), flow().y, strict=True):
        assert np.interp(flow().t, *drawn_line.get_data()) == pytest.approx(values, abs=1e-9)
    dense = dy.integrate(dy.reduce(WIDE, "local"), t_end=flow().t[-1], t_eval=np.linspace(1, flow().t[-1], 400))
    t, values = lines(axes)[0].get_data()
    straight = np.interp(dense.t, flow().t, flow()["fp.target"]) - dense["fp.target"]
    smooth = np.interp(dense.t, t, values) - dense["fp.target"]
    assert np.abs(smooth).max() < np.abs(straight).max() / 5


def test_colours_say_what_a_correlation_is_about_and_lines_of_what_kind_it_is():
    of_flow = dict(zip(flow().names, lines(drawn(flow())), strict=True))
    assert all(one.get_linestyle() == ("-" if name.startswith("fp") else "--") for name, one in of_flow.items())
    for about in ("target", "global", "other"):
        assert of_flow[f"fp.{about}"].get_color() == of_flow[f"pp.{about}"].get_color()
    assert len({one.get_color() for one in of_flow.values()}) == 4
    numbered = dict(zip(steps().names, lines(drawn(steps())), strict=True))
    fp = [numbered[name].get_color() for name in steps().names if name.startswith("fp")]
    assert sorted(fp) == sorted(PALETTE)
    assert [numbered[name].get_color() for name in steps().targets] == [*PALETTE[:2]]


def test_the_legend_has_the_symbols_of_the_paper():
    assert entries(drawn(flow()))[0] == r"$\Phi_{\mathrm{target}}$"
    assert entries(drawn(flow()))[-2:] == [r"$\Upsilon_{\mathrm{self}}$", "end of phase I"]
    assert entries(drawn(steps(), ["fp[0,1]", "pp[2,2]"])) == [r"$\Phi_{0,1}$", r"$\Upsilon_{2,2}$"]


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
    t, values = lines(axes)[0].get_data()
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
    for drawn_line, values in zip(lines(drawn(steps())), steps().y, strict=True):
        assert np.array_equal(drawn_line.get_data(), [steps().t, values])


def test_axes_that_are_given_are_all_that_is_drawn_in(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)  # an import of it fails
    axes = drawn(flow())
    points = dataclasses.replace(flow(), kind="training", spread=np.zeros_like(flow().y))
    assert points.plot(axes) is axes
    assert len(axes.containers) == len(flow().names)
    symbols = [label for label in entries(axes) if label.startswith("$")]  # points over lines: one entry each
    assert len(symbols) == len(set(symbols)) == len(flow().names)
    assert entries(axes)[-2:] == ["1: flow, exact", "2: training, exact"]
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
        assert all(len(one.get_xdata()) == records for one in lines(drawn(short)))


# --- where, what, and several ---


def axes_of_a_figure():
    figure = Figure(layout="constrained")
    FigureCanvasAgg(figure)
    return figure.subplots()


@pytest.mark.parametrize(
    "call",
    [
        lambda curve, axes: curve.plot("fp.global", axes),
        lambda curve, axes: curve.plot(axes, "fp.global"),
        lambda curve, axes: curve.plot(["fp.global"], ax=axes),
        lambda curve, axes: curve.plot(names=("fp.global",), axes=axes),
        lambda curve, axes: curve.plot(axes=axes, names="fp.global", ax=axes),
        lambda curve, axes: curve.plot(np.array(["fp.global"]), axes),
    ],
)
def test_a_coordinate_and_the_axes_are_given_in_any_way(call):
    axes = axes_of_a_figure()
    assert call(flow(), axes) is axes
    (line,) = lines(axes)
    assert np.interp(flow().t, *line.get_data()) == pytest.approx(flow()["fp.global"], abs=1e-9)
    assert axes.get_ylabel() == r"correlations $\Phi$"


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"names": "fp.globl"}, KeyError, "did you mean 'fp.global'"),
        ({"names": ["fp.target", "pp.slef"]}, KeyError, "did you mean 'pp.self'"),
        ({"names": 3}, ValueError, "names=3: expected names of coordinates: fp.target, fp.global"),
        ({"names": {"fp.target": 1}}, ValueError, "names="),
        ({"axes": "left"}, ValueError, "axes='left': expected Axes of Matplotlib"),
        ({"ax": 1}, ValueError, "ax=1: expected Axes of Matplotlib"),
        ({"axes": axes_of_a_figure(), "ax": axes_of_a_figure()}, ValueError, "ax=.*expected the same as axes="),
    ],
)
def test_what_is_no_coordinate_or_no_axes_is_refused_before_anything_is_drawn(given, error, said):
    with pytest.raises(error, match=said):
        flow().plot(**given)
    assert not any(one.has_data() for one in given.values() if hasattr(one, "has_data"))


def slow_start():
    return dy.descend(dy.reduce(WIDE, "local"), 0.5, 100)


def trained_on_masks():
    return dy.FiniteTransformer(WIDE, basis="coordinates").train(0.5, 100, 16).of("local")


@pytest.mark.parametrize("curve", [flow, far, slow_start, trained_on_masks])
def test_the_end_of_phase_one_is_marked(curve):
    first, axes = curve().phases[0], drawn(curve())
    assert first.name == "decoupling"
    assert marks(axes) == [first.end if np.isfinite(curve().t).all() else first.log_end]
    assert "end of phase I" in entries(axes)


def test_no_phase_that_ends_within_the_curve_is_no_mark():
    one_phase = dy.integrate(dy.reduce(NARROW, "local"), until=("target", 0.5))
    assert [phase.name for phase in one_phase.phases] == ["growth"]
    for curve in (one_phase, dy.integrate(dy.reduce(WIDE, "local"), t_end=2.0)):
        assert marks(drawn(curve)) == []
        assert "end of phase I" not in entries(drawn(curve))


def test_curves_in_the_same_axes_are_told_apart():
    mean, other = (dy.integrate(dy.reduce(WIDE, "local", closure), t_end=60.0) for closure in ("mean-field", "exact"))
    axes, curves = axes_of_a_figure(), [flow(), mean, other, slow_start(), trained_on_masks(), trained_on_masks()]
    for curve in curves:
        curve.plot(["fp.target", "pp.self"], ax=axes)
    looks = [(line.get_marker(), line.get_linestyle(), line.get_color()) for line in lines(axes)]
    assert len(set(looks)) == len(looks) == 2 * len(curves)
    assert entries(axes)[3:] == [
        "1: flow, exact",
        "2: flow, mean-field",
        "3: flow, exact",
        "4: descent, exact",
        "5: training, sampled",
        "6: training, sampled",
    ]
    shown = [(line.get_marker(), line.get_linestyle()) for line in axes.get_legend().legend_handles[3:]]
    assert len(set(shown)) == 6
    assert len(marks(axes)) == 6
    assert entries(axes).count("end of phase I") == 1


def test_the_style_is_the_users():
    import matplotlib as mpl

    mine = {"axes.facecolor": "black", "text.color": "white", "font.family": "serif", "lines.linewidth": 3.0}
    mpl.use("Agg")
    with mpl.rc_context(mine | {"figure.figsize": (9, 4)}):
        axes = flow().plot()
    assert axes.get_facecolor() == (0, 0, 0, 1)
    assert axes.xaxis.label.get_fontfamily() == ["serif"]
    assert axes.get_legend().get_texts()[0].get_color() == "white"
    assert [*axes.figure.get_size_inches()] == [9, 4]
    assert lines(axes)[0].get_linewidth() == 2 * drawn(flow()).get_lines()[0].get_linewidth()
    mpl.pyplot.close(axes.figure)
