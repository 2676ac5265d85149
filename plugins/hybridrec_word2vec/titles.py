"""`title-vectors`: items by the words of their own texts, with vectors learned from joint plays."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, Self

import numpy as np
from pydantic import Field as Option
from scipy.sparse import csr_matrix

from hybridrec import (
    ITEMS,
    Dataset,
    Entities,
    Floats,
    Options,
    QueryBatch,
    Ragged,
    Sparse,
    State,
    Target,
    Tokenizer,
    TokenVocabulary,
    VectorModel,
    Vocabulary,
    kernels,
    pack_csr,
    unpack_csr,
)
from hybridrec_word2vec.embedding import Word2Vec, Word2VecOptions
from hybridrec_word2vec.trained_space import normalised


class TitleVectorsOptions(Options):
    """Options of `title-vectors`."""

    tokenizer: Tokenizer = Tokenizer()
    """Tokenization of texts."""
    idf: float = Option(1.0, ge=0)
    """Power of log(1 + I / n), the weight of a word in the vector of a text; higher values favour rare words."""
    min_items: int = Option(2, ge=1)
    """Fewest items of a word; others are dropped."""
    algorithm: Literal["cbow", "skip-gram"] = "skip-gram"
    """Training algorithm, as for `word2vec`; the options below are those of `word2vec`, too."""
    dim: int = Option(64, gt=0)
    """Dimensions of the space."""
    epochs: int = Option(10, gt=0)
    """Passes over the histories."""
    window: int | None = Option(20, gt=0)
    """Neighbours on each side of a word among the words of one user, shuffled in each epoch; null for all."""
    negative: int = Option(10, gt=0)
    """Random words contrasted with each true neighbour."""
    ns_exponent: float = 0.75
    """Power of the frequency by which negatives are drawn."""
    alpha: float = Option(0.025, gt=0)
    """Initial learning rate."""


class TitleVectors(VectorModel):
    """Cosine of an item and the history by the words of the items' texts (titles, lyrics).

    Words are close if the same users play items with them: Word2Vec is trained on each training user's words, as
    often as the items of the history have them. An item is the mean of its words, weighted by log(1 + I / n) to the
    power `idf` for a word of n items, at length 1; a query is the mean of its items. Thus an item without any plays is
    served through words learned from other items. Items without a known word get no opinion.
    """

    name = "title-vectors"
    folds_in = True
    needs = frozenset({"items"})
    prepares = ("tokenizer",)
    Config = TitleVectorsOptions
    config: TitleVectorsOptions
    requires = Word2Vec.requires
    install_hint = Word2Vec.install_hint

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Learn the vectors of words, and compute those of items from them."""
        has = unpack_csr(self.prepared(data), "words")
        words = Word2Vec(self._training()).fit(_played_words(data, has), rng).vectors("items")
        count = has.getnnz(axis=0)
        idf = np.log1p(len(data.items) / np.maximum(count, 1)) ** self.config.idf
        idf[np.isnan(words).any(axis=1) | (count < self.config.min_items)] = 0
        weighed = np.nan_to_num(words) * idf[:, None].astype(np.float32)
        vectors = normalised(np.asarray(has @ weighed, np.float32))
        vectors[~vectors.any(axis=1)] = np.nan
        return self.restore({"items": vectors})

    def prepare(self, catalogue: Dataset) -> State:
        """Return the words of the texts of items, csr [I, words] of ones."""
        return pack_csr(_words(catalogue, self.config.tokenizer), "words")

    def _training(self) -> Word2VecOptions:
        shared = self.config.model_dump(exclude={"tokenizer", "idf", "min_items"})
        return Word2VecOptions(fields=("items",), score="cosine", **shared)

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes of training; words are assumed to be those of the default tokenizer."""
        return Word2Vec(self._training()).memory(_played_words(data, _words(data, Tokenizer())))

    def query_vectors(self, queries: QueryBatch, target: Target) -> Floats:
        """Return float32 [Q, dim] of length 1; NaN for queries without an item with a known word."""
        total = normalised(queries.history.matrix(binary=True) @ np.nan_to_num(self._items))
        total[~total.any(axis=1)] = np.nan
        return total

    def vectors(self, target: Target) -> Floats:
        """Return float32 [I, dim] of length 1; NaN rows for items without a known word."""
        return self._items

    def state(self) -> State:
        """Return the vectors of items."""
        return {"items": self._items}

    def restore(self, state: State) -> Self:
        """Restore the fit from `state`."""
        self._items = state["items"]
        return self


def _words(data: Dataset, tokenizer: Tokenizer) -> Sparse:
    """Return csr [I, words] of ones."""
    return TokenVocabulary.build(data.items.text, tokenizer).counts(data.items.text).sign()


def _played_words(data: Dataset, has: Sparse) -> Dataset:
    """Replace the items of the training part by their words, csr [I, words]."""
    played = csr_matrix(data.interactions.matrix(binary=True) @ has)
    times = played.data.astype(np.int64)
    codes, rows = np.repeat(played.indices, times), np.repeat(kernels.csr_rows(played), times)
    words = Vocabulary(f"{word:09}" for word in range(has.shape[1]))
    return replace(
        data,
        entities=data.entities | {ITEMS: Entities(words)},
        item_has={},
        assignments={},
        through_items=(),
        interactions=Ragged.from_columns(rows, codes, played.shape),
    )
