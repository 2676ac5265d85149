"""Seconds of fits before any: those of components hold for the quickstart, those of past fits for everything else."""

import math

import pytest

from hybridrec import plan, run
from hybridrec.engine.estimates import TOOK
from hybridrec.engine.store import Store
from tests.docs.markdown import ROOT

MEASURED = {
    "als": (0.18, 0.11),
    "ease": (0.05, 0.04),
    "trending": (0.04, 0.03),
    "lightfm": (10.5, 9.5),
    "word2vec": (1.6, 1.2),
}
"""Seconds of a fit of the quickstart on two cores without other work, by level: full, out of fold."""


def test_the_quickstart_is_estimated_within_a_factor_of_three(tmp_path):
    fits = plan(ROOT / "configs" / "quickstart.yaml", store=tmp_path / "store")
    told = {(job.label, job.level): job.seconds for job in fits.jobs}
    for label, seconds in MEASURED.items():
        for level, measured in zip(("full", "out_of_fold"), seconds, strict=True):
            ratio = told[label, level] / measured
            assert 1 / 3 < ratio < 3, f"{label} ({level}): {told[label, level]:.2f} s, measured {measured} s"
    total = 5 * sum(map(sum, MEASURED.values()))
    assert total / 3 < fits.seconds < 3 * total
    assert fits.without_estimate == 0


@pytest.fixture
def stored(experiment, tmp_path):
    """A store with the fits of the toy experiment, which took known seconds."""
    run(experiment(), store=tmp_path / "store", runs=tmp_path / "runs")
    return Store(tmp_path / "store")


def test_past_fits_tell_more_scaled_to_the_interactions(experiment, stored, monkeypatch):
    past = next(artifact.about for artifact in stored.artifacts() if artifact.about.get("component") == "ease")
    assert past[TOOK]["seconds"] >= 0
    artifacts = stored.artifacts()
    for artifact in artifacts:
        if artifact.about.get("component") == "ease":
            artifact.about[TOOK] |= {"seconds": 60.0, "interactions": past[TOOK]["interactions"]}
    monkeypatch.setattr(Store, "artifacts", lambda self: artifacts)
    told = {(job.label, job.level): job for job in plan(experiment(), store=stored.folder).jobs}
    assert math.isclose(told["ease", "full"].seconds, 60, rel_tol=0.5)
    other = {(job.label, job.level): job for job in plan(experiment(("l2: 5", "l2: 6")), store=stored.folder).jobs}
    assert other["ease", "full"].seconds < 1  # the fits of other options say nothing: the component does


def test_a_component_without_an_estimate_is_told(experiment, tmp_path):
    fits = plan(experiment(), store=tmp_path / "none")
    unknown = [job for job in fits.jobs if job.seconds is None]
    assert {job.component for job in unknown} == {"echo"}
    assert fits.without_estimate == sum(job.fits for job in unknown)
