"""Fits: jobs as plain values, their outcomes, and the code that runs a job in any process."""

from __future__ import annotations

import json
import pickle
import random
import secrets
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np

from hybridrec.config.experiment import ComponentSpec
from hybridrec.data.dataset import Dataset
from hybridrec.data.fingerprint import fingerprint
from hybridrec.engine.estimates import TOOK, took
from hybridrec.engine.keys import digest, fit_key
from hybridrec.engine.memory import PeakMemory
from hybridrec.engine.progress import ProgressPoint, ProgressSeries
from hybridrec.engine.seeds import label_rng
from hybridrec.engine.store import REPRODUCIBLE, Store
from hybridrec.errors import PluginError, StoreError, format_size
from hybridrec.inference.threads import Unreturned, call_within, one_thread_per_library
from hybridrec.plugin import Plugin
from hybridrec.registry.discovery import Registry
from hybridrec.secret import redacted
from hybridrec.stages.checks import check_figures, check_self, check_state
from hybridrec.stages.component import CPU, Component
from hybridrec.stages.figures import Figure
from hybridrec.stages.validation_split import ValidationSplit
from hybridrec.tracing import calling, line_in
from hybridrec.types import State

if TYPE_CHECKING:
    from hybridrec.engine.folds import PartSplitter

RANDOM = "random"
"""Key in the metadata of a fit in the store; its value is true if the fit drew random numbers."""
UNSEEDED_NOTE = (
    "while it was fitted, numbers were drawn from the global generator of numpy or Python, which no seed of the config "
    "decides: another run may learn something else; a plugin draws from the generator that `fit` is given"
)
BESIDE_NOTE = (
    "while it was fitted beside others, numbers were drawn from the global generator of numpy or Python, which no seed "
    "of the config decides, by this fit or by another: a run with `workers: 1` and an empty store tells which"
)
"""The note where a fit was not alone in its process; it is not stored, since it may be about another fit."""
NOTES = "notes"
"""Key in the metadata of a fit in the store; its value are the notes of the component (`Component.notes`)."""
PROGRESS = "progress"
"""Key in the metadata of a fit in the store; its value is the reported progress, (step, of, numbers) by point."""
CLOCK_NOTE = (
    "a limit of time ended this fit, or that of the component that it uses: what it learned depends on the machine, "
    "and no other run takes it from the store"
)


class FitTimeoutError(PluginError):
    """The error for a fit that takes longer than the config allows (`fit_timeout`)."""


@dataclass(frozen=True, slots=True)
class FitJob:
    """The description of one fit: a component, its options, and the key of its training part.

    It is plain data, which stays small however large the training part is, so that it can be sent to other processes.

    component, options: the name under which the component is registered, and its options as JSON
    data: fingerprint of the training part, its key in a store
    level: "full" (evaluated and served) or "out_of_fold" (blends learn on its predictions)
    repeat: from 1; distinguishes trainings that differ only in their seeds
    threads: number of threads that the component may use
    memory: estimated peak bytes of the fit, 0 if not estimated
    key: key of the fit in the store
    base_model: the job of the base model, if the component has one
    device: where the component may compute, if it uses a device
    prepared: key in the store of the arrays that the component prepares from the catalogue; empty if it prepares none
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
        """Number of fits that have to end before this one: its base model, the base model of that, and so on."""
        return 0 if self.base_model is None else self.base_model.depth + 1

    def spec(self, registry: Registry) -> ComponentSpec:
        """Return the spec of the component, with its options and its base model; `registry` knows its class."""
        cls = registry.get("components", self.component)
        options = cls.Config.model_validate(json.loads(self.options), context={"registry": registry})
        spec = ComponentSpec.of(self.label, self.component if "/" in self.component else "", cls, options, registry)
        spec = replace(spec, device=self.device)
        return spec if self.base_model is None else replace(spec, base_model=self.base_model.spec(registry))


class _InWork:
    """A count of the fits in work in this process, which tells whether one has the global generators for itself."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = self._begun = 0

    @contextmanager
    def counted(self) -> Iterator[Callable[[], bool]]:
        """Count a fit during the `with` block; yields a function that tells whether it was the only one so far."""
        with self._lock:
            first = self._running == 0
            self._running += 1
            self._begun += 1
            begun = self._begun
        try:
            yield lambda: first and self._begun == begun
        finally:
            with self._lock:
                self._running -= 1


