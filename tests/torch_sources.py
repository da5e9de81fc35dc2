"""Code that only a repository has → small torch models with its names, initialised step by step as that code does.

Written anew from what the sources say; each is named in the recipe of that name. Models do not run: they have weights.
"""

import math

import numpy as np
import torch

nn = torch.nn
init = nn.init


def _named(**modules):
    return nn.ModuleDict(modules)


def _parameter(*shape):
    return nn.Parameter(torch.empty(*shape))


# Torch7's layers: names as torchvision's, since Lua modules have none


def _lua_linear(layer):
    bound = 1 / math.sqrt(layer.weight.size(1))
    init.uniform_(layer.weight, -bound, bound)
    init.zeros_(layer.bias)


def _lua(planes, norm):
    """``planes(kernel height * width, inputs, outputs)``: what a convolution's variance is two over."""

    def make():
        model = _named(
            conv1=nn.Conv2d(3, 16, 7, bias=False),
            bn1=nn.BatchNorm2d(16),
            conv2=nn.Conv2d(16, 32, 3, groups=4, bias=False),
            bn2=nn.BatchNorm2d(32),
            fc=nn.Linear(32, 20),
        )
        for layer in (model["conv1"], model["conv2"]):
            outputs, inputs, height, width = layer.weight.shape
            init.normal_(layer.weight, 0, math.sqrt(2 / planes(height * width, inputs, outputs)))
        for layer in (model["bn1"], model["bn2"]):
            norm(layer.weight)
            init.zeros_(layer.bias)
        _lua_linear(model["fc"])
        return model

    return make


def resnext_pytorch():
    model = _named(
        conv_1_3x3=nn.Conv2d(3, 16, 3, bias=False),
        bn_1=nn.BatchNorm2d(16),
        stage_1=_named(conv_conv=nn.Conv2d(16, 32, 3, groups=4, bias=False), bn=nn.BatchNorm2d(32)),
        classifier=nn.Linear(32, 20),
    )
    init.kaiming_normal_(model["classifier"].weight)
    for name, tensor in model.state_dict().items():
        if name.endswith(".weight") and "conv" in name:
            init.kaiming_normal_(tensor, mode="fan_out")
        elif name.endswith(".weight") and "bn" in name:
            init.ones_(tensor)
        elif name.endswith(".bias"):
            init.zeros_(tensor)
    return model


# Language models


class Norm(nn.Module):
    def __init__(self, width, bias=True):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        if bias:
            self.bias = nn.Parameter(torch.zeros(width))


def _gpt(linear, width=32, layers=3, words=96, places=24):
    block = lambda: _named(  # noqa: E731
        ln_1=Norm(width),
        attn=_named(c_attn=linear(width, 3 * width), c_proj=linear(width, width)),
        ln_2=Norm(width),
        mlp=_named(c_fc=linear(width, 4 * width), c_proj=linear(4 * width, width)),
    )
    return _named(
        transformer=_named(
            wte=nn.Embedding(words, width),
            wpe=nn.Embedding(places, width),
            h=nn.ModuleList(block() for _ in range(layers)),
            ln_f=Norm(width),
        )
    )


class Conv1D(nn.Module):
    """(in, out), as TensorFlow's."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight, self.bias = _parameter(inputs, outputs), _parameter(outputs)
        init.normal_(self.weight, std=0.02)
        init.zeros_(self.bias)


def gpt2_openai():
    model = _gpt(Conv1D)
    init.normal_(model["transformer"]["wpe"].weight, std=0.01)
    init.normal_(model["transformer"]["wte"].weight, std=0.02)
    return model


def nanogpt():
    layers = 3
    model = _gpt(nn.Linear, layers=layers)
    for module in model.modules():
        if isinstance(module, nn.Linear):
            init.normal_(module.weight, mean=0.0, std=0.02)
            init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            init.normal_(module.weight, mean=0.0, std=0.02)
    for name, parameter in model.named_parameters():
        if name.endswith("c_proj.weight"):
            init.normal_(parameter, mean=0.0, std=0.02 / math.sqrt(2 * layers))
    return model


def bert_google():
    """Names as transformers'; tf.truncated_normal cuts at two standard deviations."""
    width = 32

    def dense(inputs, outputs):
        layer = nn.Linear(inputs, outputs)
        init.trunc_normal_(layer.weight, std=0.02, a=-0.04, b=0.04)
        init.zeros_(layer.bias)
        return layer

    def table(rows):
        layer = nn.Embedding(rows, width)
        init.trunc_normal_(layer.weight, std=0.02, a=-0.04, b=0.04)
        return layer

    return _named(
        embeddings=_named(
            word_embeddings=table(96),
            position_embeddings=table(24),
            token_type_embeddings=table(2),
            LayerNorm=Norm(width),
        ),
        layer=nn.ModuleList(
            _named(
                query=dense(width, width),
                intermediate=_named(dense=dense(width, 64)),
                output=_named(dense=dense(64, width), LayerNorm=Norm(width)),
            )
            for _ in range(2)
        ),
        seq_relationship=dense(width, 2),
    )


