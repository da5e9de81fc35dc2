"""A torch module → its parameters filled in place by rules, each with a generator of its own name.

:func:`initialize` gives a module exactly what ``numbainit init`` writes for the same names, shapes and seed.
:func:`initializer` is for ``module.apply``. Single tensors need no adapter: ``init.normal_(tensor)``.

Examples
--------
>>> import torch, numbainit as init
>>> from numbainit.torch import initialize
>>> model = initialize(torch.nn.Linear(3, 2), generator=0)
>>> g = init.Generator(0).fold_in("weight")
>>> bool((model.weight.detach().numpy() == init.normal((2, 3), std=0.02, generator=g)).all()), model.bias.tolist()
(True, [0.0, 0.0])
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch

from numbainit.errors import InvalidTypeError, InvalidValueError
from numbainit.generator import GeneratorLike, as_generator
from numbainit.initializers import Initializer
from numbainit.recipes import Recipe, Rules, load
from numbainit.recipes.default import default
from numbainit.recipes.default import initializer as initializer_of
from numbainit.recipes.filling import check_writable, make
from numbainit.recipes.steps import Fill
from numbainit.recipes.tensors import Tensor, tensor_of
from numbainit.torch.flat import check_whole
from numbainit.torch.names import Named, named_tensors

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
        once, under the first of its names.
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
        fill, parameters that no rule takes, arguments that an initializer refuses.

    Warns
    -----
    UserWarning
        Parameters whose law a name only hints at; rules that take nothing.

    Notes
    -----
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
    check_whole(_checked(module), "initialize")
    found = _tensors(module)
    recipe = rules if isinstance(rules, Recipe) else _rules(rules).recipe(_described(found), variables)
    recipe.apply({one.name: one.tensor for one in found}, generator)
    return module


def initializer(
    name: str, *, generator: GeneratorLike = None, **arguments: Any
) -> "Callable[[torch.nn.Module], torch.nn.Module]":
    """A function for ``module.apply``, or for one layer: it fills a module's own parameters by an initializer.

    Biases, norm weights and statistics get what the rules give them. ``apply`` tells no names, so values come in the
    order of the calls, each from the next draw of ``generator``; with :func:`initialize` they belong to the name.

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
        found = [one for one in _tensors(_checked(module)) if "." not in one.name]
        recipe = rules.recipe(_described(found))
        chosen = [(one.tensor, recipe[one.name]) for one in found if recipe[one.name].steps and one.tensor.numel()]
        for tensor, _ in chosen:
            check_writable(tensor)
        for tensor, weight in chosen:
            (step,) = weight.steps
            if isinstance(step, Fill) and step.initializer.draws:
                step.initializer(tensor, source)
            else:
                make(weight, "", tensor, source)
        return module

    return fill


def _rules(rules: Any) -> Rules:
    if rules is None or isinstance(rules, Initializer):
        return default(rules or initializer_of("normal"))
    if isinstance(rules, str):
        return load(rules)
    if not isinstance(rules, Rules):
        raise InvalidTypeError(
            "rules must be a numbainit.Initializer, numbainit.recipes.Rules or the name of some, or a Recipe, got "
            f"{rules!r}: pass numbainit.Initializer('normal', std=0.02)"
        )
    return rules


def _checked(module: Any) -> "torch.nn.Module":
    if not isinstance(module, torch.nn.Module):
        raise InvalidTypeError(
            f"module must be a torch.nn.Module, got {type(module).__name__}: for one tensor call "
            "numbainit.normal_(tensor), or any other in-place function"
        )
    return module


def _tensors(module: "torch.nn.Module") -> list[Named]:
    """All that have memory to fill."""
    found = named_tensors(module)
    for one in found:
        if torch.nn.parameter.is_lazy(one.tensor):
            raise InvalidValueError(
                f"{one.name!r} has no shape yet: run the module once on an input, which gives it one"
            )
    return found


def _described(found: list[Named]) -> list[Tensor]:
    return [tensor_of(one.name, one.tensor, one.kind, one.is_parameter) for one in found]
