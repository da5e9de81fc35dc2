"""Any object → an array that is filled in place, or an error that says what to do and leaves every byte as it was.

What is refused here is refused by all functions alike, since all of them ask ``arrays.writable`` first. That a fill
writes into the view and nowhere else is tried on random views of memory whose every other byte is known.
"""

import itertools
import math
import warnings

import hypothesis
import hypothesis.strategies as st
import ml_dtypes  # noqa: F401  (teaches NumPy the names of the small dtypes)
import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided, sliding_window_view

import numbainit as init
from cases import DRAWLESS, FLOATS, NAMES, TORCH, call, dtype_for, shape_for, shapes_without_elements, thinned
from numbainit.memory import arrays
from numbainit.targets.cpu.views import is_regular, strided
from numbainit.weights.blocks import c_strides


def refused(error, name, array, *fragments):
    """Call ``name`` on ``array``: it must raise ``error`` with these fragments, before it takes a draw."""
    generator = init.Generator(1)
    with pytest.raises(error) as caught:
        call(name, array, generator)
    assert isinstance(caught.value, init.NumbaInitError)
    for fragment in (name, *fragments):
        assert fragment in str(caught.value), str(caught.value)
    assert generator.draws == 0


# ---- refused ----


@pytest.mark.parametrize("name", NAMES)
def test_read_only_arrays(name):
    array = np.full(shape_for(name), 7, dtype_for(name))
    array.setflags(write=False)
    refused(init.InvalidValueError, name, array, "read-only", "array.copy()")
    assert (array == 7).all()


@pytest.mark.parametrize("name", NAMES)
def test_memory_of_bytes_is_read_only(name):
    shape = shape_for(name)
    memory = bytes(4 * math.prod(shape))
    refused(init.InvalidValueError, name, np.frombuffer(memory, dtype_for(name)).reshape(shape), "read-only")
    assert memory == bytes(len(memory))


@pytest.mark.parametrize("name", NAMES)
def test_broadcast_views(name):
    memory = np.full(99, 7, dtype_for(name))
    shape = shape_for(name)
    array = as_strided(memory, shape, (0,) + (4,) * (len(shape) - 1))
    refused(init.InvalidValueError, name, array, "share memory", f"{shape}", "copy")
    refused(init.InvalidValueError, name, np.broadcast_to(memory[:1], shape), "read-only")
    assert (memory == 7).all()


@pytest.mark.parametrize("name", thinned(FLOATS, set(TORCH)))
@pytest.mark.parametrize("strides", [(4, 4), (8, 8), (2, 8), (20, 4), (-4, 4), (0, 0), (4, 0), (1, 24), (24, 3)])
def test_overlapping_windows(name, strides):
    shape = shape_for(name)
    memory = np.full(99, 7, "f4")
    array = as_strided(memory[50:], shape, strides + (0,) * (len(shape) - 2))
    refused(init.InvalidValueError, name, array, "share memory", "copy")
    assert (memory == 7).all()


def test_sliding_windows():
    memory = np.zeros(9, "f4")
    refused(init.InvalidValueError, "normal_", sliding_window_view(memory, 3, writeable=True), "share memory")


WRONG_DTYPES = [
    *(
        "i1",
        "u1",
        "i2",
        "u2",
        "i4",
        "u4",
        "i8",
        "u8",
        "?",
        "O",
        "g",
        "G",
        "float8_e8m0fnu",
        "int4",
        "U3",
        "S4",
        "V4",
        "M8[s]",
        "m8[s]",
    ),
    [("x", "f4"), ("y", "f4")],
    np.dtypes.StringDType(),
]


@pytest.mark.parametrize("name", thinned(FLOATS, set(TORCH)))
@pytest.mark.parametrize("dtype", WRONG_DTYPES, ids=str)
def test_wrong_dtypes(name, dtype):
    array = np.zeros(shape_for(name), dtype)
    before = array.tolist()
    refused(init.InvalidTypeError, name, array, "float32, float64", str(array.dtype), "astype")
    assert array.tolist() == before


