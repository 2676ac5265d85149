"""`mlflow`: sends finished runs to an MLflow experiment."""

from __future__ import annotations

import json
from pathlib import Path

from hybridrec import Event, Observer, Options, RunFinished


class MLflowOptions(Options):
    """Options of `mlflow`: the tracking server, and the experiment in it."""

    uri: str | None = None
    """The tracking server or store; by default the variable `MLFLOW_TRACKING_URI`, or MLflow's own default."""
    experiment: str | None = None
    """The experiment in MLflow; by default the variable `MLFLOW_EXPERIMENT_NAME`, or the name in the config."""


class MLflow(Observer):
    """Observer that sends each finished run to MLflow, as one run with a nested run for each pipeline.

    The run has the config, metrics, verdicts and files. Needs `hybridrec[mlflow]`.
    """

    name = "mlflow"
    Config = MLflowOptions
    config: MLflowOptions

    def observe(self, event: Event) -> None:
        """Send the run of a `RunFinished` event to MLflow; errors raised by MLflow propagate."""
        if isinstance(event, RunFinished):
            from hybridrec_mlflow.client import send

            report = json.loads(Path(event.folder, "report.json").read_text(encoding="utf-8"))
            send(report, event.folder, uri=self.config.uri, experiment=self.config.experiment)
