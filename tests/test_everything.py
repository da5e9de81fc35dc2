"""Initializers, dtypes and kinds of memory, by pairs → filled with the bits of a NumPy array, or refused.

Each initializer meets each dtype and each kind of memory, and each dtype each kind of memory: what goes wrong with
three of them only is looked for elsewhere, such as in ``test_determinism.py``.

``python tests/test_everything.py`` prints the table: a row for each dtype and kind of memory, a column for each
initializer.
"""

import functools

import numpy as np
import pytest

import numbainit as init
from cases import FLOATS, ORTHOGONAL, REALS, call, shape_for, thinned

pytestmark = pytest.mark.full

ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")

EIGHT = ("e3m4", "e4m3", "e4m3b11fnuz", "e4m3fn", "e4m3fnuz", "e5m2", "e5m2fnuz", "e8m0fnu")
SMALL = ["bfloat16", *(f"float8_{kind}" for kind in EIGHT)]
DTYPES = ["float32", "float64", "float16", *SMALL, "complex64", "complex128", "int32", "f4,f4"]
REFUSED = {
    "float8_e8m0fnu": "no zero and no sign",
    "int32": "got (int32|>i4)",
    "f4,f4": "fills arrays of|fills real arrays",
}


def dtype_of(name):
    return np.dtype(getattr(ml_dtypes, name) if name in SMALL else name)


# ---- kinds of memory: a shape and a dtype → an object to fill, and how to see it as an ndarray ----


class Interface:
    def __init__(self, memory):
        self.memory, self.__array_interface__ = memory, memory.__array_interface__


class Dlpack:
    def __init__(self, memory):
        self.memory = memory

    def __dlpack__(self, **keywords):
        return self.memory.__dlpack__(**keywords)

    def __dlpack_device__(self):
        return self.memory.__dlpack_device__()


class Subclass(np.ndarray):
    pass


def of_ndarray(shape, dtype):
    array = np.empty(shape, dtype)
    return array, array


def of_fortran(shape, dtype):
    array = np.empty(shape, dtype, order="F")
    return array, array


def of_gaps(shape, dtype):
    array = np.empty((*shape, 3), dtype)[::-1, ..., 1]
    return array, array


def of_misaligned(shape, dtype):
    size = int(np.prod(shape)) * dtype.itemsize
    array = np.empty(size + 1, np.uint8)[1:].view(dtype).reshape(shape)
    return array, array


def of_swapped(shape, dtype):
    array = np.empty(shape, dtype.newbyteorder())
    return array, array


def of_subclass(shape, dtype):
    array = np.empty(shape, dtype).view(Subclass)
    return array, np.asarray(array)


def of_interface(shape, dtype):
    array = np.empty(shape, dtype)
    return Interface(array), array


def of_dlpack(shape, dtype):
    array = np.empty(shape, dtype)
    return Dlpack(array), array


def of_memoryview(shape, dtype):
    array = np.empty(shape, dtype)
    return memoryview(array), array


def of_torch(shape, dtype):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    tensor = torch.empty(shape, dtype=getattr(torch, dtype.name))
    return tensor, tensor.contiguous().view(torch.uint8).numpy().view(dtype)


def of_parameter(shape, dtype):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    memory = torch.empty((*shape, 2), dtype=getattr(torch, dtype.name))
    tensor = torch.nn.Parameter(memory, requires_grad=dtype.kind in "fcV")[..., 1].detach()
    bits = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}.get(dtype.itemsize)
    return tensor, (tensor.view(bits) if dtype.kind != "c" else tensor).numpy().view(dtype)


def of_read_only(shape, dtype):
    array = np.empty(shape, dtype)
    array.setflags(write=False)
    return array, array


def of_jax(shape, dtype):
    jax = pytest.importorskip("jax", reason="jax is not installed")
    return jax.numpy.zeros(shape, "float32" if dtype.itemsize == 8 else dtype), None


KINDS = {
    "ndarray": of_ndarray,
    "Fortran order": of_fortran,
    "strides": of_gaps,
    "misaligned": of_misaligned,
    "byte-swapped": of_swapped,
    "subclass": of_subclass,
    "__array_interface__": of_interface,
    "__dlpack__": of_dlpack,
    "buffer protocol": of_memoryview,
    "torch": of_torch,
    "torch view": of_parameter,
    "read-only": of_read_only,
    "jax": of_jax,
}
REFUSED_KINDS = {"read-only": "read-only", "jax": "immutable"}


