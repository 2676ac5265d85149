"""`cluster-draw`: draws items at random from the cluster that holds most of the query's items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Self

import numpy as np
from pydantic import Field as Option

from hybridrec import (
    ITEMS,
    PADDING,
    ComponentRef,
    CurveFigure,
    DataError,
    Dataset,
    DenseModel,
    Figure,
    Floats,
    Ints,
    Longs,
    Options,
    QueryBatch,
    Ragged,
    Sparse,
    State,
    TableFigure,
    Target,
    VectorModel,
    kernels,
)
from hybridrec_word2vec.kmeans import ElbowCurve, elbow, farthest_from_chord, spherical_kmeans
from hybridrec_word2vec.trained_space import normalised

MEMBERS = 5
"""Number of items of each cluster that the report names."""


class ClusterDrawOptions(Options):
    """Options of `cluster-draw`: the vectors that are clustered, and the number of clusters."""

    uses: Annotated[str, ComponentRef(VectorModel)] = Option(examples=["word2vec"])
    """Label of the component whose item vectors are clustered, such as `als` or `word2vec` (its input vectors)."""
    clusters: int | None = Option(None, ge=2)
    """Number of clusters; null chooses it at the elbow of the within-cluster curve from 10 to 500 clusters."""
    starts: int = Option(1, ge=1)
    """Number of times that k-means starts, each from other centres of k-means++; the best result is kept."""
    count_repeats: bool = False
    """For the choice of the majority cluster, count an item as often as it occurs in the history; if false, once."""


class ClusterDraw(DenseModel):
    """Items of the majority cluster, the one with most of the query's items, in an order that is random for each query.

    Spherical k-means clusters the item vectors of the component that `uses` names. Ties between clusters go to the
    one with the lower number. The order is drawn by `kernels.draws`: it is the same for the same items and seed, in any
    batch.
    """

    name = "cluster-draw"
    stochastic = True
    targets = ("items",)
    needs = frozenset({"items"})
    folds_in = True
    version = "2"
    Config = ClusterDrawOptions
    config: ClusterDrawOptions

    labels: Ints
    """Cluster of each item, int32 [I], from 0; -1 for items without a vector."""
    curve: ElbowCurve
    """Within-cluster curve from which the number of clusters was chosen; empty if the option `clusters` gives it."""

    _model: VectorModel

    def use(self, model: VectorModel) -> Self:
        """Take the component whose item vectors are clustered; return self."""
        self._model = model
        return self

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Cluster the items that have a vector and return self; raises DataError if `uses` has no vectors of items."""
        embeddings = self._model.embeddings(data)
        if ITEMS not in embeddings:
            raise DataError(f"cluster-draw: '{self.config.uses}' has no vectors of items")
        vectors = normalised(embeddings[ITEMS].vectors)
        learned = np.flatnonzero(~np.isnan(vectors[:, 0]))
        self.curve = ElbowCurve(np.empty(0, np.int64), np.empty(0))
        self.labels = np.full(len(data.items), PADDING, np.int32)
        self._seed = int(rng.integers(2**63))
        if self.config.clusters is not None and len(learned):
            k = min(self.config.clusters, len(learned))
            self.labels[learned] = spherical_kmeans(vectors[learned], k, rng, self.config.starts).labels
        elif len(learned):
            clustering, self.curve = elbow(vectors[learned], rng, self.config.starts)
            self.labels[learned] = clustering.labels
        return self

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes of the cosines of all items with all centres."""
        return 12 * len(data.items) * (self.config.clusters or 500)

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return a random number in [0, 1) for items of the majority cluster, NaN for all others: float32 [Q, I]."""
        items = queries.matrix(ITEMS)
        counted = _occurrences(queries.history) if self.config.count_repeats else items
        labels = self.labels[counted.indices]
        clustered = labels != PADDING
        votes = np.zeros((len(queries), int(self.labels.max(initial=0)) + 1), np.float32)
        np.add.at(votes, (kernels.csr_rows(counted)[clustered], labels[clustered]), counted.data[clustered])
        majority = np.where(votes.max(axis=1) > 0, votes.argmax(axis=1), PADDING - 1)
        return np.where(self.labels == majority[:, None], kernels.draws(items, self._seed), np.float32(np.nan))

    def clusters(self, target: Target) -> Ints | None:
        """Return the cluster of each item, int32 [I], -1 for items without a vector; None for targets but items."""
        return self.labels if target == ITEMS else None

    def figures(self, data: Dataset) -> Sequence[Figure]:
        """Return a table of all clusters, the largest first.

        If the number of clusters was chosen from the within-cluster curve, that curve comes before the table.
        """
        clustered = self.labels[self.labels != PADDING]
        if not len(clustered):
            return []
        sizes = np.bincount(clustered)
        table = TableFigure(
            "Clusters",
            ["cluster", "items", f"the {MEMBERS} of most users"],
            [[number, size, " · ".join(names)] for number, size, names in self._members(data, sizes)],
            f"{np.count_nonzero(sizes)} clusters of {sizes[sizes > 0].min()} to {sizes.max()} items, half of them of "
            f"{np.median(sizes[sizes > 0]):g} or fewer; items without a vector: {len(self.labels) - len(clustered)}.",
        )
        if not len(self.curve.sizes):
            return [table]
        points = list(zip(self.curve.sizes.tolist(), self.curve.within.tolist(), strict=True))
        note = (
            "Sum of 1 - cosine of each item with the centre of its cluster; chosen where it is farthest from the chord."
        )
        chosen = farthest_from_chord(*self.curve)
        return [CurveFigure("Within-cluster curve", "clusters", "within", points, chosen, note), table]

    def _members(self, data: Dataset, sizes: Longs) -> Iterator[tuple[int, int, tuple[str, ...]]]:
        """Yield (number, size, names) of each cluster that has items, the largest cluster first.

        The names are those of the cluster's items with the most users.
        """
        users = data.user_matrix(ITEMS).getnnz(axis=0)
        best = np.lexsort((-users, self.labels))
        starts = np.searchsorted(self.labels[best], np.arange(len(sizes)))
        for cluster in np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes)]:
            first = best[starts[cluster] : starts[cluster] + min(sizes[cluster], MEMBERS)]
            yield int(cluster), int(sizes[cluster]), data.items.names(first.astype(np.int32))

    def state(self) -> State:
        """Return the cluster of every item, the within-cluster curve, and the seed of the draws."""
        return {
            "labels": self.labels,
            "sizes": self.curve.sizes,
            "within": self.curve.within,
            "seed": np.array(self._seed),
        }

    def restore(self, state: State) -> Self:
        """Take the clusters, the curve and the seed from `state`; return self."""
        self.labels, self._seed = state["labels"], int(state["seed"])
        self.curve = ElbowCurve(state["sizes"], state["within"])
        return self


def _occurrences(history: Ragged) -> Sparse:
    """Count how often each row has each item, regardless of the weights of interactions: csr float32 [Q, I]."""
    return Ragged(history.ids, history.offsets, history.width).matrix()
