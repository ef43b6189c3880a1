"""A sweep as a picture: a heat map over two numbers, else curves that a legend tells apart."""

import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import QuadMesh
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from dynamics.drawn import put_beside
from dynamics.swept import draw_table, label


def table(measure, **over):
    """The table of a sweep, of a function of its parameters."""
    points = list(itertools.product(*over.values()))
    columns = {name: np.array([point[i] for point in points]) for i, name in enumerate(over)}
    return columns | {"half_time": np.array([measure(*point) for point in points], dtype=float)}


def drawn(columns, over):
    figure = Figure(figsize=(5.0, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    draw_table(axes, columns, over, "half_time")
    figure.draw_without_rendering()
    return axes


def mesh(axes):
    (found,) = [one for one in axes.collections if isinstance(one, QuadMesh)]
    return found


def test_two_numbers_are_a_heat_map_with_a_colour_bar():
    columns = table(lambda gamma, z: 10 * gamma + z, mask_ratio=[0.2, 0.5, 0.6], latent=[1, 2])
    axes = drawn(columns, ["mask_ratio", "latent"])
    assert mesh(axes).get_array().tolist() == [[3, 6, 7], [4, 7, 8]]
    edges = np.asarray(mesh(axes).get_coordinates())
    assert edges[0, :, 0] == pytest.approx([0.05, 0.35, 0.55, 0.65])
    assert edges[:, 0, 1] == pytest.approx([0.5, 1.5, 2.5])
    assert (axes.get_xlabel(), axes.get_ylabel()) == (r"mask ratio $\gamma$", "latent $z$")
    bar = axes.figure.axes[1]
    assert bar.get_ylabel() == label("half_time")
    assert mesh(axes).get_cmap().name == "viridis"
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "linear")


def test_points_that_failed_are_hatched():
    columns = table(lambda x, y: np.inf if x == y else x + y, kappa_s=[1.0, 2.0], kappa_c=[1.0, 2.0, 3.0])
    columns["half_time"][1] = np.nan
    axes = drawn(columns, ["kappa_s", "kappa_c"])
    assert mesh(axes).get_array().mask.tolist() == [[True, False], [True, True], [False, False]]
    assert axes.patch.get_hatch() == "////"
    assert np.isfinite([mesh(axes).norm.vmin, mesh(axes).norm.vmax]).all()
    nothing = drawn(columns | {"half_time": np.full(6, np.nan)}, ["kappa_s", "kappa_c"])
    assert mesh(nothing).get_array().mask.all()


def test_equal_ratios_go_by_their_logarithms():
    columns = table(lambda x, z: x * z, log10_patches=np.geomspace(3, 3000, 7), latent=np.linspace(0.5, 2, 4))
    axes = drawn(columns, ["log10_patches", "latent"])
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
    assert np.asarray(mesh(axes).get_coordinates())[0, 1:-1, 0] ** 2 == pytest.approx(
        np.geomspace(3, 3000, 7)[:-1] * np.geomspace(3, 3000, 7)[1:]
    )
    assert isinstance(mesh(axes).norm, LogNorm)  # from 1.5 to 6000
    for values, scale in (
        (np.geomspace(1, 8, 4), "log"),
        ([1, 2, 4, 9], "linear"),
        ([1, 2], "linear"),
        ([-4, -2, -1], "linear"),
    ):
        assert drawn(table(lambda x: x, latent=values), ["latent"]).get_xscale() == scale


def test_a_number_alone_is_a_curve_in_its_order():
    axes = drawn(table(lambda z: z**2, latent=[3.0, 1.0, 2.0]), ["latent"])
    (line,) = axes.get_lines()
    assert np.array(line.get_data()).tolist() == [[1, 2, 3], [1, 4, 9]]
    assert axes.get_legend() is None
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("latent $z$", "half-time $T$")


@pytest.mark.parametrize("words", [2, 6, 7, 24, 60])
def test_curves_of_words_are_told_apart_by_a_legend(words):
    names = [f"word {i}" for i in range(words)]
    axes = drawn(table(lambda word, z: len(word) + z, closure=names, latent=[1.0, 2.0]), ["closure", "latent"])
    looks = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in axes.get_lines()}
    assert len(looks) == len(axes.get_lines()) == words
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [f"closure = {name}" for name in names]
    put_beside(axes.get_legend(), axes.figure, least=3.2)
    axes.figure.draw_without_rendering()
    assert axes.get_position().width * axes.figure.get_figwidth() > 2.3  # inches: the legend does not swallow them


def test_more_numbers_than_two_or_numbers_of_one_value_are_curves():
    three = table(lambda x, y, z: x + y + z, kappa_c=[0.7, 0.1 * 3, 0.9], kappa_s=[0.2, 0.3], latent=[1, 2])
    axes = drawn(three, ["kappa_c", "kappa_s", "latent"])
    said = [text.get_text() for text in axes.get_legend().get_texts()]
    assert said == [rf"$\kappa_s$ = {s}, latent $z$ = {z}" for s in (0.2, 0.3) for z in (1, 2)]
    one = drawn(table(lambda x, z: x + z, kappa_s=[0.3], latent=[1, 2, 3]), ["kappa_s", "latent"])
    assert one.get_xlabel() == "latent $z$"
    assert len(one.get_lines()) == 1
    flags = drawn(table(lambda merge, z: z, merge=[True, False], latent=[1, 2]), ["merge", "latent"])
    assert [text.get_text() for text in flags.get_legend().get_texts()] == ["merge = True", "merge = False"]


def test_too_many_curves_for_any_legend_say_how_many_they_are():
    axes = drawn(table(lambda w, z: z, closure=[f"{i}" for i in range(90)], latent=[1, 2]), ["closure", "latent"])
    assert axes.get_legend() is None
    assert axes.get_title("left") == "90 curves: closure"
