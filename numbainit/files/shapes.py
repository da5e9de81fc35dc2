"""What a user names as SHAPES on the disk → parameters: only headers are read, however large the tensors are.

A .safetensors file, a JSON header, a sharded checkpoint (its index, or the folder with it), NumPy's .npz and .npy.
Names in a file say what a parameter is called, never which file is opened: an index names files beside itself only.
"""

import os
import stat
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from numbainit.errors import InvalidValueError
from numbainit.files import dtypes
from numbainit.files.headers import (
    LARGEST_HEADER,
    LENGTH,
    Parameter,
    check_size,
    checked_parameters,
    load_json,
    named,
    parse_header,
)

INDEX = ".safetensors.index.json"
_WANTED = "wanted a JSON header, a .safetensors file, a sharded checkpoint's index or folder, an .npz or .npy file"
_MOST_LISTED = 5


def read_parameters(path: str | os.PathLike[str]) -> list[Parameter]:
    """The parameters that a file or a folder describes.

    Raises
    ------
    InvalidValueError
        If there is no such file, or it is of no kind that is known; if an index names files that are missing, or
        tensors that its files do not have.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from numbainit.files.shapes import read_parameters
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(Path(folder, "weights.npz"), up=np.zeros((8, 4), "float32"), down=np.zeros((4, 8), "float16"))
    ...     read_parameters(Path(folder, "weights.npz"))
    [Parameter(name='up', shape=(8, 4), dtype='F32'), Parameter(name='down', shape=(4, 8), dtype='F16')]
    """
    path = Path(path)
    try:
        return _of_folder(path) if path.is_dir() else _of_file(path)
    except OSError as error:
        raise InvalidValueError(f"{path} cannot be read: {error.strerror or error}; {_WANTED}") from error


def is_text(path: str | os.PathLike[str]) -> bool:
    """Whether this is a JSON text, which an output must not replace: it is nobody's copy."""
    path = Path(path)
    return path.is_file() and path.suffix not in (".npz", ".npy") and not is_safetensors(path)


def _of_folder(folder: Path) -> list[Parameter]:
    files = sorted(file.name for file in folder.iterdir())
    indices = [name for name in files if name.endswith(INDEX)]
    found = indices or [name for name in files if name.endswith(".safetensors")]
    if len(found) == 1:
        return _of_file(folder / found[0])
    if not found:
        raise InvalidValueError(f"{folder} is a folder without a safetensors file or index; name a file in it")
    what = "indices" if indices else "safetensors files and no index"
    raise InvalidValueError(f"{folder} holds {len(found)} {what} ({_listed(found)}); name one of them")


def _of_file(path: Path) -> list[Parameter]:
    if path.suffix == ".npz":
        return _of_npz(path)
    if path.suffix == ".npy":
        with path.open("rb") as file:
            return checked_parameters([(path.stem, _npy_entry(file, path.stem, str(path)))], str(path))
    if is_safetensors(path):
        return _of_safetensors(path)
    with path.open("rb") as file:
        header = file.read(LARGEST_HEADER + 1)
    if len(header) > LARGEST_HEADER:
        raise InvalidValueError(
            f"{path} is larger than the {LARGEST_HEADER:,} bytes of the longest header; is it a model?"
        )
    if path.name.endswith(INDEX):
        return _of_index(path, header)
    return parse_header(header, str(path))


# ---- safetensors ----


def is_safetensors(path: Path) -> bool:
    """Whether the name says so, or the first bytes do: a length that fits into the file, then an object."""
    if path.suffix == ".safetensors":
        return True
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe: its bytes can be read only once
        return False
    with path.open("rb") as file:
        head = file.read(LENGTH + 1)
    fits = int.from_bytes(head[:LENGTH], "little") <= path.stat().st_size - LENGTH
    return fits and head[LENGTH:] == b"{"


def _of_safetensors(path: Path) -> list[Parameter]:
    from safetensors import SafetensorError, safe_open

    with path.open("rb") as file:
        length = int.from_bytes(file.read(LENGTH), "little")
        check_size(file.read(min(length, LARGEST_HEADER)), str(path))
    try:
        with safe_open(path, framework="numpy") as file:
            slices = ((name, file.get_slice(name)) for name in file.offset_keys())  # in the order of the file
            entries = [(name, {"dtype": one.get_dtype(), "shape": list(one.get_shape())}) for name, one in slices]
    except SafetensorError as error:
        raise InvalidValueError(
            f"{path} is not a whole safetensors file ({error}); fetch or save it again, or give its header as JSON"
        ) from None
    return checked_parameters(entries, str(path))


def _of_index(path: Path, text: bytes) -> list[Parameter]:
    """The parameters of all files that an index names, in the order of the files; it says which are whose."""
    wanted = 'wanted an index such as {"weight_map": {"name": "model-00001-of-00002.safetensors"}}'
    files_of = load_json(text, str(path), wanted).get("weight_map")
    if not isinstance(files_of, dict) or not all(isinstance(name, str) for name in files_of.values()):
        raise InvalidValueError(f"{path} has no weight_map of names to files; {wanted}")
    files = sorted(set(files_of.values()))
    elsewhere = [name for name in files if Path(name).name != name or name in ("", ".", "..")]
    if elsewhere:
        raise InvalidValueError(f"{path} names {named(elsewhere[0])}; wanted files beside it: correct the index")
    missing = [name for name in files if not (path.parent / name).is_file()]
    if missing:
        raise InvalidValueError(
            f"{path} names {len(missing)} of {len(files)} files that are not there ({_listed(missing)}): fetch them"
        )
    found = {name: _of_safetensors(path.parent / name) for name in files}
    parameters = [one for name in files for one in found[name] if files_of.get(one.name) == name]
    lost = sorted(files_of.keys() - {one.name for one in parameters})
    if lost:
        raise InvalidValueError(f"{path} names tensors that its files do not hold ({_listed(lost)}): fetch them again")
    return checked_parameters(
        [(one.name, {"dtype": one.dtype, "shape": list(one.shape)}) for one in parameters], str(path)
    )


# ---- NumPy ----


def _of_npz(path: Path) -> list[Parameter]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = []
            for member in archive.namelist():
                name = member.removesuffix(".npy")
                with archive.open(member) as file:
                    entries.append((name, _npy_entry(file, name, str(path))))
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise InvalidValueError(f"{path} is not a whole .npz file ({error}); save it again") from None
    return checked_parameters(entries, str(path))


def npy_header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    """The shape, whether in Fortran order, and the dtype of an array as NumPy saved it."""
    major, _ = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
    return read(file)


def _npy_entry(file: Any, name: str, source: str) -> dict[str, Any]:
    """The dtype and the shape of an array as NumPy saved it; nothing that could run code is read."""
    try:
        shape, _, dtype = npy_header(file)
    except (ValueError, EOFError) as error:
        raise InvalidValueError(f"{source}: {named(name)} is no array of NumPy ({error}); save it again") from None
    try:
        return {"dtype": dtypes.of_numpy(dtype), "shape": list(shape)}
    except InvalidValueError as error:
        raise InvalidValueError(f"{source}: {named(name)}: {error}") from None


def _listed(names: list[str]) -> str:
    shown = ", ".join(map(named, names[:_MOST_LISTED]))
    return shown + f" and {len(names) - _MOST_LISTED} more" * (len(names) > _MOST_LISTED)
