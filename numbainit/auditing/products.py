"""A matrix → the products of all its rows, and their largest eigenvalue: by products that start no threads of BLAS.

Tensors are audited side by side. Where each product woke the threads of OpenBLAS, they spun between one and the next,
and an audit cost three times as much.
"""

import numpy as np

_SIDE = 64  # 64^3 multiplications are done by the thread that asks for them
_ROWS = 32  # of a product with a vector
_EXACT = 64  # rows, up to which all eigenvalues are found
_STEPS = 32


def of_rows(x: np.ndarray) -> np.ndarray:
    """``x @ x.T``, and rows of zeros up to a multiple of 64.

    Examples
    --------
    >>> import numpy as np
    >>> from numbainit.auditing.products import of_rows
    >>> of_rows(np.array([[3.0, 4.0], [1.0, 0.0]]))[:3, :3]
    array([[25.,  3.,  0.],
           [ 3.,  1.,  0.],
           [ 0.,  0.,  0.]])
    """
    rows, inner = (-(-size // _SIDE) for size in x.shape)
    blocks = np.zeros((rows, inner, _SIDE, _SIDE), x.dtype)
    padded = np.zeros((_SIDE, inner * _SIDE), x.dtype)
    for row, block in enumerate(blocks):
        part = x[row * _SIDE : (row + 1) * _SIDE]
        padded[: len(part), : x.shape[1]], padded[len(part) :] = part, 0
        block[:] = padded.reshape(_SIDE, inner, _SIDE).swapaxes(0, 1)
    found = np.empty((rows, _SIDE, rows, _SIDE), x.dtype)
    for row in range(rows):
        for other in range(row + 1):
            product = np.matmul(blocks[row], blocks[other].swapaxes(1, 2)).sum(axis=0)
            found[row, :, other], found[other, :, row] = product, product.T
    return found.reshape(rows * _SIDE, rows * _SIDE)


def largest_eigenvalue(products: np.ndarray) -> float:
    """Of what :func:`of_rows` gives: of large matrices from below, by Lanczos' method, each vector made orthogonal."""
    size = len(products)
    if size <= _EXACT:
        return float(np.linalg.eigvalsh(products)[-1])
    parts = products.reshape(-1, _ROWS, size)
    basis = np.zeros((_STEPS, size), products.dtype)
    image = np.random.default_rng(0).standard_normal(size).astype(products.dtype)  # where it starts does not matter
    small = np.zeros((_STEPS, _STEPS))
    for step in range(_STEPS):
        for _ in range(2):
            image -= (basis[:step] @ image) @ basis[:step]
        length = float(np.linalg.norm(image))
        if not length:
            break
        basis[step] = image / length
        image = np.matmul(parts, basis[step]).reshape(size)
        small[step, : step + 1] = small[: step + 1, step] = basis[: step + 1] @ image
    return float(np.linalg.eigvalsh(small)[-1])
