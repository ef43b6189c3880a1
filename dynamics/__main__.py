"""``python -m dynamics``: integrate, descend, train, compare, sweep, phases, and what made a file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

from derivations._shell import PICTURES, Parser, accept_output, one_thread, run, user_path
from dynamics import options
from dynamics.options import DESCENT, EQUATIONS, FLOW, GEOMETRY, HELP, SETTING, TRANSFORMER, Values

SUFFIXES = ".npz", ".csv"  # of trajectories
AREAS = "--global-size 40 --local-size 6 --local-areas 4"


class Command(NamedTuple):
    """A command: what it does, examples, its options by the headings of its help, and how its files end."""

    does: str
    examples: str
    groups: dict[str, tuple[str, ...]]
    files: tuple[str, ...] = ()


_PROBLEM = {"geometry, one of": GEOMETRY, "setting": SETTING}
_REDUCED = _PROBLEM | {"equations": EQUATIONS}
_TRAINING = {"transformer": TRANSFORMER, "steps": DESCENT}
COMMANDS = {
    "integrate": Command(
        "solve the gradient flow of one query",
        f"  python -m dynamics integrate {AREAS} --query local --until target,0.5 --out flow.npz --plot flow.pdf\n"
        "  python -m dynamics integrate --log10-patches 1000 --kappa-c 0.98 --kappa-s 0.3 --query local \\\n"
        "      --closure mean-field --until target,0.5",
        _REDUCED | {"solver": FLOW},
        SUFFIXES,
    ),
    "descend": Command(
        "gradient descent on the reduced equations of one query",
        "  python -m dynamics descend --labels '[[0,0,0,1,1,2,2]]' --query 3 --step-size 0.5 --steps 200 \\\n"
        "      --out steps.csv",
        _REDUCED | {"steps": (*DESCENT, "start")},
        SUFFIXES,
    ),
    "train": Command(
        "train the finite transformer; the curves of one query",
        "  python -m dynamics train --labels '[[0,0,0,1,1,2,2]]' --query 3 --step-size 0.5 --steps 200 --out run.npz\n"
        f"  python -m dynamics train {AREAS} --query local --basis coordinates --samples 256 --step-size 1 --steps 100",
        _PROBLEM | {"query": ("query",)} | _TRAINING,
        SUFFIXES,
    ),
    "compare": Command(
        "hold two trajectories against each other: two files, or a descent and the training it stands for",
        "  python -m dynamics compare steps.csv run.npz\n"
        "  python -m dynamics compare --labels '[[0,0,0,1,1,2,2]]' --query 3 --step-size 0.5 --steps 200",
        _REDUCED | _TRAINING | {"verdict": ("tolerance",)},
        (".csv",),
    ),
    "sweep": Command(
        "measure half-times and the like over a grid of options",
        f"  python -m dynamics sweep {AREAS} --query local --over latent=0.5:2:4 --out half_times.csv\n"
        f"  python -m dynamics sweep {AREAS} --query local --over mask_ratio=0.25:0.75:3 --over latent=0.5,1,2 \\\n"
        "      --closure mean-field --measure half_time,plateau --plot half_times.pdf\n"
        "  python -m dynamics sweep --kappa-c 0.98 --kappa-s 0.3 --query local --closure mean-field \\\n"
        "      --over log10_patches=3:1000:20:log --measure half_time_exponent --plot exponents.pdf",
        _REDUCED | {"sweep": ("measure", "workers")},
        (".csv",),
    ),
    "phases": Command(
        "divide the flow of one query into its phases",
        f"  python -m dynamics phases {AREAS} --query local --until target,0.5",
        _REDUCED | {"solver": FLOW},
        (".csv",),
    ),
    "info": Command(
        "say what made a file, and make it again",
        "  python -m dynamics info flow.npz\n  python -m dynamics info flow.npz --rerun --out again.npz",
        {},
        SUFFIXES,
    ),
}
INTRODUCTION = """\
Training dynamics of a one-layer softmax transformer, integrated, trained and compared.

