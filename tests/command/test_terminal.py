"""What is printed where nobody reads to the end, a device is full, or a terminal has few characters."""

import json
import os
import subprocess
import sys

import pytest
from safetensors.numpy import load_file, save_file

from cases import thinned
from numbainit.command import cli

COMMANDS = {
    "recipes": [],
    "plan": ["shapes.json", "--init", "normal"],
    "gain": ["relu", "--samples", "100"],
    "propagate": ["--layers", "2", "--width", "8"],
}


@pytest.fixture
def folder(tmp_path, capsys):
    header = tmp_path / "shapes.json"
    header.write_text(json.dumps({"größe.weight": {"dtype": "F32", "shape": [32, 16]}}))
    assert (
        cli.main(["init", str(header), "-o", str(tmp_path / "right.safetensors"), "--seed", "7", "--std", "0.02"]) == 0
    )
    arrays = load_file(tmp_path / "right.safetensors")
    arrays["größe.weight"][3, 3] = float("nan")
    save_file(arrays, tmp_path / "wrong.safetensors")
    capsys.readouterr()
    return tmp_path


def ended(folder, words, stdout=subprocess.PIPE, **more):
    words = [sys.executable, "-m", "numbainit", *words]
    environment = {**os.environ, **more}
    return subprocess.run(words, cwd=folder, env=environment, stdout=stdout, stderr=subprocess.PIPE, timeout=120)


def closed_pipe():
    ours, theirs = os.pipe()
    os.close(ours)
    return theirs


@pytest.mark.full
@pytest.mark.parametrize("command", thinned(COMMANDS, ["recipes", "plan"]))
def test_who_reads_has_enough(folder, command):
    run = ended(folder, [command, *COMMANDS[command]], closed_pipe())
    assert (run.returncode, run.stderr) == (0, b"")


@pytest.mark.full
def test_the_locale_c_gets_escapes(folder):
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
    run = ended(folder, ["recipes"], **locale)
    assert (run.returncode, run.stderr) == (0, b"")
    assert b"\\u2026" in run.stdout
    assert run.stdout.isascii()


@pytest.mark.full
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full is not there")
@pytest.mark.parametrize("command", thinned(COMMANDS, ["recipes", "plan"]))
def test_a_full_device(folder, command):
    with open("/dev/full", "wb") as full:
        run = ended(folder, [command, *COMMANDS[command]], full)
    assert (run.returncode, run.stderr) == (1, b"numbainit: error: [Errno 28] No space left on device\n")


@pytest.mark.full
@pytest.mark.parametrize("json", thinned([[], ["--json"]], [[]]))
@pytest.mark.parametrize(("file", "code"), [("right", 0), ("wrong", 1)])
def test_the_verdict_of_an_audit_is_its_exit_code_whoever_reads(folder, file, code, json):
    run = ended(folder, ["audit", f"{file}.safetensors", *json], closed_pipe())
    assert run.returncode == code
    assert run.stderr.decode().startswith("numbainit: the audit is done, but the report could not be printed: ")
    assert len(run.stderr.splitlines()) == 1


@pytest.mark.full
@pytest.mark.parametrize("encoding", thinned(["ascii", "latin-1", "utf-8"], ["ascii"]))
@pytest.mark.parametrize("command", thinned([*COMMANDS, "audit"], ["plan", "audit"]))
def test_a_terminal_that_has_few_characters(folder, command, encoding):
    words = COMMANDS.get(command, ["wrong.safetensors"])
    run = ended(folder, [command, *words], PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert (run.returncode, run.stderr) == (command == "audit", b"")
    text = run.stdout.decode(encoding)
    if command in ("plan", "audit"):
        assert {"ascii": r"gr\xf6\xdfe.weight"}.get(encoding, "größe.weight") in text


def test_the_standard_output_is_as_before(capsys):
    before = sys.stdout.errors
    assert cli.main(["recipes"]) == 0
    assert sys.stdout.errors == before
