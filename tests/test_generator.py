"""Seeds, names and numbers → keys and draw numbers: which sources are taken, and that each is handed out once.

The keys themselves are compared with the reference in test_stream.py.
"""

import copy
import itertools
import json
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest

import numbainit as init
from numbainit import Generator
from numbainit import generator as generator_module
from numbainit.generator import as_generator, default_generator

LARGE = 2**200 + 12345
SEEDS = [0, 1, 2**32, 2**64 - 1, LARGE, [], [1], [1, 2, 3], (1, 2), [2**32, LARGE], range(3)]
INT_LIKE = [np.int8(7), np.uint64(7), np.int64(7), np.intp(7)]
WRONG_SEEDS = [
    *(
        1.0,
        1.5,
        np.float64(3),
        float("nan"),
        True,
        False,
        np.True_,
        "seed",
        "1",
        b"seed",
        "",
        1j,
        object(),
        int,
        {1},
        {},
    ),
    *(
        [[1, 2], [3, 4]],
        [1.5],
        ["1"],
        [True],
        [None],
        [[]],
        (1, (2,)),
        np.array(1.5),
        np.array([1.5]),
        np.eye(2, dtype=int),
    ),
    *(iter([1]), np.random.RandomState(0), np.random.PCG64(0), np.random),
]


def values(generator, size=8):
    return init.uniform_(np.empty(size), generator=generator).tolist()


# ---- seeds ----


@pytest.mark.parametrize("seed", SEEDS, ids=str)
def test_keys_are_those_of_seed_sequence(seed):
    sequence = np.random.SeedSequence(list(seed) if isinstance(seed, range) else seed)
    key = tuple(sequence.generate_state(2, np.uint32).tolist())
    assert Generator(seed).key == key
    assert Generator(sequence).key == key
    assert all(type(word) is int for word in Generator(seed).key)
    if not isinstance(seed, range):
        assert Generator(seed).seed == (seed if isinstance(seed, int) else list(seed))


@pytest.mark.parametrize("seed", INT_LIKE, ids=lambda seed: type(seed).__name__)
def test_integers_of_numpy(seed):
    assert Generator(seed) == Generator(7)
    assert Generator([seed, 1]) == Generator([7, 1])
    assert Generator(np.array([7, 1], seed.dtype)) == Generator([7, 1])


@pytest.mark.parametrize("seed", WRONG_SEEDS, ids=lambda seed: f"{type(seed).__name__}-{str(seed)[:16]}")
def test_what_is_no_seed(seed):
    array, calls = np.full(5, 7.0), [Generator, init.manual_seed, lambda s: init.normal_(array, generator=s)]
    before = init.default_generator.key, init.default_generator.draws
    for function in calls:
        with pytest.raises(init.InvalidTypeError) as caught:
            function(seed)
        message = str(caught.value)
        assert type(seed).__name__ in message
        assert "an int" in message
        assert "SeedSequence" in message
        assert "Generator" in message
    assert (array == 7).all()
    assert before == (init.default_generator.key, init.default_generator.draws)


def test_a_name_is_no_seed_but_can_be_folded_in():
    with pytest.raises(init.InvalidTypeError, match="fold_in"):
        Generator("encoder.weight")


@pytest.mark.parametrize("seed", [-1, -LARGE, [1, -2], np.int64(-1), np.array([-1])], ids=str)
def test_negative_seeds(seed):
    for function in (Generator, init.manual_seed, lambda s: init.normal_(np.zeros(3), generator=s)):
        with pytest.raises(init.InvalidValueError, match=r"non-negative int, got -\d+: take abs"):
            function(seed)


def test_fresh_entropy():
    first, second = Generator(), Generator(None)
    assert first.key != second.key
    assert Generator(first.seed) == first


def test_seeding_a_call_gives_the_same_values_each_time():
    for seed in [3, [3, 4], (3, 4), np.random.SeedSequence(3), np.int64(3), np.array([3])]:
        assert values(seed) == values(seed) == values(Generator(seed))
    assert values(3) != values(4)


def test_a_seed_sequence_is_not_used_up():
    sequence = np.random.SeedSequence(3)
    Generator(sequence)
    assert sequence.n_children_spawned == 0
    assert Generator(sequence) == Generator(3)


def test_spawned_seed_sequences_differ():
    children = np.random.SeedSequence(3).spawn(3)
    assert len({Generator(child).key for child in children} | {Generator(3).key}) == 4


# ---- from_key ----


