"""Checkpoints: what is there and right stays, what is missing or wrong is made, what is another's is refused."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from numbainit.errors import InvalidValueError, OutputError
from numbainit.files import failures, manifests, temporaries
from numbainit.files.checkpoints import Checkpoint, seed_there
from numbainit.files.headers import Parameter
from numbainit.files.pieces import pieces, whole
from numbainit.files.sharded import INDEX, by_rank, by_size, names_by_rank
from numbainit.targets.cpu.runs import RUN

MODEL = [
    Parameter("large", (5, RUN // 16), "F32"),
    Parameter("w", (4, 6), "F32"),
    Parameter("half", (30,), "F16"),
    Parameter("scalar", (), "F32"),
    Parameter("empty", (0, 3), "F32"),
    Parameter("end", (100, 10), "F64"),
]
METADATA = {"format": "pt", "numbainit": "1", "seed": "7", "rules": json.dumps({"init": "normal", "options": {}})}
LIMIT = 5000


def checkpoint(folder, metadata=METADATA, limit=LIMIT, model=MODEL):
    shards = by_size(model, limit)
    return Checkpoint(folder, shards, {one.file for one in shards}, metadata, len(shards) > 1)


def fill(piece, array):
    """Every element is its number in the whole."""
    block = piece.box.block
    part = piece.box
    numbers = np.arange(part.of.size).reshape(part.of.shape)
    box = tuple(slice(at, at + size) for at, size in zip(part.start, part.shape, strict=True))
    array[...] = numbers[box] % 1000
    return block


def make(found, resume=False, chosen=None, fill=fill):
    """What was made, and what of it was wrong."""
    missing, wrong = found.to_make(found.shards if chosen is None else chosen, resume)
    found.make(missing, fill, lambda piece, known: None, ())
    return [shard.file for shard in missing], wrong


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def arrays(folder):
    found = {}
    for path in folder.glob("*.safetensors"):
        found |= load_file(path)
    return found


@pytest.fixture
def made(tmp_path):
    """A whole checkpoint of three files."""
    make(checkpoint(tmp_path / "d"))
    return tmp_path / "d"


FILES = [f"model-0000{at}-of-00003.safetensors" for at in (1, 2, 3)]


def test_all_files_an_index_and_manifests(made):
    manifest_names = [name.replace(".safetensors", ".manifest.json") for name in FILES]
    assert sorted(contents(made)) == sorted([*FILES, *manifest_names, INDEX])
    found = arrays(made)
    assert set(found) == {one.name for one in MODEL}
    for one in MODEL:
        np.testing.assert_array_equal(found[one.name], np.arange(one.size).reshape(one.shape) % 1000)
    weight_map = json.loads((made / INDEX).read_text())["weight_map"]
    assert all(name in load_file(made / file) for name, file in weight_map.items())


def test_one_file_without_an_index(tmp_path):
    make(checkpoint(tmp_path / "d", limit=10**9))
    assert sorted(contents(tmp_path / "d")) == ["model.manifest.json", "model.safetensors"]


def test_digests_are_sha256_of_bytes_or_of_the_digests_of_pieces(made):
    for file in FILES:
        for name, array in load_file(made / file).items():
            entry = json.loads(manifests.path_of(made / file).read_text())["tensors"][name]
            memory = array.tobytes()
            parameter = next(one for one in MODEL if one.name == name)
            cuts = [memory[piece.first : piece.first + piece.box.nbytes] for piece in pieces(whole(parameter))]
            found = [hashlib.sha256(cut) for cut in cuts]
            expected = found[0] if len(found) == 1 else hashlib.sha256(b"".join(one.digest() for one in found))
            assert (entry["sha256"], entry["shape"]) == (expected.hexdigest(), list(parameter.shape))
    assert len(list(pieces(whole(MODEL[0])))) == 2


def test_a_tensor_made_as_a_whole_has_the_same_digest(made, tmp_path):
    found = checkpoint(tmp_path / "whole")
    missing, _ = found.to_make(found.shards, False)
    found.make(missing, fill, lambda piece, known: None, ["large"])
    assert contents(tmp_path / "whole") == contents(made)


def test_each_file_alone_is_the_same(made, tmp_path):
    for at in (2, 0, 1):
        assert not (tmp_path / "e" / INDEX).exists()
        found = checkpoint(tmp_path / "e")
        assert make(found, chosen=[found.shards[at]]) == ([FILES[at]], {})
    assert contents(tmp_path / "e") == contents(made)


@pytest.mark.parametrize("world", [1, 3])
def test_each_rank_alone_is_the_same(tmp_path, world):
    shards = [by_rank(MODEL, rank, world) for rank in range(world)]
    names = set(names_by_rank(world))
    make(Checkpoint(tmp_path / "all", shards, names, METADATA, False))
    for shard in reversed(shards):
        make(Checkpoint(tmp_path / "each", [shard], names, METADATA, False))
    assert contents(tmp_path / "all") == contents(tmp_path / "each")
    for shard in shards:
        found = load_file(tmp_path / "all" / shard.file)
        entries = json.loads(manifests.path_of(tmp_path / "all" / shard.file).read_text())["tensors"]
        assert set(found) == set(entries) == {part.name for part in shard.parts}
        for part in shard.parts:
            box = tuple(slice(at, at + size) for at, size in zip(part.start, part.shape, strict=True))
            np.testing.assert_array_equal(found[part.name], np.arange(part.of.size).reshape(part.of.shape)[box] % 1000)
            assert entries[part.name].get("start", [0] * len(part.shape)) == list(part.start)


# ---- going on ----


def test_what_is_there_is_not_made_again_without_resume(made):
    before = contents(made)
    with pytest.raises(InvalidValueError, match=r"model-00001-of-00003.*is there already: --resume"):
        make(checkpoint(made))
    assert contents(made) == before


def test_resume_makes_nothing_where_all_is_right(made):
    before = {path.name: path.stat().st_mtime_ns for path in made.iterdir() if path.name != INDEX}
    assert make(checkpoint(made), resume=True) == ([], {})
    assert {path.name: path.stat().st_mtime_ns for path in made.iterdir() if path.name != INDEX} == before


def _flip(path, name):
    """Another byte in the middle of a tensor."""
    data = bytearray(path.read_bytes())
    length = int.from_bytes(data[:8], "little")
    start, stop = json.loads(data[8 : 8 + length])[name]["data_offsets"]
    data[8 + length + (start + stop) // 2] ^= 1
    path.write_bytes(data)


DAMAGE = {
    "a file is missing": (lambda made: (made / FILES[1]).unlink(), [FILES[1]], {}),
    "the index is missing": (lambda made: (made / INDEX).unlink(), [], {}),
    "a bit": (lambda made: _flip(made / FILES[0], "large"), [FILES[0]], {FILES[0]: ["large"]}),
    "two files": (
        lambda made: (_flip(made / FILES[2], "w"), (made / FILES[0]).unlink()),
        [FILES[0], FILES[2]],
        {FILES[2]: ["w"]},
    ),
    "cut off": (lambda made: (made / FILES[2]).write_bytes((made / FILES[2]).read_bytes()[:-1]), [FILES[2]], None),
    "empty": (lambda made: (made / FILES[1]).write_bytes(b""), [FILES[1]], None),
    "longer": (lambda made: (made / FILES[1]).write_bytes((made / FILES[1]).read_bytes() + b"x"), [FILES[1]], None),
    "no file, but its manifest": (lambda made: [(made / file).unlink() for file in FILES], FILES, {}),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_resume_makes_what_is_missing_or_wrong_and_no_more(made, damage):
    before = contents(made)
    spoil, files, wrong = DAMAGE[damage]
    spoil(made)
    kept = {file: (made / file).stat().st_mtime_ns for file in FILES if file not in files}
    found = make(checkpoint(made), resume=True)
    assert found[0] == files
    assert wrong is None or found[1] == wrong
    assert contents(made) == before
    assert {file: (made / file).stat().st_mtime_ns for file in kept} == kept


OTHER = {
    "seed": (METADATA | {"seed": "8"}, {}, "the seed is 7 there, and 8 now"),
    "recipe": (
        METADATA | {"rules": json.dumps({"init": "normal", "options": {"std": 0.5}}) + " " * 99},
        {},
        r"another rules: options is {} there, and {'std': 0.5} now",
    ),
    "more": (METADATA | {"recipe": "gpt2"}, {}, "the recipe is None there, and gpt2 now|another recipe"),
    "cut": (METADATA, {"limit": 80}, "which is no file of this checkpoint"),
    "dtype": (METADATA, {"model": [one.cast("F64") if one.name == "w" else one for one in MODEL]}, "'w' is F32"),
    "shape": (
        METADATA,
        {"model": [Parameter("w", (6, 4), "F32") if one.name == "w" else one for one in MODEL]},
        r"'w' is F32 \[4, 6\] there, and F32 \[6, 4\] now",
    ),
}


@pytest.mark.parametrize("what", OTHER)
@pytest.mark.parametrize("resume", [True, False])
def test_another_checkpoint_is_refused_with_what_differs(made, what, resume):
    before = contents(made)
    metadata, options, match = OTHER[what]
    with pytest.raises(InvalidValueError, match=match):
        make(checkpoint(made, metadata, **options), resume=resume)
    assert contents(made) == before


def test_another_version_goes_on_with_what_is_there(made):
    (made / FILES[1]).unlink()
    assert make(checkpoint(made, METADATA | {"numbainit": "2"}), resume=True) == ([FILES[1]], {})


def test_a_seed_that_differs_between_ranks_is_found(tmp_path):
    names = set(names_by_rank(4))
    make(Checkpoint(tmp_path / "d", [by_rank(MODEL, 2, 4)], names, METADATA, False))
    with pytest.raises(InvalidValueError, match="the seed is 7 there, and 8 now"):
        make(Checkpoint(tmp_path / "d", [by_rank(MODEL, 0, 4)], names, METADATA | {"seed": "8"}, False))


def test_files_of_others_are_never_replaced(tmp_path):
    """A trained model under a name that would fit: without a manifest, or written after it."""
    folder = tmp_path / "d"
    folder.mkdir()
    save_file({"w": np.ones(3)}, folder / "model.safetensors")
    before = contents(folder)
    with pytest.raises(InvalidValueError, match="has no manifest: it was written by something else"):
        make(checkpoint(folder, limit=10**9), resume=True)
    assert contents(folder) == before
    (folder / "model.safetensors").unlink()
    make(checkpoint(folder, limit=10**9))
    save_file(load_file(folder / "model.safetensors"), folder / "model.safetensors", {"format": "pt"})
    before = contents(folder)
    with pytest.raises(InvalidValueError, match="was written by something else since"):
        make(checkpoint(folder, limit=10**9), resume=True)
    assert contents(folder) == before


@pytest.mark.parametrize("name", ["other.safetensors", "other.safetensors.index.json"])
def test_a_folder_with_another_model(made, name):
    (made / name).write_bytes(b"{}")
    with pytest.raises(InvalidValueError, match=f"holds {name}, which is no file of this checkpoint"):
        make(checkpoint(made), resume=True)


def manifest_of(facts):
    return json.dumps({"format": "numbainit-manifest-1", "metadata": {}, "tensors": {}} | facts)


SPOILT = [
    *("", "{}", "[]", "[" * 10**5),
    *(manifest_of(facts) for facts in ({"tensors": []}, {"metadata": []}, {"metadata": {"\ud800": ""}})),
    *(manifest_of({"metadata": METADATA | facts}) for facts in ({"seed": 7}, {"numbainit": "\ud800"})),
]


@pytest.mark.parametrize("text", SPOILT, ids=range(len(SPOILT)))
def test_a_spoilt_manifest_is_named(made, text):
    (made / "model-00002-of-00003.manifest.json").write_text(text)
    with pytest.raises(InvalidValueError, match=r"model-00002-of-00003\.manifest\.json .*remove it"):
        make(checkpoint(made), resume=True)


def test_rules_that_are_nested_without_end_are_other_rules(made):
    (made / "model-00002-of-00003.manifest.json").write_text(
        manifest_of({"metadata": METADATA | {"rules": "[" * 10**5}})
    )
    with pytest.raises(InvalidValueError, match=r"holds another checkpoint .*another rules"):
        make(checkpoint(made), resume=True)


THINGS = {
    "folder": lambda path: path.mkdir(),
    "pipe": lambda path: os.mkfifo(path),
    "loop": lambda path: path.symlink_to(path.name),
}


@pytest.mark.parametrize("what", THINGS)
@pytest.mark.parametrize("name", ["model-00002-of-00003.safetensors", "model-00002-of-00003.manifest.json", INDEX])
def test_what_is_no_file_is_refused_before_anything_is_made(made, name, what):
    """A pipe would be waited for, and of a folder nothing was said before the other files were made."""
    (made / "model-00001-of-00003.safetensors").unlink()
    (made / name).unlink()
    THINGS[what](made / name)
    before = sorted(made.iterdir())
    with pytest.raises(InvalidValueError, match=f"{name} (is no file|cannot be read)"):
        make(checkpoint(made), resume=True)
    if name.endswith(".manifest.json"):
        with pytest.raises(InvalidValueError, match=f"{name} (is no file|cannot be read)"):
            seed_there(made, [name.replace(".manifest.json", ".safetensors")])
    assert sorted(made.iterdir()) == before


def test_who_comes_second_leaves_what_is_there(tmp_path):
    """Both find the folder empty, and one has made all before the other begins."""
    first, second = checkpoint(tmp_path / "d"), checkpoint(tmp_path / "d", METADATA | {"seed": "8"})
    chosen = [found.to_make(found.shards, False)[0] for found in (first, second)]
    second.make(chosen[1], fill, lambda piece, known: None, ())
    before = contents(tmp_path / "d")
    assert INDEX in before
    with pytest.raises(InvalidValueError, match=r"the seed is 8 there, and 7 now"):
        first.make(chosen[0], fill, lambda piece, known: None, ())
    assert contents(tmp_path / "d") == before


def test_two_seeds_that_make_different_files_make_no_index(tmp_path):
    """Each finds nothing of its own file's name; who comes to an end second, sees the other's."""
    first, second = checkpoint(tmp_path / "d"), checkpoint(tmp_path / "d", METADATA | {"seed": "8"})
    chosen = [found.to_make(found.shards, False)[0] for found in (first, second)]
    second.make(chosen[1][1:], fill, lambda piece, known: None, ())
    with pytest.raises(InvalidValueError, match=r"the seed is 8 there, and 7 now"):
        first.make(chosen[0][:1], fill, lambda piece, known: None, ())
    assert not (tmp_path / "d" / INDEX).exists()


def test_two_seeds_that_make_the_same_file_at_once(tmp_path):
    """While one fills, the other comes to an end: no manifest stands beside a file that it is not of."""
    first, second = checkpoint(tmp_path / "d"), checkpoint(tmp_path / "d", METADATA | {"seed": "8"})
    chosen = [found.to_make(found.shards, False)[0] for found in (first, second)]
    made = []

    def fill_late(piece, array):
        if not made:
            made.append(second.make(chosen[1][:1], fill, lambda piece, known: None, ()))
        return fill(piece, array)

    with pytest.raises(InvalidValueError, match=r"the seed is 8 there, and 7 now"):
        first.make(chosen[0][:1], fill_late, lambda piece, known: None, ())
    assert sorted(contents(tmp_path / "d")) == [manifests.path_of(Path(FILES[0])).name, FILES[0]]
    assert make(second, resume=True, chosen=second.shards[:1]) == ([], {})


@pytest.mark.full
@pytest.mark.skipif(temporaries.fcntl is None, reason="this platform has no locks")
def test_processes_of_many_seeds_at_the_same_file(tmp_path):
    """Whoever wins: the manifest is that of the file, and the others say so."""
    code = (
        "import sys; from pathlib import Path; import test_checkpoints as own\n"
        "found = own.checkpoint(Path(sys.argv[1]), own.METADATA | {'seed': sys.argv[2]})\n"
        "missing = found.to_make(found.shards[:1], False)[0]\n"
        "print(flush=True); input()\n"
        "found.make(missing, own.fill, lambda piece, known: None, ())"
    )
    paths = [str(Path(__file__).parent), *sys.path]
    for turn in range(2):
        folder, processes = tmp_path / str(turn), []
        for seed in range(3):
            words = [sys.executable, "-c", code, str(folder), str(seed)]
            processes.append(
                subprocess.Popen(
                    words,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
                )
            )
        for process in processes:
            process.stdout.readline()  # all have looked, and found nothing
        for process in processes:
            process.stdin.write(b"\n")
            process.stdin.flush()
        complaints = [process.communicate(timeout=300)[1].decode() for process in processes]
        (winner,) = [seed for seed, process in enumerate(processes) if process.returncode == 0]
        assert all(f"the seed is {winner} there" in text for text in complaints if text)
        found = checkpoint(folder, METADATA | {"seed": str(winner)})
        assert make(found, resume=True, chosen=found.shards[:1]) == ([], {})


def test_other_files_do_not_matter(made):
    (made / "config.json").write_text("{}")
    (made / "README.md").write_text("")
    assert make(checkpoint(made), resume=True) == ([], {})


def test_the_seed_of_a_folder(made, tmp_path):
    assert seed_there(made, FILES) == 7
    assert seed_there(tmp_path, FILES) is None


# ---- failures ----


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_whole_files_and_no_index(tmp_path, error):
    def breaks(piece, array):
        if piece.part.name == "end":
            raise error("broken")
        return fill(piece, array)

    folder = tmp_path / "d"
    with pytest.raises(error, match="broken"):
        make(checkpoint(folder), fill=breaks)
    assert not any(name in contents(folder) for name in (INDEX, FILES[2]))
    whole_ones = [name for name in FILES if (folder / name).exists()]
    assert whole_ones
    assert all(not name.startswith(".") for name in contents(folder))
    assert make(checkpoint(folder), resume=True)[0] == [name for name in FILES if name not in whole_ones]
    assert (folder / INDEX).exists()


def test_the_index_goes_before_a_file_is_made_again(made):
    (made / FILES[1]).unlink()
    seen = []

    def look(piece, array):
        seen.append((made / INDEX).exists())
        return fill(piece, array)

    make(checkpoint(made), resume=True, fill=look)
    assert not any(seen)
    assert (made / INDEX).exists()


def test_an_error_at_once_leaves_no_folder(tmp_path):
    def breaks(piece, array):
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        make(checkpoint(tmp_path / "d"), fill=breaks)
    assert not (tmp_path / "d").exists()


def test_no_room_is_known_before(tmp_path, monkeypatch):
    monkeypatch.setattr(failures, "free", lambda folder: 100)
    with pytest.raises(OutputError, match=r"the disk is full; .* bytes are wanted and 100 are free"):
        make(checkpoint(tmp_path / "d"))
    assert not (tmp_path / "d").exists()
