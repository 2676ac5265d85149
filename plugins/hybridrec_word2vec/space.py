"""One numbering for the tokens of all fields, and the sentences they form: one per user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy.sparse import csr_matrix, hstack

from hybridrec import (
    PADDING,
    Dataset,
    Field,
    Ints,
    Longs,
    QueryBatch,
    Ragged,
    Sparse,
    Vocabulary,
    encode_words,
)

LONGEST_SENTENCE = 10_000
"""gensim silently drops what a sentence has beyond this many tokens."""


@dataclass(frozen=True, slots=True)
class Space:
    """Tokens are numbers: those of `fields[f]` begin at `starts[f]`; so an item and a tag never clash.

    starts: int64 [len(fields) + 1], the last is the number of all tokens
    words: the vocabulary of title words, empty if titles are not used
    """

    fields: tuple[Field, ...]
    starts: Longs
    words: Vocabulary

    @classmethod
    def of(cls, data: Dataset, fields: tuple[Field, ...]) -> Space:
        """The tokens of a training part."""
        words = encode_words(data.titles)[0] if "title" in fields else Vocabulary()
        sizes = {"user": len(data.users), "items": len(data.items), "tags": len(data.tags), "title": len(words)}
        return cls(fields, np.cumsum([0, *(sizes[field] for field in fields)]), words)

    @property
    def size(self) -> int:
        """Number of tokens."""
        return int(self.starts[-1])

    def part(self, field: Field) -> slice:
        """Where the tokens of a field are."""
        place = self.fields.index(field)
        return slice(int(self.starts[place]), int(self.starts[place + 1]))

    def matrix(self, queries: QueryBatch, weights: Mapping[Field, float], context: int | None) -> Sparse:
        """csr float32 [Q, size]: how often each query has each token, times the weight of its field.

        Of the items only the last `context` count.
        """
        if context is not None:
            queries = replace(queries, history=queries.history.last(context))
        blocks = [_counts(queries, field, self) * np.float32(weights.get(field, 1.0)) for field in self.fields]
        return csr_matrix(hstack(blocks, format="csr", dtype=np.float32))

    def tokens(self, data: Dataset) -> tuple[Ints, Ints, Longs]:
        """The row (user), the token and the place within its field of everything that stands in a sentence.

        Items come in the order of the history, title words in the order of the text.
        """
        rows, tokens, places = [], [], []
        for field, start in zip(self.fields, self.starts[:-1], strict=True):
            ragged = _ragged(data, field, self.words)
            rows.append(ragged.rows)
            tokens.append(ragged.ids + np.int32(start))
            places.append(np.arange(len(ragged.ids)) - ragged.offsets[ragged.rows])
        return np.concatenate(rows), np.concatenate(tokens), np.concatenate(places)


class Sentences:
    """The training users as sentences of tokens (decimal numbers as text), mixed anew in each pass.

    Tags, title words and users have no place in the history: each pass puts them at random ones. With
    `shuffle` the items are put at random places too; without it they keep their order.
    """

    counts: Longs
    """How often each token occurs: int64 [space.size]."""
    longest: int
    """Tokens in the longest sentence."""

    def __init__(self, space: Space, data: Dataset, shuffle: bool, rng: np.random.Generator) -> None:
        """Take the users of `data` that have any token."""
        self._rng = rng
        self._rows, self._tokens, places = space.tokens(data)
        self._names = np.arange(space.size).astype(str).astype(object)
        items = np.zeros(space.size, bool)
        if "items" in space.fields and not shuffle:
            items[space.part("items")] = True
        self._ordered = items[self._tokens]
        # Evenly spread over (0, 1), in the order of the history.
        self._keys = (places[self._ordered] + 0.5) / data.interactions.lengths[self._rows[self._ordered]]
        self._cuts = _cuts(np.bincount(self._rows, minlength=len(data.users)))
        self.counts = np.bincount(self._tokens, minlength=space.size)
        self.longest = int(np.diff(self._cuts).max(initial=1))

    def __len__(self) -> int:
        """Number of sentences."""
        return len(self._cuts) - 1

    def __iter__(self) -> Iterator[list[str]]:
        """One pass; gensim wants lists of text."""
        keys = self._rng.random(len(self._rows))
        keys[self._ordered] = self._keys
        tokens = self._names[self._tokens[np.lexsort((keys, self._rows))]].tolist()
        for start, end in pairwise(self._cuts.tolist()):
            yield tokens[start:end]


def _cuts(lengths: Longs) -> Longs:
    """Where sentences begin in the tokens of all users, and the end of the last; long ones are cut in pieces."""
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.append(np.flatnonzero(within % LONGEST_SENTENCE == 0), len(within))


def _ragged(data: Dataset, field: Field, words: Vocabulary) -> Ragged:
    """A field of all users, as codes of that field."""
    if field == "items":
        return data.interactions
    if field == "title":
        return encode_words(data.titles, words)[1]
    if field == "tags":
        tags = data.user_tags
        return Ragged(tags.indices, tags.indptr.astype(np.int64), tags.shape[1])
    users = np.flatnonzero(data.interactions.lengths).astype(np.int32)
    return Ragged.from_columns(users, users, (len(data.users), len(data.users)))


def _counts(queries: QueryBatch, field: Field, space: Space) -> Sparse:
    """csr float32 [Q, tokens of the field]."""
    if field == "items":
        return Ragged(queries.history.ids, queries.history.offsets, queries.history.width).matrix()
    if field == "title":
        return encode_words(queries.text, space.words)[1].matrix()
    if field == "tags":
        return csr_matrix(queries.tags > 0, dtype=np.float32)
    known = np.flatnonzero(queries.users != PADDING)
    part = space.part("user")
    ones = np.ones(len(known), np.float32)
    return csr_matrix((ones, (known, queries.users[known])), shape=(len(queries), part.stop - part.start))
