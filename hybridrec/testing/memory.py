"""Peaks of memory: the bytes that a call holds at most, beside the estimate of it."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from pathlib import Path

UNDER = 2
"""A fit may take so many times its estimate, ..."""
OVER = 10
"""... and an estimate may be so many times what the fit takes."""
SLACK = 16_000_000
"""Bytes beside that: buffers of libraries and intermediate copies, which grow with nothing."""
_PROCESS = Path("/proc/self")


def peak_memory(call: Callable[[], object]) -> int:
    """Return the most bytes that a call holds at a time, beyond those that are held before it.

    They are those of Python and numpy. What libraries take without them is told by the growth of the process, on Linux
    alone, and only as far as it exceeds them by more than `SLACK`: memory that was freed before may be used again.
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
    """Return a sentence on an estimate that is too far from what was used, else None."""
    if used > UNDER * estimated + SLACK:
        return f"`fit` took {_megabytes(used)}, and `memory` says {_megabytes(estimated)}: the budget would not hold it"
    if estimated > OVER * used + OVER * SLACK:
        return f"`fit` took {_megabytes(used)}, and `memory` says {_megabytes(estimated)}: fits with room are refused"
    return None


def _resident(*, reset: bool = False) -> int:
    """Return the largest size of the process since the last reset, in bytes; 0 where the system does not say."""
    try:
        if reset:
            (_PROCESS / "clear_refs").write_text("5", encoding="ascii")
        lines = (_PROCESS / "status").read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
