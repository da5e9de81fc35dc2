"""``numbainit bench`` on tiny sizes: what it prints, what it refuses, and that it leaves threads alone. No timings."""

import datetime
import importlib.util
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

import cases
import numbainit
from numbainit.command import cli
from numbainit.measure import figure, peers, timing
from numbainit.measure import run as bench
from numbainit.measure.peers import OURS
from numbainit.measure.timing import Case, Row, Turn

pytestmark = pytest.mark.full

TINY = ("--size", "2^9", "--rounds", "1", "--peers", "numpy")
LADDER = {
    "machine": {"cpu": "Processor 3000"},
    "isa": "none",
    "rungs": [{"law": "uniform", "dtype": "float32", "gb_per_second": speed} for speed in (0.0005, 0.001)],
}
FLAT = ["uniform", "normal", "trunc_normal", "trunc_normal_0.02"]


def run(*words):
    """The exit code of a run in this process."""
    return cli.main(["bench", *map(str, words)])


@pytest.fixture
def report(capsys):
    """The object that a run prints."""

    def read(*words):
        assert run(*words, "--json") == 0
        return json.loads(capsys.readouterr().out)

    return read


# ---- what it prints ----


def test_json_has_the_machine_the_settings_and_the_peers(report):
    facts = report(*TINY, "--laws", "uniform", "--dtype", "f32", "--threads", 1)
    assert sorted(facts) == ["date", "machine", "notes", "peers", "rows", "settings"]
    assert sorted(facts["machine"]) == ["compiled_for", "cores", "cpu", "python", "versions"]
    assert facts["machine"]["versions"]["numbainit"] == numbainit.__version__
    assert facts["machine"]["versions"]["numba"] == numba.__version__
    assert datetime.datetime.fromisoformat(facts["date"]).tzinfo is not None
    assert facts["settings"] == {"size": 512, "threads": 1, "rounds": 1}
    assert facts["peers"] == {"numpy": {"version": np.__version__, "threads": "1"}}


@pytest.mark.full
def test_json_has_a_row_for_each_law_and_dtype(report):
    facts = report(*TINY, "--laws", ",".join(FLAT))
    assert [(row["case"], row["dtype"]) for row in facts["rows"]] == [
        (law, dtype) for law in FLAT for dtype in ("float32", "float64")
    ]
    for row in facts["rows"]:
        assert (row["elements"], row["arrays"], row["shapes"]) == (512, 1, [[512]])
        assert row["bytes"] == 512 * np.dtype(row["dtype"]).itemsize


def test_rows_are_consistent(report):
    (row,) = report(*TINY, "--laws", "normal", "--dtype", "f64")["rows"]
    peer = row["peers"]["numpy"]
    assert row["fill"]["by"] in ("numpy.fill", "numba.fill")
    assert math.isclose(row["gb_per_second"], row["bytes"] / row["seconds"] / 1e9)
    assert math.isclose(row["share_of_fill"], row["gb_per_second"] / row["fill"]["gb_per_second"])
    assert math.isclose(peer["ratio"], row["gb_per_second"] / peer["gb_per_second"])
    assert (peer["elements"], peer["fewer"]) == (512, False)


def test_a_peer_without_the_law_is_left_out(report):
    (row,) = report(*TINY, "--laws", "trunc_normal", "--dtype", "f32")["rows"]
    assert row["peers"] == {}


@pytest.mark.full
def test_matrices_and_small_calls_have_shapes_of_their_own(report):
    rows = report(*TINY, "--laws", "kaiming_normal,sparse,orthogonal,small")["rows"]
    shapes = {row["case"]: row["shapes"] for row in rows}
    side = [[22, 22]]
    assert shapes == {"kaiming_normal": [[16, 32]], "sparse": side, "orthogonal": side, "small": [[16, 32]]}
    assert {row["dtype"] for row in rows} == {"float32"}


def test_table_has_the_machine_first_then_columns(capsys):
    assert run(*TINY, "--laws", "uniform,small", "--dtype", "f32") == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert f"numbainit {numbainit.__version__}" in first
    assert f"numba {numba.__version__}" in first
    heading = next(line for line in rest if "GB/s" in line)
    assert re.split(r"\s{2,}", heading.strip()) == ["case", "dtype", "elements", "time", "GB/s", "of a fill", "x numpy"]
    assert sum("float32" in line for line in rest) == 6
    assert any("below 1, it is the faster one" in line for line in rest)


