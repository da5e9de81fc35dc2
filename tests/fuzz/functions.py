"""Every initializer on memory of every kind, with arguments of every kind → filled as promised, or refused by an error.

Around the memory lie guard bytes. What was filled is compared with a plain array of that shape, of which the elements
are known to be right; what was refused is as it was, and the generator too.
"""

import contextlib
import inspect
import warnings

import numpy as np

import numbainit as init
from cases import DRAWLESS, NAMES, NEEDED, ORTHOGONAL
from fuzz import odd

LONGEST = 500  # characters of a message
GUARD = 64
COMMON = ["f4", "f8", "f2", "c8", "c16", ">f4"]
DTYPES = [*COMMON * 5, "u4", "i8", "i2", "?", "<f8", ">c16", "g", "O", "M8[s]", "V4", "U3"]
try:
    import ml_dtypes
except ImportError:
    SMALL = []
else:
    names = ("bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3b11fnuz", "float8_e8m0fnu", "int4")
    SMALL = [np.dtype(getattr(ml_dtypes, name)) for name in names]
OPTIONS = {name: [*inspect.signature(getattr(init, name)).parameters][1:] for name in NAMES}


def shape_of(source):
    axes = source.choice([0, 1, 1, 2, 2, 2, 3, 4, 5])
    return tuple(source.choice([0, 1, 1, 2, 3, 4, 5, 7]) for _ in range(axes))


def memory(source, shape, dtype):
    """(all bytes, an array somewhere in them)."""
    count = int(np.prod(shape)) * max(dtype.itemsize, 1)
    stretch = source.choice([1, 1, 1, 2, 3])
    whole = np.frombuffer(source.randbytes(2 * GUARD + stretch * count + 16), np.uint8).copy()
    begin = GUARD + source.choice([0, 0, 0, 1, 4])
    if not shape or not count or not dtype.itemsize:
        return whole, whole[begin : begin + count].view(dtype).reshape(shape)
    inside = whole[begin : begin + stretch * count].view(dtype).reshape(*shape[:-1], -1)
    array = inside[..., ::stretch][..., : shape[-1]] if stretch > 1 and shape[-1] else inside[..., : shape[-1]]
    for axis in range(len(shape)):
        if source.random() < 0.2:
            array = np.flip(array, axis)
    if source.random() < 0.2:
        array = array.T
    if source.random() < 0.05:
        array = np.broadcast_to(array, (2, *array.shape))
    if source.random() < 0.05:
        array.flags.writeable = False
    return whole, array


class Interface:
    """Memory behind ``__array_interface__``, some of whose fields may be odd; never more memory than there is."""

    def __init__(self, source, array):
        self.array = array
        self.dtype = array.dtype if source.random() < 0.5 else odd.thing(source)
        self.__array_interface__, self.odd = dict(array.__array_interface__), False
        for field in ("shape", "strides", "typestr", "data", "version", "mask", "descr", "offset"):
            if source.random() < 0.1:
                self.__array_interface__[field] = wrong(source, field)
                self.odd = True


def wrong(source, field):
    """What cannot be such a field: what could, may be believed."""
    if field == "version":
        return odd.thing(source)
    if field in ("shape", "strides"):
        return source.choice([(-1, 2), ("2",), 3, None if field == "shape" else (1.5,), (2**64,), (odd.Raising(),), ()])
    if field == "data":
        return source.choice([None, (), (-8, False), (2**64, False), ("0x0", False), 5, (odd.Raising(), 0), (0, True)])
    return source.choice([None, "", "<f3", "<f1", "<Z9", 5, b"<f4", odd.Raising(), [("", "<f4")]])


class Capsule:
    """DLPack that does not hold what it says."""

    def __init__(self, source, array):
        self.array, self.device, self.capsule = array, odd.thing(source), odd.thing(source)
        if source.random() < 0.5:
            self.device = (1, 0)

    def __dlpack_device__(self):
        return self.device

    def __dlpack__(self, **keywords):
        return self.capsule


def handed_over(source, array):
    """The array, or what holds its memory."""
    chance = source.random()
    if chance < 0.7:
        return array
    if chance < 0.9:
        return Interface(source, array)
    if chance < 0.95:
        return Capsule(source, array)
    return odd.thing(source)


def block_of(source, shape):
    if source.random() < 0.7:
        return None
    if source.random() < 0.2:
        return odd.thing(source)
    start = [source.randrange(4) for _ in shape]
    whole = [size + begin + source.randrange(-1, 4) for size, begin in zip(shape, start, strict=True)]
    with contextlib.suppress(init.NumbaInitError):
        return init.Block(whole, start)
    return None


def case(source):
    name = source.choice(NAMES)
    dtype = source.choice(SMALL) if SMALL and source.random() < 0.2 else np.dtype(source.choice(DTYPES))
    if dtype.hasobject:
        whole, array = np.zeros(0, np.uint8), np.empty(shape_of(source), dtype)
    else:
        whole, array = memory(source, shape_of(source), dtype)
    target = handed_over(source, array)
    arguments = dict(NEEDED.get(name, {}))
    if OPTIONS[name] and source.random() < 0.4:
        arguments[source.choice(OPTIONS[name])] = odd.thing(source)
    if "block" in OPTIONS[name] and (block := block_of(source, array.shape)) is not None:
        arguments["block"] = block
    generator = init.Generator(source.randrange(2**40), draws=source.choice([0, 3, 2**32 - 1]))
    if name not in DRAWLESS:
        arguments["generator"] = generator if source.random() < 0.95 else odd.thing(source)
    return outcome(name, whole, array, target, arguments, generator)


def outcome(name, whole, array, target, arguments, generator):
    before, state = whole.copy(), generator.draws
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            result = getattr(init, name)(target, **arguments)
        except init.NumbaInitError as error:
            assert len(str(error)) <= LONGEST, f"a message of {len(str(error))} characters"
            assert (whole == before).all(), "written, and then refused"
            assert generator.draws == state, "drawn, and then refused"
            return type(error).__name__
        assert result is target, "another object came back"
        assert target is not array or not array.dtype.hasobject, "objects were filled"
        check(name, whole, before, array, target, arguments, generator)
    return "filled"


def check(name, whole, before, array, target, arguments, generator):
    """Nothing but the array was written, and what was written is what a plain array gets."""
    filled = array.copy()
    if target is not array and (type(target) is not Interface or target.odd):
        return  # what it said may be another array
    array.view(f"V{array.itemsize}")[...] = np.zeros((), f"V{array.itemsize}")
    rest = whole.copy()
    whole[:] = before
    array.view(f"V{array.itemsize}")[...] = np.zeros((), f"V{array.itemsize}")
    assert (whole == rest).all(), "written out of bounds"
    if arguments.get("generator") is generator:
        arguments["generator"] = init.Generator.from_key(*generator.key, draws=generator.draws - 1)
    elif "generator" in arguments:
        return
    plain = np.empty(array.shape, array.dtype.newbyteorder("="))
    getattr(init, name)(plain, **arguments)
    if name in ORTHOGONAL:
        near = np.allclose(filled.astype(complex), plain.astype(complex), atol=0.1, equal_nan=True)
        assert near, "other values than those of a plain array"
        return
    same = filled.astype(plain.dtype, copy=False).tobytes() == plain.tobytes()
    assert same, "other values than those of a plain array"
