"""Slates of other systems: judged like those of pipelines, and what is said of files that cannot be."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import hybridrec
from hybridrec import DataError, Query
from hybridrec.data.encoding import encode
from hybridrec.testing import ReaderContract, SegmenterContract, toy_dataset
from hybridrec_slates.component import Slates, SlatesOptions
from hybridrec_slates.context import ContextSegmenter
from hybridrec_slates.evaluate import evaluate_slates, evaluation_config, named
from hybridrec_slates.files import read_qrels, read_queries, read_slates
from hybridrec_slates.judged import Judged
from hybridrec_slates.qrels import QrelsReader

RNG = np.random.default_rng(5)
QUERIES = [f"q{number}" for number in range(30)]
QRELS = [(query, f"d{item}", int(RNG.integers(0, 4))) for query in QUERIES for item in RNG.choice(40, 8, replace=False)]
SYSTEMS = {
    name: {
        query: [f"d{item}" for item in RNG.permutation(40)[:12]]
        if RNG.random() > luck
        else [item for asked, item, relevance in QRELS if asked == query and relevance > 0][:12]
        for query in (QUERIES if name == "good" else QUERIES[:-1])
    }
    for name, luck in (("good", 0.8), ("poor", 0.2))
}


@pytest.fixture
def files(tmp_path, monkeypatch):
    """The folder with qrels.txt, good.run, poor.run (one query short), queries.csv and items.csv."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYBRIDREC_STORE", str(tmp_path / "store"))
    (tmp_path / "qrels.txt").write_text("".join(f"{query} 0 {item} {relevance}\n" for query, item, relevance in QRELS))
    for name, slates in SYSTEMS.items():
        lines = [
            f"{query} Q0 {item} {rank} {20 - rank} {name}\n"
            for query, items in slates.items()
            for rank, item in enumerate(items, 1)
        ]
        (tmp_path / f"{name}.run").write_text("".join(lines))
    rows = [f"{query},u{number // 2},{('phone', 'tv')[number % 2]}" for number, query in enumerate(QUERIES)]
    (tmp_path / "queries.csv").write_text("\n".join(["query,unit,device", *rows]))
    (tmp_path / "items.csv").write_text("\n".join(["id,title", *(f"d{item},Title {item}" for item in range(40))]))
    return tmp_path


def means(run, metric):
    return {name: arm.metrics[metric].mean for name, arm in run.report.pipelines.items()}


def test_metrics_equal_those_of_ir_measures(files):
    ir_measures = pytest.importorskip("ir_measures")
    metrics = [
        "ndcg@10",
        {"use": "ndcg", "gain": "linear", "at": 10, "as": "graded@10"},
        "recall@10",
        "mrr@10",
        "map@10",
    ]
    run = evaluate_slates(
        {name: files / f"{name}.run" for name in SYSTEMS}, files / "qrels.txt", metrics=metrics, runs=files / "runs"
    )
    qrels = list(ir_measures.read_trec_qrels("qrels.txt"))
    binary = [judged._replace(relevance=min(judged.relevance, 1)) for judged in qrels]
    for name in SYSTEMS:
        ranked = list(ir_measures.read_trec_run(f"{name}.run"))
        for ours, theirs, judged in (
            ("ndcg@10", ir_measures.nDCG @ 10, binary),
            ("graded@10", ir_measures.nDCG @ 10, qrels),
            ("recall@10", ir_measures.R @ 10, qrels),
            ("mrr@10", ir_measures.RR @ 10, qrels),
        ):
            assert means(run, ours)[name] == pytest.approx(
                ir_measures.calc_aggregate([theirs], judged, ranked)[theirs], abs=1e-9
            )


def test_the_command_prints_a_verdict_with_segments_and_units(files, call):
    status, out, err = call(
        "evaluate", "good=good.run", "poor.run", "--qrels", "qrels.txt", "--queries", "queries.csv", "--items",
        "items.csv", "--control", "poor", "--guardrail", "recall@10=0.5",
    )  # fmt: skip
    assert (status, err) == (0, "")
    assert "all queries (30)" in out
    assert "by device" in out
    assert "In ndcg@10, good beats poor" in out
    report = json.loads(Path(out.splitlines()[-1]).read_text())
    assert report["pipelines"]["good"]["units"] == 15
    assert {"phone", "tv"} < report["pipelines"]["good"]["segments"].keys()
    assert report["guardrails"][0]["verdict"] == "held"
    assert Path(out.splitlines()[-2]).name == "report.html"


