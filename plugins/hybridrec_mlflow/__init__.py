"""Export of finished runs to MLflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from hybridrec import Observer


@hookimpl
def hybridrec_observers() -> list[type[Observer]]:
    """`mlflow`, an observer that sends finished runs to MLflow."""
    from hybridrec_mlflow.observer import MLflow

    return [MLflow]
