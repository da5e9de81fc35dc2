"""A nonlinearity → its exact gain, by quadrature: the factor that keeps the size of a signal that is N(0, 1).

:func:`numbainit.calculate_gain` has torch's values, some of which are conventions (tanh: 5/3, selu: 3/4). These are
what He et al. (2015) derived for relu, for any function.
"""

import functools
import itertools
import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError, shown
from numbainit.weights.nonlinearities import nonlinearity as named
from numbainit.weights.numbers import is_text, real

KINDS = ("forward", "backward", "centred")
_FAR = 38.0  # sigmas: the density of N(0, 1) is 1e-314 there
_EDGES = (-_FAR, *range(-12, 13), _FAR)  # kinks lie at whole numbers, as a rule
_STEP = 1e-5  # of central differences: errors of 1e-10

Scalar = Callable[[float], float]


def exact_gain(nonlinearity: "str | Callable[..., Any]", param: float | None = None, *, kind: str = "forward") -> float:
    r"""The gain that a nonlinearity f needs, exactly, with z ~ N(0, 1).

    ======== ============================== ===============================================
    forward  :math:`1 / \sqrt{E f(z)^2}`    activations keep their mean square (He et al.)
    backward :math:`1 / \sqrt{E f'(z)^2}`   gradients keep theirs
    centred  :math:`1 / \sqrt{Var f(z)}`    activations get variance 1 (NFNets' gamma)
    ======== ============================== ===============================================

    Parameters
    ----------
    nonlinearity : str or callable
        A name (``numbainit gain --help`` lists them), or any function of an array; torch's functions too, where torch
        is imported. Functions without a name here are differentiated numerically, to about 1e-8.
    param : float, optional
        The negative slope of leaky_relu, the alpha of elu.
    kind : {"forward", "backward", "centred"}

    Raises
    ------
    InvalidValueError
        An unknown name or kind; a function without a finite second moment, or that is 0 (centred: constant) everywhere.

    Notes
    -----
    By adaptive quadrature between whole numbers, to about 1e-12; values of torch: :func:`numbainit.calculate_gain`.

    Examples
    --------
    >>> import numpy as np, numbainit as init
    >>> round(init.exact_gain("gelu"), 6), round(init.exact_gain("tanh"), 6)
    (1.53353, 1.592537)
    >>> round(init.exact_gain("relu") ** 2, 12), round(init.exact_gain(np.arctan), 6)
    (2.0, 1.491208)
    """
    if not is_text(kind) or kind not in KINDS:
        raise InvalidValueError(f"kind is one of {', '.join(KINDS)}, got {shown(kind)}")
    if is_text(nonlinearity):
        return _named_gain(nonlinearity, None if param is None else real("param", param), kind)
    if not callable(nonlinearity):
        raise InvalidTypeError(
            f"a nonlinearity is a name or a function, got {shown(nonlinearity)}: pass 'gelu' or np.tanh"
        )
    if param is not None:
        raise InvalidValueError(f"param belongs to a name, got {shown(param)} with a function: bind it to the function")
    value = _of_numbers(nonlinearity)
    slope = lambda z: (value(z + _STEP) - value(z - _STEP)) / (2 * _STEP)  # noqa: E731
    return _gain(getattr(nonlinearity, "__name__", "the function"), value, slope, kind)


@functools.cache
def _named_gain(name: str, param: float | None, kind: str) -> float:
    found = named(name, param)
    value, slope = (lambda z, f=f: float(f(np.array(z))) for f in found[1:])
    return _gain(name, value, slope, kind)


def _gain(name: str, value: Scalar, slope: Scalar, kind: str) -> float:
    square = slope if kind == "backward" else value
    with np.errstate(all="ignore"):
        moment = expectation(lambda z: square(z) * square(z))
        if kind == "centred":
            moment -= expectation(value) ** 2
    if not 1e-12 < moment < 1e30:
        raise InvalidValueError(
            f"{name} has no {kind} gain: its second moment is {moment:.6g}; wanted a function that is finite and not "
            "constant"
        )
    return 1.0 / math.sqrt(moment)


def expectation(function: Scalar) -> float:
    """E g(z) of a function of one number, with z ~ N(0, 1).

    Examples
    --------
    >>> from numbainit.weights.gains import expectation
    >>> round(expectation(lambda z: z ** 4), 9)
    3.0
    """
    from scipy.integrate import quad

    def weighted(z: float) -> float:
        return function(z) * math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)

    pieces = itertools.pairwise(_EDGES)
    options: Any = {"epsabs": 1e-15, "epsrel": 1e-13, "limit": 200, "full_output": True}  # without its warnings
    return math.fsum(quad(weighted, low, high, **options)[0] for low, high in pieces)


def _named(function: Any) -> str:
    return str(getattr(function, "__name__", function))


def _check_result(function: Any, result: Any) -> None:
    array = np.asarray(result)
    if array.size != 1 or array.dtype.kind not in "biuf":
        got = f"{type(result).__name__} {shown(result)}" if array.size == 1 else f"shape {array.shape}"
        raise InvalidTypeError(f"{_named(function)} made {got} of an array of one number: wanted one real number")


def _of_numbers(function: Callable[..., Any]) -> Scalar:
    """A function of arrays, or of torch's tensors, as one of numbers."""
    try:
        result = function(np.array([0.5]))
        if not hasattr(result, "detach"):  # torch's dunder functions make tensors of arrays
            _check_result(function, result)
            return lambda z: float(np.asarray(function(np.array([z]))).reshape(()))
    except InvalidTypeError:
        raise
    except (TypeError, AttributeError) as error:
        if "torch" not in sys.modules:
            raise InvalidTypeError(f"{_named(function)} takes no array of numbers: {error}") from error
    torch = sys.modules["torch"]
    return lambda z: float(function(torch.tensor([z], dtype=torch.float64)))
