"""A recipe's tensors of torch and JAX, filled at once → the values of NumPy's arrays."""

import contextlib

import numpy as np
import pytest

from numbainit.recipes import Rules

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'numbainit[torch]'")

RULES = Rules([
    {"match": "*.bias", "formula": "arange(d0)"},
    {"match": "*", "initializer": "normal", "then": [{"formula": "exp(x)"}, {"mul": 0.5}]},
])  # fmt: skip
SHAPES = {f"{n}.{end}": shape for n in range(40) for end, shape in (("weight", (128, 512)), ("bias", (128,)))}


def wanted():
    arrays = {name: np.empty(shape, "float32") for name, shape in SHAPES.items()}
    return RULES.recipe(arrays).apply(arrays, 5)


@pytest.mark.parametrize("mode", [contextlib.nullcontext, torch.no_grad, torch.inference_mode])
def test_a_module_of_torch(mode):
    with mode():
        model = torch.nn.Sequential(*(torch.nn.Linear(512, 128) for _ in range(40)))
        RULES.recipe(model).apply(model, 5)
        found = {name: tensor.detach().numpy() for name, tensor in model.named_parameters()}
    for name, want in wanted().items():
        np.testing.assert_array_equal(found[name], want, err_msg=name)


def test_a_tree_of_jax():
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    arrays = {name: jax.numpy.zeros(shape) for name, shape in SHAPES.items()}
    found = RULES.recipe(arrays).apply(arrays, 5)
    for name, want in wanted().items():
        np.testing.assert_array_equal(np.asarray(found[name]), want, err_msg=name)
