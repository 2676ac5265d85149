"""The seconds and the memory of the processes that a benchmark started, and of no others."""

import sys
from pathlib import Path

import pytest

from benchmarks.processes import measure
from benchmarks.timing import Way

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux tells the memory of processes")
BUSY = (
    "import time; held = bytearray(60_000_000); end = time.process_time() + 0.6\nwhile time.process_time() < end: pass"
)


def test_processes_side_by_side_are_added_up(tmp_path):
    way = Way()
    measure([[[sys.executable, "-c", BUSY]] * 2, [[sys.executable, "-c", "pass"]]], tmp_path, {}, way)
    assert 0.8 < way.cpu[0] < 5
    assert 50 < way.facts["private MB of a process"] < 200
    assert way.facts["of all"] > 100


def test_a_command_that_fails_is_an_error_with_its_text(tmp_path):
    with pytest.raises(RuntimeError, match="no such thing"):
        measure([[[sys.executable, "-c", "raise SystemExit('no such thing')"]]], tmp_path, {}, Way())
