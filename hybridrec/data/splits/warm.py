"""`random`, `leave-one-out`, `temporal` and `folds`: a part of each user's interactions is hidden."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

import numpy as np
from pydantic import Field

from hybridrec.arrays import PADDING, Bools, Doubles, Ints, Longs, Sparse, Target
from hybridrec.data.dataset import Dataset
from hybridrec.data.folds import Fold, Splitter
from hybridrec.data.masking import Pairs, beyond, choose, hidden_pairs, of_rows, parts
from hybridrec.errors import DataError
from hybridrec.plugin import Options


def fold_of(
    name: str,
    data: Dataset,
    hidden: Bools,
    *,
    min_history: int = 0,
    time: float | None = None,
    universe: Bools | None = None,
) -> Fold | None:
    """The fold in which `hidden`, bool parallel to `interactions.ids`, is hidden; None where nobody can be asked.

    Users with something to find and at least `min_history` distinct visible items are asked, each once
    (weight 1). A query shows what training knows of its user; its truth is what the user has beyond that,
    so items that training already has are not asked for again. Users of whom no interaction is left are
    unknown: training knows nothing of them, their queries have no user id, but carry the tags, title and
    features which the data declares. `time` is the time of all queries; without it each has its user's.
    """
    shown = data.hide(hidden)
    gone, history = hidden_pairs(data.interactions, hidden)
    truth: dict[Target, Sparse] = {"items": gone, "tags": beyond(data.user_tags, shown.user_tags)}
    wanted = truth["items"].getnnz(axis=1) + truth["tags"].getnnz(axis=1)
    users = np.flatnonzero((wanted > 0) & (history >= min_history)).astype(np.int32)
    if not len(users) or not history.any():
        return None
    queries = shown.queries(users)
    return Fold(
        name=name,
        train=shown.hide_users((history == 0) & (data.interactions.lengths > 0)),
        queries=replace(
            queries,
            users=np.where(history[users] > 0, users, PADDING).astype(np.int32),
            times=queries.times if time is None else np.full(len(users), time),
        ),
        truth={target: of_rows(matrix, users) for target, matrix in truth.items()},
        units=users,
        weights=np.ones(len(users)),
        universe=universe,
    )


def hide_pairs(name: str, data: Dataset, share: float, rng: np.random.Generator) -> Fold:
    """The fold in which a random `share` of all distinct (user, item) pairs is hidden, each with its repeats."""
    pairs = Pairs.distinct(data.interactions)
    return _without(name, data, pairs, np.flatnonzero(choose(len(pairs), share, rng)))


def _without(name: str, data: Dataset, pairs: Pairs, chosen: Ints | Longs) -> Fold:
    """The fold in which the `chosen` pairs are hidden."""
    hidden = np.zeros(len(pairs), bool)
    hidden[chosen] = True
    fold = fold_of(name, data, pairs.entries(hidden)) if len(pairs) else None
    if fold is None:
        raise DataError(
            f"split: hiding {len(chosen)} of {len(pairs)} (user, item) pairs leaves nothing to learn from; "
            "hide a smaller share or give more data"
        )
    return fold


class RandomOptions(Options):
    """Options of `random`."""

    test: float = Field(0.2, gt=0, lt=1)
    """Share of all distinct (user, item) pairs that is hidden. Not used with `folds`."""
    folds: int | None = Field(None, ge=2)
    """Rotate instead: this many folds, in which every pair is hidden exactly once."""
    validation: float = Field(0.1, gt=0, lt=1)
    """Share of the training pairs that is hidden to learn blends on."""


class Random(Splitter):
    """Hide (user, item) pairs at random, each with all its repeats and the tags the user gave in it."""

    name = "random"
    Config = RandomOptions
    config: RandomOptions

    def split(self, data: Dataset, rng: np.random.Generator) -> Iterator[Fold]:
        """One fold, or `folds` of them; DataError if nothing is left to learn from."""
        pairs = Pairs.distinct(data.interactions)
        if self.config.folds and self.config.folds > len(pairs):
            raise DataError(
                f"split random: {self.config.folds} folds need as many (user, item) pairs, but there are only "
                f"{len(pairs)}; lower `folds`"
            )
        numbers = np.arange(len(pairs), dtype=np.int32)
        for name, chosen in parts(numbers, self.config.test, self.config.folds, rng).items():
            yield _without(name, data, pairs, chosen)

    def inner(self, train: Dataset, rng: np.random.Generator) -> Fold:
        """Hide `validation` of the training pairs."""
        return hide_pairs("validation", train, self.config.validation, rng)


class FoldsOptions(Options):
    """Options of `folds`."""

    validation: float = Field(0.1, gt=0, lt=1)
    """Share of the training pairs that is hidden, at random, to learn blends on."""


class PublishedFolds(Splitter):
    """Follow the fold numbers published with the data: fold k hides the pairs with the number k.

    Interactions with a negative number belong to training in every fold. A pair with several numbers is
    hidden, with all its repeats, in each of these folds.
    """

    name = "folds"
    Config = FoldsOptions
    config: FoldsOptions

    def split(self, data: Dataset, rng: np.random.Generator) -> Iterator[Fold]:
        """A fold for each number from 0; DataError if the data has none, or one leaves nothing to learn from."""
        groups = data.interactions.groups
        if groups is None or not (groups >= 0).any():
            raise DataError(
                "split folds: the interactions have no fold numbers; name their column in the key `group` of `data`, "
                "or choose another split"
            )
        pairs = Pairs.distinct(data.interactions)
        for group in np.unique(groups[groups >= 0]):
            fold = fold_of(f"fold-{group}", data, pairs.entries(pairs.at(groups == group)))
            if fold is None:
                raise DataError(
                    f"split folds: hiding the pairs with the number {group} leaves nothing to learn from; give them "
                    "at least two different numbers"
                )
            yield fold

    def inner(self, train: Dataset, rng: np.random.Generator) -> Fold:
        """Hide `validation` of the training pairs at random."""
        return hide_pairs("validation", train, self.config.validation, rng)


class LeaveOneOutOptions(Options):
    """Options of `leave-one-out`."""

    pick: Literal["last", "random"] = "last"
    """Which item of each user is hidden: that of the last interaction, or any one."""
    validation: float = Field(1.0, gt=0, le=1)
    """Share of the training users (with two items or more) of whom one more is hidden to learn blends on."""


class LeaveOneOut(Splitter):
    """Hide one item of each user who has at least two: all interactions of that (user, item) pair.

    So where the item of the last interaction occurs earlier too, its repeats are hidden with it, and the
    last visible interaction is the latest with another item.
    """

    name = "leave-one-out"
    Config = LeaveOneOutOptions
    config: LeaveOneOutOptions

    def split(self, data: Dataset, rng: np.random.Generator) -> Iterator[Fold]:
        """One fold; DataError if no user has two distinct items."""
        yield self._fold("test", data, 1.0, rng)

    def inner(self, train: Dataset, rng: np.random.Generator) -> Fold:
        """Leave one more out, of `validation` of the users."""
        return self._fold("validation", train, self.config.validation, rng)

    def _fold(self, name: str, data: Dataset, share: float, rng: np.random.Generator) -> Fold:
        history = data.interactions
        pairs = Pairs.distinct(history)
        users = np.flatnonzero(pairs.lengths >= 2)
        if not len(users):
            raise DataError(
                f"split leave-one-out: none of the {len(data.users)} users has two distinct items, so none would "
                "have a history left; choose another split or give more data"
            )
        users = users[choose(len(users), share, rng)]
        if self.config.pick == "last":
            last = np.zeros(len(history.ids), bool)
            last[history.offsets[users + 1] - 1] = True
            hidden = pairs.at(last)
        else:
            starts = np.cumsum(pairs.lengths) - pairs.lengths
            hidden = np.zeros(len(pairs), bool)
            hidden[starts[users] + rng.integers(pairs.lengths[users])] = True
        fold = fold_of(name, data, pairs.entries(hidden))
        assert fold is not None  # every one of `users` keeps an item and has one to find
        return fold


class TemporalOptions(Options):
    """Options of `temporal`."""

    test: float = Field(0.2, gt=0, lt=1)
    """Share of all interactions, the latest, that is hidden. Not used with `cut`."""
    cut: datetime | None = None
    """Hide everything from this moment on instead: a date or time in ISO 8601 (2020-01-31, 2020-01-31T12:00:00),
    UTC unless it says otherwise."""
    min_history: int = Field(0, ge=0)
    """Distinct items a user needs before the cut in order to be asked; 0 asks new users as well."""
    validation: float = Field(0.2, gt=0, lt=1)
    """Share of the training interactions, the latest, that is hidden to learn blends on."""


class Temporal(Splitter):
    """Learn from the past, ask for the future: everything from one moment on is hidden.

    Where a share is given, the cut lies right after the latest interaction that stays, and interactions
    of one time go together, so the hidden share may be larger. Items a user already had before the cut
    are not asked for. All queries carry the time of the cut. What has no time of its own (declared tags,
    titles, features, and tags given to items the user already had) is taken as known before it.
    """

    name = "temporal"
    Config = TemporalOptions
    config: TemporalOptions

    def split(self, data: Dataset, rng: np.random.Generator) -> Iterator[Fold]:
        """One fold; DataError where times are missing, or a side of the cut is empty."""
        times, cut = _times(data), self.config.cut
        yield self._fold("test", data, _cut_before(times, self.config.test) if cut is None else _seconds(cut))

    def inner(self, train: Dataset, rng: np.random.Generator) -> Fold:
        """Cut once more, before the latest `validation` of the training interactions."""
        return self._fold("validation", train, _cut_before(_times(train), self.config.validation))

    def _fold(self, name: str, data: Dataset, cut: float) -> Fold:
        times = _times(data)
        hidden = times >= cut
        fold = fold_of(name, data, hidden, min_history=self.config.min_history, time=cut)
        if fold is None:
            raise DataError(
                f"split temporal: a cut at {_iso(cut)} leaves {int((~hidden).sum())} interactions before and "
                f"{int(hidden.sum())} from then on, and nobody with {self.config.min_history} items (`min_history`) "
                f"and anything new to find; the data goes from {_iso(times.min())} to {_iso(times.max())}: move the cut"
            )
        return fold


def _times(data: Dataset) -> Doubles:
    """Seconds since 1970 of each interaction; raises DataError where one has none."""
    times = data.interactions.times
    if times is None or not len(times):
        raise DataError(
            "split temporal: the interactions have no times; name their column in `data`, or choose another split"
        )
    if missing := int(np.isnan(times).sum()):
        raise DataError(
            f"split temporal: {missing} of {len(times)} interactions have no time; remove them or fill them in"
        )
    return times


def _cut_before(times: Doubles, share: float) -> float:
    """A moment that about the latest `share` of `times` does not precede.

    It depends on the visible times alone: it is the first moment after the latest of them.
    """
    ordered = np.sort(times)
    first_hidden = ordered[len(ordered) - max(1, round(share * len(ordered)))]
    visible = ordered[ordered < first_hidden]
    return float(np.nextafter(visible[-1], np.inf)) if len(visible) else float(first_hidden)


def _seconds(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _iso(seconds: float) -> str:
    return str(np.datetime64(int(seconds), "s"))
