"""A shell's ``numbainit`` → the command line as a process, which Ctrl-C ends in a line from here on.

The commands are imported under a handler that ends the process: so little is imported above it.
"""

from typing import NoReturn

from numbainit.command import ending


def run() -> NoReturn:
    """The command line as a process."""
    ending.run(_main)


def _main() -> int:
    with ending.at_once():
        from numbainit.command.cli import main
    return main()
