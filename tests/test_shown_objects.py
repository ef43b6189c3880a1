"""What a terminal and a notebook show of an object: one short line, and a table."""

import dataclasses
import inspect
import math
import re
from functools import cache
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import derivations as dv
import dynamics as dy
import figures
from dynamics.shown import LONGEST, MOST_ROWS, Sheet, line, moment, number, power
from figures.table import Table
from tests.curves import flow, steps
from tests.settings import THREE, TWO, WIDE
from tests.strategies import geometries, geometries_of_classes, settings_of_learning

LATENTS = dy.Setting(WIDE.geometry, latent=(np.linspace(0.1, 2, 16), np.full(16, 1 / 16)))
SCALING = dy.Setting(dy.Geometry.scaling(1000, 0.98, 0.3))


@cache
def local():
    return dy.reduce(WIDE, "local", "mean-field")


@cache
def training():
    return dy.FiniteTransformer(TWO, basis="coordinates").train(0.5, 60)


@cache
def far():
    return dy.integrate(dy.reduce(SCALING, "local", "mean-field"), until=("target", 0.5))


@cache
def closures():
    return dy.closure_error(WIDE, "local", flow().y[:, -1], samples=10)


@cache
def itself():
    return dy.compare(flow(), flow(), tolerance=1e-12)


