"""Moments against NumPy's in extended precision, and the facts of a result."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from numbainit import __version__
from numbainit.command.report import Moments, Result, print_table


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
@pytest.mark.parametrize("sizes", [(1,), (5, 0, 7), (100_000, 3), (65_536, 65_537)])
def test_moments_are_those_of_all_elements(dtype, sizes):
    rng = np.random.default_rng(0)
    arrays = [(rng.normal(1000, 3, size)).astype(dtype) for size in sizes]
    moments = Moments()
    for array in arrays:
        moments.add(array)
    everything = np.concatenate(arrays).astype("longdouble")
    assert moments.count == everything.size
    assert moments.mean == pytest.approx(float(everything.mean()), rel=1e-14)
    assert moments.std == pytest.approx(float(everything.std()), rel=1e-11, abs=1e-13)


def test_moments_of_constants_are_exact():
    moments = Moments()
    moments.add(np.full((300, 300), 0.1, "float32"))
    assert (moments.mean, moments.std) == (
        pytest.approx(float(np.float32(0.1)), rel=1e-15),
        pytest.approx(0, abs=1e-15),
    )


def test_moments_of_a_scalar_and_of_nothing():
    moments = Moments()
    assert math.isnan(moments.std)
    moments.add(np.empty((0, 3), "float32"))
    assert moments.count == 0
    moments.add(np.array(2.5, "float32"))
    assert (moments.count, moments.mean, moments.std) == (1, 2.5, 0)


def _result(path="model.safetensors"):
    result = Result(Path(path), seed=2**64 - 1, dtype="f32", init="normal", seconds=2.0)
    result.add("ones()", np.ones(3, "float32"))
    result.add("ones()", np.ones((), "float32"))
    result.add("normal(std=0.02)", np.empty((0, 4), "float32"))
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
    print_table(_result(path))
    text = capsys.readouterr().out
    assert f"wrote {path}\n" in text  # in one line, without markup
    for fact in ("18446744073709551615", "ones()", "normal(std=0.02)", "GB/s", "parameters"):
        assert fact in text
    assert "\x1b" not in text
