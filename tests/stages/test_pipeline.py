"""Pipelines of components whose answers are written down: gates, filters, servers, sharing, blame."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from hybridrec import PADDING, Candidates, ConfigError, Exclude, PluginError, Pool, Query, Ragged
from hybridrec.data.encoding import encode
from hybridrec.stages.item_filters import BlockFilter, ReleasedFilter
from hybridrec.stages.pipeline import Filters, slate_of
from hybridrec.testing import toy_dataset
from hybridrec_fusion.fixed_weights import Weighted
from tests.stages.builders import (
    BOTH,
    IMPLIED,
    LIKED,
    NAN,
    QUERIES,
    TAGS,
    Broken,
    Fixed,
    N,
    Only,
    Sum,
    pipeline,
    pool,
    servers,
)


def proposed(pipe, target="items"):
    """Label -> for each query, the ids that this generator proposed."""
    pool = pipe.generate(QUERIES, target, pipe.filters.exclude(QUERIES, target))
    by = {label: pool.proposed_by(label) for label in pool.generators}
    return {label: [pool.ids[q][flags[q]].tolist() for q in range(len(QUERIES))] for label, flags in by.items()}


class Deaf(Fixed):
    """Proposes what is excluded, too."""

    def candidates(self, queries, k, target, exclude):
        return super().candidates(queries, k, target, Exclude())


@pytest.mark.parametrize(
    ("sources", "fallback", "place"),
    [
        ([("deaf", Deaf(), 3)], (), "generator 'deaf'"),
        ([("few", Fixed([3]), 3)], [("deaf", Deaf())], "fallback 'deaf'"),
    ],
)
def test_who_proposes_what_is_excluded_is_named(sources, fallback, place):
    with pytest.raises(PluginError, match="candidates: id 0 of query 0 is excluded") as info:
        pipeline(sources, fallback=fallback, filters=IMPLIED).slate(QUERIES, "items", 5)
    assert f"in pipeline 'mine', {place}" in info.value.__notes__[0]


def test_served_by_names_the_best_that_who_proposed_knew_of_the_query():
    class Knows(Fixed):
        def __init__(self, *needs):
            super().__init__()
            self.needs = frozenset(needs)

        def candidates(self, queries, k, target, exclude):
            candidates = super().candidates(queries, k, target, exclude)
            silent = ~np.any([queries.has(field) for field in self.needs], axis=0) if self.needs else False
            none = Candidates.empty(len(queries), k)
            rows = np.broadcast_to(silent, len(queries))[:, None]
            return Candidates(np.where(rows, none.ids, candidates.ids), np.where(rows, none.scores, candidates.scores))

    def of(*sources, **more):
        return servers(pipeline([(str(g), s, 3) for g, s in enumerate(sources)], **more).slate(QUERIES, "items", 2))

    assert of(Knows("items", "tags")) == ["blend:items", "blend:items", "blend:tags", "none", "none"]
    assert of(Knows("tags"), Knows("items")) == ["blend:items", "blend:items", "blend:tags", "none", "none"]
    assert of(Knows("tags"), Knows("user")) == ["blend:user", "none", "blend:tags", "none", "none"]
    assert of(Knows("title"), Knows()) == ["blend", "blend", "blend", "blend:title", "blend"]
    for number, known_by in ((3, "few-items"), (2, "items")):
        many, few = f"items>={number}", f"items<{number}"
        both = pipeline([("many", Knows("items"), 3, many), ("few", Knows("items", "tags"), 3, few)])
        told = [f"blend:{known_by}", f"blend:{known_by}", "blend:tags", "none", "none"]
        assert servers(both.slate(QUERIES, "items", 2)) == told
    assert of(Knows("tags"), fallback=[("some", Fixed())]) == ["blend:tags", "some", "blend:tags", "some", "some"]


@pytest.mark.parametrize(
    ("gates", "active"),
    [
        ((), [0, 1, 2, 3, 4]),
        (("has-user",), [0]),
        (("has-items",), [0, 1]),
        (("has-tags",), [0, 2]),
        (("has-title",), [3]),
        (("has-items", "has-tags"), [0]),
        (("has-user", "has-title"), []),
        (("items<3",), [0, 1, 2, 3, 4]),
        (("items<2",), [2, 3, 4]),
        (("items>=2",), [0, 1]),
        (("items>=3",), []),
        (("items<10", "has-items"), [0, 1]),
    ],
)
def test_gates_let_through_what_a_query_knows(gates, active):
    generator = Fixed([7])
    lists = proposed(pipeline([("a", generator, 2, *gates)]))["a"]
    assert lists == [[7] if q in active else [] for q in range(5)]
    assert generator.asked == ([len(active)] if active else [])  # nobody is asked about nothing


def test_cold_is_what_nobody_before_it_served():
    pipe = pipeline(
        [
            ("items", Fixed([1, 5]), 2, "has-items"),
            ("early", Fixed([8]), 1, "cold", "has-tags"),
            ("always", Fixed([9]), 1, "has-title"),
            ("last", Fixed([3]), 1, "cold"),
        ]
    )
    assert proposed(pipe) == {
        "items": [[1, 5], [1, 5], [], [], []],
        "early": [[], [], [8], [], []],
        "always": [[], [], [], [9], []],
        "last": [[], [], [], [], [3]],
    }


def test_a_generator_whose_ids_are_all_excluded_leaves_a_query_cold():
    pipe = pipeline([("a", Fixed([0, 1]), 2), ("b", Fixed([9]), 1, "cold")], filters=IMPLIED)
    assert proposed(pipe) == {"a": [[], [0, 1], [0, 1], [0, 1], [0, 1]], "b": [[9], [], [], [], []]}


def test_the_pool_holds_each_candidate_once_with_all_who_proposed_it():
    pipe = pipeline([("a", Fixed([5, 1]), 2), ("b", Fixed([1, 7]), 2)], scorers=[("c", Fixed([7]))])
    pool = pipe.score(QUERIES, pipe.generate(QUERIES, "items", Exclude()))
    assert pool.ids[0].tolist() == [1, 5, 7]
    assert pool.sources[0].tolist() == [3, 1, 2]
    np.testing.assert_array_equal(pool.columns["a"][0], [11, 12, np.nan])
    np.testing.assert_array_equal(pool.columns["b"][0], [12, np.nan, 11])
    np.testing.assert_array_equal(pool.columns["c"][0], [np.nan, np.nan, 12])


def test_a_generator_listed_as_scorer_fills_its_column_for_all():
    a, b = Fixed([5, 1, 7]), Fixed([7])
    pipe = pipeline([("a", a, 1), ("b", b, 1)], scorers=[("a", a)])
    pool = pipe.score(QUERIES, pipe.generate(QUERIES, "items", Exclude()))
    assert pool.columns["a"][0].tolist() == [12, 10]
    assert list(pool.columns) == ["a", "b"]


def test_seen_and_disliked_are_rules():
    exclude, allow = (pipeline([("a", Fixed(), N)], filters=filters) for filters in (IMPLIED, LIKED))
    all_of, some = range(N), exclude.slate(QUERIES, "items", N).ids
    assert set(some[0]) == {*all_of} - {0, 1} | {PADDING}
    assert set(some[1]) == {*all_of} - {2, 3, 11} | {PADDING}
    assert set(some[2]) == {*all_of}
    every = allow.slate(QUERIES, "items", N).ids
    assert set(every[0]) == {*all_of}
    assert set(every[1]) == {*all_of} - {11} | {PADDING}
    tags = exclude.slate(QUERIES, "tags", 5).ids
    assert set(tags[2]) == {0, 3, 4, PADDING}
    assert set(tags[1]) == {*range(5)}


def test_allowed_and_universe_hold_together():
    allowed, candidate_items = np.arange(N) < 6, np.arange(N) >= 4
    filters = Filters((*IMPLIED, BlockFilter().restore({"excluded": ~allowed})))
    pipe = pipeline([("a", Fixed(), N)], filters=filters, fallback=[("f", Fixed())])
    assert set(pipe.slate(QUERIES, "items", 4).ids[2]) == {0, 1, 2, 3}
    exclude = filters.exclude(QUERIES, "items", candidate_items)
    assert pipe.slate(QUERIES, "items", 4, exclude).ids[2].tolist() == [4, 5, PADDING, PADDING]
    assert filters.exclude(QUERIES, "tags", candidate_items).ids is None  # nor the list nor candidate items are of tags


def test_what_was_not_out_at_the_time_of_the_query_is_not_recommended():
    released = np.arange(N, dtype=float)
    released[5] = np.nan
    filters = Filters((ReleasedFilter().restore({"released": released}),))
    pipe = pipeline([("a", Fixed(), N)], filters=filters, fallback=[("f", Fixed())])
    queries = replace(QUERIES, times=np.array([3.0, np.nan, 100.0, -1.0, 3.0])[: len(QUERIES)], disliked=None)
    ids = pipe.slate(queries, "items", N).ids
    assert set(ids[0]) == {0, 1, 2, 3, 5, PADDING}
    assert set(ids[1]) == set(ids[2]) == {*range(N)}
    assert set(filters.exclude(queries, "items").take(np.array([2, 0])).times) == {100.0, 3.0}
    assert filters.exclude(queries, "tags").released is None
    assert filters.exclude(replace(queries, times=None), "items").released is None


def test_the_fallback_fills_in_its_order_without_duplicates_and_says_who_served():
    pipe = pipeline(
        [("a", Fixed([6, 4]), 2, "has-items")],
        fallback=[("never", Fixed(targets=("tags",))), ("some", Fixed([4, 3, 2])), ("all", Fixed())],
        filters=IMPLIED,
    )
    slate = pipe.slate(QUERIES, "items", 6)
    assert slate.ids.tolist() == [
        [6, 4, 3, 2, 5, 7],  # "all" proposes 0, 1, 2, ...: 0 and 1 are seen, 2, 3, 4, 6 are there already
        [6, 4, 0, 1, 5, 7],  # 2 and 3 are seen
        [4, 3, 2, 0, 1, 5],
        [4, 3, 2, 0, 1, 5],
        [4, 3, 2, 0, 1, 5],
    ]
    assert servers(slate) == ["blend", "blend", "some", "some", "some"]
    assert np.isnan(slate.scores[:2, 2:]).all()
    assert not np.isnan(slate.scores[:2, :2]).any()


def test_a_target_of_the_fallback_alone_is_served_behind_a_fusion():
    pipe = pipeline(
        [("songs", Fixed(targets=("items",)), 3)],
        rerankers={"tags": (Weighted(),)},
        fallback=[("all", Fixed([2, 1]))],
    )
    slate = pipe.slate(QUERIES, "tags", 2)
    assert (slate.ids != -1).any(axis=1).all()
    assert {slate.servers[code] for code in slate.served_by} == {"all"}


def test_the_fallback_is_asked_only_about_short_rows():
    full, rest = Fixed(), Fixed()
    pipeline([("a", full, N, "has-items")], fallback=[("b", rest)]).slate(QUERIES, "items", 4)
    assert rest.asked == [3]
    served = pipeline([("a", full, N)], fallback=[("b", rest)]).slate(QUERIES, "items", 4)
    assert rest.asked == [3]
    assert servers(served) == ["blend"] * 5


def test_nobody_serves_a_query_whose_ids_are_all_excluded():
    two = BlockFilter().restore({"excluded": np.arange(N) >= 2})
    filters = Filters((*IMPLIED, two))  # all that is allowed the first query has seen
    slate = pipeline([("a", Fixed(), 3)], fallback=[("b", Fixed())], filters=filters).slate(QUERIES, "items", 3)
    assert (slate.ids[0] == PADDING).all()
    assert np.isnan(slate.scores[0]).all()
    assert servers(slate) == ["none", *["blend"] * 4]


def test_a_re_ranker_may_not_leave_a_candidate_without_a_score():
    """Ranked last it would be shown all the same where others are few: only a filter removes it."""
    pipe = pipeline([("a", Fixed([9, 2]), 2), ("b", Fixed([5]), 1)], rerankers={"items": (Only("a"),)})
    with pytest.raises(
        PluginError, match="final: id 5 of query 0 has the score nan; give every candidate a num"
    ) as info:
        pipe.slate(QUERIES, "items", 4)
    assert info.value.__notes__[0].startswith("in pipeline 'mine', re-ranker 'sum'")
    assert replace(pipe, rerankers={"items": (Sum(),)}).slate(QUERIES, "items", 4).ids[0].tolist() == [5, 9, 2, PADDING]


def test_a_scorer_may_have_no_opinion_but_on_what_it_proposed():
    """A pool of one column is ordered by it, so no candidate may be without."""
    a, b = Fixed([5, 1, 7]), Fixed([7])
    blend = pipeline([("a", a, 2), ("b", b, 1)], scorers=[("b", b), ("c", Fixed([5]))])
    columns = blend.score(QUERIES, blend.generate(QUERIES, "items", Exclude())).columns
    assert np.isnan(columns["b"][0]).tolist() == [True, True, False]
    assert np.isnan(columns["c"][0]).tolist() == [True, False, True]
    forgetful = pipeline([("a", a, 2)], scorers=[("a", Fixed([5]))])
    with pytest.raises(
        PluginError, match="scores: id 1 of query 0 is NaN, but the component proposed it itself"
    ) as info:
        forgetful.slate(QUERIES, "items", 2)
    assert info.value.__notes__[0].startswith("in pipeline 'mine', scorer 'a'")


@pytest.mark.parametrize("target", BOTH)
@pytest.mark.parametrize("n", [1, 4, 30])
def test_one_by_one_gives_the_slates_of_the_batch(target, n):
    pipe = pipeline(
        [("a", Fixed([6, 4, 1]), 2, "has-items"), ("b", Fixed([2, 1, 8]), 3), ("c", Fixed([5]), 1, "cold")],
        scorers=[("d", Fixed([1, 2, 3]))],
        fallback=[("e", Fixed([9, 0])), ("f", Fixed())],
        filters=IMPLIED,
    )
    batch = pipe.slate(QUERIES, target, n)
    for row in range(len(QUERIES)):
        alone = pipe.slate(QUERIES.take(np.array([row])), target, n)
        assert alone.ids[0].tolist() == batch.ids[row].tolist()
        np.testing.assert_array_equal(alone.scores[0], batch.scores[row])
        assert servers(alone)[0] == servers(batch)[row]
    size = N if target == "items" else len(TAGS)
    for ids in batch.ids:
        shown = ids[ids != PADDING]
        assert len(set(shown.tolist())) == len(shown)
        assert (ids[len(shown) :] == PADDING).all()  # never in the middle
        assert len(shown) <= size


def test_k_beyond_the_catalogue_and_no_queries_at_all():
    pipe = pipeline([("a", Fixed(), 99)], fallback=[("b", Fixed())])
    slate = pipe.slate(QUERIES, "items", 50)
    assert slate.ids.shape == (5, 50)
    assert ((slate.ids != PADDING).sum(axis=1) == [12, 11, 12, 12, 12]).all()
    assert pipe.slate(QUERIES.take(slice(0, 0)), "items", 3).ids.shape == (0, 3)


def test_one_item_in_all():
    data = toy_dataset(users=3, items=1, tags=0)
    queries = encode([Query(items=data.items.vocabulary.ids.to_list()), Query()], data)

    class Sole(Fixed):
        def _scores(self, queries, target):
            return np.ones((len(queries), 1 if target == "items" else 0), np.float32)

    pipe = pipeline([("a", Sole(), 3)], scorers=[("b", Sole())], fallback=[("c", Sole())], filters=IMPLIED)
    assert pipe.slate(queries, "items", 2).ids.tolist() == [[PADDING, PADDING], [0, PADDING]]
    assert pipe.slate(queries, "tags", 2).ids.tolist() == [[PADDING, PADDING]] * 2


def test_a_target_has_its_own_generators_and_chain():
    pipe = pipeline(
        [("a", Fixed([3, 1]), 2, "has-items"), ("b", Fixed([4, 2], targets=("tags",)), 2)],
        scorers=[("c", Fixed([2], targets=("tags",)))],
        rerankers={"items": (), "tags": (Sum(),)},
    )
    assert pipe.slate(QUERIES, "items", 2).ids[0].tolist() == [3, 1]  # one column needs no fusion
    assert pipe.slate(QUERIES, "tags", 4).ids.tolist() == [[2, 3, 4, 1]] * 2 + [[2, 4, PADDING, PADDING]] * 3


def test_several_columns_need_a_fusion():
    pipe = pipeline([("a", Fixed(), 2), ("b", Fixed(), 2)], rerankers={})
    with pytest.raises(ConfigError, match="pipeline 'mine': no re-ranker fused the columns a, b"):
        pipe.slate(QUERIES, "items", 2)


def test_the_memo_shares_candidates_of_the_same_question_alone():
    generator = Fixed()
    everybody, some = pipeline([("a", generator, 3)]), pipeline([("a", generator, 3, "has-items")])
    memo, exclude = {}, Exclude()
    everybody.slate(QUERIES, "items", 2, exclude, memo)
    everybody.slate(QUERIES, "items", 3, exclude, memo)
    assert generator.asked == [5]
    some.slate(QUERIES, "items", 2, exclude, memo)  # other rows
    everybody.slate(QUERIES, "tags", 2, exclude, memo)  # another target
    pipeline([("a", generator, 4)]).slate(QUERIES, "items", 2, exclude, memo)  # more of them
    assert generator.asked == [5, 2, 5, 5]
    another = pipeline([("a", Fixed([7]), 3)])  # another fit under the same label
    assert another.slate(QUERIES, "items", 1, exclude, memo).ids.tolist() == [[7]] * 5


def test_the_memo_never_takes_one_exclude_for_another():
    memo, generator = {}, Fixed()
    pipes = [pipeline([("a", generator, 3)], filters=filters) for filters in (IMPLIED, LIKED)]
    for turn in range(20):  # each call makes an Exclude of its own, and a freed one's address is used again
        first = pipes[turn % 2].slate(QUERIES, "items", 1, memo=memo).ids[0, 0]
        assert first == (2 if turn % 2 == 0 else 0)


def test_sharing_leaves_no_trace_of_the_other_pipeline():
    generator, memo, exclude = Fixed(), {}, Exclude()
    pipe = pipeline([("a", generator, 3)])
    before = pipe.generate(QUERIES, "items", exclude, memo).columns["a"].copy()
    pipeline([("a", generator, 3)], fallback=[("b", Fixed())]).slate(QUERIES, "items", 8, exclude, memo)
    np.testing.assert_array_equal(pipe.generate(QUERIES, "items", exclude, memo).columns["a"], before)


def test_rules_and_fallback_write_to_nothing_they_are_given():
    def content():
        return [
            array.tobytes()
            for array in (QUERIES.matrix("tags").data, QUERIES.matrix("tags").indices, QUERIES.history.ids)
        ]

    before = content()
    pipe = pipeline([("a", Fixed(), 2)], fallback=[("b", Fixed())], filters=IMPLIED)
    for target in BOTH:
        pipe.slate(QUERIES, target, 9)
    assert content() == before


def test_a_history_with_repeats_is_excluded_once():
    queries = replace(QUERIES, history=Ragged.from_rows([[0, 1, 0, 0], [], [], [], []], N))
    exclude = IMPLIED.exclude(queries, "items")
    assert csr_matrix(exclude.rows).toarray()[0].tolist() == [1, 1] + [0] * 10


TOO_HIGH = Candidates(np.full((5, 1), N, np.int32), np.ones((5, 1), np.float32))


@pytest.mark.parametrize(
    ("parts", "note"),
    [
        ({"sources": [("a", Broken(None), 1)]}, "in pipeline 'mine', generator 'a': fixed 1, module"),
        (
            {"sources": [("a", Fixed(), 1)], "scorers": [("b", Broken(None))]},
            "in pipeline 'mine', scorer 'b': fixed 1, module",
        ),
        (
            {"sources": [("a", Fixed(), 1)], "fallback": [("c", Broken(None))]},
            "in pipeline 'mine', fallback 'c': fixed 1, module",
        ),
        (
            {"sources": [("a", Fixed(), 1)], "rerankers": {"items": (Only("z"),)}},
            "in pipeline 'mine', re-ranker 'sum': sum 1, module",
        ),
    ],
)
def test_what_a_plugin_raises_says_where(parts, note):
    with pytest.raises((ZeroDivisionError, KeyError)) as raised:
        pipeline(parts.pop("sources"), **parts).slate(QUERIES, "items", 3)
    (given,) = raised.value.__notes__
    assert given.startswith(note)
    assert given.endswith("not of an installed plugin")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"sources": [("a", Broken(TOO_HIGH), 1)]}, "id 12 of query 0 is not in the vocabulary of 12"),
        ({"sources": [("a", Broken(TOO_HIGH), 2)]}, r"must have the shape \[5, 2\], not \[5, 1\]"),
        (
            {"sources": [("a", Fixed(), 2)], "scorers": [("b", Broken(np.zeros((5, 2))))]},
            "must be float32, not float64",
        ),
        (
            {"sources": [("a", Fixed(), 2)], "scorers": [("b", Broken(np.full((5, 2), np.inf, np.float32)))]},
            "a score of query 0 is inf",
        ),
        (
            {"sources": [("a", Fixed(), 1)], "fallback": [("c", Broken(TOO_HIGH))]},
            r"must have the shape \[5, 3\], not \[5, 1\]",
        ),
    ],
)
def test_wrong_answers_are_refused_and_blamed(parts, message):
    with pytest.raises(PluginError, match=message) as raised:
        pipeline(parts.pop("sources"), **parts).slate(QUERIES, "items", 3)
    assert "in pipeline 'mine'" in raised.value.__notes__[0]


def test_rank_keeps_the_pool_and_adds_final():
    pipe = pipeline([("a", Fixed(), 2)])
    pool = pipe.generate(QUERIES, "items", Exclude())
    assert isinstance(pool, Pool)
    ranked = pipe.rank(QUERIES, pool, 2)
    assert pool.final is None
    assert ranked.ids is pool.ids


def test_cut_orders_by_final_then_by_id_and_keeps_padding_last():
    ranked = pool([[2, 4, 6, 8], [1, -1, -1, -1], [-1] * 4]).ranked(
        np.array([[NAN, 1, 3, 1], [NAN, 5, 5, 5], [5, 5, 5, 5]])
    )
    slate = slate_of(ranked, 5)
    assert slate.ids.tolist() == [[6, 4, 8, 2, -1], [1, -1, -1, -1, -1], [-1] * 5]
    np.testing.assert_array_equal(slate.scores[0], [3, 1, 1, NAN, NAN])
    assert [slate.servers[served_by] for served_by in slate.served_by] == ["blend", "blend", "none"]
    assert (slate.ids.dtype, slate.scores.dtype, slate.served_by.dtype) == (np.int32, np.float32, np.int8)
    with pytest.raises(ValueError, match="no final score"):
        slate_of(pool([[1]]), 1)
