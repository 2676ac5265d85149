"""`cluster-draw`: items drawn at random from the cluster of most items of the query."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field as Option
from pydantic import field_validator
from scipy.sparse import csr_matrix

from hybridrec import PADDING, Dataset, DenseModel, Floats, Ints, Options, QueryBatch, State, Target, kernels
from hybridrec_word2vec.embedding import Word2Vec, Word2VecOptions, normalised
from hybridrec_word2vec.kmeans import ElbowCurve, elbow, spherical_kmeans
from hybridrec_word2vec.training import INSTALL_HINT


class ClusterDrawOptions(Options):
    """Options of `cluster-draw`."""

    vectors: Word2VecOptions = Word2VecOptions()
    """Options of the `word2vec` that learns the vectors."""
    clusters: int | None = Option(None, ge=2)
    """Number of clusters; null for the elbow of the within-cluster curve from 10 to 500."""

    @field_validator("vectors")
    @classmethod
    def _of_items(cls, vectors: Word2VecOptions) -> Word2VecOptions:
        if vectors.fields is not None and "items" not in vectors.fields:
            raise ValueError("`fields` must name `items`, whose vectors are clustered")
        return vectors


class ClusterDraw(DenseModel):
    """Items of the query's majority cluster, in an order that is random for each query.

    Clusters are those of spherical k-means over the input vectors of a separate Word2Vec. Ties between clusters go
    to the first. The order is drawn by `kernels.draws`: the same for the same items and seed, in any batch.
    """

    name = "cluster-draw"
    targets = ("items",)
    needs = frozenset({"items"})
    folds_in = True
    requires = ("gensim",)
    install_hint = INSTALL_HINT
    Config = ClusterDrawOptions
    config: ClusterDrawOptions

    labels: Ints
    """Cluster of each item, int32 [I], from 0; -1 for items without a vector."""
    curve: ElbowCurve
    """Within-cluster curve from which the number of clusters was chosen; empty if that was given."""

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Learn vectors, and cluster the items that have one."""
        vectors = normalised(Word2Vec(self.config.vectors).fit(data, rng).inputs("items"))
        learned = np.flatnonzero(~np.isnan(vectors[:, 0]))
        self.curve = ElbowCurve(np.empty(0, np.int64), np.empty(0))
        self.labels = np.full(len(data.items), PADDING, np.int32)
        self._seed = int(rng.integers(2**63))
        if self.config.clusters is not None and len(learned):
            k = min(self.config.clusters, len(learned))
            self.labels[learned] = spherical_kmeans(vectors[learned], k, rng).labels
        elif len(learned):
            clustering, self.curve = elbow(vectors[learned], rng)
            self.labels[learned] = clustering.labels
        return self

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes of Word2Vec, or of the cosines with all centres."""
        return Word2Vec(self.config.vectors).memory(data) + 12 * len(data.items) * (self.config.clusters or 500)

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return a random number in [0, 1) for each item of the majority cluster; NaN for all others."""
        learned = np.flatnonzero(self.labels != PADDING)
        member = csr_matrix(
            (np.ones(len(learned), np.float32), (learned, self.labels[learned])),
            shape=(len(self.labels), int(self.labels.max(initial=0)) + 1),
        )
        items = queries.history.matrix(binary=True)
        votes = (items @ member).toarray()
        majority = np.where(votes.max(axis=1) > 0, votes.argmax(axis=1), PADDING - 1)
        return np.where(self.labels == majority[:, None], kernels.draws(items, self._seed), np.float32(np.nan))

    def state(self) -> State:
        """Return the cluster of every item, the curve, and the seed."""
        return {
            "labels": self.labels,
            "sizes": self.curve.sizes,
            "within": self.curve.within,
            "seed": np.array(self._seed),
        }

    def restore(self, state: State) -> Self:
        """Restore the fit from `state`."""
        self.labels, self._seed = state["labels"], int(state["seed"])
        self.curve = ElbowCurve(state["sizes"], state["within"])
        return self
