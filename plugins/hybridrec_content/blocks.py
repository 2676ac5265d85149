"""Content of items as sparse blocks, one for each kind of content, and operations on them."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
from scipy.sparse import csr_matrix

from hybridrec import (
    Dataset,
    DenseModel,
    Floats,
    Options,
    Sparse,
    State,
    Tokenizer,
    TokenVocabulary,
    pack_csr,
    unpack_csr,
)

Kind: TypeAlias = Literal["tags", "text", "features", "vectors"]

WORDS = Tokenizer()


def block(data: Dataset, kind: Kind, tokenizer: Tokenizer = WORDS) -> Sparse:
    """Build the block of one kind of content: csr float32 [I, D], where D is 0 if the data has none.

    Tags and the words of texts have values log(1 + count); features and vectors are taken as they are.
    """
    if kind == "tags":
        return data.item_matrix("tags").log1p()
    if kind == "text":
        return TokenVocabulary.build(data.items.text, tokenizer).counts(data.items.text).log1p()
    if kind == "features" and data.items.features is not None:
        return data.items.features.matrix
    if kind == "vectors" and data.items.vectors is not None:
        return csr_matrix(data.items.vectors)
    return csr_matrix((len(data.items), 0), dtype=np.float32)


class ContentModel(DenseModel):
    """Base of models of items by their content; the words of texts are counted once for all training parts."""

    config: Any

    def __init__(self, config: Options | None = None) -> None:
        """Set `prepares`, so that the words of texts are prepared if the option `text` is above 0."""
        super().__init__(config)
        self.prepares = ("tokenizer",) if self.config.text else None

    def prepare(self, catalogue: Dataset) -> State:
        """Return the block of the words of the items' texts, and the words."""
        words = TokenVocabulary.build(catalogue.items.text, self.config.tokenizer)
        return pack_csr(words.counts(catalogue.items.text).log1p(), "text") | words.state()

    def block(self, data: Dataset, kind: Kind) -> Sparse:
        """Return the block of one kind of content, csr float32 [I, D]; for texts it is the prepared one."""
        return unpack_csr(self.prepared(data), "text") if kind == "text" else block(data, kind)


def cosines(content: Sparse, kind: Kind, idf: float, min_items: int) -> Sparse:
    """Weigh the columns of a block by their idf and scale its rows to length 1, so that products are cosines.

    A block of the kind `vectors` is scaled, but not weighed.
    """
    return unit(content if kind == "vectors" else times(content, inverse_frequency(content, idf, min_items)))


def inverse_frequency(matrix: Sparse, power: float, min_items: int) -> Floats:
    """Compute the weight of each column of csr [I, D]: float32 [D].

    It is log(I / n) to `power` for a column with n entries; 0 where n is below `min_items`.
    """
    count = matrix.getnnz(axis=0)
    idf = np.log(max(matrix.shape[0], 1) / np.maximum(count, 1)) ** power
    return np.where(count >= min_items, idf, 0).astype(np.float32)


def times(matrix: Sparse, columns: Floats) -> Sparse:
    """Multiply each column of a matrix by its entry of `columns`, [D]."""
    return csr_matrix((matrix.data * columns[matrix.indices], matrix.indices, matrix.indptr), shape=matrix.shape)


def unit(matrix: Sparse) -> Sparse:
    """Scale rows to length 1 and drop stored zeros; empty rows stay empty."""
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    values = matrix.data / np.repeat(np.where(length > 0, length, 1), np.diff(matrix.indptr))
    result = csr_matrix((values, matrix.indices.copy(), matrix.indptr.copy()), shape=matrix.shape, dtype=np.float32)
    result.eliminate_zeros()
    return result
