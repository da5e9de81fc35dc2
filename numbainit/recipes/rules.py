"""A parameter's name, rank and dtype → the initializer that fills it: a simple table.

The first row that holds decides. "Name" is the last component of the dotted name (``layer1.0.bn1.bias``: ``bias``).

================================================================  ==============================
parameter                                                         initializer
================================================================  ==============================
integers and booleans (``num_batches_tracked``)                   zeros
name ``running_var``                                              ones
name ``running_mean`` or ``num_batches_tracked``                  zeros
name ``bias``, or starting ``bias_``, or ending ``_bias``         zeros
rank 0 or 1 (the weights of normalisation layers)                 ones
all others                                                        the chosen initializer
================================================================  ==============================

Fans are read as torch reads them: axis 0 is the output, axis 1 the input.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError
from numbainit.fill import fill_constant
from numbainit.generator import Generator
from numbainit.initializers import Initializer, names
from numbainit.memory.arrays import Array
from numbainit.weights.blocks import Block
from numbainit.weights.numbers import real


@dataclass(frozen=True)
class Rule:
    """A row of the table: ``applies(name, rank, dtype)`` says whether ``initializer`` is the parameter's."""

    when: str
    applies: Callable[[str, int, np.dtype], bool]
    initializer: Initializer

    def __post_init__(self) -> None:
        if not isinstance(self.initializer, Initializer):
            raise InvalidTypeError(
                f"the initializer of a Rule must be a numbainit.Initializer, got {self.initializer!r}: pass one, such "
                "as numbainit.Initializer('normal', std=0.02)"
            )


def choices() -> tuple[str, ...]:
    """The initializers that a rule set can be built on: all that fill floats.

    Examples
    --------
    >>> from numbainit.recipes.rules import choices
    >>> "kaiming_normal" in choices(), "bits" in choices()
    (True, False)
    """
    return tuple(name for name in names() if name != "bits")


def initializer(name: str, **arguments: Any) -> Initializer:
    """An initializer with the defaults of models instead of torch's: std 0.02, and bounds at two of them.

    Parameters
    ----------
    name, **arguments
        As for :class:`numbainit.Initializer`. ``normal`` and ``trunc_normal`` have a ``std`` of 0.02, ``trunc_normal``
        bounds ``a`` and ``b`` at two std around the mean: torch's, an absolute [-2, 2], would cut nothing off.

    Examples
    --------
    >>> from numbainit.recipes.rules import initializer
    >>> initializer("trunc_normal", std=0.5).label
    'trunc_normal(std=0.5, a=-1.0, b=1.0)'
    """
    usual: dict[str, Any] = {"std": 0.02} if name in ("normal", "trunc_normal") else {}
    if name == "trunc_normal":
        mean, std = real("mean", arguments.get("mean", 0.0)), real("std", arguments.get("std", 0.02))
        usual |= {"a": mean - 2 * std, "b": mean + 2 * std}
    return Initializer(name, **usual | arguments)


def _is_bias(name: str) -> bool:
    return name == "bias" or name.startswith("bias_") or name.endswith("_bias")


def rules(chosen: Initializer) -> tuple[Rule, ...]:
    """The table of this file, with ``chosen`` for every parameter that no other row takes.

    Examples
    --------
    >>> from numbainit.recipes.rules import initializer, rules
    >>> for rule in rules(initializer("normal")):
    ...     print(f"{rule.when}: {rule.initializer.label}")
    integer or bool: zeros()
    running_var: ones()
    running_mean, num_batches_tracked: zeros()
    bias: zeros()
    rank 0 or 1: ones()
    all others: normal(std=0.02)
    """
    zeros, ones = Initializer("zeros"), Initializer("ones")
    return (
        Rule("integer or bool", lambda name, rank, dtype: dtype.kind in "biu", zeros),
        Rule("running_var", lambda name, rank, dtype: name == "running_var", ones),
        Rule(
            "running_mean, num_batches_tracked",
            lambda name, rank, dtype: name in ("running_mean", "num_batches_tracked"),
            zeros,
        ),
        Rule("bias", lambda name, rank, dtype: _is_bias(name), zeros),
        Rule("rank 0 or 1", lambda name, rank, dtype: rank <= 1, ones),
        Rule("all others", lambda name, rank, dtype: True, chosen),
    )


def initializer_for(table: Iterable[Rule], name: str, shape: tuple[int, ...], dtype: np.dtype) -> Initializer:
    """The initializer of the first rule that applies to a parameter.

    Examples
    --------
    >>> import numpy as np
    >>> from numbainit.recipes.rules import initializer, initializer_for, rules
    >>> initializer_for(rules(initializer("normal")), "ln_f.weight", (768,), np.dtype("float32")).label
    'ones()'
    """
    last = name.rpartition(".")[2]
    for rule in table:
        if rule.applies(last, len(shape), dtype):
            return rule.initializer
    raise InvalidValueError(f"no rule applies to {name!r} of shape {shape}: end the rules with one that always does")


def apply(found: Initializer, array: Array, generator: Generator) -> None:
    """Fill a parameter: also one of integers, which the family does not fill, with zeros.

    An empty one stays as it is: torch's functions warn about them.
    """
    if not array.size:
        return
    if array.dtype.kind in "biu" and found.name == "zeros":
        fill_constant(array, 0)
    else:
        found(array, generator)


def check(found: Initializer, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Raise what :func:`apply` would for such a parameter; nothing of its size is made.

    A part without elements is filled, or one of a single element where no part can be made alone.
    """
    nobody = Generator.from_key(0, 0)
    if found.takes_block and dtype.kind not in "biu":
        found(np.empty((0,) * len(shape), dtype), nobody, block=Block(shape, (0,) * len(shape)))
    else:
        apply(found, np.empty((1,) * len(shape), dtype), nobody)
