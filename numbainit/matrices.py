"""A checked array → a matrix with a structure: orthogonal, sparse, identity, Dirac.

These need more than one pass over independent elements, so each does its own work on top of the fills.
"""

import math

import numpy as np

from numbainit import parameters
from numbainit.arrays import is_regular
from numbainit.errors import InvalidTypeError, InvalidValueError
from numbainit.fill import fill, sparsify
from numbainit.generator import Generator

_LAPACK_BLOCK = 64  # columns that LAPACK's orgqr applies together, at most


def eye(array: np.ndarray) -> None:
    """Ones on the diagonal of a matrix, which may be rectangular; zeros elsewhere."""
    if array.ndim != 2:
        raise InvalidValueError(f"Only tensors with 2 dimensions are supported, got {_dimensions(array)}")
    array[...] = 0
    diagonal = np.arange(min(array.shape))
    array[diagonal, diagonal] = 1


def dirac(array: np.ndarray, groups: int) -> None:
    """A kernel that passes its input channels on: ones at the centre, group by group."""
    if array.ndim not in (3, 4, 5):
        raise InvalidValueError(f"Only tensors with 3, 4, or 5 dimensions are supported, got {_dimensions(array)}")
    if isinstance(groups, bool) or not isinstance(groups, (int, np.integer)):
        raise InvalidTypeError(f"groups must be an int, got {type(groups).__name__} {groups!r}")
    if groups < 1:
        raise InvalidValueError(f"groups must be at least 1, got {groups}")
    if array.shape[0] % groups:
        raise InvalidValueError(f"dim 0 must be divisible by groups, got shape {array.shape} and groups={groups}")
    array[...] = 0
    if array.size == 0:
        return
    outputs = array.shape[0] // groups
    centre = tuple(size // 2 for size in array.shape[2:])
    channels = np.arange(min(outputs, array.shape[1]))
    for group in range(groups):
        array[(group * outputs + channels, channels, *centre)] = 1


def sparse(array: np.ndarray, sparsity: float, std: float, generator: Generator) -> None:
    """``ceil(sparsity * rows)`` zeros in every column, the rest N(0, std^2)."""
    if array.ndim != 2:
        raise InvalidValueError(f"Only tensors with 2 dimensions are supported, got {_dimensions(array)}")
    share = parameters.real("sparsity", sparsity)
    if not 0.0 <= share <= 1.0:
        raise InvalidValueError(f"sparsity is the share of zeros in each column, in [0, 1], got {share}")
    law = parameters.normal(0.0, std, array.dtype)
    zeros = math.ceil(share * array.shape[0])
    work = array if is_regular(array) else np.empty(array.shape, array.dtype.newbyteorder("="))
    stream = (*generator.key, fill(work, *law, generator))
    if work.size and zeros:
        sparsify(work, zeros, stream)
    if work is not array:
        array[...] = work


def orthogonal(array: np.ndarray, gain: float, generator: Generator) -> None:
    """``gain`` times a Haar-distributed matrix with orthonormal columns, or rows if there are fewer of them."""
    if array.ndim < 2:
        raise InvalidValueError(f"Only tensors with 2 or more dimensions are supported, got {_dimensions(array)}")
    scale = parameters.finite("gain", gain, array.dtype)
    rows, columns = array.shape[0], math.prod(array.shape[1:])
    tall = np.empty((max(rows, columns), min(rows, columns)), array.dtype.newbyteorder("="), order="F")
    fill(tall, *parameters.normal(0.0, 1.0, tall.dtype), generator)
    if array.size == 0:
        return
    q = _haar(tall)
    q *= scale
    array[...] = (q if rows >= columns else q.T).reshape(array.shape)


def _haar(gaussian: np.ndarray) -> np.ndarray:
    """Standard normals in a tall matrix → a Haar-distributed matrix with orthonormal columns, in the same memory.

    Stewart (SIAM J. Numer. Anal. 17, 1980): the Householder vectors of the QR factorisation of a Gaussian matrix are
    those of independent Gaussian columns of decreasing length, so they can be drawn directly and only their product
    has to be formed: half the arithmetic of a factorisation. Columns take the signs of the diagonal of R, without which
    the law is not Haar's (Mezzadri, Notices AMS 54, 2007).
    """
    from scipy.linalg import lapack

    count = gaussian.shape[1]
    tau = np.zeros(count, gaussian.dtype)
    signs = np.empty(count, gaussian.dtype)
    for j in range(count):
        column = gaussian[j:, j]
        head = float(column[0])
        signs[j] = math.copysign(1.0, head)
        norm = float(np.linalg.norm(column.astype(np.float64)))
        if column.size == 1 or norm == 0.0:
            continue  # nothing to reflect: the sign is all the randomness there is
        r = -math.copysign(norm, head)
        signs[j] = math.copysign(1.0, r)
        tau[j] = (r - head) / r
        column[1:] /= head - r
    orgqr = lapack.sorgqr if gaussian.itemsize == 4 else lapack.dorgqr
    q, _, info = orgqr(gaussian, tau, lwork=_LAPACK_BLOCK * count, overwrite_a=1)
    if info:
        raise RuntimeError(f"LAPACK's orgqr refused argument {-info}")
    q *= signs
    return q


def _dimensions(array: np.ndarray) -> str:
    return f"{array.ndim}, shape {array.shape}"
