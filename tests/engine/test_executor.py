"""Executors: jobs in the order of what they use, and processes that share a store give what threads give."""

import _thread
import json
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

import hybridrec
from hybridrec import FitJob, FitOutcome, PluginError, ProcessExecutor
from hybridrec.config.load import load_experiment
from hybridrec.engine.executor import ThreadExecutor, Threads, dispatch_jobs, open_executor, open_named
from hybridrec.engine.fit import FitContext, run_fit_job
from hybridrec.engine.leases import LeasingThreads
from hybridrec.engine.store import NullStore, Store
from hybridrec.engine.train import FoldTrainer
from hybridrec.errors import MissingDependencyError
from hybridrec.registry.discovery import Registry
from hybridrec.testing import ExecutorContract, run_checks

JOB = FitJob("echo", "{}", "echo", "data", "test", "full", 3, 1, 1, 0, "key")


@pytest.fixture
def learned(experiment):
    """The small experiment with a generator that uses another, a re-ranker that learns, and two trainings: its path."""
    pytest.importorskip("implicit")
    return experiment(
        ("components:\n", "components:\n  als: {factors: 8}\n  near: {use: approximate, uses: als}\n"),
        ("scorers: [pop]", "scorers: [pop, near]"),
        ("pop: 0.2}}]", "pop: 0.2, near: 0.5}}, {use: student}]"),
        ("workers: 2", "workers: 2\nrepeats: 2"),
    )


def same(run):
    """A report without what differs from run to run."""
    content = json.loads((run.folder / "report.json").read_text())
    del content["seconds"]
    content["fits"] = [{k: v for k, v in fit.items() if k != "seconds"} for fit in content["fits"]]
    return content


def parts(store):
    return [artifact.key for artifact in Store(Path(store)).artifacts() if "training part" in artifact.about]


def test_processes_that_share_the_store_alone_give_the_report_and_the_slates_of_threads(learned, processes):
    threads = hybridrec.run(learned, store="threads", runs="threads-runs")
    apart = hybridrec.run(learned, store="apart", runs="apart-runs", executor=processes)
    assert {"als", "near"} <= {fit.label for fit in apart.report.fits}
    assert not any(fit.cached for fit in apart.report.fits if fit.repeat == 1)
    assert same(apart) == same(threads)
    files = [path.relative_to(threads.folder) for path in threads.folder.rglob("*.parquet")]
    assert files
    for file in files:
        assert (apart.folder / file).read_bytes() == (threads.folder / file).read_bytes(), file


def test_training_parts_are_stored_for_those_who_need_them_alone(learned, processes):
    run = hybridrec.run(learned, store="threads")
    assert parts("threads") == []
    hybridrec.run(learned, store="apart", executor=processes)
    assert len(parts("apart")) == 2 == len({fit.level for fit in run.report.fits})


def test_what_a_plugin_raises_in_another_process_names_the_plugin(experiment, processes):
    path = experiment(("noise: {use: echo}", "noise: {use: echo, misbehave: raise}"))
    with pytest.raises(RuntimeError, match="the echo is gone") as info:
        hybridrec.run(path, executor=processes)
    assert info.value.__notes__ == [
        "while fitting components.noise in fold test (full): echo 1, plugin 'toyland' (toyland 1.5)"
    ]
    path = experiment(("noise: {use: echo}", "noise: {use: echo, misbehave: infinite}"))
    with pytest.raises(PluginError, match="has the score inf") as info:
        hybridrec.run(path, executor=processes)
    assert "in pipeline 'hybrid', generator 'noise': echo 1, plugin 'toyland' (toyland 1.5)" in info.value.__notes__


def test_what_the_store_has_is_not_handed_out(experiment):
    class Watched(ThreadExecutor):
        handed = []

        def submit(self, jobs, context):
            self.handed += [job.label for job in jobs]
            return super().submit(jobs, context)

    hybridrec.run(experiment(), executor=Watched(2))
    hybridrec.run(experiment(("l2: 5", "l2: 6")), executor=Watched(2))
    assert sorted(Watched.handed) == sorted(["ease", "pop", "noise", "tag-fallback", "popularity", "ease"])


def chain():
    """Jobs that use one another, c uses b uses a, beside one that uses none; the last first."""
    a = replace(JOB, key="a")
    b = replace(JOB, key="b", base_model=a)
    c = replace(JOB, key="c", base_model=b)
    return [c, b, replace(JOB, key="alone"), a]


