"""What every way of the ALS job shares: the clock, the peak of memory, the settings."""

import json
import resource
import sys
import time
from pathlib import Path

FACTORS, ITERATIONS, REGULARIZATION, CONFIDENCE, TOP = 64, 15, 20.0, 11.0, 100
THREADS = 2


class Clock:
    """Seconds of wall and CPU time by phase."""

    def __init__(self):
        self.phases = {}
        self._last = (time.perf_counter(), time.process_time())

    def phase(self, name):
        """The time since the last phase ended was this one's."""
        now = (time.perf_counter(), time.process_time())
        self.phases[name] = [now[0] - self._last[0], now[1] - self._last[1]]
        self._last = now


def forget_peak():
    """Let `peak_bytes` begin anew with what the process holds now, where the system can (Linux)."""
    switch = Path("/proc/self/clear_refs")
    if switch.exists():
        switch.write_text("5")


def peak_bytes():
    """The most memory this process ever held; Linux says it exactly, also for a child of a large process."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def told(clock, **facts):
    """Print what the benchmark reads."""
    print(json.dumps({"phases": clock.phases, "peak": peak_bytes(), **facts}))
