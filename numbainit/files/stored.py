"""What a user names, a file, a folder, an index, a mapping → its tensors, each of which is read in pieces.

Formats: safetensors, alone or in shards; ``.npz``; what ``torch.save`` writes (``.pt``, ``.pth``, ``.bin``), where
torch is installed, and nothing in it is executed. No tensor is in memory as a whole, but for Fortran order in ``.npz``.
"""

import json
import math
import os
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError, MissingExtraError
from numbainit.files.headers import LENGTH, METADATA
from numbainit.files.shapes import read_parameters
from numbainit.memory.dtypes import small_dtype

_INDICES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_TORCH = (".pt", ".pth", ".bin", ".ckpt")
_SMALL = ("bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz")

Pieces = Iterator[np.ndarray]


@dataclass(frozen=True)
class Stored:
    """A tensor that is somewhere.

    Attributes
    ----------
    name, shape, dtype
    pieces : callable
        Numbers of elements → as many arrays of one axis, which follow each other from the first element on.
    file : str
        Where it lies; empty for memory.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    pieces: Callable[[Iterable[int]], Pieces] = field(repr=False, compare=False)
    file: str = ""

    @property
    def size(self) -> int:
        """How many elements there are."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """How many bytes they take."""
        return self.size * self.dtype.itemsize


@dataclass(frozen=True)
class Collection:
    """All tensors of a source, by name, and what its file says about itself."""

    source: str
    tensors: dict[str, Stored]
    metadata: dict[str, str]


def open_stored(source: Any) -> Collection:
    """The tensors of a path, of a mapping from names to arrays, or of a model with ``state_dict``.

    Raises
    ------
    InvalidValueError
        No such file, one that is cut off or of another format, a shard that is missing.
    MissingExtraError
        torch or safetensors is needed and not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from numbainit.files.stored import open_stored
    >>> found = open_stored({"w": np.arange(6.0).reshape(2, 3)})
    >>> [piece.tolist() for piece in found.tensors["w"].pieces([4, 2])]
    [[0.0, 1.0, 2.0, 3.0], [4.0, 5.0]]
    """
    if isinstance(source, (str, os.PathLike)):
        return _of_path(Path(source))
    if hasattr(source, "state_dict") and not isinstance(source, Mapping):
        source = source.state_dict()
    if not isinstance(source, Mapping):
        raise InvalidTypeError(
            f"an audit takes a path, a mapping from names to arrays or a model, got {type(source).__name__}"
        )
    tensors = {name: _of_array(name, array) for name, array in _flat(source)}
    if not tensors:
        raise InvalidValueError("the mapping holds no arrays")
    return Collection("memory", tensors, {})


def _of_path(path: Path) -> Collection:
    if path.is_dir():
        return _of_folder(path)
    if not path.exists():
        raise InvalidValueError(f"there is no file {path}; wanted a checkpoint: .safetensors, .npz, .pt, .bin")
    try:
        if path.name.endswith(".index.json"):
            return _of_index(path)
        if path.suffix == ".npz":
            return Collection(str(path), _of_npz(path), {})
        if path.suffix in _TORCH:
            return Collection(str(path), _of_torch(path), {})
        return _of_safetensors(path)
    except OSError as error:
        raise InvalidValueError(f"{path} cannot be read: {error.strerror or error}") from error


def _of_folder(folder: Path) -> Collection:
    """By its index, else all files of a kind in it."""
    for name in _INDICES:
        if (folder / name).is_file():
            return _of_index(folder / name)
    for suffix in (".safetensors", ".npz", *_TORCH):
        files = sorted(path for path in folder.iterdir() if path.suffix == suffix and not path.name.startswith("."))
        if files:
            return _joined(str(folder), [_of_path(path) for path in files])
    raise InvalidValueError(f"{folder} holds no checkpoint: wanted .safetensors, .npz, .pt or .bin files in it")


def _joined(source: str, parts: list[Collection]) -> Collection:
    tensors: dict[str, Stored] = {}
    for part in parts:
        for name, one in part.tensors.items():
            if name in tensors:
                where = tensors[name].file
                raise InvalidValueError(f"{name!r} lies in {where} and in {one.file}: audit one of the files")
            tensors[name] = one
    metadata = parts[0].metadata if all(part.metadata == parts[0].metadata for part in parts) else _shared(parts)
    return Collection(source, tensors, metadata)


def _shared(parts: list[Collection]) -> dict[str, str]:
    first, *others = (part.metadata for part in parts)
    return {key: value for key, value in first.items() if all(other.get(key) == value for other in others)}


def _of_index(path: Path) -> Collection:
    try:
        placed = json.loads(path.read_text("utf-8"))["weight_map"]
        names = {str(name): str(file) for name, file in placed.items()}
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise InvalidValueError(
            f"{path} is no index with a weight_map ({error!r}): name a shard, or the folder"
        ) from None
    files = sorted(set(names.values()))
    missing = [file for file in files if "/" in file or not (path.parent / file).is_file()]
    if missing or not files:
        raise InvalidValueError(f"{path} names {len(files)} shards, of which these are missing: {', '.join(missing)}")
    found = _joined(str(path), [_of_path(path.parent / file) for file in files])
    lost = [name for name, file in names.items() if name not in found.tensors]
    if lost:
        raise InvalidValueError(f"{path} names {len(lost)} tensors that no shard holds, such as {lost[0]!r}")
    return found


# ---- safetensors ----


def _of_safetensors(path: Path) -> Collection:
    try:
        import safetensors  # noqa: F401
    except ImportError as error:
        raise MissingExtraError('safetensors files need safetensors: pip install "numbainit[cli]"') from error
    parameters = read_parameters(path)  # which checks that it is whole
    with path.open("rb") as file:
        length = int.from_bytes(file.read(LENGTH), "little")
        try:
            header = json.loads(file.read(length))
            first = LENGTH + length
            offsets = {one.name: first + header[one.name]["data_offsets"][0] for one in parameters}
        except (ValueError, KeyError, TypeError):
            raise InvalidValueError(f"{path} is a header without values: there is nothing to audit") from None
    tensors = {
        one.name: Stored(
            one.name, one.shape, one.numpy_dtype, _File(path, offsets[one.name], one.numpy_dtype), path.name
        )
        for one in parameters
    }
    return Collection(str(path), tensors, dict(header.get(METADATA) or {}))


@dataclass(frozen=True)
class _File:
    """Bytes of a file, from an offset on."""

    path: Path
    offset: int
    dtype: np.dtype

    def __call__(self, counts: Iterable[int]) -> Pieces:
        with self.path.open("rb", buffering=0) as file:
            file.seek(self.offset)
            yield from _read(file, counts, self.dtype, str(self.path))


def _read(file: Any, counts: Iterable[int], dtype: np.dtype, name: str) -> Pieces:
    for count in counts:
        array = np.empty(count, dtype)
        memory, got = memoryview(array.view(np.uint8).data), 0
        while got < len(memory):
            more = file.readinto(memory[got:])
            if not more:
                raise InvalidValueError(f"{name} ends within a tensor: fetch or save it again")
            got += more
        yield array


# ---- npz ----


def _of_npz(path: Path) -> dict[str, Stored]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if name.endswith(".npy")]
            found = {name.removesuffix(".npy"): _of_member(path, archive, name) for name in members}
    except (zipfile.BadZipFile, ValueError, EOFError) as error:
        raise InvalidValueError(f"{path} is no whole .npz file ({error}): save it again") from None
    if not found:
        raise InvalidValueError(f"{path} holds no arrays")
    return found


def _of_member(path: Path, archive: zipfile.ZipFile, member: str) -> Stored:
    with archive.open(member) as file:
        shape, is_fortran, dtype = _npy_header(file)
    if dtype.hasobject:
        raise ValueError(f"{member} holds Python objects")
    pieces = _Whole(path, member) if is_fortran and len(shape) > 1 else _Member(path, member, dtype)
    return Stored(member.removesuffix(".npy"), shape, dtype, pieces, path.name)


def _npy_header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(file)


@dataclass(frozen=True)
class _Member:
    path: Path
    member: str
    dtype: np.dtype

    def __call__(self, counts: Iterable[int]) -> Pieces:
        with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as file:
            _npy_header(file)
            try:
                yield from _read(file, counts, self.dtype, f"{self.path}, {self.member},")
            except zipfile.BadZipFile as error:
                raise InvalidValueError(f"{self.path} is damaged: {error}") from None


@dataclass(frozen=True)
class _Whole:
    path: Path
    member: str

    def __call__(self, counts: Iterable[int]) -> Pieces:
        with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
        return _slices(array.reshape(-1), counts)


# ---- memory, and torch ----


def _of_torch(path: Path) -> dict[str, Stored]:
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError(f'{path} needs torch to be read: pip install "numbainit[torch]"') from error
    try:
        held = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise InvalidValueError(f"{path} is not what torch.save writes, or holds more than tensors: {text}") from None
    tensors = {name: _of_array(name, tensor, path.name) for name, tensor in _flat(held)}
    if not tensors:
        raise InvalidValueError(f"{path} holds no tensors")
    return tensors


def _flat(held: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names → arrays, also of nested mappings; what is no array is left out."""
    if isinstance(held, Mapping):
        for key, value in held.items():
            yield from _flat(value, f"{prefix}.{key}" if prefix else str(key))
    elif hasattr(held, "shape") and hasattr(held, "dtype"):
        yield prefix or "tensor", held


