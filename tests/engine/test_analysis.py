"""Guardrails, repeats and observers of a whole run."""

from __future__ import annotations

import json
import sys

import numpy as np
import polars as pl
import pytest

import hybridrec
from hybridrec import ConfigError
from hybridrec.api import plan
from hybridrec.engine.analysis import duplicates
from hybridrec.evaluation.summary import deciding, opening, verdict_table
from hybridrec.reporting.page import render

METRICS = "  metrics: [ndcg@5, tags/ndcg@5]\n"


def events(kind):
    return [fields for name, fields in sys.modules["toyland"].events if name == kind]


def test_guardrails_are_measured_told_and_kept(experiment):
    rails = METRICS + "  guardrails: {coverage@5: 0.05, diversity@5: 0.9, latency: 0.99}\n"
    run = hybridrec.run(experiment((METRICS, rails)))
    by_metric = {guardrail.metric: guardrail for guardrail in run.report.guardrails}
    assert list(by_metric) == ["coverage@5", "diversity@5", "latency"]
    assert {(guardrail.control, guardrail.variant) for guardrail in run.report.guardrails} == {("control", "hybrid")}
    arms = run.report.pipelines
    for metric in ("coverage@5", "diversity@5"):
        base, other = (arms[name].metrics[metric].mean for name in ("control", "hybrid"))
        assert by_metric[metric].loss == pytest.approx(1 - other / base)
    assert by_metric["diversity@5"].verdict == "held"
    assert by_metric["latency"].bounds is not None
    headers, (cells, *_) = verdict_table(run.report)
    eval_batch = cells[headers.index("guardrails")]
    assert all(f"{rail.verdict}: " in eval_batch and rail.metric in eval_batch for rail in run.report.guardrails)
    assert hybridrec.Run.open(run.folder).report == run.report


def test_a_pipeline_that_shows_everybody_the_same_breaks_its_guardrail(experiment):
    turned = ("control: control", "control: hybrid"), (METRICS, METRICS + "  guardrails: {coverage@5: 0.05}\n")
    report = hybridrec.run(experiment(*turned, ("reader: toy", "reader: toy, users: 200"))).report
    (guardrail,) = report.guardrails
    assert (guardrail.variant, guardrail.verdict) == ("control", "broken")
    assert opening(report).endswith("; it breaks the guardrail coverage@5.")


@pytest.mark.parametrize(
    ("rails", "message"),
    [
        ("{coverge@5: 0.1}", r"guardrails.coverge@5: .* did you mean 'coverage'"),
        ("{coverage@50: 0.1}", "'coverage@50' looks further than the slate"),
        ("{coverage@05: 0.1}", "guardrails.coverage@05: write 'coverage@5', as in reports"),
        ("{coverage@5: 0}", "guardrails.coverage@5: Input should be greater than 0"),
    ],
)
def test_impossible_guardrails_are_refused(experiment, rails, message):
    with pytest.raises(ConfigError, match=message):
        hybridrec.run(experiment((METRICS, f"{METRICS}  guardrails: {rails}\n")))


def test_guardrails_need_a_control(experiment):
    changes = ("  control: control\n", ""), (METRICS, METRICS + "  guardrails: {latency: 0.1}\n")
    with pytest.raises(ConfigError, match=r"compare.guardrails: .* name it: `control: NAME`"):
        hybridrec.run(experiment(*changes))


