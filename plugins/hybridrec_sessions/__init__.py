"""Models of histories in time: successors of items, sessions with the same items, recency and frequency."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from hybridrec import Component


@hookimpl
def hybridrec_components() -> list[type[Component]]:
    """`markov-chain`, `vsknn` and `recency-frequency`."""
    from hybridrec_sessions.chain import MarkovChain
    from hybridrec_sessions.neighbours import VSKNN
    from hybridrec_sessions.recency_frequency import RecencyFrequency

    return [MarkovChain, VSKNN, RecencyFrequency]
