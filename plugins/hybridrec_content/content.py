"""`content`: recommends items, cold ones included, whose content is similar to that of the history."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field, model_validator
from scipy.sparse import csr_matrix, hstack

from hybridrec import (
    DataError,
    Dataset,
    Floats,
    Options,
    QueryBatch,
    State,
    Target,
    Tokenizer,
    TokenVocabulary,
    kernels,
    pack_csr,
    unpack_csr,
)
from hybridrec_content.blocks import ContentModel, Kind, cosines, inverse_frequency, times, unit


class ContentOptions(Options):
    """Options of `content`: the shares of the kinds of content in the similarity, and their weights."""

    features: float = Field(1.0, ge=0)
    """Share of `item_features` (year, artist, ...) in the similarity; 0 leaves them out."""
    tags: float = Field(1.0, ge=0)
    """Share of the items' tags; 0 leaves them out."""
    text: float = Field(0.5, ge=0)
    """Share of the words of the items' texts; 0 leaves them out."""
    tokenizer: Tokenizer = Tokenizer()
    """Tokenization of texts."""
    vectors: float = Field(0.0, ge=0)
    """Share of `item_vectors` (for example audio); 0 leaves them out."""
    idf: float = Field(1.0, ge=0)
    """Power of log(I / n), the weight of a feature, tag or word; higher values favour rare ones, 0 weighs all equally.
    """
    min_items: int = Field(2, ge=1)
    """Smallest number of items that have a feature, tag or word; rarer ones are left out, since with a single item they
    connect no items."""
    query_tags: float = Field(0.0, ge=0)
    """Weight of the query's own tags relative to its history, matched with the tags of items; 0 ignores them."""
    query_text: float = Field(1.0, ge=0)
    """Weight of the query's own text (a title, a line of lyrics) relative to its history, matched with the words of the
    items' texts; 0 ignores it."""

    @model_validator(mode="after")
    def _compares_something(self) -> Self:
        if not self.features + self.tags + self.text + self.vectors:
            raise ValueError("one of features, tags, text and vectors must be above 0")
        if self.query_tags and not self.tags:
            raise ValueError("query_tags needs a share of tags above 0")
        return self


class Content(ContentModel):
    """Cosine of an item and the query's profile in the space of item content.

    The vector of an item consists of a block for each kind of content. The values of a block are log(1 + count) idf, or
    the dense vectors as they are; a block is scaled to length 1 and multiplied by the square root of the kind's share.
    Thus the cosine of two items is the mean of their cosines by kind, weighted by the shares. The profile of a query is
    a sum of vectors: of each distinct item of the history, of the query's tags as if they were one item, and of its
    text as if it were another. Items without any content get no opinion.
    """

    name = "content"
    version = "2"
    folds_in = True
    targets = ("items",)
    Config = ContentOptions
    config: ContentOptions

    def __init__(self, config: Options | None = None) -> None:
        """Set `needs`: items; tags if `query_tags` is above 0; the title if `query_text` and `text` are above 0."""
        super().__init__(config)
        self.needs = frozenset(
            {"items"} | ({"tags"} if self.config.query_tags else set()) | ({"title"} if self._reads_text else set())
        )

    @property
    def _reads_text(self) -> bool:
        return bool(self.config.text and self.config.query_text)

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Weigh the content of all items and return self; raises DataError if there is none of the selected kinds."""
        idf, min_items = self.config.idf, self.config.min_items
        self._tag_idf = inverse_frequency(self.block(data, "tags"), idf, min_items)
        # Tags come first, whatever their share, because the columns of the queries' tags are matched with them there.
        blocks = [cosines(self.block(data, "tags"), "tags", idf, min_items) * self.config.tags**0.5]
        others: dict[Kind, float] = {
            "text": self.config.text,
            "features": self.config.features,
            "vectors": self.config.vectors,
        }
        blocks += [
            cosines(self.block(data, kind), kind, idf, min_items) * share**0.5
            for kind, share in others.items()
            if share
        ]
        if self._reads_text:
            words = self.prepared(data)
            self._words = TokenVocabulary.restore(words, self.config.tokenizer)
            self._word_idf = inverse_frequency(unpack_csr(words, "text"), idf, min_items)
        self._items = unit(hstack(blocks, format="csr", dtype=np.float32))
        if not self._items.nnz:
            raise DataError(
                "content: the items have no content of the kinds to compare (features, tags, text, vectors)"
            )
        return self._arrange()

    def _arrange(self) -> Self:
        """Arrange the content by column, once for all queries, and find the items without content; return self."""
        self._by_content = self._items.T.tocsr()
        self._empty = np.flatnonzero(np.diff(self._items.indptr) == 0)
        return self

    def seconds(self, data: Dataset) -> float:
        """Estimate how many seconds a fit takes: it reads the content of all items once."""
        return 1e-5 * len(data.items)

    def scores(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the cosines of profiles and items, float32 [Q, I].

        NaN for queries without a profile, and for items without content.
        """
        profiles = queries.matrix("items") @ self._items
        if self.config.query_tags:
            asked = unit(times(queries.matrix("tags").sign(), self._tag_idf)) * np.float32(self.config.query_tags)
            profiles += csr_matrix((asked.data, asked.indices, asked.indptr), shape=profiles.shape)
        if self._reads_text:
            asked = unit(times(self._words.counts(queries.text).log1p(), self._word_idf))
            asked *= np.float32(self.config.query_text)
            # Words come after the tags.
            profiles += csr_matrix((asked.data, asked.indices + len(self._tag_idf), asked.indptr), shape=profiles.shape)
        result = kernels.dense_product(unit(profiles), self._by_content)
        result[np.diff(profiles.indptr) == 0] = np.nan
        result[:, self._empty] = np.nan
        return result

    def state(self) -> State:
        """Return the content vectors of the items, and the weights of tags and words."""
        state = pack_csr(self._items, "items") | {"tag_idf": self._tag_idf}
        return state | {"word_idf": self._word_idf} | self._words.state() if self._reads_text else state

    def restore(self, state: State) -> Self:
        """Take the content vectors of the items, and the weights of tags and words, from `state`; return self."""
        self._items, self._tag_idf = unpack_csr(state, "items"), state["tag_idf"]
        if self._reads_text:
            self._words, self._word_idf = TokenVocabulary.restore(state, self.config.tokenizer), state["word_idf"]
        return self._arrange()
