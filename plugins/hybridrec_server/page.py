"""The page of memory that a worker shares with the front: which component is at work."""

from __future__ import annotations

import mmap

FILTERS = "filters"
"""The name under which the filters of a pipeline are at work; they cannot be left out."""
ENCODING = "encoding"
"""The name under which queries are encoded, with a segmenter of a plugin perhaps; it cannot be left out either."""
_LONGEST = 250


class Page:
    """A name in shared memory, its length first.

    The worker writes before every call into a component. The front reads only after the worker hangs or is gone, when
    nobody writes any more; no lock is needed, which a killed worker would never give back.
    """

    def __init__(self, memory: mmap.mmap) -> None:
        """Take a mapping of at least 256 bytes."""
        self._memory = memory

    def note(self, name: str) -> None:
        """Write the name of the component that is about to be asked; "" if none is."""
        encoded = name.encode()[:_LONGEST]
        self._memory[: len(encoded) + 1] = bytes((len(encoded),)) + encoded

    def name(self) -> str:
        """Return the name that was written last."""
        return self._memory[1 : 1 + self._memory[0]].decode(errors="replace")
