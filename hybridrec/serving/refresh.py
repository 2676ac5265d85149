"""Refresh of a run's bundle with new data: the components that can be updated are updated, the rest is fitted."""

from __future__ import annotations

import time
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

import scipy.linalg  # noqa: F401  (its BLAS must be loaded before the thread limit is set)
from threadpoolctl import threadpool_limits

from hybridrec.config.experiment import CheckedExperiment, ComponentSpec, PipelineSpec
from hybridrec.config.load import load_experiment, registry_for
from hybridrec.data.dataset import Dataset
from hybridrec.data.transforms import k_core
from hybridrec.engine.environment import preferred
from hybridrec.engine.executor import open_executor
from hybridrec.engine.fitter import Fitter, TrainingPart
from hybridrec.engine.folds import PartSplitter
from hybridrec.engine.object_store import open_store
from hybridrec.engine.pipelines import filter_notes, filters_of
from hybridrec.engine.runner import read, servable_run
from hybridrec.engine.seeds import label_rng
from hybridrec.errors import ConfigError
from hybridrec.inference.servable import ServableRun
from hybridrec.paths import sweep
from hybridrec.plugin import Plugin
from hybridrec.registry.discovery import Registry
from hybridrec.runs.bundle import BUNDLE, bundle_of, read_bundle, write_bundle
from hybridrec.runs.manifest import replace_file
from hybridrec.runs.run import CONFIG, Run
from hybridrec.stages.checks import check_self
from hybridrec.stages.component import Component, Generator, Reranker, Scorer
from hybridrec.stages.pipeline import Pipeline, Source
from hybridrec.tracing import calling
from hybridrec.types import ITEMS, Ints, Target


@dataclass(frozen=True, slots=True)
class Refreshed:
    """A component of a refreshed run, which was either updated with the new data or fitted again.

    `seconds` is the duration of the update or fit; 0 if the fit was in the store.
    """

    label: str
    component: str
    how: Literal["refreshed", "fitted again"]
    seconds: float


def refresh(
    run: Run | Path | str,
    assignments: Sequence[str] = (),
    *,
    data: Mapping[str, object] | None = None,
    store: Path | str | None = None,
    registry: Registry | None = None,
    block: Collection[str] = (),
    plugins: Sequence[type[Plugin] | Path | str] = (),
) -> list[Refreshed]:
    """Update a finished run so that it recommends from its data as it is now, with new users, items and interactions.

    The data is read again, from the place in the config or in `assignments` (`data.path=value`). If the run was made
    from frames, pass the new frames as `data`. Components that can be updated (`Component.refreshes`) are updated with
    the new data, the other components are fitted again, and re-rankers keep what they learned. The bundle of the run is
    replaced; its report stays, since it measures full fits. `store`, `block` and `plugins` mean what they mean in
    `hybridrec.run`. If several plugins provide a name, the plugin with which the run was made is used.

    Returns one entry for each component, or an empty list if the data did not change. Raises the errors of `load`, and
    ConfigError if an assignment changes anything other than the data.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    sweep(run.folder)  # what killed refreshes left, even if there is nothing else to do
    for assignment in assignments:
        if not assignment.startswith("data."):
            raise ConfigError(f"{assignment}: only the data can be changed (`data.KEY=VALUE`) when a run is refreshed")
    # The classes of a file that is handed over must be the same in the bundle and in the experiment.
    given = registry or (_registry(run, block, plugins) if plugins else None)
    before = read_bundle(bundle_of(run.folder), given, block=block)
    registry = given or _registry(run, block, plugins)
    experiment = load_experiment(run.file(CONFIG), registry, tuple(assignments), data)
    place = open_store(store)
    dataset = read(experiment, place)
    if dataset.fingerprint == before.trained_on:
        return []
    core, config = experiment.config.k_core, experiment.config
    train = k_core(dataset, users=core.users, items=core.items)
    with open_executor(experiment, workers=1) as executor, threadpool_limits(limits=1):
        fitter = Fitter(place, registry, executor, seed=config.seed, memory=config.memory, timeout=config.fit_timeout)
        update = _Update(experiment, before, train, fitter)
        done = {refreshed.label: refreshed for refreshed in update.components()}
        pipelines = {name: update.pipeline(experiment.pipelines[name]) for name in before.pipelines}
    after = servable_run(experiment, registry, dataset, update.fitted, pipelines, before.default)
    replace_file(run.folder, BUNDLE, lambda path: write_bundle(path, after))
    return [done[label] for label in before.components]


def _registry(run: Run, block: Collection[str], plugins: Sequence[type[Plugin] | Path | str]) -> Registry:
    """Return the registry for the config of a run; if several plugins provide a name, it takes the run's own plugin."""
    prefer = preferred(run.report.environment.plugins)
    return registry_for(run.file(CONFIG), (), block=block, plugins=plugins, prefer=prefer)


