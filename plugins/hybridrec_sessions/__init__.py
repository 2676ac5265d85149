"""Models of the order of items in sessions: successors of items, and sessions with the same items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from hybridrec import Component


@hookimpl
def hybridrec_components() -> list[type[Component]]:
    """`markov-chain`, `vsknn`."""
    from hybridrec_sessions.chain import MarkovChain
    from hybridrec_sessions.neighbours import VSKNN

    return [MarkovChain, VSKNN]
