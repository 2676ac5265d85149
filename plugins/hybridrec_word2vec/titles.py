"""`title-vectors`: recommends items by the words of their texts, whose vectors are learned from plays or texts."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, Self

import numpy as np
from pydantic import Field as Option
from scipy.sparse import csr_matrix

from hybridrec import (
    ITEMS,
    USERS,
    Dataset,
    Embedding,
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
)
from hybridrec_word2vec.embedding import Word2Vec, Word2VecOptions
from hybridrec_word2vec.trained_space import normalised


class TitleVectorsOptions(Options):
    """Options of `title-vectors`: the words, the text from which their vectors are learned, and the training."""

    tokenizer: Tokenizer = Tokenizer()
    """Tokenization of texts."""
    idf: float = Option(1.0, ge=0)
    """Power of log(1 + I / n), the weight of a word in the vector of a text; higher values favour rare words."""
    min_items: int = Option(2, ge=1)
    """Smallest number of items that have a word; rarer words are dropped."""
    sentences: Literal["plays", "texts"] = "plays"
    """Text from which vectors of words are learned: with `plays` the words of all that a user plays, so that words are
    close if their items are played together; with `texts` the texts themselves, so that words are close if they stand
    together (lyrics)."""
    query_text: float = Option(1.0, ge=0)
    """Weight of the query's own text (a title, a line of lyrics) relative to its history; 0 ignores it."""
    algorithm: Literal["cbow", "skip-gram"] = "skip-gram"
    """Training algorithm, as for `word2vec`; the options from here on are those of `word2vec`, too."""
    dim: int = Option(64, gt=0)
    """Dimensions of the space."""
    epochs: int = Option(10, ge=1, le=1_000_000)
    """Passes over the histories, or over the texts."""
    window: int | None = Option(20, gt=0)
    """Neighbours on each side of a word: among the words of one user, which are shuffled in each epoch, or in the text,
    whose order is kept; null for all."""
    negative: int = Option(10, gt=0)
    """Number of random words that are contrasted with each true neighbour."""
    ns_exponent: float = 0.75
    """Power of the frequency by which negatives are drawn."""
    alpha: float = Option(0.025, gt=0)
    """Initial learning rate."""


