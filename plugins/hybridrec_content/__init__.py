"""Components that use the content of items: similarity, expected popularity, and neighbours for cold items."""

from collections.abc import Sequence

from hybridrec import Component, hookimpl


@hookimpl
def hybridrec_components() -> Sequence[type[Component]]:
    """The components of this package."""
    from hybridrec_content.content import Content
    from hybridrec_content.expected_popularity import ContentPopularity
    from hybridrec_content.transfer import ContentTransfer
    from hybridrec_content.vectors import ContentVectors

    return [Content, ContentPopularity, ContentTransfer, ContentVectors]
