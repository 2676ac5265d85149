"""Rows of items and tags, built from queries; their corruption for training, and the loss of completing them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

import numpy as np
from pydantic import Field
from scipy.sparse import csr_matrix
from scipy.special import expit

from hybridrec import Floats, Longs, QueryBatch, Sparse, Target, Values, kernels, make_csr, stack_columns, valued
from hybridrec_autoencoder.network import TrainingOptions

Width: TypeAlias = Annotated[int, Field(ge=1)]
"""Width of a layer: its number of units."""


class DenoisingOptions(TrainingOptions):
    """Options of `denoising-autoencoder`: the layers, the loss, the values of the input, and the end of training."""

    hidden: Width | Annotated[tuple[Width, ...], Field(min_length=1)] = 200
    """Width of the hidden layer, or the widths of several hidden layers from the input on, such as `[100, 50]`; in the
    last one candidates are compared with queries."""
    loss: Literal["multinomial", "bce"] = "multinomial"
    """Loss of a row: multinomial, in which items compete with each other for a share; or binary cross-entropy, in which
    each item and each tag is a decision of its own."""
    weights: Values = "binary"
    """Value of an item in a history: 1, log(1 + weight), or its weight. Logs and weights are divided by the mean of
    their row."""
    tag_weight: float = Field(0.5, ge=0)
    """Weight of a tag relative to an item, as input and in the loss; 0 leaves tags out."""
    dropout: float = Field(0.5, ge=0, lt=1)
    """Share of a row's entries hidden from the input, drawn independently for each row and epoch."""
    hide_field: float = Field(0.4, ge=0, le=1)
    """Probability that all items or all tags of a row are hidden (half of the time each), so that either is completed
    from the other. Rows that lack items or tags lose nothing by this."""
    patience: int | None = Field(None, ge=1)
    """End training this many epochs after the epoch that ranked validation queries best, then train to that epoch on
    the whole training part; null trains all `epochs`. The queries are cut out of the component's own training part."""
    min_users: Annotated[int, Field(ge=1)] | dict[Target, Annotated[int, Field(ge=1)]] = 2
    """Smallest number of users of an item or tag; those with fewer are neither read nor recommended. A mapping gives
    kinds a number of their own, `{items: 10, tags: 1}`; kinds that it does not name have 2."""

    @property
    def widths(self) -> tuple[int, ...]:
        """The widths of the hidden layers, from the input on."""
        return (self.hidden,) if isinstance(self.hidden, int) else self.hidden

    def fewest_users(self, kind: Target) -> int:
        """Return the smallest number of users with which an entity of a kind is read and recommended."""
        return self.min_users if isinstance(self.min_users, int) else self.min_users.get(kind, 2)


def rows_of(queries: QueryBatch, options: DenoisingOptions) -> Sparse:
    """Build the rows of queries: csr float32 [Q, items + entities of other kinds], or [Q, items] without tag weight."""
    items = valued(queries.history.matrix(), options.weights)
    if not options.tag_weight:
        return items
    others = [
        make_csr(np.sign(has.data) * np.float32(options.tag_weight), has.indices, has.indptr, has.shape)
        for has in queries.entities.values()
    ]
    return stack_columns([items, *others])


def unit(rows: Sparse) -> Sparse:
    """Scale rows to length 1; empty rows stay empty."""
    lengths = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    values = rows.data / np.repeat(np.where(lengths > 0, lengths, 1), np.diff(rows.indptr))
    return csr_matrix((values.astype(np.float32), rows.indices, rows.indptr), shape=rows.shape)


def log_shares(rows: Sparse) -> Floats:
    """Return the log of each column's share of all entries, float32 [C], after adding one entry to each column.

    These are good initial biases of a softmax.
    """
    counts = rows.getnnz(axis=0) + 1.0
    return np.log(counts / counts.sum()).astype(np.float32)


