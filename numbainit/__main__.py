"""``python -m numbainit`` → the command line."""

import sys

from numbainit.command.cli import main

if __name__ == "__main__":
    sys.exit(main())
