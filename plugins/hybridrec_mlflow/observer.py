"""`mlflow`: finished runs as runs of an MLflow experiment."""

from __future__ import annotations

import json
from pathlib import Path

from hybridrec import Event, Observer, Options, RunFinished


class MLflowOptions(Options):
    """Options of `mlflow`."""

    uri: str | None = None
    """The tracking server or store; by default `MLFLOW_TRACKING_URI`, or what else MLflow is told."""
    experiment: str | None = None
    """The experiment there; by default `MLFLOW_EXPERIMENT_NAME`, or the name in the config."""


class MLflow(Observer):
    """Each finished run as one MLflow run, with its config, metrics, verdicts and files, and a nested run for each
    pipeline; needs `hybridrec[mlflow]`.
    """

    name = "mlflow"
    Config = MLflowOptions
    config: MLflowOptions

    def observe(self, event: Event) -> None:
        """Send a finished run; errors raised by MLflow propagate."""
        if isinstance(event, RunFinished):
            from hybridrec_mlflow.client import send

            report = json.loads(Path(event.folder, "report.json").read_text(encoding="utf-8"))
            send(report, event.folder, uri=self.config.uri, experiment=self.config.experiment)
