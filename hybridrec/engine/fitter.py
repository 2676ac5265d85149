"""The fitter, which fits every distinct component once for each training part, unless the store has the fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from functools import cached_property, partial

from hybridrec.config.experiment import ComponentSpec
from hybridrec.data.dataset import Dataset
from hybridrec.data.fingerprint import fingerprint
from hybridrec.engine.executor import Executor
from hybridrec.engine.fit import RANDOM, FitContext, FitJob, Fitted, Listener, options_text, prepare_job
from hybridrec.engine.folds import PartSplitter
from hybridrec.engine.keys import fit_key, prepared_key
from hybridrec.engine.progress import ProgressPoint
from hybridrec.engine.store import Store
from hybridrec.errors import MemoryBudgetError, format_size
from hybridrec.registry.discovery import Registry
from hybridrec.stages.validation_split import ValidationSplit
from hybridrec.tracing import calling


@dataclass(frozen=True)
class TrainingPart:
    """The data from which the fits of a fold and level learn, with its fingerprint."""

    fold: str
    level: str
    """Level of its fits: "full" (evaluated and served) or "out_of_fold" (blends learn on its predictions)."""
    train: Dataset
    fingerprint: str
    splitter: PartSplitter | None = None
    """Makes the split `validation`; if it is None, no component has a validation split."""

    @cached_property
    def validation(self) -> tuple[str, ValidationSplit] | None:
        """The pair (fingerprint, validation split) for components that validate; the split is made at the first use."""
        if self.splitter is None:
            return None
        split = self.splitter.split(self.train, self.fold, self.level)
        return fingerprint(split), split

    @cached_property
    def catalogue(self) -> str:
        """Fingerprint of the catalogue, for components that prepare arrays from it."""
        return self.train.catalogue.fingerprint

    def place(self, label: str) -> str:
        """Return the name, in the `lock.json` of a run, of the fit of a component on this training part."""
        return f"{self.fold}/{self.level}/{label}"


def validation_of(spec: ComponentSpec, training_part: TrainingPart) -> str:
    """Return the fingerprint of the validation split of a component on a training part; "" if it does not validate."""
    return training_part.validation[0] if spec.create().validates and training_part.validation is not None else ""


Done = Callable[[Fitted], None]
PlannedFit = tuple[ComponentSpec, TrainingPart]


@dataclass(eq=False)
class Fitter:
    """A fitter of components on training parts.

    It takes fits that the store has from there, and lets an executor run the others.

    memory: the budget of all fits in work, together with the process, in bytes
    repeat: number of the training, from 1; trainings with other numbers have other seeds
    listener: called with the progress that components report: at once for a fit in this process, else after the fit has
        ended
    began: called with the job of each fit that begins in this process
    timeout: seconds that one fit may take, None without a limit
    """

    store: Store
    registry: Registry
    executor: Executor
    _: KW_ONLY
    seed: int
    memory: int
    repeat: int = 1
    listener: Listener = lambda job, point: None
    began: Callable[[FitJob], None] = lambda job: None
    timeout: float | None = None

    def key(self, spec: ComponentSpec, training_part: TrainingPart) -> str:
        """Return the key of a fit in the store; a fit that draws no random numbers has the same key in every repeat."""
        uses = None if spec.base_model is None else self.key(spec.base_model, training_part)
        validation = validation_of(spec, training_part)
        key = fit_key(spec, training_part.fingerprint, self.seed, uses=uses, validation=validation)
        if self.repeat == 1 or (self.store.about(key) or {}).get(RANDOM) is False:
            return key
        return fit_key(spec, training_part.fingerprint, self.seed, self.repeat, uses=uses, validation=validation)

    def prepared_key(self, spec: ComponentSpec, training_part: TrainingPart) -> str:
        """Return the key in the store of the arrays that a component prepares from the catalogue; "" without any."""
        component = spec.create()
        return "" if component.prepares is None else prepared_key(spec, component, training_part.catalogue)

    def job(self, spec: ComponentSpec, training_part: TrainingPart, *, threads: int = 1, memory: int = 0) -> FitJob:
        """Return the job that fits a component on a training part, with the job of its base model, if it has one.

        `threads` are the threads that each of the two jobs may use; `memory` is the estimated peak in bytes.
        """
        return FitJob(
            component=spec.name,
            options=options_text(spec),
            label=spec.label,
            data=training_part.fingerprint,
            fold=training_part.fold,
            level=training_part.level,
            seed=self.seed,
            repeat=self.repeat,
            threads=threads,
            memory=memory,
            key=self.key(spec, training_part),
            base_model=None if spec.base_model is None else self.job(spec.base_model, training_part, threads=threads),
            device=spec.device,
            prepared=self.prepared_key(spec, training_part),
            validation=validation_of(spec, training_part),
        )

    def fit(self, jobs: Iterable[PlannedFit], done: Done = lambda _: None) -> list[Fitted]:
        """Fit all jobs, pairs (component, training part), and return their fits in the order of the jobs.

        Jobs with equal keys are fitted once, and base models are fitted, too. `done` is called with each fit when the
        fit ends. Raises MemoryBudgetError before the first fit if any fit would exceed the memory budget.
        """
        planned = list(jobs)
        base_models = [
            (base_model, training_part) for spec, training_part in planned for base_model in spec.base_models
        ]
        keys = [self.key(spec, training_part) for spec, training_part in planned]
        distinct = {self.key(spec, training_part): (spec, training_part) for spec, training_part in base_models} | dict(
            zip(keys, planned, strict=True)
        )
        missing = {key: self.within_budget(*job) for key, job in distinct.items() if key not in self.store}
        threads = max(self.executor.workers // max(len(missing), 1), 1)
        heard: set[str] = set()

        def listener(job: FitJob, point: ProgressPoint) -> None:
            heard.add(job.key)
            self.listener(job, point)

        parts = {training_part.fingerprint: training_part.train for _, training_part in planned}
        context = FitContext(self.store, self.registry, parts, listener, self.began, self.timeout, self.memory)
        asked = [training_part for spec, training_part in distinct.values() if validation_of(spec, training_part)]
        context.splitter = asked[0].splitter if asked else None
        context.splits = dict(each.validation for each in asked if each.validation is not None)
        fits = {
            key: context.fitted(self.job(spec, training_part, threads=threads, memory=missing.get(key, 0)))
            for key, (spec, training_part) in distinct.items()
        }
        for key, fitted in fits.items():
            if key not in missing:
                fitted.run()
                done(fitted)
        if self.executor.needs_parts:
            self._put_parts({distinct[key][1].fingerprint: distinct[key][1] for key in missing})
            # Processes do not wait for each other: what several of their fits need is made before.
            preparing = {fits[key].job.prepared: fits[key].job for key in missing if fits[key].job.prepared}
            list(self.executor.map(partial(prepare_job, context), list(preparing.values())))
        for outcome in self.executor.submit([fits[key].job for key in missing], context):
            fits[outcome.key].outcome = outcome
            for point in outcome.progress if outcome.key not in heard else ():
                self.listener(fits[outcome.key].job, point)
            done(fits[outcome.key])
        return [fits[key] for key in keys]

    def _put_parts(self, parts: Mapping[str, TrainingPart]) -> None:
        """Store training parts for workers in other processes."""
        for key, training_part in parts.items():
            name = f"{training_part.fold}/{training_part.level}"
            if key not in self.store:
                self.store.put(key, training_part.train.state(), {"training part": name})

    def within_budget(self, spec: ComponentSpec, training_part: TrainingPart) -> int:
        """Estimate the peak memory of a fit in bytes; raises MemoryBudgetError if it exceeds the budget."""
        fold, level = training_part.fold, training_part.level
        doing = f"while estimating the memory of components.{spec.label} in fold {fold} ({level})"
        with calling(spec.cls, doing):
            need = spec.create().memory(training_part.train)
        if need > self.memory:
            raise MemoryBudgetError(
                f"components.{spec.label} ({spec.cls.name}) would need about {format_size(need)} to be fitted, "
                f"the budget is {format_size(self.memory)}: raise `memory`, thin the data with `k_core`, "
                f"or use a component that needs less, such as a factor model"
            )
        return need
