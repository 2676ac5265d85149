"""Fits as plain values: the component, its training part, the key of the result, and the code that any worker runs."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from hybridrec.config.experiment import ComponentSpec
from hybridrec.data.dataset import Dataset
from hybridrec.data.fingerprint import fingerprint
from hybridrec.engine.keys import digest, fit_key
from hybridrec.engine.progress import ProgressPoint, ProgressSeries
from hybridrec.engine.seeds import label_rng
from hybridrec.engine.store import Store
from hybridrec.errors import PluginError, StoreError
from hybridrec.inference.threads import one_thread_per_library
from hybridrec.plugin import Plugin
from hybridrec.registry.discovery import Registry
from hybridrec.secret import redacted
from hybridrec.stages.checks import check_figures, check_self, check_state
from hybridrec.stages.component import CPU, Component
from hybridrec.stages.figures import Figure
from hybridrec.stages.validation_split import ValidationSplit
from hybridrec.tracing import calling
from hybridrec.types import State

if TYPE_CHECKING:
    from hybridrec.engine.folds import PartSplitter

RANDOM = "random"
"""Key in the metadata of a fit in the store: true if it drew random numbers."""
NOTES = "notes"
"""Key in the metadata of a fit in the store: `Component.notes`."""
PROGRESS = "progress"
"""Key in the metadata of a fit in the store: what it reported, (step, of, numbers) for each point."""
CLOCK_NOTE = (
    "a limit of time ended this fit, or that of the component that it uses: what it learned depends on the machine, "
    "and no other run takes it from the store"
)


@dataclass(frozen=True, slots=True)
class FitJob:
    """One component to be fitted on one training part: plain data, of the same size whatever the size of the data.

    component, options: the name under which the component is registered, and its options as JSON
    data: fingerprint of the training part, its key in a store
    level: "full" (evaluated and served) or "out_of_fold" (blends learn on its predictions)
    repeat: from 1; distinguishes trainings that differ only in their seeds
    threads: number of threads that the component may use
    memory: estimated peak bytes of the fit, 0 if not estimated
    key: key of the fit in the store
    base_model: the job of the base model, if the component has one
    device: where the component may compute, if it uses a device
    prepared: key in the store of what the component prepares of the catalogue; empty if it prepares nothing
    validation: fingerprint of the validation split inside the training part; empty if the component does not validate
    """

    component: str
    options: str
    label: str
    data: str
    fold: str
    level: str
    seed: int
    repeat: int
    threads: int
    memory: int
    key: str
    base_model: FitJob | None = None
    device: str = CPU
    prepared: str = ""
    validation: str = ""

    @property
    def place(self) -> str:
        """The key of the fit in the `lock.json` of a run."""
        return f"{self.fold}/{self.level}/{self.label}"

    @property
    def depth(self) -> int:
        """Number of fits that have to be done before this one."""
        return 0 if self.base_model is None else self.base_model.depth + 1

    def spec(self, registry: Registry) -> ComponentSpec:
        """Return the component with its options, from the plugins of a registry."""
        cls = registry.get("components", self.component)
        options = cls.Config.model_validate(json.loads(self.options), context={"registry": registry})
        spec = ComponentSpec.of(self.label, self.component if "/" in self.component else "", cls, options, registry)
        spec = replace(spec, device=self.device)
        return spec if self.base_model is None else replace(spec, base_model=self.base_model.spec(registry))


Listener = Callable[[FitJob, ProgressPoint], None]
"""A function that is told what a component reports while it is fitted."""


@dataclass(frozen=True, slots=True)
class FitOutcome:
    """The result of a job; the fit itself is in the store.

    seconds: duration, 0 if the store had it already (`cached`)
    notes: notes of the component
    progress: what it reported
    token: a random text if a clock ended the fit, which makes its key that of no other; else empty
    """

    key: str
    seconds: float
    notes: tuple[str, ...]
    cached: bool
    progress: tuple[ProgressPoint, ...] = ()
    token: str = ""

    @property
    def address(self) -> str:
        """The key of the fit in the store: that of the job, unless a clock ended it."""
        return digest(self.key, self.token) if self.token else self.key


class FitContext:
    """The resources of the process that runs a job: the store, the training parts in memory, the installed plugins.

    It is pickled as the store with the names of blocked plugins and the plugins without packaging, and the splitter if
    a component validates: another process takes training parts from the store and components from these and its own
    plugins.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        parts: Mapping[str, Dataset] | None = None,
        listener: Callable[[FitJob, ProgressPoint], None] | None = None,
    ) -> None:
        """Share `parts`, training parts by their fingerprints, with the jobs of this process.

        `listener` is told what components report while this process fits them, in the thread of the fit.
        """
        self.listener = listener
        self.splitter: PartSplitter | None = None
        """Cuts the validation splits of components, if one asks for it."""
        self.splits: Mapping[str, ValidationSplit] = {}
        """Those that are cut already, by their fingerprints."""
        self.store = store
        self.registry = registry
        self.parts = parts or {}
        self._preparing: dict[str, threading.Lock] = {}
        self._unstored: dict[str, State] = {}
        self._lock = threading.RLock()  # a fit asks for the one that it uses
        # Users of a fit hold a reference; when the last one is gone, its memory is freed.
        self._fits: WeakValueDictionary[str, Fitted] = WeakValueDictionary()

    def __getstate__(self) -> tuple[Store, _Choice, PartSplitter | None]:
        return self.store, _Choice.of(self.registry), self.splitter

    def __setstate__(self, state: tuple[Store, _Choice, PartSplitter | None]) -> None:
        store, choice, splitter = state
        self.__init__(store, _registry(choice))  # type: ignore[misc]
        self.splitter = splitter

    def fitted(self, job: FitJob) -> Fitted:
        """Return the fit for the key of a job, of which this process has only one."""
        with self._lock:
            fitted = self._fits.get(job.key)
            if fitted is None:
                fitted = self._fits[job.key] = Fitted(job, self)
            return fitted

    def prepared(self, job: FitJob) -> State:
        """Return the arrays that the component of a job prepares of the catalogue, from the store if they are there.

        The fits of this process that need the same wait for the first one.
        """
        with self._preparing.setdefault(job.prepared, threading.Lock()):
            state = self._unstored.get(job.prepared) or self.store.find(job.prepared)
            if state is None:
                spec = job.spec(self.registry)
                with calling(spec.cls, f"while preparing the catalogue for components.{job.label}"):
                    state = spec.create().preparer().prepare(self.training_part(job).catalogue)
                    check_state(state)
                if spec.kept:
                    self.store.put(job.prepared, state, {"prepared for": spec.cls.name, "version": spec.cls.version})
                else:
                    self._unstored[job.prepared] = state
            return state

    def validation_split(self, job: FitJob) -> ValidationSplit:
        """Return the validation split of a job; in another process than the one that planned it, it is cut again.

        Raises PluginError if it is another one there.
        """
        if (split := self.splits.get(job.validation)) is not None:
            return split
        assert self.splitter is not None, "a job with a validation split comes with its splitter"
        split = self.splitter.split(self.training_part(job), job.fold, job.level)
        if fingerprint(split) != job.validation:
            raise PluginError(
                f"the splitter '{self.splitter.splitter.name}' cuts another validation split for "
                f"components.{job.label} here than in the process that plans the fits: install the same versions"
            )
        return split

    def training_part(self, job: FitJob) -> Dataset:
        """Return the training part of a job; raises StoreError if it is neither in memory nor in the store."""
        if (training_part := self.parts.get(job.data)) is not None:
            return training_part
        if (state := self.store.find(job.data)) is not None:
            return Dataset.restore(state)
        raise StoreError(
            f"the training part of components.{job.label} in fold {job.fold} ({job.level}) is not in the store "
            f"{self.store.folder.resolve()}: an executor whose workers read it there sets `needs_parts`"
        )


