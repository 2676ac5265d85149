"""Training of a fold: fits on both levels, then the learning of blends."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from hybridrec.config.experiment import Experiment, PipelinePlan, Spec
from hybridrec.data.dataset import Dataset
from hybridrec.data.fingerprint import fingerprint
from hybridrec.data.splits.base import Fold
from hybridrec.data.transforms import k_core
from hybridrec.engine.blend import Lessons
from hybridrec.engine.fit import Fitted
from hybridrec.engine.fitter import Done, Fitter, Part
from hybridrec.engine.folds import inner_fold
from hybridrec.engine.keys import digest, reranker_key
from hybridrec.engine.pipelines import NO_RERANKERS, FittedPipeline, Rerankers, rules_of
from hybridrec.engine.seeds import label_rng
from hybridrec.inference.batch_runner import BatchRunner
from hybridrec.stages.checks import check_self
from hybridrec.stages.component import Reranker, VectorModel
from hybridrec.tracing import calling
from hybridrec.types import State, Target


def parts_of(fold: Fold, inner: Fold | None) -> dict[str, Part]:
    """The training parts of a fold by level: "final", and "base" if blends are learned."""
    parts = {"final": Part(fold.name, "final", fold.train, fold.train.fingerprint)}
    if inner is not None:
        parts["base"] = Part(fold.name, "base", inner.train, inner.train.fingerprint)
    return parts


def jobs_of(experiment: Experiment, parts: Mapping[str, Part]) -> Iterator[tuple[Spec, Part]]:
    """What has to be fitted: on "final" every component in use, on "base" those below learning re-rankers;
    what others use stands before them."""
    for level, part in parts.items():
        plans = [plan for plan in experiment.pipelines.values() if level == "final" or plan.learns]
        wanted = [experiment.components[label] for plan in plans for label in plan.labels]
        lenders = [spec.lender.label for spec in wanted if spec.lender is not None]
        for label in dict.fromkeys([*lenders, *(spec.label for spec in wanted)]):
            yield experiment.components[label], part


Fits = dict[str, dict[str, Fitted]]
"""Level -> label -> fit."""

Learned = dict[str, dict[str, Any]]
"""Pipeline -> target -> what its re-rankers learned."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A fold with its (thinned) training part, the validation fold inside it, and the parts to fit on by level."""

    fold: Fold
    inner: Fold | None
    parts: dict[str, Part]


@dataclass(frozen=True, slots=True)
class FoldPlan:
    """What has to be fitted on the parts of a fold."""

    cut: Cut
    jobs: list[tuple[Spec, Part]]


@dataclass(frozen=True, slots=True)
class Prepared:
    """The arms of a fold, ready to be asked, and how they came about."""

    arms: list[FittedPipeline]
    fits: list[Fitted]
    learned: Learned
    notes: list[str]


def everything(data: Dataset) -> Fold:
    """A fold that trains on the whole data and asks nothing."""
    nobody = np.empty(0, np.int32)
    return Fold("everything", data, data.queries(nobody), {}, nobody, nobody.astype(np.float64))


