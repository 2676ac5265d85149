"""The command `schema`: JSON, of experiments or of reports."""

import json

import jsonschema

import hybridrec


def test_schema_is_json(call, toyland):
    status, out, _ = call("schema")
    assert status == 0
    assert "toy" in json.dumps(json.loads(out)["$defs"]["DataUse"])


def test_the_schema_of_reports_is_that_of_report_json(call, experiment):
    schema = json.loads(call("schema", "--of", "report")[1])
    report = hybridrec.run(experiment()).folder / "report.json"
    jsonschema.validate(json.loads(report.read_text()), schema)
    assert not jsonschema.Draft202012Validator(schema).is_valid({"name": "toy"})
