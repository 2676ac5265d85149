"""`compare.segments`: names, options and labels are checked, and written down for the run."""

import jsonschema
import pytest
import yaml

from hybridrec.config.json_schema import experiment_schema
from hybridrec.config.load import load_experiment
from hybridrec.config.models import Compare
from hybridrec.config.resolve import Checker
from hybridrec.config.segments import segmenters
from hybridrec.config.yaml_document import load
from hybridrec.errors import ConfigError
from hybridrec.registry.describe import describe
from hybridrec.registry.discovery import Registry
from hybridrec.registry.kinds import KINDS

CONTROL = "  control: control\n"
SEGMENTS = "[known-fields, {use: activity, bounds: [3]}, {use: activity, as: much}, {use: time, by: hour}]"


@pytest.fixture
def loaded(experiment):
    """The checked experiment with these segments."""

    def made(segments):
        return load_experiment(experiment((CONTROL, f"{CONTROL}  segments: {segments}\n")), Registry())

    return made


def test_segmenters_have_labels_in_the_order_of_the_config(loaded):
    segmenters = loaded(SEGMENTS).segmenters
    assert list(segmenters) == ["known-fields", "activity", "much", "time"]
    assert [segmenter.name for segmenter in segmenters.values()] == ["known-fields", "activity", "activity", "time"]
    assert (segmenters["activity"].config.bounds, segmenters["much"].config.bounds) == ([3], [5, 20])


def test_the_section_is_checked_alone(experiment):
    path = experiment()
    checker = Checker(load(path), Registry(), path.parent)
    assert list(segmenters(checker, Compare())) == ["known-fields"]
    assert list(segmenters(checker, Compare(segments=["time", "activity"]))) == ["time", "activity"]


def test_a_config_without_segments_is_the_experiment_that_it_was(experiment):
    plain = load_experiment(experiment(), Registry())
    assert list(plain.segmenters) == ["known-fields"]
    assert "segments" not in plain.resolved["compare"]


def test_the_resolved_config_has_every_option_and_is_the_same_experiment(loaded, tmp_path):
    first = loaded(SEGMENTS)
    assert first.resolved["compare"]["segments"][2] == {"use": "activity", "as": "much", "bounds": [5, 20]}
    again = tmp_path / "config.yaml"
    again.write_text(yaml.safe_dump(first.resolved, sort_keys=False), encoding="utf-8")
    assert load_experiment(again, Registry()).resolved == first.resolved


REFUSED = {
    "unknown": ("[activty]", "[0]: unknown segmenter 'activty': did you mean 'activity'"),
    "unknown in a mapping": ("[{use: activty}]", "[0].use: unknown segmenter 'activty'"),
    "unknown option": ("[{use: activity, bound: [3]}]", "[0].bound: unknown key: did you mean 'bounds'?"),
    "wrong option": ("[{use: activity, bounds: [3, 2]}]", "[0].bounds: '3, 2' do not ascend"),
    "twice": ("[activity, {use: activity, bounds: [3]}]", "[1]: two segmenters are called 'activity'; name one of"),
    "none": ("[]", ": List should have at least 1 item"),
    "no list": ("activity", ": Input should be a valid list"),
    "label": ("[{use: activity, as: 'a: b'}]", "[0].as: String should match pattern"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_mistake_is_told_with_its_place(loaded, case):
    segments, wanted = REFUSED[case]
    with pytest.raises(ConfigError) as info:
        loaded(segments)
    assert f"19: compare.segments{wanted}" in str(info.value)


def test_the_json_schema_accepts_what_the_checker_accepts(experiment):
    content = yaml.safe_load(experiment((CONTROL, f"{CONTROL}  segments: {SEGMENTS}\n")).read_text())
    schema = experiment_schema(Registry())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert [error.message for error in validator.iter_errors(content)] == []
    for broken in ({"use": "activty"}, {"use": "activity", "bound": [3]}, {"use": "time", "by": "minute"}, {"as": "a"}):
        content["compare"]["segments"] = [broken]
        assert not validator.is_valid(content), broken


def test_every_segmenter_has_a_page_whose_example_is_checked(loaded):
    assert "hybridrec_segmenters" in [kind.hook for kind in KINDS]
    for name in ("known-fields", "activity", "attribute", "time"):
        (page,) = [page for page in describe(name, Registry()) if page.kind == "segmenter"]
        assert yaml.safe_load(page.example) == {"compare": {"segments": [{"use": name}]}}
