"""Rows and columns of linear models: users and queries as one sparse matrix over entities and title words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from pydantic import Field, field_validator
from scipy.sparse import csr_matrix, vstack

from hybridrec import (
    DataError,
    Dataset,
    Floats,
    Ints,
    Longs,
    Options,
    QueryBatch,
    Sparse,
    State,
    Target,
    Tokenizer,
    TokenVocabulary,
    Values,
    kernels,
    make_csr,
    stack_columns,
    valued,
)


class ColumnOptions(Options):
    """Options of the training matrix: the fields that are its columns, their values, and rows other than users."""

    weights: Values = "binary"
    """Value of an item in a history: 1, log(1 + weight), or its weight. Logs and weights are divided by the mean of
    their row."""
    fields: tuple[str, ...] = Field(("items",), min_length=1)
    """Fields that become columns: items, and optionally tags (or any other kind that users carry) and `title`, its
    words. With tags the model recommends tags, too."""
    tag_weight: float = Field(1.0, gt=0)
    """Value of a tag or other entity, relative to an item's 1."""
    title_weight: float = Field(0.5, gt=0)
    """Value of a title word, relative to an item's 1."""
    tokenizer: Tokenizer = Tokenizer()
    """Tokenization of titles."""
    min_users: int = Field(2, ge=1)
    """Smallest number of users with which a tag or title word becomes a column."""
    item_tags: float = Field(0.0, ge=0)
    """Value of the items in additional rows, one for each tag, as if a user had all items of the tag; it is multiplied
    by log(1 + the tag's count at the item). 0 adds no rows."""
    min_items: int = Field(10, ge=1)
    """Smallest number of items with which a tag becomes a row of `item_tags`."""

    @field_validator("fields")
    @classmethod
    def _items_are_in(cls, fields: tuple[str, ...]) -> tuple[str, ...]:
        if "items" not in fields:
            raise ValueError("`items` must be among the fields")
        return fields

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds among the fields, items first."""
        return ("items", *sorted(field for field in self.fields if field not in ("items", "title")))

    @property
    def scaling(self) -> float:
        """Power of a column's number of users by which its values are divided."""
        return 0.0


class ScaledColumnOptions(ColumnOptions):
    """Options of linear models that minimize squared errors: the columns, and a power that holds back popular items."""

    column_power: float = Field(0.25, ge=0, le=1)
    """Power of a column's number of users by which its values are divided, so that popular items dominate less; 0 is as
    published."""

    @property
    def scaling(self) -> float:
        """Power of a column's number of users by which its values are divided, the option `column_power`."""
        return self.column_power


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of a training matrix: the ids that were chosen for them, and their scales.

    sizes: int64 [kinds], the number of entities of each of the options' kinds, items first
    lexicon: the words of titles; empty if titles are not used
    ids: int32 [C] ascending, the id behind each column: items from 0, then entities of each other kind, then words
    scale: float32 [C], factor on the values of each column
    """

    options: ColumnOptions
    sizes: Longs
    lexicon: TokenVocabulary
    ids: Ints
    scale: Floats

    @classmethod
    def learn(cls, data: Dataset, options: ColumnOptions) -> tuple[Self, Sparse]:
        """Return (columns, rows): the columns chosen for a training part, and its rows, csr [R, C].

        The rows are users, then tags if `item_tags` is above 0. Empty rows are left out. Raises DataError if `fields`
        names a kind that users do not carry.
        """
        for kind in options.kinds:
            if kind not in data.targets:
                carried = ", ".join((*data.targets, "title"))
                raise DataError(f"`fields` names '{kind}', which users do not carry; fields are {carried}")
        lexicon = TokenVocabulary.build(data.users.text if "title" in options.fields else (), options.tokenizer)
        everyone = data.queries(np.arange(len(data.users), dtype=np.int32))
        users = _values(everyone, lexicon, options)
        tags = _tag_rows(data.item_matrix("tags"), options, users.shape[1])
        n_users = users.getnnz(axis=0)
        is_item = np.arange(users.shape[1]) < len(data.items)
        kept = np.where(is_item, n_users + tags.getnnz(axis=0) > 0, n_users >= options.min_users)
        ids = np.flatnonzero(kept).astype(np.int32)
        scale = np.maximum(n_users[ids], 1.0) ** -options.scaling
        sizes = np.array([data.size(kind) for kind in options.kinds], np.int64)
        columns = cls(options, sizes, lexicon, ids, scale.astype(np.float32))
        rows = columns._kept(vstack([users, tags], format="csr"))
        return columns, rows[np.diff(rows.indptr) > 0]

    def values(self, queries: QueryBatch) -> Sparse:
        """Return the values that queries have in the columns: csr float32 [Q, C]."""
        return self._kept(_values(queries, self.lexicon, self.options))

    @property
    def n_predicted(self) -> int:
        """Number of leading columns that are items or other entities, which can be recommended."""
        return int(np.searchsorted(self.ids, self.sizes.sum()))

    def split(self, predicted: Floats, target: Target) -> Floats:
        """Map values of the predicted columns, [Q, n_predicted], to a target's ids, [Q, N]; NaN for all other ids."""
        place = self.options.kinds.index(target)
        first, size = int(self.sizes[:place].sum()), int(self.sizes[place])
        start, stop = np.searchsorted(self.ids[: self.n_predicted], (first, first + size))
        if stop - start == size == predicted.shape[1]:  # all ids have a column, and there are no others
            return predicted
        result = np.full((len(predicted), size), np.nan, np.float32)
        result[:, self.ids[start:stop] - first] = predicted[:, start:stop]
        return result

    def state(self) -> State:
        """Return the ids and the scales of the columns, the sizes of the kinds, and the words."""
        arrays: State = {"ids": self.ids, "scale": self.scale, "sizes": self.sizes}
        return arrays | self.lexicon.state()

    @classmethod
    def restore(cls, state: State, options: ColumnOptions) -> Self:
        """Rebuild the columns from `state`."""
        lexicon = TokenVocabulary.restore(state, options.tokenizer)
        return cls(options, state["sizes"], lexicon, state["ids"], state["scale"])

    def _kept(self, values: Sparse) -> Sparse:
        kept = kernels.take_columns(values, self.ids)
        kept.data *= self.scale[kept.indices]
        return kept


def _values(queries: QueryBatch, lexicon: TokenVocabulary, options: ColumnOptions) -> Sparse:
    """Return the values of queries in all possible columns: csr float32 [Q, items + other entities + words]."""
    blocks = [valued(queries.history.matrix(), options.weights)]
    blocks += [_signs(queries.matrix(kind), options.tag_weight) for kind in options.kinds[1:]]
    if "title" in options.fields:
        blocks.append(_signs(lexicon.counts(queries.text), options.title_weight))
    return stack_columns(blocks)


def _signs(matrix: Sparse, weight: float) -> Sparse:
    """Return csr float32 with this weight times the sign of each stored entry."""
    return make_csr(np.sign(matrix.data) * np.float32(weight), matrix.indices, matrix.indptr, matrix.shape)


def _tag_rows(item_tags: Sparse, options: ColumnOptions, width: int) -> Sparse:
    """Return additional rows, csr [tags, width]: one for each frequent tag, with its items as columns."""
    frequent = (item_tags.getnnz(axis=0) >= options.min_items) & (options.item_tags > 0)
    rows = item_tags[:, frequent].T.tocsr()
    values = np.log1p(rows.data) * np.float32(options.item_tags)
    return csr_matrix((values, rows.indices, rows.indptr), shape=(rows.shape[0], width))
