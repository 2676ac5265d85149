"""Slates of a recommender in external ids."""

from __future__ import annotations

from hybridrec import Slate


def ids(slate: Slate) -> list[list[str]]:
    """Return the recommended ids of each query, best first."""
    return [list(group["id"]) for _, group in slate.to_frame().group_by("query", maintain_order=True)]
