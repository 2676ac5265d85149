"""What the engine refuses from readers and splitters: each check raises PluginError with the first offending value."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hybridrec.data.array_checks import check_array
from hybridrec.data.dataset import Dataset, contains, pair_keys
from hybridrec.data.queries import QueryBatch
from hybridrec.data.ragged import Ragged
from hybridrec.data.splits.base import Fold
from hybridrec.errors import PluginError
from hybridrec.types import TARGETS, Bools, Sparse


def check_dataset(data: object) -> Dataset:
    """Refuse anything but a dataset from a reader, and give it back."""
    if not isinstance(data, Dataset):
        raise PluginError(f"read must return a Dataset, not {type(data).__name__}")
    return data


def check_fold(fold: object, data: Dataset) -> Fold:
    """Refuse a fold of `data` that breaks the contract of splitters, and give it back.

    Wanted: the vocabularies of the data; truth of both targets, csr of ones, units, int32, and weights,
    positive float64, for every query; the universe bool for every item, or None.
    """
    if not isinstance(fold, Fold):
        raise PluginError(f"a splitter gives objects of class Fold, not {type(fold).__name__}")
    place = f"fold '{fold.name}'"
    _check_known(place, fold, data)
    _check_asked(place, fold, data)
    return fold


def check_hidden(fold: Fold) -> None:
    """Refuse a fold that asks for items which stand in the query or, of its user, in the training part."""
    matrix, history = fold.truth["items"], fold.queries.history
    truth = Ragged(matrix.indices, matrix.indptr, matrix.shape[1])
    for rows in history.blocks():
        wanted, known, trained = truth.take(rows), history.take(rows), fold.train.interactions.take(fold.units[rows])
        asked, query, training = (pair_keys(part.rows, part.ids, truth.width) for part in (wanted, known, trained))
        shown = {"its query": query} if np.array_equal(query, training) else {"its query": query, "training": training}
        for where, keys in shown.items():
            leaked = contains(keys, asked)
            if leaked.any():
                place = int(np.argmax(leaked))
                row, item = rows.start + wanted.rows[place], wanted.ids[place]
                raise PluginError(f"fold '{fold.name}': query {row} asks for item {item} of {where}")


def _check_known(place: str, fold: Fold, data: Dataset) -> None:
    """The training part and the queries: what is known when recommending."""
    for what, part, cls in (("train", fold.train, Dataset), ("queries", fold.queries, QueryBatch)):
        if not isinstance(part, cls):
            raise PluginError(f"{place}: {what} must be a {cls.__name__}, not {type(part).__name__}")
    for kind in ("users", "items", "tags"):
        size, wanted = len(getattr(fold.train, kind)), len(getattr(data, kind))
        if size != wanted:
            raise PluginError(f"{place}: train has {size} {kind}, the data has {wanted}; the vocabularies stay whole")
    queries, n, items = fold.queries, len(fold.queries), len(data.items)
    history = queries.history
    _check_shape(f"{place}: history of the queries", (len(history), history.width), n, items, "items")
    _check_shape(f"{place}: tags of the queries", queries.tags.shape, n, len(data.tags), "tags")
    if len(queries.text) != n:
        raise PluginError(f"{place}: queries have {len(queries.text)} texts, there are {n} queries")
    _refuse(f"{place}: the history", "has item {0}, not in the vocabulary", _outside(history.ids, items), history.ids)
    if queries.times is not None:
        check_array(f"{place}: times of the queries", queries.times, np.float64, (n,))


def _check_asked(place: str, fold: Fold, data: Dataset) -> None:
    """What was hidden, whom it belongs to, how much it counts, and what may be recommended."""
    n = len(fold.queries)
    for target in TARGETS:
        if target not in fold.truth:
            raise PluginError(f"{place}: truth lacks '{target}'; give a matrix without entries where none are asked")
        _check_truth(f"{place}: truth of {target}", fold.truth[target], n, len(getattr(data, target)), target)
    check_array(f"{place}: units", fold.units, np.int32, (n,))
    _refuse(f"{place}: unit", "{0} of query {1} is no user", _outside(fold.units, len(data.users)), fold.units)
    check_array(f"{place}: weights", fold.weights, np.float64, (n,))
    sound = np.isfinite(fold.weights) & (fold.weights > 0)
    _refuse(f"{place}: weight", "{0} of query {1} is not positive and finite", ~sound, fold.weights)
    if fold.universe is not None:
        check_array(f"{place}: universe", fold.universe, np.bool_, (len(data.items),))


def _check_truth(what: str, truth: Sparse, queries: int, size: int, target: str) -> None:
    if getattr(truth, "format", None) != "csr":
        raise PluginError(f"{what} must be a csr matrix, not {type(truth).__name__}")
    _check_shape(what, truth.shape, queries, size, target)
    _refuse(what, "has the entry {0}; it is made of ones", truth.data != 1, truth.data)


def _check_shape(what: str, shape: tuple[int, ...], queries: int, size: int, target: str) -> None:
    """A row for each query, a column for each id of the target."""
    if shape[0] != queries:
        raise PluginError(f"{what} has {shape[0]} rows, there are {queries} queries")
    if shape[1] != size:
        raise PluginError(f"{what} has {shape[1]} columns, there are {size} {target}")


def _outside(codes: NDArray[np.integer], size: int) -> Bools:
    """Which codes are none of a vocabulary of this size."""
    return (codes < 0) | (codes >= size)


def _refuse(what: str, message: str, wrong: Bools, values: NDArray[np.generic]) -> None:
    """Raise with the first value at which `wrong`, bool[Q], is true; {0} is the value, {1} its place."""
    if wrong.any():
        place = int(np.argmax(wrong))
        raise PluginError(f"{what} {message.format(values[place], place)}")