@dataclass(frozen=True, slots=True)
class _Choice:
    """The choice of plugins of a registry, as plain data; classes without packaging are named by their modules."""

    blocked: tuple[str, ...]
    loose: tuple[type[Plugin] | str, ...]
    digests: tuple[str, ...]
    prefer: tuple[tuple[tuple[str, str], str], ...]

    @classmethod
    def of(cls, registry: Registry) -> _Choice:
        """Return the choice of a registry; files are named by their absolute paths."""
        blocked = tuple(provider.name for provider in registry.providers if provider.blocked)
        loose = [plugin if isinstance(plugin, type) else str(Path(plugin).resolve()) for plugin in registry.plugins]
        digests = tuple(provider.digest for provider in registry.providers if provider.file)
        return cls(blocked, tuple(loose), digests, tuple(registry.prefer.items()))


@cache
def _registry(choice: _Choice) -> Registry:
    """Return a registry of this process with the same choice."""
    return Registry(also_block=choice.blocked, plugins=choice.loose, prefer=dict(choice.prefer))


class Fitted:
    """A component of the fit plan. It is read from the store only when it is used.

    It is pickled as its job: another process reads the component from the store.
    """

    def __init__(self, job: FitJob, context: FitContext) -> None:
        self.job = job
        self.context = context
        self.outcome = FitOutcome(job.key, 0.0, (), cached=True)
        """The result of the job; set when it ends."""
        self.base_model = None if job.base_model is None else context.fitted(job.base_model)
        """The fit of the base model of this one, if it has one."""
        self._component: Component | None = None
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[object, ...]:
        return FitContext.fitted, (self.context, self.job), self.outcome

    def __setstate__(self, outcome: FitOutcome) -> None:
        self.outcome = outcome

    @cached_property
    def spec(self) -> ComponentSpec:
        """The component as the config describes it."""
        return self.job.spec(self.context.registry)

    @property
    def key(self) -> str:
        """Key of the fit in the store; that of its job, unless a clock ended it."""
        return self.outcome.address

    @property
    def component(self) -> Component:
        """The fitted instance."""
        with self._lock:
            if self._component is None:
                self._component = self._restored()
            return self._component

    def figures(self) -> Sequence[Figure]:
        """Return the figures that the component gives of its fit, checked; a class that gives none is not even read."""
        if self.spec.cls.figures is Component.figures:
            return ()
        with _noting(self.spec, self.job, "asking for the figures of"):
            figures = self.component.figures(self.context.training_part(self.job))
            check_figures(figures)
        return figures

    def run(self) -> FitOutcome:
        """Look the fit up in the store, or compute and store it."""
        store, key = self.context.store, self.job.key
        if key in store:
            about = store.about(key) or {}
            progress = tuple(ProgressPoint(*point) for point in about.get(PROGRESS, ()))
            self.outcome = FitOutcome(key, 0.0, tuple(about.get(NOTES, ())), cached=True, progress=progress)
            return self.outcome
        started = time.perf_counter()
        with self._lock, one_thread_per_library():
            self._component, outcome = self._trained()
        self.outcome = replace(outcome, seconds=time.perf_counter() - started)
        return self.outcome

    def _restored(self) -> Component:
        """Read it from the store; fit it again if it is damaged or was removed meanwhile."""
        state = self.context.store.find(self.key)
        if state is None:
            component, outcome = self._trained()
            if outcome.token:
                self.outcome = outcome
            return component
        with _noting(self.spec, self.job, "restoring"):
            component = self._new()
            return check_self(component, "restore", component.restore(state))

    def _trained(self) -> tuple[Component, FitOutcome]:
        """Fit it and store it; return it with the outcome, but for the time that it took."""
        job, spec = self.job, self.spec
        training_part = self.context.training_part(job)
        component = self._new()
        rng = label_rng(job.seed, job.label if job.repeat == 1 else f"{job.label}, repeat {job.repeat}")
        before = rng.bit_generator.state
        component.threads = job.threads
        series = ProgressSeries()
        component._reporter = self._reporter(series)
        if job.prepared:
            component._from_catalogue = self.context.prepared(job)
        if job.validation:
            component.validation = self.context.validation_split(job)
        with _noting(spec, job, "fitting"):
            check_self(component, "fit", component.fit(training_part, rng))
            component._reporter = component._from_catalogue = component.validation = None
            state = component.state()
            check_state(state)
            notes = [redacted(note) for note in component.notes()]
        drew = rng.bit_generator.state != before or rng.bit_generator.seed_seq.n_children_spawned > 0  # type: ignore[attr-defined]
        points, token = series.points, ""
        if component.ended_by_clock or (self.base_model is not None and self.base_model.outcome.token):
            notes.append(CLOCK_NOTE)
            token = secrets.token_hex(16)
        outcome = FitOutcome(job.key, 0.0, tuple(notes), cached=False, progress=points, token=token)
        if spec.kept:
            about = {"component": spec.cls.name, "version": spec.cls.version, "label": spec.label, "fold": job.fold}
            told = {PROGRESS: [[point.step, point.of, dict(point.numbers)] for point in points]} if points else {}
            self.context.store.put(outcome.address, state, {**about, RANDOM: drew, NOTES: notes, **told})
        return component, outcome

    def _reporter(self, series: ProgressSeries) -> Callable[[int, int, Mapping[str, float]], None]:
        """Return the function to which the component reports: it fills the series and tells the listener."""

        def reporter(step: int, of: int, numbers: Mapping[str, float]) -> None:
            point = ProgressPoint.told(step, of, numbers)
            series.add(point)
            if self.context.listener is not None:
                self.context.listener(self.job, point)

        return reporter

    def _new(self) -> Component:
        """Return a new instance with its base model set."""
        component = self.spec.create()
        if self.base_model is None:
            return component
        return check_self(component, "use", component.use(self.base_model.component))


