"""Every tokenizer cuts new texts as it cut those it learned from, also after a way through arrays."""

import sys

import numpy as np
import pytest
from pydantic import ValidationError

from hybridrec import MissingDependencyError, Tokenizer, TokenVocabulary
from hybridrec.data.text.tokenizers import ngrams

TITLES = ("비오는 여름밤에 듣는 발라드", "여름 드라이브", "summer drive", "Summer nights 2019", "", "!!") * 3
LIBRARIES = {"sentencepiece": "sentencepiece", "morphemes": "kiwipiepy"}


@pytest.fixture(params=["words", "char-ngrams", "sentencepiece", "morphemes"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    if request.param in LIBRARIES:
        pytest.importorskip(LIBRARIES[request.param])
    return Tokenizer(use=request.param, pieces=60)


def test_a_tokenizer_names_its_libraries(tokenizer: Tokenizer):
    assert (LIBRARIES.get(tokenizer.use) in tokenizer.requires) == (tokenizer.use in LIBRARIES)
    assert bool(tokenizer.install_hint) == bool(tokenizer.requires)


def test_a_lexicon_comes_back_from_its_state(tokenizer: Tokenizer):
    lexicon = TokenVocabulary.build(TITLES, tokenizer)
    state = lexicon.state()
    assert all(isinstance(array, np.ndarray) and array.dtype == np.uint8 for array in state.values())
    back = TokenVocabulary.restore(state, tokenizer)
    assert back.words == lexicon.words
    np.testing.assert_array_equal(back.counts(TITLES).toarray(), lexicon.counts(TITLES).toarray())


def test_known_parts_of_new_texts_are_found(tokenizer: Tokenizer):
    lexicon = TokenVocabulary.build(TITLES, tokenizer)
    counts = lexicon.counts(("SUMMER", "여름", "", "?"))
    assert counts.shape == (4, len(lexicon))
    assert (np.diff(counts.indptr) > 0).tolist() == [True, True, False, False]


def test_learning_again_gives_the_same(tokenizer: Tokenizer):
    first, second = (TokenVocabulary.build(TITLES, tokenizer).state() for _ in range(2))
    assert all(np.array_equal(array, second[name]) for name, array in first.items())


@pytest.mark.parametrize("texts", [(), ("", "!!")])
def test_texts_without_letters_have_no_tokens(tokenizer: Tokenizer, texts: tuple[str, ...]):
    lexicon = TokenVocabulary.build(texts, tokenizer)
    assert len(lexicon) == 0
    back = TokenVocabulary.restore(lexicon.state(), tokenizer)
    assert back.counts(("summer",)).shape == (1, 0)


def test_ngrams_know_where_words_begin_and_end():
    assert ngrams("Go, go!", 2, 3) == ["<g", "go", "o>", "<go", "go>"] * 2
    assert ngrams("a", 5, 6) == ["<a>"]
    with pytest.raises(ValidationError, match="longest is 2, below shortest, 3"):
        Tokenizer(longest=2)


def test_morphemes_leave_out_particles_and_endings():
    pytest.importorskip("kiwipiepy")
    words = TokenVocabulary.build(("비오는 여름밤에 듣는 OST 2020",), Tokenizer(use="morphemes")).words
    assert {"여름", "밤", "ost", "2020"} <= set(words.ids)
    assert not {"에", "는"} & set(words.ids)


def test_pieces_are_learned_whatever_letters_there_are():
    pytest.importorskip("sentencepiece")
    texts = tuple(chr(0xAC00 + 7 * code) for code in range(500))
    assert len(TokenVocabulary.build(texts, Tokenizer(use="sentencepiece", pieces=10))) >= 500


@pytest.mark.parametrize("use", LIBRARIES)
def test_a_missing_library_is_named_with_its_extra(use: str, monkeypatch: pytest.MonkeyPatch):
    from hybridrec.data.text import tokenizers as lexicon

    lexicon._kiwi.cache_clear()
    monkeypatch.setitem(sys.modules, LIBRARIES[use], None)
    extra = {"sentencepiece": "sentencepiece", "morphemes": "korean"}[use]
    with pytest.raises(MissingDependencyError, match=rf"{LIBRARIES[use]}.*hybridrec\[{extra}\]"):
        TokenVocabulary.build(TITLES, Tokenizer(use=use))
