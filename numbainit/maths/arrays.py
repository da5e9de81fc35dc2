"""Arrays of float64 → ``exp``, ``log`` and the inverse of softplus, in float64, with the same bits on every machine.

Written with ``+ - * /`` on whole arrays of NumPy, each rounded once and never fused, and exact functions (``rint``,
``frexp``, ``ldexp``): a library's ``exp`` would make values depend on the machine. The polynomials of ``exp`` and
``log`` are those of fdlibm (Sun Microsystems, 1993), with errors below 1 ulp. Arguments are those of initializers:
finite, and positive for ``log`` and the inverse of softplus.
"""

from collections.abc import Sequence

import numpy as np

_LN2_HIGH, _LN2_LOW = float.fromhex("0x1.62e42feep-1"), float.fromhex("0x1.a39ef35793c76p-33")
_ONE_OVER_LN2 = float.fromhex("0x1.71547652b82fep0")
_HALF_SQRT2 = float.fromhex("0x1.6a09e667f3bcdp-1")
_EXP = (
    *(1.66666666666666019037e-01, -2.77777777770155933842e-03, 6.61375632143793436117e-05),
    *(-1.65339022054652515390e-06, 4.13813679705723846039e-08),
)
_LOG = (
    *(6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01, 2.222219843214978396e-01),
    *(1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01),
)
_SHORT = 0.25  # up to here 1 - exp(-t) is summed as a series, of which so many terms reach the last bit
_TERMS = 12


def _polynomial(x: np.ndarray, coefficients: Sequence[float]) -> np.ndarray:
    """``c[0] + x (c[1] + x (...))``."""
    *rest, highest = coefficients
    result = np.full_like(x, highest)
    for coefficient in reversed(rest):
        result = coefficient + x * result
    return result


def exp(x: np.ndarray) -> np.ndarray:
    """The exponential: ``2^n exp(r)`` with ``r = x - n ln 2``, |r| <= ln(2) / 2."""
    x = np.asarray(x, np.float64)
    n = np.rint(x * _ONE_OVER_LN2)
    high, low = x - n * _LN2_HIGH, n * _LN2_LOW
    r = high - low
    square = r * r
    c = r - square * _polynomial(square, _EXP)
    return np.ldexp(1.0 - ((low - (r * c) / (2.0 - c)) - high), n.astype(np.int32))


def log(x: np.ndarray) -> np.ndarray:
    """The natural logarithm: ``n ln 2 + log(1 + f)``, 1 + f in [sqrt(1/2), sqrt(2))."""
    mantissa, n = np.frexp(np.asarray(x, np.float64))
    small = mantissa < _HALF_SQRT2
    f, n = np.where(small, mantissa + mantissa, mantissa) - 1.0, (n - small).astype(np.float64)
    s = f / (2.0 + f)
    square, half = s * s, 0.5 * f * f
    rest = square * _polynomial(square, _LOG)
    return n * _LN2_HIGH - ((half - (s * (half + rest) + n * _LN2_LOW)) - f)


def inverse_softplus(t: np.ndarray) -> np.ndarray:
    """``log(exp(t) - 1) = t + log(1 - exp(-t))``, whose softplus is t."""
    t = np.asarray(t, np.float64)
    series = np.ones_like(t)
    for term in range(_TERMS, 1, -1):
        series = 1.0 - t / term * series
    return t + log(np.where(t <= _SHORT, t * series, 1.0 - exp(-np.minimum(t, 700.0))))
