"""What a figure's parameters may be: refused before any work, and blank where a point of a range cannot be."""

import inspect
from typing import get_type_hints

import numpy as np
import pytest

import dynamics as dy
import figures
from figures.ranges import Count, Kappas, Share, accepted, corners

PARAMETERS = [(name, key) for name in figures.FIGURES for key in figures.parameters(name)._fields]
JUNK = ["x", None, 1j, {}, [], (), b"1", object(), np.zeros((2, 0)), True, float("nan"), float("inf"), -(10**30)]


def never(*_, **__):
    raise AssertionError("work was done before the parameters were checked")


@pytest.fixture
def no_work(monkeypatch):
    """Where nothing can be solved, trained or compiled."""
    for name in ("integrate", "descend", "exponent", "half_time", "log_half_time", "half_time_exponent", "plateau"):
        monkeypatch.setattr(dy, name, never)
    for where in ("compiled._found_or_made", "compiled._tiered", "transformer.FiniteTransformer.train"):
        monkeypatch.setattr(f"dynamics.{where}", never)


@pytest.mark.parametrize(("name", "key"), PARAMETERS, ids=[f"{name}-{key}" for name, key in PARAMETERS])
def test_every_parameter_refuses_what_is_not_of_its_kind(name, key, monkeypatch):
    monkeypatch.setattr(figures.module(name), "data", never)
    default = getattr(figures.parameters(name), key)
    junk = [one for one in JUNK if not isinstance(one, type(default))]
    junk += [one for one in (float("nan"), float("inf")) if isinstance(default, float)]
    if name == "claims" and key in ("slack", "plateau", "time"):
        junk = [one for one in junk if type(one) is not int]  # any number will do, by which a claim is put wrong
    junk += [True, 1.5, 10**30] if type(default) is int and "seed" not in key else []
    if isinstance(default, tuple):
        junk = [one for one in junk if (name, key) != ("diversity", "trained") or not isinstance(one, (list, tuple))]
        junk += [(*default, "x"), (*default[:-1], None), (float("nan"), *default[1:]), ((), *default[1:])]
    for one in junk:
        with pytest.raises(ValueError, match=rf"^{key}(\[\d+\])*=.*: expected "):
            figures.data(name, quick=True, **{key: one})


RATIOS = [(name, key) for name, key in PARAMETERS if key == "mask_ratio"]


@pytest.mark.parametrize("name", [name for name, _ in RATIOS])
@pytest.mark.parametrize("ratio", [0, 1, 1.5, -0.5])
def test_a_mask_ratio_is_between_none_and_all(name, ratio, no_work):
    with pytest.raises(ValueError, match=rf"^mask_ratio={ratio}: expected a number in \(0, 1\)"):
        figures.data(name, quick=True, mask_ratio=ratio)


