"""The result of a run: its arms, its notes, and a report that follows its schema."""

import importlib
import json
import pickle

import jsonschema
import numpy as np
import pytest

import hybridrec
from hybridrec import CurveFigure
from hybridrec.config.load import load_experiment
from hybridrec.engine.folds import folds_of
from hybridrec.engine.results import FoldQueries, ResultBuilder
from hybridrec.engine.runner import read
from hybridrec.engine.train import TrainedFold
from hybridrec.evaluation.report import Report
from hybridrec.registry.discovery import Registry


def test_a_scorer_without_any_opinion_is_told_and_that_it_changes_no_slate(experiment, monkeypatch):
    path = experiment(
        ("  noise: {use: echo}", "  judge: {}"),
        (
            "  hybrid:",
            "  same: {generators: [{from: pop, k: 20}], scorers: [judge], rerank: [{use: weighted}]}\n  hybrid:",
        ),
        (", {from: noise, k: 10}", ""),
    )
    judge = importlib.import_module("toyland").Judge
    monkeypatch.setattr(judge, "score", lambda self, queries, ids, target: np.full(ids.shape, np.nan, np.float32))
    for report in (hybridrec.run(path).report, hybridrec.run(path).report):  # the second from the store
        queries = report.pipelines["same"].queries
        assert [note for note in report.notes if "had no opinion" in note] == [
            f"same, items: 'judge' had no opinion on any candidate of {queries} queries"
        ]
        assert [note for note in report.notes if "identical" in note] == [
            "same against control: the slates of the two are identical"
        ]


def test_the_report_follows_its_schema_and_holds_no_nan(experiment):
    path = experiment(("  resamples: 100", "  resamples: 100\n  singles: true"))
    run = hybridrec.run(path, ["compare.metrics=[ndcg@5, coverage@5, novelty@5]"])
    content = json.loads((run.folder / "report.json").read_text(), parse_constant=lambda word: pytest.fail(word))
    jsonschema.validate(content, Report.model_json_schema(mode="serialization"))
    jsonschema.validate(content, Report.model_json_schema())
    assert content["pipelines"]["hybrid"]["metrics"]["ndcg@5"].keys() == {"mean", "ci95"}
    assert content["pipelines"]["hybrid"]["segments"]["all"]["queries"] == content["pipelines"]["hybrid"]["queries"]


def test_figures_are_those_of_the_first_fold_and_the_same_from_the_store(experiment, monkeypatch):
    path = experiment(
        ("{use: masked, test: 0.3}", "{use: random, test: 0.3, folds: 2}"), ("seed: 3", "seed: 3\nrepeats: 2")
    )
    echo = importlib.import_module("toyland").Echo
    parts = []

    def figures(self, data):
        parts.append(data.fingerprint)
        return [CurveFigure("c", "x", "y", [(len(data.items), self.numbers["items"][0])])]

    monkeypatch.setattr(echo, "figures", figures)
    first = hybridrec.run(path)
    assert list(first.report.figures) == ["noise"]
    assert first.report.figures_of == first.report.fits[0].fold
    assert [figure.points[0][0] for figure in first.report.figures["noise"]] == [40]
    assert len(parts) == 1
    again = hybridrec.run(path)
    assert all(fit.cached for fit in again.report.fits)
    assert again.report.figures == first.report.figures
    assert parts == parts[:1] * 2
    assert again.report.comparable() == first.report.comparable()


def test_figures_of_a_run_that_recommends_are_those_of_the_fits_on_all_data(experiment, monkeypatch):
    echo = importlib.import_module("toyland").Echo
    monkeypatch.setattr(
        echo, "figures", lambda self, data: [CurveFigure("c", "x", "y", [(data.interactions.ids.size, 0)])]
    )
    path = experiment(("seed: 3", "seed: 3\nrefit: all"))
    report = hybridrec.run(path).report
    assert report.figures_of == "everything"
    assert report.figures["noise"][0].points == [(report.data.interactions, 0)]
    validated = hybridrec.run(path, validation=True).report
    assert validated.figures_of != "everything"
    assert validated.figures["noise"][0].points[0][0] < report.data.interactions


def test_singles_are_arms_behind_the_same_fallback_and_the_blend_is_compared_with_each(experiment):
    report = hybridrec.run(experiment(("  resamples: 100", "  resamples: 100\n  singles: true"))).report
    assert [name for name, arm in report.pipelines.items() if arm.single] == ["ease", "pop", "noise"]
    pairs = {(row.control, row.variant) for row in report.comparison}
    assert pairs == {("control", "hybrid")} | {(s, b) for s in ("ease", "noise") for b in ("control", "hybrid")}
    assert {name: arm.duplicate_of for name, arm in report.pipelines.items() if arm.duplicate_of} == {"pop": "control"}
    assert "pop is the same pipeline as control: it is compared once, under the name of the latter" in report.notes
    assert {row.family for row in report.comparison if (row.segment, row.metric) == ("all", "ndcg@5")} == {5}
    assert {"tag-fallback", "popularity"} >= report.pipelines["ease"].served_by.keys() - {"blend:items"} != set()
    # ease knows no tags: its slates of tags are the fallback's
    assert report.pipelines["ease"].metrics["tags/ndcg@5"].mean is not None


def test_what_generates_nothing_is_noted_instead_of_an_arm(experiment):
    path = experiment(
        ("noise: {use: echo}", "noise: {use: echo}\n  judge:"), ("resamples", "singles: true\n  resamples")
    )
    report = hybridrec.run(path).report
    assert "judge" not in report.pipelines
    assert "'judge' generates no candidates and is not a reference arm of its own" in report.notes


def test_the_first_training_represents_all(experiment):
    checked = load_experiment(experiment(("workers: 2", "repeats: 2")), Registry())
    (fold,) = folds_of(checked, read(checked))
    results = ResultBuilder(checked)
    results.begin(fold)
    for repeat in (1, 2):
        learned = {"hybrid": {"items": {"training": repeat}}}
        results.trained(fold, TrainedFold([], [], learned, [f"note {repeat}"], [f"choice {repeat}"]), repeat)
    assert results.notes == ["choice 1", "note 1"]
    assert results.measured["hybrid"].learned == {"test": {"items": {"training": 1}}}
    assert len(results.repeats) == 2


def test_of_a_fold_its_queries_are_kept_and_not_its_training_part(experiment):
    checked = load_experiment(experiment(), Registry())
    (fold,) = folds_of(checked, read(checked))
    kept = FoldQueries.of(fold)
    assert len(kept) == len(fold.queries)
    assert np.array_equal(kept.truth["items"].indices, fold.truth["items"].indices)
    assert not any(value is fold.train for value in (kept.fold, kept.queries, kept.truth, kept.units))
    assert b"odd song" not in pickle.dumps(kept)
