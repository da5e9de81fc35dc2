"""``numbainit gain``: a nonlinearity → its exact gains, beside torch's and beside what samples say."""

import argparse
import importlib
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from numbainit.command import terminal
from numbainit.errors import InvalidValueError
from numbainit.generator import Generator
from numbainit.init import normal_
from numbainit.propagation import finite_or_none
from numbainit.weights.fans import NONLINEARITIES, calculate_gain
from numbainit.weights.gains import KINDS, exact_gain
from numbainit.weights.nonlinearities import NAMES, nonlinearity

_PIECE = 1 << 20  # samples at a time
_ABOUT = {
    "forward": "keeps the mean square of activations",
    "backward": "keeps that of gradients",
    "centred": "makes the variance of activations 1",
}


def add(commands: Any) -> None:
    """The command, as argparse knows it."""
    parser = commands.add_parser(
        "gain",
        help="the exact gain of a nonlinearity",
        description="The gains of a nonlinearity for inputs of N(0, 1): by quadrature, measured, and torch's.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "name",
        metavar="NAME",
        help=f"one of {', '.join(NAMES)}; or a function of arrays or tensors as MODULE:FUNCTION, such as numpy:arctan",
    )
    parser.add_argument("--param", type=float, metavar="X", help="slope of leaky_relu, alpha of elu")
    parser.add_argument("--samples", type=int, default=10_000_000, metavar="N", help="to measure (default: 10^7)")
    parser.add_argument("--seed", type=terminal.seed, default=0, metavar="N", help="of the samples (default: 0)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.samples < 2:
        raise InvalidValueError(f"got --samples {arguments.samples}; wanted at least 2")
    function = _imported(arguments.name) if ":" in arguments.name else arguments.name
    gains = {kind: exact_gain(function, arguments.param, kind=kind) for kind in _possible(function, arguments.param)}
    value = nonlinearity(function, arguments.param).value if isinstance(function, str) else function
    measured, error = measure(value, arguments.samples, arguments.seed)
    torch = calculate_gain(arguments.name, arguments.param) if arguments.name in NONLINEARITIES else None
    facts = {
        "name": arguments.name, "param": arguments.param, **dict.fromkeys(KINDS), **gains, "torch": torch,
        "measured": measured, "standard_error": error, "samples": arguments.samples,
    }  # fmt: skip
    if arguments.json:
        print(json.dumps({key: finite_or_none(v) if isinstance(v, float) else v for key, v in facts.items()}))
    else:
        _print(facts)
    return 0


def _possible(function: Any, param: float | None) -> list[str]:
    """The kinds that exist: a function that is not usable at all raises for the first."""
    exact_gain(function, param)
    found = []
    for kind in KINDS:
        try:
            exact_gain(function, param, kind=kind)
            found.append(kind)
        except InvalidValueError:
            continue
    return found


def _print(facts: dict[str, Any]) -> None:
    for kind, about in _ABOUT.items():
        number = "none" if facts[kind] is None else f"{facts[kind]:.9f}"
        print(f"{kind:9} {number:>12}  {about}")
    print(f"{'measured':9} {facts['measured']:12.9f}  ± {facts['standard_error']:.1g}, of {facts['samples']:,} samples")
    torch = "none" if facts["torch"] is None else f"{facts['torch']:.9f}"
    print(f"{'torch':9} {torch:>12}  calculate_gain")


def _imported(text: str) -> Callable[..., Any]:
    module, _, name = text.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except Exception as error:  # what runs is not ours
        raise InvalidValueError(f"{text} cannot be imported ({error}); wanted MODULE:FUNCTION") from None
    if not callable(found):
        raise InvalidValueError(f"{text} is no function; wanted MODULE:FUNCTION, such as numpy:arctan")
    _check(found, text)
    return found


def _check(function: Callable[..., Any], text: str) -> None:
    """Raise if it makes no number of each number."""
    try:
        values = _values(function, np.array([-0.5, 0.5]))
    except Exception as error:
        raise InvalidValueError(
            f"{text} takes no array and no tensor ({error}); wanted a function such as numpy:arctan"
        ) from None
    if values.shape != (2,):
        raise InvalidValueError(f"{text} makes shape {values.shape} of (2,); wanted a value of each element")


def measure(value: Callable[..., Any], samples: int, seed: int) -> tuple[float, float]:
    """The forward gain of samples, and its standard error.

    Examples
    --------
    >>> import numpy as np
    >>> from numbainit.command.gain import measure
    >>> gain, error = measure(lambda x: np.maximum(x, 0), 100_000, seed=0)
    >>> abs(gain - 2 ** 0.5) < 5 * error
    True
    """
    generator, square, fourth = Generator(seed), 0.0, 0.0
    for start in range(0, samples, _PIECE):
        z = normal_(np.empty(min(_PIECE, samples - start)), generator=generator)
        squares = np.square(_values(value, z))
        square, fourth = square + float(squares.sum()), fourth + float(np.square(squares).sum())
    moment = square / samples
    spread = math.sqrt(max(fourth / samples - moment * moment, 0.0) / samples)
    return (1 / math.sqrt(moment), spread / (2 * moment**1.5)) if moment else (math.inf, math.nan)


def _values(value: Callable[..., Any], z: np.ndarray) -> np.ndarray:
    try:
        return np.asarray(value(z), dtype=np.float64)
    except TypeError:
        import torch

        return value(torch.from_numpy(z)).numpy()
