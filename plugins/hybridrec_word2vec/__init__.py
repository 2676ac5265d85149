"""Embedding of items, tags, title words and users in one space by gensim's Word2Vec, and retrieval from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridrec import hookimpl

if TYPE_CHECKING:
    from hybridrec import Component, Exporter


@hookimpl
def hybridrec_components() -> list[type[Component]]:
    """`word2vec`, the four components that retrieve from its space, `cluster-draw` and `title-vectors`."""
    from hybridrec_word2vec.cluster_draw import ClusterDraw
    from hybridrec_word2vec.embedding import Word2Vec
    from hybridrec_word2vec.retrieval import Clusters, Mean, Playlists, Voting
    from hybridrec_word2vec.titles import TitleVectors

    return [Word2Vec, Mean, Voting, Clusters, Playlists, ClusterDraw, TitleVectors]


@hookimpl
def hybridrec_exporters() -> list[type[Exporter]]:
    """`word2vec`, an exporter of a component's vectors in the text format of word2vec."""
    from hybridrec_word2vec.vector_files import Word2VecExporter

    return [Word2VecExporter]
