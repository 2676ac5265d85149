"""The executor of processes: what threads give, and components that hang or end their process are named and retried."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import hybridrec
from hybridrec import FitTimeoutError, PluginError, ProcessExecutor, Registry, Run
from hybridrec.config.load import load_experiment
from hybridrec.engine import process_executor
from hybridrec.engine.executor import open_executor
from hybridrec.engine.process_executor import Processes
from hybridrec.inference.threads import call_within
from hybridrec.testing import ExecutorContract
from hybridrec.testing.executors import _runs
from tests.torture.subject import CONFIG, results, write_config, write_data

SOURCE = """\
import os, signal, time
from pathlib import Path

import numpy as np
from hybridrec import DenseModel, Options, hookimpl


class OddOptions(Options):
    \"\"\"Options of `odd`.\"\"\"

    place: str = "fit"
    \"\"\"Where it misbehaves.\"\"\"
    once: str = ""
    \"\"\"A file that it makes when it misbehaves, and with which it does not; without one it always does.\"\"\"


class Odd(DenseModel):
    \"\"\"A model that misbehaves in an odd way.\"\"\"

    name, targets, Config = "odd", ("items",), OddOptions

    def misbehave(self, place):
        if place != self.config.place or (self.config.once and Path(self.config.once).exists()):
            return
        if self.config.once:
            Path(self.config.once).touch()
        DEED

    def fit(self, data, rng):
        self.misbehave("fit")
        return self.restore({"n": np.array([len(name) for name in data.items.names()], np.float32)})

    def scores(self, queries, target):
        self.misbehave("scores")
        return np.tile(self.lengths, (len(queries), 1))

    def state(self):
        return {"n": self.lengths}

    def restore(self, state):
        self.lengths = state["n"]
        return self


@hookimpl
def hybridrec_components():
    return [Odd]
