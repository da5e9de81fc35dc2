"""The recipes built in: what each file says, that it takes what it says it fits, and a few of its laws, by hand."""

import re
from math import log, sqrt
from pathlib import Path

import numpy as np
import pytest

from numbainit import recipes
from numbainit.errors import InvalidValueError
from numbainit.files.headers import parse_header
from numbainit.recipes import models
from recipe_laws import agree, law

DOCS = Path(__file__).parents[2] / "docs" / "recipes-built-in.md"
WANTED = [
    "default",
    "resnext-lua",
    "densenet-lua",
    "wide-resnet-lua",
    "resnext-pytorch",
    "torch-default",
    "resnet-torchvision",
    "densenet-torchvision",
    "vgg-torchvision",
    "mobilenet-torchvision",
    "efficientnet-torchvision",
    "convnext-torchvision",
    "vit-torchvision",
    "swin-torchvision",
    "vit-timm",
    "gpt2-openai",
    "gpt2-hf",
    "nanogpt",
    "bert-google",
    "bert-hf",
    "t5-hf",
    "llama-hf",
    "llama-torchtitan",
    "olmo-mitchell",
    "olmo2",
    "megatron",
    "gpt-neox",
    "gemma-hf",
    "mamba-ssm",
    "mamba-hf",
    "vit-hf",
    "clip-openai",
    "clip-hf",
    "whisper-hf",
    "dit",
    "unet-guided-diffusion",
    "fixup",
    "t-fixup",
    "deepnorm",
    "subln",
    "mup",
    "siren",
    "keras-default",
    "flax-default",
]
OUTLINE = {"conv.weight": (8, 4, 3, 3), "depthwise.weight": (8, 1, 3, 3), "head.weight": (10, 8), "head.bias": (10,)}


def normal(std):
    return {None: ("normal", 0.0, std)}


def uniform(bound):
    return {None: ("uniform", -bound, bound)}


def cut(std, bound):
    return {None: ("truncated normal", 0.0, std, -bound, bound)}


def constant(value):
    return {None: ("constant", value)}


def row_zero(laws, row, columns):
    return laws | {((row, row + 1), (0, columns)): ("constant", 0.0)}


