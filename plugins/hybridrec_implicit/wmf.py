"""Weighted matrix factorization as taught in courses: observed and unobserved weight, gravity, three similarities."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator
from scipy.sparse import csr_matrix

from hybridrec import Dataset, Doubles, Floats, QueryBatch, Ragged, Sparse, State, Target, VectorModel
from hybridrec_implicit.cold import ColdOptions, with_cold_items
from hybridrec_implicit.least_squares import LeastSquares, Side, alternate


class WMFOptions(ColdOptions):
    """Options of `wmf`."""

    factors: int = Field(64, gt=0)
    """Dimensions of the space."""
    feedback: Literal["implicit", "explicit"] = "implicit"
    """Value of an entry: `implicit` is 1, or its weight where that is below 1 (a rating between 0 and 1); `explicit` is
    its weight, a rating on any scale."""
    center: Literal["none", "user", "global"] = "none"
    """Mean that is subtracted from explicit ratings: none, that of the user's own ratings, or that of all ratings."""
    observed_weight: float = Field(1.0, gt=0)
    """Weight of the squared error of an entry."""
    unobserved_weight: float = Field(0.1, ge=0)
    """Weight of the squared score of pairs without an entry; 0 learns from the entries only, for explicit feedback."""
    gravity: float = Field(0.0, ge=0)
    """Weight of the squared score of all pairs, including entries; it keeps scores of unrated items from growing."""
    regularization: float = Field(3.0, gt=0)
    """Weight of the squared length of each vector."""
    iterations: int = Field(15, gt=0)
    """Rounds of solving for users, then for items."""
    similarity: Literal["dot", "cosine", "euclidean"] = "dot"
    """Score of an item: its inner product with the query, their cosine, or their negative squared distance."""
    norm_exponent: float = Field(1.0, ge=0, le=1)
    """For `dot`: the score is |v|^e |q| cos(q, v). Popular items have long vectors: 1 is the inner product, which
    favours them; values towards 0, which ranks like the cosine, favour niche items."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.center != "none" and self.feedback == "implicit":
            raise ValueError(
                "center needs feedback: explicit; implicit entries are 1, and nothing would be left of them"
            )
        if self.norm_exponent != 1 and self.similarity != "dot":
            raise ValueError(f"norm_exponent needs similarity: dot; {self.similarity} has no exponent")
        return self


class WMF(VectorModel):
    """Weighted matrix factorization by alternating least squares.

    Users u_i and items v_j minimize

        w Σ_observed (r_ij - u_i·v_j)²  +  w0 Σ_unobserved (u_i·v_j)²  +  g Σ_all (u_i·v_j)²  +  λ (Σ |u_i|² + Σ |v_j|²)

    with the observed and unobserved weight of Google's course "Recommendation Systems" (2018; Hu, Koren and Volinsky
    2008) and its gravity g. A new user is *projected*: the query's ratings enter the same least squares with the items
    held fixed; an item the query dislikes counts as an entry of 0 (implicit feedback).
    """

    name = "wmf"
    version = "2"
    needs = frozenset({"items"})
    folds_in = True
    Config = WMFOptions
    config: WMFOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Factorize the training matrix."""
        ratings = self._ratings(data.interactions)
        mean = np.array(ratings.data.mean() if ratings.nnz else 0.0)
        entries = self._entries(ratings, mean)
        learned = entries.getnnz(axis=0) > 0
        start = rng.standard_normal((len(learned), self.config.factors), np.float32)
        start *= (learned[:, None] * 0.1 / np.sqrt(self.config.factors)).astype(np.float32)
        vectors = alternate(
            self._side(entries),
            self._side(entries.T.tocsr()),
            start,
            unobserved=self._everywhere,
            iterations=self.config.iterations,
        )
        squares = LeastSquares.of(np.where(learned[:, None], vectors, 0), self._everywhere)
        items = np.where(learned[:, None], squares.columns, np.float32(np.nan))
        items = with_cold_items(items, data, self.config)
        return self.restore({"items": items, "spread": squares.spread, "learned": learned, "mean": mean})

    @property
    def _everywhere(self) -> float:
        """Weight of the squared score of a pair without an entry."""
        return self.config.unobserved_weight + self.config.gravity

    def _ratings(self, history: Ragged) -> Sparse:
        """Build csr float32 [rows, I]; repeats count once if feedback is implicit, else their mean is the rating."""
        ratings = history.matrix()
        if self.config.feedback == "implicit":
            ratings.data = np.minimum(ratings.data, 1)
            return ratings
        repeats = csr_matrix((np.ones_like(history.ids), history.ids.copy(), history.offsets), shape=ratings.shape)
        repeats.sum_duplicates()
        ratings.data = (ratings.data / repeats.data).astype(np.float32)
        return ratings

    def _entries(self, ratings: Sparse, mean: Doubles) -> Sparse:
        """Subtract the mean that `center` names from the ratings."""
        entries = ratings.copy()
        if self.config.center == "global":
            entries.data -= np.float32(mean)
        elif self.config.center == "user":
            count = np.diff(ratings.indptr)
            rows = np.repeat(np.arange(len(count)), count)
            # In double precision, so that nothing remains of ratings that are all equal.
            own = np.bincount(rows, ratings.data, len(count)) / np.maximum(count, 1)
            entries.data = (entries.data - own[rows]).astype(np.float32)
        return entries

    def _side(self, entries: Sparse) -> Side:
        """Build the problem of one half-step for the rows of these entries."""
        weighted = csr_matrix(
            (np.float32(self.config.observed_weight) * entries.data, entries.indices, entries.indptr), entries.shape
        )
        # Gravity applies to entries, too: w + g in place of w0 + g.
        excess = np.full(weighted.nnz, self.config.observed_weight - self.config.unobserved_weight)
        return Side(weighted, excess, np.full(weighted.shape[0], self.config.regularization))

    def state(self) -> State:
        """Return the vectors, float32 [I, factors], with rows of NaN for items without one.

        Their eigenvalues, a mask of the items seen in training, and the mean rating come with them.
        """
        return {
            "items": self._items, "spread": self._squares.spread, "learned": self._learned, "mean": self._mean
        }  # fmt: skip

    def restore(self, state: State) -> Self:
        """Restore the vectors, and prepare scores and projection."""
        self._items, self._learned, self._mean = np.asarray(state["items"], np.float32), state["learned"], state["mean"]
        learned = np.where(self._learned[:, None], self._items, 0).astype(np.float64)
        self._squares = LeastSquares(state["spread"], learned)
        length = np.linalg.norm(self._items, axis=1, keepdims=True)
        if self.config.similarity == "euclidean":
            self._places = np.concatenate((self._items, length**2, np.ones_like(length)), axis=1)
        else:
            exponent = 0 if self.config.similarity == "cosine" else self.config.norm_exponent
            self._places = self._items / np.where(length > 0, length, 1) ** np.float32(1 - exponent)
        return self

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes of both factor matrices, the items' also in float64, and of the training matrix twice."""
        rows = len(data.users) + 4 * len(data.items)
        return 4 * rows * self.config.factors + 32 * len(data.interactions.ids)

    def vectors(self, target: Target) -> Floats:
        """Return float32 [I, factors], scaled for the similarity; [I, factors + 2] for `euclidean`: v, |v|², 1."""
        return self._places

    def query_vectors(self, queries: QueryBatch, target: Target) -> Floats:
        """Return float32, as wide as `vectors`; NaN if no rating was seen in training or all are equal."""
        projected = self._project(queries)
        length = np.linalg.norm(projected, axis=1, keepdims=True)
        if self.config.similarity == "euclidean":
            return np.concatenate((2 * projected, -np.ones_like(length), -(length**2)), axis=1)
        return projected / length if self.config.similarity == "cosine" else projected

    def _project(self, queries: QueryBatch) -> Floats:
        """Project the queries, float32 [Q, factors], to the vectors that training would learn for these ratings."""
        entries = self._entries(self._ratings(queries.history), self._mean)
        informative = abs(entries) @ self._learned.astype(np.float32) > 0
        if queries.disliked is not None and self.config.feedback == "implicit":
            entries = _with_zeros(entries, queries.disliked)
        projected = self._squares.solve(*self._side(entries)).astype(np.float32)
        projected[~informative] = np.nan
        return projected


def _with_zeros(entries: Sparse, disliked: Ragged) -> Sparse:
    """Add an entry of 0 for each disliked item."""
    liked = entries.tocoo()
    rows, columns = np.concatenate((liked.row, disliked.rows)), np.concatenate((liked.col, disliked.ids))
    values = np.concatenate((liked.data, np.zeros(len(disliked.ids), np.float32)))
    return csr_matrix((values, (rows, columns)), shape=entries.shape)
