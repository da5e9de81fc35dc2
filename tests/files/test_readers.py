"""Those who read checkpoints: transformers, and torch's distributed checkpoints in several processes."""

import json

import ml_dtypes
import numpy as np
import pytest

from numbainit.command import cli
from numbainit.generator import Generator
from numbainit.init import normal_

pytestmark = pytest.mark.full

SHAPES = {
    "embed.weight": {"dtype": "F32", "shape": [1001, 64]},
    "layers.0.weight": {"dtype": "BF16", "shape": [7, 33]},
    "layers.0.bias": {"dtype": "F32", "shape": [33]},
    "few.weight": {"dtype": "F32", "shape": [2, 5]},
    "scale": {"dtype": "F32", "shape": []},
}


def _header(tensors):
    return {name: {"dtype": "F32", "shape": list(tensor.shape)} for name, tensor in tensors}


def run(*words):
    assert cli.main([str(word) for word in words]) == 0


@pytest.mark.parametrize("cut", [("--world", 4), ("--world", 3), ("--shard-size", "100KB")])
def test_torch_loads_the_shards_in_another_number_of_processes(tmp_path, cut):
    """Cut along the last axis by three processes: from rows of four ranks, of three, and from whole tensors."""
    pytest.importorskip("torch", reason="torch is not installed")
    import torch_checkpoints

    import torch_ranks

    shapes = tmp_path / "shapes.json"
    shapes.write_text(json.dumps(SHAPES))
    common = ("--seed", 7, "--dtype", "keep", "--std", 0.5)
    run("init", shapes, "-o", tmp_path / "whole.npz", "--seed", 7, "--std", 0.5)
    run("init", shapes, "-o", tmp_path / "d", *common, *cut)
    wanted = dict(np.load(tmp_path / "whole.npz"))
    for found in torch_ranks.run(3, torch_checkpoints.loaded, str(tmp_path / "d"), SHAPES):
        assert found.keys() == wanted.keys()
        for name, array in wanted.items():
            if SHAPES[name]["dtype"] == "BF16":
                array = array.astype(ml_dtypes.bfloat16).astype("float32")
            np.testing.assert_array_equal(found[name], array)


def test_transformers_loads_the_shards(tmp_path):
    """A small Llama: every parameter is the one of the file, none is missing, unexpected or new."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    torch = pytest.importorskip("torch", reason="torch is not installed")
    config = transformers.LlamaConfig(
        hidden_size=64, intermediate_size=160, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
        vocab_size=500, tie_word_embeddings=False,
    )  # fmt: skip
    with torch.device("meta"):
        model = transformers.LlamaForCausalLM(config)
    shapes = tmp_path / "shapes.json"
    shapes.write_text(json.dumps(_header(model.named_parameters())))
    folder = tmp_path / "d"
    run("init", shapes, "-o", folder, "--seed", 7, "--shard-size", "200KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 2
    config.save_pretrained(folder)
    loaded, report = transformers.LlamaForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    for name, parameter in loaded.named_parameters():
        array = parameter.detach().numpy()
        if array.ndim == 1:
            assert (array == 1).all()
        else:
            wanted = normal_(np.empty(array.shape, "f4"), std=0.02, generator=Generator(7).fold_in(name))
            np.testing.assert_array_equal(array, wanted)


def test_transformers_writes_the_same_index(tmp_path):
    """But for the order of a model's tensors, which is that of SHAPES here."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    torch = pytest.importorskip("torch", reason="torch is not installed")
    config = transformers.GPT2Config(n_embd=32, n_layer=2, n_head=2, vocab_size=300, n_positions=40)
    config.tie_word_embeddings = False
    with torch.device("meta"):
        model = transformers.GPT2LMHeadModel(config)
    shapes, folder = tmp_path / "shapes.json", tmp_path / "d"
    shapes.write_text(json.dumps(_header(model.state_dict().items())))
    run("init", shapes, "-o", folder, "--seed", 7, "--shard-size", "50KB")
    config.save_pretrained(folder)
    loaded = transformers.GPT2LMHeadModel.from_pretrained(folder)
    loaded.save_pretrained(tmp_path / "theirs", max_shard_size="50KB")
    ours, theirs = ((where / "model.safetensors.index.json").read_text() for where in (folder, tmp_path / "theirs"))
    facts, their_facts = json.loads(ours), json.loads(theirs)
    assert facts["metadata"] == their_facts["metadata"]
    assert facts["weight_map"].keys() == their_facts["weight_map"].keys()
    assert [json.dumps(one, indent=2, sort_keys=True) + "\n" for one in (facts, their_facts)] == [ours, theirs]
