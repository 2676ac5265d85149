"""Leases: one holder at a time, taken over when its signs of life fail to come, by the clock of the store alone."""

import json
import os
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hybridrec import FitJob, FitOutcome, ThreadExecutor
from hybridrec.engine.leases import FolderLeases, Leases, LeasingExecutor, LeasingThreads, leasing
from hybridrec.engine.store import Store

AA, BB = "aa" * 16, "bb" * 16
JOB = FitJob("echo", "{}", "echo", "data", "test", "full", 3, 1, 1, 0, AA)


@pytest.fixture
def worker(tmp_path):
    """Makes workers whose beats are too far apart to come in a test."""
    made = []

    def make(beat=1000.0):
        made.append(Leases(FolderLeases(tmp_path), beat))
        return made[-1]

    yield make
    for leases in made:
        leases.close()


def grow_old(tmp_path, seconds):
    path = tmp_path / "leases" / AA
    os.utime(path, (path.stat().st_mtime - seconds,) * 2)


def test_one_holds_a_lease_and_the_next_gets_it_back(worker, tmp_path):
    first, second = worker(), worker()
    with first.held(AA) as held:
        assert held
        assert not second.acquire(AA)
        assert second.acquire(BB)
        assert f"process {os.getpid()}" in second.holder(AA)
    assert second.holder(AA) is None
    assert second.acquire(AA)


def test_three_missed_beats_and_no_less_are_an_end(worker, tmp_path):
    first, second, third = worker(), worker(1.0), worker()
    assert first.acquire(AA)
    grow_old(tmp_path, 2900)
    assert not second.acquire(AA), "the beat is that of the holder"
    grow_old(tmp_path, 200)
    assert second.holder(AA) is None
    assert third.acquire(AA)
    first.release(AA)
    assert not second.acquire(AA), "the lease was no longer that of the first"


def test_a_holder_that_was_overtaken_renews_nothing(worker, tmp_path):
    first, second = worker(0.05), worker()
    files = first.files
    assert first.acquire(AA)
    old = files.read(AA)
    grow_old(tmp_path, 100)
    assert files.take(AA, "another", old.version) == "another"
    assert files.renew(AA, old.text, old.version) is None
    grow_old(tmp_path, 100)
    time.sleep(0.3)
    assert files.read(AA).age > 90
    assert not second.acquire(AA) or second.holder(AA)


def test_a_beat_keeps_a_lease_young(worker, tmp_path):
    first = worker(0.05)
    assert first.acquire(AA)
    grow_old(tmp_path, 100)
    deadline = time.monotonic() + 10
    while first.files.read(AA).age > 50 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert first.files.read(AA).age < 50


def test_no_clock_of_a_machine_is_asked(worker, tmp_path, monkeypatch):
    first, second = worker(), worker()
    assert first.acquire(AA)
    for hours in (-1, 1):
        wrong = time.time() + 3600 * hours
        monkeypatch.setattr(time, "time", lambda wrong=wrong: wrong)
        assert not second.acquire(AA)
        assert second.files.read(AA).age < 100


