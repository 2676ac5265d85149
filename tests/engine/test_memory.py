"""Memory: what a process holds by itself, what the machine has, and what a budget admits."""

import mmap
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hybridrec.engine import memory
from hybridrec.engine.memory import MemoryBudget, PeakMemory, machine_bytes, private_bytes, started_processes

LINUX = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux says what memory is a process's own")
SIZE = 64_000_000


@LINUX
def test_arrays_count_and_mapped_files_do_not(tmp_path):
    (tmp_path / "mapped").write_bytes(bytes(SIZE))
    before = private_bytes()
    with (tmp_path / "mapped").open("rb") as file:
        pages = np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
    assert pages.sum() == 0
    assert private_bytes() - before < SIZE / 4
    array = np.ones(SIZE, np.uint8)
    assert private_bytes() - before > 0.9 * SIZE
    assert len(array) == SIZE


@LINUX
def test_other_processes_count_and_those_that_ended_do_not():
    code = f"import sys; held = bytearray(b'x') * {SIZE}; print('ready', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        assert private_bytes([child.pid]) - private_bytes() > 0.9 * SIZE
        child.stdin.close()
        child.wait()
    assert private_bytes([child.pid]) - private_bytes() < SIZE / 4


@LINUX
@pytest.mark.skipif(not [*Path("/proc/self/task").glob("*/children")], reason="the kernel does not list children")
def test_a_budget_counts_what_was_started_and_what_that_has_started(monkeypatch):
    monkeypatch.setattr(memory, "machine_bytes", lambda: None)
    budget = MemoryBudget(3 * SIZE)
    code = f"import os, sys; held = bytearray(b'x') * {SIZE}; print(os.getpid(), flush=True); sys.stdin.read()"
    starts = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"
    with subprocess.Popen([sys.executable, "-c", starts], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        numbers = {child.pid, int(child.stdout.readline())}
        assert numbers <= {*started_processes()}
        assert budget.held() - budget.before > 0.9 * SIZE
        assert not budget.admits(int(2.2 * SIZE), [1])
        child.stdin.close()
        child.wait()
    assert not numbers & {*started_processes()}
    assert budget.admits(int(2.2 * SIZE) - budget.before, [1])


def test_a_system_that_does_not_tell_holds_nothing(tmp_path):
    assert private_bytes([1], root=tmp_path) == 0
    assert [*started_processes(root=tmp_path)] == []
    assert machine_bytes(root=tmp_path) is None
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("nonsense\nMemTotal:\n")
    assert machine_bytes(root=tmp_path) is None


@pytest.mark.parametrize("name", ["memory.max", "memory/memory.limit_in_bytes"])
@pytest.mark.parametrize(
    ("limit", "wanted"), [("4000000000", 4_000_000_000), ("max", 8_000_000 * 1024), ("9" * 15, 8_192_000_000)]
)
def test_the_memory_of_a_container_is_that_of_its_group_if_that_is_less(tmp_path, name, limit, wanted):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemTotal:        8000000 kB\nMemFree: 5 kB\n")
    group = tmp_path / "sys/fs/cgroup" / name
    group.parent.mkdir(parents=True)
    group.write_text(limit + "\n")
    assert machine_bytes(root=tmp_path) == wanted


@pytest.mark.parametrize(
    ("line", "folder", "name"),
    [
        ("0::/jobs/7/step", "", "memory.max"),
        ("4:cpu,memory:/jobs/7/step", "memory", "memory.limit_in_bytes"),
    ],
)
def test_the_groups_above_that_of_the_process_limit_it_too(tmp_path, line, folder, name):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(f"9:devices:/elsewhere\n{line}\nnonsense\n")
    own = tmp_path / "sys/fs/cgroup" / folder / "jobs/7/step"
    (own.parents[1] / "other").mkdir(parents=True)
    own.mkdir(parents=True)
    limits = {own: "max", own.parent: "5000", own.parents[1]: "6000", own.parents[1] / "other": "1"}
    for group, limit in limits.items():
        (group / name).write_text(limit + "\n")
    assert machine_bytes(root=tmp_path) == 5_000
    (own / name).write_text("4000\n")
    assert machine_bytes(root=tmp_path) == 4_000


def test_a_fit_alone_is_always_admitted_and_beside_others_by_what_is_held(monkeypatch):
    monkeypatch.setattr(memory, "machine_bytes", lambda: None)
    held = [1]
    budget = MemoryBudget(10, lambda: held[0])
    assert budget.admits(99, [])
    assert budget.admits(4, [5])
    assert not budget.admits(5, [5])
    held[0] = 7  # the other took more than its estimate
    assert not budget.admits(4, [5])
    assert budget.admits(3, [5])


def test_a_budget_is_at_most_the_memory_of_the_machine(monkeypatch):
    monkeypatch.setattr(memory, "machine_bytes", lambda: 6)
    budget = MemoryBudget(10, lambda: 0)
    assert budget.budget == 6
    assert not budget.admits(3, [4])


@LINUX
def test_the_peak_is_seen_although_it_is_gone_at_the_end():
    with PeakMemory(interval=0.005) as peak:
        for _ in range(40):
            array = np.ones(SIZE, np.uint8)
        del array
    assert peak.bytes - peak.before > 0.9 * SIZE
    assert private_bytes() < peak.bytes


def test_the_memory_of_a_fit_is_told_without_a_thread_to_look_at_it(monkeypatch):
    monkeypatch.setattr(sys, "excepthook", None)  # then no thread can be made
    held = iter([10, 30])
    with PeakMemory(lambda: next(held)) as peak:
        pass
    assert (peak.before, peak.bytes) == (10, 30)
