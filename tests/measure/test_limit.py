"""A ladder and a law → the limit of a table's row."""

import json

import pytest

import numbainit as init
from numbainit.measure import limit

SPEEDS = {("fill", "float32"): [170.0], ("uniform", "float32"): [8.0, 9.0], ("normal", "float64"): [4.0, 3.0]}
RUNGS = [
    {"law": law, "dtype": dtype, "gb_per_second": speed} for (law, dtype), found in SPEEDS.items() for speed in found
]
LADDER = {"machine": {"cpu": "Processor 3000"}, "isa": "avx2", "rungs": RUNGS}


@pytest.mark.parametrize(
    ("law", "dtype", "fill", "threads", "wanted"),
    [
        ("uniform", "float32", 100.0, 1, 9.0),  # the fastest of its rungs
        ("uniform", "float32", 100.0, 4, 36.0),
        ("uniform", "float32", 30.0, 4, 30.0),  # memory is slower
        ("xavier_uniform", "float32", 100.0, 2, 18.0),
        ("kaiming_normal", "float64", 100.0, 2, 8.0),
        ("normal", "float32", 100.0, 2, None),
        ("trunc_normal", "float64", 100.0, 2, None),  # not the law whose name ends so
        ("trunc_normal_0.02", "float64", 100.0, 2, None),
        ("sparse", "float32", 100.0, 2, None),
        ("fill", "float32", 100.0, 2, None),
    ],
)
def test_the_limit_is_the_lesser_of_memory_and_code(law, dtype, fill, threads, wanted):
    assert limit.limit(LADDER, law, dtype, fill, threads) == wanted


def test_a_ladder_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "ladder.json"
    path.write_text(json.dumps(LADDER))
    assert limit.read(str(path)) == LADDER


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"rungs": [{}]}', '{"rungs": []}', '{"rungs": 3}', "\x00"])
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "ladder.json"
    path.write_text(text)
    with pytest.raises(init.InvalidValueError, match=r"which is no ladder: python bench/ladder.py --json \S+ makes it"):
        limit.read(str(path))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(init.InvalidValueError, match="cannot be read"):
        limit.read(str(tmp_path / "none.json"))


def test_another_machine_is_said_to_be_one():
    same = {"cpu": "Processor 3000", "compiled_for": {"isa": "avx2"}}
    assert limit.differences(LADDER, same) == []
    assert limit.differences(LADDER, {"cpu": "Processor 1", "compiled_for": {"isa": "avx512"}}) == [
        "the ladder is of another processor: Processor 3000, not Processor 1",
        "the ladder is of another instruction set: avx2, not avx512",
    ]
