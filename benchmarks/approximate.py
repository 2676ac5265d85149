"""Timing of exact and approximate search in large catalogues: factors of ALS, their cosines, and random vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np
import polars as pl

from benchmarks import peers, synthetic
from benchmarks.synthetic import Size
from benchmarks.timing import Work, in_blocks, race
from hybridrec import Candidates, Dataset, Exclude, Floats, QueryBatch, State, Tables, Target, VectorModel, assemble
from hybridrec_ann.approximate import Approximate
from hybridrec_implicit.als import ALS

SEED = 8
ROWS = 256
"""Number of queries in a block of a thread."""
PLACES = 100
PROBES = 0.5
"""Share of the cells that is scanned where vectors form clusters."""


class Given(VectorModel):
    """Precomputed vectors of users, float32 [U, D], and items, float32 [I, D], so that only the search is timed."""

    name = "given"
    needs = frozenset({"user"})

    def __init__(self, users: Floats, items: Floats) -> None:
        super().__init__()
        self._users, self._items = users, items

    def fit(self, data: Dataset, rng: np.random.Generator) -> Self:
        """Return the model unchanged: nothing is learned."""
        return self

    def query_vectors(self, queries: QueryBatch, target: Target) -> Floats:
        """Return the vectors of the users."""
        return self._users[queries.users]

    def vectors(self, target: Target) -> Floats:
        """Return the vectors of the items."""
        return self._items

    def state(self) -> State:
        """Return both sets of vectors."""
        return {"users": self._users, "items": self._items}

    def restore(self, state: State) -> Self:
        """Take both sets of vectors from `state`; return self."""
        self._users, self._items = state["users"], state["items"]
        return self


def approximate(quick: bool) -> list[Work]:
    """Time the best 100 of large catalogues by `approximate` and by exact search: 64 dimensions, without seen items."""
    sizes = [Size(2_000, 5_000, 60_000)] if quick else [Size(20_000, n, 2_000_000) for n in (60_000, 200_000, 500_000)]
    return [work for size in sizes for work in _searched(size, 512 if quick else 1_024)]


def _searched(size: Size, queries: int) -> list[Work]:
    pairs = synthetic.write(size, peers.cache_folder() / "data") / "pairs.parquet"
    data = assemble(Tables(pl.read_parquet(pairs, columns=["user", "item"])))
    rng = np.random.default_rng(SEED)
    als = ALS(ALS.Config(factors=64, iterations=3, fields=("items",))).fit(data, rng)
    everybody = data.queries(np.arange(len(data.users), dtype=np.int32))
    factors = Given(als.query_vectors(everybody, "items"), als.vectors("items"))
    equal = Given(_of_length_1(factors.query_vectors(everybody, "items")), _of_length_1(factors.vectors("items")))
    random = Given(*synthetic.latent(len(data.users), len(data.items), 64, rng))
    asked = everybody.take(np.sort(rng.permutation(len(data.users))[:queries]))
    named: dict[str, tuple[Given, dict[str, dict[str, float]]]] = {
        "factors of ALS": (factors, {"all codes": {}, f"{PROBES:.0%} of the cells": {"probes": PROBES}}),
        "their cosines": (equal, {"all codes": {"expansion": 8}}),
        "vectors without structure": (random, {"all codes": {"expansion": 8}}),
    }
    return [
        _raced(f"top-{PLACES} of {len(data.items):,} items, {name}", model, variants, data, asked)
        for name, (model, variants) in named.items()
    ]


def _of_length_1(vectors: Floats) -> Floats:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _raced(name: str, model: Given, variants: Mapping[str, dict[str, float]], data: Dataset, asked: QueryBatch) -> Work:
    seen = Exclude(asked.history.matrix(binary=True))
    searches: dict[str, VectorModel] = {"exact": model}
    for variant, options in variants.items():
        made = Approximate(Approximate.Config.model_validate({"uses": "given", **options})).use(model)
        searches[f"approximate, {variant}"] = made.fit(data, np.random.default_rng(SEED))
    by_way = {way: Candidates.empty(len(asked), PLACES) for way in searches}

    def search(way: str, rows: slice) -> None:
        candidates = searches[way].candidates(asked.take(rows), PLACES, "items", seen.take(rows))
        by_way[way].ids[rows] = candidates.ids

    ways = {way: in_blocks(lambda rows, way=way: search(way, rows), len(asked), ROWS) for way in searches}
    work = race(name, "query", len(asked), ways, repeats=3)
    for way in list(searches)[1:]:
        work.ways[way].facts["expansion"] = searches[way].config.expansion  # type: ignore[attr-defined]
        work.ways[way].facts["recall"] = _recall(by_way[way], by_way["exact"])
        work.ratio("exact", way)
    return work


def _recall(retrieved: Candidates, exact: Candidates) -> float:
    """Return the mean share of the exact candidates of a query that are among the retrieved ones."""
    shares = [np.isin(wanted, ids).mean() for wanted, ids in zip(exact.ids, retrieved.ids, strict=True)]
    return float(np.mean(shares))
