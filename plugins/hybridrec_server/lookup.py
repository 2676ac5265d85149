"""Type-ahead search: the titles and ids that have what was typed, by comparing the bytes of all titles at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from hybridrec import Bools, Doubles, Entities, Longs

_WORD = np.array([chr(byte).isalnum() or byte >= 0x80 for byte in range(256)])
"""For each byte, True if it belongs to a word: ASCII letters and digits, and all bytes of other letters."""
EQUAL, START, WORD, INSIDE, IDENTIFIER = 1.0, 0.9, 0.75, 0.5, 0.85
"""Scores of a match: the whole title or id, its start, the start of a word in it, inside a word, the start of an id."""
COMPLETE = 0.05
"""The addition to the score of a match whose last word ends with it: "song 3" before "song 30"."""


class TypeAhead:
    """The titles of all entities of a kind in one array of bytes, without capitals.

    A search compares its first byte with all bytes of the titles, then the second byte at the places that are left,
    and so on: a millisecond or two for 100,000 titles, and no index.
    """

    def __init__(self, entities: Entities, counts: Doubles) -> None:
        """Take the entities, and how often each is used, which decides among equal matches."""
        self._entities = entities
        self._counts = counts
        self._titles = _Texts(entities.names())
        self._ids = _Texts(entities.vocabulary.packed)

    def hits(self, typed: str, n: int) -> list[dict[str, Any]]:
        """Return `id`, `title` and `score` of the n best matches.

        All words of what was typed have to be in the title, the last one as the beginning of a word at least; titles
        that have them in a row come first.
        """
        wanted = " ".join(typed.casefold().split()).encode(errors="surrogatepass")
        if not wanted:
            return []
        scores = np.zeros(len(self._entities))
        self._titles.score(wanted, scores)
        words = wanted.split()
        if len(words) > 1 and np.count_nonzero(scores) < n:
            each = np.full(len(scores), np.inf)
            for word in words:
                alone = np.zeros(len(scores))
                self._titles.score(word, alone)
                each = np.minimum(each, np.where(alone >= WORD, alone, 0))
            scores = np.maximum(scores, each / 2)
        starts, whole = self._ids.starting(wanted)
        scores[starts] = np.maximum(scores[starts], np.where(whole, EQUAL, IDENTIFIER))
        matches = np.flatnonzero(scores)
        best = matches[np.lexsort((matches, -self._counts[matches], -scores[matches]))[:n]].astype(np.int32)
        names = self._entities.names(best)
        return [
            {"id": name, "title": title, "score": float(scores[code])}
            for name, title, code in zip(self._entities.vocabulary.texts(best), names, best.tolist(), strict=True)
        ]


class _Texts:
    """Texts without capitals in one array of bytes, with a line break before and after each."""

    def __init__(self, texts: Any) -> None:
        pieces = [" ".join(text.casefold().split()).encode(errors="surrogatepass") for text in texts]
        self._bytes = np.frombuffer(b"\n" + b"\n".join(pieces) + b"\n", np.uint8)
        lengths = np.array([len(piece) + 1 for piece in pieces], np.int64)
        self._starts: Longs = np.concatenate(([1], 1 + np.cumsum(lengths)))
        """The place of the first byte of each text; the last entry is behind the end."""

    def score(self, wanted: bytes, scores: Doubles) -> None:
        """Raise the scores of the texts that have these bytes to the score of the best of their matches."""
        places = self._places(wanted)
        texts = np.searchsorted(self._starts, places, side="right") - 1
        first = places == self._starts[texts]
        whole = first & (self._bytes[places + len(wanted)] == ord("\n"))
        word = ~_WORD[self._bytes[places - 1]]
        complete = ~_WORD[self._bytes[places + len(wanted)]]
        values = np.select([whole, first, word], [EQUAL, START, WORD], INSIDE) + np.where(
            complete & ~whole, COMPLETE, 0
        )
        np.maximum.at(scores, texts, values)

    def starting(self, wanted: bytes) -> tuple[Longs, Bools]:
        """Return the numbers of the texts that begin with these bytes, and which of them have no more: int64, bool."""
        starts = self._starts[:-1]
        inside = np.flatnonzero(starts + len(wanted) < len(self._bytes))
        for offset, byte in enumerate(wanted):
            inside = inside[self._bytes[starts[inside] + offset] == byte]
        return inside, self._bytes[starts[inside] + len(wanted)] == ord("\n")

    def _places(self, wanted: bytes) -> Longs:
        """Return the places at which these bytes stand: int64, ascending."""
        last = len(self._bytes) - len(wanted)
        places = np.flatnonzero(self._bytes[: max(last, 0)] == wanted[0])
        for offset, byte in enumerate(wanted[1:], start=1):
            places = places[self._bytes[places + offset] == byte]
        return places
