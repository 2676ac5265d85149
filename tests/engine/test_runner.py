"""One experiment end to end: what is fitted, what is kept, what is asked again, and what is written."""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import polars as pl
import pytest
import yaml

import hybridrec
from hybridrec import DataError, MemoryBudgetError, PluginError, Run
from hybridrec.api import plan
from hybridrec.config.experiment import PipelineSpec
from hybridrec.config.models import PipelineUse
from hybridrec.data.splits import Masked
from hybridrec.engine.keys import source_hash
from hybridrec.engine.pipelines import rules_of
from hybridrec.engine.store import Store
from hybridrec.evaluation.report import Report
from hybridrec.runs.compare import compare_runs
from hybridrec.testing import toy_dataset

LEARNED = ("[{use: weighted, weights: {ease: 1, pop: 0.2}}]", "[{use: student}]")


def plain(report):
    """A report without what differs from run to run."""
    content = report.model_dump(exclude={"seconds"})
    content["fits"] = [{k: v for k, v in fit.items() if k not in ("seconds", "cached")} for fit in content["fits"]]
    return content


def keys(report):
    return {(fit.label, fit.fold, fit.level): fit.key for fit in report.fits}


def changed(before, after):
    """Labels whose fits have another key."""
    old, new = keys(before), keys(after)
    return {label for (label, *rest), key in new.items() if old.get((label, *rest)) != key}


def events(kind):
    return [what for name, what in sys.modules["toyland"].events if name == kind]


def asked():
    return {(event["stage"], event["pipeline"]) for event in events("stage")}


def test_what_two_pipelines_share_is_fitted_once(experiment):
    report = hybridrec.run(experiment()).report
    labels = [fit.label for fit in report.fits]
    assert sorted(labels) == sorted({"ease", "pop", "noise", "tag-fallback", "popularity"})
    assert not any(fit.cached for fit in report.fits)
    assert {event["label"] for event in events("fitted")} == {*labels}
    assert len(events("fitted")) == len(labels)


def test_a_second_run_fits_nothing_asks_nothing_and_reports_the_same(experiment):
    first = hybridrec.run(experiment()).report
    sys.modules["toyland"].events.clear()
    second = hybridrec.run(experiment()).report
    assert all(fit.cached for fit in second.fits)
    assert plain(second) == plain(first)
    assert asked() == set()
    assert second.seconds.generate == second.seconds.score == second.seconds.rerank == 0


def test_another_weight_is_only_blended_again(experiment):
    first = hybridrec.run(experiment()).report
    sys.modules["toyland"].events.clear()
    second = hybridrec.run(experiment(("pop: 0.2", "pop: 0.9"))).report
    assert all(fit.cached for fit in second.fits)
    assert asked() == {("rerank", "hybrid")}
    assert second.pipelines["control"] == first.pipelines["control"]
    assert second.pipelines["hybrid"] != first.pipelines["hybrid"]
    assert second.config_hash != first.config_hash


def test_another_component_is_fitted_alone(experiment):
    """With one more component in the blend, all else comes from the store, the pools of other pipelines too."""
    first = hybridrec.run(experiment()).report
    sys.modules["toyland"].events.clear()
    more = (
        ("noise: {use: echo}", "noise: {use: echo}\n  rare: {use: ease, l2: 50}"),
        ("scorers: [pop]", "scorers: [pop, rare]"),
    )
    second = hybridrec.run(experiment(*more)).report
    assert {fit.label for fit in second.fits if not fit.cached} == {"rare"}
    assert changed(first, second) == {"rare"}
    assert {pipeline for _, pipeline in asked()} == {"hybrid"}
    assert second.pipelines["control"] == first.pipelines["control"]


