"""A view of a named tensor → its location, beside the same view of an array that holds the numbers."""

import math

import pytest

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'numbainit[torch]'")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from numbainit.torch.locations import WHOLE, locate, view_of  # noqa: E402


def numbers_of(found, view):
    """The numbers that a location says, in the order of the view."""
    if found.whole:
        return torch.arange(view.numel()).reshape(view.shape)
    if found.block is None:
        return found.numbers
    ordered = view.permute(found.order)
    shape = ordered.shape if ordered.ndim == len(found.block.shape) else (*ordered.shape, 1)
    whole = torch.arange(math.prod(found.block.shape)).reshape(found.block.shape)
    part = whole[tuple(slice(start, start + size) for start, size in zip(found.block.start, shape, strict=True))]
    back = sorted(range(view.ndim), key=found.order.__getitem__)
    return part.reshape(ordered.shape).permute(back)


@st.composite
def indices(draw, tensor):
    """Slices and steps, axes in another order, an axis cut in two, two merged."""
    for _ in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(["slice", "order", "cut", "merge", "index", "diagonal"]))
        if kind == "order":
            tensor = tensor.permute(draw(st.permutations(range(tensor.ndim))))
        elif tensor.ndim and kind == "slice":
            axis = draw(st.integers(0, tensor.ndim - 1))
            begin = draw(st.integers(0, max(tensor.shape[axis] - 1, 0)))
            end = draw(st.integers(begin, tensor.shape[axis]))
            cut = [slice(None)] * axis + [slice(begin, end, draw(st.integers(1, 3)))]
            tensor = tensor[tuple(cut)]
        elif tensor.ndim and kind == "index" and tensor.shape[0]:
            tensor = tensor[draw(st.integers(0, tensor.shape[0] - 1))]
        elif kind == "diagonal" and tensor.ndim > 1:
            tensor = tensor.diagonal()
        elif tensor.ndim and kind == "cut" and tensor.shape[-1] and tensor.shape[-1] % 2 == 0:
            tensor = tensor.unflatten(-1, (2, tensor.shape[-1] // 2))
        elif kind == "merge" and tensor.is_contiguous():
            tensor = tensor.view(-1)
    return tensor


@st.composite
def named_and_views(draw):
    """The numbers of a named tensor in its own memory, and a view of them."""
    shape = draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    order = draw(st.permutations(range(len(shape))))
    gaps = [size + draw(st.sampled_from([0, 0, 2])) for size in shape]
    memory = torch.zeros([gaps[axis] for axis in order], dtype=torch.int64)
    named = memory.permute(sorted(range(len(shape)), key=order.__getitem__))[tuple(map(slice, shape))]
    named.copy_(torch.arange(named.numel()).reshape(shape))
    return named, draw(indices(named))


@given(named_and_views())
@settings(max_examples=400, deadline=None)
def test_numbers(case):
    named, view = case
    found = locate(view_of(named), view_of(view))
    assert found is not None
    if view.numel():
        assert torch.equal(numbers_of(found, view), view)
        assert found.block is not None or found.whole or found.first == view.min()


def test_common_views_are_blocks():
    """So that nothing beside them is drawn."""
    named = torch.zeros(6, 8)
    views = [named[2:4], named.T[1:3], named[::2, 1::4], named.view(-1)[5:9], named.view(3, 2, 8)[:, 1], named[3, 4]]
    for view in views:
        assert locate(view_of(named), view_of(view)).block is not None
    assert locate(view_of(named), view_of(named)) is WHOLE


def test_what_is_no_element_has_no_location():
    memory = torch.zeros(6, 8)
    named = memory[:, ::2]
    assert locate(view_of(named), view_of(memory[:, 1:6:2])) is None
    assert locate(view_of(named), view_of(memory.view(torch.int16)[:, :8])) is None
