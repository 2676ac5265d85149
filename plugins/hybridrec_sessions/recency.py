"""Distance of items from the end of a history, and weights by this distance."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from hybridrec import Floats, Ints, Ragged

Decay: TypeAlias = Literal["none", "linear", "div"]
"""Name of a weight function of the steps before the last item; see `decayed`."""


def steps_from_end(history: Ragged) -> Ints:
    """Count the ids that come after each id in its row: int32, parallel to `history.ids`, 0 for the last."""
    return (np.repeat(history.offsets[1:], history.lengths) - 1 - np.arange(len(history.ids))).astype(np.int32)


def decayed(steps: Ints, decay: Decay) -> Floats:
    """Compute weights by the number of steps from the end: float32, parallel to `steps`.

    A weight is 1 - steps / 10, at least 0 ("linear"), 1 / (1 + steps) ("div"), or 1 ("none").
    """
    if decay == "linear":
        return np.maximum(1 - steps / 10, 0).astype(np.float32)
    return (1 / (1 + steps) if decay == "div" else np.ones(len(steps))).astype(np.float32)


def latest(history: Ragged) -> tuple[Ints, Ints, Ints]:
    """Return each distinct id of each row at its last place, ordered by row and id.

    Three parallel arrays: the rows, the ids, and their steps from the end.
    """
    pairs = history.rows.astype(np.int64) * history.width + history.ids
    _, places = np.unique(pairs[::-1], return_index=True)
    at = len(pairs) - 1 - places
    return history.rows[at], history.ids[at], steps_from_end(history)[at]
