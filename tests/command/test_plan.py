"""``numbainit plan``, ``numbainit recipes`` and ``numbainit init --recipe``: what they show, write and refuse."""

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

import numbainit as init
from numbainit.command import cli
from numbainit.recipes import Recipe, Rules, load, names

SHAPES = {
    f"h.{n}.{end}": {"dtype": dtype, "shape": shape}
    for n in range(8)
    for end, dtype, shape in [
        ("up.weight", "F32", [16, 4]),
        ("down.weight", "BF16", [4, 16]),
        ("down.bias", "F32", [4]),
    ]
}
TEXT = """
format = "numbainit-rules-1"
name = "mine"
about = "for tests"
source = "here"
version = "1"
unverified = ["everything"]

[variables]
layers = { count = "*.h.{}.*" }
scale = {}

[[rules]]
match = "*.bias"
initializer = "constant"
val = 0.25

[[rules]]
match = "*.down.weight"
initializer = "normal"
std = "scale / sqrt(2 * (n0 + 1))"

[[rules]]
match = "*.weight"
initializer = "orthogonal"
then = [ { mul = "1 / layers" } ]
"""


@pytest.fixture
def files(tmp_path):
    """The paths of a header and of rules for it, and of an output."""
    shapes, rules, output = tmp_path / "shapes.json", tmp_path / "mine.toml", tmp_path / "model.safetensors"
    shapes.write_text(json.dumps(SHAPES))
    rules.write_text(TEXT)
    return shapes, rules, output


def run(*words):
    return cli.main([str(word) for word in words])


# ---- plan ----


def test_a_plan_shows_law_std_and_rule(files, capsys):
    shapes, rules, _ = files
    assert run("plan", shapes, "--recipe", rules, "--set", "scale=0.02") == 0
    out, err = capsys.readouterr()
    assert err == ""
    fit = "0.02 / sqrt(2 * (n + 1))"
    assert [" ".join(line.split()) for line in out.splitlines()] == [
        "mine: for tests",
        "source: here (1)",
        "unverified: everything",
        "variables: layers = 8, scale = 0.02",
        "",
        "parameter shape initializer std rule",
        "h.{0..7}.up.weight [16, 4] orthogonal(); mul(0.125) 0.03125 3",
        f"h.{{0..7}}.down.weight [4, 16] normal(std={fit}) {fit} 2",
        "h.{0..7}.down.bias [4] constant(val=0.25) 0 1",
    ]


def test_a_plan_as_json_is_a_recipe(files, capsys):
    shapes, rules, _ = files
    assert run("plan", shapes, "--recipe", rules, "--set", "scale=0.02", "--set", "layers=2", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["recipe"], facts["about"]["version"]) == (str(rules), "1")
    assert facts["variables"] == {"scale": 0.02, "layers": 2}
    row = facts["parameters"][4]
    assert (row["name"], row["dtype"], row["rule"]) == ("h.1.down.weight", "bfloat16", 2)
    assert row["std"] == pytest.approx(0.01)
    tensors = {row["name"]: row for row in facts["parameters"]}
    recipe = Recipe.from_json(json.dumps({"format": "numbainit-recipe-1", "tensors": tensors}))
    assert recipe["h.3.up.weight"].label == "orthogonal(); mul(0.5)"


def test_a_plan_without_a_recipe_is_that_of_init(files, capsys):
    assert run("plan", "gpt2", "--init", "trunc_normal", "--std", "0.5") == 0
    out = capsys.readouterr().out
    assert out.startswith("default: One initializer for all weights")
    assert "trunc_normal(std=0.5, a=-1, b=1)" in out.replace(".0", "")
    assert len(out.splitlines()) < 20


def test_warnings_go_to_the_standard_error(tmp_path, capsys):
    shapes = tmp_path / "shapes.json"
    shapes.write_text(json.dumps({"A_log": {"dtype": "F32", "shape": [4, 2]}}))
    assert run("plan", shapes) == 0
    assert (
        capsys.readouterr().err
        == "numbainit: warning: default: A_log became 0, where a model's own code computes something\n"
    )
    assert run("init", shapes, "-o", tmp_path / "m", "--json") == 0
    out, err = capsys.readouterr()
    assert err.startswith("numbainit: warning: default: A_log became 0")
    assert json.loads(out)["parameters"] == 1