UNLIMITED = FitContext(NullStore(), None)


def outcome(key):
    return FitOutcome(key, 0.0, (), cached=False)


def test_a_job_starts_when_the_one_that_it_uses_has_ended_and_no_later():
    futures = {}

    def start(job):
        futures[job.key] = Future()
        return futures[job.key]

    outcomes = dispatch_jobs(chain(), start)
    for key, started in [("a", {"a", "alone"}), ("b", {"a", "alone", "b"}), ("c", {"a", "alone", "b", "c"})]:
        ends = threading.Timer(0.05, lambda key=key: futures[key].set_result(outcome(key)))
        ends.start()
        assert next(outcomes).key == key
        ends.join()
        assert {*futures} == started
    futures["alone"].set_result(outcome("alone"))
    assert [rest.key for rest in outcomes] == ["alone"]


def test_after_a_failure_nothing_more_begins():
    begun = []

    def work(job):
        begun.append(job.key)
        if job.key == "a":
            raise ValueError("the first")
        return outcome(job.key)

    with ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match="the first"):
        list(dispatch_jobs(chain(), lambda job: pool.submit(work, job)))
    assert not {"b", "c"} & {*begun}


def test_a_signal_that_comes_just_before_a_wait_is_handled():
    """`interrupt_main` marks a signal as come, and wakes nobody: that is all that such a signal does."""
    began, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def work(job):
        began.set()
        may_end.wait(20)
        ended.set()

    def interrupt():
        began.wait(20)
        time.sleep(0.2)  # the main thread waits by now
        _thread.interrupt_main()

    with ThreadPoolExecutor(2) as pool:
        pool.submit(interrupt)
        try:
            with pytest.raises(KeyboardInterrupt):
                list(dispatch_jobs([replace(JOB, key="a")], lambda job: pool.submit(work, job)))
            assert not ended.is_set()
        finally:
            may_end.set()


@pytest.mark.parametrize("workers", [1, 2])
def test_threads_fit_what_is_used_first(monkeypatch, workers):
    ended = []

    def run(job, context):
        ended.append(job.key)
        return outcome(job.key)

    monkeypatch.setattr("hybridrec.engine.executor.run_fit_job", run)
    outcomes = list(ThreadExecutor(workers).submit(chain(), UNLIMITED))
    assert {each.key for each in outcomes} == {"a", "b", "c", "alone"}
    assert [key for key in ended if key != "alone"] == ["a", "b", "c"]


def test_one_job_is_done_by_the_caller(monkeypatch):
    monkeypatch.setattr(
        "hybridrec.engine.executor.run_fit_job", lambda job, context: outcome(str(threading.get_ident()))
    )
    assert [each.key for each in ThreadExecutor(2).submit([JOB], None)] == [str(threading.get_ident())]


def test_the_plugin_of_the_page_keeps_its_contract(page):
    suite = type("Suite", (ExecutorContract,), {"executor": page.ProcessPool})
    assert {outcome.status for outcome in run_checks(suite)} == {"passed"}


def test_the_local_executor_has_a_thread_for_each_worker(experiment):
    checked = load_experiment(experiment(), Registry())
    with open_executor(checked) as executor:
        assert (type(executor), executor.workers) == (ThreadExecutor, 2)
    with open_executor(checked, own := ThreadExecutor(3)) as executor:
        assert executor is own


class Gauge:
    """Runs jobs that take a moment, and remembers which were in work at the same time."""

    def __init__(self, monkeypatch):
        self.lock, self.running, self.together = threading.Lock(), [], []
        monkeypatch.setattr("hybridrec.engine.executor.run_fit_job", self.run)
        monkeypatch.setattr("hybridrec.engine.memory.machine_bytes", lambda: None)

    def run(self, job, context):
        with self.lock:
            self.running.append(job.memory)
            self.together.append(sorted(self.running))
        time.sleep(0.02)
        with self.lock:
            self.running.remove(job.memory)
        return outcome(job.key)


def of_the_page(page):
    """The executor of the docs, with threads in place of its processes."""
    executor = page.PoolExecutor(4)
    executor.pool = ThreadPoolExecutor(4)
    return executor


