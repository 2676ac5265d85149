"""New items reach slates: by features into the pool, by the exploration quota into every slate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hybridrec
from hybridrec.config.load import load_experiment
from hybridrec.engine.seeds import label_rng
from hybridrec.registry.discovery import Registry

CONFIG = """\
name: explore
seed: 2
data: {reader: movietweetings, min_rating: 8}
split: {use: cold-items, test: 0.2, candidate_items: all, min_history: 15}
components:
  als: {factors: 16, iterations: 5}
  content: {}
targets: {items: 20}
pipelines:
  plain: &plain
    generators: [{from: als, k: 100}, {from: content, k: 100}]
    scorers: [als]
    rerank: [{use: weighted, weights: {als: 1}}]
    fallback: [tag-fallback, popularity]
  explore:
    <<: *plain
    rerank: [{use: weighted, weights: {als: 1}}, {use: explore, share: 0.2}]
compare: {control: plain, metrics: [ndcg@20], resamples: 100}
"""


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Pipeline -> bool [Q, 20]: where its slates show items that training has never seen."""
    folder = tmp_path_factory.mktemp("explore")
    path = Path(folder / "explore.yaml")
    path.write_text(CONFIG, encoding="utf-8")
    run = hybridrec.run(path, store=folder / "store", runs=folder / "runs")
    experiment = load_experiment(path, Registry())
    data = experiment.reader.read()
    (fold,) = experiment.splitter.split(data, label_rng(experiment.config.seed, "split"))
    new = fold.train.interactions.matrix(binary=True).sum(axis=0).A1 == 0
    slates = {name: data.items.vocabulary.encode(run.slates(name)["id"].to_list()) for name in ("plain", "explore")}
    return {name: new[codes].reshape(-1, 20) for name, codes in slates.items()}


def test_new_items_have_the_share_that_is_asked_for(shown):
    assert len(shown["plain"]) > 50
    assert shown["plain"].mean() < 0.05
    assert shown["explore"].mean() == pytest.approx(0.2, abs=0.02)


def test_they_stand_at_the_places_that_are_theirs(shown):
    at = shown["explore"].mean(axis=0)
    assert (at[[4, 9, 14, 19]] > 0.9).all()
    assert np.delete(at, [4, 9, 14, 19]).max() < 0.1