def test_a_query_without_a_slate_counts_as_zero_and_is_told(files):
    run = evaluate_slates({name: files / f"{name}.run" for name in SYSTEMS}, files / "qrels.txt", runs=files / "runs")
    values = run.per_query().filter(pl.col("pipeline") == "poor")
    assert values["ndcg@10"].len() == 30
    assert values["ndcg@10"][29] == 0
    assert values["served_by"][29] == "none"


def test_an_exported_run_gets_the_same_table(experiment, files):
    config = experiment(("tags: 5", "tags: 5"))
    run = hybridrec.run(config, runs=files / "first")
    from hybridrec.registry.discovery import Registry
    from hybridrec.runs.exporter import export

    for form in ("trec", "parquet"):
        cls = Registry().get("exporters", form)
        export(cls(cls.Config()), run, files / form)
    run.queries().select("query", "unit").write_parquet(files / "asked.parquet")
    for form, end in (("trec", ""), ("parquet", ".parquet")):
        again = evaluate_slates(
            {name: files / form / f"{name}.items.run{end}" for name in ("control", "hybrid")},
            files / form / f"items.qrels{end}",
            queries=files / "asked.parquet",
            metrics=["ndcg@5"],
            runs=files / "second",
        )
        assert means(again, "ndcg@5") == pytest.approx(means(run, "ndcg@5"), abs=1e-12)
        ours, theirs = (
            next(row for row in report.comparison if (row.segment, row.metric) == ("all", "ndcg@5"))
            for report in (run.report, again.report)
        )
        assert (theirs.delta, theirs.wins, theirs.losses, theirs.units) == pytest.approx(
            (ours.delta, ours.wins, ours.losses, ours.units)
        )


def test_slates_can_be_blended_without_learning(files):
    config = evaluation_config({name: files / f"{name}.run" for name in SYSTEMS}, files / "qrels.txt")
    config["pipelines"]["fused"] = {
        "generators": [{"from": "good", "k": 12}, {"from": "poor", "k": 12}],
        "seen": "allow",
        "rerank": [{"use": "rrf"}],
    }
    run = hybridrec.run(config, runs=files / "runs")
    both = means(run, "ndcg@10")
    assert both["poor"] < both["fused"] < both["good"]
    config["pipelines"]["fused"]["rerank"] = [{"use": "validated"}]
    with pytest.raises(hybridrec.ConfigError, match="has no training part"):
        hybridrec.run(config, runs=files / "runs")


