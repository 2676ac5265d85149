"""The peak memory of a call, and its comparison with an estimate."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from pathlib import Path

UNDER = 2
"""A fit may take at most this many times its estimate, plus `SLACK`."""
OVER = 10
"""An estimate may be at most this many times the sum of `SLACK` and the memory that the fit takes."""
SLACK = 16_000_000
"""Bytes for buffers of libraries and intermediate copies, which do not grow with the data."""
_PROCESS = Path("/proc/self")


def peak_memory(call: Callable[[], object]) -> int:
    """Measure the largest number of bytes that a call holds at any time, beyond what was held before it.

    Memory of Python and numpy is counted exactly. Other memory of libraries is estimated, on Linux only, by the growth
    of the process; growth up to `SLACK` is not counted, since the process may reuse freed memory.
    """
    gc.collect()
    tracing = tracemalloc.is_tracing()
    if not tracing:
        tracemalloc.start()
    try:
        before = _resident(reset=True)
        tracemalloc.reset_peak()
        start, _ = tracemalloc.get_traced_memory()
        call()
        traced = tracemalloc.get_traced_memory()[1] - start
        grown = _resident() - before
    finally:
        if not tracing:
            tracemalloc.stop()
    return max(traced, grown - SLACK)


def misjudged(estimated: int, used: int) -> str | None:
    """Return a sentence if an estimate, in bytes, is too far from the memory used, else None."""
    if used > UNDER * estimated + SLACK:
        return f"`fit` took {_megabytes(used)}, and `memory` says {_megabytes(estimated)}: the budget would not hold it"
    if estimated > OVER * used + OVER * SLACK:
        return f"`fit` took {_megabytes(used)}, and `memory` says {_megabytes(estimated)}: fits with room are refused"
    return None


def _resident(*, reset: bool = False) -> int:
    """Return the peak size of the process since the last reset, in bytes; 0 on systems that do not report it.

    With `reset`, the peak is first reset to the present size.
    """
    try:
        if reset:
            (_PROCESS / "clear_refs").write_text("5", encoding="ascii")
        lines = (_PROCESS / "status").read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
