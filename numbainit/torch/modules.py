"""A torch module → its parameters filled in place by a recipe, or by rules, each with a generator of its own name.

:func:`initialize` gives a module what ``numbainit init`` writes for the same names, shapes and seed, but where a module
knows more than these (:mod:`numbainit.torch.kinds`, :mod:`numbainit.torch.parametrized`). :func:`initializer` is for
``module.apply``. Single tensors need no adapter: ``init.normal_(tensor)``.

Examples
--------
>>> import torch, numbainit as init
>>> from numbainit.torch import initialize
>>> model = initialize(torch.nn.Linear(3, 2), generator=0)
>>> g = init.Generator(0).fold_in("weight")
>>> bool((model.weight.detach().numpy() == init.normal((2, 3), std=0.02, generator=g)).all()), model.bias.tolist()
(True, [0.0, 0.0])
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

import torch
from torch.nn.utils import parametrize

from numbainit.errors import InvalidTypeError, InvalidValueError, shown
from numbainit.generator import Generator, GeneratorLike, as_generator, default_generator
from numbainit.initializers import Initializer
from numbainit.recipes import Recipe, Rules, Weight, load
from numbainit.recipes.default import default
from numbainit.recipes.default import initializer as initializer_of
from numbainit.recipes.tensors import Tensor, kinds_of, tensor_of
from numbainit.torch.flat import check_whole
from numbainit.torch.kinds import Meaning, meanings_of, meant
from numbainit.torch.names import Named, modules_of, named_tensors
from numbainit.torch.parametrized import Computed, computed_of, fit

__all__ = ["initialize", "initializer"]

M = TypeVar("M", bound="torch.nn.Module")


def initialize(
    module: M,
    rules: Rules | Recipe | Initializer | str | None = None,
    *,
    generator: GeneratorLike = None,
    variables: Mapping[str, Any] | None = None,
) -> M:
    """Fill the parameters of a module, and the statistics of its normalisation layers, by rules.

    Parameters
    ----------
    module : torch.nn.Module
        On the CPU or CUDA GPUs. Parameters may need gradients, have any strides, and be tied: a tied one is filled
        once, under the first of its names. Names are those without what wraps the module.
    rules : Rules, Recipe, Initializer or str, optional
        Rules, or the name of some that are built in (:func:`numbainit.recipes.names`) or the path of a file; a recipe;
        or an initializer for all but biases, norm weights and statistics, which the rules ``default`` then take. None:
        ``Initializer("normal", std=0.02)``.
    generator : Generator, int, sequence of ints, SeedSequence, numpy.random.Generator, optional
        Each parameter's is ``fold_in(name)`` of it: neither order nor the other parameters matter, and neither do its
        draws. None: the next child of the default generator, so other values at each call.
    variables : mapping, optional
        Name → number, of the rules' variables that names and shapes do not say.

    Returns
    -------
    The same module.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        Before anything is written: parameters on the meta device or without a shape yet, tensors that numbainit cannot
        fill, parameters that no rule takes or that the recipe does not make, arguments that an initializer refuses, a
        weight that is computed in a way that is not known, as by the orthogonal parametrization.

    Warns
    -----
    UserWarning
        Parameters whose law a name only hints at; rules that take nothing.

    Notes
    -----
    Rules say which law; the module says what its tensors are. Padding rows of embeddings stay 0. Fans of grouped and
    transposed convolutions are those of their channels; each gate of an RNN, and query, key and value of an attention,
    have fans, or an orthogonal matrix, of their own. Under ``weight_norm`` the *weight* has the values that it would
    have without: its direction is filled, and the norm is that of the direction. Under ``spectral_norm`` the weight
    that is divided has them, and the two vectors are those of its largest singular value. A recipe is followed to the
    letter.

    Buffers that no rule takes (masks, position tables) hold what their module has computed, and are left as they are.

    Examples
    --------
    >>> import torch, numbainit as init
    >>> from numbainit.torch import initialize
    >>> model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8))
    >>> kaiming = init.Initializer("kaiming_normal", mode="fan_out", nonlinearity="relu")
    >>> initialize(model, kaiming, generator=7) is model
    True
    """
    _check(module)
    check_whole(module, "initialize")
    if isinstance(rules, Recipe):
        if variables:
            raise InvalidValueError(f"a recipe has numbers and no variables, got {shown(variables)}: pass its rules")
        _check_shapes(named_tensors(module))
        rules.apply(module, generator)
        return module
    understood = _understood(module)
    if not understood:
        raise InvalidValueError("initialize got a module without parameters and buffers: there is nothing to fill")
    recipe = _recipe(understood, _rules(rules), variables)
    _fill(understood, recipe, default_generator.spawn(1)[0] if generator is None else as_generator(generator))
    return module


def initializer(name: str, *, generator: GeneratorLike = None, **arguments: Any) -> "Callable[[torch.nn.Module], Any]":
    """A function for ``module.apply``, or for one layer: it fills a module's own parameters by an initializer.

    Biases, norm weights and statistics get what the rules give them. ``apply`` tells no names, so values come in the
    order of the calls: each is an :func:`initialize` of the module alone, with the next child of ``generator``.

    Parameters
    ----------
    name, **arguments
        As for :func:`numbainit.recipes.default.initializer`.
    generator : Generator, int, sequence of ints, SeedSequence, numpy.random.Generator, optional
        An int makes a generator once, here: later calls go on with it.

    Examples
    --------
    >>> import torch
    >>> from numbainit.torch import initializer
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    >>> model.apply(initializer("xavier_uniform", gain=0.5, generator=0)) is model
    True
    """
    rules, source = _rules(initializer_of(name, **arguments)), as_generator(generator)

    def fill(module: "torch.nn.Module") -> "torch.nn.Module":
        _check(module)
        understood = _understood(module, recurse=False)
        if understood:
            _fill(understood, _recipe(understood, rules, None), source.spawn(1)[0])
        return module

    return fill


# ---- what is to be filled ----


class Understood(NamedTuple):
    """A tensor as rules see it, or a weight that is computed: ``tensors`` are all that are made for it, by name."""

    seen: Tensor
    path: str
    meaning: Meaning
    computed: Computed | None
    tensors: Mapping[str, torch.Tensor]


def _understood(module: torch.nn.Module, recurse: bool = True) -> list[Understood]:
    """All tensors of a module; a weight that is computed stands for what it is computed from."""
    if isinstance(module, parametrize.ParametrizationList):
        return []  # the module whose weight it is has all that it needs
    named = {one.name: one for one in named_tensors(module)}
    _check_shapes(named.values())
    found: list[Understood] = []
    inner: set[str] = set()
    for one, path in modules_of(module) if recurse else [(module, "")]:
        kind, meanings = kinds_of(one, torch.nn.Module), meanings_of(one)
        for computed in computed_of(one, path):
            tensors = {path + name: named[path + name].tensor for name in computed.inner}
            inner.update(tensors)
            seen = tensor_of(path + computed.name, tensors[path + computed.direction], kind)
            found.append(Understood(seen, path, meanings.get(computed.name, Meaning()), computed, tensors))
        for own in (*one._parameters, *one._buffers):
            name = path + own
            if name in named and name not in inner:
                seen = tensor_of(name, named[name].tensor, kind, named[name].is_parameter)
                meaning = meanings.get(own, Meaning())
                found.append(Understood(seen, path, meaning, None, {name: named[name].tensor}))
    return found


def _recipe(understood: list[Understood], rules: Rules, variables: Mapping[str, Any] | None) -> Recipe:
    """How each tensor is made that the rules fill."""
    found = rules.recipe([one.seen for one in understood], variables)
    weights: dict[str, Weight] = {}
    for one in understood:
        weight = meant(found[one.seen.name], one.meaning)
        if one.computed is None:
            weights[one.seen.name] = weight
        else:
            weights.update(one.computed.made(one.path, weight, one.tensors))
    return Recipe(weights)


def _fill(understood: list[Understood], recipe: Recipe, root: Generator) -> None:
    """Fill what a recipe has, then make the rest fit."""
    tensors = {name: tensor for one in understood for name, tensor in one.tensors.items()}
    recipe.apply({name: tensors[name] for name in recipe}, root)
    for one in understood:
        if one.computed is not None:
            fit(one.computed, tensors, one.path, root)


# ---- what was passed ----


def _rules(rules: Any) -> Rules:
    if rules is None or isinstance(rules, Initializer):
        return default(rules or initializer_of("normal"))
    if isinstance(rules, str):
        return load(rules)
    if not isinstance(rules, Rules):
        raise InvalidTypeError(
            "rules must be a numbainit.Initializer, numbainit.recipes.Rules or the name of some, or a Recipe, got "
            f"{shown(rules)}: pass numbainit.Initializer('normal', std=0.02)"
        )
    return rules


def _check(module: Any) -> None:
    if not isinstance(module, torch.nn.Module):
        raise InvalidTypeError(
            f"module must be a torch.nn.Module, got {type(module).__name__}: for one tensor call "
            "numbainit.normal_(tensor), or any other in-place function"
        )
    if any(isinstance(one, torch.jit.ScriptModule) for one, _ in modules_of(module)):
        raise InvalidTypeError(
            "a scripted module does not say what its layers are, such as rows of padding: initialize it before "
            "torch.jit.script"
        )


def _check_shapes(named: Iterable[Named]) -> None:
    for one in named:
        if torch.nn.parameter.is_lazy(one.tensor):
            raise InvalidValueError(
                f"{one.name!r} has no shape yet: run the module once on an input, which gives it one"
            )
