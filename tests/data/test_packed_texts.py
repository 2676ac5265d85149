"""Texts in two arrays are the texts that went in, one by one and all at once."""

import numpy as np
import polars as pl
import pytest

from hybridrec.data import packed_texts
from hybridrec.data.packed_texts import PackedTexts, pack_column, take_texts

TEXTS = ["plain", "", "노래 🎸", "", "é\x00\n"]


@pytest.mark.parametrize("texts", [TEXTS, [], [""], ["", "a"]])
def test_texts_come_back_in_their_order(texts):
    packed = PackedTexts.of(iter(texts))
    assert len(packed) == len(texts)
    assert list(packed) == texts
    assert [packed[place] for place in range(len(texts))] == texts
    assert packed.take(range(len(texts))) == texts
    assert packed.take([*range(len(texts))][::-1]) == texts[::-1]
    backwards = np.arange(len(texts), dtype=np.int32)[::-1]
    assert take_texts(packed, backwards) == take_texts(tuple(texts), backwards) == tuple(texts[::-1])
    assert (packed.encoded.dtype, packed.ends.dtype) == (np.uint8, np.int64)


def test_places_count_from_the_end_and_slices_are_lists():
    packed = PackedTexts.of(TEXTS)
    assert packed[-1] == TEXTS[-1]
    assert packed[1:4] == TEXTS[1:4]
    assert packed[::-2] == TEXTS[::-2]
    assert TEXTS[2] in packed
    for place in (5, -6):
        with pytest.raises(IndexError):
            packed[place]


def test_texts_lie_side_by_side_without_copies():
    packed = PackedTexts.of(["ab", "", "c"])
    assert (packed.encoded.tobytes(), packed.ends.tolist()) == (b"abc", [2, 2, 3])
    again = PackedTexts(packed.encoded, packed.ends)
    assert np.shares_memory(again.encoded, packed.encoded)
    assert list(again) == ["ab", "", "c"]


@pytest.mark.parametrize("block", [2, 100])
@pytest.mark.parametrize("texts", [TEXTS, [], [""]])
def test_a_column_is_packed_as_its_texts_are(monkeypatch, block, texts):
    monkeypatch.setattr(packed_texts, "BLOCK", block)
    packed, wanted = pack_column(pl.Series(texts, dtype=pl.String)), PackedTexts.of(texts)
    assert packed == wanted
    assert (packed.encoded.dtype, packed.ends.dtype) == (np.uint8, np.int64)
