"""Training of a fold: fit the components (full and out of fold), let the blends learn, and assemble the pipelines."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hybridrec.config.experiment import CheckedExperiment, ComponentSpec, PipelineSpec
from hybridrec.data.dataset import Dataset
from hybridrec.data.fingerprint import fingerprint
from hybridrec.data.splits.base import Fold
from hybridrec.data.transforms import k_core
from hybridrec.engine.blend import StackingSet
from hybridrec.engine.choices import choice_jobs, choice_part, chosen, decide
from hybridrec.engine.fit import Fitted
from hybridrec.engine.fitter import Done, Fitter, PlannedFit, TrainingPart
from hybridrec.engine.folds import PartSplitter, validation_fold
from hybridrec.engine.keys import digest, reranker_key
from hybridrec.engine.pipelines import NO_RERANKERS, FittedPipeline, Rerankers, filter_notes, filters_of
from hybridrec.engine.seeds import label_rng
from hybridrec.engine.store import REPRODUCIBLE
from hybridrec.inference.batch_runner import BatchRunner
from hybridrec.stages.checks import check_self
from hybridrec.stages.component import Reranker
from hybridrec.tracing import calling
from hybridrec.types import State, Target


def parts_of(fold: Fold, validation: Fold | None, splitter: PartSplitter | None = None) -> dict[str, TrainingPart]:
    """Return the training parts of a fold by level: "full", and "out_of_fold" if there is a `validation` fold.

    `validation` is the fold inside the training part on which blends learn; None if no blend learns.
    """
    parts = {"full": TrainingPart(fold.name, "full", fold.train, fold.train.fingerprint, splitter)}
    if validation is not None:
        parts["out_of_fold"] = TrainingPart(
            fold.name, "out_of_fold", validation.train, validation.train.fingerprint, splitter
        )
    return parts


def jobs_of(experiment: CheckedExperiment, parts: Mapping[str, TrainingPart]) -> Iterator[PlannedFit]:
    """Yield (component, training part) for each fit of a fold.

    On the level "full", all components in use are fitted. On the level "out_of_fold", only the components of pipelines
    with a re-ranker that learns are fitted. Base models come before the components that use them.
    """
    for level, training_part in parts.items():
        pipelines = [pipeline for pipeline in experiment.pipelines.values() if level == "full" or pipeline.learns]
        wanted = [experiment.components[label] for pipeline in pipelines for label in pipeline.labels]
        specs = [spec for upper in wanted for spec in (*upper.base_models, upper)]
        for label in dict.fromkeys(spec.label for spec in specs):
            yield experiment.components[label], training_part


Fits = dict[str, dict[str, Fitted]]
"""The fits of a fold by level, then by label."""

Learned = dict[str, dict[str, Any]]
"""A summary of what the re-rankers learned, by pipeline, then by target."""


@dataclass(frozen=True, slots=True)
class FoldSplits:
    """A fold after k-core filtering, the validation fold inside its training part, and the training parts of both.

    validation: the fold on whose queries blends learn; None if no blend learns
    parts: level ("full" or "out_of_fold") -> training part
    """

    fold: Fold
    validation: Fold | None
    parts: dict[str, TrainingPart]


@dataclass(frozen=True, slots=True)
class FoldFitPlan:
    """The fits that a fold needs, with its splits."""

    splits: FoldSplits
    jobs: list[PlannedFit]
    notes: list[str]
    """Notes of the filters on the data."""
    choice_jobs: list[PlannedFit]
    """Fits by which options of components are chosen, before the fits in `jobs`."""


@dataclass(frozen=True, slots=True)
class TrainedFold:
    """The pipelines of a fold, ready for queries, with their fits, summaries of what blends learned, and notes."""

    arms: list[FittedPipeline]
    fits: list[Fitted]
    learned: Learned
    notes: list[str]
    choice_notes: list[str]
    """A note for each option of a component whose value was chosen."""


def full_fold(data: Dataset) -> Fold:
    """Return a fold that trains on the whole data and has no queries."""
    nobody = np.empty(0, np.int32)
    return Fold("everything", data, data.queries(nobody), {}, nobody, nobody.astype(np.float64))


@dataclass(frozen=True, slots=True)
class FoldTrainer:
    """A trainer of folds, which applies the k-core, fits components, lets blends learn and assembles pipelines."""

    experiment: CheckedExperiment
    fitter: Fitter
    runner: BatchRunner

    def plan(self, fold: Fold) -> FoldFitPlan:
        """Split the fold and return the fits that it needs."""
        return self.planned(self.splits(fold))

    def splits(self, fold: Fold) -> FoldSplits:
        """Apply the k-core to a fold, and split its training part once more if a blend learns."""
        fold = self.apply_k_core(fold)
        validation = self.validation_split(fold)
        return FoldSplits(fold, validation, parts_of(fold, validation, PartSplitter.of(self.experiment)))

    def planned(self, splits: FoldSplits) -> FoldFitPlan:
        """Return the fits that a split fold needs, with the notes of its filters.

        Raises DataError if the data lacks what a filter needs.
        """
        notes = [
            note
            for pipeline in self.experiment.pipelines.values()
            for note in filter_notes(pipeline, filters_of(pipeline, splits.fold.train))
        ]
        jobs = list(jobs_of(self.experiment, splits.parts))
        specs = list({spec.label: spec for spec, _ in jobs}.values())
        return FoldFitPlan(splits, jobs, notes, choice_jobs(specs, choice_part(splits.parts)))

    def prepare(self, plan: FoldFitPlan, done: Done = lambda _: None) -> TrainedFold:
        """Carry out a plan: fit the components, let the blends learn, and assemble the pipelines.

        `done` is called with each fit when it ends.
        """
        fold = plan.splits.fold
        # Points of curves are only measured: a fold without queries needs none.
        pipelines = self.experiment.measured if len(fold.queries) else self.experiment.pipelines
        filters = {name: filters_of(pipeline, fold.train) for name, pipeline in pipelines.items()}
        specs = list({spec.label: spec for spec, _ in plan.jobs}.values())
        for spec, training_part in plan.jobs:  # too large a value is told before the fits that choose
            for variant in spec.variants if spec.choice is not None else ():
                self.fitter.within_budget(variant, training_part)
        choices = decide(specs, choice_part(plan.splits.parts), self.fitter, done)
        fits = self.fitter.fit([(chosen(spec, choices), training_part) for spec, training_part in plan.jobs], done)
        by_level: Fits = {"full": {}, "out_of_fold": {}}
        for (spec, training_part), fit in zip(plan.jobs, fits, strict=True):
            by_level[training_part.level][spec.label] = fit
        arms: list[FittedPipeline] = []
        learned: Learned = {}
        finals = by_level["full"].values()
        fit_notes = [f"{fit.job.label}, {fold.name}: {note}" for fit in finals for note in fit.outcome.notes]
        choice_notes = [f"{label}, {fold.name}: {choice}" for label, choice in choices.items()]
        notes = [*plan.notes, *fit_notes]
        for name, pipeline in pipelines.items():
            rerankers, summary = self.rerankers(pipeline, plan.splits, by_level)
            arms.append(FittedPipeline(pipeline, by_level["full"], filters[name], rerankers))
            if name not in self.experiment.pipelines:
                continue
            if summary:
                learned[name] = summary
            for target, chain in rerankers.chains.items():
                notes += [f"{name}, {fold.name}, {target}: {note}" for reranker in chain for note in reranker.notes()]
        return TrainedFold(arms, fits, learned, notes, choice_notes)

    def apply_k_core(self, fold: Fold) -> Fold:
        """Return the fold without rare users and items in its training part, as `k_core` of the config says."""
        core = self.experiment.config.k_core
        return replace(fold, train=k_core(fold.train, users=core.users, items=core.items))

    def validation_split(self, fold: Fold) -> Fold | None:
        """Split the training part of a fold once more, and return the fold on which blends learn; None without any."""
        if not any(pipeline.learns for pipeline in self.experiment.pipelines.values()):
            return None
        return validation_fold(self.experiment, fold, "validation")

    def rerankers(self, pipeline: PipelineSpec, splits: FoldSplits, fits: Fits) -> tuple[Rerankers, dict[str, Any]]:
        """Make the re-rankers of a pipeline for every target; those that learn are fitted on out-of-fold predictions.

        Returns (re-rankers, summary); the summary has by target what the re-rankers learned.
        """
        chains: dict[Target, tuple[Reranker, ...]] = {}
        keys: list[str] = []
        summary: dict[str, Any] = {}
        for target, specs in pipeline.rerankers.items():
            stacking_set = None
            if splits.validation is not None and any(spec.create().learns for spec in specs):  # type: ignore[attr-defined]
                arm = FittedPipeline(
                    pipeline, fits["out_of_fold"], filters_of(pipeline, splits.validation.train), NO_RERANKERS
                )
                stacking_set = StackingSet(self.runner, arm, splits.fold.name, splits.validation, target)
            chain = []
            for spec in specs:
                base_models = {level: fitted[spec.uses] for level, fitted in fits.items() if spec.uses in fitted}
                reranker, key = self.reranker(spec, stacking_set, splits, base_models)
                chain.append(reranker)
                keys.append(key)
                if reranker.summary():
                    summary.setdefault(target, {}).update(reranker.summary())
            chains[target] = tuple(chain)
        return Rerankers(chains, keys), summary

    def reranker(
        self,
        spec: ComponentSpec,
        stacking_set: StackingSet | None,
        splits: FoldSplits,
        base_models: Mapping[str, Fitted],
    ) -> tuple[Reranker, str]:
        """Make one re-ranker and fit it on the full training part; return (re-ranker, its key).

        If the re-ranker learns (`Reranker.learns`), it first learns on the stacking set.

        stacking_set: the out-of-fold predictions to learn from; None if no re-ranker of the chain learns
        base_models: level -> the fit of the component that the re-ranker uses; empty if it uses none
        """
        base_model = base_models.get("full")
        reranker = _create(spec, base_model)
        learned_from = []
        if stacking_set is not None:
            base = self.fitted(_create(spec, base_models.get("out_of_fold")), spec, stacking_set.validation)
            if base.learns:
                state, key = self.learned(base, spec, stacking_set)
                check_self(reranker, "restore", reranker.restore(state))
                learned_from.append(key)
            stacking_set.pass_on(base, reranker_key(spec, *_key(base_models.get("out_of_fold")), *learned_from))
        fitted = self.fitted(reranker, spec, splits.fold)
        # A policy draws from the random numbers of its fit: they decide its slates.
        drawn_from = [spec.label, str(self.experiment.config.seed)] if fitted.stochastic else []
        data = splits.parts["full"].fingerprint
        return fitted, reranker_key(spec, data, *_key(base_model), *learned_from, *drawn_from)

    def learned(self, base: Reranker, spec: ComponentSpec, stacking_set: StackingSet) -> tuple[State, str]:
        """Fit `base`, a re-ranker of the level "out_of_fold", on the stacking set; return (learned state, its digest).

        If the store has the learned state, it is restored from there. The digest is part of the key under which slates
        are stored. It is made from the state, not from the data on which the state was learned, so that the weights in
        a report are always those that made its slates.
        """
        key = digest("learned 2", reranker_key(spec, stacking_set.key))
        state = self.fitter.store.find(key)
        if state is None:
            stacking_set.fit_blend(base)
            state = base.state()
            if self.experiment.kept:
                about = {"reranker": spec.cls.name, "fold": stacking_set.fold}
                flag = {} if base.reproducible else {REPRODUCIBLE: False}
                self.fitter.store.put(key, state, {**about, **flag})
                if key in self.fitter.store.doubled:  # what was stored first is used by all
                    first = self.fitter.store.find(key)
                    state = state if first is None else first
                    check_self(base, "restore", base.restore(state))
        else:
            check_self(base, "restore", base.restore(state))
        return state, fingerprint(*itertools.chain.from_iterable(state.items()))

    def fitted(self, reranker: Reranker, spec: ComponentSpec, fold: Fold) -> Reranker:
        """Call `fit` of a re-ranker with the training part of a fold, and return the re-ranker."""
        with calling(reranker, f"while fitting it on the training part of {fold.name}"):
            rng = label_rng(self.experiment.config.seed, spec.label)
            return check_self(reranker, "fit", reranker.fit(fold.train, rng))


def _key(fitted: Fitted | None) -> list[str]:
    return [] if fitted is None else [fitted.key]


def _create(spec: ComponentSpec, base_model: Fitted | None) -> Reranker:
    """Return a new re-ranker, with its base model set if it has one."""
    reranker = spec.create()
    assert isinstance(reranker, Reranker)
    if base_model is not None:
        with calling(reranker, f"while it takes components.{base_model.spec.label}"):
            check_self(reranker, "use", reranker.use(base_model.component))
    return reranker
