"""Checks of what readers and splitters return: each raises PluginError with the first offending value."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hybridrec.data.array_checks import check_array
from hybridrec.data.dataset import Dataset, contains, pair_keys
from hybridrec.data.queries import QueryBatch
from hybridrec.data.ragged import Ragged
from hybridrec.data.splits.base import Fold
from hybridrec.errors import PluginError
from hybridrec.types import Bools, Sparse


def check_dataset(data: object) -> Dataset:
    """Return the result of a reader if it is a Dataset; raise PluginError if not."""
    if not isinstance(data, Dataset):
        raise PluginError(f"read must return a Dataset, not {type(data).__name__}")
    return data


def check_fold(fold: object, data: Dataset) -> Fold:
    """Return a fold of `data` if it keeps the contract of splitters; raise PluginError if not.

    The training part of a fold must have the vocabularies of the data. The truth of each target must be a csr of ones
    with a row for each query. Each query must have a unit (int32) and a weight (float64, positive). The candidate items
    must be bool[I], or None. If the fold has gains of a target, they must have the same entries as its truth.
    """
    if not isinstance(fold, Fold):
        raise PluginError(f"a splitter must yield objects of class Fold, not {type(fold).__name__}")
    place = f"fold '{fold.name}'"
    _check_known(place, fold, data)
    _check_asked(place, fold, data)
    return fold


def check_hidden(fold: Fold) -> None:
    """Raise PluginError if a query asks for an item of its history or of the training history of its user."""
    matrix, history = fold.truth["items"], fold.queries.history
    truth = Ragged(matrix.indices, matrix.indptr, matrix.shape[1])
    for rows in history.blocks():
        wanted, seen, trained = truth.take(rows), history.take(rows), fold.train.interactions.take(fold.units[rows])
        asked, query, training = (pair_keys(pairs.rows, pairs.ids, truth.width) for pairs in (wanted, seen, trained))
        shown = {"its history": query}
        if not np.array_equal(query, training):
            shown["its user's training history"] = training
        for where, keys in shown.items():
            leaked = contains(keys, asked)
            if leaked.any():
                place = int(np.argmax(leaked))
                row, item = rows.start + wanted.rows[place], wanted.ids[place]
                raise PluginError(f"fold '{fold.name}': query {row} asks for item {item}, which is in {where}")


def _check_known(place: str, fold: Fold, data: Dataset) -> None:
    """Check the training part and the queries of a fold, which hold all that components know; raises PluginError."""
    for field, value, cls in (("train", fold.train, Dataset), ("queries", fold.queries, QueryBatch)):
        if not isinstance(value, cls):
            raise PluginError(f"{place}: {field} must be a {cls.__name__}, not {type(value).__name__}")
    for kind in data.entities:
        size, wanted = fold.train.size(kind), data.size(kind)
        if size != wanted:
            raise PluginError(
                f"{place}: train has {size} {kind}, the data has {wanted}; a fold keeps the whole vocabularies"
            )
    queries, n, items = fold.queries, len(fold.queries), len(data.items)
    history = queries.history
    _check_shape(f"{place}: history of the queries", (len(history), history.width), n, items, "items")
    for kind in data.kinds:
        if kind not in queries.entities:
            raise PluginError(f"{place}: `entities` of the queries lacks the kind '{kind}'; an empty matrix will do")
        _check_shape(f"{place}: {kind} of the queries", queries.entities[kind].shape, n, data.size(kind), kind)
    if len(queries.text) != n:
        raise PluginError(f"{place}: queries have {len(queries.text)} texts for {n} queries")
    _refuse(f"{place}: the history", "has item {0}, not in the vocabulary", _outside(history.ids, items), history.ids)
    if queries.times is not None:
        check_array(f"{place}: times of the queries", queries.times, np.float64, (n,))


def _check_asked(place: str, fold: Fold, data: Dataset) -> None:
    """Check the truth, gains, units, weights and candidate items of a fold; raises PluginError."""
    n = len(fold.queries)
    for target in data.targets:
        if target not in fold.truth:
            raise PluginError(f"{place}: truth lacks '{target}'; set an empty matrix if no query asks for them")
        _check_truth(f"{place}: truth of {target}", fold.truth[target], n, data.size(target), target)
    for target, gains in fold.gains.items():
        _check_gains(f"{place}: gains of {target}", gains, fold.truth.get(target))
    check_array(f"{place}: units", fold.units, np.int32, (n,))
    _refuse(
        f"{place}: unit",
        "{0} of query {1} is not the code of a user",
        _outside(fold.units, len(data.users)),
        fold.units,
    )
    check_array(f"{place}: weights", fold.weights, np.float64, (n,))
    sound = np.isfinite(fold.weights) & (fold.weights > 0)
    _refuse(f"{place}: weight", "{0} of query {1} is not positive and finite", ~sound, fold.weights)
    if fold.candidate_items is not None:
        check_array(f"{place}: candidate_items", fold.candidate_items, np.bool_, (len(data.items),))


def _check_truth(subject: str, truth: Sparse, queries: int, size: int, target: str) -> None:
    if getattr(truth, "format", None) != "csr":
        raise PluginError(f"{subject} must be a csr matrix, not {type(truth).__name__}")
    _check_shape(subject, truth.shape, queries, size, target)
    _refuse(subject, "has the entry {0}; all entries must be 1", truth.data != 1, truth.data)


def _check_gains(subject: str, gains: Sparse, truth: Sparse | None) -> None:
    if getattr(gains, "format", None) != "csr":
        raise PluginError(f"{subject} must be a csr matrix, not {type(gains).__name__}")
    if truth is None:
        raise PluginError(f"{subject} belong to a target for which the fold has no truth")
    same = gains.shape == truth.shape and np.array_equal(gains.indptr, truth.indptr)
    if not same or not np.array_equal(gains.indices, truth.indices):
        raise PluginError(f"{subject} must have an entry for every entry of the truth, and no other")
    _refuse(subject, "have the entry {0}; all entries must be finite", ~np.isfinite(gains.data), gains.data)


def _check_shape(subject: str, shape: tuple[int, ...], queries: int, size: int, target: str) -> None:
    """Raise PluginError unless the shape is (`queries`, `size`): a row per query, a column per entity of the target."""
    if shape[0] != queries:
        raise PluginError(f"{subject} has {shape[0]} rows for {queries} queries")
    if shape[1] != size:
        raise PluginError(f"{subject} has {shape[1]} columns for {size} {target}")


def _outside(codes: NDArray[np.integer], size: int) -> Bools:
    """Return bool, parallel to `codes`: true for a code that a vocabulary of this size does not have."""
    return (codes < 0) | (codes >= size)


def _refuse(subject: str, message: str, wrong: Bools, values: NDArray[np.generic]) -> None:
    """Raise PluginError if any entry of `wrong` is true.

    In `message`, `{0}` stands for the first of `values` that is wrong, and `{1}` for its position.
    """
    if wrong.any():
        place = int(np.argmax(wrong))
        raise PluginError(f"{subject} {message.format(values[place], place)}")