def _truncated(weight, std, sigmas=None):
    """torch's trunc_normal_, whose default bounds are an absolute 2."""
    bound = 2.0 if sigmas is None else sigmas * std
    init.trunc_normal_(weight, mean=0.0, std=std, a=-bound, b=bound)


def _plain(inputs, outputs):
    return nn.Linear(inputs, outputs, bias=False)


def llama_torchtitan(tied=False):
    width, inner, layers, words = 32, 64, 3, 96
    model = _named(
        tok_embeddings=nn.Embedding(words, width),
        layers=nn.ModuleList(
            _named(
                attention=_named(
                    qkv_linear=_named(wq=_plain(width, width), wk=_plain(width, 16), wv=_plain(width, 16)),
                    wo=_plain(width, width),
                ),
                feed_forward=_named(w1=_plain(width, inner), w2=_plain(inner, width), w3=_plain(width, inner)),
                attention_norm=Norm(width, bias=False),
                ffn_norm=Norm(width, bias=False),
            )
            for _ in range(layers)
        ),
        norm=Norm(width, bias=False),
    )
    if tied:
        _truncated(model["tok_embeddings"].weight, width**-0.5, 3)
    else:
        model["lm_head"] = _plain(width, words)
        _truncated(model["lm_head"].weight, width**-0.5, 3)
        init.normal_(model["tok_embeddings"].weight, std=1.0)
    for index, layer in enumerate(model["layers"]):
        by_depth = 0.02 / (2 * (index + 1)) ** 0.5
        for linear in layer["attention"]["qkv_linear"].values():
            _truncated(linear.weight, 0.02)
        _truncated(layer["attention"]["wo"].weight, by_depth)
        _truncated(layer["feed_forward"]["w1"].weight, 0.02)
        _truncated(layer["feed_forward"]["w2"].weight, by_depth)
        _truncated(layer["feed_forward"]["w3"].weight, by_depth)
    return model


def olmo_mitchell():
    width, inner, layers, words = 32, 48, 3, 96
    model = _named(
        transformer=_named(
            wte=nn.Embedding(words, width),
            blocks=nn.ModuleList(
                _named(
                    att_proj=nn.Linear(width, 3 * width),
                    attn_out=nn.Linear(width, width),
                    ff_proj=nn.Linear(width, 2 * inner),
                    ff_out=nn.Linear(inner, width),
                    attn_norm=Norm(width),
                )
                for _ in range(layers)
            ),
            ln_f=Norm(width),
            ff_out=nn.Linear(width, words),
        )
    )

    def fill(layer, std):
        _truncated(layer.weight, std, 3)
        if getattr(layer, "bias", None) is not None:
            init.zeros_(layer.bias)

    transformer = model["transformer"]
    fill(transformer["wte"], 1 / math.sqrt(width))
    fill(transformer["ff_out"], 1 / math.sqrt(width))
    for index, block in enumerate(transformer["blocks"]):
        fill(block["attn_out"], 1 / math.sqrt(2 * width * (index + 1)))
        fill(block["ff_out"], 1 / math.sqrt(2 * inner * (index + 1)))
        fill(block["att_proj"], 1 / math.sqrt(width))
        fill(block["ff_proj"], 1 / math.sqrt(width))
    return model


