"""Common numbering of the tokens of all fields, and the sentences that they form, one for each user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hybridrec import (
    PADDING,
    Dataset,
    Floats,
    Ints,
    Longs,
    QueryBatch,
    Ragged,
    Sparse,
    State,
    Tokenizer,
    TokenVocabulary,
    Vocabulary,
    kernels,
    make_csr,
    pack_csr,
    stack_columns,
    unpack_csr,
)

SentenceField: TypeAlias = str
"""Field of a sentence: `user`, `items`, another kind, `title`, or `features` (the features of the sentence's items)."""

LONGEST_SENTENCE = 10_000
"""Limit of gensim, which silently drops the tokens of a sentence beyond it."""
_SENTENCES = 1_024
"""Number of sentences whose tokens exist as Python objects at a time."""


@dataclass(frozen=True, slots=True)
class Space:
    """Numbering of all tokens: the tokens of `fields[f]` begin at `starts[f]`, so an item and a tag never clash.

    starts: int64 [len(fields) + 1], the last is the number of all tokens
    lexicon: the tokens of titles; empty if titles are not used
    features: csr [I, F] of ones, the features of each item; None if features are not used
    """

    fields: tuple[SentenceField, ...]
    starts: Longs
    lexicon: TokenVocabulary
    features: Sparse | None = None

    @classmethod
    def of(cls, data: Dataset, fields: tuple[SentenceField, ...], tokenizer: Tokenizer) -> Self:
        """Number the tokens that a training part has in these fields."""
        lexicon = TokenVocabulary.build(data.users.text if "title" in fields else (), tokenizer)
        features = _features(data) if "features" in fields else None
        sizes = {kind: data.size(kind) for kind in data.targets} | {
            "user": len(data.users),
            "title": len(lexicon),
            "features": 0 if features is None else features.shape[1],
        }
        return cls(fields, np.cumsum([0, *(sizes[field] for field in fields)]), lexicon, features)

    def state(self) -> State:
        """Return the start of each field's tokens, the tokens of titles, and the items' features."""
        features = {} if self.features is None else pack_csr(self.features, "features")
        return {"starts": self.starts, **self.lexicon.state(), **features}

    @classmethod
    def restore(cls, state: State, fields: tuple[SentenceField, ...], tokenizer: Tokenizer) -> Self:
        """Rebuild the space from the arrays of `state`."""
        features = unpack_csr(state, "features") if "features" in fields else None
        return cls(fields, state["starts"], TokenVocabulary.restore(state, tokenizer), features)

    @property
    def words(self) -> Vocabulary:
        """The tokens of titles, as a vocabulary."""
        return self.lexicon.words

    @property
    def size(self) -> int:
        """Number of all tokens, of all fields."""
        return int(self.starts[-1])

    def range_of(self, field: SentenceField) -> slice:
        """Return the range of a field's tokens."""
        place = self.fields.index(field)
        return slice(int(self.starts[place]), int(self.starts[place + 1]))

    def per_token(self, values: Mapping[SentenceField, float]) -> Floats:
        """Return the entry of `values` for each token's field, float32 [size]; 1 for fields that it does not name."""
        return self.value_of(np.arange(self.size), values)

    def value_of(self, tokens: NDArray[np.integer], values: Mapping[SentenceField, float]) -> Floats:
        """Return for each token the value of its field in `values`, 1 for fields that it does not name: float32."""
        each = np.array([values.get(field, 1) for field in self.fields], np.float32)
        return each[np.searchsorted(self.starts, tokens, side="right") - 1]

    def counts(self, queries: QueryBatch, context: int | None) -> Sparse:
        """Count the tokens of each query: csr float32 [Q, size].

        Only the last `context` items of a history count, or all if it is None.
        """
        if context is not None:
            queries = replace(queries, history=queries.history.last(context))
        return stack_columns([_counts(queries, field, self) for field in self.fields])

    def field_sums(self, counts: Sparse) -> Sparse:
        """Replace each entry of `counts`, csr [Q, size], by the sum of its row over the tokens of the same field."""
        field = np.searchsorted(self.starts, counts.indices, side="right") - 1
        cell = kernels.csr_rows(counts).astype(np.int64) * len(self.fields) + field
        sums = np.bincount(cell, counts.data)[cell] if len(cell) else counts.data
        return make_csr(sums.astype(np.float32), counts.indices, counts.indptr, counts.shape)

    def tokens(self, data: Dataset) -> tuple[Ints, Ints, Longs]:
        """Return parallel arrays over all tokens of the sentences: the user's row, the token, its place in its field.

        The place of an item is its place in the history; the place of a title word is its place in the text.
        """
        rows, tokens, places = [], [], []
        for field, start in zip(self.fields, self.starts[:-1], strict=True):
            ragged = _ragged(data, field, self)
            rows.append(ragged.rows)
            tokens.append(ragged.ids + np.int32(start))
            places.append(np.arange(len(ragged.ids)) - ragged.offsets[ragged.rows])
        return np.concatenate(rows), np.concatenate(tokens), np.concatenate(places)


class Sentences:
    """Training users as sentences of tokens (decimal numbers as text), shuffled in each pass.

    Tags, title words and users have no place in the history: each pass puts them at random places. With `shuffle` the
    items are put at random places, too; without it they keep their order.
    """

    counts: Longs
    """Number of occurrences of each token: int64 [space.size]."""
    users: Longs
    """Number of users who have each token: int64 [space.size]."""
    longest: int
    """Number of tokens in the longest sentence."""

    def __init__(
        self,
        space: Space,
        data: Dataset,
        shuffle: bool,
        rng: np.random.Generator,
        repeat: Mapping[SentenceField, int] | None = None,
    ) -> None:
        """Make a sentence of each user of `data` who has any token.

        `repeat` says how often a sentence has each token of a field; 1 for fields that it does not name.
        """
        self._rng = rng
        rows, tokens, places = space.tokens(data)
        distinct = np.unique(rows.astype(np.int64) * space.size + tokens)
        self.users = np.bincount(distinct % max(space.size, 1), minlength=space.size)
        times = space.per_token(repeat or {})[tokens].astype(np.int64)
        self._rows, self._tokens = np.repeat(rows, times), np.repeat(tokens, times)
        places = np.repeat(places, times)
        self._names = np.arange(space.size).astype(str).astype(object)
        items = np.zeros(space.size, bool)
        if "items" in space.fields and not shuffle:
            items[space.range_of("items")] = True
        self._ordered = items[self._tokens]
        # Evenly spread over (0, 1), in the order of the history.
        self._keys = (places[self._ordered] + 0.5) / data.interactions.lengths[self._rows[self._ordered]]
        self._cuts = _cuts(np.bincount(self._rows, minlength=len(data.users)))
        self.counts = np.bincount(self._tokens, minlength=space.size)
        self.longest = int(np.diff(self._cuts).max(initial=1))

    def __len__(self) -> int:
        """Return the number of sentences."""
        return len(self._cuts) - 1

    def __iter__(self) -> Iterator[list[str]]:
        """Yield the sentences of one pass as lists of text, as gensim requires.

        Only a few sentences at a time exist as Python objects.
        """
        keys = self._rng.random(len(self._rows))
        keys[self._ordered] = self._keys
        mixed = self._tokens[np.lexsort((keys, self._rows))]
        for first in range(0, len(self), _SENTENCES):
            cuts = self._cuts[first : first + _SENTENCES + 1]
            tokens = self._names[mixed[cuts[0] : cuts[-1]]].tolist()
            for start, end in pairwise((cuts - cuts[0]).tolist()):
                yield tokens[start:end]

    def write(self, file: Path) -> None:
        """Write one pass as text: a line for each sentence."""
        with file.open("w", encoding="ascii") as lines:
            lines.writelines(" ".join(sentence) + "\n" for sentence in self)


def _cuts(lengths: Longs) -> Longs:
    """Return the start of each sentence in the joined tokens of all users, and the end of the last.

    `lengths`, int64[U], are the numbers of tokens of the users. A user with more than `LONGEST_SENTENCE` tokens has
    several sentences.
    """
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.append(np.flatnonzero(within % LONGEST_SENTENCE == 0), len(within))


def _features(data: Dataset) -> Sparse:
    """Return the features of each item, csr float32 [I, F] of ones; F is 0 if the items have no features."""
    if data.items.features is None:
        return csr_matrix((len(data.items), 0), dtype=np.float32)
    return data.items.features.matrix.sign()


def _ragged(data: Dataset, field: SentenceField, space: Space) -> Ragged:
    """Return the tokens of one field for all users, numbered within the field: Ragged of U rows."""
    if field == "items":
        return data.interactions
    if field == "title":
        return space.lexicon.encode(data.users.text)
    if field == "user":
        users = np.flatnonzero(data.interactions.lengths).astype(np.int32)
        return Ragged.from_columns(users, users, (len(data.users), len(data.users)))
    if field == "features":
        has = (data.interactions.matrix(binary=True) @ space.features).tocsr()
    else:
        has = data.user_matrix(field)
    return Ragged(has.indices, has.indptr.astype(np.int64), has.shape[1])


def _counts(queries: QueryBatch, field: SentenceField, space: Space) -> Sparse:
    """Count the tokens of one field in each query: csr float32 [Q, tokens of the field].

    Items and title words count as often as they occur, all others once.
    """
    if field == "items":
        return Ragged(queries.history.ids, queries.history.offsets, queries.history.width).matrix()
    if field == "title":
        return space.lexicon.counts(queries.text)
    if field == "features":
        return (queries.history.matrix(binary=True) @ space.features).sign()
    if field != "user":
        has = queries.matrix(field)
        positive = make_csr((has.data > 0).astype(np.float32), has.indices.copy(), has.indptr.copy(), has.shape)
        positive.eliminate_zeros()
        return positive
    known_users = np.flatnonzero(queries.users != PADDING)
    columns = space.range_of("user")
    ones = np.ones(len(known_users), np.float32)
    return csr_matrix(
        (ones, (known_users, queries.users[known_users])), shape=(len(queries), columns.stop - columns.start)
    )
