"""What does a call cost on few elements, for every initializer of torch.nn.init?"""

import pytest

from numbainit.measure import peers

ELEMENTS = (16, 256, 1024, 4096)
LIBRARIES = [peers.OURS, *(name for name in peers.installed() if name == "torch")]
LAWS = [law for law in peers.LAWS if law != "trunc_normal_0.02"]

pytestmark = pytest.mark.benchmark(max_time=0.1, min_rounds=3)


def shape_of(law, elements):
    """As square as powers of two allow; a kernel of one pixel for dirac_."""
    rows = 1 << (elements.bit_length() - 1) // 2
    return (rows, elements // rows, 1) if law == "dirac" else (rows, elements // rows)


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("elements", ELEMENTS)
@pytest.mark.parametrize("law", LAWS)
def test_call(benchmark, timed, law, elements, name):
    benchmark.group = f"{law}, {elements} elements"
    timed(name, law, shape_of(law, elements))
