"""Words on the command line → an exit code, at most one line of complaint, and no debris.

They run in this process, in a folder of their own: no case writes elsewhere, and none is large.
"""

import contextlib
import io
import os
import tempfile
from pathlib import Path

from numbainit.command.cli import main

LONGEST = 600  # "numbainit: error: " and a message
SHAPES = '{"up.weight": {"dtype": "F32", "shape": [8, 4]}, "up.bias": {"dtype": "F32", "shape": [8]}}'
FIRST = ["init", "init", "init", "warmup", "bench", "bits", "gain", "", "--version", "--help", "x", "-h"]
OPTIONS = [
    "-o",
    "--output",
    "--init",
    "--seed",
    "--dtype",
    "--std",
    "--mean",
    "--a",
    "--b",
    "--gain",
    "--mode",
    "--json",
]
OPTIONS += ["--nonlinearity", "--val", "--sparsity", "--groups", "--layout", "--bytes", "--order", "--law", "--recipe"]
VALUES = [
    "shapes.json",
    "out.safetensors",
    "no/such/out",
    ".",
    "",
    "normal",
    "uniform",
    "sparse",
    "dirac",
    "0",
    "1",
    "-1",
]
VALUES += [
    "0.5",
    "nan",
    "inf",
    "1e400",
    "9" * 5000,
    "f32",
    "bf16",
    "x" * 3000,
    "\udce9",
    "é",
    "IO",
    "relu",
    "2^3",
    "words",
]


def words(source):
    first = source.choice(FIRST)
    if first == "bench" or (first == "warmup" and source.random() < 0.9):
        return [first, "--help"] if source.random() < 0.5 else [first, "--rounds=x", source.choice(VALUES)]
    found = [first]
    if first == "init" and source.random() < 0.7:
        found += ["shapes.json", "-o", source.choice(["out.safetensors", "out.safetensors", *VALUES])]
    if first == "bits":
        found += ["--bytes", source.choice(["0", "5"])]  # and never without an end
    for _ in range(source.randrange(4)):
        option, value = source.choice(OPTIONS), source.choice(VALUES)
        if first == "bits" and option == "--bytes":
            continue
        found += [f"{option}={value}"] if source.random() < 0.5 else [option, value]
    return found


def case(source):
    given = words(source)
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            Path("shapes.json").write_text(SHAPES)
            said, complaint = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complaint):
                code = main(given)
            left = {path.name for path in Path(folder).rglob("*")}
        finally:
            os.chdir(before)
    text = complaint.getvalue()
    assert code in (0, 1, 2), f"exit code {code}"
    errors = [line for line in text.splitlines() if line.startswith("numbainit: error:")]
    assert len(errors) == (1 if code else 0), text
    assert all(len(line) <= LONGEST for line in text.splitlines()), "a long line"
    assert "Traceback" not in text
    assert not [name for name in left if name.endswith(".tmp")], "a temporary file was left behind"
    assert code == 0 or left <= {"shapes.json"}, f"refused, and left {left}"
    return f"{given[0] or 'nothing'}: {code}"