@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "u1", "?", "O", "c8"])
def test_wrong_dtypes_of_bits(dtype):
    refused(init.InvalidTypeError, "bits_", np.zeros(3, dtype), "uint32, int32, uint64, int64", str(np.dtype(dtype)))


class Frame:
    """What looks like an array and converts to one, such as a pandas Series: a fill would be lost in a copy."""

    shape, ndim, dtype, values = (3,), 1, np.dtype("f4"), np.zeros(3, "f4")

    def __array__(self, dtype=None, copy=None):
        return self.values

    def __len__(self):
        return 3


NO_ARRAYS = [
    *([0.0, 1.0], (0.0,), [], 0.0, 1, True, None, "text", b"bytes"),
    *(range(3), {}, {1.0}, object(), np.float32(1), np.float64, np.zeros, iter([1.0]), Frame(), 1j),
]


@pytest.mark.parametrize("name", thinned(NAMES, set(TORCH)))
@pytest.mark.parametrize("thing", NO_ARRAYS, ids=lambda thing: type(thing).__name__)
def test_what_is_no_array(name, thing):
    shape_form = f"numbainit.{name[:-1]}(shape, ...)"
    refused(
        init.InvalidTypeError,
        name,
        thing,
        "fills an array in place",
        f".{type(thing).__name__}",
        "numpy.empty",
        shape_form,
    )


@pytest.mark.parametrize("name", NAMES)
def test_masked_arrays(name):
    array = np.ma.masked_array(np.zeros(shape_for(name), dtype_for(name)), mask=True)
    refused(init.InvalidTypeError, name, array, "mask", "array.data")
    assert not array.data.any()
    assert array.mask.all()


def test_a_masked_scalar():
    refused(init.InvalidTypeError, "zeros_", np.ma.masked, "mask")


@pytest.mark.parametrize("name", ["normal_", "zeros_"])
def test_refusals_hold_for_empty_arrays(name):
    empty = np.empty((0, 3), "f4")
    empty.setflags(write=False)
    refused(init.InvalidValueError, name, empty, "read-only")
    refused(init.InvalidTypeError, name, np.empty((0, 3), "i4"), "int32")


# ---- accepted ----


def expected(name, shape=None, dtype=None):
    """What the function puts into a plain array."""
    shape = shape_for(name) if shape is None else shape
    return call(name, np.empty(shape, dtype or dtype_for(name)), init.Generator(1))


class Named(np.ndarray):
    """A subclass with state and an ``__array_finalize__`` of its own, and a ``__setitem__`` that must not be needed."""

    def __array_finalize__(self, other):
        self.name = getattr(other, "name", None)

    def __setitem__(self, place, value):
        raise AssertionError("the fill went through the subclass")


@pytest.mark.parametrize("name", NAMES)
def test_subclasses(name):
    array = np.zeros(shape_for(name), dtype_for(name)).view(Named)
    array.name = "w"
    assert call(name, array, init.Generator(1)) is array
    assert array.name == "w"
    assert np.array_equal(array.view(np.ndarray), expected(name))


