"""Fixtures of experiments and of the command line: a plugin of their own and a small experiment."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from threadpoolctl import threadpool_limits

from hybridrec.cli import main
from hybridrec.data.io import npy
from hybridrec.testing import benchmark
from tests import fake_plugin

TOYLAND = Path(__file__).parent / "toyland"
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")  # how long an example takes says something of the machine alone
for number, handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGTERM, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:  # by nohup or `&`; the commands in the tests would inherit it
        signal.signal(number, handler)

CONFIG = """\
name: toy
seed: 3
data: {reader: toy}
split: {use: masked, test: 0.3}
components:
  ease: {l2: 5}
  pop: {use: popularity}
  noise: {use: echo}
targets: {items: 10, tags: 5}
pipelines:
  control: {generators: [{from: pop, k: 20}], fallback: [tag-fallback, popularity]}
  hybrid:
    generators: [{from: ease, k: 20}, {from: noise, k: 10}]
    scorers: [pop]
    rerank: [{use: weighted, weights: {ease: 1, pop: 0.2}}]
    fallback: [tag-fallback, popularity]
compare:
  control: control
  metrics: [ndcg@5, tags/ndcg@5]
  resamples: 100
workers: 2
observe: {toy-events: {}}
"""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the seconds of the tests by folder, longest first, added up over all workers."""
    seconds: Counter[str] = Counter()
    for report in chain.from_iterable(terminalreporter.stats.values()):
        if isinstance(report, pytest.TestReport):
            file = Path(report.nodeid.partition("::")[0])  # the location of a contract's check is that of the contract
            seconds["/".join(file.parts[1:-1][:1]) or "tests"] += report.duration
    if len(seconds) > 1:
        told = ", ".join(f"{folder} {spent:.0f}" for folder, spent in seconds.most_common())
        terminalreporter.write_line(f"seconds of {sum(seconds.values()):.0f}: {told}")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the fits on large data to the slow tests, where they are those of the plugins here: together a minute."""
    plugins = Path(__file__).parent / "plugins"
    for item in items:
        if item.name.startswith("test_memory_is_as_estimated") and item.path.is_relative_to(plugins):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Lets BLAS have one thread, here and in processes that tests start.

    Threads that wait for each other spin: with two, small matrices took six times the CPU beside another worker.
    """
    with pytest.MonkeyPatch.context() as patch, threadpool_limits(limits=1):
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture
def toyland(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The plugin `toyland` as if it were installed: its folder, for subprocesses."""
    monkeypatch.syspath_prepend(str(TOYLAND))
    if (module := sys.modules.get("toyland")) is not None:
        module.events.clear()
    return TOYLAND


@pytest.fixture
def install_fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Installs plugins of `tests.fake_plugin.SOURCES` by what is wrong with them; returns their folder."""
    folder = tmp_path / "fake_plugins"

    def install(*faults: str) -> Path:
        for fault in faults:
            fake_plugin.install(
                folder,
                monkeypatch,
                fault,
                fake_plugin.SOURCES[fault],
                version=fake_plugin.VERSIONS.get(fault, "1.0"),
                entry_point=fake_plugin.ENTRY_POINTS.get(fault),
            )
        return folder

    return install


@pytest.fixture
def experiment(tmp_path: Path, toyland: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Writes the small experiment, with pieces of its text replaced, and works in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYBRIDREC_STORE", raising=False)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # no power will fail, and disks are slow

    def write(*replacements: tuple[str, str], name: str = "toy.yaml") -> Path:
        text = CONFIG
        for old, new in replacements:
            assert old in text, f"{old!r} is not in the config any more"
            text = text.replace(old, new)
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """Runs the command line in this process: (exit status, standard output, standard error)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["hybridrec", *map(str, arguments)])
        try:
            main()
            status = 0
        except SystemExit as end:
            status = end.code
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.fixture
def instant_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets `check-plugin` report no time for the import of a plugin, which it measures in a process of its own."""
    monkeypatch.setattr(benchmark, "seconds_of_import", lambda _: 0.0)


@pytest.fixture
def succeed(call: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs the command line in this process and in a folder, where it must succeed: standard output."""

    def run(*arguments: object, cwd: Path) -> str:
        monkeypatch.delenv("HYBRIDREC_STORE", raising=False)
        monkeypatch.chdir(cwd)
        status, out, err = call(*arguments)
        assert status == 0, err
        return out

    return run


@pytest.fixture
def save_npy(tmp_path, monkeypatch):
    """Write an array as .npy; a block holds a few rows of it."""
    monkeypatch.setattr(npy, "BLOCK", 5000)

    def write(array, **options):
        np.save(tmp_path / "x.npy", array, **options)
        return tmp_path / "x.npy"

    return write
