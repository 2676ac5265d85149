"""Refreshed components compared with new fits: `python -m benchmarks.refresh CONFIG...`

The newest 5 % of the interactions of each fold's training part (random ones if the data has no times) are left out at
first. A component is fitted on the rest, then refreshed with the whole part, and separately fitted on the whole part.
All three are asked the same queries. The output is nDCG@20, with the 95 % interval of the paired difference over users,
and the CPU time.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import scipy.linalg  # noqa: F401  (its BLAS must be loaded before the thread limit is set)
from threadpoolctl import threadpool_limits

from benchmarks.fold_in import ndcg
from hybridrec import Component, Dataset, Doubles, Fold, Generator
from hybridrec.config.experiment import ComponentSpec
from hybridrec.config.load import load_experiment
from hybridrec.engine.seeds import label_rng
from hybridrec.registry.discovery import Registry

NEW = 0.05


def before(data: Dataset, rng: np.random.Generator) -> Dataset:
    """Return the data without the newest 5 % of the interactions, or without a random 5 % if there are no times."""
    times = data.interactions.times
    age = rng.random(len(data.interactions.ids)) if times is None else -np.nan_to_num(times, nan=-np.inf)
    newest = np.argsort(age, kind="stable")[: int(NEW * len(age))]
    return data.hide(np.isin(np.arange(len(age)), newest))


def eval_batch(spec: ComponentSpec, fold: Fold, rng: np.random.Generator) -> tuple[list[Doubles], list[float]]:
    """Measure a component fitted without the newest interactions, refreshed with them, and fitted again.

    Returns (values, seconds), with an entry for each of the three. Values are the nDCG of each query, float64 [Q].
    Seconds are CPU time; those of the first are 0, since it is not timed.
    """
    component = spec.create()
    assert isinstance(component, Generator)
    component.fit(before(fold.train, rng), np.random.default_rng(1))
    stale = ndcg(component, fold)
    started = time.process_time()
    new_codes = {kind: np.arange(fold.train.size(kind), dtype=np.int32) for kind in fold.train.targets}
    component.refresh(fold.train, new_codes, np.random.default_rng(1))
    refreshed = time.process_time() - started
    again = spec.create()
    assert isinstance(again, Generator)
    started = time.process_time()
    again.fit(fold.train, np.random.default_rng(1))
    fitted = time.process_time() - started
    return [stale, ndcg(component, fold), ndcg(again, fold)], [0.0, refreshed, fitted]


def compare(config: Path) -> None:
    """Print a line for each component of the config that can be refreshed."""
    experiment = load_experiment(config, Registry())
    data, rng = experiment.reader.read(), label_rng(experiment.config.seed, "split")
    folds = list(experiment.splitter.split(data, rng))
    for spec in experiment.components.values():
        component: Component = spec.create()
        if not (component.refreshes and isinstance(component, Generator) and "items" in component.needs):
            continue
        by_fold = [eval_batch(spec, fold, rng) for fold in folds]
        stale, refreshed, fitted = (
            np.concatenate(parts) for parts in zip(*(values for values, _ in by_fold), strict=True)
        )
        seconds = np.sum([taken for _, taken in by_fold], axis=0)
        gain = refreshed - fitted
        half = 1.96 * gain.std(ddof=1) / np.sqrt(len(gain))
        shares = 100 * np.array([gain.mean(), half]) / fitted.mean()
        values = f"as it was {stale.mean():.4f}  refreshed {refreshed.mean():.4f}  fitted again {fitted.mean():.4f}"
        cost = f"CPU time {seconds[1] / seconds[2]:.2f} of a fit ({seconds[1]:.2f} s, {seconds[2]:.2f} s)"
        print(f"{experiment.config.name:20} {spec.label:12} {values}  {shares[0]:+.2f} % ± {shares[1]:.2f}  {cost}")


if __name__ == "__main__":
    with threadpool_limits(limits=1):
        for name in sys.argv[1:]:
            compare(Path(name))
