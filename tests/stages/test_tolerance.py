"""Tolerance: a component that fails, or is left out, costs its opinion; everything else stays as it was."""

from dataclasses import replace

import numpy as np
import pytest

from hybridrec import PADDING, Candidates, Fault, PluginError, Reranker, Tolerance
from hybridrec.stages.tolerance import reranker_label
from tests.stages.builders import QUERIES, Broken, Fixed, N, Sum, pipeline, servers

FEW = [3, 5, 1]
NAN_SCORES = Candidates(np.tile(np.arange(3, dtype=np.int32), (5, 1)), np.full((5, 3), np.nan, np.float32))
WRONG_SHAPE = Candidates.empty(2, 3)


class Failing(Reranker):
    """Raises, or returns a pool with NaN for every candidate."""

    name = "failing"
    targets = ("items",)

    def __init__(self, *, raises=True):
        super().__init__()
        self.raises = raises

    def rerank(self, queries, pool, n):
        if self.raises:
            raise KeyError("lost")
        return pool.ranked(np.full(pool.ids.shape, np.nan, np.float32))


def tolerating(pipe, *left_out, at_work=None):
    tolerance = Tolerance(frozenset(left_out), at_work)
    return replace(pipe, tolerance=tolerance), tolerance


def ids(pipe, n=3):
    return pipe.slate(QUERIES, "items", n).ids.tolist()


@pytest.mark.parametrize("answer", [None, NAN_SCORES, WRONG_SHAPE])
def test_a_generator_that_fails_has_no_candidates(answer):
    sources = [("broken", Broken(answer), 3), ("few", Fixed(FEW), 3)]
    with pytest.raises((ZeroDivisionError, PluginError)):
        pipeline(sources).slate(QUERIES, "items", 3)
    tolerant, tolerance = tolerating(pipeline(sources))
    assert ids(tolerant) == ids(pipeline([("few", Fixed(FEW), 3)]))
    assert [fault.component for fault in tolerance.faults] == ["broken"]


@pytest.mark.parametrize("answer", [None, np.full((5, 3), np.inf, np.float32), np.zeros((1, 1), np.float32)])
def test_a_scorer_that_fails_has_no_opinion(answer):
    sources = [("few", Fixed(FEW), 3)]
    tolerant, tolerance = tolerating(pipeline(sources, scorers=[("broken", Broken(answer))]))
    pool, slate = tolerant.answer(QUERIES, "items", 3)
    assert slate.ids.tolist() == ids(pipeline(sources))
    assert np.isnan(pool.columns["broken"]).all()
    assert tolerance.faults[0].component == "broken"


@pytest.mark.parametrize("raises", [True, False])
def test_a_re_ranker_that_fails_is_passed_over(raises):
    sources = [("few", Fixed(FEW), 3), ("all", Fixed(), 4)]
    tolerant, tolerance = tolerating(pipeline(sources, rerankers={"items": (Sum(), Failing(raises=raises))}))
    assert ids(tolerant) == ids(pipeline(sources))
    assert [fault.component for fault in tolerance.faults] == ["re-ranker failing"]


def test_without_a_fusion_the_fallback_answers():
    sources = [("few", Fixed(FEW), 3), ("all", Fixed(), 4)]
    fallback = [("last", Fixed([7, 8, 9]))]
    tolerant, _ = tolerating(pipeline(sources, rerankers={"items": (Failing(),)}, fallback=fallback))
    slate = tolerant.slate(QUERIES, "items", 3)
    assert slate.ids.tolist() == [[7, 8, 9]] * len(QUERIES)
    assert set(servers(slate)) == {"last"}


def test_an_order_that_nobody_made_is_not_shown():
    """A single column without any opinion would rank by the number of the id."""
    source = [("broken", Fixed(), 3)]
    scorers = [("broken", Broken(None))]
    tolerant, _ = tolerating(pipeline(source, scorers=scorers, rerankers={}, fallback=[("last", Fixed([9]))]))
    assert ids(tolerant, 1) == [[9]] * len(QUERIES)


def test_a_fallback_that_fails_leaves_the_others():
    fallback = [("broken", Broken(None)), ("last", Fixed([9]))]
    tolerant, tolerance = tolerating(pipeline([("few", Fixed([3]), 1)], fallback=fallback))
    assert ids(tolerant, 3) == [[3, 9, PADDING]] * 2 + [[3, 9, PADDING]] * 3
    assert tolerance.faults == [Fault("broken", "ZeroDivisionError: boom")]
    assert tolerance.faults[0].origin.startswith("ZeroDivisionError in builders.py:")


def test_components_that_are_left_out_are_not_asked():
    source, scorer, fallback = Fixed(FEW), Fixed(), Fixed()
    stages = {"scorers": [("scorer", scorer)], "fallback": [("fallback", fallback)]}
    stages["rerankers"] = {"items": (Sum(), Failing())}
    pipe = pipeline([("source", source, 3), ("others", Fixed([4]), 1)], **stages)
    tolerant, tolerance = tolerating(pipe, "source", "scorer", "fallback", reranker_label("failing"))
    assert ids(tolerant, 2) == [[4, PADDING]] * len(QUERIES)
    assert tolerance.faults == []
    assert source.asked == scorer.asked == fallback.asked == []


def test_the_component_at_work_is_told_before_it_is_asked():
    told = []
    fallback = [("last", Fixed())]
    tolerant, _ = tolerating(pipeline([("few", Fixed(FEW), 3)], scorers=[("all", Fixed())], fallback=fallback),
                             at_work=told.append)  # fmt: skip
    tolerant.slate(QUERIES, "items", N - 2)
    assert told == ["few", "all", "re-ranker sum", "last"]


def test_a_tolerance_changes_nothing_while_nothing_fails():
    pipe = pipeline([("few", Fixed(FEW), 3), ("all", Fixed(), 4)], fallback=[("last", Fixed())])
    tolerant, tolerance = tolerating(pipe)
    expected, answered = pipe.slate(QUERIES, "items", 9), tolerant.slate(QUERIES, "items", 9)
    assert answered.ids.tolist() == expected.ids.tolist()
    np.testing.assert_array_equal(answered.scores, expected.scores)
    assert servers(answered) == servers(expected)
    assert not tolerance.silent