def test_of_many_that_take_a_dead_lease_one_has_it(worker, tmp_path):
    for _ in range(20):
        dead = worker()
        assert dead.acquire(AA)
        grow_old(tmp_path, 5000)
        workers = [worker() for _ in range(8)]
        start = threading.Barrier(len(workers))
        held = []

        def take(leases, start=start, held=held):
            start.wait()
            if leases.acquire(AA):
                held.append(leases)

        threads = [threading.Thread(target=take, args=(leases,)) for leases in workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(held) <= 1
        for leases in held:
            leases.release(AA)
        for path in (tmp_path / "leases").iterdir():
            path.unlink()


def test_a_worker_that_was_killed_while_it_took_a_lease_does_not_keep_it_for_ever(worker, tmp_path):
    assert worker().acquire(AA)
    grow_old(tmp_path, 5000)
    guard = tmp_path / "leases" / f".{AA}.take"
    guard.touch()
    assert not worker().acquire(AA)
    assert guard.exists()
    os.utime(guard, (0, 0))
    assert not worker().acquire(AA)
    assert worker().acquire(AA)
    assert not guard.exists()


def test_what_is_still_in_work_when_its_worker_is_interrupted_keeps_its_lease(worker):
    first, second = Leases(worker().files, 0.05), worker()
    begun, go_on = threading.Event(), threading.Event()

    def work():
        with first.held(AA):
            begun.set()
            go_on.wait(20)

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(20)
    assert first.acquire(BB)
    first.close()
    assert not first.acquire(BB)
    assert second.acquire(BB)
    time.sleep(0.5)
    assert not second.acquire(AA), "it is still renewed"
    go_on.set()
    thread.join()
    assert second.acquire(AA)
    first._thread.join(20)
    assert not first._thread.is_alive()


def test_a_lease_that_is_being_written_is_held(worker, tmp_path):
    (tmp_path / "leases").mkdir()
    (tmp_path / "leases" / AA).write_text("")
    assert not worker().acquire(AA)
    assert worker().holder(AA) == "a worker"
    grow_old(tmp_path, 5000)
    assert worker().acquire(AA)


def test_the_store_sweeps_leases_that_nobody_renewed_for_a_day(worker, tmp_path):
    first = worker()
    assert first.acquire(AA)
    assert first.acquire(BB)
    grow_old(tmp_path, 90_000)
    Store(tmp_path).sweep()
    assert [path.name for path in (tmp_path / "leases").iterdir()] == [BB]
    assert json.loads((tmp_path / "leases" / BB).read_text())["beat"] == 1000.0


@pytest.mark.parametrize("workers", [1, 2])
def test_jobs_of_others_and_what_uses_them_are_left_out(worker, monkeypatch, workers, tmp_path):
    ran = []

    def run(job, context):
        ran.append(job.key)
        return FitOutcome(job.key, 0.0, (), cached=False)

    monkeypatch.setattr("hybridrec.engine.leases.run_fit_job", run)
    other, mine = worker(), worker()
    assert other.acquire(AA)
    jobs = [JOB, replace(JOB, key=BB, base_model=JOB), replace(JOB, key="cc" * 16)]
    executor, context = LeasingThreads(workers, mine), SimpleNamespace(store=Store(tmp_path / "store"), memory=None)
    assert [outcome.key for outcome in executor.submit(jobs, context)] == ["cc" * 16] == ran
    assert executor.held == {AA, BB}
    assert [outcome.key for outcome in executor.submit(jobs[1:2], context)] == []  # what it uses is still missing
    context.store.put(AA, {"a": np.zeros(1)})
    other.release(AA)
    assert [outcome.key for outcome in executor.submit(jobs[1:2], context)] == [BB]
    assert executor.held == set()


@pytest.mark.parametrize("workers", [1, 2])
def test_jobs_that_others_gave_back_are_run(worker, monkeypatch, workers, tmp_path):
    monkeypatch.setattr(
        "hybridrec.engine.leases.run_fit_job", lambda job, context: FitOutcome(job.key, 0.0, (), cached=False)
    )
    other, mine = worker(), worker()
    assert other.acquire(AA)
    jobs = [JOB, replace(JOB, key=BB, base_model=JOB)]
    executor, context = LeasingThreads(workers, mine), SimpleNamespace(store=Store(tmp_path / "store"), memory=None)
    assert [outcome.key for outcome in executor.submit(jobs, context)] == []
    other.release(AA)
    assert [outcome.key for outcome in executor.submit(jobs, context)] == [AA, BB]
    assert executor.held == set()


class Elsewhere:
    """An executor whose workers are elsewhere, which notes who holds the leases meanwhile."""

    needs_parts, workers = True, 3

    def __init__(self, leases):
        self.leases, self.ran, self.fails = leases, [], ""

    def submit(self, jobs, context):
        for job in jobs:
            assert all(self.leases.holder(open_job.key) for open_job in jobs[len(self.ran) :])
            if job.key == self.fails:
                raise KeyboardInterrupt
            self.ran.append(job.key)
            yield FitOutcome(job.key, 0.0, (), cached=False)

    def map(self, work, blocks):
        return map(work, blocks)


def test_leases_of_jobs_elsewhere_are_held_here_until_they_end(worker, tmp_path):
    other, mine, watcher = worker(), worker(), worker()
    assert other.acquire(AA)
    jobs = [replace(JOB, key=BB, base_model=JOB), JOB, replace(JOB, key="cc" * 16)]
    context = SimpleNamespace(store=Store(tmp_path / "store"))
    elsewhere = Elsewhere(watcher)
    executor = leasing(elsewhere, mine)
    assert isinstance(executor, LeasingExecutor)
    assert (executor.workers, executor.needs_parts, [*executor.map(str, [1])]) == (3, True, ["1"])
    assert [outcome.key for outcome in executor.submit(jobs, context)] == ["cc" * 16]
    assert executor.held == {AA, BB}
    other.release(AA)
    elsewhere.ran, elsewhere.fails = [], BB
    outcomes = executor.submit(jobs, context)
    assert next(outcomes).key == AA
    assert (watcher.holder(AA) is None, watcher.holder(BB) is None) == (True, False)
    with pytest.raises(KeyboardInterrupt):
        list(outcomes)
    assert watcher.holder(BB) is None, "an interrupted driver gives its leases back"


def test_threads_take_their_leases_themselves(worker):
    assert isinstance(leasing(ThreadExecutor(2), worker()), LeasingThreads)