_in_work = _InWork()


Listener = Callable[[FitJob, ProgressPoint], None]
"""A function that is called with the progress that a component reports while it is fitted."""


@dataclass(frozen=True, slots=True)
class FitOutcome:
    """The outcome of a job; the fitted arrays themselves are in the store.

    seconds: duration of the fit, 0 if the store already had it (`cached`)
    notes: notes of the component
    progress: the reports of the component while it was fitted, thinned
    token: a random text if a limit of time ended the fit, else empty; it makes the fit's key unique, so that no other
        run takes the fit from the store
    doubled: True if another process stored the same fit while this one was made
    """

    key: str
    seconds: float
    notes: tuple[str, ...]
    cached: bool
    progress: tuple[ProgressPoint, ...] = ()
    token: str = ""
    doubled: bool = False

    @property
    def address(self) -> str:
        """The key of the fit in the store: the key of the job, unless a limit of time ended the fit (see `token`)."""
        return digest(self.key, self.token) if self.token else self.key


class FitContext:
    """The resources of a process that runs jobs: the store, the plugins, and the training parts in memory.

    Pickling writes only the store, the choice of plugins (those that are blocked, preferred or without packaging), the
    limit of time and, if a component validates, the splitter. Another process reads training parts from the store, and
    takes components from its own installed plugins.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        parts: Mapping[str, Dataset] | None = None,
        listener: Callable[[FitJob, ProgressPoint], None] | None = None,
        began: Callable[[FitJob], None] | None = None,
        timeout: float | None = None,
        memory: int | None = None,
    ) -> None:
        """Create the context; `parts` are the training parts in memory by fingerprint, for the jobs of this process.

        `listener` is called with the progress that components report while this process fits them. `began` is called
        when a fit begins in this process. Both are called in the thread of the fit. `timeout` are the seconds that
        a fit may take, None without a limit. `memory` are the bytes that this process and its workers may take, None
        without a limit.
        """
        self.timeout = timeout
        self.memory = memory
        self.listener = listener
        self.began = began
        self.splitter: PartSplitter | None = None
        """The splitter for the validation splits of components; None if no component validates."""
        self.splits: Mapping[str, ValidationSplit] = {}
        """Validation splits that exist already, by their fingerprints."""
        self.store = store
        self.registry = registry
        self.parts = parts or {}
        self._preparing: dict[str, threading.Lock] = {}
        self._unstored: dict[str, State] = {}
        self._lock = threading.RLock()  # a fit asks for the one that it uses
        # Users of a fit hold a reference; when the last one is gone, its memory is freed.
        self._fits: WeakValueDictionary[str, Fitted] = WeakValueDictionary()

    def __getstate__(self) -> tuple[Store, _Choice, float | None, int | None, bytes]:
        # Bytes, as classes without packaging can be read only after the registry has loaded their files.
        return self.store, _Choice.of(self.registry), self.timeout, self.memory, pickle.dumps(self.splitter)

    def __setstate__(self, state: tuple[Store, _Choice, float | None, int | None, bytes]) -> None:
        store, choice, timeout, memory, splitter = state
        self.__init__(store, _registry(choice), timeout=timeout, memory=memory)  # type: ignore[misc]
        self.splitter = pickle.loads(splitter)

    def fitted(self, job: FitJob) -> Fitted:
        """Return the fit of a job: in this process always the same object for the same key, as long as it is in use."""
        with self._lock:
            fitted = self._fits.get(job.key)
            if fitted is None:
                fitted = self._fits[job.key] = Fitted(job, self)
            return fitted

    def prepared(self, job: FitJob) -> State:
        """Return the arrays that the component of a job computes from the catalogue before it is fitted.

        The arrays are read from the store if it has them, else computed and stored. If several fits of this process
        need the same arrays, the first computes them, and the others wait.
        """
        with self._preparing.setdefault(job.prepared, threading.Lock()):
            state = self._unstored.get(job.prepared) or self.store.find(job.prepared)
            if state is None:
                spec = job.spec(self.registry)
                doing = f"while preparing the catalogue for components.{job.label}"
                with calling(spec.cls, doing), _in_work.counted():
                    preparer = spec.create().preparer()
                    state = preparer.prepare(self.training_part(job).catalogue)
                    check_state(state)
                if spec.kept:
                    about = {"prepared for": spec.cls.name, "version": spec.cls.version}
                    self.store.put(job.prepared, state, about | _told_if_irreproducible(preparer))
                    if job.prepared in self.store.doubled:  # what was stored first is used by all
                        state = self.store.find(job.prepared) or state
                else:
                    self._unstored[job.prepared] = state
            return state

    def validation_split(self, job: FitJob) -> ValidationSplit:
        """Return the validation split of a job.

        The process that planned the job has the split in memory; another process splits the training part again. Raises
        PluginError if this gives a split with another fingerprint than that of the job.
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
            return Dataset.restore(state, mapped=True)  # all workers share the pages of the store's file
        raise StoreError(
            f"the training part of components.{job.label} in fold {job.fold} ({job.level}) is not in the store "
            f"{self.store.place}: an executor whose workers read it there sets `needs_parts`"
        )


