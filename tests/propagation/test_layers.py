"""What takes gradients back through a layer, against linear algebra and differences."""

import numpy as np
import pytest

from numbainit.propagation.asked import network
from numbainit.propagation.layers import linear, norm, transposed


def plain(**keywords):
    """A network with nothing else."""
    usual = {
        "gain": None, "param": None, "kernel": 0, "size": 8, "padding": "circular", "skip": False, "norm": False,
        "dtype": "float64", "generator": 0, "arguments": {},
    }  # fmt: skip
    return network([5, 7], "normal", "tanh", **(usual | keywords))


@pytest.mark.parametrize("keywords", [{}, {"kernel": 3}, {"kernel": 5, "padding": "zeros"}])
def test_what_takes_gradients_back_is_the_adjoint(keywords):
    net, random = plain(**keywords), np.random.default_rng(0)
    weight, images = net.weight(1), (8,) * (2 * bool(net.kernel))
    x, g = random.standard_normal((3, 5, *images)), random.standard_normal((3, 7, *images))
    there, back = linear(net, x, weight), transposed(net, g, weight)
    assert (there.shape, back.shape) == (g.shape, x.shape)
    assert (there * g).sum() == pytest.approx((x * back).sum(), rel=1e-12)


def test_the_gradient_of_the_norm_is_that_of_differences():
    net, random = plain(norm=True), np.random.default_rng(1)
    x, g = random.standard_normal((2, 5)), random.standard_normal((2, 5))
    back = norm(net, x)[1](g)
    for place in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[place] = 1e-6
        slope = (g * (norm(net, x + step)[0] - norm(net, x - step)[0])).sum() / 2e-6
        assert back[place] == pytest.approx(slope, rel=1e-5, abs=1e-8)
