"""The fits of an experiment, one by one: their keys, their costs, and the fits that each of them waits for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hybridrec.config.experiment import ComponentSpec
from hybridrec.engine.choices import Choice, choice_jobs, choice_part, chosen, decide, on_chosen
from hybridrec.engine.estimates import FitSeconds
from hybridrec.engine.fitter import Fitter, TrainingPart
from hybridrec.engine.train import FoldSplits, FoldTrainer


@dataclass(frozen=True, slots=True)
class FitEntry:
    """One fit of a fit plan.

    key: key of the fit in the store; empty as long as the fits that it waits for decide it
    label, component: the label of the component in the config, and the name under which it is registered
    fold, level: the training part; the level is "full", "out_of_fold" or "choice"
    repeat: number of the training, from 1
    variant: index of the value of an option that is chosen by the data, on the level "choice"; else 0
    waits_for: keys of the fits that have to be in the store before, and are not
    memory: estimated peak memory in bytes, 0 without an estimate
    seconds: rough estimate of the duration; None without an estimate
    stored: True if the store has the fit
    kept: False if the store never keeps the fit, since the source of its class is unknown
    """

    key: str
    label: str
    component: str
    fold: str
    level: str
    repeat: int
    variant: int
    waits_for: tuple[str, ...]
    memory: int
    seconds: float | None
    stored: bool
    kept: bool
    used: str = ""
    """The place of the base model; empty without one."""

    @property
    def place(self) -> str:
        """The name of the fit in the plan, which does not depend on what the store has."""
        return place_of(self.label, self.fold, self.level, self.repeat, self.variant)


def place_of(label: str, fold: str, level: str, repeat: int, variant: int) -> str:
    """Return the name of a fit in a plan."""
    again = f", repeat {repeat}" if repeat > 1 else ""
    return f"{fold}/{level}/{label}" + (f", value {variant + 1}" if level == "choice" else "") + again


@dataclass(frozen=True, slots=True)
class FitTask:
    """An entry of a fit plan, with the objects by which this process can do the fit.

    spec: the component with its chosen options; None as long as they are not decided
    """

    entry: FitEntry
    spec: ComponentSpec | None
    training_part: TrainingPart
    fitter: Fitter


class FitPlanner:
    """A planner of the single fits of folds.

    As far as the store has the fits by which an option or a key is decided, they are decided; what waits for others is
    listed without a key.
    """

    def __init__(self, trainers: Sequence[FoldTrainer], estimates: FitSeconds | None = None) -> None:
        """Plan for these trainers, one for each repeat, the first one first; without `estimates`, no seconds."""
        self.trainers = trainers
        self.estimates = estimates

    def tasks(self, splits: FoldSplits) -> list[FitTask]:
        """Return the fits of a fold in an order in which they can be done, each distinct key once.

        Raises MemoryBudgetError if a fit would be too large.
        """
        tasks: dict[str, FitTask] = {}
        for trainer in self.trainers:
            for task in self._of_repeat(trainer, splits):
                tasks.setdefault(task.entry.key or task.entry.place, task)
        return list(tasks.values())

    def _of_repeat(self, trainer: FoldTrainer, splits: FoldSplits) -> Iterator[FitTask]:
        plan = trainer.planned(splits)
        choices: dict[str, Choice] = {}
        undecided: dict[str, tuple[str, ...]] = {}
        inner_part = choice_part(splits.parts)

        def awaited(spec: ComponentSpec) -> tuple[str, ...]:
            keys = (key for each in (*spec.base_models, spec) for key in undecided.get(each.label, ()))
            return tuple(dict.fromkeys(keys))

        specs = {spec.label: spec for spec, _ in plan.jobs}.values()
        for spec in sorted((spec for spec in specs if spec.choice is not None), key=lambda spec: len(spec.base_models)):
            waits_for = awaited(spec)
            compared = choice_jobs([on_chosen(spec, choices)], inner_part)
            tasks = [
                self._task(trainer.fitter, base_model, inner, base_model, 0, ())
                for candidate, inner in compared[:1]  # all variants use the same
                for base_model in candidate.base_models
                if not waits_for
            ]
            tasks += [
                self._task(trainer.fitter, candidate, inner, candidate, variant, waits_for)
                for variant, (candidate, inner) in enumerate(compared)
            ]
            yield from tasks
            if waits_for or not all(task.entry.stored for task in tasks):
                missing = (task.entry for task in tasks if not task.entry.stored)
                keys = (key for entry in missing for key in (entry.key, *entry.waits_for) if key)
                undecided[spec.label] = tuple(dict.fromkeys((*waits_for, *keys)))
            else:
                choices |= decide([on_chosen(spec, choices)], inner_part, trainer.fitter)
        for spec, training_part in plan.jobs:
            waits_for = awaited(spec)
            decided = spec if waits_for else chosen(spec, choices)
            yield self._task(trainer.fitter, decided, training_part, spec, 0, waits_for)

    def _task(
        self,
        fitter: Fitter,
        decided: ComponentSpec,
        training_part: TrainingPart,
        planned: ComponentSpec,
        variant: int,
        waits_for: tuple[str, ...],
    ) -> FitTask:
        """Return the task of a fit.

        decided: the component, with chosen options if nothing is awaited
        planned: the component as the config has it; the costs are those of its most expensive variant
        """
        first = self.trainers[0].fitter
        if fitter is not first and not waits_for:  # whether it drew random numbers decides the keys of later repeats
            keys = (first.key(each, training_part) for each in (*decided.base_models, decided))
            waits_for = tuple(key for key in keys if key not in fitter.store)
        decidable = not waits_for
        key = fitter.key(decided, training_part) if decidable else ""
        stored = decidable and key in fitter.store
        if decidable and decided.base_model is not None and not stored:
            base = fitter.key(decided.base_model, training_part)
            waits_for = () if base in fitter.store else (base,)
        estimates, train = self.estimates, training_part.train
        seconds = [] if estimates is None else [estimates.of(each, train) for each in planned.variants]
        told = [each for each in seconds if each is not None]
        fold, level = training_part.fold, training_part.level
        base_model = planned.base_model
        entry = FitEntry(
            key=key,
            label=planned.label,
            component=planned.cls.name,
            fold=fold,
            level=level,
            repeat=fitter.repeat,
            variant=variant,
            waits_for=waits_for,
            memory=max(fitter.within_budget(each, training_part) for each in planned.variants),
            seconds=max(told) if told else None,
            stored=stored,
            kept=planned.kept,
            used="" if base_model is None else place_of(base_model.label, fold, level, fitter.repeat, 0),
        )
        return FitTask(entry, decided if decidable else None, training_part, fitter)
