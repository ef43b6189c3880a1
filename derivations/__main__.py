"""``python -m derivations``: list, show, check and export the results."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from derivations._progress import progress_of
from derivations._shell import Parser, run, user_path

if TYPE_CHECKING:
    from derivations.statements import Result

Item = TypeVar("Item")

FORMATS = ("unicode", "latex", "python", "c", "julia", "mathematica")
DOES = {
    "list": "list the results, in the order in which they build on each other",
    "show": "show one result: formula, derivation or code",
    "check": "verify results and show how each is verified",
    "export": "verify all results and write them as one document",
}
EXAMPLES: dict[str | None, str] = {
    None: """\
examples:
  python -m derivations list                       every result, in the order in which they build on each other
  python -m derivations show fp-rate-target        one of them
  python -m derivations check                      does each prove itself?
  python -m derivations export equations.html      all on one page
""",
    "list": """\
example:
  python -m derivations list
""",
    "show": """\
examples:
  python -m derivations show fp-rate-target --steps
  python -m derivations show fp-rate-target --format c > rate.c
""",
    "check": """\
examples:
  python -m derivations check
  python -m derivations check softmax-rule area-rule
""",
    "export": """\
examples:
  python -m derivations export equations.md        for a repository page
  python -m derivations export equations.tex       article and amsmath
  python -m derivations export equations.html      MathML, needs no network
""",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, 1 where a check fails, 2 for an error."""
    given = _parser().parse_args(arguments)
    status = 0

    def command() -> None:
        nonlocal status
        if given.command == "list":
            _list()
        elif given.command == "show":
            _show(given.name, given.steps, given.format)
        elif given.command == "check":
            status = _check(given.names, given.debug)
        else:
            status = _export(given.file, given.debug)

    return run(command, given.debug) or status


def _parser() -> Parser:
    parser = Parser(
        prog="python -m derivations",
        description="The theory, derived and checked: from the loss of a masked patch to rates, phases and exponents.",
        epilog=EXAMPLES[None],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command, does in DOES.items():
        added = commands.add_parser(
            command,
            help=does,
            description=f"{does[0].upper()}{does[1:]}.",
            epilog=EXAMPLES[command],
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        added.add_argument("--debug", action="store_true", help="show the trace of an error")
        if command == "show":
            added.add_argument("name", metavar="NAME", help="a result, as in the list")
            added.add_argument("--steps", action="store_true", help="its derivation, step by step")
            added.add_argument("--format", choices=FORMATS, default="unicode", help="unicode by default")
        elif command == "check":
            added.add_argument("names", metavar="NAME", nargs="*", help="results to verify; all by default")
        elif command == "export":
            added.add_argument("file", metavar="FILE", type=user_path, help="ends in .md, .tex or .html")
    return parser


def _list() -> None:
    """Each result as soon as it is made: the first at once, all in some seconds."""
    from derivations.statements import names, result

    known = names()
    width = max(map(len, known))
    for name in known:
        found = result(name)
        print(f"{name:{width}}  {found.exactness:15}  {found.title}", flush=True)


def _show(name: str, steps: bool, form: str) -> None:
    from derivations import terminal
    from derivations.code import LANGUAGES
    from derivations.export import entry

    (found,) = _named([name])
    if form in LANGUAGES:
        if steps:
            raise ValueError(f"--format={form!r}: expected unicode or latex with --steps")
        print(found.code(next(language for language in LANGUAGES if language == form)), end="")
    elif form == "latex" and not steps:
        print(found.latex())
    else:
        blocks = entry(found, found.check() if steps else (), steps)
        print(terminal.text(blocks) if form == "unicode" else terminal.latex(blocks))


def _check(names: Sequence[str], debug: bool) -> int:
    """Verify results and print how; status 1 where one fails."""
    from derivations.export import how
    from derivations.proof import DerivationError

    rows, failed, started = [], [], time.perf_counter()
    for found in _progress(_named(names)):
        start = time.perf_counter()
        try:
            reports = found.check()
        except DerivationError as error:
            if debug:
                raise
            failed.append(_one_line(error))
            reports = None
        took = f"{time.perf_counter() - start:.2f} s"
        points = sum(report.checked.points for report in reports) if reports else 0
        rows.append((found.name, found.exactness, how(reports) if reports else "FAILED", str(points or "–"), took))
    _print_table([("result", "exactness", "how checked", "points", "time"), *rows])
    print(f"{len(rows) - len(failed)} of {len(rows)} hold, in {time.perf_counter() - started:.1f} s")
    print(*failed, sep="\n", end="\n" if failed else "", file=sys.stderr)
    return 1 if failed else 0


def _export(file: Path, debug: bool) -> int:
    from derivations.export import write
    from derivations.proof import DerivationError

    try:
        write(file, _progress)
    except DerivationError as error:
        if debug:
            raise
        print(_one_line(error), file=sys.stderr)
        return 1
    print(file)
    return 0


def _named(names: Sequence[str]) -> tuple[Result, ...]:
    """The results of these names; all where there is none."""
    from derivations.statements import result, results

    try:
        return tuple(result(name) for name in dict.fromkeys(names)) if names else results()
    except ValueError as error:
        raise ValueError(str(error).replace("name=", "NAME=", 1)) from error


def _progress(found: Iterable[Item]) -> Iterable[Item]:
    """How far it is, on stderr."""
    shown: Iterable[Item] = progress_of(found, "checking", unit="result")
    return shown


def _one_line(error: Exception) -> str:
    """The message without its line breaks, a witness longer than a screen cut."""
    line = " ".join(str(error).split())
    return line if len(line) <= 1500 else f"{line[:1500]} … (--debug shows all)"


def _print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for *row, last in rows:
        print("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)), f" {last:>{widths[-1]}}")


if __name__ == "__main__":
    sys.exit(main())