def test_every_parameter_says_of_which_kind_it_is():
    for name in figures.FIGURES:
        own = figures.module(name).Parameters
        assert get_type_hints(own).keys() == {*own._fields}
        for quick in (False, True):
            p = figures.parameters(name, quick)
            assert figures.parameters(name, quick, **p._asdict()) == p  # what is there already is of its kind


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("regimes", {"rungs": (1000, 500)}, r"rungs=\(1000, 500\): expected two numbers, the second above the first"),
        ("regimes", {"log10_patches": 0}, r"log10_patches=0: expected a number in \(0, 1e\+06\]"),
        ("regimes", {"points": 1}, r"points=1: expected a whole number in \[2, 10000000\]"),
        ("regimes", {"rtol": 1e-20}, r"rtol=1e-20: expected a number in \[1e-13, 0\.01\)"),
        ("exponents", {"kappas": ((0.98, 1.0),)}, r"kappas\[0\]\[1\]=1\.0: expected a number in \(0, 1\)"),
        ("exponents", {"kappas": ((0.98, 0.3, 0.2),)}, r"kappas\[0\]=.*: expected the like of \(0\.98, 0\.3\)"),
        ("latent", {"ladder": (50, 100, 200)}, r"ladder=\(50, 100, 200\): expected four or more increasing"),
        ("latent", {"ratios": (1, 0.5)}, r"ratios\[1\]=0\.5: expected a finite number, 1 or more"),
        ("attention", {"queries": ((3, 8),)}, r"queries=\(3, 8\): expected rows and columns of a \(8, 8\) grid"),
        ("attention", {"block": (5, 3)}, r"block=\(5, 3\): expected patches of which \(2, 2\) blocks fit on a"),
        ("balance", {"finite": ((88, 3, 4), (88, 0, 4))}, r"finite\[1\]\[1\]=0: expected a whole number in"),
        ("balance", {"kappas": ((0.98, 0.3), (1.0, 0.3))}, r"kappa_s=0\.3: expected more than one local area"),
        ("balance", {"mask_ratio": 0.001}, r"mask_ratio=0\.001: expected a number in \(0, 1\) that masks at least"),
        ("phases", {"geometries": ((88, 3, 4), (4, 1, 1)), "mask_ratio": 0.05}, "mask_ratio=0.05: expected a number"),
        ("closures", {"flow_ratios": (0.5, 0.001)}, r"mask_ratio=0\.001: expected a number"),
        ("closures", {"window": (1e4, 1e-2)}, r"window=.*: expected two numbers, the second above the first"),
        ("gaps", {"sampled": (8, 4)}, r"sampled=\(8, 4\): expected the like of \(8, 4, 2\)"),
        ("gaps", {"flows": ((88, 3, 4), (1, 1, 1)), "mask_ratio": 0.1}, "mask_ratio=0.1: expected a number"),
        ("loss", {"trained": (8, 2, 4, 8)}, r"trained=\(8, 2, 4, 8\): expected one of the geometries"),
        ("loss", {"first": 1e5}, r"first=100000\.0: expected a time before 10000"),
        ("late-exact", {"geometries": ((8, 2, 4, 8), (8, 2, 4, 16))}, r"mask_ratio=1\.0: expected a number"),
        ("late-exact", {"last": 400.0}, r"last=400\.0: expected so few decades"),
        ("diversity", {"trained": (9,)}, r"trained=\(9,\): expected numbers below 4"),
        ("diversity", {"areas": (((9, 9), (1, 1)),), "trained": (0,)}, r"block=\(9, 9\): expected patches of which"),
        ("picture", {"query_areas": (0, 6)}, r"query_areas=\(0, 6\): expected areas of the picture, 0 to 5"),
        ("exact-196", {"early": 600.0}, r"early=600\.0: expected a time before last, 240"),
        ("crosscheck", {"labels": (((0, 0, 1),), ((0, 2, 2),))}, r"labels\[0\]=\[0, 2, 2\]: expected every area"),
        ("crosscheck", {"latent": ((0.4, 1.5), (0.6, 0.6))}, r"latent"),
        ("gap-of-pictures", {"image": "none.png"}, r"image='none\.png'"),
        ("gap-of-pictures", {"shown": 5}, r"shown=5: expected one of the numbers of areas, \(4, 8\)"),
        ("claims", {"limits": ((0.98, 0.3), (1.0, 0.3))}, r"kappa_s=0\.3: expected more than one local area"),
        ("claims", {"kappas": 1}, "kappas=1: expected so many that some Δ lies in"),
        ("areas", {"sampled": 4}, r"sampled=4: expected a whole number in \[1, 3\]"),
        ("areas", {"block": (9, 1)}, r"block=\(9, 1\): expected patches of a square of 8"),
        ("position", {"from_to": (1.0, 0.1)}, r"from_to=\(1\.0, 0\.1\): expected two numbers, the second above"),
    ],
)
def test_what_cannot_be_had_is_refused_before_any_work(name, changes, message, no_work):
    with pytest.raises(ValueError, match=message):
        figures.data(name, quick=True, **changes)


@pytest.mark.parametrize("quick", ["yes", 1, 0, None, "", [True]])
def test_quick_is_true_or_false(quick, no_work):
    for function in (figures.data, figures.parameters):
        with pytest.raises(ValueError, match=r"^quick=.*: expected True or False"):
            function("areas", quick=quick)


def test_numbers_of_numpy_and_lists_are_taken_and_kept_as_python_has_them():
    p = figures.parameters(
        "exponents", kappas=[[np.float32(0.5), 0.25]], log10_patches=np.array([3, 6]), line_points=np.int64(5)
    )
    assert p.kappas == ((0.5, 0.25),)
    assert [type(one) for one in (*p.kappas[0], *p.log10_patches, p.line_points)] == [float, float, int, int, int]
    assert figures.parameters("areas", np.True_, seed=2**70).seed == 2**70
    assert figures.parameters("diversity", trained=()).trained == ()


# --- corners ---

