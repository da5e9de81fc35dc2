"""The command line: what it writes, what it says, and that every way out leaves whole files only."""

import errno
import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import numbainit
from cases import shape_for, thinned
from numbainit import init
from numbainit.command import cli, ending
from numbainit.generator import Generator
from numbainit.recipes import default, models

SMALL = {
    "fc.weight": {"dtype": "F32", "shape": [40, 30]},
    "fc.bias": {"dtype": "F32", "shape": [40]},
    "norm.weight": {"dtype": "BF16", "shape": [30]},
    "norm.running_mean": {"dtype": "F32", "shape": [30]},
    "norm.running_var": {"dtype": "F32", "shape": [30]},
    "norm.num_batches_tracked": {"dtype": "I64", "shape": []},
    "conv.weight": {"dtype": "F64", "shape": [8, 4, 3, 3]},
    "nothing.weight": {"dtype": "F32", "shape": [0, 4]},
}
MODE = ("--init", "kaiming_normal", "--mode", "fan")
ENVIRONMENT = {
    key: value for key, value in os.environ.items() if key not in ("FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE")
}
ENVIRONMENT["PYTHONPATH"] = str(Path(numbainit.__file__).parents[1])


@pytest.fixture
def small(tmp_path):
    """The path of a JSON header, in a folder of its own."""
    folder = tmp_path / "shapes"
    folder.mkdir()
    path = folder / "small.json"
    path.write_text(json.dumps(SMALL))
    return path


def run(*words):
    """The exit code of a run in this process."""
    return cli.main([str(word) for word in words])


