"""Models of an experiment file: sizes, gates, chains and spaces, and the values that they refuse."""

import re

import pytest
from pydantic import TypeAdapter, ValidationError

from hybridrec.config.models import Gate, GeneratorUse, PipelineUse, Range, Size, Tune, Use, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4GB", 4_000_000_000), ("1.5 mb", 1_500_000), ("12", 12), (".5kb", 500),
        ("7b", None), ("2K", None), ("1.2.3GB", None), ("GB", None), ("-1GB", None), ("4 GiB", None),
    ],
)  # fmt: skip
def test_sizes_are_whole_bytes_of_decimal_units(text, size):
    if size is None:
        with pytest.raises(ValueError, match=f"'{text}' is not a size; write for example 500MB or 4GB"):
            parse_size(text)
    else:
        assert parse_size(text) == size
        assert parse_size(size) == size


@pytest.mark.parametrize("size", [0, -5, "0GB"])
def test_a_budget_of_nothing_is_refused(size):
    with pytest.raises(ValidationError, match="greater than 0"):
        TypeAdapter(Size).validate_python(size)


@pytest.mark.parametrize("gate", ["has-user", "cold", "items<5", "items>=12"])
def test_a_single_gate_is_a_list_of_one(gate):
    assert GeneratorUse.model_validate({"from": "als", "when": gate}).when == [gate]


@pytest.mark.parametrize("gate", ["hot", "items<0", "items=5", "items<5 ", "tags<5", "items>5"])
def test_what_is_not_a_gate_is_refused_by_validator_and_schema_alike(gate):
    adapter = TypeAdapter(Gate)
    with pytest.raises(ValidationError, match="is not a gate"):
        adapter.validate_python(gate)
    enumerated, counted = adapter.json_schema()["anyOf"]
    assert gate not in enumerated["enum"]
    assert not TypeAdapter(GeneratorUse).validator.isinstance_python({"from": "als", "when": gate})
    assert counted["pattern"] == "^(items(<|>=)[1-9][0-9]{0,8}|has-[a-z][a-z0-9_-]*)$"
    assert not re.match(counted["pattern"], gate)


def test_the_keys_beside_the_name_of_a_plugin_are_its_options():
    use = Use.model_validate({"use": "als", "factors": 8, "fields": ["items"]})
    assert use.options == {"factors": 8, "fields": ["items"]}
    use.options["factors"] = 9
    assert use.options["factors"] == 8


def test_re_rankers_are_one_chain_or_one_for_each_target():
    generators = [{"from": "als"}]
    single = PipelineUse.model_validate({"generators": generators, "rerank": [{"use": "rrf"}]})
    by_target = PipelineUse.model_validate({"generators": generators, "rerank": {"tags": [{"use": "rrf"}]}})
    assert [use.use for use in single.rerank] == [use.use for use in by_target.rerank["tags"]] == ["rrf"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"low": 2, "high": 2}, "low, 2, must be less than high, 2"),
        ({"low": 0, "high": 2, "log": True}, "low must be more than 0"),
        ({"low": 1, "high": 8, "log": True, "step": 2}, "there is no `step`"),
        ({"low": 1, "high": 8, "step": 0}, "greater than 0"),
    ],
)
def test_an_impossible_range_is_refused(given, message):
    with pytest.raises(ValidationError, match=message):
        Range.model_validate(given)


def test_a_dimension_is_a_range_or_at_least_two_choices():
    space = Tune.model_validate({"space": {"a": {"low": 1, "high": 2}, "b": [1, "x"]}}).space
    assert space == {"a": Range(low=1, high=2), "b": [1, "x"]}
    with pytest.raises(ValidationError, match="at least 2 items"):
        Tune.model_validate({"space": {"b": [1]}})
