"""Kernels of the engine compared with the libraries and loops that they replace; their results must agree."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix

from benchmarks import peers, synthetic
from benchmarks.synthetic import Size
from benchmarks.timing import CORES, Way, Work, in_blocks, race, run_way
from hybridrec import (
    EvalBatch,
    Exclude,
    Floats,
    Ints,
    Longs,
    Pool,
    QueryBatch,
    Ragged,
    Sparse,
    Tables,
    assemble,
    kernels,
)
from hybridrec.evaluation.accuracy import MeanAveragePrecision, Ndcg, Recall
from hybridrec.evaluation.accuracy import ReciprocalRank as Mrr
from hybridrec_fusion.fixed_weights import ReciprocalRank
from hybridrec_lightfm.factorization import LightFM
from hybridrec_lightfm.loading import load_lightfm
from hybridrec_rerank.mmr import select

SEED = 8
ROWS = 512
"""Number of queries in a block of a thread."""
FUSED = 64
"""Number of queries in a block of fusion, which runs on one thread, as several would wait for each other."""


def top_k(quick: bool) -> list[Work]:
    """Time an exact search for the best 100 unseen items by 64 factors, against implicit and a plain matrix product."""
    queries = 2_048 if quick else 16_384
    works = []
    for items, faster, share in ((60_000, "≥ 1.6", "≥ 0.85"), (10_000, "≥ 2.5", "≥ 0.30")):
        rng = np.random.default_rng(SEED)
        users, vectors = synthetic.latent(queries, items, 64, rng)
        works.append(
            _top_k("vectors of similar lengths", users, vectors, _seen(queries, items, 50, rng), faster, share)
        )
    users, vectors, seen = synthetic.learned(Size(*((2_048, 12_000, 60_000) if quick else (20_000, 60_000, 2_000_000))))
    return [*works, _top_k("factors of ALS", users[:queries], vectors, seen[:queries])]


def _top_k(name: str, users: Floats, vectors: Floats, seen: Sparse, faster: str = "", share: str = "") -> Work:
    from implicit.cpu.als import AlternatingLeastSquares

    queries, items = seen.shape
    exclude, longest = Exclude(seen), kernels.Longest.of(vectors)
    peer = AlternatingLeastSquares(factors=64, num_threads=CORES)
    peer.user_factors, peer.item_factors = users, vectors
    everybody = np.arange(queries)
    products = np.empty((queries // ROWS + 1, 128, items), np.float32)
    best = np.empty((queries, 100), np.int32)

    def engine(rows: slice) -> None:
        best[rows], _ = kernels.top_products(users[rows], vectors, 100, exclude.take(rows), longest)

    def bare(rows: slice) -> None:
        # Reuses the same memory, as the engine does: fresh pages would cost more.
        into = products[rows.start // ROWS % 2]
        for start in range(rows.start, min(rows.stop, queries), 128):
            block = users[start : min(start + 128, rows.stop)]
            np.matmul(block, vectors.T, out=into[: len(block)])

    work = race(
        f"exact top-100 of {items:,} items, seen ones left out, {name}",
        "query",
        queries,
        {
            "implicit recommend": lambda: peer.recommend(everybody, seen, N=100),
            "hybridrec": in_blocks(engine, queries, ROWS),
            "matrix product alone": in_blocks(bare, queries, ROWS),
        },
        repeats=7,
    )
    theirs, _ = peer.recommend(everybody, seen, N=100)
    scores = (kernels.gather_dot(users, vectors, ids) for ids in (best, theirs))
    np.testing.assert_allclose(*scores, atol=1e-5)  # equal except for the order of ties
    work.ratio("implicit recommend", "hybridrec", faster)
    work.ratio("matrix product alone", "hybridrec", share)
    return work


def _seen(queries: int, items: int, each: int, rng: np.random.Generator) -> Sparse:
    ids = rng.integers(items, size=queries * each)
    seen = csr_matrix((np.ones(len(ids), np.float32), ids, np.arange(queries + 1) * each), shape=(queries, items))
    seen.sum_duplicates()
    seen.data[:] = 1
    return seen


def fusion(quick: bool) -> list[Work]:
    """Time reciprocal rank fusion of 4 lists of 200 against ranx, and against a dictionary for each query."""
    queries = 512 if quick else 2_048
    rng = np.random.default_rng(SEED)
    ids = np.stack(
        [rng.permuted(np.tile(np.arange(1000, dtype=np.int32), (queries, 1)), axis=1)[:, :200] for _ in "abcd"]
    )
    scores = -np.sort(-rng.random(ids.shape, dtype=np.float32), axis=2)
    nobody = _unknown(FUSED, 1000)
    fuse = ReciprocalRank()
    pools: dict[int, Pool] = {}

    def engine(rows: slice) -> None:
        merged, sources, *arrays = kernels.merge([(ids[g, rows], scores[g, rows]) for g in range(4)])
        columns, places = (dict(zip("abcd", of_lists, strict=True)) for of_lists in arrays)
        pool = Pool("items", merged, tuple("abcd"), sources, columns, places=places)
        pools[rows.start] = fused = fuse.rerank(nobody, pool, 100)
        assert fused.final is not None
        kernels.order(fused.final)  # ranx sorts, so this way does, too

    def fuse_all() -> None:
        for start in range(0, queries, FUSED):
            engine(slice(start, start + FUSED))

    work = race(
        "reciprocal rank fusion of 4 lists of 200",
        "query",
        queries,
        {
            "hybridrec": fuse_all,
            "a dictionary for each query": lambda: [_fuse(ids[:, q]) for q in range(queries)],
        },
        repeats=5,
    )
    for start, pool in pools.items():
        assert pool.final is not None
        mine = dict(zip(pool.ids[0].tolist(), pool.final[0].tolist(), strict=True))
        assert all(math.isclose(mine[item], value, abs_tol=1e-6) for item, value in _fuse(ids[:, start]).items())
    first = pools[0]
    assert first.final is not None
    work.ratio("a dictionary for each query", "hybridrec")
    fused = {"fused": np.nan_to_num(first.final), "at": first.ids}
    _beside_ranx(work, "fusion", "≥ 100", ids=ids, scores=scores, **fused)
    return [work]


def _fuse(lists: Ints) -> dict[int, float]:
    total: dict[int, float] = {}
    for ranked in lists.tolist():
        for rank, item in enumerate(ranked, 1):
            total[item] = total.get(item, 0.0) + 1 / (60 + rank)
    return total


def metrics(quick: bool) -> list[Work]:
    """Time four metrics (nDCG@10, MAP@10, MRR@10, recall@100) of slates of 100, against ranx with its conversions."""
    queries = 1_000 if quick else 10_000
    rng = np.random.default_rng(SEED)
    ids = rng.permuted(np.tile(np.arange(500, dtype=np.int32), (queries, 1)), axis=1)[:, :100]
    truth = _seen(queries, 500, 10, rng)
    data = assemble(Tables(_one_pair()))
    values: dict[str, np.ndarray[Any, Any]] = {}

    def engine() -> None:
        eval_batch = EvalBatch("items", ids, kernels.hits(ids, truth), truth, data)
        values["ndcg@10"], values["map@10"] = (
            Ndcg().values(eval_batch, 10),
            MeanAveragePrecision().values(eval_batch, 10),
        )
        values["mrr@10"], values["recall@100"] = Mrr().values(eval_batch, 10), Recall().values(eval_batch, 100)

    def plain() -> None:
        for q in range(queries):
            wanted = set(truth.indices[truth.indptr[q] : truth.indptr[q + 1]].tolist())
            gain = sum(1 / math.log2(place + 2) for place, item in enumerate(ids[q, :10].tolist()) if item in wanted)
            ideal = sum(1 / math.log2(place + 2) for place in range(min(10, len(wanted))))
            assert math.isclose(gain / ideal, values["ndcg@10"][q], abs_tol=1e-9)

    ways = {"hybridrec (4 metrics)": engine, "a loop over queries (nDCG alone)": plain}
    work = race("four metrics of slates of 100", "query", queries, ways, repeats=5)
    work.ratio("a loop over queries (nDCG alone)", "hybridrec (4 metrics)")
    peer = {"ids": ids, "indices": truth.indices, "indptr": truth.indptr}
    _beside_ranx(work, "metrics", "≥ 100", **peer, **{name.replace("@", "_"): v for name, v in values.items()})
    return [work]


def _beside_ranx(work: Work, task: str, wanted: str, **arrays: np.ndarray[Any, Any]) -> None:
    """Measure ranx on a task and add it to the ways; its script checks its results against those in `arrays`."""
    ours = next(way for way in work.ways if way.startswith("hybridrec"))
    try:
        python = peers.python("ranx")
    except peers.UnavailableError as reason:
        work.ways[ours].facts["ranx left out"] = str(reason)
        return
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "task.npz", **arrays)
        told = run_way(python, "with_ranx.py", task, Path(folder) / "task.npz", len(work.ways[ours].wall))
    work.ways["ranx, with building its objects"] = Way(told["wall"], told["cpu"], {"version": told["version"]})
    work.ratio("ranx, with building its objects", ours, wanted)


def diversity(quick: bool) -> list[Work]:
    """Time MMR that selects 20 of 100 candidates by 64 dimensions, against a plain loop and numpy user by user."""
    queries, plain_queries = (1_024, 4) if quick else (2_048, 16)
    rng = np.random.default_rng(SEED)
    vectors = rng.standard_normal((queries, 100, 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    relevance = -np.sort(-rng.random((queries, 100), dtype=np.float32), axis=1)
    places: dict[str, Longs] = {}

    def engine(rows: slice) -> None:
        places["engine"][rows] = select(relevance[rows], vectors[rows], 0.7, 20)

    places["engine"] = np.empty((queries, 100), np.int64)
    work = race(
        "MMR, 100 candidates to 20 places",
        "query",
        queries,
        {
            "hybridrec": in_blocks(engine, queries, 256),
            "numpy for one user at a time": lambda: places.update(
                user=np.stack([_mmr(relevance[q], vectors[q], 0.7, 20) for q in range(queries)])
            ),
        },
        repeats=5,
    )
    np.testing.assert_array_equal(np.argsort(places["engine"], axis=1)[:, :20], places["user"])
    some = [(relevance[q].tolist(), vectors[q].tolist()) for q in range(plain_queries)]
    plain = race("", "", 1, {"loop": lambda: places.update(loop=np.array([_plain_mmr(*s, 0.7, 20) for s in some]))}, 1)
    np.testing.assert_array_equal(places["loop"], places["user"][:plain_queries])
    scale = queries / plain_queries
    loop, repeats = plain.ways["loop"], len(work.ways["hybridrec"].wall)
    facts = {"measured on": f"{plain_queries} queries"}
    work.ways["plain Python"] = Way([loop.wall[0] * scale] * repeats, [loop.cpu[0] * scale] * repeats, facts)
    work.ratio("plain Python", "hybridrec", "≥ 1000")
    work.ratio("numpy for one user at a time", "hybridrec", "≥ 5")
    return [work]


def _mmr(relevance: Floats, vectors: Floats, trade: float, n: int) -> Longs:
    nearest, chosen = np.full(len(relevance), -1, np.float32), []
    gain = np.float32(trade) * relevance
    for _ in range(n):
        best = int(np.argmax(gain - np.float32(1 - trade) * nearest))
        chosen.append(best)
        gain[best] = -np.inf
        nearest = np.maximum(nearest, vectors @ vectors[best])
    return np.array(chosen)


def _plain_mmr(relevance: list[float], vectors: list[list[float]], trade: float, n: int) -> list[int]:
    chosen: list[int] = []
    for _ in range(n):
        best, best_gain = -1, -math.inf
        for item in range(len(relevance)):
            if item in chosen:
                continue
            near = max((sum(a * b for a, b in zip(vectors[item], vectors[c], strict=True)) for c in chosen), default=-1)
            gain = trade * relevance[item] - (1 - trade) * near
            if gain > best_gain:
                best, best_gain = item, gain
        chosen.append(best)
    return chosen


def lightfm(quick: bool) -> list[Work]:
    """Time the scores of all items by a LightFM model against the library's `predict`, user by user."""
    return [_lightfm(items, 64 if quick else 256) for items in (10_000, 60_000)]


