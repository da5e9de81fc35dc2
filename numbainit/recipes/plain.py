"""An initializer and a shape → the same law in plain numbers, and its standard deviation.

``kaiming_normal`` of a weight is a normal law whose width follows from the weight's fans: here the fans are counted.
The values are the same, bit by bit.
"""

import math

from numbainit.initializers import Initializer
from numbainit.recipes.steps import Change, Fill, Weight
from numbainit.weights.fans import calculate_gain
from numbainit.weights.laws import STD_WITHIN_TWO_SIGMAS
from numbainit.weights.layouts import Split, splits_of

#: the laws of those whose width follows from fans
_LAWS = {
    "glorot_truncated_normal": "truncated_normal",
    "he_truncated_normal": "truncated_normal",
    "kaiming_normal": "normal",
    "kaiming_uniform": "uniform",
    "lecun_normal": "normal",
    "lecun_truncated_normal": "truncated_normal",
    "lecun_uniform": "uniform",
    "sine": "uniform",
    "xavier_normal": "normal",
    "xavier_uniform": "uniform",
}
#: scales and modes of variance scaling under other names
_SCALED = {
    "glorot_truncated_normal": (1.0, "fan_avg"),
    "he_truncated_normal": (2.0, "fan_in"),
    "lecun_normal": (1.0, "fan_in"),
    "lecun_truncated_normal": (1.0, "fan_in"),
    "lecun_uniform": (1.0, "fan_in"),
}


def in_numbers(found: Initializer, shape: tuple[int, ...]) -> Initializer:
    """The initializer without fans; itself where it has none, and for splits that differ.

    Examples
    --------
    >>> import numbainit as init
    >>> from numbainit.recipes.plain import in_numbers
    >>> in_numbers(init.Initializer("kaiming_normal", nonlinearity="linear"), (100, 25))
    Initializer('normal', std=0.2)
    """
    law = found.arguments["distribution"] if found.name == "variance_scaling" else _LAWS.get(found.name)
    if law is None or 0 in shape:
        return found
    stds = {_width(found, split) for split in splits_of(found.arguments["layout"] or "OI", shape)}
    if len(stds) > 1:
        return found
    (std,) = stds
    if law == "uniform":
        bound = math.sqrt(3.0) * std
        return Initializer("uniform", a=-bound, b=bound)
    if law == "truncated_normal":
        before = std / STD_WITHIN_TWO_SIGMAS
        return Initializer("trunc_normal", std=before, a=-2.0 * before, b=2.0 * before)
    return Initializer("normal", std=std)


def _width(found: Initializer, split: Split) -> float:
    """The standard deviation in a split."""
    arguments, fan_in, fan_out = found.arguments, split.fan_in, split.fan_out
    match found.name:
        case "xavier_normal" | "xavier_uniform":
            return float(arguments["gain"]) * math.sqrt(2.0 / max(fan_in + fan_out, 1))
        case "kaiming_normal" | "kaiming_uniform":
            gain = calculate_gain(arguments["nonlinearity"], arguments["a"])
            return gain / math.sqrt(fan_in if arguments["mode"].lower() == "fan_in" else fan_out)
        case "sine":
            fan = max(fan_in, 1)
            bound = 1.0 / fan if arguments["layer"] == "first" else math.sqrt(6.0 / fan) / arguments["omega"]
            return bound / math.sqrt(3.0)
    scale, mode = _SCALED.get(found.name) or (arguments["scale"], arguments["mode"].lower())
    fans = {
        "fan_in": fan_in,
        "fan_out": fan_out,
        "fan_avg": (fan_in + fan_out) / 2.0,
        "fan_geo_avg": math.sqrt(fan_in * fan_out),
    }
    return math.sqrt(scale / max(fans[mode], 1.0))


def std_of(found: Initializer, shape: tuple[int, ...]) -> float | None:
    """The standard deviation of an element; 0 for constants, None where elements differ in it.

    Examples
    --------
    >>> import numbainit as init
    >>> from numbainit.recipes.plain import std_of
    >>> round(std_of(init.Initializer("trunc_normal", std=0.02, a=-0.04, b=0.04), (3,)), 5)
    0.01759
    """
    found = in_numbers(found, shape)
    arguments = found.arguments
    match found.name:
        case "normal":
            return float(arguments["std"])
        case "uniform":
            return (arguments["b"] - arguments["a"]) / math.sqrt(12.0)
        case "trunc_normal":
            return _truncated(**arguments)
        case "constant" | "ones" | "zeros":
            return 0.0
        case "sparse":
            return float(arguments["std"]) * math.sqrt(
                1 - min(math.ceil(arguments["sparsity"] * shape[0]) / shape[0], 1)
            )
        case "orthogonal" if len(shape) >= 2 and not arguments["layout"]:
            return abs(arguments["gain"]) / math.sqrt(max(shape[0], math.prod(shape[1:])))
    return None


def std_of_weight(weight: Weight) -> float | None:
    """The standard deviation of an element of what a weight's steps make; None where elements differ in it.

    Examples
    --------
    >>> import numbainit as init
    >>> from numbainit.recipes import Change, Fill, Weight
    >>> from numbainit.recipes.plain import std_of_weight
    >>> std_of_weight(Weight((3,), "float32", (Fill(init.Initializer("normal", std=0.5)), Change("mul", -4))))
    2.0
    """
    first, *changes = weight.steps or (None,)
    if not isinstance(first, Fill) or first.part is not None or 0 in weight.shape:
        return None
    std = std_of(first.initializer, weight.shape)
    for change in changes:
        if std is None or not isinstance(change, Change) or change.part is not None:
            return None
        std *= {"mul": abs(change.number), "div": 1 / abs(change.number or math.nan)}.get(change.name, 1.0)
    return std


def _truncated(mean: float, std: float, a: float, b: float) -> float | None:
    """Johnson, Kotz, Balakrishnan, "Continuous univariate distributions", 1994, 13.10; None far out in a tail."""
    if not std:
        return 0.0
    low, high = (a - mean) / std, (b - mean) / std
    mass = (math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2))) / 2
    if mass < 1e-6:
        return None
    at_low, at_high = (math.exp(-x * x / 2) / math.sqrt(2 * math.pi) for x in (low, high))
    edges = (low * at_low if at_low else 0.0) - (high * at_high if at_high else 0.0)
    return std * math.sqrt(max(1 + edges / mass - ((at_low - at_high) / mass) ** 2, 0.0))
