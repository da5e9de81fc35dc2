"""Built-in shapes are those of the frameworks' models: what a strict ``load_state_dict`` asks for."""

import pytest

import torch_models
from numbainit.files.headers import parse_header
from numbainit.recipes import models

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'numbainit[torch]'")


def _builtin():
    tv = torch_models.installed("torchvision").models
    hf = torch_models.installed("transformers")
    llama = {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32}
    return {
        "bert-base": lambda: hf.BertForPreTraining(hf.BertConfig()),
        "densenet121": tv.densenet121,
        "gpt2": lambda: hf.GPT2LMHeadModel(hf.GPT2Config()),
        "llama3-8b": lambda: hf.LlamaForCausalLM(hf.LlamaConfig(vocab_size=128256, num_key_value_heads=8, **llama)),
        "resnet50": tv.resnet50,
        "resnext50": tv.resnext50_32x4d,
        "t5-small": lambda: hf.T5ForConditionalGeneration(
            hf.T5Config(d_model=512, d_kv=64, d_ff=2048, num_layers=6, num_heads=8)
        ),
        "vit-b16": tv.vit_b_16,
        "wide-resnet50": tv.wide_resnet50_2,
    }


TIED = {  # names that a strict load asks for, and a file leaves out
    "bert-base": {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"},
    "gpt2": {"lm_head.weight"},
    "t5-small": {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"},
}


@pytest.mark.parametrize("name", models.builtin_names())
def test_builtin_shapes_are_those_of_the_frameworks(name):
    """All that a state_dict has, in its order, but for second names of tied weights."""
    with torch.device("meta"):
        model = _builtin()[name]()
    dtypes = {torch.float32: "F32", torch.int64: "I64"}
    state = {key: tensor for key, tensor in model.state_dict().items() if key not in TIED.get(name, ())}
    found = parse_header(models.builtin_header(name), name)
    assert [(one.name, one.dtype, one.shape) for one in found] == [
        (key, dtypes[tensor.dtype], tuple(tensor.shape)) for key, tensor in state.items()
    ]
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert (set(missing), unexpected) == (TIED.get(name, set()), [])


def test_what_a_recipe_fills_loads_strictly():
    from numbainit.recipes import load

    model = torch_models.installed("torchvision").models.resnet50()
    parameters = parse_header(models.builtin_header("resnet50"), "resnet50")
    recipe = load("resnet-torchvision").recipe(parameters)
    arrays = {one.name: torch.empty(one.shape, dtype=getattr(torch, one.numpy_dtype.name)) for one in parameters}
    recipe.apply(arrays, generator=0)
    model.load_state_dict(arrays, strict=True)
    assert (model.bn1.running_var == 1).all()
    assert model.fc.weight.std().item() == pytest.approx(1 / (3 * 2048) ** 0.5, rel=0.01)
