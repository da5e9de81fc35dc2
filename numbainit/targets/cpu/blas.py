"""Matrices and a place in memory → their product, added to what is there: by the BLAS that SciPy brings.

``@`` of NumPy runs in a BLAS of its own. Where its threads take turns with those of SciPy's LAPACK, each library spins
while the other works, on the same cores; and it makes a new array for each product. With this one alone, in place,
``orthogonal_`` of 4096 x 4096 takes two thirds of the time.
"""

import ctypes
import functools
from collections.abc import Callable

import numpy as np

_ROUTINES = {"f": "sgemm", "d": "dgemm", "F": "cgemm", "D": "zgemm"}
_MOST = 1 << 30  # multiplications at a time: some hundredths of a second
_ARGUMENTS = 13  # of xGEMM, all by address


@functools.cache
def _routine(kind: str) -> Callable[..., None]:
    from numba.extending import get_cython_function_address

    address = get_cython_function_address("scipy.linalg.cython_blas", _ROUTINES[kind])
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * _ARGUMENTS)(address)


def product(factor: float, left: np.ndarray, right: np.ndarray, kept: float, out: np.ndarray) -> None:
    """``out = factor * left @ right + kept * out``, in place.

    Parameters
    ----------
    factor, kept : float
        With ``kept`` 0 what ``out`` holds is not read.
    left, right, out : ndarray
        Of shapes (m, k), (k, n), (m, n) and one dtype of float32, float64, complex64, complex128; rows or columns of
        each contiguous. ``out`` overlaps neither of the others.

    Examples
    --------
    >>> import numpy as np
    >>> from numbainit.targets.cpu.blas import product
    >>> out = np.ones((2, 2))
    >>> product(2.0, np.eye(2), np.array([[1.0, 2.0], [3.0, 4.0]]), 1.0, out)
    >>> out
    array([[3., 5.],
           [7., 9.]])
    """
    if not out.size:
        return
    if left.shape[0] * left.shape[1] * right.shape[1] > _MOST:
        _by_halves(factor, left, right, kept, out)
        return
    if not _has_rows(out):
        left, right, out = right.T, left.T, out.T
    # BLAS counts down columns: for it, memory with contiguous rows is the transpose, and so is the product
    (rows, inner), columns = left.shape, right.shape[1]
    sizes = np.array([columns, rows, inner, _step(right), _step(left), _step(out)], np.int32)
    numbers = np.array([factor, kept], out.dtype)
    ways = np.array([b"N" if _has_rows(one) else b"T" for one in (right, left)])
    m, n, k, lda, ldb, ldc = _addresses(sizes)
    alpha, beta = _addresses(numbers)
    first, second = _addresses(ways)
    _routine(out.dtype.char)(
        first, second, m, n, k, alpha, right.ctypes.data, lda, left.ctypes.data, ldb, beta, out.ctypes.data, ldc
    )


def _by_halves(factor: float, left: np.ndarray, right: np.ndarray, kept: float, out: np.ndarray) -> None:
    """Two products, of the halves of the longest axis: Python hears signals in between."""
    (rows, inner), columns = left.shape, right.shape[1]
    half = max(rows, inner, columns) // 2
    for cut in (slice(0, half), slice(half, None)):
        if inner // 2 == half:
            product(factor, left[:, cut], right[cut], kept if cut.start == 0 else 1, out)
        elif rows // 2 == half:
            product(factor, left[cut], right, kept, out[cut])
        else:
            product(factor, left, right[:, cut], kept, out[:, cut])


def _addresses(row: np.ndarray) -> range:
    """Where each of its elements lies, as long as it lives."""
    start = row.ctypes.data
    return range(start, start + row.nbytes, row.itemsize)


def _has_rows(matrix: np.ndarray) -> bool:
    """Whether its rows are contiguous, and not only its columns."""
    return matrix.shape[1] == 1 or matrix.strides[1] == matrix.itemsize


def _step(matrix: np.ndarray) -> int:
    """Elements from one contiguous row or column to the next; enough for the rows where there is only one."""
    stride, length = (matrix.strides[0], matrix.shape[1]) if _has_rows(matrix) else (matrix.strides[1], matrix.shape[0])
    return max(stride // matrix.itemsize, length, 1)
