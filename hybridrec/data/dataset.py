"""The data as arrays: readers build it, splitters cut training parts out of it, components are fitted on those."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hybridrec.data.fingerprint import fingerprint, flatten
from hybridrec.data.frozen import freeze, frozen_csr
from hybridrec.data.packed_texts import PackedTexts
from hybridrec.data.queries import QueryBatch
from hybridrec.data.ragged import Ragged
from hybridrec.data.vocabulary import Vocabulary
from hybridrec.types import PADDING, Bools, Doubles, Floats, Ints, Sparse


@dataclass(frozen=True, slots=True)
class Features:
    """Named sparse features: `matrix` is csr float32 [things, len(names)]."""

    names: tuple[str, ...]
    matrix: Sparse

    def __post_init__(self) -> None:
        """Freeze the arrays: every holder of the object shares them."""
        freeze(self)

    def rows(self, codes: Ints) -> Sparse:
        """Return the rows of these codes, csr [len(codes), features]; a code of -1 yields an empty row."""
        known = codes != PADDING
        places = np.flatnonzero(known)
        picker = csr_matrix(
            (np.ones(len(places), np.float32), (places, codes[known])), shape=(len(codes), self.matrix.shape[0])
        )
        return (picker @ self.matrix).tocsr()


@dataclass(frozen=True, slots=True)
class Dataset:
    """U users, I items and T tags, with their interactions and attributes.

    interactions: Ragged, one row per user, in order of position or time
    titles: a text per user (a playlist's title); "" if it has none
    item_text: a readable text per item (a song's name, a film's title); "" if it has none
    item_times: float64[I], release time of each item in seconds since 1970, NaN if unknown; or None
    item_vectors: float32[I, D], dense content (audio, say), or None
    user_times: float64[U], time of each user's query (a playlist's last change, say) in seconds since 1970, NaN
        if unknown; part of the query, like the title; or None
    declared_user_tags, declared_item_tags: csr [U, T], [I, T]: tags of users and items that the source states
    assignments: int32[M, 3], rows (user, item, tag): each tag that a user gave to an item

    Components read `user_tags` and `item_tags`: the declared tags plus the counts of the assignments. A split
    removes the assignments of hidden pairs, so neither matrix can leak them.

    All arrays are read-only, and matrices have sorted indices without duplicates: components share them.
    """

    users: Vocabulary
    items: Vocabulary
    tags: Vocabulary
    interactions: Ragged
    titles: tuple[str, ...]
    item_text: tuple[str, ...]
    declared_user_tags: Sparse
    declared_item_tags: Sparse
    assignments: Ints
    item_times: Doubles | None = None
    item_features: Features | None = None
    item_vectors: Floats | None = None
    user_features: Features | None = None
    user_times: Doubles | None = None
    _tags: dict[str, Sparse] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Freeze the arrays: every holder of the object shares them."""
        freeze(self)

    @property
    def user_tags(self) -> Sparse:
        """csr float32 [U, T]: declared tags plus how often the user assigned each."""
        return self._with_counts("user", self.declared_user_tags, self.assignments[:, 0])

    @property
    def item_tags(self) -> Sparse:
        """csr float32 [I, T]: declared tags plus how often each was assigned to the item."""
        return self._with_counts("item", self.declared_item_tags, self.assignments[:, 1])

    def _with_counts(self, owner: str, declared: Sparse, rows: Ints) -> Sparse:
        """Return the declared tags plus the counts of the assignments, cached; racing threads get equal matrices."""
        if not len(rows):
            return declared
        if owner not in self._tags:
            ones = np.ones(len(rows), np.float32)
            counts = csr_matrix((ones, (rows, self.assignments[:, 2])), shape=declared.shape)
            self._tags[owner] = frozen_csr((declared + counts).tocsr())
        return self._tags[owner]

    @property
    def pairs(self) -> NDArray[np.int64]:
        """int64, parallel to `interactions.ids`: a key for each (user, item) pair."""
        return pair_keys(self.interactions.rows, self.interactions.ids, len(self.items))

    def item_names(self) -> tuple[str, ...]:
        """Return a readable name of each item: its text, or its id if it has none."""
        return tuple(text or name for text, name in zip(self.item_text, self.items.packed, strict=True))

    def hide(self, hidden: Bools) -> Dataset:
        """Return the dataset without the hidden interactions and without the tag assignments of pairs that are gone.

        `hidden` is bool, parallel to `interactions.ids`. A pair with a visible repeat keeps its assignments:
        removing them would reveal the hidden repeat.
        """
        shown = replace(self, interactions=self.interactions.where(~hidden))
        if not len(self.assignments):
            return shown
        pairs = self.pairs
        tagged = pair_keys(self.assignments[:, 0], self.assignments[:, 1], len(self.items))
        gone = contains(pairs[hidden], tagged) & ~contains(pairs[~hidden], tagged)
        return replace(shown, assignments=self.assignments[~gone])

    def hide_users(self, hidden: Bools) -> Dataset:
        """Return the dataset without any data about the users marked in `hidden`, bool[U]; their codes stay."""
        kept = csr_matrix((~hidden).astype(np.float32)[:, None])
        return replace(
            self,
            interactions=self.interactions.where(np.repeat(~hidden, self.interactions.lengths)),
            titles=tuple("" if gone else title for gone, title in zip(hidden, self.titles, strict=True)),
            declared_user_tags=self.declared_user_tags.multiply(kept).tocsr(),
            assignments=self.assignments[~hidden[self.assignments[:, 0]]],
            user_features=None
            if self.user_features is None
            else replace(self.user_features, matrix=self.user_features.matrix.multiply(kept).tocsr()),
            user_times=None if self.user_times is None else np.where(hidden, np.nan, self.user_times),
        )

    def queries(self, users: Ints) -> QueryBatch:
        """Return the given users as queries, each with its whole history, tags, title and time."""
        return QueryBatch(
            users=users.astype(np.int32),
            history=self.interactions.take(users),
            tags=self.user_tags[users],
            text=tuple(self.titles[user] for user in users),
            user_features=None if self.user_features is None else self.user_features.rows(users),
            times=None if self.user_times is None else self.user_times[users],
        )

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the dataset as named arrays, texts as UTF-8 bytes; `Dataset.restore` is the inverse."""
        return dict(flatten(self))

    @classmethod
    def restore(cls, state: Mapping[str, NDArray[Any]]) -> Dataset:
        """Rebuild the dataset from its `state()`."""
        rows = {name: state.get(f"interactions.{name}") for name in ("times", "weights", "groups")}
        return cls(
            users=Vocabulary.of_packed(_packed(state, "users")),
            items=Vocabulary.of_packed(_packed(state, "items")),
            tags=Vocabulary.of_packed(_packed(state, "tags")),
            interactions=Ragged(
                state["interactions.ids"], state["interactions.offsets"], int(state["interactions.width"]), **rows
            ),
            titles=_texts_of(state, "titles"),
            item_text=_texts_of(state, "item_text"),
            declared_user_tags=_csr_of(state, "declared_user_tags"),
            declared_item_tags=_csr_of(state, "declared_item_tags"),
            assignments=state["assignments"],
            item_times=state.get("item_times"),
            item_features=_features_of(state, "item_features"),
            item_vectors=state.get("item_vectors"),
            user_features=_features_of(state, "user_features"),
            user_times=state.get("user_times"),
        )

    @property
    def fingerprint(self) -> str:
        """Hex digest of all arrays and ids: equal for equal data, regardless of its source."""
        return fingerprint(self)


def pair_keys(users: Ints, items: Ints, n_items: int) -> NDArray[np.int64]:
    """Return one int64 key for each (user, item) pair."""
    return users.astype(np.int64) * n_items + items


def contains(among: NDArray[np.int64], keys: NDArray[np.int64]) -> Bools:
    """Return bool, parallel to `keys`: true if `among` has the key. Many times faster than `np.isin` of numpy 2.4."""
    if not len(among) or not len(keys):
        return np.zeros(len(keys), bool)
    ordered = np.sort(among)
    places = np.searchsorted(ordered, keys)
    return ordered[np.minimum(places, len(ordered) - 1)] == keys


def empty_csr(rows: int, columns: int) -> Sparse:
    """Return an empty csr float32 of this shape."""
    return csr_matrix((rows, columns), dtype=np.float32)


def _texts_of(state: Mapping[str, NDArray[Any]], name: str) -> tuple[str, ...]:
    """Decode texts that `flatten` encoded."""
    return tuple(_packed(state, name))


def _packed(state: Mapping[str, NDArray[Any]], name: str) -> PackedTexts:
    return PackedTexts(state[f"{name}.bytes"], state[f"{name}.ends"])


def _csr_of(state: Mapping[str, NDArray[Any]], name: str) -> Sparse:
    parts = (state[f"{name}.data"], state[f"{name}.indices"], state[f"{name}.indptr"])
    return csr_matrix(parts, shape=tuple(state[f"{name}.shape"]))


def _features_of(state: Mapping[str, NDArray[Any]], name: str) -> Features | None:
    if f"{name}.names.ends" not in state:
        return None
    return Features(_texts_of(state, f"{name}.names"), _csr_of(state, f"{name}.matrix"))
