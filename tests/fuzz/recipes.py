"""Texts that should be rules or a recipe, as JSON or TOML → what they are, or an error."""

import json

import numpy as np

import numbainit as init
from fuzz import headers
from numbainit.recipes import Recipe, Rules, load, names

LONGEST = 500
RULES = [load(name) for name in names()]
TEXTS = {
    "rules toml": ([rules.to_toml() for rules in RULES], Rules.from_toml, Rules.to_toml),
    "rules json": ([rules.to_json() for rules in RULES], Rules.from_json, Rules.to_json),
    "recipe toml": ([], Recipe.from_toml, Recipe.to_toml),
    "recipe json": ([], Recipe.from_json, Recipe.to_json),
}
SHAPES = {"h.0.mlp.c_fc.weight": (8, 4), "h.0.mlp.c_fc.bias": (8,), "h.1.mlp.c_fc.weight": (8, 4), "wte.weight": (9, 4)}
ARRAYS = {name: np.empty(shape, "f4") for name, shape in SHAPES.items()}
RECIPE = load("default").recipe(ARRAYS)
TEXTS["recipe toml"][0].append(RECIPE.to_toml())
TEXTS["recipe json"][0].append(RECIPE.to_json())
WORDS = [
    "normal",
    "std",
    "0.02",
    "-1",
    "1e400",
    "9" * 5000,
    "nan",
    "[[",
    "]]",
    "{",
    "=",
    '"',
    "rules",
    "name",
    "(",
    "*",
]


def changed(source, text):
    if source.random() < 0.3:
        return headers.mutated(source, text.encode()).decode(
            "utf-8", "surrogateescape" if source.random() < 0.5 else "replace"
        )
    words = text.split(" ")
    for _ in range(source.randrange(1, 4)):
        place = source.randrange(len(words))
        words[place] = source.choice([*WORDS, words[source.randrange(len(words))], ""])
    return " ".join(words)


def case(source):
    kind = source.choice(list(TEXTS))
    texts, read, write = TEXTS[kind]
    text = changed(source, source.choice(texts))
    if source.random() < 0.1:
        text = json.dumps(headers.tree(source))
    try:
        found = read(text)
        if isinstance(found, Rules):
            found.plan(ARRAYS)
    except init.NumbaInitError as error:
        assert len(str(error)) <= LONGEST, f"a message of {len(str(error))} characters"
        return f"{kind}: {type(error).__name__}"
    assert read(write(found)) == found, "written and read again, it is another one"
    return f"{kind}: read"
