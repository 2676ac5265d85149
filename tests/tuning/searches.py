"""Searches of the toy experiment; without Optuna the tests that import them are skipped."""

from __future__ import annotations

import pytest

from hybridrec import Tuned

pytest.importorskip("optuna")

POP, EASE = "pipelines.hybrid.rerank.0.weights.pop", "components.ease.l2"
WEIGHTS = f"{{pipeline: hybrid, trials: 8, search: random, space: {{{POP}: {{low: 0.0, high: 2.0}}}}}}"


def outcome(tuned: Tuned) -> list[tuple[object, ...]]:
    """Return the trials without their times."""
    return [(trial.number, trial.values, trial.state, trial.metrics) for trial in tuned.trials]