@pytest.mark.parametrize("name", [name for name in NAMES if len(shape_for(name)) == 2])
def test_matrices(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        array = np.asmatrix(np.zeros(shape_for(name), dtype_for(name)))
        assert call(name, array, init.Generator(1)) is array
    assert np.array_equal(array.A, expected(name))


@pytest.mark.parametrize("name", NAMES)
def test_memory_maps(name, tmp_path):
    path, shape = tmp_path / "weights", shape_for(name)
    array = np.memmap(path, dtype_for(name), "w+", shape=shape, offset=128)
    assert call(name, array, init.Generator(1)) is array
    array.flush()
    stored = np.fromfile(path, dtype_for(name), offset=128).reshape(shape)
    assert np.array_equal(stored, expected(name))
    assert path.read_bytes()[:128] == bytes(128)


def test_read_only_memory_maps(tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(bytes(400))
    refused(init.InvalidValueError, "normal_", np.memmap(path, "f4", "r"), "read-only")
    init.normal_(np.memmap(path, "f4", "c"), generator=0)
    assert path.read_bytes() == bytes(400), "copy on write: the file stays"


@pytest.mark.parametrize("name", ["normal_", "sparse_", "orthogonal_", "constant_"])
def test_huge_strides(name, tmp_path):
    """Steps beyond 2^31 elements and 2^32 bytes, both ways, in a file that is nearly all hole."""
    step = 2**32 + 4096
    with open(tmp_path / "hole", "wb") as file:
        file.truncate(4 * step)
    memory = np.memmap(tmp_path / "hole", "f4", "r+")
    array = as_strided(memory, (4, 6), (step, 8))[::-1]
    assert call(name, array, init.Generator(1)) is array
    assert np.array_equal(array, expected(name))


LAYOUTS = {
    "fortran": lambda shape, t: np.zeros(shape, t, order="F"),
    "swapped": lambda shape, t: np.zeros(shape, np.dtype(t).newbyteorder()),
    "misaligned": lambda shape, t: np.zeros(1 + 4 * math.prod(shape), "u1")[1:].view(t).reshape(shape),
    "misaligned-steps": lambda shape, t: np.zeros((*shape, 5), "u1")[..., 1:].view(t)[..., 0],
    "field": lambda shape, t: np.zeros(shape, [("pad", "u1"), ("w", t), ("more", "V6")])["w"],
    "aligned-field": lambda shape, t: np.zeros(shape, np.dtype([("pad", "u1"), ("w", t)], align=True))["w"],
    "record": lambda shape, t: np.recarray(shape, dtype=[("pad", "u1"), ("w", t)]).w,
    "subarray-field": lambda shape, t: np.zeros(3, [("pad", "V2"), ("w", t, shape)])["w"][1],
    "flipped": lambda shape, t: np.zeros(shape, t)[tuple(slice(None, None, -1) for _ in shape)],
    "steps": lambda shape, t: np.zeros(tuple(3 * n for n in shape), t)[tuple(slice(1, None, 3) for _ in shape)],
    "bytearray": lambda shape, t: np.frombuffer(bytearray(4 * math.prod(shape)), t).reshape(shape),
    "unit-axis": lambda shape, t: as_strided(np.zeros(shape, t)[None], (1, *shape), (3, *np.zeros(shape, t).strides))[
        0
    ],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", thinned(NAMES, set(TORCH)))
def test_layouts(name, layout):
    array = LAYOUTS[layout](shape_for(name), dtype_for(name))
    assert call(name, array, init.Generator(1)) is array
    assert np.array_equal(array, expected(name))


def test_the_parts_of_a_complex_array():
    array = np.zeros((4, 6), "c8")
    init.normal_(array.imag, generator=1)
    assert np.array_equal(array.imag, expected("normal_"))
    assert not array.real.any()


@pytest.mark.parametrize("name", ["uniform_", "normal_", "trunc_normal_", "constant_", "ones_", "zeros_", "bits_"])
def test_no_axes(name):
    array = np.full((), 7, dtype_for(name))
    assert call(name, array, init.Generator(1)) is array
    assert array == expected(name, (1,))[0]


@pytest.mark.parametrize("order", ["native", "swapped"])
@pytest.mark.parametrize("name", ["normal_", "uniform_", "orthogonal_", "constant_", "bits_", "kaiming_normal_"])
@pytest.mark.parametrize("axes", [33, 64])
def test_many_axes(name, axes, order):
    """NumPy's limit is 64 axes, but 32 in some of its iterators."""
    dtype = np.dtype(dtype_for(name))
    shape = (2,) + (1,) * (axes - 3) + (3, 5)
    array = np.empty(shape, dtype if order == "native" else dtype.newbyteorder())
    assert call(name, array, init.Generator(1)) is array
    assert np.array_equal(array, call(name, np.empty(shape, dtype), init.Generator(1)))


@pytest.mark.parametrize("name", ["normal_", "bits_", "constant_"])
def test_many_axes_with_steps(name):
    array = np.zeros((1,) * 60 + (2, 2, 2, 6), dtype_for(name))[..., ::-2]
    call(name, array, init.Generator(1))
    assert np.array_equal(array.reshape(-1), call(name, np.zeros(24, dtype_for(name)), init.Generator(1)))


@pytest.mark.parametrize("name", NAMES)
def test_no_elements(name):
    """Nothing is written, the same object comes back, and the draw is taken all the same."""
    for shape in shapes_without_elements(name):
        generator, array = init.Generator(1), np.empty(shape, dtype_for(name))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            assert call(name, array, generator) is array
        assert generator.draws == (name not in DRAWLESS)


def test_a_plain_array_over_the_same_memory():
    array = np.zeros((3, 4), "f4").view(Named)
    plain = arrays.writable(array, "normal_")
    assert type(plain) is np.ndarray
    assert np.shares_memory(plain, array)
    assert plain.strides == array.strides


# ---- random views ----


@st.composite
def views(draw, regular=False):
    """``(memory, view)``: bytes of 0xA5, and a float view of some of them that no two elements share.

    ``regular`` ones are native and lie at multiples of their size.
    """
    dtype = np.dtype(draw(st.sampled_from(["=f4", "=f8"] if regular else ["<f4", ">f4", "<f8", ">f8"])))
    shape = tuple(draw(st.lists(st.integers(1, 7), max_size=5)))
    unit = dtype.itemsize if regular else 1
    gap = unit * draw(st.integers(0, 9 // unit))  # bytes between neighbours
    start = unit * draw(st.integers(0, 17 // unit))
    memory = np.full(start + math.prod(shape) * (dtype.itemsize + gap) + 23, 0xA5, "u1")
    steps = [(dtype.itemsize + gap) * math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    view = np.ndarray(shape, dtype, memory, start, steps)
    view = view.transpose(draw(st.permutations(range(view.ndim))))
    for axis, length in enumerate(view.shape):
        first, step = draw(st.integers(0, length)), draw(st.sampled_from([1, -1, 2, -3]))
        view = view[(slice(None),) * axis + (slice(first, None, step),)]
    if draw(st.booleans()):
        view = view[None]
    return memory, view


@hypothesis.given(views(), st.sampled_from(["uniform_", "normal_", "trunc_normal_", "constant_"]))
@hypothesis.settings(deadline=None, max_examples=150, derandomize=True)
def test_only_the_view_is_written(memory_and_view, name):
    memory, view = memory_and_view
    call(name, view, init.Generator(1))
    assert np.array_equal(view, expected(name, view.shape, view.dtype.newbyteorder("=")))
    view[...] = np.frombuffer(b"\xa5" * view.itemsize, view.dtype)[0]
    assert (memory == 0xA5).all(), "a byte outside the view was written"


def addresses(shape, strides):
    return [sum(map(int.__mul__, place, strides)) for place in itertools.product(*map(range, shape))]


@hypothesis.given(st.lists(st.tuples(st.integers(0, 4), st.integers(-24, 24)), max_size=4))
@hypothesis.settings(deadline=None, max_examples=400, derandomize=True)
def test_every_overlap_is_found(axes):
    shape, strides = tuple(length for length, _ in axes), tuple(step for _, step in axes)
    array = as_strided(np.zeros(1000, "f4")[500:], shape, strides)
    touched = sorted(addresses(shape, strides))
    overlaps = any(after - before < 4 for before, after in itertools.pairwise(touched))
    if overlaps:
        assert arrays._may_overlap(array)


@hypothesis.given(views())
@hypothesis.settings(deadline=None, max_examples=200, derandomize=True)
def test_no_overlap_is_seen_in_slices_and_transposes(memory_and_view):
    assert not arrays._may_overlap(memory_and_view[1])


@hypothesis.given(views(regular=True).filter(lambda memory_and_view: memory_and_view[1].size))
@hypothesis.settings(deadline=None, max_examples=200, derandomize=True)
def test_strided_describes_the_view(memory_and_view):
    _, view = memory_and_view
    assert is_regular(view)
    numbers = np.arange(view.size, dtype=view.dtype)
    view[...] = numbers.reshape(view.shape)
    seen = strided(view, c_strides(view.shape))
    places = [seen.offset + step for step in addresses(seen.shape, seen.strides)]
    elements = [seen.window[place : place + view.itemsize].tobytes() for place in places]
    assert elements == [number.tobytes() for number in numbers]