# Of each figure over a range: changes that put points outside, columns of numbers, and which rows are blank.
CORNERS = {
    "regimes": (
        {"points": 6, "log10_patches": 2.0, "rungs": (2.0, 3.0), "finite": (1.0, 3.0)},
        {"exponent", "plateau", "phases", "lead_low"},
    ),
    "exponents": (
        {"kappas": ((0.98, 0.3), (1.0, 0.3)), "mask_ratios": (0.5,), "log10_patches": (0.5, 3, 30), "line_points": 3},
        {"value"},
    ),
    "latent": ({"kappas": ((1.0, 0.3), (0.85, 0.7)), "ratios": (1, 2), "log10_patches": (6,)}, {"value"}),
    "position": (
        {"log10_patches": (0.1, 2.0, 4.0), "finite": (2, 100), "local_sizes": (3, 30), "wide_sizes": (3,), "points": 5},
        {"value"},
    ),
    "gap-of-pictures": ({"sides": (2, 4), "areas": (8,), "shown": 8}, {"gap", "kappa_c", "kappa_s"}),
    "closures": (
        {"sizes": (2, 6, 12), "mask_ratio": 0.01, "per_decade": 2, "within": 4, "states": 2, "samples": 10},
        {"error"},
    ),
    "gaps": (
        {"patches": (2, 6, 8), "mask_ratio": 0.2, "divisions": (8, 16), "samples": (8, 16), "seeds": 1},
        {"error"},
    ),
}


@pytest.mark.parametrize("name", CORNERS)
def test_a_point_that_cannot_be_is_blank_and_the_others_are_drawn(name):
    changes, columns = CORNERS[name]
    table = figures.data(name, quick=True, **changes)
    for column in columns:
        blank = np.isnan(table[column])
        assert blank.any(), column
        assert not blank.all(), column
    assert figures.draw(table).axes


def test_the_other_points_have_the_numbers_that_they_have_alone():
    usual = {"mask_ratios": (0.5,), "line_points": 3}
    some = figures.data("exponents", kappas=((0.98, 0.3), (1.0, 0.3)), log10_patches=(0.5, 3, 30), **usual)
    alone = figures.data("exponents", kappas=((0.98, 0.3),), log10_patches=(3, 30), **usual)
    measured = [
        {tuple(row) for row in zip(one["quantity"], one["log10_patches"], one["value"], strict=True)}
        for one in (some, alone)
        for one in [{key: column[one["source"] == "mean-field reduction"] for key, column in one.items()}]
    ]
    assert measured[1] <= measured[0]


def test_the_claims_leave_out_sizes_that_have_no_local_areas():
    _, tested = figures.evidence._leads(figures.parameters("claims", kappas=4, log10_patches=(1.0, 3.0)), (-0.5, 1.0))
    _, all_of_them = figures.evidence._leads(figures.parameters("claims", kappas=4), (-0.5, 1.0))
    assert int(tested.split()[0]) < int(all_of_them.split()[0])


@pytest.mark.parametrize(
    ("name", "changes", "why"),
    [
        ("regimes", {"points": 2, "rungs": (0.01, 0.02)}, "kappa_s=.*: expected more than one local area"),
        ("exponents", {"kappas": ((1.0, 0.3),)}, "kappa_s=0.3: expected more than one local area"),
        ("latent", {"kappas": ((1.0, 0.3),)}, "kappa_s=0.3: expected more than one local area"),
        ("position", {"log10_patches": (2.0,), "finite": (2, 3)}, "local_areas=0: expected a whole number"),
        ("gap-of-pictures", {"sides": (2,), "areas": (8,), "shown": 8}, "areas=8: expected"),
        ("closures", {"sizes": (2, 3), "mask_ratio": 0.001}, "mask_ratio=0.001: expected a number"),
    ],
)
def test_a_figure_all_of_whose_points_cannot_be_says_why(name, changes, why):
    with pytest.raises(ValueError, match=rf"{name} cannot be had with .*: {why}"):
        figures.data(name, quick=True, **changes)


def test_corners_measure_what_can_be_and_tell_the_first_reason():
    def half(number):
        if number % 2:
            raise ValueError(f"number={number}: expected an even one")
        return number / 2

    with corners() as measure:
        assert [measure(half, n, missing=None) for n in (1, 2, 3)] == [None, 1.0, None]
    with pytest.raises(ValueError, match="number=1: expected an even one"), corners() as measure:
        assert np.isnan([measure(half, n) for n in (1, 3)]).all()
    with pytest.raises(ValueError, match="number=3"), corners() as measure:
        assert [measure(half, 2, step=True), measure(half, 3, missing=None)] == [1.0, None]
    with pytest.raises(TypeError), corners() as measure:  # a fault is no corner
        measure(half, "1")
    with corners():
        pass


def test_an_annotation_says_what_is_accepted():
    class Some(figures.module("areas").Parameters):
        a: Count
        b: Kappas
        c: tuple[Share, ...]

    assert accepted(Some, "b", [1, 0.5], (0.5, 0.5)) == (1, 0.5)
    for key, value, like in (("a", 0, 1), ("b", (0.5,), (1, 1)), ("c", (0.5, 1), (0.5,)), ("c", "ab", (0.5,))):
        with pytest.raises(ValueError, match=rf"^{key}(\[\d\])?=.*: expected"):
            accepted(Some, key, value, like)
    assert "before any work" in inspect.getdoc(figures.data)
