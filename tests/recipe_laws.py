"""A recipe's weight → the law of its values in numbers, however its steps say it: what two recipes are compared by."""

import math

import numpy as np
from scipy import stats

from numbainit.recipes import Fill, Formula

_MOST = 20_000  # elements of a tensor that are compared
_LAST_BIT = 2e-7  # relative, of float32: functions of other libraries are rounded twice, or not correctly
_ROUNDED = 1 + 1e-6  # of a bound, in float32
_OF_NUMBERS = {"log_of_uniform": ["a", "b"], "time_step_bias": ["a", "b", "floor"]}
_CONSTANTS = {"zeros": 0.0, "ones": 1.0}


def fans(shape, layout=None):
    """Counted here once more: the axes of outputs and of inputs, times those that are neither."""
    axes = "OI" if layout is None else layout.axes
    axes += "X" * (len(shape) - len(axes))
    sizes = {
        letter: math.prod(size for size, axis in zip(shape, axes, strict=True) if axis == letter) for letter in "OI"
    }
    field = math.prod(shape) // (sizes["O"] * sizes["I"])
    return sizes["I"] * field, sizes["O"] * field


def law(weight):
    """Part → ``(name, *numbers)``; the whole is None. What is computed otherwise is ``{None: ("computed",)}``."""
    if weight.computed or any(isinstance(step, Formula) for step in weight.steps):
        return {None: ("computed",)}
    found = {}
    for step in weight.steps:
        part = None if step.part is None else tuple(step.part)
        if isinstance(step, Fill):
            shape = weight.shape if part is None else tuple(stop - start for start, stop in part)
            found = (
                {part: _numbers(step.initializer, shape)}
                if part is None
                else found | {part: _numbers(step.initializer, shape)}
            )
        else:
            touched = found if part is None else {part: found.get(part, found[None])}
            found = found | {one: _changed(numbers, step) for one, numbers in touched.items()}
    return found


def _numbers(initializer, shape):
    name, arguments = initializer.name, initializer.arguments
    if name in _CONSTANTS:
        return "constant", _CONSTANTS[name]
    if name == "constant":
        return "constant", float(arguments["val"])
    if name == "uniform":
        return "uniform", float(arguments["a"]), float(arguments["b"])
    if name == "normal":
        return "normal", float(arguments["mean"]), float(arguments["std"])
    if name == "trunc_normal":
        return "truncated normal", *(float(arguments[key]) for key in ("mean", "std", "a", "b"))
    if name == "orthogonal":
        return "orthogonal", float(arguments["gain"])
    if name in _OF_NUMBERS:
        return name, *(float(arguments[key]) for key in _OF_NUMBERS[name])
    fan_in, fan_out = fans(shape, arguments["layout"])
    if name == "lecun_truncated_normal":  # 0.8796 is the std of a standard normal that is cut at two
        std = math.sqrt(1 / fan_in) / 0.87962566103423978
        return "truncated normal", 0.0, std, -2 * std, 2 * std
    if name.startswith("xavier"):
        std = arguments["gain"] * math.sqrt(2 / (fan_in + fan_out))
    else:
        slope = arguments["a"]
        gain = math.sqrt(2) if arguments["nonlinearity"] == "relu" else math.sqrt(2 / (1 + slope**2))
        assert arguments["nonlinearity"] in ("relu", "leaky_relu")
        std = gain / math.sqrt(fan_in if arguments["mode"] == "fan_in" else fan_out)
    bound = math.sqrt(3) * std
    return ("uniform", -bound, bound) if name.endswith("uniform") else ("normal", 0.0, std)


def _changed(numbers, change):
    name, *values = numbers
    if name == "orthogonal":
        assert change.name != "add"
    change_of = {
        "add": lambda x: x + change.number,
        "mul": lambda x: x * change.number,
        "div": lambda x: x / change.number,
    }
    if name == "normal" and change.name == "add":
        return name, values[0] + change.number, values[1]
    if name == "truncated normal" and change.name == "add":
        mean, std, a, b = values
        return name, mean + change.number, std, a + change.number, b + change.number
    return name, *map(change_of[change.name], values)


def agree(one, other, rel=1e-6):
    """Whether two laws are one."""
    if one.keys() != other.keys():
        return False
    return all(
        mine[0] == other[part][0]
        and len(mine) == len(other[part])
        and all(math.isclose(x, y, rel_tol=rel, abs_tol=1e-12) for x, y in zip(mine[1:], other[part][1:], strict=True))
        for part, mine in one.items()
    )


def compared(name, ours, theirs, laws):
    """Fixed elements are equal, bounds are kept; p-values of the others: as a sample, and of their standard deviation.

    ``theirs`` are the values for some seeds.
    """
    fixed = np.all([theirs[0] == other for other in theirs[1:]], axis=0)
    np.testing.assert_allclose(
        ours[fixed], theirs[0][fixed], _LAST_BIT if "computed" in laws[None] else 0, err_msg=name
    )
    assert "computed" not in laws[None] or fixed.all(), name
    drawn = ours[~fixed][:_MOST]
    expected = np.concatenate([other[~fixed][:_MOST] for other in theirs])
    if drawn.size < 2:
        return []
    kind, *numbers = laws[None]
    if kind in ("uniform", "truncated normal"):
        low, high = min(numbers[-2:]), max(numbers[-2:])
        for sample in (drawn, expected):
            assert low * _ROUNDED <= sample.min() <= sample.max() <= high * _ROUNDED, name
    spread = np.sqrt((stats.kurtosis(expected, fisher=False) - 1) / 4 * (1 / drawn.size + 1 / expected.size))
    score = (np.log(drawn.std()) - np.log(expected.std())) / spread if drawn.size > 100 else 0.0
    return [stats.ks_2samp(drawn, expected).pvalue, 2 * stats.norm.sf(abs(score))]
