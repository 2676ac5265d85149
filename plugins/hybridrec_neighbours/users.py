"""`user-knn`: the most similar users of the training part vote with what they have."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field as Option
from pydantic import model_validator
from scipy.sparse import csr_matrix, hstack

from hybridrec import (
    DAY,
    PADDING,
    TARGETS,
    DataError,
    Dataset,
    DenseModel,
    Doubles,
    Field,
    Floats,
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

_CELLS = 1 << 23
"""Similarities of queries with users that are held at a time."""


class UserKNNOptions(Options):
    """What makes users similar, and how many of them vote."""

    items: float = Option(1.0, ge=0)
    """The share of common items in the similarity; 0 leaves them out."""
    tags: float = Option(1.0, ge=0)
    """The share of common tags; 0 leaves them out."""
    title: float = Option(0.5, ge=0)
    """The share of common title words; 0 leaves them out."""
    tokenizer: Tokenizer = Tokenizer()
    """How titles become words."""
    time: float = Option(0.0, ge=0)
    """What closeness in time adds to the similarity, which without it is at most 1 (a cosine); 0 looks at no time."""
    half_life: float = Option(200.0, gt=0)
    """Days between a query and a user's latest interaction at which they are half as close in time."""
    idf: float = Option(0.5, ge=0)
    """How much more a rare item, tag or word says than a common one: the power of log(1 + U / n); 0 weighs alike."""
    length: float = Option(0.5, ge=0, le=1)
    """How much users with many items, tags and words are held back: 0.5 is the cosine, less lets them vote more."""
    neighbours: int = Option(50, ge=1)
    """How many users vote."""
    power: float = Option(1.0, gt=0)
    """The power of the similarity that a vote counts; large values listen to the nearest only."""

    @model_validator(mode="after")
    def _compares_something(self) -> Self:
        if not self.items + self.tags + self.title:
            raise ValueError("one of items, tags and title must be above 0")
        return self


class UserKNN(DenseModel):
    """Nearest neighbours among the training users (Resnick et al. 1994), by cosine over all a query knows.

    A user is a sparse vector of items, tags and title words, each value the root of its share times
    log(1 + U / n) to the power `idf`. With a `length` l other than 0.5 the similarity of query q and user u
    is the asymmetric cosine q u / (|q|^(2 - 2 l) |u|^(2 l)) (Aiolli 2013). To it comes `time` times
    2^(-days apart / half_life) where both times are known: sessions near in time are alike (Jannach and
    Ludewig 2017). The score of an item (or tag) is the sum of similarity to the power `power` over the
    nearest users who have it; what none of them has gets no opinion.
    """

    name = "user-knn"
    folds_in = True
    targets = TARGETS
    Config = UserKNNOptions
    config: UserKNNOptions

    def __init__(self, config: Options | None = None) -> None:
        """Which fields it needs depends on the shares."""
        super().__init__(config)
        shares: dict[Field, float] = {"items": self.config.items, "tags": self.config.tags, "title": self.config.title}
        self.needs = frozenset(field for field, share in shares.items() if share)

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Keep the users as vectors, and what they have."""
        self._lexicon = Lexicon.learn(data.titles if self.config.title else (), self.config.tokenizer)
        everyone = data.queries(np.arange(len(data.users), dtype=np.int32))
        present = self._cues(everyone)
        count = present.getnnz(axis=0)
        self._idf = (np.log1p(len(data.users) / np.maximum(count, 1)) ** self.config.idf * (count > 0)).astype(
            np.float32
        )
        self._users = self._vectors(everyone, self.config.length)
        self._latest = _known(data.interactions.latest(), len(data.users))
        if self.config.time and np.isnan(self._latest).all():
            raise DataError("user-knn: `time` needs the times of interactions, and this data has none")
        self._has = {"items": data.interactions.matrix(binary=True), "tags": data.user_tags.sign()}
        return self

    def memory(self, data: Dataset) -> int:
        """The users' vectors three times over, while they are made."""
        return 3 * 12 * 2 * (len(data.interactions.ids) + data.user_tags.nnz)

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """float32 [Q, N]; NaN where no neighbour has it."""
        has = self._has[target]
        result = np.empty((len(queries), has.shape[1]), np.float32)
        rows = max(1, _CELLS // max(self._users.shape[0], 1))
        for start in range(0, len(queries), rows):
            part = slice(start, start + rows)
            result[part] = (self._votes(queries.take(part)) @ has).toarray()
        result[result <= 0] = np.nan
        return result

    def _votes(self, queries: QueryBatch) -> Sparse:
        """csr [Q, U]: what each of the nearest users counts."""
        similarity = np.asarray((self._vectors(queries, 1 - self.config.length) @ self._users.T).toarray(), np.float32)
        if self.config.time:
            similarity += np.float32(self.config.time) * self._closeness(_known(queries.times, len(queries)))
        similarity[similarity <= 0] = np.nan
        users, values = kernels.top_k(similarity, min(self.config.neighbours, max(similarity.shape[1], 1)))
        rows, places = np.nonzero(users != PADDING)
        votes = values[rows, places] ** np.float32(self.config.power)
        return csr_matrix((votes, (rows, users[rows, places])), shape=similarity.shape)

    def _closeness(self, times: Doubles) -> Floats:
        """float32 [Q, U]: 1 at the same time, half after each half-life, 0 where a time is unknown."""
        apart = np.abs(times[:, None] - self._latest) / (DAY * self.config.half_life)
        return np.nan_to_num(np.exp2(-apart.astype(np.float32)), nan=0.0)

    def _vectors(self, queries: QueryBatch, length: float) -> Sparse:
        """csr [Q, cues], rows divided by their length to the power 2 `length`."""
        cues = self._cues(queries)
        cues.data *= self._idf[cues.indices]
        squares = np.asarray(cues.multiply(cues).sum(axis=1)).ravel()
        cues.data /= np.repeat(np.where(squares > 0, squares, 1) ** length, np.diff(cues.indptr))
        return cues

    def _cues(self, queries: QueryBatch) -> Sparse:
        """csr [Q, items + tags + words]: the root of its share for everything a query knows."""
        words = self._lexicon.counts(queries.text)
        blocks = {"items": queries.history.matrix(binary=True), "tags": queries.tags.copy(), "title": words}
        for field, block in blocks.items():
            block.data[:] = getattr(self.config, field) ** 0.5
        return hstack(list(blocks.values()), format="csr", dtype=np.float32)

    def state(self) -> State:
        """The users' vectors, what they have, and the weights of cues."""
        arrays = {"idf": self._idf, "latest": self._latest} | self._lexicon.state()
        return (
            arrays
            | pack_csr(self._users, "users")
            | pack_csr(self._has["items"], "items")
            | pack_csr(self._has["tags"], "tags")
        )

    def restore(self, state: State) -> Self:
        """From `state`."""
        self._idf, self._latest = state["idf"], state["latest"]
        self._lexicon = Lexicon.restore(state, self.config.tokenizer)
        self._users = unpack_csr(state, "users")
        self._has = {target: unpack_csr(state, target) for target in TARGETS}
        return self


def _known(times: Doubles | None, n: int) -> Doubles:
    """float64 [n]: the times, NaN where there are none."""
    return np.full(n, np.nan) if times is None else times
