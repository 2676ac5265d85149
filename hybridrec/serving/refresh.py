"""Bringing what serves a run up to data that grew: components that can take up what is new are not fitted again."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import scipy.linalg  # noqa: F401  (its BLAS must be loaded before the thread limit is set)
from threadpoolctl import threadpool_limits

from hybridrec.config.load import load_experiment
from hybridrec.engine.fit import FitOutcome, Fitted
from hybridrec.engine.fitter import Fitter, Part
from hybridrec.engine.keys import digest, library_versions, source_hash
from hybridrec.engine.runner import read
from hybridrec.engine.seeds import label_rng
from hybridrec.engine.store import Store
from hybridrec.errors import ConfigError
from hybridrec.registry.discovery import Registry
from hybridrec.runs.run import CONFIG, Run, Serving
from hybridrec.runs.writer import write_serving
from hybridrec.serving.recommender import server, serving_cut, stored_data
from hybridrec.stages.checks import check_self, check_state
from hybridrec.tracing import calling
from hybridrec.types import Ints, Target


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What became of a component: `how` is "refreshed" or "fitted again"; 0 seconds if the store had it."""

    label: str
    component: str
    how: Literal["refreshed", "fitted again"]
    seconds: float


def refresh(
    run: Run | Path | str,
    assignments: Sequence[str] = (),
    *,
    data: Mapping[str, object] | None = None,
    store: Path | str | None = None,
    registry: Registry | None = None,
) -> list[Refreshed]:
    """Let a finished run recommend from its data as it is now: with its new users, items and interactions.

    The data is read again, from where the config says or `assignments` (`data.path=value`) say; the
    frames of a run that was made from frames are handed in again, as `data`. Components with
    `refreshes` take up what is new; the rest is fitted again, and re-rankers keep what they learned. `load` then
    gives the refreshed run; the report stays what it is: the measure of full fits.

    Gives nothing if the data is what it was. Raises what `load` raises, and ConfigError if something else than
    the data is assigned.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    for assignment in assignments:
        if not assignment.startswith("data."):
            raise ConfigError(
                f"{assignment}: only the data can be another one (`data.KEY=VALUE`) when a run is refreshed"
            )
    registry = registry or Registry()
    experiment = load_experiment(run.folder / CONFIG, registry, tuple(assignments), data)
    place = Store.default() if store is None else Store(Path(store))
    serving = run.serving
    old, new = stored_data(run, place, serving.data), read(experiment)
    if new.fingerprint == serving.data:
        return []
    known: dict[Target, Ints] = {"items": new.items.encode(old.items.ids), "tags": new.tags.encode(old.tags.ids)}
    with threadpool_limits(limits=1):
        before = server(experiment, registry, place, serving.fits)
        cut = serving_cut(before, run, serving, old)
        grown = before.grown(cut, new)
        learned_on = {key: at for key, at in serving.fits.items() if key.startswith(f"{cut.parts['final'].fold}/base/")}
        refreshed: dict[str, FitOutcome] = {}
        for spec, part in before.planned(grown).jobs:
            if part.level == "final" and spec.create().refreshes:
                (was,) = before.fitter.fit([(spec, cut.parts["final"])])
                refreshed[spec.label] = _refreshed(was, part, known, before.fitter)
        taken_up = {grown.parts["final"].place(label): fit.key for label, fit in refreshed.items()}
        after = server(experiment, registry, place, learned_on | taken_up)
        fits = after.prepare(after.planned(grown)).fits
    place.put(new.fingerprint, new.state(), {"data": experiment.config.name})
    keys = {fit.job.place: fit.key for fit in fits}
    write_serving(run, Serving(new.fingerprint, keys, serving.learned_on))
    return [
        Refreshed(label, fit.job.component, "refreshed", refreshed[label].seconds)
        if label in refreshed
        else Refreshed(label, fit.job.component, "fitted again", fit.outcome.seconds)
        for label, fit in ((fit.job.label, fit) for fit in fits if fit.job.level == "final")
    ]


def _refreshed(was: Fitted, part: Part, known: Mapping[Target, Ints], fitter: Fitter) -> FitOutcome:
    """A fit that has taken up the rest of a part that grew, in the store under a key of its own.

    No run finds it by chance: what a run gives depends on its config and data, not on what the store holds.
    """
    spec = was.spec
    key = digest("refreshed", was.key, part.fingerprint, source_hash(spec.cls), library_versions(spec.requires))
    if key in fitter.store:
        return FitOutcome(key, 0.0, (), cached=True)
    started = time.perf_counter()
    component = was.component
    with calling(spec.cls, f"while refreshing components.{spec.label}"):
        check_self(component, "refresh", component.refresh(part.train, known, label_rng(fitter.seed, spec.label)))
        state = component.state()
        check_state(state)
    about = {"component": spec.cls.name, "version": spec.cls.version, "label": spec.label, "refreshed": was.key}
    fitter.store.put(key, state, about)
    return FitOutcome(key, time.perf_counter() - started, (), cached=False)