def run_fit_job(job: FitJob, context: FitContext) -> FitOutcome:
    """Fit a component and write it to the store, or find it there, in any process and on any machine.

    Raises the component's error, with a note that names the component, and PluginError where the plugins or
    libraries of this process differ from those for which the job's key was made, since the fit would differ, too.
    """
    if job.key not in context.store:
        _check_key(job, job.spec(context.registry))
    return context.fitted(job).run()


def prepare_job(context: FitContext, job: FitJob) -> None:
    """Prepare the catalogue for a job, in any process, if the store does not have it."""
    context.prepared(job)


def _check_key(job: FitJob, spec: ComponentSpec) -> None:
    uses = None if job.base_model is None else job.base_model.key
    if job.key != fit_key(spec, job.data, job.seed, job.repeat, uses=uses, validation=job.validation):
        raise PluginError(
            f"components.{job.label} ({job.component}) would differ if it was fitted here: the plugins, their "
            "options or the versions of their libraries differ from those of the process that plans the fits; "
            "install the same"
        )


def options_text(spec: ComponentSpec) -> str:
    """Return the options of a component as JSON."""
    options: dict[str, Any] = spec.options.model_dump(mode="json", by_alias=True)
    return json.dumps(options, ensure_ascii=False)


def _noting(spec: ComponentSpec, job: FitJob, doing: str) -> AbstractContextManager[None]:
    """Return a context that adds the component and its task to errors of a plugin."""
    return calling(spec.cls, f"while {doing} components.{job.label} in fold {job.fold} ({job.level})")
