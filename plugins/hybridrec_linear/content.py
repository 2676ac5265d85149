"""`content`: items like those of the history, by what is known of the items themselves; serves cold items."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field, model_validator
from scipy.sparse import csr_matrix, hstack

from hybridrec import (
    DataError,
    Dataset,
    DenseModel,
    Floats,
    Options,
    QueryBatch,
    Sparse,
    State,
    Target,
    bag_of_words,
    pack_csr,
    unpack_csr,
)


class ContentOptions(Options):
    """Options of `content`: the shares of the kinds of content in the similarity, and how each is weighed."""

    features: float = Field(1.0, ge=0)
    """The share of `item_features` (year, artist, ...) in the similarity; 0 leaves them out."""
    tags: float = Field(1.0, ge=0)
    """The share of the items' tags; 0 leaves them out."""
    text: float = Field(0.5, ge=0)
    """The share of the words of the items' texts; 0 leaves them out."""
    vectors: float = Field(0.0, ge=0)
    """The share of `item_vectors` (audio, say); 0 leaves them out."""
    idf: float = Field(1.0, ge=0)
    """How much more a rare feature, tag or word says than a common one: the power of log(I / n); 0 weighs alike."""
    min_items: int = Field(2, ge=1)
    """Features, tags and words of fewer items are left out: they connect no two items."""
    query_tags: float = Field(0.0, ge=0)
    """How much the query's own tags count beside its history, matched with the tags of items; 0 does not read them."""

    @model_validator(mode="after")
    def _compares_something(self) -> Self:
        if not self.features + self.tags + self.text + self.vectors:
            raise ValueError("one of features, tags, text and vectors must be above 0")
        if self.query_tags and not self.tags:
            raise ValueError("query_tags needs a share of tags above 0")
        return self


class Content(DenseModel):
    """Cosine of an item and the query's profile in the space of item content.

    Each kind of content is a block of its own: log(1 + count) idf, rows of length 1 (dense vectors as
    they are, rows of length 1), times the root of its share, so that the cosine of two items is the
    mean of the cosines per kind, weighted by the shares. A profile is the sum of the items of the
    history (once each), and of the query's tags as if they were an item. Items without any content
    get no opinion.
    """

    name = "content"
    folds_in = True
    targets = ("items",)
    Config = ContentOptions
    config: ContentOptions

    def __init__(self, config: Options | None = None) -> None:
        """Whether it reads tags depends on `query_tags`."""
        super().__init__(config)
        self.needs = frozenset({"items", "tags"} if self.config.query_tags else {"items"})

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Weigh the content of all items; raises DataError where there is none of the kinds asked for."""
        shares = self.config
        tags, words = data.item_tags.log1p(), bag_of_words(data.item_text)[1].log1p()
        self._tag_idf = self._idf(tags)
        # Tags stand first: there the tags of queries find them.
        blocks = [_unit(_times(tags, self._tag_idf)) * shares.tags**0.5]
        blocks.append(_unit(_times(words, self._idf(words))) * shares.text**0.5)
        if data.item_features is not None:
            features = data.item_features.matrix
            blocks.append(_unit(_times(features, self._idf(features))) * shares.features**0.5)
        if data.item_vectors is not None and shares.vectors:
            blocks.append(_unit(csr_matrix(data.item_vectors)) * shares.vectors**0.5)
        self._items = _unit(hstack(blocks, format="csr", dtype=np.float32))
        if not self._items.nnz:
            raise DataError("content: the items have nothing of what it should compare (features, tags, text, vectors)")
        return self

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Cosines; NaN for queries without a profile and for items without content."""
        profiles = queries.history.matrix(binary=True) @ self._items
        if self.config.query_tags:
            asked = _unit(_times(queries.tags.sign(), self._tag_idf)) * np.float32(self.config.query_tags)
            profiles += csr_matrix((asked.data, asked.indices, asked.indptr), shape=profiles.shape)
        result: Floats = (_unit(profiles) @ self._items.T).toarray()
        result[np.diff(profiles.indptr) == 0] = np.nan
        result[:, np.diff(self._items.indptr) == 0] = np.nan
        return result

    def state(self) -> State:
        """The vectors of the items, and the weights of tags."""
        return pack_csr(self._items, "items") | {"tag_idf": self._tag_idf}

    def restore(self, state: State) -> Self:
        """From `state`."""
        self._items, self._tag_idf = unpack_csr(state, "items"), state["tag_idf"]
        return self

    def _idf(self, matrix: Sparse) -> Floats:
        """The weight of each column of csr [I, D], n of whose I entries are set; 0 where n is below `min_items`."""
        count = matrix.getnnz(axis=0)
        idf = np.log(max(matrix.shape[0], 1) / np.maximum(count, 1)) ** self.config.idf
        return np.where(count >= self.config.min_items, idf, 0).astype(np.float32)


def _times(matrix: Sparse, columns: Floats) -> Sparse:
    """Each column times its weight."""
    return csr_matrix((matrix.data * columns[matrix.indices], matrix.indices, matrix.indptr), shape=matrix.shape)


def _unit(matrix: Sparse) -> Sparse:
    """Rows of length 1, without the zeros it may have stored; empty rows stay empty."""
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    values = matrix.data / np.repeat(np.where(length > 0, length, 1), np.diff(matrix.indptr))
    result = csr_matrix((values, matrix.indices.copy(), matrix.indptr.copy()), shape=matrix.shape, dtype=np.float32)
    result.eliminate_zeros()
    return result