def test_a_changed_file_is_read_again(files):
    def measured():
        run = evaluate_slates({"poor": files / "poor.run"}, files / "qrels.txt", runs=files / "runs")
        return means(run, "ndcg@10")["poor"]

    before = measured()
    (files / "poor.run").write_text((files / "good.run").read_text())
    assert measured() > before


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.run", "q1 Q0 d1 1\n", r"a.run, line 1: 4 fields; right are 6"),
        ("a.csv", "query,item,rank\nq1,d1,1\nq1,d1,2\n", r"query 'q1' has 'd1' twice"),
        ("a.csv", "query,rank\nq1,1\n", r"a.csv has no column 'id'"),
        ("a.csv", "query,id,rank\nq1,d1,first\n", r"row 1: the rank or score is missing, or is not a number"),
        ("a.csv", "query,id\nq1,\n", r"row 1: the id is missing"),
        ("a.parquet", "no Parquet", r"a.parquet cannot be read"),
        ("a.run", "", r"a.run is empty"),
        ("a.csv", "query,id,score\nq1,d1,1e39\n", r"row 1: the rank or score is missing, or is not a number"),
        ("a.run", "q1 Q0 d1 1 1 x\nq1 Q0 d\0 1 1 x\n", r"a.run, line 2: a NUL character or byte order mark in it"),
    ],
)
def test_files_of_slates_that_cannot_be_read(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        read_slates(tmp_path / name)


def test_unknown_queries_and_ids_are_refused(files):
    (files / "other.run").write_text("q1 Q0 d1 1 1 x\nq99 Q0 d1 1 1 x\n")
    with pytest.raises(DataError, match=r"other.run: query 'q99' is not in .*qrels.txt \(1 such"):
        evaluate_slates({"other": files / "other.run"}, files / "qrels.txt", runs=files / "runs")
    (files / "other.run").write_text("q1 Q0 d77 1 1 x\n")
    with pytest.raises(DataError, match=r"other.run: id 'd77' is not in .*items.csv"):
        evaluate_slates(
            {"other": files / "other.run"}, files / "qrels.txt", items=files / "items.csv", runs=files / "runs"
        )
    (files / "few.csv").write_text("query,unit\nq0,u\n")
    with pytest.raises(DataError, match=r"qrels.txt: query 'q1' is not in .*few.csv"):
        evaluate_slates(
            {"good": files / "good.run"}, files / "qrels.txt", queries=files / "few.csv", runs=files / "runs"
        )
    (files / "qrels.txt").write_text("q0 0 d1 0\n")
    with pytest.raises(DataError, match="no row is relevant"):
        read_qrels(files / "qrels.txt")
    (files / "few.csv").write_text("query,unit\nq0,u\nq0,v\n")
    with pytest.raises(DataError, match="query 'q0' occurs twice"):
        read_queries(files / "few.csv")


def test_places_come_from_ranks_then_scores(tmp_path):
    (tmp_path / "a.csv").write_text("user,item,score,rank\nu,x,0.1,1\nu,y,0.9,2\n")
    assert read_slates(tmp_path / "a.csv")["id"].to_list() == ["x", "y"]
    (tmp_path / "a.csv").write_text("user,item,score\nu,x,0.1\nu,y,0.9\nu,z,0.9\n")
    assert read_slates(tmp_path / "a.csv")["id"].to_list() == ["y", "z", "x"]
    (tmp_path / "a.csv").write_text("user,item\nu,x\nu,y\n")
    assert read_slates(tmp_path / "a.csv")["id"].to_list() == ["x", "y"]
    (tmp_path / "a.txt").write_text("q Q0 x 1 0.1 s\nq\tQ0  y 2 0.9 s\n")
    assert read_slates(tmp_path / "a.txt")["id"].to_list() == ["y", "x"]


def test_systems_are_named_by_their_files():
    assert named(["runs/our model.run", "x=b.csv"]) == {"our-model": Path("runs/our model.run"), "x": Path("b.csv")}
    with pytest.raises(hybridrec.ConfigError, match="two files are called 'a'"):
        named(["a.run", "b/a.csv"])


FIXTURE = Path(__file__).parent / "fixtures" / "slates"
QRELS_FILE, QUERIES_FILE, RUN_FILE = (str(FIXTURE / name) for name in ("qrels.txt", "queries.csv", "a.run"))


class TestQrels(ReaderContract):
    reader = QrelsReader
    configs = [
        {"qrels": str(FIXTURE / "qrels.txt")},
        {
            "qrels": str(FIXTURE / "qrels.txt"),
            "queries": str(FIXTURE / "queries.csv"),
            "slates": [str(FIXTURE / "a.run")],
        },
    ]


class TestContext(SegmenterContract):
    segmenter = ContextSegmenter
    configs = [{"column": "device"}, {"column": "budget"}]

    def queries(self):
        shown = [Query(items=["item 02"], context={"device": "tv", "budget": 2.5}), Query(context={"device": "phone"})]
        return encode([*shown, Query(items=["item 03"], context={"budget": 3})], self.data())


def test_a_split_of_other_data_is_refused():
    with pytest.raises(DataError, match="the data has no queries"):
        list(Judged().split(toy_dataset(), np.random.default_rng(0)))
    with pytest.raises(DataError, match="the data has no queries"):
        Slates(SlatesOptions(path=FIXTURE / "a.run")).fit(toy_dataset(), np.random.default_rng(0))


def test_values_of_a_column_are_segments():
    data = toy_dataset()
    queries = TestContext().queries()
    for column, segments in (("device", ["tv", "phone", "unknown"]), ("budget", ["2.5", "unknown", "3"])):
        segmenter = ContextSegmenter(ContextSegmenter.Config(column=column))
        assert segmenter.segment(queries, data).tolist() == segments


def test_a_column_that_requests_lack_is_refused():
    data = toy_dataset()
    with pytest.raises(DataError, match="requests have no column 'shop'"):
        ContextSegmenter(ContextSegmenter.Config(column="shop")).segment(TestContext().queries(), data)
