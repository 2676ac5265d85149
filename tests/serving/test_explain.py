"""Explanations: sources, scores and contributions of each place, through the stages that made it."""

from dataclasses import replace

import numpy as np
import pytest

from hybridrec import Query, Reranker
from hybridrec.serving.explain import columns_of, explain
from tests.serving.slates import ids


def test_contributions_sum_to_the_score(recommender):
    query = Query(items=["item 02", "item 04", "item 06"])
    places = recommender.explain(query, 40)
    assert [place.id for place in places] == ids(recommender.recommend(query, 40))[0]
    assert [place.rank for place in places] == list(range(1, 38))
    scored = [place for place in places if place.score is not None]
    assert len(scored) > 20
    for place in scored:
        assert sum(place.contributions.values()) == pytest.approx(place.score, abs=1e-5)
        assert place.contributions.keys() == {"ease", "noise", "pop"}
        assert set(place.sources) <= {"ease", "noise"}
    filled = [place for place in places if place.score is None]
    assert filled
    assert all(place.sources == ("fallback",) and not place.contributions for place in filled)
    assert sorted(place.opinions["pop"][1] for place in scored) == list(range(1, len(scored) + 1))


def test_what_only_the_fallback_serves_says_so(recommender):
    places = recommender.explain(Query(tags=["tag 01"]), 3, pipeline="hybrid")
    assert [place.id for place in places] == ids(recommender.recommend(Query(tags=["tag 01"]), 3))[0]


class Reverse(Reranker):
    """Turns the order around."""

    name = "reverse"
    targets = ("items",)

    def rerank(self, queries, pool, n):
        return pool.ranked(-pool.final)


class Keep(Reranker):
    """Leaves the order as it is."""

    name = "keep"
    targets = ("items",)

    def rerank(self, queries, pool, n):
        return pool.ranked(pool.final)


def test_what_a_re_ranker_moved_is_told_with_both_ranks(recommender):
    whole = recommender.pipeline("hybrid")
    turned = replace(whole, rerankers={"items": (*whole.rerankers["items"], Keep(), Reverse())})
    query = recommender.encode([Query(items=["item 02", "item 04", "item 06"])])
    before, after = (explain(pipeline, query, "items", 40, recommender.data) for pipeline in (whole, turned))
    assert not any(place.moves for place in before)
    ranks = {place.id: place.rank for place in before}
    scored = [place for place in after if place.score is not None]
    for place in scored:
        (move,) = place.moves or [None]
        if move is None:  # the one in the middle stays
            assert ranks[place.id] == place.rank
        else:
            assert (move.rule, move.before, move.after) == ("reverse", ranks[place.id], place.rank)
    assert sum(bool(place.moves) for place in scored) >= len(scored) - 1
    assert all(not place.moves for place in after if place.score is None)


def test_columns_of_ids_are_those_of_their_own_row():
    candidates = np.array([[1, 4, 7], [0, 7, -1], [-1, -1, -1]], np.int32)
    shown = np.array([[7, 1, 0, -1], [7, 4, 0, 9], [1, 0, 7, -1]], np.int32)
    assert columns_of(candidates, shown).tolist() == [[2, 0, -1, -1], [1, -1, 0, -1], [-1] * 4]
    assert columns_of(candidates[:, :0], shown).tolist() == [[-1] * 4] * 3


def test_opinions_are_scores_with_their_ranks_and_tags_go_by_their_id(recommender):
    places = recommender.explain(Query(items=["item 02", "item 04"]), 40)
    for label in ("ease", "noise", "pop"):
        opinions = sorted((place.opinions[label] for place in places if label in place.opinions), key=lambda o: o[1])
        assert [rank for _, rank in opinions][:3] == [1, 2, 3]
        assert np.all(np.diff([score for score, _ in opinions]) <= 0)
    names = dict(zip(recommender.data.items.vocabulary.ids, recommender.data.items.names(), strict=True))
    assert [place.name for place in places] == [names[place.id] for place in places]
    assert all(place.name == place.id for place in recommender.explain(Query(items=["item 02"]), target="tags"))
