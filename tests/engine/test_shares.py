"""Shares: workers that have the store in common do every fit once, and a run finds what one process would give."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

import hybridrec
from hybridrec import ConfigError, DataError, PluginError
from hybridrec.api import fit, plan_fits
from hybridrec.engine import keys
from hybridrec.engine.runner import NullProgress
from hybridrec.engine.shares import AgreedPlan, Share, _mark, _some
from hybridrec.engine.store import Store
from tests.cli.processes import command, environment

SHARED = [
    ("split: {use: masked, test: 0.3}", "split: {use: random, folds: 2}"),
    ("  ease: {l2: 5}\n", "  ease: {choose: {l2: [5, 500]}}\n"),
    ("[{use: weighted, weights: {ease: 1, pop: 0.2}}]", "[{use: student}]"),
    ("workers: 2\nobserve: {toy-events: {}}", "workers: 1\nrepeats: 2\nrefit: all"),
]
"""Folds, repeats, an option to be chosen, a blend that learns, and a training on all data at the end."""


def same_slates(left, right):
    files = sorted(path.relative_to(left.folder) for path in left.folder.rglob("*.parquet"))
    assert files
    return all((left.folder / file).read_bytes() == (right.folder / file).read_bytes() for file in files)


def test_the_shares_one_after_the_other_leave_nothing_for_the_run(experiment):
    path = experiment(*SHARED)
    alone = hybridrec.run(path, store="alone", runs="alone-runs")
    first = plan_fits(path, shares=3, store="shared")
    assert not any(entry.stored for entry in first.fits)
    assert {*first.shares.values()} == {1, 2, 3}
    fitted = 0
    for _ in range(4):
        for number in (1, 2, 3):
            report = fit(path, share=f"{number}/3", store="shared")
            fitted += report.fitted
            assert report.doubled == 0
    assert report.left == ()
    assert report.stored == report.fits == fitted
    assert all(entry.stored for entry in plan_fits(path, store="shared").fits)
    together = hybridrec.run(path, store="shared", runs="shared-runs")
    assert all(each.cached for each in together.report.fits)
    assert together.report.comparable() == alone.report.comparable()
    assert same_slates(alone, together)


def test_only_who_plans_reads_what_the_store_has_of_all_fits(experiment, monkeypatch):
    path = experiment(*SHARED)
    listed, artifacts = [], Store.artifacts
    monkeypatch.setattr(Store, "artifacts", lambda store: (listed.append(store), artifacts(store))[1])
    plan_fits(path, shares=2, store="shared")
    assert len(listed) == 1
    fit(path, share="1/2", store="shared")
    assert len(listed) == 1


def test_what_waits_is_left_with_its_reason_and_done_later(experiment):
    path = experiment(("noise: {use: echo}", "noise: {use: items-only}"), *SHARED)
    left = {}
    for number in (1, 2, 3):
        report = fit(path, share=f"{number}/3", store="shared")
        left |= {each.entry.place: each.reason for each in report.left}
    assert left
    assert {reason.rpartition(" for ")[0] for reason in left.values()} == {"waits"}
    assert fit(path, store="shared").left == ()


def test_a_worker_that_steals_does_the_other_shares_as_well(experiment):
    path = experiment(*SHARED)
    assert fit(path, share="2/3", store="shared").left
    report = fit(path, share="1/3", store="shared", steal=True)
    assert report.left == ()
    assert report.stored == report.fits
    assert fit(path, share="3/3", store="shared", steal=True).fitted == 0


def test_what_another_worker_is_at_is_left_alone(experiment, monkeypatch):
    path = experiment()
    entry = next(entry for entry in plan_fits(path, store="shared").fits if entry.label == "noise")
    lease = Path("shared/leases") / entry.key
    lease.parent.mkdir()
    lease.write_text(json.dumps({"by": "machine a, process 1", "beat": 1000}))
    report = fit(path, store="shared")
    assert [(each.entry.label, each.reason) for each in report.left] == [("noise", "machine a, process 1 is at it")]
    lease.unlink()
    assert fit(path, store="shared").fitted == 1


def test_a_waiting_worker_goes_on_when_the_other_is_gone(experiment):
    path = experiment()
    entry = next(entry for entry in plan_fits(path, store="shared").fits if entry.label == "noise")
    lease = Path("shared/leases") / entry.key
    lease.parent.mkdir()
    lease.write_text(json.dumps({"by": "machine a, process 1", "beat": 0.2}))
    report = fit(path, store="shared", wait=True)
    assert report.left == ()


def test_a_fit_that_a_clock_ended_elsewhere_is_not_waited_for(experiment, monkeypatch):
    from toyland import Echo

    path = experiment(("workers: 2\nobserve: {toy-events: {}}", "workers: 1\nrepeats: 2"))
    shares = plan_fits(path, shares=4, store="shared").shares
    first, second = shares["test/full/noise"], shares["test/full/noise, repeat 2"]
    assert first != second
    monkeypatch.setattr(Echo, "ended_by_clock", True)
    for number in {1, 2, 3, 4} - {second}:
        fit(path, share=f"{number}/4", store="shared")

    class Watched(NullProgress):
        def task(self, name, total):
            assert not name.startswith("wait for "), name
            return super().task(name, total)

    (left,) = fit(path, share=f"{second}/4", store="shared", wait=True, progress=Watched()).left
    assert left.entry.place == "test/full/noise, repeat 2"
    assert left.reason == "waits for a fit that a limit of time ended: `hybridrec run` does both"


def test_a_waiting_worker_names_what_it_waits_for_until_a_clock_ends_it(experiment, monkeypatch):
    path = experiment(("workers: 2\nobserve: {toy-events: {}}", "workers: 1\nrepeats: 2"))
    plan = plan_fits(path, shares=4, store="shared")
    second = plan.shares["test/full/noise, repeat 2"]
    waits = []

    class Watched(NullProgress):
        def task(self, name, total):
            if name.startswith("wait for "):
                waits.append(name)
                for entry in plan.fits:
                    if entry.key:
                        Store(Path("shared")).put(_mark(entry.key), {}, {})
            return super().task(name, total)

    report = fit(path, share=f"{second}/4", store="shared", wait=True, progress=Watched())
    assert len(waits) == 1
    assert re.fullmatch(r"wait for test/(full|out_of_fold)/\w+( and \d+ more)?", waits[0])
    assert {left.reason.partition(": ")[0] for left in report.left} == {"waits for a fit that a limit of time ended"}


def test_a_worker_whose_code_libraries_or_data_differ_is_refused_by_name(experiment, monkeypatch):
    from toyland import Echo

    path = experiment()
    plan_fits(path, store="shared")
    with monkeypatch.context() as patch:
        patch.setattr(Echo, "version", 7)
        with pytest.raises(
            PluginError, match=r"components.noise: the version of the component is 7 here and 1 at .*proc"
        ):
            fit(path, store="shared")
    with monkeypatch.context() as patch:
        here = keys.library_versions() | {"numpy": "0.1"}
        patch.setattr(keys, "library_versions", lambda modules=(): here)
        with pytest.raises(PluginError, match=r"components.\w+: the library numpy is 0.1 here and \d.* at .*, process"):
            fit(path, store="shared")
    with pytest.raises(DataError, match=r"the data are not those of .*process"):
        fit(path, ["data.users=50"], store="shared")
    assert fit(path, store="shared").left == ()


def test_a_plan_is_made_anew_for_others_and_stays_for_its_own(experiment, monkeypatch):
    from toyland import Echo

    path = experiment()
    plan_fits(path, store="shared")
    fit(path, store="shared")
    monkeypatch.setattr(Echo, "version", 7)
    before = [entry.stored for entry in plan_fits(path, store="shared").fits if entry.label == "noise"]
    assert before == [False]
    assert fit(path, store="shared").fitted == 1


PLAN = AgreedPlan(
    data="d",
    parts={"test/full": "f"},
    makers={"als": {"version": 2, "source": "s", "libraries": {"implicit": "0.7.2"}}},
    seconds={"a": 8.0, "b": 1.0, "c": 5.0, "d": 4.0, "e": 3.0, "f": 3.0},
    used={"b": "a"},
    by="machine a",
)


def test_shares_are_alike_in_seconds_and_keep_together_what_uses_one_another():
    shares = PLAN.shares(2)
    loads = Counter()
    for place, share in shares.items():
        loads[share] += PLAN.seconds[place]
    assert loads == {1: 12.0, 2: 12.0}
    assert shares["a"] == shares["b"]
    assert {*PLAN.shares(100).values()} <= {*range(1, 101)}
    assert PLAN.shares(4)["a"] != PLAN.shares(4)["b"], "together they are more than a quarter of the whole"


def test_a_plan_says_what_differs():
    PLAN.check(replace(PLAN, parts={}), "x.yaml")
    PLAN.check(AgreedPlan.of({**PLAN.about, "by": "machine b"}), "x.yaml")
    with pytest.raises(DataError, match=r"the training part test/full is not that of machine a, .*plan x.yaml"):
        PLAN.check(replace(PLAN, parts={"test/full": "other"}), "x.yaml")
    makers = {"als": {"version": 2, "source": "s", "libraries": {}}}
    with pytest.raises(PluginError, match=r"the library implicit is missing here and .* at machine a"):
        PLAN.check(replace(PLAN, makers=makers), "x.yaml")


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/0", "a/b", "-1/3", "1/3/5"])
def test_what_is_no_share_is_refused(text):
    with pytest.raises(ConfigError, match=f"--share {text}: a share is written as NUMBER/OF"):
        Share.parse(text)


def test_of_many_keys_some_are_looked_up_each_time_and_all_in_the_end():
    keys = [str(number) for number in range(30)]
    assert _some(keys, 50) == keys
    asked = [_some(keys, 5) for _ in range(200)]
    assert {len({*each}) for each in asked} == {5}
    assert {key for each in asked for key in each} == {*keys}


class Workers:
    """Worker processes on one store, all of which end with the test."""

    def __init__(self, toyland, path):
        self.environment = environment(toyland)
        self.path = path
        self.started = []

    def start(self, *options, **more):
        """Start one."""
        words = command("fit", self.path, "--store", "shared", "--json", "--quiet", *options)
        env = self.environment | more.get("env", {})
        self.started.append(subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return self.started[-1]

    def end(self, process):
        """Wait for the end of one: its report."""
        out, err = process.communicate(timeout=600)
        assert process.returncode == 0, err
        return json.loads(out)


@pytest.fixture
def workers(toyland, tmp_path):
    made = []

    def make(path):
        made.append(Workers(toyland, path))
        return made[-1]

    yield make
    for process in (process for each in made for process in each.started if process.poll() is None):
        process.kill()
        process.communicate()


def at_work(key, process):
    """Wait until the process holds the lease of a key."""
    deadline = time.monotonic() + 60
    lease = Path("shared/leases") / key
    while not (lease.exists() and f'process {process.pid}"' in lease.read_text()):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def slow(experiment, seconds):
    """The experiment with one long fit that writes a line into a file: (path, key of the fit)."""
    path = experiment(("noise: {use: echo}", f"noise: {{use: echo, seconds: {seconds}, log: log.txt}}"))
    Path("log.txt").write_text("")
    return path, next(entry.key for entry in plan_fits(path, store="shared").fits if entry.label == "noise")


def test_a_killed_worker_is_replaced(experiment, workers):
    path, key = slow(experiment, 1.5)
    crew = workers(path)
    killed = crew.start("--beat", 0.3)
    at_work(key, killed)
    killed.kill()
    killed.communicate()
    report = fit(path, store="shared", beat=0.3, wait=True)
    assert (report.left, report.doubled) == ((), 0)
    assert report.stored == report.fits


@pytest.mark.slow
def test_a_worker_stopped_beyond_its_lease_ends_well_and_counts_what_was_doubled(experiment, workers):
    path, key = slow(experiment, 1.5)
    crew = workers(path)
    stopped = crew.start("--beat", 0.3)
    at_work(key, stopped)
    stopped.send_signal(signal.SIGSTOP)
    held = sum(f'process {stopped.pid}"' in lease.read_text() for lease in Path("shared/leases").glob("[0-9a-f]*"))
    report = crew.end(crew.start("--beat", 0.3, "--wait"))
    assert (report["left"], report["doubled"]) == ([], 0)
    stopped.send_signal(signal.SIGCONT)
    late = crew.end(stopped)
    assert late["left"] == []
    assert 1 <= late["doubled"] <= held  # a busy machine may stop it at a short fit, too
    alone = hybridrec.run(path, store="alone", runs="alone-runs")
    together = hybridrec.run(path, store="shared", runs="shared-runs")
    assert together.report.comparable() == alone.report.comparable()


CLOCK = """
import time
for name, unit in (("time", 1), ("time_ns", 10**9)):
    setattr(time, name, lambda told=getattr(time, name), unit=unit: told() + 3600 * unit)
