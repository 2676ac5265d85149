"""Explanations of the items of a slate: sources, scores, contributions and moves."""

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
    """The effect of a re-ranker after the fusion on one candidate: ranks from 1, None while it had no score."""

    rule: str
    """Name of the re-ranker."""
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """One place of a slate with its explanation."""

    rank: int
    id: str
    name: str
    score: float | None
    """The score of the fusion, or of a re-ranker that gave a new one; None where there is none (the fallback)."""
    served_by: str
    """The generator or fallback that served the query."""
    sources: tuple[str, ...]
    """Generators that proposed the id; "fallback" if none did."""
    opinions: dict[str, tuple[float, int]]
    """Label -> (score, rank among the candidates, from 1), for the models with a score for it."""
    contributions: dict[str, float]
    """Label -> its part of the score of the last fusion that is a sum; the parts add up to that score."""
    moves: tuple[Move, ...]
    """The moves by the re-rankers after the fusion, in their order; re-rankers that did not move it are left out."""


def explain(pipeline: Pipeline, query: QueryBatch, target: Target, n: int, data: Dataset) -> list[Explanation]:
    """Explain the slate of one query, place by place, through the same stages that made it."""
    exclude = pipeline.filters.exclude(query, target)
    pool = pipeline.score(query, pipeline.generate(query, target, exclude))
    slate = pipeline.complete(query, pipeline.rank(query, pool, n), n, exclude)
    ids = slate.ids[0][slate.ids[0] != PADDING]
    external = data.vocabulary(target).texts(ids)
    texts = [data.entities[target].text[code] for code in ids]
    places = _places(pool.ids[0], ids)
    ranks = {label: kernels.ranks(values)[0] for label, values in pool.columns.items()}
    parts = _contributions(pipeline, query, pool)
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


def _contributions(pipeline: Pipeline, query: QueryBatch, pool: Pool) -> dict[str, Floats]:
    """Return the summands of the fusion; in a chain with several sums those of the last one."""
    parts: dict[str, Floats] = {}
    for reranker in pipeline.rerankers.get(pool.target, ()):
        parts = reranker.contributions(query, pool) or parts
    return parts


def _steps(pipeline: Pipeline, query: QueryBatch, pool: Pool, n: int) -> list[tuple[str, Floats, Floats]]:
    """Return (rule, ranks before, ranks after), float32 [1, K], of each re-ranker that was given an order."""
    steps = []
    for reranker in pipeline.rerankers.get(pool.target, ()):
        only = pool.final is None and len(pool.columns) == 1
        before = next(iter(pool.columns.values())) if only else pool.final
        pool = pipeline.reranked(query, pool, n, [reranker])
        if before is not None and pool.final is not None:
            steps.append((reranker.name, kernels.ranks(before), kernels.ranks(pool.final)))
    return steps


def _moves(steps: list[tuple[str, Floats, Floats]], place: int) -> tuple[Move, ...]:
    """Return the moves of the candidate at this column, one for each step that changed its rank."""
    moves = (Move(rule, _rank(before, place), _rank(after, place)) for rule, before, after in steps)
    return tuple(move for move in moves if move.before != move.after)


def _rank(ranks: Floats, place: int) -> int | None:
    return None if np.isnan(ranks[0, place]) else int(ranks[0, place])


def _places(candidates: Ints, ids: Ints) -> list[int]:
    """Return the column of each id among the candidates, -1 if it is not among them."""
    insertions = np.searchsorted(candidates[candidates != PADDING], ids)
    return [
        int(place) if place < len(candidates) and candidates[place] == wanted else PADDING
        for place, wanted in zip(insertions, ids, strict=True)
    ]


def _sources(pool: Pool, place: int) -> tuple[str, ...]:
    if place == PADDING:
        return ("fallback",)
    return tuple(label for label in pool.generators if pool.proposed_by(label)[0, place])


def _opinions(pool: Pool, ranks: dict[str, Floats], place: int) -> dict[str, tuple[float, int]]:
    if place == PADDING:
        return {}
    values = {label: float(column[0, place]) for label, column in pool.columns.items()}
    return {label: (value, int(ranks[label][place])) for label, value in values.items() if not np.isnan(value)}
