"""PTX, the assembly that NVIDIA's compiler hands to its assembler → what a kernel writes, one thread after the other.

A machine without a GPU can thus run the very kernels that a GPU runs, with every float rounded as IEEE 754 says (by
:mod:`reference`, in exact rationals). It is slow and obvious, knows the instructions that the kernels hold and no
others, and refuses a write outside the memory it was given, one across an element that a vector must not straddle, and
a float operation that does not name its rounding.
"""

import functools
import math
import operator
import re
import struct

import reference

_LABEL = re.compile(r"(\$\w+):")
_INSTRUCTION = re.compile(r"\s*(?:@(!?)(%p\d+)\s+)?([a-z][\w.]*)\s*(.*?);")
_WIDTH = {"%rd": 64, "%r": 32, "%rs": 16, "%fd": 64, "%f": 32}
_FORMS = {"b8": "B", "b16": "H", "b32": "I", "b64": "Q", "f32": "f", "f64": "d"}
_COMPARE = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
_SMALL = {"f16": "float16", "bf16": "bfloat16"}  # whose bits are held in %rs
_BITS = {"and": operator.and_, "or": operator.or_, "xor": operator.xor}


class Memory:
    """Bytes from ``base`` on, and how often each was written. What is only read is ``source``, (address, bytes)."""

    def __init__(self, base, size):
        self.base, self.bytes, self.writes = base, bytearray(size), bytearray(size)
        self.widest, self.source = 0, (0, b"")

    def read(self, address, size):
        base, data = self.source
        begin = address - base
        assert 0 <= begin <= len(data) - size, f"a read of {size} bytes at {begin} of {len(data)}"
        return data[begin : begin + size]

    def write(self, address, data):
        begin = address - self.base
        end = begin + len(data)
        assert min(begin, len(self.bytes) - end) >= 0, f"{len(data)} bytes at {begin} of {len(self.bytes)}"
        assert address % len(data) == 0, f"a misaligned write of {len(data)} bytes"
        self.bytes[begin:end] = data
        self.writes[begin:end] = bytes(count + 1 for count in self.writes[begin:end])
        self.widest = max(self.widest, len(data))


def run(text, arguments, grid, threads, memory):
    """Run the one kernel in ``text`` on every thread of ``grid`` blocks of ``threads``, or those that have work."""
    program = _Program(text, arguments, memory)
    for block in range(grid):
        for thread in range(threads):
            program.run({"%tid.x": thread, "%ntid.x": threads, "%ctaid.x": block, "%nctaid.x": grid})


