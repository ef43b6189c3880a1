"""``python -m figures``: draw the figures and judge the claims, or check their numbers."""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from derivations._shell import Parser, nearest, one_thread, run, user_path
from figures import FIGURES

FORMATS = "png", "pdf", "svg"
PICTURES = "gap-of-pictures"  # the figure that takes one of the user's
EXAMPLES = """\
examples:
  python -m figures                              every figure into out/
  python -m figures phases --quick --out /tmp    one figure, coarser, elsewhere
  python -m figures phases --format svg          as SVG
  python -m figures gap-of-pictures --image cat.png   the information gap of your picture too
  python -m figures --check                      are the numbers still those on record?
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, 1 where a check fails, 2 for an error."""
    parser = Parser(
        prog="python -m figures",
        description="Draw the figures, each with a CSV of what is drawn. Tables in DIR that are up to date are kept.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help="figures to draw; all by default")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--list", action="store_true", help="list the figures and what they show")
    parser.add_argument("--out", metavar="DIR", type=user_path, default=Path("out"), help="folder to write to (out)")
    parser.add_argument("--quick", action="store_true", help="coarser, in under a minute")
    parser.add_argument("--format", metavar="F,...", default="png,pdf", help=f"of {', '.join(FORMATS)} (png,pdf)")
    parser.add_argument("--image", metavar="FILE", help=f"a picture of yours, for {PICTURES}")
    instead.add_argument("--check", action="store_true", help="recompute the quick numbers, compare with the record")
    parser.add_argument("--debug", action="store_true", help="show the trace of an error")
    given = parser.parse_args(arguments)
    status = 0
    one_thread()

    def command() -> None:
        nonlocal status
        names, formats = _known(given.names), _formats(given.format)
        changes = _picture(given.image, names, given.quick, drawn=not (given.list or given.check))
        if given.list:
            _list(names)
        elif given.check:
            status = 0 if _check(names) else 1
        else:
            _draw(names, given.quick, given.out, formats, changes)

    return run(command, given.debug) or status


def _known(names: Sequence[str]) -> list[str]:
    """The figures asked for, each once; all where none is named."""
    for name in names:
        if name not in FIGURES:
            raise ValueError(f"NAME={name!r}: expected one of {', '.join(FIGURES)}{nearest(name, FIGURES)}")
    return list(dict.fromkeys(names or FIGURES))


def _formats(words: str) -> list[str]:
    """The formats asked for, each once."""
    formats = list(dict.fromkeys(words.split(",")))
    if not set(formats) <= set(FORMATS):
        raise ValueError(f"--format={words!r}: expected some of {', '.join(FORMATS)}, with commas between")
    return formats


def _list(names: Sequence[str]) -> None:
    """What each figure shows, and what it took to compute and draw where the gallery was made."""
    from figures.gallery import costs

    print(f"{'':17}{'time':>7}{'--quick':>9}{'memory':>9}")
    for name, cost in costs(names).items():
        full, quick = cost["full"], cost["quick"]
        print(f"{name:17}{full['seconds']:5.0f} s{quick['seconds']:7.0f} s{full['megabytes']:6.0f} MB  {FIGURES[name]}")


def _picture(image: str | None, names: Sequence[str], quick: bool, drawn: bool) -> dict[str, str]:
    """The parameters that a picture of the user's changes; a hash among them, lest an older table pass for its own."""
    if image is None:
        return {}
    if PICTURES not in names or not drawn:
        raise ValueError(f"--image={image!r}: expected where {PICTURES} is drawn")
    import dynamics as dy
    from figures import parameters

    side = max(parameters(PICTURES, quick).sides)
    dy.patch_colours(image, (side, side))  # or it says what is wrong
    return {"image": image, "image_hash": hashlib.sha256(user_path(image).read_bytes()).hexdigest()[:16]}


def _draw(names: Sequence[str], quick: bool, out: Path, formats: Sequence[str], changes: dict[str, str]) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        raise ValueError(f"--out={str(out)!r}: expected a folder to write to, or where one can be made") from error
    import matplotlib as mpl

    mpl.use("Agg")
    from figures import module, read
    from figures.output import write

    for name in names:
        own = changes if name == PICTURES else {}
        print(*write(name, quick, out, formats, **own), sep="\n", flush=True)
        if name == "claims":
            print(module(name).text(read(out / f"{name}.csv")))


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
