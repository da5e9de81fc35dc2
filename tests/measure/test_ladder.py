"""bench/ladder.py and bench/compare.py → that the ladder's bits are right, and what the two say. No timings."""

import importlib.util
import json
import platform
import sys
from pathlib import Path

import pytest
from llvmlite import binding

from cases import full_only
from reference import philox4x32

BENCH = Path(__file__).parents[2] / "bench"


def script(name):
    spec = importlib.util.spec_from_file_location(name, BENCH / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # for dataclasses
    spec.loader.exec_module(module)
    return module


ladder, compare = script("ladder"), script("compare")


@pytest.fixture
def command():
    found = ladder.compiler()
    if found is None:
        pytest.skip("no C compiler found: set CC")
    return found


# ---- the ladder ----


def test_without_a_compiler_it_says_so_in_one_line(monkeypatch, capsys):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(ladder.shutil, "which", lambda name: None)
    monkeypatch.setattr(sys, "argv", ["ladder.py"])
    assert ladder.main() is None
    assert capsys.readouterr().out == "no C compiler found: set CC\n"


def test_the_compiler_is_that_of_cc(monkeypatch):
    monkeypatch.setenv("CC", "ccache gcc")
    assert ladder.compiler() == ["ccache", "gcc"]


def test_its_known_answer_is_that_of_the_reference():
    assert philox4x32((0, 0, 0, 0), (0, 0)) == ladder.KNOWN


@pytest.mark.parametrize("march", full_only("native", "haswell", "x86-64"))
def test_each_rung_has_the_bits_of_numbainit(march, command):
    if march != "native" and platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip(f"{march} needs an x86-64 processor")
    if march == "haswell" and not binding.get_host_cpu_features().get("avx2"):
        pytest.skip("haswell needs a processor with AVX2")
    with ladder.compiled(command, march) as found:
        assert {(rung.law, rung.dtype.name) for rung in found.rungs} == {
            *[("fill", "float32"), ("words", "uint32")],
            *[(law, dtype) for law in ("uniform", "normal") for dtype in ("float32", "float64")],
        }
        assert len({(rung.law, rung.dtype, rung.how) for rung in found.rungs}) == len(found.rungs) == 22
        assert ladder.check(found) == []


@pytest.mark.full
def test_the_words_are_those_of_the_reference(command):
    """Beside numbainit's: a key, a draw and a first counter with all of their bits."""
    key, draw, first = (0xFFFFFFFF, 0x80000001), 0xFFFFFFFE, 0xFFFFF000
    with ladder.compiled(command, "native") as found:
        for rung in found.rungs:
            if rung.law == "words":
                out = ladder.aligned(4 * ladder.CHUNK, rung.dtype)
                found.run(rung, out, (*key, draw), first)
                for block in (0, 1, 2, 3, 7, 100, ladder.CHUNK // 4 - 1):
                    wanted = philox4x32((first + block, 0, draw, 0), key)
                    assert tuple(out[4 * block : 4 * block + 4]) == wanted


@pytest.mark.full
def test_a_wrong_bit_is_found(command, monkeypatch):
    with ladder.compiled(command, "native") as found:
        run = found.run

        def wrong(rung, out, *arguments, **keywords):
            run(rung, out, *arguments, **keywords)
            out.view("uint32")[-1] ^= rung.how == "apart, 2 chains"

        monkeypatch.setattr(found, "run", wrong)
        assert ladder.check(found) == [
            f"{law}, apart, 2 chains" for law in ("words uint32", "uniform float32", "uniform float64")
        ]


@pytest.mark.full
def test_what_it_writes_is_read_by_numbainit_bench(command, tmp_path, monkeypatch, capsys):
    from numbainit.measure import limit

    path = tmp_path / "ladder.json"
    monkeypatch.setattr(sys, "argv", ["ladder.py", "--size", "2^14", "--rounds", "1", "--json", str(path)])
    ladder.main()
    found = limit.read(str(path))
    text = capsys.readouterr().out
    for rung in found["rungs"]:
        assert f"| {rung['law']} {rung['dtype']} | {rung['how']} |" in text
        assert min(rung["cycles"], rung["ns"], rung["gb_per_second"], rung["memory_gb_per_second"]) > 0
    assert limit.limit(found, "normal", "float64", 1e9, 1) > 0


def test_parts_of_memory_have_the_values_of_the_whole():
    """Threads share it in chunks, each from its own counter."""
    seen = []

    class Counted:
        def run(self, rung, out, first):
            seen.append((first, out.size))

    with ladder.ThreadPoolExecutor(1) as pool:
        ladder._shared(pool, Counted(), None, memory := ladder.np.zeros(5 * ladder.CHUNK), 3)
    assert [size for _, size in seen] == [ladder.CHUNK, 2 * ladder.CHUNK, 2 * ladder.CHUNK]
    assert [4 * first for first, _ in seen] == [0, ladder.CHUNK, 3 * ladder.CHUNK]
    assert sum(size for _, size in seen) == memory.size


# ---- comparing results ----


def result(speed, *, laws=("normal",)):
    machine = {"cpu": "Processor 3000", "compiled_for": {"isa": "avx2"}, "versions": {"numbainit": "0.1.0"}}
    rows = [
        {
            **{"case": law, "law": law, "dtype": "float32", "shapes": [[8, 4]], "gb_per_second": speed},
            **{"fill": {"gb_per_second": 30.0}, "peers": {"torch": {"gb_per_second": 1.0}}},
        }
        for law in laws
    ]
    return {"date": "2026-01-02T03:04:05+00:00", "machine": machine, "rows": rows}


def test_results_are_compared_row_by_row(tmp_path, monkeypatch, capsys):
    files = []
    for name, facts in (("a", result(4.0)), ("b", result(6.0, laws=("normal", "sparse")))):
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(json.dumps(facts))
    monkeypatch.setattr(sys, "argv", ["compare.py", *map(str, files)])
    compare.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "A: 2026-01-02T03:04:05+00:00, Processor 3000, avx2, numbainit 0.1.0"
    assert lines[5:8] == [
        "| normal, float32, 8x4, numbainit | 4.00 | 6.00 | 1.50 |",
        "| normal, float32, 8x4, fill | 30.00 | 30.00 | 1.00 |",
        "| normal, float32, 8x4, torch | 1.00 | 1.00 | 1.00 |",
    ]
    assert lines[-1] == "3 rows of B alone"


def test_ladders_are_compared_alone_and_inside_of_results():
    rung = {"law": "words", "dtype": "uint32", "how": "apart", "gb_per_second": 9.0, "memory_gb_per_second": 4.0}
    alone, inside = {"rungs": [rung]}, {**result(1.0), "ladder": {"rungs": [rung]}}
    assert list(compare.ratios(compare.speeds(alone), compare.speeds(inside)).values()) == [1.0, 1.0]


@pytest.mark.parametrize("path", sorted((BENCH / "results").glob("*.json")), ids=lambda path: path.stem)
def test_stored_results_are_named_after_what_they_hold(path):
    facts = json.loads(path.read_text("utf-8"))
    assert path.stem.startswith(facts["date"][:10])
    assert path.stem.endswith("-" + facts["machine"]["compiled_for"]["isa"])
    assert compare.speeds(facts)
    assert sorted(facts["machine"]) == ["compiled_for", "cores", "cpu", "python", "versions"]
