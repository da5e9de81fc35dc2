"""``numbainit bench``: options → speeds on this machine, beside a plain fill and other libraries."""

import argparse
from typing import Any

from numbainit.command import terminal
from numbainit.measure import run


def add(commands: Any) -> None:
    """The command, as argparse knows it."""
    parser = commands.add_parser(
        "bench",
        help="measure the speed on this machine",
        description="Measure the speed of the initializers on this machine, beside a plain fill of the same memory and "
        "beside each peer that is installed.",
        allow_abbrev=False,
    )
    run.add_options(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    terminal.need_extra()
    return run.run(arguments)
