"""Popularity: the share of users who have an item or a tag, overall or among users like the query's."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, Self

import numpy as np
from pydantic import Field

from hybridrec import (
    DAY,
    ITEMS,
    DataError,
    Dataset,
    DenseModel,
    Features,
    Floats,
    Options,
    QueryBatch,
    Ragged,
    Sparse,
    State,
    Target,
    pack_csr,
    unpack_csr,
)
from hybridrec import Field as QueryField


class PopularityOptions(Options):
    """Options of `popularity`: the measure of popularity, and the users among whom it is counted."""

    count: Literal["users", "weights"] = "users"
    """Measure of popularity: the number of distinct users who have an item, or the sum of its interactions' weights."""
    by: Literal["all", "tags", "user-features"] = "all"
    """Users that are counted: all, or those with the query's tags or user features; a query without any of these gets
    no opinion."""
    half_life: float | None = Field(None, gt=0)
    """Number of days before the newest interaction at which an interaction counts half; null weighs all equally."""
    smoothing: float = Field(5.0, gt=0)
    """Number of imaginary users with the overall shares that are added to each tag or feature of `by`: large values
    pull the shares of rare tags or features towards the overall shares."""


class Popularity(DenseModel):
    """Ranks items, tags and other entities by the share of all users, or with `by` of similar users, who have them.

    With `by: tags` the score is the mean over the query's tags t of (n(i, t) + a p(i)) / (n(t) + a). n(t) counts the
    users with tag t, and n(i, t) those who also have i; p(i) is the overall share of i, and a the `smoothing`. User
    features, which are known for the users of the data, are treated alike.
    """

    name = "popularity"
    Config = PopularityOptions
    config: PopularityOptions

    def __init__(self, config: Options | None = None) -> None:
        """Set `needs` to the query field that `by` reads."""
        super().__init__(config)
        needs: dict[str, frozenset[QueryField]] = {
            "tags": frozenset({"tags"}),
            "user-features": frozenset({"user"}),
        }
        self.needs = needs.get(self.config.by, frozenset())

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Count the users and return self; raises DataError without the times or features that the options need."""
        context = self._context(data.user_matrix("tags"), data.users.features)
        if context is None:
            raise DataError("popularity: `by: user-features` needs features of users, but this data has none")
        self._context_users = np.asarray(context.sum(axis=0), np.float32).ravel()
        self._shares, self._by_context = {}, {}
        for target in data.targets:
            had = self._items(data.interactions) if target == ITEMS else data.user_matrix(target).sign()
            self._shares[target] = overall_shares(had)
            if self.config.by != "all":
                self._by_context[target] = (context.T @ had).tocsr()
        return self

    def seconds(self, data: Dataset) -> float:
        """Estimate how many seconds a fit takes: it counts the interactions once."""
        return 1e-7 * len(data.interactions.ids)

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the overall shares, or their mixture over the query's tags or features: float32 [Q, N]."""
        overall = self._shares[target]
        if self.config.by == "all":
            return np.tile(overall, (len(queries), 1))
        a = self.config.smoothing
        context = self._context(queries.matrix("tags"), queries.user_features)
        if context is None:
            return np.full((len(queries), len(overall)), np.nan, np.float32)
        among = context.multiply(1 / (self._context_users + a)).tocsr()
        prior, count = a * np.asarray(among.sum(axis=1)), np.asarray(context.sum(axis=1))
        mean = (among @ self._by_context[target]).toarray() + prior * overall
        return (mean / np.where(count > 0, count, np.nan)).astype(np.float32)

    def state(self) -> State:
        """Return the shares of each target and, with `by`, the counts by tag or feature."""
        targets = np.array(list(self._shares))
        state: State = {"targets": targets}
        state |= {f"shares.{target}": shares for target, shares in self._shares.items()}
        for target, matrix in self._by_context.items():
            state |= pack_csr(matrix, f"by_context.{target}")
        return state | {"context_users": self._context_users}

    def restore(self, state: State) -> Self:
        """Take the shares and, with `by`, the counts by tag or feature from `state`; return self."""
        targets = tuple(map(str, state["targets"]))
        self._shares = {target: state[f"shares.{target}"] for target in targets}
        by_context = () if self.config.by == "all" else targets
        self._by_context = {target: unpack_csr(state, f"by_context.{target}") for target in by_context}
        self._context_users = state["context_users"]
        return self

    def _context(self, tags: Sparse, features: Features | None) -> Sparse | None:
        """Return the tags or, with `by: user-features`, the features of each row: csr of ones; None if unknown."""
        if self.config.by == "user-features":
            return None if features is None else features.matrix.sign()
        return tags.sign()

    def _items(self, history: Ragged) -> Sparse:
        """Return the count of each item for each user, with `count` and `half_life` applied: csr [U, I]."""
        if self.config.count == "users":
            history = _latest(history)
        if self.config.half_life is not None:
            weights = 1.0 if history.weights is None else history.weights
            history = replace(history, weights=weights * _decay(history, self.config.half_life))
        return history.matrix()


def overall_shares(had: Sparse) -> Floats:
    """Divide the column sums of csr [U, N] by the number of users with any entry: float32 [N]."""
    users = max(int(np.count_nonzero(np.diff(had.indptr))), 1)
    return np.asarray(had.sum(axis=0) / users, np.float32).ravel()


def _latest(history: Ragged) -> Ragged:
    """Return the histories with each item once in a row, at its last place, with weight 1."""
    pair = history.rows.astype(np.int64) * history.width + history.ids
    _, from_end = np.unique(pair[::-1], return_index=True)
    last = np.zeros(len(pair), bool)
    last[len(pair) - 1 - from_end] = True
    return replace(history.where(last), weights=np.ones(len(from_end), np.float32))


def _decay(history: Ragged, half_life: float) -> Floats:
    """Return 0.5 to the power of each interaction's age in half-lives, float32; 0 for an unknown time.

    Raises DataError if no interaction has a time.
    """
    if history.times is None:
        raise DataError("popularity: `half_life` needs the times of interactions, but this data has none")
    age = (np.nanmax(history.times, initial=-np.inf) - history.times) / DAY
    return np.nan_to_num(np.exp2(-age / half_life), nan=0.0).astype(np.float32)