def test_from_key():
    generator = Generator.from_key(1, 2**32 - 1, draws=3, spawned=4)
    assert (generator.key, generator.seed, generator.draws, generator.spawned) == ((1, 2**32 - 1), None, 3, 4)
    assert Generator.from_key(np.uint32(1), np.int64(2)).key == (1, 2)
    assert all(type(word) is int for word in Generator.from_key(np.uint32(1), np.uint32(2)).key)


@pytest.mark.parametrize(
    ("error", "arguments"),
    [
        (init.InvalidValueError, (-1, 0)),
        (init.InvalidValueError, (0, 2**32)),
        (init.InvalidTypeError, (0.0, 1)),
        (init.InvalidTypeError, (0, "1")),
        (init.InvalidTypeError, (True, 1)),
        (init.InvalidTypeError, (None, None)),
    ],
)
def test_words_that_are_none(error, arguments):
    with pytest.raises(error, match=r"k[01] must"):
        Generator.from_key(*arguments)


@pytest.mark.parametrize("name", ["draws", "spawned"])
@pytest.mark.parametrize(
    ("error", "value"),
    [
        (init.InvalidValueError, -1),
        (init.InvalidValueError, 2**65),
        (init.InvalidTypeError, 1.0),
        (init.InvalidTypeError, "1"),
        (init.InvalidTypeError, True),
        (init.InvalidTypeError, None),
    ],
)
def test_counts_that_are_none(error, value, name):
    with pytest.raises(error, match=name):
        Generator(0, **{name: value})
    with pytest.raises(error, match=name):
        Generator.from_key(0, 0, **{name: value})


# ---- draws ----


def test_each_call_takes_one_draw():
    generator = Generator(0)
    for count, size in enumerate([0, 1, 2, 100, 2**16]):
        assert generator.draws == count
        init.uniform_(np.empty(size), generator=generator)
    assert values(generator) == values(Generator(0, draws=5))


def test_draws_differ():
    generator = Generator(0)
    assert len({tuple(values(generator)) for _ in range(50)}) == 50


def test_the_last_draw():
    generator = Generator(0, draws=2**32 - 1)
    values(generator)
    assert generator.draws == 2**32
    array = np.full(3, 7.0)
    for _ in range(2):
        with pytest.raises(init.InvalidValueError, match=r"2\^32 draws.*fold_in"):
            init.uniform_(array, generator=generator)
    assert (array == 7).all()
    assert eval(repr(generator)) == generator


def test_draws_are_distinct_between_threads():
    generator, taken = Generator(0), []
    start = threading.Barrier(16)

    def work():
        start.wait()
        taken.append([generator.next_stream()[2] for _ in range(500)])

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(itertools.chain(*taken)) == list(range(16 * 500))
    assert all(draws == sorted(draws) for draws in taken)


def test_children_are_distinct_between_threads():
    generator, children = Generator(0), []
    start = threading.Barrier(8)

    def work():
        start.wait()
        for _ in range(50):
            children.extend(generator.spawn(3))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({child.key for child in children}) == 8 * 50 * 3 == generator.spawned


def test_what_users_see_is_read_only():
    generator = Generator(0)
    for name in ("key", "draws", "spawned"):
        with pytest.raises(AttributeError):
            setattr(generator, name, 0)


# ---- fold_in and spawn ----


def test_fold_in_is_a_function_of_key_and_data():
    generator = Generator(0)
    before = generator.fold_in("w")
    values(generator)
    generator.spawn(2)
    after = generator.fold_in("w")
    assert before == after
    assert (after.draws, after.spawned, after.seed) == (0, 0, None)
    assert (generator.draws, generator.spawned) == (1, 2)
    assert generator.fold_in(np.int64(3)) == generator.fold_in(3)
    assert generator.fold_in(np.str_("w")) == after


def test_fold_in_tells_data_keys_and_order_apart():
    generator = Generator(0)
    data = ["", "a", "b", "ab", "0", "1", "\u00e9", "e\u0301", "a\0", 0, 1, 48, 2**32, 2**64 - 1]
    keys = [generator.fold_in(datum).key for datum in data] + [Generator(1).fold_in(datum).key for datum in data]
    keys += [generator.fold_in("a").fold_in("b").key, generator.fold_in("b").fold_in("a").key, generator.key]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("error", "data"),
    [
        (init.InvalidValueError, -1),
        (init.InvalidValueError, 2**64),
        (init.InvalidValueError, "\ud800"),
        (init.InvalidTypeError, True),
        (init.InvalidTypeError, 1.0),
        (init.InvalidTypeError, None),
        (init.InvalidTypeError, b"w"),
        (init.InvalidTypeError, ("w", 1)),
        (init.InvalidTypeError, np.array(["w"])),
    ],
)
def test_what_cannot_be_folded_in(error, data):
    with pytest.raises(error, match="fold_in"):
        Generator(0).fold_in(data)