def _of_array(name: str, array: Any, file: str = "") -> Stored:
    torch = sys.modules.get("torch")
    try:
        if torch is not None and isinstance(array, torch.Tensor):
            return _of_tensor(name, array, file)
        values = np.asarray(array)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InvalidTypeError(f"{name!r} cannot be read as an array: {error}") from None
    return Stored(name, values.shape, values.dtype, lambda counts: _slices(values.reshape(-1), counts), file)


def _of_tensor(name: str, tensor: Any, file: str) -> Stored:
    dtype = str(tensor.dtype).removeprefix("torch.")
    if tensor.device.type == "meta":
        raise InvalidTypeError(f"{name!r} is on the meta device: it has no values")

    def pieces(counts: Iterable[int]) -> Pieces:
        flat, start = tensor.detach().reshape(-1), 0
        for count in counts:
            part = flat[start : start + count].cpu()
            start += count
            if dtype in _SMALL:
                import torch

                words = torch.int16 if dtype == "bfloat16" else torch.uint8
                yield part.view(words).numpy().view(small_dtype(dtype))
            else:
                yield part.numpy()

    form = small_dtype(dtype) if dtype in _SMALL else np.dtype({"bool": "bool"}.get(dtype, dtype))
    return Stored(name, tuple(tensor.shape), form, pieces, file)


def _slices(flat: np.ndarray, counts: Iterable[int]) -> Pieces:
    start = 0
    for count in counts:
        yield flat[start : start + count]
        start += count
