"""Models of the order of items in sessions, by the successors of items or by sessions with the same items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from hybridrec import Component


@hookimpl
def hybridrec_components() -> list[type[Component]]:
    """`markov-chain` and `vsknn`."""
    from hybridrec_sessions.chain import MarkovChain
    from hybridrec_sessions.neighbours import VSKNN

    return [MarkovChain, VSKNN]
