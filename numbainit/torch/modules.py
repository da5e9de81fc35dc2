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

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError, MissingExtraError
from numbainit.fill import Array
from numbainit.generator import Generator, GeneratorLike, as_generator, default_generator
from numbainit.memory.arrays import writable
from numbainit.memory.device import on_device
from numbainit.memory.host import on_host, written
from numbainit.recipes.rules import Law, Rule, law, law_for
from numbainit.recipes.rules import rules as table_of

try:
    import torch
except ImportError as error:
    raise MissingExtraError(f'numbainit.torch needs torch ({error}): pip install "numbainit[torch]"') from error

__all__ = ["initialize", "initializer"]

M = TypeVar("M", bound="torch.nn.Module")
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def initialize(module: M, rules: Iterable[Rule] | Law | None = None, *, generator: GeneratorLike = None) -> M:
    """Fill the parameters of a module, and the statistics of its normalisation layers, by rules.

    Parameters
    ----------
    module : torch.nn.Module
        On the CPU or CUDA GPUs. Parameters may need gradients, have any strides, and be tied: a tied one is filled
        once, under the first of its names.
    rules : Law or iterable of Rule, optional
        A law for all but biases, norm weights and statistics (see :mod:`numbainit.recipes.rules`, whose ``law`` makes
        one), or a table of your own, of which the first row that applies decides. None: ``law("normal")``, N(0,
        0.02^2).
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
        fill, a parameter that no rule applies to, arguments that a law refuses.

    Notes
    -----
    Buffers named ``running_mean``, ``running_var`` and ``num_batches_tracked`` are filled as the rules say. Others
    (masks, position tables) hold what their module has computed, and are left as they are.

    Examples
    --------
    >>> import torch
    >>> from numbainit.recipes.rules import law
    >>> from numbainit.torch import initialize
    >>> model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8))
    >>> initialize(model, law("kaiming_normal", mode="fan_out", nonlinearity="relu"), generator=7) is model
    True
    """
    table, root = _table(rules), _root(generator)
    plan = [(name, tensor, _fillable(name, tensor)) for name, tensor in _named_tensors(_checked(module))]
    laws = [_law(table, name, array) for name, _, array in plan]
    for (name, tensor, array), one in zip(plan, laws, strict=True):
        _fill(tensor, array, one, root.fold_in(name))
    return module


def initializer(
    name: str, *, generator: GeneratorLike = None, **options: Any
) -> "Callable[[torch.nn.Module], torch.nn.Module]":
    """A function for ``module.apply``, or for one layer: it fills a module's own parameters by the law ``name``.

    Biases, norm weights and statistics get what the rules give them. ``apply`` tells no names, so values come in the
    order of the calls, each from the next draw of ``generator``; with :func:`initialize` they belong to the name.

    Parameters
    ----------
    name, **options
        As for :func:`numbainit.recipes.rules.law`.
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
    table, source = _table(law(name, **options)), as_generator(generator)

    def fill(module: "torch.nn.Module") -> "torch.nn.Module":
        plan = [(tensor, _fillable(name, tensor), name) for name, tensor in _named_tensors(_checked(module), False)]
        laws = [_law(table, name, array) for _, array, name in plan]
        for (tensor, array, _), one in zip(plan, laws, strict=True):
            _fill(tensor, array, one, source)
        return module

    return fill


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


def _table(rules: Iterable[Rule] | Law | None) -> tuple[Rule, ...]:
    if rules is None or isinstance(rules, Law):
        return table_of(rules or law("normal"))
    table = tuple(rules) if isinstance(rules, Iterable) and not isinstance(rules, str) else (rules,)
    for rule in table:
        if not isinstance(rule, Rule):
            raise InvalidTypeError(
                f"rules must be a Law, or Rules, got {rule!r}: make a law with numbainit.recipes.rules.law('normal')"
            )
    return table


def _root(generator: GeneratorLike) -> Generator:
    return default_generator.spawn(1)[0] if generator is None else as_generator(generator)


def _law(table: tuple[Rule, ...], name: str, array: Array) -> Law:
    """The law of a parameter, tried on a few bytes, so that what it refuses is refused before anything is written."""
    try:
        found = law_for(table, name, array.shape, array.dtype)
    except StopIteration:
        raise InvalidValueError(
            f"no rule applies to {name!r} of shape {array.shape}: end the rules with one that always does"
        ) from None
    if array.size:
        found.fill(np.empty((1,) * array.ndim, array.dtype), Generator(0))
    return found


def _fill(tensor: "torch.Tensor", array: Array, one: Law, generator: Generator) -> None:
    if not array.size:  # torch's functions warn about empty ones
        return
    if isinstance(array, np.ndarray):
        one.fill(array, generator)
        written(tensor)
    elif array.dtype.kind in "biu":  # the fills on a GPU take no integers
        tensor.detach().zero_()
    else:
        one.fill(tensor, generator)  # type: ignore[arg-type]  # the in-place functions take it


def _fillable(name: str, tensor: "torch.Tensor") -> Array:
    """The memory of a tensor, described after every check."""
    if torch.nn.parameter.is_lazy(tensor):
        raise InvalidValueError(f"{name!r} has no shape yet: run the module once on an input, which gives it one")
    try:
        array: Any = on_device(tensor, "initialize") or on_host(tensor, "initialize")
        return writable(array, "initialize", (array.dtype,)) if isinstance(array, np.ndarray) else array
    except (InvalidTypeError, InvalidValueError) as error:
        raise type(error)(f"{name!r}: {error}") from None
