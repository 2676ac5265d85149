"""The executor of Ray gives the report of threads, on one node and on several that come and go."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from textwrap import dedent
from types import SimpleNamespace

import pytest

from hybridrec import FitContext, FitJob, MissingDependencyError, ProgressPoint
from hybridrec.engine.store import NullStore
from hybridrec_ray.board import Board, Notes, Telling
from hybridrec_ray.executor import RayExecutor, cores_for
from hybridrec_ray.plugin import Ray, RayOptions
from tests.conftest import CONFIG, TOYLAND
from tests.docs.markdown import ROOT

START = """
import json, os, secrets, signal, sys, threading, time
from pathlib import Path
import hybridrec
from hybridrec_ray.executor import RayExecutor

def watch_budgets():
    from hybridrec_ray import executor
    budgets, dispatch = [], executor.dispatch_jobs

    def watched(jobs, start, memory=None):
        budgets.append(memory)
        return dispatch(jobs, start, memory)

    executor.dispatch_jobs = watched
    return budgets

def same(left, right):
    assert left.report.comparable() == right.report.comparable()
    files = sorted(path.relative_to(left.folder) for path in left.folder.rglob("*.parquet"))
    assert files
    for file in files:
        assert (left.folder / file).read_bytes() == (right.folder / file).read_bytes(), file
