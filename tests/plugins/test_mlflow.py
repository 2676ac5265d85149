"""Runs arrive in a real MLflow store, when a config asks for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

import hybridrec
from hybridrec import MissingDependencyError, RunFinished
from hybridrec.reporting.page import write
from hybridrec.runs.run import Run
from hybridrec.testing import ObserverContract
from hybridrec_mlflow.observer import MLflow, MLflowOptions


@pytest.fixture
def finished(experiment) -> Run:
    config = experiment(
        ("  metrics: [ndcg@5, tags/ndcg@5]\n", "  metrics: [ndcg@5, tags/ndcg@5]\n  guardrails: {coverage@5: 0.9}\n")
    )
    run = hybridrec.run(config)
    write(run)
    return run


class TestMLflow(ObserverContract):
    observer = MLflow


def tell(run: Run, **options: str) -> None:
    MLflow(MLflowOptions(**options)).observe(RunFinished(run="1", folder=str(run.folder)))


@pytest.mark.filterwarnings("ignore")  # of MLflow and what it stands on
def test_a_run_arrives_with_a_nested_run_for_each_pipeline(finished, monkeypatch, tmp_path):
    mlflow = pytest.importorskip("mlflow", reason="needs hybridrec[mlflow]")
    pytest.importorskip("sqlalchemy", reason="needs hybridrec[mlflow]")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "blends")
    monkeypatch.setenv("GIT_PYTHON_REFRESH", "quiet")
    tell(finished)
    tell(finished)  # an experiment that is there already takes further runs

    client = mlflow.MlflowClient(uri)
    experiment = client.get_experiment_by_name("blends").experiment_id
    runs = client.search_runs([experiment])
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert [run.info.run_name for run in parents] == [finished.folder.name] * 2
    parent = parents[0]
    assert parent.info.status == "FINISHED"
    assert parent.data.params["components.ease.l2"] == "5.0"
    assert parent.data.params["pipelines.hybrid.generators.1.from"] == "noise"
    (row,) = (r for r in finished.report.comparison if (r.metric, r.segment) == ("ndcg@5", "all"))
    assert parent.data.tags["verdict.hybrid against control.ndcg_at_5"] == row.verdict
    assert parent.data.tags["guardrail.hybrid against control.coverage_at_5"] == "held"
    assert parent.data.tags["hybridrec.config_hash"] == finished.report.config_hash
    files = {file.path for file in client.list_artifacts(parent.info.run_id)}
    assert files == {"report.html", "report.json", "config.yaml", "lock.json"}

    nested = {r.info.run_name: r.data for r in runs if r.data.tags.get("mlflow.parentRunId") == parent.info.run_id}
    assert set(nested) == {"control", "hybrid"}
    hybrid = finished.report.pipelines["hybrid"]
    metrics = nested["hybrid"].metrics
    assert metrics["ndcg_at_5"] == hybrid.metrics["ndcg@5"].mean
    assert (metrics["ndcg_at_5.low"], metrics["ndcg_at_5.high"]) == hybrid.metrics["ndcg@5"].ci95
    assert metrics["tags/ndcg_at_5"] == hybrid.metrics["tags/ndcg@5"].mean
    segment = next(name for name in hybrid.segments if "+" in name)
    assert metrics[f"{segment.replace('+', '_and_')}/ndcg_at_5"] == hybrid.segments[segment].metrics["ndcg@5"].mean
    assert metrics["candidate_recall.items"] == hybrid.candidate_recall["items"]


@pytest.mark.filterwarnings("ignore")
def test_options_go_before_variables(finished, monkeypatch, tmp_path):
    mlflow = pytest.importorskip("mlflow", reason="needs hybridrec[mlflow]")
    pytest.importorskip("sqlalchemy", reason="needs hybridrec[mlflow]")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'wrong.db'}")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "wrong")
    monkeypatch.setenv("GIT_PYTHON_REFRESH", "quiet")
    uri = f"sqlite:///{tmp_path / 'right.db'}"
    tell(finished, uri=uri, experiment="right")
    assert mlflow.MlflowClient(uri).get_experiment_by_name("right") is not None
    assert not (tmp_path / "wrong.db").exists()


def test_the_plugin_imports_no_mlflow():
    code = "import hybridrec_mlflow, sys; assert not {'mlflow', 'yaml', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_missing_mlflow_is_told(finished, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///x.db")
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'hybridrec\[mlflow\]'"):
        tell(finished)
