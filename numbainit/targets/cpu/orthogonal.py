"""Independent normals in a tall matrix, real or complex → a Haar-distributed one of orthonormal columns, in its place.

Stewart, "The efficient generation of random orthogonal matrices with an application to condition estimators", SIAM J.
Numer. Anal. 17 (1980): in the QR factorisation of a Gaussian matrix, what is left of the next column after the
reflections before it is again Gaussian. So the Householder vectors can be drawn directly, from columns of decreasing
length, and only their product has to be formed: half the arithmetic of a factorisation.

The product is formed in blocks of columns, ``H_1 ... H_b = I - V T V'`` (Schreiber and Van Loan, SIAM J. Sci. Stat.
Comput. 10, 1989), from the last block to the first, so nearly all of the work is matrix products, and each block of
normals makes room for the columns that it becomes.
"""

import numpy as np

from numbainit.fill import call

_SMALL = 1 << 17  # bytes up to which a compiled loop is quicker than calls of BLAS
_BLOCK = 128  # reflections applied together
_PANEL = 512  # columns updated together: bounds the temporary


def haar(matrix: np.ndarray, gain: float) -> None:
    """Turn ``matrix``, tall and full of N(0, 1), into ``gain`` times Haar-distributed orthonormal columns.

    The product is unitary where the matrix is complex.
    """
    from numbainit.targets.cpu import reflections as cpu_haar  # brings Numba, which the normals needed already

    if matrix.dtype.kind == "c" or matrix.nbytes > _SMALL or matrix.shape[0] > cpu_haar.MOST_ROWS:
        _in_blocks(matrix)
        matrix *= gain
        return
    rows = np.ascontiguousarray(matrix)
    call(cpu_haar.haar, (rows, gain))
    if rows is not matrix:
        matrix[...] = rows


def _in_blocks(matrix: np.ndarray) -> None:
    columns = matrix.shape[1]
    for begin in range((columns - 1) // _BLOCK * _BLOCK, -1, -_BLOCK):
        end = min(begin + _BLOCK, columns)
        vectors, factor, signs = _reflections(matrix[begin:, begin:end])
        _apply(vectors, factor, matrix[begin:, end:], end - begin)
        matrix[:begin, begin:end] = 0
        matrix[begin:, begin:end] = -vectors @ (factor @ _adjoint(vectors[: end - begin]))
        np.einsum("ii->i", matrix[begin:end, begin:end])[...] += 1
        matrix[begin:, begin:end] *= signs


def _adjoint(matrix: np.ndarray) -> np.ndarray:
    return matrix.conj().T if matrix.dtype.kind == "c" else matrix.T


def _reflections(normals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A block of normals → ``V``, ``T`` and the signs of its columns, of which normals above the diagonal are no part.

    Column x gives ``v = x + s |x| e_1``, s the sign (if complex: the phase) of ``x_1``, which reflects x to
    ``-s |x| e_1``. The diagonal of R has that sign, and the column of Q must take it, or the law is not Haar's
    (Mezzadri, Notices AMS 54, 2007). T is the inverse of the upper triangle of ``V' V`` with its diagonal halved:
    ``v' v / 2 = |x| (|x| + |x_1|)``, exact in float64.
    """
    from scipy.linalg import lapack  # slow to import, and needed by few

    real = normals.dtype.kind != "c"
    count = normals.shape[1]
    vectors = np.tril(normals)
    heads = vectors.diagonal().astype(np.float64 if real else np.complex128)
    squares = vectors.view(vectors.real.dtype).reshape(*vectors.shape, -1)
    norms = np.sqrt(np.einsum("ijk,ijk->j", squares, squares, dtype=np.float64))
    heads, norms = np.where(norms == 0, 1.0, heads), np.where(norms == 0, 1.0, norms)
    signs = np.copysign(1.0, heads) if real else _phases(heads)
    np.fill_diagonal(vectors, heads + signs * norms)
    triangle = np.triu(_adjoint(vectors) @ vectors, 1).astype(heads.dtype)
    triangle[np.arange(count), np.arange(count)] = norms * (norms + abs(heads))
    factor, singular = (lapack.dtrtri if real else lapack.ztrtri)(triangle)
    assert not singular, "a reflection has no length"
    return vectors, factor.astype(normals.dtype), -signs.astype(normals.dtype)


def _phases(numbers: np.ndarray) -> np.ndarray:
    """``z / |z|``, and 1 where z is 0."""
    lengths = abs(numbers)
    return np.where(lengths == 0, 1.0, numbers / np.where(lengths == 0, 1.0, lengths))


def _apply(vectors: np.ndarray, factor: np.ndarray, rest: np.ndarray, count: int) -> None:
    """``rest -= V T V' rest``, whose first ``count`` rows are not made yet: they are zero."""
    for begin in range(0, rest.shape[1], _PANEL):
        panel = rest[:, begin : begin + _PANEL]
        weights = factor @ (_adjoint(vectors[count:]) @ panel[count:])
        panel[count:] -= vectors[count:] @ weights
        panel[:count] = -vectors[:count] @ weights