@dataclass(frozen=True, slots=True)
class _Choice:
    """The choice of plugins of a registry as plain values that can be pickled.

    From it another process builds a registry with the same plugins (`_registry`).

    blocked: names of the plugins that are blocked
    loose: the plugins without packaging, as classes or as paths of files
    digests: digests of the sources of the plugins without packaging
    prefer: ((kind, name), distribution) for names that several plugins offer
    """

    blocked: tuple[str, ...]
    loose: tuple[type[Plugin] | str, ...]
    digests: tuple[str, ...]
    prefer: tuple[tuple[tuple[str, str], str], ...]

    @classmethod
    def of(cls, registry: Registry) -> _Choice:
        """Return the choice of plugins of a registry; files are given by their absolute paths."""
        blocked = tuple(provider.name for provider in registry.providers if provider.blocked)
        loose = [plugin if isinstance(plugin, type) else str(Path(plugin).resolve()) for plugin in registry.plugins]
        digests = tuple(provider.digest for provider in registry.providers if provider.file)
        return cls(blocked, tuple(loose), digests, tuple(registry.prefer.items()))


@cache
def _registry(choice: _Choice) -> Registry:
    """Build a registry with this choice of plugins; later calls with an equal choice return the same registry."""
    return Registry(also_block=choice.blocked, plugins=choice.loose, prefer=dict(choice.prefer))


@dataclass(frozen=True, slots=True)
class _Learned:
    """A component that was just fitted, with the outcome of its job, and the arrays and metadata for the store."""

    component: Component
    outcome: FitOutcome
    state: State
    about: dict[str, Any]