def olmo2():
    width, inner, words = 32, 64, 96
    model = _named(
        embeddings=nn.Embedding(words, width),
        blocks=_named(
            **{
                str(index): _named(
                    attention=_named(
                        **{name: _plain(width, width) for name in ("w_q", "w_k", "w_v", "w_out")},
                        q_norm=Norm(width, bias=False),
                    ),
                    feed_forward=_named(w1=_plain(width, inner), w2=_plain(inner, width), w3=_plain(width, inner)),
                )
                for index in range(2)
            }
        ),
        lm_head=_named(norm=Norm(width, bias=False), w_out=_plain(width, words)),
    )
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Embedding)):
            _truncated(module.weight, 0.02, 3)
    return model


def megatron(embedding_std=0.02):
    width, inner, layers = 32, 64, 3

    def linear(inputs, outputs, std, draw_bias=False):
        layer = nn.Linear(inputs, outputs)
        init.normal_(layer.weight, mean=0.0, std=std)
        if draw_bias:
            init.normal_(layer.bias, mean=0.0, std=std)
        else:
            init.zeros_(layer.bias)
        return layer

    out = 0.02 / math.sqrt(2.0 * layers)
    model = _named(
        embedding=_named(word_embeddings=nn.Embedding(96, width), position_embeddings=nn.Embedding(24, width)),
        decoder=_named(
            layers=nn.ModuleList(
                _named(
                    input_layernorm=Norm(width),
                    self_attention=_named(
                        linear_proj=linear(width, width, out), linear_qkv=linear(width, 3 * width, 0.02)
                    ),
                    mlp=_named(
                        router=linear(width, 4, 0.02, draw_bias=True),
                        linear_fc1=linear(width, inner, 0.02),
                        linear_fc2=linear(inner, width, out),
                    ),
                )
                for _ in range(layers)
            ),
            final_layernorm=Norm(width),
        ),
        output_layer=linear(width, 96, 0.02),
    )
    for table in model["embedding"].values():
        init.normal_(table.weight, mean=0.0, std=embedding_std)
    return model


class Rotary(nn.Module):
    def __init__(self, dim, base=10000):
        super().__init__()
        self.register_buffer("inv_freq", 1.0 / (base ** (torch.arange(0, dim, 2).float() / dim)))


def gpt_neox():
    width, layers = 32, 3
    small, wang = math.sqrt(2 / (5 * width)), 2 / layers / math.sqrt(width)

    def linear(inputs, outputs, std):
        layer = nn.Linear(inputs, outputs)
        init.normal_(layer.weight, mean=0.0, std=std)
        init.zeros_(layer.bias)
        return layer

    sequential = nn.ModuleDict({"0": _named(word_embeddings=nn.Embedding(96, width))})
    for index in range(layers):
        sequential[str(index + 2)] = _named(
            input_layernorm=Norm(width),
            attention=_named(
                query_key_value=linear(width, 3 * width, small),
                rotary_emb=Rotary(width // 4),
                dense=linear(width, width, wang),
            ),
            mlp=_named(linear1=linear(width, 4 * width, small), linear2=linear(4 * width, width, wang)),
        )
    sequential[str(layers + 3)] = _named(norm=Norm(width))
    sequential[str(layers + 4)] = _named(final_linear=linear(width, 96, small))
    init.normal_(sequential["0"]["word_embeddings"].weight, mean=0.0, std=small)
    return _named(sequential=sequential)


class _Mixer(nn.Module):
    """Mamba: what no layer of torch holds is set here."""

    def __init__(self, width, inner, state, rank):
        super().__init__()
        self.in_proj, self.conv1d = _plain(width, 2 * inner), nn.Conv1d(inner, inner, 4, groups=inner)
        self.x_proj, self.dt_proj = _plain(inner, rank + 2 * state), nn.Linear(rank, inner)
        init.uniform_(self.dt_proj.weight, -(rank**-0.5), rank**-0.5)
        steps = torch.exp(torch.rand(inner) * (math.log(0.1) - math.log(0.001)) + math.log(0.001)).clamp(min=1e-4)
        with torch.no_grad():
            self.dt_proj.bias.copy_(steps + torch.log(-torch.expm1(-steps)))
        self.A_log = nn.Parameter(torch.log(torch.arange(1, state + 1.0)).repeat(inner, 1))
        self.D = nn.Parameter(torch.ones(inner))
        self.out_proj = _plain(inner, width)


class _Mixer2(nn.Module):
    """Mamba 2."""

    def __init__(self, width, inner, state, heads):
        super().__init__()
        channels = inner + 2 * state
        self.in_proj, self.conv1d = (
            _plain(width, inner + channels + heads),
            nn.Conv1d(channels, channels, 4, groups=channels),
        )
        steps = torch.exp(torch.rand(heads) * (math.log(0.1) - math.log(0.001)) + math.log(0.001))
        steps = torch.clamp(steps, min=1e-4)
        self.dt_bias = nn.Parameter(steps + torch.log(-torch.expm1(-steps)))
        self.A_log = nn.Parameter(torch.log(torch.empty(heads).uniform_(1, 16)))
        self.D, self.norm = nn.Parameter(torch.ones(heads)), Norm(inner, bias=False)
        self.out_proj = _plain(inner, width)


def mamba_ssm(mixer=lambda: _Mixer(32, 64, 8, 4)):
    width, layers = 32, 3
    model = _named(
        backbone=_named(
            embedding=nn.Embedding(96, width),
            layers=nn.ModuleList(_named(norm=Norm(width), mixer=mixer()) for _ in range(layers)),
            norm_f=Norm(width),
        )
    )
    init.normal_(model["backbone"]["embedding"].weight, std=0.02)
    for layer in model["backbone"]["layers"]:
        weight = layer["mixer"].out_proj.weight
        init.kaiming_uniform_(weight, a=math.sqrt(5))
        with torch.no_grad():
            weight /= math.sqrt(layers)
    return model


# Images


class _Visual(nn.Module):
    def __init__(self, width, layers):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 8, bias=False)
        self.class_embedding = nn.Parameter(width**-0.5 * torch.randn(width))
        self.positional_embedding = nn.Parameter(width**-0.5 * torch.randn(17, width))
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.transformer = _residual(width, layers)
        self.proj = nn.Parameter(width**-0.5 * torch.randn(width, 24))


