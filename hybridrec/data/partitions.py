"""Histories from more interactions than memory should hold: partitioned by users, and sorted part by part.

The source is read twice, in blocks of rows. The first time tells which users and items there are; the second time
each row goes to the part of its user, in the order of the source. Where ids are texts, which take long to look up,
the first reading keeps all rows with the numbers of the texts, and the source is not read again. Then one part after
the other is sorted, and written to the files from which the arrays of the result are mapped. Users are whole in their
part, and their rows keep the order of the source, so that the result is that of `Ragged.from_columns` on all rows at
once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hybridrec.data.ragged import Ragged, offsets_of
from hybridrec.data.scratch import ColumnFile, require_space
from hybridrec.data.transforms import WeightOptions, split_dislikes, weigh
from hybridrec.data.vocabulary import Vocabulary
from hybridrec.errors import DataError
from hybridrec.types import PADDING, Ints, Longs

if TYPE_CHECKING:
    import polars as pl

PART = 1 << 22
"""The number of rows of a part: about 300 MB while it is sorted."""
_SAMPLED = 1 << 20
"""The number of rows by which users are divided into parts of about as many rows each."""
_PENDING = 1 << 23
"""The number of ids that wait to be joined to the distinct ids, at least."""
_COLUMNS = {
    "time": np.float64,
    "weight": np.float32,
    "position": np.float64,
    "group": np.int32,
    "gain": np.float32,
}
"""The columns beside users and items, with the types in which parts hold them."""
_WRITTEN = {
    "ids": np.int32,
    "times": np.float64,
    "weights": np.float32,
    "groups": np.int32,
    "gains": np.float32,
}
"""The columns of a Ragged that parts can have, with their types."""


class RowBlocks(Protocol):
    """Interactions in blocks of consecutive rows: frames like `Tables.interactions`, without columns of a request."""

    @property
    def rows(self) -> int:
        """The number of rows of all blocks, or more."""
        ...

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """Read the source from its beginning; each time it gives the same rows in the same order."""
        ...


@dataclass(frozen=True, slots=True)
class Outline:
    """The users and items of interactions.

    ids: a frame with the columns `user` and `item`, in which every user and every item occurs
    sample: the users of rows at even distances
    blocks: the interactions for the second reading; instead of texts they may have the numbers of their categories
    """

    ids: pl.DataFrame
    sample: pl.Series
    blocks: RowBlocks


def outline(blocks: RowBlocks) -> Outline:
    """Read the interactions once, and return their users and items."""
    import polars as pl

    distinct = {"user": _Distinct(), "item": _Distinct()}
    step = max(blocks.rows // _SAMPLED, 1)
    sampled, before = [], 0
    kept: _KeptBlocks | None = None
    with ExitStack() as files:
        for block in blocks:
            if not before:
                has_texts = any(isinstance(block[name].dtype, pl.Categorical) for name in distinct)
                # Every value is written in the order of the parts and in that of the result, and if kept once more.
                width = 2 * 4 + sum(
                    np.dtype(dtype).itemsize for name, dtype in _COLUMNS.items() if name in block.columns
                )
                require_space((2 + has_texts) * width * blocks.rows, f"sorting {blocks.rows:,} interactions")
                kept = _KeptBlocks(block, files) if has_texts else None
            for name, ids in distinct.items():
                ids.add(block[name])
            sampled.append(block["user"].gather_every(step, -before % step))
            before += len(block)
            if kept is not None:
                kept.add(block)
        if kept is not None:
            kept.finish()
    columns = [ids.joined().alias(name) for name, ids in distinct.items()]
    longest = max(map(len, columns))
    # Frames have columns of one length: the first id fills the shorter one.
    filled = [ids.extend_constant(ids[0], longest - len(ids)) if len(ids) else ids for ids in columns]
    sample = pl.concat(sampled) if sampled else pl.Series("user", [], pl.String)
    return Outline(pl.DataFrame(filled), sample, blocks if kept is None else kept)


def histories(
    outlined: Outline, weight: WeightOptions, users: Vocabulary, items: Vocabulary
) -> tuple[Ragged, Ragged | None]:
    """Return (interactions, dislikes), one row per user, as `split_dislikes` and `weigh` return them for all rows.

    The arrays are mapped from files that are gone once nobody uses the arrays. `weight` has no half-life, which depends
    on the rows of all users. Raises DataError if the disk has too little room, or if the source changes meanwhile.
    """
    assert weight.half_life is None
    coders = _Coder(outlined.ids["user"], users), _Coder(outlined.ids["item"], items)
    bounds = _bounds(coders[0].codes(outlined.sample), len(users), outlined.blocks.rows)
    with ExitStack() as files:
        parts = _Parts(coders, len(items), bounds, files)
        names: list[str] = []
        for block in outlined.blocks:
            names = names or [name for name in _COLUMNS if name in block.columns]
            parts.add(block, names)
        interactions, dislikes = _Written(len(items), files), _Written(len(items), files)
        for rows in parts.histories(names):
            liked, disliked = split_dislikes(rows, weight)
            interactions.add(weigh(liked, weight))
            dislikes.add(Ragged.empty(len(rows), len(items)) if disliked is None else disliked)
        return interactions.ragged(), dislikes.ragged() if dislikes.rows else None


class _Coder:
    """Codes of the ids of a column that comes in blocks."""

    def __init__(self, ids: pl.Series, vocabulary: Vocabulary) -> None:
        """Prepare for blocks whose ids are integers if those of `ids` are, else categories of `ids` or their numbers.

        Every id occurs in `ids`.
        """
        import polars as pl

        self.vocabulary = vocabulary
        self.categories = ids if isinstance(ids.dtype, pl.Categorical) else None  # holds them: they keep their numbers
        if self.categories is not None:
            numbers = ids.to_physical().to_numpy()
            self.by_category = np.full(int(numbers.max(initial=0)) + 1, PADDING, np.int32)
            self.by_category[numbers] = vocabulary.encode(ids)

    def codes(self, ids: pl.Series) -> Ints:
        """Return the code of each id: int32, parallel to `ids`, -1 if it is unknown."""
        if self.categories is None:
            return self.vocabulary.encode(ids)
        numbers = ids.to_physical().to_numpy()
        codes = self.by_category[np.minimum(numbers, len(self.by_category) - 1)]
        return np.where(numbers < len(self.by_category), codes, np.int32(PADDING))


class _KeptBlocks:
    """Interactions in files, in the order of the source, with numbers of categories instead of texts."""

    def __init__(self, block: pl.DataFrame, files: ExitStack) -> None:
        """Prepare for blocks with the columns of this one; `files` closes the files, whose pages stay mapped."""
        self.rows = 0
        self._files = {name: files.enter_context(ColumnFile(self._array(block[name]).dtype)) for name in block.columns}
        self._columns: dict[str, NDArray[Any]] = {}

    def add(self, block: pl.DataFrame) -> None:
        """Write the rows of a block."""
        self.rows += len(block)
        for name, file in self._files.items():
            file.append(self._array(block[name]))

    def finish(self) -> None:
        """Map the columns, before their files are closed."""
        self._columns = {name: file.mapped() for name, file in self._files.items()}

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """Yield the rows again, in blocks of the size of a part."""
        import polars as pl

        for start in range(0, self.rows, PART):
            yield pl.DataFrame({name: column[start : start + PART] for name, column in self._columns.items()})

    @staticmethod
    def _array(values: pl.Series) -> NDArray[Any]:
        import polars as pl

        return (values.to_physical() if isinstance(values.dtype, pl.Categorical) else values).to_numpy()


class _Distinct:
    """The distinct ids of a column that comes in blocks."""

    def __init__(self) -> None:
        self.ids: list[pl.Series] = []
        self.waiting = 0

    def add(self, ids: pl.Series) -> None:
        self.ids.append(ids.unique())
        self.waiting += len(self.ids[-1])
        if self.waiting > max(_PENDING, len(self.ids[0])):
            self.ids, self.waiting = [self.joined()], 0

    def joined(self) -> pl.Series:
        import polars as pl

        return pl.concat(self.ids).unique() if self.ids else pl.Series([], dtype=pl.String)


def _bounds(sample: Ints, users: int, rows: int) -> Longs:
    """Return the first user of each part, and as last entry the number of users: int64, strictly ascending."""
    count = max(-(-rows // PART), 1)
    inner = np.sort(sample)[(np.arange(1, count) * len(sample)) // count] if len(sample) else ()
    return np.unique(np.concatenate([[0], inner, [users]]).astype(np.int64))


class _Parts:
    """The rows of all parts, in a file for each column; a block of rows is written part by part."""

    def __init__(self, coders: tuple[_Coder, _Coder], items: int, bounds: Longs, files: ExitStack) -> None:
        """Divide the rows by their users: part p has the users from `bounds[p]` to `bounds[p + 1]` (exclusive).

        coders: encode users and items
        items: number of items
        files: closes the files
        """
        self.users, self.items = coders
        self.width = items
        self.bounds = bounds
        self._opened = files
        self.files = {name: files.enter_context(ColumnFile(np.int32)) for name in ("user", "item")}
        self.starts: list[Longs] = []
        """For each block, the places in the files at which its rows of each part begin, and at which the last end."""

    def add(self, block: pl.DataFrame, names: list[str]) -> None:
        users, items = self.users.codes(block["user"]), self.items.codes(block["item"])
        if (users == PADDING).any() or (items == PADDING).any():
            raise DataError("the interactions changed while they were read: run it again when nobody writes to them")
        numbers = np.searchsorted(self.bounds[1:], users, side="right").astype(np.uint16)
        order = np.argsort(numbers, kind="stable")
        counts = np.bincount(numbers, minlength=len(self.bounds) - 1)
        self.starts.append(len(self.files["user"]) + offsets_of(counts))
        self.files["user"].append(users[order])
        self.files["item"].append(items[order])
        for name in names:
            if name not in self.files:
                self.files[name] = self._opened.enter_context(ColumnFile(_COLUMNS[name]))
            self.files[name].append(block[name].to_numpy()[order])

    def histories(self, names: list[str]) -> Iterator[Ragged]:
        """Yield the histories of the users of each part."""
        for number in range(len(self.bounds) - 1):
            spans = [(int(starts[number]), int(starts[number + 1])) for starts in self.starts]
            first, end = self.bounds[number : number + 2].tolist()
            values = {name: self.files[name].read(spans) for name in names}
            yield Ragged.from_columns(
                self.files["user"].read(spans) - np.int32(first),
                self.files["item"].read(spans),
                (end - first, self.width),
                times=values.get("time"),
                weights=values.get("weight"),
                groups=values.get("group"),
                gains=values.get("gain"),
                positions=values.get("position"),
            )


class _Written:
    """Histories of users in the order of their codes, written to a file for each column."""

    def __init__(self, width: int, files: ExitStack) -> None:
        """Prepare for histories of ids of a vocabulary of size `width`; `files` closes the files."""
        self.width = width
        self.lengths: list[Longs] = []
        self._opened = files
        self.files: dict[str, ColumnFile] = {}
        self.rows = 0
        """The number of interactions."""

    def add(self, rows: Ragged) -> None:
        self.lengths.append(rows.lengths)
        for name, dtype in _WRITTEN.items():
            values = getattr(rows, name)
            if values is None:
                continue
            if name not in self.files:
                self.files[name] = self._opened.enter_context(ColumnFile(dtype))
            self.files[name].append(values)
        self.rows += len(rows.ids)

    def ragged(self) -> Ragged:
        columns: dict[str, Any] = {name: file.mapped() for name, file in self.files.items()}
        ids = columns.pop("ids", np.empty(0, np.int32))
        return Ragged(ids, offsets_of(np.concatenate([*self.lengths, np.empty(0, np.int64)])), self.width, **columns)
