"""`naive-bayes`: recommends tags and items by the items of a query, each of which is independent evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from pydantic import Field
from scipy.sparse import diags

from hybridrec import (
    ITEMS,
    Dataset,
    DenseModel,
    Doubles,
    Floats,
    Options,
    QueryBatch,
    Sparse,
    State,
    Target,
    kernels,
    pack_csr,
    unpack_csr,
)


class NaiveBayesOptions(Options):
    """Options of `naive-bayes`: the smoothing of counts, and the weight of an id's own frequency."""

    smoothing: float = Field(0.3, gt=0)
    """Number of imaginary users, with items in the overall shares, added to the users of each tag (or item)."""
    prior: float = Field(1.0, ge=0)
    """Weight of the frequency of a tag (or item) itself; 0 treats all as equally frequent."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Evidence of each item for the N ids of a target.

    The symbols are those of `NaiveBayes`.

    both: csr float32 [I, N], log(1 + n(i, t) / (a P(i)))
    rare: float32 [N], log(a / (n(t) + a)), the same for all items
    prior: float32 [N], NaN for ids that no user has
    """

    both: Sparse
    rare: Floats
    prior: Floats

    @classmethod
    def of(cls, items: Sparse, has: Sparse, options: NaiveBayesOptions) -> Self:
        """Compute the evidence from the users' items, csr [U, I], and their ids of the target, csr [U, N], of ones."""
        users = max(int(np.count_nonzero(np.diff(items.indptr))), 1)
        share, count, a = _sums(items) / users, _sums(has), options.smoothing
        both = (diags(1 / np.where(share > 0, a * share, 1)) @ (items.T @ has)).tocsr()
        if has is items:  # an item is not evidence for itself
            both.setdiag(0)
            both.eliminate_zeros()
        prior = np.where(count > 0, options.prior * np.log(np.maximum(count, 1)), np.nan)
        return cls(
            both.log1p().astype(np.float32), np.log(a / (count + a)).astype(np.float32), prior.astype(np.float32)
        )

    def total(self, items: Sparse) -> Floats:
        """Add the evidence of each query's items, csr [Q, I] of ones, to the prior: float32 [Q, N]."""
        witnesses = kernels.row_sums(items)[:, None]
        return kernels.dense_product(items, self.both) + witnesses * self.rare + self.prior


class NaiveBayes(DenseModel):
    """Naive Bayes over the items of a query (Manning, Raghavan and Schütze 2008, chapter 13), for instance for tagging.

    Items that the query lacks are not evidence, because they may be hidden. The score of a tag or item t, for the
    distinct items i of a query that training has seen, is

        prior log n(t) + sum log P(i | t) / P(i),    P(i | t) = (n(i, t) + a P(i)) / (n(t) + a)

    n(t) counts the users who have t, and n(i, t) the users who have both i and t. P(i) is the share of the users who
    have i; a is the `smoothing`. Ids that no user has are never proposed, and an item is not evidence for itself.
    """

    name = "naive-bayes"
    needs = frozenset({"items"})
    folds_in = True
    Config = NaiveBayesOptions
    config: NaiveBayesOptions

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Count the co-occurrences of items with the ids of each target; return self."""
        items = data.interactions.matrix(binary=True)
        has = {target: items if target == ITEMS else data.user_matrix(target).sign() for target in data.targets}
        self._known = _sums(items) > 0
        self._evidence = {target: Evidence.of(items, has[target], self.config) for target in data.targets}
        return self

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes of the co-occurrences of items with items and with tags, and of a scaled copy of them."""
        items = data.interactions.lengths
        pairs = sum(int(np.sum(items * np.diff(data.user_matrix(target).indptr))) for target in data.targets)
        return 3 * 12 * min(pairs, len(data.items) * sum(map(data.size, data.targets)))

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return log prior plus log likelihoods: float32 [Q, N].

        NaN rows for queries without an item that training has seen, and NaN for ids that no user has.
        """
        items = queries.history.matrix(binary=True)
        items.data *= self._known[items.indices]
        items.eliminate_zeros()
        result = self._evidence[target].total(items)
        result[np.diff(items.indptr) == 0] = np.nan
        return result

    def state(self) -> State:
        """Return the items that training has seen, and the evidence for each target."""
        state: State = {"known": self._known, "targets": np.array(list(self._evidence))}
        for target, evidence in self._evidence.items():
            state |= pack_csr(evidence.both, f"{target}.both")
            state |= {f"{target}.rare": evidence.rare, f"{target}.prior": evidence.prior}
        return state

    def restore(self, state: State) -> Self:
        """Take the items that training has seen, and the evidence for each target, from `state`; return self."""
        self._known = state["known"]
        self._evidence = {
            target: Evidence(unpack_csr(state, f"{target}.both"), state[f"{target}.rare"], state[f"{target}.prior"])
            for target in map(str, state["targets"])
        }
        return self


def _sums(matrix: Sparse) -> Doubles:
    """Return the column sums of a csr: float64 [columns]."""
    return np.asarray(matrix.sum(axis=0), np.float64).ravel()
