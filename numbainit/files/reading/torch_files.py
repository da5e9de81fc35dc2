"""What ``torch.save`` has written → its tensors, by torch, where it is installed; nothing in the file is executed."""

import re
import zipfile
from pathlib import Path

from numbainit.errors import InvalidValueError, MissingExtraError
from numbainit.files.reading import mappings
from numbainit.files.reading.stored import Collection

SUFFIXES = (".pt", ".pth", ".bin", ".ckpt")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # of torch's messages


def tensors(path: Path) -> Collection:
    """The tensors, also of nested mappings; in memory only while they are read, but in files of torch before 1.6.

    Raises
    ------
    InvalidValueError
        The file is cut off, or holds what only a pickle can: objects that would have to be executed.
    MissingExtraError
        torch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError(f'{path} needs torch to be read: pip install "numbainit[torch]"') from error
    try:
        held = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:
        text = " ".join(_COLOURS.sub("", f"{type(error).__name__}: {error}").split())[:200]
        raise InvalidValueError(
            f"{path} is not what torch.save writes, or holds more than tensors: {text}: save its state_dict"
        ) from None
    return mappings.arrays(held if isinstance(held, dict) else {"": held}, str(path), path.name)