def log_odds(rows: Sparse) -> Floats:
    """Return the log odds that a row has an entry in each column, float32 [C], with one row added to either side.

    These are good initial biases for a binary cross-entropy.
    """
    counts = rows.getnnz(axis=0) + 1.0
    return np.log(counts / (rows.shape[0] + 2.0 - counts)).astype(np.float32)


class Hiding:
    """Corruption that hides single entries, and sometimes a whole field, then scales rows to length 1."""

    def __init__(self, rows: Sparse, n_items: int, options: DenoisingOptions, rng: np.random.Generator) -> None:
        """Take the training rows, csr [R, C], whose first `n_items` columns are items."""
        self._rows, self._n_items, self._options, self._rng = rows, n_items, options, rng

    def __call__(self, places: Longs) -> Sparse:
        """Return the rows at these places, csr [B, C], with random entries set to 0, others in each call."""
        rows, half = self._rows[places], self._options.hide_field / 2
        of = kernels.csr_rows(rows)
        is_tag = rows.indices >= self._n_items
        tags = np.bincount(of[is_tag], minlength=len(places))
        both = (tags > 0) & (tags < np.diff(rows.indptr))
        fate = np.where(both, self._rng.random(len(places)), 1)[of]
        hidden = np.where(is_tag, (fate >= half) & (fate < 2 * half), fate < half)
        hidden |= self._rng.random(rows.nnz) < self._options.dropout
        rows.data[hidden] = 0
        return unit(rows)


class Multinomial:
    """Multinomial loss of whole rows x: -sum x log softmax(y), where the softmax is over each field separately."""

    def __init__(self, rows: Sparse, parts: Sequence[slice]) -> None:
        """Take the training rows, csr [R, C]; `parts` are the columns of each field."""
        self._fields = [(columns, rows[:, columns]) for columns in parts]

    def __call__(self, outputs: Floats, places: Longs) -> float:
        """Return the sum of the losses of these rows; overwrite `outputs`, float32 [B, C], with its gradient."""
        loss = 0.0
        for columns, wanted in self._fields:
            y, x = outputs[:, columns], wanted[places]
            at = kernels.csr_rows(x), x.indices
            y -= y.max(axis=1, keepdims=True, initial=-np.inf)
            predicted = y[at]
            np.exp(y, out=y)
            total, norm = np.asarray(x.sum(axis=1)).ravel(), y.sum(axis=1)
            loss += float(total @ np.log(norm) - x.data @ predicted) if x.nnz else 0.0
            y *= (total / norm)[:, None]
            y[at] -= x.data
        return loss


class CrossEntropy:
    """Binary cross-entropy of whole rows: -x log p for entries x that are not 0, and -w log(1 - p) for all others.

    The probability p is 1 / (1 + exp(-y)) for an output y; w is 1 for items and `tag_weight` for all others.
    """

    def __init__(self, rows: Sparse, n_items: int, tag_weight: float) -> None:
        """Take the training rows, csr [R, C], whose first `n_items` columns are items."""
        self._rows = rows
        self._weights = np.where(np.arange(rows.shape[1]) < n_items, 1, tag_weight).astype(np.float32)

    def __call__(self, outputs: Floats, places: Longs) -> float:
        """Return the sum of the losses of these rows; overwrite `outputs`, float32 [B, C], with its gradient."""
        x = self._rows[places]
        at = kernels.csr_rows(x), x.indices
        y = outputs[at]
        absent = self._weights[x.indices]
        # log(1 + exp(y)) is the loss of an absent entry; a present one loses log(1 + exp(-y)) = that - y instead.
        every = float((np.logaddexp(0, outputs) @ self._weights).sum())
        loss = every + float((x.data * np.logaddexp(0, -y) - absent * np.logaddexp(0, y)).sum())
        expit(outputs, out=outputs)
        present = x.data * (outputs[at] - 1)
        outputs *= self._weights
        outputs[at] = present
        return loss
