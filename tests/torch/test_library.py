"""Recipes built in → each tensor has the law that the code which they are named after gives it, and those values."""

import contextlib
import tempfile
import warnings

import pytest

import budget
import torch_models
from recipe_laws import agree, compared, law

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'numbainit[torch]'")

import torch_sources  # noqa: E402
from numbainit import recipes  # noqa: E402
from numbainit.recipes import Formula  # noqa: E402
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
    "torch-default, no padding": (
        lambda: nn.Sequential(nn.Embedding(9, 4), nn.EmbeddingBag(9, 4), nn.Linear(4, 4)),
        {},
    ),
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
    "llama-hf, Mixtral": (_named("transformers Mixtral"), {"rope_theta": 1e6}),
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


# Packages that nobody needs for anything else: pip install --no-deps mup torchscale fairscale openai-clip ai2-olmo
# ai2-olmo-core torchtitan, and what they import


def _package(name):
    torch_models.installed("torchvision")
    return pytest.importorskip(name, reason=f"{name.partition('.')[0]} is not installed", exc_type=ImportError)


def _mup():
    package, width, base_width = _package("mup"), 64, 16

    def model(width):
        return nn.ModuleDict(
            {
                "embed": nn.Embedding(96, width),
                "inputs": nn.Linear(10, width),
                "hidden": nn.Linear(width, 2 * width),
                "back": nn.Linear(2 * width, width),
                "norm": nn.LayerNorm(width),
                "readout": package.MuReadout(width, 20),
            }
        )

    return package.set_base_shapes(model(width), model(base_width), delta=model(2 * base_width))


def _torchscale(method, *stacks):
    depths = {"encoder": 3, "decoder": 2}
    arguments = {"vocab_size": 96, "deepnorm": method == "deepnorm", "subln": method == "subln"}
    for stack in stacks:
        sizes = {"embed_dim": 32, "attention_heads": 4, "ffn_embed_dim": 64, "layers": depths[stack]}
        arguments |= {f"{stack}_{key}": value for key, value in sizes.items()}

    def make():
        config = _package("torchscale.architecture.config")
        name = "EncoderDecoder" if len(stacks) == 2 else stacks[0].title()
        module = _package(f"torchscale.architecture.{'encoder_decoder' if len(stacks) == 2 else stacks[0]}")
        return getattr(module, name)(getattr(config, f"{name}Config")(**arguments))

    return make


def _clip(vision_layers, vision_width):
    def make():
        return _package("clip.model").CLIP(24, 32, vision_layers, vision_width, 8, 24, 96, 32, 2, 3)

    return make


def _olmo(**arguments):
    def make():
        config = _package("olmo.config").ModelConfig(
            d_model=32,
            n_heads=4,
            n_layers=3,
            vocab_size=96,
            embedding_size=128,
            max_sequence_length=32,
            init_fn="mitchell",
            init_device="meta" if torch.get_default_device().type == "meta" else "cpu",
            **arguments,
        )
        return _package("olmo.model").OLMo(config)

    return make


def _olmo2():
    config = _package("olmo_core.nn.transformer").TransformerConfig
    model = config.llama_like(d_model=32, vocab_size=96, n_layers=2, n_heads=4, qk_norm=True).build()
    model.init_seed = torch.initial_seed()  # it has a generator of its own
    model.init_weights(device=torch.device("cpu"))
    return model


def _torchtitan():
    model = _package("torchtitan.models.llama3").llama3_configs["debugmodel"](attn_backend="flex").build()
    model.init_states()
    return model


@contextlib.contextmanager
def _one_rank(state):
    """Megatron builds nothing outside of a process group."""
    with tempfile.TemporaryDirectory() as folder:
        torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=0, world_size=1)
        state.initialize_model_parallel()
        try:
            yield
        finally:
            state.destroy_model_parallel()
            torch.distributed.destroy_process_group()