class _ResNetTower(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn3 = nn.Conv2d(3, 16, 3, bias=False), nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(_named(conv3=nn.Conv2d(16, 64, 1, bias=False), bn3=nn.BatchNorm2d(64)))
        projections = {f"{letter}_proj": nn.Linear(64, 64) for letter in "kqv"}
        self.attnpool = nn.Module()
        self.attnpool.positional_embedding = nn.Parameter(torch.randn(17, 64) / 64**0.5)
        for name, layer in {**projections, "c_proj": nn.Linear(64, 24)}.items():
            self.attnpool.add_module(name, layer)
            init.normal_(layer.weight, std=64**-0.5)
        init.zeros_(self.layer1[0]["bn3"].weight)


def _residual(width, layers):
    return _named(
        resblocks=nn.Sequential(
            *(
                _named(
                    attn=nn.MultiheadAttention(width, 2),
                    ln_1=nn.LayerNorm(width),
                    mlp=_named(c_fc=nn.Linear(width, 4 * width), c_proj=nn.Linear(4 * width, width)),
                )
                for _ in range(layers)
            )
        )
    )


class Clip(nn.Module):
    def __init__(self, resnet=False):
        super().__init__()
        width, layers = 32, 3
        self.visual = _ResNetTower() if resnet else _Visual(48, 2)
        self.transformer = _residual(width, layers)
        self.token_embedding, self.positional_embedding = nn.Embedding(96, width), _parameter(24, width)
        self.ln_final, self.text_projection = nn.LayerNorm(width), _parameter(width, 24)
        self.logit_scale = nn.Parameter(torch.ones([]) * math.log(1 / 0.07))
        init.normal_(self.token_embedding.weight, std=0.02)
        init.normal_(self.positional_embedding, std=0.01)
        for block in self.transformer["resblocks"]:
            init.normal_(block["attn"].in_proj_weight, std=width**-0.5)
            init.normal_(block["attn"].out_proj.weight, std=width**-0.5 * (2 * layers) ** -0.5)
            init.normal_(block["mlp"]["c_fc"].weight, std=(2 * width) ** -0.5)
            init.normal_(block["mlp"]["c_proj"].weight, std=width**-0.5 * (2 * layers) ** -0.5)
        init.normal_(self.text_projection, std=width**-0.5)


def _places(width, side):
    """Sines and cosines of columns, then of rows, in float64, by their definition."""
    table = np.empty((side, side, width))
    for row, column, channel in np.ndindex(table.shape):
        quarter, place = divmod(channel, width // 4)
        angle = (column, column, row, row)[quarter] * (1 / 10000 ** (place / (width // 4)))
        table[row, column, channel] = (math.sin, math.cos)[quarter % 2](angle)
    return table.reshape(1, side * side, width)


class Dit(nn.Module):
    def __init__(self):
        super().__init__()
        width = 32
        self.pos_embed = nn.Parameter(torch.zeros(1, 49, width), requires_grad=False)
        self.pos_embed.data.copy_(torch.from_numpy(_places(width, 7)))
        self.x_embedder = _named(proj=nn.Conv2d(4, width, 2))
        self.t_embedder = _named(mlp=nn.Sequential(nn.Linear(16, width), nn.SiLU(), nn.Linear(width, width)))
        self.y_embedder = _named(embedding_table=nn.Embedding(21, width))
        self.blocks = nn.ModuleList(
            _named(
                attn=_named(qkv=nn.Linear(width, 3 * width), proj=nn.Linear(width, width)),
                mlp=_named(fc1=nn.Linear(width, 64), fc2=nn.Linear(64, width)),
                adaLN_modulation=nn.Sequential(nn.SiLU(), nn.Linear(width, 6 * width)),
            )
            for _ in range(2)
        )
        self.final_layer = _named(
            linear=nn.Linear(width, 32), adaLN_modulation=nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))
        )
        for module in self.modules():
            if isinstance(module, nn.Linear):
                init.xavier_uniform_(module.weight)
                init.zeros_(module.bias)
        flat = self.x_embedder["proj"].weight.data
        init.xavier_uniform_(flat.view([flat.shape[0], -1]))
        init.zeros_(self.x_embedder["proj"].bias)
        for table in (self.y_embedder["embedding_table"], self.t_embedder["mlp"][0], self.t_embedder["mlp"][2]):
            init.normal_(table.weight, std=0.02)
        last = [self.final_layer["linear"], self.final_layer["adaLN_modulation"][-1]]
        for layer in [block["adaLN_modulation"][-1] for block in self.blocks] + last:
            init.zeros_(layer.weight)
            init.zeros_(layer.bias)


def unet():
    """Of each kind of block one."""

    def zero(layer):
        for parameter in layer.parameters():
            parameter.detach().zero_()
        return layer

    width = 32

    def residual(inputs):
        return _named(
            in_layers=nn.Sequential(nn.GroupNorm(8, inputs), nn.SiLU(), nn.Conv2d(inputs, width, 3)),
            emb_layers=nn.Sequential(nn.SiLU(), nn.Linear(4 * width, width)),
            out_layers=nn.Sequential(nn.GroupNorm(8, width), nn.SiLU(), nn.Dropout(), zero(nn.Conv2d(width, width, 3))),
            skip_connection=nn.Conv2d(inputs, width, 1),
        )

    attention = _named(
        norm=nn.GroupNorm(8, width), qkv=nn.Conv1d(width, 3 * width, 1), proj_out=zero(nn.Conv1d(width, width, 1))
    )
    return _named(
        time_embed=nn.Sequential(nn.Linear(width, 4 * width), nn.SiLU(), nn.Linear(4 * width, 4 * width)),
        label_emb=nn.Embedding(12, 4 * width),
        input_blocks=nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(3, width, 3)),
                nn.Sequential(residual(width), attention),
                _named(op=nn.Conv2d(width, width, 3)),
            ]
        ),
        output_blocks=nn.ModuleList([nn.Sequential(residual(2 * width))]),
        out=nn.Sequential(nn.GroupNorm(8, width), nn.SiLU(), zero(nn.Conv2d(width, 6, 3))),
    )


