"""Running and planning an experiment from code."""

from pathlib import Path

import pytest

import hybridrec
from hybridrec.api import plan
from hybridrec.engine.store import Store
from tests.engine.toy_runs import LEARNED


def test_the_plan_fits_nothing_and_knows_what_is_stored(experiment):
    path = experiment(LEARNED, ("use: echo", "use: echo, bytes: 5000000"))
    fits = plan(path)
    assert not Path(".hybridrec").exists()
    jobs = {(job.label, job.level): job for job in fits.jobs}
    assert jobs.keys() == {
        (label, level)
        for label in ("ease", "pop", "noise", "tag-fallback", "popularity")
        for level in ("full", "out_of_fold")
    }
    assert jobs["noise", "full"].memory == 5_000_000
    assert {job.stored for job in fits.jobs} == {0}
    run = hybridrec.run(path)
    assert fits.queries == run.report.pipelines["hybrid"].queries
    assert {(job.fits, job.stored) for job in plan(path).jobs} == {(1, 1)}


def test_the_folder_for_results_is_tried_before_anything_is_fitted(experiment, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(hybridrec.ConfigError, match="cannot be made a folder for results"):
        hybridrec.run(experiment(), runs=tmp_path / "file")
    assert Store.default().artifacts() == []
