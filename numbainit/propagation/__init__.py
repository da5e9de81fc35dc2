"""What an initialization does to a signal, layer by layer; read :mod:`numbainit.propagation.run` first."""

from numbainit.propagation.asked import DTYPES, network
from numbainit.propagation.flows import Flow, finite_or_none, flow, moments
from numbainit.propagation.layers import PADDINGS
from numbainit.propagation.networks import Network
from numbainit.propagation.result import Propagation
from numbainit.propagation.run import propagate
from numbainit.propagation.several import grid, sweep
from numbainit.propagation.verdicts import rate, verdict

__all__ = [
    "DTYPES",
    "PADDINGS",
    "Flow",
    "Network",
    "Propagation",
    "finite_or_none",
    "flow",
    "grid",
    "moments",
    "network",
    "propagate",
    "rate",
    "sweep",
    "verdict",
]
