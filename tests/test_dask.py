"""Lazy arrays of dask → the bits of the call that makes a whole array of NumPy, whatever the chunks and the workers."""

import inspect
import itertools
import os
import signal
import time

import pytest

pytestmark = pytest.mark.full
da = pytest.importorskip("dask.array", reason="dask is not installed: pip install 'numbainit[dask]'")

import hypothesis  # noqa: E402
import hypothesis.strategies as st  # noqa: E402
import numpy as np  # noqa: E402
from dask.base import tokenize  # noqa: E402

import numbainit as init  # noqa: E402
from cases import DRAWLESS, NAMES, NEEDED, ORTHOGONAL, shape_for  # noqa: E402
from numbainit import dask as nd  # noqa: E402

PLAIN = [name.removesuffix("_") for name in NAMES]
BY_BLOCKS = [name for name in PLAIN if name + "_" not in ORTHOGONAL]


def both(name, shape, chunks, **keywords):
    """The same call, of dask and of NumPy."""
    given = {**NEEDED.get(name + "_", {}), **({} if name + "_" in DRAWLESS else {"generator": 5}), **keywords}
    return getattr(nd, name)(shape, chunks=chunks, **given), getattr(init, name)(shape, **given)


@st.composite
def cuts(draw, size):
    """Chunks along an axis."""
    ends = sorted({0, size, *draw(st.lists(st.integers(1, size), max_size=3))})
    return tuple(end - begin for begin, end in itertools.pairwise(ends))


@pytest.mark.parametrize("name", BY_BLOCKS)
@hypothesis.given(st.data())
@hypothesis.settings(max_examples=8, deadline=None)
def test_any_chunks_give_the_bits_of_the_whole(name, data):
    chunks = tuple(data.draw(cuts(size)) for size in shape_for(name + "_"))
    made, want = both(name, shape_for(name + "_"), chunks)
    assert made.chunks == chunks
    assert made.dtype == want.dtype
    np.testing.assert_array_equal(made.compute(scheduler="sync"), want)


def test_the_family_is_here():
    assert nd.__all__ == sorted(PLAIN)


@pytest.mark.parametrize("name", PLAIN)
def test_signatures_are_those_of_new_arrays(name):
    mine, theirs = (inspect.signature(getattr(module, name)).parameters for module in (nd, init))
    assert [key for key in mine if key != "chunks"] == [key for key in theirs if key not in ("device", "block")]
    assert all(one.default == theirs[key].default for key, one in mine.items() if key != "chunks")
    assert mine["chunks"].default == "auto"


def test_an_orthogonal_matrix_is_made_by_one_task():
    made, want = both("orthogonal", (40, 30), (16, 7))
    assert made.chunks == ((16, 16, 8), (7, 7, 7, 7, 2))
    np.testing.assert_array_equal(made.compute(scheduler="sync"), want)


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "complex64"])
def test_dtypes(dtype):
    made, want = both("xavier_normal", (12, 10), 5, dtype=dtype)
    assert made.dtype == want.dtype == made._meta.dtype
    assert made._meta.shape == (0, 0)
    assert made.compute(scheduler="sync").tobytes() == want.tobytes()


def test_like_gives_library_and_dtype():
    assert nd.normal((4, 4), like=np.zeros(3, "float16"), generator=0).dtype == "float16"
    assert nd.bits(4, like=np.zeros(3, "int64"), generator=0).dtype == "int64"
    with pytest.raises(init.InvalidTypeError, match=r"like must be an array of NumPy or CuPy, got builtins\.list"):
        nd.normal(3, like=[1.0])


def test_scalars_and_arrays_without_elements():
    for shape in ((), (0,), (3, 0)):
        made, want = both("normal", shape, "auto")
        np.testing.assert_array_equal(made.compute(scheduler="sync"), want)