class Fitted:
    """The fit of one component of the fit plan; the component is read from the store only when it is used.

    Pickling writes its job, context and outcome: another process reads the component from the store.
    """

    def __init__(self, job: FitJob, context: FitContext) -> None:
        self.job = job
        self.context = context
        self.outcome = FitOutcome(job.key, 0.0, (), cached=True)
        """The outcome of the job; until it has run, one that says that the store has the fit."""
        self.base_model = None if job.base_model is None else context.fitted(job.base_model)
        """The fit of the component's base model; None if it has none."""
        self._component: Component | None = None
        self._given_up = False
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
        """Key of the fit in the store: the key of its job, unless a limit of time ended the fit."""
        return self.outcome.address

    @property
    def component(self) -> Component:
        """The fitted component; read from the store, or fitted again if it is not there, at the first use."""
        with self._lock:
            if self._component is None:
                self._component = self._restored()
            return self._component

    def figures(self) -> Sequence[Figure]:
        """Return the figures of the fit that the component shows in the report, after checking them.

        If the component's class does not implement `figures`, the component is not read from the store.
        """
        if self.spec.cls.figures is Component.figures:
            return ()
        with _noting(self.spec, self.job, "asking for the figures of"):
            figures = self.component.figures(self.context.training_part(self.job))
            check_figures(figures)
        return figures

    def run(self) -> FitOutcome:
        """Fit the component and store it, unless the store has the fit already; return the outcome."""
        store, key = self.context.store, self.job.key
        if key in store:
            about = store.about(key) or {}
            progress = tuple(ProgressPoint(*point) for point in about.get(PROGRESS, ()))
            self.outcome = FitOutcome(key, 0.0, tuple(about.get(NOTES, ())), cached=True, progress=progress)
            return self.outcome
        started = time.perf_counter()
        if self.context.began is not None:
            self.context.began(self.job)
        with self._lock, one_thread_per_library():
            self._component, outcome = self._trained()
            if outcome.doubled:  # what was stored first is used by all
                self._component = None
        self.outcome = replace(outcome, seconds=time.perf_counter() - started)
        return self.outcome

    def _restored(self) -> Component:
        """Read the component from the store; fit it again if its arrays are damaged or were removed meanwhile."""
        state = self.context.store.find(self.key)
        if state is None:
            component, outcome = self._trained()
            if outcome.token:
                self.outcome = outcome
            return self._restored() if outcome.doubled else component
        with _noting(self.spec, self.job, "restoring"):
            component = self._new()
            return check_self(component, "restore", component.restore(state))

    def _trained(self) -> tuple[Component, FitOutcome]:
        """Fit the component and store its arrays; return it with the outcome, whose `seconds` are left at 0.

        Raises FitTimeoutError, which names the line that the component is at, if the fit takes longer than the limit of
        the context. Such a fit is not stored should it return after all, and ends at the progress that it reports next.
        """
        limit = self.context.timeout
        try:
            learned = self._learned() if limit is None else call_within(limit, self._learned)
        except Unreturned as late:
            self._given_up = True
            line = line_in(self.spec.cls.__module__.partition(".")[0], late.frame)
            place = f", and is at {line}" if line else ""
            with _noting(self.spec, self.job, "fitting"):
                raise FitTimeoutError(
                    f"components.{self.job.label} ({self.job.component}) has not returned from its fit after "
                    f"{limit:g} s, the limit of `fit_timeout`{place}; what was fitted so far is in the store"
                ) from None
        outcome = learned.outcome
        if self.spec.kept:
            self.context.store.put(outcome.address, learned.state, learned.about)
            outcome = replace(outcome, doubled=outcome.address in self.context.store.doubled)
        return learned.component, outcome

    def _learned(self) -> _Learned:
        """Fit the component, without a limit of time."""
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
        started = time.perf_counter()
        with _noting(spec, job, "fitting"), _in_work.counted() as alone:
            unseeded = _global_generators()
            with PeakMemory() as peak:
                check_self(component, "fit", component.fit(training_part, rng))
            drew_unseeded = _global_generators() != unseeded
            beside = drew_unseeded and not alone()
            component._reporter = component._from_catalogue = component.validation = None
            state = component.state()
            check_state(state)
            notes = [redacted(note) for note in component.notes()] + [UNSEEDED_NOTE] * (drew_unseeded and not beside)
        seconds = time.perf_counter() - started
        drew = rng.bit_generator.state != before or rng.bit_generator.seed_seq.n_children_spawned > 0  # type: ignore[attr-defined]
        points, token = series.points, ""
        if component.ended_by_clock or (self.base_model is not None and self.base_model.outcome.token):
            notes.append(CLOCK_NOTE)
            token = secrets.token_hex(16)
        told_now = (*notes, *[BESIDE_NOTE] * beside, *self._overrun(peak))
        outcome = FitOutcome(job.key, 0.0, told_now, cached=False, progress=points, token=token)
        about: dict[str, Any] = {"component": spec.cls.name, "version": spec.cls.version, "label": spec.label}
        about |= {"fold": job.fold, RANDOM: drew, NOTES: notes, TOOK: took(spec, training_part, seconds)}
        about |= _told_if_irreproducible(component)
        about |= {PROGRESS: [[point.step, point.of, dict(point.numbers)] for point in points]} if points else {}
        return _Learned(component, outcome, state, about)

    def _overrun(self, peak: PeakMemory) -> list[str]:
        """Return a note if the process took more than the budget while it fitted, and the fits in work most of that.

        It is not stored, since another machine or another fit beside this one may take another peak.
        """
        memory, estimate, taken = self.context.memory, self.job.memory, peak.bytes - peak.before
        if memory is None or peak.bytes <= memory or taken <= max(estimate, memory // 2):
            return []
        told = f"its estimate was {format_size(estimate)}" if estimate else "it gives no estimate"
        return [
            f"while it was fitted, its process held {format_size(peak.bytes)}, {format_size(taken)} more than before, "
            f"and `memory` is {format_size(memory)}; {told}"
        ]

    def _reporter(self, series: ProgressSeries) -> Callable[[int, int, Mapping[str, float]], None]:
        """Return the function that the component calls to report its progress.

        It adds each report to `series` and passes it to the listener of the context.
        """

        def reporter(step: int, of: int, numbers: Mapping[str, float]) -> None:
            if self._given_up:
                raise FitTimeoutError(f"the fit of components.{self.job.label} was given up")
            point = ProgressPoint.told(step, of, numbers)
            series.add(point)
            if self.context.listener is not None:
                self.context.listener(self.job, point)

        return reporter

    def _new(self) -> Component:
        """Return a new, unfitted instance of the component, with its base model set if it has one."""
        component = self.spec.create()
        if self.base_model is None:
            return component
        return check_self(component, "use", component.use(self.base_model.component))


def _told_if_irreproducible(component: Component) -> dict[str, Any]:
    """Return metadata for what a component has made, which say so if making it once more may give other arrays."""
    return {} if component.reproducible and component.device == CPU else {REPRODUCIBLE: False}


def run_fit_job(job: FitJob, context: FitContext) -> FitOutcome:
    """Fit a component and write it to the store, unless the store has the fit already; return the outcome.

    It may be called in any process and on any machine. If the component fails, its error is raised with a note that
    names the component. Raises PluginError if the plugins or libraries of this process differ from those of the process
    that made the job's key, since the fit would differ, too.
    """
    if job.key not in context.store:
        _check_key(job, job.spec(context.registry))
    return context.fitted(job).run()


def prepare_job(context: FitContext, job: FitJob) -> None:
    """Compute and store the arrays that the job's component prepares from the catalogue, unless the store has them.

    It may be called in any process.
    """
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
    """Return a context manager that adds a note to errors of a component; `doing` says what was done with it."""
    return calling(spec.cls, f"while {doing} components.{job.label} in fold {job.fold} ({job.level})")


def _global_generators() -> tuple[object, ...]:
    """Return a summary of the states of the generators that all code shares; every draw changes it."""
    name, words, position, *rest = np.random.get_state(legacy=True)  # noqa: NPY002
    own = random.getstate()[1]
    return name, zlib.crc32(np.asarray(words).tobytes()), position, *rest, own[0], own[-1]
