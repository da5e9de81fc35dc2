"""What a user names, a file, a folder, an index, a mapping, a model → its tensors, each of which is read in pieces.

Headers are read now, values when they are asked for: no tensor is in memory as a whole, but for members of an .npz in
Fortran order.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numbainit.errors import InvalidTypeError, InvalidValueError
from numbainit.files.reading import folders, mappings, ranks, safetensors
from numbainit.files.reading.file import WANTED, Kind, kind_of, open_file
from numbainit.files.reading.stored import Collection, check_values


def open_stored(source: Any) -> Collection:
    """The tensors of a path, of a mapping from names to arrays, or of a model with ``state_dict``.

    Raises
    ------
    InvalidValueError
        No such file, one that is cut off or of another format, a shard that is missing, one of many ranks' files.
    InvalidTypeError
        A tensor that holds no numbers, or such that no array has.
    MissingExtraError
        torch, zarr or safetensors is needed and not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from numbainit.files.reading.source import open_stored
    >>> found = open_stored({"w": np.arange(6.0).reshape(2, 3)})
    >>> [piece.tolist() for piece in found.tensors["w"].pieces([4, 2])]
    [[0.0, 1.0, 2.0, 3.0], [4.0, 5.0]]
    """
    if isinstance(source, (str, os.PathLike)):
        if not os.fspath(source):
            raise InvalidValueError(f"an empty name is no file; {WANTED}")
        found = open_path(Path(source))
    else:
        if hasattr(source, "state_dict") and not isinstance(source, Mapping):
            source = source.state_dict()
        if not isinstance(source, Mapping):
            raise InvalidTypeError(
                f"an audit takes a path, a mapping from names to arrays or a model, got {type(source).__name__}"
            )
        found = mappings.arrays(source)
    for one in found.tensors.values():
        check_values(one)
    if not found.tensors:
        raise InvalidValueError(f"{found.source} holds no arrays")
    return found


def open_path(path: Path, wanted: str = WANTED) -> Collection:
    """The tensors of a file, a folder or an index; their dtypes may be such that nobody reads.

    Raises
    ------
    InvalidValueError
        As :func:`open_stored`; ``wanted`` ends the message if there is no such file.
    """
    try:
        kind = kind_of(path)
        if kind is Kind.FOLDER:
            return folders.of_folder(path)
        if kind is Kind.INDEX:
            return folders.of_index(path)
        found = open_file(path)
        if kind is Kind.SAFETENSORS:
            beside = (one for one in path.parent.glob("*.safetensors") if one.name != path.name)
            ranks.check_whole(found, map(safetensors.metadata, beside))
        return found
    except FileNotFoundError:
        raise InvalidValueError(f"there is no file {path}; {wanted}") from None
    except OSError as error:
        raise InvalidValueError(f"{path} cannot be read: {error.strerror or error}; {wanted}") from error
