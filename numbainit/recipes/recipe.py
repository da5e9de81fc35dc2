"""The name of each tensor of a model → how its values are made: a recipe, recorded from code or written by hand.

It needs nothing but arrays: what :func:`numbainit.torch.record` has seen of a torch model fills the weights of a JAX or
a NumPy model too, with the values that the torch model gets. What is neither drawn nor constant, nor these changed by a
factor or a summand, it can describe, but not make.
"""

import fnmatch
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from numbainit.errors import InvalidTypeError, InvalidValueError, suggestion
from numbainit.generator import GeneratorLike, as_generator, default_generator
from numbainit.recipes.filling import checked_shape, make
from numbainit.recipes.folding import folded
from numbainit.recipes.steps import Weight
from numbainit.recipes.written import weight_from_dict, weight_to_dict

FORMAT = "numbainit-recipe-1"


class Recipe(Mapping[str, Weight]):
    """The name of each tensor of a model → its :class:`Weight`, in the order of the model.

    Parameters
    ----------
    weights : mapping
    ties : mapping, optional
        Other names of these tensors → their names.

    Notes
    -----
    It prints one row for all names that differ by numbers. Equal if names, order aside, and weights are.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> from numbainit.recipes import Fill, Recipe, Weight
    >>> normal = Fill(init.Initializer("normal", std=0.02))
    >>> recipe = Recipe({f"layers.{n}.weight": Weight((4, 3), "float32", (normal,)) for n in range(8)})
    >>> print(recipe)
    layers.{0..7}.weight  [4, 3]  normal(std=0.02)
    >>> arrays = {name: np.empty(weight.shape, weight.dtype) for name, weight in recipe.items()}
    >>> recipe.apply(arrays, generator=0)
    >>> want = init.normal((4, 3), std=0.02, generator=init.Generator(0).fold_in("layers.5.weight"))
    >>> bool((arrays["layers.5.weight"] == want).all())
    True
    >>> Recipe.from_json(recipe.to_json()) == recipe
    True
    """

    def __init__(self, weights: Mapping[str, Weight], ties: Mapping[str, str] | None = None) -> None:
        self._weights, self.ties = dict(weights), dict(ties or {})
        for name, of in self.ties.items():
            if name in self._weights or of not in self._weights:
                raise InvalidValueError(f"{name!r} cannot be tied to {of!r}: that is no weight, or this is one itself")

    def __getitem__(self, name: str) -> Weight:
        return self._weights[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._weights)

    def __len__(self) -> int:
        return len(self._weights)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recipe) and (self._weights, self.ties) == (other._weights, other.ties)

    __hash__ = None  # type: ignore[assignment]

    def names(self, *statuses: str) -> tuple[str, ...]:
        """The names of all tensors of these statuses: ``drawn``, ``constant``, ``computed``, ``untouched``."""
        return tuple(name for name, weight in self._weights.items() if weight.status in statuses)

    def __str__(self) -> str:
        rows = folded((name, str(list(weight.shape)), weight.label) for name, weight in self._weights.items())
        rows += folded((name, "", f"tied to {of}") for name, of in self.ties.items())
        return _table(rows)

    def __repr__(self) -> str:
        counts = ((status, len(self.names(status))) for status in ("drawn", "constant", "computed", "untouched"))
        return f"<Recipe of {len(self)} tensors: {', '.join(f'{count} {status}' for status, count in counts if count)}>"

    def diff(self, other: "Recipe") -> "Difference":
        """What another recipe has otherwise, by name; false if that is nothing.

        Examples
        --------
        >>> import numbainit as init
        >>> from numbainit.recipes import Fill, Recipe, Weight
        >>> def recipe(std):
        ...     return Recipe({"weight": Weight((4, 3), "float32", (Fill(init.Initializer("normal", std=std)),))})
        >>> print(recipe(0.02).diff(recipe(0.5)))
        weight  [4, 3]  normal(std=0.02) → normal(std=0.5)
        """
        if not isinstance(other, Recipe):
            raise InvalidTypeError(f"diff takes another Recipe, got {type(other).__name__}")
        names = [*self, *(name for name in other if name not in self)]
        pairs = {name: (self.get(name), other.get(name)) for name in names}
        return Difference({name: pair for name, pair in pairs.items() if pair[0] != pair[1]})

    def apply(self, target: Any, generator: GeneratorLike = 0, ignore: Iterable[str] = ()) -> None:
        """Fill arrays in place, each with the values of its name.

        Parameters
        ----------
        target : mapping or torch.nn.Module
            Name → writable array, of the weight's shape and any float dtype; or a module, whose tensors have names. It
            need not have all weights of the recipe. Tied arrays are filled alike.
        generator : Generator, int, sequence of ints, SeedSequence, numpy.random.Generator, optional
            Each tensor's is ``fold_in(name)`` of it. None: the next child of the default generator.
        ignore : iterable of str
            Names, or patterns such as ``"*.dt_bias"``, of arrays that are left as they are.

        Raises
        ------
        InvalidValueError, InvalidTypeError
            Before anything is written: a name that the recipe does not know, another shape, a parameter that is
            computed or untouched in the recipe. Buffers of that kind are left as they are.

        Notes
        -----
        The values are those of :func:`numbainit.torch.build` and :class:`numbainit.torch.keyed` for the code that the
        recipe was recorded from and the same generator; small floats that a constructor has drawn may be the neighbour
        at the ends of a uniform law.
        """
        if isinstance(ignore, str) or not isinstance(ignore, Iterable):
            raise InvalidTypeError(f"ignore holds names or patterns, got {ignore!r}: pass ({ignore!r},)")
        patterns = tuple(ignore)
        chosen = {
            name: array
            for name, array in _arrays(target).items()
            if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
        }
        plan = [(self.ties.get(name, name), array) for name, array in chosen.items() if self._holds(name, array)]
        root = default_generator.spawn(1)[0] if generator is None else as_generator(generator)
        for name, array in plan:
            make(self[name], name, array, root)

    def _holds(self, name: str, array: Any) -> bool:
        """Whether an array is to be filled; an error if it should be and cannot."""
        weight = self.get(self.ties.get(name, name))
        if weight is None:
            hint = suggestion(name, [*self, *self.ties])
            raise InvalidValueError(f"the recipe has no {name!r}; {hint}Take it out, or let it pass by ignore=")
        shape = checked_shape(name, array)
        if shape != weight.shape:
            raise InvalidValueError(f"{name!r} has shape {shape}, and {weight.shape} in the recipe")
        if not math.prod(shape):
            return False
        can = weight.status in ("drawn", "constant")
        if weight.is_parameter and not can:
            raise InvalidValueError(
                f"{name!r} cannot be made from the recipe ({weight.label}): fill it yourself, and let it pass "
                "by ignore="
            )
        return can

    def to_json(self) -> str:
        """The recipe as text, one tensor a line."""
        lines = (f"{json.dumps(name)}: {json.dumps(weight_to_dict(one))}" for name, one in self._weights.items())
        head = f'"format": {json.dumps(FORMAT)},\n"ties": {json.dumps(self.ties)},\n"tensors": {{\n'
        return "{" + head + ",\n".join(lines) + "\n}}\n"

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        """The recipe whose :meth:`to_json` this is.

        Raises
        ------
        InvalidValueError
            The text is no such recipe.
        """
        try:
            facts = json.loads(text)
            known = facts["format"]
        except (ValueError, TypeError, KeyError) as error:
            raise InvalidValueError(f"this is no recipe: {error!r}") from None
        if known != FORMAT:
            raise InvalidValueError(f"the format of this recipe is {known!r}, and {FORMAT!r} is known")
        try:
            weights = {str(name): weight_from_dict(one) for name, one in facts["tensors"].items()}
            return cls(weights, facts.get("ties", {}))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidValueError(f"this recipe cannot be read: {error!r}") from None


