"""Random programs on temporaries → in a context, what they give outside of it for numbainit's numbers."""

import pytest

import numbainit as init

pytestmark = pytest.mark.full
torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'numbainit[torch]'")

from hypothesis import example, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from numbainit.torch import build, keyed  # noqa: E402

SHAPE = (4, 6)


def swap_rows(t):
    t[0], t[1] = t[1].clone(), t[0].clone()
    return t


def masked(t):
    t[t.detach() > 10] = 0  # a mask of the shape: it decides nothing
    return t


STEPS = {
    "scaled": lambda t: t * 0.5,
    "scaled in place": lambda t: t.mul_(0.5),
    "exp": lambda t: t.exp(),
    "tanh in place": lambda t: t.tanh_(),
    "a row of zeros": lambda t: (t[1].zero_(), t)[1],
    "columns scaled": lambda t: (t[:, 1:3].mul_(3.0), t)[1],
    "the transposed": lambda t: t.T.contiguous().T,
    "reshaped": lambda t: t.reshape(3, 8).add_(0.25).reshape(SHAPE),
    "rows swapped": swap_rows,
    "a cumulative sum": lambda t: t.cumsum(0),
    "where": lambda t: torch.where(t > 0, t, -t),
    "masked": masked,
    "normed": lambda t: t / t.norm(dim=1, keepdim=True).clamp(min=1e-3),
    "in a larger one": lambda t: torch.cat([torch.ones(1, 6), t])[1:],
    "copied": lambda t: torch.empty_like(t).copy_(t),
    "copied in part": lambda t: torch.zeros(SHAPE).index_copy_(0, torch.tensor([2, 0, 1, 3]), t),
    "out=": lambda t: torch.mul(t, 2.0, out=torch.empty(SHAPE)),
    "of its data": lambda t: t.data.detach(),
    "two results": lambda t: torch.sort(t, dim=1)[0],
    "added to constants": lambda t: torch.arange(24.0).view(SHAPE).add_(t),
    "float64 in between": lambda t: (t.double() * (1 / 3)).float(),
}
PROGRAMS = st.lists(st.sampled_from(list(STEPS)), max_size=6)
NORMAL = torch.from_numpy(init.normal(SHAPE, generator=init.Generator(0).fold_in("w")))


def run(program, tensor):
    for step in program:
        tensor = STEPS[step](tensor)
    return tensor


def module():
    made = torch.nn.Module()
    made.w = torch.nn.Parameter(torch.zeros(SHAPE))
    return made


@given(PROGRAMS)
@example(list(STEPS)[:11])
@example(list(STEPS)[11:])
@settings(max_examples=150, deadline=None)
def test_what_is_copied_in(program):
    made = module()
    with keyed(made, 0) as context, torch.no_grad():
        made.w.copy_(run(program, torch.randn(SHAPE)))
    assert torch.equal(made.w, run(program, NORMAL.clone()))
    assert context.report["w"].status == "drawn"


@given(PROGRAMS)
@settings(max_examples=150, deadline=None)
def test_what_a_constructor_makes(program):
    def construct():
        made = torch.nn.Module()
        made.w = torch.nn.Parameter(run(program, torch.randn(SHAPE)))
        return made

    assert torch.equal(build(construct, 0).w, run(program, NORMAL.clone()))


@given(PROGRAMS)
@settings(max_examples=100, deadline=None)
def test_what_is_done_to_a_named_tensor(program):
    """Its values are there from the beginning."""
    made = module()
    with keyed(made, 0), torch.no_grad():
        made.w.normal_()
        made.w.copy_(run(program, made.w.clone()))
    assert torch.equal(made.w, run(program, NORMAL.clone()))


IN_PLACE = {
    "scaled": lambda w: w.mul_(0.3),
    "tanh": lambda w: w.tanh_(),
    "a row of zeros": lambda w: w[1].zero_(),
    "columns scaled": lambda w: w[:, 1:3].mul_(3.0),
    "a constant tensor": lambda w: w.add_(torch.arange(6, dtype=w.dtype)),
    "its reshaped": lambda w: w.view(-1)[3:9].add_(0.1),
    "clamped": lambda w: w.clamp_(-0.7, 0.7),
    "a random one": lambda w: w.add_(torch.rand(SHAPE, dtype=w.dtype)),
    "its first rows": lambda w: w[:2].div_(w.new_full((), 3.0)),
    "filled again": lambda w: w.uniform_(-0.5, 0.5),
    "a random row": lambda w: w[2].copy_(torch.randn(6, dtype=w.dtype) * 0.3),
}


@given(st.lists(st.sampled_from(list(IN_PLACE)), max_size=6))
@settings(max_examples=150, deadline=None)
def test_small_floats_are_rounded_once(program):
    made = {dtype: module() for dtype in (torch.float32, torch.bfloat16)}
    for dtype, one in made.items():
        one.to(dtype)
        with keyed(one, 0), torch.no_grad():
            one.w.normal_()
            for step in program:
                IN_PLACE[step](one.w)
    assert torch.equal(made[torch.bfloat16].w, made[torch.float32].w.bfloat16())
