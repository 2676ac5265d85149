"""Components that are left out for a time that doubles, since a worker did not come back from them."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(slots=True)
class _Pause:
    seconds: float
    until: float


class LeftOut:
    """The components that are left out, and until when.

    The time doubles with each failure. A component that has then been back for as long as it was left out starts anew.
    """

    def __init__(self, first: float, most: float) -> None:
        """Take the seconds of the first time, and the most seconds."""
        self._first = first
        self._most = most
        self._pauses: dict[str, _Pause] = {}

    def blame(self, component: str) -> None:
        """Leave a component out from now on."""
        now = time.monotonic()
        pause = self._pauses.get(component)
        if pause is not None and now < pause.until:  # another worker was already at it
            return
        again = pause is not None and now < pause.until + pause.seconds
        seconds = min(2 * pause.seconds, self._most) if pause is not None and again else self._first
        self._pauses[component] = _Pause(seconds, now + seconds)

    def now(self) -> dict[str, float]:
        """Return the components that are left out now, with the seconds until they are back."""
        now = time.monotonic()
        return {component: pause.until - now for component, pause in self._pauses.items() if pause.until > now}

    def clear(self) -> None:
        """Drop all: another bundle has other components."""
        self._pauses.clear()
