"""What a user names, a file, a folder, an index, a mapping → its tensors, each of which is read in pieces.

Formats: safetensors, alone, in shards or by rank; ``.npz``, ``.npy``; what ``torch.save`` writes (``.pt``, ``.pth``,
``.bin``), where torch is installed, and nothing in it is executed. No tensor is in memory as a whole, but for Fortran
order of NumPy's files.
"""

import json
import math
import os
import re
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from numbainit.errors import InvalidTypeError, InvalidValueError, MissingExtraError, shown
from numbainit.files import ranks
from numbainit.files.headers import LENGTH, METADATA
from numbainit.files.shapes import is_safetensors, npy_header, read_parameters
from numbainit.memory.dtypes import is_small, small_dtype

_INDICES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_TORCH = (".pt", ".pth", ".bin", ".ckpt")
_WANTED = "wanted a checkpoint: .safetensors, .npz, .npy, .pt, .bin"
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # of torch's messages
_LONG = (np.dtype("g").name, np.dtype("G").name) if np.dtype("g").itemsize > 8 else ()
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
        if not os.fspath(source):
            raise InvalidValueError(f"an empty name is no file; {_WANTED}")
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
    try:
        if path.is_dir():
            return _of_folder(path)
        if not path.exists():
            raise InvalidValueError(f"there is no file {path}; {_WANTED}")
        if path.name.endswith(".index.json"):
            return _of_index(path)
        found = _of_file(path)
        if ranks.SHARDING_INFO in found.metadata or ranks.WORLD in found.metadata:
            _check_whole(found, path)
        return found
    except OSError as error:
        raise InvalidValueError(f"{path} cannot be read: {error.strerror or error}") from error


def _of_file(path: Path) -> Collection:
    if path.suffix == ".npz":
        return Collection(str(path), _of_npz(path), {})
    if path.suffix == ".npy":
        return Collection(str(path), _of_npy(path), {})
    if path.suffix in _TORCH:
        return Collection(str(path), _of_torch(path), {})
    if not is_safetensors(path):
        raise InvalidValueError(f"{path} is no file of values that is known; {_WANTED}")
    return _of_safetensors(path)


def _check_whole(found: Collection, path: Path) -> None:
    beside = [one for one in path.parent.glob("*.safetensors") if one.name != path.name]
    if not ranks.is_alone(found.metadata, str(path), (_metadata(one) for one in beside)):
        raise InvalidValueError(f"{path} holds the rows of one rank: audit the folder with the files of all ranks")


def _of_folder(folder: Path) -> Collection:
    """By its index, else all files of a kind in it."""
    for name in _INDICES:
        if (folder / name).is_file():
            return _of_index(folder / name)
    for suffix in (".safetensors", ".npz", *_TORCH):
        files = sorted(path for path in folder.iterdir() if path.suffix == suffix and not path.name.startswith("."))
        if files:
            return _joined(str(folder), [_of_file(path) for path in files])
    raise InvalidValueError(f"{folder} holds no checkpoint: wanted .safetensors, .npz, .pt or .bin files in it")


def _joined(source: str, parts: list[Collection]) -> Collection:
    found: dict[str, list[tuple[tuple[int, ...], Stored]]] = {}
    ranks.check_all_there([part.metadata for part in parts], source)
    entire = set()  # names that a file holds without saying where
    for part in parts:
        starts = ranks.starts(part.metadata, part.source)
        for name, one in part.tensors.items():
            there = found.setdefault(name, [])
            there.append((starts.get(name, ()), one))
            entire |= {name} if name not in starts else set()
            if len(there) > 1 and name in entire:
                where = there[0][1].file
                raise InvalidValueError(f"{name!r} lies in {where} and in {one.file}: audit one of the files")
    tensors = {name: there[0][1] if name in entire else ranks.joined(there) for name, there in found.items()}
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
    found = _joined(str(path), [_of_file(path.parent / file) for file in files])
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


