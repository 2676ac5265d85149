"""Sends finished runs to MLflow, if the environment names a tracking server or store: MLFLOW_TRACKING_URI."""

from __future__ import annotations

import os
from typing import Any

from hybridrec import hookimpl

TRACKING_URI = "MLFLOW_TRACKING_URI"


@hookimpl
def hybridrec_run_finished(report: dict[str, Any], folder: str) -> None:
    """Nothing is imported, and nothing sent, where MLFLOW_TRACKING_URI is not set."""
    if os.environ.get(TRACKING_URI):
        from hybridrec_mlflow.client import send

        send(report, folder)