def test_spawn_counts_on():
    generator = Generator(5)
    children = generator.spawn(2) + generator.spawn(0) + generator.spawn(np.int64(3))
    assert [child.key for child in children] == [Generator(5).fold_in(i).key for i in range(5)]
    assert (generator.spawned, generator.draws) == (5, 0)
    assert Generator(5, spawned=3).spawn(1)[0] == children[3]


@pytest.mark.parametrize(
    ("error", "n"),
    [
        (init.InvalidValueError, -1),
        (init.InvalidTypeError, 1.0),
        (init.InvalidTypeError, None),
        (init.InvalidTypeError, "2"),
        (init.InvalidTypeError, True),
    ],
)
def test_numbers_of_children_that_are_none(error, n):
    generator = Generator(0)
    with pytest.raises(error, match="n must"):
        generator.spawn(n)
    assert generator.spawned == 0


def test_the_last_child():
    generator = Generator(0, spawned=2**64 - 1)
    with pytest.raises(init.InvalidValueError):
        generator.spawn(2)
    assert generator.spawned == 2**64 - 1, "a refused call hands out nothing"
    assert generator.spawn(1)[0] == generator.fold_in(2**64 - 1)


# ---- copies ----


def generators():
    used = Generator(7, draws=3, spawned=2)
    sequence = np.random.SeedSequence([1, 2])
    return [
        *(Generator(0), Generator(LARGE), Generator([1, 2, 3]), Generator((4, 5), draws=1), used, used.fold_in("w")),
        *(Generator.from_key(1, 2, draws=7), Generator(), Generator(np.uint64(7)), Generator(np.array([1, 2]))),
        *(Generator(sequence), Generator(sequence.spawn(2)[1]), used.spawn(1)[0], Generator(0, draws=2**32)),
        *(Generator(range(3)), Generator([])),
    ]


