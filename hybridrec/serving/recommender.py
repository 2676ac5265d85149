"""Recommending from a finished run, through the very pipelines that were evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import scipy.linalg  # noqa: F401  (its BLAS must be loaded before the thread limit is set)
from threadpoolctl import ThreadpoolController, threadpool_limits

from hybridrec.config.experiment import Experiment
from hybridrec.config.load import load_experiment
from hybridrec.data.dataset import Dataset
from hybridrec.data.encoding import encode
from hybridrec.data.queries import Query, QueryBatch
from hybridrec.engine.executor import ThreadExecutor
from hybridrec.engine.fitter import Fitter
from hybridrec.engine.store import Store
from hybridrec.engine.train import Cut, Prepared, Preparer, everything
from hybridrec.errors import ConfigError, StoreError, unknown_pipeline
from hybridrec.inference.batch_runner import BatchRunner, blocks
from hybridrec.registry.discovery import Registry
from hybridrec.runs.run import CONFIG, Run, Serving
from hybridrec.serving.explain import Explanation, explain
from hybridrec.stages.pipeline import Pipeline
from hybridrec.stages.slate import Slate
from hybridrec.types import PADDING, Target


class Recommender:
    """Pipelines trained on the whole data; the same code path that was evaluated."""

    def __init__(self, experiment: Experiment, data: Dataset, prepared: Prepared) -> None:
        self.experiment = experiment
        self.data = data
        self.pipelines: dict[str, Pipeline] = {arm.name: arm.pipeline for arm in prepared.arms if not arm.plan.single}
        self.components = {fit.job.label: fit for fit in prepared.fits if fit.job.level == "final"}
        # Threads wait for each other longer than one query takes; to look for the libraries again takes longer still.
        self._libraries = ThreadpoolController()

    def recommend(
        self,
        queries: Query | Sequence[Query],
        n: int | None = None,
        *,
        pipeline: str | None = None,
        target: Target = "items",
    ) -> Slate:
        """The best n for each query; n and the pipeline default to those of the experiment.

        Raises ConfigError for an unknown pipeline or target. `Slate.to_frame` gives external ids.
        """
        batch = self.encode([queries] if isinstance(queries, Query) else queries)
        chosen, length = self.pipeline(pipeline), self._length(n, target)
        parts = blocks(batch, 1, self.experiment.config.memory)
        with self._libraries.limit(limits=1):
            return Slate.stack([chosen.slate(batch.take(rows), target, length) for rows in parts])

    def explain(
        self, query: Query, n: int | None = None, *, pipeline: str | None = None, target: Target = "items"
    ) -> list[Explanation]:
        """The slate of one query with sources, ranks and contributions of each item."""
        chosen, batch, length = self.pipeline(pipeline), self.encode([query]), self._length(n, target)
        with self._libraries.limit(limits=1):
            return explain(chosen, batch, target, length, self.data)

    def encode(self, queries: Sequence[Query]) -> QueryBatch:
        """Queries as arrays; a user named without history, tags or text brings those of the training data."""
        stated = encode(queries, self.data)
        bare = np.array([not (query.items or query.tags or query.text) for query in queries], bool)
        bare &= stated.users != PADDING
        if not bare.any():
            return stated
        profiled, others = np.flatnonzero(bare), np.flatnonzero(~bare)
        asked = stated.take(profiled)
        profiles = replace(self.data.queries(asked.users), times=asked.times, disliked=asked.disliked)
        both = QueryBatch.stack([profiles, stated.take(others)])
        return both.take(np.argsort(np.concatenate([profiled, others])))

    def pipeline(self, name: str | None = None) -> Pipeline:
        """A pipeline by name; by default the last one, which is the one compared with the control."""
        if name is None:
            return list(self.pipelines.values())[-1]
        if name not in self.pipelines:
            raise ConfigError(unknown_pipeline(name, self.pipelines))
        return self.pipelines[name]

    def _length(self, n: int | None, target: Target) -> int:
        targets = self.experiment.config.targets
        if target not in targets:
            raise ConfigError(f"the run does not recommend {target}; it recommends {', '.join(targets)}")
        if n is not None and n < 1:
            raise ConfigError(f"n is {n}; ask for at least one recommendation")
        return n or targets[target]


def load(run: Run | Path | str, *, store: Path | str | None = None, registry: Registry | None = None) -> Recommender:
    """A finished run, ready to recommend; it must have been made with `refit: all`.

    `store` is the folder of the store the run was made with, as for `run`.

    The fits of the run are used as they are stored, also after an upgrade; what left the store is fitted again.

    Raises DataError if the folder is no such run and StoreError if its data left the store, or if a component
    is installed in a version that does not read what is stored (`Component.reads_versions`).
    """
    run = run if isinstance(run, Run) else Run.open(run)
    registry = registry or Registry()
    experiment = load_experiment(run.folder / CONFIG, registry)
    place = Store.default() if store is None else Store(Path(store))
    serving = run.serving
    data = stored_data(run, place, serving.data)
    with threadpool_limits(limits=1):
        preparer = server(experiment, registry, place, serving.fits)
        plan = preparer.planned(serving_cut(preparer, run, serving, data))
        return Recommender(experiment, data, preparer.prepare(plan))


def stored_data(run: Run, store: Store, fingerprint: str) -> Dataset:
    """Data that a run was made with or refreshed from; raises StoreError if it left the store."""
    state = store.get(fingerprint)
    if state is None:
        raise StoreError(
            f"the data of {run.folder} is not in the store {store.folder.resolve()}: name the store it was made with "
            "(--store, or load(..., store=)), or run the experiment again"
        )
    return Dataset.restore(state)


def server(experiment: Experiment, registry: Registry, store: Store, fits: Mapping[str, str]) -> Preparer:
    """What gets the pipelines ready from these fits, place -> key."""
    config = experiment.config
    executor = ThreadExecutor(config.workers or 1)
    fitter = Fitter(store, registry, executor, seed=config.seed, memory=config.memory, earlier=fits)
    return Preparer(experiment, fitter, BatchRunner(store, executor, config.memory))


def serving_cut(preparer: Preparer, run: Run, serving: Serving, data: Dataset) -> Cut:
    """The training parts behind what a run recommends from; of a refreshed one re-rankers learned on earlier data."""
    learns = any(plan.learns for plan in preparer.experiment.pipelines.values())
    if serving.learned_on == serving.data or not learns:
        return preparer.cut(everything(data))
    learned_on = stored_data(run, preparer.fitter.store, serving.learned_on)
    return preparer.grown(preparer.cut(everything(learned_on)), data)