def start(*words, program=("-W", "error", "-m", "numbainit"), **options):
    """A run in a process of its own."""
    command = [sys.executable, *program, *map(str, words)]
    return subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def contents(folder):
    """All files of a folder, with their bytes."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


# ---- what is written ----


@pytest.mark.full
def test_gpt2_in_full(out):
    """The main job, in a process of its own, as `python -m numbainit`; the one test of full size (498 MB)."""
    path = out / "gpt2.safetensors"
    process = start("init", "gpt2", "-o", path, "--seed", 7, "--json")
    printed, complaints = process.communicate(timeout=550)
    assert (process.returncode, complaints) == (0, b"")
    facts = json.loads(printed)
    assert (facts["parameters"], facts["elements"], facts["bytes"]) == (148, 124_439_808, 497_759_232)
    assert {law["law"]: law["tensors"] for law in facts["laws"]} == {
        "normal(std=0.02)": 50,
        "ones()": 25,
        "zeros()": 73,
    }
    normal = next(law for law in facts["laws"] if law["law"].startswith("normal"))
    # 6 standard errors of the mean and of the standard deviation
    assert abs(normal["mean"]) < 6 * 0.02 / normal["elements"] ** 0.5
    assert abs(normal["std"] - 0.02) < 6 * 0.02 / (2 * normal["elements"]) ** 0.5
    shapes = json.loads(models.builtin_header("gpt2"))
    with safe_open(path, framework="numpy") as file:
        assert set(file.keys()) == set(shapes)
        for name, wanted in shapes.items():
            array = file.get_tensor(name)
            assert (array.dtype, list(array.shape)) == (np.float32, wanted["shape"])
            if array.ndim == 1:
                assert (array == (0 if name.endswith("bias") else 1)).all()
            else:
                generator = Generator(7).fold_in(name)
                alone = init.normal_(np.empty(array.shape, "float32"), std=0.02, generator=generator)
                np.testing.assert_array_equal(array, alone)
    path.unlink()


def test_resnet50_with_he_initialisation(out, capsys):
    path = out / "resnet50.safetensors"
    options = ("--init", "kaiming_normal", "--mode", "fan_out", "--nonlinearity", "relu", "--seed", 3)
    assert run("init", "resnet50", "-o", path, *options) == 0
    arrays = load_file(path)
    assert len(arrays) == 320  # statistics of norms, too
    for name, array in arrays.items():
        if array.ndim <= 1:
            is_zero = name.endswith(("bias", "running_mean", "num_batches_tracked"))
            assert (array == (0 if is_zero else 1)).all()
        else:
            alone = np.empty(array.shape, "float32")
            init.kaiming_normal_(alone, mode="fan_out", nonlinearity="relu", generator=Generator(3).fold_in(name))
            np.testing.assert_array_equal(array, alone)
    path.unlink()


@pytest.mark.parametrize(
    ("options", "function", "arguments"),
    [
        ((), init.normal_, {"std": 0.02}),
        (("--std", "0.5"), init.normal_, {"std": 0.5}),
        (("--init", "uniform"), init.uniform_, {}),
        (("--init", "uniform", "--a=-1e-3", "--b", "0.5"), init.uniform_, {"a": -1e-3, "b": 0.5}),
        (("--init", "trunc_normal"), init.trunc_normal_, {"std": 0.02, "a": -0.04, "b": 0.04}),
        (
            ("--init", "trunc_normal", "--a", "0", "--b", "inf"),
            init.trunc_normal_,
            {"std": 0.02, "a": 0, "b": np.inf},
        ),
        (("--init", "xavier_uniform", "--gain", "2"), init.xavier_uniform_, {"gain": 2.0}),
        (("--init", "xavier_normal"), init.xavier_normal_, {}),
        (("--init", "kaiming_uniform", "--nonlinearity", "tanh"), init.kaiming_uniform_, {"nonlinearity": "tanh"}),
        (("--init", "kaiming_normal", "--mode", "fan_out"), init.kaiming_normal_, {"mode": "fan_out"}),
        (("--init", "orthogonal"), init.orthogonal_, {}),
    ],
)
@pytest.mark.parametrize("dtype", thinned(["f32", "f64", "f16"], ["f32"]))
def test_values_are_those_of_the_function_under_the_name(small, out, options, function, arguments, dtype, capsys):
    assert run("init", small, "-o", out / "m", "--seed", "11", "--dtype", dtype, *options) == 0
    arrays = load_file(out / "m")
    width = {"f32": "float32", "f64": "float64", "f16": "float16"}[dtype]
    for name in ("fc.weight", "conv.weight"):
        alone = np.empty(SMALL[name]["shape"], width)
        np.testing.assert_array_equal(arrays[name], function(alone, generator=Generator(11).fold_in(name), **arguments))
    assert arrays.keys() == SMALL.keys()
    for name, value in [("fc.bias", 0), ("norm.weight", 1), ("norm.running_mean", 0), ("norm.running_var", 1)]:
        assert arrays[name].dtype == width
        assert (arrays[name] == value).all()
    assert arrays["norm.num_batches_tracked"].dtype == np.int64
    assert arrays["norm.num_batches_tracked"] == 0


def test_bfloat16_is_the_float32_value_rounded(small, out):
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    from safetensors import safe_open

    assert run("init", small, "-o", out / "wide", "--seed", "11") == 0
    assert run("init", small, "-o", out / "m", "--seed", "11", "--dtype", "bf16") == 0
    wide = load_file(out / "wide")
    with safe_open(out / "m", "numpy") as file:
        for name, array in wide.items():
            got = file.get_tensor(name)
            wanted = array.astype(ml_dtypes.bfloat16) if array.dtype == np.float32 else array
            assert got.dtype == wanted.dtype
            assert got.tobytes() == wanted.tobytes()


@pytest.mark.parametrize(("name", "value"), [("zeros", 0), ("ones", 1)])
def test_constant_initializers(small, out, name, value):
    assert run("init", small, "-o", out / "m", "--init", name) == 0
    assert (load_file(out / "m")["conv.weight"] == value).all()


@pytest.mark.parametrize("name", default.choices())
def test_every_initializer_runs(tmp_path, out, name):
    """On a matrix, or a kernel; with each argument that has no default."""
    needed = {"constant": ("--val", "2.5"), "sparse": ("--sparsity", "0.5")}.get(name, ())
    shape = list(shape_for(name + "_"))
    header = tmp_path / "header.json"
    header.write_text(json.dumps({"w": {"dtype": "F32", "shape": shape}}))
    assert run("init", header, "-o", out / "m", "--init", name, *needed, "--seed", 3) == 0
    arguments = {word.removeprefix("--"): float(value) for word, value in [needed] if needed} if needed else {}
    wanted = default.initializer(name, **arguments)(np.empty(shape, "f4"), Generator(3).fold_in("w"))
    assert load_file(out / "m")["w"].tobytes() == wanted.tobytes()


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        (("--init", "dirac"), ["parameter 'fc.weight'", "3, 4, or 5 dimensions"]),
        (("--init", "eye"), ["parameter 'conv.weight'", "2 dimensions"]),
        (("--init", "constant"), ["--init constant needs --val"]),
        (("--init", "bits"), ["no initializer is named 'bits'"]),
        (("--init", "xavier_normal", "--layout", "IIII"), ["needs an O"]),
        (("--init", "xavier_normal", "--layout", "HWIO"), ["parameter 'fc.weight'", "'HWIO' names 4 axes"]),
    ],
)
def test_an_initializer_that_does_not_fit_is_refused(small, out, capsys, words, fragments):
    assert run("init", small, "-o", out / "m", *words) == 2
    complaints = capsys.readouterr().err
    assert complaints.count("\n") == 1
    assert all(fragment in complaints for fragment in fragments), complaints
    assert not contents(out)


@pytest.mark.parametrize(
    ("shape", "words", "arguments"),
    [
        ([96, 96, 3, 3], ("--groups", "3"), {"groups": 3}),
        ([6, 4, 3], ("--groups", "2", "--layout", "IO"), {"groups": 2, "layout": "IO"}),
        ([4, 2, 70_000], ("--groups", "2"), {"groups": 2}),
    ],
)
def test_kernels_are_tried_on_the_shapes_that_are_filled(tmp_path, out, shape, words, arguments):
    header = tmp_path / "header.json"
    header.write_text(json.dumps({"w": {"dtype": "F32", "shape": shape}}))
    assert run("init", header, "-o", out / "m", "--init", "dirac", *words) == 0
    assert load_file(out / "m")["w"].tobytes() == init.dirac_(np.empty(shape, "f4"), **arguments).tobytes()


@pytest.mark.parametrize("words", [("--std=-1",), ("--std", "nan"), ("--init", "uniform", "--a", "2"), MODE])
def test_options_must_make_sense_where_no_parameter_takes_them(tmp_path, out, words):
    header = tmp_path / "header.json"
    header.write_text(json.dumps({"b.bias": {"dtype": "F32", "shape": [6]}, "w": {"dtype": "F32", "shape": [0, 3]}}))
    assert run("init", header, "-o", out / "m", *words) == 2
    assert not contents(out)


@pytest.mark.parametrize(
    "words", [("--init", "dirac", "--groups", "2"), ("--init", "xavier_normal", "--layout", "HWIO"), ("--init", "eye")]
)
def test_options_that_make_sense_pass_where_no_parameter_takes_them(tmp_path, out, words):
    header = tmp_path / "header.json"
    header.write_text(json.dumps({"b.bias": {"dtype": "F32", "shape": [6]}}))
    assert run("init", header, "-o", out / "m", *words) == 0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_what_is_no_number_is_json_all_the_same(small, out, capsys, value):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    assert run("init", small, "-o", out / "m", "--init", "constant", f"--val={value}", "--dtype", "f64", "--json") == 0
    facts = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert [row["mean"] for row in facts["laws"] if row["law"] == f"constant(val={value})"] == [None]
    with safe_open(out / "m", framework="numpy") as file:
        rules_of_file = json.loads(file.metadata()["rules"], parse_constant=refuse)
    assert rules_of_file["options"] == {"val": value}
    assert rules_of_file["initializer"] == {"name": "constant", "val": value}
    assert rules_of_file["table"]["rules"][-1]["val"] == value


def test_the_file_says_every_argument_of_each_law(small, out):
    """Also those that are defaults today."""
    assert run("init", small, "-o", out / "m", "--init", "kaiming_normal", "--mode", "fan_out") == 0
    with safe_open(out / "m", framework="numpy") as file:
        rules = json.loads(file.metadata()["rules"])
    arguments = {"a": 0, "mode": "fan_out", "nonlinearity": "leaky_relu", "layout": None}
    assert rules["initializer"] == {"name": "kaiming_normal", **arguments}


def test_the_same_seed_gives_the_same_file(small, out):
    for name, seed in [("a", 5), ("b", 5), ("c", 6)]:
        assert run("init", small, "-o", out / name, "--seed", seed) == 0
    files = contents(out)
    assert files["a"] == files["b"] != files["c"]


def test_a_fresh_seed_is_reported_and_makes_the_file_again(small, out, capsys):
    seeds = []
    for name in ("a", "b"):
        assert run("init", small, "-o", out / name, "--json") == 0
        seeds.append(json.loads(capsys.readouterr().out)["seed"])
    assert seeds[0] != seeds[1]
    assert all(0 <= seed < 2**64 for seed in seeds)
    assert run("init", small, "-o", out / "again", "--seed", seeds[0]) == 0
    files = contents(out)
    assert files["again"] == files["a"] != files["b"]


def test_another_parameter_changes_no_other(small, out):
    more = {"first.weight": {"dtype": "F32", "shape": [50, 2]}} | SMALL
    larger = small.with_name("more.json")
    larger.write_text(json.dumps(more))
    assert run("init", small, "-o", out / "a", "--seed", 5) == run("init", larger, "-o", out / "b", "--seed", 5) == 0
    few, many = load_file(out / "a"), load_file(out / "b")
    for name, array in few.items():
        np.testing.assert_array_equal(array, many[name])


def test_a_file_is_its_own_recipe(small, out):
    """Shapes from the file, seed and rules from its metadata: the same bytes."""
    path = out / "m.safetensors"
    assert (
        run("init", small, "-o", path, "--init", "trunc_normal", "--std", "0.5", "--dtype", "f64", "--seed", 2**70) == 0
    )
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    assert metadata["format"] == "pt"
    assert metadata["stream"] == "v1"
    assert metadata["numbainit"] == numbainit.__version__
    recipe = json.loads(metadata["rules"])
    assert recipe["init"] == "trunc_normal"
    assert recipe["options"] == {"std": 0.5}
    assert recipe["initializer"] == {"name": "trunc_normal", "mean": 0.0, "std": 0.5, "a": -1.0, "b": 1.0}
    options = [word for option, value in recipe["options"].items() for word in (f"--{option}", value)]
    again = ("--init", recipe["init"], "--seed", metadata["seed"], "--dtype", "f64", *options)
    assert run("init", path, "-o", out / "again", *again) == 0
    assert (out / "again").read_bytes() == path.read_bytes()
    table = out.with_name("table.json")
    table.write_text(json.dumps(recipe["table"]))
    again = ("--recipe", table, "--seed", metadata["seed"], "--dtype", "f64")
    assert run("init", path, "-o", out / "again", *again) == 0
    arrays, wanted = load_file(out / "again"), load_file(path)
    assert all(arrays[name].tobytes() == wanted[name].tobytes() for name in wanted)


def test_a_file_of_another_writer_as_shapes(tmp_path, out):
    source, path = tmp_path / "m.safetensors", out / "m.safetensors"
    save_file(
        {"a.weight": np.ones((6, 5), "float16"), "a.bias": np.ones(6, "float16"), "n": np.ones(2, "int32")}, source
    )
    assert run("init", source, "-o", path, "--seed", 1) == 0
    arrays = load_file(path)
    expected = init.normal_(np.empty((6, 5), "float32"), std=0.02, generator=Generator(1).fold_in("a.weight"))
    np.testing.assert_array_equal(arrays["a.weight"], expected)
    assert (arrays["a.bias"] == 0).all()
    assert (arrays["n"] == 0).all()
    assert arrays["n"].dtype == np.int32
    assert list(contents(out)) == ["m.safetensors"]


# ---- what is said ----


def test_json_is_all_that_is_printed(small, out, capsys):
    assert run("init", small, "-o", out / "m", "--seed", 9, "--json") == 0
    printed = capsys.readouterr()
    facts = json.loads(printed.out)
    assert printed.err == ""
    assert (facts["seed"], facts["path"], facts["stream"]) == (9, str(out / "m"), "v1")
    assert (facts["parameters"], facts["elements"]) == (8, 40 * 30 + 40 + 3 * 30 + 1 + 288)
    assert facts["bytes"] == 4 * (facts["elements"] - 1) + 8
    assert {"seconds", "fill_seconds", "compile_seconds", "gb_per_second", "dtype", "init", "version"} <= facts.keys()
    arrays = load_file(out / "m")
    normal = np.concatenate([arrays["fc.weight"].ravel(), arrays["conv.weight"].ravel()]).astype("float64")
    laws = {law["law"]: law for law in facts["laws"]}
    assert (laws["normal(std=0.02)"]["tensors"], laws["normal(std=0.02)"]["elements"]) == (3, normal.size)
    assert laws["normal(std=0.02)"]["mean"] == pytest.approx(normal.mean(), rel=1e-9)
    assert laws["normal(std=0.02)"]["std"] == pytest.approx(normal.std(), rel=1e-9)
    assert laws["ones()"] == {"law": "ones()", "tensors": 2, "elements": 60, "mean": 1.0, "std": 0.0}


@pytest.mark.full
def test_a_pipe_gets_a_table_and_no_bar(small, out):
    process = start("init", small, "-o", out / "m", "--seed", 9)
    printed, complaints = process.communicate(timeout=120)
    assert (process.returncode, complaints) == (0, b"")
    text = printed.decode()
    assert "\x1b" not in text
    for fact in ("parameters", "elements", "bytes", "seconds", "GB/s", "seed", "normal(std=0.02)", "ones()", "zeros()"):
        assert fact in text
    assert f"wrote {out / 'm'}\n" in text


@pytest.mark.full
def test_a_terminal_gets_a_bar_on_the_standard_error(small, out):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "numbainit", "init", str(small), "-o", str(out / "m"), "--json"]
    environment = ENVIRONMENT | {"TERM": "xterm"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        printed = process.stdout.read()
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # how Linux says that the other side is closed
        pass
    finally:
        os.close(ours)
    assert b"filling" in shown
    assert b"\x1b" in shown
    assert json.loads(printed)["parameters"] == 8


@pytest.mark.parametrize("words", [("--help",), ("init", "--help"), ("--version",)])
def test_help_and_version(words, capsys):
    assert run(*words) == 0
    printed = capsys.readouterr()
    assert "numbainit" in printed.out
    assert printed.err == ""


def test_help_names_every_initializer_and_model(capsys):
    run("init", "--help")
    text = capsys.readouterr().out
    for name in [*default.choices(), *models.builtin_names()]:
        assert name in text


# ---- what is refused ----

REFUSED = [
    ("gpt-2 -o OUT/m", ["no file and no built-in model is named 'gpt-2'", "did you mean 'gpt2'", "resnet50"]),
    ("OUT/none.json -o OUT/m", ["no file", "none.json"]),
    ("OUT -o OUT/m", ["is a folder"]),
    ("SMALL", ["-o/--output", "numbainit init --help"]),
    ("-o OUT/m", ["SHAPES"]),
    ("SMALL -o OUT", ["this is a folder", "model.safetensors"]),
    ("SMALL -o OUT/none/m", ["there is no folder", "make it first"]),
    ("SMALL -o OUT/old/m", ["is a file, not a folder"]),
    ("SMALL -o OUT/m.pt", ["torch's pickles", ".safetensors"]),
    ("SMALL -o SMALL", ["JSON"]),
    ("SMALL -o OUT/loop", [os.strerror(errno.ELOOP)]),
    ("SMALL -o OUT/m.npy", ["one array, got 8"]),
    ("SMALL -o OUT/m.npz --dtype bf16", ["'fc.weight'", "bfloat16", "--dtype"]),
    ("SMALL -o OUT/d --shard-size 5XB", ["'5XB'", "5GB"]),
    ("SMALL -o OUT/d --shard-size 5GB --world 2", ["leave out one"]),
    ("SMALL -o OUT/d --only 1 --seed 1", ["--shard-size"]),
    ("SMALL -o OUT/d --rank 1 --seed 1", ["--world"]),
    ("SMALL -o OUT/d --world 2 --rank 2 --seed 1", ["0 to 1"]),
    ("SMALL -o OUT/d --world 2 --rank 1", ["need --seed"]),
    ("SMALL -o OUT/d --world 99999 --seed 1", ["one by one", "--rank"]),
    ("SMALL -o OUT/d --world 100000 --seed 1", ["from 1 to 99,999 files"]),
    ("SMALL -o OUT/d --shard-size 5GB --only 2 --seed 1", ["makes 1 file"]),
    ("SMALL -o OUT/m --resume", ["--shard-size"]),
    ("SMALL -o OUT/old --shard-size 5GB --resume", ["name a folder"]),
    ("SMALL -o OUT/old --shard-size 5GB", ["name a folder"]),
    ("SMALL -o OUT/none/d --shard-size 5GB", ["there is no folder", "make it first"]),
    ("SMALL -o OUT/m --init kaiming_norml", ["'kaiming_norml'", "did you mean 'kaiming_normal'"]),
    ("SMALL -o OUT/m --init kaiming_normal --mode fan_inn", ["fan_inn", "fan_in"]),
    ("SMALL -o OUT/m --init kaiming_normal --nonlinearity rellu", ["rellu", "did you mean 'relu'"]),
    ("SMALL -o OUT/m --mode fan_in", ["'mode'", "'normal'", "kaiming_normal, kaiming_uniform, variance_scaling"]),
    ("SMALL -o OUT/m --init orthogonal --std 1", ["'std'", "'orthogonal'", "normal, sparse, trunc_normal"]),
    ("SMALL -o OUT/m --std -1", ["std", "-1", ">= 0"]),
    ("SMALL -o OUT/m --std nan", ["std", "nan"]),
    ("SMALL -o OUT/m --std inf", ["std", "inf"]),
    ("SMALL -o OUT/m --std 1e39", ["std", "1e+39", "float32"]),
    ("SMALL -o OUT/m --std wide", ["--std", "'wide'"]),
    ("SMALL -o OUT/m --std -x", ["--std", "--option=value"]),
    ("SMALL -o OUT/m --init xavier_normal --gain nan", ["gain", "nan"]),
    ("SMALL -o OUT/m --init uniform --a 2 --b 1", ["2.0", "1.0"]),
    ("SMALL -o OUT/m --init trunc_normal --a 2 --b 1", ["2.0", "1.0"]),
    ("SMALL -o OUT/m --seed -1", ["--seed", "'-1'", ">= 0"]),
    ("SMALL -o OUT/m --seed 1.5", ["--seed", "'1.5'", "whole number"]),
    ("SMALL -o OUT/m --seed seven", ["--seed", "'seven'"]),
    ("SMALL -o OUT/m --dtype f8", ["--dtype", "'f8'", "f32", "bf16"]),
    ("SMALL -o OUT/m --sed 7", ["--sed", "--help"]),
    ("SMALL -o OUT/m --js", ["--js"]),  # no abbreviations: they would break with the next option
]


@pytest.mark.parametrize(("words", "fragments"), REFUSED, ids=[words for words, _ in REFUSED])
def test_refusals_touch_nothing(small, out, words, fragments, capsys):
    (out / "old").write_bytes(b"old")
    (out / "loop").symlink_to(out / "loop")
    words = words.replace("SMALL", str(small)).replace("OUT", str(out)).split()
    assert run("init", *words) == 2
    _expect_one_line(capsys.readouterr(), fragments)
    assert contents(out) == {"old": b"old"}


@pytest.mark.parametrize("words", [(), ("inti",), ("--wrong",)])
def test_wrong_commands(words, capsys):
    assert run(*words) == 2
    _expect_one_line(capsys.readouterr(), ["--help"])


@pytest.mark.parametrize(
    ("name", "content", "fragments"),
    [
        ("s.json", b'{"a": {"dtype": "F32"}}', ["s.json", "'a'", "no shape"]),
        ("s.json", b'{"a": {"dtype": "F32", "shape": [-1]}}', ["s.json", "'a'", "-1"]),
        ("s.json", b'{"a": {"dtype": "F23", "shape": [1]}}', ["s.json", "'a'", "F23"]),
        ("s.json", b"", ["s.json", "JSON"]),
        ("s.json", b'{"a": {"dtype": "F32", "shape": [1]}, "a": {}}', ["s.json", "'a'", "twice"]),
        ("s.safetensors", b"", ["s.safetensors", "not a whole safetensors file"]),
        ("s.safetensors", b"\xff" * 100, ["s.safetensors", "not a whole safetensors file"]),
        ("s.safetensors", b"\x64" + bytes(7) + b"{}", ["s.safetensors", "not a whole safetensors file"]),
    ],
)
def test_wrong_shapes_touch_nothing(out, name, content, fragments, capsys):
    (out / name).write_bytes(content)
    assert run("init", out / name, "-o", out / "m") == 2
    _expect_one_line(capsys.readouterr(), fragments)
    assert contents(out) == {name: content}


def _expect_one_line(printed, fragments):
    assert printed.out == ""
    assert printed.err.startswith("numbainit: error: ")
    assert printed.err.count("\n") == 1
    for fragment in fragments:
        assert fragment in printed.err


@pytest.mark.parametrize("missing", ["rich", "safetensors"])
def test_without_the_extra(small, out, missing, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, missing, None)
    assert run("init", small, "-o", out / "m") == 1
    expected = 'numbainit: error: the command line needs rich and safetensors: pip install "numbainit[cli]"\n'
    assert capsys.readouterr().err == expected
    assert contents(out) == {}
    assert run("init", "--help") == 0


def test_importing_the_command_line_imports_no_extra():
    script = "import sys, numbainit.command.cli; sys.exit(len({'rich', 'safetensors', 'numba'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], env=ENVIRONMENT, timeout=120).returncode == 0


# ---- how it ends ----


def test_a_full_disk(small, out, monkeypatch, capsys):
    (out / "m").write_bytes(b"old")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert run("init", small, "-o", out / "m") == 1
    _expect_one_line(capsys.readouterr(), ["the disk is full", str(out / "m"), "make room"])
    assert contents(out) == {"m": b"old"}


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt, 130), (MemoryError, 1), (OSError, 1)])
def test_an_end_while_filling(small, out, error, code, monkeypatch, capsys):
    _break_the_second_fill(monkeypatch, error)
    assert run("init", small, "-o", out / "m") == code
    _expect_one_line(capsys.readouterr(), [])
    assert contents(out) == {}


def _break_the_second_fill(monkeypatch, error):
    """The first fill is the trial before the file exists."""
    calls = []

    def fill(array, **options):
        calls.append(array)
        if len(calls) > 1:
            raise error("broken")

    monkeypatch.setattr(init, "normal_", fill)


# A real run that stops, and says so, when half of its tensors are written.
HALF = """
import atexit, signal, sys, time, numbainit.command.cli, numbainit.command.starting
from numbainit.command.filling import Filling
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whatever the parent ignores
signal.signal(signal.SIGINT, signal.default_int_handler)
real, calls = Filling.see, []
def see(self, piece, found):
    calls.append(1)
    if len(calls) == 4:
        print("half", flush=True)
        for _ in range(30_000):  # a signal just before a sleep is heard after it
            time.sleep(0.01)
    real(self, piece, found)