# What makes an object, and its line, with # for numbers that are measured.
LINES = {
    "Geometry(64 patches: areas of 40 and 4 × 6)": lambda: WIDE.geometry,
    "Geometry(6 patches on a 2 × 3 grid: areas of 3 × 2)": (
        lambda: dy.Geometry.from_labels([[0, 0, 1, 1, 2, 2]], grid=(2, 3))
    ),
    "Geometry(7 patches in 5 classes, 2 clusters: areas of 3 and 2 × 2; 2 × 3 and 1)": lambda: TWO.geometry,
    "Geometry(2 patches: one area)": lambda: dy.Geometry.from_labels([[0, 0]]),
    "Geometry(1 patch: one area)": lambda: dy.Geometry.from_labels([[0]]),
    "Geometry(15 patches: 5 areas of 1 to 5)": lambda: dy.Geometry.from_labels(
        np.repeat(np.arange(5), np.arange(1, 6))
    ),
    "Geometry.scaling(log10_patches=30, kappa_c=0.98, kappa_s=0.3)": lambda: dy.Geometry.scaling(30, 0.98, 0.3),
    "Geometry.scaling(log10_patches=30, kappa_c=None, kappa_s=0.3, areas=4)": (
        lambda: dy.Geometry.scaling(30, None, 0.3, 4)
    ),
    "Law(z = 1)": lambda: WIDE.law,
    "Law(z = 0.4, 1 or 1.7, weights 0.2, 0.5 and 0.3)": lambda: TWO.law,
    "Law(16 values from 0.1 to 2)": lambda: LATENTS.law,
    "Setting(64 patches: areas of 40 and 4 × 6, latent 1, 32 masked, Δ = 0.343)": lambda: WIDE,
    "Setting(P = 10^1000, κc = 0.98, κs = 0.3, latent 1, γ = 0.5, Δ = 0.66)": lambda: SCALING,
    "System(query 'local' of 64 patches, mean-field (large-P), 7 coordinates: "
    "fp.target, fp.global, fp.other, pp.target, …)": local,
    "System(query 3 of 7 patches, exact by enumeration, latent 0.4, 1 or 1.7, weights 0.2, 0.5 and 0.3, "
    "11 coordinates: fp[…)": lambda: dy.reduce(TWO, np.int64(3)),
    "System(query 'local' of 64 patches, sampled 9 times, seed 5, 7 coordinates: fp.target, fp.global, fp.other, …)": (
        lambda: dy.reduce(WIDE, "local", "sampled", samples=9, seed=5)
    ),
    "Trajectory(flow of query 'local', exact, continuous-time, # times to t = 52.6, 7 coordinates, "
    "attention on target 0.5)": flow,
    "Trajectory(descent of query 3, exact, latent 0.4, 1 or 1.7, weights 0.2, 0.5 and 0.3, 61 times to t = 30, "
    "11 coordinat…)": steps,
    "Phase(growth from t = 10.97 until t = 52.6: attention on target = 0.5)": lambda: flow().phases[1],
    "Phase(growth from log t = 1612 until log t = 1613: attention on target = 0.5)": lambda: far().phases[1],
    "Comparison(7 coordinates agree at # times, largest difference 0, tolerance 1e-12)": itself,
    "Comparison(7 coordinates are consistent at # times, largest difference 0, tolerance #)": (
        lambda: dy.compare(flow(), flow())
    ),
    "Comparison(1 of 7 coordinates differ at # times, largest difference 0.5, tolerance 1e-12)": (
        lambda: dataclasses.replace(
            itself(), rows=(dataclasses.replace(itself().rows[0], largest=0.5), *itself().rows[1:])
        )
    ),
    "Difference(fp.target differs, largest 0.5, final 0.25, tolerance 1e-12)": (
        lambda: dataclasses.replace(itself().rows[0], largest=0.5, final=0.25)
    ),
    "ClosureError(exact (conditional), rate off by 0, loss by 0, # µs)": lambda: closures()["exact"],
    "ClosureErrors(of the rate: exact 0, sampled #, mean-field #, second-order #)": closures,
    "MaxMargin(‖θ*‖² = #, fp.target #, fp.global #, fp.other #, pp.target #, pp.global #, …)": (
        lambda: dy.max_margin(WIDE, "local")
    ),
    "Exponent(half-time = 0.7 ± #, derived 0.7: agrees, the paper's bound 0.7)": (
        lambda: dy.exponent("half-time", 0.98, 0.3)
    ),
    "Exponent(pp-over-fp = 0.7 ± 2e-09, derived 0.8: differs, preasymptotic)": (
        lambda: dy.Exponent("pp-over-fp", 0.7, 2e-9, 0.8, None, True, True, *np.ones((3, 4)))
    ),
    "Endpoints(1 flow of 7 coordinates, log t = 3.915, 1 arrived)": (
        lambda: dy.endpoints([local()], until=("target", 0.5))
    ),
    "Endpoints(3 flows of 2 coordinates, log t = 1 to 2, 1 arrived, 1 failed)": (
        lambda: dy.Endpoints(np.array([1, np.nan, 2]), np.zeros((2, 3)), np.array([True, False, False]))
    ),
    "Training(7 patches, latent 0.4, 1 or 1.7, weights 0.2, 0.5 and 0.3, 60 steps of η = 0.5, exact gradients, "
    "61 records t…)": training,
    "FiniteTransformer(64 patches: areas of 40 and 4 × 6, d = 69, random basis, seed 1.00000e+400, 2 threads)": (
        lambda: dy.FiniteTransformer(WIDE, seed=10**400, threads=2)
    ),
    "CacheInfo(/a/folder, 3 files of 1.5 MB, kernels ready: rows, logs)": (
        lambda: dy.CacheInfo(Path("/a/folder"), ("rows", "logs"), 3, 1.5)
    ),
    "Table(half_times: 2 rows of a, b)": lambda: Table({"a": np.ones(2), "b": np.ones(2)}, {"figure": "half_times"}),
    "Table(0 rows of )": lambda: Table({}),
}
LONG = {
    "flow at any P": far,
    "training": lambda: training().of(3),
    "three clusters": lambda: THREE,
    "kernels": dy.cache_info,
    "folder": lambda: dy.CacheInfo(Path("/folder" * 40), ("rows",) * 40, 3, 1.5),
    "columns": lambda: Table({f"column {i}": np.ones(2) for i in range(40)}, {"figure": "half_times"}),
}
TABLES = {
    "setting": lambda: WIDE,
    "setting of two clusters": lambda: TWO,
    "setting at any P": lambda: SCALING,
    "setting of many latents": lambda: LATENTS,
    "system": local,
    "system at any P": lambda: dy.reduce(SCALING, "local", "mean-field"),
    "flow": flow,
    "flow at any P": far,
    "training": lambda: training().of(3),
    "closures": closures,
    "comparison": itself,
}


def is_one_line(shown):
    return len(shown) <= LONGEST and "\n" not in shown and "not whole" not in shown and "array(" not in shown


def page(html):
    """The text of the cells of a table, row by row, and all of its text."""
    tree = ET.fromstring(html)
    return [tuple(cell.text or "" for cell in row) for row in tree.iter("tr")], " ".join(tree.itertext())


