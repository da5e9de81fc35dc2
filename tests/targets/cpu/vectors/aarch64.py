"""A law as machine code for 64-bit ARM (NEON), run instruction by instruction by Unicorn on any machine.

LLVM, which Numba brings, makes code for other processors too. The large code model refers to everything by four moves
of 16 bits of an address, so putting addresses in, and the distances of calls, is all that a linker has to do.
"""

import functools
import struct

import numpy as np
from llvmlite import binding, ir

from numbainit.maths.values import Value, uint64
from numbainit.targets.cpu.vectors import functions
from numbainit.weights.laws import MOST_NUMBERS

TRIPLE = "aarch64-unknown-linux-gnu"
_CODE, _RETURN, _MEMCPY, _STACK, _DATA = 0x10000000, 0x10100000, 0x10100010, 0x20000000, 0x30000000
_MOVES = {263: 0, 264: 0, 265: 16, 266: 16, 267: 32, 268: 32, 269: 48}  # R_AARCH64_MOVW_UABS_G0 and on → bits shifted
_ABSOLUTE, _CALL = 257, 283  # R_AARCH64_ABS64, R_AARCH64_CALL26


@functools.cache
def machine_code(name, element, cpu="generic"):
    """The object file of a law."""
    module = ir.Module()
    module.triple = TRIPLE
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [uint64.type] * 7), "law")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    functions._fill(builder, name, element, *(Value(builder, argument, uint64) for argument in function.args))
    builder.ret_void()
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    target = binding.Target.from_triple(TRIPLE).create_target_machine(
        cpu=cpu, opt=3, reloc="static", codemodel="large", abiname=""
    )
    parsed = binding.parse_assembly(str(module))
    parsed.verify()
    options = binding.create_pipeline_tuning_options(speed_level=3)
    binding.create_pass_builder(target, options).getModulePassManager().run(
        parsed, binding.create_pass_builder(target, options)
    )
    return target.emit_object(parsed), target.emit_assembly(parsed)


def linked(elf):
    """The bytes of an object file as they lie from ``_CODE`` on, and where the law begins."""
    (table,) = struct.unpack_from("<Q", elf, 40)
    size, count = struct.unpack_from("<HH", elf, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", elf, table + i * size) for i in range(count)]
    image, places = bytearray(), {}
    for index, (_, kind, flags, _, offset, length, _, _, align, _) in enumerate(sections):
        if flags & 2 and kind in (1, 8):  # of memory, with bits or with zeros
            image += bytes(-len(image) % max(align, 1))
            places[index] = _CODE + len(image)
            image += elf[offset : offset + length] if kind == 1 else bytes(length)
    symbols_at = next(section for section in sections if section[1] == 2)
    strings = sections[symbols_at[6]][4]
    symbols = []
    for place in range(symbols_at[4], symbols_at[4] + symbols_at[5], 24):
        text, _, _, section, value, _ = struct.unpack_from("<IBBHQQ", elf, place)
        name = elf[strings + text : elf.index(b"\0", strings + text)].decode()
        assert section or name in ("", "memcpy"), f"calls {name}, which is not here"
        symbols.append((name, _MEMCPY if name == "memcpy" else places.get(section, 0) + value))
    for section in sections:
        if section[1] == 4 and section[7] in places:  # relocations of a section in memory
            for place in range(section[4], section[4] + section[5], 24):
                where, info, addend = struct.unpack_from("<QQq", elf, place)
                _relocate(image, places[section[7]] - _CODE + where, info & 0xFFFFFFFF, symbols[info >> 32][1] + addend)
    return bytes(image), dict(symbols)["law"]


def _relocate(image, place, kind, address):
    if kind == _ABSOLUTE:
        struct.pack_into("<Q", image, place, address)
        return
    (instruction,) = struct.unpack_from("<I", image, place)
    if kind == _CALL:
        instruction |= (address - _CODE - place >> 2) & 0x3FFFFFF
    else:
        instruction |= (address >> _MOVES[kind] & 0xFFFF) << 5
    struct.pack_into("<I", image, place, instruction)


def run(name, element, size, first, stream, numbers, cpu="generic"):
    """The bytes of ``size`` elements, as an ARM processor makes them, with 64 bytes around them."""
    import unicorn
    from unicorn import arm64_const as register

    image, law = linked(machine_code(name, element, cpu)[0])
    emulator = unicorn.Uc(unicorn.UC_ARCH_ARM64, unicorn.UC_MODE_ARM)
    for begin, length in ((_CODE, 1 << 20), (_STACK, 1 << 20), (_DATA, 1 << 20), (_RETURN, 1 << 12)):
        emulator.mem_map(begin, length)
    emulator.mem_write(_CODE, image)
    emulator.mem_write(_RETURN, bytes.fromhex("c0035fd6") * 8)  # ret
    emulator.reg_write(register.UC_ARM64_REG_CPACR_EL1, 3 << 20)  # floats are allowed

    def memcpy(machine, address, size, data):
        to, source, count = (machine.reg_read(register.UC_ARM64_REG_X0 + i) for i in range(3))
        machine.mem_write(to, bytes(machine.mem_read(source, count)))

    emulator.hook_add(unicorn.UC_HOOK_CODE, memcpy, begin=_MEMCPY, end=_MEMCPY)
    given, out = np.zeros(MOST_NUMBERS), _DATA + 4096 + 64
    given[: len(numbers)] = numbers
    length = size * np.dtype(element).itemsize
    emulator.mem_write(_DATA, given.tobytes())
    emulator.mem_write(out - 64, b"\xa5" * (length + 128))
    for i, argument in enumerate((out, size, first, *stream, _DATA)):
        emulator.reg_write(register.UC_ARM64_REG_X0 + i, int(argument))
    emulator.reg_write(register.UC_ARM64_REG_SP, _STACK + (1 << 20) - 64)
    emulator.reg_write(register.UC_ARM64_REG_LR, _RETURN)
    emulator.emu_start(law, _RETURN)
    return bytes(emulator.mem_read(out - 64, length + 128))
