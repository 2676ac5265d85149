"""`tag-fallback`: recommends ids that co-occur among users with a query's tags (or items, for targets but items)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from pydantic import Field
from scipy.sparse import csr_matrix, vstack

from hybridrec import (
    EVERY_KIND,
    ITEMS,
    Dataset,
    DenseModel,
    Doubles,
    Floats,
    Ints,
    Options,
    QueryBatch,
    Sparse,
    State,
    Target,
    Tokenizer,
    TokenVocabulary,
    filled,
    kernels,
    make_csr,
    pack_csr,
    stack_columns,
    unpack_csr,
)

_CACHED = 1 << 20
"""Number of scores in memory at a time when only the scores of candidates are needed."""


class TagFallbackOptions(Options):
    """Options of `tag-fallback`: the smoothing of counts, and the weights of rare tags, items' tags and title words."""

    smoothing: float = Field(3.0, gt=0)
    """Number of imaginary users with the overall shares added to each tag: with large values rare tags count less."""
    idf: float = Field(1.0, ge=0)
    """Power of a tag's inverse document frequency in its weight; higher values favour rare tags, 0 weighs all
    equally."""
    item_tags: float = Field(5.0, ge=0)
    """Number of imaginary users, who have an item and a tag, that are added for each tag that the item has itself; 0
    ignores the tags of items."""
    title_weight: float = Field(0.0, ge=0)
    """Weight of a word of the title relative to a tag; 0 ignores titles."""
    tokenizer: Tokenizer = Tokenizer()
    """Tokenization of titles."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of users who have both a cue and an id of the target.

    A cue is a tag, another entity, a title word or an item of a query.

    both: csr [C, N], number of users who have the cue and the id of the target
    cue: float32 [C], number of users who have the cue
    share: float32 [N], share of the users with any id of the target who have this id
    users: float32 scalar, number of users with any id of the target
    """

    both: Sparse
    cue: Floats
    share: Floats
    users: Floats

    @classmethod
    def of(cls, both: Sparse, cue: Doubles, has: Sparse) -> Self:
        """Make the counts from the fields `both` and `cue`, and `has`, csr [U, N], each user's ids of the target."""
        users = max(int(np.count_nonzero(np.diff(has.indptr))), 1)
        return cls(both, cue.astype(np.float32), (_sums(has) / users).astype(np.float32), np.array(users, np.float32))

    def weights(self, idf: float) -> Floats:
        """Return the weight of each cue by its idf: float32 [C], 0 for cues that occur with no id of the target."""
        weights = np.asarray(np.log1p(self.users / np.maximum(self.cue, 1)) ** idf, np.float32)
        weights[np.diff(self.both.indptr) == 0] = 0  # a cue without any target carries no information
        return weights

    def mean(self, cues: Sparse, smoothing: float) -> Floats:
        """Return the mean of P(id | cue) over the cues of each query: float32 [Q, N].

        `cues`, csr [Q, C], are the weights of the cues. NaN rows for queries without cues.
        """
        among, prior = self._among(cues, smoothing)
        result = kernels.dense_product(among, self.both).astype(np.float32, copy=False)
        for rows in _blocks(result.shape):
            result[rows] += prior[rows] * self.share
        return result

    def mean_at(self, ids: Ints, cues: Sparse, smoothing: float) -> Floats:
        """Return the entries of `mean` at the candidates `ids`, int32 [Q, K]: float32 [Q, K], NaN at padding."""
        among, prior = self._among(cues, smoothing)
        result = np.empty(ids.shape, np.float32)
        for rows in _blocks((len(ids), len(self.share))):
            block = among if rows.stop >= len(ids) and not rows.start else among[rows]
            result[rows] = kernels.pick(kernels.dense_product(block, self.both), ids[rows])
        return result + prior * self.share[ids]

    def _among(self, cues: Sparse, smoothing: float) -> tuple[Sparse, Floats]:
        """Return (among, prior) such that `mean` is among @ `both` + prior * `share`.

        `cues`, csr [Q, C], are the weights of the cues of each query. `among` is csr [Q, C]; `prior` is float32 [Q, 1],
        NaN for queries without cues.
        """
        cues = make_csr(cues.data, cues.indices.copy(), cues.indptr.copy(), cues.shape)
        cues.eliminate_zeros()
        total = kernels.row_sums(cues)[:, None]
        each = (1 / np.where(total > 0, total, np.nan)).ravel()[kernels.csr_rows(cues)]
        shares = cues.data * each * (1 / (self.cue[cues.indices] + smoothing))
        among = make_csr(shares, cues.indices, cues.indptr, cues.shape)
        prior = np.where(total > 0, smoothing * kernels.row_sums(among)[:, None], np.nan)
        return among, prior.astype(np.float32)

    def state(self, name: str) -> State:
        """Return the counts as arrays, under the names `name.both`, `name.cue` and so on."""
        arrays = {"cue": self.cue, "share": self.share, "users": self.users}
        return {f"{name}.{key}": array for key, array in arrays.items()} | pack_csr(self.both, f"{name}.both")

    @classmethod
    def restore(cls, state: State, name: str) -> Self:
        """Rebuild the counts from the arrays that `state` returned for this name."""
        return cls(unpack_csr(state, f"{name}.both"), *(state[f"{name}.{key}"] for key in ("cue", "share", "users")))


