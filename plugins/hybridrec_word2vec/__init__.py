"""Items, tags, title words and users in one space, learned by gensim's Word2Vec, and clusters of its items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from hybridrec import Component


@hookimpl
def hybridrec_components() -> list[type[Component]]:
    """The components of this package."""
    from hybridrec_word2vec.clusters import ClusterDraw
    from hybridrec_word2vec.model import Word2Vec

    return [Word2Vec, ClusterDraw]
