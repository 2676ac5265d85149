"""Datasets: the data as arrays, which readers build, and from which splitters make training parts for components."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hybridrec.data.entities import Entities
from hybridrec.data.features import FeatureColumn, Features
from hybridrec.data.fingerprint import fingerprint, flatten
from hybridrec.data.frozen import freeze, frozen_csr
from hybridrec.data.packed_texts import PackedTexts, take_texts
from hybridrec.data.queries import QueryBatch
from hybridrec.data.ragged import Ragged
from hybridrec.data.sparse import make_csr
from hybridrec.data.vocabulary import Vocabulary
from hybridrec.types import ITEMS, USERS, Bools, EntityKind, Ints, Sparse, Target


@dataclass(frozen=True, slots=True)
class Dataset:
    """Users, items and entities of any other kind, with the interactions between the first two.

    entities: kind -> Entities; "users" and "items", the two ends of interactions, come first. Entities of the other
        kinds (tags, artists, venues, ...) are carried by users, by items or by both
    interactions: Ragged, one row of items per user, in order of position or time
    user_has, item_has: kind -> csr float32 [users or items, entities], the entities that the source states for each of
        them
    assignments: kind -> int32[M, 3], rows (user, item, entity): each entity (a tag, say) that a user gave to an item
    through_items: kinds that users carry by way of their items: a user has the artists of the items in the history
    impressions: Ragged, one row per user, of items that were shown and not taken, or None; `interactions` does not
        contain them
    dislikes: Ragged, one row per user, of items that the user dislikes, or None; `interactions` does not contain them

    Components read `user_matrix(kind)` and `item_matrix(kind)`, which join the stated entities, the assignments and
    the entities through items. Neither matrix can leak a hidden interaction: a split removes the assignments of hidden
    pairs, and the entities through items follow from the visible interactions.

    All arrays are read-only, and matrices have sorted indices without duplicates: components share them.
    """

    entities: dict[EntityKind, Entities]
    interactions: Ragged
    user_has: dict[EntityKind, Sparse] = field(default_factory=dict)
    item_has: dict[EntityKind, Sparse] = field(default_factory=dict)
    assignments: dict[EntityKind, Ints] = field(default_factory=dict)
    through_items: tuple[EntityKind, ...] = ()
    impressions: Ragged | None = None
    dislikes: Ragged | None = None
    _matrices: dict[tuple[str, EntityKind], Sparse] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the arrays read-only, since all holders of the object share them."""
        freeze(self)

    @property
    def users(self) -> Entities:
        """The users; their texts are titles."""
        return self.entities[USERS]

    @property
    def items(self) -> Entities:
        """The items."""
        return self.entities[ITEMS]

    @property
    def kinds(self) -> tuple[EntityKind, ...]:
        """All kinds beside users and items."""
        return tuple(kind for kind in self.entities if kind not in (USERS, ITEMS))

    @property
    def catalogue(self) -> Dataset:
        """The part of the dataset that no split hides: `item_has` and all entities but users, without interactions."""
        return Dataset(
            entities=self.entities | {USERS: Entities(Vocabulary())},
            interactions=Ragged.empty(0, len(self.items)),
            item_has=self.item_has,
        )

    @property
    def targets(self) -> tuple[Target, ...]:
        """The kinds that can be recommended: items, and the kinds that users carry."""
        carried = {*self.user_has, *self.assignments, *self.through_items}
        return (ITEMS, *(kind for kind in self.kinds if kind in carried))

    def size(self, kind: EntityKind) -> int:
        """Return the number of entities of a kind, 0 for a kind that the data does not have."""
        return len(self.entities[kind]) if kind in self.entities else 0

    def vocabulary(self, kind: EntityKind) -> Vocabulary:
        """Return the vocabulary of a kind, an empty one for a kind that the data does not have."""
        return self.entities[kind].vocabulary if kind in self.entities else Vocabulary()

    def with_entities(self, kind: EntityKind, **changes: Any) -> Dataset:
        """Return the dataset with changed fields of one kind's `Entities`: `with_entities("items", times=None)`."""
        return replace(self, entities=self.entities | {kind: replace(self.entities[kind], **changes)})

    def user_matrix(self, kind: EntityKind) -> Sparse:
        """Return the entities of a kind that each user has: csr float32 [users, entities].

        The meaning of a value depends on the kind:

        - items: 1 for each distinct item of the user's history
        - a kind through items: the number of the user's distinct items that have the entity
        - any other kind: the stated value plus the number of times that the user assigned the entity

        For a kind that the data does not have, the matrix has no columns.
        """
        return self._matrix("user", kind)

    def item_matrix(self, kind: EntityKind) -> Sparse:
        """Return the entities of a kind that each item has: csr float32 [items, entities].

        A value is the stated value plus the number of times that users assigned the entity to the item. For a kind that
        the data does not have, the matrix has no columns.
        """
        return self._matrix("item", kind)

    def _matrix(self, owner: str, kind: EntityKind) -> Sparse:
        """Return the result of `user_matrix` (`owner` "user") or `item_matrix` ("item").

        Every matrix is cached except the one of the users' items, which is as large as the interactions. Threads that
        race to make a matrix make equal ones.
        """
        if owner == "user" and kind == ITEMS:  # not kept: as large as the interactions themselves
            return frozen_csr(self.interactions.matrix(binary=True))
        if (owner, kind) not in self._matrices:
            if owner == "user" and kind in self.through_items:
                matrix = self.through(self.interactions, kind)
            else:
                matrix = self._with_counts(owner, kind)
            self._matrices[owner, kind] = frozen_csr(matrix)
        return self._matrices[owner, kind]

    def _with_counts(self, owner: str, kind: EntityKind) -> Sparse:
        """Return the entities of a kind that each user or item (`owner`) has: csr float32 [owners, entities].

        A value is the stated value plus the number of times that the entity was assigned.
        """
        stated, size = (self.user_has, self.users) if owner == "user" else (self.item_has, self.items)
        declared = stated.get(kind)
        if declared is None:
            declared = empty_csr(len(size), self.size(kind))
        given = self.assignments.get(kind)
        if given is None or not len(given):
            return declared
        ones = np.ones(len(given), np.float32)
        rows = given[:, 0 if owner == "user" else 1]
        return (declared + csr_matrix((ones, (rows, given[:, 2])), shape=declared.shape)).tocsr()

    def through(self, history: Ragged, kind: EntityKind) -> Sparse:
        """Count, for each history and each entity of a kind, the distinct items of the history that have the entity.

        The result is csr float32 [rows of `history`, entities].
        """
        has = self.item_matrix(kind)
        ones = csr_matrix((np.ones_like(has.data), has.indices, has.indptr), shape=has.shape)
        return (history.matrix(binary=True) @ ones).tocsr()

    @property
    def pairs(self) -> NDArray[np.int64]:
        """The key of each interaction's (user, item) pair, by `pair_keys`: int64, parallel to `interactions.ids`."""
        return pair_keys(self.interactions.rows, self.interactions.ids, len(self.items))

    def hide(self, hidden: Bools) -> Dataset:
        """Return the dataset without the hidden interactions, and without the assignments that belong to hidden pairs.

        `hidden` is bool, parallel to `interactions.ids`. A (user, item) pair is hidden if all its interactions are: a
        pair with a repeat that stays visible keeps its assignments, since removing them would reveal the hidden repeat.
        """
        shown = replace(self, interactions=self.interactions.where(~hidden))
        if not any(len(given) for given in self.assignments.values()):
            return shown
        pairs = self.pairs
        kept = {}
        for kind, given in self.assignments.items():
            assigned = pair_keys(given[:, 0], given[:, 1], len(self.items))
            kept[kind] = given[~(contains(pairs[hidden], assigned) & ~contains(pairs[~hidden], assigned))]
        return replace(shown, assignments=kept)

    def hide_users(self, hidden: Bools) -> Dataset:
        """Return the dataset without any data about the users marked in `hidden`, bool[U]; their codes stay."""
        kept = csr_matrix((~hidden).astype(np.float32)[:, None])
        users = self.users
        codes = np.where(hidden, -1, np.arange(len(users)))
        nameless = replace(
            users,
            text=tuple("" if gone else text for gone, text in zip(hidden, users.text, strict=True)),
            times=None if users.times is None else np.where(hidden, np.nan, users.times),
            features=None if users.features is None else users.features.take(codes),
            vectors=None if users.vectors is None else np.where(hidden[:, None], np.float32(0), users.vectors),
        )
        return replace(
            self,
            entities={**self.entities, USERS: nameless},
            interactions=_without_rows(self.interactions, hidden),
            user_has={kind: matrix.multiply(kept).tocsr() for kind, matrix in self.user_has.items()},
            assignments={kind: given[~hidden[given[:, 0]]] for kind, given in self.assignments.items()},
            impressions=None if self.impressions is None else _without_rows(self.impressions, hidden),
            dislikes=None if self.dislikes is None else _without_rows(self.dislikes, hidden),
        )

    def hide_items(self, hidden: Bools) -> Dataset:
        """Return the dataset without the assignments and the impressions of the items marked in `hidden`, bool[I].

        Interactions with these items stay; `hide` removes them. Assignments by users who did not interact with an item
        are removed too, as they reveal as much about it.
        """
        shown = self.impressions
        return replace(
            self,
            assignments={kind: given[~hidden[given[:, 1]]] for kind, given in self.assignments.items()},
            impressions=None if shown is None else shown.where(~hidden[shown.ids]),
        )

    def queries(self, users: Ints) -> QueryBatch:
        """Return the given users as queries, each with its whole history, entities, text, features and time."""
        about = self.users
        return QueryBatch(
            users=users.astype(np.int32),
            history=self.interactions.take(users),
            entities={kind: self.user_matrix(kind)[users] for kind in self.kinds},
            text=take_texts(about.text, users),
            user_features=None if about.features is None else about.features.take(users),
            times=None if about.times is None else about.times[users],
            derived=self.through_items,
            disliked=None if self.dislikes is None else self.dislikes.take(users),
        )

    def query_has(self, stated: Mapping[EntityKind, Sparse], history: Ragged) -> dict[EntityKind, Sparse]:
        """Return the entities of queries: a csr float32 [Q, entities] for every kind beside users and items.

        `stated` has the entities that the queries state; a kind that is not in it gets an empty matrix. For a kind
        through items, the entities of the items in `history` are added.
        """
        has = {}
        for kind in self.kinds:
            matrix = stated.get(kind)
            if matrix is None:
                matrix = empty_csr(len(history), self.size(kind))
            has[kind] = (matrix + self.through(history, kind)).tocsr() if kind in self.through_items else matrix
        return has

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the dataset as named arrays, texts as UTF-8 bytes; `Dataset.restore` is the inverse."""
        return dict(flatten(self))

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]], *, mapped: bool = False) -> Dataset:
        """Rebuild the dataset from its `state()`.

        mapped: True to leave the texts of entities in the arrays of `state`, and to decode one when it is accessed
        """
        return cls(
            entities={kind: _entities_of(state, place, mapped) for kind, place in _members(state, "entities")},
            interactions=_ragged_of(state, "interactions"),
            user_has={kind: _csr_of(state, place) for kind, place in _members(state, "user_has")},
            item_has={kind: _csr_of(state, place) for kind, place in _members(state, "item_has")},
            assignments={kind: state[place] for kind, place in _members(state, "assignments")},
            through_items=_texts_of(state, "through_items"),
            impressions=_ragged_of(state, "impressions") if "impressions.ids" in state else None,
            dislikes=_ragged_of(state, "dislikes") if "dislikes.ids" in state else None,
        )

    @property
    def fingerprint(self) -> str:
        """A hex digest of all arrays and ids. Equal data has an equal digest, whatever its source."""
        return fingerprint(self)


def pair_keys(users: Ints, items: Ints, n_items: int) -> NDArray[np.int64]:
    """Return an int64 key for each pair of codes in two parallel arrays: `user * n_items + item`."""
    return users.astype(np.int64) * n_items + items


def contains(among: NDArray[np.int64], keys: NDArray[np.int64]) -> Bools:
    """Return bool, parallel to `keys`: true if `among` has the key.

    This is many times faster than `isin` of numpy 2.4.
    """
    if not len(among) or not len(keys):
        return np.zeros(len(keys), bool)
    ordered = np.sort(among)
    places = np.searchsorted(ordered, keys)
    return ordered[np.minimum(places, len(ordered) - 1)] == keys


def empty_csr(rows: int, columns: int) -> Sparse:
    """Return an empty csr float32 of this shape."""
    return make_csr(np.empty(0, np.float32), np.empty(0, np.int32), np.zeros(rows + 1, np.int32), shape=(rows, columns))


def _without_rows(ragged: Ragged, hidden: Bools) -> Ragged:
    return ragged.where(np.repeat(~hidden, ragged.lengths))


def _members(state: Mapping[str, NDArray[Any]], name: str) -> list[tuple[str, str]]:
    """Return (key, beginning of the names of its arrays) for each entry of a dict that `flatten` turned into arrays.

    `name` is the name that `flatten` gave to the dict.
    """
    return [(key, f"{name}.{place}") for place, key in enumerate(_texts_of(state, f"{name}.keys"))]


def _entities_of(state: Mapping[str, NDArray[Any]], name: str, mapped: bool) -> Entities:
    texts = _packed(state, f"{name}.text")
    return Entities(
        vocabulary=Vocabulary.of_packed(_packed(state, f"{name}.vocabulary")),
        text=cast(tuple[str, ...], texts) if mapped else tuple(texts),
        times=state.get(f"{name}.times"),
        features=_features_of(state, f"{name}.features"),
        vectors=state.get(f"{name}.vectors"),
    )


def _ragged_of(state: Mapping[str, NDArray[Any]], name: str) -> Ragged:
    columns = {column: state.get(f"{name}.{column}") for column in ("times", "weights", "groups", "gains", "targets")}
    width, context = int(state[f"{name}.width"]), _features_of(state, f"{name}.context")
    return Ragged(state[f"{name}.ids"], state[f"{name}.offsets"], width, **columns, context=context)


def _features_of(state: Mapping[str, NDArray[Any]], name: str) -> Features | None:
    if f"{name}.columns.keys.ends" not in state:
        return None
    columns = {}
    for key, place in _members(state, f"{name}.columns"):
        kind = bytes(state[f"{place}.type"]).decode()
        values = _csr_of(state, f"{place}.values") if kind == "category" else state[f"{place}.values"]
        columns[key] = FeatureColumn(kind, values, _texts_of(state, f"{place}.categories"))  # type: ignore[arg-type]
    return Features(columns)


def _texts_of(state: Mapping[str, NDArray[Any]], name: str) -> tuple[str, ...]:
    """Decode the texts that `flatten` turned into arrays under `name`."""
    return tuple(_packed(state, name))


def _packed(state: Mapping[str, NDArray[Any]], name: str) -> PackedTexts:
    return PackedTexts(state[f"{name}.bytes"], state[f"{name}.ends"])


def _csr_of(state: Mapping[str, NDArray[Any]], name: str) -> Sparse:
    data, indices, indptr = (state[f"{name}.{field}"] for field in ("data", "indices", "indptr"))
    return make_csr(data, indices, indptr, tuple(state[f"{name}.shape"].tolist()))
