"""Properties of all sections: no unknown keys, and null for what JSON cannot represent."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pydantic import ValidationError

from hybridrec.evaluation.report import Interval, MetricReport, Number, Report, Section


def test_what_does_not_exist_is_null(report):
    content = json.loads(report.model_dump_json())
    metrics = content["pipelines"]["hybrid"]["metrics"]
    assert metrics["tags/map@5"] == {"mean": None, "ci95": None}
    assert metrics["coverage@10"] == {"mean": 0.25, "ci95": None}
    assert "coverage@10" not in content["pipelines"]["hybrid"]["segments"]["tags"]["metrics"]
    assert MetricReport(mean=np.inf, ci95=(np.nan, 1.0)) == MetricReport(mean=None, ci95=None)
    json.dumps(report.model_dump(), allow_nan=False)


def test_the_schema_is_documented():
    schema = Report.model_json_schema(mode="serialization")
    assert set(schema["$defs"]) >= {"PipelineReport", "Comparison", "FitReport"}
    for section in Section.__subclasses__():
        assert section.__doc__
    described = schema["$defs"]["Comparison"]["properties"]
    assert "bootstrap" in described["ci95"]["description"]


class Measured(Section):
    """One number and its interval."""

    value: Number = None
    ci95: Interval = None


@pytest.mark.parametrize(
    ("given", "kept"),
    [(np.float32(0.5), 0.5), (np.nan, None), (np.inf, None), (-np.inf, None), (None, None), (3, 3.0)],
)
def test_a_number_is_finite_or_null(given, kept):
    value = Measured(value=given).value
    assert value == kept
    assert value is None or type(value) is float


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ((0, 1), (0.0, 1.0)),
        ([np.float64(0.1), 0.2], (0.1, 0.2)),
        ((0.1, np.nan), None),
        ((-np.inf, 1), None),
        (None, None),
    ],
)
def test_an_interval_has_both_bounds_or_is_null(given, kept):
    assert Measured(ci95=given).ci95 == kept


def test_an_unknown_key_is_refused_by_its_name():
    with pytest.raises(ValidationError, match=r"valeu\n +Extra inputs are not permitted"):
        Measured(valeu=1)


def test_the_docstring_of_a_field_is_its_description():
    assert MetricReport.model_json_schema()["properties"]["mean"]["description"].startswith("Weighted mean over")
