"""What a function is known by: one that computes another thing has another name and hash, in every process."""

import importlib
import os
import random  # noqa: F401 -- the program below takes all names of this module
import shutil
import subprocess
import sys
import threading
from datetime import datetime
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

import dynamics as dy
from dynamics.identity import identity

ROOT = Path(__file__).parent.parent
SCALES = {"a": 3.0}


def scaled(made, by=2):
    return SCALES["a"] * made / by


def defined(text, **around):
    namespace = {"__name__": "defined", "np": np} | around
    exec(text, namespace)
    return namespace["f"]


CODE = "def g(a): return a + 1\ndef f(a, b=2):\n    return [g(a) + b + N for _ in M]\n"


@pytest.mark.parametrize(
    ("text", "around"),
    [
        (CODE.replace("a + 1", "a + 2"), {"N": 1, "M": [1]}),
        (CODE.replace("b=2", "b=3"), {"N": 1, "M": [1]}),
        (CODE.replace("+ N", "- N"), {"N": 1, "M": [1]}),
        (CODE, {"N": 2, "M": [1]}),
        (CODE, {"N": 1, "M": [2]}),
        (CODE, {"N": 1, "M": np.array([1])}),
        (CODE, {"N": 1, "M": dy.Setting(dy.Geometry.single_cluster(4, 2, 2))}),
    ],
)
def test_a_function_is_known_by_its_code_and_by_what_it_reads(text, around):
    known = identity(defined(CODE, N=1, M=[1]))
    assert identity(defined("# moved\n\n" + CODE, N=1, M=[1], unread=3)) == known
    assert identity(defined(text, **around)) != known
    assert identity(partial(scaled, by=1)) != identity(partial(scaled, by=2)) != identity(scaled)


def test_a_captured_setting_is_known_by_its_values():
    def captured(size):
        setting = dy.Setting(dy.Geometry.single_cluster(4, size, 2))
        return lambda closure: dy.reduce(setting, "local", closure)

    assert identity(captured(2)) == identity(captured(2)) != identity(captured(3))


HELPERS = "FACTOR = 2\n\ndef scale(x):\n    return FACTOR * x\n\ndef of_scale(x):\n    return scale(x) + 1\n"
USERS = {
    "import helpers": "import helpers\ndef f(x): return helpers.scale(x)",
    "from helpers import": "from helpers import scale\ndef f(x): return scale(x)",
    "through another": "from helpers import of_scale\ndef f(x): return of_scale(x)",
    "inside": "def f(x):\n    from helpers import scale\n    return scale(x)",
    "a lambda's default": "from helpers import scale\nf = lambda x, by=scale: by(x)",
    "a class": "import helpers\nclass C:\n    def __call__(self, x): return helpers.scale(x)\nf = C()",
    "a property": "import helpers\nclass C:\n    @property\n    def g(self): return helpers.scale(2)\n"
    "def f(x, c=C()): return c.g",
    "a base": "import helpers\nclass B:\n    def f(self, x): return helpers.scale(x)\nclass C(B): pass\nf = C().f",
    "wrapped": "import helpers, functools\ndef deco(g):\n    @functools.wraps(g)\n"
    "    def w(x): return helpers.scale(g(x))\n    return w\n@deco\ndef f(x): return x",
    "cached": "import helpers, functools\n@functools.lru_cache\ndef f(x): return helpers.scale(x)",
    "by type": "import helpers, functools\n@functools.singledispatch\ndef f(x): return 0\n"
    "@f.register\ndef _(x: int): return helpers.scale(x)",
    "partials": "import helpers, functools\nf = functools.partial(functools.partial(max, 1), key=helpers.scale)",
    "vectorised": "import helpers\nf = np.vectorize(lambda x: helpers.scale(x))",
    "in a container": "import helpers\nG = {'a': [(helpers.scale,)]}\ndef f(x): return G['a'][0][0](x)",
    "compiled": "import helpers, numba\nf = numba.njit(lambda x: helpers.scale(x))",
}


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("edited", [("= 2", "= 3"), ("* x", "+ x")])
def test_a_function_is_known_by_what_it_takes_of_other_modules_of_the_user(tmp_path, monkeypatch, user, edited):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    known = []
    for text in (HELPERS, "# moved\n" + HELPERS, HELPERS.replace(*edited)):
        sys.modules.pop("helpers", None)
        (tmp_path / "helpers.py").write_text(text, encoding="utf-8")
        importlib.invalidate_caches()
        known.append(identity(defined(USERS[user])).text)
    sys.modules.pop("helpers")
    assert known[0] == known[1] != known[2]


