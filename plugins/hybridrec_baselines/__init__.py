"""Baselines that look at no history: popularity, overall or around a time, newest first, random, a given list."""

from collections.abc import Sequence

from hybridrec import Component, hookimpl


@hookimpl
def hybridrec_components() -> Sequence[type[Component]]:
    """The components of this package."""
    from hybridrec_baselines.fixed import Listed, Newest, Random
    from hybridrec_baselines.popularity import Popularity
    from hybridrec_baselines.trending import Trending

    return [Popularity, Trending, Newest, Random, Listed]
