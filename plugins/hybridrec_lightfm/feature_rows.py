"""Features of users, queries and items as rows of a sparse matrix, field by field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import csr_matrix, diags, hstack

from hybridrec import (
    ITEMS,
    PADDING,
    Dataset,
    QueryBatch,
    Sparse,
    Tokenizer,
    TokenVocabulary,
    kernels,
    make_csr,
    stack_columns,
)

UserField = Literal["user", "items", "tags", "title", "features"]
ItemField = Literal["item", "tags", "features", "text"]


@dataclass(frozen=True, slots=True)
class UserSpace:
    """Columns of the features of users: `widths` columns for each of `fields`, in this order.

    lexicon: the words of titles; empty if titles are not used
    """

    fields: tuple[UserField, ...]
    widths: tuple[int, ...]
    lexicon: TokenVocabulary

    @classmethod
    def of(cls, data: Dataset, fields: tuple[UserField, ...], tokenizer: Tokenizer) -> UserSpace:
        """Lay out the columns for the users of a training part; a field that the data lacks has width 0."""
        lexicon = TokenVocabulary.build(data.users.text if "title" in fields else (), tokenizer)
        widths = {
            "user": len(data.users),
            "items": len(data.items),
            "tags": data.size("tags"),
            "title": len(lexicon),
            "features": 0 if data.users.features is None else len(data.users.features.names),
        }
        return cls(fields, tuple(widths[field] for field in fields), lexicon)

    def rows(self, queries: QueryBatch, only: Sequence[UserField] | None = None) -> Sparse:
        """Return the features of queries: csr float32 [Q, sum of widths].

        If `only` is given, all fields that it does not name are empty. In every other field that a query has, the
        weights of its features sum to 1.
        """
        return stack_columns(
            [
                _shares(self._block(queries, field, width))
                if only is None or field in only
                else csr_matrix((len(queries), width), dtype=np.float32)
                for field, width in zip(self.fields, self.widths, strict=True)
            ]
        )

    def _block(self, queries: QueryBatch, field: UserField, width: int) -> Sparse:
        """Return the features of queries in one field: csr [Q, F], where `width` is F."""
        if field == "items":
            return queries.matrix(ITEMS)
        if field == "tags":
            return _positive(queries.matrix("tags"))
        if field == "title":
            return self.lexicon.counts(queries.text)
        if field == "features":
            missing = csr_matrix((len(queries), width), dtype=np.float32)
            return missing if queries.user_features is None else queries.user_features.matrix
        known_users = np.flatnonzero(queries.users != PADDING)
        ones = np.ones(len(known_users), np.float32)
        return csr_matrix((ones, (known_users, queries.users[known_users])), shape=(len(queries), width))


def item_rows(data: Dataset, fields: tuple[ItemField, ...], tokenizer: Tokenizer, *, shares: bool) -> Sparse:
    """Return the features of items: csr float32 [I, features].

    The weights of each known field sum to 1 if `shares` is true, else they are those of the data.
    """
    blocks = [_item_block(data, field, tokenizer) for field in fields]
    if shares:
        blocks = [_shares(block) for block in blocks]
    return csr_matrix(hstack(blocks, format="csr", dtype=np.float32))


def _item_block(data: Dataset, field: ItemField, tokenizer: Tokenizer) -> Sparse:
    """Return the features of items in one field: csr [I, F]; the field `item` has a column for each item."""
    n = len(data.items)
    if field == "tags":
        return data.item_matrix("tags")
    if field == "text":
        return TokenVocabulary.build(data.items.text, tokenizer).counts(data.items.text)
    if field == "features":
        return csr_matrix((n, 0), dtype=np.float32) if data.items.features is None else data.items.features.matrix
    return csr_matrix(diags(np.ones(n, np.float32)))


def _shares(matrix: Sparse) -> Sparse:
    """Scale rows to a sum of absolute values of 1, so that long titles weigh no more than short ones."""
    if not matrix.indptr[-1]:
        return matrix
    totals = kernels.row_sums(make_csr(np.abs(matrix.data), matrix.indices, matrix.indptr, matrix.shape))
    scale = 1 / np.where(totals > 0, totals, 1)
    # Rows are reversed, as by a product of scipy: training and sums of vectors depend on the order.
    lengths = np.diff(matrix.indptr)
    places = np.repeat(matrix.indptr[:-1] + matrix.indptr[1:] - 1, lengths) - np.arange(matrix.indptr[-1])
    values = (scale[kernels.csr_rows(matrix)] * matrix.data[places]).astype(np.float32, copy=False)
    shares = make_csr(values, matrix.indices[places], matrix.indptr.copy(), matrix.shape)
    shares.eliminate_zeros()
    return shares


def _positive(matrix: Sparse) -> Sparse:
    """Return csr float32 with a 1 for each positive entry."""
    ones = make_csr((matrix.data > 0).astype(np.float32), matrix.indices.copy(), matrix.indptr.copy(), matrix.shape)
    ones.eliminate_zeros()
    return ones
