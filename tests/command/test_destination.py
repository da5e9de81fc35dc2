"""The outputs of ``numbainit init``: files of many kinds, shards that go on, reports that cannot be printed."""

import argparse
import json
import os
import pty
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import numbainit
from cases import thinned
from numbainit import init
from numbainit.command import cli
from numbainit.command.destination import _size
from numbainit.command.filling import Filling
from numbainit.command.report import Result
from numbainit.command.shapes import read_shapes
from numbainit.files.pieces import pieces
from numbainit.files.safetensors import Safetensors
from numbainit.files.sharded import by_size, index
from numbainit.generator import Generator
from numbainit.recipes import Tensor, default

MODEL = {
    "embed.weight": {"dtype": "F32", "shape": [5000, 300]},
    "fc.weight": {"dtype": "F32", "shape": [40, 30]},
    "fc.bias": {"dtype": "F32", "shape": [40]},
    "norm.weight": {"dtype": "F16", "shape": [30]},
    "conv.weight": {"dtype": "F64", "shape": [8, 4, 3, 3]},
    "bn.num_batches_tracked": {"dtype": "I64", "shape": []},
    "none.weight": {"dtype": "F32", "shape": [0, 3]},
}
ENVIRONMENT = {key: value for key, value in os.environ.items() if key not in ("FORCE_COLOR", "COLUMNS")}
ENVIRONMENT["PYTHONPATH"] = str(Path(numbainit.__file__).parents[1])
SHARDED = ("--shard-size", "3MB")


@pytest.fixture
def model(tmp_path):
    """The path of a JSON header, in a folder of its own."""
    folder = tmp_path / "shapes"
    folder.mkdir()
    path = folder / "model.json"
    path.write_text(json.dumps(MODEL))
    return path


def run(*words):
    """The exit code of a run in this process."""
    return cli.main([str(word) for word in words])


def command(*words):
    return [sys.executable, "-W", "error", "-m", "numbainit", *map(str, words)]


def process(*words, **options):
    """A run in a process of its own, that has ended."""
    return subprocess.run(command(*words), env=ENVIRONMENT, timeout=300, **{"capture_output": True} | options)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# ---- formats ----


def test_every_format_has_the_same_values(model, out, capsys):
    for name in ("m.safetensors", "m.npz"):
        assert run("init", model, "-o", out / name, "--seed", 7) == 0
    wanted = load_file(out / "m.safetensors")
    with np.load(out / "m.npz") as file:
        assert {name: array.tobytes() for name, array in file.items()} == {
            name: array.tobytes() for name, array in wanted.items()
        }
    alone = init.normal_(np.empty((5000, 300), "f4"), std=0.02, generator=Generator(7).fold_in("embed.weight"))
    np.testing.assert_array_equal(wanted["embed.weight"], alone)
    shapes = model.with_name("one.json")
    shapes.write_text(json.dumps({"embed.weight": MODEL["embed.weight"]}))
    assert run("init", shapes, "-o", out / "m.npy", "--seed", 7) == 0
    np.testing.assert_array_equal(np.load(out / "m.npy"), alone)


@pytest.mark.full
def test_zarr_has_the_same_values(model, out):
    zarr = pytest.importorskip("zarr", minversion="3", reason="zarr 3 is not installed")
    assert run("init", model, "-o", out / "m.zarr", "--seed", 7) == 0
    assert run("init", model, "-o", out / "m", "--seed", 7) == 0
    group = zarr.open_group(out / "m.zarr", mode="r")
    for name, array in load_file(out / "m").items():
        np.testing.assert_array_equal(group[name][...], array)
    assert group.attrs["seed"] == "7"


