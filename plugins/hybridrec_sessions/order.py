"""How far back in a history an item stands, and what it counts there."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from hybridrec import Floats, Ints, Ragged

Decay: TypeAlias = Literal["none", "linear", "div"]
"""What an item counts that stands n steps before the last one; see `decayed`."""


def steps_from_end(history: Ragged) -> Ints:
    """How many ids of its row come after each id: int32, parallel to `ids`, 0 for the last."""
    return (np.repeat(history.offsets[1:], history.lengths) - 1 - np.arange(len(history.ids))).astype(np.int32)


def decayed(steps: Ints, decay: Decay) -> Floats:
    """float32, parallel to `steps`: 1 - steps / 10, at least 0 ("linear"), 1 / (1 + steps) ("div"), or 1 ("none")."""
    if decay == "linear":
        return np.maximum(1 - steps / 10, 0).astype(np.float32)
    return (1 / (1 + steps) if decay == "div" else np.ones(len(steps))).astype(np.float32)


def latest(history: Ragged) -> tuple[Ints, Ints, Ints]:
    """Each distinct id of a row where it stands last: rows, ids and steps from the end, by row and id."""
    pairs = history.rows.astype(np.int64) * history.width + history.ids
    _, places = np.unique(pairs[::-1], return_index=True)
    at = len(pairs) - 1 - places
    return history.rows[at], history.ids[at], steps_from_end(history)[at]
