"""The covariance of trainings on samples along the flow, against numbers found by other programs and by training."""

import numpy as np
import pytest

import dynamics as dy
from dynamics import closures
from dynamics.compiled import kernel
from dynamics.noise import FEW_ROWS, covariance, diffusion
from tests.settings import TWO, WIDE

EIGHT = dy.Setting(dy.Geometry.single_cluster(8, 4, 2))
EQUAL = dy.Setting(dy.Geometry.from_labels([[0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]]))  # the largest is no other
UNEVEN = dy.Setting(dy.Geometry.from_labels([[0, 0, 0, 1, 1, 2, 2]]), mask_ratio=3 / 7)
TARGET_GLOBAL_PP = [0, 1, 3]


def deviations(setting, query, t_end):
    return np.sqrt(np.diagonal(covariance(dy.reduce(setting, query), t_end)[1][-1]))


def test_one_step_from_the_start_is_that_of_every_mask():
    system = dy.reduce(EIGHT, "local")
    rule = closures.exact(system.setting, system.coordinates)
    found = diffusion(closures.row_rates(kernel(None).rate_and_loss, rule, system.initial), rule.weight)
    expected = [2.44337e-3, 1.50056e-3, 2.23693e-4, 2.66099e-4, 2.45145e-5, 1.92143e-5, 8.20714e-6]
    assert np.diag(found) == pytest.approx(expected, rel=5e-6)
    assert found[0, 1] == pytest.approx(-1.506148e-3, rel=5e-6)
    assert np.linalg.matrix_rank(found, tol=1e-9) == 5  # of 7: never a Cholesky factor


# √C_ii by enumeration of all samples in a matrix transformer; to the accuracy of our steps, or of our samples.
@pytest.mark.parametrize(
    ("setting", "query", "t", "which", "expected", "rel"),
    [
        (EIGHT, "local", 25.3857, range(7), [0.31934, 0.08063, 0.05772, 0.08740, 0.01907, 0.02248, 0.02539], 0.004),
        (EQUAL, 3, 13.8415, [0, 2], [0.2711, 0.1259], 0.004),
        (EQUAL, 3, 27.683, [0, 2], [0.3047, 0.1270], 0.004),
        (EQUAL, 3, 55.366, [0, 2], [0.1654, 0.0580], 0.004),
        (UNEVEN, 3, 20.0, [1, 0, 2], [0.0835163, 0.240119, 0.0682278], 0.004),
        (WIDE, "local", 52.596, TARGET_GLOBAL_PP, [0.4784, 0.0784, 0.0877], 0.05),
        (dy.Setting(dy.Geometry.single_cluster(98, 7, 14)), "local", 119.8715, [0], [0.7334], 0.05),
    ],
)
def test_deviations_along_the_flow_are_those_on_record(setting, query, t, which, expected, rel):
    assert deviations(setting, query, t)[[*which]] == pytest.approx(expected, rel=rel)


def test_rows_that_are_many_are_drawn():
    def rows(setting, query):
        return closures.count_rows(setting, dy.reduce(setting, query).coordinates)

    assert rows(EIGHT, "local") <= FEW_ROWS < rows(WIDE, "local")
    few = covariance(dy.reduce(EIGHT, "local"), 25.0)[1][-1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dynamics.noise.FEW_ROWS", 0)
        drawn = covariance(dy.reduce(EIGHT, "local"), 25.0)[1][-1]
    assert not np.array_equal(drawn, few)
    assert np.sqrt(np.diag(drawn)) == pytest.approx(np.sqrt(np.diag(few)), rel=0.06)


def test_trainings_with_several_clusters_and_latents_spread_as_much():
    covariances = covariance(dy.reduce(TWO, 3), 30.0)[1]
    step, samples, steps = 0.5, 8, 60
    model = dy.FiniteTransformer(TWO, seed=5, basis="coordinates")
    ends = np.array([model.train(step, steps, samples, every=steps).of(3).y[:, -1] for _ in range(100)])
    predicted = np.sqrt(step / samples * np.diag(covariances[-1]))
    assert ends.std(axis=0, ddof=1) / predicted == pytest.approx(np.ones(11), abs=0.2)  # 100 say it to 7 %


def test_too_many_coordinates_are_refused_at_once():
    labels = np.arange(450) // 2
    system = dy.reduce(dy.Setting(dy.Geometry.from_labels([labels])), 0, "mean-field", merge=False)
    with pytest.raises(ValueError, match=r"coordinates=451: expected at most 400 whose covariance is wanted"):
        covariance(system, 1.0)
