"""Getting the pipelines of a fold ready: fits on both levels, then what the re-rankers learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from hybridrec.arrays import Target
from hybridrec.data.dataset import Dataset
from hybridrec.data.fingerprint import fingerprint
from hybridrec.data.folds import Fold
from hybridrec.data.transforms import k_core
from hybridrec.experiment.asking import Asker, Question
from hybridrec.experiment.assembly import (
    NO_RERANKERS,
    Arm,
    Rerankers,
    digest,
    jobs_of,
    parts_of,
    reranker_key,
    rules_of,
)
from hybridrec.experiment.config import Experiment, PipelinePlan, Spec
from hybridrec.experiment.fitting import Done, Fitted, Fitter, Part, label_rng
from hybridrec.stages.checks import check_self
from hybridrec.stages.component import Reranker, VectorModel
from hybridrec.stages.pipeline import Rules
from hybridrec.tracing import calling

Learned = dict[str, dict[str, Any]]
"""Pipeline -> target -> what its re-rankers learned."""


@dataclass(frozen=True, slots=True)
class FoldPlan:
    """What a fold needs: its (thinned) training part, the validation fold inside it, and the fits on both."""

    fold: Fold
    inner: Fold | None
    jobs: list[tuple[Spec, Part]]


@dataclass(frozen=True, slots=True)
class Prepared:
    """The arms of a fold, ready to be asked, and how they came about."""

    arms: list[Arm]
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
    asker: Asker

    def plan(self, fold: Fold) -> FoldPlan:
        """What has to be done on this fold."""
        fold = self.thinned(fold)
        inner = self.inner(fold)
        return FoldPlan(fold, inner, list(jobs_of(self.experiment, parts_of(fold, inner))))

    def prepare(self, plan: FoldPlan, done: Done = lambda _: None) -> Prepared:
        """Carry the plan out: fit, learn, assemble."""
        fold, inner = plan.fold, plan.inner
        # Points of curves are measured, nothing else: a fold that asks nothing has none.
        plans = self.experiment.measured if len(fold.queries) else self.experiment.pipelines
        rules = {name: rules_of(pipeline, fold.train) for name, pipeline in plans.items()}
        fits = self.fitter.fit(plan.jobs, done)
        by_level: dict[str, dict[str, Fitted]] = {"final": {}, "base": {}}
        for (spec, part), fit in zip(plan.jobs, fits, strict=True):
            by_level[part.level][spec.label] = fit
        arms: list[Arm] = []
        learned: Learned = {}
        notes: list[str] = []
        for name, pipeline in plans.items():
            rerankers, summary = self.rerankers(pipeline, rules[name], fold, inner, by_level)
            arms.append(Arm(pipeline, by_level["final"], rules[name], rerankers))
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
        rng = label_rng(self.experiment.config.seed, f"validation of {fold.name}")
        with calling(self.experiment.splitter, f"while splitting the training part of {fold.name}"):
            return self.experiment.splitter.inner(fold.train, rng)

    def rerankers(
        self, plan: PipelinePlan, rules: Rules, fold: Fold, inner: Fold | None, fits: Mapping[str, Mapping[str, Fitted]]
    ) -> tuple[Rerankers, dict[str, Any]]:
        """The chains of a pipeline, with what they learn on out-of-sample scores, and a summary of that."""
        chains: dict[Target, tuple[Reranker, ...]] = {}
        keys: list[str] = []
        summary: dict[str, Any] = {}
        for target, specs in plan.rerankers.items():
            learner = None
            if inner is not None and any(spec.create().learns for spec in specs):  # type: ignore[attr-defined]
                learner = _Learner(self.asker, Arm(plan, fits["base"], rules, NO_RERANKERS), inner, target)
            chain = []
            for spec in specs:
                used = None if spec.uses is None else fits["final"][spec.uses]
                reranker, key = self.reranker(spec, learner, fold, target, used)
                chain.append(reranker)
                keys.append(key)
                if learner is not None:
                    learner.pass_on(reranker, key)
                if reranker.summary():
                    summary.setdefault(target, {}).update(reranker.summary())
            chains[target] = tuple(chain)
        return Rerankers(chains, keys), summary

    def reranker(
        self, spec: Spec, learner: _Learner | None, fold: Fold, target: Target, used: Fitted | None
    ) -> tuple[Reranker, str]:
        """One re-ranker, learned if it learns, from the store if it learned this before; `used` lends its vectors."""
        reranker = spec.create()
        assert isinstance(reranker, Reranker)
        if not reranker.learns or learner is None:
            if used is not None:
                check_self(reranker, "use", reranker.use(cast(VectorModel, used.component).vectors(target)))
            fitted = reranker.fit(fold.train, label_rng(self.experiment.config.seed, spec.label))
            return check_self(reranker, "fit", fitted), reranker_key(spec, *([] if used is None else [used.key]))
        key = reranker_key(spec, learner.key)
        state = self.fitter.store.find(key)
        if state is not None:
            return check_self(reranker, "restore", reranker.restore(state)), key
        learner.teach(reranker)
        self.fitter.store.put(key, reranker.state(), {"reranker": spec.cls.name, "fold": fold.name})
        return reranker, key


class _Learner:
    """The validation queries with out-of-sample scores; computed when the first re-ranker has to learn."""

    def __init__(self, asker: Asker, arm: Arm, inner: Fold, target: Target) -> None:
        self.asker = asker
        self.arm = arm
        self.inner = inner
        self.target = target
        self._asked = fingerprint(
            inner.queries, inner.truth[target], inner.weights, inner.units, inner.universe, (target,)
        )
        self._before: list[tuple[Reranker, str]] = []

    @property
    def key(self) -> str:
        """Everything that decides what the next re-ranker learns from."""
        return digest(self.arm.pool_key, self._asked, [key for _, key in self._before])

    def teach(self, reranker: Reranker) -> None:
        """Let it learn on the pool as the re-rankers before it leave it."""
        queries, truth = self.inner.queries, self.inner.truth[self.target]
        question = Question(queries, self.target, 1, truth, self.inner.universe)
        pool = self.asker.pool_of(self.arm, question)
        pool = self.arm.pipeline.reranked(queries, pool, pool.ids.shape[1], [earlier for earlier, _ in self._before])
        with calling(reranker, f"in pipeline '{self.arm.name}', while learning in {self.inner.name}"):
            learned = reranker.learn(queries, pool, truth, self.inner.weights, self.inner.units)
            check_self(reranker, "learn", learned)

    def pass_on(self, reranker: Reranker, key: str) -> None:
        """The next re-ranker of the chain sees what this one did."""
        self._before.append((reranker, key))
