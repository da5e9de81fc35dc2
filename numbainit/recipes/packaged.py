"""A folder of this package → the files in it, by their names: what is built in."""

from importlib import resources

from numbainit.errors import MissingExtraError


class Packaged:
    """Files of one kind, each of which is known by its name without the suffix."""

    def __init__(self, folder: str, suffix: str) -> None:
        self.folder, self.suffix = folder, suffix

    def names(self) -> list[str]:
        """Sorted; a MissingExtraError where a program was packed without them."""
        try:
            found = [file.name for file in self._files().iterdir()]
        except (OSError, ValueError):  # ValueError: of an archive
            raise MissingExtraError(
                f"the files of numbainit/recipes/{self.folder} are not in this program: it was packed without the data "
                "of numbainit (PyInstaller: --collect-data numbainit; see docs/containers.md)"
            ) from None
        return sorted(name.removesuffix(self.suffix) for name in found if name.endswith(self.suffix))

    def read(self, name: str) -> bytes:
        """The file of a name that :meth:`names` knows."""
        return (self._files() / (name + self.suffix)).read_bytes()

    def _files(self):
        return resources.files(__package__) / self.folder
