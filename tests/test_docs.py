"""README.md and every public docstring → their examples, run as doctests."""

import doctest
import importlib
import inspect
import re
from pathlib import Path

import pytest

import numbainit
from cases import thinned

README = Path(__file__).parent.parent / "README.md"
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
PACKAGE = Path(numbainit.__file__).parent
MODULES = sorted(
    ".".join(["numbainit", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")  # by their files: to walk over packages would import those of frameworks
    if path.name != "__main__.py"  # importing it runs the command line
)
PUBLIC = [name for name in numbainit.__all__ if not name.startswith("_") and name != "default_generator"]


FRAMEWORKS = ("numbainit.jax", "numbainit.keras", "numbainit.torch", "numbainit.targets.cuda")


@pytest.mark.parametrize("module", thinned(MODULES, lambda name: not name.startswith(FRAMEWORKS)))
def test_docstring_examples_run(module):
    try:
        found = importlib.import_module(module)
    except numbainit.MissingExtraError as error:  # an adapter of a framework that is not installed
        pytest.skip(str(error))
    failed, _ = doctest.testmod(found, optionflags=FLAGS)
    assert failed == 0


def test_readme_examples_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    examples = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, "README.md", str(README), 0)
    assert len(examples.examples) > 10
    assert doctest.DocTestRunner(optionflags=FLAGS).run(examples).failed == 0


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_have_a_docstring_with_an_example(name):
    thing = getattr(numbainit, name)
    text = inspect.getdoc(thing)
    assert text
    if inspect.isfunction(thing) or thing is numbainit.Generator:
        assert ">>>" in text


def test_first_sh_block_of_readme_holds_the_main_job_and_the_tests():
    block = re.search(r"^```sh\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    commands = [line for line in block[1].splitlines() if line and not line.startswith("#")]
    assert len(commands) == 2
    assert "numbainit init gpt2" in commands[0]
    assert "pytest" in commands[1]
