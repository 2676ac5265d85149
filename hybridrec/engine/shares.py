"""Shares of the fits of an experiment: workers that have nothing in common but the store fit it together."""

from __future__ import annotations

import random
import re
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from hybridrec.config.experiment import ComponentSpec
from hybridrec.data.dataset import Dataset
from hybridrec.data.fingerprint import json_digest
from hybridrec.engine.estimates import FitSeconds
from hybridrec.engine.evaluate import check_metrics
from hybridrec.engine.fit import Fitted
from hybridrec.engine.fit_plan import FitEntry, FitPlanner, FitTask
from hybridrec.engine.folds import folds_of
from hybridrec.engine.keys import made_by
from hybridrec.engine.leases import Leases
from hybridrec.engine.runner import ExperimentRunner
from hybridrec.engine.store import BY
from hybridrec.engine.train import FoldSplits, FoldTrainer, full_fold
from hybridrec.errors import ConfigError, DataError, PluginError

_SHARE = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")
_UNDECIDING = ("observe", "store", "data", "workers", "memory", "executor", "fit_timeout")
"""Sections of a config in which workers of one plan may differ; that they read the same data is checked."""
_POLL = 0.2, 5.0
"""The shortest and the longest time in seconds between two looks for a fit of another worker in the store."""
PLAN = "plan of"
"""Key in the metadata of an agreed plan; its value is the name of the experiment."""
ENDED = "ended by a clock"
"""Key in the metadata of a mark for other workers; its value is the name of the fit that a limit of time ended."""


