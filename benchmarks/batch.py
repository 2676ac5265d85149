"""Batches of many users: part files beside the same recommendations in memory, and batch calls of other libraries."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks import peers, synthetic
from benchmarks.synthetic import Size
from benchmarks.timing import Way, Work, race, run_way
from hybridrec import (
    PADDING,
    BatchRecommender,
    Component,
    Dataset,
    Floats,
    Generator,
    Ints,
    Query,
    Registry,
    Slate,
    Tables,
    assemble,
    load,
)
from hybridrec.inference.pipelines import GeneratorLayout, PipelineLayout
from hybridrec.inference.pipelines import assemble as assemble_pipeline
from hybridrec.inference.servable import PluginSource, ServableRun, served_data
from hybridrec.runs.bundle import write_bundle
from hybridrec.serving.batch_job import BatchJob
from hybridrec.serving.query_source import AllUsers
from hybridrec.stages.pipeline import Filters
from hybridrec.stages.query_filters import SeenFilter
from hybridrec_fusion.fixed_weights import Weighted

ALONE = {"als": {"iterations": 1, "alpha": 10, "regularization": 20, "column_power": 0, "fields": ["items"]}}
"""One model, with its options."""
BLEND: Mapping[str, Mapping[str, Any]] = {**ALONE, "item-knn": {}, "popularity": {}}
"""Three models with their options, each a generator, blended by equal weights."""
PLACES, PARTS, SLICE = 100, 10_000, 10_000
"""Numbers of places of a slate, of queries in a part file, and of users in a call of `recommend`."""
ALIKE = 1e-5
"""Largest difference of the scores of one item in a part and in memory, relative to scores above 1."""
AGREE = 0.98
"""Smallest share of the ids of a library that ours must contain; it is below 1 as ties may be cut off differently."""
RECTOOLS = "RecTools, its batch call"


def batch(quick: bool) -> list[Work]:
    """Time batches of all users into Parquet against `recommend` in memory and other libraries, all on one thread."""
    if quick:
        return [_measure(Size(2_000, 2_000, 40_000), ALONE), _measure(Size(500, 2_000, 10_000), BLEND)]
    return [_measure(Size(200_000, 60_000, 4_000_000), ALONE), _measure(Size(20_000, 60_000, 400_000), BLEND)]


def _measure(size: Size, models: Mapping[str, Mapping[str, Any]]) -> Work:
    """Time the ways to recommend `PLACES` items to all users of synthetic data."""
    pairs = synthetic.write(size, peers.cache_folder() / "data") / "pairs.parquet"
    data = assemble(Tables(pl.read_parquet(pairs, columns=["user", "item"])))
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "batch.hybridrec"
        write_models(bundle, data, models)
        answer, recommender = BatchRecommender(bundle, n=PLACES), load(bundle)
        people = [Query(user=user) for user in data.users.vocabulary.ids]
        output = Path(folder) / "out"
        slates: list[Slate] = []

        def in_memory() -> None:
            asked = (people[start : start + SLICE] for start in range(0, len(people), SLICE))
            slates[:] = [recommender.recommend(queries, PLACES) for queries in asked]

        def in_parts() -> None:
            shutil.rmtree(output, ignore_errors=True)
            BatchJob(answer, AllUsers(answer.recommender.data), output, size=PARTS).run()

        ways: dict[str, Callable[[], object]] = {"recommend, in memory": in_memory, "batch, into Parquet": in_parts}
        if len(models) == 1:
            ways["implicit, its batch call"] = _implicit(recommender.components["als"], data)
        name = f"{' + '.join(models)}: {size.users:,} users x {PLACES} of {size.items:,} items"
        repeats = 3 if size.users <= 2_000 else 1
        work = race(name, "user", size.users, ways, repeats)
        written = pl.concat(pl.read_parquet(file, glob=False) for file in sorted(output.glob("part-*.parquet")))
        served = np.concatenate([slate.ids for slate in slates])
        swapped = _swapped(written, served, np.concatenate([slate.scores for slate in slates]), data)
        if len(models) == 1:
            theirs = ways["implicit, its batch call"]()[0]  # type: ignore[index]
            _agree("implicit", served, theirs)
            work.ratio("batch, into Parquet", "implicit, its batch call")
            try:
                work.ways[RECTOOLS], slates_of_some = _rectools(
                    pairs, recommender.components["als"], data, Path(folder), repeats
                )
            except peers.UnavailableError as error:
                print(f"RecTools is left out: {error}", flush=True)
            else:
                _agree("RecTools", served, slates_of_some)
                work.ratio("batch, into Parquet", RECTOOLS)
        work.ways["batch, into Parquet"].facts["MB written"] = sum(f.stat().st_size for f in output.iterdir()) / 1e6
    work.ratio("batch, into Parquet", "recommend, in memory", "≤ 1.10")
    work.note("load average at the end", os.getloadavg()[0])
    work.note("places with another item of the same score", swapped)
    return work


def _agree(library: str, served: Ints, others: Sequence[Sequence[int]] | Ints) -> None:
    """Raise AssertionError unless a library recommends the same items to the first users, but for ties."""
    shared = np.mean([len(np.intersect1d(ours, other)) for ours, other in zip(served, others, strict=False)])
    assert shared >= AGREE * PLACES, f"{library} recommends other items: {shared} of {PLACES} are shared"


def _swapped(written: pl.DataFrame, served: Ints, scores: Floats, data: Dataset) -> int:
    """Count the places of the parts that hold another item than the slates in memory.

    Sums of floating-point numbers depend on the number of queries that are answered at once, so that items whose scores
    are alike may change places, also with an item beyond the last place. Raises AssertionError if any other place
    differs, or if a slate holds an item twice.

    served, scores: ids int32 [Q, K] and scores float32 [Q, K] of the slates, PADDING in places that are empty
    """
    ids = data.items.vocabulary.encode(written["id"].cast(pl.String))
    return swapped(ids, written["score"].to_numpy(), served, scores, len(data.items))


def swapped(ids: Ints, sums: Floats, served: Ints, scores: Floats, items: int) -> int:
    """Count the places that hold another item than the slates in memory, and check them as `_swapped` does.

    ids, sums: items and scores of the filled places, slate by slate
    served, scores: ids int32 [Q, K] and scores float32 [Q, K] of the slates in memory
    items: number of items
    """
    rows, places = np.nonzero(served != PADDING)
    assert len(ids) == len(rows), f"parts have {len(ids)} places, slates in memory {len(rows)}"
    assert _alike(sums, scores[rows, places]).all(), "parts hold other scores than memory"
    for name, held in (("parts", ids), ("memory", served[rows, places])):
        distinct = len(np.unique(rows.astype(np.int64) * items + held))
        assert distinct == len(rows), f"slates in {name} hold an item twice"
    other = np.flatnonzero(ids != served[rows, places])
    for row, place, item in zip(rows[other], places[other], ids[other], strict=True):
        # An item that memory left out may only be tied with the last one; a slate with room left out none.
        at = int(np.append(np.flatnonzero(served[row] == item), -1)[0])
        right = served[row, at] != PADDING and _alike(scores[row, place], scores[row, at])
        assert right, f"query {row}, place {place}: parts hold item {item}, memory has {served[row, place]}"
    return len(other)


def _alike(some: Floats, others: Floats) -> Any:
    """Return whether scores differ by no more than `ALIKE`, place by place."""
    return np.isclose(some, others, rtol=ALIKE, atol=ALIKE, equal_nan=True)


def write_models(path: Path, data: Dataset, models: Mapping[str, Mapping[str, Any]], places: int | None = None) -> None:
    """Write a bundle of one pipeline with these models as generators, blended by equal weights if they are several.

    `places` is the length of its slates, by default `PLACES`.
    """
    places = places or PLACES
    registry, rng = Registry(), np.random.default_rng(0)
    components: dict[str, Component] = {}
    for label, options in models.items():
        cls: type[Component] = registry.get("components", label)
        components[label] = cls(cls.Config(**options)).fit(data, rng)
    rerankers = {"items": (Weighted().fit(data, rng),)} if len(models) > 1 else {}
    # A lone model scores its candidates as a generator; in a blend each scores those of the others, too.
    scorers = tuple(models) if len(models) > 1 else ()
    layout = PipelineLayout("batch", tuple(GeneratorLayout(label, 2 * places) for label in models), scorers)
    if len(models) == 1:
        layout = PipelineLayout("batch", tuple(GeneratorLayout(label, places) for label in models))
    assert all(isinstance(component, Generator) for component in components.values())
    classes = [type(each) for each in (*components.values(), *(rerankers.get("items", ())))]
    providers = {provider.module: provider for provider in map(registry.provider_of, classes)}
    write_bundle(
        path,
        ServableRun(
            name="batch",
            targets={"items": places},
            pipelines={"batch": assemble_pipeline(layout, components, rerankers, Filters((SeenFilter().fit(data),)))},
            default="batch",
            components=components,
            uses={},
            data=served_data(data),
            trained_on="",
            plugins=tuple(
                PluginSource(each.name, each.module, each.distribution, each.version) for each in providers.values()
            ),
            memory=2_000_000_000,
        ),
    )


def _rectools(pairs: Path, als: Component, data: Dataset, folder: Path, repeats: int) -> tuple[Way, list[Ints]]:
    """Ask RecTools for all users at once, on the factors of our model; return the time, and some users' items.

    Raises UnavailableError if RecTools cannot be installed.
    """
    everybody = data.queries(np.arange(len(data.users), dtype=np.int32))
    np.savez(
        folder / "factors.npz",
        users=np.array(data.users.vocabulary.ids.to_list()),
        items=np.array(data.items.vocabulary.ids.to_list()),
        user_factors=als.query_vectors(everybody, "items"),  # type: ignore[attr-defined]
        item_factors=np.nan_to_num(als.vectors("items")),  # type: ignore[attr-defined]
    )
    script, archive = "with_rectools_batch.py", folder / "factors.npz"
    told = run_way(peers.python("rectools"), script, pairs, archive, PLACES, repeats)
    wall, cpu = zip(*told["phases"].values(), strict=True)
    return Way([*wall], [*cpu]), [data.items.vocabulary.encode(items) for items in told["slates"].values()]


def _implicit(als: Component, data: Dataset) -> Callable[[], Any]:
    """Return a function that asks implicit for all users at once, on the factors of our model and one thread."""
    from implicit.cpu.als import AlternatingLeastSquares

    factors = np.nan_to_num(als.vectors("items"))  # type: ignore[attr-defined]
    users = np.arange(len(data.users), dtype=np.int32)
    everybody = data.queries(users)
    peer = AlternatingLeastSquares(factors=factors.shape[1], num_threads=1)
    peer.item_factors = factors
    peer.user_factors = als.query_vectors(everybody, "items")  # type: ignore[attr-defined]
    rows = everybody.history.matrix(binary=True)
    return lambda: peer.recommend(users, rows, N=PLACES)
