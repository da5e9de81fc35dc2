"""``numbainit recipes``: nothing → the rules that are built in; a name → its file."""

import argparse
import json
from typing import Any

from numbainit.recipes import load, names
from numbainit.recipes.library import text_of


def add(commands: Any) -> None:
    """The command, as argparse knows it."""
    parser = commands.add_parser(
        "recipes",
        help="list the recipes that are built in",
        description="List the recipes that are built in, by the implementation whose initialization they are; with a "
        "name, print its file, from which one of your own can start.",
        allow_abbrev=False,
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="print this one")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.name is not None:
        text = json.dumps(load(arguments.name).to_dict()) if arguments.json else text_of(arguments.name).rstrip()
    elif arguments.json:
        text = json.dumps([_about(name) for name in names()])
    else:
        width = max(map(len, names()))
        text = "\n".join(f"{name:{width}}  {load(name).about}" for name in names())
    print(text, flush=True)
    return 0


def _about(name: str) -> dict[str, Any]:
    return {key: value for key, value in load(name).to_dict().items() if key != "rules"}
