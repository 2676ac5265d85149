"""External ids and codes: any text, one order, nothing lost on the way and back."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridrec import DataError, Vocabulary
from hybridrec.data import vocabulary as vocabulary_module
from hybridrec.data.packed_texts import PackedTexts

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
MIXED = ["b", "가요", "🎸", "", "B", "é", "10", "9", " b", "노래", "b"]


def test_the_order_is_that_of_the_utf8_bytes():
    vocabulary = Vocabulary(MIXED)
    assert vocabulary.ids.to_list() == sorted(set(MIXED), key=str.encode)
    assert len(vocabulary) == 10
    assert repr(vocabulary) == "Vocabulary(10 ids)"


@given(st.lists(TEXT, max_size=30), st.lists(TEXT, max_size=5), st.randoms())
def test_codes_do_not_depend_on_the_order_of_rows_and_come_back(ids, others, random):
    vocabulary = Vocabulary(ids)
    assert vocabulary.ids.to_list() == sorted(set(ids), key=str.encode)
    shuffled = random.sample(ids, len(ids))
    assert Vocabulary(shuffled + shuffled) == vocabulary
    codes = vocabulary.encode(ids + others)
    assert codes.dtype == np.int32
    assert codes.tolist() == vocabulary.encode(pl.Series(ids + others, dtype=pl.String)).tolist()
    assert vocabulary.decode(codes).to_list() == [text if text in ids else None for text in ids + others]
    assert all((text in vocabulary) == (text in ids) for text in ids + others)


def test_numbers_are_read_as_their_text():
    vocabulary = Vocabulary(pl.Series([10, 9, 9]))
    assert vocabulary.ids.to_list() == ["10", "9"]
    assert vocabulary.encode(pl.Series([9, 10, 8])).tolist() == [1, 0, -1]
    assert vocabulary.encode(["9", "09"]).tolist() == [1, -1]


@pytest.mark.parametrize("spread", [0, 8])
@given(
    st.lists(st.one_of(st.integers(-30, 30), st.integers(-(2**63), 2**63 - 1)), max_size=20),
    st.lists(st.one_of(st.none(), st.integers(-30, 30), st.integers(-(2**63), 2**63 - 1)), max_size=20),
    st.lists(st.sampled_from(["007", "+7", "-0", "1.0", " 3", "x", ""]), max_size=3),
)
def test_integers_have_the_codes_of_their_texts(spread, ids, others, texts):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(vocabulary_module, "_SPREAD", spread)
        vocabulary = Vocabulary([*map(str, ids), *texts])
        column = pl.Series(ids + others, dtype=pl.Int64)
        codes = vocabulary.encode(column)
    assert codes.dtype == np.int32
    assert codes.tolist() == vocabulary.encode(column.cast(pl.String)).tolist()


def test_integers_beyond_64_bits_are_found_by_their_texts():
    large = pl.Series([2**63, 5, None, 2**64 - 1], dtype=pl.UInt64)
    assert Vocabulary([str(2**63), "5"]).encode(large).tolist() == [1, 0, -1, -1]
    assert Vocabulary(["5"]).encode(large).tolist() == [-1, 0, -1, -1]
    assert Vocabulary(["x"]).encode(pl.Series([1, None])).tolist() == [-1, -1]


def test_categorical_columns_have_the_codes_of_their_texts():
    column = pl.Series(["b", None, "nobody", "a", "b"], dtype=pl.Categorical)
    codes = Vocabulary(["a", "b"]).encode(column)
    assert (codes.dtype, codes.tolist()) == (np.int32, [1, -1, -1, 0, 1])
    assert Vocabulary(["a"]).encode(pl.Series([None], dtype=pl.Categorical)).tolist() == [-1]


@pytest.mark.parametrize("texts", [["a", "b"], ["b", "a"], ["c", "b", "a"]])
def test_columns_of_few_texts_are_looked_up_text_by_text(texts):
    column = pl.Series(["b", None, "a", "b"], dtype=pl.Enum(texts))
    codes = Vocabulary(["a", "b"]).encode(column)
    assert (codes.dtype, codes.tolist()) == (np.int32, [1, -1, 0, 1])


def test_a_missing_id_is_refused_and_never_found():
    with pytest.raises(DataError, match=r"2 of 3 ids missing \(null\)"):
        Vocabulary(pl.Series(["a", None, None]))
    assert Vocabulary(["a"]).encode(pl.Series(["a", None])).tolist() == [0, -1]
    assert Vocabulary(["a"]).encode(["a", None]).tolist() == [0, -1]
    assert None not in Vocabulary(["a"])


def test_ids_that_must_be_known_are_told_with_whose_they_are():
    vocabulary = Vocabulary(["a", "b"])
    assert vocabulary.encode_known(["b", "a"], "pinned").tolist() == [1, 0]
    with pytest.raises(DataError, match="pinned: 2 ids are not in the data, first 'c'"):
        vocabulary.encode_known(["a", "c", "d"], "pinned")


def test_an_empty_vocabulary_knows_nothing():
    empty = Vocabulary()
    assert len(empty) == 0
    assert "" not in empty
    assert empty.encode(["a", ""]).tolist() == [-1, -1]
    assert empty.encode([]).dtype == np.int32
    assert empty.decode(np.array([-1, -1], np.int32)).to_list() == [None, None]
    assert empty == Vocabulary([])
    assert empty != Vocabulary([""])


def test_decode_flattens_and_padding_is_null():
    vocabulary = Vocabulary(["a", "b"])
    assert vocabulary.decode(np.array([[1, -1], [0, 1]], np.int32)).to_list() == ["b", None, "a", "b"]


@pytest.mark.parametrize("size", [1, 15, 16, 17, 32, 1_000])
def test_ids_in_packed_bytes_are_found_and_no_others(size):
    ids = sorted((f"track {7 * number} é" for number in range(size)), key=str.encode)
    vocabulary = Vocabulary.of_packed(PackedTexts.of(ids))
    assert vocabulary.encode(ids).tolist() == list(range(size))
    assert vocabulary.encode(ids[::-1]).tolist() == list(range(size))[::-1]
    for other in ("", "\x00", "track", "track 0", "track 0 é ", "zebra", "\ud800", "🎸"):
        assert vocabulary.encode([other, ids[-1]]).tolist() == [-1, size - 1]


def test_a_vocabulary_remembers_a_bounded_number_of_texts(monkeypatch):
    monkeypatch.setattr("hybridrec.data.vocabulary._REMEMBERED", 10)
    ids = [f"{number:03}" for number in range(100)]
    vocabulary = Vocabulary.of_packed(PackedTexts.of(ids))
    for text in ids * 2:
        assert vocabulary.encode([text, "unknown"]).tolist() == [int(text), -1]
        assert len(vocabulary._remembered) <= 11
        assert "unknown" not in vocabulary._remembered


def test_long_lists_repeats_and_missing_texts_are_encoded_as_each_text_is_alone(monkeypatch):
    ids = Vocabulary(["b", "a", "é", "\U0001f600", "aa"])
    texts = ["é", "no", "b", None, "b", "no", "\U0001f600"]
    alone = [ids.encode([text])[0] for text in texts]
    assert alone == [3, -1, 2, -1, 2, -1, 4]
    for asked in (texts[:5], texts, texts * 3):
        searched = []
        fresh = Vocabulary(ids.ids)
        search = fresh._code
        monkeypatch.setattr(
            fresh, "_code", lambda text, searched=searched, search=search: searched.append(text) or search(text)
        )
        assert fresh.encode(asked).tolist() == (alone * 3)[: len(asked)]
        assert len(searched) == len(set(searched))  # a repeat is searched once
        assert len(asked) <= len(ids) or not searched
