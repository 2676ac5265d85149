"""Joining of tables that come in blocks of rows, without ever holding the ids of two blocks as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from hybridrec.errors import PluginError
from hybridrec.types import Floats

if TYPE_CHECKING:
    import polars as pl

    from hybridrec.data.builder import Tables

IDS = ("user", "item", "id", "feature")
"""The names of columns that hold ids, in any table."""


def join_blocks(blocks: Iterable[Tables]) -> Tables:
    """Return one set of tables with the rows of all blocks, in their order.

    The ids of a block are replaced by numbers before the next block is read, so that text is held for one block and
    once for each distinct id. Raises PluginError if blocks do not fit together, or if there are none.
    """
    parts: dict[tuple[str, ...], Any] = {}
    kind = None
    for number, block in enumerate(blocks, 1):
        kind = type(block)
        for field in fields(block):
            _add(parts, (field.name,), getattr(block, field.name), number)
    if kind is None:
        raise PluginError("assemble was given no block of tables: a reader without data raises DataError")
    given: dict[str, Any] = {}
    for (name, *kinds), joined in parts.items():
        value = joined.result() if isinstance(joined, (_Frames, _Vectors)) else joined
        if kinds:
            given.setdefault(name, {})[kinds[0]] = value
        else:
            given[name] = value
    return kind(**given)


def _add(parts: dict[tuple[str, ...], Any], place: tuple[str, ...], value: Any, number: int) -> None:
    """Add a value of block `number` to `parts`, under its place: the field of `Tables`, and the kind if it has one.

    Raises PluginError if the value does not fit the values of the blocks before.
    """
    import polars as pl

    if value is None:
        return
    if isinstance(value, Mapping):
        for kind, below in value.items():
            _add(parts, (*place, kind), below, number)
    elif isinstance(value, pl.DataFrame):
        parts.setdefault(place, _Frames(place)).add(value, number)
    elif isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], pl.Series):
        parts.setdefault(place, _Vectors()).add(*value)
    elif parts.setdefault(place, value) != value:
        raise PluginError(f"Tables.{place[0]} of block {number} is {value!r}; before it was {parts[place]!r}")


class _Frames:
    """One table with the rows of all blocks."""

    def __init__(self, place: tuple[str, ...]) -> None:
        self.place = "".join([place[0], *(f"['{kind}']" for kind in place[1:])])
        self.frames: list[pl.DataFrame] = []
        self.texts: dict[str, _Texts] = {}

    def add(self, frame: pl.DataFrame, number: int) -> None:
        import polars as pl

        if self.frames and frame.columns != (columns := self.frames[0].columns):
            if sorted(frame.columns) != sorted(columns):
                has, had = ", ".join(frame.columns), ", ".join(columns)
                raise PluginError(f"Tables.{self.place} of block {number} has the columns {has}; before it had {had}")
            frame = frame.select(columns)
        for name in IDS:
            if name in frame.columns and not frame[name].dtype.is_integer():
                frame = frame.with_columns(self.texts.setdefault(name, _Texts()).codes(frame[name].cast(pl.String)))
        for name, dtype in frame.schema.items():
            if (
                self.frames
                and self.frames[0].schema[name] != dtype
                and pl.Null not in (self.frames[0].schema[name], dtype)
            ):
                raise PluginError(
                    f"Tables.{self.place} of block {number} has {dtype} in the column '{name}'; before it had "
                    f"{self.frames[0].schema[name]}"
                )
        self.frames.append(frame)

    def result(self) -> pl.DataFrame:
        import polars as pl

        whole = pl.concat(self.frames, how="vertical_relaxed")
        self.frames.clear()
        return whole.with_columns(texts.decoded(whole[name]) for name, texts in self.texts.items())


class _Texts:
    """The ids of one column as numbers; each has the same number in all blocks. Nulls stay: `assemble` reports them."""

    def __init__(self) -> None:
        self.code_of: dict[str, int] = {}

    def codes(self, texts: pl.Series) -> pl.Series:
        import polars as pl

        distinct = texts.drop_nulls().unique(maintain_order=True)
        codes = [self.code_of.setdefault(text, len(self.code_of)) for text in distinct]
        numbers = pl.Series(codes, dtype=pl.UInt32)
        return texts.replace_strict(distinct, numbers, default=None, return_dtype=pl.UInt32).alias(texts.name)

    def decoded(self, codes: pl.Series) -> pl.Series:
        import polars as pl

        names = list(self.code_of)
        return pl.Series(names, dtype=pl.Enum(names)).gather(codes).alias(codes.name)


class _Vectors:
    """The vectors of all blocks, with the id of each."""

    def __init__(self) -> None:
        self.ids: list[pl.Series] = []
        self.vectors: list[Floats] = []

    def add(self, ids: pl.Series, vectors: Floats) -> None:
        self.ids.append(ids)
        self.vectors.append(vectors)

    def result(self) -> tuple[pl.Series, Floats]:
        import polars as pl

        return pl.concat(self.ids), np.concatenate(self.vectors)