@pytest.mark.parametrize(
    ("replacement", "labels"),
    [
        (("l2: 5", "l2: 6"), {"ease"}),
        (("seed: 3", "seed: 4"), {"ease", "pop", "noise", "tag-fallback", "popularity"}),
        (("{reader: toy}", "{reader: toy, users: 50}"), {"ease", "pop", "noise", "tag-fallback", "popularity"}),
        (("test: 0.3", "test: 0.4"), {"ease", "pop", "noise", "tag-fallback", "popularity"}),
        (("from: ease, k: 20", "from: ease, k: 30"), set()),
        (("workers: 2", "workers: 1"), set()),
        (("name: toy", "name: other"), set()),
    ],
)
def test_a_fit_is_done_again_only_for_what_decides_it(experiment, replacement, labels):
    first = hybridrec.run(experiment()).report
    second = hybridrec.run(experiment(replacement)).report
    assert changed(first, second) == labels
    assert {fit.label for fit in second.fits if not fit.cached} == labels


def test_the_seed_decides_where_the_data_is_the_same(experiment):
    split = ("{use: masked, test: 0.3}", "{use: leave-one-out}")
    first = hybridrec.run(experiment(split)).report
    second = hybridrec.run(experiment(split, ("seed: 3", "seed: 4"))).report
    assert changed(first, second) == {fit.label for fit in first.fits}


def test_blocks_and_threads_change_nothing(experiment, monkeypatch):
    whole = hybridrec.run(experiment()).report
    monkeypatch.setattr("hybridrec.inference.blocks.BLOCK_ROWS", (4, 4))
    parts = hybridrec.run(experiment(("workers: 2", "workers: 3")), store="another").report
    assert parts.pipelines == whole.pipelines
    assert parts.comparison == whole.comparison


def test_version_and_source_of_a_plugin_decide_too(experiment, monkeypatch):
    first = hybridrec.run(experiment()).report
    echo = sys.modules["toyland"].Echo
    with monkeypatch.context() as patch:
        patch.setattr(echo, "version", "2")
        assert changed(first, hybridrec.run(experiment()).report) == {"noise"}
    monkeypatch.setattr("hybridrec.engine.keys.source_hash", lambda cls: "other" if cls is echo else source_hash(cls))
    assert changed(first, hybridrec.run(experiment()).report) == {"noise"}


def test_a_normaliser_of_a_plugin_scales_and_its_version_decides_the_blend(experiment, monkeypatch):
    config = experiment(("weights: {ease: 1", "normalise: {use: signs, level: 0.1}, weights: {ease: 1"))
    first = hybridrec.run(config).report
    signs = sys.modules["toyland"].Signs
    monkeypatch.setattr(signs, "scale", lambda self, values: -values)
    same = hybridrec.run(config).report
    assert same.pipelines == first.pipelines
    monkeypatch.setattr(signs, "version", "2")
    other = hybridrec.run(config).report
    assert all(fit.cached for fit in other.fits)
    assert other.pipelines["hybrid"] != first.pipelines["hybrid"]


def test_the_version_of_a_library_decides_too(experiment, monkeypatch):
    first = hybridrec.run(experiment()).report
    monkeypatch.setattr("hybridrec.engine.keys.library_versions", lambda modules=(): {"numpy": "99"})
    assert changed(first, hybridrec.run(experiment()).report) == {fit.label for fit in first.fits}


def test_the_version_of_the_library_of_a_tokenizer_decides_too(experiment, monkeypatch):
    pytest.importorskip("sentencepiece")
    asked = set()
    monkeypatch.setattr("hybridrec.engine.keys.library_versions", lambda modules: asked.add(modules))
    cut = "{fields: [items, title], tokenizer: {use: sentencepiece}}"
    plan(experiment(("{l2: 5}", cut)))
    assert ("sentencepiece",) in asked


def test_the_order_of_the_config_decides_nothing(experiment):
    first = hybridrec.run(experiment()).report
    components = "  ease: {l2: 5}\n  pop: {use: popularity}\n  noise: {use: echo}\n"
    turned = "".join(f"{line}\n" for line in reversed(components.splitlines()))
    second = hybridrec.run(experiment((components, turned)), store="another").report
    assert keys(second) == keys(first)
    assert not any(fit.cached for fit in second.fits)
    assert second.pipelines == first.pipelines


def test_two_labels_of_one_component_get_seeds_of_their_own(experiment):
    path = experiment(("noise: {use: echo}", "noise: {use: echo}\n  more: {use: echo}"), ("[pop]", "[pop, more]"))
    report = hybridrec.run(path).report
    found = [Store.default().get(fit.key)["items"] for fit in report.fits if fit.component == "echo"]
    assert len(found) == 2
    assert not np.array_equal(*found)


