"""The fit plan: every distinct component once per training part, from the store where it is there already."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import cast

from hybridrec.config.experiment import Spec
from hybridrec.data.dataset import Dataset
from hybridrec.engine.executor import Executor, as_they_end
from hybridrec.engine.keys import fit_key
from hybridrec.engine.seeds import label_rng
from hybridrec.engine.store import Store
from hybridrec.errors import MemoryBudgetError, StoreError
from hybridrec.stages.checks import check_self, check_state
from hybridrec.stages.component import Component, Generator, VectorModel
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


class Fitted:
    """A component of the fit plan. It is read from the store only when somebody asks for it."""

    def __init__(self, spec: Spec, part: Part, key: str, *, make: Callable[[], Component], cached: bool) -> None:
        self.spec = spec
        self.part = part
        self.key = key
        self.cached = cached
        """Whether it was in the store already."""
        self.seconds = 0.0
        """What fitting it took."""
        self._make = make
        self._component: Component | None = None
        self._lock = threading.Lock()

    @property
    def component(self) -> Component:
        """The fitted instance."""
        with self._lock:
            if self._component is None:
                self._component = self._make()
            return self._component


RANDOM = "random"
"""In what the store knows of a fit: whether it drew random numbers."""


NOTES = "notes"
"""In what the store knows of a fit: `Component.notes`."""


Done = Callable[[Fitted], None]


class Fitter:
    """Fits components on training parts through a store, side by side on `workers` threads.

    The libraries under the components release the interpreter lock while they train and are held to
    one thread each, so the threads here are the only parallelism there is; only where fewer fits than
    workers are left, a component whose result does not depend on it may use several itself.
    """

    def __init__(
        self,
        store: Store,
        seed: int,
        workers: int,
        memory: int,
        *,
        earlier: Mapping[str, str] | None = None,
        repeat: int = 1,
        executor: Executor = as_they_end,
    ) -> None:
        """`earlier` are the fits of a finished run, `Part.place` -> key: what is there of them is used as it is.

        `repeat`, from 1, tells trainings apart that differ in their seeds alone. `executor` carries out the fits
        that do not need one another.
        """
        self.store = store
        self.seed = seed
        self.workers = workers
        self.memory = memory
        self.earlier = earlier or {}
        self.repeat = repeat
        self.executor = executor

    def key(self, spec: Spec, part: Part) -> str:
        """Where the fit lies in the store. A fit that drew no random number is the same in every repeat."""
        uses = None if spec.lender is None else self._place(spec.lender, part)
        key = fit_key(spec, part.fingerprint, self.seed, uses=uses)
        if self.repeat == 1 or (self.store.about(key) or {}).get(RANDOM) is False:
            return key
        return fit_key(spec, part.fingerprint, self.seed, self.repeat, uses=uses)

    def fit(self, jobs: Iterable[tuple[Spec, Part]], done: Done = lambda _: None) -> list[Fitted]:
        """All jobs done, in their order; jobs that come to the same key are fitted once.

        Raises MemoryBudgetError before the first fit if one of them is too large, and StoreError if the
        installed version of a component cannot read what an earlier one stored.
        """
        plan = list(jobs)
        keys = [self._place(spec, part) for spec, part in plan]
        lenders = {
            self._place(spec.lender, part): (spec.lender, part) for spec, part in plan if spec.lender is not None
        }
        distinct = lenders | dict(zip(keys, plan, strict=True))
        for key, (spec, part) in distinct.items():
            if key not in self.store:
                self.within_budget(spec, part)
        missing = sum(key not in self.store for key in distinct)
        threads = max(self.workers // max(missing, 1), 1)
        fitted: dict[str, Fitted] = {}

        def task(key: str, spec: Spec, part: Part) -> Callable[[], Fitted]:
            lent = None if spec.lender is None else fitted[self._place(spec.lender, part)]
            return partial(self.fit_one, spec, part, key, threads, lent)

        for stage in (lenders, {key: job for key, job in distinct.items() if key not in lenders}):
            for result in self.executor([task(key, *job) for key, job in stage.items()], self.workers):
                fitted[result.key] = result
                done(result)
        return [fitted[key] for key in keys]

    def served(self, spec: Spec, part: Part) -> str | None:
        """Where the earlier run has this fit; None if it has none, or it left the store."""
        was = self.earlier.get(part.place(spec.label))
        about = None if was is None else self.store.about(was)
        if about is None:
            return None
        version, readable = about.get("version"), {spec.cls.version, *spec.cls.reads_versions}
        if version not in readable:
            raise StoreError(
                f"components.{spec.label} was stored by {spec.cls.name} {version}; the installed version "
                f"{spec.cls.version} reads {', '.join(sorted(readable))}: run the experiment again, or install "
                "the plugin as it was (lock.json of the run has its version)"
            )
        return was

    def _place(self, spec: Spec, part: Part) -> str:
        """Where the fit lies that is used: that of the earlier run, or its own."""
        return self.served(spec, part) or self.key(spec, part)

    def notes(self, fit: Fitted) -> list[str]:
        """What its component had to say when it was fitted."""
        return (self.store.about(fit.key) or {}).get(NOTES, [])

    def fit_one(self, spec: Spec, part: Part, key: str, threads: int, lent: Fitted | None = None) -> Fitted:
        """Find a component in the store, or fit it, with so many threads to use, and store it.

        `lent` is the fit of the component that it uses, if it uses any.
        """
        result = Fitted(spec, part, key, make=lambda: self._obtain(spec, part, key, lent), cached=key in self.store)
        if not result.cached:
            started = time.perf_counter()
            component = self._train(spec, part, key, lent, threads)
            result = Fitted(spec, part, key, make=lambda: component, cached=False)
            result.seconds = time.perf_counter() - started
        return result

    def _obtain(self, spec: Spec, part: Part, key: str, lent: Fitted | None) -> Component:
        """From the store; made anew if it is damaged or was removed meanwhile."""
        state = self.store.find(key)
        if state is None:
            return self._train(spec, part, key, lent)
        with _noting(spec, part, "restoring"):
            component = _create(spec, lent)
            return check_self(component, "restore", component.restore(state))

    def _train(self, spec: Spec, part: Part, key: str, lent: Fitted | None, threads: int = 1) -> Component:
        component = _create(spec, lent)
        rng = label_rng(self.seed, spec.label if self.repeat == 1 else f"{spec.label}, repeat {self.repeat}")
        before = rng.bit_generator.state
        component.threads = threads
        with _noting(spec, part, "fitting"):
            check_self(component, "fit", component.fit(part.train, rng))
            state = component.state()
            check_state(state)
            notes = component.notes()
        drew = rng.bit_generator.state != before or rng.bit_generator.seed_seq.n_children_spawned > 0  # type: ignore[attr-defined]
        named = {"component": spec.cls.name, "version": spec.cls.version, "label": spec.label, "fold": part.fold}
        about = {**named, RANDOM: drew, NOTES: notes}
        self.store.put(key, state, about)
        return component

    def within_budget(self, spec: Spec, part: Part) -> int:
        """Estimated peak bytes of a fit; raises MemoryBudgetError if that is more than allowed."""
        with _noting(spec, part, "estimating the memory of"):
            need = spec.create().memory(part.train)
        if need > self.memory:
            raise MemoryBudgetError(
                f"components.{spec.label} ({spec.cls.name}) would need about {need / 1e9:.1f} GB to be fitted, "
                f"the budget is {self.memory / 1e9:.1f} GB: raise `memory`, thin the data with `k_core`, "
                f"or use a component that needs less, a factor model say"
            )
        return need


def _create(spec: Spec, lent: Fitted | None) -> Component:
    """A new instance that has what it uses."""
    component = spec.create()
    if lent is None:
        return component
    return check_self(component, "use", cast(Generator, component).use(cast(VectorModel, lent.component)))


def _noting(spec: Spec, part: Part, doing: str) -> AbstractContextManager[None]:
    """Whatever a plugin raises tells what it was doing."""
    return calling(spec.cls, f"while {doing} components.{spec.label} in fold {part.fold} ({part.level})")
