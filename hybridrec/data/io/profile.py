"""Profiles of a user's own files: their content in figures, and the blocks of a config that read and split them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hybridrec.data.dataset import Dataset, contains, pair_keys
from hybridrec.data.encoding import TAGS
from hybridrec.data.io.infer_schema import infer_schema
from hybridrec.data.io.interaction_columns import SchemaHints
from hybridrec.data.ragged import Ragged
from hybridrec.data.readers.table import TableOptions, TableReader
from hybridrec.errors import DataError


@dataclass(frozen=True, slots=True)
class DataProfile:
    """The content of data files in figures, and the blocks of a config that read and split them.

    data: the `data:` block of a config
    split: the `split:` block that suits the data
    order: the criterion that orders a history: "position", "time" or "file", or "reader" if the reader determines it
    repeats: the number of interactions whose (user, item) pair occurred before
    density: the share of all possible (user, item) pairs that occur
    median: the median number of interactions among users that have any
    titles, texts: the number of users with a title, and of items with a text
    tagged_users, tagged_items: the number of users and of items with a tag
    notes: uncertain guesses, and unused files and columns
    reasons: evidence for the choices in `data` and `split`, by the key of the config
    """

    data: dict[str, Any]
    split: dict[str, Any]
    interactions: int
    users: int
    items: int
    tags: int
    order: str
    times: bool
    weights: bool
    repeats: int
    density: float
    median: float
    titles: int
    texts: int
    tagged_users: int
    tagged_items: int
    notes: tuple[str, ...]
    reasons: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def profile(paths: Sequence[Path], folder: Path, hints: SchemaHints | None = None) -> DataProfile:
    """Infer the roles of the files and their columns, read them with the reader `table`, and describe the data.

    Paths in the result are relative to `folder`, the folder of the config. If there are malformed rows, the options in
    the result skip them, and the notes count them. Raises DataError if no file has a user and an item in each row, or
    if a file cannot be read.
    """
    schema = infer_schema(paths, folder, hints)
    mapping, notes = dict(schema.mapping), list(schema.notes)
    reader = _reader(mapping, folder)
    try:
        data = reader.read()
    except DataError:
        mapping["strict"] = False
        reader = _reader(mapping, folder)
        data = reader.read()
        notes += [f"{note} (`strict: false` skips them)" for note in reader.notes()]
    order = next((role for role in ("position", "time") if role in mapping["interactions"]), "file")
    block = {"reader": "table", **mapping}
    return describe(data, block, order, notes, reasons=schema.reasons, lists=schema.users != "people")


def _reader(mapping: Mapping[str, Any], folder: Path) -> TableReader:
    return TableReader(TableOptions.model_validate(mapping, context={"folder": folder}))


def describe(
    data: Dataset,
    block: dict[str, Any],
    order: str,
    notes: Sequence[str],
    *,
    reasons: Sequence[str] = (),
    lists: bool = False,
) -> DataProfile:
    """Return the profile of a dataset, which the `data:` block `block` of a config reads.

    `order`, `notes` and `reasons` become fields of the profile. With `lists`, users are lists or baskets, which get no
    further interactions later.
    """
    history, count = data.interactions, len(data.interactions.ids)
    pairs = len(np.unique(data.pairs))
    lengths = history.lengths[history.lengths > 0]
    titles, texts = (sum(map(bool, texts)) for texts in (data.users.text, data.items.text))
    tagged_users, tagged_items = (
        int((np.diff(tags.indptr) > 0).sum()) for tags in (data.user_matrix("tags"), data.item_matrix("tags"))
    )
    split, why = choose_split(data, titles=titles > 0, lists=lists)
    return DataProfile(
        data=block,
        split=split,
        interactions=count,
        users=len(data.users),
        items=len(data.items),
        tags=data.size(TAGS),
        order=order,
        times=history.times is not None,
        weights=history.weights is not None,
        repeats=count - pairs,
        density=pairs / (len(data.users) * len(data.items)),
        median=float(np.median(lengths)),
        titles=titles,
        texts=texts,
        tagged_users=tagged_users,
        tagged_items=tagged_items,
        notes=tuple(notes),
        reasons={"data": tuple(reasons), "split": (why,)},
    )


def choose_split(data: Dataset, *, titles: bool, lists: bool) -> tuple[dict[str, Any], str]:
    """Return the `split:` block that suits the data, and the reason for the choice.

    With `titles`, users have titles. With `lists`, users are lists, baskets or sessions, which get no further
    interactions later.
    """
    history = data.interactions
    if history.groups is not None:
        return {"use": "folds"}, "the folds are published"
    tags = any(matrix.nnz for matrix in data.user_has.values())
    moments = _share_of_one_moment(history)
    if lists or titles or moments > MOST or (tags and history.times is None):
        fields = {"items+tags": tags, "items": True, "tags": tags, "title": titles}
        shown = [field for field, there in fields.items() if there]
        why = "users are lists or baskets that nobody comes back to: part of each is shown, the rest asked for"
        if moments > MOST and not (lists or titles or tags):
            why = f"{moments:.0%} of the users did all at one moment: part of it is shown, the rest asked for"
        if len(shown) == len(fields):
            return {"use": "masked"}, why
        return {"use": "masked", "scenarios": {field: 0.4 if "items" in field else 0.1 for field in shown}}, why
    if history.times is not None:
        asked, informed, repeated = _asked_later(history)
        if informed >= min(FEW, max(1, 0.1 * len(data.users))):
            why = f"there are times: of {asked:,} users who act in the latest fifth, {informed:,} acted before"
            if repeated >= REPEATED and informed >= SOME:
                return {"use": "temporal", "seen": "allow"}, f"{why}; {repeated:.0%} of what they do then repeats"
            return {"use": "temporal"}, why
        return {"use": "random"}, (
            f"there are times, but only {informed:,} of {len(data.users):,} users act before and in the latest fifth: "
            "part of what each did is asked for, whenever it was"
        )
    return {"use": "random"}, "there are no times: part of what each user did is asked for"


MOST = 0.8
"""If more than this share of the users did all at one moment, users are taken for lists."""
FEW = 200
"""The number of users with an earlier history that suffices for a temporal split."""
SOME = 20
"""The number of users that suffices for an estimate of the share of repeats."""
REPEATED = 0.3
"""If at least this share of the latest interactions repeats earlier ones of their users, a split asks for repeats."""
LATEST = 0.2
"""The share of the interactions that a temporal split hides: the latest ones."""


def _share_of_one_moment(history: Ragged) -> float:
    """Return the share of users who did everything at the same time, among users with at least two interactions."""
    if history.times is None:
        return 0.0
    several = history.lengths >= 2
    if not several.any():
        return 0.0
    changes = np.zeros(len(history.ids), np.int64)
    changes[1:] = history.times[1:] != history.times[:-1]
    changes[history.offsets[:-1][history.lengths > 0]] = 0
    total = np.concatenate(([0], np.cumsum(changes)))
    within = total[history.offsets[1:]] - total[history.offsets[:-1]]
    return float((within[several] == 0).mean())


def _asked_later(history: Ragged) -> tuple[int, int, float]:
    """Return (later, returning, repeated): three figures about the latest interactions in the data.

    `later` is the number of users who have any of them. `returning` is the number of these users who also have earlier
    interactions. `repeated` is the share of the returning users' latest interactions whose item the user had before.
    """
    assert history.times is not None
    cut_off = np.quantile(history.times, 1 - LATEST)
    late = history.times >= cut_off
    later, before = (np.bincount(history.rows[flags], minlength=len(history)) > 0 for flags in (late, ~late))
    keys = pair_keys(history.rows, history.ids, history.width)
    returning = late & before[history.rows]
    repeated = contains(keys[~late], keys[returning]).mean() if returning.any() else 0.0
    return int(later.sum()), int((later & before).sum()), float(repeated)