def test_a_damaged_artifact_is_fitted_again(experiment):
    first = hybridrec.run(experiment()).report
    for artifact in Store.default().artifacts():
        content = artifact.path.read_bytes()
        artifact.path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert plain(hybridrec.run(experiment()).report) == plain(first)
    for artifact in Store.default().artifacts():
        assert Store.default().get(artifact.key) is not None


def test_a_run_killed_while_fitting_leaves_what_it_fitted(experiment, toyland, tmp_path):
    path = experiment(("noise: {use: echo}", "noise: {use: echo, seconds: 60}"))
    command = [sys.executable, "-m", "hybridrec", "run", str(path)]
    process = subprocess.Popen(command, cwd=tmp_path, env=_environment(toyland), stderr=subprocess.PIPE)
    store = Store(tmp_path / ".hybridrec" / "store")
    deadline = time.monotonic() + 30
    while len(store.artifacts()) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not list(Path("runs").glob("*"))
    report = hybridrec.run(path, ["components.noise.seconds=0"]).report
    assert sum(fit.cached for fit in report.fits) >= 2
    assert not {fit.label: fit.cached for fit in report.fits}["noise"]


def test_two_runs_at_once_share_a_store(experiment, toyland, tmp_path):
    path = experiment()
    command = [sys.executable, "-m", "hybridrec", "run", str(path), "--quiet"]
    both = [
        subprocess.Popen(command, cwd=tmp_path, env=_environment(toyland), stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    reports = [Run.open(tmp_path / Path(process.communicate()[0].strip()).parent).report for process in both]
    assert plain(reports[0]) == plain(reports[1])
    assert [process.returncode for process in both] == [0, 0]


def test_a_failing_fit_says_where_and_keeps_the_others(experiment):
    path = experiment(("noise: {use: echo}", "noise: {use: echo, misbehave: raise}"))
    with pytest.raises(RuntimeError, match="the echo is gone") as info:
        hybridrec.run(path)
    assert info.value.__notes__ == [
        "while fitting components.noise in fold test (full): echo 1, plugin 'toyland' (toyland 1.5)"
    ]
    report = hybridrec.run(path, ["components.noise.misbehave=''"]).report
    assert [fit.label for fit in report.fits if not fit.cached] == ["noise"]


@pytest.mark.parametrize(
    ("misbehave", "message", "note"),
    [
        (
            "object",
            "state: 'oops' is an array of Python objects",
            "while fitting components.noise in fold test (full): echo 1",
        ),
        (
            "infinite",
            "an id of query 0 has the score inf",
            "in pipeline 'hybrid', generator 'noise': echo 1, plugin 'toyland' (toyland 1.5)",
        ),
    ],
)
def test_a_component_that_breaks_its_contract_is_named(experiment, misbehave, message, note):
    path = experiment(("noise: {use: echo}", f"noise: {{use: echo, misbehave: {misbehave}}}"))
    with pytest.raises(PluginError, match=message) as info:
        hybridrec.run(path)
    assert any(note in found for found in info.value.__notes__)


def test_a_reader_that_gives_no_dataset_is_named(experiment, monkeypatch):
    path = experiment()
    monkeypatch.setattr(importlib.import_module("toyland").ToyReader, "read", lambda self: None)
    with pytest.raises(PluginError, match="read must return a Dataset, not NoneType") as info:
        hybridrec.run(path)
    assert info.value.__notes__ == ["while reading the data: toy 1, plugin 'toyland' (toyland 1.5)"]


@pytest.mark.parametrize(
    ("split", "message", "note"),
    [
        (lambda fold: iter([fold]), None, None),
        (lambda fold: fold, "not one Fold", "while splitting the data"),
        (lambda fold: [], "split yielded no fold", "while splitting the data"),
        (
            lambda fold: [replace(fold, weights=fold.weights[1:])],
            "fold 'test': weights must have the shape",
            "in fold test, splitter 'masked'",
        ),
        (
            lambda fold: [replace(fold, queries=replace(fold.queries, history=fold.train.interactions))],
            "fold 'test': history of the queries has 60 rows",
            "in fold test, splitter 'masked'",
        ),
    ],
)
def test_a_splitter_that_breaks_its_contract_is_named(experiment, monkeypatch, split, message, note):
    path, sound = experiment(), Masked.split
    monkeypatch.setattr(Masked, "split", lambda self, data, rng: split(next(sound(self, data, rng))))
    if message is None:
        assert hybridrec.run(path).report
        return
    for command in (hybridrec.run, plan):
        with pytest.raises(PluginError, match=message) as info:
            command(path)
        assert info.value.__notes__ == [f"{note}: masked 1, part of hybridrec"]


def test_an_inner_fold_that_leaks_is_refused_too(experiment, monkeypatch):
    path, sound = experiment(), Masked.validation_split

    def leaks(self, train, rng):
        fold = sound(self, train, rng)
        return replace(fold, train=train)

    monkeypatch.setattr(Masked, "validation_split", leaks)
    with pytest.raises(PluginError, match=r"asks for item \d+ of training"):
        hybridrec.run(path, validation=True)


def test_where_the_seen_may_be_recommended_it_may_be_asked_for(experiment, monkeypatch):
    sound = Masked.split

    def again(self, data, rng):
        for fold in sound(self, data, rng):
            shown = fold.queries.history.matrix(binary=True)
            yield replace(fold, truth=fold.truth | {"items": shown})

    monkeypatch.setattr(Masked, "split", again)
    with pytest.raises(PluginError, match="of its query"):
        hybridrec.run(experiment())
    both = ("  hybrid:", "  hybrid:\n    seen: allow"), ("{from: pop, k: 20}], ", "{from: pop, k: 20}], seen: allow, ")
    allowed = experiment(*both)
    assert hybridrec.run(allowed).report.pipelines["hybrid"].segments["all"].metrics["ndcg@5"].mean > 0


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


def test_a_fit_beyond_the_memory_budget_is_refused_before_any_other(experiment):
    path = experiment(("noise: {use: echo}", "noise: {use: echo, bytes: 9000000000}"))
    with pytest.raises(MemoryBudgetError, match=r"components.noise \(echo\) would need about 9.0 GB .* is 8.0 GB"):
        hybridrec.run(path)
    assert Store.default().artifacts() == []


@pytest.mark.parametrize("key", ["allow", "block"])
def test_unknown_ids_in_a_list_are_told_before_any_fit(experiment, key):
    path = experiment(("    scorers: [pop]", f"    {key}: {{ids: [item 01, nobody]}}\n    scorers: [pop]"))
    with pytest.raises(DataError, match=f"pipelines.hybrid.{key}: 1 id is not in the data, first 'nobody'"):
        hybridrec.run(path)
    assert Store.default().artifacts() == []


def test_lists_and_seen_decide_what_is_recommended(experiment, tmp_path):
    (tmp_path / "never.txt").write_text("item 02\n\nitem 03\n", encoding="utf-8")
    lists = "    allow: {ids: [item 01, item 02, item 03, item 04]}\n    block: {path: never.txt}\n    scorers: [pop]"
    run = hybridrec.run(experiment(("    scorers: [pop]", lists)))
    assert set(slates(run, "hybrid")["id"]) == {"item 01", "item 04"}
    assert len(set(slates(run, "control")["id"])) > 4


def slates(run, pipeline, target="items"):
    return pl.read_parquet(run.folder / "slates" / f"{pipeline}.{target}.parquet")


def test_the_folder_holds_the_whole_run(experiment):
    run = hybridrec.run(experiment())
    assert {path.name for path in run.folder.iterdir()} == {
        "config.yaml", "lock.json", "manifest.json", "report.json", "report.html", "per_query.parquet",
        "queries.parquet", "names.parquet", "slates",
    }  # fmt: skip
    assert run.folder.name.startswith("toy-")
    assert Run.open(run.folder).report == run.report
    assert {path.name for path in (run.folder / "slates").iterdir()} == {
        f"{name}.{target}.parquet" for name in ("control", "hybrid") for target in ("items", "tags")
    }
    found = slates(run, "hybrid")
    assert found.columns == ["query", "rank", "id", "score", "served_by"]
    assert found.group_by("query").len()["len"].to_list() == [10] * run.report.pipelines["hybrid"].queries
    assert run.lock["config_hash"] == run.report.config_hash
    assert run.lock["data"]["fingerprint"] == run.report.data.fingerprint
    assert run.lock["environment"]["packages"]["toyland"] == "1.5"
    assert run.lock["fits"]["test/full/ease"] == keys(run.report)["ease", "test", "full"]
    (finished,) = events("finished")
    assert finished == {"name": "toy", "folder": str(run.folder)}


def test_the_folder_says_what_was_known_and_what_was_hidden(experiment):
    run = hybridrec.run(experiment())
    asked, measured = run.queries(), run.per_query().filter(pl.col("pipeline") == "hybrid")
    assert asked["query"].to_list() == measured["query"].to_list()
    assert asked["unit"].to_list() == measured["unit"].to_list()
    known = {"items": asked["items"].list.len() > 0, "tags": asked["tags"].list.len() > 0, "title": asked["text"] != ""}
    for field, there in known.items():
        segments = measured["segment"].str.split("+")
        assert there.to_list() == [field in parts for parts in segments]
    assert asked["items"].list.set_intersection(asked["relevant_items"]).list.len().sum() == 0
    first = asked.row(0, named=True)
    hits = set(run.slates("hybrid").filter(pl.col("query") == 0, pl.col("rank") <= 5)["id"]) & set(
        first["relevant_items"]
    )
    assert bool(hits) == (measured["ndcg@5"][0] > 0)
    names = dict(run.names().iter_rows())
    assert names["item 03"] == "odd song 3"


def test_in_how_many_pieces_a_run_is_written_makes_no_difference(experiment, monkeypatch):
    whole = hybridrec.run(experiment(("test: 0.3", "folds: 3")))
    monkeypatch.setattr("hybridrec.runs.query_frames.PIECE", 40)
    pieces = hybridrec.run(experiment(("test: 0.3", "folds: 3")))
    queries = whole.queries()
    assert queries["query"].to_list() == list(range(queries.height))
    assert queries["fold"].n_unique() == 3
    assert queries.schema == {
        "query": pl.UInt32, "fold": pl.String, "unit": pl.String, "items": pl.List(pl.String),
        "tags": pl.List(pl.String), "text": pl.String, "relevant_items": pl.List(pl.String),
        "relevant_tags": pl.List(pl.String),
    }  # fmt: skip
    assert queries.null_count().sum_horizontal().sum() == 0
    assert pieces.queries().equals(queries)
    for target in ("items", "tags"):
        assert whole.slates("hybrid", target)["query"].unique().to_list() == queries["query"].to_list()
        assert pieces.slates("hybrid", target).equals(whole.slates("hybrid", target))


def test_the_report_follows_its_schema_and_holds_no_nan(experiment):
    path = experiment(("  resamples: 100", "  resamples: 100\n  singles: true"))
    run = hybridrec.run(path, ["compare.metrics=[ndcg@5, coverage@5, novelty@5]"])
    content = json.loads((run.folder / "report.json").read_text(), parse_constant=lambda word: pytest.fail(word))
    jsonschema.validate(content, Report.model_json_schema(mode="serialization"))
    jsonschema.validate(content, Report.model_json_schema())
    assert content["pipelines"]["hybrid"]["metrics"]["ndcg@5"].keys() == {"mean", "ci95"}
    assert content["pipelines"]["hybrid"]["segments"]["all"]["queries"] == content["pipelines"]["hybrid"]["queries"]


def test_per_query_values_are_what_the_means_are_made_of(experiment):
    run = hybridrec.run(experiment())
    frame = run.per_query().filter(pl.col("pipeline") == "hybrid")
    values = frame.filter(pl.col("ndcg@5").is_not_nan())
    mean = (values["ndcg@5"] * values["weight"]).sum() / values["weight"].sum()
    assert run.report.pipelines["hybrid"].metrics["ndcg@5"].mean == pytest.approx(mean)
    assert set(frame["unit"]) <= {f"user {u:02}" for u in range(60)}
    segments = run.report.pipelines["hybrid"].segments
    assert {**dict(frame["segment"].value_counts().iter_rows()), "all": len(frame)} == {
        name: segment.queries for name, segment in segments.items()
    }


def test_a_combined_metric_is_measured_and_compared_as_any_other(experiment):
    combined = "  combined: {both: {recall@5: 0.85, tags/ndcg@5: 0.15}}\n  resamples"
    run = hybridrec.run(experiment(("[ndcg@5,", "[both, ndcg@5,"), ("  resamples", combined)))
    metrics = run.report.pipelines["hybrid"].metrics
    assert [name for name in metrics if metrics[name].ci95][:1] == ["both"]
    assert {"recall@5", "tags/ndcg@5"} <= metrics.keys()
    assert run.report.comparison[0].metric == "both"
    frame = run.per_query().fill_nan(None)
    whole = frame.filter(pl.col("recall@5").is_not_null(), pl.col("tags/ndcg@5").is_not_null())
    wanted = 0.85 * whole["recall@5"] + 0.15 * whole["tags/ndcg@5"]
    assert len(whole)
    assert whole["both"].to_list() == pytest.approx(wanted.to_list())
    only = frame.filter(pl.col("recall@5").is_not_null(), pl.col("tags/ndcg@5").is_null())
    assert only["both"].to_list() == pytest.approx(only["recall@5"].to_list())


def test_released_needs_items_with_times():
    use = PipelineUse.model_validate({"generators": [{"from": "pop"}], "released": True})
    plan, data = PipelineSpec("hybrid", use, {}), toy_dataset()
    assert rules_of(plan, data).released is data.item_times
    with pytest.raises(hybridrec.DataError, match=r"pipelines.hybrid.released: the items of the data have no times"):
        rules_of(plan, replace(data, item_times=None))


def test_the_config_of_a_run_is_the_same_experiment(experiment, tmp_path):
    run = hybridrec.run(experiment())
    again = hybridrec.run(run.folder / "config.yaml")
    assert again.report.config_hash == run.report.config_hash
    assert plain(again.report) == plain(run.report)
    assert again.folder != run.folder
    assert yaml.safe_load((run.folder / "config.yaml").read_text())["components"]["popularity"] == {
        "use": "popularity", "count": "users", "by": "all", "smoothing": 5.0,
    }  # fmt: skip


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


def test_a_pipeline_without_a_generator_for_a_target_leaves_it_to_the_fallback(experiment):
    path = experiment(("generators: [{from: pop, k: 20}]", "generators: [{from: ease, k: 20}]"))
    run = hybridrec.run(path)
    found = slates(run, "control", "tags")
    assert len(found) == 5 * run.report.pipelines["control"].queries
    assert set(found["served_by"]) <= {"tag-fallback", "popularity"}


def test_validation_measures_inside_the_training_part(experiment):
    path = experiment()
    test, inside = hybridrec.run(path), hybridrec.run(path, validation=True)
    assert set(inside.per_query()["unit"]) & set(test.per_query()["unit"]) == set()
    assert "measured on validation queries" in inside.report.notes[0]
    with pytest.raises(DataError, match="it was not asked the same queries"):
        compare_runs([test.folder, inside.folder])


def test_a_blend_learns_on_base_fits_and_what_it_learned_is_kept(experiment):
    first = hybridrec.run(experiment(LEARNED)).report
    levels = {(fit.label, fit.level) for fit in first.fits}
    assert levels == {(label, "full") for label in ("ease", "pop", "noise", "tag-fallback", "popularity")} | {
        (label, "out_of_fold") for label in ("ease", "pop", "noise", "tag-fallback", "popularity")
    }
    lesson = first.pipelines["hybrid"].learned["test"]["items"]
    assert lesson["queries"] > 0
    assert f"hybrid, test, items: {int(lesson['queries'])} queries" in first.notes
    second = hybridrec.run(experiment(LEARNED)).report
    assert plain(second) == plain(first)


def test_what_was_learned_depends_on_the_weights_of_queries_and_the_rerankers_before(experiment):
    mix = ("test: 0.3", "test: 0.3, cross: true, scenarios: {items: 0.5, tags: 0.5}")
    other = ("test: 0.3", "test: 0.3, cross: true, scenarios: {items: 0.9, tags: 0.1}")
    chain = ("[{use: weighted, weights: {ease: 1, pop: 0.2}}]", "[{use: weighted, weights: {ease: 1}}, {use: student}]")
    more = ("[{use: weighted, weights: {ease: 1, pop: 0.2}}]", "[{use: weighted, weights: {ease: 9}}, {use: student}]")
    stacking_queries = [
        hybridrec.run(experiment(split, rerank)).report.pipelines["hybrid"].learned["test"]["items"]
        for split, rerank in ((mix, chain), (other, chain), (mix, more))
    ]
    assert stacking_queries[0]["weight"] != pytest.approx(stacking_queries[1]["weight"])
    assert stacking_queries[0]["mean"] != pytest.approx(stacking_queries[2]["mean"])


def test_the_plan_fits_nothing_and_knows_what_is_stored(experiment):
    path = experiment(LEARNED, ("use: echo", "use: echo, bytes: 5000000"))
    fits = plan(path)
    assert not Path(".hybridrec").exists()
    jobs = {(job.label, job.level): job for job in fits.jobs}
    assert jobs.keys() == {
        (label, level)
        for label in ("ease", "pop", "noise", "tag-fallback", "popularity")
        for level in ("full", "out_of_fold")
    }
    assert jobs["noise", "full"].memory == 5_000_000
    assert {job.stored for job in fits.jobs} == {0}
    run = hybridrec.run(path)
    assert fits.queries == run.report.pipelines["hybrid"].queries
    assert {(job.fits, job.stored) for job in plan(path).jobs} == {(1, 1)}


def test_folds_are_fitted_each_and_measured_together(experiment):
    run = hybridrec.run(experiment(("test: 0.3", "folds: 3")))
    assert len({fit.fold for fit in run.report.fits}) == 3
    assert len({fit.key for fit in run.report.fits}) == 15
    asked = run.per_query().filter(pl.col("pipeline") == "hybrid")["unit"]
    assert run.report.pipelines["hybrid"].units == asked.n_unique() == len(asked) > 50


def test_the_embedded_shows_end_to_end(experiment):
    path = experiment(
        ("{reader: toy}", "{reader: setlists, min_items: 25}"), ("noise: {use: echo}", "noise: {use: random}")
    )
    report = hybridrec.run(path).report
    assert report.pipelines["hybrid"].metrics["ndcg@5"].mean > 0
    assert report.data.items > 100


def test_the_folder_for_results_is_tried_before_anything_is_fitted(experiment, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(hybridrec.ConfigError, match="cannot be made a folder for results"):
        hybridrec.run(experiment(), runs=tmp_path / "file")
    assert Store.default().artifacts() == []


def _environment(toyland):
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(toyland), *filter(None, sys.path)])}


@pytest.mark.parametrize("write", ["data.item_tags.data *= 2", "data.interactions.ids[:] = 0"])
def test_a_component_that_writes_to_the_data_is_named_and_spoils_no_stored_fit(experiment, monkeypatch, write):
    config = experiment()
    monkeypatch.setenv("HYBRIDREC_STORE", "clean")
    clean = hybridrec.run(config).report
    echo = importlib.import_module("toyland").Echo
    honest = echo.fit

    def fit(self, data, rng):
        exec(write, {"data": data})
        return honest(self, data, rng)

    monkeypatch.setenv("HYBRIDREC_STORE", "shared")
    monkeypatch.setattr(echo, "fit", fit)
    with pytest.raises(PluginError, match="echo writes to a shared array that it was given") as info:
        hybridrec.run(config)
    assert any("components.noise" in note and "toyland 1.5" in note for note in info.value.__notes__)
    monkeypatch.setattr(echo, "fit", honest)
    again = hybridrec.run(config).report
    assert plain(again)["pipelines"] == plain(clean)["pipelines"]
