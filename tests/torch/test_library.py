"""Recipes built in → each tensor has the law that the code which they are named after gives it, and those values."""

import warnings

import pytest

import budget
import torch_models
from recipe_laws import agree, compared, law

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'numbainit[torch]'")

import torch_sources  # noqa: E402
from numbainit import recipes  # noqa: E402
from numbainit.torch import record  # noqa: E402

nn = torch.nn
SEEDS = 3
SMALL = torch_models.SMALL


def _vision(make):
    return lambda: make(torch_models.installed("torchvision").models)


def _transformers(config, model, **arguments):
    def make():
        library = torch_models.installed("transformers")
        return getattr(library, model)(getattr(library, config)(**arguments))

    return make


def _timm(**arguments):
    def make():
        return torch_models.installed("timm").models.VisionTransformer(
            32, 8, embed_dim=32, depth=2, num_heads=4, num_classes=10, **arguments
        )

    return make


def _named(name):
    return torch_models.MODELS[name][0]


def _layers():
    return nn.Sequential(
        nn.Conv2d(4, 8, 3, groups=2),
        nn.ConvTranspose2d(8, 4, 3),
        nn.BatchNorm2d(4),
        nn.GroupNorm(2, 4),
        nn.LayerNorm((4, 6)),
        nn.Bilinear(4, 5, 6),
        nn.Embedding(9, 4, padding_idx=1),
        nn.EmbeddingBag(9, 4, padding_idx=1),
        nn.PReLU(),
        nn.GRUCell(4, 6),
        nn.RMSNorm(6),
        nn.RNN(4, 6),
        nn.Linear(6, 40),
    )


_HEADS = {"num_key_value_heads": 2}
_GATED = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, "vocab_size": 96}

# Recipe → what makes a model, and the recipe's variables
FRAMEWORKS = {
    "torch-default": (_layers, {"pad": 1}),
    "torch-default, LSTM": (_named("torch LSTM"), {}),
    "torch-default, attention": (_named("torch MultiheadAttention"), {}),
    "torch-default, Transformer": (_named("torch Transformer"), {"nn_transformer": 1}),
    "resnet-torchvision": (_vision(lambda tv: tv.ResNet(tv.resnet.Bottleneck, [1, 2, 1, 1])), {}),
    "resnet-torchvision, zero residual": (
        _vision(
            lambda tv: tv.ResNet(
                tv.resnet.Bottleneck, [1, 2, 1, 1], groups=4, width_per_group=16, zero_init_residual=True
            )
        ),
        {"zero_init_residual": 1},
    ),
    "resnet-torchvision, basic": (_named("torchvision ResNet"), {"zero_init_residual": 1}),
    "densenet-torchvision": (_named("torchvision DenseNet"), {}),
    "vgg-torchvision": (_vision(lambda tv: tv.VGG(tv.vgg.make_layers([16, "M", 512], batch_norm=True), 10)), {}),
    "mobilenet-torchvision": (_named("torchvision MobileNet"), {}),
    "mobilenet-torchvision, v2": (_vision(lambda tv: tv.mobilenet_v2(width_mult=0.25)), {}),
    "efficientnet-torchvision": (_vision(lambda tv: tv.efficientnet_b0(num_classes=50)), {}),
    "convnext-torchvision": (_named("torchvision ConvNeXt"), {}),
    "vit-torchvision": (_named("torchvision ViT"), {}),
    "vit-torchvision, representation": (
        _vision(lambda tv: tv.VisionTransformer(32, 8, 2, 4, 32, 64, num_classes=10, representation_size=24)),
        {},
    ),
    "swin-torchvision": (_named("torchvision Swin"), {}),
    "swin-torchvision, v2": (
        _vision(
            lambda tv: tv.SwinTransformer(
                [4, 4],
                16,
                [1, 1],
                [2, 4],
                [4, 4],
                num_classes=10,
                block=tv.swin_transformer.SwinTransformerBlockV2,
                downsample_layer=tv.swin_transformer.PatchMergingV2,
            )
        ),
        {},
    ),
    "vit-timm": (_timm(), {}),
    "vit-timm, more": (_timm(init_values=1e-5, fix_init=True, reg_tokens=2), {"fix_init": 1}),
    "gpt2-hf": (_named("transformers GPT-2"), {}),
    "gpt2-hf, cross-attention": (
        _transformers(
            "GPT2Config",
            "GPT2LMHeadModel",
            n_embd=32,
            n_layer=3,
            n_head=4,
            vocab_size=96,
            add_cross_attention=True,
            initializer_range=0.05,
        ),
        {"std": 0.05},
    ),
    "bert-hf": (_named("transformers BERT"), {}),
    "bert-hf, pre-training": (_transformers("BertConfig", "BertForPreTraining", **SMALL), {}),
    "t5-hf": (_named("transformers T5"), {}),
    "t5-hf, gated": (
        _transformers(
            "T5Config",
            "T5ForConditionalGeneration",
            **_GATED,
            feed_forward_proj="gated-gelu",
            tie_word_embeddings=False,
            initializer_factor=0.5,
        ),
        {"factor": 0.5},
    ),
    "llama-hf": (_named("transformers Llama"), {}),
    "llama-hf, padding": (
        _transformers("LlamaConfig", "LlamaForCausalLM", **SMALL, **_HEADS, pad_token_id=3),
        {"pad": 3},
    ),
    "llama-hf, Mixtral": (_named("transformers Mixtral"), {}),
    "llama-hf, Qwen 2": (_transformers("Qwen2Config", "Qwen2ForCausalLM", **SMALL, **_HEADS), {}),
    "llama-hf, OLMo 2": (_transformers("Olmo2Config", "Olmo2ForCausalLM", **SMALL, pad_token_id=1), {"pad": 1}),
    "llama-hf, GPT-NeoX": (_transformers("GPTNeoXConfig", "GPTNeoXForCausalLM", **SMALL), {}),
    "gemma-hf": (_named("transformers Gemma 2"), {}),
    "gemma-hf, 3": (
        _transformers("Gemma3TextConfig", "Gemma3ForCausalLM", **SMALL, **_HEADS, head_dim=8),
        {},
    ),
    "mamba-hf": (_named("transformers Mamba"), {}),
    "mamba-hf, rescaled": (
        _transformers(
            "MambaConfig",
            "MambaForCausalLM",
            hidden_size=32,
            state_size=8,
            num_hidden_layers=3,
            vocab_size=96,
            rescale_prenorm_residual=True,
        ),
        {"rescale": 1},
    ),
    "mamba-hf, 2": (_named("transformers Mamba-2"), {}),
    "vit-hf": (_named("transformers ViT"), {}),
    "clip-hf": (_named("transformers CLIP"), {}),
    "whisper-hf": (_named("transformers Whisper"), {"pad": 0}),
}
CASES = FRAMEWORKS | torch_sources.SOURCES


