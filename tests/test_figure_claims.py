"""The paper's claims: verdicts follow from what is measured, and turn where a claim is put wrong."""

import itertools
import math

import numpy as np
import pytest

import dynamics as dy
import figures
from figures import claims, evidence
from figures.evidence import Evidence
from tests.quick_tables import table

QUICK = figures.parameters("claims", quick=True)
CLAIM = {claim.name: claim for claim in claims.CLAIMS}


def test_what_holds_and_what_does_not():
    shown = table("claims")
    verdicts = dict(zip(shown["claim"].tolist(), shown["verdict"].tolist(), strict=True))
    assert {name for name, verdict in verdicts.items() if verdict == claims.FAILS} == {
        "total-loss",
        "bound-tight-spread",
    }
    assert {name for name, verdict in verdicts.items() if verdict == claims.UNTESTABLE} == {"contrastive", "real-vits"}
    finite = {"target-rises", "local-locks", "global-locks", "patch-loss", "zero-suffices", "diverse"}
    assert {name for name, verdict in verdicts.items() if verdict == claims.HOLDS} == finite


def test_margins_are_those_of_the_numbers_shown():
    shown = table("claims")
    inside = np.minimum(shown["value"] - shown["low"], shown["high"] - shown["value"]) - shown["uncertainty"]
    assert np.array_equal(shown["margin"], inside, equal_nan=True)
    assert (np.isnan(inside) == (shown["verdict"] == claims.UNTESTABLE)).all()
    assert ((inside < 0) == (shown["verdict"] == claims.FAILS)).all()
    assert all(shown["note"][np.isnan(inside)])


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("plateau", {"plateau": -0.6}),
        ("plateau", {"plateau": -0.4}),
        ("time-bound", {"time": 0.9}),
        ("bound-tight-alike", {"time": 1.1}),
        ("two-phases", {"two_phases": (-0.5, -0.01)}),
        ("one-phase", {"one_phase": (0.01, 0.5)}),
    ],
)
def test_a_claim_with_a_wrong_exponent_does_not_hold(name, wrong):
    assert claims.verdict(CLAIM[name].evidence(QUICK)) == claims.IN_THE_LIMIT
    assert claims.verdict(CLAIM[name].evidence(QUICK._replace(**wrong))) == claims.FAILS


def test_attention_that_is_not_there_yet_fails_the_claim(monkeypatch):
    late = evidence.papers_log_time
    monkeypatch.setattr(evidence, "papers_log_time", lambda *arguments: late(*arguments) - math.log(1e4))
    for name in ("local-locks", "patch-loss", "zero-suffices", "diverse"):
        assert claims.verdict(CLAIM[name].evidence(QUICK)) == claims.FAILS, name


def test_a_rate_of_the_target_below_zero_fails_the_claim(monkeypatch):
    rate = dy.System.rate
    monkeypatch.setattr(dy.System, "rate", lambda system, y: -rate(system, y))
    assert claims.verdict(CLAIM["target-rises"].evidence(QUICK)) == claims.FAILS


@pytest.mark.parametrize(
    ("value", "more", "expected"),
    [
        (0.5, {"low": 0.0}, claims.HOLDS),
        (0.5, {"low": 0.0, "uncertainty": 0.6}, claims.FAILS),
        (0.5, {"low": 0.0, "high": 0.4}, claims.FAILS),
        (0.5, {"high": 0.6, "limit": True}, claims.IN_THE_LIMIT),
        (-1e-9, {"low": 0.0}, claims.FAILS),
        (math.nan, {}, claims.UNTESTABLE),
    ],
)
def test_a_verdict_follows_from_the_margin(value, more, expected):
    assert claims.verdict(Evidence("a number", "somewhere", value, **more)) == expected


def test_the_papers_time_is_its_form_with_constant_one():
    log_patches, kappa_s = math.log(1e4), 0.4
    late = math.log(1e4 / 1e-2) / 1e-2
    expected = math.log(1e4**0.6 * log_patches + late)
    assert evidence.papers_log_time(log_patches, kappa_s, 1e-2) == pytest.approx(expected, rel=1e-12)
    spread = dy.Setting(dy.Geometry.single_cluster(40, 6, 4), latent=([0.25, 1.0], [0.5, 0.5]))
    expected = math.log(1e4 ** (6 * 0.6) * log_patches + late)
    assert evidence.papers_log_time(log_patches, kappa_s, 1e-2, spread) == pytest.approx(expected, rel=1e-12)


def test_the_table_reads_as_text_and_as_markdown():
    shown = table("claims")
    lines = claims.text(shown).splitlines()
    assert sum("claim: " in line for line in lines) == len(CLAIM) - 2
    assert all(any(statement in line for line in lines) for statement in shown["statement"])
    page = claims.markdown(shown).splitlines()
    assert len(page) == len(CLAIM) + 2
    assert {line.replace("\\|", "").count("|") for line in page} == {8}


def test_the_case_with_the_least_margin_counts_and_one_without_a_number_is_an_error():
    found = evidence.worst("a number", "somewhere", [(0.002, 1e-12), (0.0001, 5.0)], high=0.01)
    assert (found.value, claims.verdict(found)) == (0.0001, claims.FAILS)
    with pytest.raises(RuntimeError, match="a number: one of 2 cases is no number"):
        evidence.worst("a number", "somewhere", [(0.002, 0.0), (math.nan, 0.0)], high=0.01)


def test_what_bounds_the_attention_that_is_missed_does_so_mask_by_mask():
    setting = dy.Setting(dy.Geometry.single_cluster(6, 2, 2), mask_ratio=0.5)
    system = dy.reduce(setting, "local", method="enumeration")
    y = dy.integrate(system, t_end=300.0).y[:, -1]
    state, patches, query, missed, seen = system.expand(y), 10, 6, 0.0, 0.0
    area = setting.geometry.area_of[0]
    for hidden in itertools.combinations([q for q in range(patches) if q != query], 4):
        shown = np.isin(np.arange(patches), [query, *hidden], invert=True)
        mass = np.exp(shown * state["fp"][0][area] + state["pp"])
        attention = mass[shown & (area == area[query])].sum() / mass.sum()
        visible = bool((shown & (area == area[query])).any())
        missed, seen = missed + visible * (1 - attention) ** 2, seen + 1
    bound = 2 * (system.loss(y) - setting.loss_floor_of("local")) / setting.masked_fraction
    assert 0.4 * bound < missed / seen <= bound
