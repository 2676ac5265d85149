"""Rows of different lengths in flat arrays, such as the histories of users: ids in order, with repeats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hybridrec.data.features import Features
from hybridrec.data.frozen import freeze
from hybridrec.data.sparse import make_csr
from hybridrec.types import PADDING, Bools, Doubles, Floats, Ints, Longs, Sparse

BLOCK = 1 << 17
"""The number of ids in a block of rows: 8-byte keys of them take one megabyte."""


@dataclass(frozen=True, slots=True)
class Ragged:
    """Rows of ids of different lengths, each in order and with repeats; row r is `ids[offsets[r]:offsets[r + 1]]`.

    ids: int32, the ids of all rows, one row after the other
    offsets: int64[rows + 1], the position in `ids` at which each row begins, and as last entry the end of the last row
    width: the size of the ids' vocabulary, which is the number of columns of `matrix()`
    times: seconds since 1970
    weights: positive numbers
    groups: integers by which a splitter groups (a published fold number, say)
    context: columns of the request that led to each interaction (device, shop)
    gains: the worth of each interaction to metrics, if that is not its weight (the price paid, say)
    targets: bool, true for the interactions of the kinds that are asked for; the others only inform

    Each of the last six has a value for each id, or is None if the data has no such values. All arrays are read-only.
    """

    ids: Ints
    offsets: Longs
    width: int
    times: Doubles | None = None
    weights: Floats | None = None
    groups: Ints | None = None
    context: Features | None = None
    gains: Floats | None = None
    targets: Bools | None = None

    def __post_init__(self) -> None:
        """Make the arrays read-only, since all holders of the object share them."""
        freeze(self)

    @classmethod
    def empty(cls, rows: int, width: int) -> Ragged:
        """Return a Ragged of `rows` empty rows, for ids of a vocabulary of size `width`."""
        return cls(np.empty(0, np.int32), np.zeros(rows + 1, np.int64), width)

    @classmethod
    def from_rows(cls, rows: Iterable[Sequence[int] | Ints], width: int) -> Ragged:
        """Build a Ragged from one sequence of ids per row (for tests and single queries, not for bulk data)."""
        parts = [np.asarray(row, np.int32) for row in rows]
        lengths = np.array([len(row) for row in parts], np.int64)
        ids = np.concatenate(parts) if parts else np.empty(0, np.int32)
        return cls(ids.astype(np.int32), offsets_of(lengths), width)

    @classmethod
    def from_columns(
        cls,
        rows: Ints,
        ids: Ints,
        shape: tuple[int, int],
        *,
        times: Doubles | None = None,
        weights: Floats | None = None,
        groups: Ints | None = None,
        context: Features | None = None,
        gains: Floats | None = None,
        targets: Bools | None = None,
        positions: NDArray[np.generic] | None = None,
    ) -> Ragged:
        """Build a Ragged from parallel columns: `rows` has the row of each id.

        Within a row the ids are ordered by `positions`, else by `times`; without both they keep the given order.
        `shape` is (number of rows, size of the vocabulary of `ids`).
        """
        order_by = positions if positions is not None else times
        if order_by is None:
            order, offsets = grouped(rows, shape[0])
        else:
            ordered = np.argsort(order_by, kind="stable")
            within, offsets = grouped(rows[ordered], shape[0])
            order = ordered[within]
        return cls(
            ids=np.ascontiguousarray(ids[order], np.int32),
            offsets=offsets,
            width=shape[1],
            times=None if times is None else np.ascontiguousarray(times[order], np.float64),
            weights=None if weights is None else np.ascontiguousarray(weights[order], np.float32),
            groups=None if groups is None else np.ascontiguousarray(groups[order], np.int32),
            context=None if context is None else context.take(order),
            gains=None if gains is None else np.ascontiguousarray(gains[order], np.float32),
            targets=None if targets is None else np.ascontiguousarray(targets[order], bool),
        )

    @classmethod
    def stack(cls, parts: Sequence[Ragged]) -> Ragged:
        """Concatenate the rows of all parts; a column parallel to `ids` (times, say) is kept if every part has it."""

        def joined(columns: Sequence[NDArray[Any] | None]) -> NDArray[Any] | None:
            present = [column for column in columns if column is not None]
            return np.concatenate(present) if len(present) == len(parts) else None

        return cls(
            ids=np.concatenate([ragged.ids for ragged in parts]),
            offsets=offsets_of(np.concatenate([ragged.lengths for ragged in parts])),
            width=parts[0].width,
            times=joined([ragged.times for ragged in parts]),
            weights=joined([ragged.weights for ragged in parts]),
            groups=joined([ragged.groups for ragged in parts]),
            context=Features.stack([ragged.context for ragged in parts if ragged.context is not None])
            if all(ragged.context is not None for ragged in parts)
            else None,
            gains=joined([ragged.gains for ragged in parts]),
            targets=joined([ragged.targets for ragged in parts]),
        )

    def extended(self, more: Ragged) -> Ragged:
        """Return the rows with the ids of the same row of `more` after them.

        A time that only one of both has is NaN in the other, a missing weight 1, and a missing column of the request
        unknown; the other columns are dropped.
        """
        order, offsets = grouped(np.concatenate([self.rows, more.rows]), len(self))
        timed = self.times is not None or more.times is not None
        weighted = self.weights is not None or more.weights is not None
        context = self.context
        if context is not None:
            context = Features.stack([context, context.take(np.full(len(more.ids), PADDING))])
        return Ragged(
            np.concatenate([self.ids, more.ids])[order],
            offsets,
            self.width,
            times=_joined(self.times, more.times, len(self.ids), len(more.ids), np.nan)[order] if timed else None,
            weights=_joined(self.weights, more.weights, len(self.ids), len(more.ids), 1)[order] if weighted else None,
            context=None if context is None else context.take(order),
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Longs:
        """Number of ids in each row, int64[len(self)]."""
        return np.diff(self.offsets)

    @property
    def rows(self) -> Ints:
        """The row of each id, int32, parallel to `ids`."""
        return np.repeat(np.arange(len(self), dtype=np.int32), self.lengths)

    def matrix(self, *, binary: bool = False) -> Sparse:
        """Return csr float32 [len(self), width]: for each row and id the sum of the id's weights in the row.

        Without weights each occurrence counts 1. With `binary` every value is 1, also for an id that repeats.
        """
        values = np.ones(len(self.ids), np.float32) if self.weights is None or binary else self.weights.copy()
        # Copies, as sum_duplicates sorts in place: the rows of a history must keep their order.
        result = make_csr(values, self.ids.copy(), self.offsets.copy(), (len(self), self.width))
        result.sum_duplicates()
        if binary:
            result.data[:] = 1.0
        return result

    def blocks(self) -> Iterator[slice]:
        """Iterate over slices of rows with about `BLOCK` ids each, so few that they fit into the processor's cache."""
        rows = max(len(self) * BLOCK // max(len(self.ids), 1), 1)
        return (slice(start, min(start + rows, len(self))) for start in range(0, len(self), rows))

    def take(self, rows: NDArray[np.integer] | slice) -> Ragged:
        """Return the given rows, in the given order; for a slice with step 1 the arrays are views, not copies."""
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step == 1:
                offsets = self.offsets[start : max(start, stop) + 1]
                return self.pick(slice(offsets[0], offsets[-1]), offsets - offsets[0])
            rows = np.arange(start, stop, step)
        lengths = self.lengths[rows]
        offsets = offsets_of(lengths)
        positions = np.arange(offsets[-1])
        positions += np.repeat(self.offsets[:-1][rows] - offsets[:-1], lengths)
        return self.pick(positions, offsets)

    def where(self, keep: Bools) -> Ragged:
        """Return all rows with only the ids for which `keep`, bool and parallel to `ids`, is true."""
        positions = np.flatnonzero(keep)
        if len(positions) == len(self.ids):
            return self
        return self.pick(positions, np.searchsorted(positions, self.offsets))

    def last(self, n: int) -> Ragged:
        """Return all rows with only the last `n` ids of each."""
        return self.where(np.arange(len(self.ids)) >= np.repeat(self.offsets[1:] - n, self.lengths))

    def latest(self) -> Doubles | None:
        """Return the latest time in each row: float64[len(self)], NaN if a row has no time.

        The result is None if `times` is None.
        """
        if self.times is None:
            return None
        result = np.full(len(self), np.nan)
        filled = self.lengths > 0
        if filled.any():
            result[filled] = np.fmax.reduceat(self.times, self.offsets[:-1][filled])
        return result

    def pick(self, positions: Longs | slice, offsets: Longs) -> Ragged:
        """Return the ids at these positions, with their times, weights and so on, in rows bounded by `offsets`."""
        return replace(
            self,
            ids=self.ids[positions],
            offsets=offsets,
            times=None if self.times is None else self.times[positions],
            weights=None if self.weights is None else self.weights[positions],
            groups=None if self.groups is None else _collapsed(self.groups[positions]),
            context=None if self.context is None else self.context.take(positions),
            gains=None if self.gains is None else self.gains[positions],
            targets=None if self.targets is None else self.targets[positions],
        )


def _joined(
    first: NDArray[Any] | None, second: NDArray[Any] | None, sizes: int, others: int, default: float
) -> NDArray[Any]:
    """Concatenate two columns of these lengths; one that is None has the default everywhere, in the other's type."""
    present = second if first is None else first
    dtype = np.float64 if present is None else present.dtype
    return np.concatenate(
        [
            np.full(sizes, default, dtype) if first is None else first,
            np.full(others, default, dtype) if second is None else second,
        ]
    )


def offsets_of(lengths: NDArray[np.integer]) -> Longs:
    """Return the offsets of rows with these lengths: int64[len(lengths) + 1], starting at 0."""
    return np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))


def grouped(codes: Ints, size: int) -> tuple[NDArray[np.integer], Longs]:
    """Return (positions, offsets): the positions that sort `codes`, and the place among them at which each code begins.

    The offsets are int64[size + 1]. Codes are from 0 to size - 1; equal codes keep their order. The conversion to csr
    is a counting sort, which takes a third of the time of a stable comparison sort.
    """
    places = np.arange(len(codes), dtype=np.int32 if len(codes) <= np.iinfo(np.int32).max else np.int64)
    by_code = csr_matrix((np.zeros(len(codes), np.int8), (codes, places)), shape=(size, len(codes)))
    return by_code.indices, by_code.indptr.astype(np.int64)


def _collapsed(groups: Ints) -> Ints:
    """Return the groups; to save memory, a view of one value if all are equal, as is usual in a training part."""
    if not len(groups) or (groups != groups[0]).any():
        return groups
    return np.broadcast_to(groups[:1].copy(), groups.shape)
