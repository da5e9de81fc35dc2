"""What is asked for and cannot be is refused in a line, before anything is measured."""

import numpy as np
import pytest

from numbainit import errors
from numbainit.propagation import propagate


@pytest.mark.parametrize(
    ("keywords", "error", "words"),
    [
        ({"widths": [8]}, errors.InvalidValueError, "at least one layer"),
        ({"widths": [8, 0]}, errors.InvalidValueError, "all >= 1"),
        ({"widths": [1, 1], "norm": True}, errors.InvalidValueError, "a norm over a width of 1"),
        ({"widths": ["a", 3]}, errors.InvalidTypeError, "width"),
        ({"nonlinearity": "rleu"}, errors.InvalidValueError, "did you mean 'relu'"),
        ({"init": "kaimin_normal"}, errors.InvalidValueError, "no initializer is named"),
        ({"init": 3}, errors.InvalidTypeError, "init is a name"),
        ({"init": "kaiming_normal", "a": 0.1}, errors.InvalidValueError, "the slope of leaky_relu is param"),
        ({"gain": "big"}, errors.InvalidValueError, "'torch' or 'exact'"),
        ({"kernel": 2}, errors.InvalidValueError, "a kernel is odd"),
        ({"kernel": 9}, errors.InvalidValueError, "must fit into the image"),
        ({"padding": "mirror"}, errors.InvalidValueError, "padding is one of"),
        ({"dtype": "float8"}, errors.InvalidValueError, "dtype is one of"),
        ({"batch": 1}, errors.InvalidValueError, "at least 2 inputs"),
        ({"batch": np.full((4, 8), np.nan)}, errors.InvalidValueError, "batch holds NaN"),
        ({"batch": 10**12}, errors.InvalidValueError, "take smaller widths, images or batches"),
        ({"widths": [10**9] * 2}, errors.InvalidValueError, "need .* GiB, and this machine"),
        ({"batch": np.full((4, 8), 1e300)}, errors.InvalidValueError, "infinities in float32"),
        ({"batch": np.ones((4, 8), complex)}, errors.InvalidTypeError, "array of real numbers, got complex128"),
        ({"batch": np.full((4, 8), object())}, errors.InvalidTypeError, "array of real numbers, got object"),
        ({"batch": [[1.0], [1.0, 2.0]]}, errors.InvalidValueError, "rows of equal lengths"),
        ({"gain": np.inf}, errors.InvalidValueError, "gain must be finite"),
        ({"kernel": 1.5}, errors.InvalidTypeError, "kernel must be an int"),
        ({"kernel": 3, "size": "a"}, errors.InvalidTypeError, "size must be an int"),
        ({"kernel": -1}, errors.InvalidValueError, "try 1"),
        ({"batch": np.ones((4, 9))}, errors.InvalidValueError, r"wanted \(n, 8\)"),
    ],
)
def test_what_is_refused(keywords, error, words):
    with pytest.raises(error, match=words):
        propagate(**{"widths": [8, 8], **keywords})
