"""``numbainit bench --device cuda`` without a GPU → what it checks, prints and refuses, with the CPU in its place."""

import contextlib
import importlib.util
import json
from types import SimpleNamespace

import numpy as np
import pytest

import numbainit as init
from numbainit.command.cli import main
from numbainit.measure import device


@pytest.fixture
def target(monkeypatch):
    """A target whose device is the host."""
    fake = SimpleNamespace(
        check_device=lambda place: None,
        on=lambda place: contextlib.nullcontext(),
        synchronize=lambda: None,
        memset=lambda array: array.fill(0),
        host=np.array,
        facts=lambda place: {"device": "Card 3000", "driver": "13.0", "cuda": "13.0"},
        empty=lambda shape, dtype, place: np.empty(shape, dtype),
        device_seconds=lambda call: call() is None or 0.5,
    )
    monkeypatch.setattr(device, "cuda", lambda: SimpleNamespace(driver=fake))
    monkeypatch.setattr(device, "_clock", lambda: fake)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(device, "_CHECKED", 1003)
    monkeypatch.setattr(device, "_CALLS", 2)
    return fake


def test_json_has_the_checked_bits_and_all_rows(target, capsys):
    assert main(["bench", "--device", "cuda", "--size", "2^10", "--rounds", "1", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["device"] == "Card 3000"
    assert len(facts["bits"]) == len(facts["rows"]) == 3 * len(device.LAWS)
    assert facts["small"].keys() == device.LAWS.keys()
    for row in facts["rows"]:
        assert row["seconds"].keys() == {"fill", "numbainit"}


def test_table(target, capsys):
    assert main(["bench", "--device", "cuda:1", "--size", "1000", "--rounds", "2", "--dtype", "f32"]) == 0
    text = capsys.readouterr().out
    assert "Card 3000, driver for CUDA 13.0, CUDA 13.0" in text
    assert "the CPU's bits, on 1,003 elements: uniform float32, normal float32" in text
    assert "1,000 elements, median of 2 rounds" in text


def test_a_bit_that_differs_stops_it(target, capsys, monkeypatch):
    def wrong(array):
        array = np.array(array)
        array[17] = -array[17]
        return array

    monkeypatch.setattr(target, "host", wrong)
    with pytest.raises(init.DeviceError, match=r"uniform float32: 1 of 1003 values differ .* element 17"):
        device.check("uniform", np.dtype("float32"), 0)
    assert main(["bench", "--device", "cuda"]) == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--device", "gpu"], "device must be None, 'cpu', 'cuda' or 'cuda:<number>', got 'gpu'"),
        (["--device", "cuda", "--threads", "2"], "got --threads with --device cuda; leave out one of the two"),
        (["--device", "cuda", "--size", "x"], "got --size x"),
        (["--dtype", "bf16"], "got --dtype bf16 without --device cuda; wanted f32, f64 or both"),
    ],
)
def test_wrong_words(capsys, words, message):
    assert main(["bench", *words]) == 2
    assert message in capsys.readouterr().err
