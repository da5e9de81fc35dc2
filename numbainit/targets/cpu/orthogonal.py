"""A weight and a gain → what makes it orthogonal for a stream, expert by expert: Haar's law, real or complex.

Stewart, "The efficient generation of random orthogonal matrices with an application to condition estimators", SIAM J.
Numer. Anal. 17 (1980): in the QR factorisation of a Gaussian matrix, what is left of the next column after the
reflections before it is again Gaussian. So the Householder vectors can be drawn directly, from columns of decreasing
length, and only their product has to be formed: half the arithmetic of a factorisation.

The product is formed panel by panel, ``H_1 ... H_b = I - V T V'`` (Schreiber and Van Loan, SIAM J. Sci. Stat. Comput.
10, 1989), from the last panel of columns to the first, so nearly all of the work is matrix products, and each panel of
normals makes room for the columns that it becomes.
"""

import numpy as np

from numbainit.generator import Stream
from numbainit.memory.dtypes import is_small
from numbainit.targets.cpu.blas import product
from numbainit.targets.cpu.fills import filling
from numbainit.targets.cpu.launch import limited
from numbainit.targets.cpu.turns import PIECE, parts, slices
from numbainit.targets.cpu.views import is_regular
from numbainit.targets.target import Filling, nothing
from numbainit.weights import laws
from numbainit.weights.blocks import Block, pieces

_SMALL = 1 << 17  # bytes up to which a compiled loop is quicker than calls of BLAS
_PANEL = 128  # reflections applied together


def filling_orthogonal(weights: np.ndarray, experts: int, outputs: int, gain: float, first: int = 0) -> Filling:
    """What makes of each expert a Haar-distributed matrix (outputs, the rest), times ``gain``.

    Of the normals with the numbers from ``first`` on; in the array itself where its memory allows that, and in float32
    where its dtype is smaller.
    """
    if not weights.size:
        return nothing
    in_place = weights.flags.c_contiguous and is_regular(weights) and not is_small(weights.dtype)
    made_in = np.dtype("float32") if is_small(weights.dtype) else weights.dtype.newbyteorder("=")
    work = weights if in_place else np.empty(weights.shape, made_in)
    numbers = Block((first + work.size,), (first,)) if first else None
    fill = filling(work.reshape(-1), laws.normal(0.0, 1.0, made_in), numbers)

    def make(stream: Stream) -> None:
        with limited(1):  # OpenMP's threads spin after a loop, on cores that BLAS needs: 256 x 256 took 8 ms, now 1.6
            fill(stream)
        for expert in work.reshape(experts, outputs, -1):
            haar(expert if expert.shape[0] >= expert.shape[1] else expert.T, gain)
        if work is not weights:
            for index in pieces(weights.shape, PIECE):
                weights[index] = work[index]

    return make


def haar(matrix: np.ndarray, gain: float) -> None:
    """Turn ``matrix``, tall and full of N(0, 1), into ``gain`` times Haar-distributed orthonormal columns.

    The product is unitary where the matrix is complex.
    """
    from numbainit.targets.cpu import reflections  # brings Numba, which the normals needed already

    if matrix.dtype.kind == "c" or matrix.nbytes > _SMALL or matrix.shape[0] > reflections.MOST_ROWS:
        _in_panels(matrix)
        for part in parts(matrix):
            part *= gain
        return
    rows = np.ascontiguousarray(matrix)
    reflections.haar(rows, gain)
    if rows is not matrix:
        matrix[...] = rows


def _in_panels(matrix: np.ndarray) -> None:
    columns = matrix.shape[1]
    room = np.empty((2, min(_PANEL, columns) * columns), matrix.dtype)
    for begin in range((columns - 1) // _PANEL * _PANEL, -1, -_PANEL):
        end = min(begin + _PANEL, columns)
        vectors, factor, signs = _reflections(matrix[begin:, begin:end])
        _apply(vectors, factor, matrix[begin:, end:], room)
        matrix[:begin, begin:end] = 0
        weights, panel = np.empty_like(factor), matrix[begin:, begin:end]
        product(1, factor, _adjoint(vectors[: end - begin]), 0, weights)
        product(-1, vectors, weights, 0, panel)
        np.einsum("ii->i", panel[: end - begin])[...] += 1
        for rows in slices(*panel.shape):
            panel[rows] *= signs


def _adjoint(matrix: np.ndarray) -> np.ndarray:
    return matrix.conj().T if matrix.dtype.kind == "c" else matrix.T


def _reflections(normals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A panel of normals → ``V``, ``T`` and the signs of its columns, of which normals above the diagonal are no part.

    Column x gives ``v = x + s |x| e_1``, s the sign (if complex: the phase) of ``x_1``, which reflects x to
    ``-s |x| e_1``. The diagonal of R has that sign, and the column of Q must take it, or the law is not Haar's
    (Mezzadri, Notices AMS 54, 2007). T is the inverse of the upper triangle of ``V' V`` with its diagonal halved:
    ``v' v / 2 = |x| (|x| + |x_1|)``, exact in float64.
    """
    from scipy.linalg import lapack  # slow to import, and needed by few

    real = normals.dtype.kind != "c"
    count = normals.shape[1]
    vectors, squares = np.empty(normals.shape, normals.dtype), np.zeros(count)
    for rows in slices(*normals.shape):
        vectors[rows] = np.tril(normals[rows], rows.start)
        halves = vectors[rows].view(vectors.real.dtype).reshape(*vectors[rows].shape, -1)
        squares += np.einsum("ijk,ijk->j", halves, halves, dtype=np.float64)
    heads, norms = vectors.diagonal().astype(np.float64 if real else np.complex128), np.sqrt(squares)
    heads, norms = np.where(norms == 0, 1.0, heads), np.where(norms == 0, 1.0, norms)
    signs = np.copysign(1.0, heads) if real else _phases(heads)
    np.fill_diagonal(vectors, heads + signs * norms)
    triangle = np.empty((count, count), normals.dtype)
    product(1, _adjoint(vectors), vectors, 0, triangle)
    triangle = np.triu(triangle, 1).astype(heads.dtype)
    triangle[np.arange(count), np.arange(count)] = norms * (norms + abs(heads))
    factor, singular = (lapack.dtrtri if real else lapack.ztrtri)(triangle)
    assert not singular, "a reflection has no length"
    return vectors, factor.astype(normals.dtype), -signs.astype(normals.dtype)


def _phases(numbers: np.ndarray) -> np.ndarray:
    """``z / |z|``, and 1 where z is 0."""
    lengths = abs(numbers)
    return np.where(lengths == 0, 1.0, numbers / np.where(lengths == 0, 1.0, lengths))


def _apply(vectors: np.ndarray, factor: np.ndarray, rest: np.ndarray, room: np.ndarray) -> None:
    """``rest -= V T V' rest``, whose first rows, as many as V has columns, are not made yet: they are zero."""
    count, columns = vectors.shape[1], rest.shape[1]
    inner, weights = (one[: count * columns].reshape(count, columns) for one in room)
    product(1, _adjoint(vectors[count:]), rest[count:], 0, inner)
    product(1, factor, inner, 0, weights)
    product(-1, vectors[count:], weights, 1, rest[count:])
    product(-1, vectors[:count], weights, 0, rest[:count])
