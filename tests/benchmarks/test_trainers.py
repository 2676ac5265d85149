"""The benchmark of trainers ranks by what each has learned, and goes on without Spark."""

import pytest

from benchmarks import peers, trainers
from benchmarks.synthetic import Size

FIGURES = [f"ndcg@20 of {name}" for name in ("popularity", "als")]


@pytest.fixture
def figures(tmp_path, monkeypatch):
    """The ways and the figures of the benchmark on very small data, of which the cache is a folder of the test."""
    pytest.importorskip("implicit")
    monkeypatch.setattr(peers, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(trainers, "QUICK", Size(400, 300, 12_000))

    def measured():
        (work,) = trainers.trainers(quick=True)
        return [*work.ways], {ratio["what"]: ratio["value"] for ratio in work.ratios}

    return measured


def test_without_spark_ours_is_measured_alone(figures, monkeypatch):
    monkeypatch.setattr(peers, "spark", lambda: None)
    ways, values = figures()
    assert ways == ["als"]
    assert [*values] == FIGURES
    assert values["ndcg@20 of als"] > values["ndcg@20 of popularity"] > 0


@pytest.mark.slow
def test_both_learn_more_than_popularity(figures):
    if peers.spark() is None:
        pytest.skip("neither Spark nor Java is part of the dependencies")
    ways, values = figures()
    assert ways == ["als", "Spark's ALS"]
    assert values["ndcg@20 of spark"] > 1.5 * values["ndcg@20 of popularity"]
    assert values["ndcg@20 of als"] > 1.5 * values["ndcg@20 of popularity"]