def recipe_of(case):
    """The recipe, with the tensors of a model that has no memory."""
    make, variables = CASES[case]
    rules = recipes.load(case.partition(",")[0])
    with torch.device("meta"):
        model = make()
    return rules.recipe(model, variables)


@pytest.fixture(autouse=True)
def quiet():
    """Warnings of these libraries are theirs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("case", CASES)
def test_laws_are_those_that_the_recorder_sees(case):
    made, recorded = recipe_of(case), record(CASES[case][0])
    assert made.ties == recorded.ties
    assert made.keys() == recorded.keys()
    different = {name: (law(recorded[name]), law(made[name])) for name in made}
    assert {name: pair for name, pair in different.items() if not agree(*pair)} == {}
    assert len(made.names("drawn")) >= 3


@pytest.mark.parametrize("case", CASES)
def test_values_are_distributed_like_those_of_the_code(case):
    make, _ = CASES[case]
    made, theirs = recipe_of(case), []
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        model = make()
        theirs.append(values(model))
    untouched = made.names("computed")
    made.apply(model, generator=0, ignore=untouched)
    ours = values(model)
    p_values = [1.0]
    for name in ours.keys() - set(untouched):
        p_values += compared(name, ours[name], [other[name] for other in theirs], law(made[made.ties.get(name, name)]))
    budget.check(min(1.0, len(p_values) * min(p_values)), f"{case}, the least of {len(p_values)}")


def values(model):
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {name: tensor.detach().double().numpy().copy() for name, tensor in tensors.items()}


@pytest.mark.parametrize("case", [case for case in CASES if not case.startswith("torch-default")])
def test_names_and_shapes_suffice(case):
    """The same recipe for a file of which nobody has the model."""
    make, variables = CASES[case]
    with torch.device("meta"):
        model = make()
    full = recipe_of(case)
    arrays = {name: tensor for name, tensor in model.state_dict().items() if name not in full.ties}
    made = recipes.load(case.partition(",")[0]).recipe(arrays, variables)
    assert {name: law(weight) for name, weight in made.items()} == {name: law(full[name]) for name in arrays}


def test_every_recipe_is_compared_with_something():
    elsewhere = {"default", "keras-default", "flax-default"}
    assert {case.partition(",")[0] for case in CASES} | elsewhere == set(recipes.names())
