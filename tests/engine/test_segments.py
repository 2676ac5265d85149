"""Segments from the config to slates, reports and bundles: blends in evaluation and serving read the same ones."""

import numpy as np
import polars as pl
import pytest

import hybridrec
from hybridrec import PluginError, Query, StoreError
from hybridrec.inference.array_file import manifest_of
from hybridrec.registry.discovery import Registry
from hybridrec.runs.compare import compare_runs
from hybridrec.runs.run import Run

CONTROL = "  control: control\n"
ACTIVITY = "[{use: activity, bounds: [4, 7], as: shown}, known-fields, {use: time, by: weekday}]"
BY_SEGMENT = "{use: weighted, weights: {ease: 1}, segments: {4-6: {noise: 1}, 7 or more: {pop: 1}}}"
WEIGHTED = "{use: weighted, weights: {ease: 1, pop: 0.2}}"
POOL = "    generators: [{from: ease, k: 20}, {from: noise, k: 10}]\n    scorers: [pop]\n    rerank: "
ALONE = "".join(
    f"  only-{label}:\n{POOL}[{{use: weighted, weights: {{{label}: 1}}}}]\n    fallback: [tag-fallback, popularity]\n"
    for label in ("ease", "noise", "pop")
)


@pytest.fixture
def run(experiment):
    """A finished run with these segments, and more pieces of text replaced."""

    def made(segments, *replacements, **more):
        path = experiment((CONTROL, f"{CONTROL}  segments: {segments}\n"), *replacements, **more)
        return hybridrec.run(path, store="store")

    return made


def segmented(run, *more):
    served = (("workers: 2", "workers: 2\nrefit: all"), (WEIGHTED, BY_SEGMENT), ("compare:\n", ALONE + "compare:\n"))
    return run(ACTIVITY, *served, *more)


CHOSEN = {"0-3": "only-ease", "4-6": "only-noise", "7 or more": "only-pop"}


def test_the_first_segmenter_feeds_blends_in_the_evaluation(run):
    finished = segmented(run)
    rows = finished.per_query().filter(pl.col("pipeline") == "hybrid")
    assert set(rows["segment"]) == set(CHOSEN)
    lengths = finished.queries()["items"].list.len().to_numpy()
    assert (rows["segment"].to_numpy() == np.array(list(CHOSEN))[np.searchsorted([4, 7], lengths, "right")]).all()
    slates = {
        name: dict(finished.slates(name).group_by("query").agg("id").iter_rows()) for name in finished.report.pipelines
    }
    for query, segment in enumerate(rows["segment"]):
        assert slates["hybrid"][query] == slates[CHOSEN[segment]][query], f"query {query}, {segment}"


def test_the_first_segmenter_feeds_blends_when_serving_and_from_a_bundle(run, tmp_path):
    finished = segmented(run)
    bundle = finished.bundle(tmp_path / "all.hybridrec")
    bare = finished.bundle(tmp_path / "bare.hybridrec", users=False)
    for recommender in (hybridrec.load(finished), hybridrec.load(bundle), hybridrec.load(bare)):
        for length, segment in ((2, "0-3"), (5, "4-6"), (9, "7 or more")):
            query = Query(items=[f"item {number:02}" for number in range(0, 2 * length, 2)])
            assert recommender.encode([query]).segments().tolist() == [segment]
            blend, alone = (recommender.recommend(query, pipeline=name).ids for name in ("hybrid", CHOSEN[segment]))
            assert blend.tolist() == alone.tolist()
    named = hybridrec.load(bundle)
    user = Query(user="user 04")
    length = len(named.encode([user]).history.ids)
    assert named.encode([user]).segments().tolist() == [list(CHOSEN)[np.searchsorted([4, 7], length, "right")]]


def test_a_blend_learns_by_the_first_segmenter_and_keeps_what_it_learned(run):
    finished = run(
        ACTIVITY, (WEIGHTED, "{use: validated, k: 5, min_queries: 3}"), ("workers: 2", "workers: 2\nrefit: all")
    )
    learned = finished.report.pipelines["hybrid"].learned["test"]["items"]
    assert set(learned) <= {"all", *CHOSEN}
    assert len(learned) > 1
    (fusion,) = hybridrec.load(finished).pipelines["hybrid"].rerankers["items"]
    assert set(fusion.verdicts) <= {"all", *CHOSEN}
    assert len(fusion.verdicts) > 1


def test_a_bundle_names_the_plugin_and_refuses_another_version_of_the_segmenter(run, tmp_path, monkeypatch):
    from hybridrec_segments.activity import Activity

    bundle = segmented(run).bundle(tmp_path / "all.hybridrec")
    monkeypatch.setattr(Activity, "version", "2")
    with pytest.raises(StoreError, match=r"segments were named by activity 1, and the installed version is 2.*again"):
        hybridrec.load(bundle)
    monkeypatch.setattr(Activity, "version", "1")
    with pytest.raises(PluginError, match=r"segmenter: unknown segmenter 'activity'.*pip install 'hybridrec=="):
        hybridrec.load(bundle, registry=Registry(block=["segments"]))


