"""PyInstaller asks → the folder of hooks for this package: an entry point, so that users name nothing."""

from pathlib import Path


def hook_dirs() -> list[str]:
    """Where the hooks lie, one a package."""
    return [str(Path(__file__).parent)]
