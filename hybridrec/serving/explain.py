"""Explanations of the places of a slate: sources, scores by model, contributions to the blend, and moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridrec.data.dataset import Dataset
from hybridrec.data.queries import QueryBatch
from hybridrec.stages import kernels
from hybridrec.stages.pipeline import Pipeline
from hybridrec.stages.pool import Pool
from hybridrec.types import PADDING, Floats, Ints, Target


@dataclass(frozen=True, slots=True)
class Move:
    """The change of a candidate's rank by a re-ranker after the fusion.

    Ranks count from 1; a rank is None if the candidate had no score at that point.
    """

    rule: str
    """Name of the re-ranker."""
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """One place of a slate, with the reasons why the id stands there."""

    rank: int
    id: str
    name: str
    score: float | None
    """The score by the fusion, or by a later re-ranker that set a new score; None for an id from the fallback."""
    served_by: str
    """The generator or fallback that served the query."""
    sources: tuple[str, ...]
    """Labels of the generators that proposed the id; ("fallback",) if no generator did."""
    opinions: dict[str, tuple[float, int]]
    """Label of a model -> (its score of the id, its rank among the candidates, from 1), for models that scored it."""
    contributions: dict[str, float]
    """Label of a model -> its summand in the last fusion score that is a sum; the summands add up to this score."""
    moves: tuple[Move, ...]
    """The moves by re-rankers after the fusion, in their order; re-rankers that did not move the id are left out."""


def explain(pipeline: Pipeline, query: QueryBatch, target: Target, n: int, data: Dataset) -> list[Explanation]:
    """Explain the slate of n places for one query: an explanation for each place, best first.

    The slate is made by the same stages as when it is served.
    """
    pool, slate = pipeline.answer(query, target, n)
    ids = slate.ids[0][slate.ids[0] != PADDING]
    external = data.vocabulary(target).texts(ids)
    texts = [data.entities[target].text[code] for code in ids]
    places = columns_of(pool.ids, ids[None])[0].tolist()
    ranks = {label: kernels.ranks(values)[0] for label, values in pool.columns.items()}
    parts = contributions(pipeline, query, pool)
    steps = _steps(pipeline, query, pool, n)
    served_by = slate.servers[slate.served_by[0]]
    return [
        Explanation(
            rank=position + 1,
            id=external[position],
            name=texts[position] or external[position],
            score=None if np.isnan(slate.scores[0, position]) else float(slate.scores[0, position]),
            served_by=served_by,
            sources=_sources(pool, place),
            opinions=_opinions(pool, ranks, place),
            contributions={}
            if place == PADDING
            else {label: float(summand[0, place]) for label, summand in parts.items()},
            moves=() if place == PADDING else _moves(steps, place),
        )
        for position, place in enumerate(places)
    ]


def contributions(pipeline: Pipeline, queries: QueryBatch, pool: Pool) -> dict[str, Floats]:
    """Return the summands of the fusion's scores by label, float32 [Q, K] each.

    If several re-rankers of the chain sum scores, the summands are those of the last of them. The mapping is empty if
    no re-ranker sums scores.
    """
    parts: dict[str, Floats] = {}
    for reranker in pipeline.rerankers.get(pool.target, ()):
        parts = reranker.contributions(queries, pool) or parts
    return parts


def columns_of(candidates: Ints, ids: Ints) -> Ints:
    """Return the column of the pool in which each id of a slate stands, int64 [Q, n]; -1 if it is not in the pool.

    candidates: int32 [Q, K], the ids of the pool, ascending in each row, with padding at the end
    ids: int32 [Q, n], the ids of the slates
    """
    width = int(max(candidates.max(initial=0), ids.max(initial=0))) + 1
    offsets = np.arange(len(ids), dtype=np.int64)[:, None] * width
    valid = candidates != PADDING
    keys = (candidates + offsets)[valid]
    wanted = (ids + offsets).ravel()
    places = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
    there = (ids.ravel() != PADDING) & (keys[places] == wanted if len(keys) else False)
    return np.where(there, np.nonzero(valid)[1][places] if len(keys) else 0, PADDING).reshape(ids.shape)


def _steps(pipeline: Pipeline, query: QueryBatch, pool: Pool, n: int) -> list[tuple[str, Floats, Floats]]:
    """Return (name, ranks before, ranks after) for each re-ranker that changes an existing order.

    The ranks are float32 [1, K], from 1, NaN for candidates without a score.
    """
    steps = []
    for reranker in pipeline.rerankers.get(pool.target, ()):
        only = pool.final is None and len(pool.columns) == 1
        before = next(iter(pool.columns.values())) if only else pool.final
        pool = pipeline.reranked(query, pool, n, [reranker])
        if before is not None and pool.final is not None:
            steps.append((reranker.name, kernels.ranks(before), kernels.ranks(pool.final)))
    return steps


def _moves(steps: list[tuple[str, Floats, Floats]], place: int) -> tuple[Move, ...]:
    """Return the moves of the candidate in column `place` of the pool, one for each step that changed its rank."""
    moves = (Move(rule, _rank(before, place), _rank(after, place)) for rule, before, after in steps)
    return tuple(move for move in moves if move.before != move.after)


def _rank(ranks: Floats, place: int) -> int | None:
    return None if np.isnan(ranks[0, place]) else int(ranks[0, place])


def _sources(pool: Pool, place: int) -> tuple[str, ...]:
    if place == PADDING:
        return ("fallback",)
    return tuple(label for label in pool.generators if pool.proposed_by(label)[0, place])


def _opinions(pool: Pool, ranks: dict[str, Floats], place: int) -> dict[str, tuple[float, int]]:
    if place == PADDING:
        return {}
    values = {label: float(column[0, place]) for label, column in pool.columns.items()}
    return {label: (value, int(ranks[label][place])) for label, value in values.items() if not np.isnan(value)}
