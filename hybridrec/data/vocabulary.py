"""Vocabularies: the only place that maps external ids to dense int32 codes and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from hybridrec.data.packed_texts import PackedTexts
from hybridrec.errors import DataError
from hybridrec.types import PADDING, Ints

if TYPE_CHECKING:
    import polars as pl


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
            self._texts = PackedTexts.of(self.ids)
        return self._texts

    @cached_property
    def _codes(self) -> pl.Enum:
        import polars as pl

        return pl.Enum(self.ids)

    def encode(self, external: pl.Series | Sequence[str | None]) -> Ints:
        """Return the code of each external id: int32, parallel to `external`, -1 if the id is unknown or missing."""
        if isinstance(external, (list, tuple)):
            return np.array([self._by_text.get(text, PADDING) for text in external], np.int32)
        import polars as pl

        if not isinstance(external, pl.Series):
            return self.encode(list(external))
        if not len(self):
            return np.full(len(external), PADDING, np.int32)
        if external.dtype == self._codes:
            codes = external.to_physical().cast(pl.Int32)
        elif isinstance(external.dtype, pl.Enum):  # few distinct texts: look up each once
            codes = pl.Series(self.encode(external.dtype.categories)).gather(external.to_physical())
        else:
            codes = external.cast(pl.String).cast(self._codes, strict=False).to_physical().cast(pl.Int32)
        return codes.fill_null(PADDING).to_numpy().astype(np.int32, copy=False)

    def encode_known(self, external: Sequence[str], whose: str) -> Ints:
        """Return the code of each id, int32. Raises DataError if an id is unknown; `whose` begins its message."""
        codes = self.encode(external)
        missing = [name for name, code in zip(external, codes, strict=True) if code == PADDING]
        if missing:
            count = f"{len(missing)} ids are" if len(missing) > 1 else "1 id is"
            raise DataError(f"{whose}: {count} not in the data, first '{missing[0]}'")
        return codes

    @cached_property
    def _by_text(self) -> Mapping[str | None, int]:
        """A mapping from id to code, for the few ids of a query; a search in a Polars column would go over all."""
        texts = self.packed if self._column is None else self._column
        return dict(zip(texts, range(len(self)), strict=True))

    def texts(self, codes: Ints) -> list[str]:
        """Return the external id of each code; no code may be -1. For few codes: unlike `decode` it needs no Polars."""
        return [self.packed[code] for code in codes.tolist()]

    def decode(self, codes: Ints) -> pl.Series:
        """Return the external id of each code as a Polars column, null where the code is -1."""
        import polars as pl

        flat = np.asarray(codes).ravel()
        if (flat != PADDING).all():
            return self.ids.gather(flat)
        return self.ids.gather(pl.Series(flat.astype(np.int64)).replace(PADDING, None))
