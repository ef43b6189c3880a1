"""``python -m figures``: draw the figures, or check their numbers."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from derivations._shell import Parser, run
from figures import FIGURES

EXAMPLES = """\
examples:
  python -m figures                              every figure into out/
  python -m figures phases --quick --out /tmp    one figure, coarser, elsewhere
  python -m figures --check                      are the numbers still those on record?
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, 1 where a check fails, 2 for an error."""
    parser = Parser(
        prog="python -m figures",
        description="Draw the figures, each as PNG, PDF and a CSV of what is drawn.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help="figures to draw; all by default")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--list", action="store_true", help="list the figures and what they show")
    parser.add_argument("--out", metavar="DIR", type=Path, default=Path("out"), help="folder to write to (out)")
    parser.add_argument("--quick", action="store_true", help="coarser, in under a minute")
    instead.add_argument("--check", action="store_true", help="recompute the quick numbers, compare with the record")
    parser.add_argument("--debug", action="store_true", help="show the trace of an error")
    given = parser.parse_args(arguments)
    status = 0
    _one_thread()

    def command() -> None:
        nonlocal status
        names = _known(given.names)
        if given.list:
            print("\n".join(f"{name:12}{FIGURES[name]}" for name in names))
        elif given.check:
            status = 0 if _check(names) else 1
        else:
            _draw(names, given.quick, given.out)

    return run(command, given.debug) or status


def _one_thread() -> None:
    """Before NumPy loads: these matrices are too small to share; on a busy machine threads wait for each other."""
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")


def _known(names: Sequence[str]) -> list[str]:
    """The figures asked for, each once; all where none is named."""
    for name in names:
        if name not in FIGURES:
            raise ValueError(f"NAME={name!r}: expected one of {', '.join(FIGURES)}")
    return list(dict.fromkeys(names or FIGURES))


def _draw(names: Sequence[str], quick: bool, out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        raise ValueError(f"--out={str(out)!r}: expected a folder to write to, or where one can be made") from error
    import matplotlib as mpl

    mpl.use("Agg")
    from figures.output import write

    for name in names:
        print(*write(name, quick, out), sep="\n", flush=True)


def _check(names: Sequence[str]) -> bool:
    from figures.golden import HEADER, check

    print(HEADER)
    agree = True
    for name in names:
        verdicts = check(name)
        print(*verdicts, sep="\n", flush=True)
        agree = agree and all(verdict.agrees for verdict in verdicts)
    return agree


if __name__ == "__main__":
    sys.exit(main())