class _FixupBlock(nn.Module):
    def __init__(self, inputs, planes, bottleneck):
        super().__init__()
        sizes = [1, 3, 1] if bottleneck else [3, 3]
        outputs = 4 * planes if bottleneck else planes
        widths = [inputs] + [planes] * (len(sizes) - 1) + [outputs]
        for index, size in enumerate(sizes):
            self.register_parameter(f"bias{index + 1}a", nn.Parameter(torch.zeros(1)))
            self.register_parameter(f"bias{index + 1}b", nn.Parameter(torch.zeros(1)))
            self.add_module(f"conv{index + 1}", nn.Conv2d(widths[index], widths[index + 1], size, bias=False))
        self.scale = nn.Parameter(torch.ones(1))
        self.downsample = nn.Conv2d(inputs, outputs, 1, bias=False) if inputs != outputs else None


def fixup(bottleneck):
    def make():
        model = nn.Module()
        model.conv1 = nn.Conv2d(3, 16, 7, bias=False)
        model.bias1, model.bias2 = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
        blocks, inputs = [], 16
        for stage, count in enumerate([2, 3]):
            planes = 16 * 2**stage
            layer = nn.Sequential()
            for _ in range(count):
                layer.append(_FixupBlock(inputs, planes, bottleneck))
                inputs = 4 * planes if bottleneck else planes
            model.add_module(f"layer{stage + 1}", layer)
            blocks += layer
        model.fc = nn.Linear(inputs, 20)
        init.zeros_(model.fc.weight)
        init.zeros_(model.fc.bias)
        he = lambda weight: math.sqrt(2 / (weight.shape[0] * weight.shape[2] * weight.shape[3]))  # noqa: E731
        for block in blocks:
            drawn, zero = ([block.conv1, block.conv2], block.conv3) if bottleneck else ([block.conv1], block.conv2)
            for conv in drawn:
                init.normal_(conv.weight, std=he(conv.weight) * len(blocks) ** (-0.25 if bottleneck else -0.5))
            init.zeros_(zero.weight)
            if block.downsample is not None:
                init.normal_(block.downsample.weight, std=he(block.downsample.weight))
        return model

    return make


