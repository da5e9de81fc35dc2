"""A device array and a law → the array filled, on its own stream: CUDA as a target.

Importing this imports ``numba.cuda``.
"""

import importlib.util

from numbainit.errors import MissingExtraError

if importlib.util.find_spec("numba_cuda") is None:  # Numba has a CUDA target of its own, long out of care
    raise MissingExtraError(
        'arrays on a GPU need numba-cuda: pip install "numbainit[cuda13]", or "numbainit[cuda12]" for a driver '
        "that knows no CUDA 13"
    )

from numbainit.targets.cuda import driver
from numbainit.targets.cuda.fills import constant, filling, filling_sparse, writing
from numbainit.targets.cuda.orthogonal import filling_orthogonal

__all__ = ["constant", "driver", "filling", "filling_orthogonal", "filling_sparse", "writing"]
