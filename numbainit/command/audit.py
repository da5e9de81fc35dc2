"""``numbainit audit``: a checkpoint → what was found: a table that is short when all is well, JSON, a picture."""

import argparse
import functools
import json
import math
from typing import Any, TextIO

from numbainit.auditing.audit import EXPECTATIONS, audit
from numbainit.auditing.records import EXACT, Audit, Record
from numbainit.command import choosing, terminal
from numbainit.errors import InvalidValueError, printable
from numbainit.files.reading.source import open_stored
from numbainit.pictures import style

_ROWS = 20  # of the table
_OPTIONS = (
    "mode",
    "nonlinearity",
    "gain",
    "mean",
    "std",
    "a",
    "b",
    "val",
    "sparsity",
    "groups",
    "layout",
    "set",
    "init",
)


def add(commands: Any) -> None:
    """The command, as argparse knows it."""
    parser = commands.add_parser(
        "audit",
        help="find out what a checkpoint holds",
        description="Make every tensor of a checkpoint again and compare; where that is not possible, compare with its "
        "law, and say whether it looks trained and what is wrong. Exit code 0: all fits; 1: something does not; 2: "
        "refused.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "checkpoint", metavar="FILE|FOLDER|INDEX", help=".safetensors, .npz, .npy, .zarr, .pt, .bin; shards; an index"
    )
    choosing.add_options(parser)
    parser.add_argument("--seed", type=terminal.seed, metavar="N", help="that it was made with (default: as it says)")
    parser.add_argument("--baseline", metavar="FILE", help="another checkpoint, which should hold the same bits")
    parser.add_argument(
        "--expect",
        choices=EXPECTATIONS,
        help="trained: nothing may look fresh, or be that of the baseline; exact: every bit must be right",
    )
    parser.add_argument("--plot", metavar="FILE", help="one page: .svg, .png or .pdf")
    parser.add_argument("--dark", action="store_true", help="a picture for dark pages")
    parser.add_argument("--json", action="store_true", help="print one JSON object with all tensors")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    terminal.need_extra()
    plot = style.check(arguments.plot) if arguments.plot else None
    total = sum(one.nbytes for one in open_stored(arguments.checkpoint).tensors.values())
    with terminal.progress(total, "auditing", of_bytes=True) as advance:
        found = audit(
            arguments.checkpoint,
            _recipe(arguments),
            seed=arguments.seed,
            variables=dict(arguments.set or []) or None,
            baseline=arguments.baseline,
            expect=arguments.expect,
            progress=advance,
        )
    if plot:
        from numbainit.pictures.audit import draw

        draw(found, open_stored(arguments.checkpoint), plot, dark=arguments.dark)
    terminal.tell(functools.partial(_show, found, as_json=arguments.json), done="the audit is done")
    return 0 if found.ok else 1


def _show(found: Audit, file: TextIO, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(found.as_dict()), file=file)
    else:
        print_audit(found, file)


def _recipe(arguments: argparse.Namespace) -> Any:
    """What was said of the making; None for nothing."""
    given = [f"--{option}" for option in _OPTIONS if getattr(arguments, option) is not None]
    if arguments.recipe is None:
        if "--set" in given:
            raise InvalidValueError("--set belongs to --recipe: name one")
        return choosing.Choice(arguments).chosen if given else None
    if arguments.recipe.endswith(".json"):
        return arguments.recipe
    return choosing.Choice(arguments).rules


def print_audit(found: Audit, file: TextIO | None = None) -> None:
    """The verdict, and a row for each tensor that has one to tell, the worst first."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=file, highlight=False, markup=False, emoji=False)
    told = sorted((one for one in found.tensors if one.faults or _is_fresh(one, found)), key=lambda one: one.severity)
    if told:
        table = Table()
        for heading in ("tensor", "verdict", "law", "std", "fresh", "what was found"):
            table.add_column(heading, overflow="fold")
        for one in told[:_ROWS]:
            table.add_row(*(Text(text) for text in _cells(one)))
        console.print(table)
        if len(told) > _ROWS:
            console.print(f"and {len(told) - _ROWS} more: --json has all")
    console.print(Text(found.line), soft_wrap=True)


def _is_fresh(one: Record, found: Audit) -> bool:
    """Worth a row where nothing is known of its making."""
    return one.fresh is True and one.law is None and not found.origin


def _cells(one: Record) -> tuple[str, ...]:
    std = one.figures.get("std")
    shown = "-" if std is None or not math.isfinite(std) else f"{std:.4g}"
    fresh = {True: "yes", False: "no", None: "-"}[one.fresh]
    what = one.text or (f"like {one.like}" if one.like and one.verdict != EXACT else "")
    return printable(one.name), one.verdict, one.law or "-", shown, fresh, what