@pytest.mark.parametrize("name", ["orthogonal", "sparse"])
def test_matrices_that_are_made_as_a_whole(tmp_path, out, name):
    """Larger than a piece; and a rank's rows of them are cut out."""
    header = tmp_path / "header.json"
    header.write_text(
        json.dumps({"w": {"dtype": "F32", "shape": [1100, 1000]}, "v": {"dtype": "F32", "shape": [9, 8]}})
    )
    options = ("--init", name, *(("--sparsity", "0.5") if name == "sparse" else ()), "--seed", 7)
    assert run("init", header, "-o", out / "m", *options) == 0
    assert run("init", header, "-o", out / "d", *options, "--world", 3) == 0
    found = load_file(out / "m")
    for key in "wv":
        array = np.empty(found[key].shape, "f4")
        generator = Generator(7).fold_in(key)
        if name == "orthogonal":
            gram = found[key].T.astype("f8") @ found[key]
            assert np.abs(gram - np.eye(len(gram))).max() < 1e-5
        else:
            np.testing.assert_array_equal(found[key], init.sparse_(array, 0.5, generator=generator))
        parts = [load_file(path).get(key) for path in sorted((out / "d").glob("*.safetensors"))]
        np.testing.assert_allclose(np.concatenate(parts), found[key], atol=1e-5 * (name == "orthogonal"))


@pytest.mark.full
@pytest.mark.parametrize("dtype", ["f8_e4m3", "f8_e5m2", "f8_e4m3fnuz", "f8_e5m2fnuz"])
def test_small_floats(model, out, dtype):
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    assert run("init", model, "-o", out / "m", "--seed", 7, "--dtype", dtype) == 0
    assert run("init", model, "-o", out / "wide", "--seed", 7) == 0
    name = {"f8_e4m3": "float8_e4m3fn"}.get(dtype, dtype.replace("f8", "float8"))
    wide = load_file(out / "wide")["embed.weight"]
    with safe_open(out / "m", "numpy") as file:
        assert file.get_slice("embed.weight").get_dtype() == dtype.upper()
    size = int.from_bytes((out / "m").read_bytes()[:8], "little")
    header = json.loads((out / "m").read_bytes()[8 : 8 + size])
    start, stop = header["embed.weight"]["data_offsets"]
    found = (out / "m").read_bytes()[8 + size + start : 8 + size + stop]
    assert found == wide.astype(getattr(ml_dtypes, name)).tobytes()


def test_each_parameter_keeps_its_dtype(model, out):
    assert run("init", model, "-o", out / "m", "--seed", 7, "--dtype", "keep") == 0
    with safe_open(out / "m", "numpy") as file:
        found = {name: file.get_slice(name).get_dtype() for name in MODEL}
    assert found == {name: entry["dtype"] for name, entry in MODEL.items()}


def test_complex_parameters(tmp_path, out):
    header = tmp_path / "header.json"
    header.write_text(json.dumps({"w": {"dtype": "C64", "shape": [50, 30]}}))
    assert run("init", header, "-o", out / "m", "--seed", 7) == 0
    wanted = init.normal_(np.empty((50, 30), "c8"), std=0.02, generator=Generator(7).fold_in("w"))
    np.testing.assert_array_equal(load_file(out / "m")["w"], wanted)


def test_shapes_of_a_sharded_checkpoint_and_of_numpy(model, out):
    assert run("init", model, "-o", out / "m", "--seed", 7) == 0
    assert run("init", model, "-o", out / "d", "--seed", 7, *SHARDED) == 0
    assert run("init", model, "-o", out / "m.npz", "--seed", 7) == 0
    wanted = {name: array.tobytes() for name, array in load_file(out / "m").items()}
    for at, shapes in enumerate([out / "d", out / "d" / "model.safetensors.index.json", out / "m.npz"]):
        assert run("init", shapes, "-o", out / str(at), "--seed", 7) == 0
        assert {name: array.tobytes() for name, array in load_file(out / str(at)).items()} == wanted


# ---- into what is there ----


@pytest.mark.parametrize("source", ["m", "link", "hard link", "d", "index", "m.npz"])
def test_what_was_read_is_not_replaced(model, out, capsys, source):
    """It may be trained, and nobody asks before an output is replaced."""
    small = model.with_name("small.json")
    small.write_text(json.dumps({name: MODEL[name] for name in ("fc.weight", "fc.bias")}))
    assert run("init", small, "-o", out / "m", "--seed", 7) == 0
    assert run("init", small, "-o", out / "m.npz", "--seed", 7) == 0
    assert run("init", small, "-o", out / "d", "--seed", 7, "--shard-size", "4800B") == 0
    (out / "link").symlink_to("m")
    os.link(out / "m", out / "hard link")
    shard, index_file = out / "d" / "model-00001-of-00002.safetensors", out / "d" / "model.safetensors.index.json"
    shapes, output = {"d": (out / "d", shard), "index": (index_file, shard)}.get(source, (out / source, out / source))
    output = out / "m" if "link" in source else output
    before = output.read_bytes()
    capsys.readouterr()
    assert run("init", shapes, "-o", output, "--seed", 8) == 2
    assert "shapes were read from" in capsys.readouterr().err
    assert output.read_bytes() == before
    assert run("init", shapes, "-o", out / "new.safetensors", "--seed", 8) == 0
    assert run("init", small, "-o", out / "m", "--seed", 8) == 0  # what was not read is replaced


