"""Words are cut alike whatever the language, and survive the way into arrays and back."""

import numpy as np

from hybridrec import Vocabulary, bag_of_words, encode_words, pack_words, tokens, unpack_words


def test_tokens_are_lower_case_words_of_any_script():
    assert tokens("Winterland Arena, San Francisco") == ["winterland", "arena", "san", "francisco"]
    assert tokens("여름 밤 (2019)") == ["여름", "밤", "2019"]
    assert tokens("  🎸!! ") == []


def test_composed_and_decomposed_letters_are_one_word():
    assert tokens("Cafe\u0301") == tokens("CAFÉ") == ["café"]


def test_bag_of_words_counts_repeats():
    words, bag = bag_of_words(("b a b", "", "c"))
    assert words.ids.to_list() == ["a", "b", "c"]
    np.testing.assert_array_equal(bag.toarray(), [[1, 2, 0], [0, 0, 0], [0, 0, 1]])
    assert bag.dtype == np.float32


def test_unknown_words_are_passed_over_and_order_is_kept():
    words = Vocabulary(["a", "b"])
    _, encoded = encode_words(("b x a", "x"), words)
    np.testing.assert_array_equal(encoded.ids, [1, 0])
    np.testing.assert_array_equal(encoded.offsets, [0, 2, 2])


def test_no_texts_and_no_words():
    words, bag = bag_of_words(())
    assert (len(words), bag.shape) == (0, (0, 0))
    assert bag_of_words(("", "!"))[1].shape == (2, 0)


def test_words_survive_packing():
    for words in (Vocabulary(["été", "여름", "a"]), Vocabulary(["one"]), Vocabulary()):
        assert unpack_words(pack_words(words)) == words
