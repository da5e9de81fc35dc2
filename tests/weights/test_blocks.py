"""A shard alone → the bits that the whole array has there, for every initializer, shape, cut, stride and memory order.

The counterpart is the whole array filled at once, whose own bits ``test_stream.py`` compares with the reference.
"""

import math

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

import numbainit as init
import reference
from cases import call, fill, shape_for, thinned

SEED = 11
FILLS = [
    *["uniform_", "normal_", "trunc_normal_", "tail", "constant_", "ones_", "zeros_"],
    *["log_uniform_", "log_of_uniform_", "time_step_bias_"],
]
SCALED = [
    *["xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_"],
    *["truncated_normal", "lecun_uniform_", "lecun_normal_", "lecun_truncated_normal_", "glorot_truncated_normal_"],
    *["he_truncated_normal_", "sine_"],
]
MATRICES = ["eye_", "sparse_", "identity_"]
ALL = FILLS + SCALED + MATRICES
KERNELS = ["dirac_", "dirac_ in groups", "bilinear_", "bilinear_ in groups"]


@st.composite
def cuts(draw, least=0, most=4):
    """``(shape of the whole, slices of a part)``."""
    shape = tuple(draw(st.lists(st.integers(1, 9), min_size=least, max_size=most)))
    bounds = [sorted((draw(st.integers(0, size)), draw(st.integers(0, size)))) for size in shape]
    return shape, tuple(slice(begin, end) for begin, end in bounds)


def empty(shape, dtype, order):
    """An array of this shape: in C or Fortran order, with gaps, or backwards."""
    if order == "gaps":
        return np.empty((*shape, 3), dtype)[..., 1]
    if order == "backwards":
        return np.empty(shape, dtype)[(..., *[slice(None, None, -1)] * len(shape))]
    if order == "swapped":
        return np.empty(shape, np.dtype(dtype).newbyteorder())
    return np.empty(shape, dtype, order=order)


ORDERS = ("C", "F", "gaps", "backwards", "swapped")


def assert_part_of_whole(name, shape, cut, dtype="float32", order="C"):
    whole = fill(name, np.empty(shape, dtype), SEED)
    part = empty(whole[cut].shape, dtype, order)
    part[...] = np.nan
    assert fill(name, part, SEED, block=init.Block(shape, [one.start for one in cut])) is part
    np.testing.assert_array_equal(part, whole[cut])


@pytest.mark.parametrize("name", FILLS)
@hypothesis.given(cuts(), st.sampled_from(["float32", "float64"]), st.sampled_from(ORDERS))
@hypothesis.settings(max_examples=30, deadline=None)
def test_fills(name, cut, dtype, order):
    assert_part_of_whole(name, *cut, dtype, order)


@pytest.mark.parametrize("name", SCALED)
@pytest.mark.filterwarnings("ignore:Initializing zero-element")
@hypothesis.given(cuts(2), st.sampled_from(["float32", "float64"]), st.sampled_from(ORDERS))
@hypothesis.settings(max_examples=20, deadline=None)
def test_scaled_fills_have_the_fans_of_the_whole(name, cut, dtype, order):
    assert_part_of_whole(name, *cut, dtype, order)


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("dtype", thinned(["float32", "float64"], ["float32"]))
@hypothesis.given(cuts(2, 2), st.sampled_from(ORDERS))
@hypothesis.settings(max_examples=15, deadline=None)
def test_matrices(name, dtype, cut, order):
    assert_part_of_whole(name, *cut, dtype, order)


@pytest.mark.parametrize("name", KERNELS)
@hypothesis.given(cuts(3, 4))
@hypothesis.settings(max_examples=30, deadline=None)
def test_kernels(name, cut):
    shape, slices = cut
    assert_part_of_whole(name, (2 * shape[0], *shape[1:]), slices)


def test_bits():
    whole = init.bits_(np.empty((50, 70), "uint32"), generator=SEED)
    part = init.bits_(np.empty((9, 13), "uint32"), generator=SEED, block=init.Block((50, 70), (3, 5)))
    assert np.array_equal(part, whole[3:12, 5:18])