def _megatron(**arguments):
    def make():
        models = "megatron.core.models.gpt"
        config = _package("megatron.core.transformer.transformer_config").TransformerConfig
        layers = _package(f"{models}.gpt_layer_specs").get_gpt_layer_local_spec(arguments.get("num_moe_experts"))
        sizes = {"num_layers": 3, "hidden_size": 32, "num_attention_heads": 4, "use_cpu_initialization": True}
        with _one_rank(_package("megatron.core.parallel_state")):
            return _package(f"{models}.gpt_model").GPTModel(config(**sizes, **arguments), layers, 96, 32)

    return make


PACKAGES = {
    "megatron, package": (_megatron(embedding_init_method_std=1.0), {"embedding_std": 1.0}),
    "megatron, package, experts": (_megatron(num_moe_experts=2), {}),
    "mup, package": (_mup, {"width": 64, "base_width": 16}),
    "deepnorm, package": (_torchscale("deepnorm", "encoder", "decoder"), {}),
    "deepnorm, package, encoder": (_torchscale("deepnorm", "encoder"), {}),
    "subln, package": (_torchscale("subln", "encoder", "decoder"), {}),
    "subln, package, decoder": (_torchscale("subln", "decoder"), {}),
    "clip-openai, package": (_clip(2, 64), {}),
    "clip-openai, package, ResNet": (_clip((1, 2, 1, 1), 16), {}),
    "olmo-mitchell, package": (_olmo(), {}),
    "olmo-mitchell, package, Llama": (_olmo(block_type="llama", rope=True, activation_type="swiglu"), {}),
    "olmo2, package": (_olmo2, {}),
    "llama-torchtitan, package": (_torchtitan, {}),
}
# Where matrices are put together from others, which the recorder describes, or says by a formula
DESCRIBED = {"llama-torchtitan, package", "megatron, package", "megatron, package, experts"}
FORMULAS = {  # what the recorder sees of an initializer beyond torch
    "time_step_bias": "mul(4.605170185988092); add(-6.907755278982137); exp(x); max(x, 0.0001); x + log(-expm1(-x))",
    "log_of_uniform": "uniform(a=1.0, b=16.0); log(x)",
}
CASES = FRAMEWORKS | torch_sources.SOURCES | PACKAGES


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
    described = {name for name in made if made[name].steps and law(recorded[name]) == {None: ("computed",)}}
    formulas = {name for name, weight in made.items() if any(isinstance(step, Formula) for step in weight.steps)}
    assert formulas <= described
    assert bool(described - formulas) is (case in DESCRIBED or case.startswith("mamba"))
    for name in described:
        label = made[name].label
        is_table = name in formulas and recorded[name].computed  # in words: its values are compared below
        assert is_table or FORMULAS.get(label.partition("(")[0], label) in recorded[name].label
    different = {name: (law(recorded[name]), law(made[name])) for name in made.keys() - described}
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


def tensors(model):
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def values(model):
    return {name: tensor.detach().double().numpy().copy() for name, tensor in tensors(model).items()}


@pytest.mark.parametrize("case", [case for case in CASES if not case.startswith("torch-default")])
def test_names_and_shapes_suffice(case):
    """The same recipe for a file of which nobody has the model."""
    make, variables = CASES[case]
    with torch.device("meta"):
        model = make()
    full = recipe_of(case)
    saved = {*dict(model.named_parameters()), *model.state_dict()}  # not buffers that nobody saves
    arrays = {name: tensor for name, tensor in tensors(model).items() if name in saved}
    made = recipes.load(case.partition(",")[0]).recipe(arrays, variables)
    assert {name: law(weight) for name, weight in made.items()} == {name: law(full[name]) for name in arrays}


def test_every_recipe_is_compared_with_something():
    elsewhere = {"default", "keras-default", "flax-default"}
    assert {case.partition(",")[0] for case in CASES} | elsewhere == set(recipes.names())
