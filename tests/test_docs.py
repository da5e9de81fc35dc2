"""README.md, the pages of docs/ and every public docstring → their examples, run as doctests; no link leads nowhere."""

import doctest
import importlib
import inspect
import re
from pathlib import Path

import pytest

import numbainit
from cases import thinned

ROOT = Path(__file__).parent.parent
README, INDEX = ROOT / "README.md", ROOT / "docs" / "index.md"
PAGES = sorted((ROOT / "docs").glob("*.md"))
TEXTS = [README, *PAGES, *(ROOT / f"{name}.md" for name in ("CHANGELOG", "CONTRIBUTING", "SECURITY"))]
NEEDED = {
    "dtypes-and-memory.md": ("ml_dtypes",),
    "checkpoints.md": ("rich", "safetensors"),
    "command-line.md": ("rich", "safetensors"),
    "from-torch.md": ("torch",),
    "from-jax-and-keras.md": ("jax", "flax", "keras"),
    "distributed.md": ("torch", "jax", "dask"),
}
FULL = {"torch", "jax", "flax", "keras", "dask"}  # what the full suite installs
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
PACKAGE = Path(numbainit.__file__).parent
MODULES = sorted(
    ".".join(["numbainit", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")  # by their files: to walk over packages would import those of frameworks
    if path.name != "__main__.py"  # importing it runs the command line
    and path.parent.name != "_pyinstaller"  # its hooks import PyInstaller
)
FRAMEWORKS = (
    "numbainit.dask",
    "numbainit.jax",
    "numbainit.keras",
    "numbainit.torch",
    "numbainit.targets.cuda",
    "numbainit.measure.clock",
)
PUBLIC = [name for name in numbainit.__all__ if not name.startswith("_") and name != "default_generator"]


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def code_blocks(path, language):
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def run_examples(path):
    """Run the ``>>>`` lines of a page's Python blocks, which share their names; how many there are."""
    text = "\n\n".join(code_blocks(path, "python"))
    examples = doctest.DocTestParser().get_doctest(text, {}, name_of(path), str(path), 0)
    assert doctest.DocTestRunner(optionflags=FLAGS).run(examples).failed == 0
    return len(examples.examples)


# ---- examples ----


@pytest.mark.parametrize("module", thinned(MODULES, lambda name: not name.startswith(FRAMEWORKS)))
def test_docstring_examples_run(module):
    try:
        found = importlib.import_module(module)
    except numbainit.MissingExtraError as error:  # an adapter of a framework that is not installed
        pytest.skip(str(error))
    failed, _ = doctest.testmod(found, optionflags=FLAGS)
    assert failed == 0


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras, on torch
@pytest.mark.parametrize(
    "page", thinned(PAGES, lambda page: not FULL.intersection(NEEDED.get(page.name, ()))), ids=name_of
)
def test_page_examples_run(page, tmp_path, monkeypatch):
    for package in NEEDED.get(page.name, ()):
        pytest.importorskip(package, reason=f"the examples of {page.name} need {package}")
    monkeypatch.chdir(tmp_path)
    run_examples(page)


def test_readme_examples_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_examples(README) > 5


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_have_a_docstring_with_an_example(name):
    thing = getattr(numbainit, name)
    text = inspect.getdoc(thing)
    assert text
    if inspect.isfunction(thing) or thing is numbainit.Generator:
        assert ">>>" in text


# ---- README ----


def test_first_sh_block_of_readme_holds_the_main_job_and_the_tests():
    commands = [line for line in code_blocks(README, "sh")[0].splitlines() if line and not line.startswith("#")]
    assert len(commands) == 2
    assert "numbainit init gpt2" in commands[0]
    assert "pytest" in commands[1]


def test_readme_is_short():
    """As ``wc -w`` counts."""
    assert len(README.read_text(encoding="utf-8").split()) <= 450


# ---- links and lists ----


def links(path):
    """The targets of a text's links and pictures, without those of code blocks."""
    prose = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"\]\(([^)\s]+)\)", prose)


@pytest.mark.parametrize("text", TEXTS, ids=name_of)
def test_links_lead_somewhere(text):
    nearby = [target for target in links(text) if not target.startswith(("https://", "mailto:"))]
    assert [target for target in nearby if not (text.parent / target).exists()] == []


def test_index_lists_every_page_once():
    listed = re.findall(r"^\| \[.*?\]\((.*?)\)", INDEX.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(page.name for page in PAGES if page != INDEX)


def test_contributing_gives_every_file_of_the_package_a_line():
    listed, folders = [], []
    for line in code_blocks(ROOT / "CONTRIBUTING.md", "text")[0].partition("\ntests/")[0].splitlines():
        name, depth = line.split()[0], (len(line) - len(line.lstrip())) // 2
        folders = [*folders[:depth], name]
        if name.endswith(".py"):
            listed.append("".join(folders))
    package = ROOT / "numbainit"
    files = [path for path in package.rglob("*.py") if path.name != "__init__.py" or path.parent == package]
    assert sorted(listed) == sorted(map(name_of, files))


def test_the_citation_is_of_this_version():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {numbainit.__version__}\n" in text


def test_the_page_of_the_stream_is_enough_to_write_it_again():
    """What the page compares with the package is the page's own code: it takes nothing from it before."""
    own, comparison = "\n".join(code_blocks(ROOT / "docs" / "stream-v1.md", "python")).split("import numbainit as init")
    assert "numbainit" not in own.replace('person=b"numbainit.v1"', "")
    assert comparison.count("same(") >= 4
