"""The name of each tensor of a model → how its values are made: a recipe, recorded from code or written by hand.

It needs nothing but arrays: what :func:`numbainit.torch.record` has seen of a torch model fills the weights of a JAX or
a NumPy model too, with the values that the torch model gets. What is neither drawn nor constant, nor these changed by a
factor or a summand, it can describe, but not make.
"""

import fnmatch
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError, suggestion
from numbainit.generator import Generator, GeneratorLike, as_generator, default_generator
from numbainit.initializers import Initializer
from numbainit.memory.arrays import described, writable
from numbainit.memory.dtypes import Fillable
from numbainit.recipes.folding import folded
from numbainit.weights.blocks import Block

FORMAT = "numbainit-recipe-1"
_MOST_STEPS = 8  # that are shown
MATRICES = ("orthogonal", "sparse")  # which are one as a whole
CHANGES = {"add": np.add, "div": np.divide, "mul": np.multiply}

Part: TypeAlias = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Fill:
    """An initializer fills a tensor, or a part of it.

    Attributes
    ----------
    initializer : Initializer
    part : tuple of pairs of ints, optional
        The first index along each axis, and the one behind the last; None: all of the tensor.
    draw : int
        Of the tensor's generator.
    of : str, optional
        The name whose generator it is, if not that of the tensor: its values are then a copy.
    """

    initializer: Initializer
    part: Part | None = None
    draw: int = 0
    of: str | None = None

    @property
    def label(self) -> str:
        notes = [f" of {self.of}"] * (self.of is not None) + [f", draw {self.draw}"] * (self.draw > 0)
        return _place(self.part) + self.initializer.label + "".join(notes)


@dataclass(frozen=True)
class Change:
    """A number changes what a tensor, or a part of it, holds: ``name`` is ``"add"``, ``"div"`` or ``"mul"``."""

    name: str
    number: float
    part: Part | None = None

    @property
    def label(self) -> str:
        return f"{_place(self.part)}{self.name}({self.number!r})"


Step: TypeAlias = Fill | Change


@dataclass(frozen=True)
class Weight:
    """How the values of a tensor are made.

    Attributes
    ----------
    shape : tuple of ints
    dtype : str
        NumPy's name, or ml_dtypes': what the code made. Another one may be filled.
    steps : tuple of Fill and Change
        One after the other; small floats are rounded after the last.
    computed : str
        What the steps cannot say, in words: the tensor cannot be made from this recipe.
    is_parameter : bool
        Or a buffer.
    """

    shape: tuple[int, ...]
    dtype: str
    steps: tuple[Step, ...] = ()
    computed: str = ""
    is_parameter: bool = True

    @property
    def status(self) -> str:
        """``drawn``, ``constant``, ``computed`` or ``untouched``."""
        fills = [step for step in self.steps if isinstance(step, Fill)]
        if self.computed or (self.steps and not fills):
            return "computed"
        if not fills:
            return "untouched"
        return "drawn" if any(step.initializer.draws for step in fills) else "constant"

    @property
    def is_whole(self) -> bool:
        """Whether the steps begin with a fill of all elements, so that it does not matter what there was before."""
        return bool(self.steps) and isinstance(self.steps[0], Fill) and self.steps[0].part is None

    @property
    def label(self) -> str:
        """The steps, or what is known instead."""
        if self.computed:
            return f"computed: {self.computed}"
        steps = [step.label for step in self.steps[:_MOST_STEPS]]
        steps += [f"and {len(self.steps) - _MOST_STEPS} more"] * (len(self.steps) > _MOST_STEPS)
        return "; ".join(steps if self.is_whole else ["untouched", *steps])


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
            _make(self[name], name, array, root)

    def _holds(self, name: str, array: Any) -> bool:
        """Whether an array is to be filled; an error if it should be and cannot."""
        weight = self.get(self.ties.get(name, name))
        if weight is None:
            hint = suggestion(name, [*self, *self.ties])
            raise InvalidValueError(f"the recipe has no {name!r}; {hint}Take it out, or let it pass by ignore=")
        shape = _checked(name, array)
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
        lines = (f"{json.dumps(name)}: {json.dumps(_weight_to_dict(one))}" for name, one in self._weights.items())
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
            weights = {str(name): _weight_from_dict(one) for name, one in facts["tensors"].items()}
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


def _place(part: Part | None) -> str:
    return "" if part is None else f"[{', '.join(f'{start}:{stop}' for start, stop in part)}] "


# ---- arrays ----


