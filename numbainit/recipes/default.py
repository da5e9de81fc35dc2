"""An initializer → the rules for a model of which nobody says whose it is: ``default``, with that for all weights.

``rules/default.toml`` is the table: statistics, biases and norm scales under every usual spelling get what they begin
with, and what is computed, or whose law a name only hints at, is listed in a warning. Fans are read as torch reads
them: axis 0 is the output, axis 1 the input.
"""

import functools
from typing import Any

from numbainit.initializers import Initializer, names
from numbainit.recipes.library import load
from numbainit.recipes.table import Rules
from numbainit.weights.numbers import is_text, real


def choices() -> tuple[str, ...]:
    """The initializers that the rules can be built on: all that fill floats.

    Examples
    --------
    >>> from numbainit.recipes.default import choices
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
    >>> from numbainit.recipes.default import initializer
    >>> initializer("trunc_normal", std=0.5).label
    'trunc_normal(std=0.5, a=-1.0, b=1.0)'
    """
    usual: dict[str, Any] = {"std": 0.02} if is_text(name) and name in ("normal", "trunc_normal") else {}
    if is_text(name) and name == "trunc_normal":
        mean, std = real("mean", arguments.get("mean", 0.0)), real("std", arguments.get("std", 0.02))
        usual |= {"a": mean - 2 * std, "b": mean + 2 * std}
    return Initializer(name, **usual | arguments)


@functools.lru_cache(maxsize=16)
def default(chosen: Initializer | None = None) -> Rules:
    """The rules ``default``, with ``chosen`` for every parameter that no other row takes; N(0, 0.02^2) if None.

    Examples
    --------
    >>> import numpy as np
    >>> from numbainit import Initializer
    >>> from numbainit.recipes.default import default
    >>> arrays = {"fc.weight": np.empty((4, 3), "float32"), "fc.bias": np.empty(4, "float32")}
    >>> print(default(Initializer("xavier_uniform", gain=2)).recipe(arrays))
    fc.weight  [4, 3]  xavier_uniform(gain=2)
    fc.bias    [4]     zeros()
    """
    facts = load("default").to_dict()
    if chosen is not None:
        conditions = {key: facts["rules"][-1][key] for key in ("match", "parameter", "optional")}
        facts["rules"][-1] = {**conditions, "initializer": chosen}
        del facts["variables"]
    return Rules.from_dict(facts)
