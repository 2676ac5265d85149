"""The report of two arms that were measured at the same queries."""

from __future__ import annotations

import numpy as np
import pytest

from hybridrec.evaluation.compare import compare
from hybridrec.evaluation.report import DataReport, Environment, Report, SecondsReport, StatisticsReport
from hybridrec.evaluation.samples import EvaluatedArm, Sample
from hybridrec.evaluation.summary import summarise

UNITS = 50
SAMPLE = Sample(
    units=np.repeat(np.arange(UNITS, dtype=np.int32), 2),
    weights=np.tile([0.8, 0.2], UNITS),
    segments=np.tile(["items", "tags"], UNITS),
)


def arm(name, seed):
    values = np.random.default_rng(seed).random(2 * UNITS)
    never = np.full(2 * UNITS, np.nan)
    served_by = np.where(np.arange(2 * UNITS) < 10, "popularity", "main")
    return EvaluatedArm(name, SAMPLE, {"ndcg@10": values, "tags/map@5": never}, {"coverage@10": 0.25}, served_by)


@pytest.fixture
def arms():
    return {"control": arm("control", 1), "hybrid": arm("hybrid", 2)}


@pytest.fixture
def report(arms, rng):
    return Report(
        name="test",
        config_hash="abc",
        data=DataReport(fingerprint="f" * 32, users=1, items=2, tags=3, interactions=4),
        pipelines=summarise(list(arms.values()), rng, resamples=500),
        comparison=compare(arms, [("control", "hybrid")], ["ndcg@10", "coverage@10"], rng, resamples=500),
        statistics=StatisticsReport(resamples=500, correction="Holm"),
        seconds=SecondsReport(fit=1.5, total=2.0),
        environment=Environment.current(["numpy", "no-such-package"]),
        notes=["one"],
    )
