"""Checks of what components return: each raises PluginError with the first offending value."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hybridrec.data.array_checks import check_array
from hybridrec.errors import PluginError
from hybridrec.stages.candidates import Candidates, Exclude
from hybridrec.stages.component import Component
from hybridrec.stages.figures import (
    MOST_COLUMNS,
    MOST_POINTS,
    MOST_ROWS,
    MOST_STRIPES,
    MOST_VECTORS,
    CurveFigure,
    Figure,
    StripesFigure,
    TableFigure,
)
from hybridrec.stages.filter import Filter
from hybridrec.stages.pool import PROPENSITY, Pool
from hybridrec.types import PADDING, Bools, Floats, Ints, State

C = TypeVar("C", bound=Component | Filter)
TOLERANCE = 1e-5
"""The largest excess of a score over the one before it, relative to the largest score of the row."""


def check_candidates(candidates: object, queries: int, k: int, n: int) -> None:
    """Refuse candidates that break the contract of generators.

    For `queries` queries, k candidates each and a vocabulary of size `n`, the ids must be int32 [queries, k], from 0 to
    n - 1, distinct in each row and followed by padding (-1). The scores must be float32 of the same shape, descending
    in each row, finite at ids and NaN at padding.
    """
    if not isinstance(candidates, Candidates):
        raise PluginError(f"candidates must return Candidates, not {type(candidates).__name__}")
    ids, scores = candidates.ids, candidates.scores
    check_array("candidates: ids", ids, np.int32, (queries, k))
    check_array("candidates: scores", scores, np.float32, (queries, k))
    ascending = np.sort(ids, axis=1)
    if _full_and_sound(ascending, scores, n):
        return
    padding = ids == PADDING
    _refuse("candidates: id {0} of query {1} is not in the vocabulary of " + str(n), (ids < PADDING) | (ids >= n), ids)
    _refuse("candidates: id {0} of query {1} follows padding", _fell(padding), ids)
    _refuse("candidates: id {0} of query {1} is proposed twice", _repeats(ascending), ascending)
    _refuse("candidates: padding of query {1} has the score {0}, not NaN", padding & ~np.isnan(scores), scores)
    _refuse("candidates: an id of query {1} has the score {0}", ~padding & ~np.isfinite(scores), scores)
    _refuse("candidates: score {0} of query {1} is higher than the one before it", _rises(scores), scores)


def check_exclude(exclude: object, queries: int, n: int) -> None:
    """Refuse an exclusion that breaks the contract of filters.

    For `queries` queries and a vocabulary of size `n`, its fields must be None or have these types and shapes: rows csr
    [queries, n]; ids bool[n]; released float64[n] with times float64[queries]; groups bool[G, n] with group
    int32[queries] from -1 to G - 1.
    """
    if not isinstance(exclude, Exclude):
        raise PluginError(f"exclude must return an Exclude, not {type(exclude).__name__}")
    for field, other in (("released", "times"), ("groups", "group")):
        if (getattr(exclude, field) is None) != (getattr(exclude, other) is None):
            raise PluginError(f"exclude: `{field}` and `{other}` belong together; give both or neither")
    if exclude.rows is not None and exclude.rows.shape != (queries, n):
        raise PluginError(f"exclude: rows must have the shape {(queries, n)}, not {exclude.rows.shape}")
    if exclude.ids is not None:
        check_array("exclude: ids", exclude.ids, np.bool_, (n,))
    if exclude.released is not None and exclude.times is not None:
        check_array("exclude: released", exclude.released, np.float64, (n,))
        check_array("exclude: times", exclude.times, np.float64, (queries,))
    if exclude.groups is not None and exclude.group is not None:
        check_array("exclude: groups", exclude.groups, np.bool_, (len(exclude.groups), n))
        check_array("exclude: group", exclude.group, np.int32, (queries,))
        wrong = (exclude.group < PADDING) | (exclude.group >= len(exclude.groups))
        message = f"exclude: query {{1}} is of the group {{0}}; there are {len(exclude.groups)}, and -1 for none"
        _refuse(message, wrong[:, None], exclude.group[:, None])


def check_excluded(candidates: Candidates, exclude: Exclude) -> None:
    """Refuse candidates with an excluded id; `check_candidates` must have accepted them."""
    _refuse("candidates: id {0} of query {1} is excluded", exclude.holds(candidates.ids), candidates.ids)


def check_scores(scores: Floats, ids: Ints, columns: Sequence[str] = (), proposed: Floats | None = None) -> None:
    """Refuse scores that break the contract of scorers.

    The scores must be float32 in the shape of `ids`, [Q, K]. With C `columns` the shape must be [C, Q, K], and the
    names of the columns must be valid and distinct. Scores must be NaN at padding, and never infinite.

    NaN at an id is "no opinion". A component may not have "no opinion" on a candidate that it proposed itself as a
    generator: `proposed`, float32 [Q, K], has the scores with which it proposed, NaN at all other candidates.
    """
    if columns:
        _check_names(columns)
        check_array("scores", scores, np.float32, (len(columns), *ids.shape))
    else:
        check_array("scores", scores, np.float32, ids.shape)
    for name, values in zip(columns or [""], scores if columns else [scores], strict=True):
        of = f"scores of '{name}'" if name else "scores"
        _refuse(of + ": padding of query {1} has the score {0}, not NaN", (ids == PADDING) & ~np.isnan(values), values)
        _refuse(of + ": a score of query {1} is {0}; return NaN for 'no opinion'", np.isinf(values), values)
        if proposed is not None:
            message = of + ": id {0} of query {1} is NaN, but the component proposed it itself"
            _refuse(message, np.isnan(values) & ~np.isnan(proposed), ids)


def _check_names(columns: Sequence[str]) -> None:
    for place, name in enumerate(columns):
        if not isinstance(name, str) or not re.fullmatch(r"\w[\w.+-]*", name):
            raise PluginError(f"columns: {name!r} cannot name a column; use letters, digits, `_`, `.`, `+` and `-`")
        if name in columns[:place]:
            raise PluginError(f"columns: '{name}' is named twice")


RESERVED = frozenset(("query", "rank", "id", "score", "served_by", "request", "place", PROPENSITY))
"""Names that `extras` may not have, since frames of slates use them."""


def check_propensities(propensities: Floats, ids: Ints) -> None:
    """Refuse propensities that break the contract of policies.

    The propensities must be float32 in the shape of the slates `ids`, and from 0 to 1 at every id.
    """
    check_array("propensities", propensities, np.float32, ids.shape)
    # Sums of many small probabilities may exceed 1 by rounding.
    wrong = (ids != PADDING) & ~((propensities >= 0) & (propensities <= 1 + TOLERANCE))
    _refuse("propensities: {0} for an id of query {1}; right is from 0 to 1", wrong, propensities)


def check_ranked(ranked: Pool, pool: Pool) -> None:
    """Refuse a pool, `ranked`, that breaks the contract of re-rankers; `pool` is the pool that the re-ranker received.

    `ranked` must have the same candidates as `pool`. Its `final` must be None, or float32 in the shape of the ids,
    finite at every candidate and NaN at padding. Its `extras` must be float32 in the shape of the ids; their names must
    not be those of the columns that every slate has.
    """
    if not isinstance(ranked, type(pool)):
        raise PluginError(f"rerank must return a Pool, not {type(ranked).__name__}")
    if ranked.ids is not pool.ids and not np.array_equal(ranked.ids, pool.ids):
        raise PluginError("rerank returned other candidates than it was given; it may only order them, by `final`")
    for name, values in ranked.extras.items():
        if name in RESERVED:
            raise PluginError(f"extras: '{name}' is a column that every slate has; choose another name")
        check_array(f"extras: '{name}'", values, np.float32, pool.ids.shape)
    if ranked.final is None:
        return
    check_array("final", ranked.final, np.float32, pool.ids.shape)
    if not np.isnan(ranked.final.reshape(-1)[pool.padding]).all():
        wrong = ~pool.valid & ~np.isnan(ranked.final)
        _refuse("final: padding of query {1} has the score {0}, not NaN", wrong, ranked.final)
    finite = np.isfinite(ranked.final)
    if np.count_nonzero(finite) != pool.ids.size - len(pool.padding):
        row, column = np.argwhere(pool.valid & ~finite)[0]
        raise PluginError(
            f"final: id {pool.ids[row, column]} of query {row} has the score {ranked.final[row, column]}; give every "
            "candidate a number: only a filter removes one"
        )


def check_self(component: C, method: str, returned: object) -> C:
    """Return the component; raises PluginError if its `method` returned something else than the component itself.

    `returned` is the result of that method, whose contract is to return self.
    """
    if returned is not component:
        kind = "None" if returned is None else type(returned).__name__
        raise PluginError(f"{method} returned {kind}; it must return self")
    return component


def check_state(state: State) -> None:
    """Refuse a state that does not consist of named arrays without Python objects."""
    if not isinstance(state, Mapping):
        raise PluginError(f"state must return a mapping of names to arrays, not {type(state).__name__}")
    for name, array in state.items():
        if not isinstance(array, np.ndarray):
            raise PluginError(f"state: '{name}' must be a numpy array, not {type(array).__name__}")
        if array.dtype.hasobject:
            raise PluginError(f"state: '{name}' is an array of Python objects, which cannot be stored")


def check_figures(figures: object) -> None:
    """Refuse figures that the report cannot hold: of a wrong type, empty, too large, or of sizes that do not agree."""
    if not isinstance(figures, Sequence):
        raise PluginError(f"figures must return a list, not {type(figures).__name__}")
    for figure in figures:
        if not isinstance(figure, CurveFigure | TableFigure | StripesFigure):
            others = "a CurveFigure, a TableFigure or a StripesFigure"
            raise PluginError(f"figures: {type(figure).__name__} is not {others}")
        if reason := _misfit(figure):
            raise PluginError(f"figures: '{figure.title}': {reason}")


def _misfit(figure: Figure) -> str:
    """Return the reason why the report cannot hold a figure; "" if the report can hold it."""
    if isinstance(figure, CurveFigure):
        sizes = [("points", len(figure.points), MOST_POINTS)]
        reason = "" if all(len(point) == 2 for point in figure.points) else "a point is a pair (x, y)"
        if figure.chosen is not None and not 0 <= figure.chosen < len(figure.points):
            reason = f"{figure.chosen} is not the place of a point"
    elif isinstance(figure, TableFigure):
        headers = len(figure.headers)
        sizes = [("headers", headers, MOST_COLUMNS), ("rows", len(figure.rows), MOST_ROWS)]
        uneven = [place for place, row in enumerate(figure.rows) if len(row) != headers]
        reason = f"row {uneven[0]} has {len(figure.rows[uneven[0]])} cells for {headers} headers" if uneven else ""
    else:
        rows = len(figure.names)
        dimensions = np.shape(figure.vectors)[-1] if np.ndim(figure.vectors) else 0
        check_array(f"figures: '{figure.title}': vectors", figure.vectors, np.float32, (rows, dimensions))
        sizes = [("vectors", rows, MOST_VECTORS), ("dimensions", dimensions, MOST_STRIPES)]
        texts = len(figure.texts)
        reason = "" if texts in (0, rows) else f"{texts} texts for {rows} vectors"
    unfit = [f"{size} {name}, and 1 to {most} can be shown" for name, size, most in sizes if not 1 <= size <= most]
    return (unfit or [reason])[0]


def _refuse(message: str, wrong: Bools, values: NDArray[np.generic]) -> None:
    """Raise PluginError if any entry of `wrong`, bool [Q, K], is true.

    In `message` {0} is replaced by the value at the first such entry, and {1} by its row.
    """
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise PluginError(message.format(values[row, column], row))


def _full_and_sound(ascending: Ints, scores: Floats, n: int) -> bool:
    """Return True if the lists of candidates have no padding and break no rule of the contract.

    It is a fast test, after which most lists need no search for the first fault. `ascending`, int32 [Q, k], has the ids
    of each list in ascending order. `scores`, float32 [Q, k], has the scores of each list, in the list's own order.
    `n` is the size of the vocabulary.
    """
    if not ascending.size or ascending[:, 0].min() < 0 or ascending[:, -1].max() >= n:
        return False
    distinct = (ascending[:, 1:] != ascending[:, :-1]).all()
    return bool(distinct and np.isfinite(scores).all() and not (scores[:, 1:] > scores[:, :-1]).any())


def _fell(flags: Bools) -> Bools:
    """Return bool in the shape of `flags`: true at each false entry that directly follows a true entry in its row."""
    result = np.zeros(flags.shape, bool)
    result[:, 1:] = flags[:, :-1] & ~flags[:, 1:]
    return result


def _repeats(ascending: Ints) -> Bools:
    """Return bool in the shape of `ascending`, ids in sorted rows: true where an id is equal to the one before it.

    The result is false at padding.
    """
    result = np.zeros(ascending.shape, bool)
    result[:, 1:] = (ascending[:, 1:] == ascending[:, :-1]) & (ascending[:, 1:] != PADDING)
    return result


def _rises(scores: Floats) -> Bools:
    """Return bool in the shape of `scores`: true where a score is higher than the one before it in its row.

    Differences that rounding can explain do not count.
    """
    slack = TOLERANCE * np.fmax(np.abs(scores).max(axis=1, keepdims=True, initial=0, where=~np.isnan(scores)), 1e-30)
    result = np.zeros(scores.shape, bool)
    result[:, 1:] = scores[:, 1:] > scores[:, :-1] + slack
    return result