def _metadata(path: Path) -> dict[str, str]:
    """What a file says of itself; nothing where that cannot be read."""
    try:
        return _of_safetensors(path).metadata
    except InvalidValueError:
        return {}


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


# ---- NumPy ----


def _of_npy(path: Path) -> dict[str, Stored]:
    """The array, under the name of its file."""
    try:
        with path.open("rb") as file:
            shape, is_fortran, dtype = npy_header(file)
            offset = file.tell()
        _check_dtype(path.stem, dtype)
        if path.stat().st_size < offset + math.prod(shape) * dtype.itemsize:
            raise ValueError("it ends within the array")
    except (ValueError, EOFError) as error:
        raise InvalidValueError(f"{path} is no whole .npy file ({error}): save it again") from None

    def in_order(counts: Iterable[int]) -> Pieces:
        return _slices(np.load(path, allow_pickle=False).reshape(-1), counts)

    pieces = in_order if is_fortran and len(shape) > 1 else _File(path, offset, dtype)
    return {path.stem: Stored(path.stem, shape, dtype, pieces, path.name)}


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
        shape, is_fortran, dtype = npy_header(file)
    _check_dtype(member.removesuffix(".npy"), dtype)
    pieces = _Whole(path, member) if is_fortran and len(shape) > 1 else _Member(path, member, dtype)
    return Stored(member.removesuffix(".npy"), shape, dtype, pieces, path.name)


@dataclass(frozen=True)
class _Member:
    path: Path
    member: str
    dtype: np.dtype

    def __call__(self, counts: Iterable[int]) -> Pieces:
        with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as file:
            npy_header(file)
            try:
                yield from _read(file, counts, self.dtype, f"{self.path}, {self.member},")
            except zipfile.BadZipFile as error:
                raise InvalidValueError(f"{self.path} is damaged: {error}") from None


@dataclass(frozen=True)
class _Whole:
    path: Path
    member: str

    def __call__(self, counts: Iterable[int]) -> Pieces:
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as file:
                array = np.lib.format.read_array(file, allow_pickle=False)
        except (zipfile.BadZipFile, ValueError, EOFError) as error:
            raise InvalidValueError(f"{self.path} is damaged: {error}") from None
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
        text = " ".join(_COLOURS.sub("", f"{type(error).__name__}: {error}").split())[:200]
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
    except InvalidTypeError:
        raise
    except (TypeError, ValueError, RuntimeError) as error:
        raise InvalidTypeError(f"{name!r} cannot be read as an array: {error}") from None
    _check_dtype(name, values.dtype)
    return Stored(name, values.shape, values.dtype, lambda counts: _slices(values.reshape(-1), counts), file)


def _of_tensor(name: str, tensor: Any, file: str) -> Stored:
    dtype = str(tensor.dtype).removeprefix("torch.")
    if tensor.device.type == "meta":
        raise InvalidTypeError(f"{name!r} is on the meta device: it has no values")
    if str(tensor.layout) != "torch.strided":
        raise InvalidTypeError(f"{name!r} is sparse ({tensor.layout}): audit its to_dense()")

    def pieces(counts: Iterable[int]) -> Pieces:
        flat, start = tensor.detach().resolve_conj().resolve_neg().reshape(-1), 0
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


def _check_dtype(name: str, dtype: np.dtype) -> None:
    """Raise for what is no number, or longer than what safetensors and torch have."""
    if dtype.hasobject or not (is_small(dtype) or (dtype.kind in "biufc" and dtype.name not in _LONG)):
        what = "Python objects" if dtype.hasobject else dtype
        raise InvalidTypeError(
            f"{shown(name)} holds {what}: an audit looks at whole numbers, booleans, floats of at most 64 bits and "
            "complex numbers of these; leave it out"
        )


def _slices(flat: np.ndarray, counts: Iterable[int]) -> Pieces:
    start = 0
    for count in counts:
        yield flat[start : start + count]
        start += count
