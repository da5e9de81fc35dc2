"""Initialization of torch modules: see :mod:`numbainit.torch.modules`."""

from numbainit.torch.modules import initialize, initializer

__all__ = ["initialize", "initializer"]
