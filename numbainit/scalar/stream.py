"""What the words of a block are for, as the fourth word of its counter says: ``attempt << 8 | purpose``."""

import numpy as np

VALUES = np.uint64(0)
LOW = np.uint64(1)  # low words of 64-bit laws
MASK = np.uint64(2)  # the mask of ``sparse_``
ACCEPTANCE = np.uint64(3)  # of rejection proposals
ATTEMPT = np.uint64(1 << 8)  # added for each rejection