class Held:
    """What a method, a class method or a call of an object uses."""

    def __init__(self, value):
        self.value = value

    def build(self, x):
        return self.value

    __call__ = build


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value

    def build(self, x):
        return self.value


class Fixed:
    """Of which two are never equal, so that a set holds any."""

    def __init__(self, value):
        self.value = value


def closed(value):
    return lambda x: value


def class_of(value):
    class Own:
        kept = value

        @classmethod
        def build(cls, x):
            return cls.kept

    return Own.build


def loop(value):
    made = Held(value)
    made.me = made
    return made.build


def numbered(value):
    def f(x):
        return f.value

    f.value = value
    return f


HOLDERS = {
    "a bound method": lambda value: Held(value).build,
    "a callable object": Held,
    "slots": lambda value: Slotted(value).build,
    "a class method": class_of,
    "a partial": lambda value: partial(scaled, by=value),
    "a closure": closed,
    "a closure of a closure": lambda value: closed(closed(value)),
    "two of one factory": lambda value: (lambda first, second: lambda x: (first, second))(closed(0), closed(value)),
    "a default": lambda value: lambda x, a=value: a,
    "a default by name": lambda value: lambda x, *, a=value: a,
    "an attribute": numbered,
    "an object that holds itself": loop,
    "a list of dicts": lambda value: closed([{"a": (value,)}]),
    "a set": lambda value: closed({(id, "b"), "c", ("d", Fixed(value))}),
    "an array of objects": lambda value: closed(np.array([value, None], dtype=object)),
    "a named space": lambda value: closed(SimpleNamespace(a=value)),
}
VALUES = {
    "numbers": (lambda: 1, lambda: 2),
    "long numbers": (lambda: 10**5000, lambda: 10**5000 + 1),
    "signs of 0": (lambda: 0.0, lambda: -0.0),
    "kinds": (lambda: 1, lambda: True),
    "fractions": (lambda: Fraction(1, 3), lambda: Fraction(1, 4)),
    "times": (lambda: datetime(2020, 1, 1), lambda: datetime(2020, 1, 2)),
    "ranges": (lambda: range(3), lambda: range(4)),
    "laws": (lambda: stats.beta(2, 3), lambda: stats.beta(2, 4)),
    "new laws": (lambda: stats.Uniform(a=0.5, b=1), lambda: stats.Uniform(a=0.5, b=2)),
    "functions of libraries": (lambda: np.sin, lambda: np.cos),
    "methods of classes": (lambda: str.lower, lambda: str.upper),
    "types": (lambda: np.ones(2), lambda: np.ones(2, np.float32)),
    "geometries": (lambda: dy.Geometry.single_cluster(4, 2, 2), lambda: dy.Geometry.single_cluster(4, 2, 3)),
}


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("values", VALUES)
def test_a_function_is_known_by_whatever_it_holds(holder, values):
    hold, made = HOLDERS[holder], VALUES[values]
    known = [identity(hold(make())) for make in (made[0], made[0], made[1])]
    assert known[0] == known[1]
    assert known[0].text != known[2].text
    assert known[0].unknown == ()


def test_functions_that_call_each_other_are_known_by_both():
    even = "def f(n): return n == 0 or g(n - 1)\ndef g(n): return n != 0 and f(n - 1)\n"
    assert identity(defined(even)) == identity(defined(even)) != identity(defined(even.replace("n != 0 and ", "")))