@pytest.mark.parametrize("generator", generators(), ids=map(str, itertools.count()))
def test_copies(generator):
    copies = [copy.copy(generator), copy.deepcopy(generator), eval(repr(generator))]
    copies += [pickle.loads(pickle.dumps(generator, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    for other in copies:
        assert other is not generator
        assert other == generator
        assert repr(other) == repr(generator)
        assert (other.key, other.draws, other.spawned) == (generator.key, generator.draws, generator.spawned)


def test_copies_remember_the_seed():
    child = Generator(np.random.SeedSequence([1, 2]).spawn(1)[0], draws=3)
    for other in (copy.copy(child), copy.deepcopy(child), pickle.loads(pickle.dumps(child))):
        assert (other.seed, repr(other)) == (child.seed, repr(child))


@pytest.mark.parametrize(
    "sequence",
    [
        np.random.SeedSequence(1, pool_size=8),
        np.random.SeedSequence(np.array([1, 2])),
        np.random.SeedSequence(np.array([1, 2], "u4"), spawn_key=(1,)),
        np.random.SeedSequence([np.uint32(1), 2]),
        np.random.SeedSequence(0, spawn_key=(0,)),
    ],
    ids=["pool", "array", "array-child", "list", "child"],
)
def test_repr_of_uncommon_seed_sequences(sequence):
    """What a repr shows makes the same key again, even where the entropy alone would not."""
    generator = Generator(sequence)
    again = eval(repr(generator), {"Generator": Generator, "np": np})
    assert again == generator


def test_copies_count_on_their_own():
    generator = Generator(0)
    other = copy.deepcopy(generator)
    first = values(generator)
    assert other.draws == 0
    assert values(other) == first


def test_repr():
    assert repr(Generator(7)) == "Generator(seed=7)"
    assert repr(Generator([1, 2], draws=3)) == "Generator(seed=[1, 2], draws=3)"
    assert (
        repr(Generator.from_key(1, 2, draws=1, spawned=2))
        == "Generator.from_key(0x00000001, 0x00000002, draws=1, spawned=2)"
    )


def test_repr_of_a_seed_that_has_more_digits_than_python_writes():
    seed = 3**10_000
    for one in (seed, [1, seed]):
        text = repr(Generator(one))
        assert "seed=0x" in text.replace("[1, ", "")
        assert eval(text).key == Generator(one).key


def test_equality():
    assert Generator(0) == Generator(0)
    assert Generator(0) != Generator(1)
    assert Generator(0) != Generator(0, draws=1)
    assert Generator(0) != Generator(0, spawned=1)
    assert Generator(0) == Generator.from_key(*Generator(0).key)
    assert Generator(0) != 0
    with pytest.raises(TypeError, match="unhashable"):
        hash(Generator(0))


# ---- what generator= takes ----


def test_a_generator_is_taken_as_it_is():
    generator = Generator(0)
    assert as_generator(generator) is generator
    assert as_generator(None) is default_generator is init.default_generator


@pytest.mark.parametrize("kind", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_a_numpy_generator_gives_exactly_64_bits(kind):
    source, twin = (np.random.Generator(getattr(np.random, kind)(5)) for _ in range(2))
    generator = as_generator(source)
    bits = int(twin.integers(0, 2**64, dtype=np.uint64))
    assert generator.key == (bits & 0xFFFFFFFF, bits >> 32)
    assert repr(source.bit_generator.state) == repr(twin.bit_generator.state)
    assert source.integers(2**63) == twin.integers(2**63)
    raw = getattr(np.random, kind)(5)
    words = raw.random_raw(2) if kind == "MT19937" else [raw.random_raw()]
    words = [int(word) for word in words]
    assert bits == (words[0] << 32 | words[1] if kind == "MT19937" else words[0])


def test_a_numpy_generator_goes_on():
    source = np.random.default_rng(0)
    first = values(source)
    assert values(source) != first
    assert values(np.random.default_rng(0)) == first


# ---- the default generator ----


@pytest.fixture
def restored():
    """Leave the default generator as it was found."""
    before = copy.copy(default_generator)
    yield
    default_generator.__setstate__(before.__getstate__())


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("seed", [0, 7, LARGE, [1, 2], np.random.SeedSequence(3), np.int64(3)], ids=str)
def test_manual_seed(seed):
    assert init.manual_seed(seed) is default_generator
    first = [values(None) for _ in range(3)]
    assert default_generator.draws == 3
    init.manual_seed(seed)
    assert default_generator.draws == 0
    assert [values(None) for _ in range(3)] == first
    assert len({tuple(value) for value in first}) == 3
    assert first[0] == values(seed)


@pytest.mark.usefixtures("restored")
def test_manual_seed_takes_a_seed():
    before = copy.copy(default_generator)
    with pytest.raises(init.InvalidTypeError, match="got None"):
        init.manual_seed(None)
    with pytest.raises(init.InvalidTypeError):
        init.manual_seed(Generator(0))
    assert default_generator == before


@pytest.mark.usefixtures("restored")
def test_manual_seed_while_others_draw():
    """No thread hangs or fails, whatever lock it holds when the state is replaced."""
    stop, failures = threading.Event(), []

    def work():
        try:
            while not stop.is_set():
                values(None, 4)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for seed in range(200):
        init.manual_seed(seed)
    stop.set()
    for thread in threads:
        thread.join(timeout=20)
        assert not thread.is_alive()
    assert not failures


@pytest.mark.usefixtures("restored")
def test_other_generators_leave_the_default_alone():
    init.manual_seed(0)
    values(1)
    values(Generator(2))
    values(np.random.default_rng(3))
    np.random.default_rng(0).random()
    assert default_generator == Generator(0)


def test_seeding_anew_waits_for_the_draw_of_another_thread():
    """It goes through the lock that a draw holds, and keeps that lock."""
    lock = generator_module._lock
    seeding = threading.Thread(target=init.manual_seed, args=(123,))
    with lock:
        seeding.start()
        seeding.join(0.05)
        assert seeding.is_alive()
        before = init.default_generator.key
    seeding.join()
    assert generator_module._lock is lock
    assert init.default_generator.key == init.Generator(123).key != before
    assert init.default_generator.draws == 0


def test_the_default_generator_takes_entropy_once_and_only_when_asked():
    """``import numbainit`` stays quick; many threads that ask at once get one key."""
    code = """
import json, sys, threading
import numbainit as init
early = "numpy.random" in sys.modules
keys, barrier = [], threading.Barrier(8)
def ask():
    barrier.wait()
    keys.append(init.default_generator.key)
threads = [threading.Thread(target=ask) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
g = init.default_generator
same = g.key == init.Generator(g.seed).key == keys[0]
print(json.dumps([early, len(set(keys)), same, repr(g) == f"Generator(seed={g.seed})"]))
"""
    done = [subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True) for _ in range(2)]
    assert [json.loads(one.stdout) for one in done] == [[False, 1, True, True]] * 2
