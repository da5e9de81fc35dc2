"""A purpose and an attempt → the fourth word of a counter, ``attempt << 8 | purpose``; and the name of the stream."""

import numpy as np

#: for ever: other values for a key, a draw and an index would be another stream, with another name
STREAM = "v1"

VALUES = np.uint64(0)
LOW = np.uint64(1)  # low words of 64-bit laws
MASK = np.uint64(2)  # the mask of ``sparse_``
ACCEPTANCE = np.uint64(3)  # of rejection proposals
ATTEMPT = np.uint64(1 << 8)  # added for each rejection
