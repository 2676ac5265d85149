"""YAML is loaded safely, remembers its lines, and can be overridden key by key."""

from pathlib import Path

import pytest
import yaml

from hybridrec import ConfigError
from hybridrec.config import yaml_document
from hybridrec.config.yaml_document import LONG, load, parse, read_yaml


def refused(text):
    with pytest.raises(ConfigError) as info:
        parse(text, "a.yaml")
    return str(info.value)


def test_every_key_knows_its_line():
    document = parse("a: 1\nb:\n  - x: 2\n  -\n    y: 3\n\nc: {d: 4}\n", "a.yaml")
    assert document.content == {"a": 1, "b": [{"x": 2}, {"y": 3}], "c": {"d": 4}}
    assert document.where(("b", 1, "y")) == "a.yaml:5: b[1].y"
    assert document.where(("c", "d")) == "a.yaml:7: c.d"
    assert document.where(("c", "missing", "too")) == "a.yaml:7: c.missing.too"
    assert document.where(("missing",)) == "a.yaml:1: missing"
    assert document.where(()) == "a.yaml:1"


def test_a_key_that_stands_twice_is_refused_with_both_lines():
    assert refused("a:\n  b: 1\n  c: 2\n  b: 3\n") == "a.yaml:4: the key 'b' is here twice (first on line 2)"
    assert "twice" in refused("1: a\n'1': b\n")


def test_aliases_and_merge_keys_work_and_own_keys_win():
    document = parse("base: &b {x: 1, y: 2}\none:\n  y: 3\n  <<: *b\ntwo: *b\n", "a.yaml")
    assert document.content["one"] == {"x": 1, "y": 3}
    assert document.content["two"] == {"x": 1, "y": 2}
    assert document.where(("one", "y")) == "a.yaml:3: one.y"
    assert document.where(("one", "x")) == "a.yaml:1: one.x"


def test_the_first_of_several_merged_mappings_wins():
    assert parse("a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b]}\n", "").content["c"] == {"x": 1, "y": 2}


def test_a_mapping_with_a_merge_can_be_an_alias_itself():
    document = parse("a: &a {x: 1}\nb: &b {<<: *a, x: 2}\nc: *b\nd: {<<: *b}\n", "a.yaml")
    assert document.content["c"] == document.content["d"] == {"x": 2}


def test_a_merge_of_something_else_is_refused():
    assert refused("a: {<<: [1]}\n") == "a.yaml:1: `<<` takes a mapping or a list of mappings"


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)
MERGE_BOMB = "a0: &a0 {x0: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}], x{n}: 1}}\n" for n in range(1, 9)
)


@pytest.mark.parametrize("bomb", [BOMB, MERGE_BOMB], ids=["lists", "merge keys"])
def test_alias_bombs_are_refused(bomb):
    assert refused(bomb) == "a.yaml: more than 100000 values after expanding aliases"


def test_an_alias_that_contains_itself_is_refused():
    assert refused("a:\n  b: &b\n    c: *b\n") == "a.yaml:2: an alias contains itself"
    assert "an alias contains itself" in refused("a: &a [*a]\n")


@pytest.mark.parametrize(
    "text",
    ["a: !!python/object/apply:os.system [ls]", "a: !!python/name:os.system", "a: !!python/object:x {y: 1}", "a: !x 1"],
)
def test_tags_make_no_objects(text):
    message = refused(f"ok: 1\n{text}\n")
    assert "line 2" in message or "a.yaml:2" in message
    assert "tag" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.yaml: expected a mapping of keys at the top"),
        ("# nothing\n", "a.yaml: expected a mapping"),
        ("- a\n- b\n", "a.yaml: expected a mapping"),
        ("word", "a.yaml: expected a mapping"),
        ("a: 1\n--- \nb: 2\n", "a.yaml: not valid YAML (line 2"),
        ("a: [1\nb: 2\n", "a.yaml: not valid YAML (line 2"),
        (
            "a: 1\nb 7\n\nc: 2\n",
            "a.yaml: not valid YAML (line 4: could not find expected ':', "
            "while scanning a simple key that begins in line 2)",
        ),
        ("a: *nobody\n", "a.yaml: not valid YAML (line 1: found undefined alias"),
        ("a: 1\nb: 2020-13-01\n", "a.yaml:2: '2020-13-01' is not a valid timestamp"),
        ("a: !!int x\n", "a.yaml:1: 'x' is not a valid int"),
        ("a: !!bool x\n", "a.yaml:1: 'x' is not a valid bool"),
        ("a: " + "9" * 5000, "a.yaml:1: '999"),
        ("? [a, b]\n: 1\n", "a.yaml:1: a key must be plain text"),
        ("a: \0\n", "a.yaml: not valid YAML"),
        ("a: " + "[" * 5000, "a.yaml: nested too deeply"),
    ],
)
def test_what_is_no_config_is_refused_with_a_message(text, message):
    assert refused(text).startswith(message)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: no such file"):
        load(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)
    (tmp_path / "latin.yaml").write_bytes("name: Müller".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"latin\.yaml: not valid UTF-8 \(byte 7\)"):
        load(tmp_path / "latin.yaml")


