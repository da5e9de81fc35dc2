"""Names and paths → rules: those built in, files of your own, and what is neither."""

import errno
import json
import os

import numpy as np
import pytest

import numbainit as init
from numbainit.errors import InvalidTypeError, InvalidValueError
from numbainit.files.headers import parse_header
from numbainit.recipes import Rules, load, models, names

GPT2 = parse_header(models.builtin_header("gpt2"), "gpt2")


@pytest.mark.parametrize("name", names())
def test_rules_that_are_built_in(name):
    rules = load(name)
    assert rules.name == name
    assert rules.about
    assert rules.source
    assert rules.version
    assert Rules.from_toml(rules.to_toml()) == rules == Rules.from_json(rules.to_json())
    for model in rules.fits:
        recipe = rules.recipe(parse_header(models.builtin_header(model), model))
        assert not recipe.names("untouched")


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("gpt2-hf", {"c_proj": f"normal(std={0.02 / 24**0.5!r})", "wpe": "normal(std=0.02)"}),
        ("gpt2-openai", {"c_proj": "normal(std=0.02)", "wpe": "normal(std=0.01)"}),
    ],
)
def test_laws_of_gpt2(name, labels):
    recipe = load(name).recipe(GPT2)
    assert recipe["transformer.h.3.mlp.c_proj.weight"].label == labels["c_proj"]
    assert recipe["transformer.wpe.weight"].label == labels["wpe"]
    assert recipe["transformer.wte.weight"].label == "normal(std=0.02)"
    assert recipe["transformer.h.0.ln_1.weight"].label == "ones()"
    assert recipe["transformer.h.0.attn.c_attn.bias"].label == "zeros()"


def test_files(tmp_path):
    rules = load("gpt2-hf")
    for path, text in [
        ("a.toml", rules.to_toml()),
        ("b.json", rules.to_json()),
        ("c.toml", "\ufeff" + rules.to_toml()),
    ]:
        (tmp_path / path).write_text(text, encoding="utf-8")
        assert load(tmp_path / path) == load(str(tmp_path / path)) == rules


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("gpt2-fh", None, "no rules are named 'gpt2-fh'; did you mean 'gpt2-hf'"),
        ("../rules/gpt2-hf", None, "no rules are named"),
        ("none.toml", None, f"none.toml cannot be read: {os.strerror(errno.ENOENT)}"),
        ("a.toml", b"\xff", "a.toml is not UTF-8 text"),
        ("a.toml", b"x = \n", "a.toml: this is no TOML: .*line 1"),
        ("a.toml", b"x = 1", 'a.toml: rules begin with format = "numbainit-rules-1", and this has no format'),
        ("a.json", b"{", "a.json: this is no JSON"),
        (
            "a.toml",
            b'format = "numbainit-rules-1"\n[[rules]]\nmatch = 3\n',
            r"a.toml: rule 1 \(line 2\): a glob is a text",
        ),
    ],
)
def test_what_is_no_rules(tmp_path, monkeypatch, name, text, match):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / name).write_bytes(text)
    with pytest.raises((InvalidValueError, InvalidTypeError), match=match):
        load(name)


def test_a_path_that_no_system_has():
    with pytest.raises(InvalidValueError, match="cannot be read: embedded null"):
        load("a\0.toml")


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "a.toml").mkdir()
    with pytest.raises(InvalidValueError, match=r"a\.toml cannot be read"):
        load(tmp_path / "a.toml")


@pytest.mark.parametrize("name", [None, 3, b"gpt2-hf"])
def test_names_are_texts(name):
    with pytest.raises((InvalidTypeError, InvalidValueError), match=r"load takes a name or a path|no rules are named"):
        load(name)


def test_all_libraries_get_the_same_values():
    """A recipe by name, on arrays of NumPy: what the words of the page promise."""
    arrays = {f"h.{n}.attn.c_proj.weight": np.empty((4, 4), "float32") for n in range(2)}
    rules = Rules([{"match": "*", "initializer": "normal", "std": "n0 + 1"}])
    rules.recipe(arrays).apply(arrays, generator=3)
    g = init.Generator(3).fold_in("h.1.attn.c_proj.weight")
    np.testing.assert_array_equal(arrays["h.1.attn.c_proj.weight"], init.normal((4, 4), std=2, generator=g))
    assert json.loads(rules.to_json())["rules"][0]["std"] == "n0 + 1"


def test_a_rule_that_fails_later_is_named_by_its_file_and_line(tmp_path):
    row = '[[rules]]\nmatch = "*"\ninitializer = "normal"\nstd = "1 / (d0 - 3)"\n'
    path = tmp_path / "mine.toml"
    path.write_text("format = 'numbainit-rules-1'\nabout = '''\n[[rules]]\n'''\n\n" + row, "utf-8")
    with pytest.raises(
        InvalidValueError, match=r"mine\.toml: parameter 'w', by rule 1 \(line 6: \*\): .* division by zero"
    ):
        load(path).recipe({"w": np.empty(3, "float32")})
