"""A path → what is there, by its name and first bytes; one file, or a store, of any format → its tensors."""

import enum
from collections.abc import Callable
from pathlib import Path

from numbainit.errors import InvalidValueError
from numbainit.files.reading import numpy_files, safetensors, torch_files, zarr
from numbainit.files.reading.stored import Collection

WANTED = "wanted a .safetensors, .npz, .npy, .zarr, .pt or .bin file, or a folder or an index of them"


class Kind(enum.Enum):
    """What lies under a name."""

    FOLDER = "files of a checkpoint"
    INDEX = "which file holds which tensor"
    SAFETENSORS = ".safetensors"
    NPZ = ".npz"
    NPY = ".npy"
    ZARR = ".zarr"
    TORCH = "what torch.save writes"
    OTHER = "a text, perhaps"


_READS: dict[Kind, Callable[[Path], Collection]] = {
    Kind.SAFETENSORS: safetensors.tensors,
    Kind.NPZ: numpy_files.npz,
    Kind.NPY: numpy_files.npy,
    Kind.ZARR: zarr.arrays,
    Kind.TORCH: torch_files.tensors,
}


def kind_of(path: Path) -> Kind:
    """What lies there; an OSError if nothing does.

    Examples
    --------
    >>> from pathlib import Path
    >>> from numbainit.files.reading.file import kind_of
    >>> kind_of(Path("."))
    <Kind.FOLDER: 'files of a checkpoint'>
    """
    if path.is_dir():
        return Kind.ZARR if zarr.is_zarr(path) else Kind.FOLDER
    if path.name.endswith(".index.json"):
        return Kind.INDEX
    if path.suffix in (".npz", ".npy"):
        return Kind(path.suffix)
    if safetensors.is_safetensors(path):
        return Kind.SAFETENSORS
    return Kind.TORCH if path.suffix in torch_files.SUFFIXES else Kind.OTHER


def open_file(path: Path) -> Collection:
    """The tensors of one file, or store.

    Raises
    ------
    InvalidValueError
        It is cut off, or of no format that is known.
    """
    kind = kind_of(path)
    if kind not in _READS:
        raise InvalidValueError(f"{path} is no file of values that is known; {WANTED}")
    return _READS[kind](path)
