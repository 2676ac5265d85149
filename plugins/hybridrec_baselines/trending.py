"""`trending`: recommends what was popular around the time of the query."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field
from scipy.sparse import csr_matrix

from hybridrec import (
    DAY,
    DataError,
    Dataset,
    DenseModel,
    Doubles,
    Floats,
    Ints,
    Longs,
    Options,
    QueryBatch,
    Sparse,
    State,
    Target,
    kernels,
    make_csr,
    pack_csr,
    unpack_csr,
)
from hybridrec_baselines.popularity import overall_shares

_BINS = 16
"""Number of bins of time in a half-life: a time is off by at most 1/32 of a half-life, a weight by 2 %."""
_REACH = 20
"""Number of half-lives after which an interaction does not count: 2^-20 is negligible beside 1 in float32."""


class TrendingOptions(Options):
    """Options of `trending`: the width of the time around a query, and the smoothing of the counts in it."""

    half_life: float = Field(60.0, gt=0)
    """Number of days from the query's time, before or after it, at which an interaction counts half."""
    smoothing: float = Field(5.0, gt=0)
    """Number of imaginary users with the overall shares that are added at the query's time: large values pull scores
    towards overall popularity."""


class Trending(DenseModel):
    """Recommends the items that most users had around the time of the query, or overall if the query has no time.

    The score is (Σ w n(i) + s p(i)) / (Σ w m + s), summed over bins of time: m users were active in a bin, n(i) of
    them with item i; w = 2^(-distance / half_life), p(i) is the overall share of item i, and s is `smoothing`. Where
    training includes times later than the query's, as under random splits, those count too.
    """

    name = "trending"
    Config = TrendingOptions
    config: TrendingOptions
    targets = ("items",)

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Count the users in each bin of time and return self; raises DataError if no interaction has a time."""
        history = data.interactions
        if history.times is None or np.isnan(history.times).all():
            raise DataError("trending needs the times of interactions, but this data has none")
        self._share = overall_shares(history.matrix(binary=True))
        width = self.config.half_life * DAY / _BINS
        timed = ~np.isnan(history.times)
        self._bins, bins = np.unique(np.floor(history.times[timed] / width), return_inverse=True)
        self._counts = _distinct(bins, history.rows[timed], history.ids[timed], (len(self._bins), history.width))
        one_id = np.zeros(len(bins), np.int32)
        self._active = _distinct(bins, history.rows[timed], one_id, (len(self._bins), 1)).toarray().ravel()
        return self

    def seconds(self, data: Dataset) -> float:
        """Estimate how many seconds a fit takes: it sorts the interactions by time, and counts them."""
        return 2e-6 * len(data.interactions.ids)

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the shares around each query's time: float32 [Q, I]."""
        times = np.full(len(queries), np.nan) if queries.times is None else queries.times
        near = self._near(times)
        a = np.float32(self.config.smoothing)
        shares = kernels.dense_product(near, self._counts) + a * self._share
        shares /= (near @ self._active + a)[:, None]
        return shares.astype(np.float32, copy=False)

    def state(self) -> State:
        """Return the overall shares, the bins of time, and for each bin its active users, in all and by item."""
        return {"share": self._share, "bins": self._bins, "active": self._active} | pack_csr(self._counts, "counts")

    def restore(self, state: State) -> Self:
        """Take the overall shares, the bins of time, and the users of each bin from `state`; return self."""
        self._share, self._bins, self._active = state["share"], state["bins"], state["active"]
        self._counts = unpack_csr(state, "counts")
        return self

    def _near(self, times: Doubles) -> Sparse:
        """Return the weight of each bin that counts for each query: csr float32 [Q, bins].

        The row of an unknown time is empty.
        """
        place = times / (self.config.half_life * DAY) * _BINS - 0.5
        first = np.searchsorted(self._bins, place - _REACH * _BINS)
        lengths = np.where(np.isnan(place), 0, np.searchsorted(self._bins, place + _REACH * _BINS) - first)
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        columns = np.arange(offsets[-1]) + np.repeat(first - offsets[:-1], lengths)
        distance = np.abs(np.repeat(place, lengths) - self._bins[columns])
        weights = np.exp2(-distance / _BINS).astype(np.float32)
        return make_csr(weights, columns, offsets, (len(times), len(self._bins)))


def _distinct(rows: Longs, users: Ints, ids: Ints, shape: tuple[int, int]) -> Sparse:
    """Count the distinct users with each id in each row (bin of time): csr float32 of `shape`.

    `rows`, `users` and `ids` are parallel.
    """
    once = np.unique(np.stack([rows, users, ids]), axis=1)
    return csr_matrix((np.ones(once.shape[1], np.float32), (once[0], once[2])), shape=shape)
