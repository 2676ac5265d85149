"""Baselines that look at no history: popularity, newest first, random, a given list."""

from collections.abc import Sequence

from hybridrec import Component, hookimpl


@hookimpl
def hybridrec_components() -> Sequence[type[Component]]:
    """The components of this package."""
    from hybridrec_baselines.fixed import Listed, Newest, Random
    from hybridrec_baselines.popularity import Popularity

    return [Popularity, Newest, Random, Listed]
