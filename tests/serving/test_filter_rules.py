"""Filter rules: each type of attribute, unknown values, what cannot be asked, and what is no rule."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec import AttributeIndex, FeatureColumn, Features, FilterError
from hybridrec.serving.filter_rules import read_rules, valid_rules

IDS = ["a", "b", "c", "d"]
NAN = np.nan


@pytest.fixture
def index():
    genres = csr_matrix(np.array([[1, 0], [0, 1], [1, 1], [0, 0]], np.float32))
    labels = csr_matrix(np.array([[1, 0], [0, 1], [0, 0], [1, 0]], np.float32))
    features = Features(
        {
            "price": FeatureColumn("number", np.array([1, 2.5, NAN, 4], np.float32)),
            "weight": FeatureColumn("number", np.array([0.1, 0.7, NAN, 0.1], np.float32)),
            "never": FeatureColumn("number", np.full(4, NAN, np.float32)),
            "live": FeatureColumn("flag", np.array([1, 0, NAN, 1], np.float32)),
            "released": FeatureColumn("time", np.array([10.0, 20.0, 30.0, NAN])),
            "genre": FeatureColumn("category", genres, ("jazz", "rock")),
            "": FeatureColumn("category", labels, ("mood:calm", "mood:wild")),
        }
    )
    return AttributeIndex(features, "items")


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [
        ({"column": "price", "is": 2.5}, "b"),
        ({"column": "price", "in": [1, 4]}, "ad"),
        ({"column": "price", "from": 2.5}, "bd"),
        ({"column": "price", "to": 2.5}, "ab"),
        ({"column": "price", "from": 1.5, "to": 3.0}, "b"),
        ({"column": "price", "from": 2.5, "not": True}, "ac"),
        ({"column": "live", "is": True}, "ad"),
        ({"column": "live", "is": False}, "b"),
        ({"column": "live", "is": True, "not": True}, "bc"),
        ({"column": "released", "to": 20}, "ab"),
        ({"column": "genre", "is": "jazz"}, "ac"),
        ({"column": "genre", "in": ["jazz", "rock"]}, "abc"),
        ({"column": "genre", "is": "polka"}, ""),
        ({"column": "genre", "is": "jazz", "not": True}, "bd"),
        ({"column": "mood", "is": "calm"}, "ad"),
        ({"column": "mood", "in": ["calm", "wild", "calm"]}, "abd"),
        ({"column": "price", "is": 0.1}, ""),
        ({"column": "weight", "is": 0.1}, "ad"),
        ({"column": "weight", "from": 0.1, "to": 0.1}, "ad"),
        ({"column": "weight", "to": 1e300}, "abd"),
        ({"column": "weight", "from": 1e300}, ""),
        ({"column": "weight", "in": [1e300, 0.7]}, "b"),
        ({"column": "never", "from": 0.0}, ""),
        ({"column": "never", "is": 1, "not": True}, "abcd"),
    ],
)
def test_what_meets_a_rule(index, rule, allowed):
    (checked,) = valid_rules([rule])
    assert left(index, checked) == allowed


def test_all_rules_have_to_be_met(index):
    jazz, cheap = {"column": "genre", "is": "jazz"}, {"column": "price", "to": 3.0}
    assert left(index, jazz, cheap) == left(index, cheap, jazz) == "a"
    assert left(index, jazz, {"column": "price", "to": 1.0, "not": True}) == "c"


@pytest.mark.parametrize(
    ("rule", "path", "told"),
    [
        ({"column": "prize", "is": 1}, "filters[0].column", "price"),
        ({"column": "price", "is": "cheap"}, "filters[0].is", "a number"),
        ({"column": "price", "is": True}, "filters[0].is", "a number"),
        ({"column": "price", "in": ["cheap"]}, "filters[0].in", "a number"),
        ({"column": "live", "is": 1}, "filters[0].is", "true or false"),
        ({"column": "live", "from": 0.0}, "filters[0].from", "flag"),
        ({"column": "genre", "is": 3}, "filters[0].is", "texts"),
        ({"column": "genre", "from": 0.0}, "filters[0].from", "categories"),
    ],
)
def test_what_cannot_be_asked_is_told_with_its_place(index, rule, path, told):
    with pytest.raises(FilterError, match=told) as error:
        index.excluded([rule])
    assert error.value.path == path


def left(index, *rules):
    """The ids that meet all rules."""
    excluded = index.excluded(rules)
    return "".join(name for name, out in zip(IDS, excluded, strict=True) if not out)


def test_a_target_without_attributes_says_so():
    with pytest.raises(FilterError, match="users have no attributes"):
        AttributeIndex(None, "users").excluded([{"column": "age", "is": 3}])


def test_rules_are_read_with_what_they_state():
    text = '[{"column": "price", "from": 1, "to": null}, {"column": "live", "is": false, "not": true}]'
    assert read_rules(text) == [{"column": "price", "from": 1}, {"column": "live", "is": False, "not": True}]
    assert read_rules("[]") == []


@pytest.mark.parametrize(
    ("text", "path", "told"),
    [
        ("[{", "filters", "is not JSON"),
        ('[{"column": "price", "to": 3, "to": 9}]', "filters", "the key 'to' is there twice"),
        ("[" * 100_000, "filters", "is not JSON"),
        ('{"column": "price", "is": 1}', "filters", "valid list"),
        ("[3]", "filters[0]", "valid dictionary"),
        ('[{"is": 1}]', "filters[0]", "`column` is missing"),
        ('[{"column": "price"}]', "filters[0]", "exactly one of `is`, `in`, and a range"),
        ('[{"column": "price", "is": 1, "to": 2}]', "filters[0]", "exactly one of `is`, `in`, and a range"),
        ('[{"column": "a", "is": 1}, {"column": "a", "from": 3, "to": 2}]', "filters[1]", "`from` is 3, above `to`"),
        ('[{"column": "a", "form": 3}]', "filters[0].form", "unknown key: did you mean 'from'"),
        ('[{"column": "a", "in": []}]', "filters[0].in", "at least 1 item"),
        ('[{"column": "a", "in": [1, [2]]}]', "filters[0].in[1]", "boolean; or: .* number; or: .* string"),
        ('[{"column": "a", "from": "1977"}]', "filters[0].from", "valid number"),
        ('[{"column": "a", "to": NaN}]', "filters[0].to", "finite number"),
        ('[{"column": "a", "is": 1, "not": null}]', "filters[0].not", "valid boolean"),
    ],
)
def test_what_is_no_rule_is_told_with_its_place(text, path, told):
    with pytest.raises(FilterError, match=told) as error:
        read_rules(text)
    assert error.value.path == path