ZERO, ONE, COMPUTED = constant(0.0), constant(1.0), {None: ("computed",)}
LAYER = "model.layers.31."
TITAN = 0.02 / sqrt(2 * 32)
HAND = [
    (
        "resnext-lua",
        "resnext50",
        {},
        {
            "conv1.weight": normal(sqrt(2 / (7 * 7 * 64))),
            "layer1.0.conv2.weight": normal(sqrt(2 / (3 * 3 * 128))),  # 32 groups: not divided out
            "layer1.0.bn2.weight": ONE,
            "layer1.0.bn2.running_var": ONE,
            "layer1.0.bn2.running_mean": ZERO,
            "layer1.0.bn2.num_batches_tracked": ZERO,
            "fc.weight": uniform(1 / sqrt(2048)),
            "fc.bias": ZERO,
        },
    ),
    (
        "densenet-lua",
        "densenet121",
        {},
        {
            "features.denseblock1.denselayer1.conv2.weight": normal(sqrt(2 / (3 * 3 * 32))),
            "classifier.weight": uniform(1 / sqrt(1024)),
            "classifier.bias": ZERO,
        },
    ),
    (
        "densenet-torchvision",
        "densenet121",
        {},
        {
            "features.denseblock1.denselayer1.conv2.weight": normal(sqrt(2 / (3 * 3 * 128))),
            "classifier.weight": uniform(1 / sqrt(1024)),
            "classifier.bias": ZERO,
        },
    ),
    (
        "wide-resnet-lua",
        "wide-resnet50",
        {},
        {
            "layer1.0.conv3.weight": normal(sqrt(2 / 128)),
            "conv1.weight": normal(sqrt(2 / (7 * 7 * 3))),
            "bn1.weight": {None: ("uniform", 0.0, 1.0)},
            "bn1.bias": ZERO,
            "fc.weight": uniform(1 / sqrt(2048)),
        },
    ),
    ("wide-resnet-lua", "wide-resnet50", {"unit_norms": 1}, {"bn1.weight": ONE}),
    (
        "resnext-pytorch",
        "resnext50",
        {},
        {
            "layer1.0.conv2.weight": normal(sqrt(2 / (3 * 3 * 128))),
            "fc.weight": normal(sqrt(2 / 2048)),
            "fc.bias": ZERO,
            "bn1.weight": ONE,
        },
    ),
    (
        "torch-default",
        "resnet50",
        {},
        {
            "conv1.weight": uniform(1 / sqrt(147)),
            "bn1.weight": ONE,
            "bn1.bias": ZERO,
            "fc.weight": uniform(1 / sqrt(2048)),
            "fc.bias": uniform(1 / sqrt(2048)),
        },
    ),
    (
        "torch-default",
        {"rnn.weight_ih_l0": (32, 5), "rnn.weight_hh_l0": (32, 8), "rnn.bias_ih_l0": (32,), "emb.weight": (9, 4)},
        {"gates": 4},
        {"rnn.weight_ih_l0": uniform(1 / sqrt(8)), "rnn.bias_ih_l0": uniform(1 / sqrt(8)), "emb.weight": normal(1.0)},
    ),
    (
        "resnet-torchvision",
        "resnet50",
        {"zero_init_residual": 1},
        {
            "layer1.0.bn3.weight": ZERO,
            "layer1.0.bn2.weight": ONE,
            "layer1.0.downsample.1.weight": ONE,
            "layer1.0.conv2.weight": normal(sqrt(2 / (3 * 3 * 64))),
            "fc.bias": uniform(1 / sqrt(2048)),
        },
    ),
    ("resnet-torchvision", "resnet50", {}, {"layer1.0.bn3.weight": ONE}),
    (
        "vgg-torchvision",
        OUTLINE,
        {},
        {"conv.weight": normal(sqrt(2 / 72)), "head.weight": normal(0.01), "head.bias": ZERO},
    ),
    (
        "mobilenet-torchvision",
        OUTLINE,
        {},
        {"depthwise.weight": normal(sqrt(2 / 72)), "head.weight": normal(0.01), "head.bias": ZERO},
    ),
    (
        "efficientnet-torchvision",
        OUTLINE,
        {},
        {"depthwise.weight": normal(sqrt(2 / 72)), "head.weight": uniform(1 / sqrt(10)), "head.bias": ZERO},
    ),
    (
        "convnext-torchvision",
        OUTLINE | {"features.1.0.layer_scale": (8, 1, 1)},
        {},
        {"conv.weight": cut(0.02, 2), "head.weight": cut(0.02, 2), "features.1.0.layer_scale": constant(1e-6)},
    ),
    (
        "vit-torchvision",
        "vit-b16",
        {},
        {
            "class_token": ZERO,
            "encoder.pos_embedding": normal(0.02),
            "conv_proj.weight": cut(sqrt(1 / (3 * 16 * 16)), 2),
            "encoder.layers.encoder_layer_0.self_attention.in_proj_weight": uniform(sqrt(6 / (4 * 768))),
            "encoder.layers.encoder_layer_0.self_attention.out_proj.weight": uniform(1 / sqrt(768)),
            "encoder.layers.encoder_layer_0.self_attention.out_proj.bias": ZERO,
            "encoder.layers.encoder_layer_0.mlp.0.weight": uniform(sqrt(6 / (768 + 3072))),
            "encoder.layers.encoder_layer_0.mlp.3.bias": normal(1e-6),
            "encoder.ln.weight": ONE,
            "heads.head.weight": ZERO,
        },
    ),
    (
        "swin-torchvision",
        {
            "features.0.0.weight": (96, 3, 4, 4),
            "features.0.0.bias": (96,),
            "features.1.0.attn.qkv.weight": (288, 96),
            "features.1.0.attn.relative_position_bias_table": (169, 3),
            "features.1.0.attn.logit_scale": (3, 1, 1),
            "features.1.0.attn.relative_position_index": (2401,),
        },
        {},
        {
            "features.0.0.weight": uniform(1 / sqrt(48)),
            "features.0.0.bias": uniform(1 / sqrt(48)),
            "features.1.0.attn.qkv.weight": cut(0.02, 2),
            "features.1.0.attn.relative_position_bias_table": cut(0.02, 2),
            "features.1.0.attn.logit_scale": constant(log(10)),
            "features.1.0.attn.relative_position_index": COMPUTED,
        },
    ),
    (
        "vit-timm",
        {
            "cls_token": (1, 1, 8),
            "patch_embed.proj.weight": (8, 3, 4, 4),
            "patch_embed.proj.bias": (8,),
            "blocks.2.attn.proj.weight": (8, 8),
            "blocks.2.attn.qkv.weight": (24, 8),
            "blocks.2.ls1.gamma": (8,),
        },
        {"fix_init": 1},
        {
            "cls_token": normal(1e-6),
            "patch_embed.proj.bias": uniform(1 / sqrt(48)),
            "blocks.2.attn.proj.weight": cut(0.02 / sqrt(6), 2 / sqrt(6)),
            "blocks.2.attn.qkv.weight": cut(0.02, 2),
            "blocks.2.ls1.gamma": constant(1e-5),
        },
    ),
    (
        "gpt2-openai",
        "gpt2",
        {},
        {
            "transformer.wpe.weight": normal(0.01),
            "transformer.wte.weight": normal(0.02),
            "transformer.h.11.mlp.c_proj.weight": normal(0.02),
            "transformer.h.11.ln_1.weight": ONE,
            "transformer.h.11.attn.c_attn.bias": ZERO,
        },
    ),
    (
        "gpt2-openai",
        {"model/wte": (9, 4), "model/wpe": (5, 4), "model/h0/attn/c_attn/w": (1, 4, 12), "model/h0/ln_1/g": (4,)},
        {},
        {"model/wpe": normal(0.01), "model/h0/attn/c_attn/w": normal(0.02), "model/h0/ln_1/g": ONE},
    ),
    (
        "gpt2-hf",
        "gpt2",
        {},
        {
            "transformer.wpe.weight": normal(0.02),
            "transformer.h.11.mlp.c_proj.weight": normal(0.02 / sqrt(24)),
            "transformer.h.0.attn.c_proj.weight": normal(0.02 / sqrt(24)),
            "transformer.h.0.attn.c_attn.weight": normal(0.02),
        },
    ),
    ("nanogpt", "gpt2", {}, {"transformer.h.11.mlp.c_proj.weight": normal(0.02 / sqrt(24))}),
    (
        "bert-google",
        "bert-base",
        {},
        {
            "bert.embeddings.word_embeddings.weight": cut(0.02, 0.04),
            "bert.pooler.dense.weight": cut(0.02, 0.04),
            "bert.embeddings.LayerNorm.weight": ONE,
            "cls.predictions.bias": ZERO,
        },
    ),
    (
        "bert-hf",
        "bert-base",
        {},
        {
            "bert.embeddings.word_embeddings.weight": row_zero(normal(0.02), 0, 768),
            "bert.embeddings.position_embeddings.weight": normal(0.02),
            "cls.seq_relationship.weight": normal(0.02),
        },
    ),
    (
        "t5-hf",
        "t5-small",
        {},
        {
            "shared.weight": normal(1.0),
            "encoder.block.0.layer.0.SelfAttention.q.weight": normal(1 / sqrt(512 * 64)),
            "decoder.block.5.layer.1.EncDecAttention.v.weight": normal(1 / sqrt(512)),
            "decoder.block.5.layer.1.EncDecAttention.o.weight": normal(1 / sqrt(8 * 64)),
            "decoder.block.5.layer.2.DenseReluDense.wo.weight": normal(1 / sqrt(2048)),
            "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight": normal(1 / sqrt(512)),
            "encoder.final_layer_norm.weight": ONE,
        },
    ),
    (
        "llama-hf",
        "llama3-8b",
        {},
        {
            "model.embed_tokens.weight": normal(0.02),
            f"{LAYER}mlp.down_proj.weight": normal(0.02),
            "lm_head.weight": normal(0.02),
            "model.norm.weight": ONE,
        },
    ),
    ("llama-hf", "llama3-8b", {"pad": 4}, {"model.embed_tokens.weight": row_zero(normal(0.02), 4, 4096)}),
    (
        "llama-torchtitan",
        "llama3-8b",
        {},
        {
            "model.embed_tokens.weight": normal(1.0),
            f"{LAYER}mlp.down_proj.weight": cut(TITAN, 2),
            f"{LAYER}mlp.up_proj.weight": cut(TITAN, 2),
            f"{LAYER}mlp.gate_proj.weight": cut(0.02, 2),
            f"{LAYER}self_attn.o_proj.weight": cut(TITAN, 2),
            "model.layers.0.self_attn.o_proj.weight": cut(0.02 / sqrt(2), 2),
            "lm_head.weight": cut(1 / 64, 3 / 64),
        },
    ),
    (
        "olmo-mitchell",
        "llama3-8b",
        {},
        {
            "model.embed_tokens.weight": cut(1 / 64, 3 / 64),
            f"{LAYER}self_attn.o_proj.weight": cut(1 / sqrt(2 * 4096 * 32), 3 / sqrt(2 * 4096 * 32)),
            f"{LAYER}mlp.down_proj.weight": cut(1 / sqrt(2 * 14336 * 32), 3 / sqrt(2 * 14336 * 32)),
            f"{LAYER}mlp.up_proj.weight": cut(1 / 64, 3 / 64),
        },
    ),
    (
        "olmo2",
        "llama3-8b",
        {"embedding_std": 1.0},
        {"model.embed_tokens.weight": cut(1.0, 3.0), f"{LAYER}mlp.down_proj.weight": cut(0.02, 0.06)},
    ),
    (
        "megatron",
        {
            "embedding.word_embeddings.weight": (99, 8),
            "decoder.layers.0.self_attention.linear_proj.weight": (8, 8),
            "decoder.layers.1.self_attention.linear_qkv.weight": (24, 8),
            "decoder.layers.1.mlp.router.bias": (4,),
            "decoder.layers.1.mlp.experts.linear_fc2.weight3": (8, 32),
            "decoder.layers.1.mlp.linear_fc1.layer_norm_weight": (8,),
            "decoder.layers.1.self_attention.linear_qkv.bias": (24,),
        },
        {"embedding_std": 1.0},
        {
            "embedding.word_embeddings.weight": normal(1.0),
            "decoder.layers.0.self_attention.linear_proj.weight": normal(0.02 / 2),
            "decoder.layers.1.self_attention.linear_qkv.weight": normal(0.02),
            "decoder.layers.1.mlp.router.bias": normal(0.02),
            "decoder.layers.1.mlp.experts.linear_fc2.weight3": normal(0.02 / 2),
            "decoder.layers.1.mlp.linear_fc1.layer_norm_weight": ONE,
            "decoder.layers.1.self_attention.linear_qkv.bias": ZERO,
        },
    ),
    (
        "gpt-neox",
        {
            "gpt_neox.embed_in.weight": (99, 8),
            "gpt_neox.layers.0.attention.dense.weight": (8, 8),
            "gpt_neox.layers.1.attention.dense.weight": (8, 8),
            "gpt_neox.layers.1.mlp.dense_h_to_4h.weight": (32, 8),
            "gpt_neox.layers.1.mlp.dense_4h_to_h.weight": (8, 32),
        },
        {},
        {
            "gpt_neox.embed_in.weight": normal(sqrt(2 / 40)),
            "gpt_neox.layers.1.attention.dense.weight": normal(2 / 2 / sqrt(8)),
            "gpt_neox.layers.1.mlp.dense_h_to_4h.weight": normal(sqrt(2 / 40)),
            "gpt_neox.layers.1.mlp.dense_4h_to_h.weight": normal(2 / 2 / sqrt(8)),
        },
    ),
    (
        "gemma-hf",
        {"model.embed_tokens.weight": (9, 16), "model.layers.0.input_layernorm.weight": (16,), "model.embed_scale": ()},
        {},
        {
            "model.embed_tokens.weight": row_zero(normal(0.02), 0, 16),
            "model.layers.0.input_layernorm.weight": ZERO,
            "model.embed_scale": constant(4.0),
        },
    ),
    (
        "mamba-ssm",
        {
            "backbone.embedding.weight": (99, 8),
            **{f"backbone.layers.{n}.mixer.out_proj.weight": (8, 16) for n in range(4)},
            "backbone.layers.0.mixer.dt_proj.weight": (16, 4),
            "backbone.layers.0.mixer.dt_proj.bias": (16,),
            "backbone.layers.0.mixer.conv1d.weight": (16, 1, 4),
            "backbone.layers.0.mixer.conv1d.bias": (16,),
            "backbone.layers.0.mixer.A_log": (16, 8),
            "backbone.layers.0.mixer.D": (16,),
        },
        {},
        {
            "backbone.embedding.weight": normal(0.02),
            "backbone.layers.3.mixer.out_proj.weight": uniform(1 / sqrt(16) / sqrt(4)),
            "backbone.layers.0.mixer.dt_proj.weight": uniform(1 / sqrt(4)),
            "backbone.layers.0.mixer.conv1d.weight": uniform(1 / sqrt(4)),
            "backbone.layers.0.mixer.conv1d.bias": uniform(1 / sqrt(4)),
            "backbone.layers.0.mixer.D": ONE,
            "backbone.layers.0.mixer.A_log": {None: ("computed",)},
            "backbone.layers.0.mixer.dt_proj.bias": {None: ("time_step_bias", 0.001, 0.1, 1e-4)},
        },
    ),
    (
        "mamba-ssm",
        {"backbone.layers.0.mixer.A_log": (24,), "backbone.layers.0.mixer.dt_bias": (24,)},
        {"dt_max": 0.5},
        {
            "backbone.layers.0.mixer.A_log": {None: ("log_of_uniform", 1.0, 16.0)},
            "backbone.layers.0.mixer.dt_bias": {None: ("time_step_bias", 0.001, 0.5, 1e-4)},
        },
    ),
    (
        "mamba-hf",
        {
            "backbone.embeddings.weight": (99, 8),
            **{f"backbone.layers.{n}.mixer.out_proj.weight": (8, 16) for n in range(4)},
            "backbone.layers.0.mixer.in_proj.weight": (32, 8),
            "backbone.layers.0.mixer.conv1d.weight": (16, 1, 4),
            "backbone.layers.0.mixer.conv1d.bias": (16,),
            "backbone.layers.0.mixer.A_log": (24,),
        },
        {},
        {
            "backbone.layers.0.mixer.A_log": {None: ("computed",)},
            "backbone.embeddings.weight": normal(0.1),
            "backbone.layers.3.mixer.out_proj.weight": uniform(1 / sqrt(16)),
            "backbone.layers.0.mixer.in_proj.weight": normal(0.1),
            "backbone.layers.0.mixer.conv1d.bias": ZERO,
        },
    ),
    (
        "vit-hf",
        {"vit.embeddings.cls_token": (1, 1, 8), "vit.embeddings.projection.weight": (8, 3, 4, 4), "head.bias": (10,)},
        {},
        {"vit.embeddings.cls_token": cut(0.02, 2), "vit.embeddings.projection.weight": normal(0.02)},
    ),
    (
        "clip-openai",
        {
            "logit_scale": (),
            "positional_embedding": (77, 8),
            "text_projection": (8, 6),
            **{f"transformer.resblocks.{n}.attn.in_proj_weight": (24, 8) for n in range(2)},
            "transformer.resblocks.0.mlp.c_proj.weight": (8, 32),
            "transformer.resblocks.0.mlp.c_proj.bias": (8,),
            "transformer.resblocks.0.mlp.c_fc.weight": (32, 8),
            "visual.transformer.resblocks.5.attn.in_proj_weight": (48, 16),
            "visual.proj": (16, 6),
        },
        {},
        {
            "logit_scale": constant(log(1 / 0.07)),
            "positional_embedding": normal(0.01),
            "text_projection": normal(1 / sqrt(8)),
            "transformer.resblocks.0.attn.in_proj_weight": normal(1 / sqrt(8)),
            "transformer.resblocks.0.mlp.c_proj.weight": normal(1 / sqrt(8) / sqrt(4)),
            "transformer.resblocks.0.mlp.c_proj.bias": uniform(1 / sqrt(32)),
            "transformer.resblocks.0.mlp.c_fc.weight": normal(1 / sqrt(16)),
            "visual.transformer.resblocks.5.attn.in_proj_weight": uniform(sqrt(6 / 64)),
            "visual.proj": normal(1 / sqrt(16)),
        },
    ),
    (
        "clip-hf",
        {
            "logit_scale": (),
            **{f"text_model.encoder.layers.{n}.self_attn.q_proj.weight": (8, 8) for n in range(2)},
            "text_model.encoder.layers.0.self_attn.out_proj.weight": (8, 8),
            "text_model.encoder.layers.0.mlp.fc1.weight": (32, 8),
            "text_model.encoder.layers.0.mlp.fc2.weight": (8, 32),
            "vision_model.encoder.layers.0.mlp.fc2.weight": (16, 64),
            "text_model.embeddings.position_embedding.weight": (77, 8),
        },
        {},
        {
            "logit_scale": constant(2.6592),
            "text_model.encoder.layers.0.self_attn.q_proj.weight": normal(1 / sqrt(8) / sqrt(4)),
            "text_model.encoder.layers.0.self_attn.out_proj.weight": normal(1 / sqrt(8)),
            "text_model.encoder.layers.0.mlp.fc1.weight": normal(1 / sqrt(16)),
            "text_model.encoder.layers.0.mlp.fc2.weight": normal(1 / sqrt(8) / sqrt(4)),
            "vision_model.encoder.layers.0.mlp.fc2.weight": normal(1 / sqrt(16) / sqrt(2)),
            "text_model.embeddings.position_embedding.weight": normal(0.02),
        },
    ),
    (
        "whisper-hf",
        {"model.encoder.embed_positions.weight": (9, 8), "model.decoder.embed_tokens.weight": (9, 8)},
        {"pad": 2},
        {
            "model.encoder.embed_positions.weight": COMPUTED,
            "model.decoder.embed_tokens.weight": row_zero(normal(0.02), 2, 8),
        },
    ),
    (
        "dit",
        {
            "pos_embed": (1, 9, 8),
            "x_embedder.proj.weight": (8, 4, 2, 2),
            "t_embedder.mlp.0.weight": (8, 16),
            "blocks.0.attn.qkv.weight": (24, 8),
            "blocks.0.adaLN_modulation.1.weight": (48, 8),
        },
        {},
        {
            "pos_embed": COMPUTED,
            "x_embedder.proj.weight": uniform(sqrt(6 / (8 + 16))),
            "t_embedder.mlp.0.weight": normal(0.02),
            "blocks.0.attn.qkv.weight": uniform(sqrt(6 / 32)),
            "blocks.0.adaLN_modulation.1.weight": ZERO,
        },
    ),
    (
        "unet-guided-diffusion",
        {
            "input_blocks.1.0.in_layers.2.weight": (8, 8, 3, 3),
            "input_blocks.1.0.in_layers.2.bias": (8,),
            "input_blocks.1.0.out_layers.3.weight": (8, 8, 3, 3),
            "input_blocks.1.1.proj_out.bias": (8,),
            "out.2.weight": (3, 8, 3, 3),
            "label_emb.weight": (10, 8),
        },
        {},
        {
            "input_blocks.1.0.in_layers.2.weight": uniform(1 / sqrt(72)),
            "input_blocks.1.0.in_layers.2.bias": uniform(1 / sqrt(72)),
            "input_blocks.1.0.out_layers.3.weight": ZERO,
            "input_blocks.1.1.proj_out.bias": ZERO,
            "out.2.weight": ZERO,
            "label_emb.weight": normal(1.0),
        },
    ),
    (
        "fixup",
        {
            "conv1.weight": (16, 3, 7, 7),
            **{f"layer{stage}.{block}.conv1.weight": (16, 8, 3, 3) for stage in (1, 2) for block in range(8)},
            "layer1.0.conv2.weight": (16, 16, 3, 3),
            "layer1.0.scale": (1,),
            "layer1.0.bias1a": (1,),
        },
        {},
        {
            "conv1.weight": uniform(1 / sqrt(147)),
            "layer1.0.conv1.weight": normal(sqrt(2 / 144) / 4),
            "layer1.0.conv2.weight": ZERO,
            "layer1.0.scale": ONE,
            "layer1.0.bias1a": ZERO,
        },
    ),
    (
        "fixup",
        {f"layer{n // 8}.{n % 8}.conv{k}.weight": (16, 8, 3, 3) for n in range(8, 24) for k in (1, 2, 3)},
        {},
        {
            "layer1.0.conv1.weight": normal(sqrt(2 / 144) / 2),
            "layer1.0.conv2.weight": normal(sqrt(2 / 144) / 2),
            "layer1.0.conv3.weight": ZERO,
        },
    ),
    (
        "t-fixup",
        {
            "encoder.embed_tokens.weight": (9, 16),
            **{f"encoder.layers.{n}.fc1.weight": (64, 16) for n in range(6)},
            **{f"decoder.layers.{n}.encoder_attn.v_proj.weight": (16, 16) for n in range(4)},
            "decoder.layers.0.encoder_attn.k_proj.weight": (16, 16),
            "decoder.layers.0.encoder_attn.k_proj.bias": (16,),
            "decoder.layers.0.encoder_attn.out_proj.bias": (16,),
        },
        {},
        {
            "encoder.embed_tokens.weight": row_zero(normal(1 / 4 * 54**-0.25), 1, 16),
            "encoder.layers.0.fc1.weight": uniform(sqrt(6 / 80) * 0.67 * 6**-0.25),
            "decoder.layers.0.encoder_attn.v_proj.weight": uniform(sqrt(6 / 32) * 36**-0.25),
            "decoder.layers.0.encoder_attn.k_proj.weight": uniform(sqrt(6 / 32) / sqrt(2)),
            "decoder.layers.0.encoder_attn.k_proj.bias": uniform(1 / 4),
            "decoder.layers.0.encoder_attn.out_proj.bias": ZERO,
        },
    ),
    (
        "deepnorm",
        {f"layers.{n}.self_attn.{one}_proj.weight": (16, 16) for n in range(2) for one in ("q", "v")},
        {},
        {"layers.0.self_attn.q_proj.weight": uniform(1 / 4), "layers.0.self_attn.v_proj.weight": uniform(1 / 4 / 2)},
    ),
    (
        "deepnorm",
        {
            f"{stack}.layers.{n}.{one}": shape
            for stack, depth in (("encoder", 3), ("decoder", 2))
            for n in range(depth)
            for one, shape in (
                ("self_attn.v_proj.weight", (16, 16)),
                ("ffn.fc1.weight", (64, 16)),
                ("ffn.fc1.bias", (64,)),
            )
        },
        {},
        {
            "encoder.layers.0.ffn.fc1.bias": uniform(1 / 4 / ((3**4 * 2) ** (1 / 16) / 1.15)),
            "decoder.layers.0.ffn.fc1.weight": uniform(1 / 4 / 24**0.25),
        },
    ),
    (
        "subln",
        {
            f"{stack}.layers.{n}.{one}_attn.v_proj.weight": (16, 16)
            for stack, depth in (("encoder", 3), ("decoder", 2))
            for n in range(depth)
            for one in ("self", "encoder")[: 1 + (stack == "decoder")]
        },
        {},
        {
            "encoder.layers.0.self_attn.v_proj.weight": uniform(1 / 4 * sqrt(log(6) * log(6) / 3)),
            "decoder.layers.0.self_attn.v_proj.weight": uniform(1 / 4 * sqrt(log(6))),
            "decoder.layers.0.encoder_attn.v_proj.weight": uniform(1 / 4),
        },
    ),
    (
        "subln",
        {f"layers.{n}.self_attn.v_proj.weight": (16, 16) for n in range(3)},
        {},
        {"layers.0.self_attn.v_proj.weight": uniform(1 / 4 * sqrt(log(6)))},
    ),
    (
        "mup",
        {
            "embed.weight": (9, 64),
            "hidden.weight": (64, 64),
            "hidden.bias": (64,),
            "input.weight": (64, 25),
            "input.bias": (64,),
            "readout.weight": (10, 64),
        },
        {"width": 64, "base_width": 16},
        {
            "embed.weight": normal(1.0),
            "hidden.weight": uniform(1 / 8),
            "hidden.bias": uniform(1 / 8 * 2),
            "input.bias": uniform(1 / 5),
            "readout.weight": uniform(1 / 8 * 2),
        },
    ),
    (
        "siren",
        {"net.0.0.weight": (64, 2), "net.0.0.bias": (64,), "net.1.0.weight": (64, 64)},
        {},
        {
            "net.0.0.weight": uniform(1 / 2),
            "net.0.0.bias": uniform(1 / sqrt(2)),
            "net.1.0.weight": uniform(sqrt(6 / 64) / 30),
        },
    ),
    (
        "keras-default",
        {
            "dense.kernel": (12, 20),
            "conv2d.kernel": (3, 3, 4, 8),
            "attention.query.kernel": (16, 4, 8),
            "attention.attention_output.kernel": (4, 8, 16),
            "embedding.embeddings": (9, 4),
            "lstm.lstm_cell.recurrent_kernel": (8, 32),
            "lstm.lstm_cell.bias": (32,),
            "batch_normalization.moving_variance": (8,),
            "batch_normalization.beta": (8,),
        },
        {},
        {
            "dense.kernel": uniform(sqrt(6 / 32)),
            "conv2d.kernel": uniform(sqrt(6 / (9 * 12))),
            "attention.query.kernel": uniform(sqrt(6 / (16 + 4 * 8))),
            "attention.attention_output.kernel": uniform(sqrt(6 / (4 * 8 + 16))),
            "embedding.embeddings": uniform(0.05),
            "lstm.lstm_cell.recurrent_kernel": {None: ("orthogonal", 1.0)},
            "lstm.lstm_cell.bias": {None: ("constant", 0.0), ((8, 16),): ("constant", 1.0)},
            "batch_normalization.moving_variance": ONE,
            "batch_normalization.beta": ZERO,
        },
    ),
    (
        "flax-default",
        {
            "Dense_0.kernel": (16, 20),
            "Conv_0.kernel": (3, 3, 4, 8),
            "attention.query.kernel": (16, 4, 8),
            "attention.out.kernel": (4, 8, 16),
            "Embed_0.embedding": (9, 4),
            "cell.hi.kernel": (8, 8),
            "cell.ii.kernel": (16, 8),
            "BatchNorm_0.var": (8,),
            "BatchNorm_0.scale": (8,),
        },
        {},
        {
            "Dense_0.kernel": cut(1 / 4 / 0.87962566103423978, 1 / 2 / 0.87962566103423978),
            "Conv_0.kernel": cut(1 / 6 / 0.87962566103423978, 1 / 3 / 0.87962566103423978),
            "attention.query.kernel": cut(1 / 4 / 0.87962566103423978, 1 / 2 / 0.87962566103423978),
            "attention.out.kernel": cut(1 / sqrt(32) / 0.87962566103423978, 2 / sqrt(32) / 0.87962566103423978),
            "Embed_0.embedding": normal(1 / 2),
            "cell.hi.kernel": {None: ("orthogonal", 1.0)},
            "cell.ii.kernel": cut(1 / 4 / 0.87962566103423978, 1 / 2 / 0.87962566103423978),
            "BatchNorm_0.var": ONE,
        },
    ),
]
# What is there in some models only: masks of older checkpoints, biases of variants, states that are no weights
HAND += [
    ("torch-default", {"emb.weight": (9, 4)}, {"pad": 2}, {"emb.weight": normal(1.0)}),
    *(
        (name, {"h.0.attn.bias": (1, 1, 8, 8), "h.0.attn.c_attn.bias": (24,)}, {}, {"h.0.attn.bias": COMPUTED})
        for name in ("gpt2-openai", "gpt2-hf", "nanogpt")
    ),
    (
        "bert-google",
        {
            "bert/embeddings/word_embeddings": (9, 8),
            "bert/pooler/dense/kernel": (8, 8),
            "cls/predictions/output_bias": (9,),
        },
        {"std": 0.1},
        {
            "bert/embeddings/word_embeddings": cut(0.1, 0.2),
            "bert/pooler/dense/kernel": cut(0.1, 0.2),
            "cls/predictions/output_bias": ZERO,
        },
    ),
    (
        "t5-hf",
        {"shared.weight": (9, 8), "qa_outputs.weight": (2, 8), "qa_outputs.bias": (2,)},
        {"factor": 0.5},
        {"shared.weight": normal(0.5), "qa_outputs.weight": normal(0.5 / sqrt(8)), "qa_outputs.bias": ZERO},
    ),
    (
        "llama-torchtitan",
        {"tok_embeddings.weight": (9, 4), "layers.0.attention.wo.bias": (4,), "rotary.inv_freq": (2,)},
        {"tied": 1},
        {
            "tok_embeddings.weight": cut(1 / 2, 3 / 2),
            "layers.0.attention.wo.bias": ZERO,
            "rotary.inv_freq": COMPUTED,
        },
    ),
    ("olmo2", {"blocks.0.attention.w_q.bias": (8,)}, {}, {"blocks.0.attention.w_q.bias": ZERO}),
    (
        "megatron",
        {"decoder.layers.0.mlp.linear_fc1._extra_state": (0,), "decoder.layers.0.mlp.router.expert_bias": (4,)},
        {},
        {
            "decoder.layers.0.mlp.linear_fc1._extra_state": COMPUTED,
            "decoder.layers.0.mlp.router.expert_bias": ZERO,
        },
    ),
    (
        "gpt-neox",
        {
            "gpt_neox.layers.0.attention.bias": (1, 1, 8, 8),
            "gpt_neox.layers.0.attention.dense.bias": (8,),
            "sequential.2.attention.rotary_emb.inv_freq": (2,),
        },
        {},
        {
            "gpt_neox.layers.0.attention.bias": COMPUTED,
            "gpt_neox.layers.0.attention.dense.bias": ZERO,
            "sequential.2.attention.rotary_emb.inv_freq": COMPUTED,
        },
    ),
    ("gemma-hf", {"model.layers.0.self_attn.q_proj.bias": (8,)}, {}, {"model.layers.0.self_attn.q_proj.bias": ZERO}),
    ("vit-hf", {"vit.embeddings.mask_token": (1, 1, 8)}, {}, {"vit.embeddings.mask_token": ZERO}),
    (
        "t-fixup",
        {
            "encoder.layers.0.self_attn.bias_k": (1, 1, 16),
            "decoder.layers.0.self_attn.bias_v": (1, 1, 16),
            "decoder.layers.1.fc1.weight": (64, 16),
            "decoder.embed_tokens.weight": (9, 16),
            "decoder.embed_positions.weight": (9, 16),
            "decoder.embed_out": (9, 16),
            "decoder.project_in_dim.weight": (16, 8),
            "decoder.embed_positions._float_tensor": (1,),
            "decoder.version": (1,),
        },
        {"shared": 1, "pad": 3},
        {
            "encoder.layers.0.self_attn.bias_k": normal(1 / 4),
            "decoder.embed_tokens.weight": row_zero(normal(1 / 4 * 9**-0.25), 3, 16),
            "decoder.embed_positions.weight": row_zero(normal(1 / 4), 3, 16),
            "decoder.embed_out": normal(1 / 4),
            "decoder.project_in_dim.weight": uniform(sqrt(6 / 24)),
            "decoder.embed_positions._float_tensor": COMPUTED,
            "decoder.version": constant(3.0),
        },
    ),
    *(
        (name, {"embed_positions.weight": (9, 16), "embed_tokens.weight": (9, 16)}, {}, expected)
        for name in ("deepnorm", "subln")
        for expected in [{"embed_positions.weight": normal(1.0), "embed_tokens.weight": normal(1 / 4)}]
    ),
    (
        "mup",
        {"readout.weight": (9, 8), "readout.bias": (9,)},
        {"zero_readout": 1},
        {"readout.weight": ZERO, "readout.bias": ZERO},
    ),
    (
        "keras-default",
        {"dropout.seed_generator.seed_generator_state": (2,)},
        {},
        {"dropout.seed_generator.seed_generator_state": COMPUTED},
    ),
    (
        "flax-default",
        {
            "PReLU_0.negative_slope": (),
            "Dense_0.bias": (8,),
            "BatchNorm_0.mean": (8,),
            "dropout.rngs.default.key": (2,),
        },
        {},
        {
            "PReLU_0.negative_slope": constant(0.01),
            "Dense_0.bias": ZERO,
            "BatchNorm_0.mean": ZERO,
            "dropout.rngs.default.key": COMPUTED,
        },
    ),
]
OURS = [name for name in WANTED if name != "default"]


