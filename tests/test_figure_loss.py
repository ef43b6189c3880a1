"""The figure ``loss``: late laws, and the paper's bound on the time."""

import math

import numpy as np
import pytest

import dynamics as dy
from derivations import errata
from derivations.symbols import P
from figures import loss
from figures.table import distinct, keep, select
from tests.quick_tables import table

PLATEAU, VIT = "24 + 2×12", "98 + 14×7"


def exact(areas, share=loss.PATCH):
    found = select(table("loss"), areas=areas, source=loss.EXACT, share=share)
    return found["t"], found["value"]


def slack(areas, share):
    found = select(table("loss"), areas=areas, source=loss.SLACK, share=share)
    return found["value"], found["slack"]


def test_after_lock_on_the_loss_of_a_patch_is_that_of_mean_field_for_nine_decades():
    t, value = exact(PLATEAU)
    plateau = (4 * t * value)[(t > 1e3) & (t < 1e11)]
    assert plateau.min() == pytest.approx(11 / 12, abs=0.015)  # (C − 1)/C: late-mean-field-finite
    assert plateau.max() < 1.05


def test_in_the_end_it_is_that_of_the_max_margin_direction():
    for areas in (PLATEAU, VIT):
        t, value = exact(areas)
        (norm,) = select(table("loss"), areas=areas, source=loss.NORM)["value"]
        assert norm > 2.5  # not mean-field's 1
        assert (4 * t * value)[-1] == pytest.approx(norm, rel=3e-3)


def test_transformers_have_the_loss_of_the_exact_reduction():
    trained, (t, value) = select(table("loss"), source=loss.TRANSFORMER), exact(PLATEAU)
    expected = np.exp(np.interp(np.log(trained["t"]), np.log(t), np.log(value)))
    assert expected.min() < 0.1 * expected.max()
    assert trained["value"] == pytest.approx(expected, rel=0.12)
    assert (trained["spread"] > 1e-3 * trained["value"]).all()


def test_the_loss_above_its_infimum_is_the_loss_less_the_floor_and_never_rises():
    setting = dy.Setting(dy.Geometry.single_cluster(24, 12, 2), mask_ratio=12 / 48)
    t, value = exact(PLATEAU)
    early = t < 1e3
    flow = dy.integrate(dy.reduce(setting, "local"), t_end=1e3, t_eval=t[early])
    assert value[early] == pytest.approx(flow.loss - setting.loss_floor_of("local"), rel=1e-6)
    for areas in (PLATEAU, VIT):
        assert (np.diff(exact(areas)[1]) < 0).all()


def test_the_bound_is_the_papers_with_a_constant_of_one():
    locks, late = (erratum.paper for erratum in errata.errata()[1:])
    kappa_s = math.log(12) / math.log(48)
    bound = select(table("loss"), areas=PLATEAU, source=loss.BOUND)
    for t, excess in zip(bound["t"], bound["value"], strict=True):
        numbers = {P: 48, errata.kappa_s: kappa_s, errata.excess: excess}
        assert t == pytest.approx(float((locks + late).subs(numbers)), rel=1e-9)


def test_the_bound_holds_for_the_loss_of_a_patch():
    for areas in (PLATEAU, VIT):
        assert slack(areas, loss.PATCH)[1].min() > 1.5
    excess, ratio = slack(PLATEAU, loss.PATCH)
    late = (excess < 1e-4) & (excess > 1e-9)
    # time taken (C − 1)/C/(4ε), allowed log(P/ε)/ε and little more
    assert ratio[late] == pytest.approx(4 * 12 / 11 * np.log(48 / excess[late]), rel=0.03)


def test_the_bound_with_a_constant_of_one_does_not_hold_for_the_loss_of_all_patches_and_is_further_off_for_more():
    least = {areas: slack(areas, loss.ALL)[1].min() for areas in (PLATEAU, VIT)}
    assert least[PLATEAU] < 0.5
    assert least[VIT] < 0.1 * least[PLATEAU]
    for areas in distinct(table("loss")["areas"]):  # it is about P times as large
        (t, patch), (_, whole) = exact(areas), exact(areas, loss.ALL)
        patches = select(table("loss"), areas=areas)["patches"][0]
        assert (whole[t > 1e3] / patch[t > 1e3]).min() > 0.4 * patches


def test_the_slack_is_the_distance_between_bound_and_curve():
    held = keep(table("loss"), table("loss")["source"] == loss.SLACK)
    for areas, share, taken, excess in zip(held["areas"], held["share"], held["t"], held["value"], strict=True):
        t, value = exact(areas, share)
        assert np.exp(np.interp(np.log(taken), np.log(t), np.log(value))) == pytest.approx(excess, rel=1e-6)
