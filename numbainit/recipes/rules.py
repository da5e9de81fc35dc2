"""A parameter's name, rank and dtype → the law that initialises it: a simple table.

The first row that holds decides. "Name" is the last component of the dotted name (``layer1.0.bn1.bias``: ``bias``).

================================================================  ==============================
parameter                                                         law
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

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from numbainit import init
from numbainit.errors import InvalidValueError, suggestion
from numbainit.generator import Generator


@dataclass(frozen=True)
class Law:
    """What fills an array. ``label`` is the call that does it, without the array: ``normal(std=0.02)``."""

    label: str
    fill: Callable[[np.ndarray, Generator], object]


@dataclass(frozen=True)
class Rule:
    """A row of the table: ``applies(name, rank, dtype)`` says whether ``law`` is the parameter's."""

    when: str
    applies: Callable[[str, int, np.dtype], bool]
    law: Law


# Each initializer's options and their defaults; None is worked out from the others.
_INITIALIZERS: dict[str, dict[str, Any]] = {
    "normal": {"std": 0.02},
    "uniform": {"low": 0.0, "high": 1.0},
    "trunc_normal": {"std": 0.02, "low": None, "high": None},
    "xavier_uniform": {"gain": 1.0},
    "xavier_normal": {"gain": 1.0},
    "kaiming_uniform": {"mode": "fan_in", "nonlinearity": "leaky_relu"},
    "kaiming_normal": {"mode": "fan_in", "nonlinearity": "leaky_relu"},
    "orthogonal": {"gain": 1.0},
    "zeros": {},
    "ones": {},
}
_PARAMETERS = {"low": "a", "high": "b"}  # options that numbainit.init, as torch, calls otherwise
_DRAW_NOTHING = ("zeros", "ones")


def initializer_names() -> list[str]:
    """The initializers that a rule set can be built on.

    Examples
    --------
    >>> from numbainit.recipes.rules import initializer_names
    >>> initializer_names()[:3]
    ['normal', 'uniform', 'trunc_normal']
    """
    return list(_INITIALIZERS)


def initializers_taking(option: str) -> list[str]:
    """The initializers that an option belongs to.

    Examples
    --------
    >>> from numbainit.recipes.rules import initializers_taking
    >>> initializers_taking("mode")
    ['kaiming_uniform', 'kaiming_normal']
    """
    return [name for name, options in _INITIALIZERS.items() if option in options]


def _complete(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options of an initializer, defaults filled in; an error for one that it does not take."""
    if name not in _INITIALIZERS:
        hint = suggestion(name, _INITIALIZERS)
        raise InvalidValueError(f"no initializer is named {name!r}; {hint}Choose one of {', '.join(_INITIALIZERS)}")
    for option in options:
        if option not in _INITIALIZERS[name]:
            owners = ", ".join(initializers_taking(option)) or "no initializer"
            raise InvalidValueError(
                f"option {option!r} does not apply to {name!r}: it belongs to {owners}; "
                "leave it out or choose one of those"
            )
    complete = _INITIALIZERS[name] | options
    if name == "trunc_normal":  # torch's default, an absolute [-2, 2], would cut nothing off at these widths
        complete["low"] = -2 * complete["std"] if complete["low"] is None else complete["low"]
        complete["high"] = 2 * complete["std"] if complete["high"] is None else complete["high"]
    return complete


def law(name: str, **options: Any) -> Law:
    """An initializer and its options, as one law.

    Parameters
    ----------
    name : str
        One of :func:`initializer_names`.
    **options
        ``std`` (normal, trunc_normal: 0.02, of the normal before it is truncated), ``low`` and ``high`` (uniform: 0
        and 1; trunc_normal: -2 std and 2 std, absolute), ``gain`` (xavier_*, orthogonal: 1), ``mode`` and
        ``nonlinearity`` (kaiming_*: "fan_in", "leaky_relu" of slope 0).

    Raises
    ------
    InvalidValueError
        For an unknown name, or an option that the initializer does not take. Values are checked by the initializer.

    Examples
    --------
    >>> from numbainit.recipes.rules import law
    >>> law("trunc_normal", std=0.5).label
    'trunc_normal(std=0.5, a=-1.0, b=1.0)'
    """
    arguments = {_PARAMETERS.get(option, option): value for option, value in _complete(name, options).items()}
    label = f"{name}({', '.join(f'{argument}={value!r}' for argument, value in arguments.items())})"
    initializer = functools.partial(getattr(init, name + "_"), **arguments)
    if name in _DRAW_NOTHING:
        return Law(label, lambda array, generator: initializer(array))
    return Law(label, lambda array, generator: initializer(array, generator=generator))


def _is_bias(name: str) -> bool:
    return name == "bias" or name.startswith("bias_") or name.endswith("_bias")


def rules(chosen: Law) -> tuple[Rule, ...]:
    """The table of this file, with ``chosen`` for every parameter that no other row takes.

    Examples
    --------
    >>> from numbainit.recipes.rules import law, rules
    >>> for rule in rules(law("normal")):
    ...     print(f"{rule.when}: {rule.law.label}")
    integer or bool: zeros()
    running_var: ones()
    running_mean, num_batches_tracked: zeros()
    bias: zeros()
    rank 0 or 1: ones()
    all others: normal(std=0.02)
    """
    zeros, ones = law("zeros"), law("ones")
    whole_zeros = Law(zeros.label, lambda array, generator: array.fill(0))  # numbainit.init takes floats only
    return (
        Rule("integer or bool", lambda name, rank, dtype: dtype.kind in "biu", whole_zeros),
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


def law_for(table: Iterable[Rule], name: str, shape: tuple[int, ...], dtype: np.dtype) -> Law:
    """The law of the first rule that applies to a parameter.

    Examples
    --------
    >>> import numpy as np
    >>> from numbainit.recipes.rules import law, law_for, rules
    >>> law_for(rules(law("normal")), "ln_f.weight", (768,), np.dtype("float32")).label
    'ones()'
    """
    last = name.rpartition(".")[2]
    return next(rule.law for rule in table if rule.applies(last, len(shape), dtype))
