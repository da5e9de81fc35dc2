"""Audits of checkpoints: exact, changed by a bit, of another seed, cast, copied, broken, and those that are refused."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

import numbainit as init
from numbainit import errors
from numbainit.recipes import Change, Fill, Recipe, Rules, Weight

LARGE = "h.1.w"


def found(audit, name=LARGE):
    return next(one for one in audit.tensors if one.name == name)


def kinds(record):
    return {fault.kind for fault in record.faults}


# ---- where it comes from ----


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--dtype", "bf16"),
        ("--dtype", "f64", "--init", "uniform", "--a=-0.1", "--b", "0.1"),
        ("--init", "trunc_normal", "--dtype", "f16"),
        ("--init", "kaiming_normal", "--mode", "fan_out", "--nonlinearity", "relu"),
        ("--init", "orthogonal"),
        ("--init", "constant", "--val", "0.5"),
    ],
)
def test_what_init_has_made_is_exact(make, words):
    audit = init.audit(make(*words).path)
    assert (audit.verdict, audit.ok) == ("exact", True)
    assert audit.line.endswith(
        f"bit for bit, {words[words.index('--init') + 1] if '--init' in words else 'normal'}, seed 7"
    )
    assert {one.verdict for one in audit.tensors} == {"exact"}
    assert repr(audit) == f"<Audit of {audit.source}: {audit.line}>"


@pytest.mark.parametrize("place", [(0, 0), (53, 11), (95, 63)])
def test_one_bit(made, place):
    array = made.arrays[LARGE].copy()
    array.view("u4")[place] ^= 1
    audit = init.audit(made.changed({LARGE: array}))
    assert (audit.verdict, audit.ok) == ("differs", False)
    number = np.ravel_multi_index(place, array.shape)
    assert f"{LARGE}: 1 of 6,144 elements differs, from element {number:,} on" in audit.line
    assert found(audit).figures["first_difference"] == number
    assert [one.name for one in audit.tensors if one.verdict != "exact"] == [LARGE]


def test_a_tensor_of_another_seed_follows_its_law(made):
    audit = init.audit(made.changed({LARGE: init.normal((96, 64), std=0.02, generator=3)}))
    assert (audit.verdict, audit.ok) == ("fits", True)
    assert f"{LARGE} follows its law, and is not of seed 7" in audit.line
    assert not init.audit(made.changed(), expect="exact", seed=8).ok


def test_another_seed(made):
    audit = init.audit(made.path, seed=8)
    assert audit.verdict == "fits"
    assert "not this seed: no bit of 4 drawn tensors is as seed 8 makes it" in audit.line


def test_a_cast_is_known(made):
    import ml_dtypes

    drawn = {name: array for name, array in made.arrays.items() if array.ndim > 1}
    small = {name: array.astype(ml_dtypes.bfloat16) for name, array in drawn.items()}
    assert init.audit(made.changed(small)).verdict == "exact"
    wide = init.audit(made.changed({name: array.astype("float32") for name, array in small.items()}))
    assert wide.verdict == "exact"
    assert found(wide).figures["made_as"] == "bfloat16"
    doubled = init.audit(made.changed({name: array.astype("float64") for name, array in drawn.items()}))
    assert (doubled.verdict, found(doubled).figures["made_as"]) == ("exact", "float32")


def test_a_recipe_and_a_seed_are_enough(made, tmp_path):
    normal = init.Initializer("normal", std=0.02)
    plain = made.changed(metadata={})
    assert init.audit(plain, normal, seed=7).verdict == "exact"
    assert init.audit(plain, normal).verdict == "fits"
    rows = [("*", [2, 4], normal), ("*.bias", 1, "zeros"), ("norm.weight", 1, "ones"), ("*", 0, "zeros")]
    rules = Rules([{"match": match, "rank": rank, "initializer": one} for match, rank, one in rows])
    assert init.audit(made.arrays, rules, seed=7).verdict == "exact"
    path = tmp_path / "recipe.json"
    path.write_text(rules.recipe(made.arrays).to_json())
    assert init.audit(made.arrays, path, seed=7).verdict == "exact"


def test_steps_after_the_fill_and_ties():
    weight = Weight(
        (64, 32), "float32", (Fill(init.Initializer("normal")), Fill(init.Initializer("zeros"), ((0, 1), (0, 32))))
    )
    recipe = Recipe({"emb": weight}, {"head": "emb"})
    arrays = {name: np.empty((64, 32), "float32") for name in ("emb", "head")}
    recipe.apply(arrays, generator=5)
    audit = init.audit(arrays, recipe, seed=5)
    assert audit.verdict == "exact"
    assert init.audit(arrays, recipe, seed=6).verdict == "fits"


@pytest.mark.parametrize("name", ["eye", "orthogonal", "hadamard", "truncated"])
def test_what_has_no_law_to_test_has_bits(name):
    """Matrices with a structure, and a part of a formula."""
    truncated = name == "truncated"
    steps = (
        Fill(init.Initializer("normal" if truncated else name)),
        *[Change("mul", 0.5, ((0, 8), (0, 32)))] * truncated,
    )
    recipe = Recipe({"w": Weight((32, 32), "float32", steps)})
    arrays = {"w": np.empty((32, 32), "float32")}
    recipe.apply(arrays, generator=5)
    assert init.audit(arrays, recipe, seed=5).verdict == "exact"
    arrays["w"][3, 3] += 0.25
    audit = init.audit(arrays, recipe, seed=5)
    assert (audit.verdict, kinds(audit.tensors[0])) == ("differs", {"changed"})


def test_an_orthogonal_matrix_of_another_machine_fits():
    recipe = Recipe({"w": Weight((32, 32), "float32", (Fill(init.Initializer("orthogonal")),))})
    arrays = {"w": np.empty((32, 32), "float32")}
    recipe.apply(arrays, generator=5)
    arrays["w"] *= np.float32(1 + 2e-7)
    audit = init.audit(arrays, recipe, seed=5)
    assert (audit.verdict, audit.tensors[0].figures["close"]) == ("fits", True)


def test_one_bit_of_a_sparse_matrix():
    sparse = init.Initializer("sparse", sparsity=0.5)
    w = init.sparse((96, 64), sparsity=0.5, generator=init.Generator(7).fold_in("w"))
    assert init.audit({"w": w}, sparse, seed=7).verdict == "exact"
    row, column = map(int, np.argwhere(w)[0])
    w.view("u4")[row, column] ^= 1
    audit = init.audit({"w": w}, sparse, seed=7)
    assert audit.verdict == "differs"
    assert "1 of 6,144 elements differs" in audit.line


def test_what_older_files_say(made):
    laws = [{"parameters": when, "law": name + "()", "name": name} for when, name in (
        ("integer or bool", "zeros"), ("running_var", "ones"), ("running_mean, num_batches_tracked", "zeros"),
        ("bias", "zeros"), ("rank 0 or 1", "ones"))]  # fmt: skip
    laws.append({"parameters": "all others", "law": "normal(std=0.02)", "name": "normal", "mean": 0.0, "std": 0.02})
    path = made.changed(rules=json.dumps({"init": "normal", "options": {}, "laws": laws}))
    assert init.audit(path).verdict == "exact"


def test_a_baseline(made):
    assert init.audit(made.arrays, baseline=made.path).verdict == "exact"
    array = made.arrays[LARGE] + np.float32(1e-3)
    array[:5] = made.arrays[LARGE][:5]
    moved = {**made.arrays, LARGE: array}
    audit = init.audit(moved, baseline=made.path)
    assert (audit.verdict, kinds(found(audit))) == ("differs", {"changed"})
    trained = init.audit(moved, baseline=made.path, expect="trained")
    assert "untouched" in kinds(found(trained, "h.0.w"))
    assert "5 rows are those of the baseline" in found(trained).text
    missing = init.audit({LARGE: array}, baseline=made.path)
    assert (missing.verdict, len(missing.missing)) == ("differs", len(made.arrays) - 1)
    assert init.audit({**made.arrays, "more": array}, baseline=made.path).verdict == "differs"


# ---- which law, which faults ----


@pytest.mark.parametrize(
    ("factor", "words"),
    [(8**0.5, "sqrt(8) times the expected"), (0.5**0.5, "1 / sqrt(2) times the expected"), (1.07, "(x 1.0")],
)
def test_a_std_that_is_off(made, factor, words):
    array = init.normal((96, 64), std=0.02 * factor, generator=3)
    audit = init.audit(made.changed({LARGE: array}))
    assert audit.verdict == "differs"
    assert words in found(audit).text
    assert kinds(found(audit)) == {"fans" if "sqrt" in words else "law"}


def test_another_law_of_the_same_std(made):
    bound = 0.02 * 3**0.5
    audit = init.audit(made.changed({LARGE: init.uniform((96, 64), -bound, bound, generator=3)}))
    assert "another shape than normal(std=0.02)" in found(audit).text


def test_values_outside_a_truncation(make):
    made = make("--init", "trunc_normal")
    array = init.trunc_normal((96, 64), 0, 0.02, -0.04, 0.04, generator=3)
    assert init.audit(made.changed({LARGE: array})).verdict == "fits"
    array[3, 5] = 0.05
    assert "1 elements outside [-0.04, 0.04]" in found(init.audit(made.changed({LARGE: array}))).text


def test_one_value_that_is_too_far(made):
    array = init.normal((96, 64), std=0.02, generator=3)
    array[0, 0] = 0.2  # ten sigma
    assert "values reach from" in found(init.audit(made.changed({LARGE: array}))).text


def broken(made, change):
    array = made.arrays[LARGE].copy()
    change(array)
    return found(init.audit(made.changed({LARGE: array}, metadata={})))


def test_no_numbers(made):
    def change(array):
        array[0, :3], array[1, :2], array[2, 0] = np.nan, np.inf, 1e35

    record = broken(made, change)
    assert kinds(record) == {"nan", "inf", "huge"}
    assert (record.verdict, record.fresh) == ("differs", None)
    assert record.text.startswith("3 of 6,144 are NaN; 2 of 6,144 are infinities")


def test_memory_that_nobody_initialised(made):
    def addresses(array):
        array.view("u8")[:2] = 0x00007F88_12345678

    def zeros(array):
        array.reshape(-1)[1000:3000] = 0

    def pages(array):
        array.reshape(-1)[2048:3072] = array.reshape(-1)[:1024]

    assert "64 words look like addresses" in broken(made, addresses).text
    assert "a run of 2,000 zeros from element 1,000 on" in broken(made, zeros).text
    assert "1 pages of 4,096 bytes repeat" in broken(made, pages).text
    empty = np.frombuffer(np.random.default_rng(0).bytes(96 * 64 * 4), "float32").reshape(96, 64)
    assert init.audit({"w": empty}).verdict == "differs"


def test_equal_shards(made):
    def rows(array):
        array[48:] = array[:48]

    def columns(array):
        array[:] = np.tile(array[:, :16], 4)

    assert "2 equal blocks along axis 0" in broken(made, rows).text
    assert "4 equal blocks along axis 1" in broken(made, columns).text


def test_rows_and_columns_of_zeros_are_told(made):
    def change(array):
        array[3], array[:, 7] = 0, 0

    record = broken(made, change)
    assert (record.verdict, kinds(record)) == ("fits", {"dead"})
    assert record.text == "1 of 96 rows and 1 of 64 columns are 0"


def test_copies(made):
    copied = {"h.2.w": made.arrays["h.0.w"]}
    audit = init.audit(made.changed(copied))
    assert (audit.verdict, kinds(found(audit, "h.2.w"))) == ("differs", {"copy"})
    tied = init.audit(made.changed(copied, metadata={}))  # nothing says that they have laws of their own
    assert (tied.verdict, found(tied, "h.2.w").text) == ("fits", "the same bits as h.0.w")


def test_rows_that_training_never_touched(made):
    array = made.arrays[LARGE] + np.random.default_rng(0).normal(0, 0.02, (96, 64)).astype("float32")
    array[10:14] = made.arrays[LARGE][10:14]
    assert "4 rows are as they were made" in found(init.audit(made.changed({LARGE: array}))).text


# ---- what is printed, where it lies, what is refused ----


def test_json_has_everything(made):
    facts = json.loads(json.dumps(init.audit(made.changed({LARGE: np.full((96, 64), np.nan, "float32")})).as_dict()))
    assert (facts["verdict"], facts["seed"], len(facts["tensors"])) == ("differs", 7, len(made.arrays))
    record = next(one for one in facts["tensors"] if one["name"] == LARGE)
    assert {"name", "verdict", "law", "faults", "fresh", "mean", "std"} <= set(record)
    assert record["law"] == "normal(std=0.02)"
    assert record["faults"][0]["kind"] == "nan"


def strict(audit):
    """What JSON holds, if it is JSON: no NaN, no infinity."""

    def refuse(word):
        raise AssertionError(word)

    return json.loads(json.dumps(audit.as_dict()), parse_constant=refuse)


X = np.random.default_rng(0).standard_normal((80, 90)).astype("f4")


@pytest.mark.parametrize("recipe", [None, init.Initializer("normal", std=1.0)])
@pytest.mark.parametrize(
    "array",
    [
        np.empty((0, 3), "f4"), np.empty((3, 0)), np.float32(3), np.array(np.nan), X[::2, ::-1], X.T, X.astype(">f4"),
        np.broadcast_to(np.float32(1.5), (90, 90)), X.astype("c8"), np.full((80, 80), np.inf), np.arange(9000),
        np.arange(200, dtype="u1"), np.zeros(5, bool), np.full((64, 64), 2**63 - 1), np.array([[-1e308, 1e308]] * 3000),
        np.array([1e-320, 1.0] * 3000),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)  # fmt: skip
def test_arrays_of_all_kinds_have_a_verdict(array, recipe):
    audit = init.audit({"w": array}, recipe)
    assert strict(audit)["tensors"][0]["verdict"] == audit.verdict


def test_arrays_that_lie_otherwise_say_the_same():
    wanted = strict(init.audit({"w": X.copy()}))["tensors"][0]
    frozen = X.copy()
    frozen.flags.writeable = False
    for array in (np.asfortranarray(X), X.astype(">f4"), frozen, np.repeat(X, 2, axis=1)[:, ::2]):
        assert strict(init.audit({"w": array}))["tensors"][0] == wanted


def test_baselines_of_other_dtypes():
    for other in (X.astype("c8"), X.astype("f8") * 1e300, X.astype("i4")):
        assert init.audit({"w": X}, baseline={"w": other}).verdict == "differs"


def test_names_cannot_command_a_terminal():
    line = init.audit({"a\x1b[31m\n": np.full((4, 4), np.nan)}).line
    assert line.isprintable()
    assert "a\\x1b[31m\\n: 16 of 16 are NaN" in line


def test_folders_indices_and_npz(made, tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    names = list(made.arrays)
    halves = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, part in halves.items():
        save_file({name: made.arrays[name] for name in part}, folder / file, made.metadata)
    assert init.audit(folder).verdict == "exact"
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {name: file for file, part in halves.items() for name in part}}))
    assert init.audit(index).verdict == init.audit(folder).verdict == "exact"
    (folder / "b.safetensors").unlink()
    with pytest.raises(
        errors.InvalidValueError, match=r"names 1 of 2 files that are not there \('b\.safetensors'\): fetch them"
    ):
        init.audit(folder)
    path = tmp_path / "weights.npz"
    for save in (np.savez, np.savez_compressed):
        save(path, **{**made.arrays, LARGE: np.asfortranarray(made.arrays[LARGE])})
        assert init.audit(path, init.Initializer("normal", std=0.02), seed=7).verdict == "exact"


def test_pieces_are_as_large_as_the_memory_allows(made, monkeypatch):
    from numbainit.auditing import pieces

    whole = init.audit(made.path).as_dict()
    monkeypatch.setattr(pieces.boxes, "__defaults__", (100,))
    small = init.audit(made.path).as_dict()
    assert small["verdict"] == "exact"
    for one, other in zip(whole["tensors"], small["tensors"], strict=True):
        assert one["std"] == pytest.approx(other["std"], nan_ok=True)


def test_progress_is_told(made):
    told = []
    init.audit(made.path, progress=told.append)
    assert sum(told) == sum(array.nbytes for array in made.arrays.values())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-5]), "not a whole safetensors file"),
        (lambda path: path.write_bytes(b""), "not a whole safetensors file"),
        (lambda path: path.unlink(), "there is no file"),
    ],
)
def test_files_that_are_cut_off(made, change, words):
    change(made.path)
    with pytest.raises(errors.InvalidValueError, match=words):
        init.audit(made.path)


def test_what_is_refused(made, tmp_path):
    normal = init.Initializer("normal")
    for call, error, words in (
        (lambda: init.audit(made.changed(stream="v9")), errors.InvalidValueError, "names stream 'v9'.*upgrade"),
        (lambda: init.audit(made.changed(rules="{}")), errors.InvalidValueError, "give the recipe and the seed"),
        (lambda: init.audit(made.changed(seed="x")), errors.InvalidValueError, "cannot be read"),
        (lambda: init.audit({"w": np.ones((3, 3))}, seed=7), errors.InvalidValueError, "a seed alone says no law"),
        (lambda: init.audit(made.path, expect="new"), errors.InvalidValueError, "expect is one of trained, exact"),
        (lambda: init.audit({}), errors.InvalidValueError, "holds no arrays"),
        (lambda: init.audit(3), errors.InvalidTypeError, "takes a path, a mapping"),
        (lambda: init.audit(made.path, progress=3), errors.InvalidTypeError, "progress is a function"),
        (lambda: init.audit(made.path, 3), errors.InvalidTypeError, "recipe is a name"),
        (lambda: init.audit(tmp_path / "x", normal), errors.InvalidValueError, "there is no file"),
        (
            lambda: init.audit(made.path, Recipe({"other": Weight((2, 2), "float32", (Fill(normal),))}), seed=1),
            errors.InvalidValueError,
            "fits none of 9 tensors",
        ),
        (
            lambda: init.audit(made.path, Recipe({LARGE: Weight((2, 2), "float32", (Fill(normal),))}), seed=1),
            errors.InvalidValueError,
            r"has shape \(96, 64\), and \(2, 2\)",
        ),
    ):
        with pytest.raises(error, match=words):
            call()
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(errors.InvalidValueError, match="holds no checkpoint"):
        init.audit(empty)


@pytest.mark.parametrize("array", [np.array(["a"]), np.zeros(3, "i4,f4"), np.zeros(3, "M8[s]"), np.zeros(3, "O")])
@pytest.mark.parametrize("suffix", ["", ".npz", ".npy"])
def test_what_holds_no_numbers(tmp_path, array, suffix):
    path = tmp_path / f"a{suffix}"
    {"": lambda path, a: None, ".npz": lambda path, a: np.savez(path, a=a), ".npy": np.save}[suffix](path, array)
    with pytest.raises(errors.InvalidTypeError, match=r"'a' holds .*leave it out"):
        init.audit(path if suffix else {"a": array})


def test_empty_tensors_of_any_shape_fit():
    shapes = ((0,), (0, 3), (3, 0), (3, 0, 2), (2, 3, 0))
    audit = init.audit({str(shape): np.empty(shape, "float32") for shape in shapes})
    assert (audit.verdict, [one.fresh for one in audit.tensors]) == ("fits", [None] * len(shapes))


def test_names_that_are_the_same_when_joined_are_refused():
    a, b = init.normal((9, 9), generator=0), init.normal((9, 9), generator=1)
    assert [one.name for one in init.audit({"a": {"b": a}, "c": [b, {"d": b}]}).tensors] == ["a.b", "c.0", "c.1.d"]
    with pytest.raises(errors.InvalidValueError, match=r"two tensors that are called 'a\.b'"):
        init.audit({"a": {"b": a}, "a.b": b})
    endless = [a]
    endless.append(endless)
    with pytest.raises(errors.InvalidValueError, match="without end"):
        init.audit({"w": endless})


def test_metadata_and_an_index_that_are_nested_without_end(made, tmp_path):
    deep = tmp_path / "deep.safetensors"
    save_file(made.arrays, deep, {"stream": "v1", "seed": "7", "rules": "[" * 10**5})
    with pytest.raises(errors.InvalidValueError, match="its metadata cannot be read"):
        init.audit(deep)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text('{"a":' * 10**5)
    with pytest.raises(errors.InvalidValueError, match="wanted an index"):
        init.audit(index)


def test_an_index_says_which_file_a_tensor_is_of(made, tmp_path):
    """Where two hold one of its name."""
    first, second = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    save_file(made.arrays, tmp_path / first)
    save_file({LARGE: np.zeros_like(made.arrays[LARGE])}, tmp_path / second)
    for right, verdict in ((first, "exact"), (second, "differs")):
        places = dict.fromkeys(made.arrays, first) | {LARGE: right}
        (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
        assert init.audit(tmp_path, init.Initializer("normal", std=0.02), seed=7).verdict == verdict


@pytest.mark.skipif(np.dtype("g").itemsize == 8, reason="needs a machine with a long double of its own")
def test_long_doubles_are_refused():
    with pytest.raises(errors.InvalidTypeError, match="floats of at most 64 bits"):
        init.audit({"a": np.ones((3, 3), "g")})


@pytest.mark.parametrize("name", ["shapes.json", "text.txt", "none"])
def test_what_is_no_checkpoint(tmp_path, name):
    (tmp_path / name).write_text(json.dumps({"w": {"dtype": "F32", "shape": [3, 3]}}))
    with pytest.raises(errors.InvalidValueError, match=r"no file of values.*wanted a \.safetensors"):
        init.audit(tmp_path / name)
    with pytest.raises(errors.InvalidValueError, match="an empty name"):
        init.audit("")


@pytest.mark.parametrize("order", ["C", "F"])
def test_npy(tmp_path, order):
    w = init.normal((60, 50), std=0.02, generator=init.Generator(7).fold_in("w"))
    np.save(tmp_path / "w.npy", np.asarray(w, order=order))
    assert init.audit(tmp_path / "w.npy", init.Initializer("normal", std=0.02), seed=7).verdict == "exact"
    data = (tmp_path / "w.npy").read_bytes()
    (tmp_path / "w.npy").write_bytes(data[:-1])
    with pytest.raises(errors.InvalidValueError, match="ends within the array"):
        init.audit(tmp_path / "w.npy")


def test_a_recipe_that_fits_some_names_says_how_many(made):
    recipe = Recipe({LARGE: Weight((96, 64), "float32", (Fill(init.Initializer("normal", std=0.02)),))})
    audit = init.audit(made.path, recipe, seed=7)
    assert audit.verdict == "fits"
    assert "8 of 9 tensors have no law" in audit.line
    assert found(audit).verdict == "exact"


@pytest.mark.full
def test_what_torch_saves(made, tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    normal = init.Initializer("normal", std=0.02)
    state = {name: torch.from_numpy(array.copy()) for name, array in made.arrays.items()}
    for path, more in ((tmp_path / "a.pt", {}), (tmp_path / "b.bin", {"_use_new_zipfile_serialization": False})):
        torch.save(state, path, **more)
        assert init.audit(path, normal, seed=7).verdict == "exact"
    half = {name: tensor.bfloat16() if tensor.dim() > 1 else tensor for name, tensor in state.items()}
    assert init.audit(half, normal, seed=7).verdict == "exact"
    from numbainit.torch import initialize

    model = initialize(torch.nn.Linear(64, 64), normal, generator=7)
    assert init.audit(model, normal, seed=7).verdict == "exact"
    path = tmp_path / "bad.pt"
    path.write_bytes(b"no pickle")
    with pytest.raises(errors.InvalidValueError, match=r"not what torch\.save writes"):
        init.audit(path)
    with pytest.raises(errors.InvalidTypeError, match="meta device"):
        init.audit(torch.nn.Linear(3, 3, device="meta"))
    with pytest.raises(errors.InvalidTypeError, match="sparse"):
        init.audit({"w": torch.eye(3).to_sparse()})
    turned = torch.view_as_complex(torch.randn(64, 64, 2, generator=torch.Generator().manual_seed(1))).conj()
    assert turned.is_conj()
    assert init.audit({"w": turned, "imag": turned.imag}).verdict == "fits"
    for dtype in (torch.float8_e8m0fnu, torch.complex32, torch.bits8):
        with pytest.raises(errors.InvalidTypeError, match="'w' holds"):
            init.audit({"w": torch.zeros(64, dtype=torch.uint8).view(dtype)})


@pytest.mark.full
def test_the_folder_of_a_trainer(made, tmp_path):
    """Beside the model lie files that are none, and one that is no tensors at all."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    folder = tmp_path / "checkpoint-500"
    folder.mkdir()
    torch.save({name: torch.from_numpy(array) for name, array in made.arrays.items()}, folder / "pytorch_model.bin")
    torch.save({"state": {0: {"exp_avg": torch.zeros(9)}}, "param_groups": [{"lr": 0.1}]}, folder / "optimizer.pt")
    torch.save({"last_epoch": 3}, folder / "scheduler.pt")
    torch.save(torch.nn.Linear(2, 2), folder / "training_args.bin")
    assert init.audit(folder, init.Initializer("normal", std=0.02), seed=7).verdict == "exact"
