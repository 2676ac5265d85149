"""The summary of arms, the file's schema, and the result table."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from hybridrec.evaluation.compare import compare
from hybridrec.evaluation.report import (
    DataReport,
    Environment,
    FitReport,
    Guardrail,
    MetricReport,
    Report,
    SecondsReport,
    Section,
    StatisticsReport,
)
from hybridrec.evaluation.samples import EvaluatedArm, Sample
from hybridrec.evaluation.summary import result_table, summarise

UNITS = 50
SAMPLE = Sample(
    units=np.repeat(np.arange(UNITS, dtype=np.int32), 2),
    weights=np.tile([0.8, 0.2], UNITS),
    segments=np.tile(["items", "tags"], UNITS),
)


def arm(name, seed):
    values = np.random.default_rng(seed).random(2 * UNITS)
    never = np.full(2 * UNITS, np.nan)
    served_by = np.where(np.arange(2 * UNITS) < 10, "popularity", "main")
    return EvaluatedArm(name, SAMPLE, {"ndcg@10": values, "tags/map@5": never}, {"coverage@10": 0.25}, served_by)


@pytest.fixture
def arms():
    return {"control": arm("control", 1), "hybrid": arm("hybrid", 2)}


@pytest.fixture
def report(arms, rng):
    return Report(
        name="test",
        config_hash="abc",
        data=DataReport(fingerprint="f" * 32, users=1, items=2, tags=3, interactions=4),
        pipelines=summarise(list(arms.values()), rng, resamples=500),
        comparison=compare(arms, [("control", "hybrid")], ["ndcg@10", "coverage@10"], rng, resamples=500),
        statistics=StatisticsReport(resamples=500, correction="Holm"),
        seconds=SecondsReport(fit=1.5, total=2.0),
        environment=Environment.current(["numpy", "no-such-package"]),
        notes=["one"],
    )


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


def test_means_by_segment_and_by_what_served_the_query(arms, report):
    values = arms["hybrid"].values["ndcg@10"]
    found = report.pipelines["hybrid"]
    assert (found.queries, found.units) == (2 * UNITS, UNITS)
    assert found.metrics["ndcg@10"].mean == pytest.approx(np.average(values, weights=SAMPLE.weights))
    assert found.segments["all"].metrics == found.metrics
    assert found.segments["tags"].metrics["ndcg@10"].mean == pytest.approx(values[1::2].mean())
    assert found.segments["tags"].queries == UNITS
    low, high = found.metrics["ndcg@10"].ci95
    assert low < found.metrics["ndcg@10"].mean < high
    served_by = found.served_by["popularity"]
    assert (served_by.queries, served_by.share) == (10, pytest.approx(0.1))
    assert served_by.metrics["ndcg@10"].mean == pytest.approx(np.average(values[:10], weights=SAMPLE.weights[:10]))


def test_means_of_a_server_of_one_whole_segment_are_those_of_the_segment(arms, rng):
    served = [replace(arm, served_by=np.tile(["main", "popularity"], UNITS)) for arm in arms.values()]
    for name, found in summarise(served, rng, resamples=500).items():
        for segment, served_by in (("items", "main"), ("tags", "popularity")):
            assert found.segments[segment].metrics["ndcg@10"] == found.served_by[served_by].metrics["ndcg@10"]
        mean = arms[name].values["ndcg@10"][1::2].mean()
        assert found.served_by["popularity"].metrics["ndcg@10"].mean == pytest.approx(mean)


def test_what_does_not_exist_is_null(report):
    content = json.loads(report.model_dump_json())
    metrics = content["pipelines"]["hybrid"]["metrics"]
    assert metrics["tags/map@5"] == {"mean": None, "ci95": None}
    assert metrics["coverage@10"] == {"mean": 0.25, "ci95": None}
    assert "coverage@10" not in content["pipelines"]["hybrid"]["segments"]["tags"]["metrics"]
    assert MetricReport(mean=np.inf, ci95=(np.nan, 1.0)) == MetricReport(mean=None, ci95=None)
    json.dumps(report.model_dump(), allow_nan=False)


def test_the_file_reads_back(report):
    assert Report.model_validate_json(report.model_dump_json()) == report
    with pytest.raises(ValidationError, match="extra"):
        Report.model_validate(report.model_dump() | {"more": 1})


def test_rows_hold_what_readers_expect(report):
    content = report.model_dump()
    wanted = {"control", "variant", "metric", "segment", "delta", "relative", "ci95", "p_value", "p_adjusted"}
    wanted |= {"wins", "ties", "losses", "verdict"}
    for row in content["comparison"]:
        assert wanted <= set(row)
    assert set(content["seconds"]) == {"read", "fit", "generate", "score", "rerank", "evaluate", "total"}
    assert content["environment"]["packages"] == {"numpy": np.__version__}


def test_the_schema_is_documented():
    schema = Report.model_json_schema(mode="serialization")
    assert set(schema["$defs"]) >= {"PipelineReport", "Comparison", "FitReport"}
    for section in Section.__subclasses__():
        assert section.__doc__
    described = schema["$defs"]["Comparison"]["properties"]
    assert "bootstrap" in described["ci95"]["description"]


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