def is_there(kind, name):
    """Whether there can be such memory: torch, the buffer protocol, DLPack and JAX know not every dtype."""
    if kind == "__dlpack__" and np.lib.NumpyVersion(np.__version__) < "2.1.0":
        return False  # it takes all such arrays for read-only
    if kind in ("__array_interface__", "buffer protocol", "__dlpack__"):
        return name not in SMALL and (kind == "buffer protocol" or name != "f4,f4")
    if kind in ("torch", "torch view"):
        return name not in ("float8_e3m4", "float8_e4m3", "float8_e4m3b11fnuz", "f4,f4")
    if kind == "jax":
        return name not in ("f4,f4", "float64", "complex128")
    return not (kind == "byte-swapped" and name.startswith(("float8", "f4,f4")))


def message_of_refusal(name, kind, dtype):
    """What a refusal says, or None where the fill must succeed."""
    if kind == "jax":
        return REFUSED_KINDS[kind]
    if dtype in REFUSED:
        return REFUSED[dtype]
    if dtype.startswith("complex") and name in REALS:
        return "law on a disk is out of scope"
    return REFUSED_KINDS.get(kind)


@functools.cache
def wanted(name, dtype):
    return call(name, np.empty(shape_for(name), dtype_of(dtype)), 9)


MEMORY = [(dtype, kind) for dtype in DTYPES for kind in KINDS if is_there(kind, dtype)]
#: which the light suite takes: no other library is imported, and each dtype makes code to compile
LIGHT_DTYPES = ("float32", "float64", "bfloat16", "float8_e8m0fnu", "complex64", "int32", "f4,f4")
LIGHT_KINDS = [kind for kind in KINDS if kind not in ("torch", "torch view", "jax")]


@pytest.mark.parametrize("dtype", thinned(DTYPES, LIGHT_DTYPES))
@pytest.mark.parametrize("name", FLOATS)
def test_each_initializer_with_each_dtype(name, dtype):
    assert_filled_or_refused(name, dtype, "ndarray")


@pytest.mark.parametrize("kind", thinned(KINDS, LIGHT_KINDS))
@pytest.mark.parametrize("name", FLOATS)
def test_each_initializer_with_each_kind_of_memory(name, kind):
    if not is_there(kind, "float32"):
        pytest.skip(f"there is no {kind} that can be filled with this NumPy")
    assert_filled_or_refused(name, "float32", kind)


@pytest.mark.parametrize(
    ("dtype", "kind"),
    thinned(MEMORY, lambda case: case[0] in LIGHT_DTYPES and case[1] in LIGHT_KINDS, several=True),
)
def test_each_dtype_in_each_kind_of_memory(dtype, kind):
    assert_filled_or_refused("normal_", dtype, kind)


def assert_filled_or_refused(name, dtype, kind):
    given, array = KINDS[kind](shape_for(name), dtype_of(dtype))
    message = message_of_refusal(name, kind, dtype)
    if message:
        before = None if array is None else array.tobytes()
        with pytest.raises((init.InvalidTypeError, init.InvalidValueError), match=message):
            call(name, given, 9)
        assert array is None or array.tobytes() == before
        return
    assert call(name, given, 9) is given
    expected = wanted(name, dtype)
    got = np.ascontiguousarray(array).astype(expected.dtype)
    if name in ORTHOGONAL:
        np.testing.assert_allclose(got.astype("c16"), expected.astype("c16"), atol=1e-6)
    else:
        assert got.tobytes() == expected.tobytes()


def _cell(name, dtype, kind):
    try:
        assert_filled_or_refused(name, dtype, kind)
    except pytest.skip.Exception:
        return "?"
    return "refused" if message_of_refusal(name, kind, dtype) else "filled"


def main():
    print("| dtype | memory |", " | ".join(FLOATS), "|")
    print("|---|---|" + "---|" * len(FLOATS))
    for dtype, kind in MEMORY:
        print(f"| {dtype} | {kind} |", " | ".join(_cell(name, dtype, kind) for name in FLOATS), "|")


if __name__ == "__main__":
    main()
