"""Tokenizers of texts, an option of components: words, n-grams of letters, learned pieces or Korean morphemes."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from hybridrec.data.ragged import Ragged
from hybridrec.data.text.words import Tokenize, encode_words, pack_words, tokenize_words, tokens, unpack_words
from hybridrec.data.vocabulary import Vocabulary
from hybridrec.errors import MissingDependencyError
from hybridrec.plugin import Options
from hybridrec.types import Sparse, State

_MODEL = "model"
_SPARE = 16
"""The number of pieces beside the letters: marks for unknown text, ends and blanks, and letters of rare composition."""
_REQUIRES = {"sentencepiece": ("sentencepiece",), "morphemes": ("kiwipiepy", "kiwipiepy_model")}
_EXTRAS = {"sentencepiece": "sentencepiece", "morphemes": "korean"}
_CONTENT = ("N", "V", "MAG", "XR", "IC", "SL", "SH", "SN")
"""Korean morphemes with a meaning of their own: nouns, verbs, adverbs, roots, foreign words, numbers."""


class Tokenizer(Options):
    """Options for splitting texts into tokens."""

    use: Literal["words", "char-ngrams", "sentencepiece", "morphemes"] = "words"
    """`words`: runs of letters and digits of any script. `char-ngrams`: short runs of letters within these words, so
    that variants of spelling and inflection match. `sentencepiece`: pieces learned from the texts themselves, for any
    language (pip install 'hybridrec[sentencepiece]'). `morphemes`: nouns, verbs and other content words of Korean
    (pip install 'hybridrec[korean]').
    """
    shortest: int = Field(3, ge=1)
    """Letters in the shortest n-gram of `char-ngrams`; the start and the end of a word count as a letter each."""
    longest: int = Field(5, ge=1)
    """Letters in the longest n-gram of `char-ngrams`."""
    pieces: int = Field(2000, ge=10)
    """Maximum number of pieces that `sentencepiece` learns; it is raised to the number of different letters if that is
    larger."""

    @property
    def requires(self) -> tuple[str, ...]:
        """Import names of the libraries that this tokenizer requires, and that determine its tokens."""
        return _REQUIRES.get(self.use, ())

    @property
    def install_hint(self) -> str:
        """The command that installs the required libraries, or "" if none are required."""
        return f"pip install 'hybridrec[{_EXTRAS[self.use]}]'" if self.use in _EXTRAS else ""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.longest < self.shortest:
            raise ValueError(f"longest is {self.longest}, below shortest, {self.shortest}")
        return self

    def build(self, texts: Sequence[str]) -> NDArray[np.uint8]:
        """Learn the tokenizer's model from the texts and return its bytes.

        The result is empty for a tokenizer that learns nothing.
        """
        return _learn_pieces(texts, self.pieces) if self.use == "sentencepiece" else np.empty(0, np.uint8)

    def function(self, model: NDArray[np.uint8]) -> Tokenize:
        """Return the function that tokenizes texts with the learned `model`.

        Raises MissingDependencyError if `sentencepiece` is required and not installed. The Korean analyser is
        loaded at the first call of the function, which then raises it.
        """
        if self.use == "words":
            return tokenize_words
        if self.use == "char-ngrams":
            return lambda texts: [ngrams(text, self.shortest, self.longest) for text in texts]
        return _pieces(model) if self.use == "sentencepiece" else _morphemes


class TokenVocabulary:
    """The vocabulary of the tokens in some texts, with the tokenizer that finds these tokens in other texts."""

    def __init__(self, tokenizer: Tokenizer, words: Vocabulary, model: NDArray[np.uint8]) -> None:
        """Take the tokens and the tokenizer with its learned `model`."""
        self.words = words
        self._model = model
        self._tokenize = tokenizer.function(model)

    @classmethod
    def build(cls, texts: Sequence[str], tokenizer: Tokenizer) -> Self:
        """Build the vocabulary of all tokens in the texts."""
        model = tokenizer.build(texts)
        return cls(tokenizer, encode_words(texts, tokenize=tokenizer.function(model))[0], model)

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, texts: Sequence[str]) -> Ragged:
        """Return the codes of the tokens of each text, in order, as `len(texts)` rows; unknown tokens are skipped."""
        return encode_words(texts, self.words, self._tokenize)[1]

    def counts(self, texts: Sequence[str]) -> Sparse:
        """Count each token in each text: csr float32 [len(texts), number of tokens]."""
        return self.encode(texts).matrix()

    def state(self) -> State:
        """Return the tokens as `words`, and the model of the tokenizer as `words.model`, if it has one."""
        learned = {f"words.{_MODEL}": self._model} if len(self._model) else {}
        return {"words": pack_words(self.words), **learned}

    @classmethod
    def restore(cls, state: State, tokenizer: Tokenizer) -> Self:
        """Restore the vocabulary from the arrays of its `state()`, which may stand among others in `state`."""
        return cls(tokenizer, unpack_words(state["words"]), state.get(f"words.{_MODEL}", np.empty(0, np.uint8)))


def ngrams(text: str, shortest: int, longest: int) -> list[str]:
    """Return the n-grams of the words of a text, each word between "<" and ">" (Bojanowski et al. 2017).

    A word with fewer letters than the shortest n-gram is kept whole.

    >>> ngrams("Été 77", 3, 3)
    ['<ét', 'été', 'té>', '<77', '77>']
    """
    grams = []
    for word in tokens(text):
        marked = f"<{word}>"
        sizes = range(min(shortest, len(marked)), min(longest, len(marked)) + 1)
        grams += [marked[start : start + size] for size in sizes for start in range(len(marked) - size + 1)]
    return grams


def _learn_pieces(texts: Sequence[str], pieces: int) -> NDArray[np.uint8]:
    """Learn the model of a unigram tokenizer (Kudo 2018) and return its bytes.

    The result is empty if the texts have no words.
    """
    library = _library("sentencepiece", "sentencepiece")
    written = [text for text in texts if tokens(text)]
    if not written:
        return np.empty(0, np.uint8)
    letters = len(set(unicodedata.normalize("NFKC", "".join(written)).casefold()))
    model = io.BytesIO()
    library.SentencePieceTrainer.train(
        sentence_iterator=iter(written),
        model_writer=model,
        vocab_size=max(pieces, letters + _SPARE),
        hard_vocab_limit=False,
        character_coverage=1.0,
        normalization_rule_name="nmt_nfkc_cf",
        max_sentence_length=1 << 20,
        num_threads=1,
        minloglevel=2,
    )
    return np.frombuffer(model.getvalue(), np.uint8)


def _pieces(model: NDArray[np.uint8]) -> Tokenize:
    if not len(model):
        return lambda texts: [[] for _ in texts]
    processor = _library("sentencepiece", "sentencepiece").SentencePieceProcessor(model_proto=model.tobytes())
    return lambda texts: [
        [piece for piece in pieces if tokens(piece)] for pieces in processor.encode(list(texts), out_type=str)
    ]


def _morphemes(texts: Sequence[str]) -> list[list[str]]:
    return [
        [morpheme.form.lower() for morpheme in morphemes if morpheme.tag.startswith(_CONTENT)]
        for morphemes in _kiwi().tokenize(list(texts))
    ]


@cache
def _kiwi() -> Any:
    """Load Kiwi, the analyser of Korean morphemes, once per process, as its dictionary takes a second to load."""
    return _library("kiwipiepy", "korean").Kiwi(num_workers=1)


def _library(name: str, extra: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        raise MissingDependencyError(
            f"the tokenizer needs the library {name}, which cannot be imported ({error}); "
            f"pip install 'hybridrec[{extra}]'"
        ) from error
