"""From tags to items and back: co-occurrence where no history is known, naive Bayes, and draws as a baseline."""

from collections.abc import Sequence

from hybridrec import Component, hookimpl


@hookimpl
def hybridrec_components() -> Sequence[type[Component]]:
    """The components of this package."""
    from hybridrec_tags.bayes import NaiveBayes
    from hybridrec_tags.fallback import TagFallback
    from hybridrec_tags.random_draw import TagDraw

    return [TagFallback, NaiveBayes, TagDraw]