class _Update:
    """The update of a bundle's components and pipelines with new data; `fitted` has the new components by label."""

    def __init__(self, experiment: CheckedExperiment, before: ServableRun, train: Dataset, fitter: Fitter) -> None:
        self.experiment = experiment
        self.before = before
        self.train = train
        self.fitter = fitter
        self.fitted: dict[str, Component] = {}

    def components(self) -> Iterator[Refreshed]:
        """Refresh the components that can be refreshed, and fit the others again; yield an entry for each.

        Base models come before the components that use them.
        """
        specs = [self._chosen(self.experiment.components[label]) for label in self.before.components]
        refreshing = {label for label, component in self.before.components.items() if component.refreshes}
        on_refreshed = {spec.label for spec in specs if refreshing & {below.label for below in spec.base_models}}
        splitter = PartSplitter.of(self.experiment)
        training_part = TrainingPart("everything", "full", self.train, self.train.fingerprint, splitter)
        again = [(spec, training_part) for spec in specs if spec.label not in refreshing | on_refreshed]
        for fit in self.fitter.fit(again):
            self.fitted[fit.spec.label] = fit.component
            yield Refreshed(fit.spec.label, fit.spec.cls.name, "fitted again", fit.outcome.seconds)
        rest = [spec for spec in specs if spec.label not in self.fitted]
        for spec in sorted(rest, key=lambda spec: len(spec.base_models)):
            started = time.perf_counter()
            take_up = spec.label in refreshing
            self.fitted[spec.label] = self._refreshed(spec) if take_up else self._fitted(spec, training_part)
            seconds = time.perf_counter() - started
            yield Refreshed(spec.label, spec.cls.name, "refreshed" if take_up else "fitted again", seconds)

    def _chosen(self, spec: ComponentSpec) -> ComponentSpec:
        """Return the spec of a component with the options that the run chose (`choose`) for it and its base models."""
        below = None if spec.base_model is None else self._chosen(spec.base_model)
        if spec.choice is None:
            return replace(spec, base_model=below)
        return replace(spec, base_model=below, options=self.before.components[spec.label].config, choice=None)

    def _refreshed(self, spec: ComponentSpec) -> Component:
        component, old = self.before.components[spec.label], self.before.data
        codes: dict[Target, Ints] = {
            kind: self.train.vocabulary(kind).encode(old.vocabulary(kind).ids) for kind in (ITEMS, *old.kinds)
        }
        with calling(spec.cls, f"while refreshing components.{spec.label}"):
            self._set_base_model(component, spec)
            refreshed = component.refresh(self.train, codes, label_rng(self.fitter.seed, spec.label))
            return check_self(component, "refresh", refreshed)

    def _fitted(self, spec: ComponentSpec, training_part: TrainingPart) -> Component:
        """Fit a component whose base model was refreshed; the fit is not stored, since it has no key."""
        self.fitter.within_budget(spec, training_part)
        component = spec.create()
        with calling(spec.cls, f"while fitting components.{spec.label}"):
            self._set_base_model(component, spec)
            return check_self(component, "fit", component.fit(self.train, label_rng(self.fitter.seed, spec.label)))

    def _set_base_model(self, component: Component, spec: ComponentSpec) -> None:
        """Give a component its new base model, if it has one."""
        if spec.base_model is not None:
            check_self(component, "use", component.use(self.fitted[spec.base_model.label]))

    def pipeline(self, pipeline: PipelineSpec) -> Pipeline:
        """Return the pipeline with the new components; its re-rankers keep what they learned."""
        use, before = pipeline.use, self.before.pipelines[pipeline.name]
        filters = filters_of(pipeline, self.train)
        for note in filter_notes(pipeline, filters):
            warnings.warn(note, RuntimeWarning, stacklevel=2)
        return Pipeline(
            name=pipeline.name,
            sources=tuple(
                Source(g.source, cast(Generator, self.fitted[g.source]), g.k, tuple(g.when)) for g in use.generators
            ),
            scorers=tuple((label, cast(Scorer, self.fitted[label])) for label in use.scorers),
            rerankers={
                target: tuple(
                    self._reranker(spec, was) for spec, was in zip(specs, before.rerankers[target], strict=True)
                )
                for target, specs in pipeline.rerankers.items()
            },
            fallback=tuple((label, cast(Generator, self.fitted[label])) for label in use.fallback),
            filters=filters,
        )

    def _reranker(self, spec: ComponentSpec, reranker: Reranker) -> Reranker:
        """Fit a re-ranker on the new data and return it; `fit` never changes the weights that it learned."""
        with calling(spec.cls, f"while fitting {spec.label} again"):
            if spec.uses is not None:
                check_self(reranker, "use", reranker.use(self.fitted[spec.uses]))
            return check_self(reranker, "fit", reranker.fit(self.train, label_rng(self.fitter.seed, spec.label)))
