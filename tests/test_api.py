"""Running and planning an experiment from code."""

import os
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
    with pytest.raises(hybridrec.WriteError, match="cannot be made a folder for results"):
        hybridrec.run(experiment(), runs=tmp_path / "file")
    assert Store.default().artifacts() == []


def test_a_run_keeps_to_the_limit_of_the_store_and_sweeps_what_killed_runs_left(experiment):
    first = hybridrec.run(experiment())
    assert not [note for note in first.report.notes if "the store" in note]
    left = [Path("runs/.toy-1.00000000-1.00000000"), Path(".hybridrec/store/aa/.aa.00000000-1.00000000")]
    for path in left:
        path.mkdir(parents=True)
        os.utime(path, (0, 0))
    other = experiment(("seed: 3", "seed: 4\nstore: {max: 1KB}"))
    second = hybridrec.run(other)
    assert not any(path.exists() for path in left)
    removed, above = second.report.notes[-2:]
    assert "not used for longest" in removed
    assert "this run alone needs" in above
    assert all(fit.cached for fit in hybridrec.run(other).report.fits)
    assert not any(fit.cached for fit in hybridrec.run(experiment()).report.fits)
    assert (
        hybridrec.run(experiment(("seed: 3", "seed: 3\nstore: {max: 9GB}"))).report.config_hash
        == first.report.config_hash
    )


LOGGED = ("workers: 2", "workers: 2\nexecutor: {use: toy-threads, log: log.txt}")


def logged():
    lines = Path("log.txt").read_text().splitlines()
    Path("log.txt").unlink()
    return lines


def test_the_executor_of_a_config_does_its_work_and_is_in_no_key(experiment):
    alone = hybridrec.run(experiment(), store="store")
    apart = hybridrec.run(experiment(LOGGED), store="store")
    assert logged() == ["opened 2", "closed"]
    assert all(fit.cached for fit in apart.report.fits)
    assert apart.report.comparable() == alone.report.comparable()
    assert apart.report.config_hash == alone.report.config_hash
    assert "toy-threads" in (apart.folder / "config.yaml").read_text()
    assert "executor" not in (alone.folder / "config.yaml").read_text()
    report = hybridrec.api.fit(experiment(LOGGED), store="store")
    assert (report.fitted, report.left) == (0, ())
    assert logged() == ["opened 2", "closed"]


def test_an_executor_is_closed_after_an_error(experiment):
    with pytest.raises(RuntimeError, match="the echo is gone"):
        hybridrec.run(experiment(LOGGED, ("use: echo", "use: echo, misbehave: raise")))
    assert logged() == ["opened 2", "closed"]


def test_a_name_or_the_environment_take_the_place_of_the_executor_of_the_config(experiment, monkeypatch):
    monkeypatch.setenv("HYBRIDREC_EXECUTOR", "toy-threads")
    hybridrec.run(experiment(), ["executor.log=log.txt"])
    assert logged() == ["opened 2", "closed"]
    hybridrec.run(experiment(LOGGED), ["executor=threads"])
    hybridrec.run(experiment(LOGGED), executor=hybridrec.ThreadExecutor(1))
    assert not Path("log.txt").exists()
    monkeypatch.setenv("HYBRIDREC_EXECUTOR", "thread")
    with pytest.raises(hybridrec.ConfigError, match="unknown executor 'thread'"):
        hybridrec.run(experiment())