@dataclass(frozen=True, slots=True)
class Share:
    """The share of number `number`, from 1, of `of` shares."""

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the share that is written as `3/16`; raises ConfigError for another text."""
        match = _SHARE.fullmatch(text)
        share = cls(*map(int, match.groups())) if match else None
        if share is None or not 1 <= share.number <= share.of:
            raise ConfigError(f"--share {text}: a share is written as NUMBER/OF, from 1/16 to 16/16 for example")
        return share

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


@dataclass(frozen=True, slots=True)
class FitLeft:
    """A fit that a worker left undone, with the reason."""

    entry: FitEntry
    reason: str


@dataclass(frozen=True, slots=True)
class ShareReport:
    """The report of a worker on its share.

    fits: number of the fits of the experiment that are known by now, of all shares
    stored: number of those that the store has
    fitted, seconds: number of the fits that this worker did, and their total duration
    doubled: number of those that another worker had stored meanwhile
    left: the fits of the share, or of all shares for a worker that steals, that are not in the store
    """

    share: Share
    fits: int
    stored: int
    fitted: int
    doubled: int
    seconds: float
    left: tuple[FitLeft, ...]


@dataclass(frozen=True, slots=True)
class AgreedPlan:
    """The plan on which workers agree: the first stores it, and the others compare themselves with it.

    data: fingerprint of the data
    parts: fingerprint of each training part, by "fold/level"
    makers: label -> version, digest of the source and versions of libraries of the component
    seconds: place -> estimated seconds of the fit
    used: place -> place of the base model, for fits that have one
    by: the name of the process that stored it
    """

    data: str
    parts: Mapping[str, str]
    makers: Mapping[str, Mapping[str, Any]]
    seconds: Mapping[str, float]
    used: Mapping[str, str]
    by: str = ""

    @property
    def about(self) -> dict[str, Any]:
        """The metadata under which it is stored."""
        return {name: dict(getattr(self, name)) for name in ("parts", "makers", "seconds", "used")} | {
            "data": self.data
        }

    @classmethod
    def of(cls, about: Mapping[str, Any]) -> Self:
        """Return the plan that was stored with this metadata."""
        names = ("data", "parts", "makers", "seconds", "used")
        return cls(**{name: about[name] for name in names}, by=str(about.get(BY, "another process")))

    def shares(self, of: int) -> dict[str, int]:
        """Return the number of the share of each place, from 1, such that the estimated seconds of shares are alike.

        The longest goes first, each to the share that has the least so far. A fit stays with the fits that use it,
        unless together they are more than a share of the whole.
        """
        most = sum(self.seconds.values()) / of
        chains: dict[str, list[str]] = defaultdict(list)
        for place in self.seconds:
            root = place
            while root in self.used:
                root = self.used[root]
            chains[root].append(place)
        together = []
        for places in chains.values():
            whole = sum(self.seconds[place] for place in places) <= most
            together += [places] if whole else [[place] for place in places]
        cost = {places[0]: sum(self.seconds[place] for place in places) for places in together}
        loads = [0.0] * of
        numbers: dict[str, int] = {}
        for places in sorted(together, key=lambda places: (-cost[places[0]], places[0])):
            share = min(range(of), key=lambda share: (loads[share], share))
            loads[share] += cost[places[0]]
            numbers |= dict.fromkeys(places, share + 1)
        return numbers

    def check(self, mine: AgreedPlan, config: str) -> None:
        """Refuse to work where fits would differ from those of the other workers; raises PluginError or DataError.

        mine: the plan of this process, of which the training parts may be only some
        config: name of the config for the message
        """
        remedy = f"; plan anew if the others are to change: `hybridrec plan {config}`"
        for label, maker in self.makers.items():
            here = mine.makers.get(label, {})
            for name, there in _flat(maker).items():
                if (own := _flat(here).get(name)) != there:
                    raise PluginError(
                        f"components.{label}: {name} is {own or 'missing'} here and {there} at {self.by}, which "
                        f"planned the fits, so that they would differ; install the same{remedy}"
                    )
        if self.data != mine.data:
            raise DataError(f"the data are not those of {self.by}, which planned the fits{remedy}")
        for place, fingerprint in mine.parts.items():
            if self.parts.get(place) != fingerprint:
                raise DataError(
                    f"the training part {place} is not that of {self.by}, which planned the fits: the splitter or a "
                    f"filter differs{remedy}"
                )


def _flat(maker: Mapping[str, Any]) -> dict[str, str]:
    """Return version, source and libraries of a component by a name for messages."""
    libraries = {f"the library {name}": version for name, version in maker.get("libraries", {}).items()}
    plain = {"version": "the version of the component", "source": "the digest of its source"}
    return {told: str(maker[name]) for name, told in plain.items() if name in maker} | libraries


class ShareWorker:
    """A worker on the fits of an experiment that it shares with others by the store."""

    def __init__(self, work: ExperimentRunner, data: Dataset) -> None:
        """Create a worker on an experiment whose data was read."""
        self.work = work
        self.experiment = work.experiment
        self.store = work.store
        self.data = data

    def folds(self, estimates: FitSeconds | None = None) -> Iterator[tuple[FoldSplits, FitPlanner]]:
        """Yield each fold with its planner; the last one is the whole data, if the experiment is fitted again on it.

        Without `estimates`, which read what the store has of all fits, the entries have no seconds.
        """
        for fold in folds_of(self.experiment, self.data):
            check_metrics(fold, self.experiment.metric_specs)
            yield self.work.trainers[0].splits(fold), FitPlanner(self.work.trainers, estimates)
        if self.experiment.refitted:
            trainer: FoldTrainer = self.work.refit_trainer
            yield trainer.splits(full_fold(self.data)), FitPlanner([trainer], estimates)

    @property
    def key(self) -> str:
        """Key in the store of the plan on which the workers agree."""
        resolved = self.experiment.resolved
        return json_digest(["plan 1", {name: resolved[name] for name in resolved if name not in _UNDECIDING}])

    def plan(self) -> tuple[AgreedPlan, list[FitEntry]]:
        """Plan all fits; returns (the plan of this process, the entries)."""
        entries: list[FitEntry] = []
        parts: dict[str, str] = {}
        for splits, planner in self.folds(FitSeconds(self.store)):
            entries += [task.entry for task in planner.tasks(splits)]
            parts |= _fingerprints(splits)
        estimates = [entry.seconds for entry in entries if entry.seconds is not None]
        usual = statistics.median(estimates) if estimates else 1.0
        seconds = {entry.place: usual if entry.seconds is None else entry.seconds for entry in entries}
        used = {entry.place: entry.used for entry in entries if entry.used in seconds}
        return replace(self._mine(parts), seconds=seconds, used=used), entries

    def _mine(self, parts: Mapping[str, str]) -> AgreedPlan:
        specs: Mapping[str, ComponentSpec] = self.experiment.components
        makers = {label: made_by(spec) for label, spec in specs.items()}
        return AgreedPlan(self.data.fingerprint, parts, makers, {}, {})

    def agreed(self) -> AgreedPlan | None:
        """Return the plan that the store has; None if it has none."""
        about = self.store.about(self.key)
        return None if about is None else AgreedPlan.of(about)

    def agree(self, plan: AgreedPlan) -> AgreedPlan:
        """Store a plan, unless another process was faster; return the one that is stored."""
        self.store.put(self.key, {}, {PLAN: self.experiment.config.name, **plan.about})
        return self.agreed() or plan

    def renew(self, plan: AgreedPlan, config: str) -> AgreedPlan:
        """Store a plan in place of one of which this process could not be a worker, else keep what is stored."""
        if (agreed := self.agreed()) is not None:
            try:
                agreed.check(plan, config)
            except (PluginError, DataError):
                self.store.drop(self.key)
        return self.agree(plan)

    def do(self, share: Share, leases: Leases, config: str, *, wait: bool, steal: bool) -> ShareReport:
        """Fit what is missing and ready of a share, and report on the share.

        leases: the leases that the executor of this worker takes
        config: name of the config for messages
        wait: True to wait for the fits of other workers until the share is done
        steal: True to do the fits of other shares as well, as far as nobody is at them, after those of the own share

        Raises PluginError or DataError if the fits of this process would differ from those of the other workers.
        """
        agreed = self.agreed() or self.agree(self.plan()[0])
        numbers = agreed.shares(share.of)
        done = FitsDone()
        while True:
            entries = self._pass(agreed, numbers, share, done, config)
            if steal:
                entries = self._pass(agreed, numbers, None, done, config)
            left = [entry for entry in entries if not entry.stored and entry.key not in done.unstored]
            left = [entry for entry in left if steal or number_in(entry.place, numbers, share.of) == share.number]
            ended = self._ended(entries, done)
            awaited = [entry for entry in left if entry.kept and not ended & {*entry.waits_for}]
            if not (wait and awaited):
                break
            self._wait(awaited, {entry.key: entry.place for entry in entries}, leases)
        return ShareReport(
            share=share,
            fits=len(entries),
            stored=sum(entry.stored for entry in entries),
            fitted=done.fitted,
            doubled=done.doubled,
            seconds=done.seconds,
            left=tuple(FitLeft(entry, _reason(entry, leases, ended)) for entry in left),
        )

    def _ended(self, entries: Sequence[FitEntry], done: FitsDone) -> set[str]:
        """Return the keys under which the store will have no fit: a clock ended it, or one that it uses."""
        awaited = {key for entry in entries for key in entry.waits_for}
        ended = done.unstored | {key for key in awaited if _mark(key) in self.store}
        for entry in entries:  # those that are used come first
            if entry.key and ended & {*entry.waits_for}:
                ended.add(entry.key)
        return ended

    def _pass(
        self, agreed: AgreedPlan, numbers: Mapping[str, int], share: Share | None, done: FitsDone, config: str
    ) -> list[FitEntry]:
        """Fit what is ready of a share, or of all shares if it is None; return the entries of all fits."""
        entries: list[FitEntry] = []
        for splits, planner in self.folds():
            agreed.check(self._mine(_fingerprints(splits)), config)
            while True:
                tasks = planner.tasks(splits)
                if share is not None:
                    tasks = [task for task in tasks if number_in(task.entry.place, numbers, share.of) == share.number]
                before = done.fitted
                self._do(splits.fold.name, done.ready(tasks), done)
                if done.fitted == before:
                    break
            entries += [task.entry for task in planner.tasks(splits)]
        return entries

    def _do(self, fold: str, ready: Sequence[FitTask], done: FitsDone) -> None:
        """Run fits whose base models are stored or among them."""
        if not ready:
            return
        with self.work.progress.task(f"fit {fold}", len(ready)) as advance:

            def ended(fitted: Fitted) -> None:
                if not fitted.outcome.cached:
                    advance(1)
                    self.work.fitted(fitted)
                    done.add(fitted)
                    if fitted.outcome.token and (mark := _mark(fitted.job.key)) not in self.store:
                        self.store.put(mark, {}, {ENDED: fitted.job.place})

            for fitter in dict.fromkeys(task.fitter for task in ready):
                jobs = [
                    (task.spec, task.training_part) for task in ready if task.fitter is fitter and task.spec is not None
                ]
                fitter.fit(jobs, ended)

    def _wait(self, left: Sequence[FitEntry], places: Mapping[str, str], leases: Leases) -> None:
        """Return when a fit that is awaited is stored or a clock ended it, or when nobody is at one that could be done.

        places: key -> name of the fit, for the progress
        """
        open_keys = [entry.key for entry in left if not entry.waits_for]
        used = [*dict.fromkeys(key for entry in left for key in entry.waits_for)]
        keys = [*dict.fromkeys((*open_keys, *used))]
        others = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
        pause = _POLL[0]
        with self.work.progress.task(f"wait for {places.get(keys[0], keys[0])}{others}", len(left)):
            while True:
                time.sleep(pause)
                if any(key in self.store for key in _some(keys, 50)):
                    return
                if any(_mark(key) in self.store for key in _some(used, 5)):
                    return
                if any(leases.holder(key) is None for key in _some(open_keys, 5)):
                    return
                pause = min(2 * pause, _POLL[1])


def _mark(key: str) -> str:
    """Return the key in the store of the mark that a limit of time ended the fit of a key."""
    return json_digest([ENDED, key])


def _some(keys: Sequence[str], most: int) -> Sequence[str]:
    """Return at most `most` of the keys, others each time: each look costs a request where the store is far away."""
    return keys if len(keys) <= most else random.sample(keys, most)


class FitsDone:
    """The fits that a worker has done so far."""

    def __init__(self) -> None:
        """Begin with none."""
        self.fitted = self.doubled = 0
        self.seconds = 0.0
        self.unstored: set[str] = set()
        """Keys of fits that a limit of time ended: the store has them under no key that others could find."""

    def ready(self, tasks: Sequence[FitTask]) -> list[FitTask]:
        """Return the tasks that can be done now: what they use is stored, or is done in the same go."""
        ready: dict[str, FitTask] = {}
        for task in tasks:
            entry = task.entry
            over = entry.stored or entry.key in self.unstored or not entry.kept
            if task.spec is not None and not over and all(key in ready for key in entry.waits_for):
                ready[entry.key] = task
        return list(ready.values())

    def add(self, fitted: Fitted) -> None:
        """Count a fit."""
        self.fitted += 1
        self.doubled += fitted.outcome.doubled
        self.seconds += fitted.outcome.seconds
        if fitted.outcome.token:
            self.unstored.add(fitted.job.key)


def number_in(place: str, numbers: Mapping[str, int], of: int) -> int:
    """Return the number of the share of a fit; one that was not known when the plan was made belongs to any."""
    return numbers.get(place) or int(json_digest(place), 16) % of + 1


def _reason(entry: FitEntry, leases: Leases, ended: set[str]) -> str:
    if not entry.kept:
        return "the store does not keep it: the source of its class is unknown"
    if ended & {*entry.waits_for}:
        return "waits for a fit that a limit of time ended: `hybridrec run` does both"
    if entry.waits_for:
        return f"waits for {len(entry.waits_for)} other fit{'s'[: len(entry.waits_for) != 1]}"
    holder = leases.holder(entry.key)
    return "nobody is at it" if holder is None else f"{holder} is at it"


def _fingerprints(splits: FoldSplits) -> dict[str, str]:
    """Return the fingerprint of each training part of a fold, by "fold/level"."""
    parts = splits.parts.values()
    return {f"{training_part.fold}/{training_part.level}": training_part.fingerprint for training_part in parts}