@dataclass(frozen=True, slots=True)
class Preparer:
    """Prepares folds: thins the training part, fits, learns, assembles."""

    experiment: Experiment
    fitter: Fitter
    asker: BatchRunner

    def plan(self, fold: Fold) -> FoldPlan:
        """What has to be done on this fold."""
        return self.planned(self.cut(fold))

    def cut(self, fold: Fold) -> Cut:
        """The training parts of this fold."""
        fold = self.thinned(fold)
        inner = self.inner(fold)
        return Cut(fold, inner, parts_of(fold, inner))

    def planned(self, cut: Cut) -> FoldPlan:
        """What has to be done on a fold that is cut already."""
        return FoldPlan(cut, list(jobs_of(self.experiment, cut.parts)))

    def prepare(self, plan: FoldPlan, done: Done = lambda _: None) -> Prepared:
        """Carry the plan out: fit, learn, assemble."""
        fold = plan.cut.fold
        # Points of curves are measured, nothing else: a fold that asks nothing has none.
        plans = self.experiment.measured if len(fold.queries) else self.experiment.pipelines
        rules = {name: rules_of(pipeline, fold.train) for name, pipeline in plans.items()}
        fits = self.fitter.fit(plan.jobs, done)
        by_level: Fits = {"final": {}, "base": {}}
        for (spec, part), fit in zip(plan.jobs, fits, strict=True):
            by_level[part.level][spec.label] = fit
        arms: list[FittedPipeline] = []
        learned: Learned = {}
        finals = by_level["final"].values()
        notes = [f"{fit.job.label}, {fold.name}: {note}" for fit in finals for note in fit.outcome.notes]
        for name, pipeline in plans.items():
            rerankers, summary = self.rerankers(pipeline, plan.cut, by_level)
            arms.append(FittedPipeline(pipeline, by_level["final"], rules[name], rerankers))
            if name not in self.experiment.pipelines:
                continue
            if summary:
                learned[name] = summary
            for target, chain in rerankers.chains.items():
                notes += [f"{name}, {fold.name}, {target}: {note}" for reranker in chain for note in reranker.notes()]
        return Prepared(arms, fits, learned, notes)

    def thinned(self, fold: Fold) -> Fold:
        """The fold with a training part without rare users and items."""
        core = self.experiment.config.k_core
        if core.users == core.items == 1:
            return fold
        return replace(fold, train=k_core(fold.train, users=core.users, items=core.items))

    def inner(self, fold: Fold) -> Fold | None:
        """The validation fold inside the training part, if a blend is learned on it."""
        if not any(plan.learns for plan in self.experiment.pipelines.values()):
            return None
        return inner_fold(self.experiment, fold, "validation")

    def rerankers(self, pipeline: PipelinePlan, cut: Cut, fits: Fits) -> tuple[Rerankers, dict[str, Any]]:
        """The chains of a pipeline, with what they learn on out-of-sample scores, and a summary of that."""
        chains: dict[Target, tuple[Reranker, ...]] = {}
        keys: list[str] = []
        summary: dict[str, Any] = {}
        for target, specs in pipeline.rerankers.items():
            lessons = None
            if cut.inner is not None and any(spec.create().learns for spec in specs):  # type: ignore[attr-defined]
                arm = FittedPipeline(pipeline, fits["base"], rules_of(pipeline, cut.inner.train), NO_RERANKERS)
                lessons = Lessons(self.asker, arm, cut.fold.name, cut.inner, target)
            chain = []
            for spec in specs:
                lenders = {level: fitted[spec.uses] for level, fitted in fits.items() if spec.uses in fitted}
                reranker, key = self.reranker(spec, lessons, cut, target, lenders)
                chain.append(reranker)
                keys.append(key)
                if reranker.summary():
                    summary.setdefault(target, {}).update(reranker.summary())
            chains[target] = tuple(chain)
        return Rerankers(chains, keys), summary

    def reranker(
        self, spec: Spec, lessons: Lessons | None, cut: Cut, target: Target, lenders: Mapping[str, Fitted]
    ) -> tuple[Reranker, str]:
        """One re-ranker, fitted on the final training part, and its key; before that it learns, if it does.

        `lenders` are the fits by level of the component whose vectors it uses, if it uses any.
        """
        reranker = _create(spec)
        learned_from = []
        if lessons is not None:
            base = self.fitted(_create(spec), spec, lessons.inner, target, lenders.get("base"))
            if base.learns:
                state, key = self.learned(base, spec, lessons)
                check_self(reranker, "restore", reranker.restore(state))
                learned_from.append(key)
            lessons.pass_on(base, reranker_key(spec, *_key(lenders.get("base")), *learned_from))
        lender = lenders.get("final")
        fitted = self.fitted(reranker, spec, cut.fold, target, lender)
        return fitted, reranker_key(spec, cut.parts["final"].fingerprint, *_key(lender), *learned_from)

    def learned(self, base: Reranker, spec: Spec, lessons: Lessons) -> tuple[State, str]:
        """Let a re-ranker that was fitted on the base level learn, or take what it learned from the store.

        Returns its state and a digest of that: answers are found by what was learned, not by what it was learned
        from, so none of other weights can stand beside these.
        """
        key = digest("learned 2", reranker_key(spec, lessons.key))
        state = self.fitter.store.find(key)
        if state is None:
            lessons.teach(base)
            state = base.state()
            self.fitter.store.put(key, state, {"reranker": spec.cls.name, "fold": lessons.fold})
        else:
            check_self(base, "restore", base.restore(state))
        return state, fingerprint(*itertools.chain.from_iterable(state.items()))

    def fitted(self, reranker: Reranker, spec: Spec, fold: Fold, target: Target, lender: Fitted | None) -> Reranker:
        """The re-ranker with the statistics of this training part, and the vectors that a component lends it."""
        with calling(reranker, f"while fitting it on the training part of {fold.name}"):
            if lender is not None:
                check_self(reranker, "use", reranker.use(cast(VectorModel, lender.component).vectors(target)))
            rng = label_rng(self.experiment.config.seed, spec.label)
            return check_self(reranker, "fit", reranker.fit(fold.train, rng))


def _key(fitted: Fitted | None) -> list[str]:
    return [] if fitted is None else [fitted.key]


def _create(spec: Spec) -> Reranker:
    reranker = spec.create()
    assert isinstance(reranker, Reranker)
    return reranker
