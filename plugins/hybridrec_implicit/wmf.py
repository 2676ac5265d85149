"""`wmf`: weighted matrix factorization with observed and unobserved weights, gravity, and three similarities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator
from scipy.sparse import csr_matrix

from hybridrec import (
    ITEMS,
    PADDING,
    Dataset,
    Doubles,
    Floats,
    Ints,
    QueryBatch,
    Ragged,
    SimilarityOptions,
    Sparse,
    State,
    Target,
)
from hybridrec_implicit.cold import ColdOptions, with_cold_items
from hybridrec_implicit.gradient_descent import Loss, descend
from hybridrec_implicit.least_squares import LeastSquares, Side, alternate
from hybridrec_implicit.other_similarity import Factorization


class WMFOptions(ColdOptions, SimilarityOptions):
    """Options of `wmf`: the loss, its weights, and the algorithm that minimizes it."""

    factors: int = Field(64, gt=0)
    """Dimensions of the space."""
    feedback: Literal["implicit", "explicit"] = "implicit"
    """Value of an entry: `implicit` is 1, or its weight where that is below 1 (a rating between 0 and 1); `explicit` is
    its weight, a rating on any scale."""
    center: Literal["none", "user", "item", "global"] = "none"
    """Mean that is subtracted from explicit ratings: that of the user's ratings, of the item's ratings, or of all
    ratings (`global`). The mean of an item is added to its score again (mean normalization), since it orders items."""
    observed_weight: float = Field(1.0, gt=0)
    """Weight of the squared error of an entry."""
    unobserved_weight: float = Field(0.1, ge=0)
    """Weight of the squared score of pairs without an entry; 0 learns from the entries only, for explicit feedback."""
    gravity: float = Field(0.0, ge=0)
    """Weight of the squared score of all pairs, including entries; it keeps scores of unrated items from growing."""
    regularization: float = Field(3.0, ge=1e-9, le=1e12)
    """Weight of the squared length of each vector."""
    solver: Literal["wals", "sgd"] = "wals"
    """Minimization of the loss: weighted alternating least squares, which solve it exactly for one side at a time, or
    stochastic gradient descent with sampled negatives."""
    iterations: int = Field(15, ge=1, le=1_000_000)
    """Rounds of solving for users, then for items; with `sgd` passes over the entries, of which it needs more."""
    learning_rate: float = Field(0.5, gt=0)
    """Step size of `sgd`; it falls to a tenth over the iterations."""
    negatives: int = Field(4, gt=0)
    """Random pairs that `sgd` draws for each entry in place of all pairs without one."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.center != "none" and self.feedback == "implicit":
            raise ValueError(
                "center needs feedback: explicit; implicit entries are 1, and nothing would be left of them"
            )
        if self.center == "item" and not self.is_plain:
            raise ValueError("center: item adds the mean of an item to its score, which needs similarity: dot")
        return self


