"""Vocabularies: the only place that maps external ids to dense int32 codes and back."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Self, cast

import numpy as np

from hybridrec.data.packed_texts import PackedTexts, pack_column
from hybridrec.errors import DataError
from hybridrec.types import PADDING, Ints, Longs

if TYPE_CHECKING:
    import polars as pl


_SAMPLED = 1 << 16
"""The most ids of which `Vocabulary` keeps bytes objects for searches."""
_STRIDE = 16
"""The least distance between two of them."""
_REMEMBERED = 1 << 15
"""The most texts whose codes a vocabulary remembers."""
_SPREAD = 8
"""The most integers for each id, from the least to the greatest, among which codes are found by their places."""


class Vocabulary:
    """The external ids of one kind (users, items or tags), numbered in the order of their UTF-8 bytes.

    The order does not depend on the order of rows, so it cannot reveal anything about hidden interactions, and ties
    broken by code are broken alike on every machine. External ids are text; a column of integers is read as its
    decimal text.
    """

    def __init__(self, ids: pl.Series | Iterable[str] = ()) -> None:
        """Take the distinct ids of `ids`, which may repeat and come in any order; raises DataError for nulls."""
        import polars as pl

        series = ids if isinstance(ids, pl.Series) else pl.Series("id", list(ids), dtype=pl.String)
        if missing := series.null_count():
            raise DataError(f"{missing} of {len(series)} ids missing (null); every row needs one")
        self._column: pl.Series | None = series.cast(pl.String).unique().sort().rename("id")
        self._texts: PackedTexts | None = None

    @classmethod
    def of_packed(cls, texts: PackedTexts) -> Self:
        """Return the vocabulary of these ids, which must be distinct and in order already, as `packed` returns them.

        The Polars column `ids` is made only when it is first read, so that serving queries needs no Polars.
        """
        vocabulary = cls.__new__(cls)
        vocabulary._column = None
        vocabulary._texts = texts
        return vocabulary

    def __len__(self) -> int:
        return len(self._texts if self._column is None else self._column)  # type: ignore[arg-type]

    def __contains__(self, external: object) -> bool:
        return isinstance(external, str) and bool(self.encode([external])[0] != PADDING)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.ids.equals(other.ids)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} ids)"

    @property
    def ids(self) -> pl.Series:
        """All external ids; the position is the code."""
        import polars as pl

        if self._column is None:
            self._column = pl.Series("id", list(self.packed), dtype=pl.String)
        return self._column

    @property
    def packed(self) -> PackedTexts:
        """All external ids in the order of their codes, as a sequence that is held in two arrays."""
        if self._texts is None:
            self._texts = pack_column(self.ids)
        return self._texts

    @cached_property
    def _codes(self) -> pl.Enum:
        import polars as pl

        return pl.Enum(self.ids)

    def encode(self, external: pl.Series | Sequence[str | None]) -> Ints:
        """Return the code of each external id: int32, parallel to `external`, -1 if the id is unknown or missing."""
        if isinstance(external, (list, tuple)):
            return np.array(self._search(external), np.int32)
        import polars as pl

        if not isinstance(external, pl.Series):
            return self.encode(list(external))
        if not len(self):
            return np.full(len(external), PADDING, np.int32)
        if external.dtype.is_integer() and (codes_of_integers := self._encode_integers(external)) is not None:
            return codes_of_integers
        if isinstance(external.dtype, pl.Categorical):
            return self._encode_categories(external)
        if external.dtype == self._codes:
            codes = external.to_physical().cast(pl.Int32)
        elif isinstance(external.dtype, pl.Enum):  # few distinct texts: look up each once
            codes = pl.Series(self.encode(external.dtype.categories)).gather(external.to_physical())
        else:
            codes = external.cast(pl.String).cast(self._codes, strict=False).to_physical().cast(pl.Int32)
        return codes.fill_null(PADDING).to_numpy().astype(np.int32, copy=False)

    def _encode_categories(self, external: pl.Series) -> Ints:
        """Return the code of each text of a categorical column, -1 if unknown or missing."""
        import polars as pl

        distinct = external.drop_nulls().unique()
        categories = distinct.to_physical().to_numpy()
        by_category = np.full(int(categories.max(initial=0)) + 1, PADDING, np.int32)
        by_category[categories] = self.encode(distinct.cast(pl.String))
        codes = by_category[external.to_physical().fill_null(0).to_numpy()]
        return np.where(external.is_null().to_numpy(), np.int32(PADDING), codes) if external.has_nulls() else codes

    def _encode_integers(self, external: pl.Series) -> Ints | None:
        """Return the code of each integer, -1 if it is missing or unknown, without making texts.

        The result is None if some of the integers have more than 64 bits.
        """
        import polars as pl

        values = external.cast(pl.Int64, strict=False)
        if values.null_count() != external.null_count():
            return None
        is_known = values.is_not_null().to_numpy()
        wanted = values.fill_null(0).to_numpy()
        integers, codes = self._integers
        if not len(integers):
            return np.full(len(wanted), PADDING, np.int32)
        is_known &= (wanted >= integers[0]) & (wanted <= integers[-1])
        if self._by_integer is None:  # integers far apart: look for each among all of them
            places = np.minimum(np.searchsorted(integers, wanted), len(integers) - 1)
            is_known &= integers[places] == wanted
            return np.where(is_known, codes[places], PADDING).astype(np.int32, copy=False)
        offsets = np.where(is_known, wanted - integers[0], 0)
        return np.where(is_known, self._by_integer[offsets], PADDING).astype(np.int32, copy=False)

    @cached_property
    def _integers(self) -> tuple[Longs, Ints]:
        """The ids that are the decimal text of an integer of 64 bits: the integers, ascending, and the code of each."""
        import polars as pl

        values = self.ids.cast(pl.Int64, strict=False)
        codes = (values.cast(pl.String) == self.ids).fill_null(False).arg_true()  # "007" is no decimal text
        integers = values.gather(codes).to_numpy()
        order = np.argsort(integers)
        return integers[order], codes.to_numpy()[order].astype(np.int32)

    @cached_property
    def _by_integer(self) -> Ints | None:
        """The code of each integer from the least to the greatest, -1 for unknown ones; None if most are unknown."""
        integers, codes = self._integers
        span = int(integers[-1]) - int(integers[0]) + 1
        if span > _SPREAD * len(integers):
            return None
        by_integer = np.full(span, PADDING, np.int32)
        by_integer[integers - integers[0]] = codes
        return by_integer

    def encode_known(self, external: Sequence[str], whose: str) -> Ints:
        """Return the code of each id, int32. Raises DataError if an id is unknown; `whose` begins its message."""
        codes = self.encode(external)
        missing = [name for name, code in zip(external, codes, strict=True) if code == PADDING]
        if missing:
            count = f"{len(missing)} ids are" if len(missing) > 1 else "1 id is"
            raise DataError(f"{whose}: {count} not in the data, first '{missing[0]}'")
        return codes

    def _search(self, texts: Sequence[str | None]) -> list[int]:
        """Return the code of each text, -1 if it is not an id.

        The few ids of queries are searched in the packed bytes, which may be mapped from a file: a dict of millions of
        ids would take as much memory in each process that serves. Popular ids return in query after query, so their
        codes are remembered; texts that are no ids are not, since anybody may send any number of them.
        """
        if len(texts) > len(self):  # words of all titles, say: a dict for this call is less work
            by_text = dict(zip(self.packed, range(len(self)), strict=True))
            return [PADDING if text is None else by_text.get(text, PADDING) for text in texts]
        remembered = self._remembered
        codes = list(map(remembered.get, texts))
        if None in codes:
            missing = {text for text, code in zip(texts, codes, strict=True) if code is None}
            searched = {text: PADDING if text is None else self._code(text) for text in missing}
            codes = [searched[text] if code is None else code for text, code in zip(texts, codes, strict=True)]
            if len(remembered) > _REMEMBERED:
                remembered.clear()
            remembered.update((text, code) for text, code in searched.items() if code != PADDING)
        return cast(list[int], codes)

    def _code(self, text: str) -> int:
        """Return the code of one text by bisection: first in the sample, then among the ids from there to the next."""
        wanted, sample, packed = text.encode(errors="surrogatepass"), self._sample, self.packed
        start = (bisect_right(sample, wanted) - 1) * self._stride
        if start < 0:
            return PADDING
        bounds = packed.ends[max(start - 1, 0) : start + self._stride].tolist()
        if not start:
            bounds.insert(0, 0)
        encoded = packed.encoded[bounds[0] : bounds[-1]].tobytes()
        ids = [encoded[first - bounds[0] : end - bounds[0]] for first, end in pairwise(bounds)]
        place = bisect_left(ids, wanted)
        return start + place if place < len(ids) and ids[place] == wanted else PADDING

    @cached_property
    def _remembered(self) -> dict[str | None, int]:
        return {}

    @cached_property
    def _stride(self) -> int:
        return max(-(-len(self) // _SAMPLED), _STRIDE)

    @cached_property
    def _sample(self) -> list[bytes]:
        """The UTF-8 bytes of every `_stride`-th id, from the first."""
        packed = self.packed
        ends = packed.ends[:: self._stride].tolist()
        starts = [0, *packed.ends[self._stride - 1 :: self._stride].tolist()]
        return [packed.encoded[start:end].tobytes() for start, end in zip(starts, ends, strict=False)]

    def texts(self, codes: Ints) -> list[str]:
        """Return the external id of each code; no code may be -1. For few codes: unlike `decode` it needs no Polars."""
        return self.packed.take(codes.tolist())

    def decode(self, codes: Ints) -> pl.Series:
        """Return the external id of each code as a Polars column, null where the code is -1."""
        import polars as pl

        flat = np.asarray(codes).ravel()
        if (flat != PADDING).all():
            return self.ids.gather(flat)
        return self.ids.gather(pl.Series(flat.astype(np.int64)).replace(PADDING, None))
