"""Registration of the re-ranker `long-tail` with hybridrec."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from hybridrec import Component

requires_api = "1.0"


@hookimpl
def hybridrec_components() -> list[type[Component]]:
    """Return the components of this package, imported only here so that listing plugins stays fast."""
    from hybridrec_long_tail.reranker import LongTail

    return [LongTail]
