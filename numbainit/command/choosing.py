"""``--init`` and its arguments, or ``--recipe`` and ``--set`` → rules; with parameters, a plan."""

import argparse
from collections.abc import Iterable
from typing import Any

import numpy as np

from numbainit.errors import InvalidValueError
from numbainit.files.headers import Parameter
from numbainit.initializers import Initializer, checked_name, needed, taking
from numbainit.recipes import Tensor, default, load
from numbainit.recipes.carried import carried
from numbainit.recipes.filling import check
from numbainit.recipes.planning import Plan
from numbainit.recipes.steps import Fill
from numbainit.recipes.tensors import dtype_name

_OF_KERNELS = ("dirac", "bilinear", "icnr", "delta_orthogonal", "convolution_orthogonal")

#: the arguments of initializers, under their names
_OPTION_HELP: dict[str, tuple[type, str]] = {
    "mode": (str, "fan_in or fan_out; not of kaiming: fan_avg, fan_geo_avg, too (default: fan_in)"),
    "nonlinearity": (str, "what follows the layer, such as relu or tanh (default: leaky_relu)"),
    "gain": (float, "factor (default: 1)"),
    "mean": (float, "before any truncation (default: 0)"),
    "std": (float, "standard deviation, before any truncation (default: 0.02; sparse: 0.01)"),
    "a": (float, "lower bound (default: 0; trunc_normal: 2 std below the mean); kaiming: negative slope (default: 0)"),
    "b": (float, "upper bound (default: 1; trunc_normal: 2 std above the mean)"),
    "val": (float, "the value (forget_bias, of the forget gate: 1)"),
    "sparsity": (float, "the share of zeros in each column"),
    "groups": (int, "groups of outputs (default: 1)"),
    "scale": (float, "of the variance, over the fan (default: 1; icnr: 2)"),
    "distribution": (str, "truncated_normal, normal or uniform (default: truncated_normal; icnr: normal)"),
    "layer": (str, "first or hidden (default: hidden)"),
    "omega": (float, "the frequency of a sine (default: 30)"),
    "upscale": (int, "the factor of each axis (default: 2)"),
    "shuffle": (str, "pixel_shuffle or depth_to_space (default: pixel_shuffle)"),
    "gates": (str, "their order, such as ifco (default: ifgo)"),
    "floor": (float, "of the time steps (default: 0.0001)"),
    "start": (float, "what the first logarithm is of (default: 1)"),
    "layout": (str, "which axis is what, such as IO or HWIO (default: OI)"),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """What chooses the rules."""
    names = ", ".join(default.choices())
    parser.add_argument(
        "--recipe", metavar="NAME", help="rules by name (numbainit recipes lists them), or a .toml file of your own"
    )
    parser.add_argument(
        "--set", action="append", type=_setting, metavar="NAME=NUMBER", help="a variable of the recipe; may be repeated"
    )
    parser.add_argument("--init", metavar="NAME", help=f"instead, for all weights, one of {names} (default: normal)")
    for option, (kind, text) in _OPTION_HELP.items():
        owners = ", ".join(taking(option))
        parser.add_argument(f"--{option}", type=kind, metavar=kind.__name__.upper(), help=f"{text}; for {owners}")


def _setting(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    try:
        value = float(number)
        return name, int(value) if value.is_integer() else value
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"got {text!r}; wanted a name and a number, such as layers=32") from None


class Choice:
    """The rules that were chosen, and what was said about them."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        given = _given_options(arguments)
        self.variables = dict(arguments.set or [])
        self.chosen = None if arguments.recipe else _chosen(arguments.init or "normal", given)
        if arguments.recipe is None:
            if self.variables:
                raise InvalidValueError(
                    "--set is for variables of a --recipe; what --init takes has options of its own"
                )
            self.name, self.rules = arguments.init or "normal", default.default(self.chosen)
        else:
            words = [f"--{option}" for option in given] + ["--init"] * (arguments.init is not None)
            if words:
                raise InvalidValueError(f"--recipe says every initializer: leave out {', '.join(words)}")
            self.name, self.rules = arguments.recipe, load(arguments.recipe)
        self._options = given

    def plan(self, parameters: Iterable[Parameter]) -> Plan:
        """How each parameter is made."""
        tensors = [Tensor(one.name, one.shape, dtype_name(one.numpy_dtype)) for one in parameters]
        plan = self.rules.plan(tensors, self.variables)
        if self.chosen is not None:  # its arguments must make sense where no parameter takes it, too
            fill = Fill(self.chosen)
            steps = {id(weight.steps): weight.steps for weight in plan.recipe.values() if 0 not in weight.shape}
            if not any(fill in some for some in steps.values()):  # which many weights have in common
                check((fill,), _fitting(self.chosen), np.dtype("float32"))
        return plan

    def to_dict(self, plan: Plan) -> dict[str, Any]:
        """All that is needed to make it again, as JSON has it."""
        facts: dict[str, Any] = {"variables": plan.variables, "table": carried(self.rules, plan.recipe)}
        if self.chosen is None:
            return {"recipe": self.name, **facts}
        said = self.chosen.to_dict(defaults=True)
        options = {option: value for option, value in said.items() if option in self._options}
        return {"init": self.name, "options": options, "initializer": said, **facts}


def check_needed(name: str, given: Iterable[str]) -> None:
    """Raise for arguments that have no default and were not given."""
    missing = [f"--{option}" for option in needed(name) if option not in given]
    if missing:
        raise InvalidValueError(f"--init {name} needs {' and '.join(missing)}")


def _chosen(name: str, given: dict[str, Any]) -> Initializer:
    name = checked_name(name, default.choices())
    check_needed(name, given)
    return default.initializer(name, **given)


def _given_options(arguments: argparse.Namespace) -> dict[str, Any]:
    given = {option: getattr(arguments, option) for option in _OPTION_HELP}
    return {option: value for option, value in given.items() if value is not None}


def _fitting(chosen: Initializer) -> tuple[int, ...]:
    """A shape that an initializer takes."""
    axes, kernel = chosen.arguments.get("layout"), chosen.name in _OF_KERNELS
    rank = max(3 if kernel else 2, len(axes.axes) if axes else 0)
    each = chosen.arguments.get("groups", chosen.arguments.get("upscale", 1) ** (rank - 2))
    return (4 if chosen.name == "forget_bias" else each,) * rank