def tensors(shapes):
    """A built-in model's, or arrays of these shapes."""
    if isinstance(shapes, str):
        return parse_header(models.builtin_header(shapes), shapes)
    return {name: np.empty(shape, "float32") for name, shape in shapes.items()}


def test_all_are_there():
    assert sorted(WANTED) == recipes.names()


@pytest.mark.parametrize("name", OURS)
def test_a_file_says_whose_initialization_it_is(name):
    rules = recipes.load(name)
    assert rules.name == name
    assert 20 < len(rules.about) < 350
    assert rules.source.startswith("https://")
    assert re.search(r"\d", rules.version)
    assert rules.version.split(",")[0] in rules.source or rules.version in ("2.13.0", "1.0.0, at 1981497")
    assert set(rules.fits) <= set(models.builtin_names())


@pytest.mark.parametrize("name", OURS)
def test_a_file_is_text_and_back(name):
    rules = recipes.load(name)
    assert recipes.Rules.from_toml(rules.to_toml()) == rules
    assert recipes.Rules.from_json(rules.to_json()) == rules


@pytest.mark.parametrize(
    ("name", "model"), [(name, model) for name in recipes.names() for model in recipes.load(name).fits]
)
def test_what_fits_is_taken_whole(name, model):
    parameters = tensors(model)
    plan = recipes.load(name).plan(parameters)
    assert list(plan.recipe) == [parameter.name for parameter in parameters]
    assert None not in plan.rows.values()
    assert plan.warnings == ()
    assert plan.recipe.names("computed", "untouched") == ()


