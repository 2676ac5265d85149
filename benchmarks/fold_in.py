"""Fold-in of new users compared with a new fit: `python benchmarks/fold_in.py CONFIG...`

The users that a masked split holds out are queried twice: first with models that have not seen them, then with models
that are fitted again with the visible halves of their histories in the training part. The queries and the hidden items
stay the same. Components that recommend items and fold in are compared by nDCG@20, with the 95 % interval of the
paired difference over users.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from hybridrec import Component, Dataset, Doubles, EvalBatch, Exclude, Fold, Generator, Ragged
from hybridrec.config.experiment import ComponentSpec
from hybridrec.config.load import load_experiment
from hybridrec.engine.folds import folds_of
from hybridrec.evaluation.accuracy import Ndcg
from hybridrec.registry.discovery import Registry
from hybridrec.stages import kernels

PLACES = 20


def with_visible(fold: Fold) -> Dataset:
    """Return the training part of a fold extended by the visible histories of its held-out users."""
    shown, parts = fold.queries.history, fold.train.interactions
    columns = {name: (getattr(parts, name), getattr(shown, name)) for name in ("times", "weights")}
    merged_columns = {name: np.concatenate(both) for name, both in columns.items() if both[0] is not None}
    rows, ids = np.concatenate((parts.rows, fold.units[shown.rows])), np.concatenate((parts.ids, shown.ids))
    merged = Ragged.from_columns(rows.astype(np.int32), ids, (len(parts), parts.width), **merged_columns)
    return replace(fold.train, interactions=merged)


def fitted(spec: ComponentSpec, data: Dataset) -> Component:
    """Return the component fitted on a training part, and below it the base model that it uses."""
    component: Component = spec.create()
    if spec.base_model is not None:
        component.use(fitted(spec.base_model, data))
    return component.fit(data, np.random.default_rng(1))


def ndcg(component: Generator, fold: Fold) -> Doubles:
    """Compute nDCG@20 of the fold's queries, whose own items are excluded: float64[Q]."""
    truth = fold.truth["items"]
    candidates = component.candidates(fold.queries, PLACES, "items", Exclude(fold.queries.history.matrix(binary=True)))
    hits = kernels.pick(truth.toarray(), candidates.ids) > 0
    return Ndcg().values(EvalBatch("items", candidates.ids, hits, truth, fold.train), PLACES)


def compare(config: Path) -> None:
    """Print a line for each component of the config that recommends items and folds in."""
    experiment = load_experiment(config, Registry())
    folds = list(folds_of(experiment, experiment.reader.read()))
    for spec in experiment.components.values():
        component: Component = spec.create()
        if not (isinstance(component, Generator) and component.folds_in and "items" in component.needs):
            continue
        folded, refitted = (
            np.concatenate([ndcg(fitted(spec, data_of(fold)), fold) for fold in folds])
            for data_of in (lambda fold: fold.train, with_visible)
        )
        gain = folded - refitted
        half = 1.96 * gain.std(ddof=1) / np.sqrt(len(gain))
        shares = 100 * np.array([gain.mean(), half]) / refitted.mean()
        print(
            f"{experiment.config.name:20} {spec.label:16} folded in {folded.mean():.4f}  fitted again "
            f"{refitted.mean():.4f}  {shares[0]:+.2f} % ± {shares[1]:.2f}"
        )


if __name__ == "__main__":
    for name in sys.argv[1:]:
        compare(Path(name))
