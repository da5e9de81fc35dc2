"""What does torch's own initialization code cost in a context of numbainit.torch.keyed, beside bare fills and torch?"""

import contextlib

import pytest

import numbainit as init

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'numbainit[torch]'")

from numbainit.torch import build, keyed  # noqa: E402

nn = torch.nn
CALLS = {
    "normal_": lambda w: nn.init.normal_(w),
    "kaiming_uniform_": lambda w: nn.init.kaiming_uniform_(w, a=5**0.5),
    "trunc_normal_": lambda w: nn.init.trunc_normal_(w),
    "two rows": lambda w: w.data[2:4].normal_(),
    "a temporary that is copied": lambda w: w.data.copy_(torch.randn(8, 8)),
}
BARE = {
    "normal_": lambda w, g: init.normal_(w, generator=g),
    "kaiming_uniform_": lambda w, g: init.kaiming_uniform_(w, a=5**0.5, generator=g),
    "trunc_normal_": lambda w, g: init.trunc_normal_(w, generator=g),
}


@pytest.mark.parametrize("side", ["keyed", "bare", "torch"])
@pytest.mark.parametrize("call", CALLS)
def test_call(benchmark, call, side):
    benchmark.group = f"{call}, 64 elements"
    layer, generator = nn.Linear(8, 8), init.Generator(0)
    if side == "bare":
        if call not in BARE:
            pytest.skip("no bare fill does this")
        benchmark(BARE[call], layer.weight, generator)
    else:
        with keyed(layer, 0) if side == "keyed" else contextlib.nullcontext():
            benchmark(CALLS[call], layer.weight)


def model():
    """The feed-forward half of a transformer: 50 million parameters."""
    layers = [
        nn.Sequential(nn.LayerNorm(512), nn.Linear(512, 2048), nn.GELU(), nn.Linear(2048, 512)) for _ in range(24)
    ]
    return nn.Sequential(*layers)


def bare(made):
    root = init.Generator(0)
    for name, parameter in made.named_parameters():
        if parameter.ndim > 1:
            init.kaiming_uniform_(parameter, a=5**0.5, generator=root.fold_in(name))
        else:
            init.zeros_(parameter)


def reset(made):
    for module in made.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()


def reset_keyed(made):
    with keyed(made, 0):
        reset(made)


SIDES = {
    "keyed": lambda made: reset_keyed(made),
    "build": lambda made: build(model, 0),
    "bare": bare,
    "torch": reset,
    "torch's constructor": lambda made: model(),
}


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.benchmark(group="50 million parameters of float32")
def test_model(benchmark, side):
    made = model()
    SIDES[side](made)
    benchmark.pedantic(SIDES[side], (made,), rounds=5)
