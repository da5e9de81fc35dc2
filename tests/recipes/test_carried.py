"""Tables that a file carries → the same recipes as before, and none that takes for ever."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numbainit as init
from numbainit.errors import InvalidTypeError, InvalidValueError
from numbainit.files.headers import parse_header
from numbainit.recipes import Rules, Tensor, load, models, names
from numbainit.recipes.carried import carried, received

LAWS = ["zeros", "ones", "normal", "uniform", "eye"]
NAMES = st.lists(st.text("ab.1*?[]{}/", min_size=1, max_size=6), min_size=1, max_size=6, unique=True)
REGEXES = [r".*", r"a+.*", r".*\d.*", r"[ab]\.?.*", r".*[*?{\[].*", r"nothing", r"(a|b|1)*", r".*/.*|a"]
ROWS = st.lists(
    st.one_of(
        st.fixed_dictionaries({"regex": st.sampled_from(REGEXES)}),
        st.fixed_dictionaries({"regex": st.lists(st.sampled_from(REGEXES), min_size=1, max_size=2)}),
        st.fixed_dictionaries({"match": st.sampled_from(["a*", "*1", "*.b"]), "regex": st.sampled_from(REGEXES)}),
        st.fixed_dictionaries({"match": st.sampled_from(["a*", "*1", "*.b"])}),
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.full
@settings(max_examples=300, deadline=None, derandomize=True)
@given(NAMES, ROWS)
def test_regular_expressions_become_names(found, rows):
    table = [{**row, "initializer": law} for row, law in zip(rows, LAWS, strict=False)]
    rules = Rules([*table, {"match": "*", "initializer": "constant", "val": 3}], optional=True)
    tensors = [Tensor(name, (2, 2), "float32") for name in found]
    facts = json.loads(json.dumps(carried(rules, found)))
    assert not any("regex" in row for row in facts["rules"])
    assert received(facts).recipe(tensors) == rules.recipe(tensors)


@pytest.mark.parametrize("name", names())
def test_tables_that_are_built_in_are_carried_as_they_are(name):
    rules = load(name)
    assert Rules.from_dict(carried(rules, ["a.weight", "b.bias"])) == rules
    for model in rules.fits[:1]:
        tensors = [
            Tensor(one.name, one.shape, one.numpy_dtype.name)
            for one in parse_header(models.builtin_header(model), model)
        ]
        plan = rules.plan(tensors)
        again = received(carried(rules, plan.recipe)).plan(tensors, plan.variables)
        assert again.recipe == plan.recipe


@pytest.mark.full
def test_a_model_of_many_names_is_planned_as_quickly_as_by_globs():
    """A name for each of them, where a regular expression stood, and no comparison of all with all."""
    rules = Rules([{"regex": r"h\.\d+\.w", "initializer": "normal"}, {"match": "*", "initializer": "zeros"}])
    tensors = [Tensor(f"h.{n}.{end}", (2, 2), "float32") for n in range(5_000) for end in "wv"]
    recipe = received(carried(rules, [one.name for one in tensors])).recipe(tensors)
    assert (recipe["h.4999.w"].label, recipe["h.4999.v"].label) == ("normal()", "zeros()")


def table(*rows, **variables):
    return {
        "format": "numbainit-rules-1",
        "variables": variables,
        "rules": [{"initializer": "zeros", **row} for row in rows],
    }


@pytest.mark.parametrize(
    ("facts", "error", "words"),
    [
        (table({"regex": "(a+)+b"}), InvalidValueError, "rule 1 has a regular expression, which could take for ever"),
        (table({"match": "*"}, {"regex": ["a"]}), InvalidValueError, "rule 2 has a regular expression"),
        (table({"match": [f"{n}*" for n in range(1001)]}), InvalidValueError, "have 1,001 globs; wanted at most 1,000"),
        (table({"match": "a*" * 501}), InvalidValueError, "could take long; wanted at most 1,000 characters"),
        *[
            (table({"match": glob}), InvalidValueError, "no digit, . or .* beside {}")
            for glob in ("{}{}", "a?{}", "{}[0-9]x", "{}7", "*[ab]{}")
        ],
        (table({"match": "*", "kind": "{}{}"}), InvalidValueError, "could take long"),
        ([], InvalidTypeError, "rules are written as a table"),
        ({"rules": 3}, InvalidValueError, "this has no format"),
        (table({"match": 3}), InvalidTypeError, "a glob is a text"),
        (table({"match": ""}), InvalidTypeError, "a glob is a text"),
        (table({"match": "*"}, layers=3.5, b="x"), InvalidTypeError, "variable 'b'"),
    ],
)
def test_what_is_not_read_from_a_file(facts, error, words):
    with pytest.raises(error, match=words) as raised:
        received(facts)
    assert len(str(raised.value)) <= 500


def test_nothing_is_counted():
    row = {"match": "*", "initializer": "constant", "val": "layers"}
    rules = received(table(row, layers={"count": "*{}" * 20}))
    tensors = [Tensor("1" * 200, (2,), "float32")]
    with pytest.raises(InvalidValueError, match="variable 'layers' is needed"):
        rules.recipe(tensors)
    assert rules.recipe(tensors, {"layers": 2})[tensors[0].name].label == "constant(val=2)"


def test_globs_that_took_exponential_time():
    """It ends: by the regular expressions of stars that may look again, this takes longer than there is time."""
    rules = received(table({"match": "*a" * 60 + "*c*b"}, {"match": "*" + ".{}x" * 40 + "*y"}, {"match": "*"}))
    tensors = [Tensor(name, (2,), "float32") for name in ("a" * 900 + "b", ".1x" * 300 + "y", ".1x" * 39 + "y")]
    assert [rules.plan(tensors).rows[one.name] for one in tensors] == [3, 2, 3]


# ---- from the table of a user to a file, and back ----


@pytest.fixture
def made(tmp_path, capsys):
    """A file by a recipe with a regular expression."""
    from numbainit.command import cli

    shapes = {f"h.{n}.{name}": [40, 30] for n in range(4) for name in ("up", "down[x]")}
    header, rules, path = tmp_path / "shapes.json", tmp_path / "mine.toml", tmp_path / "made.safetensors"
    header.write_text(json.dumps({name: {"dtype": "F32", "shape": shape} for name, shape in shapes.items()}))
    rules.write_text(
        Rules(
            [
                {"regex": r"h\.[13]\..*\]", "initializer": "uniform", "a": -1.0},
                {"regex": "(u+)+x", "initializer": "zeros", "optional": True},
                {"match": "*", "initializer": "normal"},
            ]
        ).to_toml()
    )
    assert cli.main(["init", str(header), "-o", str(path), "--recipe", str(rules), "--seed", "7", "--json"]) == 0
    capsys.readouterr()
    return path


def test_what_a_user_wrote_with_a_regular_expression_is_exact(made):
    audit = init.audit(made)
    assert audit.verdict == "exact"
    assert {one.law for one in audit.tensors} == {"uniform(a=-1.0)", "normal()"}


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (
            {"table": table({"regex": "(a+)+b"}), "variables": {}},
            r"rule 1 has a regular .* give the recipe and the seed",
        ),
        ({"table": table({"match": "{}{}{}"}), "variables": {}}, r"could take long.* give the recipe and the seed"),
        ("[" * 100_000, "cannot be read.* give the recipe and the seed"),
    ],
    ids=["regex", "glob", "deep"],
)
def test_an_audit_of_what_somebody_else_wrote(made, rules, words):
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file

    arrays = load_file(made)
    with safe_open(made, framework="numpy") as file:
        metadata = file.metadata()
    said = rules if isinstance(rules, str) else json.dumps(rules)
    save_file({**arrays, "a" * 100: arrays["h.0.up"]}, made, {**metadata, "rules": said})
    with pytest.raises(InvalidValueError, match=words) as error:
        init.audit(made)
    assert len(str(error.value)) <= 500
