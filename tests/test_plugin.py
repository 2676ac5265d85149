"""The base of plugin classes: options that are checked and described, and paths beside the config."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from hybridrec import InputPath, Options, Plugin, Starter
from hybridrec.plugin import field_docstrings


class Above(Options):
    size: int = 3
    """Number of
    neighbours."""
    file: InputPath | None = None


class Below(Above):
    size: int = 4
    """Another number."""
    rate: float = 0.5
    other: str = ""


class Tool(Plugin):
    """A tool."""

    name = "tool"
    Config = Above


def test_options_refuse_unknown_keys_infinite_numbers_and_later_changes():
    for given, message in (
        ({"rat": 1}, "Extra inputs"),
        ({"rate": "nan"}, "finite number"),
        ({"rate": "inf"}, "finite"),
    ):
        with pytest.raises(ValidationError, match=message):
            Below.model_validate(given)
    options = Below()
    with pytest.raises(ValidationError, match="frozen"):
        options.rate = 1.0


def test_the_texts_under_fields_are_their_descriptions_in_the_schema_too():
    assert field_docstrings(Above) == {"size": "Number of\nneighbours."}
    assert field_docstrings(Below) == {"size": "Another number."}
    properties = Below.model_json_schema()["properties"]
    assert properties["size"]["description"] == "Another number."
    assert "description" not in properties["rate"]


def test_options_made_without_a_source_have_no_descriptions():
    made = type("Made", (Options,), {"__annotations__": {"size": int}, "size": 1, "__module__": "__main__"})
    assert field_docstrings(made) == {}


def test_a_relative_path_starts_at_the_folder_of_the_config(tmp_path):
    inside = Above.model_validate({"file": "a/../b.csv"}, context={"folder": tmp_path})
    assert inside.file == (tmp_path / "b.csv").resolve()
    assert Above.model_validate({"file": "/x.csv"}, context={"folder": tmp_path}).file == Path("/x.csv")
    assert Above.model_validate({"file": "b.csv"}).file == Path("b.csv")


def test_a_path_in_the_home_folder_is_found_there(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Above.model_validate({"file": "~/b.csv"}, context={"folder": "/else"}).file == (tmp_path / "b.csv").resolve()


def test_a_plugin_takes_its_own_options_alone():
    assert Tool().config == Above()
    assert Tool(Below(size=7)).config.size == 7
    with pytest.raises(TypeError, match="Tool takes Above, not Options"):
        Tool(Options())


def test_a_proposal_is_labelled_by_its_component_unless_it_says_otherwise():
    assert Starter("als", frozenset({"generator"})).label == "als"
    assert Starter("als", frozenset({"generator"}), label="factors").label == "factors"