@pytest.mark.full
@pytest.mark.parametrize("name", ALL)
def test_large_shards_of_rows_and_of_columns(name):
    """Beyond the size from which threads share a fill, with rows longer than a piece of a run."""
    shape = 130, 9001
    for cut in ((slice(17, 101), slice(0, 9001)), (slice(0, 130), slice(4001, 8190)), (slice(5, 128), slice(3, 8999))):
        assert_part_of_whole(name, shape, cut)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_shard_of_an_array_that_fits_nowhere(dtype):
    """Numbers beyond 2^34 elements, where the second word of the block counter begins, against the plain reference."""
    shape, start = (2**33, 6), (2**32 - 3, 2)
    array = init.normal_(np.empty((4, 3), dtype), generator=SEED, block=init.Block(shape, start))
    indices = [(start[0] + row) * 6 + start[1] + column for row in range(4) for column in range(3)]
    key = reference.key_of_seed(SEED)
    expected = reference.elements(reference.LAWS["normal"], key, 0, indices, 0.0, 1.0, dtype=dtype)
    assert array.ravel().tobytes() == expected.tobytes()


def test_shards_of_a_sparse_matrix_keep_the_count_of_its_columns():
    shape = 90, 40
    shards = [
        init.sparse((30, 20), 0.35, generator=3, block=init.Block(shape, (row, column)))
        for row in (0, 30, 60)
        for column in (0, 20)
    ]
    whole = np.block([shards[:2], shards[2:4], shards[4:]])
    assert ((whole == 0).sum(axis=0) == 32).all()


def test_one_draw_whatever_the_shard():
    generator = init.Generator(0)
    for shape in ((0, 5), (3, 5), (10, 2)):
        init.normal(shape, generator=generator, block=init.Block((10, 5), (0, 0)))
    assert generator.draws == 3


def test_functional_forms_take_the_shape_of_the_part():
    whole = init.kaiming_uniform((8, 6, 3), generator=2)
    part = init.kaiming_uniform((2, 6, 3), generator=2, block=init.Block((8, 6, 3), (4, 0, 0)))
    assert np.array_equal(part, whole[4:6])


