"""A small call like one before → the values, draws and errors of the first, whatever stands where a number belongs."""

import threading
from fractions import Fraction

import numpy as np
import pytest

import numbainit as init
from numbainit.targets import again
from numbainit.targets.cpu.launch import PARALLEL_FROM
from numbainit.weights import laws

CALLS = {"uniform_": (-0.5, 0.25), "normal_": (0.5, 0.25), "trunc_normal_": (0.5, 0.25, 0.0, 1.0)}
every_call = pytest.mark.parametrize("name", CALLS)


@pytest.fixture(autouse=True)
def nothing_is_remembered(monkeypatch):
    monkeypatch.setattr(again, "_ANSWERS", {})


def fill(name, array, *numbers, **keywords):
    return getattr(init, name)(array, *(numbers or CALLS[name]), **keywords)


@every_call
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_the_second_call_has_the_values_of_the_next_draw(name, dtype):
    generator = init.Generator(5)
    first, second = (fill(name, np.empty((3, 5), dtype), generator=generator) for _ in range(2))
    assert len(again._ANSWERS) == 1, "nothing was remembered: this compares a path with itself"
    again._ANSWERS.clear()
    fresh = init.Generator(5)
    for array in (first, second):
        assert fill(name, np.empty((3, 5), dtype), generator=fresh).tobytes() == array.tobytes()
        again._ANSWERS.clear()
    assert generator == fresh


@every_call
@pytest.mark.parametrize(
    "memory",
    [
        lambda: np.empty(0, "f4"),
        lambda: np.empty((6, 6), "f4").T,
        lambda: np.empty(40, "f4")[::-3],
        lambda: np.empty(10, ">f4"),
        lambda: np.empty(41, "u1")[1:].view("f4"),
        lambda: np.empty(8, "f2"),
        lambda: np.empty(PARALLEL_FROM, "f4"),
        lambda: np.empty((), "f4"),
    ],
    ids=["empty", "transposed", "strided", "foreign", "misaligned", "half", "large", "scalar"],
)
def test_other_memory_after_a_small_array(name, memory):
    wanted = fill(name, memory(), generator=3)
    fill(name, np.empty(4, "f4"), generator=3)
    assert fill(name, memory(), generator=3).tobytes() == wanted.tobytes()


@every_call
def test_what_is_refused_is_refused_after_a_call_that_was_not(name):
    generator = init.Generator(1)
    fill(name, np.empty(4, "f4"), generator=generator)
    locked = np.empty(4, "f4")
    locked.setflags(write=False)
    a, b, *rest = CALLS[name]
    for array, numbers in [
        (locked, CALLS[name]),
        (np.empty(4, "i4"), CALLS[name]),
        (np.empty(4, "f4"), (complex(a), b, *rest)),
        (np.empty(4, "f4"), (a, str(b), *rest)),
        (np.empty(4, "f4"), (a, np.array([b]), *rest)),
        (np.empty(4, "f4"), (a, memoryview(bytearray(b"x")), *rest)),
        (np.empty(4, "f4"), (a, float("nan"), *rest)),
        ([1.0, 2.0], CALLS[name]),
    ]:
        with pytest.raises(init.NumbaInitError):
            fill(name, array, *numbers, generator=generator)
    assert generator.draws == 1


@pytest.mark.parametrize("zero", [0.0, -0.0, 0, False, np.float32(0), Fraction(0)], ids=repr)
def test_equal_numbers_give_equal_values(zero):
    """Whichever came first: keys that are equal must stand for the same law."""
    wanted = init.normal_(np.empty(7, "f4"), 0.0, 1.0, generator=2)
    again._ANSWERS.clear()
    for mean in (zero, 0.0, zero):
        assert init.normal_(np.empty(7, "f4"), mean, 1.0, generator=2).tobytes() == wanted.tobytes()


def test_a_number_that_changes_is_read_again():
    class Number(float):
        """Equal to another float, but of another type."""

    std = np.array(1.0)
    first = init.normal_(np.empty(7), 0.0, std, generator=2).copy()
    std[()] = 2.0
    assert (init.normal_(np.empty(7), 0.0, std, generator=2) == 2 * first).all()
    assert init.normal_(np.empty(7), 0.0, Number(2.0), generator=2)[0] == 2 * first[0]
    assert not again._ANSWERS


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(again, "_MOST", 8)
    for std in range(1, 30):
        init.normal_(np.empty(2), 0.0, float(std), generator=0)
        assert len(again._ANSWERS) <= 8


def test_threads_take_different_draws_of_one_generator():
    generator, seen = init.Generator(0), []

    def work():
        seen.extend(init.normal_(np.empty(2), generator=generator)[0] for _ in range(300))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert generator.draws == len(seen) == len(set(seen)) == 2400


def test_what_is_remembered_outlives_the_laws_of_others():
    """Laws are forgotten when many others were asked for; what a kernel reads of one must not go with it."""
    wanted = init.normal_(np.empty(5), 0.25, 0.5, generator=4).copy()
    for std in range(1, 600):
        init.normal_(np.empty(2), 0.0, float(std), generator=0)
    laws._normal.cache_clear()
    filler = [np.full(11, -1, np.int64) for _ in range(4000)]  # whatever memory was freed is somebody else's now
    assert (init.normal_(np.empty(5), 0.25, 0.5, generator=4) == wanted).all()
    assert filler
