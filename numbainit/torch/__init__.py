"""A torch module → its parameters filled, each from a generator of its name: see :mod:`numbainit.torch.modules`."""

from numbainit.torch.modules import initialize, initializer

__all__ = ["initialize", "initializer"]
