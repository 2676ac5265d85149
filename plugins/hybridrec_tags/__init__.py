"""Recommending from tags alone, where no history is known."""

from collections.abc import Sequence

from hybridrec import Component, hookimpl


@hookimpl
def hybridrec_components() -> Sequence[type[Component]]:
    """The components of this package."""
    from hybridrec_tags.fallback import TagFallback

    return [TagFallback]
