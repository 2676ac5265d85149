"""A normaliser is found by its name wherever a fusion normalises, and is refused where it scales nothing."""

import pytest

import hybridrec
from hybridrec import Normaliser, PluginError
from hybridrec.registry.validation import validate_class


def test_a_normaliser_that_does_not_scale_is_refused():
    with pytest.raises(PluginError, match="Nothing does not implement scale"):
        validate_class(type("Nothing", (Normaliser,), {"name": "nothing", "__doc__": "Scales nothing."}))


def test_a_fusion_ranks_by_the_values_of_the_normaliser_of_a_plugin(experiment):
    fusion = "{use: weighted, weights: {ease: 1, pop: 0.2}}"
    signs = "{use: weighted, weights: {ease: 1, pop: 0.2}, normalise: {use: signs, level: LEVEL}}"
    metrics = ("[ndcg@5, tags/ndcg@5]", "[ndcg@5]")
    items = ("targets: {items: 10, tags: 5}", "targets: {items: 10}")
    scores = {}
    for level in (0.0, 1e9):
        run = hybridrec.run(experiment(metrics, items, (fusion, signs.replace("LEVEL", str(level)))))
        scores[level] = run.slates("hybrid")["score"].drop_nans()
    assert {round(score, 4) for score in scores[1e9]} <= {-1.2, -1.0, -0.2}  # below such a level is every score
    assert scores[0.0].max() > 0