class Difference(Mapping[str, "tuple[Weight | None, Weight | None]"]):
    """Name → the weights of two recipes, where they differ; None in the one that has none."""

    def __init__(self, pairs: "Mapping[str, tuple[Weight | None, Weight | None]]") -> None:
        self._pairs = dict(pairs)

    def __getitem__(self, name: str) -> "tuple[Weight | None, Weight | None]":
        return self._pairs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __str__(self) -> str:
        return _table(folded((name, *_change(*pair)) for name, pair in self._pairs.items()))

    def __repr__(self) -> str:
        return f"<Difference of {len(self)} tensors>"


def _change(mine: Weight | None, theirs: Weight | None) -> tuple[str, str]:
    shapes = [str(list(one.shape)) for one in (mine, theirs) if one is not None]
    shape = " → ".join(dict.fromkeys(shapes))
    labels = ["not there" if one is None else one.label for one in (mine, theirs)]
    if mine is not None and theirs is not None and labels[0] == labels[1]:
        labels = [f"{mine.dtype} {_kind(mine)}", f"{theirs.dtype} {_kind(theirs)}"]
    return shape, " → ".join(labels)


def _kind(weight: Weight) -> str:
    return "parameter" if weight.is_parameter else "buffer"


def _table(rows: "list[tuple[str, str, str]]") -> str:
    widths = [max((len(row[at]) for row in rows), default=0) for at in (0, 1)]
    return "\n".join(f"{name:{widths[0]}}  {shape:{widths[1]}}  {text}".rstrip() for name, shape, text in rows)


def _arrays(target: Any) -> Mapping[str, Any]:
    if isinstance(target, Mapping):
        return target
    if hasattr(target, "named_parameters"):
        from numbainit.torch.names import checked_module, named_tensors

        return {one.name: one.tensor for one in named_tensors(checked_module(target, "apply"))}
    raise InvalidTypeError(
        f"apply takes a mapping from names to arrays, or a torch.nn.Module, got {type(target).__name__}"
    )