Options have the names of the API's arguments. --config FILE.toml takes the same names (mask_ratio = 0.5); flags win.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, 1 where numbers differ, 2 for an error."""
    given = _parser().parse_args(arguments)
    status = 0
    one_thread()

    def command() -> None:
        nonlocal status
        asked, does = COMMANDS[given.command], _does()
        values = _values(given, asked)
        if given.out:
            accept_output("out", given.out, asked.files)
        if given.plot:
            accept_output("plot", given.plot, PICTURES)
        status = does[given.command](given, values)

    return run(command, given.debug) or status


def _does() -> dict[str, Callable[[argparse.Namespace, Values], int]]:
    """Loaded where a command runs: --help needs no NumPy."""
    from dynamics import reports

    curve = dict.fromkeys(("integrate", "descend", "train"), reports.curve)
    return {**curve, "compare": reports.compare, "sweep": reports.sweep, "phases": reports.phases, "info": reports.info}


def _own(command: Command) -> tuple[str, ...]:
    """The options of a command."""
    return tuple(name for names in command.groups.values() for name in names)


def _aliases(command: Command) -> dict[str, str]:
    """Shorter names of options of ``reduce``, where nothing else in the command has them."""
    own = _own(command)
    short = {name.removeprefix("reduce_"): name for name in own if name.startswith("reduce_")}
    return {alias: name for alias, name in short.items() if alias not in own}


def _values(given: argparse.Namespace, command: Command) -> Values:
    """What is asked for, by file and by flags."""
    config: Values = {}
    if getattr(given, "config", None):
        config = options.from_file(given.config, (*_own(command), *(("over",) if given.command == "sweep" else ())))
    for name in options.FILES:
        text = config.pop(name, None)
        if text is not None and getattr(given, name) is None:
            if not isinstance(text, str):
                raise ValueError(f"{name}={text!r}: expected the name of a file")
            setattr(given, name, user_path(text))
    return options.merged(config, options.from_flags(vars(given)))


@cache
def _parser() -> Parser:
    look: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter}
    epilog = "\n".join(["examples:", *(command.examples.splitlines()[0] for command in COMMANDS.values())])
    parser = Parser(prog="python -m dynamics", description=INTRODUCTION, epilog=epilog, **look)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        does = f"{command.does[0].upper()}{command.does[1:]}."
        added = commands.add_parser(
            name, help=command.does, description=does, epilog=f"examples:\n{command.examples}", **look
        )
        if name == "info":
            added.add_argument("file", metavar="FILE", type=user_path, help="a .npz or .csv that this package wrote")
            added.add_argument("--rerun", action="store_true", help="make it again and compare the numbers")
        if name == "compare":
            added.add_argument("files", metavar="FILE", type=user_path, nargs="*", help="two trajectories")
        for heading, names in command.groups.items():
            group = added.add_argument_group(heading)
            for option in names:
                _add(group, option, _aliases(command))
        if name == "sweep":
            text = "an option of geometry, setting or equations and its values"
            text = f"{text}, {options.MANY}; give several for their product"
            added.add_argument("--over", action="append", metavar="NAME=VALUES", help=text)
        _add_files(added, name, command.files)
    return parser


def _add(group: Any, option: str, aliases: dict[str, str]) -> None:
    metavar, text = HELP[option]
    flags = [option, *(alias for alias, name in aliases.items() if name == option)]
    more: dict[str, Any] = {"nargs": "?"} if option == "image" else {}
    group.add_argument(
        *(f"--{flag.replace('_', '-')}" for flag in flags),
        dest=option,
        metavar=metavar,
        help=text,
        default=argparse.SUPPRESS,
        **more,
    )


def _add_files(added: Parser, name: str, suffixes: tuple[str, ...]) -> None:
    group = added.add_argument_group("files")
    if name != "info":
        group.add_argument("--config", metavar="FILE.toml", type=user_path, help="options by name; flags win")
    group.add_argument("--out", metavar="FILE", type=user_path, help=f"write the result, a {' or '.join(suffixes)}")
    group.add_argument("--plot", metavar="FILE", type=user_path, help=f"draw it, a {', '.join(PICTURES)}")
    group.add_argument("--debug", action="store_true", help="show the trace of an error")


if __name__ == "__main__":
    sys.exit(main())