Filling.see = see
atexit.register(print, "Python's own end", flush=True)
numbainit.command.starting.run()
"""

# One that says so, and stops, in the middle of a step that no exception may end.
STEP = """
import atexit, signal, sys, time, numbainit.command.cli, numbainit.command.starting
from numbainit.command import init
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
class Moments:
    def add(self, array):
        print("half", flush=True)
        time.sleep(300)
init.Moments = Moments
atexit.register(print, "Python's own end", flush=True)
numbainit.command.starting.run()
"""

# One that says so, and stops, while it is imported.
IMPORT = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
class Slow:
    def find_spec(name, path, target=None):
        if name == "numbainit.propagation":
            print("half", flush=True)
            time.sleep(300)
sys.meta_path.insert(0, Slow)
from numbainit.command.starting import run
run()
"""


def _end_half_way(small, out, number, program=HALF):
    """The exit code and the complaints of a run that got a signal when its temporary file was half full."""
    process = start("init", small, "-o", out / "m", program=("-c", program))
    try:
        assert process.stdout.readline() == b"half\n"
        temporary = any(name.startswith(".m.") and name.endswith(".numbainit") for name in contents(out))
        assert temporary == (program == HALF)
        process.send_signal(number)
        printed, complaints = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert printed == b""  # what Python does at its own end, and takes its time for, is left out
    return process.returncode, complaints.decode()


