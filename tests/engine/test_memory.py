"""Memory: what a process holds by itself, what the machine has, and what a budget admits."""

import mmap
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hybridrec.engine import memory
from hybridrec.engine.memory import MemoryBudget, PeakMemory, machine_bytes, private_bytes

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


def test_a_system_that_does_not_tell_holds_nothing(tmp_path):
    assert private_bytes([1], root=tmp_path) == 0
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
