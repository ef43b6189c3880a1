"""What of the user's style is taken into the figures that are drawn from Python, and what is not."""

import matplotlib as mpl
import matplotlib.style
import numpy as np
import pytest
from matplotlib.colors import to_rgb, to_rgba

import figures
from figures import golden, style
from figures.output import write
from figures.table import read_csv

DRAWN = ["crosscheck", "loss", "gaps", "regimes", "claims"]


def drawn(name, **users):
    with mpl.rc_context(users):
        return figures.draw(read_csv(golden._path(name)))


def texts(figure):
    return [one for one in figure.findobj(mpl.text.Text) if one.get_text()]


def plots(figure):
    """Axes that hold lines, not maps or colour bars."""
    return [axes for axes in figure.axes if axes.get_lines()]


@pytest.mark.parametrize("name", DRAWN)
def test_fonts_colours_and_grids_are_the_users(name):
    users = {
        "font.family": ["serif"],
        "axes.facecolor": "#eeeeff",
        "figure.facecolor": "#112233",
        "text.color": "#abcdef",
    }
    found, plain = drawn(name, **users, **{"axes.grid": True, "axes.edgecolor": "red"}), drawn(name)
    assert {tuple(one.get_fontfamily()) for one in texts(found)} == {("serif",)}
    assert {tuple(one.get_fontfamily()) for one in texts(plain)} == {("sans-serif",)}
    assert found.get_facecolor() == to_rgba("#112233")
    assert {axes.get_facecolor() for axes in plots(found)} == {to_rgba("#eeeeff")}
    assert all(axes.spines["left"].get_edgecolor() == to_rgba("red") for axes in plots(found))
    assert any(one.get_visible() for axes in plots(found) for one in axes.get_xgridlines())
    assert not any(one.get_visible() for axes in plots(plain) for one in axes.get_xgridlines())


@pytest.mark.parametrize("name", DRAWN)
def test_sizes_are_those_of_print(name):
    large = {
        "figure.figsize": (20, 20),
        "font.size": 24,
        "axes.labelsize": 30,
        "lines.markersize": 20,
        "axes.titlepad": 90,
    }
    large |= {"figure.subplot.left": 0.4, "xtick.major.size": 30, "legend.fontsize": 30, "figure.dpi": 33}
    found, plain = drawn(name, **large), drawn(name)
    assert [*found.get_size_inches()] == [*plain.get_size_inches()] == [*figures.module(name).SIZE]
    assert [one.get_fontsize() for one in texts(found)] == [one.get_fontsize() for one in texts(plain)]
    for axes, before in zip(found.axes, plain.axes, strict=True):
        assert axes.get_position().bounds == pytest.approx(before.get_position().bounds, abs=0.01)


def test_smaller_fonts_are_taken_in_proportion():
    found, plain = drawn("crosscheck", **{"font.size": 6}), drawn("crosscheck")
    sizes = [[one.get_fontsize() for one in texts(figure)] for figure in (found, plain)]
    assert np.divide(*sizes) == pytest.approx(np.full(len(sizes[0]), 6 / 8))


@pytest.mark.parametrize("name", figures.FIGURES)
def test_a_dark_page_swallows_no_ink(name):
    with matplotlib.style.context("dark_background"):
        found = figures.draw(read_csv(golden._path(name)))
    lines = [line for axes in plots(found) if not (axes.images or axes.collections) for line in axes.get_lines()]
    assert to_rgb(style.INK) not in [to_rgb(line.get_color()) for line in lines if line.get_color() != "none"]
    outside = [one for one in texts(found) if one.axes is None]
    assert {to_rgb(one.get_color()) for one in outside} <= {(1, 1, 1)}
    assert to_rgb(found.get_facecolor()) == (0, 0, 0)


@pytest.mark.parametrize(
    "key", ["text.usetex", "text.parse_math", "text.latex.preamble", "savefig.bbox", "figure.autolayout"]
)
def test_what_our_labels_and_widths_are_not_made_for_is_left(key):
    values = {"text.usetex": True, "text.parse_math": False, "text.latex.preamble": r"\usepackage{x}"}
    values |= {"savefig.bbox": "tight", "figure.autolayout": True}
    with mpl.rc_context({key: values[key]}):
        assert style.users() == {}


def test_the_command_line_draws_the_same_bytes_whatever_the_users_style(tmp_path, known_tables):
    bytes_of = []
    for i, users in enumerate(({}, {"font.family": ["serif"], "axes.facecolor": "red", "svg.hashsalt": "mine"})):
        out = tmp_path / str(i)
        out.mkdir()
        with mpl.rc_context(users):
            write("crosscheck", True, out, ["png", "svg"])
        bytes_of.append([(out / f"crosscheck.{suffix}").read_bytes() for suffix in ("png", "svg")])
    assert bytes_of[0] == bytes_of[1]