class _Program:
    """Registers are numbered, constants are registers that nobody writes, and each instruction is a closure."""

    def __init__(self, text, arguments, memory):
        self.numbers, self.registers = {}, []
        self.arguments, self.memory = list(arguments), memory
        body = text[text.index("{") : text.rindex("}")]
        lines = [line for line in body.splitlines() if not line.strip().startswith(("//", "."))]
        self.labels, instructions = {}, []
        for line in lines:
            if label := _LABEL.match(line.strip()):
                self.labels[label[1]] = len(instructions)
            elif match := _INSTRUCTION.match(line):
                instructions.append(match.groups())
        assert instructions
        self.special = {name: self._register(name) for name in ("%tid.x", "%ntid.x", "%ctaid.x", "%nctaid.x")}
        self.steps = [self._decoded(*instruction) for instruction in instructions]

    def run(self, special):
        registers, steps, place = self.registers.copy(), self.steps, 0
        for name, value in special.items():
            registers[self.special[name]] = value
        while place is not None and place < len(steps):
            guard, wanted, step = steps[place]
            place += 1
            if guard is None or registers[guard] == wanted:
                target = step(registers)
                if target is not None:
                    place = target if target >= 0 else None

    def _register(self, name):
        """The number of a register, or of a constant."""
        if name not in self.numbers:
            self.numbers[name] = len(self.registers)
            self.registers.append(None if name.startswith("%") else _constant(name))
        return self.numbers[name]

    def _decoded(self, negated, guard, operation, operands):
        step = self._step(operation.split("."), re.findall(r"\{.*?\}|\[.*?\]|[^\s,]+", operands))
        return (self._register(guard) if guard else None), not negated, step

    def _step(self, operation, operands):
        name = operation[0]
        if name == "ret":
            return lambda r: -1
        if name == "bra":
            target = self.labels[operands[0]]
            return lambda r: target
        if name == "st":
            return self._store(operation, operands)
        if name == "ld" and operation[1] == "global":
            return self._load(operation, operands)
        if name == "ld":
            assert operation[1] == "param"
            kind, value = operation[2], self.arguments[int(re.search(r"param_(\d+)\]", operands[1])[1])]
            function, sources = (lambda: float(value) if kind[0] == "f" else value % 2**64), []
        elif operands[1].startswith("{"):
            sources = operands[1].strip("{}").split(", ")
            function = _joining(_WIDTH[re.match(r"%[a-z]+", sources[0])[0]])
        else:
            function, sources = _function(operation, operands), operands[1:]
        target, places = self._register(operands[0]), [self._register(source) for source in sources]
        return _closure(function, target, places)

    def _place(self, text):
        """The register of ``[register + offset]``, and the offset."""
        address, _, offset = text.strip("[]").partition("+")
        return self._register(address), int(offset or 0)

    def _load(self, operation, operands):
        form, memory = "<" + _form(operation[-1]), self.memory
        target, (address, offset) = self._register(operands[0]), self._place(operands[1])
        assert len(operation) <= 4, f"one value, got {'.'.join(operation)}"

        def step(r):
            (r[target],) = struct.unpack(form, memory.read(r[address] + offset, struct.calcsize(form)))

        return step

    def _store(self, operation, operands):
        kind, memory = operation[-1], self.memory
        address, offset = self._place(operands[0])
        values = [self._register(value) for value in re.findall(r"[^\s,{}]+", operands[1])]
        form = "<" + _form(kind) * len(values)
        top = 0 if kind[0] == "f" else 1 << int(kind[1:])  # a wider register is stored in part
        assert operation[1] == "global"

        def step(r):
            data = [r[value] % top if top else r[value] for value in values]
            memory.write(r[address] + offset, struct.pack(form, *data))

        return step


def _form(kind):
    return _FORMS[kind if kind[0] == "f" else f"b{kind[1:]}"]


def _closure(function, target, places):
    if len(places) == 1:
        (a,) = places

        def step(r):
            r[target] = function(r[a])

    elif len(places) == 2:
        a, b = places

        def step(r):
            r[target] = function(r[a], r[b])

    else:

        def step(r):
            r[target] = function(*[r[place] for place in places])

    return step


def _constant(text):
    if text[:2] in ("0f", "0d"):
        return struct.unpack(">f" if text[1] == "f" else ">d", bytes.fromhex(text[2:]))[0]
    return int(text, 0)


# ---- what instructions compute: unsigned numbers below 2^width, or floats that the width holds ----


def _signed(value, width):
    value %= 1 << width
    return value - (1 << width) if value >> (width - 1) else value


def _function(operation, operands):
    name, kind = operation[0], operation[-1]
    if kind == "pred":
        logic = {"and": lambda a, b: a and b, "or": lambda a, b: a or b, "xor": operator.ne}
        return (logic | {"not": operator.not_, "mov": bool})[name]
    if name == "setp":
        return _comparison(operation[1], kind)
    if name == "selp":
        return lambda a, b, p: a if p else b
    if name == "mov":
        return _move(*operands)
    if name == "cvt":
        return _conversion(operation)
    if kind[0] == "f":
        return _float_function(operation)
    return _integer_function(operation)


