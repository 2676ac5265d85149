"""The report as a file, what of it is comparable, and its result table."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from hybridrec.evaluation.report import Environment, FitReport, Guardrail, Report, SecondsReport
from hybridrec.evaluation.summary import result_table, summarise


def test_what_is_comparable_leaves_out_times_and_places_and_nothing_else(report):
    def fit(key, **how):
        names = {"label": "als", "component": "als", "version": "1", "fold": "f", "level": "full"}
        return FitReport(key=key, **names, **how)

    def guardrail(metric, loss):
        bounds = (loss - 0.1, loss + 0.1)
        return Guardrail(control="c", variant="v", metric=metric, margin=0.2, loss=loss, bounds=bounds, verdict="held")

    rails = [guardrail("ndcg@10", 0.01), guardrail("latency", 0.01)]
    report = report.model_copy(update={"fits": [fit("a" * 32, seconds=1.0, cached=False)], "guardrails": rails})
    elsewhere = {
        "seconds": SecondsReport(total=9.0),
        "environment": Environment.current([]),
        "config_hash": "another number of workers",
        "fits": [fit("a" * 32, seconds=0.0, cached=True)],
        "guardrails": [rails[0], guardrail("latency", 0.05)],
    }
    assert report.model_copy(update=elsewhere).comparable() == report.comparable()
    others = {
        "name": "x",
        "notes": [],
        "pipelines": {},
        "comparison": report.comparison[:1],
        "fits": [fit("b" * 32, seconds=1.0, cached=False)],
        "guardrails": [guardrail("ndcg@10", 0.02), rails[1]],
    }
    for key, value in others.items():
        assert report.model_copy(update={key: value}).comparable() != report.comparable(), key


def test_the_file_reads_back(report):
    assert Report.model_validate_json(report.model_dump_json()) == report
    with pytest.raises(ValidationError, match="extra"):
        Report.model_validate(report.model_dump() | {"more": 1})


def test_result_table(report):
    headers, rows = result_table(report)
    assert headers == ["pipeline", "ndcg@10", "tags/map@5", "coverage@10"]
    assert [row[0] for row in rows] == ["control", "hybrid"]
    number = report.pipelines["hybrid"].metrics["ndcg@10"]
    half = (number.ci95[1] - number.ci95[0]) / 2
    assert rows[1][1:] == [f"{number.mean:.4f} ± {half:.4f}", "", "0.2500"]
    headers, rows = result_table(report, "tags", ["ndcg@10"])
    assert headers == ["pipeline", "ndcg@10"]
    assert len(rows) == 2


def test_nothing_to_summarise(rng):
    assert summarise([], rng) == {}
