"""An ndarray and a law → the array filled, by all cores: the CPU as a target.

Numba is imported at the first fill that needs a kernel.
"""

from numbainit.targets.cpu.fills import constant, filling, filling_sparse, writing
from numbainit.targets.cpu.orthogonal import filling_orthogonal

__all__ = ["constant", "filling", "filling_orthogonal", "filling_sparse", "writing"]