def _integer_function(operation):
    name, kind = operation[0], operation[-1]
    width, signed = int(kind[1:]), kind[0] == "s"
    top = 1 << width
    if name == "mul" and operation[1] == "wide":
        if signed:
            return lambda a, b: _signed(a, width) * _signed(b, width) % (top * top)
        return lambda a, b: (a % top) * (b % top)
    if name == "min" and signed:
        return lambda a, b: min(_signed(a, width), _signed(b, width)) % top
    if name in ("div", "rem", "min"):
        assert not signed
        function = {"div": operator.floordiv, "rem": operator.mod, "min": min}[name]
        return lambda a, b: function(a % top, b % top)
    if name == "shr":
        return lambda a, n: ((_signed(a, width) if signed else a % top) >> min(n, width)) % top
    if name == "prmt":
        return _permute
    if name == "bfi":
        return lambda a, b, place, length: b & ~(((1 << length) - 1) << place) | (a & ((1 << length) - 1)) << place
    function = {
        "add": lambda a, b: (a + b) % top,
        "sub": lambda a, b: (a - b) % top,
        "mul": lambda a, b: a * b % top,
        "mad": lambda a, b, c: (a * b + c) % top,
        "shl": lambda a, n: (a << min(n, width)) % top,
        "neg": lambda a: -a % top,
        "not": lambda a: ~a % top,
    }.get(name)
    if function is None:
        bitwise = _BITS[name]
        return lambda a, b: bitwise(a, b) % top
    return function


def _permute(a, b, selector):
    """Four bytes of eight, of which ``a`` holds the lower four, chosen by the lower four digits of ``selector``."""
    digits = [(selector >> place) & 15 for place in (0, 4, 8, 12)]
    assert max(digits) < 8, "no sign is copied"
    return int.from_bytes(((b % 2**32 << 32 | a % 2**32) >> 8 * digit & 255 for digit in digits), "little")


def _float_function(operation):
    """``name.rn.f32``: what does not say ``rn`` may be fused with its neighbours."""
    name, width = operation[0], int(operation[-1][1:])
    if name in ("neg", "abs"):
        return {"neg": operator.neg, "abs": abs}[name]
    assert operation[1:-1] == ["rn"], ".".join(operation)
    return _if_numbers(functools.partial(getattr(reference, name) if name != "add" else _add, width=width))


def _add(a, b, width):
    return reference.fma(a, 1.0, b, width)


def _if_numbers(function):
    return lambda *operands: function(*operands) if all(map(math.isfinite, operands)) else math.nan


def _comparison(relation, kind):
    if kind[0] == "f":
        if relation.endswith("u") and relation[:-1] in _COMPARE:
            compare = _COMPARE[relation[:-1]]
            return lambda a, b: a != a or b != b or compare(a, b)
        return _COMPARE[relation]
    compare, width = _COMPARE[relation], int(kind[1:])
    if kind[0] == "s":
        return lambda a, b: compare(_signed(a, width), _signed(b, width))
    return lambda a, b: compare(a % (1 << width), b % (1 << width))


def _is_float(register):
    return register.startswith(("%f", "0f", "0d"))


def _move(target, source):
    """A copy, or the bits of one kind of register in another."""
    if _is_float(target) == _is_float(source):
        return lambda a: a
    width = _WIDTH[re.match(r"%[a-z]+", target)[0]]
    floats, words = ("<f", "<I") if width == 32 else ("<d", "<Q")
    given, wanted = (words, floats) if _is_float(target) else (floats, words)
    return lambda a: struct.unpack(wanted, struct.pack(given, a))[0]


def _joining(width):
    """Narrow registers side by side in a wider one, the first lowest."""
    return lambda *parts: sum((part % (1 << width)) << (place * width) for place, part in enumerate(parts))


def _conversion(operation):
    """``cvt.to.from`` or ``cvt.rn.to.from``."""
    to, source = operation[-2:]
    width = int(source[1:])
    if to[0] not in "bf":
        assert (source[0] == "f") == (operation[1] == "rzi"), ".".join(operation)
        target = 1 << int(to[1:])
        if source[0] == "f":
            return lambda a: int(a) % target
        return (lambda a: _signed(a, width) % target) if source[0] == "s" else (lambda a: a % (1 << width) % target)
    exact = int(to.lstrip("bf")) > width if source[0] == "f" else False
    assert exact or operation[1] == "rn", ".".join(operation)
    if to in _SMALL:
        return lambda a: reference.small_code(a, _SMALL[to])
    if source[0] == "f":
        return lambda a: reference.mul(a, 1.0, int(to[1:])) if math.isfinite(a) else a
    if source[0] == "s":
        return lambda a: reference.mul(_signed(a, width), 1, int(to[1:]))
    return lambda a: reference.mul(a % (1 << width), 1, int(to[1:]))