class TagFallback(DenseModel):
    """Tag co-occurrence, for queries without known items.

    Cues c are the query's tags and entities of other kinds, the words of its title and, for targets other than items,
    its items. The score of an item or tag i is the mean, weighted by log(1 + U / n(c)) to the power `idf`, of

        P(i | c) = (n(i, c) + a p(i)) / (n(c) + a)

    n(c) counts the training users who have the cue, and n(i, c) those who also have i. U is the number of users with
    any id of the target, and p(i) the share of these U users who have i; a is the `smoothing`.
    """

    name = "tag-fallback"
    Config = TagFallbackOptions
    config: TagFallbackOptions

    def __init__(self, config: Options | None = None) -> None:
        """Set `needs`: entities of any kind, and the title if `title_weight` is above 0."""
        super().__init__(config)
        self.needs = frozenset({EVERY_KIND, "title"} if self.config.title_weight else {EVERY_KIND})

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Count the co-occurrences of cues with the ids of each target; return self."""
        self._lexicon = TokenVocabulary.build(
            data.users.text if self.config.title_weight else (), self.config.tokenizer
        )
        everyone = data.queries(np.arange(len(data.users), dtype=np.int32))
        self._counts = {}
        for target in data.targets:
            has = data.user_matrix(target).sign()
            cues = self._cues(everyone, target).sign()
            tagged = self._tagged(data, target, cues.shape[1])
            # An item with a tag counts as additional users who have both, so the users of the cue grow by the same
            # number.
            n = _sums(cues) + self.config.item_tags * (np.diff(tagged.indptr) > 0)
            self._counts[target] = Counts.of((cues.T @ has + tagged).tocsr(), n, has)
        return self._weigh()

    def _weigh(self) -> Self:
        """Compute the idf of all cues for each target; return self."""
        self._weights = {target: counts.weights(self.config.idf) for target, counts in self._counts.items()}
        return self

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes of the co-occurrences of tags with items and tags, held three times."""
        carried = [np.diff(data.user_matrix(kind).indptr) for kind in data.kinds]
        tags, items = np.sum(carried, axis=0, dtype=np.int64) if carried else 0, data.interactions.lengths
        pairs = int(np.sum(tags * items) + np.sum(tags * (tags + items)))
        n_tags, n_items = sum(map(data.size, data.kinds)), len(data.items)
        return 3 * 8 * min(pairs, n_tags * (n_items + n_tags + n_items))

    def seconds(self, data: Dataset) -> float:
        """Estimate how many seconds a fit takes: it counts common occurrences of tags and items."""
        return 1e-6 * (data.user_matrix("tags").nnz + data.item_matrix("tags").nnz) + 1e-7 * len(data.interactions.ids)

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the mean over the cues, float32 [Q, N]; NaN for queries without a cue that training has seen."""
        return self._counts[target].mean(self._weighted(queries, target), self.config.smoothing)

    def score(self, queries: QueryBatch, ids: Ints, target: Target) -> Floats:
        """Return the entries of `scores` at the candidates: float32 [Q, K].

        NaN at padding, and for queries without a cue that training has seen.
        """
        return self._counts[target].mean_at(ids, self._weighted(queries, target), self.config.smoothing)

    def state(self) -> State:
        """Return the counts of each target, and the words of titles."""
        state = self._lexicon.state() | {"targets": np.array(list(self._counts))}
        for target, counts in self._counts.items():
            state |= counts.state(target)
        return state

    def restore(self, state: State) -> Self:
        """Take the counts of each target, and the words of titles, from `state`; return self."""
        self._lexicon = TokenVocabulary.restore(state, self.config.tokenizer)
        self._counts = {target: Counts.restore(state, target) for target in map(str, state["targets"])}
        return self._weigh()

    def _weighted(self, queries: QueryBatch, target: Target) -> Sparse:
        """Return the weight of each cue in its query, the weight of its field times its idf: csr float32 [Q, C]."""
        cues = self._cues(queries, target)
        cues.data *= self._weights[target][cues.indices]
        return cues

    def _cues(self, queries: QueryBatch, target: Target) -> Sparse:
        """Return the weight of the field of each cue of a query, without its idf: csr float32 [Q, C].

        Columns are the entities of all kinds but items, then items unless they are the target, then words of titles.
        """
        words = self._lexicon.counts(queries.text)
        items = [] if target == ITEMS else [queries.matrix(ITEMS)]
        signs = [
            make_csr(np.sign(has.data), has.indices, has.indptr, has.shape)
            for has in (*queries.entities.values(), *items)
        ]
        return stack_columns([*signs, filled(words, self.config.title_weight)])

    def _tagged(self, data: Dataset, target: Target, n_cues: int) -> Sparse:
        """Return the additional counts that the items' own tags and other entities give: csr [C, N]."""
        kinds = data.kinds if target == ITEMS else (target,)
        had = [data.item_matrix(kind).sign() * np.float32(self.config.item_tags) for kind in kinds]
        for matrix in had:
            matrix.eliminate_zeros()
        if target == ITEMS:
            parts = [matrix.T for matrix in had] or [csr_matrix((0, len(data.items)), dtype=np.float32)]
            block, above = csr_matrix(vstack(parts, format="csr")), 0
        else:  # the rows of "items" cues follow those of all other kinds
            block, above = had[0], sum(map(data.size, data.kinds))
        indptr = np.pad(block.indptr, (above, n_cues - above - block.shape[0]), mode="edge")
        return csr_matrix((block.data, block.indices, indptr), shape=(n_cues, block.shape[1]))


def _blocks(shape: tuple[int, ...]) -> Iterator[slice]:
    """Yield blocks of the rows of an array [Q, N] that fit into the processor's cache."""
    step = max(_CACHED // max(shape[1], 1), 1)
    return (slice(start, start + step) for start in range(0, shape[0], step))


def _sums(matrix: Sparse) -> Doubles:
    """Return the column sums of a csr: float64 [columns]."""
    return np.asarray(matrix.sum(axis=0), np.float64).ravel()
