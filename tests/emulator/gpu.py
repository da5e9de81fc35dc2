"""A call of this package on an array that claims to be on a GPU → its kernels as machine code, or run without a GPU.

The path is the one of a real launch up to the driver: arguments are typed as Numba types them, and compiled by way of
link-time optimisation, which is what ``cuda.jit`` does by default.
"""

import functools
import importlib.util
import re
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest

from emulator import ptx, sass

BASE = 0x7F0000000000  # an address that the kernels get, a multiple of 256 as allocators give it
CAPABILITIES = {"cc 8.0": (8, 0, ""), "cc 9.0": (9, 0, "a")}
_NEEDED = {
    "numba_cuda": "numba-cuda",
    "cuda.bindings": "cuda-bindings",
    "nvidia.cu13": "the wheels of CUDA 13 (nvidia-nvvm, nvidia-nvjitlink)",
}


def missing():
    """What keeps kernels from being compiled here, or an empty text."""
    for module, package in _NEEDED.items():
        try:
            if importlib.util.find_spec(module) is None:
                return package
        except ModuleNotFoundError:
            return package
    if _nvdisasm() is None:
        return "nvidia-cuda-nvdisasm"
    return ""


def _nvdisasm():
    from cuda import pathfinder

    return pathfinder.find_nvidia_binary_utility("nvdisasm")


class Array:
    """What the CUDA array interface says of an array; ``skip`` elements of its memory lie before it."""

    def __init__(self, shape, dtype, strides=None, skip=0, offset=0):
        self.dtype, self.shape, self.strides = np.dtype(dtype), tuple(shape), strides
        self.skip, self.offset = skip, offset  # in elements: of the address, and of the element 0 in the memory
        self.memory = None

    @property
    def __cuda_array_interface__(self):
        address = BASE + (self.skip + self.offset) * self.dtype.itemsize
        steps = self.strides and tuple(step * self.dtype.itemsize for step in self.strides)
        return {
            "shape": self.shape,
            "typestr": self.dtype.str,
            "data": (address, False),
            "strides": steps,
            "stream": 1,
            "version": 3,
        }


class Launches:
    """Stands in for ``launching`` of the target: ``launches.calls`` holds (kernel, tasks, arguments)."""

    def __init__(self, monkeypatch, capability=(9, 0)):
        from numbainit.targets.cuda import driver as cuda_driver

        monkeypatch.setattr(cuda_driver, "launching", self._launching)
        monkeypatch.setattr(cuda_driver, "device_of", lambda array: cuda_driver.Device(0, capability, 1056, 0))
        self.calls, self.memory, self.grid = [], None, 1

    def _launching(self, kernel, tasks, device, handle, before, after=(), stream=(0, 0, 0)):
        return lambda stream: self._take(kernel, tasks, (*before, *stream, *after))

    def _take(self, kernel, tasks, arguments):
        self.calls.append((kernel, tasks, arguments))
        if self.memory is not None:
            from numbainit.targets.cuda.driver import THREADS, flat

            ptx.run(compiled(kernel, arguments).ptx, flat(arguments), self.grid, THREADS, self.memory)


class Code:
    """A kernel for one compute capability."""

    def __init__(self, library, capability):
        self._library, self._capability = library, capability

    @functools.cached_property
    def ptx(self):
        """The assembly after link-time optimisation: what the assembler of the driver's linker gets."""
        return self._library.get_lto_ptx(cc=self._capability).strip("\0")

    @functools.cached_property
    def sass(self):
        """The machine code."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "kernel.cubin")
            path.write_bytes(self._library.get_cubin(cc=self._capability).code)
            command = [_nvdisasm(), "-c", str(path)]
            return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout

    @functools.cached_property
    def operations(self):
        """The names of all machine instructions, with their modifiers, in order."""
        return re.findall(r"^\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][\w.]*)", self.sass, re.MULTILINE)

    @property
    def registers(self):
        return 1 + max(int(number) for number in re.findall(r"\bR(\d+)\b", self.sass))

    def count(self, pattern):
        """How many machine instructions have a name that matches as a whole."""
        return sum(bool(re.fullmatch(pattern, operation)) for operation in self.operations)

    @functools.cached_property
    def turns(self):
        """The fewest and the most instructions of a turn of the innermost loop."""
        return sass.turns(self.sass)

    def count_ptx(self, pattern):
        return len(re.findall(rf"^\s*(?:@!?%p\d+\s+)?(?:{pattern})\s", self.ptx, re.MULTILINE))


_compiled = {}


def compiled(kernel, arguments, capability=(9, 0, "a")):
    """The code of a kernel for arguments of these types; what was compiled before is kept."""
    from numba import types
    from numba.cuda import dispatcher
    from numba.cuda.compiler import compile_cuda, kernel_fixup
    from numba.cuda.typing.typeof import typeof

    kinds = tuple(map(typeof, arguments))
    key = kernel, kinds, capability
    if key not in _compiled:
        assert kernel.targetoptions["lto"], "a launch would not take the path that is tested here"
        options = {"nvvm_options": {"fastmath": False, "opt": 3}, "cc": capability[:2], "lto": True}
        card = SimpleNamespace(compute_capability=capability[:2], id=0)  # which functions are compiled for
        with mock.patch.object(dispatcher, "get_current_device", return_value=card):
            result = compile_cuda(kernel.py_func, types.void, kinds, **options)
        library, name = result.library, result.fndesc.llvm_func_name
        library._entry_name = name
        kernel_fixup(library.get_function(name), False)
        _compiled[key] = Code(library, capability)
    return _compiled[key]


needed = pytest.mark.skipif(
    bool(missing()), reason=f"{missing()} is not installed: no kernel can be compiled for a GPU"
)
