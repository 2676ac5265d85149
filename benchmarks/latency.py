"""Latency of single queries: every first-party component, blends, and one model beside its library."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, cast

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from benchmarks import peers, synthetic
from benchmarks.synthetic import Size
from benchmarks.timing import ROOT, Way, Work
from hybridrec import (
    DAY,
    Component,
    Dataset,
    Generator,
    Query,
    Recommender,
    Registry,
    Scorer,
    Slate,
    Tables,
    assemble,
    load,
    run,
)
from hybridrec.inference.pipelines import GeneratorLayout, PipelineLayout
from hybridrec.inference.pipelines import assemble as assemble_pipeline
from hybridrec.inference.servable import ServableRun, served_data
from hybridrec.stages.pipeline import Filters
from hybridrec.stages.query_filters import SeenFilter
from hybridrec_fusion.fixed_weights import Weighted

CATALOGUES = (10_000, 100_000)
"""Numbers of items of the two catalogues, which have equal numbers of users and of interactions."""
QUICK_CATALOGUES = (60, 120)
USERS, PAIRS = 10_000, 200_000
QUICK_USERS, QUICK_PAIRS = 120, 2_000
WORDS, TAGS, VECTOR = 400, 200, 32
"""Numbers of distinct words in titles, of tags, and of dimensions of the content vectors of items."""
BLOCK, QUERIES = 32, 64
"""`BLOCK`: number of queries asked at once; `QUERIES`: number of queries in all."""
ROUNDS = 3
"""Rounds of which the one with the lowest median counts: other programs can only add to CPU time."""
BLEND = ("als", "item-knn", "popularity")
"""Components of the blend, in which each is both a generator and a scorer."""
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "als": {"iterations": 1},
    "approximate": {"uses": "als", "recall": 0.5},
    "audio-tag-autoencoder": {"epochs": 1},
    "bpr": {"iterations": 1},
    "cluster-draw": {"uses": "word2vec", "clusters": 20},
    "denoising-autoencoder": {"epochs": 1},
    "lightfm": {"epochs": 1},
    "listed": {"ids": ["i1", "i2", "i3"]},
    "title-vectors": {"epochs": 1},
    "wmf": {"iterations": 1},
    "word2vec": {"epochs": 1},
    "word2vec-clusters": {"uses": "word2vec"},
    "word2vec-mean": {"uses": "word2vec"},
    "word2vec-playlists": {"uses": "word2vec"},
    "word2vec-voting": {"uses": "word2vec"},
}
"""Options that differ from the defaults: the component that is used, and a single pass of training, to save time."""
LARGEST: Mapping[str, int] = {"ease": 10_000, "content-transfer": 10_000}
"""The largest number of items of components that learn a dense matrix of items by items, which takes gigabytes."""
UNMEASURED: Mapping[str, str] = {
    "other-similarity": "it does what the factorization does that it asks",
    "slate-file": "it looks up slates that another program made, and computes nothing",
    "vectors": "it does what `als` does, with vectors that another program learned",
}
"""First-party components that are not measured, with the reason."""
OURS, SOLVED, STORED = "hybridrec, ids as text", "implicit, a user solved anew", "implicit, a stored user"
IN_A_ROW = 50
"""Queries that a way answers in a row before the next one takes the same."""
Ask = Callable[[Sequence[Query]], Slate]
"""A function that answers queries."""


def latency(quick: bool) -> list[Work]:
    """Time queries from ids as text to a slate: one by one, and in blocks of 32 (time of a block / 32)."""
    catalogues = QUICK_CATALOGUES if quick else CATALOGUES
    small, large = (components(items, quick=quick) for items in catalogues)
    wanted = f"≤ {catalogues[1] / catalogues[0]:g}"
    for name, way in large.ways.items():
        if name in small.ways:
            grown = median(way.cpu) / median(small.ways[name].cpu)
            large.note(f"{name}, {catalogues[1]:,} items / {catalogues[0]:,}", grown, wanted)
    blend = " + ".join(BLEND)
    small.note(f"{blend}, CPU ms", median(small.ways[blend].cpu) * 1e3, "≤ 3")
    large.ratios.sort(key=lambda ratio: -cast("float", ratio["value"]))
    return [small, large, shipped_blend(quick), *beside_library(quick)]


def measured(registry: Registry) -> list[type[Component]]:
    """Return the first-party generators and scorers that are not in `UNMEASURED`.

    Components that use another one come last.
    """
    classes = [
        cls
        for cls in cast("Iterator[type[Component]]", registry.classes("components"))
        if issubclass(cls, Generator | Scorer)
        and (provider := registry.provider_of(cls)) is not None
        and provider.distribution == "hybridrec"
        and cls.name not in UNMEASURED
    ]
    return sorted(classes, key=lambda cls: "uses" in OPTIONS.get(cls.name, {}))


def components(items: int, *, quick: bool) -> Work:
    """Time every component alone and a blend of three among so many synthetic items."""
    data = catalogue(items, quick=quick)
    classes = [cls for cls in measured(Registry()) if quick or items <= LARGEST.get(cls.name, items)]
    models: dict[str, Component] = {}
    with threadpool_limits(limits=1):
        for cls in classes:
            models[cls.name] = fitted(cls, data, models)
    recommender = _recommender(data, models)
    queries = _queries(recommender.data)
    ways = {name: _timed(_asking(recommender, name), queries, quick=quick) for name in recommender.pipelines}
    return Work(f"one query among {items:,} items", "query", 1, ways, "CPU")


def catalogue(items: int, *, quick: bool) -> Dataset:
    """Return synthetic data with everything that a component may read."""
    size = Size(QUICK_USERS, items, QUICK_PAIRS) if quick else Size(USERS, items, PAIRS)
    folder = synthetic.write(size, peers.cache_folder() / "data")
    rng = np.random.default_rng(0)
    pairs, listed = pl.read_parquet(folder / "pairs.parquet"), pl.read_parquet(folder / "items.parquet")
    users = pairs["user"].unique().sort()
    words = np.array([f"word{number}" for number in range(WORDS)])
    titles = [" ".join(row) for row in words[rng.integers(WORDS, size=(len(users), 3))]]
    tags = pl.Series([f"tag{number}" for number in rng.integers(TAGS, size=3 * len(users))])

    def times(n: int) -> pl.Series:
        return pl.Series(rng.random(n) * 1000 * DAY)

    return assemble(
        Tables(
            pairs.select("user", "item", time=times(len(pairs))),
            entities={
                "users": pl.DataFrame({"id": users, "text": titles, "time": times(len(users))}),
                "items": listed.select(id="item", text=pl.lit("song ") + "genre", time=times(len(listed))),
            },
            user_has={"tags": pl.DataFrame({"user": pl.concat([users] * 3), "id": tags}).unique()},
            item_has={"tags": listed.select("item", id="genre")},
            features={"items": listed.select(id="item", genre="genre")},
            vectors={"items": (listed["item"], rng.standard_normal((len(listed), VECTOR)).astype(np.float32))},
        )
    )


def fitted(cls: type[Component], data: Dataset, models: Mapping[str, Component]) -> Component:
    """Return a fitted component of a class, on the one of `models` that it uses."""
    options = OPTIONS.get(cls.name, {})
    component = cls(cls.Config(**options))
    if "uses" in options:
        component.use(models[options["uses"]])
    return component.fit(data, np.random.default_rng(0))


def _recommender(data: Dataset, models: Mapping[str, Component]) -> Recommender:
    """Return a recommender with a pipeline for each component, under its name, and the blend."""
    labels = {name: (name,) for name in models} | {" + ".join(BLEND): BLEND}
    seen = SeenFilter().fit(data)
    pipelines = {}
    for name, chosen in labels.items():
        proposing = [label for label in chosen if isinstance(models[label], Generator)] or ["popularity"]
        scoring = tuple(label for label in (*proposing, *chosen) if isinstance(models[label], Scorer))
        layout = PipelineLayout(
            name, tuple(GeneratorLayout(label, 200) for label in proposing), tuple(dict.fromkeys(scoring))
        )
        rerankers = {"items": (Weighted().fit(data, np.random.default_rng(0)),)}
        pipelines[name] = assemble_pipeline(layout, models, rerankers, Filters((seen,)))
    return Recommender(
        ServableRun(
            name="latency",
            targets={"items": 10},
            pipelines=pipelines,
            default=" + ".join(BLEND),
            components=models,
            uses={},
            data=served_data(data),
            trained_on="",
            plugins=(),
            memory=2_000_000_000,
        )
    )


def _queries(data: Dataset) -> list[Query]:
    """Return half of some users' histories, oldest first, with their tags, title and time."""
    users = np.random.default_rng(1).permutation(len(data.users))[:QUERIES].astype(np.int32)
    batch = data.queries(users)
    vocabularies = {kind: data.vocabulary(kind).ids for kind in ("items", "tags")}
    queries = []
    for row in range(len(users)):
        asking = batch.take(np.array([row]))
        items = asking.history.ids[: max(len(asking.history.ids) // 2, 1)]
        tags = asking.matrix("tags").indices if "tags" in asking.entities else []
        queries.append(
            Query(
                items=vocabularies["items"].gather(items).to_list(),
                tags=vocabularies["tags"].gather(tags).to_list(),
                text=asking.text[0],
                time=None if asking.times is None else float(asking.times[0]),
            )
        )
    return queries


def _asking(recommender: Recommender, pipeline: str) -> Ask:
    return lambda queries: recommender.recommend(queries, pipeline=pipeline)


def _timed(ask: Ask, queries: Sequence[Query], *, quick: bool) -> Way:
    """Time queries one by one, and in blocks, in the best of some rounds."""
    blocks = [queries[start : start + BLOCK] for start in range(0, len(queries), BLOCK)]
    singles = [[query] for query in queries]
    for asked in (blocks[0], singles[0]):
        ask(asked)
    rounds = range(1 if quick else ROUNDS)
    best = min((_seconds(ask, singles) for _ in rounds), key=lambda way: median(way.cpu))
    shares = min(median(_seconds(ask, blocks).cpu) for _ in rounds) / BLOCK
    best.facts = {f"in a block of {BLOCK}, ms": shares * 1e3}
    return best


def _seconds(ask: Ask, batches: Sequence[Sequence[Query]]) -> Way:
    way = Way()
    for batch in batches:
        wall, cpu = time.perf_counter(), time.process_time()
        ask(batch)
        way.wall.append(time.perf_counter() - wall)
        way.cpu.append(time.process_time() - cpu)
    return way


def shipped_blend(quick: bool) -> Work:
    """Time the pipelines of the quickstart on its own data; the first call also fits them and stores the fits."""
    folder = peers.cache_folder() / "quickstart" / "store"
    smaller = ["split.folds=2", "components.lightfm.epochs=1", "components.word2vec.epochs=1"]  # changes no latency
    with tempfile.TemporaryDirectory() as scratch:
        recommender = load(
            run(ROOT / "configs" / "quickstart.yaml", ["refit=all", *smaller], store=folder, runs=Path(scratch))
        )
        queries = _queries(recommender.data)
        ways = {
            f"quickstart's {name}": _timed(_asking(recommender, name), queries, quick=quick)
            for name in ("hybrid", "control")
        }
    work = Work(f"one query among {len(recommender.data.items):,} items, quickstart", "query", 1, ways, "CPU")
    work.note("quickstart's hybrid, CPU ms", median(ways["quickstart's hybrid"].cpu) * 1e3, "≤ 6")
    return work


def beside_library(quick: bool) -> list[Work]:
    """Time one query at a time through `load(RUN).recommend` against implicit's `recommend` of one user.

    Taken in turn, each way finds the caches as the other one left them; in a row, as in a process that only serves, as
    it left them itself.
    """
    from implicit.cpu.als import AlternatingLeastSquares

    size = Size(2_000, 2_000, 40_000) if quick else Size(20_000, 60_000, 1_000_000)
    data = synthetic.write(size, peers.cache_folder() / "data")
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "serve.yaml"
        config.write_text(json.dumps(_served(data / "pairs.parquet")))
        finished = run(config, store=Path(folder) / "store", runs=Path(folder) / "runs")
        recommender = load(finished)
    histories = recommender.data.interactions
    factors = recommender.components["als"].vectors("items")  # type: ignore[attr-defined]
    peer = AlternatingLeastSquares(factors=64, regularization=20.0, num_threads=1)
    peer.item_factors = np.nan_to_num(factors)
    peer.user_factors = np.zeros((len(histories), 64), np.float32)
    matrix = histories.matrix(binary=True) * np.float32(11)
    users = np.random.default_rng(0).permutation(len(histories))[: 50 if quick else 500]
    queries = [
        Query(items=recommender.data.items.vocabulary.decode(histories.take(np.array([user])).ids).to_list())
        for user in users
    ]
    rows = [matrix[user] for user in users]
    asks: dict[str, Callable[[int], Any]] = {
        OURS: lambda place: recommender.recommend(queries[place], n=10),
        SOLVED: lambda place: peer.recommend(0, rows[place], N=10, recalculate_user=True),
        STORED: lambda place: peer.recommend(0, rows[place], N=10),
    }
    works = []
    for in_a_row, order in ((1, "ways in turn"), (IN_A_ROW, f"{IN_A_ROW} in a row by each way")):
        with threadpool_limits(limits=1):  # otherwise threads of one way would still spin while the next is timed
            ways = _alternated(asks, len(users), in_a_row)
        work = Work(f"one recommendation among {size.items:,} items, {order}", "query", 1, ways, "CPU")
        work.ratio(OURS, SOLVED)
        work.ratio(OURS, STORED, "≤ 1.5")
        works.append(work)
    return works


def _alternated(asks: Mapping[str, Callable[[int], Any]], queries: int, in_a_row: int) -> dict[str, Way]:
    """Time each query by each way, so many queries in a row by one of them before the next one takes the same."""
    ways = {name: Way() for name in asks}
    for start in range(0, queries, in_a_row):
        answers = {}
        for name, ask in asks.items():
            for place in range(start, min(start + in_a_row, queries)):
                wall, cpu = time.perf_counter(), time.process_time()
                answers[name, place] = ask(place)
                ways[name].wall.append(time.perf_counter() - wall)
                ways[name].cpu.append(time.process_time() - cpu)
        for place in range(start, min(start + in_a_row, queries)):
            mine, others = answers[OURS, place].ids[0], answers[SOLVED, place][0]
            assert len(np.intersect1d(mine, others)) >= 9, "the two ways recommend different items"
    for way in ways.values():
        way.facts["p99, ms"] = float(np.quantile(way.cpu, 0.99)) * 1e3
    return ways


def _served(pairs: Path) -> Mapping[str, Any]:
    return {
        "name": "latency",
        "data": {
            "reader": "table",
            "interactions": {"path": str(pairs), "user": "user", "item": "item", "group": "fold"},
        },
        "split": {"use": "folds"},
        "components": {
            "als": {"iterations": 3, "alpha": 10, "regularization": 20, "column_power": 0, "fields": ["items"]}
        },
        "targets": {"items": 10},
        "pipelines": {"als": {"generators": [{"from": "als", "k": 10}], "fallback": ["tag-fallback", "popularity"]}},
        "compare": {"metrics": ["ndcg@10"]},
        "refit": "all",
    }
