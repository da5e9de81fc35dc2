"""Blocks, layouts, generators and new arrays of odd numbers → an object that can be shown, or an error.

Sizes that memory could have, and tests should not fill, are left out.
"""

import warnings

import numpy as np

import numbainit as init
from cases import NAMES, NEEDED
from fuzz import odd

LONGEST = 500
DIRECT = {name.removesuffix("_") for name in NAMES} & set(dir(init))


def number(source):
    """A number, or what is none: small, or larger than any array."""
    if source.random() < 0.5:
        return source.choice([0, 1, 2, 3, 4, 8])
    found = odd.thing(source)
    return odd.FAR if type(found) is int and 100 < found < 2**62 else found


def numbers(source):
    """So many of them, or what is no sequence."""
    if source.random() < 0.1:
        return number(source)
    return source.choice([tuple, list])(number(source) for _ in range(source.choice([0, 1, 2, 2, 2, 3])))


def block(source):
    if source.random() < 0.3:
        return init.Block(numbers(source), flat=numbers(source))
    return init.Block(numbers(source), numbers(source))


def layout(source):
    options = {name: number(source) for name in ("groups", "splits", "transposed") if source.random() < 0.4}
    found = init.Layout(source.choice(["OI", "IO", "HWIO", "EOI", odd.thing(source)]), **options)
    found.fans(source.choice([(4, 4), (8, 4, 3, 3), numbers(source)]))
    return found


def generator(source):
    found = init.Generator(source.choice([number, numbers])(source))
    step = source.choice(["fold_in", "spawn", "from_key", "draws"])
    if step == "from_key":
        return init.Generator.from_key(number(source), number(source))
    if step == "draws":
        return init.Generator(0, draws=number(source))
    if step == "spawn":
        return found.spawn(source.choice([2, odd.FAR, -1, odd.thing(source) if source.random() < 0.1 else None]))
    return found.fold_in(number(source))


def new_array(source):
    name = source.choice(sorted(DIRECT))
    options = dict(NEEDED.get(f"{name}_", {}))
    if source.random() < 0.2:
        options["dtype"] = odd.thing(source)
    if source.random() < 0.1:
        options[source.choice(["device", "like"])] = odd.thing(source)
    return getattr(init, name)(numbers(source), **options)


def propagation(source):
    options = {name: number(source) for name in ("kernel", "size", "batch", "param") if source.random() < 0.3}
    return init.propagate([number(source) for _ in range(source.choice([1, 2, 3]))], "normal", generator=1, **options)


MAKERS = {made.__name__: made for made in (block, layout, generator, new_array, propagation)}


def case(source):
    kind = source.choice(sorted(MAKERS))
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = MAKERS[kind](source)
    except init.NumbaInitError as error:
        assert len(str(error)) <= LONGEST, f"a message of {len(str(error))} characters"
        return f"{kind}: {type(error).__name__}"
    assert repr(found)
    return f"{kind}: made"
