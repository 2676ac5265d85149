"""Words of titles and item texts: splitting and encoding, shared by all components that read text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hybridrec.data.packed_texts import PackedTexts
from hybridrec.data.ragged import Ragged, offsets_of
from hybridrec.data.vocabulary import Vocabulary
from hybridrec.types import PADDING, Sparse

Tokenize: TypeAlias = Callable[[Sequence[str]], list[list[str]]]
"""Function that returns the tokens of each text, in order."""
_WORD = re.compile(r"\w+")


def tokens(text: str) -> list[str]:
    """Split a text into words, in order: runs of Unicode letters, digits and underscores, in lower case.

    >>> tokens("Café de l'Été, 1977!")
    ['café', 'de', 'l', 'été', '1977']
    """
    return _WORD.findall(unicodedata.normalize("NFC", text).lower())


def tokenize_words(texts: Sequence[str]) -> list[list[str]]:
    """Split each text into words, in order."""
    return [tokens(text) for text in texts]


def encode_words(
    texts: Sequence[str],
    words: Vocabulary | None = None,
    tokenize: Tokenize = tokenize_words,
) -> tuple[Vocabulary, Ragged]:
    """Return (vocabulary, codes): the codes of the words of each text, in order, as a Ragged of len(texts) rows.

    The vocabulary is `words`, and words that are not in it are skipped; without `words` it is learned from the texts.
    """
    rows = tokenize(texts)
    flat = [word for row in rows for word in row]
    vocabulary = Vocabulary(flat) if words is None else words
    offsets = offsets_of(np.array([len(row) for row in rows], np.int64))
    codes = vocabulary.encode(flat)
    return vocabulary, Ragged(codes, offsets, len(vocabulary)).where(codes != PADDING)


def bag_of_words(texts: Sequence[str], words: Vocabulary | None = None) -> tuple[Vocabulary, Sparse]:
    """Return (vocabulary, counts): the number of times that each text has each word, csr float32 [len(texts), words].

    The vocabulary is the one that `encode_words` returns.
    """
    vocabulary, encoded = encode_words(texts, words)
    return vocabulary, encoded.matrix()


def pack_words(words: Vocabulary) -> NDArray[np.uint8]:
    """Pack a vocabulary of words into an array, for the state of a component; `unpack_words` is the inverse."""
    return np.frombuffer("\n".join(words.packed).encode(), np.uint8)


def unpack_words(packed: NDArray[np.uint8]) -> Vocabulary:
    """Unpack the vocabulary that `pack_words` packed."""
    if not len(packed):
        return Vocabulary.of_packed(PackedTexts(packed, np.empty(0, np.int64)))
    breaks = packed == ord("\n")
    places = np.append(np.flatnonzero(breaks), len(packed))
    return Vocabulary.of_packed(PackedTexts(packed[~breaks], places - np.arange(len(places))))
