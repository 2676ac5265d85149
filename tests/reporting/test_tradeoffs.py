"""Trade-off curves: measured over the same pools, in no comparison, drawn on the page."""

from __future__ import annotations

import re

import pytest

import hybridrec
from hybridrec import ConfigError, Query
from hybridrec.config.load import load_experiment
from hybridrec.registry.discovery import Registry
from hybridrec.reporting.page import render

CURVE = (
    "workers: 2",
    "tradeoffs:\n  - {pipeline: hybrid, vary: rerank.1.relevance, over: [0.3, 0.7, 1.0]}\nworkers: 2",
)
MMR = ("rerank: [{use: weighted, weights: {ease: 1, pop: 0.2}}]",
       "rerank: [{use: weighted, weights: {ease: 1, pop: 0.2}}, {use: mmr, dim: 4, relevance: 1}]")  # fmt: skip
ITEMS = ("targets: {items: 10, tags: 5}", "targets: {items: 10}")
METRICS = ("[ndcg@5, tags/ndcg@5]", "[ndcg@5, diversity@5, coverage@5]")


@pytest.fixture
def run(experiment):
    return hybridrec.run(experiment(ITEMS, METRICS, MMR, CURVE))


def test_a_curve_has_every_metric_at_every_value(run):
    (curve,) = run.report.tradeoffs
    assert (curve.pipeline, curve.vary) == ("hybrid", "rerank.1.relevance")
    assert [point.value for point in curve.points] == [0.3, 0.7, 1.0]
    assert all(point.metrics.keys() == {"ndcg@5", "diversity@5", "coverage@5"} for point in curve.points)
    diversity = [point.metrics["diversity@5"].mean for point in curve.points]
    assert diversity == sorted(diversity, reverse=True)
    assert diversity[0] > diversity[-1]
    whole, pipeline = curve.points[-1].metrics, run.report.pipelines["hybrid"].metrics
    assert {name: number.mean for name, number in whole.items()} == {n: m.mean for n, m in pipeline.items()}
    assert whole["ndcg@5"].ci95 is not None


def test_points_are_no_arms(run, experiment):
    assert run.report.pipelines.keys() == {"control", "hybrid"}
    assert {row.variant for row in run.report.comparison} == {"hybrid"}
    assert {path.name for path in (run.folder / "slates").iterdir()} == {
        "control.items.parquet",
        "hybrid.items.parquet",
    }
    without = hybridrec.run(experiment(ITEMS, METRICS, MMR, name="without.yaml"))
    assert without.report.comparison == run.report.comparison
    assert without.report.pipelines == run.report.pipelines


def test_points_ask_no_generator_again(run, toyland):
    import toyland

    generated = {told["pipeline"] for name, told in toyland.events if name == "stage" and told["stage"] == "generate"}
    assert len(generated) >= 2
    toyland.events.clear()
    again = hybridrec.run(run.folder / "config.yaml", ["tradeoffs.0.over=[0.1, 0.9]"])
    stages = [told["stage"] for name, told in toyland.events if name == "stage"]
    assert set(stages) == {"rerank"}
    assert [point.value for point in again.report.tradeoffs[0].points] == [0.1, 0.9]


def test_what_serves_has_no_points(experiment):
    refit = ("seed: 3", "seed: 3\nrefit: all")
    recommender = hybridrec.load(hybridrec.run(experiment(ITEMS, METRICS, MMR, CURVE, refit)))
    assert recommender.pipelines.keys() == {"control", "hybrid"}
    assert len(recommender.recommend(Query(items=["item 02"]))) == 1


def test_the_page_draws_the_curve(run):
    page = render(run)
    assert "diversity@5 against ndcg@5" in page
    assert "coverage@5 against ndcg@5" in page
    assert page.count('class="curve"') == 2
    assert len(re.findall(r'aria-labelledby="curve-1-1-title', page)) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("pipeline: hybrid", "pipeline: hybird"), r"tradeoffs\[0\]\.pipeline: no pipeline is named 'hybird': did you"),
        (("rerank.1.relevance", "generators.0.k"), r"tradeoffs\[0\]\.vary: .*pattern"),
        (("rerank.1.relevance", "rerank.2.relevance"), r"vary: rerank is a list of 2, '2' is not an index of it"),
        (
            ("rerank.1.relevance", "rerank.1.lambda"),
            r"tradeoffs\[0\]\.over\[0\]: with rerank\.1\.lambda = 0\.3, "
            r".*yaml:\d+: pipelines\.hybrid\.rerank\[1\]\.lambda: unknown key",
        ),
        (
            ("[0.3, 0.7, 1.0]", "[0.3, 7]"),
            r"tradeoffs\[0\]\.over\[1\]: with rerank\.1\.relevance = 7, "
            r".*yaml:\d+: pipelines\.hybrid\.rerank\[1\]\.relevance: .* less than or equal to 1, got 7",
        ),
        (("[0.3, 0.7, 1.0]", "[0.3]"), r"tradeoffs\[0\]\.over: .* at least 2"),
    ],
)
def test_a_curve_that_cannot_be_is_refused(experiment, change, message):
    path = experiment(ITEMS, METRICS, MMR, CURVE, change)
    with pytest.raises(ConfigError, match=message):
        load_experiment(path, Registry())
