"""`tag-fallback`: what the users of a query's tags (and of its items, for tags) have in common."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
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
    Ints,
    Lexicon,
    Options,
    QueryBatch,
    Sparse,
    State,
    Target,
    Tokenizer,
    kernels,
    pack_csr,
    unpack_csr,
)

_CACHED = 1 << 20
"""Scores that exist at a time where not all are wanted."""


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
    tokenizer: Tokenizer = Tokenizer()
    """How titles become words."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How often cues and targets come together.

    both: csr [C, N], users who have the cue and the target
    cue: float32 [C], users who have the cue
    share: float32 [N], the share of the target among the users who have any
    users: float32 scalar, how many have any
    """

    both: Sparse
    cue: Floats
    share: Floats
    users: Floats

    @classmethod
    def of(cls, both: Sparse, cue: Doubles, has: Sparse) -> Self:
        """From the counts of pairs and cues, and the users' targets, csr [U, N]."""
        users = max(int(np.count_nonzero(np.diff(has.indptr))), 1)
        return cls(both, cue.astype(np.float32), (_sums(has) / users).astype(np.float32), np.array(users, np.float32))

    def mean(self, cues: Sparse, smoothing: float, idf: float) -> Floats:
        """P(target | cue), the mean over the cues csr [Q, C] by their weight and idf: float32 [Q, N]."""
        together, prior = self._mean(cues, smoothing, idf)
        result: Floats = together.toarray()
        for rows in _blocks(together):
            result[rows] += prior[rows] * self.share
        return result

    def mean_at(self, ids: Ints, cues: Sparse, smoothing: float, idf: float) -> Floats:
        """`mean` of the candidates int32 [Q, K] of each query: float32 [Q, K], NaN at padding."""
        together, prior = self._mean(cues, smoothing, idf)
        result = np.empty(ids.shape, np.float32)
        for rows in _blocks(together):
            result[rows] = kernels.pick(together[rows].toarray(), ids[rows])
        return result + prior * self.share[ids]

    def _mean(self, cues: Sparse, smoothing: float, idf: float) -> tuple[Sparse, Floats]:
        """The two parts of the mean: csr [Q, N], and the weight of the shares, float32 [Q, 1], NaN without cues."""
        weights = np.log1p(self.users / np.maximum(self.cue, 1)) ** idf
        weights[np.diff(self.both.indptr) == 0] = 0  # a cue that comes with nothing says nothing
        cues = cues.multiply(weights).tocsr()
        cues.eliminate_zeros()
        total = np.asarray(cues.sum(axis=1))
        among = cues.multiply(1 / np.where(total > 0, total, np.nan)).multiply(1 / (self.cue + smoothing)).tocsr()
        prior = np.where(total > 0, smoothing * np.asarray(among.sum(axis=1)), np.nan)
        return (among @ self.both).astype(np.float32), prior.astype(np.float32)

    def state(self, name: str) -> State:
        """As arrays under this name."""
        arrays = {"cue": self.cue, "share": self.share, "users": self.users}
        return {f"{name}.{key}": array for key, array in arrays.items()} | pack_csr(self.both, f"{name}.both")

    @classmethod
    def restore(cls, state: State, name: str) -> Self:
        """From `state`."""
        return cls(unpack_csr(state, f"{name}.both"), *(state[f"{name}.{key}"] for key in ("cue", "share", "users")))


class TagFallback(DenseModel):
    """Tag co-occurrence, for queries that know no items.

    Cues c are the query's tags, for the target tags its items as well, and the words of its title. The
    score of an item or tag i is the mean, weighted by log(1 + U / n(c)) to the power `idf`, of

        P(i | c) = (n(i, c) + a p(i)) / (n(c) + a)

    n counts the training users who have the cue (and i), p is the overall share, a the `smoothing`.
    """

    name = "tag-fallback"
    Config = TagFallbackOptions
    config: TagFallbackOptions

    def __init__(self, config: Options | None = None) -> None:
        """Which fields it reads depends on `title_weight`."""
        super().__init__(config)
        self.needs = frozenset({"tags", "items", "title"} if self.config.title_weight else {"tags", "items"})

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Count, as sparse products of users x cues with users x targets."""
        self._lexicon = Lexicon.learn(data.titles if self.config.title_weight else (), self.config.tokenizer)
        everyone = data.queries(np.arange(len(data.users), dtype=np.int32))
        has = {"items": data.interactions.matrix(binary=True), "tags": data.user_tags.sign()}
        self._counts = {}
        for target in TARGETS:
            cues = self._cues(everyone, target).sign()
            tagged = self._tagged(data, target, cues.shape[1])
            # An item with a tag counts as more users who have both, so these users have the cue as well.
            n = _sums(cues) + self.config.item_tags * (np.diff(tagged.indptr) > 0)
            self._counts[target] = Counts.of((cues.T @ has[target] + tagged).tocsr(), n, has[target])
        return self

    def memory(self, data: Dataset) -> int:
        """The co-occurrences of tags with items and tags, each with its product and its sum with the items' tags."""
        tags, items = np.diff(data.user_tags.indptr), data.interactions.lengths
        pairs = int(np.sum(tags * items) + np.sum(tags * (tags + items)))
        n_tags, n_items = len(data.tags), len(data.items)
        return 3 * 8 * min(pairs, n_tags * (n_items + n_tags + n_items))

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """The weighted mean over the cues; NaN for queries without a cue that training knows."""
        return self._counts[target].mean(self._cues(queries, target), self.config.smoothing, self.config.idf)

    def score(self, queries: QueryBatch, ids: Ints, target: Target) -> Floats:
        """The same of the candidates alone."""
        options = self.config
        return self._counts[target].mean_at(ids, self._cues(queries, target), options.smoothing, options.idf)

    def state(self) -> State:
        """The counts of both targets, and the words of titles."""
        state = self._lexicon.state()
        for target in TARGETS:
            state |= self._counts[target].state(target)
        return state

    def restore(self, state: State) -> Self:
        """From `state`."""
        self._lexicon = Lexicon.restore(state, self.config.tokenizer)
        self._counts = {target: Counts.restore(state, target) for target in TARGETS}
        return self

    def _cues(self, queries: QueryBatch, target: Target) -> Sparse:
        """csr [Q, C] with the weight of each kind: tags, for the target tags items, and words of the title."""
        words = self._lexicon.counts(queries.text).sign() * np.float32(self.config.title_weight)
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


def _blocks(matrix: Sparse) -> Iterator[slice]:
    """Rows that, made dense, stay in the processor's cache."""
    step = max(_CACHED // max(matrix.shape[1], 1), 1)
    return (slice(start, start + step) for start in range(0, matrix.shape[0], step))


def _sums(matrix: Sparse) -> Doubles:
    """Column sums."""
    return np.asarray(matrix.sum(axis=0), np.float64).ravel()