SIGNALS = [
    (signal.SIGTERM, 143, "ended by signal 15"),
    (signal.SIGHUP, 129, "ended by signal 1"),
    (signal.SIGINT, 130, "interrupted"),
]


@pytest.mark.skipif(os.name != "posix", reason="this platform has no signals to send")
def test_ctrl_c_while_commands_are_imported():
    """No traceback of Python's, whatever module it is in."""
    with start("recipes", program=("-c", IMPORT)) as process:
        assert process.stdout.readline() == b"half\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60) == (b"", b"numbainit: error: interrupted\n")
    assert process.returncode == 130


@pytest.mark.full
@pytest.mark.parametrize(("number", "code", "fragment"), thinned(SIGNALS, SIGNALS[2:], several=True))
def test_a_signal_does_not_wait_for_what_is_compiled(small, out, number, code, fragment):
    """Nothing is begun by then, so there is nothing to clear up."""
    (out / "m").write_bytes(b"old")
    found, complaints = _end_half_way(small, out, number, STEP)
    assert (found, complaints) == (code, f"numbainit: error: {fragment}\n")
    assert contents(out) == {"m": b"old"}


@pytest.mark.full
@pytest.mark.parametrize(("number", "code", "fragment"), SIGNALS)
@pytest.mark.parametrize("old", thinned([None, b"old"], [None]))
def test_a_polite_signal_leaves_nothing_behind(small, out, number, code, fragment, old):
    if old:
        (out / "m").write_bytes(old)
    found, complaints = _end_half_way(small, out, number)
    assert found == code
    assert re.fullmatch(rf"numbainit: error: {fragment}\n", complaints)
    assert contents(out) == ({"m": old} if old else {})


