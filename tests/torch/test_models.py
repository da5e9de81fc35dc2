"""Real models, built small → each of their tensors has the law that the framework gives it, whatever torch's seed."""

import contextlib
import warnings

import numpy as np
import pytest
from scipy import stats

import torch_models

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'numbainit[torch]'")

from numbainit.torch import build, keyed  # noqa: E402

ALPHA = 1e-8  # of each of some 5,000 comparisons
MOST = 20_000  # elements of a tensor that are compared
INITIALIZED = [name for name, (_, code) in torch_models.MODELS.items() if code]


def values(model):
    return {name: tensor.detach().double().numpy().copy() for name, tensor in model.state_dict().items()}


def forget(model):
    """What transformers remembers of having initialized it."""
    for thing in (*model.modules(), *model.parameters(), *model.buffers()):
        vars(thing).pop("_is_hf_initialized", None)


def torchs(make, code=None):
    """The values of torch itself, for some seeds."""
    found = []
    for seed in range(4):
        torch.manual_seed(seed)
        model = make()
        if code:
            forget(model)
            code(model)
        found.append(values(model))
    return found


@pytest.fixture(autouse=True)
def quiet():
    """Warnings of these libraries are theirs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def check_law(name, ours, theirs):
    """Elements that are fixed for torch are equal; all others are distributed alike, and are not torch's."""
    assert ours.shape == theirs[0].shape, name
    fixed = np.all([theirs[0] == other for other in theirs[1:]], axis=0)
    np.testing.assert_array_equal(ours[fixed], theirs[0][fixed], err_msg=name)
    drawn = ours[~fixed][:MOST]
    if not drawn.size:
        return
    expected = np.concatenate([other[~fixed][:MOST] for other in theirs])
    assert stats.ks_2samp(drawn, expected).pvalue > ALPHA, f"{name}: std {drawn.std():.4g} for {expected.std():.4g}"
    # discrete values may agree by chance
    assert np.unique(expected).size < 100 or not np.isin(drawn, expected).mean() > 0.01, f"{name} has torch's values"


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