def test_a_layout_gives_fans():
    layout = init.Layout(splits=(4, 6, 2))
    made, want = both("kaiming_uniform", (12, 8), (5, 3), layout=layout)
    np.testing.assert_array_equal(made.compute(scheduler="sync"), want)


def test_names_say_what_an_array_is():
    def name(*arguments, chunks=(2, 3), generator=0, **keywords):
        return nd.normal((6, 6), *arguments, chunks=chunks, generator=generator, **keywords).name

    assert name() == name() == name(0.0, 1)
    others = [name(std=2), name(chunks=3), name(generator=1), name(dtype="float64")]
    others.append(nd.uniform((6, 6), chunks=(2, 3), generator=0).name)
    assert len({name(), *others}) == 6
    generator = init.Generator(0)
    second = init.Generator.from_key(*generator.key, draws=1)
    assert [name(generator=generator), name(generator=generator)] == [name(), name(generator=second)]
    assert generator.draws == 2
    assert tokenize(nd.ones(3)) == tokenize(nd.ones(3))


REFUSED = [
    (lambda: nd.normal(5, std=-1), init.InvalidValueError, "std must be >= 0"),
    (lambda: nd.kaiming_normal(5), init.InvalidValueError, "fewer than 2 dimensions"),
    (lambda: nd.eye(5), init.InvalidValueError, "2 dimensions"),
    (lambda: nd.orthogonal(5), init.InvalidValueError, "2 or more dimensions"),
    (lambda: nd.normal(-5), init.InvalidValueError, "no negative size"),
    (
        lambda: nd.normal(5, chunks=(2, 2)),
        init.InvalidValueError,
        r"chunks \(2, 2\) do not cut an array of",
    ),
    (lambda: nd.normal(5, chunks=((2, 2),)), init.InvalidValueError, "do not cut"),
    (lambda: nd.normal(5, chunks=0), init.InvalidValueError, "have a size of 0"),
    (lambda: nd.normal((5, 4), chunks=(0, 2)), init.InvalidValueError, "have a size of 0"),
    (lambda: nd.normal(5, chunks={1: 2}), init.InvalidValueError, "there is no axis 1"),
    (lambda: nd.normal(5, chunks={-1: 2}), init.InvalidValueError, "there is no axis -1"),
    (lambda: nd.normal(5, dtype="int32"), init.InvalidTypeError, "dtype"),
    (lambda: nd.uniform(5, dtype="complex64"), init.InvalidTypeError, "complex"),
]


@pytest.mark.parametrize(("call", "error", "text"), REFUSED)
def test_what_is_refused_is_refused_at_once(call, error, text):
    init.manual_seed(0)
    with pytest.raises(error, match=text):
        call()
    assert init.default_generator.draws == 0


# ---- a cluster ----


def kill_once(block, folder):
    """The first of all workers that gets here dies, and what it holds has to be made again."""
    try:
        os.close(os.open(os.path.join(folder, "killed"), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return block
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.filterwarnings("ignore")  # of other libraries
def test_a_cluster_that_loses_a_worker_writes_the_same(tmp_path):
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    zarr = pytest.importorskip("zarr", reason="zarr is not installed")
    shape, chunks = (1500, 640), (100, 320)
    want = init.kaiming_normal(shape, generator=5)
    with (
        distributed.LocalCluster(n_workers=3, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        before = set(client.scheduler_info(n_workers=-1)["workers"])
        made = nd.kaiming_normal(shape, chunks=chunks, generator=5).persist()
        lost = made.map_blocks(kill_once, str(tmp_path), dtype=made.dtype, meta=made._meta)
        client.compute(lost.to_zarr(str(tmp_path / "w.zarr"), compute=False)).result(timeout=120)
        assert (tmp_path / "killed").exists()
        assert set(client.scheduler_info(n_workers=-1)["workers"]) != before
    found = zarr.open_array(str(tmp_path / "w.zarr"), mode="r")
    assert found.chunks == chunks
    np.testing.assert_array_equal(found[:], want)