@pytest.mark.parametrize("old", [None, b"old"])
def test_a_kill_leaves_no_half_output(small, out, old):
    if old:
        (out / "m").write_bytes(old)
    assert _end_half_way(small, out, signal.SIGKILL)[0] == -signal.SIGKILL
    left = contents(out)
    assert left.pop("m", None) == old
    assert all(name.endswith(".numbainit") for name in left)
    assert run("init", small, "-o", out / "m", "--json") == 0  # which removes what the dead one has left
    assert list(contents(out)) == ["m"]
    assert load_file(out / "m").keys() == SMALL.keys()


@pytest.fixture
def ctrl_c_is_heard():
    """Which a shell lets what it runs in the background ignore."""
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, inherited)


@pytest.mark.skipif(os.name != "posix", reason="this platform has no signals to send")
@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_does_not_end_the_clearing_up(first, ctrl_c_is_heard):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    cleared = []

    def run():
        with ending.unwinding():
            try:
                signal.raise_signal(first)
            finally:
                signal.raise_signal(signal.SIGINT)
                signal.raise_signal(signal.SIGTERM)
                cleared.append(1)

    with pytest.raises((KeyboardInterrupt, SystemExit)):
        run()
    assert cleared == [1]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_signal_handlers_are_put_back(small, out):
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)]
    assert run("init", small, "-o", out / "m") == 0
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)] == before


def test_runs_in_a_thread(small, out):
    """Signals belong to the main thread; elsewhere the command works without."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(run, "init", small, "-o", out / "m").result() == 0
    assert load_file(out / "m").keys() == SMALL.keys()
