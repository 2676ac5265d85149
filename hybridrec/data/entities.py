"""Entities of one kind: their ids, and all that the data says about each."""

from __future__ import annotations

from dataclasses import dataclass

from hybridrec.data.features import Features
from hybridrec.data.frozen import freeze
from hybridrec.data.packed_texts import take_texts
from hybridrec.data.vocabulary import Vocabulary
from hybridrec.types import Doubles, Floats, Ints


@dataclass(frozen=True, slots=True)
class Entities:
    """N entities of one kind (users, items, tags, artists, ...) in the order of their codes.

    vocabulary: their external ids
    text: a readable text of each (a song's name, a playlist's title), "" where there is none. In what a recommender
        loads it is a sequence that is equal to this tuple and decodes a text when it is accessed, so that processes
        share the bytes of the bundle
    times: float64[N], seconds since 1970, NaN where unknown; None if the data has no times. The time of an item is its
        release, the time of a user is when the user's query is made (a playlist's last change, say)
    features: typed columns, or None
    vectors: float32 [N, D], dense content (audio, say), or None
    """

    vocabulary: Vocabulary
    text: tuple[str, ...] = ()
    times: Doubles | None = None
    features: Features | None = None
    vectors: Floats | None = None

    def __post_init__(self) -> None:
        """Make the arrays read-only; if no texts are given, give every entity an empty one."""
        if not len(self.text) and len(self.vocabulary):
            object.__setattr__(self, "text", ("",) * len(self.vocabulary))
        freeze(self)

    def __len__(self) -> int:
        return len(self.vocabulary)

    def names(self, codes: Ints | None = None) -> tuple[str, ...]:
        """Return a readable name of every entity, or of each entity in `codes`: its text, else its id."""
        if codes is not None:
            texts = take_texts(self.text, codes)
            if all(texts):
                return texts
            return tuple(text or name for text, name in zip(texts, self.vocabulary.texts(codes), strict=True))
        return tuple(text or name for text, name in zip(self.text, self.vocabulary.packed, strict=True))
