"""What is measured: weights of layers, made when they are asked for, inputs, and a line for a title."""

from dataclasses import dataclass

import numpy as np

from numbainit.generator import Generator
from numbainit.init import normal_
from numbainit.initializers import Initializer
from numbainit.targets.cpu.launch import limited
from numbainit.weights.nonlinearities import Nonlinearity


@dataclass(frozen=True)
class Network:
    """What is measured, checked: see :func:`propagate`."""

    widths: tuple[int, ...]
    initializer: Initializer
    factor: float
    nonlinearity: Nonlinearity
    kernel: int
    size: int
    padding: str
    skip: bool
    norm: bool
    dtype: np.dtype
    root: Generator

    @property
    def compute(self) -> np.dtype:
        """The dtype of sums: small floats are rounded after each operation."""
        return self.dtype if self.dtype.itemsize >= 4 else np.dtype("float32")

    def rounded(self, array: np.ndarray) -> np.ndarray:
        return array if self.dtype == self.compute else array.astype(self.dtype).astype(self.compute)

    def shape(self, layer: int) -> tuple[int, ...]:
        """Of the weight of a layer, counted from 1."""
        return (self.widths[layer], self.widths[layer - 1], *(self.kernel,) * (2 * bool(self.kernel)))

    def weight(self, layer: int) -> np.ndarray:
        array = np.empty(self.shape(layer), self.compute)
        with limited(1):  # products come next, whose threads would wait for those of a fill to go to sleep
            self.initializer(array, self.root.fold_in(f"layers.{layer}.weight"))
        return self.rounded(array * self.compute.type(self.factor))

    def signal(self, name: str, batch: int, width: int) -> np.ndarray:
        array = np.empty((batch, width, *(self.size,) * (2 * bool(self.kernel))), self.compute)
        return self.rounded(normal_(array, generator=self.root.fold_in(name)))

    @property
    def label(self) -> str:
        """One line for a title."""
        name, layers = self.initializer.name, len(self.widths) - 1
        shown = {key: value for key, value in self.initializer.arguments.items() if key in ("mode", "std", "a", "b")}
        shown = self.initializer.given | ({} if name.startswith("xavier") else shown)
        hidden = ("nonlinearity", "layout", *["a"] * name.startswith("kaiming"))
        given = ", ".join(f"{key}={value}" for key, value in shown.items() if key not in hidden)
        same = len(set(self.widths)) == 1
        width = f"of {self.widths[0]}" if same else "of " + "-".join(map(str, self.widths[:6])) + "…" * (layers > 5)
        parts = [f"{layers} {f'{self.kernel}x{self.kernel} convolutions' if self.kernel else 'layers'} {width}"]
        parts += [
            (f"{name}({given})" if given else name) + (f" x {self.factor:.4g}" if self.factor != 1 else ""),
            self.nonlinearity.name,
        ]
        parts += ["skip"] * self.skip + ["norm"] * self.norm + [self.dtype.name] * (self.dtype.name != "float32")
        return " · ".join(parts)