def test_all_that_no_rule_takes(files, capsys):
    shapes, rules, _ = files
    few = rules.with_name("few.toml")
    few.write_text(Rules([{"match": "h.0.*", "initializer": "zeros"}], name="few").to_toml())
    assert run("plan", shapes, "--recipe", few) == 2
    out, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert out.startswith("no rule takes\nh.{1..7}.up.weight  [16, 4]\n")
    assert run("plan", shapes, "--recipe", few, "--json") == 2
    out, err = capsys.readouterr()
    facts = json.loads(out)
    assert facts["recipe"] == str(few)
    lost = {one["name"]: one["shape"] for one in facts["untaken"]}
    assert lost == {name: one["shape"] for name, one in SHAPES.items() if not name.startswith("h.0.")}


# ---- recipes ----


def test_recipes_are_listed_and_printed(capsys):
    assert run("recipes") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == names()
    assert run("recipes", "gpt2-hf") == 0
    assert Rules.from_toml(capsys.readouterr().out) == load("gpt2-hf")
    assert run("recipes", "gpt2-hf", "--json") == 0
    assert Rules.from_json(capsys.readouterr().out) == load("gpt2-hf")
    assert run("recipes", "--json") == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == names()


# ---- init ----


def test_a_file_by_a_recipe(files):
    shapes, rules, output = files
    assert run("init", shapes, "-o", output, "--recipe", rules, "--set", "scale=0.02", "--seed", 3) == 0
    arrays = load_file(output)
    assert set(arrays) == set(SHAPES)
    for n in range(8):
        g = init.Generator(3).fold_in(f"h.{n}.down.weight")
        want = init.normal((4, 16), std=0.02 / np.sqrt(2 * (n + 1)), generator=g)
        np.testing.assert_array_equal(arrays[f"h.{n}.down.weight"], want)
        up = arrays[f"h.{n}.up.weight"].astype("float64") * 8
        np.testing.assert_allclose(up.T @ up, np.eye(4), atol=1e-5)
        assert (arrays[f"h.{n}.down.bias"] == 0.25).all()
    with safe_open(output, framework="numpy") as file:
        facts = json.loads(file.metadata()["rules"])
    assert facts["variables"] == {"scale": 0.02, "layers": 8}
    assert Rules.from_dict(facts["table"]) == load(rules)


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        (["--recipe", "mine.toml"], ["variable 'scale' is needed", "--set scale=..."]),
        (["--recipe", "mine.toml", "--set", "scale=x"], ["got 'scale=x'", "layers=32"]),
        (["--recipe", "mine.toml", "--set", "scael=1"], ["no variable is named 'scael'; did you mean 'scale'"]),
        (
            ["--recipe", "mine.toml", "--set", "scale=-1"],
            ["mine.toml: parameter 'h.0.down.weight', by rule 2 (line ", "std must be"],
        ),
        (["--recipe", "mine.toml", "--set", "scale=1", "--set", "layers=0"], ["division by zero", "layers = 0"]),
        (["--recipe", "mine.toml", "--init", "normal"], ["leave out --init"]),
        (["--recipe", "mine.toml", "--std", "1"], ["leave out --std"]),
        (["--recipe", "mien.toml"], ["mien.toml cannot be read"]),
        (["--recipe", "gpt2_hf"], ["no rules are named 'gpt2_hf'; did you mean 'gpt2-hf'"]),
        (
            ["--recipe", "few.toml"],
            ["few.toml: no rule takes 16 parameters: h.{0..7}.up.weight [16, 4]; h.{0..7}.down.we"],
        ),
        (["--recipe", "broken.toml"], ["broken.toml: this is no TOML", "line 2"]),
        (["--recipe", "left.toml"], ["does not make these: h.0.up.weight (computed: by code)", "take them out"]),
        (["--set", "std=0.1"], ["--set is for variables of a --recipe"]),
    ],
    ids=str,
)
def test_what_is_refused_is_one_line_and_nothing_is_written(files, capsys, monkeypatch, words, fragments):
    shapes, rules, output = files
    monkeypatch.chdir(rules.parent)
    rules.with_name("broken.toml").write_text('format = "numbainit-rules-1"\nrules = here\n')
    few = Rules([{"match": "*.bias", "initializer": "zeros"}], name="few")
    rules.with_name("few.toml").write_text(few.to_toml())
    left = TEXT.replace('initializer = "orthogonal"\nthen = [ { mul = "1 / layers" } ]', 'untouched = "by code"')
    rules.with_name("left.toml").write_text(left.replace("scale = {}", "scale = 1"))
    assert run("init", shapes, "-o", output, *words) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert all(fragment in err for fragment in fragments), err
    assert not output.exists()
