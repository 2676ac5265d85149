"""Stochastic gradient descent on the loss of weighted matrix factorization, with sampled negatives and gravity."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from hybridrec import Bools, Doubles, Floats, Ints, Longs, Sparse, kernels

BATCH = 1024
"""Number of entries in a step."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Weights w (`observed`), w0 (`unobserved`), g (`gravity`) and λ (`regularization`) of the loss.

    The loss is w Σ_observed (r - u·v)² + w0 Σ_unobserved (u·v)² + g Σ_all (u·v)² + λ (Σ |u|² + Σ |v|²).
    """

    observed: float
    unobserved: float
    gravity: float
    regularization: float


def descend(
    entries: Sparse,
    loss: Loss,
    vectors: Floats,
    *,
    passes: int,
    rate: float,
    negatives: int,
    rng: np.random.Generator,
    report: Callable[..., None],
) -> Floats:
    """Train column vectors by passes over the entries, csr [rows, N], and return them: float32 [N, D].

    Training starts from the column vectors `vectors`, float32 [N, D].

    A step takes some entries and draws, for each entry, `negatives` pairs of a row and a column at random. Drawn pairs
    that have an entry are dropped. The others are weighed so that the expected sum of their losses is the sum over all
    pairs without an entry. Gravity is not sampled: its gradient is g V'V u for a row vector u, and g U'U v for a column
    vector v. The gravity and the regularization of a vector are divided among the steps in which the vector has
    entries. So the expected sum of a pass is the gradient of the loss, and its minimum is the one that alternating
    least squares find.

    A vector moves by rate / (1 + rate h) against its gradient, where h bounds its curvature in this step. So at no rate
    does it overshoot the minimum of the loss in the step. The rate falls to a tenth over the passes. After each pass
    `report` is called like `Component.report`, with the mean squared error of the entries as `loss`.
    """
    model = _Model(entries, loss, vectors, negatives, rng)
    for epoch in range(passes):
        share = 1 - 0.9 * epoch / passes
        squares = sum(model.step(places, rate * share) for places in model.batches())
        report(epoch + 1, passes, loss=squares / max(entries.nnz, 1))
    return model.columns


class _Model:
    """Vectors of rows and columns during training."""

    def __init__(self, entries: Sparse, loss: Loss, columns: Floats, negatives: int, rng: np.random.Generator) -> None:
        self.columns = columns.copy()
        self._rng, self._loss, self._negatives = rng, loss, negatives
        self._of_row, self._of_column, self._values = kernels.csr_rows(entries), entries.indices, entries.data
        self._keys = self._of_row.astype(np.int64) * entries.shape[1] + self._of_column  # ascending
        self._row_counts, self._column_counts = (entries.getnnz(axis).astype(np.float32) for axis in (1, 0))
        self._filled_rows, self._filled_columns = map(np.flatnonzero, (self._row_counts, self._column_counts))
        self._rows = (rng.standard_normal((entries.shape[0], columns.shape[1])) * columns.std()).astype(np.float32)
        self._rows[self._row_counts == 0] = 0
        self._grams = [_gram(self._rows), _gram(self.columns)]
        pairs = len(self._filled_rows) * len(self._filled_columns) - entries.nnz
        drawn = entries.nnz * negatives * pairs / max(pairs + entries.nnz, 1)
        self._weight_of_negative = loss.unobserved * pairs / drawn if drawn else 0.0

    def batches(self) -> Iterator[Longs]:
        """Yield the places of the entries of each step: all entries once, in random order."""
        order = self._rng.permutation(len(self._values))
        for start in range(0, len(order), BATCH):
            yield order[start : start + BATCH]

    def step(self, places: Longs, rate: float) -> float:
        """Move the vectors of these entries and of drawn negatives; return the entries' sum of squared errors."""
        rows, columns = self._of_row[places], self._of_column[places]
        values = self._values[places]
        weights = np.full(len(places), self._loss.observed, np.float32)
        if self._weight_of_negative:
            drawn = len(places) * self._negatives
            other_rows = self._rng.choice(self._filled_rows, drawn)
            other_columns = self._rng.choice(self._filled_columns, drawn)
            lacking = ~self._has(other_rows, other_columns)
            rows = np.concatenate((rows, other_rows[lacking]))
            columns = np.concatenate((columns, other_columns[lacking]))
            values = np.concatenate((values, np.zeros(int(lacking.sum()), np.float32)))
            negative = np.float32(self._weight_of_negative)
            weights = np.concatenate((weights, np.full(len(rows) - len(places), negative)))
        u, v = self._rows[rows], self.columns[columns]
        errors = np.einsum("ij,ij->i", u, v) - values
        entry = np.arange(len(rows)) < len(places)
        shares = [
            _shares(of, entry, counts) for of, counts in ((rows, self._row_counts), (columns, self._column_counts))
        ]
        for side, (of, mine, others) in enumerate(((rows, self._rows, v), (columns, self.columns, u))):
            self._move(side, mine, of, others, weights, errors, shares[side], rate)
        return float(np.square(errors[: len(places)]).sum())

    def _move(
        self,
        side: int,
        mine: Floats,
        of: Longs,
        others: Floats,
        weights: Floats,
        errors: Floats,
        share: Floats,
        rate: float,
    ) -> None:
        """Move the vectors of one side (0 for rows, 1 for columns) by one step, in place.

        mine: float32 [N, D], all vectors of the side
        of: int [pairs], the row of `mine` that belongs to each pair
        others: float32 [pairs, D], the vector of the other side in each pair
        weights, errors, share: float32 [pairs]; `share` is the result of `_shares`
        """
        touched, place = np.unique(of, return_inverse=True)
        sums = csr_matrix((np.ones(len(of), np.float32), (place, np.arange(len(of)))), (len(touched), len(of)))
        here = mine[touched]
        shares = (sums @ share)[:, None]
        gram = self._grams[1 - side]
        pulled = self._loss.gravity * (here @ gram.astype(np.float32)) + np.float32(self._loss.regularization) * here
        gradient = sums @ ((weights * errors)[:, None] * others) + shares * pulled
        steep = self._loss.regularization + self._loss.gravity * float(np.trace(gram))
        curvature = (sums @ (weights * np.square(others).sum(axis=1)))[:, None] + shares * np.float32(steep)
        moved = (here - rate / (1 + rate * curvature) * gradient).astype(np.float32)
        self._grams[side] += _gram(moved) - _gram(here)
        mine[touched] = moved

    def _has(self, rows: Longs, columns: Longs) -> Bools:
        """Return bool, parallel to `rows` and `columns`: true for pairs that have an entry."""
        keys = rows.astype(np.int64) * len(self._column_counts) + columns
        places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return self._keys[places] == keys


def _shares(of: Ints | Longs, entry: Bools, counts: Floats) -> Floats:
    """Return for each pair 1 over the number of its vector's entries, 0 for negatives: float32, parallel to `of`."""
    return (entry / np.maximum(counts[of], 1)).astype(np.float32)


def _gram(vectors: Floats) -> Doubles:
    """Return V'V for vectors V, [N, D], in double precision: float64 [D, D]."""
    exact = vectors.astype(np.float64)
    return exact.T @ exact
