"""Chains of re-rankers in an experiment: whose vectors they use, what they moved, and what they may name."""

import itertools

import numpy as np
import pytest

import hybridrec
from hybridrec import ConfigError, Query
from hybridrec.config.load import load_experiment
from hybridrec.registry.discovery import Registry
from hybridrec_rerank.mmr import MMR

FUSION = "{use: weighted, weights: {ease: 1, pop: 0.2}}"
ALS = ("  ease: {l2: 5}", "  ease: {l2: 5}\n  als: {factors: 4, iterations: 2}")
ITEMS = ("targets: {items: 10, tags: 5}", "targets: {items: 10}"), (", tags/ndcg@5", "")
SERVED = ("workers: 2", "refit: all")
RULES = {
    "mmr": "relevance: 0.5, dim: 4",
    "dpp": "relevance: 0.5, uses: als",
    "calibration": "relevance: 0.1",
    "exposure": "relevance: 0.1",
    "caps": "most: 1",
    "quotas": "sources: {ease: {at_most: 2}}",
    "pinned": "places: {2: item 12}",
    "explore": "share: 0.5, most: 14",
    "popularity-correction": "strength: 2",
    "freshness": "boost: 3",
}
MANY = ("{from: ease, k: 20}, {from: noise, k: 10}", "{from: ease, k: 40}, {from: noise, k: 40}")


def chained(chain):
    return (f"rerank: [{FUSION}]", f"rerank:\n      - {FUSION}{chain}")


def test_a_component_that_only_a_reranker_uses_is_fitted_and_shapes_the_slates(experiment):
    slates, keys = {}, {}
    for factors in (2, 4):
        als = ("  ease: {l2: 5}", f"  ease: {{l2: 5}}\n  als: {{factors: {factors}, iterations: 2}}")
        run = hybridrec.run(experiment(*ITEMS, als, chained("\n      - {use: mmr, uses: als, relevance: 0.1}")))
        slates[factors] = run.slates("hybrid")["id"].to_list()
        keys[factors] = {fit.label: fit.key for fit in run.report.fits}
    assert keys[2].keys() >= {"als", "ease"}
    assert keys[2]["als"] != keys[4]["als"]
    assert slates[2] != slates[4]


def test_before_a_learner_the_vectors_are_those_of_the_base_level(experiment, monkeypatch):
    handed = []
    use = MMR.use

    def noting(self, model):
        handed.append(model.vectors("items"))
        return use(self, model)

    monkeypatch.setattr(MMR, "use", noting)
    run = hybridrec.run(experiment(*ITEMS, ALS, chained("\n      - {use: mmr, uses: als}\n      - {use: student}")))
    assert {fit.level for fit in run.report.fits if fit.label == "als"} == {"out_of_fold", "full"}
    final, base = handed
    assert base.shape == final.shape
    assert not np.array_equal(base, final)


@pytest.mark.parametrize(
    ("chain", "message"),
    [
        ("{use: mmr, uses: asl}", r"rerank\[1\]\.uses: no component is labelled 'asl': did you mean 'als'"),
        ("{use: dpp, uses: ease}", r"rerank\[1\]\.uses: 'ease' \(ease\) is not a vector model; vector models here"),
        ("{use: quotas, sources: {pop: {at_most: 1}}}", r"rerank\[1\]\.sources\.pop: no generator here is 'pop'"),
        ("{use: quotas, sources: {}}", r"rerank\[1\]\.sources: .* at least 1"),
    ],
)
def test_what_a_reranker_may_not_name(experiment, chain, message):
    path = experiment(*ITEMS, ALS, chained(f"\n      - {chain}"))
    with pytest.raises(ConfigError, match=message):
        load_experiment(path, Registry())


def test_a_vector_model_must_serve_the_target(experiment):
    als = ("  ease: {l2: 5}", "  ease: {l2: 5}\n  als: {factors: 4, fields: [items]}")
    path = experiment(als, chained("\n      - {use: mmr, uses: als}"))
    with pytest.raises(ConfigError, match="'als' has no vectors for the target 'tags'"):
        load_experiment(path, Registry())


@pytest.fixture
def explained(experiment):
    def explain(chain):
        run = hybridrec.run(experiment(*ITEMS, ALS, MANY, SERVED, chained(chain)))
        return hybridrec.load(run).explain(Query(items=["item 02", "item 04", "item 06"]), 10, pipeline="hybrid")

    return explain


ORDERS = sorted({"mmr", "dpp", "caps", "quotas", "exposure", "calibration", "pinned", "explore"} & RULES.keys())


@pytest.mark.parametrize("rule", ORDERS)
def test_what_is_moved_keeps_its_score(explained, rule):
    """A place is no score: slates show what was fused, whatever place it comes to."""
    moved, before = (explained(chain) for chain in (f"\n      - {{use: {rule}, {RULES[rule]}}}", ""))
    scores = {place.id: place.score for place in before}
    assert [place.id for place in moved] != [place.id for place in before]
    same = [place for place in moved if place.id in scores]
    assert len(same) >= 3
    assert all(place.score == pytest.approx(scores[place.id], rel=1e-6) for place in same)


@pytest.mark.parametrize("rule", RULES)
def test_a_move_has_its_rule(explained, rule):
    places = explained(f"\n      - {{use: {rule}, {RULES[rule]}}}")
    moved = [place for place in places if place.moves]
    assert moved
    for place in moved:
        assert [(move.rule, move.after) for move in place.moves] == [(rule, place.rank)]


def test_every_move_of_a_chain_has_its_rule_in_its_order(explained):
    places = explained("".join(f"\n      - {{use: {rule}, {options}}}" for rule, options in RULES.items()))
    assert any(len(place.moves) > 1 for place in places)
    for place in places:
        rules = [move.rule for move in place.moves]
        assert rules == [rule for rule in RULES if rule in rules]
        for earlier, later in itertools.pairwise(place.moves):
            assert earlier.after == later.before
        assert not place.moves or place.moves[-1].after == place.rank
    assert all(not place.moves for place in explained(""))


def test_contributions_are_those_of_the_fusion_whatever_moves_the_items_later(explained):
    fused = {place.id: place for place in explained("")}
    places = explained("\n      - {use: mmr, relevance: 0.5, dim: 4}")
    assert any(place.moves for place in places if place.id in fused)
    for place in places:
        if place.id in fused:
            assert place.contributions == fused[place.id].contributions
            assert sum(place.contributions.values()) == pytest.approx(fused[place.id].score, abs=1e-5)
            first = fused[place.id].rank
            assert [(m.rule, m.before, m.after) for m in place.moves] == (
                [] if first == place.rank else [("mmr", first, place.rank)]
            )


def test_blocked_items_are_never_pinned_and_disliked_ones_never_shown(experiment):
    pin = chained("\n      - {use: pinned, places: {1: item 12, 2: item 14}}")
    block = ("    scorers: [pop]", "    block: {ids: [item 12]}\n    scorers: [pop]")
    recommender = hybridrec.load(hybridrec.run(experiment(*ITEMS, MANY, SERVED, pin, block)))
    asked = [Query(items=["item 02"]), Query(items=["item 02"], disliked=["item 14"]), Query(items=["item 14"])]
    slates = recommender.recommend(asked, 10)
    ids = np.array(recommender.data.items.vocabulary.decode(slates.ids.ravel())).reshape(slates.ids.shape)
    assert ids[0, 1] == "item 14"
    assert not (ids == "item 12").any()
    assert not (ids[1:] == "item 14").any()
    assert (slates.ids >= 0).all()