BAD = {
    "outside": (init.Block((4, 5), (2, 0)), init.InvalidValueError, "does not lie inside"),
    "other rank": (init.Block((20,), (0,)), init.InvalidValueError, "does not lie inside"),
    "a tuple": (((4, 5), (0, 0)), init.InvalidTypeError, r"numbainit\.Block\(shape, start\)"),
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("bad", BAD)
def test_bad_blocks_touch_nothing(name, bad):
    block, error, message = BAD[bad]
    array, generator = np.full((3, 5), 7, "float32"), init.Generator(0)
    state = init.default_generator.draws
    with pytest.raises(error, match=message):
        fill(name, array, SEED, block=block)
    assert (array == 7).all()
    assert generator.draws == 0
    assert init.default_generator.draws == state


@pytest.mark.parametrize(
    ("shape", "start", "error", "message"),
    [
        ((3, 4), (0,), init.InvalidValueError, "one start for each axis"),
        ((3, -4), (0, 0), init.InvalidValueError, "negative"),
        ((3, 4), (0, -1), init.InvalidValueError, "negative"),
        ((3, 4.0), (0, 0), init.InvalidTypeError, "sequence of ints"),
        (3, 0, init.InvalidTypeError, "sequence of ints"),
        ("34", (0, 0), init.InvalidTypeError, "sequence of ints"),
        ((2**40, 2**40), (0, 0), init.InvalidValueError, r"2\^62"),
    ],
)
def test_blocks_that_are_none(shape, start, error, message):
    with pytest.raises(error, match=message):
        init.Block(shape, start)


def test_blocks_are_values():
    block = init.Block(np.array([3, 4]), [np.int64(1), 2])
    assert block == init.Block((3, 4), (1, 2)) != init.Block((3, 4), (1, 1))
    assert len({block, init.Block((3, 4), (1, 2))}) == 1
    assert eval(repr(block), {"Block": init.Block}) == block


def test_orthogonal_has_no_blocks():
    """No part of a Haar-distributed matrix can be made without the rest."""
    with pytest.raises(TypeError, match="block"):
        init.orthogonal_(np.empty((3, 3)), block=init.Block((6, 3), (0, 0)))


@pytest.mark.parametrize("size", [5, 5000, 100_000])
def test_the_last_elements_that_have_numbers(size):
    """Up to number 2^62 - 1, against single elements made alone."""
    from numbainit import elements

    array = init.normal(size, generator=3, block=init.Block((2**62,), (2**62 - size,)))
    key = init.Generator(3).key
    for place in (0, 1, 2, 3, size // 2, size - 2, size - 1):
        assert array[place] == np.float32(elements.normal_at(*key, 0, 2**62 - size + place))


# ---- flat ranges ----


@st.composite
def ranges(draw, least=0, most=4):
    """``(shape of the whole, begin and end of a range of its elements)``."""
    shape = tuple(draw(st.lists(st.integers(1, 7), min_size=least, max_size=most)))
    return shape, tuple(sorted(draw(st.tuples(*[st.integers(0, math.prod(shape))] * 2))))


def assert_range_of_whole(name, shape, ends, order="C"):
    whole = fill(name, np.empty(shape, "float32"), SEED)
    flat = empty((ends[1] - ends[0],), "float32", order)
    flat[...] = np.nan
    assert fill(name, flat, SEED, block=init.Block(shape, flat=ends)) is flat
    np.testing.assert_array_equal(flat, whole.ravel()[slice(*ends)])


@pytest.mark.parametrize("name", FILLS)
@hypothesis.given(ranges(), st.sampled_from(ORDERS))
@hypothesis.settings(max_examples=15, deadline=None)
def test_flat_ranges_of_fills(name, case, order):
    assert_range_of_whole(name, *case, order)


@pytest.mark.parametrize("name", SCALED)
@pytest.mark.filterwarnings("ignore:Initializing zero-element")
@hypothesis.given(ranges(2), st.sampled_from(ORDERS))
@hypothesis.settings(max_examples=15, deadline=None)
def test_flat_ranges_have_the_fans_of_the_whole(name, case, order):
    assert_range_of_whole(name, *case, order)


@pytest.mark.parametrize("name", [*MATRICES, *KERNELS])
@hypothesis.given(st.data(), st.sampled_from(ORDERS))
@hypothesis.settings(max_examples=25, deadline=None)
def test_flat_ranges_of_matrices(name, data, order):
    shape, ends = data.draw(ranges(*((2, 2) if name in MATRICES else (3, 4))))
    assert_range_of_whole(name, (2 * shape[0], *shape[1:]), ends, order)


@hypothesis.given(ranges(2, 2))
@hypothesis.settings(max_examples=30, deadline=None)
def test_flat_ranges_of_fused_projections(case):
    shape, ends = (3 * case[0][0], case[0][1]), case[1]
    layout = init.Layout(splits=(case[0][0], 2 * case[0][0]))
    flat = init.xavier_uniform(ends[1] - ends[0], layout=layout, generator=1, block=init.Block(shape, flat=ends))
    np.testing.assert_array_equal(flat, init.xavier_uniform(shape, layout=layout, generator=1).ravel()[slice(*ends)])


@pytest.mark.parametrize(
    "name",
    ["icnr_", "bilinear_", "forget_bias_", "hadamard_", "randomized_hadamard_", "log_arange_", "identity_", "sine_"],
)
def test_parts_of_shapes_that_not_all_take(name):
    """Every flat range, and every box that begins and ends somewhere along the first and the last axis."""
    shape = shape_for(name)
    whole = call(name, np.empty(shape, "f4"), SEED)
    for begin in range(0, whole.size + 1, 5):
        for end in range(begin, whole.size + 1, 7):
            flat = np.full(end - begin, np.nan, "f4")
            call(name, flat, SEED, block=init.Block(shape, flat=(begin, end)))
            np.testing.assert_array_equal(flat, whole.ravel()[begin:end])
    for top, left in np.ndindex(shape[0], shape[-1]):
        cut = (slice(top, shape[0]), ..., slice(left, shape[-1] - left // 2))
        part = np.full(whole[cut].shape, np.nan, "f4")
        call(name, part, SEED, block=init.Block(shape, (top, *[0] * (len(shape) - 2), left)))
        np.testing.assert_array_equal(part, whole[cut])


def test_a_flat_range_of_words_and_of_complex_numbers():
    block = init.Block((5, 7), flat=(9, 23))
    for name, dtype in (("bits_", "uint64"), ("normal_", "complex64")):
        whole = getattr(init, name)(np.empty((5, 7), dtype), generator=SEED)
        flat = getattr(init, name)(np.empty(14, dtype), generator=SEED, block=block)
        np.testing.assert_array_equal(flat, whole.ravel()[9:23])


@hypothesis.given(ranges())
@hypothesis.settings(max_examples=100, deadline=None)
def test_the_boxes_of_a_range_are_few_and_follow_each_other(case):
    shape, (begin, end) = case
    numbers, at = np.arange(math.prod(shape)).reshape(shape), begin
    boxes = list(init.Block(shape, flat=(begin, end)).as_boxes())
    assert len(boxes) <= max(2 * len(shape) - 1, 1)
    for offset, size, block in boxes:
        block.check(size)
        index = tuple(slice(start, start + length) for start, length in zip(block.start, size, strict=True))
        assert at - begin == offset
        np.testing.assert_array_equal(numbers[index].ravel(), np.arange(at, at + math.prod(size)))
        at += math.prod(size)
    assert at == end


# ---- beyond any memory ----


@pytest.mark.parametrize("name", ["uniform_", "normal_", "trunc_normal_", "tail", *SCALED, "dirac_", "eye_"])
@pytest.mark.parametrize("power", [32, 40, 53, 61])
def test_sampled_blocks_of_an_array_of_2_to_the_62_elements(name, power):
    """No whole can be made: boxes and flat ranges agree around such a number, and with the reference for laws."""
    shape = (2**30, 2**31, 2) if name == "dirac_" else (2**31, 2**31)
    number = 2**power - 3
    flat = fill(name, np.empty(6, "float32"), SEED, block=init.Block(shape, flat=(number, number + 6)))
    for at in range(6):
        index = np.unravel_index(number + at, shape)
        one = fill(name, np.empty((1,) * len(shape), "float32"), SEED, block=init.Block(shape, index))
        assert one.item() == flat[at]
    law, arguments = FILLS_OF_LAWS.get(name, (None, ()))
    if law is not None:
        indices = list(range(number, number + 6))
        key = reference.key_of_seed(SEED)
        expected = reference.elements(reference.LAWS[law], key, 0, indices, *arguments, dtype="float32")
        assert flat.tobytes() == expected.tobytes()


FILLS_OF_LAWS = {
    "uniform_": ("uniform", (-1.0, 3.0)),
    "normal_": ("normal", (1.0, 2.0)),
    "trunc_normal_": ("trunc_normal", (0.0, 1.0, -2.0, 2.0)),
    "tail": ("trunc_normal", (0.0, 1.0, 2.0, 5.0)),
}


@pytest.mark.parametrize(
    ("block", "error", "text"),
    [
        (lambda: init.Block((2, 3)), init.InvalidTypeError, "a start or a flat range"),
        (lambda: init.Block((2, 3), (0, 0), flat=(0, 1)), init.InvalidTypeError, "a start or a flat range"),
        (lambda: init.Block((2, 3), flat=(0, 7)), init.InvalidValueError, "lies in the 6 elements"),
        (lambda: init.Block((2, 3), flat=(-1, 2)), init.InvalidValueError, "lies in the 6 elements"),
        (lambda: init.Block((2, 3), flat=(4, 2)), init.InvalidValueError, "lies in the 6 elements"),
        (lambda: init.Block((2, 3), flat=(4,)), init.InvalidTypeError, r"is \(begin, end\)"),
        (lambda: init.Block((2, 3), flat=4), init.InvalidTypeError, r"is \(begin, end\)"),
        (lambda: init.Block((2, 3), flat=("0", "1")), init.InvalidTypeError, r"is \(begin, end\)"),
        (
            lambda: init.normal(3, block=init.Block((2, 3), flat=(0, 4))),
            init.InvalidValueError,
            "is not the flat range",
        ),
        (lambda: init.normal((2, 2), block=init.Block((2, 3), flat=(0, 4))), init.InvalidValueError, "along one axis"),
    ],
)
def test_flat_ranges_that_do_not_fit_are_refused(block, error, text):
    with pytest.raises(error, match=text):
        block()


def test_a_block_prints_as_what_makes_it():
    blocks = (init.Block((2, 3), (0, 1)), init.Block((2, 3), flat=(1, 5)), init.Block((), ()))
    assert [eval(repr(block), {"Block": init.Block}) for block in blocks] == list(blocks)
    assert repr(blocks[1]) == "Block(shape=(2, 3), flat=(1, 5))"
