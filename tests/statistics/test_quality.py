"""``bench.quality``, which judges the generator: it calls wrong words, laws and keys wrong, and its reports add up."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import numbainit as init

pytestmark = pytest.mark.full

ROOT = Path(__file__).parents[2]


def _python(code, *arguments):
    """What Python prints that finds the benchmarks in the clone, and the package where this process has found it."""
    code = f"import runpy, sys; sys.path.append({str(ROOT)!r})\n{code}"
    folders = [folder for folder in sys.path if folder and Path(folder) != ROOT]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    command = [sys.executable, "-P", "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout


def _report(*arguments):
    return _python("runpy.run_module('bench.quality', run_name='__main__')", *arguments).splitlines()


def _p_values(code):
    return [float(line) for line in _python(code).splitlines()]


def test_a_report_has_each_p_value_and_counts_them(tmp_path):
    few = ["--log2-values", 16, "--log2-keys", 10, "--laws", "float32"]
    names = [tmp_path / f"{part}.txt" for part in ("laws", "keys")]
    reports = [_report("--parts", name.stem, *few, "-o", name) for name in names]
    for name, lines in zip(names, reports, strict=True):
        assert name.read_text("utf-8").splitlines() == lines
        values = [float(line.split()[0]) for line in lines[2:-1]]
        assert all(1e-6 < p <= 1 for p in values)
        assert lines[-1].startswith(f"{len(values)} p-values: {sum(p <= 0.01 for p in values)} up to 0.01 ")
    joined = _report("--join", *names)
    assert joined[:2] == reports[0][:2]
    assert joined[2:-1] == reports[0][2:-1] + reports[1][2:-1]


def test_a_wrong_law_is_seen():
    found = _p_values(
        "from bench.quality import laws\n"
        "wrong = laws.Law('normal_', {'std': 1.02}, 'float32'), laws.Law('uniform_', {'b': 0.99}, 'float32')\n"
        "print(*(p for law in wrong for _, p in list(laws.run(law, 1 << 20, 1))[:2]), sep='\\n')"
    )
    assert len(found) == 4
    assert max(found) < 1e-6


def test_equal_keys_are_seen():
    found = _p_values(
        "from bench.quality import keys\n"
        "keys.KINDS['wrong'] = lambda root, i: root.fold_in(i & ~1)\n"
        "print(*(p for _, p in keys.run('wrong', 1 << 12)), sep='\\n')"
    )
    assert found[0] == 0  # 2,048 keys stand twice
    assert max(found[1:3]) < 1e-6


def test_a_battery_reads_the_words_and_its_lines_are_understood(tmp_path):
    program = tmp_path / "adds_a_megabyte.py"
    program.write_text(
        "import sys\n"
        "p = sum(sys.stdin.buffer.read(1 << 20)) / 2**28\n"
        "print('#  test_name  |ntup|')\n"
        "print(f'adds,2,1,1,{p!r},WEAK')\n"
    )
    found = _python(
        "from bench.quality import batteries, words\n"
        "command = [sys.executable, sys.argv[1]]\n"
        "batteries.BATTERIES['sum'] = batteries.BATTERIES['quick']._replace(commands=[command])\n"
        "print(*batteries.run('sum', words.SOURCES['words'](1), 60))",
        program,
    )
    p = int(init.bits(1 << 18, generator=1).view("u1").sum(dtype="u8")) / 2**28
    assert found == f"('sum: adds 2', {p!r})\n"


def test_a_battery_whose_time_is_over_says_so():
    (line,) = _python(
        "from bench.quality import batteries, words\n"
        "sleep = batteries.BATTERIES['quick']._replace(commands=[['sleep', '600']])\n"
        "batteries.BATTERIES['sleep'] = sleep\n"
        "print(*batteries.run('sleep', words.SOURCES['words'](1), 0.5))"
    ).splitlines()
    assert line == "('sleep was ended after 0.5 s: sleep 600', nan)"


def test_names_that_are_unknown_are_refused():
    with pytest.raises(subprocess.CalledProcessError) as caught:
        _report("--parts", "words", "--sources", "word")
    assert "'word' is none of words, reversed" in caught.value.stderr
