"""Tables that were damaged somewhere → they are read, or refused by one of our errors, and nothing else happens."""

import contextlib
import copy
import math
import random

import pytest

from cases import thinned
from numbainit.errors import NumbaInitError
from numbainit.files.headers import parse_header
from numbainit.recipes import Rules, Tensor, load, models, names

VALUES = [
    *(None, True, 0, 1, -1, 2**70, 10**400, 1.5, math.inf, math.nan),
    *(
        "",
        "*",
        "x",
        "std",
        "1/0",
        "n0",
        "d9",
        "fan_in",
        "weight_fan_in",
        "(",
        "normal",
        "inf",
        "\0",
        "é",
        "[",
        "[!",
        "{}",
    ),
    *(
        [],
        [1],
        [[1]],
        ["*"],
        ["a", "b"],
        [1, 2],
        {},
        {"a": 1},
        {"axis": 0, "count": 2},
        {"axes": "IO"},
        {"count": "{}"},
    ),
]
KEYS = [
    *("match", "regex", "rank", "dtype", "kind", "parameter", "where", "initializer", "parts", "then", "untouched"),
    *("warn", "optional", "std", "a", "gain", "val", "groups", "layout", "mode", "unknown"),
]
TABLES = [load(name).to_dict() for name in names()]
EXTRA = [Tensor("x.bias", (4,), "float16"), Tensor("n", (), "int64"), Tensor("e.weight", (0, 3), "float32")]
MODELS = [parse_header(models.builtin_header(name), name)[:40] + EXTRA for name in ("gpt2", "resnet50")]


def paths(tree, path=()):
    """Where something stands in a tree."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in inner:
        yield (*path, key)
        yield from paths(value, (*path, key))


def damage(tree, rng):
    """Take something away, put something in its place, or add something."""
    *way, last = rng.choice(list(paths(tree)))
    for key in way:
        tree = tree[key]
    kind, value = rng.random(), copy.deepcopy(rng.choice(VALUES))
    if kind < 0.15:
        del tree[last]
    elif kind < 0.3 and isinstance(tree, dict):
        tree[rng.choice(KEYS)] = value
    else:
        tree[last] = value


@pytest.mark.parametrize("seed", thinned(range(20), [0]))
def test_damaged_tables(seed):
    rng, read = random.Random(seed), 0
    for _ in range(200):
        tree = copy.deepcopy(rng.choice(TABLES))
        for _ in range(rng.choice([1, 1, 2, 3])):
            damage(tree, rng)
        with contextlib.suppress(NumbaInitError):
            rules = Rules.from_dict(tree)
            read += 1
            assert Rules.from_json(rules.to_json()) == rules == Rules.from_toml(rules.to_toml())
            str(rules.plan(rng.choice(MODELS)).recipe)
    assert 20 < read < 200
