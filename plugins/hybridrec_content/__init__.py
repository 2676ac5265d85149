"""Components that use the content of items: similarity, expected popularity, and neighbours for cold items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hybridrec import Component, Starter, hookimpl

if TYPE_CHECKING:
    from hybridrec import DataProfile


@hookimpl
def hybridrec_components() -> Sequence[type[Component]]:
    """`content`, `content-popularity`, `content-transfer` and `content-vectors`."""
    from hybridrec_content.content import Content
    from hybridrec_content.expected_popularity import ContentPopularity
    from hybridrec_content.transfer import ContentTransfer
    from hybridrec_content.vectors import ContentVectors

    return [Content, ContentPopularity, ContentTransfer, ContentVectors]


@hookimpl
def hybridrec_starters(data: DataProfile) -> list[Starter]:
    """Propose `content` for data whose items have texts or tags."""
    if not (data.texts or data.tagged_items):
        return []
    return [Starter("content", frozenset({"generator", "scorer"}), priority=40)]