@pytest.mark.parametrize("expected", LINES)
def test_an_object_is_one_line_that_says_what_matters(expected):
    shown = repr(LINES[expected]())
    assert re.fullmatch(re.escape(expected).replace(r"\#", r"-?[\d.e+-]+"), shown), shown
    assert is_one_line(shown)


@pytest.mark.parametrize("name", LONG)
def test_what_is_long_to_tell_is_one_line_as_well(name):
    assert is_one_line(repr(LONG[name]()))


def test_every_public_class_and_what_public_functions_return_has_its_line():
    public = {value for value in (getattr(dy, name) for name in dy.__all__) if isinstance(value, type)}
    shown = {type(make()) for make in LINES.values()}
    assert {kind for kind in public if not issubclass(kind, Exception)} <= shown
    assert all(kind.__repr__.__qualname__ == f"{kind.__qualname__}.__repr__" for kind in shown)


@given(setting=st.one_of(settings_of_learning(geometries), settings_of_learning(geometries_of_classes)))
def test_lines_are_short_whatever_the_setting(setting):
    system = dy.reduce(setting, setting.geometry.patches - 1, "mean-field", compiled=False)
    for shown in (setting.geometry, setting.law, setting, system):
        assert is_one_line(repr(shown))
    assert ("Δ" in repr(setting)) == _has_gap(setting)
    for shown in (setting, system):
        assert shown.sheet().text()
        assert page(shown._repr_html_())[0]


def _has_gap(setting):
    try:
        return math.isfinite(setting.information_gap)
    except ValueError:
        return False


def of_scaling(*powers):
    return lambda: dy.Setting(dy.Geometry.scaling(*powers))


def of_many_clusters():
    generator = np.random.default_rng(0)
    labels = [np.r_[np.arange(5), generator.integers(0, 5, 25)] for _ in range(300)]
    return dy.Setting(dy.Geometry.from_labels(labels), cluster_weights=np.arange(1, 301) / 45150)


