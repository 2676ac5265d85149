"""Helpers of the contract suites, which query a component under test and compare its answers."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hybridrec.data.dataset import Dataset
from hybridrec.data.queries import QueryBatch
from hybridrec.data.splits.holdout import hide_pairs
from hybridrec.data.vocabulary import Vocabulary
from hybridrec.errors import DataError
from hybridrec.stages.candidates import Candidates, Exclude
from hybridrec.stages.checks import check_candidates, check_scores, check_self, check_state
from hybridrec.stages.component import Component, Generator, Scorer
from hybridrec.stages.validation_split import ValidationSplit
from hybridrec.testing.datasets import edge_datasets, toy_dataset, toy_queries
from hybridrec.types import PADDING, Bools, Floats, Ints, State, Target


def targets_of(model: Component, data: Dataset) -> tuple[Target, ...]:
    """Return the targets of a dataset that `model` recommends."""
    return tuple(target for target in data.targets if model.recommends(target))


def shuffled_ids(queries: QueryBatch, target: Target) -> Ints:
    """Return all ids of a target and two paddings, shuffled for each query: int32 [Q, N + 2], read-only."""
    n = queries.width(target)
    padded = np.concatenate((np.arange(n, dtype=np.int32), np.full(2, PADDING, np.int32)))
    ids = np.random.default_rng(1).permuted(np.tile(padded, (len(queries), 1)), axis=1)
    return read_only(ids)


def candidates(
    model: Component, queries: QueryBatch, target: Target, k: int, exclude: Exclude | None = None
) -> Candidates:
    """Generate candidates and check them: ids int32 [Q, k] and scores float32 [Q, k] in the right form."""
    assert isinstance(model, Generator)
    proposed = model.candidates(queries, k, target, Exclude() if exclude is None else exclude)
    check_candidates(proposed, len(queries), k, queries.width(target))
    return proposed


def score(model: Component, queries: QueryBatch, ids: Ints, target: Target) -> Floats:
    """Score ids, int32 [Q, K], and check the scores: float32 [C, Q, K], where C is the number of columns."""
    assert isinstance(model, Scorer)
    scores = model.score(queries, ids, target)
    check_scores(scores, ids, model.columns)
    return scores if model.columns else scores[None]


def dense(proposed: Candidates, n: int) -> Floats:
    """Convert candidates to a matrix of scores: float32 [Q, n], NaN at ids that were not proposed."""
    result = np.full((len(proposed.ids), n), np.nan, np.float32)
    rows, places = np.nonzero(proposed.ids != PADDING)
    result[rows, proposed.ids[rows, places]] = proposed.scores[rows, places]
    return result


def _slack(scores: Floats, tolerance: float) -> Floats:
    """Return the tolerance of each row: `tolerance` times the row's largest absolute score, float32 [..., 1]."""
    largest = np.abs(scores).max(axis=-1, keepdims=True, initial=0, where=~np.isnan(scores))
    return (tolerance * np.maximum(largest, 1e-6)).astype(np.float32)


def assert_close(given: Floats, wanted: Floats, tolerance: float, target: Target) -> None:
    """Assert that scores are NaN in the same places, and elsewhere equal within a tolerance.

    `tolerance` is relative to the largest score of the row.
    """
    silent = np.isnan(given) != np.isnan(wanted)
    assert not silent.any(), f"{target}: only one of the two has an opinion, first for query {np.argwhere(silent)[:1]}"
    apart = np.abs(given - wanted) > _slack(wanted, tolerance)
    assert not apart.any(), f"{target}: score {given[apart][:1]} where {wanted[apart][:1]} is expected"


def tied(scores: Floats) -> Bools:
    """Mark the places of slates whose ids may change places with other ids: bool [Q, k], like `scores`, best first.

    These are the scores that are equal to the score before or after them, within 1e-5 of the largest of the row, and
    the last score of each row, which may be equal to the score of an id that is not in the slate.
    """
    near = np.abs(np.diff(scores, axis=1)) <= _slack(scores, 1e-5)
    last = np.ones((len(scores), 1), bool)
    return np.concatenate((near, last), axis=1) | np.concatenate((~last, near), axis=1)


def validation_of(data: Dataset) -> ValidationSplit | None:
    """Return a validation split inside a dataset; None if the dataset has too few interactions."""
    try:
        fold = hide_pairs("validation", data, 0.3, np.random.default_rng(0))
    except DataError:
        return None
    return ValidationSplit(fold, {target: Exclude(rows=fold.queries.matrix(target)) for target in fold.truth})


C = TypeVar("C", bound=Component)
T = TypeVar("T", bound=np.generic)


@lru_cache(maxsize=1)
def toy() -> Dataset:
    """Return the toy dataset, always the same one, which is read-only."""
    return toy_dataset()


@lru_cache(maxsize=1)
def large() -> Dataset:
    """Return a large toy dataset, always the same one, on which a matrix of all pairs of items takes visible memory."""
    return toy_dataset(1_000, 2_500, share=0.008)


@lru_cache(maxsize=1)
def edges() -> dict[str, Dataset]:
    """Return the incomplete datasets of `edge_datasets`: always the same dict, which callers must not change."""
    return edge_datasets()


@lru_cache(maxsize=1)
def queries_of_all_kinds() -> QueryBatch:
    """Return the queries of all kinds for the toy dataset, always the same batch."""
    return toy_queries(toy())


def fitted(component: C, data: Dataset) -> C:
    """Fit a component on `data` as a run would, and return it; raises PluginError if `fit` does not return self."""
    if component.validates:
        component.validation = validation_of(data)
    check_self(component, "fit", component.fit(data, np.random.default_rng(0)))
    component.validation = None
    return component


def identical(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Return True if two arrays have the same type and the same values; NaN is equal to NaN."""
    return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def read_only(array: NDArray[T]) -> NDArray[T]:
    """Make an array read-only, like the arrays that the engine shares among plugins, and return it."""
    array.flags.writeable = False
    return array


def contents(**handed: object) -> dict[str, object]:
    """Return a copy of the content of a plugin's arguments, by argument and field, to compare before and after a call.

    The order of the entries of a csr matrix counts: sorting them is a change, too.
    """
    return {name: entry for place, value in handed.items() for name, entry in _entries(place, value)}


def assert_unchanged(before: Mapping[str, object], **handed: object) -> None:
    """Assert that the arguments still have the content `before`, which `contents` returned before the call."""
    after = contents(**handed)
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    assert not changed, f"changed what it was given: {', '.join(changed)}"


def _entries(name: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, np.ndarray):
        yield name, (value.dtype.str, value.shape, value.tobytes())
    elif isinstance(value, csr_matrix):
        yield from _entries(f"{name}.shape", value.shape)
        for member in ("data", "indices", "indptr"):
            yield from _entries(f"{name}.{member}", getattr(value, member))
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _entries(f"{name}.{key}", entry)
    elif isinstance(value, Vocabulary):
        yield name, value.ids.to_list()
    elif is_dataclass(value):
        yield f"{name}.type", type(value)
        for field in fields(value):
            if field.init:
                yield from _entries(f"{name}.{field.name}", getattr(value, field.name))
    else:
        yield name, value


def through_a_file(state: State) -> State:
    """Write a state to a file, read it again without pickle, and return it; raises PluginError if that fails."""
    check_state(state)
    file = io.BytesIO()
    np.savez(file, **cast(dict[str, Any], state))
    file.seek(0)
    with np.load(file, allow_pickle=False) as loaded:
        return dict(loaded)
