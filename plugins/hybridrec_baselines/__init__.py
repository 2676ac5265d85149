"""Baselines that ignore the history: popularity, overall or around a time, newest first, random, a given list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hybridrec import Component, Starter, hookimpl

if TYPE_CHECKING:
    from hybridrec import DataProfile


@hookimpl
def hybridrec_components() -> Sequence[type[Component]]:
    """Baselines: `popularity`, `personal-popularity`, `trending`, `newest`, `random` and `listed`."""
    from hybridrec_baselines.fixed_rankings import Listed, Newest, Random
    from hybridrec_baselines.personal_popularity import PersonalPopularity
    from hybridrec_baselines.popularity import Popularity
    from hybridrec_baselines.trending import Trending

    return [Popularity, PersonalPopularity, Trending, Newest, Random, Listed]


@hookimpl
def hybridrec_starters(data: DataProfile) -> list[Starter]:
    """Propose `popularity` as the last fallback, which serves every query, and for the blend.

    For splits that also ask for items that users had before, `personal-popularity` is proposed, which is hard to beat
    there.
    """
    starters = [Starter("popularity", frozenset({"fallback", "generator", "scorer"}), priority=-100)]
    if data.split.get("seen") == "allow":
        starters.append(Starter("personal-popularity", frozenset({"generator", "scorer"}), priority=60))
    return starters
