"""`user-knn`: the most similar training users vote for their items and tags."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field as Option
from pydantic import model_validator

from hybridrec import (
    DAY,
    EVERY_KIND,
    ITEMS,
    PADDING,
    DataError,
    Dataset,
    DenseModel,
    Doubles,
    Floats,
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

_CELLS = 1 << 23
"""Number of similarities of queries and users that are in memory at a time."""


class UserKNNOptions(Options):
    """Options of `user-knn`: the definition of similarity, and the number of votes."""

    items: float = Option(1.0, ge=0)
    """Share of common items in the similarity; 0 leaves them out."""
    tags: float = Option(1.0, ge=0)
    """Share of common tags, and of common entities of each other kind; 0 leaves them out."""
    title: float = Option(0.5, ge=0)
    """Share of common title words; 0 leaves them out."""
    tokenizer: Tokenizer = Tokenizer()
    """Tokenization of titles."""
    time: float = Option(0.0, ge=0)
    """Weight of closeness in time, added to a similarity of at most 1 (a cosine); 0 ignores times."""
    half_life: float = Option(200.0, gt=0)
    """Days between a query and a user's latest interaction at which closeness in time is halved."""
    idf: float = Option(0.5, ge=0)
    """Power of log(1 + U / n), the weight of an item, tag or word; higher values favour rare ones, 0 weighs all
    equally."""
    length: float = Option(0.5, ge=0, le=1)
    """Normalization by the length of users: 0.5 is the cosine; lower values give more votes to users with many items,
    tags and words."""
    neighbours: int = Option(50, ge=1)
    """Number of users that vote."""
    power: float = Option(1.0, gt=0)
    """Power of the similarity in a vote; the larger it is, the more the nearest users dominate."""

    @model_validator(mode="after")
    def _compares_something(self) -> Self:
        if not self.items + self.tags + self.title:
            raise ValueError("one of items, tags and title must be above 0")
        return self