def test_a_byte_order_mark_and_other_scripts_do_no_harm(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbf" + "이름: 재생목록 🎵\n".encode())
    assert load(tmp_path / "a.yaml").content == {"이름": "재생목록 🎵"}


@pytest.mark.parametrize(
    ("assignment", "path", "value"),
    [
        ("seed=3", ["seed"], 3),
        ("p.h.w.als=0.5", ["p", "h", "w", "als"], 0.5),
        ("list.1.x=[1, 2]", ["list", 1, "x"], [1, 2]),
        ("list.0=", ["list", 0], None),
        ("new.made.on.the.way={a: 1}", ["new", "made", "on", "the", "way"], {"a": 1}),
        ("empty.filled=yes", ["empty", "filled"], True),
        ("p.007=x=y", ["p", "007"], "x=y"),
        ("p.²=1", ["p", "²"], 1),
    ],
)
def test_set_overrides_one_key(assignment, path, value):
    document = parse("seed: 1\np: {h: {w: {als: 1}}}\nlist: [{x: 1}, {x: 2}]\nempty:\n", "a.yaml")
    document.set(assignment)
    here = document.content
    for key in path:
        here = here[key]
    assert here == value


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("seed", "expected key.path=value"),
        ("=3", "expected key.path=value"),
        ("seed=[1", "not valid YAML"),
        ("seed={a: 1, a: 2}", "the key 'a' is here twice"),
        ("seed=!!python/name:os.system", "not valid YAML"),
        ("list.2=1", "list is a list of 2, '2' is not an index of it"),
        ("list.-1=1", "list is a list of 2, '-1' is not an index of it"),
        ("list.x.y=1", "list is a list of 2, 'x' is not an index of it"),
        ("seed.x=1", "seed is not a mapping"),
        ("seed.x.y=1", "seed is not a mapping"),
    ],
)
def test_set_says_what_is_wrong(assignment, message):
    document = parse("seed: 1\nlist: [{x: 1}, {x: 2}]\n", "a.yaml")
    with pytest.raises(ConfigError) as info:
        document.set(assignment)
    assert str(info.value).startswith(f"--set {assignment}")
    assert message in str(info.value)


@pytest.mark.parametrize(("value", "message"), [
    ("!!timestamp x", "x:1: 'x' is not a valid timestamp"),
    ("!!int x", "x:1: 'x' is not a valid int"),
    ("9" * 5_000, r"x:1: '9{60}\.\.\.' is not a valid int"),
    ("0x" + "f" * 17, "is a whole number of more than 64 bits"),
    ("1" + ":59" * 3_000, "is a whole number of more than 64 bits"),
    ("0x" + "f" * 100_000, "x:1: more than 100,000 characters in a value"),
    ('"\\ud800"', r"x:1: '\\ud800' is not a valid str"),
    ("&a '" + "y" * 90_000 + "'\nb: [" + "*a," * 200 + "]", "or 10,000,000 in all"),
])  # fmt: skip
def test_values_that_no_option_can_take_are_refused_in_a_sentence(value, message):
    with pytest.raises(ConfigError, match=message) as raised:
        parse(f"a: {value}\n", "x")
    assert len(str(raised.value)) < 300
    assert parse(f"a: {2**63 - 1}\n", "x").content == {"a": 2**63 - 1}


def test_a_file_without_an_end_and_a_path_without_one_are_refused():
    with pytest.raises(ConfigError, match=r"/dev/zero: more than 10,000,000 characters, which is not a config"):
        load(Path("/dev/zero"))
    document = parse("a: [1]\n", "x")
    for key in ("a" + ".0" * 3_000, "a." + "1" * 5_000):
        with pytest.raises(ConfigError, match=r"nested too deeply|is not an index"):
            document.set(f"{key}=1")


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="it takes libyaml")
def test_a_long_file_is_read_as_a_short_one_but_by_libyaml():
    from yaml.cyaml import CParser

    rows = "".join(
        f"key {number}: &a{number} [{number}, '\u00e9', 1.5, ~, {{x: *a{number - 1}}}]\n" for number in range(1, 4)
    )
    text = f"\ufeff# config\n---\nbase: &a0 {{x: 1}}\n{rows}last:\n  <<: *a0\n  y: >\n    folded\n    text\n"
    long = parse(text + "#" * LONG, "a.yaml")
    short = parse(text, "a.yaml")
    assert (long.content, long.lines) == (short.content, short.lines)
    by_libyaml = [isinstance(yaml_document._loader("#" * length), CParser) for length in (LONG, LONG + 1)]
    assert by_libyaml == [False, True]


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="the messages of libyaml")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "a.yaml: not valid YAML (line 3: did not find expected ',' or ']', while parsing"),
        ("a: 1\nb: 2\na: 3", "a.yaml:3: the key 'a' is here twice"),
        ("- " * 9_000, "nested too deeply"),
        ("[" * LONG, "a.yaml: not valid YAML (line 1: exceeded maximum nesting depth"),
        ("a: \ud800", "a.yaml: not valid YAML (half a character at position 3"),
    ],
)
def test_mistakes_in_a_long_file_are_told(text, message):
    assert message in refused(f"{text}\n#{'x' * LONG}")


def test_the_keys_of_a_file_are_read_for_plugins(tmp_path):
    file = tmp_path / "a.yaml"
    for text, keys in [("", {}), ("# nothing\n", {}), ("a: 1\nb: [x]\n", {"a": 1, "b": ["x"]})]:
        file.write_text(text)
        assert read_yaml(file) == keys
    for text, message in [("- a", "a.yaml: expected a mapping"), ("a: 1\na: 2", "a.yaml:2: the key 'a' is here twice")]:
        file.write_text(text)
        with pytest.raises(ConfigError, match=message):
            read_yaml(file)
    with pytest.raises(ConfigError, match=r"b\.yaml: no such file"):
        read_yaml(tmp_path / "b.yaml")
