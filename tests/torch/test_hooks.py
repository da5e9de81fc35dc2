"""What hooks measure of torch modules, against the same network without torch, and that nothing changes."""

import numpy as np
import pytest
import torch

import numbainit as init
from numbainit import errors
from numbainit.torch import initialize, propagation

pytestmark = pytest.mark.full
nn = torch.nn


def test_a_module_says_what_the_network_does():
    layers = [layer for _ in range(6) for layer in (nn.Linear(64, 64, bias=False), nn.Tanh())]
    model = nn.Sequential(*layers)
    for number in range(6):
        generator = init.Generator(5).fold_in(f"layers.{number + 1}.weight")
        init.xavier_normal_(model[2 * number].weight, generator=generator)
    inputs = init.normal((128, 64), generator=init.Generator(5).fold_in("input"))
    ours = init.propagate([64] * 7, "xavier_normal", "tanh", batch=128, generator=5)
    found = propagation(model, torch.from_numpy(inputs))
    assert found.names == tuple(str(number) for number in range(12))
    np.testing.assert_allclose(found.forward.std[1::2], ours.forward.std, rtol=1e-5)
    np.testing.assert_allclose(found.backward.std[1::2], ours.backward.std, rtol=0.05)  # another gradient at the end


def test_nothing_changes():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Flatten(),
                          nn.Linear(8 * 36, 4))  # fmt: skip
    model[0].weight.grad = torch.ones_like(model[0].weight)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.random.get_rng_state()
    found = propagation(model, init.normal((4, 3, 8, 8), like=torch.empty(0), generator=0))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert bool((model[0].weight.grad == 1).all())
    assert model[5].weight.grad is None
    assert all(not module._forward_hooks for module in model.modules())
    assert len(found.names) == 6
    assert np.isfinite(found.backward.std).all()


def test_dead_units_of_images_and_of_rows():
    model = nn.Sequential(nn.Conv2d(1, 4, 1, bias=False), nn.ReLU())
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([1.0, -1.0, 1.0, -1.0]).reshape(4, 1, 1, 1))
    assert propagation(model, torch.ones(2, 1, 3, 3)).forward.dead.tolist() == [0.0, 0.5]


def test_models_that_take_and_return_more():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.out = nn.Embedding(10, 16), nn.Linear(16, 4)

        def forward(self, ids, scale=1.0):
            hidden = self.embedding(ids)
            return {"logits": self.out(hidden * scale), "hidden": (hidden, None)}

    model = initialize(Model(), generator=0)
    ids = torch.arange(10).reshape(2, 5)
    found = propagation(model, {"ids": ids, "scale": 2.0})
    assert found.names == ("embedding", "out")
    assert propagation(model, (ids,)).names == found.names
    assert found.as_dict()["forward"][0]["name"] == "embedding"
    assert propagation(model, ids, backward=False).backward is None


def test_an_explosion_has_a_name():
    model = nn.Sequential(*(nn.Linear(256, 256, bias=False) for _ in range(40)))
    initialize(model, init.Initializer("normal", std=1.0), generator=0)
    found = propagation(model, torch.randn(16, 256, generator=torch.Generator().manual_seed(0)))
    assert found.verdict.startswith("forward explodes by 16.")


@pytest.mark.parametrize(
    ("model", "batch", "error", "words"),
    [
        (nn.Linear(4, 4), torch.full((2, 4), float("nan")), errors.InvalidValueError, "batch holds NaN"),
        (nn.Linear(4, 4), np.ones((2, 4)), errors.InvalidTypeError, "torch.from_numpy"),
        (3, torch.ones(2, 4), errors.InvalidTypeError, "takes a torch.nn.Module"),
        (nn.Linear(4, 4).requires_grad_(False), torch.ones(2, 4), errors.InvalidValueError, "pass backward=False"),
    ],
)
def test_what_is_refused(model, batch, error, words):
    with pytest.raises(error, match=words):
        propagation(model, batch)
