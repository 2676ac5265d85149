"""Check that the arrays of a dataset fit each other, for data from a file that somebody else may have written."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridrec.data.dataset import Dataset
from hybridrec.data.entities import Entities
from hybridrec.data.packed_texts import PackedTexts
from hybridrec.data.ragged import Ragged
from hybridrec.types import Sparse


def check_consistency(data: Dataset) -> None:
    """Raise ValueError, which says what does not fit, for codes outside of a vocabulary and arrays of a wrong length.

    The work is in proportion to the size of the data, as that of its checksum.
    """
    for kind, entities in data.entities.items():
        _check_entities(kind, entities)
    users, items = len(data.users), len(data.items)
    for name in ("interactions", "impressions", "dislikes"):
        rows: Ragged | None = getattr(data, name)
        if rows is not None:
            _check_ragged(name, rows, users, items)
    for owner, matrices, height in (("users", data.user_has, users), ("items", data.item_has, items)):
        for kind, matrix in matrices.items():
            _check_csr(f"{kind} of {owner}", matrix, (height, data.size(kind)))
    for kind, rows_of in data.assignments.items():
        sizes = (users, items, data.size(kind))
        if rows_of.ndim != 2 or rows_of.shape[1] != 3:
            raise ValueError(f"assignments of {kind} are not rows of user, item and entity")
        for column, size in enumerate(sizes):
            _check_codes(f"assignments of {kind}", rows_of[:, column], size)


def _check_entities(kind: str, entities: Entities) -> None:
    size = len(entities.vocabulary)
    for texts in (entities.vocabulary.packed, entities.text):
        if isinstance(texts, PackedTexts):
            _check_offsets(f"texts of {kind}", np.concatenate(([0], texts.ends)), len(texts.encoded))
    if len(entities.text) not in (0, size):
        raise ValueError(f"{size} {kind} and {len(entities.text)} texts of them")
    for name, values in (("times", entities.times), ("vectors", entities.vectors)):
        if values is not None and len(values) != size:
            raise ValueError(f"{size} {kind} and {name} of {len(values)}")
    if entities.features is not None:
        for name, column in entities.features.columns.items():
            if column.values.shape[0] != size:
                raise ValueError(f"{size} {kind}, and the feature {name} of {column.values.shape[0]}")


def _check_ragged(name: str, rows: Ragged, height: int, width: int) -> None:
    if (len(rows), rows.width) != (height, width):
        raise ValueError(f"{name} of {len(rows)} users and {rows.width} items, where there are {height} and {width}")
    _check_offsets(name, rows.offsets, len(rows.ids))
    _check_codes(name, rows.ids, width)
    for column in (rows.times, rows.weights, rows.groups, rows.gains, rows.targets):
        if column is not None and column.shape != rows.ids.shape:
            raise ValueError(f"{name}: a column of {column.shape} beside {rows.ids.shape} ids")
    if rows.context is not None:
        for values in rows.context.columns.values():
            if values.values.shape[0] != len(rows.ids):
                raise ValueError(f"{name}: a column of the request of another length")


def _check_csr(name: str, matrix: Sparse, shape: tuple[int, int]) -> None:
    if matrix.shape != shape:
        raise ValueError(f"{name} have the shape {matrix.shape}, where {shape} is right")
    _check_offsets(name, matrix.indptr, len(matrix.indices))
    _check_codes(name, matrix.indices, shape[1])


def _check_offsets(name: str, offsets: NDArray[Any], end: int) -> None:
    if offsets.ndim != 1 or offsets.dtype.kind not in "iu" or not len(offsets):
        raise ValueError(f"{name}: offsets of {offsets.dtype} {offsets.shape}")
    if offsets[0] != 0 or offsets[-1] != end or (offsets[1:] < offsets[:-1]).any():
        raise ValueError(f"{name}: offsets that do not ascend from 0 to {end}")


def _check_codes(name: str, codes: NDArray[Any], size: int) -> None:
    if codes.ndim != 1 or codes.dtype.kind not in "iu":
        raise ValueError(f"{name}: codes of {codes.dtype} {codes.shape}")
    if len(codes) and not (codes.min() >= 0 and codes.max() < size):
        raise ValueError(f"{name}: a code outside of 0 to {size - 1}")
