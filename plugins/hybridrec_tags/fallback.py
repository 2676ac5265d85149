"""`tag-fallback`: what the users of a query's tags (and of its items, for tags) have in common."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field
from scipy.sparse import csr_matrix, hstack

from hybridrec import (
    TARGETS,
    Dataset,
    DenseModel,
    Doubles,
    Floats,
    Options,
    QueryBatch,
    Sparse,
    State,
    Target,
    bag_of_words,
    pack_csr,
    pack_words,
    unpack_csr,
    unpack_words,
)


class TagFallbackOptions(Options):
    """Options of `tag-fallback`."""

    smoothing: float = Field(3.0, gt=0)
    """As how many more users of each tag the overall shares count: large values make rare tags calm."""
    idf: float = Field(1.0, ge=0)
    """How much more a rare tag says than a common one: the power of its inverse document frequency; 0 weighs alike."""
    item_tags: float = Field(5.0, ge=0)
    """An item that has a tag itself counts as this many more users of the tag who have the item; 0 ignores it."""
    title_weight: float = Field(0.0, ge=0)
    """The weight of a word of the title beside a tag; 0 does not read titles."""


class TagFallback(DenseModel):
    """Tag co-occurrence, for queries that know no items.

    Cues c are the query's tags, for the target tags its items as well, and the words of its title. The
    score of an item or tag i is the mean, weighted by idf(c) = log(1 + U / n(c)), of

        P(i | c) = (n(i, c) + a p(i)) / (n(c) + a)

    n counts the training users who have the cue (and i), p is the share of all users, a the `smoothing`.
    """

    name = "tag-fallback"
    Config = TagFallbackOptions
    config: TagFallbackOptions

    def __init__(self, config: Options | None = None) -> None:
        """Which fields it reads depends on `title_weight`."""
        super().__init__(config)
        self.needs = frozenset({"tags", "items", "title"} if self.config.title_weight else {"tags", "items"})
        self._given: dict[Target, Sparse] = {}
        self._counts: dict[Target, Floats] = {}
        self._weights: dict[Target, Floats] = {}
        self._shares: dict[Target, Floats] = {}

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Count, as sparse products of users x cues with users x targets."""
        self._words, _ = bag_of_words(data.titles if self.config.title_weight else ())
        everyone = data.queries(np.arange(len(data.users), dtype=np.int32))
        has = {"items": data.interactions.matrix(binary=True), "tags": data.user_tags.sign()}
        for target in TARGETS:
            cues = self._cues(everyone, target).sign()
            tagged = self._tagged(data, target, cues.shape[1])
            given = (cues.T @ has[target] + tagged).tocsr()
            n = _sums(cues) + self.config.item_tags * (np.diff(tagged.indptr) > 0)
            idf = np.log1p(max(len(data.users), 1) / np.maximum(n, 1)) ** self.config.idf
            self._given[target] = given
            self._counts[target] = n.astype(np.float32)
            self._weights[target] = np.where(np.diff(given.indptr) > 0, idf, 0).astype(np.float32)
            self._shares[target] = (_sums(has[target]) / max(len(data.users), 1)).astype(np.float32)
        return self

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """The weighted mean over the cues; NaN for queries without a cue that training knows."""
        a = self.config.smoothing
        cues = self._cues(queries, target).multiply(self._weights[target]).tocsr()
        among = cues.multiply(1 / (self._counts[target] + a)).tocsr()
        total, prior = cues.sum(axis=1), a * among.sum(axis=1)
        mixed = (among @ self._given[target]).toarray() + np.asarray(prior) * self._shares[target]
        result = np.full(mixed.shape, np.nan, np.float32)
        return np.divide(mixed, total, out=result, where=np.asarray(total) > 0, casting="same_kind")

    def state(self) -> State:
        """Co-occurrence counts, cue counts and weights, and shares of both targets; the words of titles."""
        state: State = {"words": pack_words(self._words)}
        for target in TARGETS:
            state |= pack_csr(self._given[target], f"{target}.given")
            state[f"{target}.counts"] = self._counts[target]
            state[f"{target}.weights"] = self._weights[target]
            state[f"{target}.shares"] = self._shares[target]
        return state

    def restore(self, state: State) -> Self:
        """From `state`."""
        self._words = unpack_words(state["words"])
        for target in TARGETS:
            self._given[target] = unpack_csr(state, f"{target}.given")
            self._counts[target] = state[f"{target}.counts"]
            self._weights[target] = state[f"{target}.weights"]
            self._shares[target] = state[f"{target}.shares"]
        return self

    def _cues(self, queries: QueryBatch, target: Target) -> Sparse:
        """csr [Q, C] with the weight of each kind: tags, for the target tags items, and words of the title."""
        words = bag_of_words(queries.text, self._words)[1].sign() * np.float32(self.config.title_weight)
        items = [queries.history.matrix(binary=True)] if target == "tags" else []
        return hstack([queries.tags.sign(), *items, words], format="csr", dtype=np.float32)

    def _tagged(self, data: Dataset, target: Target, n_cues: int) -> Sparse:
        """csr [C, N]: what the items' own tags add to the counts."""
        has_tag = data.item_tags.sign() * np.float32(self.config.item_tags)
        has_tag.eliminate_zeros()
        if target == "items":
            block, above = has_tag.T.tocsr(), 0
        else:
            block, above = has_tag, len(data.tags)  # the cues of kind "items" stand below the tags
        indptr = np.pad(block.indptr, (above, n_cues - above - block.shape[0]), mode="edge")
        return csr_matrix((block.data, block.indices, indptr), shape=(n_cues, block.shape[1]))


def _sums(matrix: Sparse) -> Doubles:
    """Column sums."""
    return np.asarray(matrix.sum(axis=0), np.float64).ravel()