# Depth


def _attention(width, base):
    """fairseq's, which sets its own projections, or torchscale's, which are torch's."""
    layers = {f"{name}_proj": nn.Linear(width, width) for name in ("k", "v", "q", "out")}
    if base == "xavier":
        for name in "kvq":
            init.xavier_uniform_(layers[f"{name}_proj"].weight, gain=1 / math.sqrt(2))
        init.xavier_uniform_(layers["out_proj"].weight)
        init.zeros_(layers["out_proj"].bias)
    return nn.ModuleDict(layers)


def _transformer_layer(width, inner, base, cross):
    feed = {"fc1": nn.Linear(width, inner), "fc2": nn.Linear(inner, width)}
    if base == "xavier":
        for linear in feed.values():
            init.xavier_uniform_(linear.weight)
            init.zeros_(linear.bias)
    layer = _named(self_attn=_attention(width, base), self_attn_layer_norm=nn.LayerNorm(width))
    if cross:
        layer["encoder_attn"] = _attention(width, base)
    layer.update(feed if base == "xavier" else {"ffn": nn.ModuleDict(feed)})
    return layer


def t_fixup():
    width, inner, depths = 32, 64, {"encoder": 3, "decoder": 2}
    model = nn.ModuleDict()
    for name, depth in depths.items():
        table = nn.Embedding(96, width, padding_idx=1)
        init.normal_(table.weight, mean=0, std=width**-0.5)
        init.zeros_(table.weight.data[1])
        with torch.no_grad():
            table.weight.mul_((9 * depth) ** -0.25)
        scale = 0.67 * depth**-0.25 if name == "encoder" else (9 * depth) ** -0.25
        layers = nn.ModuleList(_transformer_layer(width, inner, "xavier", name == "decoder") for _ in range(depth))
        scaled = ("fc1.weight", "fc2.weight", "out_proj.weight")
        for path, parameter in layers.named_parameters():
            with torch.no_grad():
                if path.endswith(scaled):
                    parameter.mul_(scale)
                elif path.endswith("v_proj.weight"):
                    parameter.mul_(scale * 2**0.5)
        model[name] = _named(embed_tokens=table, layers=layers)
    return model


def torchscale(method, encoder=3, decoder=2):
    """Both, or with a depth of 0 the other one alone, whose names then have no prefix."""
    width, inner = 32, 64
    both = encoder and decoder

    def stack(name, depth):
        layers = nn.ModuleList(
            _transformer_layer(width, inner, "torch", both and name == "decoder") for _ in range(depth)
        )
        for path, parameter in layers.named_parameters():
            if method == "subln" and "encoder_attn" in path:
                continue
            if any(part in path for part in ("fc1", "fc2", "out_proj", "v_proj")):
                factor = _depth_factor(method, name, depth, encoder, decoder)
                with torch.no_grad():
                    parameter.div_(factor) if method == "deepnorm" else parameter.mul_(factor)
        return _named(layers=layers, layer_norm=nn.LayerNorm(width))

    stacks = {name: stack(name, depth) for name, depth in (("encoder", encoder), ("decoder", decoder)) if depth}
    model = nn.ModuleDict(stacks) if both else next(iter(stacks.values()))
    model["output_projection"] = _plain(width, 96)
    init.normal_(model["output_projection"].weight, mean=0, std=width**-0.5)
    return model


