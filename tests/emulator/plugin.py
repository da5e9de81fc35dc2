"""A pytest plugin: a CUDA driver without a card, whose kernels ``ptx.py`` runs → the tests for a card, without one.

    PYTHONPATH=tests pytest --full -p emulator.plugin tests/targets/cuda/test_cuda.py

Numba's CUDA target, cuda.core and the bindings to the driver are the real ones, and so is the compiler; only the driver
(``driver.c``) is not. Kernels are run from the assembly that the compiler made, as slowly as ``ptx.py`` does.
"""

import ctypes
import os
import re
import subprocess
import tempfile
from pathlib import Path

CALLBACK = ctypes.CFUNCTYPE(
    None,
    ctypes.c_char_p,
    *[ctypes.c_int, ctypes.c_uint64, ctypes.c_uint, ctypes.c_uint],
    ctypes.POINTER(ctypes.c_void_p),
)


def build(folder):
    """Compile the driver and load it under the name that everybody looks for; before anybody does."""
    path = Path(folder, "libcuda.so.1")
    command = ["cc", "-shared", "-fPIC", "-O1", "-Wl,-soname,libcuda.so.1", "-o", str(path)]
    subprocess.run([*command, str(Path(__file__).with_name("driver.c")), "-ldl"], check=True, timeout=60)
    os.environ["NUMBA_CUDA_DRIVER"] = str(path)
    return ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)


class Memory:
    """What the driver allocated."""

    def __init__(self, library):
        self.holds = library.emulated_holds
        self.holds.argtypes = [ctypes.c_uint64, ctypes.c_uint64]

    def read(self, address, size):
        assert self.holds(address, size), f"a read of {size} bytes at {address:#x}, which nobody allocated"
        return ctypes.string_at(address, size)

    def write(self, address, data):
        assert self.holds(address, len(data)), f"a write of {len(data)} bytes at {address:#x}, which nobody allocated"
        assert address % len(data) == 0, f"a misaligned write of {len(data)} bytes"
        ctypes.memmove(address, bytes(data), len(data))


class Driver:
    """Keeps the assembly of each kernel that the package loads, and runs what is launched."""

    def __init__(self, library):
        self.memory, self.libraries, self.errors = Memory(library), {}, []
        self.callback = CALLBACK(self.launch)
        library.emulated_on_launch(self.callback)

    def watch(self, target):
        load = target._load

        def loading(kernel, device, arguments):
            loaded = load(kernel, device, arguments)
            for compiled in kernel.overloads.values():
                self.libraries[compiled.entry_name] = compiled.library
            return loaded

        target._load = loading

    def launch(self, name, device, stream, grid, threads, arguments):
        from emulator import ptx

        try:
            text = self.libraries[name.decode()].get_lto_ptx(cc=(9, 0, "a")).strip("\0")
            kinds = re.findall(r"\.param \.(\w+) \S+_param_\d+", text[: text.index("{")])
            types = [ctypes.c_double if kind == "f64" else ctypes.c_int64 for kind in kinds]
            values = [kind.from_address(arguments[place]).value for place, kind in enumerate(types)]
            ptx.run(text, values, grid, threads, self.memory)
        except BaseException as error:  # which ctypes would only print
            self.errors.append(error)


_folder = tempfile.TemporaryDirectory()  # removed at exit
_library = build(_folder.name)
os.environ["PYTEST_EMULATED"] = "1"  # fewer elements


def pytest_configure(config):
    from numbainit.targets.cuda import driver as cuda_driver

    config.driver = Driver(_library)
    config.driver.watch(cuda_driver)


def pytest_runtest_teardown(item):
    errors, item.config.driver.errors = item.config.driver.errors, []
    if errors:
        raise errors[0]
