"""Bad input: one table of calls and what they say, before any work starts."""

import numpy as np
import pytest

import dynamics as dy
from tests.settings import NARROW, TWO, WIDE

GEOMETRY = dy.Geometry.single_cluster(4, 2, 2)
REAL = dy.reduce(dy.Setting(dy.Geometry.scaling(200, 0.98, 0.3)), "local", "mean-field")
ALL_GLOBAL = dy.Setting(dy.Geometry.scaling(30, 1.0, 0.3, areas=2), mask_ratio=0.2)
FAR = dy.reduce(dy.Setting(dy.Geometry.scaling(600, 0.7, 0.2)), "local", "mean-field")
PAST = dy.integrate(FAR, log_t_end=800.0)
UNEVEN = dy.Setting(dy.Geometry.from_labels([[0, 0, 0, 1, 1, 2]]))


def system():
    return dy.reduce(WIDE, "local", "mean-field")


def many_areas(values, count):
    setting = dy.Setting(dy.Geometry.single_cluster(3, 2, count - 1), (values, np.full(len(values), 1 / len(values))))
    return dy.reduce(setting, 0, method="integral", merge=False)


def vit():
    return dy.Setting(dy.Geometry.single_cluster(98, 7, 14))


CALLS = [
    (lambda: dy.Geometry.from_labels([[0, 1.5]]), r"labels=\[1.5\]: expected whole numbers, 0 or more"),
    (lambda: dy.Geometry.from_labels([[0, -1]]), r"labels=\[-1.0\]: expected whole numbers"),
    (lambda: dy.Geometry.from_labels([[0, float("nan")]]), r"labels=\[nan\]: expected whole numbers"),
    (lambda: dy.Geometry.from_labels([["a", "b"]]), r"labels=\[\['a', 'b'\]\]: expected a \(K, P\) array"),
    (lambda: dy.Geometry.from_labels([]), r"labels=\[\]: expected a \(K, P\) array"),
    (
        lambda: dy.Geometry.from_labels([[0, 1, 1], [0, 2, 2]]),
        r"labels\[1\]=\[0, 2, 2\]: expected every area .* \[1\] have none",
    ),
    (lambda: dy.Geometry.from_labels([[0, 1, 1]], grid=(2, 2)), r"grid=\(2, 2\): expected H, W with H·W = 3"),
    (lambda: dy.Geometry.single_cluster(0, 2, 2), "global_size=0: expected a whole number in"),
    (lambda: dy.Geometry.single_cluster(4, 2.5, 2), "local_size=2.5: expected a whole number"),
    (lambda: dy.Geometry.scaling(0, 0.9, 0.5), "log10_patches=0: expected a number in"),
    (lambda: dy.Geometry.scaling(2e6, 0.9, 0.5), r"log10_patches=2000000.0: expected a number in \(0, 1e\+06\]"),
    (lambda: dy.Geometry.scaling(3, 0.9, 0.5, areas=0.5), "areas=0.5: expected None or a finite number, 1 or more"),
    (lambda: dy.reduce(dy.Setting(dy.Geometry.scaling(3, None, 0.5)), "global", "mean-field"), "query='global'"),
    (lambda: REAL.jacobian(REAL.initial), "log P=460.517.*: expected at most 231"),
    (lambda: dy.reduce(REAL.setting, "local", "second-order"), "closure='second-order': expected \"mean-field\" here"),
    (lambda: dy.integrate(REAL, log_t_end=1e5), r"log_t_end=100000.0: expected a number above -inf, at most 5305"),
    (
        lambda: dy.half_time(dy.reduce(ALL_GLOBAL, "global", "mean-field")),
        "attention on the target at Q = 0=.*: expected less than 1/2",
    ),
    (lambda: dy.descend(FAR, 1.0, 2, start=PAST), "start=inf: expected a curve that ends at a time that is a float"),
    (lambda: dy.exponent("speed", 0.9, 0.5), "quantity='speed': expected 'half-time' or"),
    (
        lambda: dy.exponent("half-time", 0.9, 0.5, ladder=(3, 6, 12)),
        "ladder=.*: expected four or more increasing numbers",
    ),
    (lambda: dy.exponent("phase-one-end", 0.7, 0.6), "quantity='phase-one-end': expected two phases, but at"),
    (lambda: dy.exponent("plateau", 0.9, 0.5, query="global"), "quantity='plateau': expected a local query beside"),
    (lambda: dy.half_time("x"), "system='x': expected what dy.reduce returns"),
    (lambda: dy.half_time(REAL, latent=0.0), "latent=0.0: expected a number > 0"),
    (lambda: dy.half_time(REAL, rtol=0.0), "rtol=0.0: expected a number in"),
    (
        lambda: dy.plateau(dy.reduce(REAL.setting, "global", "mean-field")),
        "system.names='fp.target.*: expected fp.global",
    ),
    (lambda: dy.integrate(REAL, until=("target", 0.5, -1.0)), "until's latent=-1.0: expected a number > 0"),
    (lambda: dy.integrate(WIDE, t_end=1.0), "system=.*expected what dy.reduce returns"),
    (lambda: dy.descend(WIDE, 1.0, 5), "system=.*expected what dy.reduce returns"),
    (lambda: dy.descend(system(), 1j, 5), "step_size=1j: expected a finite number > 0"),
    (lambda: dy.descend(system(), 1.0, 5, start="here"), "start=.here.: expected a trajectory or a state"),
    (lambda: dy.FiniteTransformer(GEOMETRY), "setting=.*expected a Setting"),
    (lambda: dy.compare(WIDE, WIDE), "first=.*expected a Trajectory"),
    (lambda: dy.load(__file__), "path=.*expected a file written by Trajectory.save"),
    (lambda: dy.Geometry.scaling(3, 1.2, 0.5), r"kappa_c=1.2: expected None or a number in \(0, 1\]"),
    (lambda: dy.Geometry.scaling(3, 0.99, 0.9), "kappa_s=0.9: expected more than one local area"),
    (lambda: dy.Setting("geometry"), "geometry='geometry': expected a Geometry"),
    (lambda: dy.Setting(GEOMETRY, mask_ratio=1.5), r"mask_ratio=1.5: expected a number in \(0, 1\) that masks"),
    (lambda: dy.Setting(GEOMETRY, mask_ratio=0.01), "mask_ratio=0.01: expected .* masks at least one .* 8 patches"),
    (lambda: dy.Setting(GEOMETRY, mask_ratio=0.99), "mask_ratio=0.99: expected .* not all"),
    (lambda: dy.Setting(GEOMETRY, mask_ratio="half"), "mask_ratio='half': expected a number"),
    (lambda: dy.Setting(GEOMETRY, latent=-1.0), "latent=-1.0: expected a number >= 0"),
    (lambda: dy.Setting(GEOMETRY, latent=([1, -2], [0.5, 0.5])), "latent=.*expected values >= 0"),
    (lambda: dy.Setting(GEOMETRY, latent=([1, 2], [0.5, 0.6])), "latent=.*expected weights that sum to 1, not 1.1"),
    (lambda: dy.Setting(GEOMETRY, latent=([1, 2], [1.5, -0.5])), "latent=.*expected weights > 0"),
    (lambda: dy.Setting(GEOMETRY, latent=([1, 1], [0.5, 0.5])), "latent=.*expected each value once"),
    (lambda: dy.Setting(GEOMETRY, latent="bright"), "latent='bright': expected a number >= 0"),
    (lambda: dy.Setting(GEOMETRY, latent=(1, 2, 3)), r"latent=\(1, 2, 3\): expected a number >= 0"),
    (lambda: dy.Setting(GEOMETRY, latent=np.array(0.5)), "latent=array.0.5.: expected a number >= 0"),
    (lambda: dy.Setting(GEOMETRY, latent=1e100), r"latent=1e\+100: expected a number >= 0 .at most 10"),
    (lambda: dy.Law(np.array([-1.0]), np.array([2.0])), "latent=.*expected values >= 0"),
    (lambda: dy.Setting(GEOMETRY, mask_ratio=10**400), "mask_ratio=1000.*: expected a number in"),
    (lambda: dy.descend(system(), 10**400, 5), "step_size=1000.*: expected a finite number > 0"),
    (lambda: dy.descend(system(), 1.0, 2**70, every=2**69), "steps=.*: expected a whole number in"),
    (lambda: dy.Geometry.single_cluster(40, 6, np.array([4])), "local_areas=array.*: expected a whole number"),
    (lambda: dy.Geometry.single_cluster(1, np.int32(65536), np.int32(65536)), "patches=4294967297: expected at most"),
    (lambda: GEOMETRY.area_size(-1), "k=-1: expected a whole number in"),
    (lambda: system().attention(np.zeros(7), latent=([1, 2], [0.5, 0.5])), "latent=.*: expected a number >= 0"),
    (lambda: system().attention_along(np.zeros((0, 3))), r"states=.*: expected an \(7, m\) array"),
    (lambda: dy.integrate(system(), t_end=1.0, rtol=1e-16), r"rtol=1e-16: expected a number in \[2.2e-14, 1\)"),
    (
        lambda: dy.integrate(system(), t_end=9.0, start=dy.integrate(dy.reduce(NARROW, "local"), t_end=1.0)),
        "start's labels=.*: expected",
    ),
    (lambda: dy.reduce(WIDE, 0, np.array(["exact", "exact"])), "closure=array.*: expected 'exact' or"),
    (lambda: dy.descend(system(), 1.0, 1).save(None), "path=None: expected a file name ending in .npz"),
    (lambda: dy.load("."), "path='.': expected a file written by"),
    (lambda: dy.patch_colours(1j), "image=1j: expected a picture"),
    (lambda: dy.Setting(GEOMETRY, cluster_weights=[0.5, 0.5]), r"cluster_weights=\[0.5, 0.5\]: expected one number"),
    (
        lambda: dy.Setting(TWO.geometry, cluster_weights=[0.5, 0.6]),
        r"cluster_weights=.*expected one number > 0 for each of 2 clusters",
    ),
    (lambda: TWO.information_gap, "clusters=2: expected one cluster"),
    (
        lambda: dy.reduce(UNEVEN, "local"),
        r"query='local': expected a patch index: local areas have \[1.0, 2.0\] patches",
    ),
    (lambda: dy.reduce(dy.Setting(dy.Geometry.from_labels([0, 0])), "local"), "query='local': expected a patch index"),
    (lambda: UNEVEN.information_gap, "area_size=.*expected local areas of one size"),
    (lambda: dy.Setting(dy.Geometry.single_cluster(2, 2, 2)).information_gap, "area_size=.*a unique largest area"),
    (lambda: dy.Setting(dy.Geometry.scaling(3, 0.9, 0.3)).loss_floor, "geometry='scaling': expected patches"),
    (lambda: dy.reduce("setting", 0), "setting='setting': expected a Setting"),
    (lambda: dy.reduce(WIDE, 64), r"query=64: expected .*whole number in \[0, 63\]"),
    (lambda: dy.reduce(WIDE, -1), r"query=-1: expected .*whole number in \[0, 63\]"),
    (lambda: dy.reduce(WIDE, True), r"query=True: expected .*whole number in \[0, 63\]"),
    (
        lambda: dy.Geometry.from_labels([[0, 1e300]]),
        r"labels=.*1e\+300.*expected labels below the number of patches, 2",
    ),
    (lambda: dy.reduce(WIDE, 1.5), r"query=1.5: expected .*whole number in \[0, 63\]"),
    (lambda: dy.reduce(WIDE, "centre"), 'query=\'centre\': expected "local", "global" or a whole number'),
    (lambda: dy.reduce(TWO, "local"), "query='local': expected a patch index"),
    (lambda: dy.reduce(dy.Setting(dy.Geometry.scaling(3, 0.9, 0.3)), 0, "mean-field"), 'query=0: expected "local" or'),
    (
        lambda: dy.reduce(dy.Setting(dy.Geometry.scaling(3, 0.9, 0.3)), "local"),
        "closure='exact': expected \"mean-field\"",
    ),
    (lambda: dy.reduce(WIDE, 0, "closed"), "closure='closed': expected 'exact' or 'sampled' or 'mean-field'"),
    (
        lambda: dy.reduce(vit(), "local", method="enumeration"),
        r"method='enumeration': expected \"integral\" here: 10\^12.\d rows",
    ),
    (lambda: dy.reduce(WIDE, 0, method="guess"), "method='guess': expected 'auto' or 'enumeration' or 'conditional'"),
    (lambda: dy.reduce(WIDE, 0, "mean-field", method="integral"), "method='integral': expected 'auto'"),
    (lambda: dy.reduce(WIDE, 0, "sampled", samples=0), "samples=0: expected a whole number in .1, 10"),
    (
        lambda: dy.reduce(dy.Setting(WIDE.geometry, (np.arange(1, 601), np.full(600, 1 / 600))), 0, "mean-field"),
        "closure='mean-field': expected fewer latent values: 600 take .* GiB",
    ),
    (
        lambda: many_areas([0.5, 1.0], 300).jacobian(np.zeros(601)),
        "method='integral': expected fewer areas: it takes .* GiB",
    ),
    (lambda: dy.reduce(WIDE, 0, "sampled", samples=10**9), "samples=1000000000: expected fewer: they take .* GiB"),
    (lambda: dy.reduce(WIDE, 0, "sampled", seed=-1), "seed=-1: expected a whole number, 0 or more"),
    (
        lambda: dy.reduce(WIDE, "local", "sampled", samples=1).standard_error(np.zeros(7)),
        "samples=1: expected 2 or more",
    ),
    (lambda: system().standard_error(np.zeros(7)), "closure='mean-field': expected 'sampled'"),
    (lambda: dy.reduce(WIDE, 0, rtol=0.5), "rtol=0.5: expected a number in"),
    (lambda: dy.reduce(vit(), "local").equations(), "rows=3.*: expected at most 500"),
    (lambda: system().rate(np.zeros(6)), r"y=array.*: expected a state of shape \(7,\), not \(6,\)"),
    (lambda: system().rate(np.ones(7) * 1j), r"y=array.*1.j.*: expected a state of shape \(7,\)"),
    (lambda: system().loss(["1"] * 7), r"y=.'1'.*: expected a state of shape \(7,\)"),
    (lambda: system().attention(np.zeros(7), cluster=1), r"cluster=1: expected a whole number in \[0, 0\]"),
    (lambda: system().attention(np.zeros(7), 0.0), "cluster=0.0: expected a whole number"),
    (lambda: dy.integrate(system()), "t_end=None: expected one of t_end, log_t_end and until"),
    (lambda: dy.integrate(system(), t_end=-1.0), "t_end=-1.0: expected a time after 0, at most 1.01e\\+304"),
    (lambda: dy.integrate(system(), t_end="late"), "t_end='late': expected a time after 0"),
    (lambda: dy.integrate(system(), log_t_end=np.array([1.0])), "log_t_end=array.*: expected a number above -inf"),
    (lambda: dy.integrate(system(), t_end=1.0, t_eval="now"), "t_eval='now': expected increasing times"),
    (lambda: dy.integrate(system(), t_end=1.0, start=dy.integrate), "start=<function .*: expected a state of shape"),
    (lambda: dy.integrate(system(), t_end=1.0, start=dy.integrate(system(), t_end=2.0)), "t_end=1.0: .* after 2"),
    (lambda: dy.descend(system(), 1.0, 10**9), "every=1: expected more: the records would take 1.* GiB"),
    (lambda: dy.reduce(WIDE, np.zeros(2)), "query=array.*: expected .*a whole number in"),
    (lambda: dy.Geometry.from_labels([[0, 1, 1]], grid=5), "grid=5: expected rows and columns of patches"),
    (lambda: dy.Geometry.from_labels(np.array([[0, 1j]])), "labels=array.*: expected a .K, P. array"),
    (lambda: dy.Geometry.single_cluster(10**12, 1, 1), r"global_size=1000000000000: expected .* in \[1, 10000000\]"),
    (lambda: dy.Geometry.single_cluster(10**7, 10, 10), "patches=10000100: expected at most 10,000,000; Geometry.sca"),
    (lambda: dy.Geometry.scaling("30", 0.9, 0.5), "log10_patches='30': expected a number in"),
    (lambda: dy.FiniteTransformer(WIDE, dimension=10**6), r"dimension=1000000: expected .* in \[69, 16384\]"),
    (
        lambda: dy.FiniteTransformer(dy.Setting(dy.Geometry.single_cluster(20_000, 10, 10))),
        r"P \+ Σ N_k=20111: expected at most 16,384",
    ),
    (lambda: dy.integrate(system(), t_end=1.0, log_t_end=1.0), "log_t_end=1.0: expected one of"),
    (lambda: dy.integrate(system(), t_end=1.0, method="Euler"), "method='Euler': expected 'RK45' or"),
    (lambda: dy.integrate(system(), t_end=1.0, variable="steps"), "variable='steps': expected 'auto' or"),
    (lambda: dy.integrate(system(), t_end=1.0, rtol=0), "rtol=0: expected a number in"),
    (lambda: dy.integrate(system(), t_end=1.0, t_eval=[0.5, 0.2]), "t_eval=.*expected increasing times in"),
    (lambda: dy.integrate(system(), t_end=1.0, t_eval=[0.5, 2.0]), r"t_eval=.*expected increasing times in \[0, 1\]"),
    (lambda: dy.integrate(system(), until=("aim", 0.5)), "until=.*the group one of target, global, other"),
    (lambda: dy.integrate(system(), until=("target", 1.5)), r"until=\('target', 1.5\): expected"),
    (lambda: dy.integrate(system(), log_t_end=1e4), "log_t_end=10000.0: expected a number above -inf, at most 700"),
    (lambda: dy.integrate(system(), t_end=1.0, start=np.full(7, np.nan)), "start=.*expected a finite state"),
    (lambda: dy.descend(system(), 0.0, 5), "step_size=0.0: expected a finite number > 0"),
    (lambda: dy.descend(system(), 1.0, -1), "steps=-1: expected a whole number in .0, 10"),
    (lambda: dy.descend(system(), 1.0, 5, every=0), "every=0: expected a whole number, 1 or more"),
    (lambda: dy.descend(system(), 1.0, 1).save("curve.txt"), "path='curve.txt': expected a file name ending in .npz"),
    (lambda: dy.sweep("build", {"a": [1]}, len), "build='build': expected a function of the parameters"),
    (lambda: dy.sweep(dict, {}, len), "grid={}: expected parameter -> values, or a list of points"),
    (lambda: dy.sweep(dict, [], len), r"grid=\[\]: expected parameter -> values, or a list of points"),
    (lambda: dy.sweep(dict, 5, len), "grid=5: expected parameter -> values, or a list of points"),
    (lambda: dy.sweep(dict, [{"a": 1}, {"b": 1}], len), r"grid\[1\]={'b': 1}: expected values of a"),
    (lambda: dy.sweep(dict, {"a": []}, len), r"grid\['a'\]=\[\]: expected numbers, or words"),
    (lambda: dy.sweep(dict, {"a": "word"}, len), r"grid\['a'\]='word': expected numbers, or words"),
    (lambda: dy.sweep(dict, {"a": [1, "b"]}, len), r"grid\['a'\]=\[1, 'b'\]: expected numbers, or words"),
    (lambda: dy.sweep(dict, {"a": np.ones((2, 2))}, len), r"grid\['a'\]=array.*: expected numbers, or words"),
    (lambda: dy.sweep(dict, {"a": [10**400]}, len), r"grid\['a'\]=.*: expected numbers, or words"),
    (lambda: dy.sweep(dict, {"a b": [1]}, len), "grid='a b': expected names of parameters"),
    (lambda: dy.sweep(dict, {"error": [1]}, len), "grid='error': expected names of parameters"),
    (lambda: dy.sweep(dict, {"a": [1]}, 5), "measure=5: expected a function of what is built, or column -> function"),
    (lambda: dy.sweep(dict, {"a": [1]}, {}), "measure={}: expected a function of what is built, or column -> function"),
    (lambda: dy.sweep(dict, {"a": [1]}, {"b": 1}), r"measure\['b'\]=1: expected a function of what is built"),
    (lambda: dy.sweep(dict, {"a": [1]}, {"a": len}), "measure='a': expected names beside a, error"),
    (lambda: dy.sweep(dict, {"a": [1]}, len, "a.txt"), "out='a.txt': expected a file name ending in .csv"),
    (lambda: dy.sweep(dict, {"a": [1]}, len, None, 2), "executor=2: expected a concurrent.futures.Executor"),
]


@pytest.mark.parametrize(("call", "message"), CALLS, ids=[message[:40] for _, message in CALLS])
def test_bad_input_is_refused_by_name_and_value(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_an_impossible_request_is_refused_before_it_takes_memory():
    import tracemalloc

    setting = vit()
    tracemalloc.start()
    with pytest.raises(ValueError, match="rows of occupancies"):
        dy.reduce(setting, "local", method="enumeration")
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()
