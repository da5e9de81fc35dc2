"""Bytes that should be a header of safetensors → its parameters, or an error."""

import json

import numbainit as init
from fuzz import odd
from numbainit.files.headers import parse_header
from numbainit.recipes.models import builtin_header

LONGEST = 500
WHOLE = builtin_header("gpt2")[:3000].rsplit(b",\n", 1)[0] + b"}"
FIELDS = ["dtype", "shape", "data_offsets", "__metadata__", "", "name"]
LEAVES = [
    *[None, True, False, 0, 1, -1, 2, 7, 2**31, 2**63, 2**64, 1.5, 1e400, "F32", "BF16", "F8_E4M3", "I64", "", "F"],
    *["x" * 1000, "\ud800", "\0", [], {}, [1], [1, 2], [0, 3], [-1], [2**40, 2**40], ["1"], [[1]], [1.0], [None]],
]


def tree(source, depth=3):
    if depth == 0 or source.random() < 0.3:
        return source.choice(LEAVES)
    if source.random() < 0.2:
        return [tree(source, depth - 1) for _ in range(source.randrange(4))]
    names = [source.choice([*FIELDS, "a.weight", "b.bias", "c" * 300]) for _ in range(source.randrange(5))]
    return {name: tree(source, depth - 1) for name in names}


def entry(source):
    return {
        "dtype": source.choice(["F32", "F64", "F16", "BF16", "I64", "BOOL", source.choice(LEAVES)]),
        "shape": source.choice([[2, 3], [], [0], [7], source.choice(LEAVES)]),
        "data_offsets": source.choice([[0, 24], [0, 0], source.choice(LEAVES)]),
    }


def mutated(source, text):
    data = bytearray(text)
    for _ in range(source.randrange(1, 6)):
        place = source.randrange(len(data) + 1)
        if source.random() < 0.5:
            data[place : place + source.randrange(1, 20)] = source.randbytes(source.randrange(4))
        else:
            data[place:place] = source.choice([b'"', b"{", b"}", b",", b"[", b"0", b"9" * 5000, b"\xff", b"null", b":"])
    return bytes(data)


def text(source):
    kind = source.randrange(6)
    if kind == 0:
        return source.randbytes(source.randrange(60))
    if kind == 1:
        return mutated(source, WHOLE)
    if kind == 2:
        return source.choice([b"[", b'{"a":', b'{"a":{"shape":[']) * source.choice([1, 50, 3000, 100_000])
    if kind == 3:
        return json.dumps({source.choice(["w", "v.bias", "", "\0", "é"]): entry(source) for _ in range(3)}).encode()
    return json.dumps(tree(source)).encode()


def case(source):
    try:
        parameters = parse_header(text(source), source.choice(["header.json", "x" * 3000, "\n"]))
    except init.NumbaInitError as error:
        assert len(str(error)) <= LONGEST, f"a message of {len(str(error))} characters"
        return type(error).__name__
    for parameter in parameters:
        assert isinstance(parameter.name, str)
        assert all(type(size) is int and size >= 0 for size in parameter.shape)
        assert 0 <= parameter.nbytes < 1 << 63
        assert parameter.size < odd.FAR
    return "read"
