"""Splitter `each-position`: unseen lists, each position of which is predicted from its neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from scipy.sparse import csr_matrix

from hybridrec.data.dataset import Dataset, empty_csr
from hybridrec.data.queries import QueryBatch
from hybridrec.data.ragged import Ragged, offsets_of
from hybridrec.data.splits.base import Fold, Splitter
from hybridrec.data.splits.holdout import Pairs, choose, gains_or_weights, set_difference, train_without
from hybridrec.errors import DataError
from hybridrec.plugin import Options
from hybridrec.types import ITEMS, PADDING, Floats, Ints, Sparse, Target

Part = Annotated[float, Field(gt=0, lt=1)] | Annotated[int, Field(ge=1)]
"""A share below 1, or a count of at least 1."""


class EachPositionOptions(Options):
    """The users who are held out, and the neighbours of a position that are shown by the query for it."""

    test: Part = 0.2
    """Users (lists) to hold out: a share (0.2) or a count (1000)."""
    min_items: int = Field(2, ge=2)
    """Distinct items that a user needs to be held out; users with fewer always stay in training."""
    window: int = Field(10, ge=1)
    """Largest number of items that a query shows before its position, and likewise after it."""
    seen: Literal["exclude", "allow"] = "exclude"
    """`allow` leaves repeats of the item in the window, as Song2Vec was measured: the query may show what it asks for.
    The pipelines then need `seen: allow`, too."""
    validation: Part = 0.2
    """Training users to hold out in the same way, as a share or a count, for the queries on which blends learn."""


class EachPosition(Splitter):
    """Hold out users, leave out each of their positions in turn, and predict it from its neighbours.

    All data about held-out users is removed from training. Each of their interactions becomes a query of an
    unknown user which shows only the items of the `window` around it; its truth is the one item left out. The
    history of a query is in order of distance, the nearest item last, so that a component that reads the last n items
    reads the n nearest; of two items at the same distance, the one before the position comes last. Repeats of the item
    in the window are hidden, too (unless `seen: allow`), and a position that then shows nothing is skipped. The weights
    of a user's queries sum to one, so the mean of `hit-rate@k` is the mean over lists of the share of positions that
    were hit, which is called AHR@k (average hit rate). The time of a query is the user's if the data has it, else the
    latest time of the interactions that the query has.
    """

    name = "each-position"
    Config = EachPositionOptions
    config: EachPositionOptions

    @property
    def asks_for_seen(self) -> bool:
        """True with the option `seen: allow`."""
        return self.config.seen == "allow"

    def split(self, data: Dataset, rng: np.random.Generator) -> Iterator[Fold]:
        """Yield one fold.

        Raises DataError if too few users have `min_items` items, or if no interaction is left for training.
        """
        yield self._fold("test", data, self.config.test, rng)

    def validation_split(self, train: Dataset, rng: np.random.Generator) -> Fold:
        """Hold out the share or the number `validation` of the training users in the same way."""
        return self._fold("validation", train, self.config.validation, rng)

    def _fold(self, name: str, data: Dataset, share: float, rng: np.random.Generator) -> Fold:
        held = self._held_out(data, share, rng)
        train = train_without(data, held, self.name, "hold out fewer")
        lists = data.interactions.take(held)
        around = _around(lists, self.config.window, repeats=self.asks_for_seen)
        asked = np.flatnonzero(around.lengths)
        users, history = held[lists.rows[asked]], around.take(asked)
        ones = np.ones(len(asked), np.float32)
        left_out = Ragged(lists.ids[asked], np.arange(len(asked) + 1), len(data.items))
        items = csr_matrix((ones, left_out.ids, left_out.offsets), shape=(len(asked), len(data.items)))
        has = data.query_has({}, history)
        gains = gains_or_weights(lists)
        truth: dict[Target, Sparse] = {ITEMS: items}
        for kind in data.targets[1:]:
            through = kind in data.through_items
            truth[kind] = (
                set_difference(data.through(left_out, kind), has[kind])
                if through
                else empty_csr(len(asked), data.size(kind))
            )
        return Fold(
            name=name,
            train=train,
            queries=QueryBatch(
                users=np.full(len(asked), PADDING, np.int32),
                history=history,
                entities=has,
                text=("",) * len(asked),
                times=history.latest() if data.users.times is None else data.users.times[users],
                context=None if lists.context is None else lists.context.take(asked),
                derived=data.through_items,
            ),
            truth=truth,
            units=users,
            weights=1 / np.bincount(users)[users],
            gains={} if gains is None else {"items": _graded(truth["items"], gains[asked])},
        )

    def _held_out(self, data: Dataset, share: float, rng: np.random.Generator) -> Ints:
        """Draw the users to hold out, and return their codes, ascending.

        Raises DataError if too few users have `min_items` distinct items.
        """
        lengths = Pairs.distinct(data.interactions).lengths
        users = np.flatnonzero(lengths >= self.config.min_items).astype(np.int32)
        if len(users) < max(share, 1):
            raise DataError(
                f"split each-position: {len(users)} of the {len(data.users)} users have {self.config.min_items} "
                f"distinct items (the most is {lengths.max(initial=0)}), but {max(share, 1):g} are to be held out; "
                "lower `min_items`, hold out fewer or give more data"
            )
        return users[choose(len(users), share if share < 1 else share / len(users), rng)]


def _graded(truth: Sparse, gains: Floats) -> Sparse:
    """Return the truth, which has one entry in each row, with `gains` as the values of these entries."""
    return csr_matrix((gains, truth.indices, truth.indptr), shape=truth.shape)


def _around(lists: Ragged, window: int, *, repeats: bool) -> Ragged:
    """Return a row for each entry of `lists`: the entries at most `window` positions before or after it, nearest last.

    Entries with the same id as the entry itself are left out unless `repeats`.
    """
    reach = min(window, int(lists.lengths.max()) - 1)
    steps = np.outer(np.arange(reach, 0, -1), [1, -1]).ravel()
    places = np.arange(len(lists.ids))[:, None] + steps
    first, last = (np.repeat(ends, lists.lengths)[:, None] for ends in (lists.offsets[:-1], lists.offsets[1:]))
    shown = (places >= first) & (places < last)
    if not repeats:
        shown &= lists.ids[np.where(shown, places, 0)] != lists.ids[:, None]
    return lists.pick(places[shown], offsets_of(shown.sum(axis=1)))