@pytest.mark.parametrize(
    "executor",
    [
        lambda page: ThreadExecutor(4),
        lambda page: LeasingThreads(4, None),
        lambda page: ProcessExecutor(4),
        of_the_page,
    ],
    ids=["threads", "leases", "processes", "page"],
)
def test_fits_go_side_by_side_only_as_far_as_their_estimates_fit_the_budget(monkeypatch, page, executor):
    gauge = Gauge(monkeypatch)
    monkeypatch.setattr(page, "run_fit_job", gauge.run)
    for cls, method in ((LeasingThreads, "_run"), (ProcessExecutor, "_fit")):
        monkeypatch.setattr(cls, method, lambda self, job, context: gauge.run(job, context))
    monkeypatch.setattr("hybridrec.engine.memory.private_bytes", lambda processes: 0)
    sizes = [5, 5, 2, 7, 0, 1, 5]
    jobs = [replace(JOB, key=str(place), memory=size * 10**9) for place, size in enumerate(sizes)]
    outcomes = list(executor(page).submit(jobs, FitContext(NullStore(), None, memory=8 * 10**9)))
    assert sorted(int(each.key) for each in outcomes) == [*range(len(sizes))]
    sums = [sum(together) for together in gauge.together]
    assert max(sums) <= 8 * 10**9
    assert any(len(together) > 1 for together in gauge.together), "nothing went side by side"
    assert 7 * 10**9 in {size for together in gauge.together for size in together}


def test_memory_that_the_process_holds_already_leaves_less_for_fits(monkeypatch):
    """Two fits of 3 GB fit into 8 GB beside nothing, but not beside 4 GB of data."""
    gauge = Gauge(monkeypatch)
    jobs = [replace(JOB, key=str(place), memory=3 * 10**9) for place in range(3)]
    for held, most in ((0, 2), (4 * 10**9, 1)):
        gauge.together.clear()
        monkeypatch.setattr("hybridrec.engine.memory.private_bytes", lambda processes, held=held: held)
        with ThreadPoolExecutor(3) as pool:
            list(dispatch_jobs(jobs, lambda job: pool.submit(gauge.run, job, None), 8 * 10**9))
        assert max(map(len, gauge.together)) == most


def test_two_large_fits_of_a_run_are_never_in_work_together(experiment, monkeypatch):
    run, lock, running, together = run_fit_job, threading.Lock(), [], []

    def gauged(job, context):
        with lock:
            running.append(job.memory)
            together.append(sum(running))
        time.sleep(0.02)
        result = run(job, context)
        with lock:
            running.remove(job.memory)
        return result

    monkeypatch.setattr("hybridrec.engine.executor.run_fit_job", gauged)
    large = "noise: {use: echo, bytes: 5000000000}\n  loud: {use: echo, bytes: 5000000001}"
    path = experiment(("noise: {use: echo}", large), ("{from: noise, k: 10}", "{from: noise, k: 10}, {from: loud}"))
    hybridrec.run(path, executor=ThreadExecutor(4))
    assert max(together) < 8 * 10**9
    assert max(together) >= 5 * 10**9


def test_repeats_beside_the_first_are_trained_side_by_side_where_the_executor_allows_it(experiment, monkeypatch):
    class Elsewhere(ThreadExecutor):
        side_by_side = True

    config = experiment(("workers: 2", "workers: 2\nrepeats: 3"))
    alone = hybridrec.run(config, store="alone")
    together = threading.Barrier(2, timeout=60)
    prepare = FoldTrainer.prepare

    def meet(trainer, *words):
        if trainer.fitter.repeat > 1:
            together.wait()
        return prepare(trainer, *words)

    monkeypatch.setattr(FoldTrainer, "prepare", meet)
    apart = hybridrec.run(config, store="apart", executor=Elsewhere(2))
    assert same(apart) == same(alone)
    assert len({fit.key for fit in apart.report.fits if fit.label == "noise"}) == 3


def test_an_executor_whose_library_is_missing_is_told_by_its_name():
    class Elsewhere(Threads):
        """Threads that need a library."""

        name, requires, install_hint = "elsewhere", ("no_such_library.below",), "pip install it"

    with pytest.raises(MissingDependencyError, match=r"^'elsewhere' needs .*, which is not installed: pip install it$"):
        open_named("elsewhere", Registry(plugins=[Elsewhere]))