def _depth_factor(method, name, depth, encoder, decoder):
    if not (encoder and decoder):
        return math.pow(8.0 * depth, 0.25) if method == "deepnorm" else math.sqrt(math.log(2 * depth))
    if method == "deepnorm":
        if name == "encoder":
            return math.pow(math.pow(encoder, 4) * decoder, 0.0625) / 1.15
        return math.pow(12.0 * decoder, 0.25)
    if name == "encoder":
        return math.sqrt(math.log(3 * decoder) * math.log(2 * encoder) / 3)
    return math.sqrt(math.log(3 * decoder))


def siren():
    def layer(inputs, outputs, bound):
        linear = nn.Linear(inputs, outputs)
        with torch.no_grad():
            linear.weight.uniform_(-bound, bound)
        return nn.Sequential(linear)

    def bound(inputs):
        return math.sqrt(6 / inputs) / 30

    return _named(net=nn.Sequential(layer(2, 64, 1 / 2), layer(64, 64, bound(64)), layer(64, 3, bound(64))))


def mup(width=64, base_width=16):
    model = _named(
        embed=nn.Embedding(96, width),
        inputs=nn.Linear(10, width),
        hidden=nn.Linear(width, 2 * width),
        back=nn.Linear(2 * width, width),
        norm=nn.LayerNorm(width),
        readout=nn.Linear(width, 20),
    )
    factor = (width / base_width) ** 0.5
    with torch.no_grad():
        for name in ("hidden", "back"):
            model[name].bias.mul_(factor)
        for parameter in model["readout"].parameters():
            parameter.mul_(factor)
    return model


# Recipe → what makes a model, and the recipe's variables
SOURCES = {
    "resnext-lua": (_lua(lambda field, inputs, outputs: field * outputs, init.ones_), {}),
    "densenet-lua": (_lua(lambda field, inputs, outputs: field * outputs, init.ones_), {}),
    "wide-resnet-lua": (_lua(lambda field, inputs, outputs: field * inputs, init.uniform_), {}),
    "wide-resnet-lua, unit norms": (_lua(lambda field, inputs, outputs: field * inputs, init.ones_), {"unit_norms": 1}),
    "resnext-pytorch": (resnext_pytorch, {}),
    "gpt2-openai": (gpt2_openai, {}),
    "nanogpt": (nanogpt, {}),
    "bert-google": (bert_google, {}),
    "llama-torchtitan": (llama_torchtitan, {}),
    "llama-torchtitan, tied": (lambda: llama_torchtitan(tied=True), {"tied": 1}),
    "olmo-mitchell": (olmo_mitchell, {}),
    "olmo2": (olmo2, {}),
    "megatron": (megatron, {}),
    "megatron, wide embedding": (lambda: megatron(1.0), {"embedding_std": 1.0}),
    "gpt-neox": (gpt_neox, {}),
    "mamba-ssm": (mamba_ssm, {}),
    "mamba-ssm, 2": (lambda: mamba_ssm(lambda: _Mixer2(32, 64, 8, 32)), {}),
    "clip-openai": (Clip, {}),
    "clip-openai, ResNet": (lambda: Clip(resnet=True), {}),
    "dit": (Dit, {}),
    "unet-guided-diffusion": (unet, {}),
    "fixup": (fixup(bottleneck=True), {}),
    "fixup, basic": (fixup(bottleneck=False), {}),
    "t-fixup": (t_fixup, {}),
    "deepnorm": (lambda: torchscale("deepnorm"), {}),
    "deepnorm, decoder": (lambda: torchscale("deepnorm", encoder=0), {}),
    "subln": (lambda: torchscale("subln"), {}),
    "subln, encoder": (lambda: torchscale("subln", decoder=0), {}),
    "siren": (siren, {}),
    "mup": (mup, {"width": 64, "base_width": 16}),
}
