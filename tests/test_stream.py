"""Every law, dtype and parameter set → the array that the package makes is the reference's, bit for bit.

The reference is slow, so it is asked at chosen places only: both ends, the borders of chunks, and random ones.
"""

import numpy as np
import pytest

import numbainit as init
import reference
from cases import LIGHT_DTYPES, is_light, thinned
from numbainit.targets.choose import choose
from numbainit.targets.cpu.launch import PARALLEL_FROM
from numbainit.weights import laws as parameters

CHUNK = 4096  # elements that a thread fills at a time
SERIAL, PARALLEL = 3 * CHUNK + 5, PARALLEL_FROM + CHUNK + 7  # filled by one thread, and by all
SEED = 20261103
all_cases = pytest.mark.parametrize("case", thinned(reference.CASES, is_light), ids=reference.case_name)


def fill(case, array, generator):
    """Call the public function of a case of :data:`reference.CASES`."""
    law, parameters, _ = case
    assert getattr(init, law + "_")(array, *parameters, generator=generator) is array
    return array


def assert_same_bits(got, want):
    assert got.dtype == want.dtype
    one = (got.size, got.itemsize)
    different = np.flatnonzero((got.view("u1").reshape(one) != want.view("u1").reshape(one)).any(axis=1))
    assert not different.size, f"{different.size} of {got.size} differ, first at {different[0]}: {got[different[0]]!r}"


def places(size, *, seed=0, some=120):
    """Both ends, the neighbourhood of every chunk border, and ``some`` random places."""
    around = [np.arange(border - 6, border + 7) for border in range(0, size + CHUNK, CHUNK)] + [
        np.arange(size - 9, size)
    ]
    chosen = np.concatenate([*around, np.random.default_rng(seed).integers(0, size, some)])
    return np.unique(chosen[(chosen >= 0) & (chosen < size)])


@all_cases
def test_law_has_the_bits_of_the_reference(case):
    array = fill(case, np.empty(PARALLEL, case[2]), SEED)
    indices = places(PARALLEL)
    assert_same_bits(array[indices], reference.case_elements(case, reference.key_of_seed(SEED), 0, indices))
    assert_same_bits(fill(case, np.empty(SERIAL, case[2]), SEED), array[:SERIAL])


@all_cases
def test_short_arrays(case):
    """Every length up to two blocks and one: the words of a block that is cut off are dropped."""
    expected = reference.case_elements(case, reference.key_of_seed(3), 0, range(9))
    for size in range(10):
        assert_same_bits(fill(case, np.empty(size, case[2]), 3), expected[:size])


@pytest.mark.parametrize("case", thinned(reference.CASES[::3], is_light), ids=reference.case_name)
def test_successive_draws(case):
    generator = init.Generator(8)
    for draw in range(4):
        array = fill(case, np.empty(2 * CHUNK + 1, case[2]), generator)
        indices = places(array.size, seed=draw, some=20)
        assert_same_bits(array[indices], reference.case_elements(case, reference.key_of_seed(8), draw, indices))


def fill_part(case, size, first, key, draw):
    """The elements [first, first + size) of a case."""
    law, arguments, dtype = case
    checked = parameters.BITS if law == "bits" else getattr(parameters, law)(*arguments, np.dtype(dtype))
    array = np.empty(size, dtype)
    view = array.view(f"u{array.itemsize}") if law == "bits" else array
    choose(view).filling(view, checked, init.Block((first + size,), (first,)))((*key, draw))
    return array


PARTS = [case for case in reference.CASES if case[2] not in ("int32", "int64")][::4]


@pytest.mark.parametrize("first", [1, 2, 3, 5, CHUNK - 1, CHUNK, 12345, 2**31 - 7, 2**32 + 1])
@pytest.mark.parametrize("case", thinned(PARTS, is_light), ids=reference.case_name)
def test_a_part_alone(case, first):
    key = reference.key_of_seed(9)
    for size in (1, 6, 23):
        got = fill_part(case, size, first, key, 1)
        assert_same_bits(got, reference.case_elements(case, key, 1, range(first, first + size)))


@pytest.mark.parametrize("case", thinned(PARTS, is_light), ids=reference.case_name)
@pytest.mark.parametrize("size", [CHUNK + 50, PARALLEL])
def test_more_than_2_to_the_32_blocks(case, size):
    """Element 2^34 is where the second counter word starts to count."""
    key, first = reference.key_of_seed(9), 2**34 - 25
    array = fill_part(case, size, first, key, 0)
    indices = np.concatenate([np.arange(45), [CHUNK + 24, CHUNK + 25, CHUNK + 26, size - 1]])
    assert_same_bits(array[indices], reference.case_elements(case, key, 0, indices + first))


