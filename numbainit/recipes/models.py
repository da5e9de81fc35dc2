"""The name of a well-known model → the text of its safetensors header.

A header is all that an initializer needs: names, dtypes, shapes. The files in ``data/`` hold one tensor a line, in the
order of the model's ``state_dict()``, buffers included; a tied weight is in it under its first name only.
"""

from numbainit.errors import InvalidValueError, shown, suggestion
from numbainit.recipes.packaged import Packaged

_BUILT_IN = Packaged("data", ".json")


def builtin_names() -> list[str]:
    """The names that :func:`builtin_header` knows, sorted.

    Examples
    --------
    >>> from numbainit.recipes.models import builtin_names
    >>> builtin_names()[:3]
    ['bert-base', 'densenet121', 'gpt2']
    """
    return _BUILT_IN.names()


def builtin_header(name: str) -> bytes:
    """The safetensors header of a built-in model, as UTF-8 JSON.

    Raises
    ------
    InvalidValueError
        For a name that is not built in; the nearest one is suggested.

    Examples
    --------
    >>> from numbainit.recipes.models import builtin_header
    >>> builtin_header("gpt2")[:27]
    b'{\\n"transformer.wte.weight":'
    """
    names = builtin_names()
    if name not in names:
        hint = suggestion(name, names)
        raise InvalidValueError(f"no built-in model is named {shown(name)}; {hint}Built in: {', '.join(names)}")
    return _BUILT_IN.read(name)
