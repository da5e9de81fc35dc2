"""Figures of a signal → a line."""

import math

import numpy as np
import pytest

from numbainit.propagation import Flow, verdict


def flow(*stds):
    count = len(stds)
    return Flow(np.arange(1, count + 1), np.array(stds), np.zeros(count), np.zeros(count), np.zeros(count))


@pytest.mark.parametrize(
    ("stds", "words"),
    [
        ((1.0, 1.02, 0.99), "steady within 2 %"),
        ((1.0, 2.0, 3.0), "drifts between 1 and 3 over 3 layers"),
        ((1.0, 4.0, 16.0), "grows by 4.00 a layer, to 16 times over 3 layers"),
        ((1.0, 0.25, 0.0625), "shrinks by 0.250 a layer, to 0.062 times over 3 layers"),
        ((1.0, 100.0, 1e4), "explodes by 100. a layer, to 1.0e+04 times over 3 layers"),
        ((1.0, 0.01, 0.0), "vanishes by 0.0100 a layer, 0 at layer 3"),
        ((1.0, 16.0, math.inf, math.nan), "explodes by 16.0 a layer, inf at layer 3"),
        ((1.0, math.nan), "explodes at once, NaN at layer 2"),
        ((math.nan, math.nan), "is NaN from layer 1 on"),
        ((0.0, 0.0), "is 0 from layer 1 on"),
        ((1.0,), "steady within 0 %"),
    ],
)
def test_verdicts(stds, words):
    assert verdict(flow(*stds)) == words


def test_gradients_are_read_from_the_end():
    assert verdict(flow(0.0625, 0.25, 1.0), reverse=True).startswith("shrinks by 0.250 a layer")
    assert verdict(flow(math.inf, 4.0, 1.0), reverse=True) == "explodes by 4.00 a layer, inf at layer 1"
