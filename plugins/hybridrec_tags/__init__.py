"""Models of tags and items: co-occurrence for queries without history, naive Bayes, and random draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from hybridrec import Component, Starter, hookimpl

if TYPE_CHECKING:
    from hybridrec import DataProfile


@hookimpl
def hybridrec_components() -> Sequence[type[Component]]:
    """`tag-fallback`, `naive-bayes` and `tag-draw`."""
    from hybridrec_tags.bayes import NaiveBayes
    from hybridrec_tags.fallback import TagFallback
    from hybridrec_tags.random_draw import TagDraw

    return [TagFallback, NaiveBayes, TagDraw]


@hookimpl
def hybridrec_starters(data: DataProfile) -> list[Starter]:
    """Propose `tag-fallback`, if the data has tags, both as a fallback and for the blend."""
    starter = Starter("tag-fallback", frozenset({"fallback"}), priority=50)
    return [replace(starter, roles=frozenset({"fallback", "generator", "scorer"})) if data.tags else starter]