"""


@pytest.fixture
def script(tmp_path):
    """Runs a script in a process of its own, as Ray changes the one in which it is: what it prints at last, as JSON."""
    pytest.importorskip("ray", reason="the extra 'ray' is not installed")

    def run(text, config=CONFIG, timeout=240):
        (tmp_path / "toy.yaml").write_text(config, encoding="utf-8")
        paths = os.pathsep.join(map(str, (TOYLAND, ROOT, ROOT / "plugins")))
        env = os.environ | {"PYTHONPATH": paths, "RAY_DEDUP_LOGS": "0", "OMP_NUM_THREADS": "1"}
        (tmp_path / "script.py").write_text(START + dedent(text), encoding="utf-8")
        words = [sys.executable, "script.py"]
        done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=timeout)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'hybridrec\[ray\]'"):
        RayExecutor()


def test_a_fit_asks_for_the_cores_of_a_node_that_has_its_memory_too():
    nodes = [{"CPU": 64.0, "memory": 10e9}, {"CPU": 4.0, "memory": 200e9}, {"CPU": 2.0, "memory": 200e9}]
    assert [cores_for(memory, nodes) for memory in (0, 10**10, 10**11, 10**12)] == [64, 64, 4, 0]
    head = {"CPU": 0.0, "memory": 500e9}
    assert cores_for(3 * 10**11, [*nodes, head]) == 0
    assert cores_for(0, [head]) == 1, "a node with cores may come"


def test_the_options_go_to_the_executor(monkeypatch):
    given = []
    monkeypatch.setattr("hybridrec_ray.plugin.RayExecutor", lambda *words, **options: given.append((words, options)))
    Ray().open(3)
    Ray(RayOptions(address="head:6379", dashboard=True, usage_report=True)).open(2)
    assert given == [
        ((None, 3), {"dashboard": False, "usage_report": False}),
        (("head:6379", 2), {"dashboard": True, "usage_report": True}),
    ]


class Direct:
    """An actor in this process: what its methods would answer from afar, they answer at once."""

    def __init__(self, notes):
        self.notes = notes

    def __getattr__(self, name):
        return SimpleNamespace(remote=getattr(self.notes, name))


def test_the_driver_hears_in_order_what_a_worker_tells_of_its_fit(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(get=lambda value, timeout: value))
    job = FitJob("echo", "{}", "echo", "data", "test", "full", 3, 1, 1, 0, "key")
    points = [ProgressPoint.told(step, 3, {"loss": 1 / step}) for step in (1, 2, 3)]
    heard = []
    context = FitContext(NullStore(), None, began=heard.append, listener=lambda *told: heard.append(told))
    actor, other = Direct(Notes()), FitContext(NullStore(), None)
    with Board(context, [job], actor, lambda: False) as board, Board(other, [job], actor, lambda: False):
        with Telling(board.place) as telling:
            telling.began(job)
            for point in points:
                telling.progressed(job, point)
        board.ended(job.key)
        assert heard == [job, *((job, point) for point in points)]
        with Telling(board.place) as telling:  # a worker that was lost after its fit, whose message is late
            telling.began(job)
        board.show()
        assert len(heard) == 4


def test_progress_that_is_lost_disturbs_no_fit(monkeypatch):
    def lost(value, timeout):
        raise TimeoutError

    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(get=lost))
    job = FitJob("echo", "{}", "echo", "data", "test", "full", 3, 1, 1, 0, "key")
    with Board(FitContext(NullStore(), None), [job], Direct(Notes()), lambda: False) as board:
        with Telling(board.place) as telling:
            telling.progressed(job, ProgressPoint.told(1, 2, {}))
        board.ended(job.key)


@pytest.mark.slow
def test_it_keeps_the_contract_of_executors(script):
    told = script(
        """
        from hybridrec.testing import ExecutorContract, run_checks
        from hybridrec_ray.plugin import Ray
        suite = type("Suite", (ExecutorContract,), {"executor": Ray})
        print(json.dumps([[outcome.check, outcome.status, outcome.message] for outcome in run_checks(suite)]))
        """
    )
    assert len(told) >= 7
    assert [outcome for outcome in told if outcome[1] != "passed"] == []


@pytest.mark.slow
def test_one_node_gives_the_report_and_the_slates_of_threads(script):
    config = CONFIG.replace("workers: 2\nobserve: {toy-events: {}}", "workers: 2\nrepeats: 2")
    told = script(
        """
        alone = hybridrec.run("toy.yaml", store="alone", runs="alone-runs")
        budgets = watch_budgets()
        with RayExecutor(workers=2) as executor:
            import ray
            assert executor.workers == 2
            assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
            assert not ray._private.worker._global_node.webui_url
            cluster = hybridrec.run("toy.yaml", store="shared", runs="shared-runs", executor=executor)
            same(alone, cluster)
            assert {*budgets} == {8_000_000_000}, "its workers are processes of this machine"
            assert not any(fit.cached for fit in cluster.report.fits if fit.repeat == 1)
            text = Path("toy.yaml").read_text()
            failures = []
            for change in ("misbehave: raise", "bytes: 4000000000000"):
                Path("bad.yaml").write_text("memory: 8TB\\n" + text.replace("use: echo", "use: echo, " + change))
                try:
                    hybridrec.run("bad.yaml", store="shared", executor=executor)
                except Exception as error:
                    failures.append([type(error).__name__, str(error), *getattr(error, "__notes__", [])])
        assert not ray.is_initialized()
        from hybridrec.cli import hybridrec as command_line
        words = ["run", "toy.yaml", "--executor", "ray", "--store", "shared", "--runs", "by-command"]
        command_line.main(words, standalone_mode=False)
        (folder,) = Path("by-command").iterdir()
        same(alone, hybridrec.Run.open(folder))
        print(json.dumps(failures))
        """,
        config,
    )
    raised, too_large = told
    assert raised[:2] == ["RuntimeError", "the echo is gone"]
    assert raised[2] == "while fitting components.noise in fold test (full): echo 1, plugin 'toyland' (toyland 1.5)"
    assert "on the node " in raised[3]
    assert "worker-" in raised[3]
    assert too_large[0] == "MemoryBudgetError"
    assert "components.noise (echo) would need about 4000.0 GB" in too_large[1]
    assert "the largest node" in too_large[1]


@pytest.mark.slow
def test_workers_that_are_killed_and_nodes_that_come_and_go_change_nothing(script):
    echoes = "".join(f"  e{number}: {{use: echo, seconds: 1, log: log.txt}}\n" for number in range(19))
    used = ", ".join(f"{{from: e{number}, k: 10}}" for number in range(19))
    config = (
        CONFIG.replace("  noise: {use: echo}\n", "  noise: {use: echo, log: log.txt}\n" + echoes)
        .replace("{from: noise, k: 10}", "{from: noise, k: 10}, " + used)
        .replace("split: {use: masked, test: 0.3}", "split: {use: random, folds: 3}")
        .replace("workers: 2", "workers: 20")
    )
    told = script(
        """
        Path("log.txt").touch()
        alone = hybridrec.run("toy.yaml", store="alone", runs="alone-runs")
        fits = len(Path("log.txt").read_text().splitlines())
        Path("log.txt").write_text("")
        import ray
        from ray.cluster_utils import Cluster
        os.environ["HYBRIDREC_TEST_MARK"] = mark = secrets.token_hex(16)  # what is killed is of this cluster
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
        killed, removed, ended = [], [], threading.Event()

        def at_work():
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    named = process.joinpath("cmdline").read_bytes().startswith(b"ray::fit ")
                    if named and mark.encode() in process.joinpath("environ").read_bytes():
                        yield int(process.name)
                except OSError:
                    pass

        def kill():  # a bounded number: a busy machine may start workers more slowly than they are killed
            while len(killed) < 5 and not ended.wait(3):
                if (process := next(at_work(), None)) is not None:
                    os.kill(process, signal.SIGKILL)
                    killed.append(process)

        def change():
            if not ended.wait(4):
                cluster.remove_node(nodes.pop(), allow_graceful=False)
                removed.append(True)
            if not ended.wait(3):
                nodes.append(cluster.add_node(num_cpus=1))

        budgets = watch_budgets()
        with RayExecutor(cluster.address) as executor:
            assert executor.workers == 3
            threads = [threading.Thread(target=disturb) for disturb in (kill, change)]
            for thread in threads:
                thread.start()
            shared = hybridrec.run("toy.yaml", store="shared", runs="shared-runs", executor=executor)
            ended.set()
            for thread in threads:
                thread.join()
        cluster.shutdown()
        same(alone, shared)
        assert {*budgets} == {None}, "its nodes may be other machines"
        again = len(Path("log.txt").read_text().splitlines())
        left = len([*at_work()])
        print(json.dumps({"fits": fits, "again": again, "killed": len(killed), "removed": len(removed), "left": left}))
        """,
        config,
        timeout=580,
    )
    assert told["fits"] == 60
    assert told["killed"] >= 2
    assert told["removed"] == 1
    assert told["fits"] <= told["again"] <= told["fits"] + told["killed"] + 1, "what was lost alone is fitted again"
    assert told["left"] == 0


@pytest.mark.slow
def test_two_drivers_on_one_store_have_the_report_of_threads(script):
    echoes = "".join(f"  e{number}: {{use: echo, seconds: 0.5, log: log.txt}}\n" for number in range(6))
    used = ", ".join(f"{{from: e{number}, k: 10}}" for number in range(6))
    told = script(
        """
        import subprocess
        from ray.cluster_utils import Cluster
        Path("log.txt").touch()
        alone = hybridrec.run("toy.yaml", store="alone", runs="alone-runs")
        fits = len(Path("log.txt").read_text().splitlines())
        Path("log.txt").write_text("")
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
        cluster.add_node(num_cpus=2)
        words = [sys.executable, "-m", "hybridrec", "run", "toy.yaml", "--quiet", "--executor", "ray"]
        words += ["--set", f"executor.address={cluster.address}", "--store", "shared", "--runs"]
        drivers = [subprocess.Popen([*words, f"runs-{number}"]) for number in (1, 2)]
        assert [driver.wait(200) for driver in drivers] == [0, 0]
        cluster.shutdown()
        doubled = 0
        for number in (1, 2):
            (folder,) = Path(f"runs-{number}").iterdir()
            shared = hybridrec.Run.open(folder)
            same(alone, shared)
            doubled += sum(fit.doubled for fit in shared.report.fits)
        again = len(Path("log.txt").read_text().splitlines())
        print(json.dumps({"fits": fits, "again": again, "doubled": doubled}))
        """,
        CONFIG.replace("  noise: {use: echo}\n", "  noise: {use: echo}\n" + echoes).replace(
            "{from: noise, k: 10}", "{from: noise, k: 10}, " + used
        ),
    )
    assert told["fits"] == 6
    assert told["fits"] <= told["again"] <= told["fits"] + told["doubled"], "what was done twice is counted"


@pytest.mark.slow
def test_trials_repeats_and_batches_are_those_of_threads(script):
    pytest.importorskip("optuna")
    section = "tune: {pipeline: hybrid, trials: 5, batch: 2, space: {components.ease.l2: {low: 1.0, high: 50.0}}}"
    told = script(
        """
        from hybridrec.cli import hybridrec as command_line

        def outcome(tuned):
            return [[trial.number, trial.values, trial.metrics] for trial in tuned.trials]

        def call(*words):
            command_line.main([*words], standalone_mode=False)

        alone = hybridrec.run("toy.yaml", store="alone", runs="alone-runs")
        trials = outcome(hybridrec.tune("toy.yaml", store="alone"))
        bundle = str(alone.bundle("toy.hybridrec"))
        call("recommend", bundle, "--all", "-o", "by-threads", "--queries-per-part", "7")
        with RayExecutor(workers=2) as executor:
            cluster = hybridrec.run("toy.yaml", store="shared", runs="shared-runs", executor=executor)
            same(alone, cluster)
            assert outcome(hybridrec.tune("toy.yaml", store="shared", executor=executor)) == trials
            call("recommend", bundle, "--all", "-o", "by-ray", "--queries-per-part", "7", "--executor", "ray")
        folders = map(Path, ("by-threads", "by-ray"))
        files = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]
        assert files[0] == files[1]
        print(json.dumps([len(trials), len(files[1])]))
        """,
        CONFIG.replace("workers: 2", f"workers: 2\nrepeats: 3\nrefit: all\n{section}"),
    )
    assert told == [5, 10]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds processes by /proc")
def test_ctrl_c_leaves_neither_processes_nor_leases_nor_partial_files(script):
    told = script(
        """
        import subprocess
        os.environ["HYBRIDREC_TEST_MARK"] = mark = secrets.token_hex(16)

        def marked(name=b""):
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    command = process.joinpath("cmdline").read_bytes()
                    ours = mark.encode() in process.joinpath("environ").read_bytes()
                    if ours and command.startswith(name) and int(process.name) != os.getpid():
                        yield command
                except OSError:
                    pass

        def until(check, seconds):
            ends = time.monotonic() + seconds
            while not check() and time.monotonic() < ends:
                time.sleep(0.2)
            return bool(check())

        ends = []
        for number in (signal.SIGINT, signal.SIGTERM):
            words = [sys.executable, "-m", "hybridrec", "fit", "toy.yaml", "--executor", "ray", "--store", "store"]
            command = subprocess.Popen(words, stderr=subprocess.PIPE, start_new_session=True, env=os.environ)
            assert until(lambda: [*marked(b"ray::fit test/full/noise")], 90), "the fit has not begun"
            assert [path for path in Path("store/leases").rglob("*") if path.is_file()], "no lease is held"
            command.send_signal(number)
            error = command.communicate(timeout=60)[1].decode()
            left = until(lambda: not [*marked()], 20)
            leases = [str(path) for path in Path("store/leases").rglob("*") if path.is_file()]
            partial = [str(path) for path in Path("store").rglob(".*.*-*.*")]
            ends.append([command.returncode, left, leases, partial, "Traceback" in error])
        print(json.dumps(ends))
        """,
        CONFIG.replace("use: echo", "use: echo, seconds: 300"),
    )
    assert told == [[130, True, [], [], False]] * 2
