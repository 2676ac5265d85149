"""Rows and columns of linear models: users and queries as one sparse matrix over items, tags and title words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from pydantic import Field, field_validator
from scipy.sparse import csr_matrix, hstack, vstack

from hybridrec import (
    Dataset,
    Floats,
    Ints,
    Lexicon,
    Options,
    QueryBatch,
    Sparse,
    State,
    Target,
    Tokenizer,
    Values,
    valued,
)


class ColumnOptions(Options):
    """What becomes a column, what stands in it, and what rows there are beside the users."""

    weights: Values = "binary"
    """An item in a history counts 1, log(1 + weight), or its weight; the latter two over their mean in the row."""
    fields: tuple[Literal["items", "tags", "title"], ...] = Field(("items",), min_length=1)
    """What the columns are: items, and beside them tags and title words. With tags it recommends tags, too."""
    tag_weight: float = Field(1.0, gt=0)
    """The value of a tag, where an item has 1."""
    title_weight: float = Field(0.5, gt=0)
    """The value of a title word, where an item has 1."""
    tokenizer: Tokenizer = Tokenizer()
    """How titles become words."""
    min_users: int = Field(2, ge=1)
    """Tags and title words of fewer users give no column."""
    item_tags: float = Field(0.0, ge=0)
    """The items of each tag form an additional row, as if a user had them all, of this weight times log(1 + count)."""
    min_items: int = Field(10, ge=1)
    """With `item_tags`: tags of fewer items give no row."""

    @field_validator("fields")
    @classmethod
    def _items_are_in(cls, fields: tuple[str, ...]) -> tuple[str, ...]:
        if "items" not in fields:
            raise ValueError("items must be among them")
        return fields

    @property
    def scaling(self) -> float:
        """The power of its number of users that each column is divided by."""
        return 0.0


class ScaledColumnOptions(ColumnOptions):
    """For models of squared errors, in which a popular item has the most to say."""

    column_power: float = Field(0.25, ge=0, le=1)
    """Each column is divided by its count to this power, so that popular items dominate less; 0 is as published."""

    @property
    def scaling(self) -> float:
        """As the option says."""
        return self.column_power


@dataclass(frozen=True, slots=True)
class Columns:
    """Which items, tags and words are columns.

    ids: int32 [C] ascending, what each column is: items from 0, tags from `n_items`, then words
    scale: float32 [C], what the values of each column are multiplied by
    """

    options: ColumnOptions
    n_items: int
    n_tags: int
    lexicon: Lexicon
    ids: Ints
    scale: Floats

    @classmethod
    def learn(cls, data: Dataset, options: ColumnOptions) -> tuple[Self, Sparse]:
        """The columns of a training part, and its rows: csr [R, C], users and then the tags of items."""
        lexicon = Lexicon.learn(data.titles if "title" in options.fields else (), options.tokenizer)
        everyone = data.queries(np.arange(len(data.users), dtype=np.int32))
        users = _values(everyone, lexicon, options)
        tags = _tag_rows(data.item_tags, options, users.shape[1])
        n_users = users.getnnz(axis=0)
        is_item = np.arange(users.shape[1]) < len(data.items)
        kept = np.where(is_item, n_users + tags.getnnz(axis=0) > 0, n_users >= options.min_users)
        ids = np.flatnonzero(kept).astype(np.int32)
        scale = np.maximum(n_users[ids], 1.0) ** -options.scaling
        columns = cls(options, len(data.items), len(data.tags), lexicon, ids, scale.astype(np.float32))
        rows = columns._kept(vstack([users, tags], format="csr"))
        return columns, rows[np.diff(rows.indptr) > 0]

    def values(self, queries: QueryBatch) -> Sparse:
        """csr float32 [Q, C]."""
        return self._kept(_values(queries, self.lexicon, self.options))

    @property
    def n_predicted(self) -> int:
        """How many of the columns, from the first, are items or tags: those that can be recommended."""
        return int(np.searchsorted(self.ids, self.n_items + (self.n_tags if "tags" in self.options.fields else 0)))

    def split(self, predicted: Floats, target: Target) -> Floats:
        """Values of the predicted columns, [Q, n_predicted], as values of the target's ids: [Q, N], NaN elsewhere."""
        first, size = (0, self.n_items) if target == "items" else (self.n_items, self.n_tags)
        start, stop = np.searchsorted(self.ids[: self.n_predicted], (first, first + size))
        result = np.full((len(predicted), size), np.nan, np.float32)
        result[:, self.ids[start:stop] - first] = predicted[:, start:stop]
        return result

    def state(self) -> State:
        """The columns as arrays."""
        sizes = np.array([self.n_items, self.n_tags], np.int64)
        arrays: State = {"ids": self.ids, "scale": self.scale, "sizes": sizes}
        return arrays | self.lexicon.state()

    @classmethod
    def restore(cls, state: State, options: ColumnOptions) -> Self:
        """From `state`."""
        n_items, n_tags = state["sizes"].tolist()
        lexicon = Lexicon.restore(state, options.tokenizer)
        return cls(options, n_items, n_tags, lexicon, state["ids"], state["scale"])

    def _kept(self, values: Sparse) -> Sparse:
        kept = values[:, self.ids]
        kept.data *= self.scale[kept.indices]
        return kept


def _values(queries: QueryBatch, lexicon: Lexicon, options: ColumnOptions) -> Sparse:
    """csr float32 [Q, items + tags + words], before columns are chosen and scaled."""
    blocks = [valued(queries.history.matrix(), options.weights)]
    if "tags" in options.fields:
        blocks.append(queries.tags.sign() * np.float32(options.tag_weight))
    if "title" in options.fields:
        blocks.append(lexicon.counts(queries.text).sign() * np.float32(options.title_weight))
    return hstack(blocks, format="csr", dtype=np.float32)


def _tag_rows(item_tags: Sparse, options: ColumnOptions, width: int) -> Sparse:
    """The items of each tag as further rows: csr [tags, width]."""
    frequent = (item_tags.getnnz(axis=0) >= options.min_items) & (options.item_tags > 0)
    rows = item_tags[:, frequent].T.tocsr()
    values = np.log1p(rows.data) * np.float32(options.item_tags)
    return csr_matrix((values, rows.indices, rows.indptr), shape=(rows.shape[0], width))
