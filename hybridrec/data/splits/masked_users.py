"""Splitter `masked`: unseen users, part of whose data is shown and the rest asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, TypeAlias

import numpy as np
import pydantic
from pydantic import field_validator

from hybridrec.data.dataset import Dataset
from hybridrec.data.queries import QueryBatch
from hybridrec.data.splits.base import Fold, Splitter
from hybridrec.data.splits.holdout import (
    Pairs,
    choose,
    choose_share,
    entries,
    gains_of,
    parts,
    set_difference,
    train_without,
)
from hybridrec.errors import DataError, did_you_mean
from hybridrec.plugin import Options
from hybridrec.types import ITEMS, PADDING, Bools, Doubles, EntityKind, Field, Ints, Longs, Sparse, Target

Shows: TypeAlias = dict[Field, Bools]
"""For each field that a scenario shows, bool[Q]: true for the queries that show it."""

TITLE = "title"

DEFAULT_MIX = {"items+tags": 0.4, "items": 0.4, "tags": 0.1, "title": 0.1}


class MaskedOptions(Options):
    """The users who are held out, and the fields that their queries show."""

    test: float = pydantic.Field(0.2, gt=0, lt=1)
    """Share of the users with `min_items` items that is held out. Not used with `folds`."""
    folds: int | None = pydantic.Field(None, ge=2)
    """Rotate through this many folds instead: every such user is held out in exactly one."""
    min_items: int = pydantic.Field(2, ge=2)
    """Distinct items that a user needs to be held out; users with fewer always stay in training."""
    hide: float = pydantic.Field(0.5, gt=0, lt=1)
    """Share of the distinct items, and of the distinct entities of each other kind, that is hidden from a query that
    shows the field."""
    scenarios: dict[str, Annotated[float, pydantic.Field(gt=0)]] | None = None
    """The fields that queries show (items, tags or another kind that users carry, and title, joined by "+"), each
    with its proportion of the queries. A listed field shows its visible share (a title is shown whole); an unlisted
    field is hidden entirely.
    Default: {items+tags: 0.4, items: 0.4, tags: 0.1, title: 0.1}."""
    cross: bool = False
    """Turn every held-out user into a query of each scenario, weighted by the mix, instead of one drawn at random:
    rare scenarios then have as many queries as common ones. The unit of statistics stays the user."""
    validation: float = pydantic.Field(0.2, gt=0, lt=1)
    """Share of the training users that is held out, under the same mask, for the queries on which blends learn."""

    @field_validator("scenarios")
    @classmethod
    def _distinct(cls, scenarios: dict[str, float] | None) -> dict[str, float] | None:
        if scenarios is None:
            return None
        if not scenarios:
            raise ValueError("no scenario is given; name at least one, such as {items: 1}")
        if len({frozenset(name.split("+")) for name in scenarios}) < len(scenarios):
            raise ValueError(f"two of the scenarios {', '.join(scenarios)} show the same fields; add them up into one")
        return scenarios

    @property
    def mix(self) -> dict[tuple[Field, ...], float]:
        """The share of queries of each scenario, by the fields that its queries have; the shares sum to 1."""
        chosen = self.scenarios or DEFAULT_MIX
        total = sum(chosen.values())
        return {tuple(sorted(name.split("+"))): share / total for name, share in chosen.items()}


class Masked(Splitter):
    """Hold out users, show part of the data of each, and ask for the rest ("strong generalisation").

    All data about held-out users is removed from training, and every query comes from an unknown user (no id, no user
    features). A user's items are divided into a visible and a hidden part, once for all scenarios; the visible history
    keeps its order, repeats, times and weights. A query's tags are part of the declared tags and of the tags assigned
    to visible items: the tags of a hidden item are hidden with it. The same holds for entities of other kinds, except
    that entities through items are all entities of the visible items. The truth of a query is all items and entities of
    the user that the query does not show. The time of a query is the user's if the data has it, else the time of the
    query's latest visible interaction, or NaN if the query shows none.

    A query that would have no field (tags only, for a user without tags) or nothing to find is dropped.
    """

    name = "masked"
    Config = MaskedOptions
    config: MaskedOptions

    def split(self, data: Dataset, rng: np.random.Generator) -> Iterator[Fold]:
        """Yield one fold, or as many as the option `folds` says.

        Raises DataError if a scenario has an unknown field, and if too few users are left to hold out or to learn from.
        """
        self._check_scenarios(data)
        pairs = Pairs.distinct(data.interactions)
        users = self._eligible(data, pairs)
        if self.config.folds and self.config.folds > len(users):
            raise DataError(
                f"split masked: {self.config.folds} folds need as many users with at least "
                f"{self.config.min_items} distinct items, but there are only {len(users)}; lower `folds`"
            )
        held_out = parts(users, self.config.test, self.config.folds, rng)
        # Each fold has its own random generator, so it does not depend on the folds before it.
        for (name, held), own in zip(held_out.items(), rng.spawn(len(held_out)), strict=True):
            yield self._fold(name, data, pairs, held, own)

    def validation_split(self, train: Dataset, rng: np.random.Generator) -> Fold:
        """Hold out a share `validation` of the training users, under the same mask."""
        pairs = Pairs.distinct(train.interactions)
        users = self._eligible(train, pairs)
        return self._fold("validation", train, pairs, users[choose(len(users), self.config.validation, rng)], rng)

    def _check_scenarios(self, data: Dataset) -> None:
        """Raise DataError if a scenario names a field that no query can show."""
        carried = [kind for kind in data.targets if kind not in data.through_items]
        for name in self.config.scenarios or ():
            for field in name.split("+"):
                if field not in (*carried, TITLE):
                    near = did_you_mean(field, [*carried, TITLE])
                    raise DataError(f"split masked: scenario '{name}': unknown field '{field}'; {near}")

    def _eligible(self, data: Dataset, pairs: Pairs) -> Ints:
        """Return the codes of the users with at least `min_items` distinct items; raises DataError if none has."""
        users = np.flatnonzero(pairs.lengths >= self.config.min_items).astype(np.int32)
        if not len(users):
            raise DataError(
                f"split masked: none of the {len(data.users)} users has {self.config.min_items} distinct items "
                f"(the most is {pairs.lengths.max(initial=0)}); lower `min_items` or give more data"
            )
        return users

    def _fold(self, name: str, data: Dataset, pairs: Pairs, held: Ints, rng: np.random.Generator) -> Fold:
        """Return the fold that holds out the users `held`; its queries show part of their data and ask for the rest.

        Raises DataError if no query shows anything, or if nothing is left to learn from.
        """
        train = train_without(data, held, self.name, "lower `test`, or raise `folds` or `min_items`")
        hidden = np.zeros(len(pairs), bool)
        hidden[np.isin(pairs.rows, held)] = choose_share(pairs.lengths[held], self.config.hide, rng)
        shown = data.hide(pairs.entries(hidden))
        rows, shows, weights = self._ask(len(held), rng)
        users = held[rows]
        visible = _visible_entities(shown, held, self.config.hide, rng)
        queries = _queries(shown, users, {kind: matrix[rows] for kind, matrix in visible.items()}, shows)
        truth: dict[Target, Sparse] = {
            ITEMS: set_difference(data.interactions.take(users).matrix(binary=True), queries.matrix(ITEMS))
        }
        for kind in data.targets[1:]:
            truth[kind] = set_difference(data.user_matrix(kind)[users], queries.matrix(kind))
        asked = _knows_something(queries) & (sum(matrix.getnnz(axis=1) for matrix in truth.values()) > 0)
        if not asked.any():
            raise DataError(
                f"split masked: none of the scenarios {', '.join('+'.join(s) for s in self.config.mix)} shows anything "
                f"of the {len(held)} held-out users; choose scenarios of fields that the data has"
            )
        relevant = {target: matrix[asked] for target, matrix in truth.items()}
        return Fold(
            name=name,
            train=train,
            queries=queries.take(np.flatnonzero(asked)),
            truth=relevant,
            units=users[asked],
            weights=weights[asked],
            gains=gains_of(relevant["items"], data.interactions.take(users[asked])),
        )

    def _ask(self, n: int, rng: np.random.Generator) -> tuple[Longs, Shows, Doubles]:
        """Draw a scenario for each of n held-out users; with the option `cross`, each user gets every scenario instead.

        Return for each query its user (0 to n - 1), the fields that it shows (field -> bool[Q]), and its weight.
        """
        scenarios, shares = list(self.config.mix), np.array(list(self.config.mix.values()))
        if self.config.cross:
            rows = np.repeat(np.arange(n), len(scenarios))
            drawn = np.tile(np.arange(len(scenarios)), n)
            weights = shares[drawn]
        else:
            rows = np.arange(n)
            drawn = rng.choice(len(scenarios), n, p=shares)
            weights = np.ones(n)
        fields = dict.fromkeys(field for shown in scenarios for field in shown)
        return rows, {field: np.array([field in shown for shown in scenarios])[drawn] for field in fields}, weights


def _visible_entities(shown: Dataset, users: Ints, hide: float, rng: np.random.Generator) -> dict[EntityKind, Sparse]:
    """Return the entities of each user except for a random share `hide`: kind -> csr [len(users), entities].

    Kinds through items are left out, as their entities follow from the visible items.
    """
    visible = {}
    for kind in shown.targets[1:]:
        if kind not in shown.through_items:
            matrix = shown.user_matrix(kind)[users]
            matrix.sort_indices()
            visible[kind] = entries(matrix, ~choose_share(np.diff(matrix.indptr), hide, rng))
    return visible


def _queries(shown: Dataset, users: Ints, visible: dict[EntityKind, Sparse], shows: Shows) -> QueryBatch:
    """Return queries of unknown users, with data of `users` in only the fields that each query shows."""
    history = shown.interactions.take(users)
    nothing = np.zeros(len(users), bool)
    history = history.where(shows.get(ITEMS, nothing)[history.rows])
    stated = {
        kind: entries(matrix, np.repeat(shows.get(kind, nothing), np.diff(matrix.indptr)))
        for kind, matrix in visible.items()
    }
    titles = zip(users, shows.get(TITLE, nothing), strict=True)
    return QueryBatch(
        users=np.full(len(users), PADDING, np.int32),
        history=history,
        entities=shown.query_has(stated, history),
        text=tuple(shown.users.text[user] if told else "" for user, told in titles),
        times=history.latest() if shown.users.times is None else shown.users.times[users],
        derived=shown.through_items,
    )


def _knows_something(queries: QueryBatch) -> Bools:
    return queries.has_any(queries.fields)