EXTREME = {
    "10^7 patches": lambda: dy.Setting(
        dy.Geometry(np.broadcast_to(0, 10**7), np.zeros((1, 1), int), np.array([1e7]), np.ones(1))
    ),
    "1000 equal areas": lambda: dy.Setting(dy.Geometry.single_cluster(1000, 3, 1000), latent=0.123456789),
    "1000 areas of many sizes": lambda: dy.Setting(
        dy.Geometry.from_labels(np.r_[np.arange(1000), np.random.default_rng(0).integers(0, 1000, 4000)])
    ),
    "300 clusters": of_many_clusters,
    "three clusters on a grid": lambda: dy.Setting(
        dy.Geometry.from_labels([np.roll(np.arange(900) // 9, shift) for shift in (0, 3, 450)], grid=(30, 30))
    ),
    "16 latents": lambda: LATENTS,
    "10^10^6 patches": of_scaling(1e6, 0.98, 1 / 3),
    "no global area": of_scaling(1e6, None, 0.123456789012),
    "10^300 areas": of_scaling(1e6, 0.7, 0.6, 1e300),
    "one local area": of_scaling(30, 0.9, 0.5, 1),
    "three patches": of_scaling(0.5, None, 0.01),
}


@pytest.mark.parametrize("name", EXTREME)
def test_lines_and_tables_are_short_at_any_size(name):
    setting = EXTREME[name]()
    system = dy.reduce(setting, 0 if setting.geometry.patch_class is not None else "local", "mean-field")
    for shown in (setting.geometry, setting.law, setting, system, system.coordinates):
        assert is_one_line(repr(shown))
    for shown in (setting, system):
        assert len(shown.sheet().rows) <= MOST_ROWS + 8
        assert page(shown._repr_html_())[0]


def test_many_clusters_and_coordinates_are_counted():
    setting = of_many_clusters()
    assert "and 280 more clusters" in page(setting._repr_html_())[1]
    system = dy.reduce(setting, 0, "mean-field")
    more = f"and {len(system.names) - MOST_ROWS} more coordinates"
    assert more in page(system._repr_html_())[1]
    assert more in page(dy.descend(system, 0.1, 1)._repr_html_())[1]


def test_attention_on_many_areas_is_counted():
    labels = np.r_[np.arange(30), np.repeat(np.arange(30), np.arange(30))]
    curve = dy.descend(dy.reduce(dy.Setting(dy.Geometry.from_labels(labels)), 29, "mean-field"), 0.1, 1)
    rows = [name.removeprefix("attention on ") for name, *_ in curve.sheet().rows if name.startswith("attention")]
    assert set(rows) >= {"target", "masked", "self"}
    assert len(rows) <= MOST_ROWS + 3
    assert f"and {len(curve.attention) - len(rows)} more groups of areas" in curve.sheet().note


@pytest.mark.parametrize("name", sorted({words.partition("(")[0] for words in LINES} - {"Geometry.scaling", "Table"}))
def test_a_line_of_an_object_that_was_refused_does_not_raise(name):
    kind = type(next(make() for words, make in LINES.items() if words.startswith(f"{name}(")))
    assert repr(object.__new__(kind)) == f"{kind.__name__}(not whole)"


def test_looking_at_a_system_solves_and_compiles_nothing(monkeypatch):
    system = dy.reduce(LATENTS, "local", "mean-field")

    def refuse(*_):
        raise AssertionError("heavy work")

    for name in ("dynamics.system.kernel", "dynamics.closures.exact", "dynamics.setting.Setting._floor"):
        monkeypatch.setattr(name, refuse)
    assert repr(system).startswith("System(")
    assert system._repr_html_()
    assert repr(system.setting).startswith("Setting(")
    large = dy.Setting(dy.Geometry.single_cluster(60_000, 20_000, 2))
    assert "L*" not in large._repr_html_()
    with pytest.raises(AssertionError, match="heavy work"):
        system.setting._repr_html_()


@pytest.mark.parametrize("name", TABLES)
def test_a_notebook_shows_the_table_that_a_terminal_shows(name):
    shown = TABLES[name]()
    sheet, (rows, said) = shown.sheet(), page(shown._repr_html_())
    assert rows == [*([sheet.head] if any(sheet.head) else []), *sheet.rows]
    assert sheet.title in said
    assert all(words in said for words in sheet.note.splitlines())
    text = sheet.text().splitlines()
    for row in sheet.rows:
        assert any(re.split(r"\s{2,}", written.strip()) == [cell for cell in row if cell] for written in text)


def test_a_comparison_and_the_closures_are_tables_of_their_numbers():
    row = dataclasses.replace(itself().rows[0], largest=0.5, final=0.25, tolerance=1e-3)
    table = dataclasses.replace(itself(), rows=(row,), times=3)
    assert [" ".join(written.split()) for written in str(table).splitlines()] == [
        "coordinate largest final tolerance verdict (3 times)",
        "fp.target 5.000e-01 2.500e-01 1.0e-03 differs",
    ]
    row = dataclasses.replace(closures()["mean-field"], rate=0.5, loss=0.25, seconds=2e-3)
    assert [
        " ".join(written.split()) for written in str(dataclasses.replace(closures(), rows=(row,))).splitlines()
    ] == [
        "closure mean taken by rate loss cost order of the error",
        "mean-field mean counts 5.00e-01 2.50e-01 2000 µs 1/C",
    ]


def test_a_notebook_shows_no_markup_from_a_name():
    curve = dataclasses.replace(steps(), names=("<b>bold</b>", *steps().names[1:]), provenance={"query": "<i>&amp;"})
    rows, said = page(curve._repr_html_())
    assert rows[1][0] == "<b>bold</b>"
    assert "<i>&amp;" in said
    assert "<b>" not in curve._repr_html_()
    assert not re.search("<(script|style|link|img)|color: *#", curve._repr_html_())


def test_columns_of_numbers_stand_to_the_right():
    sheet = Sheet("Title", ("name", "value", "word"), (("a", "1.5", "x"), ("bc", "-10", "yy")), "Note")
    assert sheet.text() == "Title\nname  value  word\na       1.5  x\nbc      -10  yy\nNote"
    aligned = [cell.get("style") for cell in ET.fromstring(sheet.html()).iter("td")][:3]
    assert aligned == ["text-align: left", "text-align: right", "text-align: left"]
    bare = Sheet("", ("", ""), (("a", "1"), ("bc", "10")))
    assert bare.text() == "a   1\nbc  10"
    assert "<th" not in bare.html()
    assert Sheet("", ("a", "b"), ()).text() == "a  b"


NUMBERS = {
    "1": True,
    "7": np.int64(7),
    "1234567": 1234567,
    "5000000": 5e6,
    "12345.7": 12345.678,
    "-0.343149": -0.343148934,
    "0.1": np.float32(0.1),
    "0": -0.0,
    "1.23457e+06": 1234567.5,
    "4.94066e-324": 5e-324,
    "1.00000e+400": 10**400,
    "inf": math.inf,
    "-inf": -math.inf,
    "nan": math.nan,
}


@pytest.mark.parametrize("shown", NUMBERS)
def test_numbers_are_short(shown):
    assert number(NUMBERS[shown]) == shown


def test_numbers_too_large_to_write_out_are_powers_and_logarithms():
    assert (number(123456.7, 3), number(0.0123456, 3)) == ("123457", "0.0123")
    assert (power(math.log(64.0)), power(1000 * math.log(10)), power(-math.inf)) == ("64", "10^1000", "0")
    assert (moment(0.0, -math.inf), moment(math.inf, 1613.2)) == ("t = 0", "log t = 1613.2")


def test_a_line_cuts_what_leads_before_what_follows():
    assert line("Kind", "lead " * 40, "end").endswith("lead lea…, end)")
    assert len(line("Kind", "lead " * 40, "end " * 40)) == LONGEST


def test_a_curve_shows_its_ends_its_phases_and_what_ended_them():
    sheet = flow().sheet()
    assert sheet.title == f"Flow of query 'local', exact, continuous-time, {len(flow().t)} times"
    assert sheet.head == ("", "t = 0", f"t = {flow().t[-1]:.6g}")
    rows = {row[0]: row[1:] for row in sheet.rows}
    assert [*rows] == [*flow().names, "loss", *(f"attention on {group}" for group in flow().attention)]
    for i, name in enumerate(flow().names):
        assert rows[name] == ("0", f"{flow().y[i, -1]:.6g}")
    assert rows["loss"] == (f"{flow().loss[0]:.6g}", f"{flow().loss[-1]:.6g}")
    assert rows["attention on target"] == (f"{flow().attention['target'][0]:.6g}", "0.5")
    first, second = flow().phases
    assert sheet.note.splitlines() == [
        f"decoupling until t = {first.end:.6g}: Φ of the target overtakes every other",
        f"growth until t = {second.end:.6g}: attention on target = 0.5",
    ]
    assert (str(first), str(second)) == tuple(sheet.note.splitlines())
    assert far().sheet().head[-1] == f"log t = {far().log_t[-1]:.6g}"


def test_a_training_shows_its_spread_at_the_end():
    curve = dataclasses.replace(training().of(3), spread=np.tile(np.linspace(0, 1, 61), (11, 1)))
    assert curve.sheet().head[-1] == "spread"
    assert [row[-1] for row in curve.sheet().rows] == ["1"] * 11 + [""] * (len(curve.sheet().rows) - 11)


@pytest.mark.parametrize("records", [0, 1])
def test_a_curve_of_no_or_one_record_is_shown(records):
    parts = {name: getattr(steps(), name)[..., :records] for name in ("t", "y", "loss", "log_t")}
    short = {name: on[:records] for name, on in steps().attention.items()}
    curve = dataclasses.replace(steps(), attention=short, phases=(), provenance={}, **parts)
    assert repr(curve).startswith(f"Trajectory(descent, {records} time")
    assert len(curve.sheet().head) == 1 + records
    assert len(page(curve._repr_html_())[0]) == 1 + len(curve.sheet().rows) - (0 if records else 1)


def test_the_page_of_the_package_names_everything_in_it():
    assert [name for name in dy.__all__ if name not in dy.__doc__] == []


FUNCTIONS = [
    *(one for one in (getattr(dy, name) for name in dy.__all__) if not isinstance(one, type)),
    *(dy.Setting, dy.FiniteTransformer, dy.FiniteTransformer.train, dy.FiniteTransformer.attention),
    *(dy.Geometry.single_cluster, dy.Geometry.scaling, dy.Geometry.from_labels, dy.Geometry.from_image),
    *(dy.System.rate, dy.System.terms, dy.System.attention, dy.System.equations, dy.Trajectory.plot),
    *(figures.data, figures.draw, figures.read, dv.result),
]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__qualname__)
def test_a_docstring_has_every_argument(function):
    told = inspect.getdoc(function)
    assert [name for name in inspect.signature(function).parameters if name not in told] in ([], ["self"])
