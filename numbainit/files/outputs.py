"""What a user names as the output → what kind of thing it is, and where it lies; nothing is created.

A name is followed through symbolic links to a regular file, which is replaced when the new one is whole. What cannot be
replaced (a pipe, a device, ``-`` and other names of the standard output) is written into, from first byte to last.
"""

import enum
import os
import re
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from numbainit.errors import OutputError

STREAM = "-"
_FORMATS = {".npy": "npy", ".npz": "npz", ".zarr": "zarr"}
_OTHERS = {  # names that promise what this package does not write
    **dict.fromkeys((".pt", ".pth", ".ckpt", ".pkl", ".pickle"), "torch's pickles"),
    **dict.fromkeys((".h5", ".hdf5", ".keras"), "HDF5"),
    **{".gguf": "GGUF", ".onnx": "ONNX", ".msgpack": "msgpack", ".json": "JSON", ".zip": "zip"},
}
_DESCRIPTOR = re.compile(r"/dev/(?:fd/(\d+)|std(out|err))|/proc/self/fd/(\d+)")


class Kind(enum.Enum):
    """How an output is written."""

    FILE = "a file that is replaced"
    STREAM = "what is written into"
    FOLDER = "a folder of shards"


@dataclass(frozen=True)
class Output:
    """Where it goes, as what, and in which format: ``safetensors``, ``npy``, ``npz`` or ``zarr``.

    ``descriptor`` is the open one that a stream is written into, if it has no path of its own.
    """

    path: Path
    kind: Kind
    format: str = "safetensors"
    descriptor: int | None = None

    @property
    def is_standard_output(self) -> bool:
        return self.descriptor == 1


def check_output(path: str | os.PathLike[str]) -> Output:
    """The output that a file's name stands for.

    Raises
    ------
    OutputError
        If it is a folder or a loop of links, if its folder is missing, if either cannot be written, or if its name
        promises another format.

    Examples
    --------
    >>> from numbainit.files.outputs import check_output
    >>> check_output("weights.npz").format
    'npz'
    >>> check_output("no/such/folder/model.safetensors")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    numbainit.errors.OutputError: output no/such/folder/model.safetensors: there is no folder ...
    """
    text = os.fspath(path)
    descriptor = _descriptor(text)
    try:
        if descriptor is not None:
            problem = _stream_problem(descriptor)
            found = Output(Path(text), Kind.STREAM, descriptor=descriptor)
        else:
            problem, found = _of_name(text)
    except (OSError, ValueError) as error:
        raise OutputError(f"output {text}: {_why(error, text)}; name another file") from error
    if problem:
        raise OutputError(f"output {text}: {problem}")
    return found


def check_folder(path: str | os.PathLike[str]) -> Output:
    """The folder that shards are written to; it may be there, or its parent must be.

    Raises
    ------
    OutputError
        If there is something else of this name, no parent, or no right to write.
    """
    text = os.fspath(path)
    try:
        folder = Path(os.path.realpath(text))
        _status(folder)
        problem = _folder_problem(folder, text)
    except (OSError, ValueError) as error:
        raise OutputError(f"output {text}: {_why(error, text)}; name a folder") from error
    if problem:
        raise OutputError(f"output {text}: {problem}")
    return Output(folder, Kind.FOLDER)


def _why(error: OSError | ValueError, text: str) -> str:
    """What the system says; of a null byte each version of Python says something else."""
    return "a name holds no null byte" if "\0" in text else getattr(error, "strerror", None) or str(error)


def _folder_problem(folder: Path, text: str) -> str | None:
    if not text or text == STREAM or (folder.exists() and not folder.is_dir()):
        return "shards are files of a folder; name a folder"
    if not folder.exists() and Path(text).suffix.lower() in (".safetensors", *_FORMATS, *_OTHERS):
        return f"shards are files of a folder, and this would be taken for a file; name it {Path(text).stem}"
    place = folder if folder.is_dir() else folder.parent
    if not place.is_dir():
        return f"there is no folder {place}; make it first"
    if not os.access(place, os.W_OK | os.X_OK):
        return f"the folder {place} cannot be written; choose another one or change its permissions"
    return None


def _descriptor(text: str) -> int | None:
    """The open descriptor that a name stands for, if it does: what it is open on may have no name, or another."""
    if text == STREAM:
        return 1
    match = _DESCRIPTOR.fullmatch(text)
    if not match:
        return None
    if match[2]:
        return 1 if match[2] == "out" else 2
    return int(match[1] or match[3])


def _stream_problem(descriptor: int) -> str | None:
    if descriptor == 1 and sys.stdout is None:
        return "the standard output is closed; redirect it"
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        return "this is a folder"
    if os.isatty(descriptor):
        return "this is a terminal, and a model is no text; redirect it: numbainit init ... -o - > model.safetensors"
    return None


def _of_name(text: str) -> tuple[str | None, Output]:
    path = Path(os.path.realpath(text))
    folder = path.parent
    found = Output(path, Kind.FILE, _FORMATS.get(Path(text).suffix.lower(), "safetensors"))
    if not text:
        return "an empty name; name a file, such as model.safetensors", found
    if text.endswith(("/", os.sep)) or (path.is_dir() and found.format != "zarr"):
        example = os.path.join(text, "model.safetensors")
        return f"this is a folder; name a file in it, such as {example}, or shards by --shard-size", found
    if not folder.is_dir():
        gone = f"there is no folder {folder}; make it first"
        return f"{folder} is a file, not a folder" if folder.exists() else gone, found
    old = _status(path)
    if old is not None and found.format == "zarr":
        return (
            "it is there already, and a folder cannot be replaced as a whole; remove it or choose another name",
            found,
        )
    if old is not None and not stat.S_ISREG(old.st_mode):
        if stat.S_ISSOCK(old.st_mode) or stat.S_ISBLK(old.st_mode):
            return "this is a socket or a disk; name a file, a pipe or a character device", found
        return None, Output(path, Kind.STREAM)
    other = _OTHERS.get(Path(text).suffix.lower())
    if other:
        return f"a file of this name would be taken for {other}; name it .safetensors, .npz, .npy or .zarr", found
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"the folder {folder} cannot be written; choose another one or change its permissions", found
    if old is not None and not os.access(path, os.W_OK):
        return "this file is write-protected; choose another name or change its permissions", found
    if old is not None and _is_standard_output(old):
        return "the standard output goes there, too; say -o - to write the model into it", found
    return None, found


def _status(path: Path) -> os.stat_result | None:
    """What there is; an error for a loop of links, which is nothing and yet not free."""
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _is_standard_output(old: os.stat_result) -> bool:
    if sys.stdout is None:
        return False
    try:
        return os.path.samestat(old, os.fstat(1))
    except OSError:
        return False