def _arrays(target: Any) -> Mapping[str, Any]:
    if isinstance(target, Mapping):
        return target
    if hasattr(target, "named_parameters"):
        from numbainit.torch.names import checked_module, named_tensors

        return {one.name: one.tensor for one in named_tensors(checked_module(target, "apply"))}
    raise InvalidTypeError(
        f"apply takes a mapping from names to arrays, or a torch.nn.Module, got {type(target).__name__}"
    )


def _checked(name: str, array: Any) -> tuple[int, ...]:
    """The shape of an array that can be written to."""
    try:
        found = described(array, "apply")
        writable(found, "apply", Fillable((found.dtype,), small=False))
    except (InvalidTypeError, InvalidValueError) as error:
        raise type(error)(f"{name!r}: {error}") from None
    return tuple(found.shape)


def _make(weight: Weight, name: str, array: Any, root: Generator) -> None:
    """Take all steps, in float32 where small floats are to be rounded once."""
    array = array.detach() if hasattr(array, "detach") else array  # parts of a leaf are in no graph
    dtype = described(array, "apply").dtype
    changed = any(isinstance(step, Change) for step in weight.steps)
    small = dtype.kind not in "biu" and dtype.itemsize < 4
    if not changed and not (small and len(weight.steps) > 1):
        for step in weight.steps:
            assert isinstance(step, Fill)
            _fill(step, weight.shape, name, array, root, dtype)
        return
    wide = np.empty(weight.shape, np.float32 if small else dtype)
    if not weight.is_whole:
        _copy(array, wide)
    for step in weight.steps:
        if isinstance(step, Fill):
            _fill(step, weight.shape, name, wide, root, wide.dtype)
        else:
            part = wide[_index(step.part)]
            CHANGES[step.name](part, wide.dtype.type(step.number), out=part)
    _copy(wide, array)


def _copy(source: Any, target: Any) -> None:
    if hasattr(source, "copy_"):
        source = source.float() if source.element_size() < 4 else source
        target[...] = source.cpu().numpy()
    elif hasattr(target, "copy_"):
        import torch

        target.copy_(torch.from_numpy(source))
    else:
        target[...] = source


def _fill(step: Fill, shape: tuple[int, ...], name: str, array: Any, root: Generator, dtype: np.dtype) -> None:
    part = array if step.part is None else array[_index(step.part)]
    found = step.initializer
    if dtype.kind in "biu" and not found.draws:
        part[...] = {"zeros": 0, "ones": 1}.get(found.name, found.arguments.get("val", 0))
        return
    key = root.fold_in(step.of or name)
    if step.part is None:
        found(part, Generator.from_key(*key.key, draws=step.draw))
        return
    starts = [start for start, _ in step.part]
    if found.name in MATRICES:  # one of its own, made of the number of its first element
        key = key.fold_in(int(np.ravel_multi_index(starts, shape)))
        found(part, Generator.from_key(*key.key, draws=step.draw))
    else:
        found(part, Generator.from_key(*key.key, draws=step.draw), block=Block(shape, starts))


def _index(part: Part | None) -> Any:
    return ... if part is None else tuple(slice(*ends) for ends in part)


# ---- as JSON ----


def _weight_to_dict(weight: Weight) -> dict[str, Any]:
    facts: dict[str, Any] = {"shape": list(weight.shape), "dtype": weight.dtype}
    facts |= {} if weight.is_parameter else {"buffer": True}
    facts |= {"computed": weight.computed} if weight.computed else {}
    return facts | {"steps": [_step_to_dict(step) for step in weight.steps]}


def _step_to_dict(step: Step) -> dict[str, Any]:
    part = {} if step.part is None else {"part": [list(ends) for ends in step.part]}
    if isinstance(step, Change):
        return {"change": step.name, "number": step.number, **part}
    more = ({"draw": step.draw} if step.draw else {}) | ({} if step.of is None else {"of": step.of})
    return {"initializer": step.initializer.to_dict(), **part, **more}


def _weight_from_dict(facts: Mapping[str, Any]) -> Weight:
    steps = tuple(_step_from_dict(step) for step in facts["steps"])
    shape = tuple(int(size) for size in facts["shape"])
    return Weight(shape, str(facts["dtype"]), steps, str(facts.get("computed", "")), not facts.get("buffer", False))


def _step_from_dict(facts: Mapping[str, Any]) -> Step:
    part = facts.get("part")
    box = None if part is None else tuple((int(start), int(stop)) for start, stop in part)
    if "change" in facts:
        if facts["change"] not in CHANGES:
            raise ValueError(f"no change is named {facts['change']!r}")
        return Change(facts["change"], float(facts["number"]), box)
    return Fill(Initializer.from_dict(facts["initializer"]), box, int(facts.get("draw", 0)), facts.get("of"))
