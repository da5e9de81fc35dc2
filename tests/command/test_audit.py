"""``numbainit audit``: exit codes, the table, JSON, pictures, and what is refused."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from numbainit.command import cli

SHAPES = {"up.w": [96, 64], "down.w": [64, 96], "up.bias": [96]}


def run(capsys, *words):
    code = cli.main([str(word) for word in words])
    return code, *capsys.readouterr()


@pytest.fixture
def made(tmp_path, capsys):
    header = tmp_path / "shapes.json"
    header.write_text(json.dumps({name: {"dtype": "F32", "shape": shape} for name, shape in SHAPES.items()}))
    path = tmp_path / "made.safetensors"
    assert run(capsys, "init", header, "-o", path, "--seed", 7, "--json")[0] == 0
    return path


@pytest.fixture
def flipped(made):
    with safe_open(made, framework="numpy") as file:
        metadata = file.metadata()
    arrays = load_file(made)
    arrays["up.w"].view("u4")[3, 5] ^= 1 << 20
    path = made.with_name("flipped.safetensors")
    save_file(arrays, path, metadata)
    return path


def test_exit_codes_and_lines(capsys, made, flipped):
    assert run(capsys, "audit", made) == (0, "exact: all 3 tensors are, bit for bit, normal, seed 7\n", "")
    code, out, _ = run(capsys, "audit", flipped)
    assert code == 1
    assert out.splitlines()[-1].startswith("differs: 2 of 3 tensors are right; up.w: 1 of 6,144 elements differs")
    assert re.search(r"up\.w .* differs .* normal\(std=0\.02\)", out)
    assert "down.w" not in out  # the table is short
    code, out, complaints = run(capsys, "audit", made.with_name("nothing"))
    assert (code, out) == (2, "")
    assert "there is no file" in complaints


def test_what_was_said_of_the_law_is_in_the_line(capsys, made):
    _, out, _ = run(capsys, "audit", made, "--seed", 7, "--init", "normal", "--std", 0.02)
    assert out == "exact: all 3 tensors are, bit for bit, normal(std=0.02), seed 7\n"


def test_names_are_whole_however_long(capsys, tmp_path):
    name = "model.layers.17.self_attn.very_long_projection_of_the_queries.weight"
    save_file({name: np.full((8, 8), np.nan, "float32")}, tmp_path / "nan.safetensors")
    code, out, _ = run(capsys, "audit", tmp_path / "nan.safetensors")
    assert code == 1
    column = "".join(row.split()[1] for row in out.splitlines() if row.startswith("\u2502"))
    assert name in column.replace("\u2502", "")


def test_seeds_recipes_and_expectations(capsys, made):
    code, out, _ = run(capsys, "audit", made, "--seed", 8)
    assert code == 0
    assert "not this seed" in out
    assert run(capsys, "audit", made, "--seed", 8, "--expect", "exact")[0] == 1
    assert run(capsys, "audit", made, "--init", "normal", "--seed", 7, "--expect", "exact")[0] == 0
    assert run(capsys, "audit", made, "--std", 0.03)[0] == 1
    assert run(capsys, "audit", made, "--expect", "trained")[0] == 1
    assert run(capsys, "audit", made, "--baseline", made)[0] == 0
    assert run(capsys, "audit", made, "--baseline", made, "--expect", "trained")[0] == 1


def test_json(capsys, flipped):
    code, out, _ = run(capsys, "audit", flipped, "--json")
    facts = json.loads(out)
    assert (code, facts["verdict"]) == (1, "differs")
    assert [one["verdict"] for one in facts["tensors"] if one["name"] == "up.w"] == ["differs"]
    assert {"name", "verdict", "law", "faults", "fresh"} <= set(facts["tensors"][0])


def test_rules_by_name_and_by_file(capsys, made, tmp_path):
    path = tmp_path / "rules.toml"
    rows = ["*.w", "normal", "std = 'std'"], ["*.bias", "zeros", ""]
    rules = "\n".join(f"[[rules]]\nmatch = '{match}'\ninitializer = '{name}'\n{more}" for match, name, more in rows)
    path.write_text(f"format = 'numbainit-rules-1'\n[variables]\nstd = {{}}\n{rules}\n")
    assert run(capsys, "audit", made, "--recipe", path, "--set", "std=0.02", "--seed", 7, "--expect", "exact")[0] == 0
    code, _, complaints = run(capsys, "audit", made, "--recipe", path, "--seed", 7)
    assert code == 2
    assert "std" in complaints
    assert run(capsys, "audit", made, "--set", "std=1")[0] == 2


@pytest.mark.full
@pytest.mark.parametrize("dark", [(), ("--dark",)])
def test_pictures(capsys, made, flipped, tmp_path, dark):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: pip install 'numbainit[plot]'")
    path = tmp_path / "page.svg"
    assert run(capsys, "audit", flipped, "--plot", path, *dark)[0] == 1
    words = re.findall(r"<!-- (.*?) -->", path.read_text("utf-8"))
    assert any(word.startswith("differs: 2 of 3 tensors are right") for word in words)
    assert any(word.startswith("up.w: 1 of 6,144") for word in words)
    assert {"normal(std=0.02)", "expected", "found", "wrong"} <= set(words)
    assert run(capsys, "audit", made, "--plot", tmp_path / "page.png", *dark)[0] == 0


@pytest.mark.full
def test_memory_does_not_grow_with_the_tensor(tmp_path):
    """A file of 1 GiB, which is a hole, in a process of its own."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [1 << 14, 1 << 14], "data_offsets": [0, 1 << 30]}}).encode()
    path = tmp_path / "hole.safetensors"
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + (1 << 30))
    code = f"""
import resource, numbainit as init, numpy as np
init.audit({{"w": np.ones((600, 600), "f4")}}, init.Initializer("normal"), seed=1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = init.audit({str(path)!r}, init.Initializer("normal"), seed=1)
print(found.verdict, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=500, check=True)
    verdict, grown = done.stdout.split()
    assert verdict == "differs"
    assert int(grown) < 100  # MiB


def test_a_bar_and_a_pipe_are_told_apart(capsys, made):
    assert "auditing" not in run(capsys, "audit", made)[2]
    assert np.isfinite(load_file(made)["up.w"]).all()