@pytest.mark.parametrize("draw", [255, 2**16, 2**31, 2**32 - 1])
@pytest.mark.parametrize("dtype", reference.FLOAT_DTYPES)
def test_late_draws(draw, dtype):
    case = ("trunc_normal", (0.0, 1.0, -1.0, 1.5), dtype)
    array = fill(case, np.empty(100, dtype), init.Generator(8, draws=draw))
    assert_same_bits(array, reference.case_elements(case, reference.key_of_seed(8), draw, range(100)))


@pytest.mark.parametrize("key", [(0, 0), (2**32 - 1, 2**32 - 1), (2**31, 1)])
@pytest.mark.parametrize("case", thinned(reference.CASES[::7], is_light), ids=reference.case_name)
def test_keys_at_the_edges(key, case):
    array = fill(case, np.empty(50, case[2]), init.Generator.from_key(*key))
    assert_same_bits(array, reference.case_elements(case, key, 0, range(50)))


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, 2**32, 2**64 + 5, [1, 2, 3]])
def test_seeds(seed):
    key = reference.key_of_seed(seed)
    assert init.Generator(seed).key == key
    case = ("normal", (0.0, 1.0), "float32")
    expected = reference.case_elements(case, key, 0, range(20))
    assert_same_bits(fill(case, np.empty(20, "float32"), seed), expected)
    assert_same_bits(fill(case, np.empty(20, "float32"), np.random.SeedSequence(seed)), expected)


@pytest.mark.parametrize("data", ["", "weight", "h.0.attn.c_attn.weight", "gewicht-ä-重", 0, 1, 2**32, 2**64 - 1])
def test_fold_in(data):
    key = reference.fold_in(reference.key_of_seed(4), data)
    child = init.Generator(4).fold_in(data)
    assert child.key == key
    case = ("uniform", (-1.0, 1.0), "float64")
    assert_same_bits(fill(case, np.empty(20, "float64"), child), reference.case_elements(case, key, 0, range(20)))


def test_spawned_children_are_folded_in_by_number():
    parent = init.Generator(4)
    children = parent.spawn(3) + parent.spawn(2)
    assert [child.key for child in children] == [reference.fold_in(reference.key_of_seed(4), i) for i in range(5)]


def test_numpy_generator_gives_a_key():
    word = int(np.random.default_rng(6).integers(0, 2**64, dtype=np.uint64))
    case = ("normal", (0.0, 1.0), "float32")
    array = fill(case, np.empty(20, "float32"), np.random.default_rng(6))
    assert_same_bits(array, reference.case_elements(case, (word % 2**32, word >> 32), 0, range(20)))


@pytest.mark.full
@pytest.mark.parametrize(("shape", "sparsity", "std"), reference.SPARSE_CASES)
@pytest.mark.parametrize(
    "dtype",
    thinned([*reference.FLOAT_DTYPES, "bfloat16", "float8_e4m3fnuz", "complex64", "complex128"], LIGHT_DTYPES),
)
def test_sparse_has_the_bits_of_the_reference(shape, sparsity, std, dtype):
    generator = init.Generator(11)
    for draw in range(2):
        array = np.empty(shape, dtype)
        assert init.sparse_(array, sparsity, std, generator=generator) is array
        expected = reference.sparse(reference.key_of_seed(11), draw, *shape, sparsity, std, dtype)
        assert_same_bits(array.ravel(), expected.ravel())


def test_sparse_columns_of_a_wide_matrix():
    """More columns than a chunk has elements: whole columns of the mask, at chosen places."""
    rows, cols = 12, 5000
    array = init.sparse_(np.empty((rows, cols), np.float32), 0.4, generator=2)
    key = reference.key_of_seed(2)
    for column in [0, 1, 2, 3, 4, 1023, 1024, 4095, 4096, 4097, 4998, 4999]:
        mask = reference.sparse_mask_column(key, 0, column, rows, cols, 0.4)
        assert (array[:, column] == 0).tolist() == mask


def test_a_float32_fill_uses_the_words_of_bits():
    """The documented relation of the laws to the raw words."""
    words = init.bits_(np.empty(1000, np.uint32), generator=1)
    uniforms = init.uniform_(np.empty(1000, np.float32), generator=1)
    assert np.array_equal(uniforms, (words >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24))
    long_words = init.bits_(np.empty(1000, np.uint64), generator=1)
    assert np.array_equal(long_words >> np.uint64(32), words.astype(np.uint64))