class UserKNN(DenseModel):
    """Nearest neighbours among the training users (Resnick et al. 1994), by cosine over all known fields of a query.

    A user is a sparse vector of items, tags and title words. Each value is the square root of the share of its field,
    times log(1 + U / n) to the power `idf`. With a `length` l other than 0.5 the similarity of query q and user u is
    the asymmetric cosine q u / (|q|^(2 - 2 l) |u|^(2 l)) (Aiolli 2013). Where the times of query and user are known,
    `time` times 2^(-days apart / half_life) is added: sessions close in time are alike (Jannach and Ludewig 2017). The
    score of an item (or tag) is the sum of similarity to the power `power` over the nearest users who have it; an item
    that none of them has gets no opinion.
    """

    name = "user-knn"
    version = "2"
    folds_in = True
    Config = UserKNNOptions
    config: UserKNNOptions

    def __init__(self, config: Options | None = None) -> None:
        """Set `needs` to the query fields whose shares are above 0."""
        super().__init__(config)
        kinds = EVERY_KIND if self.config.items else "tags"
        shares = {ITEMS: self.config.items, kinds: self.config.tags, "title": self.config.title}
        self.needs = frozenset(field for field, share in shares.items() if share)

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Store the training users as vectors, with their items and other entities; return self."""
        self._lexicon = TokenVocabulary.build(data.users.text if self.config.title else (), self.config.tokenizer)
        everyone = data.queries(np.arange(len(data.users), dtype=np.int32))
        present = self._cues(everyone)
        count = present.getnnz(axis=0)
        self._idf = (np.log1p(len(data.users) / np.maximum(count, 1)) ** self.config.idf * (count > 0)).astype(
            np.float32
        )
        self._by_cue = self._vectors(everyone, self.config.length).T.tocsr()
        self._latest = _known(data.interactions.latest(), len(data.users))
        if self.config.time and np.isnan(self._latest).all():
            raise DataError("user-knn: `time` needs the times of interactions, but this data has none")
        self._has = {target: data.user_matrix(target).sign() for target in data.targets}
        return self

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes of the users' vectors, held three times while they are built."""
        return 3 * 12 * 2 * sum(data.user_matrix(kind).nnz for kind in data.targets)

    def seconds(self, data: Dataset) -> float:
        """Estimate how many seconds a fit takes: it builds the users' vectors."""
        return 6e-7 * sum(data.user_matrix(kind).nnz for kind in data.targets)

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the sum of the votes, float32 [Q, N]; NaN for ids that no neighbour has."""
        has = self._has[target]
        result = np.empty((len(queries), has.shape[1]), np.float32)
        rows = max(1, _CELLS // max(self._by_cue.shape[1], 1))
        for start in range(0, len(queries), rows):
            block = slice(start, start + rows)
            asked = queries if len(queries) <= rows else queries.take(block)
            result[block] = kernels.dense_product(self._votes(asked), has)
        result[result <= 0] = np.nan
        return result

    def _votes(self, queries: QueryBatch) -> Sparse:
        """Return the votes of the nearest training users of each query: csr [Q, U]."""
        similarity = kernels.dense_product(self._vectors(queries, 1 - self.config.length), self._by_cue)
        if self.config.time:
            similarity += np.float32(self.config.time) * self._closeness(_known(queries.times, len(queries)))
        similarity[similarity <= 0] = np.nan
        users, values = kernels.top_k(similarity, min(self.config.neighbours, max(similarity.shape[1], 1)))
        order = np.argsort(users, axis=1)  # by user, padding first: a sum of votes does not depend on who is nearest
        users, values = np.take_along_axis(users, order, axis=1), np.take_along_axis(values, order, axis=1)
        near = users != PADDING
        offsets = np.concatenate(([0], np.cumsum(near.sum(axis=1))))
        return make_csr(values[near] ** np.float32(self.config.power), users[near], offsets, similarity.shape)

    def _closeness(self, times: Doubles) -> Floats:
        """Return the closeness in time of queries and users, float32 [Q, U].

        It is 1 at the same time, halved with each half-life between them, and 0 if a time is unknown.
        """
        apart = np.abs(times[:, None] - self._latest) / (DAY * self.config.half_life)
        return np.nan_to_num(np.exp2(-apart.astype(np.float32)), nan=0.0)

    def _vectors(self, queries: QueryBatch, length: float) -> Sparse:
        """Return the weighed cues (items, other entities, title words) of queries: csr [Q, cues].

        Each row is divided by its length to the power 2 `length`.
        """
        cues = self._cues(queries)
        cues.data *= self._idf[cues.indices]
        cues.eliminate_zeros()  # of fields without a share, and cues that training has not seen
        squares = kernels.row_sums(make_csr(cues.data**2, cues.indices, cues.indptr, cues.shape))
        cues.data /= np.repeat(np.where(squares > 0, squares, 1) ** length, np.diff(cues.indptr))
        return cues

    def _cues(self, queries: QueryBatch) -> Sparse:
        """Return the cues of queries, their items, other entities and title words: csr [Q, items + entities + words].

        The value of a cue is the square root of the share of its field.
        """
        shares = dict.fromkeys(queries.entities, self.config.tags) | {ITEMS: self.config.items}
        shared = [(queries.matrix(kind), shares[kind]) for kind in (ITEMS, *queries.entities)]
        shared.append((self._lexicon.counts(queries.text), self.config.title))
        return stack_columns([filled(matrix, share**0.5) for matrix, share in shared])

    def state(self) -> State:
        """Return the users' vectors of cues, the users' items and tags, and the weights of cues."""
        arrays = {"idf": self._idf, "latest": self._latest} | self._lexicon.state()
        arrays |= {"targets": np.array(list(self._has))} | pack_csr(self._by_cue, "by_cue")
        for target, has in self._has.items():
            arrays |= pack_csr(has, target)
        return arrays

    def restore(self, state: State) -> Self:
        """Take the users' vectors, items and other entities, and the weights of the cues from `state`; return self."""
        self._idf, self._latest = state["idf"], state["latest"]
        self._lexicon = TokenVocabulary.restore(state, self.config.tokenizer)
        self._by_cue = unpack_csr(state, "by_cue")
        self._has = {target: unpack_csr(state, target) for target in map(str, state["targets"])}
        return self


def _known(times: Doubles | None, n: int) -> Doubles:
    """Return the times, float64 [n], NaN where unknown."""
    return np.full(n, np.nan) if times is None else times
