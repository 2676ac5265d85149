"""`title-vectors`: items by the words of their own texts, whose vectors are learned from who plays what together."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, Self

import numpy as np
from pydantic import Field as Option
from scipy.sparse import csr_matrix

from hybridrec import (
    Dataset,
    Floats,
    Lexicon,
    Options,
    QueryBatch,
    Ragged,
    Sparse,
    State,
    Target,
    Tokenizer,
    VectorModel,
    Vocabulary,
    kernels,
)
from hybridrec_word2vec.model import Word2Vec, Word2VecOptions, normalised


class TitleVectorsOptions(Options):
    """Options of `title-vectors`."""

    tokenizer: Tokenizer = Tokenizer()
    """How texts become words."""
    idf: float = Option(1.0, ge=0)
    """How much more a rare word counts in the vector of a text than a common one: the power of log(1 + I / n)."""
    min_items: int = Option(2, ge=1)
    """Words of fewer items are left out."""
    algorithm: Literal["cbow", "skip-gram"] = "skip-gram"
    """As for `word2vec`, as are the following."""
    dim: int = Option(64, gt=0)
    """Dimensions of the space."""
    epochs: int = Option(10, gt=0)
    """Passes over the histories."""
    window: int | None = Option(20, gt=0)
    """Neighbours on each side of a word among the words of one user, mixed anew in each epoch; null for all."""
    negative: int = Option(10, gt=0)
    """Random words told apart from each true neighbour."""
    ns_exponent: float = 0.75
    """Negatives are drawn by frequency to this power."""
    alpha: float = Option(0.025, gt=0)
    """Initial learning rate."""


class TitleVectors(VectorModel):
    """Cosine of an item and the history by the words of the items' texts (titles, lyrics).

    Words are near one another where the same users play items with them: Word2Vec over each training user's
    words, as often as the items of the history have them. An item is the mean of its words, weighted by
    log(1 + I / n) to the power `idf` for a word of n items, at length 1; a query is the mean of its items. So an
    item that nobody has played yet is served by what the words of others have learned. Items without a
    known word get no opinion.
    """

    name = "title-vectors"
    folds_in = True
    needs = frozenset({"items"})
    Config = TitleVectorsOptions
    config: TitleVectorsOptions
    requires = Word2Vec.requires
    install_hint = Word2Vec.install_hint

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Learn the vectors of words, and make those of items from them."""
        has = self._words(data)
        words = Word2Vec(self._training()).fit(_played_words(data, has), rng).vectors("items")
        count = has.getnnz(axis=0)
        idf = np.log1p(len(data.items) / np.maximum(count, 1)) ** self.config.idf
        idf[np.isnan(words).any(axis=1) | (count < self.config.min_items)] = 0
        weighed = np.nan_to_num(words) * idf[:, None].astype(np.float32)
        vectors = normalised(np.asarray(has @ weighed, np.float32))
        vectors[~vectors.any(axis=1)] = np.nan
        return self.restore({"items": vectors})

    def _words(self, data: Dataset) -> Sparse:
        """csr [I, words] of ones."""
        return Lexicon.learn(data.item_text, self.config.tokenizer).counts(data.item_text).sign()

    def _training(self) -> Word2VecOptions:
        shared = self.config.model_dump(exclude={"tokenizer", "idf", "min_items"})
        return Word2VecOptions(fields=("items",), score="cosine", **shared)

    def memory(self, data: Dataset) -> int:
        """What training takes; words are taken as the default tokenizer cuts them."""
        has = Lexicon.learn(data.item_text, Tokenizer()).counts(data.item_text).sign()
        return Word2Vec(self._training()).memory(_played_words(data, has))

    def query_vectors(self, queries: QueryBatch, target: Target) -> Floats:
        """float32 [Q, dim] of length 1; NaN where no item of the history has a known word."""
        total = normalised(queries.history.matrix(binary=True) @ np.nan_to_num(self._items))
        total[~total.any(axis=1)] = np.nan
        return total

    def vectors(self, target: Target) -> Floats:
        """float32 [I, dim] of length 1; NaN rows for items without a known word."""
        return self._items

    def state(self) -> State:
        """The vectors of items."""
        return {"items": self._items}

    def restore(self, state: State) -> Self:
        """From `state`."""
        self._items = state["items"]
        return self


def _played_words(data: Dataset, has: Sparse) -> Dataset:
    """The training part with words, csr [I, words], in the place of items."""
    played = csr_matrix(data.interactions.matrix(binary=True) @ has)
    times = played.data.astype(np.int64)
    codes, rows = np.repeat(played.indices, times), np.repeat(kernels.csr_rows(played), times)
    words = Vocabulary(f"{word:09}" for word in range(has.shape[1]))
    return replace(data, items=words, interactions=Ragged.from_columns(rows, codes, played.shape))
