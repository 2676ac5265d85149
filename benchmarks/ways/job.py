"""Common parts of all ways of the ALS job: the settings, the clock, and the peak of memory."""

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
        """Record the time since the end of the last phase as that of the phase `name`."""
        now = (time.perf_counter(), time.process_time())
        self.phases[name] = [now[0] - self._last[0], now[1] - self._last[1]]
        self._last = now


def forget_peak():
    """Reset `peak_bytes` to the memory that the process holds now, if the system can (Linux)."""
    switch = Path("/proc/self/clear_refs")
    if switch.exists():
        switch.write_text("5")


def peak_bytes():
    """Return the peak memory of this process in bytes; on Linux it is exact, even for a child of a large process."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def told(clock, **facts):
    """Print the phases, the peak of memory and other facts as JSON, which the benchmark reads."""
    print(json.dumps({"phases": clock.phases, "peak": peak_bytes(), **facts}))
