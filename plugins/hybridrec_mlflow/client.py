"""Representation of a finished run as one MLflow run, with a nested run for each pipeline.

MLflow's names may contain only letters, digits and `_-. :/`: `@` becomes `_at_`, `+` becomes `_and_`, and an index
in brackets follows a dot.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridrec import MissingDependencyError

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT_NAME = "MLFLOW_EXPERIMENT_NAME"
FILES = ("report.html", "report.json", "config.yaml", "lock.json")
_MOST_PARAMETERS = 100
"""MLflow's limit for the number of parameters in a batch."""
_LONGEST = 500
"""Largest number of characters of a value that every backend of MLflow accepts."""


def send(report: Mapping[str, Any], folder: str, *, uri: str | None = None, experiment: str | None = None) -> str:
    """Send the run in this folder to MLflow, and return the id of its MLflow run.

    `uri` and `experiment` are the options of `mlflow`. Raises MissingDependencyError if MLflow is not installed; errors
    raised by MLflow propagate.
    """
    import yaml

    client = _client(uri)
    place = Path(folder)
    home = _experiment(client, experiment or os.environ.get(EXPERIMENT_NAME) or str(report["name"]))
    tags = {
        "hybridrec.config_hash": report["config_hash"],
        "hybridrec.data": report["data"]["fingerprint"],
        "hybridrec.folder": str(place),
        **_verdicts(report),
    }
    run = client.create_run(home, run_name=place.name, tags=tags).info.run_id
    config = yaml.safe_load((place / "config.yaml").read_text(encoding="utf-8"))
    _log(client, run, parameters=dict(_leaves(config)), metrics=_seconds(report))
    for name in FILES:
        if (place / name).exists():
            client.log_artifact(run, str(place / name))
    for name, pipeline in report["pipelines"].items():
        about = {"mlflow.parentRunId": run, "hybridrec.single": str(pipeline["single"])}
        nested = client.create_run(home, run_name=name, tags=about).info.run_id
        _log(client, nested, parameters={"pipeline": name}, metrics=_metrics(pipeline))
        client.set_terminated(nested)
    client.set_terminated(run)
    return run


def _client(uri: str | None) -> MlflowClient:
    try:
        from mlflow import MlflowClient
    except ImportError as error:
        raise MissingDependencyError(
            "the observer 'mlflow' needs MLflow, which is not installed: pip install 'hybridrec[mlflow]'"
        ) from error
    return MlflowClient(uri)


def _experiment(client: MlflowClient, name: str) -> str:
    experiment = client.get_experiment_by_name(name)
    return client.create_experiment(name) if experiment is None else experiment.experiment_id


def _log(client: MlflowClient, run: str, parameters: Mapping[str, str], metrics: Mapping[str, float]) -> None:
    import time

    from mlflow.entities import Metric, Param

    now = int(1000 * time.time())
    client.log_batch(run, metrics=[Metric(_name(key), value, now, 0) for key, value in metrics.items()])
    given = [Param(_name(key), value[:_LONGEST]) for key, value in parameters.items()]
    for start in range(0, len(given), _MOST_PARAMETERS):
        client.log_batch(run, params=given[start : start + _MOST_PARAMETERS])


def _metrics(pipeline: Mapping[str, Any]) -> dict[str, float]:
    """Return a pipeline's means and the ends of their intervals by name, for all queries and for each segment.

    Names of a segment begin with `SEGMENT/`. The recall of candidates comes last.
    """
    metrics: dict[str, float] = {}
    for segment, by_metric in pipeline["segments"].items():
        prefix = "" if segment == "all" else f"{segment}/"
        for metric, number in by_metric["metrics"].items():
            if number["mean"] is None:
                continue
            metrics[f"{prefix}{metric}"] = number["mean"]
            if number["ci95"] is not None:
                metrics |= {
                    f"{prefix}{metric}.{end}": x for end, x in zip(("low", "high"), number["ci95"], strict=True)
                }
    shares = pipeline["candidate_recall"].items()
    return metrics | {f"candidate_recall.{target}": share for target, share in shares if share is not None}


def _seconds(report: Mapping[str, Any]) -> dict[str, float]:
    return {f"seconds.{stage}": seconds for stage, seconds in report["seconds"].items()}


def _verdicts(report: Mapping[str, Any]) -> dict[str, str]:
    """Return tag -> verdict, for all comparisons over all queries, and for all guardrails.

    Tags are `verdict.VARIANT against CONTROL.METRIC` and `guardrail.VARIANT against CONTROL.METRIC`.
    """
    rows = [("verdict", row) for row in report["comparison"] if row["segment"] == "all"]
    rows += [("guardrail", row) for row in report["guardrails"]]
    return {
        _name(f"{kind}.{row['variant']} against {row['control']}.{row['metric']}"): row["verdict"] for kind, row in rows
    }


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (dotted path, text) of every value of a config.

    Mappings, and lists of mappings or lists, are entered; any other list is one value.
    """
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from _leaves(below, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(below, dict | list) for below in value):
        for place, below in enumerate(value):
            yield from _leaves(below, f"{path}.{place}")
    else:
        yield path, str(value)


def _name(text: str) -> str:
    """Return the text with replacements for the characters that MLflow's names may not contain."""
    return re.sub(r"[^\w\-. :/]", "_", text.replace("@", "_at_").replace("+", "_and_"))