def test_the_default_is_what_queries_know_and_may_be_named(experiment, run):
    plain = hybridrec.run(experiment(("workers: 2", "workers: 2\nrefit: all")), store="store")
    stated = run("[known-fields]", ("workers: 2", "workers: 2\nrefit: all"))
    assert stated.report.comparable() == plain.report.comparable()
    assert stated.report.config_hash != plain.report.config_hash
    assert all(fit.cached for fit in stated.report.fits)
    assert hybridrec.load(stated).encode([Query(items=["item 02"])]).segment is None
    assert manifest_of(plain.bundle("b.hybridrec"))["about"]["segmenter"] is None


def test_each_segmenter_has_its_rows_in_the_report_and_its_columns_by_query(run):
    finished = run(ACTIVITY)
    report = finished.report
    assert report.segmenters == ["shown", "known-fields", "time"]
    segments = report.pipelines["hybrid"].segments
    assert list(segments)[:4] == ["all", "0-3", "4-6", "7 or more"]
    for segmenter in report.segmenters:
        parts = [segment.queries for segment in segments.values() if segment.segmenter == segmenter]
        assert len(parts) > 1
        assert sum(parts) == segments["all"].queries
    frame = finished.per_query().filter(pl.col("pipeline") == "hybrid")
    counts = {f"known-fields: {name}": n for name, n in frame["segment/known-fields"].value_counts().iter_rows()}
    assert counts == {n: s.queries for n, s in segments.items() if s.segmenter == "known-fields"}
    families = {(row.segmenter, row.metric): row.family for row in report.comparison if row.metric == "ndcg@5"}
    sizes = {row.segmenter: 0 for row in report.comparison}
    for row in report.comparison:
        sizes[row.segmenter] += row.metric == "ndcg@5"
    assert families == {(segmenter, "ndcg@5"): size for segmenter, size in sizes.items()}
    assert "the segments of each segmenter apart" in report.statistics.correction
    assert Run.open(finished.folder).report == report
    restored = finished.sample()
    assert [segment for _, segment, _ in restored.parts()] == list(segments)


def test_each_segmenter_has_a_table_in_the_terminal_and_on_the_page(experiment, call):
    path = experiment((CONTROL, f"{CONTROL}  segments: {ACTIVITY}\n"))
    status, out, _ = call("run", path, "--store", "store")
    assert status == 0
    lines = [line.strip() for line in out.splitlines()]
    for segmenter in ("shown", "known-fields", "time"):
        assert lines[lines.index(f"by {segmenter}") + 1].split()[:3] == ["segment", "queries", "pipeline"]
    assert any(line.startswith("7 or more") for line in lines)
    (page,) = path.parent.glob("runs/*/report.html")
    text = page.read_text()
    for segmenter in ("shown", "known-fields", "time"):
        assert f"<h3>By {segmenter}</h3>" in text
        assert f"By {segmenter}: every metric" in text
    assert "shown: 7 or more" in text.lower()


def test_runs_of_the_same_queries_in_other_segments_are_compared_in_those_of_the_first(experiment, run):
    first = run(ACTIVITY)
    second = hybridrec.run(experiment(name="other.yaml"), store="store")
    segments = list(first.report.pipelines["hybrid"].segments)
    rows = compare_runs([first.folder, second.folder]).rows
    assert {row.segment for row in rows} == set(segments)
    others = compare_runs([second.folder, first.folder]).rows
    assert {row.segment for row in others} == set(second.report.pipelines["hybrid"].segments)


@pytest.mark.parametrize("segments", ["[{use: attribute, names: [youth]}]", "[time, {use: attribute, names: [youth]}]"])
def test_what_a_segmenter_cannot_name_is_told_before_anything_is_fitted(experiment, tmp_path, segments):
    log = tmp_path / "fits.txt"
    path = experiment((CONTROL, f"{CONTROL}  segments: {segments}\n"), ("{use: echo}", f"{{use: echo, log: {log}}}"))
    for ask in (hybridrec.plan, hybridrec.run):
        with pytest.raises(hybridrec.DataError, match="segmenter 'attribute': the data has no 'youth'"):
            ask(path, store="store")
    assert not log.exists()


OPTION = "pipelines.hybrid.rerank.0.segments.4-6.noise"
TUNE = f"tune: {{pipeline: hybrid, trials: 6, search: random, space: {{{OPTION}: [1, 0]}}}}"


def test_a_search_measures_with_the_segments_of_the_config(experiment):
    path = experiment(
        (CONTROL, f"{CONTROL}  segments: {ACTIVITY}\n"),
        (WEIGHTED, BY_SEGMENT),
        ("workers: 2", f"workers: 2\n{TUNE}"),
    )
    trials = hybridrec.tune(path, store="store").trials
    assert {trial.values[OPTION] for trial in trials} == {0, 1}
    assert len({trial.metrics["ndcg@5"] for trial in trials}) == 2
