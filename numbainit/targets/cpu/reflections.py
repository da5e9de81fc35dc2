"""A small tall matrix of independent standard normals → a Haar-distributed one: ``orthogonal.py`` as one loop.

For matrices that fit in a cache, where calls of BLAS cost more than what they do. Rows are contiguous, and the columns
that a reflection changes are its SIMD lanes.
"""

import numpy as np

from numbainit.targets.cache import kernel
from numbainit.targets.cpu.memory import stack_array
from numbainit.targets.cpu.tasks import inline

MOST_ROWS = 1 << 12  # what a vector takes on the stack
LANES = 16  # columns that are changed together, as many as registers hold
_0, _1 = np.uint64(0), np.uint64(1)
_LANES = np.uint64(LANES)


@inline
def _take(matrix, k, vector):
    """Make column ``k`` the reflection's vector, and a unit vector in the matrix; ``(2 / v'v, sign)``."""
    rows = np.uint64(matrix.shape[0])
    square = 0.0
    for i in range(k, rows):
        vector[i] = matrix[i, k]
        square += np.float64(vector[i]) * np.float64(vector[i])
        matrix[i, k] = matrix.dtype.type(0)
    matrix[k, k] = matrix.dtype.type(1)
    norm, head = np.sqrt(square), np.float64(vector[k])
    if norm == 0.0:  # of measure zero: any direction will do
        norm, head = 1.0, 1.0
    sign = -1.0 if head < 0.0 else 1.0
    vector[k] = matrix.dtype.type(head + sign * norm)
    return 1.0 / (norm * (norm + abs(head))), -sign


@inline
def _reflect(matrix, k, begin, count, vector, factor):
    """Subtract ``factor v (v' matrix)`` from ``count`` columns; above row ``k`` the vector is zero."""
    rows = np.uint64(matrix.shape[0])
    weights = stack_array(LANES, matrix)
    for j in range(count):
        weights[j] = matrix.dtype.type(0)
    for i in range(k, rows):
        for j in range(count):
            weights[j] += vector[i] * matrix[i, begin + j]
    for j in range(count):
        weights[j] *= factor
    for i in range(k, rows):
        for j in range(count):
            matrix[i, begin + j] -= vector[i] * weights[j]


@kernel("haar")
def haar(matrix, gain):
    """Turn ``matrix``, in C order and at most ``MOST_ROWS`` high, into ``gain`` times orthonormal columns."""
    columns = np.uint64(matrix.shape[1])
    vector = stack_array(MOST_ROWS, matrix)
    for back in range(columns):
        k = columns - _1 - back
        for j in range(k + _1, columns):
            matrix[k, j] = matrix.dtype.type(0)
        factor, sign = _take(matrix, k, vector)
        begin = k
        while begin + _LANES <= columns:
            _reflect(matrix, k, begin, _LANES, vector, matrix.dtype.type(factor))
            begin += _LANES
        if begin < columns:
            _reflect(matrix, k, begin, columns - begin, vector, matrix.dtype.type(factor))
        for i in range(k, np.uint64(matrix.shape[0])):
            matrix[i, k] *= matrix.dtype.type(sign * gain)
