"""The fit plan: every distinct component once per training part, from the store where it is there already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from hybridrec.config.experiment import ComponentSpec
from hybridrec.data.dataset import Dataset
from hybridrec.engine.executor import Executor
from hybridrec.engine.fit import RANDOM, FitContext, FitJob, Fitted, options_text
from hybridrec.engine.keys import fit_key
from hybridrec.engine.store import Store
from hybridrec.errors import MemoryBudgetError
from hybridrec.registry.discovery import Registry
from hybridrec.tracing import calling


@dataclass(frozen=True, slots=True)
class Part:
    """A training part: the data, its fingerprint, and where it stands in the run."""

    fold: str
    level: str
    """"final" (what is evaluated) or "base" (what blends are learned on)."""
    train: Dataset
    fingerprint: str

    def place(self, label: str) -> str:
        """Where a fit on this part stands in the `lock.json` of a run."""
        return f"{self.fold}/{self.level}/{label}"


Done = Callable[[Fitted], None]


class Fitter:
    """Has components fitted on training parts by an executor, through a store."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        executor: Executor,
        *,
        seed: int,
        memory: int,
        repeat: int = 1,
    ) -> None:
        """`memory` is the budget of one fit in bytes.

        `repeat`, from 1, distinguishes trainings that differ in their seeds alone.
        """
        self.store = store
        self.registry = registry
        self.executor = executor
        self.seed = seed
        self.memory = memory
        self.repeat = repeat

    def key(self, spec: ComponentSpec, part: Part) -> str:
        """Where the fit lies in the store. A fit that drew no random number is the same in every repeat."""
        uses = None if spec.base_model is None else self.key(spec.base_model, part)
        key = fit_key(spec, part.fingerprint, self.seed, uses=uses)
        if self.repeat == 1 or (self.store.about(key) or {}).get(RANDOM) is False:
            return key
        return fit_key(spec, part.fingerprint, self.seed, self.repeat, uses=uses)

    def job(self, spec: ComponentSpec, part: Part, *, threads: int = 1, memory: int = 0) -> FitJob:
        """A component on a training part as plain data; one that it uses gets as many threads."""
        return FitJob(
            component=spec.cls.name,
            options=options_text(spec),
            label=spec.label,
            data=part.fingerprint,
            fold=part.fold,
            level=part.level,
            seed=self.seed,
            repeat=self.repeat,
            threads=threads,
            memory=memory,
            key=self.key(spec, part),
            base_model=None if spec.base_model is None else self.job(spec.base_model, part, threads=threads),
        )

    def fit(self, jobs: Iterable[tuple[ComponentSpec, Part]], done: Done = lambda _: None) -> list[Fitted]:
        """Return the fits of all jobs, in their order; jobs that come to the same key are fitted once.

        `done` is told of each fit when it ends. Raises MemoryBudgetError before the first fit if one of them is
        too large.
        """
        plan = list(jobs)
        base_models = [(spec.base_model, part) for spec, part in plan if spec.base_model is not None]
        keys = [self.key(spec, part) for spec, part in plan]
        distinct = {self.key(spec, part): (spec, part) for spec, part in base_models} | dict(
            zip(keys, plan, strict=True)
        )
        missing = {key: self.within_budget(*job) for key, job in distinct.items() if key not in self.store}
        threads = max(self.executor.workers // max(len(missing), 1), 1)
        context = FitContext(self.store, self.registry, {part.fingerprint: part.train for _, part in plan})
        fits = {
            key: context.fitted(self.job(spec, part, threads=threads, memory=missing.get(key, 0)))
            for key, (spec, part) in distinct.items()
        }
        for key, fitted in fits.items():
            if key not in missing:
                fitted.run()
                done(fitted)
        if self.executor.needs_parts:
            self._put_parts({distinct[key][1].fingerprint: distinct[key][1] for key in missing})
        for outcome in self.executor.submit([fits[key].job for key in missing], context):
            fits[outcome.key].outcome = outcome
            done(fits[outcome.key])
        return [fits[key] for key in keys]

    def _put_parts(self, parts: Mapping[str, Part]) -> None:
        """Store training parts for workers of other processes."""
        for fingerprint, part in parts.items():
            self.store.put(fingerprint, part.train.state(), {"training part": f"{part.fold}/{part.level}"})

    def within_budget(self, spec: ComponentSpec, part: Part) -> int:
        """Estimated peak bytes of a fit; raises MemoryBudgetError if that is more than allowed."""
        doing = f"while estimating the memory of components.{spec.label} in fold {part.fold} ({part.level})"
        with calling(spec.cls, doing):
            need = spec.create().memory(part.train)
        if need > self.memory:
            raise MemoryBudgetError(
                f"components.{spec.label} ({spec.cls.name}) would need about {need / 1e9:.1f} GB to be fitted, "
                f"the budget is {self.memory / 1e9:.1f} GB: raise `memory`, thin the data with `k_core`, "
                f"or use a component that needs less, a factor model say"
            )
        return need
