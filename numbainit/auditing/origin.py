"""What is known of the making of a checkpoint, its metadata or a recipe and a seed → a recipe for its tensors.

Files of ``numbainit init`` say all of it. What they said before rules were tables is read too.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError, suggestion
from numbainit.files.reading.stored import Collection
from numbainit.generator import Generator
from numbainit.initializers import Initializer
from numbainit.maths.stream import STREAM
from numbainit.recipes import Fill, Recipe, Rules, Tensor, Weight, load
from numbainit.recipes.carried import received

_OURS = ("numbainit", "stream", "seed", "rules")


@dataclass(frozen=True)
class Origin:
    """How tensors should have been made.

    Attributes
    ----------
    recipe : Recipe or None
        None: nothing is known.
    seed : int or None
        None: the laws are known, and no bits.
    label : str
        In words.
    """

    recipe: Recipe | None
    seed: int | None
    label: str

    def weight(self, name: str) -> Weight | None:
        """How a tensor is made."""
        if self.recipe is None:
            return None
        return self.recipe.get(self.recipe.ties.get(name, name))

    def name(self, name: str) -> str:
        """That whose generator a tensor has."""
        return name if self.recipe is None else self.recipe.ties.get(name, name)

    @property
    def root(self) -> Generator | None:
        return None if self.seed is None else Generator(self.seed)


def origin(
    found: Collection, recipe: Any = None, seed: int | None = None, variables: Mapping[str, Any] | None = None
) -> Origin:
    """By a recipe if there is one, else by the metadata.

    Raises
    ------
    InvalidValueError
        A recipe none of whose names is in the file; metadata of another stream, or that cannot be read.
    """
    if recipe is not None:
        return _given(found, recipe, seed, variables)
    said = {key: found.metadata[key] for key in _OURS if key in found.metadata}
    if "rules" not in said:
        if seed is not None:
            raise InvalidValueError(
                "a seed alone says no law: the file has no metadata of numbainit; give a recipe too"
            )
        return Origin(None, None, "")
    return _said(found, said, seed)


def _tensors(found: Collection) -> list[Tensor]:
    return [Tensor(one.name, one.shape, one.dtype.name) for one in found.tensors.values()]


def _given(found: Collection, recipe: Any, seed: int | None, variables: Mapping[str, Any] | None) -> Origin:
    label = recipe if isinstance(recipe, str) else getattr(recipe, "name", "") or "a recipe"
    if isinstance(recipe, (str, Path)):
        recipe = _named(recipe)
    if isinstance(recipe, Initializer):
        from numbainit.recipes.default import default

        label, recipe = recipe.label, default(recipe)
    if isinstance(recipe, Rules):
        recipe = recipe.plan(_tensors(found), variables).recipe
    if not isinstance(recipe, Recipe):
        raise InvalidTypeError(f"recipe is a name, a Recipe, Rules or an Initializer, got {type(recipe).__name__}")
    _check_fits(found, recipe)
    return Origin(recipe, seed, str(label))


def _named(recipe: str | Path) -> Recipe | Rules:
    path = Path(recipe)
    if path.suffix == ".json" and path.is_file():
        text = path.read_text("utf-8")
        if '"numbainit-recipe' in text[:200]:
            return Recipe.from_json(text)
    return load(recipe)


def _check_fits(found: Collection, recipe: Recipe) -> None:
    known = [name for name in found.tensors if name in recipe or name in recipe.ties]
    if not known:
        name = next(iter(found.tensors))
        raise InvalidValueError(
            f"the recipe fits none of {len(found.tensors)} tensors: the first is {name!r}; "
            f"{suggestion(name, recipe)}The recipe has {len(recipe)} names, such as {next(iter(recipe), '')!r}"
        )
    for name in known:
        shape = recipe[recipe.ties.get(name, name)].shape
        if shape != found.tensors[name].shape:
            raise InvalidValueError(f"{name!r} has shape {found.tensors[name].shape}, and {shape} in the recipe")


def _said(found: Collection, said: Mapping[str, str], seed: int | None) -> Origin:
    version = said.get("numbainit", "unknown")
    wrong = f"{found.source} was written by numbainit {version}, and its metadata"
    if said.get("stream") != STREAM:
        raise InvalidValueError(f"{wrong} names stream {said.get('stream')!r}; {STREAM!r} is known here: upgrade")
    try:
        rules = json.loads(said["rules"])
        seed = int(said["seed"]) if seed is None else seed
        label = str(rules.get("recipe") or rules.get("init") or "rules")
        recipe = _of_table(found, rules) if "table" in rules else _of_laws(found, rules["laws"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = error if isinstance(error, (InvalidValueError, InvalidTypeError)) else repr(error)
        raise InvalidValueError(f"{wrong} cannot be read: {reason}; give the recipe and the seed") from None
    return Origin(recipe, seed, label)


def _of_table(found: Collection, rules: Mapping[str, Any]) -> Recipe:
    return received(rules["table"]).plan(_tensors(found), rules.get("variables")).recipe


def _of_laws(found: Collection, laws: list[Mapping[str, Any]]) -> Recipe:
    """Before tables: six rows whose conditions had names."""
    made = {}
    for law in laws:
        facts = {key: value for key, value in law.items() if key not in ("parameters", "law")}
        made[law["parameters"]] = Initializer.from_dict(facts)
    weights = {}
    for one in found.tensors.values():
        row = _row(one.name.rpartition(".")[2], len(one.shape), one.dtype)
        weights[one.name] = Weight(one.shape, one.dtype.name, (Fill(made[row]),))
    return Recipe(weights)


def _row(last: str, rank: int, dtype: np.dtype) -> str:
    if dtype.kind in "biu":
        return "integer or bool"
    if last == "running_var":
        return "running_var"
    if last in ("running_mean", "num_batches_tracked"):
        return "running_mean, num_batches_tracked"
    if last == "bias" or last.startswith("bias_") or last.endswith("_bias"):
        return "bias"
    return "rank 0 or 1" if rank <= 1 else "all others"
