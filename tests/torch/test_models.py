"""Real models, built small → each of their tensors has the law that the framework gives it, whatever torch's seed."""

import contextlib
import warnings

import numpy as np
import pytest

import torch_models
from torch_models import agreement, torchs, values

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'numbainit[torch]'")

from numbainit.torch import build, keyed  # noqa: E402

INITIALIZED = [name for name, (_, code) in torch_models.MODELS.items() if code]


@pytest.fixture(autouse=True)
def quiet():
    """Warnings of these libraries are theirs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def check_law(name, ours, theirs):
    assert not (problem := agreement(ours, theirs)), f"{name}: {problem}"


@pytest.mark.parametrize("name", torch_models.MODELS)
def test_build_keeps_the_laws_of_constructors(name):
    make, _ = torch_models.MODELS[name]
    theirs, reports = torchs(make), []
    torch.manual_seed(7)
    ours = values(build(make, 0, report=reports.append))
    for tensor, value in ours.items():
        check_law(tensor, value, [other[tensor] for other in theirs])
    lost = {"transformers wav2vec 2": 2}.get(name, 0)  # it fills a weight that is computed
    assert len(reports[0].names("lost")) == lost
    assert reports[0].names("untouched", "not keyed") == ()
    torch.manual_seed(8)
    for tensor, value in values(build(make, 0)).items():
        np.testing.assert_array_equal(value, ours[tensor], err_msg=tensor)


@pytest.mark.parametrize("name", INITIALIZED)
def test_keyed_keeps_the_laws_of_initialization_code(name):
    make, code = torch_models.MODELS[name]
    theirs, model = torchs(make, code), make()
    with keyed(model, 0) as context:
        code(model)
    ours = values(model)
    for tensor in context.report.names("drawn", "constant", "copied", "lost"):
        if tensor in ours:  # not all buffers are saved
            check_law(tensor, ours[tensor], [other[tensor] for other in theirs])
    assert len(context.report.names("drawn")) > 3
    assert context.report.names("not keyed") == ()
    with keyed(model, 0):
        code(model)
        code(model)
    again = values(model)
    for tensor in context.report.names("drawn"):
        np.testing.assert_array_equal(again[tensor], ours[tensor], err_msg=tensor)


@pytest.mark.parametrize("name", ["transformers GPT-2", "transformers Mamba", "timm ViT", "torchvision ResNet"])
def test_dtype_and_strides_do_not_matter(name):
    make, _ = torch_models.MODELS[name]

    @contextlib.contextmanager
    def default(dtype):
        before = torch.get_default_dtype()
        torch.set_default_dtype(dtype)
        yield
        torch.set_default_dtype(before)

    wide = build(make, 0)
    with default(torch.bfloat16):
        small = build(make, 0)
    for name, tensor in wide.named_parameters():
        rounded = tensor.to(torch.bfloat16)
        got = small.get_parameter(name)
        if got.dtype == torch.bfloat16:  # some are float32 whatever the default is
            differing = (rounded != got).double().mean().item()
            assert differing <= _BOUNDS, f"{name}: {differing:.3%}"


_BOUNDS = 0.01  # a uniform at the ends of its interval


def test_flags_of_transformers_are_as_before():
    model = torch_models.MODELS["transformers GPT-2"][0]()
    before = [vars(module).get("_is_hf_initialized") for module in model.modules()]
    assert True in before
    with keyed(model, 0) as context:
        model.init_weights()
    assert context.report.names("untouched") == ()
    assert [vars(module).get("_is_hf_initialized") for module in model.modules()] == before
