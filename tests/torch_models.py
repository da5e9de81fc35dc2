"""Small models of torch and its libraries → what constructs each, its own initialization code, and what torch gives."""

import importlib
import importlib.util

import numpy as np
import pytest
import torch
from scipy import stats

nn = torch.nn


def installed(name):
    """A library of models; torchvision before any, since others import it."""
    if importlib.util.find_spec("torchvision") is not None:
        try:
            importlib.import_module("torchvision")
        except RuntimeError:  # that of the package index is built for CUDA, and wants operators that torch then lacks
            torch.library.define("torchvision::nms", "(Tensor boxes, Tensor scores, float threshold) -> Tensor")
            torch.library.define("torchvision::qnms", "(Tensor boxes, Tensor scores, float threshold) -> Tensor")
            importlib.import_module("torchvision")
    return pytest.importorskip(name, reason=f"{name} is not installed: pip install 'numbainit[models]'")


def reset(model):
    for module in model.modules():
        for name in ("reset_parameters", "_reset_parameters"):
            if hasattr(module, name):
                getattr(module, name)()


def _hf(config, model, **arguments):
    def make():
        library = installed("transformers")
        return getattr(library, model)(getattr(library, config)(**arguments))

    return make, lambda model: model.init_weights()


def _timm(name, **arguments):
    def make():
        return installed("timm").create_model(name, pretrained=False, num_classes=10, **arguments)

    return make, None


def _vision(name, **arguments):
    def make():
        library = installed("torchvision")
        return getattr(library.models, name)(weights=None, num_classes=10, **arguments)

    return make, None


def _convnext():
    module = installed("torchvision").models.convnext
    return module.ConvNeXt([module.CNBlockConfig(16, 32, 1), module.CNBlockConfig(32, None, 1)], num_classes=10)


SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "vocab_size": 96}
MODELS = {
    "torch Transformer": (lambda: nn.Transformer(16, 2, 1, 1, 32, batch_first=True), lambda m: m._reset_parameters()),
    "torch LSTM": (lambda: nn.LSTM(16, 24, 2, proj_size=8, bidirectional=True), reset),
    "torch MultiheadAttention": (lambda: nn.MultiheadAttention(16, 2, kdim=8, vdim=8, add_bias_kv=True), reset),
    "torch layers": (
        lambda: nn.Sequential(
            nn.Conv2d(4, 8, 3, groups=2),
            nn.ConvTranspose2d(8, 4, 3),
            nn.BatchNorm2d(4),
            nn.GroupNorm(2, 4),
            nn.Bilinear(4, 5, 6),
            nn.Embedding(9, 4, padding_idx=1),
            nn.EmbeddingBag(9, 4, padding_idx=2),
            nn.PReLU(),
            nn.GRUCell(4, 6),
            nn.RMSNorm(6),
        ),
        reset,
    ),
    "transformers GPT-2": _hf("GPT2Config", "GPT2LMHeadModel", n_embd=32, n_layer=2, n_head=4, vocab_size=96),
    "transformers Llama": _hf("LlamaConfig", "LlamaForCausalLM", **SMALL, num_key_value_heads=2),
    "transformers Mixtral": _hf(
        "MixtralConfig", "MixtralForCausalLM", **SMALL, num_key_value_heads=2, num_local_experts=2
    ),
    "transformers Gemma 2": _hf("Gemma2Config", "Gemma2ForCausalLM", **SMALL, num_key_value_heads=2, head_dim=8),
    "transformers BERT": _hf("BertConfig", "BertForMaskedLM", **SMALL),
    "transformers T5": _hf(
        "T5Config", "T5ForConditionalGeneration", d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, vocab_size=96
    ),
    "transformers ViT": _hf(
        "ViTConfig",
        "ViTForImageClassification",
        **{k: v for k, v in SMALL.items() if k != "vocab_size"},
        image_size=32,
        patch_size=8,
    ),
    "transformers Swin": _hf(
        "SwinConfig",
        "SwinForImageClassification",
        embed_dim=16,
        depths=[1, 1],
        num_heads=[2, 4],
        image_size=32,
        window_size=4,
    ),
    "transformers CLIP": _hf(
        "CLIPConfig",
        "CLIPModel",
        text_config={**SMALL, "max_position_embeddings": 16, "projection_dim": 16},
        vision_config={
            **{k: v for k, v in SMALL.items() if k != "vocab_size"},
            "image_size": 32,
            "patch_size": 8,
            "projection_dim": 16,
        },
        projection_dim=16,
    ),
    "transformers Whisper": _hf(
        "WhisperConfig",
        "WhisperForConditionalGeneration",
        d_model=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        vocab_size=96,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    ),
    "transformers Mamba": _hf(
        "MambaConfig", "MambaForCausalLM", hidden_size=32, state_size=8, num_hidden_layers=2, vocab_size=96
    ),
    "transformers Mamba-2": _hf(
        "Mamba2Config",
        "Mamba2ForCausalLM",
        hidden_size=32,
        state_size=8,
        num_hidden_layers=2,
        vocab_size=96,
        num_heads=8,
        head_dim=8,
        n_groups=2,
        expand=2,
    ),
    "transformers wav2vec 2": _hf(
        "Wav2Vec2Config",
        "Wav2Vec2Model",
        **SMALL,
        conv_dim=(16, 16),
        conv_stride=(2, 2),
        conv_kernel=(3, 3),
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=4,
    ),
    "torchvision ResNet": _vision("resnet18", zero_init_residual=True),
    "torchvision DenseNet": (
        lambda: installed("torchvision").models.DenseNet(8, (2, 2), 16, num_classes=10),
        None,
    ),
    "torchvision MobileNet": _vision("mobilenet_v3_small"),
    "torchvision ConvNeXt": (_convnext, None),
    "torchvision ViT": (
        lambda: installed("torchvision").models.VisionTransformer(32, 8, 2, 4, 32, 64, num_classes=10),
        None,
    ),
    "torchvision Swin": (
        lambda: installed("torchvision").models.SwinTransformer([4, 4], 16, [1, 1], [2, 4], [4, 4], num_classes=10),
        None,
    ),
    "torchvision GoogLeNet": _vision("googlenet", init_weights=True),
    "timm ViT": (
        lambda: installed("timm").models.VisionTransformer(32, 8, embed_dim=32, depth=2, num_heads=4, num_classes=10),
        lambda m: m.init_weights(),
    ),
    "timm ResNet": _timm("resnet18"),
    "timm EfficientNet": _timm("efficientnet_b0"),
    "timm ConvNeXt": _timm("convnext_atto"),
    "timm BEiT": _timm("beit_base_patch16_224", img_size=32, embed_dim=32, depth=2, num_heads=4),
    "timm MLP-Mixer": (
        lambda: installed("timm").models.mlp_mixer.MlpMixer(10, img_size=32, patch_size=8, num_blocks=2, embed_dim=32),
        lambda m: m.init_weights(),
    ),
}


# ---- what torch gives them ----

ALPHA = 1e-8  # of each of some 5,000 comparisons
MOST = 20_000  # elements of a tensor that are compared


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


def agreement(ours, theirs):
    """What is wrong with a tensor, if something is: elements that are fixed for torch are equal, all others are
    distributed alike, and are not torch's."""
    if ours.shape != theirs[0].shape:
        return f"shape {ours.shape} for {theirs[0].shape}"
    fixed = np.all([theirs[0] == other for other in theirs[1:]], axis=0)
    if not np.array_equal(ours[fixed], theirs[0][fixed], equal_nan=True):
        return f"{np.sum(ours[fixed] != theirs[0][fixed])} constants differ"
    drawn = ours[~fixed][:MOST]
    if not drawn.size:
        return ""
    expected = np.concatenate([other[~fixed][:MOST] for other in theirs])
    if not stats.ks_2samp(drawn, expected).pvalue > ALPHA:
        return f"std {drawn.std():.4g} for {expected.std():.4g}"
    # discrete values may agree by chance
    return "torch's values" if np.unique(expected).size >= 100 and np.isin(drawn, expected).mean() > 0.01 else ""