class WMF(Factorization):
    """Weighted matrix factorization, by alternating least squares or stochastic gradient descent.

    Users u_i and items v_j minimize

        w Σ_observed (r_ij - u_i·v_j)²  +  w0 Σ_unobserved (u_i·v_j)²  +  g Σ_all (u_i·v_j)²  +  λ (Σ |u_i|² + Σ |v_j|²)

    with the observed and unobserved weight of Google's course "Recommendation Systems" (2018; Hu, Koren and Volinsky
    2008) and its gravity g. A new user is *projected*: the query's ratings enter the same least squares with the items
    held fixed; an item the query dislikes counts as an entry of 0 (implicit feedback). A new item is projected with the
    users held fixed, when the component is refreshed.
    """

    name = "wmf"
    version = "2"
    refreshes = True
    needs = frozenset({"items"})
    folds_in = True
    Config = WMFOptions
    config: WMFOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Factorize the training matrix; return self."""
        entries, means = self._training_entries(data)
        learned = entries.getnnz(axis=0) > 0
        start = rng.standard_normal((len(learned), self.config.factors), np.float32)
        start *= (learned[:, None] * 0.1 / np.sqrt(self.config.factors)).astype(np.float32)
        solve = self._descend if self.config.solver == "sgd" else self._alternate
        return self._learn(solve(self._with_dislikes(entries, data.dislikes), start, rng), entries, means, data)

    def refresh(self, data: Dataset, new_codes: Mapping[Target, Ints], rng: np.random.Generator) -> Self:
        """Run one more round on the grown data: solve for all users from the current vectors, then for all items."""
        entries, means = self._training_entries(data)
        vectors = np.zeros((len(data.items), self.config.factors), np.float32)
        kept = self._learned & (new_codes[ITEMS] != PADDING)
        vectors[new_codes[ITEMS][kept]] = self._items[kept]
        judged = self._with_dislikes(entries, data.dislikes)
        for side in (judged, judged.T.tocsr()):
            vectors = LeastSquares.of(vectors, self._everywhere).solve(*self._side(side)).astype(np.float32)
        return self._learn(vectors, entries, means, data)

    def _alternate(self, entries: Sparse, start: Floats, rng: np.random.Generator) -> Floats:
        """Return item vectors, float32 [I, factors], after rounds of alternating least squares."""
        sides = self._side(entries), self._side(entries.T.tocsr())
        return alternate(*sides, start, unobserved=self._everywhere, iterations=self.config.iterations)

    def _descend(self, entries: Sparse, start: Floats, rng: np.random.Generator) -> Floats:
        """Return item vectors, float32 [I, factors], after passes of stochastic gradient descent."""
        config = self.config
        return descend(
            entries,
            Loss(config.observed_weight, config.unobserved_weight, config.gravity, config.regularization),
            start * 10,  # so near to 0 the gradient vanishes, too
            passes=config.iterations,
            rate=config.learning_rate,
            negatives=config.negatives,
            rng=rng,
            report=self.report,
        )

    def _training_entries(self, data: Dataset) -> tuple[Sparse, Doubles]:
        """Return the centered ratings of the training part, csr [users, I], and the mean ratings that were used.

        With `center: item` there is a mean for each item, float64 [I]; otherwise it is one number, the mean of all
        ratings, float64 [].
        """
        ratings = self._ratings(data.interactions)
        means = np.array(ratings.data.mean() if ratings.nnz else 0.0)
        if self.config.center == "item":
            count = ratings.getnnz(axis=0)
            total = np.bincount(ratings.indices, ratings.data, len(count))
            means = total / np.maximum(count, 1)
        return self._entries(ratings, means), means

    def _learn(self, vectors: Floats, entries: Sparse, means: Doubles, data: Dataset) -> Self:
        """Take these item vectors, float32 [I, factors], as those of the fitted model; return self."""
        learned = entries.getnnz(axis=0) > 0
        squares = LeastSquares.of(np.where(learned[:, None], vectors, 0), self._everywhere)
        items = np.where(learned[:, None], squares.columns, np.float32(np.nan))
        items = with_cold_items(items, data, self.config)
        return self.restore({"items": items, "spread": squares.spread, "learned": learned, "mean": means})

    @property
    def _everywhere(self) -> float:
        """Total weight of the squared score of a pair without an entry, `gravity` included."""
        return self.config.unobserved_weight + self.config.gravity

    def _ratings(self, history: Ragged) -> Sparse:
        """Build the ratings of histories: csr float32 [rows, I].

        Repeats of an item count once if feedback is implicit, else their mean is the rating.
        """
        ratings = history.matrix()
        if self.config.feedback == "implicit":
            ratings.data = np.minimum(ratings.data, 1)
            return ratings
        repeats = csr_matrix((np.ones_like(history.ids), history.ids.copy(), history.offsets), shape=ratings.shape)
        repeats.sum_duplicates()
        ratings.data = (ratings.data / repeats.data).astype(np.float32)
        return ratings

    def _entries(self, ratings: Sparse, means: Doubles) -> Sparse:
        """Return the ratings minus the mean that `center` names.

        `means` has the mean rating of each item with `center: item`, else that of all ratings.
        """
        entries = ratings.copy()
        if self.config.center == "global":
            entries.data -= np.float32(means)
        elif self.config.center == "item":
            entries.data = (entries.data - means[ratings.indices]).astype(np.float32)
        elif self.config.center == "user":
            count = np.diff(ratings.indptr)
            rows = np.repeat(np.arange(len(count)), count)
            # In double precision, so that nothing remains of ratings that are all equal.
            own = np.bincount(rows, ratings.data, len(count)) / np.maximum(count, 1)
            entries.data = (entries.data - own[rows]).astype(np.float32)
        return entries

    def _side(self, entries: Sparse) -> Side:
        """Build the least-squares problem for the rows of these entries, with the columns held fixed."""
        weighted = csr_matrix(
            (np.float32(self.config.observed_weight) * entries.data, entries.indices, entries.indptr), entries.shape
        )
        # Gravity applies to entries, too: w + g in place of w0 + g.
        excess = np.full(weighted.nnz, self.config.observed_weight - self.config.unobserved_weight)
        return Side(weighted, excess, np.full(weighted.shape[0], self.config.regularization))

    def state(self) -> State:
        """Return the vectors of items, float32 [I, factors], and the arrays that project queries.

        Items without a vector have rows of NaN. The other arrays are the eigenvalues, a mask of the items seen in
        training, and the mean rating (of each item with `center: item`).
        """
        return {
            "items": self._items, "spread": self._squares.spread, "learned": self._learned, "mean": self._means
        }  # fmt: skip

    def restore(self, state: State) -> Self:
        """Take the vectors of items and the arrays that project queries from `state`; return self."""
        self._items = np.asarray(state["items"], np.float32)
        self._learned, self._means = state["learned"], state["mean"]
        learned = np.where(self._learned[:, None], self._items, 0).astype(np.float64)
        self._squares = LeastSquares(state["spread"], learned)
        self._places = self.config.places(self._items)
        if self.config.center == "item":
            self._places = np.column_stack((self._places, self._means)).astype(np.float32)
        return self

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes of both factor matrices, a float64 copy of the items' one, and two training matrices."""
        rows = len(data.users) + 4 * len(data.items)
        return 4 * rows * self.config.factors + 32 * len(data.interactions.ids)

    def vectors(self, target: Target) -> Floats:
        """Return the vectors of items scaled for `similarity`: float32 [I, factors].

        With `center: item` the mean of each item is one more column. With `euclidean` two columns, |v|² and 1, follow
        each vector v.
        """
        return self._places

    def query_vectors(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the vectors of queries, float32, as wide as `vectors`.

        NaN rows for queries without a rating of an item seen in training, and for those whose centered ratings are 0.
        """
        probes = self.config.probes(self._project(queries))
        if self.config.center == "item":
            probes = np.column_stack((probes, np.where(np.isnan(probes[:, 0]), np.nan, 1))).astype(np.float32)
        return probes

    def _project(self, queries: QueryBatch) -> Floats:
        """Return the vectors of queries, float32 [Q, factors]: least squares on their ratings, items held fixed."""
        entries = self._entries(self._ratings(queries.history), self._means)
        informative = abs(entries) @ self._learned.astype(np.float32) > 0
        entries = self._with_dislikes(entries, queries.disliked)
        projected = self._squares.solve(*self._side(entries)).astype(np.float32)
        projected[~informative] = np.nan
        return projected

    def _with_dislikes(self, entries: Sparse, dislikes: Ragged | None) -> Sparse:
        """Return the entries, with an additional entry of 0 for each disliked item if feedback is implicit.

        With explicit feedback the entries are returned unchanged, since low ratings express dislike.
        """
        return entries if dislikes is None or self.config.feedback == "explicit" else _with_zeros(entries, dislikes)


def _with_zeros(entries: Sparse, disliked: Ragged) -> Sparse:
    """Return the entries of users or queries, csr [rows, I], with an entry of 0 for each disliked item."""
    liked = entries.tocoo()
    rows, columns = np.concatenate((liked.row, disliked.rows)), np.concatenate((liked.col, disliked.ids))
    values = np.concatenate((liked.data, np.zeros(len(disliked.ids), np.float32)))
    return csr_matrix((values, (rows, columns)), shape=entries.shape)
