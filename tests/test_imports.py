"""The structure of the code, read off its syntax trees."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import derivations

ROOT = Path(__file__).parent.parent
MODULES = [path for package in ("derivations", "dynamics", "figures") for path in sorted((ROOT / package).glob("*.py"))]
# How files are written, and how far long work is told.
FILES = "derivations._shell", "derivations._csv", "derivations._progress"


def imported(path, everywhere=True):
    """Modules that a file names in its imports, those for type checkers alone left out."""
    names = set()

    def visit(node):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.Import):
                names.update(alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                names.add(child.module)
                names.update(f"{child.module}.{alias.name}" for alias in child.names)
            if everywhere or not isinstance(child, ast.FunctionDef):
                visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return names


def packages(path, everywhere=True):
    return {name.split(".")[0] for name in imported(path, everywhere)} - sys.stdlib_module_names


@pytest.mark.parametrize("path", sorted((ROOT / "derivations").glob("*.py")), ids=lambda path: path.name)
def test_derivations_need_sympy_and_mpmath_only(path):
    assert packages(path, everywhere=False) <= {"sympy", "mpmath", "derivations"}
    late = {"tqdm"} if path.name == "_progress.py" else set()  # a bar, where a person waits
    assert packages(path) <= {"sympy", "mpmath", "derivations"} | late


@pytest.mark.parametrize("path", sorted((ROOT / "dynamics").glob("*.py")), ids=lambda path: path.name)
def test_dynamics_do_not_know_the_figures(path):
    assert "figures" not in packages(path)


@pytest.mark.parametrize("path", sorted((ROOT / "figures").glob("*.py")), ids=lambda path: path.name)
def test_figures_take_public_names_of_dynamics(path):
    assert {name for name in imported(path) if name.startswith("dynamics")} <= {"dynamics"}


def test_the_transformer_reaches_nothing_of_the_reduction():
    allowed = {
        "backward",
        "coordinates",
        "drawn",
        "errors",
        "files",
        "geometry",
        "laws",
        "phases",
        "setting",
        "shown",
        "trajectory",
        "transformer",
        "samples",
        "scipy_laws",
        "training",
    }
    seen, ahead = set(), [ROOT / "dynamics" / "transformer.py"]
    while ahead:
        path = ahead.pop()
        for name in imported(path):
            package, _, rest = name.partition(".")
            module = rest.split(".")[0]
            assert package != "derivations" or name.startswith(FILES) or name == "derivations", (path.name, name)
            if package == "dynamics" and module and module not in seen:
                assert module in allowed or module == "image", (path.name, name)
                seen.add(module)
                ahead.append(ROOT / "dynamics" / f"{module}.py")
    assert "geometry" in seen


@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_file_is_one_idea(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert lines <= 60, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("path", [*MODULES, *sorted((ROOT / "tests").rglob("*.py"))], ids=lambda path: path.name)
def test_texts_are_utf_8_whatever_the_locale_is(path):
    """Ruff's rule PLW1514 sees this where it knows that something is a path; here names are enough."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        named = {one.arg: ast.unparse(one.value) for one in node.keywords}
        assert named.get("text", named.get("universal_newlines")) != "True", f"line {node.lineno}: no encoding"
        words = ast.unparse(node.func).split(".")
        modes = [word for word in map(ast.unparse, node.args) if set(word) <= set("'rwaxbt+'")] + [
            named.get("mode", "")
        ]
        binary = any("b" in mode for mode in modes) or words[0] in ("Image", "os")
        if words[-1] in ("read_text", "write_text") and len(words) > 1:
            assert "encoding" in named, f"line {node.lineno}: no encoding"
        if words[-1] == "open" and not binary:
            assert "encoding" in named, f"line {node.lineno}: no encoding"


@pytest.mark.parametrize("name", ["jacobian", "ledger", "loops", "nodes", "quadrature", "rays", "terms"])
def test_the_loops_hold_no_formula(name):
    path = ROOT / "dynamics" / f"{name}.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    powers = [node for node in ast.walk(tree) if isinstance(node, ast.Pow)]
    assert powers == []
    assert packages(path) <= {"numpy", "dynamics"}


def test_the_hash_of_the_equations_is_of_what_the_running_rates_come_from_and_of_nothing_else():
    program = (
        "import sys; from derivations import conditional, nodes, rates;"
        "rates.formulas(), rates.curvatures(), nodes.jets(), conditional.bends();"
        "print(*(name.rpartition('.')[2] for name in sys.modules if name.startswith('derivations.')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True, cwd=ROOT)
    assert sorted(done.stdout.split()) == list(derivations._RUNNING)


def test_importing_dynamics_loads_neither_sympy_nor_scipy_nor_numba():
    program = "import sys, dynamics, derivations, figures; dynamics.Geometry, dynamics.reduce, dynamics.integrate; " + (
        "print(*{name.split('.')[0] for name in sys.modules} & {'sympy', 'scipy', 'numba', 'matplotlib'})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True, cwd=ROOT)
    assert done.stdout.split() == []
