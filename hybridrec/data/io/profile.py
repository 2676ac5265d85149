"""Profile of a user's own files, and a config that reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hybridrec.data.dataset import Dataset
from hybridrec.data.encoding import TAGS
from hybridrec.data.io.infer_schema import guess
from hybridrec.data.readers.table import TableOptions, TableReader


@dataclass(frozen=True, slots=True)
class DataProfile:
    """The content of data files in figures, and a config that reads them.

    data: the `data:` block of a config
    split: the `split:` block that suits the data
    order: the criterion that orders a history: "position", "time" or "file", or "reader" if the reader determines it
    repeats: interactions whose (user, item) pair occurred before
    density: the share of all possible (user, item) pairs that occur
    median: the median number of interactions among users that have any
    titles, texts, tagged_users, tagged_items: the number of users or items that have one
    notes: uncertain guesses, and unused files
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


def profile(paths: Sequence[Path], folder: Path) -> DataProfile:
    """Guess what the files are, read them with the reader `table`, and describe the data.

    Paths in the result are relative to `folder`, the folder of the config. Raises DataError if no file has a user and
    an item in each row, or if one cannot be read.
    """
    mapping, notes = guess(paths, folder)
    data = TableReader(TableOptions.model_validate(mapping, context={"folder": folder})).read()
    order = next((role for role in ("position", "time") if role in mapping["interactions"]), "file")
    return describe(data, {"reader": "table", **mapping}, order, notes)


def describe(data: Dataset, block: dict[str, Any], order: str, notes: Sequence[str]) -> DataProfile:
    """Return the profile of data that the `data:` block `block` reads."""
    history, count = data.interactions, len(data.interactions.ids)
    pairs = len(np.unique(data.pairs))
    lengths = history.lengths[history.lengths > 0]
    titles, texts = (sum(map(bool, texts)) for texts in (data.users.text, data.items.text))
    tagged_users, tagged_items = (
        int((np.diff(tags.indptr) > 0).sum()) for tags in (data.user_matrix("tags"), data.item_matrix("tags"))
    )
    if history.groups is not None:
        split = "folds"
    elif titles or any(matrix.nnz for matrix in data.user_has.values()):
        split = "masked"
    else:
        split = "random" if history.times is None else "temporal"
    return DataProfile(
        data=block,
        split={"use": split},
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
    )
