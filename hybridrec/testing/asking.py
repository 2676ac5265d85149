"""Asking a component under test, and comparing what it answers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hybridrec.arrays import PADDING, Bools, Floats, Ints, Target
from hybridrec.data.queries import QueryBatch
from hybridrec.stages.checks import check_candidates, check_scores
from hybridrec.stages.component import Candidates, Component, Exclude, Generator, Scorer
from hybridrec.testing.comparing import read_only, toy


def generated(model: Component) -> Iterator[Target]:
    """The targets it generates candidates for."""
    yield from model.targets if isinstance(model, Generator) else ()


def scored(model: Component) -> Iterator[Target]:
    """The targets it scores."""
    yield from model.targets if isinstance(model, Scorer) else ()


def size(target: Target) -> int:
    """Ids of the toy dataset."""
    return len(toy().items if target == "items" else toy().tags)


def some_ids(queries: QueryBatch, target: Target) -> Ints:
    """All ids in another order for each query, with padding in between: int32 [Q, N + 2], read-only as in a pool."""
    n = size(target)
    padded = np.concatenate((np.arange(n, dtype=np.int32), np.full(2, PADDING, np.int32)))
    ids = np.random.default_rng(1).permuted(np.tile(padded, (len(queries), 1)), axis=1)
    return read_only(ids)


def candidates(
    model: Component, queries: QueryBatch, target: Target, k: int, exclude: Exclude | None = None
) -> Candidates:
    """What a generator proposes, well formed: ids int32 and scores float32, [Q, k]."""
    assert isinstance(model, Generator)
    found = model.candidates(queries, k, target, Exclude() if exclude is None else exclude)
    check_candidates(found, len(queries), k, size(target))
    return found


def score(model: Component, queries: QueryBatch, ids: Ints, target: Target) -> Floats:
    """What a scorer says of the ids, well formed: float32, shape of `ids`."""
    assert isinstance(model, Scorer)
    scores = model.score(queries, ids, target)
    check_scores(scores, ids)
    return scores


def dense(found: Candidates, n: int) -> Floats:
    """Candidates as a matrix [Q, n] of scores, NaN where an id is not proposed."""
    result = np.full((len(found.ids), n), np.nan, np.float32)
    rows, places = np.nonzero(found.ids != PADDING)
    result[rows, found.ids[rows, places]] = found.scores[rows, places]
    return result


def _slack(scores: Floats, tolerance: float) -> Floats:
    """The tolerance of each row: relative to its largest score."""
    largest = np.abs(scores).max(axis=1, keepdims=True, initial=0, where=~np.isnan(scores))
    return (tolerance * np.maximum(largest, 1e-6)).astype(np.float32)


def assert_close(given: Floats, wanted: Floats, tolerance: float, target: Target) -> None:
    """NaN in the same places, and elsewhere scores that differ by less than `tolerance` of the largest of their row."""
    silent = np.isnan(given) != np.isnan(wanted)
    assert not silent.any(), f"{target}: an opinion here and none there, first for query {np.argwhere(silent)[:1]}"
    apart = np.abs(given - wanted) > _slack(wanted, tolerance)
    assert not apart.any(), f"{target}: score {given[apart][:1]} where {wanted[apart][:1]} is expected"


def tied(scores: Floats) -> Bools:
    """Where a score ties with a neighbour within 1e-5, or is the last (which may tie with one not listed)."""
    near = np.abs(np.diff(scores, axis=1)) <= _slack(scores, 1e-5)
    last = np.ones((len(scores), 1), bool)
    return np.concatenate((near, last), axis=1) | np.concatenate((~last, near), axis=1)