def test_table_says_what_was_compiled_for(capsys):
    environment = os.environ | {"PYTHONPATH": str(Path(numbainit.__file__).parents[1])}
    environment |= {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    words = [sys.executable, "-m", "numbainit", "bench", *TINY, "--laws", "uniform", "--dtype", "f32"]
    done = subprocess.run(words, env=environment, check=True, capture_output=True, text=True, timeout=300)
    assert re.match(r"compiled for generic: the baseline; \d{4}-\d\d-\d\dT", done.stdout.splitlines()[1])


@pytest.mark.full
def test_table_is_not_squeezed_into_a_narrow_terminal():
    environment = {key: value for key, value in os.environ.items() if key != "FORCE_COLOR"}
    environment |= {"COLUMNS": "40", "PYTHONPATH": str(Path(numbainit.__file__).parents[1])}
    words = [sys.executable, "-m", "numbainit", "bench", *TINY, "--laws", "trunc_normal_0.02", "--dtype", "f32"]
    done = subprocess.run(words, env=environment, check=True, capture_output=True, text=True, timeout=300)
    assert re.search(r"^ ?trunc_normal_0.02 +float32 +512 +", done.stdout, re.MULTILINE)
    assert done.stderr == ""


def test_losses_are_shown_and_smaller_measurements_marked():
    case = Case("uniform", "uniform", np.dtype("float32"), ((8,),), divisible=True)
    turns = {OURS: Turn(len, 8, best=2.0), "torch": Turn(len, 8, best=1.0), "numpy": Turn(len, 4, best=2.0)}
    row = Row(case, turns, {"numpy.fill": Turn(len, 8, best=0.5), "numba.fill": Turn(len, 8, best=1.0)})
    report = bench.Report({}, bench.Options(peers=("torch", "numpy", "jax")))
    assert bench._cells(row, report)[3:] == ["2 s", "0.00", "0.25", "0.5", "2*", "-"]


def test_shares_of_the_limit_are_shown_where_the_ladder_knows_the_law(tmp_path, capsys, report):
    path = tmp_path / "ladder.json"
    path.write_text(json.dumps(LADDER))
    words = (*TINY, "--laws", "uniform,trunc_normal", "--dtype", "f32", "--threads", 1, "--ladder", path)
    facts = report(*words)
    uniform, truncated = facts["rows"]
    assert uniform["limit"] == min(uniform["fill"]["gb_per_second"], 0.001)
    assert math.isclose(uniform["share_of_limit"], uniform["gb_per_second"] / uniform["limit"])
    assert "limit" not in truncated
    assert facts["ladder"] == LADDER
    assert [note.partition(":")[0] for note in facts["notes"]] == [
        "the ladder is of another processor",
        "the ladder is of another instruction set",
    ]
    assert run(*words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert next(line for line in lines if "GB/s" in line).endswith(" of a fill   of limit   x numpy ")
    assert next(line for line in lines if "trunc_normal" in line).split()[-2:] == ["-", "-"]


def test_gpt2_has_148_arrays():
    (case,) = bench.cases(["gpt2"], [np.dtype("float32")], 1 << 26)
    assert (len(case.shapes), case.elements) == (148, 124_439_808)


def test_every_law_on_request_has_cases():
    for name in bench._CASES:
        for case in bench.cases([name], [np.dtype("float32")], 1 << 10):
            assert case.law in peers.LAWS


# ---- what it refuses, with exit code 2 and one line ----


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--laws", "unifrom"], "did you mean 'uniform'?"),
        (["--laws", "uniform,"], "got '' in --laws"),
        (["--size", "0"], "got --size 0; wanted a whole number >= 1"),
        (["--size", "2^x"], "got --size 2^x; wanted a whole number >= 1"),
        (["--size", "-1"], "got --size -1; wanted a whole number >= 1"),
        (["--size", "2^60"], "got --size 2^60"),
        (["--rounds", "many"], "got --rounds many"),
        (["--threads", "100000"], "got --threads 100000; wanted at most"),
        (["--peers", "tensorflow"], "got 'tensorflow' in --peers"),
        (["--dtype", "f16"], "invalid choice"),
        (["--figure", "curves.gif"], "wanted a name that ends in .png, .svg or .pdf"),
        (["--figure", "no/such/folder/curves.png"], "there is no folder"),
        (["--ladder", "no/such/ladder.json"], "python bench/ladder.py --json no/such/ladder.json makes it"),
    ],
)
def test_wrong_words_are_refused(capsys, words, message):
    assert run(*words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("numbainit: error: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err


def test_a_peer_that_is_not_installed_is_refused(capsys, monkeypatch):
    def missing():
        raise ImportError("No module named 'mkl_random'")

    peers.library.cache_clear()
    monkeypatch.setitem(peers._LIBRARIES, "mkl_random", missing)
    assert run("--peers", "mkl_random") == 2
    assert "pip install mkl_random" in capsys.readouterr().err


def test_a_figure_without_matplotlib_names_the_extra(capsys, monkeypatch, tmp_path):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "matplotlib" else found(name))
    assert run("--figure", tmp_path / "curves.png") == 1
    assert 'pip install "numbainit[bench]"' in capsys.readouterr().err


# ---- how it measures ----


def test_threads_are_as_before_afterwards():
    before = numba.get_num_threads()
    with peers.threads(1) as count:
        assert (count, numba.get_num_threads()) == (1, 1)
    assert numba.get_num_threads() == before


def test_threads_are_as_before_after_an_error():
    before = numba.get_num_threads()
    with pytest.raises(KeyError), peers.threads(1):
        raise KeyError
    assert numba.get_num_threads() == before


def test_rounds_take_turns_and_begin_with_another_one_each(monkeypatch):
    seen = []
    turns = [Turn(lambda name=name: seen.append(name), 1) for name in "abc"]
    timing.in_rounds(turns, 2)
    assert "".join(seen) == "abcbca"


@pytest.mark.parametrize(("seconds", "rows"), [(1e-6, 1 << 26), (0.25, 1 << 20), (0.2, 1 << 20), (9.0, 1 << 18)])
def test_a_slow_peer_is_measured_on_fewer_elements(seconds, rows):
    assert timing._affordable(1 << 26, 1 << 18, seconds) == rows


def test_a_measurement_on_fewer_elements_is_said_to_be_one(monkeypatch, report):
    monkeypatch.setattr(timing, "_PROBE", 16)
    monkeypatch.setattr(timing, "_LONGEST", 1e-12)
    (row,) = report(*TINY, "--laws", "uniform", "--dtype", "f32")["rows"]
    assert (row["elements"], row["peers"]["numpy"]["elements"], row["peers"]["numpy"]["fewer"]) == (512, 16, True)


def test_size_shrinks_to_the_memory_there_is(monkeypatch):
    monkeypatch.setattr(peers, "free_memory", lambda: 1 << 20)
    report = bench.Report({}, bench.Options(laws=("uniform", "gpt2")))
    bench._fit(report)
    assert report.options.size == 1 << 15
    assert [case.name for case in bench._that_fit(report)] == ["uniform", "uniform"]
    assert report.notes == [
        "memory is short: 2^15 elements instead of 2^26",
        "memory is short: gpt2 left out",
    ]


@pytest.mark.parametrize("name", cases.thinned(peers.installed(), {"numpy"}))
@pytest.mark.parametrize("law", peers.LAWS)
def test_libraries_fill_what_they_say_they_can(name, law):
    array = np.full((8, 8, 1) if law == "dirac" else (8, 8), 0.25)
    call = peers.library(name).call(law, array)
    if call is not None:
        call()
        call()
    if name == "torch":
        assert call is not None
        assert not (array == 0.25).any()


@pytest.mark.parametrize("law", peers.LAWS)
def test_ours_does_every_law(law):
    array = np.full((8, 8, 1) if law == "dirac" else (8, 8), 0.25)
    peers.library(OURS).call(law, array)()
    assert not (array == 0.25).any()


def test_plain_fills_fill():
    for call in peers.plain_fills(array := np.zeros((5, 7), "float32")).values():
        array[...] = 0
        call()
        assert (array == 0.5).all()


# ---- the figure ----


def test_curves_have_a_ceiling_at_each_size_and_each_number_of_threads():
    curves = figure.measure_curves([peers.library(OURS), peers.library("numpy")], 1 << 10, 1, 1)
    assert curves["sizes"]["x"] == [256, 1024]
    assert curves["threads"]["x"] == [1]
    ours = [f"numbainit {law}" for law in ("uniform", "normal", "trunc_normal")]
    assert list(curves["sizes"]["gb_per_second"]) == ["plain fill", *ours, "numpy normal"]
    assert list(curves["threads"]["gb_per_second"]) == ["plain fill", *ours]
    assert all(speed > 0 for name in ours for speed in curves["sizes"]["gb_per_second"][name])


@pytest.mark.full
@pytest.mark.parametrize("name", ["curves.png", "curves.svg"])
def test_figure_is_drawn(tmp_path, name, report):
    pytest.importorskip("matplotlib", reason="draws: pip install 'numbainit[bench]'")
    path = tmp_path / name
    facts = report(*TINY, "--laws", "uniform", "--dtype", "f32", "--figure", path)
    assert facts["figure"] == str(path)
    assert facts["curves"]["sizes"]["x"] == [256]
    assert path.stat().st_size > 1000


def test_neither_the_module_nor_looking_for_peers_imports_any():
    code = "import sys; from numbainit.measure import peers, run; peers.installed(); print(*sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(Path(numbainit.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    assert {"torch", "jax", "mkl_random", "numba", "matplotlib", "rich"}.isdisjoint(done.stdout.split())
