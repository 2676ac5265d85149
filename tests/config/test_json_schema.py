"""The JSON Schema of experiments accepts what the checks accept."""

import json
import re
from pathlib import Path

import jsonschema
import yaml

from hybridrec.config.json_schema import experiment_schema
from hybridrec.registry.discovery import Registry


def test_the_json_schema_accepts_what_the_checker_accepts(experiment):
    experiment()
    schema = experiment_schema(Registry())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    good = yaml.safe_load(experiment().read_text())
    configs = sorted((Path(__file__).parents[2] / "configs").rglob("*.yaml"))
    threads = [
        {**good, "executor": given}
        for given in ("threads", "processes", "toy-threads", {"use": "toy-threads", "threads": 3})
    ]
    for content in [good, *threads, *(yaml.safe_load(path.read_text()) for path in configs)]:
        assert [error.message for error in validator.iter_errors(content)] == []
    for broken in (
        {**good, "sede": 1},
        {**good, "data": {"reader": "toy", "usres": 3}},
        {**good, "executor": "toy-thread"},
        {**good, "executor": {"use": "toy-threads", "thread": 3}},
        {**good, "components": {"noise": {"use": "echo", "lvl": 3}}},
        {**good, "pipelines": {"a": {"generators": [{"from": "noise"}], "rerank": [{"use": "als"}]}}},
    ):
        assert not validator.is_valid(broken), json.dumps(broken)


def test_every_reference_in_the_schema_is_defined(toyland):
    schema = experiment_schema(Registry())
    references = set(re.findall(r'"#/\$defs/([^"]+)"', json.dumps(schema)))
    assert references <= schema["$defs"].keys()