@pytest.mark.full
@pytest.mark.skipif(os.name != "posix", reason="this platform has no signals to send")
def test_a_signal_does_not_wait_for_a_reader_that_does_not_read(model):
    words = ["init", str(model), "-o", "-", "--seed", "7"]
    code = (
        "import signal; from numbainit.command.starting import run\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler); run()"  # whatever the parent ignores
    )
    started = [sys.executable, "-c", code, *words]
    with subprocess.Popen(started, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.read(8)
        time.sleep(0.5)  # the pipe is full by then, or will be
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=300) == 130


@pytest.mark.full
def test_the_standard_output(model, out):
    assert run("init", model, "-o", out / "m", "--seed", 7) == 0
    for name in ("-", "/dev/stdout"):
        ended = process("init", model, "-o", name, "--seed", 7, "--json")
        assert ended.returncode == 0
        assert ended.stdout == (out / "m").read_bytes()
        assert json.loads(ended.stderr)["parameters"] == len(MODEL)  # the report goes elsewhere
        with (out / "n").open("wb") as file:
            process(
                "init", model, "-o", name, "--seed", 7, stdout=file, stderr=subprocess.DEVNULL, capture_output=False
            )
        assert (out / "n").read_bytes() == (out / "m").read_bytes()


@pytest.mark.full
def test_a_reader_that_leaves_early(model, out):
    with subprocess.Popen(
        command("init", model, "-o", "-", "--seed", 7), env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as started:
        started.stdout.read(100)
        started.stdout.close()
        complaints = started.stderr.read().decode()
        assert started.wait(60) == 1
    assert complaints == "numbainit: error: output -: who was reading it has gone before the end\n"


@pytest.mark.full
def test_the_standard_output_under_another_name(model, out):
    with (out / "m").open("wb") as file:
        ended = process("init", model, "-o", out / "m", stdout=file, stderr=subprocess.PIPE, capture_output=False)
    assert ended.returncode == 2
    assert b"say -o -" in ended.stderr
    assert contents(out) == {"m": b""}


def test_a_terminal_is_no_place_for_a_model(model):
    ours, theirs = pty.openpty()
    ended = process("init", model, "-o", "-", stdout=theirs, stderr=subprocess.PIPE, capture_output=False)
    os.close(theirs)
    os.close(ours)
    assert ended.returncode == 2
    assert b"this is a terminal" in ended.stderr


def test_null_and_full(model, capsys):
    assert run("init", model, "-o", "/dev/null") == 0
    assert run("init", model, "-o", "/dev/full") == 1
    assert "the disk is full" in capsys.readouterr().err


# ---- reports that cannot be printed ----


@pytest.mark.full
@pytest.mark.parametrize("options", thinned([(), ("--json",)], [()]))
@pytest.mark.parametrize("where", thinned(["full", "closed pipe", "closed"], ["closed pipe"]))
def test_a_report_that_cannot_be_printed(model, out, options, where):
    words = command("init", model, "-o", out / "m", "--seed", 7, *options)
    if where == "closed":
        words = ["sh", "-c", 'exec "$0" "$@" >&-', *words]
    ours, theirs = os.pipe()
    os.close(ours)
    target = {"full": os.open("/dev/full", os.O_WRONLY), "closed pipe": theirs, "closed": subprocess.DEVNULL}[where]
    ended = subprocess.run(words, env=ENVIRONMENT, stdout=target, stderr=subprocess.PIPE, timeout=120)
    complaints = ended.stderr.decode()
    assert ended.returncode == 0
    assert "Traceback" not in complaints
    if where != "closed":
        assert complaints.startswith("numbainit: all is written, but the report could not be printed: ")
    assert len(complaints.splitlines()) <= 1
    assert load_file(out / "m").keys() == MODEL.keys()


@pytest.mark.full
def test_a_terminal_that_has_few_characters(model, out):
    environment = ENVIRONMENT | {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    ended = subprocess.run(
        command("init", model, "-o", out / "größe", "--seed", 7), env=environment, capture_output=True, timeout=120
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert b"gr\\xf6\\xdfe" in ended.stdout
    assert ended.stdout.isascii()
    assert list(contents(out)) == ["größe"]


@pytest.mark.full
def test_no_standard_error(model, out):
    words = ["sh", "-c", 'exec "$0" "$@" 2>&-', *command("init", model, "-o", out / "none" / "m")]
    assert subprocess.run(words, env=ENVIRONMENT, stdout=subprocess.PIPE, timeout=120).returncode == 2


# ---- shards ----


def test_shards_are_reported(model, out, capsys):
    assert run("init", model, "-o", out / "d", "--seed", 7, *SHARDED, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    files = [f"model-0000{at}-of-00002.safetensors" for at in (1, 2)]
    assert (facts["files"], facts["kept"], facts["wrong"]) == (files, [], {})
    (out / "d" / files[1]).write_bytes(b"")
    assert run("init", model, "-o", out / "d", *SHARDED, "--resume", "--json") == 0  # with the seed that is there
    facts = json.loads(capsys.readouterr().out)
    assert (facts["files"], facts["kept"], facts["seed"]) == ([files[1]], [files[0]], 7)
    assert set(facts["wrong"]) == {files[1]}
    assert run("init", model, "-o", out / "d", *SHARDED, "--resume") == 0
    assert "wrote 0 files, kept 2 that were right in" in capsys.readouterr().out


def test_one_file_alone_is_the_same_file(model, out):
    assert run("init", model, "-o", out / "all", "--seed", 7, *SHARDED) == 0
    for number in (2, 1):
        assert run("init", model, "-o", out / "each", "--seed", 7, *SHARDED, "--only", number) == 0
    assert contents(out / "each") == contents(out / "all")
    assert run("init", model, "-o", out / "ranks", "--seed", 7, "--world", 3) == 0
    for rank in (1, 2, 0):
        assert run("init", model, "-o", out / "rank", "--seed", 7, "--world", 3, "--rank", rank) == 0
    assert contents(out / "rank") == contents(out / "ranks")
    assert run("init", model, "-o", out / "m", "--seed", 7) == 0
    for name, whole in load_file(out / "m").items():
        if whole.shape and whole.size:
            files = [load_file(path) for path in sorted((out / "ranks").glob("*.safetensors"))]
            np.testing.assert_array_equal(np.concatenate([file[name] for file in files if name in file]), whole)


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        (("--seed", 8), "the seed is 7 there, and 8 now"),
        (("--std", 0.5), "options is {} there, and {'std': 0.5} now"),
        (("--init", "uniform"), "init is normal there, and uniform now"),
        (("--dtype", "bf16"), "'embed.weight' is F32 [5000, 300] there, and BF16 [5000, 300] now"),
    ],
)
def test_another_recipe_or_seed_is_refused(model, out, capsys, options, fragment):
    assert run("init", model, "-o", out / "d", "--seed", 7, *SHARDED) == 0
    before = contents(out / "d")
    capsys.readouterr()
    assert run("init", model, "-o", out / "d", *SHARDED, "--resume", *options) == 2
    assert fragment in capsys.readouterr().err
    assert contents(out / "d") == before


def test_a_trained_model_is_never_replaced(model, out, capsys):
    (out / "d").mkdir()
    save_file({"w": np.ones(3)}, out / "d" / "model.safetensors")
    before = contents(out / "d")
    for options in ((), ("--resume",)):
        assert run("init", model, "-o", out / "d", "--shard-size", "5GB", *options) == 2
    assert contents(out / "d") == before


@pytest.mark.parametrize(
    ("text", "size"),
    [("5GB", 5 * 10**9), ("500MB", 5 * 10**8), ("4GiB", 2**32), ("1.5kb", 1500), ("2 TB", 2 * 10**12), ("7", 7),
     ("3g", 3 * 10**9)],
)  # fmt: skip
def test_sizes(text, size):
    assert _size(text) == size


@pytest.mark.parametrize("text", ["", "0", "-5GB", "5XB", "GB", "1e3", "0.1", "5 G B", "inf"])
def test_what_is_no_size(text):
    with pytest.raises(argparse.ArgumentTypeError, match="wanted a size"):
        _size(text)


@pytest.mark.full
def test_llama_3_8b_by_its_headers_and_sampled_pieces():
    """The files of the whole model, 16 GB in bf16, of which a piece here and there is made."""
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    model = [parameter.cast("BF16") for parameter in read_shapes("llama3-8b")]
    shards = by_size(model, 5 * 10**9)
    assert [shard.file for shard in shards] == [f"model-0000{at}-of-00004.safetensors" for at in (1, 2, 3, 4)]
    forms = [Safetensors(shard.parts, {"format": "pt"}) for shard in shards]
    facts = json.loads(index(shards))
    assert (len(facts["weight_map"]), facts["metadata"]["total_parameters"]) == (291, 8_030_261_248)
    assert facts["metadata"]["total_size"] == 16_060_522_496 == sum(form.size - len(form.layout.head) for form in forms)
    for form in forms:
        header = json.loads(form.layout.head[8:])
        ends = [0, *(header[part.name]["data_offsets"][1] for part in form.order)]
        assert ends == [
            *(header[part.name]["data_offsets"][0] for part in form.order),
            form.size - len(form.layout.head),
        ]
    tensors = [Tensor(one.name, one.shape, "bfloat16") for one in model]
    recipe = default.default(default.initializer("normal")).plan(tensors, {}).recipe
    filling = Filling(recipe, Result(Path("nowhere"), 7, "bf16", "normal"))
    rng = random.Random(0)
    for part in rng.sample([part for form in forms for part in form.order], 25):
        piece = rng.choice(list(pieces(part)))
        array = np.empty(piece.box.shape, ml_dtypes.bfloat16)
        filling.fill(piece, array)
        wanted = np.ones(piece.box.shape, ml_dtypes.bfloat16)
        if wanted.ndim > 1:
            init.normal_(wanted, std=0.02, generator=Generator(7).fold_in(part.name), block=piece.box.block)
        assert array.tobytes() == wanted.tobytes()


# ---- kills ----


@pytest.mark.full
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of Python 3.12, in a process with threads
@pytest.mark.filterwarnings("ignore:os.fork.* was called:RuntimeWarning")  # of JAX, where another test imported it
def test_kills_at_50_random_moments_then_resume(model, out):
    """What looks whole is, after each; going on ends with the files of an undisturbed run, and nothing else."""
    large = {f"layers.{at}.weight": {"dtype": "F32", "shape": [1500, 1000]} for at in range(12)}
    model.write_text(json.dumps(MODEL | large))
    words = ("--seed", 7, "--shard-size", "8MB", "--resume")
    began = time.perf_counter()
    assert run("init", model, "-o", out / "whole", *words) == 0
    seconds = time.perf_counter() - began
    wanted, rng, half = contents(out / "whole"), random.Random(0), 0
    for _ in range(50):
        child = os.fork()  # what is imported is: the moments lie in the run
        if not child:
            os._exit(run("init", model, "-o", out / "d", *words))
        time.sleep(rng.uniform(0, seconds))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found = contents(out / "d") if (out / "d").exists() else {}
        half += any(name.endswith(".numbainit") for name in found)
        for name, data in found.items():
            assert name.endswith(".numbainit") or data == wanted[name]
        assert "model.safetensors.index.json" not in found or found.keys() >= wanted.keys()
        for name in rng.sample(sorted(found), len(found) // 2):  # so that there is something left to do
            if name.endswith(".safetensors"):
                (out / "d" / name).unlink()
                (out / "d" / "model.safetensors.index.json").unlink(missing_ok=True)
    assert half > 5
    assert run("init", model, "-o", out / "d", *words) == 0
    assert contents(out / "d") == wanted
