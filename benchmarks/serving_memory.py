"""Memory of the workers of a server: what one more takes, beside the bundle that all of them map."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import Way, Work
from hybridrec import (
    ITEMS,
    USERS,
    Component,
    Dataset,
    Entities,
    Ragged,
    Registry,
    Vocabulary,
    make_csr,
    pack_csr,
)
from hybridrec.data.packed_texts import PackedTexts
from hybridrec.inference.pipelines import GeneratorLayout, PipelineLayout
from hybridrec.inference.pipelines import assemble as assemble_pipeline
from hybridrec.inference.servable import PluginSource, ServableRun
from hybridrec.runs.bundle import write_bundle
from hybridrec.stages.pipeline import Filters
from hybridrec.stages.query_filters import SeenFilter
from hybridrec_fusion.fixed_weights import Weighted

WANTED = 120
"""Megabytes that one more worker may take."""
REQUESTS = 200
"""Requests that each worker answers before it is measured."""


@dataclass(frozen=True, slots=True)
class BundleSize:
    """Size of a bundle of als, item-knn and popularity: numbers of items, users, items of a user, and so on."""

    items: int
    users: int
    history: int
    factors: int
    neighbours: int


SIZES = (BundleSize(60_000, 100_000, 120, 64, 40), BundleSize(1_000_000, 1_000_000, 250, 128, 40))
QUICK_SIZES = (BundleSize(500, 500, 20, 8, 10),)


def serving_memory(quick: bool) -> list[Work]:
    """Measure the proportional set size (PSS) of two workers and of three, on bundles of 100 MB and 2 GB."""
    return [_measured(size) for size in (QUICK_SIZES if quick else SIZES)]


def _measured(size: BundleSize) -> Work:
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "memory.hybridrec"
        write_sized(bundle, size)
        megabytes = bundle.stat().st_size / 1e6
        ways = {}
        for workers in (2, 3):
            memory = asyncio.run(_memory(bundle, Path(folder) / str(workers), workers))
            ways[f"{workers} workers"] = Way([0.0], [0.0], {"PSS of all workers, MB": memory})
    work = Work(f"a bundle of {megabytes:,.0f} MB: {size.items:,} items", "server", 1, ways)
    two, three = (way.facts["PSS of all workers, MB"] for way in ways.values())
    work.note("one more worker, MB", three - two, f"≤ {WANTED}")
    return work


async def _memory(bundle: Path, folder: Path, workers: int) -> float:
    """Return the PSS of so many workers, in megabytes, once each has answered requests of many users."""
    from hybridrec_server.dispatcher import WorkerDispatcher
    from hybridrec_server.metrics import ServerMetrics
    from hybridrec_server.schemas import RecommendRequest
    from hybridrec_server.settings import ServerSettings

    settings = ServerSettings(bundle=bundle, workers=workers, deadline=60, batch=4, folder=folder)
    dispatcher = WorkerDispatcher(settings, ServerMetrics())
    await dispatcher.start()
    try:
        for start in range(0, REQUESTS * workers, 4 * workers):
            asked = [
                RecommendRequest(id=str(place), time=0.0, user=f"user-{place:09}")
                for place in range(start, start + 4 * workers)
            ]
            await asyncio.gather(*map(dispatcher.recommend, asked))
        await asyncio.sleep(1)
        return sum(proportional_size(worker.process or 0) for worker in dispatcher._workers)
    finally:
        await dispatcher.stop(1)


def proportional_size(process: int) -> float:
    """Return the PSS of a process in megabytes: its own memory, and its share of what others map, too."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1e3


def write_sized(path: Path, size: BundleSize) -> None:
    """Write a bundle of about this size; what it would have learned is drawn at random."""
    rng, registry = np.random.default_rng(0), Registry()
    histories = rng.integers(0, size.items, (size.users, size.history), np.int32)
    ends = np.arange(0, size.items * size.neighbours + 1, size.neighbours)
    neighbours = np.sort(rng.integers(0, size.items, (size.items, size.neighbours), np.int32), axis=1).reshape(-1)
    votes = make_csr(np.ones(len(neighbours), np.float32), neighbours, ends, (size.items, size.items))
    data = Dataset(
        entities={
            USERS: Entities(_named("user", size.users), _titles("playlist", size.users)),
            ITEMS: Entities(_named("item", size.items), _titles("a song with the title", size.items)),
        },
        interactions=Ragged(
            histories.reshape(-1), np.arange(0, histories.size + 1, size.history, dtype=np.int64), size.items
        ),
    )
    states: dict[str, dict[str, Any]] = {
        "als": {
            "items": rng.standard_normal((size.items, size.factors), np.float32) / size.factors,
            "kinds": np.array([ITEMS]),
            "spread": np.ones(size.factors),
            "scale": np.ones(size.items, np.float32),
            "learned": np.ones(size.items, bool),
            "usual": np.array(float(size.history)),
        },
        "item-knn": {"kinds": np.array([ITEMS])} | pack_csr(votes, f"votes.{ITEMS}"),
        "popularity": {
            "targets": np.array([ITEMS]),
            f"shares.{ITEMS}": rng.random(size.items).astype(np.float32),
            "context_users": np.array(size.users),
        },
    }
    components: dict[str, Component] = {}
    for label, state in states.items():
        cls: type[Component] = registry.get("components", label)
        components[label] = cls(cls.Config()).restore(state)
    rerankers = {ITEMS: (Weighted().fit(data, rng),)}
    layout = PipelineLayout(
        "blend", tuple(GeneratorLayout(label, 100) for label in components), tuple(components), ("popularity",)
    )
    classes = [type(each) for each in (*components.values(), *rerankers[ITEMS])]
    providers = {provider.module: provider for provider in map(registry.provider_of, classes) if provider is not None}
    write_bundle(
        path,
        ServableRun(
            name="memory",
            targets={ITEMS: 20},
            pipelines={"blend": assemble_pipeline(layout, components, rerankers, Filters((SeenFilter().fit(data),)))},
            default="blend",
            components=components,
            uses={},
            data=data,
            trained_on="",
            plugins=tuple(
                PluginSource(each.name, each.module, each.distribution, each.version) for each in providers.values()
            ),
            memory=200_000_000,
        ),
    )


def _named(kind: str, number: int) -> Vocabulary:
    return Vocabulary.of_packed(_packed(kind + "-%09d", number))


def _titles(kind: str, number: int) -> Any:
    return _packed(kind + " %09d", number)


def _packed(pattern: str, number: int) -> PackedTexts:
    """Return texts of equal lengths with all numbers from 0, in order."""
    encoded = "".join(map(pattern.__mod__, range(number))).encode()
    length = len(pattern % 0)
    return PackedTexts(np.frombuffer(encoded, np.uint8), np.arange(1, number + 1, dtype=np.int64) * length)