def test_every_builtin_model_has_a_recipe():
    assert {model for name in OURS for model in recipes.load(name).fits} == set(models.builtin_names())


@pytest.mark.parametrize(
    ("name", "shapes", "variables", "expected"), HAND, ids=lambda value: value if isinstance(value, str) else ""
)
def test_laws_by_hand(name, shapes, variables, expected):
    made = recipes.load(name).recipe(tensors(shapes), variables)
    found = {tensor: law(made[tensor]) for tensor in expected}
    assert {tensor: laws for tensor, laws in found.items() if not agree(laws, expected[tensor])} == {}


def test_every_recipe_has_laws_by_hand():
    assert {case[0] for case in HAND} == set(OURS)


@pytest.mark.parametrize(
    ("name", "shapes", "variables", "text"),
    [
        ("mup", {"readout.weight": (3, 8)}, {}, "width"),
        ("mup", {"readout.weight": (3, 8)}, {"width": 8}, "base_width"),
        ("t5-hf", {"x.SelfAttention.q.weight": (8, 8)}, {}, "heads"),
        ("gpt2-hf", {"c_proj.weight": (8, 8)}, {}, "layers"),
        ("torch-default", {"rnn.weight_ih_l0": (8, 8)}, {}, "gates"),
        ("bert-hf", {"word_embeddings.weight": (4, 8)}, {"pad": 9}, "9"),
        ("whisper-hf", {"model.decoder.embed_tokens.weight": (9, 8)}, {}, "50256"),
        ("siren", {"net.weight": (8, 8)}, {}, "n0"),
        ("siren", {"net.0.bias": (8,)}, {}, "weight"),
        ("dit", {"something.new": (8, 8)}, {}, "something.new"),
        ("vgg-torchvision", {"rnn.weight_hh_l0": (8, 8), "alpha": (1,)}, {}, "alpha"),
        ("resnet-torchvision", {"fc.weight": (3, 8)}, {"zero_init": 1}, "zero_init"),
    ],
)
def test_what_a_recipe_does_not_know_is_said(name, shapes, variables, text):
    with pytest.raises(InvalidValueError, match=re.escape(text)):
        recipes.load(name).recipe(tensors(shapes), variables)


# ---- docs ----


def test_the_page_has_a_row_for_each():
    """``python tests/recipes/test_library.py`` writes it."""
    assert page_table() in DOCS.read_text("utf-8")


def page_table():
    rows = ["| name | version | what it is | fits | unverified, or not in it |", "|---|---|---|---|---|"]
    for name in OURS:
        rules = recipes.load(name)
        link = rules.source.split(",")[0].split(" ")[0].rstrip(";,")
        variables = "".join(f" `{one.name}`" for one in rules.variables if one.default is not None)
        about = rules.about + (f". Settable:{variables}" if variables else "")
        cells = [f"[`{name}`]({link})", rules.version, about, " ".join(rules.fits), " ".join(rules.unverified)]
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)


if __name__ == "__main__":
    text = DOCS.read_text("utf-8")
    begin = text.index("| name |")
    end = text.index("\n\n", begin)
    DOCS.write_text(text[:begin] + page_table() + text[end:], "utf-8")
