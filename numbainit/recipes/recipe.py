"""The name of each tensor of a model → how its values are made: a recipe, recorded from code or made by rules.

It needs nothing but arrays: what :func:`numbainit.torch.record` has seen of a torch model fills the weights of a JAX or
a NumPy model too, with the values that the torch model gets: draws, constants, numbers and formulas that change them.
What these cannot say it can describe, but not make.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from numbainit.errors import InvalidTypeError, InvalidValueError, shown, suggestion
from numbainit.generator import GeneratorLike, as_generator, default_generator
from numbainit.recipes import toml
from numbainit.recipes.apart import each_once
from numbainit.recipes.at_once import job, make_all
from numbainit.recipes.difference import Difference, are_alike
from numbainit.recipes.filling import check, check_formulas, writable_memory
from numbainit.recipes.folding import columns, folded
from numbainit.recipes.holders import held_by
from numbainit.recipes.patterns import ignored
from numbainit.recipes.steps import Formula, Weight
from numbainit.recipes.tensors import Held
from numbainit.recipes.trees import check_kept
from numbainit.recipes.written import weight_from_dict, weight_to_dict

FORMAT = "numbainit-recipe-1"
T = TypeVar("T")


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
    >>> arrays = recipe.apply(arrays, generator=0)
    >>> want = init.normal((4, 3), std=0.02, generator=init.Generator(0).fold_in("layers.5.weight"))
    >>> bool((arrays["layers.5.weight"] == want).all())
    True
    >>> Recipe.from_json(recipe.to_json()) == recipe == Recipe.from_toml(recipe.to_toml())
    True
    """

    def __init__(self, weights: Mapping[str, Weight], ties: Mapping[str, str] | None = None) -> None:
        self._weights, self.ties = dict(weights), dict(ties or {})
        for name, of in self.ties.items():
            if name in self._weights or of not in self._weights:
                raise InvalidValueError(f"{name!r} cannot be tied to {of!r}: that is no weight, or this is one itself")
        for name, weight in self._weights.items():
            for step in weight.steps:
                source = step.of if isinstance(step, Formula) else None
                if source is not None and (source not in self._weights or not self._weights[source].makes_itself):
                    raise InvalidValueError(
                        f"{name!r} has a formula of {source!r}: that is no weight that can be made by itself"
                    )

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
        return "\n".join(columns(rows))

    def __repr__(self) -> str:
        counts = ((status, len(self.names(status))) for status in ("drawn", "constant", "computed", "untouched"))
        return f"<Recipe of {len(self)} tensors: {', '.join(f'{count} {status}' for status, count in counts if count)}>"

    def diff(self, other: "Recipe", rtol: float = 0.0) -> Difference:
        """What another recipe has otherwise, by name; false if that is nothing.

        Initializers whose numbers follow from fans are compared by these numbers, which may differ by a share of
        ``rtol``: a framework may have computed them in another order.

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
        return Difference({name: pair for name, pair in pairs.items() if not are_alike(*pair, rtol)})

    def apply(self, target: T, generator: GeneratorLike = 0, ignore: Iterable[str] = ()) -> T:
        """Fill arrays in place, each with the values of its name.

        Parameters
        ----------
        target : mapping, tree, or torch, flax or Keras model
            Name → writable array, of the weight's shape and any float dtype; also nested, with lists, as trees of
            parameters of JAX are: the name is then the path, with dots, such as ``layers.0.kernel``. It need not have
            all weights of the recipe. Tied arrays are filled alike.
        generator : Generator, int, sequence of ints, SeedSequence, numpy.random.Generator, optional
            Each tensor's is ``fold_in(name)`` of it. None: the next child of the default generator.
        ignore : iterable of str
            Names, or patterns such as ``"*.dt_bias"``, of arrays that are left as they are, whether the recipe has
            them or not. (That of :class:`numbainit.torch.keyed` keeps nothing from being filled: it lets ``strict``
            pass what its names take.)

        Returns
        -------
        The target; where its arrays are JAX's, which cannot be written to, a new tree of new ones.

        Raises
        ------
        InvalidValueError, InvalidTypeError
            Before anything is written: a name that the recipe does not know, another shape, a dtype that an initializer
            does not fill, a parameter that is computed or untouched in the recipe, two arrays that share elements
            without being the same view. Buffers that are computed or untouched are left as they are.

        Notes
        -----
        The values are those of :func:`numbainit.torch.build` and :class:`numbainit.torch.keyed` for the code that the
        recipe was recorded from and the same generator; small floats that a constructor has drawn may be the neighbour
        at the ends of a uniform law.
        """
        check_kept(target, "apply")
        passes, holding = ignored(ignore), held_by(target, "apply")
        chosen = [one for one in holding.held if not passes(one.tensor.name) and self._makes(one)]
        plan = each_once(zip(chosen, self._memories(chosen), strict=True))
        root = default_generator.spawn(1)[0] if generator is None else as_generator(generator)
        make_all([job(self._of(one), self[self._of(one)], one) for one in plan], root, self)
        filled: T = holding.result()
        return filled

    def _of(self, held: Held) -> str:
        """The name whose values a tensor gets."""
        return self.ties.get(held.tensor.name, held.tensor.name)

    def _makes(self, held: Held) -> bool:
        """Whether an array is to be filled; an error if it should be and the recipe does not say how."""
        name, shape = held.tensor.name, held.tensor.shape
        weight = self.get(self._of(held))
        if weight is None:
            hint = suggestion(name, [*self, *self.ties])
            raise InvalidValueError(f"the recipe has no {name!r}; {hint}Take it out, or let it pass by ignore=")
        if shape != weight.shape:
            raise InvalidValueError(f"{name!r} has shape {shape}, and {weight.shape} in the recipe")
        can = weight.status in ("drawn", "constant")
        if held.tensor.size and weight.is_parameter and not can:
            raise InvalidValueError(
                f"{name!r} cannot be made from the recipe ({weight.label}): fill it yourself, and let it pass "
                "by ignore="
            )
        return can and held.tensor.size > 0

    def _memories(self, chosen: Iterable[Held]) -> list[Any]:
        """Of each array, None where a new one is put in its place; an error for what cannot be filled so."""
        known: set[Any] = set()
        return [_checked(self[self._of(one)], one, known, self) for one in chosen]

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
        InvalidValueError, InvalidTypeError
            The text is no such recipe, or no text.
        """
        toml.checked_text(text, "JSON")
        try:
            facts = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidValueError(f"this is no recipe: {error!r}") from None
        return cls._read(facts)

    def to_toml(self) -> str:
        """The recipe as TOML, one tensor a line."""
        tensors = {name: weight_to_dict(one) for name, one in self._weights.items()}
        return toml.written({"format": FORMAT, "ties": self.ties, "tensors": tensors})

    @classmethod
    def from_toml(cls, text: str) -> "Recipe":
        """The recipe whose :meth:`to_toml` this is; errors as of :meth:`from_json`."""
        return cls._read(toml.read(text))

    @classmethod
    def _read(cls, facts: Any) -> "Recipe":
        try:
            known = facts["format"]
        except (TypeError, KeyError) as error:
            raise InvalidValueError(f"this is no recipe: {error!r}") from None
        if known != FORMAT:
            raise InvalidValueError(f"the format of this recipe is {shown(known)}, and {FORMAT!r} is known")
        try:
            weights = {str(name): weight_from_dict(one) for name, one in facts["tensors"].items()}
            return cls(weights, facts.get("ties", {}))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidValueError(f"this recipe cannot be read: {error!r}") from None


def _checked(weight: Weight, held: Held, known: set[Any], others: Mapping[str, Weight]) -> Any:
    """The memory of an array; raises what filling would, before any is. ``known`` are what was checked already."""
    try:
        memory = None if held.put is not None else writable_memory(held.array)
        key = id(weight.steps), held.tensor.dtype
        if key not in known:
            check(weight.steps, weight.shape, held.tensor.numpy_dtype)
            check_formulas(weight, others)
            known.add(key)
        return memory
    except (InvalidTypeError, InvalidValueError) as error:
        raise type(error)(f"{held.tensor.name!r}: {error}") from None
