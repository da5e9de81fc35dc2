"""The facts of a result, as a table and as JSON."""

import json
import sys
from pathlib import Path

import numpy as np

from numbainit import __version__
from numbainit.command.moments import Moments
from numbainit.command.report import Result, show


def _result(path="model.safetensors"):
    result = Result(Path(path), seed=2**64 - 1, dtype="f32", init="normal", seconds=2.0)
    for law, array, ends in [
        ("ones()", np.ones(2, "float32"), False),
        ("ones()", np.ones(1, "float32"), True),
        ("ones()", np.ones((), "float32"), True),
        ("normal(std=0.02)", np.empty((0, 4), "float32"), True),
    ]:
        moments = Moments()
        moments.add(array)
        result.add(law, array.size, array.nbytes, moments, ends=ends)
    return result


def test_facts_as_json():
    facts = json.loads(json.dumps(_result().as_json(), allow_nan=False))
    assert facts["seed"] == 2**64 - 1
    assert (facts["parameters"], facts["elements"], facts["bytes"]) == (3, 4, 16)
    assert facts["gb_per_second"] == 8e-9
    assert (facts["stream"], facts["version"]) == ("v1", __version__)
    assert facts["laws"] == [
        {"law": "ones()", "tensors": 2, "elements": 4, "mean": 1.0, "std": 0.0},
        {"law": "normal(std=0.02)", "tensors": 1, "elements": 0, "mean": None, "std": None},
    ]


def test_the_table_shows_the_facts_and_takes_paths_literally(capsys):
    path = "a folder [red]/" + "long/" * 30 + ":smile:.safetensors"
    show(_result(path), sys.stdout, as_json=False)
    text = capsys.readouterr().out
    assert f"wrote {path}\n" in text  # in one line, without markup
    for fact in ("18446744073709551615", "ones()", "normal(std=0.02)", "GB/s", "parameters"):
        assert fact in text
    assert "\x1b" not in text