def _lightfm(items: int, queries: int) -> Work:
    import polars as pl

    rng = np.random.default_rng(SEED)
    pairs = {"user": rng.integers(2_000, size=4 * items), "item": rng.permutation(4 * items) % items}
    data = assemble(Tables(pl.DataFrame(pairs).select(pl.all().cast(pl.String))))
    model = LightFM(LightFM.Config(user_fields=("user",), item_fields=("item",), dim=32, epochs=1, alone=False))
    state = model.fit(data, rng).state()
    peer = load_lightfm().LightFM(no_components=32)
    peer.fit_partial(coo_matrix(([1], ([0], [0])), shape=(len(data.users), items), dtype=np.float32), epochs=0)
    peer.user_embeddings, peer.user_biases = state["features"][:, :32].copy(), state["features"][:, 32].copy()
    peer.item_embeddings, peer.item_biases = state["items"][:, :32].copy(), state["items"][:, 33].copy()
    asked = data.queries(np.arange(queries, dtype=np.int32))
    every = np.arange(items, dtype=np.int32)
    scores: dict[str, Floats] = {}

    def engine() -> None:
        scores["engine"] = model.query_vectors(asked, "items") @ model.vectors("items").T

    def predict() -> None:
        scores["peer"] = np.stack([peer.predict(int(user), every, num_threads=1) for user in asked.users])

    ways = {"hybridrec": engine, "LightFM predict, a loop over users": predict}
    work = race(f"LightFM scores of {items:,} items", "query", queries, ways, repeats=5)
    np.testing.assert_allclose(scores["engine"], scores["peer"], atol=1e-4)
    work.ratio("LightFM predict, a loop over users", "hybridrec", "≥ 20")
    return work


def _unknown(queries: int, items: int) -> QueryBatch:
    nobody = np.full(queries, -1, np.int32)
    return QueryBatch(nobody, Ragged.empty(queries, items), {}, ("",) * queries)


def _one_pair() -> Any:
    import polars as pl

    return pl.DataFrame({"user": ["u"], "item": ["i"]})