"""


@pytest.mark.slow
@pytest.mark.parametrize("first", [True, False])
def test_a_clock_one_hour_off_doubles_nothing(experiment, workers, tmp_path, first):
    path, key = slow(experiment, 3)
    crew = workers(path)
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock" / "sitecustomize.py").write_text(CLOCK)
    wrong = {"PYTHONPATH": os.pathsep.join([str(tmp_path / "clock"), crew.environment["PYTHONPATH"]])}
    told = subprocess.run(
        [sys.executable, "-c", "import time; print(time.time())"],
        env=crew.environment | wrong, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert float(told.stdout) - time.time() > 3000
    holder = crew.start("--beat", 2, env=wrong if first else {})
    at_work(key, holder)
    other = crew.start("--beat", 2, "--wait", env={} if first else wrong)
    reports = [crew.end(holder), crew.end(other)]
    assert [report["doubled"] for report in reports] == [0, 0]
    assert Path("log.txt").read_text() == "fit\n"


@pytest.mark.slow
def test_eight_processes_on_one_folder_give_the_report_of_one(experiment, workers):
    path = experiment(("noise: {use: echo}", "noise: {use: echo, log: log.txt}"), *SHARED)
    alone = hybridrec.run(path, store="alone", runs="alone-runs")
    fits = len(Path("log.txt").read_text().splitlines())
    Path("log.txt").write_text("")
    crew = workers(path)
    started = [crew.start("--share", f"{number}/8", "--wait") for number in range(1, 9)]
    reports = [crew.end(process) for process in started]
    assert [report["left"] for report in reports] == [[]] * 8
    assert sum(report["doubled"] for report in reports) == 0
    assert len(Path("log.txt").read_text().splitlines()) == fits
    together = hybridrec.run(path, store="shared", runs="shared-runs")
    assert all(each.cached for each in together.report.fits)
    assert together.report.comparable() == alone.report.comparable()
    assert same_slates(alone, together)