def test_what_an_object_has_worked_out_does_not_make_it_another():
    law, dispatched = stats.Uniform(a=0.5, b=1), np.vectorize(scaled)
    system = dy.reduce(dy.Setting(dy.Geometry.single_cluster(4, 2, 2), law.mean()), "local", "mean-field")
    known = [identity(closed(one)) for one in (law, dispatched, system)]
    assert law.variance() + law.icdf(0.5) + dispatched([1.0])[0] + system.loss(system.initial) > 0
    assert [identity(closed(one)) for one in (law, dispatched, system)] == known


UNKNOWN = {
    "_thread.lock": threading.Lock,
    "_io.TextIOWrapper": lambda: sys.__stdout__,
    "builtins.generator": lambda: (x for x in "ab"),
    "numpy.ufunc": lambda: np.frompyfunc(scaled, 1, 1),
    "builtins.memoryview": lambda: memoryview(b"ab"),
    "tests.test_identity.Private": lambda: Private(),
}


class Private:
    def __reduce__(self):
        raise RuntimeError("private")


@pytest.mark.parametrize("kind", UNKNOWN)
def test_what_cannot_be_known_is_named(kind):
    (found,) = identity(closed([Held(UNKNOWN[kind]())])).unknown
    assert found.rpartition(".")[2] == kind.rpartition(".")[2]


def test_a_function_is_known_alike_in_every_process():
    program = (
        "from tests.test_identity import *;print(identity(scaled), identity(lambda a: a in {'x', 'y', 'z'}),"
        "*(identity(hold(VALUES[kind][0]())) for kind in VALUES for hold in HOLDERS.values()),"
        "*(identity(closed(make())).text for kind, make in UNKNOWN.items()), identity(random.random))"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed},
            cwd=ROOT,
            check=True,
            capture_output=True,
        ).stdout
        for seed in "123"
    }
    assert len(seen) == 1


def _of_source(text, tmp_path, monkeypatch):
    """What `f` of a user's module of this text is known by."""
    (tmp_path / "another.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "another", raising=False)
    importlib.invalidate_caches()
    shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
    return identity(importlib.import_module("another").f)


HIDING = {
    "a partial with a name": "import functools\ndef g(z, k): return k * z\n"
    "f = functools.update_wrapper(functools.partial(g, k=2), g)",
    "a field called a cache": "import types\ns = types.SimpleNamespace(cached_scale=2)\n"
    "def f(z): return s.cached_scale * z",
    "a call that is remembered": "import functools\nclass C:\n    @functools.lru_cache\n"
    "    def __call__(self, z): return 2 * z\nf = C()",
    "a call that is partial": "import functools\ndef g(self, z, k): return k * z\nclass C:\n"
    "    __call__ = functools.partialmethod(g, k=2)\nf = C()",
    "a constant of a class": "class C:\n    __k__ = 2\n    def __call__(self, z): return self.__k__ * z\nf = C()",
    "a constant of a module": "__k__ = 2\ndef f(z): return __k__ * z",
    "an attribute of an array": "import numpy as np\nclass A(np.ndarray): pass\na = np.ones(2).view(A)\na.scale = 2\n"
    "def f(z): return a.scale * z",
    "what is not pickled": "class C:\n    def __init__(self): self.k = 2\n    def __getstate__(self): return {}\n"
    "    def __call__(self, z): return self.k * z\nf = C()",
}


@pytest.mark.parametrize("kind", HIDING)
def test_what_hides_from_pickle_and_from_plain_names_is_known(kind, tmp_path, monkeypatch):
    found = [_of_source(HIDING[kind].replace("2", k), tmp_path, monkeypatch).text for k in ("2", "3", "2")]
    assert found[0] == found[2] != found[1]


@pytest.mark.parametrize("code", ["eval('K * z')", "globals()['K'] * z", "__import__('json').K"])
def test_what_is_found_by_a_name_that_code_makes_is_not_known(code, tmp_path, monkeypatch):
    found = _of_source(f"K = 2\ndef f(z): return {code}", tmp_path, monkeypatch)
    assert len(found.unknown) == 1
