"""The pages of docs/ → the pictures in them: each command of a page that ends in ``--plot``, for light and dark pages.

Run it from the root of a clone: ``python docs/pictures/make.py``, or with the names of some pictures.
"""

import re
import shlex
import sys
from pathlib import Path

from numbainit.command.cli import main

DOCS = Path(__file__).parents[1]


def commands() -> dict[str, list[str]]:
    """Of each picture."""
    text = "\n".join(page.read_text("utf-8") for page in sorted(DOCS.glob("*.md")))
    lines = re.findall(r"^\$ numbainit (.* --plot docs/pictures/(\S+)\.svg)$", text, re.MULTILINE)
    return {name: shlex.split(line) for line, name in lines}


if __name__ == "__main__":
    for name, words in commands().items():
        if sys.argv[1:] in ([], [name]):
            dark = [word.replace(f"{name}.svg", f"{name}-dark.svg") for word in words]
            if main(words) or main([*dark, "--dark"]):
                sys.exit(f"{name}: failed")