def test_repeats_retrain_what_draws_and_average_what_is_measured(experiment):
    once = hybridrec.run(experiment())
    assert once.report.repeats is None
    run = hybridrec.run(experiment(), ["repeats=3"])
    repeats = run.report.repeats
    assert repeats.repeats == 3
    assert repeats.retrained == ["noise"]
    noise = [fit for fit in run.report.fits if fit.label == "noise"]
    assert [fit.repeat for fit in noise] == [1, 2, 3]
    assert len({fit.key for fit in noise}) == 3
    assert len({fit.key for fit in run.report.fits if fit.label == "ease"}) == 1
    assert noise[0].key == next(fit.key for fit in once.report.fits if fit.label == "noise")
    spread = repeats.arms["hybrid"]["ndcg@5"]
    assert spread.values[0] == pytest.approx(once.report.pipelines["hybrid"].metrics["ndcg@5"].mean)
    assert spread.deviation > 0
    assert repeats.arms["control"]["ndcg@5"].deviation == 0
    assert run.report.pipelines["hybrid"].metrics["ndcg@5"].mean == pytest.approx(np.mean(spread.values))
    row = deciding(run.report)[0]
    headers, (cells, *_) = verdict_table(run.report)
    (split,) = (comparison for comparison in repeats.comparison if comparison.metric == "ndcg@5")
    assert split.delta == pytest.approx(row.delta)
    low, high = split.ci95
    assert cells[headers.index("new users and seeds")].startswith(f"{low:+.4f} ... {high:+.4f}, ")
    frame = run.per_query().filter(pl.col("pipeline") == "hybrid")
    assert frame["ndcg@5"].mean() == pytest.approx(row.delta + run.report.pipelines["control"].metrics["ndcg@5"].mean)


def test_the_plan_knows_what_need_not_be_trained_again(experiment):
    config = experiment()
    before = {job.label: job.fits for job in plan(config, ["repeats=3"]).jobs}
    assert set(before.values()) == {3}
    hybridrec.run(config)
    after = {job.label: (job.fits, job.stored) for job in plan(config, ["repeats=3"]).jobs}
    assert after["noise"] == (3, 1)
    assert after["ease"] == (1, 1)


def test_twins_are_found_by_identity():
    assert duplicates({"a": (1, 2), "b": (1, 3), "c": (1, 2), "d": (1, 2)}) == {"c": "a", "d": "a"}


@pytest.mark.parametrize("kind", ["RunFinished", "StageFinished", "FitFinished"])
def test_an_observer_that_fails_is_named_and_loses_nothing(experiment, monkeypatch, kind):
    toyland = sys.modules.get("toyland") or __import__("toyland")
    calls = []

    def failing(event):
        calls.append(event)
        if event[0] == {"RunFinished": "finished", "StageFinished": "stage"}.get(kind, "fitted"):
            raise ValueError("disk full")

    class Events(list):
        append = staticmethod(failing)

    monkeypatch.setattr(toyland, "events", Events())
    run = hybridrec.run(experiment())
    (note,) = (note for note in run.report.notes if "failed at" in note)
    assert note == (
        f"the observer 'toy-events', plugin 'toyland' (toyland 1.5), failed at {kind} and was not told it again: "
        "ValueError: disk full"
    )
    assert note in json.loads((run.folder / "report.json").read_text())["notes"]
    assert {kind for kind, _ in calls} == {"fitted", "stage", "finished"}


def test_slates_without_a_fallback_go_through_metrics_report_and_page(experiment):
    """A title is nothing that `ease` knows here: whoever shows no more gets an empty slate."""
    path = experiment(
        ("test: 0.3}", "test: 0.3, scenarios: {items: 0.5, title: 0.5}}"),
        ("[{from: pop, k: 20}], fallback: [tag-fallback, popularity]", "[{from: ease, k: 3}]"),
        ("targets: {items: 10, tags: 5}", "targets: {items: 10}"),
        ("[ndcg@5, tags/ndcg@5]", "[ndcg@5, recall@5, coverage@5, diversity@5, novelty@5]"),
    )
    run = hybridrec.run(path)
    control = run.report.pipelines["control"]
    assert control.served_by.keys() == {"blend:items", "none"}
    assert control.segments["title"].metrics["ndcg@5"].mean == 0
    assert control.segments["items"].metrics["ndcg@5"].mean > 0
    shown = run.slates("control").group_by("query").len()
    assert len(shown) == control.served_by["blend:items"].queries  # no row stands for an empty slate
    assert shown["len"].max() <= 3
    assert any(note.startswith("pipelines.control has no `fallback`") for note in run.report.notes)
    assert "none" in render(run)
    assert opening(run.report)