class TitleVectors(VectorModel):
    """Cosine of an item and the query by the words of the items' texts (titles, lyrics).

    Words are close if the same users play items that have them: a sentence of Word2Vec has the words of all items in
    the history of a training user. With `sentences: texts` a sentence is the text of an item. The vector of an item is
    the mean of the vectors of its words, scaled to length 1; a word of n items is weighted by log(1 + I / n)
    to the power `idf`. The vector of a query is the mean of the vectors of its items and of its own text, which counts
    as an item. Thus an item without any plays is recommended through words learned from other items, and a typed title
    is served like the item that has it. Items without a known word get no opinion.
    """

    name = "title-vectors"
    version = "2"
    folds_in = True
    prepares = ("tokenizer",)
    Config = TitleVectorsOptions
    config: TitleVectorsOptions
    requires = Word2Vec.requires
    install_hint = Word2Vec.install_hint

    def __init__(self, config: Options | None = None) -> None:
        """Set `needs`: items, and the query's title unless `query_text` is 0."""
        super().__init__(config)
        self.needs = frozenset({"items", "title"} if self.config.query_text else {"items"})

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Learn the vectors of words, and compute the vectors of items from them; return self."""
        words, texts = _unpacked(self.prepared(data), self.config.tokenizer)
        has = texts.matrix(binary=True)
        vectors = Word2Vec(self._training()).fit(self._corpus(data, words, texts), rng).vectors("items")
        count = has.getnnz(axis=0)
        idf = np.log1p(len(data.items) / np.maximum(count, 1)) ** self.config.idf
        idf[np.isnan(vectors).any(axis=1) | (count < self.config.min_items)] = 0
        weighed = np.nan_to_num(vectors) * idf[:, None].astype(np.float32)
        items = normalised(np.asarray(has @ weighed, np.float32))
        items[~items.any(axis=1)] = np.nan
        users = csr_matrix(data.interactions.matrix(binary=True) @ has).getnnz(axis=0).astype(np.int64)
        return self.restore({"items": items, "vectors": weighed, "counts": users, **words.state()})

    def prepare(self, catalogue: Dataset) -> State:
        """Return the words of all items' texts, and each text as the codes of its words in their order."""
        words = TokenVocabulary.build(catalogue.items.text, self.config.tokenizer)
        texts = words.encode(catalogue.items.text)
        return {"ids": texts.ids, "offsets": texts.offsets, **words.state()}

    def _training(self) -> Word2VecOptions:
        shared = self.config.model_dump(exclude={"tokenizer", "idf", "min_items", "sentences", "query_text"})
        shuffle = self.config.sentences == "plays"
        return Word2VecOptions(fields=("items",), score="cosine", shuffle=shuffle, **shared)

    def _corpus(self, data: Dataset, words: TokenVocabulary, texts: Ragged) -> Dataset:
        """Return a dataset whose items are words.

        Its users are the training users or, with `sentences: texts`, the texts of items.
        """
        if self.config.sentences == "plays":
            return _played_words(data, texts.matrix(binary=True))
        return _with_words(data, data.items.vocabulary, texts)

    def memory(self, data: Dataset) -> int:
        """Estimate the bytes of training, as if the words were those of the default tokenizer."""
        words = TokenVocabulary.build(data.items.text, Tokenizer())
        return Word2Vec(self._training()).memory(self._corpus(data, words, words.encode(data.items.text)))

    def query_vectors(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the vectors of queries, float32 [Q, dim], of length 1.

        NaN rows for queries without a known word, neither of an item nor of their own text.
        """
        total = kernels.vector_sums(queries.matrix("items"), self._items)
        if self.config.query_text:
            own = normalised(np.asarray(self._words.counts(queries.text).sign() @ self._vectors, np.float32))
            total = total + np.float32(self.config.query_text) * own
        total = normalised(total)
        total[~total.any(axis=1)] = np.nan
        return total

    def vectors(self, target: Target) -> Floats:
        """Return the vectors of items, float32 [I, dim], of length 1; NaN rows for items without a known word."""
        return self._items

    def embeddings(self, data: Dataset) -> dict[str, Embedding]:
        """Return the vectors of items and of words; a word's count is the number of users with an item that has it."""
        learned = self._vectors.any(axis=1, keepdims=True)
        words = np.where(learned, self._vectors, np.float32(np.nan))
        return super().embeddings(data) | {"words": Embedding(self._words.words, words, self._counts)}

    def state(self) -> State:
        """Return the vectors of items, the vectors of words times the words' weights, the words and their counts."""
        return {"items": self._items, "vectors": self._vectors, "counts": self._counts, **self._words.state()}

    def restore(self, state: State) -> Self:
        """Take the vectors of items and words, the words and their counts from `state`; return self."""
        self._items, self._vectors, self._counts = state["items"], state["vectors"], state["counts"]
        self._words = TokenVocabulary.restore(state, self.config.tokenizer)
        return self


def _unpacked(state: State, tokenizer: Tokenizer) -> tuple[TokenVocabulary, Ragged]:
    """Return the words and each item's text as codes of words, Ragged of I rows, from the arrays of `prepare`."""
    words = TokenVocabulary.restore(state, tokenizer)
    return words, Ragged(state["ids"], state["offsets"], len(words))


def _played_words(data: Dataset, has: Sparse) -> Dataset:
    """Return the training part with each item replaced by its words, the entries of `has`, csr [I, words]."""
    played = csr_matrix(data.interactions.matrix(binary=True) @ has)
    times = played.data.astype(np.int64)
    codes, rows = np.repeat(played.indices, times), np.repeat(kernels.csr_rows(played), times)
    return _with_words(data, data.users.vocabulary, Ragged.from_columns(rows, codes, played.shape))


def _with_words(data: Dataset, users: Vocabulary, texts: Ragged) -> Dataset:
    """Return a dataset of words: `users` has a name for each row of `texts`, and the items are the words."""
    words = Entities(Vocabulary(f"{word:09}" for word in range(texts.width)))
    return replace(
        data,
        entities=data.entities | {USERS: Entities(users), ITEMS: words},
        user_has={},
        item_has={},
        assignments={},
        through_items=(),
        interactions=texts,
    )
