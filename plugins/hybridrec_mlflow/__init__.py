"""Export of finished runs to MLflow, if MLFLOW_TRACKING_URI names a tracking server or store."""

from __future__ import annotations

import os
from typing import Any

from hybridrec import hookimpl

TRACKING_URI = "MLFLOW_TRACKING_URI"


@hookimpl
def hybridrec_run_finished(report: dict[str, Any], folder: str) -> None:
    """Send the run; without MLFLOW_TRACKING_URI nothing is imported or sent."""
    if os.environ.get(TRACKING_URI):
        from hybridrec_mlflow.client import send

        send(report, folder)
