"""Rows of comparisons hold what readers of the file expect, and verdicts are the known ones."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from pydantic import ValidationError

from hybridrec.evaluation.report import LATENCY, Comparison, Guardrail

STAGES = ("start", "read", "split", "fit", "generate", "score", "rerank", "evaluate", "refit", "write", "other")


def test_rows_hold_what_readers_expect(report):
    content = report.model_dump()
    wanted = {"control", "variant", "metric", "segment", "delta", "relative", "ci95", "p_value", "p_adjusted"}
    wanted |= {"wins", "ties", "losses", "verdict"}
    for row in content["comparison"]:
        assert wanted <= set(row)
    assert set(content["seconds"]) == {*STAGES, "total"}
    assert content["environment"]["packages"] == {"numpy": np.__version__}


def test_a_row_comes_back_from_its_json(report):
    for row in report.comparison:
        assert Comparison.model_validate_json(row.model_dump_json()) == row


@pytest.mark.parametrize(
    ("change", "key"),
    [({"verdict": "good"}, "verdict"), ({"correction": "bonferroni"}, "correction"), ({"units": 1.5}, "units")],
)
def test_a_row_takes_the_known_verdicts_and_corrections_alone(report, change, key):
    with pytest.raises(ValidationError, match=f"^1 validation error for Comparison\n{key}\n"):
        Comparison.model_validate(report.comparison[0].model_dump() | change)


def test_a_row_that_was_not_tested_has_nulls_for_what_does_not_exist(report):
    (row,) = [row for row in report.comparison if row.metric == "coverage@10"]
    content = json.loads(row.model_dump_json())
    assert content["verdict"] == "not tested"
    missing = {"ci95", "p_value", "p_adjusted", "wins", "ties", "losses", "t", "detectable", "units_to_decide"}
    assert {key for key in missing if content[key] is not None} == set()


def test_a_guardrail_is_held_broken_or_undecided():
    rail = {"control": "c", "variant": "v", "metric": LATENCY, "margin": 0.1, "loss": math.nan, "bounds": (0, math.inf)}
    assert Guardrail(**rail, verdict="undecided").model_dump()["bounds"] is None
    with pytest.raises(ValidationError, match="verdict"):
        Guardrail(**rail, verdict="better")