"""
FOREVER = "while True: time.sleep(0.5)"


@pytest.fixture
def odd(tmp_path):
    """A function that writes a plugin that misbehaves, with a config that uses it, and runs it."""

    def run(deed, options=None, executor=None, **changes):
        write_data(tmp_path)
        components = {**CONFIG["components"], "strange": {"use": "odd", **(options or {})}}
        pipelines = {
            **CONFIG["pipelines"],
            "mixed": {"generators": [{"from": "strange", "k": 20}], "fallback": ["pop"]},
        }
        path = write_config(tmp_path, components=components, pipelines=pipelines, **changes)
        plugin = tmp_path / "odd_plugin.py"
        plugin.write_text(SOURCE.replace("DEED", deed), encoding="utf-8")
        return hybridrec.run(
            path, plugins=[plugin], store=tmp_path / "store", runs=tmp_path / "runs", executor=executor
        )

    return run


@pytest.fixture(scope="module")
def processes():
    with ProcessExecutor(2) as executor:
        yield executor


def test_processes_give_what_threads_give(tmp_path, processes):
    write_data(tmp_path)
    path = write_config(tmp_path)
    places = [{"store": tmp_path / name, "runs": tmp_path / f"runs-{name}"} for name in ("threads", "apart")]
    threads, apart = (
        hybridrec.run(path, executor=executor, **place)
        for executor, place in zip((None, processes), places, strict=True)
    )
    assert results(threads) == results(apart)


def test_a_fit_that_never_returns_is_named_with_its_line_and_what_was_fitted_is_kept(odd, tmp_path):
    started = time.monotonic()
    with pytest.raises(FitTimeoutError, match=r"components\.strange \(odd\) has not returned from its fit") as info:
        odd(FOREVER, fit_timeout=1.5)
    assert time.monotonic() - started < 60
    assert "after 1.5 s" in str(info.value)
    assert "is at odd_plugin.py:27" in str(info.value)
    assert "while fitting components.strange in fold test (full)" in "".join(info.value.__notes__)
    assert info.value.exit_status == 3
    kept = hybridrec.Store(tmp_path / "store").artifacts()
    assert {"ease", "als", "knn"} <= {entry.about.get("label") for entry in kept}


def test_a_fit_in_time_is_what_it_is_without_a_limit(odd):
    limited = odd("pass", fit_timeout=100)
    assert results(limited) == results(odd("pass"))


def test_a_fit_that_hangs_in_a_process_is_killed_and_tried_again(odd, tmp_path, processes):
    run = odd(FOREVER, {"once": str(tmp_path / "hung")}, processes, fit_timeout=4)
    assert (tmp_path / "hung").exists()
    assert "mixed" in run.report.pipelines
    with pytest.raises(FitTimeoutError, match="strange") as info:
        odd(FOREVER, {"once": ""}, processes, fit_timeout=2)
    assert "it was tried 2 times, each time in another process" in info.value.__notes__


@pytest.mark.slow
def test_a_fit_that_holds_the_interpreter_is_killed_all_the_same(odd, processes, monkeypatch):
    monkeypatch.setattr(process_executor, "GRACE", 1.0)
    with pytest.raises(FitTimeoutError, match=r"components\.strange in fold test .* did not return in 3 s, and"):
        odd("import re; re.match('(a+)+$', 'a' * 64 + 'b')", {}, processes, fit_timeout=2)


@pytest.mark.parametrize(("deed", "reason"), [("os._exit(7)", "exit status 7"), ("os.abort()", "SIGABRT")])
def test_a_component_that_ends_its_process_is_named(odd, processes, deed, reason):
    with pytest.raises(PluginError, match=rf"while fitting components\.strange .*: odd 1 ended its process \({reason}"):
        odd(deed, {}, processes)


@pytest.mark.slow
def test_a_component_that_closes_the_connection_and_hangs_is_killed(odd, processes, monkeypatch):
    monkeypatch.setattr(process_executor, "GRACE", 0.5)
    with pytest.raises(PluginError, match=r"ended its process \(it closed its connection"):
        odd("os.closerange(3, 99); time.sleep(1e6)", {}, processes)


@pytest.mark.slow
def test_scores_that_end_their_process_are_named_or_tried_again(odd, tmp_path, processes):
    run = odd("os._exit(7)", {"place": "scores", "once": str(tmp_path / "ended")}, processes)
    assert (tmp_path / "ended").exists()
    assert "mixed" in run.report.pipelines
    with pytest.raises(PluginError, match=r"pipeline 'mixed', generator 'strange'.*: odd 1 ended its process"):
        odd("os._exit(7)", {"place": "scores"}, processes)


@pytest.mark.slow
def test_what_a_plugin_raises_comes_out_with_its_notes_even_if_it_cannot_be_pickled(odd, processes):
    with pytest.raises(RuntimeError, match="gone") as info:
        odd("raise RuntimeError('gone')", {}, processes)
    assert "while fitting components.strange" in "".join(info.value.__notes__)
    with pytest.raises(PluginError, match="Odd: of its own") as info:
        odd("raise type('Odd', (Exception,), {})('of its own')", {}, processes)
    assert "while fitting components.strange" in "".join(info.value.__notes__)


def test_the_config_names_the_executor(tmp_path):
    write_data(tmp_path)
    path = write_config(tmp_path)
    named = load_experiment(path, Registry(), ("executor=processes", "executor.retries=3", "workers=3"))
    with open_executor(named) as apart:
        assert isinstance(apart, ProcessExecutor)
        assert (apart.workers, apart.retries) == (3, 3)
    run = hybridrec.run(path, ["executor=processes"], store=tmp_path / "store", runs=tmp_path / "runs")
    assert isinstance(run, Run)


def test_processes_end_with_the_executor():
    with ProcessExecutor(1) as executor:
        (process,) = executor.map(_process, [0])
        assert Path(f"/proc/{process}").exists()
    assert not Path(f"/proc/{process}").exists()


def _process(_: int) -> int:
    return os.getpid()


@pytest.mark.parametrize("error", [EOFError("cut off"), ConnectionResetError("the other end is gone")])
def test_an_error_of_a_call_is_not_taken_for_the_end_of_its_process(processes, error):
    """They are those of a pipe whose other end is closed, too."""
    with pytest.raises(type(error), match=str(error)):
        call_within(60, lambda: list(processes.map(_fail, [error])))


def _fail(error: Exception) -> None:
    raise error


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="this system does not list its processes")
def test_a_process_that_hangs_ends_when_the_one_that_started_it_is_killed(tmp_path):
    script, told = tmp_path / "hangs.py", tmp_path / "told"
    script.write_text(HANGS, encoding="utf-8")
    with subprocess.Popen([sys.executable, str(script), str(told)]) as parent:
        until = time.monotonic() + 60
        while not (told.exists() and told.read_text()) and time.monotonic() < until:
            time.sleep(0.05)
        parent.kill()
    while _runs(told.read_text()) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _runs(told.read_text())


HANGS = """\
import os, sys, time
from hybridrec import ProcessExecutor

def hang(path):
    with open(path, "w") as file:
        file.write(str(os.getpid()))
    while True:
        time.sleep(0.1)

if __name__ == "__main__":
    list(ProcessExecutor(1).map(hang, sys.argv[1:]))
"""


def test_a_script_that_processes_cannot_import_is_told_so(tmp_path):
    code = "from hybridrec import ProcessExecutor\nprint(list(ProcessExecutor(1).map(abs, [1])))"
    done = subprocess.run([sys.executable, "-"], input=code, capture_output=True, text=True, timeout=60, check=False)
    assert 'a script that starts it does so under `if __name__ == "__main__":`' in done.stderr


class TestProcesses(ExecutorContract):
    executor = Processes
