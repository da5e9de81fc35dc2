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

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias, TypeVar

import torch

from numbainit.errors import InvalidTypeError, InvalidValueError
from numbainit.generator import Generator, GeneratorLike, as_generator, default_generator
from numbainit.initializers import Initializer
from numbainit.memory.arrays import Array, described, writable
from numbainit.memory.dtypes import Fillable
from numbainit.memory.libraries import written
from numbainit.recipes.rules import Rule, apply, check, initializer_for
from numbainit.recipes.rules import initializer as initializer_of
from numbainit.recipes.rules import rules as table_of

__all__ = ["initialize", "initializer"]

M = TypeVar("M", bound="torch.nn.Module")
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def initialize(module: M, rules: Iterable[Rule] | Initializer | None = None, *, generator: GeneratorLike = None) -> M:
    """Fill the parameters of a module, and the statistics of its normalisation layers, by rules.

    Parameters
    ----------
    module : torch.nn.Module
        On the CPU or CUDA GPUs. Parameters may need gradients, have any strides, and be tied: a tied one is filled
        once, under the first of its names.
    rules : Initializer or iterable of Rule, optional
        An initializer for all but biases, norm weights and statistics (see :mod:`numbainit.recipes.rules`), or a table
        of your own, of which the first row that applies decides. None: ``Initializer("normal", std=0.02)``.
    generator : Generator, int, sequence of ints, SeedSequence, numpy.random.Generator, optional
        Each parameter's is ``fold_in(name)`` of it: neither order nor the other parameters matter, and neither do its
        draws. None: the next child of the default generator, so other values at each call.

    Returns
    -------
    The same module.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        Before anything is written: parameters on the meta device or without a shape yet, tensors that numbainit cannot
        fill, a parameter that no rule applies to, arguments that an initializer refuses.

    Notes
    -----
    Buffers named ``running_mean``, ``running_var`` and ``num_batches_tracked`` are filled as the rules say. Others
    (masks, position tables) hold what their module has computed, and are left as they are.

    Examples
    --------
    >>> import torch, numbainit as init
    >>> from numbainit.torch import initialize
    >>> model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8))
    >>> kaiming = init.Initializer("kaiming_normal", mode="fan_out", nonlinearity="relu")
    >>> initialize(model, kaiming, generator=7) is model
    True
    """
    table, root = _table(rules), _root(generator)
    for name, tensor, array, found in _plan(table, _checked(module)):
        _fill(tensor, array, found, root.fold_in(name))
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
        As for :func:`numbainit.recipes.rules.initializer`.
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
    table, source = _table(initializer_of(name, **arguments)), as_generator(generator)

    def fill(module: "torch.nn.Module") -> "torch.nn.Module":
        for _, tensor, array, found in _plan(table, _checked(module), recurse=False):
            _fill(tensor, array, found, source)
        return module

    return fill


Plan: TypeAlias = "list[tuple[str, torch.Tensor, Array, Initializer]]"


def _plan(table: tuple[Rule, ...], module: "torch.nn.Module", recurse: bool = True) -> Plan:
    """Each tensor with its memory and its initializer; what can be refused is refused before anything is written."""
    found = [(name, tensor, _fillable(name, tensor)) for name, tensor in _named_tensors(module, recurse)]
    return [(name, tensor, array, _initializer(table, name, array)) for name, tensor, array in found]


def _fill(tensor: "torch.Tensor", array: Array, found: Initializer, generator: Generator) -> None:
    if array.size:
        apply(found, array, generator)
        written(tensor)


def _checked(module: Any) -> "torch.nn.Module":
    if not isinstance(module, torch.nn.Module):
        raise InvalidTypeError(
            f"module must be a torch.nn.Module, got {type(module).__name__}: for one tensor call "
            "numbainit.normal_(tensor), or any other in-place function"
        )
    return module


def _named_tensors(module: "torch.nn.Module", recurse: bool = True) -> "Iterator[tuple[str, torch.Tensor]]":
    yield from module.named_parameters(recurse=recurse)
    for name, buffer in module.named_buffers(recurse=recurse):
        if name.rpartition(".")[2] in _STATISTICS:
            yield name, buffer


def _table(rules: Iterable[Rule] | Initializer | None) -> tuple[Rule, ...]:
    if rules is None or isinstance(rules, Initializer):
        return table_of(rules or initializer_of("normal"))
    table = tuple(rules) if isinstance(rules, Iterable) and not isinstance(rules, str) else (rules,)
    for rule in table:
        if not isinstance(rule, Rule):
            raise InvalidTypeError(
                f"rules must be a numbainit.Initializer, or Rules, got {rule!r}: pass "
                "numbainit.Initializer('normal', std=0.02)"
            )
    return table


def _root(generator: GeneratorLike) -> Generator:
    return default_generator.spawn(1)[0] if generator is None else as_generator(generator)


def _initializer(table: tuple[Rule, ...], name: str, array: Array) -> Initializer:
    """The initializer of a parameter, which it would not refuse."""
    found = initializer_for(table, name, array.shape, array.dtype)
    if array.size:
        with _named(name):
            check(found, array.shape, array.dtype)
    return found


def _fillable(name: str, tensor: "torch.Tensor") -> Array:
    """The memory of a tensor, described after every check."""
    if torch.nn.parameter.is_lazy(tensor):
        raise InvalidValueError(f"{name!r} has no shape yet: run the module once on an input, which gives it one")
    with _named(name):
        array = described(tensor, "initialize")
        checked: Array = writable(array, "initialize", Fillable((array.dtype,), small=False))
    return checked


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    """Errors say which parameter they are about."""
    try:
        yield
    except (InvalidTypeError, InvalidValueError) as error:
        raise type(error)(f"{name!r}: {error}") from None
