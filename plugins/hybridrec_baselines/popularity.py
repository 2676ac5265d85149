"""Popularity: the share of users who have an item or a tag, overall or among those like the query's."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, Self

import numpy as np
from pydantic import Field

from hybridrec import (
    DAY,
    TARGETS,
    DataError,
    Dataset,
    DenseModel,
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
    """Options of `popularity`."""

    count: Literal["users", "weights"] = "users"
    """What counts for an item: the distinct users who have it, or the sum of their weights."""
    by: Literal["all", "tags", "user-features"] = "all"
    """Among whom: all users, or those with the query's tags or user features; without any it has no opinion."""
    half_life: float | None = Field(None, gt=0)
    """Days after which an interaction counts half, measured back from the newest one; null counts all alike."""
    smoothing: float = Field(5.0, gt=0)
    """With `by`: as how many more users with each tag or feature the overall share counts."""


class Popularity(DenseModel):
    """Items and tags by their share of users; serves every query, or with `by` those of which a context is known.

    With `by: tags` the score is the mean over the query's tags t of (n(i, t) + a p(i)) / (n(t) + a): n
    counts the users with tag t (who have i), p is the overall share and a the `smoothing`. Likewise by user
    features, which are known of the users of the data.
    """

    name = "popularity"
    Config = PopularityOptions
    config: PopularityOptions

    def __init__(self, config: Options | None = None) -> None:
        """What it needs depends on `by`."""
        super().__init__(config)
        needs: dict[str, frozenset[QueryField]] = {
            "tags": frozenset({"tags"}),
            "user-features": frozenset({"user"}),
        }
        self.needs = needs.get(self.config.by, frozenset())

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Count; raises DataError where the data lacks the times for `half_life` or the features for `by`."""
        tags = data.user_tags.sign()
        context = self._context(tags, None if data.user_features is None else data.user_features.matrix)
        if context is None:
            raise DataError("popularity: `by: user-features` needs features of users, and this data has none")
        self._context_users = np.asarray(context.sum(axis=0), np.float32).ravel()
        self._shares, self._by_context = {}, {}
        for target, had in zip(TARGETS, (self._items(data.interactions), tags), strict=True):
            self._shares[target] = overall_shares(had)
            if self.config.by != "all":
                self._by_context[target] = (context.T @ had).tocsr()
        return self

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """The overall shares, or their mixture over the query's tags or features."""
        overall = self._shares[target]
        if self.config.by == "all":
            return np.tile(overall, (len(queries), 1))
        a = self.config.smoothing
        context = self._context(queries.tags, queries.user_features)
        if context is None:
            return np.full((len(queries), len(overall)), np.nan, np.float32)
        among = context.multiply(1 / (self._context_users + a)).tocsr()
        prior, count = a * np.asarray(among.sum(axis=1)), np.asarray(context.sum(axis=1))
        mean = (among @ self._by_context[target]).toarray() + prior * overall
        return (mean / np.where(count > 0, count, np.nan)).astype(np.float32)

    def state(self) -> State:
        """Shares of both targets, and the counts per tag."""
        state: State = {f"shares.{target}": shares for target, shares in self._shares.items()}
        for target, matrix in self._by_context.items():
            state |= pack_csr(matrix, f"by_context.{target}")
        return state | {"context_users": self._context_users}

    def restore(self, state: State) -> Self:
        """From `state`."""
        self._shares = {target: state[f"shares.{target}"] for target in TARGETS}
        by_context = () if self.config.by == "all" else TARGETS
        self._by_context = {target: unpack_csr(state, f"by_context.{target}") for target in by_context}
        self._context_users = state["context_users"]
        return self

    def _context(self, tags: Sparse, features: Sparse | None) -> Sparse | None:
        """csr [rows, contexts] of ones: the tags, or the features as far as there are any."""
        found = features if self.config.by == "user-features" else tags
        return None if found is None else found.copy().sign()  # sign() sorts its own matrix

    def _items(self, history: Ragged) -> Sparse:
        """What each user counts for each item: csr [U, I]."""
        if self.config.count == "users":
            history = _latest(history)
        if self.config.half_life is not None:
            weights = 1.0 if history.weights is None else history.weights
            history = replace(history, weights=weights * _decay(history, self.config.half_life))
        return history.matrix()


def overall_shares(had: Sparse) -> Floats:
    """float32 [N]: what all users count for each id, csr [U, N], over the number of users who have any."""
    users = max(int(np.count_nonzero(np.diff(had.indptr))), 1)
    return np.asarray(had.sum(axis=0) / users, np.float32).ravel()


def _latest(history: Ragged) -> Ragged:
    """Each item once a row, the last time it came, with weight 1."""
    pair = history.rows.astype(np.int64) * history.width + history.ids
    _, from_end = np.unique(pair[::-1], return_index=True)
    last = np.zeros(len(pair), bool)
    last[len(pair) - 1 - from_end] = True
    return replace(history.where(last), weights=np.ones(len(from_end), np.float32))


def _decay(history: Ragged, half_life: float) -> Floats:
    """0.5 to the age of each interaction in half lives; an unknown time counts nothing."""
    if history.times is None:
        raise DataError("popularity: `half_life` needs the times of interactions, and this data has none")
    age = (np.nanmax(history.times, initial=-np.inf) - history.times) / DAY
    return np.nan_to_num(np.exp2(-age / half_life), nan=0.0).astype(np.float32)
